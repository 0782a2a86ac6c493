"""A small assignment of one line, for what is about the grader and not about a chapter."""
import contextlib

import pytest

from minigrad.grade import load
from minigrad.grade.grading import grade
from minigrad.grade.sandbox import LEVELS, Sandbox

SOURCE = '''import numpy as np


def cube(x):
    # BEGIN SOLUTION task 1: x to the third
    return x * x * x
    # END SOLUTION
'''
CHECKS = '''from minigrad.grade import Assignment, task

assignment = Assignment(title="Cubes", blocked=["minigrad.optim", "minigrad.testing.optimizers"], seconds=1, memory=512,
                        mutant_points=2)


@task("1.1", "cubes", points=2, visibility="public")
def public(case):
    x = case.rng.standard_normal(3) + 5
    case.close(case.ask("cubes", x=x)["y"], x ** 3, "the third power")


@task("1.2", "cubes of other numbers", points=3)
def hidden(case):
    for _ in range(2):
        x = case.rng.standard_normal(3) + 5
        case.close(case.ask("cubes", x=x)["y"], x ** 3, "the third power")
'''
MUTANTS = '''from minigrad.grade import Mutant

MUTANTS = [Mutant("square", "x * x * x", "x * x", "the power"), Mutant("sign", "x * x * x", "-x * x * x", "the sign"),
           Mutant("loop", "x * x * x", "cube(x)", "an end")]
EQUIVALENTS = [Mutant("power", "x * x * x", "np.power(x, 3)", "the same")]
'''


@pytest.fixture(scope="session")
def cubes(tmp_path_factory):
    """The folder of the assignment."""
    folder = tmp_path_factory.mktemp("assignments") / "01_cubes"
    folder.mkdir()
    for name, text in {"source.py": SOURCE, "checks.py": CHECKS, "mutants.py": MUTANTS,
                       "adapter.py": "from cubes import cube\n", "handout.md": "# Cubes\n", "rubric.md": "",
                       "drive.py": "def cubes(student, x):\n    return {'y': student.cube(x)}\n"}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def sandboxes(cubes):
    """sandbox(level): one for the whole run; "strongest" is what this machine grants."""
    with contextlib.ExitStack() as stack:
        made = {}

        def sandbox(level="strongest"):
            if level not in made:
                made[level] = stack.enter_context(Sandbox(load(cubes), None if level == "strongest" else level))
            return made[level]

        yield sandbox


@pytest.fixture
def graded(sandboxes, tmp_path):
    """graded(cubes_text, level, **more files) -> the record of that submission."""
    def one(text, level="strongest", suite=False, **files):
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "cubes.py").write_text(text)
        for name, content in files.items():
            (folder / name.replace("__dot__", ".")).write_text(content)
        sandbox = sandboxes(level)
        return grade(sandbox.assignment, folder, "ada", sandbox=sandbox, workers=2, suite=suite)

    return one


@pytest.fixture(params=["strongest", "hook"])
def level(request):
    """The walls of this machine, and the least that there ever is."""
    assert request.param in ("strongest", *LEVELS)
    return request.param
