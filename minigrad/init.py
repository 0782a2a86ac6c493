"""Initial values of parameters (8.4): functions (shape, rng=..., dtype=...) -> array.

shape is that of the weights: (inputs, outputs) for a dense layer, (kh, kw, c_in, c_out) for a convolution, whose fans
count the kernel: fan_in = kh kw c_in, fan_out = kh kw c_out.
"""
import math

import numpy as np

from minigrad.core import default_dtype
from minigrad.random import generator


def fans(shape):
    """(fan_in, fan_out) of weights (..., inputs, outputs); the leading axes are a kernel and multiply both."""
    if len(shape) < 2:
        raise ValueError(f"init: weights must be (..., inputs, outputs), got shape {tuple(shape)}")
    kernel = math.prod(shape[:-2])
    return kernel * shape[-2], kernel * shape[-1]


def zeros(shape, rng=None, dtype=default_dtype):
    """Zeros: the usual bias."""
    return np.zeros(shape, dtype)


def uniform(shape, limit, rng=None, dtype=default_dtype):
    """U(-limit, limit)."""
    return generator(rng).uniform(-limit, limit, shape).astype(dtype)


def normal(shape, std=0.01, rng=None, dtype=default_dtype):
    """Gaussian of mean 0 and standard deviation std."""
    return (std * generator(rng).standard_normal(shape)).astype(dtype)


def fan_in_uniform(shape, rng=None, dtype=default_dtype):
    """U(-1/sqrt(m), 1/sqrt(m)), m the number of inputs: variance 1/(3m)."""
    return uniform(shape, 1 / math.sqrt(fans(shape)[0]), rng, dtype)


def glorot_uniform(shape, rng=None, dtype=default_dtype):
    """Normalized initialization (8.23): U(-sqrt(6/(m + n)), sqrt(6/(m + n))), variance 2/(m + n)."""
    return uniform(shape, math.sqrt(6 / sum(fans(shape))), rng, dtype)


def glorot_normal(shape, rng=None, dtype=default_dtype):
    """Gaussian with the variance 2/(m + n) of the normalized initialization (8.23)."""
    return normal(shape, math.sqrt(2 / sum(fans(shape))), rng, dtype)


def he_uniform(shape, rng=None, dtype=default_dtype):
    """U(-sqrt(6/m), sqrt(6/m)): variance 2/m, which relu halves (He et al. 2015)."""
    return uniform(shape, math.sqrt(6 / fans(shape)[0]), rng, dtype)


def he_normal(shape, rng=None, dtype=default_dtype):
    """Gaussian of variance 2/m, which relu halves (He et al. 2015)."""
    return normal(shape, math.sqrt(2 / fans(shape)[0]), rng, dtype)
