"""What runs beside the student's code: ops made of the texts that the grader sends. It knows not which are wrong."""
import numpy as np


def function(text):
    """A lambda of a text."""
    return eval(text, {"np": np})


def difference(student, k, direction, h, weights, **arrays):
    """The difference of J = sum_i weights_i sum(x_i^3), and the arrays as they were left."""
    given = [arrays[name] for name in sorted(arrays)]

    def J(values):
        return float(sum(weight * np.sum(value ** 3) for weight, value in zip(weights, values)))
    return {"slope": np.array(float(student.difference(J, given, int(k), direction, h))),
            **{f"left{i}": value for i, value in enumerate(given)}}


def wrong(student, forwards, rules, seed, **arrays):
    """For each op which of its arguments are called wrong: (ops, 3). Argument k of op i is the array x<i>_<k>."""
    found, rng = np.zeros((len(forwards), 3), bool), np.random.default_rng(seed)
    for i, forward in enumerate(forwards):
        given = [arrays[f"x{i}_{k}"] for k in range(len(rules[i]))]
        with np.errstate(all="ignore"):
            named = student.wrong_arguments(function(forward), [function(rule) for rule in rules[i]], given, rng)
        for k in named:
            found[i, int(k)] = True
    return {"wrong": found}


def first(student, forwards, rules, seed, x):
    """The step called wrong, for each of several chains."""
    found, rng = [], np.random.default_rng(seed)
    for chain, its_rules in zip(forwards, rules):
        steps = [(function(forward), function(rule)) for forward, rule in zip(chain, its_rules)]
        with np.errstate(all="ignore"):
            found.append(int(student.first_wrong(steps, x.copy(), rng)))
    return {"first": np.array(found)}
