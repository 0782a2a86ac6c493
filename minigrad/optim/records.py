"""What a step says of itself: the value of J and why it went no further (Step), its symbols (Trace), or an error."""
from __future__ import annotations

from typing import Any

import numpy as np


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
