"""The examples of the texts run, and print what the texts say they print."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def examples():
    """(file, code, what follows it in the text) of every Python block in README and CONTRIBUTING."""
    for name in ("README.md", "CONTRIBUTING.md"):
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
    for path in re.findall(r"`((?:tests|examples|benchmarks|docs)/[\w/.]+)", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(minigrad(?:\.\w+)+)`", text):
        parts = name.split(".")
        thing = importlib.import_module(parts[0])
        for part in parts[1:]:
            thing = getattr(thing, part)
