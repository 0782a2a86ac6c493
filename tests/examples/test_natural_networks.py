"""Natural neural networks: the whitened inputs of every layer have the eigenvalues l/(l + delta)."""
import numpy as np
import pytest


@pytest.mark.parametrize("kind, layers", [("dense", 4), ("convolutional", 3)])
def test_inputs_of_every_layer_are_white(page, kind, layers):
    found = page.spectra(page.network(kind, False, 0), page.digits(50)[0][0])
    assert len(found) == layers
    for before, after in found.values():
        np.testing.assert_allclose(after, before / (before + page.DELTA), atol=1e-6)


def test_prong_learns_the_dense_net_faster_than_sgd(page):
    """The same 20 steps, the best of three rates each, one seed: 0.6 against 1.9 or so."""
    train, test = page.digits(300)
    best = {method: min(page.learn("dense", method, rate, 20, 0, train, test)[0][-1]
                        for rate in page.RATES["dense", method]) for method in ("SGD", "PRONG")}
    assert best["PRONG"] < 0.7 * best["SGD"]


def test_the_page_runs_and_draws(said):
    assert "PRONG" in said
