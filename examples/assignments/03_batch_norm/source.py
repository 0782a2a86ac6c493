"""Batch normalization, forward and backward by hand (section 8.7.1, equations 8.35 to 8.37).

    xhat = (x - mu) / sqrt(var + delta)          mu and var (biased): of the batch
    y    = gamma xhat + beta

x (..., c): normalized over all axes but the last, so that a batch of vectors (m, c) and one of images (n, h, w, c) are
treated alike, with one mu and one var for every pixel. gamma, beta (c,).
"""
import math

import numpy as np
from numpy import mean, sqrt, sum


def leading(x):
    """Given: all axes but the last."""
    return tuple(range(x.ndim - 1))


# --------------------------------------------------------------------------------------------------------- 1: forward

def standardize(x, axes, delta):
    """xhat, and 1 / sqrt(var + delta), with the reduced axes kept as 1."""
    # BEGIN SOLUTION task 1: equations 8.35 to 8.37; the variance is the mean squared deviation, delta inside the root
    deviation = x - mean(x, axes, keepdims=True)
    scale = 1 / sqrt(mean(deviation * deviation, axes, keepdims=True) + delta)
    return deviation * scale, scale
    # END SOLUTION


def batch_norm(x, gamma, beta, delta=1e-5):
    """Given: y = gamma xhat + beta. x (..., c), gamma and beta (c,) -> like x."""
    return standardize(x, leading(x), delta)[0] * gamma + beta


# ------------------------------------------------------------------------------------- 2: backward through mu and sigma

def standardize_x(g, x, axes, delta):
    """dJ/dx from g = dJ/dxhat, both like x: mu and sigma depend on x as well."""
    # BEGIN SOLUTION task 2: what is left of g when its mean and its part along xhat are taken out, rescaled
    xhat, scale = standardize(x, axes, delta)
    return scale * (g - mean(g, axes, keepdims=True) - xhat * mean(g * xhat, axes, keepdims=True))
    # END SOLUTION


# ------------------------------------------------------------------------------------------------ 3: the whole backward

def batch_norm_backward(g, x, gamma, beta, delta=1e-5):
    """dJ/dx (like x), dJ/dgamma (c,) and dJ/dbeta (c,) from g = dJ/dy (like x)."""
    # BEGIN SOLUTION task 3: g passes gamma on its way to xhat; gamma and beta are shared by all examples (and pixels)
    dx = standardize_x(g * gamma, x, leading(x), delta)
    dgamma = sum(g * standardize(x, leading(x), delta)[0], leading(x))
    dbeta = sum(g, leading(x))
    return dx, dgamma, dbeta
    # END SOLUTION


# -------------------------------------------------------------------------------------------------------- 4: test time

class RunningAverages:
    """mu and var for test time: averages of those of the batches, 0 and 1 at first. features: c.

        running_mean <- (1 - momentum) running_mean + momentum mu
        running_var  <- (1 - momentum) running_var  + momentum var m/(m - 1)       m values per feature
    """

    def __init__(self, features, momentum=0.1):
        self.momentum = momentum
        self.running_mean, self.running_var = np.zeros(features), np.ones(features)

    def update(self, x):
        """Take the batch x (..., c) into the averages; the variance of a batch is made unbiased."""
        mean, var, share = x.mean(leading(x)), x.var(leading(x)), self.momentum
        m = math.prod(x.shape[:-1])
        # BEGIN SOLUTION task 4: the two lines of the docstring; share is the weight of the new batch
        self.running_mean = (1 - share) * self.running_mean + share * mean
        self.running_var = (1 - share) * self.running_var + share * m / (m - 1) * var
        # END SOLUTION

    def normalize(self, x, gamma, beta, delta=1e-5):
        """What the layer computes at test time, an affine map of each feature: also of a single example."""
        # BEGIN SOLUTION task 4: gamma (x - running mean) / sqrt(running var + delta) + beta
        scale = 1 / np.sqrt(self.running_var + float(delta))
        scale = gamma * scale
        y = x * scale + (beta - self.running_mean * scale)
        # END SOLUTION
        return y
