"""The compiled softmax family against scipy in double, at the extremes, and its refusals."""
import numpy as np
import pytest

kernel = pytest.importorskip("minigrad_ext.softmax")
special = pytest.importorskip("scipy.special")

SHAPES = [(0, 3), (1, 1), (1, 10), (5, 2), (7, 17), (128, 10), (33, 64), (9, 100), (40, 1000), (3, 1024), (2, 2500)]


def cross_entropy(z, labels):
    loss = np.empty((), z.dtype)
    kernel.cross_entropy(z, labels, loss)
    return loss[()]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("m, k", SHAPES)
def test_all_four_agree_with_scipy(m, k, dtype):
    rng = np.random.default_rng(m * 10000 + k)
    z = (6 * rng.standard_normal((m, k))).astype(dtype)
    labels = rng.integers(0, k, m)
    wide, u = z.astype("f8"), np.finfo(dtype).eps
    out = np.empty_like(z)
    kernel.softmax(z, out)
    p = special.softmax(wide, axis=1) if m else wide
    np.testing.assert_allclose(out, p, rtol=60 * u, atol=1e-37)
    kernel.log_softmax(z, out)
    log_p = special.log_softmax(wide, axis=1) if m else wide
    np.testing.assert_allclose(out, log_p, rtol=4 * u, atol=40 * u)
    onehot = np.zeros_like(wide)
    onehot[np.arange(m), labels] = 1
    kernel.cross_entropy_backward(z, labels, 3.0, out)
    np.testing.assert_allclose(out, 3 * (p - onehot) / max(m, 1), rtol=60 * u, atol=8 * u / max(m, 1))
    if m:
        np.testing.assert_allclose(cross_entropy(z, labels), -log_p[np.arange(m), labels].mean(), rtol=20 * u,
                                   atol=4 * u)


@pytest.mark.parametrize("dtype, low, factor", [("f4", -87.3, 4), ("f8", -708.3, 4)])
def test_the_exponential_is_within_4_units_over_its_whole_range(dtype, low, factor):
    """softmax of (0, x, x, ...): the ratio of two entries is exp(x), to one rounding."""
    x = np.linspace(low / 2, 0, 20001).astype(dtype)
    z = np.stack([np.zeros_like(x), x], 1)
    p = np.empty_like(z)
    kernel.softmax(z, p)
    wide = np.longdouble
    ratio = p[:, 1].astype(wide) / p[:, 0].astype(wide)
    assert np.max(np.abs(ratio / np.exp(x.astype(wide)) - 1)) <= factor * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_extremes(dtype):
    row = lambda *values: np.array([values], dtype)
    zero = np.array([0])
    assert cross_entropy(row(1e3, -1e3), zero) == 0
    assert cross_entropy(row(-1e3, 1e3), zero) == 2000
    for size in (1e0, 1e4, 1e8):
        np.testing.assert_allclose(cross_entropy(row(size, size), zero), np.log(2), rtol=2 * np.finfo(dtype).eps)
    assert np.isnan(cross_entropy(row(np.nan, 0), zero)) and np.isnan(cross_entropy(row(0, np.nan), zero))
    assert np.isnan(cross_entropy(row(-np.inf, -np.inf), zero))
    assert cross_entropy(row(0, -np.inf), zero) == 0 and cross_entropy(row(0, -np.inf), zero + 1) == np.inf
    assert np.isnan(cross_entropy(np.empty((0, 3), dtype), np.empty(0, "i8")))
    dz = np.empty((1, 2), dtype)
    kernel.cross_entropy_backward(row(-1e30, 1e30), zero, 1.0, dz)
    assert dz.tolist() == [[-1, 1]]
    for at in (0, 70, 99):                       # a long row takes another path
        z = np.zeros((1, 100), dtype)
        z[0, at] = np.nan
        p = np.empty_like(z)
        kernel.softmax(z, p)
        assert np.isnan(p).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("k", [1, 2, 10, 63, 64, 100, 1100])
def test_only_differences_count_however_low_the_row_lies(k, dtype):
    """The largest of a row may be far below 0: exp of the row itself would be 0 everywhere."""
    z = (np.arange(k) % 7 - 2.0**12)[None].astype(dtype)               # exact, and so is z + 2^12
    for shift in (0.0, 2.0**12):
        p, y, dz = np.empty_like(z), np.empty_like(z), np.empty_like(z)
        kernel.softmax(z + z.dtype.type(shift), p)
        kernel.log_softmax(z + z.dtype.type(shift), y)
        kernel.cross_entropy_backward(z + z.dtype.type(shift), np.array([0]), 1.0, dz)
        loss = cross_entropy(z + z.dtype.type(shift), np.array([0]))
        wanted = special.softmax(z.astype("f8"), axis=1)
        np.testing.assert_allclose(p, wanted, rtol=30 * np.finfo(dtype).eps)
        np.testing.assert_allclose(y, np.log(wanted), rtol=30 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
        np.testing.assert_allclose(loss, -np.log(wanted[0, 0]), rtol=30 * np.finfo(dtype).eps, atol=1e-15)
        np.testing.assert_allclose(dz, wanted - np.eye(1, k), rtol=30 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


Z, LABELS, OUT, LOSS = np.ones((3, 4), "f4"), np.array([0, 1, 3]), np.full((3, 4), 9, "f4"), np.full((), 9, "f4")


@pytest.mark.parametrize("name, arguments, words", [
    ("cross_entropy", (Z, np.array([0, 1, 4]), LOSS), "[0, 4), got 4 at 2"),
    ("cross_entropy", (Z, np.array([0, -1, 4]), LOSS), "[0, 4), got -1 at 1"),
    ("cross_entropy", (Z, LABELS[:2], LOSS), "labels must be of size 3"),
    ("cross_entropy", (Z, LABELS.astype("i4"), LOSS), "labels must be int64"),
    ("cross_entropy", (Z, LABELS.astype("f8"), LOSS), "labels must be int64"),
    ("cross_entropy", (Z, LABELS, OUT), "loss must be one number, got 12"),
    ("cross_entropy", (Z, LABELS, np.empty(())), "loss must be float32"),
    ("cross_entropy", (Z.T, LABELS, LOSS), "z must be C-contiguous"),
    ("cross_entropy", (None, LABELS, LOSS), "z must be an array"),
    ("cross_entropy_backward", (Z, np.array([9, 9, 9]), 1.0, OUT), "got 9 at 0"),
    ("cross_entropy_backward", (Z, LABELS, 1.0, OUT[:2]), "dz must be of the shape of z (3, 4)"),
    ("cross_entropy_backward", (OUT, LABELS, 1.0, OUT), "share memory"),
    ("softmax", (Z, OUT.astype("f8")), "p must be float32"),
    ("softmax", (np.float32(1), LOSS), "at least one axis"),
    ("log_softmax", (Z, np.broadcast_to(np.float32(9), (3, 4))), "y must be writable"),
])
def test_refusals_come_before_anything_is_written(name, arguments, words):
    with pytest.raises(ValueError) as error:
        getattr(kernel, name)(*arguments)
    assert name in str(error.value) and words in str(error.value)
    assert (OUT == 9).all() and LOSS == 9


def test_outputs_stay_inside_guard_bands():
    rng = np.random.default_rng(0)
    for m, k in SHAPES:
        for dtype in ("f4", "f8"):
            z, labels = rng.standard_normal((m, k)).astype(dtype), rng.integers(0, k, m)
            raw = np.full(128 + z.nbytes, 0xA5, np.uint8)
            out = raw[64:64 + z.nbytes].view(dtype).reshape(m, k)
            kernel.softmax(z, out)
            kernel.log_softmax(z, out)
            kernel.cross_entropy_backward(z, labels, 1.0, out)
            assert (raw[:64] == 0xA5).all() and (raw[64 + z.nbytes:] == 0xA5).all()
