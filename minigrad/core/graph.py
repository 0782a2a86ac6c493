"""What is remembered of a computation: nodes and leaves.

The graph lives between nodes. A node knows its op, its arguments and its output array, never the output Tensor, so
there are no reference cycles; its creation number is its place in topological order, so nothing is recursive.
"""
from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
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


class Leaf:
    """Where the graph begins: a Tensor that wants a gradient. `changed` is the time its values were last replaced.

    lock: held by whoever writes the gradient, so that threads which share a model may call backward together. (It can
    be taken again by the thread that has it: Ctrl-C at the wrong moment does not stop that thread's next backward.)
    """
    __slots__ = ("grad", "number", "changed", "name", "lock")
    op: ClassVar[None] = None
    parents: ClassVar[tuple[()]] = ()

    def __init__(self, name: str | None = None) -> None:
        self.grad: Array | None = None
        self.number: int = next(clock)
        self.changed: int = 0
        self.name: str | None = name
        self.lock: Any = RLock()

    def receive(self, g: Array) -> None:
        """Add g to the gradient (the first one is copied: a leaf never shares its gradient with anything)."""
        self.lock.acquire()               # `with` takes three times as long
        try:
            if self.grad is None:
                self.grad = np.array(g)
            else:
                self.grad += g
        finally:
            self.lock.release()

    def destination(self) -> tuple[Array, bool] | None:
        """(array, accumulate) if a fused backward may write the gradient there itself, else None. Asked, and written
        to, by the holder of the lock."""
        return None

    def touch(self) -> None:
        """Values have changed: graphs recorded before may no longer be used."""
        self.changed = changes.latest = next(clock)


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
