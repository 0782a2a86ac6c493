"""Elementwise ops: values as NumPy's, SciPy's and mathematics have them, and what happens at kinks, ties and ends."""
import math

import numpy as np
import pytest

from minigrad import ops
from minigrad.core import OPS, Tensor, grad, tensor

special = pytest.importorskip("scipy.special")
x = np.array([-30.0, -3.7, -1.0, -0.2, 0.0, 0.3, 1.0, 2.9, 30.0])
positive = np.abs(x) + 0.1

REFERENCES = {
    "negative": (np.negative, x), "square": (np.square, x), "exp": (np.exp, x), "expm1": (np.expm1, x),
    "log": (np.log, positive), "log1p": (np.log1p, positive), "sqrt": (np.sqrt, positive), "sin": (np.sin, x),
    "cos": (np.cos, x), "erf": (special.erf, x), "abs": (np.abs, x), "sign": (np.sign, x), "tanh": (np.tanh, x),
    "sigmoid": (special.expit, x), "relu": (lambda x: x * (x > 0), x), "softplus": (lambda x: np.logaddexp(0, x), x),
    "gelu": (lambda x: x * special.ndtr(x), x), "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), x),
    "elu": (lambda x: np.where(x > 0, x, np.exp(x) - 1), x),
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 2e-14), (np.float32, 1e-6)])
def test_values(name, dtype, rtol):
    function, at = REFERENCES[name]
    y = getattr(ops, name)(tensor(at.astype(dtype)))
    wanted = function(at.astype(dtype).astype(np.float64))
    np.testing.assert_allclose(y.data, wanted, rtol=rtol, atol=1e-7 if dtype == np.float32 else 1e-15)
    assert np.array_equal(getattr(ops, name)(at.astype(dtype)), y.data)            # arrays in, the same array out


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
def test_two_arguments(name):
    a, b = x[:, None], x[::-1] + 0.05
    assert np.array_equal(getattr(ops, name)(tensor(a), tensor(b)).data, getattr(np, name)(a, b))
    assert np.array_equal(ops.power(tensor(positive), tensor(b)).data, positive ** b)


def test_where_and_clip():
    assert np.array_equal(ops.where(x > 0, tensor(x), 7.0).data, np.where(x > 0, x, 7))
    assert np.array_equal(ops.where(tensor(x > 0), 7.0, tensor(x)).data, np.where(x > 0, 7, x))
    for low, high in ((-1, 2), (None, 1), (0.5, None), (None, None), (x - 1, x[::-1] ** 2 + 40)):
        assert np.array_equal(ops.clip(tensor(x), low, high).data, np.clip(x, low, high))


# --------------------------------------------------------------------------- the table of docs/conventions.md, exactly

TABLE = [
    ("relu(0)", ops.relu, [0.0, -0.0], [0, 0]), ("abs(0)", ops.abs, [0.0, -0.0], [0, 0]),
    ("sign", ops.sign, [-1.0, 0.0, 2.0], [0, 0, 0]), ("leaky_relu(0)", ops.leaky_relu, [0.0], [0.01]),
    ("elu(0)", lambda x: ops.elu(x, 0.7), [0.0], [0.7]),
    ("clip ends", lambda x: ops.clip(x, -1, 1), [-1.0, 1.0, 1.5], [1, 1, 0]),
    ("clip, low = high", lambda x: ops.clip(x, 1, 1), [1.0, 0.9], [1, 0]),
    ("x ** 0", lambda x: x ** 0, [0.0, 2.0], [0, 0]),
    ("0 ** b", lambda b: 0.0 ** b, [0.0, 1.0, 2.0], [0, 0, 0]), ("x ** 1", lambda x: x ** 1, [0.0], [1]),
    ("maximum tie", lambda x: ops.maximum(x, 1.0), [1.0, 0.0, 2.0], [0.5, 0, 1]),
    ("minimum tie", lambda x: ops.minimum(x, 1.0), [1.0, 0.0, 2.0], [0.5, 1, 0]),
    ("maximum of infinities", lambda x: ops.maximum(x, np.inf), [np.inf, -np.inf, 0.0], [0.5, 0, 0]),
    ("minimum of huge", lambda x: ops.minimum(x, -1e308), [1e308, -1e308], [0, 0.5]),
    ("max tie", ops.max, [3.0, 1.0, 3.0], [0.5, 0, 0.5]), ("min tie", ops.min, [1.0, 1.0, 1.0, 1.0], [0.25] * 4),
    ("norm(0)", ops.norm, [0.0, 0.0], [0, 0]), ("floor", ops.floor, [-1.0, 0.5, 2.0], [0, 0, 0]),
    ("ceil", ops.ceil, [-1.0, 0.5], [0, 0]), ("round", ops.round, [0.5, 1.5], [0, 0]),
    ("a // b", lambda x: x // 2.0, [2.0, 3.0], [0, 0]), ("a % b", lambda x: x % 2.0, [2.0, 3.0], [1, 1]),
    ("a % b, by b", lambda x: 7.0 % x, [7.0, 2.0, -2.0], [-1, -3, 4]),
    *[(f"norm of order {p}, 0", lambda x, p=p: ops.norm(x, order=p), [0.0, 0.0], [0, 0])
      for p in (0.5, 1, 1.5, 3, np.inf)],
    ("norm of order 3", lambda x: ops.norm(x, order=3), [0.0, -2.0], [0, -1]),
]


def powers(b):
    return lambda x: x ** Tensor(np.full(x.shape, b, x.dtype))


TABLE += [
    ("x ** 0, anywhere", lambda x: x ** 0, [0.0, np.inf, -np.inf, np.nan, -2.0], [0] * 5),
    ("x ** Tensor(0)", powers(0.0), [0.0, -0.0, np.inf, -np.inf, np.nan, 2.0, -2.0], [0] * 7),
    ("x ** Tensor(1)", powers(1.0), [0.0, -3.0], [1, 1]),
    ("x ** Tensor(2)", powers(2.0), [0.0, -3.0, np.inf], [0, -6, np.inf]),
    ("0 ** b at 0 and above", lambda b: Tensor(np.zeros(3, b.dtype)) ** b, [0.0, 0.5, 3.0], [0, 0, 0]),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, function, at, wanted", TABLE, ids=[row[0] for row in TABLE])
def test_derivatives_at_kinks_and_ties(name, function, at, wanted, dtype):
    leaf = tensor(np.array(at, dtype if "huge" not in name else np.float64), requires_grad=True)
    y = function(leaf)
    y.backward(np.ones(y.shape))
    assert leaf.grad.tolist() == np.array(wanted, leaf.dtype).tolist()


def test_the_root_at_zero():
    leaf = tensor([0.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        leaf.sqrt().sum().backward()
    assert leaf.grad[0] == np.inf


def test_a_tie_of_two_leaves_and_of_a_leaf_with_itself():
    a, b = tensor(2.0, requires_grad=True), tensor(2.0, requires_grad=True)
    ops.maximum(a, b).backward()
    assert a.grad == b.grad == 0.5
    a.grad = None
    ops.maximum(a, a).backward()
    assert a.grad == 1


def test_extremes_pass_nan_on_to_both():
    a = tensor(np.array([np.nan, 1.0]), requires_grad=True)
    b = tensor(np.array([1.0, np.nan]), requires_grad=True)
    ops.maximum(a, b).sum().backward()
    assert np.isnan(a.grad).all() and np.isnan(b.grad).all()


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "gelu", "elu", "erf", "relu", "exp", "expm1"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out_nothing_overflows(name, dtype):
    at = np.array([-1e4, -700, -80, 80] + ([] if name.startswith("exp") else [700, 1e4]), dtype)
    leaf = tensor(at, requires_grad=True)
    y = getattr(ops, name)(leaf)
    y.sum().backward()
    assert np.isfinite(y.data).all() and np.isfinite(leaf.grad).all()


@pytest.mark.parametrize("name", ["elu", "expm1", "gelu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_left_of_a_negative_tail_has_all_its_digits(name, dtype):
    """Not 1 + (a number near -1), which was 0 from -17 on in float32: relative errors, of the derivative too."""
    at = np.array([-85, -30, -12, -9, -6, -4, -3, -2, -1.2, -0.3, -1e-3, 1e-3, 0.4, 3], dtype)
    at = at[at >= -12] if name == "gelu" else at
    leaf, x = tensor(at, requires_grad=True), at.astype(float)
    y = getattr(ops, name)(leaf)
    d = grad(y.sum(), leaf, create_graph=True)
    tail, density = special.ndtr(x), np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    right = {"elu": [np.where(x > 0, x, np.expm1(x)), np.where(x > 0, 1, np.exp(x)), np.where(x > 0, 0, np.exp(x))],
             "expm1": [np.expm1(x), np.exp(x), np.exp(x)],
             "gelu": [x * tail, tail + x * density, (2 - x * x) * density]}[name]
    for mine, wanted in zip((y, d, grad(d.sum(), leaf)), right):
        eps = np.finfo(dtype).eps * (2 + x * x if name == "gelu" else 2)     # x^2/2, an exponent, is rounded
        np.testing.assert_array_less(abs(mine.data - wanted), 4 * eps * abs(wanted) + 1e-300)


def test_powers_of_negative_numbers_by_whole_exponents():
    for exponent in (0, 1, 2, 3, -1, -2):
        leaf = tensor(np.array([-2.0, 3.0]), requires_grad=True)
        y = leaf ** exponent
        d = grad(y.sum(), leaf, create_graph=True)
        np.testing.assert_allclose(y.data, leaf.data ** float(exponent))
        np.testing.assert_allclose(d.data, exponent * leaf.data ** float(exponent - 1))
        dd = grad(d.sum(), leaf).data if d.requires_grad else 0
        np.testing.assert_allclose(dd, exponent * (exponent - 1) * leaf.data ** float(exponent - 2))


def test_constants_that_are_not_numbers_are_refused():
    leaf = tensor([1.0], requires_grad=True)
    for call in (lambda: ops.leaky_relu(leaf, np.ones(1)), lambda: ops.elu(leaf, leaf[0]),
                 lambda: ops.clip(leaf, leaf, None)):
        with pytest.raises(ValueError, match="must be a number|no derivative"):
            call()


def test_the_gates_are_the_derivatives_they_say():
    g, y = np.array([2.0, 3.0, 5.0]), np.array([0.0, 0.3, 0.9])
    assert OPS["relu_gate"](g, y).tolist() == [0, 3, 5]
    np.testing.assert_allclose(OPS["sigmoid_gate"](g, y), g * y * (1 - y), rtol=1e-15)
    np.testing.assert_allclose(OPS["tanh_gate"](g, y), g * (1 - y * y), rtol=1e-15)
    assert math.isclose(ops.sigmoid(Tensor(np.array(0.0))).item(), 0.5)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_have_pytorchs_derivatives_at_every_pair_of_special_values(dtype):
    torch = pytest.importorskip("torch")
    special_values = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, np.inf, -np.inf, np.nan], dtype)
    at = [a.ravel().copy() for a in np.meshgrid(special_values, special_values)]
    ours, theirs = [tensor(a, requires_grad=True) for a in at], [torch.tensor(a, requires_grad=True) for a in at]
    (ours[0] ** ours[1]).backward(np.ones(at[0].shape))
    (theirs[0] ** theirs[1]).backward(torch.ones(at[0].size, dtype=theirs[0].dtype))
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine.grad, other.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("b", [0.0, 1.0, 2.0])
def test_second_derivatives_of_powers_at_zero_exponents_and_bases(b):
    """d2/dx2 x^b = b (b - 1) x^(b - 2) and d2/dx db x^b = x^(b - 1) (1 + b log x), at b = 0 too."""
    x, e = tensor(np.array([0.7, 2.0]), requires_grad=True), tensor(np.full(2, b), requires_grad=True)
    g = grad((x ** e).sum(), x, create_graph=True)
    xx, xe = grad(g.sum(), [x, e])
    np.testing.assert_allclose(xx.data, b * (b - 1) * x.data ** (b - 2), rtol=1e-14)
    np.testing.assert_allclose(xe.data, x.data ** (b - 1) * (1 + b * np.log(x.data)), rtol=1e-14)


def test_nan_passes_through_clip_both_ways():
    leaf = tensor(np.array([np.nan, 5.0, 0.5]), requires_grad=True)
    y = ops.clip(leaf, 0.0, 1.0)
    y.backward(np.array([2.0, 3.0, 4.0]))
    assert np.isnan(y.data[0]) and y.data[1:].tolist() == [1, 0.5] and leaf.grad.tolist() == [2, 0, 4]
