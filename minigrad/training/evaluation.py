"""What a model is worth: loss, 0-1 error, confusion matrix and metrics on examples it is not trained on."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor, no_grad
from minigrad.nn import Module
from minigrad.typing import Array, ArrayLike, Loss


class Evaluation(NamedTuple):
    """loss: that of all examples as one batch. error: share of wrong classes. confusion (k, k): rows labels, columns
    answers. An output that holds NaN is no answer: it counts as wrong, and stands in no column.

    error and confusion are None where y is not a vector of classes. metrics: name -> number."""
    loss: float
    error: float | None
    confusion: np.ndarray | None
    metrics: dict[str, Any]


@contextmanager
def in_test_mode(model: Module) -> Iterator[Module]:
    """Inside, the model is in test mode and nothing is recorded; every module's mode is put back."""
    with model.mode(training=False), no_grad():
        yield model


def denominator(loss: Loss) -> Any:
    """A function of a batch's targets: what the loss of this batch is divided by, so that batches make a whole:

        J = sum of J_batch d(y_batch) / sum of d(y_batch);    where the loss is a sum d is None, and J = sum of J_batch

    loss: one of `losses`, or functools.partial of it: d counts examples or elements, or sums the labels' weights.
    A loss of your own says it in an attribute, `loss.denominator = lambda y: ...`; without it the result is None
    (`fit` and `evaluate` then count examples).
    """
    options = {}
    while not hasattr(loss, "denominator"):
        if not isinstance(loss, partial):
            return None
        options, loss = {**loss.keywords, **options}, loss.func
    return partial(loss.denominator, **options) if options else loss.denominator


def shares(counts: Sequence[Any], total: Any) -> list[Any]:
    """What each batch's loss counts in the loss of them all. counts: their denominators, total: that of all; None for
    sums (each counts 1).

    A batch of denominator 0 has no mean and counts 0: its loss must not be asked for. If all are so, all count, and the
    loss itself says what is wrong.
    """
    return [one / total for one in counts] if total else [1.0] * len(counts)


def predict(model: Module, x: ArrayLike, batch_size: int = 1000) -> Array:
    """The model's output for all examples, in test mode: an ndarray (m, ...)."""
    batch_size = count("predict", "batch_size", batch_size)
    if len(x) == 0:
        raise ValueError("predict: wanted some examples, got none")
    with in_test_mode(model):
        return np.concatenate([model(Tensor(x[i:i + batch_size])).data for i in range(0, len(x), batch_size)])


def evaluate(model: Module, loss: Loss, x: ArrayLike, y: ArrayLike, batch_size: int = 1000,
             metrics: dict[str, Callable[..., Any]] | None = None) -> Evaluation:
    """Loss, 0-1 error, confusion matrix and metrics of a model in test mode. x (m, ...), y (m, ...). Changes nothing.

    The loss is that of all examples as one batch, whatever the batch_size: batches count by the loss's denominator
    (`denominator`; for a loss of your own that has none, by their examples).
    metrics: {name: f(outputs, y) -> number}, called once with the outputs (ndarray) for all m examples.
    """
    y, outputs = np.asarray(y), []
    batch_size = count("evaluate", "batch_size", batch_size)
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"evaluate: wanted as many x as y, and some, got {len(x)} and {len(y)}")
    parts = [slice(i, i + batch_size) for i in range(0, len(x), batch_size)]
    divided_by, total = denominator(loss) or len, 0.0
    with in_test_mode(model):
        for part, share in zip(parts, shares([divided_by(y[part]) for part in parts], divided_by(y))):
            output = model(Tensor(x[part]))
            outputs.append(output.data)
            if share:
                total += share * loss(output, y[part]).item()
    outputs = np.concatenate(outputs) if outputs[0].ndim else np.array(outputs)
    measured = {name: float(f(outputs, y)) for name, f in (metrics or {}).items()}
    if not (outputs.ndim == 2 and y.ndim == 1 and y.dtype.kind in "iu"):
        return Evaluation(total, None, None, measured)
    answers, k = outputs.argmax(axis=1), outputs.shape[1]
    answered = ~np.isnan(outputs).any(axis=1)
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (y[answered], answers[answered]), 1)
    return Evaluation(total, float(np.mean((answers != y) | ~answered)), confusion, measured)
