"""Methods compared: what is tried, one run of each, what the table says of known results, the command."""
import contextlib
import json
import math
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigrad import __main__ as command
from minigrad import compare, losses, optim
from minigrad.compare import report
from minigrad.compare import run as one_run
from minigrad.compare.methods import METHODS, MORE, Method, method_of, own_class
from minigrad.compare.run import Run, learn
from minigrad.compare.tasks import TASKS, documents
from minigrad.data import batches
from minigrad.training import evaluate, fit

OWN = """
from minigrad import optim
class Mine(optim.FirstOrder):
    lr: optim.Hyper
    def update(self, g):
        self.theta = self.theta - self.lr * g
class NoOptimizer: pass
"""


# ------------------------------------------------------------------------------------------------------ methods, tasks

@pytest.mark.parametrize("name", METHODS | MORE)
def test_every_method_is_tried_with_as_many_values_in_ascending_order(name):
    method = method_of(name)
    grid = method.grid(10_000)
    assert len(grid) == len(set(grid)) == 6 and grid == sorted(grid) and method.usual(10_000) in grid
    if method.tuned == "batch":
        assert grid == [100, 250, 600, 1600, 4000, 10_000]


def test_the_names_are_those_of_the_other_examples_and_every_first_order_method_has_one():
    made = {method.make.func if hasattr(method.make, "func") else method.make for method in (METHODS | MORE).values()}
    left_out = {optim.DeltaBarDelta,                                # made by a function of the room
                optim.MomentumNotes, optim.NesterovNotes, optim.RpropMinus,     # forms of others
                optim.VSGD}                                         # asks for the gradient of each example
    first = {thing for thing in vars(optim).values() if isinstance(thing, type) and issubclass(thing, optim.FirstOrder)
             and not thing.__dict__.get("abstract")}
    assert first - left_out <= made


@pytest.mark.parametrize("task", TASKS)
def test_no_example_stands_in_two_sets(task):
    train, validation, test = TASKS[task].examples(600)
    assert [len(x) for x, _ in (train, validation, test)] == [600, 5000, 10_000]
    if task != "sparse":
        learned, watched = ({image.tobytes() for image in x} for x in (train[0], validation[0]))
        assert not learned & watched


def test_the_documents_are_always_the_same():
    one, two = documents(50), documents(50)
    assert all(np.array_equal(a, b) for first, second in zip(one, two) for a, b in zip(first, second))


# -------------------------------------------------------------------------------------------------------------- one run

def quick(method, value, task="logistic", **more):
    return learn(task, method, value, seed=1, digits=200, **{"passes": 2, "marks": 4} | more)


@pytest.mark.parametrize("name", METHODS | MORE)
def test_every_method_learns_the_logistic_task(name):
    method = method_of(name)
    result = quick(name, method.grid(200)[-1] if method.tuned == "batch" else method.usual(200), passes=40)
    steps, work, clock, loss, error = np.array(result["points"]).T
    assert loss[-1] < loss[0] == pytest.approx(math.log(10), abs=1e-5)
    assert work[-1] <= 40 * (1 + 1e-9) and (np.diff(work) >= 0).all() and (np.diff(clock) >= 0).all()
    assert json.loads(json.dumps(result)) == result and result["end"] == ""


@pytest.mark.parametrize("task, name, value", [
    *((task, name, value) for task in TASKS for name, value in (("nesterov", 0.05), ("lbfgs", 100))),
    *((task, name, value) for task in ("mlp-dropout", "sparse") for name, value in (("sam", 0.05),
                                                                                    ("hessian-free", 100)))])
def test_every_kind_of_method_runs_on_every_task(task, name, value):
    result = quick(name, value, task, passes=12 if task != "convnet" else 2, marks=1)
    assert result["end"] == "" and all(math.isfinite(number) for point in result["points"] for number in point)


def test_a_run_is_that_of_fit_and_measuring_does_not_disturb_it():
    """Nesterov is elsewhere between two steps, and dropout draws: the same theta as `fit` makes, to the bit."""
    for task in ("mlp", "mlp-dropout"):
        run = Run(task, METHODS["nesterov"], 0.05, seed=3, digits=400)
        run.until(2.0, marks=8)
        model = TASKS[task].model(np.random.default_rng(3))
        opt = optim.Nesterov(model.parameters(), lr=0.05)
        x, y = run.examples.train
        fit(model, losses.cross_entropy, opt, batches(x, y, batch_size=100, rng=3), epochs=2, progress=False)
        assert run.steps == 8 and np.array_equal(run.before, model.parameters().theta)
        assert run.points[-1][3] == evaluate(model, losses.cross_entropy, x, y).loss


def test_points_are_the_last_states_within_the_marks():
    result = quick("sgd", 0.2, passes=8)                # two steps a pass
    assert [point[:2] for point in result["points"]] == [[0, 0], [1, 0.5], [4, 2], [9, 4.5], [16, 8]]
    whole = quick("lbfgs", 200, passes=8)["points"]     # steps of one pass or more
    assert [point[1] for point in whole] == sorted({point[1] for point in whole}) and whole[-1][1] <= 8


def test_what_a_step_costs_is_counted(monkeypatch):
    """In evaluations of the method: SAM two gradients; L-BFGS as the objective is asked."""
    assert quick("sam", 0.05, passes=8)["points"][-1][:2] == [8, 8]
    asked = []
    original = one_run.Counted.value_and_grad
    monkeypatch.setattr(one_run.Counted, "value_and_grad",
                        lambda J, theta=None: asked.append(len(J.x.data)) or original(J, theta))
    run = Run("logistic", METHODS["lbfgs"], 200, seed=0, digits=200)
    run.until(6.0, marks=6)
    assert run.work <= 6 and sum(asked) / 200 >= run.work > 0
    assert sum(asked) / 200 - run.work <= 20            # only the step beyond the budget is not counted


def test_a_diverged_run_says_so_and_has_no_test_error():
    result = quick("sgd", 1e20, "mlp", passes=20, marks=10)
    assert result["end"] == "diverged" and result["test_error"] is None and report.final(result) == math.inf
    assert all(math.isfinite(point[3]) for point in result["points"])


def test_rates_that_decay_are_what_they_are_at_step_100():
    run = Run("logistic", METHODS["sgd"], 0.2, seed=0, digits=200, decay="root")
    assert run.opt.now("lr", 100) == pytest.approx(0.2) and run.opt.now("lr", 1) == pytest.approx(2.0)


# ---------------------------------------------------------------------------------------------------- tuning, the table

def result(*losses_, errors=None, seconds=1.0, end="", work=10.0):
    """A run with these training losses at equally many passes, up to `work`."""
    n = len(losses_) - 1
    errors = errors or [90 - 10 * i for i in range(n + 1)]
    points = [[10 * i, work * i / n, seconds * i / n, loss, error]
              for i, (loss, error) in enumerate(zip(losses_, errors))]
    return {"points": points, "end": end, "test_error": None if end == "diverged" else errors[-1], "seconds": 1.0}


METHOD = METHODS["sgd"]


def row(*results, name="sgd", value=0.2, end="", method=METHOD):
    return report.Row(name, method, value, end, list(results))


@pytest.mark.parametrize("ends, found", [([3, 1, 2, 4], (20, "")), ([1, 2, 3, 4], (10, "lowest")),
                                         ([4, 3, 2, 1], (40, "highest")), ([4, math.inf, 2, math.inf], (30, ""))])
def test_the_value_of_lowest_loss_is_taken_and_an_end_of_the_grid_is_flagged(ends, found):
    runs = [result(5, 1 if math.isinf(loss) else loss, end="diverged" if math.isinf(loss) else "") for loss in ends]
    assert report.chosen([10, 20, 30, 40], runs, METHOD) == found


def test_beyond_the_whole_batch_there_is_nothing():
    runs = [result(5, loss) for loss in (3, 2, 1)]
    value, end = report.chosen([1, 2, 3], runs, METHODS["lbfgs"])
    assert (value, end) == (3, "whole") and not row(runs[0], end=end).starred


def test_time_to_an_error_is_that_of_the_first_point_there():
    one = row(result(4, 3, 2, 1, errors=[50, 20, 5, 1], seconds=3.0), result(4, 3, 2, 1, errors=[50, 9, 8, 7]))
    assert one.seconds_to(5) == [2.0] and one.seconds_to(20) == [1.0, pytest.approx(1 / 3)]
    assert one.seconds_to(0.5) == []
    assert report.goal([one], 5) == (5, "")
    easier, sentence = report.goal([one], 0.5)
    assert easier == 4.0 and "no run reached 0.5 % validation error" in sentence


def test_curves_hold_what_was_within_the_budget_of_each_mark():
    curve = row(result(4, 3, 2, work=4.0), result(8, 6, 4, work=2.0)).curve(report.LOSS, marks=2, passes=4.0)
    assert np.array_equal(curve, [[4, 2], [6, 4]])      # marks at 1 and 4 passes


def printed(capsys, rows, **options):
    job = {"digits": 10_000, "passes": 10.0, "marks": 4}
    report.table("logistic", rows, job, **{"seeds": [1, 2, 3], "tuned": 6, "error": 1.9} | options)
    return capsys.readouterr().out


def test_the_table_says_ranges_ends_of_grids_and_lost_seeds(capsys):
    good = row(result(3, 1.0), result(3, 0.5), result(3, 0.6), end="highest", value=6.0)
    lost = row(result(3, 0.1), result(3, 2, end="diverged"), result(3, 0.1), name="adam", method=METHODS["adam"])
    none = row(*[result(3, 2, end="diverged")] * 3, name="lbfgs", method=METHODS["lbfgs"], value=600)
    said = printed(capsys, [none, lost, good])
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[-6:-2]] == ["method", "sgd", "adam", "lbfgs"]     # diverged: last
    assert "lr 6*" in said and "* an end of the grid: the best may lie beyond" in said
    assert "0.700 (0.500 to 1.00)" in said
    assert "1 of 3 seeds diverged" in said and "lbfgs" in said and "diverged on every seed" in said
    assert "lr: 0.1, 0.3, 1, 3, 10, 30 times the usual one, in batches of 100; usual: adam 0.002, sgd 0.2" in said
    assert "batch: 100, 250, 600, 1600, 4000, 10000 examples: lbfgs" in said
    assert "no run reached 1.9 % validation error" in said and "seconds to 80 %" in said


def test_what_is_not_tuned_is_not_called_so(capsys):
    said = printed(capsys, [row(result(3, 1.0), result(3, 1.0))], seeds=[1, 2], tuned=1)
    assert "not tuned: one value for each method, seeds 1, 2" in said and "best" not in said.replace("only a", "")
    assert "tuned value" not in said


def test_a_picture_shows_the_start_the_goal_and_every_method_in_a_panel_of_its_family():
    figures = pytest.importorskip("matplotlib.figure")
    rows = [row(result(3, 2, 1 + i), result(3, 2, 1.5 + i), name=name, method=method)
            for i, (name, method) in enumerate(METHODS.items())]
    rows[3].results[0]["end"] = rows[3].results[1]["end"] = "diverged"
    figure = figures.Figure(layout="constrained")
    report.picture(figure, "mlp", rows, {"digits": 100, "passes": 10, "marks": 4}, error=75)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [ax.get_title() for ax in axes[0]] == list(dict.fromkeys(method.family for method in METHODS.values()))
    legends = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in axes[0]]
    named = [text.split(",")[0] for texts in legends for text in texts if not text.startswith("best:")]
    assert sorted(named) == sorted(METHODS) and legends[1][0] != "best: sgd"
    assert any("adagrad" in text and text.endswith("diverged") for text in legends[1])
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in axes.flat)
    assert axes[1, 0].get_ylim() == (pytest.approx(1 / 1.3), pytest.approx(4.5))
    assert "75 %" in [text.get_text() for text in axes[2, 0].texts]
    goals = [[line for line in ax.lines if set(line.get_ydata()) == {75}] for ax in axes.flat]
    assert [len(found) for found in goals] == 6 * [0] + 3 * [1]                 # among errors, not among losses
    few = figures.Figure(layout="constrained")
    report.picture(few, "mlp", rows[:3], {"digits": 100, "passes": 10, "marks": 4}, error=75)
    assert len(few.axes) == 3


# ---------------------------------------------------------------------------------------------------------- the command

def run(tmp_path, *options, threads=2):
    with ThreadPoolExecutor(threads) as executor:
        return compare.main(["--out", str(tmp_path), *options], executor=executor)


def test_the_command_runs_goes_on_and_draws(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    options = ["--tasks", "logistic", "--optimizers", "sgd", "adam", "--digits", "100", "--passes", "1", "--seeds", "2"]
    assert run(tmp_path, *options) == 0
    said = capsys.readouterr().out
    assert "16 runs on each of logistic" in said and "seeds 1, 2" in said
    assert re.search(r"about (a minute|\d+ minutes) on \d+ processors? if none was made before", said)
    assert "not asked for: momentum" in said
    kept = sorted((tmp_path / "compare").glob("*.json"))
    assert len(kept) == 16 and (tmp_path / "compare_logistic_100.png").read_bytes()[:4] == b"\x89PNG"
    kept[5].unlink()
    assert run(tmp_path, *options) == 0
    again = capsys.readouterr().out
    assert re.search("1[12] of 12 runs were done before|[34] of 4 runs were done before", again)
    assert len(list((tmp_path / "compare").glob("*.json"))) == 16


def test_quick_is_small_and_says_it_is_not_tuned(tmp_path, capsys):
    assert run(tmp_path, "--quick", "--optimizers", "momentum", "--tasks", "sparse") == 0
    said = capsys.readouterr().out
    assert "2 runs on each of sparse" in said and "not tuned" in said and "about" not in said.splitlines()[1]


def test_a_class_of_ones_own_runs_beside_the_others(tmp_path, capsys):
    """It is SGD: with SGD's rate it ends where SGD ends; after an edit its runs are made anew."""
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    options = ["--quick", "--tasks", "logistic", "--optimizers", "sgd", "--class", f"{file}:Mine", "--class-lr", "0.2"]
    assert run(tmp_path, *options) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    numbers = [re.findall(r"\d\.\d+", rows[name])[1:8] for name in ("sgd", "Mine")]
    assert numbers[0] == numbers[1] and len(numbers[0]) == 7
    file.write_text(OWN.replace("self.theta - ", "self.theta + 0 * "))
    assert run(tmp_path, *options) == 0
    said = capsys.readouterr().out
    assert "2 of 4 runs were done before" in said
    assert re.search(r"Mine +lr 0.2 +2\.30 ", said)


@pytest.mark.parametrize("name, words", [("mine.py", "wanted file.py:Name"), ("no.py:Mine", "there is no file no.py"),
                                         ("{}:Other", "defines no optimizer Other"),
                                         ("{}:NoOptimizer", "defines no optimizer NoOptimizer")])
def test_a_class_that_is_none_is_one_line(tmp_path, capsys, name, words):
    (tmp_path / "mine.py").write_text(OWN)
    name = name.format(tmp_path / "mine.py")
    with pytest.raises(ValueError, match=words):
        own_class(name)
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, "--quick", "--class", name)
    heard = capsys.readouterr()
    assert stop.value.code == 2 and words in heard.err and len(heard.err.splitlines()) == 1 and heard.out == ""


def test_an_error_in_a_class_of_ones_own_comes_with_the_line_that_made_it(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(OWN.replace("self.lr * g", "self.lr * g[:-1]"))
    with pytest.raises(ValueError, match="broadcast") as raised:
        run(tmp_path, "--quick", "--tasks", "logistic", "--optimizers", "sgd", "--class", f"{file}:Mine")
    assert any(entry.path == file for entry in raised.traceback)


@pytest.mark.parametrize("options", [["--digits", "60000"], ["--digits", "99"], ["--optimizers", "adamant"],
                                     ["--tasks", "cifar"], ["--seeds", "0"], ["--passes", "-1"]])
def test_wrong_options_are_one_line(tmp_path, capsys, options):
    with pytest.raises(SystemExit) as stop:
        run(tmp_path, *options)
    heard = capsys.readouterr()
    assert stop.value.code == 2 and len(heard.err.splitlines()) == 1 and options[0] in heard.err
    assert heard.err.startswith("python -m minigrad compare: ")


@pytest.mark.parametrize("digits, taken", [(99, False), (100, True), (55_000, True), (55_001, False)])
def test_all_digits_but_those_held_out_can_be_asked_for(tmp_path, digits, taken):
    """MNIST has 60,000 to learn from, 5,000 of them are for validation."""
    class Begins(Exception):
        pass

    @contextlib.contextmanager
    def executor():
        raise Begins
        yield

    with pytest.raises(Begins if taken else SystemExit):
        compare.main(["--digits", str(digits), "--out", str(tmp_path)], executor=executor())


def test_the_package_lists_the_command(capsys):
    assert command.main(["--help"]) == 0
    assert "compare ..." in capsys.readouterr().out


def test_a_method_is_what_its_name_says():
    assert method_of("adam") is METHODS["adam"] and isinstance(method_of("lion"), Method)
