"""Augmentation: fixed points, exact cases, SciPy as an oracle for the interpolation, shapes, ranges, dtypes."""
from functools import partial

import numpy as np
import pytest

from minigrad.data import augment, batches, mnist

X = np.random.default_rng(0).random((5, 7, 6, 3))
SQUARE = np.random.default_rng(1).random((4, 8, 8, 1))
COMPONENTS = augment.color_components(X)
RANDOM = {
    "shift": partial(augment.shift, pixels=2), "shift by parts": partial(augment.shift, pixels=2, whole=False),
    "rotate": augment.rotate, "scale": augment.scale, "stretch": augment.stretch, "flip": augment.flip,
    "crop": partial(augment.crop, size=(7, 6), pad=2),
    "elastic": augment.elastic, "color_jitter": augment.color_jitter,
    "pca_noise": partial(augment.pca_noise, components=COMPONENTS),
}
NOTHING = {                                             # the amount at which nothing happens
    "shift": partial(augment.shift, pixels=0), "shift by parts": partial(augment.shift, pixels=0, whole=False),
    "rotate": partial(augment.rotate, degrees=0), "scale": partial(augment.scale, factor=1),
    "stretch": partial(augment.stretch, factor=1),
    "flip": partial(augment.flip, p=0), "crop": partial(augment.crop, size=(7, 6)),
    "elastic": partial(augment.elastic, alpha=0),
    "color_jitter": partial(augment.color_jitter, brightness=0, contrast=0, saturation=0),
    "pca_noise": partial(augment.pca_noise, components=COMPONENTS, sigma=0),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_dtype_range_seed_and_no_change_of_the_input(name, dtype):
    x = X.astype(dtype)
    before = x.copy()
    y = RANDOM[name](x, rng=0)
    assert y.shape == x.shape and y.dtype == dtype and np.array_equal(x, before) and not np.shares_memory(x, y)
    assert y.min() >= 0 and y.max() <= 1 + 1e-6
    assert np.array_equal(y, RANDOM[name](x, rng=np.random.default_rng(0)))
    assert not np.array_equal(y, RANDOM[name](x, rng=1))
    assert RANDOM[name](x[:0], rng=0).shape == (0, *x.shape[1:])


@pytest.mark.parametrize("name", NOTHING)
def test_the_amount_at_which_nothing_happens(name):
    for x in (X, X.astype(np.float32)):
        assert np.allclose(NOTHING[name](x, rng=0), x, rtol=0, atol=2 * np.finfo(x.dtype).eps)
    if name != "color_jitter":                          # there grey + (x - grey) rounds
        assert np.array_equal(NOTHING[name](X, rng=0), X)


@pytest.mark.parametrize("name", ["shift", "rotate", "scale", "stretch", "flip", "elastic", "color_jitter"])
def test_each_image_is_drawn_on_its_own(name):
    same = np.repeat(X[:1], 12, axis=0)
    y = RANDOM[name](same, rng=0)
    assert len({one.tobytes() for one in y}) > (1 if name == "flip" else 5)


# --- exact cases

def test_whole_shifts_are_exact_and_agree_with_interpolation():
    y = augment.shift_by(X, 2, -1, fill=9.0)
    assert np.array_equal(y[:, 2:, :-1], X[:, :-2, 1:]) and (y[:, :2] == 9).all() and (y[:, :, -1] == 9).all()
    row, column = np.arange(7)[:, None] - 2.0, np.arange(6) + 1.0
    assert np.array_equal(augment.sample(X, row, column, fill=9.0), y)
    each = augment.shift_by(X, [0, 1, 2, -7, 100], [0, 0, -1, 0, 0])
    assert np.array_equal(each[0], X[0]) and np.array_equal(each[1, 1:], X[1, :-1]) and not each[3:].any()


def test_a_half_shift_is_the_mean_of_neighbours():
    y = augment.shift_by(X, 0, 0.5)
    assert np.allclose(y[:, :, 1:], (X[:, :, 1:] + X[:, :, :-1]) / 2) and np.allclose(y[:, :, 0], X[:, :, 0] / 2)


def test_turns_by_right_angles():
    for k in range(-3, 4):
        assert np.allclose(augment.rotate_by(SQUARE, 90 * k), np.rot90(SQUARE, k, axes=(1, 2)), atol=1e-12)
    odd = SQUARE[:, :7, :7]
    assert np.allclose(augment.rotate_by(odd, 37.0)[:, 3, 3], odd[:, 3, 3])               # the centre stays


def test_scaling_a_ramp_and_its_centre():
    ramp = np.broadcast_to((np.arange(9.0) - 4)[None, :, None, None], (2, 9, 9, 1)).copy()
    y = augment.scale_by(ramp, [2, 0.5])
    assert np.allclose(y[0], ramp[0] / 2) and np.allclose(y[1, 2:-2, 2:-2], 2 * ramp[1, 2:-2, 2:-2])
    assert (y[1, :1] == 0).all()


def test_interpolation_agrees_with_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(2)
    rows, columns = rng.uniform(-3, 10, size=(2, 5, 4, 9))
    y = augment.sample(X, rows, columns, fill=0.25)
    for i in range(5):
        for c in range(3):
            framed = np.pad(X[i, :, :, c], 5, constant_values=0.25)          # SciPy does not mix with what is outside
            expected = ndimage.map_coordinates(framed, [rows[i] + 5, columns[i] + 5], order=1)
            assert np.allclose(y[i, :, :, c], expected, atol=1e-12)


def test_the_gaussian_agrees_with_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(3).uniform(-1, 1, size=(28, 28))
    for sigma in (0.7, 4.0):
        expected = ndimage.gaussian_filter(noise, sigma, mode="constant", truncate=8)
        ours = augment._gaussian(28, sigma) @ noise @ augment._gaussian(28, sigma).T
        assert np.allclose(ours, expected, atol=1e-12)
    assert np.array_equal(augment._gaussian(5, 0), np.eye(5))


def test_elastic_displaces_as_far_and_as_smoothly_as_theory_says():
    """A ramp shows the displacement itself. Uniform noise (variance 1/3) through a Gaussian of sigma in the plane has
    the variance 1/3 / (4 pi sigma^2), and its slope that over 2 sigma^2."""
    ramp = np.broadcast_to(np.arange(96.0)[None, :, None, None], (100, 96, 96, 1)).copy()
    field = (augment.elastic(ramp, alpha=34, sigma=4, rng=0) - ramp)[:, 16:80, 16:80, 0]
    std = 34 / np.sqrt(3) / np.sqrt(4 * np.pi * 4**2)
    slope = std / np.sqrt(2 * 4**2)
    assert abs(field.std() / std - 1) < 0.05            # over 20 seeds the ratio is 1.001 +- 0.013
    assert abs(np.diff(field, axis=1).std() / slope - 1) < 0.05


def test_flips():
    assert np.array_equal(augment.flip(X, p=1), X[:, :, ::-1])
    assert np.array_equal(augment.flip(X, p=1, vertical=True), X[:, ::-1])
    many = np.repeat(X[:1], 400, axis=0)
    share = (augment.flip(many, rng=0)[:, 0, 0, 0] != X[0, 0, 0, 0]).mean()
    assert abs(share - 0.5) < 0.1


def test_crops_are_windows_of_the_image():
    y = augment.crop(X, 4, rng=0)
    assert y.shape == (5, 4, 4, 3)
    for one, image in zip(y, X):
        assert any(np.array_equal(one, image[i:i + 4, j:j + 4]) for i in range(4) for j in range(3))
    assert np.array_equal(augment.crop_at(X, [0, 1, 2, 3, 0], 1, (4, 5))[2], X[2, 2:6, 1:6])
    corners = {augment.crop(SQUARE[:1], 7, rng=seed).tobytes() for seed in range(60)}
    assert len(corners) == 4


def test_color_jitter_one_at_a_time():
    only = dict.fromkeys(("brightness", "contrast", "saturation"), 0.0)
    bright = augment.color_jitter(X, **{**only, "brightness": 0.5}, rng=0, clip=None)
    assert np.allclose(np.ptp(bright / X, axis=(1, 2, 3)), 0)
    contrast = augment.color_jitter(X, **{**only, "contrast": 0.5}, rng=0, clip=None)
    assert np.allclose(contrast.mean(axis=(1, 2, 3)), X.mean(axis=(1, 2, 3)))
    assert not np.allclose(contrast.std(axis=(1, 2, 3)), X.std(axis=(1, 2, 3)))
    saturation = augment.color_jitter(X, **{**only, "saturation": 0.5}, rng=0, clip=None)
    assert np.allclose(saturation.mean(axis=3), X.mean(axis=3)) and not np.allclose(saturation, X)
    grey = np.repeat(X[..., :1], 3, axis=3)
    assert np.allclose(augment.color_jitter(grey, **{**only, "saturation": 0.5}, rng=0), grey)
    assert augment.color_jitter(X, brightness=3, rng=0).max() == 1


def test_pca_noise_has_the_covariance_it_should():
    """alpha lambda along P: covariance sigma^2 P diag(lambda^2) P^T; 20,000 draws, 5 % at the largest entry."""
    values, vectors = COMPONENTS
    colours = X.reshape(-1, 3)
    assert np.allclose(vectors * values @ vectors.T, np.cov(colours.T))
    x = np.full((20_000, 1, 1, 3), 0.5)
    noise = augment.pca_noise(x, COMPONENTS, sigma=0.3, rng=0, clip=None)[:, 0, 0] - 0.5
    expected = 0.09 * vectors * values**2 @ vectors.T
    assert np.allclose(np.cov(noise.T), expected, atol=0.05 * expected.max())
    image = augment.pca_noise(X, COMPONENTS, rng=0, clip=None) - X
    assert np.allclose(image, image[:, :1, :1])         # one colour for a whole image


# --- put together

def test_compose_uses_one_generator():
    both = augment.compose(partial(augment.rotate, degrees=10), partial(augment.shift, pixels=1))
    rng = np.random.default_rng(0)
    assert np.array_equal(both(X, rng=0), augment.shift(augment.rotate(X, 10, rng=rng), 1, rng=rng))
    assert np.array_equal(augment.compose()(X), X)


def test_in_batches_on_real_digits():
    (x, y), _ = mnist()
    noisy = augment.compose(augment.rotate, augment.elastic, augment.shift)
    loop = batches(x[:64], y[:64], batch_size=32, rng=0, transform=noisy)
    for one, _ in loop:
        assert one.shape == (32, 28, 28, 1) and one.dtype == np.float32 and one.min() >= 0 and one.max() <= 1.0001
        assert 0.5 < one.mean() / x[:64].mean() < 1.5


def test_ten_crops_and_scales_and_their_average():
    crops = augment.ten_crops(X, (4, 5))
    assert len(crops) == 10 and all(crop.shape == (5, 4, 5, 3) for crop in crops)
    assert np.array_equal(crops[0], X[:, :4, :5]) and np.array_equal(crops[3], X[:, -4:, -5:])
    assert np.array_equal(crops[4], X[:, 1:5, 0:5]) and np.array_equal(crops[9], crops[4][:, :, ::-1])
    assert len(augment.ten_crops(X, 4, flips=False)) == 5
    views = augment.scales(X)
    assert len(views) == 5 and np.array_equal(views[2], X) and all(view.shape == X.shape for view in views)

    def predict(view):
        return view.mean(axis=(1, 2)).astype(np.float32)

    mean = augment.average(predict, crops)
    assert mean.shape == (5, 3) and mean.dtype == np.float32
    assert np.allclose(mean, np.mean([predict(crop) for crop in crops], axis=0), rtol=1e-6)
    five_by_ten = [crop for view in views for crop in augment.ten_crops(view, 5)]
    assert len(five_by_ten) == 50 and augment.average(predict, five_by_ten).shape == (5, 3)


@pytest.mark.parametrize("call, words", [
    (lambda: augment.shift(np.zeros((2, 784)), 1), r"shape \(2, 784\)"),
    (lambda: augment.rotate(np.zeros((2, 3, 3, 1), np.uint8)), "float32 or float64"),
    (lambda: augment.shift(X, -1), "pixels"), (lambda: augment.rotate(X, np.nan), "degrees"),
    (lambda: augment.scale(X, 0.5), r"\[1, inf\)"), (lambda: augment.scale_by(X, 0), "> 0"),
    (lambda: augment.flip(X, p=2), r"p must be a number in \[0, 1\]"), (lambda: augment.crop(X, 8), "does not fit"),
    (lambda: augment.crop_at(X, 4, 0, 4), "leaves"), (lambda: augment.elastic(X, sigma=-1), "sigma"),
    (lambda: augment.rotate_by(X, [1, 2]), "each of 5"), (lambda: augment.pca_noise(SQUARE, COMPONENTS), "channels"),
    (lambda: augment.average(None, []), "no views"), (lambda: augment.ten_crops(X, 0), "size must be an integer >= 1"),
    (lambda: augment.color_jitter(X, contrast=-0.1), "contrast")])
def test_misuse(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# --- sizes

SIZES = [(5, 7), (10, 12), (11, 3), (3, 4), (1, 1), (16, 5)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resizing_equals_pytorch(size, antialias, dtype):
    torch = pytest.importorskip("torch")
    x = X.astype(dtype)
    expected = torch.nn.functional.interpolate(torch.tensor(x).permute(0, 3, 1, 2), size, mode="bilinear",
                                               align_corners=False, antialias=antialias).permute(0, 2, 3, 1).numpy()
    y = augment.resize(x, size, antialias)
    assert y.dtype == dtype and y.flags.c_contiguous
    np.testing.assert_allclose(y, expected, atol=1e-6 if dtype is np.float32 else 1e-12)


@pytest.mark.parametrize("size", [(5, 7), (12, 15), (4, 3)])
def test_resizing_equals_pillow(size):
    image = pytest.importorskip("PIL.Image")
    x = X[0, :, :, 0].astype(np.float32)
    expected = np.asarray(image.fromarray(x, "F").resize(size[::-1], image.Resampling.BILINEAR))
    np.testing.assert_allclose(augment.resize(x[None, :, :, None], size)[0, :, :, 0], expected, atol=1e-6)


def test_resizing_keeps_constants_and_the_mean_of_whole_blocks():
    np.testing.assert_allclose(augment.resize(np.full((2, 9, 8, 1), 0.3), (4, 13)), 0.3, atol=1e-15)
    assert np.array_equal(augment.resize(X, X.shape[1:3]), X)
    assert augment.resize(X[:0], 3).shape == (0, 3, 3, 3)


def test_the_short_side_gets_the_length_and_the_proportions_stay():
    assert augment.resize_short_side(np.zeros((1, 20, 30, 1)), 10).shape == (1, 10, 15, 1)
    assert augment.resize_short_side(np.zeros((1, 31, 20, 1)), 30).shape == (1, 46, 30, 1)
    x = np.random.default_rng(0).random((2, 7, 9, 1))
    np.testing.assert_array_equal(augment.resize_short_side(x, 14), augment.resize(x, (14, 18)))


def test_stretching_is_scaling_of_each_axis_by_itself():
    np.testing.assert_allclose(augment.stretch_by(SQUARE, 1.3, 1.3), augment.scale_by(SQUARE, 1.3), atol=1e-15)
    y = augment.stretch_by(X, 2.0, 1.0)
    np.testing.assert_allclose(y[:, :, 2], augment.stretch_by(X[:, :, 2:3], 2.0, 1.0)[:, :, 0], atol=1e-15)
    ramp = np.tile(np.arange(8.0)[:, None, None], (1, 1, 6, 1))                # twice as high: half as steep
    np.testing.assert_allclose(augment.stretch_by(ramp, 2.0, 1.0)[0, :, 0, 0], (np.arange(8) - 3.5) / 2 + 3.5)
    with pytest.raises(ValueError, match="stretch_by: factors must be > 0"):
        augment.stretch_by(X, 0, 1)


def test_the_resnet_recipe_learns_from_windows_and_is_tested_on_fifty_views():
    x = np.random.default_rng(0).random((6, 12, 16, 3))
    transform, views = augment.resnet(size=8, learning=(9, 14), testing=(8, 9, 12, 15, 20))
    y = transform(x, rng=0)
    assert y.shape == (6, 8, 8, 3) and np.array_equal(y, transform(x, rng=0))
    assert not np.array_equal(y, transform(x, rng=1))
    found = views(x)
    assert len(found) == 50 and {view.shape for view in found} == {(6, 8, 8, 3)}
    expected = augment.ten_crops(augment.resize(x, (12, 16)), 8)
    for view, other in zip(found[20:30], expected):
        np.testing.assert_array_equal(view, other)
    np.testing.assert_allclose(augment.average(lambda view: view.mean((1, 2)), found),
                               np.mean([view.mean((1, 2)) for view in found], axis=0))
    assert len(augment.resnet(8, (9, 14), (8, 9), flips=False)[1](x)) == 10


def test_every_window_of_the_recipe_is_one_of_a_resized_image():
    x = np.random.default_rng(1).random((1, 6, 7, 1))
    transform, _ = augment.resnet(size=5, learning=(6, 7), testing=(5,), flips=False)
    windows = set()
    for length in (6, 7):
        big = augment.resize_short_side(x, length)
        places = np.ndindex(big.shape[1] - 4, big.shape[2] - 4)
        windows |= {big[:, i:i + 5, j:j + 5].tobytes() for i, j in places}
    drawn = {transform(x, rng=seed).tobytes() for seed in range(60)}
    assert drawn <= windows and len(drawn) > 10


@pytest.mark.parametrize("options", [{"size": 9, "learning": (8, 12)}, {"size": 8, "learning": (12, 9)},
                                     {"size": 8, "learning": (8, 9), "testing": (7,)}])
def test_a_recipe_that_cannot_be_is_refused(options):
    with pytest.raises(ValueError, match="resnet: wanted size <= learning"):
        augment.resnet(**{"testing": (16,), **options})
