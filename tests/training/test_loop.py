"""fit: equal to the loop by hand, how far it goes, accumulation, Ctrl-C, losses that are not finite, callbacks."""
import errno
import json
import os
import signal
import sys
import threading
import time
from functools import partial
from math import isfinite

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, ops, optim, training
from minigrad.data import batches, stream, toy

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(50, 4)), rng.integers(0, 3, size=50)


def net(norm=False, dtype=np.float64, activation=ops.tanh):
    layers = [nn.Linear(4, 6, rng=1, dtype=dtype)] + ([nn.BatchNorm(6, dtype=dtype)] if norm else [])
    return nn.Sequential(*layers, activation, nn.Linear(6, 3, rng=2, dtype=dtype))


def fit(model, optimizer, data, **options):
    return training.fit(model, losses.cross_entropy, optimizer, data, progress=False, **options)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Nesterov, optim.Adam])
def test_fit_is_the_loop_by_hand(kind):
    model = net(norm=True)
    optimizer = kind(model.parameters(), lr=0.05)
    run = fit(model, optimizer, batches(X, Y, batch_size=8, rng=3), epochs=3)
    by_hand, found = net(norm=True), []
    opt = kind(by_hand.parameters(), lr=0.05)
    data = batches(X, Y, batch_size=8, rng=3)
    for _ in range(3):
        for x, y in data:
            loss = losses.cross_entropy(by_hand(mg.Tensor(x)), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            found.append(loss.item())
    assert list(run.losses) == found
    with opt.at_theta() as theta:
        assert np.array_equal(model.parameters().theta, theta)
    assert np.array_equal(model[1].running_var, by_hand[1].running_var)
    assert (run.epoch, run.steps, run.examples, run.reason) == (3, 21, 150, "finished")


@pytest.mark.parametrize("kind", [optim.Nesterov, optim.RMSPropNesterov, optim.Momentum])
def test_after_fit_the_parameters_are_at_theta_and_another_fit_goes_on(kind):
    def parts():
        model = net()
        return model, kind(model.parameters(), lr=0.01), batches(X, Y, batch_size=8, rng=3)

    model, optimizer, data = parts()
    run = fit(model, optimizer, data, epochs=2, validation=(X, Y))
    assert training.evaluate(model, losses.cross_entropy, X, Y).loss == run.history[-1]["validation_loss"]
    fit(model, optimizer, data, epochs=2)
    whole, optimizer, data = parts()
    fit(whole, optimizer, data, epochs=4)
    assert np.array_equal(model.parameters().theta, whole.parameters().theta)


def test_an_epochs_loss_is_the_mean_over_its_examples():
    model = net()
    run = fit(model, optim.SGD(model.parameters(), lr=0.0), batches(X, Y, batch_size=16, rng=0), epochs=1)
    assert run.history[0]["loss"] == pytest.approx(training.evaluate(model, losses.cross_entropy, X, Y).loss, rel=1e-12)


def test_the_time_of_an_epoch_is_its_own_and_so_is_the_rate(tmp_path):
    """seconds: of the whole epoch, all epochs together not more than went by; examples_per_second: of what this process
    has done of the epoch, in its time."""
    def data():
        return batches(X, Y, batch_size=8, rng=0)

    def go(steps, **options):
        model = net()
        began = time.perf_counter()
        run = fit(model, optim.SGD(model.parameters(), lr=0.1), data(), steps=steps, **options)
        return run, time.perf_counter() - began

    run, elapsed = go(28, callbacks=[training.Checkpoint(tmp_path / "run", every_epochs=None)])
    assert 0 < sum(figures["seconds"] for figures in run.history) <= elapsed
    for figures in run.history:
        assert figures["examples_per_second"] * figures["seconds"] == pytest.approx(50)
    go(10, callbacks=[training.Checkpoint(tmp_path / "run", every_epochs=None)])
    saved = json.loads(mg.files.load_tensors(tmp_path / "run")[0]["json"].tobytes())["run"]["clock"]
    run, elapsed = go(14, resume=tmp_path / "run")
    assert 0 < saved < run.history[1]["seconds"] <= saved + elapsed
    rest = run.history[1]["examples_per_second"] * (run.history[1]["seconds"] - saved)
    assert rest == pytest.approx(50 - 3 * 8)


@pytest.mark.parametrize("k", [2, 3, 100])
def test_unequal_micro_batches_equal_one_batch(k):
    """Classic bug 35. 50 examples as 7 batches of 7 and one of 1, k of them to a step."""
    model, whole = net(), net()
    run = fit(model, optim.Momentum(model.parameters(), lr=0.1), batches(X, Y, batch_size=7, shuffle="as stored"),
              epochs=2, accumulate=k)
    parts = [(X[i:i + 7 * k], Y[i:i + 7 * k]) for i in range(0, 50, 7 * k)]
    other = fit(whole, optim.Momentum(whole.parameters(), lr=0.1), parts, epochs=2)
    assert run.steps == other.steps == 2 * len(parts)
    np.testing.assert_allclose(model.parameters().theta, whole.parameters().theta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(run.losses, other.losses, rtol=1e-12)


@pytest.mark.parametrize("loss, y", [
    (partial(losses.cross_entropy, weights=[1, 9, 0.5]), Y), (partial(losses.cross_entropy, reduction="sum"), Y),
    (partial(losses.cross_entropy, weights=[0, 2, 0]), Y),
    (losses.mean_squared_error, rng.normal(size=(50, 3))), (partial(losses.huber, reduction="sum"), np.ones((50, 3))),
])
@pytest.mark.parametrize("k, size", [(2, 25), (2, 7), (3, 20), (100, 1)])
def test_accumulated_losses_with_a_denominator_of_their_own_equal_one_batch(loss, y, k, size):
    """50 examples in batches of `size` (a smaller last one), k of them to a step; PyTorch's trap of a mean of means."""
    model, whole = net(), net()
    run = training.fit(model, loss, optim.Momentum(model.parameters(), lr=0.01),
                       batches(X, y, batch_size=size, shuffle="as stored"), epochs=2, accumulate=k, progress=False)
    other = training.fit(whole, loss, optim.Momentum(whole.parameters(), lr=0.01),
                         batches(X, y, batch_size=k * size, shuffle="as stored"), epochs=2, progress=False)
    np.testing.assert_allclose(run.losses, other.losses, rtol=1e-12)
    np.testing.assert_allclose(model.parameters().theta, whole.parameters().theta, rtol=1e-11, atol=1e-14)
    for found, wanted in zip(run.history, other.history):
        assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-12)
        assert found["steps"] == wanted["steps"]


def test_an_epochs_loss_has_the_denominator_of_its_loss():
    """The model stands still: the epoch's loss is the one of the whole set, whatever the batches."""
    for loss in (partial(losses.cross_entropy, weights=[1, 9, 0.5]), partial(losses.cross_entropy, reduction="sum")):
        model = net()
        run = training.fit(model, loss, optim.SGD(model.parameters(), lr=0.0), batches(X, Y, batch_size=16, rng=0),
                           epochs=1, progress=False)
        assert run.history[0]["loss"] == pytest.approx(loss(model(mg.Tensor(X)), Y).item(), rel=1e-12)


@pytest.mark.parametrize("m", [1, 5])
def test_accumulation_without_a_length(m):
    model, whole = net(), net()
    def parts():
        return ((X[i:i + m], Y[i:i + m]) for i in range(0, 50, m))
    run = fit(model, optim.SGD(model.parameters(), lr=0.1), parts(), epochs=1, accumulate=4)
    fit(whole, optim.SGD(whole.parameters(), lr=0.1), batches(X, Y, batch_size=4 * m, shuffle="as stored"), epochs=1)
    assert run.steps == -(-50 // (4 * m)) and run.examples == 50
    np.testing.assert_allclose(model.parameters().theta, whole.parameters().theta, rtol=1e-12, atol=1e-14)


def test_accumulation_with_batch_norm_is_not_one_batch():
    model, whole = net(norm=True), net(norm=True)
    fit(model, optim.SGD(model.parameters(), lr=0.1), [(X[:25], Y[:25]), (X[25:], Y[25:])], epochs=1, accumulate=2)
    fit(whole, optim.SGD(whole.parameters(), lr=0.1), [(X, Y)], epochs=1)
    assert np.abs(model.parameters().theta - whole.parameters().theta).max() > 1e-4


@pytest.mark.parametrize("kind", [optim.LBFGS, optim.Newton, optim.VSGD, optim.PRONG])
def test_methods_that_need_an_objective_get_one(kind):
    model = nn.Sequential(nn.Linear(4, 3, rng=0, dtype=np.float64))
    optimizer = kind(model.parameters())
    run = fit(model, optimizer, [(X, Y)], epochs=10)
    by_hand = nn.Sequential(nn.Linear(4, 3, rng=0, dtype=np.float64))
    opt = kind(by_hand.parameters())
    values = [float(opt.step(mg.Objective(by_hand, losses.cross_entropy, X, Y))) for _ in range(10)]
    assert list(run.losses) == values and values[-1] < values[0]
    grouped = nn.Sequential(nn.Linear(4, 3, rng=0, dtype=np.float64))
    parts = [(X[:20], Y[:20]), (X[20:21], Y[20:21]), (X[21:], Y[21:])]
    run = fit(grouped, kind(grouped.parameters()), parts, epochs=10, accumulate=3)
    assert list(run.losses) == values


def test_an_objectives_step_moves_running_averages_and_draws_new_masks():
    model = nn.Sequential(nn.Linear(4, 6, rng=0), nn.BatchNorm(6), nn.Dropout(0.5, rng=1), nn.Linear(6, 3, rng=2))
    before = model[2].rng.bit_generator.state
    fit(model, optim.LBFGS(model.parameters()), [(X.astype(np.float32), Y)], steps=2)
    assert model[1].running_mean.any() and model[2].rng.bit_generator.state != before


# ---- how far

def test_epochs_and_steps_count_in_all():
    for epochs, steps, *at in ((2, None, 2, 14), (None, 9, 1, 9), (5, 14, 2, 14), (1, 100, 1, 7), (0, None, 0, 0)):
        for data in (batches(X, Y, batch_size=8, rng=0), [(X[i:i + 8], Y[i:i + 8]) for i in range(0, 50, 8)]):
            model = net()
            run = fit(model, optim.SGD(model.parameters(), lr=0.1), data, epochs=epochs, steps=steps)
            assert [run.epoch, run.steps] == at, (epochs, steps)
            assert len(run.history) == run.epoch and len(run.losses) == run.steps


def test_the_last_step_of_an_epoch_completes_it_also_when_the_last_batch_is_dropped():
    model, data = net(), batches(X, Y, batch_size=8, rng=0, drop_last=True)
    run = fit(model, optim.SGD(model.parameters(), lr=0.1), data, steps=6, validation=(X, Y))
    assert run.epoch == 1 and "validation_error" in run.history[0] and data.state()["position"] == 0


def test_streams_and_iterators():
    model = nn.Sequential(nn.Linear(2, 2, rng=0))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    run = fit(model, optimizer, stream(toy.moons, batch_size=8, rng=0), steps=12)
    assert (run.epoch, run.steps, run.examples) == (0, 12, 96)
    once = ((x, y) for x, y in [toy.moons(8, rng=0)] * 3)
    with pytest.raises(ValueError, match=r"epoch 2 has no batches \(an iterator"):
        fit(model, optimizer, once, epochs=2)
    run = fit(model, optimizer, batches(*toy.moons(100, rng=1), batch_size=lambda k: 5 * k, rng=0), epochs=2)
    assert run.steps == 6 + 3 and run.examples == 200


@pytest.mark.parametrize("data", ["list", "stream of arrays", "stream of draws"])
def test_resume_in_the_middle_of_an_epoch_with_other_data(data, tmp_path):
    def draw(m, rng):
        return rng.normal(size=(m, 4)), rng.integers(0, 3, size=m)

    def go(steps, **options):
        source = {"list": lambda: [(X[i:i + 4], Y[i:i + 4]) for i in range(0, 50, 4)],
                  "stream of arrays": lambda: stream(X, Y, batch_size=4, rng=1),
                  "stream of draws": lambda: stream(draw, batch_size=4, rng=1)}[data]()
        model = net()
        run = fit(model, optim.Adam(model.parameters(), lr=0.1), source, steps=steps, **options)
        return model.parameters().theta, list(run.losses)

    theta, log = go(12)
    for n in (0, 1, 5, 12):
        go(n, callbacks=[training.Checkpoint(tmp_path / str(n))])
        resumed, its_log = go(12, resume=tmp_path / str(n))
        assert np.array_equal(theta, resumed) and log == its_log


@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_resume_with_accumulation_at_every_step(accumulate, tmp_path):
    def go(**options):
        model = net(norm=True)
        run = fit(model, optim.Nesterov(model.parameters(), lr=0.05), batches(X, Y, batch_size=6, rng=1), epochs=2,
                  accumulate=accumulate, **options)
        return model.parameters().theta, list(run.losses), run

    class Stop(training.Callback):
        def __init__(self, at):
            self.at = at

        def step(self, run):
            if run.steps == self.at:
                run.stop("interrupted")

    theta, log, run = go()
    for n in range(1, run.steps + 1):
        go(callbacks=[Stop(n), training.Checkpoint(tmp_path / str(n))])
        resumed, its_log, again = go(resume=tmp_path / str(n))
        assert np.array_equal(theta, resumed) and log == its_log and again.reason == "finished", n
        assert [figures["loss"] for figures in run.history] == [figures["loss"] for figures in again.history]


def test_losses_below_zero_are_losses_too(tmp_path):
    def go(steps, **options):
        model = net()
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        return training.fit(model, lambda z, y: losses.cross_entropy(z, y) - 10, optimizer,
                            batches(X, Y, batch_size=8, rng=0), steps=steps, progress=False, **options)

    go(5, callbacks=[training.Checkpoint(tmp_path / "run")])
    resumed = go(10, resume=tmp_path / "run")
    assert resumed.losses == go(10).losses and resumed.total < 0


# ---- trouble

@pytest.mark.parametrize("kind", [optim.Nesterov, optim.Adam, optim.LBFGS])
@pytest.mark.parametrize("poison", ["x", "second micro-batch"])
def test_a_loss_that_is_not_finite_changes_nothing(kind, poison, tmp_path):
    model = net(norm=True)
    optimizer = kind(model.parameters()) if kind is optim.LBFGS else kind(model.parameters(), lr=0.05)
    good, bad = (X[:10], Y[:10]), (X[10:20].copy(), Y[10:20])
    bad[0][3, 1] = np.nan
    fit(model, optimizer, [good], epochs=3)

    def state():
        with optimizer.at_theta():
            parts = {**model.state_dict(), **optimizer.state_dict()}
        return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in parts.items()}

    before, live = state(), model.parameters().theta.tobytes()
    path = tmp_path / "checkpoint"
    with np.errstate(invalid="ignore"), pytest.raises(optim.NonFiniteError, match="loss is nan at step 1;"):
        fit(model, optimizer, [good, bad] if poison != "x" else [bad], epochs=1, accumulate=2,
            callbacks=[training.Checkpoint(path)])
    assert state() == before and model.parameters().theta.tobytes() == live
    assert not path.exists()                                         # the newest file is from before


def test_anomaly_mode_names_the_op_and_nothing_changed():
    from minigrad.diagnostics import detect_anomaly
    model = net(norm=True, activation=lambda x: ops.log(x - 50))
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    with np.errstate(all="ignore"), pytest.raises(optim.NonFiniteError):
        fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)], epochs=1)
    with np.errstate(all="ignore"), detect_anomaly(), pytest.raises(ArithmeticError, match="log"):
        fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)], epochs=1)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before


def test_a_gradient_that_is_not_finite_stops_optimizers_that_check():
    model = net(norm=True)
    before = {name: array.tobytes() for name, array in model.state_dict().items()}

    def finite_with_infinite_slope(output, y):
        return ops.sqrt(ops.sum(ops.square(output * 0.0)))

    with np.errstate(all="ignore"), pytest.raises(optim.NonFiniteError, match="gradient of .* is not finite at step 1"):
        training.fit(model, finite_with_infinite_slope, optim.Adam(model.parameters(), lr=0.1, check_finite=True),
                     [(X, Y)], epochs=1, progress=False)
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before


def test_the_check_of_the_loss_costs_next_to_nothing():
    """What fit does for it: `isfinite` of a float that is needed anyway, and copies of the buffers. 1 % of a step."""
    x, y = np.random.default_rng(0).normal(size=(64, 784)).astype(np.float32), np.zeros(64, int)
    model = nn.Sequential(nn.Linear(784, 64, rng=0), nn.BatchNorm(64), nn.ReLU(), nn.Linear(64, 10, rng=0))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    buffers = [(module, name) for _, module in model.modules() for name in module.buffers]

    def best(f, times=300):
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            f()
            seconds.append(time.perf_counter() - began)
        return min(seconds)

    def check():
        isfinite(1.5)
        return [getattr(module, name).copy() for module, name in buffers]

    def step():
        loss = losses.cross_entropy(model(mg.Tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert best(check) < 0.01 * best(step)


def test_gradient_clipping_in_the_loop():
    model = net()
    optimizer, clip = optim.SGD(model.parameters(), lr=1.0), training.ClipGradient(1e-3)
    before = model.parameters().theta.copy()
    fit(model, optimizer, [(X, Y)], epochs=1, callbacks=[clip])
    assert clip.norm > 1e-2
    assert np.linalg.norm(model.parameters().theta - before) == pytest.approx(1e-3, rel=1e-9)


class Log(training.Callback):
    def __init__(self, at=None, act=None):
        self.events, self.at, self.act = [], at, act

    def note(self, event, run):
        self.events.append(event)
        if self.at == (event, len(self.events)):
            self.act(run)

    def start(self, run):
        self.note("start", run)

    def gradient(self, run):
        self.note("gradient", run)

    def step(self, run):
        self.note("step", run)

    def epoch(self, run):
        self.note("epoch", run)

    def end(self, run):
        self.note("end", run)

    def close(self, run):
        self.note("close", run)


def test_callbacks_have_their_turns_and_an_end_also_after_errors():
    model, log = net(), Log()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    fit(model, optimizer, [(X, Y)] * 2, epochs=1, callbacks=[log])
    assert log.events == ["start", "gradient", "step", "gradient", "step", "epoch", "end", "close"]

    def fail(run):
        raise KeyError("planted")

    log = Log(("step", 3), fail)
    with pytest.raises(KeyError, match="planted"):
        fit(model, optimizer, [(X, Y)] * 2, epochs=1, callbacks=[log])
    assert log.events == ["start", "gradient", "step", "end", "close"]


class Fails(training.Callback):
    """Raises an error of its own at each of the events given."""

    def __init__(self, **errors):
        self.errors, self.seen = errors, []

    def _act(self, event, run):
        self.seen.append(event)
        if event in self.errors:
            raise self.errors[event]

    def start(self, run):
        self._act("start", run)

    def step(self, run):
        self._act("step", run)

    def end(self, run):
        self._act("end", run)

    def close(self, run):
        self._act("close", run)


@pytest.mark.parametrize("kind", [optim.Nesterov, optim.SGD])
@pytest.mark.parametrize("errors", [
    [{"end": OSError}], [{"close": OSError}], [{"end": OSError, "close": MemoryError}],
    [{"step": KeyError, "end": OSError}, {"end": ValueError, "close": RuntimeError}],
    [{}, {"start": KeyError, "end": KeyboardInterrupt}, {}], [{"step": SystemExit}, {"end": OSError}],
])
def test_whatever_fails_theta_is_back_and_the_first_error_comes_first(kind, errors):
    model, twin = net(), net()
    opt = kind(model.parameters(), lr=0.1)
    errors = [{event: error(event) for event, error in one.items()} for one in errors]
    callbacks = [Fails(**one) for one in errors]
    first, *others = [error for event in ("start", "step", "end", "close") for one in errors
                      for name, error in one.items() if name == event]
    with pytest.raises(type(first)) as caught:
        fit(model, opt, [(X, Y)], epochs=2, callbacks=callbacks)
    assert caught.value is first
    notes = getattr(first, "__notes__", [])
    assert len(notes) == len(others) and all(repr(error) in note for error, note in zip(others, notes))
    assert all("Fails." in note for note in notes)
    assert all(callback.seen[-2:] == ["end", "close"] for callback in callbacks)
    steps = 0 if "start" in {name for one in errors for name in one} else \
        1 if "step" in {name for one in errors for name in one} else 2
    other = kind(twin.parameters(), lr=0.1)
    fit(twin, other, [(X, Y)], steps=steps)
    assert np.array_equal(model.parameters().theta, twin.parameters().theta)
    fit(model, opt, [(X, Y)], steps=1)
    fit(twin, other, [(X, Y)], steps=1)
    assert np.array_equal(model.parameters().theta, twin.parameters().theta)       # the optimizer goes on from there


def test_a_disk_that_is_full_at_the_last_checkpoint_leaves_the_model_at_theta(tmp_path, monkeypatch):
    """The last step's parameters, not the best of early stopping: an exception ended the run."""
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(training.Callback):
        def epoch(self, run):
            if run.epoch == 3:
                monkeypatch.setattr("minigrad.files._write_all", full)

    model, whole = net(), net()
    stopping = training.EarlyStopping(patience=9, metric="validation_loss", least=100.0)       # the best is epoch 1
    with pytest.raises(OSError, match="No space left") as caught:
        fit(model, optim.Nesterov(model.parameters(), lr=0.1), [(X, Y)], epochs=3, validation=(X, Y),
            callbacks=[Full(), stopping, training.Checkpoint(tmp_path / "run", every_epochs=2)])
    assert caught.value.errno == errno.ENOSPC
    fit(whole, optim.Nesterov(whole.parameters(), lr=0.1), [(X, Y)], epochs=3)
    assert np.array_equal(model.parameters().theta, whole.parameters().theta)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["run"]
    again = net()
    run = fit(again, optim.Nesterov(again.parameters(), lr=0.1), [(X, Y)], epochs=3, validation=(X, Y),
              resume=tmp_path / "run", callbacks=[training.EarlyStopping(9, "validation_loss", 100.0, restore=False)])
    assert run.steps == 3 and np.array_equal(again.parameters().theta, whole.parameters().theta)


# ---- modes

def test_a_part_in_test_mode_stays_there_while_the_model_learns():
    def parts():
        return nn.Sequential(nn.BatchNorm(4, dtype=np.float64), nn.Linear(4, 6, rng=0, dtype=np.float64),
                             nn.BatchNorm(6, dtype=np.float64), nn.Dropout(0.5, rng=1),
                             nn.Linear(6, 3, rng=2, dtype=np.float64))

    for kind in (partial(optim.SGD, lr=0.1), optim.LBFGS):
        model = parts()
        model[0].freeze().eval()
        model[3].eval()
        fit(model, kind(model.parameters()), [(X, Y)], epochs=2, validation=(X, Y))
        assert not model[0].running_mean.any() and (model[0].running_var == 1).all()
        assert model[2].running_mean.any()
        assert [module.training for _, module in model.modules()] == [True, False, True, True, False, True]
        assert model[3].rng.bit_generator.state == parts()[3].rng.bit_generator.state     # no mask was drawn


def test_a_callback_may_put_a_part_into_test_mode_on_the_way():
    """As one does with batch norm's averages late in a run; also in the middle of an epoch."""
    for event, at in (("epoch", 8), ("step", 5)):
        model = net(norm=True)
        averages = []

        def still(run, model=model, averages=averages):
            model[1].eval()
            averages.append(model[1].running_mean.copy())

        fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 3, epochs=3, callbacks=[Log((event, at), still)])
        assert averages[0].any() and np.array_equal(model[1].running_mean, averages[0]) and not model[1].training


def test_a_model_in_test_mode_learns_all_the_same():
    model, other = net(norm=True), net(norm=True)
    for one in (model.eval(), other):
        fit(one, optim.SGD(one.parameters(), lr=0.1), [(X, Y)], epochs=2)
    assert np.array_equal(model.parameters().theta, other.parameters().theta)
    assert np.array_equal(model[1].running_mean, other[1].running_mean)


def test_a_callback_stops_the_run():
    for at, steps in ((("start", 1), 0), (("step", 3), 1), (("epoch", 8), 3)):
        model = net()
        run = fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 3, epochs=5,
                  callbacks=[Log(at, lambda run: run.stop("enough"))])
        assert (run.reason, run.steps) == ("enough", steps)


def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def ctrl_c():
    """Python's own handler of SIGINT: a shell starts what runs in its background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself")
def test_where_ctrl_c_is_ignored_or_handled_already_it_stays_so(ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = net()
    run = fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 3, epochs=1,
              callbacks=[Log(("gradient", 2), interrupt)])
    assert (run.reason, run.steps) == ("finished", 3) and signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself")
def test_ctrl_c_ends_after_the_step_with_everything_saved(tmp_path, ctrl_c):
    before = signal.getsignal(signal.SIGINT)
    path = tmp_path / "run"
    model, whole = net(), net()
    run = fit(model, optim.Adam(model.parameters(), lr=0.1), batches(X, Y, batch_size=8, rng=0), epochs=2,
              callbacks=[Log(("gradient", 6), interrupt), training.Checkpoint(path)])
    assert (run.reason, run.steps, run.epoch) == ("interrupted", 3, 0)
    assert signal.getsignal(signal.SIGINT) is before
    model = net()
    run = fit(model, optim.Adam(model.parameters(), lr=0.1), batches(X, Y, batch_size=8, rng=0), epochs=2, resume=path)
    fit(whole, optim.Adam(whole.parameters(), lr=0.1), batches(X, Y, batch_size=8, rng=0), epochs=2)
    assert run.steps == 14 and np.array_equal(model.parameters().theta, whole.parameters().theta)


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself")
def test_a_second_ctrl_c_interrupts_at_once(ctrl_c):
    def twice(run):
        interrupt()
        interrupt()

    before, model = signal.getsignal(signal.SIGINT), net()
    log = Log(("gradient", 2), twice)
    with pytest.raises(KeyboardInterrupt):
        fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 3, epochs=1, callbacks=[log])
    assert log.events == ["start", "gradient", "end", "close"] and signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself")
@pytest.mark.parametrize("at", [("step", 3), ("end", 4), ("close", 5)])
def test_one_ctrl_c_while_a_run_ends_anyway_does_not_cost_the_last_checkpoint(at, tmp_path, ctrl_c):
    model = net()
    run = fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)] * 3, epochs=1,
              callbacks=[Log(("step", 3), lambda run: run.stop("enough")), Log(at, interrupt),
                         training.Checkpoint(tmp_path / "run", every_epochs=None)])
    assert run.reason == "enough"
    assert mg.files.load_tensors(tmp_path / "run")[0]["run/losses"].shape == (run.steps,)


def test_in_another_thread_ctrl_c_is_left_alone():
    found = []

    def work():
        model = net()
        found.append(fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)], epochs=1).reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["finished"]


@pytest.mark.parametrize("wrong, said", [
    ({}, "epochs=, steps= or both"), ({"epochs": -1}, "epochs must be an integer >= 0, got -1"),
    ({"steps": 2.0}, "steps .* got 2.0"), ({"epochs": True}, "got True"),
    ({"epochs": 1, "accumulate": 0}, "accumulate"),
    ({"epochs": 1, "metrics": {"a": max}}, "validation"),
])
def test_misuse(wrong, said):
    model = net()
    with pytest.raises(ValueError, match=said):
        fit(model, optim.SGD(model.parameters(), lr=0.1), [(X, Y)], **wrong)


def test_the_line_and_the_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    from minigrad.training import progress
    model, optimizer = net(), None
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    training.fit(model, losses.cross_entropy, optimizer, batches(X, Y, batch_size=8, rng=0), epochs=1,
                 validation=(X, Y))
    out, err = capsys.readouterr()
    assert out.startswith("epoch   1  train loss 1.") and "validation error" in out
    assert "test" not in out and err == ""                              # no terminal: no bar
    monkeypatch.setattr(progress, "_visible", lambda: True)
    training.fit(model, losses.cross_entropy, optimizer, batches(X, Y, batch_size=8, rng=0), epochs=1)
    assert "epoch 1/1" in capsys.readouterr().err


def test_batches_and_validation_that_are_no_pairs():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for data in (batches(X, batch_size=2, rng=0), [X], [(X, Y, Y)]):
        with pytest.raises(ValueError, match=r"fit: a batch must be a pair \(x, y\), got"):
            fit(model, optimizer, data, epochs=1)
    for data in (X, Y, mg.Tensor(X), (X, Y), [X[:2], Y[:2]]):
        with pytest.raises(ValueError, match=r"a batch must be a pair .*data\.batches\(x, y, batch_size=128\)"):
            fit(model, optimizer, data, epochs=1)
    with pytest.raises(ValueError, match=r"validation must be \(x, y\) of equal length, got \[50, 5\]"):
        fit(model, optimizer, [(X, Y)], epochs=1, validation=(X, Y[:5]))


def test_the_curvature_monitor_is_a_callback():
    """8.2.1 in a run: the change of J over one gradient step is what (8.10) predicts, and training is the same."""
    from minigrad.diagnostics import CurvatureMonitor

    def go(*callbacks):
        model = net()
        monitor = [CurvatureMonitor(mg.Objective(model, losses.cross_entropy, X, Y), every=2) for _ in callbacks]
        fit(model, optim.SGD(model.parameters(), lr=1e-3), [(X, Y)], epochs=6, callbacks=monitor)
        return model.parameters().theta, monitor

    theta, (monitor,) = go(True)
    assert np.array_equal(theta, go()[0])
    assert list(monitor["k"]) == [1, 3, 5]
    np.testing.assert_allclose(monitor["actual"], monitor["predicted"], rtol=1e-4)
    np.testing.assert_allclose(monitor["predicted"], -1e-3 * monitor["gg"] + 0.5e-6 * monitor["gHg"], rtol=1e-6)


@pytest.mark.parametrize("changed, message", [
    (dict(model=nn.Linear), "fit: model must be a Module, got the class Linear"),
    (dict(loss="cross_entropy"), "fit: loss must be a function .*, got a str"),
    (dict(optimizer=optim.SGD), "fit: optimizer must be one on model.parameters.*, got the class SGD"),
    (dict(optimizer=losses.cross_entropy), "fit: optimizer must be .*, got a function"),
    (dict(callbacks=training.EarlyStopping()), "fit: callbacks must be a list, got a EarlyStopping"),
    (dict(callbacks=[training.EarlyStopping]), "fit: a callback must be an object .*, got the class EarlyStopping"),
    (dict(callbacks=[lambda run: None]), "fit: a callback must be an object .*, got a function"),
    (dict(loss=lambda z, y: 1.0), "fit: the loss of a batch must be a Tensor of one number, got a float"),
    (dict(loss=lambda z, y: losses.cross_entropy(z, y, reduction="none")), r"fit: the loss .* got shape \(4,\)")])
def test_what_is_in_the_wrong_place_is_named(changed, message):
    model = nn.Linear(2, 2, rng=0)
    before = model.w.data.copy()
    given = dict(model=model, loss=losses.cross_entropy, optimizer=optim.SGD(model.parameters(), lr=0.1),
                 batches=[(np.ones((4, 2), np.float32), np.zeros(4, int))]) | changed
    with pytest.raises(ValueError, match=message):
        training.fit(**given, epochs=1, progress=False)
    np.testing.assert_array_equal(model.w.data, before)
