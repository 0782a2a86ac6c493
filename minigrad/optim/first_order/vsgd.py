"""vSGD: no learning rate at all, from the variance of the gradient and the curvature, per parameter."""
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count
from minigrad.kernels.optim import compiled_as
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.first_order.base import FirstOrder
from minigrad.optim.optimizer import Step
from minigrad.random import generator
from minigrad.typing import Array


class VSGD(FirstOrder):
    """vSGD-l (Schaul, Zhang and LeCun 2013, "No more pesky learning rates").

        g_bar <- (1 - 1/tau) g_bar + 1/tau g            g: mean over the batch, of m examples
        v_bar <- (1 - 1/tau) v_bar + 1/tau g2           g2: mean over the batch of each example's g_i*g_i
        h_bar <- (1 - 1/tau) h_bar + 1/tau max(|h|, delta)      h: diagonal of the Hessian
        share = g_bar^2 / (v_bar/m + (1 - 1/m) g_bar^2)         of g*g, what is no noise of this batch
        tau <- (1 - share) tau + 1                      memory; the old tau was used above
        theta <- theta - share / h_bar g

    On a quadratic with independent noise in its examples, share/h_bar is the rate at which one step lowers the
    expected J the most. m = 1 is the paper's algorithm; the rule for batches is that of its continuation (Schaul and
    LeCun 2013, "Adaptive learning rates and parallelization"). share/h_bar has the units theta^2/J that it must have.
    J must have hessian_diagonal(theta) (n,) and example_grad_squares(theta) (n,), g2 itself, with m, the number of its
    examples, or example_grads(theta) (m, n); `step()` after a backward is refused. The exact diagonal costs n
    Hessian-vector products a step; samples=s takes an estimate from s of them, hessian_diagonal(theta, s, rng). rng: an
    int, a Generator, or None: the thread's default; one number is drawn from it here, `seed`, and every step draws from
    that and its own number k. delta: the floor of |h|, units of J/theta^2: no rate is above 1/delta (the diagonal of H
    says little where parameters work together: with 1e-5 a net of 66 parameters went from J = 1 to 10^4). The averages
    start from the first batch, v_bar at `slow` times its value (so the start is slow), tau at 2.
    Differs: 0 where v_bar = 0. slow is 2 as in the authors' program, n/10 in the paper; its floor of 1 under h holds at
    the start only, ours always; no outlier detection; h is exact where the paper approximates it by a backward pass of
    second derivatives.
    """
    slow: Hyper = hyper(2.0, "[1, inf)")
    delta: Hyper = hyper(1.0, "(0, inf)")
    samples: int | None = None
    rng: Any = None
    g_bar: Array = state()
    v_bar: Array = state()
    h_bar: Array = state()
    tau: Array = state()
    seed: int = state(0)                        # part of the state, so that a run resumes exactly
    work: ClassVar[tuple[str, ...]] = ("g2", "h")
    needs_objective = True

    def prepare(self) -> None:
        if self.samples is not None:
            try:
                self.samples = count("VSGD", "samples", self.samples)
            except ValueError:
                raise ValueError(f"VSGD: samples must be a count of Hessian-vector products or None, "
                                 f"got {self.samples!r:.60}") from None
            self.seed = generator(self.rng).integers(2**63)
        self._work["m"] = 1

    def step(self, J: Any = None) -> Step:
        """One step on J, which gives per-example gradients and the diagonal of the Hessian as well."""
        if J is None:
            raise ValueError("VSGD.step: needs an objective with example_grads and hessian_diagonal: step(J)")
        if hasattr(J, "example_grad_squares"):
            self.need(J, "hessian_diagonal")
            if not hasattr(J, "m"):
                raise ValueError(f"VSGD.step: {type(J).__name__} must say of how many examples it is the mean: J.m")
        else:
            self.need(J, "example_grads", "hessian_diagonal")
        return super().step(J)

    def evaluate(self, J: Any, theta: Array) -> tuple[float, Array]:
        value, g = super().evaluate(J, theta)
        if hasattr(J, "example_grad_squares"):
            g2, m = np.asarray(J.example_grad_squares(theta)), count("VSGD.step", "J.m", J.m)
        else:
            each = np.asarray(J.example_grads(theta))
            if each.ndim != 2 or each.shape[1] != self.n:
                raise ValueError(f"VSGD.step: example_grads must have shape (m, {self.n}), got {each.shape}")
            m = len(each)
            g2 = np.einsum("mi,mi->i", each, each) / m
        rng = np.random.default_rng([self.seed, self.k])
        h = np.asarray(J.hessian_diagonal(theta) if self.samples is None else
                       J.hessian_diagonal(theta, self.samples, rng))
        if g2.shape != (self.n,) or h.shape != (self.n,):
            raise ValueError(f"VSGD.step: example_grad_squares and hessian_diagonal must have shape ({self.n},), "
                             f"got {g2.shape} and {h.shape}")
        self._work["g2"][...], self._work["h"][...], self._work["m"] = g2, h, m
        return value, g

    def begin(self) -> None:
        self.g_bar, self.v_bar = self.g, self.slow * self.g2
        self.h_bar, self.tau = np.maximum(np.abs(self.h), self.delta), 2

    @compiled_as("vsgd(theta, g, g_bar, v_bar, h_bar, tau, g2, h, delta, m)")
    def update(self, g: Array) -> None:
        self.g_bar = (1 - 1 / self.tau) * self.g_bar + 1 / self.tau * g
        self.v_bar = (1 - 1 / self.tau) * self.v_bar + 1 / self.tau * self.g2
        self.h_bar = (1 - 1 / self.tau) * self.h_bar + 1 / self.tau * np.maximum(np.abs(self.h), self.delta)
        square = self.g_bar * self.g_bar
        share = np.divide(square, self.v_bar / self.m + (1 - 1 / self.m) * square,
                          out=np.zeros_like(g), where=self.v_bar != 0)
        share = np.minimum(share, 1)                            # above 1 by rounding only: the square of a mean
        self.tau = (1 - share) * self.tau + 1
        self.theta = self.theta - share / self.h_bar * g
