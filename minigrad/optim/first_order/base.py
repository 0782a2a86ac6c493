"""First-order methods: a subclass writes `update(g)`, one pass of its loop, and `point()` if g is taken elsewhere."""
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from minigrad.optim.fields import Hyper, hyper, view
from minigrad.optim.first_order.groups import Group, cut, make_groups
from minigrad.optim.first_order.interim import InterimPoint
from minigrad.optim.optimizer import NonFiniteError, Step
from minigrad.optim.schedules import describe


class FirstOrder(InterimPoint):
    """A first-order optimizer is its algorithm box:

        class Momentum(FirstOrder):
            lr: Hyper
            momentum: Hyper = hyper(0.9)
            v: Array = state()                                          # (n,), zero at the start

            def update(self, g):
                self.v = self.momentum * self.v - self.lr * g
                self.theta = self.theta + self.v

    In `update`, `self.theta`, the state and g are views of the same length (assigning copies into them; g is not to be
    written), hyperparameters are numbers, `self.k` is the number of this step, `self.t` the number of steps these
    parameters have made, from 1 (they differ for parameters that were without a gradient). `begin()`, if written,
    fills the state before the parameters' first step; it may read `self.g`.

    params: a float array (n,) or `model.parameters()`. groups: hyperparameters of some parameters, see `groups.py`.
    weight_decay: g + weight_decay theta in place of g (L2, coupled), theta being where g was taken.
    check_finite: NonFiniteError for a NaN or infinite g (or J), before anything is changed.
    """
    abstract = True
    work = ()           # arrays that `evaluate` fills and `update` reads; not saved
    decoupled = False   # does `update` itself apply weight_decay?

    _: KW_ONLY
    groups: Any = None
    weight_decay: Hyper = hyper(0.0)
    check_finite: bool = False

    def fill(self, args, given):
        super().fill(args, given)
        self._work = {name: np.zeros(self.n, self.dtype) for name in self.work}
        self.groups = [Group(self, "the rest"), *make_groups(self, self.groups)]
        self._pieces = cut(self.params.slices, self.groups, type(self).__name__)
        self._counts = [0] * len(self._pieces)
        self._decayed = None
        self._begins = type(self).begin is not FirstOrder.begin

    def update(self, g):
        """One pass of the method's loop on self.theta and the state, given the gradient g."""
        raise NotImplementedError

    def begin(self):
        """Fill the state before the first step (by default it is zero)."""

    # ---- a step

    def step(self, J=None, *, g=None):
        """One step: with the g that backward left, `opt.step()`; with that of an objective, `opt.step(J)` (returns a
        Step, J's value where g was taken); or with a gradient taken at `interim()`, `opt.step(g=...)`.

        After `step()` a method with an interim point leaves the parameters there, for the next backward.
        Slices without a gradient since zero_grad, and frozen ones, keep their bits, state and step count.
        """
        theta, numbers, outcome = self.check_theta(), self.values(self.k + 1), None
        at, backward = theta, J is None and g is None               # at: where g was taken
        if backward:
            g, skipped = self.left_by_backward(), self.params.unwritten
        else:
            skipped = getattr(self.params, "frozen", ())
            self.go_home()
            at = self.interim()
            if J is not None:
                value, g = self.evaluate(J, at)
                theta, outcome = self.check_theta(), Step(value, float(np.linalg.norm(g)))
                at = at if self.has_point else theta                # J may have laid the parameters out anew
            elif np.shape(g) != theta.shape or g.dtype != theta.dtype:
                raise ValueError(f"{type(self).__name__}.step: g must be {theta.shape} {theta.dtype}, "
                                 f"got {np.shape(g)} {getattr(g, 'dtype', type(g).__name__)}")
        runs, counts = self.runs(skipped)
        if not runs:
            raise ValueError(f"{type(self).__name__}.step: no parameter has a gradient: call backward() first")
        if self.check_finite:
            self.refuse_non_finite(g, runs, outcome)
        if backward and self.has_point:
            theta = self.home_of_step(runs)
        if not self.decoupled and any([each["weight_decay"] for each in numbers]):
            g = self.decayed(g, at, runs, numbers)
        self.k += 1
        try:
            self.advance(theta, g, runs, numbers)
        except BaseException:                           # half done: k counts whole steps, the parameters are at theta
            self.k -= 1
            self.put_home(theta)
            raise
        self._counts = counts
        if self._trace is not None:
            self.record(theta=theta, g=g, **self._state, **numbers[0])
        if backward and self.has_point:
            self.leave(theta)
        self.changed()
        return outcome

    def left_by_backward(self):
        if self.params.g is None:
            raise ValueError(f"{type(self).__name__}.step: theta is a plain array, no backward writes its gradient: "
                             f"pass the objective, step(J), or the gradient, step(g=...)")
        return self.params.g

    def values(self, k):
        """Every group's hyperparameters at step k, as numbers; ValueError if a schedule leaves its range."""
        rest = {name: self.at_step(name, value, k) if callable(value) else value for name, value in self._hyper.items()}
        return [rest] + [rest | {name: self.at_step(name, value, k) for name, value in group.own.items()}
                         for group in self.groups[1:]]

    def runs(self, skipped):
        """(start, stop, group, t) for maximal runs of parameters of equal group and step count; the counts after it."""
        counts = self._counts
        if not skipped and len(self.groups) == 1 and counts.count(counts[0]) == len(counts):
            return [(0, self.n, 0, counts[0] + 1)], [counts[0] + 1] * len(counts)
        runs, counts = [], list(counts)
        for i, (start, stop, name, group) in enumerate(self._pieces):
            if name not in skipped and not self.groups[group].frozen:
                t = counts[i] = counts[i] + 1
                if runs and runs[-1][1:] == (start, group, t):
                    start = runs.pop()[0]
                runs.append((start, stop, group, t))
        return runs, counts

    def advance(self, theta, g, runs, numbers):
        """`update`, or its kernel, on every run."""
        update = type(self).update
        kernel = getattr(update, "kernel", None)
        for start, stop, group, t in runs:
            parts = self.parts(theta, start, stop, numbers[group])
            parts["g"], parts["t"] = g if len(g) == stop - start else g[start:stop], t
            if t == 1 and self._begins:
                view(self, parts).begin()
            if kernel is None:
                view(self, parts).update(parts["g"])
            else:
                kernel(*[parts[name] for name in update.arguments])

    def parts(self, theta, start, stop, numbers):
        """What a View of parameters start ... stop has, by name."""
        if stop - start == self.n:
            return {**numbers, "theta": theta, **self._state, **self._work}
        cut = {name: value[start:stop] if np.shape(value) == theta.shape else value
               for name, value in (self._state | self._work).items()}
        return {**numbers, "theta": theta[start:stop], **cut}

    def decayed(self, g, at, runs, numbers):
        """g + weight_decay theta, in an array of our own."""
        if self._decayed is None:
            self._decayed = np.empty_like(at)
        for start, stop, group, _ in runs:
            part = slice(start, stop)
            np.multiply(at[part], numbers[group]["weight_decay"], out=self._decayed[part])
            self._decayed[part] += g[part]
        return self._decayed

    def refuse_non_finite(self, g, runs, value=None):
        if value is not None and not np.isfinite(value):
            raise NonFiniteError(f"{type(self).__name__}.step: J is {float(value)} at step {self.k + 1}")
        for start, stop, *_ in runs:
            if not np.isfinite(g[start:stop]).all():
                bad = [name for a, b, name, _ in self._pieces if start <= a < stop and not np.isfinite(g[a:b]).all()]
                raise NonFiniteError(f"{type(self).__name__}.step: the gradient of {', '.join(bad)} is not finite "
                                     f"at step {self.k + 1}; nothing was changed")

    # ---- saving

    def state_dict(self):
        """As Optimizer.state_dict, with the groups, the parameters' own step counts, and whether to look ahead.

        Save theta itself inside `with opt.at_theta():`; load theta before the optimizer.
        """
        state = super().state_dict()
        for i, group in enumerate(self.groups[1:], 1):
            state.update((f"group.{i}.{name}", describe(value)) for name, value in group.own.items())
            state[f"frozen.{i}"] = int(group.frozen)
        return state | {"stops": np.array([stop for _, stop, _, _ in self._pieces]),
                        "counts": np.array(self._counts), "at_point": int(bool(self._ahead) or self._paused)}

    def own_hyper(self, key):
        if key.startswith("group."):
            _, i, name = key.split(".")
            return self.groups[int(i)].own[name]
        return super().own_hyper(key)

    def state_problems(self, state):
        problems = []
        if "stops" in state and not np.array_equal(state["stops"], [stop for _, stop, _, _ in self._pieces]):
            problems.append("stops: the parameters or groups are cut differently")
        if np.any(np.asarray(state.get("counts", 0)) < 0):
            problems.append("counts are negative")
        return problems

    def take_state(self, state):
        if self._ahead and self.untouched():
            self.go_home()
        self._ahead = []
        super().take_state(state)
        for i, group in enumerate(self.groups[1:], 1):
            group.own.update((name, state[f"group.{i}.{name}"]) for name in group.own)
            group.frozen = bool(state[f"frozen.{i}"])
        self._counts = [int(count) for count in state["counts"]]
        if state["at_point"] and not self._paused:
            self.leave(self.params.theta)
            self.changed()
