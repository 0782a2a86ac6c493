"""What layers of units ask for beyond arithmetic: labels as rows of a table or of zeros and ones, the largest of
several pieces, dropped units."""
from __future__ import annotations

import numpy as np

from minigrad.arguments import count, number
from minigrad.core import Tensor, data_of, default_dtype, shape_of
from minigrad.ops.elementwise import multiply
from minigrad.ops.reduce import max
from minigrad.ops.shape import getitem, reshape
from minigrad.random import generator
from minigrad.typing import Array, DType, Random, Shape, TensorLike, X


def embedding(table: X, labels: TensorLike) -> X:
    """Rows of a table: table (k, d), labels (...) integers in [0, k) -> (..., d).

    The gradient of a row that is read several times is the sum. Negative labels do not count from the end: ValueError.
    """
    labels, shape = np.array(data_of(labels)), shape_of(table)         # a copy: what is checked is what is used
    if len(shape) != 2:
        raise ValueError(f"embedding: the table must be (symbols, size), got shape {shape}")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"embedding: labels must be integers, got {labels.dtype}")
    if labels.size and (labels.min() < 0 or labels.max() >= shape[0]):
        raise ValueError(f"embedding: labels must lie in [0, {shape[0]}), got {labels.min()} to {labels.max()}")
    return getitem(table, labels)


def one_hot(labels: X, classes: int | None = None, dtype: DType = default_dtype) -> X:
    """Labels (...), integers in [0, classes) -> (..., classes): 1 at the label, else 0. An array; of a Tensor a Tensor.

    classes: the largest label + 1 by default. Differs: PyTorch's are integers, dtype=int.
    """
    values = np.asarray(data_of(labels))
    if values.dtype.kind not in "iu":
        raise ValueError(f"one_hot: labels must be integers, got {values.dtype}")
    if classes is None and not values.size:
        raise ValueError("one_hot: without labels the number of classes must be given")
    classes = int(values.max()) + 1 if classes is None else count("one_hot", "classes", classes)
    if values.size and (values.min() < 0 or values.max() >= classes):
        raise ValueError(f"one_hot: labels must lie in [0, {classes}), got {values.min()} to {values.max()}")
    rows = np.equal(values[..., None], np.arange(classes)).astype(dtype)
    return Tensor(rows) if isinstance(labels, Tensor) else rows


def maxout(x: X, pieces: int) -> X:
    """The largest of each `pieces` neighbours of the last axis (Goodfellow et al. 2013): (..., k pieces) -> (..., k).

    A tie shares the gradient.
    """
    shape = shape_of(x)
    if not isinstance(pieces, int | np.integer) or pieces < 1 or not shape or shape[-1] % pieces:
        raise ValueError(f"maxout: pieces must be an integer >= 1 that divides the last axis of x {shape}, "
                         f"got {pieces!r}")
    return max(reshape(x, (*shape[:-1], shape[-1] // pieces, pieces)), axis=-1)


def drop_mask(shape: Shape, p: float, rng: Random = None, dtype: DType = np.float32, scale: bool = True) -> Array:
    """An array that is 0 with probability p, else 1/(1 - p), so that its expectation is 1 (scale=False: else 1).

    rng: an int, a Generator, or None: the thread's default. p = 1 gives zeros.
    """
    p = number("drop_mask", "p, the probability of dropping,", p, "[0, 1]")
    mask = (generator(rng).random(shape, dtype=np.float32) >= np.float32(p)).astype(dtype)
    if scale and p < 1:
        mask *= 1 / (1 - p)
    return mask


def dropout(x: X, p: float, rng: Random = None) -> X:
    """x times a `drop_mask` (Srivastava et al. 2014): each element is 0 with probability p, else divided by 1 - p.

    In the forward of a Module give it a generator that is an attribute, rng=self.rng: then checkpoints save its state
    and an Objective finds it, and fixes the masks.
    """
    if not isinstance(x, Tensor):
        x = np.asarray(x, default_dtype if isinstance(x, list | tuple) else None)
    if x.dtype.kind != "f":
        raise ValueError(f"dropout: x must be floating-point, got {x.dtype}; convert it first: x.astype(np.float32)")
    return multiply(x, drop_mask(shape_of(x), p, rng, x.dtype))
