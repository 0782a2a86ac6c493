"""sigma / sqrt(n): against the definition, and against minibatches that were really drawn."""
import numpy as np
import pytest

from minigrad import losses, nn
from minigrad.diagnostics import gradient_noise
from minigrad.objective import Objective


def objective(m=200, dtype=np.float64):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(5, 8, rng=0, dtype=dtype), nn.Tanh(), nn.Linear(8, 3, rng=1, dtype=dtype))
    return Objective(model, losses.cross_entropy, rng.standard_normal((m, 5)).astype(dtype), rng.integers(0, 3, m))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigma_is_the_root_of_the_trace_of_the_covariance(dtype):
    J = objective(dtype=dtype)
    noise, E = gradient_noise(J), np.float64(J.example_grads())
    assert noise.m == 200
    assert noise.sigma == pytest.approx(np.sqrt(E.var(axis=0, ddof=1).sum()), rel=1e-5)
    assert noise.gradient_norm == pytest.approx(np.linalg.norm(E.mean(axis=0)), rel=1e-5)
    assert noise.standard_error(100) == noise.sigma / 10
    assert noise.noise_scale == pytest.approx((noise.sigma / noise.gradient_norm) ** 2)


def test_the_error_of_real_minibatches_falls_as_the_root_of_their_size():
    J = objective()
    noise, rng = gradient_noise(J), np.random.default_rng(1)
    E = J.example_grads()
    for n in (1, 10, 100):
        means = np.array([E[rng.integers(0, 200, n)].mean(axis=0) for _ in range(2000)])
        error = np.sqrt(np.square(means - E.mean(axis=0)).sum(axis=1).mean())
        assert error == pytest.approx(noise.standard_error(n), rel=0.04)


def test_from_batches():
    J, rng = objective(2000), np.random.default_rng(2)
    E = J.example_grads()
    batches = [E[rng.integers(0, 2000, 20)].mean(axis=0) for _ in range(400)]
    assert gradient_noise(batches=batches, size=20).sigma == pytest.approx(gradient_noise(J).sigma, rel=0.05)


def test_any_objective_with_example_grads():
    class Rows:
        def example_grads(self, theta):
            return np.array([[1.0, 0.0], [3.0, 0.0]]) + 0 * theta
    noise = gradient_noise(Rows(), np.zeros(2))
    assert noise.sigma == pytest.approx(np.sqrt(2)) and noise.gradient_norm == 2


def test_errors():
    with pytest.raises(ValueError, match="at least 2 examples"):
        gradient_noise(objective(1))
    with pytest.raises(ValueError, match="must have example_grads"):
        gradient_noise(object(), np.zeros(2))
    with pytest.raises(ValueError, match="k >= 2"):
        gradient_noise(batches=np.zeros((1, 3)), size=4)
