"""Line searches: how far to go along a direction. phi(t) = J(theta + t d), t >= 0, a function of one number.

    search(phi, step=1.0) -> Found(step, value, slope, evaluations, reason, success)

phi is a `Line` (of an objective), any object with `value(t)` and `value_and_slope(t)`, or a pair of functions
(phi, dphi). Numbers are compared as Python floats (float64) whatever the dtype of theta. A trial value that is NaN or
infinite is backed away from. Failing is a result with its reason, never an exception; theta is never written.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.typing import Array


@dataclass
class Found:
    """What a search found. step: in units of the direction; value, slope: phi and phi' there (slope None if not known).

    evaluations: how often phi was computed. reason: "wolfe", "armijo", "exact", "full step" (success), else
    "no decrease", "not a descent direction", "not finite", "unbounded", "flat", "negative curvature". With success
    False, step is 0 and value is phi(0); "unbounded" keeps the longest step tried.
    """
    step: float
    value: float
    slope: float | None
    evaluations: int
    reason: str
    success: bool


class Line:
    """phi(t) = J(theta + t d). theta, d: (n,), not changed. value, g: J and its gradient at theta if they are known.

    noise: how much of |phi| is rounding (a part of 1), at least 10 machine epsilons of theta's dtype; a search that
    sees more raises it. longest: the t at which |t d| is 1e10 times |theta| (or 1e10, if |theta| is below 1).
    Remembers the gradients of the last and of the lowest trial, so that the accepted point costs nothing more.
    """
    theta: Array
    direction: Array
    last: tuple[float, float, Any]
    lowest: tuple[float, float, Any]
    value0: float
    slope0: float
    g0: Array | None

    def __init__(self, J: Any, theta: Array, direction: Array, value: float | None = None, g: Array | None = None,
                 noise: float = 0.0) -> None:
        self.J, self.theta, self.direction = J, theta, direction
        self.wide: Array = direction.astype(np.float64, copy=False)       # slopes are summed in float64
        self.noise: float = max(noise, 10 * float(np.finfo(theta.dtype).eps))
        length = math.sqrt(self._slope(direction))
        self.longest: float = 1e10 * max(1.0, float(np.linalg.norm(theta))) / length if length else 1e10
        self.trial: Array = np.empty_like(theta)
        self.evaluations: int = 0
        self.last = self.lowest = (math.nan, math.inf, None)       # (t, phi, gradient)
        if value is None or g is None:
            value, g = self._evaluate(theta)
        self.value0, self.slope0, self.g0 = float(value), self._slope(g), g

    def _evaluate(self, theta):
        self.evaluations += 1
        if hasattr(self.J, "value_and_grad"):
            value, g = self.J.value_and_grad(theta)
        else:
            value, g = self.J.value(theta), self.J.grad(theta)
        return float(value), g

    def _slope(self, g):
        with np.errstate(all="ignore"):
            return float(np.einsum("i,i->", g, self.wide, dtype=np.float64))    # not BLAS: see `base.dot`

    def point(self, t: float) -> Array:
        """theta + t d, in a buffer that the next trial overwrites (n,)."""
        with np.errstate(all="ignore"):
            np.multiply(self.direction, t, out=self.trial)
            self.trial += self.theta
        return self.trial

    def value(self, t: float) -> float:
        """phi(t)."""
        self.evaluations += 1
        return float(self.J.value(self.point(t)))

    def value_and_slope(self, t: float) -> tuple[float, float]:
        """phi(t) and phi'(t) = g(theta + t d) . d."""
        value, g = self._evaluate(self.point(t))
        self.last = (t, value, g)
        if value <= self.lowest[1]:
            self.lowest = self.last
        return value, self._slope(g)

    def gradient(self, t: float) -> Array:
        """Gradient at theta + t d (n,), from memory where it was computed by the last or the lowest trial."""
        if t == 0:
            return self.g0
        for known, _, g in (self.last, self.lowest):
            if known == t:
                return g
        return self._evaluate(self.point(t))[1]

    def curvature(self) -> float:
        """phi''(0) = d . H d, by one Hessian product."""
        if not hasattr(self.J, "hvp"):
            raise ValueError(f"exact: an exact step needs the objective's hvp, which {type(self.J).__name__} has not; "
                             "use strong_wolfe")
        return self._slope(self.J.hvp(self.theta, self.direction))


class _Pair:
    """Two functions phi and dphi as a line."""
    noise = 10 * np.finfo(np.float64).eps

    def __init__(self, phi, dphi):
        self.value, self.dphi = phi, dphi
        self.value0, self.slope0 = float(phi(0.0)), float(dphi(0.0))

    def value_and_slope(self, t):
        return float(self.value(t)), float(self.dphi(t))


def _as_line(phi):
    if isinstance(phi, tuple):
        return _Pair(*phi)
    if not hasattr(phi, "value0"):
        phi.value0, phi.slope0 = phi.value_and_slope(0.0)
    return phi


def _refusal(phi):
    """Why a search from here cannot work, or None."""
    if not (math.isfinite(phi.value0) and math.isfinite(phi.slope0)):
        return "not finite"
    return None if phi.slope0 < 0 else "not a descent direction"


def _failed(phi, reason, evaluations):
    return Found(0.0, phi.value0, phi.slope0, evaluations, reason, False)


def cubic_minimizer(a: float, fa: float, da: float, b: float, fb: float, db: float) -> float:
    """Minimizer of the cubic through (a, fa), (b, fb) with slopes da, db (Nocedal and Wright 3.59); NaN if none."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    square = d1 * d1 - da * db
    if not 0 <= square < math.inf:
        return math.nan
    d2 = math.copysign(math.sqrt(square), b - a)
    bottom = db - da + 2 * d2
    return b - (b - a) * (db + d2 - d1) / bottom if bottom else math.nan


def _clip(t, low, high):
    """t if it lies between, the nearer end if not; the middle for NaN."""
    return (low + high) / 2 if math.isnan(t) else min(max(t, low), high)


def backtracking(phi: Line, step: float = 1.0, c1: float = 1e-4, max_evaluations: int = 40) -> Found:
    """Armijo's condition phi(t) <= phi(0) + c1 t phi'(0), by shrinking the step (Nocedal and Wright, algorithm 3.1).

    Each new step minimizes the parabola through phi(0), phi'(0) and phi(t), kept within [0.1, 0.5] of the last.
    Only values are computed, so no curvature condition: for quasi-Newton methods take `strong_wolfe`.
    """
    phi = _as_line(phi)
    if reason := _refusal(phi):
        return _failed(phi, reason, 0)
    t, finite = step, False
    for evaluations in range(1, max_evaluations + 1):
        value = phi.value(t)
        if math.isfinite(value):
            finite = True
            if value <= phi.value0 + c1 * t * phi.slope0:
                return Found(t, value, None, evaluations, "armijo", True)
        elif value == -math.inf:
            return Found(t, value, None, evaluations, "unbounded", False)
        parabola = -phi.slope0 * t / (2 * (value - phi.value0 - phi.slope0 * t)) if math.isfinite(value) else 0.1
        t *= _clip(parabola, 0.1, 0.5)
    return _failed(phi, "no decrease" if finite else "not finite", max_evaluations)


class _Rounding:
    """How far apart values of phi lie that only rounding tells apart: `size`, as far as is known, in units of phi.

    It shows where a step promises less than that: there phi and the trapezoid of its slopes must agree, and what is
    between them is rounding.
    """

    def __init__(self, phi):
        self.phi, self.size, self.measured = phi, getattr(phi, "noise", 0.0) * abs(phi.value0), False
        self.shorter = (1.0, math.inf)                       # t and what was between them there, at a shorter step

    def shows(self, t, value, slope):
        """Does it show at t? A bend of phi is between them as well, but shrinks at least as t does."""
        phi = self.phi
        if not (value > phi.value0 + self.size and -t * phi.slope0 <= self.size):
            return False
        self.between = abs(value - phi.value0 - t * (phi.slope0 + slope) / 2)
        if self.between > self.shorter[1] * math.sqrt(t / self.shorter[0]):
            return True
        self.shorter = (t, self.between)
        return False

    def measure(self):
        """Take four times what was between them; phi keeps it as its `noise`, for searches to come (of a phi(0) of 0
        it is no part)."""
        self.size, self.measured = 4 * self.between, True
        if self.phi.value0:
            self.phi.noise = self.size / abs(self.phi.value0)


def strong_wolfe(phi: Line, step: float = 1.0, c1: float = 1e-4, c2: float = 0.9, max_evaluations: int = 30,
                 largest: float | None = None) -> Found:
    """A step with sufficient decrease and small slope (Nocedal and Wright, algorithms 3.5 and 3.6):

        phi(t) <= phi(0) + c1 t phi'(0)        |phi'(t)| <= c2 |phi'(0)|        0 < c1 < c2 < 1

    First the step grows until it brackets such a point, then the bracket shrinks by cubic interpolation. "armijo" says
    that only the first condition holds at the best step found; "unbounded", that phi falls as steeply as at first up to
    `largest` (default: the line's `longest`, else 1e10); "flat", that it does not change as far as was looked.

    Where phi changes by less than its rounding the first condition is replaced by phi'(t) <= (2 c1 - 1) phi'(0)
    (approximate Wolfe, Hager and Zhang 2005), which rounding does not spoil.
    """
    phi = _as_line(phi)
    if reason := _refusal(phi):
        return _failed(phi, reason, 0)
    value0, slope0 = phi.value0, phi.slope0
    longest = getattr(phi, "longest", 1e10) if largest is None else largest
    rounding = _Rounding(phi)

    def decreased(t, value, slope):
        return value <= value0 + c1 * t * slope0 or (
            abs(value - value0) <= rounding.size and slope <= (2 * c1 - 1) * slope0)

    start = (0.0, value0, slope0)                            # t, phi, phi'
    low, high = start, None                                  # decreased, and the lowest so far; the bracket's other end
    t, finite, bolder, look_alike = step, False, 4.0, 0
    for evaluations in range(1, max_evaluations + 1):
        value, slope = phi.value_and_slope(t)
        here = (t, value, slope)
        if value == -math.inf:
            return Found(t, value, None, evaluations, "unbounded", False)
        if not (math.isfinite(value) and math.isfinite(slope)):
            high = (t, math.inf, math.nan)
        else:
            finite = True
            if rounding.shows(*here):
                if rounding.measured:
                    break
                rounding.measure()
                low, high, t = start, None, step                         # begin again, knowing that
                continue
            # the second test: past a minimum, unless only rounding tells the values apart
            if not decreased(*here) or value > low[1] + rounding.size:
                high = here
            elif abs(slope) <= -c2 * slope0:
                return Found(t, value, slope, evaluations, "wolfe", True)
            else:
                rising = slope * (t - low[0]) > 0 if high is None else slope * (high[0] - low[0]) >= 0
                before, low, high = low, here, low if rising else high           # towards the bracket's other end
        if high is None:                                                 # 3.5: go further
            if t >= longest:
                break
            further = t - before[0]
            # it bends down: no minimum to foresee, so as far as allowed (More and Thuente 1994, their fourth case)
            ahead = math.inf if slope <= before[2] else cubic_minimizer(*before, *here)
            t = min(_clip(ahead, t + 1.1 * further, t + bolder * further), longest)
            bolder *= 2 if t > 1e6 * step else 1                         # a first step that is far too short
        else:                                                            # 3.6: zoom
            width = high[0] - low[0]
            if abs(width) <= 1e-15 * max(abs(low[0]), abs(high[0])) or low[0] + 0.1 * width == low[0]:
                break
            look_alike += abs(value - value0) <= rounding.size
            if look_alike > 10:                                          # and no slope among them as small as wanted
                break
            fraction = (cubic_minimizer(*low, *high) - low[0]) / width if math.isfinite(high[1]) else 0.1
            t = low[0] + _clip(fraction, 0.1, 0.9) * width
    if high is None and low[0] > 0 and low[1] >= value0 - rounding.size:
        return _failed(phi, "flat", evaluations)
    return _without_wolfe(phi, low, high is None and low[0] >= longest, evaluations, finite)


def _without_wolfe(phi, low, far, evaluations, finite):
    """The result where no point met both conditions. low: the lowest; far: phi fell as far as the search may go."""
    if far and low[2] <= (1 - 1e-6) * phi.slope0:
        return Found(*low, evaluations, "unbounded", False)
    if low[1] < phi.value0 or abs(low[2]) <= -0.9 * phi.slope0:      # of values that look alike, the slope knows
        return Found(*low, evaluations, "armijo", True)
    return _failed(phi, "no decrease" if finite else "not finite", evaluations)


def exact(phi: Line, step: float = 1.0) -> Found:
    """The minimum of a quadratic in one Hessian product: t = -phi'(0)/phi''(0) (algorithm 8.9's analytic step).

    `step` is not used. Right only where J is quadratic along the line; "negative curvature" where phi''(0) <= 0,
    "no decrease" where phi grew.
    """
    phi = _as_line(phi)
    if reason := _refusal(phi):
        return _failed(phi, reason, 0)
    curvature = phi.curvature()
    if math.isnan(curvature) or curvature <= 0:
        return _failed(phi, "negative curvature", 0)
    t = -phi.slope0 / curvature
    value, slope = phi.value_and_slope(t)
    if not math.isfinite(value):
        return _failed(phi, "not finite", 1)
    if value > phi.value0 + getattr(phi, "noise", 0.0) * abs(phi.value0):
        return _failed(phi, "no decrease", 1)
    return Found(t, value, slope, 1, "exact", True)


def full_step(phi: Line, step: float = 1.0) -> Found:
    """No search: the step as it is, up or down, if phi is finite there (the boxes 8.8 and 8.27 as printed)."""
    phi = _as_line(phi)
    value, slope = phi.value_and_slope(step)
    if not math.isfinite(value):
        return _failed(phi, "not finite", 1)
    return Found(step, value, slope, 1, "full step", True)


SEARCHES: dict[str, Callable[..., Found]] = {
    "wolfe": strong_wolfe, "backtracking": backtracking, "exact": exact, "full": full_step}


def named(search: Any) -> Callable[..., Found]:
    """A search by name ("wolfe", "backtracking", "exact", "full"), or the function itself."""
    if callable(search):
        return search
    if search not in SEARCHES:
        raise ValueError(f"search: wanted a function search(phi, step) or one of {', '.join(SEARCHES)}, got {search!r}")
    return SEARCHES[search]
