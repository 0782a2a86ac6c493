"""13_write_the_tests, where the tests are what is asked for: worthless suites, behind the grader's walls, and a folder
as a student gets it."""
import subprocess
import sys

import pytest

from minigrad.grade import load
from minigrad.grade.grading import grade
from minigrad.grade.handout import make
from minigrad.grade.sandbox import Sandbox

ALWAYS = "def test_{}():\n    assert False\n"
NAMES = ("cross_entropy", "clip", "momentum", "minibatches")
TEXT = """
import training
def test_clip_by_its_text():
    import inspect
    assert "return factor * g" in inspect.getsource(training)
"""


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(load("13_write_the_tests")) as sandbox:
        yield sandbox


@pytest.mark.parametrize("text, said", [
    ("", "there is no test in it"),
    ("\n".join(ALWAYS.format(name) for name in NAMES), "do not pass a right solution"),
    (TEXT, "do not pass a right solution")], ids=["empty", "fails everything", "looks at the text"])
def test_a_worthless_suite_gets_nothing(text, said, sandbox, tmp_path):
    (tmp_path / "test_mine.py").write_text(text)
    record = grade(sandbox.assignment, tmp_path, "ada", sandbox=sandbox, workers=2)
    assert record.points == 0 and record.suite.killed == 0, record
    assert said in record.suite.message


def test_tests_that_compare_the_program_with_the_given_text_get_nothing(sandbox, tmp_path):
    """They look into the frames of the drive, and fail whatever reads otherwise: right programs too."""
    looks = ("import sys\nGIVEN = {given!r}\ndef test_{name}():\n    frame = sys._getframe()\n"
             "    while 'texts' not in frame.f_locals:\n        frame = frame.f_back\n"
             "    assert frame.f_locals['text'] == GIVEN\n")
    (tmp_path / "test_mine.py").write_text("\n".join(
        looks.format(given=sandbox.assignment.right, name=name) for name in NAMES))
    record = grade(sandbox.assignment, tmp_path, "ada", sandbox=sandbox, workers=2)
    assert record.points == 0, record
    assert all("fails a right program" in one.message for one in record.tests), record.tests


def test_tests_that_find_nothing_get_nothing(sandbox, tmp_path):
    """They pass every program, right or wrong: no task, and no share of the matrix."""
    (tmp_path / "test_mine.py").write_text("\n".join(f"def test_{name}():\n    pass\n" for name in NAMES))
    record = grade(sandbox.assignment, tmp_path, "ada", sandbox=sandbox, workers=2, suite=False)
    assert record.points == 0
    assert all(one.message.startswith("not found: ") for one in record.tests), record.tests


def test_the_given_program_is_handed_out_and_tried(tmp_path):
    """The stub's tests fail; public wrong programs come from the student's own copy of training.py."""
    out = make(load("13_write_the_tests"), tmp_path / "hw")
    student = out / "student"
    assert (student / "training.py").read_text() == (out / "teacher" / "training.py").read_text()
    assert (out / "teacher" / "solution" / "test_mine.py").exists()
    assert "assert abs" not in (student / "test_mine.py").read_text()
    (student / "test_mine.py").write_text((out / "teacher" / "solution" / "test_mine.py").read_text())
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
                           "-p", "no:hypothesispytest"], cwd=student, capture_output=True, text=True, timeout=120,
                          env={"PYTHONPATH": str(load("13").folder.parents[2]), "PATH": ""})
    assert "12 passed" in done.stdout, done.stdout
