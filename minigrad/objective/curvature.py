"""Curvature of J: products with its Hessian, the Gauss-Newton and the Fisher matrix (8.6), and the matrices themselves.

First every product by its definition, a few lines each. Then `Linearized`, which computes the same (the tests hold the
two equal) from one recorded graph for any number of vectors, and never forms the gradient of a layer's weights: that is
what J.hvp and its relatives use.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import derivatives
from minigrad.core import Tensor, grad
from minigrad.derivatives import Linearization, inner
from minigrad.derivatives.matrices import diagonal
from minigrad.typing import Array, Random

# Losses that are the negative log-likelihood of what the model's output parametrizes: there Fisher = Gauss-Newton.
LIKELIHOODS = ("cross_entropy", "softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "gaussian_nll")
LARGEST = 2**28                           # entries of a matrix that is formed without being asked twice


# --------------------------------------------------------------------------------------------------------- definitions

def hvp(J: Any, theta: Array | None, v: Array) -> Array:
    """H v: the gradient of g . v, where g is the gradient of J (Pearlmutter 1994)."""
    with J.on_copies(theta) as leaves:
        g = grad(J.tensor(), leaves, create_graph=True)
        return J.flat(grad(inner(J.parts(v), g), leaves))


def ggnvp(J: Any, theta: Array | None, v: Array) -> Array:
    """G v = Z' H_L Z v, where Z = dz/dtheta, z the model's output, and H_L is the Hessian of the loss with respect to z
    (Schraudolph 2002); without a regularizer."""
    with J.on_copies(theta) as leaves:
        z = J.output("ggnvp")
        u = Tensor(np.zeros_like(z.data), requires_grad=True)
        Zv = grad(inner(J.parts(v), grad(z, leaves, u, create_graph=True)), u)         # <Z'u, v> = <u, Zv>
        H_L_Zv = derivatives.hvp(J.loss_at, z.data, Zv.data)
        return J.flat(grad(z, leaves, H_L_Zv))


def empirical_fishervp(J: Any, theta: Array | None, v: Array) -> Array:
    """The mean of g_i g_i' v, where g_i is the gradient of example i."""
    E = J.example_grads(theta)
    return E.T @ (E @ J.vector(v)) / J.dtype.type(len(E))


# ------------------------------------------------------------------------------------------------------ with a shortcut

class Linearized:
    """An objective at one theta: any number of products from one recorded graph, all on vectors (n,).

    value: J, a float. z: the model's output, an ndarray. graph: the `Linearization` on lists of arrays. A product is
    about two gradients; the first of each kind records a graph, about as much again.
    """
    value: float
    z: Any

    def __init__(self, objective: Any, theta: Array | None = None, lent: bool = False) -> None:
        self.objective = objective
        with objective.on_copies(theta, lent) as leaves:
            z = objective.output("linearize")
            J, penalty = objective.loss_at(z), objective.penalty()
            J = J if penalty is None else J + penalty
            depends = penalty is not None and penalty.node is not None
            self.graph: Linearization = Linearization(leaves, J, z, objective.loss_at, penalty if depends else None)
        self.value, self.z = self.graph.J.item(), z.data

    def grad(self) -> Array:
        """The gradient, (n,)."""
        return self._filled(self.graph.grad)

    def hvp(self, v: Array) -> Array:
        """H v."""
        return self._filled(self.graph.hvp, self.objective.parts(v))

    def ggnvp(self, v: Array) -> Array:
        """G v, see `Objective.ggnvp`."""
        return self._filled(self.graph.ggnvp, self.objective.parts(v))

    def fishervp(self, v: Array) -> Array:
        """F v, see `Objective.fishervp`."""
        name, options = self.objective.named_loss()
        if name not in LIKELIHOODS or options.get("weights") is not None:
            raise ValueError("Objective.fishervp: the loss must be a negative log-likelihood "
                             f"({', '.join(LIKELIHOODS)}), got {name}"
                             + (" with weights" if name in LIKELIHOODS else "") + "; ggnvp takes any loss")
        return self.vjp(self.graph.loss_hvp(self.jvp(v)))

    def jvp(self, v: Array) -> Array:
        """(dz/dtheta) v, an array of the shape of z."""
        return self.graph.jvp(self.objective.parts(v))

    def vjp(self, u: Array) -> Array:
        """(dz/dtheta)' u, (n,), for u of the shape of z."""
        return self._filled(self.graph.vjp, u)

    def _filled(self, product, *args):
        """(n,), whose parts a product of `graph` fills."""
        result, parts = self.objective.blank()
        product(*args, out=parts)
        return result


# ------------------------------------------------------------------------------------------------------ J's own methods

class Curvature:
    """The methods of `Objective` for second derivatives."""

    def linearize(self, theta: Array | None = None) -> Linearized:
        """J at theta with its graph recorded, for many products: `.value`, `.grad()`, `.hvp(v)`, `.ggnvp(v)`, ...

        It stays valid whatever happens to the model afterwards. Memory: the activations of a few passes.
        """
        return Linearized(self, theta)

    @contextmanager
    def linearized(self, theta: Array | None) -> Iterator[Linearized]:
        """What `linearize` makes, for one product: theta is not copied, so nobody else may move it meanwhile."""
        with self.parameters.lock:
            yield Linearized(self, theta, lent=True)

    def hvp(self, theta: Array | None, v: Array) -> Array:
        """H v, H the Hessian of J at theta, v (n,)."""
        with self.linearized(theta) as at:
            return at.hvp(v)

    def ggnvp(self, theta: Array | None, v: Array) -> Array:
        """G v, the Gauss-Newton product: G = Z' H_L Z, Z the Jacobian of the model's output z, H_L the Hessian of the
        loss with respect to z; plus the Hessian of the regularizer. Softmax and its cross-entropy are one loss."""
        with self.linearized(theta) as at:
            return at.ggnvp(v)

    def fishervp(self, theta: Array | None, v: Array) -> Array:
        """F v, F the model's Fisher matrix: the mean over x of E[s s'], s the gradient of log p(y | x), y drawn from
        the *model*. For the likelihoods of `losses` it is the Gauss-Newton matrix (without regularizer); other losses
        are refused. Squared error: p is the normal distribution for which J is the likelihood."""
        with self.linearized(theta) as at:
            return at.fishervp(v)

    def empirical_fishervp(self, theta: Array | None, v: Array) -> Array:
        """The mean of g_i g_i' v over the examples, with the *given* labels: not the Fisher matrix, and no curvature
        (Martens 2014, Kunstner et al. 2019)."""
        return empirical_fishervp(self, theta, v)

    def hessian(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """The Hessian (n, n), one product per row; zeros where frozen. ValueError above `largest` entries."""
        return self._matrix("hessian", theta, largest)

    def ggn(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """The Gauss-Newton matrix (n, n), see `ggnvp`."""
        return self._matrix("ggn", theta, largest)

    def fisher(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """The model's Fisher matrix (n, n), see `fishervp`."""
        return self._matrix("fisher", theta, largest)

    def empirical_fisher(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """The mean of g_i g_i', (n, n), see `empirical_fishervp`."""
        self.refuse_large("empirical_fisher", self.parameters.n, largest)
        E = self.example_grads(theta, largest)
        return E.T @ E / self.dtype.type(len(E))

    def hessian_diagonal(self, theta: Array | None = None, samples: int | None = None, rng: Random = None) -> Array:
        """The diagonal of the Hessian, (n,): exact from n products, or Hutchinson's estimate from `samples` of them."""
        graph = self.linearize(theta).graph

        def product(vs, k=None):
            return graph.hvp(vs if k is None else [vs[0] if i == k else None for i in range(len(graph.leaves))], k)

        shapes, dtypes = [p.shape for p in graph.leaves], [p.dtype for p in graph.leaves]
        return self.flat(diagonal(shapes, dtypes, product, samples, rng))

    def _matrix(self, which, theta, largest):
        """One row after the other: the product with a unit vector, since the matrix is symmetric."""
        n = self.parameters.n
        self.refuse_large(which, n, largest)
        at = self.linearize(theta)
        product = {"hessian": at.hvp, "ggn": at.ggnvp, "fisher": at.fishervp}[which]
        out, e = np.zeros((n, n), self.dtype), np.zeros(n, self.dtype)
        for part in self.free_slices():
            for i in range(part.start, part.stop):
                e[i] = 1
                out[i] = product(e)
                e[i] = 0
        return out

    def refuse_large(self, which: str, rows: int, largest: float) -> None:
        """ValueError if a matrix (rows, n) has more than `largest` entries."""
        entries = rows * self.parameters.n
        if entries > largest:
            raise ValueError(f"Objective.{which}: {rows} x {self.parameters.n} entries take "
                             f"{entries * self.dtype.itemsize / 2**30:.1f} GiB; use products (hvp, ggnvp), "
                             "diagnostics.hessian_spectrum or example_grad_squares, fewer examples, or "
                             f"largest={entries}")
