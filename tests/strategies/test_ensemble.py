"""Ensembles (the notes): probabilities are averaged, not logits; snapshots are copies."""
import numpy as np
import pytest

from minigrad import Tensor, data, losses, nn, optim, training
from minigrad.strategies import Ensemble, Snapshots, ensemble

x, y = data.toy.blobs(60, noise=0.5, rng=0)


def net(seed, dtype=np.float32):
    return nn.Sequential(nn.Linear(2, 5, rng=seed, dtype=dtype), nn.BatchNorm(5, dtype=dtype), nn.Tanh(),
                         nn.Linear(5, 3, rng=seed + 100, dtype=dtype))


def fit(model, seed=0, epochs=5, **options):
    return training.fit(model, losses.cross_entropy, optim.Nesterov(model.parameters(), lr=0.1, momentum=0.9),
                        data.batches(x, y, batch_size=20, rng=seed), epochs=epochs, progress=False, **options)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_are_averaged_and_not_logits(dtype):
    members = [net(seed, dtype) for seed in range(3)]
    z = [training.predict(member, x.astype(dtype)) for member in members]
    found = training.predict(Ensemble(members), x.astype(dtype))
    wanted = np.mean([softmax(one.astype(np.float64)) for one in z], axis=0)
    assert found.dtype == dtype and softmax(found) == pytest.approx(wanted, abs=1e-6 if dtype == np.float32 else 1e-14)
    assert np.exp(found) == pytest.approx(wanted, abs=1e-6)
    assert np.abs(softmax(np.mean(z, axis=0)) - wanted).max() > 1e-5


def test_the_loss_is_the_log_of_the_mean_and_at_most_the_mean_of_the_losses():
    members = [net(seed) for seed in range(4)]
    probabilities = np.mean([softmax(training.predict(member, x)) for member in members], axis=0)
    loss = training.evaluate(Ensemble(members), losses.cross_entropy, x, y).loss
    assert loss == pytest.approx(-np.mean(np.log(probabilities[np.arange(60), y])), rel=1e-5)
    assert loss <= np.mean([training.evaluate(member, losses.cross_entropy, x, y).loss for member in members])


def test_a_sure_member_has_one_vote():
    """Logits (1000, 0, 0) against two mild votes for the second class: stable, and the majority of probability wins."""
    sure, mild = Tensor(np.array([[1000.0, 0, 0]])), Tensor(np.array([[0.0, 5, 0]]))
    p = np.exp(Ensemble.average([sure, mild, mild]).data)
    assert p[0, 1] == pytest.approx(2 / 3, abs=0.01) and p.sum() == pytest.approx(1, rel=1e-12)


def test_members_are_independent_and_trained_each_by_itself():
    trained = []
    joined = ensemble(net, lambda model, i: trained.append((model, i)) or fit(model, seed=i), members=3)
    assert joined.members == [model for model, _ in trained] and [i for _, i in trained] == [0, 1, 2]
    weights = [member[0].w.data for member in joined.members]
    assert not np.array_equal(weights[0], weights[1]) and joined.describe() == "Ensemble of 3"
    assert training.evaluate(joined, losses.cross_entropy, x, y).error < 0.3
    assert joined.parameters().n == 3 * net(0).parameters().n


def test_snapshots_are_copies_at_theta():
    """Nesterov's parameters are at the interim point during the loop; a snapshot is at theta."""
    model, snapshots, seen = net(0), Snapshots(every=3), []

    class Watch(training.Callback):
        def step(self, run):
            if run.steps % 3 == 0:
                with run.at_theta():
                    seen.append({name: value.copy() for name, value in run.model.state_dict().items()})

    fit(model, callbacks=[snapshots, Watch()])
    assert snapshots.steps == [3, 6, 9, 12, 15] and len(snapshots.models) == 5
    for copied, state in zip(snapshots.models, seen):
        assert copied is not model and all(np.array_equal(copied.state_dict()[name], state[name]) for name in state)
        assert not any(np.shares_memory(p.data, q.data) for p, q in zip(copied.parameters(), model.parameters()))
    before = training.predict(snapshots.ensemble(), x)
    fit(model, epochs=2)
    assert np.array_equal(training.predict(snapshots.ensemble(), x), before)
    assert snapshots.ensemble(last=2).members == snapshots.models[-2:]


def test_snapshots_at_given_steps_and_a_second_run_begins_anew():
    snapshots = Snapshots(at=(2, 5))
    for _ in range(2):
        fit(net(0), callbacks=[snapshots])
        assert snapshots.steps == [2, 5] and len(snapshots.models) == 2


def test_a_resumed_run_has_all_snapshots(tmp_path):
    whole, first, second = (Snapshots(every=3) for _ in range(3))
    fit(net(0), callbacks=[whole])
    path = tmp_path / "run"
    model = net(0)
    fit(model, epochs=3, callbacks=[first, training.Checkpoint(path)])
    fit(net(7), callbacks=[second, training.Checkpoint(path)], resume=path)
    assert second.steps == whole.steps == [3, 6, 9, 12, 15] and first.steps == [3, 6, 9]
    for ours, theirs in zip(second.models, whole.models):
        assert np.array_equal(ours.parameters().theta, theirs.parameters().theta)


SAME = net(0)


@pytest.mark.parametrize("call, words", [
    (lambda: Ensemble([]), "one or more modules"), (lambda: Ensemble([np.tanh]), "got .'ufunc'."),
    (lambda: Ensemble([nn.Linear(2, 3), nn.Linear(2, 4)])(Tensor(x)), r"\(60, 3\), \(60, 4\)"),
    (lambda: ensemble(net, fit, 0), "members"), (lambda: ensemble(net(0), None, 2), "train must be a function"),
    (lambda: ensemble(lambda i, same=SAME: same, lambda *_: None, 2), "a new model each time"),
    (lambda: Snapshots(), "either every= or at="), (lambda: Snapshots(every=3, at=[1]), "either every= or at="),
    (lambda: Snapshots(every=0), "every"), (lambda: Snapshots(at=[0]), "at must be"),
    (lambda: Snapshots(every=1).ensemble(), "no snapshot"),
])
def test_wrong_arguments_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
