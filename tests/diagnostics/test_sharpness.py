"""Sharpness: dense eigenvalues as oracle, and the edge of stability that gradient descent finds by itself."""
import numpy as np
import pytest

from minigrad import Objective, data, losses, nn, optim
from minigrad.diagnostics import sharpness
from minigrad.testing import problems


def digits(examples):
    """(x (m, 36), y (m,)): MNIST's middle, averaged over 4 x 4 pixels and centred."""
    (x, y), _ = data.coarse_mnist(m=examples)
    return x - x.mean(0), y


def network(hidden=6, features=36):
    return nn.Sequential(nn.Linear(features, hidden, rng=0), nn.Tanh(), nn.Linear(hidden, 10, rng=1))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-6), (np.float32, 1e-4)])
def test_it_is_the_largest_eigenvalue_of_the_dense_hessian(dtype, tolerance):
    x, y = digits(60)
    J = Objective(network().astype(dtype), losses.cross_entropy, x.astype(dtype), y)
    before = J.parameters.theta.copy()
    found = sharpness(J, relative=tolerance, rng=0)
    dense = np.linalg.eigvalsh(np.array([J.hvp(None, e) for e in np.eye(len(before), dtype=dtype)], np.float64))
    assert found.value == pytest.approx(dense[-1], rel=tolerance)
    assert np.linalg.norm(found.vector) == pytest.approx(1)
    np.testing.assert_array_equal(J.parameters.theta, before)


def test_it_is_signed():
    """Of -theta^2/2 the largest curvature is -1, not 1."""
    class Hill:
        value = staticmethod(lambda t: -t @ t / 2)
        grad = staticmethod(lambda t: -t)
        hvp = staticmethod(lambda t, v: -v)

    assert sharpness(Hill(), np.ones(5), rng=0).value == pytest.approx(-1)


def test_the_error_holds_wherever_it_stops():
    J = problems.quadratic(30, 1e3, rng=0)
    exact = np.linalg.eigvalsh(J.hessian(np.zeros(30)))
    for most in range(1, 30, 4):
        found = sharpness(J, np.zeros(30), relative=1e-10, most=most, rng=1)
        assert found.products <= most + 2
        assert abs(exact - found.value).min() <= found.error * (1 + 1e-9) + 1e-9


def test_the_vector_of_the_step_before_saves_products():
    x, y = digits(100)
    J = Objective(network(20).astype(np.float64), losses.cross_entropy, x.astype(np.float64), y)
    first = sharpness(J, relative=1e-6, rng=0)
    theta = J.parameters.theta * (1 + 1e-6)
    assert sharpness(J, theta, relative=1e-4, start=first.vector).products < first.products


def test_the_error_holds_in_float32():
    """Lanczos' own residual is far below what float32 can tell."""
    x, y = digits(100)
    model = network(8)
    J = Objective(model, losses.cross_entropy, x, y)
    wide = Objective(network(8).astype(np.float64), losses.cross_entropy, x.astype(np.float64), y)
    theta = J.parameters.theta.astype(np.float64)
    exact = np.linalg.eigvalsh(np.array([wide.hvp(theta, e) for e in np.eye(len(theta))]))
    for seed in range(5):
        found = sharpness(J, relative=1e-6, rng=seed)
        assert abs(exact - found.value).min() <= found.error < 1e-3


@pytest.mark.parametrize("start", [np.zeros(3), np.ones(4), np.full(3, np.nan)])
def test_a_start_that_is_none_is_named(start):
    with pytest.raises(ValueError, match=r"sharpness: start must be a finite array \(3,\) that is not zero"):
        sharpness(problems.quadratic(3, 10, rng=0), np.zeros(3), start=start)


@pytest.mark.parametrize("lr", [2.0, 3.0])
def test_gradient_descent_settles_at_the_edge_of_stability(lr):
    """Full batch, squared error, constant rate: sharpness climbs to 2/lr and stays there (Cohen et al. 2021)."""
    x, y = digits(300)
    model = network(20)
    J = Objective(model, losses.mean_squared_error, x, np.eye(10, dtype=np.float32)[y])
    opt = optim.SGD(model.parameters(), lr=lr)
    first, seen, vector = sharpness(J, rng=0).value, [], None
    for k in range(3000):
        opt.step(J)
        if k >= 2000 and k % 100 == 0:
            found = sharpness(J, relative=1e-2, start=vector, rng=0)
            seen.append(found.value)
            vector = found.vector
    assert first < 0.7 * 2 / lr
    assert np.mean(seen) == pytest.approx(2 / lr, rel=0.05)
