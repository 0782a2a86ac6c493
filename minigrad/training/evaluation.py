"""What a model is worth: loss, 0-1 error, confusion matrix and metrics on examples it is not trained on."""
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from minigrad.core import Tensor, no_grad


class Evaluation(NamedTuple):
    """loss: mean over the examples. error: share of wrong classes. confusion (k, k): rows labels, columns answers.

    error and confusion are None where y is not a vector of classes. metrics: name -> number."""
    loss: float
    error: float | None
    confusion: np.ndarray | None
    metrics: dict


@contextmanager
def in_test_mode(model):
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
    if len(x) == 0 or batch_size < 1:
        raise ValueError(f"predict: wanted some examples and a batch_size of at least 1, got {len(x)} and {batch_size}")
    with in_test_mode(model):
        return np.concatenate([model(Tensor(x[i:i + batch_size])).data for i in range(0, len(x), batch_size)])


def evaluate(model, loss, x, y, batch_size=1000, metrics=None):
    """Loss, 0-1 error, confusion matrix and metrics of a model in test mode. x (m, ...), y (m, ...). Changes nothing.

    metrics: {name: f(outputs, y) -> number}, called once with the outputs (ndarray) for all m examples.
    """
    y, total, outputs = np.asarray(y), 0.0, []
    if len(x) != len(y) or len(x) == 0 or batch_size < 1:
        raise ValueError(f"evaluate: wanted as many x as y, and some, and a batch_size of at least 1, "
                         f"got {len(x)}, {len(y)} and {batch_size}")
    with in_test_mode(model):
        for i in range(0, len(x), batch_size):
            part = slice(i, i + batch_size)
            output = model(Tensor(x[part]))
            total += loss(output, y[part]).item() * len(y[part])
            outputs.append(output.data)
    outputs = np.concatenate(outputs) if outputs[0].ndim else np.array(outputs)
    measured = {name: float(f(outputs, y)) for name, f in (metrics or {}).items()}
    if not (outputs.ndim == 2 and y.ndim == 1 and y.dtype.kind in "iu"):
        return Evaluation(total / len(x), None, None, measured)
    answers, k = outputs.argmax(axis=1), outputs.shape[1]
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (y, answers), 1)
    return Evaluation(total / len(x), float(np.mean(answers != y)), confusion, measured)
