"""Batch norm kernels: the NumPy twins against (8.35) in long double, the compiled kernels against the twins."""
import numpy as np
import pytest

from minigrad import kernels

BAND = 64                                          # guard numbers on both sides of an output
FORWARD, BACKWARD = (kernels.TWINS[name] for name in ("batch_norm", "batch_norm_backward"))
compiled = pytest.mark.skipif(FORWARD.compiled is None, reason="norm is not compiled")


def draw(rng, dtype, m, c):
    x = rng.standard_normal((m, c)) * rng.uniform(0.5, 3, c) + rng.standard_normal(c)
    return [a.astype(dtype) for a in (rng.standard_normal((m, c)), x, rng.standard_normal(c), rng.standard_normal(c))]


def guarded(shape, dtype):
    size = int(np.prod(shape))
    block = np.full(size + 2 * BAND, 7, dtype)
    return block[BAND:BAND + size].reshape(shape), block


def run(which, g, x, gamma, beta, relu, add, delta=1e-5):
    """y, mean, var, dx, dgamma, dbeta; outputs start as 7."""
    outputs = [guarded(shape, x.dtype) for shape in (x.shape, x.shape[1:], x.shape[1:]) * 2]
    y, mean, var, dx, dgamma, dbeta = [array for array, _ in outputs]
    getattr(FORWARD, which)(x, gamma, beta, delta, relu, y, mean, var)
    getattr(BACKWARD, which)(g, x, gamma, beta, mean, var, delta, relu, dx, dgamma, dbeta, add, not add)
    for _, block in outputs:
        assert (block[:BAND] == 7).all() and (block[-BAND:] == 7).all()
    return y, mean, var, dx, dgamma, dbeta


def test_twins_equal_the_definition():
    rng = np.random.default_rng(1)
    for m, c in ((1, 1), (2, 3), (7, 5), (40, 8)):
        g, x, gamma, beta = draw(rng, np.longdouble, m, c)
        mean = x.sum(0) / m                                        # (8.36)
        var = ((x - mean)**2).sum(0) / m
        sigma = np.sqrt(var + np.longdouble(1e-5))                 # (8.37)
        y = gamma * (x - mean) / sigma + beta                      # (8.35)
        # dJ/dx_ij = sum_k g_kj dy_kj/dx_ij, with dy_kj/dx_ij written out
        dx = np.zeros_like(x)
        for i in range(m):
            for k in range(m):
                own = (i == k) - np.longdouble(1) / m              # d(x_k - mean)/dx_i
                dx[i] += g[k] * gamma * (own / sigma - (x[k] - mean) * (x[i] - mean) / (m * sigma**3))
        want = (y, mean, var, dx, (g * (x - mean) / sigma).sum(0), g.sum(0) + 7)
        args = [a.astype(np.float64) for a in (g, x, gamma, beta)]
        for a, b in zip(run("numpy", *args, False, False), want):
            np.testing.assert_allclose(a, b.astype(np.float64), rtol=1e-10, atol=1e-12)


def agree(seed, cases):
    rng = np.random.default_rng(seed)
    for case in range(cases):
        m, c = int(rng.choice([1, 2, 3, 5, 17, 64, 129, 1000])), int(rng.choice([1, 3, 4, 8, 10, 16, 17, 32, 65, 100]))
        relu = case % 3 == 0
        for dtype, tolerance in ((np.float32, 3e-5), (np.float64, 1e-13)):
            args = draw(rng, dtype, m, c)
            before = [a.tobytes() for a in args]
            got = run("compiled", *args, relu, case % 2)
            want = run("numpy", *[a.astype(np.float64) for a in args], relu, case % 2)
            if relu:                                # where rounding decides the sign, compare nothing
                plain = run("numpy", *[a.astype(np.float64) for a in args], False, case % 2)[0]
                if (np.abs(plain) < 1e-4).any():
                    continue
            # a column of variance v amplifies the rounding of x - mean by 1 / sqrt(v + delta)
            gain = 1 + (np.abs(args[1]).max(0) + 1) / np.sqrt(want[2] + 1e-5)
            for a, b in zip(got, want):
                assert (np.abs(a - b) <= tolerance * gain**2 * (np.abs(b).max() + 1)).all()
            assert before == [a.tobytes() for a in args]


@compiled
def test_compiled_equals_twin():
    agree(2, 250)


@compiled
@pytest.mark.long
def test_compiled_equals_twin_5000():
    agree(3, 2500)


@compiled
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_threads(dtype, relu):
    rng = np.random.default_rng(4)
    for m, c in ((50000, 16), (1200, 256), (20000, 10), (99999, 3)):
        args = draw(rng, dtype, m, c)
        results = []
        for n in (1, 2, 3, 4):
            kernels.set_num_threads(n)
            results.append([a.tobytes() for a in run("compiled", *args, relu, True)])
        assert all(r == results[0] for r in results)


@compiled
def test_large_mean_in_float32():
    rng = np.random.default_rng(5)
    for m, c in ((5000, 16), (300, 7)):
        x = (rng.standard_normal((m, c)) + 1e4).astype(np.float32)
        _, mean, var, *_ = run("compiled", x, x, np.ones(c, "f"), np.zeros(c, "f"), False, False)
        np.testing.assert_allclose(mean, x.mean(0, dtype=np.float64), rtol=1e-7)
        np.testing.assert_allclose(var, x.var(0, dtype=np.float64), rtol=1e-4)   # E[x^2] - E[x]^2 would be off by 10


@compiled
def test_constant_columns_and_one_row_are_finite():
    for m, c in ((1, 4), (1, 19), (100, 16), (77, 3)):
        x = np.full((m, c), np.float32(0.1))
        g = np.ones_like(x)
        y, _, var, dx, _, dbeta = run("compiled", g, x, np.full(c, 2, "f"), np.full(c, 3, "f"), False, False)
        np.testing.assert_allclose(y, 3, atol=1e-4)
        assert (var < 1e-12).all() and np.isfinite(dx).all() and (dbeta == m + 7).all()


@compiled
def test_nan_is_not_swallowed_by_relu():
    for c in (3, 16):
        x = np.random.default_rng(6).standard_normal((20, c)).astype("f")
        x[3, 1] = np.nan
        y, mean, *_ = run("compiled", x, x, np.ones(c, "f"), np.ones(c, "f"), True, False)
        assert np.isnan(y[:, 1]).all() and np.isnan(mean[1]) and np.isfinite(y[:, 0]).all()


@compiled
def test_layer_norm_equals_twin_for_any_number_of_threads():
    rng = np.random.default_rng(8)
    for dtype, tolerance in ((np.float32, 1e-4), (np.float64, 1e-12)):
        for m, c in ((1, 1), (1, 2), (3, 5), (64, 16), (37, 33), (700, 100), (300, 256)):
            g, x, gamma, beta = draw(rng, dtype, m, c)
            results = []
            for which, n in (("numpy", 1), ("compiled", 1), ("compiled", 2), ("compiled", 3)):
                kernels.set_num_threads(n)
                outputs = [guarded(shape, dtype) for shape in ((m, c), (m, c), (c,), (c,))]
                y, dx, dgamma, dbeta = [array for array, _ in outputs]
                getattr(kernels.TWINS["layer_norm"], which)(x, gamma, beta, 1e-3, y)
                getattr(kernels.TWINS["layer_norm_backward"], which)(g, x, gamma, 1e-3, dx, dgamma, dbeta, True, False)
                assert all((block[:BAND] == 7).all() and (block[-BAND:] == 7).all() for _, block in outputs)
                results.append([array for array, _ in outputs])
            for a, b in zip(results[1], results[0]):
                assert np.abs(a - b).max() <= tolerance * m**0.5 * (1 + np.abs(b).max())
            for other in results[2:]:
                assert [a.tobytes() for a in other] == [a.tobytes() for a in results[1]]


@compiled
def test_parts_of_the_gradient():
    g, x, gamma, beta = draw(np.random.default_rng(7), np.float32, 50, 16)
    y, mean, var, dx, dgamma, dbeta = run("compiled", g, x, gamma, beta, False, False)
    dx2, dgamma2 = np.empty_like(dx), np.empty_like(dgamma)
    BACKWARD.compiled(g, x, gamma, beta, mean, var, 1e-5, False, dx2, None, None)
    BACKWARD.compiled(g, x, gamma, beta, mean, var, 1e-5, False, None, dgamma2, None)
    assert (dx2 == dx).all() and (dgamma2 == dgamma).all()


@compiled
def test_wrong_arguments_are_refused():
    x, y = np.ones((4, 3), "f"), np.full((4, 3), 7, "f")
    gamma, beta, mean, var = np.ones((4, 3), "f")
    for bad in ((x[:, ::-1], gamma, beta, 1e-5, False, y, mean, var), (x, gamma[:2], beta, 1e-5, False, y, mean, var),
                (x, gamma, beta, -1.0, False, y, mean, var), (x, gamma, beta, np.nan, False, y, mean, var),
                (x[:0], gamma, beta, 1e-5, False, y[:0], mean, var), (x, gamma, beta, 1e-5, False, x, mean, var),
                (x, gamma, beta, 1e-5, False, y, mean, mean), (x, gamma, beta, 1e-5, False, y.astype("d"), mean, var),
                (x, gamma, None, 1e-5, False, y, mean, var)):
        with pytest.raises(ValueError):
            FORWARD.compiled(*bad)
    assert (y == 7).all()
