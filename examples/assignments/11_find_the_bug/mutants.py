"""Wrong tools, for grading the student's own tests. Each is one that people build.

EQUIVALENTS holds two right ones, which no test may fail. Equivalent, and so not among the mutants:
- `range(len(chain) - 1, -1, -1)` for the reversed range: the same numbers.
- up and down as tuples turned into lists: J is given a list either way.
- STEP = 1e-5: truncation and rounding are both still below the tolerance.
"""
from minigrad.grade import Mutant

UP = "up[k], down[k] = array + h * direction, array - h * direction"
SLOPE = "return (J(up) - J(down)) / (2 * h)"
DRAW = "u = rng.standard_normal(np.shape(y))"
SIGN = "u += np.sign(u) * 0.1                 # none is close to zero"
TEST = "if not error <= ATOL + RTOL * abs(numeric):"
SHAPE = "if np.shape(gradient) != array.shape:\n        return False"
LIST = "return [k for k, rule in enumerate(rules) if not right(rule(u, y, *arrays), J, arrays, k)]"
LAST = "    for i in reversed(range(len(chain))):"

MUTANTS = [
    Mutant("forward", UP, "up[k] = array + 2 * h * direction", "a difference to one side"),
    Mutant("same", UP, "up[k], down[k] = array + h * direction, array + h * direction", "moved to the same side twice"),
    Mutant("writes", UP, "array += h * direction; up[k], down[k] = array.copy(), array - 2 * h * direction",
           "writes into the array, which stays moved"),
    Mutant("first", UP, UP.replace("[k]", "[0]"), "always the first argument is moved"),
    Mutant("no-direction", UP, UP.replace("h * direction", "h"), "every entry is moved at once"),
    Mutant("one-h", SLOPE, "return (J(up) - J(down)) / h", "divided by h"),
    Mutant("sign", SLOPE, "return (J(down) - J(up)) / (2 * h)", "the other way round"),
    Mutant("fixed-h", SLOPE, "return (J(up) - J(down)) / (2 * STEP)", "divided by a step that was not made"),
    Mutant("ones", DRAW, "u = np.ones(np.shape(y))", "g = 1 hides a forgotten g"),
    Mutant("zeros", SIGN, "u *= 0", "g = 0 hides everything"),
    Mutant("single", DRAW, "u = np.full(np.shape(y), rng.standard_normal())", "one number for all of g"),
    Mutant("no-shape", SHAPE, "gradient = np.broadcast_to(gradient, array.shape) if np.ndim(gradient) <= array.ndim "
           "else np.asarray(gradient).sum(axis=0)", "a wrong shape is made to fit"),
    Mutant("nan", TEST, "if error > ATOL + RTOL * abs(numeric):", "NaN passes"),
    Mutant("absolute", TEST, "if not error <= ATOL:", "no relative part: large gradients are called wrong"),
    Mutant("coarse", TEST, "if not error <= 1e-2 + RTOL * abs(numeric):", "small gradients are always right"),
    Mutant("lenient", TEST, "if not error <= ATOL + 0.01 * abs(numeric):", "a mistake of 0.1 % passes"),
    Mutant("signless", "error = abs(gradient[index] - numeric)", "error = abs(abs(gradient[index]) - abs(numeric))",
           "a wrong sign passes"),
    Mutant("early", "            return False\n    return True", "            return False\n        return True",
           "only the first entry is looked at"),
    Mutant("inverted", LIST, LIST.replace("if not right", "if right"), "right and wrong exchanged"),
    Mutant("first-rule", LIST, LIST.replace("enumerate(rules)", "enumerate(rules[:1])"), "only the first rule"),
    Mutant("any", LIST, f"found = {LIST.removeprefix('return ')}\n    return [0] if found else []",
           "that something is wrong, not what"),
    Mutant("without-g", "return float(np.sum(u * forward(*values)))", "return float(np.sum(forward(*values)))",
           "J without g"),
    Mutant("from-the-start", LAST, "    for i in range(len(chain)):", "the last step that is wrong, not the first"),
    Mutant("no-first-step", LAST, "    for i in reversed(range(1, len(chain))):", "the chain's first step is left out"),
    Mutant("no-last-step", LAST, "    for i in reversed(range(len(chain) - 1)):", "the chain's last step is left out"),
    Mutant("input", "[rule], [values[i]], rng)", "[rule], [x], rng)", "every step is tried at the chain's input"),
    Mutant("output", "[rule], [values[i]], rng)", "[rule], [values[i + 1]], rng)", "tried at its own result"),
    Mutant("zero", "    return -1", "    return 0", "0 for none: that is a step"),
]

EQUIVALENTS = [
    Mutant("order", SLOPE, "return J(up) / (2 * h) - J(down) / (2 * h)", "the same quotient"),
    Mutant("uniform", DRAW, "u = rng.uniform(-1, 1, np.shape(y))", "another random g"),
]
