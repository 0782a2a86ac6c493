"""Polyak averaging (section 8.7.3): the mean of the points an optimizer visited."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.parameters import as_parameters
from minigrad.typing import Array


class PolyakAverage:
    """The average of theta(1), theta(2), ... (section 8.7.3), kept beside theta.

        average = PolyakAverage(opt)            # the plain mean;  PolyakAverage(opt, alpha=0.99): equation 8.39
        opt.step(J); average.update()           # after each step
        with average.applied(): ...             # theta is the average, for evaluation; put back to the bit afterwards

    alpha None: mean <- mean + (theta - mean)/t. alpha in [0, 1): average <- alpha average + (1 - alpha) theta (8.39).
    params: an optimizer (whose theta it takes, not its interim point), model.parameters() or an array (n,).
    mean: (n,), a copy of our own, zero before the first update; t: updates so far.
    Differs: 8.39 leaves the start open; ours is theta(1). Batch norm's running averages belong to the last theta, not
    to the average: recompute them inside `applied()` (`training.refresh_batch_norm`).
    """

    def __init__(self, params: Any, alpha: float | None = None) -> None:
        if alpha is not None:
            alpha = number("PolyakAverage", "alpha", alpha, "[0, 1)", wanted="in [0, 1) or None")
        self.opt: Optimizer | None = params if isinstance(params, Optimizer) else None
        self.params: Any = self.opt.params if self.opt else as_parameters(params, "PolyakAverage")
        self.alpha: float | None = alpha
        self.t: int = 0
        self.mean: Array = np.zeros_like(self.params.theta)

    def reset(self) -> None:
        """Begin anew: the next update is the first."""
        self.t = 0
        self.mean[...] = 0

    @contextmanager
    def _at_theta(self):
        if self.opt is None:
            yield self.params.theta
        else:
            with self.opt.at_theta() as theta:
                yield theta

    def update(self) -> None:
        """Take in theta as it is now."""
        with self._at_theta() as theta:
            if theta.shape != self.mean.shape or theta.dtype != self.mean.dtype:
                raise ValueError(f"PolyakAverage.update: theta must be {self.mean.shape} {self.mean.dtype}, "
                                 f"got {theta.shape} {theta.dtype}")
            self.t += 1
            if self.t == 1:
                self.mean[...] = theta
            elif self.alpha is None:
                self.mean += (theta - self.mean) / self.t
            else:
                self.mean[...] = self.alpha * self.mean + (1 - self.alpha) * theta

    @contextmanager
    def applied(self) -> Iterator[Array]:
        """`with average.applied():` the parameters are the average; theta comes back to the bit, exception or not, and
        so do the model's running averages, which may be computed anew for the average inside (`refresh_batch_norm`)."""
        if self.t == 0:
            raise ValueError("PolyakAverage.applied: there is no average yet: call update() after each step")
        buffers_put_back = getattr(self.params, "buffers_put_back", nullcontext)
        with self._at_theta() as theta, buffers_put_back():
            before = theta.copy()
            theta[...] = self.mean
            self.params.changed()
            try:
                yield theta
            finally:
                self.params.theta[...] = before
                self.params.changed()

    def state_dict(self) -> dict[str, Any]:
        return {"kind": "PolyakAverage", "alpha": "mean" if self.alpha is None else self.alpha, "t": self.t,
                "mean": self.mean.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved average. ValueError that lists every mismatch; then nothing has changed."""
        own = self.state_dict()
        problems = [f"{key} is missing" for key in own if key not in state]
        problems += [f"{key} is not known" for key in state if key not in own]
        problems += [f"{key} is {state[key]!r}, wanted {own[key]!r}" for key in ("kind", "alpha")
                     if key in state and state[key] != own[key]]
        mean = np.asarray(state.get("mean", self.mean))
        if mean.shape != self.mean.shape or mean.dtype != self.mean.dtype:
            problems.append(f"mean is {mean.shape} {mean.dtype}, wanted {self.mean.shape} {self.mean.dtype}")
        if problems:
            raise ValueError("PolyakAverage.load_state_dict: " + "; ".join(problems))
        self.t = int(state["t"])
        self.mean[...] = mean
