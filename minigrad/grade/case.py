"""What a check is handed: it asks the submission for data, compares them with what it knows, and says what is wrong.

Everything here runs in the grader. The submission only ever returns plain arrays; it cannot see what they are compared
with, and a comparison is no method of anything that it returns.
"""
from __future__ import annotations

import hashlib
from typing import Any

import numpy as np


class Outcome(Exception):
    """Why a test was not passed. status: "failed", "error", "timeout", "memory" or "crash"."""
    status: str
    message: str

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Case:
    """One test of one submission.

    rng: a generator of the test's own numbers, the same for the same test and seed; seed: a whole number as good, for
    drives that want one. Public tests are always drawn from the seed "public", so that a student sees the
    numbers of the grader. `ask`, `close`, `equal`, `true` and `picture` are what checks.py uses.
    """
    rng: np.random.Generator
    seed: Any

    def __init__(self, asked: Any, task: Any, seed: Any, images: Any = None) -> None:
        self._ask, self._task = asked, task
        number = stream(task.number, "public" if self.public else seed)
        self.rng, self.seed = np.random.default_rng(number), number % 2 ** 31
        self.pictures: Any = [] if images is None else images

    @property
    def public(self) -> bool:
        return self._task.visibility == "public"

    def ask(self, function: str, **inputs: Any) -> Any:
        """drive.function(student, **inputs), run in a process of its own: a dict of arrays.

        inputs: arrays, numbers, booleans, None, text and lists of those. Raises Outcome where no data come back.
        """
        __tracebackhide__ = True
        return self._ask(function, inputs, self.public)

    def close(self, got: Any, want: Any, message: str, tolerance: float = 1e-9) -> None:
        """got has want's shape and |got - want| <= tolerance (1 + |want|) everywhere; a NaN is close to nothing."""
        got, want = shaped(got, want, message)
        if got.dtype.kind not in "biuf":
            raise Outcome("failed", f"{message} (the result is not numbers but {got.dtype})")
        got, want = got.astype(float), want.astype(float)
        with np.errstate(all="ignore"):
            near = np.abs(got - want) <= tolerance * (1 + np.abs(want))
        self._all(np.where(np.isfinite(want), near, got == want), got, want, message)

    def equal(self, got: Any, want: Any, message: str) -> None:
        """got and want are the same, shape and every value."""
        got, want = shaped(got, want, message)
        self._all(got == want, got, want, message)

    def true(self, condition: Any, message: str) -> None:
        """The condition holds: one that the check worked out, never a value that the submission returned as its own."""
        if not isinstance(condition, bool | np.bool_):
            raise TypeError(f"case.true: the condition must be True or False, got {condition!r:.60}")
        if not condition:
            raise Outcome("failed", message)

    def picture(self, got: Any, want: Any, label: str = "your path (red) and the right one (black)") -> None:
        """Two paths (steps, 2), drawn for the reports that show images. Call it before the comparison that may fail."""
        if np.asarray(got).ndim:
            self.pictures.append((label, np.array(got, dtype=float), np.array(want, dtype=float)))

    def _all(self, right, got, want, message):
        if np.all(right):
            return
        first = np.argwhere(~np.atleast_1d(right))[0]
        where = f"[{', '.join(map(str, first))}]" if np.ndim(right) else ""
        got, want = (np.atleast_1d(values)[tuple(first)] for values in (got, want))
        raise Outcome("failed", message + (f" (your result{where} is {got}, wanted {want})" if self.public else ""))


def shaped(got: Any, want: Any, message: str) -> Any:
    """Both as arrays of one shape; Outcome where they are not."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        raise Outcome("failed", f"{message} (the result has shape {got.shape}, wanted {want.shape})")
    return got, want


def stream(*names: Any) -> Any:
    """A seed from names and numbers, alike on every machine."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, names)).encode()).digest()[:8], "little")
