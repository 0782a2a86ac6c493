"""Gradient clipping (section 8.2.4): a bound on the gradient before the step, for cliffs. Call it after backward."""
from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

import numpy as np

from minigrad.arguments import number
from minigrad.optim.optimizer import NonFiniteError
from minigrad.typing import Array


def written(params: Any, who: str) -> list[Array]:
    """The gradients that there are, as views: parts of g, or those of a list's Tensors; g itself for an array."""
    if isinstance(params, np.ndarray):
        if params.dtype not in (np.float32, np.float64):
            raise ValueError(f"{who}: a gradient must be float32 or float64, got {params.dtype}")
        return [params]
    if not all(hasattr(params, name) for name in ("g", "slices", "unwritten")):
        raise ValueError(f"{who}: wants model.parameters() or a gradient (n,), got {type(params).__name__}")
    if hasattr(params, "gradients"):
        return params.gradients()
    if not params.unwritten:
        return [params.g]
    return [params.g[part] for name, part in params.slices.items() if name not in params.unwritten]


def norm(parts: list[Array], who: str) -> float:
    """sqrt of the sum of all squares, summed in float64, as a float. NonFiniteError if it is NaN or infinite."""
    total = sqrt(sum(float(np.einsum("i,i->", g, g, dtype=np.float64)) for g in parts))
    if not 1e-140 < total < 1e140 and parts:             # squares may have left float64: scale by the largest
        largest = max(float(np.abs(g).max(initial=0.0)) for g in parts)
        if largest == 0:
            return 0.0
        if np.isfinite(largest):
            total = largest * sqrt(sum(float(np.sum(np.square(g / largest))) for g in parts))
    if not isfinite(total):
        raise NonFiniteError(f"{who}: the norm of the gradient is {total}; nothing was changed")
    return total


def clip_grad_norm(params: Any, limit: float) -> float:
    """If |g| > limit: g <- limit g / |g|, over all parameters together (Pascanu et al. 2013). Returns |g| before.

    params: model.parameters(), `opt.params` (parameters without a gradient count as zero) or a gradient (n,); g is
    changed in place.
    limit: units of g. The direction of g stays; |g|, summed in float64, is the limit afterwards, to the rounding of the
    entries (in float32 a relative 1e-7). Call it once backward has accumulated everything, before `opt.step()`, so that
    momentum only ever sees clipped gradients. NonFiniteError if |g| is NaN or infinite: scaling by it would spread NaN.
    Differs: nothing. (PyTorch adds 1e-6 to |g|, so that it ends below the limit.)
    """
    limit = number("clip_grad_norm", "limit", limit, "(0, inf)", wanted="in (0, inf)")
    parts = written(params, "clip_grad_norm")
    before = norm(parts, "clip_grad_norm")
    if before > limit:
        for g in parts:
            g *= limit / before
    return before


def clip_grad_value(params: Any, limit: float) -> float:
    """g_i <- the nearest number in [-limit, limit], element by element (Mikolov 2012). Returns |g| before, a float.

    params as in clip_grad_norm; g is changed in place, and may turn. NonFiniteError if |g| is not finite.
    Differs: nothing.
    """
    limit = number("clip_grad_value", "limit", limit, "(0, inf)", wanted="in (0, inf)")
    parts = written(params, "clip_grad_value")
    before = norm(parts, "clip_grad_value")
    for g in parts:
        np.clip(g, -limit, limit, out=g)
    return before
