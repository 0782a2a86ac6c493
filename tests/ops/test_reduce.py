"""Reductions against NumPy and SciPy, over every kind of axis, also of nothing and of huge numbers."""
import numpy as np
import pytest
from scipy import special

from minigrad import nn, ops
from minigrad.core import Tensor, grad, tensor

x = np.random.default_rng(0).standard_normal((2, 3, 4))
AXES = [None, 0, 1, -1, (0,), (0, 2), (-1, 0), (0, 1, 2), ()]
REFERENCES = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "var": np.var, "std": np.std,
              "logsumexp": special.logsumexp,
              "norm": lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_values(name, axis, keepdims):
    if axis == () and name in ("var", "std", "logsumexp"):
        return                                            # one element each: nothing to reduce
    y = getattr(ops, name)(tensor(x), axis, keepdims)
    wanted = REFERENCES[name](x, axis=axis, keepdims=keepdims)
    assert y.shape == np.shape(wanted)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-13)


def test_lists_are_axes_too_and_ddof():
    assert ops.sum(tensor(x), [0, 1]).shape == (4,)
    np.testing.assert_allclose(ops.var(tensor(x), 0, ddof=1).data, x.var(0, ddof=1))


def test_methods_are_these_functions():
    t = tensor(x)
    for name in ("sum", "mean", "max", "min", "var", "std", "norm", "logsumexp"):
        assert np.array_equal(getattr(t, name)(1).data, getattr(ops, name)(t, 1).data)


def test_indices_of_the_extremes():
    t = tensor(x)
    for axis in (None, 0, -1):
        assert np.array_equal(t.argmax(axis).data, x.argmax(axis)) and np.array_equal(t.argmin(axis).data,
                                                                                      x.argmin(axis))
    assert not t.argmax().requires_grad


def test_a_large_mean_does_no_harm_to_the_variance():
    values = (np.arange(5) + 1e4).astype(np.float32)
    np.testing.assert_allclose(ops.var(tensor(values)).data, 2.0, rtol=1e-6)


def test_norms_and_logarithms_of_huge_and_tiny_numbers():
    assert ops.norm(tensor(np.array([3e200, 4e200]))).item() == pytest.approx(5e200, rel=1e-15)
    assert ops.norm(tensor(np.array([3e-200, 4e-200]))).item() == pytest.approx(5e-200, rel=1e-15)
    assert ops.logsumexp(tensor(np.array([1e300, 1e300]))).item() == 1e300
    for values in ([1e4, 1e4], [-1e4, -1e4], [1e4, -1e4]):
        leaf = tensor(np.array(values), requires_grad=True)
        y = ops.logsumexp(leaf)
        y.backward()
        assert y.item() == pytest.approx(special.logsumexp(values)) and leaf.grad.sum() == pytest.approx(1)


def test_what_cannot_be_reduced_is_refused():
    empty = tensor(np.zeros((0, 3)))
    for call in (empty.mean, empty.max, empty.min, empty.var, empty.logsumexp, lambda: empty.max(0),
                 lambda: tensor(x).var((), ddof=1)):
        with pytest.raises(ValueError, match="no elements|too few"):
            call()
    assert empty.sum().item() == 0 and empty.norm().item() == 0 and empty.max(1).shape == (0,)


def test_ties_over_several_axes_share_equally():
    leaf = tensor(np.array([[1.0, 5.0], [5.0, 5.0]]), requires_grad=True)
    leaf.max().backward()
    np.testing.assert_allclose(leaf.grad, [[0, 1 / 3], [1 / 3, 1 / 3]])


# ------------------------------------------------------------------------------------------------------ prod and cumsum

X = np.random.default_rng(3).standard_normal((3, 5, 2))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1, 0), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_prod_is_numpys(axis, keepdims):
    wanted = np.prod(X, axis=axis, keepdims=keepdims)
    y = ops.prod(Tensor(X), axis, keepdims)
    assert y.shape == wanted.shape
    np.testing.assert_allclose(y.data, wanted, rtol=1e-14)
    np.testing.assert_array_equal(ops.prod(X, axis, keepdims), y.data)
    np.testing.assert_array_equal(ops.prod(X.tolist(), axis, keepdims), y.data)


def test_prod_of_nothing_is_one_and_of_integers_an_integer():
    assert ops.prod(Tensor(np.ones((2, 0), np.float32)), 1).data.tolist() == [1, 1]
    assert ops.prod(Tensor(np.ones((0, 2))), 1).shape == (0,)
    assert ops.prod(Tensor(np.arange(1, 6))).data == 120


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_prod_is_right_to_third_order_where_factors_are_zero(zeros):
    """d^k/dx_a dx_b ... is the product of the factors left out by none of them: known exactly, zeros or not."""
    values = np.array([1.5, -2.0, 0.5, 3.0, -1.25])
    values[:zeros] = 0
    x = tensor(values, requires_grad=True)

    def others(*left_out):
        return np.prod(np.delete(values, left_out)) if len(set(left_out)) == len(left_out) else 0.0

    g = grad(x.prod(), x, create_graph=True)
    for i in range(5):
        assert g.data[i] == pytest.approx(others(i), abs=1e-15)
        h = grad(g[i], x, create_graph=True)
        for j in range(5):
            assert h.data[j] == pytest.approx(others(i, j), abs=1e-15)
            third = grad(h[j], x, retain_graph=True)
            np.testing.assert_allclose(third.data, [others(i, j, k) for k in range(5)], atol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_cumsum_is_numpys_and_its_gradient_counts_from_the_end(axis):
    np.testing.assert_array_equal(ops.cumsum(X, axis), np.cumsum(X, axis))
    x = tensor(X, requires_grad=True)
    y = x.cumsum(axis)
    np.testing.assert_array_equal(y.data, np.cumsum(X, axis))
    y.sum().backward()
    n = X.size if axis is None else X.shape[axis]
    counts = np.arange(n, 0, -1.0)
    wanted = counts.reshape(X.shape) if axis is None else np.moveaxis(np.broadcast_to(
        counts, (*np.delete(X.shape, axis), n)), -1, axis)
    np.testing.assert_array_equal(x.grad, wanted)


# ---- logsumexp far out (S22)

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e4, 3e7, 1e30, -1e4, -3e7])
def test_the_gradient_of_logsumexp_is_the_softmax_of_x_however_large_x_is(size, dtype):
    """exp(x - y) would be off by exp(the rounding of y): 0.49989 at 1e4 and 1 at 3e7, in float32."""
    x = tensor(np.full((3, 2), size, dtype), requires_grad=True)
    ops.logsumexp(x, axis=1).sum().backward()
    assert (x.grad == 0.5).all()
    near = np.array([size, size - 4, size + 2], dtype)
    x = tensor(near, requires_grad=True)
    ops.logsumexp(x).backward()
    np.testing.assert_allclose(x.grad, special.softmax(near.astype(np.float64)), rtol=1e-6)
    assert x.grad.sum() == pytest.approx(1, rel=3e-7)


def test_logsumexp_of_infinities_as_documented():
    x = tensor([[-np.inf, -np.inf], [-np.inf, 1.0]], dtype=np.float64, requires_grad=True)
    y = ops.logsumexp(x, axis=1)
    y.sum().backward()
    assert y.data.tolist() == [-np.inf, 1] and x.grad.tolist() == [[0, 0], [0, 1]]


# ---- NaN is never swallowed

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("axis", [None, 1])
def test_nan_reaches_the_gradient_of_max_and_min_where_it_stands_and_nowhere_else(name, axis, dtype):
    values = np.array([[1.0, np.nan, 3.0], [4.0, 2.0, 4.0]], dtype)
    x = tensor(values, requires_grad=True)
    y = getattr(ops, name)(x, axis=axis)
    y.sum().backward()
    assert np.isnan(np.ravel(y.data)[0])
    assert (np.isnan(x.grad) == np.isnan(values)).all()
    if axis == 1:
        assert x.grad[1].tolist() == ([0.5, 0, 0.5] if name == "max" else [0, 1, 0])
    assert x.grad[0, 0] == x.grad[0, 2] == 0


@pytest.mark.parametrize("values, wanted", [([np.inf, 1.0], np.inf), ([-np.inf, np.inf], np.inf), ([3e38, 4e38], 5e38),
                                            ([3e-320, 4e-320], 5e-320)])
def test_the_norm_neither_overflows_nor_loses_an_infinity(values, wanted):
    assert ops.norm(Tensor(np.array(values))).item() == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("order", [1, 1.5, 2, 3])
def test_the_second_derivative_of_a_norm_at_zero_is_zero(order):
    """That of the derivative there, 0. (Of order 2 it was the identity, as if |x| were 1.)"""
    x = tensor(np.array([[0.0, 0.0], [3.0, 4.0]]), requires_grad=True)
    first = grad(ops.norm(x, axis=1, order=order).sum(), x, create_graph=True)
    np.testing.assert_array_equal(first.data[0], 0)
    second = grad((first * np.array([1.0, 2.0])).sum(), x).data
    np.testing.assert_array_equal(second[0], 0)
    if order == 2:                                               # (I - x x' / 25) (1, 2) / 5
        np.testing.assert_allclose(second[1], (np.array([1, 2]) - np.array([3, 4]) * 11 / 25) / 5, rtol=1e-14)


@pytest.mark.parametrize("shape, axes", [
    ((300_000, 3), (0,)), ((3, 100_001, 2), (1,)), ((70, 80, 90, 2), (0, 1, 2)),
    ((100_000, 3, 3), (0, 2)), ((2570, 5), 0)])
def test_long_sums_of_float32_keep_their_digits_along_every_axis(shape, axes):
    """Row added to row, NumPy's sum of 300,000 rows of 0.1 is off by 1e-3, of a million by 1e-2."""
    t = tensor(np.full(shape, 0.1, np.float32), requires_grad=True)
    exact = t.data.astype(np.float64).sum(axis=axes)
    count = t.size / exact.size
    for keepdims in (False, True):
        y = ops.sum(t, axes, keepdims)
        assert y.dtype == np.float32 and y.shape == t.data.sum(axis=axes, keepdims=keepdims).shape
        np.testing.assert_allclose(y.data.reshape(exact.shape), exact, rtol=1e-5)
    np.testing.assert_allclose(ops.mean(t, axes).data, exact / count, rtol=1e-5)
    np.testing.assert_allclose(ops.norm(t, axes).data, np.sqrt(exact * 0.1), rtol=1e-5)
    np.testing.assert_allclose(ops.logsumexp(t, axes).data, 0.1 + np.log(count), rtol=1e-5)
    if axes != 0:
        backwards = tensor(t.data.T, requires_grad=True)                        # any layout
        flipped = tuple(len(shape) - 1 - axis for axis in axes)
        np.testing.assert_allclose(ops.sum(backwards, flipped).data, exact.T, rtol=1e-5)


@pytest.mark.parametrize("layer, shape", [
    (nn.Linear(2, 3, rng=0), (300_000, 2)), (nn.Conv2d(2, 3, 1, rng=0), (3, 300, 330, 2)),
    (nn.Linear(2, 40, rng=0), (200_000, 2)), (nn.Conv2d(2, 40, 1, rng=0), (2, 300, 330, 2))],
    ids=["linear", "conv2d", "linear with vectors", "conv2d with vectors"])
def test_the_gradient_of_a_bias_keeps_its_digits_in_a_large_batch(layer, shape):
    y = layer(Tensor(np.ones(shape, np.float32)))
    g = np.full(y.shape, 0.1, np.float32)
    exact = g.astype(np.float64).sum(axis=tuple(range(g.ndim - 1)))
    for times in (1, 2):                                                        # stored, then added to
        y.backward(g, retain_graph=True)
        np.testing.assert_allclose(layer.b.grad, times * exact, rtol=1e-5)
    b = tensor(np.zeros(y.shape[-1], np.float32), requires_grad=True)           # broadcasting undone by the engine
    (Tensor(np.zeros(y.shape, np.float32)) + b).backward(g)
    np.testing.assert_allclose(b.grad, exact, rtol=1e-5)
