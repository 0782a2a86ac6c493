"""detect_anomaly: planted faults are traced to their op and line; raw writes are caught; nothing stays behind."""
import inspect
import threading

import numpy as np
import pytest

from minigrad import losses, nn, ops
from minigrad.core import grad, no_grad, tensor, watch, watchers
from minigrad.diagnostics import anomaly
from minigrad.diagnostics.anomaly import detect_anomaly
from minigrad.optim import NonFiniteError


def line_of(function, text):
    """file:number of the line of `function` that holds `text`."""
    lines, start = inspect.getsourcelines(function)
    return f"{inspect.getsourcefile(function)}:{start + next(i for i, line in enumerate(lines) if text in line)}: "


class TenLayers(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(5, 5, rng=i) for i in range(10)]

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = ops.tanh(layer(x))
            if i == 6:
                x = ops.log(x)                # of numbers below zero
        return x


def test_a_planted_nan_in_a_net_of_ten_layers_is_traced_to_op_and_line():
    model, x = TenLayers(), np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    with pytest.raises(NonFiniteError) as error, detect_anomaly():
        losses.cross_entropy(model(tensor(x)), np.zeros(4, int)).backward()
    message = str(error.value)
    assert message.startswith("detect_anomaly: log made ") and "NaN of 20 values" in message
    assert line_of(TenLayers.forward, "ops.log(x)") + "x = ops.log(x)" in message
    assert "its arguments: (4, 5) from -" in message


def test_a_nan_of_the_backward_pass_is_traced_to_the_line_of_its_forward():
    def forward(x):
        y = ops.sqrt(x)                       # derivative at 0: infinite
        return ops.sum(y * 2)
    x = tensor([0.0, 1.0], requires_grad=True)
    with pytest.raises(NonFiniteError) as error, detect_anomaly():
        forward(x).backward()
    assert "the backward pass of sqrt made 1 Inf of 2 values" in str(error.value)
    assert line_of(forward, "ops.sqrt(x)") in str(error.value)


def test_a_fused_backward_that_writes_into_the_gradient_itself_is_seen():
    model = nn.Linear(3, 2, rng=0)
    with pytest.raises(NonFiniteError, match="backward pass of linear"), detect_anomaly():
        y = model(tensor(np.full((4, 3), 1e30, np.float32)))
        y.backward(np.full((4, 2), 1e30, np.float32))


def test_data_that_was_bad_from_the_start_is_named_as_such():
    x = tensor(np.array([[1, 2, 3], [4, np.nan, 6]], np.float32))
    with pytest.raises(NonFiniteError, match="linear made .*; argument 0 already held 1 NaN of 6"), detect_anomaly():
        nn.Linear(3, 2, rng=0)(x)


def test_constants_and_no_grad_are_watched_too():
    with pytest.raises(NonFiniteError, match="exp made 1 Inf"), detect_anomaly(), no_grad():
        ops.exp(tensor([1000.0], requires_grad=True))
    with pytest.raises(NonFiniteError, match="divide"), detect_anomaly():
        tensor([1.0]) / tensor([0.0])


def test_infinities_may_pass():
    with detect_anomaly(infinities=False):
        masked = ops.softmax(tensor([[1.0, -np.inf]], requires_grad=True) + 0.0)
        np.testing.assert_allclose(masked.data, [[1, 0]])
        with pytest.raises(NonFiniteError, match="log made 1 NaN"):
            ops.log(tensor([-1.0]))


def test_raw_writes_into_saved_arrays_are_caught():
    x, w = tensor([1.0, 2.0], requires_grad=True), tensor([3.0, 4.0], requires_grad=True)
    with detect_anomaly():
        y = ops.sum(x * w)
        w.data[0] = 100                       # behind the engine's back
        with pytest.raises(RuntimeError, match="multiply saved its argument 1 .* written to since.*test_anomaly"):
            y.backward()
    x = tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        h = ops.exp(x)
        y = ops.sum(h)
        h.data[...] = 0
        with pytest.raises(RuntimeError, match="saved its (argument 0|result)"):
            y.backward()


def test_what_is_right_passes_with_the_same_numbers():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 8, rng=0), nn.ReLU(), nn.Linear(8, 3, rng=1))
    parameters, x, y = model.parameters(), tensor(rng.standard_normal((9, 6)), np.float32), rng.integers(0, 3, 9)
    losses.cross_entropy(model(x), y).backward()
    expected = parameters.g.copy()
    parameters.zero_grad()
    with detect_anomaly():
        losses.cross_entropy(model(x), y).backward()
        gs = grad(losses.cross_entropy(model(x), y), list(parameters), create_graph=True)
        grad(sum((g * g).sum() for g in gs), list(parameters))
    assert np.array_equal(parameters.g, expected)


def test_nothing_stays_behind():
    with detect_anomaly() as outer:
        with pytest.raises(ZeroDivisionError), detect_anomaly():
            raise ZeroDivisionError
        assert watch.get() == outer.watch
        other = []
        thread = threading.Thread(target=lambda: other.append(watch.get()))
        thread.start()
        thread.join()
        assert other == [None]                # a matter of this thread
    assert watch.get() is None and watchers == []
    with np.errstate(all="ignore"):
        assert np.isnan(ops.log(tensor([-1.0])).data).all()


def test_infinities_is_a_flag():
    with pytest.raises(ValueError, match="detect_anomaly: infinities must be True or False, got 'no'"):
        detect_anomaly(infinities="no")


def test_of_very_many_calls_the_oldest_are_forgotten(monkeypatch):
    monkeypatch.setattr(anomaly, "REMEMBERED", 5)
    with detect_anomaly() as watching:
        y = x = tensor([0.0], requires_grad=True)
        for _ in range(20):
            y = y + 1
        y = ops.sqrt(y - 20)                  # at 0: the gradient is infinite
        assert len(watching.lines) == len(watching.sums) == 5
        with pytest.raises(NonFiniteError, match=r"backward pass of sqrt .* called in .*y = ops\.sqrt\(y - 20\)"):
            y.backward()
    with detect_anomaly():
        y = ops.sqrt(x)
        for _ in range(20):
            y = y + 1
        with pytest.raises(NonFiniteError, match="backward pass of sqrt .* called in a line outside detect_anomaly"):
            y.backward()


def test_a_forward_pass_outside_is_said_to_be_unknown():
    y = ops.sum(ops.sqrt(tensor([0.0], requires_grad=True)))
    with pytest.raises(NonFiniteError, match="sqrt made 1 Inf of 1 value, called in a line outside"), detect_anomaly():
        y.backward()
