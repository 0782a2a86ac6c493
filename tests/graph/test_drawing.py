"""The drawn graph: every op and edge once, names and shapes, files."""
import os
import re
import shutil
import stat

import numpy as np
import pytest

from minigrad import graph, losses, nn, ops
from minigrad.core import tensor


def loss_of_two_layers():
    model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Tanh(), nn.Linear(3, 2, rng=1))
    model.parameters()                        # names them
    x = tensor(np.ones((5, 4), np.float32))
    return losses.cross_entropy(model(x), np.zeros(5, int)), model


def test_text_has_one_line_per_op_in_order():
    y, _ = loss_of_two_layers()
    assert graph.draw(y).splitlines() == [
        "    op                     result  arguments",
        "#1  linear                 (5, 3)  [5, 4], 0.w, 0.b",
        "#2  tanh                   (5, 3)  #1",
        "#3  linear                 (5, 2)  #2, 2.w, 2.b",
        "#4  softmax_cross_entropy  ()      #3, [5]",
    ]


def test_shared_results_are_drawn_once_and_names_can_be_given():
    x = tensor([1.0, 2.0], requires_grad=True)
    h = x * 2.5
    y = ops.sum(h * h + x)
    text = graph.draw(y, names={"x": x, "h": h})
    assert text.count("\n") == 4
    assert "#1  multiply = h  (2)     x, 2.5" in text and "#2  multiply      (2)     #1, #1" in text
    assert "leaf 1" in graph.draw(y)


def test_graphviz_source_has_every_node_and_edge():
    y, _ = loss_of_two_layers()
    source = graph.dot(y)
    assert source.startswith("digraph") and source.count("{") == source.count("}") == 1
    assert sorted(re.findall(r"(\w+) -> (\w+);", source)) == sorted(
        [("c1", "n1"), ("p1", "n1"), ("p2", "n1"), ("n1", "n2"), ("n2", "n3"), ("p3", "n3"), ("p4", "n3"),
         ("n3", "n4"), ("c2", "n4")])
    for text in ('label="0.w\\n(4, 3)"', 'label="tanh\\n(5, 3)"', 'label="2.b\\n(2)"'):
        assert text in source


def test_a_long_graph_shows_its_end():
    x = tensor([1.0], requires_grad=True)
    y = x
    for _ in range(5000):
        y = y * 0.999
    text = graph.draw(y, limit=10).splitlines()
    assert text[1] == "... 4990 more before these" and len(text) == 12 and text[-1].startswith("#5000")


def test_files(tmp_path, monkeypatch):
    y, _ = loss_of_two_layers()
    graph.draw(y, tmp_path / "y.dot")
    assert (tmp_path / "y.dot").read_text() == graph.dot(y)
    with pytest.raises(ValueError, match="must end in .dot"):
        graph.draw(y, tmp_path / "y.gif")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="Graphviz, which is not installed"):
        graph.draw(y, tmp_path / "y.png")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
def test_pictures_come_from_dot(tmp_path, monkeypatch):
    y, _ = loss_of_two_layers()
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > "$3"\necho "$1 $2"\n')       # takes the source, writes where it is told
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    graph.draw(y, tmp_path / "y.png")
    assert (tmp_path / "y.png").read_text() == graph.dot(y)
    program.write_text("#!/bin/sh\necho syntax error >&2\nexit 1\n")
    with pytest.raises(RuntimeError, match="dot failed: syntax error"):
        graph.draw(y, tmp_path / "y.svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_real_graphviz_makes_a_picture(tmp_path):
    graph.draw(loss_of_two_layers()[0], tmp_path / "y.png")
    assert (tmp_path / "y.png").read_bytes().startswith(b"\x89PNG")


def test_errors():
    with pytest.raises(ValueError, match="Tensor with a graph"):
        graph.draw(tensor([1.0]))
    with pytest.raises(ValueError, match="names maps"):
        graph.draw(loss_of_two_layers()[0], names={"x": np.ones(3)})
    y, _ = loss_of_two_layers()
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        graph.draw(y)
    x = tensor([1.0], requires_grad=True)
    assert graph.draw(x).count("\n") == 0                   # a leaf: no ops


@pytest.mark.parametrize("limit", [0, -1, 2.0, None])
def test_the_limit_is_a_count(limit):
    with pytest.raises(ValueError, match="graph.draw: limit must be an integer >= 1"):
        graph.draw(tensor([1.0], requires_grad=True) * 2, limit=limit)
