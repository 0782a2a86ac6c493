"""What editors and type checkers are told is what runs."""
import ast
import functools
import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad import Tensor
from minigrad.ops.other_names import ATTRIBUTES

ROOT = Path(__file__).parents[1]
DECLARED = ast.parse((ROOT / "minigrad" / "core" / "declared.pyi").read_text())
METHODS = {node.name: node for tree in DECLARED.body if isinstance(tree, ast.ClassDef) and tree.name == "Methods"
           for node in tree.body if isinstance(node, ast.FunctionDef)}
COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
# what Python makes, what tensor.py declares, and what checkers are to report: x[0] = 1
NOT_DECLARED = {"__module__", "__slots__", "__weakref__", "__annotations__", "__firstlineno__", "__static_attributes__",
                "_data", "node", "__array_ufunc__", "__array_function__", "__setitem__"}


def test_every_method_that_ops_attaches_is_declared():
    source = ast.parse((ROOT / "minigrad" / "core" / "tensor.py").read_text())
    tensor, = (node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    written = {node.name for node in ast.walk(tensor) if isinstance(node, ast.FunctionDef)}
    attached = vars(Tensor).keys() - ATTRIBUTES.keys() - written - (vars(object).keys() - COMPARISONS)
    assert attached - NOT_DECLARED == METHODS.keys()


def arguments(node):
    """(name, default) of every argument but the first, * and ** among them."""
    given = node.args
    defaults = [None] * (len(given.args) - len(given.defaults)) + [ast.literal_eval(d) for d in given.defaults]
    named = [(arg.arg, default) for arg, default in zip(given.args, defaults)][1:]
    named += [(arg.arg, ast.literal_eval(default)) for arg, default in zip(given.kwonlyargs, given.kw_defaults)]
    return named + ([(given.vararg.arg, None)] if given.vararg else [])


@pytest.mark.parametrize("name", [name for name in METHODS if not name.startswith("__")])
def test_a_declared_method_is_that_of_the_class(name):
    real = getattr(Tensor, name)
    documented = " ".join(inspect.getdoc(real).split("\n\n")[0].split())
    assert " ".join(ast.get_docstring(METHODS[name]).split()) == documented
    if isinstance(real, property):
        return
    _, *parameters = inspect.signature(real).parameters.values()
    run = [(p.name, None if p.default is p.empty else p.default) for p in parameters if p.kind is not p.VAR_KEYWORD]
    declared = arguments(METHODS[name])
    if name == "sum":                     # its dtype is among **other, for the speed of the plain sum
        declared.remove(("dtype", None))
    assert declared == run


@pytest.mark.parametrize("package", ["", ".core", ".data", ".derivatives", ".diagnostics", ".grade", ".init", ".nn",
                                     ".objective", ".ops", ".optim", ".strategies", ".testing", ".training"])
def test_a_package_exports_what_it_imports(package):
    """Checkers hide from users what `__all__` does not name."""
    module = importlib.import_module(f"minigrad{package}")
    own = {name for name, thing in vars(module).items() if not name.startswith("_") and not inspect.ismodule(thing)
           and getattr(thing, "__module__", "").startswith("minigrad")}
    assert own - ({"Tensor"} if package == ".ops" else set()) <= set(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


# ------------------------------------------------------------------------------------------------------- type checkers

RIGHT = """
from typing import assert_type

import numpy as np
from minigrad import Objective, Tensor, grad, losses, nn, ops, optim, tensor
from minigrad.core import primitive
from minigrad.typing import Array

x, y = np.ones((4, 3)), np.zeros(4, int)
t = tensor(x, requires_grad=True)
model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
assert_type(t.sum(axis=0, keepdims=True), Tensor)
assert_type(2 * t - x @ t.T[0] + (x > 0) * t, Tensor)
assert_type(t.data, Array)
assert_type(t.grad, Array | None)
assert_type(ops.tanh(t), Tensor)
assert_type(ops.tanh(x), Array)
assert_type(ops.softmax(t), Tensor)
assert_type(ops.maximum(x, t), Tensor)
assert_type(ops.reshape(t, (2, 6)), Tensor)
assert_type(grad(t.mean(), t), Tensor)
assert_type(grad(t.mean(), [t]), list[Tensor])
assert_type(losses.cross_entropy(model(t), y), Tensor)
t -= 1
assert_type(t, Tensor)

J = Objective(model, losses.cross_entropy, x, y)
assert_type(J.value_and_grad(None), tuple[float, Array])
opt = optim.Momentum(model.parameters(), lr=lambda k: 1 / k, momentum=0.9, groups={"*.b": {"lr": 0.1}})
opt.lr = 0.1
opt.lr = optim.schedules.Linear(0.1, 0.01, 100)
assert_type(opt.lr, float)
assert_type(opt.step(J), optim.Step)
assert_type(optim.minimize(opt, J, 3).value, float)


@primitive
def cube(x: Array) -> Array:
    y: Array = x**3
    return y


cube.vjps(lambda g, y, x: 3 * g * x**2)
assert_type(cube(t), Tensor)
"""

WRONG = """
from minigrad import Tensor, data, losses, nn, ops, optim, tensor, training

model = nn.Linear(3, 2)
t = tensor([1.0])
nn.Linear("a", "b")
nn.Liner(3, 2)
model.parameter()
optim.Adam(model.parameters(), learning_rate=1)
optim.Adam(model.parameters(), lr="fast")
optim.SGD(model.parameters())
t.summ()
t.sum(dim=0)
t[0] = 1.0
Tensor(t, require_grad=True)
ops.tanhh(t)
ops.max_pool2d(t)
losses.crossentropy(t, [0])
losses.cross_entropy(t, [0], reduction="avg")
losses.np
data.batches(t.data)
training.fit(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=1), [], epoch=1)
"""


def snippets():
    """Every Python block of the texts that uses minigrad, as a file: name -> code. (The others are the errata's
    formulas, printed beside corrected.)"""
    files = {}
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text()
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M):
            if "minigrad" in match[1]:
                files[f"{path.stem}_line_{text[:match.start()].count(chr(10)) + 1}.py"] = match[1]
    return files


def test_the_snippets_are_found():
    assert {name.rpartition("_line_")[0] for name in snippets()} >= {"README", "CONTRIBUTING", "optimizers", "pytorch"}


def run(module, *arguments, cwd):
    """A checker's output; skips where it is not installed, or has no node."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    call = functools.partial(subprocess.run, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)
    if module == "pyright" and call([sys.executable, "-m", "pyright", "--version"]).returncode:
        pytest.skip("pyright has no node")
    return call([sys.executable, "-m", module, *arguments]).stdout


def check(folder, reported):
    """Nothing is reported of what is right, and every line of what is wrong. reported: {(file, line): message}."""
    wrong = {("wrong.py", line) for line, text in enumerate(WRONG.splitlines(), 1)
             if text and " import " not in text and not re.match(r"\w+ = ", text)}
    assert not {place: message for place, message in reported.items() if place not in wrong}
    assert reported.keys() == wrong


@pytest.fixture
def folder(tmp_path):
    for name, code in (snippets() | {"right.py": RIGHT, "wrong.py": WRONG}).items():
        (tmp_path / name).write_text(code)
    return tmp_path


@pytest.mark.long
def test_mypy_is_content_with_the_texts_and_reports_what_is_wrong(folder):
    files = sorted(path.name for path in folder.glob("*.py"))
    output = run("mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(folder / "cache"), *files,
                 cwd=folder)
    found = re.findall(r"^([\w.]+):(\d+): error: (.*)$", output, re.M)
    check(folder, {(name, int(line)): message for name, line, message in found})


def test_pyright_is_content_with_the_texts_and_reports_what_is_wrong(folder):
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    output = run("pyright", "--outputjson", "--pythonpath", sys.executable, "-p", ".", cwd=folder)
    found = json.loads(output)["generalDiagnostics"]
    check(folder, {(Path(one["file"]).name, one["range"]["start"]["line"] + 1): one["message"] for one in found})


@pytest.mark.long
def test_public_names_have_types(tmp_path):
    output = run("pyright", "--verifytypes", "minigrad", "--ignoreexternal", "--outputjson", cwd=tmp_path)
    assert json.loads(output)["typeCompleteness"]["completenessScore"] >= 0.95


def test_completion_shows_losses_and_optimizers():
    from minigrad import losses
    assert dir(losses) == losses.__all__ and "np" not in dir(losses)
