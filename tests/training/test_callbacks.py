"""Early stopping, the best checkpoint, averaging, batch norm's averages anew, the learning curve."""
import contextlib

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, optim, training
from minigrad.data import batches

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 4)).astype(np.float32), rng.integers(0, 3, size=60)
XT, YT = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, size=40)


def parts(lr=0.1, seed=0):
    model = nn.Sequential(nn.Linear(4, 16, rng=seed), nn.BatchNorm(16), nn.ReLU(), nn.Linear(16, 3, rng=1))
    return model, losses.cross_entropy, optim.Nesterov(model.parameters(), lr=lr), batches(X, Y, batch_size=12, rng=2)


class Script(training.Callback):
    """Replaces a figure by values thought out beforehand, and remembers the parameters of each epoch."""

    def __init__(self, values, metric="validation_error"):
        self.values, self.metric, self.states = values, metric, []

    def epoch(self, run):
        run.figures[self.metric] = self.values[run.epoch - 1]
        with run.at_theta():
            self.states.append(run.model.state_dict())


# ---- a callback's life: reset when a run begins, restored when it is resumed

def state_after(callbacks, epochs=4, seed=0, **options):
    """The parameters that a run with these callbacks leaves behind."""
    parted = parts(seed=seed)
    training.fit(*parted, epochs=epochs, validation=(XT, YT), callbacks=callbacks, progress=False, **options)
    with parted[2].at_theta():
        return parted[0].state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_early_stopping_used_for_two_runs_is_of_each_its_own():
    """The first run's best figures are better than all of the second's."""
    first, second, stopping = Script([1, 2, 3, 4]), Script([9, 8, 7, 8]), training.EarlyStopping(patience=2)
    state_after([first, stopping])
    assert stopping.best_epoch == 1
    found = state_after([second, stopping], seed=5)
    assert (stopping.best, stopping.best_epoch) == (7, 3)
    assert equal(found, second.states[2])


def test_an_average_used_for_two_runs_is_of_each_its_own():
    def run(averaging, optimizer, model, loss, data):
        training.fit(model, loss, optimizer, data, epochs=2, callbacks=[averaging], progress=False)

    model, loss, optimizer, data = parts()
    averaging = training.Averaging(optim.PolyakAverage(optimizer))
    run(averaging, optimizer, model, loss, data)
    assert averaging.average.t == 10
    thetas = []

    class Watch(training.Callback):
        def step(self, run):
            with run.at_theta() as theta:
                thetas.append(theta.astype(float))

    training.fit(model, loss, optimizer, data, epochs=2, callbacks=[averaging, Watch()], progress=False)
    assert averaging.average.t == 10
    np.testing.assert_allclose(averaging.average.mean, np.mean(thetas, axis=0), rtol=1e-5, atol=1e-6)


def test_a_checkpoint_used_for_two_runs_saves_both(tmp_path):
    saving = training.Checkpoint(tmp_path / "run", every_epochs=None)
    for seed in (0, 5):
        state = state_after([saving], seed=seed)
        assert equal(mg.files.load(tmp_path / "run", parts(seed=9)[0]).state_dict(), state)


def test_a_clipped_norm_is_forgotten():
    clip = training.ClipGradient(1.0)
    state_after([clip])
    state_after([clip], epochs=0)
    assert clip.norm is None


class Count(training.Callback):
    """A callback of one's own: the steps it saw, saved with the run; how often it was reset."""
    seen = resets = 0

    def reset(self, run):
        self.seen, self.resets = 0, self.resets + 1

    def start(self, run):
        self.at_start = self.seen

    def step(self, run):
        self.seen += 1

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


def test_a_callback_of_ones_own_is_reset_before_its_state_is_restored(tmp_path):
    counting = Count()
    state_after([counting, training.Checkpoint(tmp_path / "run")], epochs=2)
    assert (counting.seen, counting.resets, counting.at_start) == (10, 1, 0)
    state_after([counting], epochs=1)
    assert (counting.seen, counting.resets, counting.at_start) == (5, 2, 0)
    state_after([counting], epochs=4, resume=tmp_path / "run")
    assert (counting.seen, counting.resets, counting.at_start) == (20, 3, 10)
    other = Count()
    state_after([other], epochs=4, resume=tmp_path / "run")
    assert other.seen == 20


def test_a_resume_that_fails_leaves_callbacks_with_their_state(tmp_path):
    stopping, counting = training.EarlyStopping(), Count()
    state_after([Script([3, 2, 4, 4]), stopping, counting])
    (tmp_path / "bad").write_bytes(b"no checkpoint")
    state_after([Count(), training.Checkpoint(tmp_path / "other")], seed=1)
    before = stopping.state_dict()
    for name in ("bad", "other"):
        with pytest.raises(ValueError):
            state_after([stopping, counting], resume=tmp_path / name)
        assert equal(stopping.state_dict(), before) and counting.seen == 20


def test_a_curvature_monitor_used_for_two_runs_begins_anew():
    model, loss, optimizer, data = parts()
    monitor = mg.diagnostics.CurvatureMonitor(mg.Objective(model, loss, X, Y), every=2)
    for _ in range(2):
        training.fit(model, loss, optimizer, data, epochs=1, callbacks=[monitor], progress=False)
        assert list(monitor["k"]) == [1, 3, 5]


def test_a_reset_that_fails_is_its_own_error_and_nothing_is_restored(tmp_path):
    class Fails(training.Callback):
        def reset(self, run):
            raise KeyError("planted")

    state_after([training.Checkpoint(tmp_path / "run")], epochs=1)
    parted = parts(seed=5)
    before = parted[0].state_dict()
    for resume in (tmp_path / "run", None):
        with pytest.raises(KeyError, match="planted"):
            training.fit(*parted, epochs=2, callbacks=[Fails()], progress=False, resume=resume)
        assert equal(parted[0].state_dict(), before)


def test_an_object_with_a_callbacks_methods_needs_no_reset():
    class Plain:
        events = 0

        def note(self, run):
            self.events += 1

        start = gradient = step = epoch = end = close = note

    plain = Plain()
    state_after([plain], epochs=1)
    assert plain.events == 2 * 5 + 4


# ---- figures that are no numbers

NAN = float("nan")


@pytest.mark.parametrize("values, best", [
    ([NAN, 3, 2, 1, 5], 4), ([3, NAN, 2, NAN, 2.5], 3), ([NAN, 5, NAN, 6, 7], 2), ([float("inf"), NAN, 4, 5, 3], 5),
    ([2, NAN, float("-inf"), NAN, 0], 3),
])
def test_the_best_epoch_is_that_of_the_smallest_number_there_is(values, best, tmp_path):
    script, stopping = Script(values), training.EarlyStopping(patience=5)
    saving = training.Checkpoint(tmp_path / "run", best=tmp_path / "best")
    state = state_after([script, stopping, saving], epochs=5)
    assert (stopping.best_epoch, stopping.best) == (best, values[best - 1])
    assert equal(state, script.states[best - 1])
    assert equal(mg.files.load(tmp_path / "best", parts(seed=9)[0]).state_dict(), script.states[best - 1])


def test_where_no_figure_is_a_number_there_is_no_best(tmp_path):
    script, stopping = Script([NAN] * 5), training.EarlyStopping(patience=2)
    saving = training.Checkpoint(tmp_path / "run", best=tmp_path / "best")
    parted = parts()
    run = training.fit(*parted, epochs=5, validation=(XT, YT), callbacks=[script, stopping, saving], progress=False)
    assert run.reason == "early stopping: validation_error was never a finite number" and run.epoch == 2
    assert not (tmp_path / "best").exists()
    with parted[2].at_theta():
        assert equal(parted[0].state_dict(), script.states[-1])


@pytest.mark.parametrize("values, patience, least, epochs, best", [
    ([5, 4, 4, 4, 1], 2, 0, 4, 2), ([5, 4, 3, 2, 1], 2, 0, 5, 5), ([5, 6, 4, 5, 4, 3], 2, 0, 5, 3),
    ([5, 4.9, 4.8, 1], 2, 0.5, 3, 1), ([5, 6, 7], 1, 0, 2, 1),
])
def test_early_stopping_waits_and_goes_back_to_the_best(values, patience, least, epochs, best):
    parted, script = parts(), Script(values)
    stopping = training.EarlyStopping(patience=patience, least=least)
    run = training.fit(*parted, epochs=len(values), validation=(XT, YT), callbacks=[script, stopping], progress=False)
    assert (run.epoch, stopping.best_epoch, stopping.best) == (epochs, best, values[best - 1])
    assert run.reason.startswith("early stopping: no better validation_error") or epochs == len(values)
    state = parted[0].state_dict()
    with parted[2].at_theta():
        state = parted[0].state_dict()
    assert all(np.array_equal(state[name], array) for name, array in script.states[best - 1].items())


def test_early_stopping_needs_its_figure():
    with pytest.raises(ValueError, match="validation_error is not measured .*loss.*give fit a validation set"):
        training.fit(*parts(), epochs=2, callbacks=[training.EarlyStopping()], progress=False)
    for wrong in ({"patience": 0}, {"patience": 1.5}, {"least": -1}, {"least": NAN}):
        with pytest.raises(ValueError, match=f"EarlyStopping: {next(iter(wrong))} must be an? (integer|number)"):
            training.EarlyStopping(**wrong)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_early_stopping_and_checkpoints_in_any_order_resume_alike(order, stop, tmp_path):
    """The checkpoint holds the last parameters, not the best that early stopping puts back, and what others did."""
    values = [5, 4, 3, 4, 4, 4, 4]

    def go(epochs, **options):
        parted, stopping = parts(), training.EarlyStopping(patience=3)
        callbacks = [stopping, training.Checkpoint(tmp_path / "run", every_epochs=None)]
        run = training.fit(*parted, epochs=epochs, validation=(XT, YT), progress=False, **options,
                           callbacks=[Script(values), *(callbacks[::-1] if order else callbacks)])
        return parted[0].state_dict(), run, stopping

    whole, run, _ = go(7)
    go(stop)
    state, again, stopping = go(7, resume=tmp_path / "run")
    assert run.losses == again.losses and (again.epoch, stopping.best_epoch) == (6, 3)
    assert all(np.array_equal(whole[name], array) for name, array in state.items())
    assert again.reason == run.reason


def test_the_best_checkpoint_is_that_of_the_smallest_figure_also_after_a_resume(tmp_path):
    script = Script([5, 3, 4, 3.5, 6])

    def go(epochs, **options):
        parted = parts()
        saving = training.Checkpoint(tmp_path / "run", best=tmp_path / "best")
        training.fit(*parted, epochs=epochs, validation=(XT, YT), callbacks=[saving, script], progress=False, **options)

    go(2)
    go(5, resume=tmp_path / "run")
    model = mg.files.load(tmp_path / "best", parts(seed=9)[0])
    assert all(np.array_equal(array, script.states[1][name]) for name, array in model.state_dict().items())


def test_checkpoint_arguments():
    for wrong in ({"every_epochs": 0}, {"every_steps": True}, {"keep": -1}, {"keep": 1.0}):
        with pytest.raises(ValueError, match="Checkpoint: .* must be an integer >= [01], got"):
            training.Checkpoint("run", **wrong)


def test_averaging_takes_theta_in_after_each_step():
    model, loss, optimizer, data = parts()
    thetas = []

    class Watch(training.Callback):
        def step(self, run):
            with run.at_theta() as theta:
                thetas.append(theta.astype(float))

    average = optim.PolyakAverage(optimizer)
    training.fit(model, loss, optimizer, data, epochs=3, callbacks=[training.Averaging(average, since=6), Watch()],
                 progress=False)
    assert average.t == 10
    np.testing.assert_allclose(average.mean, np.mean(thetas[5:], axis=0), rtol=1e-5, atol=1e-6)


def test_batch_norms_averages_anew_are_the_moments_of_the_data():
    model, *_ = parts()
    model[0].w.data = model[0].w.data * 3
    before = model.state_dict()
    data = [(X[:10], Y[:10]), (X[10:40], Y[10:40]), (X[40:], Y[40:])]
    assert training.refresh_batch_norm(model.eval(), data) is model
    h = X @ before["0.w"] + before["0.b"]
    hs = [h[:10], h[10:40], h[40:]]
    np.testing.assert_allclose(model[1].running_mean, h.mean(axis=0), rtol=1e-5, atol=1e-6)
    var = sum(len(part) * part.var(axis=0, ddof=1) for part in hs) / 60
    np.testing.assert_allclose(model[1].running_var, var, rtol=1e-5)
    after = model.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before if "running" not in name)
    assert not model.training and not model[1].training and model[1].momentum == 0.1


def test_refreshing_changes_nothing_if_it_fails_and_no_generator_ever():
    model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.BatchNorm(5), nn.Dropout(0.5, rng=1))
    before, state = model.state_dict(), model[2].rng.bit_generator.state
    for data, error in (([(X, Y), (X[:, :3], Y)], ValueError), ([], ValueError)):
        with pytest.raises(error):
            training.refresh_batch_norm(model, data)
        assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    training.refresh_batch_norm(model, batches(X, batch_size=20, rng=0))
    assert model[2].rng.bit_generator.state == state and model[1].momentum == 0.1


def test_an_average_with_its_own_statistics_serves():
    """8.7.3 after 8.7.1: at a rate at which theta jumps about, the average with fresh statistics beats the last."""
    teacher = np.random.default_rng(5).normal(size=(4, 3))
    y, yt = (X @ teacher).argmax(axis=1), (XT @ teacher).argmax(axis=1)
    model, loss, optimizer, _ = parts(lr=0.5)
    data = batches(X, y, batch_size=6, rng=2)
    average = optim.PolyakAverage(optimizer)
    training.fit(model, loss, optimizer, data, epochs=30, progress=False,
                 callbacks=[training.Averaging(average, since=150)])
    with optimizer.at_theta():
        last = training.evaluate(model, loss, XT, yt)
    with average.applied():
        training.refresh_batch_norm(model, data)
        mean = training.evaluate(model, loss, XT, yt)
    assert mean.loss < last.loss


@pytest.mark.parametrize("of", ["optimizer", "parameters"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_model_whose_average_was_applied_is_as_before(of, fails):
    """Also its running averages, which were computed anew for the average inside; its modes, and what it predicts."""
    model, loss, optimizer, data = parts()
    average = optim.PolyakAverage(optimizer if of == "optimizer" else optimizer.params)
    training.fit(model, loss, optimizer, data, epochs=3, callbacks=[training.Averaging(average)], progress=False)
    model[1].eval()
    before, modes = model.state_dict(), [module.training for _, module in model.modules()]
    predicted = training.predict(model, XT)
    with contextlib.suppress(ZeroDivisionError), average.applied():
        training.refresh_batch_norm(model.train(), data)
        inside = training.predict(model, XT)
        model.train()(mg.Tensor(X))
        model[1].eval()
        if fails:
            raise ZeroDivisionError
    assert np.abs(inside - predicted).max() > 1e-3
    assert all(array.tobytes() == before[name].tobytes() for name, array in model.state_dict().items())
    assert np.array_equal(training.predict(model, XT), predicted)
    assert [module.training for _, module in model.modules()] == modes


def test_a_part_in_test_mode_keeps_its_averages_when_others_are_refreshed():
    model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.BatchNorm(5), nn.Linear(5, 5, rng=1), nn.BatchNorm(5))
    model[1].freeze().eval()
    before = model.state_dict()
    training.refresh_batch_norm(model, [(X[:20], Y[:20]), (X[20:], Y[20:])])
    after = model.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before if not name.startswith("3.running"))
    assert not np.array_equal(after["3.running_mean"], before["3.running_mean"])
    assert [module.training for _, module in model.modules()] == [True, True, False, True, True]
    with training.in_test_mode(model):
        assert not any(module.training for _, module in model.modules())
    training.fit(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=0.1), [(X, Y)], epochs=1, progress=False)
    assert np.array_equal(model[1].running_mean, before["1.running_mean"])      # still on its own


def test_the_learning_curve_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "curve.png"
    run = training.fit(*parts(), epochs=2, validation=(XT, YT), progress=False,
                       callbacks=[training.LearningCurve(path)])
    assert path.read_bytes()[:4] == b"\x89PNG"
    plain = [{name: figures[name] for name in ("epoch", "steps", "loss")} for figures in run.history]
    training.draw_learning_curve([{**figures, "loss": -1.0} for figures in plain], path)
    for broken in ({"loss": NAN}, {"validation_error": NAN}, {"validation_loss": float("inf")}):
        training.draw_learning_curve([{**figures, **broken} for figures in run.history], path)
        training.draw_learning_curve([{**run.history[0], **broken}, run.history[1]], path)
    training.draw_learning_curve([plain[0], run.history[1]], path)
    with pytest.raises(ValueError, match="no epoch was finished"):
        training.draw_learning_curve([], path)


def test_the_learning_curve_puts_each_figure_where_it_was_measured(tmp_path, monkeypatch):
    """Training loss in the middle of its epoch, what was watched at the end; the lowest error is named."""
    figures = pytest.importorskip("matplotlib.figure")
    kept = []
    monkeypatch.setattr(figures.Figure, "savefig", lambda figure, path, **_: kept.append(figure))
    history = [{"epoch": k, "loss": 1 / k, "validation_loss": 2 / k, "validation_error": error}
               for k, error in ((1, 0.3), (2, 0.1), (3, 0.2))]
    training.draw_learning_curve(history, tmp_path / "curve.png", "sgd, lr 0.2", watched="test")
    loss, error = kept[0].axes
    assert loss.get_title() == "sgd, lr 0.2" and loss.get_yscale() == "log" and "logarithmic" in loss.get_ylabel()
    assert [list(line.get_xdata()) for line in loss.lines] == [[0.5, 1.5, 2.5], [1, 2, 3]]
    assert [text.get_text() for text in loss.get_legend().get_texts()][1] == "test, after the epoch"
    assert error.get_ylabel() == "test error, %" and error.texts[0].get_text() == "lowest: 10.00 %"
    assert error.texts[0].xy == (2, 10)


def test_a_run_stopped_by_any_callback_is_saved_one_ended_by_an_error_is_not(tmp_path):
    class Enough(training.Callback):
        def step(self, run):
            if run.steps == 3:
                run.stop("enough")

    class Broken(training.Callback):
        def step(self, run):
            raise KeyError("planted")

    for callback, saved in ((Enough(), True), (Broken(), False)):
        path = tmp_path / type(callback).__name__
        with contextlib.suppress(KeyError):
            training.fit(*parts(), epochs=2, callbacks=[training.Checkpoint(path), callback], progress=False)
        assert path.exists() == saved
