"""Batch normalization (8.35): x (m, c) normalized over its rows, all axes but the last flattened into m.

Layer normalization: the same over the columns, row by row.
"""
from __future__ import annotations

import numpy as np

from minigrad.kernels import kernel
from minigrad.typing import Array


def _sum_of_rows(x):
    """x (m, c) -> (c,): of many float32, added one after the other, the digits would be lost."""
    return x.sum(axis=0, dtype=np.float64).astype(x.dtype)


@kernel("norm")
def batch_norm(x: Array, gamma: Array | None, beta: Array | None, delta: float, relu: bool, y: Array, mean: Array,
               var: Array) -> None:
    """mean, var <- mean and biased variance of the columns of x;  y <- gamma (x - mean) / sqrt(var + delta) + beta.

    x, y (m, c); the others (c,). With relu: y <- max(y, 0). The variance takes two passes: in float32
    E[x^2] - E[x]^2 is negative for a column with mean 1000.
    """
    mean[...] = x.mean(axis=0, dtype=np.float64)
    deviation = x - mean
    var[...] = np.square(deviation).mean(axis=0, dtype=np.float64)
    y[...] = deviation * (gamma / np.sqrt(var + delta)) + beta
    if relu:
        np.maximum(y, 0, out=y)


@kernel("norm")
def batch_norm_backward(g: Array, x: Array, gamma: Array | None, beta: Array | None, mean: Array, var: Array,
                        delta: float, relu: bool, dx: Array | None, dgamma: Array | None, dbeta: Array | None,
                        add_gamma: bool = False, add_beta: bool = False) -> None:
    """With xhat = (x - mean) / sqrt(var + delta):   dbeta = sum g,   dgamma = sum g xhat   (sums over the rows),
    dx = gamma / sqrt(var + delta) (g - dbeta / m - xhat dgamma / m).

    g, x, dx (m, c), the others (c,); mean and var as batch_norm left them. dx, dgamma, dbeta may be None; dgamma and
    dbeta are added to if add_gamma, add_beta. With relu, g counts only where the output was positive.
    """
    m, scale = len(x), 1 / np.sqrt(var + delta)
    xhat = (x - mean) * scale
    if relu:
        g = np.where((x - mean) * (gamma * scale) + beta <= 0, 0, g)
    sum_g, sum_gx = _sum_of_rows(g), _sum_of_rows(g * xhat)
    if dx is not None:
        dx[...] = gamma * scale * (g - sum_g / m - xhat * (sum_gx / m))
    if dgamma is not None:
        dgamma[...] = sum_gx + (dgamma if add_gamma else 0)
    if dbeta is not None:
        dbeta[...] = sum_g + (dbeta if add_beta else 0)


def _standardize_rows(x, delta):
    deviation = x - x.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(np.square(deviation).mean(axis=1, keepdims=True) + delta)
    return deviation * scale, scale


@kernel("norm")
def layer_norm(x: Array, gamma: Array | None, beta: Array | None, delta: float, y: Array) -> None:
    """y <- gamma (x - mean) / sqrt(var + delta) + beta, mean and biased variance of each row of x. x, y (m, c)."""
    y[...] = _standardize_rows(x, delta)[0] * gamma + beta


@kernel("norm")
def layer_norm_backward(g: Array, x: Array, gamma: Array | None, delta: float, dx: Array | None, dgamma: Array | None,
                        dbeta: Array | None, add_gamma: bool = False, add_beta: bool = False) -> None:
    """With xhat = (x - mean) / sqrt(var + delta) of each row and u = g gamma:   dbeta = sum g,   dgamma = sum g xhat
    (sums over the rows),   dx = (u - mean u - xhat mean(u xhat)) / sqrt(var + delta).

    g, x, dx (m, c), the others (c,). dx, dgamma, dbeta may be None; the last two are added to if add_gamma, add_beta.
    """
    xhat, scale = _standardize_rows(x, delta)
    if dx is not None:
        u = g * gamma
        dx[...] = scale * (u - u.mean(axis=1, keepdims=True) - xhat * (u * xhat).mean(axis=1, keepdims=True))
    if dgamma is not None:
        dgamma[...] = _sum_of_rows(g * xhat) + (dgamma if add_gamma else 0)
    if dbeta is not None:
        dbeta[...] = _sum_of_rows(g) + (dbeta if add_beta else 0)
