"""Losses: the mean over the m examples of a batch, so that a learning rate means the same for every batch size."""
import numpy as np

from minigrad import ops


def cross_entropy(logits, labels):
    """Negative log-likelihood of the labels under softmax(logits). logits (m, k), labels (m,) integers -> ()."""
    return ops.softmax_cross_entropy(logits, labels)


def mean_squared_error(prediction, target):
    """Mean of (prediction - target)^2 over all elements. Equal shapes -> (). Refuses (m,) against (m, 1)."""
    if np.shape(prediction) != np.shape(target):
        raise ValueError(f"mean_squared_error: prediction and target must have one shape, "
                         f"got {np.shape(prediction)} and {np.shape(target)}")
    return ops.mean(ops.square(prediction - target))
