"""The laws of 8.3.1 and 8.3.3: O(1/sqrt(k)), O(1/k) and a floor with noise; O(1/k) and O(1/k^2) without."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules


def test_with_rate_1_over_k_theta_is_minus_the_mean_of_the_noise(page):
    draws = np.random.default_rng(3).standard_normal((50, 4))
    theta = np.full(4, 7.0)
    opt = optim.SGD(theta, lr=schedules.Inverse(1.0))
    J = page.Bowl(np.ones(4), 1.0, np.random.default_rng(3))
    for k in range(50):
        opt.step(J)
        np.testing.assert_allclose(theta, -draws[:k + 1].mean(0), atol=1e-12)


def test_nesterov_gains_an_order_without_noise(page):
    found = page.exact_descent(2000)
    assert page.slope(found["gradient descent"]) == pytest.approx(-1, abs=0.05)
    assert page.slope(found["Nesterov"]) == pytest.approx(-2, abs=0.1)


def test_nesterov_gains_nothing_with_noise(page):
    best = {name: min(np.mean([page.noisy_descent(method, lr, 1000, seed) for seed in range(4)]) for lr in rates)
            for (name, method), rates in zip(page.METHODS.items(), ((0.1, 0.3), (0.01, 0.03), (0.01, 0.03)))}
    assert best["Nesterov 0.9"] > 0.8 * best["SGD"]


def test_stochastic_laws(page):
    slopes = [page.slope(values) for values, _ in page.convex(2000).values()]
    np.testing.assert_allclose(slopes, [-0.5, -1, 0], atol=0.1)
    for values, law in page.convex(500).values():
        assert np.mean(values[250:]) == pytest.approx(np.mean(law[250:]), rel=0.25)


def test_the_page_runs_and_draws(said):
    assert "best of the rates" in said
