"""Regularization: layers that drop units, weights or whole blocks while learning; penalties; the max-norm constraint.

p is always the probability of dropping. Each layer draws from a generator of its own (`rng`: an int, a Generator, or
None: one spawned from the thread's default), anew at each call; inside `fixed_statistics`, and so under an Objective,
the same masks come back. In test mode nothing is drawn.
"""
from __future__ import annotations

import numpy as np

from minigrad import init, ops
from minigrad.arguments import count, number
from minigrad.core import Tensor, default_dtype
from minigrad.nn.layers import Linear, Residual
from minigrad.nn.module import Module
from minigrad.random import generator
from minigrad.typing import DType, Initializer, Layer, Random


def own_generator(rng: Random) -> np.random.Generator:
    """The generator that a layer keeps: rng's, or a new one, seeded by the thread's default."""
    return np.random.default_rng(generator().integers(2**63)) if rng is None else generator(rng)


def probability(layer: str, p: float) -> float:
    """p as a float in [0, 1]."""
    return number(layer, "p", p, "[0, 1]", hint=": it is the probability of dropping")


# -------------------------------------------------------------------------------------------------------- dropped units

class Dropout(Module):
    """Dropout (Srivastava et al. 2014), inverted: any shape -> same shape.

    Learning: each element is 0 with probability p, else multiplied by 1/(1 - p), so that its expectation is kept.
    Test: the identity. p = 1 drops everything.
    """
    p: float
    rng: np.random.Generator

    def __init__(self, p: float = 0.5, rng: Random = None) -> None:
        self.p, self.rng = probability(type(self).__name__, p), own_generator(rng)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return ops.dropout(x, self.p, self.rng)

    def describe(self) -> str:
        return f"{type(self).__name__}({self.p})"


class DropoutAtTest(Dropout):
    """Dropout in its first form, which scales at test time: any shape -> same shape.

    Learning: each element is 0 with probability p, else left. Test: all are multiplied by 1 - p.
    Differs: the notes multiply by the probability of dropping, p; the expectation is kept by that of keeping.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0:
            return x
        if not self.training:
            return x * (1 - self.p)
        return x * ops.drop_mask(x.shape, self.p, self.rng, x.dtype, scale=False)


class DropConnect(Linear):
    """Linear with dropped weights (Wan et al. 2013): (m, inputs) -> (m, outputs).

    Learning: each weight is 0 with probability p, else multiplied by 1/(1 - p). per="example" draws a mask for every
    example (as the paper does; memory m * inputs * outputs), per="batch" one for all. Test: the weights as they are,
    their mean. Differs: the paper draws from a Gaussian of the same moments at test time, and drops biases too.
    """
    p: float
    per: str

    def __init__(self, inputs: int, outputs: int, p: float = 0.5, per: str = "batch", bias: bool = True,
                 weights: Initializer = init.fan_in_uniform, rng: Random = None, dtype: DType = default_dtype,
                 biases: Initializer = init.zeros) -> None:
        self.p, self.per = probability("DropConnect", p), one_of("DropConnect", per)
        self.rng: np.random.Generator = own_generator(rng)
        super().__init__(inputs, outputs, bias, weights, self.rng, dtype, biases)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return super().forward(x)
        if self.per == "batch":
            return ops.linear(x, self.w * ops.drop_mask(self.w.shape, self.p, self.rng, self.w.dtype), self.b)
        mask = ops.drop_mask((*x.shape[:-1], *self.w.shape), self.p, self.rng, self.w.dtype)     # (m, inputs, outputs)
        w = self.w * mask
        y = ops.matmul(ops.reshape(x, (*x.shape[:-1], 1, x.shape[-1])), w)
        y = ops.reshape(y, (*x.shape[:-1], w.shape[-1]))
        return y if self.b is None else y + self.b

    def describe(self) -> str:
        return f"DropConnect({self.w.shape[0]}, {self.w.shape[1]}, p={self.p}, per={self.per!r})"


def one_of(layer: str, per: str) -> str:
    """per, refused unless it is "example" or "batch"."""
    if per not in ("example", "batch"):
        raise ValueError(f'{layer}: per must be "example" or "batch", got {per!r}')
    return per


class StochasticDepth(Residual):
    """A residual block that is left out at random (Huang et al. 2016): x + f(x), any shape that f keeps.

    Learning: f(x) is 0 with probability p, else multiplied by 1/(1 - p), so that its expectation is kept; drawn for
    each example, or for the whole batch at once: then f is not even computed, and its parameters get no gradient.
    Test: x + f(x). Differs: the paper does not scale while learning, but multiplies f(x) by 1 - p at test time.
    """
    p: float
    per: str

    def __init__(self, f: Layer, p: float = 0.5, per: str = "example",
                 shortcut: Layer | None = None, rng: Random = None) -> None:
        super().__init__(f, shortcut)
        self.p, self.per = probability("StochasticDepth", p), one_of("StochasticDepth", per)
        self.rng: np.random.Generator = own_generator(rng)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return super().forward(x)
        mask = ops.drop_mask(len(x) if self.per == "example" else 1, self.p, self.rng, x.dtype)
        if self.per == "batch" and mask[0] == 0:
            return x if self.shortcut is None else self.shortcut(x)
        return self.plus(x, self.f(x) * mask.reshape(-1, *(1,) * (x.ndim - 1)))

    def describe(self) -> str:
        return f"StochasticDepth(p={self.p}, per={self.per!r})"


def depth_rates(blocks: int, last: float = 0.5) -> list[float]:
    """The p of each of a net's residual blocks, rising linearly with depth: block l of L drops with p = l/L * last."""
    blocks, last = count("depth_rates", "blocks", blocks), probability("depth_rates", last)
    return [last * l / blocks for l in range(1, blocks + 1)]


# ------------------------------------------------------------------------------------------------------------ penalties

def _chosen(name, model, strength, on):
    number(name, "strength", strength, "[0, inf)")
    if on not in ("weights", "all"):
        raise ValueError(f'{name}: on must be "weights" (parameters with two axes or more) or "all", got {on!r}')
    return [p for _, p in model.named_parameters() if on == "all" or p.ndim >= 2]


def l2(model: Module, strength: float, on: str = "weights") -> Tensor:
    """strength/2 * sum of w^2, a Tensor () to be added to J: its gradient is strength * w (weight decay, coupled).

    on: "weights", the parameters with two axes or more, so neither biases nor gamma and beta; or "all".
    """
    return sum((ops.sum(ops.square(p)) for p in _chosen("l2", model, strength, on)), 0.0) * (float(strength) / 2)


def l1(model: Module, strength: float, on: str = "weights") -> Tensor:
    """strength * sum of |w|, a Tensor () to be added to J; the derivative at 0 is 0. on: as in `l2`."""
    return sum((ops.sum(ops.abs(p)) for p in _chosen("l1", model, strength, on)), 0.0) * float(strength)


def max_norm(model: Module, limit: float) -> int:
    """Max-norm constraint (Srivastava et al. 2014), to be called after a step: the incoming weights of each unit, a
    column of W, are scaled back to norm `limit` where theirs is larger.

    Weights are the parameters with two axes or more, except embeddings and frozen ones; convolutions count the whole
    kernel. In place in theta; columns within the limit keep their bits. Returns how many units were scaled.
    """
    limit = number("max_norm", "limit", limit, "(0, inf]")
    scaled, done = 0, set()
    for _, module in model.modules():
        unit = getattr(module, "unit_axis", -1)                           # the axis that counts the units
        for _, p in module.own_parameters():
            if p.ndim < 2 or not p.requires_grad or unit is None or id(p) in done:
                continue
            done.add(id(p))
            groups = module.groups if unit == -2 else 1               # of a transposed convolution: cut the last axis
            w = p.data.reshape(*p.shape[:-1], groups, -1)
            units = (p.ndim - 2, p.ndim - 1) if unit == -2 else (p.ndim,)
            others = tuple(i for i in range(w.ndim) if i not in units)
            norms = np.sqrt(np.square(w, dtype=np.float64).sum(axis=others, keepdims=True))
            over = norms > limit * (1 + 4 * np.finfo(p.dtype).eps)        # what rounding leaves after a scaling
            if over.any():
                scaled += int(over.sum())
                p.data = (w * np.where(over, limit / np.where(over, norms, 1), 1).astype(p.dtype)).reshape(p.shape)
    return scaled
