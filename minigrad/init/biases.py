"""Biases and precisions (8.4): constants, and values read off the targets of the training set."""
from __future__ import annotations

import numpy as np

from minigrad.arguments import count, number
from minigrad.core import data_of, default_dtype
from minigrad.init.weights import constant
from minigrad.typing import Array, ArrayLike, DType, Random, Shape


def relu_bias(shape: Shape, value: float = 0.1, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """0.1: relus are active at first for most inputs and let the derivative through (section 8.4). Not to be used with
    random walk initialization, which does not expect strong input from the biases."""
    return constant(shape, value, rng, dtype)


def gate_bias(shape: Shape, value: float = 1.0, rng: Random = None, dtype: DType = default_dtype) -> Array:
    """1: a gate, which multiplies other units, is open at first and lets them learn (Jozefowicz et al. 2015)."""
    return constant(shape, value, rng, dtype)


def bias_from_marginals(targets: ArrayLike, classes: int | None = None, activation: str = "softmax",
                        smoothing: float | None = None, dtype: DType = default_dtype) -> Array:
    """The output biases with which a model of zero weights already predicts the marginal statistics of the targets
    (section 8.4: solve softmax(b) = c).

    softmax   softmax(b) = c:  b = log c           targets: labels (m,), integers below `classes` (default: the largest
                                                   label + 1); or the probabilities c themselves (k,), summing to 1
    sigmoid   sigmoid(b) = c:  b = log(c / (1-c))  targets: (m, d), each in [0, 1]; c is their mean
    linear    b = c                                targets: (m, d) or (m,); c is their mean

    smoothing: what is added to every count, since a class that does not occur has log 0. Default: 0 where all occur
    (then b is exact), else 1. Returns (k,), (d,), or () for linear targets (m,). Mutates nothing.
    """
    targets = np.asarray(data_of(targets))
    classes = None if classes is None else count("bias_from_marginals", "classes", classes)
    if targets.size == 0 or targets.ndim == 0:
        raise ValueError(f"bias_from_marginals: no targets (shape {targets.shape})")
    refuse_non_finite("bias_from_marginals", targets)
    if activation == "linear":
        return np.asarray(targets.mean(axis=0, dtype=np.float64)).astype(dtype)
    if activation == "sigmoid":
        if targets.min() < 0 or targets.max() > 1:
            raise ValueError("bias_from_marginals: targets of a sigmoid must lie in [0, 1], got "
                             f"[{targets.min()}, {targets.max()}]")
        on = targets.sum(axis=0, dtype=np.float64)
        off = len(targets) - on
        added = _smoothing(smoothing, (on > 0).all() and (off > 0).all())
        return np.asarray(np.log(on + added) - np.log(off + added)).astype(dtype)
    if activation != "softmax":
        raise ValueError(f"bias_from_marginals: activation must be softmax, sigmoid or linear, got {activation!r}")
    if targets.ndim != 1:
        raise ValueError(f"bias_from_marginals: wanted labels (m,) or probabilities (k,), got shape {targets.shape}")
    if targets.dtype.kind == "f":
        if targets.min() <= 0 or abs(float(targets.sum()) - 1) > 1e-5:
            raise ValueError("bias_from_marginals: probabilities must be positive and sum to 1 (integers are taken as "
                             f"labels), got a sum of {targets.sum():.6g} and a least of {targets.min():.6g}")
        return np.log(targets.astype(np.float64)).astype(dtype)
    if targets.min() < 0 or (classes is not None and targets.max() >= classes):
        raise ValueError(f"bias_from_marginals: labels must lie in [0, {classes or 'classes'}), got "
                         f"{targets.min()} to {targets.max()}")
    counts = np.bincount(targets.astype(np.int64), minlength=classes or 0).astype(np.float64)
    counts += _smoothing(smoothing, (counts > 0).all())
    return np.log(counts / counts.sum()).astype(dtype)


def _smoothing(smoothing, all_occur):
    if smoothing is None:
        return 0.0 if all_occur else 1.0
    return number("bias_from_marginals", "smoothing", smoothing, "[0, inf)" if all_occur else "(0, inf)",
                  hint="" if all_occur else ": some class never occurs")


def refuse_non_finite(who: str, targets: ArrayLike) -> None:
    """ValueError for targets that hold NaN or an infinity: their statistics would be none."""
    bad = np.count_nonzero(~np.isfinite(targets))
    if bad:
        raise ValueError(f"{who}: {bad} of {targets.size} targets are not finite")


def precision_from_marginals(targets: ArrayLike, dtype: DType = default_dtype) -> Array:
    """beta = 1 / variance of the targets (m, d) or (m,), as (d,) or (): the precision of (8.24) for a model of zero
    weights whose bias is the mean. (The other usual choice is 1.) Refuses targets that do not vary."""
    targets = np.asarray(data_of(targets))
    if targets.ndim == 0 or len(targets) < 2:
        raise ValueError(f"precision_from_marginals: wanted at least two targets, got shape {targets.shape}")
    refuse_non_finite("precision_from_marginals", targets)
    variance = targets.var(axis=0, dtype=np.float64)
    if (variance == 0).any():
        raise ValueError("precision_from_marginals: a target does not vary: its precision would be infinite; "
                         "leave it out, or use 1")
    return np.asarray(1 / variance).astype(dtype)
