"""What the runs say: the value chosen for each method, the table of a task, and its picture."""
from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.compare.methods import FACTORS, Method
from minigrad.compare.tasks import TASKS
from minigrad.figures.page import COLORS

STEPS, WORK, CLOCK, LOSS, ERROR = range(5)               # a point, see `learn`
TOGETHER = len(COLORS)                                   # so many methods share one panel, more are drawn by family


def final(result: dict[str, Any]) -> float:
    """The last training loss within the budget; a run that diverged is worse than any."""
    return math.inf if result["end"] == "diverged" else result["points"][-1][LOSS]


@dataclass
class Row:
    """A method on a task: the value found by tuning, whether it is an end of the grid, and the runs of the seeds."""
    name: str
    method: Method
    value: float
    end_of_grid: str                                     # "", "lowest", "highest", or "whole" for the batch of them all
    results: list[dict[str, Any]]

    @property
    def sound(self) -> list[dict[str, Any]]:
        return [result for result in self.results if result["end"] != "diverged"]

    @property
    def short(self) -> str:
        """Its name, of a class of one's own without the file."""
        return self.name.rpartition(":")[2]

    @property
    def label(self) -> str:
        """As in the legend: the method with its value; an end of the grid is starred."""
        return f"{self.short}, {self.method.tuned} {self.value:g}{'*' if self.starred else ''}"

    @property
    def starred(self) -> bool:
        return self.end_of_grid in ("lowest", "highest")

    def order(self) -> tuple[int, float]:
        """Best first: by the number of runs that diverged, then by the mean of the final losses."""
        ends = [final(result) for result in self.sound]
        return len(self.results) - len(ends), float(np.mean(ends)) if ends else math.inf

    def curve(self, column: int, marks: int, passes: float) -> np.ndarray:
        """(seeds, marks): what stood in this column at each mark, that is at the last point that cost no more."""
        rows = []
        for result in self.sound:
            points = np.array(result["points"])
            budgets = passes * (np.arange(1, marks + 1) / marks) ** 2 * (1 + 1e-9)
            rows.append(points[np.searchsorted(points[:, WORK], budgets, side="right") - 1, column])
        return np.array(rows).reshape(len(rows), marks)

    def seconds_to(self, error: float) -> list[float]:
        """For each seed that got there the seconds to the first point with no more than so much validation error."""
        times = [next((point[CLOCK] for point in result["points"] if point[ERROR] <= error), None)
                 for result in self.sound]
        return [time for time in times if time is not None]


def chosen(grid: list[Any], results: list[dict[str, Any]], method: Method) -> tuple[float, str]:
    """Of a grid in ascending order the value with the lowest final loss, and whether the best may lie beyond it."""
    i = int(np.argmin([final(result) for result in results]))
    if len(grid) == 1 or 0 < i < len(grid) - 1:
        return grid[i], ""
    return grid[i], "lowest" if i == 0 else "whole" if method.tuned == "batch" else "highest"


def spread_of(values: Any, form: Any) -> str:
    """mean (lowest to highest)"""
    if len(values) == 1:
        return format(values[0], form)
    return f"{np.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def goal(rows: list[Row], error: float) -> tuple[float, str]:
    """The validation error to which time is taken: `error` if any run got there. If none did, one that half of the
    methods reach on most seeds, and a sentence that says so."""
    if any(row.seconds_to(error) for row in rows):
        return error, ""
    lowest = [np.median([min(point[ERROR] for point in result["points"]) for result in row.sound])
              for row in rows if row.sound]
    if not lowest:
        return error, f"no run reached {error:g} % validation error: all diverged"
    easier = math.ceil(10 * float(np.median(lowest))) / 10
    return easier, (f"no run reached {error:g} % validation error in this budget; the times are those to {easier:g} %, "
                    "where half of the methods get")


def named(seeds: list[int]) -> str:
    """seed 1, or: seeds 1, 2, 3"""
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(str(seed) for seed in seeds)}"


def say(text: str) -> None:
    """Print a sentence in lines of at most 120 characters."""
    print(textwrap.fill(text, 120, initial_indent="  ", subsequent_indent="    "))


def cells(row: Row, error: float) -> list[str]:
    """The cells of a method's line; `error`: the one to which time is taken."""
    first = [row.short, f"{row.method.tuned} {row.value:g}{'*' if row.starred else ''}"]
    if not row.sound:
        return [*first, "diverged on every seed"]
    ends = [result["points"][-1] for result in row.sound]
    seeds, lost, times = len(row.results), len(row.results) - len(row.sound), row.seconds_to(error)
    return [*first, spread_of([end[LOSS] for end in ends], "#.3g"), spread_of([end[ERROR] for end in ends], ".2f"),
            spread_of([result["test_error"] for result in row.sound], ".2f"),
            f"{np.mean([end[STEPS] for end in ends]):.0f}", f"{np.mean([end[CLOCK] for end in ends]):.2f}",
            (spread_of(times, ".2f") if times else "not reached")
            + f" on {len(times)} of {seeds} seeds" * (0 < len(times) < seeds)
            + f"; {lost} of {seeds} seeds diverged" * bool(lost)]


def table(task: str, rows: list[Row], job: dict[str, Any], seeds: list[int], tuned: int, error: float,
          decay: str = "constant") -> None:
    """Print the task, its budget and its grid, then a row for each method, best first."""
    about, m, passes = TASKS[task], job["digits"], job["passes"]
    start = next(result["points"][0][LOSS] for row in rows for result in row.results if result["points"])
    print(f"\n{task}: {about.what}; {m} examples, {passes:g} passes of work; training loss {start:.3f} at the start")
    if decay == "root":
        say("rates fall as 1/sqrt(k); given are those at step 100")
    if tuned > 1:
        say(f"every method: {tuned} values of one number, each on seed 0, the one of lowest training loss at the end; "
            f"then {named(seeds)}")
        by_rate, by_batch = ([row for row in rows if row.method.tuned == number] for number in ("lr", "batch"))
        if by_rate:
            say(f"lr: {', '.join(f'{factor:g}' for factor in FACTORS)} times the usual one, in batches of "
                f"{about.batch}; usual: {', '.join(f'{row.short} {row.method.lr:g}' for row in by_rate)}")
        if by_batch:
            say(f"batch: {', '.join(str(size) for size in by_batch[0].method.grid(m))} examples: "
                f"{', '.join(row.short for row in by_batch)}")
    else:
        say(f"not tuned: one value for each method, {named(seeds)}; only a tuned comparison says which is better")
    error, excuse = goal(rows, error)
    lines = [["method", "tuned value" if tuned > 1 else "value", "training loss", "validation error, %",
              "test error, %", "steps", "seconds", f"seconds to {error:g} %"]]
    lines += [cells(row, error) for row in sorted(rows, key=Row.order)]
    widths = [max(len(line[i]) for line in lines if i < len(line)) + 2 for i in range(len(lines[0]))]
    for line in lines:
        print("  " + "".join(f"{cell:{width}}" for cell, width in zip(line, widths)).rstrip())
    if any(row.starred for row in rows):
        say("* an end of the grid: the best may lie beyond")
    if excuse:
        say(excuse)


# ------------------------------------------------------------------------------------------------------------- pictures

def families(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows by panel, best first: all in one if they are few."""
    best_first = sorted(rows, key=Row.order)
    if len(rows) <= TOGETHER:
        return {"": best_first}
    names = dict.fromkeys(row.method.family for row in rows)
    return {name: [row for row in best_first if row.method.family == name] for name in names}


def size_of(rows: list[Row]) -> tuple[float, float]:
    """Width and height of the picture, inches."""
    panels = len(families(rows))
    return (16, 5.4) if panels == 1 else (2 + 4 * panels, 11)


def picture(figure: Any, task: str, rows: list[Row], job: dict[str, Any], error: float) -> None:
    """Loss against steps and seconds, validation error against seconds; a column for each family of methods, or side by
    side if all are in one panel.

    Lines are means over the seeds, bands go from the lowest to the highest. The best method of all is drawn in every
    column. The axes are logarithmic and set by the runs that learned."""
    panels, marks, passes = families(rows), job["marks"], job["passes"]
    if len(panels) == 1:
        axes = figure.subplots(1, 3).reshape(3, 1)
    else:
        axes = figure.subplots(3, len(panels), sharey="row", sharex="row")
    error, _ = goal(rows, error)
    views = ((STEPS, LOSS, "steps", "training loss"), (CLOCK, LOSS, "seconds of one processor", "training loss"),
             (CLOCK, ERROR, "seconds of one processor", "validation error, %"))
    learned = [row for row in rows if row.sound]
    best = min(learned, key=Row.order, default=None)
    for i, (line, (along, up, xlabel, ylabel)) in enumerate(zip(axes, views)):
        for ax, (family, members) in zip(line, panels.items()):
            for row, color, dash in zip(members, COLORS, ("-", "-", "-", "-", "--", "--", "--")):
                draw(ax, row, along, up, marks, passes, {"color": color, "linestyle": dash, "label": row.label})
            if best is not None and best not in members:
                draw(ax, best, along, up, marks, passes, {"color": "0.55", "linewidth": 2.4, "zorder": 1,
                                                          "label": f"best: {best.short}"})
            ax.set(xscale="log", yscale="log", xlabel=xlabel)
            ax.grid(which="major", color="0.92")
            if i == 0:
                ax.set_title(family)
                ax.legend(loc="best", fontsize=8, title="best first", title_fontsize=8)
            if up == ERROR:
                ax.axhline(error, color="0.4", linestyle=":", linewidth=1)
        line[0].set_ylabel(ylabel)
        limits(line, learned, up, marks, passes, room=0.4 if i == 0 else 0)
        if up == LOSS and learned:
            start = learned[0].sound[0]["points"][0][LOSS]
            for ax in line:
                ax.axhline(start, color="0.4", linestyle=":", linewidth=1)
            line[0].annotate("before the first step", (0.98, start), xycoords=("axes fraction", "data"), va="top",
                             ha="right", fontsize=8, color="0.3",
                             bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1})
    axes[2, 0].annotate(f"{error:g} %", (0.02, error), xycoords=("axes fraction", "data"), va="bottom", fontsize=8,
                        color="0.3")
    stars = "; * an end of the grid" if any(row.starred for row in rows) else ""
    figure.suptitle(f"{task}: {job['digits']} examples, {passes:g} passes of work, mean and range over "
                    f"{len(rows[0].results)} seed{'s' * (len(rows[0].results) > 1)}{stars}")


def draw(ax: Any, row: Row, along: int, up: int, marks: int, passes: float, style: dict[str, Any]) -> None:
    """One method: the mean over its seeds, and the band from lowest to highest."""
    x, y = row.curve(along, marks, passes), row.curve(up, marks, passes)
    if not row.sound:
        ax.plot([], [], **style | {"label": f"{row.label}: diverged"})
        return
    x = x.mean(0)
    made = x > 0                                        # before the first whole step there is nothing on a log axis
    ax.plot(x[made], y.mean(0)[made], marker="o" if made.sum() < 4 else None, markersize=4, **style)
    ax.fill_between(x[made], y.min(0)[made], y.max(0)[made], color=style["color"], alpha=0.2, linewidth=0)


def limits(line: Any, learned: list[Row], up: int, marks: int, passes: float, room: float) -> None:
    """Axes that show whoever learns: from the lowest value to a little above the start, with plain numbers. room: for
    the legend, below, as a part of what is shown."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if not learned:
        return
    curves = [row.curve(up, marks, passes) for row in learned]
    low = min(curve[curve > 0].min(initial=np.inf) for curve in curves)
    start = max(result["points"][0][up] for row in learned for result in row.sound)
    if 0 < low < start:
        line[0].set_ylim(low / 1.3 * (low / start) ** room, 1.5 * start)
    few = start / low < 100                             # decades alone would be too few numbers on the axis
    line[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    line[0].yaxis.set_minor_locator(NullLocator())
    line[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for ax in line:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
