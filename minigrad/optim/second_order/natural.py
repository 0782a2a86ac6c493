"""Natural neural networks (PRONG, Desjardins et al. 2015): gradient steps on a whitened form of the same function.

A layer h W + b with inputs h (m, n_in), mean c (n_in,), covariance S (n_in, n_in) is also

    (h - c) U V + d,    U = (S + delta I)^(-1/2),   V = U^-1 W,   d = b + c W

The function is unchanged; but a gradient step on V, d sees inputs (h - c) U with covariance near the identity, so the
Fisher matrix of each layer is near the identity too. The eigenvalues of that covariance are l / (l + delta).

A convolution is the same layer, applied to every window of the images: h has a row for each place of each image.
"""
from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.second_order.base import SecondOrder
from minigrad.typing import Array


def whitening(h: Array, delta: float) -> tuple[Array, Array]:
    """c (n_in,) and U (n_in, n_in) = (S + delta I)^(-1/2), float64, of inputs h (m, n_in). delta: unit of h^2, > 0."""
    h = np.asarray(h, np.float64)
    c = h.mean(axis=0)
    S = (h - c).T @ (h - c) / len(h)
    l, Q = np.linalg.eigh(S)
    return c, (Q / np.sqrt(np.maximum(l, 0) + delta)) @ Q.T


def whiten(W: Array, b: Array, c: Array, U: Array) -> tuple[Array, Array]:
    """V = U^-1 W, d = b + c W: the same layer in whitened form. W (n_in, n_out), b (n_out,)."""
    return np.linalg.solve(U, W), b + c @ W


def unwhiten(V: Array, d: Array, c: Array, U: Array) -> tuple[Array, Array]:
    """W = U V, b = d - c W: back again."""
    W = U @ V
    return W, d - c @ W


def whitened_step(gW: Array, gb: Array, c: Array, U: Array) -> tuple[Array, Array]:
    """The direction (dW, db) in which -gradient with respect to V, d moves W and b:

        gV = U (gW - c' gb);   dW = -U gV = -(S + delta I)^-1 (gW - c' gb);   db = -gb - c dW
    """
    dW = -U @ (U @ (gW - np.outer(c, gb)))
    return dW, -gb - c @ dW


class PRONG(SecondOrder):
    """Projected natural gradient descent (Desjardins et al. 2015): SGD, or momentum, on whitened layers.

        every `interval` steps: c, U of each layer from J.layer_inputs
        v <- alpha v + lr (step of gradient descent on V, d);   theta <- theta + v

    J.layer_inputs(theta) -> {layer: h (m, n_in)}; the layer's weights (n_in, n_out) and biases (n_out,) are the slices
    "layer.w" and "layer.b" of theta ("w", "b" for the layer ""). `Objective` gives those of Linear and, window by
    window, of Conv2d without groups. Slices of no such layer take plain gradient steps, and so does one
    half of a layer whose other half is frozen.
    v is kept in the coordinates of W and b, where a new whitening does not change it: nothing to rebase.
    lr: unit of 1/J. delta: unit of the inputs squared; small means whiter and noisier.
    Differs: the paper keeps theta in the whitened form and rebases it at every refresh; it estimates c and S from
    examples of their own, here they are those of J; momentum is not in its algorithm. The places of a convolution count
    as examples in c and S, but its gradient is their sum and not their mean: its steps are longer by that number.
    """
    why = "it asks J for the inputs of its layers"
    needs: ClassVar[tuple[str, ...]] = ("layer_inputs",)
    lr: Hyper = hyper(0.1)
    momentum: Hyper = hyper(0.0)
    delta: Hyper = hyper(1e-2, "(0, inf)")
    interval: int = 100
    v: Array = state()

    def prepare(self) -> None:
        self.interval = count("PRONG", "interval", self.interval)
        self.layers: dict[str, Any] = {}
        for name, w in self.params.slices.items():
            stem = name.removesuffix("w")
            b = self.params.slices.get(stem + "b")
            if b is None or not (name == "w" or name.endswith(".w")):
                continue
            n_out, size = b.stop - b.start, w.stop - w.start
            if size % n_out == 0:
                self.layers[stem.removesuffix(".")] = (w, b, (size // n_out, n_out))
                self._state[f"{stem}c"] = np.zeros(size // n_out)
                self._state[f"{stem}U"] = np.eye(size // n_out)

    def refresh(self, J: Any, theta: Array) -> str:
        """Whiten every layer whose inputs J gives."""
        inputs = J.layer_inputs(theta)
        for layer, h in inputs.items():
            if layer not in self.layers:
                raise ValueError(f"PRONG: J.layer_inputs names the layer {layer!r}, but theta has no slices "
                                 f"{layer}.w and {layer}.b (slices: {', '.join(self.params.slices)})")
            n_in = self.layers[layer][2][0]
            h = np.asarray(h).reshape(-1, np.shape(h)[-1])
            if h.shape[1] != n_in:
                raise ValueError(f"PRONG: inputs of {layer!r} have {h.shape[1]} features, its weights {n_in}")
            if not np.isfinite(h).all():
                return "layer inputs are not finite"
            stem = f"{layer}." if layer else ""
            self._state[f"{stem}c"][...], self._state[f"{stem}U"][...] = whitening(h, self.now("delta"))
        return ""

    def advance(self, J: Any, theta: Array, value: float, g: Array) -> str:
        if self.k % self.interval == 0 and (reason := self.refresh(J, theta)):
            return reason
        step = -g.astype(np.float64)
        for layer, (w, b, shape) in self.layers.items():
            if w in self.frozen or b in self.frozen:
                continue
            stem = f"{layer}." if layer else ""
            c, U = self._state[f"{stem}c"], self._state[f"{stem}U"]
            dW, db = whitened_step(g[w].reshape(shape).astype(np.float64), g[b].astype(np.float64), c, U)
            step[w], step[b] = dW.ravel(), db
        v = self.free(self.now("momentum") * self.v + (self.now("lr") * step).astype(self.dtype))
        if not np.isfinite(v).all():
            return "the step is not finite"
        self.v = v
        self.theta = self.theta + v                  # the live vector: J may have laid it out anew
        self._known = None
        return ""
