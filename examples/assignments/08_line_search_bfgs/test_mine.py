"""Reference tests for 08_line_search_bfgs: what a student's own tests should find out. Run them with pytest."""
import math

import line_search_bfgs as mine
import numpy as np


def search(p, step=1.0, c1=1e-4, c2=0.9):
    """The step along a polynomial; that it has both conditions."""
    p = np.polynomial.Polynomial(p)
    found = mine.strong_wolfe(lambda t: (float(p(t)), float(p.deriv()(t))), step, c1, c2)
    t = found.step
    assert found.success and t > 0
    assert p(t) <= p(0) + c1 * t * p.deriv()(0) + 1e-12
    assert abs(p.deriv()(t)) <= c2 * abs(p.deriv()(0)) + 1e-12
    return t


def test_the_minimum_of_a_cubic_from_both_sides():
    """x^3 - 3x has its minimum at 1."""
    for a, b in ((0.0, 3.0), (3.0, 0.0), (0.5, 1.5), (-0.5, 2.0)):
        f, slope = lambda x: x ** 3 - 3 * x, lambda x: 3 * x * x - 3
        assert abs(mine.cubic_minimizer(a, f(a), slope(a), b, f(b), slope(b)) - 1) < 1e-9


def test_no_minimum_is_nan():
    assert math.isnan(mine.cubic_minimizer(0.0, 0.0, 1.0, 1.0, 1.0, 1.0))           # a straight line
    assert math.isnan(mine.cubic_minimizer(0.0, 0.0, 3.0, 1.0, 4 / 3, 1.5))         # rises everywhere


def test_steps_have_both_conditions():
    for step in (1e-3, 0.1, 1.0, 30.0):
        for c1, c2 in ((1e-4, 0.9), (1e-4, 0.1), (0.3, 0.5), (0.45, 0.5)):
            search([0.0, -3.0, 2.0], step, c1, c2)
            search([0.0, -0.01, 0.002], step, c1, c2)
    wavy = np.polynomial.Polynomial.fromroots([0.0, 1.0, 2.0, 3.2])
    for step in (0.1, 0.9, 1.8, 3.0, 4.0):
        search(wavy.coef, step, c2=0.1)


def test_a_good_step_is_taken_at_once():
    """phi = t^2/2 - t, at t = 0.5 and at t = 1.5, where the slope is half as steep as at 0, up or down."""
    assert search([0.0, -1.0, 0.5], step=0.5, c1=0.1, c2=0.6) == 0.5
    assert search([0.0, -1.0, 0.5], step=1.5, c1=1e-4, c2=0.9) == 1.5


def test_a_long_step_over_a_flat_plain():
    """-t/(t^2 + 2): far out every value is below 0 and every slope is small; the minimum is at sqrt 2."""
    def phi(t):
        return -t / (t * t + 2), (t * t - 2) / (t * t + 2) ** 2
    for step in (0.01, 10.0, 100.0):
        found = mine.strong_wolfe(phi, step, 1e-4, 0.1)
        assert found.success and abs(found.slope) <= 0.05 + 1e-12 and found.value <= -0.5e-4 * found.step
        assert (found.value, found.slope) == phi(found.step)


def test_the_direction_is_minus_m_g():
    assert np.array_equal(mine.direction(np.diag([2.0, 0.5]), np.array([1.0, -4.0])), [-2.0, 2.0])


def test_updates_are_the_product_of_the_definition():
    rng = np.random.default_rng(0)
    A, I, M, want = rng.standard_normal((3, 3)), np.eye(3), np.eye(3), np.eye(3)
    for s in rng.standard_normal((4, 3)):
        y = (A @ A.T + I) @ s
        r = 1 / (s @ y)
        want = (I - r * np.outer(s, y)) @ want @ (I - r * np.outer(y, s)) + r * np.outer(s, s)
        M = mine.learn(M, s, y)
        np.testing.assert_allclose(M, want, rtol=1e-8, atol=1e-10)


def test_a_pair_of_negative_curvature_is_skipped():
    s = np.array([1.0, 2.0])
    assert np.array_equal(mine.learn(np.eye(2), s, -s), np.eye(2))
    assert np.array_equal(mine.learn(np.eye(2), s, np.array([-2.0, 1.0])), np.eye(2))
