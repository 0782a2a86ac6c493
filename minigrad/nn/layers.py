"""Layers without images: Linear, Maxout, Embedding, activations, Identity, Flatten, Sequential, Residual."""
from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any, Self

import numpy as np

from minigrad import init, ops
from minigrad.arguments import count, counts, flag, number
from minigrad.core import Tensor, data_of, default_dtype
from minigrad.nn.module import Module, name_layer
from minigrad.nn.parameters import Parameter
from minigrad.random import generator
from minigrad.typing import DType, Initializer, Layer, Random, TensorLike


def has_bias(layer: str, bias: Any) -> bool:
    """bias, refused unless it is True or False: an initializer has its own name."""
    return flag(layer, "bias", bias, "; initializers are passed as weights= and biases=" if callable(bias) else "")


def initial(layer: str, shape: tuple[int, ...], rng: Random, dtype: DType, **rule: Initializer) -> Parameter:
    """A Parameter with the values that an initializer gives; ValueError unless it is one and gives this shape."""
    (name, f), = rule.items()
    known = "init.zeros or init.relu_bias" if name == "biases" else "init.he_normal, init.glorot_uniform or init.zeros"
    wanted = f"{layer}: {name} must be an initializer, a function (shape, rng=..., dtype=...) -> array such as {known}"
    if not callable(f):
        values = isinstance(f, np.ndarray | Tensor | list | tuple)
        hint = "; values are assigned afterwards: p.data = values" if values else ""
        raise ValueError(f"{wanted}, got {type(f).__name__ if values else repr(f)}{hint}")
    try:
        array = np.asarray(data_of(f(shape, rng=rng, dtype=dtype)))
    except TypeError as error:
        if error.__traceback__.tb_next is not None:              # raised inside f, not by the call
            raise
        raise ValueError(f"{wanted}; {getattr(f, '__name__', 'it')} cannot be called like that ({error})") from error
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise ValueError(f"{layer}: {name} must give an array of shape {shape}, got {array.dtype} {array.shape}")
    return Parameter(array.astype(dtype, copy=False))


class Linear(Module):
    """x W + b: (m, inputs) -> (m, outputs). W is (inputs, outputs), as in the book; any number of leading axes.

    bias: False leaves b out (it is redundant before batch norm, see `redundant_biases`). weights, biases: initializers,
    f(shape, rng=..., dtype=...) -> array; the defaults are U(-1/sqrt(inputs), 1/sqrt(inputs)) and 0. rng: int,
    Generator or None; w is drawn first, then b.
    """
    b: Parameter | None

    def __init__(self, inputs: int, outputs: int, bias: bool = True, weights: Initializer = init.fan_in_uniform,
                 rng: Random = None, dtype: DType = default_dtype, biases: Initializer = init.zeros) -> None:
        layer, rng = type(self).__name__, generator(rng)
        inputs, outputs = counts(layer, inputs=inputs, outputs=outputs)
        self.w: Parameter = initial(layer, (inputs, outputs), rng, dtype, weights=weights)
        self.b = initial(layer, (outputs,), rng, dtype, biases=biases) if has_bias(layer, bias) else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.w, self.b)

    def describe(self) -> str:
        return f"Linear({self.w.shape[0]}, {self.w.shape[1]}{'' if self.b is not None else ', bias=False'})"


class Maxout(Linear):
    """The largest of `pieces` affine functions (Goodfellow et al. 2013): (m, inputs) -> (m, outputs).

    W is (inputs, outputs * pieces); the pieces of one unit are neighbouring columns. A tie shares the gradient. bias,
    weights, biases, rng: as in Linear.
    """

    def __init__(self, inputs: int, outputs: int, pieces: int = 2, bias: bool = True,
                 weights: Initializer = init.fan_in_uniform, rng: Random = None, dtype: DType = default_dtype,
                 biases: Initializer = init.zeros) -> None:
        inputs, outputs, pieces = counts("Maxout", inputs=inputs, outputs=outputs, pieces=pieces)
        super().__init__(inputs, outputs * pieces, bias, weights, rng, dtype, biases)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return ops.maxout(super().forward(x), self.pieces)

    def describe(self) -> str:
        return f"Maxout({self.w.shape[0]}, {self.w.shape[1] // self.pieces}, pieces={self.pieces})"


class Embedding(Module):
    """One learned vector for each of `symbols` integers: labels (...) -> (..., size).

    The gradient of a symbol that occurs several times is the sum over its occurrences. Raises ValueError for labels
    outside [0, symbols): negative ones do not count from the end. padding: a label, whose vector is 0 at first and has
    no gradient (it fills sequences up to one length), or None.
    """
    unit_axis = None                      # its rows are vectors, not the weights of units

    def __init__(self, symbols: int, size: int, weights: Initializer = init.normal, rng: Random = None,
                 dtype: DType = default_dtype, padding: int | None = None) -> None:
        shape = tuple(counts("Embedding", symbols=symbols, size=size))
        self.table: Parameter = initial("Embedding", shape, generator(rng), dtype, weights=weights)
        self.padding: int | None = None if padding is None else count("Embedding", "padding", padding, 0, shape[0] - 1)
        if padding is not None:
            self.table.data[self.padding] = 0

    def forward(self, labels: TensorLike) -> Tensor:
        y = ops.embedding(self.table, labels)
        if self.padding is None:
            return y
        return ops.where(data_of(np.equal(labels, self.padding))[..., None], self.table.data[self.padding].copy(), y)

    def describe(self) -> str:
        padding = "" if self.padding is None else f", padding={self.padding}"
        return f"Embedding({self.table.shape[0]}, {self.table.shape[1]}{padding})"


def a_layer(owner: str, place: str, layer: Any) -> Any:
    """layer, refused unless it is a module or a function."""
    if isinstance(layer, type):
        raise ValueError(f"{owner}: {place} is the class {layer.__name__}, wanted one of its objects: "
                         f"{layer.__name__}(...)")
    if not callable(layer):
        hint = ", one by one: Sequential(*layers)" if isinstance(layer, list | tuple) else ""
        raise ValueError(f"{owner}: {place} must be a module or a function, got {type(layer).__name__}{hint}")
    return layer


class Sequential(Module):
    """Layers one after the other; a plain function (ops.relu) is a layer too."""

    def __init__(self, *layers: Layer) -> None:
        self.layers: list[Any] = [a_layer("Sequential", f"layer {i}", layer) for i, layer in enumerate(layers)]

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            try:
                x = layer(x)
                if x is None:
                    raise ValueError("returned None: is a return missing?")
            except ValueError as error:
                if not isinstance(layer, Module):
                    name_layer(error, self, str(i), getattr(layer, "__name__", "function"))
                raise
        return x

    def children(self) -> Iterator[tuple[str, Module]]:
        return ((name.removeprefix("layers."), child) for name, child in super().children())     # "0", not "layers.0"

    def __getitem__(self, i: Any) -> Any:
        return Sequential(*self.layers[i]) if isinstance(i, slice) else self.layers[i]

    def __setitem__(self, i: int, layer: Layer) -> None:
        """Put a layer in the place of another. (Its parameters are new: make the optimizer afterwards.)"""
        self.layers[i] = a_layer("Sequential", f"layer {index(i)}", layer)

    def __len__(self) -> int:
        return len(self.layers)

    def append(self, layer: Layer) -> Self:
        """Add a layer at the end. Returns self."""
        self.layers.append(a_layer("Sequential", f"layer {len(self)}", layer))
        return self


class Identity(Module):
    """x itself, any shape: a place that another layer may take."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Flatten(Module):
    """(m, ...) -> (m, product of the rest)."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.flatten(x)


class Residual(Module):
    """x + f(x): a skip connection (8.7.5). f keeps the shape of x, or `shortcut` (a module) brings x to its shape."""

    def __init__(self, f: Layer, shortcut: Layer | None = None) -> None:
        name = type(self).__name__
        self.f: Layer = a_layer(name, "f", f)
        self.shortcut: Layer | None = None if shortcut is None else a_layer(name, "shortcut", shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return self.plus(x, self.f(x))

    def plus(self, x: Tensor, y: Tensor) -> Tensor:
        """The skip connection around y = f(x)."""
        skip = x if self.shortcut is None else self.shortcut(x)
        if y.shape != skip.shape:
            raise ValueError(f"{type(self).__name__}: f(x) has shape {y.shape}, the skip {skip.shape}; pass shortcut=")
        return skip + y


# ---------------------------------------------------------------------------------------------------------- activations

class _Activation(Module):
    """An elementwise function as a layer: any shape -> same shape."""
    function: Layer

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class ReLU(_Activation):
    """max(x, 0), any shape -> same shape."""
    function: Layer = staticmethod(ops.relu)


class Sigmoid(_Activation):
    """1 / (1 + e^-x), any shape -> same shape."""
    function: Layer = staticmethod(ops.sigmoid)


class Tanh(_Activation):
    """Hyperbolic tangent, any shape -> same shape."""
    function: Layer = staticmethod(ops.tanh)


class Softplus(_Activation):
    """log(1 + e^x), any shape -> same shape."""
    function: Layer = staticmethod(ops.softplus)


class GELU(_Activation):
    """x Phi(x), any shape -> same shape."""
    function: Layer = staticmethod(ops.gelu)


class LeakyReLU(Module):
    """x where x > 0, else slope * x, any shape -> same shape."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope: float = number("LeakyReLU", "slope", slope)

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.slope)

    def describe(self) -> str:
        return f"LeakyReLU({self.slope})"


class ELU(Module):
    """x where x > 0, else alpha (e^x - 1), any shape -> same shape."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha: float = number("ELU", "alpha", alpha)

    def forward(self, x: Tensor) -> Tensor:
        return ops.elu(x, self.alpha)

    def describe(self) -> str:
        return f"ELU({self.alpha})"


class Softmax(Module):
    """exp(x) / sum(exp(x)) over `axis`, any shape -> same shape. For training, leave the logits to cross_entropy."""

    def __init__(self, axis: int = -1) -> None:
        self.axis: int = count(type(self).__name__, "axis", axis, -64, 63)

    def forward(self, x: Tensor) -> Tensor:
        return ops.softmax(x, self.axis)


class LogSoftmax(Softmax):
    """log(softmax(x)) over `axis`, any shape -> same shape."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.log_softmax(x, self.axis)
