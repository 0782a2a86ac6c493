"""BFGS and L-BFGS (section 8.6.3): the theory on quadratics, the dense formula as oracle, bad pairs, memory."""
import tracemalloc

import numpy as np
import pytest

from minigrad.optim.minimize import minimize
from minigrad.optim.second_order.quasi_newton import BFGS, LBFGS
from minigrad.testing import problems


@pytest.mark.parametrize("n", [2, 5, 10, 20])
@pytest.mark.parametrize("seed", range(3))
def test_bfgs_with_exact_search_has_the_inverse_hessian_after_n_steps(n, seed):
    """M0 = I, eigenvalues in [1, 100]: the hereditary property holds to rounding."""
    rng = np.random.default_rng(seed)
    J = problems.quadratic(n, rng=seed, eigenvalues=np.r_[1, 100, rng.uniform(1, 100, n - 2)])
    opt = BFGS(J.start.copy(), search="exact", scale=False)
    for _ in range(n):
        assert opt.step(J).reason == ""
    np.testing.assert_allclose(opt.M, np.linalg.inv(J.H), atol=1e-9)
    np.testing.assert_allclose(opt.theta, J.c, atol=1e-9)


def dense_bfgs(pairs, gamma, n):
    """Nocedal and Wright (6.17), from gamma I, as printed."""
    M, eye = gamma * np.eye(n), np.eye(n)
    for s, y in pairs:
        r = 1 / (y @ s)
        M = (eye - r * np.outer(s, y)) @ M @ (eye - r * np.outer(y, s)) + r * np.outer(s, s)
    return M


@pytest.mark.parametrize("scale", [True, False])
def test_bfgs_is_the_printed_update(scale):
    J = problems.wood()
    opt, pairs = BFGS(J.start.copy(), scale=scale), []
    for _ in range(12):
        before = opt.theta.copy()
        opt.step(J)
        pairs.append((opt.theta - before, J.grad(opt.theta) - J.grad(before)))
    s, y = pairs[0]
    M = dense_bfgs(pairs, (s @ y) / (y @ y) if scale else 1.0, 4)
    np.testing.assert_allclose(opt.M, M, rtol=1e-6, atol=1e-9 * abs(M).max())
    np.testing.assert_array_equal(opt.M, opt.M.T)


@pytest.mark.parametrize("memory", [1, 3, 7])
@pytest.mark.parametrize("scale", [True, False])
def test_two_loops_equal_the_dense_formula_on_the_last_pairs(memory, scale):
    J = problems.rosenbrock(6)
    opt, pairs = LBFGS(J.start.copy(), memory=memory, scale=scale), []
    for k in range(10):
        g = J.grad(opt.theta)
        kept = pairs[-memory:]
        gamma = (kept[-1][0] @ kept[-1][1]) / (kept[-1][1] @ kept[-1][1]) if kept and scale else 1.0
        np.testing.assert_allclose(opt.direction(J, opt.theta, 0.0, g), -dense_bfgs(kept, gamma, 6) @ g, rtol=1e-7)
        before = opt.theta.copy()
        assert opt.step(J).reason == "", k
        pairs.append((opt.theta - before, J.grad(opt.theta) - J.grad(before)))


def test_lbfgs_that_forgets_nothing_is_bfgs():
    J = problems.beale()
    a, b = LBFGS(J.start.copy(), memory=50, scale=False), BFGS(J.start.copy(), scale=False)
    for _ in range(9):
        a.step(J), b.step(J)
        np.testing.assert_allclose(a.theta, b.theta, rtol=1e-6)


def test_lbfgs_with_exact_search_has_conjugate_directions():
    """The book's remark, with M = I at the start of each step (memory 1, unscaled)."""
    J = problems.quadratic(8, 50)
    opt, steps = LBFGS(J.start.copy(), memory=1, scale=False, search="exact"), []
    for _ in range(6):
        before = opt.theta.copy()
        opt.step(J)
        steps.append((opt.theta - before) / np.linalg.norm(opt.theta - before))
    S = np.array(steps)
    A = S @ J.H @ S.T
    np.testing.assert_allclose(A - np.diag(np.diag(A)), 0, atol=1e-8)


@pytest.mark.parametrize("method", [BFGS, LBFGS])
def test_pairs_without_curvature_are_skipped(method):
    """Backtracking alone does not give s.y > 0: M must stay positive definite all the same."""
    J = problems.saddle2()
    opt = method(np.array([0.3, 0.05]), search="backtracking")
    for _ in range(30):
        opt.step(J)
        if method is BFGS:
            assert np.linalg.eigvalsh(opt.M)[0] > 0
        else:
            assert all(opt.sy[i] > 0 for i in opt.stored())
    assert J.value(opt.theta) == pytest.approx(-1)


@pytest.mark.parametrize("method", [BFGS, LBFGS])
def test_both_gradients_of_a_pair_are_of_the_same_minibatch(method):
    """J changes at every step: the pair learned is s and H_k s of that step's J."""
    Js = [problems.quadratic(5, 10, rng=seed) for seed in range(6)]
    opt = method(Js[0].start.copy(), scale=False)
    seen = []
    learn = opt.learn
    object.__setattr__(opt, "learn", lambda s, y, *rest: (seen.append((s.copy(), y.copy())), learn(s, y, *rest)))
    for J in Js:
        assert opt.step(J).reason == ""
    for J, (s, y) in zip(Js, seen):
        np.testing.assert_allclose(y, J.H @ s, atol=1e-10)


def test_lbfgs_memory_is_two_rows_of_n_per_pair():
    n, memory = 10_000, 7
    opt = LBFGS(np.zeros(n, np.float32), memory=memory)
    held = sum(np.asarray(part).nbytes for part in opt._state.values())
    assert 2 * memory * n * 4 <= held <= 2 * memory * n * 4 + 1000


def test_lbfgs_peak_memory_is_of_order_memory_times_n():
    """Measured: 2 rows per pair and a constant number of work vectors, whatever the number of steps."""
    n, memory = 20_000, 10
    h = np.geomspace(1, 100, n)

    class Bowl:
        def value_and_grad(self, theta):
            return float(theta @ (h * theta)) / 2, h * theta
    tracemalloc.start()
    try:
        opt = LBFGS(np.ones(n), memory=memory)
        for _ in range(25):
            assert opt.step(Bowl()).reason == ""
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= (2 * memory + 20) * n * 8


def test_wrong_memory_is_refused():
    with pytest.raises(ValueError, match="LBFGS: memory"):
        LBFGS(np.zeros(3), memory=0)


def test_rosenbrock_in_the_counts_of_the_literature():
    """From (-1.2, 1) both need about 35 steps (SciPy: 32 to 37)."""
    for method in (BFGS, LBFGS):
        result = minimize(method(problems.rosenbrock().start.copy()), problems.rosenbrock(), 100, tolerance=1e-8)
        assert result.reason == "tolerance" and result.steps <= 45 and result.value < 1e-15
