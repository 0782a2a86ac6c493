"""The cost along lines, on planes, along and across a trajectory (Goodfellow, Vinyals and Saxe 2015; Figure 8.2)."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.diagnostics.operators import place
from minigrad.typing import Array, ArrayLike


def _values(J, points):
    """J at every point, float64; NaN or inf where it is so."""
    with np.errstate(all="ignore"):
        return np.array([float(J.value(point)) for point in points])


def loss_along(J: Any, start: Array, end: Array, t: ArrayLike | None = None) -> tuple[Array, Array]:
    """J on the line (1 - t) start + t end (Goodfellow, Vinyals and Saxe 2015).

    start, end: (n,). t: (k,), default 51 numbers from -0.25 to 1.25.
    Returns t, J (k,). For a direction d from start, pass end = start + d.
    """
    start, end = place(J, start, "loss_along"), place(J, end, "loss_along")
    if start.shape != end.shape:
        raise ValueError(f"loss_along: start and end must have one shape, got {start.shape} and {end.shape}")
    t = np.linspace(-0.25, 1.25, 51) if t is None else np.asarray(t, np.float64)
    return t, _values(J, (((1 - a) * start + a * end).astype(start.dtype) for a in t))


def loss_surface(J: Any, center: Array, d1: Array, d2: Array, a: ArrayLike | None = None,
                 b: ArrayLike | None = None) -> tuple[Array, Array, Array]:
    """J on the plane center + a d1 + b d2 (as Goodfellow, Vinyals and Saxe 2015; Li et al. 2018 on d1 and d2).

    center, d1, d2: (n,). a (p,), b (q,): default 25 numbers from -1 to 1.
    Returns a, b, J (p, q).
    """
    center = place(J, center, "loss_surface")
    d1, d2 = np.asarray(d1, np.float64), np.asarray(d2, np.float64)
    if not center.shape == d1.shape == d2.shape:
        raise ValueError(f"loss_surface: center, d1 and d2 must have one shape, got {center.shape}, {d1.shape} and "
                         f"{d2.shape}")
    a = np.linspace(-1, 1, 25) if a is None else np.asarray(a, np.float64)
    b = np.linspace(-1, 1, 25) if b is None else np.asarray(b, np.float64)
    z = _values(J, ((center + p * d1 + q * d2).astype(center.dtype) for p in a for q in b))
    return a, b, z.reshape(len(a), len(b))


class Trajectory(NamedTuple):
    """The cost along and across a trajectory. along (p,), across (q,): the coordinates; surface (p, q): J there.
    path_along, path_across, path_value (k,): the trajectory itself; it lies on the surface."""
    along: np.ndarray
    across: np.ndarray
    surface: np.ndarray
    path_along: np.ndarray
    path_across: np.ndarray
    path_value: np.ndarray


def trajectory_surface(J: Any, path: ArrayLike, along: Any = None, across: Any = None) -> Trajectory:
    """The surface on which a trajectory runs (Goodfellow et al. 2015, as in Figure 8.2).

    path: (k, n), k >= 3 points theta, as `opt.trace()` or a list of copies gives them. Along: the part of the way from
    the first to the last point, 0 to 1. Across: the distance from that line. The direction "across" is not one but
    turns with the trajectory: at each place along, it points to where the trajectory runs (between its points, and
    beyond its ends, the nearest ones decide), so the path lies on the surface. Only its points within 2 % of the
    largest distance, whose direction means little, have no say. Returns a `Trajectory`.
    """
    path = np.asarray(path)
    if path.ndim != 2 or len(path) < 3 or path.dtype.kind != "f":
        raise ValueError(f"trajectory_surface: path must be (k, n) with k >= 3 points, got {path.dtype} {path.shape}")
    points = path.astype(np.float64)
    start, way = points[0], points[-1] - points[0]
    squared = float(way @ way)
    if squared == 0:
        raise ValueError("trajectory_surface: the trajectory ends where it begins; it has no direction")
    at = (points - start) @ way / squared
    off = points - start - at[:, None] * way
    distance = np.linalg.norm(off, axis=1)
    along = np.linspace(min(-0.1, at.min()), max(1.1, at.max()), 25) if along is None else np.asarray(along, np.float64)
    across = np.linspace(-0.5, 1.25, 25) * (distance.max() or 1.0) if across is None else np.asarray(across, np.float64)

    turns = np.flatnonzero(distance > 0.02 * distance.max())
    if distance.max() <= 1e-9 * np.sqrt(squared):
        raise ValueError("trajectory_surface: the trajectory is a straight line; see loss_along")
    units, places = off[turns] / distance[turns, None], at[turns]
    order = np.argsort(places, kind="stable")
    units, places = units[order], places[order]

    def direction(a):
        """The unit vector across, at a along."""
        right = int(np.searchsorted(places, a))
        if right in (0, len(places)):
            return units[min(right, len(places) - 1)]
        left = right - 1
        gap = places[right] - places[left]
        share = (a - places[left]) / gap if gap > 0 else 0.0
        mixed = (1 - share) * units[left] + share * units[right]
        length = np.linalg.norm(mixed)
        return mixed / length if length > 1e-6 else units[left]
    grid = ((start + a * way + b * d).astype(path.dtype)
            for a in along for d in [direction(a)] for b in across)
    surface = _values(J, grid).reshape(len(along), len(across))
    return Trajectory(along, across, surface, at, distance, _values(J, path))
