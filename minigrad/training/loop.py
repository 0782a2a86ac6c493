"""The training loop: forward, loss, backward, step; an epoch's figures; and the places where callbacks may act.

By hand it is ten lines:

    for epoch in range(epochs):
        for x, y in batches:
            loss = cross_entropy(model(Tensor(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

`fit` adds what one otherwise forgets: training and test mode, a check of the loss before the step, history, a progress
bar, validation, gradient accumulation, and Ctrl-C that ends after the step at hand.
"""
import signal
import threading
import time
from math import isfinite
from pathlib import Path

import numpy as np

from minigrad.core import Tensor, no_grad
from minigrad.optim import NonFiniteError
from minigrad.training.checkpoint import load_checkpoint
from minigrad.training.evaluation import evaluate
from minigrad.training.progress import progress_bar


class Callback:
    """What may happen besides learning. Every method is handed the Run; the base does nothing."""

    def start(self, run):
        """Before the first step."""

    def step(self, run):
        """After every step of the optimizer."""

    def epoch(self, run):
        """After every epoch; `run.figures` is its entry in the history."""

    def end(self, run):
        """When the loop is left, for whatever reason (`run.reason`), also by an exception."""


class Run:
    """A training run under way: the model, its parts, where it is, and its history.

    epoch, steps, examples: finished so far. history: one dict per epoch. losses: the loss of every step.
    stop(reason): a callback ends the loop after the step or epoch at hand.
    """

    def __init__(self, model, loss, optimizer, batches, validation=None, callbacks=()):
        self.model, self.loss, self.optimizer, self.batches = model, loss, optimizer, batches
        self.validation, self.callbacks = validation, list(callbacks)
        self.epoch = self.steps = self.examples = 0
        self.history, self.losses = [], []
        self.figures = None
        self.total, self.count, self.clock = 0.0, 0, 0.0     # sum of losses, examples, seconds of the epoch so far
        self.reason = ""

    def stop(self, reason):
        """Leave the loop after the step or epoch at hand."""
        self.reason = self.reason or reason

    def tell(self, event):
        """Call one method of all callbacks."""
        for callback in self.callbacks:
            getattr(callback, event)(self)


def fit(model, loss, optimizer, batches, *, epochs=None, steps=None, validation=None, callbacks=(), accumulate=1,
        progress=True, resume=None):
    """Train a model. Returns the Run, whose `history` has one dict per epoch.

    loss(model(x), y) -> Tensor (); the mean over a batch. optimizer: with `step()`, on model.parameters().
    batches: iterated once per epoch, yields (x, y) arrays. epochs, steps: how far to go in all (either or both).
    validation: (x, y), evaluated after every epoch (test mode, parameters at theta). callbacks: `Callback`s.
    accumulate: gradients of so many batches make one step; batches of unequal size count by their examples, so that the
    step is that of one large batch. progress: a bar (tqdm if installed) and a line per epoch.
    resume: a checkpoint to go on from with the same bits; if there is no such file yet, the run starts anew.

    Raises NonFiniteError before the step if the loss is NaN or infinite: parameters and state keep their bits.
    Ctrl-C ends the loop after the step at hand (callbacks still get their `end`); a second one interrupts at once.
    """
    if epochs is None and steps is None:
        raise ValueError("fit: say how far to go: epochs=, steps= or both")
    for name, value in (("epochs", epochs), ("steps", steps), ("accumulate", accumulate)):
        least = 1 if name == "accumulate" else 0
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise ValueError(f"fit: {name} must be a whole number, at least {least}, got {value!r}")
    run = Run(model, loss, optimizer, batches, validation, callbacks)
    if resume is not None and Path(resume).exists():
        load_checkpoint(resume, run, **_extras(callbacks))
    with _ctrl_c(run):
        try:
            run.tell("start")
            while not run.reason and (epochs is None or run.epoch < epochs) and (steps is None or run.steps < steps):
                if not _epoch(run, accumulate, steps, epochs, progress):
                    break
            run.stop("finished")
        except BaseException as error:
            run.stop(f"{type(error).__name__}: {error}")
            raise
        finally:
            run.tell("end")
    return run


def _extras(callbacks):
    """What else the checkpoints of this run hold, see `Checkpoint`."""
    return {name: thing for callback in callbacks for name, thing in getattr(callback, "extras", {}).items()}


def _epoch(run, accumulate, steps, epochs, progress):
    """One pass over the batches. True if it was complete."""
    run.model.train()
    began = time.perf_counter()
    complete, group, batches = True, [], iter(run.batches)
    with progress_bar(run, epochs, progress) as bar:
        for batch in batches:
            group.append(batch)
            if len(group) == accumulate:
                value = _step(run, group)
                group = []
                bar.update(value)
                run.clock += time.perf_counter() - began
                began = time.perf_counter()
                run.tell("step")
                if run.reason or (steps is not None and run.steps >= steps):
                    complete = False
                    break
        if group and not run.reason:
            bar.update(_step(run, group))
            run.tell("step")
    if not complete:
        if _left(run.batches):
            return False
        for _ in batches:                     # it was the last one: let the iterator finish its epoch
            pass
    run.clock += time.perf_counter() - began
    run.epoch += 1
    run.figures = _figures(run)
    run.history.append(run.figures)
    run.total, run.count, run.clock = 0.0, 0, 0.0
    run.tell("epoch")
    if progress:
        print(line(run.figures), flush=True)
    return True


def _left(batches):
    """Whether an epoch that was left early had batches to come."""
    position = getattr(batches, "position", None)
    return position is None or position < getattr(batches, "examples", position + 1)


def _step(run, group):
    """Forward and backward over a group of batches, one step. Returns the mean loss over the group's examples."""
    examples = [len(batch[0]) for batch in group]
    total = sum(examples)
    run.optimizer.zero_grad()
    mean = 0.0
    for (x, y), m in zip(group, examples):
        loss = run.loss(run.model(x if isinstance(x, Tensor) else Tensor(x)), y)
        value = loss.item()
        if not isfinite(value):
            raise NonFiniteError(f"fit: the loss is {value} at step {run.steps + 1}; parameters and optimizer are as "
                                 "they were. A smaller learning rate or clip_grad_norm may help; run the step under "
                                 "minigrad.detect_anomaly() to see which op made it")
        share = m / total
        (loss if share == 1 else loss * share).backward()
        mean += share * value
    run.optimizer.step()
    run.steps += 1
    run.examples += total
    run.total += mean * total
    run.count += total
    run.losses.append(mean)
    return mean


def _figures(run):
    """The history's entry for the epoch that has just ended."""
    figures = {"epoch": run.epoch, "steps": run.steps, "loss": run.total / max(run.count, 1), "seconds": run.clock,
               "examples_per_second": run.count / run.clock if run.clock > 0 else 0.0}
    if run.validation is not None:
        with run.optimizer.at_theta():
            result = evaluate(run.model, run.loss, *run.validation)
        figures["validation_loss"] = result.loss
        if result.error is not None:
            figures["validation_error"] = result.error
    return figures


def line(figures):
    """One epoch in a line of text."""
    text = f"epoch {figures['epoch']:3d}  train loss {figures['loss']:.4f}"
    if "validation_loss" in figures:
        text += f"  test loss {figures['validation_loss']:.4f}"
    if "validation_error" in figures:
        text += f"  test error {100 * figures['validation_error']:5.2f} %"
    return text + f"  {figures['examples_per_second']:8,.0f} examples/s"


class _ctrl_c:
    """The first Ctrl-C asks the run to stop after its step, the second one interrupts as usual."""

    def __init__(self, run):
        self.run, self.before = run, None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = signal.getsignal(signal.SIGINT)
            if self.before is signal.default_int_handler:
                signal.signal(signal.SIGINT, self.interrupt)

    def interrupt(self, *_):
        if self.run.reason:
            raise KeyboardInterrupt
        self.run.stop("interrupted")

    def __exit__(self, *error):
        if self.before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.before)


def refresh_batch_norm(model, batches):
    """Recompute the running averages of batch norm as the mean over `batches` of (x, ...): after averaging parameters,
    whose own statistics belong to no single step (8.7.1 with 8.7.3). Returns the model, in the mode it was in."""
    layers = [module for _, module in model.modules() if hasattr(module, "running_mean")]
    sums = [[0.0, 0.0] for _ in layers]
    modes = [(module, module.training) for _, module in model.modules()]
    momenta = [layer.momentum for layer in layers]
    count = 0
    try:
        model.train()
        for layer in layers:
            layer.momentum = 1.0                # each batch replaces the averages, which are then summed here
        with no_grad():
            for x, *_ in batches:
                model(Tensor(x))
                count += 1
                for total, layer in zip(sums, layers):
                    total[0] = total[0] + layer.running_mean.astype(np.float64)
                    total[1] = total[1] + layer.running_var.astype(np.float64)
    finally:
        for module, mode in modes:
            module.training = mode
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum
    if count == 0:
        raise ValueError("refresh_batch_norm: no batches")
    for (mean, var), layer in zip(sums, layers):
        layer.running_mean = (mean / count).astype(layer.running_mean.dtype)
        layer.running_var = (var / count).astype(layer.running_var.dtype)
    return model
