"""One learning rate per parameter, from the squares of its gradients (section 8.5): AdaGrad, RMSProp and Adam.

A method is its algorithm box. `update(g)` is one pass of the loop, given the gradient g (n,): it changes self.theta and
the method's state, reads its hyperparameters by name, and does not write into g.
"""
import numpy as np


class Method:
    """Given: what the three share. theta (n,) is copied; state named in `state` starts as zeros; t counts the steps."""
    state = ()

    def __init__(self, theta, **hyper):
        self.theta = np.array(theta, dtype=float)
        self.t = 0
        for name in self.state:
            setattr(self, name, np.zeros_like(self.theta))
        for name, value in hyper.items():
            if not hasattr(self, name):
                raise ValueError(f"{type(self).__name__}: no hyperparameter {name!r}")
            setattr(self, name, value)

    def step(self, g):
        """One step with the gradient g (n,). The first has t = 1."""
        self.t += 1
        self.update(g)


# --------------------------------------------------------------------------------------------------------- 1: AdaGrad

class AdaGrad(Method):
    """AdaGrad (algorithm 8.4).

        r <- r + g*g
        theta <- theta - lr g / (delta + sqrt(r))
    """
    lr, delta = 0.01, 1e-7
    state = ("r",)

    def update(self, g):
        # BEGIN SOLUTION task 1: one pass of the loop of algorithm 8.4
        self.r = self.r + g * g
        self.theta = self.theta - self.lr / (self.delta + np.sqrt(self.r)) * g
        # END SOLUTION


# --------------------------------------------------------------------------------------------------------- 2: RMSProp

class RMSProp(Method):
    """RMSProp (algorithm 8.5). delta stands inside the root.

        r <- rho r + (1 - rho) g*g
        theta <- theta - lr g / sqrt(delta + r)
    """
    lr, rho, delta = 0.001, 0.9, 1e-6
    state = ("r",)

    def update(self, g):
        # BEGIN SOLUTION task 2: one pass of the loop of algorithm 8.5
        self.r = self.rho * self.r + (1 - self.rho) * g * g
        self.theta = self.theta - self.lr / np.sqrt(self.delta + self.r) * g
        # END SOLUTION


# ------------------------------------------------------------------------------------------------------------ 3: Adam

class Adam(Method):
    """Adam (algorithm 8.7). delta stands outside the root, after the correction.

        s <- rho1 s + (1 - rho1) g                  r <- rho2 r + (1 - rho2) g*g
        s^ = s / (1 - rho1^t)                       r^ = r / (1 - rho2^t)
        theta <- theta - lr s^ / (sqrt(r^) + delta)
    """
    lr, rho1, rho2, delta = 0.001, 0.9, 0.999, 1e-8
    state = ("s", "r")

    def update(self, g):
        # BEGIN SOLUTION task 3: one pass of the loop of algorithm 8.7; self.t is already the number of this step
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        s_hat = self.s / (1 - self.rho1 ** self.t)
        r_hat = self.r / (1 - self.rho2 ** self.t)
        self.theta = self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)
        # END SOLUTION
