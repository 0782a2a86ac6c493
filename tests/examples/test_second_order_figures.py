"""The figures of 8.2.7 and 8.6 run with --quick, print what they say, and write a PNG."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script, png, said", [
    ("figures/fig_8_04_wrong_side.py", "fig_8_04_wrong_side.png", ["BFGS", "ends left", "ends right"]),
    ("figures/fig_8_06_steepest_descent.py", "fig_8_06_steepest_descent.png",
     ["stopped after 2 (tolerance)", "the bound is 0.6694"]),
    ("newton_and_saddles.py", "newton_and_saddles.png", ["saddle (eigenvalues -2.000 to +2.000)", "minimum   6"]),
])
def test_runs_quickly_and_shows_its_numbers(script, png, said, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, ROOT / "examples" / script, "--quick", "--out", tmp_path], text=True,
                          capture_output=True, timeout=120, env=environment, check=True)
    for text in said:
        assert text in done.stdout
    assert (tmp_path / png).read_bytes()[:4] == b"\x89PNG"
