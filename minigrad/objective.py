"""J(theta) of a model on some examples: the one bridge from modules to optimizers that want a function of a vector."""
from contextlib import contextmanager

import numpy as np

from minigrad.core import Tensor, grad, no_grad
from minigrad.nn.module import fixed_statistics


class Objective:
    """J(theta) = loss(model(x), y), with its derivatives, on flat vectors (n,).

        J = Objective(model, losses.cross_entropy, x, y)
        J.value(theta), J.grad(theta), J.hvp(theta, v)

    theta: (n,), the layout of model.parameters(); None: where the model is. Results are fresh arrays (n,), J a float.
    J is deterministic: batch norm uses the batch but leaves its running averages alone, dropout draws the same masks at
    every evaluation. The model's theta, gradients and mode are untouched, also if the model raises.
    regularizer: a function of the model, added to J (weight decay, see `nn.regularize`).
    """

    def __init__(self, model, loss, x, y, regularizer=None):
        self.model, self.loss, self.regularizer = model, loss, regularizer
        self.x = x if isinstance(x, Tensor) else Tensor(x)
        self.y = y
        self.parameters = model.parameters()

    def __call__(self, theta=None):
        return self.value(theta)

    @contextmanager
    def at(self, theta):
        """Inside, the model's parameters are theta."""
        own = self.parameters.theta
        theta = own if theta is None else np.asarray(theta)
        if theta.shape != own.shape:
            raise ValueError(f"Objective: theta must have shape {own.shape}, got {theta.shape}")
        if theta is own or theta.__array_interface__["data"] == own.__array_interface__["data"] \
                and theta.strides == own.strides:      # the very same numbers
            with fixed_statistics(self.model):
                yield
            return
        before = own.copy()
        try:
            own[...] = theta
            with fixed_statistics(self.model):
                yield
        finally:
            self.parameters.theta[...] = before
            self.parameters.changed()

    def tensor(self):
        """J as a Tensor, with its graph, at the model's present parameters."""
        J = self.loss(self.model(self.x), self.y)
        return J if self.regularizer is None else J + self.regularizer(self.model)

    def value(self, theta=None):
        """J(theta), a float."""
        with self.at(theta), no_grad():
            return self.tensor().item()

    def grad(self, theta=None):
        """The gradient of J at theta, (n,)."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta=None):
        """(J(theta), gradient (n,)), from one pass forward and back."""
        with self.at(theta):
            J = self.tensor()
            return J.item(), self.flat(grad(J, self.free()))

    def hvp(self, theta, v):
        """H v, the Hessian of J at theta times v (n,): the gradient of g . v."""
        with self.at(theta):
            leaves, vs = self.free(), self.parts(v)
            if not leaves:
                return self.flat([])
            gs = grad(self.tensor(), leaves, create_graph=True)
            inner = sum((g * w).sum() for g, w in zip(gs, vs))
            return self.flat(grad(inner, leaves))

    # ---- between vectors and parameters

    def free(self):
        """The parameters that are not frozen."""
        return [p for p in self.parameters if p.requires_grad]

    def flat(self, parts):
        """One array per free parameter -> (n,), zeros where frozen."""
        out = np.zeros(self.parameters.n, self.parameters.dtype)
        parts = iter(parts)
        for p, part in zip(self.parameters, self.parameters.slices.values()):
            if p.requires_grad:
                out[part] = next(parts).data.ravel()
        return out

    def parts(self, v):
        """(n,) -> one array per free parameter."""
        v = np.asarray(v, dtype=self.parameters.dtype)
        if v.shape != (self.parameters.n,):
            raise ValueError(f"Objective: v must have shape ({self.parameters.n},), got {v.shape}")
        return [v[part].reshape(p.shape) for p, part in zip(self.parameters, self.parameters.slices.values())
                if p.requires_grad]
