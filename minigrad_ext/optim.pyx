"""Optimizer updates: one vectorised pass over theta (n,) and the state, in place. The loops are in updates.h.

Each function here names its arrays and turns hyperparameters into the coefficients of its loop, in double. `launch` is
the gate and gives the elements to a team; every element is computed alone, so the bits do not depend on the split.
"""
from libc.math cimport pow

from minigrad_ext.gate cimport (
    Gate,
    Py_buffer,
    disjoint,
    enter,
    input,
    leave,
    mg_flush_off,
    mg_flush_on,
    output,
    same_shape,
    size,
    uint64_t,
)
from minigrad_ext.runtime cimport isa_level, run_parts, team_for


cdef extern from "optim_table.h" nogil:
    ctypedef void (*mg_update)(void **a, const double *c, ptrdiff_t i, ptrdiff_t stop)
    mg_update mg_updates[][2][2]
    int mg_sgd, mg_momentum, mg_interim, mg_nesterov_notes, mg_momentum_notes, mg_adagrad, mg_rmsprop
    int mg_rmsprop_nesterov, mg_adadelta, mg_adam, mg_adamax, mg_adamw, mg_delta_bar_delta, mg_rprop, mg_rprop_minus
    int mg_vsgd


cdef enum:
    MOST = 8                     # arrays of one update
    LINE = 16                    # a part; threads share no cache line


cdef struct Pass:
    mg_update update
    void *a[MOST]
    const double *c
    Py_ssize_t n


cdef int launch(const char *name, int kernel, tuple arrays, tuple names, const double *c, int only_read=2) except -1:
    """Check the arrays, then run update number `kernel` on them. Bit i of only_read: array i is not written."""
    cdef Gate gate
    cdef Py_buffer *views[MOST]
    cdef Pass whole
    cdef int i, count = len(arrays)
    views[0] = NULL              # GCC does not see that there is at least one array
    enter(&gate, name)
    try:
        for i in range(count):
            if only_read >> i & 1:
                views[i] = input(&gate, arrays[i], <const char *> names[i], 1)
            else:
                views[i] = output(&gate, arrays[i], <const char *> names[i], 1)
            same_shape(&gate, views[i], <const char *> names[i], views[0], <const char *> names[0])
            whole.a[i] = views[i].buf
        disjoint(&gate)
        whole.update = mg_updates[kernel][gate.code == c"d"][isa_level() > 0]
        whole.c = c
        whole.n = size(views[0])
        with nogil:                                           # Adam, four arrays: a second thread from 250k elements
            run_parts(team_for(6.0 * count * whole.n), lines, &whole, (whole.n + LINE - 1) // LINE)
    finally:
        leave(&gate)
    return 0


cdef int lines(const void *whole, Py_ssize_t first, Py_ssize_t past) noexcept nogil:
    """Lines first to past of an update, by the calling thread."""
    cdef Pass *of = <Pass *> whole
    cdef uint64_t before = mg_flush_on()
    of.update(of.a, of.c, first * LINE, min(past * LINE, of.n))
    mg_flush_off(before)
    return 0


cdef tuple THETA_G = (b"theta", b"g")
cdef tuple THETA_G_V = (b"theta", b"g", b"v")
cdef tuple THETA_G_R = (b"theta", b"g", b"r")
cdef tuple THETA_G_R_V = (b"theta", b"g", b"r", b"v")
cdef tuple THETA_G_R_U = (b"theta", b"g", b"r", b"u")
cdef tuple THETA_G_S_R = (b"theta", b"g", b"s", b"r")
cdef tuple THETA_G_S_U = (b"theta", b"g", b"s", b"u")
cdef tuple THETA_V_OUT = (b"theta", b"v", b"out")
cdef tuple THETA_G_RATE_D = (b"theta", b"g", b"rate", b"d")
cdef tuple THETA_G_RATE_BEFORE = (b"theta", b"g", b"rate", b"g_before")
cdef tuple VSGD = (b"theta", b"g", b"g_bar", b"v_bar", b"h_bar", b"tau", b"g2", b"h")


def sgd(theta, g, double lr):
    """theta <- theta - lr g (algorithm 8.1)."""
    launch("sgd", mg_sgd, (theta, g), THETA_G, &lr)


def momentum(theta, g, v, double lr, double momentum):
    """v <- alpha v - lr g;  theta <- theta + v (algorithm 8.2)."""
    cdef double[2] c = [lr, momentum]
    launch("momentum", mg_momentum, (theta, g, v), THETA_G_V, c)


def interim(theta, v, double momentum, out):
    """out <- theta + alpha v (algorithms 8.3 and 8.6)."""
    launch("interim", mg_interim, (theta, v, out), THETA_V_OUT, &momentum, 3)


def nesterov_notes(theta, g, v, double lr, double momentum, double next_momentum):
    """u = v;  v <- alpha v - lr g;  theta <- theta - alpha u + (1 + next alpha) v (the notes' Nesterov)."""
    cdef double[3] c = [lr, momentum, 1 + next_momentum]
    launch("nesterov_notes", mg_nesterov_notes, (theta, g, v), THETA_G_V, c)


def momentum_notes(theta, g, v, double lr, double momentum):
    """v <- alpha v + g;  theta <- theta - lr v (the notes' momentum)."""
    cdef double[2] c = [lr, momentum]
    launch("momentum_notes", mg_momentum_notes, (theta, g, v), THETA_G_V, c)


def adagrad(theta, g, r, double lr, double delta):
    """r <- r + g*g;  theta <- theta - lr/(delta + sqrt(r)) g (algorithm 8.4)."""
    cdef double[2] c = [lr, delta]
    launch("adagrad", mg_adagrad, (theta, g, r), THETA_G_R, c)


def rmsprop(theta, g, r, double lr, double rho, double delta):
    """r <- rho r + (1 - rho) g*g;  theta <- theta - lr/sqrt(delta + r) g (algorithm 8.5)."""
    cdef double[4] c = [lr, rho, 1 - rho, delta]
    launch("rmsprop", mg_rmsprop, (theta, g, r), THETA_G_R, c)


def rmsprop_nesterov(theta, g, r, v, double lr, double rho, double momentum, double delta):
    """r as in rmsprop;  v <- alpha v - lr g/sqrt(delta + r);  theta <- theta + v (algorithm 8.6)."""
    cdef double[5] c = [lr, rho, 1 - rho, momentum, delta]
    launch("rmsprop_nesterov", mg_rmsprop_nesterov, (theta, g, r, v), THETA_G_R_V, c)


def adadelta(theta, g, r, u, double lr, double rho, double delta):
    """r as in rmsprop;  d = sqrt(delta + u)/sqrt(delta + r) g;  u <- rho u + (1 - rho) d*d;  theta <- theta - lr d."""
    cdef double[4] c = [lr, rho, 1 - rho, delta]
    launch("adadelta", mg_adadelta, (theta, g, r, u), THETA_G_R_U, c)


def adam(theta, g, s, r, double lr, double rho1, double rho2, double delta, double t):
    """s, r: averages of g and g*g;  theta <- theta - lr s^/(sqrt(r^) + delta) (algorithm 8.7). t >= 1."""
    cdef double[7] c = [lr / (1 - pow(rho1, t)), rho1, 1 - rho1, rho2, 1 - rho2, delta, 1 / (1 - pow(rho2, t))]
    launch("adam", mg_adam, (theta, g, s, r), THETA_G_S_R, c)


def adamax(theta, g, s, u, double lr, double rho1, double rho2, double t):
    """s as in adam;  u <- max(rho2 u, |g|);  theta <- theta - lr/(1 - rho1^t) s/u. t >= 1."""
    cdef double[4] c = [lr / (1 - pow(rho1, t)), rho1, 1 - rho1, rho2]
    launch("adamax", mg_adamax, (theta, g, s, u), THETA_G_S_U, c)


def adamw(theta, g, s, r, double lr, double rho1, double rho2, double delta, double weight_decay, double eta, double t):
    """s^, r^ as in adam;  theta <- theta - eta (lr s^/(sqrt(r^) + delta) + weight_decay theta). t >= 1."""
    cdef double[9] c = [lr / (1 - pow(rho1, t)), rho1, 1 - rho1, rho2, 1 - rho2, delta, 1 / (1 - pow(rho2, t)),
                        weight_decay, eta]
    launch("adamw", mg_adamw, (theta, g, s, r), THETA_G_S_R, c)


def delta_bar_delta(theta, g, rate, d, double kappa, double phi, double rho):
    """rate + kappa where d g > 0, rate (1 - phi) where < 0;  theta <- theta - rate g;  d <- (1 - rho) g + rho d."""
    cdef double[4] c = [kappa, 1 - phi, rho, 1 - rho]
    launch("delta_bar_delta", mg_delta_bar_delta, (theta, g, rate, d), THETA_G_RATE_D, c)


def rprop(theta, g, rate, g_before, double up, double down, double smallest, double largest):
    """The rate follows the signs of g_before and g; a step of it against the sign of g, or back (Rprop 1993)."""
    cdef double[4] c = [up, down, smallest, largest]
    launch("rprop", mg_rprop, (theta, g, rate, g_before), THETA_G_RATE_BEFORE, c)


def rprop_minus(theta, g, rate, g_before, double up, double down, double smallest, double largest):
    """As rprop, but no step where the sign changed (iRprop-)."""
    cdef double[4] c = [up, down, smallest, largest]
    launch("rprop_minus", mg_rprop_minus, (theta, g, rate, g_before), THETA_G_RATE_BEFORE, c)


def vsgd(theta, g, g_bar, v_bar, h_bar, tau, g2, h, double delta):
    """Averages of g, g2 and |h| over the last tau steps;  theta <- theta - g_bar^2/(h_bar v_bar) g (vSGD-l)."""
    launch("vsgd", mg_vsgd, (theta, g, g_bar, v_bar, h_bar, tau, g2, h), VSGD, &delta, 194)
