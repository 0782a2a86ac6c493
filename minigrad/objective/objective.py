"""J(theta) = loss(model(x), y) as a function of a vector: its value, its gradient, and the model at a point."""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.core import Leaf, Number, Tensor, no_grad, pullback, wrap
from minigrad.nn.module import Module, fixed_statistics
from minigrad.objective.curvature import Curvature
from minigrad.objective.examples import Examples
from minigrad.typing import Array, Loss, TensorLike


class Objective(Curvature, Examples):
    """J(theta) = loss(model(x), y), with its derivatives, on flat vectors (n,).

        J = Objective(model, losses.cross_entropy, x, y)
        J.value(theta), J.grad(theta), J.hvp(theta, v)

    theta: (n,), the layout of model.parameters(); None: where the model is. Results are fresh arrays (n,), J a float.
    J is deterministic: batch norm uses the batch but leaves its running averages alone, dropout draws the same masks at
    every evaluation (from generators that are attributes of the model's modules; what a forward draws from the thread's
    default is new each time). The model's theta, gradients and mode are untouched, also if the model raises; meanwhile
    it is at theta, so that threads that evaluate objectives of one model wait for each other.
    regularizer: a function of the model, added to J (weight decay, see `nn.regularize`).

    Many products at one theta: `at_theta = J.linearize(theta)`, then at_theta.hvp(v), at_theta.ggnvp(v), ...
    Batch norm in training couples the examples: all products are of the batch as one function.
    """
    model: Module
    loss: Loss
    regularizer: Callable[[Any], Any] | None

    def __init__(self, model: Module, loss: Loss, x: TensorLike, y: Any,
                 regularizer: Callable[[Any], Any] | None = None) -> None:
        if not isinstance(model, Module):
            raise ValueError(f"Objective: model must be a Module, got {model!r:.60}")
        if not callable(loss) or not (regularizer is None or callable(regularizer)):
            raise ValueError("Objective: loss must be a function (output, y) -> Tensor, regularizer None or a function "
                             f"model -> Tensor, got {loss!r:.60} and {regularizer!r:.60}")
        self.model, self.loss, self.regularizer = model, loss, regularizer
        self.x: Tensor = x if isinstance(x, Tensor) else Tensor(x)
        self.y = y
        self.parameters: Any = model.parameters()

    def __call__(self, theta: Array | None = None) -> float:
        return self.value(theta)

    # ---- J and its gradient

    def value(self, theta: Array | None = None) -> float:
        """J(theta), a float."""
        with self.at(theta), no_grad():
            return self.tensor().item()

    def grad(self, theta: Array | None = None) -> Array:
        """The gradient of J at theta, (n,)."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta: Array | None = None) -> tuple[float, Array]:
        """(J(theta), gradient (n,)), from one pass forward and back."""
        with self.at(theta), no_grad(enabled=True):
            J = self.tensor()
            g, parts = self.blank()
            pullback([J] if J.node is not None else [], [np.ones(J.shape, J.dtype)], self.free(), parts)
            return J.item(), g

    def tensor(self) -> Tensor:
        """J as a Tensor, with its graph, at the model's present parameters."""
        J, penalty = self.loss_at(self.model(self.x)), self.penalty()
        return J if penalty is None else J + penalty

    def output(self, who: str) -> Tensor:
        """The model's output z, which must be one Tensor."""
        z = self.model(self.x)
        if not isinstance(z, Tensor):
            raise ValueError(f"Objective.{who}: the model must return one Tensor, got {type(z).__name__}")
        return z

    def loss_at(self, z: Tensor) -> Tensor:
        """loss(z, y), which must be a Tensor of a single number."""
        J = self.loss(z, self.y)
        if not isinstance(J, Tensor) or J.size != 1:
            got = f"shape {J.shape}" if isinstance(J, Tensor) else f"{J!r:.60}"
            raise ValueError(f"Objective: loss(output, y) must be a Tensor with a single number, got {got}")
        return J

    def penalty(self) -> Tensor | None:
        """The regularizer's value, a Tensor with a single number (without history if it does not depend on theta), or
        None."""
        if self.regularizer is None:
            return None
        penalty = self.regularizer(self.model)
        if isinstance(penalty, Number):
            return Tensor(penalty, dtype=self.dtype)
        if not isinstance(penalty, Tensor) or penalty.size != 1:
            got = f"shape {penalty.shape}" if isinstance(penalty, Tensor) else f"{penalty!r:.60}"
            raise ValueError(f"Objective: regularizer(model) must be a Tensor with a single number, got {got}")
        return penalty

    def named_loss(self) -> tuple[str, dict[str, Any]]:
        """(name, keyword arguments) of a loss of `losses` or `ops`, looking into functools.partial."""
        loss, options = self.loss, {}
        while isinstance(loss, functools.partial):
            loss, options = loss.func, {**loss.keywords, **options}
        known = getattr(loss, "__module__", "").startswith("minigrad.")
        return (loss.__name__ if known else "a function of your own"), options

    # ---- the model at a point

    @contextmanager
    def at(self, theta: Array | None) -> Iterator[None]:
        """Inside, the model's parameters are theta."""
        with self.parameters.lock:
            own = self.parameters.theta
            theta = own if theta is None else np.asarray(theta)
            if theta.shape != own.shape:
                raise ValueError(f"Objective: theta must have shape {own.shape}, got {theta.shape}")
            if is_same_memory(theta, own):
                with fixed_statistics(self.model):
                    yield
                return
            before = own.copy()
            try:
                own[...] = theta
                with fixed_statistics(self.model):
                    yield
            finally:
                own[...] = before                       # not theta any more if the model was laid out anew inside
                self.parameters.theta[...] = before
                self.parameters.changed()

    @contextmanager
    def on_copies(self, theta: Array | None, lent: bool = False) -> Iterator[list[Tensor]]:
        """Inside, the parameters are copies of theta and new leaves, which are handed out (the free ones): a graph that
        is recorded here outlives the block, and no step of the model invalidates it. lent: theta itself in place of a
        copy, for a graph that is done with while the caller holds `parameters.lock`."""
        with self.parameters.lock:
            own = self.parameters.theta
            values = (np.asarray if lent else np.array)(own if theta is None else theta, self.dtype)
            if values.shape != own.shape:
                raise ValueError(f"Objective: theta must have shape {own.shape}, got {values.shape}")
            before = [(p, p._data, p.node) for p in self.parameters]
            leaves = []
            try:
                for p, part in zip(self.parameters, self.parameters.slices.values()):
                    p._data = values[part].reshape(p.shape)
                    if p.node is not None:
                        p.node = Leaf(p.slot.name)
                        leaves.append(wrap(p._data, p.node))
                with fixed_statistics(self.model), no_grad(enabled=True):
                    yield leaves
            finally:
                for p, data, node in before:
                    p._data, p.node = data, node

    # ---- between vectors and parameters

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, that of theta."""
        return self.parameters.dtype

    def free(self) -> list[Any]:
        """The parameters that are not frozen."""
        return [p for p in self.parameters if p.requires_grad]

    def free_slices(self) -> list[slice]:
        """Their slices of theta."""
        return [part for p, part in zip(self.parameters, self.parameters.slices.values()) if p.requires_grad]

    def flat(self, parts: Sequence[Any]) -> Array:
        """One array or Tensor per free parameter -> (n,), zeros where frozen; no parts at all: zeros."""
        out = np.zeros(self.parameters.n, self.dtype)
        for part, values in zip(self.free_slices(), parts):
            out[part] = getattr(values, "_data", values).ravel()
        return out

    def blank(self) -> tuple[Array, list[Array]]:
        """An array (n,) for a result, zeros where frozen, and its parts, one per free parameter, which are to be
        filled."""
        result = kernels.empty((self.parameters.n,), self.dtype)
        parts = self.parts(result)
        if len(parts) < len(self.parameters):
            result.fill(0)
        return result, parts

    def vector(self, v: Array) -> Array:
        """v as an array (n,) in theta's dtype."""
        v = np.asarray(v, dtype=self.dtype)
        if v.shape != (self.parameters.n,):
            raise ValueError(f"Objective: v must have shape ({self.parameters.n},), got {v.shape}")
        return v

    def parts(self, v: Array) -> list[Array]:
        """(n,) -> one array per free parameter."""
        v = self.vector(v)
        return [v[part].reshape(p.shape) for p, part in zip(self.parameters, self.parameters.slices.values())
                if p.requires_grad]


def is_same_memory(a: Any, b: Any) -> bool:
    """Whether two arrays of one shape are the very same numbers."""
    return a is b or (a.__array_interface__["data"] == b.__array_interface__["data"] and a.strides == b.strides)
