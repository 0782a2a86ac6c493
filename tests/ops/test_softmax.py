"""Softmax and cross-entropy against SciPy, at the ends of the range, and what labels may be."""
import numpy as np
import pytest
from scipy import special

from minigrad import ops
from minigrad.core import tensor

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 2e-6)])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_values(dtype, rtol, axis):
    x = (10 * rng.standard_normal((5, 7, 3))).astype(dtype)
    np.testing.assert_allclose(ops.softmax(tensor(x), axis).data, special.softmax(x.astype(float), axis),
                               rtol=20 * rtol)
    np.testing.assert_allclose(ops.log_softmax(tensor(x), axis).data, special.log_softmax(x.astype(float), axis),
                               rtol=20 * rtol, atol=rtol)


def test_shifting_all_logits_changes_nothing():
    x = rng.standard_normal((4, 5))
    for shift in (1e3, -1e3, 1e8):
        np.testing.assert_allclose(ops.softmax(tensor(x + shift)).data, ops.softmax(x), rtol=1e-6)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 2e-6)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e2, 1e4])
def test_cross_entropy(dtype, rtol, scale):
    x, labels = (scale * rng.standard_normal((6, 10))).astype(dtype), rng.integers(0, 10, 6)
    leaf = tensor(x, requires_grad=True)
    loss = ops.softmax_cross_entropy(leaf, labels)
    loss.backward()
    wide = x.astype(float)
    np.testing.assert_allclose(loss.data, -special.log_softmax(wide, 1)[np.arange(6), labels].mean(), rtol=5 * rtol)
    wanted = (special.softmax(wide, 1) - np.eye(10)[labels]) / 6
    np.testing.assert_allclose(leaf.grad, wanted, rtol=1e-4 if dtype == np.float32 else 1e-10, atol=rtol)


@pytest.mark.parametrize("make", [lambda y: y, lambda y: y.astype(np.int32), lambda y: y.astype(np.uint8), list, tensor,
                                  lambda y: np.repeat(y, 2)[::2]])
def test_labels_may_be_any_integers(make):
    labels, x = np.array([0, 2, 1]), rng.standard_normal((3, 4))
    assert ops.softmax_cross_entropy(tensor(x), make(labels)).data == ops.softmax_cross_entropy(tensor(x), labels).data


@pytest.mark.parametrize("labels, message", [
    (np.array([0, 1, 4]), r"\[0, 4\), got 4"), (np.array([0, -1, 1]), r"\[0, 4\), got -1"),
    (np.array([0, 1]), r"\(3, 4\) and \(2,\)"),
    (np.array([[0], [1], [2]]), r"\(3, 1\)"), (np.array([0.0, 1, 2]), "float64"),
    (np.array([True, False, True]), "bool")])
def test_labels_that_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ops.softmax_cross_entropy(tensor(np.zeros((3, 4))), labels)


def test_a_huge_wrong_class_has_a_finite_loss_and_gradient():
    leaf = tensor(np.array([[1e4, -1e4]], np.float32), requires_grad=True)
    loss = ops.softmax_cross_entropy(leaf, np.array([1]))
    loss.backward()
    assert loss.item() == 2e4 and leaf.grad.tolist() == [[1, -1]]
