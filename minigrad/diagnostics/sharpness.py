"""Sharpness: the largest eigenvalue of the Hessian. Gradient descent is stable up to a learning rate of 2/sharpness."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import count, number
from minigrad.diagnostics.operators import Local, place
from minigrad.diagnostics.spectrum import error_bound, lanczos, tridiagonal
from minigrad.random import generator
from minigrad.typing import Array, Random


class Sharpness(NamedTuple):
    """What `sharpness` found. value: the largest eigenvalue; error: an eigenvalue of the exact Hessian lies that near,
    rounding included (`spectrum.error_bound`); vector (n,): its unit eigenvector, the start for the next call along a
    path; products: Hessian-vector products taken."""
    value: float
    error: float
    vector: np.ndarray
    products: int


def sharpness(J: Any, theta: Array | None = None, relative: float = 1e-3, start: Any = None, rng: Random = None,
              most: int = 500) -> Sharpness:
    """The largest eigenvalue of the Hessian of J at theta, by Lanczos runs that each start where the last one ended.

    J: an objective with hvp. theta (n,): default where the model of J is; not changed. relative: stop once the error
    bound is below this part of the value. start (n,): a guess of the eigenvector, such as `.vector` of the step before;
    default random (rng). most: give up after so many products; the error then says how far it came. Two more say how
    exact the value is.
    Gradient descent on a quadratic diverges along an eigenvector as soon as lr > 2/eigenvalue; trained with a constant
    lr, networks drift towards that edge and stay there (Cohen et al. 2021, after the book).
    Returns a `Sharpness`. ValueError for a start of another shape, of zeros, or not finite.
    """
    who = "sharpness"
    most, relative = count(who, "most", most), number(who, "relative", relative, "(0, 1)")
    local = Local(J, place(J, theta, who), who)
    n, rng = len(local.theta), generator(rng)
    vector = local.direction(rng) if start is None else np.array(start, np.float64)
    if vector.shape != (n,) or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"{who}: start must be a finite array ({n},) that is not zero, got {vector.dtype} "
                         f"{vector.shape}" + (" of zeros" if not vector.any() else ""))
    while local.products < most:
        alpha, beta, Q = lanczos(local.product, vector, min(20, most - local.products))
        values, S = np.linalg.eigh(tridiagonal(alpha, beta))
        value, vector, residual = float(values[-1]), S[:, -1] @ Q, abs(beta[-1] * S[-1, -1])
        if residual <= relative * abs(value):
            break
    rounding = 100 * np.finfo(local.theta.dtype).eps * abs(value)
    error = error_bound(local.product, local.nudged(rng).product, value, vector, rounding, rng)
    return Sharpness(value, error, vector, local.products + 1)
