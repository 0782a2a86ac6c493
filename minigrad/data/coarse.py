"""MNIST in few pixels, for what computes thousands of full gradients or a whole Hessian; and inputs around 0."""
from __future__ import annotations

import numpy as np

from minigrad.arguments import count
from minigrad.data.mnist import FILES, digits, float_type
from minigrad.typing import Array, DType, Halves


def coarse_mnist(side: int = 6, m: int = 60_000, m_test: int = 10_000, dtype: DType = np.float32) -> Halves:
    """(x, y), (x_test, y_test): the first m and m_test digits of MNIST, x (m, side^2) in [0, 1], y (m,) int64.

    A pixel is the average of a block of b x b of the image's, b = 28 // side, and what is left over is cut off at all
    four edges alike: 6 are blocks of 4 in the middle 24, 14 are blocks of 2. The arrays are the caller's to change.
    """
    side = count("coarse_mnist", "side", side, 1, 28)
    arrays, dtype, halves = digits(), float_type("coarse_mnist", dtype), []
    for name, number, images, labels in (("m", m, *FILES[:2]), ("m_test", m_test, *FILES[2:])):
        number = count("coarse_mnist", name, number, 1, len(arrays[labels]))
        halves.append((_averaged(arrays[images][:number], side, dtype), arrays[labels][:number].astype(np.int64)))
    return halves[0], halves[1]


def _averaged(images, side, dtype):
    """Bytes (m, 28, 28) -> block averages in [0, 1] (m, side^2): sums of whole numbers, rounded once at the end."""
    b = images.shape[1] // side
    first = (images.shape[1] - b * side) // 2
    inner = images[:, first:first + b * side, first:first + b * side]
    sums = inner.reshape(-1, side, b, side, b).sum((2, 4), dtype=np.uint32)
    return np.divide(sums, 255 * b * b).astype(dtype).reshape(len(images), -1)


def standardized(train: tuple[Array, Array], *others: tuple[Array, Array]) -> tuple[tuple[Array, Array], ...]:
    """Pairs (x, y), y unchanged: each feature less its mean over the training examples, all over one standard
    deviation, that of all numbers of the training examples.

    x (m, ...), floats; the others get the numbers of the training examples. One scale for all, since a pixel near the
    edge that is hardly ever more than 0 would be blown up by its own. Raises ValueError if the training x do not vary.
    """
    x = np.asarray(train[0])
    std = x.std()
    if not std > 0:
        raise ValueError(f"standardized: the training examples do not vary (standard deviation {std})")
    mean = x.mean(0)
    return tuple(((np.asarray(x) - mean) / std, y) for x, y in (train, *others))
