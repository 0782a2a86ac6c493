"""The training loop: forward, loss, backward, step; an epoch's figures; and the places where callbacks may act.

By hand it is ten lines:

    for epoch in range(epochs):
        for x, y in batches:
            loss = cross_entropy(model(Tensor(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

`fit` adds what one otherwise forgets: learning and test mode, a check of the loss before the step, history, a progress
bar, validation, gradient accumulation, checkpoints, and Ctrl-C that ends after the step at hand.
"""
from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from itertools import islice
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor, no_grad
from minigrad.nn import Module
from minigrad.objective import Objective
from minigrad.optim import FirstOrder, NonFiniteError
from minigrad.training.checkpoint import load_checkpoint
from minigrad.training.evaluation import evaluate, shares
from minigrad.training.progress import progress as show_progress
from minigrad.training.run import Run
from minigrad.typing import ArrayLike, FilePath, Loss


def fit(model: Module, loss: Loss, optimizer: Any, batches: Iterable[Any], *, epochs: int | None = None,
        steps: int | None = None, validation: tuple[ArrayLike, ArrayLike] | None = None,
        metrics: dict[str, Callable[..., Any]] | None = None, callbacks: Sequence[Any] = (), accumulate: int = 1,
        progress: bool = True, resume: FilePath | None = None) -> Run:
    """Train a model. Returns the Run, whose `history` has one dict per epoch and `losses` the loss of every step.

    loss(model(x), y) -> Tensor (): the mean over a batch, or the sum. optimizer: on model.parameters(); a method that
    needs an objective (8.6, VSGD, SAM) gets one per step, see `_objective_step`.
    batches: iterated once per epoch, yields pairs (x, y). epochs, steps: how far to go in all, a resumed part included
    (either or both).
    validation: (x, y), evaluated after every epoch (test mode, parameters at theta) into validation_loss,
    validation_error and, for metrics={name: f(outputs, y)}, validation_<name>. callbacks: see `Callback`.
    accumulate: the gradients of so many batches make one step, that of one large batch (not with batch norm: each batch
    is normalized by itself). For this, and for an epoch's loss, batches count by what their loss is divided by, see
    `training.denominator`; with a loss of your own that does not say it, by their examples.
    progress: on a terminal a bar (tqdm if installed) and a line per epoch, in a notebook one bar and one table.
    resume: a checkpoint to go on from with the same bits, also in the middle of an epoch; if there is no such file yet,
    the run starts anew. Batches without `state` and `restore` are taken to come in the same order again.

    Raises NonFiniteError before the step if the loss is NaN or infinite: parameters, buffers and the optimizer's state
    keep their bits. (A gradient that is not finite though the loss is: the optimizer's check_finite=True.)
    The model learns in learning mode, but for parts that were put into test mode by themselves (`model[0].eval()`).
    Afterwards the parameters are at theta, also for methods that look ahead (Nesterov); another fit goes on from there.
    If an error ends the run, callbacks still get their `end` and `close`; what fails there is a note to that error.
    Ctrl-C ends the loop after the step at hand (callbacks still get their `end`); a second one interrupts at once.
    """
    _refuse_what_is_no_run(model, loss, optimizer, callbacks)
    if epochs is None and steps is None:
        raise ValueError("fit: say how far to go: epochs=, steps= or both")
    for name, value in (("epochs", epochs), ("steps", steps)):
        if value is not None:
            count("fit", name, value, 0)
    count("fit", "accumulate", accumulate)
    if metrics and validation is None:
        raise ValueError("fit: metrics are measured on validation=(x, y)")
    if validation is not None and (len(validation) != 2 or len(validation[0]) != len(validation[1])):
        raise ValueError(f"fit: validation must be (x, y) of equal length, got {[len(part) for part in validation]}")
    run = Run(model, loss, optimizer, batches, validation, callbacks, metrics)
    if resume is not None and Path(resume).exists():
        extras = {}
        for callback in run.callbacks:
            extras.update(getattr(callback, "extras", {}))
        load_checkpoint(resume, run, **extras)
    else:
        run.reset_callbacks()
    looks_ahead = isinstance(optimizer, FirstOrder)
    shown = show_progress(run, epochs, steps, progress)
    with _ctrl_c(run):
        try:
            with run.noting("fit"):
                if looks_ahead:
                    optimizer.look_ahead()
                run.tell("start")
                while (not run.reason and (epochs is None or run.epoch < epochs)
                       and (steps is None or run.steps < steps)):
                    if not _epoch(run, accumulate, steps, shown):
                        break
                run.stop("finished")
            run.group = None
            run.wind_up()
        finally:
            if looks_ahead:
                with run.noting(f"{type(optimizer).__name__}.return_to_theta"):
                    optimizer.return_to_theta()
            shown.end()
    if run.error is not None:
        raise run.error
    return run


def _refuse_what_is_no_run(model, loss, optimizer, callbacks):
    """ValueError for classes in the place of their objects, and for what is in another's place."""
    def refuse(what, wanted, found):
        kind = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise ValueError(f"fit: {what} must be {wanted}, got {kind}")

    if isinstance(model, type) or not hasattr(model, "modules"):
        refuse("model", "a Module", model)
    if isinstance(loss, type) or not callable(loss):
        refuse("loss", "a function (output, y) -> Tensor", loss)
    if isinstance(optimizer, type) or not hasattr(optimizer, "step"):
        refuse("optimizer", "one on model.parameters(), optim.Adam(model.parameters(), lr=0.001)", optimizer)
    if not isinstance(callbacks, list | tuple):
        refuse("callbacks", "a list", callbacks)
    for callback in callbacks:
        if isinstance(callback, type) or not hasattr(callback, "start"):
            refuse("a callback", "an object with the methods of training.Callback", callback)


def _epoch(run, accumulate, steps, shown):
    """One pass over the batches, or what a resumed run has left of it. True if it was complete."""
    run.buffers = [(module, name) for _, module in run.model.modules() for name in module.buffers]
    length = len(run.batches) if hasattr(run.batches, "__len__") else None
    if hasattr(run.batches, "state"):
        length = None if length is None else length + run.seen       # it counts what is still to come
        batches = iter(run.batches)
    else:
        batches = islice(iter(run.batches), run.seen, None)
    began = time.perf_counter()
    complete, group = True, []
    with run.model.mode(training=True), shown.epoch(length) as bar:
        for batch in batches:
            group.append(batch)
            run.seen += 1
            if len(group) < accumulate and run.seen != length:
                continue
            _step(run, group)
            bar.update(len(group), run.losses[-1])
            group = []
            now = time.perf_counter()
            run.clock, began = run.clock + now - began, now
            run.tell("step")
            if run.reason or (steps is not None and run.steps >= steps):
                complete = run.seen == length
                break
        if group:                                       # batches that could not say how many they are
            _step(run, group)
            run.tell("step")
    if not complete:
        return False
    if run.seen == 0:
        raise ValueError(f"fit: epoch {run.epoch + 1} has no batches (an iterator can be gone through once only)")
    for _ in batches:                                   # if we left at the last one: let the iterator end its epoch
        pass
    run.clock += time.perf_counter() - began
    run.epoch += 1
    run.figures = _figures(run)
    run.history.append(run.figures)
    run.seen, run.total, run.count, run.clock = 0, 0.0, 0, 0.0
    run.timed_from = run.examples, 0.0
    run.tell("epoch")
    shown.line(run.figures)
    return True


def _step(run, group):
    """One step on a group of batches; their loss, as that of one batch, is added to run.losses."""
    run.group = group
    counts, examples = [], 0
    for batch in group:
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            found = type(batch).__name__ + (f" of length {len(batch)}" if hasattr(batch, "__len__") else "")
            raise ValueError(f"fit: a batch must be a pair (x, y), got {found}; of arrays "
                             "minigrad.data.batches(x, y, batch_size=128) makes batches")
        x, y = batch
        examples += len(x)
        counts.append(len(x) if run.denominator is None else run.denominator(y))
    count = None if None in counts else sum(counts)
    if run.needs_objective:
        value = _objective_step(run, group)
    else:
        value = _gradient_step(run, group, shares(counts, count) if len(group) > 1 else (1.0,))
    run.steps += 1
    run.examples += examples
    if count is None:                                   # a sum: the epoch's loss is the sum of its batches'
        run.total, run.count = run.total + value, 1
    else:
        run.total += value * count
        run.count += count
    run.losses.append(value)


def _gradient_step(run, group, shares):
    """Forward and backward, batch by batch; then the step. If it fails, buffers (running averages) are put back."""
    run.optimizer.zero_grad()
    total = 0.0
    before = [getattr(module, name).copy() for module, name in run.buffers]
    try:
        for (x, y), share in zip(group, shares):
            z = run.model(x if isinstance(x, Tensor) else Tensor(x))
            if not share:
                continue
            loss = run.loss(z, y)
            if not isinstance(loss, Tensor) or loss.size != 1:
                found = f"shape {loss.shape}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
                raise ValueError(f"fit: the loss of a batch must be a Tensor of one number, got {found}")
            value = loss.item()
            if not isfinite(value):
                raise NonFiniteError(_not_finite(run, value))
            (loss if share == 1 else loss * share).backward()
            total += share * value
        run.tell("gradient")
        run.optimizer.step()
    except BaseException:
        for (module, name), value in zip(run.buffers, before):
            setattr(module, name, value)
        raise
    return total


def _objective_step(run, group):
    """A step of a method that evaluates J more than once: J is the loss on the group's examples, all as one batch.

    J is deterministic and leaves the model as it is (see Objective). So after the step the batch goes through the model
    once more in learning mode, which moves batch norm's averages and draws the masks of the next step.
    """
    x, y = group[0] if len(group) == 1 else [np.concatenate(parts) for parts in zip(*group)]
    J = Objective(run.model, run.loss, x, y)
    value = float(run.optimizer.step(J))
    if not isfinite(value):                             # these methods do not move then
        raise NonFiniteError(_not_finite(run, value))
    if run.buffers or any(True for _ in run.model.generators()):
        with no_grad():
            run.model(J.x)
    return value


def _not_finite(run, value):
    return (f"fit: the loss is {value} at step {run.steps + 1}; parameters and optimizer are as they were. A smaller "
            "learning rate or ClipGradient may help; the same step inside minigrad.diagnostics.detect_anomaly() names "
            "the op that made it")


def _figures(run):
    """The history's entry for the epoch that has just ended."""
    examples, clock = run.timed_from
    examples, clock = run.examples - examples, run.clock - clock
    figures = {"epoch": run.epoch, "steps": run.steps, "loss": run.total / run.count if run.count else nan,
               "seconds": run.clock, "examples_per_second": examples / clock if clock > 0 else 0.0}
    if run.validation is not None:
        with run.at_theta():
            result = evaluate(run.model, run.loss, *run.validation, metrics=run.metrics)
        figures["validation_loss"] = result.loss
        if result.error is not None:
            figures["validation_error"] = result.error
        figures.update((f"validation_{name}", value) for name, value in result.metrics.items())
    return figures


@contextmanager
def _ctrl_c(run):
    """The first Ctrl-C asks the run to stop after its step (it may be ending already), a second one interrupts."""
    asked = False

    def interrupt(*_):
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        run.stop("interrupted")

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield                                           # somebody else decides what Ctrl-C does
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
