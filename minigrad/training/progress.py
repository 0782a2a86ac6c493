"""A progress bar over one epoch: tqdm's (also in notebooks) where it is installed, else none."""
import sys
from contextlib import contextmanager


class _NoBar:
    def update(self, value):
        pass


class _Bar:
    def __init__(self, bar):
        self.bar = bar

    def update(self, value):
        self.bar.set_postfix_str(f"loss {value:.4f}", refresh=False)
        self.bar.update()


@contextmanager
def progress_bar(run, epochs, wanted):
    """A bar for the epoch that begins; `update(loss)` after each step. Only on a terminal or in a notebook."""
    if not wanted:
        yield _NoBar()
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _NoBar()
        return
    label = f"epoch {run.epoch + 1}" + (f"/{epochs}" if epochs else "")
    total = len(run.batches) if hasattr(run.batches, "__len__") else None
    with tqdm(total=total, desc=label, leave=False, disable=not _visible(), mininterval=0.2) as bar:
        yield _Bar(bar)


def _visible():
    """A terminal, or a notebook's kernel."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
