"""What a notebook shows: tables that hold the numbers and escape the words, one display per run, pictures in place."""
import re
import shutil
import sys
import types
import xml.etree.ElementTree

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, graph, losses, nn, notebook, optim, training
from minigrad.diagnostics import doctor


def cells(text):
    """Every cell of the one table in `text`, which must be well-formed."""
    tree = xml.etree.ElementTree.fromstring(text[text.index("<table>"):])
    return [[cell.text or "" for cell in row] for row in tree.iter("tr")]


@pytest.fixture
def kernel(monkeypatch):
    """IPython as a notebook has it; what was displayed and updated is kept: [(thing, replaces the one before)]."""
    shown = []

    class Handle:
        def update(self, thing):
            shown.append((thing, True))

    def display(thing, display_id=False):
        shown.append((thing, False))
        return Handle() if display_id else None
    module = types.ModuleType("IPython")
    module.version_info = (9, 0)                                            # matplotlib asks
    module.get_ipython = lambda: type("ZMQInteractiveShell", (), {})()
    module.display = types.ModuleType("IPython.display")
    module.display.display, module.display.HTML = display, str
    module.display.Image = lambda **options: options
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    return shown


def trained(**options):
    x, y = data.toy.moons(96, rng=0)
    model = nn.Sequential(nn.Linear(2, 8, rng=1), nn.Tanh(), nn.Linear(8, 2, rng=2))
    return training.fit(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=0.1),
                        data.batches(x, y, batch_size=32, rng=0), validation=(x, y), **options)


def test_a_table_escapes_words_and_sets_numbers_right():
    text = notebook.table(["name", "n"], [["a < b & c", 3], ["<script>", notebook.Number("1,000")]], "x > y")
    assert cells(text) == [["name", "n"], ["a < b & c", "3"], ["<script>", "1,000"]] and "<script>" not in text
    assert text.count("right") == 3 and "<caption>x &gt; y</caption>" in text


def test_a_run_has_one_display_and_leaves_its_table(kernel, capsys, monkeypatch):
    monkeypatch.setattr(training.progress, "EVERY", 0)
    run = trained(epochs=2)
    assert capsys.readouterr() == ("", "")                                  # no line per epoch beside the table
    assert [replaces for _, replaces in kernel] == [False] + [True] * (len(kernel) - 1) and len(kernel) == 1 + 6 + 2 + 1
    parts = [float(re.search(r'value="([\d.]+)"', text)[1]) for text, _ in kernel[:-1]]
    assert parts == sorted(parts) and parts[0] == 0 and parts[3] == 0.5 and parts[-1] == 1
    assert kernel[-1][0] == run._repr_html_() and "progress" not in kernel[-1][0]
    head, first, second = cells(kernel[-1][0])
    assert head[:4] == ["epoch", "train loss", "validation loss", "validation error, %"]
    assert second[:2] == ["2", f"{run.history[1]['loss']:.4f}"]
    assert first[3] == f"{100 * run.history[0]['validation_error']:.2f}"


def test_a_run_of_steps_and_one_that_fails_end_their_display_too(kernel):
    run = trained(steps=4, metrics={"mean": lambda z, y: float(np.mean(z))})
    assert "mean" in str(cells(run._repr_html_())[0]) and "finished: 1 epochs, 4 steps" in kernel[-1][0]
    kernel.clear()
    with pytest.raises(ZeroDivisionError):
        trained(epochs=2, metrics={"wrong": lambda z, y: 1 // 0})
    assert "1 epochs, 3 steps" in kernel[-1][0] and "progress" not in kernel[-1][0]


def test_a_model_shows_its_layers():
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    assert cells(model._repr_html_())[0] == ["layer", "kind", "parameters"]
    assert cells(model._repr_html_())[1:] == [["0", "Linear(784, 128)", "100,480"], ["1", "ReLU", "0"],
                                              ["2", "Linear(128, 10)", "1,290"], ["", "total", "101,770"]]


def test_results_and_the_doctors_findings_show_their_figures():
    class Bowl:
        def value(self, theta): return 0.5 * theta @ theta
        def grad(self, theta): return theta
        def hvp(self, theta, v): return v
    theta = np.array([3.0, -4.0])
    result = optim.minimize(optim.SGD(theta, lr=0.5), Bowl(), steps=3)
    assert dict(cells(result._repr_html_())) == {
        "value": "0.195312", "grad_norm": "0.625", "steps": "3", "evaluations": "4", "products": "0", "reason": "steps"}
    found = doctor(Bowl(), np.array([1e-3, 0.0]))
    text = found._repr_html_()
    assert f"<b>{found.verdict}</b>" in text and dict(cells(text))["highest"] == "1"


def test_a_graph_shows_itself_and_is_text_all_the_same(kernel, monkeypatch):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    drawn = graph.draw((x * x).sum(), names={"<x>": x})
    assert isinstance(drawn, str) and "mul" in drawn
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert drawn._repr_html_().startswith("<pre>") and "&lt;x&gt;" in drawn._repr_html_()


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_a_graph_is_a_picture_where_graphviz_is(kernel):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    assert graph.draw((x * x).sum())._repr_html_().startswith("<svg")


def test_a_learning_curve_shows_itself(kernel, tmp_path):
    pytest.importorskip("matplotlib")
    run = trained(epochs=2, progress=False)
    training.draw_learning_curve(run)
    (picture, _), = kernel
    assert picture["data"][:4] == b"\x89PNG" and picture["alt"] == "loss; 0-1 error"
    training.draw_learning_curve(run.history, tmp_path / "curve.png")
    assert len(kernel) == 2 and (tmp_path / "curve.png").exists()           # saved, and shown
    training.LearningCurve(tmp_path / "each.png").epoch(run)
    assert len(kernel) == 2 and (tmp_path / "each.png").exists()            # after every epoch: saved alone


def test_outside_a_notebook_a_learning_curve_wants_a_path():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="a path"):
        training.draw_learning_curve([{"epoch": 1, "loss": 1.0}])
