"""Objectives and a stand-in for model.parameters(), so that these tests need no engine."""
import numpy as np
import pytest


class Vector:
    """theta and g cut into named slices, as optimizers want them; `backward(grad)` stores as backward does."""

    def __init__(self, theta, sizes):
        self.theta, self.g = theta, np.full_like(theta, np.nan)
        names, ends = list(sizes), np.cumsum(list(sizes.values()))
        self.slices = {name: slice(int(end) - size, int(end)) for name, end, size in zip(names, ends, sizes.values())}
        self.unwritten, self.changes = set(names), 0

    def zero_grad(self):
        self.unwritten = set(self.slices)

    def changed(self):
        self.changes += 1

    def backward(self, grad, but=()):
        """g <- grad(theta) everywhere but in the slices `but`, which stay without a gradient."""
        g = grad(self.theta)
        for name, part in self.slices.items():
            if name not in but:
                self.g[part] = g[part]
                self.unwritten.discard(name)


class Quadratic:
    """J = theta . A theta / 2 - b . theta, A diagonal with eigenvalues 0.1 ... 10."""

    def __init__(self, n, dtype=np.float64):
        self.a = np.logspace(-1, 1, n).astype(dtype)
        self.b = np.linspace(-1, 1, n).astype(dtype)

    def value(self, theta):
        return float(theta @ (self.a * theta) / 2 - self.b @ theta)

    def grad(self, theta):
        return self.a * theta - self.b


@pytest.fixture
def vector():
    """vector(theta, sizes): default theta of 6 numbers in slices w (3), b (2), c (1)."""
    def make(theta=None, sizes=None, dtype=np.float64):
        theta = np.linspace(-1.5, 2.0, 6).astype(dtype) if theta is None else theta
        return Vector(theta, sizes or {"0.w": 3, "0.b": 2, "1.w": 1})
    return make


@pytest.fixture
def quadratic():
    return Quadratic
