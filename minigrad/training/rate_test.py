"""The learning-rate range test: which rates make the loss fall at all, and from which on it breaks away (8.3.1)."""
from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from math import nan
from typing import Any, NamedTuple

import numpy as np

from minigrad import random
from minigrad.arguments import count, number
from minigrad.nn import Module
from minigrad.optim import NonFiniteError
from minigrad.training.loop import fit
from minigrad.training.run import Callback
from minigrad.typing import Loss


class RateTest(NamedTuple):
    """rates, losses (steps made,): the rate of each step and the loss before it. smoothed: the losses, averaged.

    largest: the rate where the smoothed loss was smallest; above that it rises again. suggestion: a rate to start from,
    largest / 10. Both None if the loss never fell by a tenth of its mean over the first tenth of the steps."""
    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    largest: float | None


def rate_test(model: Module, loss: Loss, optimizer: Any, batches: Iterable[Any], lowest: float = 1e-6,
              highest: float = 10.0, steps: int = 100, rho: float = 0.9, away: float = 4.0) -> RateTest:
    """Learning-rate range test (Smith 2017; the advice of 8.3.1: look at the first steps' losses and choose by them).

        eps_k = lowest (highest / lowest)^((k - 1)/(steps - 1)),   one step on one batch for each k

    The losses are averaged, L_k <- rho L_(k-1) + (1 - rho) loss_k, divided by 1 - rho^k; the test ends early once L_k
    is `away` times the smallest so far (below zero: has risen by away - 1 times its size), or not finite. Returns a
    RateTest.

    Works on copies: model, optimizer, the order of the batches and the generators are as before. Of groups that have a
    rate of their own, the rate does not change.
    """
    lowest, highest = (number("rate_test", name, value, "(0, inf)")
                       for name, value in (("lowest", lowest), ("highest", highest)))
    if lowest >= highest:
        raise ValueError(f"rate_test: lowest must be below highest, got lowest={lowest!r}, highest={highest!r}")
    steps = count("rate_test", "steps", steps, 2)
    rho, away = number("rate_test", "rho", rho, "[0, 1)"), number("rate_test", "away", away, "(1, inf)")
    if "lr" not in optimizer.state_dict() and "hyper.lr" not in optimizer.state_dict():
        raise ValueError(f"rate_test: {type(optimizer).__name__} has no lr")
    with optimizer.at_theta():
        twin, opt = deepcopy((model, optimizer))
    growing = _RateSweep(lowest * (highest / lowest) ** (np.arange(steps) / (steps - 1)), rho, away)
    if hasattr(batches, "state"):                       # a copy of the order, not of the data
        batches = deepcopy(batches, {id(data): data for data in batches.arrays or ()})
    default = random.capture()
    try:
        with np.errstate(all="ignore"):
            fit(twin, loss, opt, batches, steps=steps, callbacks=[growing], progress=False)
    except NonFiniteError:
        pass                                            # the rate was too large: that is what was asked
    finally:
        random.restore(default)
    losses, smoothed, first = np.array(growing.losses), np.array(growing.smoothed), max(1, steps // 10)
    suggestion = largest = None
    start = losses[:first].mean() if first < len(losses) else nan
    if start - smoothed[first:].min(initial=np.inf) > 0.1 * abs(start):
        largest = float(growing.rates[first + np.argmin(smoothed[first:])])
        suggestion = largest / 10
    return RateTest(growing.rates[:len(losses)], losses, smoothed, suggestion, largest)


class _RateSweep(Callback):
    """Sets the rate of each step, notes and averages the losses, stops when they break away."""

    def __init__(self, rates, rho, away):
        self.rates, self.rho, self.away = rates, rho, away
        self.losses, self.smoothed, self.mean = [], [], 0.0

    def start(self, run):
        run.optimizer.lr = float(self.rates[0])

    def step(self, run):
        k = run.steps
        self.losses.append(run.losses[-1])
        self.mean = self.rho * self.mean + (1 - self.rho) * run.losses[-1]
        self.smoothed.append(self.mean / (1 - self.rho ** k))
        smallest = min(self.smoothed)
        if k == len(self.rates) or self.smoothed[-1] - smallest > (self.away - 1) * abs(smallest):
            run.stop("all rates were tried" if k == len(self.rates) else "the loss broke away")
        else:
            run.optimizer.lr = float(self.rates[k])
