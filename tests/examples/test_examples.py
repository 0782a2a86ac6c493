"""Every example runs as a student runs it: exit code 0, the picture it promises, no warning on stderr.

Examples that another file of this folder runs are not run twice here. All are found by looking, so a new one is tested
(with --quick) from the day it is written.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
QUICK = ["--quick"]
# Smaller than --quick, or instead of it where there is none.
SMALLEST = {
    "init_search.py": ["--trials", "2", "--steps", "2", "--workers", "1"],
    "mnist/convnet.py": ["--examples", "64", "--epochs", "1"],
    "mnist/mlp.py": ["--layers", "8", "--epochs", "1", "--batch", "1000"],
    "mnist/second_order.py": [*QUICK, "--hidden", "8"],
}
PICTURES = {
    "mnist/convnet.py": ["convnet_adam_lr0.002_epochs1_examples64.png", "convnet_filters.png", "convnet_mistakes.png"],
    "mnist/mlp.py": ["mlp_adam_lr0.002_batch1000_epochs1_layers8.png"],
    "optimizers_on_surfaces.py": ["optimizers_on_surfaces.png", "optimizers_on_surfaces_trace.png",
                                  "optimizers_on_surfaces.gif"],
}


def scripts():
    """Every file of examples/ that can be run, as its path below it."""
    return sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")
                  if '__name__ == "__main__"' in path.read_text(encoding="utf-8"))


def run_elsewhere():
    """Those that another file names, and those of whose file a test asks for what they say (conftest.py)."""
    others = {path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")
              if path.name != Path(__file__).name}
    asked = {stem for stem, text in others.items() if re.search(r"^def test_\w+\(.*\bsaid\b", text, re.MULTILINE)}
    return {script for script in scripts() if f"test_{Path(script).stem}" in asked
            or any(Path(script).name in text for text in others.values())}


def run(script, *options):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "MINIGRAD_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-W", "default", EXAMPLES / script, *map(str, options)], text=True,
                          capture_output=True, timeout=600, env=environment, cwd=ROOT)


def check(script, done, folder):
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    for name in PICTURES.get(script, [Path(script).stem + ".png"]):
        assert (folder / name).read_bytes()[:4] in (b"\x89PNG", b"GIF8")


@pytest.mark.parametrize("script", [script for script in scripts() if script not in run_elsewhere()])
def test_runs_and_draws(script, tmp_path):
    check(script, run(script, *SMALLEST.get(script, QUICK), "--out", tmp_path), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("script", [script for script in SMALLEST
                                    if "--quick" in (EXAMPLES / script).read_text(encoding="utf-8")])
def test_quick_runs_and_draws(script, tmp_path):
    check(script, run(script, *QUICK, "--out", tmp_path), tmp_path)


@pytest.mark.parametrize("script, options", [
    ("mnist/mlp.py", ["--lr", "-1"]), ("mnist/mlp.py", ["--optimizer", "adamant"]),
    ("mnist/mlp.py", ["--out", "README.md"]), ("mnist/convnet.py", ["--examples", "0"]),
    ("mnist/second_order.py", ["--passes", "nan"]),
])
def test_wrong_options_give_one_line(script, options):
    done = run(script, *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert options[0] in done.stderr


def test_a_search_goes_on_where_it_was_and_refuses_what_it_cannot_read(tmp_path):
    options = [*SMALLEST["init_search.py"], "--out", tmp_path]
    first = run("init_search.py", *options)
    assert first.returncode == 0, first.stderr
    kept = sorted((tmp_path / "init_search").glob("*.json"))
    assert len(kept) == 10
    kept[3].unlink()
    second = run("init_search.py", *options)
    assert "9 of 10 runs were done before" in second.stdout
    assert second.stdout.splitlines()[-11:] == first.stdout.splitlines()[-11:]
    kept[3].write_text(kept[3].read_text()[:-9])
    third = run("init_search.py", *options)
    assert third.returncode == 2
    assert len(third.stderr.splitlines()) == 1
    assert str(kept[3]) in third.stderr


def test_readme_names_every_example_and_every_section():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    missing = [script for script in scripts() if f"({script})" not in text]
    assert not missing
    for section in ("8.1.1", "8.1.2", "8.1.3", *(f"8.2.{i}" for i in range(1, 8)), "8.3.1", "8.3.2", "8.3.3", "8.4",
                    "8.5.1", "8.5.2", "8.5.3", "8.5.4", "8.6.1", "8.6.2", "8.6.3", *(f"8.7.{i}" for i in range(1, 7))):
        assert f"| {section} " in text, section
