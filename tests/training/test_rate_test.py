"""The learning-rate range test: known answers on quadratics, and no trace left."""
import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, optim, training
from minigrad.data import batches

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
Y = X @ rng.normal(size=(4, 1))


def test_the_loss_breaks_away_where_a_quadratic_diverges():
    """Linear regression by gradient descent diverges from lr = 2/largest eigenvalue on; the test says about that."""
    model = nn.Sequential(nn.Linear(4, 1, bias=False, rng=0, dtype=np.float64))
    limit = 2 / np.linalg.eigvalsh(2 * X.T @ X / len(X))[-1]
    found = training.rate_test(model, losses.mean_squared_error, optim.SGD(model.parameters(), lr=1.0), [(X, Y)],
                               lowest=1e-4 * limit, highest=1e3 * limit, steps=60, rho=0.0)
    assert 0.1 * limit < found.largest < 3 * limit and found.suggestion == found.largest / 10
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 60           # it ended early
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e7) / 59)
    assert np.array_equal(found.losses, found.smoothed)


@pytest.mark.parametrize("kind", [optim.Nesterov, optim.Adam])
def test_everything_is_as_before(kind):
    model = nn.Sequential(nn.Linear(4, 8, rng=0), nn.BatchNorm(8), nn.Dropout(0.3, rng=1), nn.Linear(8, 1, rng=2))
    optimizer = kind(model.parameters(), lr=optim.schedules.Linear(0.01, 0.001, 50))
    data = batches(X.astype(np.float32), Y.astype(np.float32), batch_size=20, rng=3)
    mg.seed(5)
    training.fit(model, losses.mean_squared_error, optimizer, data, steps=7, progress=False)

    def everything():
        return (repr(optimizer), model.parameters().theta.tobytes(), data.state(), mg.random.capture(),
                [g.bit_generator.state for _, g in model.generators()],
                {n: np.asarray(a).tobytes() for n, a in {**model.state_dict(), **optimizer.state_dict()}.items()})

    before = everything()
    first = training.rate_test(model, losses.mean_squared_error, optimizer, data)
    assert everything() == before
    again = training.rate_test(model, losses.mean_squared_error, optimizer, data)
    assert np.array_equal(first.losses, again.losses)


def test_smoothing_is_the_unbiased_running_mean():
    model = nn.Sequential(nn.Linear(4, 1, rng=0, dtype=np.float64))
    found = training.rate_test(model, losses.mean_squared_error, optim.SGD(model.parameters(), lr=1.0), [(X, Y)],
                               highest=1e-4, steps=30, rho=0.8)
    for k in (1, 2, 30):
        weights = 0.8 ** np.arange(k - 1, -1, -1)
        assert found.smoothed[k - 1] == pytest.approx(weights @ found.losses[:k] / weights.sum())


def test_rates_that_are_all_too_large_give_no_suggestion():
    model = nn.Sequential(nn.Linear(4, 1, rng=0))
    found = training.rate_test(model, losses.mean_squared_error, optim.SGD(model.parameters(), lr=1.0),
                               [(X.astype(np.float32), Y.astype(np.float32))], lowest=1e3, highest=1e30, steps=40)
    assert found.suggestion is None and found.largest is None


def test_misuse():
    model = nn.Sequential(nn.Linear(4, 1, rng=0, dtype=np.float64))
    sgd = optim.SGD(model.parameters(), lr=1.0)
    for wrong in ({"lowest": 0}, {"lowest": 2, "highest": 1}, {"steps": 1}, {"rho": 1}, {"away": 1}):
        with pytest.raises(ValueError, match="rate_test: (lowest|steps|rho|away) must be"):
            training.rate_test(model, losses.mean_squared_error, sgd, [(X, Y)], **wrong)
    with pytest.raises(ValueError, match="LBFGS has no lr"):
        training.rate_test(model, losses.mean_squared_error, optim.LBFGS(model.parameters()), [(X, Y)])


@pytest.mark.parametrize("offset", [-1.0, -3.0])
def test_losses_below_zero_do_not_break_away_at_once(offset):
    """A likelihood of densities may be below zero: four times such a loss is less, and was taken for a rise."""
    model = nn.Sequential(nn.Linear(4, 1, bias=False, rng=0, dtype=np.float64))
    rates, losses_ = [], {}
    for below in (0.0, offset):
        found = training.rate_test(model, lambda z, y, below=below: losses.mean_squared_error(z, y) + below,
                                   optim.SGD(model.parameters(), lr=1.0), [(X, Y)], lowest=1e-3, highest=10, steps=40)
        losses_[below] = found.losses - below
        rates.append(found.largest)
    m = min(map(len, losses_.values()))
    np.testing.assert_allclose(losses_[0.0][:m], losses_[offset][:m], rtol=1e-6, atol=1e-9)
    assert m > 20 and rates[0] == rates[1]


@pytest.mark.parametrize("told, ended", [([2.0, 7.9, 8.1, 1.0], 3), ([2.0, 7.9, 1.0, 3.9], 4),
                                         ([-2.0, 3.9, 4.1, 0.0], 3)])
def test_the_test_ends_at_four_times_the_smallest_loss(told, ended):
    """Losses as told, without averaging; below zero it is a rise of three times the smallest loss's size."""
    model = nn.Sequential(nn.Linear(4, 1, rng=0, dtype=np.float64))
    coming = iter(told)
    found = training.rate_test(model, lambda z, y: mg.ops.sum(z) * 0.0 + next(coming),
                               optim.SGD(model.parameters(), lr=1.0), [(X, Y)], steps=4, rho=0.0)
    assert found.losses.tolist() == told[:ended]
