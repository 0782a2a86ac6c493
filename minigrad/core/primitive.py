"""primitive: a NumPy function and one rule per argument make a differentiable op.

    y = f(x)                      arrays in, one array out
    rule(g, y, x)                 turns g = dJ/dy into dJ/dx (the vector-Jacobian product)

For an ordinary backward pass a rule is handed arrays and simply computes. With `create_graph=True` it is handed
Tensors, so that what it computes is recorded and can be differentiated again: derivatives of every order come from
one text.
"""
import functools
import inspect
from operator import attrgetter

import numpy as np
from numpy import ndarray

from minigrad.core.graph import Node, clock, mode, watchers
from minigrad.core.tensor import Tensor

new = object.__new__                      # a constructor without its checks


class Op:
    """What the engine knows of a primitive: its name, its forward function and its rules, one per argument."""

    def __init__(self, forward):
        self.name = forward.__name__.strip("_")
        self.forward = forward
        self.rules = ()                   # one per argument; None for one that is not differentiated
        self.rule_for_each = self.missing # or: `rules` of the first arguments, and one for each of the others
        self.fused = None

    def missing(self, i, g, y, *args):
        """The rule of an op that has none yet."""
        names = ", ".join(inspect.signature(self.forward).parameters)
        raise RuntimeError(f"backward: {self.name} has no rules yet: {self.name}.vjps(lambda g, y, {names}: ...), "
                           "one for each argument")

    def rules_for(self, args):
        """One rule per argument; an op of many equal arguments (concatenate) has one rule for all of them."""
        if self.rule_for_each is None:
            return self.rules
        return self.rules + tuple([functools.partial(self.rule_for_each, i)
                                   for i in range(len(args) - len(self.rules))])


OPS = {}                                  # name -> the public function of every primitive; the tests walk it


def primitive(forward):
    """Decorator: make a NumPy function differentiable.

        @primitive
        def tanh(x):
            return np.tanh(x)

        tanh.vjps(lambda g, y, x: g * (1 - y * y))

    `vjps` takes one rule(g, y, *args) per argument, None for arguments that are not differentiated (an axis, a mask).
    A rule may use operators, methods of arrays and other primitives: it is handed arrays, or Tensors when derivatives
    are themselves recorded. The engine undoes broadcasting: a rule for an argument that was broadcast need not sum.
    `vjps_each(*rules, rule)`: after the fixed arguments, rule(i, g, y, *args) serves the i-th of any number of others.
    `fused(backward)`: for arrays only, all gradients in one call, backward(g, y, wanted, out, *args) -> list, where
    out[i] is None or (array, accumulate), a place in the flat gradient that it may write to; see `linear`.

    Called with arrays only, the result is an array: then `tanh` is `np.tanh`.
    """
    op = Op(forward)
    parameters = inspect.signature(forward).parameters
    arity = len(parameters) if all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values()) else None

    def record(y, values, parents, tracked):
        """The Tensor around y = forward(*values), with its node if it is tracked (a parent is not None)."""
        if y.__class__ is not ndarray:
            y = np.asarray(y)
        result = new(Tensor)
        result._data = y
        if tracked and mode.recording:
            result.node = node = new(Node)
            node.op = op
            node.parents = parents
            node.values = values
            node.data = y
            node.number = next(clock)
        else:
            result.node = None
        if watchers and mode.watch is not None:
            mode.watch(op, result.node, [y])
        return result

    def general(*args):
        """Any number of arguments of any kind."""
        for a in args:
            if isinstance(a, Tensor):
                break
        else:
            return forward(*args)
        rules = op.rules if op.rule_for_each is None else op.rules_for(args)
        values, parents, tracked, dtype = [], [], False, None
        for a, rule in zip(args, rules):
            parent = None
            if isinstance(a, Tensor):
                parent, a = a.node, a._data
                tracked = tracked or parent is not None
                if rule is None or a.dtype is not (dtype or a.dtype):
                    break
                dtype = a.dtype
            elif rule is not None and a.__class__ is not float and a.__class__ is not int:
                break
            values.append(a)
            parents.append(parent)
        else:
            if len(values) == len(args):
                return record(forward(*values), values, parents, tracked)
        args = _unified(args, rules, op.name)
        values = [a._data if isinstance(a, Tensor) else a for a in args]
        parents = [a.node if isinstance(a, Tensor) else None for a in args]
        return record(forward(*values), values, parents, parents.count(None) < len(parents))

    def unary(x):
        if isinstance(x, Tensor) and x.node is not None:
            values = x._data,
            return record(forward(*values), values, (x.node,), True)
        return general(x)

    def binary(a, b):
        if isinstance(a, Tensor):
            parent = a.node
            if isinstance(b, Tensor):
                values = a._data, b._data
                parents = parent, b.node
                if (parent is not None or b.node is not None) and values[0].dtype is values[1].dtype:
                    return record(forward(*values), values, parents, True)
            elif parent is not None and (b.__class__ is float or b.__class__ is int or (
                    b.__class__ is ndarray and b.dtype is a._data.dtype and b.flags.aligned)):
                values = a._data, b
                return record(forward(*values), values, (parent, None), True)
        elif isinstance(b, Tensor) and b.node is not None and (
                a.__class__ is ndarray and a.dtype is b._data.dtype and a.flags.aligned):
            values = a, b._data
            return record(forward(*values), values, (None, b.node), True)
        return general(a, b)

    call = functools.wraps(forward)(unary if arity == 1 else binary if arity == 2 else general)

    def vjps(*rules):
        if len(rules) != arity:
            raise ValueError(f"{op.name}.vjps: wanted one rule for each of {', '.join(parameters)} (None: not "
                             f"differentiated), got {len(rules)}")
        op.rules, op.rule_for_each = rules, None

    def vjps_each(*rules):
        op.rules, op.rule_for_each = rules[:-1], rules[-1]

    def fused(backward):
        op.fused = backward
        return backward

    call.vjps, call.vjps_each, call.fused, call.op = vjps, vjps_each, fused, op
    OPS[op.name] = call
    return call


def _unified(args, rules, name):
    """The arguments of an op, the differentiable ones in the one dtype that they share from here on.

    That is the widest of the floating-point Tensors and arrays: a narrower Tensor is converted, and its gradient back.
    Numbers never widen it (np.float64(2) and 0-d arrays count as numbers); integers, booleans and lists take it.
    """
    if len(args) != len(rules):
        raise TypeError(f"{name}: wanted {len(rules)} arguments, got {len(args)}")
    floats = [a.dtype for a, rule in zip(args, rules) if rule is not None and isinstance(a, Tensor | ndarray)
              and a.dtype.kind == "f" and (a.ndim > 0 or isinstance(a, Tensor))]
    dtype = max(floats, key=attrgetter("itemsize")).newbyteorder("=") if floats else None
    unified = []
    for i, (a, rule) in enumerate(zip(args, rules)):
        if rule is None:
            if isinstance(a, Tensor):
                if a.node is not None:
                    raise ValueError(f"{name}: argument {i} has no derivative; detach() it")
                a = a._data
        elif isinstance(a, Tensor):
            if dtype is not None and a.dtype != dtype:      # without a dtype: integers among themselves, plain NumPy
                a = a.astype(dtype)
        elif a.__class__ is not float and a.__class__ is not int:
            if not isinstance(a, ndarray | np.generic | list | tuple | bool):
                raise ValueError(f"{name}: argument {i} must be a Tensor, an array or a number, got {type(a).__name__}")
            a = np.asarray(a)
            if a.dtype.kind not in "fiub":
                raise ValueError(f"{name}: argument {i} must hold numbers, got dtype {a.dtype}")
            if dtype is not None:
                a = a.astype(dtype, copy=not a.flags.aligned)
        unified.append(a)
    return unified


def gradient_array(wanted, place, like):
    """(array, accumulate) for a fused backward to write a gradient into: `place` if the engine gave one, else a new
    array like the argument; (None, False) if the gradient is not wanted."""
    if not wanted:
        return None, False
    return place or (np.empty(like.shape, like.dtype), False)
