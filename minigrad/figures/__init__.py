"""The figures of the chapter: `python -m minigrad figures 8.5` draws one, without a number all of them.

One file per figure; the text at its head says what it shows, what to look at and what to try.
"""
from __future__ import annotations

from typing import Any
from collections.abc import Sequence
import importlib

FIGURES = {
    "8.1": "fig_8_01_gradient_norm",
    "8.2": "fig_8_02_cost_along_training",
    "8.3": "fig_8_03_cliff",
    "8.4": "fig_8_04_wrong_side",
    "8.5": "fig_8_05_momentum",
    "8.6": "fig_8_06_steepest_descent",
    "8.7": "fig_8_07_greedy_pretraining",
}


def main(argv: Sequence[str] | None = None) -> Any:
    """The command `python -m minigrad figures`."""
    import argparse
    import time
    from pathlib import Path

    parser = argparse.ArgumentParser(prog="python -m minigrad figures", description="Draw the figures of the chapter.")
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help=f"which ones: {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small versions, in about two seconds each")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the pictures (default: out)")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png", help="of the pictures")
    options = parser.parse_args(argv)
    unknown = [number for number in options.numbers if number not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    for number in options.numbers or FIGURES:
        start = time.perf_counter()
        print(f"-- figure {number}")
        page = ["--out", str(options.out), "--format", options.format] + ["--quick"] * options.quick
        importlib.import_module(f"minigrad.figures.{FIGURES[number]}").main(page)
        print(f"   {time.perf_counter() - start:.1f} s\n")
