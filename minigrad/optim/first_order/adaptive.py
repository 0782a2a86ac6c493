"""One learning rate per parameter, from the squares of its gradients (section 8.5): AdaGrad, RMSProp, Adam and kin.

What runs is the compiled form of each `update`; the text below is its definition. After an edit here
the text runs, and a warning says so. A subclass with an `update` of its own runs as written.
"""
from __future__ import annotations

from math import sqrt

import numpy as np

from minigrad.arguments import number
from minigrad.kernels.optim import compiled_as
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.first_order.base import FirstOrder
from minigrad.typing import Array


class AdaGrad(FirstOrder):
    """AdaGrad (algorithm 8.4).

        r <- r + g*g
        theta <- theta - lr g / (delta + sqrt(r))

    theta: (n,), updated in place. lr: units of theta (the ratio g/sqrt(r) has none). delta: same units as g.
    Differs: nothing. (The survey's form has no delta: 0/0 for a parameter whose gradient is 0.)
    """
    lr: Hyper = hyper(0.01)
    delta: Hyper = hyper(1e-7, "(0, inf)")
    r: Array = state()

    @compiled_as("adagrad(theta, g, r, lr, delta)")
    def update(self, g: Array) -> None:
        self.r = self.r + g * g
        self.theta = self.theta - self.lr / (self.delta + np.sqrt(self.r)) * g


class RMSProp(FirstOrder):
    """RMSProp (algorithm 8.5).

        r <- rho r + (1 - rho) g*g
        theta <- theta - lr g / sqrt(delta + r)

    lr: units of theta. delta: inside the root, units of g*g. The first step is lr/sqrt(1 - rho) long: r is not
    corrected for its start at 0. Differs: nothing. (Most libraries put the constant outside the root.)
    """
    lr: Hyper = hyper(0.001)
    rho: Hyper = hyper(0.9)
    delta: Hyper = hyper(1e-6, "(0, inf)")
    r: Array = state()

    @compiled_as("rmsprop(theta, g, r, lr, rho, delta)")
    def update(self, g: Array) -> None:
        self.r = self.rho * self.r + (1 - self.rho) * g * g
        self.theta = self.theta - self.lr / np.sqrt(self.delta + self.r) * g


class RMSPropNesterov(FirstOrder):
    """RMSProp with Nesterov momentum (algorithm 8.6).

        theta~ <- theta + alpha v                the interim point, where the gradient g is taken
        r <- rho r + (1 - rho) g*g
        v <- alpha v - lr g / sqrt(delta + r)
        theta <- theta + v

    Differs: as printed there is no delta, 0/0 where r_i = 0; ours stands inside the root as in algorithm 8.5.
    delta=0 is the box as printed, with 0 for 0/0.
    """
    lr: Hyper = hyper(0.001)
    rho: Hyper = hyper(0.9)
    momentum: Hyper = hyper(0.9)
    delta: Hyper = hyper(1e-6)
    r: Array = state()
    v: Array = state()

    @compiled_as("interim(theta, v, momentum, out)")
    def point(self) -> Array:
        return self.theta + self.momentum * self.v

    @compiled_as("rmsprop_nesterov(theta, g, r, v, lr, rho, momentum, delta)")
    def update(self, g: Array) -> None:
        self.r = self.rho * self.r + (1 - self.rho) * g * g
        root = np.sqrt(self.delta + self.r)
        self.v = self.momentum * self.v - np.divide(self.lr, root, out=np.zeros_like(root), where=root != 0) * g
        self.theta = self.theta + self.v


class AdaDelta(FirstOrder):
    """AdaDelta (Zeiler 2012).

        r <- rho r + (1 - rho) g*g
        d = sqrt(delta + u) / sqrt(delta + r) g         u: from the steps before this one
        u <- rho u + (1 - rho) d*d
        theta <- theta - lr d

    d has the units of theta, so lr has none: 1 in the paper. delta: units of g*g, but the first steps are about
    sqrt(delta) long: the slow start is the method's own. Differs: nothing. (The survey prints no u: that is RMSProp.)
    """
    lr: Hyper = hyper(1.0)
    rho: Hyper = hyper(0.9)
    delta: Hyper = hyper(1e-6, "(0, inf)")
    r: Array = state()
    u: Array = state()

    @compiled_as("adadelta(theta, g, r, u, lr, rho, delta)")
    def update(self, g: Array) -> None:
        self.r = self.rho * self.r + (1 - self.rho) * g * g
        d = np.sqrt(self.delta + self.u) / np.sqrt(self.delta + self.r) * g
        self.u = self.rho * self.u + (1 - self.rho) * d * d
        self.theta = self.theta - self.lr * d


class Adam(FirstOrder):
    """Adam (algorithm 8.7).

        t <- t + 1
        s <- rho1 s + (1 - rho1) g
        r <- rho2 r + (1 - rho2) g*g
        s^ = s / (1 - rho1^t)
        r^ = r / (1 - rho2^t)
        theta <- theta - lr s^ / (sqrt(r^) + delta)

    lr: units of theta; the first step is about lr in every coordinate. delta: units of g, outside the root, after the
    correction. t counts the steps of each parameter from 1: one that is skipped keeps its t.
    Differs: rho1, rho2 in [0, 1), since at 1 the correction divides by zero (the book prints [0, 1]).
    """
    lr: Hyper = hyper(0.001)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    delta: Hyper = hyper(1e-8, "(0, inf)")
    s: Array = state()
    r: Array = state()

    @compiled_as("adam(theta, g, s, r, lr, rho1, rho2, delta, t)")
    def update(self, g: Array) -> None:
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        s_hat = self.s / (1 - self.rho1 ** self.t)
        r_hat = self.r / (1 - self.rho2 ** self.t)
        self.theta = self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)


class AdaMax(FirstOrder):
    """AdaMax (Kingma and Ba 2015, algorithm 2): Adam with the largest recent |g| in place of the root of r.

        s <- rho1 s + (1 - rho1) g
        u <- max(rho2 u, |g|)
        theta <- theta - lr / (1 - rho1^t) s / u

    lr: units of theta. Differs: where u = 0 (no gradient so far) the step is 0, not 0/0. The paper has no delta.
    """
    lr: Hyper = hyper(0.002)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    s: Array = state()
    u: Array = state()

    @compiled_as("adamax(theta, g, s, u, lr, rho1, rho2, t)")
    def update(self, g: Array) -> None:
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.u = np.maximum(self.rho2 * self.u, np.abs(g))
        ratio = np.divide(self.s, self.u, out=np.zeros_like(g), where=self.u != 0)
        self.theta = self.theta - self.lr / (1 - self.rho1 ** self.t) * ratio


class AdamW(Adam):
    """AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

        s^, r^ as in Adam, from the gradient without any decay
        theta <- theta - eta (lr s^ / (sqrt(r^) + delta) + weight_decay theta)

    eta: the paper's schedule multiplier, 1 by default; it scales the step and the decay alike. weight_decay: the
    paper's lambda, no units, *not* multiplied by lr. It shrinks the theta before the step.
    PyTorch's (optax', Keras') convention is `AdamW(params, lr=lr, weight_decay=lr * wd)`. Differs: nothing.
    """
    decoupled = True
    lr: Hyper = hyper(0.001)
    weight_decay: Hyper = hyper(1e-5)
    eta: Hyper = hyper(1.0, "[0, inf)")
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    delta: Hyper = hyper(1e-8)

    @compiled_as("adamw(theta, g, s, r, lr, rho1, rho2, delta, weight_decay, eta, t)")
    def update(self, g: Array) -> None:
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        s_hat = self.s / (1 - self.rho1 ** self.t)
        r_hat = self.r / (1 - self.rho2 ** self.t)
        step = self.lr * s_hat / (np.sqrt(r_hat) + self.delta)
        self.theta = self.theta - self.eta * (step + self.weight_decay * self.theta)


def normalized_decay(decay: float, batch: int, examples: int, epochs: int) -> float:
    """AdamW's weight decay for a run of any length: lambda = lambda_norm sqrt(b/(B T)) (Loshchilov and Hutter 2019).

    b: examples per batch; B: examples in the training set; T: epochs of the run (of this restart).
    """
    given = dict(decay=decay, batch=batch, examples=examples, epochs=epochs)
    decay, batch, examples, epochs = (number("normalized_decay", name, value, "(0, inf)", wanted="in (0, inf)")
                                      for name, value in given.items())
    return decay * sqrt(batch / (examples * epochs))
