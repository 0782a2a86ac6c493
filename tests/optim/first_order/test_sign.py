"""Delta-bar-delta and Rprop by hand-computed tables, and why neither is for minibatches."""
import numpy as np
import pytest

from minigrad import optim


def test_delta_bar_delta_by_hand():
    """lr 1, kappa 0.5, phi 0.5, rho 0.5; g = 2, 2, -4, 0 in four steps."""
    theta = np.array([10.0])
    opt = optim.DeltaBarDelta(theta, lr=1.0, kappa=0.5, phi=0.5, rho=0.5)
    #        g,  rate (d of before * g: 0, +, -, 0), theta, d
    table = [(2.0, 1.0, 8.0, 1.0), (2.0, 1.5, 5.0, 1.5), (-4.0, 0.75, 8.0, -1.25), (0.0, 0.75, 8.0, -0.625)]
    for g, rate, moved, d in table:
        opt.step(g=np.array([g]))
        assert (opt.rate[0], theta[0], opt.d[0]) == (rate, moved, d)


def test_delta_bar_deltas_rates_fall_towards_0_and_rise_again():
    opt = optim.DeltaBarDelta(np.zeros(1), lr=1.0, kappa=0.125, phi=0.99)
    for k in range(100):
        opt.step(g=np.array([(-1.0) ** k]))
    assert 0 < opt.rate[0] < 1e-100
    for _ in range(5):
        opt.step(g=np.ones(1))
    assert opt.rate[0] >= 0.125


def test_rprop_steps_back_once_and_does_not_shrink_twice():
    """g = 1, 1, -1, -1, 1: rates 0.1, 0.12, 0.06 (back), 0.06 (free), 0.03 (back)."""
    theta = np.array([0.0])
    opt = optim.Rprop(theta, lr=0.1)
    for g, rate, moved in [(1, 0.1, -0.1), (1, 0.12, -0.22), (-1, 0.06, -0.1), (-1, 0.06, -0.04), (1, 0.03, -0.1)]:
        opt.step(g=np.array([float(g)]))
        assert (opt.rate[0], theta[0]) == (pytest.approx(rate), pytest.approx(moved))


def test_rprop_minus_stays_where_the_sign_changed():
    theta = np.array([0.0])
    opt = optim.RpropMinus(theta, lr=0.1)
    for g, rate, moved in [(1, 0.1, -0.1), (1, 0.12, -0.22), (-1, 0.06, -0.22), (-1, 0.06, -0.16), (1, 0.03, -0.16)]:
        opt.step(g=np.array([float(g)]))
        assert (opt.rate[0], theta[0]) == (pytest.approx(rate), pytest.approx(moved))


def test_rates_are_clamped():
    opt = optim.Rprop(np.zeros(2), lr=0.1, smallest=0.01, largest=0.3)
    for k in range(40):
        opt.step(g=np.array([1.0, (-1.0) ** (k // 2)]))
    assert opt.rate[0] == 0.3 and opt.rate[1] >= 0.01


SIGNS = [optim.Rprop, optim.RpropMinus, optim.DeltaBarDelta]


@pytest.mark.parametrize("size", [1e-37, 1e-30, 1e-25, 1e-20, 1e20, 1e38])
@pytest.mark.parametrize("method", SIGNS, ids=lambda method: method.__name__)
def test_the_rates_follow_the_sign_of_a_gradient_of_any_size(method, size):
    """In float32 the product of two gradients of 1e-25 is 0, and that of 1e20 inf: only signs are compared. The text,
    not the kernel: a subclass with an update of its own."""
    plain = type(method.__name__, (method,), {"update": lambda self, g: method.update(self, g)})

    def rates(scale):
        opt = plain(np.zeros(3, np.float32), lr=0.5)
        for k in range(6):
            opt.step(g=np.array([1, (-1) ** k, -1 if k == 3 else 1], np.float32) * np.float32(scale))
        return opt.rate
    assert np.array_equal(rates(size), rates(1.0)) and len(set(rates(1.0))) == 3


def test_only_the_sign_counts(quadratic):
    def path(scale):
        theta = np.ones(4)
        opt = optim.Rprop(theta)
        for _ in range(30):
            opt.step(g=scale * quadratic(4).grad(theta))
        return theta
    assert np.array_equal(path(1.0), path(1e-6))


def test_why_not_minibatches():
    """The slide: nine gradients 0.1 and one -0.9. SGD nets 0, the Manhattan rule moves 8 rates, Rprop- 20.8."""
    gradients = [0.1] * 9 + [-0.9]

    def moved(opt):
        for g in gradients:
            opt.step(g=np.array([g]))
        return opt.theta[0]
    assert moved(optim.SGD(np.zeros(1), lr=1.0)) == pytest.approx(0, abs=1e-15)
    assert moved(optim.Rprop(np.zeros(1), lr=0.1, up=1, down=1)) == pytest.approx(-0.8)
    assert moved(optim.RpropMinus(np.zeros(1), lr=0.1)) == pytest.approx(-2.08, rel=1e-3)


def test_full_batch_rprop_finds_the_minimum(quadratic):
    for method in (optim.Rprop, optim.RpropMinus):
        J = quadratic(6)
        result = optim.minimize(method(np.ones(6)), J, 300, tolerance=1e-4)
        assert result.reason == "tolerance"
