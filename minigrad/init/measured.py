"""Scales found by looking at one minibatch (8.4): layer-sequential unit variance, and the book's rule of thumb.

Both ask the model itself what it computes, by `model.observe`, so that layers come in the order in which they run.
"""
from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import count, number
from minigrad.core import Tensor, grad, no_grad
from minigrad.init.weights import orthogonal
from minigrad.random import generator
from minigrad.typing import Loss, Random, TensorLike


class Found(NamedTuple):
    """What lsuv did with one layer: variance of its output before and after, how often its weights were rescaled, and
    the outcome: "converged", "not converged", "dead" (the output does not vary: nothing to scale), "not finite",
    "frozen" or "shared" (left as they were)."""
    path: str
    before: float
    after: float
    iterations: int
    outcome: str


class Table(list[Any]):
    """A list of named tuples that prints as a table, one line each."""

    def __str__(self) -> str:
        if not self:
            return "(no layers)"
        lines = [list(self[0]._fields)]
        lines += [[f"{v:.4g}" if isinstance(v, float) else "" if v is None else str(v) for v in row] for row in self]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(v.ljust(width) for v, width in zip(line, widths)).rstrip() for line in lines)

    __repr__ = __str__


# ----------------------------------------------------------------------------------------------------------------- LSUV

class _Seen(Exception):
    """The layer of interest has run; the rest of the model need not."""


def lsuv(model: Any, x: TensorLike, tolerance: float = 0.01, iterations: int = 10, rng: Random = None) -> Table:
    """Layer-sequential unit variance (Mishkin and Matas 2015): for each layer, in the order in which they run,

        W <- orthonormal
        until |Var(output) - 1| <= tolerance:  W <- W / sqrt(Var(output)),  at most `iterations` times

    model: the weights `w` of dense and convolutional layers are replaced. Biases, embeddings, recurrent cells (their
    outputs are bounded, their weights serve every step) and everything else stay. x: one minibatch, an array or Tensor.
    The variance is that of all elements of the layer's output together, in the model's present mode (dropout drops the
    same units all along; running averages are untouched).

    Returns a Table of `Found`, one per layer. A dead or constant layer, or one that does not converge, is reported
    there, not raised, and a dead one keeps its orthonormal weights. Raises ValueError if no layer has weights.
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    tolerance = number("lsuv", "tolerance", tolerance, "(0, inf)")
    iterations = count("lsuv", "iterations", iterations, least=0)
    rng = generator(rng)
    layers, table, done = _weighted(model, x), Table(), set()
    if not layers:
        raise ValueError("lsuv: no layer of the model has weights (a parameter `w` with two axes or more)")
    chosen = []
    for path, layer in layers:
        frozen, shared = not layer.w.requires_grad, id(layer.w) in done
        done.add(id(layer.w))
        chosen.append((path, layer, "frozen" if frozen else "shared" if shared else None))
        if not frozen and not shared:
            layer.w.data = orthogonal(layer.w.shape, rng=rng, dtype=layer.w.dtype)
    for path, layer, kept in chosen:
        table.append(_unit_variance(model, x, path, layer, kept, tolerance, iterations))
    return table


def _weighted(model, x):
    """(path, module) of the modules that have weights, in the order in which they first run."""
    paths = {id(module): path for path, module in model.modules()}
    order = {}

    def note(module, inputs, y):
        if getattr(getattr(module, "w", None), "ndim", 0) >= 2 and not hasattr(module, "u"):      # u: recurrent
            order.setdefault(id(module), (paths.get(id(module), "?"), module))

    with no_grad(), model.fixed_statistics(), model.observe(note):
        model(x)
    return list(order.values())


def _variance(model, x, layer):
    """Variance of all elements of the layer's output, in float64."""
    found = []

    def note(module, inputs, y):
        if module is layer:
            found.append(float(np.var(y.data, dtype=np.float64)))
            raise _Seen

    with no_grad(), model.fixed_statistics(), model.observe(note), np.errstate(all="ignore"), suppress(_Seen):
        model(x)
    return found[0]


def _unit_variance(model, x, path, layer, kept, tolerance, iterations):
    before = variance = _variance(model, x, layer)
    if kept:
        return Found(path, before, variance, 0, kept)
    smallest = float(np.finfo(layer.w.dtype).tiny)
    for i in range(iterations + 1):
        if not np.isfinite(variance):
            return Found(path, before, variance, i, "not finite")
        if variance <= smallest:
            return Found(path, before, variance, i, "dead")
        if abs(variance - 1) <= tolerance:
            return Found(path, before, variance, i, "converged")
        if i == iterations:
            break
        layer.w.data = (layer.w.data / np.sqrt(variance)).astype(layer.w.dtype)
        variance = _variance(model, x, layer)
    return Found(path, before, variance, iterations, "not converged")


# ------------------------------------------------------------------------------------------------------- rule of thumb

class Layer(NamedTuple):
    """One layer of a report: what its output looks like over the minibatch, and the gradient that reaches it.

    weights: how many it has (elements of `w`). std, least, largest: of the output. zeros: the fraction of outputs that
    are exactly 0. g_std, g_largest: standard deviation and largest size of dJ/d(output); g_w_std that of
    dJ/d(its parameters); None where there is none.
    """
    path: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    mean: float
    std: float
    least: float
    largest: float
    zeros: float
    g_std: float | None = None
    g_largest: float | None = None
    g_w_std: float | None = None


class Report(Table):
    """The layers in the order in which they run; prints as a table."""

    def first_small(self, std: float = 0.1) -> Layer | None:
        """The first layer with weights whose outputs vary less than `std`, or None. (The book: enlarge its weights,
        and look again.)"""
        return next((row for row in self if row.weights and row.std < std), None)


def report(model: Any, x: TensorLike, y: TensorLike | None = None, loss: Loss | None = None) -> Report:
    """The book's rule of thumb for initial scales (8.4): ranges of activations and gradients on one minibatch.

    x: the inputs of the model; y, loss: if given, gradients of loss(model(x), y) are looked at too. Layers are the
    modules that contain no others. The model is run in its present mode and left as it was, gradients included.
    Returns a Report of `Layer`, in the order in which they run (a layer that runs twice is listed twice).
    """
    if (y is None) != (loss is None):
        raise ValueError("report: gradients need both y and loss")
    x = x if isinstance(x, Tensor) else Tensor(x)
    paths = {id(module): path for path, module in model.modules()}
    seen = []

    def note(module, inputs, output):
        output = output[0] if isinstance(output, tuple) else output        # (h, c) of an LSTM cell: h
        if isinstance(output, Tensor) and not any(True for _ in module.children()):
            seen.append((module, output))

    with no_grad(enabled=loss is not None), model.fixed_statistics(), model.observe(note), np.errstate(all="ignore"):
        result = model(x)
        J = None if loss is None else loss(result, y)

    own = [[p for _, p in module.own_parameters() if p.requires_grad] for module, _ in seen]
    wanted = {id(t): t for parts, (_, out) in zip(own, seen) for t in [out, *parts] if t.requires_grad}
    gradients = {}
    if J is not None and wanted and J.requires_grad:
        gradients = dict(zip(wanted, (d.data for d in grad(J, wanted.values()))))
    rows = Report()
    for (module, out), parts in zip(seen, own):
        g_w = [gradients[id(p)].ravel() for p in parts if id(p) in gradients]
        rows.append(_layer(paths.get(id(module), "?") or "(model)", module, out.data, gradients.get(id(out)), g_w))
    return rows


def _layer(path, module, values, g, g_w):
    """A row of the report. values: what the module gave; g: their gradient or None; g_w: its parameters', flattened."""
    return Layer(
        path, module.describe(), values.shape, getattr(getattr(module, "w", None), "size", 0),
        float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)),
        float(values.min()), float(values.max()), float(np.mean(values == 0)),
        None if g is None else float(g.std(dtype=np.float64)), None if g is None else float(np.abs(g).max()),
        float(np.concatenate(g_w).std(dtype=np.float64)) if g_w else None)
