"""What may be optimized: a plain vector, an object that cuts one into named slices, as `model.parameters()` does, or a
list of Tensors, for which one vector is laid out."""
from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from minigrad.typing import Array


class Plain:
    """A plain (n,) array as optimizers see parameters: one slice, no gradient of its own (that comes from J)."""
    g = None
    unwritten: frozenset[str] = frozenset()

    def __init__(self, theta: Array) -> None:
        self.theta = theta
        self.slices: dict[str, slice] = {"theta": slice(0, len(theta))}

    def zero_grad(self) -> None:
        pass

    def changed(self) -> None:
        pass


class Leaves:
    """A list of Tensors that belong to no model, as one theta (n,): the data of each becomes a part of it.

    A Tensor whose data is assigned (`w.data = ...`) is taken back into theta when that is asked for next; g is put
    together from the Tensors' gradients.
    """
    tensors: list[Any]
    slices: dict[str, slice]
    shapes: dict[str, tuple[int, ...]]

    def __init__(self, tensors: Iterable[Any]) -> None:
        self.tensors, self.slices, self.shapes, n = list(tensors), {}, {}, 0
        for i, tensor in enumerate(self.tensors):
            self.slices[str(i)], self.shapes[str(i)] = slice(n, n + tensor.size), tensor.shape
            n += tensor.size
        self._theta, self._g = (np.zeros(n, self.tensors[0].dtype) for _ in range(2))
        self.parts: list[Array] = [self._theta[part].reshape(tensor.shape)
                                   for part, tensor in zip(self.slices.values(), self.tensors)]

    @property
    def theta(self) -> Array:
        """All values, (n,); a vector of which the Tensors' data are parts."""
        for tensor, part in zip(self.tensors, self.parts):
            if tensor.data is not part:
                part[...] = tensor.data
                tensor.data = part
        return self._theta

    @property
    def g(self) -> Array:
        """All gradients, (n,); meaningless where `unwritten` says so."""
        for tensor, part in zip(self.tensors, self.slices.values()):
            if tensor.grad is not None:
                self._g[part] = tensor.grad.reshape(-1)
        return self._g

    def gradients(self) -> list[Array]:
        """The Tensors' own gradients, those there are, as views of one axis each (in the order of memory): what is
        written to g would be forgotten."""
        return [tensor.grad.ravel("K") for tensor in self.tensors if tensor.grad is not None]

    @property
    def unwritten(self) -> set[str]:
        """Names of the Tensors without a gradient (a frozen one has none)."""
        return {name for name, tensor in zip(self.slices, self.tensors) if tensor.grad is None}

    @property
    def frozen(self) -> set[str]:
        """Names of the Tensors that no step may move (requires_grad is False)."""
        return {name for name, tensor in zip(self.slices, self.tensors) if not tensor.requires_grad}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for tensor in self.tensors:
            tensor.grad = None

    def changed(self) -> None:
        """To be called after theta was modified in place: graphs recorded before may no longer be used."""
        for tensor, part in zip(self.tensors, self.parts):
            tensor.data = part

    def __getstate__(self) -> Any:
        return self.tensors                                # a copy lays out a theta of its own

    def __setstate__(self, tensors: Any) -> None:
        self.__init__(tensors)


def together(params: Any, who: str) -> Any:
    """A list of Tensors, of Parameters, or of several models' `parameters()`, as one object with one theta."""
    listed = [p for part in params for p in (part if hasattr(part, "slices") else [part])]
    if any(isinstance(part, dict) for part in listed):
        raise ValueError(f"{who}: the parameters are a list of dicts; write groups=[dict(params=..., lr=...)] behind "
                         "model.parameters()")
    learned = [hasattr(p, "together") for p in listed]             # nn.Parameters lay themselves out
    if all(learned):
        return type(listed[0]).together(listed) if listed else Plain(np.zeros(0))
    if any(learned) or not all(hasattr(p, "requires_grad") and hasattr(p, "node") for p in listed):
        kinds = ", ".join(dict.fromkeys(type(p).__name__ for p in listed))
        raise ValueError(f"{who}: the parameters must be a float array (n,) or model.parameters(), "
                         f"got {type(params).__name__} of {kinds}; a list is one of Tensors or one of nn.Parameters, "
                         "without their names")
    for i, tensor in enumerate(listed):
        if tensor.node is None or tensor.node.op is not None:
            reason = "has requires_grad=False" if tensor.node is None else f"is the result of {tensor.node.op.name}"
            raise ValueError(f"{who}: parameter {i} of the list {reason}; what is learned is made by "
                             "tensor(..., requires_grad=True)")
    if len({id(tensor) for tensor in listed}) != len(listed) or len({tensor.dtype for tensor in listed}) != 1:
        raise ValueError(f"{who}: the Tensors of a list must be distinct and of one dtype, got "
                         f"{', '.join(str(tensor.dtype) for tensor in listed)}")
    return Leaves(listed)


def as_parameters(params: Any, who: str) -> Any:
    """`params` itself if it has theta, g and slices; a float array (n,) wrapped; Tensors of a list laid out together.

    ValueError for anything else.
    """
    if isinstance(params, list | tuple) or hasattr(params, "__next__"):
        params = together(params, who)
    if isinstance(params, np.ndarray):
        if params.dtype not in (np.float32, np.float64):
            raise ValueError(f"{who}: theta must be float32 or float64, got {params.dtype}: "
                             f"theta.astype(float) makes a copy that can move")
        if params.ndim != 1:
            raise ValueError(f"{who}: theta must have shape (n,), got {params.shape}: pass theta.reshape(-1), a view")
        if not params.flags.c_contiguous or not params.flags.writeable:
            raise ValueError(f"{who}: theta must be contiguous and writable: it is updated in place")
        params = Plain(params)
    elif not all(hasattr(params, name) for name in ("theta", "g", "slices")):
        advice = ": pass model.parameters()" if hasattr(params, "parameters") else \
            ": pass a list of it" if hasattr(params, "requires_grad") else \
            ": pass a list of its values" if isinstance(params, dict) else ""
        raise ValueError(f"{who}: the parameters must be a float array (n,) or model.parameters(), "
                         f"got {type(params).__name__}{advice}")
    if len(params.theta) == 0:
        raise ValueError(f"{who}: there are no parameters (n = 0): what is learned must be an nn.Parameter")
    if params.theta.dtype not in (np.float32, np.float64):
        raise ValueError(f"{who}: theta must be float32 or float64, got {params.theta.dtype}")
    at = 0
    for name, part in params.slices.items():
        if part.start != at:
            raise ValueError(f"{who}: {name} starts at {part.start}, wanted {at}: a parameter is repeated or missing")
        at = part.stop
    if at != len(params.theta):
        raise ValueError(f"{who}: the slices cover {at} elements of {len(params.theta)}")
    return params


def frozen_slices(params: Any) -> list[slice[Any, Any, Any]]:
    """The parts of theta that no step may move."""
    return [params.slices[name] for name in sorted(getattr(params, "frozen", ()))]


def shape_of(params: Any, name: str) -> tuple[int, ...]:
    """The shape of a parameter: params.shapes[name], or (size,) where it is not known."""
    part = params.slices[name]
    return tuple(getattr(params, "shapes", {}).get(name, (part.stop - part.start,)))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """(in, out) for a parameter with two axes or more, its last being the outputs: a conv weight (kh, kw, c_in, c_out)
    is (kh kw c_in, c_out). None for vectors."""
    return (prod(shape[:-1]), shape[-1]) if len(shape) > 1 else None


def matrices(params: Any) -> dict[str, Array]:
    """The matrices in theta: name -> a live view (in, out) of it, for each parameter with two axes or more.

    params: model.parameters(), or any object with theta, slices and shapes (name -> shape). A weight (in, out) is
    itself, a conv weight (kh, kw, c_in, c_out) the (kh kw c_in, c_out) it is multiplied as; vectors are left out. Who
    writes to a view calls `params.changed()`.
    """
    params = as_parameters(params, "matrices")
    shapes = {name: matrix_shape(shape_of(params, name)) for name in params.slices}
    return {name: params.theta[params.slices[name]].reshape(shape) for name, shape in shapes.items() if shape}
