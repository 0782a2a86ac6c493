"""What grading found: one record, from which every report is written."""
from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from minigrad import __version__
from minigrad.files import write_atomically

STATUSES = ("passed", "failed", "error", "timeout", "memory", "crash")


@dataclass
class Result:
    """One test. points: what it gave, of most. visibility: "public" or "hidden". seconds: wall clock.

    message: why it was not passed. output: what was printed in a public test. images: (label, got, want), two paths.
    """
    id: str
    number: str
    name: str
    points: float
    most: float
    status: str
    visibility: str
    message: str = ""
    seconds: float = 0.0
    output: str = ""
    images: list[Any] = field(default_factory=list)


@dataclass
class Suite:
    """The student's own tests. status: "passed" if they pass the solution, else why they were not graded.

    killed: for each mutant (id, message, the names of the tests that failed it). tests: all names.
    """
    points: float = 0.0
    most: float = 0.0
    status: str = "passed"
    message: str = ""
    tests: list[Any] = field(default_factory=list)
    mutants: list[Any] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum(bool(tests) for _, _, tests in self.mutants)


@dataclass
class Record:
    """One submission: tests in their order, the suite if one was asked for, what was left out, and what held."""
    assignment: str
    title: str
    student: str
    seed: str
    tests: list[Any] = field(default_factory=list)
    suite: Suite | None = None
    notes: list[Any] = field(default_factory=list)
    level: str = ""
    guarantees: list[Any] = field(default_factory=list)
    seconds: float = 0.0
    versions: dict[str, Any] = field(default_factory=lambda: {
        "minigrad": __version__, "NumPy": np.__version__, "Python": platform.python_version()})

    @property
    def points(self) -> float:
        return sum(one.points for one in self.tests) + (self.suite.points if self.suite else 0)

    @property
    def most(self) -> float:
        return sum(one.most for one in self.tests) + (self.suite.most if self.suite else 0)

    def passed(self, visibility: str) -> tuple[int, int]:
        """(passed, all) of the public or the hidden tests."""
        chosen = [one for one in self.tests if one.visibility == visibility]
        return sum(one.status == "passed" for one in chosen), len(chosen)

    def dict(self) -> dict[str, Any]:
        """All of it as plain data, with the totals."""
        return asdict(self) | {"points": self.points, "most": self.most}


def write(path: Any, text: str) -> None:
    """A file whole or not at all: whoever ends the grader half-way leaves no points behind."""
    write_atomically(path, [text.encode()])


def as_json(data: Any) -> str:
    """JSON with every number as itself and arrays as lists; a NaN becomes null, which every reader knows."""
    def plain(value):
        if isinstance(value, np.ndarray):
            return plain(value.tolist())
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value
    return legible(json.dumps(plain(data), indent=1, ensure_ascii=False) + "\n")


def legible(text: str) -> str:
    """Text that can be written: half a surrogate pair, in a file name or a student's message, becomes "?"."""
    return text.encode("utf-8", "replace").decode()
