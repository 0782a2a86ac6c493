"""`minimize(opt, J, steps)`: the loop of the book's boxes, with a result that holds the path."""
from dataclasses import dataclass

import numpy as np


@dataclass
class Result:
    """What `minimize` found.

    theta (n,), value, grad_norm: the last point. values, grad_norms: before every step and at the end (steps + 1,).
    path: theta likewise (steps + 1, n), None unless n <= 100 or path=True. steps: made. evaluations: of J, of its
    gradient or of both at once; products: of its Hessian (or Gauss-Newton matrix) with a vector. reason: why it
    stopped: "steps", "tolerance", "not finite", "callback", or the reason of a step that failed.
    """
    theta: np.ndarray
    value: float
    grad_norm: float
    values: np.ndarray
    grad_norms: np.ndarray
    path: np.ndarray | None
    steps: int
    evaluations: int
    products: int
    reason: str

    def __repr__(self):
        return (f"Result(value={self.value:.6g}, grad_norm={self.grad_norm:.3g}, steps={self.steps}, "
                f"evaluations={self.evaluations}, products={self.products}, reason={self.reason!r})")


class Counted:
    """An objective that counts its evaluations and remembers the last one, so that looking at J costs nothing twice."""

    def __init__(self, J):
        self.J, self.evaluations, self.products = J, 0, 0
        self._theta = self._value = self._g = None
        if not hasattr(J, "value_and_grad") and not (hasattr(J, "value") and hasattr(J, "grad")):
            raise ValueError(f"minimize: J must have value(theta) and grad(theta), or value_and_grad(theta); "
                             f"{type(J).__name__} has not")

    def value_and_grad(self, theta):
        if self._g is None or not np.array_equal(theta, self._theta):
            self.evaluations += 1
            J = self.J
            value, g = J.value_and_grad(theta) if hasattr(J, "value_and_grad") else (J.value(theta), J.grad(theta))
            self._theta, self._value, self._g = np.array(theta), float(value), np.asarray(g)
        return self._value, self._g.copy()

    def value(self, theta):
        if self._g is not None and np.array_equal(theta, self._theta):
            return self._value
        if not hasattr(self.J, "value"):
            return self.value_and_grad(theta)[0]
        self.evaluations += 1
        return float(self.J.value(theta))

    def grad(self, theta):
        return self.value_and_grad(theta)[1]

    def __getattr__(self, name):
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

    def __init__(self, linearized, counted):
        self.linearized, self.counted = linearized, counted

    def __getattr__(self, name):
        method = getattr(self.linearized, name)
        if name not in ("hvp", "ggnvp"):
            return method

        def product(v):
            self.counted.products += 1
            return method(v)
        return product


def minimize(opt, J, steps, tolerance=0.0, path=None, callback=None):
    """Step until |g| <= tolerance, until `steps` steps are made, until J or g is not finite, or until a step fails.

    J is looked at at theta itself (not at an interim point). callback(k, theta, value, g), if given, sees every point,
    k = 0 first, and ends the loop by returning True. Returns a Result; not converging is a result, not an error.
    """
    if steps < 0 or int(steps) != steps:
        raise ValueError(f"minimize: steps must be a count, got {steps!r}")
    if not tolerance >= 0:
        raise ValueError(f"minimize: tolerance must be in [0, inf), got {tolerance!r}")
    J = Counted(J)
    keep = opt.n <= 100 if path is None else path
    values, norms, points, reason = [], [], [], "steps"
    with opt.at_theta():
        for k in range(int(steps) + 1):
            value, g = J.value_and_grad(opt.theta)
            values.append(value)
            norms.append(float(np.linalg.norm(g)))
            if keep:
                points.append(opt.theta.copy())
            if callback is not None and callback(k, opt.theta, value, g):
                reason = "callback"
                break
            if not np.isfinite(value) or not np.isfinite(norms[-1]):
                reason = "not finite"
                break
            if norms[-1] <= tolerance:
                reason = "tolerance"
                break
            if k < steps:
                step = opt.step(J)
                if getattr(step, "reason", ""):
                    reason = step.reason
                    break
    return Result(opt.theta.copy(), values[-1], norms[-1], np.array(values), np.array(norms),
                  np.array(points) if keep else None, len(values) - 1, J.evaluations, J.products, reason)
