"""repeat, tile, roll, diag, trace, tril, triu: NumPy's values on arrays and Tensors, and what they refuse.
(Derivatives: test_registry.)"""
import re

import numpy as np
import pytest

from minigrad import ops
from minigrad.core import Tensor

X = np.arange(24.0).reshape(2, 3, 4)
CALLS = {
    "repeat": [(X, 2), (X, 0), (X, 3, 1), (X, [1, 0, 2], 1), (X, np.array([4]), -1), (5.0, 2)],
    "tile": [(X, 2), (X, (2, 1, 3)), (X, (2, 1, 1, 1)), (X[0, 0], (2, 3)), (X, ()), (X, 0), (3.0, (2, 2)),
             (X[:, :0], [2, 2])],
    "roll": [(X, 1), (X, -5), (X, 25), (X, 1, 0), (X, -1, -1), (X, 100, 1), (X[:, :0], 2, 1), (X, 0)],
    "diag": [(X[0], 0), (X[0], 2), (X[0], -1), (X[0], 9), (X[0], -9), (X[0, 0], 0), (X[0, 0], -2), (X[0, :0], 1)],
    "trace": [(X[0],), (X[0], 1), (X[0], -2), (X[0], 7)],
    "tril": [(X,), (X, 1), (X[0], -1), (X[0], 9)], "triu": [(X,), (X, 1), (X[0], -1), (X[0], -9)],
}


@pytest.mark.parametrize(("name", "args"), [(name, args) for name, calls in CALLS.items() for args in calls])
def test_values_are_numpys(name, args):
    wanted = getattr(np, name)(*args)
    x, *rest = args
    y = getattr(ops, name)(np.asarray(x), *rest)
    assert not isinstance(y, Tensor)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(getattr(ops, name)(Tensor(np.asarray(x)), *rest).data, wanted)


def test_what_is_cut_away_by_a_triangle_leaves_nothing_behind():
    """Not even NaN, in either direction: it is selected, not multiplied by 0."""
    x = Tensor(np.array([[1.0, np.nan], [2.0, np.inf]]), requires_grad=True)
    ops.tril(x, -1).sum().backward()
    np.testing.assert_array_equal(x.grad, [[0, 0], [1, 0]])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ops.repeat(X, -1), "repeat: repeats must be a count or 24 of them (axis 0 of shape (24,)), got -1"),
    (lambda: ops.repeat(X, [1, 2], 1), "repeat: repeats must be a count or 3 of them (axis 1 of shape (2, 3, 4))"),
    (lambda: ops.repeat(X, 1.5), "repeat: repeats must be a count"),
    (lambda: ops.repeat(X, 2, 3), "repeat: axis 3 is out of range for shape (2, 3, 4)"),
    (lambda: ops.tile(X, -1), "tile: repeats must be a count or one for each axis, got -1"),
    (lambda: ops.tile(X, (2, 1.0)), "tile: repeats must be a count or one for each axis, got (2, 1.0)"),
    (lambda: ops.roll(X, 0.5), "roll: shift must be an integer, got 0.5"),
    (lambda: ops.roll(X, 1, 3), "roll: axis 3 is out of range for shape (2, 3, 4)"),
    (lambda: ops.diag(X), "diag: wanted a vector or a matrix, got shape (2, 3, 4)"),
    (lambda: ops.trace(X), "trace: wanted a matrix, got shape (2, 3, 4)"),
    (lambda: ops.tril(X[0, 0]), "tril: wanted matrices (..., m, n), got shape (4,)"),
    (lambda: ops.triu(X[0, 0]), "triu: wanted matrices (..., m, n), got shape (4,)"),
    (lambda: ops.flip(X, (0, 3)), "flip: axis 3 is out of range for shape (2, 3, 4)"),
    (lambda: ops.split(X, 0), "split: axis 0 of size 2 cannot be cut into 0 equal parts"),
    (lambda: ops.split(X, 2.0), "split: axis 0 of size 2 cannot be cut into 2.0 equal parts"),
    (lambda: ops.cumsum(X, 3), "cumsum: axis 3 is out of range for shape (2, 3, 4)"),
    (lambda: ops.prod(X, (0, 0)), "prod: axis (0, 0) is repeated (shape (2, 3, 4))"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_split_and_flip_take_what_numpy_takes():
    for sections, axis in ((2, 0), (4, -1), ([1, 3], 2), ([-1], 2), ([2, 1], 2), ((0, 9), 1), (np.array([1]), 0)):
        for ours, theirs in zip(ops.split(X, sections, axis), np.split(X, sections, axis), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for axis in (None, 0, -1, (0, 2), ()):
        np.testing.assert_array_equal(ops.flip(X, axis), np.flip(X, axis))
