"""1,000 layers of relus: the walk keeps norms, a gain of 5 % less loses 22 powers of ten, and the net learns."""
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "thousand_layers.py"
    spec = importlib.util.spec_from_file_location("thousand_layers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_norms_drift_by_the_logarithm_of_the_gain(page):
    """One walk has a variance of about 5/64 in log |h|^2 for a layer, 9 in 1,000: 2 in log10 |h| at three sigma."""
    (x, _), _ = page.digits()
    for gain in (1.0, 0.95):
        rows = page.walk(page.network(1000, gain, seed=1), x[:20], looks=50)
        assert rows[-1, 1] - 999 * math.log10(gain) == pytest.approx(0, abs=6)
    assert rows[-1, 1] < -15


def test_inputs_end_on_one_ray(page):
    (x, _), _ = page.digits()
    rows = page.walk(page.network(1000, 1.0, seed=1), x[:20], looks=50)
    assert rows[0, 2] > 0.3 and rows[-1, 2] < 0.01 and np.all(np.isfinite(rows))


@pytest.mark.long
def test_a_thousand_layers_learn(page):
    curve, wrong, _ = page.learn(1000, 1.0, 120, 0, *page.digits())
    assert np.mean(curve[:5]) > 0.6 and np.mean(curve[-10:]) < 0.5 and wrong < 20


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert "random walk" in capsys.readouterr().out
    assert (tmp_path / "thousand_layers.png").read_bytes()[:4] == b"\x89PNG"
