"""BFGS (section 8.6.3), and the line search it lives on: a step with the strong Wolfe conditions.

A line is a function phi(t) -> (value, slope): J and its derivative along a direction, at theta + t d. An objective is a
function J(theta) -> (value, gradient), theta (n,).
"""
import math
from dataclasses import dataclass

import numpy as np


@dataclass
class Found:
    """What a search found. step: in units of the direction; value, slope: phi and phi' there; evaluations: of phi, the
    one at 0 not counted.

    reason: "wolfe", or "no decrease" (success False, step 0).
    """
    step: float
    value: float
    slope: float
    evaluations: int
    reason: str
    success: bool


def clip(t, low, high):
    """Given: t if it lies between, the nearer end if not; the middle for NaN."""
    return (low + high) / 2 if math.isnan(t) else min(max(t, low), high)


def dot(u, w):
    """Given: u . w as a float."""
    return float(np.dot(u, w))


def norm(u):
    """Given: |u| as a float."""
    return math.sqrt(dot(u, u))


# ---------------------------------------------------------------------------------------------------------- 1: a cubic

def cubic_minimizer(a, fa, da, b, fb, db):
    """Minimizer of the cubic through (a, fa), (b, fb) with slopes da, db (Nocedal and Wright 3.59); NaN if none."""
    # BEGIN SOLUTION task 1: d1 and d2 of the formula in the handout, NaN where there is no root or a division by 0
    d1 = da + db - 3 * (fa - fb) / (a - b)
    square = d1 * d1 - da * db
    if not 0 <= square < math.inf:
        return math.nan
    d2 = math.copysign(math.sqrt(square), b - a)
    bottom = db - da + 2 * d2
    return b - (b - a) * (db + d2 - d1) / bottom if bottom else math.nan
    # END SOLUTION


# ------------------------------------------------------------------------------------------------------ 2: strong Wolfe

def strong_wolfe(phi, step=1.0, c1=1e-4, c2=0.9, max_evaluations=30, longest=1e10):
    """A step with sufficient decrease and small slope (Nocedal and Wright, algorithms 3.5 and 3.6):

        phi(t) <= phi(0) + c1 t phi'(0)        |phi'(t)| <= c2 |phi'(0)|        0 < c1 < c2 < 1

    First the step grows until it brackets such a point, then the bracket shrinks by cubic interpolation.
    """
    value0, slope0 = phi(0.0)

    def decreased(t, value, slope):
        """Does phi(t) lie below the line of sufficient decrease?"""
        # BEGIN SOLUTION task 2: the first of the two conditions
        return value <= value0 + c1 * t * slope0
        # END SOLUTION

    # low: (t, phi, phi') of the lowest point so far, decreased; high: the other end of the bracket, if there is one;
    # before: the low end before this one (3.5 goes on from the two)
    low, high = (0.0, value0, slope0), None
    before, t = low, step
    for evaluations in range(1, max_evaluations + 1):
        value, slope = phi(t)
        here = (t, value, slope)
        if not (math.isfinite(value) and math.isfinite(slope)):
            high = (t, math.inf, math.nan)
        else:
            # BEGIN SOLUTION task 2: too high: it is the other end; flat enough: return Found(...); else the new low end
            if not decreased(*here) or value > low[1]:
                high = here
            elif abs(slope) <= -c2 * slope0:
                return Found(t, value, slope, evaluations, "wolfe", True)
            else:
                rising = slope * (t - low[0]) > 0 if high is None else slope * (high[0] - low[0]) >= 0
                before, low, high = low, here, low if rising else high           # towards the bracket's other end
            # END SOLUTION
        if high is None:                                                 # 3.5: go further
            if t >= longest:
                break
            further = t - before[0]
            ahead = math.inf if slope <= before[2] else cubic_minimizer(*before, *here)
            t = min(clip(ahead, t + 1.1 * further, t + 4 * further), longest)
        else:                                                            # 3.6: zoom
            width = high[0] - low[0]
            fraction = (cubic_minimizer(*low, *high) - low[0]) / width if math.isfinite(high[1]) else 0.1
            t = low[0] + clip(fraction, 0.1, 0.9) * width
    return Found(0.0, value0, slope0, max_evaluations, "no decrease", False)


# -------------------------------------------------------------------------------------------------------------- 3: BFGS

CURVATURE = 1e-10       # a pair with s.y <= CURVATURE |s||y| would make M indefinite (or nearly): it is skipped


def direction(M, g):
    """Where to go: downhill. M (n, n) approximates the inverse of the Hessian."""
    # BEGIN SOLUTION task 3: equation 8.32 with M for the inverse of H; the book's rho_t = M_t g_t goes uphill
    return -(M @ g)
    # END SOLUTION


def worth_learning(s, y):
    """Is the pair's curvature s . y clearly positive? (A strong Wolfe step makes it so, a failed one need not.)"""
    # BEGIN SOLUTION task 3: s . y against CURVATURE |s||y|
    curvature = dot(s, y)
    return np.isfinite(curvature) and curvature > CURVATURE * norm(s) * norm(y)
    # END SOLUTION


def learn(M, s, y):
    """M after the step s = theta' - theta and the change of gradient y = g' - g. Changes M; skips a bad pair.

        M <- (I - r s y') M (I - r y s') + r s s',   r = 1/(y . s)
    """
    if not worth_learning(s, y):
        return M
    # BEGIN SOLUTION task 3: the update of the docstring, as products of matrices or multiplied out: work n^2
    r = 1 / dot(s, y)
    My = M @ y
    # the update multiplied out: M - r (s My' + My s') + r (1 + r y.My) s s'
    half = np.outer(s, r * ((1 + r * dot(y, My)) / 2 * s - My))
    M += half + half.T
    # END SOLUTION
    return M


def minimize(J, theta, steps):
    """Given: `steps` steps of BFGS from theta (n,). M starts as I. Returns the path, (steps made + 1, n)."""
    value, g = J(theta)
    M, path = np.eye(len(theta)), [theta]
    for k in range(steps):
        d = direction(M, g)
        found = strong_wolfe(along(J, theta, d), min(1.0, 1 / norm(g)) if k == 0 else 1.0)
        if not found.success:
            break
        new = theta + found.step * d
        value, new_g = J(new)
        M = learn(M, new - theta, new_g - g)
        theta, g = new, new_g
        path.append(theta)
        if norm(g) < 1e-10:
            break
    return np.array(path)


def along(J, theta, d):
    """Given: the line from theta along d, phi(t) -> (value, slope)."""
    def phi(t):
        value, g = J(theta + t * d)
        return float(value), dot(g, d)
    return phi
