"""What a model is worth: loss, 0-1 error and confusion matrix on examples it is not trained on."""
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from minigrad.core import Tensor, no_grad


class Evaluation(NamedTuple):
    """loss: mean over the examples. error: share of wrong classes. confusion (k, k): rows labels, columns answers.

    error and confusion are None where y is not a vector of classes."""
    loss: float
    error: float | None
    confusion: np.ndarray | None


@contextmanager
def test_mode(model):
    """Inside, the model is in test mode and nothing is recorded; every module's mode is put back."""
    modes = [(module, module.training) for _, module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield model
    finally:
        for module, mode in modes:
            module.training = mode


def predict(model, x, batch_size=1000):
    """The model's output for all examples, in test mode: an ndarray (m, ...)."""
    with test_mode(model):
        parts = [model(Tensor(x[i:i + batch_size])).data for i in range(0, len(x), batch_size)]
    if not parts:
        raise ValueError("predict: no examples")
    return np.concatenate(parts)


def evaluate(model, loss, x, y, batch_size=1000):
    """Loss, 0-1 error and confusion matrix of a model in test mode. x (m, ...), y (m, ...). Changes nothing."""
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"evaluate: wanted as many x as y, and some, got {len(x)} and {len(y)}")
    total, classes = 0.0, []
    y = np.asarray(y)
    with test_mode(model):
        for i in range(0, len(x), batch_size):
            part = slice(i, i + batch_size)
            output = model(Tensor(x[part]))
            total += loss(output, y[part]).item() * len(y[part])
            if output.ndim == 2 and y.ndim == 1 and y.dtype.kind in "iu":
                classes.append(output.data.argmax(axis=1))
    if not classes:
        return Evaluation(total / len(x), None, None)
    answers = np.concatenate(classes)
    k = output.shape[1]
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (y, answers), 1)
    return Evaluation(total / len(x), float(np.mean(answers != y)), confusion)
