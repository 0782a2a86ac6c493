"""Gradients example by example, from one backward pass: a layer's weights receive h_i' d_i from example i.

Where a parameter meets the examples (linear, matmul, conv2d, or broadcast by +, -, *, /), its gradient is a sum over
the examples of what went in times the gradient of what came out. The terms of that sum are the examples' own
gradients, as long as the output for one example depends on no other.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core import Tensor, grad, no_grad, wrap
from minigrad.derivatives.linearization import consumers
from minigrad.typing import Array


class ByExample:
    """(dz_i/dleaf)' u_i for every example i, z = f(x) (m, ...) and u of its shape.

    z: Tensor, recorded from the leaves. alone(i) -> f of example i alone, (1, ...).
    Three ways, the first that is right: shares of one backward pass (checked against the last example alone); a
    loop over the examples; and, where f couples them (batch norm in training) or draws random numbers (dropout), one
    sweep per example over the graph of the whole batch: then "example i" means "through the outputs of example i".
    """
    z: Tensor
    leaves: Sequence[Any]
    u: Any
    alone: Any

    def __init__(self, z: Tensor, leaves: Sequence[Any], u: Any, alone: Any) -> None:
        self.z, self.leaves, self.u, self.alone = z, leaves, u, alone
        self.m: int = len(z.data)
        self.parts: Sequence[Any] | None = None
        last = self._alone(self.m - 1)
        self.coupled: bool = last is None
        if not self.coupled:
            self.parts = example_parts(z, leaves, u, self.m)
            if self.parts is not None:
                shares = [row[0] for row in self.rows(self.m - 1, self.m)]
                if not all(_equal_to_rounding(a, b.data) for a, b in zip(shares, grad(last, leaves, u[-1:]))):
                    self.parts = None

    def _alone(self, i):
        """f of example i by itself; None where f gave something else for it within the batch."""
        try:
            with no_grad(enabled=True):
                z = self.alone(i)
        except ValueError:                    # batch norm refuses a batch of one
            return None
        return z if z.shape[1:] == self.z.shape[1:] and _equal_to_rounding(z.data, self.z.data[i:i + 1]) else None

    def rows(self, start: int, stop: int, out: list[Array] | None = None) -> list[Array]:
        """For examples start to stop, one array (stop - start, *leaf.shape) per leaf; written into `out` if given."""
        if out is None:
            out = [np.empty((stop - start, *leaf.shape), leaf.dtype) for leaf in self.leaves]
        if self.parts is not None:
            for into, parts in zip(out, self.parts):
                _sum(parts, start, stop, into)
            return out
        for i in range(start, stop):
            if self.coupled:
                u = np.zeros_like(self.u)
                u[i] = self.u[i]
                gs = grad(self.z, self.leaves, u, retain_graph=True)
            else:
                with no_grad(enabled=True):
                    z = self.alone(i)
                gs = grad(z, self.leaves, self.u[i:i + 1])
            for into, g in zip(out, gs):
                into[i - start] = g.data
        return out

    def squares(self, block: int = 32) -> Any:
        """The sum over all examples of the squares, one array per leaf, without holding m gradients."""
        fast = [parts[0].squares() if len(parts) == 1 and isinstance(parts[0], Outer) else None
                for parts in self.parts or [[] for _ in self.leaves]]
        slow = [k for k, square in enumerate(fast) if square is None]
        totals = [np.zeros_like(leaf.data) if square is None else square for leaf, square in zip(self.leaves, fast)]
        if self.parts is not None:
            for k in slow:
                for start in range(0, self.m, block):
                    stop = min(start + block, self.m)
                    rows = np.empty((stop - start, *self.leaves[k].shape), self.leaves[k].dtype)
                    totals[k] += np.square(_sum(self.parts[k], start, stop, rows)).sum(axis=0)
        else:
            for start in range(0, self.m, block):
                for total, rows in zip(totals, self.rows(start, min(start + block, self.m))):
                    total += np.square(rows).sum(axis=0)
        return totals


def _sum(parts, start, stop, into):
    """into <- the sum of the shares of examples start to stop; zeros if there is no part."""
    if not parts:
        into[...] = 0
    for k, part in enumerate(parts):
        if k == 0 and isinstance(part, Outer):
            part.write(start, stop, into)
        elif k == 0:
            into[...] = part(start, stop)
        else:
            into += part(start, stop)
    return into


def _equal_to_rounding(a, b):
    """Equal up to rounding, in norm."""
    tolerance = 1e-4 if a.dtype == np.float32 else 1e-9
    return np.linalg.norm((a - b).ravel()) <= tolerance * (np.linalg.norm(a.ravel()) + np.linalg.norm(b.ravel()))


# ------------------------------------------------------------------------------------------------- shares of one sweep

def example_parts(z: Tensor, leaves: Sequence[Any], u: Any, m: int) -> Sequence[Any]:
    """For each leaf a list of functions f(start, stop) -> (stop - start, *leaf.shape): the examples' shares of the
    gradient of <u, z>, one function for each place where the leaf is used. None if an op there is not understood.

    z: Tensor (m, ...), with the examples along axis 0 of everything between. The graph is kept.
    """
    uses = consumers(z, leaves)
    nodes = list(dict.fromkeys(node for use in uses for node, _ in use))
    d = dict(zip(nodes, grad(z, [wrap(node.data, node) for node in nodes], u, retain_graph=True)))
    parts = []
    for leaf, use in zip(leaves, uses):
        parts.append([_share_of_use(node, position, d[node].data, leaf, m)
                      or _share_through(z, node, position, u, leaf, m) for node, position in use])
        if None in parts[-1]:
            return None
        outer = [part for part in parts[-1] if isinstance(part, Outer)]
        if len(outer) > 1:                                  # a layer that is used at every step of a sequence
            parts[-1] = [Outer(np.concatenate([part.h for part in outer], axis=1),
                               np.concatenate([part.d for part in outer], axis=1)),
                         *(part for part in parts[-1] if not isinstance(part, Outer))]
    return parts


def _share_of_use(node, position, d, leaf, m):
    """One use of a leaf, d = dJ/d(the op's output): how an example's share is computed; None if not understood."""
    name, values = node.op.name, node.values
    if (name, position) in (("linear", 1), ("matmul", 1)) and leaf.ndim == 2:
        h, d = _by_example(values[0], m), _by_example(d, m)
        return Outer(h, d) if h is not None and d is not None else None
    if name in ("conv2d", "conv2d_bias") and position == 1 and len(d) == m:
        return lambda start, stop: _rule_by_example(node, position, d, start, stop)
    if (name, position) in (("linear", 2), ("conv2d_bias", 2), ("layer_norm", 1), ("layer_norm", 2)) or name in \
            ("add", "subtract", "multiply", "divide"):
        terms = node.op.rules[position](d, node.data, *values)
        broadcast = terms.ndim > leaf.ndim and terms.shape[terms.ndim - leaf.ndim:] == leaf.shape
        if broadcast and terms.size % (m * max(leaf.size, 1)) == 0:
            terms = terms.reshape(m, -1, *leaf.shape)
            return lambda start, stop: terms[start:stop].sum(axis=1)
    return None


def _share_through(z, node, position, u, leaf, m):
    """One use of a leaf by an op that knows no examples yet, as gamma / sigma in batch norm at test time: the share of
    what the op makes of it, through the op's rule; None if not understood."""
    if node.data.size != leaf.size or node is z.node:
        return None
    parts = example_parts(z, [wrap(node.data, node)], u, m)
    rule, values = node.op.rules[position], node.values
    if parts is None or np.shape(rule(node.data, node.data, *values)) != leaf.shape:
        return None

    def share(start, stop):
        rows = _sum(parts[0], start, stop, np.empty((stop - start, *node.data.shape), node.data.dtype))
        return np.stack([rule(row, node.data, *values) for row in rows])
    return share


def _by_example(a, m):
    """(..., k) -> (m, rows of one example, k), None if the rows cannot be shared out among m examples."""
    rows = math.prod(a.shape[:-1])
    return a.reshape(m, rows // m, a.shape[-1]) if rows % m == 0 else None


class Outer:
    """h (m, r, inputs), d (m, r, outputs) -> for each example the sum over r of h_r' d_r, (inputs, outputs)."""
    h: Array
    d: Array

    def __init__(self, h: Array, d: Array) -> None:
        self.h, self.d = h, d

    def __call__(self, start: int, stop: int) -> Array:
        return np.matmul(self.h[start:stop].swapaxes(1, 2), self.d[start:stop])

    def write(self, start: int, stop: int, into: Array) -> None:
        """into <- the matrices, (stop - start, inputs, outputs)."""
        if self.h.shape[1] == 1:                            # one product of two numbers each: as fast as memory is
            np.multiply(self.h[start:stop, 0, :, None], self.d[start:stop], out=into)
        else:
            np.matmul(self.h[start:stop].swapaxes(1, 2), self.d[start:stop], out=into)

    def squares(self) -> Any:
        """The sum over the examples of the squares, (h*h)' (d*d) if r = 1; else None."""
        if self.h.shape[1] != 1:
            return None
        return np.square(self.h[:, 0]).T @ np.square(self.d[:, 0])


def _rule_by_example(node, position, d, start, stop):
    """The op's own rule, one example at a time."""
    rule, values = node.op.rules[position], node.values
    return np.stack([rule(d[i:i + 1], node.data[i:i + 1], values[0][i:i + 1], *values[1:])
                     for i in range(start, stop)])
