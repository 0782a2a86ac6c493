"""gradcheck and gradgradcheck: a derivative you wrote, against central differences.

For a function f of arrays, with a random cotangent u (never ones: ones hide mistakes, the gradient of batch norm under
them is exactly zero), dJ/dx of J = sum(u f(x)) is compared entry by entry with (J(x + h) - J(x - h)) / 2h, in float64.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.core import Tensor, grad, no_grad
from minigrad.typing import Random

STEP = 1e-6                               # h: truncation h^2 and rounding u/h are then both about 1e-10 of f


class GradientError(AssertionError):
    """A derivative that disagrees with differences; the message names argument, index and both numbers."""


class Report(NamedTuple):
    """What a passed check compared: entries, how many pass by the relative tolerance alone, the largest errors."""
    entries: int
    relative: int
    max_absolute: float
    max_relative: float


def gradcheck(function: Callable[..., Any], *args: Any, rng: Random = 0, atol: float = 1e-6, rtol: float = 1e-5,
              directions: int = 8, name: str | None = None) -> Report:
    """Check the first derivatives of `function` with respect to every floating-point Tensor or array among args.

    function(*args) -> Tensor of any shape. args: float64 arrays or Tensors are differentiated, all else is handed
    through. Up to 64 entries of an argument are checked one by one, larger arguments along `directions` random
    directions. |analytic - numeric| <= atol + rtol |numeric|. Inputs should lie away from kinks (1e-3).

    Returns a Report. Raises GradientError naming the op, the argument, the index and both numbers; ValueError for
    float32 input. Nothing passed in is changed.
    """
    rng = np.random.default_rng(rng)
    name = name or getattr(function, "__name__", "function")
    arrays, places = _inputs(name, args)
    u = rng.standard_normal(_call(function, args, places, arrays).shape)
    u += np.sign(u) * 0.1                 # none is close to zero

    def J(values):
        with no_grad():
            return float(np.sum(u * _call(function, args, places, values).data))

    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    y = _call(function, args, places, leaves)
    if y.dtype != np.float64:
        raise GradientError(f"{name}: float64 input gave a result of {y.dtype}")
    try:
        parts = grad(y, leaves, Tensor(u)) if y.requires_grad else [Tensor(np.zeros_like(a)) for a in arrays]
    except ValueError as error:
        raise GradientError(f"{name}: {error}") from error
    analytic = [d.data for d in parts]
    return _compare(name, J, arrays, places, analytic, rng, atol, rtol, directions, STEP)


def gradgradcheck(function: Callable[..., Any], *args: Any, rng: Random = 0, atol: float = 1e-5, rtol: float = 1e-4,
                  directions: int = 8, name: str | None = None) -> Report:
    """Check the second derivatives: gradcheck of x, g -> the gradients of `function` at x for the cotangent g.

    So the rules are differentiated with respect to the arguments and to the cotangent. Arguments, result and errors as
    in gradcheck.
    """
    rng = np.random.default_rng(rng)
    name = name or getattr(function, "__name__", "function")
    arrays, places = _inputs(name, args)
    y = _call(function, args, places, arrays)
    cotangent = rng.standard_normal(y.shape)

    def gradients(g, *values):
        with no_grad(enabled=True):
            values = [v if v.requires_grad else Tensor(v.data, requires_grad=True) for v in values]
            y = _call(function, args, places, values)
            try:
                parts = grad(y, values, g, create_graph=True) if y.requires_grad else [v * 0 for v in values]
            except TypeError as error:
                if "of a Tensor" not in str(error):
                    raise
                raise GradientError(f"gradient of {name}: a rule calls a NumPy function that is no op, but for second "
                                    "derivatives it is handed Tensors: write it in minigrad.ops and operators "
                                    f"({error})") from error
            weights = [np.random.default_rng(i).standard_normal(p.shape) for i, p in enumerate(parts)]
            total = 0.0
            for part, weight in zip(parts, weights):     # one number: sum of all gradients, randomly weighted
                total = total + (part * weight).sum()
            return total

    return gradcheck(gradients, cotangent, *arrays, rng=rng, atol=atol, rtol=rtol, directions=directions,
                     name=f"gradient of {name}")


def _inputs(name, args):
    arrays, places = [], []
    for i, a in enumerate(args):
        value = a.data if isinstance(a, Tensor) else np.asarray(a) if isinstance(a, np.floating) else a
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            if value.dtype != np.float64:
                raise ValueError(f"gradcheck: {name}: argument {i} is {value.dtype}; differences need float64")
            arrays.append(value)
            places.append(i)
    if not arrays:
        raise ValueError(f"gradcheck: {name} has no float64 argument to differentiate, got "
                         f"{', '.join(type(a).__name__ for a in args) or 'none'}: pass np.array(..., dtype=float)")
    return arrays, places


def _call(function, args, places, values):
    full = list(args)
    for i, value in zip(places, values):
        full[i] = value if isinstance(value, Tensor) else Tensor(value)
    y = function(*full)
    if not isinstance(y, Tensor):
        raise ValueError(f"gradcheck: the function must return one Tensor, got {type(y).__name__}")
    return y


def _compare(name, J, arrays, places, analytic, rng, atol, rtol, directions, h):
    entries = relative = 0
    worst_absolute = worst_relative = 0.0
    for k, (array, place, a) in enumerate(zip(arrays, places, analytic)):
        if a.shape != array.shape:
            raise GradientError(f"{name}: argument {place} has shape {array.shape}, its gradient {a.shape}")

        def difference(direction, k=k, array=array):
            up, down = list(arrays), list(arrays)
            up[k], down[k] = array + h * direction, array - h * direction
            return (J(up) - J(down)) / (2 * h)

        if array.size <= 64:
            probes = []
            for index in np.ndindex(array.shape):
                direction = np.zeros(array.shape)
                direction[index] = 1.0
                probes.append((f"index {index}", direction))
        else:
            probes = [(f"random direction {i}", rng.standard_normal(array.shape)) for i in range(directions)]
        for where, direction in probes:
            numeric = difference(direction)
            exact = float(np.sum(a * direction))
            error = abs(exact - numeric)
            entries += 1
            relative += error <= rtol * abs(numeric)
            worst_absolute = max(worst_absolute, error)
            worst_relative = max(worst_relative, error / max(abs(numeric), atol))
            if error > atol + rtol * abs(numeric) or np.isnan(error):
                raise GradientError(f"{name}: argument {place}, {where}: the rule gives {exact:.9g}, "
                                    f"differences give {numeric:.9g} (error {error:.2g})")
    return Report(entries, relative, worst_absolute, worst_relative)
