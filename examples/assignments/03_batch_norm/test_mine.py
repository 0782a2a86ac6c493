"""Reference tests for 03_batch_norm: what a student's own tests should find out. Run them with pytest."""
import warnings

import batch_norm as mine
import numpy as np

GAMMA, BETA = np.array([2.0, -0.5]), np.array([1.0, 3.0])


def batch(*shape):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) * 3 + 5, rng.standard_normal(shape)


def difference(J, x, h=1e-5):
    """dJ/dx by central differences."""
    d = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        d[index] = (J(up) - J(down)) / (2 * h)
    return d


def test_outputs_have_the_mean_beta_and_the_deviation_gamma():
    for shape in ((6, 2), (2, 3, 2, 2)):
        y = mine.batch_norm(batch(*shape)[0], GAMMA, BETA, 0.0).reshape(-1, 2)
        np.testing.assert_allclose(y.mean(axis=0), BETA, rtol=1e-10)
        np.testing.assert_allclose(y.std(axis=0), np.abs(GAMMA), rtol=1e-10)


def test_delta_is_inside_the_root():
    x = np.array([[1.0, 7.0], [-1.0, 7.0]])                          # variances 1 and 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(mine.batch_norm(x, GAMMA, BETA, 3.0), [[2.0, 3.0], [0.0, 3.0]], rtol=1e-12)
        np.testing.assert_allclose(mine.batch_norm(x, GAMMA, BETA, 1e-5)[:, 1], [3.0, 3.0], rtol=1e-12)


def test_gradients_agree_with_differences():
    for shape in ((5, 2), (2, 2, 3, 2)):
        for delta in (0.5, 1e-5):
            x, g = batch(*shape)
            dx, dgamma, dbeta = mine.batch_norm_backward(g, x, GAMMA, BETA, delta)

            def J(x=x, gamma=GAMMA, beta=BETA, g=g, delta=delta):
                return np.sum(g * mine.batch_norm(x, gamma, beta, delta))
            np.testing.assert_allclose(dx, difference(J, x), atol=1e-7)
            np.testing.assert_allclose(dgamma, difference(lambda gamma, J=J: J(gamma=gamma), GAMMA), atol=1e-7)
            np.testing.assert_allclose(dbeta, difference(lambda beta, J=J: J(beta=beta), BETA), atol=1e-7)


def test_running_averages_weigh_the_new_batch_with_momentum():
    for shape in ((5, 2), (2, 2, 3, 2)):
        x, _ = batch(*shape)
        kept = mine.RunningAverages(2, 0.25)
        kept.update(x)
        kept.update(2 * x)
        rows = x.reshape(-1, 2)
        np.testing.assert_allclose(kept.running_mean, (0.75 * 0.25 + 0.25 * 2) * rows.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(kept.running_var, 0.75 ** 2 + (0.75 * 0.25 + 0.25 * 4) * rows.var(axis=0, ddof=1),
                                   rtol=1e-12)


def test_a_single_example_at_test_time():
    kept = mine.RunningAverages(2, 0.1)
    kept.running_mean, kept.running_var = np.array([1.0, 2.0]), np.array([3.0, 8.0])
    np.testing.assert_allclose(kept.normalize(np.array([[3.0, 5.0]]), GAMMA, BETA, 1.0), [[3.0, 2.5]], rtol=1e-12)
