"""The copy of minigrad that a submission can import: without the answer, the grader and the figures.

A module that stands empty keeps its name: `from minigrad.optim import Adam` works, and what comes is an `Absent` that
says so wherever it is used; so the rest of the library can still be imported.
"""
from __future__ import annotations

import ast
import compileall
import py_compile
import shutil
from pathlib import Path
from typing import Any

from minigrad.kernels import FAMILIES

NEVER = ("minigrad.grade", "minigrad.figures", "minigrad.__main__")
EMPTY = '''"""Left empty: this assignment asks you to write it."""
class Absent:
    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def _refuse(self, *args, **kwargs):
        raise ImportError(f"{self._name} is what this assignment asks you to write: in the grader it stands empty")

    __call__ = __mro_entries__ = _refuse

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self._name}.{name}")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(f"{__name__}.{name}")
'''


def strip(into: Path, blocked: Any = ()) -> list[str]:
    """Copy minigrad and minigrad_ext into a folder, `blocked` modules and functions empty. Returns the folders' paths.

    ValueError for a blocked name that is neither: a wrong name would leave the answer in.
    """
    package = Path(__file__).resolve().parents[1]
    compiled = package.parent / "minigrad_ext"
    leave = ["__pycache__", "*.pyc", "*.pyx", "*.c", "*.h", "*.pxd"]
    # the engine goes as text: a compiled file cannot be stripped of a function
    for source, more in ((package, ["*.so", "*.pyd"]), (compiled, [])):
        if source.is_dir():
            shutil.copytree(source, into / source.name, ignore=shutil.ignore_patterns(*leave, *more))
    for name in NEVER:
        remove(into, name)
    for name in blocked:
        ours = name.split(".")[0] in ("minigrad", "minigrad_ext")
        not_built = name.startswith("minigrad_ext.") and name.split(".")[1] in FAMILIES
        if not ours or not (empty(into, name) or withhold(into, *name.rpartition(".")[::2]) or not_built):
            raise ValueError(f"blocked: {name!r} is no module of minigrad, nor a function of one")
    compileall.compile_dir(into, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return [str(path) for path in sorted(into.iterdir())]


def forms(into: Path, name: str) -> Any:
    """The folder and the files that a module name can stand for: a.b -> a/b, a/b.py, a/b.*.so."""
    path = into.joinpath(*name.split("."))
    return [one for one in (path, path.with_name(path.name + ".py"), *path.parent.glob(path.name + ".*.so"),
                            *path.parent.glob(path.name + ".*.pyd")) if one.exists()]


def remove(into: Path, name: str) -> None:
    for one in forms(into, name):
        shutil.rmtree(one) if one.is_dir() else one.unlink()


def empty(into: Path, name: str) -> bool:
    """Whether there was such a module; its files and all below it now hold EMPTY."""
    found = forms(into, name)
    for one in found:
        if one.is_dir():
            for file in [*one.rglob("*")]:
                if file.suffix == ".py":
                    file.write_text(EMPTY)
                elif file.is_file():
                    file.unlink()
        else:
            one.unlink()
            path = one.with_name(name.split(".")[-1] + ".py")
            path.write_text(EMPTY)
    return bool(found)


def withhold(into: Path, module: str, name: str) -> Any:
    """Whether the module has such a function; it then raises, and the rules of an op (`name.vjps(...)`) are gone.

    For what a module defines beside much that a submission needs: one op among fifty.
    """
    file = into.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    lines, found = file.read_text().splitlines() if tree.body else [], False
    for node in reversed(tree.body):                                # from below: the lines above keep their numbers
        called = getattr(getattr(node, "value", None), "func", None)
        if isinstance(node, ast.FunctionDef) and node.name == name:
            said = f"{module}.{name} is what this assignment asks you to write: in the grader it stands empty"
            lines[node.body[0].lineno - 1:node.end_lineno] = [f"    raise ImportError({said!r})"]
            found = True
        elif isinstance(called, ast.Attribute) and getattr(called.value, "id", "") == name:
            del lines[node.lineno - 1:node.end_lineno]
    if found:
        file.write_text("\n".join(lines) + "\n")
    return found
