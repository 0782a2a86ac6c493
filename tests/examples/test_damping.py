"""(8.28) from alpha = 0, Newton's step, to infinity, where it is -g/alpha; and on a quadratic its exact rate."""
import numpy as np
import pytest

from minigrad import optim


def test_the_hessian_is_the_derivative_of_the_gradient(page):
    J, theta, h = page.Fit(), np.array([0.4, -0.7]), 1e-6
    for derivative, f in ((J.grad(theta), J.value), (J.hessian(theta), J.grad)):
        differences = [(f(theta + h * axis) - f(theta - h * axis)) / (2 * h) for axis in np.eye(2)]
        np.testing.assert_allclose(derivative, differences, atol=1e-8)


def test_a_large_alpha_is_gradient_descent_and_none_is_newton(page):
    J, start = page.Fit(), page.START
    np.testing.assert_allclose(page.step_from(start, 0), -np.linalg.solve(J.hessian(start), J.grad(start)), rtol=1e-10)
    for alpha in (1e4, 1e6):                                     # (H + alpha I)^-1 = 1/alpha - H/alpha^2 + ...
        np.testing.assert_allclose(page.step_from(start, alpha) * alpha, -J.grad(start), rtol=3 / alpha)


def test_above_the_lowest_eigenvalue_the_step_descends_and_shortens(page):
    start = page.START
    lowest = np.linalg.eigvalsh(page.Fit().hessian(start))[0]
    steps = np.array([page.step_from(start, alpha) for alpha in -lowest + np.geomspace(0.01, 100, 20)])
    assert lowest < 0 and (steps @ page.Fit().grad(start) < 0).all()
    assert (np.diff(np.linalg.norm(steps, axis=1)) < 0).all()


@pytest.mark.parametrize("alpha", [0.1, 1.0, 30.0])
def test_on_a_quadratic_every_eigenvector_shrinks_by_alpha_over_lambda_plus_alpha(alpha):
    class Axes:
        l = np.array([0.5, 3.0, 20.0])

        def value(self, theta):
            return self.l @ theta**2 / 2

        def grad(self, theta):
            return self.l * theta

        def hessian(self, theta):
            return np.diag(self.l)

    theta = np.array([1.0, -2.0, 3.0])
    optim.minimize(optim.DampedNewton(theta, damping=alpha, adaptive=False), Axes(), 4)
    np.testing.assert_allclose(theta, np.array([1.0, -2.0, 3.0]) * (alpha / (Axes.l + alpha)) ** 4, rtol=1e-10)


def test_levenberg_marquardt_ends_in_the_minimum_of_damped_newton(page):
    ends = [optim.minimize(method(page.START.copy()), page.Fit(), 100, tolerance=1e-10).theta
            for method in (optim.LevenbergMarquardt, optim.DampedNewton)]
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_the_page_runs_and_draws(said):
    rows = {line[:20].strip(): line[20:].split() for line in said.splitlines()}
    assert int(rows["alpha adaptive"][0]) == 10                              # of ten starts all reach a minimum
    assert int(rows["alpha = 0"][0]) < 8 and int(rows["alpha = 0"][1]) > 0    # Newton's do not
