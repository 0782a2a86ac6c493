"""Line searches on functions of one number, and along directions of an objective."""
import math

import numpy as np
import pytest

from minigrad.optim.second_order.linesearch import (
    Line,
    backtracking,
    cubic_minimizer,
    exact,
    full_step,
    named,
    strong_wolfe,
)
from minigrad.testing import problems


def yanai(b1, b2):
    """More and Thuente's functions 4 to 6 (1994), from Yanai, Ozawa and Kaneko."""
    gamma = lambda b: math.sqrt(1 + b * b) - b

    def phi(t):
        return gamma(b1) * math.hypot(1 - t, b2) + gamma(b2) * math.hypot(t, b1)

    def dphi(t):
        return gamma(b1) * (t - 1) / math.hypot(1 - t, b2) + gamma(b2) * t / math.hypot(t, b1)
    return phi, dphi


MORE_THUENTE = {
    "1": (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
    "2": (lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4, lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3),
    "4": yanai(0.001, 0.001), "5": yanai(0.01, 0.001), "6": yanai(0.001, 0.01),
    "parabola": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "cosine": (lambda t: math.cos(t) - 0.1 * t, lambda t: -math.sin(t) - 0.1),
}


@pytest.mark.parametrize("name", MORE_THUENTE)
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("c1, c2", [(1e-4, 0.9), (1e-3, 0.1), (1e-4, 1e-2)])
def test_strong_wolfe_holds_from_any_first_step(name, step, c1, c2):
    phi, dphi = MORE_THUENTE[name]
    found = strong_wolfe((phi, dphi), step, c1, c2)
    assert found.success and found.reason == "wolfe" and found.step > 0
    assert found.value == phi(found.step) and found.slope == dphi(found.step)
    assert found.value <= phi(0) + c1 * found.step * dphi(0)
    assert abs(found.slope) <= -c2 * dphi(0)


def test_evaluations_are_few_where_the_first_step_is_good():
    phi, dphi = MORE_THUENTE["parabola"]
    assert strong_wolfe((phi, dphi), 3.0).evaluations == 1
    assert strong_wolfe((phi, dphi), 1e-2, c2=0.1).evaluations <= 5
    assert strong_wolfe((phi, dphi), 100.0, c2=0.1).evaluations <= 3


@pytest.mark.parametrize("step", [1e-3, 1.0, 1e3])
def test_backtracking_gives_armijo(step):
    for phi, dphi in MORE_THUENTE.values():
        found = backtracking((phi, dphi), step)
        assert found.success and found.reason == "armijo" and 0 < found.step <= step
        assert found.value <= phi(0) + 1e-4 * found.step * dphi(0)


@pytest.mark.parametrize("search", [strong_wolfe, backtracking])
def test_trial_values_that_are_not_finite_are_backed_away_from(search):
    """-log(1 - t) + ... is NaN from t = 1 on, exp overflows: both have a minimum inside."""
    def phi(t):
        return -math.log(1 - t) - 3 * t if t < 1 else math.nan

    def dphi(t):
        return 1 / (1 - t) - 3 if t < 1 else math.nan
    found = search((phi, dphi), 100.0)
    assert found.success and 0 < found.step < 1
    with np.errstate(over="ignore"):
        grows = lambda t: float(np.exp(t)) - 5 * t
        assert search((grows, lambda t: float(np.exp(t)) - 5), 1e4).success


@pytest.mark.parametrize("search", [strong_wolfe, backtracking])
@pytest.mark.parametrize("phi, dphi, reason", [
    (lambda t: t, lambda t: 1.0, "not a descent direction"),
    (lambda t: 1.0, lambda t: 0.0, "not a descent direction"),
    (lambda t: math.nan, lambda t: -1.0, "not finite"),
    (lambda t: 0.0, lambda t: math.nan, "not finite"),
    (lambda t: t, lambda t: -1.0, "no decrease"),                                    # a wrong derivative
    (lambda t: math.inf if t else 0.0, lambda t: -1.0, "not finite"),
])
def test_failure_is_a_value_with_a_reason(search, phi, dphi, reason):
    found = search((phi, dphi))
    assert (found.success, found.step, found.reason) == (False, 0.0, reason)


def test_unbounded_is_said():
    assert strong_wolfe((lambda t: -t, lambda t: -1.0)).reason == "unbounded"
    assert strong_wolfe((lambda t: -math.inf if t > 10 else -t, lambda t: -1.0)).reason == "unbounded"
    assert not strong_wolfe((lambda t: -t, lambda t: -1.0)).success


def test_a_slope_that_bends_up_is_not_unbounded():
    """-t + 1e-13 t^2 / 2 has its minimum at 1e13: at 1e10 the slope is still -0.999, but it bends."""
    found = strong_wolfe((lambda t: -t + 5e-14 * t * t, lambda t: -1 + 1e-13 * t))
    assert found.success and found.reason == "armijo" and found.step == 1e10
    assert strong_wolfe((lambda t: -t - 5e-14 * t * t, lambda t: -1 - 1e-13 * t)).reason == "unbounded"


@pytest.mark.parametrize("size, longest", [(1e-5, 1e10), (1.0, 1e10), (1e9, 1e19)])
@pytest.mark.parametrize("length", [1e-14, 1.0, 1e6])
def test_the_longest_step_is_relative_to_theta(size, longest, length):
    line = Line(None, size * np.array([0.6, -0.8]), length * np.array([0.0, 1.0]), 1.0, np.ones(2))
    assert line.longest * length == pytest.approx(longest)


def test_armijo_alone_is_said_where_the_slope_cannot_be_small():
    """|t - 1| has slopes -1 and 1 only: no step satisfies the curvature condition."""
    found = strong_wolfe((lambda t: abs(t - 1), lambda t: -1.0 if t < 1 else 1.0), 0.3, c2=0.5)
    assert found.success and found.reason == "armijo" and found.value < 1


def test_cubic_minimizer_is_exact_on_cubics():
    """t^3 - 3t has its minimum at 1."""
    f, d = lambda t: t**3 - 3 * t, lambda t: 3 * t * t - 3
    for a, b in ((0.1, 4.0), (4.0, 0.1), (0.5, 0.7), (-0.5, 2.0)):
        assert cubic_minimizer(a, f(a), d(a), b, f(b), d(b)) == pytest.approx(1.0)
    assert math.isnan(cubic_minimizer(0.0, 0.0, 1.0, 1.0, 2.0, 4.0))               # t^3 + t only rises


def test_exact_step_minimizes_a_quadratic_along_the_line_with_one_product():
    J = problems.Counting(problems.quadratic(12, 1e3))
    g = J.grad(J.start)
    J.counts.clear()
    line = Line(J, J.start, -g, J.objective.value(J.start), g)
    found = exact(line)
    assert found.reason == "exact" and J.counts == {"hvp": 1, "value_and_grad": 1}
    assert found.step == pytest.approx(g @ g / (g @ J.H @ g), rel=1e-12)
    assert abs(found.slope) <= 1e-12 * (g @ g)


def test_exact_refuses_negative_curvature_and_missing_products():
    class Hill:
        def value_and_grad(self, theta):
            return -float(theta @ theta), -2 * theta

        def hvp(self, theta, v):
            return -2 * v
    line = Line(Hill(), np.ones(2), np.ones(2))
    assert exact(line).reason == "negative curvature"
    Hill.hvp = property(lambda self: (_ for _ in ()).throw(AttributeError()))
    with pytest.raises(ValueError, match="hvp"):
        exact(Line(Hill(), np.ones(2), np.ones(2)))


def test_full_step_goes_up_or_down_but_not_to_nan():
    assert full_step((lambda t: t, lambda t: 1.0), 2.0).step == 2.0
    assert full_step((lambda t: math.nan if t else 0.0, lambda t: 1.0)).reason == "not finite"


def test_line_remembers_the_gradient_of_the_accepted_step_and_leaves_theta_alone():
    J = problems.Counting(problems.rosenbrock())
    theta = J.start.copy()
    line = Line(J, theta, -J.grad(theta))
    found = strong_wolfe(line, 1.0)
    J.counts.clear()
    np.testing.assert_array_equal(line.gradient(found.step), J.objective.grad(theta + found.step * line.direction))
    np.testing.assert_array_equal(line.gradient(0), J.objective.grad(theta))
    assert J.counts == {}
    np.testing.assert_array_equal(theta, J.start)


def test_float32_search_near_a_minimum_is_not_fooled_by_rounding():
    """f = 1e4 + small: in float32 values cannot tell steps apart, slopes can (approximate Wolfe)."""
    class Offset:
        def value_and_grad(self, theta):
            return float(np.float32(1e4 + 0.5 * float(theta @ theta))), theta.copy()
    theta = np.full(4, 1e-3, np.float32)
    found = strong_wolfe(Line(Offset(), theta, -theta), 1.0)
    assert found.success and found.reason == "wolfe" and found.step == pytest.approx(1.0)


def test_searches_by_name():
    assert named("wolfe") is strong_wolfe and named(backtracking) is backtracking
    with pytest.raises(ValueError, match="wolfe, backtracking, exact, full"):
        named("newton")


def drawn(rng):
    """A random polynomial plus a random sine, NaN beyond a wall in three of ten: (phi, dphi)."""
    P = np.polynomial.Polynomial(rng.standard_normal(rng.integers(2, 6)) * 10 ** rng.uniform(-3, 3))
    D, w, a = P.deriv(), 10 ** rng.uniform(-2, 2), rng.standard_normal() * 10 ** rng.uniform(-2, 2)
    wall = 10 ** rng.uniform(-2, 4) if rng.random() < 0.3 else math.inf
    return (lambda t: float(P(t)) + a * math.sin(w * t) if t < wall else math.nan,
            lambda t: float(D(t)) + a * w * math.cos(w * t) if t < wall else math.nan)


def test_whatever_the_function_the_reason_is_true():
    """600 random functions, first steps from 1e-4 to 1e4: what is claimed holds."""
    rng, reasons = np.random.default_rng(0), set()
    for _ in range(600):
        phi, dphi = drawn(rng)
        c2 = rng.choice([0.9, 0.4, 0.1])
        found = strong_wolfe((phi, dphi), 10 ** rng.uniform(-4, 4), 1e-4, c2)
        reasons.add(found.reason)
        armijo = found.value <= phi(0) + 1e-4 * found.step * dphi(0) + 1e-14 * abs(phi(0))
        assert found.evaluations <= 30
        if found.reason == "wolfe":
            assert armijo and abs(found.slope) <= -c2 * dphi(0)
        elif found.reason == "armijo":
            assert armijo and found.step > 0
        elif found.reason == "unbounded":
            assert found.step >= 1e10 and found.value < phi(0)
        else:
            assert found.reason == "not a descent direction" and dphi(0) >= 0 and found.step == 0
    assert reasons == {"wolfe", "armijo", "unbounded", "not a descent direction"}
