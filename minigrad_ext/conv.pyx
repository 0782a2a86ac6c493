"""Convolution of channels-last images: conv2d and its two transposes, without im2col buffers. The loops are in conv.h.

<g, conv2d(x, w)> is linear in g, x and w, so these three are closed under differentiation:

    conv2d     y[n, i, j, o]   = sum x[n, i sh + ki dh - top, j sw + kj dw - left, c] w[ki, kj, c, o]  (+ b[o])
    conv2d_x   dx[n, h, w, c]  = the same sum with g in the place of y and dx in that of x
    conv2d_w   dw[ki, kj, c, o] (+)= the same with g in the place of y and dw in that of w

x is zero outside the image. windows = (sh, sw, top, left, dh, dw, groups): stride, zeros before the first row and
column, dilation, groups; how many zeros lie behind the last row follows from y. With groups, the c / groups channels of
a group see the o / groups columns of w that belong to it; w is (kh, kw, c / groups, o).

What lies outside the image is left out, not multiplied by 0: an infinite or NaN weight makes y infinite or NaN only
where its window sees a pixel through that weight, and likewise in dx and dw. The NumPy twin of conv2d and conv2d_w does
multiply its zeros (0 inf is NaN at the border); PyTorch does so for some shapes. Finite numbers give the same sums, but
for the sign of a sum that is 0.
"""
from cpython.buffer cimport Py_buffer
from cpython.number cimport PyNumber_Index

from minigrad_ext.gate cimport Gate, disjoint, enter, input, leave, no_memory, output, refuse, shape4, want
from minigrad_ext.runtime cimport Team, isa_level, team_for

cdef extern from "conv.h" nogil:
    ctypedef struct Geometry:
        Py_ssize_t n, h, w, c, groups
        Py_ssize_t oh, ow, sh, sw, dh, dw, spread_h, spread_w, top, left
        Team team
        void *images
        void *windows
    ctypedef struct Weights:
        Py_ssize_t kh, kw, depth, columns
        Py_ssize_t s_kh, s_kw, s_depth, s_column, s_group
        void *entries
        void *bias
        int add, add_bias
    enum: CORRELATE
    enum: CORRELATE_W
    int mg_conv(int kernel, char code, int isa, const Geometry *v, const Weights *k)


cdef int describe(Gate *gate, Geometry *v, Weights *k, Py_buffer *x, Py_buffer *w, Py_buffer *y,
                  object windows) except -1:
    """Check that x, w, y and windows belong together; describe the windows on x, and w as it lies in memory."""
    disjoint(gate)
    try:
        sh, sw, top, left, dh, dw, groups = [PyNumber_Index(size) for size in windows]   # NumPy's integers wrap around
    except (TypeError, ValueError):
        refuse(gate, "windows", "seven integers (sh, sw, top, left, dh, dw, groups)", windows)
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
    ph, pw = abs(top) + h + oh * sh + dh * kh, abs(left) + width + ow * sw + dw * kw         # no index is larger
    if max(ph * pw * c, ph * pw * o, o * n * oh * ow) >= 1 << 58:
        refuse(gate, "windows", "such that the image with its border has less than 2**58 numbers", windows)
    v.n, v.h, v.w, v.c, v.groups = n, h, width, c, groups
    v.oh, v.ow, v.sh, v.sw, v.dh, v.dw = oh, ow, sh, sw, dh, dw
    v.spread_h, v.spread_w, v.top, v.left = 1, 1, top, left
    v.images, v.windows = x.buf, y.buf
    k.kh, k.kw, k.depth, k.columns = w.shape[0], w.shape[1], w.shape[2], w.shape[3] // v.groups
    k.s_column, k.s_group, k.s_depth = 1, k.columns, w.shape[3]
    k.s_kw = k.depth * k.s_depth
    k.s_kh = k.kw * k.s_kw
    k.entries = w.buf
    v.team = team_for(<double> v.n * v.oh * v.ow * k.kh * k.kw * k.depth * w.shape[3])   # multiply-adds of each
    return 0


cdef void *columns(Gate *gate, object b, const char *name, Py_buffer *w, bint written) except? NULL:
    """b (o,) of the weights w; NULL for None."""
    cdef Py_buffer *view
    if b is None:
        return NULL
    view = output(gate, b, name, 1) if written else input(gate, b, name, 1)
    want(gate, view, name, 0, w.shape[3])
    return view.buf


cdef void transpose(Geometry *v, Weights *k, Py_ssize_t itemsize) noexcept:
    """From conv2d to conv2d_x: the windows are images now, spread by the stride; w is flipped, and its columns are
    summed over instead of its depth.
    """
    cdef Geometry f = v[0]
    v.images, v.windows = f.windows, f.images
    v.h, v.w, v.c, v.oh, v.ow = f.oh, f.ow, k.columns * f.groups, f.h, f.w
    v.sh, v.sw, v.spread_h, v.spread_w = 1, 1, f.sh, f.sw
    v.top, v.left = f.dh * (k.kh - 1) - f.top, f.dw * (k.kw - 1) - f.left
    k.entries = <char *> k.entries + itemsize * ((k.kh - 1) * k.s_kh + (k.kw - 1) * k.s_kw)      # w[kh - 1, kw - 1]
    k.s_kh, k.s_kw = -k.s_kh, -k.s_kw
    k.depth, k.columns = k.columns, k.depth
    k.s_depth, k.s_column = k.s_column, k.s_depth


cdef int run(Gate *gate, int kernel, Geometry *v, Weights *k) except -1:
    cdef int failed
    with nogil:
        failed = mg_conv(kernel, gate.code, isa_level(), v, k)
    if failed:
        no_memory(gate)
    return 0


def conv2d(x, w, b, y, windows):
    """y <- conv(x, w) + b. x (n, h, w, c), w (kh, kw, c / groups, o), b (o,) or None, y (n, oh, ow, o)."""
    cdef Gate gate
    cdef Geometry v
    cdef Weights k
    enter(&gate, "conv2d")
    try:
        x_ = input(&gate, x, "x", 4)
        w_ = input(&gate, w, "w", 4)
        y_ = output(&gate, y, "y", 4)
        k.bias = columns(&gate, b, "b", w_, False)
        describe(&gate, &v, &k, x_, w_, y_, windows)
        run(&gate, CORRELATE, &v, &k)
    finally:
        leave(&gate)


def conv2d_x(g, w, dx, windows):
    """dx <- the gradient of <g, conv(x, w)> with respect to x: g, spread by the stride, correlated with w flipped.

    g (n, oh, ow, o), w (kh, kw, c / groups, o), dx (n, h, w, c).
    """
    cdef Gate gate
    cdef Geometry v
    cdef Weights k
    enter(&gate, "conv2d_x")
    try:
        g_ = input(&gate, g, "g", 4)
        w_ = input(&gate, w, "w", 4)
        dx_ = output(&gate, dx, "dx", 4)
        k.bias = NULL
        describe(&gate, &v, &k, dx_, w_, g_, windows)
        transpose(&v, &k, w_.itemsize)
        run(&gate, CORRELATE, &v, &k)
    finally:
        leave(&gate)


def conv2d_w(x, g, dw, db, windows, bint add_w=False, bint add_b=False):
    """dw <- (or += if add_w) the gradient of <g, conv(x, w) + b> with respect to w, db (o,) likewise to b.

    x (n, h, w, c), g (n, oh, ow, o), dw (kh, kw, c / groups, o); db may be None.
    """
    cdef Gate gate
    cdef Geometry v
    cdef Weights k
    enter(&gate, "conv2d_w")
    try:
        x_ = input(&gate, x, "x", 4)
        g_ = input(&gate, g, "g", 4)
        dw_ = output(&gate, dw, "dw", 4)
        k.bias = columns(&gate, db, "db", dw_, True)
        describe(&gate, &v, &k, x_, dw_, g_, windows)
        k.add, k.add_bias = add_w, add_b
        run(&gate, CORRELATE_W, &v, &k)
    finally:
        leave(&gate)
