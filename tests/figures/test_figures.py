"""The figures of the chapter: the command draws each, quickly, in every format, and they print what their texts say."""
import re
import sys
import types
from pathlib import Path

import pytest

from minigrad import __main__ as command
from minigrad import figures
from minigrad.figures import page

matplotlib = pytest.importorskip("matplotlib")
SAID = {                                  # what a quick figure prints, whatever the machine
    "8.1": [r"validation error: \d+\.\d % ->", r"largest rate that does not raise J \(8\.10\)"],
    "8.2": [r"start .*doctor: saddle\n", r"the largest rise between neighbours is 0\n",
            r"start  J = (\S+) .*\nend    J = (\S+) .*\nstraight line: \d+ values from \1 to \2;"],
    "8.3": [r"not clipped .* largest +64; longest step +3\.192", r"norm clipped .* longest step +0\.100"],
    "8.4": ["BFGS", "ends left", "ends right"],
    "8.5": [r"gradient descent +J = +8\.9093", r"alpha 0\.9 +speed after 100 steps +10\.00"],
    "8.6": [r"stopped after 2 \(tolerance\)", r"the bound is 0\.6694"],
    "8.7": [r"\(a\) one hidden layer +\d+\.\d+ %", r"\(d\) both fine-tuned +[12]?\d\.\d+ %"],
}


@pytest.mark.parametrize("number", figures.FIGURES)
def test_each_is_drawn_by_its_number(number, tmp_path, capsys):
    figures.main([number, "--quick", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    for pattern in SAID[number]:
        assert re.search(pattern, said), said
    assert (tmp_path / f"{figures.FIGURES[number]}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("form, magic", [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_other_formats(form, magic, tmp_path):
    figures.main(["8.5", "--quick", "--out", str(tmp_path), "--format", form])
    assert (tmp_path / f"fig_8_05_momentum.{form}").read_bytes().startswith(magic)


def test_every_file_of_the_room_is_in_the_command_and_its_text_says_how_to_draw_it():
    folder = Path(figures.__file__).parent
    assert sorted(path.stem for path in folder.glob("fig_*.py")) == sorted(figures.FIGURES.values())
    for number, name in figures.FIGURES.items():
        text = (folder / f"{name}.py").read_text()
        assert f"python -m minigrad figures {number} " in text
        for heading in ("What it shows", "What to look at", "Try"):
            assert f"**{heading}.**" in text, f"{name}: {heading}"


def test_a_number_that_is_none_is_named(capsys):
    with pytest.raises(SystemExit) as stop:
        figures.main(["8.99"])
    assert stop.value.code == 2 and "no figure 8.99; there are 8.1, 8.2" in capsys.readouterr().err


def test_the_commands_of_the_package(capsys):
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert "instruction set" in said and "figures ..." in said
    assert command.main(["figurs"]) == 2
    assert "no command 'figurs'; there are figures" in capsys.readouterr().err


def test_without_matplotlib_the_numbers_are_printed_all_the_same(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    figures.main(["8.5", "--quick", "--out", str(tmp_path)])
    heard = capsys.readouterr()
    assert "speed after" in heard.out and "pip install matplotlib" in heard.err and not list(tmp_path.iterdir())


def test_a_page_in_a_notebook_leaves_the_kernels_arguments_alone(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kernel", "-f", "connection.json"])
    with pytest.raises(SystemExit):
        page.Page("A page")
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert page.Page("A page").quick is False
    shell.__class__ = type("TerminalInteractiveShell", (), {})          # in a terminal
    with pytest.raises(SystemExit):
        page.Page("A page")


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        page.Page("A page", ["--out", str(tmp_path / "file")])
    assert stop.value.code == 2 and "is not a folder" in capsys.readouterr().err


def test_an_svg_is_the_same_file_each_time(tmp_path):
    files = []
    for k in range(2):
        sheet = page.Page("A page", ["--out", str(tmp_path / str(k)), "--format", "svg"])
        sheet.draw("line", lambda figure: figure.subplots().plot([1, 2], [3, 4]))
        files.append(sheet.written[0].read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("change", [{"CONDITION": 1.0}, {"START": (0.0, 1.0)}], ids=str)
def test_figure_8_6_where_one_search_is_enough(change, monkeypatch, tmp_path, capsys):
    """What its text asks to try: a round bowl, a start on an axis of the ellipse."""
    from minigrad.figures import fig_8_06_steepest_descent as figure
    for name, value in change.items():
        monkeypatch.setattr(figure, name, value)
    figure.main(["--quick", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert said.count("stopped after 1 (tolerance)") == 2 and "in the first search" in said
