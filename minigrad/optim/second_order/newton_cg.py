"""Newton's method by Hessian products alone: conjugate gradients solve its system roughly (Nocedal and Wright, 7.1).

NewtonCG searches along the result, TrustRegion keeps it inside a ball, KrylovSaddleFree takes |H| in a small subspace.
Memory a few vectors of n; each product costs about as much as a gradient.
"""
from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count, number
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.second_order.base import NO_DECREASE, STALLED, Descent, Search, SecondOrder, dot, norm
from minigrad.optim.second_order.conjugate_gradient import Solved, linear_cg
from minigrad.optim.second_order.newton import SaddleFreeNewton
from minigrad.typing import Array


def forcing(g: Array) -> float:
    """How exactly to solve H d = -g: |residual| <= min(1/2, sqrt|g|) |g|, so that convergence is superlinear."""
    size = norm(g)
    return min(0.5, math.sqrt(size)) * size


class LeavesSaddles:
    """For a Descent: before a run ends, a look at the curvature out of the space that the gradients span.

    Products with gradients never leave a space that is invariant, as where two parameters have become equal: there the
    point looks like a minimum. CG on H x = b with a random b has a part in every direction, and meets negative
    curvature if there is some. That direction p is followed downhill, from a step of the size of theta on shorter and
    shorter, until J falls by a fourth of t^2 |p.H p| / 2. At most `looks` products, once, at the end.
    """
    needs: ClassVar[tuple[str, ...]] = ("hvp",)
    looks = 50

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        reason = super().advance(J, theta, value, g)
        if reason not in (STALLED, NO_DECREASE):
            return reason
        b = self.free(np.random.default_rng(self.k).standard_normal(self.n).astype(self.dtype))
        solved = linear_cg(self.products(J, theta, "hvp"), b, iterations=min(2 * self.n, self.looks))
        if solved.reason != "negative curvature":
            return reason
        p = solved.direction / norm(solved.direction)
        p = p if dot(g, p) <= 0 else -p
        curvature = solved.curvature / dot(solved.direction, solved.direction)
        for t in (max(1.0, norm(theta)) * 0.25**i for i in range(20)):
            new = theta + t * p
            new_value, new_g = self.trial(J, new)
            if new_value < value + t * t * curvature / 8 and new_value < value - self.noise * abs(value):
                self.note = f"left a saddle: curvature {curvature:.3g} in a direction that the gradients do not show"
                return self.move(J, new, new_value, new_g)
        return reason


class NewtonCG(LeavesSaddles, Descent):
    """Line-search Newton-CG (Nocedal and Wright, algorithm 7.1).

        H d = -g roughly, by conjugate gradients from 0;   theta <- theta + t d

    Where CG meets negative curvature it stops with what it has, or, at its first step, with -g scaled by |curvature|.
    Differs: at its first step the algorithm takes -g as it is. Before it ends it looks for negative curvature in a
    random direction (`LeavesSaddles`).
    """

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        hvp = self.products(J, theta, "hvp")
        solved = linear_cg(hvp, -g, tolerance=forcing(g))
        self.note = solved.reason
        if solved.reason == "negative curvature" and not solved.x.any():
            curvature = abs(dot(g, hvp(g)))
            return -g * (dot(g, g) / curvature if curvature else 1.0)
        return solved.x


class TrustRegion(SecondOrder):
    """Trust region by Steihaug's conjugate gradients (Nocedal and Wright, algorithms 4.1 and 7.2).

        min over |d| <= radius of g.d + d.H d/2, roughly;   theta <- theta + d  if J falls

    ratio = actual / predicted decrease: below 1/4 the radius shrinks to |d|/4, above 3/4 on the boundary it doubles.
    Negative curvature is followed to the boundary. radius: units of theta. A refused step is tried again with the
    smaller radius inside the same call; CG then walks the same path, whose products are remembered.
    Differs: the radius shrinks to a fourth of the step, not of the old radius (a step may be much shorter than it). The
    rounding of J is added to both decreases, so that the ratio of two that are rounding is 1.
    """
    needs: ClassVar[tuple[str, ...]] = ("hvp",)
    largest: Hyper = hyper(1000.0, "(0, inf)")
    radius: float = state(1.0)

    def __init__(self, params: Any, radius: float = 1.0, largest: float = 1000.0, accept: float = 0.15,
                 tries: int = 60) -> None:
        super().__init__(params, largest=largest)
        self.radius = number("TrustRegion", "radius", radius, "(0, inf)")
        self.accept: float = number("TrustRegion", "accept", accept, "[0, 0.25)")
        self.tries: int = count("TrustRegion", "tries", tries)

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        radius, known, hvp = self.radius, [], self.products(J, theta, "hvp")
        for _ in range(self.tries):
            walk = iter(known)

            def product(v, walk=walk):
                Hv = next(walk, None)
                if Hv is None:
                    Hv = hvp(v)
                    known.append(Hv)
                return Hv

            solved = linear_cg(product, -g, tolerance=forcing(g), radius=radius)
            d = solved.x
            if solved.reason == "not finite":
                return "curvature is not finite"
            new = theta + d
            new_value, new_g = self.trial(J, new)
            ratio = self.gain_ratio(value, new_value, self.predicted(d, g, solved, known))
            if math.isnan(ratio) or ratio <= 0.25:
                radius = norm(d) / 4
            elif ratio > 0.75 and solved.reason in ("boundary", "negative curvature"):
                radius = min(2 * radius, self.now("largest"))
            if ratio > self.accept:
                if self.stalled(value, g, new_value, new_g):
                    return STALLED
                self.radius = radius
                return self.move(J, new, new_value, new_g)
            if np.array_equal(new, theta):
                break
        return "no decrease"

    @staticmethod
    def predicted(d: Array, g: Array, solved: Solved, known: Any) -> float:
        """-(g.d + d.H d/2) at CG's result. CG keeps r = -g - H x; on the boundary r is one step behind."""
        if solved.reason not in ("boundary", "negative curvature"):
            return (dot(solved.residual, d) - dot(g, d)) / 2
        # d = x + t p with p the last direction, H p the last product, H x = -g - r
        Hp, p = known[solved.products - 1], solved.direction
        t = (dot(d, p) - dot(solved.before, p)) / dot(p, p)
        Hd = t * Hp - g - solved.residual
        return -dot(g, d) - dot(d, Hd) / 2


class KrylovSaddleFree(LeavesSaddles, SaddleFreeNewton):
    """Saddle-free Newton in a Krylov subspace (Dauphin et al. 2014, algorithm 1).

        Q = orthonormal basis of {g, H g, H^2 g, ..., last step};   d = -Q |Q'H Q|^-1 Q'g

    `dimension` Lanczos vectors, fully reorthogonalized, and the last step: dimension + 1 products per step.
    Differs: algorithm 1 makes several steps inside one subspace, each with the best of some dampings lambda in
    |H| + lambda I; here one, with small eigenvalues floored, and a strong Wolfe search. Before it ends it looks for
    negative curvature in a random direction (`LeavesSaddles`).
    """

    dimension: int = 20
    floor: Hyper = hyper(1e-8, "(0, 1)")
    search: Search = None
    last: Array = state()

    def prepare(self) -> None:
        super().prepare()
        self.dimension = count("KrylovSaddleFree", "dimension", self.dimension)

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        Q, HQ, hvp = [], [], self.products(J, theta, "hvp")

        def extend(v):
            """Append v's part orthogonal to Q, with its product. False if nothing is left of v."""
            size = norm(v)
            q = v.astype(np.float64)
            for _ in range(2):                                # twice is enough (Kahan and Parlett)
                for other in Q:
                    q -= (other @ q) * other
            left = norm(q)
            if math.isnan(left) or left <= 1e-8 * size:
                return False
            Q.append(q / left)
            HQ.append(np.asarray(hvp(Q[-1].astype(self.dtype)), np.float64))
            return True

        v = g
        while len(Q) < min(self.dimension, self.n) and extend(v):
            v = HQ[-1]
        if len(Q) < self.n:
            extend(self.free(self.last))
        Q, HQ = np.array(Q), np.array(HQ)
        T = Q @ HQ.T
        d = self.absolute((T + T.T) / 2, Q @ g.astype(np.float64))
        return None if d is None else (d @ Q).astype(self.dtype)

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        self.last = s
