"""Cost along lines and on planes against the values themselves; the surface that carries a trajectory."""
import numpy as np
import pytest

from minigrad import losses, nn, optim
from minigrad.diagnostics import loss_along, loss_surface, trajectory_surface
from minigrad.objective import Objective
from minigrad.testing import problems


def test_along_a_line():
    J = problems.rosenbrock(2)
    t, values = loss_along(J, J.start, J.minima[0], np.linspace(0, 1, 5))
    assert values[0] == J.value(J.start) and values[-1] == pytest.approx(0, abs=1e-20)
    assert values[2] == pytest.approx(J.value((J.start + J.minima[0]) / 2))
    t, values = loss_along(J, J.start, J.minima[0])
    assert t[0] == -0.25 and t[-1] == 1.25 and values.shape == (51,)


def test_on_a_plane():
    J = problems.quadratic(6, 10.0)
    d1, d2 = np.eye(6)[:2]
    a, b, values = loss_surface(J, J.start, d1, d2, [-1, 0, 2], [0.5, 1])
    assert values.shape == (3, 2)
    assert values[2, 0] == pytest.approx(J.value(J.start + 2 * d1 + 0.5 * d2))
    assert loss_surface(J, J.start, d1, d2)[2].shape == (25, 25)


def test_the_trajectory_lies_on_its_surface():
    J = problems.rosenbrock(2)
    theta = np.array([-1.2, 1.0])
    opt = optim.Adam(theta, lr=0.05)
    path = [theta.copy()]
    for _ in range(60):
        opt.step(J)
        path.append(theta.copy())
    path = np.array(path)
    found = trajectory_surface(J, path)
    assert found.path_along[0] == 0 and found.path_along[-1] == pytest.approx(1)
    assert found.path_across[0] == found.path_across[-1] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.path_value, [J.value(p) for p in path])
    for i in (5, 20, 40):                                  # where the path is at (along, across), so is the surface
        here = trajectory_surface(J, path, found.path_along[i:i + 1], found.path_across[i:i + 1]).surface
        assert here[0, 0] == pytest.approx(found.path_value[i], rel=1e-6)


def test_of_a_net_in_many_dimensions_and_theta_stays_where_it_was():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(5, 8, rng=0), nn.Tanh(), nn.Linear(8, 3, rng=1))
    J = Objective(model, losses.cross_entropy, rng.standard_normal((30, 5)).astype("f"), rng.integers(0, 3, 30))
    opt = optim.SGD(model.parameters(), lr=0.5)
    path = []
    for _ in range(20):
        path.append(J.parameters.theta.copy())
        opt.step(J)
    before = J.parameters.theta.copy()
    found = trajectory_surface(J, path, np.linspace(0, 1, 4), np.linspace(0, 1, 3))
    assert np.array_equal(J.parameters.theta, before)
    assert found.surface[0, 0] == pytest.approx(found.path_value[0]) == J.value(path[0])
    assert found.surface[-1, 0] == pytest.approx(found.path_value[-1], rel=1e-5)
    t, values = loss_along(J, path[0], path[-1], [0.0, 1.0])
    np.testing.assert_allclose(values, found.path_value[[0, -1]], rtol=1e-6)


def test_infinite_values_are_values():
    J = problems.rosenbrock(2)
    assert np.isinf(loss_along(J, J.start, J.start + 1e300, [1.0])[1]).all()


def test_errors():
    J = problems.rosenbrock(2)
    with pytest.raises(ValueError, match="must have one shape"):
        loss_along(J, np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="must have one shape"):
        loss_surface(J, np.zeros(2), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="k >= 3"):
        trajectory_surface(J, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="ends where it begins"):
        trajectory_surface(J, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="straight line"):
        trajectory_surface(J, np.linspace(0, 1, 5)[:, None] * np.ones(2))
