"""Predict before you run: what the eigenvalues of a Hessian say of a method before it makes a step.

The function is J(theta) = 1/2 theta' H theta, H (n, n) symmetric, with its critical point at 0. Nothing here makes a
step: a method acts on each eigenvector of H by a factor of its own, and that is all there is to know.
"""
import numpy as np

TOLERANCE = 1e-8        # a component of theta below this part of |theta| is none; eigenvalues as near as this are one


def parts(H, vector):
    """Given: eigenvalues of H (n,), ascending, and whether the vector has a part along each eigenvector (n,)."""
    eigenvalues, frame = np.linalg.eigh(H)
    return eigenvalues, np.abs(frame.T @ vector) > TOLERANCE * np.linalg.norm(vector)


# ------------------------------------------------------------------------------------------- 1: the largest stable rate

def largest_stable_rate(H, method, momentum=0.0):
    """The learning rate above which `method` diverges on J; H positive definite.

    method: "gradient descent", "momentum" (algorithm 8.2) or "nesterov" (algorithm 8.3, without noise).
    """
    # BEGIN SOLUTION task 1: from the steepest direction alone; what momentum adds for each of the two boxes
    steepest = np.linalg.eigvalsh(H)[-1]
    if method == "nesterov":
        return (2 + 2 * momentum) / (1 + 2 * momentum) / steepest
    if method == "momentum":
        return 2 * (1 + momentum) / steepest
    return 2 / steepest
    # END SOLUTION


# ------------------------------------------------------------------------------------ 2: steps of conjugate gradients

def steps_of_cg(H, g):
    """After how many steps conjugate gradients stand at the minimum (in exact arithmetic); H positive definite.

    g: the gradient at the start (n,).
    """
    # BEGIN SOLUTION task 2: one step for each different eigenvalue that the gradient has to do with
    eigenvalues, there = parts(H, g)
    seen = eigenvalues[there]
    return 1 + int(np.sum(np.diff(seen) > TOLERANCE * eigenvalues[-1]))
    # END SOLUTION


# ------------------------------------------------------------------------------------------ 3: what one step does

def factor(method, eigenvalue, setting):
    """By how much one step multiplies the part of theta along an eigenvector of that eigenvalue (arrays work too).

    method: "gradient descent" (setting: lr), "newton" (algorithm 8.8), "damped newton" (8.28; setting: alpha) or
    "saddle-free newton" (theta <- theta - |H|^-1 g, section 8.2.3; |H| has the eigenvalues' absolute values).
    """
    # BEGIN SOLUTION task 3: 1 minus the step's length along the eigenvector, g being eigenvalue times theta there
    if method == "gradient descent":
        return 1 - setting * eigenvalue
    if method == "damped newton":
        return 1 - eigenvalue / (eigenvalue + setting)
    if method == "saddle-free newton":
        return 1 - eigenvalue / np.abs(eigenvalue)
    return 1 - eigenvalue / eigenvalue
    # END SOLUTION


# --------------------------------------------------------------------------------------- 4: which one leaves the saddle

def leaves(H, theta, method, setting=0.0):
    """Does the method, started at theta (n,), go away from the critical point at 0? H: any symmetric matrix."""
    # BEGIN SOLUTION task 4: some part that theta has grows from step to step, in either direction
    eigenvalues, there = parts(H, theta)
    return bool(np.any(np.abs(factor(method, eigenvalues, setting))[there] > 1))
    # END SOLUTION
