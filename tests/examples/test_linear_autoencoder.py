"""Linear autoencoders (Baldi and Hornik 1989): every critical point but the projection on the leading components is a
saddle, and the distance from it grows like exp(l t)."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "linear_autoencoder.py"
    spec = importlib.util.spec_from_file_location("linear_autoencoder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_critical_points_are_where_they_should_be_and_only_one_is_a_minimum(page):
    x, Q = page.problem()
    np.testing.assert_allclose(np.linalg.eigvalsh(x.T @ x / len(x))[::-1], page.EIGENVALUES, atol=1e-12)
    J, minima = page.objective(x), []
    for chosen, theta in page.critical_points(Q).items():
        assert J.value(theta) == pytest.approx(page.expected_cost(chosen), abs=1e-12)
        assert np.abs(J.grad(theta)).max() < 1e-12
        if np.linalg.eigvalsh(J.hessian(theta))[0] > -1e-9:
            minima.append(chosen)
    assert minima == [(0, 1)]


def test_the_distance_from_a_saddle_grows_like_exp_l_t(page):
    x, Q = page.problem()
    J, theta = page.objective(x), page.critical_points(Q)[(1, 2)]
    l, lr = -np.linalg.eigvalsh(J.hessian(theta))[0], 0.002
    distance = page.away(J, theta, 4000, lr, 0)[:, 0]
    late = (distance > 1e-4) & (distance < 1e-2)
    slope = np.polyfit(lr * np.arange(len(distance))[late], np.log(distance[late]), 1)[0]
    assert slope == pytest.approx(l, rel=0.02)


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert "above the minimum" in capsys.readouterr().out
    assert (tmp_path / "linear_autoencoder.png").read_bytes()[:4] == b"\x89PNG"
