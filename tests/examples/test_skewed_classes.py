"""Biases from the marginals: a model of zero weights starts at the entropy of the classes, a net near it."""
import numpy as np
import pytest

from minigrad import Objective, init, losses, nn


def test_zero_weights_and_these_biases_give_the_entropy(page):
    x, y = page.skewed_digits(0)
    model = nn.Linear(36, 10, weights=init.zeros, dtype=np.float64)
    model.b.data = init.bias_from_marginals(y, classes=10, dtype=np.float64)
    assert Objective(model, losses.cross_entropy, x.astype(float), y).value() == pytest.approx(page.entropy(y))


def test_the_classes_are_as_skewed_as_the_text_says(page):
    counts = np.bincount(page.skewed_digits(1)[1], minlength=10)
    assert counts[0] / counts[-1] == pytest.approx(page.RATIO, rel=0.01) and (np.diff(counts) <= 0).all()


def test_steps_are_saved_at_the_start(page):
    x, y = page.skewed_digits(2)
    without, with_them = (page.learn(marginals, x, y, 60, seed=2) for marginals in (False, True))
    assert without[0] > 2.1 and abs(with_them[0] - page.entropy(y)) < 0.1
    assert page.first_below(without, page.entropy(y)) > 15 > page.first_below(with_them, page.entropy(y))


def test_the_page_runs_and_draws(said):
    assert "steps saved until J is below the entropy" in said
