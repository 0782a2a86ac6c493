"""Coordinate descent (8.7.2): minimize over one variable or one block, with all others held; then over the next.

It is fast where the blocks hardly depend on each other, or where one block alone is easy (sparse coding, 8.38, in
`sparse_coding.py`). It is slow where the best value of one depends on that of another: on (x1 - x2)^2 +
alpha (x1^2 + x2^2) one sweep over x1 and x2 multiplies x2 by (1 + alpha)^-2, which is nearly 1 for a small alpha.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import count, number
from minigrad.optim.parameters import as_parameters, frozen_slices
from minigrad.typing import Array


class Descent(NamedTuple):
    """What `coordinate_descent` found. theta (n,), a copy of where it ended; values (sweeps + 1,): J before the first
    sweep and after each; path (sweeps + 1, n): theta likewise, None where n > 100; sweeps: made; reason it stopped:
    "tolerance", "sweeps" or "not finite"."""
    theta: np.ndarray
    values: np.ndarray
    path: np.ndarray | None
    sweeps: int
    reason: str


def coordinate_descent(J: Any, theta: Array, sweeps: int, blocks: Any = None, solve: Any = None,
                       tolerance: float = 0.0) -> Descent:
    """Block coordinate descent (8.7.2): in every sweep, minimize J over each block in turn, the others held.

        for each sweep:
            for each block b:   theta_b <- argmin J(theta_b, the rest)

    J: an objective with value, grad and hvp (`Objective`, the problems of `minigrad.testing.problems`), or with value
    alone if `solve` needs no more. theta: (n,) float array or model.parameters(), updated in place.
    blocks: slices or integer arrays, gone through in this order; default: every coordinate by itself. The layers of a
    model are `model.parameters().slices.values()`. Variables that no block names are held throughout, so
    are frozen ones.
    solve(J, theta, block) -> the new values of theta[block]; theta is its own to write to. Default: `newton_on_block`,
    exact in one step where J is quadratic in the block.
    tolerance: stop after a sweep that moved no variable by more than this.

    Returns a `Descent`. Raises ValueError for a block that lies outside theta, or a J that lacks a derivative.
    Differs: the book promises a (local) minimum; that holds for smooth J. At a kink that is not along an axis, as of
    |x1 - x2|, no single variable can improve J though both together can, and the method stays there.
    """
    who = "coordinate_descent"
    sweeps, tolerance = count(who, "sweeps", sweeps, 0), number(who, "tolerance", tolerance, "[0, inf)")
    params = as_parameters(theta, who)
    blocks = _free(_blocks(who, len(params.theta), blocks), len(params.theta), frozen_slices(params))
    solve = newton_on_block if solve is None else solve
    for name in ("value", "grad", "hvp") if solve is newton_on_block else ("value",):
        if not hasattr(J, name):
            raise ValueError(f"{who}: J must have {name}(theta{', v' * (name == 'hvp')}), {type(J).__name__} has not; "
                             "with solve= it needs value(theta) only")
    theta = params.theta
    values, path, reason = [float(J.value(theta))], [theta.copy()], "sweeps"
    while len(values) <= sweeps:
        before = theta.copy()
        for block in blocks:
            theta[block] = solve(J, theta.copy(), block)
            params.changed()
        values.append(float(J.value(theta)))
        path.append(theta.copy())
        if not np.isfinite(values[-1]):
            reason = "not finite"
            break
        if np.abs(theta - before).max() <= tolerance:
            reason = "tolerance"
            break
    return Descent(theta.copy(), np.array(values), np.array(path) if len(theta) <= 100 else None, len(values) - 1,
                   reason)


def newton_on_block(J: Any, theta: Array, block: Any, steps: int = 20) -> Array:
    """Minimize J over theta[block], all else held: Newton's method (8.27) with |H| for H. Returns theta[block].

        theta_b <- theta_b - step |H_bb|^-1 g_b,    step = 1, 1/2, 1/4, ... until J has fallen

    |H|: the eigenvalues made positive, so that a maximum is left and not found. At most `steps` of them, one if J is
    quadratic in the block. theta (n,) is moved to the result; one product with H for each variable of the block.
    """
    index = np.arange(len(theta))[block]
    value, g = float(J.value(theta)), _slope(J, theta, index)
    first = np.linalg.norm(g)
    rounding = 8 * np.finfo(theta.dtype).eps
    for _ in range(steps):
        size = np.linalg.norm(g)
        if size <= 1e-10 * first or np.isnan(size):
            break
        step, here = -_solve_absolute(_curvature(J, theta, index), g), theta[index]
        for length in 0.5 ** np.arange(40):
            theta[index] = here + length * step
            new, slope = float(J.value(theta)), _slope(J, theta, index) if length == 1 else None
            # Near the minimum rounding hides whether J fell; the slope still tells.
            closer = length == 1 and new <= value + rounding * abs(value) and \
                np.linalg.norm(slope) < 0.5 * np.linalg.norm(g)
            if closer or new <= value + 1e-4 * length * float(g @ step):
                break
        else:
            theta[index] = here
            break
        value, g = new, _slope(J, theta, index) if slope is None else slope
    return theta[index]


def _slope(J, theta, index):
    """The block g_b of the gradient, (b,) float64."""
    return np.asarray(J.grad(theta), np.float64)[index]


def _curvature(J, theta, index):
    """The block H_bb of the Hessian, (b, b), one product per variable."""
    H, e = np.empty((len(index), len(index))), np.zeros_like(theta)
    for row, i in zip(H, index):
        e[i] = 1
        row[:] = np.asarray(J.hvp(theta, e))[index]
        e[i] = 0
    return H


def _solve_absolute(H, g):
    """|H|^-1 g, by the eigenvalues of H; the smallest are lifted to 1e-12 of the largest."""
    eigenvalues, Q = np.linalg.eigh((H + H.T) / 2)
    size = np.abs(eigenvalues)
    return Q @ ((Q.T @ g) / np.maximum(size, max(1e-12 * size.max(), np.finfo(float).tiny)))


def _blocks(who, n, blocks):
    """A list of slices and integer arrays, each checked to name some of the n variables."""
    if blocks is None:
        return [slice(i, i + 1) for i in range(n)]
    checked = []
    for block in blocks:
        try:
            indices = np.arange(n)[block if isinstance(block, slice) else np.asarray(block)]
        except IndexError:
            indices = np.empty(0, int)
        if indices.ndim != 1 or len(indices) == 0 or len(set(indices.tolist())) < len(indices):
            raise ValueError(f"{who}: a block must be a slice or an array of different indices below {n}, got "
                             f"{block!r:.60}")
        checked.append(indices if not isinstance(block, slice) else block)
    if not checked:
        raise ValueError(f"{who}: there are no blocks")
    return checked


def _free(blocks, n, frozen):
    """The blocks without the variables in the slices `frozen`; those of which something is left."""
    if not frozen:
        return blocks
    free = np.ones(n, bool)
    for part in frozen:
        free[part] = False
    parts = [np.arange(n)[block] for block in blocks]
    return [part[free[part]] for part in parts if free[part].any()]
