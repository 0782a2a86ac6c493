"""The graph as text, as Graphviz source, and as the picture that Graphviz makes of it."""
import os
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor
from minigrad.graph.backward import Step, rule_text, steps
from minigrad.graph.page import page
from minigrad.graph.reading import called, constant, named, shape_text
from minigrad.notebook import in_notebook
from minigrad.typing import FilePath

PICTURES = ("png", "svg", "pdf")
MOST_DRAWN = 100                         # ops: of a picture of more, a notebook's reader sees nothing
NOW, DONE = 'color="#d55e00", penwidth=3', 'color="#0072b2", penwidth=2'


class Drawing(str):
    """The text of a graph. A notebook shows the picture of it where Graphviz is installed, else the text as it is."""
    source: str = ""                     # in the language of Graphviz

    def _repr_html_(self) -> str:
        program = shutil.which("dot")
        if self.source and program is not None:
            done = subprocess.run([program, "-Tsvg"], input=self.source.encode(), capture_output=True, check=False)
            if done.returncode == 0:
                return done.stdout[done.stdout.index(b"<svg"):].decode()
        from html import escape
        return f"<pre>{escape(self)}</pre>"


def draw(y: Tensor, path: FilePath | None = None, names: dict[str, Tensor] | None = None, limit: int = 200,
         step: int | None = None, g: Any = None) -> Drawing:
    """The graph behind a Tensor as text: number, op, shape of the result, and where each argument comes from.

    Arguments are #number of another line, the name of a parameter, its shape in brackets where it is a constant, or its
    value. names: {"x": Tensor, ...} for leaves and results that should have one (parameters have their own).
    limit: how many ops are shown at most (the last ones). path: also write a file, see `dot`; one ending in .png, .svg
    or .pdf needs the program `dot` of Graphviz; .html is a page that steps through backward (see `page`). The result
    of a notebook's cell shows itself as a picture.

    step: show backward at its step 1, 2, ... (from the last op to the first) instead: which gradients are there, and
    with numbers what arrives at the op at hand and what it gives to each of its arguments. g: dJ/dy for it, where y is
    not a single number.

    Raises ValueError if there is no graph, RuntimeError if it was freed by backward, or if `dot` is missing or fails.
    """
    limit = count("graph.draw", "limit", limit)
    nodes, label = named(y, names)
    made = steps(y, g) if step is not None else []
    if step is not None and count("graph.draw", "step", step) > len(made):
        raise ValueError(f"graph.draw: step must be at most {len(made)}, the number of ops, got {step}")
    if path is not None and os.fspath(path).lower().endswith((".html", ".htm")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(page(y, g, names, limit, step or 1))
    elif path is not None:
        _write(dot(y, names, made[:step]), os.fspath(path))
    number = {node: i for i, node in enumerate(nodes, 1)}
    rows: list[tuple[str, ...]] = [("", "op", "result", "arguments")]
    for node in nodes[-limit:]:
        name = f"{node.op.name} = {label[node]}" if node in label else node.op.name
        arguments = [constant(value) if parent is None else called(parent, label, number)
                     for parent, value in zip(node.parents, node.values)]
        rows.append((f"#{number[node]}", name, shape_text(node.data.shape), ", ".join(arguments)))
    if step is not None:
        progress = _progress(nodes[-limit:], made, step)
        rows = [(*row[:3], norm, row[3]) for row, norm in zip(rows, ["norm of gradient", *progress])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = ["  ".join([f"{cell:<{width}}" for cell, width in zip(row, widths)] + [row[-1]]).rstrip() for row in rows]
    if len(nodes) > limit:
        lines.insert(1, f"... {len(nodes) - limit} more before these")
    if step is not None:
        lines = [f"backward, step {step} of {len(made)}: through #{number[made[step - 1].node]}", *lines, "",
                 *_numbers(made[step - 1], label, number)]
    drawing = Drawing("\n".join(lines))
    if in_notebook() and len(nodes) <= MOST_DRAWN:
        drawing.source = dot(y, names, made[:step])
    return drawing


def _progress(nodes: list[Any], made: list[Step], step: int) -> list[str]:
    """How far the gradient of each op's result is after the step: its norm, > at the op at hand, "so far" if more
    will be added to it, "" before anything has arrived."""
    totals = {made[0].node: made[0].g}
    for one in made[:step]:
        totals |= one.total
    coming = {parent for one in made[step:] for parent in one.share}
    now = made[step - 1].node
    return [f"{'> ' if node is now else ''}{np.linalg.norm(totals[node]):.4g}{' so far' if node in coming else ''}"
            if node in totals else "" for node in nodes]


def _numbers(step: Step, label: dict[Any, str], number: dict[Any, int]) -> list[str]:
    """The lines of one step: g, and what each argument is given, by which rule."""
    node = step.node

    def lines(head: str, array: np.ndarray) -> list[str]:
        text = np.array2string(array, precision=4, threshold=60, edgeitems=3, max_line_width=110, suppress_small=True)
        return [head, textwrap.indent(text, "    ")]
    found = lines(f"g, the gradient of #{number[node]} {shape_text(step.g.shape)}:", step.g)
    for parent, share in step.share.items():
        rules = dict.fromkeys(rule_text(node, i) for i, other in enumerate(node.parents) if other is parent)
        by = " and ".join(rule for rule in rules if rule and "\n" not in rule)
        what = f"gives {called(parent, label, number)} {shape_text(share.shape)}{' by ' + by if by else ''}:"
        found += lines(what, share)
        if share is not step.total[parent]:
            found += lines("which makes, with what had arrived before:", step.total[parent])
    return found


def dot(y: Tensor, names: dict[str, Tensor] | None = None, made: Sequence[Step] = ()) -> str:
    """The graph behind a Tensor in the language of Graphviz, a string: parameters and other leaves are boxes, ops
    ellipses with the shape of their result; constants are left out, except arrays (dashed).

    made: the steps of backward made so far (of `steps`): the last one's op is vermilion, what they gave to is blue.
    """
    nodes, label = named(y, names)
    number = {node: i for i, node in enumerate(nodes, 1)}
    look = {parent: f", {DONE}" for one in made for parent in [one.node, *one.share]}
    look |= {one.node: f", {NOW}" for one in made[-1:]}
    lines = ["digraph minigrad {", "  rankdir=TB;", '  node [fontname="Helvetica", fontsize=11];']
    leaves: dict[Any, str] = {}
    constants = 0
    edges = []
    for node in nodes:
        name = f"{label[node]}\n" if node in label else ""
        text = f"{name}{node.op.name}\n{shape_text(node.data.shape)}"
        lines.append(f"  n{number[node]} [label={_quoted(text)}{look.get(node, '')}];")
        for parent, value in zip(node.parents, node.values):
            if parent is None:
                if isinstance(value, np.ndarray) and value.ndim > 0:
                    constants += 1
                    lines.append(f"  c{constants} [shape=box, style=dashed, label={_quoted(shape_text(value.shape))}];")
                    edges.append(f"  c{constants} -> n{number[node]};")
            elif parent.op is None:
                if parent not in leaves:
                    leaves[parent] = f"p{len(leaves) + 1}"
                    text = _quoted(f"{label[parent]}\n{shape_text(np.shape(value))}")
                    lines.append(f"  {leaves[parent]} [shape=box, style=filled, fillcolor=lightgrey, label={text}"
                                 f"{look.get(parent, '')}];")
                edges.append(f"  {leaves[parent]} -> n{number[node]};")
            else:
                edges.append(f"  n{number[parent]} -> n{number[node]};")
    return "\n".join([*lines, *edges, "}", ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _write(source: str, path: str) -> None:
    """The source itself for .dot and .gv, a picture otherwise."""
    kind = os.path.splitext(path)[1][1:].lower()
    if kind in ("dot", "gv"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        return
    if kind not in PICTURES:
        raise ValueError(f"graph.draw: path must end in .dot, .gv, .{', .'.join(PICTURES)}, got {path!r}")
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError("graph.draw: pictures are made by the program `dot` of Graphviz, which is not installed "
                           "(graphviz.org); write a .dot file instead, or print the text")
    done = subprocess.run([program, f"-T{kind}", "-o", path], input=source.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"graph.draw: dot failed: {done.stderr.decode(errors='replace').strip()}")
