"""What the drawings of a graph have in common: its ops in order, names, shapes and constants as text."""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core import Tensor, behind


def named(y: Any, names: dict[str, Tensor] | None) -> tuple[list[Any], dict[Any, str]]:
    """All ops behind y, oldest first, and {node: name} of the leaves and of what `names` names."""
    if not isinstance(y, Tensor) or y.node is None:
        raise ValueError("graph.draw: wanted a Tensor with a graph, computed from something with requires_grad=True")
    label: dict[Any, str] = {}
    for name, x in (names or {}).items():
        if not isinstance(x, Tensor):
            raise ValueError(f"graph.draw: names maps names to Tensors, got {type(x).__name__} for {name!r}")
        if x.node is not None:
            label[x.node] = name
    nodes = sorted(behind([y.node], "graph.draw"), key=lambda node: node.number)
    arguments = {parent for node in nodes for parent in node.parents or () if parent is not None}
    leaves: set[Any] = {parent for parent in arguments if parent.op is None}
    for leaf in sorted(leaves or {y.node}, key=lambda leaf: leaf.number):
        if leaf not in label:
            unnamed = sum(1 for name in label.values() if name.startswith("leaf "))
            label[leaf] = leaf.name or f"leaf {unnamed + 1}"
    return nodes, label


def called(node: Any, label: dict[Any, str], number: dict[Any, int]) -> str:
    """What an argument is called: a leaf by its name, a result by its number."""
    return label[node] if node.op is None else f"#{number[node]}"


def shape_text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"


def constant(value: Any) -> str:
    """A constant argument in a few characters."""
    if isinstance(value, np.ndarray):
        return f"[{', '.join(map(str, value.shape))}]" if value.ndim else f"{value.item():.6g}"
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
