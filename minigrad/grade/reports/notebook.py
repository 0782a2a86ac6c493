"""Notebooks with nbgrader's metadata (its schema 3): the cells of an assignment, and a record as a graded notebook."""
from __future__ import annotations

import base64
from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.picture import png
from minigrad.grade.record import Record, as_json
from minigrad.grade.reports.page import summary


def grade_id(number: str) -> str:
    """The name of a test's cell: letters, figures and hyphens are what nbgrader takes."""
    return "test-" + number.replace(".", "-")


def markdown(name: str, text: str) -> dict[str, Any]:
    """A cell of text that students cannot change."""
    return {"id": name, "cell_type": "markdown", "source": text, "metadata": {"nbgrader": metadata(name, locked=True)}}


def code(name: str, text: str, points: float | None = None, solution: bool = False,
         outputs: Any = ()) -> dict[str, Any]:
    """A cell of code: the student's own (solution), or a locked test with its points."""
    more = {} if points is None else {"points": points}
    return {"id": name, "cell_type": "code", "source": text, "outputs": list(outputs), "execution_count": None,
            "metadata": {"nbgrader": metadata(name, solution=solution, locked=not solution, grade=bool(more), **more)}}


def free(name: str, text: str) -> dict[str, Any]:
    """A cell of code that nbgrader leaves to the student."""
    return {"id": name, "cell_type": "code", "source": text, "outputs": [], "execution_count": None, "metadata": {}}


def metadata(name: str, grade: bool = False, solution: bool = False, locked: bool = False, **points: float) -> Any:
    return {"schema_version": 3, "grade_id": name, "grade": grade, "solution": solution, "locked": locked,
            "task": False, **points}


def notebook(cells: list[dict]) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}}


def cell_of_test(one: Any) -> dict[str, Any]:
    """A public test checks in the notebook; of a hidden one it says 0 points, until the grader has been asked."""
    head = f"# {one.number} {one.name} ({one.visibility})\n"
    public = f'from minigrad.grade.local import check\n\ncheck("adapter.py", "{one.number}")'
    hidden = "0  # the points come from the grader, when you have handed in"
    return code(grade_id(one.number), head + (public if one.visibility == "public" else hidden), points=one.points)


def own_tests(assignment: Assignment) -> list[dict[str, Any]]:
    """The cell that the student's tests go into (unless they are the solution), and the one for their points."""
    if not assignment.mutant_points:
        return []
    text = "# your own tests, run on wrong solutions\n0  # the points come from the grader, when you have handed in"
    own = free("own-tests", "%%writefile test_mine.py\n# def test_...(): assert ...\n")
    cells = [] if assignment.subject else [own]
    return [*cells, code(grade_id("S"), text, points=assignment.mutant_points)]


def nbgrader(record: Record) -> str:
    """The record as an autograded notebook: nbgrader takes a cell's points from its output. Hidden tests say no why."""
    cells = [markdown("summary", f"# {record.title}\n\n{summary(record)}.")]
    for one in record.tests:
        said = one.message if one.visibility == "public" else ""
        name = f"{one.number} {one.name} ({one.visibility}): {one.status}"
        cells.append(scored(one.number, name, one.points, one.most, said, one.images))
    if record.suite:
        missed = "\n".join(f"missed: {message}" for _, message, tests in record.suite.mutants if not tests)
        cells.append(scored("S", "your own tests", record.suite.points, record.suite.most,
                            record.suite.message or missed))
    return as_json(notebook(cells))


def scored(number: Any, name: str, points: Any, most: Any, said: Any, images: Any = ()) -> Any:
    """A test's cell with its message, its pictures and, as the result, its points."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": said + "\n"}] if said else []
    outputs += [{"output_type": "display_data", "metadata": {}, "data": {
        "text/plain": label, "image/png": base64.b64encode(png(got, want)).decode()}} for label, got, want in images]
    outputs.append({"output_type": "execute_result", "execution_count": None, "metadata": {},
                    "data": {"text/plain": repr(float(points))}})
    return code(grade_id(number), "# " + " ".join(name.split()), points=most, outputs=outputs)
