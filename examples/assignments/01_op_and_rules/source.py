"""An op and its rules: tanh, softplus and logsumexp, each with the rule that turns g = dJ/dy into dJ/dx.

An op is a NumPy function, arrays in and one array out. Its rule is called rule(g, y, x, ...) with everything it may
need: g = dJ/dy (the shape of y), the result y, and the arguments. For an ordinary backward pass these are arrays; when
the gradient is itself to be differentiated they are Tensors. So a rule is written in operators and ops, which take
both.
"""
import numpy as np

from minigrad.core import Tensor, data_of, primitive
from minigrad.ops import broadcast_to, exp, reshape, sigmoid, sum

# --------------------------------------------------------------------------------------------- given: dtype and shape


def floating(x):
    """x as an array of floating-point numbers: integers and truth values become float64."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def shape_with_ones(x, axes):
    """Shape of x with the reduced axes kept as 1."""
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


def shape_without(x, axes):
    """Shape of x without the reduced axes."""
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def spread(g, x, axes):
    """g, a reduction's gradient, copied back along the axes that were reduced: the shape of x."""
    return broadcast_to(reshape(g, shape_with_ones(x, axes)), x.shape)


# ----------------------------------------------------------------------------------------------------------- 1: tanh

@primitive
def tanh(x):
    """Hyperbolic tangent. x (any shape) -> same shape."""
    # BEGIN SOLUTION task 1: y = tanh(x), elementwise, in NumPy
    return np.tanh(x)
    # END SOLUTION


def tanh_x(g, y, x):
    """dJ/dx from g = dJ/dy: g times the derivative of tanh, written with y."""
    # BEGIN SOLUTION task 1: g times dy/dx; y = tanh(x) is given, so no hyperbolic function is needed
    return g * (1 - y * y)
    # END SOLUTION


tanh.vjps(tanh_x)


# ------------------------------------------------------------------------------------------------------- 2: softplus

@primitive
def softplus(x):
    """log(1 + e^x), without overflow. x (any shape) -> same shape; integers become float64."""
    x = floating(x)
    # BEGIN SOLUTION task 2: log(1 + e^x) for any x: e^1000 is not a number that a float can hold, and 1 + e^-40 is 1
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    # END SOLUTION


def softplus_x(g, y, x):
    """dJ/dx from g = dJ/dy."""
    # BEGIN SOLUTION task 2: g times the derivative of log(1 + e^x), in ops (sigmoid is given) so that it has one too
    return g * sigmoid(x)
    # END SOLUTION


softplus.vjps(softplus_x)


# ------------------------------------------------------------------------------------------------------ 3: logsumexp

@primitive
def _logsumexp(x, axes, keepdims):
    x = floating(x)
    # BEGIN SOLUTION task 3: log of the sum of e^x over axes, the largest x taken out; axes gone from its shape, or kept
    top = np.maximum.reduce(x, axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):                  # a row of -inf alone gives -inf
        y = np.log(np.add.reduce(np.exp(x - top), axis=axes, keepdims=True)) + top
    return y if keepdims else y.reshape(shape_without(x, axes))
    # END SOLUTION


def logsumexp_x(g, y, x, axes, keepdims):
    """dJ/dx from g = dJ/dy, the shape of y. Rows of -inf alone get zeros."""
    # BEGIN SOLUTION task 3: g, spread back over the axes, times softmax(x); differentiable once more with respect to x
    y = np.reshape(data_of(y), shape_with_ones(x, axes))
    nothing = np.isneginf(y)                                     # a row of -inf alone gets zeros
    powers = exp(x - np.where(nothing, 0, y))
    return spread(g, x, axes) * (powers / (sum(powers, axes, keepdims=True) + nothing))
    # END SOLUTION


_logsumexp.vjps(logsumexp_x, None, None)


def logsumexp(x, axis=-1, keepdims=False):
    """log(sum(exp(x))) over `axis` (an int or a tuple of ints), without overflow. x: array or Tensor."""
    x = x if isinstance(x, Tensor) else np.asarray(x)
    axes = tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    return _logsumexp(x, axes, keepdims)
