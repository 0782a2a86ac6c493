"""Losses: a prediction and a target -> J. By default the mean, so that a learning rate means the same for every batch
size; reduction="sum", or "none" for the values one by one.

Classifiers' losses (cross_entropy, hinge, kl_divergence) have one value per example, and take the mean over the m
examples. The others have one per element, and take the mean over all of them. A loss has the dtype of the prediction;
a target that is an array or a Tensor without history is a constant, converted to it and never modified. A prediction
that is an array or a list gives an array, as with every op; integers and lists count as float64.
"""
import math

import numpy as np

from minigrad import ops
from minigrad.arguments import number
from minigrad.core import Tensor, data_of, shape_of
from minigrad.ops.softmax import class_labels

__all__ = ["absolute_error", "binary_cross_entropy", "cross_entropy", "gaussian_nll", "hinge", "huber", "kl_divergence",
           "mean_squared_error", "zero_one_error"]

OTHER_NAMES = {                           # what other libraries call them
    "CrossEntropyLoss": "cross_entropy", "NLLLoss": "cross_entropy", "nll_loss": "cross_entropy",
    "mse": "mean_squared_error", "softmax_cross_entropy": "cross_entropy", "MSELoss": "mean_squared_error",
    "mse_loss": "mean_squared_error", "L1Loss": "absolute_error", "l1_loss": "absolute_error",
    "mean_absolute_error": "absolute_error", "BCEWithLogitsLoss": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy", "BCELoss": "binary_cross_entropy, of the logits",
    "SmoothL1Loss": "huber", "HuberLoss": "huber", "huber_loss": "huber",
    "KLDivLoss": "kl_divergence, of the logits", "kl_div": "kl_divergence, of the logits",
    "MultiMarginLoss": "hinge", "GaussianNLLLoss": "gaussian_nll", "accuracy": "1 - zero_one_error(logits, labels)",
}


def __dir__():
    return __all__


def __getattr__(name):
    instead = OTHER_NAMES.get(name)
    raise AttributeError(f"minigrad.losses has no {name!r}" + (f": {instead}" if instead else ""))


def _reduce(name, values, reduction):
    if reduction == "mean":
        return ops.mean(values)
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "none":
        return values
    raise ValueError(f'{name}: reduction must be "mean", "sum" or "none", got {reduction!r}')


def _prediction(name, x):
    """x in floating point: Tensors and arrays of floats as they are, lists and integers as float64."""
    if isinstance(x, (Tensor, np.ndarray)) and x.dtype.kind == "f":
        return x
    values = _array(name, "the prediction", x)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name}: the prediction must be a Tensor or an array of numbers, got {_kind(x)}")
    values = values.astype(np.float64)
    return Tensor(values) if isinstance(x, Tensor) else values


def _array(name, what, x):
    """The values of a Tensor, an array or a list. A list of Tensors would lose their history: refused."""
    if isinstance(x, list | tuple) and any(isinstance(part, Tensor) for part in x):
        raise ValueError(f"{name}: {what} is a {type(x).__name__} of Tensors; join them first: ops.stack, "
                         "ops.concatenate")
    try:
        return np.asarray(data_of(x))
    except ValueError:
        raise ValueError(f"{name}: {what} must be an array of numbers, got a list whose parts differ in "
                         "length") from None


def _kind(x):
    """What x is, in a message."""
    return f"dtype {x.dtype}" if isinstance(x, Tensor | np.ndarray) else type(x).__name__


def _target(name, prediction, target):
    """The target in the prediction's dtype, of exactly its shape: (m,) against (m, 1) would broadcast to (m, m)."""
    target = target if isinstance(target, Tensor | np.ndarray) else _array(name, "the target", target)
    if shape_of(prediction) != target.shape:
        hint = ""
        if math.prod(shape_of(prediction)) == target.size:
            hint = "; they would broadcast to a loss over all pairs: reshape one of them"
        raise ValueError(f"{name}: prediction and target must have one shape, got {shape_of(prediction)} and "
                         f"{target.shape}{hint}")
    if isinstance(target, Tensor) and target.requires_grad:
        return target
    if target.dtype.kind not in "fiub":
        raise ValueError(f"{name}: the target must hold numbers, got dtype {target.dtype}")
    return np.array(data_of(target), prediction.dtype)               # a copy: the caller's array may be refilled


def _labels(name, scores, labels):
    """labels (m,) as integers of [0, k), for scores (m, k)."""
    labels, k = class_labels(name, scores, labels), shape_of(scores)[1]
    if labels.size and (labels.min() < 0 or labels.max() >= k):
        raise ValueError(f"{name}: labels must lie in [0, {k}), got {labels.min()} to {labels.max()}")
    return labels


# ------------------------------------------------------------------------- what a loss divides by: batches make a whole

def _divided_by(denominator):
    """Decorator: `loss.denominator(target, **options)` is what the mean over these targets is divided by, None for a
    sum; so that `training` gets the loss of all examples from that of their batches."""
    def mark(loss):
        loss.denominator = denominator
        return loss

    return mark


def _examples(target, reduction="mean", **_):
    return None if reduction == "sum" else len(target)


def _elements(target, reduction="mean", **_):
    return None if reduction == "sum" else np.size(data_of(target))


def _weights_of(labels, weights=None, reduction="mean", **_):
    """cross_entropy: the sum of the labels' weights, m without weights."""
    if reduction == "sum":
        return None
    if weights is None:
        return len(labels)
    each = np.asarray(data_of(weights), np.float64)
    return float(each[_labels("cross_entropy", np.broadcast_to(0.0, (len(labels), len(each))), labels)].sum())


# -------------------------------------------------------------------------------------------------------------- classes

@_divided_by(_weights_of)
def cross_entropy(logits, labels, label_smoothing=0.0, weights=None, reduction="mean"):
    """Negative log-likelihood of the labels under softmax(logits). logits (m, k), labels (m,) integers -> ().

        J_i = -sum_j t_j log softmax(logits_i)_j,    t = (1 - s) one_hot(label_i) + s / k

    label_smoothing: s in [0, 1]. weights: (k,) non-negative, one for each class: t_j counts weights_j times, and the
    mean is divided by the sum of the labels' weights instead of m (a class that is rare counts like one that is not).
    """
    logits = _prediction("cross_entropy", logits)
    if label_smoothing.__class__ in (float, int) and label_smoothing == 0 and weights is None and reduction == "mean":
        return ops.softmax_cross_entropy(logits, labels)
    labels = _labels("cross_entropy", logits, labels)
    m, k = shape_of(logits)
    label_smoothing = number("cross_entropy", "label_smoothing", label_smoothing, "[0, 1]",
                             hint=" (the classes' weights are weights=)")
    if weights is None:
        each = np.ones(k, logits.dtype)
    else:
        each = np.asarray(data_of(weights)).astype(logits.dtype)
        if each.shape != (k,) or not (each >= 0).all():
            raise ValueError(f"cross_entropy: weights must be ({k},), one for each class and none negative, got "
                             f"{each.tolist()}, shape {each.shape}")
    log_p = ops.log_softmax(logits)
    values = -ops.getitem(log_p, (np.arange(m), labels)) * each[labels]
    if label_smoothing > 0:
        values = (1 - label_smoothing) * values - ops.sum(log_p * (label_smoothing / k * each), axis=1)
    if weights is None or reduction != "mean":
        return _reduce("cross_entropy", values, reduction)
    total = float(each[labels].sum(dtype=np.float64))
    if total == 0:
        raise ValueError("cross_entropy: the weights of all labels are 0 (or there are none): no mean exists")
    return ops.sum(values) / total


@_divided_by(_examples)
def hinge(scores, labels, margin=1.0, reduction="mean"):
    """Multi-class hinge (Weston and Watkins 1999): scores (m, k), labels (m,) integers -> ().

        J_i = sum over the wrong classes j of max(0, margin + s_j - s_label)

    Differs: PyTorch's multi_margin_loss divides by k.
    """
    scores, margin = _prediction("hinge", scores), number("hinge", "margin", margin)
    labels = _labels("hinge", scores, labels)
    rows = np.arange(len(labels))
    wrong = np.ones(shape_of(scores), scores.dtype)
    wrong[rows, labels] = 0
    right = ops.reshape(ops.getitem(scores, (rows, labels)), (-1, 1))
    return _reduce("hinge", ops.sum(ops.relu(scores - right + margin) * wrong, axis=1), reduction)


@_divided_by(_examples)
def kl_divergence(logits, target, reduction="mean"):
    """D(p || q) = sum_j p_j (log p_j - log q_j), q = softmax(logits). logits (m, k), target p (m, k) -> ().

    p: probabilities, each row summing to 1 (0 log 0 = 0). Zero if and only if q = p.
    """
    logits = _prediction("kl_divergence", logits)
    p = _target("kl_divergence", logits, target)
    if len(shape_of(logits)) != 2:
        raise ValueError(f"kl_divergence: wanted logits (m, k) and probabilities (m, k), got {shape_of(logits)}")
    values = data_of(p)
    if not ((values >= 0).all() and (np.abs(values.sum(axis=1) - 1) <= 1e-3).all()):
        raise ValueError("kl_divergence: each row of the target must hold probabilities that sum to 1, got a least "
                         f"of {values.min():.4g} and sums from {values.sum(axis=1).min():.4g}")
    log_p = ops.log(ops.where(values > 0, p, 1.0))
    log_q = ops.where(values > 0, ops.log_softmax(logits), 0.0)
    return _reduce("kl_divergence", ops.sum(p * (log_p - log_q), axis=1), reduction)


def zero_one_error(logits, labels):
    """The fraction of examples whose largest logit is not the label's, a float without gradient.

    logits (m, k), labels (m,); a row that holds NaN is wrong. This is the loss that is meant; the others are its
    surrogates (8.1.2).
    """
    logits = _prediction("zero_one_error", logits)
    labels = _labels("zero_one_error", logits, labels)
    if len(labels) == 0:
        raise ValueError("zero_one_error: no examples")
    logits = data_of(logits)
    return float(np.mean((np.argmax(logits, axis=1) != labels) | np.isnan(logits).any(axis=1)))


# --------------------------------------------------------------------------------------------------------- yes or no

@_divided_by(_elements)
def binary_cross_entropy(logits, target, reduction="mean"):
    """Negative log-likelihood of targets in [0, 1] under sigmoid(logits). Equal shapes -> ().

        J = t softplus(-z) + (1 - t) softplus(z)        = -t log sigmoid(z) - (1 - t) log(1 - sigmoid(z))

    Exact for any z: the sigmoid, which would round to 0 or 1, is never formed.
    """
    logits = _prediction("binary_cross_entropy", logits)
    t = _target("binary_cross_entropy", logits, target)
    values = data_of(t)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"binary_cross_entropy: targets must lie in [0, 1], got {values.min()} to {values.max()}")
    return _reduce("binary_cross_entropy", t * ops.softplus(-logits) + (1 - t) * ops.softplus(logits), reduction)


# -------------------------------------------------------------------------------------------------------------- numbers

def _difference(name, prediction, target):
    """prediction - target."""
    prediction = _prediction(name, prediction)
    return prediction - _target(name, prediction, target)


@_divided_by(_elements)
def mean_squared_error(prediction, target, reduction="mean"):
    """(prediction - target)^2, the mean over all elements. Equal shapes -> (). Refuses (m,) against (m, 1)."""
    d = _difference("mean_squared_error", prediction, target)
    return _reduce("mean_squared_error", ops.square(d), reduction)


@_divided_by(_elements)
def absolute_error(prediction, target, reduction="mean"):
    """|prediction - target|, the mean over all elements; the derivative at 0 is 0. Equal shapes -> ()."""
    return _reduce("absolute_error", ops.abs(_difference("absolute_error", prediction, target)), reduction)


@_divided_by(_elements)
def huber(prediction, target, threshold=1.0, reduction="mean"):
    """Squared where small, absolute where large (Huber 1964). Equal shapes -> ().

        d = prediction - target:    d^2 / 2  where |d| <= threshold,  else  threshold (|d| - threshold / 2)
    """
    threshold = number("huber", "threshold", threshold, "(0, inf]")
    d = _difference("huber", prediction, target)
    q = ops.clip(d, -threshold, threshold)
    return _reduce("huber", q * (d - 0.5 * q), reduction)


@_divided_by(_elements)
def gaussian_nll(mean, target, precision=1.0, reduction="mean"):
    """-log N(target | mean, 1/precision), the model of (8.24). mean and target of one shape -> ().

        J = (beta (target - mean)^2 - log beta + log 2 pi) / 2

    precision: beta > 0, the inverse of the variance: a number, or an array or Tensor that broadcasts to the shape of
    the mean. To learn it, learn its logarithm: precision=ops.exp(log_beta). With a mean that fits every target, J has
    no minimum: beta grows without bound (section 8.2.7).
    """
    mean = _prediction("gaussian_nll", mean)
    t = _target("gaussian_nll", mean, target)
    beta = precision if isinstance(precision, Tensor) else np.asarray(precision, mean.dtype)
    sizes = zip(beta.shape[::-1], shape_of(mean)[::-1])
    if beta.ndim > np.ndim(mean) or any(a != b and a != 1 for a, b in sizes):
        raise ValueError(f"gaussian_nll: precision must broadcast to the mean's shape {shape_of(mean)}, "
                         f"got {beta.shape}")
    if not (data_of(beta) > 0).all():
        raise ValueError(f"gaussian_nll: precision must be positive, got {data_of(beta).min()}; learn its logarithm")
    values = 0.5 * (beta * ops.square(t - mean) - ops.log(beta) + math.log(2 * math.pi))
    return _reduce("gaussian_nll", values, reduction)
