"""Toy sets, drawn anew for every call: spirals, moons, blobs, xor (classes in the plane), sine (regression), documents
(classes, sparse features).

Each takes the number of examples m and rng, all but documents the noise too (standard deviation of the normal noise
added to x; for sine to y), and returns x, (m, 2) in the plane, and labels y (m,) int64, for sine x (m, 1) and the
values y (m, 1). dtype: of the floats. Classes in the plane are as equally large as m allows, in random order:
`data.stream(data.toy.moons, batch_size=32)` is a stream of fresh examples.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import random
from minigrad.arguments import count, number
from minigrad.typing import Array, DType, Random


def spirals(m: int, noise: float = 0.02, rng: Random = None, classes: int = 2, turns: float = 1.0,
            dtype: DType = np.float32) -> tuple[Array, Array]:
    """Interleaved spirals from the centre out to radius 1, each `turns` times around."""
    rng = _checked("spirals", m, noise, rng, classes)
    y = _labels(m, classes, rng)
    radius = rng.uniform(0.05, 1, size=m)
    angle = 2 * np.pi * (turns * radius + y / classes)
    return _noisy(radius[:, None] * _on_circle(angle), noise, rng, dtype), y


def moons(m: int, noise: float = 0.1, rng: Random = None, dtype: DType = np.float32) -> tuple[Array, Array]:
    """Two half circles of radius 1, the second upside down with its centre at (1, 0.5)."""
    rng = _checked("moons", m, noise, rng)
    y = _labels(m, 2, rng)
    upper = _on_circle(rng.uniform(0, np.pi, size=m))
    lower = [1, 0.5] - upper
    return _noisy(np.where(y[:, None] == 0, upper, lower), noise, rng, dtype), y


def blobs(m: int, noise: float = 0.2, rng: Random = None, classes: int = 3,
          dtype: DType = np.float32) -> tuple[Array, Array]:
    """Normal clouds of standard deviation `noise`, their centres equally spaced on the unit circle."""
    rng = _checked("blobs", m, noise, rng, classes)
    y = _labels(m, classes, rng)
    return _noisy(_on_circle(2 * np.pi * y / classes), noise, rng, dtype), y


def xor(m: int, noise: float = 0.0, rng: Random = None, dtype: DType = np.float32) -> tuple[Array, Array]:
    """Uniform in [-1, 1] x [-1, 1]; class 1 where the coordinates (before the noise) have opposite signs."""
    rng = _checked("xor", m, noise, rng)
    y = _labels(m, 2, rng)
    x = rng.uniform(0, 1, size=(m, 2))
    sign = rng.choice([-1, 1], size=m)
    return _noisy(x * np.stack([sign, np.where(y == 1, -sign, sign)], axis=1), noise, rng, dtype), y


def sine(m: int, noise: float = 0.1, rng: Random = None, dtype: DType = np.float32) -> tuple[Array, Array]:
    """Regression: x (m, 1) uniform in [-pi, pi], y (m, 1) = sin(x) + noise."""
    rng = _checked("sine", m, noise, rng)
    x = rng.uniform(-np.pi, np.pi, size=(m, 1))
    return x.astype(dtype), _noisy(np.sin(x), noise, rng, dtype)


def documents(m: int, weights: Any, length: int = 20, exponent: float = 1.3, rng: Random = None,
              dtype: DType = np.float32) -> tuple[Array, Array]:
    """Bags of words of very unequal frequency: x (m, n), how often each of n = len(weights) words occurs in a document
    of `length`, and labels y (m,), 1 with the probability 1/(1 + exp(-x . weights)), else 0.

    Word i (from 1) is drawn with a probability in proportion to i^-exponent (Zipf's law): the first occur nearly
    everywhere, most hardly ever. weights (n,): what each word says of the label.
    """
    m, length = count("documents", "m", m), count("documents", "length", length)
    exponent, rng = number("documents", "exponent", exponent), random.generator(rng)
    weights = np.asarray(weights, float)
    if weights.ndim != 1 or not len(weights) or not np.isfinite(weights).all():
        raise ValueError(f"documents: weights must be finite, (n,), a number for each word, got shape {weights.shape}")
    frequency = np.arange(1.0, len(weights) + 1) ** -exponent
    words = rng.choice(len(weights), size=(m, length), p=frequency / frequency.sum())
    x = np.zeros((m, len(weights)))
    np.add.at(x, (np.arange(m)[:, None], words), 1.0)
    y = (rng.random(m) < 1 / (1 + np.exp(-x @ weights))).astype(np.int64)
    return x.astype(dtype), y


def _checked(name, m, noise, rng, classes=2):
    count(name, "m", m)
    number(name, "noise", noise, "[0, inf)")
    count(name, "classes", classes)
    return random.generator(rng)


def _labels(m, classes, rng):
    """0, 1, ..., classes - 1, equally often to within one, in random order"""
    return rng.permutation((rng.permutation(classes)[np.arange(m) % classes]).astype(np.int64))


def _on_circle(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _noisy(x, noise, rng, dtype):
    return (x + noise * rng.normal(size=x.shape)).astype(dtype)
