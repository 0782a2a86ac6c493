"""Convolution and pooling of sequences (n, l, c), channels last: that of images one pixel high.

    x (n, l, c)      sequences of l steps, zero outside
    w (k, c, o)      flattened, the (inputs, outputs) matrix of a linear layer that sees one window
    y (n, ol, o)     y[n, i] = sum over j of x[n, i stride + j dilation - padding] w[j]

padding is an integer, (before, after), or "same". Derivatives of every order, ties and NaN are those of the images.
"""
from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from minigrad.arguments import count, pair
from minigrad.core import Tensor
from minigrad.ops.conv import conv2d, conv_transpose2d
from minigrad.ops.pool import adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d, max_unpool2d
from minigrad.ops.shape import reshape
from minigrad.typing import Array, ArrayLike, Pair, TensorLike, X


def _row(name, x):
    """Sequences (n, l, c) as images (n, 1, l, c)."""
    x = x if hasattr(x, "dtype") else np.asarray(x, np.float32)
    if x.ndim != 3:
        raise ValueError(f"{name}: x must be sequences (n, l, c), got shape {x.shape}")
    return reshape(x, (x.shape[0], 1, *x.shape[1:]))


def _sequence(y):
    """Images (n, 1, l, c) as sequences (n, l, c)."""
    return reshape(y, (y.shape[0], *y.shape[2:]))


def _kernel(name, x, w, groups, inputs):
    """w (k, ..., ...) as (1, k, ..., ...), where axis `inputs` of it, times groups, are the channels of x."""
    w = w if hasattr(w, "dtype") else np.asarray(w, np.float32)
    groups, shape = count(name, "groups", groups), np.shape(x)
    if w.ndim != 3:
        raise ValueError(f"{name}: w must be (k, c, o), got shape {w.shape}")
    wanted = w.shape[inputs] * (groups if inputs == 1 else 1)
    if len(shape) == 3 and shape[2] != wanted:
        hint = "; sequences are channels last: x.transpose(0, 2, 1)" if shape[1] == wanted else ""
        raise ValueError(f"{name}: w is for {wanted} channels but x has {shape[2]} (x {shape}, w {w.shape}){hint}")
    return reshape(w, (1, *w.shape))


def _sides(name, padding):
    """What `padding` is for an image: nothing above and below."""
    return padding if isinstance(padding, str) else ((0, 0), pair(name, "padding", padding, least=0))


def _along(name, **sizes):
    """Each of the integers as (1, n): for the one row, and along the sequence."""
    return [(1, count(name, what, n)) for what, n in sizes.items()]


def conv1d(x: TensorLike, w: TensorLike, stride: int = 1, padding: Pair | str = 0, dilation: int = 1, groups: int = 1,
           b: TensorLike | None = None) -> Tensor:
    """Convolution of sequences. x (n, l, c), w (k, c / groups, o), b (o,) or None -> (n, ol, o).

        y[n, i] = b + sum over j of x[n, i stride + j dilation - padding] w[j],
        ol = floor((l + before + after - dilation (k - 1) - 1) / stride) + 1

    stride, dilation: integers >= 1. padding: zeros around, an integer, (before, after), or "same": ol = ceil(l /
    stride), the odd zero behind. groups: output channels of group k see input channels of group k only. As in
    `conv2d`, w is not flipped. Raises ValueError if shapes, dtypes or windows do not fit.
    """
    stride, dilation = _along("conv1d", stride=stride, dilation=dilation)
    w = _kernel("conv1d", x, w, groups, 1)
    return _sequence(conv2d(_row("conv1d", x), w, stride, _sides("conv1d", padding), dilation, groups, b))


def conv_transpose1d(x: TensorLike, w: TensorLike, stride: int = 1, padding: Pair = 0, output_padding: int = 0,
                     dilation: int = 1, groups: int = 1, b: TensorLike | None = None) -> Tensor:
    """Transposed convolution, the gradient of `conv1d` as a layer. x (n, l, c), w (k, o / groups, c) -> (n, ol, o).

    ol = (l - 1) stride - before - after + dilation (k - 1) + 1 + output_padding; output_padding < stride or dilation.
    padding: an integer or (before, after), see `conv_transpose2d`. b (o,) or None.
    """
    name = "conv_transpose1d"
    if isinstance(padding, str):
        raise ValueError(f"{name}: padding must be numbers, got {padding!r}")
    stride, dilation = _along(name, stride=stride, dilation=dilation)
    more = (0, count(name, "output_padding", output_padding, least=0))
    w = _kernel(name, x, w, groups, 2)
    return _sequence(conv_transpose2d(_row(name, x), w, stride, _sides(name, padding), more, dilation, groups, b))


def _window(name, size, stride, padding):
    """size, stride and padding of a window one pixel high."""
    (size,) = _along(name, size=size)
    (stride,) = (size,) if stride is None else _along(name, stride=stride)
    return size, stride, padding if isinstance(padding, str) else (0, count(name, "padding", padding, least=0))


@overload
def max_pool1d(x: X, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
               dilation: int = 1, return_indices: Literal[False] = False) -> X: ...


@overload
def max_pool1d(x: X, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
               dilation: int = 1, *, return_indices: Literal[True]) -> tuple[X, Array]: ...


def max_pool1d(x: Any, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
               dilation: int = 1, return_indices: bool = False) -> Any:
    """Largest number of each window. x (n, l, c) -> (n, ol, c), ol = floor((l + 2 padding - size) / stride) + 1.

    Arguments as in `max_pool2d`, each an integer. return_indices: also where the maxima lie, int64 (n, ol, c).
    """
    (dilation,) = _along("max_pool1d", dilation=dilation)
    y = max_pool2d(_row("max_pool1d", x), *_window("max_pool1d", size, stride, padding), ceil_mode,
                   1 if dilation == (1, 1) else dilation, return_indices)
    return (_sequence(y[0]), _sequence(y[1])) if return_indices else _sequence(y)


def max_unpool1d(y: X, indices: ArrayLike, size: int) -> X:
    """What `max_pool1d` has taken back in its places, zeros elsewhere: y, indices (n, ol, c) -> (n, size, c)."""
    name = "max_unpool1d"
    indices = np.asarray(indices)
    if indices.shape != np.shape(y):
        raise ValueError(f"{name}: indices must have the shape of y, {np.shape(y)}, got {indices.shape}")
    (size,) = _along(name, size=size)
    return _sequence(max_unpool2d(_row(name, y), _row(name, indices), size))


def avg_pool1d(x: X, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> X:
    """Mean over each window; zeros of the padding count. x (n, l, c) -> (n, ol, c). Arguments as in `avg_pool2d`."""
    return _sequence(avg_pool2d(_row("avg_pool1d", x), *_window("avg_pool1d", size, stride, padding), ceil_mode,
                                count_include_pad))


def adaptive_max_pool1d(x: X, output: int) -> X:
    """Largest number of each of `output` windows that cover the sequence evenly: (n, l, c) -> (n, output, c)."""
    name = "adaptive_max_pool1d"
    return _sequence(adaptive_max_pool2d(_row(name, x), *_along(name, output=output)))


def adaptive_avg_pool1d(x: X, output: int) -> X:
    """Mean over each of `output` windows that cover the sequence evenly: (n, l, c) -> (n, output, c)."""
    name = "adaptive_avg_pool1d"
    return _sequence(adaptive_avg_pool2d(_row(name, x), *_along(name, output=output)))
