"""Ops that move elements and compute nothing: reshape, transpose, indexing, concatenate, pad and their like.

Each is linear, and the derivative of each is another op of this file: indexing and scattering, padding and cropping.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad.core import Tensor, primitive, shape_of
from minigrad.typing import Array, ArrayLike, Axes, Shape, TensorLike, X


@primitive
def reshape(x: Array, shape: Shape | int) -> Array:
    """The same elements, in C order, in another shape (one size may be -1)."""
    return x.reshape(shape)


reshape.vjps(lambda g, y, x, shape: reshape(g, x.shape), None)


def flatten(x: X, start: int = 1) -> X:
    """(m, ...) -> (m, product of the rest): all axes from `start` on become one."""
    shape = shape_of(x)
    start = start if start == len(shape) else one_axis("flatten", x, start)      # there: an axis of 1 behind the last
    return reshape(x, (*shape[:start], math.prod(shape[start:])))


@primitive
def _transpose(x, axes):
    return np.transpose(x, axes)


_transpose.vjps(lambda g, y, x, axes: _transpose(g, tuple(sorted(range(len(axes)), key=axes.__getitem__))), None)


def transpose(x: X, axes: Shape | None = None) -> X:
    """Axes in the order `axes`, a permutation; reversed by default."""
    ndim = len(shape_of(x))
    axes = tuple(range(ndim))[::-1] if axes is None else tuple(a % ndim if -ndim <= a < ndim else a for a in axes)
    if sorted(axes) != list(range(ndim)):
        raise ValueError(f"transpose: axes {axes} are not a permutation of the {ndim} axes of shape {shape_of(x)}")
    return _transpose(x, axes)


def swapaxes(x: X, a: int, b: int) -> X:
    """Axes a and b exchanged."""
    axes = list(range(len(shape_of(x))))
    a, b = one_axis("swapaxes", x, a), one_axis("swapaxes", x, b)
    axes[a], axes[b] = axes[b], axes[a]
    return _transpose(x, tuple(axes))


def moveaxis(x: X, source: int | Shape, destination: int | Shape) -> X:
    """Axes moved from the places `source` to the places `destination` (ints, or as many of each); the others keep their
    order."""
    source, destination = ([one_axis("moveaxis", x, a) for a in (axes if isinstance(axes, tuple | list) else (axes,))]
                           for axes in (source, destination))
    if len(source) != len(destination) or len({*source}) != len(source) or len({*destination}) != len(source):
        raise ValueError(f"moveaxis: wanted as many distinct axes to come from as to go to, got {source} and "
                         f"{destination}")
    order = [i for i in range(len(shape_of(x))) if i not in source]
    for place, axis in sorted(zip(destination, source)):
        order.insert(place, axis)
    return _transpose(x, tuple(order))


@primitive
def broadcast_to(x: Array, shape: Shape | int) -> Array:
    """x repeated along new axes and axes of size 1 until it has `shape` (a copy, not a view)."""
    y = np.empty(shape, np.asarray(x).dtype)
    y[...] = x
    return y


broadcast_to.vjps(lambda g, y, x, shape: g, None)       # the engine undoes broadcasting


def expand_dims(x: X, axis: int | Shape) -> X:
    """A new axis of size 1 at `axis` (an int or a tuple, counted in the result)."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = len(shape_of(x)) + len(axes)
    if any(not -ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise ValueError(f"expand_dims: axis {axis} does not fit a result with {ndim} axes")
    axes = {a % ndim for a in axes}
    sizes = iter(shape_of(x))
    return reshape(x, tuple(1 if i in axes else next(sizes) for i in range(ndim)))


def squeeze(x: X, axis: Axes = None) -> X:
    """Axes of size 1 removed: all, or those named (an int or a tuple)."""
    shape = shape_of(x)
    ndim = len(shape)
    if axis is None:
        axes = {i for i, n in enumerate(shape) if n == 1}
    else:
        axes = {a % ndim if -ndim <= a < ndim else a for a in (axis if isinstance(axis, tuple) else (axis,))}
        if any(not 0 <= a < ndim or shape[a] != 1 for a in axes):
            raise ValueError(f"squeeze: axis {axis} is not of size 1 in shape {shape}")
    return reshape(x, tuple(n for i, n in enumerate(shape) if i not in axes))


# ------------------------------------------------------------------------------------------------------------- indexing

@primitive
def _getitem(x, index):
    return x[index]


def _basic(index):
    """Whether an index holds only integers, slices, ... and None: then no element is read twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer)) for part in parts)


@primitive
def _scatter(g, index, shape):
    y = np.zeros(shape, np.asarray(g).dtype)
    if _basic(index):
        y[index] = g
    else:
        np.add.at(y, index, g)
    return y


_getitem.vjps(lambda g, y, x, index: _scatter(g, index, x.shape), None)
_scatter.vjps(lambda u, y, g, index, shape: _getitem(u, index), None, None)


def getitem(x: X, index: Any) -> X:
    """x[index]: integers, slices, ..., None, integer arrays and boolean masks, as in NumPy.

    Index arrays are copied: they may be refilled before the backward pass.
    """
    return _getitem(x, _index("getitem", index))


def scatter(g: X, index: Any, shape: Shape) -> X:
    """Zeros of `shape` with g added at `index` (repeated indices add up): the transpose of indexing."""
    return _scatter(g, _index("scatter", index), shape)


def _index(name, index):
    """An index, its arrays copied."""
    if isinstance(index, tuple):
        return tuple([_index(name, part) for part in index])
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, list):
        return _index(name, np.array(index, dtype=None if index else np.int64))
    if isinstance(index, np.ndarray):
        if index.dtype.kind not in "iub":
            raise ValueError(f"{name}: an index must hold integers or booleans, got {index.dtype}")
        return np.array(index)
    return index


# -------------------------------------------------------------------------------------------------- joining and padding

@primitive
def _concatenate(axis, *xs):
    return np.concatenate(xs, axis)


def _concatenate_part(i, g, y, axis, *xs):
    start = int(np.sum([x.shape[axis] for x in xs[:i]], dtype=np.int64))
    return _getitem(g, (slice(None),) * axis + (slice(start, start + xs[i].shape[axis]),))


_concatenate.vjps_each(None, _concatenate_part)


def concatenate(xs: Iterable[TensorLike], axis: int | None = 0) -> Tensor:
    """Arrays joined along an existing axis; they agree in all other sizes. axis None: all of them flattened."""
    xs = _several("concatenate", xs)
    if axis is None:
        xs, axis = [reshape(x if isinstance(x, Tensor) else np.asarray(x), (-1,)) for x in xs], 0
    shapes = [shape_of(x) for x in xs]
    axis = one_axis("concatenate", xs[0], axis)
    if any(s[:axis] + s[axis + 1:] != shapes[0][:axis] + shapes[0][axis + 1:] for s in shapes):
        raise ValueError(f"concatenate: sizes may differ only along axis {axis}, got shapes {shapes}")
    return _concatenate(axis, *xs)


def _several(name, xs):
    """The arrays to be joined, as a list: of a list, a tuple, a generator, or along the first axis of one array."""
    if not isinstance(xs, Iterable) or isinstance(xs, str | dict):
        raise ValueError(f"{name}: wanted a list of Tensors or arrays, got {type(xs).__name__}")
    xs = list(xs)
    if not xs:
        raise ValueError(f"{name}: nothing to join")
    return xs


def stack(xs: Iterable[TensorLike], axis: int = 0) -> Tensor:
    """Arrays of one shape joined along a new axis."""
    xs = _several("stack", xs)
    shapes = {shape_of(x) for x in xs}
    if len(shapes) != 1:
        raise ValueError(f"stack: all shapes must be equal, got {sorted(shapes)}")
    return concatenate([expand_dims(x, axis) for x in xs], axis)


def vstack(xs: Iterable[TensorLike]) -> Tensor:
    """Rows, or matrices (m, ...), one below the other: joined along the first axis; a vector (n,) is a row (1, n)."""
    return concatenate([_at_least(2, x) for x in _several("vstack", xs)], 0)


def hstack(xs: Iterable[TensorLike]) -> Tensor:
    """Vectors one after the other, matrices side by side: joined along the second axis, of vectors along their only
    one; a number is a vector of one."""
    xs = [_at_least(1, x) for x in _several("hstack", xs)]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def _at_least(ndim, x):
    """x with axes of size 1 put in front until it has `ndim` axes."""
    x = x if isinstance(x, Tensor) else np.asarray(x)
    return reshape(x, (1,) * (ndim - x.ndim) + x.shape) if x.ndim < ndim else x


def split(x: X, sections: int | Sequence[int] | Array, axis: int = 0) -> list[X]:
    """A list of parts of x along an axis: `sections` equal ones, or cut where a list of places says, as in NumPy."""
    axis = one_axis("split", x, axis)
    size = shape_of(x)[axis]
    if isinstance(sections, list | tuple | np.ndarray):
        borders = [0, *np.clip([n + size if n < 0 else n for n in sections], 0, size).tolist(), size]
    elif isinstance(sections, int | np.integer) and sections > 0 and size % sections == 0:
        borders = range(0, size + 1, size // sections) if size else [0] * (sections + 1)
    else:
        raise ValueError(f"split: axis {axis} of size {size} cannot be cut into {sections} equal parts")
    return [_getitem(x, (slice(None),) * axis + (slice(a, b),)) for a, b in zip(borders, borders[1:])]


@primitive
def _pad(x, widths, value):
    return np.pad(x, widths, constant_values=value)


_pad.vjps(lambda g, y, x, widths, value: _getitem(g, tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape))),
          None, None)


def pad(x: X, widths: ArrayLike, value: float = 0.0, mode: str = "constant") -> X:
    """x surrounded by a constant, or by itself. widths: (before, after) for each axis, or one such pair for all.

    mode, as NumPy's: "constant", "edge" (its first and last elements), "reflect" (mirrored there), "symmetric" (they
    are mirrored too) or "wrap" (from the other end); its derivative is the sum over all places an element is at.
    """
    if isinstance(value, str):
        raise ValueError(f"pad: value must be a number, got {value!r:.60}; write mode={value!r:.60}")
    widths = np.asarray(widths)
    if widths.dtype.kind not in "iu" or (widths < 0).any():
        raise ValueError(f"pad: widths must be non-negative integers, got {widths.tolist()}")
    try:
        widths = np.broadcast_to(widths, (len(shape_of(x)), 2))
    except ValueError:
        raise ValueError(f"pad: wanted one (before, after) for each axis of shape {shape_of(x)}, "
                         f"got {widths.tolist()}") from None
    if mode == "constant":
        return _pad(x, tuple((int(a), int(b)) for a, b in widths), value)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f'pad: mode must be "constant", "edge", "reflect", "symmetric" or "wrap", got {mode!r:.60}')
    for axis, (n, width) in enumerate(zip(shape_of(x), widths)):
        if width.any():
            if n == 0:
                raise ValueError(f"pad: axis {axis} of shape {shape_of(x)} is empty, there is nothing to repeat")
            x = _getitem(x, (slice(None),) * axis + (np.pad(np.arange(n), width, mode=mode),))
    return x


def flip(x: X, axis: Axes = None) -> X:
    """x in reverse order along an axis, several (a tuple), or all (None)."""
    ndim = len(shape_of(x))
    axes = range(ndim) if axis is None else distinct_axes("flip", x, axis)
    return _getitem(x, tuple(slice(None, None, -1 if i in axes else 1) for i in range(ndim)))


def one_axis(name: str, x: TensorLike, axis: int) -> int:
    """axis, checked, counted from the front."""
    ndim = len(shape_of(x))
    try:
        number = operator.index(axis)
    except TypeError:
        raise ValueError(f"{name}: an axis is an integer, got {axis!r:.60} (shape {shape_of(x)})") from None
    if isinstance(axis, bool) or not -ndim <= number < ndim:
        raise ValueError(f"{name}: axis {axis} is out of range for shape {shape_of(x)}")
    return number % ndim


def is_number_along(x: TensorLike, axis: Any) -> bool:
    """Whether x has no axes and the axis is 0 or -1: NumPy's reductions and PyTorch take x for its only element."""
    return shape_of(x) == () and isinstance(axis, int | np.integer) and axis in (0, -1) and axis is not False


def distinct_axes(name: str, x: TensorLike, axes: int | Shape) -> tuple[int, ...]:
    """Several axes (or one), checked, counted from the front, in order; none for axis 0 of a number."""
    if is_number_along(x, axes):
        return ()
    axes = axes if isinstance(axes, tuple | list | np.ndarray) else (axes,)
    counted = tuple(sorted([one_axis(name, x, axis) for axis in axes]))
    if len(set(counted)) != len(counted):
        raise ValueError(f"{name}: axis {tuple(axes)} is repeated (shape {shape_of(x)})")
    return counted
