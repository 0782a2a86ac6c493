"""Products of matrices by the micro-kernel of tile.h. See minigrad/kernels/matmul.py for what each function means."""
from cpython.buffer cimport Py_buffer

from minigrad_ext.gate cimport (
    Gate,
    disjoint,
    enter,
    input,
    leave,
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
from minigrad_ext.runtime cimport Team, isa_level, run_parts, team_at_hand


cdef extern from "gemm.h" nogil:
    ctypedef struct Product:
        Py_ssize_t m, n, k
        const void *a
        Py_ssize_t ra, ca
        const void *b
        Py_ssize_t rb, cb
        void *c
        Py_ssize_t rc, cc
        const void *bias
        Py_ssize_t bi, bj
        bint add
        Team team
    int mg_gemm(char code, int isa, const Product *g)
    void mg_columns(char code, int isa, Py_ssize_t m, Py_ssize_t n, const void *g, Py_ssize_t rg, Py_ssize_t cg,
                    void *sums, bint add)


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


cdef inline Team team_of(const Product *g, double count, Py_ssize_t itemsize) noexcept nogil:
    """A second thread from 3,000,000 multiply-adds of float32 on, half as many of float64, a third of either where a
    helper is awake. (32 x 784 x 128: with two threads the MLP's step at batch 32 takes 142 us in place of 175.) Of a
    product with a vector a third again: each multiply-add reads an entry of the matrix that is used once."""
    cdef double multiply_adds = count * g.m * g.n * g.k * (itemsize / 2)
    return team_at_hand(multiply_adds * 3 if g.m == 1 or g.n == 1 else multiply_adds, 1 / 3.0, True)


cdef struct Products:
    # The matrices of the stack: the first of them, and where the others lie.
    Product first
    Stack *stack
    char code
    Py_ssize_t itemsize


cdef int some_products(const void *context, Py_ssize_t first, Py_ssize_t past) noexcept nogil:
    """Matrices first to past of the stack, one after the other. 0, or -1 where memory is lacking."""
    cdef const Products *s = <const Products *> context
    cdef Product g = s.first
    cdef Py_ssize_t index, in_a, in_b, in_c
    cdef int failed = 0
    for index in range(first, past):
        one_of(s.stack, index, &in_a, &in_b, &in_c)
        g.a = <const char *> s.first.a + in_a * s.itemsize
        g.b = <const char *> s.first.b + in_b * s.itemsize
        g.c = <char *> s.first.c + in_c * s.itemsize
        failed |= mg_gemm(s.code, isa_level(), &g)
    return failed


cdef int products(Products *s) noexcept nogil:
    """All matrices of the stack. Many: each by one thread. Few: the threads share each one. 0, or -1: no memory."""
    cdef Team all = team_of(&s.first, s.stack.count, s.itemsize)
    s.first.team = all
    if s.stack.count < all.threads:
        return some_products(s, 0, s.stack.count)
    s.first.team.threads = 1
    return run_parts(all, some_products, s, s.stack.count)


cdef Product product(Py_buffer *a, bint a_turned, Py_buffer *b, bint b_turned, Py_buffer *c, bint add) noexcept nogil:
    """c <- [c +] a b of the last two axes of each, not yet by whom; a, b `turned`: their transposes."""
    cdef Product g
    cdef int i = a.ndim - 2 + a_turned, j = b.ndim - 2 + b_turned
    cdef int p = a.ndim - 1 - a_turned, q = b.ndim - 1 - b_turned
    g.m, g.n, g.k = a.shape[i], b.shape[q], a.shape[p]
    g.a, g.ra, g.ca = a.buf, step(a, i), step(a, p)
    g.b, g.rb, g.cb = b.buf, step(b, j), step(b, q)
    g.c, g.rc, g.cc = c.buf, step(c, c.ndim - 2), 1
    g.bias, g.bi, g.bj = NULL, 0, 1
    g.add = add
    return g


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
    cdef Products all
    cdef Py_buffer *a_
    cdef Py_buffer *b_
    cdef Py_buffer *out_
    cdef Py_buffer *bias_ = NULL
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
        disjoint(&gate)
        all.first = product(a_, False, b_, False, out_, accumulate)
        all.first.bias = bias_.buf if bias_ != NULL else NULL
        all.stack, all.code, all.itemsize = &stack, gate.code, out_.itemsize
        with nogil:
            failed = products(&all)
        if failed:
            no_memory(&gate)
    finally:
        leave(&gate)


cdef int backward(char code, Py_buffer *g, Py_buffer *x, Py_buffer *w, Py_buffer *dx, Py_buffer *dw, Py_buffer *db,
                  bint add_dw, bint add_db) noexcept nogil:
    """0, or -1 where memory is lacking."""
    cdef Product p
    cdef int failed = 0
    if dx != NULL:                                    # dx = g w^T
        p = product(g, False, w, True, dx, False)
        p.team = team_of(&p, 1, g.itemsize)
        failed |= mg_gemm(code, isa_level(), &p)
    if dw != NULL:                                    # dw = x^T g
        p = product(x, True, g, False, dw, add_dw)
        p.team = team_of(&p, 1, g.itemsize)
        failed |= mg_gemm(code, isa_level(), &p)
    if db != NULL:                                    # db = sum over rows of g
        mg_columns(code, isa_level(), g.shape[0], g.shape[1], g.buf, step(g, 0), step(g, 1), db.buf, add_db)
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
            failed = backward(gate.code, g_, x_, w_, dx_, dw_, db_, accumulate_dw, accumulate_db)
        if failed:
            no_memory(&gate)
    finally:
        leave(&gate)
