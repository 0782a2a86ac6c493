"""Reference tests for 12_predict_before_you_run: predictions held against runs. Run them with pytest."""
import numpy as np
from predict_before_you_run import factor, largest_stable_rate, leaves, steps_of_cg

Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]


def hessian(*eigenvalues):
    H = (Q * np.array(eigenvalues)) @ Q.T
    return (H + H.T) / 2


def end(H, lr, momentum, nesterov, steps=1500):
    """|theta| after many steps from the eigenvectors' sum, or when it has become large."""
    theta, v = Q.sum(axis=1), np.zeros(4)
    for _ in range(steps):
        v = momentum * v - lr * H @ (theta + nesterov * momentum * v)
        theta = theta + v
        if np.abs(theta).max() > 1e6:
            break
    return np.linalg.norm(theta)


def test_conjugate_gradients_take_a_step_for_each_different_eigenvalue_they_meet():
    g = Q.sum(axis=1)
    assert steps_of_cg(hessian(1.0, 2.0, 3.0, 4.0), g) == 4
    assert steps_of_cg(hessian(1.0, 2.0, 2.0, 4.0), g) == 3
    assert steps_of_cg(hessian(3.0, 3.0, 3.0, 3.0), g) == 1
    assert steps_of_cg(hessian(1.0, 2.0, 3.0, 4.0), Q[:, 1] - 2 * Q[:, 3]) == 2


def test_factors_are_what_a_step_does():
    for eigenvalue in (-0.5, 3.0):
        assert np.isclose(factor("gradient descent", eigenvalue, 0.1), 1 - 0.1 * eigenvalue)
        assert np.isclose(factor("newton", eigenvalue, 0.0), 0)
        assert np.isclose(factor("damped newton", eigenvalue, 2.0), 1 - eigenvalue / (eigenvalue + 2.0))
        assert np.isclose(factor("saddle-free newton", eigenvalue, 0.0), 0 if eigenvalue > 0 else 2)


def test_who_leaves_the_saddle():
    H, everything, without = hessian(-1.0, 1.0, 2.0, 3.0), Q.sum(axis=1), Q[:, 1:].sum(axis=1)
    assert leaves(H, everything, "gradient descent", 0.1) and not leaves(H, without, "gradient descent", 0.1)
    assert not leaves(H, everything, "newton", 0.0)
    assert leaves(H, everything, "damped newton", 2.0) and leaves(H, everything, "damped newton", 0.7)
    assert not leaves(H, everything, "damped newton", 0.3)
    assert leaves(H, everything, "saddle-free newton", 0.0) and not leaves(H, without, "saddle-free newton", 0.0)
    assert leaves(H, without, "gradient descent", 0.9)                      # a rate beyond the largest stable one


def test_just_below_the_largest_rate_it_converges_just_above_not():
    H = hessian(1.0, 2.0, 6.0, 20.0)
    for method, momentum in (("gradient descent", 0.0), ("momentum", 0.5), ("nesterov", 0.5)):
        lr = largest_stable_rate(H, method, momentum)
        assert end(H, 0.99 * lr, momentum, method == "nesterov") < 1e-3, method
        assert end(H, 1.01 * lr, momentum, method == "nesterov") > 1e3, method
