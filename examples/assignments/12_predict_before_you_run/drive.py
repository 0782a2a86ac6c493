"""What runs beside the student's code: it asks for predictions. What really happens is run elsewhere."""
import numpy as np


def rate(student, H, method, momentum):
    """The largest stable rate."""
    return {"rate": np.array(float(student.largest_stable_rate(H, method, momentum)))}


def cg(student, H, g):
    """The steps of conjugate gradients, for each H (k, n, n) and g (k, n)."""
    return {"steps": np.array([int(student.steps_of_cg(*one)) for one in zip(H, g)])}


def factors(student, method, eigenvalues, setting):
    """The factor for each eigenvalue."""
    return {"factors": np.array([float(student.factor(method, float(one), setting)) for one in eigenvalues])}


def leaves(student, H, theta, method, setting):
    """Whether it leaves, for each start (k, n)."""
    return {"leaves": np.array([bool(student.leaves(H, one, method, setting)) for one in theta])}
