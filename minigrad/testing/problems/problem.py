"""What a test problem is: an objective written once, as a formula, with its derivatives, starts and minima."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.testing.problems.jets import Jet
from minigrad.typing import Array, ArrayLike


class Problem:
    """An objective f: R^n -> R given by a NumPy formula; its derivatives are exact (forward mode).

    name: str. start: (n,), the usual one. far: (n,), a harder one. minima: list of (n,) points, perhaps empty.
    lowest: the value at the best of them, or the infimum where there is none. source: where it was published.
    Overflow is a value (inf or NaN), never a warning. theta (n,) is never changed; results are fresh arrays.
    """
    name: str
    formula: Callable[..., Any]
    source: str
    lowest: float
    least_squares = False

    def __init__(self, name: str, formula: Callable[..., Any], start: ArrayLike, lowest: float, minima: Any = (),
                 far: Any = None, source: str = "") -> None:
        self.name, self.formula, self.source, self.lowest = name, formula, source, lowest
        self.start: Array = np.array(start, float)
        self.far: Array | None = 10 * self.start if far is None else np.array(far, float)
        self.minima: list[Array] = [np.array(minimum, float) for minimum in minima]
        self.n: int = len(self.start)

    def __repr__(self) -> str:
        return f"<{self.name}, n = {self.n}>"

    @property
    def version(self) -> Any:
        """Which function this is: while it is the same formula, a method need not evaluate one point twice."""
        return self.formula

    def value(self, theta: Array) -> float:
        """f(theta), a float."""
        with np.errstate(all="ignore"):
            return float(self.formula(theta))

    def _jet(self, theta, v=None):
        """The formula's jet: along all n axes, and (if given) along the columns of v (n, q) as well."""
        axes = np.eye(len(theta), dtype=theta.dtype)
        with np.errstate(all="ignore"):
            if v is None:
                return self.formula(Jet(theta, axes))
            return self.formula(Jet(theta, axes, v, np.zeros((len(theta), *v.shape), theta.dtype)))

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        """f and its gradient (n,)."""
        jet = self._jet(theta)
        return float(jet.x), np.array(jet.a, theta.dtype)

    def grad(self, theta: Array) -> Array:
        """Gradient (n,)."""
        return self.value_and_grad(theta)[1]

    def hvp(self, theta: Array, v: Array) -> Array:
        """Hessian times v (n,) -> (n,)."""
        return np.array(self._jet(theta, v[:, None]).ab[:, 0], theta.dtype)

    def hessian(self, theta: Array) -> Array:
        """Hessian (n, n)."""
        return np.array(self._jet(theta, np.eye(len(theta), dtype=theta.dtype)).ab, theta.dtype)


class LeastSquares(Problem):
    """f = sum_i r_i^2 with residuals r (m,): gradient 2 J'r, Hessian 2 (J'J + sum_i r_i H_i), Gauss-Newton 2 J'J.

    No factor 1/2 and no mean, as in More, Garbow and Hillstrom's collection.
    """
    least_squares = True

    def residuals(self, theta: Array) -> Array:
        """r (m,)."""
        with np.errstate(all="ignore"):
            return np.array(self.formula(theta), theta.dtype)

    def jacobian(self, theta: Array) -> Array:
        """dr/dtheta (m, n)."""
        return np.array(self._jet(theta).a, theta.dtype)

    def value(self, theta: Array) -> float:
        with np.errstate(all="ignore"):
            return float(np.sum(np.square(self.formula(theta))))

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        jet = self._jet(theta)
        with np.errstate(all="ignore"):
            return float(np.sum(np.square(jet.x))), np.array(2 * jet.x @ jet.a, theta.dtype)

    def _curvature(self, theta, v):
        jet = self._jet(theta, v)
        with np.errstate(all="ignore"):
            return np.array(2 * (jet.a.T @ jet.b + np.tensordot(jet.x, jet.ab, axes=1)), theta.dtype)

    def hvp(self, theta: Array, v: Array) -> Array:
        return self._curvature(theta, v[:, None])[:, 0]

    def hessian(self, theta: Array) -> Array:
        return self._curvature(theta, np.eye(len(theta), dtype=theta.dtype))

    def ggnvp(self, theta: Array, v: Array) -> Array:
        """2 J'J v (n,)."""
        jacobian = self.jacobian(theta)
        return 2 * jacobian.T @ (jacobian @ v)


class Counting:
    """Any objective, with its evaluations counted: `counts` by name, `evaluations` their sum.

    A value with its gradient counts two, a Hessian (n, n) counts as n products.
    """
    objective: Any
    counts: dict[str, int]
    COST = {"value": 1, "grad": 1, "value_and_grad": 2, "hvp": 1, "ggnvp": 1, "residuals": 1, "jacobian": 1}

    def __init__(self, objective: Any) -> None:
        self.objective, self.counts = objective, {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.objective, name)
        if name not in self.COST and name != "hessian":
            return method

        def counted(*args):
            self.counts[name] = self.counts.get(name, 0) + 1
            return method(*args)
        return counted

    @property
    def evaluations(self) -> int:
        """Values + gradients + Hessian (or Gauss-Newton) products so far."""
        cost = self.COST | {"hessian": getattr(self.objective, "n", 1)}
        return sum(cost[name] * count for name, count in self.counts.items())
