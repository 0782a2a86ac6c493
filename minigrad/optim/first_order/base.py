"""First-order methods: a subclass writes `update(g)`, one pass of its loop, and `point()` if g is taken elsewhere."""
import numpy as np

from minigrad.optim.first_order.groups import Group, cut, make_groups
from minigrad.optim.first_order.interim import InterimPoint
from minigrad.optim.optimizer import NonFiniteError, Step


class FirstOrder(InterimPoint):
    """A first-order optimizer is its algorithm box:

        class Momentum(FirstOrder):
            state = ("v",)                                              # (n,) arrays, zero at the start
            def __init__(self, params, lr, momentum=0.9):
                super().__init__(params, lr=lr, momentum=momentum)
            def update(self, g):
                self.v = self.momentum * self.v - self.lr * g
                self.theta = self.theta + self.v

    In `update`, `self.theta`, the state and g are views of the same length (assigning copies into them; g is not to be
    written), hyperparameters are numbers, `self.k` is the number of this step, `self.t` the number of steps these
    parameters have made, from 1 (they differ for parameters that were without a gradient). `begin()`, if written,
    fills the state before the parameters' first step.

    params: a float array (n,) or `model.parameters()`. groups: hyperparameters of some parameters, see `groups.py`.
    weight_decay: g + weight_decay theta in place of g (L2, coupled), theta being where g was taken.
    check_finite: NonFiniteError for a NaN or infinite g (or J), before anything is changed.
    """
    abstract = True
    state = ()
    work = ()           # arrays that `evaluate` fills and `update` reads; not saved
    decoupled = False   # does `update` itself apply weight_decay?

    def __init__(self, params, groups=None, *, weight_decay=0.0, check_finite=False, **hyper):
        super().__init__(params, **hyper, weight_decay=weight_decay)
        theta, slices = self.params.theta, self.params.slices
        self.check_finite = check_finite
        for name in self.state:
            self.declare(name, np.zeros_like(theta))
        self._work = {name: np.zeros_like(theta) for name in self.work}
        self.groups = [Group(self, "the rest"), *make_groups(self, groups)]
        self._pieces = cut(slices, self.groups, type(self).__name__)
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
        theta, values, outcome = self.check_theta(), self.values(self.k + 1), None
        backward = J is None and g is None
        if backward:
            g, unwritten = self.left_by_backward(), self.params.unwritten
        else:
            unwritten = getattr(self.params, "frozen", ())
            self.go_home()
            if J is not None:
                value, g = self.evaluate(J, self.interim())
                theta = self.check_theta()                      # J may have laid the parameters out anew
                outcome = Step(value, float(np.linalg.norm(g)))
            elif np.shape(g) != theta.shape or g.dtype != theta.dtype:
                raise ValueError(f"{type(self).__name__}.step: g must be {theta.shape} {theta.dtype}, "
                                 f"got {np.shape(g)} {getattr(g, 'dtype', type(g).__name__)}")
        runs = self.runs(unwritten)
        if not runs:
            raise ValueError(f"{type(self).__name__}.step: no parameter has a gradient: call backward() first")
        if backward and self._has_point:
            self.check_ahead(runs)
        if self.check_finite:
            self.refuse_non_finite(g, runs, outcome)
        if not self.decoupled and any([value["weight_decay"] for value in values]):
            g = self.decayed(g, runs, values, backward)
        if self._ahead:
            self.check_untouched()
            theta = self.home()
        self.__dict__["k"] += 1
        try:
            self.advance(theta, g, runs, values)
        except BaseException:                                   # half done: at least k counts whole steps, and the
            self.__dict__["k"] -= 1                             # parameters are at theta
            if self._ahead:
                self.put_home(theta)
            raise
        self.__dict__["_counts"] = self._next_counts
        if self._trace is not None:
            self.record(theta=theta, g=g, **self._state, **values[0])
        if backward and self._has_point:
            self.leave(theta)
        self.changed()
        return outcome

    def advance(self, theta, g, runs, values):
        """`update`, or its kernel, on every run of parameters that share a group and a step count."""
        attributes, kernel = self.__dict__, getattr(type(self).update, "kernel", None)
        for start, stop, group, t in runs:
            attributes["_now"] = now = self.view(start, stop, theta, values[group])
            now["g"], now["t"] = g if len(g) == stop - start else g[start:stop], t
            try:
                if t == 1 and self._begins:
                    self.begin()
                if kernel is None:
                    self.update(now["g"])
                else:
                    kernel(*[now[name] for name in type(self).update.arguments])
            finally:
                attributes["_now"] = None

    def view(self, start, stop, theta, values):
        """The names `update` sees, for parameters start ... stop."""
        now = dict(values)
        if stop - start == self.n:
            now["theta"] = theta
            now.update(self._state)
            now.update(self._work)
        else:
            now["theta"] = theta[start:stop]
            for arrays in (self._state, self._work):
                now.update((name, array[start:stop]) for name, array in arrays.items())
        return now

    def runs(self, unwritten):
        """(start, stop, group, t) for maximal runs of parameters of equal group and step count; counts this step."""
        pieces, counts = self._pieces, self._counts
        if not unwritten and len(self.groups) == 1 and counts.count(counts[0]) == len(counts):
            self.__dict__["_next_counts"] = [counts[0] + 1] * len(counts)
            return [(0, self.n, 0, counts[0] + 1)]
        runs, self._next_counts = [], list(counts)
        for i, (start, stop, name, group) in enumerate(pieces):
            if name in unwritten or self.groups[group].frozen:
                continue
            t = self._next_counts[i] = counts[i] + 1
            if runs and runs[-1][1:] == (start, group, t):
                start = runs.pop()[0]
            runs.append((start, stop, group, t))
        return runs

    def values(self, k):
        """Every group's hyperparameters at step k, as numbers; ValueError if a schedule leaves its range."""
        rest = {name: self.at_step(name, value, k) if callable(value) else value for name, value in self._hyper.items()}
        if len(self.groups) == 1:
            return [rest]
        return [rest] + [rest | {name: self.at_step(name, value, k) if callable(value) else value
                                 for name, value in group.own.items()} for group in self.groups[1:]]

    def left_by_backward(self):
        g = self.params.g
        if g is None:
            raise ValueError(f"{type(self).__name__}.step: theta is a plain array, no backward writes its gradient: "
                             f"pass the objective, step(J), or the gradient, step(g=...)")
        return g

    def decayed(self, g, runs, values, backward):
        """g + weight_decay theta, in an array of our own."""
        at = self.params.theta if backward else self.interim()
        if self._decayed is None:
            self._decayed = np.empty_like(at)
        for start, stop, group, _ in runs:
            part = slice(start, stop)
            np.multiply(at[part], values[group]["weight_decay"], out=self._decayed[part])
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
            state.update((f"group.{i}.{name}", self.described(value)) for name, value in group.own.items())
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

    def take_state(self, state, hyper):
        if self._ahead and self.untouched():
            self.go_home()
        self._ahead = []
        super().take_state(state, hyper)
        for i, group in enumerate(self.groups[1:], 1):
            group.own.update((name, hyper[f"group.{i}.{name}"]) for name in group.own)
            group.frozen = bool(state[f"frozen.{i}"])
        self._counts = [int(count) for count in state["counts"]]
        if state["at_point"] and not self._paused:
            self.leave(self.params.theta)
            self.changed()
