"""Augmented assignment, `x += y` and its kin: the Tensor x itself changes, as in NumPy, and keeps its shape and dtype.

A leaf changes in its own array, so that theta stays one vector, and graphs that saved its values are refused. That is
for steps, `with no_grad(): p -= lr * p.grad`; while ops are recorded it is an error, for the gradient would be that of
other values. Any other Tensor takes the result, a new array, with its history; what holds the old values keeps them.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core import Tensor, changes, is_recording


def augmented(symbol: str, op: Callable[..., Any]) -> Callable[..., Any]:
    """The method behind `x symbol= y`, for op(x, y)."""
    plain = f"x = x {symbol} y makes a new Tensor"

    def augment(self, other):
        is_leaf = self.node is not None and self.node.op is None
        if is_leaf and is_recording():
            raise RuntimeError(f"{symbol}=: {self.node.name or 'this Tensor'} is a leaf (requires_grad=True): it does "
                               "not change while ops are recorded; write `with no_grad():` before it, or "
                               f"x.data {symbol}= y")
        result = _fitted(symbol, plain, self, op(self, other))
        if is_leaf:
            if not self._data.flags.writeable:
                raise ValueError(f"{symbol}=: the values lie in read-only memory; write x.data = x.data {symbol} y")
            self._data[...] = result._data
            changes.wrote(self._data)
            self.node.touch()
        elif result.node is not None:
            if type(self) is not Tensor:
                raise RuntimeError(f"{symbol}=: a frozen {type(self).__name__} cannot take on a history; {plain}")
            self._data, self.node = result._data, result.node
        elif self.node is not None:
            raise RuntimeError(f"{symbol}=: this Tensor is the result of {self.node.op.name}, whose history would be "
                               f"lost under no_grad; {plain} without one")
        else:
            self._assign(result._data)
        return self

    return augment


def _fitted(symbol, plain, x, result):
    """The result in the dtype of x. ValueError if x cannot take it."""
    if result.shape != x.shape:
        raise ValueError(f"{symbol}=: the result has shape {result.shape}, the Tensor {x.shape}; {plain}")
    if result.dtype == x.dtype:
        return result
    if not np.can_cast(result.dtype, x.dtype, "same_kind"):
        raise ValueError(f"{symbol}=: a Tensor of {x.dtype} cannot hold {result.dtype}; {plain}")
    return result.astype(x.dtype)
