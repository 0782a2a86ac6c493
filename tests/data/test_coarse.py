"""MNIST in few pixels: averages of blocks, by a loop over them; inputs around 0."""
import numpy as np
import pytest

from minigrad.data import coarse_mnist, mnist, standardized


@pytest.mark.parametrize("side, block, edge", [(6, 4, 2), (14, 2, 0), (7, 4, 0), (5, 5, 1), (28, 1, 0), (1, 28, 0)])
def test_pixels_are_averages_of_blocks_in_the_middle(side, block, edge):
    (x, y), (x_test, y_test) = coarse_mnist(side, m=3, m_test=2, dtype=np.float64)
    (images, labels), (test_images, test_labels) = mnist(dtype=np.float64)
    for small, large in ((x, images), (x_test, test_images)):
        wanted = np.array([[image[i:i + block, j:j + block].mean() for i in edge + block * np.arange(side)
                            for j in edge + block * np.arange(side)] for image in large[:len(small)]])
        np.testing.assert_allclose(small, wanted, rtol=0, atol=1e-15)
    assert np.array_equal(y, labels[:3]) and np.array_equal(y_test, test_labels[:2])


def test_shapes_types_and_a_copy_of_ones_own():
    (x, y), (x_test, y_test) = coarse_mnist(m=50)
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((50, 36), (50,), (10_000, 36), (10_000,))
    assert x.dtype == np.float32 and y.dtype == np.int64
    np.testing.assert_array_equal(x, coarse_mnist(m=50, dtype=np.float64)[0][0].astype(np.float32))
    x[:], y[:] = 7, 7
    assert coarse_mnist(m=50)[0][0].max() <= 1 and mnist()[0][1][0] == 5


@pytest.mark.parametrize("wrong, said", [
    ({"side": 29}, "side"), ({"side": 0}, "side"), ({"m": 60_001}, "from 1 to 60000"), ({"m_test": 0}, "m_test"),
    ({"dtype": np.int64}, "coarse_mnist: dtype"), ({"m": 2.5}, "coarse_mnist: m "),
])
def test_what_cannot_be_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        coarse_mnist(**wrong)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardized_by_the_training_examples_alone(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 5, (40, 2, 3)).astype(dtype), np.arange(40)
    (a, labels), (b, other) = standardized((x, y), (10 * x[:4], y[:4]))
    np.testing.assert_allclose(a.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(a, (x - x.mean(0)) / np.sqrt(((x - x.mean()) ** 2).mean()), atol=1e-6)
    np.testing.assert_allclose(b, (10 * x[:4] - x.mean(0)) / x.std(), atol=1e-5)
    assert a.dtype == b.dtype == dtype and labels is y and len(other) == 4


def test_examples_that_do_not_vary_have_no_scale():
    with pytest.raises(ValueError, match="standardized: the training examples do not vary"):
        standardized((np.ones((3, 2)), np.arange(3)))
