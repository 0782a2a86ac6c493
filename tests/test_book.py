"""Claims of the chapter, as the book makes them, run on the public objects. (8.4's are in test_book_initialization.)"""
import numpy as np
import pytest

import minigrad as mg
from minigrad import init, losses, nn, optim
from minigrad.optim import schedules


class Quadratic:
    """J = sum(h theta^2) / 2."""

    def __init__(self, h):
        self.h = np.asarray(h, float)

    def value(self, theta):
        return 0.5 * float(self.h @ (theta * theta))

    def grad(self, theta):
        return self.h * theta


def slope(values, first, last):
    """Fitted exponent p of values ~ k^p for k = first ... last."""
    k = np.arange(first, last + 1)
    return np.polyfit(np.log(k), np.log(values[first:last + 1]), 1)[0]


SPECTRUM = np.geomspace(1e-10, 1, 200)       # eigenvalues of every size: no strong convexity to profit from


@pytest.mark.parametrize("alpha, factor", [(0.5, 2), (0.9, 10), (0.99, 100)])
def test_terminal_velocity_is_the_step_over_one_minus_alpha(alpha, factor):
    """8.17: under a constant gradient the speed becomes lr |g| / (1 - alpha): 10 times for alpha = 0.9."""
    g, lr = np.array([3.0, -4.0]), 0.01
    opt = optim.Momentum(np.zeros(2), lr=lr, momentum=alpha)
    for _ in range(4000):
        opt.step(g=g)
    assert np.linalg.norm(opt.v) == pytest.approx(factor * lr * 5.0, rel=1e-12)


def test_gradient_descent_converges_as_one_over_k():
    result = optim.minimize(optim.SGD(np.ones(len(SPECTRUM)), lr=1.0), Quadratic(SPECTRUM), steps=1000)
    assert slope(result.values, 30, 1000) == pytest.approx(-1, abs=0.1)


def test_nesterov_converges_as_one_over_k_squared():
    """8.3.3: the rate of convergence in the convex batch case rises from 1/k to 1/k^2."""
    rising = optim.Nesterov(np.ones(len(SPECTRUM)), lr=1.0, momentum=lambda k: (k - 1) / (k + 2))
    result = optim.minimize(rising, Quadratic(SPECTRUM), steps=1000)
    assert slope(result.values, 30, 1000) == pytest.approx(-2, abs=0.1)


def test_sgd_converges_as_one_over_k_on_a_strongly_convex_problem():
    """8.3.1: excess error O(1/k) in the strongly convex case, with rates that fall as 1/k (8.12, 8.13)."""
    rate = schedules.Inverse(1.0)
    assert optim.schedules.robbins_monro(rate)
    rng = np.random.default_rng(0)
    runs, steps = 300, 2000
    J = Quadratic(np.tile([1.0, 2.0], runs))             # 300 runs side by side: SGD treats every parameter alike
    theta = np.tile([0.3, -0.2], runs)
    opt = optim.SGD(theta, lr=rate)
    excess = []
    for _ in range(steps):
        excess.append(J.value(theta) / runs)
        opt.step(g=J.grad(theta) + rng.standard_normal(2 * runs))
    excess.append(J.value(theta) / runs)
    assert slope(np.array(excess), 100, 2000) == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("rho", [0.9, 0.99])
def test_first_step_of_rmsprop_is_large(rho):
    """No correction of the start at zero (8.5): the first step is lr / sqrt(1 - rho), not lr."""
    theta = np.zeros(1)
    optim.RMSProp(theta, lr=0.001, rho=rho).step(g=np.array([5.0]))
    assert -theta[0] == pytest.approx(0.001 / np.sqrt(1 - rho), rel=1e-5)


@pytest.mark.parametrize("g", [1e-3, 1.0, 1e3])
def test_first_step_of_adam_is_the_learning_rate(g):
    """8.7 corrects both moments, so the first step is lr whatever the size of g."""
    theta = np.zeros(1)
    optim.Adam(theta, lr=0.001).step(g=np.array([g]))
    assert -theta[0] == pytest.approx(0.001, rel=1e-4)


def test_adagrad_never_raises_a_rate_and_rmsprop_forgets():
    """8.5.1-2: the sum of squares only grows; a moving average lets go of the very past."""
    large, small = np.array([10.0]), np.array([0.1])
    steps = {}
    for method in (optim.AdaGrad, optim.RMSProp):
        theta = np.zeros(1)
        opt = method(theta, lr=0.01)
        for g in [large] * 20 + [small] * 200:
            before = theta.copy()
            opt.step(g=g)
        steps[method] = abs(theta - before)[0]
    assert steps[optim.RMSProp] > 50 * steps[optim.AdaGrad]


def test_all_zero_weights_do_not_learn_a_hidden_layer():
    model = nn.Sequential(nn.Linear(5, 4, weights=init.zeros), nn.Tanh(), nn.Linear(4, 3, weights=init.zeros))
    loss = losses.cross_entropy(model(mg.Tensor(np.ones((2, 5), np.float32))), np.array([0, 1]))
    loss.backward()
    assert not model[0].w.grad.any()


def test_newton_jumps_to_the_minimum_of_a_quadratic_and_gradient_descent_does_not():
    H = np.diag([1.0, 100.0])

    class Bowl(Quadratic):
        def hessian(self, theta):
            return H
    J = Bowl(np.diag(H))
    assert optim.minimize(optim.Newton(np.array([3.0, -2.0])), J, steps=1).value < 1e-28
    assert optim.minimize(optim.SGD(np.array([3.0, -2.0]), lr=0.019), J, steps=100).value > 1e-3


def test_ill_conditioning_makes_a_small_step_raise_the_cost():
    """8.10: -lr g'g + lr^2 g'Hg / 2 is exact on a quadratic, and positive past lr = 2 g'g / g'Hg."""
    J, theta = Quadratic([1.0, 1000.0]), np.array([1.0, 1.0])
    g = J.grad(theta)
    for lr in (1e-4, 1.9e-3, 2.1e-3):
        predicted = -lr * g @ g + 0.5 * lr ** 2 * g @ (J.h * g)
        actual = J.value(theta - lr * g) - J.value(theta)
        assert actual == pytest.approx(predicted, rel=1e-9)
        assert (actual > 0) == (lr > 2 * (g @ g) / (g @ (J.h * g)))


def test_the_standard_error_of_the_gradient_falls_as_one_over_the_root_of_n():
    """8.1.3: a hundred times the examples make the error only ten times smaller."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal(100_000) * 3 + 1
    spread = [np.std([rng.choice(gradients, n).mean() for _ in range(2000)]) for n in (10, 1000)]
    assert spread[0] / spread[1] == pytest.approx(10, rel=0.1)
    assert spread[0] == pytest.approx(3 / np.sqrt(10), rel=0.1)


def test_polyak_mean_ends_nearer_to_the_minimum_than_the_last_point():
    """8.7.3: the path leaps back and forth across the valley; the average lies at its bottom."""
    J, rng = Quadratic([1.0, 50.0]), np.random.default_rng(0)
    theta = np.array([1.0, 1.0])
    opt = optim.SGD(theta, lr=0.03)
    average, ends = optim.PolyakAverage(opt), []
    for k in range(2000):
        opt.step(g=J.grad(theta) + rng.standard_normal(2))
        average.update()
        if k >= 1500:
            ends.append(J.value(theta))
    with average.applied():
        mean = J.value(theta)
    assert mean < 0.1 * np.mean(ends)
