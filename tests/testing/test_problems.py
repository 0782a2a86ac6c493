"""The problem collection: derivatives by HIPS autograd and by differences, minima by their definition and by SciPy."""
import numpy as np
import pytest

from minigrad.testing import problems
from minigrad.testing.problems import measurements, more_garbow_hillstrom, surfaces

EVERY = [*problems.collection(), problems.mountain(), problems.mountain(2), problems.chebyquad(7)]
by_name = pytest.mark.parametrize("problem", EVERY, ids=lambda problem: problem.name)


def near(problem, rng=0):
    """A generic point near the start (starts are symmetric, and some have coordinates equal to 0)."""
    return problem.start + 0.05 * np.random.default_rng(rng).standard_normal(problem.n) * (0.1 + abs(problem.start))


def test_at_least_thirty_distinct_problems():
    names = [problem.name for problem in problems.collection()]
    assert len(set(names)) == len(names) >= 40
    assert len(problems.least_squares_collection()) >= 30


@by_name
def test_derivatives_agree_with_autograd(problem, monkeypatch):
    """The same formulas, evaluated with autograd's NumPy: gradient, Hessian and product to 1e-9 relative."""
    autograd = pytest.importorskip("autograd")
    import autograd.numpy as anp
    for module in (more_garbow_hillstrom, surfaces):
        monkeypatch.setattr(module, "np", anp)
    if problem.least_squares:
        scalar = lambda x: anp.sum(problem.formula(x) ** 2)
    else:
        scalar = problem.formula
    theta, v = near(problem), np.random.default_rng(1).standard_normal(problem.n)
    g, H = autograd.grad(scalar)(theta), autograd.hessian(scalar)(theta)
    monkeypatch.undo()
    np.testing.assert_allclose(problem.grad(theta), g, rtol=1e-9, atol=1e-9 * (1 + abs(g).max()))
    np.testing.assert_allclose(problem.hessian(theta), H, rtol=1e-9, atol=1e-9 * (1 + abs(H).max()))
    np.testing.assert_allclose(problem.hvp(theta, v), H @ v, rtol=1e-8, atol=1e-8 * (1 + abs(H).max()))


@by_name
def test_derivatives_agree_with_central_differences(problem):
    """Along a random direction, steps of 1e-6 relative: 1e-6 of the size of what is differenced."""
    theta, rng = near(problem, 2), np.random.default_rng(3)
    d = rng.standard_normal(problem.n) * (0.1 + abs(theta))
    h = 1e-6
    f, g = problem.value_and_grad(theta)
    assert f == pytest.approx(problem.value(theta), rel=1e-12)
    slope = (problem.value(theta + h * d) - problem.value(theta - h * d)) / (2 * h)
    assert g @ d == pytest.approx(slope, rel=1e-5, abs=1e-8 * (1 + abs(f)))
    curvature = (problem.grad(theta + h * d) - problem.grad(theta - h * d)) / (2 * h)
    scale = abs(curvature).max() + abs(g).max()
    np.testing.assert_allclose(problem.hvp(theta, d), curvature, rtol=1e-5, atol=1e-5 * scale)
    if problem.least_squares:
        r, J = problem.residuals(theta), problem.jacobian(theta)
        assert r @ r == pytest.approx(f)
        np.testing.assert_allclose(2 * J.T @ r, g, rtol=1e-9, atol=1e-9 * (1 + abs(g).max()))
        np.testing.assert_allclose(problem.ggnvp(theta, d), 2 * J.T @ (J @ d))


@by_name
def test_minima_are_minima(problem):
    """Gradient zero, Hessian without negative eigenvalues, value the lowest one."""
    for minimum in problem.minima:
        f, g, H = problem.value(minimum), problem.grad(minimum), problem.hessian(minimum)
        eigenvalues = np.linalg.eigvalsh(H)
        assert f == pytest.approx(problem.lowest, rel=1e-9, abs=1e-12)
        assert abs(g).max() <= 1e-6 * (1 + abs(eigenvalues).max())
        assert eigenvalues[0] >= -1e-9 * (1 + eigenvalues[-1])


@pytest.mark.parametrize("problem", [p for p in problems.least_squares_collection() if not p.minima],
                         ids=lambda problem: problem.name)
def test_published_lowest_values_are_reached_by_scipy(problem):
    """Where the minimum has no closed form, SciPy's MINPACK ends at the published value: so the data are right."""
    optimize = pytest.importorskip("scipy.optimize")
    result = optimize.least_squares(problem.residuals, problem.start, problem.jacobian, method="lm",
                                    xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale="jac", max_nfev=2000)
    assert 2 * result.cost == pytest.approx(problem.lowest, rel=2e-6, abs=1e-20)


def test_float32_in_float32_out():
    for problem in EVERY:
        theta = problem.start.astype(np.float32)
        assert problem.grad(theta).dtype == np.float32
        assert problem.hvp(theta, theta).dtype == np.float32
        assert isinstance(problem.value(theta), float)


def test_overflow_is_a_value():
    problem = problems.jennrich_sampson()
    assert problem.value(np.array([1e3, 1e3])) == np.inf
    assert not np.isfinite(problem.grad(np.array([1e3, 1e3]))).all()


def test_counting_counts_every_kind():
    J = problems.Counting(problems.rosenbrock())
    theta = J.start
    J.value(theta), J.value_and_grad(theta), J.hvp(theta, theta), J.hessian(theta)
    assert J.counts == {"value": 1, "value_and_grad": 1, "hvp": 1, "hessian": 1}
    assert J.evaluations == 1 + 2 + 1 + 2
    assert not hasattr(J, "example_grads")


def test_measurements_have_the_published_lengths():
    assert [len(getattr(measurements, name)) for name in ("BARD", "GAUSSIAN", "MEYER", "OSBORNE1", "OSBORNE2")] \
        == [15, 15, 16, 33, 65]
