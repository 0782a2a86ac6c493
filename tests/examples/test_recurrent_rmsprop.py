"""RMSProp on a recurrent net: the task is what it says, gradients are clipped, and a mean is worth 1/6."""
import numpy as np
import pytest


def test_answers_are_the_sums_of_two_marked_numbers(page):
    x, y = page.rows(np.random.default_rng(0), m=20000)
    assert np.all(x[:, :, 1].sum(axis=0) == 2) and np.all(x[:page.LENGTH // 2, :, 1].sum(axis=0) == 1)
    np.testing.assert_allclose(y[:, 0], (x[:, :, 0] * x[:, :, 1]).sum(axis=0), rtol=1e-6)   # float32
    assert y.var() == pytest.approx(page.GUESS, rel=0.03)              # two numbers from U(0, 1): 2/12


def test_every_method_learns_something(page):
    for name, (_, rates) in page.METHODS.items():
        found = page.learn(name, rates[1], 60, 0)
        assert np.all(np.isfinite(found)) and found[-20:, 0].mean() < found[:5, 0].mean(), name


def test_the_page_runs_and_draws(said):
    assert "RMSProp" in said
