"""Sparse coding by block coordinate descent (8.7.2): not convex in codes H and dictionary W together, convex in each.

    J(H, W) = sum |H| + sum (X - H W)^2                                                                     (8.38)

Differs: examples are rows here as everywhere in minigrad, X (m, d) and H (m, k), so the book's X - W'H is written
transposed, X - H W, with the same W (k, d). What a code multiplies is a row of W, an atom; its norm is limited, where
the book limits the columns: without that, H -> 0 with W -> infinity would lower J without end.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad import random
from minigrad.arguments import count, number
from minigrad.core import contiguous
from minigrad.typing import Array, Random

THRESHOLD = 0.5              # 8.38 has no 1/2 before the square: d/dh of (x - h w)^2 is 2 (...), against 1 of |h|


class SparseCode(NamedTuple):
    """What `sparse_coding` found. H (m, k), W (k, d); values (2 * rounds + 1,): J before the first round and after each
    half of one, first that of H, then that of W. It never rises."""
    H: np.ndarray
    W: np.ndarray
    values: np.ndarray


def sparse_coding(X: Array, atoms: int, rounds: int, W: Array | None = None, limit: float = 1.0, sweeps: int = 10,
                  rng: Random = None) -> SparseCode:
    """Learn a dictionary and codes by block coordinate descent on (8.38).

        repeat:   H <- argmin J(H, W), W held         (`sparse_codes`, a Lasso for every example)
                  W <- argmin J(H, W), H held, |w_j| <= limit        (`dictionary`)

    X: (m, d) floats, one example per row, not changed. atoms: k. W: (k, d) the first dictionary, copied and brought to
    norms within the limit; default: k examples drawn by rng, scaled to norm `limit`. sweeps: over the atoms, in each
    half round. Returns a `SparseCode` in the dtype of X. An atom that no code uses stays as it is.
    """
    who = "sparse_coding"
    X = _examples(who, X)
    k, rounds, sweeps = count(who, "atoms", atoms), count(who, "rounds", rounds, 0), count(who, "sweeps", sweeps)
    limit = number(who, "limit", limit, "(0, inf)")
    if W is None:
        rows = random.generator(rng).choice(len(X), k, replace=k > len(X))
        W = _within(X[rows] * (limit / np.maximum(np.linalg.norm(X[rows], axis=1, keepdims=True), 1e-30)), limit)
    else:
        W = _within(_dictionary(who, W, X, k), limit)
    H = np.zeros((len(X), k), X.dtype)
    values = [sparse_coding_cost(X, H, W)]
    for _ in range(rounds):
        H = sparse_codes(X, W, H, sweeps)
        values.append(sparse_coding_cost(X, H, W))
        W = dictionary(X, H, W, limit, sweeps)
        values.append(sparse_coding_cost(X, H, W))
    return SparseCode(H, W, np.array(values))


def sparse_coding_cost(X: Array, H: Array, W: Array) -> float:
    """J(H, W) of (8.38), a float. X (m, d), H (m, k), W (k, d)."""
    return float(np.sum(np.abs(H), dtype=np.float64) + np.sum(np.square(X - H @ W), dtype=np.float64))


def sparse_codes(X: Array, W: Array, H: Array | None = None, sweeps: int = 100, tolerance: float = 0.0) -> Array:
    """The codes that minimize (8.38) for a dictionary: coordinate descent over the atoms, all examples at once.

        h_j <- soft(w_j . (x - sum over the other atoms of h_i w_i), 1/2) / |w_j|^2
        soft(c, t) = sign(c) max(|c| - t, 0)

    X: (m, d), W: (k, d). H: (m, k), where to start, copied; default zeros. At most `sweeps` over the atoms; fewer if
    one moves no code by more than `tolerance`. An atom of norm 0 explains nothing: its codes are 0. Returns H (m, k).
    Source: 8.38; the minimum of scikit-learn's `sparse_encode(X, W, alpha=0.5)`.
    """
    who = "sparse_codes"
    X = _examples(who, X)
    W = _dictionary(who, W, X)
    if H is not None and np.shape(H) != (len(X), len(W)):
        raise ValueError(f"{who}: H must be ({len(X)}, {len(W)}), got {np.shape(H)}")
    sweeps, tolerance = count(who, "sweeps", sweeps, 0), number(who, "tolerance", tolerance, "[0, inf)")
    h = np.zeros((len(W), len(X)), X.dtype) if H is None else np.array(np.transpose(H), X.dtype, order="C")
    G = W @ W.T                                              # (k, k): how atoms overlap
    atoms = np.flatnonzero(np.diag(G) > np.finfo(X.dtype).tiny)
    h[np.setdiff1d(np.arange(len(W)), atoms)] = 0
    C = W @ X.T - G @ h                                      # (k, m): atoms times the residual x - h w, kept up to date
    for _ in range(sweeps):
        moved = 0.0
        for j in atoms:
            step = soft(C[j] + G[j, j] * h[j], THRESHOLD) / G[j, j] - h[j]
            h[j] += step
            C -= np.outer(G[:, j], step)
            moved = max(moved, float(np.abs(step).max()))
        if moved <= tolerance:
            break
    return contiguous(h.T)


def soft(c: Array, threshold: Any) -> Array:
    """Soft threshold: the h that minimizes (h - c)^2 / 2 + threshold |h|. Any shape -> same shape."""
    return np.sign(c) * np.maximum(np.abs(c) - threshold, 0)


def dictionary(X: Array, H: Array, W: Array, limit: float = 1.0, sweeps: int = 100, tolerance: float = 0.0) -> Array:
    """The dictionary that minimizes (8.38) for given codes, with |w_j| <= limit: coordinate descent over the atoms.

        w_j <- w_j + (sum over the examples of h_j times the residual) / (sum of h_j^2),
        then back to norm `limit` if it is longer

    As a function of w_j alone J is the same in all directions, so the nearest point of the ball is its minimum there.
    X: (m, d), H: (m, k); W: (k, d), where to start, copied. An atom that no code uses is left. Returns W (k, d).
    Source: Mairal et al. 2010, algorithm 2.
    """
    who = "dictionary"
    X = _examples(who, X)
    W = _within(_dictionary(who, W, X), number(who, "limit", limit, "(0, inf)"))
    if np.shape(H) != (len(X), len(W)):
        raise ValueError(f"{who}: H must be ({len(X)}, {len(W)}), got {np.shape(H)}")
    sweeps, tolerance = count(who, "sweeps", sweeps, 0), number(who, "tolerance", tolerance, "[0, inf)")
    H = np.asarray(H, X.dtype)
    A, B = H.T @ H, H.T @ X                                  # (k, k), (k, d)
    used = np.flatnonzero(np.diag(A) > np.finfo(X.dtype).tiny)
    for _ in range(sweeps):
        moved = 0.0
        for j in used:
            new = _within(W[j:j + 1] + (B[j] - A[j] @ W) / A[j, j], limit)[0]
            moved = max(moved, float(np.abs(new - W[j]).max()))
            W[j] = new
        if moved <= tolerance:
            break
    return W


def _within(W, limit):
    """Rows longer than `limit` scaled back to it; a new array."""
    norms = np.linalg.norm(W, axis=1, keepdims=True)
    return W * np.where(norms > limit, limit / np.maximum(norms, limit), 1).astype(W.dtype)


def _examples(who, X):
    """X (m, d) as float32 or float64, finite."""
    X = np.asarray(X)
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    if X.ndim != 2 or X.size == 0 or not np.isfinite(X).all():
        raise ValueError(f"{who}: X must be (m, d), one example per row, all finite, got {X.dtype} {X.shape}")
    return X


def _dictionary(who, W, X, k=None):
    """A copy of W (k, d) in the dtype of X."""
    W = np.array(W, X.dtype)
    if W.ndim != 2 or W.shape[1] != X.shape[1] or len(W) == 0 or (k is not None and len(W) != k) \
            or not np.isfinite(W).all():
        raise ValueError(f"{who}: W must be ({'k' if k is None else k}, {X.shape[1]}), one atom per row, all finite, "
                         f"got {W.shape}")
    return W
