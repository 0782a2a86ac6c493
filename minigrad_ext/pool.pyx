"""Pooling of channels-last images. The windows are data: rows (oh, 2) and columns (ow, 2), int64, hold the first and
the past-the-end row and column of each, so one kernel serves any size, stride and padding, and fractional pooling.

Max pooling is linear once the places of the maxima are known: `index`, int32, like y, says where in its image
(h, w, c), flattened, each maximum lies.
Its gradient is the scatter, the gradient of that the gather. The loops are in pool.h.
"""
from cpython.buffer cimport Py_buffer
from libc.stdint cimport int32_t, int64_t

from minigrad_ext.gate cimport (
    Gate,
    acquire,
    code_of,
    contiguous,
    disjoint,
    enter,
    input,
    integers,
    leave,
    output,
    refuse,
    same_shape,
    shape4,
    size,
)
from minigrad_ext.runtime cimport isa_level, threads_for

cdef extern from "pool.h" nogil:
    ctypedef struct Pool:
        Py_ssize_t n, h, w, c, oh, ow
        const int64_t *rows
        const int64_t *columns
        int halves
    void mg_max_pool_f(int, Pool *, float *, float *, int32_t *, int)
    void mg_max_pool_d(int, Pool *, double *, double *, int32_t *, int)
    void mg_scatter_f(int, Pool *, float *, int32_t *, float *, int)
    void mg_scatter_d(int, Pool *, double *, int32_t *, double *, int)
    void mg_gather_f(int, Pool *, float *, int32_t *, float *, int)
    void mg_gather_d(int, Pool *, double *, int32_t *, double *, int)
    void mg_avg_pool_f(int, Pool *, float *, double, float *, int)
    void mg_avg_pool_d(int, Pool *, double *, double, double *, int)
    void mg_avg_pool_x_f(int, Pool *, float *, double, float *, int)
    void mg_avg_pool_x_d(int, Pool *, double *, double, double *, int)


cdef Py_buffer *places(Gate *gate, object index, Py_buffer *y, bint writable) except NULL:
    """index: int32, C-contiguous, of the shape of y."""
    cdef Py_buffer *view = acquire(gate, index, "index", 4, writable)
    if view.itemsize != 4 or code_of(view) not in (c"i", c"l"):
        refuse(gate, "index", "int32", "another type")
    contiguous(gate, view, "index", 0)
    same_shape(gate, view, "index", y, "y")
    return view


cdef int inside(Gate *gate, Py_buffer *view, Py_ssize_t length, const char *name) except -1:
    """Every window is a non-empty part of [0, length)."""
    cdef const int64_t *bounds = <const int64_t *> view.buf
    cdef Py_ssize_t i
    if view.shape[1] != 2:
        refuse(gate, name, "of shape (windows, 2)", f"{view.shape[1]} columns")
    for i in range(view.shape[0]):
        if not 0 <= bounds[2 * i] < bounds[2 * i + 1] <= length:
            refuse(gate, name, f"non-empty windows within [0, {length})", f"{(bounds[2 * i], bounds[2 * i + 1])}")
    return 0


cdef int describe(Gate *gate, Pool *p, Py_buffer *x, Py_buffer *y, object rows, object columns) except -1:
    cdef Py_buffer *rows_ = integers(gate, rows, "rows", 2, False)
    cdef Py_buffer *columns_ = integers(gate, columns, "columns", 2, False)
    cdef Py_ssize_t i
    inside(gate, rows_, x.shape[1], "rows")
    inside(gate, columns_, x.shape[2], "columns")
    shape4(gate, y, "y", x.shape[0], rows_.shape[0], columns_.shape[0], x.shape[3])
    p.n, p.h, p.w, p.c = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    p.oh, p.ow = rows_.shape[0], columns_.shape[0]
    p.rows, p.columns = <const int64_t *> rows_.buf, <const int64_t *> columns_.buf
    p.halves = True
    for i in range(p.oh):
        p.halves = p.halves and p.rows[2 * i] == 2 * i and p.rows[2 * i + 1] == 2 * i + 2
    for i in range(p.ow):
        p.halves = p.halves and p.columns[2 * i] == 2 * i and p.columns[2 * i + 1] == 2 * i + 2
    if <double> p.h * p.w * p.c >= 2147483648.0:
        refuse(gate, "x", "images of less than 2**31 numbers", f"shape {(p.n, p.h, p.w, p.c)}")
    return 0


cdef int threads_of(Pool *p, Py_buffer *larger) noexcept:
    """Threads split images."""
    cdef int threads = threads_for(24.0 * size(larger))
    return threads if threads <= p.n else (p.n if p.n > 1 else 1)


def max_pool2d(x, rows, columns, y, index):
    """y <- largest number of each window, index <- its place. x (n, h, w, c); y, index (n, oh, ow, c).

    Of equal numbers the first wins (by rows, then columns); NaN beats every number.
    """
    cdef Gate gate
    cdef Pool p
    cdef Py_buffer *x_
    cdef Py_buffer *y_
    cdef Py_buffer *index_
    cdef int threads, isa = isa_level()
    enter(&gate, "max_pool2d")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        index_ = places(&gate, index, y_, True)
        describe(&gate, &p, x_, y_, rows, columns)
        disjoint(&gate)
        threads = threads_of(&p, x_)
        with nogil:
            if gate.code == c"f":
                mg_max_pool_f(isa, &p, <float *> x_.buf, <float *> y_.buf, <int32_t *> index_.buf, threads)
            else:
                mg_max_pool_d(isa, &p, <double *> x_.buf, <double *> y_.buf, <int32_t *> index_.buf, threads)
    finally:
        leave(&gate)


cdef int indices_inside(Gate *gate, Pool *p, Py_buffer *index) except -1:
    cdef const int32_t *at = <const int32_t *> index.buf
    cdef Py_ssize_t i, image = p.h * p.w * p.c
    cdef bint bad = False
    with nogil:
        for i in range(size(index)):
            bad |= at[i] < 0 or at[i] >= image
    if bad:
        refuse(gate, "index", f"within [0, {image})", "a place outside the image")
    return 0


def max_pool2d_x(g, index, rows, columns, dx):
    """dx <- sum of g over the windows whose maximum lies there: the scatter.

    g, index (n, oh, ow, c), dx (n, h, w, c).
    """
    cdef Gate gate
    cdef Pool p
    cdef Py_buffer *g_
    cdef Py_buffer *index_
    cdef Py_buffer *dx_
    cdef int threads, isa = isa_level()
    enter(&gate, "max_pool2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        index_ = places(&gate, index, g_, False)
        dx_ = output(&gate, dx, "dx", 4)
        describe(&gate, &p, dx_, g_, rows, columns)
        disjoint(&gate)
        if not p.halves:
            indices_inside(&gate, &p, index_)
        threads = threads_of(&p, dx_)
        with nogil:
            if gate.code == c"f":
                mg_scatter_f(isa, &p, <float *> g_.buf, <int32_t *> index_.buf, <float *> dx_.buf, threads)
            else:
                mg_scatter_d(isa, &p, <double *> g_.buf, <int32_t *> index_.buf, <double *> dx_.buf, threads)
    finally:
        leave(&gate)


def max_pool2d_take(x, index, rows, columns, y):
    """y <- x at the places of the maxima: the gather, which the scatter is the transpose of. x (n, h, w, c)."""
    cdef Gate gate
    cdef Pool p
    cdef Py_buffer *x_
    cdef Py_buffer *index_
    cdef Py_buffer *y_
    cdef int threads, isa = isa_level()
    enter(&gate, "max_pool2d_take")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        index_ = places(&gate, index, y_, False)
        describe(&gate, &p, x_, y_, rows, columns)
        disjoint(&gate)
        indices_inside(&gate, &p, index_)
        threads = threads_of(&p, x_)
        with nogil:
            if gate.code == c"f":
                mg_gather_f(isa, &p, <float *> x_.buf, <int32_t *> index_.buf, <float *> y_.buf, threads)
            else:
                mg_gather_d(isa, &p, <double *> x_.buf, <int32_t *> index_.buf, <double *> y_.buf, threads)
    finally:
        leave(&gate)


def avg_pool2d(x, rows, columns, double scale, y):
    """y <- scale times the sum over each window. x (n, h, w, c), y (n, oh, ow, c)."""
    cdef Gate gate
    cdef Pool p
    cdef Py_buffer *x_
    cdef Py_buffer *y_
    cdef int threads, isa = isa_level()
    enter(&gate, "avg_pool2d")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        describe(&gate, &p, x_, y_, rows, columns)
        disjoint(&gate)
        threads = threads_of(&p, x_)
        with nogil:
            if gate.code == c"f":
                mg_avg_pool_f(isa, &p, <float *> x_.buf, scale, <float *> y_.buf, threads)
            else:
                mg_avg_pool_d(isa, &p, <double *> x_.buf, scale, <double *> y_.buf, threads)
    finally:
        leave(&gate)


def avg_pool2d_x(g, rows, columns, double scale, dx):
    """dx <- scale times the sum of g over the windows that contain the pixel. g (n, oh, ow, c), dx (n, h, w, c)."""
    cdef Gate gate
    cdef Pool p
    cdef Py_buffer *g_
    cdef Py_buffer *dx_
    cdef int threads, isa = isa_level()
    enter(&gate, "avg_pool2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        dx_ = output(&gate, dx, "dx", 4)
        describe(&gate, &p, dx_, g_, rows, columns)
        disjoint(&gate)
        threads = threads_of(&p, dx_)
        with nogil:
            if gate.code == c"f":
                mg_avg_pool_x_f(isa, &p, <float *> g_.buf, scale, <float *> dx_.buf, threads)
            else:
                mg_avg_pool_x_d(isa, &p, <double *> g_.buf, scale, <double *> dx_.buf, threads)
    finally:
        leave(&gate)
