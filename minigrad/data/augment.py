"""Augmentation: new examples made from old ones by changes that leave the class as it is; and averages at test time.

All take a batch x (n, h, w, c) and return a new one of the same dtype; x is left alone. Whatever is random is drawn for
each image on its own from rng. What comes into view from outside the image has the value `fill`. Functions that
interpolate (bilinear, between pixel centres) want float32 or float64.

    noisy = augment.compose(partial(augment.rotate, degrees=10), partial(augment.shift, pixels=2))
    for x, y in data.batches(x_train, y_train, batch_size=128, rng=0, transform=noisy): ...
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import random
from minigrad.arguments import count, number, pair
from minigrad.typing import Array, Pair, Random


def compose(*functions: Any) -> Callable[..., Any]:
    """f(x, rng=None) that applies the functions one after the other, each called f(x, rng=rng) with one generator."""
    def composed(x, rng=None):
        rng = random.generator(rng)
        for function in functions:
            x = function(x, rng=rng)
        return x

    return composed


# --- where pixels come from: the value at any place of the image

def sample(x: Array, rows: Array, columns: Array, fill: float = 0.0) -> Array:
    """Bilinear interpolation: out[i, a, b] = x[i] at the real place (rows[i, a, b], columns[i, a, b]); dtype of x.

    x (n, h, w, c); rows, columns broadcast to (n, a, b), whole numbers being pixel centres. Outside x is `fill`.
    """
    x = _images("sample", x, floats=True)
    n, h, w, c = x.shape
    framed = np.full((n, h + 2, w + 2, c), fill, x.dtype)
    framed[:, 1:-1, 1:-1] = x
    rows, columns = np.broadcast_arrays(np.clip(rows, -1, h) + 1.0, np.clip(columns, -1, w) + 1.0)
    top, left = np.minimum(rows.astype(np.intp), h), np.minimum(columns.astype(np.intp), w)
    down, right = (rows - top).astype(x.dtype)[..., None], (columns - left).astype(x.dtype)[..., None]
    pixels = framed.reshape(-1, c)
    at = (np.arange(n)[:, None, None] * (h + 2) + top) * (w + 2) + left
    upper = pixels[at] * (1 - right) + pixels[at + 1] * right
    lower = pixels[at + w + 2] * (1 - right) + pixels[at + w + 3] * right
    return upper * (1 - down) + lower * down


def _linear_map(x, matrix, fill):
    """Each output pixel p, counted from the image's centre, is taken from the place matrix p. matrix (n, 2, 2)"""
    _, h, w, _ = x.shape
    row, column = np.arange(h)[:, None] - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    m = matrix[:, :, :, None, None]
    return sample(x, m[:, 0, 0] * row + m[:, 0, 1] * column + (h - 1) / 2,
                  m[:, 1, 0] * row + m[:, 1, 1] * column + (w - 1) / 2, fill)


# --- geometry: exact amounts (..._by) and random ones

def shift_by(x: Array, down: Array, right: Array, fill: float = 0.0) -> Array:
    """Move each image; down, right: pixels, one number or one per image. Whole numbers move exactly, others between."""
    x = _images("shift_by", x)
    n, h, w, _ = x.shape
    down, right = _per_image("shift_by", down, n), _per_image("shift_by", right, n)
    rows, columns = np.arange(h)[:, None] - down[:, None, None], np.arange(w) - right[:, None, None]
    if not (np.all(down == np.round(down)) and np.all(right == np.round(right))):
        return sample(x, rows, columns, fill)
    rows, columns = rows.astype(np.intp), columns.astype(np.intp)
    inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
    moved = x[np.arange(n)[:, None, None], rows.clip(0, h - 1), columns.clip(0, w - 1)]
    moved[~inside] = fill
    return moved


def shift(x: Array, pixels: int = 2, rng: Random = None, fill: float = 0.0, whole: bool = True) -> Array:
    """Move each image by up to `pixels` in both directions: whole numbers, or (whole=False) any."""
    n, rng = len(_images("shift", x)), random.generator(rng)
    _amounts("shift", pixels=pixels)
    draw = rng.integers(-int(pixels), int(pixels) + 1, size=(2, n)) if whole else rng.uniform(-pixels, pixels, (2, n))
    return shift_by(x, *draw, fill)


def rotate_by(x: Array, degrees: Array, fill: float = 0.0) -> Array:
    """Turn each image about its centre, counterclockwise; degrees: one number or one per image."""
    x = _images("rotate_by", x, floats=True)
    angle = np.deg2rad(_per_image("rotate_by", degrees, len(x)))
    cos, sin = np.cos(angle), np.sin(angle)
    return _linear_map(x, np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2), fill)


def rotate(x: Array, degrees: float = 10.0, rng: Random = None, fill: float = 0.0) -> Array:
    """Turn each image by up to `degrees` either way."""
    n, rng = len(_images("rotate", x, floats=True)), random.generator(rng)
    _amounts("rotate", degrees=degrees)
    return rotate_by(x, rng.uniform(-degrees, degrees, size=n), fill)


def scale_by(x: Array, factor: Any, fill: float = 0.0) -> Array:
    """Enlarge each image about its centre (factor < 1: reduce) within its frame; one factor or one per image."""
    x = _images("scale_by", x, floats=True)
    factor = _per_image("scale_by", factor, len(x))
    if not (factor > 0).all():
        raise ValueError(f"scale_by: factors must be > 0, got {factor.min()}")
    return _linear_map(x, np.eye(2) / factor[:, None, None], fill)


def scale(x: Array, factor: Any = 1.1, rng: Random = None, fill: float = 0.0) -> Array:
    """Enlarge or reduce each image by up to `factor` >= 1 (log-uniform between 1/factor and factor)."""
    n, rng = len(_images("scale", x, floats=True)), random.generator(rng)
    number("scale", "factor", factor, "[1, inf)")
    return scale_by(x, np.exp(rng.uniform(-np.log(factor), np.log(factor), size=n)), fill)


def stretch_by(x: Array, down: Any, right: Any, fill: float = 0.0) -> Array:
    """Stretch each image about its centre within its frame, by one factor for its height (down) and one for its width
    (right), each one number or one per image; factors below 1 squeeze."""
    x = _images("stretch_by", x, floats=True)
    factors = np.stack([_per_image("stretch_by", factor, len(x)) for factor in (down, right)], axis=-1)
    if not (factors > 0).all():
        raise ValueError(f"stretch_by: factors must be > 0, got {factors.min()}")
    return _linear_map(x, np.eye(2) / factors[:, :, None], fill)


def stretch(x: Array, factor: Any = 1.1, rng: Random = None, fill: float = 0.0) -> Array:
    """Stretch or squeeze each image by up to `factor` >= 1 in height and, independently, in width (log-uniform between
    1/factor and factor)."""
    n, rng = len(_images("stretch", x, floats=True)), random.generator(rng)
    number("stretch", "factor", factor, "[1, inf)")
    return stretch_by(x, *np.exp(rng.uniform(-np.log(factor), np.log(factor), size=(2, n))), fill)


def flip(x: Array, rng: Random = None, p: float = 0.5, vertical: bool = False) -> Array:
    """Mirror each image left to right (vertical: top to bottom) with probability p.

    Wrong for digits and letters: a mirrored 2 is no 2, and 6 and 9 look alike upside down.
    """
    x, rng = _images("flip", x), random.generator(rng)
    number("flip", "p", p, "[0, 1]")
    mirrored = x[:, ::-1] if vertical else x[:, :, ::-1]
    return np.where(rng.random(len(x))[:, None, None, None] < p, mirrored, x)


def crop_at(x: Array, top: Any, left: Any, size: Pair) -> Array:
    """The window of size (height, width) or one number, whose corner is at (top, left); one place or one per image."""
    x = _images("crop_at", x)
    n, h, w, _ = x.shape
    height, width = _window("crop_at", x, size)
    top, left = (_per_image("crop_at", place, n).astype(np.intp)[:, None, None] for place in (top, left))
    if n and (top.min() < 0 or left.min() < 0 or top.max() > h - height or left.max() > w - width):
        corners = f"({top.min()}..{top.max()}, {left.min()}..{left.max()})"
        raise ValueError(f"crop_at: a window of {(height, width)} at {corners} leaves images of {(h, w)}")
    return x[np.arange(n)[:, None, None], top + np.arange(height)[:, None], left + np.arange(width)]


def crop(x: Array, size: Pair, rng: Random = None, pad: int = 0, fill: float = 0.0) -> Array:
    """A random window of each image, after adding `pad` pixels of `fill` on all sides."""
    x, rng = _images("crop", x), random.generator(rng)
    if count("crop", "pad", pad, 0):
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)), constant_values=fill)
    n, h, w, _ = x.shape
    height, width = _window("crop", x, size)
    return crop_at(x, rng.integers(0, h - height + 1, size=n), rng.integers(0, w - width + 1, size=n), size)


def resize(x: Array, size: Pair, antialias: bool = True) -> Array:
    """The images at another size (height, width) or one number, bilinear: (n, h, w, c) -> (n, height, width, c).

    The corners of the images stay corners. antialias: where an axis shrinks, each new pixel is a mean of all that it
    covers (a triangle as wide as two new pixels), as Pillow and other programs have it; without, of the two nearest
    ones, which leaves out pixels and lets fine patterns come out as coarse ones.
    """
    x = _images("resize", x, floats=True)
    height, width = pair("resize", "size", size)
    if 0 in x.shape[1:3]:
        raise ValueError(f"resize: images without pixels, {x.shape}")
    rows, columns = (_resampling(new, old, antialias).astype(x.dtype) for new, old in zip((height, width), x.shape[1:]))
    y = np.tensordot(rows, x, (1, 1))                                    # (height, n, w, c)
    return np.ascontiguousarray(np.tensordot(columns, y, (1, 2)).transpose(2, 1, 0, 3))


def _resampling(new, old, antialias):
    """(new, old) matrix of rows that sum to 1: the weight of each old pixel in each new one"""
    wide = max(old / new, 1) if antialias else 1
    places = (np.arange(new) + 0.5) * (old / new) - 0.5
    if not antialias:
        places = places.clip(0, old - 1)
    weights = np.maximum(1 - np.abs(np.arange(old) - places[:, None]) / wide, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def resize_short_side(x: Array, length: int, antialias: bool = True) -> Array:
    """`resize` to a short side of so many pixels, the proportions kept (the long side to the nearest pixel)."""
    x, length = _images("resize_short_side", x, floats=True), count("resize_short_side", "length", length)
    short = max(min(x.shape[1:3]), 1)
    height, width = (max(length, round(side * length / short)) for side in x.shape[1:3])
    return resize(x, (height, width), antialias)


def elastic(x: Array, alpha: float = 34.0, sigma: float = 4.0, rng: Random = None, fill: float = 0.0) -> Array:
    """Elastic distortion (Simard, Steinkraus, Platt 2003): every pixel is displaced by a smooth random field.

    The field is uniform noise in [-1, 1], smoothed by a Gaussian of `sigma` pixels, times `alpha`. Their values for
    MNIST are the defaults. alpha=0 changes nothing.
    Differs: they also normalize the smoothed field, in words that leave open how; here, as is usual, it is not.
    """
    x, rng = _images("elastic", x, floats=True), random.generator(rng)
    _amounts("elastic", alpha=alpha, sigma=sigma)
    n, h, w, _ = x.shape
    noise = rng.uniform(-1, 1, size=(2, n, h, w))
    down, right = alpha * (_gaussian(h, sigma) @ noise @ _gaussian(w, sigma).T)
    return sample(x, np.arange(h)[:, None] + down, np.arange(w) + right, fill)


def _gaussian(size, sigma):
    """(size, size) matrix that smooths a vector; what lies outside counts as zero"""
    if sigma == 0:
        return np.eye(size)
    bell = np.exp(-0.5 * (np.arange(1 - size, size) / sigma) ** 2)
    far = np.arange(1, int(8 * sigma) + 2)
    whole = 1 + 2 * np.exp(-0.5 * (far / sigma) ** 2).sum()
    return bell[np.arange(size)[:, None] - np.arange(size) + size - 1] / whole


# --- colour

def color_jitter(x: Array, brightness: float = 0.2, contrast: float = 0.2, saturation: float = 0.2, rng: Random = None,
                 clip: tuple[float, float] | None = (0.0, 1.0)) -> Array:
    """Change each image's brightness, contrast and saturation by a factor from 1 - a to 1 + a, in this order.

    Brightness multiplies all; contrast stretches around the image's mean grey; saturation around each pixel's grey (the
    mean of its channels; no effect on one channel). The result is clipped to `clip` (None: not).
    """
    x, rng = _images("color_jitter", x, floats=True), random.generator(rng)
    _amounts("color_jitter", brightness=brightness, contrast=contrast, saturation=saturation)
    factors = [rng.uniform(1 - a, 1 + a, size=(len(x), 1, 1, 1)).astype(x.dtype)
               for a in (brightness, contrast, saturation)]
    y = x * factors[0]
    grey = y.mean(axis=(1, 2, 3), keepdims=True)
    y = grey + factors[1] * (y - grey)
    grey = y.mean(axis=3, keepdims=True)
    y = grey + factors[2] * (y - grey)
    return y if clip is None else y.clip(*clip)


def color_components(x: Array) -> Any:
    """Principal components of the colours of a training set x (m, h, w, c): (lambda (c,), P (c, c) columns)."""
    x = _images("color_components", x, floats=True)
    return np.linalg.eigh(np.atleast_2d(np.cov(x.reshape(-1, x.shape[-1]), rowvar=False, dtype=np.float64)))


def pca_noise(x: Array, components: Any, sigma: float = 0.1, rng: Random = None,
              clip: tuple[float, float] | None = (0.0, 1.0)) -> Array:
    """Colour noise along the principal components (Krizhevsky, Sutskever, Hinton 2012, section 4.1).

    To every pixel of an image is added P (alpha * lambda), alpha (c,) normal with standard deviation sigma.
    components: `color_components(x_train)`. Differs: clipped to `clip` (None: not, as in the paper).
    """
    x, rng = _images("pca_noise", x, floats=True), random.generator(rng)
    _amounts("pca_noise", sigma=sigma)
    values, vectors = components
    if np.shape(vectors) != (x.shape[-1], x.shape[-1]):
        raise ValueError(f"pca_noise: components of {np.shape(vectors)[0]} channels, images of {x.shape[-1]}")
    noise = (rng.normal(0, sigma, size=(len(x), x.shape[-1])) * values) @ np.transpose(vectors)
    y = x + noise[:, None, None, :].astype(x.dtype)
    return y if clip is None else y.clip(*clip)


# --- at test time: several views of each image, their predictions averaged

def ten_crops(x: Array, size: Pair, flips: bool = True) -> list[Array]:
    """The windows in the four corners and in the middle, and their mirror images: list of 10 (flips=False: 5) batches.

    Mirror images are wrong for digits and letters: use flips=False there.
    """
    x = _images("ten_crops", x)
    height, width = _window("ten_crops", x, size)
    down, right = x.shape[1] - height, x.shape[2] - width
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    crops = [x[:, top:top + height, left:left + width].copy() for top, left in places]
    return crops + [one[:, :, ::-1].copy() for one in crops if flips]


def scales(x: Array, factors: Sequence[float] = (0.9, 0.95, 1.0, 1.05, 1.1), fill: float = 0.0) -> list[Array]:
    """The images at several scales about their centre, all of the same size in pixels: list of batches."""
    return [scale_by(x, factor, fill) for factor in factors]


def average(predict: Callable[[Any], Any], views: Callable[[Any], Any]) -> Array:
    """Mean of predict(view) over the views (`ten_crops`, `scales`, or a list of your own): average probabilities.

    predict: batch -> array (n, k); give probabilities, not logits. The mean is taken in float64, the dtype kept.
    """
    predictions = [np.asarray(predict(view)) for view in views]
    if not predictions:
        raise ValueError("average: there are no views")
    return np.mean(predictions, axis=0, dtype=np.float64).astype(predictions[0].dtype)


def resnet(size: int = 224, learning: Pair = (256, 480), testing: Sequence[int] = (224, 256, 384, 480, 640),
           flips: bool = True) -> tuple[Callable[..., Array], Callable[[Array], list[Array]]]:
    """The recipe of the course notes (He et al. 2016): (transform for learning, views for testing).

        transform, views = augment.resnet(size=24, learning=(26, 36), testing=(24, 28, 32, 36, 40))
        for x, y in data.batches(x_train, y_train, batch_size=128, rng=0, transform=transform): ...
        p = augment.average(predict, views(x_test))

    transform(x, rng=None): each image's short side is resized to a length drawn from `learning` (both ends included),
    then a random window of size x size is cut out, mirrored in half of the cases. views(x): for every short side in
    `testing` the `ten_crops` (flips=False: five): 50 batches of (n, size, size, c). The defaults are those of
    photographs. flips=False: no mirror images, as digits and letters want it.
    Differs: the notes do not mirror while learning, the paper does; they write 224 x 244 once, and mean 224.
    """
    size, (shortest, longest) = count("resnet", "size", size), pair("resnet", "learning", learning)
    sides = [count("resnet", "testing", side) for side in testing]
    if shortest > longest or size > min(shortest, *sides):
        raise ValueError("resnet: wanted size <= learning[0] <= learning[1], and size <= every side in testing, got "
                         f"size {size}, learning {learning}, testing {testing}")

    def transform(x: Array, rng: Random = None) -> Array:
        x, rng = _images("resnet", x, floats=True), random.generator(rng)
        drawn = rng.integers(shortest, longest + 1, size=len(x))
        y = np.empty((len(x), size, size, x.shape[3]), x.dtype)
        for length in np.unique(drawn):
            rows = drawn == length
            y[rows] = crop(resize_short_side(x[rows], int(length)), size, rng)
        return flip(y, rng) if flips else y

    def views(x: Array) -> list[Array]:
        return [view for side in sides for view in ten_crops(resize_short_side(x, side), size, flips)]

    return transform, views


# --- checks

def _images(function, x, floats=False):
    x = np.asarray(x)
    if x.ndim != 4:
        raise ValueError(f"{function}: wanted images (n, h, w, c), got shape {x.shape}")
    if floats and x.dtype not in (np.float32, np.float64):
        raise ValueError(f"{function}: wanted float32 or float64 images, got {x.dtype}")
    return x


def _per_image(function, value, n):
    value = np.asarray(value, dtype=np.float64)
    if value.shape not in ((), (n,)) or not np.isfinite(value).all():
        raise ValueError(f"{function}: wanted one finite number or one for each of {n} images, got shape {value.shape}")
    return np.broadcast_to(value, (n,))


def _window(function, x, size):
    height, width = pair(function, "size", size)
    if height > x.shape[1] or width > x.shape[2]:
        raise ValueError(f"{function}: a window of {(height, width)} does not fit into images of {x.shape[1:3]}")
    return height, width


def _amounts(function, **values):
    for name, value in values.items():
        number(function, name, value, "[0, inf)")
