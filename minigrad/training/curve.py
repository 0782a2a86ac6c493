"""The learning curve: loss and 0-1 error over the epochs, as a picture (needs matplotlib)."""
from pathlib import Path

from minigrad.training.run import Callback


class LearningCurve(Callback):
    """Draw the learning curve into a PNG after every epoch."""

    def __init__(self, path):
        self.path = Path(path)

    def epoch(self, run):
        draw_learning_curve(run.history, self.path)


def draw_learning_curve(history, path):
    """A run's history as a picture: training and validation loss, and the 0-1 error if there is one."""
    from matplotlib.figure import Figure  # without pyplot: whatever backend the user has stays as it is

    if not history:
        raise ValueError("draw_learning_curve: the history is empty: no epoch was finished")
    epochs = [figures["epoch"] for figures in history]
    error = "validation_error" in history[0]
    figure = Figure(figsize=(5 * (1 + error), 4), layout="constrained")
    axes = figure.subplots(1, 1 + error, squeeze=False)[0]
    axes[0].plot(epochs, [figures["loss"] for figures in history], "o-", label="training, mean over the epoch")
    if "validation_loss" in history[0]:
        axes[0].plot(epochs, [figures["validation_loss"] for figures in history], "s-", label="test, after the epoch")
    positive = all(value > 0 for figures in history for name, value in figures.items() if name.endswith("loss"))
    axes[0].set(xlabel="epoch", ylabel="loss", yscale="log" if positive else "linear", title="loss")
    axes[0].legend()
    if error:
        errors = [100 * figures["validation_error"] for figures in history]
        axes[1].plot(epochs, errors, "s-", color="C1")
        axes[1].set(xlabel="epoch", ylabel="test error, %", ylim=(0, 1.1 * max(errors) or 1), title="0-1 error")
    for one in axes:
        one.grid(alpha=0.3)
        one.xaxis.get_major_locator().set_params(integer=True)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
