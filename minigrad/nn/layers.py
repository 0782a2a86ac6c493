"""The layers of a multilayer perceptron: Linear, activations, Flatten, Sequential, Residual."""
import numpy as np

from minigrad import init, ops
from minigrad.core import default_dtype
from minigrad.nn.module import Module
from minigrad.nn.parameters import Parameter


class Linear(Module):
    """x W + b: (m, inputs) -> (m, outputs). W is (inputs, outputs), as in the book; any number of leading axes.

    bias: False leaves b out (it is redundant before batch norm). weights: an initializer, f(shape, rng=...) -> array;
    the default is U(-1/sqrt(inputs), 1/sqrt(inputs)). rng: int, Generator or None.
    """

    def __init__(self, inputs, outputs, bias=True, weights=init.fan_in_uniform, rng=None, dtype=default_dtype):
        for name, n in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(n, int | np.integer) or n < 1:
                raise ValueError(f"Linear: {name} must be a positive integer, got {n!r}")
        self.w = Parameter(weights((inputs, outputs), rng=rng, dtype=dtype))
        self.b = Parameter(init.zeros((outputs,), dtype=dtype)) if bias else None

    def forward(self, x):
        return ops.linear(x, self.w, self.b)

    def describe(self):
        return f"Linear({self.w.shape[0]}, {self.w.shape[1]}{'' if self.b is not None else ', bias=False'})"


class Sequential(Module):
    """Layers one after the other; a plain function (ops.relu) is a layer too."""

    def __init__(self, *layers):
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise ValueError(f"Sequential: layer {i} must be a module or a function, got {type(layer).__name__}")
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def children(self):
        return ((str(i), layer) for i, layer in enumerate(self.layers) if isinstance(layer, Module))

    def __getitem__(self, i):
        return Sequential(*self.layers[i]) if isinstance(i, slice) else self.layers[i]

    def __len__(self):
        return len(self.layers)

    def append(self, layer):
        """Add a layer at the end. Returns self."""
        self.layers.append(layer)
        return self


class Flatten(Module):
    """(m, ...) -> (m, product of the rest)."""

    def forward(self, x):
        return ops.flatten(x)


class Residual(Module):
    """x + f(x): a skip connection (8.7.5). f keeps the shape of x, or `shortcut` (a module) brings x to its shape."""

    def __init__(self, f, shortcut=None):
        self.f, self.shortcut = f, shortcut

    def forward(self, x):
        y = self.f(x)
        skip = x if self.shortcut is None else self.shortcut(x)
        if y.shape != skip.shape:
            raise ValueError(f"Residual: f(x) has shape {y.shape}, the skip {skip.shape}; pass shortcut=")
        return skip + y


# ---------------------------------------------------------------------------------------------------------- activations

class _Activation(Module):
    """An elementwise function as a layer: any shape -> same shape."""

    def forward(self, x):
        return self.function(x)


def _activation(function, doc):
    name = {"relu": "ReLU", "gelu": "GELU"}.get(function.__name__, function.__name__.title())
    return type(name, (_Activation,), {"function": staticmethod(function), "__doc__": doc, "__module__": __name__})


ReLU = _activation(ops.relu, "max(x, 0), any shape -> same shape.")
Sigmoid = _activation(ops.sigmoid, "1 / (1 + e^-x), any shape -> same shape.")
Tanh = _activation(ops.tanh, "Hyperbolic tangent, any shape -> same shape.")
Softplus = _activation(ops.softplus, "log(1 + e^x), any shape -> same shape.")
GELU = _activation(ops.gelu, "x Phi(x), any shape -> same shape.")
