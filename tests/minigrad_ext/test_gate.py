"""The gate in front of every kernel: what no kernel may be given, whatever its family."""
import array
import ctypes
import inspect

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from minigrad import optim  # noqa: F401  (its classes register the kernels)
from minigrad.kernels import TWINS

if any(twin.compiled is None for twin in TWINS.values()):
    pytest.skip("the kernels are not compiled", allow_module_level=True)

WINDOWS = (1, 1, 0, 0, 1, 1, 1)
TILES = np.array([[0, 2], [2, 4]])
# The arguments of a small call of each kernel: every one is accepted as it stands.
CALLS = {
    "matmul": lambda f: (f(3, 4), f(4, 5), f(3, 5)),
    "linear_backward": lambda f: (f(3, 5), f(3, 4), f(4, 5), f(3, 4), f(4, 5), f(5)),
    "softmax": lambda f: (f(3, 4), f(3, 4)),
    "log_softmax": lambda f: (f(3, 4), f(3, 4)),
    "cross_entropy": lambda f: (f(3, 4), np.array([0, 1, 3]), f(1)),
    "cross_entropy_backward": lambda f: (f(3, 4), np.array([0, 1, 3]), 1.0, f(3, 4)),
    "relu": lambda f: (f(3, 4), f(3, 4)),
    "sigmoid": lambda f: (f(3, 4), f(3, 4)),
    "relu_gate": lambda f: (f(3, 4), f(3, 4), f(3, 4)),
    "sigmoid_gate": lambda f: (f(3, 4), f(3, 4), f(3, 4)),
    "tanh_gate": lambda f: (f(3, 4), f(3, 4), f(3, 4)),
    "conv2d": lambda f: (f(2, 4, 4, 3), f(2, 2, 3, 5), f(5), f(2, 3, 3, 5), WINDOWS),
    "conv2d_x": lambda f: (f(2, 3, 3, 5), f(2, 2, 3, 5), f(2, 4, 4, 3), WINDOWS),
    "conv2d_w": lambda f: (f(2, 4, 4, 3), f(2, 3, 3, 5), f(2, 2, 3, 5), f(5), WINDOWS),
    "max_pool2d": lambda f: (f(2, 4, 4, 3), TILES, TILES, f(2, 2, 2, 3), np.zeros((2, 2, 2, 3), np.int32)),
    "max_pool2d_x": lambda f: (f(2, 2, 2, 3), np.zeros((2, 2, 2, 3), np.int32), TILES, TILES, f(2, 4, 4, 3)),
    "max_pool2d_take": lambda f: (f(2, 4, 4, 3), np.zeros((2, 2, 2, 3), np.int32), TILES, TILES, f(2, 2, 2, 3)),
    "avg_pool2d": lambda f: (f(2, 4, 4, 3), TILES, TILES, 0.25, f(2, 2, 2, 3)),
    "avg_pool2d_x": lambda f: (f(2, 2, 2, 3), TILES, TILES, 0.25, f(2, 4, 4, 3)),
    "batch_norm": lambda f: (f(6, 3), f(3), f(3), 1e-5, True, f(6, 3), f(3), f(3)),
    "batch_norm_backward": lambda f: (f(6, 3), f(6, 3), f(3), f(3), f(3), f(3), 1e-5, True, f(6, 3), f(3), f(3)),
    "layer_norm": lambda f: (f(6, 3), f(3), f(3), 1e-5, f(6, 3)),
    "layer_norm_backward": lambda f: (f(6, 3), f(6, 3), f(3), 1e-5, f(6, 3), f(3), f(3)),
}


def _update(name):
    """The call of an optimizer's kernel: its arrays (n,), then its numbers (in `interim` the last one is an array)."""
    names = TWINS[name].numpy.__doc__.split(":")[0].partition("(")[2][:-1].split(", ")
    arrays = {"theta", "g", "v", "r", "u", "s", "rate", "d", "g_before", "g_bar", "v_bar", "h_bar", "tau", "g2", "h",
              "out"}
    return lambda f: tuple(f(8) if argument in arrays else 0.5 for argument in names)


CALLS |= {name: _update(name) for name, twin in TWINS.items() if twin.family == "optim"}


def call(name, dtype="f8"):
    """Fresh arguments, and the places of the arrays among them."""
    arguments = list(CALLS[name](lambda *shape: np.ones(shape, dtype)))
    return arguments, [i for i, value in enumerate(arguments) if isinstance(value, np.ndarray)]


def test_every_kernel_is_called_here():
    assert set(CALLS) == set(TWINS)


@pytest.mark.parametrize("name", CALLS)
def test_arrays_that_state_no_strides_are_refused(name):
    """ctypes exports buffers whose strides are NULL, though it was asked for them."""
    arguments, places = call(name)
    TWINS[name].compiled(*arguments)
    for place in places:
        arguments, _ = call(name)
        flat = (ctypes.c_double * arguments[place].size)()
        for bad in (flat, memoryview(flat), (ctypes.c_double * 2 * 2)(), ctypes.c_double(1.0), b"12345678", 1.0, None):
            arguments[place] = bad
            if bad is None and None in _defaults(name, place):
                continue
            with pytest.raises(ValueError, match=name):
                TWINS[name].compiled(*arguments)


def _defaults(name, place):
    """[None] where the documentation allows None: what is not wanted, or not there."""
    parameter = list(inspect.signature(TWINS[name].numpy).parameters)[place] if TWINS[name].family != "optim" else ""
    optional = {"linear_backward": {"dx", "dw", "db"}, "conv2d": {"b"}, "conv2d_w": {"db"},
                "batch_norm_backward": {"dx", "dgamma", "dbeta"}, "layer_norm_backward": {"dx", "dgamma", "dbeta"}}
    return [None] if parameter in optional.get(name, ()) else []


@pytest.mark.parametrize("name", CALLS)
def test_another_number_of_axes_is_refused(name):
    any_axes = {("cross_entropy", 2), ("linear_backward", 5)}      # one number; o numbers in a row
    for place in call(name)[1]:
        for change in (lambda a: np.array(a.flat[0]), lambda a: a.reshape(-1, *a.shape)[None], lambda a: a[..., None]):
            arguments, _ = call(name)
            arguments[place] = change(arguments[place])
            if (name, place) in any_axes or name == "matmul" and arguments[place].ndim > 1:       # or a stack
                continue
            with pytest.raises(ValueError, match=name):
                TWINS[name].compiled(*arguments)


def test_a_product_into_a_number_is_refused():
    a = np.ones((2, 2))
    for bad in (np.array(1.0), np.ones(2), np.ones(())):
        with pytest.raises(ValueError, match="matmul: out must be"):
            TWINS["matmul"].compiled(a, a, bad)
    for bad in (np.array(1.0), np.ones(2)):
        with pytest.raises(ValueError, match="matmul: out must be a matrix"):
            TWINS["matmul"].compiled(bad, a, np.ones((2, 2)))


@pytest.mark.parametrize("name", CALLS)
def test_an_output_that_meets_itself_is_refused(name):
    """Entries that share memory (as_strided, a broadcast view): the order of writing would decide."""
    only_read = {"matmul": (0, 1), "linear_backward": (0, 1, 2)}.get(name, ())         # in any strides
    for place in call(name)[1]:
        arguments, _ = call(name)
        like = arguments[place]
        if like.size < 2 or place in only_read:
            continue
        base = np.ones(like.size, like.dtype)
        arguments[place] = as_strided(base, like.shape, [like.itemsize] * like.ndim if like.ndim > 1 else [0])
        with pytest.raises(ValueError, match=name):
            TWINS[name].compiled(*arguments)
        assert (base == 1).all()


@pytest.mark.parametrize(("shape", "strides", "apart"), [
    ((3, 4), (4, 1), True), ((3, 4), (5, 1), True), ((3, 4), (-4, 1), True), ((3, 4), (3, 1), False),
    ((3, 4), (0, 1), False), ((3, 4), (-3, 1), False), ((1, 4), (0, 1), True), ((2, 3, 4), (4, 8, 1), True),
    ((2, 3, 4), (12, 4, 1), True), ((2, 3, 4), (4, 4, 1), False), ((2, 3, 4), (8, 4, 1), False),
    ((2, 1, 4), (4, 0, 1), True), ((0, 4), (0, 1), True), ((2, 3, 1), (1, 2, 7), True), ((2, 3, 1), (1, 1, 7), False),
])
def test_which_strides_keep_the_entries_of_out_apart(shape, strides, apart):
    base = np.zeros(64)
    start = -sum(step * (n - 1) for step, n in zip(strides, shape) if step < 0)
    out = as_strided(base[start:], shape, [8 * step for step in strides])
    a, b = np.ones((*shape[:-1], 2)), np.ones((2, shape[-1]))
    if apart:
        TWINS["matmul"].compiled(a, b, out)
        assert (out == 2).all() and base.sum() == 2 * out.size
    else:
        with pytest.raises(ValueError, match="matmul: out must be an array whose entries lie apart"):
            TWINS["matmul"].compiled(a, b, out)
        assert not base.any()


def test_an_overlap_is_seen_from_both_ends_of_a_reversed_array():
    """With a negative stride the entries lie below the address of the first one."""
    base = np.zeros((8, 4))
    out, a, b = base[5:1:-1], np.ones((4, 4)), np.ones((4, 4))               # rows 5, 4, 3, 2
    for row, bias in enumerate(base):
        if 2 <= row <= 5:
            with pytest.raises(ValueError, match="share memory"):
                TWINS["matmul"].compiled(a, b, out, False, bias)
            with pytest.raises(ValueError, match="share memory"):
                TWINS["matmul"].compiled(np.ones((4, 1)), bias[None], out)
        else:
            TWINS["matmul"].compiled(a, b, out, False, bias)
            TWINS["matmul"].compiled(a, b, out[::-1], False, bias)
    assert (base[2:6] == 4).all() and not base[:2].any() and not base[6:].any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_strides_that_are_no_multiple_of_an_item_are_refused(dtype):
    """A field of packed records: every second number would be read across two."""
    records = np.zeros((3, 4), [("x", dtype), ("flag", "i1")])
    x, ok = records["x"], np.ones((3, 4), dtype)
    for arguments in ((x, ok.T, np.empty((3, 3), dtype)), (ok, x.T, np.empty((3, 3), dtype)), (ok, ok.T, x[:, :3])):
        with pytest.raises(ValueError, match="aligned to|contiguous along its last axis"):
            TWINS["matmul"].compiled(*arguments)
    for axis in range(2):                                # one axis of odd strides is enough
        raw = np.zeros(200, np.uint8)
        strides = [16 * ok.itemsize, ok.itemsize]
        strides[axis] += 1
        odd = as_strided(raw[:8].view(dtype), (3, 2), strides)
        with pytest.raises(ValueError, match="a must be aligned"):
            TWINS["matmul"].compiled(odd, np.ones((2, 2), dtype), np.empty((3, 2), dtype))


def test_what_other_libraries_export_is_taken():
    theta, g = array.array("d", [1, 2, 3]), array.array("d", [1, 1, 1])
    TWINS["sgd"].compiled(theta, g, 0.5)
    assert theta.tolist() == [0.5, 1.5, 2.5]
    TWINS["sgd"].compiled(memoryview(theta), memoryview(g), 0.5)
    assert theta.tolist() == [0, 1, 2]


class Seven:
    """An integer of another library: it says so through __index__."""
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


@pytest.mark.parametrize("integer", [int, np.int8, np.int64, np.uint64, Seven])
def test_windows_take_every_kind_of_integer(integer):
    x, w, want = np.ones((1, 5, 5, 1)), np.ones((2, 2, 1, 1)), np.full((1, 2, 2, 1), 4.0)
    y = np.empty_like(want)
    TWINS["conv2d"].compiled(x, w, None, y, tuple(integer(size) for size in (2, 2, 0, 0, 1, 1, 1)))
    np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("place", range(7))
def test_windows_beyond_all_memory_are_refused(place):
    """The product that bounds them is taken in Python's integers: NumPy's would wrap around below the bound."""
    x, w = np.ones((1, 4, 4, 1)), np.ones((2, 2, 1, 1))
    shapes = {"conv2d": (x, w, None, np.ones((1, 3, 3, 1))), "conv2d_x": (np.ones((1, 3, 3, 1)), w, x.copy()),
              "conv2d_w": (x, np.ones((1, 3, 3, 1)), w.copy(), None)}
    for name, arrays in shapes.items():
        for huge in (np.int64(2**62 + 10**9), np.int64(2**63 - 1), 2**62, 2**64 + 1, 10**30, np.uint64(2**63),
                     -2**62, np.int64(-2**63), 1.0, "1", None):
            windows = list(WINDOWS)
            windows[place] = huge
            with pytest.raises(ValueError, match=name):
                TWINS[name].compiled(*arrays, tuple(windows))
    for wrong in (WINDOWS[:6], (*WINDOWS, 1), 1, None, "1111111"):
        with pytest.raises(ValueError, match="conv2d: windows must be"):
            TWINS["conv2d"].compiled(*shapes["conv2d"], wrong)
