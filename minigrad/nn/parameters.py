"""Parameter, and the one theta and one g in which all parameters of a model lie.

`Parameters` puts the values of its parameters side by side into one vector theta (n,), their gradients into another, g;
each parameter's `data` and `grad` are views into them. So an optimizer's step is one pass over theta, Newton has
theta in R^n as in the book, and a layer, a block, a group is a slice.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.core import Leaf, Tensor, as_array, changes
from minigrad.core.graph import Guarded, Node, clock
from minigrad.typing import Array, DType, TensorLike


class Slot(Leaf):
    """A parameter's place in the graph. Its gradient lives in `view`, a part of g; it holds nothing until `written`."""
    __slots__ = ("view", "written")

    def __init__(self, view: Array) -> None:
        self.view: Array = view
        self.written: bool = False
        super().__init__()

    @property
    def grad(self) -> Array | None:
        return self.view if self.written else None

    @grad.setter
    def grad(self, value: Array | None) -> None:
        self.written = value is not None
        if self.written:
            self.view[...] = value

    def receive(self, given: list[Array]) -> None:
        """The first gradient since zero_grad is stored, later ones are added. given: a list of one, see `Leaf`."""
        g = given[0]
        self.lock.acquire()
        try:
            if self.written:
                self.view += g
            else:
                self.view[...] = g
                self.written = True
        finally:
            self.lock.release()

    def destination(self) -> tuple[Array, bool]:
        return self.view, self.written


class Parameter(Tensor):
    """A Tensor that is learned. `requires_grad = False` freezes it: no gradient is computed, no step moves it."""
    __slots__ = ("slot", "vector", "start")
    node: Node | Leaf | None
    slot: Slot
    vector: Vector | None
    start: int

    def __init__(self, data: TensorLike, dtype: DType | None = None) -> None:
        super().__init__(np.array(as_array(data, dtype), order="C"))
        if self.dtype.kind != "f":
            raise ValueError(f"Parameter: wanted floating-point values, got {self.dtype}")
        self.slot = self.node = Slot(np.zeros_like(self._data))
        self.vector, self.start = None, 0          # where `Parameters` has laid it out

    @classmethod
    def together(cls, parameters: Sequence[Parameter]) -> Parameters:
        """`Parameters` of a list, by their names in the models they are from where these differ, else with their place
        in front. One theta is laid out for them; what other Parameters have of them follows."""
        names = [p.slot.name for p in parameters]
        if None in names or len(set(names)) != len(names):
            names = [f"{i}.{name}" if name else str(i) for i, name in enumerate(names)]
        return Parameters(list(zip(names, parameters)))

    @property
    def requires_grad(self) -> bool:
        """False: frozen."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if bool(wanted) != self.requires_grad:
            self.node = self.slot if wanted else None
            self.slot.written = False

    def _assign(self, values):
        self._data[...] = values                   # theta stays one vector
        changes.wrote(self._data)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """What copies and pickles keep: values, gradient, name, and whether it is frozen; not its place in a theta.

        A copy lies by itself until `Parameters` lays it out: so theta and g are shared in a copy as they were before,
        and a layer that is copied alone does not carry the whole model's vectors along.
        """
        return _restored, (type(self), self._data, self.grad, self.requires_grad, self.slot.name)

    def __copy__(self) -> Parameter:
        restored, kept = self.__reduce_ex__(2)
        return restored(*kept)

    def __repr__(self) -> str:
        return f"Parameter({np.array2string(self._data, separator=', ', prefix='Parameter(', threshold=20)})"


def _restored(kind, data, grad, requires_grad, name):
    """The Parameter that a copy or pickle makes of what `Parameter.__reduce_ex__` kept."""
    p = kind.__new__(kind)
    Parameter.__init__(p, data)
    p.slot.name, p.slot.grad, p.requires_grad = name, grad, requires_grad
    return p


class Vector(Guarded):
    """A theta and its g, on which one or more `Parameters` are views. lock: for who moves theta and puts it back."""

    def __init__(self, n: int, dtype: DType) -> None:
        super().__init__()
        self.theta: Array = kernels.zeros(n, dtype)
        self.g: Array = kernels.zeros(n, dtype)


class Parameters:
    """Parameters of a model, by name, as one vector theta (n,) and one gradient g (n,).

    theta, g: the live vectors; write to them in place and call `changed()`. slices: name -> slice of both; shapes:
    name -> shape.
    unwritten: names whose gradient is None (nothing arrived since zero_grad, or frozen); their part of g means nothing.
    buffers: (module, name) of the running averages that go with them, see `buffers_put_back`.
    Iterating gives the Parameters, len() their number; n is the number of elements.

    If the model is laid out anew (a larger model takes these parameters in), this object follows: it asks again where
    its parameters are, and lays them out itself if they no longer lie side by side.
    """
    named: dict[str, Parameter]
    buffers: list[tuple[Any, str]]
    slices: dict[str, slice[Any, Any, Any]]
    n: int
    shapes: dict[str, tuple[int, ...]]
    layouts: int = 0                               # when anything was last laid out: tells when to ask again

    def __init__(self, named: Mapping[str, Parameter] | Iterable[tuple[str, Parameter]],
                 buffers: Iterable[tuple[Any, str]] = ()) -> None:
        named = list(named.items() if hasattr(named, "items") else named)
        self.named, self.buffers = dict(named), list(buffers)
        if len(self.named) != len(named):
            raise ValueError("Parameters: two parameters have one name: "
                             f"{next(name for name, p in named if self.named[name] is not p)}")
        for name, p in self.named.items():
            if not isinstance(p, Parameter):
                raise ValueError(f"Parameters: {name} must be a Parameter, got {type(p).__name__}")
        if len({id(p) for p in self.named.values()}) != len(self.named):
            raise ValueError("Parameters: a parameter occurs twice under different names")
        for name, p in self.named.items():
            p.slot.name = name
        self._measure()
        self._find()

    def _measure(self):
        """Set the slices and shapes, and that it is not known yet where the parameters are."""
        self.slices, self.n, self.shapes = {}, 0, {name: p.shape for name, p in self.named.items()}
        for name, p in self.named.items():
            self.slices[name] = slice(self.n, self.n + p.size)
            self.n += p.size
        self._stamp = -1

    def _find(self):
        """Set _theta and _g to where the parameters are; lay them out if they do not lie side by side."""
        parts = list(self.named.values())
        dtype = parts[0].dtype if parts else np.dtype(np.float32)
        vector, start = (parts[0].vector, parts[0].start) if parts else (None, 0)
        together = vector is not None and vector.theta.dtype == dtype and all(
            p.vector is vector and p.start == start + self.slices[name].start for name, p in self.named.items())
        if not together:
            dtypes = {p.dtype for p in parts}
            if len(dtypes) > 1:
                raise ValueError(f"Parameters: all must have one dtype, got {sorted(map(str, dtypes))}; "
                                 "use model.astype(...)")
            vector, start = Vector(self.n, dtype), 0
            for part, p in zip(self.slices.values(), parts):
                data, view = vector.theta[part].reshape(p.shape), vector.g[part].reshape(p.shape)
                data[...] = p._data
                if p.slot.written:
                    view[...] = p.slot.view
                p._data, p.slot.view, p.vector, p.start = data, view, vector, part.start
            Parameters.layouts = next(clock)
        self._vector = vector
        self._theta, self._g = vector.theta[start:start + self.n], vector.g[start:start + self.n]
        self._stamp = Parameters.layouts

    @property
    def theta(self) -> Array:
        """All values, (n,); a view that writes through to the parameters."""
        if self._stamp != Parameters.layouts:
            self._find()
        return self._theta

    @property
    def g(self) -> Array:
        """All gradients, (n,); meaningless where `unwritten` says so, see `gradient()`."""
        if self._stamp != Parameters.layouts:
            self._find()
        return self._g

    @property
    def lock(self) -> Any:
        """Held by whoever puts the parameters elsewhere for a while: `with parameters.lock: ...`."""
        if self._stamp != Parameters.layouts:
            self._find()
        return self._vector.lock

    @property
    def unwritten(self) -> set[str]:
        """Names of the parameters without a gradient (a frozen one has none)."""
        return {name for name, p in self.named.items() if not p.slot.written or p.node is None}

    @property
    def frozen(self) -> set[str]:
        """Names of the parameters that no step may move (requires_grad is False)."""
        return {name for name, p in self.named.items() if p.node is None}

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.theta.dtype

    def gradient(self) -> Array:
        """A copy of g (n,) with zeros where there is no gradient."""
        g = self.g.copy()
        for name in self.unwritten:
            g[self.slices[name]] = 0
        return g

    def zero_grad(self) -> None:
        """Forget all gradients: `p.grad` is None until the next backward."""
        for p in self.named.values():
            p.slot.written = False

    def changed(self) -> None:
        """To be called after theta was modified in place: graphs recorded before may no longer be used."""
        changes.wrote(self.theta)
        now = changes.latest
        for p in self.named.values():
            p.slot.changed = now

    @contextmanager
    def buffers_put_back(self) -> Iterator[None]:
        """Inside, running averages may move (those of batch norm, for another theta); then they are as before."""
        before = [(module, name, getattr(module, name).copy()) for module, name in self.buffers]
        try:
            yield
        finally:
            for module, name, value in before:
                setattr(module, name, value)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.named.values())

    def __len__(self) -> int:
        return len(self.named)

    def __getitem__(self, name: str) -> Parameter:
        return self.named[name]

    def __getstate__(self) -> dict[str, Any]:
        return {"named": self.named, "buffers": self.buffers}      # a copy finds or makes the theta of its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.named, self.buffers = state["named"], state["buffers"]
        self._measure()

    def __repr__(self) -> str:
        return f"Parameters(n={self.n}: " + ", ".join(f"{name} {p.shape}" for name, p in self.named.items()) + ")"
