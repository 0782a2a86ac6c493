"""Rules for weights (8.4): functions (shape, rng=..., dtype=...) -> array.

shape is that of the weights: (inputs, outputs) for a dense layer, (kh, kw, c_in, c_out) for a convolution, whose fans
count the kernel: m = fan_in = kh kw c_in, n = fan_out = kh kw c_out. Below, "unit" means one column of the matrix
(fan_in, outputs) that the weights are when flattened.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.arguments import count, number
from minigrad.core import default_dtype
from minigrad.random import generator
from minigrad.typing import Array, DType, Random, Shape


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of weights (..., inputs, outputs); the leading axes are a kernel and multiply both."""
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"init: weights must be (..., inputs, outputs), all sizes positive, got shape {tuple(shape)}")
    kernel = math.prod(shape[:-2])
    return kernel * shape[-2], kernel * shape[-1]


# ----------------------------------------------------------------------------------------- independent of the shape

def zeros(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Zeros: the usual bias. As weights they leave all units of a layer equal for ever."""
    return np.zeros(shape, dtype)


def constant(shape: Shape, value: float, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """The number `value` everywhere."""
    return np.full(shape, value, dtype)


def uniform(shape: Shape, limit: float, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """U(-limit, limit): variance limit^2/3."""
    limit = number("uniform", "limit", limit, "[0, inf)")
    return generator(rng).uniform(-limit, limit, shape).astype(dtype)


def normal(shape: Shape, std: float = 0.01, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Gaussian of mean 0 and standard deviation std; 0.01 is that of Krizhevsky et al. (2012)."""
    std = number("normal", "std", std, "[0, inf)")
    return (std * generator(rng).standard_normal(shape)).astype(dtype)


# ---------------------------------------------------------------------------------------------- scaled by the fans

def fan_in_uniform(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """U(-1/sqrt(m), 1/sqrt(m)), m the number of inputs: variance 1/(3m). The first heuristic of 8.4, the "standard
    initialization" of Glorot and Bengio (2010, equation 1), PyTorch's default."""
    return uniform(shape, 1 / math.sqrt(fans(shape)[0]), rng, dtype)


def glorot_uniform(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Normalized initialization (8.23): U(-sqrt(6/(m + n)), sqrt(6/(m + n))), variance 2/(m + n)."""
    return uniform(shape, math.sqrt(6 / sum(fans(shape))), rng, dtype)


def glorot_normal(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Gaussian with the variance 2/(m + n) of the normalized initialization (8.23)."""
    return normal(shape, math.sqrt(2 / sum(fans(shape))), rng, dtype)


def he_uniform(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """U(-sqrt(6/m), sqrt(6/m)): variance 2/m, which relu halves (He et al. 2015)."""
    return uniform(shape, math.sqrt(6 / fans(shape)[0]), rng, dtype)


def he_normal(shape: Shape, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Gaussian of variance 2/m, which relu halves (He et al. 2015)."""
    return normal(shape, math.sqrt(2 / fans(shape)[0]), rng, dtype)


# ------------------------------------------------------------------------------------------------ orthogonal, gains

def orthogonal(shape: Shape, gain: float = 1.0, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Random orthogonal matrix times gain (Saxe et al. 2013): W^T W = gain^2 I, uniform over all such (Haar).

    With more outputs than fan_in the columns cannot be orthogonal; then the rows are: W W^T = gain^2 I.
    """
    m, gain = fans(shape)[0], number("orthogonal", "gain", gain)
    z = generator(rng).standard_normal((m, shape[-1]))
    if m < shape[-1]:
        z = z.T
    q, r = np.linalg.qr(z)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)      # without this, qr's own choice of signs makes E[q_00] negative
    if m < shape[-1]:
        q = q.T
    return (gain * q).reshape(shape).astype(dtype, order="C")


def gain(activation: str | Callable[[Any], Any], slope: float = 0.01, critical: bool = False) -> float:
    """The factor g by which weights of variance g^2/m make up for what the activation takes away.

    activation: "linear", "sigmoid", "tanh", "relu", "leaky_relu" (with `slope`): the values in common use; or any
    function of an array: then 1/sqrt(E phi(z)^2), z standard normal, so that E phi^2 = 1 again after the next layer.

    critical: the gain at the edge of chaos (Saxe et al. 2013), where small differences neither die out nor grow on
    the way through a deep net: 1 for tanh (slightly more is used), where 5/3 keeps the variance but is chaotic. For
    linear, relu and leaky_relu both are the same.
    """
    if callable(activation):
        if critical:
            raise ValueError("gain: the critical gain is tabled only for linear, tanh, relu and leaky_relu")
        nodes, weights = np.polynomial.hermite_e.hermegauss(100)
        return 1 / math.sqrt(weights @ np.square(activation(nodes)) / weights.sum())
    slope = number("gain", "slope", slope)
    table = {"linear": 1.0, "sigmoid": 1.0, "tanh": 1.0 if critical else 5 / 3, "relu": math.sqrt(2),
             "leaky_relu": math.sqrt(2 / (1 + slope * slope))}
    if activation not in table or (critical and activation == "sigmoid"):
        raise ValueError(f"gain: no {'critical ' if critical else ''}gain is tabled for {activation!r}; "
                         f"known are {', '.join(table)}, or pass the function itself")
    return table[activation]


# ------------------------------------------------------------------------------------------------------------ sparse

def sparse(shape: Shape, k: int = 15, std: float = 1.0, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Sparse initialization (Martens 2010): each unit has exactly k incoming weights that are not zero.

    They are Gaussian with standard deviation std, which need not shrink as the number of inputs grows.
    """
    m, n = fans(shape)[0], shape[-1]
    k = count("sparse", "k", k, 1, m, hint=f": a unit has {m} inputs (shape {tuple(shape)})")
    std, rng = number("sparse", "std", std, "[0, inf)"), generator(rng)
    w = np.zeros((m, n))
    rows = rng.random((m, n)).argsort(axis=0)[:k]             # k different inputs for each unit
    np.put_along_axis(w, rows, std * rng.standard_normal((k, n)), axis=0)
    return w.reshape(shape).astype(dtype)


# ------------------------------------------------------------------------------------------------------- random walk

def random_walk_gain(n: int, activation: str = "relu") -> float:
    """g with which one layer of n units keeps the logarithm of a norm, on average (Sussillo and Abbott 2014).

    With Gaussian weights of variance g^2/n the squared norm is multiplied, layer by layer, by independent factors
    g^2 chi^2_k / n, where k = n units are active in a linear layer, and k ~ Binomial(n, 1/2) in one of relus. Its
    logarithm is then a random walk, without drift if

        log g^2 = log n - E log chi^2_k,    E log chi^2_k = psi(k/2) + log 2

    (k = 0, a dead layer, left out). Differs: the paper's closed forms, sqrt(2) exp(1.2/(max(n, 6) - 2.4)) for relu and
    exp(1/(2n)) for linear, are fits of this expectation, equal to 0.1 % from n = 20 on.
    """
    n = count("random_walk_gain", "n", n)
    if activation not in ("relu", "linear"):
        raise ValueError(f"random_walk_gain: activation must be 'relu' or 'linear', got {activation!r}")
    log_chi2 = _digamma_halves(n) + math.log(2)                              # for k = 1 .. n
    if activation == "linear":
        mean = log_chi2[-1]
    else:
        log_factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, n + 1)))])
        k = np.arange(1, n + 1)
        p = np.exp(log_factorials[n] - log_factorials[k] - log_factorials[n - k] - n * math.log(2))
        mean = p @ log_chi2 / p.sum()
    return math.exp((math.log(n) - mean) / 2)


def _digamma_halves(n):
    """psi(k/2) for k = 1 .. n, by psi(x + 1) = psi(x) + 1/x from psi(1/2) and psi(1)."""
    psi = np.empty(n)
    steps = 2 / np.arange(1.0, n + 1)
    psi[0::2] = -np.euler_gamma - 2 * math.log(2) + np.concatenate([[0.0], np.cumsum(steps[0:-2:2])])[:len(psi[0::2])]
    psi[1::2] = -np.euler_gamma + np.concatenate([[0.0], np.cumsum(steps[1:-2:2])])[:len(psi[1::2])]
    return psi


def random_walk(shape: Shape, activation: str = "relu", rng: Random = None, dtype: DType = default_dtype) -> Array:
    """Random walk initialization (Sussillo and Abbott 2014): Gaussian of variance g^2/n, g from `random_walk_gain`.

    Norms are kept on average, E log(|z|^2 / |h|^2) = 0 for z = phi(h W), through 1,000 layers of any widths. Those of
    gradients are kept where m = n; a layer of m inputs and n outputs changes their logarithm by about log(m/n), which
    adds up to that of the net's inputs over its outputs. Biases must be zero (0.1 adds up: the book warns against it
    here). Differs: the paper has layers of one width, where g^2/n is g^2/m.
    """
    n = fans(shape)[1]
    return normal(shape, random_walk_gain(n, activation) / math.sqrt(n), rng, dtype)
