"""Declared fields: the constructor and attributes that the lines of a class make, and what `update` sees of them."""
import copy
import inspect
import json
import pickle
import shutil
import subprocess
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import Array, FirstOrder, Hyper, hyper, schedules, state
from minigrad.optim.fields import View

METHODS = [kind for kind in (getattr(optim, name) for name in optim.__all__)
           if isinstance(kind, type) and issubclass(kind, FirstOrder) and kind is not FirstOrder]
EVERY = pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.__name__)


class Heavy(FirstOrder):
    """Momentum with a bit of everything."""
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    gain: Hyper = hyper(1.0, "(0, 2]")
    tries: int = 3
    v: Array = state()
    longest: float = state(0.0)
    made: int = state(0)
    matrix: Array = state(lambda opt: np.eye(2, dtype=opt.dtype))

    _: KW_ONLY
    note: Any = None

    def prepare(self):
        self.prepared = self.tries + len(self.v)

    def update(self, g):
        self.v = self.momentum * self.v - self.gain * self.lr * g
        self.theta = self.theta + self.v
        self.longest = max(self.longest, float(np.abs(self.v).max()))
        self.made += 1
        remember(self, g)


def remember(opt, g):
    """A function outside the class: sets a name as the line inside `update` would."""
    opt.last_g = g.copy()


BASE = "*, groups=None, weight_decay=0.0, check_finite=False"           # what every first-order method has


# ---- the constructor

def test_the_lines_of_a_class_are_its_signature():
    assert str(inspect.signature(optim.Adam)) == f"(params, lr=0.001, rho1=0.9, rho2=0.999, delta=1e-08, {BASE})"
    assert list(inspect.signature(optim.AdamW).parameters) == ["params", "lr", "weight_decay", "eta", "rho1", "rho2",
                                                               "delta", "groups", "check_finite"]
    assert str(inspect.signature(Heavy)).startswith("(params, lr, momentum=0.9, gain=1.0, tries=3, *, note=None, ")


@EVERY
def test_every_method_shows_all_its_arguments_and_those_of_the_base(kind):
    names = inspect.signature(kind).parameters
    assert {"params", "groups", "weight_decay", "check_finite"} <= set(names)
    options = {"lr": 0.1} if "lr" in names else {}
    opt = kind(np.ones(3), **options)
    for name, one in names.items():
        if name not in ("params", "lr", "groups"):
            assert getattr(opt, name) == one.default
    assert all(getattr(opt, name).shape == (3,) for name in kind.state)


def test_arguments_by_place_and_by_name_and_what_is_wrong_with_them():
    opt = Heavy(np.ones(3), 0.1, 0.5, tries=5, note="x")
    assert (opt.lr, opt.momentum, opt.gain, opt.tries, opt.note, opt.prepared) == (0.1, 0.5, 1.0, 5, "x", 8)
    for make in (lambda: Heavy(np.ones(3)), lambda: Heavy(np.ones(3), 1, 2, 3, 4, 5), lambda: Heavy(lr=1),
                 lambda: Heavy(np.ones(3), 1, lr=1)):
        with pytest.raises(TypeError, match="Heavy|params"):
            make()
    with pytest.raises(TypeError, match=r"missing argument 'lr': Heavy\(params, lr, momentum=0.9"):
        Heavy(np.ones(3))
    with pytest.raises(ValueError, match=r"Heavy: gain must be in \(0, 2\], got 0"):
        Heavy(np.ones(3), lr=0.1, gain=0)
    with pytest.raises(TypeError, match="no argument 'v'"):
        Heavy(np.ones(3), lr=0.1, v=np.ones(3))


def test_a_class_inherits_fields_and_their_ranges_and_may_change_the_default():
    class Lighter(Heavy):
        gain: Hyper = hyper(0.5)
        momentum: Hyper = hyper(0.1)
    opt = Lighter(np.ones(3), lr=0.1)
    assert (opt.gain, opt.momentum, opt.tries) == (0.5, 0.1, 3) and Lighter.state == ("v",)
    with pytest.raises(ValueError, match=r"gain must be in \(0, 2\]"):
        opt.gain = 3
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\)"):
        opt.momentum = 1


def test_a_class_of_the_earlier_style_works():
    class Old(FirstOrder):
        state = ("v",)

        def __init__(self, params, lr, momentum=0.9, **options):
            super().__init__(params, lr=lr, momentum=momentum, **options)

        def update(self, g):
            self.v = self.momentum * self.v - self.lr * g
            self.theta = self.theta + self.v

    class OldChild(Old):
        def __init__(self, params, lr):
            super().__init__(params, lr, momentum=0.5, weight_decay=0.1)
    one, two = np.ones(4), np.ones(4)
    old, new = Old(one, 0.1, weight_decay=0.1), optim.Momentum(two, 0.1, weight_decay=0.1)
    child = OldChild(np.ones(4), 0.1)
    for k in range(5):
        for opt in (old, new, child):
            opt.step(g=np.full(4, float(k)))
    assert np.array_equal(one, two) and old.state_dict().keys() == new.state_dict().keys()
    assert child.momentum == 0.5 and Old.state == ("v",)
    assert str(inspect.signature(Old)) == f"(params, lr, momentum=0.9, {BASE})"


# ---- attributes

def test_fields_are_attributes():
    opt = Heavy(np.ones(3, np.float32), lr=0.1)
    v = opt.v
    opt.v = [1, 2, 3]
    assert opt.v is v and v.tolist() == [1, 2, 3] and v.dtype == np.float32
    opt.longest, opt.made = np.float32(0.5), np.int64(7)
    assert type(opt.longest) is float and type(opt.made) is int
    with pytest.raises(TypeError):
        opt.made = 7.5
    opt.lr = schedules.Constant(0.2)
    assert opt.now("lr") == 0.2 and opt.matrix.dtype == np.float32
    with pytest.raises(ValueError, match="lr must be"):
        opt.lr = "fast"


def test_in_a_step_and_outside_it_a_function_may_do_what_a_line_may():
    """On the View that update is given, new names may be set, by a line or by a function; afterwards by neither."""
    opt = Heavy(np.ones(3), lr=0.1)
    opt.step(g=np.arange(3.0))
    assert opt.last_g.tolist() == [0, 1, 2]
    opt.last_g = np.zeros(3)
    remember(opt, np.ones(3))
    other = Heavy(np.ones(3), lr=0.1)
    for attempt in (lambda: setattr(other, "last_g", 1), lambda: remember(other, np.ones(3))):
        with pytest.raises(AttributeError, match="Heavy has no attribute 'last_g' to assign"):
            attempt()


def test_a_number_assigned_in_update_is_assigned_for_good():
    class Halving(optim.SGD):
        def update(self, g):
            self.theta = self.theta - self.lr * g
            self.lr = self.lr / 2
            assert self.lr == opt.lr
            with pytest.raises(AttributeError):
                self.t = 3
    theta = np.zeros(1)
    opt = Halving(theta, lr=1.0)
    for _ in range(3):
        opt.step(g=np.ones(1))
    assert theta[0] == -1.75 and opt.lr == 0.125


def test_update_runs_on_a_view_and_the_optimizer_keeps_its_meaning(vector):
    seen = []

    class Watching(Heavy):
        def update(self, g):
            seen.append((isinstance(self, View), type(self).__mro__[2], len(self.theta), len(self.v), self.lr, self.t,
                         len(opt.theta), len(opt.v), callable(opt.lr)))
            super().update(g)
    p = vector()
    opt = Watching(p, lr=schedules.Constant(0.5), groups={"0.b": dict(lr=0.25)})
    opt.step(g=np.ones(6))
    assert seen == [(True, Watching, 3, 3, 0.5, 1, 6, 6, True), (True, Watching, 2, 2, 0.25, 1, 6, 6, True),
                    (True, Watching, 1, 1, 0.5, 1, 6, 6, True)]
    assert opt.made == 3 and type(opt) is Watching and not isinstance(opt, View)


def test_a_view_shows_itself_as_the_optimizer_does():
    shown = []

    class Printing(optim.SGD):
        def update(self, g):
            shown.append(repr(self))
    opt = Printing(np.ones(3), lr=schedules.Constant(0.5))
    opt.step(g=np.ones(3))
    assert shown == [repr(opt)] and "lr=Constant(0.5)" in shown[0]


def test_state_of_any_kind_is_saved_traced_and_restored():
    one, two = np.ones(3), np.ones(3)
    opt, other = Heavy(one, lr=0.1), Heavy(two, lr=0.1)
    with opt.trace() as history:
        for k in range(4):
            opt.step(g=np.full(3, k - 1.5))
    assert history["longest"].shape == (4,) and history["made"].tolist() == [1, 2, 3, 4]
    assert history["matrix"].shape == (4, 2, 2)
    saved = opt.state_dict()
    assert type(saved["state.longest"]) is float and type(saved["state.made"]) is int
    json.dumps({name: value for name, value in saved.items() if not isinstance(value, np.ndarray)})
    two[...] = one
    other.load_state_dict(saved)
    for each in (opt, other):
        each.step(g=np.ones(3))
    assert np.array_equal(one, two) and other.made == 5 and other.longest == opt.longest


def test_numbers_of_earlier_files_were_arrays_of_one():
    opt = Heavy(np.ones(3), lr=0.1)
    opt.step(g=np.ones(3))
    saved = opt.state_dict() | {"state.longest": np.array([2.5]), "state.made": np.array([7])}
    opt.load_state_dict(saved)
    assert (opt.longest, opt.made) == (2.5, 7) and type(opt.made) is int
    for wrong in ({"state.longest": np.ones(2)}, {"state.longest": "x"}, {"state.made": 1.5}, {"state.made": -1}):
        with pytest.raises(ValueError, match="wanted a (number|count)"):
            opt.load_state_dict(saved | wrong)


@EVERY
def test_copies_and_pickles_go_on_alone(kind):
    options = {"lr": 0.1} if "lr" in inspect.signature(kind).parameters else {}
    if kind.needs_objective:
        pytest.skip("wants an objective")
    opt = kind(np.ones(3), **options)
    opt.step(g=np.ones(3))
    for other in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        before = opt.theta.copy()
        other.step(g=np.ones(3))
        assert np.array_equal(opt.theta, before) and other.k == 2 and not np.array_equal(other.theta, before)
        with pytest.raises(AttributeError, match="no attribute 'learning_rate'"):
            other.learning_rate = 1


# ---- the type checker

PAGE = """
import numpy as np
from minigrad import optim
from minigrad.optim import Array, FirstOrder, Hyper, hyper, state


class Mine(FirstOrder):
    lr: Hyper
    alpha: Hyper = hyper(0.9)
    v: Array = state()


theta = np.ones(3)
optim.Adam(theta, learning_rate=1)                              # No parameter named "learning_rate"
optim.Adam(theta, lr="x")                                       # Argument of type "Literal['x']"
optim.Adam(theta, 0.1, weight_decay=0.1, groups={"a": dict(lr=1)})
optim.Adam(theta, lr=lambda k: 1 / k, check_finite=True)
optim.AdamW(theta, 0.1, 0.01)
optim.SGD(theta)                                                # Argument missing for parameter "lr"
optim.SGD(theta, 0.1)
optim.VSGD(theta, samples=3)
Mine(theta, 0.1, alpha=0.2, check_finite=True)
Mine(theta, 0.1, v=2)                                           # No parameter named "v"
optim.Nesterov(theta, lr=optim.schedules.Linear(1, 2, 3))
opt = optim.Adam(theta)
opt.lrr = 3                                                     # Attribute "lrr" is unknown
opt.lr, opt.s = 0.2, np.ones(3)
"""


@pytest.mark.long
def test_pyright_knows_the_arguments_and_attributes(tmp_path):
    pyright = shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    (tmp_path / "page.py").write_text(PAGE)
    root = str(Path(optim.__file__).parents[2])
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [root]}))
    report = json.loads(subprocess.run([pyright, "--outputjson", "-p", "."], capture_output=True, text=True,
                                       cwd=tmp_path, timeout=300).stdout)
    found = {one["range"]["start"]["line"]: one["message"] for one in report["generalDiagnostics"]}
    lines = PAGE.splitlines()
    wanted = {i: line.partition("#")[2].strip() for i, line in enumerate(lines) if "#" in line}
    assert found.keys() == wanted.keys()
    assert all(wanted[i] in found[i] for i in wanted)
