"""Elements repeated, rotated, picked, masked or spaced, as in NumPy: repeat, tile, roll, diag, trace, tril, triu,
linspace.

Each is made of ops that are there already, so its derivatives of every order are theirs.
"""
from __future__ import annotations

from operator import index

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor, data_of, shape_of
from minigrad.ops.elementwise import where
from minigrad.ops.reduce import sum
from minigrad.ops.shape import broadcast_to, getitem, one_axis, reshape, scatter
from minigrad.typing import ArrayLike, Shape, TensorLike, X


def repeat(x: X, repeats: ArrayLike, axis: int | None = None) -> X:
    """Each element `repeats` times, one after the other, along an axis (None: of the flattened x): a, a, b, b.

    repeats: a count, or one for each place on the axis.
    """
    x, axis = _along("repeat", x, axis)
    counts, n = np.asarray(repeats), shape_of(x)[axis]
    if counts.dtype.kind not in "iu" or counts.ndim > 1 or (counts < 0).any() or counts.shape not in ((), (1,), (n,)):
        raise ValueError(f"repeat: repeats must be a count or {n} of them (axis {axis} of shape {shape_of(x)}), "
                         f"got {repeats!r}")
    return getitem(x, (slice(None),) * axis + (np.repeat(np.arange(n), counts),))


def tile(x: X, repeats: int | Shape) -> X:
    """x as a whole, `repeats` times along each axis (a count for the last one, or one for each): a, b, a, b."""
    try:
        counts = tuple(index(n) for n in (repeats if isinstance(repeats, tuple | list) else (repeats,)))
    except TypeError:
        counts = (-1,)
    if min(counts, default=0) < 0:
        raise ValueError(f"tile: repeats must be a count or one for each axis, got {repeats!r}")
    shape = shape_of(x)
    ndim = max(len(shape), len(counts))
    shape, counts = (1,) * (ndim - len(shape)) + shape, (1,) * (ndim - len(counts)) + counts
    apart = reshape(x, tuple(size for n in shape for size in (1, n)))                   # (1, n1, 1, n2, ...)
    copies = broadcast_to(apart, tuple(size for pair in zip(counts, shape) for size in pair))
    return reshape(copies, tuple(r * n for r, n in zip(counts, shape)))


def roll(x: X, shift: int, axis: int | None = None) -> X:
    """x moved by `shift` places along an axis (None: of the flattened x); what leaves at the end enters in front."""
    try:
        shift = index(shift)
    except TypeError:
        raise ValueError(f"roll: shift must be an integer, got {shift!r}") from None
    y, along = _along("roll", x, axis)
    n = shape_of(y)[along]
    cut = -shift % n if n else 0
    y = getitem(y, (slice(None),) * along + (np.roll(np.arange(n), -cut),))
    return reshape(y, shape_of(x)) if axis is None else y


def diag(x: X, k: int = 0) -> X:
    """The k-th diagonal of a matrix (m, n); of a vector x (n,) the square matrix with x there and zeros elsewhere."""
    shape = shape_of(x)
    if len(shape) not in (1, 2):
        raise ValueError(f"diag: wanted a vector or a matrix, got shape {shape}")
    if len(shape) == 1:
        n = shape[0] + abs(k)
        return scatter(x, _diagonal(n, n, k), (n, n))
    return getitem(x, _diagonal(*shape, k))


def _diagonal(m, n, k):
    """Rows and columns of the k-th diagonal of an (m, n) matrix."""
    rows = np.arange(max(-k, 0), max(min(m, n - k), max(-k, 0)))
    return rows, rows + k


def trace(x: X, k: int = 0) -> X:
    """Sum of the k-th diagonal of a matrix (m, n)."""
    if len(shape_of(x)) != 2:
        raise ValueError(f"trace: wanted a matrix, got shape {shape_of(x)}")
    return sum(diag(x, k))


def tril(x: X, k: int = 0) -> X:
    """Matrices (..., m, n) with zeros above the k-th diagonal."""
    return where(np.tri(*_matrices("tril", x), k, dtype=bool), x, _zero(x))


def triu(x: X, k: int = 0) -> X:
    """Matrices (..., m, n) with zeros below the k-th diagonal."""
    return where(np.tri(*_matrices("triu", x), k - 1, dtype=bool), _zero(x), x)


def linspace(start: TensorLike, stop: TensorLike, n: int = 50) -> Tensor:
    """n numbers evenly spaced from start to stop, both included, along a new first axis: (...) -> (n, ...).

    Each is a weighted mean of the ends, so it has a derivative by both. Numbers give float64, as in NumPy.
    """
    n = count("linspace", "n", n, 0)
    if not (isinstance(start, Tensor) or isinstance(stop, Tensor)):
        return np.linspace(start, stop, n)
    ends = [end for end in (start, stop) if isinstance(end, Tensor | np.ndarray)]
    floats = [end.dtype for end in ends if end.dtype.kind == "f"] or [np.float64]
    t = np.linspace(0, 1, n).astype(np.result_type(*floats)).reshape((n,) + (1,) * max(end.ndim for end in ends))
    return start * (1 - t) + stop * t


def _zero(x):
    """0 in the dtype of x: a float among integers would round them."""
    return np.zeros((), np.asarray(data_of(x)).dtype)


def _matrices(name, x):
    """The sizes (m, n) of matrices (..., m, n)."""
    if len(shape_of(x)) < 2:
        raise ValueError(f"{name}: wanted matrices (..., m, n), got shape {shape_of(x)}")
    return shape_of(x)[-2:]


def _along(name, x, axis):
    """x and an axis, checked; for None the flattened x and its only one."""
    return (reshape(x, (-1,)), 0) if axis is None else (x, one_axis(name, x, axis))
