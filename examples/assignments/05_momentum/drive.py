"""What the grader does with your work: it calls these functions with its own numbers and looks at what they return."""
import numpy as np


def steps(student, theta, gradients, lr, momentum):
    """Momentum, stepped with given gradients (steps, n): theta and v after every step."""
    opt = student.Momentum(theta, lr, momentum)
    path, velocities, given = [], [], gradients.copy()
    for g in gradients:
        opt.step(g)
        path.append(np.array(opt.theta))
        velocities.append(np.array(opt.v))
    return {"theta": path, "v": velocities, "changed": gradients - given, "start": theta}


def interim(student, theta, v, momentum):
    """Nesterov's interim point for a given theta and v, and what asking for it left of both."""
    opt = student.Nesterov(theta, 0.1, momentum)
    opt.v = v.copy()
    return {"point": np.array(opt.point()), "theta": np.array(opt.theta), "v": np.array(opt.v)}


def bowl(student, method, theta, A, b, steps, lr, momentum, decay=0.0):
    """`descend` on J(theta) = theta.A theta / 2 - b.theta; also every point at which it asked for the gradient."""
    asked = []

    def gradient(at):
        asked.append(np.array(at))
        return A @ at - b

    rate = (lambda k: lr / (1 + decay * k)) if decay else lr
    path = student.descend(getattr(student, method), gradient, theta, steps, rate, momentum)
    return {"path": path, "asked": np.array(asked), "start": theta}


def velocity(student, lr, g, momentum):
    """The terminal velocity."""
    return {"speed": student.terminal_velocity(lr, g, momentum)}
