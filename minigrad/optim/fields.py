"""What an optimizer has, declared on its class, one field a line:

    class Momentum(FirstOrder):
        lr: Hyper                           # a hyperparameter without a default: it has to be given
        momentum: Hyper = hyper(0.9)        # one with a default: a number, or a schedule k -> number
        v: Array = state()                  # (n,), zero at the start; saved with the optimizer

The lines make the constructor, Momentum(params, lr, momentum=0.9, *, groups=None, ...), as `help`, `inspect.signature`,
editors and type checkers show it, and the attributes: `opt.lr = 0.1` is checked, `opt.v = ...` copies into the array.
Its own lines come first, then those it inherits; what follows `_: KW_ONLY` is given by name. An annotated name with
another value, `tries: int = 60`, is an argument that becomes a plain attribute; `prepare()`, called when all are there,
may check it. State need not be zeros: state(0) is an int, state(0.0) a float, state(lambda opt: ...) what the function
makes of the optimizer.

A step does not change what the optimizer is: `update`, `begin` and `point` run on a View of it. New names may be set
on a View and while an optimizer is made, by whatever function; afterwards they are refused, as nobody would read them.
"""
from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from numbers import Real
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, Literal, dataclass_transform

import numpy as np

from minigrad import kernels
from minigrad.arguments import number
from minigrad.optim.arguments import refuse_attribute, refuse_unknown

REQUIRED, PLACE, NAME = Parameter.empty, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY

# Where a hyperparameter may lie, by name, if its class does not say. Elsewhere: any finite number.
RANGES = {"lr": "[0, inf)", "delta": "[0, inf)", "weight_decay": "[0, inf)", "damping": "[0, inf)",
          "momentum": "[0, 1)", "rho": "[0, 1)", "rho1": "[0, 1)", "rho2": "[0, 1)"}


class Field:
    """A declared attribute: its value is in the table of its kind, under its name.

    An array stays the one it is: what is assigned is copied into it. A number becomes another one, in a View for the
    optimizer too: the View has its own tables, but shares the optimizer's attributes.
    """
    table: ClassVar[str]
    default: Any
    name: str

    def __init__(self, default: Any = None, interval: str | None = None) -> None:
        self.default, self.interval = default, interval

    def __set_name__(self, owner: Any, name: str) -> None:
        above = getattr(super(owner, owner), name, None)        # the interval, if none is given, as in the class above
        self.name, self.interval = name, self.interval or getattr(above, "interval", None) or RANGES.get(name)

    def __set__(self, opt: Any, value: Any) -> None:
        values = getattr(opt, self.table)
        mine = values.get(self.name)
        if not isinstance(mine, np.ndarray):
            values[self.name] = vars(opt)[self.table][self.name] = self.checked(opt, value)
        elif value is not mine:
            mine[...] = value
        opt.follow()


class Hyper(Field):
    """A hyperparameter: assigned as a number in an interval or a schedule; a step reads a number."""
    table = "_hyper"
    if TYPE_CHECKING:
        def __set__(self, opt: Any, value: float | Callable[[int], float]) -> None: ...

    def __get__(self, opt: Any, owner: Any = None) -> float:
        return self if opt is None else opt._hyper[self.name]               # type: ignore[return-value]

    def checked(self, opt: Any, value: Any) -> Any:
        """A schedule as it is; a number as a Python float, so that float32 stays float32. ValueError out of range."""
        return value if callable(value) else self.in_range(opt, value)

    def in_range(self, opt: Any, value: Any) -> float:
        """A number in the interval. ValueError else; a schedule is none."""
        interval = self.interval or "(-inf, inf)"
        real = isinstance(value, Real) and not isinstance(value, bool)
        wanted = f"in {interval}" if real else f"a number in {interval} or a schedule k -> number"
        return number(type(opt).__name__, self.name, value, interval, wanted=wanted)

    def at(self, opt: Any, value: Any, k: int) -> Any:
        """What such a value is at step k: a number as it is, of a schedule its number, checked."""
        if not callable(value):
            return value
        try:
            return self.in_range(opt, value(k))
        except (ValueError, OverflowError) as error:
            overflow = f"{type(opt).__name__}: {self.name} is too large a number"
            said = overflow if isinstance(error, OverflowError) else error
            raise ValueError(f"{said} (schedule {value!r} at k = {k})") from None


class State(Field):
    """What a step leaves for the next one: an array, or a number of one kind."""
    table = "_state"

    def __get__(self, opt: Any, owner: Any = None) -> Any:
        return self if opt is None else opt._state[self.name]

    def checked(self, opt: Any, value: Any) -> Any:
        """An int where there is one, else a float."""
        return index(value) if isinstance(opt._state[self.name], int) else float(value)

    def start(self, opt: Any) -> Any:
        """Its value before the first step."""
        if self.default is None:
            return kernels.zeros(opt.n, opt.dtype)
        return self.default(opt) if callable(self.default) else self.default


def hyper(default: Any = REQUIRED, interval: str | None = None) -> Any:
    """A hyperparameter: its default, and where it may lie, "(0, inf)" (if not given, what is usual for its name)."""
    return Hyper(default, interval)


def state(initial: Any = None, *, init: Literal[False] = False) -> Any:
    """A piece of state: None for zeros (n,), a number, or a function of the optimizer. `init` is for type checkers."""
    return State(initial)


def declare(cls: Any, name: str, field: Any) -> Any:
    """Add a field to a class."""
    setattr(cls, name, field)
    field.__set_name__(cls, name)
    return field


class Made(type):
    """Making an optimizer: arguments that it does not have are refused, and from then on new attributes are."""

    if not TYPE_CHECKING:                                       # a type checker is to read the class's own arguments
        def __call__(cls, *args, **given):
            refuse_unknown(cls, given)
            opt = super().__call__(*args, **given)
            if "_state" not in opt.__dict__:
                raise AttributeError(f"{cls.__name__}.__init__ must call super().__init__(params, ...)")
            opt._made = True
            return opt


@dataclass_transform(eq_default=False, field_specifiers=(state,))
class Declared(metaclass=Made):
    """The root of all optimizers: reads the lines of a class when it is defined, fills them in when one is made.

    declared: name -> Parameter of its arguments. kept: the names of its state; `state`: of the (n,) arrays among it.
    """
    declared: ClassVar[dict[str, Parameter]] = {}
    kept: ClassVar[tuple[str, ...]] = ()
    state: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[Signature]

    def __init_subclass__(cls, view: bool = False, **options: Any) -> None:
        super().__init_subclass__(**options)
        if view:
            return
        own, kind = {}, PLACE
        for name, hint in cls.__annotations__.items():
            value, hint = vars(cls).get(name, REQUIRED), str(hint)
            kind = NAME if "KW_ONLY" in hint else kind
            if value is REQUIRED and hint.endswith(("Hyper", str(Hyper))):
                value = declare(cls, name, hyper())
            if not (value is REQUIRED or isinstance(value, State) or "ClassVar" in hint):
                own[name] = Parameter(name, kind, default=value.default if isinstance(value, Field) else value)
        both = own | {name: one for name, one in cls.declared.items() if name not in own}
        cls.declared = dict(sorted(both.items(), key=lambda item: (item[1].kind, item[1].default is not REQUIRED)))
        if isinstance(vars(cls).get("state"), tuple):           # as before there were fields: state = ("v",)
            cls.kept = tuple(declare(cls, name, State()).name for name in cls.state)
        cls.kept = tuple(dict.fromkeys([*(key for key, one in vars(cls).items() if isinstance(one, State)), *cls.kept]))
        cls.state = tuple(name for name in cls.kept if getattr(cls, name).default is None)
        cls.__signature__ = signature_of(cls)

    def __init__(self, params: Any, *args: Any, **given: Any) -> None:
        self._hyper, self._state = {}, {}
        self.attach(params)
        self.fill(args, given)
        self.prepare()

    def attach(self, params: Any) -> None:
        """Keep what is optimized."""

    def prepare(self) -> None:
        """Called when an optimizer is made, after its arguments and its state are there."""

    def follow(self) -> None:
        """Called after a hyperparameter or state was assigned: what depends on them follows."""

    def fill(self, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        """The arguments as attributes, then the state. TypeError for one that is missing or one too many."""
        cls, who = type(self), type(self).__name__
        places = [name for name, one in cls.declared.items() if one.kind is PLACE]
        if len(args) > len(places) or not given.keys().isdisjoint(places[:len(args)]):
            raise TypeError(f"{who}: too many arguments: {who}{cls.__signature__}")
        given = {name: one.default for name, one in cls.declared.items()} | dict(zip(places, args)) | given
        for name, value in given.items():
            if value is REQUIRED:
                raise TypeError(f"{who}: missing argument {name!r}: {who}{cls.__signature__}")
            if name not in cls.declared:                        # what an `__init__` of the class's own adds
                declare(cls, name, hyper())
            setattr(self, name, value)
        self._state.update((name, getattr(cls, name).start(self)) for name in cls.kept)

    if not TYPE_CHECKING:                                       # a type checker that saw it would allow every name
        def __setattr__(self, name, value):
            if name not in self.__dict__ and "_made" in self.__dict__ and not hasattr(type(self), name):
                refuse_attribute(self, name)
            object.__setattr__(self, name, value)


def signature_of(cls: Any) -> Signature:
    """The arguments of a class: those declared; if it has an `__init__` of its own, those of that."""
    if cls.__init__ is Declared.__init__:
        return Signature([Parameter("params", PLACE), *cls.declared.values()])
    own = list(signature(cls.__init__).parameters.values())[1:]
    if own[-1].kind is Parameter.VAR_KEYWORD:                   # **options: what the class above has, by name
        above = super(cls, cls).__signature__.parameters.values()
        own[-1:] = [one.replace(kind=NAME) for one in above if one.name not in [mine.name for mine in own]]
    return Signature(own)


class View:
    """What `update`, `begin` and `point` have for self: the optimizer, but for one run of its parameters in one step.

    theta, g and the arrays of its state are those parameters' part of them, of equal length; hyperparameters are
    numbers; t counts the steps of these parameters. All else is the optimizer's own, to read and to set.
    """
    __slots__ = "_hyper", "_state"
    __setattr__ = object.__setattr__

    def follow(self) -> None:
        """In a step nothing follows yet."""


def part(name: str, value: Any) -> Any:
    """An attribute that only a View has: an array, copied into when it is assigned, or what is only to be read."""
    return State() if isinstance(value, np.ndarray) else property(lambda view: view._state[name])


def view(opt: Any, parts: dict[str, Any]) -> Any:
    """The View of `opt` with these parts, a dict of arrays and numbers."""
    cls, names = type(opt), tuple(parts)
    views = vars(cls).get("_views", {})
    if names not in views:                                      # once for a class
        own = {name: part(name, parts[name]) for name in names if not isinstance(getattr(cls, name, None), Field)}
        made = type(cls)(cls.__name__, (View, cls), own | {"abstract": True}, view=True)
        cls._views = views | {names: made}
    seen = object.__new__(cls._views[names])
    seen.__dict__, seen._hyper, seen._state = opt.__dict__, parts, parts
    return seen
