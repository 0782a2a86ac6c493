"""The reference tests: they pass the solution and find every mutant. Yours may look quite different."""
import numpy as np
import pytest
from momentum import Momentum, Nesterov, descend, terminal_velocity

START = [1, -2, 3]
G = np.array([0.5, -1.0, 2.0])


def test_first_step_is_gradient_descent():
    opt = Momentum(START, lr=0.1)
    opt.step(G)
    np.testing.assert_allclose(opt.v, -0.1 * G)
    np.testing.assert_allclose(opt.theta, START - 0.1 * G)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_two_steps_by_hand(momentum):
    opt = Momentum(START, lr=0.1, momentum=momentum)
    opt.step(G)
    opt.step(2 * G)
    np.testing.assert_allclose(opt.v, -0.1 * momentum * G - 0.2 * G)
    np.testing.assert_allclose(opt.theta, START - 0.1 * G + opt.v)


def test_a_new_rate_acts_on_new_gradients_only():
    opt = Momentum(START, lr=1.0, momentum=0.5)
    opt.step(G)
    opt.lr = 0.0
    opt.step(G)
    np.testing.assert_allclose(opt.theta, START - 1.5 * G)


def test_arguments_are_left_alone():
    start, g = np.array(START, dtype=float), G.copy()
    opt = Nesterov(start, lr=0.3)
    for _ in range(2):
        opt.step(g)
        opt.theta[0] += 1.0
    assert np.array_equal(g, G) and np.array_equal(start, START)


def test_the_start_is_copied():
    start = np.array(START, dtype=float)
    opt = Momentum(start, lr=0.1)
    start[0] = 99.0
    assert opt.theta[0] == 1.0


def test_interim_point():
    opt = Nesterov(START, lr=0.1, momentum=0.8)
    opt.v = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(opt.point(), START + 0.8 * opt.v)
    np.testing.assert_allclose(opt.theta, START)


@pytest.mark.parametrize("make", [Momentum, Nesterov])
@pytest.mark.parametrize("lr", [0.1, lambda k: 0.3 / k])
def test_path_on_a_bowl(make, lr):
    asked = []

    def gradient(at):
        asked.append(np.array(at))
        return 2.0 * np.asarray(at)

    path = descend(make, gradient, START, 4, lr, 0.5)
    theta, v = np.array(START, dtype=float), np.zeros(3)
    assert path.shape == (5, 3)
    np.testing.assert_allclose(path[0], theta)
    for k in range(1, 5):
        at = theta + 0.5 * v if make is Nesterov else theta
        np.testing.assert_allclose(asked[k - 1], at)
        v = 0.5 * v - (lr(k) if callable(lr) else lr) * 2.0 * at
        theta = theta + v
        np.testing.assert_allclose(path[k], theta)


def test_terminal_velocity():
    assert terminal_velocity(0.1, np.array([3.0, -4.0]), 0.9) == pytest.approx(5.0)
