"""A record as a page to read: text for a terminal, Markdown for everything else."""
from __future__ import annotations

from typing import Any

from minigrad.grade.record import Record, legible


def summary(record: Record) -> str:
    """One sentence. Public and hidden tests are told apart: "all passed" is said of neither alone."""
    parts = []
    for visibility in ("public", "hidden"):
        passed, count = record.passed(visibility)
        if count:
            parts.append(f"{visibility} tests: {passed} of {count} passed")
    if record.suite:
        parts.append(f"own tests: {record.suite.killed} of {len(record.suite.mutants)} wrong solutions found")
    return "; ".join(parts)


def shown(points: float) -> str:
    """Points with two decimals at most: 26.84, 27."""
    return f"{round(points, 2):g}"


def text(record: Record) -> str:
    """For a terminal."""
    lines = [f"{record.title} ({record.assignment})" + (f": {record.student}" if record.student else ""),
             f"{shown(record.points)} of {record.most:g} points. {summary(record)}", ""]
    for one in record.tests:
        lines.append(f"{one.number:<5}{one.status:<9}{shown(one.points)}/{one.most:g}  {one.name} ({one.visibility})")
        lines += [f"     {one.message}"] if one.message else []
        lines += [f"     printed: {one.output.strip()}"] if one.output.strip() and one.message else []
    if record.suite:
        lines += ["", f"Your tests: {shown(record.suite.points)} of {record.suite.most:g} points"]
        lines += [f"     {record.suite.message}"] if record.suite.message else [
            f"     {name:<24}{'found by ' + ', '.join(tests) if tests else 'MISSED: ' + message}"
            for name, message, tests in record.suite.mutants]
    lines += ["", *record.notes, f"Isolation: {record.level}"] + [f"     {one}" for one in record.guarantees]
    return legible("\n".join(lines) + "\n")


def cell(said: Any) -> str:
    """Text that stays in its cell of a table, and is no markup."""
    said = str(said).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
    return " ".join(said.split())


def markdown(record: Record) -> str:
    """For a page."""
    lines = [f"# {record.title}" + (f": {cell(record.student)}" if record.student else ""), "",
             f"**{shown(record.points)} of {record.most:g} points.** {summary(record)}.", "",
             "| test | | points | what it says |", "|---|---|---|---|"]
    lines += [f"| {one.number} {cell(one.name)} ({one.visibility}) | {one.status} | {shown(one.points)}/{one.most:g} | "
              f"{cell(one.message)} |" for one in record.tests]
    if record.suite:
        lines += ["", f"## Your own tests: {shown(record.suite.points)} of {record.suite.most:g} points", ""]
        lines += [cell(record.suite.message)] if record.suite.message else [
            "| wrong solution | what is wrong in it | found by |", "|---|---|---|",
            *(f"| {name} | {cell(message)} | {cell(', '.join(tests) or 'none')} |"
              for name, message, tests in record.suite.mutants)]
    lines += ["", "## What held", "", f"Isolation: {record.level}.", ""]
    lines += [f"- {cell(one)}" for one in (*record.guarantees, *record.notes)]
    return legible("\n".join(lines) + "\n")
