"""Softmax, its logarithm, and its cross-entropy with labels; over one axis, stable for any finite input."""
from __future__ import annotations

from typing import Never

import numpy as np

from minigrad import kernels
from minigrad.core import Tensor, contiguous, data_of, primitive, shape_of
from minigrad.ops.elementwise import exp, filled, floating
from minigrad.ops.other_names import unknown
from minigrad.ops.reduce import converted, sum
from minigrad.ops.shape import is_number_along, one_axis, reshape
from minigrad.typing import Array, DType, TensorLike, X


def _axis(name, x, axis, other):
    if other:
        raise unknown(name, other)
    try:
        number = one_axis(name, x, axis)
    except ValueError:
        number = None
    if number is None or shape_of(x)[number] == 0:
        raise ValueError(f"{name}: axis {axis!r:.60} must be one non-empty axis of shape {shape_of(x)}")
    return number


@primitive
def _softmax(x, axis):
    return _along(kernels.softmax.softmax, x, axis)


def _along(kernel, x, axis):
    """y, which a kernel of the last axis fills from x along `axis`."""
    rows = contiguous(floating(x).swapaxes(axis, -1))
    return contiguous(filled(kernel, rows).swapaxes(axis, -1))


_softmax.vjps(lambda g, y, x, axis: _softmax_gate(g, y, axis), None)


@primitive
def _softmax_gate(g, y, axis):
    """(diag(y) - y y') g along an axis: the derivative of y = softmax(x) times g, a symmetric matrix."""
    return y * (g - np.add.reduce(g * y, axis=axis, keepdims=True))


_softmax_gate.vjps(
    lambda u, _, g, y, axis: _softmax_gate(u, y, axis),
    lambda u, _, g, y, axis: u * (g - sum(g * y, axis, keepdims=True)) - g * sum(u * y, axis, keepdims=True), None)


def softmax(x: X, axis: int = -1, dtype: DType | None = None, **other: Never) -> X:
    """exp(x) / sum(exp(x)): positive, summing to 1 over `axis`."""
    x = converted(x, dtype)
    if is_number_along(x, axis):
        return reshape(_softmax(reshape(x if isinstance(x, Tensor) else np.asarray(x), (1,)), 0), ())
    return _softmax(x, _axis("softmax", x, axis, other))


@primitive
def _log_softmax(x, axis):
    return _along(kernels.softmax.log_softmax, x, axis)


_log_softmax.vjps(lambda g, y, x, axis: g - exp(y) * sum(g, axis, keepdims=True), None)


def log_softmax(x: X, axis: int = -1, dtype: DType | None = None, **other: Never) -> X:
    """log(softmax(x)), accurate where softmax underflows."""
    x = converted(x, dtype)
    if is_number_along(x, axis):
        return reshape(_log_softmax(reshape(x if isinstance(x, Tensor) else np.asarray(x), (1,)), 0), ())
    return _log_softmax(x, _axis("log_softmax", x, axis, other))


# -------------------------------------------------------------------------------------------------------- cross-entropy

@primitive
def _softmax_cross_entropy(x, labels):
    """Mean over the m rows of -log softmax(x)[label]. x (m, k), labels (m,) -> ()."""
    loss = np.empty((), x.dtype)
    kernels.softmax.cross_entropy(contiguous(x), labels, loss)
    return loss


_softmax_cross_entropy.vjps(lambda g, y, x, labels: _cross_entropy_gate(g, x, labels), None)


@primitive
def _cross_entropy_gate(g, x, labels):
    """(softmax(x) - onehot(labels)) g/m: the derivative of softmax_cross_entropy times g (), in one pass."""
    dx = kernels.empty(x.shape, x.dtype)
    kernels.softmax.cross_entropy_backward(contiguous(x), labels, g, dx)
    return dx


_cross_entropy_gate.vjps(
    lambda u, y, g, x, labels: sum(u * _cross_entropy_gate(np.ones((), x.dtype), x, labels)),
    lambda u, y, g, x, labels: _softmax_gate(u, softmax(x), 1) * (g / len(labels)), None)


def softmax_cross_entropy(x: X, labels: TensorLike) -> X:
    """Mean over m examples of -log softmax(x)[label], the negative log-likelihood of the labels, from the logits.

    x (m, k): logits. labels (m,): integers in [0, k), not differentiated. Raises ValueError if a label is out of range.
    """
    labels, shape = class_labels("cross_entropy", x, labels), shape_of(x)
    if 0 in shape:
        raise ValueError(f"cross_entropy: no examples or no classes (logits {shape})")
    return _softmax_cross_entropy(x, labels)


def class_labels(name: str, x: TensorLike, labels: TensorLike) -> Array:
    """The labels (m,) of logits (m, k) as int64: a copy, so that what is checked is what is used, whoever refills the
    caller's array. ValueError with the way out if they are something else; that they lie in [0, k) is not looked at."""
    labels, shape = np.array(data_of(labels)), shape_of(x)
    if len(shape) != 2 or labels.shape != shape[:1]:
        hint = ""
        if labels.shape == shape:
            hint = "; of one-hot rows take labels.argmax(axis=1), for probabilities use losses.kl_divergence"
        elif labels.shape == (*shape[:1], 1):
            hint = "; write labels.ravel()"
        elif labels.ndim == 2 and shape == labels.shape[:1]:
            hint = "; the logits come first"
        raise ValueError(f"{name}: wanted logits (m, k) and labels (m,), got {shape} and {labels.shape}{hint}")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name}: labels must be integers, got {labels.dtype}; if they are whole, labels.astype(int)")
    return labels if labels.dtype == np.int64 else labels.astype(np.int64)
