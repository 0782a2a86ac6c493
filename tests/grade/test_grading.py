"""Submissions, their own tests, a class, and the command line."""
import json

import numpy as np
import pytest

from minigrad.grade import load, wire
from minigrad.grade.__main__ import main
from minigrad.grade.grading import collect, grade_class

SOLUTION = "import numpy as np\ndef cube(x):\n    return x * x * x\n"
GOOD = """
import numpy as np
import pytest
from cubes import cube

@pytest.mark.parametrize("x, y", [(2.0, 8.0), (-3.0, -27.0)])
def test_values(x, y):
    assert cube(x) == pytest.approx(y)

def test_arrays():
    np.testing.assert_allclose(cube(np.array([1.0, 2.0])), [1.0, 8.0])
"""


def test_a_good_suite_kills_every_mutant(graded, level):
    suite = graded(SOLUTION, level, suite=True, test_mine__dot__py=GOOD).suite
    assert (suite.status, suite.points, suite.killed) == ("passed", 2, 3)
    assert suite.tests == ["test_values[0]", "test_values[1]", "test_arrays"]
    assert dict((name, tests) for name, _, tests in suite.mutants) == {
        "square": ["test_values[0]", "test_values[1]", "test_arrays"],
        "sign": ["test_values[0]", "test_values[1]", "test_arrays"],
        "loop": ["test_values[0]", "test_values[1]", "test_arrays"]}


def test_the_suite_does_not_depend_on_the_student_s_own_code(graded):
    assert graded("def cube(x):\n    return 0\n", suite=True, test_mine__dot__py=GOOD).suite.points == 2


@pytest.mark.parametrize("tests, points, said", [
    ("", 0, "no test in it"),
    ("def test_nothing():\n    pass\n", 0, ""),
    ("def test_wrong():\n    assert False\n", 0, "do not pass a right solution: test_wrong"),
    ("import cubes\ndef test_text():\n    import inspect\n    assert 'x * x * x' in inspect.getsource(cubes)\n", 0,
     "do not pass a right solution: test_text"),
    ("def test_broken(:\n", 0, "SyntaxError"),
    ("import os\nos._exit(0)\n", 0, "the process ended"),
    ("import os\ndef test_unfinished():\n    os._exit(98)\n", 0, "exit status 98"),
    ("import time\ndef test_slow():\n    time.sleep(60)\n", 0, "no answer after"),
    ("from cubes import cube\ndef test_sign():\n    assert cube(2) > 0\n", 2 * 2 / 3, ""),
    ("from cubes import cube\nimport os\ndef test_end():\n    if cube(2) != 8: os._exit(0)\n", 2, "")])
def test_suites_get_what_they_are_worth(tests, points, said, graded):
    suite = graded(SOLUTION, suite=True, test_mine__dot__py=tests).suite
    assert suite.points == pytest.approx(points) and said in suite.message, suite


def test_a_suite_that_fails_from_some_time_on_gets_nothing(graded, sandboxes, monkeypatch):
    """By the clock it would pass the solution, which comes first, and fail all mutants: the solution is last too."""
    runs = []
    monkeypatch.setattr(sandboxes(), "suite", lambda *_: runs.append(0) or {"test_late": len(runs) <= 3})
    suite = graded(SOLUTION, suite=True, test_mine__dot__py="").suite
    assert len(runs) == 7 and suite.points == 0 and suite.killed == 0
    assert suite.message == "the tests do not pass a right solution: test_late failed on it"


def test_a_task_not_begun_is_said_once(graded):
    """The stub's line is the message: it is not printed behind it again. Another line is."""
    begun = graded("def cube(x):\n    raise NotImplementedError('task 1: x^3')\n").tests[0]
    assert begun.message == "NotImplementedError: task 1: x^3 (in cubes.py, line 2)"
    other = graded("def cube(x):\n    return 1 / 0\n").tests[0]
    assert other.message.endswith("division by zero (in cubes.py, line 2: return 1 / 0)")


def test_a_missing_suite_gets_nothing(graded):
    suite = graded(SOLUTION, suite=True).suite
    assert suite.points == 0 and "there is no test_mine.py" in suite.message


def test_only_ordinary_files_of_known_kinds_are_taken(tmp_path):
    source, into = tmp_path / "s", tmp_path / "t"
    (source / "data").mkdir(parents=True)
    (source / "__pycache__").mkdir()
    into.mkdir()
    for name in ("a.py", "data/b.csv", "c.so", ".hidden.py", "__pycache__/a.pyc", "setup.cfg", "big.npy"):
        (source / name).write_bytes(b"x" if name != "big.npy" else b"x" * (9 << 20))
    notes = collect(source, into)
    assert sorted(str(path.relative_to(into)) for path in into.rglob("*.*")) == ["a.py", "data/b.csv"] or notes
    assert (into / "a.py").exists() and not (into / "c.so").exists() and not (into / "big.npy").exists()
    assert any("8 MiB" in note for note in notes)


def test_no_folder_is_named():
    with pytest.raises(ValueError, match="there is no folder"):
        collect("nowhere at all", None)


def test_hidden_data_differ_by_student_and_not_by_run(sandboxes, tmp_path):
    """A student who hands in the numbers of another fails."""
    from minigrad.grade.case import Case
    hidden = sandboxes().assignment.tasks[1]
    ada, again, bob = (Case(None, hidden, name).rng.standard_normal(3) for name in ("ada", "ada", "bob"))
    assert np.array_equal(ada, again) and not np.array_equal(ada, bob)


def test_a_broken_check_is_no_silence(graded, sandboxes, monkeypatch):
    from dataclasses import replace
    assignment = sandboxes().assignment

    def broken(case):
        raise ZeroDivisionError

    monkeypatch.setattr(assignment, "tasks", [replace(assignment.tasks[0], function=broken)])
    (only,) = graded(SOLUTION).tests
    assert only.status == "error" and "tell your teacher" in only.message and only.points == 0


def test_a_class_is_graded_in_one_command(cubes, tmp_path, capsys):
    """Right, wrong, broken, empty and hostile: each has its report, none stops the others."""
    folder = tmp_path / "submissions"
    texts = {"ada": SOLUTION, "bob": "def cube(x):\n    return x * x\n", "cy": "def cube(x:\n", "dan": None,
             "eve": "import os\nos._exit(0)\n"}
    for name, text in texts.items():
        (folder / name).mkdir(parents=True)
        if text:
            (folder / name / "cubes.py").write_text(text)
    (folder / "ada" / "test_mine.py").write_text(GOOD)
    out = tmp_path / "grades"
    assert main(["class", str(cubes), str(folder), "--out", str(out), "--format", "json", "--workers", "2"]) == 0
    records = json.loads((out / "records.json").read_text())
    assert {one["student"]: one["points"] for one in records} == {"ada": 7, "bob": 0, "cy": 0, "dan": 0, "eve": 0}
    assert {one["student"]: one["tests"][0]["status"] for one in records} == {
        "ada": "passed", "bob": "failed", "cy": "error", "dan": "error", "eve": "crash"}
    page = (out / "statistics.md").read_text()
    assert "5 submissions" in page and "| 1.1 cubes (public) | 20% | 1 | 2 |  |  | 1 | 1.00 |" in page
    assert "mean 1.4, median 0" in page and "Own tests (1 of 5" in page
    assert "5 submissions in" in capsys.readouterr().out


def test_one_submission_s_failure_is_its_own(cubes, tmp_path, monkeypatch):
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cubes.py").write_text(SOLUTION)
    from minigrad.grade import grading
    real = grading.collect

    def collect(folder, into):
        if folder.name == "ada":
            raise OSError("disk")
        return real(folder, into)

    monkeypatch.setattr(grading, "collect", collect)
    first, second = grade_class(load(cubes), tmp_path)
    assert "could not be graded: OSError: disk" in first.notes[0] and first.points == 0 and second.points == 5


def test_run_writes_its_report_to_a_file(cubes, tmp_path):
    folder, report = tmp_path / "s", tmp_path / "r.json"
    folder.mkdir()
    (folder / "cubes.py").write_text(SOLUTION)
    assert main(["run", str(cubes), str(folder), "--student", "ada", "--seed", "7", "--format", "json", "--out",
                 str(report)]) == 0
    record = json.loads(report.read_text())
    assert (record["points"], record["most"], record["seed"]) == (5, 7, "7")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json", "s"]


@pytest.mark.parametrize("arguments", [["run", "nothing-like-it", "x"], ["make", "05", "--out", "/"],
                                       ["class", "05", "/nowhere-at-all"]])
def test_what_cannot_be_is_said_in_a_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("python -m minigrad.grade: ")


def test_the_package_s_command_leads_here(capsys):
    from minigrad.__main__ import main
    assert main(["grade", "list"]) == 0
    assert "05_momentum" in capsys.readouterr().out


# the wire


@pytest.mark.parametrize("value", [
    np.float64(2.5), np.arange(6.0).reshape(2, 3).T, np.zeros((0, 3)), np.array([True, False]),
    np.arange(3, dtype="i2"), np.float32([1.5]), np.uint8([255]), np.array(np.nan), [1, 2]])
def test_arrays_come_back_as_they_were(value):
    got = wire.unpack(wire.pack({"a": 1}, {"x": value}))
    assert got[0] == {"a": 1}
    np.testing.assert_array_equal(got[1]["x"], value)
    assert got[1]["x"].shape == np.shape(value)


@pytest.mark.parametrize("value", ["text", None, object(), [[1], [1, 2]], 1j, np.array(["a"]), np.datetime64("now")])
def test_what_is_no_array_of_numbers_does_not_travel(value):
    with pytest.raises(ValueError):
        wire.pack({}, {"x": value})


def test_no_damage_to_a_message_does_more_than_be_refused(mutate):
    whole = wire.pack({"kind": "data"}, {"x": np.arange(4.0), "y": np.ones((2, 2), bool)})
    rng = np.random.default_rng(0)
    for _ in range(500):
        try:
            plain, arrays = wire.unpack(mutate(whole, rng))
        except wire.WireError:
            continue
        assert all(type(one) is np.ndarray and one.dtype.kind in "biuf" for one in arrays.values())


@pytest.mark.parametrize("header", [
    b"[" * 100_000, b'{"plain": {}, "arrays": [["x", "f8", [-1]]]}', b'{"plain": {}, "arrays": [["x", "O", [1]]]}',
    b'{"plain": {}, "arrays": [["x", "f8", [1000000, 1000000, 1000000]]]}',
    b'{"plain": {}, "arrays": [["x", "f8", [true]]]}',
    b'{"plain": {}, "arrays": [["x", "f8", []], ["x", "f8", []]]}', b"{}", b"null", b"\xff\xfe"])
def test_a_hostile_header_is_refused(header):
    data = wire.FRONT.pack(wire.MAGIC, len(header), 8) + header + bytes(8)
    with pytest.raises(wire.WireError):
        wire.unpack(data)
