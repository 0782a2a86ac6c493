"""Callbacks of `fit`: early stopping, checkpoints, the learning curve."""
from pathlib import Path

import numpy as np

from minigrad.training.checkpoint import save_checkpoint
from minigrad.training.loop import Callback


class EarlyStopping(Callback):
    """Stop when the true loss on validation data has not improved for `patience` epochs (8.1.2); go back to the best.

    metric: a key of the epoch's figures, by default the 0-1 error; smaller is better. An epoch counts as better if it
    is smaller by more than `least`. At the end of a run that it stopped, or that finished, the parameters and buffers
    of the best epoch are put back (restore=False: not).
    """

    def __init__(self, patience=5, metric="validation_error", least=0.0, restore=True):
        if not isinstance(patience, int) or patience < 1:
            raise ValueError(f"EarlyStopping: patience must be a whole number of epochs from 1, got {patience!r}")
        self.patience, self.metric, self.least, self.restore = patience, metric, least, restore
        self.best, self.best_epoch, self.best_state = np.inf, 0, {}

    def epoch(self, run):
        if self.metric not in run.figures:
            raise ValueError(f"EarlyStopping: {self.metric} is not measured (there are {', '.join(run.figures)}); "
                             "give fit a validation set")
        value = run.figures[self.metric]
        if value < self.best - self.least:
            with run.optimizer.at_theta():
                self.best, self.best_epoch, self.best_state = value, run.epoch, run.model.state_dict()
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(f"early stopping: no better {self.metric} than {self.best:g} of epoch {self.best_epoch}")

    def end(self, run):
        if self.restore and self.best_state and run.reason.startswith(("early stopping", "finished")):
            with run.optimizer.at_theta():
                run.model.load_state_dict(self.best_state)

    def state_dict(self):
        """For a checkpoint: the best epoch so far and its parameters."""
        return {"best": float(self.best), "best_epoch": self.best_epoch, **self.best_state}

    def load_state_dict(self, state):
        """Go on where `state` was saved."""
        state = dict(state)
        self.best, self.best_epoch, self.best_state = state.pop("best"), state.pop("best_epoch"), state


class Checkpoint(Callback):
    """Save the run to `path` every so many epochs or steps, and when it ends; `fit(..., resume=path)` goes on from it.

    every_epochs, every_steps: how often (either). keep: how many earlier files to keep beside the newest, as
    path.1, path.2, ... best: a second path for the epoch with the smallest `metric`. extras: as in save_checkpoint.
    """

    def __init__(self, path, every_epochs=1, every_steps=None, keep=0, best=None, metric="validation_error", **extras):
        for name, n, least in (("every_epochs", every_epochs, 1), ("every_steps", every_steps, 1), ("keep", keep, 0)):
            if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < least):
                raise ValueError(f"Checkpoint: {name} must be a whole number from {least}, got {n!r}")
        self.path, self.every_epochs, self.every_steps, self.keep = Path(path), every_epochs, every_steps, keep
        self.best, self.metric, self.extras = Path(best) if best else None, metric, extras
        self.smallest = np.inf
        self.saved = None                      # (epoch, steps) of the newest file

    def step(self, run):
        if self.every_steps and run.steps % self.every_steps == 0:
            self.save(run)

    def epoch(self, run):
        if self.best and run.figures.get(self.metric, np.inf) < self.smallest:
            self.smallest = run.figures[self.metric]
            save_checkpoint(self.best, run, **self.extras)
        if self.every_epochs and run.epoch % self.every_epochs == 0:
            self.save(run)

    def end(self, run):
        if run.reason in ("finished", "interrupted") or run.reason.startswith("early stopping"):
            self.save(run)

    def save(self, run):
        """Write the checkpoint now, unless the newest file holds this very state."""
        if self.saved == (run.epoch, run.steps):
            return
        for i in range(self.keep, 0, -1):
            older = self.path if i == 1 else self.numbered(i - 1)
            if older.exists():
                older.replace(self.numbered(i)) if i > 1 else _copy(older, self.numbered(1))
        save_checkpoint(self.path, run, **self.extras)
        self.saved = run.epoch, run.steps

    def numbered(self, i):
        """The file kept from i saves ago."""
        return self.path.with_name(f"{self.path.name}.{i}")

    def state_dict(self):
        """For a checkpoint: the smallest value of the metric so far."""
        return {"smallest": float(self.smallest)}

    def load_state_dict(self, state):
        """Go on where `state` was saved."""
        self.smallest = state["smallest"]


def _copy(source, target):
    """Keep the newest file in place while the next one is written: link it, or copy where links are not to be had."""
    import os
    import shutil
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class LearningCurve(Callback):
    """Draw loss and error against epochs into a PNG after every epoch (needs matplotlib)."""

    def __init__(self, path):
        self.path = Path(path)

    def epoch(self, run):
        draw_learning_curve(run.history, self.path)


def draw_learning_curve(history, path):
    """A run's history as a picture: training and validation loss, and the 0-1 error if there is one."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    epochs = [figures["epoch"] for figures in history]
    error = "validation_error" in history[0]
    figure, axes = plt.subplots(1, 1 + error, figsize=(5 * (1 + error), 4), layout="constrained", squeeze=False)
    left = axes[0, 0]
    left.plot(epochs, [figures["loss"] for figures in history], "o-", label="training, mean over the epoch")
    if "validation_loss" in history[0]:
        left.plot(epochs, [figures["validation_loss"] for figures in history], "s-", label="test, after the epoch")
    left.set(xlabel="epoch", ylabel="loss", yscale="log", title="loss")
    left.legend()
    if error:
        right = axes[0, 1]
        right.plot(epochs, [100 * figures["validation_error"] for figures in history], "s-", color="C1")
        right.set(xlabel="epoch", ylabel="test error, %", ylim=(0, None), title="0-1 error")
    for one in axes[0]:
        one.grid(alpha=0.3)
        one.xaxis.get_major_locator().set_params(integer=True)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
