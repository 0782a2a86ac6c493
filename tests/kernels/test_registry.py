"""Every compiled kernel has a NumPy twin of the same name and parameters; the switches choose between them."""
import importlib
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

from minigrad import kernels

MODULES = []                             # empty where nothing is compiled or MINIGRAD_KERNELS=numpy switches it off
for _family in kernels.FAMILIES if os.environ.get("MINIGRAD_KERNELS") != "numpy" else ():
    try:
        MODULES.append(importlib.import_module(f"minigrad_ext.{_family}"))
    except ImportError:
        continue
COMPILED = [(module.__name__.rpartition(".")[2], name) for module in MODULES
            for name, value in vars(module).items() if not name.startswith("_") and type(value).__name__ in
            ("cython_function_or_method", "builtin_function_or_method", "_Update")]


@pytest.mark.parametrize("family, name", COMPILED)
def test_every_compiled_kernel_has_a_twin(family, name):
    twin = kernels.TWINS[name]
    fast = getattr(importlib.import_module(f"minigrad_ext.{family}"), name)
    assert twin.family == family and twin.compiled is fast
    wanted = inspect.signature(twin.numpy).parameters
    if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in wanted.values()):
        assert list(inspect.signature(fast).parameters) == list(wanted)


def _arguments(name, dtype):
    """Inputs, then outputs by name, of the kernels of matmul, softmax and elementwise."""
    rng = np.random.default_rng(7)
    make = lambda *shape: rng.standard_normal(shape).astype(dtype)
    labels = rng.integers(0, 6, 9)
    return {
        "matmul": lambda: (make(5, 9, 4), make(4, 6), make(5, 9, 6), True, make(6)),
        "linear_backward": lambda: (make(9, 6), make(9, 4), make(4, 6), make(9, 4), make(4, 6), make(6), True, False),
        "softmax": lambda: (make(3, 9, 6), make(3, 9, 6)),
        "log_softmax": lambda: (make(3, 9, 6), make(3, 9, 6)),
        "cross_entropy": lambda: (make(9, 6), labels, make()),
        "cross_entropy_backward": lambda: (make(9, 6), labels, 0.7, make(9, 6)),
    }.get(name, lambda: tuple(make(9, 6) for _ in inspect.signature(kernels.TWINS[name].numpy).parameters))()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", [name for family, name in COMPILED if family in ("matmul", "softmax", "elementwise")])
def test_twins_agree(name, dtype):
    one, other = _arguments(name, dtype), _arguments(name, dtype)
    kernels.TWINS[name].compiled(*one)
    kernels.TWINS[name].numpy(*other)
    for fast, slow in zip(one, other, strict=True):
        np.testing.assert_allclose(fast, slow, rtol=60 * np.finfo(dtype).eps, atol=60 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_backward"])
def test_twins_refuse_the_same_labels(name):
    for labels in (np.array([0, 6] * 4 + [0]), np.array([-1] * 9), np.zeros(8, "i8"), np.zeros(9, "i4")):
        for kernel in kernels.TWINS[name][1:]:
            if kernel is not None:
                z, _, *rest = _arguments(name, "f4")
                with pytest.raises(ValueError, match="labels"):
                    kernel(z, labels, *rest)


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="matmul.*'conv3d'"):
        kernels.kernel("conv3d")


def _python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True,
                          text=True, timeout=60)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_of_zeros_begin_with_a_cache_line(dtype):
    """NumPy's are at a multiple of 16 bytes: of a hundred, three quarters would not."""
    found = [kernels.zeros(n, dtype) for n in (1, 3, 1000, 101_770, 500_000) for _ in range(20)]
    for i, x in enumerate(found):
        assert x.ctypes.data % 64 == 0 and not x.any() and x.dtype == dtype and x.flags.c_contiguous
        x[...] = i
    assert [x.size for x in found[::20]] == [1, 3, 1000, 101_770, 500_000] and kernels.zeros(0, dtype).shape == (0,)
    assert all((x == i).all() for i, x in enumerate(found))


def test_switches():
    show = ("import minigrad.kernels as k; k.set_num_threads(1); "
            "print(k.compiled, k.isa, k.get_num_threads(), all(t.compiled is None for t in k.TWINS.values()))")
    done = _python(show, MINIGRAD_KERNELS="numpy", MINIGRAD_REQUIRE_EXT="")
    assert done.stdout.split() == ["False", "numpy", "1", "True"], done.stderr
    wrong = _python(show, MINIGRAD_KERNELS="numpy", MINIGRAD_REQUIRE_EXT="1")
    assert wrong.returncode != 0 and "MINIGRAD_KERNELS=numpy" in wrong.stderr
    check = "import minigrad.kernels as k; k.set_num_threads(0)"
    for switch in ("numpy", ""):
        wrong = _python(check, MINIGRAD_KERNELS=switch, MINIGRAD_REQUIRE_EXT="")
        assert "set_num_threads: n must be an int >= 1, got 0" in wrong.stderr


def test_a_missing_extension_is_an_error_when_one_is_required():
    show = "import minigrad.kernels as k; print(*k.missing, k.compiled)"
    without = "import sys; sys.modules['minigrad_ext.matmul'] = None; " + show
    *missing, _ = _python(show, MINIGRAD_KERNELS="", MINIGRAD_REQUIRE_EXT="").stdout.split()     # [] where all is built
    done = _python(without, MINIGRAD_KERNELS="", MINIGRAD_REQUIRE_EXT="")
    *found, compiled = done.stdout.split()
    assert set(found) == {*missing, "matmul"} and compiled == "False", done.stderr
    done = _python(without, MINIGRAD_KERNELS="", MINIGRAD_REQUIRE_EXT="1")
    name = "runtime" if "runtime" in missing else "matmul"
    assert done.returncode != 0
    assert f"MINIGRAD_REQUIRE_EXT=1, but minigrad_ext.{name} cannot be imported" in done.stderr


def test_python_m_minigrad_prints_what_a_bug_report_needs():
    done = subprocess.run([sys.executable, "-m", "minigrad"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for word in ("minigrad", "compiled kernels", "instruction set", "threads", "NumPy", "Python", "platform"):
        assert any(line.startswith(word) for line in done.stdout.splitlines())


@pytest.mark.parametrize("name, wish, accepted", [("MINIGRAD_KERNELS", "NumPy", "must be numpy, or unset"),
                                                  ("MINIGRAD_KERNELS", "0", "must be numpy, or unset"),
                                                  ("MINIGRAD_REQUIRE_EXT", "yes", "must be 0 or 1, or unset")])
def test_a_switch_that_is_mistyped_is_refused(name, wish, accepted):
    """It was taken for unset: the kernels ran although they had been switched off, or a fallback although refused."""
    wrong = _python("import minigrad", **{"MINIGRAD_KERNELS": "", "MINIGRAD_REQUIRE_EXT": "", name: wish})
    assert wrong.returncode != 0 and f"ValueError: {name}={wish}: {accepted}" in wrong.stderr


def test_one_warning_says_what_to_do_where_kernels_are_not_built():
    code = "import sys; sys.modules['minigrad_ext.conv'] = None; import minigrad, minigrad.kernels"
    done = _python(code, MINIGRAD_KERNELS="", MINIGRAD_REQUIRE_EXT="")
    assert done.returncode == 0 and done.stderr.count("RuntimeWarning") == 1, done.stderr
    assert "conv" in done.stderr and "build_ext" in done.stderr and "MINIGRAD_KERNELS=numpy" in done.stderr
    assert "Warning" not in _python(code, MINIGRAD_KERNELS="numpy", MINIGRAD_REQUIRE_EXT="").stderr
