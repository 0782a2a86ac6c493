"""Softmax over the last axis, and softmax and cross-entropy in one pass.

Every exponential is of z - max(z) <= 0: nothing overflows, and equal logits of any size give log(1/k).
"""
import numpy as np

from minigrad.kernels import kernel


def _check_labels(name, labels, m, k):
    if labels.dtype != np.int64 or labels.shape != (m,):
        raise ValueError(f"{name}: labels must be int64 of shape ({m},), got {labels.dtype} {labels.shape}")
    if m and (labels.min() < 0 or labels.max() >= k):
        raise ValueError(f"{name}: labels must lie in [0, {k}), got {labels[(labels < 0) | (labels >= k)][0]}")


@kernel("softmax")
def softmax(z, p):
    """p <- exp(z - max z) / sum exp(z - max z), over the last axis. z, p (..., k)."""
    with np.errstate(invalid="ignore"):      # a row of -inf is NaN, as is a row with NaN
        np.subtract(z, z.max(axis=-1, keepdims=True), out=p)
    np.exp(p, out=p)
    p /= p.sum(axis=-1, keepdims=True)


@kernel("softmax")
def log_softmax(z, y):
    """y <- z - max z - log sum exp(z - max z), over the last axis. z, y (..., k)."""
    with np.errstate(invalid="ignore"):
        np.subtract(z, z.max(axis=-1, keepdims=True), out=y)
    y -= np.log(np.exp(y).sum(axis=-1, keepdims=True))


@kernel("softmax")
def softmax_cross_entropy(z, labels, p, losses):
    """losses_i <- log sum_j exp(z_ij) - z_i,label_i;  p <- softmax(z) for the backward pass. Returns the mean loss.

    z, p (m, k); labels (m,) int64 in [0, k), checked before anything is written; losses (m,). The mean is a Python
    float, summed in double; NaN for m = 0.
    """
    m, k = z.shape
    _check_labels("softmax_cross_entropy", labels, m, k)
    if m == 0:
        return float("nan")
    top = z.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        np.subtract(z, top, out=p)
    chosen = p[np.arange(m), labels]
    np.exp(p, out=p)
    total = p.sum(axis=-1, keepdims=True)
    p /= total
    losses[...] = np.log(total[:, 0]) - chosen
    return float(losses.mean(dtype=np.float64))


@kernel("softmax")
def softmax_cross_entropy_backward(p, labels, scale, dz):
    """dz <- scale (p - onehot(labels)): for the mean loss, scale = g/m. p, dz (m, k); labels (m,); scale a float."""
    m, k = p.shape
    _check_labels("softmax_cross_entropy_backward", labels, m, k)
    np.multiply(p, p.dtype.type(scale), out=dz)
    dz[np.arange(m), labels] -= p.dtype.type(scale)
