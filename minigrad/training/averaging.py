"""Polyak averaging during a run (8.7.3), and batch norm's running averages for the averaged parameters (8.7.1)."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minigrad import random
from minigrad.core import Tensor, no_grad
from minigrad.nn import Module
from minigrad.training.run import Callback, Run


class Averaging(Callback):
    """Keep the average of theta over the steps of the run: `Averaging(optim.PolyakAverage(optimizer, alpha=0.99))`.

    since: the first step that counts (the plain mean should not begin at the random start). Saved in checkpoints; a new
    run begins a new average.
    Afterwards: `with average.applied(): refresh_batch_norm(model, batches); evaluate(model, ...)`.
    """
    average: Any
    since: int

    def __init__(self, average: Any, since: int = 1) -> None:
        self.average, self.since = average, since
        self.state_dict: Callable[[], dict[str, Any]] = average.state_dict
        self.load_state_dict: Callable[[dict[str, Any]], None] = average.load_state_dict

    def reset(self, run: Run) -> None:
        self.average.reset()

    def step(self, run: Run) -> None:
        if run.steps >= self.since:
            self.average.update()


def refresh_batch_norm(model: Module, batches: Iterable[Any]) -> Module:
    """Recompute the running averages of batch norm as those over `batches` of (x, ...), each batch counted by its
    examples: after averaging parameters, whose own statistics belong to no single step (8.7.1 with 8.7.3).

    Returns the model, each part in the mode it was in; a part in test mode by itself keeps its averages. Nothing but
    the running averages has changed: generators are put back, and the averages too if the model raises. Other layers
    are in learning mode meanwhile (dropout drops).
    """
    drawn = [(rng, random.capture(rng)) for _, rng in model.generators()] + [(None, random.capture())]
    with model.mode(training=True):
        layers = [module for _, module in model.modules() if module.training and hasattr(module, "running_mean")]
        before = [(layer, layer.momentum, layer.running_mean, layer.running_var) for layer in layers]
        sums, count = [[0.0, 0.0] for _ in layers], 0
        try:
            for layer in layers:
                layer.momentum = 1.0            # each batch replaces the averages, which are then summed here
            with no_grad():
                for batch in batches:
                    x = batch[0] if isinstance(batch, tuple) else batch
                    model(x if isinstance(x, Tensor) else Tensor(x))
                    count += len(x)
                    for total, layer in zip(sums, layers):
                        total[0] = total[0] + len(x) * layer.running_mean.astype(np.float64)
                        total[1] = total[1] + len(x) * layer.running_var.astype(np.float64)
            if count == 0:
                raise ValueError("refresh_batch_norm: no batches")
        except BaseException:
            for layer, _, mean, var in before:
                layer.running_mean, layer.running_var = mean, var
            raise
        finally:
            for layer, momentum, *_ in before:
                layer.momentum = momentum
            for rng, state in drawn:
                random.restore(state, rng)
    for (mean, var), layer in zip(sums, layers):
        layer.running_mean = (mean / count).astype(layer.running_mean.dtype)
        layer.running_var = (var / count).astype(layer.running_var.dtype)
    return model
