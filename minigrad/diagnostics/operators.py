"""What the diagnostics ask of an objective: where it is, its value and gradient there, products with its curvature."""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.typing import Array, Random


def place(J: Any, theta: Array | None, who: str) -> Array:
    """theta as a fresh array (n,): the one given, or where the model of J is."""
    if theta is None:
        if not hasattr(J, "parameters"):
            raise ValueError(f"{who}: {type(J).__name__} has no parameters of its own: pass theta")
        theta = J.parameters.theta
    theta = np.array(theta)
    if theta.ndim != 1 or theta.dtype.kind != "f":
        raise ValueError(f"{who}: theta must be a floating-point array (n,), got {theta.dtype} {theta.shape}")
    return theta


class Local:
    """An objective at theta: value (a float), g (n,), hvp(v), ggnvp(v); from one recorded graph where J can do that.

    `products` counts the products taken.
    """
    theta: Any
    who: str
    products: int
    value: Any
    g: Array

    def __init__(self, J: Any, theta: Array | None, who: str) -> None:
        self.J, self.theta, self.who, self.products = J, theta, who, 0
        if hasattr(J, "linearize"):
            self.at: Any = J.linearize(theta)
            self.value, self.g = float(self.at.value), self.at.grad()
        else:
            self.at = None
            self.value, g = J.value_and_grad(theta) if hasattr(J, "value_and_grad") else (J.value(theta), J.grad(theta))
            self.value, self.g = float(self.value), np.array(g)

    def product(self, v: Array, matrix: str = "hessian") -> Array:
        """Hessian ("hessian") or Gauss-Newton matrix ("ggn") times v (n,), float64."""
        name = {"hessian": "hvp", "ggn": "ggnvp"}[matrix]
        self.products += 1
        v = v.astype(self.theta.dtype)
        if self.at is not None:
            return getattr(self.at, name)(v).astype(np.float64)
        if not hasattr(self.J, name):
            raise ValueError(f"{self.who}: J must have {name}(theta, v); {type(self.J).__name__} has not")
        return np.asarray(getattr(self.J, name)(self.theta, v), np.float64)

    def nudged(self, rng: Random) -> Local:
        """The same objective one unit in the last place away, up or down at random: what a product of it changes by is
        what rounding makes of it."""
        away = np.where(rng.random(len(self.theta)) < 0.5, -np.inf, np.inf).astype(self.theta.dtype)
        return Local(self.J, np.where(self.theta == 0, self.theta, np.nextafter(self.theta, away)), self.who)

    def direction(self, rng: Random) -> Array:
        """A random normal vector (n,), zero where parameters are frozen: those belong to no direction."""
        d = rng.standard_normal(len(self.theta))
        parameters = getattr(self.J, "parameters", None)
        if hasattr(parameters, "named"):
            for p, part in zip(parameters.named.values(), parameters.slices.values()):
                if not p.requires_grad:
                    d[part] = 0
        return d

    def gradient_at(self, step: Array) -> Array:
        """The gradient at theta + step, float64."""
        with np.errstate(all="ignore"):
            return np.asarray(self.J.grad((self.theta + step).astype(self.theta.dtype)), np.float64)

    def along(self, direction: Array, t: Any) -> float:
        """J(theta + t direction), a float; inf where it cannot be computed."""
        with np.errstate(all="ignore"):
            value = float(self.J.value((self.theta + t * direction).astype(self.theta.dtype)))
        return value if np.isfinite(value) else np.inf
