"""Reference tests for 10_normalization: what a student's own tests should find out. Run them with pytest."""
import normalization as mine
import numpy as np

RNG = np.random.default_rng(0)
X, G = RNG.standard_normal((2, 3, 2, 2, 4)) * [1.0, 5.0, 0.2, 2.0] + [3.0, 0.0, -1.0, 1.0]
GAMMA, BETA = np.array([2.0, -1.0, 0.5, 3.0]), np.array([1.0, 0.0, -2.0, 4.0])
ONE, ZERO = np.ones(4), np.zeros(4)


def check_moments(y, axes, mean=True):
    if mean:
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-6)
    np.testing.assert_allclose((y * y).mean(axes), 1, atol=1e-6)


def differences(J, x, h=1e-6):
    d = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        d[index] = (J(x + step) - J(x - step)) / (2 * h)
    return d


def test_layer_norm_has_mean_0_and_variance_1_over_the_features():
    check_moments(mine.layer_norm(X, ONE, ZERO, 0.0), -1)
    np.testing.assert_allclose(mine.layer_norm(X, GAMMA, BETA, 0.0),
                               mine.layer_norm(X, ONE, ZERO, 0.0) * GAMMA + BETA, rtol=1e-12)
    np.testing.assert_allclose(mine.layer_norm(np.array([[1.0, 3.0]]), 1.0, 0.0, 3.0), [[-0.5, 0.5]], rtol=1e-12)


def test_layer_norm_backward():
    dx, dgamma, dbeta = mine.layer_norm_backward(G, X, GAMMA, BETA, 0.1)
    np.testing.assert_allclose(dx, differences(lambda x: (G * mine.layer_norm(x, GAMMA, BETA, 0.1)).sum(), X),
                               rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dgamma, differences(lambda v: (G * mine.layer_norm(X, v, BETA, 0.1)).sum(), GAMMA),
                               rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dbeta, G.sum((0, 1, 2)), rtol=1e-12)


def test_group_norm_is_over_pixels_and_neighbours():
    y = mine.group_norm(X, ONE, ZERO, 2, 0.0)
    for part in (y[..., :2], y[..., 2:]):
        check_moments(part, (1, 2, 3))
    assert abs(y.mean((1, 2))).max() > 0.1                                  # a feature by itself is not normalized
    np.testing.assert_allclose(mine.group_norm(np.array([[1.0, 3.0, 5.0, 5.0, 0.0, 2.0]]), 1.0, 0.0, 3, 3.0),
                               [[-0.5, 0.5, 0.0, 0.0, -0.5, 0.5]], rtol=1e-12)


def test_instance_norm_is_over_pixels():
    check_moments(mine.instance_norm(X, ONE, ZERO, 0.0), (1, 2))
    np.testing.assert_allclose(mine.instance_norm(np.array([[[1.0], [3.0]]]), 1.0, 0.0, 3.0), [[[-0.5], [0.5]]],
                               rtol=1e-12)


def test_rms_norm_keeps_the_mean():
    check_moments(mine.rms_norm(X, ONE, 0.0), -1, mean=False)
    np.testing.assert_allclose(mine.rms_norm(np.array([[1.0, 7.0]]), np.array([1.0, 2.0]), 11.0), [[1 / 6, 14 / 6]],
                               rtol=1e-12)


def test_rms_norm_backward():
    dx, dgamma = mine.rms_norm_backward(G, X, GAMMA, 0.1)
    np.testing.assert_allclose(dx, differences(lambda x: (G * mine.rms_norm(x, GAMMA, 0.1)).sum(), X), rtol=1e-5,
                               atol=1e-6)
    np.testing.assert_allclose(dgamma, differences(lambda v: (G * mine.rms_norm(X, v, 0.1)).sum(), GAMMA), rtol=1e-5,
                               atol=1e-6)


def test_influence_finds_one_value_and_tells_rows_from_columns():
    """Only the last value of example 0 depends on example 1."""
    def norm(x):
        y = x.copy()
        y[0, -1] += x[1, 0]
        return y
    np.testing.assert_array_equal(mine.influence(norm, RNG.standard_normal((3, 4))),
                                  [[True, True, False], [False, True, False], [False, False, True]])


def test_what_is_ignored():
    x = np.array([[1.0, -2.0], [3.0, 0.5]])
    assert mine.ignores(np.sign, x, lambda x: 3 * x)
    for factor in (0.9, 1.1):
        assert not mine.ignores(lambda x: x, np.abs(x), lambda x, factor=factor: factor * x)
    assert not mine.ignores(lambda x: x, x, lambda x: x[::-1])                       # the sum stays, the values do not
    assert not mine.ignores(lambda x: np.where(x.max() > 100, np.nan, np.sign(x)), x, lambda x: 1000 * x)
