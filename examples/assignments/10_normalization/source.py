"""Batch normalization against its alternatives (section 8.7.1): the same formula, other axes.

    xhat = (x - mu) / sqrt(var + delta)          mu and var (biased): over which axes is the only question
    y    = gamma xhat + beta

    batch      over the examples (and pixels): one mu and var a feature
    layer      over the features: one an example (and pixel)
    group      over the pixels and a group of neighbouring features: one an example and group
    instance   over the pixels: one an example and feature
    RMS        as layer, without mu: x / sqrt(mean of x^2 + delta)

x (m, ..., c), the features c last; gamma and beta (c,).
"""
import math

import numpy as np
from numpy import mean, reshape, sqrt, sum


def standardize(x, axes, delta):
    """Given: xhat over these axes, and 1 / sqrt(var + delta), with the reduced axes kept as 1."""
    deviation = x - mean(x, axes, keepdims=True)
    scale = 1 / sqrt(mean(deviation * deviation, axes, keepdims=True) + delta)
    return deviation * scale, scale


def standardize_x(g, x, axes, delta):
    """Given: dJ/dx from g = dJ/dxhat, through mu and sigma (03_batch_norm asks for it)."""
    xhat, scale = standardize(x, axes, delta)
    return scale * (g - mean(g, axes, keepdims=True) - xhat * mean(g * xhat, axes, keepdims=True))


def leading(x):
    """Given: all axes but the last."""
    return tuple(range(x.ndim - 1))


def batch_norm(x, gamma, beta, delta=1e-5):
    """Given, to compare with."""
    return standardize(x, leading(x), delta)[0] * gamma + beta


# ------------------------------------------------------------------------------------------------------ 1: layer norm

def layer_norm(x, gamma, beta, delta=1e-5):
    """Each example over its own features. x (m, ..., c) -> like x."""
    # BEGIN SOLUTION task 1: mu and var over the last axis alone; gamma and beta as ever
    xhat = standardize(x, (x.ndim - 1,), delta)[0]
    # END SOLUTION
    return xhat * gamma + beta


def layer_norm_backward(g, x, gamma, beta, delta=1e-5):
    """dJ/dx (like x), dJ/dgamma (c,) and dJ/dbeta (c,) from g = dJ/dy (like x)."""
    # BEGIN SOLUTION task 1: back over the axes of the forward pass; gamma and beta are shared by all examples
    dx = standardize_x(g * gamma, x, (x.ndim - 1,), delta)
    dgamma = sum(g * standardize(x, (x.ndim - 1,), delta)[0], leading(x))
    dbeta = sum(g, leading(x))
    # END SOLUTION
    return dx, dgamma, dbeta


# --------------------------------------------------------------------------------------------- 2: group and instance

def group_norm(x, gamma, beta, groups, delta=1e-5):
    """Each example over its pixels and each of `groups` groups of neighbouring features, of equal size."""
    shape = np.shape(x)
    # BEGIN SOLUTION task 2: (m, pixels, groups, features of a group), normalized over the second and the last axis
    grouped = reshape(x, (shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups))
    xhat = reshape(standardize(grouped, (1, 3), float(delta))[0], shape)
    # END SOLUTION
    return xhat * gamma + beta


def instance_norm(x, gamma, beta, delta=1e-5):
    """Each example and each feature over its pixels."""
    # BEGIN SOLUTION task 2: a case of group_norm
    y = group_norm(x, gamma, beta, x.shape[-1], delta)
    # END SOLUTION
    return y


# -------------------------------------------------------------------------------------------------------------- 3: RMS

def rms_norm(x, gamma, delta=1e-5):
    """gamma x / sqrt(mean of x^2 over the last axis + delta): no mean is taken out, there is no beta."""
    # BEGIN SOLUTION task 3: the line of the docstring
    y = x / sqrt(mean(x * x, -1, keepdims=True) + float(delta)) * gamma
    # END SOLUTION
    return y


def rms_norm_backward(g, x, gamma, delta=1e-5):
    """dJ/dx (like x) and dJ/dgamma (c,) from g = dJ/dy (like x)."""
    # BEGIN SOLUTION task 3: as standardize_x without mu: what is left of g gamma when its part along x is taken out
    scale = 1 / sqrt(mean(x * x, -1, keepdims=True) + delta)
    xhat, ghat = x * scale, g * gamma
    dx = scale * (ghat - xhat * mean(ghat * xhat, -1, keepdims=True))
    dgamma = sum(g * xhat, leading(x))
    # END SOLUTION
    return dx, dgamma


# ---------------------------------------------------------------------------------------- 4: what each does not notice

def influence(norm, x):
    """Who depends on whom: entry i, j is True if example i of norm(x) changes when example j of x does. (m, m).

    norm: a function x (m, ..., c) -> like x. Found by trying: each example j is changed in turn, by other numbers.
    """
    y, found = norm(x), np.zeros((len(x), len(x)), dtype=bool)
    for j in range(len(x)):
        changed = x.copy()
        changed[j] = np.cos(1 + np.arange(x[j].size)).reshape(x[j].shape) + 2 * x[j]
        # BEGIN SOLUTION task 4: column j: which examples of norm(changed) are not those of y
        found[:, j] = [np.any(now != before) for now, before in zip(norm(changed), y)]
        # END SOLUTION
    return found


def ignores(norm, x, change):
    """Does norm(x) stay as it is (to 1e-6) when x becomes change(x)? E.g. change = lambda x: 3 * x."""
    # BEGIN SOLUTION task 4: compare norm before and after; NaN is no "stays"
    difference = np.abs(norm(change(x)) - norm(x))
    # END SOLUTION
    return bool(np.all(difference <= 1e-6))
