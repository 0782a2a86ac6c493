"""Polyak averaging: in a noisy valley the points' variance stays, that of their mean falls like 1/k, as derived."""
import numpy as np
import pytest


def test_the_mean_is_the_mean(page):
    places, means = page.valley(200, seed=3)
    np.testing.assert_allclose(means, np.cumsum(places, axis=0) / np.arange(1, 201)[:, None], atol=1e-12)


def test_points_and_mean_vary_as_derived(page):
    runs = [page.valley(800, seed) for seed in range(120)]
    point = np.mean([places[100:] ** 2 @ page.CURVATURES / 2 for places, _ in runs])
    mean = np.mean([means[-1] ** 2 @ page.CURVATURES / 2 for _, means in runs])
    expected = page.stationary(800)
    assert point == pytest.approx(expected[0], rel=0.1)
    assert mean == pytest.approx(expected[1], rel=0.35)             # 120 runs: 12 %, and the start


def test_the_page_runs_draws_and_the_refreshed_average_is_better(said):
    assert float(said.split("seed by seed:")[1].split()[0]) > 0
