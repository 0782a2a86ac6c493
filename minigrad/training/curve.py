"""The learning curve: loss and 0-1 error over the epochs, as a picture (needs matplotlib)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minigrad.notebook import in_notebook, show
from minigrad.training.run import Callback, Run
from minigrad.typing import FilePath

TRAINING, WATCHED = "#0072B2", "#D55E00"    # also for the colour-blind (Okabe and Ito 2008)


class LearningCurve(Callback):
    """Draw the learning curve into a PNG after every epoch."""

    def __init__(self, path: FilePath) -> None:
        self.path: Path = Path(path)

    def epoch(self, run: Run) -> None:
        _save(_picture(run.history), self.path)


def draw_learning_curve(history: Any, path: FilePath | None = None, title: str = "",
                        watched: str = "validation") -> None:
    """A run's history as a picture: training loss and the loss on validation data, and the 0-1 error if there is one.

    history: that of a Run, or the Run. path: where the picture goes; in a notebook it shows itself and needs none.
    watched: what the legend calls the data that `fit` was given as validation, "test" where they are.
    A training loss is the mean over its epoch and stands in the middle of it; what was measured after the epoch stands
    at its end. The loss is drawn logarithmically unless it is somewhere 0 or less. The lowest error is marked.
    """
    if path is None and not in_notebook():
        raise ValueError("draw_learning_curve: say where to: a path (only a notebook shows the picture without one)")
    figure = _picture(getattr(history, "history", history), title, watched)
    if path is not None:
        _save(figure, path)
    if in_notebook():
        show(figure)


def _save(figure, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _picture(history, title="", watched="validation"):
    from matplotlib.figure import Figure  # without pyplot: whatever backend the user has stays as it is
    from matplotlib.ticker import FuncFormatter

    if not history:
        raise ValueError("draw_learning_curve: the history is empty: no epoch was finished")

    def drawn(name):
        """A figure by epoch; what was not measured or is not finite leaves a gap."""
        values = np.array([figures.get(name, np.nan) for figures in history], float)
        return np.where(np.isfinite(values), values, np.nan)

    epochs, loss = drawn("epoch"), drawn("loss")
    after, error = drawn("validation_loss"), 100 * drawn("validation_error")
    measured = any("validation_error" in figures for figures in history)
    figure = Figure(figsize=(5 * (1 + measured), 4), layout="constrained")
    axes = figure.subplots(1, 1 + measured, squeeze=False)[0]
    axes[0].plot(epochs - 0.5, loss, "o-", color=TRAINING, label="training, mean over the epoch")
    if any("validation_loss" in figures for figures in history):
        axes[0].plot(epochs, after, "s--", color=WATCHED, label=f"{watched}, after the epoch")
    logarithmic = not (np.concatenate([loss, after]) <= 0).any()
    axes[0].set(xlabel="epoch", ylabel="loss (logarithmic)" if logarithmic else "loss",
                yscale="log" if logarithmic else "linear", title=title or "loss")
    if logarithmic:
        plain = FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "1235" else "")
        axes[0].yaxis.set(major_formatter=plain, minor_formatter=plain)
    axes[0].legend()
    if measured:
        axes[1].plot(epochs, error, "s--", color=WATCHED)
        axes[1].set(xlabel="epoch", ylabel=f"{watched} error, %", title="0-1 error")
        axes[1].set_ylim(0, 1.1 * max(error[np.isfinite(error)], default=0) or 1)
        if np.isfinite(error).any():
            best = np.nanargmin(error)
            axes[1].annotate(f"lowest: {error[best]:.2f} %", (epochs[best], error[best]), (0, -22),
                             textcoords="offset points", ha="left" if best < len(error) / 2 else "right",
                             arrowprops={"arrowstyle": "->"})
    for one in axes:
        one.grid(alpha=0.3)
        one.xaxis.get_major_locator().set_params(integer=True)
    return figure
