"""Newton's method with the whole Hessian (section 8.6.1): plain, damped, saddle-free, and Levenberg-Marquardt.

Systems are solved by Cholesky's factorization; no inverse is ever formed. The algebra is float64, whatever theta is.
For more parameters than a few thousand see `newton_cg`.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count, number
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.second_order.base import STALLED, Descent, Search, SecondOrder, less_damping
from minigrad.optim.second_order.linesearch import full_step
from minigrad.typing import Array


def dense_hessian(opt: Any, J: Any, theta: Array) -> Array:
    """H (n, n), float64, symmetric: J.hessian, or n products with the axes where J has only hvp.

    A frozen parameter is coupled to nothing; its own curvature, which no step feels, is there to keep H regular.
    """
    if hasattr(J, "hessian"):
        H = np.asarray(J.hessian(theta), np.float64)
    else:
        opt.need(J, "hvp")
        H = np.array([J.hvp(theta, axis) for axis in np.eye(opt.n, dtype=opt.dtype)], np.float64)
    H = (H + H.T) / 2
    for part in opt.frozen:
        H[part], H[:, part] = 0, 0
        np.fill_diagonal(H[part, part], np.abs(H).max() or 1.0)
    return H


def cholesky(A: Array) -> Array | None:
    """Lower L with L L' = A, or None where A (n, n) is not positive definite (or not finite)."""
    if not np.isfinite(A).all():
        return None
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return None


def solve_cholesky(L: Array, b: Array) -> Array:
    """x with L L' x = b: forward, then backward substitution. L (n, n), b (n,)."""
    x = np.array(b, np.float64)
    n = len(x)
    for i in range(n):
        x[i] = (x[i] - L[i, :i] @ x[:i]) / L[i, i]
    for i in reversed(range(n)):
        x[i] = (x[i] - L[i + 1:, i] @ x[i + 1:]) / L[i, i]
    return x


def solve(A: Array, b: Array) -> Array | None:
    """x with A x = b: by Cholesky where A (n, n) is positive definite, else by elimination; None if it is singular."""
    L = cholesky(A)
    if L is not None:
        return solve_cholesky(L, b)
    try:
        x = np.linalg.solve(A, np.asarray(b, np.float64))
    except np.linalg.LinAlgError:
        return None
    return x if np.isfinite(x).all() else None


class Newton(Descent):
    """Newton's method (algorithm 8.8, equation 8.27).

        solve H d = -g;  theta <- theta + d

    As printed there is no search and no question where d leads: it jumps to the critical point of the local parabola,
    be it a minimum, a saddle or a maximum. With search="wolfe" it only goes down (d that does not descend becomes -g).
    Needs J.hessian or J.hvp; O(n^3) per step.
    Differs: solves instead of inverting, by Cholesky, by elimination where H is indefinite. Where H is singular the
    step is -g, shortened to length 1 if it is longer: d = -g min(1, 1/|g|).
    """
    default_search: ClassVar[Callable[..., Any]] = staticmethod(full_step)

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        H = dense_hessian(self, J, theta)
        d = solve(H, -g)
        if cholesky(H) is None:
            self.note = "the Hessian is not positive definite"
        return None if d is None else d.astype(self.dtype)

    def descends(self, g: Array, d: Array) -> bool:
        """Is d finite? Whether it may climb is for the search to say: the full step does not ask."""
        return bool(np.isfinite(d).all())


class DampedNewton(SecondOrder):
    """Newton's method with alpha I added to the Hessian (equation 8.28).

        solve (H + alpha I) d = -g;  theta <- theta + d

    alpha (`damping` at first) has the unit of H. As it grows, d becomes -g / alpha; it must exceed the most negative
    eigenvalue for d to descend. adaptive=False: alpha stays, and the step is made wherever it leads, as printed.
    adaptive=True: only if J falls; alpha grows by 4 until H + alpha I is positive definite and J falls, and follows the
    ratio of actual to predicted decrease: below 1/4 it grows, above 3/4 it shrinks by 4 (further where it, and not H,
    makes a step too short to be seen in J).
    Differs: (8.28) is written for f and means J; the book leaves alpha's choice open.
    """
    alpha: float = state(1.0)

    def __init__(self, params: Any, damping: float = 1.0, tries: int = 60, adaptive: bool = True) -> None:
        super().__init__(params)
        self.alpha = number("DampedNewton", "damping", damping, "(0, inf)")
        self.tries: int = count("DampedNewton", "tries", tries)
        self.adaptive: bool = adaptive

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        H, g64, alpha = dense_hessian(self, J, theta), g.astype(np.float64), self.alpha
        if not self.adaptive:
            return self.as_printed(J, theta, H + alpha * np.eye(self.n), g64)
        for _ in range(self.tries):
            L = cholesky(H + alpha * np.eye(self.n))
            if L is None:
                alpha *= 4
                continue
            d, damping = -solve_cholesky(L, g64), alpha
            new = theta + d.astype(self.dtype)
            new_value, new_g = self.trial(J, new)
            ratio = self.gain_ratio(value, new_value, (alpha * (d @ d) - g64 @ d) / 2)
            if math.isnan(ratio) or ratio <= 0.25:
                alpha *= 4
            elif ratio > 0.75:
                alpha /= 4
            if ratio > 1e-4:
                if self.stalled(value, g, new_value, new_g):
                    less = less_damping(damping, d @ H @ d, d @ d)
                    if less is None:
                        return STALLED
                    alpha = less
                    continue
                self.alpha = max(alpha, 1e-300)
                return self.move(J, new, new_value, new_g)
        return "no decrease"

    def as_printed(self, J: Any, theta: Array, A: Array, g: Array) -> str:
        """(8.28) with A = H + alpha I."""
        d = solve(A, -g)
        if d is None:
            return "H + alpha I is singular"
        new = theta + d.astype(self.dtype)
        new_value, new_g = self.trial(J, new)
        return self.move(J, new, new_value, new_g) if math.isfinite(new_value) else "the step leads to no finite J"


class SaddleFreeNewton(Descent):
    """Saddle-free Newton (Dauphin et al. 2014; section 8.2.3): |H| in place of H.

        H = V diag(l) V';   d = -V diag(1 / max(|l|, floor)) V' g;   theta <- theta + t d

    Along directions of negative curvature Newton's step is turned round, so saddles repel. Where g is exactly zero no
    method that follows g can move. floor: relative to the largest |l|. Search: strong Wolfe.
    Differs: the paper damps, |H| + lambda I with the best lambda of some; here small |l| are raised to the floor, and
    the search finds the length.
    """
    floor: Hyper = hyper(1e-8, "(0, 1)")
    search: Search = None

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        return self.absolute(dense_hessian(self, J, theta), g)

    def absolute(self, H: Array, g: Array) -> Array | None:
        """-|H|^-1 g in float64, floored; g's dtype."""
        if not np.isfinite(H).all():
            return None
        l, V = np.linalg.eigh(H)
        size = abs(l)
        if size.max() == 0:
            return None
        d = -V @ ((V.T @ g.astype(np.float64)) / np.maximum(size, self.now("floor") * size.max()))
        return d.astype(g.dtype)


class LevenbergMarquardt(SecondOrder):
    """Levenberg-Marquardt for sums of squares (Levenberg 1944, Marquardt 1963, More 1978), J ~ |r|^2.

        (A'A + lambda D^2) d = -A'r,   A = dr/dtheta;   theta <- theta + d  if |r| falls

    D: the largest norm each column of A has had (Marquardt's scaling: the method does not notice the units of theta).
    lambda is the one that makes |D d| = radius, or 0 where the Gauss-Newton step is shorter; the ratio of actual to
    predicted decrease moves the radius (below 1/4 down, above 3/4 to 2 |D d|). Solved by the singular values of A/D,
    so A'A is never formed; a refused step then costs one more evaluation of r and O(n^2).
    radius: the first one, relative to |D theta| (More's factor). Needs J.residuals and J.jacobian; the value and the
    gradient of J serve the record only.
    Differs: Levenberg adds lambda I, Marquardt lambda times the diagonal of A'A, both without a radius; More solves by
    QR, and stops by tolerances of his own.
    """
    needs: ClassVar[tuple[str, ...]] = ("residuals", "jacobian")
    factor: float = state(100.0)                     # the argument `radius`
    radius: float = state(0.0)                       # 0: not yet known
    scale: Array = state(lambda opt: np.zeros(opt.n))

    def __init__(self, params: Any, radius: float = 100.0, tries: int = 60) -> None:
        super().__init__(params)
        self.factor = number("LevenbergMarquardt", "radius", radius, "(0, inf)")
        self.tries: int = count("LevenbergMarquardt", "tries", tries)
        self._residuals = None                       # r where the last step ended

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        r = self._residuals
        if r is None or not self.goes_on:
            r = np.asarray(J.residuals(theta), np.float64)
            self.spent += 1
        A = np.asarray(J.jacobian(theta), np.float64)
        self.spent += 1
        cost = float(r @ r)
        if not (math.isfinite(cost) and np.isfinite(A).all()):
            return "residuals are not finite"
        D = np.maximum(self.scale, np.sqrt(np.einsum("mn,mn->n", A, A)))
        D[D == 0] = 1.0
        k = min(A.shape)                             # (Q, r's share in it) by one QR of both; then R is only (k, n)
        R = np.linalg.qr(np.column_stack([A / D, r]), mode="r")
        U, s, Vt = np.linalg.svd(R[:k, :-1], full_matrices=False)
        c = U.T @ R[:k, -1]
        radius = self.radius or self.factor * float(np.linalg.norm(D * self.free(theta)) or 1.0)
        for _ in range(self.tries):
            lambda_ = damping_for(s, c, radius)
            z = shrunk(s, c, lambda_)                # D d in the frame V
            length = float(np.linalg.norm(z))
            new = theta + self.free(((Vt.T @ z) / D).astype(self.dtype))
            if np.array_equal(new, theta):
                return "no decrease: the step is below rounding"
            with np.errstate(all="ignore"):
                new_r = np.asarray(J.residuals(new), np.float64)
                new_cost = float(new_r @ new_r)
            self.spent += 1
            fall, damped = float(np.sum((s * z) ** 2)), lambda_ * length**2
            predicted = fall + 2 * damped            # |r|^2 - |r + A d|^2
            ratio = (cost - new_cost) / predicted if predicted > 0 and math.isfinite(new_cost) else -math.inf
            if ratio <= 0.25:
                shrink = 0.5
                if ratio < 0:                        # the minimum of the parabola through both costs and the slope
                    slope = fall + damped
                    shrink = max(0.1, 0.5 * slope / (slope + 0.5 * (new_cost - cost))) if ratio > -math.inf else 0.1
                radius = shrink * min(radius, 10 * length)
            elif ratio >= 0.75 or lambda_ == 0:
                radius = 2 * length
            if ratio > 1e-4:
                new_value, new_g = self.trial(J, new)
                if math.isfinite(new_value):
                    self.radius, self.scale, self._residuals = radius, D, new_r
                    return self.move(J, new, new_value, new_g)
                radius = 0.1 * length
        return "no decrease"


def shrunk(s: Array, c: Array, lambda_: Any) -> Array:
    """-s c / (s^2 + lambda): the damped step in the frame of the singular vectors; 0 where s is 0."""
    bottom = s * s + lambda_
    return np.divide(-s * c, bottom, out=np.zeros_like(s), where=s > s.max() * 1e-15)


def damping_for(s: Array, c: Array, radius: float) -> float:
    """lambda >= 0 with |step(lambda)| = radius within a tenth, 0 if the undamped step is not longer (More 1978)."""
    lambda_ = 0.0
    for _ in range(20):
        z = shrunk(s, c, lambda_)
        length = float(np.linalg.norm(z))
        if length <= 1.1 * radius if lambda_ == 0 else abs(length - radius) <= 0.1 * radius:
            break
        # Newton on 1/length, which is almost linear in lambda
        slope = float(np.sum(np.divide(z * z, s * s + lambda_, out=np.zeros_like(s), where=z != 0))) / length
        if slope == 0:                                   # below the smallest number
            break
        lambda_ = max(lambda_ + (length - radius) / radius * length / slope, lambda_ / 1000)
    return lambda_
