"""Pooling of channels-last images over windows given as data: rows (oh, 2) and columns (ow, 2), int64, hold the first
and the past-the-end row and column of each. One definition for any size, stride and padding, and for fractional
pooling.

Max pooling is linear once the places of the maxima are known: index (int32, like y) is where in its image (h, w, c),
flattened, each maximum lies. Then its gradient is a scatter, and the gradient of the scatter a gather.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.kernels import kernel
from minigrad.typing import Array


def _windows(rows, columns):
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            yield i, j, slice(top, bottom), slice(left, right)


@kernel("pool")
def max_pool2d(x: Array, rows: Array, columns: Array, y: Array, index: Array) -> None:
    """y <- largest number of each window, index <- its place. x (n, h, w, c); y, index (n, oh, ow, c).

    Of equal numbers the first wins (by rows, then columns); NaN beats every number.
    """
    n, h, w, c = x.shape
    places = np.arange(h * w * c, dtype=np.int32).reshape(h, w, c)
    for i, j, r, s in _windows(rows, columns):
        at = places[r, s].reshape(-1, c)
        window = x[:, r, s].reshape(n, len(at), c)
        first = window.argmax(axis=1)                    # (n, c); argmax takes the first, and the first NaN
        y[:, i, j] = np.take_along_axis(window, first[:, None], axis=1)[:, 0]
        index[:, i, j] = np.take_along_axis(at, first, axis=0)


@kernel("pool")
def max_pool2d_x(g: Array, index: Array, rows: Array, columns: Array, dx: Array) -> None:
    """dx <- sum of g over the windows whose maximum lies there: the scatter.

    g, index (n, oh, ow, c), dx (n, h, w, c).
    """
    dx[...] = 0
    for image, at, gn in zip(dx, index, g):
        np.add.at(image.reshape(-1), at.ravel(), gn.ravel())


@kernel("pool")
def max_pool2d_take(x: Array, index: Array, rows: Array, columns: Array, y: Array) -> None:
    """y <- x at the places of the maxima: the gather, which the scatter is the transpose of. x (n, h, w, c)."""
    for image, at, yn in zip(x, index, y):
        yn[...] = image.ravel()[at]


@kernel("pool")
def avg_pool2d(x: Array, rows: Array, columns: Array, scale: Any, y: Array) -> None:
    """y <- scale times the sum over each window. x (n, h, w, c), y (n, oh, ow, c)."""
    for i, j, r, s in _windows(rows, columns):
        y[:, i, j] = scale * x[:, r, s].sum(axis=(1, 2))


@kernel("pool")
def avg_pool2d_x(g: Array, rows: Array, columns: Array, scale: Any, dx: Array) -> None:
    """dx <- scale times the sum of g over the windows that contain the pixel. g (n, oh, ow, c), dx (n, h, w, c)."""
    dx[...] = 0
    for i, j, r, s in _windows(rows, columns):
        dx[:, r, s] += scale * g[:, i, j, None, None]
