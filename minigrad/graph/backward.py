"""The backward pass, one op at a time, with its numbers: what `graph.draw(y, step=k)` and the page show."""
import ast
import functools
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.core import Tensor
from minigrad.core.sweep import one_step, seeded


@dataclass(frozen=True)
class Step:
    """One op of the backward pass.

    node: the op's node (op, parents, values, data). g: dJ/d(its result), complete, of the result's shape. share: for
    each node or leaf among its arguments, what this op adds to the gradient there; total: the sum of all shares so far.
    """
    node: Any
    g: np.ndarray
    share: dict[Any, np.ndarray]
    total: dict[Any, np.ndarray]


def steps(y: Tensor, g: Any = None) -> list[Step]:
    """All steps of y.backward(g), in their order: newest op first, so that each g is complete when it is used.

    y: a Tensor with a graph. g: dJ/dy, of the shape of y; may be left out if y is a single number, J itself. Nothing is
    changed: the graph is kept, and no leaf receives its gradient. Raises what `backward` raises.
    """
    order, root, seed = seeded(y, g, "graph.steps")
    totals, found = {root: seed}, []
    for node in order:
        if node not in totals:
            continue
        share = one_step(node, totals[node])
        for parent, d in share.items():
            totals[parent] = totals[parent] + d if parent in totals else d
        found.append(Step(node, totals[node], share, {parent: totals[parent] for parent in share}))
    return found


def rule_text(node: Any, argument: int) -> str:
    """The rule by which an op's result is differentiated by one argument, as it stands in its file: what follows
    `lambda g, y, x:`, or the whole of a function. "" if there is none, or it was not written in a file."""
    op = node.op
    rule = op.rules[argument] if argument < len(op.rules) else op.rule_for_each
    place = getattr(rule, "__code__", None)
    if place is None:
        return ""
    try:
        source, tree = _parsed(_file(rule))
    except (OSError, SyntaxError):                       # written at a prompt
        return ""
    for found in ast.walk(tree):
        if isinstance(found, ast.FunctionDef) and _first_line(found) == place.co_firstlineno:
            return textwrap.dedent(ast.get_source_segment(source, found, padded=True) or "")
        if isinstance(found, ast.Lambda) and found.lineno == place.co_firstlineno \
                and _begins(place) in [(one.lineno, one.col_offset) for one in (found, found.body)]:
            text = " ".join((ast.get_source_segment(source, found.body) or "").split())
            summed = np.shape(node.values[argument]) != node.data.shape and text in ("g", "-g")
            return f"{text}, summed over the axes along which it was broadcast" if summed else text
    return ""


def _file(rule: Any) -> str:
    """Where a rule is written: the text of its module, which lies beside it where that is compiled."""
    loaded = getattr(sys.modules.get(rule.__module__), "__file__", None)
    text = Path(loaded).with_name(Path(loaded).name.partition(".")[0] + ".py") if loaded else None
    return str(text) if text is not None and text.is_file() else rule.__code__.co_filename


@functools.cache
def _parsed(file: str) -> tuple[str, ast.Module]:
    with open(file, encoding="utf-8") as text:
        source = text.read()
    return source, ast.parse(source)


def _first_line(function: ast.FunctionDef) -> int:
    """Of the text, decorators included, as Python counts it."""
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def _begins(code: Any) -> tuple[int, int]:
    """Line and column of the first character of a lambda's body, or of the lambda where it is compiled."""
    return min(((line, column) for line, _, column, end in code.co_positions() if line and end), default=(0, 0))
