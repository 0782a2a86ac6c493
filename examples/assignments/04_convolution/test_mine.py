"""Reference tests for 04_convolution: what a student's own tests should find out. Run them with pytest."""
import convolution as mine
import numpy as np
import pytest

# x, w, windows, size of y: no border; strides of two lengths; borders of two widths; both, and rows that nobody sees
CASES = [((2, 3, 4, 2), (2, 3, 2, 3), (1, 1, 0, 0), (2, 2)),
         ((2, 4, 5, 1), (2, 2, 1, 2), (2, 3, 0, 0), (2, 2)),
         ((1, 3, 3, 2), (2, 2, 2, 2), (1, 1, 2, 1), (4, 3)),
         ((2, 4, 3, 2), (3, 2, 2, 1), (2, 1, 1, 0), (2, 2))]
every_case = pytest.mark.parametrize("x, w, windows, size", CASES)


def arrays(x, w, size):
    rng = np.random.default_rng(0)
    return rng.standard_normal(x), rng.standard_normal(w), rng.standard_normal((x[0], *size, w[3]))


def definition(x, w, windows, size):
    """The sum, one pixel of y and one offset at a time."""
    sh, sw, top, left = windows
    y = np.zeros((len(x), *size, w.shape[3]))
    for i, j, ki, kj in np.ndindex(*size, *w.shape[:2]):
        row, column = i * sh + ki - top, j * sw + kj - left
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            y[:, i, j] += x[:, row, column] @ w[ki, kj]
    return y


def linear(J, shape):
    """The gradient of a linear J."""
    one, d = np.zeros(shape), np.empty(shape)
    for index in np.ndindex(*shape):
        one[index] = 1
        d[index] = J(one)
        one[index] = 0
    return d


@every_case
def test_forward_is_the_sum(x, w, windows, size):
    x, w, _ = arrays(x, w, size)
    np.testing.assert_allclose(mine.conv2d(x, w, windows, size), definition(x, w, windows, size), atol=1e-12)


@every_case
def test_gradients_are_those_of_the_sum(x, w, windows, size):
    x, w, g = arrays(x, w, size)
    dx = mine.conv2d_x(g, w, windows, x.shape[1:3])
    np.testing.assert_allclose(dx, linear(lambda x: np.sum(g * definition(x, w, windows, size)), x.shape), atol=1e-12)
    dw = mine.conv2d_w(x, g, windows, w.shape[:2])
    np.testing.assert_allclose(dw, linear(lambda w: np.sum(g * definition(x, w, windows, size)), w.shape), atol=1e-12)


@every_case
def test_a_pixel_sums_over_its_windows(x, w, windows, size):
    x, w, g = arrays(x, w, size)
    ones = np.ones_like(x)
    np.testing.assert_allclose(mine.bias_gradient(g), g.reshape(-1, g.shape[-1]).sum(axis=0), atol=1e-12)
    assert np.isclose(np.sum(mine.conv2d_x(g, w, windows, x.shape[1:3]) * ones),
                      np.sum(g * definition(ones, w, windows, size)))


@every_case
def test_the_family_is_closed(x, w, windows, size):
    """Gradients of conv2d_x and conv2d_w, by the sum they stand for."""
    x, w, g = arrays(x, w, size)
    rng = np.random.default_rng(1)
    u = rng.standard_normal(x.shape)
    dg, dw = mine.conv2d_x_backward(u, g, w, windows)
    np.testing.assert_allclose(dg, definition(u, w, windows, size), atol=1e-12)
    np.testing.assert_allclose(dw, linear(lambda w: np.sum(g * definition(u, w, windows, size)), w.shape), atol=1e-12)
    u = rng.standard_normal(w.shape)
    dx, dg = mine.conv2d_w_backward(u, x, g, windows)
    np.testing.assert_allclose(dg, definition(x, u, windows, size), atol=1e-12)
    np.testing.assert_allclose(dx, linear(lambda x: np.sum(g * definition(x, u, windows, size)), x.shape), atol=1e-12)
