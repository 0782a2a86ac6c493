"""Jacobians, Hessians and their diagonals as matrices: one product per row (or column), on one recorded graph."""
import numpy as np

from minigrad.core import Tensor, grad, no_grad, wrap
from minigrad.derivatives.products import as_inputs, call, inner
from minigrad.random import generator


def _axes(shape, dtype):
    """The unit vectors of a space of arrays: yields (flat index, array); the array is one and the same, reused."""
    e = np.zeros(shape, dtype)
    flat = e.reshape(-1)
    for i in range(flat.size):
        flat[i] = 1
        yield i, e
        flat[i] = 0


def jacobian(f, x):
    """df/dx, of shape (*y.shape, *x.shape); for a tuple x a list of them. No history.

    By rows (one vjp each) or by columns (one jvp each), whichever are fewer.
    """
    xs, single, _ = as_inputs("jacobian", x)
    y = call("jacobian", f, xs)
    rows = [np.zeros((y.size, a.size), a.dtype) for a in xs]
    if y.size <= sum(a.size for a in xs):
        for i, e in _axes(y.shape, y.dtype):
            for row, g in zip(rows, grad(y, xs, e.copy(), retain_graph=True)):
                row[i] = g.data.ravel()
    else:
        u = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
        gs = grad(y, xs, u, create_graph=True)
        for k, a in enumerate(xs):
            for j, e in _axes(a.shape, a.dtype):
                with no_grad(enabled=True):
                    gu = inner([e.copy()], [gs[k]])
                rows[k][:, j] = grad(gu, u, retain_graph=True).data.ravel()
    results = [wrap(row.reshape(*y.shape, *a.shape), None) for row, a in zip(rows, xs)]
    return results[0] if single else results


def hessian(f, x):
    """The Hessian of f: x -> a number, of shape (*x.shape, *x.shape), one product per row; symmetric to rounding.

    For a tuple x: a list of lists of blocks, [i][j] of shape (*x_i.shape, *x_j.shape). No history.
    """
    xs, single, _ = as_inputs("hessian", x)
    gs = grad(call("hessian", f, xs, scalar=True), xs, create_graph=True)
    blocks = [[np.zeros((a.size, b.size), a.dtype) for b in xs] for a in xs]
    for k, a in enumerate(xs):
        for i, e in _axes(a.shape, a.dtype):
            with no_grad(enabled=True):
                gv = inner([e.copy()], [gs[k]])
            for block, row in zip(blocks[k], grad(gv, xs, retain_graph=True)):
                block[i] = row.data.ravel()
    results = [[wrap(block.reshape(*a.shape, *b.shape), None) for block, b in zip(line, xs)]
               for line, a in zip(blocks, xs)]
    return results[0][0] if single else results


def hessian_diagonal(f, x, samples=None, rng=None):
    """The diagonal of the Hessian of f: x -> a number, of the shape of x. No history.

    Exact by default, one product per entry. samples: Hutchinson's estimate instead, the mean of z * Hz over so many
    random z of signs (Bekas et al. 2007), unbiased; an entry's variance is 2 sum_j H_ij^2, j != i, / samples.
    Not the gradient of the sum of the gradient, which is the sum of each row.
    """
    xs, single, _ = as_inputs("hessian_diagonal", x)
    gs = grad(call("hessian_diagonal", f, xs, scalar=True), xs, create_graph=True)

    def product(vs, k=None):
        """H v; k: v is zero but for the k-th x, and only its part of H v is wanted."""
        with no_grad(enabled=True):
            gv = inner(vs, gs if k is None else [gs[k]])
        return [h.data for h in grad(gv, xs if k is None else [xs[k]], retain_graph=True)]

    diagonals = diagonal([a.shape for a in xs], [a.dtype for a in xs], product, samples, rng)
    results = [wrap(d, None) for d in diagonals]
    return results[0] if single else results


def diagonal(shapes, dtypes, product, samples=None, rng=None):
    """Diagonal of a linear map given by product(vs, k): see `hessian_diagonal`. A list of arrays of `shapes`."""
    out = [np.zeros(shape, dtype) for shape, dtype in zip(shapes, dtypes)]
    if samples is None:
        for k, d in enumerate(out):
            for i, e in _axes(d.shape, d.dtype):
                d.reshape(-1)[i] = product([e.copy()], k)[0].reshape(-1)[i]
        return out
    if not isinstance(samples, int | np.integer) or samples < 1:
        raise ValueError(f"hessian_diagonal: samples must be a positive integer or None, got {samples!r}")
    rng = generator(rng)
    for _ in range(samples):
        zs = [(2 * rng.integers(0, 2, d.shape) - 1).astype(d.dtype) for d in out]
        for d, z, h in zip(out, zs, product(zs)):
            d += z * h / samples
    return out
