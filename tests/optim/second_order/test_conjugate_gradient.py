"""Conjugate gradients (algorithm 8.9), linear and scaled: the theory on quadratics, NumPy and SciPy as oracles."""
import math

import numpy as np
import pytest

from minigrad.optim.minimize import minimize
from minigrad.optim.second_order.conjugate_gradient import (
    ConjugateGradient,
    ScaledConjugateGradient,
    fletcher_reeves,
    hestenes_stiefel,
    linear_cg,
    polak_ribiere,
    to_boundary,
)
from minigrad.testing import problems

BETAS = [fletcher_reeves, polak_ribiere, hestenes_stiefel]


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("seed", range(3))
def test_at_most_n_searches_and_conjugate_directions(beta, seed):
    """n = 50, condition 10: |g| falls by 1e-10 in at most n exact searches; while |g| > 1e-6 |g0| all directions are
    conjugate and all gradients orthogonal to 1e-8 (each normalized)."""
    J = problems.quadratic(50, rng=seed, eigenvalues=np.random.default_rng(seed).uniform(1, 10, 50))
    opt = ConjugateGradient(J.start.copy(), beta=beta, search="exact")
    g0, gradients, directions = np.linalg.norm(J.grad(J.start)), [], []
    for _ in range(50):
        g = J.grad(opt.theta)
        if np.linalg.norm(g) <= 1e-10 * g0:
            break
        before = opt.theta.copy()
        assert opt.step(J).reason == ""
        if np.linalg.norm(g) > 1e-6 * g0:
            gradients.append(g / np.linalg.norm(g))
            d = opt.theta - before
            directions.append(d / math.sqrt(d @ J.H @ d))
    assert np.linalg.norm(J.grad(opt.theta)) <= 1e-10 * g0
    G, D = np.array(gradients), np.array(directions)
    assert len(G) > 10
    np.testing.assert_allclose(G @ G.T, np.eye(len(G)), atol=1e-8)
    np.testing.assert_allclose(D @ J.H @ D.T, np.eye(len(D)), atol=1e-8)


@pytest.mark.parametrize("beta", BETAS)
def test_n_steps_end_an_ill_conditioned_small_quadratic(beta):
    J = problems.quadratic(8, 100)
    result = minimize(ConjugateGradient(J.start.copy(), beta=beta, search="exact"), J, 8)
    assert result.value <= 1e-12 * J.value(J.start)


def test_the_books_reset_spoils_that():
    """k = 5 as the box suggests: after 8 searches in 8 dimensions the residual is far from zero."""
    J = problems.quadratic(8, 100)
    free = minimize(ConjugateGradient(J.start.copy(), search="exact"), J, 8)
    reset = minimize(ConjugateGradient(J.start.copy(), search="exact", reset=5), J, 8)
    assert free.grad_norm < 1e-7 * free.grad_norms[0] < 1e-3 * free.grad_norms[0] < reset.grad_norm


def test_the_box_transcribed():
    """Algorithm 8.9 with g_0 = 0 read as beta_1 = 0, exact steps, in plain NumPy."""
    J = problems.quadratic(6, 30)
    opt = ConjugateGradient(J.start.copy(), search="exact")
    theta, g_before, rho = J.start.copy(), None, np.zeros(6)
    for _ in range(6):
        g = J.grad(theta)
        beta = 0 if g_before is None else (g - g_before) @ g / (g_before @ g_before)
        rho = -g + beta * rho
        theta = theta - (g @ rho) / (rho @ J.H @ rho) * rho
        g_before = g
        opt.step(J)
        np.testing.assert_allclose(opt.theta, theta, atol=1e-12)


@pytest.mark.parametrize("reset", [1, 3, 5])
def test_resets_where_the_box_does(reset):
    """beta_t = 0 where t, counted from 1, is a multiple of the constant k."""
    J = problems.quadratic(12, 100)
    opt, zero = ConjugateGradient(J.start.copy(), reset=reset, orthogonality=math.inf, search="exact"), []
    for t in range(1, 12):
        if opt.coefficient == 0:
            zero.append(t)
        assert opt.step(J).reason == ""
    assert zero == sorted({1, *range(reset, 12, reset)})


def test_the_box_with_its_reset_transcribed():
    """Algorithm 8.9 with k = 5 and exact steps, in plain NumPy."""
    J = problems.quadratic(12, 30)
    opt = ConjugateGradient(J.start.copy(), search="exact", reset=5, orthogonality=math.inf)
    theta, g_before, rho = J.start.copy(), None, np.zeros(12)
    for t in range(1, 13):
        g = J.grad(theta)
        beta = 0 if g_before is None or t % 5 == 0 else (g - g_before) @ g / (g_before @ g_before)
        rho = -g + beta * rho
        theta = theta - (g @ rho) / (rho @ J.H @ rho) * rho
        g_before = g
        opt.step(J)
        np.testing.assert_allclose(opt.theta, theta, atol=1e-11)


def test_a_direction_that_does_not_descend_becomes_steepest_descent():
    J = problems.rosenbrock()
    opt = ConjugateGradient(J.start.copy())
    opt.d, opt.coefficient, opt.progress = J.grad(J.start), 100.0, -1.0     # d = -g + 100 g climbs
    before = J.value(opt.theta)
    assert opt.step(J).reason == "" and "steepest descent" in opt.note
    assert J.value(opt.theta) < before


@pytest.mark.parametrize("part, kept", [(-0.005, False), (-0.009, False), (-0.011, True), (-0.5, True), (0.01, False)])
def test_a_direction_that_has_almost_turned_sideways_becomes_steepest_descent(part, kept):
    """d with g.d = part |g|^2: kept where that is at most -0.01 |g|^2."""
    J = problems.rosenbrock()
    g = J.grad(J.start)
    opt = ConjugateGradient(J.start.copy())
    opt.coefficient, opt.d = 1.0, (1 + part) * g + 0.1 * np.array([-g[1], g[0]])           # d = -g + opt.d
    assert opt.step(J).reason == ""
    assert opt.note == ("" if kept else "steepest descent: not a descent direction")


@pytest.mark.parametrize("inner, size, zero", [(0.19, 1.0, False), (0.21, 1.0, True), (-0.21, 1.0, True),
                                               (0.9, 5.0, False), (1.1, 5.0, True)])
def test_powells_restart_compares_with_the_new_gradient(inner, size, zero):
    """beta = 0 where |g.g-| >= 0.2 g.g, g the new gradient (Powell 1977); g.g = `size` here, g-.g- = 1."""
    opt, before = ConjugateGradient(np.zeros(3), beta=fletcher_reeves), np.array([1.0, 0, 0])
    new = np.array([inner, math.sqrt(size - inner**2), 0])
    opt.learn(-before, new - before, 1.0, -before, before, new)
    assert opt.coefficient == (0 if zero else pytest.approx(size))


def test_the_first_step_to_try_gains_as_much_as_the_last_to_first_order():
    """Nocedal and Wright 3.5: t phi'(0) of this step is that of the last; at the very first |t d| is at most 1."""
    opt, g = ConjugateGradient(np.zeros(2)), np.array([3.0, -4.0])
    assert opt.length(0.0, g, -g) == pytest.approx(1 / 5) and opt.length(0.0, g / 50, -g / 50) == 1.0
    opt.learn(-0.1 * g, -g, 0.1, -g, g, np.array([4.0, 3.0]))
    assert opt.length(0.0, 2 * g, -g) * (2 * g @ -g) == pytest.approx(0.1 * (g @ -g))


def test_the_search_is_as_exact_as_fletcher_reeves_needs():
    """c2 = 0.1: of (t - 3)^2 a step of 1, whose slope is two thirds of the first, is not enough."""
    found = ConjugateGradient.default_search((lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)), 1.0)
    assert found.reason == "wolfe" and abs(found.slope) <= 0.1 * 6


def test_beta_is_of_one_minibatch():
    """J changes: the next direction is -g of the new J plus beta (of the old J's two gradients) times d."""
    A, B = problems.quadratic(5, 10, rng=0), problems.quadratic(5, 10, rng=1)
    opt = ConjugateGradient(A.start.copy(), orthogonality=math.inf)
    g0 = A.grad(opt.theta)
    opt.step(A)
    beta, d = polak_ribiere(A.grad(opt.theta), g0, -g0), opt.d.copy()
    np.testing.assert_allclose(opt.direction(B, opt.theta, 0.0, B.grad(opt.theta)), -B.grad(opt.theta) + beta * d)
    assert opt.step(B).reason == ""


@pytest.mark.parametrize("n, condition", [(1, 1), (5, 10), (40, 1e3)])
def test_linear_cg_solves_and_counts_its_products(n, condition):
    J = problems.quadratic(n, condition)
    b, products = np.random.default_rng(n).standard_normal(n), []
    solved = linear_cg(lambda v: products.append(1) or J.H @ v, b, tolerance=1e-12 * np.linalg.norm(b))
    np.testing.assert_allclose(solved.x, np.linalg.solve(J.H, b), rtol=1e-7, atol=1e-9)
    assert solved.reason == "tolerance" and solved.products == len(products)
    np.testing.assert_allclose(solved.residual, b - J.H @ solved.x, atol=1e-9)


def test_preconditioned_linear_cg_is_scipys():
    sparse = pytest.importorskip("scipy.sparse.linalg")
    rng = np.random.default_rng(0)
    H = problems.quadratic(30, 50).H * np.outer(*[np.geomspace(1, 100, 30)] * 2)       # badly scaled
    b, P, x0 = rng.standard_normal(30), np.diag(H), rng.standard_normal(30)
    for iterations in (1, 3, 10):
        ours = linear_cg(lambda v: H @ v, b, x0, lambda r: r / P, iterations=iterations).x
        scipys, _ = sparse.cg(H, b, x0, rtol=0, atol=0, maxiter=iterations, M=np.diag(1 / P))
        np.testing.assert_allclose(ours, scipys, rtol=1e-8, atol=1e-10)
    # perfectly preconditioned: one product
    assert linear_cg(lambda v: H @ v, b, None, lambda r: np.linalg.solve(H, r), 1e-8).products == 1


def test_linear_cg_says_why_it_stopped():
    b = np.array([1.0, 2.0])
    assert linear_cg(lambda v: -v, b).reason == "negative curvature"
    assert linear_cg(lambda v: 0 * v, b).reason == "negative curvature"
    assert linear_cg(lambda v: v * np.nan, b).reason == "not finite"
    assert linear_cg(lambda v: v, np.zeros(2)).reason == "tolerance"
    H = np.diag([1.0, 1e6])
    assert linear_cg(lambda v: H @ v, b, iterations=1).reason == "iterations"
    assert linear_cg(lambda v: H @ v, b, stop=lambda x, r, i: "enough" if i == 1 else "").reason == "enough"
    ball = linear_cg(lambda v: v, b, radius=1.0)
    assert ball.reason == "boundary" and np.linalg.norm(ball.x) == pytest.approx(1)
    ball = linear_cg(lambda v: -v, b, radius=2.0)
    assert ball.reason == "negative curvature" and np.linalg.norm(ball.x) == pytest.approx(2)


def test_to_boundary():
    for x, d, radius in (([0.5, 0], [1, 0], 1), ([0.5, 0], [-3, 1], 2), ([0, 0], [0, 2], 1), ([1, 0], [1, 1], 1)):
        x, d = np.array(x, float), np.array(d, float)
        t = to_boundary(x, d, radius)
        assert t >= 0 and np.linalg.norm(x + t * d) == pytest.approx(radius)


def test_scaled_cg_takes_n_steps_on_a_quadratic():
    """With lambda near 0 its step is the exact one, so it is linear CG."""
    J = problems.quadratic(10, 10)
    result = minimize(ScaledConjugateGradient(J.start.copy(), damping=1e-12), J, 10)
    assert result.grad_norm <= 1e-6 * result.grad_norms[0]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_scaled_cg_restarts_every_n_accepted_steps(n):
    """Moller's step 7: after n steps the next direction is -g."""
    J = problems.quadratic(n, 1e3) if n > 2 else problems.beale()
    opt = ScaledConjugateGradient(J.start.copy(), damping=1.0)
    for k in range(1, 3 * n):
        before, g = opt.theta.copy(), J.grad(opt.theta)
        assert opt.step(J).reason == ""
        along = (opt.theta - before) @ -g / np.linalg.norm(opt.theta - before) / np.linalg.norm(g)
        assert (along == pytest.approx(1, abs=1e-12)) == ((k - 1) % n == 0), k


@pytest.mark.parametrize("products", [True, False])
def test_scaled_cg_never_goes_up(products):
    class Plain:                                                         # no hvp: curvature by difference
        def __init__(self, problem):
            self.value_and_grad = problem.value_and_grad
    for problem in (problems.rosenbrock(), problems.wood(), problems.saddle2(), problems.osborne2()):
        J = problem if products else Plain(problem)
        result = minimize(ScaledConjugateGradient(problem.start.copy()), J, 3000, tolerance=1e-6)
        assert (np.diff(result.values) <= 0).all()
        assert result.reason == "tolerance" and result.value <= problem.lowest + 1e-9, problem


def test_scaled_cg_comes_back_from_a_trial_where_j_explodes():
    """Osborne 1 from a place where the first step makes exp overflow to 1e300: lambda must not be lost to that."""
    J = problems.osborne1()
    result = minimize(ScaledConjugateGradient(np.array([0.5, 1, 1, 0.01, 0.01])), J, 500)
    assert result.reason == "steps" and result.value < 0.06
