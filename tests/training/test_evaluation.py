"""evaluate and predict: the figures against their definitions; nothing of the model is changed."""
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, ops, training

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
    with training.in_test_mode(model):
        assert not model(mg.Tensor(X)).requires_grad and not any(module.training for _, module in model.modules())
    assert model(mg.Tensor(X)).requires_grad


def test_misuse():
    for x, y in ((X, Y[:5]), (X[:0], Y[:0])):
        with pytest.raises(ValueError, match="as many x as y"):
            training.evaluate(net(), losses.cross_entropy, x, y)
    with pytest.raises(ValueError, match="some examples"):
        training.predict(net(), X[:0])


def test_an_output_that_is_no_number_is_no_right_answer():
    """argmax calls the first NaN the largest: a model of NaNs would be right about class 0."""
    broken = np.zeros((5, 3), np.float32)
    broken[np.arange(5), [0, 1, 2, 0, 1]] = 1
    broken[3], broken[4, 2] = np.nan, np.nan
    y = np.array([0, 1, 0, 0, 2])
    found = training.evaluate(given(broken), losses.cross_entropy, np.arange(5), y, batch_size=2)
    assert found.error == losses.zero_one_error(broken, y) == 0.6
    assert found.confusion.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def given(outputs):
    """A model whose answers are given: x are their rows."""
    class Given(nn.Module):
        def forward(self, x):
            return mg.Tensor(outputs[x.data])

    return Given()


# ---- the loss of the whole, from parts

REGRESSION = rng.normal(size=(53, 3)).astype(np.float32)
WEIGHTS = np.array([1.0, 9.0, 0.0])


def weighted(z, y):
    """The weighted mean of -log softmax, from its definition."""
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(WEIGHTS[y] * log_p[np.arange(len(y)), y]).sum() / WEIGHTS[y].sum()


@dataclass(frozen=True)
class Whole:
    """A loss, the targets, and definition(z, y): the loss of the whole set, in NumPy."""
    loss: Callable[..., Any]
    y: Any
    definition: Callable[..., Any]


WHOLE = {
    "weights": Whole(partial(losses.cross_entropy, weights=WEIGHTS), Y, weighted),
    "weights in two steps": Whole(partial(partial(losses.cross_entropy, weights=[1, 1, 1]), weights=WEIGHTS), Y,
                                  weighted),
    "sum of squares": Whole(partial(losses.mean_squared_error, reduction="sum"), REGRESSION,
                            lambda z, y: np.square(z - y).sum()),
    "sum": Whole(partial(losses.cross_entropy, reduction="sum"), Y,
                 lambda z, y: -np.log(np.exp(z)[np.arange(53), y] / np.exp(z).sum(axis=1)).sum()),
    "mean of squares": Whole(losses.mean_squared_error, REGRESSION, lambda z, y: np.square(z - y).mean()),
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("size", [1, 2, 7, 50, 53])
def test_the_loss_is_that_of_the_whole_set_whatever_the_batch_size(case, size):
    whole, model = WHOLE[case], net()
    wanted = whole.definition(training.predict(model, X).astype(float), whole.y)
    assert training.evaluate(model, whole.loss, X, whole.y, batch_size=size).loss == pytest.approx(wanted, rel=1e-5)


def test_a_loss_of_ones_own_says_what_it_divides_by_or_is_averaged_over_examples():
    def masked(z, y):
        """The mean over the targets that are known."""
        known = ~np.isnan(y)
        return ops.sum(ops.square(z - np.nan_to_num(y)) * known) / known.sum()

    y = np.where(rng.random((53, 3)) < 0.5, np.nan, REGRESSION).astype(np.float32)
    y[:2] = np.nan                                       # nothing to learn from in the first batch of two
    model = net()
    z = training.predict(model, X)
    masked.denominator = lambda y: int((~np.isnan(y)).sum())
    for size in (2, 20, 53):
        found = training.evaluate(model, masked, X, y, batch_size=size).loss
        assert found == pytest.approx(np.nanmean((z - y) ** 2), rel=1e-5)
    by_example = training.evaluate(model, lambda z, y: ops.mean(ops.square(z - y)), X, REGRESSION, batch_size=20).loss
    assert by_example == pytest.approx(np.mean((z - REGRESSION) ** 2), rel=1e-5)


def test_what_has_no_mean_is_refused_by_the_loss_itself():
    with pytest.raises(ValueError, match="weights of all labels are 0"):
        training.evaluate(net(), partial(losses.cross_entropy, weights=[0, 0, 0]), X, Y)
    for wrong in (np.where(Y == 0, -1, Y), Y + 1, Y.astype(float)):
        with pytest.raises(ValueError, match="cross_entropy: labels must"):
            training.evaluate(net(), partial(losses.cross_entropy, weights=[0, 0, 1]), X, wrong)
