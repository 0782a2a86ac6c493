"""Ensembles (the course notes): several models, one answer, the average of their probabilities.

Independent members are trained from different starts; snapshots are one run's parameters at several times, such as at
the ends of the cycles of a learning rate with restarts (Huang et al. 2017), and cost one training.
"""
from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

from minigrad import nn, ops
from minigrad.arguments import count
from minigrad.core import Tensor
from minigrad.training import Callback


class Ensemble(nn.Module):
    """The mean of the members' probabilities: x -> log((softmax(z_1) + ... + softmax(z_k)) / k), (m, classes).

    members: models that return logits (m, classes); kept, not copied. The output is a logarithm of probabilities and so
    logits of itself: softmax of it is the mean, `cross_entropy` its negative log-likelihood, which is never larger than
    the mean of the members' (Jensen). Probabilities are averaged, not logits: a member that is sure counts no more than
    one vote.
    """

    def __init__(self, members: Any) -> None:
        self.members: list[Any] = list(members)
        if not self.members or not all(isinstance(member, nn.Module) for member in self.members):
            raise ValueError("Ensemble: members must be one or more modules, got "
                             f"{[type(member).__name__ for member in self.members]}")

    def forward(self, x: Any) -> Tensor:
        return self.average([member(x) for member in self.members])

    @staticmethod
    def average(logits: Any) -> Tensor:
        """log of the mean of softmax over a list of logits (m, classes) each -> (m, classes)."""
        if len({z.shape for z in logits}) > 1 or logits[0].ndim != 2:
            raise ValueError(f"Ensemble: members must all return logits (m, classes), got {[z.shape for z in logits]}")
        logs = ops.stack([ops.log_softmax(z) for z in logits])
        return ops.logsumexp(logs, axis=0) - math.log(len(logits))

    def describe(self) -> str:
        return f"Ensemble of {len(self.members)}"


def ensemble(make: Callable[..., Any], train: Callable[..., Any], members: Any) -> Ensemble:
    """Train independent models and join them. Returns an `Ensemble`.

    make(i): a new model, for i = 0, ..., members - 1, each with weights of its own (another seed). train(model, i):
    trains it in place, best with the examples in another order, too.
    """
    members = count("ensemble", "members", members)
    for name, function in (("make", make), ("train", train)):
        if not callable(function):
            raise ValueError(f"ensemble: {name} must be a function, got {type(function).__name__}")
    models = []
    for i in range(members):
        model = make(i)
        if any(model is other for other in models):
            raise ValueError("ensemble: make must return a new model each time")
        train(model, i)
        models.append(model)
    return Ensemble(models)


class Snapshots(Callback):
    """A callback of `training.fit` that keeps copies of the model: after every `every` steps, or after the steps in
    `at`. The copies are the model's alone, what it learns later does not reach them.

        snapshots = Snapshots(every=500)                # the length of a cycle, optim.schedules.CosineRestarts
        training.fit(..., callbacks=[snapshots])
        snapshots.ensemble(last=3)

    models: the copies, oldest first, at theta (not at an interim point). steps: when they were made. Checkpoints save
    them, so that a resumed run has those of its first part too.
    """
    models: list[Any]
    steps: list[int]

    def __init__(self, every: int | None = None, at: Sequence[int] = ()) -> None:
        if (every is None) == (not at):
            raise ValueError(f"Snapshots: say either every= or at=, got every={every!r} and at={at!r:.40}")
        self.every: int | None = every if every is None else count("Snapshots", "every", every)
        self.at: set[int] = {count("Snapshots", "at", step) for step in at}
        self.models, self.steps, self._model = [], [], None

    def reset(self, run: Any) -> None:
        """A run begins: nothing is kept yet."""
        self.models, self.steps, self._model = [], [], run.model

    def step(self, run: Any) -> None:
        if run.steps in self.at or (self.every and run.steps % self.every == 0):
            with run.at_theta():
                self.models.append(copy.deepcopy(run.model))
            self.steps.append(run.steps)

    def ensemble(self, last: int | None = None) -> Ensemble:
        """The `Ensemble` of the snapshots, or of the last few."""
        if not self.models:
            raise ValueError("Snapshots.ensemble: no snapshot has been made")
        last = len(self.models) if last is None else count("Snapshots.ensemble", "last", last, 1, len(self.models))
        return Ensemble(self.models[-last:])

    def state_dict(self) -> dict[str, Any]:
        """steps, and the parameters and buffers of each snapshot as "place/path"."""
        return {"steps": list(self.steps)} | {f"{i}/{path}": value for i, model in enumerate(self.models)
                                              for path, value in model.state_dict().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The snapshots of the part of the run that is over, as copies of the run's model with their values."""
        models = []
        for i in range(len(state["steps"])):
            models.append(copy.deepcopy(self._model))
            models[i].load_state_dict({path.partition("/")[2]: value for path, value in state.items()
                                       if path.startswith(f"{i}/")})
        self.models, self.steps = models, list(state["steps"])
