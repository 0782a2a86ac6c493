"""`make`: what goes to the students, what may be shown, and the teacher's copy.

The public tests are the public checks themselves, cut out of checks.py with what they use and nothing else, so that a
student sees the numbers that the grader uses.
"""
from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

from minigrad.grade.assignment import Assignment

HEAD = '''"""The public tests: pytest -m task1, task2, ...; the numbers are those of the grader."""
import pytest

from minigrad.grade.local import check
'''


HAND_IN = """
## To begin with, and to hand in

You need Python 3.11 or newer, pytest, minigrad, and the files that came with this page, in one folder. Install minigrad
from the folder, file or address that your teacher names: the `minigrad` of the package index is another project. Before
you begin each public test fails with the number of its task. The grader runs the public tests with the same numbers,
and hidden ones with others; how many seconds a test may take stands in its report.

Hand in {mine}, and `adapter.py` if you changed it.
Answers to questions, and what you would tell a reader, are comments or docstrings in `{module}.py`: a human reads them.
"""


def public_checks(source: str) -> str:
    """checks.py without its hidden tests, and without every helper that no public test uses."""
    tree = ast.parse(source)
    lines = source.splitlines()
    definitions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    constants = {target.id: node for node in tree.body if isinstance(node, ast.Assign)
                 for target in node.targets if isinstance(target, ast.Name)}
    wanted = {name for name, node in definitions.items() if visibility(node) == "public"} | {"assignment"}
    while True:
        names = {one.id for name in wanted for one in ast.walk(definitions.get(name) or constants[name])
                 if isinstance(one, ast.Name)}
        further = {name for name in names & (definitions.keys() | constants.keys()) if
                   visibility(definitions.get(name)) != "hidden"} - wanted
        if not further:
            break
        wanted |= further
    kept = ['"""The public checks, as the grader runs them."""']
    for node in tree.body:
        names = [node.name] if hasattr(node, "name") else [target.id for target in getattr(node, "targets", [])
                                                           if isinstance(target, ast.Name)]
        if isinstance(node, ast.Import | ast.ImportFrom) or any(name in wanted for name in names):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            gap = ["", ""] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            kept += [*gap, *lines[first - 1:node.end_lineno]]
    return "\n".join(kept) + "\n"


def visibility(node: Any) -> str:
    """ "public" or "hidden" for a check, None for anything else."""
    for one in getattr(node, "decorator_list", []):
        if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "task":
            given = {word.arg: word.value for word in one.keywords}.get("visibility")
            given = given or (one.args[3] if len(one.args) > 3 else None)
            return ast.literal_eval(given) if given else "hidden"
    return None


def make(assignment: Assignment, into: Path) -> Path:
    """student/ (handout, stub, adapter, drive, public tests), public/ (the tests alone), teacher/ (all of it, solved).

    ValueError where the folder is there already: a student's work is not overwritten.
    """
    into = Path(into)
    if into.exists() and any(into.iterdir()):
        raise ValueError(f"grade make: {str(into)!r} is there and not empty; name another with --out")
    folder = assignment.folder
    for name, files in (("public", public_files(assignment)), ("student", student_files(assignment))):
        (into / name).mkdir(parents=True)
        for file, text in files.items():
            (into / name / file).write_text(text)
    shutil.copytree(folder, into / "teacher", ignore=shutil.ignore_patterns("__pycache__"))
    (into / "teacher" / "solution").mkdir()
    (into / "teacher" / "solution" / f"{assignment.module}.py").write_text(assignment.text("all"))
    for name in ("adapter.py", "test_mine.py", f"{assignment.subject}.py"):
        if (folder / name).exists():
            shutil.copy(folder / name, into / "teacher" / "solution")
    return into


def public_files(assignment: Assignment) -> dict[str, str]:
    """name -> text: the public tests and what they need beside the student's own."""
    return {"public_checks.py": public_checks((assignment.folder / "checks.py").read_text()),
            "test_public.py": test_file(assignment), "pytest.ini": markers(assignment),
            "drive.py": (assignment.folder / "drive.py").read_text()}


def student_files(assignment: Assignment) -> dict[str, str]:
    """name -> text: what a student begins with."""
    own = {"adapter.py": (assignment.folder / "adapter.py").read_text(), "handout.md": handout(assignment)}
    return public_files(assignment) | own | given(assignment) | {f"{assignment.module}.py": assignment.text()}


def handout(assignment: Assignment) -> str:
    """handout.md, and what is the same for every assignment: what is needed, and what is handed in."""
    mine = [f"`{assignment.module}.py`"]
    if assignment.mutant_points and not assignment.subject:
        mine.append("`test_mine.py`")
    return (assignment.folder / "handout.md").read_text() + HAND_IN.format(
        module=assignment.module, mine=" and ".join(mine))


def given(assignment: Assignment) -> dict[str, str]:
    """name -> text: what the students' tests are about, where tests are what is asked for."""
    return {f"{assignment.subject}.py": assignment.right} if assignment.subject else {}


def test_file(assignment: Assignment) -> str:
    """test_public.py: one function a public check, marked with its task."""
    parts = [HEAD]
    for one in assignment.tasks:
        if one.visibility == "public":
            parts.append(f'\n\n@pytest.mark.task{one.group}\ndef test_{one.id}():\n    """{one.number} {one.name}"""\n'
                         f'    check(__file__, "{one.number}")\n')
    return "".join(parts)


def markers(assignment: Assignment) -> str:
    """pytest.ini: `pytest -m task1` runs the public tests of task 1."""
    groups = sorted({one.group for one in assignment.tasks})
    return "[pytest]\naddopts = --tb=short\nmarkers =\n" + "".join(
        f"    task{group}: the public tests of task {group}\n" for group in groups)
