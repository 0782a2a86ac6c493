"""Squared errors of a net: J is the sum of the squared residuals, and the first step of Levenberg-Marquardt solves the
damped normal equations."""
import numpy as np
import pytest

from minigrad import optim


def test_the_page_s_cost_is_a_sum_of_squares(page):
    J = page.problem(0, 50)
    r, A = J.residuals(), J.jacobian()
    assert A.shape == (500, 386) and J.value() == pytest.approx(r @ r, rel=1e-12)
    np.testing.assert_allclose(J.grad(), 2 * A.T @ r, atol=1e-12)


def test_each_step_of_levenberg_marquardt_is_some_damped_least_squares_step(page):
    """(A'A + alpha D^2) step = -A'r with alpha >= 0, D the norms of A's columns (1 where one is 0): the rest
    -A'(r + A step) is a multiple of D^2 step."""
    J = page.problem(1, 50)
    theta, r, A = J.parameters.theta.copy(), J.residuals(), J.jacobian()
    opt = optim.LevenbergMarquardt(J.parameters)
    opt.step(J)
    step = J.parameters.theta - theta
    rest = -(A.T @ (A @ step) + A.T @ r)
    scale = np.linalg.norm(A, axis=0)
    scaled = np.where(scale > 0, scale, 1) ** 2 * step
    alpha = rest @ scaled / (scaled @ scaled)
    assert alpha >= 0 and np.linalg.norm(rest - alpha * scaled) < 1e-6 * np.linalg.norm(A.T @ r)


def test_levenberg_marquardt_needs_fewer_steps_than_scaled_conjugate_gradients(page):
    lm, scg = (page.learn(name, 0, 100, share)[20, 0] for name, share in (("Levenberg-Marquardt", 0.7),
                                                                          ("scaled conjugate gradients", 0.04)))
    assert lm < 0.7 * scg


def test_the_page_runs_and_draws(said):
    assert "scaled conjugate gradients" in said
