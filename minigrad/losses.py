"""Losses: a prediction and a target -> J. By default the mean, so that a learning rate means the same for every batch
size; reduction="sum", or "none" for the values one by one.

Classifiers' losses (cross_entropy, categorical_nll, hinge, kl_divergence) have one value per example, and take the mean
over the m examples; where classes have weights or labels are ignored, over what the labels' weights sum to. The others
have one per element, and take the mean over all of them. A loss has the dtype of the prediction; a target that is an
array or a Tensor without history is a constant, converted to it and never modified. A prediction that is an array or a
list gives an array, as with every op; integers and lists count as float64.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minigrad import ops
from minigrad.arguments import count, number
from minigrad.core import Tensor, data_of, primitive, shape_of
from minigrad.ops.softmax import class_labels
from minigrad.typing import Reduction, TensorLike, X

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["absolute_error", "bernoulli_nll", "binary_cross_entropy", "categorical_nll", "cross_entropy",
           "gaussian_nll", "hinge", "huber", "kl_divergence", "mean_squared_error", "zero_one_error"]

OTHER_NAMES: dict[str, str] = {           # what other libraries call them
    "CrossEntropyLoss": "cross_entropy", "NLLLoss": "categorical_nll, of log-probabilities",
    "nll_loss": "categorical_nll, of log-probabilities",
    "mse": "mean_squared_error", "softmax_cross_entropy": "cross_entropy", "MSELoss": "mean_squared_error",
    "mse_loss": "mean_squared_error", "L1Loss": "absolute_error", "l1_loss": "absolute_error",
    "mean_absolute_error": "absolute_error", "BCEWithLogitsLoss": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy", "BCELoss": "bernoulli_nll, of probabilities",
    "SmoothL1Loss": "huber", "HuberLoss": "huber", "huber_loss": "huber",
    "KLDivLoss": "kl_divergence, of the logits", "kl_div": "kl_divergence, of the logits",
    "MultiMarginLoss": "hinge", "GaussianNLLLoss": "gaussian_nll", "accuracy": "1 - zero_one_error(logits, labels)",
}


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:                     # checkers would take every name for a loss
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
    values = data_of(x)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
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


def _rows(name, scores, labels, ignore_index=None):
    """Scores (..., k) as rows (m, k), their labels (m,), and which of them count: all but those that are ignored."""
    shape, given = shape_of(scores), shape_of(labels)
    if len(shape) > 2:
        if given != shape[:-1]:
            hint = "; the classes are the last axis: ops.moveaxis(x, 1, -1)" if given == shape[:1] + shape[2:] else ""
            raise ValueError(f"{name}: wanted (n, ..., k) and labels (n, ...), got {shape} and {given}{hint}")
        scores, labels = ops.reshape(scores, (math.prod(given), shape[-1])), np.reshape(data_of(labels), (-1,))
    if ignore_index is None:
        return scores, _labels(name, scores, labels), None
    ignored = count(name, "ignore_index", ignore_index, -2**63)
    labels = class_labels(name, scores, labels)
    counts = labels != ignored
    return scores, _labels(name, scores, np.where(counts, labels, 0)), counts


def _class_weights(name, weights, k, dtype):
    """One weight for each class (k,): 1, or those given, none negative."""
    if weights is None:
        return np.ones(k, dtype)
    each = np.asarray(data_of(weights)).astype(dtype)
    if each.shape != (k,) or not (each >= 0).all():
        raise ValueError(f"{name}: weights must be ({k},), one for each class and none negative, got "
                         f"{each.tolist()}, shape {each.shape}")
    return each


def _probabilities(name, p):
    """Refuse values (..., k) that are no probabilities."""
    if not ((p >= 0).all() and (np.abs(p.sum(axis=-1) - 1) <= 1e-3).all()):
        raise ValueError(f"{name}: each row of the target must hold probabilities that sum to 1, got a least "
                         f"of {p.min():.4g} and sums from {p.sum(axis=-1).min():.4g}")


# ------------------------------------------------------------------------- what a loss divides by: batches make a whole

def _divided_by(denominator: Callable[..., Any]) -> Callable[[F], F]:
    """Decorator: `loss.denominator(target, **options)` is what the mean over these targets is divided by, None for a
    sum; so that `training` gets the loss of all examples from that of their batches."""
    def mark(loss: Any) -> Any:
        loss.denominator = denominator
        return loss

    return mark


def _examples(target, reduction="mean", **_):
    return None if reduction == "sum" else len(target)


def _elements(target, reduction="mean", **_):
    return None if reduction == "sum" else np.size(data_of(target))


def _weights_of(labels, weights=None, reduction="mean", ignore_index=None, **_):
    """cross_entropy, categorical_nll: the sum of the weights of the labels that count, their number without weights.
    Of probabilities (..., k) the number of rows."""
    if reduction == "sum":
        return None
    labels = np.asarray(data_of(labels))
    if labels.dtype.kind == "f":
        return math.prod(labels.shape[:-1])
    labels = labels.reshape(-1) if ignore_index is None else labels[labels != ignore_index]
    if weights is None:
        return len(labels)
    each = np.asarray(data_of(weights), np.float64)
    return float(each[_labels("cross_entropy", np.broadcast_to(0.0, (len(labels), len(each))), labels)].sum())


# -------------------------------------------------------------------------------------------------------------- classes

@_divided_by(_weights_of)
def cross_entropy(logits: X, labels: TensorLike, label_smoothing: float = 0.0, weights: TensorLike | None = None,
                  reduction: Reduction = "mean", ignore_index: int | None = None) -> X:
    """Negative log-likelihood of the labels under softmax(logits). logits (m, k), labels (m,) integers -> ().

        J_i = -sum_j t_j log softmax(logits_i)_j,    t = (1 - s) one_hot(label_i) + s / k

    logits may be (n, ..., k), with labels (n, ...): every place is an example. label_smoothing: s in [0, 1].
    weights: (k,) non-negative, one for each class: t_j counts weights_j times, and the mean is divided by the sum of
    the labels' weights instead of m (a class that is rare counts like one that is not). ignore_index: examples with
    this label count nothing, in the divisor neither.
    labels may also be probabilities p of the logits' shape, each row summing to 1: then t = (1 - s) p + s / k, and the
    mean is divided by m, with weights too. Differs: in PyTorch the classes are the second axis.
    """
    logits = _prediction("cross_entropy", logits)
    labels = labels if labels.__class__ is np.ndarray or isinstance(labels, Tensor) else np.asarray(labels)
    if (weights is None and ignore_index is None and label_smoothing.__class__ in (float, int) and label_smoothing == 0
            and reduction == "mean" and data_of(logits).ndim <= 2 and data_of(labels).dtype.kind != "f"):
        return ops.softmax_cross_entropy(logits, labels)
    if labels.dtype.kind == "f" and labels.shape == logits.shape and logits.ndim > 1:
        return _cross_entropy_of(labels, logits, label_smoothing, weights, reduction, ignore_index)
    rows, flat, counts = _rows("cross_entropy", logits, labels, ignore_index)
    k = rows.shape[1]
    label_smoothing, each = _smoothing(label_smoothing), _class_weights("cross_entropy", weights, k, logits.dtype)
    log_p = ops.log_softmax(rows)
    values = _of_labels(log_p, flat, each)
    if label_smoothing > 0:
        values = (1 - label_smoothing) * values - ops.sum(log_p * (label_smoothing / k * each), axis=1)
    return _reduce_counted("cross_entropy", values, weights, each[flat], counts, reduction, labels.shape)


def _smoothing(label_smoothing):
    return number("cross_entropy", "label_smoothing", label_smoothing, "[0, 1]",
                  hint=" (the classes' weights are weights=)")


def _cross_entropy_of(p, logits, label_smoothing, weights, reduction, ignore_index):
    """cross_entropy of probabilities p (..., k) in the place of labels."""
    if ignore_index is not None:
        raise ValueError("cross_entropy: ignore_index is a label; of probabilities none can be ignored")
    p, k = _target("cross_entropy", logits, p), logits.shape[-1]
    _probabilities("cross_entropy", data_of(p))
    s, each = _smoothing(label_smoothing), _class_weights("cross_entropy", weights, k, logits.dtype)
    t = (1 - s) * p + s / k
    log_p = ops.where(data_of(t) > 0, ops.log_softmax(logits), 0.0)              # 0 log 0 = 0
    return _reduce("cross_entropy", -ops.sum(t * log_p * each, axis=-1), reduction)


def _of_labels(log_p, labels, each):
    """-weight log p of the labels, (m,)."""
    return -ops.getitem(log_p, (np.arange(len(labels)), labels)) * each[labels]


def _reduce_counted(name, values, weights, shares, counts, reduction, shape):
    """`_reduce`, with a mean over what the examples that count weigh. values, shares (m,); counts (m,) or None: all."""
    if counts is not None:
        values, shares = ops.where(counts, values, 0.0), shares * counts
    if reduction == "none":
        return ops.reshape(values, shape)
    if weights is None and counts is None or reduction != "mean":
        return _reduce(name, values, reduction)
    total = float(shares.sum(dtype=np.float64))
    if total == 0:
        ignored = " are 0" if counts is None else ", but for those that are ignored, are 0"
        raise ValueError(f"{name}: the weights of all labels{ignored} (or there are none): no mean exists")
    return ops.sum(values) / total


@_divided_by(_weights_of)
def categorical_nll(log_probabilities: X, labels: TensorLike, weights: TensorLike | None = None,
                    reduction: Reduction = "mean", ignore_index: int | None = None) -> X:
    """Negative log-likelihood of labels under logarithms of probabilities. (m, k), labels (m,) integers -> ().

        J_i = -weights[label_i] log p[i, label_i]

    log_probabilities: as ops.log_softmax gives them; cross_entropy takes the logits. (n, ..., k) with labels (n, ...),
    weights, ignore_index and what the mean is divided by: as in cross_entropy.
    """
    name = "categorical_nll"
    log_p = _prediction(name, log_probabilities)
    labels = labels if isinstance(labels, Tensor | np.ndarray) else np.asarray(labels)
    rows, flat, counts = _rows(name, log_p, labels, ignore_index)
    each = _class_weights(name, weights, rows.shape[1], log_p.dtype)
    return _reduce_counted(name, _of_labels(rows, flat, each), weights, each[flat], counts, reduction, labels.shape)


@_divided_by(_examples)
def hinge(scores: X, labels: TensorLike, margin: float = 1.0, reduction: Reduction = "mean") -> X:
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
def kl_divergence(logits: X, target: TensorLike, reduction: Reduction = "mean") -> X:
    """D(p || q) = sum_j p_j (log p_j - log q_j), q = softmax(logits). logits (m, k), target p (m, k) -> ().

    p: probabilities, each row summing to 1 (0 log 0 = 0). Zero if and only if q = p.
    """
    logits = _prediction("kl_divergence", logits)
    p = _target("kl_divergence", logits, target)
    if len(shape_of(logits)) != 2:
        raise ValueError(f"kl_divergence: wanted logits (m, k) and probabilities (m, k), got {shape_of(logits)}")
    values = data_of(p)
    _probabilities("kl_divergence", values)
    log_p = ops.log(ops.where(values > 0, p, 1.0))
    log_q = ops.where(values > 0, ops.log_softmax(logits), 0.0)
    return _reduce("kl_divergence", ops.sum(p * (log_p - log_q), axis=1), reduction)


def zero_one_error(logits: X, labels: TensorLike) -> float:
    """The fraction of examples whose largest logit is not the label's, a float without gradient.

    logits (m, k), labels (m,), or (n, ..., k) and (n, ...); a row that holds NaN is wrong. This is the loss that is
    meant; the others are its surrogates (8.1.2).
    """
    labels = labels if isinstance(labels, Tensor | np.ndarray) else np.asarray(labels)
    logits, labels, _ = _rows("zero_one_error", _prediction("zero_one_error", logits), labels)
    if len(labels) == 0:
        raise ValueError("zero_one_error: no examples")
    logits = data_of(logits)
    return float(np.mean((np.argmax(logits, axis=1) != labels) | np.isnan(logits).any(axis=1)))


# --------------------------------------------------------------------------------------------------------- yes or no

def _zero_to_one(name, target):
    """Refuse targets outside of [0, 1], and NaN."""
    values = data_of(target)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{name}: targets must lie in [0, 1], got {values.min()} to {values.max()}")


def _factor(name, what, value, like):
    """Non-negative constants that broadcast to the prediction's shape, in its dtype."""
    factor, shape = np.array(data_of(value), like.dtype), shape_of(like)
    fits = factor.ndim <= len(shape) and all(a in (1, b) for a, b in zip(factor.shape[::-1], shape[::-1]))
    if not fits or not (factor >= 0).all():
        raise ValueError(f"{name}: {what} must be none negative and broadcast to the prediction's shape {shape}, got "
                         f"shape {factor.shape}, a least of {factor.min(initial=np.inf):.4g}")
    return factor


@_divided_by(_elements)
def binary_cross_entropy(logits: X, target: TensorLike, reduction: Reduction = "mean",
                         weights: TensorLike | None = None, pos_weight: TensorLike | None = None) -> X:
    """Negative log-likelihood of targets in [0, 1] under sigmoid(logits). Equal shapes -> ().

        J = w (p t softplus(-z) + (1 - t) softplus(z))        = w (-p t log sigmoid(z) - (1 - t) log(1 - sigmoid(z)))

    Exact for any z: the sigmoid, which would round to 0 or 1, is never formed. weights: w, of each element, and
    pos_weight: p, of what is yes (of each column: how rare it is); they broadcast to the shape, 1 by default. The mean
    is over all elements, whatever they weigh.
    """
    logits = _prediction("binary_cross_entropy", logits)
    t = _target("binary_cross_entropy", logits, target)
    _zero_to_one("binary_cross_entropy", t)
    yes, no = t * ops.softplus(-logits), (1 - t) * ops.softplus(logits)
    if pos_weight is not None:
        yes = yes * _factor("binary_cross_entropy", "pos_weight", pos_weight, logits)
    values = yes + no
    if weights is not None:
        values = values * _factor("binary_cross_entropy", "weights", weights, logits)
    return _reduce("binary_cross_entropy", values, reduction)


@primitive
def _log_above(x, least):
    """log x, but not below `least`."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), least)


_log_above.vjps(lambda g, y, x, least: g / ops.maximum(x, 1e-12), None)        # at 0 large, not infinite


@_divided_by(_elements)
def bernoulli_nll(probabilities: X, target: TensorLike, reduction: Reduction = "mean",
                  weights: TensorLike | None = None) -> X:
    """Negative log-likelihood of targets in [0, 1] under probabilities in [0, 1] of yes. Equal shapes -> ().

        J = w (-t log p - (1 - t) log(1 - p))

    As in PyTorch no logarithm is below -100, and none has a derivative above 1e12 (Differs: where p = t = 0 or 1 the
    derivative is that of one side, 1 or -1, not 0). Where p is a sigmoid of something,
    binary_cross_entropy of that something has no such ends. weights: w, as there; the mean is over all elements.
    """
    name = "bernoulli_nll"
    p = _prediction(name, probabilities)
    t, values = _target(name, p, target), data_of(p)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{name}: probabilities must lie in [0, 1], got {values.min()} to {values.max()}; of logits "
                         "take binary_cross_entropy")
    _zero_to_one(name, t)
    values = -(t * _log_above(p, -100.0) + (1 - t) * _log_above(1 - p, -100.0))
    return _reduce(name, values if weights is None else values * _factor(name, "weights", weights, p), reduction)


# -------------------------------------------------------------------------------------------------------------- numbers

def _difference(name, prediction, target):
    """prediction - target."""
    prediction = _prediction(name, prediction)
    return prediction - _target(name, prediction, target)


@_divided_by(_elements)
def mean_squared_error(prediction: X, target: TensorLike, reduction: Reduction = "mean") -> X:
    """(prediction - target)^2, the mean over all elements. Equal shapes -> (). Refuses (m,) against (m, 1)."""
    d = _difference("mean_squared_error", prediction, target)
    return _reduce("mean_squared_error", ops.square(d), reduction)


@_divided_by(_elements)
def absolute_error(prediction: X, target: TensorLike, reduction: Reduction = "mean") -> X:
    """|prediction - target|, the mean over all elements; the derivative at 0 is 0. Equal shapes -> ()."""
    return _reduce("absolute_error", ops.abs(_difference("absolute_error", prediction, target)), reduction)


@_divided_by(_elements)
def huber(prediction: X, target: TensorLike, threshold: float = 1.0, reduction: Reduction = "mean") -> X:
    """Squared where small, absolute where large (Huber 1964). Equal shapes -> ().

        d = prediction - target:    d^2 / 2  where |d| <= threshold,  else  threshold (|d| - threshold / 2)
    """
    threshold = number("huber", "threshold", threshold, "(0, inf]")
    d = _difference("huber", prediction, target)
    q = ops.clip(d, -threshold, threshold)
    return _reduce("huber", q * (d - 0.5 * q), reduction)


@_divided_by(_elements)
def gaussian_nll(mean: X, target: TensorLike, precision: TensorLike = 1.0, reduction: Reduction = "mean") -> X:
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
