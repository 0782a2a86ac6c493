"""check_optimizer is itself checked: planted mistakes, one per line of a box, are found and the line is named."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import Array, Hyper, hyper, state
from minigrad.testing import boxes
from minigrad.testing.optimizers import Disagreement, check_optimizer


def adam(**wrong):
    """Adam in a student's hand, with lines replaced."""
    lines = {"s": "self.rho1 * self.s + (1 - self.rho1) * g", "r": "self.rho2 * self.r + (1 - self.rho2) * g * g",
             "s_hat": "s / (1 - self.rho1 ** self.t)", "r_hat": "r / (1 - self.rho2 ** self.t)",
             "theta": "self.theta - self.lr * s_hat / (np.sqrt(r_hat) + self.delta)"} | wrong

    class Student(optim.FirstOrder):
        lr: Hyper = hyper(0.001)
        rho1: Hyper = hyper(0.9)
        rho2: Hyper = hyper(0.999)
        delta: Hyper = hyper(1e-8)
        s: Array = state()
        r: Array = state()

        def update(self, g):
            names = {"self": self, "g": g, "np": np}
            self.s = eval(lines["s"], names)
            self.r = eval(lines["r"], names)
            names |= {"s": self.s, "r": self.r}
            names["s_hat"] = eval(lines["s_hat"], names)
            names["r_hat"] = eval(lines["r_hat"], names)
            self.theta = eval(lines["theta"], names)
    return Student


def test_the_right_one_passes_and_the_report_says_what_was_compared():
    report = check_optimizer(adam(), boxes.adam)
    assert set(report.differences) == {"g", "s", "r", "theta"} and report.steps == 25 and "25 steps" in repr(report)


@pytest.mark.parametrize(("wrong", "symbol", "step"), [
    (dict(s="self.rho1 * self.s + g"), "s", 1),
    (dict(s="(1 - self.rho1) * self.s + self.rho1 * g"), "s", 1),
    (dict(r="self.rho2 * self.r + (1 - self.rho2) * g"), "r", 1),
    (dict(r="self.rho2 * self.r + (1 - g) * g * g"), "r", 1),
    (dict(r="np.maximum(self.r, self.rho2 * self.r + (1 - self.rho2) * g * g)"), "r", None),
    (dict(s_hat="s"), "theta", 1),
    (dict(r_hat="r"), "theta", 1),
    (dict(r_hat="r / (1 - self.rho2 ** (self.t + 1))"), "theta", 1),
    (dict(s_hat="s / (1 - self.rho1)"), "theta", 2),
    (dict(theta="self.theta + self.lr * s_hat / (np.sqrt(r_hat) + self.delta)"), "theta", 1),
    (dict(theta="self.theta - self.lr * s_hat / np.sqrt(r_hat) + self.delta"), "theta", 1),
    (dict(theta="self.theta - 0.05 * s_hat / (np.sqrt(r_hat) + self.delta)"), "theta", 1),
    (dict(theta="self.theta - self.lr * g / (np.sqrt(r_hat) + self.delta)"), "theta", 2),
    (dict(theta="self.theta - self.lr * s_hat / (np.sqrt(r_hat + self.delta))"), "theta", 1),
], ids=str)
def test_a_planted_mistake_is_found_at_its_line_and_step(wrong, symbol, step):
    with pytest.raises(Disagreement) as caught:
        check_optimizer(adam(**wrong), boxes.adam, tolerance=1e-11, rho2=0.99)
    found = caught.value
    assert found.symbol == symbol and (step is None or found.step == step)
    assert found.line.startswith(f"{symbol} <- ") and found.line in str(found)
    assert repr(found.got) in str(found) and repr(found.wanted) in str(found)
    assert "Algorithm 8.7" in str(found)


def test_torchs_momentum_is_not_8_2_and_the_check_says_so():
    with pytest.raises(Disagreement, match=r"box momentum \(Algorithm 8.2\) at step 1 in v\[0\].*v <- alpha v - lr g"):
        check_optimizer(optim.MomentumNotes, boxes.momentum)


def test_a_constant_rate_hides_what_the_decaying_one_shows():
    class Outside(optim.Momentum):
        state = ("w",)

        def update(self, g):
            self.w = self.momentum * self.w + g
            self.theta = self.theta - self.lr * self.w
    check_optimizer(Outside, boxes.momentum, lr=0.05)
    with pytest.raises(Disagreement, match="at step 2 in theta"):
        check_optimizer(Outside, boxes.momentum)


def test_a_gradient_written_to_is_noticed():
    class Rude(optim.SGD):
        def update(self, g):
            g *= self.lr
            self.theta = self.theta - g
    with pytest.raises(Disagreement, match="step 1: the gradient it was given was written to"):
        check_optimizer(Rude, boxes.sgd)


def test_a_look_ahead_at_the_wrong_point_shows_in_the_gradient():
    class Back(optim.Nesterov):
        def point(self):
            return self.theta - self.momentum * self.v
    with pytest.raises(Disagreement) as caught:
        check_optimizer(Back, boxes.nesterov)
    assert caught.value.symbol == "g" and caught.value.step == 2 and "interim" in caught.value.line


def test_symbols_that_the_optimizer_has_not_are_reported():
    class Renamed(optim.FirstOrder):
        lr: Hyper
        momentum: Hyper = hyper(0.9)
        velocity: Array = state()

        def update(self, g):
            self.velocity = self.momentum * self.velocity - self.lr * g
            self.theta = self.theta + self.velocity
    report = check_optimizer(Renamed, boxes.momentum)
    assert report.skipped == ("v",) and "not compared (no such attribute): v" in repr(report)


def test_a_factory_will_do():
    check_optimizer(lambda theta, lr: optim.SGD(theta, lr), boxes.sgd)


# ---- classes that are not ours, and riddles answered

class PlainAdam:
    """A student's own class, which knows nothing of the library; state as lists, theta updated in place."""
    def __init__(self, theta, lr=0.001, rho1=0.9, rho2=0.999, delta=1e-8):
        self.theta, self.lr, self.rho1, self.rho2, self.delta, self.t = theta, lr, rho1, rho2, delta, 0
        self.s, self.r = [0.0] * len(theta), [0.0] * len(theta)

    def step(self, g):
        self.t += 1
        lr = self.lr(self.t) if callable(self.lr) else self.lr
        self.s = [self.rho1 * a + (1 - self.rho1) * d for a, d in zip(self.s, g)]
        self.r = [self.rho2 * a + (1 - self.rho2) * d * d for a, d in zip(self.r, g)]
        s_hat = np.array(self.s) / (1 - self.rho1**self.t)
        r_hat = np.array(self.r) / (1 - self.rho2**self.t)
        self.theta -= lr * s_hat / (np.sqrt(r_hat) + self.delta)


class Rebinding:
    """theta is another array after each step."""
    def __init__(self, theta, lr):
        self.theta, self.lr = theta, lr

    def step(self, g):
        self.theta = self.theta - self.lr * g


class Hidden(Rebinding):
    """Moves the array it was given, under another name."""
    def __init__(self, theta, lr):
        self.w, self.lr = theta, lr

    def step(self, g):
        self.w -= self.lr * g


class Returning:
    """step(theta, g) -> the new theta, as in a functional library."""
    __slots__ = "lr"

    def __init__(self, theta, lr):
        self.lr = lr

    def step(self, theta, g):
        return theta - self.lr * g


class PlainNesterov:
    def __init__(self, theta, lr, momentum=0.9):
        self.theta, self.lr, self.momentum, self.v = theta, lr, momentum, np.zeros_like(theta)

    def point(self):
        return self.theta + self.momentum * self.v

    def step(self, g):
        self.v = self.momentum * self.v - self.lr * g
        self.theta = self.theta + self.v


def test_any_class_with_step_will_do():
    report = check_optimizer(PlainAdam, boxes.adam)
    assert set(report.differences) == {"g", "s", "r", "theta"}
    for kind in (Rebinding, Hidden, Returning):
        assert set(check_optimizer(kind, boxes.sgd, lr=0.1).differences) == {"g", "theta"}
    assert set(check_optimizer(PlainNesterov, boxes.nesterov, lr=0.05).differences) == {"g", "v", "theta"}


def test_a_mistake_in_any_class_is_found_at_its_line():
    class NoCorrection(PlainAdam):
        def step(self, g):
            super().step(g)
            self.r = [a + 1e-3 for a in self.r]
    with pytest.raises(Disagreement, match=r"NoCorrection disagrees with the box adam .* at step 1 in r\[0\]"):
        check_optimizer(NoCorrection, boxes.adam)

    class Late(PlainNesterov):
        point = property()                                       # no point: the gradient is taken at theta

        def __getattribute__(self, name):
            if name == "point":
                raise AttributeError(name)
            return super().__getattribute__(name)
    with pytest.raises(Disagreement, match="Late disagrees .* at step 2 in g"):
        check_optimizer(Late, boxes.nesterov, lr=0.05)

    class Rude(Rebinding):
        def step(self, g):
            g *= self.lr
            self.theta = self.theta - g
    with pytest.raises(Disagreement, match="the gradient it was given was written to"):
        check_optimizer(Rude, boxes.sgd, lr=0.1)


class Undeclared(optim.FirstOrder):
    lr: Hyper = hyper(0.1)

    def update(self, g):
        self.v = 0.9 * self.v - self.lr * g
        self.theta = self.theta + self.v


class NoRate(optim.FirstOrder):
    def __init__(self, params, lr):
        super().__init__(params)

    def update(self, g):
        self.theta = self.theta - self.lr * g


class StepForUpdate(optim.FirstOrder):
    lr: Hyper = hyper(0.1)

    def step(self, g):
        self.theta = self.theta - self.lr * g


class Nothing(optim.FirstOrder):
    lr: Hyper = hyper(0.1)


class Renamed:
    def __init__(self, theta, learning_rate):
        self.theta = theta


class Stepless:
    def __init__(self, theta, lr):
        self.theta = theta

    def update(self, g):
        pass


class ThreePlaces(Stepless):
    def step(self, a, b, c):
        pass


class Forgetful(Rebinding):
    def step(self, g):
        self.v = 0.9 * self.v - self.lr * g


class AsInTorch(Rebinding):
    def step(self):
        pass


@pytest.mark.parametrize(("kind", "box", "message"), [
    (Undeclared, boxes.momentum, r"Undeclared uses self.v, which it does not have: .* class, v: Array = state\(\)"),
    (NoRate, boxes.sgd, r"NoRate uses self.lr, which it does not have: declare it on the class, lr: Hyper = hyper\("),
    (StepForUpdate, boxes.sgd, r"a FirstOrder writes update\(self, g\), .*; this one has step, which is the loop"),
    (Nothing, boxes.sgd, r"Nothing: a FirstOrder writes update\(self, g\), .*; this one has none"),
    (Renamed, boxes.sgd, r"unexpected keyword argument 'lr'. check_optimizer calls Renamed\(theta, lr=...\)"),
    (Stepless, boxes.sgd, r"Stepless: an optimizer has step\(g\), .*; this one has theta, update: is update its step"),
    (ThreePlaces, boxes.sgd, r"this one is step\(a, b, c\)"),
    (AsInTorch, boxes.sgd, r"this one is step\(\): the gradient is handed over, not kept by the parameters"),
    (Forgetful, boxes.sgd, "Forgetful uses self.v, which it does not have: set it in __init__"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_what_a_class_lacks_is_said(kind, box, message):
    with pytest.raises(TypeError, match=message):
        check_optimizer(kind, box, lr=0.1)


def test_an_attribute_error_of_something_else_is_left_as_it_is():
    class Wrong(optim.SGD):
        def update(self, g):
            g.transposed()
    with pytest.raises(AttributeError, match="transposed"):
        check_optimizer(Wrong, boxes.sgd)


# ---- state that is not declared is lost when the optimizer is saved

class MomentumOfMine(optim.FirstOrder):
    lr: Hyper
    momentum: Hyper = hyper(0.9)

    def update(self, g):
        self.v = self.momentum * getattr(self, "v", 0.0) - self.lr * g
        self.theta = self.theta + self.v


class SetInInit(MomentumOfMine):
    def __init__(self, params, lr, momentum=0.9):
        super().__init__(params, lr, momentum)
        self.v = np.zeros(self.n)


class OnTheClass(MomentumOfMine):
    v: Array = np.zeros(5)


class OwnCount(optim.FirstOrder):
    """The step count kept once more, as a plain number."""
    lr: Hyper
    calls: int = 0

    def update(self, g):
        self.calls = self.calls + 1
        self.theta = self.theta - self.lr * g / (1 if self.calls < 27 else 2)


@pytest.mark.parametrize("kind", [MomentumOfMine, SetInInit, OnTheClass], ids=lambda kind: kind.__name__)
def test_state_that_is_not_declared_is_found(kind):
    with pytest.raises(Disagreement, match=rf"{kind.__name__} .* saved after step 25 .* another way: self\.v is not "
                                           r"declared .* v: Array = state\(\)") as caught:
        check_optimizer(kind, boxes.momentum)
    assert caught.value.symbol == "v" and caught.value.step == 26 and caught.value.line == "v: Array = state()"


def test_a_count_that_is_not_declared_is_found():
    with pytest.raises(Disagreement, match=r"self\.calls is not declared .* calls: int = state\(0\)"):
        check_optimizer(OwnCount, boxes.sgd)


def test_what_every_step_works_out_anew_need_not_be_declared():
    class Kept(optim.Momentum):
        def update(self, g):
            self.change = -self.lr * g
            self.v = self.momentum * self.v + self.change
            self.theta = self.theta + self.v
    check_optimizer(Kept, boxes.momentum)
