"""The reverse sweep: `backward` fills the leaves' gradients, `grad` returns them."""
import math
from operator import attrgetter

import numpy as np

from minigrad.core.graph import changes, mode, no_grad, watchers
from minigrad.core.tensor import Tensor, data_of, wrap

_number = attrgetter("number")


def _seed(y, g, name):
    """dJ/dy to start from, an array in y's dtype: 1 if y is a single number."""
    if g is None:
        if y._data.size != 1:
            raise ValueError(f"{name}: the Tensor has shape {y.shape}, not a single number; "
                             "pass g = dJ/d(Tensor), or reduce it with sum() or mean()")
        one = np.empty(y._data.shape, y._data.dtype)
        one.fill(1)
        return one
    values = g._data if isinstance(g, Tensor) else np.asarray(g)
    if values.shape != y._data.shape:
        raise ValueError(f"{name}: g must have the shape of the Tensor, {y.shape}, got {values.shape}")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name}: g must hold numbers, got dtype {values.dtype}")
    if isinstance(g, Tensor) and g.node is not None:
        return g.astype(y.dtype)          # g itself if it has that dtype; its history is kept
    return values.astype(y.dtype, copy=False)


def _reachable(root, name):
    """All nodes behind root, newest first. Refuses a graph that was freed, or that saved a value changed since."""
    seen = {root}
    order = [root]
    for node in order:                    # grows while it is read
        parents = node.parents
        if parents is None:
            raise RuntimeError(f"{name}: the graph behind {node.op.name} was freed by an earlier backward; "
                               "compute the result again, or pass retain_graph=True the first time")
        for parent in parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                order.append(parent)
    order.sort(key=_number, reverse=True)
    oldest = len(order) - 1               # the oldest node that is no leaf
    while oldest and order[oldest].op is None:
        oldest -= 1
    if changes.latest > order[oldest].number:
        _refuse_changed(order, order[oldest].number, name)
    return order


def _refuse_changed(order, oldest, name):
    """Raise for the node that saved values before they changed, if there is one: those of a leaf, or an array in a
    memory that was written since (a frozen parameter, a detached view)."""
    written = [(reference(), when) for reference, when in list(changes.arrays.values()) if when > oldest]
    found = [(node, parent.name or "a leaf") for node in order for parent in node.parents
             if parent is not None and parent.op is None and parent.changed > node.number]
    found = found or [
        (node, "a constant (a frozen parameter, a detached view)") for node in order if node.op is not None
        for value in node.values if isinstance(value, np.ndarray) and any(
            when > node.number and array is not None and np.may_share_memory(value, array) for array, when in written)]
    if found:
        node, culprit = found[0]
        raise RuntimeError(
            f"{name}: {node.op.name} saved the value of {culprit}, which has changed since "
            "(an optimizer's step, or p.data = ...); compute the result again before the backward")


def _sweep(order, root, g, targets, retain_graph=False, create_graph=False):
    """Carry g = dJ/d(root) back through `order`.

    g: an array, or a Tensor with create_graph. targets None: leaves receive their gradients. Else a set of nodes:
    returns {node: gradient}, and only the paths that lead to them are walked.
    """
    if targets is not None:
        useful = set(targets)
        for node in reversed(order):      # oldest first: a node is useful if a parent is
            for parent in node.parents:
                if parent in useful:
                    useful.add(node)
                    break
    found = {}
    grads = {root: g}
    for node in order:
        g = grads.pop(node, None)
        if g is None:
            continue
        if targets is not None and node in targets:
            found[node] = g
        op = node.op
        if op is None:
            if targets is None:
                node.receive(g)
            continue
        parents, values, y = node.parents, node.values, node.data
        if targets is not None:
            parents = [parent if parent in useful else None for parent in parents]
        if create_graph:
            values = [v if parent is None else wrap(v, parent) for v, parent in zip(values, node.parents)]
            y = wrap(y, node)

        if op.fused is not None and not create_graph:
            _fused(op, g, y, values, parents, grads, targets is None)
        else:
            rules = op.rules if op.rule_for_each is None else op.rules_for(values)
            for i, parent in enumerate(parents):
                if parent is None:
                    continue
                rule = rules[i]
                if rule is None:
                    raise RuntimeError(f"backward: {op.name}: argument {i} has no derivative; detach() it")
                d, value = rule(g, y, *values), values[i]
                if d.shape != value.shape:
                    d = unbroadcast(d, value.shape)
                if d.dtype is not value.dtype and d.dtype != value.dtype:
                    d = d.astype(value.dtype)            # a rule computed with a float64 number
                grads[parent] = grads[parent] + d if parent in grads else d
        if watchers and mode.watch is not None:
            mode.watch(op, node, [grads[parent] for parent in parents if parent in grads])
        if not retain_graph:
            node.parents = node.values = node.data = None
    return found


def _fused(op, g, y, values, parents, grads, into_leaves):
    """One step of the sweep by the op's fused backward, which may write into the leaves' own gradients."""
    wanted, out = [], []
    for parent in parents:
        wanted.append(parent is not None)
        out.append(parent.destination() if into_leaves and parent is not None and parent.op is None
                   and parents.count(parent) == 1 else None)
    for parent, place, d in zip(parents, out, op.fused(g, y, wanted, out, *values)):
        if parent is not None:
            if place is not None and d is place[0]:
                parent.written = True
            else:
                grads[parent] = grads[parent] + d if parent in grads else d


def unbroadcast(d, shape):
    """Sum d over the axes along which an array of `shape` was broadcast: the one place where broadcasting is undone."""
    extra = d.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and d.shape[i + extra] != 1)
    if axes:
        d = d.sum(axis=axes, keepdims=True)
    if d.size != math.prod(shape):
        raise ValueError(f"backward: a rule gives a gradient of shape {d.shape} for an argument of shape {shape}")
    return d.reshape(shape)


def backward(y, g=None, retain_graph=False):
    """Add dJ/dx to x.grad for every leaf x that this Tensor was computed from.

    g: dJ/dy, of the shape of y; may be left out if y is a single number, J itself.
    The graph is freed on the way (a second backward through it is an error) unless `retain_graph`.
    Raises before any gradient is touched: RuntimeError if there is no graph, if it was freed, or if a value it
    needs has changed since; ValueError if g does not fit. For derivatives of derivatives use `minigrad.grad`.
    """
    root = y.node
    if root is None:
        raise RuntimeError("backward: this Tensor has no graph; no input of it has requires_grad=True, "
                           "or it was computed under no_grad()")
    g = data_of(_seed(y, g, "backward"))
    order = _reachable(root, "backward")
    _sweep(order, root, g, None, retain_graph)


Tensor.backward = backward


def grad(y, xs, g=None, create_graph=False, retain_graph=None):
    """dJ/dx for every x in xs, where dJ/dy = g (1 if y is a single number). Touches no `.grad`.

    y: Tensor. xs: a Tensor or a sequence of them, leaves or results on the way to y. g: of y's shape.
    create_graph: record the computation, so that the result can be differentiated again. Else the graph is freed,
    unless `retain_graph`. Returns Tensors of the shapes of xs (one, or a list); zeros where y does not depend on x.
    """
    single = isinstance(xs, Tensor)
    xs = [xs] if single else list(xs)
    for x in xs:
        if not isinstance(x, Tensor) or x.node is None:
            raise ValueError(f"grad: every x must be a Tensor with requires_grad=True, got {x!r:.60}")
    results = [None] * len(xs)
    if not isinstance(y, Tensor):
        raise ValueError(f"grad: y must be a Tensor, got {type(y).__name__}")
    if y.node is not None:
        seed = _seed(y, g, "grad")
        order = _reachable(y.node, "grad")
        if create_graph:
            with no_grad(enabled=True):
                seed = seed if isinstance(seed, Tensor) else wrap(seed, None)
                found = _sweep(order, y.node, seed, {x.node for x in xs}, True, True)
        else:
            seed = seed._data if isinstance(seed, Tensor) else seed
            found = _sweep(order, y.node, seed, {x.node for x in xs}, bool(retain_graph))
        results = [found.get(x.node) for x in xs]
    for i, (x, d) in enumerate(zip(xs, results)):
        if d is None:
            d = np.zeros_like(x._data)
        results[i] = d if isinstance(d, Tensor) else wrap(np.array(d), None)
    return results[0] if single else results
