"""Classic problems with their starts, minima and exact derivatives: `problems.rosenbrock()`, `problems.collection()`.

A problem is an objective like any other: value, grad, value_and_grad, hvp, hessian, and for least squares residuals,
jacobian and ggnvp. `Counting(problem)` counts the evaluations a method spends.
"""
from __future__ import annotations

from collections.abc import Callable

from minigrad.testing.problems import more_garbow_hillstrom as mgh
from minigrad.testing.problems import surfaces
from minigrad.testing.problems.more_garbow_hillstrom import (
    bard,
    beale,
    biggs_exp6,
    box3d,
    brown_almost_linear,
    brown_badly_scaled,
    brown_dennis,
    broyden_banded,
    broyden_tridiagonal,
    chebyquad,
    discrete_boundary_value,
    discrete_integral_equation,
    freudenstein_roth,
    gaussian,
    gulf,
    helical_valley,
    jennrich_sampson,
    kowalik_osborne,
    meyer,
    osborne1,
    osborne2,
    penalty1,
    penalty2,
    powell_badly_scaled,
    powell_singular,
    trigonometric,
    variably_dimensioned,
    watson,
    wood,
)
from minigrad.testing.problems.problem import Counting, LeastSquares, Problem
from minigrad.testing.problems.surfaces import (
    cliff,
    himmelblau,
    log_cosh,
    monkey_saddle,
    mountain,
    quadratic,
    rosenbrock,
    saddle,
    saddle2,
    styblinski_tang,
)

FAMILIES: list[Callable[[], Problem]] = [
    *(lambda n=n: rosenbrock(n) for n in (2, 10)), freudenstein_roth, powell_badly_scaled, brown_badly_scaled, beale,
    jennrich_sampson, helical_valley, bard, gaussian, meyer, gulf, box3d, powell_singular,
    lambda: powell_singular(12), wood, kowalik_osborne, brown_dennis, osborne1, biggs_exp6, osborne2, watson,
    lambda: watson(9), penalty1, lambda: penalty1(10), penalty2, lambda: penalty2(10), variably_dimensioned,
    trigonometric, brown_almost_linear, discrete_boundary_value, discrete_integral_equation, broyden_tridiagonal,
    broyden_banded, chebyquad, himmelblau, quadratic, lambda: quadratic(20, 1e4), saddle2, saddle, monkey_saddle,
    cliff, styblinski_tang, log_cosh,
]


def collection() -> list[Problem]:
    """All problems that have a minimum, freshly made, easiest families first. The mountain has none: `mountain()`."""
    return [make() for make in FAMILIES]


def least_squares_collection() -> list[Problem]:
    """Those of `collection()` that are sums of squares (residuals, jacobian)."""
    return [problem for problem in collection() if problem.least_squares]


__all__ = ["Counting", "LeastSquares", "Problem", "collection", "least_squares_collection", "mgh", "surfaces",
           "bard", "beale", "biggs_exp6", "box3d", "brown_almost_linear", "brown_badly_scaled", "brown_dennis",
           "broyden_banded", "broyden_tridiagonal", "chebyquad", "cliff", "discrete_boundary_value",
           "discrete_integral_equation", "freudenstein_roth", "gaussian", "gulf", "helical_valley", "himmelblau",
           "jennrich_sampson", "kowalik_osborne", "log_cosh", "meyer", "monkey_saddle", "mountain", "osborne1",
           "osborne2", "penalty1", "penalty2", "powell_badly_scaled", "powell_singular", "quadratic", "rosenbrock",
           "saddle", "saddle2", "styblinski_tang", "trigonometric", "variably_dimensioned", "watson", "wood"]
