"""First-order methods that came after the book, or that it leaves out. All of section 8.5's conventions hold for them.

No compiled forms: what runs is the text below.
"""
from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.first_order.adaptive import Adam
from minigrad.optim.first_order.base import FirstOrder
from minigrad.optim.first_order.sgd import Momentum
from minigrad.optim.optimizer import Step
from minigrad.optim.parameters import matrix_shape
from minigrad.typing import Array


class AMSGrad(Adam):
    """AMSGrad (Reddi, Kale and Kumar 2018, algorithm 2): Adam whose rates never rise again.

        s <- rho1 s + (1 - rho1) g
        r <- rho2 r + (1 - rho2) g*g
        highest <- max(highest, r)
        theta <- theta - lr s / (1 - rho1^t) / (sqrt(highest / (1 - rho2^t)) + delta)

    lr: units of theta. Where a few large gradients are all that matters, Adam forgets them too early and can move away
    from the minimum; this does not. Differs: the paper corrects neither average and has no delta; both are Adam's, as
    in PyTorch. (optax takes the maximum of the corrected r.)
    """
    highest: Array = state()

    def update(self, g: Array) -> None:
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        self.highest = np.maximum(self.highest, self.r)
        s_hat = self.s / (1 - self.rho1 ** self.t)
        r_hat = self.highest / (1 - self.rho2 ** self.t)
        self.theta = self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)


class NAdam(Adam):
    """NAdam (Dozat 2016, algorithm 2): Adam with Nesterov's momentum, which rises from rho1/2 to rho1.

        m = rho1 (1 - 0.96^(t warming) / 2)             the momentum of this step; m' that of the next, t + 1
        c <- m c                                        the product of all so far, 1 at the start
        s, r as in Adam
        s^ = m' s / (1 - m' c) + (1 - m) g / (1 - c)
        theta <- theta - lr s^ / (sqrt(r / (1 - rho2^t)) + delta)

    lr: units of theta. warming: 1/250 in the paper; a large one (1e9) is the constant momentum rho1. Like
    `NesterovNotes` this theta is the interim point, so that nothing has to be put back.
    Differs: s is Adam's, decayed by rho1 at every step; the paper decays it by m. So do PyTorch's and optax'.
    """
    lr: Hyper = hyper(0.001)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    delta: Hyper = hyper(1e-8, "(0, inf)")
    warming: Hyper = hyper(1 / 250, "[0, inf)")
    c: Array = state()

    def begin(self) -> None:
        self.c = 1

    def update(self, g: Array) -> None:
        m, following = (self.rho1 * (1 - 0.96 ** (t * self.warming) / 2) for t in (self.t, self.t + 1))
        self.c = m * self.c
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        s_hat = following * self.s / (1 - following * self.c) + (1 - m) * g / (1 - self.c)
        r_hat = self.r / (1 - self.rho2 ** self.t)
        self.theta = self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)


class RAdam(Adam):
    """RAdam (Liu et al. 2020, algorithm 2): Adam that does not divide by r before r is an average of enough gradients.

        s, r, s^, r^ as in Adam
        m = 2 / (1 - rho2) - 1;  m_t = m - 2 t rho2^t / (1 - rho2^t)        the gradients that r averages: at last, now
        c = sqrt((m_t - 4) (m_t - 2) m / ((m - 4) (m - 2) m_t))             towards 1
        theta <- theta - lr c s^ / (sqrt(r^) + delta)   if m_t > enough
        theta <- theta - lr s^                          if not: the first five steps, with rho2 = 0.999

    lr: units of theta; in the first steps those of theta^2/J, for which it is usually very small. It makes a warm-up
    unnecessary. Differs: enough is 5, as in the authors' program, PyTorch and optax; the paper's is 4.
    """
    lr: Hyper = hyper(0.001)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    delta: Hyper = hyper(1e-8, "(0, inf)")
    enough: Hyper = hyper(5.0, "[4, inf)")

    def update(self, g: Array) -> None:
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        s_hat = self.s / (1 - self.rho1 ** self.t)
        last, part = 2 / (1 - self.rho2) - 1, self.rho2 ** self.t
        now = last - 2 * self.t * part / (1 - part)
        if now > self.enough:
            c = sqrt((now - 4) * (now - 2) * last / ((last - 4) * (last - 2) * now))
            s_hat = c * s_hat / (np.sqrt(self.r / (1 - part)) + self.delta)
        self.theta = self.theta - self.lr * s_hat


class Lion(FirstOrder):
    """Lion (Chen et al. 2023, algorithm 2): the sign of a momentum that looks further back than the step does.

        c = rho1 s + (1 - rho1) g
        theta <- theta - lr (sign(c) + weight_decay theta)
        s <- rho2 s + (1 - rho2) g

    lr: units of theta; every coordinate moves by lr, so it wants a rate 3 to 10 times smaller than Adam's (the paper),
    and a schedule that ends in 0. weight_decay: decoupled and multiplied by lr, as printed (AdamW's here is not).
    One state array where Adam has two. Differs: nothing; sign(0) = 0.
    """
    decoupled = True
    lr: Hyper = hyper(1e-4)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.99)
    s: Array = state()

    def update(self, g: Array) -> None:
        c = self.rho1 * self.s + (1 - self.rho1) * g
        self.theta = self.theta - self.lr * (np.sign(c) + self.weight_decay * self.theta)
        self.s = self.rho2 * self.s + (1 - self.rho2) * g


class Muon(Adam):
    """Muon (Jordan et al. 2024): every matrix moves by the nearest orthogonal matrix to its momentum.

        s <- momentum s + (1 - momentum) g
        U = orthogonal((1 - momentum) g + momentum s)           as a matrix (in, out), see `orthogonal`
        theta <- theta - lr (0.2 sqrt(max(in, out)) U + weight_decay theta)

    A step of steepest descent where the length of a matrix is its largest singular value. A conv weight
    (kh, kw, c_in, c_out) is the matrix (kh kw c_in, c_out). Biases, gains and other vectors, so all of a plain array
    theta, move as in Adam, with rho1, rho2 and delta, and decay as above. Matrices that should move so too (Jordan:
    embeddings, the output layer) get an Adam of their own, on the parameters of their layers. The factor (Liu et al.
    2025) makes each entry's step about 0.2 lr, so that one lr, units of theta, serves both. weight_decay: decoupled and
    multiplied by lr. r is not used by matrices.
    Differs: Jordan's factor is sqrt(max(1, out/in)), which asks for a lr of its own.
    """
    decoupled = True
    by_parameter = True
    lr: Hyper = hyper(0.001)
    momentum: Hyper = hyper(0.95)

    def update(self, g: Array) -> None:
        if len(self.shape) > 1:
            self.s = self.momentum * self.s + (1 - self.momentum) * g
            U = orthogonal(((1 - self.momentum) * g + self.momentum * self.s).reshape(matrix_shape(self.shape)),
                           self.delta)
            step = 0.2 * sqrt(max(U.shape)) * U.reshape(-1)
        else:
            self.s = self.rho1 * self.s + (1 - self.rho1) * g
            self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
            step = self.s / (1 - self.rho1 ** self.t) / (np.sqrt(self.r / (1 - self.rho2 ** self.t)) + self.delta)
        self.theta = self.theta - self.lr * (step + self.weight_decay * self.theta)


def orthogonal(M: Array, delta: float = 1e-8) -> Array:
    """About the orthogonal matrix nearest to M (rows, columns), as Muon takes it: U V' of the SVD M = U S V'.

        X = M / (|M| + delta)                           the Frobenius norm
        five times: X <- a X + (b X X' + c X X' X X') X         a, b, c = 3.4445, -4.7750, 2.0315

    A Newton-Schulz iteration with Jordan's coefficients: products of matrices only. U and V are those of M to rounding;
    its singular values above 0.01 |M| become 0.68 to 1.14, smaller ones at least grow. A fresh array; 0 for M = 0.
    """
    X = M / (np.linalg.norm(M) + delta)
    X = X.T if len(M) > M.shape[1] else X               # the smaller of X X' and X' X
    for _ in range(5):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return X.T if len(M) > M.shape[1] else X


class SAM(Momentum):
    """Sharpness-aware minimization (Foret et al. 2021, algorithm 1), on SGD with momentum (algorithm 8.2).

        g <- gradient at theta
        g <- gradient at theta + radius g / |g|         the highest point of a ball around theta, to first order
        v <- alpha v - lr g
        theta <- theta + v

    Seeks minima whose neighbourhood is low too. Two gradients of J a step, on the same examples: `step(J)` only, as no
    backward takes the second one; Step.value is J at theta. radius: the paper's rho, units of theta. |g|: over all
    parameters that may move; frozen ones stay in both. weight_decay: of theta, in the second g only.
    Differs: where g = 0 the second gradient is that at theta.
    """
    needs_objective = True
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    radius: Hyper = hyper(0.05, "[0, inf)")

    def step(self, J: Any = None) -> Step:
        """One step on J; a gradient that was taken before cannot be used."""
        if J is None:
            raise ValueError("SAM.step: takes two gradients of an objective: step(J), J = Objective(model, loss, x, y)")
        step = super().step(J)
        step.evaluations = 2
        return step

    def evaluate(self, J: Any, theta: Array) -> tuple[float, Array]:
        value, g = super().evaluate(J, theta)
        moved, numbers, runs = theta.copy(), self.values(self.k + 1), self.movable()
        norm = sqrt(sum(float(np.sum(np.square(g[start:stop], dtype=np.float64))) for start, stop, *_ in runs))
        for start, stop, group, _ in runs:
            moved[start:stop] += g[start:stop] * (numbers[group]["radius"] / (norm or 1.0))
        return value, super().evaluate(J, moved)[1]


class ScheduleFree(FirstOrder):
    """Schedule-free SGD (Defazio et al. 2024, equations 3 to 5): theta is the average of the points that SGD visits.

        theta~ <- theta + (1 - momentum) v              the interim point, where the gradient g is taken
        v <- v - lr g
        w <- w + (lr^2 - w)/t                           the mean of lr^2
        theta <- theta + c v,  c = lr^2 / (t w)         1/t for a constant lr
        v <- (1 - c) v

    In the paper's letters theta is x, the interim point y, and v = z - x: z <- z - lr g, x <- (1 - c) x + c z.
    `opt.step()` leaves the parameters at y, for the next backward; `with opt.at_theta():` they are at x, to evaluate or
    save. A constant lr, units of theta^2/J and larger than SGD's, perhaps with a warm-up; no end has to be fixed
    beforehand. weight_decay is taken at y. Batch norm's running averages are those of y: `refresh_batch_norm` at theta.
    Differs: in rounding only (v in place of z). A rate of 0 does not count in the average.
    """
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    v: Array = state()
    w: Array = state()

    def point(self) -> Array:
        return self.theta + (1 - self.momentum) * self.v

    def update(self, g: Array) -> None:
        self.w = self.w + (self.lr ** 2 - self.w) / self.t
        c = np.divide(self.lr ** 2 / self.t, self.w, out=np.zeros_like(g), where=self.w != 0)
        self.v = self.v - self.lr * g
        self.theta = self.theta + c * self.v
        self.v = (1 - c) * self.v
