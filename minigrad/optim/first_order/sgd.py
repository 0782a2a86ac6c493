"""Stochastic gradient descent, momentum and Nesterov momentum (algorithms 8.1-8.3), then the forms of other texts.

What runs is the compiled form of each `update`; the text below is its definition. After an edit here
the text runs, and a warning says so. A subclass with an `update` of its own runs as written.
"""
from __future__ import annotations

from typing import Any

from minigrad.kernels.optim import compiled_as
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.first_order.base import FirstOrder
from minigrad.typing import Array


class SGD(FirstOrder):
    """Stochastic gradient descent (algorithm 8.1).

        theta <- theta - lr g

    theta: (n,), updated in place. lr: the book's eps_k, units of theta^2/J. Differs: nothing.
    """
    lr: Hyper

    @compiled_as("sgd(theta, g, lr)")
    def update(self, g: Array) -> None:
        self.theta = self.theta - self.lr * g


class Momentum(FirstOrder):
    """SGD with momentum (algorithm 8.2, equations 8.15 and 8.16).

        v <- alpha v - lr g
        theta <- theta + v

    momentum: the book's alpha in [0, 1), no units. It may rise: `momentum=schedules.Linear(0.5, 0.99, 1000)`.
    v: velocity, units of theta; it holds the learning rate, so that a change of lr acts on new gradients only.
    Under a constant g every step tends to lr |g| / (1 - alpha) (8.17). Differs: nothing. v starts at 0.
    """
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    v: Array = state()

    @compiled_as("momentum(theta, g, v, lr, momentum)")
    def update(self, g: Array) -> None:
        self.v = self.momentum * self.v - self.lr * g
        self.theta = self.theta + self.v


class Nesterov(Momentum):
    """SGD with Nesterov momentum (algorithm 8.3).

        theta~ <- theta + alpha v                the interim point, where the gradient g is taken
        v <- alpha v - lr g
        theta <- theta + v

    `opt.step(J)` takes g at theta~ and leaves the parameters at theta. After `opt.step()` they are at the next theta~,
    for the next backward; `with opt.at_theta():` they are at theta, to evaluate or save. From one loop to the other
    `opt.zero_grad()`, before the forward pass, leads to theta~.
    Differs: nothing. v starts at 0.
    """

    @compiled_as("interim(theta, v, momentum, out)")
    def point(self) -> Array:
        return self.theta + self.momentum * self.v


class NesterovNotes(Momentum):
    """Nesterov momentum as the course notes print it: theta *is* the interim point.

        v_before = v
        v <- alpha v - lr g
        theta <- theta - alpha v_before + (1 + alpha) v

    This theta is the theta + alpha v of algorithm 8.3, at every step. Nothing has to be put back, but evaluation
    happens at the interim point; `book_theta()` is the book's.
    Differs: with a changing momentum the last alpha is that of the next step (with one alpha, as printed, the equality
    with the book is lost).
    """

    def values(self, k: int) -> list[dict[str, Any]]:
        following = super().values(k + 1)
        return [now | {"next_momentum": then["momentum"]} for now, then in zip(super().values(k), following)]

    @compiled_as("nesterov_notes(theta, g, v, lr, momentum, next_momentum)")
    def update(self, g: Array) -> None:
        v_before = self.v.copy()
        self.v = self.momentum * self.v - self.lr * g
        self.theta = self.theta - self.momentum * v_before + (1 + self.next_momentum) * self.v

    def book_theta(self) -> Array:
        """theta - alpha v: the theta of algorithm 8.3, a fresh (n,) array."""
        theta, values = self.theta.copy(), self.values(self.k + 1)
        for start, stop, group, _ in self.movable():
            theta[start:stop] -= values[group]["momentum"] * self.v[start:stop]
        return theta


class MomentumNotes(Momentum):
    """Momentum as the course notes (and PyTorch) print it: v has the units of a gradient.

        v <- alpha v + g
        theta <- theta - lr v

    lr: units of theta^2/J. momentum: none. v starts at 0.
    Differs: from algorithm 8.2 in where lr stands. Equal to it for a constant lr; when lr changes, this scales all of
    the past at once, the book's does not.
    """

    @compiled_as("momentum_notes(theta, g, v, lr, momentum)")
    def update(self, g: Array) -> None:
        self.v = self.momentum * self.v + g
        self.theta = self.theta - self.lr * self.v
