"""The initial point as a prior: early stopping leaves (1 - lr l)^k of it, a penalty alpha/(l + alpha)."""
import numpy as np
import pytest


def test_early_stopping_leaves_the_stated_share(page):
    l = np.geomspace(1e-3, 5, 9)
    np.testing.assert_allclose(page.stopped(l, 0.1, 37), (1 - 0.1 * l) ** 37, rtol=1e-12, atol=1e-15)


def test_steps_and_penalty_agree_at_both_ends_and_differ_by_at_most_0_204(page):
    """The largest difference of exp(-x) and 1/(1 + x) is 0.2036, at x = 1.79."""
    l = np.geomspace(1e-5, 10, 500)
    steps, penalty = page.stopped(l, 0.01, 1000), page.penalized(l, 1 / (0.01 * 1000))
    assert steps[0] == pytest.approx(penalty[0], abs=1e-6) and abs(steps[-1] - penalty[-1]) < 0.02
    x = np.linspace(1, 3, 2001)
    assert np.abs(steps - penalty).max() == pytest.approx(np.max(1 / (1 + x) - np.exp(-x)), abs=3e-3)


@pytest.mark.parametrize("start, variance", [("dense", 2.0), ("sparse", 2.0), ("sparse and large", 15.0)])
def test_starts_have_the_variance_they_say(page, start, variance):
    """The sum of squared weights of a filter, 200 filters: known to 10 %."""
    w = page.STARTS[start]((196, 200), rng=0, dtype=np.float64)
    assert np.sum(w**2, axis=0).mean() == pytest.approx(variance, rel=0.2)


def test_large_first_weights_are_still_there_at_the_end(page):
    train, test = page.digits(100)
    small, large = (page.by_scale(scale, 0, 10, train, test)[2] for scale in (0.1, 2.0))
    assert small < 0.7 and large > 0.95


def test_the_page_runs_and_draws(said):
    assert "maxout" in said
