"""Convolution of channels-last images: conv2d, its two transposes, and conv_transpose2d.

    x (n, h, w, c)      images, zero outside
    w (kh, kw, c, o)    flattened, the (inputs, outputs) matrix of a linear layer that sees one window
    y (n, oh, ow, o)    y[n, i, j] = sum over ki, kj of x[n, i stride + ki dilation - padding, ...] w[ki, kj]

As in the book, this is the cross-correlation: the kernel is not flipped. J = <g, conv2d(x, w)> is linear in g, x and
w. Fixing two of the three gives one function each, conv2d, conv2d_x and conv2d_w, and the derivatives of each are the
other two: six rules of one line, right at every order.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import arguments, kernels
from minigrad.core import Tensor, contiguous, primitive
from minigrad.typing import Pair, TensorLike

Padding = Pair | Sequence[Sequence[int]] | str              # ((top, bottom), (left, right)), or "same"

# Arguments of the primitives below: windows = (sh, sw, top, left, dh, dw, groups), and the size of the two axes of the
# result that the other arguments leave open: (oh, ow) of y, (h, w) of x, (kh, kw) of w.


@primitive
def _conv2d(x, w, windows, size):
    y = kernels.empty((x.shape[0], *size, w.shape[3]), x.dtype)
    kernels.conv.conv2d(contiguous(x), contiguous(w), None, y, windows)
    return y


@primitive
def _conv2d_x(g, w, windows, size):
    dx = kernels.empty((g.shape[0], *size, w.shape[2] * windows[6]), g.dtype)
    kernels.conv.conv2d_x(contiguous(g), contiguous(w), dx, windows)
    return dx


@primitive
def _conv2d_w(x, g, windows, size):
    dw = kernels.empty((*size, x.shape[3] // windows[6], g.shape[3]), x.dtype)
    kernels.conv.conv2d_w(contiguous(x), contiguous(g), dw, None, windows)
    return dw


_conv2d.vjps(lambda g, y, x, w, windows, size: _conv2d_x(g, w, windows, x.shape[1:3]),
             lambda g, y, x, w, windows, size: _conv2d_w(x, g, windows, w.shape[:2]), None, None)

_conv2d_x.vjps(lambda u, y, g, w, windows, size: _conv2d(u, w, windows, g.shape[1:3]),
               lambda u, y, g, w, windows, size: _conv2d_w(u, g, windows, w.shape[:2]), None, None)

_conv2d_w.vjps(lambda u, y, x, g, windows, size: _conv2d_x(g, u, windows, x.shape[1:3]),
               lambda u, y, x, g, windows, size: _conv2d(x, u, windows, g.shape[1:3]), None, None)


@primitive
def _conv2d_bias(x, w, b, windows, size):
    """conv2d(x, w) + b in one pass: the sums start at b (o,)."""
    y = kernels.empty((x.shape[0], *size, w.shape[3]), x.dtype)
    kernels.conv.conv2d(contiguous(x), contiguous(w), contiguous(b), y, windows)
    return y


_conv2d_bias.vjps(lambda g, y, x, w, b, windows, size: _conv2d_x(g, w, windows, x.shape[1:3]),
                  lambda g, y, x, w, b, windows, size: _conv2d_w(x, g, windows, w.shape[:2]),
                  lambda g, y, x, w, b, windows, size: g, None, None)


@_conv2d_bias.fused
def _conv2d_bias_backward(g, y, wanted, out, x, w, b, windows, size):
    """The gradients of w and b in one kernel call, straight into their slices of g where they may."""
    g = contiguous(g)
    dx = _conv2d_x(g, w, windows, x.shape[1:3]) if wanted[0] else None
    dw = db = None
    if wanted[1] or wanted[2]:
        dw, add_w = out[1] or (kernels.empty(w.shape, w.dtype), False)
        db, add_b = (out[2] or (kernels.empty(b.shape, b.dtype), False)) if wanted[2] else (None, False)
        kernels.conv.conv2d_w(contiguous(x), g, dw, db, windows, add_w, add_b)
    return [dx, dw if wanted[1] else None, db, None, None]


@_conv2d.fused
def _conv2d_backward(g, y, wanted, out, x, w, windows, size):
    dx, dw, *_ = _conv2d_bias_backward(g, y, (*wanted[:2], False), (*out[:2], None), x, w, None, windows, size)
    return [dx, dw, None, None]


# ----------------------------------------------------------------------------------------------------- public functions


def pair(name: str, what: str, value: Any, least: int) -> tuple[int, int]:
    """A number, or one for the rows and one for the columns, that no product of sizes makes too large for a kernel."""
    both = arguments.pair(name, what, value, least)
    if max(both) >= 2**62:
        raise ValueError(f"{name}: {what} {value!r} spans an image larger than any memory")
    return both


def sides(name: str, padding: Any, sizes: Any, spans: Any, stride: Any) -> tuple[tuple[int, int], ...]:
    """Zeros around: ((top, bottom), (left, right)) for padding = a number, a pair, such a pair of pairs, or "same"."""
    if isinstance(padding, str):
        if padding != "same":
            raise ValueError(f'{name}: padding must be numbers or "same", got {padding!r}')
        missing = [max((-(-size // s) - 1) * s + span - size, 0) for size, span, s in zip(sizes, spans, stride)]
        return tuple((m // 2, m - m // 2) for m in missing)
    if isinstance(padding, (tuple, list)) and len(padding) == 2 and isinstance(padding[0], (tuple, list)):
        return tuple(pair(name, "padding", ends, 0) for ends in padding)
    return tuple((p, p) for p in pair(name, "padding", padding, 0))


def _channels(name, x, w, groups):
    """Check that images of shape x and weights of shape w fit."""
    if len(x) != 4 or len(w) != 4:
        raise ValueError(f"{name}: x must be (n, h, w, c) and w (kh, kw, c, o), got x {x}, w {w}")
    if not isinstance(groups, (int, np.integer)) or groups < 1 or x[3] % groups or w[3] % groups:
        raise ValueError(f"{name}: groups must be an integer >= 1 that divides the channels of x and the outputs of w, "
                         f"got {groups!r} (x {x}, w {w})")
    if w[2] * groups != x[3]:
        of = f" in each of {groups} groups" if groups > 1 else ""
        hint = "; images are channels last: x.transpose(0, 2, 3, 1)" if x[1] == w[2] * groups else ""
        raise ValueError(f"{name}: w has {w[2]} input channels{of} but x has {x[3]} (x {x}, w {w}){hint}")
    if min(*x[1:], *w) < 1:
        raise ValueError(f"{name}: only the number of images may be 0 (x {x}, w {w})")


def _windows(name, x, w, stride, padding, dilation, groups):
    """Check the shapes of x and w; -> windows, (oh, ow)."""
    _channels(name, x, w, groups)
    stride, dilation = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, w)]
    border = sides(name, padding, x[1:3], spans, stride)
    size = tuple((n + sum(ends) - span) // s + 1 for n, ends, span, s in zip(x[1:3], border, spans, stride))
    if min(size) < 1:
        raise ValueError(f"{name}: the window, {spans[0]} x {spans[1]}, is larger than the image with its padding, "
                         f"{x[1] + sum(border[0])} x {x[2] + sum(border[1])} (x {x}, w {w})")
    _fits(name, (x[0], *size, w[3]))
    return (*stride, border[0][0], border[1][0], *dilation, int(groups)), size


def _fits(name, shape):
    total = 8
    for n in shape:
        total *= n
    if total > sys.maxsize:
        raise ValueError(f"{name}: a result of shape {shape} is larger than any memory")


def _one_dtype(name, x, w):
    if x.dtype != w.dtype or x.dtype.kind != "f":
        raise ValueError(f"{name}: x and w must both be float32 or both float64, got {x.dtype} and {w.dtype}; "
                         "convert with astype")


def conv2d(x: TensorLike, w: TensorLike, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1, groups: int = 1,
           b: TensorLike | None = None) -> Tensor:
    """Convolution. x (n, h, w, c), w (kh, kw, c / groups, o), b (o,) or None -> (n, oh, ow, o).

        y[n, i, j] = b + sum over ki, kj of x[n, i stride + ki dilation - padding, j stride + ...] w[ki, kj]

    stride, dilation: an integer >= 1, or a pair for rows and columns. padding: zeros around the image, an integer, a
    pair, ((top, bottom), (left, right)), or "same": oh = ceil(h / stride), the odd zero behind. groups: output channels
    of group k see input channels of group k only. Raises ValueError if shapes, dtypes or windows do not fit.
    """
    x, w = _arrays(x, w)
    windows, size = _windows("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    _one_dtype("conv2d", x, w)
    if b is None:
        return _conv2d(x, w, windows, size)
    return _conv2d_bias(x, w, _bias("conv2d", b, w, w.shape[3]), windows, size)


def _bias(name, b, w, outputs):
    """b (outputs,) with the dtype of w, or a ValueError."""
    b = b if hasattr(b, "dtype") else np.asarray(b, w.dtype)
    if b.shape != (outputs,):
        raise ValueError(f"{name}: b must have shape {(outputs,)} for w {w.shape}, got {b.shape}")
    if b.dtype != w.dtype:
        raise ValueError(f"{name}: b must be {w.dtype} like w, got {b.dtype}")
    return b


def _arrays(*xs):
    """Lists and numbers become arrays; arrays and Tensors stay what they are."""
    return [x if hasattr(x, "dtype") else np.asarray(x, np.float32) for x in xs]


def conv2d_x(g: TensorLike, w: TensorLike, size: Pair, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1,
             groups: int = 1) -> Tensor:
    """The gradient of <g, conv2d(x, w)> with respect to x (n, h, w, c), where size = (h, w). Linear in g and w."""
    g, w = _arrays(g, w)
    h, width = pair("conv2d_x", "size", size, 1)
    if np.ndim(g) != 4 or np.ndim(w) != 4:
        raise ValueError(f"conv2d_x: g must be (n, oh, ow, o) and w (kh, kw, c, o), got g {g.shape}, w {w.shape}")
    x = (g.shape[0], h, width, w.shape[2] * groups)
    windows, expected = _windows("conv2d_x", x, w.shape, stride, padding, dilation, groups)
    if g.shape[1:] != (*expected, w.shape[3]):
        raise ValueError(f"conv2d_x: g must be {(g.shape[0], *expected, w.shape[3])} for x {x} and w {w.shape}, "
                         f"got {g.shape}")
    _fits("conv2d_x", x)
    _one_dtype("conv2d_x", g, w)
    return _conv2d_x(g, w, windows, (h, width))


def conv2d_w(x: TensorLike, g: TensorLike, size: Pair, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1,
             groups: int = 1) -> Tensor:
    """The gradient of <g, conv2d(x, w)> with respect to w (kh, kw, c / groups, o), where size = (kh, kw)."""
    x, g = _arrays(x, g)
    size = pair("conv2d_w", "size", size, 1)
    if np.ndim(x) != 4 or np.ndim(g) != 4:
        raise ValueError(f"conv2d_w: x must be (n, h, w, c) and g (n, oh, ow, o), got x {x.shape}, g {g.shape}")
    w = (*size, x.shape[3] // groups if groups else 0, g.shape[3])
    windows, expected = _windows("conv2d_w", x.shape, w, stride, padding, dilation, groups)
    if g.shape != (x.shape[0], *expected, w[3]):
        raise ValueError(f"conv2d_w: g must be {(x.shape[0], *expected, w[3])} for x {x.shape} and w {w}, "
                         f"got {g.shape}")
    _one_dtype("conv2d_w", x, g)
    return _conv2d_w(x, g, windows, size)


def conv_transpose2d(x: TensorLike, w: TensorLike, stride: Pair = 1, padding: Padding = 0, output_padding: Pair = 0,
                     dilation: Pair = 1, groups: int = 1, b: TensorLike | None = None) -> Tensor:
    """Transposed convolution: conv2d_x as a layer. x (n, h, w, c), w (kh, kw, o / groups, c) -> (n, oh, ow, o).

    It maps as the gradient of conv2d with these weights does, so w is that of a convolution from o to c channels:
    oh = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + output_padding. output_padding < stride or dilation: which
    of the sizes that conv2d maps to h is meant. padding: as in conv2d, but not "same". b (o,) or None.
    """
    x, w = _arrays(x, w)
    name = "conv_transpose2d"
    if np.ndim(x) != 4 or np.ndim(w) != 4 or x.shape[3] != w.shape[3]:
        raise ValueError(f"{name}: wanted x (n, h, w, c) and w (kh, kw, o, c) with one c, got x {x.shape}, w {w.shape}")
    if isinstance(padding, str):
        raise ValueError(f"{name}: padding must be numbers, got {padding!r}")
    stride, dilation = pair(name, "stride", stride, 1), pair(name, "dilation", dilation, 1)
    border, more = sides(name, padding, None, None, None), pair(name, "output_padding", output_padding, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation)):
        raise ValueError(f"{name}: output_padding must be smaller than stride or dilation, got {more} "
                         f"for stride {stride} and dilation {dilation}")
    size = tuple((n - 1) * s - sum(ends) + d * (k - 1) + 1 + m
                 for n, s, ends, d, k, m in zip(x.shape[1:3], stride, border, dilation, w.shape, more))
    if min(size) < 1:
        raise ValueError(f"{name}: nothing is left of the result, {size[0]} x {size[1]}, with padding {border} "
                         f"(x {x.shape}, w {w.shape})")
    images = (x.shape[0], *size, w.shape[2] * groups)
    _channels(name, images, w.shape, groups)
    if min(x.shape[1:]) < 1:
        raise ValueError(f"{name}: only the number of images may be 0 (x {x.shape})")
    _fits(name, images)
    _one_dtype(name, x, w)
    b = None if b is None else _bias(name, b, w, images[3])
    y = _conv2d_x(x, w, (*stride, border[0][0], border[1][0], *dilation, int(groups)), size)
    return y if b is None else y + b
