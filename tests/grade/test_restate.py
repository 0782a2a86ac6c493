"""The same program in other words: the same numbers to the last bit, and another text."""
import numpy as np
import pytest

from minigrad.grade.restate import restate

PROGRAM = '''
LIMIT = 3
def total(x, scale=2.0):
    """Doc."""
    result, k = 0.0, 0
    def add(y):
        nonlocal k
        k += 1
        return result + scale * y * y
    for one in x:                       # a comment
        if k < LIMIT or one >= 0:
            result = add(one)
    try:
        parts = ["a" * 2, [0] * 2, f"{result > 1}"]
        inverse = 1 / x[0]
    except ZeroDivisionError as error:
        inverse = str(error)
    import math as m
    return result, k, parts, inverse, m.floor(result), sum(one * result for one in x)

class Thing:
    size = 2
    def grow(self, by):
        new = self.size * by
        self.size = new
        return new
'''


def run(text):
    space = {}
    exec(text, space)
    thing = space["Thing"]()
    return [space["total"](x) for x in ([1.5, -2.0, 0.1, 7.0, -3.0], [0, 1])], [thing.grow(by=3), thing.size]


def test_it_computes_the_same_and_reads_otherwise():
    other = restate(PROGRAM)
    assert run(other) == run(PROGRAM)
    for line in ("result + scale * y * y", "k < LIMIT", "new = self.size * by", "a comment"):
        assert line in PROGRAM and line not in other
    assert "def total(x, scale=2.0)" in other and "size = 2" in other             # what can be seen from outside stays


@pytest.mark.parametrize("text", ["y = a @ b", "y = a - b", "y = a / b", "y = a < b < c", "y = 'x' * 3", "y = [1] * n"])
def test_what_does_not_commute_stays(text):
    assert restate(text) == text


def test_products_round_alike():
    x = np.random.default_rng(0).standard_normal((3, 1000))
    spaces = [{"a": x[0], "b": x[1], "c": x[2]} for _ in range(2)]
    for space, text in zip(spaces, ("y = a * b * c", restate("y = a * b * c"))):
        exec(text, space)
    assert restate("y = a * b * c") != "y = a * b * c" and np.array_equal(spaces[0]["y"], spaces[1]["y"])
