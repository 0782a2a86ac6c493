"""What is remembered of a computation: nodes and leaves.

The graph lives between nodes. A node knows its op, its arguments and its output array, never the output Tensor, so
there are no reference cycles; its creation number is its place in topological order, so nothing is recursive.
"""
from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from sys import getrefcount
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minigrad.typing import Array

if TYPE_CHECKING:
    from minigrad.core.primitive import Op

clock: Iterator[int] = itertools.count(1)  # creation numbers of nodes, and the times at which leaves change


class Node:
    """One call of an op: `data` is the array it returned, `values` what it was called with (arrays and constants),
    `parents` the node behind each argument (None for a constant). `backward` empties the node."""
    __slots__ = ("op", "parents", "values", "data", "number")
    op: Op
    parents: Sequence[Node | Leaf | None] | None
    values: Sequence[Any] | None
    data: Array | None
    number: int


class Guarded:
    """What threads share, with a lock for it. (It can be taken again by the thread that has it: Ctrl-C at the wrong
    moment does not stop that thread's next backward.)"""
    __slots__ = ("lock", "__weakref__")

    def __init__(self) -> None:
        self.lock: Any = RLock()
        _guarded.add(self)


_guarded: weakref.WeakSet[Guarded] = weakref.WeakSet()


def _renew_locks():
    """In the child of a fork nobody is left who could release what another thread has locked."""
    for one in list(_guarded):
        if one.lock.acquire(False):
            one.lock.release()
        else:
            one.lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class Leaf(Guarded):
    """Where the graph begins: a Tensor that wants a gradient. `changed` is the time its values were last replaced.

    lock: held by whoever writes the gradient, so that threads which share a model may call backward together.
    """
    __slots__ = ("grad", "number", "changed", "name")
    op: ClassVar[None] = None
    parents: ClassVar[tuple[()]] = ()

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.grad: Array | None = None
        self.number: int = next(clock)
        self.changed: int = 0
        self.name: str | None = name

    def receive(self, given: list[Array]) -> None:
        """Add the array in a list of one, which is emptied, to the gradient. The first one becomes the gradient if
        nobody else holds it, and is copied if somebody does: a leaf never shares its gradient with anything."""
        self.lock.acquire()               # `with` takes three times as long
        try:
            if self.grad is None:
                self.grad = own(given)
            else:
                self.grad += given.pop()
        finally:
            self.lock.release()

    def destination(self) -> tuple[Array, bool] | None:
        """(array, accumulate) if a fused backward may write the gradient there itself, else None. Asked, and written
        to, by the holder of the lock."""
        return None

    def touch(self) -> None:
        """Values have changed: graphs recorded before may no longer be used."""
        self.changed = changes.latest = next(clock)


def own(given: list[Array]) -> Array:
    """The array in a list of one, taken out of it: itself if nobody else holds it, else a copy.

    Nobody: its references are counted. A name, a container, a closure that has it is one, and so is a view of it.
    """
    array = given.pop()
    if getrefcount(array) <= _alone and array.flags.writeable and (
            array.base is None or getattr(array.base, "one_array", False)):      # memory of its own, or a block of ours
        return array
    return np.array(array)


for _alone in range(1, 9):                # how many references `own` itself makes, as text and compiled
    _given = [np.zeros(1)]
    _array = weakref.ref(_given[0])
    _result = own(_given)
    if _array() is _result:
        break
else:
    _alone = 0                            # not to be found out: always a copy
del _given, _array, _result


class _Changes:
    """Which values were replaced after they might have been saved. `latest` is the time of the last change at all;
    `arrays` are those written in place, of which a constant of a graph (a frozen parameter, a view) may be a part."""

    def __init__(self) -> None:
        self.latest: int = 0
        self.arrays: dict[int, list[Any]] = {}  # id -> [weak reference, time of the last change]

    def wrote(self, array: Array) -> None:
        """`array` was written in place."""
        self.latest = now = next(clock)
        entry, key = self.arrays.get(id(array)), id(array)
        if entry is None:
            self.arrays[key] = [weakref.ref(array, lambda _: self.arrays.pop(key, None)), now]
        else:
            entry[1] = now


changes: _Changes = _Changes()


def behind(roots: Iterable[Node | Leaf], name: str) -> list[Node]:
    """The ops behind some nodes, these among them, each once, in the order in which they are met; the leaves are not.

    Raises RuntimeError if a backward has emptied one of them. name: of the function that asks, for the message.
    """
    seen = set(roots)
    nodes = [node for node in seen if node.op is not None]
    for node in nodes:                    # grows while it is read
        parents = node.parents
        if parents is None:
            raise freed(node, name)
        for parent in parents:
            if parent is not None and parent.op is not None and parent not in seen:
                seen.add(parent)
                nodes.append(parent)
    return nodes


def freed(node: Node, name: str) -> RuntimeError:
    """The error for a node that a backward has emptied."""
    return RuntimeError(f"{name}: the graph behind {node.op.name} was freed by an earlier backward; compute the result "
                        "again, or pass retain_graph=True the first time")
