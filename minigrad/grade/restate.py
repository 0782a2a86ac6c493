"""A right program written otherwise, by rule: for tests that look at the text and not at what it does.

Local variables have other names, products and comparisons their sides exchanged, comments and layout are gone. What it
computes is the same to the last bit: a b and b a round alike.
"""
from __future__ import annotations

import ast
from typing import Any

FLIPPED: dict[Any, Any] = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def restate(text: str) -> str:
    """The program, otherwise written."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.Module):
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    Renamed(own_names(function)).visit(function)
    return ast.unparse(ast.fix_missing_locations(Exchanged().visit(tree)))


def own_names(function: ast.FunctionDef) -> set[str]:
    """Names that it, or a function inside, assigns, and that nobody can see from outside."""
    nodes = list(ast.walk(function))
    assigned = {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    visible = {one.arg for one in nodes if isinstance(one, ast.arg)}
    visible |= {name for one in nodes if isinstance(one, ast.Global | ast.Nonlocal) for name in one.names}
    visible |= {one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
    visible |= {(one.asname or one.name).split(".")[0] for one in nodes if isinstance(one, ast.alias)}
    fields = {one.id for inner in nodes if isinstance(inner, ast.ClassDef) for one in ast.walk(inner)
              if isinstance(one, ast.Name)}
    return assigned - visible - fields


class Renamed(ast.NodeTransformer):
    """Every name of a set, with an underscore behind it."""

    def __init__(self, names: Any) -> None:
        self.names = names

    def visit_Name(self, node: Any) -> Any:
        return ast.Name(node.id + "_", node.ctx) if node.id in self.names else node


class Exchanged(ast.NodeTransformer):
    """b * a for a * b, and b > a for a < b; a text or a list times a number stays as it is."""

    def visit_BinOp(self, node: Any) -> Any:
        self.generic_visit(node)
        sides = (node.left, node.right)
        plain = not any(isinstance(one, ast.List | ast.Tuple | ast.JoinedStr) or
                        isinstance(getattr(one, "value", None), str) for one in sides)
        return ast.BinOp(node.right, node.op, node.left) if isinstance(node.op, ast.Mult) and plain else node

    def visit_Compare(self, node: Any) -> Any:
        self.generic_visit(node)
        if len(node.ops) > 1 or type(node.ops[0]) not in FLIPPED:
            return node
        return ast.Compare(node.comparators[0], [FLIPPED[type(node.ops[0])]()], [node.left])
