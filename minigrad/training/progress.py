"""What a run shows while it goes: a terminal a bar over the epoch (tqdm's, where installed) and a line per epoch,
a notebook one bar over the whole run and one table of its epochs, in one place.
"""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad import notebook
from minigrad.training.run import Run

EVERY = 0.2                              # seconds between two pictures of a bar


def progress(run: Run, epochs: int | None, steps: int | None, wanted: bool) -> Silent:
    """What shows a run: Silent, Terminal or Notebook. epochs, steps: how far it will go, or None. wanted: at all?"""
    if not wanted:
        return Silent()
    return Notebook(run, epochs, steps) if notebook.in_notebook() else Terminal(run, epochs)


class Silent:
    """Shows nothing."""

    @contextmanager
    def epoch(self, length: int | None) -> Iterator[Silent]:
        """While an epoch begins or goes on. length: batches, or None where nobody knows. Gives what has `update`."""
        yield self

    def update(self, batches: int, loss: float) -> None:
        """After each step, so many batches further."""

    def line(self, figures: dict[str, Any]) -> None:
        """After an epoch: its entry in the history."""

    def end(self) -> None:
        """After the run, however it ended."""


class Terminal(Silent):
    """A bar over the epoch, only where a person looks (a file that takes the output gets none), and a line for each."""
    run: Run
    epochs: int | None
    bar: Any

    def __init__(self, run: Run, epochs: int | None) -> None:
        self.run, self.epochs, self.bar = run, epochs, None

    @contextmanager
    def epoch(self, length: int | None) -> Iterator[Silent]:
        try:
            from tqdm import tqdm
        except ImportError:
            tqdm = None
        if tqdm is None or not _visible():
            yield self
            return
        label = f"epoch {self.run.epoch + 1}" + (f"/{self.epochs}" if self.epochs else "")
        with tqdm(total=length, initial=self.run.seen, desc=label, unit="batch", leave=False,
                  mininterval=EVERY) as self.bar:
            yield self
        self.bar = None

    def update(self, batches: int, loss: float) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            self.bar.update(batches)

    def line(self, figures: dict[str, Any]) -> None:
        print(line(figures), flush=True)


class Notebook(Silent):
    """One bar over the whole run, and below it the table of its epochs. Nothing but the table is left at the end."""
    run: Run
    epochs: int | None
    steps: int | None
    length: int | None
    drawn: float
    loss: float | None

    def __init__(self, run: Run, epochs: int | None, steps: int | None) -> None:
        self.run, self.epochs, self.steps, self.length = run, epochs, steps, None
        self.drawn, self.loss = time.perf_counter(), None
        self.live: Any = notebook.Live(self.text())

    @contextmanager
    def epoch(self, length: int | None) -> Iterator[Silent]:
        self.length = length
        yield self

    def update(self, batches: int, loss: float) -> None:
        self.loss = loss
        if time.perf_counter() - self.drawn >= EVERY:
            self.draw()

    def line(self, figures: dict[str, Any]) -> None:
        self.draw()

    def end(self) -> None:
        self.live.update(self.run._repr_html_())

    def draw(self) -> None:
        self.live.update(self.text())
        self.drawn = time.perf_counter()

    def text(self) -> str:
        run = self.run
        part = run.seen / self.length if self.length else 0.0
        done = max(run.steps / self.steps if self.steps else 0.0,
                   (run.epoch + part) / self.epochs if self.epochs else 0.0)
        where = f"epoch {run.epoch + 1}" + (f" of {self.epochs}" if self.epochs else "") + f", step {run.steps}"
        loss = "" if self.loss is None else f", loss {self.loss:.4f}"
        return f'<progress max="1" value="{min(done, 1):.4f}"></progress> {where}{loss}\n' + history_table(run.history)


def _visible():
    """Is there a terminal?"""
    return sys.stderr.isatty()


COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {         # of a history: heading, and how a figure is written
    "epoch": ("epoch", str),
    "loss": ("train loss", "{:.4f}".format),
    "validation_loss": ("validation loss", "{:.4f}".format),
    "validation_error": ("validation error, %", lambda share: f"{100 * share:.2f}"),
    "examples_per_second": ("examples/s", "{:,.0f}".format),
}


def history_table(history: Sequence[dict[str, Any]]) -> str:
    """A run's history as an HTML table, a row for each epoch; of metrics of one's own too."""
    names = list(dict.fromkeys(name for figures in history for name in figures
                               if name not in ("steps", "seconds")))
    known = [name for name in COLUMNS if name in names]
    known[-1:-1] = [name for name in names if name not in COLUMNS]          # speed stays last
    written = [COLUMNS.get(name, (name.replace("_", " "), "{:.4g}".format)) for name in known]
    rows = [[notebook.Number(write(figures[name]) if name in figures else "")
             for name, (_, write) in zip(known, written)] for figures in history]
    return notebook.table([heading for heading, _ in written], rows) if rows else ""


def line(figures: dict[str, Any]) -> str:
    """One epoch in a line of text."""
    text = f"epoch {figures['epoch']:3d}  train loss {figures['loss']:.4f}"
    if "validation_loss" in figures:
        text += f"  validation loss {figures['validation_loss']:.4f}"
    if "validation_error" in figures:
        text += f"  validation error {100 * figures['validation_error']:5.2f} %"
    return text + f"  {figures['examples_per_second']:8,.0f} examples/s"
