"""Figure 8.2 runs with --quick, prints what it shows, and writes a PNG."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


def test_figure_8_02_runs_quickly_and_shows_its_numbers(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "examples/figures/fig_8_02_cost_along_training.py", "--quick",
                           "--out", tmp_path], text=True, capture_output=True, timeout=120, check=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert re.search(r"^start .*doctor: saddle$", done.stdout, re.MULTILINE)
    assert "the largest rise between neighbours is 0\n" in done.stdout
    assert (tmp_path / "fig_8_02_cost_along_training.png").read_bytes()[:4] == b"\x89PNG"
