"""Optimizer kernels. A method's `update(g)` is the NumPy twin of a compiled kernel: this file registers it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minigrad.kernels import TWINS, kernel

F = TypeVar("F", bound=Callable[..., Any])

# Averages decay where no gradient comes any more. Those below the smallest normal number become 0 after an update: they
# would stay there for ever and make it 10 times slower. All other arrays keep every bit.
AVERAGES = {"v", "s", "r", "u", "g_bar", "v_bar", "h_bar"}


class Box:
    """A kernel's arguments as the attributes that an update sees: assigning to an array copies into it."""

    def __init__(self, names: Any, values: Any) -> None:
        self.__dict__.update(zip(names, values, strict=True))

    def __setattr__(self, name: str, value: Any) -> None:
        mine = self.__dict__.get(name)
        if not isinstance(mine, np.ndarray):
            self.__dict__[name] = value
        elif value is not mine:
            mine[...] = value

    def forget_subnormals(self) -> None:
        for name, value in self.__dict__.items():
            if name in AVERAGES:
                value[np.abs(value) < np.finfo(value.dtype).tiny] = 0


def compiled_as(signature: str) -> Callable[[F], F]:
    """Decorator for `update(self, g)` or `point(self)`: what it computes is compiled as `signature`.

        @compiled_as("momentum(theta, g, v, lr, momentum)")
        def update(self, g):
            self.v = self.momentum * self.v - self.lr * g
            self.theta = self.theta + self.v

    registers the kernel `momentum(theta, g, v, lr, momentum)` of minigrad_ext.optim with this text as its NumPy twin.
    The arrays come first and are updated in place (but g); then the hyperparameters; `t` counts the steps from 1. A
    last argument `out` receives what the method returns. The function gets `.arguments`, and `.kernel` (None: none,
    or built for another text, see `minigrad.texts`).
    """
    name, _, names = signature.rstrip(")").partition("(")
    names = tuple(names.split(", "))

    def register(method):
        def definition(*arguments):
            box = Box(names, arguments)
            if names[-1] == "out":
                box.out = method(box)
            else:
                method(box, box.g)
                box.forget_subnormals()
        definition.__name__, definition.__doc__ = name, f"{signature}: {method.__qualname__}"
        chosen = kernel("optim", method)(definition)
        compiled = TWINS[name].compiled
        if compiled is not None and compiled.arguments != names:
            raise ValueError(f"compiled_as: {signature} is compiled as {compiled} (minigrad_ext/updates.h)")
        method.kernel, method.arguments = None if chosen is definition else chosen, names
        return method
    return register
