"""Examples set aside: each once, each class with its share."""
import numpy as np
import pytest

from minigrad.data import mnist, split


@pytest.mark.parametrize("stratify", [False, True])
def test_each_example_is_in_one_part_with_its_label(stratify):
    y = np.random.default_rng(0).integers(0, 3, size=100)
    x = np.arange(100)
    (a, ya), (b, yb) = split(x, y, validation=30, rng=0, stratify=stratify)
    assert len(a) == 70 and len(b) == 30 and sorted([*a, *b]) == x.tolist()
    assert np.array_equal(ya, y[a]) and np.array_equal(yb, y[b])
    assert np.array_equal(split(x, y, validation=30, rng=0, stratify=stratify)[1][0], b)
    assert not np.array_equal(split(x, y, validation=30, rng=1, stratify=stratify)[1][0], b)


@pytest.mark.parametrize("count", [1, 7, 50, 99])
def test_shares_are_exact_to_within_one(count):
    y = np.repeat([5, 1, 9], [60, 30, 10])
    _, aside = split(y, validation=count, rng=0, stratify=True)
    for label, size in ((5, 60), (1, 30), (9, 10)):
        assert abs((aside == label).sum() - size * count / 100) < 1
    assert len(aside) == count


def test_mnist_with_a_validation_set():
    (x, y), _ = mnist(flat=True)
    (_, y_train), (x_val, y_val) = split(x, y, validation=10_000, rng=0, stratify=True)
    assert len(y_train) == 50_000 and x_val.shape == (10_000, 784)
    assert np.abs(np.bincount(y_val) - np.bincount(y) / 6).max() < 1


def test_a_fraction_and_classes_given_apart():
    x = np.arange(40)
    rest, aside = split(x, validation=0.25, rng=0, stratify=x % 2)
    assert len(rest) == 30 and len(aside) == 10 and (aside % 2).sum() == 5


@pytest.mark.parametrize("validation", [0, 20, -1, 1.0, 0.0, 1.5, "5", True, None, np.nan])
def test_a_wrong_count(validation):
    with pytest.raises(ValueError, match="from 1 to 19"):
        split(np.arange(20), validation=validation)


def test_a_fraction_too_small_for_one_example():
    with pytest.raises(ValueError, match="from 1 to 19, got 0 of 20 for the fraction 0.01"):
        split(np.arange(20), validation=0.01)


def test_misuse():
    with pytest.raises(ValueError, match="equal length"):
        split(np.arange(3), np.arange(4), validation=1)
    with pytest.raises(ValueError, match="one class for each"):
        split(np.zeros((4, 2)), validation=1, stratify=True)
