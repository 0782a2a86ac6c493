"""Operators and methods of Tensor: `a + b`, `x.sum()`, `x[1:]`. Each is a function of this package."""
from __future__ import annotations

import numpy as np

from minigrad.core import Tensor, as_array, data_of
from minigrad.ops import arrange, circular, elementwise, linalg, order, reduce, shape
from minigrad.ops.augmented import augmented
from minigrad.ops.softmax import log_softmax, softmax


def _swapped(op):
    return lambda self, other: op(other, self)


def _comparison(ufunc):
    """Elementwise truth values: a boolean Tensor, without gradient."""
    def compare(self, other):
        if not isinstance(other, (Tensor, np.ndarray, np.generic, int, float, list, tuple)):
            return NotImplemented
        return Tensor(ufunc(self.data, data_of(other)))
    return compare


def _truth(name, ufunc):
    """Truth values combined, element by element, as in `(x > 0) & (x < 1)`."""
    def combine(*operands):
        arrays = [np.asarray(data_of(a)) for a in operands]
        if any(a.dtype != bool for a in arrays):
            raise ValueError(f"{name}: wanted truth values (comparisons of Tensors), got "
                             f"{' and '.join(str(a.dtype) for a in arrays)}")
        return Tensor(ufunc(*arrays))
    return combine


def _reshape(self, *sizes):
    """The same elements, in C order, in another shape: sizes, or one tuple of them (one may be -1)."""
    sizes = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    return shape.reshape(self, tuple(sizes))


def _transpose(self, *axes):
    """Axes in the order given, a permutation, or one tuple; reversed by default."""
    axes = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
    return shape.transpose(self, tuple(axes) or None)


def _flatten(self, start=0):
    """All axes from `start` on as one. (The function ops.flatten keeps the first, the examples, by default.)"""
    return shape.flatten(self, start)


def _ravel(self):
    """All elements in one axis."""
    return shape.reshape(self, (-1,))


def _dot(self, other):
    """As ndarray.dot, the product @ of vectors and matrices."""
    if self.ndim > 2 or np.ndim(other) > 2:
        raise ValueError(f"dot: wanted vectors or matrices, got shapes {self.shape} and {np.shape(other)}; use @")
    return linalg.matmul(self, other)


def _all_or_any(name, ufunc):
    def method(self, axis=None, keepdims=False):
        axes = None if axis is None else shape.distinct_axes(name, self, axis)
        return Tensor(ufunc.reduce(self.data != 0, axis=axes, keepdims=keepdims))
    method.__name__, method.__doc__ = name, f"Whether {name} of the elements over axes is true; no gradient."
    return method


def _refuse_assignment(self, index, values):
    raise TypeError("a Tensor's elements cannot be assigned: ops.where(mask, new, x) makes a new Tensor; "
                    "x.data[index] = ... changes the array of one that no graph needs")


def _tolist(self):
    """The values as nested lists of Python numbers; one number for a Tensor without axes."""
    return self.data.tolist()


def _astype(self, dtype):
    """Converted values; between float32 and float64 gradients follow, integers end them."""
    dtype = np.dtype(dtype)
    if dtype == self.dtype:
        return self
    if dtype.kind == "f" and self.dtype.kind == "f":
        return elementwise.astype(self, dtype)
    return Tensor(as_array(self.data, dtype))


def _iterate(self):
    return (self[i] for i in range(len(self)))


def attach(cls: type[Tensor]) -> None:
    """Give the class its operators and methods."""
    e = elementwise
    cls.__add__, cls.__radd__ = e.add, e.add
    cls.__sub__, cls.__rsub__ = e.subtract, _swapped(e.subtract)
    cls.__mul__, cls.__rmul__ = e.multiply, e.multiply
    cls.__truediv__, cls.__rtruediv__ = e.divide, _swapped(e.divide)
    cls.__mod__, cls.__rmod__ = e.remainder, _swapped(e.remainder)
    cls.__floordiv__, cls.__rfloordiv__ = e.floor_divide, _swapped(e.floor_divide)
    cls.__pow__, cls.__rpow__ = e.power, _swapped(e.power)
    cls.__matmul__, cls.__rmatmul__ = linalg.matmul, _swapped(linalg.matmul)
    cls.__neg__, cls.__pos__, cls.__abs__ = e.negative, lambda self: self, e.abs
    cls.__round__ = e.round
    cls.__getitem__, cls.__iter__, cls.__setitem__ = shape.getitem, _iterate, _refuse_assignment
    cls.__lt__, cls.__le__ = _comparison(np.less), _comparison(np.less_equal)
    cls.__gt__, cls.__ge__ = _comparison(np.greater), _comparison(np.greater_equal)
    cls.__eq__, cls.__ne__ = _comparison(np.equal), _comparison(np.not_equal)
    cls.__and__ = cls.__rand__ = _truth("and", np.logical_and)
    cls.__or__ = cls.__ror__ = _truth("or", np.logical_or)
    cls.__xor__ = cls.__rxor__ = _truth("xor", np.logical_xor)
    cls.__invert__ = _truth("not", np.logical_not)

    for name, symbol in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("pow", "**"), ("matmul", "@"),
                         ("mod", "%"), ("floordiv", "//"), ("and", "&"), ("or", "|"), ("xor", "^")):
        setattr(cls, f"__i{name}__", augmented(symbol, getattr(cls, f"__{name}__")))

    for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "sqrt", "square", "sin", "cos",
                 "tanh", "sigmoid", "relu", "abs", "clip", "sign", "softplus", "floor", "ceil", "round"):
        setattr(cls, name, getattr(e, name))
    for name in ("tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"):
        setattr(cls, name, getattr(circular, name))
    for name in ("argsort", "topk", "cumprod", "diff"):
        setattr(cls, name, getattr(order, name))
    for name in ("sum", "prod", "cumsum", "mean", "max", "min", "var", "std", "argmax", "argmin", "norm", "logsumexp"):
        setattr(cls, name, getattr(reduce, name))
    cls.reshape, cls.transpose, cls.astype = _reshape, _transpose, _astype
    cls.swapaxes, cls.flatten, cls.squeeze = shape.swapaxes, _flatten, shape.squeeze
    cls.ravel, cls.dot, cls.repeat, cls.trace = _ravel, _dot, arrange.repeat, arrange.trace
    cls.all, cls.any = _all_or_any("all", np.logical_and), _all_or_any("any", np.logical_or)
    cls.softmax, cls.log_softmax, cls.tolist = softmax, log_softmax, _tolist
    cls.T = property(shape.transpose, doc="All axes in reverse order.")
