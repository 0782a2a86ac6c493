"""Toy sets in the plane, drawn anew for every call: spirals, moons, blobs, xor (classes) and sine (regression).

Each takes the number of examples m, the noise (standard deviation of the normal noise added to x; for sine to y) and
rng, and returns x (m, 2) or (m, 1) and the labels y (m,) int64, or for sine the values y (m, 1). dtype: of the floats.
Classes are as equally large as m allows, in random order: `data.stream(data.toy.moons, batch_size=32)` is a stream of
fresh examples.
"""
import numpy as np

from minigrad import random
from minigrad.arguments import count, number


def spirals(m, noise=0.02, rng=None, classes=2, turns=1.0, dtype=np.float32):
    """Interleaved spirals from the centre out to radius 1, each `turns` times around."""
    rng = _checked("spirals", m, noise, rng, classes)
    y = _labels(m, classes, rng)
    radius = rng.uniform(0.05, 1, size=m)
    angle = 2 * np.pi * (turns * radius + y / classes)
    return _noisy(radius[:, None] * _on_circle(angle), noise, rng, dtype), y


def moons(m, noise=0.1, rng=None, dtype=np.float32):
    """Two half circles of radius 1, the second upside down with its centre at (1, 0.5)."""
    rng = _checked("moons", m, noise, rng)
    y = _labels(m, 2, rng)
    upper = _on_circle(rng.uniform(0, np.pi, size=m))
    lower = [1, 0.5] - upper
    return _noisy(np.where(y[:, None] == 0, upper, lower), noise, rng, dtype), y


def blobs(m, noise=0.2, rng=None, classes=3, dtype=np.float32):
    """Normal clouds of standard deviation `noise`, their centres equally spaced on the unit circle."""
    rng = _checked("blobs", m, noise, rng, classes)
    y = _labels(m, classes, rng)
    return _noisy(_on_circle(2 * np.pi * y / classes), noise, rng, dtype), y


def xor(m, noise=0.0, rng=None, dtype=np.float32):
    """Uniform in [-1, 1] x [-1, 1]; class 1 where the coordinates (before the noise) have opposite signs."""
    rng = _checked("xor", m, noise, rng)
    y = _labels(m, 2, rng)
    x = rng.uniform(0, 1, size=(m, 2))
    sign = rng.choice([-1, 1], size=m)
    return _noisy(x * np.stack([sign, np.where(y == 1, -sign, sign)], axis=1), noise, rng, dtype), y


def sine(m, noise=0.1, rng=None, dtype=np.float32):
    """Regression: x (m, 1) uniform in [-pi, pi], y (m, 1) = sin(x) + noise."""
    rng = _checked("sine", m, noise, rng)
    x = rng.uniform(-np.pi, np.pi, size=(m, 1))
    return x.astype(dtype), _noisy(np.sin(x), noise, rng, dtype)


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
