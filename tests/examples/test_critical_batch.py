"""The critical batch size: on a parabola progress is 1/(1 + B/n) exactly, and the noise scale grows with learning."""
import numpy as np
import pytest

from minigrad import Objective, losses, nn
from minigrad.diagnostics import gradient_noise


@pytest.fixture
def parabola():
    """Linear regression, J = E (x.theta - y)^2, with very unequal variances of the inputs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 4)) * [2.0, 1.0, 0.5, 0.2]
    y = x @ np.ones((4, 1)) + rng.standard_normal((400, 1))
    return Objective(nn.Linear(4, 1, bias=False, rng=1, dtype=np.float64), losses.mean_squared_error, x, y)


def test_curved_noise_scale_is_its_formula_by_numpy(page, parabola):
    x, theta = parabola.x.data, parabola.parameters.theta
    H = 2 * x.T @ x / len(x)
    each = 2 * (x @ theta[:, None] - parabola.y) * x
    S, g = np.cov(each.T), each.mean(0)
    assert page.curved_noise_scale(parabola) == pytest.approx(np.trace(H @ S) / (g @ H @ g), rel=1e-10)
    assert gradient_noise(parabola).noise_scale == pytest.approx(np.trace(S) / (g @ g), rel=1e-10)


def test_progress_on_a_parabola_is_that_of_the_formula(page, parabola, monkeypatch):
    monkeypatch.setattr(page, "SIZES", (4, 32))
    B = page.curved_noise_scale(parabola)
    for n, share in page.progress(parabola, 400, np.random.default_rng(2)).items():
        assert share == pytest.approx(1 / (1 + B / n), rel=0.15)        # 400 draws; the rates are 40 % apart


def test_the_page_runs_draws_and_the_noise_scale_grows(said):
    rows = [line.split() for line in said.splitlines() if line.startswith("seed")]
    assert len(rows) == 3 and all(float(row[8]) > 2 * float(row[4]) for row in rows)
