"""The compiled matmul: values, bits, borders and refusals, on random shapes and layouts.

The bound of a dot product of k terms in floating point with unit roundoff u, doubled:
|c - exact| <= 2 (k + 2) u (|A||B| + |C| + |bias|), entry by entry. The reference is computed in a wider type.
"""
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

kernel = pytest.importorskip("minigrad_ext.matmul")
runtime = pytest.importorskip("minigrad_ext.runtime")

SIZES = [0, 1, 2, 3, 5, 7, 8, 10, 13, 16, 17, 31, 32, 47, 48, 49, 64, 97, 127, 128, 131, 200, 257, 300]
WIDER = {np.dtype("f4"): np.float64, np.dtype("f8"): np.longdouble}
SENTINEL = 0xA5


def laid_out(x, rng):
    """The same numbers in one of seven layouts."""
    m, n = x.shape
    match rng.integers(7):
        case 0:
            return x
        case 1:
            return np.asfortranarray(x)
        case 2:
            y = np.empty((2 * m, 3 * n), x.dtype)
            y[::2, ::3] = x
            return y[::2, ::3]
        case 3:
            return np.ascontiguousarray(x[::-1])[::-1]
        case 4:
            return np.ascontiguousarray(x[:, ::-1])[:, ::-1]
        case 5:
            y = np.empty((m + 3, n + 5), x.dtype)
            y[1:m + 1, 2:n + 2] = x
            return y[1:m + 1, 2:n + 2]
        case _:
            y = x.copy()
            y.flags.writeable = False
            return y


def guarded(c, rng):
    """c inside sentinel bytes: (buffer, view). The view's rows may be longer than n, with sentinels between them."""
    m, n = c.shape
    row = n + int(rng.integers(0, 9)) * int(rng.integers(2))
    size = c.dtype.itemsize
    raw = np.full(128 + m * row * size, SENTINEL, np.uint8)
    view = raw[64:64 + m * row * size].view(c.dtype).reshape(m, row)[:, :n]
    view[...] = c
    return raw, view


def only_changed_inside(raw, view):
    """All sentinels outside the view are intact."""
    inside = view.copy()
    if view.size:
        view.view(np.uint8)[...] = SENTINEL
    intact = bool((raw == SENTINEL).all())
    view[...] = inside
    return intact


def one_case(rng):
    m, n, k = (int(size) for size in rng.choice(SIZES, 3))
    if rng.random() < 0.02:
        k = int(rng.integers(2000, 4500))                       # longer than one pass of the micro-kernel
        m, n = min(m, 40), min(n, 70)
    dtype = np.dtype(rng.choice(["f4", "f8"]))
    a = rng.standard_normal((m, k)).astype(dtype)
    b = rng.standard_normal((k, n)).astype(dtype)
    c = rng.standard_normal((m, n)).astype(dtype)
    if m and k and rng.random() < 0.1:
        a = np.broadcast_to(a[:1], (m, k))                      # stride 0
    bias = rng.standard_normal(n).astype(dtype) if rng.random() < 0.5 else None
    accumulate = bool(rng.random() < 0.5)
    wide = WIDER[dtype]
    exact = a.astype(wide) @ b.astype(wide)
    room = np.abs(a).astype(wide) @ np.abs(b).astype(wide)
    if accumulate:
        exact, room = exact + c, room + np.abs(c)
    if bias is not None:
        exact, room = exact + bias, room + np.abs(bias)
    bound = 2 * (k + 2) * (np.finfo(dtype).eps / 2) * room
    bits = set()
    for number in (1, 2, 3, 4):
        runtime.set_num_threads(number)
        one, other = laid_out(a, rng), laid_out(b, rng)
        before = one.tobytes(), other.tobytes()
        raw, out = guarded(c, rng)
        kernel.matmul(one, other, out, accumulate, bias)
        assert only_changed_inside(raw, out), (m, n, k, dtype)
        assert (one.tobytes(), other.tobytes()) == before
        assert (np.abs(out - exact) <= bound).all(), (m, n, k, dtype, accumulate, bias is None)
        bits.add(out.tobytes())
    assert len(bits) == 1, ("bits depend on threads or layout", m, n, k, dtype)


def test_500_random_products_hold_the_bound_and_have_one_set_of_bits():
    rng = np.random.default_rng(0)
    for _ in range(500):
        one_case(rng)


@pytest.mark.long
def test_5000_random_products_hold_the_bound_and_have_one_set_of_bits():
    rng = np.random.default_rng(1)
    for _ in range(5000):
        one_case(rng)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("k", [1, 3, 4, 10, 33, 511, 512, 1030])
def test_products_with_a_vector_hold_the_bound_and_have_one_set_of_bits(k, dtype):
    """Rows or columns of a contiguous, or neither; x on either side; every length of what is left at the end."""
    rng = np.random.default_rng(k)
    for m in [*range(1, 27), 63, 64, 130, 299]:
        a, x = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, 1)).astype(dtype)
        bias = rng.standard_normal(1).astype(dtype)
        exact = a.astype(WIDER[a.dtype]) @ x + bias
        bits = set()
        for _ in range(6):
            one, other = laid_out(a, rng), laid_out(x, rng)
            raw, out = guarded(np.ones((m, 1), dtype), rng)
            kernel.matmul(one, other, out, False, bias)
            assert only_changed_inside(raw, out)
            bits.add(out.tobytes())
            raw, out = guarded(np.ones((1, m), dtype), rng)
            kernel.matmul(other.T, one.T, out, False, np.full(m, bias[0]))
            assert only_changed_inside(raw, out)
            bits.add(out.tobytes())
        assert len(bits) == 1, m
        room = np.abs(a) @ np.abs(x) + np.abs(bias)
        assert (np.abs(out.T - exact) <= (k + 2) * np.finfo(dtype).eps * room).all(), m


@pytest.mark.parametrize("m, n, dtype", [
    (6, 3, "f4"), (6, 17, "f8"), (7, 100_003, "f4"), (100_003, 33, "f8"), (784, 128, "f4"), (300, 900, "f8"),
    (523, 517, "f4"), (4111, 1030, "f4"), (2100, 1001, "f8")])
def test_the_product_of_a_column_and_a_row_is_that_of_its_entries(m, n, dtype):
    """One rounding for each entry, whichever way: row by row from two vectors on, past the caches from 16 MB on."""
    rng = np.random.default_rng(9)
    column, row = rng.standard_normal((m, 1)).astype(dtype), rng.standard_normal((1, n)).astype(dtype)
    column[3, 0], column[5, 0], row[0, 2], row[0, n - 1] = np.inf, np.nan, -0.0, 1e30
    with np.errstate(invalid="ignore"):
        exact = column * row + 0                                         # 0 - 0 = 0, as in a sum that starts at 0
    for threads in (1, 2, 3):
        runtime.set_num_threads(threads)
        for _ in range(2):
            raw, out = guarded(np.empty((m, n), dtype), rng)
            kernel.matmul(laid_out(column, rng), laid_out(row, rng), out)
            np.testing.assert_array_equal(out, exact)
            assert not np.signbit(out[out == 0]).any()
            assert only_changed_inside(raw, out)
    out = np.ones((m, n), dtype)
    kernel.matmul(column, row, out, True)                                # added: by tiles
    np.testing.assert_array_equal(out, 1 + exact)


@pytest.mark.parametrize("rows, k, n, dtype", [(3, 784, 5507, "f4"), (6, 1100, 4003, "f4"), (8, 700, 6101, "f4"),
                                               (10, 784, 5500, "f4"), (13, 784, 5507, "f4"), (2, 1100, 2003, "f8"),
                                               (10, 1030, 2100, "f8"), (14, 600, 3607, "f8")])
def test_few_rows_meet_a_matrix_that_no_cache_holds(rows, k, n, dtype):
    """Ten classes of many examples, from 16 MB on read some rows at a time: the same bits as among forty classes."""
    rng = np.random.default_rng(10)
    a, b = rng.standard_normal((40, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    c, bias = rng.standard_normal((40, n)).astype(dtype), rng.standard_normal(n).astype(dtype)
    for accumulate, added in ((False, None), (True, bias)):
        wanted = c.copy()
        kernel.matmul(a, b, wanted, accumulate, added)
        some = slice(7, 7 + rows)
        for threads in (1, 2):
            runtime.set_num_threads(threads)
            raw, out = guarded(c[some], rng)
            kernel.matmul(a[some], b, out, accumulate, added)
            np.testing.assert_array_equal(out, wanted[some])
            assert only_changed_inside(raw, out)
            if added is None:
                turned = np.empty((n, rows), dtype)
                kernel.matmul(b.T, a[some].T, turned)
                np.testing.assert_array_equal(turned.T, out)
    exact, room = a.astype("f8") @ b, np.abs(a.astype("f8")) @ np.abs(b)
    kernel.matmul(a, b, c)
    assert (np.abs(c - exact) <= 2 * (k + 2) * np.finfo(dtype).eps * room).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_an_entry_has_the_same_bits_in_tiles_of_every_shape(dtype):
    """One to fourteen rows, half a vector to three: every product of few rows and columns, whichever side is packed or
    turned, has the bits of its entries in a large one."""
    rng = np.random.default_rng(11)
    a, b = rng.standard_normal((64, 37)).astype(dtype), rng.standard_normal((37, 64)).astype(dtype)
    large = np.empty((64, 64), dtype)
    kernel.matmul(a, b, large)
    for m in (2, 3, 4, 5, 7, 8, 9, 10, 13, 14, 15, 17, 24, 31):
        for n in (2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 16, 17, 20, 24, 25, 33, 40, 48, 56):
            left, right = laid_out(a[:m], rng), laid_out(b[:, :n], rng)
            raw, out = guarded(np.ones((m, n), dtype), rng)
            kernel.matmul(left, right, out)
            np.testing.assert_array_equal(out, large[:m, :n])
            kernel.matmul(left, right, out, True)                            # added to what is there
            np.testing.assert_array_equal(out, large[:m, :n] + large[:m, :n])
            assert only_changed_inside(raw, out)
            other_way = np.empty((n, m), dtype)
            kernel.matmul(right.T, left.T, other_way)
            np.testing.assert_array_equal(other_way.T, large[:m, :n])


@pytest.mark.parametrize("isa", runtime.available())
def test_every_instruction_set_of_this_machine(isa):
    """100 cases in a fresh process with MINIGRAD_ISA."""
    code = textwrap.dedent("""
        import importlib.util, sys
        import numpy as np
        spec = importlib.util.spec_from_file_location("cases", sys.argv[1])
        cases = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(cases)
        assert cases.runtime.isa() == sys.argv[2]
        rng = np.random.default_rng(2)
        for _ in range(100):
            cases.one_case(rng)
    """)
    run = subprocess.run([sys.executable, "-c", code, __file__, isa], env={**os.environ, "MINIGRAD_ISA": isa},
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_an_unknown_instruction_set_is_refused():
    run = subprocess.run([sys.executable, "-c", "import minigrad_ext.runtime"],
                         env={**os.environ, "MINIGRAD_ISA": "mmx"}, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and "MINIGRAD_ISA=mmx" in run.stderr and "baseline" in run.stderr


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_stacks_broadcast_like_numpy(dtype):
    rng = np.random.default_rng(3)
    for stack_a, stack_b in [((), (3,)), ((3,), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((5,), (1,)), ((0,), (1,))]:
        a = rng.standard_normal((*stack_a, 4, 6)).astype(dtype)
        b = rng.standard_normal((*stack_b, 6, 5)).astype(dtype)
        expected = np.matmul(a.astype("f8"), b.astype("f8"))
        out = np.empty(expected.shape, dtype)
        kernel.matmul(a, b, out)
        np.testing.assert_allclose(out, expected, rtol=0, atol=40 * np.finfo(dtype).eps)
    a = rng.standard_normal((8, 300, 120)).astype(dtype)         # large enough that the threads share the stack
    expected = np.matmul(a, np.swapaxes(a, 1, 2))
    bits = set()
    for number in (1, 2, 3):
        runtime.set_num_threads(number)
        out = np.empty_like(expected)
        kernel.matmul(a, np.swapaxes(a, 1, 2), out)
        bits.add(out.tobytes())
    assert len(bits) == 1
    np.testing.assert_allclose(out, expected, rtol=0, atol=2000 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_linear_backward_is_three_products(dtype):
    rng = np.random.default_rng(4)
    room = 64 * np.finfo(dtype).eps
    for m, i, o in [(1, 7, 5), (32, 40, 10), (128, 130, 33), (0, 3, 2), (5, 1, 1), (200, 100, 150)]:
        g, x, w = (rng.standard_normal(shape).astype(dtype) for shape in ((m, o), (m, i), (i, o)))
        for wish in [(1, 1, 1), (0, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0), (1, 1, 0)]:
            for add_dw, add_db in [(False, False), (True, False), (False, True), (True, True)]:
                flat = rng.standard_normal(i * o + o).astype(dtype)
                before = flat.astype("f8")
                dx = np.full((m, i), 7, dtype) if wish[0] else None
                dw = flat[:i * o].reshape(i, o) if wish[1] else None
                db = flat[i * o:] if wish[2] else None
                kernel.linear_backward(g, x if wish[1] else None, w if wish[0] else None, dx, dw, db, add_dw, add_db)
                g8, x8, w8 = (z.astype("f8") for z in (g, x, w))
                if wish[0]:
                    np.testing.assert_allclose(dx, g8 @ w8.T, rtol=0, atol=room * np.sqrt(o + 1))
                old = before[:i * o].reshape(i, o)
                expected = x8.T @ g8 + add_dw * old if wish[1] else old
                np.testing.assert_allclose(flat[:i * o].reshape(i, o), expected, rtol=0, atol=room * np.sqrt(m + 1))
                expected = g8.sum(0) + add_db * before[i * o:] if wish[2] else before[i * o:]
                np.testing.assert_allclose(flat[i * o:], expected, rtol=0, atol=room * np.sqrt(m + 1))


def test_linear_backward_has_one_set_of_bits():
    rng = np.random.default_rng(5)
    g, x, w = (rng.standard_normal(shape).astype("f4") for shape in ((128, 500), (128, 700), (700, 500)))
    bits = set()
    for number in (1, 2, 3, 4):
        runtime.set_num_threads(number)
        for one in (g, np.asfortranarray(g)):
            dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty(500, "f4")
            kernel.linear_backward(one, x, w, dx, dw, db)
            bits.add(dx.tobytes() + dw.tobytes() + db.tobytes())
    assert len(bits) == 1


def test_nan_and_infinity_pass_through():
    a, b = np.ones((20, 30), "f4"), np.ones((30, 50), "f4")
    a[3, 4], b[7, 9] = np.nan, np.inf
    out = np.empty((20, 50), "f4")
    kernel.matmul(a, b, out)
    assert np.isnan(out[3]).all() and np.isinf(np.delete(out, 3, 0)[:, 9]).all()
    assert np.isfinite(np.delete(np.delete(out, 3, 0), 9, 1)).all()


def _unaligned(dtype):
    return np.zeros(20 * np.dtype(dtype).itemsize + 1, np.uint8)[1:].view(dtype).reshape(4, 5)


A, B, OUT = np.ones((3, 4), "f4"), np.ones((4, 5), "f4"), np.full((3, 5), 9, "f4")
READ_ONLY = np.broadcast_to(np.float32(9), (3, 5))


@pytest.mark.parametrize("arguments, words", [
    ((None, B, OUT), ["a must be an array", "NoneType"]),
    ((A, [[1.0]], OUT), ["b must be an array", "list"]),
    ((A, B, None), ["out must be an array"]),
    ((A.astype("f8"), B, OUT), ["b must be float64", "float32"]),
    ((A, B, OUT.astype("f8")), ["out must be float32", "float64"]),
    ((A.astype("i4"), B, OUT), ["a must be float32 or float64", "'i'"]),
    ((A.astype(">f4"), B, OUT), ["native byte order", ">f"]),
    ((A.astype("c8"), B, OUT), ["a must be float32 or float64"]),
    ((A[:, :3], B, OUT), ["b must be of size 3 along axis 0", "(4, 5)"]),
    ((A[:2], B, OUT), ["a must be of size 3 along axis 0", "(2, 4)"]),
    ((A, B[:, :4], OUT), ["b must be of size 5 along axis 1", "(4, 4)"]),
    ((A[0], B, OUT), ["1, 2 and 2"]),
    ((A, _unaligned("f4"), OUT), ["b must be aligned to 4 bytes"]),
    ((A, B, READ_ONLY), ["out must be writable", "read-only"]),
    ((A, B, OUT[:, ::-1]), ["out must be contiguous along its last axis"]),
    ((A, B, OUT, False, np.ones(4, "f4")), ["bias must be of size 5", "(4,)"]),
    ((A, B, OUT, False, np.ones(5)), ["bias must be float32"]),
    ((OUT[:, :4], B, OUT), ["arguments 3 and 1 share memory"]),
    ((A, B, OUT, False, OUT[0]), ["share memory"]),
    ((A, np.ones((2, 4, 5), "f4"), OUT), ["axes"]),
    ((A, np.ones((2, 4, 5), "f4"), np.empty((3, 3, 5), "f4")), ["b must be of size 3 along axis 0"]),
])
def test_refusals_name_the_argument_and_touch_nothing(arguments, words):
    before = OUT.copy()
    with pytest.raises(ValueError) as error:
        kernel.matmul(*arguments)
    for word in ["matmul", *words]:
        assert word in str(error.value)
    assert (before == OUT).all()


@pytest.mark.parametrize("change, word", [
    ({"g": None}, "g must be"), ({"x": None}, "x must be"), ({"w": None}, "w must be"),
    ({"x": np.ones((2, 4), "f4")}, "x must be of shape (3, 4)"), ({"w": np.ones((4, 6), "f4")}, "w must be of shape"),
    ({"dx": np.ones((2, 4), "f4")}, "dx must be of size 3"), ({"db": np.ones(6, "f4")}, "db must be of 5 entries"),
    ({"dw": np.ones((4, 5))}, "dw must be float32"),
])
def test_linear_backward_refusals(change, word):
    arguments = {"g": np.ones((3, 5), "f4"), "x": np.ones((3, 4), "f4"), "w": np.ones((4, 5), "f4"),
                 "dx": np.full((3, 4), 9, "f4"), "dw": np.full((4, 5), 9, "f4"), "db": np.full(5, 9, "f4")}
    outputs = [arguments[name] for name in ("dx", "dw", "db") if name not in change]
    with pytest.raises(ValueError, match="linear_backward") as error:
        kernel.linear_backward(*{**arguments, **change}.values())
    assert word in str(error.value)
    assert all((out == 9).all() for out in outputs)


def test_subnormals_are_flushed_and_the_callers_mode_comes_back():
    tiny = np.float32(1e-20)
    for size in (4, 400):                                        # one thread, several
        runtime.set_num_threads(4)
        a, out = np.full((size, size), tiny), np.ones((size, size), "f4")
        kernel.matmul(a, a, out)
        assert (out == 0).all()                                  # 1e-40 each, subnormal
        assert tiny * tiny > 0                                   # here they live on
        assert (np.full(1000, tiny) * tiny > 0).all()


def test_many_python_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((100, 300)).astype("f4"), rng.standard_normal((300, 200)).astype("f4")
    expected = np.empty((100, 200), "f4")
    kernel.matmul(a, b, expected)

    def work(_):
        out = np.empty_like(expected)
        for _ in range(20):
            kernel.matmul(a, b, out)
        return out.tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {expected.tobytes()}
