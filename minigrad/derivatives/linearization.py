"""Linearization: the graph of J = loss(z(theta)) at one point, recorded once, for any number of products."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core import OPS, Tensor, behind, data_of, grad, no_grad, pullback, wrap
from minigrad.typing import Array


class Tangent:
    """<dy/dleaves, v> for any v, and how it depends on everything but v.

    y: Tensor, g: dJ/dy (a Tensor, () and 1 by default). A layer h W + b gets its direction V, c where it stands:
    <h' G, V> + <sum G, c> = <G, h V + c>, G the gradient of its output. So the gradient of W is never formed, which is
    one matrix product less. Other leaves are paired with their gradients. The sum itself is never computed.
    """

    def __init__(self, y: Tensor, leaves: Sequence[Any], g: Array | None = None) -> None:
        self.leaves, uses = leaves, consumers(y, leaves)
        self.layers: dict[Any, Any] = {}    # node of a layer -> {position of the argument: index of the leaf}
        self.others: list[Any] = []         # leaves that something else reads as well
        for k, use in enumerate(uses):
            if all((node.op.name, position) in LAYERS for node, position in use):
                for node, position in use:
                    self.layers.setdefault(node, {})[position] = k
            else:
                self.others.append(k)
        targets = [wrap(node.data, node) for node in self.layers] + [leaves[k] for k in self.others]
        self.gs: list[Tensor] = grad(y, targets, g, create_graph=True)

    def pairs(self, vs: Sequence[Any]) -> list[tuple[Any, Any]]:
        """What <dy/dleaves, v> is the sum of, as pairs whose inner products are to be taken; vs: one array per leaf,
        None for zeros. The first of a pair is a Tensor, the second a Tensor or an array."""
        found = []
        for (node, at), G in zip(self.layers.items(), self.gs):
            given = {position: vs[k] for position, k in at.items() if vs[k] is not None}
            if given:
                found.append((G, _output_for(node, given)))
        for k, g in zip(self.others, self.gs[len(self.layers):]):
            if vs[k] is not None:
                found.append((g, vs[k]))
        return found

    def derivative(self, vs: Sequence[Any], xs: Sequence[Any], out: Sequence[Array]) -> None:
        """out <- the derivative of <dy/dleaves, v> by xs: of <G, R> it is R times that of G plus G times that of R."""
        vs = [None if v is None else np.asarray(data_of(v), leaf.dtype) for v, leaf in zip(vs, self.leaves)]
        if any(v is not None and v.shape != leaf.shape for v, leaf in zip(vs, self.leaves)):
            raise ValueError(f"Linearization: wanted vectors of shapes {[leaf.shape for leaf in self.leaves]}, got "
                             f"{[v if v is None else v.shape for v in vs]}")
        with no_grad(enabled=True):
            pairs = self.pairs(vs)
        both = [*pairs, *[(b, a) for a, b in pairs]]
        moving = [(a, b) for a, b in both if isinstance(a, Tensor) and a.node is not None]
        pullback([a for a, _ in moving], [data_of(b) for _, b in moving], xs, out, retain_graph=True)


LAYERS = {("linear", 1), ("linear", 2), ("matmul", 1), ("conv2d", 1), ("conv2d_bias", 1), ("conv2d_bias", 2)}


def _output_for(node, given):
    """The layer's output for the weights and bias in `given` (position -> array), as a Tensor of its input."""
    x = node.values[0] if node.parents[0] is None else wrap(node.values[0], node.parents[0])
    if 1 not in given:
        return np.broadcast_to(given[2], node.data.shape)
    plain, rest = {"linear": ("matmul", ()), "conv2d_bias": ("conv2d", node.values[3:])}.get(
        node.op.name, (node.op.name, node.values[2:]))
    if 2 in given:
        return OPS[node.op.name](x, given[1], given[2], *rest)
    return OPS[plain](x, given[1], *rest)


def consumers(y: Tensor, leaves: Sequence[Any]) -> Sequence[Any]:
    """For each leaf, the (node, position of the argument) at which the graph of y reads it."""
    found = {leaf.node: [] for leaf in leaves}
    for node in [] if y.node is None else behind([y.node], "consumers"):
        for position, parent in enumerate(node.parents):
            if parent in found:
                found[parent].append((node, position))
    return [found[leaf.node] for leaf in leaves]


class Linearization:
    """Gradient, Hessian and Gauss-Newton products at one point.

    leaves: the Tensors to differentiate by. J: Tensor (), computed from them. z, loss: the model's output and the
    function with J = loss(z) (+ penalty), for `jvp`, `vjp`, `ggnvp`; penalty: a Tensor () of the leaves or None.
    Vectors are lists of arrays, one per leaf, None for zeros; results are arrays, without history. The first product of
    a kind records a graph (memory: that of the graph); each further one is a sweep over it, about two gradients.
    Symmetric to rounding. out: C-contiguous arrays for the result, by default new ones.
    """
    leaves: Sequence[Any]
    z: Tensor | None
    loss: Any
    penalty: Any

    def __init__(self, leaves: Sequence[Any], J: Any, z: Tensor | None = None, loss: Any = None,
                 penalty: Any = None) -> None:
        self.leaves, self.J, self.z, self.loss, self.penalty = leaves, J, z, loss, penalty
        self._recorded = {}

    def _recorded_once(self, name, make):
        if name not in self._recorded:
            with no_grad(enabled=True):
                self._recorded[name] = make()
        return self._recorded[name]

    def _derivative(self, tangent, vs, xs, out=None):
        """The derivative of <tangent, vs> with respect to xs, a list of arrays: out."""
        if any(isinstance(v, Tensor) and v.requires_grad for v in vs):
            raise ValueError("Linearization: vectors and results are arrays and have no history; detach() v, or use "
                             "derivatives.hvp, jvp and ggnvp, whose results have one")
        out = _like(xs) if out is None else out
        tangent.derivative(vs, xs, out)
        return out

    def grad(self, out: Sequence[Array] | None = None) -> Sequence[Array]:
        """The gradient of J."""
        return self._pulled_back(self.J, np.ones(self.J.shape, self.J.dtype), out)

    def _pulled_back(self, y, u, out):
        """(dy/dleaves)' u, a list of arrays: out."""
        out = _like(self.leaves) if out is None else out
        pullback([y] if y.node is not None else [], [u], self.leaves, out, retain_graph=True)
        return out

    def hvp(self, vs: Sequence[Any], k: int | None = None, out: Sequence[Array] | None = None) -> Sequence[Array]:
        """H v; only its k-th part if k is given."""
        tangent = self._recorded_once("J", lambda: Tangent(self.J, self.leaves))
        return self._derivative(tangent, vs, self.leaves if k is None else [self.leaves[k]], out)

    # ---- through the output

    def _output_tangent(self):
        """(u, <J' u, .>), linear in u; J = dz/dtheta."""
        u = Tensor(np.zeros(self.z.shape, self.z.dtype), requires_grad=True)
        return u, Tangent(self.z, self.leaves, u)

    def jvp(self, vs: Sequence[Any]) -> Array:
        """(dz/dtheta) v, an array of the shape of z."""
        u, tangent = self._recorded_once("z", self._output_tangent)
        return self._derivative(tangent, vs, [u])[0]

    def vjp(self, u: Any, out: Sequence[Array] | None = None) -> Sequence[Array]:
        """(dz/dtheta)' u, for u of the shape of z."""
        u = np.asarray(data_of(u), self.z.dtype)
        if u.shape != self.z.shape:
            raise ValueError(f"Linearization.vjp: u must have the shape of z, {self.z.shape}, got {u.shape}")
        return self._pulled_back(self.z, u, out)

    def _loss_tangent(self):
        """(z, <dL/dz, .>) on a graph of its own that begins at z."""
        z = Tensor(self.z.data, requires_grad=True)
        return z, Tangent(self.loss(z), [z])

    def loss_hvp(self, w: Any) -> Array:
        """H_L w, H_L the Hessian of the loss with respect to the output. w, result: the shape of z."""
        z, tangent = self._recorded_once("loss", self._loss_tangent)
        return self._derivative(tangent, [w], [z])[0]

    def ggnvp(self, vs: Sequence[Any], out: Sequence[Array] | None = None) -> Sequence[Array]:
        """G v = J' H_L J v, plus the Hessian of the penalty times v."""
        Gv = self.vjp(self.loss_hvp(self.jvp(vs)), out)
        if self.penalty is not None:
            tangent = self._recorded_once("penalty", lambda: Tangent(self.penalty, self.leaves))
            for part, more in zip(Gv, self._derivative(tangent, vs, self.leaves)):
                part += more
        return Gv


def _like(xs):
    """New arrays of the shapes and dtypes of Tensors, for a result."""
    return [np.empty(x.shape, x.dtype) for x in xs]
