"""Convolution of channels-last images: conv2d and its two transposes, without im2col buffers. The loops are in conv.h.

<g, conv2d(x, w)> is linear in g, x and w, so these three are closed under differentiation:

    conv2d     y[n, i, j, o]   = sum x[n, i sh + ki dh - top, j sw + kj dw - left, c] w[ki, kj, c, o]  (+ b[o])
    conv2d_x   dx[n, h, w, c]  = the same sum with g in the place of y and dx in that of x
    conv2d_w   dw[ki, kj, c, o] (+)= the same with g in the place of y and dw in that of w

x is zero outside the image. windows = (sh, sw, top, left, dh, dw, groups): stride, zeros before the first row and
column, dilation, groups; how many zeros lie behind the last row follows from y. With groups, the c / groups channels of
a group see the o / groups columns of w that belong to it; w is (kh, kw, c / groups, o).
"""
from cpython.buffer cimport Py_buffer

from minigrad_ext.gate cimport Gate, disjoint, enter, input, leave, output, refuse, shape4, want
from minigrad_ext.runtime cimport isa_level, threads_for

cdef extern from "conv.h" nogil:
    ctypedef struct Geometry:
        Py_ssize_t n, h, w, c, groups
        Py_ssize_t ph, pw, top, left, spread_h, spread_w
        int padded
        Py_ssize_t oh, ow, sh, sw, dh, dw
    ctypedef struct Weights:
        Py_ssize_t kh, kw, depth, columns
        Py_ssize_t s_kh, s_kw, s_depth, s_column, s_group
    int mg_correlate_f(int, Geometry *, Weights *, float *, float *, float *, float *, int)
    int mg_correlate_d(int, Geometry *, Weights *, double *, double *, double *, double *, int)
    int mg_correlate_w_f(int, Geometry *, Py_ssize_t, Py_ssize_t, Py_ssize_t, float *, float *, float *, float *,
                         int, int, int)
    int mg_correlate_w_d(int, Geometry *, Py_ssize_t, Py_ssize_t, Py_ssize_t, double *, double *, double *, double *,
                         int, int, int)


cdef int geometry(Gate *gate, Geometry *v, Py_buffer *x, Py_buffer *w, Py_buffer *y, object windows) except -1:
    """Check that x, w, y and windows belong together, and describe the windows on x."""
    sh, sw, top, left, dh, dw, groups = windows
    n, h, width, c = [x.shape[i] for i in range(4)]
    kh, kw, depth, o = [w.shape[i] for i in range(4)]
    oh, ow = y.shape[1], y.shape[2]
    if min(sh, sw, dh, dw, groups) < 1:
        refuse(gate, "windows", "(sh, sw, top, left, dh, dw, groups) with strides, dilations and groups >= 1", windows)
    if min(h, width, c, kh, kw, o, oh, ow) < 1:
        refuse(gate, "x, w and y", "without an axis of size 0 (only n may be 0)",
               f"x {(n, h, width, c)}, w {(kh, kw, depth, o)}, y {(n, oh, ow, o)}")
    if c != depth * groups or o % groups:
        refuse(gate, "w", f"(kh, kw, {c} / {groups}, a multiple of {groups})", f"shape {(kh, kw, depth, o)}")
    shape4(gate, y, "y", n, oh, ow, o)
    ph, pw = (oh - 1) * sh + dh * (kh - 1) + 1, (ow - 1) * sw + dw * (kw - 1) + 1
    bh, bw = h + dh * (kh - 1), width + dw * (kw - 1)                 # the plane of conv2d_x
    if max(ph * pw * c, bh * bw * o, (abs(top) + oh * sh) * c, (abs(left) + ow * sw) * c, o * n * oh * ow) >= 1 << 58:
        refuse(gate, "windows", "such that the image with its border has less than 2**58 numbers", windows)
    v.n, v.h, v.w, v.c, v.groups = n, h, width, c, groups
    v.ph, v.pw, v.top, v.left, v.spread_h, v.spread_w = ph, pw, top, left, 1, 1
    v.oh, v.ow, v.sh, v.sw, v.dh, v.dw = oh, ow, sh, sw, dh, dw
    v.padded = top != 0 or left != 0 or ph > h or pw > width
    if not v.padded:
        v.ph, v.pw = h, width
    return 0


cdef double work(Geometry *v, Py_buffer *w) noexcept:
    """Multiply-adds of all three."""
    return <double> v.n * v.oh * v.ow * w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3]


def conv2d(x, w, b, y, windows):
    """y <- conv(x, w) + b. x (n, h, w, c), w (kh, kw, c / groups, o), b (o,) or None, y (n, oh, ow, o)."""
    cdef Gate gate
    cdef Py_buffer *x_
    cdef Py_buffer *w_
    cdef Py_buffer *y_
    cdef Py_buffer *b_
    cdef Geometry v
    cdef Weights k
    cdef void *bias = NULL
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "conv2d")
    try:
        x_ = input(&gate, x, "x", 4)
        w_ = input(&gate, w, "w", 4)
        y_ = output(&gate, y, "y", 4)
        if b is not None:
            b_ = input(&gate, b, "b", 1)
            want(&gate, b_, "b", 0, w_.shape[3])
            bias = b_.buf
        disjoint(&gate)
        geometry(&gate, &v, x_, w_, y_, windows)
        k.kh, k.kw, k.depth, k.columns = w_.shape[0], w_.shape[1], w_.shape[2], w_.shape[3] // v.groups
        k.s_column, k.s_group, k.s_depth = 1, k.columns, w_.shape[3]
        k.s_kw = k.depth * k.s_depth
        k.s_kh = k.kw * k.s_kw
        threads = threads_for(work(&v, w_))
        with nogil:
            if gate.code == c"f":
                failed = mg_correlate_f(isa, &v, &k, <float *> x_.buf, <float *> w_.buf, <float *> bias,
                                        <float *> y_.buf, threads)
            else:
                failed = mg_correlate_d(isa, &v, &k, <double *> x_.buf, <double *> w_.buf, <double *> bias,
                                        <double *> y_.buf, threads)
        if failed:
            raise MemoryError("conv2d: no memory for the work buffers")
    finally:
        leave(&gate)


def conv2d_x(g, w, dx, windows):
    """dx <- the gradient of <g, conv(x, w)> with respect to x: g, spread by the stride, correlated with w flipped.

    g (n, oh, ow, o), w (kh, kw, c / groups, o), dx (n, h, w, c).
    """
    cdef Gate gate
    cdef Py_buffer *g_
    cdef Py_buffer *w_
    cdef Py_buffer *dx_
    cdef Geometry v, back
    cdef Weights k
    cdef Py_ssize_t last
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "conv2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        w_ = input(&gate, w, "w", 4)
        dx_ = output(&gate, dx, "dx", 4)
        disjoint(&gate)
        geometry(&gate, &v, dx_, w_, g_, windows)
        back = v
        back.h, back.w, back.c, back.oh, back.ow = v.oh, v.ow, w_.shape[3], v.h, v.w
        back.sh, back.sw, back.spread_h, back.spread_w = 1, 1, v.sh, v.sw
        back.top = v.dh * (w_.shape[0] - 1) - v.top
        back.left = v.dw * (w_.shape[1] - 1) - v.left
        back.ph = v.h + v.dh * (w_.shape[0] - 1)
        back.pw = v.w + v.dw * (w_.shape[1] - 1)
        back.padded = (back.top != 0 or back.left != 0 or v.sh > 1 or v.sw > 1 or back.ph > back.h
                       or back.pw > back.w)
        if not back.padded:
            back.ph, back.pw = back.h, back.w
        k.kh, k.kw, k.depth, k.columns = w_.shape[0], w_.shape[1], w_.shape[3] // v.groups, w_.shape[2]
        k.s_depth, k.s_column, k.s_group = 1, w_.shape[3], k.depth
        k.s_kw = -w_.shape[2] * w_.shape[3]
        k.s_kh = k.kw * k.s_kw
        last = -(k.kh - 1) * k.s_kh - (k.kw - 1) * k.s_kw            # w[kh - 1, kw - 1]: flipped
        threads = threads_for(work(&v, w_))
        with nogil:
            if gate.code == c"f":
                failed = mg_correlate_f(isa, &back, &k, <float *> g_.buf, <float *> w_.buf + last, NULL,
                                        <float *> dx_.buf, threads)
            else:
                failed = mg_correlate_d(isa, &back, &k, <double *> g_.buf, <double *> w_.buf + last, NULL,
                                        <double *> dx_.buf, threads)
        if failed:
            raise MemoryError("conv2d_x: no memory for the work buffers")
    finally:
        leave(&gate)


def conv2d_w(x, g, dw, db, windows, bint add_w=False, bint add_b=False):
    """dw <- (or += if add_w) the gradient of <g, conv(x, w) + b> with respect to w, db (o,) likewise to b.

    x (n, h, w, c), g (n, oh, ow, o), dw (kh, kw, c / groups, o); db may be None.
    """
    cdef Gate gate
    cdef Py_buffer *x_
    cdef Py_buffer *g_
    cdef Py_buffer *dw_
    cdef Py_buffer *db_
    cdef Geometry v
    cdef Py_ssize_t kh, kw, columns
    cdef void *bias = NULL
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "conv2d_w")
    try:
        x_ = input(&gate, x, "x", 4)
        g_ = input(&gate, g, "g", 4)
        dw_ = output(&gate, dw, "dw", 4)
        if db is not None:
            db_ = output(&gate, db, "db", 1)
            want(&gate, db_, "db", 0, dw_.shape[3])
            bias = db_.buf
        disjoint(&gate)
        geometry(&gate, &v, x_, dw_, g_, windows)
        kh, kw, columns = dw_.shape[0], dw_.shape[1], dw_.shape[3] // v.groups
        threads = threads_for(work(&v, dw_))
        with nogil:
            if gate.code == c"f":
                failed = mg_correlate_w_f(isa, &v, kh, kw, columns, <float *> x_.buf, <float *> g_.buf,
                                          <float *> dw_.buf, <float *> bias, add_w, add_b, threads)
            else:
                failed = mg_correlate_w_d(isa, &v, kh, kw, columns, <double *> x_.buf, <double *> g_.buf,
                                          <double *> dw_.buf, <double *> bias, add_w, add_b, threads)
        if failed:
            raise MemoryError("conv2d_w: no memory for the work buffers")
    finally:
        leave(&gate)
