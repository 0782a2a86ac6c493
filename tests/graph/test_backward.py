"""Backward one op at a time: as text, as a picture's source, as a page; its numbers are those of `grad`."""
import json
import re

import numpy as np
import pytest

from minigrad import graph, losses, nn, ops
from minigrad.core import grad, tensor
from minigrad.core.primitive import OPS
from minigrad.graph.backward import rule_text
from minigrad.graph.layout import GAP, layered


def two_layers():
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Tanh(), nn.Linear(3, 2, rng=1))
    model.parameters()
    return losses.cross_entropy(model(tensor(x)), np.array([0, 1, 1, 0, 1]))


def gated():
    """h <- tanh(h W + b) sigmoid(h V) + h, twice: results that are used three times, parameters used twice."""
    rng = np.random.default_rng(1)
    W, V = (tensor(rng.standard_normal((3, 3)), requires_grad=True) for _ in range(2))
    b = tensor(np.zeros(3), requires_grad=True)
    h = first = tensor(rng.standard_normal((4, 3)), requires_grad=True)
    between = []
    for _ in range(2):
        h = ops.tanh(h @ W + b) * ops.sigmoid(h @ V) + h
        between.append(h)
    return ops.sum(h * h), [W, V, b, first, *between]


def test_the_totals_are_the_gradients():
    loss, tensors = gated()
    made = graph.steps(loss)
    totals = {made[0].node: made[0].g}
    for step in made:
        np.testing.assert_array_equal(step.g, totals[step.node])          # complete when it is used
        totals |= step.total
    for x, wanted in zip(tensors, grad(loss, tensors, retain_graph=True)):
        np.testing.assert_allclose(totals[x.node], wanted.data, rtol=1e-13)
        assert x.grad is None


def test_the_graph_is_kept_and_backward_gives_the_same():
    loss = two_layers()
    made = graph.steps(loss)
    leaves = {leaf: d for step in made for leaf, d in step.total.items() if leaf.op is None}
    assert len(leaves) == 4 and all(leaf.grad is None for leaf in leaves)
    loss.backward()
    for leaf, d in leaves.items():
        np.testing.assert_allclose(leaf.grad, d, rtol=1e-6)


def test_shares_of_an_op_that_takes_a_result_twice_are_one():
    x = tensor([3.0, -2.0], requires_grad=True)
    (total, square) = graph.steps(ops.sum(x * x))
    assert list(square.share) == [x.node] and square.share[x.node].tolist() == [6.0, -4.0]
    assert total.node.op.name == "sum" and square.g.tolist() == [1.0, 1.0]


def test_text_of_a_step():
    text = graph.draw(two_layers(), step=3)
    assert text.splitlines()[:6] == [
        "backward, step 3 of 4: through #2",
        "    op                     result  norm of gradient  arguments",
        "#1  linear                 (5, 3)  0.1893            [5, 4], 0.w, 0.b",
        "#2  tanh                   (5, 3)  > 0.2133          #1",
        "#3  linear                 (5, 2)  0.283             #2, 2.w, 2.b",
        "#4  softmax_cross_entropy  ()      1                 #3, [5]"]
    assert "gives #1 (5, 3) by tanh_gate(g, y):" in text
    assert "gives 2.b (2) by g, summed over the axes along which it was broadcast:" in graph.draw(two_layers(), step=2)


def test_a_sum_in_the_making_is_said():
    loss, (W, V, b, first, one, two) = gated()
    names = dict(W=W, V=V, b=b, x=first, h=one)
    text = graph.draw(loss, names=names, step=3)
    assert re.search(r"add = h +\(4, 3\) +[\d.]+ so far", text)
    assert "which makes, with what had arrived before:" not in text
    assert "which makes, with what had arrived before:" in graph.draw(loss, names=names, step=9)


def test_a_result_with_axes_wants_its_gradient():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    with pytest.raises(ValueError, match="graph.steps: the Tensor has shape"):
        graph.draw(y, step=1)
    assert "[ 6. 12.]" in graph.draw(y, step=1, g=np.array([2.0, 4.0]))


@pytest.mark.parametrize("step", [0, 5, -1, 1.5])
def test_the_step_is_one_of_them(step):
    with pytest.raises(ValueError, match="graph.draw: step must be"):
        graph.draw(two_layers(), step=step)


def test_graphviz_source_of_a_step(tmp_path):
    graph.draw(two_layers(), tmp_path / "y.dot", step=2)
    lines = (tmp_path / "y.dot").read_text().splitlines()
    assert [line.split()[0] for line in lines if "#d55e00" in line] == ["n3"]
    assert {line.split()[0] for line in lines if "#0072b2" in line} == {"n2", "n4", "p3", "p4"}


# ---- the page

def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_is_complete_and_needs_no_network(tmp_path):
    graph.draw(two_layers(), tmp_path / "b.html", step=2)
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|@import|url\(|<link", page) and "<!-- " not in page.replace("<!DOCTYPE", "")
    data = data_of(page)
    assert data["first"] == 1 and [one["op"] for one in data["steps"]] == [
        "softmax_cross_entropy", "linear", "tanh", "linear"]
    ids = re.findall(r'<g class="\w+" id="(\w+)">', page)
    assert len(ids) == len(set(ids)) == 4 + 4 + 2                        # ops, parameters, data
    assert {one["id"] for step in data["steps"] for one in [step, *step["gives"]]} <= set(ids)
    assert all(end in ids for end in re.findall(r'data-(?:from|to)="(\w+)"', page))
    boxes = re.findall(r'<g class="(\w+)" id="\w+"><rect .*? height="(\d+)" rx="(\d+)"', page)
    assert {(kind, int(round_) / int(high)) for kind, high, round_ in boxes if kind == "op"} == {("op", 0.5)}
    assert len(boxes) == 10 and all(int(round_) < int(high) / 5 for kind, high, round_ in boxes if kind != "op")


def test_the_numbers_of_the_page_are_the_gradients():
    x = tensor([[3.0, -2.0]], requires_grad=True)
    data = data_of(graph.page(ops.sum(x * x), names={"x": x}))
    gift = data["steps"][1]["gives"][0]
    assert gift["what"] == "x" and gift["times"] == 2 and gift["first"]
    assert [cell[0] for cell in gift["total"]["cells"][0]] == ["6", "-4"]
    assert [cell[1] for cell in gift["total"]["cells"][0]] == [1.0, -0.667]


def test_names_cannot_break_the_page():
    x = tensor([1.0, np.nan, np.inf], requires_grad=True)
    name = '</script><!-- DATA --><b onclick="x">&'
    page = graph.page(ops.sum(x * 2), names={name: x})
    assert page.count("</script>") == 2 and "<b onclick" not in page.split('id="data"')[0]
    assert data_of(page)["steps"][1]["takes"][0]["what"] == name


def test_a_long_graph_shows_its_end():
    x = tensor([1.0], requires_grad=True)
    y = x
    for _ in range(3000):
        y = y * 0.999
    page = graph.page(y, limit=20)
    assert len(data_of(page)["steps"]) == 20 and "the last 20 shown" in page and "#2980 multiply, and before" in page


def test_arrays_without_entries_are_shown_too():
    x = tensor(np.zeros((0, 3)), requires_grad=True)
    step = data_of(graph.page(ops.sum(x * 2)))["steps"][1]
    assert step["g"]["shape"] == "(0, 3)" and step["g"]["cells"] == [] and not step["g"]["more"]


def test_a_leaf_has_no_page():
    with pytest.raises(ValueError, match="no op to go back through"):
        graph.page(tensor(1.0, requires_grad=True))


# ---- rules as text, and where nodes go

def test_every_rule_of_every_op_can_be_read():
    for function in OPS.values():
        op = function.op
        if not op.forward.__module__.startswith("minigrad."):         # another test's own
            continue
        node = type("Node", (), dict(op=op, values=(np.zeros(()),) * 30, data=np.zeros(())))
        for i in range(len(op.rules) + (op.rule_for_each is not None)):
            if i >= len(op.rules) or op.rules[i] is not None:
                assert rule_text(node, i), (op.name, i)
    node = type("Node", (), dict(op=OPS["multiply"].op, values=(np.zeros(()),) * 2, data=np.zeros(())))
    assert [rule_text(node, 0), rule_text(node, 1)] == ["g * b", "g * a"]


def random_graph(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    edges = [(int(rng.integers(0, b)), b) for b in range(1, n) for _ in range(rng.integers(1, 4))]
    return list(range(n)), edges, {node: float(rng.integers(30, 200)) for node in range(n)}


@pytest.mark.parametrize("seed", range(20))
def test_nodes_do_not_overlap_and_edges_lead_down(seed):
    nodes, edges, width = random_graph(seed)
    centre, bends, (w, h) = layered(nodes, edges, width)
    assert set(bends) == set(edges)
    for points in bends.values():
        assert all(a[1] < b[1] for a, b in zip(points, points[1:]))
    for a in nodes:
        x, y = centre[a]
        assert width[a] / 2 <= x <= w - width[a] / 2 and 0 < y < h
        for b in nodes[:a]:
            if centre[b][1] == y:
                assert abs(centre[b][0] - x) >= (width[a] + width[b]) / 2 + GAP - 1e-6


def test_a_chain_is_straight_and_a_tree_has_no_crossings():
    centre, _, _ = layered("abcd", ["ab", "bc", "cd"], dict.fromkeys("abcd", 50.0))
    assert len({x for x, _ in centre.values()}) == 1
    edges = ["aA", "cA", "bB", "dB", "Ar", "Br"]                         # given in an order that crosses
    centre, _, _ = layered("abcdABr", edges, dict.fromkeys("abcdABr", 50.0))
    assert (max(centre[a][0] for a in "ac") < min(centre[b][0] for b in "bd")) == (centre["A"][0] < centre["B"][0])
