"""conv2d, conv2d_x, conv2d_w: the NumPy twins against direct loops, the compiled kernels against the twins."""
import itertools

import numpy as np
import pytest

from minigrad import kernels

NAMES = ("conv2d", "conv2d_x", "conv2d_w")
compiled = pytest.mark.skipif(kernels.TWINS["conv2d"].compiled is None, reason="conv is not compiled")
BAND = 64                                          # guard numbers on both sides of an output


def draw(rng, small):
    """Sizes of a convolution: x, w, y shapes and the windows."""
    while True:
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        depth = int(rng.integers(1, 4 if small else 20))
        columns = int(rng.integers(1, 4)) if small else int(rng.choice([1, 3, 8, 16, 17, 32, 33, 40, 64]))
        n = int(rng.integers(0, 4))
        h, w = int(rng.integers(1, 8 if small else 20)), int(rng.integers(1, 8 if small else 34))
        kh, kw = rng.integers(1, 6, 2).tolist()
        sh, sw = rng.integers(1, 4, 2).tolist()
        dh, dw = rng.choice([1, 1, 2, 3], 2).tolist()
        top, bottom, left, right = rng.integers(0, 4, 4).tolist()
        oh, ow = (h + top + bottom - dh * (kh - 1) - 1) // sh + 1, (w + left + right - dw * (kw - 1) - 1) // sw + 1
        if oh > 0 and ow > 0:
            return ((n, h, w, groups * depth), (kh, kw, depth, groups * columns), (n, oh, ow, groups * columns),
                    (sh, sw, top, left, dh, dw, groups))


def guarded(shape, dtype):
    """An array of 7s with BAND numbers of 7 on both sides of it, and the whole block."""
    size = int(np.prod(shape))
    block = np.full(size + 2 * BAND, 7, dtype)
    return block[BAND:BAND + size].reshape(shape), block


def run(which, x, w, b, g, windows, add, guard=False):
    """y, dx, dw, db of the twins ("numpy") or the compiled kernels; outputs start as 7."""
    f = {name: getattr(kernels.TWINS[name], which) for name in NAMES}
    blocks = [guarded(shape, x.dtype) for shape in (g.shape, x.shape, w.shape, b.shape)]
    y, dx, dw, db = [array for array, _ in blocks]
    f["conv2d"](x, w, b if add else None, y, windows)
    f["conv2d_x"](g, w, dx, windows)
    f["conv2d_w"](x, g, dw, db, windows, add, not add)
    for _, block in blocks:
        assert (block[:BAND] == 7).all() and (block[-BAND:] == 7).all()
    return y, dx, dw, db


def arrays(rng, x, w, y, dtype):
    return [rng.standard_normal(shape).astype(dtype) for shape in (x, w, (w[3],), y)]


def test_twins_equal_direct_loops():
    rng = np.random.default_rng(1)
    for case in range(12):
        sx, sw, sy, windows = draw(rng, small=True)
        x, w, b, g = arrays(rng, sx, sw, sy, np.float64)
        stride_h, stride_w, top, left, dilation_h, dilation_w, groups = windows
        add = case % 2
        y = np.zeros(sy) + (b if add else 0)
        dx, dw = np.zeros(sx), np.full(sw, 7.0 if add else 0.0)
        depth, columns = sw[2], sw[3] // groups
        for n, i, j, o, ki, kj, d in itertools.product(*map(range, (*sy, *sw[:3]))):
            r, s = i * stride_h + ki * dilation_h - top, j * stride_w + kj * dilation_w - left
            if 0 <= r < sx[1] and 0 <= s < sx[2]:
                c = o // columns * depth + d
                y[n, i, j, o] += x[n, r, s, c] * w[ki, kj, d, o]
                dx[n, r, s, c] += g[n, i, j, o] * w[ki, kj, d, o]
                dw[ki, kj, d, o] += x[n, r, s, c] * g[n, i, j, o]
        db = g.sum((0, 1, 2)) + (0 if add else 7)
        for got, want in zip(run("numpy", x, w, b, g, windows, add), (y, dx, dw, db)):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def agree(rng, cases):
    for case in range(cases):
        sx, sw, sy, windows = draw(rng, small=case % 3 == 0)
        for dtype, u in ((np.float32, 2.0**-24), (np.float64, 2.0**-53)):
            args = arrays(rng, sx, sw, sy, dtype)
            before = [a.tobytes() for a in args]
            got = run("compiled", *args, windows, case % 2)
            want = run("numpy", *[a.astype(np.float64) for a in args], windows, case % 2)
            bound = run("numpy", *[np.abs(a).astype(np.float64) for a in args], windows, case % 2)
            terms = (sw[0] * sw[1] * sw[2] + 1, sw[0] * sw[1] * sw[3] + 1, sy[0] * sy[1] * sy[2] + 1)
            for a, c, most, k in zip(got, want, bound, (*terms, terms[2])):
                assert (np.abs(a - c) <= 2 * k * u * most + 1e-300).all()      # |c - ref| <= 2 k u (|A| |B|)
            assert before == [a.tobytes() for a in args]


@compiled
def test_compiled_equals_twin():
    agree(np.random.default_rng(2), 250)


@compiled
@pytest.mark.long
def test_compiled_equals_twin_5000():
    agree(np.random.default_rng(3), 2500)


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_threads(dtype):
    rng = np.random.default_rng(4)
    for sx, sw, windows in (((9, 20, 17, 8), (3, 5, 8, 24), (1, 1, 1, 2, 1, 1, 1)),
                            ((1, 40, 40, 12), (5, 3, 4, 36), (1, 1, 2, 1, 1, 1, 3)),
                            ((33, 28, 28, 1), (5, 5, 1, 16), (1, 1, 2, 2, 1, 1, 1)),
                            ((7, 31, 30, 8), (3, 3, 8, 48), (2, 2, 1, 1, 1, 1, 1))):
        oh = (sx[1] + 2 * windows[2] - sw[0]) // windows[0] + 1
        ow = (sx[2] + 2 * windows[3] - sw[1]) // windows[1] + 1
        args = arrays(rng, sx, sw, (sx[0], oh, ow, sw[3]), dtype)
        results = []
        for n in (1, 2, 3, 4):
            kernels.set_num_threads(n)
            results.append([a.tobytes() for a in run("compiled", *args, windows, 1)])
        assert all(r == results[0] for r in results)


@compiled
def test_one_image_gives_the_same_bits_as_in_a_batch():
    rng = np.random.default_rng(5)
    x, w, b, g = arrays(rng, (5, 11, 13, 6), (3, 3, 6, 20), (5, 11, 13, 20), np.float32)
    windows = (1, 1, 1, 1, 1, 1, 1)
    y, dx, _, _ = run("compiled", x, w, b, g, windows, 1)
    for i in range(5):
        yi, dxi, _, _ = run("compiled", x[i:i + 1], w, b, g[i:i + 1], windows, 1)
        assert yi.tobytes() == y[i].tobytes() and dxi.tobytes() == dx[i].tobytes()


@compiled
def test_what_lies_outside_the_image_is_not_multiplied():
    """0 times an infinite weight would be NaN. All numbers are positive: y, dx, dw are infinite where one of the terms
    of their sum is, which the twins count, and NaN nowhere; whichever thread computes them."""
    rng = np.random.default_rng(8)
    for case in range(60):
        sx, sw, sy, windows = draw(rng, small=case % 3 == 0)
        for dtype in (np.float32, np.float64):
            x, w, b, g = [np.abs(a) for a in arrays(rng, sx, sw, sy, dtype)]
            w[rng.random(w.shape) < 1 / w.size**0.5] = np.inf
            infinite_g = np.where(rng.random(g.shape) < 1 / (g.size + 1)**0.5, np.inf, g).astype(dtype)
            results = []
            for count in (1, 3):
                kernels.set_num_threads(count)
                y, dx, _, _ = run("compiled", x, w, b, g, windows, case % 2)
                _, _, dw, _ = run("compiled", x, w, b, infinite_g, windows, 0)
                results.append([a.tobytes() for a in (y, dx, dw)])
            assert results[0] == results[1]
            ones, none = [np.ones(shape) for shape in (sx, sw, sy)], np.zeros(sw[3])
            met, met_x, _, _ = run("numpy", ones[0], np.isinf(w) * 1.0, none, ones[2], windows, 0)
            _, _, met_w, _ = run("numpy", ones[0], ones[1], none, np.isinf(infinite_g) * 1.0, windows, 0)
            for got, terms in ((y, met), (dx, met_x), (dw, met_w)):
                np.testing.assert_array_equal(np.isinf(got), terms > 0)
                assert not np.isnan(got).any()


@compiled
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", range(1, 7))
def test_the_gradient_of_x_behind_every_stride(stride, dilation):
    """A stride of s leaves s x s phases, some of them without an entry of w; a dilation may leave others out."""
    rng = np.random.default_rng([7, stride, dilation])
    for kw, padding in itertools.product(range(1, 8), (0, 2)):
        x, w, windows = (2, 11, 19, 3), (2, kw, 3, 4), (2, stride, 1, padding, 1, dilation, 1)
        y = (2, (11 + 2 - 2) // 2 + 1, (19 + 2 * padding - dilation * (kw - 1) - 1) // stride + 1, 4)
        x, w, b, g = arrays(rng, x, w, y, np.float64)
        got, want = [run(which, x, w, b, g, windows, 0)[1] for which in ("compiled", "numpy")]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


@compiled
def test_a_stride_beyond_the_image_has_as_many_phases_as_the_image_pixels():
    dx = np.empty((1, 3, 3, 1))
    kernels.TWINS["conv2d_x"].compiled(np.full((1, 1, 1, 1), 3.0), np.ones((2, 2, 1, 1)), dx,
                                       (1 << 27, 1 << 27, 0, 0, 1, 1, 1))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[3, 3, 0], [3, 3, 0], [0, 0, 0]])


@compiled
def test_an_empty_batch():
    x, w, b, g = arrays(np.random.default_rng(6), (0, 5, 5, 2), (3, 3, 2, 4), (0, 3, 3, 4), np.float32)
    _, _, dw, db = run("compiled", x, w, b, g, (1, 1, 0, 0, 1, 1, 1), 0)
    assert (dw == 0).all() and (db == 7).all()


@compiled
def test_wrong_arguments_are_refused_before_anything_is_written():
    f = kernels.TWINS["conv2d"].compiled
    x, w, y = np.ones((2, 5, 5, 3), "f"), np.ones((3, 3, 3, 4), "f"), np.full((2, 3, 3, 4), 7, "f")
    ok = (1, 1, 0, 0, 1, 1, 1)
    for bad in ((x[:, ::2], w, None, y, ok), (x, w, np.ones(3, "f"), y, ok), (x, w, None, y[:, :, :, :3].copy(), ok),
                (x, w.astype("d"), None, y, ok), (x, w[:, :, :2].copy(), None, y, ok), (x, None, None, y, ok),
                (x, w, None, y[:1], ok), (x, w, None, y, (0, 1, 0, 0, 1, 1, 1)), (x, w, None, y, (1, 1, 0, 0, 1, 0, 1)),
                (x, w, None, y, (1, 1, 0, 0, 1, 1, 2)), (x, w, None, y, (1 << 61, 1 << 61, 0, 0, 1, 1, 1)),
                (x.astype(">f4"), w, None, y, ok), (x, w, None, x[:, :3, :3], ok), (x, w, None, y, ok[:6])):
        with pytest.raises(ValueError):
            f(*bad)
    assert (y == 7).all()
    frozen = y.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="conv2d: y must be writable"):
        f(x, w, None, frozen, ok)
    for array in (x, w):
        array.flags.writeable = False              # inputs may be read-only
    f(x, w, None, y, ok)
    assert (y == 27).all()
