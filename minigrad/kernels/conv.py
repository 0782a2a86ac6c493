"""Convolution of channels-last images: a sum of matrix products, one for each offset (ki, kj) within the window.

x (n, h, w, c), zero outside the image; w (kh, kw, c / groups, o); y and g (n, oh, ow, o).
windows = (sh, sw, top, left, dh, dw, groups): stride, zeros before the first row and column, dilation, groups. The
zeros behind the last row and column are as many as y needs.

<g, conv2d(x, w)> is linear in g, x and w: conv2d_x and conv2d_w are the same sum, read for x and for w.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.kernels import flush, kernel
from minigrad.typing import Array


def _plane_shape(w, y, windows):
    sh, sw, _, _, dh, dw, _ = windows
    return (y.shape[1] - 1) * sh + dh * (w.shape[0] - 1) + 1, (y.shape[2] - 1) * sw + dw * (w.shape[1] - 1) + 1


def _overlap(length, before, padded):
    """Where an axis of `length` entries lies within its padded form: slices of both."""
    first, last = max(0, -before), max(0, -before, min(length, padded - before))
    return slice(first, last), slice(first + before, last + before)


def _plane(x, shape, windows):
    """The images with their borders of zeros, (n, *shape, c)."""
    rows, rows_in = _overlap(x.shape[1], windows[2], shape[0])
    columns, columns_in = _overlap(x.shape[2], windows[3], shape[1])
    plane = np.zeros((x.shape[0], *shape, x.shape[3]), x.dtype)
    plane[:, rows_in, columns_in] = x[:, rows, columns]
    return plane


def _taps(w, y, windows):
    """For each offset and group: (ki, kj), where the plane is read, channels of x, channels of y."""
    sh, sw, _, _, dh, dw, groups = windows
    depth, columns = w.shape[2], w.shape[3] // groups
    for ki in range(w.shape[0]):
        rows = slice(ki * dh, ki * dh + (y.shape[1] - 1) * sh + 1, sh)
        for kj in range(w.shape[1]):
            across = slice(kj * dw, kj * dw + (y.shape[2] - 1) * sw + 1, sw)
            for q in range(groups):
                c, o = slice(q * depth, (q + 1) * depth), slice(q * columns, (q + 1) * columns)
                yield (ki, kj), (slice(None), rows, across, c), o


@kernel("conv")
def conv2d(x: Array, w: Array, b: Array | None, y: Array, windows: Any) -> None:
    """y <- conv(x, w) + b:  y[n, i, j] = b + sum x[n, i sh + ki dh - top, j sw + kj dw - left] w[ki, kj].

    b: (o,) or None.
    """
    plane = _plane(x, _plane_shape(w, y, windows), windows)
    y[...] = 0 if b is None else b
    for k, place, o in _taps(w, y, windows):
        y[..., o] += plane[place] @ w[k][:, o]
    flush(y)


@kernel("conv")
def conv2d_x(g: Array, w: Array, dx: Array, windows: Any) -> None:
    """dx <- gradient of <g, conv(x, w)> with respect to x. dx (n, h, w, c)."""
    shape = _plane_shape(w, g, windows)
    plane = np.zeros((dx.shape[0], *shape, dx.shape[3]), dx.dtype)
    for k, place, o in _taps(w, g, windows):
        plane[place] += g[..., o] @ w[k][:, o].T
    rows, rows_in = _overlap(dx.shape[1], windows[2], shape[0])
    columns, columns_in = _overlap(dx.shape[2], windows[3], shape[1])
    dx[...] = 0                                     # pixels that no window saw
    dx[:, rows, columns] = plane[:, rows_in, columns_in]
    flush(dx)


@kernel("conv")
def conv2d_w(x: Array, g: Array, dw: Array | None, db: Array | None, windows: Any, add_w: bool = False,
             add_b: bool = False) -> None:
    """dw <- (or += if add_w) gradient of <g, conv(x, w) + b> with respect to w, db likewise to b. db: (o,) or None."""
    plane = _plane(x, _plane_shape(dw, g, windows), windows)
    if not add_w:
        dw[...] = 0
    for k, place, o in _taps(dw, g, windows):
        dw[k][:, o] += np.tensordot(plane[place], g[..., o], ((0, 1, 2), (0, 1, 2)))
    if db is not None:
        db[...] = (db if add_b else 0) + g.sum((0, 1, 2), dtype=np.float64)
    flush(dw, db)
