"""FitNets (8.7.4): a thin, deep student learns first what a wide, shallow teacher has in its middle layer."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import nn, ops
from minigrad.core import Tensor, shape_of
from minigrad.nn import Module
from minigrad.training import predict
from minigrad.typing import TensorLike


def hint_loss(h_student: TensorLike, h_teacher: TensorLike) -> Tensor:
    """1/2 |h_T - r(h_S)|^2, the sum over the units and the mean over the examples (Romero et al. 2015, equation 3).

    h_student: r(h_S), the regressor's output (m, ...). h_teacher: (m, ...), a constant of the same shape. Returns ().
    """
    if shape_of(h_student) != shape_of(h_teacher):
        raise ValueError(f"hint_loss: the regressor's output must have the shape of the hint, got "
                         f"{shape_of(h_student)} and {shape_of(h_teacher)}")
    return ops.sum(ops.square(h_student - h_teacher)) / (2 * shape_of(h_student)[0])


hint_loss.denominator = len


def fitnet(teacher: Module, student: Module, regressor: Module, train: Callable[..., Any], x: Any) -> Module:
    """Hints (Romero et al. 2015): train the lower half of a student to predict the middle layer of its teacher.

        h_T <- teacher(x)
        train  student, regressor  to predict h_T from x, by `hint_loss`;  discard the regressor

    teacher: a trained net up to its hint layer, such as `net[:4]`; it is asked once, in test mode and without a graph,
    and keeps its bits. student: the student up to its guided layer, such as `deep[:12]`, trained in place (it shares
    the layers of `deep`, which is then trained on the task itself). regressor: a module from the student's width to the
    teacher's; it learns too. train(model, x, h_T): as in `pretraining.py`, with hint_loss for its loss. x (m, ...).
    Returns the student. Raises ValueError before any training if the shapes do not meet.
    Differs: the two objectives come one after the other, as in the paper; at the same time they are an `AuxiliaryHead`
    with the regressor for its head, and a loss that adds the two.
    """
    for name, module in (("teacher", teacher), ("student", student), ("regressor", regressor)):
        if not isinstance(module, nn.Module):
            raise ValueError(f"fitnet: {name} must be a module, got {type(module).__name__}")
    if not callable(train):
        raise ValueError(f"fitnet: train must be a function train(model, x, hints), got {type(train).__name__}")
    guided = nn.Sequential(student, regressor)
    hints, found = predict(teacher, x), predict(guided, x[:1])
    if found.shape[1:] != hints.shape[1:]:
        raise ValueError(f"fitnet: the regressor's output has shape {found.shape[1:]} for an example, the teacher's "
                         f"hint layer {hints.shape[1:]}")
    train(guided, x, hints)
    return student
