"""Costs without a minimum: gradient flow's closed form for one example, and a precision that grows by lr/2 a step."""
import numpy as np
import pytest


def test_one_example_follows_the_flow_to_the_order_of_the_step(page):
    errors = []
    for steps, lr in ((1000, 0.1), (10000, 0.01)):
        found, exact = page.surer(steps, lr)
        np.testing.assert_allclose(exact + np.exp(exact), 1 + lr * np.arange(steps + 1), rtol=1e-12)
        errors.append(abs(found - exact).max())
    assert errors[0] < 0.03 and errors[1] == pytest.approx(errors[0] / 10, rel=0.1)


def test_a_perfect_fits_precision_grows_by_half_the_rate_in_every_step(page):
    rows, variance = page.regression(30, 0.5, 200, 0.05)
    assert variance < 1e-20
    np.testing.assert_allclose(np.diff(rows[:, 1]), 0.025, rtol=1e-9)
    np.testing.assert_allclose(rows[:, 0], -rows[:, 1] / 2, atol=1e-9)


def test_with_noise_the_precision_settles_at_one_over_the_variance(page):
    rows, variance = page.regression(5, 0.5, 2000, 0.05)
    assert rows[-1, 1] == pytest.approx(-np.log(variance), abs=1e-6)
    assert rows[-1, 0] == pytest.approx(np.log(variance) / 2 + 0.5, abs=1e-6)


def test_a_right_classifier_goes_on(page):
    found = page.classifier(400)
    right = found[:, 4] == 0
    assert right[-1] and np.all(np.diff(found[right][:, 1]) < 0) and np.all(np.diff(found[right][:, 2]) > 0)


def test_the_page_runs_and_draws(said):
    assert "falling by" in said
