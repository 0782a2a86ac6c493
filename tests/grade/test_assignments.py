"""Every assignment in examples/assignments: stub, solution and all between, mutants, and wrong solutions as graded.

Solutions run here in the tests' own process; that the grader's walls let them through is a long test.
"""
import importlib
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

from minigrad.grade import Case, Outcome, load
from minigrad.grade.assignment import regions, run_file
from minigrad.grade.grading import grade
from minigrad.grade.library import strip
from minigrad.grade.restate import restate

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "examples" / "assignments"
FOLDERS = sorted(path.parent.name for path in SHELF.glob("*/checks.py"))
every_assignment = pytest.mark.parametrize("name", FOLDERS)


@pytest.fixture(autouse=True)
def modules_of_submissions(tmp_path, monkeypatch):
    """Submissions are imported by name, from memory or from this folder; none is left for the next test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)   # a file may be written anew within its clock's grain
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if not file or Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


def submit(assignment, text):
    """The adapter of a submission whose file reads `text`."""
    if assignment.subject:                                  # its adapter imports the file again and again
        folder = Path(sys.path[0])
        (folder / f"{assignment.module}.py").write_text(text)
        importlib.invalidate_caches()
        return run_file(assignment.folder / "adapter.py")
    for name, code in ((assignment.module, text), ("adapter", (assignment.folder / "adapter.py").read_text())):
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(code, name, "exec"), vars(module))
    return module


def graded(assignment, text, seed="a student"):
    """number -> (status, message) of every test."""
    student, drive, found = submit(assignment, text), run_file(assignment.folder / "drive.py"), {}

    def ask(function, inputs, public):
        copies = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in inputs.items()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = getattr(drive, function)(student, **copies)
        except Exception as error:
            raise Outcome("error", f"{type(error).__name__}: {error}") from error
        return {name: plain(value) for name, value in data.items()}

    for one in assignment.tasks:
        try:
            one.function(Case(ask, one, seed))
            found[one.number] = ("passed", "")
        except Outcome as outcome:
            found[one.number] = (outcome.status, outcome.message)
    return found


def plain(value):
    """What a drive returns, as it travels to the grader: arrays of numbers."""
    array = np.asarray(value)
    assert array.dtype in (np.float32, np.float64, np.int64, np.uint8, np.bool_), array.dtype
    return array.copy()


def failed_by(assignment, text):
    """The first of the reference tests that fails on a solution, or None; "" if there is no test at all."""
    module = sys.modules[assignment.tested] = types.ModuleType(assignment.tested)
    exec(compile(text, assignment.tested, "exec"), vars(module))
    space = {"__name__": "test_mine"}
    exec(compile(assignment.tests, "test_mine", "exec"), space)
    tests = [(name, test) for name, test in space.items() if name.startswith("test_")]
    for name, test in tests:
        for arguments in rows(test):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    test(**arguments)
            except BaseException as error:                  # pytest's own failures are no Exceptions
                if isinstance(error, KeyboardInterrupt):
                    raise
                return name
    return None if tests else ""


def rows(test):
    """The arguments of every run of a test under @pytest.mark.parametrize."""
    found = [{}]
    for mark in getattr(test, "pytestmark", []):
        names = [one.strip() for one in mark.args[0].split(",")] if isinstance(mark.args[0], str) else mark.args[0]
        values = [dict(zip(names, value if len(names) > 1 else [value])) for value in mark.args[1]]
        found = [one | other for one in found for other in values]
    return found


# --------------------------------------------------------------------------------------------------------- the folders

@every_assignment
def test_an_assignment_is_whole(name):
    assignment = load(SHELF / name)
    for file in ("handout.md", "source.py", "adapter.py", "drive.py", "checks.py", "mutants.py", "rubric.md",
                 f"{assignment.subject or 'test_mine'}.py"):
        assert (assignment.folder / file).is_file(), file
    assert {one.visibility for one in assignment.tasks} == {"public", "hidden"}
    assert {one.group for one in assignment.tasks} == set(regions(assignment.source))
    for group in regions(assignment.source):
        assert any(one.group == group and one.visibility == "public" for one in assignment.tasks), f"task {group}"
    assert assignment.mutant_points > 0 and assignment.title and assignment.sections


@every_assignment
def test_the_handout_says_what_the_grader_counts(name):
    """Points per task and in all, minutes, and how the public tests are run."""
    assignment = load(SHELF / name)
    handout = (assignment.folder / "handout.md").read_text()
    assert "pytest -m task1" in handout and str(assignment.minutes) in handout
    assert "\n## Questions (" in handout              # what a human gives points for is asked
    for group in regions(assignment.source):
        points = sum(one.points for one in assignment.tasks if one.group == group)
        row = re.search(rf"^\| {group} \|(.*)\|$", handout, re.M)
        cells = [cell.strip() for cell in row[1].split("|")]
        said = sum(float(cell) for cell in cells if re.fullmatch(r"[\d.]+", cell))     # in all, or public and hidden
        assert said == points, f"task {group} has {points:g} points"


def test_single_functions_stand_empty_and_the_rest_of_their_module_works(tmp_path):
    """Where an op is asked for, a submission can import all others: `from minigrad.ops import tanh` is no solution."""
    strip(tmp_path, load(SHELF / "01_op_and_rules").blocked)
    code = ("import numpy as np, minigrad.ops as ops; from minigrad import Tensor\n"
            "print(ops.exp(Tensor(np.zeros(1))).data, ops.tanh.op.rules, ops.softplus.op.rules)\n"
            "for name in ('tanh', 'softplus', 'logsumexp'):\n"
            "    try: getattr(ops, name)(np.zeros(3))\n"
            "    except ImportError as error: print('asks you to write' in str(error))\n")
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, check=True,
                          capture_output=True, text=True)
    assert said.stdout.split() == ["[1.]", "()", "()", "True", "True", "True"], said
    strip(tmp_path / "engine", ["minigrad.core.sweep.backward"])
    assert not list((tmp_path / "engine" / "minigrad" / "core").glob("sweep.*.so"))        # nor the answer, compiled
    with pytest.raises(ValueError, match="nor a function of one"):
        strip(tmp_path / "again", ["minigrad.ops.elementwise.tahn"])


# ----------------------------------------------------------------------------------------------- stub and solution

@every_assignment
def test_the_stub_imports_and_gets_nothing(name):
    assignment = load(SHELF / name)
    assert {status for status, _ in graded(assignment, assignment.text()).values()}.isdisjoint({"passed"})


@every_assignment
def test_the_solution_passes_everything_whatever_the_seed(name):
    assignment = load(SHELF / name)
    for seed in ("a student", "another", "17"):
        wrong = {number: found for number, found in graded(assignment, assignment.text("all"), seed).items()
                 if found[0] != "passed"}
        assert not wrong, wrong


@every_assignment
def test_a_task_can_be_graded_when_only_the_earlier_ones_are_solved(name):
    assignment = load(SHELF / name)
    groups = regions(assignment.source)
    for group in groups:
        found = graded(assignment, assignment.text({one for one in groups if one <= group}))
        for one in assignment.tasks:
            assert (found[one.number][0] == "passed") == (one.group <= group), (group, one.number, found[one.number])


@pytest.mark.long
@every_assignment
def test_the_grader_gives_the_solution_and_its_tests_every_point(name, tmp_path):
    """Behind the walls: what blocked modules leave of the library is enough, and so are the seconds and the memory."""
    assignment = load(SHELF / name)
    (tmp_path / f"{assignment.module}.py").write_text(assignment.text("all"))
    (tmp_path / "test_mine.py").write_text(assignment.tests)
    record = grade(assignment, tmp_path, "a student")
    assert [(one.number, one.message) for one in record.tests if one.status != "passed"] == []
    assert record.suite.points == assignment.mutant_points, record.suite.message


# ------------------------------------------------------------------------------------------------------------- mutants

@every_assignment
def test_the_reference_tests_kill_every_mutant_and_pass_what_is_right(name):
    assignment = load(SHELF / name)
    assert len(assignment.mutants) >= 20
    assert len({one.id for one in assignment.mutants}) == len(assignment.mutants)
    assert all(one.message for one in assignment.mutants)
    assert failed_by(assignment, assignment.right) is None
    assert failed_by(assignment, restate(assignment.right)) is None
    for one in assignment.equivalents:
        assert failed_by(assignment, assignment.mutated(one)) is None, one.id
    alive = [one.id for one in assignment.mutants if not failed_by(assignment, assignment.mutated(one))]
    assert not alive, alive


# ------------------------------------------------------------------------------------------- the library's own text

# assignment -> the files that its solutions are taken from, what is called otherwise there, and which regions (default:
# all). Of 10, instance norm, the backward pass of RMS norm and task 4 are in no file; sums over what broadcasting
# repeated are made by the tape
LIBRARY = {
    "01_op_and_rules": (["core/primitive.py", "ops/elementwise.py", "ops/reduce.py"],
                        {"_spread": "spread", "_shape_with": "shape_with",
                         "summed(np.exp(x - top), axes, True)":          # np.add.reduce that keeps float32's digits
                         "np.add.reduce(np.exp(x - top), axis=axes, keepdims=True)"}),
    "02_matmul": (["../examples/kernels/reordered.pyx", "../examples/kernels/blocked.pyx"],
                  {"DEEP": "deep", "WIDE": "wide"}, "task [12]"),
    "03_batch_norm": (["ops/norm.py", "nn/normalization.py"],
                      {"_standardize_x": "standardize_x", "_standardize": "standardize", "_leading": "leading",
                       "_gated(g, y, relu)": "g", "self.gamma": "gamma", "self.beta": "beta", "self.delta": "delta",
                       "scale, beta = 1 /": "scale = 1 /", "scale, beta = gamma": "scale = gamma"}),
    "04_convolution": (["kernels/conv.py", "ops/conv.py"],
                       {"ki * dh": "ki", "kj * dw": "kj", "k, place, o in _taps": "k, place in taps",
                        "_overlap": "overlap", "[..., o]": "", "[:, o]": "", "_conv2d": "conv2d",
                        "(0, 1, 2), dtype=np.float64)": "(0, 1, 2))"}),
    "06_adaptive": (["optim/first_order/adaptive.py"], {}),
    "07_initializers": (["init/weights.py", "init/biases.py"], {"_smoothing(smoothing, ": "smoothing("}),
    "08_line_search_bfgs": (["optim/second_order/linesearch.py", "optim/second_order/quasi_newton.py"],
                            {"self.M": "M", " + rounding.size": ""}),
    "10_normalization": (["ops/norm.py"],
                         {"_standardize_x": "standardize_x", "_standardize": "standardize", "_leading": "leading",
                          "delta: g * standardize(x, (x.ndim - 1,), delta)[0]":
                          "delta: sum(g * standardize(x, (x.ndim - 1,), delta)[0], leading(x))",
                          "delta: g,": "delta: sum(g, leading(x)),"},
                         r"task 1|task 2: \(m|task 3: the line"),
    "09_cg_and_newton": (["optim/second_order/conjugate_gradient.py", "optim/second_order/newton.py"],
                         {"dot(r, z)": "dot(r, r)", "d = z + ": "d = r + ", "rz": "rr", "ahead = x": "x = x",
                          "self.coefficient": "coefficient", "self.d if": "d if", "self.reset": "reset",
                          "self.n)": "len(g))", "g64": "g", "g.astype(np.float64)": "g", 'self.now("floor")': "floor",
                         "d, damping = -solve": "d = -solve"}),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_the_solution_is_the_librarys_own_text(name):
    """Every line of every region stands in the library, up to names: what is taught is what runs."""
    files, names, which = (*LIBRARY[name], "")[:3]
    library = " ".join((ROOT / "minigrad" / file).read_text() for file in files)
    for theirs, ours in names.items():
        library = library.replace(theirs, ours)
    library = re.sub(r"\s+", " ", library)
    for head, region in re.findall(r"# BEGIN SOLUTION (.*?)\n(.*?) *# END SOLUTION", load(SHELF / name).source, re.S):
        for line in region.splitlines() if re.match(which, head) else []:
            code = re.sub(r"^(return|y =|xhat =|d[xwgb] =|dgamma =|dbeta =) ", "", line.split("  #")[0].strip())
            if code not in ("dx, dgamma, dbeta",):
                assert code in library, f"{line.strip()!r} is not in {', '.join(files)}"


# ----------------------------------------------------------------------------------------------- wrong solutions

# assignment -> what a student may have thought: (edits of the solution, test -> a part of its message; all others pass)
WRONG = {
    "01_op_and_rules": {
        "y is a constant of the rule": (
            [("return g * (1 - y * y)", "return g * (1 - data_of(y) ** 2)")],
            {"1.2": "y depends on x, it is no constant"}),
        "softplus as it is written": (
            [("return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))", "return np.log(1 + np.exp(x))")],
            {"2.2": "without overflow"}),
        "g is forgotten": (
            [("return spread(g, x, axes) * (powers", "return (powers")],
            {"3.1": "multiplied by its own g", "3.2": "shares one g", "3.4": "linear in g"}),
    },
    "02_matmul": {
        "the definition": (
            [("        for p in range(k):\n            x = a[i, p]\n            for j in range(n):\n",
              "        for j in range(n):\n            for p in range(k):\n                x = a[i, p]\n")],
            {"1.2": "which index must run fastest"}),
        "not blocked": ([("deep, wide):\n", "deep, wide):\n    deep, wide = b.shape\n")],
                        {"2.2": "before the next is touched"}),
        "the gradient by the shapes": ([("da = tiled(g, b.T, high, wide)",
                                         "da = tiled(g, b if b.shape[0] == b.shape[1] else b.T, high, wide)")],
                                       {"5.1": "A[i, p] is multiplied by B[p, j]"}),
    },
    "03_batch_norm": {
        "mu and sigma are constants": (
            [("return scale * (g - mean(g, axes, keepdims=True) - xhat * mean(g * xhat, axes, keepdims=True))",
              "return scale * g")],
            {"2.1": "through mu and through sigma", "2.2": "increase the mean", "2.3": "8.36 and 8.37",
             "3.1": "g passes gamma", "3.2": "g passes gamma"}),
        "delta outside the root": (
            [("scale = 1 / sqrt(mean(deviation * deviation, axes, keepdims=True) + delta)",
              "scale = 1 / (sqrt(mean(deviation * deviation, axes, keepdims=True)) + delta)")],
            {"1.1": "reread 8.36 and 8.37", "1.2": "inside the root: reread 8.37", "2.1": "through sigma",
             "2.3": "delta is in sigma", "3.1": "sum of g xhat", "3.2": "sum of g xhat"}),
        "statistics of the batch at test time": (
            [("y = x * scale + (beta - self.running_mean * scale)", "y = (x - x.mean(leading(x))) * scale + beta")],
            {"4.3": "At test time"}),
    },
    "04_convolution": {
        "a filter flipped": (
            [("rows = slice(ki, ki +", "ki_ = w.shape[0] - 1 - ki\n            rows = slice(ki_, ki_ +")],
            {"1.1": "reread the sum", "1.2": "the stride", "1.3": "outside the image",
             "2.1": "gives back to the pixels", "2.2": "a pixel that none read", "2.3": "dropped",
             "3.1": "shared by all images", "3.2": "the same pixels",
             "4.1": "what multiplies g", "4.2": "what multiplies g"}),
        "a pixel keeps its last window": ([("plane[place] += g @", "plane[place] = g @")],
                                          {"2.1": "a pixel sums over the windows", "2.3": "the top rows",
                                           "2.2": "a pixel sums over the windows", "4.2": "gradient by x"}),
        "the border is kept": ([("rows, rows_in = overlap(dx.shape[1], windows[2], shape[0])",
                                 "rows, rows_in = overlap(dx.shape[1], 0, shape[0])")],
                               {"2.3": "the image begins behind them", "4.2": "gradient by x"}),
    },
    "05_momentum": {
        "the rate outside, as other libraries have it": (
            [("        self.v = self.momentum * self.v - self.lr * g\n        self.theta = self.theta + self.v\n",
              "        self.v = self.momentum * self.v + g\n        self.theta = self.theta - self.lr * self.v\n")],
            {"1.1": "so the first v is -epsilon g", "1.2": "old gradients count", "3.2": "at theta~",
             "3.3": "a function of the step"}),
        "taken at theta": ([('at = opt.point() if hasattr(opt, "point") else opt.theta', "at = opt.theta")],
                            {"3.2": "computes the gradient at theta~", "3.3": "before each step"}),
        "in place": (
            [("self.v = self.momentum * self.v - self.lr * g\n        self.theta = self.theta + self.v\n",
              "g *= self.lr\n        self.v *= self.momentum\n        self.v -= g\n        self.theta += self.v\n")],
            {"1.3": "must not write into g"}),
    },
    "06_adaptive": {
        "r does not sum": ([("self.r = self.r + g * g", "self.r = g * g")],
                           {"1.2": "sum of all squared gradients", "1.3": "delta", "1.4": "equally fast"}),
        "delta outside the root": ([("np.sqrt(self.delta + self.r)", "(self.delta + np.sqrt(self.r))")],
                                   {"2.1": "r = (1 - rho) g*g", "2.2": "rho weighs the old r",
                                    "2.3": "inside the root", "2.4": "r forgets"}),
        "no correction": ([("s_hat = self.s / (1 - self.rho1 ** self.t)", "s_hat = self.s"),
                           ("r_hat = self.r / (1 - self.rho2 ** self.t)", "r_hat = self.r")],
                          {"3.1": "Correct bias", "3.2": "first moment", "3.3": "outside the root",
                           "3.4": "first moment"}),
    },
    "07_initializers": {
        "the kernel does not count": ([("kernel = math.prod(shape[:-2])", "kernel = 1")],
                                      {"1.1": "the kernel multiplies both", "1.3": "8.23", "2.2": "", "3.2": ""}),
        "the signs of QR": ([("q *= np.where(np.diag(r) < 0, -1.0, 1.0)", "pass")],
                            {"2.3": "QR chooses signs of its own"}),
        "an input drawn twice": ([("rng.random((m, n)).argsort(axis=0)[:k]", "rng.integers(m, size=(k, n))")],
                                 {"3.1": "exactly k nonzero weights", "3.2": "exactly k nonzero weights"}),
    },
    "08_line_search_bfgs": {
        "no second condition": ([("elif abs(slope) <= -c2 * slope0:", "elif True:")],
                                {"2.1": "c2 |phi'(0)|", "2.2": "c2 |phi'(0)|", "2.4": "c2 |phi'(0)|"}),
        "the book's sign": ([("return -(M @ g)", "return M @ g")],
                            {"3.1": "lacks the minus sign", "3.4": "", "3.5": ""}),
        "every pair is learned": ([("return np.isfinite(curvature) and curvature > CURVATURE * norm(s) * norm(y)",
                                    "return True")],
                                  {"3.3": "would make M indefinite"}),
    },
    "09_cg_and_newton": {
        "steepest descent": ([("d = r + rr / before * d", "d = r")],
                             {"1.1": "the line d = r + ... d", "1.2": "conjugate to *all*"}),
        "the sign of 8.29": ([("return -g + coefficient * d if coefficient else -g",
                               "return g + coefficient * d if coefficient else g")],
                             {"2.3": "8.29 has another sign", "2.4": "beta_t = 0"}),
        "the sign of the curvature": ([("size = abs(l)", "size = l")],
                                      {"4.1": "turned round", "4.2": "raised to floor", "4.3": "|H| in the place"}),
    },
    "10_normalization": {
        "the axes of batch norm": ([("xhat = standardize(x, (x.ndim - 1,), delta)[0]\n",
                                     "xhat = standardize(x, leading(x), delta)[0]\n")],
                                   {"1.1": "the other axis than in 8.36", "1.2": "the last axis only"}),
        "groups that are no neighbours": (
            [("groups, shape[-1] // groups))", "shape[-1] // groups, groups))"), ("(1, 3)", "(1, 2)")],
            {"2.1": "*neighbouring* features", "2.2": "any number of axes"}),
        "the root is a constant": ([("dx = scale * (ghat - xhat * mean(ghat * xhat, -1, keepdims=True))",
                                     "dx = scale * ghat")],
                                   {"3.3": "directly and through the root"}),
    },
    "11_find_the_bug": {
        "g = 1": ([("u = rng.standard_normal(np.shape(y))", "u = np.ones(np.shape(y))")],
                  {"2.3": "draw g at random"}),
        "NaN passes": ([("if not error <= ATOL + RTOL * abs(numeric):", "if error > ATOL + RTOL * abs(numeric):")],
                       {"2.5": "is never true"}),
        "from the start": ([("for i in reversed(range(len(chain))):", "for i in range(len(chain)):")],
                           {"3.2": "backward begins at the end"}),
    },
    "13_write_the_tests": {
        "no test of the gradient's size": ([("assert abs(d[index] - slope) < 1e-8, index",
                                             "assert np.sign(d[index]) == np.sign(slope), index")],
                                           {"1.1": "not found: the gradient is not divided by m"}),
        "every digit": ([("np.testing.assert_allclose(clip_by_norm(g, threshold), want, rtol=1e-12)",
                          "assert clip_by_norm(g, threshold).tobytes() == (g * (threshold / length)).tobytes()")],
                        {"2.1": "a test fails a right program", "2.2": "a test fails a right program"}),
        "the last batch may be anything": (
            [("assert sorted(np.concatenate(batches).tolist()) == list(range(m))", "assert len(batches) >= m // size")],
            {"4.2": "not found: drawn with replacement"}),
    },
    "12_predict_before_you_run": {
        "Nesterov is as stable as momentum": (
            [("return (2 + 2 * momentum) / (1 + 2 * momentum) / steepest", "return 2 * (1 + momentum) / steepest + 0")],
            {"1.3": "taken at theta + alpha v"}),
        "equal eigenvalues count twice": (
            [("return 1 + int(np.sum(np.diff(seen) > TOLERANCE * eigenvalues[-1]))", "return len(seen)")],
            {"2.1": "count the *different* eigenvalues", "2.2": "the eigenvalues that the gradient meets"}),
        "negative curvature decides": (
            [("return bool(np.any(np.abs(factor(method, eigenvalues, setting))[there] > 1))",
              "return bool(np.any(eigenvalues[there] < 0))")],
            {"4.1": "jumps to the saddle", "4.2": "alpha must outweigh", "4.3": "a factor below -1"}),
    },
}


@pytest.mark.parametrize("name, thought", [(name, thought) for name in WRONG for thought in WRONG[name]])
def test_a_wrong_solution_loses_the_points_it_should_and_reads_why(name, thought):
    assignment = load(SHELF / name)
    text, (edits, wanted) = assignment.text("all"), WRONG[name][thought]
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    found = {number: (status, message) for number, (status, message) in graded(assignment, text).items()
             if status != "passed"}
    assert found.keys() == wanted.keys(), found
    for number, part in wanted.items():
        assert part in found[number][1], (number, found[number])
