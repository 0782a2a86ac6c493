"""The lab plans: two hours each, every linked file is there, every command can be typed, every name can be changed."""
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LABS = sorted((ROOT / "docs" / "labs").glob("8_*.md"))
SHARED = {"--quick", "--out", "--format"}                  # of every page
every_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)


def commands(text):
    return [shlex.split(line) for line in re.findall(r"^    (python .*)$", text, re.M)]


def scripts(words):
    """The files behind a command's words: an example, figures of the package, or another of its commands."""
    if words[1:3] != ["-m", "minigrad"]:
        return [ROOT / words[1]]
    if words[3] == "figures":
        from minigrad.figures import FIGURES
        return [ROOT / "minigrad" / "figures" / f"{FIGURES[number]}.py" for number in words[4:] if number[0] != "-"]
    return list((ROOT / "minigrad" / words[3]).glob("*.py"))


def test_there_is_one_for_each_section():
    assert [lab.stem for lab in LABS] == [f"8_{k}" for k in range(1, 8)]
    index = (ROOT / "docs" / "labs" / "README.md").read_text(encoding="utf-8")
    assert all(f"({lab.name})" in index for lab in LABS)


@every_lab
def test_it_takes_two_hours(lab):
    assert sum(map(int, re.findall(r"^\| (\d+) \|", lab.read_text(encoding="utf-8"), re.M))) == 120


@every_lab
def test_every_question_has_its_answer(lab):
    questions, answers = lab.read_text(encoding="utf-8").split("## Answers")
    asked = re.findall(r"^\*\*Question (\d+)\.\*\*", questions, re.M)
    assert asked == re.findall(r"^(\d+)\. ", answers, re.M) == [str(k) for k in range(1, len(asked) + 1)]
    assert len(asked) >= 5


@pytest.mark.parametrize("page", [*LABS, ROOT / "docs" / "labs" / "README.md"], ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).resolve().exists(), target


@every_lab
def test_every_command_has_its_script_and_its_options(lab):
    found = commands(lab.read_text(encoding="utf-8"))
    assert len(found) >= 3
    for words in found:
        assert scripts(words), words
        text = "".join(file.read_text(encoding="utf-8") for file in scripts(words))
        for option in (word for word in words if word.startswith("--")):
            assert option in SHARED or f'"{option}"' in text, (words, option)


@every_lab
def test_what_is_to_be_changed_and_looked_at_comes_from_its_commands(lab):
    text = lab.read_text(encoding="utf-8")
    files = [file for words in commands(text) for file in scripts(words)]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    for name in re.findall(r"\*\*Question \d+\.\*\* .*?\b([A-Z][A-Z_]+) = ", text):
        assert re.search(rf"^[A-Z_, ]*\b{name}\b[A-Z_, ]* = ", source, re.M), name
    for picture in re.findall(r"`out/(\w+)\.(?:png|gif)`", text):
        assert picture in [file.stem for file in files] or f'"{picture}"' in source, picture
