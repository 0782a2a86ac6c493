"""detect_anomaly: which op first made a NaN or an infinity, and which line of your program called it."""
from __future__ import annotations

import linecache
import os
import sys
import zlib
from contextvars import ContextVar
from typing import Any, Self

import numpy as np

from minigrad.arguments import flag
from minigrad.core import Leaf, Tensor, contiguous, watch, watchers
from minigrad.optim.optimizer import NonFiniteError

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
REMEMBERED = 200_000                      # calls whose line and sums are kept; the oldest are forgotten
_entered = ContextVar("entered", default=())          # for every block that is open: what it goes back to


class detect_anomaly:
    """Inside, every op and every gradient is checked, in this thread or asyncio task. A step takes three times as long.

        with minigrad.detect_anomaly():
            loss = cross_entropy(model(x), y)
            loss.backward()

    Raises NonFiniteError where a NaN or an infinity first comes out of an op, forward or backward; the message names
    the op, the line that called it, and whether the value came in or was made there. infinities=False lets infinities
    pass (a logit of -inf as a mask) and looks for NaN only.
    Raises RuntimeError in the backward pass if an array that an op saved has been written to since, by whatever means
    (the engine itself only notices changes made through minigrad).
    Nestable; restored after exceptions. NumPy's own warnings are silent inside.
    """
    lines: dict[Any, Any]
    sums: dict[Any, Any]

    def __init__(self, infinities: bool = True) -> None:
        infinities = flag("detect_anomaly", "infinities", infinities)
        self.bad: Any = (lambda a: not np.isfinite(a).all()) if infinities else (lambda a: np.isnan(a).any())
        self.lines, self.sums = {}, {}    # creation number of a node -> where it was called, what it saved

    def __enter__(self) -> Self:
        silent = np.errstate(all="ignore")
        silent.__enter__()
        _entered.set((*_entered.get(), (watch.get(), silent)))
        watch.set(self.watch)
        watchers.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        *outer, (before, silent) = _entered.get()
        _entered.set(tuple(outer))
        watchers.remove(self)
        watch.set(before)
        silent.__exit__(*error)

    def watch(self, op: Any, node: Any, arrays: Any) -> None:
        """Called by the engine after every op with its result, and in a backward pass with the gradients it gave."""
        arrays = [a._data if isinstance(a, Tensor) else a for a in arrays]
        if node is None or len(arrays) == 1 and arrays[0] is node.data:
            self.forward(op, node, arrays[0])
        else:
            self.backward(op, node, arrays)

    def forward(self, op: Any, node: Any, y: Any) -> None:
        if y.dtype.kind == "f" and self.bad(y):
            raise NonFiniteError(f"detect_anomaly: {op.name} made {_counts_of_bad(y)}, called in {_line_of_yours()}"
                                 + self._inputs(node))
        if node is not None:
            self.lines[node.number] = _line_of_yours()
            self.sums[node.number] = _sums(node)
            if len(self.lines) > REMEMBERED:
                oldest = next(iter(self.lines))
                del self.lines[oldest], self.sums[oldest]

    def backward(self, op: Any, node: Any, gradients: Any) -> None:
        line = self.lines.get(node.number, "a line outside detect_anomaly: run the forward pass inside as well")
        sums = self.sums.get(node.number)
        if sums is not None and sums != (now := _sums(node)):
            which = [f"argument {i}" for i, (a, b) in enumerate(zip(sums[:-1], now[:-1])) if a != b]
            which += ["result"] if sums[-1] != now[-1] else []
            raise RuntimeError(f"detect_anomaly: {op.name} saved its {' and '.join(which)} for the backward pass, "
                               f"which has been written to since; it was called in {line}")
        leaves = [parent.grad for parent in node.parents if isinstance(parent, Leaf) and parent.grad is not None]
        for g in (*gradients, *leaves):
            if self.bad(g):
                raise NonFiniteError(f"detect_anomaly: the backward pass of {op.name} made {_counts_of_bad(g)}, "
                                     f"called in {line}{self._inputs(node)}")

    def _inputs(self, node):
        """The end of the message: which arguments were bad already; the ranges of all if none was."""
        if node is None or node.values is None:
            return ""
        arrays = [(i, a) for i, a in enumerate(node.values) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        wrong = [f"argument {i} already held {_counts_of_bad(a)}" for i, a in arrays if self.bad(a)]
        if wrong:
            return "; " + ", ".join(wrong)
        return "; its arguments: " + ", ".join(
            f"{a.shape} from {a.min():.3g} to {a.max():.3g}" if a.size else f"{a.shape}" for _, a in arrays)


def _counts_of_bad(a):
    """How many values are NaN and how many infinite."""
    nan, inf = int(np.isnan(a).sum()), int(np.isinf(a).sum())
    counts = [f"{count} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count]
    return f"{' and '.join(counts)} of {a.size} value{'s' if a.size != 1 else ''}"


def _line_of_yours():
    """The innermost line outside minigrad: file:number: its text."""
    frame = sys._getframe(2)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(PACKAGE):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, number).strip()
    return f"{name}:{number}" + (f": {text}" if text else "")


def _sums(node):
    """A checksum of every array that the node saved, and of its result (None for what is no array)."""
    return tuple([zlib.crc32(contiguous(a)) if isinstance(a, np.ndarray) else None
                  for a in (*node.values, node.data)])
