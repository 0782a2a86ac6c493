"""Batch normalization (8.35) to (8.37), layer, group and RMS normalization, with derivatives through the mean and the
deviation.

    xhat = (x - mean) / sqrt(var + delta)        mean and (biased) variance: of the batch, part of the graph
    y    = gamma xhat + beta

The rules compute the mean and the variance again from x, so that what a second derivative sees depends on x everywhere.
A rule that took them from the forward pass as constants would give right gradients and wrong Hessians.
"""
from __future__ import annotations

import math

import numpy as np

from minigrad import kernels
from minigrad.arguments import count, number
from minigrad.core import Tensor, contiguous, data_of, default_dtype, gradient_array, primitive, shape_of
from minigrad.ops.elementwise import relu_gate, sqrt
from minigrad.ops.reduce import mean, sum
from minigrad.ops.shape import reshape
from minigrad.typing import Array, TensorLike


def _standardize(x, axes, delta):
    """xhat, and 1 / sqrt(var + delta)."""
    deviation = x - mean(x, axes, keepdims=True)
    scale = 1 / sqrt(mean(deviation * deviation, axes, keepdims=True) + delta)
    return deviation * scale, scale


def _standardize_x(g, x, axes, delta):
    """dJ/dx from g = dJ/dxhat: what is left of g when its mean and its part along xhat are taken out."""
    xhat, scale = _standardize(x, axes, delta)
    return scale * (g - mean(g, axes, keepdims=True) - xhat * mean(g * xhat, axes, keepdims=True))


def _leading(x):
    return tuple(range(x.ndim - 1))


# ----------------------------------------------------------------------------------------------------------- batch norm

@primitive
def _batch_norm(x, gamma, beta, delta, relu, moments):
    """moments (2, c) receives mean and variance, for the fused backward."""
    c = x.shape[-1]
    y = kernels.empty(x.shape, x.dtype)
    kernels.norm.batch_norm(contiguous(x).reshape(-1, c), contiguous(gamma), contiguous(beta), delta, relu,
                            y.reshape(-1, c), moments[0], moments[1])
    return y


def _gated(g, y, relu):
    return relu_gate(g, data_of(y)) if relu else g


_batch_norm.vjps(
    lambda g, y, x, gamma, beta, delta, relu, _: _standardize_x(_gated(g, y, relu) * gamma, x, _leading(x), delta),
    lambda g, y, x, gamma, beta, delta, relu, _: sum(_gated(g, y, relu) * _standardize(x, _leading(x), delta)[0],
                                                     _leading(x)),
    lambda g, y, x, gamma, beta, delta, relu, _: sum(_gated(g, y, relu), _leading(x)),
    None, None, None)


@_batch_norm.fused
def _batch_norm_backward(g, y, wanted, out, x, gamma, beta, delta, relu, moments):
    """All three gradients in one kernel call, those of gamma and beta straight into their slices of g if they may."""
    c = x.shape[-1]
    dx = kernels.empty(x.shape, x.dtype) if wanted[0] else None
    dgamma, add_gamma = gradient_array(wanted[1], out[1], gamma)
    dbeta, add_beta = gradient_array(wanted[2], out[2], beta)
    kernels.norm.batch_norm_backward(
        contiguous(g).reshape(-1, c), contiguous(x).reshape(-1, c), contiguous(gamma), contiguous(beta),
        moments[0], moments[1], delta, relu, None if dx is None else dx.reshape(-1, c), dgamma, dbeta, add_gamma,
        add_beta)
    return [dx, dgamma, dbeta, None, None, None]


def batch_norm(x: TensorLike, gamma: TensorLike | None, beta: TensorLike | None, delta: float = 1e-5,
               relu: bool = False, moments: list[Array] | None = None) -> Tensor:
    """Batch normalization with the statistics of this batch (8.35). x (..., c), gamma and beta (c,) -> like x.

    Mean and biased variance are over all axes but the last: over examples, and over pixels too for images (n, h, w, c).
    delta: inside the root, in units of x^2. relu: return max(y, 0), in the same pass. moments: None, or a (2, c) array
    of x's dtype that receives mean and variance, for running averages. Raises ValueError for an empty batch.
    gamma and beta None: 1 and 0. Differs: delta is an argument (the book's 1e-8 allows gains of 1e4, which float32
    does not survive).
    """
    shape = shape_of(x)
    x, gamma, beta = _check("batch_norm", x, gamma, beta, delta)
    if moments is not None and (not isinstance(moments, np.ndarray) or moments.shape != (2, shape[-1])
                                or moments.dtype != x.dtype):
        raise ValueError(f"batch_norm: moments must be an array (2, {shape[-1]}) of {x.dtype}, "
                         f"got {getattr(moments, 'dtype', type(moments).__name__)} {shape_of(moments)}")
    if 0 in shape:
        raise ValueError(f"batch_norm: nothing to take the mean of (x {shape})")
    kept = kernels.empty((2, shape[-1]), x.dtype)
    y = _batch_norm(x, gamma, beta, float(delta), bool(relu), kept)
    if moments is not None:
        moments[...] = kept
    return y


def _check(name, x, gamma, beta, delta):
    """x, gamma and beta, lists made arrays of x's dtype; refused unless they and delta fit."""
    if not (delta.__class__ is float and 0 <= delta < math.inf):       # 1.5 us sooner than through `number`
        number(name, "delta", delta, "[0, inf)")
    shape = shape_of(x)
    if gamma is None and beta is None:
        gamma, beta = np.ones(shape[-1:], x.dtype), np.zeros(shape[-1:], x.dtype)
    if not shape or shape_of(gamma) != shape[-1:] or shape_of(beta) != shape[-1:]:
        raise ValueError(f"{name}: gamma and beta must be {shape[-1:]}, the last axis of x {shape}, "
                         f"got {shape_of(gamma)} and {shape_of(beta)}")
    if isinstance(x, list | tuple):
        x = np.asarray(x, default_dtype)
    gamma, beta = (np.asarray(p, x.dtype) if isinstance(p, list | tuple) else p for p in (gamma, beta))
    if x.dtype.kind != "f" or gamma.dtype != x.dtype or beta.dtype != x.dtype:
        raise ValueError(f"{name}: x, gamma and beta must have one floating-point dtype, got {x.dtype}, {gamma.dtype} "
                         f"and {beta.dtype}")
    return x, gamma, beta


# ----------------------------------------------------------------------------------------------------------- layer norm

@primitive
def _layer_norm(x, gamma, beta, delta):
    c = x.shape[-1]
    y = kernels.empty(x.shape, x.dtype)
    kernels.norm.layer_norm(contiguous(x).reshape(-1, c), contiguous(gamma), contiguous(beta), delta, y.reshape(-1, c))
    return y


_layer_norm.vjps(
    lambda g, y, x, gamma, beta, delta: _standardize_x(g * gamma, x, (x.ndim - 1,), delta),
    lambda g, y, x, gamma, beta, delta: g * _standardize(x, (x.ndim - 1,), delta)[0],
    lambda g, y, x, gamma, beta, delta: g,
    None)


@_layer_norm.fused
def _layer_norm_backward(g, y, wanted, out, x, gamma, beta, delta):
    """All three gradients in one kernel call, those of gamma and beta straight into their slices of g if they may."""
    c = x.shape[-1]
    dx = kernels.empty(x.shape, x.dtype) if wanted[0] else None
    dgamma, add_gamma = gradient_array(wanted[1], out[1], gamma)
    dbeta, add_beta = gradient_array(wanted[2], out[2], beta)
    kernels.norm.layer_norm_backward(
        contiguous(g).reshape(-1, c), contiguous(x).reshape(-1, c), contiguous(gamma), delta,
        None if dx is None else dx.reshape(-1, c), dgamma, dbeta, add_gamma, add_beta)
    return [dx, dgamma, dbeta, None]


def layer_norm(x: TensorLike, gamma: TensorLike | None, beta: TensorLike | None, delta: float = 1e-5) -> Tensor:
    """Layer normalization (Ba et al. 2016): like batch norm, with mean and variance of each example over its last axis.

    x (..., c), gamma and beta (c,) -> like x. Any number of examples, none too; ValueError for c = 0.
    """
    shape = shape_of(x)
    x, gamma, beta = _check("layer_norm", x, gamma, beta, delta)
    if shape[-1] == 0:
        raise ValueError(f"layer_norm: wanted at least one feature, got x {shape}")
    if 0 in shape:
        return x * gamma + beta                    # no examples: of that shape, and the gradients are 0
    return _layer_norm(x, gamma, beta, float(delta))


# ----------------------------------------------------------------------------------------------------- group norm, RMS

def group_norm(x: TensorLike, gamma: TensorLike | None, beta: TensorLike | None, groups: int,
               delta: float = 1e-5) -> Tensor:
    """Group normalization (Wu and He 2018): mean and variance of each example over its pixels and a group of channels.

    x (m, ..., c), gamma and beta (c,), or None both -> like x. groups: how many of equal size, c for one each (instance
    normalization, Ulyanov et al. 2016). Raises ValueError where a group has one value: its variance would be 0.
    """
    shape = shape_of(x)
    x, gamma, beta = _check("group_norm", x, gamma, beta, delta)
    groups = count("group_norm", "groups", groups)
    if len(shape) < 2 or shape[-1] % groups:
        raise ValueError(f"group_norm: x must be (m, ..., c), with c a multiple of the {groups} groups, got x {shape}")
    if 0 in shape:
        return x * gamma + beta
    grouped = reshape(x, (shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups))
    if grouped.shape[1] * grouped.shape[3] == 1:
        raise ValueError(f"group_norm: each of {groups} groups has one value per example, got x {shape}")
    return reshape(_standardize(grouped, (1, 3), float(delta))[0], shape) * gamma + beta


def rms_norm(x: TensorLike, gamma: TensorLike | None, delta: float = 1e-5) -> Tensor:
    """RMS normalization (Zhang and Sennrich 2019): gamma x / sqrt(mean of x^2 over the last axis + delta).

    x (..., c), gamma (c,) -> like x.
    """
    x, gamma, _ = _check("rms_norm", x, gamma, gamma, delta)
    if shape_of(x)[-1] == 0:
        raise ValueError(f"rms_norm: wanted at least one feature, got x {shape_of(x)}")
    return x / sqrt(mean(x * x, -1, keepdims=True) + float(delta)) * gamma
