"""The checks of 11_find_the_bug. What is wrong is known, for it was planted here: other rules and steps per student."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(title="Find the bug", sections="6.5, 8.2.1, 8.7.1", minutes=90, blocked=["minigrad.testing"],
                        mutant_points=5)

SHAPES = {"x": (4, 3), "b": (3,), "w": (3, 2)}
# name -> forward, the rule of each argument, wrong rules (argument, rule), the arguments; in capitals: positive ones
OPS = {
    "multiply": ("lambda a, b: a * b", ["g * b", "g * a"], [(0, "g * a"), (1, "g * y"), (1, "g * b")], "xx"),
    "divide": ("lambda a, b: a / b", ["g / b", "-g * y / b"], [(0, "g * b"), (1, "g * y / b"), (1, "-g * y")], "XX"),
    "matmul": ("lambda a, b: a @ b", ["g @ b.T", "a.T @ g"], [(0, "2 * g @ b.T"), (1, "a.T @ g * 1.001")], "xw"),
    "bias": ("lambda a, b: a + b", ["g", "g.sum(axis=0)"], [(0, "-g"), (1, "2 * g.sum(axis=0)")], "xb"),
    "tanh": ("lambda a: np.tanh(a)", ["g * (1 - y * y)"], [(0, "g * (1 - y)"), (0, "g * (1 - a * a)")], "x"),
    "relu": ("lambda a: np.maximum(a, 0)", ["g * (a > 0)"], [(0, "g"), (0, "g * (a < 0)")], "x"),
    "sqrt": ("lambda a: np.sqrt(a)", ["g / (2 * y)"], [(0, "g / y"), (0, "g / (2 * a)")], "X"),
    "sine": ("lambda a: np.sin(a)", ["g * np.cos(a)"], [(0, "-g * np.cos(a)"), (0, "g * np.sin(a)")], "x"),
}
# hidden by g = 1, under which a wrong rule gives the right numbers
HIDDEN = {
    "matmul": ("lambda a, b: a @ b", ["g @ b.T", "a.T @ g"],
               [(1, "a.T @ np.ones_like(g)"), (0, "np.ones_like(g) @ b.T")], "xw"),
    "softmax": ("lambda a: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)",
                ["y * (g - (g * y).sum(axis=1, keepdims=True))"],
                [(0, "y * (g - g.mean(axis=1, keepdims=True))")], "x"),
    "standardize": ("lambda a: (a - a.mean(axis=0)) / a.std(axis=0)",
                    ["(g - g.mean(axis=0) - y * (g * y).mean(axis=0)) / a.std(axis=0)"],
                    [(0, "(g - g.mean(axis=0)) / a.std(axis=0)"), (0, "0 * g")], "x"),
    "exp": ("lambda a: np.exp(a)", ["g * y"], [(0, "y")], "x"),
}
# right ones that a tolerance without a relative part, or a coarse one, gets wrong
SCALES = {
    "large": ("lambda a: 1e6 * np.log(a)", ["1e6 * g / a"], [(0, "1.001e6 * g / a")], "X"),
    "small": ("lambda a: 1e-3 * np.sin(a)", ["1e-3 * g * np.cos(a)"], [(0, "1e-3 * g * np.sin(a)")], "x"),
    "near": ("lambda a: a ** 3", ["3 * g * a * a"], [(0, "3.003 * g * a * a")], "X"),
}
# a wrong shape, NaN, and one wrong entry
ODD = {
    "bias": ("lambda a, b: a + b", ["g", "g.sum(axis=0)"],
             [(1, "g"), (1, "g.sum()"), (1, "g.sum(axis=0, keepdims=True)")], "xb"),
    "sqrt": ("lambda a: np.sqrt(a)", ["g / (2 * y)"], [(0, "g / (2 * np.sqrt(-a))")], "X"),
    "last": ("lambda a: np.tanh(a)", ["g * (1 - y * y)"],
             [(0, "g * (1 - y * y) * np.where(np.arange(a.size).reshape(a.shape) == a.size - 1, 2, 1)"),
              (0, "np.roll((g * (1 - y * y)).ravel(), 1).reshape(a.shape)")], "x"),
}


def rule(forward, text):
    """The text of a rule as that of a function."""
    return f"lambda g, y, {forward.split(':')[0].removeprefix('lambda ')}: {text}"


def planted(case, shelf, count):
    """`count` ops of a shelf, half of them with a wrong rule: what to ask, and which arguments are wrong."""
    inputs, wrong = dict(forwards=[], rules=[], seed=case.seed), np.zeros((count, 3), bool)
    bugs = [(op, *bug) for op in shelf.values() for bug in op[2]]
    drawn = [(bugs[at], bad) for at in case.rng.permutation(len(bugs))[:count // 2] for bad in (False, True)]
    for i, at in enumerate(case.rng.permutation(len(drawn))):
        ((forward, rules, _, arguments), k, text), bad = drawn[at]
        rules = list(rules)
        if bad:
            rules[k], wrong[i, k] = text, True
        inputs["forwards"].append(forward)
        inputs["rules"].append([rule(forward, text) for text in rules])
        for k, letter in enumerate(arguments):
            x = case.rng.uniform(0.3, 1.5, SHAPES[letter.lower()])
            inputs[f"x{i}_{k}"] = x if letter.isupper() else x * case.rng.choice([-1, 1], x.shape)
    return inputs, wrong


def judge(case, shelf, count, message):
    inputs, wrong = planted(case, shelf, count)
    got = case.ask("wrong", **inputs)["wrong"]
    case.equal(got.shape, wrong.shape, "wrong_arguments returns the numbers of the arguments: reread its docstring")
    case.true(not (wrong & ~got).any(), f"a wrong rule was called right: {message}")
    case.true(not (got & ~wrong).any(), f"a right rule was called wrong: {message}")


# ------------------------------------------------------------------------------------------------------- 1: differences

def slope(case, h, tolerance, message):
    arrays, k = [case.rng.uniform(0.5, 2, (2, 3)) for _ in range(3)], int(case.rng.integers(3))
    direction, weights = case.rng.standard_normal((2, 3)), case.rng.uniform(1, 2, 3)
    got = case.ask("difference", k=k, direction=direction, h=h, weights=weights,
                   **{f"x{i}": x for i, x in enumerate(arrays)})
    wanted = 3 * weights[k] * np.sum(arrays[k] ** 2 * direction) + weights[k] * h * h * np.sum(direction ** 3)
    case.close(got["slope"], wanted, message, tolerance)
    for i, x in enumerate(arrays):
        case.equal(got[f"left{i}"], x, "the arrays are not to be changed: what is measured next starts from them; "
                   "reread difference's docstring")


@task("1.1", "a central difference", points=2, visibility="public")
def central(case):
    slope(case, 1e-6, 1e-7, "(J(x + h d) - J(x - h d))/2h: reread the first line of difference's docstring")


@task("1.2", "both sides, and any h", points=2)
def both_sides(case):
    slope(case, 0.1, 1e-9, "J is moved by h to *both* sides, and divided by 2h; the error is then of the order h^2: "
          "reread the first line of difference's docstring")


# ------------------------------------------------------------------------------------------------- 2: one op, its rules

@task("2.1", "which rule is wrong", points=2, visibility="public")
def plain(case):
    judge(case, OPS, 8,
          "compare each rule with the differences of J = sum(g y) (6.5.2); reread wrong_arguments' docstring")


@task("2.2", "which rule is wrong, your own", points=2)
def own(case):
    judge(case, OPS, 24,
          "compare each rule with the differences of J = sum(g y) (6.5.2); reread wrong_arguments' docstring")


@task("2.3", "bugs that g = 1 hides", points=3)
def hidden(case):
    judge(case, HIDDEN, 12, "with g = 1 a forgotten g, and all that softmax and batch norm take out (8.7.1), cannot be "
          "seen: draw g at random; reread what g is, at the top of the file")


@task("2.4", "large gradients, small ones, and small mistakes", points=2)
def scales(case):
    judge(case, SCALES, 6, "a gradient of 1e6 has rounding of another size than one of 1e-3: reread the line on ATOL "
          "and RTOL")


@task("2.5", "shapes, NaN and single entries", points=2)
def odd(case):
    judge(case, ODD, 12, "a gradient has the shape of its argument, no NaN, and is looked at in every entry (`nan > x` "
          "is never true): reread right's docstring")


# --------------------------------------------------------------------------------------------------- 3: a backward pass

STEPS = [OPS["tanh"], HIDDEN["softmax"], HIDDEN["standardize"], OPS["sine"], HIDDEN["exp"]]


SHIFT = "lambda a: a + 4"
SQUARE = "lambda a: a ** 2"
# wrong near 0 only, where the chain begins, or far from it only, where the second step is
NEAR = "g * (np.abs(a) > 2)"
FAR = "2 * g * a * (np.abs(a) < 2)"


def chains(case, mistakes, message, elsewhere=False):
    """One chain for each list of the numbers of its wrong steps. elsewhere: and two wrong near or far from 0."""
    forwards, rules = [], []
    for wrong in mistakes:
        chain = [STEPS[int(one)] for one in case.rng.permutation(5)]
        texts = [op[2][int(case.rng.integers(len(op[2])))][1] if i in wrong else op[1][0] for i, op in enumerate(chain)]
        forwards.append([op[0] for op in chain])
        rules.append([rule(op[0], text) for op, text in zip(chain, texts)])
    wanted = [max(wrong, default=-1) for wrong in mistakes]
    if elsewhere:
        forwards += [[SHIFT, SQUARE], [SHIFT, SQUARE]]
        rules += [[rule(SHIFT, "g"), rule(SQUARE, FAR)], [rule(SHIFT, NEAR), rule(SQUARE, "2 * g * a")]]
        wanted += [1, 0]
    got = case.ask("first", forwards=forwards, rules=rules, seed=case.seed, x=case.rng.uniform(-1, 1, (4, 3)))["first"]
    case.equal(got, wanted, message)


@task("3.1", "the step that is wrong", points=2, visibility="public")
def one_step(case):
    chains(case, [[int(case.rng.integers(5))], [int(case.rng.integers(5))]], "each step is tried on its own, with the "
           "values that it was given and a random g: reread first_wrong's docstring")


@task("3.2", "several wrong steps, and none", points=3)
def several(case):
    pairs = [sorted(case.rng.choice(5, 2, replace=False).tolist()) for _ in range(3)]
    chains(case, [[], *pairs, [0], [4]], "backward begins at the end, so the first that it gets wrong has the largest "
           "number; -1 if all are right; and each step is tried at what it was given: reread first_wrong's docstring",
           elsewhere=True)
