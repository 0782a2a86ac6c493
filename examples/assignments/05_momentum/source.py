"""Momentum and Nesterov momentum, from the boxes of sections 8.3.2 and 8.3.3."""
import numpy as np


class Momentum:
    """SGD with momentum (algorithm 8.2). theta: (n,). lr: the book's epsilon. momentum: the book's alpha in [0, 1)."""

    def __init__(self, theta, lr, momentum=0.9):
        self.theta = np.array(theta, dtype=float)
        self.v = np.zeros_like(self.theta)
        self.lr = lr
        self.momentum = momentum

    def step(self, g):
        """One pass of the loop with the gradient g (n,): changes self.v and self.theta, leaves g as it is."""
        # BEGIN SOLUTION task 1: one pass of the loop of algorithm 8.2
        self.v = self.momentum * self.v - self.lr * g
        self.theta = self.theta + self.v
        # END SOLUTION


class Nesterov(Momentum):
    """SGD with Nesterov momentum (algorithm 8.3): the gradient is taken at `point()`, then `step(g)`."""

    def point(self):
        """The interim point theta~, where the gradient g is to be taken: (n,), a new array."""
        # BEGIN SOLUTION task 2: the interim point of algorithm 8.3
        return self.theta + self.momentum * self.v
        # END SOLUTION


def descend(make, gradient, theta, steps, lr, momentum):
    """The path (steps + 1, n) of `steps` passes of make(theta, lr, momentum) on a function with the given gradient.

    make: Momentum or Nesterov. gradient: theta (n,) -> (n,). lr: a number, or a function of the step k = 1, 2, ...
    The first row is the starting point. Nesterov's gradients are taken at its interim points.
    """
    # BEGIN SOLUTION task 3: the loop around the step, with a schedule
    opt = make(theta, lr, momentum)
    path = [opt.theta.copy()]
    for k in range(1, steps + 1):
        if callable(lr):
            opt.lr = lr(k)
        at = opt.point() if hasattr(opt, "point") else opt.theta
        opt.step(gradient(at))
        path.append(opt.theta.copy())
    return np.array(path)
    # END SOLUTION


def terminal_velocity(lr, g, momentum):
    """How long each step becomes when the gradient g (n,) stays the same: a number (equation 8.17)."""
    # BEGIN SOLUTION task 4: the terminal velocity of 8.17
    return lr * np.sqrt(np.sum(np.square(g))) / (1 - momentum)
    # END SOLUTION
