"""`check_optimizer(make, reference)`: does an optimizer do what its box says?

If not: which line, at which step, with which numbers.

    class MyAdam(optim.FirstOrder): ...                 # or any class with step(g)
    check_optimizer(MyAdam, boxes.adam, rho1=0.8)
"""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import signature
from itertools import islice
from typing import Any

import numpy as np

from minigrad.optim import FirstOrder, Optimizer
from minigrad.typing import Array, Random


class Disagreement(AssertionError):
    """The first symbol in which an optimizer and its box differ: symbol, step, index, got, wanted, line."""

    def __init__(self, message: str, **found: Any) -> None:
        super().__init__(message)
        self.__dict__.update(found)


@dataclass
class Report:
    """steps made; for every symbol compared the largest difference, relative to 1 + its size."""
    steps: int
    differences: dict[str, Any] = field(default_factory=dict)
    skipped: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        found = ", ".join(f"{symbol} {difference:.1e}" for symbol, difference in self.differences.items())
        skipped = f"; not compared (no such attribute): {', '.join(self.skipped)}" if self.skipped else ""
        return f"Report({self.steps} steps, largest differences: {found}{skipped})"


class LeastSquares:
    """J(theta) = 1/(2m) sum_i (x_i . theta - y_i)^2, badly conditioned, with all that first-order methods ask."""

    def __init__(self, n: int = 5, m: int = 8, rng: Random = 0) -> None:
        rng = np.random.default_rng(rng)
        self.x: Array = rng.standard_normal((m, n)) * np.logspace(-1, 0.5, n)
        self.y: Array = rng.standard_normal(m)

    def residuals(self, theta: Any) -> Array:
        return self.x @ np.asarray(theta, dtype=float) - self.y

    def value(self, theta: Any) -> float:
        return float(np.mean(self.residuals(theta) ** 2) / 2)

    def grad(self, theta: Any) -> Array:
        return self.residuals(theta) @ self.x / len(self.y)

    def example_grads(self, theta: Any) -> Array:
        return self.residuals(theta)[:, None] * self.x

    def hessian_diagonal(self, theta: Any) -> Array:
        return np.mean(self.x ** 2, axis=0)


def decaying(k: int) -> float:
    """0.05 / (1 + k/50): a rate that changes at every step, since some wrong forms are right for a constant one."""
    return 0.05 / (1 + k / 50)


def check_optimizer(make: Callable[..., Any], reference: Callable[..., Any], steps: int = 25, tolerance: float = 1e-10,
                    objective: Any = None, **hyper: Any) -> Any:
    """Run `make(theta, **hyper)` and the box `reference` side by side; Disagreement at the first symbol that differs.

    make: an optimizer class, or a function theta -> optimizer. It need not be one of ours: any object with `step(g)`
    will do, whose theta is its attribute or the array it was given, or with `step(theta, g)`, which returns the new
    theta; if it has `point()`, g is taken there. reference: a generator of `testing.boxes`. lr, where the box has one
    and none is given, decays. Compared are theta, the gradient, and each symbol of the box that is an attribute of the
    optimizer (its state, or `self.s_hat = ...`), in the order of the box's lines, after each step. The lines of symbols
    that are not are quoted with the next that is. Also: the gradient handed over must be left as it was, and an
    `Optimizer` that is saved and loaded must go on the same way (all that it carries from step to step is declared as
    state). Returns a Report. TypeError where the class cannot be run, with what it lacks.
    """
    J = LeastSquares() if objective is None else objective
    known = signature(reference).parameters
    if "lr" in known:
        hyper.setdefault("lr", decaying)
    extra = {name: getattr(J, name) for name in ("example_grads", "hessian_diagonal") if name in known}
    theta = np.linspace(-1.0, 1.5, J.x.shape[1]) if hasattr(J, "x") else np.array(J.start, dtype=float)
    opt = made(make, theta.copy(), hyper)
    who = type(opt).__name__ if isinstance(opt, Optimizer) else type(opt.opt).__name__
    guarded = Guarded(J)
    box = reference(theta, J.grad, **extra, **hyper)
    report = Report(steps)
    for k, wanted in enumerate(islice(box, steps), 1):
        seen = symbols_after_step(opt, guarded, known)
        if guarded.changed():
            raise Disagreement(f"{who} at step {k}: the gradient it was given was written to: leave g as it is",
                               symbol="g", step=k, index=None, got=None, wanted=None, line="g is not to be written")
        report.skipped = tuple(symbol for symbol in wanted if symbol not in seen and symbol != "interim")
        unseen = []
        for symbol, value in wanted.items():
            if symbol in seen:
                compare(who, reference, symbol, k, seen[symbol], value, tolerance, report, unseen)
                unseen = []
            else:
                unseen.append(symbol)
    if isinstance(opt, Optimizer):
        check_saving(who, opt, made(make, theta.copy(), hyper), J, steps)
    return report


def check_saving(who: str, opt: Any, other: Any, J: Any, steps: int) -> None:
    """`other`, made like `opt`, loads what `opt` saves and makes two more steps beside it: Disagreement if they part.

    They part where an attribute carries something from step to step and is not declared as state.
    """
    with np.errstate(all="ignore"):
        with opt.at_theta(), other.at_theta():
            other.theta[...] = opt.theta
        other.load_state_dict(opt.state_dict())
        ours, theirs = [{name: value for name, value in vars(one).items() if name[0] != "_"} for one in (opt, other)]
        lost = [name for name, value in ours.items() if name not in ("k", "theta", "g")
                and isinstance(value, np.ndarray | int | float)
                and not (name in theirs and np.array_equal(value, theirs[name], equal_nan=True))]
        for _ in range(2):
            opt.step(J)
            other.step(J)
    if not lost or np.allclose(opt.theta, other.theta, rtol=1e-10, atol=1e-10, equal_nan=True):
        return
    lines = [f"{name}: Array = state()" if isinstance(ours[name], np.ndarray) else
             f"{name}: {type(ours[name]).__name__} = state({type(ours[name])()})" for name in lost]
    raise Disagreement(
        f"{who} agrees with its box, but when it is saved after step {steps} and loaded, it goes another way: "
        f"{' and '.join(f'self.{name}' for name in lost)} {'is' if len(lost) == 1 else 'are'} not declared and so not "
        f"saved; on the class, {'; '.join(lines)}",
        symbol=lost[0], step=steps + 1, index=None, got=None, wanted=None, line=lines[0])


def made(make: Callable[..., Any], theta: Any, hyper: dict[str, Any]) -> Any:
    """The optimizer: one of ours, or an Adapter. TypeError that says what a class lacks."""
    who = getattr(make, "__name__", type(make).__name__)
    try:
        opt = make(theta, **hyper)
    except TypeError as error:
        raise TypeError(f"{error}. check_optimizer calls {who}(theta, {', '.join(hyper)}=...), as the box names its "
                        f"arguments") from error
    if isinstance(opt, FirstOrder) and type(opt).update is FirstOrder.update:
        instead = "step, which is the loop around it" if type(opt).step is not FirstOrder.step else "none"
        raise TypeError(f"{who}: a FirstOrder writes update(self, g), one pass of the box on self.theta; "
                        f"this one has {instead}")
    return opt if isinstance(opt, Optimizer) else Adapter(opt, theta)


def symbols_after_step(opt: Any, J: Any, known: Any) -> Any:
    """One step, then every symbol that can be seen: state, gradient, theta, and what was kept as an attribute."""
    try:
        with np.errstate(all="ignore"):                         # a NaN is compared, and its line named
            if isinstance(opt, Adapter):
                return opt.step(J)
            with opt.trace() as trace:
                opt.step(J)
    except AttributeError as error:
        if not isinstance(error.obj, type(opt.opt) if isinstance(opt, Adapter) else type(opt)) or not error.name:
            raise
        line = f"{error.name}: Hyper = hyper(...)" if error.name in known else f"{error.name}: Array = state()"
        way = f"declare it on the class, {line}" if isinstance(opt, Optimizer) else "set it in __init__"
        raise TypeError(f"{type(error.obj).__name__} uses self.{error.name}, which it does not have: {way}") from error
    kept = {name: value for name, value in vars(opt).items() if isinstance(value, np.ndarray)}
    return kept | trace[-1] | {"theta": opt.theta}


class Adapter:
    """An object of anybody's with step(g) or step(theta, g), driven as `check_optimizer` drives ours."""
    opt: Any
    given: Array

    def __init__(self, opt: Any, theta: Any) -> None:
        self.opt, self.given = opt, theta
        step = getattr(opt, "step", None)
        wanted = f"{type(opt).__name__}: an optimizer has step(g), or step(theta, g) that returns the new theta"
        if not callable(step):
            has = ", ".join(name for name in dir(opt) if name[0] != "_") or "nothing"
            hint = ": is update its step? (a FirstOrder has the loop around it)" if hasattr(opt, "update") else ""
            raise TypeError(f"{wanted}; this one has {has}{hint}")
        self.places: int = len([one for one in signature(step).parameters.values() if one.default is one.empty])
        if self.places not in (1, 2):
            hint = ": the gradient is handed over, not kept by the parameters" if self.places == 0 else ""
            raise TypeError(f"{wanted}; this one is step{signature(step)}{hint}")

    @property
    def theta(self) -> Any:
        return getattr(self.opt, "theta", self.given)

    def step(self, J: Any) -> Any:
        """One step with J's gradient at `point()`, or at theta. Returns the symbols that can be seen."""
        at = self.opt.point() if hasattr(self.opt, "point") else self.theta
        g = J.value_and_grad(np.array(at, dtype=float))[1]
        found = self.opt.step(g) if self.places == 1 else self.opt.step(self.theta, g)
        if found is not None and np.shape(found) == np.shape(self.given):
            self.given = np.array(found, dtype=float)
            if hasattr(self.opt, "theta"):
                self.opt.theta = self.given
        shape = np.shape(self.given)
        kept = {name: value for name, value in vars(self.opt).items() if np.shape(value) == shape} \
            if hasattr(self.opt, "__dict__") else {}
        return kept | {"g": g, "theta": self.theta}


def compare(who: str, reference: Callable[..., Any], symbol: str, k: int, got: Any, wanted: Any, tolerance: float,
            report: Any, unseen: Any = ()) -> None:
    """One symbol at one step. unseen: the symbols between it and the one compared before."""
    wanted, got = np.array(wanted, dtype=float), np.asarray(got, dtype=float)
    if got.shape != wanted.shape:
        raise Disagreement(f"{who} at step {k}: {symbol} has shape {got.shape}, the box's has {wanted.shape}",
                           symbol=symbol, step=k, index=None, got=got, wanted=wanted, line=line_of(reference, symbol))
    difference = np.abs(got - wanted) / (1 + np.abs(wanted))
    bad = ~(difference <= tolerance)
    report.differences[symbol] = max(report.differences.get(symbol, 0.0), float(difference.max(initial=0.0)))
    if bad.any():
        i, line = int(np.flatnonzero(bad)[0]), line_of(reference, symbol)
        got, wanted = float(got[i]), float(wanted[i])
        lines = "; ".join([line_of(reference, other) for other in unseen] + [line])
        keep = " and ".join(f"self.{other}" for other in unseen if other != "interim")
        raise Disagreement(
            f"{who} disagrees with the box {reference.__name__} ({title_of(reference)}) at step {k} in {symbol}[{i}]: "
            f"got {got!r}, wanted {wanted!r}. All symbols before it agree; reread the line{'s' if unseen else ''}: "
            f"{lines}{f' (keep {keep} to have them compared)' if keep else ''}",
            symbol=symbol, step=k, index=i, got=got, wanted=wanted, line=line)


def line_of(reference: Callable[..., Any], symbol: str) -> str:
    """The box's line that computes a symbol."""
    if symbol == "g" and "g <-" not in reference.__doc__:
        return "g <- gradient at theta"
    found = re.search(rf"^ *({re.escape(symbol)} <- .*)$", reference.__doc__, re.MULTILINE)
    return found.group(1) if found else symbol


def title_of(reference: Callable[..., Any]) -> str:
    return reference.__doc__.strip().splitlines()[0].rstrip(".")


class Guarded:
    """An objective that remembers the gradient it handed out, to see whether it was written to."""

    def __init__(self, J: Any) -> None:
        self.J, self._given, self._copy = J, None, None

    def value_and_grad(self, theta: Any) -> tuple[float, Array]:
        self._given = self.J.grad(theta)
        self._copy = self._given.copy()
        return self.J.value(theta), self._given

    def changed(self) -> bool:
        return self._given is not None and not np.array_equal(self._given, self._copy, equal_nan=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.J, name)
