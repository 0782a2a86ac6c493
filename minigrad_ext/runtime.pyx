"""Threads and instruction set of the compiled kernels: what holds for all families at once."""
import contextlib
import os

cdef extern from "simd.h" nogil:
    int mg_isa_found()

cdef extern from "helpers.h" nogil:
    enum: MOST_THREADS
    enum: MG_THREADS
    int mg_share(int threads, Work work, const void *context, Py_ssize_t parts) noexcept
    void mg_allow_helpers(int most)
    int mg_helpers()
    int mg_awake() noexcept
    int mg_again() noexcept
    void mg_allow_processor(int number)

cdef extern from "scratch.h" nogil:
    int mg_scratch_start()
    void *mg_scratch(int slot, size_t bytes) noexcept

NAMES = ("baseline", "avx2", "avx512")

cdef int _threads = 1
cdef int _limit = MOST_THREADS
cdef int _isa = 0
cdef int _streams = -1


# A helper that has gone to sleep (helpers.h) costs 30 to 60 us to wake, so it must have about 3,000,000 multiply-adds
# (50 us and more) of its own to be worth that: the second thread comes at 12 MFLOP. (Products: half, matmul.pyx.)
# MINIGRAD_THREAD_GRAIN sets another number; the tests take a small one, so that small cases are split too.
cdef double _grain = 3_000_000
cdef enum:
    SHORTEST = 16384             # bytes that are streamed
    LONGEST = 2097152


cdef int isa_level() noexcept nogil:
    return _isa


cdef Team team_for(double work) noexcept nogil:
    """A team for `work` multiply-adds. An elementwise kernel passes elements * 24 (250k elements: two threads)."""
    cdef double most = work / _grain
    cdef Team team
    team.share = mg_share
    team.scratch = mg_scratch
    team.threads = 1 if most < 2 else _threads if most >= _threads else <int> most
    return team


cdef Team team_at_hand(double work, double share, bint rouse) noexcept nogil:
    """The same, for `share` of the work if a helper is still awake from the kernel before: it watches for 200 us, costs
    1 to 2 us, and has its part of the arrays in its cache (a step on 100,000 parameters after backward: a sixth).
    rouse: the second such kernel within 200 us rouses one. Not for a step: where nothing else was shared, what a helper
    writes has to come back (batch 1: 127 us in place of 59).
    """
    cdef Team team = team_for(work / share)
    return team if team.threads < 2 or mg_awake() or rouse and mg_again() else team_for(work)


cdef bint past_caches(Py_ssize_t length) noexcept nogil:
    """Should a kernel stream (mg_stream) an array of `length` bytes, because all threads read it next?

    To write a line of which another processor still has a copy, a processor has that copy revoked, one line after the
    other. Where the two have no cache in common that takes 30 ns, and 0.2 ms for 100,000 float32 which both have read;
    where they have one, 4 ns, and stores past the caches are no slower. Copies are there while a helper is awake, and
    of arrays that fit its cache.
    """
    if length < SHORTEST or length > LONGEST:
        return False
    return _threads > 1 and mg_awake() if _streams < 0 else _streams > 0


def stream(int wanted):
    """For tests: 1, 0: kernels stream or do not, whoever is awake; -1 is the usual. Returns what was before."""
    global _streams
    before, _streams = _streams, wanted
    return before


def set_num_threads(n):
    """Kernels use at most n threads from now on (n >= 1), and no more than OMP_THREAD_LIMIT; 1 in a build without."""
    global _threads
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: n must be an int >= 1, got {n!r}")
    _threads = min(n, _limit) if MG_THREADS else 1


def get_num_threads():
    """How many threads a kernel uses at most."""
    return _threads


def threaded():
    """Can this build use more than one thread?"""
    return bool(MG_THREADS)


def helpers():
    """How many threads were made so far to help the calling one."""
    return mg_helpers()


def allow_helpers(int most):
    """For tests: no more than `most` helpers take part from now on, as if the system refused to make more."""
    mg_allow_helpers(most)


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


def _processors():
    """How many processors this process may run on; helpers are told which, where their callers' own do not tell.

    Asked to bind threads, OpenMP's library binds the one that loads it to a single processor, for everybody. What the
    process may use is then what this thread may now, and the process that began it.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    mine = os.sched_getaffinity(0)
    bind = [os.environ.get(name) for name in ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY")]
    if any(bind) and (bind[0] or "").lower() != "false":
        with contextlib.suppress(OSError):                   # we may not ask of that process
            for number in mine | os.sched_getaffinity(os.getppid()):
                mg_allow_processor(number)
    return len(mine)


def _of_openmp(name):
    """A number from one of OpenMP's variables, which are not ours to refuse: None where it is absent or none.

    OMP_NUM_THREADS may be a list, one number for each level of nesting; the first is the outermost.
    """
    wish = os.environ.get(name, "").split(",")[0].strip()
    return int(wish) if wish.isdecimal() and int(wish) > 0 else None


def _positive(name, default):
    """A number from one of our variables."""
    wish = os.environ.get(name) or str(default)
    if not wish.isdecimal() or int(wish) < 1:
        raise ValueError(f"{name}={wish}: must be an int >= 1")
    return int(wish)


def _start():
    global _isa, _grain, _limit
    if mg_scratch_start():
        raise MemoryError("minigrad_ext.runtime: no key for the work memory of threads")
    wish = os.environ.get("MINIGRAD_ISA") or NAMES[mg_isa_found()]
    if wish not in available():
        raise ValueError(f"MINIGRAD_ISA={wish}: this machine and build have {', '.join(available())}")
    _isa = NAMES.index(wish)
    _limit = min(_of_openmp("OMP_THREAD_LIMIT") or MOST_THREADS, MOST_THREADS)
    processors = _processors()
    set_num_threads(_positive("MINIGRAD_NUM_THREADS", _of_openmp("OMP_NUM_THREADS") or processors))
    _grain = _positive("MINIGRAD_THREAD_GRAIN", 3_000_000)


_start()
