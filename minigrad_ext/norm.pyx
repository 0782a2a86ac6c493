"""Batch normalization (8.35): x (m, c) normalized over its rows, all axes but the last flattened into m. Forward and
backward are one pass each over blocks of rows for the sums, and one for the result. Layer normalization: the same over
the columns, row by row. The loops are in norm.h. Sums over rows are float64 from block to block (in the twins from row
to row): of many float32 the digits would be lost.
"""
from cpython.buffer cimport Py_buffer

from minigrad_ext.gate cimport Gate, disjoint, enter, input, leave, no_memory, output, refuse, same_shape, want
from minigrad_ext.runtime cimport Team, isa_level, past_caches, team_for

cdef extern from "norm.h" nogil:
    ctypedef struct Norm:
        Py_ssize_t m, c
        double delta
        int relu
        const void *x
        const void *gamma
        const void *beta
        void *y
        void *mean
        void *var
        const void *g
        void *dx
        void *dgamma
        void *dbeta
        int add_gamma, add_beta, aside
        Team team
    enum: BATCH_NORM
    enum: BATCH_NORM_BACKWARD
    enum: LAYER_NORM
    enum: LAYER_NORM_BACKWARD
    int mg_norm(int kernel, char code, int isa, const Norm *v)


cdef int describe(Gate *gate, Norm *v, Py_buffer *x, double delta, bint relu) except -1:
    v.m, v.c, v.delta, v.relu, v.x = x.shape[0], x.shape[1], delta, relu, x.buf
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


cdef int gradients(Gate *gate, Norm *v, Py_buffer *x, object dx, object dgamma, object dbeta, bint add_gamma,
                   bint add_beta) except -1:
    """What a backward writes, each of which may be None."""
    cdef Py_buffer *dx_
    v.dx = v.dgamma = v.dbeta = NULL
    v.add_gamma, v.add_beta = add_gamma, add_beta
    if dx is not None:
        dx_ = output(gate, dx, "dx", 2)
        same_shape(gate, dx_, "dx", x, "x")
        v.dx = dx_.buf
    if dgamma is not None:
        v.dgamma = channels(gate, dgamma, "dgamma", v.c, True)
    if dbeta is not None:
        v.dbeta = channels(gate, dbeta, "dbeta", v.c, True)
    return 0


cdef int run(Gate *gate, int kernel, Norm *v) except -1:
    cdef int failed
    disjoint(gate)
    v.team = team_for(24.0 * v.m * v.c)
    v.aside = past_caches(v.m * v.c * (4 if gate.code == c"f" else 8))
    with nogil:
        failed = mg_norm(kernel, gate.code, isa_level(), v)
    if failed:
        no_memory(gate)
    return 0


def batch_norm(x, gamma, beta, double delta, bint relu, y, mean, var):
    """mean, var <- mean and biased variance of the columns of x;  y <- gamma (x - mean) / sqrt(var + delta) + beta.

    x, y (m, c); the others (c,). With relu: y <- max(y, 0).
    """
    cdef Gate gate
    cdef Norm v
    enter(&gate, "batch_norm")
    try:
        x_ = input(&gate, x, "x", 2)
        y_ = output(&gate, y, "y", 2)
        same_shape(&gate, y_, "y", x_, "x")
        describe(&gate, &v, x_, delta, relu)
        v.y = y_.buf
        v.gamma = channels(&gate, gamma, "gamma", v.c, False)
        v.beta = channels(&gate, beta, "beta", v.c, False)
        v.mean = channels(&gate, mean, "mean", v.c, True)
        v.var = channels(&gate, var, "var", v.c, True)
        run(&gate, BATCH_NORM, &v)
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
    enter(&gate, "batch_norm_backward")
    try:
        g_ = input(&gate, g, "g", 2)
        x_ = input(&gate, x, "x", 2)
        same_shape(&gate, g_, "g", x_, "x")
        describe(&gate, &v, x_, delta, relu)
        v.g = g_.buf
        v.gamma = channels(&gate, gamma, "gamma", v.c, False)
        v.beta = channels(&gate, beta, "beta", v.c, False)
        v.mean = channels(&gate, mean, "mean", v.c, False)
        v.var = channels(&gate, var, "var", v.c, False)
        gradients(&gate, &v, x_, dx, dgamma, dbeta, add_gamma, add_beta)
        run(&gate, BATCH_NORM_BACKWARD, &v)
    finally:
        leave(&gate)


def layer_norm(x, gamma, beta, double delta, y):
    """y <- gamma (x - mean) / sqrt(var + delta) + beta, mean and biased variance of each row of x. x, y (m, c)."""
    cdef Gate gate
    cdef Norm v
    enter(&gate, "layer_norm")
    try:
        x_ = input(&gate, x, "x", 2)
        y_ = output(&gate, y, "y", 2)
        same_shape(&gate, y_, "y", x_, "x")
        describe(&gate, &v, x_, delta, False)
        v.y = y_.buf
        v.gamma = channels(&gate, gamma, "gamma", v.c, False)
        v.beta = channels(&gate, beta, "beta", v.c, False)
        run(&gate, LAYER_NORM, &v)
    finally:
        leave(&gate)


def layer_norm_backward(g, x, gamma, double delta, dx, dgamma, dbeta, bint add_gamma=False, bint add_beta=False):
    """With xhat = (x - mean) / sqrt(var + delta) of each row and u = g gamma:   dbeta = sum g,   dgamma = sum g xhat
    (sums over the rows),   dx = (u - mean u - xhat mean(u xhat)) / sqrt(var + delta).

    g, x, dx (m, c), the others (c,). dx, dgamma, dbeta may be None; the last two are added to if add_gamma, add_beta.
    """
    cdef Gate gate
    cdef Norm v
    enter(&gate, "layer_norm_backward")
    try:
        g_ = input(&gate, g, "g", 2)
        x_ = input(&gate, x, "x", 2)
        same_shape(&gate, g_, "g", x_, "x")
        describe(&gate, &v, x_, delta, False)
        v.g = g_.buf
        v.gamma = channels(&gate, gamma, "gamma", v.c, False)
        gradients(&gate, &v, x_, dx, dgamma, dbeta, add_gamma, add_beta)
        run(&gate, LAYER_NORM_BACKWARD, &v)
    finally:
        leave(&gate)
