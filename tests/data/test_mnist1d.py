"""MNIST-1D: shapes, seeds, the smoothing as SciPy's, and that it tells models apart as its paper says."""
import numpy as np
import pytest

from minigrad import data, losses, nn, optim, training
from minigrad.data import mnist1d
from minigrad.data.mnist1d import STROKES, _at, _smoothed, _stretched


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_classes_and_seeds(dtype):
    (x, y), (x_test, y_test) = mnist1d(0, m=203, m_test=50, dtype=dtype)
    assert x.shape == (203, 40) and x_test.shape == (50, 40) and x.dtype == x_test.dtype == dtype
    assert y.shape == (203,) and y.dtype == np.int64 and np.ptp(np.bincount(y, minlength=10)) == 1
    (again, _), _ = mnist1d(np.random.default_rng(0), m=203, m_test=50, dtype=dtype)
    (other, _), _ = mnist1d(1, m=203, m_test=50, dtype=dtype)
    assert np.array_equal(x, again) and not np.array_equal(x, other)
    assert not np.isin(x_test[:, 0], x[:, 0]).any() and not np.array_equal(y, np.sort(y))


def test_interpolation_and_smoothing_are_numpys_and_scipys():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(0)
    x, places = rng.standard_normal((5, 30)), rng.uniform(0, 29, size=(5, 17))
    places[0, :2] = 0, 29
    assert np.allclose(_at(x, places), [np.interp(p, np.arange(30), row) for p, row in zip(places, x)], atol=1e-14)
    assert np.allclose(_smoothed(x), ndimage.gaussian_filter1d(x, 2, axis=1), atol=1e-14)


def test_a_stretched_stroke_is_the_stroke_and_then_nothing():
    strokes = STROKES - STROKES[:, :1]
    x, stroke = _stretched(strokes, np.random.default_rng(0))
    length = stroke.sum(axis=1)
    assert (length >= 12).all() and (length <= 19).all()            # 12 of 72 to 12 of 48 parts of 72 points
    assert (x[~stroke] == 0).all() and np.allclose(np.abs(x).max(axis=1), np.abs(strokes).max(axis=1), rtol=0.15)


def error(model, rate, epochs, columns=False):
    (x, y), (x_test, y_test) = mnist1d(0)
    if columns:
        x, x_test = x.reshape(-1, 40, 1, 1), x_test.reshape(-1, 40, 1, 1)
    training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=rate),
                 data.batches(x, y, batch_size=100, rng=0), epochs=epochs, progress=False)
    return np.mean(training.predict(model, x_test).argmax(axis=1) != y_test)


def test_a_linear_model_finds_a_third_and_a_convolutional_net_nearly_all():
    """The paper: 32 % and 94 % right after 6,000 steps; here 400 and 600."""
    linear = error(nn.Sequential(nn.Linear(40, 10, rng=0)), 0.01, 10)
    convolutional = nn.Sequential(nn.Conv2d(1, 24, (5, 1), stride=2, padding="same", rng=0), nn.ReLU(),
                                  nn.Conv2d(24, 24, (3, 1), stride=2, padding="same", rng=1), nn.ReLU(),
                                  nn.Flatten(), nn.Linear(240, 10, rng=2))
    assert 0.60 < linear < 0.76 and error(convolutional, 0.01, 15, columns=True) < 0.25


@pytest.mark.parametrize("wrong", [{"m": 0}, {"m": 2.5}, {"m_test": -1}, {"rng": "a"}])
def test_misuse(wrong):
    with pytest.raises(ValueError):
        mnist1d(**wrong)
