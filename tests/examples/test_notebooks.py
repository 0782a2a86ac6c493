"""The notebooks: one for each section, run as scripts (small), and in the long tests as the notebooks they become."""
import re
import runpy
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
SECTIONS = sorted(path.stem for path in FOLDER.glob("8_*.py"))


def test_there_is_one_for_each_section():
    assert [f"8_{k}" for k in range(1, 8)] == SECTIONS
    for section in SECTIONS:
        text = (FOLDER / f"{section}.py").read_text(encoding="utf-8")
        assert text.startswith(f"# %% [markdown]\n# # {section.replace('_', '.')} ")
        assert "**Try.**" in text and text.count("# %%\n") >= 3


@pytest.mark.parametrize("section", SECTIONS)
def test_as_a_script(section, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(sys, "argv", [f"{section}.py", "--quick", "--out", str(tmp_path)])
    runpy.run_path(str(FOLDER / f"{section}.py"), run_name="__main__")
    assert list(tmp_path.glob("*.png"))
    assert not re.search(r"\b(nan|inf)\b", capsys.readouterr().out)


@pytest.mark.long
def test_as_notebooks_all_within_five_minutes(tmp_path):
    """Each by a kernel of its own, whose command line is not for the page; pictures are among the outputs."""
    jupytext, nbclient = pytest.importorskip("jupytext"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    began = time.perf_counter()
    for section in SECTIONS:
        notebook = jupytext.read(FOLDER / f"{section}.py")
        nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert any("image/png" in output.get("data", {}) for output in outputs), section
        assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert time.perf_counter() - began < 300
