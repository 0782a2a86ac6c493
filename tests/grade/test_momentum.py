"""The assignment 05_momentum, the model of the others, behind the walls: stub, solution, every step between, mistakes.

What is between stub and solution runs in the tests' own process for all assignments (test_assignments.py); here it is
long.
"""
import inspect
import re
import shutil

import numpy as np
import pytest

from minigrad import optim
from minigrad.grade import load
from minigrad.grade.grading import grade
from minigrad.grade.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(load("05_momentum")) as sandbox:
        yield sandbox


def graded(sandbox, folder, text, tests=None):
    (folder / "momentum.py").write_text(text)
    if tests is not None:
        (folder / "test_mine.py").write_text(tests)
    return grade(sandbox.assignment, folder, "ada", sandbox=sandbox, workers=2, suite=tests is not None)


def passed(record):
    return {one.number for one in record.tests if one.status == "passed"}


@pytest.mark.parametrize("solved", [0, *(pytest.param(k, marks=pytest.mark.long) for k in (1, 2, 3)), 4])
def test_each_task_is_gradable_with_only_the_earlier_ones_solved(solved, sandbox, tmp_path):
    """The stub (0 solved) has no points, the solution (4) has all of them."""
    record = graded(sandbox, tmp_path, sandbox.assignment.text(set(range(1, solved + 1))))
    assert passed(record) == {one.number for one in sandbox.assignment.tasks if one.group <= solved}
    if solved == 0:
        assert record.points == 0 and all(one.status == "error" for one in record.tests)
        assert record.tests[0].message.startswith("NotImplementedError: task 1: one pass of the loop")
    if solved == 4:
        assert record.points == record.most == 19


WRONG = {
    "the rate outside, as other libraries have it": (
        "        self.v = self.momentum * self.v - self.lr * g\n        self.theta = self.theta + self.v\n",
        "        self.v = self.momentum * self.v + g\n        self.theta = self.theta - self.lr * self.v\n",
        {"1.3", "1.4", "2.1", "2.2", "3.1", "4.1", "4.2"}, "1.1", "so the first v is -epsilon g"),
    "the gradient taken at theta, not at the interim point": (
        "at = opt.point() if hasattr(opt, \"point\") else opt.theta", "at = opt.theta",
        {"1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "3.1", "4.1", "4.2"}, "3.2", "computes the gradient at theta~"),
    "in place on the gradient and on the start": (
        "        self.v = self.momentum * self.v - self.lr * g\n        self.theta = self.theta + self.v\n",
        "        g *= self.lr\n        self.v *= self.momentum\n        self.v -= g\n        self.theta += self.v\n",
        {"1.1", "1.2", "1.4", "2.1", "2.2", "3.1", "3.2", "3.3", "4.1", "4.2"}, "1.3", "must not write into g"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", WRONG)
def test_a_plausible_mistake_is_graded_as_it_should_be(name, sandbox, tmp_path):
    old, new, right, number, message = WRONG[name]
    text = sandbox.assignment.text("all")
    assert text.count(old) == 1
    record = graded(sandbox, tmp_path, text.replace(old, new))
    found = {one.number: one for one in record.tests}
    assert message in found[number].message and found[number].status == "failed"
    assert passed(record) == right


@pytest.mark.long
def test_the_reference_tests_kill_every_mutant(sandbox, tmp_path):
    assignment = sandbox.assignment
    record = graded(sandbox, tmp_path, assignment.text(), (assignment.folder / "test_mine.py").read_text())
    missed = [name for name, _, tests in record.suite.mutants if not tests]
    assert record.suite.status == "passed" and not missed, (record.suite.message, missed)
    assert len(record.suite.mutants) >= 20 and record.suite.points == record.suite.most == 6
    assert len({name for name, _, _ in record.suite.mutants}) == len(assignment.mutants)


def test_the_solution_is_the_library_s_own_text():
    """Line for line, the decorator's arguments apart."""
    source = load("05_momentum").text("all")
    for function in (optim.Momentum.update, optim.Nesterov.point):
        lines = [line.strip() for line in inspect.getsource(function).splitlines()
                 if not re.match(r" *(@|def )", line)]
        assert all(line in source for line in lines)


def test_the_student_s_folder_runs_its_public_tests(tmp_path):
    """What `make` writes: the stub fails every public test with the number of its task; the solution passes them."""
    from minigrad.grade.handout import make
    out = make(load("05_momentum"), tmp_path / "hw")
    student = out / "student"
    assert {path.name for path in student.iterdir()} == {
        "adapter.py", "drive.py", "handout.md", "momentum.py", "public_checks.py", "pytest.ini", "test_public.py"}
    handout = (student / "handout.md").read_text()
    assert "rubric" not in handout and "Hand in `momentum.py` and `test_mine.py`" in handout
    for path in student.iterdir():
        assert "SOLUTION" not in path.read_text() and "ten_steps" not in path.read_text()
        assert "self.momentum * self.v - self.lr * g" not in path.read_text()
    assert run_public(student) == (0, 4)
    shutil.copy(out / "teacher" / "solution" / "momentum.py", student)
    assert run_public(student, "-m", "task1 or task3") == (2, 0)


def run_public(folder, *arguments):
    """(passed, failed) of pytest in the student's folder."""
    import os
    import subprocess
    import sys
    from pathlib import Path
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
                           "-p", "no:hypothesispytest", *arguments], cwd=folder,
                          capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": root})
    assert "warning" not in done.stdout, done.stdout
    return tuple(int(found[1]) if (found := re.search(rf"(\d+) {what}", done.stdout)) else 0
                 for what in ("passed", "failed"))


def test_the_oracle_is_the_box_by_another_way():
    """checks.velocities is a sum of powers: against the recurrence of 8.15."""
    from minigrad.grade.assignment import run_file
    checks = run_file(load("05_momentum").folder / "checks.py")
    gradients = np.random.default_rng(0).standard_normal((20, 3))
    v, want = np.zeros(3), []
    for g in gradients:
        v = 0.7 * v - 0.1 * g
        want.append(v)
    np.testing.assert_allclose(checks.velocities(gradients, 0.1, 0.7), want, rtol=1e-12)
