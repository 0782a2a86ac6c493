"""First-order methods: a subclass writes `update(g)`, one pass of its loop, and `point()` if g is taken elsewhere."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import KW_ONLY
from functools import partial
from typing import Any, ClassVar, overload

import numpy as np

from minigrad.optim.fields import Hyper, hyper, view
from minigrad.optim.first_order.gradient import decayed, given, left_by_backward, refuse_non_finite
from minigrad.optim.first_order.groups import Group, cut, make_groups, shapes_of
from minigrad.optim.first_order.interim import InterimPoint
from minigrad.optim.records import Step
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
        self._work = {name: np.zeros(self.n, self.dtype) for name in self.work}
        self.groups = [Group(self, "the rest"), *make_groups(self, self.groups)]
        self._pieces = cut(self.params.slices, self.groups, type(self).__name__)
        self._shapes = shapes_of(self.params, self._pieces, type(self).__name__) if self.by_parameter else {}
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
        backward, there = J is None and g is None, theta            # there: where g was taken
        if backward:
            g, skipped = left_by_backward(self), self.params.unwritten
        else:
            self.return_to_theta()
            there, skipped = self.interim(), getattr(self.params, "frozen", ())
            if J is None:
                g = given(self, g, theta)
            else:
                value, g = self.evaluate(J, there)
                theta, outcome = self.check_theta(), Step(value, float(np.linalg.norm(g)))
                there = there if self.has_point else theta          # J may have laid the parameters out anew
        runs, counts = self.runs(skipped)
        if not runs:
            raise ValueError(f"{type(self).__name__}.step: no parameter has a gradient: call backward() first")
        if self.check_finite:
            refuse_non_finite(self, g, runs, outcome)
        if backward and self.has_point:
            theta = self.theta_of_step(runs)
        if not self.decoupled and any([each["weight_decay"] for each in numbers]):
            g = self._decayed = decayed(g, there, runs, numbers, self._decayed)
        self.__dict__["k"] += 1                         # as self.k += 1, but __setattr__ takes 0.3 us
        try:
            self.advance(theta, g, runs, numbers)
        except BaseException:                           # half done: k counts whole steps, the parameters are at theta
            self.k -= 1
            self.put_at_theta(theta)
            raise
        self._counts[:] = counts
        if self._trace is not None:
            self.record(theta=theta, g=g, **self._state, **numbers[0])
        if backward and self.has_point:
            self.move_ahead(theta)
        else:
            self.changed()
        return outcome

    def values(self, k: int) -> list[dict[str, Any]]:
        """Every group's hyperparameters at step k, as numbers; ValueError if a schedule leaves its range."""
        rest = {name: self.at_step(name, value, k) if callable(value) else value for name, value in self._hyper.items()}
        if len(self.groups) == 1:
            return [rest]
        return [rest] + [rest | {name: self.at_step(name, value, k) for name, value in group.own.items()}
                         for group in self.groups[1:]]

    def runs(self, skipped: Collection[str]) -> tuple[list[tuple[int, int, int, int]], list[int]]:
        """(start, stop, group, t) for maximal runs of parameters of equal group and step count (or, `by_parameter`, for
        every parameter); the counts after it."""
        counts = self._counts
        if not (skipped or self._shapes) and len(self.groups) == 1 and counts.count(counts[0]) == len(counts):
            return [(0, self.n, 0, counts[0] + 1)], [counts[0] + 1] * len(counts)
        runs, counts = [], list(counts)
        for i, (start, stop, name, group) in enumerate(self._pieces):
            if name not in skipped and not self.groups[group].frozen:
                t = counts[i] = counts[i] + 1
                if runs and runs[-1][1:] == (start, group, t) and not self._shapes:
                    start = runs.pop()[0]
                runs.append((start, stop, group, t))
        return runs, counts

    def parts(self, theta: Array, start: int, stop: int, numbers: dict[str, Any]) -> dict[str, Any]:
        """What a View of parameters start ... stop has, by name."""
        if stop - start == self.n:
            return {**numbers, "theta": theta, **self._state, **self._work}
        own = {name: value[start:stop] if np.shape(value) == theta.shape else value
               for name, value in (self._state | self._work).items()}
        return {**numbers, "theta": theta[start:stop], **own}

    def advance(self, theta: Array, g: Array, runs: list[tuple[int, int, int, int]],
                numbers: list[dict[str, Any]]) -> str:
        """`update`, or its kernel, on every run."""
        cls = type(self)
        kernel = getattr(cls.update, "kernel", None)
        for start, stop, group, t in runs:
            parts = self.parts(theta, start, stop, numbers[group])
            parts["g"], parts["t"] = g if len(g) == stop - start else g[start:stop], t
            if self._shapes:
                parts["shape"] = self._shapes[start]
            if t == 1 and cls.begin is not FirstOrder.begin:
                view(self, parts).begin()
            if kernel is None:
                view(self, parts).update(parts["g"])
            else:
                kernel(*[parts[name] for name in cls.update.arguments])

    # ---- saving

    def entries(self) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
        """As for every optimizer; then the groups, the parameters' own step counts, and whether to look ahead."""
        yield from super().entries()
        for i, group in enumerate(self.groups[1:], 1):
            for name, value in group.own.items():
                yield f"group.{i}.{name}", value, partial(group.own.__setitem__, name)
            yield f"frozen.{i}", int(group.frozen), partial(group.__setitem__, "frozen")
        yield "stops", np.array([stop for _, stop, _, _ in self._pieces]), lambda stops: None
        yield "counts", np.array(self._counts), lambda counts: setattr(self, "_counts", counts.tolist())
        yield "at_point", int(bool(self._ahead) or self._paused), self.restore_point

    def restored(self, key: str, mine: Any, theirs: Any) -> Any:
        found = super().restored(key, mine, theirs)
        if key == "stops" and not np.array_equal(found, mine):
            raise ValueError("stops: the parameters or groups are cut differently")
        if key == "counts" and (found < 0).any():
            raise ValueError("counts are negative")
        return found
