"""First steps, units and limits of the adaptive methods: where delta stands, what is corrected, how decay enters."""
import numpy as np
import pytest

from minigrad import optim


def first_step(opt, g):
    before = opt.theta.copy()
    opt.step(g=np.asarray(g, dtype=float))
    return opt.theta - before


def test_rmsprops_delta_is_inside_the_root():
    """g = 1e-4: the first step is 1.0e-4 long; with delta outside it would be 3.07e-3."""
    assert first_step(optim.RMSProp(np.zeros(1), lr=1e-3), [1e-4])[0] == pytest.approx(-1e-4, rel=1e-2)
    g, r = 1e-4, 0.1 * 1e-8
    assert 1e-3 * g / (1e-6 + r ** 0.5) == pytest.approx(3.07e-3, rel=1e-2)


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_rmsprops_first_step_is_lr_over_the_root_of_one_minus_rho(rho):
    step = first_step(optim.RMSProp(np.zeros(2), lr=1e-3, rho=rho), [1e6, -1e6])
    np.testing.assert_allclose(step, [-1e-3 / (1 - rho) ** 0.5, 1e-3 / (1 - rho) ** 0.5], rtol=1e-9)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_adams_and_adamaxs_first_step_is_lr_whatever_the_gradient(size):
    for method in (optim.Adam, optim.AdaMax):
        np.testing.assert_allclose(first_step(method(np.zeros(2), lr=0.1), [size, -size]), [-0.1, 0.1], rtol=2e-4)


def test_adams_delta_is_outside_and_after_the_correction():
    """g = 1e-8 at t = 1: lr g/(g + delta) = lr/2. The eps-hat form would step 16 times less."""
    assert first_step(optim.Adam(np.zeros(1), lr=1.0), [1e-8])[0] == pytest.approx(-0.5, rel=1e-9)
    eps_hat = 0.001 ** 0.5 / 0.1 * 1e-9 / (0.001 ** 0.5 * 1e-8 + 1e-8)
    assert 0.5 / eps_hat == pytest.approx(16.3, rel=0.01)


def test_adams_correction_does_not_drift():
    """1 - rho^t straight from t: after 5,000 steps of a constant gradient the step is lr to the last digits."""
    opt = optim.Adam(np.zeros(1), lr=1e-3, delta=1e-30)
    for _ in range(5_000):
        opt.step(g=np.ones(1))
    assert first_step(opt, [1.0])[0] == pytest.approx(-1e-3, rel=1e-12)


def test_adagrads_step_falls_as_one_over_root_k():
    opt = optim.AdaGrad(np.zeros(1), lr=1.0, delta=1e-12)
    for k in range(1, 200):
        assert first_step(opt, [3.0])[0] == pytest.approx(-k ** -0.5, rel=1e-9)


def test_adadelta_starts_at_root_delta_and_needs_no_rate():
    step = first_step(optim.AdaDelta(np.zeros(2), rho=0.9, delta=1e-6), [1.0, 1e3])
    np.testing.assert_allclose(step, [-(1e-6 / 0.1) ** 0.5] * 2, rtol=1e-4)


@pytest.mark.parametrize("method", [optim.AdaGrad, optim.Adam, optim.AdaMax], ids=lambda method: method.__name__)
def test_steps_do_not_depend_on_the_units_of_j(method, quadratic):
    """J in other units (times 1024): the same path, delta aside."""
    J, path = quadratic(4), []
    for scale in (1.0, 1024.0):
        theta = np.ones(4)
        opt = method(theta, lr=0.05) if method is optim.AdaMax else method(theta, lr=0.05, delta=1e-300)
        for _ in range(50):
            opt.step(g=scale * J.grad(theta))
        path.append(theta)
    np.testing.assert_allclose(path[0], path[1], rtol=1e-12)


def test_adamw_shrinks_the_theta_before_the_step_and_not_by_lr():
    theta = np.array([2.0])
    optim.AdamW(theta, lr=0.1, weight_decay=0.01).step(g=np.ones(1))
    assert theta[0] == pytest.approx(2.0 - 0.1 - 0.01 * 2.0)
    theta = np.array([2.0])
    optim.AdamW(theta, lr=0.1, weight_decay=0.01, eta=0.5).step(g=np.ones(1))
    assert theta[0] == pytest.approx(2.0 - 0.5 * (0.1 + 0.01 * 2.0))


def test_decoupled_decay_is_not_coupled_decay():
    def end(method, **options):
        theta = np.full(3, 5.0)
        opt = method(theta, lr=0.01, **options)
        for k in range(100):
            opt.step(g=np.array([1e-3, 1.0, 1e3]) * np.cos(k))
        return theta
    coupled, decoupled = end(optim.Adam, weight_decay=0.01), end(optim.AdamW, weight_decay=0.01)
    bare = end(optim.Adam)
    np.testing.assert_allclose(decoupled / bare, (1 - 0.01) ** 100, rtol=0.2)   # the same share of each parameter
    assert np.ptp(coupled / bare) > 0.05                                        # large gradients hide the penalty


def test_normalized_decay():
    assert optim.normalized_decay(0.05, batch=100, examples=60_000, epochs=30) == pytest.approx(3.7e-4, rel=0.01)
    for wrong in (dict(batch=0), dict(decay=-1), dict(epochs=np.inf)):
        with pytest.raises(ValueError, match=f"normalized_decay: {next(iter(wrong))} must be in"):
            optim.normalized_decay(**(dict(decay=0.05, batch=1, examples=1, epochs=1) | wrong))


def test_rmsprop_nesterov_with_delta_0_survives_a_zero_gradient():
    theta = np.array([1.0, 1.0])
    opt = optim.RMSPropNesterov(theta, lr=0.1, delta=0)
    opt.step(g=np.array([0.0, 1.0]))
    assert theta[0] == 1.0 and theta[1] < 1.0


def test_dead_units_cost_no_time_and_no_accuracy():
    """Moments decay through the subnormals to 0 (Adam, after about 900 steps without a gradient): all stays finite."""
    theta = np.ones(4, dtype=np.float32)
    opt = optim.Adam(theta, lr=0.01)
    opt.step(g=np.ones(4, dtype=np.float32))
    for _ in range(1500):
        opt.step(g=np.zeros(4, dtype=np.float32))
    assert np.isfinite(theta).all() and np.isfinite(opt.s).all()
