"""Callbacks of `fit`: clipping, early stopping, checkpoints. More: `averaging`, `curve`."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.arguments import count, number
from minigrad.files import write_atomically
from minigrad.optim import clip_grad_norm
from minigrad.training.checkpoint import save_checkpoint
from minigrad.training.run import Callback, Run
from minigrad.typing import FilePath


class ClipGradient(Callback):
    """Clip the norm of the whole gradient to `limit` before each step (8.2.4). norm: |g| before it was last clipped."""
    limit: float
    norm: float | None

    def __init__(self, limit: float) -> None:
        self.limit, self.norm = limit, None

    def reset(self, run: Run) -> None:
        self.norm = None

    def gradient(self, run: Run) -> None:
        self.norm = clip_grad_norm(run.optimizer.params, self.limit)


class EarlyStopping(Callback):
    """Stop when the true loss on validation data has not improved for `patience` epochs (8.1.2); go back to the best.

    metric: a key of the epoch's figures, by default the 0-1 error; smaller is better, and NaN is never better. An epoch
    counts as better if it is smaller by more than `least`. At the end, unless it is an exception, the parameters and
    buffers of the best epoch are put back (restore=False: not); a checkpoint of the end still holds the last ones.
    """
    metric: str
    restore: bool
    best: float
    best_epoch: int
    best_state: dict[str, Any]

    def __init__(self, patience: int = 5, metric: str = "validation_error", least: float = 0.0,
                 restore: bool = True) -> None:
        self.patience: int = count("EarlyStopping", "patience", patience)
        self.least: float = number("EarlyStopping", "least", least, "[0, inf)")
        self.metric, self.restore = metric, restore
        self.best, self.best_epoch, self.best_state = np.inf, 0, {}
        self.form: dict[str, Any] | None = None  # of a best state, as far as it is known: name -> (shape, dtype)

    def reset(self, run: Run) -> None:
        self.best, self.best_epoch, self.best_state = np.inf, 0, {}
        self.form = {name: (array.shape, array.dtype) for name, array in run.model.state_dict().items()}

    def start(self, run: Run) -> None:
        if run.epoch:
            self.judge(run)                             # a run that was stopped stays stopped when it is resumed

    def epoch(self, run: Run) -> None:
        if self.metric not in run.figures:
            raise ValueError(f"EarlyStopping: {self.metric} is not measured (there are {', '.join(run.figures)}); "
                             "give fit a validation set")
        value = run.figures[self.metric]
        if value < self.best - self.least:
            with run.at_theta():
                self.best, self.best_epoch, self.best_state = value, run.epoch, run.model.state_dict()
        self.judge(run)

    def judge(self, run: Run) -> None:
        if run.epoch - self.best_epoch >= self.patience:
            run.stop(f"early stopping: no better {self.metric} than {self.best:g} of epoch {self.best_epoch}"
                     if self.best_epoch else f"early stopping: {self.metric} was never a finite number")

    def close(self, run: Run) -> None:
        if self.restore and self.best_state and run.error is None:
            with run.at_theta():
                run.model.load_state_dict(self.best_state)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: the best epoch so far and its parameters."""
        return {"best": float(self.best), "best_epoch": self.best_epoch,
                **{f"model.{name}": array for name, array in self.best_state.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was saved. Raises ValueError if it is no such state; then nothing has changed."""
        best, epoch = state.get("best"), state.get("best_epoch")
        arrays = {name.removeprefix("model."): array for name, array in state.items()
                  if name not in ("best", "best_epoch")}
        if not (isinstance(best, float) and best < np.inf if epoch else best == np.inf):
            raise ValueError(f"EarlyStopping.load_state_dict: best is {best!r:.80} of epoch {epoch!r:.80}")
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"EarlyStopping.load_state_dict: best_epoch is {epoch!r:.80}")
        found = {name: (np.shape(array), getattr(array, "dtype", None)) for name, array in arrays.items()}
        wanted = {} if epoch == 0 else found if self.form is None else self.form
        if found != wanted:
            raise ValueError("EarlyStopping.load_state_dict: the best epoch's parameters must be as the model's: "
                             + "; ".join(f"{name} is {found.get(name, 'missing')}, wanted {wanted.get(name, 'nothing')}"
                                         for name in {**wanted, **found} if found.get(name) != wanted.get(name)))
        self.best, self.best_epoch, self.best_state = best, epoch, arrays


class Checkpoint(Callback):
    """Save the run to `path` every so many epochs or steps, and when it ends; `fit(..., resume=path)` goes on from it.

    every_epochs, every_steps: how often (either). keep: how many earlier files to keep beside the newest, as
    path.1, path.2, ... best: a second path for the epoch with the smallest `metric` (never one where it is NaN).
    extras: as in save_checkpoint.
    After an exception nothing is saved: the newest file is from before it.
    """
    path: Path
    every_epochs: int
    every_steps: int | None
    keep: int
    best: Path | None
    metric: str
    extras: dict[str, Any]
    last = True

    def __init__(self, path: FilePath, every_epochs: int = 1, every_steps: int | None = None,
                 keep: int = 0, best: FilePath | None = None, metric: str = "validation_error",
                 **extras: Any) -> None:
        for name, n, least in (("every_epochs", every_epochs, 1), ("every_steps", every_steps, 1), ("keep", keep, 0)):
            if n is not None:
                count("Checkpoint", name, n, least)
        self.path, self.every_epochs, self.every_steps, self.keep = Path(path), every_epochs, every_steps, keep or 0
        self.best, self.metric, self.extras = Path(best) if best else None, metric, extras
        self.saved: tuple[int, int] | None = None       # (epoch, steps) of the newest file

    def reset(self, run: Run) -> None:
        self.saved = None

    def step(self, run: Run) -> None:
        if self.every_steps and run.steps % self.every_steps == 0:
            self.save(run)

    def epoch(self, run: Run) -> None:
        if self.best:
            if self.metric not in run.figures:
                raise ValueError(f"Checkpoint: {self.metric} is not measured (there are {', '.join(run.figures)}); "
                                 "give fit a validation set")
            earlier = [figures.get(self.metric, np.inf) for figures in run.history[:-1]]
            if run.figures[self.metric] < min((value for value in earlier if not np.isnan(value)), default=np.inf):
                save_checkpoint(self.best, run, **self.extras)
        if self.every_epochs and run.epoch % self.every_epochs == 0:
            self.save(run)

    def end(self, run: Run) -> None:
        if run.error is None:
            self.save(run)

    def save(self, run: Run) -> None:
        """Write the checkpoint now, unless the newest file holds this very state."""
        if self.saved == (run.epoch, run.steps):
            return
        for i in range(self.keep, 1, -1):
            if self.numbered(i - 1).exists():
                self.numbered(i - 1).replace(self.numbered(i))
        if self.keep and self.path.exists():
            _link_or_copy(self.path, self.numbered(1))
        save_checkpoint(self.path, run, **self.extras)
        self.saved = run.epoch, run.steps

    def numbered(self, i: int) -> Path:
        """The file kept from i saves ago."""
        return self.path.with_name(f"{self.path.name}.{i}")


def _link_or_copy(source, target):
    """A second name for a file whose first is about to be replaced; a copy where links are not to be had."""
    target.unlink(missing_ok=True)
    try:
        os.link(os.path.realpath(source), target)       # not of a symbolic link: that will lead to the new file
    except OSError:
        write_atomically(target, [source.read_bytes()])
