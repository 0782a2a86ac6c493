"""Elements of an axis in order: sorted, the largest first, or one after the other. sort, argsort, topk, cumprod, diff.

Where an element goes has no derivative, that it goes there has: sorting is indexing once the order is known. Equal
elements keep their order; NaN counts as the largest, as in NumPy.
"""
from __future__ import annotations

import numpy as np

from minigrad.arguments import count, flag
from minigrad.core import Tensor, data_of, primitive, shape_of
from minigrad.ops.shape import concatenate, flip, getitem, is_number_along, moveaxis, one_axis, pad, reshape
from minigrad.typing import DType, TensorLike, X

# -------------------------------------------------------------------------------------------------------------- sorting


def take_along_axis(x: X, index: TensorLike, axis: int = -1) -> X:
    """y[..., i, ...] = x[..., index[..., i, ...], ...]: index has as many axes as x; all but `axis` broadcast."""
    axis, index, ndim = one_axis("take_along_axis", x, axis), np.asarray(data_of(index)), len(shape_of(x))
    if index.ndim != ndim or index.dtype.kind not in "iu":
        raise ValueError(f"take_along_axis: index must hold integers and have the {ndim} axes of x, got {index.dtype} "
                         f"of shape {index.shape} for shape {shape_of(x)}")
    grid = [np.arange(n).reshape((-1,) + (1,) * (ndim - 1 - i)) for i, n in enumerate(shape_of(x))]
    return getitem(x, (*grid[:axis], index, *grid[axis + 1:]))


def _order(name, x, axis, descending):
    """The order along an axis, stable, integers of the shape of x."""
    values = np.asarray(data_of(x))
    if not flag(name, "descending", descending):
        return np.argsort(values, axis, kind="stable")
    backwards = np.argsort(np.flip(values, axis), axis, kind="stable")       # equal ones in the opposite order, ...
    return values.shape[axis] - 1 - np.flip(backwards, axis)                 # ... which is turned round again


def _with_an_axis(x, axis):
    """x and an axis; for None the flattened x and its only one; a number with axis 0 as a vector of one."""
    if axis is None or is_number_along(x, axis):
        return reshape(x if isinstance(x, Tensor) else np.asarray(x), (-1,)), 0
    return x, axis


def _without_added_axis(x, axis, y):
    """What was computed of `_with_an_axis(x, axis)`, without axes again if x has none."""
    return reshape(y, ()) if is_number_along(x, axis) else y


def argsort(x: X, axis: int | None = -1, descending: bool = False) -> X:
    """Where the elements of a sorted x come from, along an axis (None: of the flattened x). Integers, no gradient."""
    flat, along = _with_an_axis(x, axis)
    order = _order("argsort", flat, one_axis("argsort", flat, along), descending)
    return _without_added_axis(x, axis, Tensor(order) if isinstance(x, Tensor) else order)


def sort(x: X, axis: int | None = -1, descending: bool = False) -> X:
    """x with its elements in order along an axis (None: of the flattened x).

    Differs: PyTorch's returns the order too, which is `argsort`.
    """
    flat, along = _with_an_axis(x, axis)
    along = one_axis("sort", flat, along)
    return _without_added_axis(x, axis, take_along_axis(flat, _order("sort", flat, along, descending), along))


def topk(x: X, k: int, axis: int | None = -1, largest: bool = True) -> tuple[X, X]:
    """The k largest elements along an axis, in descending order, and where they are: (values, integers).

    largest=False: the smallest, in ascending order.
    """
    flat, along = _with_an_axis(x, axis)
    along = one_axis("topk", flat, along)
    k = count("topk", "k", k, 0, shape_of(flat)[along])
    order = _order("topk", flat, along, flag("topk", "largest", largest))
    order = order[(slice(None),) * along + (slice(k),)]
    values, places = take_along_axis(flat, order, along), Tensor(order) if isinstance(x, Tensor) else order
    return (_without_added_axis(x, axis, values), _without_added_axis(x, axis, places)) if k else (values, places)


# ------------------------------------------------------------------------------------------------- one after the other

def cumprod(x: X, axis: int | None = None, dtype: DType | None = None) -> X:
    """Running products along an axis (None: of the flattened x): y_i = x_1 ... x_i. The same shape.

    dtype: that x is converted to first.
    """
    x = x if isinstance(x, Tensor) else np.asarray(x)
    x = x if dtype is None else x.astype(dtype)
    flat, along = _with_an_axis(x, axis)
    along = one_axis("cumprod", flat, along)
    return _without_added_axis(x, axis, moveaxis(_cumprod(moveaxis(flat, along, 0)), 0, along))


@primitive
def _cumprod(x):
    """x (n, ...): y_i = x_0 ... x_i."""
    return np.multiply.accumulate(x, 0)


def _cumprod_x(g, y, x):
    """dJ/dx_i = (x_0 ... x_{i-1}) h_i, where h_i = g_i + x_{i+1} h_{i+1}: no division, so right where factors are 0."""
    before = concatenate([y[:1] * 0 + 1, y[:-1]]) if len(data_of(x)) else y
    return before * _recurrence_from_behind(x, g)


_cumprod.vjps(_cumprod_x)


@primitive
def _recurrence(a, b):
    """h_0 = b_0, h_i = a_i h_{i-1} + b_i along the first axis of a and b, of one shape (a_0 has no say)."""
    h = np.array(b)
    for i in range(1, len(h)):
        h[i] += a[i] * h[i - 1]
    return h


def _recurrence_from_behind(a, g):
    """h_i = g_i + a_{i+1} h_{i+1}: the transpose of the recurrence."""
    turned = flip(a, 0)
    return flip(_recurrence(concatenate([turned[:1], turned[:-1]]), flip(g, 0)), 0)


def _recurrence_a(g, y, a, b):
    before = pad(y[:-1], [(1, 0)] + [(0, 0)] * (len(data_of(y).shape) - 1)) if len(data_of(y)) else y
    return before * _recurrence_from_behind(a, g)


_recurrence.vjps(_recurrence_a,
                 lambda g, y, a, b: _recurrence_from_behind(a, g))


def diff(x: X, n: int = 1, axis: int = -1) -> X:
    """Differences of neighbours along an axis, x_{i+1} - x_i, n times over: one element fewer each time."""
    x, n = x if isinstance(x, Tensor) else np.asarray(x), count("diff", "n", n, 0)
    along = (slice(None),) * one_axis("diff", x, axis)
    for _ in range(n):
        x = x[(*along, slice(1, None))] - x[(*along, slice(None, -1))]
    return x
