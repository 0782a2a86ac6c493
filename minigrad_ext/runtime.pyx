"""Threads, instruction set and memory of the compiled kernels: what holds for all families at once."""
import os

from minigrad_ext.gate cimport mg_openmp

cdef extern from "simd.h" nogil:
    int mg_isa_found()
    int mg_processors()
    int mg_keep_memory(long bytes)

NAMES = ("baseline", "avx2", "avx512")

cdef int _threads = 1
cdef int _isa = 0
cdef bint _forked = False


# A thread that has gone to sleep (they spin for microseconds only, see minigrad.kernels) costs 30 to 60 us to wake,
# so it must have about 3,000,000 multiply-adds (50 us and more) of its own to be worth that: the second one comes at
# 12 MFLOP. With 750,000 two threads made a step of the MLP 784-128-10 at batch 32 slower than one (281 for 217 us).
# MINIGRAD_THREAD_GRAIN sets another number; the tests take a small one, so that small cases are split too.
cdef double _grain = 3_000_000


cdef int isa_level() noexcept nogil:
    return _isa


cdef int threads_for(double work) noexcept nogil:
    """Threads for `work` multiply-adds. An elementwise kernel passes elements * 24 (250k elements: two threads)."""
    cdef double most = work / _grain
    if most < 2 or _threads == 1:
        return 1
    return _threads if most >= _threads else <int> most


def set_num_threads(n):
    """Kernels use at most n threads from now on; n >= 1. Without OpenMP, and in a forked child, it stays 1."""
    global _threads
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: n must be an int >= 1, got {n!r}")
    _threads = min(n, 256) if mg_openmp() and not _forked else 1


def get_num_threads():
    """How many threads a kernel uses at most."""
    return _threads


def openmp():
    """Was this build made with OpenMP?"""
    return bool(mg_openmp())


def isa():
    """The instruction set the kernels use: baseline, avx2 or avx512 (MINIGRAD_ISA forces a lower one)."""
    return NAMES[_isa]


def available():
    """The instruction sets this machine can be asked for."""
    return NAMES[:mg_isa_found() + 1]


def plain_c():
    """Was this build made without vector types (MINIGRAD_PLAIN_C=1, or a compiler that has none)?"""
    return bool(PLAIN_C)


cdef extern from *:
    """
    #ifdef MG_PLAIN_C
    #define MG_IS_PLAIN 1
    #else
    #define MG_IS_PLAIN 0
    #endif
    """
    int PLAIN_C "MG_IS_PLAIN"


def keep_memory(long size=1 << 30):
    """Let malloc keep freed blocks up to `size` bytes instead of giving them back to the system; True where it could.

    A fresh array per op costs a page fault per 4 KiB and step (1,761 faults a step of a convolution net, 0 with it). It
    is glibc's mallopt (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD), so it holds for the whole process, not for minigrad alone,
    and memory goes back to the system only at exit. MINIGRAD_KEEP_MEMORY=0 leaves malloc as it is.
    """
    return bool(mg_keep_memory(size))


def _one_thread_in_the_child():
    """libgomp's threads do not survive a fork: the first parallel region in the child would wait for them for ever."""
    global _forked
    _forked = True
    set_num_threads(1)


def _start():
    global _isa, _grain
    wish = os.environ.get("MINIGRAD_ISA") or NAMES[mg_isa_found()]
    if wish not in available():
        raise ValueError(f"MINIGRAD_ISA={wish}: this machine and build have {', '.join(available())}")
    _isa = NAMES.index(wish)
    wish = os.environ.get("MINIGRAD_NUM_THREADS") or str(min(mg_processors(), 256))
    if not wish.isdecimal() or int(wish) < 1:
        raise ValueError(f"MINIGRAD_NUM_THREADS={wish}: must be an int >= 1")
    set_num_threads(int(wish))
    wish = os.environ.get("MINIGRAD_THREAD_GRAIN") or "3000000"
    if not wish.isdecimal() or int(wish) < 1:
        raise ValueError(f"MINIGRAD_THREAD_GRAIN={wish}: must be an int >= 1")
    _grain = int(wish)
    if os.environ.get("MINIGRAD_KEEP_MEMORY") != "0":
        keep_memory()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_one_thread_in_the_child)


_start()
