"""NumPy's functions called with a Tensor: the op of that name, or a sentence that says what to use."""
import re

import numpy as np
import pytest

from minigrad import Tensor, ops, tensor
from minigrad.ops import from_numpy
from minigrad.testing import gradcheck, gradgradcheck

A = np.random.default_rng(0).uniform(0.2, 0.9, (3, 3))
B = np.random.default_rng(1).uniform(0.2, 0.9, (3, 3)) + 0.05


@pytest.fixture
def x():
    return tensor(A, requires_grad=True)


@pytest.mark.parametrize("ufunc", from_numpy.UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_a_ufunc_is_the_op_of_its_name(ufunc):
    arrays = [A + 1 if ufunc is np.arccosh else A, B][:ufunc.nin]
    gradcheck(ufunc, *arrays)
    gradgradcheck(ufunc, *arrays)
    y = ufunc(*[Tensor(a) for a in arrays])
    assert isinstance(y, Tensor)
    np.testing.assert_allclose(y.data, ufunc(*arrays), rtol=1e-14)
    if ufunc.nin == 2:
        gradcheck(lambda t: ufunc(B, t), A)                     # an array in front
        gradcheck(lambda t: ufunc(t, B), A)


def test_all_ops_that_numpy_has_as_ufuncs_are_found_there():
    missing = [name for name in vars(ops) if isinstance(getattr(np, name, None), np.ufunc)
               and getattr(np, name) not in from_numpy.UFUNCS]
    assert not missing


# function of numpy's, its arguments after the Tensor
CALLS = [
    (np.sum, {}), (np.sum, dict(axis=0, keepdims=True)), (np.prod, dict(axis=1)), (np.mean, dict(axis=(0, 1))),
    (np.max, dict(axis=0)), (np.min, {}), (np.amax, {}), (np.amin, dict(axis=1)), (np.var, dict(ddof=1)),
    (np.std, dict(axis=0)), (np.linalg.norm, {}), (np.linalg.norm, dict(axis=1)), (np.cumsum, dict(axis=1)),
    (np.cumsum, {}), (np.reshape, dict(shape=(9,))), (np.transpose, {}), (np.transpose, dict(axes=(1, 0))),
    (np.ravel, {}), (np.squeeze, {}), (np.expand_dims, dict(axis=0)), (np.broadcast_to, dict(shape=(2, 3, 3))),
    (np.flip, {}), (np.flip, dict(axis=1)), (np.roll, dict(shift=1, axis=0)), (np.repeat, dict(repeats=2, axis=1)),
    (np.tile, dict(reps=(2, 1))), (np.diag, {}), (np.diag, dict(k=1)), (np.trace, dict(offset=-1)), (np.tril, {}),
    (np.triu, dict(k=1)), (np.clip, dict(a_min=0.1, a_max=0.95)), (np.pad, dict(pad_width=1)),
    (np.swapaxes, dict(axis1=0, axis2=1)),
    (np.sort, {}), (np.sort, dict(axis=0)), (np.cumprod, dict(axis=1)), (np.cumprod, {}), (np.diff, dict(n=2, axis=0)),
    (np.moveaxis, dict(source=0, destination=1)), (np.vstack, {}), (np.hstack, {}), (np.sum, dict(dtype=np.float64)),
    (np.linalg.norm, dict(ord=3, axis=0)), (np.linalg.norm, dict(ord="fro")),
    (np.linalg.norm, dict(ord=1)), (np.linalg.norm, dict(ord=-1, keepdims=True)), (np.linalg.norm, dict(ord=np.inf)),
    (np.linalg.norm, dict(ord=-np.inf, axis=(1, 0))), (np.linalg.norm, dict(ord=1, axis=(-1, -2))),
    (np.linalg.vector_norm, dict(ord=1)),
    (np.take_along_axis, dict(indices=np.array([[0, 2, 1]]), axis=0)),
]


@pytest.mark.parametrize(("function", "options"), CALLS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_function_is_the_op_of_its_name(function, options):
    if function is np.pad:
        wanted, ours = np.pad(A, 1), lambda t: np.pad(t, 1)
    else:
        wanted, ours = function(A, **options), lambda t: function(t, **options)
    gradcheck(ours, A)
    gradgradcheck(ours, A)
    y = ours(Tensor(A))
    assert isinstance(y, Tensor) and y.shape == np.shape(wanted)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-14)
    if function is not np.pad:                                 # and with its arguments in NumPy's order
        np.testing.assert_array_equal(ours(tensor(A, requires_grad=True)).data, y.data)


def test_functions_of_several_arrays():
    for function in (lambda a, b: np.concatenate([a, b], axis=1), lambda a, b: np.concatenate((a, A)),
                     lambda a, b: np.stack([a, b]), lambda a, b: np.stack([A, b], axis=-1),
                     lambda a, b: np.where(A > 0.5, a, b), lambda a, b: np.dot(a, b), lambda a, b: np.dot(a[0], B),
                     lambda a, b: np.dot(2.0, a), lambda a, b: np.outer(a[0], b[1]),
                     lambda a, b: np.einsum("ij,jk->ik", a, b), lambda a, b: np.split(a, 3, axis=1)[1],
                     lambda a, b: np.split(a, [1])[1],
                     lambda a, b: np.vstack([a, b]), lambda a, b: np.hstack([A, b]),
                     lambda a, b: np.tensordot(a, b, 1), lambda a, b: np.linspace(a, B, num=4)):
        gradcheck(function, A, B)
        np.testing.assert_allclose(function(Tensor(A), Tensor(B)).data, function(A, B), rtol=1e-14)
    assert np.argmax(Tensor(A)).item() == np.argmax(A)
    np.testing.assert_array_equal(np.argmin(Tensor(A), axis=1).data, np.argmin(A, axis=1))
    np.testing.assert_array_equal(np.where(Tensor(A) > 0.5), np.where(A > 0.5))


# --------------------------------------------------------------------------------------------------- an array in front

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("left", [A, A.astype(np.float32), A[0], np.float32(0.5), np.float64(0.3), np.array(0.3),
                                  A > 0.5, (9 * A).astype(int), A[::-1], A.T, A[:, :1]],
                         ids=lambda a: f"{a.dtype}{a.shape}")
def test_an_array_in_front_gives_what_a_tensor_in_front_would(left, dtype):
    """As if Tensor.__rmul__ and its like had been called: values, dtype and gradients."""
    for apply in (lambda a, t: a + t, lambda a, t: a - t, lambda a, t: a * t, lambda a, t: a / t, lambda a, t: a ** t,
                  lambda a, t: a @ t if np.shape(a)[-1:] == (3,) else a * t):
        one, other = (tensor(B.astype(dtype), requires_grad=True) for _ in range(2))
        y, z = apply(left, one), apply(Tensor(np.asarray(left)), other) if np.ndim(left) else apply(float(left), other)
        assert isinstance(y, Tensor) and y.requires_grad
        wide = dtype == np.float64 or np.ndim(left) > 0 and left.dtype == np.float64
        assert y.dtype == (np.float64 if wide else np.float32) and one.grad is None
        np.testing.assert_allclose(y.data, z.data, rtol=1e-6)
        y.sum().backward()
        z.sum().backward()
        assert one.grad.dtype == dtype
        np.testing.assert_allclose(one.grad, other.grad, rtol=2e-6)


def test_comparisons_with_an_array_in_front_are_tensors_of_truth_values(x):
    b = B.view()
    for y, wanted in ((b < x, B < A), (b >= x, B >= A), (b == x, B == A), (np.isnan(x), np.isnan(A)),
                      (np.logical_not(x > 0.5), ~(A > 0.5)), ((B > 0.5) & (x > 0.5), (B > 0.5) & (A > 0.5)),
                      ((B > 0.5) | (x > 0.5), (B > 0.5) | (A > 0.5)), (np.invert(x > 0.5), ~(A > 0.5))):
        assert isinstance(y, Tensor) and y.dtype == bool and not y.requires_grad
        np.testing.assert_array_equal(y.data, wanted)
    with pytest.raises(ValueError, match="and: wanted truth values"):
        (9 * A).astype(int) & (x > 0.5)


# -------------------------------------------------------------------------------------------------------------- refused

@pytest.mark.parametrize(("call", "message"), [
    (lambda x: np.cbrt(x), "np.cbrt of a Tensor is not differentiable; use .data for the values"),
    (lambda x: np.reciprocal(x), "np.reciprocal of a Tensor is not differentiable; use .data for the values, or 1 / x"),
    (lambda x: np.float_power(x, 2), "or a ** b"),
    (lambda x: np.fmod(B, x), "np.fmod of a Tensor is not differentiable"),
    (lambda x: np.add.reduce(x), "np.add.reduce of a Tensor is not differentiable; use .data for the values, or "
                                 "ops.sum(x, axis=0)"),
    (lambda x: np.exp(x, out=np.empty((3, 3))), "np.exp of a Tensor takes no out= and changes no array in place "
                                                "(a += x); use .data for the values, or a = a + x, ops.exp(...)"),
    (lambda x: np.add(x, x, where=A > 0.5), "np.add of a Tensor takes no where="),
    (lambda x: B.copy().__iadd__(x), "np.add of a Tensor takes no out= and changes no array in place (a += x)"),
    (lambda x: np.exp(A, out=x), "np.exp: out= must be an array, not a Tensor; write x = ops.exp(...)"),
    (lambda x: np.median(x), "np.median of a Tensor is not differentiable; use .data for the values"),
    (lambda x: np.linalg.inv(x), "np.linalg.inv of a Tensor is not differentiable"),
    (lambda x: np.column_stack([A, x]), "np.column_stack of a Tensor is not differentiable; use .data for the values, "
                                        "or ops.stack(xs, axis=1) of vectors"),
    (lambda x: np.max(x, initial=1.0), "np.max of a Tensor takes axis, keepdims; not initial="),
    (lambda x: np.sum(x, where=A > 0.5), "np.sum of a Tensor takes axis, keepdims, dtype; not where="),
    (lambda x: np.linalg.norm(x, 2), "np.linalg.norm of a Tensor: a matrix has ord 1, -1, inf, -inf and 'fro', not 2"),
    (lambda x: np.pad(x, 1, mode="mean"), "np.pad of a Tensor pads with a constant or itself, not mode='mean'"),
    (lambda x: np.dot(x[None], x), "np.dot of a Tensor takes vectors and matrices, got shapes (1, 3, 3) and (3, 3)"),
])
def test_what_is_no_op_is_refused_with_what_to_use(call, message, x):
    with pytest.raises(TypeError, match=re.escape(message)):
        call(x)
    assert x.grad is None


def test_without_history_it_is_the_values():
    c = Tensor(A)
    np.testing.assert_array_equal(np.cbrt(c), np.cbrt(A))
    np.testing.assert_array_equal(np.median(c, axis=0), np.median(A, axis=0))
    np.testing.assert_array_equal(np.column_stack([c, B]), np.column_stack([A, B]))
    np.testing.assert_array_equal(np.add.reduce(c), A.sum(axis=0))
    out = B.copy()
    out += c
    np.testing.assert_array_equal(out, A + B)


def test_shapes_and_truth_values_need_no_history(x):
    assert np.shape(x) == (3, 3) and np.ndim(x) == 2 and np.size(x) == 9
    assert np.allclose(x, A) and np.array_equal(x, A) and not np.any(x > 1) and np.all(x > 0)
    zeros = np.zeros_like(x)
    assert isinstance(zeros, np.ndarray) and zeros.shape == (3, 3) and not zeros.any()
    assert np.count_nonzero(x) == 9 and (np.argsort(x, axis=0) == np.argsort(A, axis=0)).all()


def test_out_of_numpys_positional_order(x):
    np.testing.assert_array_equal(np.sum(x, 0).data, np.sum(A, 0))
    np.testing.assert_array_equal(np.sum(x, 0, None, None, True).data, np.sum(A, 0, None, None, True))
    np.testing.assert_array_equal(np.clip(x, 0.3, 0.5).data, np.clip(A, 0.3, 0.5))
    np.testing.assert_array_equal(np.reshape(x, (1, 9)).data, A.reshape(1, 9))
