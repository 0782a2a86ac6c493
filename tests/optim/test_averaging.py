"""Polyak averaging: the mean and 8.39, equal to PyTorch's; the swap puts theta back to the bit."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.testing import boxes


def visit(average, theta, points):
    seen = []
    for point in points:
        theta[...] = point
        average.update()
        seen.append(average.mean.copy())
    return np.array(seen)


@pytest.fixture
def points():
    return np.random.default_rng(0).standard_normal((30, 4))


def test_the_mean_equals_its_definition(points):
    theta = np.zeros(4)
    got = visit(optim.PolyakAverage(theta), theta, points)
    np.testing.assert_allclose(got, list(boxes.polyak_mean(points)), rtol=0, atol=1e-14)


def test_the_exponential_average_is_8_39_started_at_the_first_point(points):
    theta = np.zeros(4)
    got = visit(optim.PolyakAverage(theta, alpha=0.9), theta, points)
    np.testing.assert_array_equal(got, list(boxes.polyak_exponential(points, 0.9)))
    assert np.array_equal(got[0], points[0])


@pytest.mark.parametrize("alpha", [None, 0.9])
def test_equals_pytorch(alpha, points):
    torch = pytest.importorskip("torch")
    swa = pytest.importorskip("torch.optim.swa_utils")
    module = torch.nn.Linear(4, 1, bias=False, dtype=torch.float64)
    model = swa.AveragedModel(module, multi_avg_fn=None if alpha is None else swa.get_ema_multi_avg_fn(alpha))
    theta = np.zeros(4)
    average = optim.PolyakAverage(theta, alpha)
    for point in points:
        with torch.no_grad():
            module.weight[0] = torch.tensor(point)
        model.update_parameters(module)
        theta[...] = point
        average.update()
        np.testing.assert_allclose(average.mean, model.module.weight.detach().numpy()[0], rtol=0, atol=1e-15)


def test_applied_swaps_and_puts_back_to_the_bit_also_on_an_exception(vector):
    p = vector()
    average = optim.PolyakAverage(p)
    average.update()
    first = p.theta.copy()
    p.theta += 0.1
    average.update()
    last = p.theta.copy()
    with average.applied() as theta:
        np.testing.assert_allclose(theta, (first + last) / 2)
        assert theta is p.theta
    assert np.array_equal(p.theta, last)
    with pytest.raises(KeyError), average.applied():
        raise KeyError
    assert np.array_equal(p.theta, last) and p.changes == 4


def test_of_an_optimizer_it_averages_theta_and_not_the_interim_point(vector, quadratic):
    p, theta, J = vector(), vector().theta, quadratic(6)
    looped, boxed = optim.Nesterov(p, lr=0.05), optim.Nesterov(theta, lr=0.05)
    one, two = optim.PolyakAverage(looped), optim.PolyakAverage(theta)
    for _ in range(10):
        p.backward(J.grad)
        looped.step()
        one.update()
        boxed.step(J)
        two.update()
    assert np.array_equal(one.mean, two.mean)
    interim = p.theta.copy()
    with one.applied():
        assert np.array_equal(p.theta, one.mean)
    assert np.array_equal(p.theta, interim)
    p.backward(J.grad)
    looped.step()
    boxed.step(J)
    with looped.at_theta():
        assert np.array_equal(p.theta, theta)


def test_the_mean_is_a_copy():
    theta = np.ones(3)
    average = optim.PolyakAverage(theta)
    average.update()
    theta[0] = 7
    assert average.mean[0] == 1


def test_averaging_calms_gradient_noise():
    """Near a minimum the mean of the points is much closer to it than the points are."""
    rng, theta = np.random.default_rng(0), np.ones(50)
    opt, average = optim.SGD(theta, lr=0.5), None
    for k in range(2000):
        opt.step(g=theta + rng.standard_normal(50))
        if k == 100:
            average = optim.PolyakAverage(theta)
        if k >= 100:
            average.update()
    assert np.linalg.norm(average.mean) < 0.15 * np.linalg.norm(theta)


def test_save_and_load(points):
    theta = np.zeros(4)
    average, other = optim.PolyakAverage(theta, 0.9), optim.PolyakAverage(theta, 0.9)
    visit(average, theta, points[:10])
    other.load_state_dict(average.state_dict())
    assert np.array_equal(visit(average, theta, points[10:]), visit(other, theta, points[10:]))
    wrong = average.state_dict() | {"alpha": 0.8, "mean": np.zeros(5), "more": 1}
    with pytest.raises(ValueError, match=r"more is not known; alpha is 0.8, wanted 0.9; mean is \(5,\)"):
        other.load_state_dict(wrong)


@pytest.mark.parametrize("alpha", [1, -0.1, "mean", True, np.nan])
def test_alpha_outside_its_range(alpha):
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\) or None"):
        optim.PolyakAverage(np.ones(2), alpha)


@pytest.mark.parametrize("alpha", [None, 0.9])
def test_reset_begins_anew(alpha, points):
    theta = np.zeros(4)
    average, fresh = optim.PolyakAverage(theta, alpha), optim.PolyakAverage(theta, alpha)
    visit(average, theta, points)
    average.reset()
    assert average.t == 0 and not average.mean.any()
    with pytest.raises(ValueError, match="call update"), average.applied():
        pass
    assert np.array_equal(visit(average, theta, points[:5]), visit(fresh, theta, points[:5]))


def test_applied_before_any_update():
    with pytest.raises(ValueError, match="call update"), optim.PolyakAverage(np.ones(2)).applied():
        pass
