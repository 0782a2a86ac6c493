"""A rate per parameter, from the sign of its gradient alone: delta-bar-delta and Rprop. For full batches only.

What runs is the compiled form of each `update`; the text below is its definition. After an edit here
the text runs, and a warning says so. A subclass with an `update` of its own runs as written.
"""
from __future__ import annotations

import numpy as np

from minigrad.kernels.optim import compiled_as
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.first_order.base import FirstOrder
from minigrad.typing import Array


class DeltaBarDelta(FirstOrder):
    """Delta-bar-delta (Jacobs 1988; section 8.5): rates rise by addition and fall by multiplication.

        rate <- rate + kappa          where d g > 0         d: average of the gradients before this one
        rate <- rate (1 - phi)        where d g < 0
        theta <- theta - rate g
        d <- (1 - rho) g + rho d

    rate: (n,), starts at lr (later changes of lr do nothing). lr, kappa: units of theta^2/J. phi, rho: none; rho is
    Jacobs' theta. Only for full batches: a minibatch changes the sign of g by noise. Differs: nothing.
    """
    lr: Hyper
    kappa: Hyper = hyper(0.001, "[0, inf)")
    phi: Hyper = hyper(0.1, "[0, 1)")
    rho: Hyper = hyper(0.7)
    rate: Array = state()
    d: Array = state()

    def begin(self) -> None:
        self.rate = self.lr

    @compiled_as("delta_bar_delta(theta, g, rate, d, kappa, phi, rho)")
    def update(self, g: Array) -> None:
        agreement = np.sign(self.d) * np.sign(g)                # not d g, which underflows
        self.rate = np.where(agreement > 0, self.rate + self.kappa,
                             np.where(agreement < 0, self.rate * (1 - self.phi), self.rate))
        self.theta = self.theta - self.rate * g
        self.d = (1 - self.rho) * g + self.rho * self.d


class Rprop(FirstOrder):
    """Resilient propagation (Riedmiller and Braun 1993): the step back included.

        where g_before g > 0:  rate <- min(up rate, largest);    theta <- theta - sign(g) rate;   g_before <- g
        where g_before g < 0:  the last step is taken back;  rate <- max(down rate, smallest);    g_before <- 0
        elsewhere:                                               theta <- theta - sign(g) rate;   g_before <- g

    Of g only the sign counts. rate: (n,), starts at lr, units of theta like smallest and largest. The last step was
    -sign(g_before) rate, so that it need not be kept. After a step back g_before is 0, so that the rate does not shrink
    twice. up = down = 1 is the Manhattan rule. Only for full batches: of nine gradients 0.1 and one -0.9, which sum to
    0, it makes a large step. Differs: nothing.
    """
    lr: Hyper = hyper(0.1)
    up: Hyper = hyper(1.2, "[1, inf)")
    down: Hyper = hyper(0.5, "(0, 1]")
    smallest: Hyper = hyper(1e-6, "[0, inf)")
    largest: Hyper = hyper(50.0, "(0, inf)")
    rate: Array = state()
    g_before: Array = state()

    def begin(self) -> None:
        self.rate = self.lr

    @compiled_as("rprop(theta, g, rate, g_before, up, down, smallest, largest)")
    def update(self, g: Array) -> None:
        agreement = np.sign(self.g_before) * np.sign(g)         # not g_before g, which underflows
        turned = agreement < 0
        back = np.sign(self.g_before) * self.rate
        self.rate = np.where(agreement > 0, np.minimum(self.up * self.rate, self.largest),
                             np.where(turned, np.maximum(self.down * self.rate, self.smallest), self.rate))
        self.theta = self.theta + np.where(turned, back, -np.sign(g) * self.rate)
        self.g_before = np.where(turned, 0, g)


class RpropMinus(Rprop):
    """Rprop without the step back (iRprop-, Igel and Huesken 2000): after a change of sign, stay for one step.

        where g_before g > 0:  rate <- min(up rate, largest)
        where g_before g < 0:  rate <- max(down rate, smallest);  g <- 0
        theta <- theta - sign(g) rate
        g_before <- g

    PyTorch's Rprop is this one (its first rate is 0.01, ours the paper's 0.1). Differs: nothing.
    """
    @compiled_as("rprop_minus(theta, g, rate, g_before, up, down, smallest, largest)")
    def update(self, g: Array) -> None:
        agreement = np.sign(self.g_before) * np.sign(g)         # not g_before g, which underflows
        turned = agreement < 0
        self.rate = np.where(agreement > 0, np.minimum(self.up * self.rate, self.largest),
                             np.where(turned, np.maximum(self.down * self.rate, self.smallest), self.rate))
        self.g_before = np.where(turned, 0, g)
        self.theta = self.theta - np.sign(self.g_before) * self.rate
