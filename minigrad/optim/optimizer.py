"""What every optimizer shares: the vector theta, the value and gradient of J, the record of a step."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.optim.parameters import as_parameters
from minigrad.optim.saving import Saved
from minigrad.typing import Array


class NonFiniteError(ValueError, ArithmeticError):
    """A gradient or a value of J is NaN or infinite; raised before anything was changed."""


class Step(float):
    """What `opt.step(J)` returns: the value of J where the step took its gradient, as a float, and

    grad_norm: |g| there (None if not computed); evaluations: how many values and gradients of J the step cost;
    reason: "" if the step was made, else why it was not ("line search failed: ..."): `minimize` then stops.
    """

    grad_norm: float | None
    evaluations: int
    reason: str

    def __new__(cls, value: float, grad_norm: float | None = None, evaluations: int = 1, reason: str = "") -> Step:
        step = super().__new__(cls, value)
        step.grad_norm, step.evaluations, step.reason = grad_norm, evaluations, reason
        return step


class Trace(list[Any]):
    """One dict of symbols per step; trace["v"] stacks one symbol over the steps, trace[3] is the fourth step."""

    def __getitem__(self, key: Any) -> Any:
        return np.array([step[key] for step in self]) if isinstance(key, str) else super().__getitem__(key)


class Optimizer(Saved):
    """The base of all optimizers.

    params: a float array (n,), updated in place, or an object with theta (n,), g (n,) and slices (name -> slice), such
    as `model.parameters()`. A subclass declares its hyperparameters and state (see `fields`) and writes
    `step(self, J) -> Step`. In it: `self.theta` (the live vector; assigning copies into it), `self.evaluate(J, theta)`,
    `self.now("damping")` (a hyperparameter's value at this step; the first one has k = 1), `self.k += 1` and
    `self.changed()` once theta has moved. A subclass with `abstract = True` is a base of others.
    """
    abstract = True
    params: Any

    def attach(self, params: Any) -> None:
        self.params, self._trace = as_parameters(params, type(self).__name__), None
        self.k: int = 0
        self.n: int = len(self.params.theta)
        self.dtype: np.dtype[Any] = self.params.theta.dtype

    @property
    def theta(self) -> Array:
        """The live parameter vector (n,)."""
        return self.params.theta

    @theta.setter
    def theta(self, value: Array) -> None:
        self.params.theta[...] = value
        self.changed()

    def changed(self) -> None:
        """Say that theta was moved in place (graphs recorded before no longer hold)."""
        self.params.changed()

    def zero_grad(self) -> None:
        """Forget the gradient: the next backward stores instead of adding."""
        self.params.zero_grad()

    @contextmanager
    def at_theta(self) -> Iterator[Array]:
        """`with opt.at_theta():` the parameters are at theta. Only methods with an interim point are ever elsewhere."""
        yield self.theta

    def check_theta(self) -> Array:
        """theta. ValueError if the parameters are no longer what the state was made for."""
        theta = self.params.theta
        if theta.dtype != self.dtype or len(theta) != self.n:
            raise ValueError(f"{type(self).__name__}: theta was ({self.n},) {self.dtype} when the optimizer was made "
                             f"and is {theta.shape} {theta.dtype} now: make a new one")
        return theta

    def now(self, name: str, k: int | None = None) -> Any:
        """The value of a hyperparameter at step k (default: the step being made, self.k + 1)."""
        return getattr(type(self), name).at(self, self._hyper[name], self.k + 1 if k is None else k)

    # ---- the objective

    def need(self, J: Any, *names: str) -> None:
        """ValueError that names what J lacks."""
        missing = [name for name in names if not hasattr(J, name)]
        if missing and hasattr(J, "backward"):
            raise ValueError(f"{type(self).__name__}.step: got a {type(J).__name__}: after its backward() call step() "
                             f"without it; step(J) wants an objective with {', '.join(names)}")
        if missing:
            raise ValueError(f"{type(self).__name__}.step: J must have {', '.join(f'{name}(...)' for name in names)}; "
                             f"{type(J).__name__} has no {', '.join(missing)}")

    def evaluate(self, J: Any, theta: Array) -> tuple[float, Array]:
        """J(theta) and its gradient (n,) in theta's dtype. ValueError if J has neither form, or g the wrong shape."""
        if hasattr(J, "value_and_grad"):
            value, g = J.value_and_grad(theta)
        else:
            self.need(J, "value", "grad")
            value, g = J.value(theta), J.grad(theta)
        g = np.ascontiguousarray(g, dtype=self.dtype)
        if np.may_share_memory(g, self.params.theta):           # as when J is theta^2/2, whose gradient is theta
            g = g.copy()
        if g.shape != (self.n,):
            raise ValueError(f"{type(self).__name__}.step: J's gradient must have shape ({self.n},), got {g.shape}")
        return float(value), g

    def step(self, J: Any) -> Step | None:
        """One step of the method on objective J."""
        raise NotImplementedError

    # ---- watching

    @contextmanager
    def trace(self) -> Iterator[Trace]:
        """`with opt.trace() as history:` records the book's symbols after every step: history["theta"] is (steps, n),
        likewise "g" and every state array; hyperparameters are (steps,)."""
        before, self._trace = self._trace, Trace()
        try:
            yield self._trace
        finally:
            self._trace = before

    def record(self, **symbols: Any) -> None:
        """Called by `step` when it is done: copies the symbols into the trace, if one is being taken."""
        if self._trace is not None:
            self._trace.append({name: np.array(value) for name, value in symbols.items()})

    def __repr__(self) -> str:
        hyper = ", ".join(f"{name}={value!r}" for name, value in vars(self)["_hyper"].items())
        return f"{type(self).__name__}({hyper}; n={self.n}, k={self.k})"
