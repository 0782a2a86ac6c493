"""What editors and type checkers are told is what runs."""
import ast
import importlib
import inspect
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
    source = ast.parse(inspect.getsource(Tensor))
    written = {node.name for node in ast.walk(source) if isinstance(node, ast.FunctionDef)}
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
