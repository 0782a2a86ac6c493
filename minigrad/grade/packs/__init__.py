"""`pack`: the zip that a service takes, with all that grading needs. PACKS[name](assignment, wheels) lists its files.

Where the grader runs on the service's machine (Gradescope, PrairieLearn, CodeRunner) the wheels are unpacked beside it,
and nothing is fetched while it grades. Where students hold what is graded (GitHub Classroom, otter-grader's checks and
nbgrader's notebooks, which run tests in the student's process) the pack has the public tests only; hidden tests and the
tests of students' tests are then graded at home, with `class`.
"""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from minigrad.grade.assignment import Assignment
from minigrad.grade.packs.classroom import classroom
from minigrad.grade.packs.coderunner import coderunner
from minigrad.grade.packs.gradescope import gradescope
from minigrad.grade.packs.nbgrader import nbgrader
from minigrad.grade.packs.otter import otter
from minigrad.grade.packs.prairielearn import prairielearn
from minigrad.grade.packs.wheel import archive, wheel
from minigrad.typing import FilePath

PACKS = {"gradescope": gradescope, "prairielearn": prairielearn, "classroom": classroom, "coderunner": coderunner,
         "otter": otter, "nbgrader": nbgrader}


def pack(assignment: Assignment, service: str, wheels: Iterable[FilePath] = ()) -> bytes:
    """The zip. wheels: files to go in too: NumPy's, or a minigrad with compiled kernels in place of ours.

    ValueError for a file that is no wheel.
    """
    given = {}
    for path in map(Path, wheels):
        if path.suffix != ".whl" or not path.is_file():
            raise ValueError(f"grade pack: {str(path)!r} is no wheel (a file .whl)")
        given[path.name] = path.read_bytes()
    if not any(name.startswith("minigrad_book-") for name in given):
        given |= dict([wheel()])
    return archive(PACKS[service](assignment, given))
