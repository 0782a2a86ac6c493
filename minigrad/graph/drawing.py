"""The graph as text, as Graphviz source, and as the picture that Graphviz makes of it."""
import os
import shutil
import subprocess

import numpy as np

from minigrad.arguments import count
from minigrad.core import Tensor, behind

PICTURES = ("png", "svg", "pdf")


def draw(y, path=None, names=None, limit=200):
    """The graph behind a Tensor as text: number, op, shape of the result, and where each argument comes from.

    Arguments are #number of another line, the name of a parameter, its shape in brackets where it is a constant, or its
    value. names: {"x": Tensor, ...} for leaves and results that should have one (parameters have their own).
    limit: how many ops are shown at most (the last ones). path: also write a file, see `dot`; one ending in .png, .svg
    or .pdf needs the program `dot` of Graphviz.

    Raises ValueError if there is no graph, RuntimeError if it was freed by backward, or if `dot` is missing or fails.
    """
    limit = count("graph.draw", "limit", limit)
    nodes, label = _read(y, names)
    if path is not None:
        _write(dot(y, names), os.fspath(path))
    shown = nodes[-limit:]
    number = {node: i for i, node in enumerate(nodes, 1)}

    def argument(parent, value):
        if parent is None:
            return _constant(value)
        return label[parent] if parent.op is None else f"#{number[parent]}"
    rows = [("", "op", "result", "arguments")]
    for node in shown:
        name = f"{node.op.name} = {label[node]}" if node in label else node.op.name
        arguments = ", ".join(argument(p, v) for p, v in zip(node.parents, node.values))
        rows.append((f"#{number[node]}", name, _shape(node.data.shape), arguments))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join([f"{cell:<{width}}" for cell, width in zip(row, widths)] + [row[3]]).rstrip() for row in rows]
    if len(nodes) > len(shown):
        lines.insert(1, f"... {len(nodes) - len(shown)} more before these")
    return "\n".join(lines)


def dot(y, names=None):
    """The graph behind a Tensor in the language of Graphviz, a string: parameters and other leaves are boxes, ops
    ellipses with the shape of their result; constants are left out, except arrays (dashed)."""
    nodes, label = _read(y, names)
    number = {node: i for i, node in enumerate(nodes, 1)}
    lines = ["digraph minigrad {", "  rankdir=TB;", '  node [fontname="Helvetica", fontsize=11];']
    leaves, constants = {}, 0
    edges = []
    for node in nodes:
        name = f"{label[node]}\n" if node in label else ""
        text = f"{name}{node.op.name}\n{_shape(node.data.shape)}"
        lines.append(f"  n{number[node]} [label={_quoted(text)}];")
        for parent, value in zip(node.parents, node.values):
            if parent is None:
                if isinstance(value, np.ndarray) and value.ndim > 0:
                    constants += 1
                    lines.append(f"  c{constants} [shape=box, style=dashed, label={_quoted(_shape(value.shape))}];")
                    edges.append(f"  c{constants} -> n{number[node]};")
            elif parent.op is None:
                if parent not in leaves:
                    leaves[parent] = f"p{len(leaves) + 1}"
                    text = _quoted(f"{label[parent]}\n{_shape(np.shape(value))}")
                    lines.append(f"  {leaves[parent]} [shape=box, style=filled, fillcolor=lightgrey, label={text}];")
                edges.append(f"  {leaves[parent]} -> n{number[node]};")
            else:
                edges.append(f"  n{number[parent]} -> n{number[node]};")
    return "\n".join([*lines, *edges, "}", ""])


def _read(y, names):
    """All ops behind y, oldest first, and {node: name} of the leaves and of what `names` names."""
    if not isinstance(y, Tensor) or y.node is None:
        raise ValueError("graph.draw: wanted a Tensor with a graph, computed from something with requires_grad=True")
    label = {}
    for name, x in (names or {}).items():
        if not isinstance(x, Tensor):
            raise ValueError(f"graph.draw: names maps names to Tensors, got {type(x).__name__} for {name!r}")
        if x.node is not None:
            label[x.node] = name
    nodes = sorted(behind(y.node, "graph.draw"), key=lambda node: node.number)
    leaves = {parent for node in nodes for parent in node.parents if parent is not None and parent.op is None}
    for leaf in sorted(leaves or {y.node}, key=lambda leaf: leaf.number):
        if leaf not in label:
            unnamed = sum(1 for name in label.values() if name.startswith("leaf "))
            label[leaf] = leaf.name or f"leaf {unnamed + 1}"
    return nodes, label


def _shape(shape):
    return "(" + ", ".join(map(str, shape)) + ")"


def _constant(value):
    """A constant argument in a few characters."""
    if isinstance(value, np.ndarray):
        return f"[{', '.join(map(str, value.shape))}]" if value.ndim else f"{value.item():.6g}"
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _write(source, path):
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
