"""Who may import whom: the table of the house, held by parsing every import."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).parents[1] / "minigrad"
BASE = {"random"}                                          # NumPy only; who draws numbers may ask for a generator
COMMON = {"arguments", "notebook", "texts", "typing"}      # what an argument is, a notebook sees, an edit does: for all
MODELS = {"core", "ops", "init", "nn", "losses"} | BASE
ABOVE = MODELS | {"derivatives", "graph", "objective", "kernels", "data", "files", "optim", "testing"}
# room -> the rooms of minigrad it may import, besides itself
TABLE = {
    "arguments": set(), "notebook": set(), "texts": set(), "typing": {"core"},
    "random": set(), "kernels": set(), "files": set(),
    "core": {"kernels"},                                   # kernels.reuse, for large results
    "data": {"files"} | BASE,                              # a broken file is the same FormatError everywhere
    "ops": {"core", "kernels"} | BASE,
    "derivatives": {"core", "ops", "nn.module"} | BASE,    # layer inputs are seen by observing modules
    "graph": {"core", "ops"},
    "init": {"core", "ops"} | BASE,
    "nn": {"core", "ops", "init", "kernels"} | BASE,
    "losses": {"core", "ops"},
    "optim": {"kernels"} | BASE,                           # no Tensor, no Module: any function of a vector will do
    "objective": {"core", "derivatives", "kernels", "nn.module", "optim.optimizer"},   # kernels.empty for results
    "testing": ABOVE,
    "diagnostics": ABOVE,
    "training": ABOVE | {"diagnostics"},
    "pytorch": {"core", "nn", "files"},
    "strategies": ABOVE | {"diagnostics", "training"},
    "compare": ABOVE | {"training", "figures.page"},       # its pages are drawn as the figures are
    "grade": ABOVE | {"diagnostics", "training", "strategies", "__version__"},     # the top floor: used by nobody
}
WHOLE = {"__init__", "__main__", "figures"}                # the package, its report and the top floor see everything
OUTSIDE = {"numpy", "minigrad_ext"}


def room(module):
    """minigrad.nn.layers -> nn."""
    return module.split(".")[1]


def imports(file):
    """(full name, line) of everything a file imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            if node.module == "minigrad":
                yield from ((f"minigrad.{name.name}", node.lineno) for name in node.names)
            else:
                yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(ROOT)) for file in FILES])
def test_imports_follow_the_table(file):
    own = file.relative_to(ROOT).parts[0].removesuffix(".py")
    if own in WHOLE:
        return
    assert own in TABLE, f"{own} has no row in the table"
    for name, line in imports(file):
        if name.split(".")[0] != "minigrad":
            continue
        others = TABLE[own] | COMMON
        allowed = room(name) == own or any(name == f"minigrad.{other}" or name.startswith(f"minigrad.{other}.")
                                           for other in others)
        assert allowed, f"{own} may not import {name} (line {line}); it may import {', '.join(sorted(others))}"


def test_only_kernels_know_the_extensions():
    for file in FILES:
        if any(name.startswith("minigrad_ext") for name, _ in imports(file)):
            assert file.relative_to(ROOT).parts[0] in ("kernels", "__main__.py"), file


def test_the_package_needs_nothing_but_numpy_at_import():
    """matplotlib, tqdm and SciPy are asked for inside the functions that need them."""
    for file in FILES:
        tree = ast.parse(file.read_text())
        for node in tree.body:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else \
                [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top in OUTSIDE | {"minigrad"}, f"{file}:{node.lineno}: {name}"


# What `import minigrad` can do without until somebody needs it, unless NumPy itself loads it; some once took 20 ms.
LATER = {"argparse", "concurrent.futures", "difflib", "hashlib", "json", "multiprocessing", "numpy.random", "pathlib",
         "random", "secrets", "string", "subprocess", "tempfile", "tomllib", "unittest", "urllib.parse",
         "minigrad.data", "minigrad.derivatives", "minigrad.diagnostics", "minigrad.files", "minigrad.graph",
         "minigrad.objective", "minigrad.optim.schedules", "minigrad.pytorch", "minigrad.strategies",
         "minigrad.testing", "minigrad.training"}


def printed(code):
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_start_loads_nothing_that_can_wait():
    numpy, ours = (set(printed(f"import sys, {package}; print(*sys.modules)")) for package in ("numpy", "minigrad"))
    assert "minigrad.optim.first_order.adaptive" in ours
    assert not LATER & ours - numpy


def test_what_waits_is_there_when_it_is_named():
    names = ["data", "derivatives", "detect_anomaly", "diagnostics", "files", "FormatError", "graph", "load",
             "Objective", "pytorch", "save", "strategies", "testing", "training"]
    ask = "import minigrad as mg; from minigrad import optim; "
    listed = printed(ask + f"print(all(n in dir(mg) for n in {names}), 'schedules' in dir(optim))")
    found = printed(ask + f"print(all(hasattr(mg, n) for n in {names}), optim.schedules.Linear(1, 0, 10)(5))")
    assert listed == ["True", "True"] and found == ["True", "0.5"]
    assert printed("from minigrad.optim import *; print(schedules.Constant(2)(1))") == ["2"]
    with pytest.raises(AttributeError, match="module 'minigrad' has no attribute 'optimizers'"):
        _ = minigrad.optimizers
    with pytest.raises(AttributeError, match="module 'minigrad.optim' has no attribute 'Adamm'"):
        _ = minigrad.optim.Adamm
