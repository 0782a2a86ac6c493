"""Newton (algorithm 8.8), damped (8.28), saddle-free, Levenberg-Marquardt; Newton-CG and trust region."""
import numpy as np
import pytest

from minigrad.optim.minimize import minimize
from minigrad.optim.second_order.base import STALLED, Descent
from minigrad.optim.second_order.conjugate_gradient import ScaledConjugateGradient
from minigrad.optim.second_order.hessian_free import HessianFree
from minigrad.optim.second_order.newton import (
    DampedNewton,
    LevenbergMarquardt,
    Newton,
    SaddleFreeNewton,
    cholesky,
    damping_for,
    shrunk,
    solve_cholesky,
)
from minigrad.optim.second_order.newton_cg import KrylovSaddleFree, LeavesSaddles, NewtonCG, TrustRegion
from minigrad.testing import problems

SADDLES = [problems.saddle2(), *(problems.saddle(n, negative, rng) for n, negative in ((2, 1), (3, 3), (6, 2), (10, 5))
                                 for rng in range(3))]


@pytest.mark.parametrize("condition", [1, 1e3, 1e6])
def test_newton_solves_a_quadratic_in_one_step(condition):
    J = problems.quadratic(30, condition)
    result = minimize(Newton(J.start.copy()), J, 1)
    np.testing.assert_allclose(result.theta, J.c, atol=1e-16 * condition + 1e-12)
    assert result.grad_norm <= 1e-8 * result.grad_norms[0]


def test_newton_by_products_alone():
    class Products:
        def __init__(self, problem):
            self.value_and_grad, self.hvp = problem.value_and_grad, problem.hvp
    J = problems.quadratic(5)
    opt = Newton(J.start.copy())
    opt.step(Products(J))
    np.testing.assert_allclose(opt.theta, J.c, atol=1e-12)


def test_cholesky_solve_is_a_solve():
    H, b = problems.quadratic(20, 1e4).H, np.arange(20.0)
    np.testing.assert_allclose(solve_cholesky(cholesky(H), b), np.linalg.solve(H, b), rtol=1e-9)
    assert cholesky(-H) is None and cholesky(H * np.nan) is None


def test_newton_converges_quadratically_on_a_convex_function():
    """The number of right digits doubles at each of the last steps."""
    J = problems.log_cosh()
    result = minimize(Newton(J.minima[0] + 0.05), J, 20, tolerance=1e-13)
    errors = np.linalg.norm(result.path - J.minima[0], axis=1)
    assert result.reason == "tolerance" and result.steps <= 6
    assert errors[2] <= 10 * errors[1] ** 2 + 1e-14


@pytest.mark.parametrize("J", SADDLES, ids=repr)
def test_newton_lands_on_the_saddle_and_the_others_leave_it(J):
    landed = minimize(Newton(J.start.copy()), J, 30, tolerance=1e-12)
    np.testing.assert_allclose(landed.theta, 0, atol=1e-9)
    assert np.linalg.eigvalsh(J.hessian(landed.theta))[0] < -0.5
    for method in (SaddleFreeNewton, KrylovSaddleFree, DampedNewton, NewtonCG, TrustRegion):
        result = minimize(method(J.start.copy()), J, 200, tolerance=1e-8)
        assert result.value == pytest.approx(J.lowest, abs=1e-9), (method.__name__, result)
        assert result.reason == "tolerance"


@pytest.mark.parametrize("J", SADDLES[1:4], ids=repr)
def test_saddle_free_leaves_even_from_where_newton_has_landed(J):
    """Started 1e-4 beside the saddle. Exactly on it g = 0 and no method that follows g moves: the reason says so."""
    rng = np.random.default_rng(0)
    for method in (SaddleFreeNewton, KrylovSaddleFree):
        result = minimize(method(1e-4 * rng.standard_normal(J.n)), J, 200, tolerance=1e-8)
        assert result.value == pytest.approx(J.lowest, abs=1e-9)
    assert SaddleFreeNewton(np.zeros(J.n)).step(J).reason == "the gradient is zero"


def test_saddle_free_direction_is_the_closed_form_and_krylov_agrees_in_the_full_space():
    J = problems.styblinski_tang(6)
    theta = np.random.default_rng(0).uniform(-3, 3, 6)
    g, (l, V) = J.grad(theta), np.linalg.eigh(J.hessian(theta))
    wanted = -V @ ((V.T @ g) / abs(l))
    np.testing.assert_allclose(SaddleFreeNewton(theta.copy()).direction(J, theta, 0, g), wanted, rtol=1e-9)
    np.testing.assert_allclose(KrylovSaddleFree(theta.copy()).direction(J, theta, 0, g), wanted, rtol=1e-6)


@pytest.mark.parametrize("h", [0.01, 4.0])
def test_newton_cg_scales_minus_g_by_the_size_of_a_negative_curvature(h):
    class Hill:
        def hvp(self, theta, v):
            return -h * v
    opt, g = NewtonCG(np.ones(2)), np.array([3.0, -1.0])
    np.testing.assert_allclose(opt.direction(Hill(), opt.theta, 0.0, g), -g / h)
    assert opt.note == "negative curvature"


def test_krylov_saddle_free_spends_its_dimension():
    J = problems.Counting(problems.rosenbrock(40))
    opt = KrylovSaddleFree(J.start + 0.1 * np.random.default_rng(0).standard_normal(40), dimension=5)
    opt.step(J)
    J.counts.clear()
    opt.step(J)
    assert J.counts["hvp"] == 6                                        # 5 Lanczos vectors and the last step


def test_newton_with_a_search_only_goes_down():
    J = problems.saddle2()
    opt = Newton(np.array([0.0, 0.1]), search="wolfe")                 # Newton's step would climb to the saddle
    assert opt.step(J).reason == "" and "not a descent direction" in opt.note
    assert J.value(opt.theta) < J.value(np.array([0.0, 0.1]))


def test_a_singular_hessian_becomes_steepest_descent():
    class Flat:
        def value_and_grad(self, theta):
            return float(theta[0] ** 4), np.array([4 * theta[0] ** 3, 0.0])

        def hessian(self, theta):
            return np.zeros((2, 2))
    opt = Newton(np.array([1.0, 1.0]))
    assert opt.step(Flat()).reason == ""
    assert opt.theta[1] == 1.0 and opt.theta[0] == 0.0              # g = (4, 0): shortened to length 1
    opt = Newton(np.array([0.1, 1.0]))
    opt.step(Flat())
    np.testing.assert_allclose(opt.theta, [0.1 - 4e-3, 1.0])        # g = (0.004, 0): as it is


def test_damped_newton_is_8_28():
    """One accepted step with alpha = 2.5 from (1, 0.1) on the saddle, as the equation has it."""
    J = problems.saddle2()
    opt = DampedNewton(J.start.copy(), damping=2.5)
    opt.step(J)
    wanted = J.start - np.linalg.solve(J.hessian(J.start) + 2.5 * np.eye(2), J.grad(J.start))
    np.testing.assert_allclose(opt.theta, wanted, rtol=1e-12)


@pytest.mark.parametrize("J", [problems.saddle2(), problems.rosenbrock(), problems.styblinski_tang(3)], ids=repr)
@pytest.mark.parametrize("alpha", [0.3, 2.5, 1e3])
def test_a_constant_alpha_is_8_28_step_by_step(J, alpha):
    """adaptive=False: theta - (H + alpha I)^-1 g each time, wherever it leads; alpha stays."""
    opt, theta = DampedNewton(J.start.copy(), damping=alpha, adaptive=False), J.start.copy()
    for _ in range(6):
        theta = theta - np.linalg.solve(J.hessian(theta) + alpha * np.eye(J.n), J.grad(theta))
        assert opt.step(J).reason == ""
        np.testing.assert_allclose(opt.theta, theta, rtol=1e-9)
    assert opt.alpha == alpha


def test_the_books_claims_on_alpha():
    """Section 8.6.1: alpha must exceed the most negative eigenvalue for the step to descend; as alpha grows the step
    becomes the gradient divided by alpha; for alpha to 0 Newton's."""
    J = problems.saddle2()
    start, g, H = J.start, J.grad(J.start), J.hessian(J.start)
    most_negative = -np.linalg.eigvalsh(H)[0]

    def moved(alpha):
        opt = DampedNewton(start.copy(), damping=alpha, adaptive=False)
        opt.step(J)
        return opt.theta - start
    assert g @ moved(1.1 * most_negative) < 0 and np.linalg.eigvalsh(H + 1.1 * most_negative * np.eye(2))[0] > 0
    assert moved(0.9 * most_negative)[1] * -g[1] < 0                  # uphill along the direction of that eigenvalue
    np.testing.assert_allclose(moved(1e9), -g / 1e9, rtol=1e-6)
    newton = Newton(start.copy())
    newton.step(J)
    np.testing.assert_allclose(moved(1e-12), newton.theta - start, rtol=1e-9)


def test_a_constant_alpha_that_makes_the_matrix_singular_is_a_reason():
    J = problems.Problem("saddle", lambda theta: (theta[0] ** 2 - theta[1] ** 2) / 2, [1, 1], -np.inf)
    opt = DampedNewton(J.start.copy(), damping=1.0, adaptive=False)
    assert opt.step(J).reason == "H + alpha I is singular"
    np.testing.assert_array_equal(opt.theta, 1)


def test_damping_shrinks_on_a_quadratic_and_grows_where_the_model_fails():
    J = problems.quadratic(5)
    opt = DampedNewton(J.start.copy())
    opt.step(J), opt.step(J)
    assert opt.alpha == 1 / 16
    hill = problems.styblinski_tang(2)
    opt = DampedNewton(np.array([0.5, 0.5]), damping=1e-3)             # concave there: (H + alpha I) not definite
    opt.step(hill)
    assert opt.alpha > 1


class SaidCurvature:
    """theta^2/2 from theta = 1, with a curvature h said of it: the step 1/h gains 2 - 1/h times what it promises."""

    def __init__(self, h):
        self.h = h

    def value(self, theta):
        return float(theta @ theta) / 2

    def value_and_grad(self, theta):
        return self.value(theta), theta.copy()

    def hvp(self, theta, v):
        return self.h * v

    ggnvp = hvp


@pytest.mark.parametrize("ratio, damped, free", [(0.2, 4, 1.5), (0.3, 1, 1), (0.7, 1, 1), (0.8, 1 / 4, 2 / 3)])
def test_damping_follows_the_ratio_of_actual_to_predicted_decrease(ratio, damped, free):
    """Below 1/4 it grows, above 3/4 it shrinks: by 4 in DampedNewton, by 3/2 in HessianFree (Martens 2010)."""
    J = SaidCurvature(1 / (2 - ratio))
    opt = DampedNewton(np.ones(1), damping=1e-9)
    assert opt.step(J).reason == "" and opt.alpha == pytest.approx(1e-9 * damped)
    opt = HessianFree(np.ones(1), damping=1e-9, search="full")
    assert opt.step(J).reason == "" and opt.ratio == pytest.approx(ratio) and opt.lambda_ == pytest.approx(1e-9 * free)
    opt = ScaledConjugateGradient(np.ones(1), damping=1e-9)             # Moller: to lambda + delta (1 - Delta) / |d|^2
    assert opt.step(J).reason == ""
    assert opt.lambda_ == pytest.approx(1e-9 + J.h * 0.8 if ratio == 0.2 else 1e-9 * (1 / 4 if ratio == 0.8 else 1))


def test_the_predicted_decrease_is_that_of_the_undamped_parabola():
    """alpha = 1: the step s = 1/(h + 1) promises s - h s^2/2 and gains s - s^2/2, a part of 0.7: alpha stays."""
    s = 1.3 / 1.7
    opt = DampedNewton(np.ones(1), damping=1.0)
    assert opt.step(SaidCurvature(1 / s - 1)).reason == "" and opt.alpha == 1.0


@pytest.mark.parametrize("h, radius, wanted", [
    (1 / 1.8, 5.0, 1.8 / 4),            # ratio 0.2, step 1.8: to a fourth of the step
    (1 / 1.7, 5.0, 5.0), (1 / 1.2, 5.0, 5.0),       # 0.3 and 0.8, inside: as it is
    (2 - 1 / 0.7, 1.0, 1.0),            # 0.7, on the boundary: as it is
    (2 - 1 / 0.8, 1.0, 2.0), (2 - 1 / 0.8, 1.0, 1.5)])         # 0.8, on the boundary: twice, at most the largest
def test_the_radius_follows_the_ratio(h, radius, wanted):
    """Nocedal and Wright, algorithm 4.1."""
    opt = TrustRegion(np.ones(1), radius=radius, largest=1.5 if wanted == 1.5 else 1000.0)
    assert opt.step(SaidCurvature(h)).reason == "" and opt.radius == pytest.approx(wanted)


def test_levenberg_marquardt_step_is_its_equation():
    """(A'A + lambda D^2) d = -A'r with lambda such that |D d| = radius within a tenth."""
    J = problems.osborne1()
    theta = J.start
    A, r = J.jacobian(theta), J.residuals(theta)
    D = np.sqrt((A * A).sum(axis=0))
    U, s, Vt = np.linalg.svd(A / D, full_matrices=False)
    undamped = np.linalg.norm(shrunk(s, U.T @ r, 0.0))
    for radius in (1e-3 * undamped, 0.1 * undamped, 0.8 * undamped):
        lambda_ = damping_for(s, U.T @ r, radius)
        d = Vt.T @ shrunk(s, U.T @ r, lambda_) / D
        assert lambda_ > 0 and np.linalg.norm(D * d) == pytest.approx(radius, rel=0.101)
        np.testing.assert_allclose((A.T @ A + lambda_ * np.diag(D**2)) @ d, -A.T @ r, rtol=1e-6, atol=1e-9)
    assert damping_for(s, U.T @ r, 1e9) == 0.0


def test_levenberg_marquardt_ends_a_linear_problem_in_one_step():
    A, b = np.random.default_rng(0).standard_normal((20, 4)), np.arange(20.0)
    J = problems.LeastSquares("linear", lambda theta: A @ theta - b, np.ones(4), 0)
    opt = LevenbergMarquardt(J.start.copy())
    opt.step(J)
    np.testing.assert_allclose(opt.theta, np.linalg.lstsq(A, b, rcond=None)[0], rtol=1e-9)


def test_levenberg_marquardts_radius_becomes_twice_a_step_that_kept_its_promise():
    """More 1978: ratio 1 on a linear problem; the step is Gauss and Newton's, its length measured in D."""
    J = problems.LeastSquares("linear", lambda x: np.array([[2.0, 0], [0, 3], [1, 1]]) @ x - np.ones(3), [3, -1], 0)
    opt = LevenbergMarquardt(J.start.copy())
    opt.step(J)
    D = np.linalg.norm(J.jacobian(J.start), axis=0)
    assert opt.radius == pytest.approx(2 * np.linalg.norm(D * (opt.theta - J.start)))
    np.testing.assert_allclose(opt.scale, D)


def test_levenberg_marquardts_promise_includes_the_damping():
    """r = theta with a Jacobian said to be 1.608: a step of half the length of Gauss and Newton's promises
    2 z - z^2 = 0.75 of |r|^2 (z = |D d|) and gains 0.7 of that, so the radius stays."""
    class Said:
        def residuals(self, theta):
            return theta.copy()

        def jacobian(self, theta):
            return np.array([[1.608]])

        def value_and_grad(self, theta):
            return float(theta @ theta), 2 * theta
    opt = LevenbergMarquardt(np.ones(1), radius=0.5 / 1.608)
    assert opt.step(Said()).reason == "" and opt.radius == pytest.approx(0.5)


def test_levenberg_marquardts_scale_is_the_largest_each_column_had():
    J, largest = problems.meyer(), np.zeros(3)
    opt = LevenbergMarquardt(J.start.copy())
    for _ in range(12):
        largest = np.maximum(largest, np.linalg.norm(J.jacobian(opt.theta), axis=0))
        assert opt.step(J).reason == ""
        np.testing.assert_allclose(opt.scale, largest)
    assert (largest > 1.2 * np.linalg.norm(J.jacobian(opt.theta), axis=0)).any()


def test_small_eigenvalues_are_raised_to_the_floor():
    """1e-12 beside 1: with floor 1e-3 the step along the first is g / 1e-3, not g / 1e-12."""
    opt = SaddleFreeNewton(np.ones(3), floor=1e-3)
    H, g = np.diag([1e-12, -0.5, 1.0]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(opt.absolute(H, g), [-1e3, -4.0, -3.0])


def test_levenberg_marquardt_does_not_notice_units():
    """Parameters in other units (times 1e-6, 1e4): the same path, in those units."""
    J, units = problems.kowalik_osborne(), np.array([1e-6, 1e4, 1.0, 30.0])

    class Scaled:
        residuals = staticmethod(lambda theta: J.residuals(theta * units))
        jacobian = staticmethod(lambda theta: J.jacobian(theta * units) * units)
        value_and_grad = staticmethod(lambda theta: (J.value(theta * units), J.grad(theta * units) * units))
    a, b = LevenbergMarquardt(J.start.copy()), LevenbergMarquardt(J.start / units)
    for _ in range(8):
        a.step(J), b.step(Scaled)
        np.testing.assert_allclose(b.theta * units, a.theta, rtol=1e-6)


def test_levenberg_marquardt_names_what_is_missing():
    with pytest.raises(ValueError, match=r"residuals\(...\), jacobian\(...\)"):
        LevenbergMarquardt(np.zeros(2)).step(problems.saddle2())


def test_trust_region_predicts_what_the_model_says(monkeypatch):
    """What it predicts without extra products is -(g.d + d.H d/2): inside, on the boundary, with H indefinite."""
    seen, own = [], TrustRegion.predicted
    monkeypatch.setattr(TrustRegion, "predicted", staticmethod(
        lambda d, g, solved, known: seen.append((d, g, solved.reason, own(d, g, solved, known))) or seen[-1][3]))
    reasons = set()
    for J in (problems.styblinski_tang(6), problems.rosenbrock(10), problems.wood()):
        opt = TrustRegion(J.start + 0.3, radius=0.3)
        for _ in range(25):
            theta = opt.theta.copy()
            seen.clear()
            opt.step(J)
            for d, g, reason, predicted in seen:
                assert predicted == pytest.approx(-(g @ d + d @ J.hessian(theta) @ d / 2), rel=1e-6, abs=1e-14)
                reasons.add(reason)
    assert reasons == {"tolerance", "boundary", "negative curvature"}


def test_trust_region_stays_in_its_ball_and_tries_again_without_new_products():
    J = problems.Counting(problems.rosenbrock(10))
    opt = TrustRegion(J.start + 0.1, radius=0.5)
    for _ in range(20):
        before, radius = opt.theta.copy(), opt.radius
        J.counts.clear()
        opt.step(J)
        assert np.linalg.norm(opt.theta - before) <= radius * (1 + 1e-12)
        if J.counts["value_and_grad"] > 2:                              # a refused trial: the walk is not repeated
            assert J.counts["hvp"] <= 10
    assert opt.k == 20


@pytest.mark.parametrize("start", [0.1 * problems.osborne1().start, np.full(5, 0.1), [0.5, 1, 1, 0.01, 0.01]],
                         ids=["a tenth", "equal", "in the space"])
def test_newton_cg_leaves_the_space_where_two_parameters_of_osborne_1_are_equal(start):
    """There two exponentials are one; every gradient and every product with one stays in that space, in which the point
    is a minimum, J = 0.0506, while out of it the curvature is -467."""
    J = problems.osborne1()
    result = minimize(NewtonCG(np.array(start, float)), J, 300)
    assert result.value < 0.0503 and result.theta[3] != pytest.approx(result.theta[4], rel=1e-3)


@pytest.mark.parametrize("method", [NewtonCG, KrylovSaddleFree])
@pytest.mark.parametrize("n, negative", [(3, 1), (8, 2), (40, 3)])
def test_a_saddle_that_no_gradient_shows_is_left(method, n, negative):
    """g is exactly zero along the directions of negative curvature: only a random direction has a part in them."""
    l = np.r_[-np.linspace(1, 3, negative), np.linspace(1, 5, n - negative)]

    class Saddle:
        def value_and_grad(self, theta):
            quartic = np.where(l < 0, theta, 0)
            convex = np.where(l < 0, 0, theta)
            value = np.sum(l * quartic**2 / 2 + quartic**4 / 4) + np.sum(abs(l) * (np.exp(convex) - 3 * convex))
            return float(value), np.where(l < 0, l * theta + theta**3, l * (np.exp(theta) - 3))

        def hvp(self, theta, v):
            return np.where(l < 0, l + 3 * theta**2, l * np.exp(theta)) * v
    lowest = np.sum(-l[l < 0] * 1 - l[l < 0] ** 2 / 4) + np.sum(l[l > 0]) * (3 - 3 * np.log(3))
    start = np.where(l < 0, 0.0, 1.0)
    result = minimize(method(start.copy()), Saddle(), 300)
    assert result.value == pytest.approx(lowest, rel=1e-12), result


class Stays(Descent):
    """A method that has come to its end."""

    def advance(self, J, theta, value, g):
        return STALLED


class LooksOnce(LeavesSaddles, Stays):
    pass


@pytest.mark.parametrize("a, slope, reached", [(0.374, -1e-6, 1), (0.38, -1e-6, 0.25), (0.374, 1e-6, -1),
                                               (0.375 + 2**-20, -(2**-20), 0.25)])      # the fourth exactly: too little
def test_a_step_along_negative_curvature_gains_a_fourth_of_what_the_curvature_promises(a, slope, reached):
    """J = slope x - x^2/2 + a x^4 at 0, where x^2/2 is promised: a fourth of it is gained at |x| = 1 if a < 0.375;
    otherwise the next step, a fourth as long, is taken. It goes down the slope."""
    class Ridge:
        def value_and_grad(self, theta):
            x = theta[0]
            return slope * x - x * x / 2 + a * x**4, slope - theta + 4 * a * theta**3

        def hvp(self, theta, v):
            return (12 * a * theta**2 - 1) * v
    opt = LooksOnce(np.zeros(1))
    opt.step(Ridge())
    assert opt.theta[0] == reached


@pytest.mark.parametrize("method", [NewtonCG, KrylovSaddleFree])
def test_a_minimum_is_not_taken_for_a_saddle(method):
    J = problems.Counting(problems.bard())
    opt = method(J.start.copy())
    result = minimize(opt, J, 300)
    assert "no decrease" in result.reason and "saddle" not in opt.note
