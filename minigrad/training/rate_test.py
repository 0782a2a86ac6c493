"""The learning-rate range test: which rates make the loss fall at all, and from which on it breaks away (8.3.1)."""
import math
from copy import deepcopy
from typing import NamedTuple

import numpy as np

from minigrad import random
from minigrad.optim import NonFiniteError
from minigrad.training.loop import fit
from minigrad.training.run import Callback


class RateTest(NamedTuple):
    """rates, losses (steps made,): the rate of each step and the loss before it. smoothed: the losses, averaged.

    suggestion: a rate to start from; None if the loss never fell. largest: the rate where it was smallest; above that
    it rises again. suggestion = largest / 10."""
    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    largest: float | None


def rate_test(model, loss, optimizer, batches, lowest=1e-6, highest=10.0, steps=100, rho=0.9, away=4.0):
    """Learning-rate range test (Smith 2017; the advice of 8.3.1: look at the first steps' losses and choose by them).

        eps_k = lowest (highest / lowest)^((k - 1)/(steps - 1)),   one step on one batch for each k

    The losses are averaged, L_k <- rho L_(k-1) + (1 - rho) loss_k, divided by 1 - rho^k; the test ends early once L_k
    is `away` times the smallest so far, or not finite. Returns a RateTest.

    Works on copies: model, optimizer, the order of the batches and the generators are as before. Of groups that have a
    rate of their own, the rate does not change.
    """
    if not (0 < lowest < highest < math.inf and isinstance(steps, int) and steps >= 2 and 0 <= rho < 1 and away > 1):
        raise ValueError(f"rate_test: wanted 0 < lowest < highest, steps >= 2, rho in [0, 1) and away > 1, got "
                         f"lowest={lowest!r}, highest={highest!r}, steps={steps!r}, rho={rho!r}, away={away!r}")
    if "lr" not in optimizer.state_dict() and "hyper.lr" not in optimizer.state_dict():
        raise ValueError(f"rate_test: {type(optimizer).__name__} has no lr")
    with optimizer.at_theta():
        twin, opt = deepcopy((model, optimizer))
    growing = _Growing(lowest * (highest / lowest) ** (np.arange(steps) / (steps - 1)), rho, away)
    order = batches.state() if hasattr(batches, "state") else None
    default = random.capture()
    try:
        with np.errstate(all="ignore"):
            fit(twin, loss, opt, batches, steps=steps, callbacks=[growing], progress=False)
    except NonFiniteError:
        pass                                            # the rate was too large: that is what was asked
    finally:
        random.restore(default)
        if order is not None:
            batches.restore(order)
    smoothed = np.array(growing.smoothed)
    best = int(np.argmin(smoothed)) if len(smoothed) else 0
    fell = len(smoothed) > 1 and best > 0
    largest = float(growing.rates[best]) if fell else None
    return RateTest(growing.rates[:len(smoothed)], np.array(growing.losses), smoothed, largest / 10 if fell else None,
                    largest)


class _Growing(Callback):
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
        if k == len(self.rates) or self.smoothed[-1] > self.away * min(self.smoothed):
            run.stop("the rates are through" if k == len(self.rates) else "the loss broke away")
        else:
            run.optimizer.lr = float(self.rates[k])
