"""The checker is checked: planted mistakes of every kind are caught, the message says where; right rules pass."""
import re

import numpy as np
import pytest

from minigrad import ops
from minigrad.core import Tensor, primitive
from minigrad.core.tensor import data_of
from minigrad.testing.gradients import GradientError, gradcheck, gradgradcheck

rng = np.random.default_rng(3)
X = rng.uniform(0.3, 1.7, (3, 4))
V = rng.uniform(0.3, 1.7, (4,))
W = rng.uniform(0.3, 1.7, (4, 2))
COUNT = {"calls": 0}


def op(forward, *rules):
    made = primitive(forward)
    made.vjps(*rules)
    return made


def sine(x):
    return np.sin(x)


def product(a, b):
    return a * b


def matrix_product(a, b):
    return a @ b


def cube(x):
    return x ** 3


def centred(x):
    """The heart of batch norm: columns of mean 0 and variance 1."""
    d = x - x.mean(0)
    return d / np.sqrt((d * d).mean(0))


def total(x):
    return np.sum(x)


def first_rows_only(g, y, x):
    mask = np.zeros(x.shape)
    mask[0] = 1
    return g * ops.cos(x) * mask


stale = {}


def remembers(x):
    stale.setdefault("x", np.array(x))     # the first value ever seen
    return np.sin(x)


def normalized(mean_term, variance_term):
    def rule(g, y, x):
        d = x - ops.mean(x, 0, keepdims=True)
        sigma = ops.sqrt(ops.mean(d * d, 0, keepdims=True))
        xhat = d / sigma
        result = g
        if mean_term:
            result = result - ops.mean(g, 0, keepdims=True)
        if variance_term:
            result = result - xhat * ops.mean(g * xhat, 0, keepdims=True)
        return result / sigma
    return rule


def repeated(factor):
    """x * x as one op of one argument, as an engine that counts a repeated argument `factor` times would have it."""
    return op(lambda x: x * x, lambda g, y, x: factor * g * x)


# name -> (op, arguments, argument the message must name)
WRONG = {
    "sign": (op(sine, lambda g, y, x: -g * ops.cos(x)), [X], 0),
    "missing factor": (op(cube, lambda g, y, x: g * x ** 2), [X], 0),
    "factor two": (op(cube, lambda g, y, x: 6 * g * x ** 2), [X], 0),
    "one per cent": (op(sine, lambda g, y, x: 1.01 * g * ops.cos(x)), [X], 0),
    "a thousandth": (op(sine, lambda g, y, x: 1.001 * g * ops.cos(x)), [X], 0),
    "forgets g": (op(sine, lambda g, y, x: ops.cos(x)), [X], 0),
    "g twice": (op(sine, lambda g, y, x: g * g * ops.cos(x)), [X], 0),
    "derivative of another function": (op(sine, lambda g, y, x: g * ops.sin(x)), [X], 0),
    "y for x": (op(sine, lambda g, y, x: g * ops.cos(y)), [X], 0),
    "zero": (op(sine, lambda g, y, x: 0 * g), [X], 0),
    "arguments exchanged": (op(product, lambda g, y, a, b: g * a, lambda g, y, a, b: g * b), [X, X + 0.3], 0),
    "second argument only": (op(product, lambda g, y, a, b: g * b, lambda g, y, a, b: g * b), [X, X + 0.3], 1),
    "transposed operand": (op(matrix_product, lambda g, y, a, b: g @ b.swapaxes(0, 1),
                              lambda g, y, a, b: a @ g), [X[:3, :3], W[:3, :1] @ W[:1, :1] + np.eye(3)], 1),
    "transposed result": (op(matrix_product, lambda g, y, a, b: (g @ b.swapaxes(0, 1)).swapaxes(0, 1),
                             lambda g, y, a, b: a.swapaxes(0, 1) @ g), [X[:3, :3], W[:3, :1] + np.eye(3)], 0),
    "wrong shape": (op(sine, lambda g, y, x: ops.sum(g * ops.cos(x), 0, keepdims=True) * np.ones((2, 1))), [X], None),
    "first row only": (op(sine, first_rows_only), [X], 0),
    "last element dropped": (op(sine, lambda g, y, x: g * ops.cos(x) * (np.arange(12).reshape(3, 4) < 11)), [X], 0),
    "stale value": (op(remembers, lambda g, y, x: g * np.cos(stale["x"])), [X + 0.2], 0),
    "no broadcasting undone": (op(lambda a, b: a + b, lambda g, y, a, b: g,
                                  lambda g, y, a, b: ops.broadcast_to(g[:1, :], g.shape)), [X, V], 1),
    "broadcast along the wrong axis": (op(total, lambda g, y, x: g * np.arange(12.0).reshape(3, 4) / 5.5), [X], 0),
    "mean over m - 1": (op(lambda x: x.mean(0), lambda g, y, x: ops.broadcast_to(g, x.shape) / 2), [X], 0),
    "batch norm without the term of the mean": (op(centred, normalized(False, True)), [X], 0),
    "batch norm without the term of the variance": (op(centred, normalized(True, False)), [X], 0),
    "repeated argument counted once": (repeated(1), [X], 0),
    "repeated argument counted four times": (repeated(4), [X], 0),
    "NaN": (op(sine, lambda g, y, x: g * np.full(x.shape, np.nan)), [X], 0),
    "not of the sum over rows": (op(lambda x: ops.softmax(x), lambda g, y, x: g * y * (1 - y)), [X], 0),
}
# right at first order, wrong at second
WRONG_AGAIN = {
    "saved array as a constant": (op(cube, lambda g, y, x: g * 3 * data_of(x) ** 2), [X]),
    "result as a constant": (op(lambda x: np.exp(x), lambda g, y, x: g * data_of(y)), [X]),
    "other argument as a constant": (op(product, lambda g, y, a, b: g * data_of(b), lambda g, y, a, b: g * a),
                                     [X, X + 0.3]),
    "sigma of batch norm as a constant": (op(centred, lambda g, y, x: (
        g - ops.mean(g, 0, keepdims=True) - y * ops.mean(g * y, 0, keepdims=True)) / data_of(x).std(0)), [X]),
    "no derivative with respect to g": (op(sine, lambda g, y, x: Tensor(data_of(g)) * ops.cos(x)), [X]),
}


def test_there_are_at_least_twenty_planted_mistakes():
    assert len(WRONG) + len(WRONG_AGAIN) >= 20


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_caught(name):
    function, args, argument = WRONG[name]
    if name == "stale value":
        function(Tensor(args[0] - 0.2))
    with pytest.raises(GradientError, match="^planted: ") as caught:
        gradcheck(function, *args, name="planted")
    if argument is not None:                         # the op, the argument, the index, both numbers
        found = re.fullmatch(r"planted: argument (\d), (index \([\d, ]*\)|random direction \d): the rule gives (\S+), "
                             r"differences give (\S+) \(error \S+\)", str(caught.value))
        assert found and int(found[1]) == argument
        assert not np.isclose(float(found[3]), float(found[4]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", WRONG_AGAIN)
def test_a_rule_that_is_wrong_at_second_order_is_caught(name):
    function, args = WRONG_AGAIN[name]
    gradcheck(function, *args)
    with pytest.raises(GradientError, match="gradient of planted: argument"):
        gradgradcheck(function, *args, name="planted")


RIGHT = {
    "sine": (op(sine, lambda g, y, x: g * ops.cos(x)), [X]),
    "cube": (op(cube, lambda g, y, x: g * 3 * x ** 2), [X]),
    "product": (op(product, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a), [X, V]),
    "matrix product": (op(matrix_product, lambda g, y, a, b: g @ b.swapaxes(0, 1),
                          lambda g, y, a, b: a.swapaxes(0, 1) @ g), [X, W]),
    "batch norm": (op(centred, normalized(True, True)), [X]),
    "repeated argument": (repeated(2), [X]),
    "same array twice": (ops.multiply, [X, X]),
    "more than 64 inputs": (op(sine, lambda g, y, x: g * ops.cos(x)), [rng.uniform(0.3, 1.7, (9, 9))]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name):
    function, args = RIGHT[name]
    report = gradcheck(function, *args)
    assert report.entries == sum(min(a.size, 64) if a.size <= 64 else 8 for a in args)
    assert report.relative >= 0.9 * report.entries and report.max_relative < 1e-5
    gradgradcheck(function, *args)


def test_a_mistake_in_one_of_many_inputs_is_seen_along_random_directions():
    x = rng.uniform(0.3, 1.7, (20, 20))
    wrong = np.ones((20, 20))
    wrong[7, 11] = 1.01
    with pytest.raises(GradientError, match="random direction"):
        gradcheck(op(sine, lambda g, y, x: g * ops.cos(x) * wrong), x)


def test_a_batch_norm_whose_gradient_under_ones_is_zero_is_not_passed():
    """Under a cotangent of ones even the rule "0" would pass."""
    zero = op(centred, lambda g, y, x: 0 * g)
    x = Tensor(X, requires_grad=True)
    op(centred, normalized(True, True))(x).sum().backward()
    np.testing.assert_allclose(x.grad, 0, atol=1e-14)
    with pytest.raises(GradientError):
        gradcheck(zero, X)


def test_nothing_handed_in_is_changed():
    x = Tensor(X.copy(), requires_grad=True)
    x.grad = np.full(X.shape, 7.0)
    before = x.data.copy()
    gradcheck(ops.sin, x)
    gradgradcheck(ops.sin, x)
    assert np.array_equal(x.data, before) and (x.grad == 7).all()


def test_a_kinked_op_is_differentiated_and_exact_zeros_count_as_decided():
    report = gradcheck(ops.relu, np.array([-1.3, 0.4, 2.1, -0.2]))
    assert report.relative == 4


def test_float32_is_refused():
    with pytest.raises(ValueError, match="argument 0 is float32; differences need float64"):
        gradcheck(ops.sin, X.astype(np.float32))


def test_no_float_argument_is_refused():
    with pytest.raises(ValueError, match="no float64 argument"):
        gradcheck(ops.sin, np.arange(3))


def test_a_result_that_is_not_a_tensor_is_refused():
    with pytest.raises(ValueError, match="must return one Tensor, got float"):
        gradcheck(lambda x: 1.0, X)


def test_an_op_that_narrows_float64_is_refused():
    with pytest.raises(GradientError, match="float32"):
        gradcheck(lambda x: x.astype(np.float32), X)


def test_steps_of_the_definition():
    """exp'(1) in float64: the best h is near 1e-5, with an error near 2e-11; 1e-6 is good, 1e-12 is not."""
    def error(h, dtype):
        x, h = dtype(1), dtype(h)
        return abs(float((np.exp(x + h) - np.exp(x - h)) / (2 * h)) / np.e - 1)
    assert error(1e-5, np.float64) < 1e-10 and error(1e-6, np.float64) < 1e-9 and error(1e-12, np.float64) > 1e-5
    assert error(1e-2, np.float32) < 1e-4 < error(1e-6, np.float32)
