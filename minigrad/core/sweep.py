"""The reverse sweep: `backward` fills the leaves' gradients, `grad` returns them."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, overload

import numpy as np
from numpy import ndarray

from minigrad.core.context import no_grad, watch, watchers
from minigrad.core.graph import Node, behind, changes, freed, own
from minigrad.core.memory import met, on_kept_memory
from minigrad.core.tensor import Tensor, data_of, summed, wrap
from minigrad.typing import Array, Shape, TensorLike, X

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


def _ordered(roots, name):
    """The ops behind some nodes, newest first. Refuses a graph that was freed, or that saved a value changed since."""
    order = behind(roots, name)
    order.sort(key=_number, reverse=True)
    if order and changes.latest > order[-1].number:
        _refuse_changed(order, order[-1].number, name)
    return order


def _refuse_changed(order, oldest, name):
    """Raise for the node that saved values before they changed, if there is one: those of a leaf, or an array in a
    memory that was written since (a frozen parameter, a detached view)."""
    written = [(reference(), when) for reference, when in list(changes.arrays.values()) if when > oldest]
    found = [(node, parent.name or "a leaf") for node in order for parent in node.parents
             if parent is not None and parent.op is None and parent.changed > node.number]
    found = found or [
        (node, "a constant (a frozen parameter, a detached view)") for node in order
        for value in node.values if isinstance(value, np.ndarray) and any(
            when > node.number and array is not None and np.may_share_memory(value, array) for array, when in written)]
    if found:
        node, culprit = found[0]
        raise RuntimeError(
            f"{name}: {node.op.name} saved the value of {culprit}, which has changed since "
            "(an optimizer's step, or p.data = ...); compute the result again before the backward")


def _sweep(order, grads, targets, retain_graph, create_graph=False, places=None):
    """`_walk`, on kept memory where the graph may have large arrays."""
    if met:
        return on_kept_memory(_walk, order, grads, targets, retain_graph, create_graph, places)
    return _walk(order, grads, targets, retain_graph, create_graph, places)


def _walk(order, grads, targets, retain_graph, create_graph, places):
    """Carry the gradients of some nodes, grads, back through `order`, the ops behind them.

    grads: {node: dJ/d(its result)}, arrays, or Tensors with create_graph; used up. targets None: leaves receive their
    gradients. Else a set of nodes: returns {node: gradient}, and only the paths that lead to them are walked; places:
    {leaf: array}, where a fused backward may write the gradient of a target itself.
    """
    useful = None if targets is None else _useful(order, targets)
    found = {}
    for node in order:
        g = grads.pop(node, None)
        if g is None:
            continue
        if targets is not None and node in targets:
            found[node] = g
        if create_graph or node.op.fused is None:
            _by_rules(node, g, grads, useful, create_graph)
        else:
            _by_fused(node, g, grads, useful, places)
        if watchers and watch.get() is not None:
            watch.get()(node.op, node, [grads[parent] for parent in node.parents if parent in grads])
        if not retain_graph:
            node.parents = node.values = node.data = None
    if targets is not None:
        return found | grads              # what is left are the leaves
    g = None                              # which may be the very array that a leaf receives
    for leaf in [*grads]:
        leaf.receive([grads.pop(leaf)])


def _useful(order, targets):
    """The nodes from which a target can be reached."""
    useful = set(targets)
    for node in reversed(order):          # oldest first: a node is useful if a parent is
        for parent in node.parents or ():
            if parent in useful:
                useful.add(node)
                break
    return useful


def _by_rules(node, g, grads, useful, create_graph):
    """One step of the sweep, rule by rule: what the rule of an argument gives is added to the gradient of its node."""
    op, y, values, parents = node.op, node.data, node.values, node.parents
    if parents is None:                   # emptied first and read last: if it is there, so are y and the values
        raise freed(node, "backward")
    rules = op.rules if op.rule_for_each is None else op.rules_for(values)
    handed = (g, y, *values)
    if create_graph:
        handed = (g, wrap(y, node), *[value if parent is None else wrap(value, parent)
                                      for value, parent in zip(values, parents)])
    for i, parent in enumerate(parents):
        if parent is None or useful is not None and parent not in useful:
            continue
        rule, value = rules[i], values[i]
        if rule is None:
            raise RuntimeError(f"backward: {op.name}: argument {i} has no derivative; detach() it")
        d = rule(*handed)
        array = d._data if create_graph and d.__class__ is Tensor else d
        if array.__class__ is not ndarray or array.shape != value.shape or array.dtype is not value.dtype:
            d = _fitted(op, i, d, value)
        grads[parent] = grads[parent] + d if parent in grads else d


def _by_fused(node, g, grads, useful, places=None):
    """One step of the sweep by the op's fused backward. It may write into the leaves' own gradients in `backward`, and
    into `places`."""
    op, y, values, parents = node.op, node.data, node.values, node.parents
    if parents is None:
        raise freed(node, "backward")
    wanted, out, held = [], [], []
    try:
        for parent in parents:
            wanted.append(parent is not None and (useful is None or parent in useful))
            place = None
            if parent is not None and parent.op is None and parents.count(parent) == 1:
                if useful is not None:
                    if places is not None and parent in places:
                        array, before = places[parent], grads.get(parent)
                        if before is None or before is array:
                            place = array, before is array
                elif parent.lock.acquire(False):          # else another thread is writing there: added at the end
                    held.append(parent)
                    place = parent.destination()
            out.append(place)
        for i, d in enumerate(op.fused(g, y, wanted, out, *values)):
            if wanted[i]:
                parent = parents[i]
                if out[i] is not None and d is out[i][0]:
                    if useful is None:
                        parent.written = True
                    else:
                        grads[parent] = d
                    continue
                if d.__class__ is not ndarray or d.shape != values[i].shape or d.dtype is not values[i].dtype:
                    d = _fitted(op, i, d, values[i])
                grads[parent] = grads[parent] + d if parent in grads else d
    finally:
        for parent in held:
            parent.lock.release()


def one_step(node: Node, g: Any) -> Any:
    """What one op of a backward pass hands on: {parent: its share of the gradient}, for g = dJ/d(result), an array.

    The op's own fused backward or rules, as in `backward`; no leaf is written to, and the node is kept.
    """
    share, every = {}, set(node.parents)                 # a set: so that nothing is written into the leaves
    if node.op.fused is None:
        _by_rules(node, g, share, every, False)
    else:
        _by_fused(node, g, share, every)
    return share


def _fitted(op, i, d, value):
    """d, what a rule gave for argument i, in the shape and dtype of that argument. ValueError if it is no gradient."""
    array = d._data if d.__class__ is Tensor else d
    if not isinstance(array, ndarray | np.floating) or array.dtype.kind != "f":
        kind = f"an array of {array.dtype}" if isinstance(array, ndarray | np.generic) else type(d).__name__
        raise ValueError(f"backward: the rule of {op.name} for argument {i} must give a floating-point array of shape "
                         f"{value.shape}, got {kind}")
    if array.shape != value.shape:
        try:
            d = unbroadcast(d, value.shape)
        except ValueError:
            raise ValueError(f"backward: the rule of {op.name} gives a gradient of shape {d.shape} for argument {i} of "
                             f"shape {value.shape}") from None
    return d if array.dtype == value.dtype else d.astype(value.dtype)  # a rule computed with a float64 number


def unbroadcast(d: X, shape: Shape) -> X:
    """Sum d over the axes along which an array of `shape` was broadcast: the one place where broadcasting is undone."""
    extra = d.ndim - len(shape)
    if extra < 0 or any(n not in (1, size) for n, size in zip(shape, d.shape[extra:])):
        raise ValueError(f"backward: a gradient of shape {d.shape} for an argument of shape {shape}")
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and d.shape[i + extra] != 1)
    if axes:
        d = summed(d, axes, True) if d.__class__ is ndarray else d.sum(axis=axes, keepdims=True)
    return d.reshape(shape)


def backward(y: Tensor, g: TensorLike | None = None, retain_graph: bool = False) -> None:
    """Add dJ/dx to x.grad for every leaf x that this Tensor was computed from.

    g: dJ/dy, of the shape of y; may be left out if y is a single number, J itself.
    The graph is freed on the way (a second backward through it is an error) unless `retain_graph`.
    Raises before any gradient is touched: RuntimeError if there is no graph, if it was freed, or if a value it
    needs has changed since; ValueError if g does not fit. For derivatives of derivatives use `minigrad.grad`.
    """
    order, root, g = seeded(y, g, "backward")
    _sweep(order, {root: g}, None, retain_graph)


def seeded(y: Tensor, g: Any, name: str) -> Any:
    """What a backward pass starts from: the ops behind y, newest first, y's node, and dJ/dy as an array."""
    root = y.node
    if root is None:
        raise RuntimeError(f"{name}: this Tensor has no graph; no input of it has requires_grad=True, "
                           "or it was computed under no_grad()")
    g = data_of(_seed(y, g, name))
    return _ordered((root,), name), root, g


Tensor.backward = backward


@overload
def grad(y: Tensor, xs: Tensor, g: TensorLike | None = None, create_graph: bool = False,
         retain_graph: bool | None = None) -> Tensor: ...
@overload
def grad(y: Tensor, xs: Iterable[Tensor], g: TensorLike | None = None, create_graph: bool = False,
         retain_graph: bool | None = None) -> list[Tensor]: ...
def grad(y: Tensor, xs: Tensor | Iterable[Tensor], g: TensorLike | None = None, create_graph: bool = False,
         retain_graph: bool | None = None) -> Any:
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
    if not isinstance(y, Tensor):
        hint = "; call it first: grad(f(x), x)" if callable(y) else ""
        raise ValueError(f"grad: y must be a Tensor, got {type(y).__name__}{hint}")
    found = {}
    if y.node is not None:
        seed = _seed(y, g, "grad")
        order = _ordered((y.node,), "grad")
        if create_graph:
            with no_grad(enabled=True):
                seed = seed if isinstance(seed, Tensor) else wrap(seed, None)
                found = _sweep(order, {y.node: seed}, {x.node for x in xs}, True, True)
        else:
            seed = seed._data if isinstance(seed, Tensor) else seed
            found = _sweep(order, {y.node: seed}, {x.node for x in xs}, bool(retain_graph))
            seed = None
    last, results = {x.node: i for i, x in enumerate(xs)}, []
    for i, x in enumerate(xs):
        given = [found.pop(x.node, None) if last[x.node] == i else found.get(x.node)]
        if given[0] is None:
            results.append(wrap(np.zeros_like(x._data), None))
        else:
            results.append(given[0] if isinstance(given[0], Tensor) else wrap(own(given), None))
    return results[0] if single else results


def pullback(ys: Sequence[Tensor], gs: Sequence[Array], xs: Sequence[Tensor], out: Sequence[Array],
             retain_graph: bool = False) -> None:
    """out_i <- the sum over j of (dy_j/dx_i)' g_j: `grad` of several results at once, into arrays.

    ys: Tensors with a history. gs: arrays of their shapes, dJ/dy_j. xs: as for `grad`. out: C-contiguous arrays of the
    shapes and dtypes of xs, which overlap nothing; all of them are written (zeros where no y depends on x), a weight's
    gradient by its layer's kernel, without a copy. The graph is freed on the way unless `retain_graph`.
    """
    grads = {}
    for y, g in zip(ys, gs):
        grads[y.node] = grads[y.node] + g if y.node in grads else g
    nodes = [x.node for x in xs]
    order = _ordered(grads, "grad")
    found = _sweep(order, grads, set(nodes), retain_graph, False, dict(zip(nodes, out)))
    for node, place in zip(nodes, out):
        d = found.get(node)
        if d is not place:
            place[...] = 0 if d is None else d
