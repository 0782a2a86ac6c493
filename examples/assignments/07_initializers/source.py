"""Initial values (section 8.4): normalized, orthogonal and sparse weights, and biases read off the targets.

A rule is a function (shape, ..., rng, dtype) -> array. shape is that of the weights: (inputs, outputs) for a dense
layer, (kh, kw, c_in, c_out) for a convolution. A unit is one column of the matrix (fan_in, outputs) that the weights
are when flattened. rng: an int or a Generator; the same int gives the same weights.
"""
import math

import numpy as np

generator = np.random.default_rng                               # given: a Generator stays what it is


# ----------------------------------------------------------------------------------- 1: fans, normalized initialization

def fans(shape):
    """(fan_in, fan_out) of weights (..., inputs, outputs); the leading axes are a kernel and multiply both."""
    # BEGIN SOLUTION task 1: m, how many numbers a unit adds up, and n, how many units an input reaches
    kernel = math.prod(shape[:-2])
    return kernel * shape[-2], kernel * shape[-1]
    # END SOLUTION


def uniform(shape, limit, rng=None, dtype=np.float64):
    """Given: U(-limit, limit), of variance limit^2/3."""
    return generator(rng).uniform(-limit, limit, shape).astype(dtype)


def glorot_uniform(shape, rng=None, dtype=np.float64):
    """Normalized initialization (8.23): U(-sqrt(6/(m + n)), sqrt(6/(m + n))), of variance 2/(m + n)."""
    # BEGIN SOLUTION task 1: the limit of equation 8.23, from the two fans
    return uniform(shape, math.sqrt(6 / sum(fans(shape))), rng, dtype)
    # END SOLUTION


# ------------------------------------------------------------------------------------------------------ 2: orthogonal

def orthogonal(shape, gain=1.0, rng=None, dtype=np.float64):
    """Random orthogonal matrix times gain (Saxe et al. 2013): W^T W = gain^2 I, uniform over all such (Haar).

    With more outputs than fan_in the columns cannot be orthogonal; then the rows are: W W^T = gain^2 I.
    """
    m = fans(shape)[0]
    # BEGIN SOLUTION task 2: Q of a Gaussian (m, outputs), the signs of its columns such that R has a positive diagonal
    z = generator(rng).standard_normal((m, shape[-1]))
    if m < shape[-1]:
        z = z.T
    q, r = np.linalg.qr(z)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)      # without this, qr's own choice of signs makes E[q_00] negative
    if m < shape[-1]:
        q = q.T
    return (gain * q).reshape(shape).astype(dtype, order="C")
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------- 3: sparse

def sparse(shape, k=15, std=1.0, rng=None, dtype=np.float64):
    """Sparse initialization (Martens 2010): each unit has exactly k incoming weights that are not zero.

    They are Gaussian with standard deviation std, which need not shrink as the number of inputs grows.
    """
    m, n = fans(shape)[0], shape[-1]
    rng = generator(rng)
    # BEGIN SOLUTION task 3: zeros (m, n), and k Gaussian numbers in each column, in rows of its own choice
    w = np.zeros((m, n))
    rows = rng.random((m, n)).argsort(axis=0)[:k]             # k different inputs for each unit
    np.put_along_axis(w, rows, std * rng.standard_normal((k, n)), axis=0)
    return w.reshape(shape).astype(dtype)
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------- 4: biases

def smoothing(all_occur):
    """Given: what is added to every count, since what does not occur has log 0. Nothing if all occur, else 1."""
    return 0.0 if all_occur else 1.0


def softmax_bias(targets, classes, dtype=np.float64):
    """b with softmax(b) = c, the shares of the classes among the labels `targets` (m,). -> (classes,)"""
    # BEGIN SOLUTION task 4: count every class, smooth, and take the logarithm of the shares
    counts = np.bincount(targets.astype(np.int64), minlength=classes or 0).astype(np.float64)
    counts += smoothing((counts > 0).all())
    return np.log(counts / counts.sum()).astype(dtype)
    # END SOLUTION


def sigmoid_bias(targets, dtype=np.float64):
    """b with sigmoid(b) = c, the mean of targets (m, d), each in [0, 1]: b = log(c/(1 - c)). -> (d,)"""
    # BEGIN SOLUTION task 4: how much is on and how much is off, each smoothed, and the logarithm of their quotient
    on = targets.sum(axis=0, dtype=np.float64)
    off = len(targets) - on
    added = smoothing((on > 0).all() and (off > 0).all())
    return np.asarray(np.log(on + added) - np.log(off + added)).astype(dtype)
    # END SOLUTION
