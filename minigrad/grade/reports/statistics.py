"""A class on one page: the points, each test's share of right answers, what the own tests found, what went wrong."""
from __future__ import annotations

from statistics import mean, median, quantiles
from typing import Any

from minigrad.grade.record import STATUSES, Record, legible
from minigrad.grade.reports.page import cell


def correlation(x: Any, y: Any) -> float | None:
    """Pearson's, or None where one of the two does not vary."""
    mx, my = mean(x), mean(y)
    xx, yy = sum((one - mx) ** 2 for one in x), sum((one - my) ** 2 for one in y)
    return None if xx == 0 or yy == 0 else sum((a - mx) * (b - my) for a, b in zip(x, y)) / (xx * yy) ** 0.5


def statistics(records: list[Record]) -> str:
    """Markdown. A test's discrimination is the correlation of its points with those of all other tests together."""
    whole = [one for one in records if one.tests]
    lines = [f"# {records[0].title}: {len(records)} submissions", ""]
    if whole:
        points = sorted(one.points for one in whole)
        quarters = quantiles(points, n=4) if len(points) > 1 else [points[0]] * 3
        lines += [f"Points of {whole[0].most:g}: mean {mean(points):.1f}, median {median(points):g}, quartiles "
                  f"{quarters[0]:g} and {quarters[2]:g}, from {points[0]:g} to {points[-1]:g}.", "",
                  *histogram(points, whole[0].most), "",
                  "| test | passed | " + " | ".join(STATUSES[1:]) + " | discrimination | message most often |",
                  "|---|---|" + "---|" * (len(STATUSES) + 1)]
        for at, first in enumerate(whole[0].tests):
            found = [one.tests[at] for one in whole]
            counts = {status: sum(one.status == status for one in found) for status in STATUSES}
            rest = correlation([one.points for one in found], [one.points - mine.points for one, mine in
                                                               zip(whole, found)])
            messages = [one.message for one in found if one.status != "passed"]
            most = max(set(messages), key=lambda said: (messages.count(said), said), default="")
            row = [f"{first.number} {cell(first.name)} ({first.visibility})", f"{counts['passed'] / len(found):.0%}",
                   *(str(counts[status] or "") for status in STATUSES[1:]), "" if rest is None else f"{rest:.2f}",
                   cell(most[:120])]
            lines.append(f"| {' | '.join(row)} |")
        lines += suites([one.suite for one in whole if one.suite])
    lines += ["", "## Each submission", "", "| student | points | public | hidden | own tests | seconds | notes |",
              "|---|---|---|---|---|---|---|"]
    for one in records:
        public, hidden = ("/".join(map(str, one.passed(kind))) for kind in ("public", "hidden"))
        own = f"{one.suite.killed}/{len(one.suite.mutants)}" if one.suite else ""
        lines.append(f"| {cell(one.student)} | {one.points:g} | {public} | {hidden} | {own} | {one.seconds:.1f} | "
                     f"{cell('; '.join(one.notes))} |")
    return legible("\n".join(lines) + "\n")


def histogram(points: Any, most: Any) -> list[str]:
    """Ten bars of text, from 0 to the most."""
    bars = [0] * 10
    for one in points:
        bars[min(9, int(10 * one / most)) if most else 0] += 1
    return ["```", *(f"{most * at / 10:6.1f} {'#' * count}" for at, count in enumerate(bars)), "```"]


def suites(found: Any) -> list[str]:
    """The mutants, each with the share of the suites that found it: the hardest first."""
    graded = [one for one in found if not one.message]
    if not graded:
        return []
    lines = ["", f"## Own tests ({len(graded)} of {len(found)} pass the solution)", "",
             "| wrong solution | found by | what is wrong in it |", "|---|---|---|"]
    rates = [(sum(bool(one.mutants[at][2]) for one in graded) / len(graded), name, message)
             for at, (name, message, _) in enumerate(graded[0].mutants)]
    return lines + [f"| {name} | {rate:.0%} | {cell(message)} |" for rate, name, message in sorted(rates)]
