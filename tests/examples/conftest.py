"""Examples as modules, for the test file of their name, and as commands; what their quick versions say."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def page(request):
    """examples/NAME.py as a module, for test_NAME.py."""
    name = request.path.stem.removeprefix("test_")
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def said(page, tmp_path, capsys):
    """What `page` prints with --quick; the picture of its name was drawn."""
    pytest.importorskip("matplotlib")
    page.main(["--quick", "--out", str(tmp_path)])
    assert (tmp_path / f"{page.__name__}.png").read_bytes()[:4] == b"\x89PNG"
    return capsys.readouterr().out


@pytest.fixture
def quick(tmp_path):
    """quick(script): what examples/script prints with --quick as a command of its own, without a warning; the picture
    of its name was drawn. `before` goes in front of the command."""
    pytest.importorskip("matplotlib")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "MINIGRAD_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def run(script, *before):
        command = [*before, sys.executable, "-W", "error", EXAMPLES / script, "--quick", "--out", tmp_path]
        done = subprocess.run(command, text=True, capture_output=True, timeout=300, env=environment)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"{Path(script).stem}.png").read_bytes()[:4] == b"\x89PNG"
        return done.stdout

    return run
