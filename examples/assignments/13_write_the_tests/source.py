"""Tests of training.py. Add as many functions as you like; their names say which task they belong to.

    task 1: test_cross_entropy_...    task 2: test_clip_...    task 3: test_momentum_...    task 4: test_minibatches_...

A test passes if it returns: say what must hold with `assert` or numpy.testing. It has to hold for every right program,
so for one that computes the same in another order, and it should not hold for any wrong one.
"""
import numpy as np
from training import Momentum, clip_by_norm, cross_entropy, minibatches

LOGITS = np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0], [-1.0, 2.0, 2.0], [0.0, 0.0, 5.0]])
LABELS = np.array([0, 2, 1, 1])


def test_cross_entropy_value():
    # BEGIN SOLUTION task 1: cases that you can work out by hand; any number of examples and classes; huge logits
    assert abs(cross_entropy(np.zeros((5, 4)), np.zeros(5, dtype=int))[0] - np.log(4)) < 1e-12
    want = np.mean([np.log(np.exp(row).sum()) - row[label] for row, label in zip(LOGITS, LABELS)])
    assert abs(cross_entropy(LOGITS, LABELS)[0] - want) < 1e-12
    for huge in (1e3, -1e3, 1e5):
        assert abs(cross_entropy(LOGITS + huge * np.arange(1, 5)[:, None], LABELS)[0] - want) < 1e-9
    assert abs(cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))[0] - 1000) < 1e-9
    # END SOLUTION


def test_cross_entropy_gradient():
    # BEGIN SOLUTION task 1: against differences of J, entry by entry; and what must not be written into
    logits, labels = np.array(4 * [[1.0, 3.0, 2.0]]), LABELS.copy()      # its own: LOGITS may be written into by now
    cross_entropy(logits, labels)
    np.testing.assert_array_equal(logits, 4 * [[1.0, 3.0, 2.0]])
    np.testing.assert_array_equal(labels, LABELS)
    d, h = cross_entropy(LOGITS, LABELS)[1], 1e-6
    for index in np.ndindex(logits.shape):
        step = np.zeros(logits.shape)
        step[index] = h
        slope = (cross_entropy(LOGITS + step, LABELS)[0] - cross_entropy(LOGITS - step, LABELS)[0]) / (2 * h)
        assert abs(d[index] - slope) < 1e-8, index
    assert np.isfinite(cross_entropy(1000 * LOGITS, LABELS)[1]).all()
    # END SOLUTION


def test_clip_length_and_direction():
    # BEGIN SOLUTION task 2: longer, shorter and just as long as the threshold; every sign
    for g in (np.array([3.0, -4.0]), np.array([-30.0, 40.0]), np.array([0.0, 0.0, 7.0])):
        length = np.linalg.norm(g)
        for threshold in (0.1, 1.0, 5.0, 100.0):
            want = g * min(1.0, threshold / length)
            np.testing.assert_allclose(clip_by_norm(g, threshold), want, rtol=1e-12)
    # END SOLUTION


def test_clip_zero_and_what_it_leaves():
    # BEGIN SOLUTION task 2: g = 0, and g after the call
    np.testing.assert_array_equal(clip_by_norm(np.zeros(3), 1.0), np.zeros(3))
    for threshold in (1.0, 100.0):
        g = np.array([3.0, -4.0])
        clipped = clip_by_norm(g, threshold)
        clipped *= 2
        np.testing.assert_array_equal(g, [3.0, -4.0])
    # END SOLUTION


def test_momentum_steps():
    # BEGIN SOLUTION task 3: two or three steps by hand, with gradients that differ; a rate that changes
    momentum, theta = Momentum(0.1, alpha=0.5), np.array([1.0, -1.0])
    theta = momentum.step(theta, np.array([2.0, 4.0]))
    np.testing.assert_allclose(theta, [0.8, -1.4], rtol=1e-12)                     # v = [-0.2, -0.4]
    momentum.lr = 1.0
    theta = momentum.step(theta, np.array([0.0, 1.0]))
    np.testing.assert_allclose(theta, [0.7, -2.6], rtol=1e-12)                     # v = [-0.1, -1.2]
    momentum.alpha = 0.1
    np.testing.assert_allclose(momentum.step(theta, np.zeros(2)), [0.69, -2.72], rtol=1e-12)
    one = Momentum(0.1)
    np.testing.assert_allclose(one.step(one.step(np.zeros(1), np.ones(1)), np.ones(1)), [-0.29], rtol=1e-12)
    # END SOLUTION


def test_momentum_leaves_its_arguments_and_others_alone():
    # BEGIN SOLUTION task 3: theta and g after the call; two optimizers side by side
    first, second, theta, g = Momentum(0.1), Momentum(0.1), np.array([1.0, 2.0]), np.array([1.0, 1.0])
    for _ in range(2):
        first.step(theta, g)
        np.testing.assert_array_equal(theta, [1.0, 2.0])
        np.testing.assert_array_equal(g, [1.0, 1.0])
    np.testing.assert_allclose(second.step(theta, g), [0.9, 1.9], rtol=1e-12)
    # END SOLUTION


def test_minibatches_cover_an_epoch():
    # BEGIN SOLUTION task 4: every example once; sizes; sizes that divide m and sizes that do not
    for m, size in ((10, 3), (12, 4), (5, 5), (3, 7), (7, 1)):
        batches = minibatches(m, size, np.random.default_rng(0))
        assert sorted(np.concatenate(batches).tolist()) == list(range(m))
        assert [len(batch) for batch in batches] == [size] * (m // size) + ([m % size] if m % size else [])
    # END SOLUTION


def test_minibatches_are_random_and_repeatable():
    # BEGIN SOLUTION task 4: another order in each epoch, the same for the same generator; all of m mixed
    rng = np.random.default_rng(1)
    first, second, again = (np.concatenate(minibatches(60, 10, one)) for one in (rng, rng, np.random.default_rng(1)))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    for start in range(0, 60, 10):
        assert sorted(first[start:start + 10].tolist()) != list(range(start, start + 10))
        assert len(set(first[start:start + 10] // 10)) > 2
        assert (np.diff(first[start:start + 10]) < 0).any()
    # END SOLUTION
