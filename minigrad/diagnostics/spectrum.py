"""Eigenvalues of the Hessian of a network, from products with vectors: Lanczos (section 8.2.3 asks for their signs)."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np

from minigrad.arguments import count, flag
from minigrad.diagnostics.operators import Local, place
from minigrad.random import generator
from minigrad.typing import Array, Random


def lanczos(product: Callable[[Array], Array], start: Any, steps: int,
            relative: float = 1e-12) -> tuple[Array, Array, Array]:
    """Tridiagonal form of a symmetric matrix H on the Krylov space of `start` (Lanczos 1950).

        beta_{k+1} q_{k+1} = H q_k - alpha_k q_k - beta_k q_{k-1}

    product: v (n,) -> H v. start: (n,), not zero. Every new q is orthogonalized against all before (without it the
    eigenvalues that have been found come back as ghosts), and again where that took most of it away (Daniel et al.
    1976). Stops early where the space is invariant: beta below `relative` times the largest coefficient so far.
    Returns alpha (k,), beta (k,), Q (k, n): H Q' = Q' T + beta_k q e_k', T tridiagonal of alpha and beta[:-1].
    Memory: k n float64.
    """
    n = len(start)
    steps = min(steps, n)
    Q = np.zeros((steps, n))
    alpha, beta, q = [], [], np.asarray(start, np.float64) / np.linalg.norm(start)
    largest = 0.0
    for k in range(steps):
        Q[k] = q
        w = np.array(product(q), np.float64)
        alpha.append(float(q @ w))
        w -= alpha[-1] * q
        if k:
            w -= beta[-1] * Q[k - 1]
        beta.append(orthogonalize(w, Q[:k + 1]))
        largest = max(largest, abs(alpha[-1]), beta[-1])
        if not np.isfinite(alpha[-1] + beta[-1]):
            raise ValueError("lanczos: a product with the matrix is not finite")
        if beta[-1] <= relative * largest or largest == 0:
            break
        q = w / beta[-1]
    return np.array(alpha), np.array(beta), Q[:len(alpha)]


def orthogonalize(w: Array, Q: Array) -> float:
    """w <- w - Q'Q w, twice where little is left: what the rows of Q had of it is then rounding. Returns |w|."""
    before = float(np.linalg.norm(w))
    for _ in range(2):
        w -= Q.T @ (Q @ w)
        after = float(np.linalg.norm(w))
        if after > 0.7 * before:
            break
        before = after
    return after


def tridiagonal(alpha: Array, beta: Array) -> Array:
    """T (k, k) with alpha on the diagonal and beta[:-1] beside it."""
    return np.diag(alpha) + np.diag(beta[:-1], 1) + np.diag(beta[:-1], -1)


def ritz(alpha: Array, beta: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of T ascending, the weight of each in the start vector (they sum to 1), and error bounds: an
    eigenvalue of H lies within that distance."""
    values, S = np.linalg.eigh(tridiagonal(alpha, beta))
    return values, S[0] ** 2, abs(beta[-1] * S[-1])


def error_bound(product: Callable[[Array], Array], nudged: Any, value: float, x: Any, rounding: float,
                rng: Random) -> float:
    """How far from `value` an eigenvalue of H may be at most, x (n,) being its Ritz vector, of length 1.

        |H x - value x| + max(8 |H~ x~ - H x|, rounding)

    The first is the bound for a symmetric H. The second is the rounding of a product, as seen by the same product with
    all that goes into it moved within its rounding: H~ at theta one unit in the last place away, x~ of another length
    (eight times that, as it is one sample). The third is what cannot be seen so, where units are saturated: 1 - y^2 of
    a rounded y; hessian_spectrum takes 100 machine epsilons of |H|. product, nudged: v -> H v, H~ v.
    """
    Hx = product(x)
    other = 1 + rng.random()
    seen = 8 * np.linalg.norm(nudged(other * x) / other - Hx)
    return float(np.linalg.norm(Hx - value * x) + max(seen, rounding))


class Spectrum:
    """What `hessian_spectrum` found.

    lowest, highest: the extreme eigenvalues; lowest_error, highest_error: some eigenvalue of the exact H lies that near
    (`error_bound`, rounding included). values, weights: nodes and weights (summing to 1) of the density. products: how
    many were taken. n: size of H.
    """
    n: int
    products: int
    lowest: float
    lowest_error: float
    highest: float
    highest_error: float

    def __init__(self, n: int, runs: Any, lowest: Any, highest: Any, products: int) -> None:
        self.n, self.products = n, products
        (self.lowest, self.lowest_error), (self.highest, self.highest_error) = lowest, highest
        values = np.concatenate([values for values, _ in runs])
        order = np.argsort(values)
        self.values: Array = values[order]
        self.weights: Array = np.concatenate([weights for _, weights in runs])[order] / len(runs)

    @property
    def trace(self) -> float:
        """Estimate of the sum of all eigenvalues."""
        return self.n * float(self.values @ self.weights)

    def fraction(self, low: float = -np.inf, high: float = np.inf) -> float:
        """Estimate of the fraction of eigenvalues in (low, high)."""
        return float(self.weights[(self.values > low) & (self.values < high)].sum())

    def density(self, points: int = 200, width: float | None = None) -> tuple[Array, Array]:
        """(x, density(x)), each (points,): the eigenvalues' distribution, every node blurred to a Gaussian of standard
        deviation `width` (default: 1 % of the range). Integrates to 1."""
        span = self.highest - self.lowest
        width = width or 0.01 * (span or abs(self.highest) or 1.0)
        x = np.linspace(self.lowest - 4 * width, self.highest + 4 * width, points)
        z = (x[:, None] - self.values) / width
        return x, np.exp(-z * z / 2) @ self.weights / (width * np.sqrt(2 * np.pi))

    def __repr__(self) -> str:
        return (f"Spectrum(n={self.n}: lowest {self.lowest:.4g} +- {self.lowest_error:.1g}, highest {self.highest:.4g} "
                f"+- {self.highest_error:.1g}; {self.products} products)")


def hessian_spectrum(J: Any, theta: Array | None = None, steps: int = 80, probes: int = 3, matrix: str = "hessian",
                     rng: Random = None, n: int | None = None, progress: bool = False) -> Spectrum:
    """Extreme eigenvalues and the density of eigenvalues, by `probes` runs of at most `steps` Lanczos steps each.

    J: an objective with hvp (at theta; default: where its model is), or a function v -> H v, with n= the size. Frozen
    parameters are left out.
    matrix: "hessian", or "ggn" for the Gauss-Newton matrix. Extremes are accurate long before the rest; the density is
    stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017): each run's nodes with its weights, averaged over random
    starts. Four more products say how exact the extremes are. Memory: steps n float64. progress: a bar over the
    products, where tqdm is installed. Returns a `Spectrum`.
    """
    if matrix not in ("hessian", "ggn"):
        raise ValueError(f'hessian_spectrum: matrix must be "hessian" or "ggn", got {matrix!r}')
    if hasattr(J, "hvp") or hasattr(J, "ggnvp"):
        local = Local(J, place(J, theta, "hessian_spectrum"), "hessian_spectrum")
        product, n, start = lambda v: local.product(v, matrix), len(local.theta), local.direction
        dtype, relative = local.theta.dtype, np.finfo(local.theta.dtype).eps * 10
        nudge = lambda rng: partial(local.nudged(rng).product, matrix=matrix)
    elif callable(J):
        if n is None:
            raise ValueError("hessian_spectrum: for a function v -> H v pass n, its size")
        product, relative, start = J, 1e-12, lambda rng: rng.standard_normal(n)
        dtype = np.result_type(J(np.zeros(n)), np.float32)
        nudge = lambda rng: J
    else:
        raise ValueError(f"hessian_spectrum: J must have hvp, or be a function v -> H v, got {type(J).__name__}")
    steps, probes = count("hessian_spectrum", "steps", steps), count("hessian_spectrum", "probes", probes)
    rng, runs, ends, products = generator(rng), [], [], 0
    with bar(probes * min(steps, n), flag("hessian_spectrum", "progress", progress)) as shown:
        for _ in range(probes):
            alpha, beta, Q = lanczos(shown(product), start(rng), steps, relative)
            values, S = np.linalg.eigh(tridiagonal(alpha, beta))
            runs.append((values, S[0] ** 2))
            ends += [(values[k], S[:, k] @ Q) for k in (0, -1)]
            products += len(alpha)
    nudged, rounding = nudge(rng), 100 * np.finfo(dtype).eps * max(abs(value) for value, _ in ends)
    lowest, highest = ((value, error_bound(product, nudged, value, x, rounding, rng)) for value, x in
                       (min(ends, key=lambda end: end[0]), max(ends, key=lambda end: end[0])))
    return Spectrum(n, runs, lowest, highest, products + 4)


@contextmanager
def bar(total: int, wanted: bool) -> Iterator[Callable[..., Any]]:
    """`with bar(total, wanted) as shown:` every call of shown(product) is a step of a bar (tqdm's), if
    it is wanted and tqdm is installed; otherwise shown(product) is the product itself."""
    tqdm = None
    if wanted:
        with suppress(ImportError):
            from tqdm.auto import tqdm
    if tqdm is None:
        yield lambda product: product
        return
    with tqdm(total=total, desc="Lanczos", unit="product", leave=False) as steps:
        def shown(product):
            def counted(v):
                found = product(v)
                steps.update()
                return found
            return counted
        yield shown
