"""Surfaces of section 8.2 and other short formulas: bowls, valleys, saddles, the cliff, the mountain."""
from __future__ import annotations

import numpy as np

from minigrad.testing.problems.problem import LeastSquares, Problem
from minigrad.typing import ArrayLike, Random


def _rotation(n, rng):
    """A random orthogonal (n, n) matrix."""
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    return q * np.sign(np.diag(r))


def quadratic(n: int = 10, condition: float = 100.0, rng: Random = 0, eigenvalues: ArrayLike | None = None) -> Problem:
    """1/2 (theta - c)'H(theta - c), H with eigenvalues from 1 to `condition` (log-spaced) in a random frame.

    The bowl of 8.2.1: steepest descent needs steps in proportion to the condition. Has attributes H (n, n) and c (n,).
    """
    rng = np.random.default_rng(rng)
    if eigenvalues is None:
        eigenvalues = np.geomspace(1, condition, n)
    frame = _rotation(n, rng)
    H = (frame * eigenvalues) @ frame.T
    H = (H + H.T) / 2
    c = rng.standard_normal(n)
    H.flags.writeable = c.flags.writeable = False

    def f(x):
        return np.sum((x - c) * (H @ (x - c))) / 2
    start = c + rng.standard_normal(n)
    problem = Problem(f"quadratic{n}", f, start, 0.0, [c], c + 100 * (start - c), "section 8.2.1")
    problem.H, problem.c = H, c
    return problem


def rosenbrock(n: int = 2) -> Problem:
    """sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2: a curved valley. For n >= 4 a second minimum near (-1, 1, ..., 1)."""
    def r(x):
        return np.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])
    start = np.ones(n)
    start[0::2] = -1.2
    return LeastSquares(f"rosenbrock{n}", r, start, 0.0, [np.ones(n)], source="Rosenbrock (1960), chained")


def himmelblau() -> Problem:
    """(x^2 + y - 11)^2 + (x + y^2 - 7)^2: four minima of equal depth."""
    def r(x):
        return np.stack([x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7])
    minima = [[3, 2], [-2.805118086952745, 3.131312518250573], [-3.779310253377747, -3.283185991286170],
              [3.584428340330492, -1.848126526964404]]
    return LeastSquares("himmelblau", r, [0, 0], 0.0, minima, [20, -20], "Himmelblau (1972)")


def saddle2() -> Problem:
    """x^2 - y^2 + y^4/4: a saddle at 0 that Newton's method lands on from (1, 0.1); minima at (0, +-sqrt 2)."""
    def f(x):
        return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4
    return Problem("saddle2", f, [1, 0.1], -1.0, [[0, 2**0.5], [0, -(2**0.5)]], [10, 0.01], "section 8.2.3")


def saddle(n: int = 6, negative: int = 2, rng: Random = 0) -> Problem:
    """A saddle at 0 with `negative` directions of negative curvature, in a random frame z = Q' theta.

    f = sum over positive directions of 1/2 l_i z_i^2, over negative ones of -1/2 l_i z_i^2 + 1/4 z_i^4, l in [1, 5].
    Minima where z_i^2 = l_i along the negative directions: 2^negative of them. The start lies in the region
    z_i^2 < l_i / 5 from which Newton's method converges to the saddle.
    """
    rng = np.random.default_rng(rng)
    Q, l = _rotation(n, rng), rng.uniform(1, 5, n)
    sign = np.where(np.arange(n) < negative, -1.0, 1.0)
    quartic = np.where(sign < 0, 0.25, 0.0)

    def f(x):
        z = Q.T @ x
        return np.sum(sign * l * z**2 / 2 + quartic * z**4)
    z0 = np.where(sign < 0, 0.2 * np.sqrt(l) * rng.choice([-1, 1], n), rng.standard_normal(n))
    nearest = np.where(sign < 0, np.sign(z0) * np.sqrt(l), 0.0)
    lowest = -np.sum(l[sign < 0] ** 2) / 4
    return Problem(f"saddle{n}_{negative}", f, Q @ z0, lowest, [Q @ nearest], Q @ (z0 * np.where(sign < 0, 0.05, 10)),
                   "section 8.2.3; Dauphin et al. (2014)")


def monkey_saddle() -> Problem:
    """x^3 - 3 x y^2 + (x^2 + y^2)^2 / 4: the Hessian itself is zero at the saddle 0. Three minima."""
    def f(x):
        return x[0] ** 3 - 3 * x[0] * x[1] ** 2 + (x[0] ** 2 + x[1] ** 2) ** 2 / 4
    minima = [[-3, 0], [1.5, 1.5 * 3**0.5], [1.5, -1.5 * 3**0.5]]
    return Problem("monkey_saddle", f, [0.1, 0.05], -6.75, minima, [5, 4], "section 8.2.3")


def cliff(steps: int = 50) -> Problem:
    """A one-unit recurrent net y_t = tanh(w y_{t-1} + b), y_0 = 0.5, of `steps` steps; f = (y_T - 0.7)^2 of (w, b).

    The product of many equal factors makes the walls of section 8.2.4 (Pascanu et al. 2013, figure 6).
    """
    def f(x):
        y = 0.5
        for _ in range(steps):
            y = np.tanh(x[0] * y + x[1])
        return (y - 0.7) ** 2
    w = 1.0                                          # one of a curve of minima: b = artanh(0.7) - 0.7 w
    return Problem("cliff", f, [1.6, -0.3], 0.0, [[w, np.arctanh(0.7) - 0.7 * w]], [-0.5, 1.0],
                   "section 8.2.4; Pascanu et al. (2013)")


def mountain(n: int = 1) -> Problem:
    """1/(1 + |theta|^2) + 0.3/(1 + exp(theta_0)): figure 8.4's mountain; no minima and no saddle, only asymptotes.

    Left of the mountain every descent goes left, where f -> 0.3; the infimum 0 lies to the right.
    """
    def f(x):
        return 1 / (1 + np.sum(x**2)) + 0.15 * (1 - np.tanh(x[0] / 2))
    start, other = np.zeros(n), np.zeros(n)
    start[0], other[0] = -1, 1
    return Problem(f"mountain{n}", f, start, 0.0, [], other, "figure 8.4")


def styblinski_tang(n: int = 4) -> Problem:
    """sum (x^4 - 16 x^2 + 5 x)/2: 2^n minima, concave around 0."""
    def f(x):
        return np.sum(x**4 - 16 * x**2 + 5 * x) / 2
    lowest = -2.9035340277711775
    value = (lowest**4 - 16 * lowest**2 + 5 * lowest) / 2
    return Problem(f"styblinski_tang{n}", f, np.full(n, -1.0), n * value, [np.full(n, lowest)], np.full(n, -8.0),
                   "Styblinski and Tang (1990)")


def log_cosh(n: int = 8, rng: Random = 0) -> Problem:
    """sum over 2 n random directions a_i of log cosh(a_i'(theta - c)): convex, flat curvature far away."""
    rng = np.random.default_rng(rng)
    A, c = rng.standard_normal((2 * n, n)), rng.standard_normal(n)

    def f(x):
        t = A @ (x - c)
        return np.sum(np.absolute(t) + np.log((1 + np.exp(-2 * np.absolute(t))) / 2))
    return Problem(f"log_cosh{n}", f, c + 0.3 * rng.standard_normal(n), 0.0, [c], c + 20 * rng.standard_normal(n),
                   "smooth absolute values")
