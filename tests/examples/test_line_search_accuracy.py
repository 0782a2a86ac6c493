"""A sloppy line search costs conjugate gradients much and BFGS little; both need n exact steps on a quadratic."""
import numpy as np
import pytest

from minigrad import optim


def test_exact_steps_solve_a_quadratic_in_as_many_as_it_has_dimensions(page):
    for method in page.METHODS.values():
        rng = np.random.default_rng(5)
        J, theta = page.Bowl(8, 10, rng), rng.standard_normal(8)
        end = optim.minimize(method(theta, search=page.missed), J, 50, tolerance=1e-9 * np.linalg.norm(J.grad(theta)))
        assert end.steps == 8 and end.reason == "tolerance"


def test_the_missed_step_is_the_exact_one_times_the_factor(page):
    rng = np.random.default_rng(6)
    J, theta = page.Bowl(5, 10, rng), rng.standard_normal(5)
    g = J.grad(theta)
    line = optim.linesearch.Line(J, theta, -g)
    assert page.missed(line, factor=1.3).step == pytest.approx(1.3 * (g @ g) / (g @ J.H @ g), rel=1e-12)


def test_fletcher_reeves_needs_an_exact_search_and_bfgs_a_sloppy_one(page):
    """Means over five samples: with c2 = 0.9 Fletcher-Reeves is so erratic that rounding decides a single one."""
    x, y = page.digits()
    spent = {(name, c2): np.mean([page.regression(method, c2, x[i:i + 200], y[i:i + 200]).evaluations
                                  for i in range(0, 1000, 200)])
             for name, method in page.METHODS.items() for c2 in (0.9, 0.1)}
    assert spent["CG, Fletcher-Reeves", 0.9] > 2 * spent["CG, Fletcher-Reeves", 0.1]
    assert spent["BFGS", 0.9] < 0.7 * spent["BFGS", 0.1]
    assert spent["BFGS", 0.9] < 0.7 * min(count for (name, _), count in spent.items() if name != "BFGS")


@pytest.mark.parametrize("method", [optim.ConjugateGradient, optim.ScaledConjugateGradient])
def test_sgd_first_helps_conjugate_gradients_early(page, method):
    x, y = page.digits()
    gains = [page.after_sgd(method, 0, 10, seed, x[:600], y[:600], 10)[-1, 1]
             - page.after_sgd(method, 100, 10, seed, x[:600], y[:600], 10)[-1, 1] for seed in range(3)]
    assert min(gains) > 0.2


def test_the_page_runs_and_draws(said):
    assert "scaled CG" in said
