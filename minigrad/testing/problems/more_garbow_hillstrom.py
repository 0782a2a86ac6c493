"""Least-squares problems of More, Garbow and Hillstrom, "Testing unconstrained optimization software",
ACM TOMS 7 (1981), by the numbers they have there; f = sum r_i^2. Each function makes one problem.
"""
from __future__ import annotations

import numpy as np

from minigrad.testing.problems import measurements
from minigrad.testing.problems.problem import LeastSquares


def _mgh(number, name, residuals, start, lowest, minima=(), far=None):
    return LeastSquares(name, residuals, start, lowest, minima, far,
                        f"More, Garbow and Hillstrom (1981), problem {number}")


def freudenstein_roth() -> LeastSquares:
    """(2). A global minimum at (5, 4) and a local one of 48.98 at (11.41, -0.8968), where most methods end."""
    def r(x):
        return np.stack([-13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]])
    return _mgh(2, "freudenstein_roth", r, [0.5, -2], 0.0, [[5, 4]])


def powell_badly_scaled() -> LeastSquares:
    """(3). A curved valley x0 x1 = 1e-4, flat along and steep across."""
    def r(x):
        return np.stack([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])
    return _mgh(3, "powell_badly_scaled", r, [0, 1], 0.0, [[1.0981593296997149e-5, 9.106146739867319]])


def brown_badly_scaled() -> LeastSquares:
    """(4). Parameters that differ by twelve orders of magnitude."""
    def r(x):
        return np.stack([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])
    return _mgh(4, "brown_badly_scaled", r, [1, 1], 0.0, [[1e6, 2e-6]])


def beale() -> LeastSquares:
    """(5). Products x0 (1 - x1^i)."""
    def r(x):
        return np.stack([y - x[0] * (1 - x[1] ** i) for i, y in ((1, 1.5), (2, 2.25), (3, 2.625))])
    return _mgh(5, "beale", r, [1, 1], 0.0, [[3, 0.5]])


def jennrich_sampson() -> LeastSquares:
    """(6), m = 10. Two exponentials, residuals that stay large at the minimum."""
    i = np.arange(1, 11)

    def r(x):
        return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))
    return _mgh(6, "jennrich_sampson", r, [0.3, 0.4], 124.36218235561, [[0.257825213363, 0.257825213363]],
                far=[0.6, 0.8])


def helical_valley() -> LeastSquares:
    """(7). A helix of pitch 10; not differentiable where x0 = 0."""
    def r(x):
        turn = np.arctan(x[1] / x[0]) / (2 * np.pi) + (0.5 if x[0] < 0 else 0.0)
        return np.stack([10 * (x[2] - 10 * turn), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])
    return _mgh(7, "helical_valley", r, [-1, 0, 0], 0.0, [[1, 0, 0]])


def bard() -> LeastSquares:
    """(8), m = 15. A rational model."""
    u = np.arange(1, 16)
    v = 16 - u
    w = np.minimum(u, v)

    def r(x):
        return measurements.BARD - (x[0] + u / (v * x[1] + w * x[2]))
    return _mgh(8, "bard", r, [1, 1, 1], 8.214877306578963e-3)


def gaussian() -> LeastSquares:
    """(9), m = 15. A bell curve fitted to a bell curve."""
    t = (7 - np.arange(15)) / 2

    def r(x):
        return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - measurements.GAUSSIAN
    return _mgh(9, "gaussian", r, [0.4, 1, 0], 1.1279327696e-8, far=[0.6, 2, 0.5])


def meyer() -> LeastSquares:
    """(10), m = 16. A thermistor's resistance; parameters from 1e-3 to 1e4, very ill-conditioned."""
    t = 45 + 5 * np.arange(1, 17)

    def r(x):
        return x[0] * np.exp(x[1] / (t + x[2])) - measurements.MEYER
    return _mgh(10, "meyer", r, [0.02, 4000, 250], 87.9458551708, far=[0.03, 5000, 300])


def gulf() -> LeastSquares:
    """(11), m = 99. A Weibull-like curve."""
    t = np.arange(1, 100) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)

    def r(x):
        return np.exp(-np.exp(x[2] * np.log(np.absolute(y - x[1]))) / x[0]) - t
    return _mgh(11, "gulf", r, [5, 2.5, 0.15], 0.0, [[50, 25, 1.5]], far=[10, 5, 0.5])


def box3d() -> LeastSquares:
    """(12), m = 10. Difference of exponentials; minima at (1, 10, 1), (10, 1, -1) and where x0 = x1, x2 = 0."""
    t = np.arange(1, 11) / 10

    def r(x):
        return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))
    return _mgh(12, "box3d", r, [0, 10, 20], 0.0, [[1, 10, 1], [10, 1, -1]], far=[0, 20, 40])


def powell_singular(n: int = 4) -> LeastSquares:
    """(13) and, for n = 8, 12, ..., (22). The Hessian is singular at the minimum."""
    def r(x):
        a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
        return np.concatenate([a + 10 * b, np.sqrt(5) * (c - d), (b - 2 * c) ** 2, np.sqrt(10) * (a - d) ** 2])
    return _mgh(13 if n == 4 else 22, f"powell_singular{n}", r, np.tile([3, -1, 0, 1], n // 4), 0.0, [np.zeros(n)])


def wood() -> LeastSquares:
    """(14). Two coupled Rosenbrock valleys and a near-stationary point that holds methods up."""
    def r(x):
        return np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0], np.sqrt(90) * (x[3] - x[2] ** 2), 1 - x[2],
                         np.sqrt(10) * (x[1] + x[3] - 2), (x[1] - x[3]) / np.sqrt(10)])
    return _mgh(14, "wood", r, [-3, -1, -3, -1], 0.0, [np.ones(4)])


def kowalik_osborne() -> LeastSquares:
    """(15), m = 11. A rational model of an enzyme reaction."""
    u = measurements.KOWALIK_U

    def r(x):
        return measurements.KOWALIK_Y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])
    return _mgh(15, "kowalik_osborne", r, [0.25, 0.39, 0.415, 0.39], 3.0750560385e-4, far=[0.5, 0.8, 0.8, 0.8])


def brown_dennis() -> LeastSquares:
    """(16), m = 20. Large residuals at the minimum."""
    t = np.arange(1, 21) / 5

    def r(x):
        return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + np.sin(t) * x[3] - np.cos(t)) ** 2
    return _mgh(16, "brown_dennis", r, [25, 5, -5, -1], 85822.20162635)


def osborne1() -> LeastSquares:
    """(17), m = 33. Two exponential decays, nearly dependent."""
    t = 10.0 * np.arange(33)

    def r(x):
        return measurements.OSBORNE1 - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))
    return _mgh(17, "osborne1", r, [0.5, 1.5, -1, 0.01, 0.02], 5.46489469748e-5, far=[0.6, 2, -1.5, 0.012, 0.03])


def biggs_exp6() -> LeastSquares:
    """(18), m = 13. Three exponentials; a local minimum of 5.656e-3 beside the global 0."""
    t = np.arange(1, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)

    def r(x):
        return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y
    return _mgh(18, "biggs_exp6", r, [1, 2, 1, 1, 1, 1], 0.0, [[1, 10, 1, 5, 4, 3]], far=[2, 4, 2, 2, 2, 2])


def osborne2() -> LeastSquares:
    """(19), m = 65. An exponential and three bells."""
    t = np.arange(65) / 10

    def r(x):
        bells = sum(x[1 + k] * np.exp(-((t - x[8 + k]) ** 2) * x[5 + k]) for k in range(3))
        return measurements.OSBORNE2 - (x[0] * np.exp(-t * x[4]) + bells)
    start = [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5]
    return _mgh(19, "osborne2", r, start, 4.01377362935e-2, far=[1.5, 0.5, 0.5, 0.5, 1, 2, 4, 6, 2.2, 4.3, 5.3])


def watson(n: int = 6) -> LeastSquares:
    """(20), m = 31. A polynomial solution of a differential equation; ill-conditioned as n grows."""
    t = np.arange(1, 30) / 29
    powers = t[:, None] ** np.arange(n)                                             # (29, n)
    slopes = np.arange(n) * t[:, None] ** np.maximum(np.arange(n) - 1, 0)            # derivative of each power

    def r(x):
        return np.concatenate([slopes @ x - (powers @ x) ** 2 - 1, np.stack([x[0], x[1] - x[0] ** 2 - 1])])
    return _mgh(20, f"watson{n}", r, np.zeros(n), {6: 2.28767005355e-3, 9: 1.399760138e-6}[n], far=np.ones(n))


def penalty1(n: int = 4) -> LeastSquares:
    """(23). A well-conditioned term times 1e-5 beside an ill-conditioned constraint."""
    def r(x):
        return np.concatenate([np.sqrt(1e-5) * (x - 1), np.stack([np.sum(x**2) - 0.25])])
    return _mgh(23, f"penalty1_{n}", r, np.arange(1, n + 1), {4: 2.24997750e-5, 10: 7.08765151e-5}[n])


def penalty2(n: int = 4) -> LeastSquares:
    """(24). As (23), with exponentials."""
    i = np.arange(1, n + 1)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)
    weight = np.sqrt(1e-5)

    def r(x):
        e = np.exp(x / 10)
        return np.concatenate([np.stack([x[0] - 0.2]), weight * (e[1:] + e[:-1] - y), weight * (e[1:] - np.exp(-0.1)),
                               np.stack([np.sum((n + 1.0 - i) * x**2) - 1])])
    return _mgh(24, f"penalty2_{n}", r, np.full(n, 0.5), {4: 9.37629300735e-6, 10: 2.93660539545e-4}[n])


def variably_dimensioned(n: int = 10) -> LeastSquares:
    """(25). A quartic along (1, 2, ..., n) on a sphere."""
    j = np.arange(1, n + 1)

    def r(x):
        along = np.sum(j * (x - 1))
        return np.concatenate([x - 1, np.stack([along, along**2])])
    return _mgh(25, f"variably_dimensioned{n}", r, 1 - j / n, 0.0, [np.ones(n)])


def trigonometric(n: int = 10) -> LeastSquares:
    """(26). Many stationary points; usually ends at 2.795e-5 for n = 10 and not at 0."""
    i = np.arange(1, n + 1)

    def r(x):
        return n - np.sum(np.cos(x)) + i * (1 - np.cos(x)) - np.sin(x)
    return _mgh(26, f"trigonometric{n}", r, np.full(n, 1 / n), 0.0, [np.zeros(n)])


def brown_almost_linear(n: int = 10) -> LeastSquares:
    """(27). n - 1 linear equations and a product."""
    def r(x):
        product = x[0]
        for j in range(1, n):
            product = product * x[j]
        return np.concatenate([x[:-1] + (np.sum(x) - (n + 1)), np.stack([product - 1])])
    return _mgh(27, f"brown_almost_linear{n}", r, np.full(n, 0.5), 0.0, [np.ones(n)], far=np.full(n, 2.0))


def _padded(x):
    """x with a zero before and after: (n,) -> (n + 2,)."""
    return np.concatenate([np.zeros(1), x, np.zeros(1)])


def discrete_boundary_value(n: int = 10) -> LeastSquares:
    """(28). A two-point boundary value problem by differences."""
    h = 1 / (n + 1)
    t = h * np.arange(1, n + 1)

    def r(x):
        p = _padded(x)
        return 2 * x - p[:-2] - p[2:] + h**2 * (x + t + 1) ** 3 / 2
    return _mgh(28, f"discrete_boundary_value{n}", r, t * (t - 1), 0.0)


def discrete_integral_equation(n: int = 10) -> LeastSquares:
    """(29). The same boundary value problem as an integral equation."""
    h = 1 / (n + 1)
    t = h * np.arange(1, n + 1)
    kernel = np.where(t <= t[:, None], (1 - t[:, None]) * t, t[:, None] * (1 - t))      # Green's function (n, n)

    def r(x):
        return x + h / 2 * (kernel @ ((x + t + 1) ** 3))
    return _mgh(29, f"discrete_integral_equation{n}", r, t * (t - 1), 0.0)


def broyden_tridiagonal(n: int = 10) -> LeastSquares:
    """(30). Each residual sees its neighbours."""
    def r(x):
        p = _padded(x)
        return (3 - 2 * x) * x - p[:-2] - 2 * p[2:] + 1
    return _mgh(30, f"broyden_tridiagonal{n}", r, np.full(n, -1), 0.0)


def broyden_banded(n: int = 10) -> LeastSquares:
    """(31). Each residual sees five neighbours before and one after."""
    i = np.arange(n)
    band = ((i >= i[:, None] - 5) & (i <= i[:, None] + 1) & (i != i[:, None])).astype(float)

    def r(x):
        return x * (2 + 5 * x**2) + 1 - band @ (x * (1 + x))
    return _mgh(31, f"broyden_banded{n}", r, np.full(n, -1), 0.0)


def chebyquad(n: int = 8) -> LeastSquares:
    """(35). Nodes of Chebyshev quadrature; no exact ones for n = 8."""
    integrals = np.array([0 if i % 2 else -1 / (i * i - 1) for i in range(1, n + 1)])

    def r(x):
        x = 2 * x - 1                      # T_i on [0, 1]
        before, now, means = 1 + 0 * x, x, []
        for _ in range(n):
            means.append(np.sum(now) / n)
            before, now = now, 2 * x * now - before
        return np.stack(means) - integrals
    start = np.arange(1, n + 1) / (n + 1)
    return _mgh(35, f"chebyquad{n}", r, start, {7: 0.0, 8: 3.51687372568e-3, 9: 0.0}[n],
                far=start + 0.1 * np.cos(np.arange(n)))
