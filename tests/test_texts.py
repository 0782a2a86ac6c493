"""Whoever edits an `update`, a kernel's twin or a file of the engine, and runs, runs the edit; and is told so, once."""
import os
import pickle
import re
import shutil
import subprocess
import sys
import traceback
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from minigrad import texts

PACKAGE = Path(texts.PACKAGE)
ROOT = PACKAGE.parent
engine_compiled = any((PACKAGE / texts.file_of(texts.ENGINE[0])).with_suffix(suffix).exists()
                      for suffix in EXTENSION_SUFFIXES)
needs_kernels = pytest.mark.skipif(not texts.built(), reason="nothing is compiled here")
needs_engine = pytest.mark.skipif(not engine_compiled or texts.engine_is_text(), reason="the engine is not compiled")

STATE = """
import numpy as np, minigrad as mg
from minigrad import core, kernels, optim
theta, y = np.ones(3, np.float32), np.ones(3, np.float32)
adam = optim.Adam(theta, lr=0.5)
adam.step(g=np.ones(3, np.float32))
kernels.elementwise.sigmoid(np.zeros(3, np.float32), y)
x = mg.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
print(theta[0], y[0], x.grad[0], optim.Adam.update.kernel is not None, optim.SGD.update.kernel is not None,
      kernels.elementwise.relu is kernels.TWINS["relu"].compiled, core.sweep.__file__.endswith(".py"))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with its kernels, to edit; its data are left out."""
    for package in ("minigrad", "minigrad_ext"):
        shutil.copytree(ROOT / package, tmp_path / package,
                        ignore=shutil.ignore_patterns("__pycache__", "files", "*.h", "*.c", "grade"))
    return tmp_path


def edit(copy, file, before, after):
    path = copy / "minigrad" / file
    text = path.read_text()
    assert before in text, f"{file} has no {before!r}"
    path.write_text(text.replace(before, after, 1))


def run(copy, code=STATE, **environment):
    """What a program prints that runs on the copy, and the warnings of texts that run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MINIGRAD_")}
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], cwd=copy, capture_output=True, text=True,
                          env={**clean, "PYTHONPATH": str(copy), **environment}, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), re.findall(r"minigrad: (\S+) is another text than was compiled", done.stderr)


@needs_kernels
def test_an_edit_of_an_update_takes_effect(copy):
    edit(copy, "optim/first_order/adaptive.py", "self.lr * s_hat / (np.sqrt(r_hat) + self.delta)\n", "42\n")
    (theta, _, _, adam, sgd, relu, _), warned = run(copy)
    assert theta == "-41.0" and (adam, sgd, relu) == ("False", "True", "True")
    assert warned == ["Adam.update"]


@needs_kernels
def test_an_edit_of_a_twin_or_of_what_it_uses_takes_effect(copy):
    """sigmoid calls exp_negative; so do two kernels of another file."""
    edit(copy, "kernels/elementwise.py", "d.dtype.type(0), np.exp(d))", "d.dtype.type(0), 3 * np.exp(d))")
    (_, sigmoid, _, adam, _, relu, _), warned = run(copy)
    assert sigmoid == "0.25" or sigmoid == "0.75", "3 / (1 + 3), whichever branch"
    assert (adam, relu) == ("True", "True")
    assert warned == ["sigmoid", "softmax", "log_softmax", "cross_entropy", "cross_entropy_backward"]


@needs_engine
def test_an_edit_of_the_engine_takes_effect(copy):
    edit(copy, "core/sweep.py", "leaf.receive([grads.pop(leaf)])", "leaf.receive([10 * grads.pop(leaf)])")
    (_, _, gradient, *_, text), warned = run(copy)
    assert (gradient, text) == ("20.0", "True") and warned == ["minigrad/core/sweep.py"]


@needs_engine
@pytest.mark.parametrize("module", texts.ENGINE)
def test_each_file_of_the_engine_runs_as_text_beside_the_others(copy, module):
    """Those built on its classes run as text too, in silence."""
    file = copy / "minigrad" / texts.file_of(module)
    file.write_text(file.read_text() + "# edited\n")
    (_, _, gradient, *_, text), warned = run(copy)
    assert gradient == "2.0" and warned == [f"minigrad/{texts.file_of(module)}"]
    assert text == str("minigrad.core.sweep" in {module, *(name for name, bases in texts.BUILT_ON.items()
                                                           if module in bases)})


@needs_kernels
def test_comments_docstrings_and_annotations_of_twins_are_free(copy):
    adaptive = copy / "minigrad/optim/first_order/adaptive.py"
    text, count = re.subn(r"def update\(self, g.*\n", 'def update(self, g: object):\n        """A pass."""   # of it\n',
                          adaptive.read_text())
    adaptive.write_text(text)
    assert count >= 6
    edit(copy, "kernels/elementwise.py", "max(x, 0); NaN stays NaN.", "x where it is positive")
    (_, _, _, *compiled, _), warned = run(copy)
    assert compiled == ["True"] * 3 and warned == []


@needs_kernels
def test_nothing_is_said_where_nothing_was_edited(copy):
    (theta, sigmoid, gradient, *compiled, text), warned = run(copy)
    assert warned == [] and compiled == ["True"] * 3 and text == str(not engine_compiled)
    assert (theta, sigmoid, gradient) == ("0.5", "0.5", "2.0")


@needs_engine
@pytest.mark.parametrize("switch", [{"MINIGRAD_ENGINE": "text"}, {"MINIGRAD_KERNELS": "numpy"}])
def test_switches_run_the_text(copy, switch):
    (*_, text), warned = run(copy, **switch)
    assert text == "True" and warned == []


@needs_engine                                                   # else nobody reads it
def test_a_mistyped_switch_is_refused():
    done = subprocess.run([sys.executable, "-c", "import minigrad"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "MINIGRAD_ENGINE": "python"}, timeout=120)
    assert done.returncode != 0 and "MINIGRAD_ENGINE=python: must be text, or unset" in done.stderr


@needs_kernels
def test_a_copy_of_an_update_in_a_file_of_ones_own(copy):
    """As it was: compiled. Edited: as written."""
    mine = """
import numpy as np
from minigrad.kernels.optim import compiled_as
from minigrad.optim.fields import Hyper
from minigrad.optim.first_order.base import FirstOrder

class Mine(FirstOrder):
    lr: Hyper

    @compiled_as("sgd(theta, g, lr)")
    def update(self, g):
        self.theta = self.theta - self.lr * g

class Other(FirstOrder):
    lr: Hyper

    @compiled_as("sgd(theta, g, lr)")
    def update(self, g):
        self.theta = self.theta - self.lr * np.sign(g)
"""
    (copy / "mine.py").write_text(mine)
    printed, warned = run(copy, "import mine; print(mine.Mine.update.kernel is None, mine.Other.update.kernel is None)")
    assert printed == ["False", "True"] and warned == ["Other.update"]


def test_building_again_does_not_hide_an_edit(monkeypatch, tmp_path):
    """As long as what is compiled says what it said: then building again takes the text over."""
    (tmp_path / "kernels").mkdir()
    twin = tmp_path / "kernels" / "pool.py"
    text = "@kernel('pool')\ndef widest(x, y):\n    y[...] = x.max()\n"
    monkeypatch.setattr(texts, "PACKAGE", str(tmp_path))

    def build(before, edited, source):
        twin.write_text(edited)
        return texts.record(before, {"pool": source}, ())

    first = build({}, text, "the loop")
    assert build(first, text, "the loop") == first
    assert build(first, "# why\n" + text, "the loop")["twins kernels/pool.py"] != first["twins kernels/pool.py"]
    second = build(first, text.replace("max", "min"), "the loop")
    assert second["twin kernels/pool.py widest"] == first["twin kernels/pool.py widest"]
    assert second["twins kernels/pool.py"] == "edited"
    third = build(second, text.replace("max", "min"), "another loop")
    assert third["twin kernels/pool.py widest"] != first["twin kernels/pool.py widest"]
    assert texts.parsed(texts.written(third)) == third


def test_building_again_takes_over_what_is_no_twin(monkeypatch, tmp_path):
    """The machinery beside the twins has no compiled form that could differ; what a twin uses counts by the twin."""
    (tmp_path / "kernels").mkdir()
    text = ("@kernel('pool')\ndef widest(x, y):\n    y[...] = most(x)\n"
            "def most(x):\n    return x.max()\ndef loaded(name):\n    return name\n")
    monkeypatch.setattr(texts, "PACKAGE", str(tmp_path))

    def build(before, edited):
        (tmp_path / "kernels" / "pool.py").write_text(edited)
        return texts.record(before, {"pool": "the loop"}, ())

    first = build({}, text)
    assert [name for name in first if name.startswith("twin ")] == ["twin kernels/pool.py widest"]
    edited = text.replace("return name", "return name.lower()")
    assert build(first, edited)["twins kernels/pool.py"] == texts.digest(edited)
    assert build(first, text.replace("max", "min"))["twins kernels/pool.py"] == "edited"


@needs_engine
def test_tracebacks_show_the_lines_of_the_compiled_engine():
    import minigrad as mg
    with pytest.raises(RuntimeError) as caught:
        mg.core.backward(mg.tensor([1.0]))
    shown = "".join(traceback.format_exception(caught.value))
    assert re.search(r"minigrad/core/sweep\.py\W+ line \d+, in .*backward", shown)
    assert 'raise RuntimeError(f"{name}: this Tensor has no graph' in shown
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    lines = (PACKAGE / "core/sweep.py").read_text().splitlines()
    assert lines[last.lineno - 1].strip().startswith("raise RuntimeError(f\"{name}: this Tensor has no graph")


def test_what_is_compiled_pickles_and_says_its_parameters():
    import inspect

    import minigrad as mg
    x = pickle.loads(pickle.dumps(mg.tensor([1.0, 2.0], requires_grad=True)))
    assert x.requires_grad and x.data.tolist() == [1, 2]
    assert pickle.loads(pickle.dumps(mg.core.backward)) is mg.core.backward
    assert list(inspect.signature(mg.grad).parameters) == ["y", "xs", "g", "create_graph", "retain_graph"]
    assert list(inspect.signature(mg.ops.linear).parameters) == ["x", "w", "b"]
    assert list(inspect.signature(mg.Tensor).parameters) == ["data", "dtype", "requires_grad"]


def test_the_files_of_the_engine_exist():
    for module in texts.ENGINE:
        assert (PACKAGE / texts.file_of(module)).is_file(), module
