"""The one gate in front of every kernel: nothing is read or written before it has agreed.

A `def` kernel takes Python objects, opens a Gate on its stack, takes each array through it into a struct of sizes and
addresses, and only then goes `nogil`; in C, a table over the kernels chooses the copy for the width and the instruction
set (variants.h):

    cdef int run(Gate *gate, int kernel, Norm *v) except -1:
        cdef int failed
        disjoint(gate)                                           # no output overlaps any other array
        v.team = team_for(24.0 * v.m * v.c)                      # see runtime.pyx
        with nogil:
            failed = mg_norm(kernel, gate.code, isa_level(), v)
        if failed:
            no_memory(gate)
        return 0

    def layer_norm(x, gamma, beta, double delta, y):
        "y <- gamma (x - mean) / sqrt(var + delta) + beta, ..."
        cdef Gate gate
        cdef Norm v
        enter(&gate, "layer_norm")
        try:
            x_ = input(&gate, x, "x", 2)                         # C-contiguous, aligned, native, 2-D
            y_ = output(&gate, y, "y", 2)                        # the same, and writable
            same_shape(&gate, y_, "y", x_, "x")
            ...
            run(&gate, LAYER_NORM, &v)
        finally:
            leave(&gate)

Conventions for the families:
  - the first `input` or `output` fixes gate.code ('f' float32, 'd' float64); all later ones must have it. `integers`
    takes int64 arrays, which have no say in the dtype. Another Python thread may write into any array while a kernel
    reads it: numbers only come out wrong, but an index would lead outside. So indices are `copied`, and the copy is
    what is checked and used; where they are too many to copy, they are checked where they are used (pool_body.h).
  - `strided` is `input` for any strides (in units of items through `step(view, axis)`); `rows` is an output whose last
    axis is contiguous, the others free.
  - sizes that do not come from an array go through operator.index, and products of them are taken in Python's ints.
  - ndim -1 accepts any number of axes. `shape2`, `shape4` and `want` compare sizes and name what came.
  - a kernel is `static int NAME(f)(const Struct *v)` in C (matmul's workers are Cython's `worker[real]`,
    picked from gate.code; never `if real is float` in a `def`). Scalars: in double, then cast once.
  - subnormals are numbers like others. Sums of products alone make them 0 (`mg_flush_on`, simd.h), where they are slow;
    averages of optimizers forget them (optim.h). The twins do the same: `flush` in minigrad/kernels.
  - threads split outputs, never sums: a kernel cuts its outputs into parts and gives them to `run_parts` (parts.h);
    with `team_for` small problems stay on one thread.

Why Py_buffer and not typed memoryviews: a pair of PyObject_GetBuffer and PyBuffer_Release costs half of acquiring and
releasing a `real[::1]` (55 ns against 105), needs no dispatch on the dtype, refuses None and unaligned data, and its
errors name the kernel.
"""
from cpython.buffer cimport (
    Py_buffer,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef extern from "simd.h" nogil:
    uint64_t mg_flush_on()
    void mg_flush_off(uint64_t before)


cdef enum:
    MOST_ARRAYS = 16
    MOST_COPIES = 2


cdef struct Gate:
    const char *kernel
    char code                    # 'f', 'd', or 0 before the first array
    int count
    int written                  # bit i: array i is an output
    Py_buffer views[MOST_ARRAYS]
    int copies
    void *copy[MOST_COPIES]


cdef inline void enter(Gate *gate, const char *kernel) noexcept:
    gate.kernel = kernel
    gate.code = 0
    gate.count = 0
    gate.written = 0
    gate.copies = 0


cdef inline void leave(Gate *gate) noexcept:
    while gate.count > 0:
        gate.count -= 1
        PyBuffer_Release(&gate.views[gate.count])
    while gate.copies > 0:
        gate.copies -= 1
        free(gate.copy[gate.copies])


cdef inline str shape_of(Py_buffer *view):
    return str(tuple([view.shape[axis] for axis in range(view.ndim)]))


cdef inline object text(const char *word):
    return (<bytes> word).decode()


cdef inline object refuse(Gate *gate, const char *name, object wanted, object got):
    """Raise the one error of all gates. Cold: written for its message, not for speed."""
    raise ValueError(f"{text(gate.kernel)}: {text(name)} must be {wanted}, got {got}")


cdef inline object no_memory(Gate *gate):
    raise MemoryError(f"{text(gate.kernel)}: no memory for the work buffers")


cdef inline Py_buffer *acquire(Gate *gate, object array, const char *name, int ndim, bint writable) except NULL:
    """Any strides, any item type; aligned; with the wished number of axes (-1: any)."""
    cdef Py_buffer *view
    cdef size_t odd
    cdef int axis
    if gate.count == MOST_ARRAYS:
        refuse(gate, name, f"one of at most {MOST_ARRAYS} arrays", "more")
    view = &gate.views[gate.count]
    try:
        PyObject_GetBuffer(array, view, PyBUF_STRIDES | PyBUF_FORMAT)
    except (TypeError, BufferError, ValueError):
        raise ValueError(f"{text(gate.kernel)}: {text(name)} must be an array of numbers, "
                         f"got {type(array).__name__}") from None
    if writable:
        gate.written |= 1 << gate.count
    gate.count += 1
    if view.ndim > 0 and (view.shape == NULL or view.strides == NULL):        # ctypes' arrays say nothing of strides
        raise ValueError(f"{text(gate.kernel)}: {text(name)} must be an array with strides, got "
                         f"{type(array).__name__} (numpy.asarray of it has them)")
    if ndim >= 0 and view.ndim != ndim:
        refuse(gate, name, f"an array with {ndim} axes", f"shape {shape_of(view)}")
    if writable and view.readonly:
        refuse(gate, name, "writable", "a read-only array")
    odd = <size_t> view.buf                                       # multiples of the item size keep every access aligned
    for axis in range(view.ndim):
        odd |= <size_t> view.strides[axis]
    if view.itemsize > 0 and odd % <size_t> view.itemsize != 0 and view.len > 0:
        refuse(gate, name, f"aligned to {view.itemsize} bytes", "an unaligned array (array.copy() is aligned)")
    return view


cdef inline char code_of(Py_buffer *view) noexcept:
    """The struct-module code of a native scalar, 0 for everything else (byte-swapped, structured, complex, ...)."""
    cdef const char *form = view.format
    if form == NULL:
        return 0
    if form[0] == c"@" or form[0] == c"=":
        form += 1
    return form[0] if form[0] != 0 and form[1] == 0 else 0


cdef inline int number(Gate *gate, Py_buffer *view, const char *name) except -1:
    cdef char code = code_of(view)
    if code != c"f" and code != c"d":
        refuse(gate, name, "float32 or float64 in native byte order", f"format {text(view.format)!r}")
    if gate.code == 0:
        gate.code = code
    elif gate.code != code:
        refuse(gate, name, "float32 like the arrays before it" if gate.code == c"f" else
               "float64 like the arrays before it", "float32" if code == c"f" else "float64")
    return 0


cdef inline int contiguous(Gate *gate, Py_buffer *view, const char *name, int first) except -1:
    """Axes from the last one down to `first` are laid out in C order (axes of size 1 have no stride that matters)."""
    cdef Py_ssize_t stride = view.itemsize
    cdef int axis
    if view.len == 0:
        return 0
    for axis in range(view.ndim - 1, first - 1, -1):
        if view.shape[axis] != 1:
            if view.strides[axis] != stride:
                refuse(gate, name, "C-contiguous" if first == 0 else "contiguous along its last axis",
                       f"strides {tuple([view.strides[i] for i in range(view.ndim)])} for shape {shape_of(view)}")
            stride *= view.shape[axis]
    return 0


cdef inline Py_buffer *input(Gate *gate, object array, const char *name, int ndim) except NULL:
    """A C-contiguous float array that is only read."""
    cdef Py_buffer *view = acquire(gate, array, name, ndim, False)
    number(gate, view, name)
    contiguous(gate, view, name, 0)
    return view


cdef inline Py_buffer *output(Gate *gate, object array, const char *name, int ndim) except NULL:
    """A C-contiguous float array that is written (and may be read)."""
    cdef Py_buffer *view = acquire(gate, array, name, ndim, True)
    number(gate, view, name)
    contiguous(gate, view, name, 0)
    return view


cdef inline Py_buffer *strided(Gate *gate, object array, const char *name, int ndim) except NULL:
    """A float array of any strides that is only read."""
    cdef Py_buffer *view = acquire(gate, array, name, ndim, False)
    number(gate, view, name)
    return view


cdef inline bint meets_itself(Py_buffer *view) noexcept:
    """May two entries share memory? Not if each axis steps over all that the axes of smaller strides reach."""
    cdef Py_ssize_t reach = view.itemsize, stride, smallest
    cdef uint64_t seen = 0
    cdef int axis, next_axis
    while True:
        smallest, next_axis = 0, -1
        for axis in range(view.ndim):
            stride = view.strides[axis] if view.strides[axis] >= 0 else -view.strides[axis]
            if view.shape[axis] > 1 and not seen >> axis & 1 and (next_axis < 0 or stride < smallest):
                smallest, next_axis = stride, axis
        if next_axis < 0:
            return False
        if smallest < reach:
            return True
        reach += smallest * (view.shape[next_axis] - 1)
        seen |= <uint64_t> 1 << next_axis


cdef inline Py_buffer *rows(Gate *gate, object array, const char *name, int ndim) except NULL:
    """A float array that is written, contiguous along its last axis, with free strides along the others."""
    cdef Py_buffer *view = acquire(gate, array, name, ndim, True)
    number(gate, view, name)
    if view.ndim == 0:
        refuse(gate, name, "an array with at least 1 axis", "a number")
    contiguous(gate, view, name, view.ndim - 1)
    if view.len > 0 and meets_itself(view):
        refuse(gate, name, "an array whose entries lie apart",
               f"strides {tuple([view.strides[i] for i in range(view.ndim)])} for shape {shape_of(view)}")
    return view


cdef inline Py_buffer *integers(Gate *gate, object array, const char *name, int ndim) except NULL:
    """A C-contiguous int64 array that is only read: by way of `copied`, if its entries are indices."""
    cdef Py_buffer *view = acquire(gate, array, name, ndim, False)
    cdef char code = code_of(view)
    if view.itemsize != 8 or (code != c"l" and code != c"q"):
        refuse(gate, name, "int64", f"format {text(view.format)!r}")
    contiguous(gate, view, name, 0)
    return view


cdef inline const int64_t *copied(Gate *gate, Py_buffer *view) except NULL:
    """The entries of `integers` in memory that no other thread can write; freed by `leave`."""
    cdef void *copy = malloc(<size_t> view.len + 1) if gate.copies < MOST_COPIES else NULL
    if copy == NULL:
        no_memory(gate)
    memcpy(copy, view.buf, <size_t> view.len)
    gate.copy[gate.copies] = copy
    gate.copies += 1
    return <const int64_t *> copy


cdef inline Py_ssize_t step(Py_buffer *view, int axis) noexcept nogil:
    """The stride of an axis in items."""
    return view.strides[axis] // view.itemsize


cdef inline Py_ssize_t size(Py_buffer *view) noexcept nogil:
    return view.len // view.itemsize if view.itemsize > 0 else 0


cdef inline int want(Gate *gate, Py_buffer *view, const char *name, int axis, Py_ssize_t length) except -1:
    """Axis `axis` of `view` has `length` entries."""
    if view.shape[axis] != length:
        refuse(gate, name, f"of size {length} along axis {axis}", f"shape {shape_of(view)}")
    return 0


cdef inline int shape2(Gate *gate, Py_buffer *view, const char *name, Py_ssize_t m, Py_ssize_t n) except -1:
    if view.shape[0] != m or view.shape[1] != n:
        refuse(gate, name, f"of shape {(m, n)}", f"shape {shape_of(view)}")
    return 0


cdef inline int shape4(Gate *gate, Py_buffer *view, const char *name, Py_ssize_t n, Py_ssize_t h, Py_ssize_t w,
                       Py_ssize_t c) except -1:
    if view.shape[0] != n or view.shape[1] != h or view.shape[2] != w or view.shape[3] != c:
        refuse(gate, name, f"of shape {(n, h, w, c)}", f"shape {shape_of(view)}")
    return 0


cdef inline int same_shape(Gate *gate, Py_buffer *view, const char *name, Py_buffer *like,
                           const char *like_name) except -1:
    cdef int axis
    cdef bint equal = view.ndim == like.ndim
    if equal:
        for axis in range(view.ndim):
            equal = equal and view.shape[axis] == like.shape[axis]
    if not equal:
        refuse(gate, name, f"of the shape of {text(like_name)} {shape_of(like)}", f"shape {shape_of(view)}")
    return 0


cdef inline void extent(Py_buffer *view, size_t *low, size_t *high) noexcept:
    """The addresses [low, high) between which the items of the view lie."""
    cdef int axis
    cdef Py_ssize_t span
    low[0] = <size_t> view.buf
    high[0] = low[0] + <size_t> view.itemsize
    for axis in range(view.ndim):
        span = (view.shape[axis] - 1) * view.strides[axis]
        if span >= 0:
            high[0] += <size_t> span
        else:
            low[0] -= <size_t> -span


cdef inline int disjoint(Gate *gate) except -1:
    """No output's range of addresses meets that of any other array. Call it after the last array is taken."""
    cdef int i, j
    cdef size_t low_i, high_i, low_j, high_j
    for i in range(gate.count):
        if not gate.written >> i & 1 or gate.views[i].len == 0:
            continue
        extent(&gate.views[i], &low_i, &high_i)
        for j in range(gate.count):
            if j == i or gate.views[j].len == 0:
                continue
            extent(&gate.views[j], &low_j, &high_j)
            if low_i < high_j and low_j < high_i:
                raise ValueError(f"{text(gate.kernel)}: array arguments {i + 1} and {j + 1} share memory, and number "
                                 f"{i + 1} is written: outputs must not overlap anything")
    return 0
