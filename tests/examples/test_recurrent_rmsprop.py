"""RMSProp on a recurrent net: the task is what it says, gradients are clipped, and a mean is worth 1/6."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "recurrent_rmsprop.py"
    spec = importlib.util.spec_from_file_location("recurrent_rmsprop", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_answers_are_the_sums_of_two_marked_numbers(page):
    x, y = page.rows(np.random.default_rng(0), m=20000)
    assert np.all(x[:, :, 1].sum(axis=0) == 2) and np.all(x[:page.LENGTH // 2, :, 1].sum(axis=0) == 1)
    np.testing.assert_allclose(y[:, 0], (x[:, :, 0] * x[:, :, 1]).sum(axis=0), rtol=1e-6)   # float32
    assert y.var() == pytest.approx(page.GUESS, rel=0.03)              # two numbers from U(0, 1): 2/12


def test_every_method_learns_something(page):
    for name, (_, rates) in page.METHODS.items():
        found = page.learn(name, rates[1], 60, 0)
        assert np.all(np.isfinite(found)) and found[-20:, 0].mean() < found[:5, 0].mean(), name


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert "RMSProp" in capsys.readouterr().out
    assert (tmp_path / "recurrent_rmsprop.png").read_bytes()[:4] == b"\x89PNG"
