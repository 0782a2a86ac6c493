"""Products of matrices: the one kernel behind matmul, linear and their derivatives.

Any strides are read (transposes are free). Each entry is one chain of multiply-adds in the order of k (four chains in
turn where m or n is 1), whatever the layout of a and b and however many threads work: its bits depend on neither.
"""
from __future__ import annotations

import numpy as np

from minigrad.kernels import flush, kernel
from minigrad.typing import Array


@kernel("matmul")
def matmul(a: Array, b: Array, out: Array, accumulate: bool = False, bias: Array | None = None) -> None:
    """out <- [out +] a b [+ bias].

    a (..., m, k), b (..., k, n), any strides, leading axes broadcast to those of out; out (..., m, n), written, its
    last axis contiguous; bias (n,) or None, added to every row. One dtype, float32 or float64. out overlaps nothing.
    """
    if bias is not None and bias.shape != (out.shape[-1],):
        raise ValueError(f"matmul: bias must be of shape ({out.shape[-1]},), got {bias.shape}")
    if accumulate:
        out += np.matmul(a, b)
    else:
        np.matmul(a, b, out=out)
    if bias is not None:
        out += bias
    flush(out)


@kernel("matmul")
def linear_backward(g: Array, x: Array, w: Array, dx: Array | None, dw: Array | None, db: Array | None,
                    accumulate_dw: bool = False, accumulate_db: bool = False) -> None:
    """The derivatives of y = x w + b, from g = dJ/dy: dx <- g w^T, dw <- [dw +] x^T g, db <- [db +] sum over rows of g.

    g (m, o), x (m, i), w (i, o); outputs dx (m, i), dw (i, o), db (o,), each None where it is not wanted (w may then be
    None without dx, x without dw). db may have any shape of o entries in a row.
    """
    if dx is not None:
        np.matmul(g, w.T, out=dx)
    if dw is not None:
        if accumulate_dw:
            dw += x.T @ g
        else:
            np.matmul(x.T, g, out=dw)
    if db is not None:
        if accumulate_db:
            db += g.sum(axis=0, dtype=np.float64).reshape(db.shape)
        else:
            db[...] = g.sum(axis=0, dtype=np.float64).reshape(db.shape)
    flush(dx, dw, db)
