"""Toy sets: shapes, classes, and that without noise each point lies where its formula says."""
import numpy as np
import pytest

from minigrad.data import stream, toy

CLASSES = [toy.spirals, toy.moons, toy.blobs, toy.xor]


@pytest.mark.parametrize("draw", [*CLASSES, toy.sine])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_dtypes_and_seeds(draw, dtype):
    x, y = draw(101, rng=0, dtype=dtype)
    assert x.dtype == dtype and len(x) == len(y) == 101 and x.ndim == 2
    again, other = draw(101, rng=0, dtype=dtype), draw(101, rng=1, dtype=dtype)
    assert np.array_equal(x, again[0]) and np.array_equal(y, again[1]) and not np.array_equal(x, other[0])
    if draw is toy.sine:
        assert x.shape == y.shape == (101, 1) and y.dtype == dtype
    else:
        assert x.shape == (101, 2) and y.shape == (101,) and y.dtype == np.int64
        assert np.ptp(np.bincount(y)) <= 1 and not np.array_equal(y, np.sort(y))


def test_without_noise_the_formulas_hold():
    x, y = toy.xor(1000, noise=0, rng=0, dtype=np.float64)
    assert np.array_equal(x[:, 0] * x[:, 1] < 0, y == 1) and np.abs(x).max() <= 1
    assert len(np.unique(np.sign(x), axis=0)) == 4
    x, y = toy.moons(1000, noise=0, rng=0, dtype=np.float64)
    centre = np.where(y[:, None] == 0, [0, 0], [1, 0.5])
    assert np.allclose(np.linalg.norm(x - centre, axis=1), 1)
    assert (x[y == 0, 1] >= 0).all() and (x[y == 1, 1] <= 0.5).all()
    x, y = toy.blobs(1000, noise=0, rng=0, classes=4, dtype=np.float64)
    assert np.allclose(x[y == 1], [0, 1]) and np.allclose(x[y == 2], [-1, 0])
    x, y = toy.spirals(1000, noise=0, rng=0, classes=3, turns=2, dtype=np.float64)
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    turn = angle / (2 * np.pi) - 2 * radius - y / 3
    assert np.allclose(turn, np.round(turn)) and radius.max() <= 1
    x, y = toy.sine(1000, noise=0, rng=0, dtype=np.float64)
    assert np.array_equal(y, np.sin(x)) and np.abs(x).max() <= np.pi


def test_noise_is_a_standard_deviation():
    x, y = toy.blobs(20_000, noise=0.3, rng=0, dtype=np.float64)
    exact, y_exact = toy.blobs(20_000, noise=0, rng=0, dtype=np.float64)
    assert np.array_equal(y, y_exact) and abs((x - exact).std() / 0.3 - 1) < 0.02       # 5 standard errors


@pytest.mark.parametrize("draw", [*CLASSES, toy.sine])
def test_a_stream_of_fresh_examples(draw):
    source = stream(draw, batch_size=16, rng=0)
    drawn = np.concatenate([next(source)[0] for _ in range(20)])
    assert len(np.unique(drawn, axis=0)) == 320


@pytest.mark.parametrize("options, words", [({"m": 0}, "m must be"), ({"m": 2.5}, "m must be"),
                                            ({"m": 3, "noise": -1}, "noise"), ({"m": 3, "noise": np.nan}, "noise"),
                                            ({"m": 3, "rng": "a"}, "rng")])
@pytest.mark.parametrize("draw", [*CLASSES, toy.sine])
def test_misuse(draw, options, words):
    with pytest.raises(ValueError, match=words):
        draw(**options)
    with pytest.raises(ValueError, match="classes"):
        toy.blobs(3, classes=0)


def test_documents_are_bags_of_words_by_zipfs_law_with_logistic_labels():
    weights = np.array([0.0, 3.0, -3.0, 0.0])
    x, y = toy.documents(20_000, weights, length=10, exponent=1.0, rng=0, dtype=np.float64)
    assert x.shape == (20_000, 4) and (x.sum(1) == 10).all() and y.dtype == np.int64
    share = np.array([12, 6, 4, 3]) / 25                                # 1, 1/2, 1/3, 1/4
    assert np.allclose(x.mean(0) / 10, share, atol=5 * 0.5 / np.sqrt(200_000))
    even = x @ weights == 0
    assert abs(y[even].mean() - 0.5) < 5 * 0.5 / np.sqrt(even.sum())
    likely = x @ weights == 3
    assert abs(y[likely].mean() - 1 / (1 + np.exp(-3))) < 5 * 0.3 / np.sqrt(likely.sum())
    again = toy.documents(20_000, weights, length=10, exponent=1.0, rng=0)
    assert again[0].dtype == np.float32 and np.array_equal(again[0], x) and np.array_equal(again[1], y)


@pytest.mark.parametrize("options, words", [({"m": 0}, "m must be"), ({"m": 3, "length": 0}, "length"),
                                            ({"m": 3, "exponent": np.nan}, "exponent"),
                                            ({"m": 3, "weights": [[1.0]]}, "weights"),
                                            ({"m": 3, "weights": []}, "weights")])
def test_documents_that_cannot_be(options, words):
    with pytest.raises(ValueError, match=words):
        toy.documents(**{"weights": [1.0, 2.0], "rng": 0} | options)
