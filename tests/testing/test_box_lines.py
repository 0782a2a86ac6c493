"""check_optimizer quotes the lines of the box that are left in question, and compares what a student keeps of them."""
import re

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import Array, Hyper, hyper, state
from minigrad.testing import boxes
from minigrad.testing.optimizers import Disagreement, check_optimizer


class Adam(optim.FirstOrder):
    """Adam, with its corrections kept as attributes; `wrong` is planted."""
    lr: Hyper = hyper(0.001)
    rho1: Hyper = hyper(0.9)
    rho2: Hyper = hyper(0.999)
    delta: Hyper = hyper(1e-8)
    s: Array = state()
    r: Array = state()
    wrong = staticmethod(lambda s_hat, r_hat: (s_hat, r_hat))

    def update(self, g):
        self.s = self.rho1 * self.s + (1 - self.rho1) * g
        self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
        self.s_hat, self.r_hat = self.wrong(self.s / (1 - self.rho1**self.t), self.r / (1 - self.rho2**self.t))
        self.theta = self.theta - self.lr * self.s_hat / (np.sqrt(self.r_hat) + self.delta)


def test_what_is_kept_is_compared():
    report = check_optimizer(Adam, boxes.adam)
    assert set(report.differences) == {"g", "s", "r", "s_hat", "r_hat", "theta"} and not report.skipped


@pytest.mark.parametrize(("wrong", "line"), [
    (lambda s, r: (s * 1.01, r), "s_hat <- s / (1 - rho1^t)"),
    (lambda s, r: (s, r * 1.01), "r_hat <- r / (1 - rho2^t)"),
])
def test_a_wrong_correction_that_is_kept_is_named(wrong, line):
    class Student(Adam):
        pass
    Student.wrong = staticmethod(wrong)
    with pytest.raises(Disagreement, match=re.escape(f"reread the line: {line}")) as caught:
        check_optimizer(Student, boxes.adam)
    assert caught.value.line == line


def test_of_what_is_not_kept_all_lines_in_question_are_quoted():
    class Student(Adam):
        def update(self, g):
            self.s = self.rho1 * self.s + (1 - self.rho1) * g
            self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
            s_hat = self.s / (1 - self.rho1 * self.t)                          # not to the power
            self.theta = self.theta - self.lr * s_hat / (np.sqrt(self.r / (1 - self.rho2**self.t)) + self.delta)
    with pytest.raises(Disagreement) as caught:
        check_optimizer(Student, boxes.adam)
    message = str(caught.value)
    for line in ("s_hat <- s / (1 - rho1^t)", "r_hat <- r / (1 - rho2^t)",
                 "theta <- theta - lr s_hat / (sqrt(r_hat) + delta)"):
        assert line in message
    assert "self.s_hat" in message and "np.float64" not in message and caught.value.symbol == "theta"
