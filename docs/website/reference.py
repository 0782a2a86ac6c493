"""The reference: a page for each room with every public name, its signature, its text and a tested example.

The texts are the docstrings, which are written for a terminal: paragraphs, and indented lines whose layout counts. The
examples stand in docs/reference/ROOM.txt, one block for each name, and are run by tests/test_reference.py.
"""
import importlib
import inspect
import re
from pathlib import Path

ROOMS = {                       # in the order in which a reader meets them
    "minigrad": "Tensors, gradients, saving",
    "minigrad.ops": "Ops: every one with its derivative, to any order",
    "minigrad.nn": "Layers and models",
    "minigrad.losses": "Losses",
    "minigrad.init": "Initial weights and biases (8.4)",
    "minigrad.optim": "Optimizers (8.3, 8.5, 8.6)",
    "minigrad.optim.schedules": "Schedules of a hyperparameter",
    "minigrad.objective": "J(theta): a model as an objective",
    "minigrad.derivatives": "Products with Jacobians and Hessians",
    "minigrad.data": "Data",
    "minigrad.data.toy": "Toy sets",
    "minigrad.data.augment": "Augmentation",
    "minigrad.training": "The training loop and its callbacks (8.1)",
    "minigrad.strategies": "Strategies (8.7)",
    "minigrad.diagnostics": "Why training does not move (8.2)",
    "minigrad.graph": "The graph drawn",
    "minigrad.testing": "Checks for what you wrote",
    "minigrad.testing.problems": "Test problems",
    "minigrad.random": "Random numbers",
    "minigrad.pytorch": "Weights from PyTorch",
}


def names_of(room, seen=None):
    """{name: object} of what a room offers; `seen` (ids) leaves out what an earlier room has shown."""
    module = importlib.import_module(room)
    seen = set() if seen is None else seen
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, thing in vars(module).items()
                 if not name.startswith("_") and getattr(thing, "__module__", None) == room]
    found = {}
    for name in names:
        thing = getattr(module, name)
        if (inspect.isclass(thing) or callable(thing)) and id(thing) not in seen and not _foreign(thing):
            seen.add(id(thing))
            found[name] = thing
    return found


def _foreign(thing):
    """Not minigrad's own: NumPy's dtypes, names of types."""
    return not (getattr(thing, "__module__", None) or "").startswith("minigrad")


def rooms():
    """(room, {name: object}) of all, each name once."""
    seen = set()
    for room in ROOMS:
        yield room, names_of(room, seen)


def examples(root, room):
    """{name: example} of a room: the blocks of its file, each under a line that is the name."""
    path = Path(root, "docs", "reference", f"{room}.txt")
    if not path.exists():
        return {}
    parts = re.split(r"^(\w+)\n(?=>>>)", path.read_text(encoding="utf-8"), flags=re.M)
    return {name: text.strip("\n") for name, text in zip(parts[1::2], parts[2::2])}


def write(root, pages):
    folder = pages / "api"
    folder.mkdir()
    lines = ["# Reference", "", "Every public name, by room. The examples begin with", "", "```python",
             *PREAMBLE.splitlines(), "```", "", "```{toctree}", ":maxdepth: 1", ""]
    for room, names in rooms():
        shown = examples(root, room)
        page = [f"# {room}", "", f"*{ROOMS[room]}*", "", *prose(importlib.import_module(room).__doc__ or ""), ""]
        for name, thing in names.items():
            page += entry(room, name, thing, shown.get(name))
        (folder / f"{room}.md").write_text("\n".join(page), encoding="utf-8")
        lines.append(room)
    (folder / "index.md").write_text("\n".join([*lines, "```", ""]), encoding="utf-8")


PREAMBLE = """import numpy as np
import minigrad as mg
from minigrad import Objective, Tensor, data, derivatives, diagnostics, init, losses, nn, ops, optim, training
x = np.array([[1.0, -2.0], [3.0, 0.5]])"""


def entry(room, name, thing, example, level="::::"):
    """One name: signature, text, example, and for a class its methods."""
    kind = "class" if inspect.isclass(thing) else "function"
    lines = [f"{level}{{py:{kind}}} {room}.{name}{signature(thing)}", "", *prose(inspect.getdoc(thing) or "")]
    if example:
        lines += ["", "```pycon", example, "```"]
    if kind == "class" and not issubclass(thing, BaseException):
        for method, function in vars(thing).items():
            if not method.startswith("_") and inspect.isfunction(function) and function.__doc__:
                lines += ["", f":::{{py:method}} {method}{signature(function, True)}", "",
                          *prose(inspect.getdoc(function)), ":::"]
    return [*lines, level, ""]


def signature(thing, method=False):
    """The parameters without their annotations, which the text explains better; () where Python does not know."""
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return "()"
    parameters = [p.replace(annotation=p.empty, default=p.default if p.default is p.empty else Written(p.default))
                  for p in found.parameters.values()][method:]
    return str(found.replace(parameters=parameters, return_annotation=found.empty))


class Written:
    """A default as a reader would write it: functions and classes by their names, what has no short form as ..."""

    def __init__(self, value):
        self.text = getattr(value, "__name__", "") if callable(value) else repr(value)

    def __repr__(self):
        return self.text if self.text and "<" not in self.text and "\n" not in self.text else "..."


def prose(text):
    """A docstring in Markdown: paragraphs with everything escaped but `code`; indented blocks as they are."""
    lines, out, block = inspect.cleandoc(text).splitlines(), [], []

    def end_block():
        while block and not block[-1].strip():
            block.pop()
        if block:
            out.extend(["", "```pycon" if block[0].strip().startswith(">>>") else "```text",
                        *inspect.cleandoc("\n" + "\n".join(block)).splitlines(), "```", ""])
        block.clear()
    for line in lines:
        if line.startswith("  ") or (block and not line.strip()):
            block.append(line)
        else:
            end_block()
            out.append(escaped(line))
    end_block()
    return out


def escaped(line):
    """Text between `code` without a meaning for Markdown."""
    parts = re.split(r"(`[^`]+`)", line)
    parts[::2] = [re.sub(r"([\\*_\[\]<>#$|{}~])", r"\\\1", part).replace("`", r"\`") for part in parts[::2]]
    return re.sub(r"^(\d+)\.", r"\1\\.", re.sub(r"^([-+=:])", r"\\\1", "".join(parts)))
