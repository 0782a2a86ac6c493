"""The slides in closed form: units of a step, an outlier, Rprop's counter-example, AdaDelta's start, and more."""
import numpy as np
import pytest

from minigrad import optim


@pytest.mark.parametrize("name, power", [("SGD", -1), ("momentum", -1), ("AdaGrad", 0), ("RMSProp", 0), ("Adam", 0),
                                         ("AdaDelta", 0), ("AdaDelta, delta c^2", 1), ("Newton", 1)])
def test_units_of_a_step(page, name, power):
    assert page.power_of_units(page.UNITS[name]) == pytest.approx(power, abs=0.02)


def test_an_outlier_is_softened_by_momentum_but_not_forgotten(page):
    sgd, momentum = (page.walk(page.WALKERS[name], page.OUTLIER) - page.walk(page.WALKERS[name], np.ones(80))
                     for name in ("SGD", "momentum 0.9"))
    np.testing.assert_allclose(sgd[31:], 1.01, rtol=1e-10)                            # lr 101
    expected = 0.001 * 101 * (1 - 0.9 ** np.arange(1, 51)) / (1 - 0.9)                # a geometric sum
    np.testing.assert_allclose(momentum[31:], expected, rtol=1e-10)


def test_gradients_that_sum_to_zero(page):
    assert page.walk(page.COUNTER["SGD, rate 0.1"], page.TEN)[-1] == pytest.approx(0, abs=1e-15)
    assert page.walk(page.COUNTER["Manhattan rule"], page.TEN)[-1] == pytest.approx(-0.09)
    rates = 0.01 * 1.2 ** np.arange(9)
    assert page.walk(lambda theta: optim.Rprop(theta, lr=0.01), page.TEN)[-1] == pytest.approx(-rates[:8].sum())


@pytest.mark.parametrize("g", [1e-2, 1.0, 100.0])
def test_adadelta_starts_with_the_root_of_delta_whatever_the_gradient(page, g):
    first = page.walk(lambda theta: optim.AdaDelta(theta, delta=1e-8), [g])[-1]
    assert first == pytest.approx(-np.sqrt(1e-8 / (1 - 0.9)), rel=1e-3)


def test_delta_bar_delta_beats_sgd_in_the_valley(page):
    own_rates, one_rate = page.valley(optim.DeltaBarDelta, 200, lr=1.9, kappa=0.05), page.valley(optim.SGD, 200, lr=1.9)
    assert own_rates[-1] < 1e-6 * one_rate[-1]


def test_the_page_runs_and_draws(said):
    assert "Manhattan rule 0.0900" in said
