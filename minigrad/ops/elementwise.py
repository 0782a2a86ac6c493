"""Elementwise ops: arithmetic, powers, exponentials, activations. Each with its derivative directly below it.

Shapes broadcast as in NumPy. What the derivative is where there is none (tested; `docs/conventions.md` has the table):
relu'(0) = 0, |x|'(0) = 0, sign' = floor' = ceil' = round' = 0 also where they jump, clip' = 1 at both
ends, sqrt'(0) = inf, d(x^0) = 0, d(0^x) = 0; where maximum or minimum is tied, each argument gets half.
"""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minigrad import kernels
from minigrad.arguments import number
from minigrad.core import Tensor, contiguous, data_of, primitive
from minigrad.typing import Array, ArrayLike, DType, TensorLike, X


def filled(kernel: Callable[..., None], x: Array) -> Array:
    """y, which a kernel fills from x in one pass."""
    y = kernels.empty(x.shape, x.dtype)
    kernel(x, y)
    return y


def floating(x: ArrayLike) -> Array:
    """x as an array of floating-point numbers: integers and truth values become float64."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _filled_gradient(kernel, g, y):
    """The gradient that a kernel fills from g and y, of one shape and dtype, in one pass."""
    g, y = contiguous(g), contiguous(y)
    d = kernels.empty(g.shape, g.dtype)
    kernel(g, y, d)
    return d


# ----------------------------------------------------------------------------------------------------------- arithmetic


@primitive
def add(a: Array, b: Array) -> Array:
    """a + b."""
    return np.add(a, b)


add.vjps(lambda g, y, a, b: g,
         lambda g, y, a, b: g)


@primitive
def subtract(a: Array, b: Array) -> Array:
    """a - b."""
    return np.subtract(a, b)


subtract.vjps(lambda g, y, a, b: g,
              lambda g, y, a, b: -g)


@primitive
def multiply(a: Array, b: Array) -> Array:
    """a * b."""
    return np.multiply(a, b)


multiply.vjps(lambda g, y, a, b: g * b,
              lambda g, y, a, b: g * a)


@primitive
def divide(a: Array, b: Array) -> Array:
    """a / b."""
    return np.divide(a, b)


divide.vjps(lambda g, y, a, b: g / b,
            lambda g, y, a, b: -g * y / b)


@primitive
def negative(x: Array) -> Array:
    """-x."""
    return np.negative(x)


negative.vjps(lambda g, y, x: -g)


@primitive
def power(a: Array, b: Array) -> Array:
    """a ** b. The derivative by a is 0 where b = 0, whatever a is; that by b is 0 where a = 0 and b >= 0."""
    return np.power(a, b)


def _power_a(g, y, a, b):
    if isinstance(b, (int, float)):
        if b == 2:
            return g * (2 * a)
        return g * (b * a ** (b - 1)) if b != 0 else np.zeros_like(data_of(g))
    fixed = (data_of(b) == 0) & ((data_of(a) == 0) | np.isnan(data_of(a)))       # 0 times a ** -1 is not 0 there
    return where(fixed, 0.0, g * b * power(where(fixed, 1.0, a), b - 1)) if np.any(fixed) else g * b * power(a, b - 1)


def _power_b(g, y, a, b):
    return g * y * log(where((data_of(a) == 0) & (data_of(b) >= 0), 1.0, a))


power.vjps(_power_a, _power_b)


@primitive
def square(x: Array) -> Array:
    """x * x."""
    return np.square(x)


square.vjps(lambda g, y, x: g * (2 * x))


@primitive
def floor_divide(a: Array, b: Array) -> Array:
    """a // b, the quotient rounded down; the derivatives are 0."""
    return np.floor_divide(a, b)


floor_divide.vjps(lambda g, y, a, b: np.zeros_like(data_of(y)),
                  lambda g, y, a, b: np.zeros_like(data_of(y)))


@primitive
def remainder(a: Array, b: Array) -> Array:
    """a % b = a - (a // b) b, of the sign of b; between its jumps the derivatives are 1 and -(a // b)."""
    return np.remainder(a, b)


remainder.vjps(lambda g, y, a, b: g,
               lambda g, y, a, b: -g * np.floor_divide(data_of(a), data_of(b)))


# -------------------------------------------------------------------------------------------- exponentials, circular

@primitive
def exp(x: Array) -> Array:
    """e ** x."""
    return np.exp(x)


exp.vjps(lambda g, y, x: g * y)


@primitive
def expm1(x: Array) -> Array:
    """e ** x - 1, accurate for small x."""
    return np.expm1(x)


expm1.vjps(lambda g, y, x: g * exp(x))                   # y + 1 would be 0 where y is -1 to rounding


@primitive
def exp2(x: Array) -> Array:
    """2 ** x."""
    return np.exp2(x)


exp2.vjps(lambda g, y, x: g * y * math.log(2))


@primitive
def log(x: Array) -> Array:
    """Natural logarithm."""
    return np.log(x)


log.vjps(lambda g, y, x: g / x)


@primitive
def log1p(x: Array) -> Array:
    """log(1 + x), accurate for small x."""
    return np.log1p(x)


log1p.vjps(lambda g, y, x: g / (1 + x))


@primitive
def log2(x: Array) -> Array:
    """Logarithm to base 2."""
    return np.log2(x)


log2.vjps(lambda g, y, x: g / (x * math.log(2)))


@primitive
def log10(x: Array) -> Array:
    """Logarithm to base 10."""
    return np.log10(x)


log10.vjps(lambda g, y, x: g / (x * math.log(10)))


@primitive
def logaddexp(a: Array, b: Array) -> Array:
    """log(e^a + e^b), without overflow."""
    return np.logaddexp(a, b)


logaddexp.vjps(lambda g, y, a, b: g * sigmoid(a - b),
               lambda g, y, a, b: g * sigmoid(b - a))


@primitive
def sqrt(x: Array) -> Array:
    """Square root; the derivative at 0 is inf."""
    return np.sqrt(x)


sqrt.vjps(lambda g, y, x: g / (2 * y))


@primitive
def sin(x: Array) -> Array:
    """Sine."""
    return np.sin(x)


sin.vjps(lambda g, y, x: g * cos(x))


@primitive
def cos(x: Array) -> Array:
    """Cosine."""
    return np.cos(x)


cos.vjps(lambda g, y, x: -g * sin(x))

_erf, _erfc = np.vectorize(math.erf, otypes=[np.float64]), np.vectorize(math.erfc, otypes=[np.float64])


@primitive
def erf(x: Array) -> Array:
    """Error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    x = floating(x)
    return _erf(x).astype(x.dtype) if x.size else np.array(x)


erf.vjps(lambda g, y, x: g * exp(-x * x) * (2 / math.sqrt(math.pi)))


# ------------------------------------------------------------------------------------------- absolute value, extremes

@primitive
def abs(x: Array) -> Array:
    """|x|; the derivative at 0 is 0."""
    return np.abs(x)


abs.vjps(lambda g, y, x: g * sign(x))


@primitive
def sign(x: Array) -> Array:
    """-1, 0 or 1; the derivative is 0."""
    return np.sign(x)


sign.vjps(lambda g, y, x: 0 * g)


@primitive
def floor(x: Array) -> Array:
    """The largest integer <= x; the derivative is 0."""
    return np.floor(x)


floor.vjps(lambda g, y, x: np.zeros_like(data_of(y)))


@primitive
def ceil(x: Array) -> Array:
    """The smallest integer >= x; the derivative is 0."""
    return np.ceil(x)


ceil.vjps(lambda g, y, x: np.zeros_like(data_of(y)))


@primitive
def _round(x, decimals):
    return np.round(x, decimals)


_round.vjps(lambda g, y, x, decimals: np.zeros_like(data_of(y)), None)


def round(x: X, decimals: int = 0) -> X:
    """The nearest multiple of 10 ** -decimals, ties to the even one; the derivative is 0."""
    if isinstance(decimals, bool) or not isinstance(decimals, int | np.integer):
        raise ValueError(f"round: decimals must be an integer, got {decimals!r:.60}")
    return _round(x, int(decimals))


@primitive
def maximum(a: Array, b: Array) -> Array:
    """The larger of a and b; a tie gives each half of the gradient."""
    return np.maximum(a, b)


maximum.vjps(lambda g, y, a, b: g * _share_of_larger(a, b),
             lambda g, y, a, b: g * _share_of_larger(b, a))


@primitive
def minimum(a: Array, b: Array) -> Array:
    """The smaller of a and b; a tie gives each half of the gradient."""
    return np.minimum(a, b)


minimum.vjps(lambda g, y, a, b: g * _share_of_larger(b, a),
             lambda g, y, a, b: g * _share_of_larger(a, b))


def _share_of_larger(a, b):
    """1 where a > b, 1/2 where a = b, else 0; NaN where either is NaN, so that it is not swallowed."""
    a, b = data_of(a), data_of(b)
    share = (np.greater(a, b).astype(np.result_type(a, b)) + np.greater_equal(a, b)) / 2
    return np.where(np.isnan(a) | np.isnan(b), np.nan, share)


@primitive
def _where(condition, a, b):
    return np.where(condition, a, b)


_where.vjps(None,
            lambda g, y, condition, a, b: _where(condition, g, 0.0),
            lambda g, y, condition, a, b: _where(condition, 0.0, g))


def where(condition: TensorLike, a: TensorLike, b: TensorLike) -> Tensor:
    """a where condition is true, else b. condition: boolean, not differentiated; copied, for it may be refilled."""
    if isinstance(condition, Tensor) and condition.node is None:
        condition = condition.data
    if isinstance(condition, np.ndarray) and (isinstance(a, Tensor) or isinstance(b, Tensor)):
        condition = np.array(condition)
    return _where(condition, a, b)


@primitive
def _clip(x, low, high):
    return np.clip(x, low, high)


def _clip_x(g, y, x, low, high):
    inside = True
    if low is not None:
        inside = inside & (data_of(x) >= low)
    if high is not None:
        inside = inside & (data_of(x) <= high)
    return where(inside | np.isnan(data_of(x)), g, 0.0)


_clip.vjps(_clip_x, None, None)


def clip(x: X, low: TensorLike | None = None, high: TensorLike | None = None) -> X:
    """x limited to [low, high] (numbers or arrays, not differentiated; None: none); the derivative is 1 at the ends."""
    low, high = _limit(x, low, "low"), _limit(x, high, "high")
    if low is not None and high is not None and np.any(low > high):
        raise ValueError(f"clip: low must not exceed high, got {low} and {high}")
    return _clip(x, low, high)


def _limit(x, limit, name):
    """A limit of clip as a constant that does not widen x."""
    if isinstance(limit, Tensor):
        if limit.requires_grad:
            raise ValueError(f"clip: {name} has no derivative; detach() it, or use maximum and minimum")
        limit = limit.data
    if limit is None or not isinstance(x, Tensor) or x.dtype.kind != "f":
        return limit
    return np.array(limit, x.dtype)                                  # a copy: its array may be refilled


# ---------------------------------------------------------------------------------------------------------- activations

@primitive
def relu(x: Array) -> Array:
    """Rectified linear, max(x, 0); the derivative at 0 is 0, and NaN stays NaN both ways."""
    x = contiguous(x)
    return filled(kernels.elementwise.relu, x) if x.dtype.kind == "f" else np.maximum(x, x.dtype.type(0))


relu.vjps(lambda g, y, x: relu_gate(g, data_of(y)))


@primitive
def relu_gate(g: Array, y: Array) -> Array:
    """g where y > 0, else 0 (g itself where y is NaN): the derivative of relu, linear in g, constant in y."""
    return _filled_gradient(kernels.elementwise.relu_gate, g, y)


relu_gate.vjps(lambda u, _, g, y: relu_gate(u, y), None)


@primitive
def _leaky_relu(x, slope):
    return np.where(x > 0, x, slope * x)


_leaky_relu.vjps(lambda g, y, x, slope: where(x > 0, g, slope * g), None)


def leaky_relu(x: X, slope: float = 0.01) -> X:
    """x where x > 0, else slope * x (Maas et al. 2013). slope: a number, not differentiated."""
    return _leaky_relu(x, number("leaky_relu", "slope", slope))


@primitive
def _elu(x, alpha):
    x = floating(x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


_elu.vjps(lambda g, y, x, alpha: g * where(x > 0, 1.0, alpha * exp(where(x > 0, 0.0, x))), None)  # y + alpha cancels


def elu(x: X, alpha: float = 1.0) -> X:
    """x where x > 0, else alpha (e^x - 1) (Clevert et al. 2016). alpha: a number, not differentiated."""
    return _elu(x, number("elu", "alpha", alpha))


@primitive
def gelu(x: Array) -> Array:
    """x Phi(x), Phi the distribution function of the standard normal (Hendrycks and Gimpel 2016)."""
    x = floating(x)
    return x * normal_cdf(x)


@primitive
def normal_cdf(x: Array) -> Array:
    """Phi(x), the distribution function of the standard normal, with all its digits where it is small."""
    x = floating(x)
    return (_erfc(x * -math.sqrt(0.5)) / 2).astype(x.dtype) if x.size else np.array(x)


def _normal_density(x):
    return exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


normal_cdf.vjps(lambda g, y, x: g * _normal_density(x))
gelu.vjps(lambda g, y, x: g * (normal_cdf(x) + x * _normal_density(x)))


@primitive
def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow at either end."""
    return filled(kernels.elementwise.sigmoid, contiguous(floating(x)))


sigmoid.vjps(lambda g, y, x: sigmoid_gate(g, y))


@primitive
def sigmoid_gate(g: Array, y: Array) -> Array:
    """g y (1 - y): the derivative of y = sigmoid(x) times g, in one pass."""
    return _filled_gradient(kernels.elementwise.sigmoid_gate, g, y)


sigmoid_gate.vjps(lambda u, _, g, y: sigmoid_gate(u, y),
                  lambda u, _, g, y: u * g * (1 - 2 * y))


@primitive
def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(x)


tanh.vjps(lambda g, y, x: tanh_gate(g, y))


@primitive
def tanh_gate(g: Array, y: Array) -> Array:
    """g (1 - y y): the derivative of y = tanh(x) times g, in one pass."""
    return _filled_gradient(kernels.elementwise.tanh_gate, g, y)


tanh_gate.vjps(lambda u, _, g, y: tanh_gate(u, y),
               lambda u, _, g, y: -2 * u * g * y)


@primitive
def softplus(x: Array) -> Array:
    """log(1 + e^x), without overflow."""
    x = floating(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


softplus.vjps(lambda g, y, x: g * sigmoid(x))


# --------------------------------------------------------------------------------------------------------------- dtypes

@primitive
def astype(x: Array, dtype: DType) -> Array:
    """x converted to float32 or float64; the gradient is converted back."""
    return x.astype(dtype)


astype.vjps(lambda g, y, x, dtype: g.astype(x.dtype), None)
