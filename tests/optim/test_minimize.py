"""minimize: the path, what is counted, and why it stopped."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.testing import problems

BOWL = problems.Problem("bowl", lambda theta: np.sum(theta * theta) / 2, [1.0, -2.0], 0.0)


def test_the_result_holds_the_path_from_the_start():
    J, theta = problems.Counting(BOWL), BOWL.start.copy()
    result = optim.minimize(optim.SGD(theta, lr=0.5), J, steps=3)
    np.testing.assert_array_equal(result.path, [[1, -2], [0.5, -1], [0.25, -0.5], [0.125, -0.25]])
    np.testing.assert_allclose(result.values, [2.5 / 4 ** k for k in range(4)])
    np.testing.assert_allclose(result.grad_norms, [5 ** 0.5 / 2 ** k for k in range(4)])
    assert (result.steps, result.reason, result.products) == (3, "steps", 0)
    assert result.evaluations == J.counts["value_and_grad"] == 4      # one per point: step and look share it
    assert np.array_equal(result.theta, theta) and result.theta is not theta
    assert "reason='steps'" in repr(result)


def test_it_stops_at_the_tolerance_before_another_step():
    result = optim.minimize(optim.SGD(np.array([1.0]), lr=0.5), BOWL, steps=100, tolerance=0.1)
    assert result.reason == "tolerance" and result.steps == 4 and result.grad_norm == 0.0625


def test_no_steps():
    result = optim.minimize(optim.SGD(np.array([1.0]), lr=0.5), BOWL, steps=0)
    assert result.steps == 0 and len(result.path) == 1


def test_divergence_is_a_result():
    with np.errstate(over="ignore", invalid="ignore"):
        result = optim.minimize(optim.SGD(np.array([1.0]), lr=1e200), BOWL, steps=10)
    assert result.reason == "not finite" and result.steps < 10


def test_a_failed_step_is_a_result():
    class Stuck(optim.Optimizer):
        def step(self, J):
            value, g = self.evaluate(J, self.theta)
            return optim.Step(value, float(np.linalg.norm(g)), 1, "line search failed: no decrease")
    result = optim.minimize(Stuck(np.ones(2)), BOWL, steps=10)
    assert result.reason == "line search failed: no decrease" and result.steps == 0 and result.evaluations == 1


def test_the_path_is_kept_for_small_n_or_on_request():
    assert optim.minimize(optim.SGD(np.ones(101), lr=0.1), BOWL, 2).path is None
    assert optim.minimize(optim.SGD(np.ones(101), lr=0.1), BOWL, 2, path=True).path.shape == (3, 101)
    assert optim.minimize(optim.SGD(np.ones(2), lr=0.1), BOWL, 2, path=False).path is None


def test_nesterov_is_looked_at_at_theta(quadratic):
    J, theta, other = quadratic(4), np.ones(4), np.ones(4)
    result = optim.minimize(optim.Nesterov(theta, lr=0.05), J, steps=20)
    opt, path = optim.Nesterov(other, lr=0.05), [np.ones(4)]
    for _ in range(20):
        opt.step(J)
        path.append(other.copy())
    assert np.array_equal(result.path, path)
    np.testing.assert_array_equal(result.values, [J.value(point) for point in path])


def test_callback_sees_every_point_and_can_end_it():
    seen = []
    result = optim.minimize(optim.SGD(np.ones(1), lr=0.5), BOWL, 50,
                            callback=lambda k, theta, value, g: seen.append((k, value)) or k == 3)
    assert [k for k, _ in seen] == [0, 1, 2, 3] and result.reason == "callback"


def test_products_are_counted():
    class Exact(optim.Optimizer):
        def step(self, J):
            self.need(J, "hvp")
            value, g = self.evaluate(J, self.theta)
            self.theta = self.theta - (g @ g) / (g @ J.hvp(self.theta, g)) * g
            self.k += 1
            return optim.Step(value, float(np.linalg.norm(g)))
    result = optim.minimize(Exact(BOWL.start.copy()), BOWL, 5, tolerance=1e-12)
    assert (result.reason, result.steps, result.products, result.evaluations) == ("tolerance", 1, 1, 2)


@pytest.mark.parametrize("method", [optim.SGD, optim.Momentum, optim.Nesterov, optim.Adam, optim.RMSProp])
def test_float32(method):
    theta = np.ones(3, dtype=np.float32)
    result = optim.minimize(method(theta, lr=0.05), BOWL, 100)
    assert result.theta.dtype == np.float32 and result.value < 0.1


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
def test_relative_tolerances_on_j_and_theta(tolerance):
    """theta halves at each step towards 3, so theta - 3 = 2^-k and J = 7 + 4^-k / 2: the first k where the change is
    small enough, whatever the units (c J, theta in units u). Off unless asked for."""
    class Halves:
        def __init__(self, c, u):
            self.c, self.u = c, u

        def value_and_grad(self, theta):
            d = theta / self.u - 3
            return self.c * (7 + float(d @ d) / 2), self.c / self.u * d

    def run(c, u, **tolerances):
        return optim.minimize(optim.SGD(np.full(1, 4 * u), lr=u * u / c / 2), Halves(c, u), 100, **tolerances)
    theta, J = 3 + 0.5 ** np.arange(102), 7 + 0.25 ** np.arange(102) / 2
    for c, u in ((1.0, 1.0), (1e-12, 1e6), (1e9, 1e-5)):
        on_j = run(c, u, value_tolerance=tolerance)
        assert on_j.reason == "tolerance on J"
        assert on_j.steps == np.flatnonzero(-np.diff(J) <= tolerance * J[:-1])[0] + 1
        on_theta = run(c, u, theta_tolerance=tolerance)
        assert on_theta.reason == "tolerance on theta"
        assert on_theta.steps == np.flatnonzero(-np.diff(theta) <= tolerance * theta[:-1])[0] + 1
    assert run(1.0, 1.0).steps > 25


@pytest.mark.parametrize("name", ["tolerance", "value_tolerance", "theta_tolerance"])
@pytest.mark.parametrize("value", [-1.0, np.nan, None, "0.1"])
def test_a_tolerance_is_a_number(name, value):
    with pytest.raises(ValueError, match=f"minimize: {name} must be a number in \\[0, inf\\)"):
        optim.minimize(optim.SGD(np.ones(1), lr=0.1), BOWL, 3, **{name: value})


@pytest.mark.parametrize("method", [optim.SGD, optim.Nesterov, optim.BFGS, optim.LBFGS, optim.ConjugateGradient])
def test_a_callback_may_change_j(method):
    """The target moves after every look: value and gradient of the next step are those of the new J."""
    class Moving:
        target = 0.0

        def value_and_grad(self, theta):
            g = np.array([1.0, 0.1]) * (theta - self.target)
            return float((theta - self.target) @ g) / 2, g

    class Watched(method):
        def step(self, J):
            step = super().step(J)
            seen.append(float(step))
            return step
    J, seen, wanted = Moving(), [], []

    def move(k, theta, value, g):
        J.target += 1.0
        wanted.append(J.value_and_grad(theta)[0])
    arguments = {"lr": 0.5} if method in (optim.SGD, optim.Nesterov) else {}
    if method is optim.Nesterov:
        arguments["momentum"] = 0.0
    optim.minimize(Watched(np.array([3.0, -1.0]), **arguments), J, 5, callback=move)
    assert seen == pytest.approx(wanted[:5], rel=1e-12) and len(seen) == 5


def test_a_float32_gradient_whose_square_underflows_is_not_zero():
    class Tiny:
        def value_and_grad(self, theta):
            return 1.0, np.full(2, 1e-25, np.float32)
    result = optim.minimize(optim.SGD(np.ones(2, np.float32), lr=0.1), Tiny(), 3)
    assert result.reason == "steps" and result.grad_norm == pytest.approx(2 ** 0.5 * 1e-25)


def test_restarts_are_named():
    J = problems.rosenbrock()
    result = optim.minimize(optim.BFGS(np.array([-30, 1000], np.float32)), J, 12)
    assert result.restarts == [9] and "restarts=[9]" in repr(result)
    assert optim.minimize(optim.BFGS(J.start.copy()), J, 12).restarts == []
