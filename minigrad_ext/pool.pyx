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
    copied,
    disjoint,
    enter,
    input,
    integers,
    leave,
    output,
    refuse,
    same_shape,
    shape4,
)
from minigrad_ext.runtime cimport Team, isa_level, team_for

cdef extern from "pool.h" nogil:
    ctypedef struct Pool:
        Py_ssize_t n, h, w, c, oh, ow
        const int64_t *rows
        const int64_t *columns
        int halves
        void *images
        void *windows
        int32_t *index
        double scale
        Team team
    enum: MAX_POOL
    enum: SCATTER
    enum: GATHER
    enum: AVG_POOL
    enum: AVG_POOL_X
    int mg_pool(int kernel, char code, int isa, const Pool *p)


cdef int places(Gate *gate, Pool *p, object index, Py_buffer *y, bint writable) except -1:
    """index: int32, C-contiguous, of the shape of y."""
    cdef Py_buffer *view = acquire(gate, index, "index", 4, writable)
    if view.itemsize != 4 or code_of(view) not in (c"i", c"l"):
        refuse(gate, "index", "int32", "another type")
    contiguous(gate, view, "index", 0)
    same_shape(gate, view, "index", y, "y")
    p.index = <int32_t *> view.buf
    return 0


cdef int inside(Gate *gate, Py_buffer *view, const int64_t *bounds, Py_ssize_t length, const char *name) except -1:
    """Every window is a non-empty part of [0, length). 1 where they are [0, 2), [2, 4), ..., else 0."""
    cdef Py_ssize_t i
    cdef bint halves = True
    if view.shape[1] != 2:
        refuse(gate, name, "of shape (windows, 2)", f"{view.shape[1]} columns")
    for i in range(view.shape[0]):
        if not 0 <= bounds[2 * i] < bounds[2 * i + 1] <= length:
            refuse(gate, name, f"non-empty windows within [0, {length})", f"{(bounds[2 * i], bounds[2 * i + 1])}")
        halves = halves and bounds[2 * i] == 2 * i and bounds[2 * i + 1] == 2 * i + 2
    return halves


cdef int describe(Gate *gate, Pool *p, Py_buffer *x, Py_buffer *y, object rows, object columns) except -1:
    """The windows y (n, oh, ow, c) on the images x (n, h, w, c). Call it when all other arrays are taken."""
    cdef Py_buffer *rows_ = integers(gate, rows, "rows", 2)
    cdef Py_buffer *columns_ = integers(gate, columns, "columns", 2)
    p.rows, p.columns = copied(gate, rows_), copied(gate, columns_)
    p.halves = (inside(gate, rows_, p.rows, x.shape[1], "rows")
                & inside(gate, columns_, p.columns, x.shape[2], "columns"))
    shape4(gate, y, "y", x.shape[0], rows_.shape[0], columns_.shape[0], x.shape[3])
    p.n, p.h, p.w, p.c = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    p.oh, p.ow = rows_.shape[0], columns_.shape[0]
    p.images, p.windows = x.buf, y.buf
    if <double> p.h * p.w * p.c >= 2147483648.0:
        refuse(gate, "x", "images of less than 2**31 numbers", f"shape {(p.n, p.h, p.w, p.c)}")
    disjoint(gate)
    return 0


cdef int indices_inside(Gate *gate, Pool *p) except -1:
    """Every entry of index is a place in an image, when this looks: another thread may still write there."""
    cdef const int32_t *at = p.index
    cdef Py_ssize_t i, image = p.h * p.w * p.c
    cdef bint bad = False
    with nogil:
        for i in range(p.n * p.oh * p.ow * p.c):
            bad |= at[i] < 0 or at[i] >= image
    if bad:
        refuse(gate, "index", f"within [0, {image})", "a place outside the image")
    return 0


cdef void run(Gate *gate, int kernel, Pool *p) noexcept:
    """The parts are images, or rows of windows."""
    p.team = team_for(24.0 * p.n * p.h * p.w * p.c)
    with nogil:
        mg_pool(kernel, gate.code, isa_level(), p)


def max_pool2d(x, rows, columns, y, index):
    """y <- largest number of each window, index <- its place. x (n, h, w, c); y, index (n, oh, ow, c).

    Of equal numbers the first wins (by rows, then columns); NaN beats every number.
    """
    cdef Gate gate
    cdef Pool p
    enter(&gate, "max_pool2d")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        places(&gate, &p, index, y_, True)
        describe(&gate, &p, x_, y_, rows, columns)
        run(&gate, MAX_POOL, &p)
    finally:
        leave(&gate)


def max_pool2d_x(g, index, rows, columns, dx):
    """dx <- sum of g over the windows whose maximum lies there: the scatter.

    g, index (n, oh, ow, c), dx (n, h, w, c).
    """
    cdef Gate gate
    cdef Pool p
    enter(&gate, "max_pool2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        places(&gate, &p, index, g_, False)
        dx_ = output(&gate, dx, "dx", 4)
        describe(&gate, &p, dx_, g_, rows, columns)
        if not p.halves:                  # 2 x 2 windows compare the index with their four places, and write only there
            indices_inside(&gate, &p)
        run(&gate, SCATTER, &p)
    finally:
        leave(&gate)


def max_pool2d_take(x, index, rows, columns, y):
    """y <- x at the places of the maxima: the gather, which the scatter is the transpose of. x (n, h, w, c)."""
    cdef Gate gate
    cdef Pool p
    enter(&gate, "max_pool2d_take")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        places(&gate, &p, index, y_, False)
        describe(&gate, &p, x_, y_, rows, columns)
        indices_inside(&gate, &p)
        run(&gate, GATHER, &p)
    finally:
        leave(&gate)


def avg_pool2d(x, rows, columns, double scale, y):
    """y <- scale times the sum over each window. x (n, h, w, c), y (n, oh, ow, c)."""
    cdef Gate gate
    cdef Pool p
    enter(&gate, "avg_pool2d")
    try:
        x_ = input(&gate, x, "x", 4)
        y_ = output(&gate, y, "y", 4)
        describe(&gate, &p, x_, y_, rows, columns)
        p.scale = scale
        run(&gate, AVG_POOL, &p)
    finally:
        leave(&gate)


def avg_pool2d_x(g, rows, columns, double scale, dx):
    """dx <- scale times the sum of g over the windows that contain the pixel. g (n, oh, ow, c), dx (n, h, w, c)."""
    cdef Gate gate
    cdef Pool p
    enter(&gate, "avg_pool2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        dx_ = output(&gate, dx, "dx", 4)
        describe(&gate, &p, dx_, g_, rows, columns)
        p.scale = scale
        run(&gate, AVG_POOL_X, &p)
    finally:
        leave(&gate)
