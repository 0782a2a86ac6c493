"""What every kernel asks before it starts: how many threads for this much work, and which instruction set.

A kernel that splits its work puts a Team into its struct and hands its parts to run_parts (parts.h).
"""
cdef extern from "parts.h" nogil:
    ctypedef int (*Work)(const void *context, Py_ssize_t first, Py_ssize_t past) noexcept
    ctypedef struct Team:
        int threads
        int (*share)(int threads, Work work, const void *context, Py_ssize_t parts) noexcept
        void *(*scratch)(int slot, size_t bytes) noexcept
    int run_parts(Team team, Work work, const void *context, Py_ssize_t parts)


cdef int isa_level() noexcept nogil                  # 0 baseline, 1 avx2, 2 avx512
cdef Team team_for(double work) noexcept nogil       # work in multiply-adds; elementwise: elements * 24
# While a helper is awake, share * work will do; rouse: the second such kernel wakes it.
cdef Team team_at_hand(double work, double share, bint rouse) noexcept nogil
cdef bint past_caches(Py_ssize_t length) noexcept nogil       # should a kernel stream so many bytes? See runtime.pyx
