"""CurvatureMonitor: the figures of (8.10) in closed form, on nets, by hand and as a callback; it changes nothing."""
import numpy as np
import pytest

from minigrad import losses, nn, optim, training
from minigrad.diagnostics import CurvatureMonitor
from minigrad.objective import Objective
from minigrad.testing import problems


def test_a_gradient_step_on_a_quadratic_is_predicted_exactly():
    J = problems.quadratic(10, 100.0)
    theta, lr = J.start.copy(), 0.015
    opt, monitor = optim.SGD(theta, lr=lr), CurvatureMonitor()
    H = J.hessian(theta)
    for _ in range(5):
        g = J.grad(theta)
        with monitor.around(J, opt):
            opt.step(J)
        record = monitor.records[-1]
        assert record.gg == pytest.approx(g @ g) and record.gHg == pytest.approx(g @ H @ g)
        assert record.predicted == pytest.approx(lr**2 * (g @ H @ g) / 2 - lr * (g @ g), rel=1e-9)
        assert record.actual == pytest.approx(record.predicted, rel=1e-9)
        assert record.largest_lr == pytest.approx(2 * (g @ g) / (g @ H @ g))
    assert monitor["gg"].shape == (5,) and list(monitor["k"]) == [1, 2, 3, 4, 5]
    assert len(monitor.table().splitlines()) == 6


def net_objective(dtype=np.float64):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 8, rng=0, dtype=dtype), nn.BatchNorm(8, dtype=dtype), nn.Tanh(),
                          nn.Linear(8, 3, rng=1, dtype=dtype))
    return Objective(model, losses.cross_entropy, rng.standard_normal((30, 6)).astype(dtype), rng.integers(0, 3, 30))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_small_steps_on_a_net_are_predicted_within_one_percent(optimizer):
    J = net_objective()
    opt, monitor = getattr(optim, optimizer)(J.parameters, lr=1e-3), CurvatureMonitor()
    for _ in range(5):
        with monitor.around(J, opt):
            opt.step(J)
    np.testing.assert_allclose(monitor["predicted"], monitor["actual"], rtol=0.01)
    assert (monitor["actual"] < 0).all() and (monitor["length"] > 0).all()


def test_steps_above_the_largest_lr_increase_j():
    J = problems.quadratic(10, 100.0)
    monitor = CurvatureMonitor()
    for factor in (0.9, 1.1):
        theta = J.start.copy()
        monitor.before(J, theta)
        g = J.grad(theta)
        theta -= factor * 2 * (g @ g) / (g @ J.hvp(theta, g)) * g
        assert (monitor.after(J, theta).actual > 0) == (factor > 1)


def test_only_some_steps_are_recorded_and_training_is_the_same_to_the_bit():
    plain, watched = net_objective(np.float32), net_objective(np.float32)
    a, b = optim.Adam(plain.parameters), optim.Adam(watched.parameters)
    monitor = CurvatureMonitor(every=4)
    for _ in range(10):
        a.step(plain)
        with monitor.around(watched, b):
            b.step(watched)
    assert list(monitor["k"]) == [1, 5, 9]
    assert all(np.array_equal(v, watched.model.state_dict()[k]) for k, v in plain.model.state_dict().items())


def test_as_a_callback_of_fit():
    J = net_objective(np.float32)
    batches = [(J.x.data[i:i + 10], J.y[i:i + 10]) for i in (0, 10, 20)]
    monitor = CurvatureMonitor(J, every=3)
    training.fit(J.model, losses.cross_entropy, optim.SGD(J.model.parameters(), lr=0.01), batches, epochs=2,
                 callbacks=[monitor], progress=False)
    assert list(monitor["k"]) == [1, 4]
    assert np.isfinite(monitor["actual"]).all() and (monitor["length"] > 0).all()
    with pytest.raises(ValueError, match="needs an objective"):
        training.fit(J.model, losses.cross_entropy, optim.SGD(J.model.parameters(), lr=0.01), batches, steps=1,
                     callbacks=[CurvatureMonitor()], progress=False)


def test_errors():
    with pytest.raises(ValueError, match="pass theta"):
        CurvatureMonitor().before(problems.quadratic())
    with pytest.raises(ValueError, match="every must be"):
        CurvatureMonitor(every=0)

    class NoProduct:
        def value(self, theta):
            return float(theta @ theta)

        def grad(self, theta):
            return 2 * theta
    monitor = CurvatureMonitor()
    monitor.before(NoProduct(), np.ones(2))
    with pytest.raises(ValueError, match=r"must have hvp\(theta, v\); NoProduct has not"):
        monitor.after(NoProduct(), np.zeros(2))
