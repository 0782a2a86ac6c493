"""Softmax, its logarithm, and its cross-entropy with labels; over one axis, stable for any finite input."""
import numpy as np

from minigrad import kernels
from minigrad.core import contiguous, data_of, primitive, shape_of
from minigrad.ops.elementwise import exp, floating
from minigrad.ops.reduce import sum


def _axis(name, x, axis):
    ndim = len(shape_of(x))
    if not isinstance(axis, int) or not -ndim <= axis < ndim or shape_of(x)[axis] == 0:
        raise ValueError(f"{name}: axis {axis} must be one non-empty axis of shape {shape_of(x)}")
    return axis % ndim


@primitive
def _softmax(x, axis):
    x = floating(x)
    with np.errstate(invalid="ignore"):                  # a row of -inf alone gives NaN
        y = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    y /= np.add.reduce(y, axis=axis, keepdims=True)
    return y


_softmax.vjps(lambda g, y, x, axis: y * (g - sum(g * y, axis, keepdims=True)), None)


def softmax(x, axis=-1):
    """exp(x) / sum(exp(x)): positive, summing to 1 over `axis`."""
    return _softmax(x, _axis("softmax", x, axis))


@primitive
def _log_softmax(x, axis):
    x = floating(x)
    with np.errstate(invalid="ignore"):                  # a row of -inf alone gives NaN
        y = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    y -= np.log(np.add.reduce(np.exp(y), axis=axis, keepdims=True))
    return y


_log_softmax.vjps(lambda g, y, x, axis: g - exp(y) * sum(g, axis, keepdims=True), None)


def log_softmax(x, axis=-1):
    """log(softmax(x)), accurate where softmax underflows."""
    return _log_softmax(x, _axis("log_softmax", x, axis))


# -------------------------------------------------------------------------------------------------------- cross-entropy

@primitive
def _softmax_cross_entropy(x, labels):
    """Mean over the m rows of -log softmax(x)[label]. x (m, k), labels (m,) -> ()."""
    loss = np.empty((), x.dtype)
    kernels.softmax.cross_entropy(contiguous(x), labels, loss)
    return loss


def _one_hot(labels, like):
    y = np.zeros(like.shape, like.dtype)
    y[np.arange(len(labels)), labels] = 1
    return y


_softmax_cross_entropy.vjps(
    lambda g, y, x, labels: (softmax(x) - _one_hot(labels, x)) * (g / len(labels)), None)


@_softmax_cross_entropy.fused
def _softmax_cross_entropy_backward(g, y, wanted, out, x, labels):
    dx = kernels.empty(x.shape, x.dtype)
    kernels.softmax.cross_entropy_backward(contiguous(x), labels, g, dx)
    return [dx, None]


def softmax_cross_entropy(x, labels):
    """Mean over m examples of -log softmax(x)[label], the negative log-likelihood of the labels, from the logits.

    x (m, k): logits. labels (m,): integers in [0, k), not differentiated. Raises ValueError if a label is out of range.
    """
    labels = data_of(labels)
    shape = shape_of(x)
    if len(shape) != 2 or shape_of(labels) != shape[:1]:
        raise ValueError(f"cross_entropy: wanted logits (m, k) and labels (m,), got {shape} and {shape_of(labels)}")
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"cross_entropy: labels must be integers, got {labels.dtype}")
    if shape[0] == 0 or shape[1] == 0:
        raise ValueError(f"cross_entropy: no examples or no classes (logits {shape})")
    return _softmax_cross_entropy(x, np.array(labels, np.int64))        # a copy: the caller's may be refilled
