"""Reference tests for 06_adaptive: what a student's own tests should find out. Run them with pytest."""
import warnings

import numpy as np
from adaptive import AdaGrad, Adam, RMSProp

G = np.array([[3.0, -0.04], [-1.0, 0.02], [2.0, 0.5]])            # three gradients of two parameters, far apart in size


def path(method, gradients=G, **hyper):
    """theta after each step, from 0."""
    optimizer, seen = method(np.zeros(gradients.shape[1]), **hyper), []
    for g in gradients:
        optimizer.step(g)
        seen.append(optimizer.theta.copy())
    return np.array(seen)


def test_adagrad_divides_by_the_root_of_the_sum_of_squares():
    steps = -0.1 * G / (0.5 + np.sqrt(np.cumsum(G * G, axis=0)))
    np.testing.assert_allclose(path(AdaGrad, lr=0.1, delta=0.5), np.cumsum(steps, axis=0), rtol=1e-12)


def test_rmsprop_divides_by_the_root_of_an_average():
    r, theta, want = np.zeros(2), np.zeros(2), []
    for g in G:
        r = 0.7 * r + 0.3 * g ** 2
        theta = theta - 0.1 * g / np.sqrt(0.5 + r)
        want.append(theta)
    np.testing.assert_allclose(path(RMSProp, lr=0.1, rho=0.7, delta=0.5), want, rtol=1e-12)


def test_adam_is_a_quotient_of_weighted_means():
    """The correction makes s^ and r^ means of all gradients, with weights rho^age that sum to 1."""
    theta, want = np.zeros(2), []
    for t in range(1, 4):
        s_hat = np.average(G[:t], axis=0, weights=0.6 ** np.arange(t)[::-1])
        r_hat = np.average(G[:t] ** 2, axis=0, weights=0.8 ** np.arange(t)[::-1])
        theta = theta - 0.1 * s_hat / (np.sqrt(r_hat) + 0.5)
        want.append(theta)
    np.testing.assert_allclose(path(Adam, lr=0.1, rho1=0.6, rho2=0.8, delta=0.5), want, rtol=1e-12)


def test_a_parameter_without_gradient_stays():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in (AdaGrad, RMSProp, Adam):
            assert np.array_equal(path(method, np.zeros((2, 3))), np.zeros((2, 3))), method


def test_the_gradient_is_left_as_it_was():
    for method in (AdaGrad, RMSProp, Adam):
        g = G.copy()
        path(method, g)
        assert np.array_equal(g, G), method
