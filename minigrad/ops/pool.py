"""Pooling of channels-last images (n, h, w, c): max, average, adaptive and fractional max.

A window is a range of rows and one of columns; the ranges are data, so one kernel serves every kind of pooling. A
window that hangs over the border is cut there.
"""
from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, overload

import numpy as np

from minigrad import kernels
from minigrad.arguments import flag
from minigrad.core import contiguous, data_of, primitive
from minigrad.ops.conv import pair, sides
from minigrad.random import generator
from minigrad.typing import Array, ArrayLike, Pair, Random, X

# ------------------------------------------------------------------------------------------------------------- windows


@lru_cache(maxsize=256)
def _sliding(name, length, size, stride, before, after, ceil_mode=False):
    """Bounds [first, past the end) of the windows along an axis, (windows, 2): every `stride`, from -before on.

    ceil_mode: also the last one that starts in the image or the padding before it, though it does not fit.
    """
    if max(before, after) >= size:
        raise ValueError(f"{name}: padding must be smaller than the window, got padding {max(before, after)} "
                         f"and size {size}")
    left = length + before + after - size
    count = left // stride + 1
    if length < 1 or count < 1:
        raise ValueError(f"{name}: a window of {size} does not fit into {length} pixels with padding {before}")
    if ceil_mode and left % stride and count * stride < length + before:
        count += 1
    first = np.arange(count, dtype=np.int64) * stride - before
    return _frozen(np.stack([np.maximum(first, 0), np.minimum(first + size, length)], axis=1))


def _frozen(bounds):
    bounds.flags.writeable = False       # it may be the argument of many calls
    return bounds


def _windows(name, x, size, stride, padding, ceil_mode=False, dilation=1):
    """For the rows and for the columns: length, span of a window, stride, padding before and behind, ceil_mode."""
    _check(name, x)
    size = pair(name, "size", size, 1)
    stride = size if stride is None else pair(name, "stride", stride, 1)
    spans = size if dilation == 1 else [d * (n - 1) + 1 for d, n in zip(pair(name, "dilation", dilation, 1), size)]
    if isinstance(padding, str):
        border = sides(name, padding, x.shape[1:3], spans, stride)
    else:
        border = [(p, p) for p in pair(name, "padding", padding, 0)]
    ceil_mode = ceil_mode is not False and flag(name, "ceil_mode", ceil_mode)
    return [(*along, *ends, ceil_mode) for *along, ends in zip(x.shape[1:3], spans, stride, border)]


def _check(name, x):
    if not hasattr(x, "dtype") or x.ndim != 4 or x.dtype.kind != "f":
        raise ValueError(f"{name}: x must be floating-point images (n, h, w, c), got {getattr(x, 'dtype', type(x))} "
                         f"{np.shape(x)}")


# ----------------------------------------------------------------------------------------------------------------- max

@primitive
def _max_pool2d(x, index, rows, columns, y):
    """x at the places of its maxima (the gather). y: the result, where the search for them has found it already."""
    if y is None:
        y = kernels.empty(index.shape, x.dtype)
        kernels.pool.max_pool2d_take(contiguous(x), index, rows, columns, y)
    return y


@primitive
def _max_pool2d_x(g, index, rows, columns, size):
    """g added up at the places of the maxima (the scatter), zeros elsewhere. size: (h, w) of the images."""
    dx = kernels.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    kernels.pool.max_pool2d_x(contiguous(g), index, rows, columns, dx)
    return dx


_max_pool2d.vjps(lambda g, y, x, index, rows, columns, _: _max_pool2d_x(g, index, rows, columns, x.shape[1:3]),
                 None, None, None, None)

_max_pool2d_x.vjps(lambda u, y, g, index, rows, columns, size: _max_pool2d(u, index, rows, columns, None),
                   None, None, None, None)


def _maxima(x, rows, columns, places=False):
    """The maxima over windows: found once, in the values; then they are places, and pooling is linear.

    places: also where they lie, int32 (n, oh, ow, c), in the flattened image (h, w, c).
    """
    values = contiguous(data_of(x))
    shape = (x.shape[0], len(rows), len(columns), x.shape[3])
    y, index = kernels.empty(shape, values.dtype), kernels.empty(shape, np.dtype(np.int32))
    kernels.pool.max_pool2d(values, rows, columns, y, index)
    found = _max_pool2d(x, index, rows, columns, y)
    return (found, index) if places else found


@overload
def max_pool2d(x: X, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
               dilation: Pair = 1, return_indices: Literal[False] = False) -> X: ...


@overload
def max_pool2d(x: X, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
               dilation: Pair = 1, *, return_indices: Literal[True]) -> tuple[X, Array]: ...


def max_pool2d(x: Any, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
               dilation: Pair = 1, return_indices: bool = False) -> Any:
    """Largest number of each window. x (n, h, w, c) -> (n, oh, ow, c), oh = floor((h + 2 padding - size) / stride) + 1.

    size, stride (default: size), padding: an integer, or a pair for rows and columns; padding < size, and never the
    maximum; "same": oh = ceil(h / stride), the odd pixel of padding behind. ceil_mode: one window more where the last
    ones would leave pixels out, cut at the border. dilation: from one pixel of a window to the next. Of equal numbers
    the first (by rows, then columns) is the maximum and has the gradient; overlapping windows add theirs. NaN is larger
    than every number.

    return_indices: also where the maxima lie, int64 (n, oh, ow, c): row w + column, for `max_unpool2d`.
    """
    along = _windows("max_pool2d", x, size, stride, padding, ceil_mode, dilation)
    bounds = [_sliding("max_pool2d", *one) for one in along]
    x_seen, taken = x, None
    if dilation != 1:                    # the pixels of each window side by side: again it is a range
        taken, bounds = zip(*(_spread(one, n, d) for one, n, d in zip(along, pair("max_pool2d", "size", size, 1),
                                                                      pair("max_pool2d", "dilation", dilation, 1))))
        x_seen = x[:, taken[0]][:, :, taken[1]]
    if not flag("max_pool2d", "return_indices", return_indices):
        return _maxima(x_seen, *bounds)
    y, index = _maxima(x_seen, *bounds, places=True)
    row, column = np.divmod(index.astype(np.int64) // x.shape[3], x.shape[2] if taken is None else len(taken[1]))
    if taken is not None:
        row, column = taken[0][row], taken[1][column]
    return y, row * x.shape[2] + column


def _spread(along, size, dilation):
    """-> the pixels along an axis that windows with holes see, one window after the other, and the windows' bounds."""
    length, span, stride, before, after, ceil_mode = along
    count = len(_sliding("max_pool2d", *along))
    seen = (np.arange(count)[:, None] * stride - before) + dilation * np.arange(size)
    inside = (seen >= 0) & (seen < length)
    sizes = inside.sum(axis=1)
    if not sizes.all():
        raise ValueError(f"max_pool2d: with padding {before} and dilation {dilation} a window of {size} sees none of "
                         f"{length} pixels")
    ends = np.cumsum(sizes)
    return seen[inside], np.stack([ends - sizes, ends], axis=1)


def max_unpool2d(y: X, indices: ArrayLike, size: Pair) -> X:
    """What max pooling has taken back in its places, zeros elsewhere. y, indices (n, oh, ow, c) -> (n, h, w, c).

    indices: as `max_pool2d(..., return_indices=True)` gives them; size: (h, w). Where windows overlapped and share
    their maximum, what they bring is added: this is the gradient of max pooling. Differs: PyTorch keeps the last.
    """
    name = "max_unpool2d"
    _check(name, y)
    (h, w), indices = pair(name, "size", size, 1), np.asarray(indices)
    if indices.shape != y.shape or indices.dtype.kind not in "iu":
        raise ValueError(f"{name}: indices must be integers {y.shape} like y, got {indices.dtype} {indices.shape}")
    if indices.size and not (indices.min() >= 0 and indices.max() < h * w):
        raise ValueError(f"{name}: indices must lie in [0, {h * w}) for images of {h} x {w}, got "
                         f"{indices.min()} ... {indices.max()}")
    places = (indices * y.shape[3] + np.arange(y.shape[3])).astype(np.int32)
    rows, columns = (_frozen(np.tile([0, length], (count, 1))) for length, count in zip((h, w), y.shape[1:3]))
    return _max_pool2d_x(y, places, rows, columns, (h, w))


# ------------------------------------------------------------------------------------------------------------- average

@primitive
def _avg_pool2d(x, rows, columns, scale):
    y = kernels.empty((x.shape[0], len(rows), len(columns), x.shape[3]), x.dtype)
    kernels.pool.avg_pool2d(contiguous(x), rows, columns, scale, y)
    return y


@primitive
def _avg_pool2d_x(g, rows, columns, scale, size):
    dx = kernels.empty((g.shape[0], *size, g.shape[3]), g.dtype)
    kernels.pool.avg_pool2d_x(contiguous(g), rows, columns, scale, dx)
    return dx


_avg_pool2d.vjps(lambda g, y, x, rows, columns, scale: _avg_pool2d_x(g, rows, columns, scale, x.shape[1:3]),
                 None, None, None)

_avg_pool2d_x.vjps(lambda u, y, g, rows, columns, scale, size: _avg_pool2d(u, rows, columns, scale),
                   None, None, None, None)


def avg_pool2d(x: X, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> X:
    """Mean over each window; zeros of the padding count. x (n, h, w, c) -> (n, oh, ow, c). See max_pool2d.

    count_include_pad=False: the mean is over the pixels of the image alone. What ceil_mode adds beyond the padding
    never counts.
    """
    along = _windows("avg_pool2d", x, size, stride, padding, ceil_mode)
    rows, columns = (_sliding("avg_pool2d", *one) for one in along)
    if count_include_pad is True and not ceil_mode:
        return _avg_pool2d(x, rows, columns, 1 / (along[0][1] * along[1][1]))
    if not flag("avg_pool2d", "count_include_pad", count_include_pad):
        return _means(x, rows, columns, *(np.diff(bounds)[:, 0] for bounds in (rows, columns)))
    return _means(x, rows, columns, *(
        np.minimum(span, length + before + after - stride * np.arange(len(bounds)))
        for bounds, (length, span, stride, before, after, _) in zip((rows, columns), along)))


def _means(x, rows, columns, heights, widths):
    """Sums over windows, each divided by its own height and width."""
    return _avg_pool2d(x, rows, columns, 1.0) * (1 / np.multiply.outer(heights, widths))[:, :, None].astype(x.dtype)


# ------------------------------------------------------------------------------------------------------------ adaptive

@lru_cache(maxsize=256)
def _adaptive(length, count):
    """Bounds (count, 2) of windows that cover an axis evenly: from floor(i length / count) to ceil((i + 1) ...)."""
    i = np.arange(count, dtype=np.int64)
    return _frozen(np.stack([i * length // count, -(-(i + 1) * length // count)], axis=1))


def _evenly(name, x, output):
    _check(name, x)
    if 0 in x.shape[1:3]:
        raise ValueError(f"{name}: images without pixels, x {x.shape}")
    return [_adaptive(*along) for along in zip(x.shape[1:3], pair(name, "output", output, 1))]


def adaptive_max_pool2d(x: X, output: Pair) -> X:
    """Largest number of each of `output` windows that cover the image evenly: (n, h, w, c) -> (n, oh, ow, c).

    output: (oh, ow), or an integer for both. Neighbouring windows overlap where oh does not divide h. See max_pool2d.
    """
    return _maxima(x, *_evenly("adaptive_max_pool2d", x, output))


def adaptive_avg_pool2d(x: X, output: Pair) -> X:
    """Mean over each of `output` windows that cover the image evenly: (n, h, w, c) -> (n, oh, ow, c), as there."""
    rows, columns = _evenly("adaptive_avg_pool2d", x, output)
    return _means(x, rows, columns, *(np.diff(bounds)[:, 0] for bounds in (rows, columns)))


# ---------------------------------------------------------------------------------------------------------- fractional

def fractional_bounds(length: int, count: int, size: int, u: float, overlapping: bool) -> Array:
    """Bounds (count, 2) of fractional pooling along an axis (Graham 2014): increments are floor and ceil of one number.

        overlapping:  starts floor(alpha (i + u)) - floor(alpha u), alpha = (length - size) / (count - 1); `size` wide
        disjoint:     the same with alpha = length / count; each window ends where the next begins

    With 1 < alpha < 2 the increments are 1 and 2. The last window ends at the edge, and none is empty. u in [0, 1).
    """
    alpha = (length - size) / max(count - 1, 1) if overlapping else length / count
    first = ((np.arange(count) + u) * alpha).astype(np.int64) - int(u * alpha)
    if overlapping:
        first[-1] = length - size
        return np.stack([first, first + size], axis=1)
    first = np.minimum(first, length - count + np.arange(count))          # u next to 1 rounds up to the edge
    return np.stack([first, np.append(first[1:], length)], axis=1)


def fractional_max_pool2d(x: X, output: Pair | float, size: Pair = 2, overlapping: bool = True,
                          samples: ArrayLike | None = None, rng: Random = None) -> X:
    """Max pooling by a factor that is no integer, over random windows (Graham 2014). x (n, h, w, c) -> (n, oh, ow, c).

    output: (oh, ow), an integer for both, or a ratio in (0, 1): oh = floor(ratio h). size: of overlapping windows;
    where they are disjoint they tile the image and size has no say. samples: the two random numbers in [0, 1) for rows
    and columns, drawn from rng (an int, a Generator, or None: the thread's default) if not given; one draw serves the
    whole batch. Ties, NaN and gradients as in max_pool2d.
    """
    name = "fractional_max_pool2d"
    _check(name, x)
    if isinstance(output, (float, np.floating)):
        if not 0 < output < 1:
            raise ValueError(f"{name}: a ratio must lie in (0, 1), got {output}")
        output = tuple(int(n * output) for n in x.shape[1:3])
    output, size = pair(name, "output", output, 1), pair(name, "size", size, 1)
    if samples is None:
        samples = generator(rng).random(2)
    samples = np.asarray(samples, np.float64)
    if samples.shape != (2,) or not ((samples >= 0) & (samples < 1)).all():
        raise ValueError(f"{name}: samples must be two numbers in [0, 1), got {samples}")
    for length, count, width in zip(x.shape[1:3], output, size):
        if (count + width - 1 if overlapping else count) > length:
            raise ValueError(f"{name}: {count} windows{f' of {width}' if overlapping else ''} do not fit into {length} "
                             f"pixels (x {x.shape}, output {output})")
    rows, columns = (fractional_bounds(*along, bool(overlapping))
                     for along in zip(x.shape[1:3], output, size, samples))
    return _maxima(x, rows, columns)
