"""The ops that NumPy and PyTorch both have: values, derivatives and second derivatives as PyTorch's, at ends and
infinities too, in both dtypes."""
import numpy as np
import pytest

from minigrad import Tensor, grad, ops, tensor

torch = pytest.importorskip("torch")

SPECIAL = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, -2.5, 2, 3.7, -3.2, 30, -30, np.inf, -np.inf, np.nan])
UNARY = {"tan": "tan", "sinh": "sinh", "cosh": "cosh", "arcsin": "arcsin", "arccos": "arccos", "arctan": "arctan",
         "arcsinh": "arcsinh", "arccosh": "arccosh", "arctanh": "arctanh", "log2": "log2", "log10": "log10",
         "exp2": "exp2", "floor": "floor", "ceil": "ceil", "round": "round"}


def compare(ours, theirs, *arrays, rtol=1e-12):
    """Values, gradients of sum(y y_weights), and their derivatives along a direction."""
    a = [tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a), theirs(*b)
    assert y.shape == tuple(z.shape) and str(y.dtype) == str(z.dtype).removeprefix("torch.")
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=rtol, atol=rtol)
    weights = np.random.default_rng(0).uniform(0.5, 2, y.shape).astype(y.dtype)
    first = grad(ops.sum(y * weights), a, create_graph=True)
    their_first = torch.autograd.grad((z * torch.tensor(weights)).sum(), b, create_graph=True, allow_unused=True)
    their_first = [torch.zeros_like(x) if d is None else d for x, d in zip(b, their_first)]
    for mine, other in zip(first, their_first):
        assert str(mine.dtype) == str(other.dtype).removeprefix("torch.")
        np.testing.assert_allclose(mine.data, other.detach().numpy(force=True), rtol=rtol, atol=rtol)
    return a, b, first, their_first


@pytest.mark.filterwarnings("ignore::RuntimeWarning")              # NumPy's: outside of the domain, at an end
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_one_argument(name, dtype, rtol):
    compare(getattr(ops, name), getattr(torch, UNARY[name]), SPECIAL.astype(dtype), rtol=rtol)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-14), (np.float32, 5e-7)])
@pytest.mark.parametrize("name, sign", [("arcsin", 1), ("arccos", -1), ("arctanh", 2)])
def test_second_derivatives_of_inverses_near_0_and_at_the_ends(name, sign, dtype, rtol):
    """arcsin'' = x / (1 - x^2)^(3/2): of (1 + x) - (1 - x) nothing was left near 0, and at an end it was NaN."""
    at = np.array([1e-30, -1e-10, 1e-5, 0.3, 1, -1], dtype)
    x = tensor(at, requires_grad=True)
    second = grad(grad(getattr(ops, name)(x).sum(), x, create_graph=True).sum(), x).data
    x = at[:-2].astype(float)
    np.testing.assert_allclose(second[:-2], sign * x / (1 - x * x) ** (2 if sign == 2 else 1.5), rtol=rtol)
    np.testing.assert_array_equal(second[-2:], [sign * np.inf, -sign * np.inf])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize("ours, theirs", [(ops.remainder, torch.remainder), (ops.logaddexp, torch.logaddexp)])
def test_finite_pairs(ours, theirs, dtype, rtol):
    finite = SPECIAL[np.isfinite(SPECIAL)].astype(dtype)
    compare(ours, theirs, *np.meshgrid(finite, finite[finite != 0]), rtol=rtol)


def test_quotients_are_rounded_down_and_keep_their_dtype():
    a, b = np.meshgrid(np.arange(-7, 8), [-3, -2, 2, 3])
    for dtype in (np.float32, np.float64, np.int32, np.int64):
        x, y = Tensor(a.astype(dtype)), Tensor(b.astype(dtype))
        for ours, theirs in ((x // y, a.astype(dtype) // b.astype(dtype)), (x % y, a.astype(dtype) % b.astype(dtype)),
                             (7 // y, 7 // b.astype(dtype)), (x % 3, a.astype(dtype) % 3)):
            assert isinstance(ours, Tensor) and ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours.data, theirs)


X = np.random.default_rng(1).permutation(24).reshape(2, 3, 4) * 0.25 - 2.6
ALONG = {
    "sort": (lambda x: ops.sort(x, 1), lambda x: torch.sort(x, 1)[0]),
    "sort, descending": (lambda x: ops.sort(x, descending=True), lambda x: torch.sort(x, descending=True)[0]),
    "topk": (lambda x: ops.topk(x, 2, 1)[0], lambda x: torch.topk(x, 2, 1)[0]),
    "topk, smallest": (lambda x: ops.topk(x, 2, largest=False)[0], lambda x: torch.topk(x, 2, largest=False)[0]),
    "cumprod": (lambda x: ops.cumprod(x, 1), lambda x: torch.cumprod(x, 1)),
    "cumprod with zeros": (lambda x: ops.cumprod(x * np.array([1, 0, 1, 0]), -1),
                           lambda x: torch.cumprod(x * torch.tensor([1.0, 0, 1, 0]).to(x.dtype), -1)),
    "diff": (lambda x: ops.diff(x, 2, 1), lambda x: torch.diff(x, 2, 1)),
    "moveaxis": (lambda x: ops.moveaxis(x, (0, 2), (1, 0)), lambda x: torch.moveaxis(x, (0, 2), (1, 0))),
    "vstack": (lambda x: ops.vstack([x[0], x[1]]), lambda x: torch.vstack([x[0], x[1]])),
    "hstack": (lambda x: ops.hstack([x[0], x[1]]), lambda x: torch.hstack([x[0], x[1]])),
    "take_along_axis": (lambda x: ops.take_along_axis(x, np.array([[[1, 0, 0, 3]]]), 2),
                        lambda x: torch.take_along_dim(x, torch.tensor([[[1, 0, 0, 3]]]), 2)),
    "round": (lambda x: ops.round(x, 1) * x, lambda x: torch.round(x, decimals=1) * x),
    **{f"norm {p}": (lambda x, p=p: ops.norm(x, axis=1, order=p), lambda x, p=p: torch.linalg.vector_norm(x, p, 1))
       for p in (0, 0.5, 1, 1.5, 2, 3, -1, -2.5, np.inf, -np.inf)},
    "norm of all": (lambda x: ops.norm(x, order=3, keepdims=True),
                    lambda x: torch.linalg.vector_norm(x, 3, keepdim=True)),
    "einsum, broadcast": (lambda x: ops.einsum("...ij,...j", x, x[:1, 0]),
                          lambda x: torch.einsum("...ij,...j", x, x[:1, 0])),
    "einsum, ones": (lambda x: ops.einsum("bij,bkj->ik", x[:, :, :1], x),
                     lambda x: torch.einsum("bij,bkj->ik", x[:, :, :1], x)),
}


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis(name, dtype, rtol):
    ours, theirs = ALONG[name]
    a, b, (d,), (e,) = compare(ours, theirs, X.astype(dtype), rtol=rtol)
    if d.requires_grad and e.requires_grad:
        direction = np.random.default_rng(2).standard_normal(X.shape).astype(dtype)
        mine, = grad(ops.sum(d * direction), a)
        other, = torch.autograd.grad((e * torch.tensor(direction)).sum(), b, allow_unused=True)
        wanted = np.zeros(X.shape) if other is None else other.numpy(force=True)
        np.testing.assert_allclose(np.zeros(X.shape) if mine is None else mine, wanted, rtol=20 * rtol, atol=20 * rtol)


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, -1, np.inf, -np.inf])
def test_norms_where_elements_are_zero(p):
    for row in (np.array([0.0, 1.5, -2.0, 2.0]), np.zeros(3)):
        compare(lambda x: ops.norm(x, order=p), lambda x: torch.linalg.vector_norm(x, p), row)
    for scale in (1e-200, 1e200):
        x = tensor(scale * np.array([3.0, -4.0]), requires_grad=True)
        y = ops.norm(x, order=p)
        y.backward()
        one = tensor([3.0, -4.0], dtype=np.float64, requires_grad=True)
        ops.norm(one, order=p).backward()
        np.testing.assert_allclose(y.data, (scale if p else 1) * np.linalg.norm([3.0, 4.0], p), rtol=1e-14)
        np.testing.assert_allclose(x.grad, one.grad, rtol=1e-14)
    assert p == 0 or np.isnan(ops.norm(np.array([1.0, np.nan, 0]), order=p))


def test_order_and_places_as_pytorchs_and_numpys():
    x = np.array([[2.0, np.nan, 1, 2, np.inf], [0, 0, -np.inf, 1, 0]])
    for descending in (False, True):
        values, order = torch.sort(torch.tensor(x), stable=True, descending=descending)
        np.testing.assert_array_equal(ops.argsort(x, descending=descending), order.numpy())
        np.testing.assert_array_equal(ops.sort(Tensor(x), descending=descending).data, values.numpy())
    np.testing.assert_array_equal(ops.sort(x, None), np.sort(x, None))
    values, places = ops.topk(Tensor(x), 2)
    np.testing.assert_array_equal(values.data, torch.topk(torch.tensor(x), 2)[0].numpy())
    np.testing.assert_array_equal(np.take_along_axis(x, places.data, -1), values.data)
    assert ops.argsort(Tensor(x)).dtype == np.int64
    assert Tensor(np.array([2, 1], np.uint8)).argsort().data.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtype_converts_first(dtype):
    x = tensor(X.astype(np.float32), requires_grad=True)
    for name in ("sum", "prod", "mean", "var", "std", "cumsum", "cumprod"):
        y, wanted = getattr(ops, name)(x, axis=0, dtype=dtype), getattr(np, name)(x.data.astype(dtype), axis=0)
        assert y.dtype == wanted.dtype and y.requires_grad == (dtype != np.int64)
        np.testing.assert_allclose(y.data, wanted, rtol=1e-5)
        if name != "cumprod":
            assert getattr(x, name)(axis=0, dtype=dtype).dtype == wanted.dtype
    for name in ("softmax", "log_softmax"):
        assert getattr(ops, name)(x, 1, dtype=np.float64).dtype == np.float64
    y = ops.sum(x, dtype=np.float64)
    y.backward()
    assert y.dtype == np.float64 and x.grad.dtype == np.float32 and (x.grad == 1).all()


@pytest.mark.parametrize("axis", [0, -1])
def test_an_axis_of_a_number_is_taken_as_by_pytorch(axis):
    for name in ("sum", "prod", "mean", "max", "min", "var", "std", "logsumexp", "softmax", "log_softmax", "cumsum",
                 "cumprod", "norm", "sort"):
        x = tensor(3.5, dtype=np.float64, requires_grad=True)
        y = getattr(ops, name)(x, axis=axis)
        if name in ("var", "std"):
            wanted = torch.zeros((), dtype=torch.float64)
        else:
            z = torch.tensor(3.5, dtype=torch.float64, requires_grad=True)
            wanted = getattr(torch, "amax" if name == "max" else "amin" if name == "min" else name)(z, dim=axis)
            wanted = wanted[0] if name == "sort" else wanted
        assert y.shape == () and y.item() == pytest.approx(wanted.item(), rel=1e-15)
        if name not in ("var", "std"):
            y.backward()
            wanted.backward()
            assert x.grad.item() == z.grad.item()
    number = tensor(3.5)
    assert number.argmax(axis).item() == number.argmin(axis).item() == number.argsort(axis).item() == 0
    assert [part.item() for part in number.topk(1, axis)] == [3.5, 0] and ops.flip(number, axis).item() == 3.5
    for wrong in (1, -2, False, (0, 0)):
        with pytest.raises(ValueError, match="out of range|an axis"):
            number.sum(axis=wrong)


def test_one_hot_is_pytorchs_in_floating_point():
    labels = np.array([[2, 0], [1, 1]])
    for classes in (None, 3, 5):
        wanted = torch.nn.functional.one_hot(torch.tensor(labels), -1 if classes is None else classes).numpy()
        assert ops.one_hot(labels, classes).dtype == np.float32
        np.testing.assert_array_equal(ops.one_hot(labels, classes), wanted)
        assert ops.one_hot(Tensor(labels), classes, dtype=np.int64).dtype == np.int64
    for wrong, message in ((np.array([0.5]), "must be integers"), ([-1], "must lie in"), ([3], "must lie in")):
        with pytest.raises(ValueError, match=message):
            ops.one_hot(wrong, 3)


def test_linspace_reaches_both_ends():
    for n in (0, 1, 2, 7):
        a, b = tensor(X[0], requires_grad=True), tensor(X[1], requires_grad=True)
        y = ops.linspace(a, b, n)
        np.testing.assert_allclose(y.data, np.linspace(X[0], X[1], n), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(ops.linspace(0, 1, 5), np.linspace(0, 1, 5))
    assert ops.linspace(tensor(0.0, requires_grad=True), 1.0, 5).dtype == np.float32


@pytest.mark.parametrize("text, shapes", [
    ("...i,...i->...", [(2, 3, 4), (3, 4)]), ("i...,i...", [(2, 3), (2, 1)]), ("...", [(2, 3)]),
    ("...ij,...jk", [(5, 1, 2, 3), (4, 3, 2)]), ("...,...", [(3,), ()]), ("...ii->...i", [(2, 3, 3)]),
    ("ij,jk", [(2, 1), (3, 4)]), ("ij,j,ij->i", [(1, 3), (1,), (2, 3)]), ("b...->...b", [(2, 3, 4)]),
    ("i,i,i->i", [(1,), (1,), (5,)]), ("i,i->", [(1,), (0,)])])
def test_einsum_with_dots_and_ones_is_numpys(text, shapes):
    arrays = [np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes)]
    wanted = np.einsum(text, *arrays)
    y = ops.einsum(text, *[tensor(a, requires_grad=True) for a in arrays])
    assert y.shape == wanted.shape and y.requires_grad
    np.testing.assert_allclose(y.data, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("text, shapes", [("ij,jk", [(2, 2), (3, 4)]), ("...i->i", [(2, 3)]), ("ii", [(1, 3)]),
                                          ("....i", [(2, 3)]), ("...i...", [(2, 3)]), ("...ij", [(3,)])])
def test_einsum_refuses_what_numpy_refuses(text, shapes):
    arrays = [np.ones(shape) for shape in shapes]
    with pytest.raises(ValueError, match="^einsum: "):
        ops.einsum(text, *arrays)
    with pytest.raises(ValueError):
        np.einsum(text, *arrays)
