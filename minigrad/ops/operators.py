"""Operators and methods of Tensor: `a + b`, `x.sum()`, `x[1:]`. Each is a function of this package."""
import numpy as np

from minigrad.core import Tensor, as_array, data_of
from minigrad.ops import elementwise, linalg, reduce, shape


def _swapped(op):
    return lambda self, other: op(other, self)


def _comparison(ufunc):
    """Elementwise truth values: a boolean Tensor, without gradient."""
    def compare(self, other):
        if not isinstance(other, (Tensor, np.ndarray, np.generic, int, float, list, tuple)):
            return NotImplemented
        return Tensor(ufunc(self.data, data_of(other)))
    return compare


def _reshape(self, *sizes):
    sizes = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    return shape.reshape(self, tuple(sizes))


def _transpose(self, *axes):
    axes = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
    return shape.transpose(self, tuple(axes) or None)


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


def attach(cls):
    """Give the class its operators and methods."""
    e = elementwise
    cls.__add__, cls.__radd__ = e.add, e.add
    cls.__sub__, cls.__rsub__ = e.subtract, _swapped(e.subtract)
    cls.__mul__, cls.__rmul__ = e.multiply, e.multiply
    cls.__truediv__, cls.__rtruediv__ = e.divide, _swapped(e.divide)
    cls.__pow__, cls.__rpow__ = e.power, _swapped(e.power)
    cls.__matmul__, cls.__rmatmul__ = linalg.matmul, _swapped(linalg.matmul)
    cls.__neg__, cls.__pos__, cls.__abs__ = e.negative, lambda self: self, e.abs
    cls.__getitem__, cls.__iter__ = shape.getitem, _iterate
    cls.__lt__, cls.__le__ = _comparison(np.less), _comparison(np.less_equal)
    cls.__gt__, cls.__ge__ = _comparison(np.greater), _comparison(np.greater_equal)
    cls.__eq__, cls.__ne__ = _comparison(np.equal), _comparison(np.not_equal)

    for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "clip"):
        setattr(cls, name, getattr(e, name))
    for name in ("sum", "mean", "max", "min", "var", "std", "argmax", "argmin", "norm", "logsumexp"):
        setattr(cls, name, getattr(reduce, name))
    cls.reshape, cls.transpose, cls.astype = _reshape, _transpose, _astype
    cls.swapaxes, cls.flatten, cls.squeeze = shape.swapaxes, lambda self: shape.flatten(self, 0), shape.squeeze
    cls.T = property(shape.transpose, doc="All axes in reverse order.")
