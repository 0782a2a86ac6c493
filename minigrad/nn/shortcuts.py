"""Models designed to be easy to optimize (8.7.5): shorter ways from the output to the lower layers.

`Residual` (in layers.py) adds x to f(x); a highway layer mixes the two by a gate that is learned; an auxiliary head is
an extra copy of the output, attached to a hidden layer, which gives the layers below a gradient of their own.
"""
from __future__ import annotations

from typing import Any

from minigrad import init, ops
from minigrad.arguments import number
from minigrad.core import Tensor, default_dtype
from minigrad.nn.layers import Linear, Sequential, a_layer
from minigrad.nn.module import Module
from minigrad.typing import DType, Initializer, Layer, Loss, Random


class Highway(Module):
    """t f(x) + (1 - t) x with a gate t = sigmoid(x W + b) (Srivastava et al. 2015, cited in 8.7.5).

    f: a module or function that keeps the shape of x (..., units). The gate is a `Linear(units, units)`; gate_bias, its
    first b, is negative, so that the layer passes x on until it has learned better. rng: of the gate. On images the
    gate is one for all pixels.
    """

    def __init__(self, f: Layer, units: int, gate_bias: float = -2.0,
                 weights: Initializer = init.fan_in_uniform, rng: Random = None, dtype: DType = default_dtype) -> None:
        bias = number("Highway", "gate_bias", gate_bias)
        self.f: Layer = a_layer("Highway", "f", f)
        self.gate: Linear = Linear(units, units, weights=weights, rng=rng, dtype=dtype,
                                   biases=lambda shape, rng, dtype: init.constant(shape, bias, rng, dtype))

    def forward(self, x: Tensor) -> Tensor:
        y = self.f(x)
        if y.shape != x.shape:
            raise ValueError(f"Highway: f(x) must keep the shape of x, {x.shape}, got {y.shape}")
        t = ops.sigmoid(self.gate(x))
        return x + t * (y - x)

    def describe(self) -> str:
        return f"Highway({self.gate.w.shape[0]})"


class AuxiliaryHead(Module):
    """The rest of a model, and beside it an extra copy of the output, attached where the rest begins (8.7.5).

        Sequential(*lower layers, AuxiliaryHead(Sequential(*upper layers), Linear(64, 10)))

    above: from here to the output; it may hold further heads. head: from here to outputs of its own, for the same task.
    Learning: a tuple, the output first, then the heads' from the lowest up: train it with `auxiliary_loss`. Test mode:
    the output alone, no head is computed. It must be the last layer of a model (or of the `above` of another head).
    `discard_heads` takes all heads off a model that has learned. Source: Szegedy et al. 2014, Lee et al. 2014.
    """

    def __init__(self, above: Layer, head: Layer) -> None:
        self.above: Layer = a_layer("AuxiliaryHead", "above", above)
        self.head: Layer = a_layer("AuxiliaryHead", "head", head)

    def forward(self, x: Tensor) -> Any:
        if not self.training:
            return self.above(x)
        outputs = self.above(x)
        output, *higher = outputs if isinstance(outputs, tuple) else (outputs,)
        return (output, self.head(x), *higher)


def auxiliary_loss(loss: Loss, weight: float = 0.3) -> Loss:
    """A loss of models with auxiliary heads: loss(output, y) + weight * the sum of loss(head's output, y).

    loss: a function of (output, targets) such as `losses.cross_entropy`. Returns a function of (outputs, y), outputs a
    tuple (learning) or one Tensor (test mode). Its value while learning is not the model's loss: evaluate in test mode.
    """
    weight = number("auxiliary_loss", "weight", weight)
    if weight < 0 or not callable(loss):
        raise ValueError(f"auxiliary_loss: wanted a loss and a weight >= 0, got {loss!r:.60} and {weight}")

    def with_heads(outputs, y):
        if isinstance(outputs, Tensor):
            return loss(outputs, y)
        output, *heads = outputs
        return loss(output, y) + weight * sum(loss(head, y) for head in heads)

    if hasattr(loss, "denominator"):
        with_heads.denominator = loss.denominator
    return with_heads


def discard_heads(model: Module) -> Any:
    """Take the auxiliary heads off a model that has learned, in every Sequential: in place; optimizers are to be made
    anew. The output in test mode is what it was, to the bit. Returns the model."""
    if isinstance(model, AuxiliaryHead):
        return discard_heads(model.above)
    for _, module in list(model.modules()):
        if isinstance(module, Sequential):
            for i in range(len(module)):
                while isinstance(module.layers[i], AuxiliaryHead):
                    module.layers[i] = module.layers[i].above
    return model
