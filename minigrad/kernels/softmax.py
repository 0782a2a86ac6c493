"""Softmax over the last axis, and softmax and cross-entropy in one pass.

Every exponential is of z - max(z) <= 0: nothing overflows, and equal logits of any size give log(1/k).
"""
from __future__ import annotations

import numpy as np

from minigrad.kernels import kernel
from minigrad.kernels.elementwise import exp_negative
from minigrad.typing import Array


def _check_labels(name, labels, m, k):
    if labels.dtype != np.int64 or labels.shape != (m,):
        raise ValueError(f"{name}: labels must be int64 of shape ({m},), got {labels.dtype} {labels.shape}")
    if m and (labels.min() < 0 or labels.max() >= k):
        raise ValueError(f"{name}: labels must lie in [0, {k}), got {labels[(labels < 0) | (labels >= k)][0]}")


def _softmax(z, p):
    if not z.shape[-1]:
        return
    with np.errstate(invalid="ignore"):      # a row of -inf is NaN, as is a row with NaN
        np.subtract(z, z.max(axis=-1, keepdims=True), out=p)
    p[...] = exp_negative(p)
    p /= p.sum(axis=-1, keepdims=True)


@kernel("softmax")
def softmax(z: Array, p: Array) -> None:
    """p <- exp(z - max z) / sum exp(z - max z), over the last axis. z, p (..., k)."""
    _softmax(z, p)


@kernel("softmax")
def log_softmax(z: Array, y: Array) -> None:
    """y <- z - max z - log sum exp(z - max z), over the last axis. z, y (..., k)."""
    if not z.shape[-1]:
        return
    with np.errstate(invalid="ignore"):
        np.subtract(z, z.max(axis=-1, keepdims=True), out=y)
    y -= np.log(exp_negative(y).sum(axis=-1, keepdims=True))


@kernel("softmax")
def cross_entropy(z: Array, labels: Array, loss: Array) -> None:
    """loss <- mean over the m rows of log sum_j exp(z_ij) - z_i,label_i (the negative log-likelihood of the labels).

    z (m, k); labels (m,) int64 in [0, k), checked before anything is written; loss () or (1,), summed in double; NaN
    for m = 0.
    """
    m, k = z.shape
    _check_labels("cross_entropy", labels, m, k)
    if m == 0:
        loss[...] = np.nan
        return
    with np.errstate(invalid="ignore"):
        y = z - z.max(axis=-1, keepdims=True)
    chosen = y[np.arange(m), labels]
    loss[...] = (np.log(exp_negative(y).sum(axis=-1)) - chosen).mean(dtype=np.float64)


@kernel("softmax")
def cross_entropy_backward(z: Array, labels: Array, g: Array, dz: Array) -> None:
    """dz <- (softmax(z) - onehot(labels)) g/m, the derivative of cross_entropy times g. z, dz (m, k); g a number.

    The softmax is computed again: an exponential of a row costs less than writing, keeping and reading it.
    """
    m, k = z.shape
    _check_labels("cross_entropy_backward", labels, m, k)
    _softmax(z, dz)
    dz[np.arange(m), labels] -= 1
    dz *= z.dtype.type(float(g) / max(m, 1))
