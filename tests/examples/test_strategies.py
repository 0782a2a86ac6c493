"""The examples of 8.7 run with --quick, print what their text says, and write a PNG."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]


def quick(script, folder):
    """What examples/strategies/<script> prints with --quick; no warning, and a picture of its name in the folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "MINIGRAD_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "error", ROOT / "examples" / "strategies" / script, "--quick", "--out",
                           folder], text=True, capture_output=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert (folder / Path(script).with_suffix(".png")).read_bytes()[:4] == b"\x89PNG"
    return done.stdout


def test_coordinate_descent(tmp_path):
    said = quick("coordinate_descent.py", tmp_path)
    valley = re.findall(r"^ *(\S+) +(0\.\d{8}) +(0\.\d{8}) +(\d+) +1$", said, re.MULTILINE)
    assert [row[0] for row in valley] == ["1.0", "0.1", "0.01"] and all(row[1] == row[2] for row in valley)
    assert [int(row[3]) for row in valley] == [11, 71, 670]
    ours, same, longer = (float(J) for J in re.findall(r"(\d+\.\d+) \+-", said))
    assert ours < longer < same and "never climbed" in said
