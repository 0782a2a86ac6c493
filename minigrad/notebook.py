"""What a notebook sees: whether this is one, tables as HTML, and pictures shown where they are drawn."""
from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any


def in_notebook() -> bool:
    """Is this code run by a cell (Jupyter, Colab, JupyterLite)? The command line is then the kernel's."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"


class Number(str):
    """A number as it is to be written: a table sets it to the right."""


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """An HTML table. Text stands left; a number, and a `Number` that is written already, stands right."""
    from html import escape
    rows = list(rows)
    right = [any(_is_number(cell) for cell in column) for column in zip(*rows)] or [False] * len(head)

    def cell(kind, value, right):
        return f'<{kind} style="text-align: {"right" if right else "left"}">{escape(str(value))}</{kind}>'
    lines = [f"<caption>{escape(caption)}</caption>"] * bool(caption)
    if any(head):
        lines.append("<thead><tr>" + "".join(map(cell, ["th"] * len(head), head, right)) + "</tr></thead>")
    lines += ["<tr>" + "".join(map(cell, ["td"] * len(row), row, right)) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _is_number(value):
    return isinstance(value, Number) or not isinstance(value, str)


def show(figure: Any) -> None:
    """A matplotlib Figure under the cell at hand. pyplot is not touched, so no backend and no second copy appears."""
    import io

    from IPython.display import Image, display
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * 72)
    display(Image(data=buffer.getvalue(), width=round(72 * figure.get_size_inches()[0]), alt=_said(figure)))


def _said(figure):
    """The titles of a figure's axes: what is read to those who do not see it."""
    return "; ".join(axes.get_title() for axes in figure.axes if axes.get_title()) or None


class Live:
    """HTML under the cell at hand that is replaced by every `update`, in its place. The last one stays in the file."""

    def __init__(self, text: str) -> None:
        from IPython.display import HTML, display
        self._html = HTML
        self._handle = display(HTML(text), display_id=True)

    def update(self, text: str) -> None:
        self._handle.update(self._html(text))
