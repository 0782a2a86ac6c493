"""Newton and the saddles: runs with --quick, prints what it says, and writes a PNG."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script, png, said", [
    ("newton_and_saddles.py", "newton_and_saddles.png", ["saddle (eigenvalues -2.000 to +2.000)", "minimum   6"]),
])
def test_runs_quickly_and_shows_its_numbers(script, png, said, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, ROOT / "examples" / script, "--quick", "--out", tmp_path], text=True,
                          capture_output=True, timeout=120, env=environment, check=True)
    for text in said:
        assert text in done.stdout
    assert (tmp_path / png).read_bytes()[:4] == b"\x89PNG"
