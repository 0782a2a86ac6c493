"""NaN, infinities, subnormal, huge and signed zeros through every kernel and its twin: they agree on what comes out."""
import numpy as np
import pytest

from minigrad import kernels, optim
from minigrad.kernels import TWINS

compiled = pytest.mark.skipif(not kernels.compiled, reason="the kernels are not compiled")
DTYPES = ["f4", "f8"]


def tiny(dtype):
    return np.finfo(dtype).tiny


def specials(dtype, finite=False):
    """Numbers of which products and squares leave the range, at either end, but no sum of a few."""
    huge = 2.0 ** (100 if dtype == "f4" else 900)
    small = float(tiny(dtype))
    values = [0.0, -0.0, small, -small, small / 8, -small / 8, small / 2**20, huge, -huge, 1 / huge]
    return np.array(values if finite else [*values, np.nan, np.inf, -np.inf], dtype)


def salted(rng, shape, dtype, finite=False, share=0.1):
    """Normal numbers, some of them replaced by special ones."""
    x = rng.standard_normal(shape).astype(dtype)
    places = rng.random(shape) < share
    x[places] = rng.choice(specials(dtype, finite), places.sum())
    return x


def same(got, wanted, dtype, terms=1, units=8, cancelled=0):
    """Equal NaN, infinities, and numbers: to rounding, to the subnormals that a sum of `terms` may have lost, and to
    `cancelled` units of 1 where numbers of about that size were subtracted."""
    u = np.finfo(dtype).eps
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, rtol=units * u, atol=2 * terms * float(tiny(dtype)) + cancelled * u)


def both(name, *arguments):
    """The arrays of a kernel's arguments after a call of the compiled kernel, and after one of the twin."""
    copies = [[a.copy() if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2)]
    with np.errstate(all="ignore"):
        TWINS[name].compiled(*copies[0])
        TWINS[name].numpy(*copies[1])
    return [[a for a in some if isinstance(a, np.ndarray)] for some in copies]


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, inputs", [("relu", 1), ("sigmoid", 1), ("relu_gate", 2), ("sigmoid_gate", 2),
                                          ("tanh_gate", 2)])
def test_elementwise(name, inputs, dtype):
    """Every pair of special values; relu and its gate move numbers, so they keep every bit of a subnormal."""
    values = np.concatenate([specials(dtype), np.array([1, -1, 0.5, -80, 80, -87.33, -87.34, -720, 720], dtype)])
    pairs = [np.ascontiguousarray(axis.ravel()) for axis in np.meshgrid(values, values)][:inputs]
    got, wanted = both(name, *pairs, np.empty(len(pairs[0]), dtype))
    if name.startswith("relu"):
        np.testing.assert_array_equal(got[-1], wanted[-1])
    else:
        np.testing.assert_array_equal(np.isnan(got[-1]), np.isnan(wanted[-1]))
        np.testing.assert_allclose(got[-1], wanted[-1], rtol=8 * np.finfo(dtype).eps, atol=0)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_of_a_subnormal(dtype):
    small = tiny(dtype) / 1024
    x, y = np.array([small, -small, 0, -0.0], dtype), np.empty(4, dtype)
    for relu in TWINS["relu"][1:]:
        relu(x, y)
        assert y.tolist() == [small, 0, 0, 0]


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax(dtype):
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 40, 100, 1100):
        z = salted(rng, (60, k), dtype, share=min(0.1, 2 / k)) * np.repeat(np.array([1, 30, 300], dtype), 20)[:, None]
        z[np.isinf(z) & (z > 0)] = 3                     # inf - inf would make all rows of NaN: two are enough
        z[:2, 0] = np.inf
        labels = rng.integers(0, k, 60)
        for name in ("softmax", "log_softmax"):
            got, wanted = both(name, z, np.empty_like(z))
            same(got[-1], wanted[-1], dtype, units=60, cancelled=4)
        got, wanted = both("cross_entropy_backward", z, labels, 0.5, np.empty_like(z))
        same(got[-1], wanted[-1], dtype, units=80, cancelled=4)
        for row in range(60):
            got, wanted = both("cross_entropy", z[row:row + 1], labels[row:row + 1], np.empty((), dtype))
            same(got[-1], wanted[-1], dtype, units=60, cancelled=4)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_products(dtype):
    rng = np.random.default_rng(1)
    for m, k, n in [(1, 1, 1), (1, 7, 1), (5, 3, 4), (17, 20, 40), (64, 33, 10), (9, 300, 70)]:
        for finite in (False, True):
            a, b = salted(rng, (m, k), dtype, share=0.5 / k), salted(rng, (k, n), dtype, finite, share=0.5 / k)
            got, wanted = both("matmul", a, b, np.empty((m, n), dtype))
            same(got[-1], wanted[-1], dtype, k, units=40 * k)
            got, wanted = both("linear_backward", np.ones((m, n), dtype), a, b, *(np.empty(shape, dtype) for shape in
                                                                                ((m, k), (k, n), (n,))))
            for one, other in zip(got[-3:], wanted[-3:]):
                same(one, other, dtype, max(m, n), units=40 * max(m, n))


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_product_reads_subnormals_and_writes_0_for_them(dtype):
    small, huge = tiny(dtype) / 16, 1 / tiny(dtype)
    for matmul in TWINS["matmul"][1:]:
        for a, b, wanted in [(small, 1, 0), (small, huge, small * huge), (tiny(dtype) * 2, 0.25, 0), (-small, 1, 0)]:
            out = np.full((1, 1), 7, dtype)
            matmul(np.full((1, 1), a, dtype), np.full((1, 1), b, dtype), out)
            assert out[0, 0] == wanted
    assert np.multiply(tiny(dtype), dtype and np.dtype(dtype).type(0.5)) > 0          # the caller's mode is restored


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolutions(dtype):
    """Weights are finite here: for what an infinite one does at the border see tests/minigrad_ext/test_conv.py."""
    rng = np.random.default_rng(2)
    for windows in [(1, 1, 0, 0, 1, 1, 1), (1, 1, 1, 1, 1, 1, 1), (2, 2, 1, 1, 1, 1, 2)]:
        sh, _, top, _, _, _, groups = windows
        size = (6 + 2 * top - 3) // sh + 1
        x, w = salted(rng, (2, 6, 6, 4), dtype, share=0.02), salted(rng, (3, 3, 4 // groups, 6), dtype, True, 0.02)
        b, y = salted(rng, (6,), dtype), np.empty((2, size, size, 6), dtype)
        g, finite = salted(rng, y.shape, dtype, share=0.02), salted(rng, y.shape, dtype, True, 0.02)
        got, wanted = both("conv2d", x, w, b, y, windows)
        same(got[-1], wanted[-1], dtype, 36, units=1000)
        got, wanted = both("conv2d_x", g, w, np.empty_like(x), windows)
        same(got[-1], wanted[-1], dtype, 54, units=1000)
        got, wanted = both("conv2d_w", x, finite, np.empty_like(w), np.empty_like(b), windows)
        for one, other in zip(got[-2:], wanted[-2:]):
            same(one, other, dtype, 72, units=1000)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_pooling(dtype):
    rng = np.random.default_rng(3)
    tiles = np.array([[0, 2], [2, 4], [4, 6]])
    for rows in (tiles, np.array([[0, 3], [2, 5], [3, 6]])):
        for c in (1, 5, 16):
            x, index = salted(rng, (2, 6, 6, c), dtype, share=0.3), np.zeros((2, 3, 3, c), np.int32)
            y, g = np.empty(index.shape, dtype), salted(rng, index.shape, dtype, share=0.3)
            got, wanted = both("max_pool2d", x, rows, rows, y, index)
            for one, other in zip(got[-2:], wanted[-2:]):
                np.testing.assert_array_equal(one, other)
            index = got[-1]
            got, wanted = both("max_pool2d_x", g, index, rows, rows, np.empty_like(x))
            np.testing.assert_array_equal(got[-1], wanted[-1])
            got, wanted = both("max_pool2d_take", x, index, rows, rows, y)
            np.testing.assert_array_equal(got[-1], wanted[-1])
            same(*[some[-1] for some in both("avg_pool2d", x, rows, rows, 0.25, y)], dtype)
            same(*[some[-1] for some in both("avg_pool2d_x", g, rows, rows, 0.25, np.empty_like(x))], dtype)


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_normalization(dtype):
    """One special value to a column (a row): NaN and infinity spoil it, a subnormal does nothing, zeros are zeros."""
    rng = np.random.default_rng(4)
    values = [value for value in specials(dtype) if abs(value) < 1e10 or not np.isfinite(value)]
    m, c = 9, len(values)
    x = rng.standard_normal((m, c)).astype(dtype)
    x[3] = values
    x = np.concatenate([x, np.full((m, 1), tiny(dtype) / 4, dtype), np.zeros((m, 1), dtype)], axis=1)
    for copies in (1, 9):
        x = np.repeat(x, copies, axis=1)
        c = x.shape[1]
        gamma, beta, g = np.ones(c, dtype), np.full(c, 0.5, dtype), rng.standard_normal(x.shape).astype(dtype)
        for relu in (False, True):
            mean, var, y = np.empty(c, dtype), np.empty(c, dtype), np.empty_like(x)
            got, wanted = both("batch_norm", x, gamma, beta, 1e-5, relu, y, mean, var)
            for one, other in zip(got[-3:], wanted[-3:]):
                same(one, other, dtype, units=200, cancelled=20)
            got, wanted = both("batch_norm_backward", g, x, gamma, beta, *got[-2:], 1e-5, relu, y, mean, var)
            for one, other in zip(got[-3:], wanted[-3:]):
                same(one, other, dtype, units=2000, cancelled=400)
        rows, ones = np.ascontiguousarray(x.T), np.ones(m, dtype)
        got, wanted = both("layer_norm", rows, ones, ones, 1e-5, np.empty_like(rows))
        same(got[-1], wanted[-1], dtype, units=200, cancelled=20)


SIGNATURES = {name: twin.numpy.__doc__.split(":")[0].partition("(")[2][:-1].split(", ")
              for name, twin in TWINS.items() if twin.family == "optim"}
NUMBERS = dict(lr=0.01, momentum=0.9, next_momentum=0.95, rho=0.9, rho1=0.8, rho2=0.99, delta=1e-6, t=3, eta=0.7,
               weight_decay=0.01, kappa=0.001, phi=0.1, up=1.2, down=0.5, smallest=1e-6, largest=50.0, m=7)
NOT_NEGATIVE = {"r", "u", "v_bar", "h_bar", "tau", "rate", "g2"}


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SIGNATURES)
def test_optimizers(name, dtype):
    rng = np.random.default_rng(5)
    arguments = []
    for argument in SIGNATURES[name]:
        x = NUMBERS[argument] if argument in NUMBERS else salted(rng, 4000, dtype, share=0.5)
        arguments.append(np.abs(x) + (argument == "tau") if argument in NOT_NEGATIVE else x)
    got, wanted = both(name, *arguments)
    for argument, one, other in zip((a for a in SIGNATURES[name] if a not in NUMBERS), got, wanted):
        if name in ("adam", "adamw") and argument == "theta":
            keep = np.isfinite(other)            # 1/(1 - rho^t) as a factor overflows earlier by one rounding
            np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
            few = 8 * np.finfo(dtype).eps
            np.testing.assert_allclose(one[keep], other[keep], rtol=few, atol=few)
        else:
            np.testing.assert_array_equal(one, other, err_msg=f"{name}: {argument}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("name", [name for name in SIGNATURES if "out" not in SIGNATURES[name] and name != "vsgd"])
def test_a_zero_gradient_never_moves_a_subnormal_parameter(name, which, dtype):
    if TWINS[name][which] is None:
        pytest.skip("not compiled")
    small = np.array([tiny(dtype) / 1024, -tiny(dtype) / 2, tiny(dtype), 0.0, 1.0], dtype)
    numbers = NUMBERS | {"weight_decay": 0.0}
    arguments = [numbers[a] if a in numbers else small.copy() if a == "theta" else
                 np.full(5, 0.1 if a == "rate" else 0, dtype) for a in SIGNATURES[name]]
    with np.errstate(invalid="ignore"):
        TWINS[name][which](*arguments)
    assert arguments[0].tobytes() == small.tobytes()


@compiled
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_becomes_of_a_subnormal_average(dtype):
    """It is forgotten, the sign of a gradient in Rprop is not."""
    small = np.full(40, tiny(dtype) / 8, dtype)
    for adam in TWINS["adam"][1:]:
        theta, s, r = np.ones(40, dtype), small.copy(), small.copy()
        adam(theta, np.zeros(40, dtype), s, r, 0.1, 0.9, 0.999, 1e-8, 1000)
        assert not s.any() and not r.any() and np.isfinite(theta).all()
    for rprop in (*TWINS["rprop"][1:], *TWINS["rprop_minus"][1:]):
        theta, rate, before = np.zeros(40, dtype), np.full(40, 0.5, dtype), small.copy()
        rprop(theta, small, rate, before, 1.5, 0.5, 1e-6, 50.0)
        assert (rate == 0.75).all() and (theta == -0.75).all() and (before == small).all()
        rprop(theta, -small, rate, before, 1.5, 0.5, 1e-6, 50.0)
        assert (rate == 0.375).all() and not before.any()
    for delta_bar_delta in TWINS["delta_bar_delta"][1:]:
        theta, rate, d = np.zeros(40, dtype), np.full(40, 0.5, dtype), np.zeros(40, dtype)
        for _ in range(3):
            delta_bar_delta(theta, small, rate, d, 0.25, 0.5, 0.5)
        assert (rate == 1).all()                                     # it rose at the second and third step


@pytest.mark.parametrize("size", [1e-37, 1e-25, 1e-20, 1e20, 1e37])
@pytest.mark.parametrize("method", [optim.Rprop, optim.RpropMinus, optim.DeltaBarDelta], ids=lambda m: m.__name__)
def test_the_kernels_rates_follow_the_sign_of_a_gradient_of_any_size(method, size):
    def rates(scale):
        opt = method(np.zeros(3, np.float32), lr=0.5)
        for k in range(6):
            opt.step(g=np.array([1, (-1) ** k, -1 if k == 3 else 1], np.float32) * np.float32(scale))
        return opt.rate
    assert np.array_equal(rates(size), rates(1.0)) and len(set(rates(1.0))) == 3
