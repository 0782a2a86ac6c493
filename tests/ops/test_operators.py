"""Methods and operators of Tensor that are more than a name for a function."""
import operator

import numpy as np
import pytest

from minigrad import Tensor, nn, ops, tensor
from minigrad.testing import gradcheck

x = tensor(np.arange(24.0, dtype=np.float32).reshape(2, 3, 4) - 10)


def test_flatten_is_numpys_and_from_an_axis_on_the_functions():
    assert x.flatten().shape == (24,) and x.flatten(1).shape == (2, 12) == ops.flatten(x).shape
    assert x.flatten(start=2).shape == (2, 3, 4)


def test_tolist_is_plain_numbers():
    assert tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]] and tensor(2.5).tolist() == 2.5


@pytest.mark.parametrize("name", ["square", "log1p", "expm1", "softmax", "log_softmax", "sign", "softplus",
                                  "prod", "cumsum", "trace"])
def test_methods_are_the_functions(name):
    values = np.random.default_rng(0).uniform(0.1, 2, (3, 4))
    assert np.array_equal(getattr(Tensor(values), name)().data, getattr(ops, name)(values))
    gradcheck(lambda t: getattr(t, name)(), values)
    if "softmax" in name:
        assert np.array_equal(getattr(Tensor(values), name)(axis=0).data, getattr(ops, name)(values, 0))


def test_truth_values_combine():
    low, high = x > -5, x < 5
    for combined, expected in ((low & high, low.data & high.data), (low | high, low.data | high.data),
                               (low ^ high, low.data ^ high.data), (~low, ~low.data),
                               (low.data & high, low.data & high.data), (low & True, low.data)):
        assert isinstance(combined, Tensor) and combined.dtype == bool and np.array_equal(combined.data, expected)
    assert np.array_equal(x[(x > -5) & (x < 5)].data, x.data[(x.data > -5) & (x.data < 5)])
    with pytest.raises(ValueError, match="and: wanted truth values .*, got float32 and bool"):
        operator.and_(x, low)
    with pytest.raises(ValueError, match="not: wanted truth values .*, got float32"):
        operator.invert(x)


def test_images_in_a_dense_layer_are_told_to_be_flattened():
    with pytest.raises(ValueError, match=r"w must be \(4, outputs\) for x \(2, 3, 4\), got w \(12, 5\); flatten"):
        nn.Linear(12, 5)(x)
    with pytest.raises(ValueError, match=r"got w \(11, 5\)$"):
        nn.Linear(11, 5)(x)


def test_methods_of_arrays_that_numpys_users_try():
    t, a = x[0], x.data[0]
    np.testing.assert_array_equal(x.ravel().data, x.data.ravel())
    np.testing.assert_array_equal(t.dot(t.T).data, a.dot(a.T))
    np.testing.assert_array_equal(t.dot(np.ones(4, np.float32)).data, a.sum(axis=1))
    np.testing.assert_array_equal(t.repeat(2, axis=1).data, a.repeat(2, axis=1))
    with pytest.raises(ValueError, match=r"dot: wanted vectors or matrices, got shapes \(2, 3, 4\) and \(4,\); use @"):
        x.dot(np.ones(4))


@pytest.mark.parametrize("name", ["all", "any"])
def test_all_and_any_are_truth_values_without_gradient(name):
    t = tensor([[1.0, 0.0], [2.0, 3.0]], requires_grad=True)
    for options in ({}, {"axis": 0}, {"axis": 1, "keepdims": True}):
        y = getattr(t, name)(**options)
        assert y.dtype == bool and not y.requires_grad
        np.testing.assert_array_equal(y.data, getattr(t.data, name)(**options))
    assert (t > 0).any() and not (t > 0).all()


def test_assignment_to_elements_is_refused_with_what_to_do():
    with pytest.raises(TypeError, match=r"elements cannot be assigned: ops.where\(mask, new, x\) makes a new Tensor"):
        x[0] = 1.0
