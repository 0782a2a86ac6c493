"""Optimizer kernels. A method's `update(g)` is the NumPy twin of a compiled kernel: this file registers it."""
import numpy as np

from minigrad.kernels import TWINS, kernel


class Box:
    """A kernel's arguments as the attributes that an update sees: assigning to an array copies into it."""

    def __init__(self, names, values):
        self.__dict__.update(zip(names, values, strict=True))

    def __setattr__(self, name, value):
        mine = self.__dict__.get(name)
        if not isinstance(mine, np.ndarray):
            self.__dict__[name] = value
        elif value is not mine:
            mine[...] = value


def compiled_as(signature):
    """Decorator for `update(self, g)` or `point(self)`: what it computes is compiled as `signature`.

        @compiled_as("momentum(theta, g, v, lr, momentum)")
        def update(self, g):
            self.v = self.momentum * self.v - self.lr * g
            self.theta = self.theta + self.v

    registers the kernel `momentum(theta, g, v, lr, momentum)` of minigrad_ext.optim with this text as its NumPy twin.
    The arrays come first and are updated in place (but g); then the hyperparameters; `t` counts the steps from 1. A
    last argument `out` receives what the method returns. The function gets `.arguments`, and `.kernel` (None: none).
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
        definition.__name__, definition.__doc__ = name, f"{signature}: {method.__qualname__}"
        kernel("optim")(definition)
        method.kernel, method.arguments = TWINS[name].compiled, names
        return method
    return register
