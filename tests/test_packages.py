"""What is built and handed out: one version; a wheel of Python alone, which runs where no thread can start."""
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).resolve().parents[1]


def needs_setuptools():
    if int(pytest.importorskip("setuptools").__version__.split(".")[0]) < 77:
        pytest.skip("pyproject.toml asks for setuptools 77")


def build(folder, *command, **switches):
    """setup.py in a copy of the checkout: what it prints."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    without = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.c", "train-*", "t10k-*")
    for name in ("minigrad", "minigrad_ext"):
        shutil.copytree(ROOT / name, folder / name, ignore=without, dirs_exist_ok=True)
    done = subprocess.run([sys.executable, "setup.py", "-q", *command], cwd=folder, capture_output=True, text=True,
                          timeout=600, env=os.environ | switches)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_version_and_one_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = dict(re.findall(r"^(\w+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.M))
    assert citation["version"] == project["version"] == minigrad.__version__
    assert citation["license"] == project["license"]


# No thread and no process can be started, as in a browser; and NumPy's twins run without a word about a compiler.
WITHOUT_THREADS = """
import _thread, os, sys, warnings
def refuse(*_, **__): raise RuntimeError("can't start new thread")
_thread.start_new_thread = _thread.start_joinable_thread = refuse
import threading
threading._start_new_thread = threading._start_joinable_thread = refuse
for name in ("fork", "register_at_fork"):
    delattr(os, name)
import numpy as np
sys.platform = "emscripten"
sys.modules["minigrad_ext"] = None                          # where the tests run, compiled kernels are installed
warnings.simplefilter("error")
import minigrad as mg
from minigrad import data, losses, nn, optim, training
assert mg.kernels.isa == "numpy" and not mg.kernels.compiled and not mg.kernels.missing
x, y = data.toy.moons(200, rng=0)
model = nn.Sequential(nn.Linear(2, 16, rng=1), nn.Tanh(), nn.Linear(16, 2, rng=2))
run = training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=0.05),
                   data.batches(x, y, batch_size=50, rng=0), epochs=5, progress=False)
print(mg.__file__, run.losses[0] > 1.5 * run.losses[-1])
"""


def test_a_wheel_of_python_alone_trains_where_no_thread_can_start(tmp_path):
    needs_setuptools()
    source, there = tmp_path / "source", tmp_path / "there"
    source.mkdir()
    build(source, "bdist_wheel", MINIGRAD_PURE="1", MINIGRAD_REQUIRE_EXT="0")
    wheel, = (source / "dist").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(there)
    assert not [name for name in names if name.startswith("minigrad_ext") or name.endswith(".so")]
    assert "minigrad/py.typed" in names and "minigrad/core/tensor.py" in names
    done = subprocess.run([sys.executable, "-c", WITHOUT_THREADS], cwd=tmp_path, capture_output=True, text=True,
                          timeout=120, env=os.environ | {"PYTHONPATH": str(there), "MINIGRAD_REQUIRE_EXT": "0"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(there / "minigrad" / "__init__.py"), "True"]


def test_an_editable_installation_is_a_path_that_editors_follow(tmp_path):
    """setuptools' other way is a hook on imports, which pyright and editors do not run: for them nothing is there."""
    needs_setuptools()
    source, there = tmp_path / "source", tmp_path / "there"
    source.mkdir()
    build(source, "editable_wheel", "--dist-dir", str(there), MINIGRAD_PURE="1", MINIGRAD_REQUIRE_EXT="0")
    wheel, = there.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        path, = (name for name in archive.namelist() if name.endswith(".pth"))
        assert Path(archive.read(path).decode().strip()).samefile(source)


@pytest.mark.long
def test_a_kernel_built_for_another_abi_does_not_stand_in_the_way_of_a_new_one(tmp_path):
    """Python takes the first suffix of its list: what an earlier build left there is removed."""
    needs_setuptools()
    pytest.importorskip("Cython")
    from importlib.machinery import EXTENSION_SUFFIXES
    (tmp_path / "minigrad_ext").mkdir()
    for suffix in EXTENSION_SUFFIXES:
        (tmp_path / "minigrad_ext" / f"runtime{suffix}").write_bytes(b"of an earlier build")
    build(tmp_path, "build_ext", "--inplace", MINIGRAD_ONLY="runtime")
    built, = (path for path in (tmp_path / "minigrad_ext").iterdir() if path.name.startswith("runtime.")
              and path.suffix in (".so", ".pyd"))
    assert built.stat().st_size > 1000
