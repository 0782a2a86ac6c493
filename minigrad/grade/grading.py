"""A submission graded: its tests, its own test suite by mutants, and a class of submissions."""
from __future__ import annotations

import os
import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from minigrad.grade.assignment import Assignment
from minigrad.grade.case import Case, Outcome
from minigrad.grade.record import Record, Result, Suite
from minigrad.grade.restate import restate
from minigrad.grade.sandbox import Sandbox

SUFFIXES = (".py", ".txt", ".md", ".json", ".csv", ".npy", ".npz")
REFUSED = ("sitecustomize.py", "usercustomize.py", "conftest.py")
OURS = ("drive.py", "pytest.ini")             # handed out with the stub, and so often handed in
FILES, BYTES = 200, 8 << 20


def collect(folder: Path, into: Path) -> Any:
    """Copy what counts of a submission; returns what was left out and why.

    Ordinary files with known endings: no links, no devices, no compiled code, nothing that configures Python or pytest.
    """
    notes, files, size = [], 0, 0
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"grade: there is no folder {str(folder)!r} to grade")
    for path, folders, names in os.walk(folder):
        for name in [one for one in folders if os.path.islink(os.path.join(path, one))]:
            notes.append(f"left out {name}: a link")
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__")))
        for name in sorted(names):
            source = Path(path, name)
            where = source.relative_to(folder)
            try:
                handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:
                notes.append(f"left out {where}: a link, or not readable")
                continue
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode):
                    notes.append(f"left out {where}: not an ordinary file")
                    continue
                if name in OURS:
                    notes.append(f"{where}: the grader has its own")
                    continue
                if name in REFUSED or source.suffix not in SUFFIXES or name.startswith("."):
                    notes.append(f"left out {where}: files like it count for nothing")
                    continue
                files, size = files + 1, size + found.st_size
                if files > FILES or size > BYTES:
                    notes.append(f"left out {where} and what follows: more than {FILES} files or {BYTES >> 20} MiB")
                    return notes
                target = into / where
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read(found.st_size))
    return notes


def grade(assignment: Assignment, submission: Any, student: Any = "", seed: Any = None, sandbox: Any = None,
          workers: int = 1, suite: bool = True) -> Record:
    """The record of one submission. A test that times out, crashes or runs out of memory costs itself, nothing else.

    seed: of the hidden data; default: the student's name, so that each has data of their own. suite: grade the
    student's own test_mine.py too, where the assignment gives points for it.
    """
    if sandbox is None:
        with Sandbox(assignment, hidden=[Path(submission).resolve()]) as sandbox:
            return grade(assignment, submission, student, seed, sandbox, workers, suite)
    started, seed = time.monotonic(), str(student if seed is None else seed)
    record = Record(assignment.name, assignment.title, str(student), seed, level=sandbox.level,
                    guarantees=list(sandbox.guarantees))
    with tempfile.TemporaryDirectory(dir=sandbox.folder.name) as folder:
        copy = Path(folder, "submission")
        copy.mkdir()
        record.notes = collect(submission, copy)
        if not (copy / "adapter.py").exists():
            (copy / "adapter.py").write_text((assignment.folder / "adapter.py").read_text())
        with ThreadPoolExecutor(workers) as pool:
            record.tests = list(pool.map(lambda one: run_test(one, copy, seed, sandbox), assignment.tasks))
        if suite and assignment.mutant_points:
            record.suite = grade_suite(assignment, copy / "test_mine.py", sandbox, workers)
    record.seconds = time.monotonic() - started
    return record


def run_test(task: Any, submission: Any, seed: Any, sandbox: Any) -> Result:
    """One check on one submission. A mistake in the check itself is an error of the grader's, with no points lost to it
    in silence: the message says so."""
    printed, pictures, started = [], [], time.monotonic()
    status, message = "passed", ""

    def ask(function, inputs, public):
        return sandbox.ask(submission, function, inputs, public, printed)

    try:
        task.function(Case(ask, task, seed, pictures))
    except Outcome as outcome:
        status, message = outcome.status, outcome.message
    except KeyError as error:
        status, message = "failed", f"the drive returned no {error}"
    except Exception as error:
        status, message = "error", f"the check itself failed, tell your teacher: {type(error).__name__}"
    passed, public = status == "passed", task.visibility == "public"
    return Result(task.id, task.number, task.name, task.points if passed else 0.0, task.points, status, task.visibility,
                  message, time.monotonic() - started, "".join(printed)[:2000] if public else "",
                  [] if passed or not public else pictures)


def grade_suite(assignment: Assignment, tests: Any, sandbox: Any, workers: int = 1) -> Any:
    """The student's tests by the mutants of the solution: which test fails which mutant.

    A suite that fails the solution, or a right solution written otherwise (by hand, or by the rules of `restate`), gets
    nothing: it would fail everything, or looks at the text. The solution comes first and again last: a suite that fails
    by chance, or by the clock, fails it too. A mutant on which the tests do not end in time, or which ends their
    process, is killed.
    """
    suite = Suite(most=assignment.mutant_points,
                  mutants=[(one.id, one.message, []) for one in assignment.mutants])
    if not tests.exists():
        suite.status, suite.message = "failed", f"there is no {tests.name}"
        return suite
    seconds = min(assignment.seconds, 5)

    def run(text):
        with tempfile.TemporaryDirectory(dir=sandbox.folder.name) as folder:
            os.chmod(folder, 0o755)
            (Path(folder) / f"{assignment.tested}.py").write_text(text)
            (Path(folder) / "test_mine.py").write_bytes(tests.read_bytes())
            try:
                return sandbox.suite(folder, seconds), None
            except Outcome as outcome:
                return None, outcome

    def refused(results):
        """Why the suite is not graded: what it says of right solutions; "" if it passes them."""
        for found, outcome in results:
            wrong = [name for name, passed in (found or {}).items() if not passed]
            if outcome or wrong:
                why = f"{', '.join(wrong)} failed on it" if wrong else outcome.message
                return f"the tests do not pass a right solution: {why}"
            suite.tests = list(found)
        return "" if suite.tests else "there is no test in it: a test is a function test_...()"

    solution = assignment.right
    with ThreadPoolExecutor(workers) as pool:
        suite.message = refused([run(solution)])
        others = [restate(solution), *map(assignment.mutated, assignment.equivalents)]
        suite.message = suite.message or refused(pool.map(run, others))
        found = [] if suite.message else list(pool.map(run, map(assignment.mutated, assignment.mutants)))
        suite.message = suite.message or refused([run(solution)])
    if suite.message:
        suite.status = "failed"
        return suite
    for (_, _, killers), (passed, outcome) in zip(suite.mutants, found):
        killers += [f"({outcome.status})"] if outcome else [name for name in suite.tests if not passed.get(name)]
    suite.points = suite.most * suite.killed / max(1, len(suite.mutants))
    return suite


def grade_class(assignment: Assignment, folder: Path, seed: Any = None, workers: int = 1,
                said: Any = None) -> list[Any]:
    """The records of every folder in a folder, named as the students. said: called with each record as it is done.

    seed: one for the whole class; None: each student's name. What goes wrong with one submission is in its record.
    """
    submissions = sorted(path for path in Path(folder).glob("*") if path.is_dir() and not path.is_symlink())
    if not submissions:
        raise ValueError(f"grade class: {str(folder)!r} holds no folders of submissions")
    with Sandbox(assignment, hidden=[Path(folder).resolve()]) as sandbox:
        def one(path):
            try:
                record = grade(assignment, path, path.name, seed, sandbox)
            except Exception as error:
                record = Record(assignment.name, assignment.title, path.name, str(seed),
                                notes=[f"could not be graded: {type(error).__name__}: {error}"])
            if said:
                said(record)
            return record

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, submissions))
