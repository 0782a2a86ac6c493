"""Module: a function with parameters. Write `__init__` and `forward`; everything else is found in the attributes."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from reprlib import recursive_repr
from typing import Any, Self

import numpy as np

from minigrad.arguments import flag
from minigrad.core import Tensor, data_of, no_grad
from minigrad.core.graph import clock
from minigrad.nn.parameters import Parameters
from minigrad.nn.structure import Structure, held, joined, new_path
from minigrad.notebook import Number, table
from minigrad.typing import Array, DType, TensorLike

# Of each thread, and each task of asyncio: who watches the calls of modules, whether running averages may be updated.
_observers = ContextVar("observers", default=())
_statistics = ContextVar("statistics", default=True)


class Module(Structure):
    """A layer or a model.

        class TwoLayers(Module):
            def __init__(self):
                self.first, self.second = Linear(784, 128), Linear(128, 10)

            def forward(self, x):
                return self.second(relu(self.first(x)))

    Parameters, modules, generators, and lists, tuples, dicts and dataclasses of these are found in the attributes, in
    the order in which they were set; names are paths, "first.w". `buffers` names the attributes that are saved but not
    learned (running averages).
    """
    training: bool = True
    _eval_by_itself = False     # put into test mode by itself, see `mode`
    buffers: tuple[str, ...] = ()

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__}.forward is not written")

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        try:
            y = self.forward(*inputs, **options)
            if y is None:
                raise ValueError(f"{type(self).__name__}.forward returned None: is a return missing?")
        except (ValueError, TypeError, AttributeError) as error:
            refuse_foreign(self, inputs, error)
            if isinstance(error, ValueError):
                name_layer(error, self)
            raise
        for observer in _observers.get():
            observer(self, inputs, y)
        return y

    # ---- modes

    def train(self, training: bool = True) -> Self:
        """Learning mode: dropout drops, batch norm uses its batch. Returns self."""
        training = flag(f"{type(self).__name__}.train", "training", training)
        for _, module in self.modules():
            module.training = training
            if training:
                module._eval_by_itself = False
        self._eval_by_itself = not training
        return self

    def eval(self) -> Self:
        """Test mode: dropout passes everything, batch norm uses its running averages. Returns self.

        A part of a model that is put into test mode by itself stays there while the model learns in `fit`.
        """
        return self.train(False)

    @contextmanager
    def mode(self, training: bool) -> Iterator[Self]:
        """`with model.mode(training=False):` test mode inside (True: learning); then each module is back in its own.

        Learning mode leaves alone what was put into test mode by itself, `model.encoder.freeze().eval()`, and all that
        is below it, until `train()` is said of that part or of the model. What is said of a part inside stays said.
        """
        training = flag(f"{type(self).__name__}.mode", "training", training)
        before = [(module, module.training, module._eval_by_itself) for _, module in self.modules()]
        rests = parts_of(module for module, learning, apart in before if training and module is not self
                         and (apart or (self.training and not learning)))
        try:
            for module, _, _ in before:
                if id(module) not in rests:
                    module.training = training
            yield self
        finally:
            changed = parts_of(module for module, _, apart in before if module._eval_by_itself != apart)
            for module, learning, _ in before:
                if id(module) not in changed:
                    module.training = learning

    def observe(self, function: Callable[..., Any]) -> AbstractContextManager[None]:
        """The function `observe` as a method, for code that knows modules only by their methods."""
        return observe(function)

    def fixed_statistics(self) -> AbstractContextManager[None]:
        """The function `fixed_statistics` of this model, as a method."""
        return fixed_statistics(self)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for _, p in self.named_parameters():
            p.slot.written = False

    def freeze(self, frozen: bool = True) -> Self:
        """No gradients for these parameters, and so no steps. Returns self. (Batch norm's averages are another matter:
        they stay in test mode, `model[0].freeze().eval()`.)"""
        frozen = flag(f"{type(self).__name__}.freeze", "frozen", frozen)
        for _, p in self.named_parameters():
            p.requires_grad = not frozen
        return self

    def unfreeze(self) -> Self:
        """Gradients for all these parameters again. Returns self."""
        return self.freeze(False)

    def astype(self, dtype: DType) -> Self:
        """Convert parameters and buffers to float32 or float64 (make optimizers anew). Returns self."""
        dtype = np.dtype(dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"astype: wanted float32 or float64, got {dtype}")
        for _, p in self.named_parameters():
            view = p.slot.view.astype(dtype) if p.slot.written else np.zeros(p.shape, dtype)
            p._data, p.slot.view, p.vector = p._data.astype(dtype), view, None
            p.slot.touch()
        for _, module, name in self.named_buffers():
            value = getattr(module, name)
            if value.dtype.kind == "f":
                setattr(module, name, value.astype(dtype))
        Parameters.layouts = next(clock)
        return self

    # ---- state

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers: path -> ndarray."""
        state, taken = {}, set()
        for path, p in self.named_parameters():
            state[new_path(self, path, taken)] = p.data.copy()
        for path, module, name in self.named_buffers():
            state[new_path(self, path, taken)] = np.array(getattr(module, name))
        return state

    def load_state_dict(self, state: Mapping[str, TensorLike], strict: bool = True) -> None:
        """Take over parameters and buffers: path -> array or Tensor. One ValueError lists every mismatch, and then
        nothing has changed.

        strict=False ignores names that are missing or unknown, unless none is known; shapes and dtypes must fit all the
        same.
        """
        who, own = f"{type(self).__name__}.load_state_dict", self.state_dict()
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            raise ValueError(f"{who}: wanted a dict path -> array, as state_dict() gives it, got {type(state).__name__}"
                             "; a file is read by minigrad.load(path, model)")
        given = {name: np.asarray(data_of(value)) for name, value in state.items()}
        _refuse_mismatch(who, own, given, strict)
        for name, p in self.named_parameters():
            if name in given:
                p.data = given[name]
        for path, module, name in self.named_buffers():
            if path in given:
                setattr(module, name, given[path].copy())

    # ---- in words

    def summary(self, x: TensorLike | None = None) -> str:
        """A table of layers: path, kind, output shape (if an input x is given) and number of parameters. A string."""
        rows = self._layers(x)
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}".rstrip()
                         for a, b, c, d in rows)

    def _repr_html_(self) -> str:
        """In a notebook: the table of layers."""
        head, *rows = self._layers()              # without shapes: nobody has said what goes in
        return table((head[0], head[1], head[3]),
                     [(path, kind or last, Number(count)) for path, kind, last, count in rows])

    def _layers(self, x=None):
        """The rows of `summary`, head and total included: four strings each."""
        shapes = {}
        if x is not None:
            x = x if isinstance(x, Tensor) else Tensor(x)
            with no_grad(), self.mode(training=False), fixed_statistics(self), observe(
                    lambda module, _, y: shapes.setdefault(id(module), getattr(y, "shape", ""))):
                self(x)
        seen, rows, total = set(), [], 0
        for path, module in self.modules():
            own = [p for _, p in module.own_parameters()]
            count = sum(p.size for p in own if id(p) not in seen)
            seen.update(id(p) for p in own)
            total += count
            if own or not list(module.children()):
                rows.append((path or "(model)", module.describe(), str(shapes.get(id(module), "")), f"{count:,}"))
        return [("layer", "kind", "output", "parameters"), *rows, ("", "", "total", f"{total:,}")]

    def describe(self) -> str:
        """The module in a few characters, for `summary` and `repr`: its class and its sizes."""
        return type(self).__name__

    @recursive_repr()
    def __repr__(self) -> str:
        inner = [f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        return self.describe() + (" (\n" + "\n".join(inner) + "\n)" if inner else "")


def parts_of(modules: Iterable[Module]) -> set[int]:
    """The ids of modules and of all below them."""
    return {id(part) for module in modules for _, part in module.modules()}


def name_layer(error: Any, module: Module, name: str = "", layer: str | None = None) -> None:
    """Put into an error's text by which path `module`, through which it passes, comes to the layer that raised it.

    The innermost module is the layer, or knows it: by its `name` there, and what it is. The error remembers the id of
    that module, not the module: an error may be pickled.
    """
    if not hasattr(error, "raised_by"):
        error.raised_by = id(module), name, type(module).__name__ if layer is None else layer, error.args
    source, name, layer, args = error.raised_by
    path = next((path for path, part in module.modules() if id(part) == source), None)
    place = None if path is None else joined(path, name) if name else path
    if place and len(args) == 1 and isinstance(args[0], str):
        error.args = (f"{type(module).__name__}[{place}] ({layer}): {args[0]}",)


def refuse_foreign(module: Module, inputs: tuple[Any, ...], error: Exception) -> None:
    """ValueError in the place of an error that comes of another library's array among the inputs."""
    for x in inputs:
        if hasattr(x, "__dlpack__") and not isinstance(x, Tensor | np.ndarray):
            raise ValueError(f"{type(module).__name__}: wanted a Tensor, got a {type(x).__module__}."
                             f"{type(x).__qualname__}; Tensor(x) makes one of it") from error


def _refuse_mismatch(who, own, given, strict):
    """One ValueError that lists all that does not fit of the arrays `given` for the model's `own`, path by path."""
    missing, unknown = [name for name in own if name not in given], [name for name in given if name not in own]
    problems = []
    if strict or (given and len(unknown) == len(given)):
        problems += [f"{name} is missing" for name in missing]
        problems += [f"{name} is not in the model" for name in unknown]
    for name, value in given.items():
        if name in own and (value.shape != own[name].shape or value.dtype != own[name].dtype):
            problems.append(f"{name} is {value.dtype} {value.shape}, wanted {own[name].dtype} {own[name].shape}")
    if problems:
        raise ValueError(f"{who}: " + "; ".join(problems) + _way_out(own, given, missing, unknown))


def _way_out(own, given, missing, unknown):
    """What to do about a state that does not fit, if that can be told: the end of an error's text."""
    if any(name.rpartition(".")[2] in ("weight", "bias") for name in unknown):
        return ". These are names of PyTorch's: minigrad.pytorch.load_pytorch(model, state) translates them"
    if missing and unknown:
        shorter = {name.partition(".")[2] for name in given}
        if shorter == own.keys():
            return f". The names fit without their {next(iter(given)).partition('.')[0]!r} in front"
        if {name.partition(".")[2] for name in own} == given.keys():
            return f". The names fit the part {next(iter(own)).partition('.')[0]!r} of the model"
    if {name: value.shape for name, value in given.items()} == {name: value.shape for name, value in own.items()}:
        return f". model.astype({next(iter(given.values())).dtype}) makes them fit"
    return ""


@contextmanager
def observe(function: Callable[..., Any]) -> Iterator[None]:
    """`with observe(f): model(x)` calls f(module, inputs, output) after every module, in order of execution."""
    before = _observers.get()
    _observers.set((*before, function))
    try:
        yield
    finally:
        _observers.set(before)


def updating_statistics() -> bool:
    """Whether layers in training may update their running averages (not while an objective evaluates J)."""
    return _statistics.get()


@contextmanager
def fixed_statistics(model: Module) -> Iterator[None]:
    """Inside, a model may be run in training mode and nothing of it changes: running averages stay, and its generators
    are put back afterwards, so that every such block draws the same masks."""
    before = _statistics.get()
    states = [(rng, rng.bit_generator.state) for rng in held(model) if isinstance(rng, np.random.Generator)]
    _statistics.set(False)
    try:
        yield
    finally:
        _statistics.set(before)
        for rng, state in states:
            rng.bit_generator.state = state
