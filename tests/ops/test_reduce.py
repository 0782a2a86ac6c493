"""Reductions against NumPy and SciPy, over every kind of axis, also of nothing and of huge numbers."""
import numpy as np
import pytest
from scipy import special

from minigrad import ops
from minigrad.core import tensor

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
