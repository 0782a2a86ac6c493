"""Find the bug: a tool that tells a wrong derivative from a right one, and which step of a backward pass has it.

An op is a function forward(*arrays) -> y and one rule(g, y, *arrays) -> dJ/dx for each of its arguments, g being dJ/dy.
The tool does not read rules. It asks differences: J = sum(g y) is a number, and moving an argument shows its slope.
"""
import numpy as np

STEP = 1e-6                               # h: truncation h^2 and rounding u/h are then both about 1e-10 of J
ATOL, RTOL = 1e-6, 1e-5                   # |exact - numeric| <= ATOL + RTOL |numeric| is right


# ------------------------------------------------------------------------------------------------------- 1: differences

def difference(J, arrays, k, direction, h=STEP):
    """(J(arrays, the k-th moved by h direction) - J(..., by -h direction)) / 2h: the derivative along the direction.

    J: list of arrays -> float. arrays: a list; neither it nor its arrays are changed. direction: like arrays[k].
    """
    array = arrays[k]
    # BEGIN SOLUTION task 1: two lists, the k-th array replaced in both; never write into the array itself
    up, down = list(arrays), list(arrays)
    up[k], down[k] = array + h * direction, array - h * direction
    return (J(up) - J(down)) / (2 * h)
    # END SOLUTION


# ------------------------------------------------------------------------------------------------- 2: one op, its rules

def right(gradient, J, arrays, k):
    """Is `gradient` that of J with respect to arrays[k], in every entry?"""
    array = arrays[k]
    # BEGIN SOLUTION task 2: the shape of the argument, and every entry against its difference; NaN is not right
    if np.shape(gradient) != array.shape:
        return False
    for index in np.ndindex(array.shape):
        direction = np.zeros(array.shape)
        direction[index] = 1.0
        numeric = difference(J, arrays, k, direction)
        error = abs(gradient[index] - numeric)
        if not error <= ATOL + RTOL * abs(numeric):
            return False
    return True
    # END SOLUTION


def wrong_arguments(forward, rules, arrays, rng):
    """The numbers k of the arguments whose rule is wrong, a list. rng: a Generator."""
    y = forward(*arrays)
    # BEGIN SOLUTION task 2: a g that hides nothing, J = sum(g y), and the rules one by one
    u = rng.standard_normal(np.shape(y))
    u += np.sign(u) * 0.1                 # none is close to zero

    def J(values):
        return float(np.sum(u * forward(*values)))
    return [k for k, rule in enumerate(rules) if not right(rule(u, y, *arrays), J, arrays, k)]
    # END SOLUTION


# --------------------------------------------------------------------------------------------------- 3: a backward pass

def first_wrong(chain, x, rng):
    """The first step that a backward pass of the chain gets wrong, as its number in the chain; -1 if it is right.

    chain: list of (forward, rule), each of one argument, applied in order to x. Backward begins at the end.
    """
    # BEGIN SOLUTION task 3: what every step was given, then each step on its own, from the last to the first
    values = [x]
    for forward, _ in chain:
        values.append(forward(values[-1]))
    for i in reversed(range(len(chain))):
        forward, rule = chain[i]
        if wrong_arguments(forward, [rule], [values[i]], rng):
            return i
    return -1
    # END SOLUTION
