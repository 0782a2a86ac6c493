"""Linear autoencoders (Baldi and Hornik 1989): every critical point but the projection on the leading components is a
saddle, and the distance from it grows like exp(l t)."""
import numpy as np
import pytest


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


def test_the_page_runs_and_draws(said):
    assert "above the minimum" in said
