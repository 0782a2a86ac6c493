"""Products of matrices against NumPy, for every combination of ranks and layouts."""
import numpy as np
import pytest

from minigrad import ops
from minigrad.core import tensor

rng = np.random.default_rng(0)
SHAPES = [((3,), (3,)), ((3,), (3, 2)), ((4, 3), (3,)), ((4, 3), (3, 2)), ((5, 4, 3), (3, 2)), ((4, 3), (5, 3, 2)),
          ((5, 1, 4, 3), (6, 3, 2)), ((5, 4, 3), (3,)), ((3,), (5, 3, 2)), ((0, 3), (3, 2)), ((4, 0), (0, 2)),
          ((1, 1), (1, 1)),
          ((0, 4, 3), (3, 2)), ((2, 3, 0), (0, 4)), ((70, 65), (65, 33))]


def summed_to(d, shape):
    """d summed over the axes that were broadcast from `shape`."""
    d = d.sum(axis=tuple(range(d.ndim - len(shape))))
    return d.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1 != d.shape[i]), keepdims=True)


@pytest.mark.parametrize("a, b", SHAPES)
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_matmul(a, b, dtype, rtol):
    a, b = rng.standard_normal(a).astype(dtype), rng.standard_normal(b).astype(dtype)
    wanted = a @ b
    for y in (tensor(a) @ tensor(b), tensor(a) @ b, a @ tensor(b)):
        assert y.shape == wanted.shape and y.dtype == dtype
        np.testing.assert_allclose(y.data, wanted, rtol=rtol, atol=rtol)
    x, w = tensor(a, requires_grad=True), tensor(b, requires_grad=True)
    g = rng.standard_normal(wanted.shape).astype(dtype)
    (x @ w).backward(g)
    if a.ndim >= 2 and b.ndim >= 2:
        da, db = g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g
        for got, d in ((x.grad, da), (w.grad, db)):
            np.testing.assert_allclose(got, summed_to(d, got.shape), rtol=rtol, atol=10 * rtol)


def test_lists_are_matrices_too():
    x = tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (x @ [1, 1]).data.tolist() == [3, 7] and ([1, 1] @ x).data.tolist() == [4, 6]


def test_linear_over_any_leading_axes():
    w, b = rng.standard_normal((3, 2)), rng.standard_normal(2)
    for shape in ((3,), (5, 3), (4, 5, 3), (0, 3), (2, 0, 3)):
        x = rng.standard_normal(shape)
        for bias in (b, None):
            y = ops.linear(tensor(x), w, bias)
            np.testing.assert_allclose(y.data, x @ w + (0 if bias is None else bias), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(ops.linear([[1, 2, 3]], tensor(w), tensor(b)).data, [np.arange(1, 4) @ w + b])


@pytest.mark.parametrize("bias", [True, False])
def test_linear_wants_one_dtype(bias):
    w, b = tensor(np.ones((3, 2), np.float32)), tensor(np.ones(2, np.float32)) if bias else None
    with pytest.raises(ValueError, match="one dtype, got float64, float32"):
        ops.linear(tensor(np.ones((4, 3))), w, b)


@pytest.mark.parametrize("text, shapes", [
    ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("ij->", [(2, 3)]), ("ij->j", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]), ("iij->ji", [(3, 3, 2)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("i,j->ij", [(2,), (3,)]),
    ("i,ij,j->", [(2,), (2, 3), (3,)]), ("ijk,k->j", [(2, 3, 4), (4,)]), ("ij,kj->ik", [(0, 3), (2, 3)]),
    ("ba", [(2, 3)])])
def test_einsum(text, shapes):
    xs = [rng.standard_normal(shape) for shape in shapes]
    y = ops.einsum(text, *map(tensor, xs))
    np.testing.assert_allclose(y.data, np.einsum(text, *xs), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("text, count", [("ij->ii", 1), ("ij->k", 1), ("i...->i", 1), ("i1->i", 1), ("ij", 2),
                                         ("i", 1)])
def test_einsum_refuses(text, count):
    with pytest.raises(ValueError, match="einsum"):
        ops.einsum(text, *[np.ones((2, 3))] * count)


def test_outer_and_dot():
    a, b = rng.standard_normal(3), rng.standard_normal(3)
    np.testing.assert_allclose(ops.outer(tensor(a), b).data, np.outer(a, b))
    np.testing.assert_allclose(ops.dot(tensor(a), b).data, a @ b)
    for call in (lambda: ops.outer(np.ones((2, 2)), a), lambda: ops.dot(a, np.ones(2))):
        with pytest.raises(ValueError, match="wanted two vectors"):
            call()
