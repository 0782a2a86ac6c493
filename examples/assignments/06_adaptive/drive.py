"""What runs beside the student's code: gradients handed to an optimizer, and the path it takes. It knows no answer."""
import numpy as np


def steps(student, method, theta, gradients, rates, names, values):
    """The path for given gradients (k, n), with the learning rates `rates` (k,) in turn; and the gradients as they were
    left. names, values: the other hyperparameters."""
    optimizer = student.make(method, theta.copy(), lr=float(rates[0]), **dict(zip(names, map(float, values))))
    path, left = [], []
    for g, lr in zip(gradients, rates):
        g = g.copy()
        student.set_lr(optimizer, float(lr))
        student.step(optimizer, g)
        path.append(np.array(student.theta(optimizer), dtype=float))
        left.append(g)
    return {"path": np.array(path), "gradients": np.array(left)}


def descend(student, method, theta, curvatures, lr, count):
    """The path (count + 1, n) down J = 1/2 sum_i curvature_i theta_i^2, other hyperparameters at their defaults."""
    optimizer = student.make(method, theta.copy(), lr=float(lr))
    path = [np.array(student.theta(optimizer), dtype=float)]
    for _ in range(int(count)):
        student.step(optimizer, curvatures * path[-1])
        path.append(np.array(student.theta(optimizer), dtype=float))
    return {"path": np.array(path)}
