"""Conjugate gradients (section 8.6.2), and Newton's method where the Hessian is not positive definite (8.6.1, 8.2.3).

An objective is a function J(theta) -> (value, gradient), theta (n,). A matrix is seen through its products v -> A v
where that is enough. Everything is float64.
"""
import math

import numpy as np


def dot(u, w):
    """Given: u . w as a float."""
    return float(np.dot(u, w))


def norm(u):
    """Given: |u| as a float."""
    return math.sqrt(dot(u, u))


# ------------------------------------------------------------------------------------------------------ 1: linear CG

def linear_cg(product, b, tolerance=0.0, iterations=None):
    """Solve A x = b, A symmetric positive definite: x after each step, from 0 (steps + 1, n).

    product: v -> A v, called once a step. Stops when |r| <= tolerance, r = b - A x, after `iterations` (default 10 n),
    or, with the x so far, where it meets a direction of no positive curvature.
    """
    x, r = np.zeros(len(b)), b.copy()
    d, rr, path = r.copy(), dot(r, r), [np.zeros(len(b))]
    for _ in range(10 * len(b) if iterations is None else iterations):
        if norm(r) <= tolerance:
            break
        # BEGIN SOLUTION task 1: the step a = r.r / d.A d, the new x and r, and the next direction, conjugate to d
        Ad = product(d)
        curvature = dot(d, Ad)
        if curvature <= 0:
            break
        a = rr / curvature
        x = x + a * d
        r = r - a * Ad
        rr, before = dot(r, r), rr
        d = r + rr / before * d
        # END SOLUTION
        path.append(x)
    return np.array(path)


# --------------------------------------------------------------------------------------------------- 2: nonlinear CG

def fletcher_reeves(g, before):
    """beta_t of equation 8.30; g, before (n,): the gradient now and one step ago."""
    # BEGIN SOLUTION task 2: equation 8.30
    return dot(g, g) / dot(before, before)
    # END SOLUTION


def polak_ribiere(g, before):
    """beta_t of equation 8.31, not below 0."""
    # BEGIN SOLUTION task 2: equation 8.31, and max(0, .)
    return max(0.0, dot(g - before, g) / dot(before, before))
    # END SOLUTION


def is_due(t, reset):
    """Is step t (from 1) one at which algorithm 8.9 forgets its direction? reset: None for never."""
    # BEGIN SOLUTION task 2: beta_t = 0 where t is a multiple of reset
    return reset is not None and t % reset == 0
    # END SOLUTION


def next_direction(g, d, coefficient):
    """The direction from the gradient g, the last direction d and beta_t."""
    # BEGIN SOLUTION task 2: the line `Compute search direction` of algorithm 8.9, not (8.29)
    return -g + coefficient * d if coefficient else -g
    # END SOLUTION


def line_minimum(J, theta, d):
    """Given: the t > 0 at which J stops falling along d, by doubling and bisecting."""
    def slope(t):
        return dot(J(theta + t * d)[1], d)

    low, high = 0.0, 1.0
    while slope(high) < 0 and high < 1e10:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return (low + high) / 2


def minimize(J, theta, steps, beta=polak_ribiere, reset=None):
    """Given: algorithm 8.9, with the parts above; theta after each step (steps made + 1, n)."""
    path, before, d = [theta.copy()], None, None
    for t in range(1, steps + 1):
        g = J(path[-1])[1]
        if not g.any():
            break
        d = next_direction(g, d, 0.0 if d is None or is_due(t, reset) else beta(g, before))
        path.append(path[-1] + line_minimum(J, path[-1], d) * d)
        before = g
    return np.array(path)


# ------------------------------------------------------------------------------------------------ 3: Newton's method

def cholesky(A):
    """Given: lower L with L L' = A, or None where A (n, n) is not positive definite."""
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return None


def solve_cholesky(L, b):
    """x with L L' x = b, L (n, n) lower, b (n,): first L z = b from the top, then L' x = z from the bottom."""
    x = np.array(b, np.float64)
    n = len(x)
    # BEGIN SOLUTION task 3: forward, then backward substitution, in place in x
    for i in range(n):
        x[i] = (x[i] - L[i, :i] @ x[:i]) / L[i, i]
    for i in reversed(range(n)):
        x[i] = (x[i] - L[i + 1:, i] @ x[i + 1:]) / L[i, i]
    # END SOLUTION
    return x


def solve(A, b):
    """Given: x with A x = b, by Cholesky where A is positive definite, else by elimination."""
    L = cholesky(A)
    return np.linalg.solve(A, b) if L is None else solve_cholesky(L, b)


def newton(H, g):
    """The step of Newton's method (equation 8.27), wherever it leads: H (n, n), g (n,) -> (n,)."""
    # BEGIN SOLUTION task 3: H d = -g; no inverse is formed
    d = solve(H, -g)
    # END SOLUTION
    return d


def damped_newton(H, g, alpha):
    """A step of equation 8.28 that descends, and the alpha it took: (d, alpha).

    alpha grows by 4 until H + alpha I is positive definite.
    """
    while True:
        # BEGIN SOLUTION task 3: L of H + alpha I; larger alpha and once more where there is none; then d
        L = cholesky(H + alpha * np.eye(len(g)))
        if L is None:
            alpha *= 4
            continue
        d = -solve_cholesky(L, g)
        # END SOLUTION
        return d, alpha


# ---------------------------------------------------------------------------------------------------- 4: saddle-free

def saddle_free_newton(H, g, floor=1e-8):
    """The step of saddle-free Newton: |H| in the place of H (section 8.2.3; Dauphin et al. 2014).

        H = V diag(l) V';   d = -V diag(1 / max(|l|, floor max |l|)) V' g
    """
    # BEGIN SOLUTION task 4: the two lines above, the eigenvalues and -vectors by np.linalg.eigh
    l, V = np.linalg.eigh(H)
    size = abs(l)
    d = -V @ ((V.T @ g) / np.maximum(size, floor * size.max()))
    # END SOLUTION
    return d
