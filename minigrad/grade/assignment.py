"""An assignment is a folder: one source with markers, of which the stub, the solution and all between are made.

    handout.md   source.py   adapter.py   drive.py   checks.py   mutants.py   test_mine.py   rubric.md

`source.py` is a whole solution. A region

        # BEGIN SOLUTION task 1: one step of algorithm 8.2
        self.v = ...
        # END SOLUTION

becomes `raise NotImplementedError("task 1: one step of algorithm 8.2")` for the student.
"""
from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigrad.arguments import number as checked

BEGIN = re.compile(r"^(?P<indent> *)# BEGIN SOLUTION (?P<message>task (?P<task>\d+): .+)$")
END = re.compile(r"^ *# END SOLUTION$")
VISIBILITIES = ("public", "hidden")


@dataclass
class Assignment:
    """What `checks.py` declares as `assignment = Assignment(...)`.

    title, sections (of the chapter), minutes (of a student's time). blocked: modules of minigrad, with all below them,
    or single functions, that stand empty in the copy of the library which a submission can import. module: the name of
    the student's file (default: the folder's without its number). subject: where tests are what is asked for, the
    module that they are about, a file of the folder that the students are given; module is then "test_mine". seconds:
    wall clock and processor time of one test. memory: MiB of address space. mutant_points: what the student's own
    test_mine.py is worth (0: it is not asked for). `load` fills in: folder, name, tasks (in the order of the file),
    mutants, equivalents.
    """
    title: str
    sections: str = ""
    minutes: int = 60
    blocked: tuple[Any, ...] = ()
    module: str = ""
    subject: str = ""
    seconds: float = 5
    memory: int = 1024
    mutant_points: float = 0
    folder: Path | None = None
    tasks: list[Any] = field(default_factory=list)
    mutants: list[Any] = field(default_factory=list)
    equivalents: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        checked("Assignment", "seconds", self.seconds, "(0, 600]")
        checked("Assignment", "memory (MiB)", self.memory, "[128, inf)")
        checked("Assignment", "mutant_points", self.mutant_points, "[0, inf)")

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def source(self) -> str:
        return (self.folder / "source.py").read_text()

    @property
    def points(self) -> float:
        """The most that a submission can reach."""
        return sum(one.points for one in self.tasks) + self.mutant_points

    def text(self, solved: Any = ()) -> str:
        """The student's file with the tasks `solved` done; `solved="all"` is the solution, () the stub."""
        return render(self.source, solved)

    @property
    def tested(self) -> str:
        """The module that students' own tests import."""
        return self.subject or self.module

    @property
    def right(self) -> str:
        """The right text of that module: the solution, or what is given."""
        return (self.folder / f"{self.subject}.py").read_text() if self.subject else self.text("all")

    @property
    def tests(self) -> str:
        """The reference tests of that module, which kill every mutant."""
        return self.text("all") if self.subject else (self.folder / "test_mine.py").read_text()

    def mutated(self, mutant: Any) -> str:
        """The right text with one line wrong. ValueError where the old text is not there exactly once."""
        text = self.right
        if text.count(mutant.old) != 1 or mutant.old == mutant.new:
            raise ValueError(f"{self.name}: mutant {mutant.id}: its old text stands {text.count(mutant.old)} times in "
                             f"the right text, and must be there once and change: {mutant.old!r}")
        return text.replace(mutant.old, mutant.new)


@dataclass(frozen=True)
class Mutant:
    """A wrong solution: `old`, found once in it, reads `new`. message: what a suite that misses it does not see."""
    id: str
    old: str
    new: str
    message: str


@dataclass(frozen=True)
class Task:
    """One check: `function(case)` returns if the submission is right. number "1.2" belongs to task 1 of the source."""
    number: str
    name: str
    points: float
    visibility: str
    function: object

    @property
    def id(self) -> str:
        return self.function.__name__

    @property
    def group(self) -> int:
        return int(self.number.split(".")[0])


def task(number: Any, name: str, points: float = 1, visibility: str = "hidden") -> Callable[..., Any]:
    """Decorator for a check in checks.py. ValueError for a visibility that is neither "public" nor "hidden"."""
    if visibility not in VISIBILITIES:
        raise ValueError(f"task {number}: visibility must be {' or '.join(VISIBILITIES)}, got {visibility!r}")
    if not re.fullmatch(r"\d+\.\d+", number):
        raise ValueError(f"task: number must read like '1.2' (task 1, test 2), got {number!r}")
    points = checked(f"task {number}", "points", points, "[0, inf)")

    def register(function):
        function.task = Task(number, name, points, visibility, function)
        return function
    return register


def render(source: str, solved: Any = ()) -> str:
    """source without its markers; regions of tasks not in `solved` raise NotImplementedError. ValueError: markers."""
    lines, kept, region = [], [], None
    for at, line in enumerate(source.splitlines(), 1):
        begin = BEGIN.match(line)
        if begin or END.match(line):
            if bool(begin) == bool(region):
                raise ValueError(f"source.py:{at}: {'a region inside a region' if begin else 'END without BEGIN'}")
            if begin:
                region, kept = begin, []
            else:
                done = solved == "all" or int(region["task"]) in solved
                missing = f'{region["indent"]}raise NotImplementedError({json.dumps(region["message"])})'
                lines += kept if done else [missing]
                region = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            raise ValueError(f"source.py:{at}: a marker reads '# BEGIN SOLUTION task 1: what to write', got {line!r}")
        elif region:
            kept.append(line)
        else:
            lines.append(line)
    if region:
        raise ValueError(f"source.py: the region of {region['message']!r} has no end")
    return "\n".join(lines) + "\n"


def regions(source: str) -> Any:
    """The numbers of the tasks that source.py asks for, in their order."""
    found = [int(match["task"]) for match in map(BEGIN.match, source.splitlines()) if match]
    return sorted(set(found))


def load(folder: Path) -> Assignment:
    """The assignment in a folder, or of that name (or the start of it) among the examples. ValueError where none is."""
    folder = find(folder)
    checks = run_file(folder / "checks.py")
    assignment = getattr(checks, "assignment", None)
    if not isinstance(assignment, Assignment):
        raise ValueError(f"{folder / 'checks.py'}: there must be an `assignment = Assignment(...)`")
    assignment.folder = folder
    assignment.module = assignment.module or re.sub(r"^\d+_", "", folder.name)
    assignment.tasks = [one.task for one in vars(checks).values() if isinstance(getattr(one, "task", None), Task)]
    numbers = [one.number for one in assignment.tasks]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"{folder / 'checks.py'}: each check needs a number of its own, got {numbers}")
    if (folder / "mutants.py").exists():
        mutants = run_file(folder / "mutants.py")
        assignment.mutants, assignment.equivalents = list(mutants.MUTANTS), list(getattr(mutants, "EQUIVALENTS", ()))
    else:
        assignment.mutant_points = 0                     # a folder with the public tests alone: nothing to run them on
    return assignment


def shelf() -> Path:
    """Where the assignments of a checkout are; they are not part of an installed library."""
    return Path(__file__).resolve().parents[2] / "examples" / "assignments"


def on_shelf() -> list[Path]:
    """The folders of all examples. ValueError where minigrad is installed without them."""
    known = sorted(one.parent for one in shelf().glob("*/checks.py"))
    if not known:
        raise ValueError("an installed minigrad has no assignments: name one by its folder, which lies in "
                         "examples/assignments of a checkout, or run this command in the checkout")
    return known


def find(folder: Path) -> Path:
    """The folder meant: a path, a name, or the start of a name ("05", "momentum" for 05_momentum)."""
    path = Path(folder)
    if (path / "checks.py").is_file():
        return path.resolve()
    known = on_shelf()
    fitting = [one for one in known if str(folder) in (one.name, *one.name.split("_", 1))]
    if len(fitting) != 1:
        raise ValueError(f"no assignment {str(folder)!r}: a folder with a checks.py, or one of "
                         f"{', '.join(one.name for one in known)}")
    return fitting[0]


def run_file(path: Any) -> Any:
    """A Python file as a module of its own, not left in sys.modules: two assignments may both have a checks.py."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
