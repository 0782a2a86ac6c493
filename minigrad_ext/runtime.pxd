"""What every kernel asks before it starts: how many threads for this much work, and which instruction set."""

cdef int isa_level() noexcept nogil                  # 0 baseline, 1 avx2, 2 avx512
cdef int threads_for(double work) noexcept nogil     # work in multiply-adds; elementwise: elements * 24
