"""Schedules: k -> value of a hyperparameter. The first step has k = 1 (algorithm 8.1)."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from math import cos, pi
from typing import Any

from minigrad.arguments import number

LONGEST = 100_000                                   # characters of a schedule's text
DEEPEST = 20                                        # schedules inside schedules
WHOLE = 2**53                                       # whole numbers beyond have no place in a text


def numeric(interval: str = "(-inf, inf)", **options: Any) -> Any:
    """A field of a schedule that is a number in an interval."""
    return field(metadata={"interval": interval}, **options)


class Schedule:
    """A function of the step number k = 1, 2, ... whose repr is its description: `restore` makes it again."""

    def __post_init__(self) -> None:
        """Numbers become Python's: as text, one of NumPy's could not be read back, and it would widen float32."""
        for one in fields(self):
            value = getattr(self, one.name)
            if "interval" in one.metadata:
                value = _plain(type(self).__name__, one.name, value, one.metadata["interval"])
            else:
                value = as_schedule(value)
            object.__setattr__(self, one.name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, one.name)) for one in fields(self))})"


def _plain(who, what, value, interval):
    """A number of any kind as Python's int, if it is a whole one written so, or float. ValueError out of range."""
    value = value.item() if getattr(value, "ndim", None) == 0 else value
    number(who, what, value, wanted="a finite number")
    checked = number(who, what, value, interval, wanted=f"in {interval}")
    return value if type(value) is int and abs(value) <= WHOLE else checked


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """value at every k."""
    value: float = numeric()

    def __call__(self, k: int) -> float:
        return self.value


@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """eps_k = (1 - alpha) eps_0 + alpha eps_tau, alpha = min(k/tau, 1) (equation 8.14): linear, then constant.

    The book: eps_tau about 1 % of eps_0. With start < end it raises a momentum.
    Differs: alpha is clamped at 1 (as printed it goes past the end). As k = 1 is the first step, eps_0 is never used.
    """
    start: float = numeric()
    end: float = numeric()
    tau: float = numeric("(0, inf)")

    def __call__(self, k: int) -> float:
        alpha = min(k / self.tau, 1)
        return (1 - alpha) * self.start + alpha * self.end


@dataclass(frozen=True, repr=False)
class Inverse(Schedule):
    """start / (1 + (k - 1)/tau): falls like 1/k, so that 8.12 and 8.13 hold. tau = 1 gives start/k."""
    start: float = numeric()
    tau: float = numeric("(0, inf)", default=1)

    def __call__(self, k: int) -> float:
        return self.start / (1 + (k - 1) / self.tau)


@dataclass(frozen=True, repr=False)
class Power(Schedule):
    """start / k^power: satisfies 8.12 and 8.13 for 1/2 < power <= 1."""
    start: float = numeric()
    power: float = numeric()

    def __call__(self, k: int) -> float:
        return self.start * k ** -self.power


@dataclass(frozen=True, repr=False)
class Stair(Schedule):
    """start * factor^floor((k - 1)/every): step decay; step number every + 1 is the first reduced."""
    start: float = numeric()
    factor: float = numeric("(0, inf)")
    every: float = numeric("(0, inf)")

    def __call__(self, k: int) -> float:
        return self.start * self.factor ** ((k - 1) // self.every)


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """start * factor^(k - 1)."""
    start: float = numeric()
    factor: float = numeric("(0, inf)")

    def __call__(self, k: int) -> float:
        return self.start * self.factor ** (k - 1)


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """end + (start - end) (1 + cos(pi (k - 1)/period))/2: start at k = 1, end from k = period + 1 on."""
    start: float = numeric()
    end: float = numeric()
    period: float = numeric("(0, inf)")

    def __call__(self, k: int) -> float:
        fraction = min((k - 1) / self.period, 1)
        return self.end + (self.start - self.end) * (1 + cos(pi * fraction)) / 2


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """Cosine from start to end, over and over; each period `longer` times the one before (SGDR).

    k = 1 begins the first period; at k = period + 1 the value is start again.
    """
    start: float = numeric()
    end: float = numeric()
    period: float = numeric("(0, inf)")
    longer: float = numeric("[1, inf)", default=1)

    def __call__(self, k: int) -> float:
        at, period = k - 1, self.period
        while at >= period:
            if self.longer == 1:
                at %= period
                break
            at, period = at - period, period * self.longer
        return self.end + (self.start - self.end) * (1 + cos(pi * at / period)) / 2


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """k/steps of the value of `then` (a number or schedule) in the first `steps` steps, `then` itself afterwards.

    steps = 0: no warm-up.
    """
    steps: float = numeric("[0, inf)")
    then: Schedule | float

    def __call__(self, k: int) -> float:
        return min(k / self.steps, 1) * self.then(k) if self.steps else self.then(k)


@dataclass(frozen=True, repr=False)
class Chain(Schedule):
    """One schedule after another: Chain([(steps, schedule), ..., last]); each starts at its own k = 1."""
    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        *parts, last = self.parts
        parts = [(_plain("Chain", "steps", steps, "(0, inf)"), as_schedule(part)) for steps, part in parts]
        object.__setattr__(self, "parts", (*parts, as_schedule(last)))

    def __call__(self, k: int) -> float:
        *parts, last = self.parts
        for steps, part in parts:
            if k <= steps:
                return part(k)
            k -= steps
        return last(k)


@dataclass(frozen=True, repr=False)
class Scaled(Schedule):
    """factor(k) * schedule(k): two schedules (or numbers) multiplied."""
    factor: Schedule | float
    schedule: Schedule | float

    def __call__(self, k: int) -> float:
        return self.factor(k) * self.schedule(k)


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up to `highest` and down to nearly nothing, once, in `steps` steps (Smith and Topin 2019; after the book).

    highest/divisor at k = 1; half a cosine up to `highest` at k = rising steps; half a cosine down to
    highest/divisor/last at k = steps, and that from there on. A momentum may go the other way: Chain of two Cosines.
    Differs: the paper's halves are straight lines of equal length, then a short last one; this is PyTorch's form.
    """
    highest: float = numeric()
    steps: float = numeric("[2, inf)")
    rising: float = numeric("(0, 1)", default=0.3)
    divisor: float = numeric("(0, inf)", default=25)
    last: float = numeric("(0, inf)", default=10_000)

    def __call__(self, k: int) -> float:
        start, up, down = self.highest / self.divisor, self.rising * self.steps - 1, (1 - self.rising) * self.steps
        if k - 1 < up:
            return Cosine(start, self.highest, up)(k)
        return Cosine(self.highest, start / self.last, down)(k - max(up, 0))


@dataclass(frozen=True, repr=False)
class PerEpoch(Schedule):
    """A schedule that counts epochs of `steps` steps: in the first `steps` steps its value at 1, in the next at 2, ...

    PerEpoch(Stair(0.1, 0.5, 10), len(batches)) halves the rate every ten epochs.
    """
    schedule: Schedule | float
    steps: float = numeric("[1, inf)")

    def __call__(self, k: int) -> float:
        return self.schedule(int((k - 1) // self.steps) + 1)


KINDS = {kind.__name__: kind for kind in (Constant, Linear, Inverse, Power, Stair, Exponential, Cosine, CosineRestarts,
                                          Warmup, Chain, Scaled, OneCycle, PerEpoch)}


def as_schedule(value: Any) -> Any:
    """A number becomes Constant(number); a callable stays."""
    return value if callable(value) else Constant(value)


def robbins_monro(schedule: Any) -> bool:
    """Do sum eps_k = inf (8.12) and sum eps_k^2 < inf (8.13) hold? True or False; both only speak of the tail.

    Decided for the families of this file. ValueError for any other function: no finite number of its values could tell.
    """
    schedule = as_schedule(schedule)
    match schedule:
        case Power():
            return schedule.start > 0 and 0.5 < schedule.power <= 1
        case Inverse():
            return schedule.start > 0
        case PerEpoch():                                        # both sums are `steps` times those over epochs
            return robbins_monro(schedule.schedule)
        case Warmup():                                          # past the warm-up it is `then`
            return robbins_monro(schedule.then)
        case Chain():
            return robbins_monro(schedule.parts[-1])
        case Scaled(factor=Constant(value=factor)) if factor > 0:
            return robbins_monro(schedule.schedule)
        case Scaled(schedule=Constant(value=factor)) if factor > 0:
            return robbins_monro(schedule.factor)
        case Constant() | Linear() | Cosine() | CosineRestarts() | OneCycle():
            return False        # constant in the end, or for ever coming back: 8.13 fails (8.12 if it ends in 0)
        case Stair() | Exponential():
            return False        # geometric: the sum is finite, or with factor >= 1 that of its squares is not
    raise ValueError(f"robbins_monro: cannot decide for {schedule!r}; known: {', '.join(KINDS)}")


def describe(value: Any) -> Any:
    """A number as it is; a schedule of this file as the text that `restore` reads; another function as 'custom ...'."""
    if not callable(value):
        return value
    text = repr(value)
    try:
        restore(text)
    except ValueError:
        return f"custom {getattr(value, '__name__', type(value).__name__)}"
    return text


class NotASchedule(ValueError):
    """A text that is none of `describe`'s."""


def restore(text: str) -> Schedule:
    """The schedule that `describe` wrote, as 'Linear(0.1, 0.001, 500)'. NotASchedule, a ValueError, for any other text.

    Reads names of this file, numbers and brackets, each character once: the text may come from a file of anybody's.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters, {LONGEST} at most")
        tokens = [token.strip() for token in TOKEN.findall(text)]
        tokens.reverse()
        schedule = _read(tokens, DEEPEST)
        if tokens or not isinstance(schedule, Schedule):
            raise ValueError("more follows" if tokens else "a number or a list")
        return schedule
    except (ValueError, TypeError, IndexError) as error:
        raise NotASchedule(f"restore: not a schedule: {text!r:.60} ({error})"[:250]) from None


# a name with its bracket, a number of a reasonable length, a bracket or comma; or whatever else is there
TOKEN = re.compile(r"[A-Za-z]{1,20}\(|[-+]?[0-9.]{1,25}(?:[eE][-+]?[0-9]{1,3})?|[()\[\],]|[^\s]")


def _read(tokens, depth):
    """The value that begins with the last token: a number, a tuple or a schedule. Takes its tokens off the list."""
    if depth == 0:
        raise ValueError(f"more than {DEEPEST} brackets inside one another")
    token = tokens.pop()
    if token[-1] not in "([":
        return int(token) if token.lstrip("+-").isdigit() else float(token)
    close, items = "]" if token == "[" else ")", []
    while tokens[-1] != close:
        items.append(_read(tokens, depth - 1))
        if tokens[-1] != close and tokens.pop() != ",":
            raise ValueError("a comma is missing")
    tokens.pop()
    if token in ("(", "["):
        return tuple(items)
    if token[:-1] not in KINDS:
        raise ValueError(f"no schedule {token[:-1]}")
    return KINDS[token[:-1]](*items)
