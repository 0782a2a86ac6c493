"""`python -m minigrad.grade`: make, run, class, pack, list."""
from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from minigrad.arguments import count
from minigrad.grade.assignment import load, on_shelf
from minigrad.grade.grading import grade, grade_class
from minigrad.grade.handout import make
from minigrad.grade.packs import PACKS, pack
from minigrad.grade.record import as_json, write
from minigrad.grade.reports import FORMATS, statistics

ENDINGS = {"junit": "xml", "markdown": "md", "text": "txt", "classroom": "txt", "nbgrader": "ipynb"}


def parser() -> Any:
    options = argparse.ArgumentParser(prog="python -m minigrad.grade", description=__doc__)
    commands = options.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the assignments, their sections, points and times")
    one = commands.add_parser("make", help="student/, public/ and teacher/ of an assignment")
    one.add_argument("assignment", help="a folder, or a name: 05, momentum, 05_momentum")
    one.add_argument("--out", help="where to (default: a folder named as the assignment)")
    run = commands.add_parser("run", help="grade one submission")
    run.add_argument("assignment")
    run.add_argument("submission", help="the student's folder")
    run.add_argument("--student", default="", help="the name; it seeds the hidden data unless --seed is given")
    run.add_argument("--out", help="write the report to this file (default: print it)")
    run.add_argument("--format", choices=FORMATS, default="text")
    whole = commands.add_parser("class", help="grade a folder of submissions, one folder a student")
    whole.add_argument("assignment")
    whole.add_argument("submissions")
    whole.add_argument("--out", default="grades", help="a folder for the reports and statistics.md (default: grades)")
    whole.add_argument("--format", choices=FORMATS, default="markdown")
    zipped = commands.add_parser("pack", help="the zip to upload to a service, with all that grading needs")
    zipped.add_argument("assignment")
    zipped.add_argument("--for", dest="service", choices=PACKS, required=True)
    zipped.add_argument("--out", help="the file (default: ASSIGNMENT-SERVICE.zip)")
    zipped.add_argument("--wheel", action="append", default=[], metavar="FILE",
                        help="a wheel to go in: NumPy's, or a minigrad with kernels compiled for the service's machine")
    for command in (run, whole):
        command.add_argument("--seed", help="one seed of the hidden data for all (default: each student's name)")
        command.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="tests at a time")
    return options


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0, or 2 where something was asked that cannot be. Points are no errors."""
    options = parser().parse_args(arguments)
    try:
        return globals()[f"do_{options.command}"](options) or 0
    except ValueError as error:
        print(f"python -m minigrad.grade: {error}", file=sys.stderr)
        return 2


def do_list(_: Any) -> None:
    for folder in on_shelf():
        one = load(folder)
        print(f"{one.name:<26}{one.points:>4g} points{one.minutes:>5} min  {one.title} ({one.sections})")


def do_make(options: Any) -> None:
    assignment = load(options.assignment)
    print(f"made {make(assignment, options.out or assignment.name)}: student/, public/, teacher/")


def do_run(options: Any) -> None:
    if options.out:
        Path(options.out).unlink(missing_ok=True)        # an old report is no result of this run
    record = grade(load(options.assignment), options.submission, options.student, options.seed,
                   workers=count("grade", "workers", options.workers))
    report = FORMATS[options.format](record)
    if options.out:
        write(options.out, report)
    else:
        print(report, end="")


def do_pack(options: Any) -> None:
    assignment = load(options.assignment)
    out = Path(options.out or f"{assignment.name}-{options.service}.zip")
    data = pack(assignment, options.service, options.wheel)
    out.write_bytes(data)
    print(f"packed {out} ({len(data) / 1e6:.1f} MB); its README.txt says what the service must have")


def do_class(options: Any) -> None:
    out, started = Path(options.out), time.monotonic()
    ending = ENDINGS.get(options.format, "json")

    def said(record):
        out.mkdir(parents=True, exist_ok=True)
        write(out / f"{record.student}.{ending}", FORMATS[options.format](record))
        print(f"{record.student}: {record.points:g} of {record.most:g}", flush=True)

    records = grade_class(load(options.assignment), options.submissions, options.seed,
                          count("grade", "workers", options.workers), said)
    write(out / "records.json", as_json([one.dict() for one in records]))
    write(out / "statistics.md", statistics(records))
    print(f"{len(records)} submissions in {time.monotonic() - started:.0f} s; see {out / 'statistics.md'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
