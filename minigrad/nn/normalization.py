"""Batch normalization (8.7.1), layer, group, instance and RMS normalization as layers, and the biases that batch norm
makes redundant."""
from __future__ import annotations

import math

import numpy as np

from minigrad import init, ops
from minigrad.arguments import counts, flag, number
from minigrad.core import Tensor, default_dtype, no_grad
from minigrad.nn.layers import Sequential
from minigrad.nn.module import Module, fixed_statistics, observe, updating_statistics
from minigrad.nn.parameters import Parameter
from minigrad.typing import Array, DType


class BatchNorm(Module):
    """Batch normalization (8.35)-(8.37): (..., features) -> same shape, normalized over all axes but the last.

        y = gamma (x - mu) / sqrt(delta + var) + beta

    So one class serves dense layers (m, features) and images (n, h, w, features), with one mu and var for every pixel.
    Learning: mu and var (biased) are those of the batch, and the derivative goes through them. Test: running averages,

        running_mean <- (1 - momentum) running_mean + momentum mu
        running_var  <- (1 - momentum) running_var  + momentum var m/(m - 1)       m values per feature

    0 and 1 at first; updated at each call while learning, except inside `fixed_statistics` (an Objective). momentum may
    be changed at any time; 1/k at the k-th batch gives plain means. relu=True: max(y, 0), in the same pass.
    A batch of one value per feature in learning mode is refused: its variance is 0, and y would be beta whatever x.
    affine=False: no gamma and beta, 1 and 0 in their place. tracking=False: no running averages; mu and var are those
    of the batch at test time too.

    Differs: delta is 1e-5, not 1e-8, at which float32 noise in a constant feature would be amplified 10,000 times; the
    book averages the standard deviation, here it is the variance, as everywhere in practice; the running variance is
    unbiased, as in PyTorch.
    """
    features: int
    delta: float
    momentum: float
    gamma: Parameter | None
    beta: Parameter | None
    running_mean: Array
    running_var: Array
    buffers: tuple[str, ...] = ("running_mean", "running_var")

    def __init__(self, features: int, delta: float = 1e-5, momentum: float = 0.1, relu: bool = False,
                 dtype: DType = default_dtype, affine: bool = True, tracking: bool = True) -> None:
        self.features, = counts("BatchNorm", features=features)
        weight_of_new(momentum)
        self.delta, self.momentum = number("BatchNorm", "delta", delta, "[0, inf)"), momentum
        self.relu: bool = flag("BatchNorm", "relu", relu)
        self.gamma, self.beta = scale_and_shift("BatchNorm", features, affine, dtype)
        if flag("BatchNorm", "tracking", tracking):
            self.running_mean, self.running_var = np.zeros(features, dtype), np.ones(features, dtype)
        else:
            self.buffers = ()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training and self.buffers:
            return self.with_running_averages(x)
        m = math.prod(x.shape[:-1])
        if m == 1:
            raise ValueError(f"BatchNorm: learning needs more than one value per feature, got x {x.shape}: "
                             "use a larger batch (drop a last batch of one), or eval()")
        moments = np.empty((2, x.shape[-1]), x.dtype)
        y = ops.batch_norm(x, self.gamma, self.beta, self.delta, self.relu, moments)
        if self.buffers and updating_statistics():
            share, (mean, var) = self.momentum, moments
            if not (share.__class__ is float and 0 <= share <= 1):
                share = weight_of_new(share)
            self.running_mean = (1 - share) * self.running_mean + share * mean
            self.running_var = (1 - share) * self.running_var + share * m / (m - 1) * var
        return y

    def with_running_averages(self, x: Tensor) -> Tensor:
        """What the layer computes at test time: an affine map of each feature."""
        if x.shape[-1:] != self.running_mean.shape or x.dtype != self.running_mean.dtype:
            raise ValueError(f"BatchNorm: the last axis of x must be {self.running_mean.shape[0]}, its dtype "
                             f"{self.running_mean.dtype}, got x {x.dtype} {x.shape}")
        scale, beta = 1 / np.sqrt(self.running_var + float(self.delta)), 0.0
        if self.gamma is not None:
            scale, beta = self.gamma * scale, self.beta
        y = x * scale + (beta - self.running_mean * scale)
        return ops.relu(y) if self.relu else y

    def describe(self) -> str:
        options = {", relu=True": self.relu, ", affine=False": self.gamma is None, ", tracking=False": not self.buffers}
        return f"BatchNorm({self.features}{''.join(option for option, given in options.items() if given)})"


def scale_and_shift(layer: str, features: int, affine: bool, dtype: DType) -> tuple[Parameter | None, Parameter | None]:
    """gamma and beta, 1 and 0 at first; None both for affine=False."""
    if not flag(layer, "affine", affine):
        return None, None
    return Parameter(init.constant((features,), 1.0, dtype=dtype)), Parameter(init.zeros((features,), dtype=dtype))


def weight_of_new(momentum: float) -> float:
    """momentum as a float in [0, 1] (a number of NumPy's would widen the averages)."""
    return number("BatchNorm", "momentum", momentum, "[0, 1]", hint=": it is the weight of the new batch")


class LayerNorm(Module):
    """Layer normalization (Ba et al. 2016): (..., features) -> same shape, each example over its own features.

    y = gamma (x - mu) / sqrt(delta + var) + beta, alike in learning and test mode; no running averages.
    """

    def __init__(self, features: int, delta: float = 1e-5, dtype: DType = default_dtype) -> None:
        features, = counts("LayerNorm", features=features)
        self.delta: float = number("LayerNorm", "delta", delta, "[0, inf)")
        self.gamma: Parameter = Parameter(init.constant((features,), 1.0, dtype=dtype))
        self.beta: Parameter = Parameter(init.zeros((features,), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.gamma, self.beta, self.delta)

    def describe(self) -> str:
        return f"LayerNorm({self.gamma.shape[0]})"


class GroupNorm(Module):
    """Group normalization (Wu and He 2018): (m, ..., features) -> same shape, each example over its pixels and a
    group of neighbouring features. Alike in learning and test mode.

    groups: their number, which divides features. affine=False: no gamma and beta.
    """
    groups: int
    features: int
    gamma: Parameter | None
    beta: Parameter | None

    def __init__(self, groups: int, features: int, delta: float = 1e-5, affine: bool = True,
                 dtype: DType = default_dtype) -> None:
        layer = type(self).__name__
        self.groups, self.features = counts(layer, groups=groups, features=features)
        if features % groups:
            raise ValueError(f"{layer}: groups must divide features, got {groups} for {features}")
        self.delta: float = number(layer, "delta", delta, "[0, inf)")
        self.gamma, self.beta = scale_and_shift(layer, self.features, affine, dtype)

    def forward(self, x: Tensor) -> Tensor:
        if np.shape(x)[-1:] != (self.features,):
            raise ValueError(f"{type(self).__name__}: the last axis of x must be {self.features}, got {np.shape(x)}")
        return ops.group_norm(x, self.gamma, self.beta, self.groups, self.delta)

    def describe(self) -> str:
        return f"GroupNorm({self.groups}, {self.features}{'' if self.gamma is not None else ', affine=False'})"


class InstanceNorm(GroupNorm):
    """Instance normalization (Ulyanov et al. 2016): each example and each feature over its pixels, (m, ..., features).

    affine=True: with gamma and beta.
    """

    def __init__(self, features: int, delta: float = 1e-5, affine: bool = False, dtype: DType = default_dtype) -> None:
        super().__init__(features, features, delta, affine, dtype)

    def describe(self) -> str:
        return f"InstanceNorm({self.features}{', affine=True' if self.gamma is not None else ''})"


class RMSNorm(Module):
    """RMS normalization (Zhang and Sennrich 2019): (..., features) -> same shape, gamma x / sqrt(delta + mean of x^2).

    Differs: delta is 1e-5; PyTorch's is the dtype's rounding unless it is given.
    """

    def __init__(self, features: int, delta: float = 1e-5, dtype: DType = default_dtype) -> None:
        features, = counts("RMSNorm", features=features)
        self.delta: float = number("RMSNorm", "delta", delta, "[0, inf)")
        self.gamma: Parameter = Parameter(init.constant((features,), 1.0, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return ops.rms_norm(x, self.gamma, self.delta)

    def describe(self) -> str:
        return f"RMSNorm({self.gamma.shape[0]})"


def redundant_biases(model: Module, x: Tensor | None = None) -> list[str]:
    """Paths of layers whose bias does nothing, because a BatchNorm subtracts it again: give them bias=False (8.7.1).

    Its gradient is 0 up to rounding, and methods that divide a gradient by its own size (Adam) walk along the rounding.
    Looks at neighbours in every Sequential; with an example input x (a batch), at what the model really does.
    """
    found = []
    if x is None:
        for path, module in model.modules():
            if isinstance(module, Sequential):
                for i, (layer, after) in enumerate(zip(module.layers, module.layers[1:])):
                    if isinstance(after, BatchNorm) and getattr(layer, "b", None) is not None:
                        found.append(f"{path}.{i}" if path else str(i))
        return found
    paths = {id(module): path for path, module in model.modules()}
    made, alive = {}, []                       # id of an output -> path of the layer with a bias that made it

    def note(module, inputs, y):
        alive.append((inputs, y))              # no id is used again while we look
        if isinstance(module, BatchNorm) and id(inputs[0]) in made:
            found.append(made[id(inputs[0])])
        elif getattr(module, "b", None) is not None and isinstance(y, Tensor):
            made[id(y)] = paths.get(id(module), "?")

    with no_grad(), fixed_statistics(model), observe(note):
        model(x if isinstance(x, Tensor) else Tensor(x))
    return list(dict.fromkeys(found))
