"""docs/errata.md: every formula on the page is run; as printed it fails as the page says, corrected it does not."""
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules

PAGE = (Path(__file__).parent.parent / "docs" / "errata.md").read_text()
ENTRIES = {int(number): body for number, body in re.findall(r"^## (\d+)\. .*?\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)}
NOTES = {6, 20, 21, 22, 23}


def formulas(number):
    """The functions `printed` and `corrected` of one entry."""
    names = {name: getattr(np, name) for name in ("sqrt", "sign", "maximum", "abs", "mean")}
    for block in re.findall(r"```python\n(.*?)```", ENTRIES[number], re.S):
        exec(block, names)
    return names["printed"], names["corrected"]


def test_every_entry_has_its_formulas_and_its_test():
    assert sorted(ENTRIES) == list(range(1, 24))
    for number in set(ENTRIES) - NOTES:
        assert all(callable(formula) for formula in formulas(number))
        assert any(name.startswith(f"test_{number}_") for name in globals()), number


def test_1_rmsprops_average_feeds_back():
    printed, corrected = formulas(1)
    r, s, seen = 0.0, 0.0, []
    for _ in range(4):
        r, s = printed(r, 2.0), corrected(s, 2.0)
        seen.append(r)
        assert 0 <= s <= 4
    np.testing.assert_allclose(seen, [4, -8.4, 30.04, -89.124])
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.sqrt(np.array(seen[-1])))
    theta = np.zeros(1)
    opt = optim.RMSProp(theta)
    for _ in range(4):
        opt.step(g=np.full(1, 2.0))
    assert opt.r[0] == pytest.approx(s)


def descend(step, a=0.9, eta=0.5, steps=200):
    """|w| after some steps of a Nesterov form on w^2/2."""
    w, dw = 1.0, 0.0
    for _ in range(steps):
        w, dw = step(w, dw, lambda w: w, a, eta)
    return abs(w)


def test_2_nesterov_looking_back_diverges():
    printed, corrected = formulas(2)
    assert descend(printed) > 1e6 and descend(corrected) < 1e-6
    assert descend(printed, eta=0.10) < 1 < descend(printed, eta=0.12, steps=2000)       # a (1 + eta h) = 1 at 1/9


def test_2_the_corrected_one_is_ours():
    _, corrected = formulas(2)
    theta, w, dw = np.ones(1), 1.0, 0.0
    opt = optim.Nesterov(theta, lr=0.1)
    for _ in range(20):
        w, dw = corrected(w, dw, lambda w: w, 0.9, 0.1)
        opt.step(type("J", (), {"value": staticmethod(lambda t: 0.0), "grad": staticmethod(np.copy)}))
    assert theta[0] == pytest.approx(w, abs=1e-14)


def test_3_what_it_leads_to_is_plain_momentum():
    printed, corrected = formulas(3)
    w, dw, x, v = 1.0, 0.0, 1.0, 0.0
    for _ in range(10):
        w, dw = printed(w, dw, np.sin, 0.9, 0.1)
        v = 0.9 * v - 0.1 * np.sin(x)
        x = x + v
    assert w == pytest.approx(x, abs=1e-14)
    back, forth = descend(printed, steps=30), descend(corrected, steps=30)
    assert forth < 0.1 * back
    assert descend(corrected, steps=30) == pytest.approx(descend(formulas(2)[1], steps=30), rel=1e-9)


def test_4_the_printed_adadelta_is_rmsprop():
    printed, corrected = formulas(4)
    one, two = np.ones(1), np.ones(1)
    rmsprop, adadelta = optim.RMSProp(one, lr=0.001), optim.AdaDelta(two)
    a, b = (1.0, 0.0, 0.0), (1.0, 0.0, 0.0)
    for k in range(20):
        g = np.cos(k) + 2
        a, b = printed(*a, g), corrected(*b, g)
        rmsprop.step(g=np.array([g]))
        adadelta.step(g=np.array([g]))
    assert one[0] == pytest.approx(a[0], rel=1e-14) and two[0] == pytest.approx(b[0], rel=1e-14)
    assert a[2] == 0.0 < b[2]


def test_5_adagrad_divides_zero_by_zero():
    printed, corrected = formulas(5)
    with np.errstate(all="ignore"):
        assert np.isnan(printed(np.float64(0), np.float64(0)))
    assert corrected(np.float64(0), np.float64(0)) == 0
    theta = np.ones(1)
    optim.AdaGrad(theta).step(g=np.zeros(1))
    assert theta[0] == 1


def test_7_the_first_beta_is_infinite():
    printed, corrected = formulas(7)
    g, nothing = np.array([1.0, 2.0]), np.zeros(2)
    with np.errstate(all="ignore"):
        assert np.isinf(printed(g, nothing)) and np.isnan(printed(g, nothing) * nothing).all()
    assert corrected(g, nothing) == 0
    assert corrected(g, np.array([2.0, 1.0])) == printed(g, np.array([2.0, 1.0]))


def climbs_as_printed(number, *arguments):
    """Every small step >= 0 along the printed direction raises J, along the corrected one it lowers J."""
    printed, corrected = formulas(number)
    for step in (1e-3, 1e-2):
        assert J(THETA + step * printed(*arguments)) > J(THETA) > J(THETA + step * corrected(*arguments))


A, THETA = np.diag([1.0, 10.0]), np.array([1.0, 1.0])


def J(theta):
    return theta @ A @ theta / 2


def test_8_the_printed_conjugate_direction_climbs():
    climbs_as_printed(8, A @ THETA, 0.0, np.zeros(2))


def test_9_the_printed_quasi_newton_direction_climbs():
    climbs_as_printed(9, np.linalg.inv(A), A @ THETA)


def test_10_rmsprop_with_nesterov_divides_zero_by_zero():
    printed, corrected = formulas(10)
    with np.errstate(all="ignore"):
        assert np.isnan(printed(np.float64(0), np.float64(0)))
    assert corrected(np.float64(0), np.float64(0)) == 0
    for delta in (1e-6, 0):
        theta = np.ones(1)
        optim.RMSPropNesterov(theta, delta=delta).step(g=np.zeros(1))
        assert theta[0] == 1


def test_11_a_decay_rate_of_1_divides_by_zero():
    printed, corrected = formulas(11)
    with pytest.raises(ZeroDivisionError):
        printed(0.0, 1.0)
    assert corrected(0.0, 1.0) == pytest.approx(1.0)
    for name in ("rho1", "rho2"):
        with pytest.raises(ValueError, match=r"must be in \[0, 1\), got 1"):
            optim.Adam(np.ones(1), **{name: 1})


def test_12_the_linear_schedule_turns_negative():
    printed, corrected = formulas(12)
    assert printed(100, 0.1, 0.001, 100) == pytest.approx(0.001)
    assert printed(102, 0.1, 0.001, 100) < 0
    ours = schedules.Linear(0.1, 0.001, 100)
    for k in (1, 50, 100, 102, 10_000):
        assert corrected(k, 0.1, 0.001, 100) == ours(k) > 0


def test_13_the_mean_of_sigma_is_too_small():
    printed, corrected = formulas(13)
    variances = np.random.default_rng(0).uniform(0.1, 4, 100)
    assert printed(variances) < corrected(variances)
    assert corrected(variances) / printed(variances) > 1.05                        # the variance of what it normalises
    assert printed(np.full(3, 2.0)) == pytest.approx(corrected(np.full(3, 2.0)))


def test_14_an_average_from_zero_is_too_small():
    printed, corrected = formulas(14)
    points = [3.0] * 10
    assert printed(points, 0.9) == pytest.approx(3 * (1 - 0.9 ** 10)) and corrected(points, 0.9) == pytest.approx(3)
    theta = np.array([3.0])
    average = optim.PolyakAverage(theta, alpha=0.9)
    for _ in range(10):
        average.update()
    assert average.mean[0] == pytest.approx(3)


def test_15_the_threshold_is_one_half():
    printed, corrected = formulas(15)
    h = np.linspace(-4, 4, 80_001)
    for x in (-2.0, -0.7, 0.2, 0.4, 0.6, 3.0):
        best = h[np.argmin(np.abs(h) + (x - h) ** 2)]
        assert corrected(x) == pytest.approx(best, abs=1e-3)
    assert abs(printed(3.0) - 2.5) == pytest.approx(0.5)


@pytest.mark.parametrize("rates", [[0.1] * 10, [0.1 / k for k in range(1, 11)]], ids=["constant", "decaying"])
def test_16_the_two_momenta_differ_when_the_rate_changes(rates):
    printed, corrected = formulas(16)
    one, two = (1.0, 0.0), (1.0, 0.0)
    for lr in rates:
        one, two = printed(*one, one[0], lr), corrected(*two, two[0], lr)
    equal = one[0] == pytest.approx(two[0], abs=1e-14)
    assert equal == (rates[0] == rates[-1])
    assert equal or abs(one[0] - two[0]) > 0.05


def test_17_dropout_must_multiply_by_the_probability_of_keeping():
    printed, corrected = formulas(17)
    h, p = np.ones(100_000), 0.2
    trained = h * (np.random.default_rng(0).random(h.size) >= p)
    assert corrected(h, p).mean() == pytest.approx(trained.mean(), abs=5e-3)
    assert abs(printed(h, p).mean() - trained.mean()) > 0.5


def test_18_a_step_down_the_printed_j_makes_the_data_less_likely():
    printed, corrected = formulas(18)
    x = np.array([0.0, 1.0, 2.0])

    def log_p(mean):                                      # of a unit Gaussian
        return -(x - mean) ** 2 / 2

    for formula, better in ((printed, False), (corrected, True)):
        slope = (formula(log_p(1e-6)) - formula(log_p(-1e-6))) / 2e-6
        assert (log_p(-0.1 * slope).sum() > log_p(0.0).sum()) == better


def test_19_the_constant_inside_and_outside_the_root():
    printed, corrected = formulas(19)
    g = 1e-8
    assert corrected(g * g, g, eta=1) == pytest.approx(1 / 11)
    assert printed(g * g, g, eta=1) == pytest.approx(3.162e-5, rel=1e-3)
    theta = np.zeros(1)
    optim.AdaGrad(theta, lr=1, delta=1e-7).step(g=np.array([g]))
    assert -theta[0] == pytest.approx(corrected(g * g, g, eta=1), rel=1e-12)


@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_20_only_biases_move_the_mean_of_the_chain(bias):
    rng = np.random.default_rng(0)
    h = rng.standard_normal(100_000)
    h = (h - h.mean()) / h.std()
    scale = 1.0
    for w in rng.uniform(0.5, 2.0, 5):
        h, scale = w * h + bias, scale * w
    assert h.std() == pytest.approx(scale)
    assert (abs(h.mean()) < 1e-9) == (bias == 0)


def test_21_newton_ends_at_the_saddle_and_gradient_descent_does_not():
    class Saddle:
        """x^2 - y^2 + y^4/4: a saddle at (0, 0), minima at (0, +-sqrt 2)."""
        value = staticmethod(lambda t: t[0] ** 2 - t[1] ** 2 + t[1] ** 4 / 4)
        grad = staticmethod(lambda t: np.array([2 * t[0], -2 * t[1] + t[1] ** 3]))
        hessian = staticmethod(lambda t: np.diag([2.0, -2 + 3 * t[1] ** 2]))

    ends = {}
    for name, method in (("newton", optim.Newton), ("saddle-free", optim.SaddleFreeNewton),
                         ("descent", lambda theta: optim.SGD(theta, lr=0.1))):
        theta = np.array([1.0, 0.1])
        optim.minimize(method(theta), Saddle(), steps=200)
        ends[name] = theta
    np.testing.assert_allclose(ends["newton"], [0, 0], atol=1e-6)
    np.testing.assert_allclose(ends["saddle-free"], [0, np.sqrt(2)], atol=1e-6)
    np.testing.assert_allclose(ends["descent"], [0, np.sqrt(2)], atol=1e-6)
