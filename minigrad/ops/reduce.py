"""Reductions: sum, prod, mean, max, min, var, std, logsumexp, norm; and cumsum. axis: None (all), an int or a tuple;
keepdims as NumPy. dtype: what x is converted to first.

Where several elements attain a maximum or minimum, they share the gradient equally.
"""
from __future__ import annotations

import math
from typing import Never, Protocol

import numpy as np

from minigrad.arguments import number
from minigrad.core import Tensor, data_of, primitive, shape_of, summed
from minigrad.ops.elementwise import abs, exp, floating, power, sqrt, where
from minigrad.ops.other_names import unknown
from minigrad.ops.shape import broadcast_to, distinct_axes, flip, is_number_along, one_axis, reshape, transpose
from minigrad.typing import Axes, DType, X


def _axes(name, x, axis, keepdims=False, other=None):
    """axis as a sorted tuple of non-negative ints; None stays None, all of them. other: arguments that do not exist."""
    if other:
        raise unknown(name, other)
    if keepdims.__class__ is not bool and not isinstance(keepdims, np.bool_):
        raise ValueError(f"{name}: keepdims must be True or False, got {keepdims!r:.60}; several axes are a tuple, "
                         "axis=(0, 1)")
    return None if axis is None else distinct_axes(name, x, axis)


def converted(x: X, dtype: DType | None) -> X:
    """x in another dtype: between float32 and float64 gradients follow, integers end them. None: x itself."""
    if dtype is None:
        return x
    return (x if isinstance(x, Tensor) else np.asarray(x)).astype(dtype)


def _count(x, axes):
    """How many elements are reduced to one."""
    return math.prod(shape_of(x) if axes is None else [shape_of(x)[a] for a in axes])


def _shape_with_ones(x, axes):
    """Shape of x with the reduced axes kept as 1."""
    return tuple(1 if axes is None or i in axes else n for i, n in enumerate(x.shape))


def _shape_without(x, axes):
    """Shape of x without the reduced axes."""
    return () if axes is None else tuple(n for i, n in enumerate(x.shape) if i not in axes)


def _spread(g, x, axes):
    """g, a reduction's gradient, copied back along the axes that were reduced."""
    if axes is not None:
        g = reshape(g, _shape_with_ones(x, axes))
    return broadcast_to(g, x.shape)


@primitive
def _sum(x, axes, keepdims):
    return summed(x, axes, keepdims)


_sum.vjps(lambda g, y, x, axes, keepdims: _spread(g, x, axes), None, None)


def sum(x: X, axis: Axes = None, keepdims: bool = False, **other: DType) -> X:
    """Sum over axes. The sum of nothing is 0. dtype: what x is converted to first."""
    if axis is not None or keepdims is not False or other:
        x = converted(x, other.pop("dtype", None))
        axis = _axes("sum", x, axis, keepdims, other)
    return _sum(x, axis, keepdims)


def prod(x: X, axis: Axes = None, keepdims: bool = False, dtype: DType | None = None, **other: Never) -> X:
    """Product over axes. The product of nothing is 1.

    A tree of products, halves by halves: no division, so derivatives of every order are right where factors are 0.
    """
    x = converted(x if isinstance(x, Tensor) else np.asarray(x), dtype)
    axes = _axes("prod", x, axis, keepdims, other)
    if x.dtype.kind != "f":                                      # no gradient; NumPy knows the dtype
        product = np.multiply.reduce(data_of(x), axis=axes, keepdims=keepdims)
        return Tensor(product) if isinstance(x, Tensor) else product
    count, shape = _count(x, axes), _shape_with_ones(x, axes) if keepdims else _shape_without(x, axes)
    if count == 0:
        return _sum(x, axes, keepdims) + 1
    if axes is not None:                                         # the factors become the first axis
        x = transpose(x, (*axes, *(i for i in range(x.ndim) if i not in axes)))
    x, odd = reshape(x, (count, -1) if x.size else (count, math.prod(shape))), []
    while len(x) > 1:
        half = len(x) // 2
        if len(x) % 2:
            odd.append(x[2 * half:])
        x = x[:half] * x[half:2 * half]
    for factor in odd:
        x = x * factor
    return reshape(x, shape)


@primitive
def _cumsum(x, axis):
    return np.add.accumulate(x, axis)


_cumsum.vjps(lambda g, y, x, axis: flip(_cumsum(flip(g, axis), axis), axis), None)


def cumsum(x: X, axis: int | None = None, dtype: DType | None = None, **other: Never) -> X:
    """Running sums along an axis (None: of the flattened x): y_i = x_1 + ... + x_i. The same shape."""
    if other:
        raise unknown("cumsum", other)
    x = converted(x, dtype)
    if is_number_along(x, axis):
        return reshape(x if isinstance(x, Tensor) else np.asarray(x), ())
    if axis is None:
        return _cumsum(reshape(x if isinstance(x, Tensor) else np.asarray(x), (-1,)), 0)
    return _cumsum(x, one_axis("cumsum", x, axis))


def mean(x: X, axis: Axes = None, keepdims: bool = False, dtype: DType | None = None, **other: Never) -> X:
    """Arithmetic mean over axes. Raises ValueError for the mean of nothing."""
    x, axes = converted(x, dtype), _axes("mean", x, axis, keepdims, other)
    count = _count(x, axes)
    if count == 0:
        raise ValueError(f"mean: no elements to average (shape {shape_of(x)}, axis {axis})")
    if isinstance(x, Tensor | np.ndarray) and x.dtype.kind != "f":
        x = x.astype(np.float64)                        # as in NumPy: the sum of large integers may not fit into one
    return _sum(x, axes, keepdims) / count


def var(x: X, axis: Axes = None, keepdims: bool = False, ddof: float = 0, dtype: DType | None = None,
        **other: Never) -> X:
    """Variance over axes: the mean squared deviation, times n/(n - ddof). Two passes: a large mean does no harm."""
    x, axes = converted(x, dtype), _axes("var", x, axis, keepdims, other)
    count = _count(x, axes)
    if count <= ddof:
        raise ValueError(f"var: {count} elements are too few (shape {shape_of(x)}, axis {axis}, ddof {ddof})")
    deviation = x - mean(x, axes, True)
    return _sum(deviation * deviation, axes, keepdims) / (count - ddof)


def std(x: X, axis: Axes = None, keepdims: bool = False, ddof: float = 0, dtype: DType | None = None,
        **other: Never) -> X:
    """Standard deviation over axes, the root of `var`."""
    x, axes = converted(x, dtype), _axes("std", x, axis, keepdims, other)
    return sqrt(var(x, axes, keepdims, ddof))


class Extreme(Protocol):
    """The largest or smallest element."""

    def __call__(self, x: X, axis: Axes = None, keepdims: bool = False, **other: Never) -> X: ...


def _extreme(name: str, ufunc: np.ufunc) -> Extreme:
    def forward(x, axes, keepdims):
        if _count(x, axes) == 0:
            raise ValueError(f"{name}: no elements (shape {np.shape(x)}, axis {axes})")
        return ufunc.reduce(x, axis=axes, keepdims=keepdims)
    forward.__name__ = name

    op = primitive(forward)

    def rule(g, y, x, axes, keepdims):
        attained = data_of(x) == reshape(data_of(y), _shape_with_ones(x, axes))
        share = attained / np.maximum(np.add.reduce(attained, axis=axes, keepdims=True), 1)
        share = np.where(np.isnan(data_of(x)), np.nan, share)            # a NaN is never swallowed
        return _spread(g, x, axes) * share.astype(x.dtype)

    op.vjps(rule, None, None)

    def public(x, axis=None, keepdims=False, **other):
        return op(x, _axes(name, x, axis, keepdims, other), keepdims)
    public.__name__ = public.__qualname__ = name
    return public


max: Extreme = _extreme("max", np.maximum)
max.__doc__ = "Largest element over axes; ties share the gradient. Raises ValueError if there is none."
min: Extreme = _extreme("min", np.minimum)
min.__doc__ = "Smallest element over axes; ties share the gradient. Raises ValueError if there is none."


@primitive
def _logsumexp(x, axes, keepdims):
    x = floating(x)
    top = np.maximum.reduce(x, axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):                  # a row of -inf alone gives -inf
        y = np.log(summed(np.exp(x - top), axes, True)) + top
    return y if keepdims else y.reshape(_shape_without(x, axes))


def _logsumexp_x(g, y, x, axes, keepdims):
    """g softmax(x). exp(x - y) alone would be off by exp(the rounding of y), in float32 a factor 2 at 1e7; divided by
    its sum it is right, and y, which cancels, may be a constant."""
    y = np.reshape(data_of(y), _shape_with_ones(x, axes))
    nothing = np.isneginf(y)                                     # a row of -inf alone gets zeros
    powers = exp(x - np.where(nothing, 0, y))
    return _spread(g, x, axes) * (powers / (sum(powers, axes, keepdims=True) + nothing))


_logsumexp.vjps(_logsumexp_x, None, None)


def logsumexp(x: X, axis: Axes = None, keepdims: bool = False, **other: Never) -> X:
    """log(sum(exp(x))) over axes, without overflow."""
    axes = _axes("logsumexp", x, axis, keepdims, other)
    if _count(x, axes) == 0:
        raise ValueError(f"logsumexp: no elements (shape {shape_of(x)}, axis {axis})")
    return _logsumexp(x, axes, keepdims)


@primitive
def _norm(x, axes, keepdims):
    top = np.maximum.reduce(np.abs(x), axis=axes, keepdims=True, initial=0)
    top = np.where((top > 0) & np.isfinite(top), top, 1).astype(x.dtype)    # scaled: no overflow in the squares
    y = np.sqrt(summed(np.square(x / top), axes, True)) * top
    return y if keepdims else y.reshape(_shape_without(x, axes))


def _norm_x(g, y, x, axes, keepdims):
    nothing = data_of(y) == 0
    return _spread(where(nothing, 0.0, g / where(nothing, 1.0, y)), x, axes) * x


_norm.vjps(_norm_x, None, None)


def norm(x: X, axis: Axes = None, keepdims: bool = False, order: float = 2, **other: Never) -> X:
    """Norm over axes, (sum |x|^order)^(1/order), by default the Euclidean; the derivative at 0 is 0.

    order: a number, not differentiated; inf and -inf: the largest and the smallest |x|, 0: how many are not 0. Of a
    matrix it is that of all its elements. Raises ValueError for the largest of nothing.
    """
    axes = _axes("norm", x, axis, keepdims, other)
    if order.__class__ in (int, float) and order == 2:
        return _norm(x, axes, keepdims)
    order = number("norm", "order", order, "[-inf, inf]")
    if math.isinf(order):
        return (max if order > 0 else min)(abs(x), axes, keepdims)
    if order == 0:
        count = np.add.reduce(np.not_equal(data_of(x), 0), axes, keepdims=keepdims)
        return _sum(x * 0.0, axes, keepdims) + count
    return _norm_of(order, x, axes, keepdims)


def _norm_of(order, x, axes, keepdims):
    """The norm of an order that is neither 0 nor infinite, of |x| over a scale, so that no power overflows.

    The scale may be a constant: the norm is proportional to its argument. Elements that are 0 have no part in it.
    """
    size = np.abs(data_of(x)).astype(np.result_type(data_of(x), np.float32), copy=False)
    zero = size == 0
    extreme = np.maximum if order > 0 else np.minimum
    scale = extreme.reduce(size, axes, keepdims=True, where=~zero, initial=0 if order > 0 else np.inf)
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1).astype(size.dtype)
    powers = where(zero, 0.0 if order > 0 else np.inf, power(where(zero, 1.0, abs(x) / scale), order))
    total = _sum(powers, axes, keepdims)
    nothing = data_of(total) == 0
    root = where(nothing, 0.0, power(where(nothing, 1.0, total), 1 / order))
    return root * (scale if keepdims else scale.reshape(_shape_without(size, axes)))


def argmax(x: X, axis: int | None = None, **other: Never) -> X:
    """Index of the (first) largest element over one axis, or of the flattened x; integers, no gradient."""
    return _index_of("argmax", np.argmax, x, axis, other)


def argmin(x: X, axis: int | None = None, **other: Never) -> X:
    """Index of the (first) smallest element over one axis, or of the flattened x; integers, no gradient."""
    return _index_of("argmin", np.argmin, x, axis, other)


def _index_of(name, function, x, axis, other):
    if other:
        raise unknown(name, other)
    if math.prod(shape_of(x)) == 0:
        raise ValueError(f"{name}: no elements (shape {shape_of(x)})")
    axis = None if is_number_along(x, axis) else axis
    index = function(data_of(x), axis=None if axis is None else one_axis(name, x, axis))
    return Tensor(index) if isinstance(x, Tensor) else index
