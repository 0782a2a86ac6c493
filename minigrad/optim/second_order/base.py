"""What the methods of section 8.6 share: a direction from the method, a length from its search, one guard.

    theta <- theta + t d,   t = search along d

`step(J)` may get a new J (another minibatch) each time, or the same object with other data in it (`J.x, J.y = ...`):
value and gradient are taken anew at every step. Only a J that says which function it is, by an attribute `version` that
changes whenever the function does, is not evaluated again where the last step ended; `minimize`, which looks at J after
every step anyway, hands on one that does. Within one step every value, gradient and product is of the same J, so that a
curvature pair never mixes two batches.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from minigrad.optim.fields import state
from minigrad.optim.optimizer import Optimizer, Step
from minigrad.optim.parameters import frozen_slices
from minigrad.optim.second_order.linesearch import Found, Line, named, strong_wolfe
from minigrad.typing import Array, DType

# "wolfe", "backtracking", "exact", "full", a function, None: the method's own
Search = str | Callable[..., Any] | None

STALLED = "no decrease beyond rounding"
NO_DECREASE = "line search: no decrease"
UNBOUNDED = "J is unbounded along the direction"
WHY = {"unbounded": UNBOUNDED, "flat": "J is flat along the direction: it does not change beyond rounding"}


def dot(u: Array, w: Array) -> float:
    """u . w as a float, summed in float64. By einsum, which is one thread's work in one order: a BLAS that starts its
    own threads for a vector of this size made a step ten times slower on busy cores, and owes no bits to anybody."""
    return float(np.einsum("i,i->", u, w, dtype=np.float64))


def rounding(value: float, dtype: DType) -> float:
    """How much two equal values of J may differ by rounding: 10 machine epsilons of |value|."""
    return 10 * float(np.finfo(dtype).eps) * abs(value)


def norm(u: Array) -> float:
    """|u| as a float."""
    return math.sqrt(dot(u, u))


def less_damping(damping: float, curvature: float, squares: float) -> float | None:
    """A smaller damping where a step d is too short to be seen, by its d.A d and d.d: the size of A along d, whose unit
    it has. None if that is not much less: then it is not the damping that makes d short."""
    size = abs(curvature) / squares if squares else math.inf
    return max(size, 1e-8 * damping) if size < damping / 2 else None


class Known(NamedTuple):
    """J and its gradient g (n,) at theta (n,), as a step left them. version: J's own word for which function it is."""
    J: object
    version: object
    theta: Array
    value: float
    g: Array


class Held:
    """J where some parameters are frozen: its derivatives along them are zero, whatever J says of them.

    free: v (..., n) -> v with zeros there.
    """
    J: Any
    free: Callable[[Array], Array]

    def __init__(self, J: Any, free: Callable[[Array], Array]) -> None:
        self.J, self.free = J, free

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.J, name)
        if name in ("grad", "hvp", "ggnvp", "hessian", "jacobian", "example_grads", "example_grad_squares"):
            return lambda *arguments: self.free(found(*arguments))
        if name == "value_and_grad":
            def value_and_grad(theta):
                value, g = found(theta)
                return value, self.free(g)
            return value_and_grad
        return (lambda theta: Held(found(theta), self.free)) if name == "linearize" else found


class SecondOrder(Optimizer):
    """Base of all methods of section 8.6: one step made or refused as a whole.

    A subclass writes `advance(J, theta, value, g)`: it computes, moves by `self.move(...)` at the very end (or not at
    all) and returns the reason why it did not move ("" if it did). theta is written once per step, when the new point
    is accepted, so an objective that raises, returns NaN or is interrupted leaves theta where it was.
    `needs` are the methods of J it cannot do without.

    A frozen parameter (`params.frozen`) keeps its bits, whenever it was frozen: J's derivatives along it are zero, and
    what a method remembers of earlier steps goes through `free` before it leads anywhere.
    """
    abstract = True
    needs: ClassVar[tuple[str, ...]] = ()
    why = "this method evaluates J at more than one point"
    later: ClassVar[tuple[str, ...]] = ()           # names of state that files of earlier versions lack ...
    gone: ClassVar[tuple[str, ...]] = ()            # ... or have, and nobody reads

    def attach(self, params: Any) -> None:
        super().attach(params)
        self._known = None          # what the last step left: J, its version, theta, value, g
        self._held = None           # J as it is for the frozen parameters
        self.frozen: list[Any] = []     # their slices of theta
        self.spent: int = 0         # evaluations of the step being made
        self.note: str = ""         # what the step just made had to do, in words ("steepest descent: ...")
        self.restarted: bool = False    # did it begin anew, without what it had learned?
        self.goes_on: bool = False      # did the step being made begin where the last one ended?

    def ended_here(self, J: Any, theta: Array) -> bool:
        """Is J, as its `version` says, the function of the last step, and theta still where that step ended?"""
        known, version = self._known, getattr(J, "version", None)
        return (known is not None and known.J is J and version is not None and known.version == version
                and np.array_equal(known.theta, theta))

    def here(self, J: Any, theta: Array) -> tuple[float, Array]:
        """J and its gradient at theta, from memory where the last step ended here."""
        if self.goes_on:
            return self._known.value, self._known.g
        self.spent += 1
        return self.evaluate(J, theta)

    def remember(self, J: Any, theta: Array, value: float, g: Array) -> None:
        self._known = Known(J, getattr(J, "version", None), theta.copy(), value, g)

    def free(self, v: Array) -> Array:
        """v (..., n) with zeros where parameters are frozen, a copy; v itself where none is."""
        if self.frozen:
            v = np.array(v)
            for part in self.frozen:
                v[..., part] = 0
        return v

    def held(self, J: Any) -> Any:
        """J for the parameters that may move: another function as soon as these are others."""
        frozen = frozen_slices(self.params)
        if frozen != self.frozen:
            self.frozen, self._held = frozen, None
        if not frozen:
            return J
        if self._held is None or self._held.J is not J:
            self._held = Held(J, self.free)
        return self._held

    def step(self, J: Any = None) -> Step:
        """One step. Returns the value of J before it, with |g| there, evaluations and, if theta did not move, why."""
        if J is None:
            raise ValueError(f"{type(self).__name__}.step: wanted opt.step(J) with an objective: {self.why}")
        self.need(J, *self.needs)
        theta, J = self.check_theta(), self.held(J)
        self.spent, self.note, self.restarted = 0, "", False
        self.goes_on = self.ended_here(J, theta)
        value, g = self.here(J, theta)
        theta = self.check_theta()                  # J may have laid the parameters out anew
        grad_norm = norm(g)
        if not (math.isfinite(value) and math.isfinite(grad_norm)):
            return Step(value, grad_norm, self.spent, "J or its gradient is not finite")
        if self._known is not None and (self._known.J is not J or self._known.value != value):
            self.begin(value)                       # another function, or another place
        self.remember(J, theta, value, g)
        reason = "the gradient is zero" if grad_norm == 0 else self.advance(J, theta, value, g)
        if not reason:
            self.k += 1
            if self._trace is not None:
                self.record(theta=self.theta, g=g, **self._state)
        return Step(value, grad_norm, self.spent, reason)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was saved (see `Saved`), also by an earlier version: what came later starts anew."""
        state = {key: value for key, value in state.items() if key.removeprefix("state.") not in self.gone}
        later = {f"state.{name}": getattr(type(self), name).start(self) for name in self.later}
        super().load_state_dict(state if later.keys() & state.keys() else state | later)

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        raise NotImplementedError

    def begin(self, value: float) -> None:
        """J is not what the last step left: what a method noted about its values holds no longer."""

    def trial(self, J: Any, theta: Array) -> tuple[float, Array]:
        """J and its gradient at a trial point; (inf, g) where either is not finite."""
        self.spent += 1
        with np.errstate(all="ignore"):
            value, g = self.evaluate(J, theta)
            finite = math.isfinite(value) and math.isfinite(norm(g))
        return (value if finite else math.inf), g

    def products(self, J: Any, theta: Array, kind: str) -> Callable[[Array], Array]:
        """v -> H v ("hvp") or G v ("ggnvp") at theta: from one recorded graph where J has `linearize`, else one by one.

        All products of a step are of one J at one theta. They count as evaluations.
        """
        if hasattr(J, "linearize"):
            product = getattr(J.linearize(theta), kind)
        else:
            method = getattr(J, kind)
            product = lambda v: method(theta, v)

        def counted(v):
            self.spent += 1
            return product(v)
        return counted

    def gain_ratio(self, value: float, new_value: float, predicted: float) -> float:
        """(actual + r) / (predicted + r) fall of J; its rounding r keeps the ratio near 1 where both are noise.

        A predicted fall that is too small for a number, of a J that is 0: the ratio is 1 if J does not rise.
        """
        r = rounding(value, self.dtype)
        fall, predicted = value - new_value + r, predicted + r
        return fall / predicted if predicted else 1.0 if fall >= 0 else -math.inf

    def stalled(self, value: float, g: Array, new_value: float, new_g: Array) -> bool:
        """Neither J nor |g| fell: what is left is rounding."""
        return new_value >= value and norm(new_g) >= norm(g)

    def move(self, J: Any, new: Array, value: float, g: Array) -> str:
        """Accept the point `new` (n,), where J and its gradient are these."""
        theta = self.check_theta()
        theta[...] = new
        self.changed()
        self.remember(J, theta, value, g)
        return ""


class Descent(SecondOrder):
    """A method that is a direction: subclasses write

        direction(J, theta, value, g) -> d (n,)      where to go; None: steepest descent
        length(value, g, d) -> float                 the first step to try (1: a method that knows its scale)
        learn(s, y, t, d, g, new_g)                  what the step taught; s = t d, y = new_g - g, same J on both sides
        forget()                                     drop what was learned

    search: "wolfe", "backtracking", "exact", "full", or a function search(phi, step) of `linesearch`.
    The guard: if d is not a descent direction, or the search along it fails, the method forgets and takes -g, once.

    The end: a step that a search calls good, but that leaves J where it was (to its rounding) and finds neither a lower
    J nor a smaller |g| than any before, is idle. After `patience` idle steps in a row (n, if that is fewer: as many as
    it takes to learn n directions) the method begins anew, from -g and without a first guess of the scale, once; if J
    does not fall clearly after that either, the reason is "no decrease beyond rounding".
    """
    abstract = True
    default_search: ClassVar[Callable[..., Any]] = staticmethod(strong_wolfe)
    patience = 0                                     # nothing is learned that more steps could learn better
    search: Search = None
    noise: float = state(0.0)                        # the part of |J| that searches found to be rounding
    lowest_value: float = state(math.inf)            # of J and |g|, the lowest so far
    lowest_norm: float = state(math.inf)
    begun: float = state(math.inf)                   # J when the method last began anew
    idle_steps: int = state(0)                       # in a row
    unscaled: int = state(0)                         # 1: begun anew, so without a first guess of the scale
    later: ClassVar[tuple[str, ...]] = ("noise", "lowest_value", "lowest_norm", "begun", "idle_steps", "unscaled")

    def prepare(self) -> None:
        self.search = self.default_search if self.search is None else named(self.search)
        self.patience = min(self.n, self.patience)

    def begin(self, value: float) -> None:
        self.noise, self.begun, self.idle_steps, self.unscaled = 0.0, math.inf, 0, 0
        self.lowest_value, self.lowest_norm = value, math.inf

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        raise NotImplementedError

    def length(self, value: float, g: Array, d: Array) -> float:
        return 1.0

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        pass

    def forget(self) -> None:
        pass

    def descends(self, g: Array, d: Array) -> bool:
        """Is g . d clearly negative (and d finite)?"""
        slope = dot(g, d)
        return math.isfinite(slope) and slope < 0

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        self.lowest_value, self.lowest_norm = min(self.lowest_value, value), min(self.lowest_norm, norm(g))
        d = self.direction(J, theta, value, g)
        if d is not None:
            reason = self.attempt(J, theta, value, g, d, self.length(value, g, d))
            if reason in ("", UNBOUNDED):
                return reason
            if reason == STALLED and not self.begin_anew(value):
                return STALLED
            self.note = f"steepest descent: {reason}"
            self.forget()
        return self.attempt(J, theta, value, g, -g, min(1.0, 1 / norm(g)))

    def begin_anew(self, value: float) -> bool:
        """Begin anew for the first time, or where J has clearly fallen since the last time. Returns whether it did."""
        if value >= self.begun - self.noise * abs(value):
            return False
        self.begun, self.idle_steps, self.unscaled = value, 0, 1
        self.restarted = self.patience > 0
        return True

    def attempt(self, J: Any, theta: Array, value: float, g: Array, d: Array, step: float) -> str:
        """Search along d and move: "" or why not."""
        d = self.free(d)
        if not self.descends(g, d):
            return "not a descent direction"
        line = Line(J, theta, d, value, g, self.noise)
        found = self.search(line, step)
        self.noise = max(self.noise, line.noise)
        self.spent += line.evaluations
        if not found.success:
            return WHY.get(found.reason, f"line search: {found.reason}")
        before = line.evaluations
        new_g = line.gradient(found.step)
        self.spent += line.evaluations - before
        if self.idle(value, found, new_g):
            if self.idle_steps >= self.patience:
                return STALLED
            self.idle_steps += 1
        else:
            self.idle_steps = 0
        new = line.point(found.step)
        s, y = new - line.theta, new_g - g
        self.learn(s, y, found.step, d, g, new_g)
        return self.move(J, new, found.value, new_g)

    def idle(self, value: float, found: Found, new_g: Array) -> bool:
        """Did the step leave J where it was, and neither J nor |g| lower than ever? The full step promises nothing."""
        if found.reason == "full step" or abs(found.value - value) > self.noise * abs(value):
            return False
        return found.value >= self.lowest_value and norm(new_g) >= self.lowest_norm
