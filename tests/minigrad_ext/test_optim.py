"""The compiled updates: the bits of the NumPy text, for every dtype, length, thread count; nothing written outside."""
import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from minigrad import optim  # noqa: F401  (its classes register the kernels)
from minigrad.kernels import TWINS

compiled = pytest.importorskip("minigrad_ext.optim")
runtime = importlib.import_module("minigrad_ext.runtime")

KERNELS = sorted(name for name, twin in TWINS.items() if twin.family == "optim")
NUMBERS = dict(lr=0.01, momentum=0.9, next_momentum=0.95, rho=0.9, rho1=0.8, rho2=0.99, delta=1e-6, t=3, eta=0.7,
               weight_decay=0.01, kappa=0.001, phi=0.1, up=1.2, down=0.5, smallest=1e-6, largest=50.0, m=7)
POSITIVE = {"r", "u", "v_bar", "h_bar", "tau", "rate", "g2"}
ROUNDED = {("adam", "theta"), ("adamw", "theta")}            # corrections as factors: the last digit may differ
READ_ONLY = {"interim": {"theta", "v"}, "vsgd": {"g", "g2", "h"}}


def names_of(name):
    signature = TWINS[name].numpy.__doc__.split(":")[0]
    return signature[signature.index("(") + 1:-1].split(", ")


def arguments(name, n, dtype, rng):
    """One value per argument; arrays are the middle of a longer array of sentinels (guard bands)."""
    made = []
    for argument in names_of(name):
        if argument in NUMBERS:
            made.append(NUMBERS[argument])
            continue
        base = np.full(n + 64, 777.0, dtype=dtype)
        values = rng.standard_normal(n)
        base[32:32 + n] = np.abs(values) + (argument == "tau") if argument in POSITIVE else values
        if argument in ("g", "d", "g_before") and n:
            base[32 + rng.integers(n)] = 0                                    # exact zeros take the third branch
        made.append(base[32:32 + n])
    return made


def copied(arguments):
    out = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            base = value.base.copy()
            value = base[32:32 + len(value)]
        out.append(value)
    return out


def agree(name, argument, got, wanted):
    """The same bits; in two outputs of two kernels the same to a few units of the last place."""
    if (name, argument) in ROUNDED:
        few = 4 * np.finfo(got.dtype).eps
        np.testing.assert_allclose(got, wanted, rtol=few, atol=few)
    else:
        np.testing.assert_array_equal(got, wanted, err_msg=f"{name}: {argument}")


def test_every_kernel_is_compiled():
    assert len(KERNELS) >= 16
    assert set(KERNELS) == {name for name, value in vars(compiled).items() if callable(value) and name[0] != "_"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KERNELS)
def test_equals_the_numpy_text_and_stays_inside(name, dtype):
    rng = np.random.default_rng(0)
    for n in [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 1000, 1003]:
        ours, theirs = arguments(name, n, dtype, rng), None
        theirs = copied(ours)
        TWINS[name].numpy(*theirs)
        untouched = copied(ours)
        getattr(compiled, name)(*ours)
        for argument, a, b, c in zip(names_of(name), ours, theirs, untouched):
            if isinstance(a, np.ndarray):
                agree(name, argument, a.base, b.base)
                if argument in READ_ONLY.get(name, {"g"}):
                    np.testing.assert_array_equal(a.base, c.base)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KERNELS)
def test_bits_do_not_depend_on_the_thread_count(name, dtype):
    start, before = arguments(name, 150_001, dtype, np.random.default_rng(1)), runtime.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 4, 7):
            runtime.set_num_threads(threads)
            ours = copied(start)
            getattr(compiled, name)(*ours)
            results.append(ours)
    finally:
        runtime.set_num_threads(before)
    for result in results[1:]:
        for a, b in zip(result, results[0]):
            if isinstance(a, np.ndarray):
                assert np.array_equal(a.base, b.base)


@pytest.mark.parametrize("name", KERNELS)
def test_nan_and_inf_pass_through_as_in_numpy(name):
    for bad in (np.nan, np.inf, -np.inf):
        ours = arguments(name, 40, np.float64, np.random.default_rng(2))
        position = 1 if name == "interim" else names_of(name).index("g")
        ours[position][::3] = bad
        theirs = copied(ours)
        with np.errstate(all="ignore"):
            TWINS[name].numpy(*theirs)
        getattr(compiled, name)(*ours)
        for argument, a, b in zip(names_of(name), ours, theirs):
            if isinstance(a, np.ndarray):
                agree(name, argument, a, b)


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_gives_the_same_bits(isa):
    if isa not in runtime.available():
        pytest.skip(f"this machine has no {isa}")
    code = """if True:
        import hashlib, numpy as np
        from minigrad_ext import optim
        total = hashlib.sha256()
        for dtype in (np.float32, np.float64):
            rng = np.random.default_rng(0)
            theta, g, s, r, v = (np.abs(rng.standard_normal(1003)).astype(dtype) for _ in range(5))
            optim.adam(theta, g, s, r, 0.1, 0.9, 0.999, 1e-8, 7)
            optim.rprop(theta, g - 1, r, s, 1.2, 0.5, 1e-6, 50.0)
            optim.adadelta(theta, g, s, r, 1.0, 0.9, 1e-6)
            optim.rmsprop_nesterov(theta, g, r, v, 0.1, 0.9, 0.9, 1e-6)
            for array in (theta, g, s, r, v):
                total.update(array.tobytes())
        print(total.hexdigest())"""
    def digest(isa):
        environment = os.environ | {"MINIGRAD_ISA": isa}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True,
                              check=True).stdout
    assert digest(isa) == digest("baseline")


def test_subnormals_are_flushed_inside_and_the_callers_mode_is_restored():
    tiny = np.full(64, 1e-40, dtype=np.float32)
    theta, g, s, r = np.ones(64, np.float32), np.zeros(64, np.float32), tiny.copy(), tiny.copy()
    compiled.adam(theta, g, s, r, 0.1, 0.9, 0.999, 1e-8, 1000)
    assert not s.any() and not r.any()
    assert (tiny * np.float32(0.5)).any()                                      # NumPy still has its subnormals


ADAM = ("theta", "g", "s", "r")


def adam(**changed):
    arrays = {name: np.ones(8) for name in ADAM} | changed
    compiled.adam(*arrays.values(), 0.1, 0.9, 0.999, 1e-8, 1)


@pytest.mark.parametrize(("changed", "message"), [
    (dict(g=np.ones(7)), r"adam: g must be of the shape of theta \(8,\), got shape \(7,\)"),
    (dict(s=np.ones(8, np.float32)), "s must be float64 like the arrays before it, got float32"),
    (dict(theta=np.ones(8, int)), "theta must be float32 or float64"),
    (dict(theta=np.ones(8, ">f8")), "theta must be float32 or float64 in native byte order"),
    (dict(r=np.ones((8, 1))), "r must be an array with 1 axes"),
    (dict(r=np.ones(16)[::2]), "r must be C-contiguous"),
    (dict(r=np.ones(8)[::-1]), "r must be C-contiguous"),
    (dict(g=None), "g must be an array of numbers, got NoneType"),
    (dict(g=[1.0] * 8), "g must be an array of numbers, got list"),
    (dict(theta=np.frombuffer(np.ones(8).tobytes())), "theta must be writable"),
    (dict(s=np.frombuffer(b"\0" * 65, np.uint8)[1:].view(np.float64)), "writable|aligned"),
], ids=str)
def test_the_gate_says_what_was_wrong_and_nothing_is_written(changed, message):
    with pytest.raises(ValueError, match=message):
        adam(**changed)


def test_overlapping_outputs_are_refused():
    base = np.ones(12)
    with pytest.raises(ValueError, match="array arguments 1 and 3 share memory"):
        adam(theta=base[:8], s=base[4:])
    one = np.ones(8)
    with pytest.raises(ValueError, match="share memory"):
        adam(theta=one, g=one)


def test_a_read_only_gradient_is_fine():
    g = np.ones(8)
    g.flags.writeable = False
    adam(g=g)


def test_the_switch_runs_the_numpy_text():
    code = ("import numpy as np; from minigrad import optim; from minigrad.kernels import TWINS, compiled; "
            "print(compiled, optim.Adam.update.kernel, TWINS['adam'].compiled); theta = np.ones(3); "
            "optim.Adam(theta, lr=0.1).step(g=np.ones(3)); print(theta.round(6))")
    environment = {name: value for name, value in os.environ.items() if name != "MINIGRAD_REQUIRE_EXT"}
    out = subprocess.run([sys.executable, "-c", code], env=environment | {"MINIGRAD_KERNELS": "numpy"},
                         capture_output=True, text=True, check=True).stdout
    assert out.split("\n")[:2] == ["False None None", "[0.9 0.9 0.9]"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sgd", "adam", "interim"])
def test_a_streamed_update_is_right_at_every_alignment_and_stays_inside(name, dtype):
    """Whole cache lines of theta are streamed; what lies before and after them is copied."""
    rng, before = np.random.default_rng(6), runtime.get_num_threads()
    for n, offsets in ((30_011, range(17)), (1, [0, 15]), (600_001, [3])):    # the longest is too long to be streamed
        for offset in offsets:
            start = [np.r_[np.full(offset, 777), value, np.full(40, 777)].astype(dtype)[offset:offset + n]
                     if isinstance(value, np.ndarray) else value for value in arguments(name, n, dtype, rng)]
            results = []
            try:
                for threads in (1, 3):
                    runtime.set_num_threads(threads)
                    runtime.stream(threads > 1)
                    whole = [value.base.copy() if isinstance(value, np.ndarray) else value for value in start]
                    getattr(compiled, name)(*[value[offset:offset + n] if isinstance(value, np.ndarray) else value
                                              for value in whole])
                    results.append(whole)
            finally:
                runtime.set_num_threads(before)
                runtime.stream(-1)
            for alone, team in zip(*results):
                np.testing.assert_array_equal(alone, team)


@pytest.mark.long
def test_random_lengths_and_thread_counts():
    rng, before = np.random.default_rng(5), runtime.get_num_threads()
    try:
        for _ in range(300):
            name, n = KERNELS[rng.integers(len(KERNELS))], int(rng.integers(1, 400_000))
            runtime.set_num_threads(int(rng.integers(1, 5)))
            ours = arguments(name, n, (np.float32, np.float64)[rng.integers(2)], rng)
            theirs = copied(ours)
            TWINS[name].numpy(*theirs)
            getattr(compiled, name)(*ours)
            for argument, a, b in zip(names_of(name), ours, theirs):
                if isinstance(a, np.ndarray):
                    agree(name, argument, a.base, b.base)
    finally:
        runtime.set_num_threads(before)
