"""Conjugate gradients (section 8.6.2): linear, nonlinear (algorithm 8.9), scaled (Moller 1993)."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count, number
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.second_order.base import Descent, Search, SecondOrder, dot, less_damping, norm
from minigrad.optim.second_order.linesearch import Found, Line, strong_wolfe
from minigrad.typing import Array


@dataclass
class Solved:
    """What linear CG found: x (n,), residual b - A x (n,), products with A, reason.

    direction: the last one used, d; curvature: d.A d, where it was not positive. before: x before the step to the
    boundary, to which `residual` belongs then (else x). reason: "tolerance", "iterations", "negative curvature"
    (d.A d <= 0 along `direction`), "boundary", "not finite" or what the stop function said.
    """
    x: np.ndarray
    residual: np.ndarray
    products: int
    reason: str
    direction: np.ndarray
    before: np.ndarray
    curvature: float = math.nan


def linear_cg(product: Callable[[Array], Array], b: Array, x: Array | None = None, preconditioner: Any = None,
              tolerance: float = 0.0, iterations: int | None = None, radius: float = math.inf,
              stop: Callable[..., Any] | None = None) -> Solved:
    """Solve A x = b for symmetric positive definite A (Nocedal and Wright, algorithms 5.2, 5.3 and, for `radius`, 7.2).

        r = b - A x;  z = P^-1 r;  d = z
        a = r.z / d.A d;  x += a d;  r -= a A d;  z = P^-1 r;  d = z + (new r.z / old r.z) d

    product: v (n,) -> A v (n,). x: the start, None for 0 (then it costs no product). preconditioner: r -> P^-1 r.
    Stops when |r| <= tolerance, after `iterations` (default 10 n), where curvature is not positive, where x would leave
    the ball |x| <= radius (x is then on its boundary: Steihaug), or when stop(x, r, iteration) returns a reason.
    """
    n = len(b)
    r = b.copy() if x is None else b - product(x)
    products = 0 if x is None else 1
    x = np.zeros_like(b) if x is None else x.copy()
    z = r if preconditioner is None else preconditioner(r)
    d, rz = z.copy(), dot(r, z)
    if norm(r) <= tolerance:
        return Solved(x, r, products, "tolerance", d, x)
    for iteration in range(1, (10 * n if iterations is None else iterations) + 1):
        Ad = product(d)
        products += 1
        curvature = dot(d, Ad)
        if not (math.isfinite(curvature) and math.isfinite(rz)):
            return Solved(x, r, products, "not finite", d, x)
        if curvature <= 0:
            end = x + to_boundary(x, d, radius) * d if radius < math.inf else x
            return Solved(end, r, products, "negative curvature", d, x, curvature)
        a = rz / curvature
        ahead = x + a * d
        if norm(ahead) >= radius:
            return Solved(x + to_boundary(x, d, radius) * d, r, products, "boundary", d, x)
        x = ahead
        r = r - a * Ad
        if norm(r) <= tolerance:
            return Solved(x, r, products, "tolerance", d, x)
        if stop is not None and (reason := stop(x, r, iteration)):
            return Solved(x, r, products, reason, d, x)
        z = r if preconditioner is None else preconditioner(r)
        rz, before = dot(r, z), rz
        d = z + rz / before * d
    return Solved(x, r, products, "iterations", d, x)


def to_boundary(x: Array, d: Array, radius: float) -> float:
    """The t >= 0 at which |x + t d| = radius, for |x| <= radius."""
    dd, xd, xx = dot(d, d), dot(x, d), dot(x, x)
    root = math.sqrt(max(xd * xd + dd * (radius * radius - xx), 0.0))
    # the larger root; the form without cancellation
    return (radius * radius - xx) / (xd + root) if xd > 0 else (root - xd) / dd


def fletcher_reeves(g: Array, before: Array, d: Array) -> float:
    """beta = g.g / g-.g- (8.30). g, before: the gradient now and one step ago; d: the direction between them."""
    return dot(g, g) / dot(before, before)


def polak_ribiere(g: Array, before: Array, d: Array) -> float:
    """beta = (g - g-).g / g-.g- (8.31), not below 0 (so it restarts by itself where it would turn back).

    Differs: the clamp max(0, .), without which no line search makes the method safe (Gilbert and Nocedal 1992).
    """
    return max(0.0, dot(g - before, g) / dot(before, before))


def hestenes_stiefel(g: Array, before: Array, d: Array) -> float:
    """beta = (g - g-).g / (g - g-).d (Hestenes and Stiefel 1952), conjugate to the last direction with any step length.

    Differs: clamped at 0, as `polak_ribiere`.
    """
    bottom = dot(g - before, d)
    return max(0.0, dot(g - before, g) / bottom) if bottom else 0.0


class ConjugateGradient(Descent):
    """Nonlinear conjugate gradients (algorithm 8.9).

        d <- -g + beta d        theta <- theta + t d,  t by line search

    beta: fletcher_reeves, polak_ribiere (default) or hestenes_stiefel, or a function (g, g of the last step, last d).
    reset: beta_t = 0 where the step t (from 1) is a multiple of it, as the box counts (None: never; the book's 5 spoils
    the n-step property of a quadratic). search: strong Wolfe with c2 = 0.1 (c2 < 1/2 is what the theory of
    Fletcher-Reeves needs); "exact" on quadratics. beta is formed when its step ends, from two gradients of the same J,
    so minibatches may change between steps.
    Differs: g_0 = 0 would make beta_1 = 0/0: the first direction is -g. (8.29) has + gradient, the algorithm -. beta is
    also 0 where successive gradients are far from orthogonal, |g.g-| >= orthogonality g.g (Powell 1977; inf: never),
    and where d has almost turned sideways, g.d > -0.01 |g|^2.
    """
    beta: Callable = polak_ribiere
    reset: int | None = None
    search: Search = None
    orthogonality: float = 0.2
    d: Array = state()
    coefficient: float = state(0.0)              # beta for the next direction
    progress: float = state(0.0)                 # t phi'(0) of the last step, what it gained to first order
    gone: ClassVar[tuple[str, ...]] = ("since",)
    patience = 20

    def prepare(self) -> None:
        super().prepare()
        if self.reset is not None:
            self.reset = count("ConjugateGradient", "reset", self.reset, hint=" (None: never)")
        self.orthogonality = number("ConjugateGradient", "orthogonality", self.orthogonality, "[0, inf]")

    @staticmethod
    def default_search(phi: Line, step: float) -> Found:
        return strong_wolfe(phi, step, c2=0.1)

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        return -g + self.coefficient * self.d if self.coefficient else -g

    def descends(self, g: Array, d: Array) -> bool:
        """A CG direction that has almost turned sideways is of no use: want g.d <= -0.01 |g|^2, as SciPy does."""
        slope = dot(g, d)
        return math.isfinite(slope) and slope <= -0.01 * dot(g, g)

    def length(self, value: float, g: Array, d: Array) -> float:
        """As if this step gained as much to first order as the last (Nocedal and Wright 3.5); at first |d| = 1."""
        slope = dot(g, d)                                     # 0: no search will begin along such a d
        return self.progress / slope if self.progress and slope else min(1.0, 1 / norm(g))

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        self.d = d
        self.progress = t * dot(g, d)
        far = abs(dot(new_g, g)) >= self.orthogonality * dot(new_g, new_g)
        t = self.k + 2                                        # the step that the new beta is for; this one is k + 1
        due = self.reset is not None and t % self.reset == 0
        self.coefficient = 0.0 if far or due or not new_g.any() else self.beta(new_g, g, d)

    def forget(self) -> None:
        self.coefficient = self.progress = 0.0


class ScaledConjugateGradient(SecondOrder):
    """Scaled conjugate gradients (Moller 1993): curvature along d from a product instead of a line search.

        delta = d.H d + lambda |d|^2     (made positive by raising lambda)
        mu = -g.d;  t = mu / delta;  theta' = theta + t d
        Delta = 2 (J(theta) - J(theta')) / (t mu)         accept if Delta >= 0

    Delta > 0.75: lambda / 4; Delta < 0.25: lambda += delta (1 - Delta) / |d|^2. A step that is not accepted is tried
    again with the larger lambda inside the same call. The next direction is -g + beta d with
    beta = (|g'|^2 - g'.g) / mu, restarted every n accepted steps or where it would not descend.
    Differs: where J has hvp, d.H d is exact and sigma is not needed; else it is differenced over sigma / |d|. At most
    100 delta / |d|^2 are added to lambda at a time: after a trial where J explodes lambda could never come back.
    """
    sigma: Hyper = hyper(1e-4, "(0, inf)")
    d: Array = state()
    coefficient: float = state(0.0)              # beta for the next direction
    lambda_: float = state(1e-6)
    since: int = state(0)                        # steps since the last restart

    def __init__(self, params: Any, damping: float = 1e-6, sigma: float = 1e-4, tries: int = 40) -> None:
        super().__init__(params, sigma=sigma)
        self.lambda_ = number("ScaledConjugateGradient", "damping", damping, "(0, inf)")
        self.tries: int = count("ScaledConjugateGradient", "tries", tries)

    def curvature(self, J: Any, theta: Array, g: Array, d: Array) -> float:
        """d . H d."""
        self.spent += 1
        if hasattr(J, "hvp"):
            return dot(d, J.hvp(theta, d))
        h = self.now("sigma") / norm(d)
        return dot(d, self.evaluate(J, theta + h * d)[1] - g) / h

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        d = -g + self.coefficient * self.free(self.d)
        if self.coefficient == 0 or (slope := dot(g, d)) >= 0 or math.isnan(slope):
            d = -g
            self.since = 0
        mu, dd = -dot(g, d), dot(d, d)
        bare = self.curvature(J, theta, g, d)
        if not math.isfinite(bare):
            return "curvature is not finite"
        damping = self.lambda_
        for _ in range(self.tries):
            delta = bare + damping * dd
            if delta <= 0:                                    # Moller's step 4: twice what makes it zero
                damping = 2 * (damping - delta / dd)
                delta = bare + damping * dd
            t = mu / delta if delta else 0.0
            if t * mu == 0:                                   # twice what the step promises
                return "no decrease: the step is below rounding"
            new = theta + t * d
            if np.array_equal(new, theta) and (less := less_damping(damping, bare, dd)):
                damping = less
                continue
            new_value, new_g = self.evaluate(J, new)
            self.spent += 1
            comparison = 2 * (value - new_value) / (t * mu)
            if not math.isfinite(comparison) or not np.isfinite(new_g).all():
                damping = 10 * damping + delta / dd
                continue
            if comparison < 0.25:
                damping += delta * min(1 - comparison, 100) / dd
            if comparison >= 0 and np.array_equal(new, theta):
                return "no decrease: the step is below rounding"
            if comparison >= 0:
                if comparison > 0.75:
                    damping /= 4
                self.since = (self.since + 1) % self.n
                self.coefficient = (dot(new_g, new_g) - dot(new_g, g)) / mu if self.since else 0.0
                self.d, self.lambda_ = d, max(damping, 1e-300)
                return self.move(J, new, new_value, new_g)
        return "no decrease"
