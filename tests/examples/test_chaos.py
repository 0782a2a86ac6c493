"""Chaos: the Lyapunov exponent is the logarithm of the spectral radius where states die out, positive for large
weights, and the same forwards and in the gradients."""
import numpy as np
import pytest


@pytest.mark.parametrize("gain", [0.4, 0.8])
def test_below_one_it_is_the_logarithm_of_the_spectral_radius(page, gain):
    net, _ = page.cell(gain, 0)
    W = next(p.data for _, p in net.own_parameters() if p.shape == (page.UNITS, page.UNITS))
    radius = abs(np.linalg.eigvals(W)).max()
    assert page.lyapunov(gain, 0, steps=300) == pytest.approx(np.log(radius), abs=0.02)
    assert radius == pytest.approx(gain, rel=0.1)                    # the circular law, 200 units


def test_large_weights_are_chaotic_and_gradients_explode_alike(page):
    forwards, back = page.lyapunov(2.0, 0, steps=150), page.gradient_back(2.0, 0)
    assert forwards > 0.1 and back == pytest.approx(forwards, abs=0.15)


def test_the_page_runs_and_draws(said):
    assert "Lyapunov" in said
