"""The kernels: every one a NumPy function, replaced by its compiled namesake from `minigrad_ext` where that is built.

The NumPy function is the definition: it is what the tests compare the compiled one with, and what runs where no
compiler was found, or where it was edited since the build (see `minigrad.texts`). `MINIGRAD_KERNELS=numpy` switches
the compiled ones off; `MINIGRAD_REQUIRE_EXT=1` turns a missing extension into an error.

    compiled             True if every family that has a source is built and switched on
    isa                  "avx512", "avx2", "baseline", or "numpy" where nothing is compiled
    missing              the families that should be compiled and are not
    set_num_threads(n)   kernels use at most n threads (default: MINIGRAD_NUM_THREADS, else OMP_NUM_THREADS, else all
                         processors allowed; never more than OMP_THREAD_LIMIT)
    empty(shape, dtype)  an array for a result; the memory of the large ones that died last is used again, up to
                         MINIGRAD_KEEP_MEMORY MiB (default 64; 0: numpy.empty)
    reuse(), reuse(before)  NumPy's own arrays, too, are made so from the first call to the second, in this thread;
                         worth its 0.2 us for arrays of `large` bytes
    zeros(n, dtype)      a vector for what every step reads and writes; it begins with a cache line
"""
from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np

from minigrad import texts

CACHE_LINE = 64                              # bytes, of all processors that we know but Apple's (128)
FAMILIES = ("matmul", "softmax", "elementwise", "optim", "conv", "pool", "norm")


class Twin(NamedTuple):
    """One kernel: its family (file), its NumPy definition and its compiled form (None where it is not built)."""
    family: str
    numpy: object
    compiled: object


TWINS: dict[str, Twin] = {}


def _switch(name, *values):
    """The value of an environment variable, one of `values` or "" (unset)."""
    wish = os.environ.get(name, "")
    if wish not in ("", *values):
        raise ValueError(f"{name}={wish}: must be {' or '.join(values)}, or unset")
    return wish


def _sources():
    """The families and `runtime` that have a source: a .pyx in a checkout, a stub where minigrad is installed."""
    spec = importlib.util.find_spec("minigrad_ext")
    if spec is None:
        return []
    files = os.listdir(os.path.dirname(spec.origin))
    return [name for name in ("runtime", "memory", *FAMILIES) if f"{name}.pyx" in files or f"{name}.pyi" in files]


def _load(name):
    try:
        if name in FAMILIES and f"source {name}" not in texts.built():
            raise ImportError(f"it is not known from which texts it was built ({texts.RECORD}); build again")
        return importlib.import_module(f"minigrad_ext.{name}")
    except ImportError as error:
        if _required:
            raise ImportError(f"MINIGRAD_REQUIRE_EXT=1, but minigrad_ext.{name} cannot be imported: {error}") from error
        return None


_switched_off = _switch("MINIGRAD_KERNELS", "numpy") == "numpy"
_required = _switch("MINIGRAD_REQUIRE_EXT", "0", "1") == "1"
_modules = {} if _switched_off else {name: _load(name) for name in _sources()}
if _required and not _modules:
    reason = "MINIGRAD_KERNELS=numpy switches the kernels off" if _switched_off else "minigrad_ext is not installed"
    raise ImportError(f"MINIGRAD_REQUIRE_EXT=1, but {reason}")
_runtime, _memory = _modules.get("runtime"), _modules.get("memory")

missing: list[str] = [name for name, module in _modules.items() if module is None]
compiled: bool = bool(_modules) and not missing
isa = _runtime.isa() if _runtime else "numpy"
_browser = sys.platform in ("emscripten", "wasi")        # no compiler there to tell of, nor threads
if not compiled and not _switched_off and not _browser:
    warnings.warn(f"minigrad: compiled kernels are not built ({', '.join(missing) or 'all'}); NumPy runs in their "
                  "place, several times slower. Where there is a C compiler (gcc, clang, MSVC) they are built by "
                  "installing minigrad, or in a checkout by `python setup.py build_ext --inplace`. Set "
                  "MINIGRAD_KERNELS=numpy if NumPy is what you want",
                  RuntimeWarning, stacklevel=2)


def _kept_memory():
    """MINIGRAD_KEEP_MEMORY in bytes."""
    wish = os.environ.get("MINIGRAD_KEEP_MEMORY") or "64"
    if not wish.isdecimal():
        raise ValueError(f"MINIGRAD_KEEP_MEMORY={wish}: must be an int >= 0, in MiB")
    return int(wish) << 20


empty: Any = np.empty                        # where ops get the arrays they return: shape (a tuple), dtype
large: int = sys.maxsize                     # bytes of arrays that are worth `reuse`
reuse: Any = None
if _memory and _kept_memory():
    _memory.use(np.empty, np.ndarray)
    _memory.keep(_kept_memory())
    empty = _memory.empty
    if np.__version__.startswith("2."):      # whose table of C functions memory.pyx knows
        _memory.hook(np._core._multiarray_umath._ARRAY_API)          # type: ignore[attr-defined]
        large, reuse = _memory.large, _memory.reuse


def zeros(n: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Zeros (n,) at a multiple of 64 bytes, so that no 64 bytes that a kernel takes at once lie in two lines of the
    cache.

    NumPy's are at a multiple of 16, and large ones fresh from the system all 16 bytes behind the start of a page: then
    processors also take a read for one of what was just written, in another vector at the same place of its page. A
    step of Adam, 100,000 float32, one thread: 31 us, at such places 36; of a net of that size, batch 1: 82 us, NumPy's
    vectors 84 to 90, at such places 127 to 190.
    """
    size = np.dtype(dtype).itemsize
    room = np.zeros(n + CACHE_LINE // size, dtype)
    start = -room.ctypes.data % CACHE_LINE // size
    return room[start:start + n]


def kernel(family: str, text: Any = None) -> Any:
    """Decorator: register a NumPy kernel and return its compiled namesake from `minigrad_ext.<family>`, if that is
    built, and built for this text.

    text: the function that was written, where the decorated one is made from it.
    """
    if family not in FAMILIES:
        raise ValueError(f"kernel: family must be one of {', '.join(FAMILIES)}, got {family!r}")

    def choose(function):
        name = function.__name__
        fast = getattr(_modules.get(family), name, None)
        TWINS[name] = Twin(family, function, fast)
        return function if fast is None or not texts.is_twin(text or function, name) else fast
    return choose


def flush(*outputs: Any) -> None:
    """Subnormal results become 0, as in the compiled products, where they would cost up to 100 times a normal number.

    That is the one policy: sums of products (matmul, linear, convolutions) flush what they write and every partial sum
    that is subnormal; averages of optimizers forget what has become subnormal (kernels/optim.py). Everything else, in
    what it reads and writes, treats subnormals as numbers.
    """
    for y in outputs:
        if y is not None:
            y *= np.abs(y) >= np.finfo(y.dtype).tiny     # not y[...] = 0: NaN stays


def set_num_threads(n: int) -> None:
    """Let compiled kernels use at most n threads (n >= 1); results have the same bits for every n.

    The NumPy twins use one thread of ours and whatever NumPy's BLAS was told; for them n is checked and has no effect.
    """
    if _runtime:
        _runtime.set_num_threads(n)
    elif isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: n must be an int >= 1, got {n!r}")


def get_num_threads() -> int:
    """How many threads a compiled kernel uses at most (1 on the NumPy twins and in a build without threads)."""
    return _runtime.get_num_threads() if _runtime else 1


def threaded() -> bool:
    """Can the compiled kernels use more than one thread?"""
    return bool(_runtime and _runtime.threaded())


for _family in FAMILIES:                     # the twins, as kernels.matmul, kernels.softmax, ...
    if f"{_family}.py" in os.listdir(os.path.dirname(__file__)):
        importlib.import_module(f"{__name__}.{_family}")
