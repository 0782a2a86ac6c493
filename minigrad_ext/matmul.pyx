"""Products of matrices by the micro-kernel of tile.h. See minigrad/kernels/matmul.py for what each function means."""
from cpython.buffer cimport Py_buffer
from libc.stdint cimport uint64_t

from minigrad_ext.gate cimport (
    Gate,
    disjoint,
    enter,
    input,
    leave,
    mg_flush_off,
    mg_flush_on,
    no_memory,
    output,
    refuse,
    rows,
    shape2,
    size,
    step,
    strided,
    want,
)
from minigrad_ext.real cimport real
from minigrad_ext.runtime cimport Team, Work, isa_level, run_parts, team_for


cdef extern from "gemm.h" nogil:
    ctypedef struct gemm_t_f32:
        Py_ssize_t m, n, k
        const float *a
        Py_ssize_t ra, ca
        const float *b
        Py_ssize_t rb, cb
        float *c
        Py_ssize_t rc, cc
        const float *bias
        Py_ssize_t bi, bj
        int add

    ctypedef struct gemm_t_f64:
        Py_ssize_t m, n, k
        const double *a
        Py_ssize_t ra, ca
        const double *b
        Py_ssize_t rb, cb
        double *c
        Py_ssize_t rc, cc
        const double *bias
        Py_ssize_t bi, bj
        int add

    ctypedef struct kernels_f32:
        void (*columns)(Py_ssize_t m, Py_ssize_t n, const float *g, Py_ssize_t rg, Py_ssize_t cg, float *sums,
                        int add) noexcept nogil

    ctypedef struct kernels_f64:
        void (*columns)(Py_ssize_t m, Py_ssize_t n, const double *g, Py_ssize_t rg, Py_ssize_t cg, double *sums,
                        int add) noexcept nogil

    const kernels_f32 **KERNELS_f32
    const kernels_f64 **KERNELS_f64
    int gemm_f32(int isa, Team team, gemm_t_f32 g)
    int gemm_f64(int isa, Team team, gemm_t_f64 g)


cdef enum:
    MOST_AXES = 32


cdef struct Stack:
    # The leading axes of out, and how far a step along each goes in a, b and out (0: broadcast), in items.
    int axes
    Py_ssize_t count
    Py_ssize_t length[MOST_AXES]
    Py_ssize_t a[MOST_AXES]
    Py_ssize_t b[MOST_AXES]
    Py_ssize_t c[MOST_AXES]


cdef int product(Team team, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real *a, Py_ssize_t ra, Py_ssize_t ca,
                 const real *b, Py_ssize_t rb, Py_ssize_t cb, real *c, Py_ssize_t rc, const real *bias,
                 bint add) noexcept nogil:
    """c <- [c +] a b [+ bias], one matrix. 0, or -1 where memory is lacking."""
    if real is float:
        return gemm_f32(isa_level(), team, gemm_t_f32(m, n, k, a, ra, ca, b, rb, cb, c, rc, 1, bias, 0, 1, add))
    else:
        return gemm_f64(isa_level(), team, gemm_t_f64(m, n, k, a, ra, ca, b, rb, cb, c, rc, 1, bias, 0, 1, add))


cdef inline void one_of(Stack *stack, Py_ssize_t index, Py_ssize_t *a, Py_ssize_t *b, Py_ssize_t *c) noexcept nogil:
    """Offsets of matrix number `index` of the stack."""
    cdef int axis
    cdef Py_ssize_t i
    a[0] = b[0] = c[0] = 0
    for axis in range(stack.axes - 1, -1, -1):
        i = index % stack.length[axis]
        index = index // stack.length[axis]
        a[0] += i * stack.a[axis]
        b[0] += i * stack.b[axis]
        c[0] += i * stack.c[axis]


cdef struct Products:
    # The matrices of the stack: c <- [c +] a b [+ bias] of each, shared by `team`.
    Team team
    Stack *stack
    Py_buffer *a
    Py_buffer *b
    Py_buffer *c
    const void *bias
    bint add


cdef int some_products(const Products *s, Py_ssize_t first, Py_ssize_t past, const real *width) noexcept nogil:
    """Matrices first to past of the stack, one after the other. `width` is NULL: it only says which copy this is."""
    cdef Py_ssize_t m = s.c.shape[s.c.ndim - 2], n = s.c.shape[s.c.ndim - 1], k = s.a.shape[s.a.ndim - 1]
    cdef Py_ssize_t index, in_a, in_b, in_c
    cdef int failed = 0
    for index in range(first, past):
        one_of(s.stack, index, &in_a, &in_b, &in_c)
        failed |= product[real](s.team, m, n, k, <const real *> s.a.buf + in_a, step(s.a, s.a.ndim - 2),
                                step(s.a, s.a.ndim - 1), <const real *> s.b.buf + in_b, step(s.b, s.b.ndim - 2),
                                step(s.b, s.b.ndim - 1), <real *> s.c.buf + in_c, step(s.c, s.c.ndim - 2),
                                <const real *> s.bias, s.add)
    return failed


cdef int some_f32(const void *s, Py_ssize_t first, Py_ssize_t past) noexcept nogil:
    return some_products[float](<const Products *> s, first, past, NULL)


cdef int some_f64(const void *s, Py_ssize_t first, Py_ssize_t past) noexcept nogil:
    return some_products[double](<const Products *> s, first, past, NULL)


cdef int products(char code, Products *s) noexcept nogil:
    """All matrices of the stack. Many: each by one thread. Few: the threads share each one. 0, or -1: no memory."""
    cdef Py_ssize_t m = s.c.shape[s.c.ndim - 2], n = s.c.shape[s.c.ndim - 1], k = s.a.shape[s.a.ndim - 1]
    cdef Work some = some_f32 if code == c"f" else some_f64
    cdef Team all = team_for(<double> m * n * k * s.stack.count)
    s.team = all
    if s.stack.count < all.threads:
        return some(s, 0, s.stack.count)
    s.team.threads = 1
    return run_parts(all, some, s, s.stack.count)


cdef int lay_out(Gate *gate, Stack *stack, Py_buffer *a, Py_buffer *b, Py_buffer *c) except -1:
    """Compare all sizes; fill in the stack."""
    cdef int axis, in_a, in_b
    if c.ndim < 2 or a.ndim < 2 or b.ndim < 2 or c.ndim > MOST_AXES:
        refuse(gate, "out", "a matrix or a stack of matrices, like a and b",
               f"{a.ndim}, {b.ndim} and {c.ndim} axes for a, b and out")
    if a.ndim > c.ndim or b.ndim > c.ndim:
        refuse(gate, "out", "of at least as many axes as a and b", f"{a.ndim}, {b.ndim} and {c.ndim} for a, b and out")
    want(gate, a, "a", a.ndim - 2, c.shape[c.ndim - 2])
    want(gate, b, "b", b.ndim - 2, a.shape[a.ndim - 1])
    want(gate, b, "b", b.ndim - 1, c.shape[c.ndim - 1])
    stack.axes = c.ndim - 2
    stack.count = 1
    for axis in range(stack.axes):
        in_a = axis - (c.ndim - a.ndim)
        in_b = axis - (c.ndim - b.ndim)
        stack.length[axis] = c.shape[axis]
        stack.count *= c.shape[axis]
        stack.c[axis] = step(c, axis)
        stack.a[axis] = stack.b[axis] = 0
        if in_a >= 0 and a.shape[in_a] != 1:
            want(gate, a, "a", in_a, c.shape[axis])
            stack.a[axis] = step(a, in_a)
        if in_b >= 0 and b.shape[in_b] != 1:
            want(gate, b, "b", in_b, c.shape[axis])
            stack.b[axis] = step(b, in_b)
    return 0


def matmul(a, b, out, bint accumulate=False, bias=None):
    """out <- [out +] a b [+ bias]. a (..., m, k), b (..., k, n) of any strides, out (..., m, n), bias (n,) or None."""
    cdef Gate gate
    cdef Stack stack
    cdef Py_buffer *a_
    cdef Py_buffer *b_
    cdef Py_buffer *out_
    cdef Py_buffer *bias_
    cdef void *start = NULL
    cdef Products all
    cdef int failed
    enter(&gate, "matmul")
    try:
        a_ = strided(&gate, a, "a", -1)
        b_ = strided(&gate, b, "b", -1)
        out_ = rows(&gate, out, "out", -1)
        lay_out(&gate, &stack, a_, b_, out_)
        if bias is not None:
            bias_ = input(&gate, bias, "bias", 1)
            want(&gate, bias_, "bias", 0, out_.shape[out_.ndim - 1])
            start = bias_.buf
        disjoint(&gate)
        all.stack, all.a, all.b, all.c, all.bias, all.add = &stack, a_, b_, out_, start, accumulate
        with nogil:
            failed = products(gate.code, &all)
        if failed:
            no_memory(&gate)
    finally:
        leave(&gate)


cdef int backward(Py_buffer *g, Py_buffer *x, Py_buffer *w, Py_buffer *dx, Py_buffer *dw, Py_buffer *db,
                  bint add_dw, bint add_db, const real *width) noexcept nogil:
    """0, or -1 where memory is lacking. `width` is NULL: it only says which copy this is."""
    cdef Py_ssize_t m = g.shape[0], o = g.shape[1], i
    cdef int failed = 0
    cdef Py_ssize_t rg = step(g, 0), cg = step(g, 1)
    cdef uint64_t before
    if dx != NULL:                                    # dx = g w^T
        i = dx.shape[1]
        failed |= product[real](team_for(<double> m * i * o), m, i, o, <const real *> g.buf, rg, cg,
                                <const real *> w.buf, step(w, 1), step(w, 0), <real *> dx.buf, step(dx, 0), NULL, False)
    if dw != NULL:                                    # dw = x^T g
        i = dw.shape[0]
        failed |= product[real](team_for(<double> m * i * o), i, o, m, <const real *> x.buf, step(x, 1), step(x, 0),
                                <const real *> g.buf, rg, cg, <real *> dw.buf, step(dw, 0), NULL, add_dw)
    if db != NULL:                                    # db = sum over rows of g
        before = mg_flush_on()
        if real is float:
            KERNELS_f32[isa_level()].columns(m, o, <const float *> g.buf, rg, cg, <float *> db.buf, add_db)
        else:
            KERNELS_f64[isa_level()].columns(m, o, <const double *> g.buf, rg, cg, <double *> db.buf, add_db)
        mg_flush_off(before)
    return failed


def linear_backward(g, x, w, dx, dw, db, bint accumulate_dw=False, bint accumulate_db=False):
    """dx <- g w^T, dw <- [dw +] x^T g, db <- [db +] sum over rows of g; None for what is not wanted."""
    cdef Gate gate
    cdef Py_buffer *g_
    cdef Py_buffer *x_ = NULL
    cdef Py_buffer *w_ = NULL
    cdef Py_buffer *dx_ = NULL
    cdef Py_buffer *dw_ = NULL
    cdef Py_buffer *db_ = NULL
    cdef Py_ssize_t m, o
    cdef int failed
    enter(&gate, "linear_backward")
    try:
        g_ = strided(&gate, g, "g", 2)
        m = g_.shape[0]
        o = g_.shape[1]
        if dx is not None:
            w_ = strided(&gate, w, "w", 2)
            dx_ = rows(&gate, dx, "dx", 2)
            shape2(&gate, w_, "w", dx_.shape[1], o)
            want(&gate, dx_, "dx", 0, m)
        if dw is not None:
            x_ = strided(&gate, x, "x", 2)
            dw_ = rows(&gate, dw, "dw", 2)
            shape2(&gate, x_, "x", m, dw_.shape[0])
            want(&gate, dw_, "dw", 1, o)
        if db is not None:
            db_ = output(&gate, db, "db", -1)
            if size(db_) != o:
                refuse(&gate, "db", f"of {o} entries", f"{size(db_)}")
        disjoint(&gate)
        with nogil:
            if gate.code == c"f":
                failed = backward[float](g_, x_, w_, dx_, dw_, db_, accumulate_dw, accumulate_db, NULL)
            else:
                failed = backward[double](g_, x_, w_, dx_, dw_, db_, accumulate_dw, accumulate_db, NULL)
        if failed:
            no_memory(&gate)
    finally:
        leave(&gate)
