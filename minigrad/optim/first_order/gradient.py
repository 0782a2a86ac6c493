"""What a first-order method does with its gradient before `update` gets it: it must be there, finite, and decayed."""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.optim.records import NonFiniteError
from minigrad.typing import Array


def left_by_backward(opt: Any) -> Array:
    """g as backward left it. ValueError where no backward writes it."""
    if opt.params.g is None:
        raise ValueError(f"{type(opt).__name__}.step: theta is a plain array, no backward writes its gradient: "
                         "pass the objective, step(J), or the gradient, step(g=...)")
    return opt.params.g


def given(opt: Any, g: Array, theta: Array) -> Array:
    """A gradient that somebody computed. ValueError if it is not shaped like theta."""
    if np.shape(g) != theta.shape or g.dtype != theta.dtype:
        raise ValueError(f"{type(opt).__name__}.step: g must be {theta.shape} {theta.dtype}, "
                         f"got {np.shape(g)} {getattr(g, 'dtype', type(g).__name__)}")
    return g


def refuse_non_finite(opt: Any, g: Array, runs: list[tuple[int, int, int, int]], value: Any) -> None:
    """NonFiniteError for a value of J (if there is one) that is NaN or infinite, or a gradient in the runs."""
    if value is not None and not np.isfinite(value):
        raise NonFiniteError(f"{type(opt).__name__}.step: J is {float(value)} at step {opt.k + 1}")
    for start, stop, *_ in runs:
        if not np.isfinite(g[start:stop]).all():
            bad = [name for a, b, name, _ in opt._pieces if start <= a < stop and not np.isfinite(g[a:b]).all()]
            raise NonFiniteError(f"{type(opt).__name__}.step: the gradient of {', '.join(bad)} is not finite "
                                 f"at step {opt.k + 1}; nothing was changed")


def decayed(g: Array, theta: Array, runs: list[tuple[int, int, int, int]], numbers: list[dict[str, Any]],
            out: Array | None) -> Array:
    """out <- g + weight_decay theta (L2, coupled) in the runs, each with its own decay. out None: a fresh one."""
    out = np.empty_like(theta) if out is None else out
    for start, stop, group, _ in runs:
        part = slice(start, stop)
        np.multiply(theta[part], numbers[group]["weight_decay"], out=out[part])
        out[part] += g[part]
    return out
