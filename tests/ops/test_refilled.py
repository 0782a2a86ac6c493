"""Index arrays, masks and labels that are refilled between forward and backward, as buffers are.

The gradient is that of the values at the time of the call.
"""
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minigrad import Tensor, losses, ops
from minigrad.core import grad, tensor

RNG = np.random.default_rng(0)
TABLE, ROWS, IMAGES = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 5)), RNG.standard_normal((2, 4, 4, 1))
LABELS = np.array([0, 3, 1, 4])
MASK = np.array([True, False, True, False])


@dataclass(frozen=True)
class Case:
    """A function of x and a buffer, and both."""
    function: Callable[[Any, Any], Tensor]
    x: np.ndarray
    buffer: np.ndarray


CASES = {
    "x[i]": Case(lambda x, i: x[i], TABLE, LABELS),
    "x[i, j]": Case(lambda x, i: x[:, 0][i], TABLE, LABELS),
    "x[(i, slice)]": Case(lambda x, i: x[i, 1:], TABLE, LABELS),
    "x[i, None]": Case(lambda x, i: x[(i, None)], TABLE, LABELS),
    "x[i32]": Case(lambda x, i: x[i], TABLE, LABELS.astype(np.int32)),
    "x[Tensor]": Case(lambda x, i: x[Tensor(i)], TABLE, LABELS),
    "x[mask]": Case(lambda x, m: x[m], ROWS, MASK),
    "x[2-d mask]": Case(lambda x, m: x[m], TABLE, TABLE > 0),
    "scatter": Case(lambda x, i: ops.scatter(x, i, (6, 5)), ROWS, LABELS),
    "where": Case(lambda x, m: ops.where(m[:, None], x, 2 * x), ROWS, MASK),
    "where Tensor": Case(lambda x, m: ops.where(Tensor(m)[:, None], 0.0, x), ROWS, MASK),
    "x * mask": Case(lambda x, m: x * m[:, None], ROWS, MASK),
    "x * integers": Case(lambda x, i: x * i[:, None], ROWS, LABELS),
    "x / int Tensor": Case(lambda x, i: x / Tensor(i)[:, None], ROWS, LABELS + 1),
    "x ** integers": Case(lambda x, i: x ** i[:, None], np.abs(ROWS), LABELS),
    "embedding": Case(ops.embedding, TABLE, LABELS),
    "repeat": Case(lambda x, n: ops.repeat(x, n, axis=0), ROWS, LABELS),
    "clip": Case(lambda x, i: ops.clip(x, -i[:, None].astype(float), None), ROWS, LABELS),
    "clip by floats": Case(lambda x, a: ops.clip(x, a, None), ROWS, -ROWS[::-1]),
    "split": Case(lambda x, i: ops.split(x, i)[1], ROWS, np.array([1, 3])),
    "cross_entropy": Case(lambda x, i: losses.cross_entropy(x, i), ROWS, LABELS),
    "cross_entropy int32": Case(lambda x, i: losses.cross_entropy(x, i), ROWS, LABELS.astype(np.int32)),
    "cross_entropy Tensor": Case(lambda x, i: losses.cross_entropy(x, Tensor(i)), ROWS, LABELS),
    "smoothed": Case(lambda x, i: losses.cross_entropy(x, i, label_smoothing=0.1), ROWS, LABELS),
    "weighted": Case(lambda x, i: losses.cross_entropy(x, i, weights=[1, 2, 3, 4, 5]), ROWS, LABELS),
    "weights": Case(lambda x, w: losses.cross_entropy(x, LABELS, weights=w), ROWS, np.arange(1.0, 6.0)),
    "hinge": Case(lambda x, i: losses.hinge(x, i), ROWS, LABELS),
    "binary_cross_entropy": Case(lambda x, t: losses.binary_cross_entropy(x, t), ROWS, (ROWS > 0).astype(float)),
    "binary, of truth values": Case(lambda x, t: losses.binary_cross_entropy(x, t), ROWS, ROWS > 0),
    "kl_divergence": Case(lambda x, p: losses.kl_divergence(x, p), ROWS, np.eye(5)[LABELS]),
    "mean_squared_error": Case(lambda x, t: losses.mean_squared_error(x, t), ROWS, np.arange(20).reshape(4, 5)),
    "huber": Case(lambda x, t: losses.huber(x, t), ROWS, ROWS[::-1] ** 2),
    "fractional pooling": Case(lambda x, u: ops.fractional_max_pool2d(x, 3, samples=u), IMAGES, np.array([0.2, 0.7])),
}


@pytest.mark.parametrize("name", CASES)
def test_a_buffer_may_be_refilled_before_the_backward(name):
    case = CASES[name]
    expected = tensor(case.x, requires_grad=True)
    y = case.function(expected, case.buffer.copy())
    u = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(u)
    refilled, mine = tensor(case.x, requires_grad=True), case.buffer.copy()
    y = case.function(refilled, mine)
    mine[...] = ~mine if mine.dtype == bool else mine[::-1].copy()
    y.backward(u)
    np.testing.assert_array_equal(refilled.grad, expected.grad)


@pytest.mark.parametrize("name", ["x[i]", "scatter", "where", "cross_entropy", "embedding"])
def test_and_before_the_second_derivative(name):
    case, seconds = CASES[name], []
    for refill in (False, True):
        leaf, mine = tensor(case.x, requires_grad=True), case.buffer.copy()
        g = grad(ops.sum(case.function(leaf, mine) ** 3), leaf, create_graph=True)
        if refill:
            mine[...] = ~mine if mine.dtype == bool else mine[::-1].copy()
        seconds.append(grad(ops.sum(g * g), leaf).data)
    np.testing.assert_array_equal(*seconds)


def test_labels_that_a_thread_overwrites_during_the_call_are_a_value_error_or_a_result():
    """The kernel is handed a copy: what was checked is what it reads (10 ** 13 was a bus error)."""
    x, labels, stop = tensor(np.zeros((20_000, 3)), requires_grad=True), np.zeros(20_000, np.int64), threading.Event()

    def overwrite():
        while not stop.is_set():
            labels[...] = 10**13
            labels[...] = 0
    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        for _ in range(60):
            try:
                losses.cross_entropy(x, labels).backward()
            except ValueError as error:
                assert "labels" in str(error)
    finally:
        stop.set()
        thread.join()
    assert x.grad is None or np.isfinite(x.grad).all()
