"""Deep linear nets: gradient descent follows the closed form of Saxe et al. to the error of its step size."""
import numpy as np
import pytest


@pytest.mark.parametrize("layers", [1, 2])
def test_modes_follow_the_closed_form_and_the_error_is_that_of_the_step(page, layers):
    x, y, U, V = page.problem(np.random.default_rng(3))
    errors = []
    for lr, steps in ((0.02, 200), (0.01, 400)):
        modes, values, _ = page.train(layers, x, y, U, V, lr, steps, np.random.default_rng(4))
        errors.append(abs(modes - page.exact(layers, np.arange(steps + 1) * lr)).max())
        assert (np.diff(values) < 1e-12).all()
    assert errors[1] < (0.01 if layers == 1 else 0.2)
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.2)                  # Euler's method is of first order


def test_the_start_is_beside_a_saddle(page):
    x, y, U, V = page.problem(np.random.default_rng(3))
    _, _, spectrum = page.train(2, x, y, U, V, 0.01, 1, np.random.default_rng(4))
    assert spectrum.lowest == pytest.approx(-4, rel=0.01) and spectrum.highest == pytest.approx(4, rel=0.01)


def test_the_page_runs_and_draws(said):
    assert "half learned at t = 1.0" in said
