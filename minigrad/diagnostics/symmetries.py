"""Weight space symmetry (8.2.2): other parameters, the same function. So a minimum is never alone, and none is worse.

A layer's units can change places, if the weights that leave them change places too; and where what lies between is
positively homogeneous (relu, maxout: f(alpha h) = alpha f(h) for alpha > 0), a unit's incoming weights and bias can be
multiplied by alpha and its outgoing ones by 1/alpha. m layers of n units have n!^m arrangements; the scales make each
minimum a continuum. J does not tell them apart, except for terms that look at the weights themselves (weight decay).
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import nn, ops, random
from minigrad.typing import Array, ArrayLike, Random

SAME = (nn.Identity, nn.Dropout, nn.Flatten, nn.MaxPool2d, nn.GlobalAvgPool, nn.FractionalMaxPool2d)
HOMOGENEOUS = (*SAME, nn.ReLU, nn.LeakyReLU)               # f(alpha h) = alpha f(h), unit by unit
ELEMENTWISE = (*HOMOGENEOUS, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.GELU, nn.ELU)
NORMALIZATIONS = (nn.BatchNorm, nn.LayerNorm)
HOMOGENEOUS_OPS = (ops.relu, ops.leaky_relu, ops.abs, ops.flatten)
ELEMENTWISE_OPS = (*HOMOGENEOUS_OPS, ops.tanh, ops.sigmoid, ops.softplus, ops.gelu, ops.elu)


def permute_units(model: Any, layer: str, order: ArrayLike | None = None, rng: Random = None) -> Array:
    """Let the units of a hidden layer change places: afterwards unit i is the one that was order[i] (8.2.2).

    model: holds a `Sequential` with the layer in it. layer: its path, as in `model.summary()`: a Linear, Maxout or
    Conv2d (whose units are its output channels). order: (units,), a permutation; default: drawn by rng. Moves the
    layer's columns and biases, the parameters and running averages of a normalization behind it, and the rows of the
    next layer, all in place; the model computes what it did before, but for rounding (a sum in another order). The
    state of an optimizer does not move. Returns the order.

    Raises ValueError, before anything has changed, if the layer has no next one (its units are the outputs) or what
    lies between is not known to leave the units apart.
    """
    units = _Units("permute_units", model, layer, homogeneous=False)
    order = random.generator(rng).permutation(units.n) if order is None else np.asarray(order)
    if order.shape != (units.n,) or not np.array_equal(np.sort(order), np.arange(units.n)):
        raise ValueError(f"permute_units: order must be a permutation of the {units.n} units of {layer!r}, "
                         f"got {np.array2string(order, threshold=8)}")
    for module in (units.layer, *units.normalizations):
        for name, array in _by_unit(module):
            array = array.reshape(*array.shape[:-1], units.n, -1)[..., order, :].reshape(array.shape)
            _assign(module, name, array)
    _assign(units.next, "w", units.outgoing()[..., order, :].reshape(units.next.w.shape))
    return order


def rescale_units(model: Any, layer: str, alpha: ArrayLike | None = None, rng: Random = None) -> Array:
    """Multiply what enters each unit of a hidden layer by alpha > 0, and what leaves it by 1/alpha (8.2.2).

    model, layer: as in `permute_units`; between it and the next layer stand only functions that are positively
    homogeneous: relu, leaky relu, maxout, pooling, dropout. Behind a normalization it is gamma and beta that alpha
    multiplies, since scaling what enters a normalization is undone there. alpha: a number or (units,); default: drawn
    by rng, log-uniform from 1/2 to 2. In place; the model computes what it did before, but for rounding (powers of 2:
    to the bit). Returns alpha, (units,). Raises ValueError, before anything has changed.
    """
    who = "rescale_units"
    units = _Units(who, model, layer, homogeneous=True)
    alpha = 2.0 ** random.generator(rng).uniform(-1, 1, units.n) if alpha is None else np.asarray(alpha)
    if alpha.shape not in ((), (units.n,)) or alpha.dtype.kind not in "fiu" or not (alpha > 0).all() \
            or not np.isfinite(alpha).all():
        raise ValueError(f"{who}: alpha must be positive, one number or one for each of the {units.n} units of "
                         f"{layer!r}, got {np.array2string(alpha, threshold=8)}")
    dtype = units.next.w.dtype
    alpha = np.broadcast_to(alpha, (units.n,)).astype(np.float64)
    with np.errstate(over="ignore"):
        outgoing = (units.outgoing() / alpha[:, None]).astype(dtype)
        incoming = [(name, (array.reshape(*array.shape[:-1], units.n, -1) * alpha[:, None]).astype(dtype))
                    for name, array in _by_unit(units.scaled) if name in ("w", "b", "gamma", "beta")]
    if not all(np.isfinite(array).all() for _, array in (*incoming, ("w", outgoing))):
        raise ValueError(f"{who}: with alpha from {alpha.min():.3g} to {alpha.max():.3g} a weight of {layer!r} would "
                         f"overflow {dtype}")
    for name, array in incoming:
        _assign(units.scaled, name, array.reshape(getattr(units.scaled, name).shape))
    _assign(units.next, "w", outgoing.reshape(units.next.w.shape))
    return alpha


class _Units:
    """The units of a hidden layer, and what in the model belongs to them.

    n: how many. layer: the module they are in; next: the one they enter; normalizations: those in between;
    scaled: the last of layer and normalizations behind which all is positively homogeneous (asked for with
    `homogeneous`): its parameters set the units' scale.
    """

    def __init__(self, who, model, path, homogeneous):
        chain, at = _chain_with(who, model, path)
        self.layer, self.normalizations, self.next = chain[at][1], [], None
        self.scaled, flattened = self.layer, False
        self._check(who, path, self.layer)
        self.n = self.layer.w.shape[-1] // getattr(self.layer, "pieces", 1)
        for other, module in chain[at + 1:]:
            if isinstance(module, nn.Linear | nn.Conv2d):
                self.next = module
                self._check(who, other, module)
                break
            if isinstance(module, NORMALIZATIONS) and np.shape(module.gamma) == (self.n,):
                self.normalizations.append(module)
                self.scaled = module
            elif not _is_one_of(module, ELEMENTWISE, ELEMENTWISE_OPS):
                raise ValueError(f"{who}: behind {path!r} stands {_name(module)} ({other!r}), which is not known to "
                                 "leave the units apart")
            elif not _is_one_of(module, HOMOGENEOUS, HOMOGENEOUS_OPS):
                self.scaled = None
            flattened = flattened or isinstance(module, nn.Flatten) or module is ops.flatten
        if self.next is None:
            raise ValueError(f"{who}: no layer follows {path!r}: its units are the outputs")
        if homogeneous and self.scaled is None:
            raise ValueError(f"{who}: between {path!r} and {other!r} stands a function f with f(alpha h) other than "
                             "alpha f(h), such as tanh; relu, leaky relu and maxout will do")
        inputs = self.next.w.shape[-2]
        if inputs != self.n and not (flattened and inputs % self.n == 0):
            raise ValueError(f"{who}: {other!r} has {inputs} inputs, {path!r} has {self.n} units")
        used = [id(p) for _, module in model.modules() for _, p in module.own_parameters()]
        for module in (self.layer, *self.normalizations, self.next):
            if any(used.count(id(p)) > 1 for _, p in module.own_parameters()) \
                    or sum(item is module for _, item in chain) > 1:
                raise ValueError(f"{who}: weights of {_name(module)} are used at two places of the model (tied)")

    def outgoing(self):
        """The next layer's w as (..., units, outputs). Flattened images have their channels (units) last."""
        w = self.next.w.data
        return w.reshape(*w.shape[:-2], -1, self.n, w.shape[-1])

    @staticmethod
    def _check(who, path, module):
        if not isinstance(module, nn.Linear | nn.Conv2d) or isinstance(module, nn.ConvTranspose2d) \
                or getattr(module, "groups", 1) != 1:
            raise ValueError(f"{who}: {path!r} must be a Linear, Maxout or Conv2d (in one group), got {_name(module)}")


def _chain_with(who, model, path):
    """The chain of (path, layer) that holds `path`, nested Sequentials opened up, and the place in it."""
    opened = set()
    for start, module in model.modules():
        if isinstance(module, nn.Sequential) and id(module) not in opened:
            chain = list(_layers_in_order(start, module, opened))
            for at, (name, _) in enumerate(chain):
                if name == path:
                    return chain, at
    layers = (repr(name) for name, module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    raise ValueError(f"{who}: there is no layer {path!r:.40} in a Sequential of the model; layers are "
                     f"{', '.join(layers)}")


def _layers_in_order(prefix, sequential, opened):
    opened.add(id(sequential))
    for i, layer in enumerate(sequential.layers):
        name = f"{prefix}.{i}" if prefix else str(i)
        if isinstance(layer, nn.Sequential):
            yield from _layers_in_order(name, layer, opened)
        else:
            yield name, layer


def _is_one_of(module, kinds, functions):
    return isinstance(module, kinds) or any(module is f for f in functions)


def _name(module):
    return module.describe() if isinstance(module, nn.Module) else getattr(module, "__name__", repr(module))


def _by_unit(module):
    """(name, array) of what a layer or normalization holds for each unit, units last."""
    for name in ("w", "b", "gamma", "beta", "running_mean", "running_var"):
        value = getattr(module, name, None)
        if value is not None:
            yield name, value.data if isinstance(value, nn.Parameter) else value


def _assign(module, name, array):
    value = getattr(module, name)
    if isinstance(value, nn.Parameter):
        value.data = array
    else:
        setattr(module, name, array)
