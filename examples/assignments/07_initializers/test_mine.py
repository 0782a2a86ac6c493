"""Reference tests for 07_initializers: what a student's own tests should find out. Run them with pytest."""
import warnings

import initializers as mine
import numpy as np


def test_a_kernel_multiplies_both_fans():
    assert tuple(mine.fans((3, 7))) == (3, 7)
    assert tuple(mine.fans((2, 5, 3, 7))) == (30, 70)


def test_normalized_weights_are_uniform_with_the_variance_of_the_fans():
    w = mine.glorot_uniform((100, 200), rng=0)
    limit = np.sqrt(6 / 300)
    assert 0.99 * limit < np.abs(w).max() <= limit
    assert abs(w.var() / (2 / 300) - 1) < 0.05 and abs(w.mean()) < 0.01 * limit


def test_orthogonal_times_its_transpose_is_the_identity():
    w = mine.orthogonal((6, 4), gain=2.0, rng=0)
    np.testing.assert_allclose(w.T @ w, 4 * np.eye(4), atol=1e-12)
    w = mine.orthogonal((4, 6), gain=2.0, rng=0)
    np.testing.assert_allclose(w @ w.T, 4 * np.eye(4), atol=1e-12)


def test_orthogonal_matrices_have_no_preferred_direction():
    q = np.array([mine.orthogonal((2, 2), rng=seed) for seed in range(400)])
    assert np.abs(q.mean(axis=0)).max() < 0.2
    assert 0.35 < np.mean(np.linalg.det(q) > 0) < 0.65


def test_each_unit_has_k_inputs_of_its_own():
    w = mine.sparse((40, 200), k=5, std=3.0, rng=0)
    assert (np.count_nonzero(w, axis=0) == 5).all()
    assert (np.count_nonzero(w, axis=1) > 0).all()
    assert len({tuple(np.flatnonzero(column)) for column in w.T}) > 190
    values = w[w != 0]
    assert abs(values.std() - 3) < 0.3 and abs(values.mean()) < 0.5


def test_biases_give_the_marginals_of_the_targets():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        powers = np.exp(mine.softmax_bias(np.array([0, 0, 0, 1, 2, 2]), 3))
        np.testing.assert_allclose(powers / powers.sum(), [1 / 2, 1 / 6, 1 / 3], rtol=1e-12)
        powers = np.exp(mine.softmax_bias(np.array([0, 0, 1]), 3))
        np.testing.assert_allclose(powers / powers.sum(), [3 / 6, 2 / 6, 1 / 6], rtol=1e-12)
        b = mine.sigmoid_bias(np.array([[0.2, 1.0], [0.4, 0.5]]))
        np.testing.assert_allclose(1 / (1 + np.exp(-b)), [0.3, 0.75], rtol=1e-12)
        b = mine.sigmoid_bias(np.array([[0, 1], [0, 0]]))
        np.testing.assert_allclose(1 / (1 + np.exp(-b)), [1 / 4, 1 / 2], rtol=1e-12)
