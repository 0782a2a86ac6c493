"""The examples of 8.1.2, 8.1.3 and resuming run with --quick, print what they say, and write a PNG."""
import re
import sys

import pytest


def test_surrogate_loss(quick):
    said = quick("surrogate_loss.py")
    fell = float(re.search(r"fell by another (-?[\d.]+) %", said)[1])
    assert fell > 0 and re.search(r"first without mistakes .* 0\.00 %", said) and "watching the 0-1 error" in said


def test_batch_size(quick):
    said = quick("batch_size.py")
    assert float(re.search(r"slope .*: (-[\d.]+)", said)[1]) == pytest.approx(-0.5, abs=0.03)
    ratios = [float(line.split()[3]) for line in said.split("ratio\n")[1].split("slope")[0].splitlines()]
    assert len(ratios) == 6 and all(0.85 < ratio < 1.15 for ratio in ratios)
    assert "the lowest loss for the time" in said


@pytest.mark.skipif(sys.platform == "win32", reason="signals to oneself")
@pytest.mark.parametrize("before", [[], ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]], ids=["", "SIGINT ignored"])
def test_resume(quick, before):
    """Also where Ctrl-C is ignored, as in a shell's background: there nothing was interrupted, and nothing proved."""
    said = quick("resume.py", *before)
    assert "\nthe same bits\n" in said and "interrupted at epoch 2" in said and "killed by signal 9" in said
    hashes = re.findall(r"finished at epoch 8, step 80, parameters (\w+)", said)
    assert len(hashes) == 3 and len(set(hashes)) == 1
