"""The runner that plants faults: what it plants changes one place, and its list of equivalents is current."""
import ast
import importlib.util
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("minigrad_mutants", ROOT / "tests" / "mutants.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


PLANTED = {
    "y = a + b": ["y = a - b"],
    "if a is not None and b < 1: f(x)": ["if a is None and b < 1: f(x)", "if a is not None or b < 1: f(x)",
                                         "if a is not None and b <= 1: f(x)", "if a is not None and b < 2: f(x)",
                                         "if a is not None and b < 1: pass"],
    "x -= -y": ["x += -y", "x -= y"],
    "z = not (p) * (0.5)": ["z = (p) * (0.5)", "z = not (p) / (0.5)", "z = not (p) * (1.0)"],
    '"é" ; q = True': ['"é" ; q = False'],
    'raise ValueError("n < 1" + name)': [],
}


@pytest.mark.parametrize("text", PLANTED)
def test_what_is_planted_in_a_line_of_python(runner, text):
    found = [text[:at] + new + text[at + len(old):] for at, old, new in runner.PythonChanges(text)]
    assert sorted(found) == sorted(PLANTED[text])
    for changed in found:
        ast.parse(changed)


def test_what_is_planted_in_c(runner):
    text = '/* a + b */\n#define N 2 + 1\nx = i < n ? "1 + 1" : y[2];  // + 3\ny += 10;\n'
    found = [text[:at] + new + text[at + len(old):] for at, old, new in runner.c_changes(text)]
    assert sorted(found) == sorted([text.replace("i < n", "i <= n"), text.replace("y[2]", "y[3]"),
                                    text.replace("y += 10", "y -= 10")])


def test_every_room_has_mutants_and_tests(runner):
    for room, (files, tests) in runner.ROOMS.items():
        assert all(list(ROOT.glob(pattern)) for pattern in files), f"{room}: a pattern finds no file"
        assert all(list(ROOT.glob(path)) for path in tests), f"{room}: a test is missing"


def test_every_file_is_in_a_room(runner):
    """A room that is not in the table is a hole: nothing would ever be planted there."""
    there = {path for pattern in ("minigrad/**/*.py", "minigrad_ext/*.pyx", "minigrad_ext/*.pxd", "minigrad_ext/*.h")
             for path in ROOT.glob(pattern)}
    found = {path for files, _ in runner.ROOMS.values() for pattern in files for path in ROOT.glob(pattern)}
    assert found == {path for path in there if path != ROOT / "minigrad_ext" / "__init__.py"}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_only_lines_changed_since_a_commit(runner, tmp_path, monkeypatch):
    (tmp_path / "room.py").write_text("a = 1\nb = 2\nc = 3\n")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b.c commit -qm one"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "room.py").write_text("new = 0\na = 1\nb = 4\nc = 3\n")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "ROOMS", {"room": (["room.py"], [])})
    assert [mutant.text for mutant in runner.candidates("room", "HEAD")] == ["new = 0", "b = 4"]
    assert [mutant.text for mutant in runner.candidates("room")] == ["new = 0", "a = 1", "b = 4", "c = 3"]


def test_the_same_seed_draws_the_same_mutants(runner):
    first, again = (runner.drawn(["engine", "batches"], 10, seed=4) for _ in range(2))
    assert first == again and len({mutant.key for mutant in first}) == 10
    assert {mutant.room for mutant in first} == {"engine", "batches"}


def test_a_header_belongs_to_the_families_that_include_it(runner):
    assert runner.families("minigrad_ext/pool_body.h") == ["pool"]
    assert {"conv", "matmul", "optim"} <= set(runner.families("minigrad_ext/gate.pxd"))
    assert runner.families("minigrad_ext/helpers.h") == runner.families("minigrad_ext/runtime.pyx") == ["runtime"]
    assert {"norm", "optim", "runtime"} <= set(runner.families("minigrad_ext/runtime.pxd"))


def test_the_listed_equivalents_are_mutants_of_today(runner):
    """A line that was changed needs its proof anew."""
    listed = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())["mutants"]
    today = {mutant.key for room in runner.ROOMS for mutant in runner.candidates(room)} if listed else set()
    for entry in listed:
        assert entry["mutant"] in today, f"no such mutant any more: {entry['mutant']}"
        assert len(entry["proof"]) > 20, entry["mutant"]
