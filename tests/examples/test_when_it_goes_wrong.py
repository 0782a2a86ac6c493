"""Five faults are found by their tools, and right programs are not accused."""
import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[2] / "examples" / "when_it_goes_wrong.py"
    spec = importlib.util.spec_from_file_location("when_it_goes_wrong", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", ["overflow", "wrong_rule", "by_hand", "broadcast", "stuck"])
def test_the_fault_is_found_and_the_right_program_is_not_accused(page, fault, seed):
    assert getattr(page, fault)(seed, True) is not None
    assert getattr(page, fault)(seed, False) is None


def test_what_is_said_names_the_place(page):
    assert "exp made" in page.overflow(0, True) and "e = ops.exp(z)" in page.overflow(0, True)
    assert page.wrong_rule(0, True).startswith("squash: argument 0")
    assert "dJ/dz" in page.by_hand(0, True) and "factor 6" in page.by_hand(0, True)
    assert "subtract" in page.broadcast(0, True)


def test_the_page_runs_and_draws(page, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert capsys.readouterr().out.count(": found 2 of 2, 0 false alarms") == 5
    assert (tmp_path / "when_it_goes_wrong.png").read_bytes()[:4] == b"\x89PNG"
