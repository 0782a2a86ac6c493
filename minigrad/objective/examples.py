"""What a method may want from J example by example: gradients, residuals with their Jacobian, inputs of layers."""
from __future__ import annotations

import math

import numpy as np

from minigrad.core import Tensor, grad, no_grad
from minigrad.derivatives import ByExample
from minigrad.nn.module import observe
from minigrad.objective.curvature import LARGEST
from minigrad.typing import Array


class Examples:
    """The methods of `Objective` that know the examples one by one."""

    @property
    def m(self) -> int:
        """How many examples J is the mean of."""
        return len(self.x.data)

    def example_grads(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """The gradient of each example, (m, n); their mean is the gradient of J (the regularizer is in each).

        From one pass where the layers are Linear, Conv2d and the like, else from one pass per example. Where the model
        couples the examples or draws random numbers, row i is what reaches theta through the outputs of example i.
        """
        m = len(self.x.data)
        self.refuse_large("example_grads", m, largest)
        out = np.zeros((m, self.parameters.n), self.dtype)
        with self.on_copies(theta) as leaves:
            each, penalty = self._by_example(leaves)
            each.rows(0, m, [out[:, part].reshape(m, *leaf.shape) for part, leaf in zip(self.free_slices(), leaves)])
        if penalty.any():
            out += penalty
        return out

    def example_grad_squares(self, theta: Array | None = None) -> Array:
        """The mean over the examples of the squares of their gradients, (n,), without forming the (m, n) gradients."""
        with self.on_copies(theta) as leaves:
            each, penalty = self._by_example(leaves)
            squares, total = each.squares(), grad(each.z, leaves, each.u)
        m = self.dtype.type(each.m)
        return self.flat(squares) / m + penalty * (2 * self.flat(total) / m + penalty)     # of g_i + penalty

    def _by_example(self, leaves):
        """Gradients by example of the loss, times m; and the gradient of the regularizer (n,)."""
        z = self.output("example_grads")
        m = len(self.x.data)
        if z.ndim == 0 or len(z.data) != m or m == 0:
            raise ValueError(f"Objective.example_grads: the model must return one row per example, got {z.shape} for x "
                             f"{self.x.shape}")
        top = Tensor(z.data, requires_grad=True)
        u = grad(self.loss_at(top), top).data * self.dtype.type(m)
        penalty = self.penalty()
        return ByExample(z, leaves, u, self._one_example), self.flat([] if penalty is None else grad(penalty, leaves))

    def _one_example(self, i):
        """The model's output for example i alone, (1, ...)."""
        i %= len(self.x.data)
        return self.model(Tensor(self.x.data[i:i + 1]))

    # ---- squared error as a sum of squares

    def residuals(self, theta: Array | None = None) -> Array:
        """r with J = r . r, for mean_squared_error without a regularizer: (z - y) / sqrt(their number), flattened (the
        difference itself with reduction="sum")."""
        scale = self._residual_scale()
        with self.at(theta), no_grad():
            z = self.output("residuals").data
        return ((z - np.asarray(getattr(self.y, "data", self.y), z.dtype)) * scale(z.size)).ravel()

    def jacobian(self, theta: Array | None = None, largest: float = LARGEST) -> Array:
        """dr/dtheta of `residuals`, (number of outputs, n): gradient of J = 2 jacobian' r. One pass per output of an
        example where `example_grads` needs one in all."""
        scale = self._residual_scale()
        with self.on_copies(theta) as leaves:
            z = self.output("jacobian")
            m = len(z.data)
            self.refuse_large("jacobian", z.size, largest)
            out = np.zeros((m, z.size // m, self.parameters.n), z.dtype)
            for j in range(z.size // m):
                u = np.zeros_like(z.data)
                u.reshape(m, -1)[:, j] = 1
                rows = ByExample(z, leaves, u, self._one_example).rows(0, m)
                for part, row in zip(self.free_slices(), rows):
                    out[:, j, part] = row.reshape(m, -1)
        return out.reshape(z.size, -1) * scale(z.size)

    def _residual_scale(self):
        """The function: number of outputs -> factor with which r . r is J."""
        name, options = self.named_loss()
        reduction = options.get("reduction", "mean")
        if name != "mean_squared_error" or self.regularizer is not None or reduction not in ("mean", "sum"):
            raise ValueError("Objective: residuals and jacobian exist for losses.mean_squared_error (or "
                             f"functools.partial of it) without a regularizer, got {name}"
                             + ("" if self.regularizer is None else " with a regularizer"))
        return lambda count: self.dtype.type(1 if reduction == "sum" else 1 / math.sqrt(count))

    # ---- layers

    def layer_inputs(self, theta: Array | None = None) -> dict[str, Array]:
        """The inputs h (rows, n_in) of every layer h w + b whose w and b are slices "<layer>.w", "<layer>.b" of theta
        and not frozen: {layer: h}. A layer that is called several times has the rows of all calls.

        A Conv2d of one group is such a layer too: its rows are the windows it sees, at all places of all images,
        n_in = kh kw c, and its w (kh, kw, c, n_out) is read as (n_in, n_out).
        """
        names = {id(p): name for name, p in self.parameters.named.items()}
        rows = {}

        def note(module, inputs, y):
            own = dict(module.own_parameters())
            if set(own) != {"w", "b"} or len(inputs) != 1 or not all(p.requires_grad for p in own.values()):
                return
            layer = names[id(own["w"])].removesuffix("w")
            if names[id(own["b"])] != layer + "b":
                return
            h = inputs[0].data if isinstance(inputs[0], Tensor) else np.asarray(inputs[0])
            if getattr(module, "windows", None) is not None:
                h = module.windows(h)
            elif own["w"].ndim != 2:
                return
            rows.setdefault(layer.removesuffix("."), []).append(h.reshape(-1, h.shape[-1]))

        with self.at(theta), no_grad(), observe(note):
            self.model(self.x)
        return {layer: np.concatenate(parts) for layer, parts in rows.items()}
