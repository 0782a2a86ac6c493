"""The examples of the texts run, and print what the texts say they print."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def examples():
    """(file, code, what follows it in the text) of every Python block in README, CONTRIBUTING and the tutorials."""
    tutorials = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "tutorials").glob("*.md"))
    for name in ("README.md", "CONTRIBUTING.md", *tutorials):
        text = (ROOT / name).read_text()
        for match in re.finditer(r"```python\n(.*?)```(.*?)(?=```|\Z)", text, re.S):
            yield pytest.param(match[1], match[2], id=f"{name}-{text[:match.start()].count(chr(10)) + 1}")


@pytest.mark.parametrize("code, after", list(examples()))
def test_example_prints_what_the_text_says(code, after):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = re.match(r"\s*It prints `([^`]*)`", after)
    if said:
        assert done.stdout.strip() == said[1]
    else:
        shown = re.findall(r"#>? ?(.*)", code)
        for line in done.stdout.strip().splitlines():
            assert any(line.strip() in comment for comment in shown), f"printed {line!r}, the text shows {shown}"


def test_ci_runs_the_test_command_of_the_readme():
    text = (ROOT / "README.md").read_text()
    command = re.search(r"<!-- tests -->\n```\n(.*?)\n```", text)[1]
    assert command.startswith("python3 -m venv .venv && ") and "pytest" in command
    assert "README.md" in (ROOT / ".ci" / "run").read_text()


def test_every_name_and_file_in_the_reading_guide_exists():
    import importlib

    text = (ROOT / "docs" / "chapter8.md").read_text()
    for path in re.findall(r"`((?:tests|examples|benchmarks|docs|minigrad)/[\w/.]+)", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(minigrad(?:\.\w+)+)`", text):
        parts = name.split(".")
        thing = importlib.import_module(parts[0])
        for part in parts[1:]:
            thing = getattr(thing, part)


def reading_guide():
    """(section, names, tests, examples) of every row of docs/chapter8.md that opens something of minigrad's."""
    for line in (ROOT / "docs" / "chapter8.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 4 and "`minigrad" in cells[1]:
            yield pytest.param(re.findall(r"`(minigrad(?:\.\w+)+)`", cells[1]), re.findall(r"`([\w/]+\.py)", cells[2]),
                               re.findall(r"`([\w/]+\.py)", cells[3]), id=cells[0].replace(" ", "-")[:40])


def rows_of_the_reading_guide():
    """(columns, cells) of every row of the tables that lead from a section to a name, a test and an example."""
    columns = None
    for line in (ROOT / "docs" / "chapter8.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        if not line.startswith("|"):
            columns = None
        elif "tested by" in cells:
            columns = cells
        elif columns and not set(line) <= set("|-"):
            yield columns, cells


def test_the_reading_guide_has_no_empty_cell():
    rows = list(rows_of_the_reading_guide())
    assert len(rows) > 70
    for columns, cells in rows:
        assert columns[1:] == ["open", "tested by", "run", "look at"] and len(cells) == 5, cells[0]
        assert all(cells) and "none yet" not in " ".join(cells), f"{cells[0]}: an empty cell"


def test_names_and_files_in_the_reading_guide_are_links_to_what_they_name():
    for _, cells in rows_of_the_reading_guide():
        for column, cell in zip(("open", "tested by", "run"), cells[1:4]):
            links = re.findall(r"\[`([^`]+)`\]\(\.\./([^)]+)\)", cell)
            assert links and len(links) == cell.count("`") // 2, f"{cells[0]}: {column} has names that are no links"
            for name, path in links:
                assert (ROOT / path).is_file(), path
                if column == "open":
                    own, text = name.split(".")[-1], (ROOT / path).read_text()
                    itself = Path(path).stem in (own, "__init__")
                    assert itself or re.search(rf"\b(class|def) {own}\b", text), f"no {name} in {path}"
                else:
                    assert name.split()[0] == path


def test_every_section_of_the_chapter_and_of_the_notes_has_a_row():
    sections = " ".join(cells[0] for _, cells in rows_of_the_reading_guide())
    wanted = ["8.1.1", "8.1.3", *(f"8.2.{i}" for i in range(1, 9)), "8.3.1", "8.3.2", "8.3.3",
              *(f"8.5.{i}" for i in range(1, 5)), "8.6.1", "8.6.2", "8.6.3",
              *(f"8.7.{i}" for i in range(1, 7)), "weight space symmetry",
              "halving", "dropout", "augmentation", "ResNet", "transfer", "ensembles"]
    assert not [section for section in wanted if section not in sections]


def used(path, seen=None):
    """Every name that the code of a file uses, and the code of the examples that it imports: not what it mentions."""
    seen = set() if seen is None else seen
    if path in seen:
        return set()
    seen.add(path)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names.add(node.value)             # getattr(optim, "BFGS"), a table of names
        elif isinstance(node, ast.ImportFrom | ast.Import):
            for module in [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]:
                beside = path.parent / f"{(module or '').split('.')[-1]}.py"
                if "examples" in path.parts and beside.exists():
                    names |= used(beside, seen)
    return names


@pytest.mark.parametrize("names, tests, examples", list(reading_guide()))
def test_what_the_reading_guide_links_uses_what_it_opens(names, tests, examples):
    assert tests, "a row names the tests that hold it"
    for paths in [tests, examples] if examples else [tests]:
        known = set().union(*[used(ROOT / path) for path in paths])
        unused = [name for name in names if name.split(".")[-1] not in known]
        assert not unused, f"{', '.join(paths)}: no use of {', '.join(unused)}"


def test_nobody_is_told_to_install_somebody_elses_package():
    """"minigrad" on the package index is another project: ours is minigrad-book there, or `.` in a checkout."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "minigrad-book"
    extras = [need for needs in project["optional-dependencies"].values() for need in needs]
    assert not [need for need in extras if re.match(r"minigrad(?!-book)\b", need)]
    for path in [file for pattern in ("*.md", "docs/*.md", "examples/**/*.py", "benchmarks/*.py", "minigrad/**/*.py")
                 for file in ROOT.glob(pattern)]:
        assert not re.search(r"pip install [^\n]*\bminigrad(?!-book)\b", path.read_text()), path
