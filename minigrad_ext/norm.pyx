"""Batch normalization (8.35): x (m, c) normalized over its rows, all axes but the last flattened into m. Forward and
backward are one pass each over blocks of rows for the sums, and one for the result. Layer normalization: the same over
the columns, row by row. The loops are in norm.h.
"""
from cpython.buffer cimport Py_buffer

from minigrad_ext.gate cimport Gate, disjoint, enter, input, leave, output, refuse, same_shape, want
from minigrad_ext.runtime cimport isa_level, threads_for

cdef extern from "norm.h" nogil:
    ctypedef struct Norm:
        Py_ssize_t m, c
        double delta
        int relu
    int mg_batch_norm_f(int, Norm *, float *, float *, float *, float *, float *, float *, int)
    int mg_batch_norm_d(int, Norm *, double *, double *, double *, double *, double *, double *, int)
    int mg_batch_norm_backward_f(int, Norm *, float *, float *, float *, float *, float *, float *, float *, float *,
                                 float *, int, int, int)
    int mg_batch_norm_backward_d(int, Norm *, double *, double *, double *, double *, double *, double *, double *,
                                 double *, double *, int, int, int)
    int mg_layer_norm_f(int, Norm *, float *, float *, float *, float *, int)
    int mg_layer_norm_d(int, Norm *, double *, double *, double *, double *, int)
    int mg_layer_norm_backward_f(int, Norm *, float *, float *, float *, float *, float *, float *, int, int, int)
    int mg_layer_norm_backward_d(int, Norm *, double *, double *, double *, double *, double *, double *, int, int, int)


cdef int describe(Gate *gate, Norm *v, Py_buffer *x, double delta, bint relu) except -1:
    v.m, v.c, v.delta, v.relu = x.shape[0], x.shape[1], delta, relu
    if v.m < 1 or v.c < 1:
        refuse(gate, "x", "(m, c) with m and c at least 1", f"shape {(v.m, v.c)}")
    if not delta >= 0:
        refuse(gate, "delta", "a number >= 0", delta)
    return 0


cdef void *channels(Gate *gate, object array, const char *name, Py_ssize_t c, bint written) except NULL:
    """The (c,) array of a channel's number."""
    cdef Py_buffer *view = output(gate, array, name, 1) if written else input(gate, array, name, 1)
    want(gate, view, name, 0, c)
    return view.buf


def batch_norm(x, gamma, beta, double delta, bint relu, y, mean, var):
    """mean, var <- mean and biased variance of the columns of x;  y <- gamma (x - mean) / sqrt(var + delta) + beta.

    x, y (m, c); the others (c,). With relu: y <- max(y, 0).
    """
    cdef Gate gate
    cdef Norm v
    cdef Py_buffer *x_
    cdef Py_buffer *y_
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "batch_norm")
    try:
        x_ = input(&gate, x, "x", 2)
        y_ = output(&gate, y, "y", 2)
        same_shape(&gate, y_, "y", x_, "x")
        describe(&gate, &v, x_, delta, relu)
        gamma_ = channels(&gate, gamma, "gamma", v.c, False)
        beta_ = channels(&gate, beta, "beta", v.c, False)
        mean_ = channels(&gate, mean, "mean", v.c, True)
        var_ = channels(&gate, var, "var", v.c, True)
        disjoint(&gate)
        threads = threads_for(24.0 * v.m * v.c)
        with nogil:
            if gate.code == c"f":
                failed = mg_batch_norm_f(isa, &v, <float *> x_.buf, <float *> gamma_, <float *> beta_,
                                         <float *> y_.buf, <float *> mean_, <float *> var_, threads)
            else:
                failed = mg_batch_norm_d(isa, &v, <double *> x_.buf, <double *> gamma_, <double *> beta_,
                                         <double *> y_.buf, <double *> mean_, <double *> var_, threads)
        if failed:
            raise MemoryError("batch_norm: no memory for the work buffers")
    finally:
        leave(&gate)


def batch_norm_backward(g, x, gamma, beta, mean, var, double delta, bint relu, dx, dgamma, dbeta,
                        bint add_gamma=False, bint add_beta=False):
    """With xhat = (x - mean) / sqrt(var + delta):   dbeta = sum g,   dgamma = sum g xhat   (sums over the rows),
    dx = gamma / sqrt(var + delta) (g - dbeta / m - xhat dgamma / m).

    g, x, dx (m, c), the others (c,); mean and var as batch_norm left them. dx, dgamma, dbeta may be None; dgamma and
    dbeta are added to if add_gamma, add_beta. With relu, g counts only where the output was positive.
    """
    cdef Gate gate
    cdef Norm v
    cdef Py_buffer *g_
    cdef Py_buffer *x_
    cdef Py_buffer *dx_
    cdef void *to = NULL
    cdef void *dgamma_ = NULL
    cdef void *dbeta_ = NULL
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "batch_norm_backward")
    try:
        g_ = input(&gate, g, "g", 2)
        x_ = input(&gate, x, "x", 2)
        same_shape(&gate, g_, "g", x_, "x")
        describe(&gate, &v, x_, delta, relu)
        gamma_ = channels(&gate, gamma, "gamma", v.c, False)
        beta_ = channels(&gate, beta, "beta", v.c, False)
        mean_ = channels(&gate, mean, "mean", v.c, False)
        var_ = channels(&gate, var, "var", v.c, False)
        if dx is not None:
            dx_ = output(&gate, dx, "dx", 2)
            same_shape(&gate, dx_, "dx", x_, "x")
            to = dx_.buf
        if dgamma is not None:
            dgamma_ = channels(&gate, dgamma, "dgamma", v.c, True)
        if dbeta is not None:
            dbeta_ = channels(&gate, dbeta, "dbeta", v.c, True)
        disjoint(&gate)
        threads = threads_for(24.0 * v.m * v.c)
        with nogil:
            if gate.code == c"f":
                failed = mg_batch_norm_backward_f(
                    isa, &v, <float *> g_.buf, <float *> x_.buf, <float *> gamma_, <float *> beta_, <float *> mean_,
                    <float *> var_, <float *> to, <float *> dgamma_, <float *> dbeta_, add_gamma, add_beta, threads)
            else:
                failed = mg_batch_norm_backward_d(
                    isa, &v, <double *> g_.buf, <double *> x_.buf, <double *> gamma_, <double *> beta_,
                    <double *> mean_, <double *> var_, <double *> to, <double *> dgamma_, <double *> dbeta_,
                    add_gamma, add_beta, threads)
        if failed:
            raise MemoryError("batch_norm_backward: no memory for the work buffers")
    finally:
        leave(&gate)


def layer_norm(x, gamma, beta, double delta, y):
    """y <- gamma (x - mean) / sqrt(var + delta) + beta, mean and biased variance of each row of x. x, y (m, c)."""
    cdef Gate gate
    cdef Norm v
    cdef Py_buffer *x_
    cdef Py_buffer *y_
    cdef int threads, isa = isa_level()
    enter(&gate, "layer_norm")
    try:
        x_ = input(&gate, x, "x", 2)
        y_ = output(&gate, y, "y", 2)
        same_shape(&gate, y_, "y", x_, "x")
        describe(&gate, &v, x_, delta, False)
        gamma_ = channels(&gate, gamma, "gamma", v.c, False)
        beta_ = channels(&gate, beta, "beta", v.c, False)
        disjoint(&gate)
        threads = threads_for(24.0 * v.m * v.c)
        with nogil:
            if gate.code == c"f":
                mg_layer_norm_f(isa, &v, <float *> x_.buf, <float *> gamma_, <float *> beta_, <float *> y_.buf, threads)
            else:
                mg_layer_norm_d(isa, &v, <double *> x_.buf, <double *> gamma_, <double *> beta_, <double *> y_.buf,
                                threads)
    finally:
        leave(&gate)


def layer_norm_backward(g, x, gamma, double delta, dx, dgamma, dbeta, bint add_gamma=False, bint add_beta=False):
    """With xhat = (x - mean) / sqrt(var + delta) of each row and u = g gamma:   dbeta = sum g,   dgamma = sum g xhat
    (sums over the rows),   dx = (u - mean u - xhat mean(u xhat)) / sqrt(var + delta).

    g, x, dx (m, c), the others (c,). dx, dgamma, dbeta may be None; the last two are added to if add_gamma, add_beta.
    """
    cdef Gate gate
    cdef Norm v
    cdef Py_buffer *g_
    cdef Py_buffer *x_
    cdef Py_buffer *dx_
    cdef void *to = NULL
    cdef void *dgamma_ = NULL
    cdef void *dbeta_ = NULL
    cdef int threads, failed = 0, isa = isa_level()
    enter(&gate, "layer_norm_backward")
    try:
        g_ = input(&gate, g, "g", 2)
        x_ = input(&gate, x, "x", 2)
        same_shape(&gate, g_, "g", x_, "x")
        describe(&gate, &v, x_, delta, False)
        gamma_ = channels(&gate, gamma, "gamma", v.c, False)
        if dx is not None:
            dx_ = output(&gate, dx, "dx", 2)
            same_shape(&gate, dx_, "dx", x_, "x")
            to = dx_.buf
        if dgamma is not None:
            dgamma_ = channels(&gate, dgamma, "dgamma", v.c, True)
        if dbeta is not None:
            dbeta_ = channels(&gate, dbeta, "dbeta", v.c, True)
        disjoint(&gate)
        threads = threads_for(24.0 * v.m * v.c)
        with nogil:
            if gate.code == c"f":
                failed = mg_layer_norm_backward_f(isa, &v, <float *> g_.buf, <float *> x_.buf, <float *> gamma_,
                                                  <float *> to, <float *> dgamma_, <float *> dbeta_, add_gamma,
                                                  add_beta, threads)
            else:
                failed = mg_layer_norm_backward_d(isa, &v, <double *> g_.buf, <double *> x_.buf, <double *> gamma_,
                                                  <double *> to, <double *> dgamma_, <double *> dbeta_, add_gamma,
                                                  add_beta, threads)
        if failed:
            raise MemoryError("layer_norm_backward: no memory for the work buffers")
    finally:
        leave(&gate)
