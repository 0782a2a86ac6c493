"""Jacobians, Hessians and their diagonals as matrices: one product per row (or column), on one recorded graph."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor, grad, no_grad, wrap
from minigrad.derivatives.products import as_inputs, call, inner
from minigrad.ops import reshape, stack, transpose
from minigrad.random import generator
from minigrad.typing import Random


def _axes(shape, dtype):
    """The unit vectors of a space of arrays: yields (flat index, array)."""
    for i in range(math.prod(shape)):
        e = np.zeros(shape, dtype)
        e.reshape(-1)[i] = 1
        yield i, e


def _joined(parts, shape, dtype):
    """Rows or numbers, arrays or Tensors, one after the other in an array or a Tensor of `shape`."""
    if any(isinstance(part, Tensor) for part in parts):
        return reshape(stack(parts), shape)
    return np.array(parts, dtype).reshape(shape)


def jacobian(f: Callable[..., Any], x: Any) -> Any:
    """df/dx, of shape (*y.shape, *x.shape); for a tuple x a list of them.

    By rows (one vjp each) or by columns (one jvp each), whichever are fewer.
    """
    xs, single, tracked = as_inputs("jacobian", f, x)
    y, closes = call("jacobian", f, xs)
    again = tracked or closes
    if y.size <= sum(a.size for a in xs):
        rows = [[] for _ in xs]
        for _, e in _axes(y.shape, y.dtype):
            for row, g in zip(rows, grad(y, xs, e, create_graph=again, retain_graph=True)):
                row.append(g if again else g.data)
        results = [_joined(row, (*y.shape, *a.shape), a.dtype) for row, a in zip(rows, xs)]
    else:
        u = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
        with no_grad(enabled=True):
            gs = grad(y, xs, u, create_graph=True)
        results = []
        for a, g in zip(xs, gs):
            columns = []
            for _, e in _axes(a.shape, a.dtype):
                with no_grad(enabled=True):
                    gu = inner([e], [g])
                column = grad(gu, u, create_graph=again, retain_graph=True)
                columns.append(reshape(column, (-1,)) if again else column.data.ravel())
            results.append(reshape(transpose(_joined(columns, (a.size, y.size), y.dtype)), (*y.shape, *a.shape)))
    return _as_given(results, single)


def hessian(f: Callable[..., Any], x: Any) -> Any:
    """The Hessian of f: x -> a number, of shape (*x.shape, *x.shape), one product per row; symmetric to rounding.

    For a tuple x: a list of lists of blocks, [i][j] of shape (*x_i.shape, *x_j.shape).
    """
    xs, single, tracked = as_inputs("hessian", f, x)
    y, closes = call("hessian", f, xs, scalar=True)
    gs, again = grad(y, xs, create_graph=True), tracked or closes
    lines = []
    for g, a in zip(gs, xs):
        rows = [[] for _ in xs]
        for _, e in _axes(a.shape, a.dtype):
            with no_grad(enabled=True):
                gv = inner([e], [g])
            for row, h in zip(rows, grad(gv, xs, create_graph=again, retain_graph=True)):
                row.append(h if again else h.data)
        lines.append(_as_given([_joined(row, (*a.shape, *b.shape), b.dtype) for row, b in zip(rows, xs)], single))
    return lines[0] if single else lines


def _as_given(results, single):
    """Tensors, one or a list of them."""
    results = [r if isinstance(r, Tensor) else wrap(r, None) for r in results]
    return results[0] if single else results


def hessian_diagonal(f: Callable[..., Any], x: Any, samples: int | None = None, rng: Random = None) -> Any:
    """The diagonal of the Hessian of f: x -> a number, of the shape of x.

    Exact by default, one product per entry. samples: Hutchinson's estimate instead, the mean of z * Hz over so many
    random z of signs (Bekas et al. 2007), unbiased; an entry's variance is 2 sum_j H_ij^2, j != i, / samples.
    Not the gradient of the sum of the gradient, which is the sum of each row.
    """
    xs, single, tracked = as_inputs("hessian_diagonal", f, x)
    y, closes = call("hessian_diagonal", f, xs, scalar=True)
    gs, again = grad(y, xs, create_graph=True), tracked or closes

    def product(vs, k=None):
        """H v; k: v is zero but for the k-th x, and only its part of H v is wanted."""
        with no_grad(enabled=True):
            gv = inner(vs, gs if k is None else [gs[k]])
        Hv = grad(gv, xs if k is None else [xs[k]], create_graph=again, retain_graph=True)
        return Hv if again else [h.data for h in Hv]

    return _as_given(diagonal([a.shape for a in xs], [a.dtype for a in xs], product, samples, rng), single)


def diagonal(shapes: Sequence[Any], dtypes: Sequence[Any], product: Callable[..., Any], samples: int | None = None,
             rng: Random = None) -> list[Any]:
    """Diagonal of a linear map given by product(vs, k): see `hessian_diagonal`. A list of what product gives, arrays or
    Tensors, of `shapes`."""
    if samples is None:
        return [_joined([reshape(product([e], k)[0], (-1,))[i] for i, e in _axes(shape, dtype)], shape, dtype)
                for k, (shape, dtype) in enumerate(zip(shapes, dtypes))]
    samples = count("hessian_diagonal", "samples", samples, hint="; None: the exact diagonal")
    rng = generator(rng)
    out = [np.zeros(shape, dtype) for shape, dtype in zip(shapes, dtypes)]
    for _ in range(samples):
        zs = [(2 * rng.integers(0, 2, shape) - 1).astype(dtype) for shape, dtype in zip(shapes, dtypes)]
        out = [d + z * h / samples for d, z, h in zip(out, zs, product(zs))]
    return out
