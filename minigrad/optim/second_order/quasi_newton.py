"""BFGS and L-BFGS (section 8.6.3): an approximation M of the inverse Hessian learned from the steps taken.

A step s = theta' - theta and the change of gradient y = g' - g it made say that M y should be s. Both gradients come
from the same J, so a minibatch may change between steps but never inside a pair.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.arguments import count
from minigrad.optim.fields import state
from minigrad.optim.second_order.base import Descent, Search, dot, norm
from minigrad.typing import Array

CURVATURE = 1e-10       # a pair with s.y <= CURVATURE |s||y| would make M indefinite (or nearly): it is skipped


def worth_learning(s: Array, y: Array) -> bool:
    """Is the pair's curvature s . y clearly positive? (A strong Wolfe step makes it so, a failed one need not.)"""
    curvature = dot(s, y)
    return np.isfinite(curvature) and curvature > CURVATURE * norm(s) * norm(y)


class BFGS(Descent):
    """BFGS (section 8.6.3; Nocedal and Wright, algorithm 6.1).

        d = -M g                                            theta <- theta + t d
        M <- (I - r s y') M (I - r y s') + r s s',   r = 1/(y . s)

    M (n, n) approximates the inverse of H, is kept symmetric and positive definite, and starts as I. scale=True
    multiplies that first I by s.y / y.y once the first pair is known, which gives steps of the right size from then on
    (scale=False keeps the theory's exact form: with search="exact" on a quadratic, M = H^-1 after n steps).
    Bad pairs are skipped. Memory n^2, work n^2 per step besides J.
    Differs: the book's rho_t = M_t g_t lacks the minus sign that makes it descend; scale=True. On a badly conditioned J
    s.y / y.y measures the steepest directions, and the flat ones are then walked in steps too short to be seen: where
    J no longer falls beyond its rounding, M begins anew as I, this time without scale.
    """
    search: Search = None
    scale: bool = True
    M: Array = state(lambda opt: np.eye(opt.n, dtype=opt.dtype))
    pairs: int = state(0)                                   # learned since M was the identity
    patience = 20

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        return -(self.M @ g)

    def length(self, value: float, g: Array, d: Array) -> float:
        return 1.0 if self.pairs else min(1.0, 1 / norm(g))

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        if not worth_learning(s, y):
            return
        M = self.M
        if self.scale and not self.unscaled and self.pairs == 0:
            M *= dot(s, y) / dot(y, y)
        r = 1 / dot(s, y)
        My = M @ y
        # the update multiplied out: M - r (s My' + My s') + r (1 + r y.My) s s'
        half = np.outer(s, r * ((1 + r * dot(y, My)) / 2 * s - My))
        M += half + half.T
        self.pairs += 1

    def forget(self) -> None:
        self.M = np.eye(self.n)
        self.pairs = 0


class LBFGS(Descent):
    """L-BFGS (section 8.6.3; Nocedal and Wright, algorithms 7.4 and 7.5): BFGS from the last `memory` pairs only.

        q = g
        newest to oldest:  a_i = (s_i . q) / (y_i . s_i);  q -= a_i y_i
        r = gamma q,       gamma = s.y / y.y of the newest pair
        oldest to newest:  r += (a_i - (y_i . r) / (y_i . s_i)) s_i
        d = -r

    State: s and y, (memory, n) each, used as rings; nothing else grows with n. The first step tries a step of length 1
    (or -g if that is shorter), all later ones t = 1. Bad pairs are skipped.
    Differs: the book begins with M = I, here gamma I (scale=False: the book's); where J no longer falls beyond its
    rounding, the pairs are forgotten and M begins anew with I.
    """
    memory: int = 10
    search: Search = None
    scale: bool = True
    s: Array = state(lambda opt: opt.ring())
    y: Array = state(lambda opt: opt.ring())
    sy: Array = state(lambda opt: np.zeros(opt.memory))         # s_i . y_i
    gamma: float = state(1.0)
    pairs: int = state(0)                                       # stored since the last forgetting
    patience = 20

    def ring(self) -> Array:
        """Room for the last pairs, (memory, n)."""
        return np.zeros((count("LBFGS", "memory", self.memory), self.n), self.dtype)

    def stored(self) -> list[int]:
        """Rows of the ring, oldest first."""
        return [i % self.memory for i in range(max(0, self.pairs - self.memory), self.pairs)]

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        s, y, sy, order = self.s, self.y, self.sy, self.stored()
        r = -g                                                  # the recursion is linear: start from -g, end with d
        if not order:
            return r
        a = {}
        work = np.empty_like(r)
        for i in reversed(order):
            a[i] = float(dot(s[i], r) / sy[i])
            r -= np.multiply(y[i], a[i], out=work)
        r *= self.gamma
        for i in order:
            b = float(dot(y[i], r) / sy[i])
            r += np.multiply(s[i], a[i] - b, out=work)
        return r

    def length(self, value: float, g: Array, d: Array) -> float:
        return 1.0 if self.pairs else min(1.0, 1 / norm(g))

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        sy, yy = dot(s, y), dot(y, y)
        if not (np.isfinite(sy) and sy > CURVATURE * norm(s) * yy**0.5):
            return
        at = self.pairs % self.memory
        self.s[at], self.y[at], self.sy[at] = s, y, sy
        if self.scale and not self.unscaled:
            self.gamma = sy / yy
        self.pairs += 1

    def forget(self) -> None:
        self.pairs, self.gamma = 0, 1.0
