"""NumPy's own functions called with a Tensor: `np.exp(x)` is `ops.exp(x)`, `np.sum(x, axis=0)` is `ops.sum(x, axis=0)`.

Where an op has that name it is called, and the result can be differentiated. Where there is none, a Tensor without
history is its values, as for `np.asarray`, and one with history is refused by a TypeError that says what to use:
nothing is detached silently. Truth values (comparisons, np.isnan, np.allclose) and shapes need no history at all.
"""
from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core import Tensor, data_of
from minigrad.ops import arrange, circular, elementwise, linalg, order, reduce, shape
from minigrad.ops.shape import broadcast_to, reshape

UFUNCS = {getattr(np, name): op for name, op in (vars(elementwise) | vars(circular)).items()
          if isinstance(getattr(np, name, None), np.ufunc)}
UFUNCS |= {np.fabs: elementwise.abs, np.rint: elementwise.round, np.positive: operator.pos, np.matmul: linalg.matmul}

TRUTH: set[np.ufunc] = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or,
    np.logical_xor, np.logical_not, np.isnan, np.isinf, np.isfinite, np.signbit}
OF_VALUES: set[Callable[..., Any]] = {
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.allclose, np.isclose,
    np.array_equal, np.any, np.all, np.count_nonzero, np.nonzero, np.argsort, np.result_type, np.may_share_memory,
    np.shares_memory, np.array_repr, np.array_str, np.array2string}
INSTEAD = {
    "add.reduce": "ops.sum(x, axis=0)", "multiply.reduce": "ops.prod(x, axis=0)",
    "take": "x.ravel()[index]", "maximum.reduce": "ops.max(x, axis=0)",
    "minimum.reduce": "ops.min(x, axis=0)", "column_stack": "ops.stack(xs, axis=1) of vectors",
    "add.accumulate": "ops.cumsum(x, axis=0)", "multiply.outer": "ops.outer(a, b) of vectors",
    "multiply.accumulate": "ops.cumprod(x, axis=0)", "reciprocal": "1 / x", "float_power": "a ** b",
    "fmax": "ops.maximum(a, b), where NaN stays NaN",
    "fmin": "ops.minimum(a, b), where NaN stays NaN",
    "average": "ops.mean(x) without weights", "inner": "a @ b.T", "vdot": "ops.dot(a.ravel(), b.ravel())",
    "ptp": "ops.max(x) - ops.min(x)", "atleast_2d": "ops.expand_dims(x, 0) of a vector",
    "array_split": "ops.split(x, places)",
}
NAMESAKES = {"erf": elementwise.erf, "expit": elementwise.sigmoid}         # ufuncs of scipy.special


def array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    """Tensor.__array_ufunc__: what NumPy calls for np.exp(x), np.add(a, x) and a * x where a is an array."""
    op = UFUNCS.get(ufunc) or NAMESAKES.get(ufunc.__name__)
    if op is not None and method == "__call__" and not options:
        if isinstance(inputs[0], np.floating):
            return op(float(inputs[0]), *inputs[1:])
        return op(*inputs)
    if method == "__call__" and not options:
        if ufunc in TRUTH:
            return Tensor(ufunc(*map(data_of, inputs)))
        if ufunc in BITS:
            return BITS[ufunc](*inputs)
    name = ufunc.__name__ + ("" if method == "__call__" else f".{method}")
    home = "np." if getattr(np, ufunc.__name__, None) is ufunc else ""                 # SciPy has ufuncs too
    if any(isinstance(out, Tensor) for out in options.get("out", ())):
        raise TypeError(f"{home}{name}: out= must be an array, not a Tensor; write x = ops.{ufunc.__name__}(...)")
    if op is not None and method == "__call__":
        given = ", ".join(f"{option}=" for option in options)
        values = _values(inputs, f"{home}{name} of a Tensor takes no {given} and changes no array in place (a += x); "
                                 f"use .data for the values, or a = a + x, ops.{op.__name__}(...)")
    else:
        values = _values(inputs, _not_differentiable(home, name))
    return getattr(ufunc, method)(*values, **{k: _values(v, name) for k, v in options.items()})


def array_function(self: Tensor, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
    """Tensor.__array_function__: what NumPy calls for np.sum(x), np.concatenate([x, y]) and all that is no ufunc."""
    call = FUNCTIONS.get(function)
    if call is not None:
        return call(*args, **options)
    message = None if function in OF_VALUES else _not_differentiable("np.", _full_name(function))
    return function(*_values(args, message), **{k: _values(v, message) for k, v in options.items()})


def _full_name(function):
    """A function's name within np: "linalg.inv" of np.linalg.inv."""
    return f"{function.__module__}.{function.__name__}".removeprefix("numpy.")


def _not_differentiable(home, name):
    """The message for a function of NumPy's (home "np.") or SciPy's that is no op."""
    hint = INSTEAD.get(name)
    return f"{home}{name} of a Tensor is not differentiable; use .data for the values{f', or {hint}' if hint else ''}"


def _values(x, message):
    """x with the values of Tensors in their place, in lists and tuples too; TypeError where one has history."""
    if isinstance(x, Tensor):
        if x.node is not None and message is not None:
            raise TypeError(message)
        return x._data
    if isinstance(x, list | tuple):
        return type(x)([_values(part, message) for part in x]) if type(x) in (list, tuple) else x
    return x


# ------------------------------------------------------------------------------------------------------- np.sum and kin

@functools.cache
def _signature(function):
    return inspect.signature(function)


def _named(function, op, *names):
    """op, called with the arguments of NumPy's function: the first, and those in `names` ("reps=repeats": renamed)."""
    renamed = dict(name.split("=") if "=" in name else (name, name) for name in names)

    def call(*args, **options):
        signature = _signature(function)
        (_, x), *rest = signature.bind(*args, **options).arguments.items()
        given = {renamed[name]: value for name, value in rest if name in renamed}
        for name, value in rest:
            if name not in renamed and value is not signature.parameters[name].default:
                raise TypeError(f"np.{_full_name(function)} of a Tensor takes {', '.join(renamed) or 'nothing else'}; "
                                f"not {name}={value!r:.40}")
        return op(x, **given)

    return call


def _concatenate(arrays, axis=0):
    return shape.concatenate(arrays, axis)


def _where(condition, *branches):
    return elementwise.where(condition, *branches) if branches else np.nonzero(data_of(condition))


def _dot(a, b):
    if not np.ndim(a) or not np.ndim(b):
        return elementwise.multiply(a, b)
    if np.ndim(a) > 2 or np.ndim(b) > 2:
        raise TypeError(f"np.dot of a Tensor takes vectors and matrices, got shapes {np.shape(a)} and {np.shape(b)}; "
                        "use @ or ops.einsum")
    return linalg.matmul(a, b)


def _pad(x, widths, mode="constant", constant_values=0.0):
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise TypeError(f"np.pad of a Tensor pads with a constant or itself, not mode={mode!r}")
    return shape.pad(x, widths, constant_values, mode)


def _norm(x, ord=None, axis=None, keepdims=False):
    """np.linalg.norm: without an axis or with two, all orders but the Frobenius norm are those of a matrix."""
    if ord is None or ord == "fro":
        return reduce.norm(x, axis, keepdims)
    if np.ndim(x) == 1 or (axis is not None and not isinstance(axis, tuple)):
        return reduce.norm(x, axis, keepdims, ord)
    axes = tuple(range(np.ndim(x))) if axis is None else axis       # of the rows, of the columns: their order counts
    shape.distinct_axes("np.linalg.norm", x, axes)
    if len(axes) != 2 or ord not in (1, -1, np.inf, -np.inf):
        raise TypeError(f"np.linalg.norm of a Tensor: a matrix has ord 1, -1, inf, -inf and 'fro', not {ord!r} "
                        f"(axes {axes}); those of singular values have no derivative here, and ops.norm(x, order=...) "
                        "is that of all its elements")
    added, compared = axes if abs(ord) == 1 else axes[::-1]         # 1: the largest sum of a column, inf: of a row
    largest = (reduce.max if ord > 0 else reduce.min)(reduce.sum(elementwise.abs(x), added, True), compared, True)
    return largest if keepdims else shape.squeeze(largest, axes)


def _diff(x, n=1, axis=-1):
    return order.diff(x, n, axis)


def _linspace(start, stop, num=50):
    return arrange.linspace(start, stop, num)


def _swapaxes(x, axis1, axis2):
    return shape.swapaxes(x, axis1, axis2)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    function: _named(function, op, *names.split()) for function, op, names in (
        (np.sum, reduce.sum, "axis keepdims dtype"), (np.prod, reduce.prod, "axis keepdims dtype"),
        (np.mean, reduce.mean, "axis keepdims dtype"), (np.max, reduce.max, "axis keepdims"),
        (np.min, reduce.min, "axis keepdims"), (np.amax, reduce.max, "axis keepdims"),
        (np.amin, reduce.min, "axis keepdims"), (np.var, reduce.var, "axis keepdims ddof dtype"),
        (np.std, reduce.std, "axis keepdims ddof dtype"),
        (np.linalg.vector_norm, reduce.norm, "axis keepdims ord=order"), (np.sort, order.sort, "axis"),
        (np.argmax, reduce.argmax, "axis"), (np.argmin, reduce.argmin, "axis"),
        (np.cumsum, reduce.cumsum, "axis dtype"), (np.cumprod, order.cumprod, "axis dtype"),
        (np.take_along_axis, order.take_along_axis, "indices=index axis"),
        (np.reshape, lambda x, shape: reshape(x, shape), "shape newshape=shape"),
        (np.transpose, shape.transpose, "axes"),
        (np.ravel, lambda x: reshape(x, (-1,)), ""), (np.squeeze, shape.squeeze, "axis"),
        (np.broadcast_to, lambda x, shape: broadcast_to(x, shape), "shape"),
        (np.expand_dims, shape.expand_dims, "axis"), (np.moveaxis, shape.moveaxis, "source destination"),
        (np.round, elementwise.round, "decimals"), (np.around, elementwise.round, "decimals"),
        (np.stack, shape.stack, "axis"),
        (np.split, shape.split, "indices_or_sections=sections axis"),
        (np.flip, shape.flip, "axis"), (np.roll, arrange.roll, "shift axis"),
        (np.repeat, arrange.repeat, "repeats axis"), (np.tile, arrange.tile, "reps=repeats"),
        (np.diag, arrange.diag, "k"), (np.trace, arrange.trace, "offset=k"), (np.tril, arrange.tril, "k"),
        (np.triu, arrange.triu, "k"), (np.outer, linalg.outer, "b"),
        (np.clip, elementwise.clip, "a_min=low a_max=high min=low max=high"),
    )
} | {np.concatenate: _concatenate, np.where: _where, np.dot: _dot, np.pad: _pad, np.swapaxes: _swapaxes,
     np.einsum: linalg.einsum, np.linalg.norm: _norm, np.vstack: shape.vstack, np.hstack: shape.hstack, np.diff: _diff,
     np.tensordot: linalg.tensordot, np.linspace: _linspace}


def attach(cls: type[Tensor]) -> None:
    """Let NumPy's functions find the class."""
    BITS.update({np.bitwise_and: cls.__and__, np.bitwise_or: cls.__or__, np.bitwise_xor: cls.__xor__,
                 np.invert: cls.__invert__})
    cls.__array_ufunc__, cls.__array_function__ = array_ufunc, array_function


BITS: dict[np.ufunc, Callable[..., Any]] = {}                    # & | ^ ~ of truth values, from the class's operators
