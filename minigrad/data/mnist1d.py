"""MNIST-1D: ten digits drawn as curves of 40 numbers, computed and not downloaded (Greydanus and Kobak 2020-2024).

A stroke of 12 points stands for each digit. An example is its stroke stretched, scaled and pushed to some place among
correlated noise, tilted, and sampled at 40 points. A linear model finds a third of the digits, a net of relus two
thirds, a convolution nine of ten: the differences between models that MNIST shows after minutes are seen in a second.
"""
from __future__ import annotations

import numpy as np

from minigrad import random
from minigrad.arguments import count
from minigrad.typing import Array, DType, Halves, Random

STROKES: Array = np.array([                                    # of the paper, digit by digit
    [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
    [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
    [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
    [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
    [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
    [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
    [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
    [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
])
PADDING = 36, 60                # zeros behind a stroke before it is resampled: the more, the shorter it becomes
DILATED, SAMPLED = 72, 40       # points after stretching; of an example
SCALE, SHEAR = 0.4, 0.75        # ranges of the factor around 1, and of the tilt around 0
MOST_SHIFT = 48                 # points
CORRELATED, SIGMA = 0.25, 2.0   # noise beside the stroke: before smoothing; of the Gaussian, in points
INDEPENDENT = 0.02              # noise everywhere


def mnist1d(rng: Random = None, m: int = 4000, m_test: int = 1000, dtype: DType = np.float32) -> Halves:
    """(x, y), (x_test, y_test): x (m, 40), y (m,) int64 from 0 to 9; equal for equal seeds.

    Classes are as equally large as m allows, in random order; m_test examples are drawn after the m.
    Differs: the published file has other examples (NumPy's generator of 2020, seed 42) of the same distribution.
    """
    count("mnist1d", "m", m)
    count("mnist1d", "m_test", m_test)
    rng = random.generator(rng)
    return _drawn(m, rng, dtype), _drawn(m_test, rng, dtype)


def _drawn(m, rng, dtype):
    y = rng.permutation(np.arange(m) % 10)
    x, stroke = _stretched(_normalized(STROKES)[y], rng)
    x *= rng.uniform(1 - SCALE / 2, 1 + SCALE / 2, size=(m, 1))
    shift = (np.arange(DILATED) - rng.integers(MOST_SHIFT, size=(m, 1))) % DILATED
    x, stroke = np.take_along_axis(x, shift, axis=1), np.take_along_axis(stroke, shift, axis=1)
    x = np.where(stroke, x, _smoothed(CORRELATED * rng.standard_normal((m, DILATED))))
    x += INDEPENDENT * rng.standard_normal((m, DILATED))
    x -= rng.uniform(-SHEAR / 2, SHEAR / 2, size=(m, 1)) * np.linspace(-0.5, 0.5, DILATED)
    return _at(x, np.linspace(0, DILATED - 1, SAMPLED)).astype(dtype), y.astype(np.int64)


def _normalized(strokes):
    """Mean 0 and variance 1, then each from 0 on, a sixth as high."""
    whitened = (strokes - strokes.mean(axis=1, keepdims=True)) / strokes.std(axis=1, keepdims=True)
    return (whitened - whitened[:, :1]) / 6


def _stretched(strokes, rng):
    """Strokes with 36 to 60 zeros behind them, at 72 equal steps; and where the stroke is. (m, 12) -> (m, 72) twice."""
    m, points = strokes.shape
    padding = rng.integers(PADDING[0], PADDING[1] + 1, size=(m, 1))
    places = np.linspace(0, 1, DILATED) * (points + padding - 1)             # (m, 72)
    padded = np.pad(strokes, ((0, 0), (0, PADDING[1])))
    return _at(padded, places), places < points


def _at(x, places):
    """x (m, n) between its points, linearly: places (k,) or (m, k) in [0, n - 1] -> (m, k)."""
    places = np.broadcast_to(places, (len(x), places.shape[-1]))
    left = np.minimum(places.astype(np.int64), x.shape[1] - 2)
    share = places - left
    return (1 - share) * np.take_along_axis(x, left, axis=1) + share * np.take_along_axis(x, left + 1, axis=1)


def _smoothed(x):
    """x (m, n) convolved with a Gaussian, mirrored at its ends."""
    reach = int(4 * SIGMA)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (reach, reach)), "symmetric"), 2 * reach + 1,
                                                       axis=1)
    return windows @ (weights / weights.sum())
