"""Hessian-free (Martens 2010): a damped Gauss-Newton step, its damping, its stop, its preconditioner."""
import numpy as np
import pytest

from minigrad.optim.minimize import minimize
from minigrad.optim.second_order.hessian_free import HessianFree
from minigrad.testing import problems


@pytest.mark.parametrize("damping", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("problem", [problems.rosenbrock(6), problems.wood(), problems.chebyquad(8)], ids=repr)
def test_equals_the_damped_gauss_newton_step(problem, damping):
    """With CG run to the end and no search: d = -(G + lambda I)^-1 g."""
    A = problem.jacobian(problem.start)
    G = 2 * A.T @ A
    opt = HessianFree(problem.start.copy(), damping=damping, progress=1e-15, search="full")
    d = opt.direction(problem, problem.start, problem.value(problem.start), problem.grad(problem.start))
    wanted = -np.linalg.solve(G + damping * np.eye(problem.n), problem.grad(problem.start))
    solved, _ = opt.solve(problem, problem.start, problem.grad(problem.start), -problem.grad(problem.start), damping)
    np.testing.assert_allclose(solved.x, wanted, rtol=1e-5, atol=1e-9 * abs(wanted).max())
    assert problem.value(problem.start + d) <= problem.value(problem.start + wanted) * (1 + 1e-9)


def test_iterates_are_kept_with_their_curvature():
    problem = problems.osborne2()
    g, A = problem.grad(problem.start), problem.jacobian(problem.start)
    _, kept = HessianFree(problem.start.copy()).solve(problem, problem.start, g, -g, 0.5)
    assert len(kept) >= 3
    for x, xGx in kept:
        assert xGx == pytest.approx(2 * (A @ x) @ (A @ x), rel=1e-8)


def test_cg_stops_when_k_iterations_have_gained_too_little():
    """k = max(10, i/10): at the earliest after the eleventh; the iterates 1, 1.3, 1.3^2, ... are kept, and the last."""
    J = problems.quadratic(60, 1e5)
    J.ggnvp, g = J.hvp, J.grad(J.start)
    hasty = HessianFree(J.start.copy(), progress=0.9, precondition=False)
    solved, kept = hasty.solve(J, J.start, g, -g, 1e-3)
    assert (solved.reason, solved.products) == ("progress", 11)
    thorough = HessianFree(J.start.copy(), progress=1e-15, iterations=30, precondition=False)
    solved, kept = thorough.solve(J, J.start, g, -g, 1e-3)
    wanted, mark = [], 1.0
    for i in range(1, 31):
        if i >= mark:
            wanted.append(i)
            mark = max(1.3 * mark, i + 1)
    assert solved.products == 30 and len(kept) == len({*wanted, 30})


def test_the_preconditioner_is_martens():
    """P = (mean_i g_i^2 + lambda)^0.75: after one iteration of CG the solution is along -g / P."""
    J = problems.bard()
    g, squares = J.grad(J.start), np.array([4.0, 0.01, 100.0])
    J.example_grad_squares = lambda theta: squares
    opt = HessianFree(J.start.copy(), iterations=1)
    x = opt.solve(J, J.start, g, -g, 0.5)[0].x
    wanted = -g / (squares + 0.5) ** 0.75
    np.testing.assert_allclose(x / np.linalg.norm(x), wanted / np.linalg.norm(wanted), rtol=1e-12)


def test_a_refused_step_is_followed_by_more_damping_and_a_start_from_zero():
    opt = HessianFree(np.ones(3), damping=2.0)
    opt.solution = np.ones(3)
    opt.forget()
    assert opt.lambda_ == 3.0 and not opt.solution.any()


def test_damping_follows_the_ratio():
    """On a problem without residual curvature q is exact: the ratio is 1 and lambda falls by 2/3 each step."""
    A = np.random.default_rng(0).standard_normal((5, 5))
    J = problems.LeastSquares("linear", lambda theta: A @ theta, np.ones(5), 0)
    opt = HessianFree(J.start.copy(), damping=1.0)
    for k in range(4):
        opt.step(J)
        assert opt.ratio == pytest.approx(1.0)
        assert opt.lambda_ == pytest.approx((2 / 3) ** (k + 1))


def test_damping_grows_where_the_model_fails():
    opt = HessianFree(np.array([-1.2, 1.0]), damping=1e-6)
    before = opt.lambda_
    while opt.ratio != opt.ratio or opt.ratio >= 0.25:
        before = opt.lambda_
        assert opt.step(problems.rosenbrock()).reason == ""
    assert opt.lambda_ == pytest.approx(1.5 * before)


def test_cg_starts_from_095_of_the_last_solution():
    problem = problems.wood()
    opt = HessianFree(problem.start.copy())
    opt.step(problem)
    first = []
    original = problem.ggnvp
    problem.ggnvp = lambda theta, v: (first.append(v.copy()), original(theta, v))[1]
    solution = opt.solution.copy()
    opt.step(problem)
    assert solution.any()
    np.testing.assert_allclose(first[0], 0.95 * solution)               # the product that forms the first residual


def test_preconditioner_is_used_where_example_gradients_exist():
    problem = problems.brown_dennis()
    calls = []

    def example_grads(theta):
        calls.append(1)
        return 2 * problem.residuals(theta)[:, None] * problem.jacobian(theta) * 20
    problem.example_grads = example_grads
    result = minimize(HessianFree(problem.start.copy(), damping=1e-2), problem, 300, tolerance=1e-2)
    assert len(calls) == result.steps and result.value == pytest.approx(problem.lowest, rel=1e-9)


@pytest.mark.parametrize("make", [problems.rosenbrock, problems.beale, problems.bard, problems.osborne2,
                                  problems.powell_singular, problems.broyden_banded])
def test_reaches_the_minimum(make):
    problem = make()
    result = minimize(HessianFree(problem.start.copy(), damping=1e-2), problem, 500, tolerance=1e-7)
    assert result.value == pytest.approx(problem.lowest, rel=1e-6, abs=1e-9), result


def test_names_the_missing_product():
    with pytest.raises(ValueError, match="ggnvp"):
        HessianFree(np.zeros(2)).step(problems.saddle2())
