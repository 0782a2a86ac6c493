"""The backward pass as one self-contained page: the graph, and one op at a time with its numbers. See page.html."""
import html
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.core import Tensor
from minigrad.graph.backward import Step, rule_text, steps
from minigrad.graph.layout import HEIGHT, layered
from minigrad.graph.reading import called, constant, named, shape_text

CORNER = (6, 8)                                           # how many rows and columns of an array are shown


def page(y: Tensor, g: Any = None, names: dict[str, Tensor] | None = None, limit: int = 200, step: int = 1) -> str:
    """An HTML page, needing no network, that steps through y.backward(g) by buttons and arrow keys.

    step: where it begins. limit: how many ops are shown at most, the last ones. Other arguments as in `draw`.
    """
    nodes, label = named(y, names)
    if not nodes:
        raise ValueError("graph.page: there is no op to go back through: this Tensor is a leaf")
    number = {node: i for i, node in enumerate(nodes, 1)}
    shown = nodes[-limit:]
    made = [one for one in steps(y, g) if number[one.node] > len(nodes) - limit]
    drawing = _Drawing(shown, label, number)
    data = {"first": step - 1, "steps": [_step(one, label, number, drawing) for one in made],
            "root": drawing.id[shown[-1]], "seed": _numbers(made[0].g)}
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")     # no name can end the script
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    title = f"Backward through {len(nodes)} op{'s' * (len(nodes) != 1)}"
    if len(nodes) > len(shown):
        title += f", the last {len(shown)} shown"
    for mark, part in (("TITLE", title), ("DRAWING", drawing.svg()), ("DATA", text)):
        template = template.replace(f"<!-- {mark} -->", part)
    return template


class _Drawing:
    """The graph as SVG: ops, the leaves and arrays that they take, and what lies before the first op shown."""

    def __init__(self, ops: list[Any], label: dict[Any, str], number: dict[Any, int]) -> None:
        self.id: dict[Any, str] = {}
        self.lines: dict[Any, list[str]] = {}
        self.kind: dict[Any, str] = {}
        inside, constants = set(ops), 0
        order: list[Any] = []
        edges: list[tuple[Any, Any]] = []
        for node in ops:
            for value, parent in zip(node.values, node.parents):
                if parent is None:
                    if isinstance(value, np.ndarray) and value.ndim > 0:
                        constants += 1
                        key = ("constant", constants)
                        self._add(order, key, "constant", ["data", shape_text(value.shape)])
                        edges.append((key, node))
                    continue
                if parent not in inside and parent not in self.id:
                    name = label[parent] if parent.op is None else f"#{number[parent]} {parent.op.name}, and before"
                    self._add(order, parent, "leaf", [name, shape_text(np.shape(value))])
                edges.append((parent, node))
            name = f"{label[node]} = {node.op.name}" if node in label else node.op.name
            self._add(order, node, "op", [f"#{number[node]} {name}", shape_text(node.data.shape)])
        self.width = {node: 24 + 8.0 * max(map(len, lines)) for node, lines in self.lines.items()}
        self.layout = layered(order, edges, self.width)

    def _add(self, order: list[Any], node: Any, kind: str, lines: list[str]) -> None:
        order.append(node)
        self.id[node], self.lines[node], self.kind[node] = f"n{len(self.id) + 1}", lines, kind

    def svg(self) -> str:
        width, height = self.layout.size
        parts = [f'<svg id="graph" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
                 'role="img" aria-label="the computational graph, arguments above results">']
        for (a, b), points in self.layout.bends.items():
            parts.append(f'<path class="edge" data-from="{self.id[a]}" data-to="{self.id[b]}" d="{_curve(points)}"/>')
        for node, lines in self.lines.items():
            (x, y), wide = self.layout.centre[node], self.width[node]
            radius = HEIGHT / 2 if self.kind[node] == "op" else 3
            text = "".join(f'<text x="{x:.1f}" y="{y - 4 + 17 * i:.1f}">{html.escape(line)}</text>'
                           for i, line in enumerate(lines))
            parts.append(f'<g class="{self.kind[node]}" id="{self.id[node]}"><rect x="{x - wide / 2:.1f}" '
                         f'y="{y - HEIGHT / 2:.1f}" width="{wide:.1f}" height="{HEIGHT:.0f}" rx="{radius:.0f}"/>'
                         f"{text}</g>")
        return "\n".join([*parts, "</svg>"])


def _curve(points: list[tuple[float, float]]) -> str:
    """A path through the points, leaving and reaching each of them straight down."""
    (x, y), *rest = points
    y += HEIGHT / 2
    path = [f"M{x:.1f} {y:.1f}"]
    for i, (x2, y2) in enumerate(rest):
        y2 -= HEIGHT / 2 if i == len(rest) - 1 else 0
        half = (y + y2) / 2
        path.append(f"C{x:.1f} {half:.1f} {x2:.1f} {half:.1f} {x2:.1f} {y2:.1f}")
        x, y = x2, y2
    return "".join(path)


def _step(step: Step, label: dict[Any, str], number: dict[Any, int], drawing: _Drawing) -> dict[str, Any]:
    """One step as the page's script wants it."""
    node = step.node
    arguments = [name.strip() for name in node.op.arguments.split(",")]
    takes: list[dict[str, Any]] = []
    gives: list[dict[str, Any]] = []
    seen: set[Any] = set()
    for i, (parent, value) in enumerate(zip(node.parents, node.values)):
        name = arguments[min(i, len(arguments) - 1)].lstrip("*")
        what = constant(value) if parent is None else called(parent, label, number)
        takes.append({"name": name, "what": what, "value": _numbers(value), "rule":
                      rule_text(node, i) if parent is not None else ""})
        if parent is None or parent not in step.share or parent in seen:
            continue
        seen.add(parent)
        places = node.parents.count(parent)
        gives.append({"id": drawing.id[parent], "what": what, "times": places, "share": _numbers(step.share[parent]),
                      "total": _numbers(step.total[parent]), "first": step.share[parent] is step.total[parent]})
    return {"id": drawing.id[node], "op": node.op.name, "what": f"#{number[node]} {label.get(node, node.op.name)}",
            "call": f"{node.op.name}({', '.join(one['name'] for one in takes)})", "takes": takes, "gives": gives,
            "y": _numbers(node.data), "g": _numbers(step.g)}


def _numbers(value: Any) -> dict[str, Any] | None:
    """The corner of an array as rows of [text, colour -1 ... 1], its shape, and how large its entries are."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or not isinstance(value, np.ndarray | np.generic | int | float):
        return None
    rows = array.reshape(math.prod(array.shape[:-1]), array.shape[-1]) if array.ndim else array.reshape(1, 1)
    corner = rows[:CORNER[0], :CORNER[1]]
    sizes = np.abs(array[np.isfinite(array)]) if array.dtype.kind == "f" else np.abs(array.astype(float)).ravel()
    top = float(sizes.max(initial=0.0))
    cells = [[[f"{entry:.4g}", _shade(float(entry), top)] for entry in row.tolist()] for row in corner]
    return {"shape": shape_text(array.shape), "cells": cells, "more": bool(corner.size < array.size),
            "size": f"largest |entry| {top:.3g}" if array.size > 1 else ""}


def _shade(entry: float, top: float) -> float | None:
    """entry / top in [-1, 1]; None for what is not finite."""
    return round(entry / top, 3) if top and np.isfinite(entry) else 0.0 if np.isfinite(entry) else None
