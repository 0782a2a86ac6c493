"""Polyak averaging: in a noisy valley the points' variance stays, that of their mean falls like 1/k, as derived."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "polyak_averaging.py"
    spec = importlib.util.spec_from_file_location("polyak_averaging", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_the_page_runs_draws_and_the_refreshed_average_is_better(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert float(capsys.readouterr().out.split("seed by seed:")[1].split()[0]) > 0
    assert (tmp_path / "polyak_averaging.png").read_bytes()[:4] == b"\x89PNG"
