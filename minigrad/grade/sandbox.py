"""The grader's end of the isolation: one process tree for each question, its limits, and what came of it.

Only data come back. The right answer, the hidden numbers of other tests, checks.py and every comparison stay here.
"""
from __future__ import annotations

import builtins
import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import numpy as np

from minigrad import kernels
from minigrad.grade import wire
from minigrad.grade.assignment import Assignment, shelf
from minigrad.grade.case import Outcome
from minigrad.grade.library import strip

HERE = Path(__file__).resolve().parent
LEVELS = ("namespace", "user namespace", "nobody", "hook")         # child.py says what they are
ALWAYS = ["each test in its own process and session; the expected values and the comparison in the grader",
          "only bounded plain arrays come back",
          "conftest, sitecustomize, pytest.ini, links and compiled files of a submission are left out"]
GUARANTEES = {
    "namespace": ["no file but Python, NumPy, the library without the answer and the submission exists for it",
                  "no network, no process but its own is seen; all of its processes end with the test", "user nobody"],
    "nobody": ["user nobody", "other files, processes and sockets: refused by an audit hook, a hindrance and no wall"],
    "hook": ["other files, processes and sockets: refused by an audit hook, a hindrance and no wall",
             "NOT guaranteed: an unprivileged user (the grader itself runs without the right to change it)"]}
GUARANTEES["user namespace"] = [*GUARANTEES["namespace"][:2], "no privileges (a user namespace)"]
OUTSIDE = 97                    # child.py's
BUILTIN = {name for name, value in vars(builtins).items()
           if isinstance(value, type) and issubclass(value, BaseException)}


class Sandbox:
    """A place where submissions of one assignment run. `with Sandbox(assignment) as sandbox: ...`

    level: one of LEVELS, or None for the strongest that works here. hidden: further folders that must not be seen.
    guarantees: what holds, in sentences for the report. ValueError where not even the weakest level works.
    """
    level: Any

    def __init__(self, assignment: Assignment, level: Any = None, hidden: Any = ()) -> None:
        if os.name != "posix":
            raise ValueError("grade: submissions run on Linux (whole isolation), macOS or another POSIX system")
        self.assignment = assignment
        self.folder: Any = tempfile.TemporaryDirectory(prefix="minigrad-grade-")
        os.chmod(self.folder.name, 0o755)
        try:
            self.library: list[str] = strip(Path(self.folder.name) / "lib", assignment.blocked) + numpy_folders()
            self.hidden: list[str] = [str(path) for path in (HERE.parent, HERE.parents[1] / "minigrad_ext", shelf(),
                                                  assignment.folder, *hidden) if path]
            self.level, reasons = None, []
            for one in LEVELS if level is None else [level]:
                try:
                    self.probe(one)
                    self.level = one
                    break
                except (OSError, Outcome) as error:
                    reasons.append(f"{one}: {error}")
            if self.level is None:
                raise ValueError(f"grade: no isolation works here ({'; '.join(reasons)})")
        except BaseException:
            self.close()
            raise
        limits = f"processor {assignment.seconds:g} s, wall clock {3 * assignment.seconds:g} s, " \
                 f"{assignment.memory} MiB of memory a process, files of 16 MiB"
        self.guarantees: list[str] = [*ALWAYS, limits, *GUARANTEES[self.level]]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self.folder.cleanup()

    def probe(self, level: Any) -> None:
        """Run nothing at this level. OSError where its walls cannot be built."""
        with tempfile.TemporaryDirectory(dir=self.folder.name) as empty:
            os.chmod(empty, 0o755)
            (Path(empty) / "adapter.py").write_text("")
            self.run(empty, {"drive.py": "def nothing(student):\n    return {}\n"}, "nothing", {}, level=level)

    def ask(self, submission: Any, function: str, inputs: Any, public: Any = False, output: Any = None) -> Any:
        """drive.function(student, **inputs) of the submission in a folder: a dict of arrays, or Outcome says why not.

        public: whether the message may quote the student's exception; a hidden test tells its type and line only, for
        a message could carry the hidden data home. output: a list that receives what was printed.
        """
        drive = {"drive.py": (self.assignment.folder / "drive.py").read_text()}
        if self.assignment.subject:                      # what is asked for are tests, which may use pytest
            drive["pytest.py"] = (HERE / "pytest_stand_in.py").read_text()
        return self.run(submission, drive, function, inputs, public=public, output=output)

    def suite(self, folder: Path, seconds: float) -> dict[str, bool]:
        """Each test of test_mine.py in a folder, beside the module there: name -> passed. Outcome if it cannot run."""
        drive = {"suite.py": (HERE / "suite.py").read_text(), "pytest.py": (HERE / "pytest_stand_in.py").read_text()}
        return {name: bool(passed) for name, passed in
                self.run(folder, drive, "", {}, public=True, seconds=seconds).items()}

    def run(self, submission: Any, drive: Any, function: str, inputs: Any, level: Any = None, public: Any = False,
            output: Any = None, seconds: float | None = None) -> Any:
        """One question, whole: start, wait, end what is left, and read the answer."""
        seconds = seconds or self.assignment.seconds
        plain = {name: value for name, value in inputs.items() if not isinstance(value, np.ndarray | np.generic)}
        arrays = {name: value for name, value in inputs.items() if name not in plain}
        with tempfile.TemporaryDirectory(dir=self.folder.name) as scratch, tempfile.TemporaryFile() as request, \
                tempfile.TemporaryFile() as printed:
            os.chmod(scratch, 0o755)
            head = json.dumps({
                "level": level or self.level, "scratch": scratch, "submission": str(submission), "drive": drive,
                "function": function, "library": self.library, "python": python_folders(), "hidden": self.masked(),
                "seconds": seconds, "wall": 3 * seconds, "memory": self.assignment.memory}).encode()
            request.write(len(head).to_bytes(8, "little") + head + wire.pack(plain, arrays))
            request.seek(0)
            data, ended = talk(request, printed, 3 * seconds + 20)
            printed.seek(0)
            if output is not None:
                output.append(printed.read(2000).decode("utf-8", "replace"))
        if "broken" in ended:
            raise OSError(ended["broken"])
        return read(data, ended, seconds, public, Path(submission))

    def masked(self) -> Any:
        """Folders that may lie below a shown one, and must not be seen: other packages, ours, the assignments."""
        others = [os.path.join(base, name) for base in (*python_folders(), "/usr/lib/python3", "/usr/local/lib/python3")
                  for name in ("site-packages", "dist-packages")]
        return [*others, *self.hidden]


def talk(request: Any, printed: Any, seconds: float) -> Any:
    """(the message, how it ended) of one child. Its process group, by its recorded number, is ended in every case."""
    result, result_end = os.pipe()
    status, status_end = os.pipe()
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-u", str(HERE / "child.py"), str(result_end), str(status_end)],
            stdin=request, stdout=printed, stderr=printed, pass_fds=(result_end, status_end), start_new_session=True,
            cwd="/",
            env={"PATH": "", "HOME": "/tmp", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                 "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
                 **({"MINIGRAD_KERNELS": "numpy"} if kernels.isa == "numpy" else {})})     # no warning that they are
    except BaseException:
        for one in (result, result_end, status, status_end):
            os.close(one)
        raise
    os.close(result_end)
    os.close(status_end)
    try:
        return listen(result, status, time.monotonic() + seconds)
    finally:
        os.killpg(child.pid, signal.SIGKILL)             # not yet waited for: the number is still the child's own
        child.wait()
        os.close(result)
        os.close(status)


def listen(result: Any, status: Any, deadline: float) -> Any:
    """Read both pipes until the status is closed or time is up; of the result no more than one message."""
    data, lines, open_ends = bytearray(), bytearray(), {result, status}
    while status in open_ends:
        ready, _, _ = select.select(list(open_ends), [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return bytes(data), {"timeout": True}
        for one in ready:
            piece = os.read(one, 1 << 16)
            if not piece:
                open_ends.discard(one)
            elif one == status:
                lines += piece
            elif len(data) <= wanted(data):
                data += piece
    ended = {}
    for line in lines.decode().splitlines():
        ended |= json.loads(line)
    if result in open_ends:                              # what was written before the end is still in the pipe
        os.set_blocking(result, False)
        while len(data) <= wanted(data):
            try:
                piece = os.read(result, 1 << 16)
            except BlockingIOError:
                break
            if not piece:
                break
            data += piece
    return bytes(data), ended


def wanted(data: Any) -> Any:
    """The bytes that the message so far says it has; what is no message ends at its first 24."""
    if len(data) < wire.FRONT.size:
        return wire.FRONT.size
    try:
        return wire.FRONT.size + sum(wire.front(data))
    except wire.WireError:
        return wire.FRONT.size


def read(data: Any, ended: Any, seconds: float, public: Any, submission: Any) -> Any:
    """The arrays, or the Outcome that says why there are none."""
    code = ended.get("code")
    if ended.get("timeout") or code == -signal.SIGXCPU or (code == -signal.SIGKILL and ended["cpu"] >= seconds - 0.5):
        raise Outcome("timeout", f"no answer after {seconds:g} s of work ({3 * seconds:g} s in all)")
    if code is None:
        raise Outcome("crash", "the process that watches the submission was ended: no points")
    if code == OUTSIDE:
        raise Outcome("error", "the submission reached for a file, module or process that is not its own")
    try:
        plain, arrays = wire.unpack(data)
        kind = plain["kind"]
    except (wire.WireError, KeyError, TypeError) as error:
        how = f"by signal {-code}" if code < 0 else f"with exit status {code}"
        raise Outcome("error", f"what the submission sent cannot be read: {error}") if data else \
            Outcome("crash", f"no answer: the process ended {how}") from None
    if kind == "data":
        return arrays
    if kind == "memory":
        raise Outcome("memory", f"more memory was asked for than the limit allows{place(plain.get('at'), submission)}")
    name, message = str(plain.get("type")), str(plain.get("message"))
    if not public:
        name, message = name if name in BUILTIN else "an exception of its own", ""
    raise Outcome("error", f"{name}{': ' if message else ''}{message}{place(plain.get('at'), submission, message)}")


def place(at: Any, submission: Any, said: str = "") -> str:
    """Where it happened, read from our copy: what the child says is trusted for a name that we know and a number.

    The line itself is left out where it only repeats the message that was said, as the stub's do.
    """
    try:
        name, number = at
        files = {str(path.relative_to(submission)): path for path in submission.rglob("*.py")}
        line = files[name].read_text().splitlines()[number - 1].strip()
    except (TypeError, ValueError, KeyError, IndexError, OSError):
        return ""
    return f" (in {name}, line {number})" if said and said in line else f" (in {name}, line {number}: {line})"


def python_folders() -> list[str]:
    """The folders of Python's own library: what a child has for `sys.path` before ours."""
    compiled = [name for name in sys.path if os.path.basename(name) == "lib-dynload"]
    return [sysconfig.get_path("stdlib"), *compiled]


def numpy_folders() -> list[str]:
    """NumPy, and the libraries that its wheel brings along."""
    home = Path(np.__file__).resolve().parent
    beside = [home.parent / "numpy.libs"]
    return [str(path) for path in (home, *beside) if path.is_dir()]
