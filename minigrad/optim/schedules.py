"""Schedules: k -> value of a hyperparameter. The first step has k = 1 (algorithm 8.1)."""
import ast
from dataclasses import dataclass, fields
from math import cos, isfinite, pi


class Schedule:
    """A function of the step number k = 1, 2, ... whose repr is its description."""

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(repr(getattr(self, field.name)) for field in fields(self))})"


def _numbers(who, **values):
    for name, value in values.items():
        if isinstance(value, (bool, str)) or not isfinite(value):
            raise ValueError(f"{who}: {name} must be a finite number, got {value!r}")


def _positive(who, **values):
    _numbers(who, **values)
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"{who}: {name} must be in (0, inf), got {value!r}")


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """value at every k."""
    value: float

    def __post_init__(self):
        _numbers("Constant", value=self.value)

    def __call__(self, k):
        return self.value


@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """eps_k = (1 - alpha) eps_0 + alpha eps_tau, alpha = min(k/tau, 1) (equation 8.14): linear, then constant.

    The book: eps_tau about 1 % of eps_0. With start < end it raises a momentum.
    Differs: alpha is clamped at 1 (as printed it goes past the end). As k = 1 is the first step, eps_0 is never used.
    """
    start: float
    end: float
    tau: float

    def __post_init__(self):
        _numbers("Linear", start=self.start, end=self.end)
        _positive("Linear", tau=self.tau)

    def __call__(self, k):
        alpha = min(k / self.tau, 1)
        return (1 - alpha) * self.start + alpha * self.end


@dataclass(frozen=True, repr=False)
class Inverse(Schedule):
    """start / (1 + (k - 1)/tau): falls like 1/k, so that 8.12 and 8.13 hold. tau = 1 gives start/k."""
    start: float
    tau: float = 1

    def __post_init__(self):
        _numbers("Inverse", start=self.start)
        _positive("Inverse", tau=self.tau)

    def __call__(self, k):
        return self.start / (1 + (k - 1) / self.tau)


@dataclass(frozen=True, repr=False)
class Power(Schedule):
    """start / k^power: satisfies 8.12 and 8.13 for 1/2 < power <= 1."""
    start: float
    power: float

    def __post_init__(self):
        _numbers("Power", start=self.start, power=self.power)

    def __call__(self, k):
        return self.start * k ** -self.power


@dataclass(frozen=True, repr=False)
class Stair(Schedule):
    """start * factor^floor((k - 1)/every): step decay; step number every + 1 is the first reduced."""
    start: float
    factor: float
    every: int

    def __post_init__(self):
        _numbers("Stair", start=self.start)
        _positive("Stair", factor=self.factor, every=self.every)

    def __call__(self, k):
        return self.start * self.factor ** ((k - 1) // self.every)


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """start * factor^(k - 1)."""
    start: float
    factor: float

    def __post_init__(self):
        _numbers("Exponential", start=self.start)
        _positive("Exponential", factor=self.factor)

    def __call__(self, k):
        return self.start * self.factor ** (k - 1)


@dataclass(frozen=True, repr=False)
class Cosine(Schedule):
    """end + (start - end) (1 + cos(pi (k - 1)/period))/2: start at k = 1, end from k = period + 1 on."""
    start: float
    end: float
    period: float

    def __post_init__(self):
        _numbers("Cosine", start=self.start, end=self.end)
        _positive("Cosine", period=self.period)

    def __call__(self, k):
        fraction = min((k - 1) / self.period, 1)
        return self.end + (self.start - self.end) * (1 + cos(pi * fraction)) / 2


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """Cosine from start to end, over and over; each period `longer` times the one before (SGDR).

    k = 1 begins the first period; at k = period + 1 the value is start again.
    """
    start: float
    end: float
    period: float
    longer: float = 1

    def __post_init__(self):
        _numbers("CosineRestarts", start=self.start, end=self.end, longer=self.longer)
        _positive("CosineRestarts", period=self.period)
        if self.longer < 1:
            raise ValueError(f"CosineRestarts: longer must be in [1, inf), got {self.longer!r}")

    def __call__(self, k):
        at, period = k - 1, self.period
        while at >= period:
            if self.longer == 1:
                at %= period
                break
            at, period = at - period, period * self.longer
        return self.end + (self.start - self.end) * (1 + cos(pi * at / period)) / 2


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """k/steps of the value of `then` (a number or schedule) in the first `steps` steps, `then` itself afterwards."""
    steps: int
    then: object

    def __post_init__(self):
        _positive("Warmup", steps=self.steps)
        object.__setattr__(self, "then", as_schedule(self.then))

    def __call__(self, k):
        return min(k / self.steps, 1) * self.then(k)


@dataclass(frozen=True, repr=False)
class Chain(Schedule):
    """One schedule after another: Chain([(steps, schedule), ..., last]); each starts at its own k = 1."""
    parts: tuple

    def __post_init__(self):
        *parts, last = self.parts
        for steps, _ in parts:
            _positive("Chain", steps=steps)
        parts = tuple((steps, as_schedule(part)) for steps, part in parts)
        object.__setattr__(self, "parts", (*parts, as_schedule(last)))

    def __call__(self, k):
        *parts, last = self.parts
        for steps, part in parts:
            if k <= steps:
                return part(k)
            k -= steps
        return last(k)


@dataclass(frozen=True, repr=False)
class Scaled(Schedule):
    """factor(k) * schedule(k): two schedules (or numbers) multiplied."""
    factor: object
    schedule: object

    def __post_init__(self):
        object.__setattr__(self, "factor", as_schedule(self.factor))
        object.__setattr__(self, "schedule", as_schedule(self.schedule))

    def __call__(self, k):
        return self.factor(k) * self.schedule(k)


KINDS = {kind.__name__: kind for kind in (Constant, Linear, Inverse, Power, Stair, Exponential, Cosine, CosineRestarts,
                                          Warmup, Chain, Scaled)}


def as_schedule(value):
    """A number becomes Constant(number); a callable stays."""
    return value if callable(value) else Constant(value)


def robbins_monro(schedule):
    """Do sum eps_k = inf (8.12) and sum eps_k^2 < inf (8.13) hold? True or False; both only speak of the tail.

    Decided for the families of this file. ValueError for any other function: no finite number of its values could tell.
    """
    schedule = as_schedule(schedule)
    match schedule:
        case Power():
            return schedule.start > 0 and 0.5 < schedule.power <= 1
        case Inverse():
            return schedule.start > 0
        case Warmup():                                          # past the warm-up it is `then`
            return robbins_monro(schedule.then)
        case Chain():
            return robbins_monro(schedule.parts[-1])
        case Scaled(factor=Constant(value=factor)) if factor > 0:
            return robbins_monro(schedule.schedule)
        case Scaled(schedule=Constant(value=factor)) if factor > 0:
            return robbins_monro(schedule.factor)
        case Constant() | Linear() | Cosine() | CosineRestarts():
            return False        # constant in the end, or for ever coming back: 8.13 fails (8.12 if it ends in 0)
        case Stair() | Exponential():
            return False        # geometric: the sum is finite, or with factor >= 1 that of its squares is not
    raise ValueError(f"robbins_monro: cannot decide for {schedule!r}; known: {', '.join(KINDS)}")


def describe(value):
    """A number as it is; a schedule of this file as the text that `restore` reads; another function as 'custom ...'."""
    if not callable(value):
        return value
    text = repr(value)
    try:
        restore(text)
    except ValueError:
        return f"custom {getattr(value, '__name__', type(value).__name__)}"
    return text


def restore(text):
    """The schedule that `describe` wrote, as 'Linear(0.1, 0.001, 500)'. Reads names of this file and numbers only."""
    def build(node):
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return number
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -build(operand)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return tuple(build(item) for item in items)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in KINDS:
                return KINDS[name](*(build(arg) for arg in args))
        raise ValueError(f"restore: not a schedule: {text!r}")
    try:
        return build(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError) as error:
        raise ValueError(f"restore: not a schedule: {text!r} ({error})") from None
