"""What a run shows while it goes: a bar over the epoch (tqdm's, also in notebooks, where installed) and a line each."""
import sys
from contextlib import contextmanager


class _NoBar:
    def update(self, batches, loss):
        pass


class _Bar:
    def __init__(self, bar):
        self.bar = bar

    def update(self, batches, loss):
        self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
        self.bar.update(batches)


@contextmanager
def progress_bar(run, epochs, length, wanted):
    """A bar for the epoch that begins or goes on; `update(batches, loss)` after each step. length: batches, or None.

    Only on a terminal or in a notebook; a file that takes the output gets no bar.
    """
    if not (wanted and _visible()):
        yield _NoBar()
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _NoBar()
        return
    label = f"epoch {run.epoch + 1}" + (f"/{epochs}" if epochs else "")
    with tqdm(total=length, initial=run.seen, desc=label, unit="batch", leave=False, mininterval=0.2) as bar:
        yield _Bar(bar)


def _visible():
    """A terminal, or a notebook's kernel."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def line(figures):
    """One epoch in a line of text."""
    text = f"epoch {figures['epoch']:3d}  train loss {figures['loss']:.4f}"
    if "validation_loss" in figures:
        text += f"  validation loss {figures['validation_loss']:.4f}"
    if "validation_error" in figures:
        text += f"  validation error {100 * figures['validation_error']:5.2f} %"
    return text + f"  {figures['examples_per_second']:8,.0f} examples/s"
