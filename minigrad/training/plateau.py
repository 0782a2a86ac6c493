"""A smaller learning rate once a figure no longer falls (after the book)."""
from __future__ import annotations

from math import inf, isnan
from typing import Any

from minigrad.arguments import count, number
from minigrad.optim.schedules import Constant, Scaled
from minigrad.training.run import Callback, Run


class ReduceOnPlateau(Callback):
    """Multiply the learning rate by `factor` when `metric` has not improved for `patience` epochs; then wait again.

        fit(..., callbacks=[ReduceOnPlateau(0.5, patience=3)])          # hears the figure after every epoch
        plateau.hear(optimizer, value)                                  # in a loop of your own; True if it reduced

    metric: a key of the epoch's figures; smaller is better, NaN never is. least: a figure is better if it is smaller by
    more than this. lowest: no rate is made smaller than this (one that is stays); under a schedule it is not watched.
    Groups with a rate of their own are reduced too; a schedule goes on, scaled. The rate is the optimizer's and saved
    with it; `best` and `waited` (epochs since it, or since the rate was reduced) are saved here, so that a resumed run
    goes on exactly. Differs: PyTorch's patience is one less, its threshold relative.
    """
    metric: str
    best: float
    waited: int

    def __init__(self, factor: float = 0.1, patience: int = 10, metric: str = "validation_loss", least: float = 0.0,
                 lowest: float = 0.0) -> None:
        self.factor: float = number("ReduceOnPlateau", "factor", factor, "(0, 1)")
        self.patience: int = count("ReduceOnPlateau", "patience", patience)
        self.least: float = number("ReduceOnPlateau", "least", least, "[0, inf)")
        self.lowest: float = number("ReduceOnPlateau", "lowest", lowest, "[0, inf)")
        self.metric, self.best, self.waited = metric, inf, 0

    def reset(self, run: Run) -> None:
        self.best, self.waited = inf, 0

    def epoch(self, run: Run) -> None:
        if self.metric not in run.figures:
            raise ValueError(f"ReduceOnPlateau: {self.metric} is not measured (there are {', '.join(run.figures)}); "
                             "give fit a validation set")
        self.hear(run.optimizer, run.figures[self.metric])

    def hear(self, optimizer: Any, value: float) -> bool:
        """Take in the figure of one more epoch. True if the rate was reduced."""
        if value < self.best - self.least:
            self.best, self.waited = float(value), 0
            return False
        self.waited += 1
        if self.waited < self.patience:
            return False
        self.waited = 0
        if not hasattr(optimizer, "lr"):
            raise ValueError(f"ReduceOnPlateau: {type(optimizer).__name__} has no learning rate")
        optimizer.lr = self.reduced(optimizer.lr)
        for group in getattr(optimizer, "groups", [])[1:]:
            if "lr" in group.own:
                group["lr"] = self.reduced(group["lr"])
        return True

    def reduced(self, lr: Any) -> Any:
        """The next learning rate: a number, or a schedule scaled (once, however often it is reduced)."""
        if not callable(lr):
            return min(lr, max(self.factor * lr, self.lowest))
        if isinstance(lr, Scaled) and isinstance(lr.factor, Constant):
            return Scaled(self.factor * lr.factor.value, lr.schedule)
        return Scaled(self.factor, lr)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"best": float(self.best), "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. ValueError if it is no such state; then nothing has changed."""
        best, waited = state.get("best"), state.get("waited")
        if not isinstance(best, float) or isnan(best) or type(waited) is not int or waited < 0:
            raise ValueError(f"ReduceOnPlateau.load_state_dict: best is {best!r:.80}, waited {waited!r:.80}")
        self.best, self.waited = best, waited
