"""The compiled elementwise kernels: values, NaN, bits for every number of threads, guard bands, refusals."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

kernel = pytest.importorskip("minigrad_ext.elementwise")
runtime = pytest.importorskip("minigrad_ext.runtime")
special = pytest.importorskip("scipy.special")


@dataclass(frozen=True)
class Meaning:
    """What a kernel computes, in a wider type; `room`: how far it may be from it, in epsilons."""
    inputs: int
    value: Callable[..., Any]
    room: Callable[..., Any]


MEANING = {
    "relu": Meaning(1, lambda x: np.where(x < 0, 0, x), room=lambda x: 0 * x),
    "relu_gate": Meaning(2, lambda g, y: np.where(y <= 0, 0, g), room=lambda g, y: 0 * g),
    "sigmoid": Meaning(1, special.expit, room=lambda x: 4 * special.expit(x)),
    "sigmoid_gate": Meaning(2, lambda g, y: g * y * (1 - y), room=lambda g, y: 3 * np.abs(g * y) * (1 + np.abs(y))),
    "tanh_gate": Meaning(2, lambda g, y: g * (1 - y * y), room=lambda g, y: 3 * np.abs(g) * (1 + y * y)),
}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", MEANING)
def test_values_bits_and_borders(name, dtype):
    meaning = MEANING[name]
    rng = np.random.default_rng(0)
    for n in (0, 1, 3, 16, 17, 63, 1000, 4097, 200_003):
        x = [(3 * rng.standard_normal(n)).astype(dtype) for _ in range(meaning.inputs)]
        wide = [z.astype("f8") for z in x]
        bits = set()
        for number in (1, 2, 3, 4):
            runtime.set_num_threads(number)
            raw = np.full(128 + n * x[0].itemsize, 0xA5, np.uint8)
            out = raw[64:len(raw) - 64].view(dtype)
            getattr(kernel, name)(*x, out)
            assert (raw[:64] == 0xA5).all() and (raw[len(raw) - 64:] == 0xA5).all()
            bits.add(out.tobytes())
        assert len(bits) == 1
        assert (np.abs(out - meaning.value(*wide)) <= np.finfo(dtype).eps * meaning.room(*wide)).all()


def test_nan_stays_nan_and_the_far_ends_are_exact():
    x, out = np.array([np.nan, -np.inf, np.inf, -1e4, 1e4, -0.0, 0.0], "f4"), np.empty(7, "f4")
    kernel.relu(x, out)
    assert np.isnan(out[0]) and out[1:].tolist() == [0, np.inf, 0, 1e4, 0, 0]
    kernel.sigmoid(x, out)
    assert np.isnan(out[0]) and out[1:].tolist() == [0, 1, 0, 1, 0.5, 0.5]
    kernel.relu_gate(np.arange(7, dtype="f4"), x, out)
    assert out.tolist() == [0, 0, 2, 0, 4, 0, 0]
    kernel.relu_gate(np.full(7, np.nan, "f4"), x, out)
    assert np.isnan(out).tolist() == [True, False, True, False, True, False, False]


X = np.ones((3, 4), "f4")


@pytest.mark.parametrize("name, arguments, words", [
    ("relu", (X, np.empty((4, 3), "f4")), "y must be of the shape of x (3, 4)"),
    ("relu", (X.T, np.empty((4, 3), "f4")), "x must be C-contiguous"),
    ("relu", (X, X), "share memory"),
    ("relu", (None, X), "x must be an array"),
    ("relu_gate", (X, X.astype("f8"), X.copy()), "y must be float32"),
    ("tanh_gate", (X, X[:2], X.copy()), "y must be of the shape of g"),
    ("sigmoid_gate", (X, X, None), "dx must be an array"),
    ("sigmoid", (np.ones(3, "i8"), np.empty(3)), "x must be float32 or float64"),
])
def test_refusals(name, arguments, words):
    with pytest.raises(ValueError) as error:
        getattr(kernel, name)(*arguments)
    assert name in str(error.value) and words in str(error.value)
