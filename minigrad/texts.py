"""An edit takes effect: what is compiled knows the text it was made from, and stands aside where that is another one.

Two kinds of text have a compiled form. A kernel of `minigrad_ext` says again what its NumPy twin says: a function of
`minigrad.kernels`, or an optimizer's `update`. And the files of ENGINE are compiled as they are, by Cython. A build
writes the digests of these texts into minigrad_ext/built_from.txt; where one differs now, the text runs, and a warning
says so. (Comments, docstrings, annotations and decorators of a twin may change; of a file of ENGINE nothing.)

    MINIGRAD_ENGINE=text      the files of ENGINE run as text: for a debugger, or to count lines
    MINIGRAD_KERNELS=numpy    all texts do

setup.py, too, reads this file, by itself: it imports nothing but the standard library.
"""
from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import warnings
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from types import FunctionType
from typing import Any

try:                                    # hashlib's own, without OpenSSL, which hashlib loads for others in 7 ms
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

PACKAGE = os.path.dirname(__file__)
RECORD = os.path.join(os.path.dirname(PACKAGE), "minigrad_ext", "built_from.txt")
ENGINE = ("minigrad.core.graph", "minigrad.core.tensor", "minigrad.core.primitive", "minigrad.core.sweep",
          "minigrad.ops.linalg", "minigrad.optim.first_order.base")
# Whose classes a file knows in compiled form, by a .pxd beside it: where one of those runs as text, so does the file.
BUILT_ON = {"minigrad.core.primitive": ("minigrad.core.graph",),
            "minigrad.core.sweep": ("minigrad.core.graph", "minigrad.core.primitive")}


def file_of(module: str) -> str:
    """minigrad.core.graph -> core/graph.py, its file in the package."""
    return module.removeprefix("minigrad.").replace(".", "/") + ".py"


def place_of(file: str) -> str:
    """core/graph.py -> its path on this machine."""
    return os.path.join(PACKAGE, *file.split("/"))


def digest(text: str) -> str:
    """64 bits of a hash of a text; how its lines end does not count."""
    return blake2b(text.replace("\r\n", "\n").encode(), digest_size=8).hexdigest()


def source(file: str) -> str:
    """The text of a file of the package; empty where it was installed without."""
    try:
        with open(place_of(file), encoding="utf-8") as text:
            return text.read()
    except OSError:
        return ""


# ---------------------------------------------------------------------------------------------------- who stands aside

def read(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a build wrote, name -> digest: "engine core/graph.py", "twins kernels/pool.py" (the file), "twin
    kernels/pool.py max_pool" (the function), "source pool" (what was compiled). Empty where nothing was built."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as record:
        return parsed(record.read())


def parsed(text: str) -> dict[str, str]:
    """The lines that `written` writes."""
    return dict(line.rsplit(" ", 1) for line in text.splitlines())


def written(lines: dict[str, str]) -> str:
    """The lines that `parsed` reads."""
    return "".join(f"{name} {found}\n" for name, found in lines.items())


@functools.cache
def built() -> dict[str, str]:
    """What the build at hand wrote."""
    return read(RECORD)


def is_edited(kind: str, file: str) -> bool:
    """Is a file of the package another one than when it was built?"""
    text = source(file)
    return bool(text) and digest(text) != built().get(f"{kind} {file}")


@functools.cache
def any_edited() -> bool:
    """Is any file with twins? Usually none is, and no function has to be looked at."""
    return any(is_edited("twins", name.removeprefix("twins ")) for name in built() if name.startswith("twins "))


def is_twin(function: FunctionType, kernel: str) -> bool:
    """Is `function` the text that its compiled form was built for? If not, a warning says that the text runs."""
    path, name = function.__code__.co_filename, function.__qualname__
    file = path.removeprefix(PACKAGE + os.sep).replace(os.sep, "/") if path.startswith(PACKAGE + os.sep) else ""
    if f"twins {file}" in built() and not any_edited():
        return True
    text = "".join(linecache.getlines(path))                     # a file's, or a notebook's cell
    found = digests(text).get(name, "") if text else ""
    if found and found in ([built().get(f"twin {file} {name}")] if file else built().values()):
        return True
    stand_aside(name, path, function.__code__.co_firstlineno, f"the compiled {kernel}",
                "to compile it, say the same in minigrad_ext and build again")
    return False


def stand_aside(text: str, path: str, line: int, compiled: str, way: str) -> None:
    """The warning that a text runs although something is compiled."""
    warnings.warn_explicit(f"minigrad: {text} is another text than was compiled: it runs in place of {compiled}, more "
                           f"slowly; {way}: pip install -e '.[dev]', then python setup.py build_ext --inplace",
                           RuntimeWarning, path, line)


class CompiledText(ExtensionFileLoader):
    """Loads the compiled form of a file; a traceback asks it for the lines."""

    def get_source(self, fullname: str) -> str:
        return source(file_of(fullname))


class TextFinder:
    """Finds a file of ENGINE: its compiled form, if there is one and it is of this text, or the text."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """None for all other modules, and where nothing was compiled."""
        if name not in ENGINE:
            return None
        file, place, forms = file_of(name), place_of(file_of(name)), compiled_forms(name)
        if not forms:
            return None
        if not engine_is_text():
            if is_edited("engine", file):
                stand_aside(f"minigrad/{file}", place, 1, "its compiled form", "to compile it, build again")
            elif all(compiled_forms(base) and not is_edited("engine", file_of(base))
                     for base in BUILT_ON.get(name, ())):
                return spec_from_file_location(name, forms[0], loader=CompiledText(name, forms[0]))
        return spec_from_file_location(name, place)


def compiled_forms(module: str) -> list[str]:
    """What was compiled from a file of ENGINE: one path, or none."""
    stem = place_of(file_of(module)).removesuffix(".py")
    return [stem + suffix for suffix in EXTENSION_SUFFIXES if os.path.exists(stem + suffix)]


def engine_is_text() -> bool:
    """Is the compiled engine switched off?"""
    wish = os.environ.get("MINIGRAD_ENGINE", "")
    if wish not in ("", "text"):
        raise ValueError(f"MINIGRAD_ENGINE={wish}: must be text, or unset")
    return wish == "text" or os.environ.get("MINIGRAD_KERNELS") == "numpy"


if __name__ == "minigrad.texts" and TextFinder not in sys.meta_path:           # not in setup.py
    sys.meta_path.insert(0, TextFinder)            # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------- digests of twins

class _Bare(ast.NodeTransformer):
    """Takes away what does not run in a function: docstring, annotations; and its decorators."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = node.body[ast.get_docstring(node) is not None:] or [ast.Pass()]
        node.decorator_list, node.returns = [], None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def digests(text: str) -> dict[str, str]:
    """"Adam.update" -> digest, for all that a file defines: of its own text, and of those of what it uses of the file,
    of its class by way of self, and of `minigrad.kernels`."""
    texts, used = _definitions(text)
    found = {}
    for name in texts:
        reached = [name]
        for each in reached:                       # grows while it is read
            reached += [other for other in used.get(each, ()) if other not in reached]
        found[name] = digest("\n".join(texts[each] if each in texts else _elsewhere(each) for each in reached))
    return found


def _elsewhere(what: str) -> str:
    """The digest of "kernels/elementwise.py exp_negative"."""
    file, name = what.split()
    return digests(source(file) or source(file.replace(".py", "/__init__.py"))).get(name, "")


def twins(text: str) -> set[str]:
    """The functions of a file that stand for something compiled: their decorators say so."""
    return {name for name, node in _defined(ast.parse(text)).items() if isinstance(node, ast.FunctionDef)
            and any(ast.unparse(mark).startswith(("kernel(", "compiled_as(")) for mark in node.decorator_list)}


def _defined(file: ast.Module) -> dict[str, ast.AST]:
    """Qualified name -> what a file defines at its top and in its classes."""
    nodes: dict[str, ast.AST] = {}
    for node in file.body:
        if isinstance(node, ast.FunctionDef):
            nodes[node.name] = node
        elif isinstance(node, ast.ClassDef):
            nodes |= {f"{node.name}.{part.name}": part for part in node.body if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, ast.Assign):
            nodes |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return nodes


def _definitions(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Qualified name -> text, and -> the names that it uses, for what a file defines."""
    file = ast.parse(text)
    nodes, imported = _defined(file), {}
    for node in file.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minigrad.kernels"):
            imported |= {name.asname or name.name: f"{file_of(str(node.module))} {name.name}" for name in node.names}
    texts, used = {}, {}
    for name, node in nodes.items():
        bare, owner = _Bare().visit(node), name.rpartition(".")[0]
        uses = [part.id if isinstance(part, ast.Name) else f"{owner}.{part.attr}" for part in ast.walk(bare)
                if isinstance(part, ast.Name)
                or isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self"]
        texts[name] = ast.dump(bare)
        used[name] = [imported.get(use, use) for use in dict.fromkeys(uses) if use in imported or use in nodes]
    return texts, used


# ------------------------------------------------------------------------------------------------------------ the build

def record(before: dict[str, str], sources: dict[str, str], engine: Iterable[str]) -> dict[str, str]:
    """What a build writes. before: what the last one wrote; sources: of each family of kernels that is compiled, what
    it was compiled from; engine: the modules of ENGINE that are compiled.

    A twin that was edited while its family's source was not stays edited: building again does not hide it (`--force`
    does, for a twin that says the same in other words).
    """
    from pathlib import Path  # 3 ms: only a build comes here
    lines = {f"engine {file_of(module)}": digest(source(file_of(module))) for module in sorted(engine)}
    lines |= {f"source {family}": digest(text) for family, text in sources.items()}
    package = Path(PACKAGE)
    for path in sorted([*package.glob("kernels/*.py"), *package.glob("optim/first_order/*.py")]):
        file, text = path.relative_to(package).as_posix(), path.read_text(encoding="utf-8")
        family = path.stem if file.startswith("kernels/") else "optim"
        same = lines.get(f"source {family}") == before.get(f"source {family}")
        if family in sources and ("@kernel(" in text or "@compiled_as(" in text) or family == "__init__":
            now = {f"twin {file} {name}": found for name, found in digests(text).items() if name in twins(text)}
            kept = {name: before.get(name, found) if same else found for name, found in now.items()}
            lines |= kept
            lines[f"twins {file}"] = digest(text) if kept == now else "edited"
    return lines
