"""Pooling kernels: the NumPy twins against direct loops, the compiled kernels against the twins bit for bit."""
import itertools

import numpy as np
import pytest

from minigrad import kernels

BAND = 64                                          # guard numbers on both sides of an output
compiled = pytest.mark.skipif(kernels.TWINS["avg_pool2d"].compiled is None, reason="pool is not compiled")


def windows(rng, length):
    """Window bounds within [0, length): 2 x 2 tiles, sliding ones cut at the border, or any at all."""
    kind = rng.integers(3)
    if kind == 0 and length > 1:
        start = 2 * np.arange(length // 2)
        return np.stack([start, start + 2], axis=1)
    if kind == 1:
        size, stride = rng.integers(1, 5, 2)
        start = np.arange(-(size // 2), length - size // 2, stride)
        return np.stack([np.maximum(start, 0), np.minimum(start + size, length)], axis=1)
    first = np.sort(rng.integers(0, length, rng.integers(0, 6)))
    return np.stack([first, np.minimum(first + rng.integers(1, 4, len(first)), length)], axis=1)


def draw(rng, dtype):
    n, h, w, c = rng.integers(0, 4), *rng.integers(1, 14, 2), rng.choice([1, 2, 3, 7, 8, 16, 19, 33])
    x = rng.standard_normal((n, h, w, c)).astype(dtype)
    if rng.integers(3) == 0:
        x = np.round(x)                            # ties
    if rng.integers(5) == 0:
        x[rng.random(x.shape) < 0.1] = np.nan
    rows, columns = windows(rng, h), windows(rng, w)
    g = rng.standard_normal((n, len(rows), len(columns), c)).astype(dtype)
    return x, g, rows, columns


def guarded(shape, dtype):
    size = int(np.prod(shape))
    block = np.full(size + 2 * BAND, 7, dtype)
    return block[BAND:BAND + size].reshape(shape), block


def run(which, x, g, rows, columns):
    f = {name: getattr(kernels.TWINS[name], which) for name in kernels.TWINS}
    outputs = [guarded(shape, dtype) for shape, dtype in (
        (g.shape, x.dtype), (g.shape, np.int32), (x.shape, x.dtype), (g.shape, x.dtype), (g.shape, x.dtype),
        (x.shape, x.dtype))]
    y, index, dx, taken, mean, dmean = [array for array, _ in outputs]
    f["max_pool2d"](x, rows, columns, y, index)
    f["max_pool2d_x"](g, index, rows, columns, dx)
    f["max_pool2d_take"](2 * x, index, rows, columns, taken)
    f["avg_pool2d"](x, rows, columns, 0.25, mean)
    f["avg_pool2d_x"](g, rows, columns, 0.25, dmean)
    for _, block in outputs:
        assert (block[:BAND] == 7).all() and (block[-BAND:] == 7).all()
    return y, index, dx, taken, mean, dmean


def test_twins_equal_direct_loops():
    rng = np.random.default_rng(1)
    for _ in range(40):
        x, g, rows, columns = draw(rng, np.float64)
        y, index, dx, taken, mean, dmean = run("numpy", x, g, rows, columns)
        want_dx, want_dmean = np.zeros_like(x), np.zeros_like(x)
        for n, i, j, c in itertools.product(*map(range, g.shape)):
            best, place, total = None, None, 0.0
            for r, s in itertools.product(range(*rows[i]), range(*columns[j])):
                value = x[n, r, s, c]
                if best is None or (best == best and (value > best or value != value)):
                    best, place = value, (r, s)
                total += value / 4
                want_dmean[n, r, s, c] += g[n, i, j, c] / 4
            np.testing.assert_equal(y[n, i, j, c], best)
            assert index[n, i, j, c] == np.ravel_multi_index((*place, c), x.shape[1:])
            np.testing.assert_equal(taken[n, i, j, c], 2 * best)
            np.testing.assert_allclose(mean[n, i, j, c], total, rtol=1e-12, atol=1e-12)
            want_dx[n, *place, c] += g[n, i, j, c]
        np.testing.assert_allclose(dx, want_dx, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(dmean, want_dmean, rtol=1e-12, atol=1e-12)


def agree(seed, cases):
    rng = np.random.default_rng(seed)
    for case in range(cases):
        dtype = (np.float32, np.float64)[case % 2]
        args = draw(rng, dtype)
        before = [a.tobytes() for a in args]
        got, want = run("compiled", *args), run("numpy", *args)
        for a, b in zip(got[:4], want[:4]):
            np.testing.assert_array_equal(a, b)          # moves and one sum in the same order: equal
        u = np.finfo(dtype).eps
        for a, b in zip(got[4:], want[4:]):
            np.testing.assert_allclose(a, b, rtol=20 * u, atol=100 * u)
        assert before == [a.tobytes() for a in args]


@compiled
def test_compiled_equals_twin():
    agree(2, 500)


@compiled
@pytest.mark.long
def test_compiled_equals_twin_5000():
    agree(3, 5000)


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_threads(dtype):
    rng = np.random.default_rng(4)
    for h, w, size in ((28, 28, 2), (29, 27, 2), (30, 30, 3)):
        x = rng.standard_normal((13, h, w, 16)).astype(dtype)
        rows, columns = (np.stack([np.arange(n // 2) * 2, np.minimum(np.arange(n // 2) * 2 + size, n)], 1)
                         for n in (h, w))
        g = rng.standard_normal((13, len(rows), len(columns), 16)).astype(dtype)
        results = []
        for n in (1, 2, 3, 4):
            kernels.set_num_threads(n)
            results.append([a.tobytes() for a in run("compiled", x, g, rows, columns)])
        assert all(r == results[0] for r in results)


@compiled
def test_ties_and_nan():
    f = kernels.TWINS["max_pool2d"].compiled
    rows = np.array([[0, 2]])
    nan, inf = np.nan, np.inf
    for values, want, place in (([[3, 3], [3, 3]], 3, 0), ([[1, 3], [3, 2]], 3, 1),
                                ([[1, 9], [nan, inf]], nan, 2),
                                ([[-inf] * 2] * 2, -inf, 0), ([[nan, 1], [nan, 5]], nan, 0)):
        for c in (1, 16, 19):
            x = np.repeat(np.array(values, np.float32)[None, :, :, None], c, axis=3)
            y, index = np.empty((1, 1, 1, c), np.float32), np.empty((1, 1, 1, c), np.int32)
            f(x, rows, rows, y, index)
            np.testing.assert_array_equal(y.ravel(), np.full(c, want, np.float32))
            assert (index.ravel() == place * c + np.arange(c)).all()


@compiled
def test_wrong_arguments_are_refused():
    f = kernels.TWINS["max_pool2d"].compiled
    x, y, index = np.ones((2, 4, 4, 3), "f"), np.full((2, 2, 2, 3), 7, "f"), np.zeros((2, 2, 2, 3), np.int32)
    r = np.array([[0, 2], [2, 4]])
    for bad in ((x, r + 1, r, y, index), (x, r - 1, r, y, index), (x, r[:, ::-1].copy(), r, y, index),
                (x, r.astype(np.int32), r, y, index), (x, r[:1], r, y, index), (x, r, r, y, index.astype(np.int64)),
                (x, r, r, y.astype("d"), index), (x[:, :, ::-1], r, r, y, index), (x, r, r, y, index[:1]),
                (x, r, np.zeros((2, 3), np.int64), y, index), (None, r, r, y, index)):
        with pytest.raises(ValueError):
            f(*bad)
    assert (y == 7).all()
    for empty in ([1, 1], [2, 1], [0, 0], [4, 4]):       # a window has an entry, in every kernel
        two = np.array([[0, 2], empty])
        for which in ((two, r), (r, two)):
            for name, arguments in (("max_pool2d", (x, *which, y, index)), ("max_pool2d_x", (y, index, *which, x)),
                                    ("max_pool2d_take", (x, index, *which, y)), ("avg_pool2d", (x, *which, 0.5, y)),
                                    ("avg_pool2d_x", (y, *which, 0.5, x))):
                with pytest.raises(ValueError, match="(rows|columns) must be non-empty windows"):
                    kernels.TWINS[name].compiled(*arguments)
    assert (y == 7).all() and (x == 1).all()
    for name in ("max_pool2d_x", "max_pool2d_take"):     # a place outside the image, where no window rules it out
        g = kernels.TWINS[name].compiled
        overlapping = np.array([[0, 3], [1, 4]])
        for place in (-1, 48):
            a, b = (y, x) if name == "max_pool2d_x" else (x, y)
            with pytest.raises(ValueError, match="index must be within"):
                g(a, np.full_like(index, place), overlapping, overlapping, b)
