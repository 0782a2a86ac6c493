"""What the packs have in common: the assignment as the grader reads it, the wheels, and how a script begins."""
from __future__ import annotations

from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.handout import given, public_checks

NEEDS = "Python 3.11 or newer, and NumPy 2 or newer"


def whole(assignment: Assignment, below: str) -> dict[str, Any]:
    """Everything that grading reads: hidden tests, the solution, the mutants. Never for a place that students see."""
    names = ("checks.py", "drive.py", "adapter.py", "source.py", "mutants.py", f"{assignment.subject}.py")
    return {f"{below}/{assignment.name}/{name}": (assignment.folder / name).read_text()
            for name in names if (assignment.folder / name).exists()}


def public(assignment: Assignment, below: str) -> dict[str, Any]:
    """What grades the public tests, and holds nothing that a student may not read."""
    texts = {name: (assignment.folder / name).read_text() for name in ("drive.py", "adapter.py")}
    texts |= given(assignment)
    texts["checks.py"] = public_checks((assignment.folder / "checks.py").read_text())
    return {f"{below}/{assignment.name}/{name}": text for name, text in texts.items()}


def packed(wheels: dict[str, bytes], below: str) -> dict[str, Any]:
    """The wheels, in a folder of the pack."""
    return {f"{below}/{name}": data for name, data in wheels.items()}


def kernels(wheels: dict[str, bytes]) -> str:
    """A line of shell: NumPy's kernels are what is wanted, unless a wheel brings compiled ones."""
    return "export MINIGRAD_KERNELS=numpy\n" if any(name.endswith("-none-any.whl") and name.startswith("minigrad_book-")
                                                    for name in wheels) else ""
