"""What a student forgets when writing an op: its rules, one of them, or that a rule is written in ops."""
import numpy as np
import pytest

from minigrad.core import Tensor, primitive
from minigrad.testing import GradientError, gradcheck, gradgradcheck

x = np.array([0.5, 1.0, 2.0])


@pytest.fixture
def op():
    """primitive, but the ops made here are not those of the library: take them out of its list afterwards."""
    from minigrad.core import OPS
    before = dict(OPS)
    yield primitive
    OPS.clear()
    OPS.update(before)


def test_an_op_without_rules_computes_and_says_in_the_backward_what_is_missing(op):
    @op
    def forgotten(x):
        return x**2

    assert np.array_equal(forgotten(Tensor(x)).data, x**2)
    y = forgotten(Tensor(x, requires_grad=True)).sum()
    with pytest.raises(RuntimeError, match=r"forgotten has no rules yet: forgotten.vjps\(lambda g, y, x: \.\.\.\)"):
        y.backward()


def test_also_with_any_number_of_arguments_and_under_gradcheck(op):
    @op
    def total(*xs):
        return np.add.reduce(xs)

    with pytest.raises(RuntimeError, match="total has no rules yet"):
        gradcheck(total, x, x)


@pytest.mark.parametrize("rules", [[], [lambda g, y, a, b: g], [lambda g, y, a, b: g] * 3])
def test_the_number_of_rules_is_checked_where_they_are_written(op, rules):
    @op
    def plus(a, b):
        return a + b

    with pytest.raises(ValueError, match=rf"plus.vjps: wanted one rule for each of a, b .*, got {len(rules)}"):
        plus.vjps(*rules)


def test_a_rule_in_numpy_is_right_once_and_the_second_check_says_what_to_do(op):
    @op
    def root(x):
        return np.cbrt(x)

    root.vjps(lambda g, y, x: g / (3 * np.cbrt(x) ** 2))
    gradcheck(root, x)
    with pytest.raises(GradientError, match="gradient of root: .*a NumPy function that is no op.*minigrad.ops.*cbrt"):
        gradgradcheck(root, x)


def test_a_rule_in_numpys_words_is_right_to_second_order_where_there_is_an_op_of_that_name(op):
    @op
    def exponential(x):
        return np.exp(x)

    exponential.vjps(lambda g, y, x: np.where(np.isfinite(x), g, 0.0) * np.exp(x))
    gradcheck(exponential, x)
    gradgradcheck(exponential, x)


@pytest.mark.parametrize("d, message", [
    (lambda g, x: None, r"the rule of shrunk for argument 0 must give a floating-point array of shape \(3,\), "
                        "got NoneType"),
    (lambda g, x: 2.0, "must give .* got float"), (lambda g, x: [1.0, 2.0, 3.0], "must give .* got list"),
    (lambda g, x: x > 0, "must give .* got an array of bool"),
    (lambda g, x: np.arange(3), "must give .* got an array of int64"),
    (lambda g, x: np.ones(3, complex), "must give .* got an array of complex128"),
    (lambda g, x: np.ones(4), r"the rule of shrunk gives a gradient of shape \(4,\) for argument 0 of shape \(3,\)"),
    (lambda g, x: np.ones((3, 1)), r"gradient of shape \(3, 1\) for argument 0 of shape \(3,\)"),
    (lambda g, x: np.float64(1), r"gradient of shape \(\) for argument 0 of shape \(3,\)"),
])
@pytest.mark.parametrize("fused", [False, True])
def test_what_a_rule_must_give_is_said_with_the_op_and_the_argument(op, d, message, fused):
    @op
    def shrunk(x):
        return 0.5 * x

    shrunk.vjps(lambda g, y, x: d(g, x))
    if fused:
        shrunk.fused(lambda g, y, wanted, out, x: [d(g, x)])
    leaf = Tensor(x, requires_grad=True)
    y = shrunk(leaf)
    with pytest.raises(ValueError, match=message):
        y.backward(np.ones(3))
    assert leaf.grad is None


def test_a_gradient_of_the_right_size_and_the_wrong_shape_is_not_reshaped(op):
    """A rule that forgets to transpose."""
    @op
    def turned(x):
        return x.T

    turned.vjps(lambda g, y, x: g)
    with pytest.raises(ValueError, match=r"turned gives a gradient of shape \(3, 2\) for argument 0 of shape \(2, 3\)"):
        turned(Tensor(np.ones((2, 3)), requires_grad=True)).sum().backward()


@pytest.mark.parametrize("result", [None, "text", [1.0, 2.0], (np.ones(2), np.ones(2))])
def test_an_op_whose_function_returns_no_array_is_told_so(op, result):
    @op
    def nothing(x):
        return result

    with pytest.raises(ValueError, match="nothing: its function must return one array of numbers, got"):
        nothing(Tensor(x, requires_grad=True))
