"""What section 8.3 says of SGD and momentum, and how the forms of other texts relate to the book's."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules


def test_terminal_velocity_is_8_17():
    """Under a constant gradient the step tends to lr |g| / (1 - alpha): ten times SGD's for alpha = 0.9."""
    g, theta = np.array([3.0, -4.0]), np.zeros(2)
    for alpha in (0.5, 0.9, 0.99):
        opt = optim.Momentum(theta, lr=0.01, momentum=alpha)
        for _ in range(3000):
            opt.step(g=g)
        assert np.linalg.norm(opt.v) == pytest.approx(0.01 * 5 / (1 - alpha), rel=1e-12)


def test_momentum_without_momentum_is_sgd(quadratic):
    a, b, c = np.ones(4), np.ones(4), np.ones(4)
    optim.minimize(optim.SGD(a, 0.05), quadratic(4), 20)
    optim.minimize(optim.Momentum(b, 0.05, 0), quadratic(4), 20)
    optim.minimize(optim.Nesterov(c, 0.05, 0), quadratic(4), 20)
    np.testing.assert_allclose(a, b, atol=1e-15)
    np.testing.assert_allclose(a, c, atol=1e-15)


@pytest.mark.parametrize("rate", [0.05, schedules.Inverse(0.05, 10)], ids=["constant", "decaying"])
@pytest.mark.parametrize("alpha", [0.9, schedules.Linear(0.5, 0.95, 30)], ids=["constant", "rising"])
def test_the_notes_nesterov_is_the_books_interim_point(rate, alpha, quadratic):
    J, book, notes = quadratic(6), np.ones(6), np.ones(6)
    one, two = optim.Nesterov(book, rate, alpha), optim.NesterovNotes(notes, rate, alpha)
    for _ in range(100):
        one.step(J)
        two.step(J)
        np.testing.assert_allclose(notes, one.interim(), rtol=0, atol=1e-12)
        np.testing.assert_allclose(two.book_theta(), book, rtol=0, atol=1e-12)


def test_the_notes_momentum_equals_the_books_only_for_a_constant_rate(quadratic):
    def distance(rate):
        book, notes = np.ones(6), np.ones(6)
        optim.minimize(optim.Momentum(book, rate), quadratic(6), 10)
        optim.minimize(optim.MomentumNotes(notes, rate), quadratic(6), 10)
        return np.abs(book - notes).max()
    assert distance(0.05) < 1e-14
    assert distance(schedules.Inverse(0.05)) > 1e-2


def test_momentum_crosses_the_canyon_that_sgd_cannot(quadratic):
    """Figure 8.5: at the largest stable rate, a condition number of 100 costs SGD many more steps."""
    def steps(opt):
        return optim.minimize(opt, quadratic(6), 5000, tolerance=1e-6).steps
    assert steps(optim.Momentum(np.ones(6), lr=0.1, momentum=0.9)) * 2 < steps(optim.SGD(np.ones(6), lr=0.1))


def test_gradient_descent_and_nesterov_have_the_rates_of_the_theory():
    """O(1/k) and O(1/k^2): slopes of log excess error over log k from 30 to 1000, eigenvalues 1e-10 ... 1."""
    a = np.logspace(-10, 0, 400)

    class J:
        value = staticmethod(lambda theta: float(theta @ (a * theta)) / 2)
        grad = staticmethod(lambda theta: a * theta)

    def slope(opt):
        values = optim.minimize(opt, J, 1000, path=False).values
        k = np.arange(30, 1001)
        return np.polyfit(np.log(k), np.log(values[k]), 1)[0]
    assert slope(optim.SGD(np.ones(400), lr=1.0)) == pytest.approx(-1, abs=0.1)
    rising = lambda k: (k - 1) / (k + 2)
    assert slope(optim.Nesterov(np.ones(400), lr=1.0, momentum=rising)) == pytest.approx(-2, abs=0.1)
