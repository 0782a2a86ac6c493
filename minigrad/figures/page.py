"""What a page of figures and examples shares: its options, and how its pictures are drawn, saved and shown.

    def main(argv=None):
        page = Page(__doc__, argv)                    # --quick, --out DIR, --format png|svg|pdf
        found = measure(steps=50 if page.quick else 5000)
        page.draw("momentum", picture, found, size=(12, 5))

    def picture(figure, found):
        left, right = figure.subplots(1, 2)
        ...

In a notebook `main()` takes no arguments from the kernel's command line and shows its pictures where it is called.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Never

from minigrad.notebook import in_notebook, show

# Told apart also by the colour-blind (Okabe and Ito 2008), in an order that lets the first three be read in grey.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
STYLE: dict[str, Any] = {
    "font.size": 10, "axes.titlesize": 11, "axes.grid": False, "legend.frameon": True, "legend.framealpha": 0.9,
    "lines.linewidth": 1.6, "savefig.dpi": 120, "svg.hashsalt": "minigrad"}


class Parser(argparse.ArgumentParser):
    """Shows the defaults in the help; says what is wrong in one line and exits with 2."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)

    def error(self, message: str) -> Never:
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def folder(text: str) -> Path:
    """An argparse type: a folder to write to, there or not."""
    path = Path(text)
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise argparse.ArgumentTypeError(f"{part} is not a folder")
    return path


def positive(kind: type) -> Callable[[str], Any]:
    """An argparse type: a positive int or float."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"wanted a positive {'whole ' if kind is int else ''}number, got {text!r}")
        return value
    return parse


def natural(text: str) -> int:
    """An argparse type: a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wanted a whole number from 0, got {text!r}")
    return int(text)


class Page:
    """The options of one example or figure, and its pictures.

    title: the text at the head of the file, its first line becomes the help. argv: a list of options; None reads the
    command line, or nothing inside a notebook. options(parser) adds some of its own, found in `page.options`.
    quick: a small version is wanted. out: the folder of the pictures. written: the files saved so far. parser: to
    refuse, with `parser.error`, what only turns out later.
    """

    def __init__(self, title: str, argv: Sequence[str] | None = None, options: Any = None) -> None:
        lines = [line.strip("# ").removeprefix("%% [markdown]") for line in (title or "").splitlines()]
        parser = Parser(next((line for line in lines if line), None))
        parser.add_argument("--quick", action="store_true", help="a small version, in about two seconds")
        parser.add_argument("--out", type=folder, default=Path("out"), help="folder for the pictures")
        parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="of the pictures")
        if options is not None:
            options(parser)
        self.parser: Parser = parser
        self.options: Any = parser.parse_args([] if argv is None and in_notebook() else argv)
        self.quick: bool = self.options.quick
        self.out: Path = self.options.out
        self.written: list[Any] = []

    def draw(self, name: str, picture: Callable[..., Any], *found: Any, size: tuple[float, float] = (12, 5)) -> Any:
        """picture(figure, *found) on a new Figure of `size` inches, saved as out/name.format. Returns the Figure, or
        None where matplotlib is not installed: the numbers were printed, and that is said."""
        try:
            import matplotlib
            from matplotlib.figure import Figure
        except ImportError:
            print("no picture: matplotlib is not installed (pip install matplotlib)", file=sys.stderr)
            return None
        from cycler import cycler  # a part of matplotlib

        with matplotlib.rc_context(STYLE | {"axes.prop_cycle": cycler(color=COLORS)}):
            figure = Figure(figsize=size, layout="constrained")
            picture(figure, *found)
            path = self.out / f"{name}.{self.options.format}"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        self.written.append(path)
        if in_notebook():
            show(figure)
        else:
            print(f"wrote {path}")
        return figure
