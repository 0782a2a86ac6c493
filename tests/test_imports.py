"""Who may import whom: the table of the house, held by parsing every import."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "minigrad"
BASE = {"random"}                                          # NumPy only; who draws numbers may ask for a generator
COMMON = {"arguments", "notebook", "texts", "typing"}      # what an argument is, a notebook sees, an edit does: for all
MODELS = {"core", "ops", "init", "nn", "losses"} | BASE
ABOVE = MODELS | {"derivatives", "graph", "objective", "kernels", "data", "files", "optim", "testing"}
# room -> the rooms of minigrad it may import, besides itself
TABLE = {
    "arguments": set(), "notebook": set(), "texts": set(), "typing": {"core"},
    "random": set(), "kernels": set(), "core": set(), "files": set(),
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
    import sys
    for file in FILES:
        tree = ast.parse(file.read_text())
        for node in tree.body:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else \
                [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or top in OUTSIDE | {"minigrad"}, f"{file}:{node.lineno}: {name}"
