"""Tensor: an array that remembers how it was computed. Operators and methods are attached by `minigrad.ops`."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import asarray, ndarray

from minigrad.core.graph import Leaf, Node, changes
from minigrad.typing import Array, DType, TensorLike

if TYPE_CHECKING:
    from minigrad.core.declared import Methods  # what `minigrad.ops` attaches, for editors and type checkers
else:
    Methods = object

default_dtype: np.dtype[Any] = np.dtype(np.float32)      # what lists and Python floats become
Number = int | float | np.integer | np.floating         # for isinstance: a real number, Python's or NumPy's


class Tensor(Methods):
    """An n-dimensional array (`data`) that can be differentiated.

    data: ndarray, or nested lists and numbers (these become `default_dtype`). Arrays keep their dtype, uncopied.
    requires_grad: backward leaves dJ/d(self) in `grad`. Floating point only: integers carry labels, never gradients.
    Operators, methods and indexing follow NumPy; see `minigrad.ops`.
    """
    __slots__ = ("_data", "node", "__weakref__")
    _data: Array
    node: Node | Leaf | None
    __array_ufunc__: Any = None                # until `minigrad.ops` says what np.exp(Tensor) and ndarray * Tensor are
    __hash__ = object.__hash__

    def __init__(self, data: TensorLike, dtype: DType | None = None, requires_grad: bool = False) -> None:
        self._data = as_array(data, dtype)
        self.node = None
        if requires_grad:
            self.requires_grad = True

    # ---- values

    @property
    def data(self) -> Array:
        """The values, an ndarray. Assigning replaces them, and makes graphs recorded before unusable."""
        return self._data

    @data.setter
    def data(self, values: TensorLike) -> None:
        values = values._data if isinstance(values, Tensor) else np.asarray(values)
        if self.node is not None and self.node.op is not None:
            raise RuntimeError(f"data: this Tensor is the result of {self.node.op.name}; only leaves can be set")
        if values.shape != self.shape or values.dtype != self.dtype:
            raise ValueError(f"data: expected {self.dtype} of shape {self.shape}, got {values.dtype} of {values.shape}")
        if np.may_share_memory(values, self._data):
            changes.wrote(self._data)                  # x.data -= ...
        self._assign(values)
        if self.node is not None:
            self.node.touch()

    def _assign(self, values):
        self._data = values

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return self._data.size

    def numpy(self) -> Array:
        """The values as a read-only view: a graph may still need them."""
        view = self._data.view()
        view.flags.writeable = False
        return view

    def item(self) -> float:
        """The value of a Tensor of size 1, a Python number."""
        if self._data.size != 1:
            raise ValueError(f"item: wanted a Tensor of size 1, got shape {self.shape}")
        return self._data.item()

    def detach(self) -> Tensor:
        """The same values without their history."""
        return wrap(self._data, None)

    def __repr__(self) -> str:
        values = np.array2string(self._data, separator=", ", prefix="Tensor(")
        note = "" if self.dtype == default_dtype else f", dtype={self.dtype}"
        if self.node is not None:
            note += ", requires_grad=True" if self.node.op is None else f", op={self.node.op.name}"
        return f"Tensor({values}{note})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __len__(self) -> int:
        if self._data.ndim == 0:
            raise TypeError("len() of a 0-d Tensor")
        return len(self._data)

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ValueError(f"bool: a Tensor of shape {self.shape} is neither true nor false; "
                             "use .data.any() or .data.all()")
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    if not TYPE_CHECKING:                 # checkers would take `array * x` for an array, as of all that has this method
        def __array__(self, dtype=None, copy=None):
            if self.node is not None:
                raise ValueError("a Tensor with history cannot become an ndarray silently; use .data or .numpy(), or "
                                 "ops.stack for a list of Tensors")
            return np.array(self._data, dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        """The values for another library, not copied: torch.from_dlpack(x), np.from_dlpack(x), torch.as_tensor(x).

        BufferError for a Tensor with history: its gradient would end there.
        """
        if self.node is not None:
            raise BufferError("a Tensor with history cannot be handed to another library silently; hand over "
                              "x.detach(), its values without a copy")
        return self._data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """Where the values are: in the memory of the processor."""
        return self._data.__dlpack_device__()

    # ---- copies

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """What deepcopy and pickle keep: values, requires_grad, the gradient. ValueError for a Tensor with history."""
        if self.node is not None and self.node.op is not None:
            raise ValueError(f"deepcopy, pickle: this Tensor is the result of {self.node.op.name}; detach() it first")
        return _restored, (self._data, self.requires_grad, self.grad)

    def __copy__(self) -> Tensor:
        return wrap(self._data, self.node)

    # ---- derivatives

    @property
    def requires_grad(self) -> bool:
        """Whether derivatives flow through or into this Tensor."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.node is not None and self.node.op is not None:
            raise RuntimeError(f"requires_grad: this Tensor is the result of {self.node.op.name}; detach() it first")
        if not wanted:
            self.node = None
        elif self.node is None:
            if self._data.dtype.kind != "f":
                raise ValueError(f"requires_grad: only floating-point Tensors have gradients, not {self.dtype}; "
                                 "convert it first: tensor(x, dtype=np.float32)")
            self.node = Leaf()

    @property
    def grad(self) -> Array | None:
        """dJ/d(self), an ndarray, summed over the backward passes since it was last None. Leaves only."""
        return self.node.grad if isinstance(self.node, Leaf) else None

    @grad.setter
    def grad(self, value: TensorLike | None) -> None:
        if not isinstance(self.node, Leaf):
            if value is None:
                return
            raise RuntimeError("grad: only a leaf with requires_grad=True has a gradient")
        if value is not None:
            value = np.array(value._data if isinstance(value, Tensor) else value, dtype=self.dtype)
            if value.shape != self.shape:
                raise ValueError(f"grad: expected shape {self.shape}, got {value.shape}")
        self.node.grad = value

    def zero_grad(self) -> None:
        """Forget the gradient (`grad` becomes None)."""
        self.grad = None


def wrap(data: Array, node: Node | Leaf | None) -> Tensor:
    """A Tensor around an array that is already right: the constructor without its checks."""
    result = Tensor.__new__(Tensor)
    result._data = data
    result.node = node
    return result


def _restored(data, requires_grad, grad):
    """The Tensor that deepcopy or pickle makes of what `Tensor.__reduce_ex__` kept."""
    result = Tensor(data, requires_grad=requires_grad)
    result.grad = grad
    return result


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))      # in native byte order


def as_array(data: TensorLike, dtype: DType | None = None) -> Array:
    """ndarray of `data` in native byte order. ndarrays keep their dtype, lists of floats become `default_dtype`."""
    if data.__class__ is ndarray and dtype is None and data.dtype in _FLOATS and data.flags.aligned:
        return data
    if isinstance(data, Tensor):
        data = data._data
    try:
        array = np.asarray(data)
    except ValueError as error:           # rows of unequal lengths, Tensors with history
        raise ValueError(f"tensor: wanted numbers in rows of one length: {error}") from None
    if dtype is not None:
        wanted = np.dtype(dtype)
    elif array.dtype.kind == "f" and not isinstance(data, (ndarray, np.generic)):
        wanted = default_dtype
    else:
        wanted = array.dtype.newbyteorder("=")
    if wanted.kind not in "fiub" or wanted.itemsize > 8 or wanted == np.float16:
        raise ValueError(f"tensor: wanted numbers (float32, float64, integers, booleans), got dtype {wanted}")
    array = array.astype(wanted, copy=False)
    return array if array.flags.aligned else array.copy()


def contiguous(x: Array) -> Array:
    """x itself if it is a C-contiguous, aligned array, as the kernels want it; else a copy that is one."""
    x = asarray(x, None, "C")
    return x if x.flags.aligned else x.copy()


ROWS_AT_ONCE = 256


def summed(x: Array, axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """np.add.reduce, with the digits of float32 along every axis: by blocks of rows, and these sums again.

    But along the axis whose elements lie side by side NumPy adds row to row: a million equal numbers are then off by
    1 %. axes: from the front.
    """
    if axes and x.__class__ is ndarray and x.dtype == np.float32 and len(axes) < x.ndim and (
            math.prod([x.shape[axis] for axis in axes]) > ROWS_AT_ONCE):
        for axis in sorted(axes, reverse=True):
            x = _summed_along(x, axis)
        return x if keepdims else x.reshape([n for axis, n in enumerate(x.shape) if axis not in axes])
    return np.add.reduce(x, axis=axes, keepdims=keepdims)


def _summed_along(x, axis):
    """The sum along one axis, which stays, of size 1."""
    while x.shape[axis] > ROWS_AT_ONCE and x.strides[axis] != x.itemsize:
        before, n, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1:]
        whole = n - n % ROWS_AT_ONCE
        index = (slice(None),) * axis
        blocks = np.add.reduce(x[(*index, slice(whole))].reshape(*before, -1, ROWS_AT_ONCE, *behind), axis=axis + 1)
        x = blocks if whole == n else np.concatenate(
            [blocks, np.add.reduce(x[(*index, slice(whole, n))], axis=axis, keepdims=True)], axis)
    return np.add.reduce(x, axis=axis, keepdims=True)


def data_of(x: Any) -> Any:
    """The values of a Tensor, or the array itself: for masks, which are piecewise constant and have no derivative."""
    return x._data if isinstance(x, Tensor) else x


def shape_of(x: TensorLike) -> tuple[int, ...]:
    """The shape of a Tensor or of anything NumPy takes for an array."""
    return x._data.shape if isinstance(x, Tensor) else np.shape(x)


def tensor(data: TensorLike, dtype: DType | None = None, requires_grad: bool = False) -> Tensor:
    """A new Tensor with values of its own: a copy of `data` (an ndarray, a Tensor, nested lists or a number).

    dtype: defaults to that of an ndarray, and to `default_dtype` (float32) for lists and floats.
    """
    return Tensor(np.array(as_array(data, dtype)), requires_grad=requires_grad)
