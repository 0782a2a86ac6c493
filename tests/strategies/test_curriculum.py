"""Curriculum (8.7.6): which examples come when, by sampling and by weights; saved and restored."""
import numpy as np
import pytest

from minigrad import Objective, Tensor, losses, nn, optim, training
from minigrad.optim import schedules
from minigrad.strategies import curriculum, weighted, weighted_curriculum

m = 20
rng = np.random.default_rng(0)
difficulty = rng.permutation(m)                              # x[i] says how difficult it is
x, y = difficulty[:, None].astype(np.float64), rng.integers(0, 3, m)


def test_a_plain_curriculum_holds_the_difficult_back():
    batches = curriculum(x, y, difficulty, 4, schedules.Linear(0.25, 1.0, 10), rng=0)
    seen = [one.ravel() for _ in range(4) for one, _ in batches]
    assert len(batches) == 5 and len(seen) == 20
    for k, one in enumerate(seen, 1):
        easiest = int(np.ceil(m * schedules.Linear(0.25, 1.0, 10)(k) - 1e-9))
        assert one.max() < max(4, easiest) and len(set(one)) == 4
    assert max(one.max() for one in seen[:2]) < 8 and max(one.max() for one in seen[10:]) > 15


def test_labels_stay_with_their_examples():
    for inputs, labels in curriculum(x, y, difficulty, 6, 0.5, mix=0.5, rng=0):
        assert all(y[np.flatnonzero(difficulty == value)[0]] == label for value, label in zip(inputs.ravel(), labels))


def frequencies(mix):
    batches, counted = curriculum(x, y, difficulty, 5, 0.25, mix=mix, rng=0), np.zeros(m)
    for _ in range(1000):
        for inputs, _ in batches:
            counted += np.bincount(inputs.ravel().astype(int), minlength=m)
    return counted / counted.sum()


def test_a_stochastic_curriculum_always_shows_some_of_everything():
    """p_i = mix/m + (1 - mix)/(number of the easiest) for those, within 5 standard deviations."""
    for mix in (0.0, 0.4, 1.0):
        p = np.full(m, mix / m) + (1 - mix) / 5 * (np.arange(m) < 5)
        assert frequencies(mix) == pytest.approx(p, abs=5 * np.sqrt(p.max() / 20_000) + 1e-12)


def test_weights_and_sampling_follow_the_same_gradient():
    """sum p_i g_i, exactly, for weights in proportion to the probabilities; oracle: the gradients of examples."""
    features = np.random.default_rng(1).standard_normal((m, 2))
    model = nn.Linear(2, 3, rng=0, dtype=np.float64)
    w = np.where(difficulty < 5, 1.0, 0.1)
    J = Objective(model, weighted(losses.cross_entropy), features, (y, w))
    each = Objective(model, losses.cross_entropy, features, y).example_grads()
    assert J.grad() == pytest.approx(w / w.sum() @ each, rel=1e-12)
    values = losses.cross_entropy(model(Tensor(features)), y, reduction="none").data
    assert J.value() == pytest.approx(w @ values / w.sum(), rel=1e-14)


def test_weighted_batches_come_from_all_and_say_which_are_easy():
    batches = weighted_curriculum(x, y, difficulty, 5, schedules.Linear(0.25, 1.0, 8), least=0.2, rng=0)
    seen = [(inputs.ravel(), w) for _ in range(3) for inputs, (_, w) in batches]
    assert len({int(value) for inputs, _ in seen[:8] for value in inputs} & set(range(10, m))) > 5
    for k, (inputs, w) in enumerate(seen, 1):
        easiest = batches.easiest(k)
        assert w == pytest.approx(np.where(inputs < easiest, 1, 0.2))
    assert all((w == 1).all() for _, w in seen[8:])


@pytest.mark.parametrize("make, loss", [
    (lambda seed: curriculum(x, y, difficulty, 4, schedules.Linear(0.25, 1.0, 10), mix=0.3, rng=seed),
     losses.cross_entropy),
    (lambda seed: weighted_curriculum(x, y, difficulty, 4, schedules.Linear(0.25, 1.0, 10), rng=seed),
     weighted(losses.cross_entropy)),
])
def test_fit_learns_with_it_and_a_run_broken_off_resumes_with_the_same_bits(make, loss, tmp_path):
    def fit(seed, steps, **options):
        model = nn.Linear(1, 3, rng=0, dtype=np.float64)
        run = training.fit(model, loss, optim.SGD(model.parameters(), lr=0.01), make(seed), epochs=4, steps=steps,
                           validation=(x, y), progress=False, **options)
        return run, model.parameters().theta.copy()

    whole, theta = fit(0, None)
    path = tmp_path / "run"
    broken, _ = fit(0, 7, callbacks=[training.Checkpoint(path, every_steps=1)])
    resumed, again = fit(5, None, callbacks=[training.Checkpoint(path, every_steps=1)], resume=path)
    assert broken.steps == 7 and whole.steps == resumed.steps == 20
    assert np.array_equal(theta, again) and list(whole.losses) == list(resumed.losses)
    assert whole.history[-1]["validation_loss"] == resumed.history[-1]["validation_loss"]


def test_same_seed_same_batches():
    first, second = (curriculum(x, y, difficulty, 4, 0.5, mix=0.2, rng=3) for _ in range(2))
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, second))


@pytest.mark.parametrize("call, words", [
    (lambda: curriculum(x, y[:-1], difficulty, 4, 0.5), r"\(20, 1\), \(19,\) and \(20,\)"),
    (lambda: curriculum(x, y, difficulty[:, None], 4, 0.5), "one difficulty for each"),
    (lambda: curriculum(x, y, np.where(difficulty, difficulty, np.nan), 4, 0.5), "not NaN"),
    (lambda: curriculum(x, y, difficulty, 0, 0.5), "batch_size"), (lambda: curriculum(x, y, difficulty, 21, 0.5), "20"),
    (lambda: curriculum(x, y, difficulty, 4, 0), "pace at batch 1"),
    (lambda: curriculum(x, y, difficulty, 4, 2), "pace"),
    (lambda: curriculum(x, y, difficulty, 4, 0.5, mix=2), "mix"),
    (lambda: weighted_curriculum(x, y, difficulty, 4, 0.5, least=0), "weighted_curriculum: least"),
    (lambda: weighted(losses.mean_squared_error)(Tensor(x), (x, np.ones(m))), "per example"),
])
def test_wrong_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("change", [dict(examples=19), dict(batch_size=5), dict(k=-1), dict(position=99), dict(now={})])
def test_a_state_of_other_batches_is_refused_and_nothing_changes(change):
    batches = curriculum(x, y, difficulty, 4, 0.5, rng=0)
    state = batches.state()
    with pytest.raises(ValueError):
        batches.restore(state | change)
    assert batches.state() == state
