"""primitive: a NumPy function and one rule per argument make a differentiable op.

    y = f(x)                      arrays in, one array out
    rule(g, y, x)                 turns g = dJ/dy into dJ/dx (the vector-Jacobian product)

For an ordinary backward pass a rule is handed arrays and simply computes. With `create_graph=True` it is handed
Tensors, so that what it computes is recorded and can be differentiated again: derivatives of every order come from
one text.
"""
from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, overload

import numpy as np
from numpy import ndarray

from minigrad.core.context import mode, watch, watchers
from minigrad.core.graph import Node, clock
from minigrad.core.memory import LARGE, on_kept_memory
from minigrad.core.tensor import Tensor
from minigrad.typing import Array

if TYPE_CHECKING:
    from minigrad.core.declared import Binary, OfSeveral, Primitive, Unary, WithConstants

P = ParamSpec("P")
new: Any = object.__new__                 # a constructor without its checks


class Op:
    """What the engine knows of a primitive: its name, its forward function and its rules, one per argument."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.name: str = forward.__name__.strip("_")
        self.forward = forward
        parameters = inspect.signature(forward).parameters
        self.arguments: str = ", ".join(parameters)
        every = [p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values()]
        self.arity: int | None = len(every) if all(every) else None       # None: any number, def concatenate(axis, *xs)
        # one per argument (None for one that is not differentiated), or of the first ones, and one for all others
        self.rules: tuple[Any, ...] = ()
        self.rule_for_each: Callable[..., Any] | None = self.missing
        self.fused: Callable[..., Any] | None = None

    def vjps(self, *rules: Callable[..., Any] | None) -> None:
        """Set the rules, one for each argument."""
        if len(rules) != self.arity:
            raise ValueError(f"{self.name}.vjps: wanted one rule for each of {self.arguments} (None: not "
                             f"differentiated), got {len(rules)}")
        self.rules, self.rule_for_each = rules, None

    def vjps_each(self, *rules: Callable[..., Any] | None) -> None:
        """Set the rules of the first arguments, and the one that serves each of the others."""
        self.rules, self.rule_for_each = rules[:-1], rules[-1]

    def fuse(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        """Set the function that gives all gradients in one call."""
        self.fused = backward
        return backward

    def missing(self, i: int, g: Any, y: Any, *args: Any) -> Any:
        """The rule of an op that has none yet."""
        raise RuntimeError(f"backward: {self.name} has no rules yet: {self.name}.vjps(lambda g, y, {self.arguments}: "
                           "...), one for each argument")

    def rules_for(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """One rule per argument; an op of many equal arguments (concatenate) has one rule for all of them."""
        if self.rule_for_each is None:
            return self.rules
        return self.rules + tuple([functools.partial(self.rule_for_each, i)
                                   for i in range(len(args) - len(self.rules))])


OPS: dict[str, Primitive] = {}            # name -> the public function of every primitive; the tests walk it


@overload
def primitive(forward: Callable[[Array], Array]) -> Unary: ...
@overload
def primitive(forward: Callable[[Array, Array], Array]) -> Binary: ...
@overload
def primitive(forward: Callable[Concatenate[Array, P], Array]) -> WithConstants[P]: ...
@overload
def primitive(forward: Callable[..., Array]) -> OfSeveral: ...
def primitive(forward: Callable[..., Any]) -> Any:
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
    call = functools.wraps(forward)({1: _of_one, 2: _of_two}.get(op.arity, _of_any)(op))
    call.op, call.vjps, call.vjps_each, call.fused = op, op.vjps, op.vjps_each, op.fuse
    OPS[op.name] = call
    return call


def _of_any(op):
    """The function of an op: `general`, whatever the arguments are."""
    def call(*args):
        try:
            return general(op, args)
        except (ValueError, TypeError) as error:
            raise _named(op, error) from error.__cause__
    return call


def _of_one(op):
    """The same for one argument, without its loops: a small tanh takes 0.8 us instead of 1.4."""
    forward = op.forward

    def call(x):
        try:
            if not isinstance(x, Tensor):
                return forward(x)
            array, parent = x._data, x.node
            y = forward(array) if array.nbytes < LARGE else on_kept_memory(forward, array)
            return record(op, y, (array,), None if parent is None else (parent,))
        except (ValueError, TypeError) as error:
            raise _named(op, error) from error.__cause__
    return call


def _of_two(op):
    """The same for two of one dtype, for one and a number (a small product takes 0.9 us instead of 1.6 to 4.8), and for
    one and what is not differentiated: labels, an axis, a shape."""
    forward = op.forward

    def call(a, b):
        try:
            if isinstance(a, Tensor):
                array, parent = a._data, a.node
                if isinstance(b, Tensor):
                    other = b._data
                    if (parent is not None or b.node is not None) and array.dtype is other.dtype:
                        large = array.nbytes >= LARGE or other.nbytes >= LARGE
                        y = on_kept_memory(forward, array, other) if large else forward(array, other)
                        return record(op, y, (array, other), (parent, b.node))
                elif parent is not None and (b.__class__ is float or b.__class__ is int or op.rules[1:] == (None,) or (
                        b.__class__ is ndarray and b.dtype is array.dtype and b.flags.aligned)):
                    y = forward(array, b) if array.nbytes < LARGE else on_kept_memory(forward, array, b)
                    return record(op, y, (array, b), (parent, None))
            elif not isinstance(b, Tensor):
                return forward(a, b)
            elif b.node is not None and a.__class__ is ndarray and a.dtype is b._data.dtype and a.flags.aligned:
                y = forward(a, b._data) if a.nbytes < LARGE else on_kept_memory(forward, a, b._data)
                return record(op, y, (a, b._data), (None, b.node))
            return general(op, (a, b))
        except (ValueError, TypeError) as error:
            raise _named(op, error) from error.__cause__
    return call


def general(op: Op, args: Sequence[Any]) -> Any:
    """Call an op with arguments of any number and kind."""
    for a in args:
        if isinstance(a, Tensor):
            break
    else:
        return op.forward(*args)
    rules = op.rules if op.rule_for_each is None else op.rules_for(args)
    values, parents, tracked, dtype, large = [], [], False, None, False
    for a, rule in zip(args, rules):
        parent = None
        if isinstance(a, Tensor):
            parent, a = a.node, a._data
            large = large or a.nbytes >= LARGE
            tracked = tracked or parent is not None
            if rule is None or a.dtype is not (dtype or a.dtype):
                break
            dtype = a.dtype
        elif rule is not None and a.__class__ is not float and a.__class__ is not int:
            break
        values.append(a)
        parents.append(parent)
    if len(values) != len(args):          # some are not in the one dtype yet
        args = _unified(args, rules, op.name)
        values = [a._data if isinstance(a, Tensor) else a for a in args]
        parents = [a.node if isinstance(a, Tensor) else None for a in args]
        tracked = parents.count(None) < len(parents)
    y = on_kept_memory(op.forward, *values) if large and op.fused is None else op.forward(*values)
    return record(op, y, values, parents if tracked else None)


def record(op: Op, y: Any, values: Sequence[Any], parents: Sequence[Any] | None) -> Tensor:
    """The Tensor around y = op.forward(*values); with the node that remembers it if one of the parents is a node."""
    if y.__class__ is not ndarray:
        y = _number(op, y)
    result = new(Tensor)
    result._data = y
    if parents is not None and mode.get()[0]:
        result.node = node = Node.__new__(Node)
        node.op = op
        node.parents = parents
        node.values = values
        node.data = y
        node.number = next(clock)
    else:
        result.node = None
    if watchers and watch.get() is not None:
        watch.get()(op, result.node, [y])
    return result


def _number(op, y):
    """y as an array, where the function returned a number, as NumPy's do of arrays without axes."""
    if not isinstance(y, np.floating):
        array = np.asarray(y)
        if isinstance(y, list | tuple) or array.dtype.kind not in "fiub":
            raise ValueError(f"{op.name}: its function must return one array of numbers, got {type(y).__name__}")
        return array
    return np.asarray(y)


def _named(op, error):
    """An error with the op's name in front. Ours begin with a name, as "sum: ..."; NumPy's and Python's do not."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    known = type(error) is kind or type(error).__module__.startswith("numpy._core")
    if not known or re.match(r"\S+: ", str(error)):
        return error
    return kind(f"{op.name}: {error}").with_traceback(error.__traceback__)


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
                kind = type(a)
                found = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
                hint = f"; Tensor(x) makes one of a {found}" if hasattr(a, "__dlpack__") else ""
                raise ValueError(f"{name}: argument {i} must be a Tensor, an array or a number, got {found}{hint}")
            a = np.asarray(a)
            if a.dtype.kind not in "fiub":
                raise ValueError(f"{name}: argument {i} must hold numbers, got dtype {a.dtype}")
            if dtype is not None:
                a = a.astype(dtype, copy=not a.flags.aligned)
        unified.append(a)
    return unified


def gradient_array(wanted: bool, place: tuple[Array, bool] | None, like: Array) -> tuple[Array | None, bool]:
    """(array, accumulate) for a fused backward to write a gradient into: `place` if the engine gave one, else a new
    array like the argument; (None, False) if the gradient is not wanted."""
    if not wanted:
        return None, False
    return place or (np.empty(like.shape, like.dtype), False)
