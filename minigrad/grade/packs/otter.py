"""otter-grader: the student's folder with one test file a task, for `otter check` and `grader.check("task1")`.

otter runs its tests in the process that holds the student's code: so they are the public ones, with the numbers that
the student has anyway. Hidden ones are graded behind walls; `run --format otter` writes what otter reads as results.
"""
from __future__ import annotations

from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.handout import student_files
from minigrad.grade.packs.parts import NEEDS, packed

HEAD = '''"""The public tests of task {group}, in otter-grader's exception-based format."""
from otter.test_files import test_case

OK_FORMAT = False
name = "task{group}"
points = {points:g}
'''
CASE = '''

@test_case(name={name!r}, points={points:g})
def test_{id}():
    from minigrad.grade.local import check
    check("adapter.py", "{number}")
'''
README = f'''student/ goes to the students, who need minigrad (the wheel is in wheels/), otter-grader, and {NEEDS}.
`otter check MODULE.py -t tests` runs the public tests, in a notebook `grader = otter.Notebook(tests_dir="tests")` and
`grader.check("task1")`. Hidden tests are not for otter, which runs them beside the student's code: grade what counts
with `python -m minigrad.grade class`; `--format otter` writes results for otter's GradingResults.from_ottr_json.
'''


def otter(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    files = {f"student/{name}": text for name, text in student_files(assignment).items()}
    for group in sorted({one.group for one in assignment.tasks}):
        cases = [one for one in assignment.tasks if one.group == group and one.visibility == "public"]
        files[f"student/tests/task{group}.py"] = HEAD.format(group=group, points=sum(one.points for one in cases)) + \
            "".join(CASE.format(name=f"{one.number} {one.name}", points=one.points, id=one.id, number=one.number)
                    for one in cases)
    return {**files, **packed(wheels, "wheels"), "README.txt": README}
