"""First-order methods: a subclass writes `update(g)`, one pass of its loop, and `point()` if g is taken elsewhere."""
from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import KW_ONLY
from functools import partial
from typing import Any, ClassVar, overload

import numpy as np

from minigrad import kernels
from minigrad.optim.fields import Hyper, hyper, view
from minigrad.optim.first_order.groups import Run, cut, make_groups
from minigrad.optim.first_order.interim import InterimPoint
from minigrad.optim.optimizer import NonFiniteError, Step
from minigrad.optim.saving import Entry, table
from minigrad.typing import Array


class FirstOrder(InterimPoint):
    """A first-order optimizer is its algorithm box: fields (see `minigrad.optim.fields`) and one pass of the loop,

        def update(self, g):
            self.v = self.momentum * self.v - self.lr * g
            self.theta = self.theta + self.v

    In it `self.theta`, the state and g are views of the same length (assigning copies into them; g is not to be
    written), hyperparameters are numbers, `self.k` is the number of this step, `self.t` the number of steps these
    parameters have made, from 1 (they differ for parameters that were without a gradient). `begin()`, if written,
    fills the state before the parameters' first step; it may read `self.g`. With `by_parameter = True` each call is
    for one parameter, and `self.shape` is its shape: `g.reshape(self.shape)` is what the layer sees.

    params: a float array (n,) or `model.parameters()`. groups: hyperparameters of some parameters, see `groups.py`.
    weight_decay: g + weight_decay theta in place of g (L2, coupled), theta being where g was taken.
    check_finite: NonFiniteError for a NaN or infinite g (or J), before anything is changed.
    """
    abstract = True
    work: ClassVar[tuple[str, ...]] = ()    # arrays that `evaluate` fills and `update` reads; not saved
    decoupled = False   # does `update` itself apply weight_decay?
    by_parameter = False        # is `update` for one parameter at a time, with its shape?
    needs_objective = False     # step(J) only?
    shape: ClassVar[tuple[int, ...]]

    _: KW_ONLY
    groups: Any = None
    weight_decay: Hyper = hyper(0.0)
    check_finite: bool = False

    def fill(self, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        super().fill(args, given)
        self._work = {name: kernels.zeros(self.n, self.dtype) for name in self.work}
        self.groups = make_groups(self, self.groups)
        self._pieces = cut(self)
        self._shapes = {start: shape for start, *_, shape in self._pieces} if self.by_parameter else {}
        self._counts = [0] * len(self._pieces)
        self._decayed = None

    def update(self, g: Array) -> None:
        """One pass of the method's loop on self.theta and the state, given the gradient g."""
        raise NotImplementedError

    def begin(self) -> None:
        """Fill the state before the first step (by default it is zero)."""

    # ---- a step

    @overload
    def step(self, J: None = None, *, g: Array | None = None) -> None: ...
    @overload
    def step(self, J: Any, *, g: Array | None = None) -> Step: ...
    def step(self, J: Any = None, *, g: Array | None = None) -> Any:
        """One step: with the g that backward left, `opt.step()`; with that of an objective, `opt.step(J)` (returns a
        Step, J's value where g was taken); or with a gradient taken at `interim()`, `opt.step(g=...)`.

        After `step()` a method with an interim point leaves the parameters there, for the next backward.
        Slices without a gradient since zero_grad, and frozen ones, keep their bits, state and step count.
        """
        theta, numbers, outcome = self.check_theta(), self.values(self.k + 1), None
        backward, moves, there = J is None and g is None, self.has_point, theta     # there: where g was taken
        if moves and not backward:
            self.return_to_theta()
            there = self.interim()
        if backward:
            g = self.params.g
            if g is None:
                raise ValueError(f"{type(self).__name__}.step: theta is a plain array, no backward writes its "
                                 "gradient: pass the objective, step(J), or the gradient, step(g=...)")
        elif J is None:
            g = given(self, g, theta)
        else:
            value, g = self.evaluate(J, there)
            theta, outcome = self.check_theta(), Step(value, float(np.linalg.norm(g)))
            there = there if moves else theta                       # J may have laid the parameters out anew
        runs, counts = self.runs(self.params.unwritten if backward else getattr(self.params, "frozen", ()))
        if not runs:
            raise ValueError(f"{type(self).__name__}.step: no parameter has a gradient: call backward() first")
        if self.check_finite:
            refuse_non_finite(self, g, runs, outcome)
        if moves and backward:
            theta = self.theta_of_step(runs)
        if not self.decoupled and any([each["weight_decay"] for each in numbers]):
            g = self._decayed = decayed(g, there, runs, numbers, self._decayed)
        self.__dict__["k"] += 1                         # as self.k += 1, but __setattr__ takes 0.3 us
        try:
            self.advance(type(self).update, runs, numbers, {"theta": theta, "g": g})
        except BaseException:                           # half done: k counts whole steps, the parameters are at theta
            self.k -= 1
            self.return_to_theta()
            self.changed()
            raise
        self._counts[:] = counts
        if self._trace is not None:
            self.record(theta=theta, g=g, **self._state, **numbers[0])
        if moves and backward:
            self.move_ahead(theta)
        else:
            self.changed()
        return outcome

    def values(self, k: int) -> list[dict[str, Any]]:
        """Every group's hyperparameters at step k, as numbers; ValueError if a schedule leaves its range."""
        cls = type(self)
        own = [{name: getattr(cls, name).at(self, value, k) if callable(value) else value
                for name, value in group.own.items()} for group in self.groups]
        return own if len(own) == 1 else [own[0] | each for each in own]

    def runs(self, skipped: Collection[str]) -> tuple[list[Run], list[int]]:
        """What one step moves: maximal runs of equal group and step count (or, `by_parameter`, every parameter) of what
        is neither skipped, by name, nor in a frozen group; and the step counts of all pieces after it."""
        counts = self._counts
        if not (skipped or self.by_parameter or self.groups[0].frozen) and len(self.groups) == 1 and (
                counts.count(counts[0]) == len(counts)):
            return [(0, self.n, 0, counts[0] + 1)], [counts[0] + 1] * len(counts)
        runs, counts = [], list(counts)
        for i, (start, stop, name, group, _) in enumerate(self._pieces):
            if name not in skipped and not self.groups[group].frozen:
                t = counts[i] = counts[i] + 1
                if runs and runs[-1][1:] == (start, group, t) and not self.by_parameter:
                    start = runs.pop()[0]
                runs.append((start, stop, group, t))
        return runs, counts

    def parts(self, run: Run, numbers: list[dict[str, Any]], arrays: dict[str, Array]) -> dict[str, Any]:
        """What a View of a run has, by name: this step's numbers, and its part of the arrays and of the state."""
        start, stop, group, t = run
        whole = {**numbers[group], **arrays, **self._state, **self._work, "t": t}
        if self._shapes:
            whole["shape"] = self._shapes[start]
        if stop - start == self.n:
            return whole
        return {name: value[start:stop] if getattr(value, "shape", None) == (self.n,) else value
                for name, value in whole.items()}

    def advance(self, method: Any, runs: list[Run], numbers: list[dict[str, Any]], arrays: dict[str, Array]) -> None:
        """`update` or `point` on every run: its kernel, or its text on a View. arrays, (n,) each: theta, and g for an
        update, or `out` for what a point returns."""
        kernel, updates = getattr(method, "kernel", None), "g" in arrays
        for run in runs:
            parts = self.parts(run, numbers, arrays)
            if run[3] == 1 and updates and type(self).begin is not FirstOrder.begin:
                view(self, parts).begin()
            if kernel is not None:
                kernel(*[parts[name] for name in method.arguments])
            elif updates:
                method(view(self, parts), parts["g"])
            else:
                parts["out"][...] = method(view(self, parts))

    # ---- saving

    def entries(self) -> Iterator[Entry]:
        """As for every optimizer; then the groups, the parameters' own step counts, and whether to look ahead."""
        yield from super().entries()
        for i, group in enumerate(self.groups):
            if i > 0:
                yield from table(f"group.{i}", group.own)
            if i > 0 or group.frozen:                           # of the rest, which seldom is, only that it is
                yield f"frozen.{i}", int(group.frozen), partial(group.__setitem__, "frozen")
        yield "stops", np.array([stop for _, stop, *_ in self._pieces]), None
        yield "counts", np.array(self._counts), lambda counts: setattr(self, "_counts", counts.tolist())
        yield "at_point", int(self._ahead is None or bool(self._ahead)), self.restore_point

    def load_state_dict(self, state: dict[str, Any]) -> None:
        rest, before = self.groups[0], self.groups[0].frozen
        rest.frozen = "frozen.0" in state
        try:
            super().load_state_dict(state)
        except BaseException:
            rest.frozen = before
            raise

    def restored(self, key: str, mine: Any, theirs: Any) -> Any:
        if key == "stops" and not np.array_equal(theirs, mine):
            raise ValueError("stops: the parameters or groups are cut differently")
        found = super().restored(key, mine, theirs)
        if key == "counts" and (found < 0).any():
            raise ValueError("counts are negative")
        return found


# ---- what a step asks of its gradient: to fit, to be finite, and to be decayed

def given(opt: Any, g: Array, theta: Array) -> Array:
    """A gradient that somebody computed. ValueError if it is not shaped like theta."""
    if np.shape(g) != theta.shape or g.dtype != theta.dtype:
        raise ValueError(f"{type(opt).__name__}.step: g must be {theta.shape} {theta.dtype}, "
                         f"got {np.shape(g)} {getattr(g, 'dtype', type(g).__name__)}")
    return g


def refuse_non_finite(opt: Any, g: Array, runs: list[Run], value: Any) -> None:
    """NonFiniteError for a value of J (if there is one) that is NaN or infinite, or a gradient in the runs."""
    if value is not None and not np.isfinite(value):
        raise NonFiniteError(f"{type(opt).__name__}.step: J is {float(value)} at step {opt.k + 1}")
    for start, stop, *_ in runs:
        if not np.isfinite(g[start:stop]).all():
            bad = [name for a, b, name, *_ in opt._pieces if start <= a < stop and not np.isfinite(g[a:b]).all()]
            raise NonFiniteError(f"{type(opt).__name__}.step: the gradient of {', '.join(bad)} is not finite "
                                 f"at step {opt.k + 1}; nothing was changed")


def decayed(g: Array, theta: Array, runs: list[Run], numbers: list[dict[str, Any]], out: Array | None) -> Array:
    """out <- g + weight_decay theta (L2, coupled) in the runs, each with its own decay. out None: a fresh one."""
    out = np.empty_like(theta) if out is None else out
    for start, stop, group, _ in runs:
        part = slice(start, stop)
        np.multiply(theta[part], numbers[group]["weight_decay"], out=out[part])
        out[part] += g[part]
    return out
