"""`minimize(opt, J, steps)`: the loop of the book's boxes, with a result that holds the path."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad.arguments import count, number
from minigrad.notebook import table
from minigrad.optim.optimizer import Optimizer
from minigrad.typing import Array


@dataclass
class Result:
    """What `minimize` found.

    theta (n,), value, grad_norm: the last point. values, grad_norms: before every step and at the end (steps + 1,).
    path: theta likewise (steps + 1, n), None unless n <= 100 or path=True. steps: made. evaluations: of J, of its
    gradient or of both at once; products: of its Hessian (or Gauss-Newton matrix) with a vector. reason: why it
    stopped: "steps", "tolerance", "tolerance on J", "tolerance on theta", "not finite", "callback", or the reason of a
    step that failed. restarts: the steps (from 1) before which a second-order method saw no decrease beyond rounding,
    forgot what it had learned and began anew.
    """
    theta: Array
    value: float
    grad_norm: float
    values: Array
    grad_norms: Array
    path: Array | None
    steps: int
    evaluations: int
    products: int
    reason: str
    restarts: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        anew = f", restarts={self.restarts}" if self.restarts else ""
        return (f"Result(value={self.value:.6g}, grad_norm={self.grad_norm:.3g}, steps={self.steps}, "
                f"evaluations={self.evaluations}, products={self.products}, reason={self.reason!r}{anew})")

    def _repr_html_(self) -> str:
        """In a notebook: what a reader asks first."""
        names = ("value", "grad_norm", "steps", "evaluations", "products", "reason")
        rows = [(name, f"{value:.6g}" if isinstance(value, float) else value)
                for name, value in zip(names, map(self.__getattribute__, names))]
        return table((), rows)


class Counted:
    """An objective that counts its evaluations and remembers the last one, so that looking at J costs nothing twice.

    version: J's own, or, where it has none, how often foreign code has run (which may have changed J's data).
    """
    evaluations: int
    products: int
    interruptions: int

    def __init__(self, J: Any) -> None:
        self.J, self.evaluations, self.products, self.interruptions = J, 0, 0, 0
        self._theta = self._value = self._g = self._version = None
        if not hasattr(J, "value_and_grad") and not (hasattr(J, "value") and hasattr(J, "grad")):
            raise ValueError(f"minimize: J must have value(theta) and grad(theta), or value_and_grad(theta); "
                             f"{type(J).__name__} has not")

    @property
    def version(self) -> Any:
        own = getattr(self.J, "version", None)
        return self.interruptions if own is None else own

    def known(self, theta: Array) -> bool:
        """Was J, as it is, last evaluated at theta?"""
        return self._g is not None and self._version == self.version and np.array_equal(theta, self._theta)

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        if not self.known(theta):
            self.evaluations += 1
            J = self.J
            value, g = J.value_and_grad(theta) if hasattr(J, "value_and_grad") else (J.value(theta), J.grad(theta))
            self._theta, self._value, self._g = np.array(theta), float(value), np.asarray(g)
            self._version = self.version
        return self._value, self._g.copy()

    def value(self, theta: Array) -> float:
        if self.known(theta):
            return self._value
        if not hasattr(self.J, "value"):
            return self.value_and_grad(theta)[0]
        self.evaluations += 1
        return float(self.J.value(theta))

    def grad(self, theta: Array) -> Array:
        return self.value_and_grad(theta)[1]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.J, name)
        if name in ("hvp", "ggnvp"):
            def counted(theta, v):
                self.products += 1
                return method(theta, v)
            return counted
        if name == "linearize":
            return lambda theta: CountedProducts(method(theta), self)
        return method


class CountedProducts:
    """J.linearize(theta), its products counted."""
    linearized: Any
    counted: Any

    def __init__(self, linearized: Any, counted: Any) -> None:
        self.linearized, self.counted = linearized, counted

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.linearized, name)
        if name not in ("hvp", "ggnvp"):
            return method

        def product(v):
            self.counted.products += 1
            return method(v)
        return product


def minimize(opt: Optimizer, J: Any, steps: int, tolerance: float = 0.0, path: bool | None = None,
             callback: Callable[..., Any] | None = None, value_tolerance: float = 0.0,
             theta_tolerance: float = 0.0) -> Result:
    """Step until |g| <= tolerance, until `steps` steps are made, until J or g is not finite, or until a step fails.

    value_tolerance, theta_tolerance: relative ones; 0: not asked. Step also until a step changes J by no more than
    value_tolerance |J|, or theta by no more than theta_tolerance |theta| (of the larger one). A method that creeps
    meets them far from any minimum, so they are for those that converge fast.
    J is looked at at theta itself (not at an interim point). callback(k, theta, value, g), if given, sees every point,
    k = 0 first, and ends the loop by returning True. It may change J's data (another minibatch): J is evaluated anew
    after it, unless J has a `version` that says that nothing changed.
    Returns a Result; not converging is a result, not an error.
    """
    steps = count("minimize", "steps", steps, 0)
    tolerance, value_tolerance, theta_tolerance = (
        number("minimize", what, limit, "[0, inf)") for what, limit in
        (("tolerance", tolerance), ("value_tolerance", value_tolerance), ("theta_tolerance", theta_tolerance)))
    J = Counted(J)
    keep = opt.n <= 100 if path is None else path
    values, norms, points, restarts, reason, before = [], [], [], [], "steps", None
    with opt.at_theta():
        for k in range(steps + 1):
            theta = opt.theta.copy() if keep or theta_tolerance else opt.theta
            value, g = J.value_and_grad(theta)
            values.append(value)
            norms.append(float(np.sqrt(np.einsum("i,i->", g, g, dtype=np.float64))))      # float32 would underflow
            if keep:
                points.append(theta)
            if callback is not None:
                J.interruptions += 1
            if callback is not None and callback(k, opt.theta, value, g):
                reason = "callback"
            elif not (np.isfinite(value) and np.isfinite(norms[-1])):
                reason = "not finite"
            elif norms[-1] <= tolerance:
                reason = "tolerance"
            elif k > 0 and value_tolerance and alike(value, values[-2], value_tolerance):
                reason = "tolerance on J"
            elif k > 0 and theta_tolerance and alike(theta, before, theta_tolerance):
                reason = "tolerance on theta"
            if reason != "steps" or k == steps:
                break
            before = theta
            step = opt.step(J)
            if getattr(opt, "restarted", False):
                restarts.append(k + 1)
            if getattr(step, "reason", ""):
                reason = step.reason
                break
    return Result(opt.theta.copy(), values[-1], norms[-1], np.array(values), np.array(norms),
                  np.array(points) if keep else None, len(values) - 1, J.evaluations, J.products, reason, restarts)


def alike(a: Any, b: Any, part: float) -> bool:
    """Is |a - b| at most this part of the larger of |a|, |b|? Numbers or arrays."""
    return np.linalg.norm(a - b) <= part * max(np.linalg.norm(a), np.linalg.norm(b))
