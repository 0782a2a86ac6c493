"""nbgrader: a source notebook with the solution and the public tests; hidden tests are graded outside of it.

A notebook's tests run in the kernel that runs the student's code. So a hidden test is a cell that says 0, and
`grade_hidden.py` puts the points of the isolated grader in its place, in the gradebook.
"""
from __future__ import annotations

import json
from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.handout import student_files
from minigrad.grade.packs.parts import NEEDS, packed, whole
from minigrad.grade.reports.notebook import cell_of_test, code, free, markdown, notebook, own_tests

HIDDEN = '''"""Puts the points of the hidden tests, and of the students' own tests, into nbgrader's gradebook.

    nbgrader autograde {name}; python grade_hidden.py

Run it in the folder of the course. Every student's files are taken from the cells `%%writefile ...` of submitted/.
"""
import json
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from minigrad.grade import load
from minigrad.grade.grading import grade_class
from minigrad.grade.reports.notebook import grade_id

NAME, NOTEBOOK = "{name}", "{module}"


def files(path):
    """name -> text of the files that a notebook's cells write."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        head, _, text = "".join(cell["source"]).partition("\\n")
        if cell["cell_type"] == "code" and head.startswith("%%writefile "):
            yield Path(head.split()[1]).name, text


with tempfile.TemporaryDirectory() as folder, Gradebook("sqlite:///gradebook.db") as gradebook:
    for path in Path("submitted").glob(f"*/{{NAME}}/{{NOTEBOOK}}.ipynb"):
        into = Path(folder, path.parts[1])
        into.mkdir()
        for name, text in files(path):
            (into / name).write_text(text)
    for record in grade_class(load(Path("grader", NAME)), folder):
        points = {{grade_id(one.number): one.points for one in record.tests if one.visibility == "hidden"}}
        if record.suite:
            points[grade_id("S")] = record.suite.points
        for cell, found in points.items():
            try:
                grade = gradebook.find_grade(cell, NOTEBOOK, NAME, record.student)
            except MissingEntry:
                raise SystemExit(f"{{record.student}}: no cell {{cell}}; nbgrader autograde {{NAME}} first") from None
            grade.auto_score = found
        print(record.student, record.points, "of", record.most)
    gradebook.db.commit()
'''
README = f'''Unpack in the folder of the course (nbgrader quickstart makes one). Needed there and by the students:
{NEEDS}, and minigrad (the wheel is in wheels/). Then: nbgrader generate_assignment NAME; when
they are in, nbgrader autograde NAME, then python grade_hidden.py, which grades the hidden tests behind walls.
grader/ holds the hidden tests and the solution.
'''


def nbgrader(assignment: Assignment, wheels: dict[str, bytes]) -> dict[str, Any]:
    name, files = assignment.module, student_files(assignment)
    source = f"%%writefile {name}.py\n" + assignment.source
    for marker in ("# BEGIN SOLUTION", "# END SOLUTION"):
        source = source.replace(marker, f"##{marker}")
    cells = [markdown("handout", files.pop("handout.md")), code("solution", source, solution=True),
             free("adapter", f"%%writefile adapter.py\n{files['adapter.py']}")]
    files = {one: text for one, text in files.items() if one in (
        "drive.py", "public_checks.py", f"{assignment.subject}.py")}
    cells += [cell_of_test(one) for one in assignment.tasks] + own_tests(assignment)
    below = f"source/{assignment.name}"
    return {f"{below}/{name}.ipynb": json.dumps(notebook(cells), indent=1) + "\n",
            **{f"{below}/{one}": text for one, text in files.items()}, **whole(assignment, "grader"),
            "grade_hidden.py": HIDDEN.format(name=assignment.name, module=name), **packed(wheels, "wheels"),
            "README.txt": README}
