"""minimize: the path, what is counted, and why it stopped."""
import numpy as np
import pytest

from minigrad import optim


class Bowl:
    """theta . theta / 2, counting its evaluations."""

    def __init__(self):
        self.calls = 0

    def value_and_grad(self, theta):
        self.calls += 1
        return float(theta @ theta) / 2, theta.copy()


def test_the_result_holds_the_path_from_the_start():
    J, theta = Bowl(), np.array([1.0, -2.0])
    result = optim.minimize(optim.SGD(theta, lr=0.5), J, steps=3)
    np.testing.assert_array_equal(result.path, [[1, -2], [0.5, -1], [0.25, -0.5], [0.125, -0.25]])
    np.testing.assert_allclose(result.values, [2.5 / 4 ** k for k in range(4)])
    np.testing.assert_allclose(result.grad_norms, [5 ** 0.5 / 2 ** k for k in range(4)])
    assert (result.steps, result.reason, result.products) == (3, "steps", 0)
    assert result.evaluations == J.calls == 4                       # one per point: step and look share it
    assert np.array_equal(result.theta, theta) and result.theta is not theta
    assert "reason='steps'" in repr(result)


def test_it_stops_at_the_tolerance_before_another_step():
    result = optim.minimize(optim.SGD(np.array([1.0]), lr=0.5), Bowl(), steps=100, tolerance=0.1)
    assert result.reason == "tolerance" and result.steps == 4 and result.grad_norm == 0.0625


def test_no_steps():
    result = optim.minimize(optim.SGD(np.array([1.0]), lr=0.5), Bowl(), steps=0)
    assert result.steps == 0 and len(result.path) == 1


def test_divergence_is_a_result():
    with np.errstate(over="ignore", invalid="ignore"):
        result = optim.minimize(optim.SGD(np.array([1.0]), lr=1e200), Bowl(), steps=10)
    assert result.reason == "not finite" and result.steps < 10


def test_a_failed_step_is_a_result():
    class Stuck(optim.Optimizer):
        def step(self, J):
            value, g = self.evaluate(J, self.theta)
            return optim.Step(value, float(np.linalg.norm(g)), 1, "line search failed: no decrease")
    result = optim.minimize(Stuck(np.ones(2)), Bowl(), steps=10)
    assert result.reason == "line search failed: no decrease" and result.steps == 0 and result.evaluations == 1


def test_the_path_is_kept_for_small_n_or_on_request():
    assert optim.minimize(optim.SGD(np.ones(101), lr=0.1), Bowl(), 2).path is None
    assert optim.minimize(optim.SGD(np.ones(101), lr=0.1), Bowl(), 2, path=True).path.shape == (3, 101)
    assert optim.minimize(optim.SGD(np.ones(2), lr=0.1), Bowl(), 2, path=False).path is None


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
    result = optim.minimize(optim.SGD(np.ones(1), lr=0.5), Bowl(), 50,
                            callback=lambda k, theta, value, g: seen.append((k, value)) or k == 3)
    assert [k for k, _ in seen] == [0, 1, 2, 3] and result.reason == "callback"


def test_products_are_counted():
    class Curved(Bowl):
        def hvp(self, theta, v):
            return v

    class Exact(optim.Optimizer):
        def step(self, J):
            self.need(J, "hvp")
            value, g = self.evaluate(J, self.theta)
            self.theta = self.theta - (g @ g) / (g @ J.hvp(self.theta, g)) * g
            self.k += 1
            return optim.Step(value, float(np.linalg.norm(g)))
    result = optim.minimize(Exact(np.array([1.0, -2.0])), Curved(), 5, tolerance=1e-12)
    assert (result.reason, result.steps, result.products, result.evaluations) == ("tolerance", 1, 1, 2)


@pytest.mark.parametrize("method", [optim.SGD, optim.Momentum, optim.Nesterov, optim.Adam, optim.RMSProp])
def test_float32(method):
    theta = np.ones(3, dtype=np.float32)
    result = optim.minimize(method(theta, lr=0.05), Bowl(), 100)
    assert result.theta.dtype == np.float32 and result.value < 0.1
