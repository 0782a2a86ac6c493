"""Memory for the large arrays that ops return, kept for the next of their size when they die.

An array from malloc is new to the process every time: each 4 KiB of it cost a page fault when they are first written
(4,378 in a step of a net with two 5x5 convolutions, which took 19.6 ms; on the pages of the step before it takes 12).
malloc could be told to keep what is freed (mallopt), but then it keeps everything, of all libraries, until the process
ends. Here the blocks freed last, no more than `keep` says, wait for the next arrays, and the others go back at once.
"""
import ctypes

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uintptr_t

cdef extern from "memory.h":
    ctypedef struct Memory:
        void *start
        size_t size
    Memory memory_get(size_t size)
    void memory_free(Memory block)
    void memory_limit(size_t limit)
    size_t kept_bytes, kept_limit
    int LARGE
    ctypedef struct Handler:
        pass
    Handler array_handler

ctypedef int (*Track)(unsigned int domain, uintptr_t start, size_t size) noexcept
ctypedef int (*Untrack)(unsigned int domain, uintptr_t start) noexcept

ctypedef object (*SetHandler)(object)

cdef enum:
    SET_HANDLER = 304            # PyDataMem_SetHandler in NumPy's table of C functions
    DOMAIN = 389047              # of tracemalloc: arrays (NumPy's number)


def _address(name):
    """Where the interpreter has a function that the stable ABI does not promise; ctypes finds it on every platform."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value


cdef object _small, _large       # numpy.empty and numpy.ndarray
cdef object ours = PyCapsule_New(&array_handler, "mem_handler", NULL)
cdef SetHandler set_handler = NULL
large = LARGE                    # bytes of an array from which on its memory is ours
cdef Track track = <Track> <uintptr_t> _address("PyTraceMalloc_Track")
cdef Untrack untrack = <Untrack> <uintptr_t> _address("PyTraceMalloc_Untrack")


cdef class Block:
    """Memory that can be written through the buffer protocol, and goes back when nobody refers to it."""
    cdef Memory memory

    @property
    def one_array(self):
        """No more than one array lies here; what else looks at it is a view of that (see core.graph.own)."""
        return True

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.memory.start, <Py_ssize_t> self.memory.size, False, flags)

    def __dealloc__(self):
        if self.memory.start != NULL:
            untrack(DOMAIN, <uintptr_t> self.memory.start)
            memory_free(self.memory)


def empty(tuple shape, dtype):
    """An array (shape) of a NumPy dtype whose entries are whatever the memory held, like numpy.empty."""
    cdef double bytes = dtype.itemsize           # exact where it matters, and never wraps
    cdef Py_ssize_t size, length
    cdef Block block
    for length in shape:
        bytes *= length
    if not LARGE <= bytes <= 1e18:               # what is negative or more than there can be: NumPy says so
        return _small(shape, dtype)
    size = <Py_ssize_t> bytes
    block = Block.__new__(Block)
    block.memory = memory_get(size)
    if block.memory.start == NULL:
        raise MemoryError(f"empty: no memory for {size} bytes, an array {shape} of {dtype}")
    track(DOMAIN, <uintptr_t> block.memory.start, size)
    return _large(shape, dtype, block)


def use(small, large):
    """Make arrays by small(shape, dtype) and large(shape, dtype, buffer): numpy.empty and numpy.ndarray."""
    global _small, _large
    _small, _large = small, large


def hook(table):
    """Have `reuse` work: table is NumPy's capsule of C functions."""
    global set_handler
    set_handler = <SetHandler> (<void **> PyCapsule_GetPointer(table, NULL))[SET_HANDLER]


def reuse(handler=None):
    """From now on NumPy makes the arrays of this thread (or task) by `handler`: None, by the functions of memory.h,
    which use the memory of large ones again. Returns the handler before."""
    return set_handler(ours if handler is None else handler)


def keep(size_t limit):
    """Keep freed blocks of at most `limit` bytes together."""
    memory_limit(limit)


def kept():
    """How many bytes of freed blocks are kept."""
    return kept_bytes
