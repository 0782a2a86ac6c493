"""A training run under way: where it is, what it has seen, and the base of what may act on it."""
from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np

from minigrad.nn import Module
from minigrad.training.evaluation import denominator
from minigrad.typing import ArrayLike, Loss


class Callback:
    """What may happen besides learning. Every method is handed the Run; the base does nothing.

    Its life: `reset` when a run begins or is resumed, so that one object may serve several runs one after the other;
    then, if resumed, `load_state_dict`; `start`; the events of the loop; `end`, `close`. What it found stays with it
    until the next reset. One with state has `state_dict` and `load_state_dict` (arrays, and what JSON can hold):
    checkpoints save it.
    last: True for those that act after all others at each event (a checkpoint must hold what the others did).
    """
    last = False

    def reset(self, run: Run) -> None:
        """Forget what an earlier run has left. Nothing of this run has happened yet, nor been restored."""

    def start(self, run: Run) -> None:
        """Before the first step (and after a resume)."""

    def gradient(self, run: Run) -> None:
        """After backward, before the step: the place to clip. `run.group` holds the batches of the step.

        Methods that get an objective have no such moment."""

    def step(self, run: Run) -> None:
        """After every step of the optimizer."""

    def epoch(self, run: Run) -> None:
        """After every epoch; `run.figures` is its entry in the history."""

    def end(self, run: Run) -> None:
        """When the loop is left, for whatever reason (`run.reason`), also by an exception."""

    def close(self, run: Run) -> None:
        """After `end` of all callbacks: what the caller of `fit` is to find, such as the best parameters."""


class Run:
    """A training run: the model, its parts, where it is, and its history.

    epoch, steps, examples: finished so far. history: one dict per epoch. losses: the loss of every step (array of
    float64). stop(reason): a callback ends the loop after the step or epoch at hand; reason is "finished",
    "interrupted" or a callback's words. error: the exception that ended the run, else None.
    Of the epoch so far: seen: batches; total / count: the loss, count being the examples, or what the loss says instead
    (`training.denominator`); clock: seconds.
    """
    model: Module
    loss: Loss
    optimizer: Any
    batches: Iterable[Any]
    validation: tuple[ArrayLike, ArrayLike] | None
    metrics: dict[str, Callable[..., Any]]
    seen: int
    total: float
    count: int
    clock: float
    history: list[dict[str, Any]]
    losses: Any
    figures: dict[str, Any] | None
    group: Any
    buffers: list[Any]
    reason: str
    error: BaseException | None

    def __init__(self, model: Module, loss: Loss, optimizer: Any, batches: Iterable[Any],
                 validation: tuple[ArrayLike, ArrayLike] | None = None, callbacks: Sequence[Any] = (),
                 metrics: dict[str, Callable[..., Any]] | None = None) -> None:
        self.model, self.loss, self.optimizer, self.batches = model, loss, optimizer, batches
        self.denominator: Any = denominator(loss)
        self.needs_objective: Any = getattr(optimizer, "needs_objective", True)
        self.validation, self.metrics = validation, dict(metrics or {})
        self.callbacks: list[Any] = sorted(callbacks, key=lambda callback: getattr(callback, "last", False))
        self.epoch = self.steps = self.examples = 0
        self.seen, self.total, self.count, self.clock = 0, 0.0, 0, 0.0
        self.timed_from: tuple[int, float] = 0, 0.0  # examples and clock when this process took up the epoch
        self.history, self.losses = [], array("d")
        self.figures, self.group, self.buffers = None, None, []
        self.reason, self.error = "", None

    def _repr_html_(self):
        """In a notebook: what came of it, and the table of its epochs."""
        from html import escape

        from minigrad.training.progress import history_table
        loss = f"; last loss {self.losses[-1]:.4f}" if self.losses else ""
        how = self.reason or "not finished"
        what = f"{how}: {self.epoch} epochs, {self.steps} steps, {self.examples:,} examples{loss}"
        return f"<p>{escape(what)}</p>\n{history_table(self.history)}"

    def stop(self, reason: str) -> None:
        """Leave the loop after the step or epoch at hand."""
        self.reason = self.reason or reason

    def reset_callbacks(self) -> None:
        """A new run for all callbacks. (An object that only has the methods of the loop needs no reset.)"""
        for callback in self.callbacks:
            if hasattr(callback, "reset"):
                callback.reset(self)

    def tell(self, event: str) -> None:
        """Call one method of all callbacks."""
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def wind_up(self) -> None:
        """Call `end` of all callbacks, then `close` of all, also after an error, in the run or in one of them."""
        for event in ("end", "close"):
            for callback in self.callbacks:
                with self.noting(f"{type(callback).__name__}.{event}"):
                    getattr(callback, event)(self)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """An error inside becomes the run's `error`, or a note to the one that came first."""
        try:
            yield
        except BaseException as error:
            if self.error is None:
                self.error = error
            elif error is not self.error:
                self.error.add_note(f"then, in {what}: {error!r}")

    def at_theta(self) -> Any:
        """`with run.at_theta():` the parameters are at theta, also for methods that look ahead (Nesterov)."""
        return self.optimizer.at_theta()

    def state_dict(self) -> dict[str, Any]:
        """Where the run is: for a checkpoint."""
        counters = {name: getattr(self, name) for name in COUNTERS}
        return counters | {"history": [dict(figures) for figures in self.history],
                           "losses": np.array(self.losses, np.float64)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises ValueError; then nothing has changed."""
        if state.keys() != {*COUNTERS, "history", "losses"}:
            raise ValueError(f"Run.load_state_dict: wanted {', '.join(COUNTERS)}, history and losses, "
                             f"got {', '.join(state)}")
        for name, kinds in COUNTERS.items():
            if type(state[name]) not in kinds or not (isfinite(state[name]) and (name == "total" or state[name] >= 0)):
                raise ValueError(f"Run.load_state_dict: {name} is {state[name]!r:.80}")
        history, losses = state["history"], state["losses"]
        if not (isinstance(history, list) and len(history) == state["epoch"]):
            raise ValueError(f"Run.load_state_dict: history must have one dict for each of {state['epoch']} epochs, "
                             f"got {history!r:.80}")
        for epoch, figures in enumerate(history, 1):
            if not _is_entry(figures, epoch, state["steps"]):
                raise ValueError(f"Run.load_state_dict: history of epoch {epoch} is {figures!r:.200}")
        if np.shape(losses) != (state["steps"],) or losses.dtype != np.float64:
            raise ValueError(f"Run.load_state_dict: losses must be ({state['steps']},) float64, got {losses!r:.80}")
        for name in COUNTERS:
            setattr(self, name, state[name])
        self.history, self.losses = history, array("d", losses.tobytes())
        self.timed_from = self.examples, self.clock


COUNTERS: tuple[str, ...] = {"epoch": (int,), "steps": (int,), "examples": (int,), "seen": (int,), "total": (float,),
            "count": (int, float), "clock": (float,)}
MEASURED = ("loss", "seconds", "examples_per_second", "validation_loss", "validation_error")


def _is_entry(figures, epoch, steps):
    """Are these the figures of this epoch? Numbers where the loop puts numbers; a callback may have added anything."""
    if not (isinstance(figures, dict) and {"epoch", "steps", "loss"} <= figures.keys()):
        return False
    numbers = [figures[name] for name in MEASURED if name in figures]
    return (type(figures["epoch"]) is int and figures["epoch"] == epoch
            and type(figures["steps"]) is int and 0 <= figures["steps"] <= steps
            and all(type(value) in (int, float) for value in numbers))
