"""evaluate and predict: the figures against their definitions; nothing of the model is changed."""
import numpy as np
import pytest

from minigrad import losses, nn, training

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(53, 4)).astype(np.float32), rng.integers(0, 3, size=53)


def net():
    return nn.Sequential(nn.Linear(4, 6, rng=1), nn.BatchNorm(6), nn.Dropout(0.5, rng=2), nn.Linear(6, 3, rng=3))


def test_figures_are_their_definitions_whatever_the_batch_size():
    sklearn = pytest.importorskip("sklearn.metrics")
    model = net()
    z = training.predict(model, X)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for size in (1, 7, 53, 1000):
        found = training.evaluate(model, losses.cross_entropy, X, Y, batch_size=size)
        assert found.loss == pytest.approx(sklearn.log_loss(Y, p, labels=[0, 1, 2]), rel=1e-5)
        assert found.error == pytest.approx(1 - sklearn.accuracy_score(Y, z.argmax(axis=1)))
        assert np.array_equal(found.confusion, sklearn.confusion_matrix(Y, z.argmax(axis=1), labels=[0, 1, 2]))
        np.testing.assert_allclose(training.predict(model, X, batch_size=size), z, rtol=1e-5, atol=1e-6)


def test_metrics_see_all_outputs_at_once():
    seen = []

    def top2(outputs, y):
        seen.append(outputs.shape)
        return np.mean((outputs >= np.sort(outputs, axis=1)[:, -2:-1])[np.arange(len(y)), y])

    model = net()
    found = training.evaluate(model, losses.cross_entropy, X, Y, batch_size=10, metrics={"top2": top2})
    assert seen == [(53, 3)] and isinstance(found.metrics["top2"], float)
    assert found.metrics["top2"] == top2(training.predict(model, X), Y)


def test_regression_has_no_classes():
    model = nn.Sequential(nn.Linear(4, 2, rng=0))
    y = rng.normal(size=(53, 2)).astype(np.float32)
    found = training.evaluate(model, losses.mean_squared_error, X, y, batch_size=20)
    assert found.error is None and found.confusion is None
    assert found.loss == pytest.approx(np.mean((training.predict(model, X) - y) ** 2), rel=1e-5)


def test_evaluation_leaves_no_trace():
    model = net()
    model[2].eval()
    before, state = model.state_dict(), model[2].rng.bit_generator.state
    training.evaluate(model, losses.cross_entropy, X, Y)
    with pytest.raises(ValueError):
        training.evaluate(model, losses.cross_entropy, X[:, :3], Y)
    assert [module.training for _, module in model.modules()] == [True, True, True, False, True]
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert model[2].rng.bit_generator.state == state
    assert all(p.grad is None for _, p in model.named_parameters())


def test_misuse():
    for x, y in ((X, Y[:5]), (X[:0], Y[:0])):
        with pytest.raises(ValueError, match="as many x as y"):
            training.evaluate(net(), losses.cross_entropy, x, y)
    with pytest.raises(ValueError, match="some examples"):
        training.predict(net(), X[:0])
