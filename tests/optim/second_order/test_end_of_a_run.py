"""Where a run ends: J's own rounding, beginning anew without a scale, relative bounds, reasons that are true."""
import numpy as np
import pytest

from minigrad.optim import (
    BFGS,
    LBFGS,
    ConjugateGradient,
    DampedNewton,
    HessianFree,
    LevenbergMarquardt,
    Newton,
    ScaledConjugateGradient,
    TrustRegion,
    minimize,
)
from minigrad.optim.second_order.linesearch import Found, Line, full_step, strong_wolfe
from minigrad.testing import problems
from minigrad.testing.problems import LeastSquares

three = pytest.mark.parametrize("method", [BFGS, LBFGS, ConjugateGradient], ids=lambda method: method.__name__)


class Times:
    """c J for a problem J."""

    def __init__(self, J, c):
        self.J, self.c = J, c

    def value_and_grad(self, theta):
        value, g = self.J.value_and_grad(theta)
        return self.c * value, self.c * g


# ------------------------------------------------------------------------------------------------- J's own rounding

@three
def test_float32_rosenbrock_from_far_away_is_solved(method):
    """From (-30, 1000) the first pair scales M to the walls of the valley: its floor would be walked float by float."""
    J = problems.rosenbrock()
    result = minimize(method(np.array([-30, 1000], np.float32)), J, 500)
    assert result.value < 1e-10 and result.reason != "steps"
    if method is not ConjugateGradient:
        assert result.restarts == [9]


@pytest.mark.parametrize("method", [BFGS, LBFGS])
def test_a_quadratic_of_condition_1e10_is_solved(method):
    """H (theta - c) is known to 1e-6, and so J to 1e-7 where 1e-15 would be its rounding as a number."""
    J = problems.quadratic(5, 1e10, rng=1)
    assert minimize(method(J.start.copy()), J, 500).value <= 1e-12


@pytest.mark.parametrize("seed", range(10))
def test_ten_quadratics_of_condition_1e10_are_solved(seed):
    J = problems.quadratic(10, 1e10, rng=seed)
    result = minimize(BFGS(J.start.copy()), J, 1000)
    assert result.value <= 1e-12 and result.evaluations <= 400 and result.reason != "steps"


def rough(size, curvature=1.0):
    """phi = 1000 + curvature (t - 1)^2 / 2 with a rounding of its own: a wave of height `size`, too short to be seen in
    the slope, with a trough at 0."""
    return (lambda t: 1000 + curvature * (t - 1) ** 2 / 2 - size * np.cos(1e9 * t), lambda t: curvature * (t - 1))


class Rough:
    """The same along theta[0]."""

    def __init__(self, size, curvature):
        self.value, self.slope = rough(size, curvature)

    def value_and_grad(self, theta):
        return self.value(theta[0]), np.array([self.slope(theta[0])])


@pytest.mark.parametrize("size", [1e-9, 1e-6, 1e-4])
def test_the_search_sees_how_large_js_rounding_is(size):
    """A fall of at most 5e-10 under waves of `size`: the values say nothing, so the slopes decide, at t = 1."""
    line = Line(Rough(size, 1e-9), np.zeros(1), np.ones(1))
    found = strong_wolfe(line, 1.0, c2=0.1)
    assert found.success and found.reason == "wolfe" and found.step == pytest.approx(1, abs=0.1)
    assert size / 1000 <= 2 * line.noise <= 30 * size / 1000 or line.noise == 10 * np.finfo(float).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ten_roundings_of_j_are_no_rise_and_more_are(dtype):
    """phi = 1 - t (1 - t)^2 / 1000 + part (3 t^2 - 2 t^3): flat at t = 1, but higher than at 0 by `part` of itself.
    Taken up to 10 machine epsilons; else the search goes on, to the minimum near 1/3."""
    def accepted(part):
        theta = np.zeros(1, dtype)
        line = Line(None, theta, np.ones(1, dtype), 1.0, -np.full(1, 1e-3, dtype))
        line.value_and_slope = lambda t: (1 - t * (1 - t) ** 2 / 1000 + part * t * t * (3 - 2 * t),
                                          -(1 - t) * (1 - 3 * t) / 1000 + 6 * part * t * (1 - t))
        found = strong_wolfe(line, 1.0)
        assert found.success
        return found.step == 1
    epsilon = float(np.finfo(dtype).eps)
    assert accepted(8 * epsilon) and not accepted(12 * epsilon) and not accepted(1000 * epsilon)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", [DampedNewton, TrustRegion])
def test_the_ratio_of_two_decreases_that_are_rounding_is_one_and_no_other(method, dtype):
    """J = 3 before and after: ratio 1 where a millionth of its rounding was promised, 0 where a million times that."""
    opt, epsilon = method(np.ones(1, dtype)), float(np.finfo(dtype).eps)
    assert opt.gain_ratio(3.0, 3.0, 3e-6 * epsilon) == pytest.approx(1, abs=1e-5)
    assert opt.gain_ratio(3.0, 3.0, 3e4 * epsilon) == pytest.approx(0, abs=1e-2)
    assert opt.gain_ratio(3.0, 3.0 - 5e3 * epsilon, 1e4 * epsilon) == pytest.approx(0.5, abs=1e-2)


@pytest.mark.parametrize("factor", [-1.0, 0.5, 3.0, 1e6])
def test_a_wrong_gradient_is_not_taken_for_rounding(factor):
    """A slope that is `factor` times the right one: what values and slopes differ by shrinks with the step."""
    class Wrong:
        def value_and_grad(self, theta):
            return 1 + float(theta @ theta) / 2, factor * theta
    line = Line(Wrong(), np.ones(2), -np.sign(factor) * np.ones(2))
    strong_wolfe(line, 1.0)
    assert line.noise == 10 * np.finfo(float).eps


@pytest.mark.parametrize("power", [1, 1.5, 3, 4])
def test_a_wall_is_not_taken_for_rounding(power):
    """phi = 1 + 1e6 t^power - 1e-17 t: it rises although less than its rounding was promised, but ever less."""
    line = Line(None, np.zeros(1), np.ones(1), 1.0, np.full(1, -1e-17))
    line.value_and_slope = lambda t: (1 + 1e6 * t**power - 1e-17 * t, 1e6 * power * t ** (power - 1) - 1e-17)
    strong_wolfe(line, 1.0)
    assert line.noise == 10 * np.finfo(float).eps


@three
def test_j_that_is_known_to_eight_digits_is_still_minimized(method):
    """Rosenbrock + 1, rounded to 1e-8: the gradient leads on where the values are alike, as far as 1e-6 of theta."""
    class Rounded:
        J = problems.rosenbrock()

        def value_and_grad(self, theta):
            value, g = self.J.value_and_grad(theta)
            return round(1 + value, 8), g
    result = minimize(method(np.array([-1.2, 1.0])), Rounded(), 500, tolerance=1e-5)
    assert result.reason == "tolerance" and abs(result.theta - 1).max() < 1e-4


MISRA = np.array([[77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0],
                  [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]])
BOX = np.array([[1, 2, 3, 5, 7, 10], [109, 149, 149, 191, 213, 224]], float)


def saturation(data, start, lowest):
    """y = a (1 - exp(-b x)): misra1a and BoxBOD of NIST's reference data sets, with certified sums of squares."""
    x, y = data
    return LeastSquares("saturation", lambda theta: theta[0] * (1 - np.exp(-theta[1] * x)) - y, start, lowest)


FITS = [saturation(MISRA, [500, 1e-4], 1.2455138894e-1), saturation(MISRA, [250, 5e-4], 1.2455138894e-1),
        saturation(BOX, [100, 0.75], 1.1680088766e3), problems.meyer(), problems.osborne1(),
        problems.kowalik_osborne(), problems.osborne2(), problems.bard()]


@pytest.mark.parametrize("method", [BFGS, LBFGS])
@pytest.mark.parametrize("J", FITS, ids=repr)
def test_three_levenberg_marquardt_steps_from_the_end_lower_nothing(method, J):
    """Parameters as far apart as 500 and 1e-4; the end is the certified minimum."""
    result = minimize(method(J.start.copy()), J, 2000)
    after = minimize(LevenbergMarquardt(result.theta.copy()), J, 3)
    assert "no decrease" in result.reason, result
    assert result.value - after.value <= 1e-11 * result.value
    assert result.value == pytest.approx(J.lowest, rel=2e-6)


@three
def test_beginning_anew_is_allowed_once_until_j_has_clearly_fallen(method):
    opt = method(np.ones(3))
    opt.noise = 1e-6
    assert opt.begin_anew(1.0) and opt.restarted
    assert not opt.begin_anew(1.0) and not opt.begin_anew(1.0 - 1e-7)
    assert opt.begin_anew(1.0 - 1e-5) and not opt.begin_anew(1.0 - 1e-5)


@three
def test_forgetting_leaves_nothing_behind(method):
    """After it the method goes on as a new one at the same place."""
    J = problems.wood()
    opt = method(J.start.copy())
    for _ in range(6):
        opt.step(J)
    opt.forget()
    new = method(opt.theta.copy())
    for _ in range(6):
        opt.step(J), new.step(J)
    np.testing.assert_array_equal(opt.theta, new.theta)


# ------------------------------------------------------------------------------------------ bounds that are relative

@three
@pytest.mark.parametrize("c", [1e-50, 1e-14, 1e14, 1e50])
def test_the_unit_of_j_does_not_matter(method, c):
    J = problems.rosenbrock()
    result = minimize(method(J.start.copy()), Times(J, c), 500)
    assert result.value <= 1e-20 * c, result


@three
def test_a_very_flat_bowl_is_solved(method):
    J = problems.Problem("flat bowl", lambda theta: 1e-14 * np.sum((theta - 1) ** 2), [3, -2], 0.0)
    result = minimize(method(J.start.copy()), J, 50)
    np.testing.assert_allclose(result.theta, 1, atol=1e-12)
    assert result.reason == "tolerance"


@three
def test_a_plateau_is_called_flat_and_left_where_its_slope_can_be_seen(method):
    class Plateau:
        def value_and_grad(self, theta):
            return 1.0, np.full(2, 1e-20)
    result = minimize(method(np.array([3.0, -2.0])), Plateau(), 50)
    assert result.reason == "J is flat along the direction: it does not change beyond rounding" and result.steps == 0

    well = problems.Problem("well", lambda theta: 1 - np.exp(-0.5 * np.sum(theta**2)), [8, -2], 0.0)
    result = minimize(method(well.start.copy()), well, 50)                    # |g| = 1e-14
    np.testing.assert_allclose(result.theta, 0, atol=1e-6)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_unbounded_is_relative_to_theta(size):
    """J = -theta, theta of any size: unbounded; with a minimum at 1e6 |theta|: found."""
    end = 1e6 * size
    slope = problems.Problem("slope", lambda theta: -theta[0], [size], -np.inf)
    far = problems.Problem("far bowl", lambda theta: (theta[0] - end) ** 2 / end, [size], 0.0)
    assert minimize(BFGS(slope.start.copy()), slope, 5).reason == "J is unbounded along the direction"
    assert minimize(BFGS(far.start.copy()), far, 50).theta[0] == pytest.approx(end)


# ---------------------------------------------------------------------------------------------- searches of one's own

@pytest.mark.parametrize("method", [ConjugateGradient, BFGS])
def test_a_search_that_lets_j_rise_is_not_refused(method):
    """Steps of t = 2.5 along -g on a bowl of curvature 1 overshoot: theta times -1.5 each time, J and |g| rise."""
    J = problems.Problem("bowl", lambda theta: np.sum(theta * theta) / 2, [1, -2], 0.0)

    def blind(phi, step):
        value, slope = phi.value_and_slope(2.5)
        return Found(2.5, value, slope, 1, "my own", True)
    opt = method(J.start.copy(), search=blind)
    if method is ConjugateGradient:
        opt.beta = lambda g, before, d: 0.0
    result = minimize(opt, J, 1 if method is BFGS else 20)
    assert result.reason == "steps"
    np.testing.assert_allclose(result.theta, J.start * (-1.5) ** result.steps)


def test_the_full_step_by_another_name_is_the_full_step():
    """Newton from a point where its step climbs to the saddle: as printed, the box goes there."""
    J, start = problems.saddle2(), np.array([0.0, 0.1])
    plain = minimize(Newton(start.copy()), J, 6)
    mine = minimize(Newton(start.copy(), search=lambda phi, step: full_step(phi, step)), J, 6)
    np.testing.assert_array_equal(mine.path, plain.path)
    np.testing.assert_array_equal(mine.theta, 0)
# -------------------------------------------------------------------------------------------------- and it is saved

@pytest.mark.parametrize("method", [BFGS, LBFGS, ConjugateGradient])
def test_what_a_run_knows_of_its_end_is_saved(method):
    """Float32 Rosenbrock from far away, saved at every step around the one that begins anew: the same bits go on."""
    J = problems.rosenbrock()
    through, saved = method(np.array([-30, 1000], np.float32)), []
    for _ in range(16):
        saved.append((through.theta.copy(), through.state_dict()))
        through.step(J)
    for theta, state in saved:
        resumed = method(theta)
        resumed.load_state_dict(state)
        while resumed.k < through.k:
            assert resumed.step(J).reason == ""
        np.testing.assert_array_equal(resumed.theta, through.theta)


@pytest.mark.parametrize("method", [DampedNewton, HessianFree, ScaledConjugateGradient], ids=lambda m: m.__name__)
@pytest.mark.parametrize("c, dtype", [(1e-20, "f8"), (1e-60, "f8"), (1e-9, "f4"), (1e-20, "f4")])
def test_damping_that_hides_every_step_is_lowered(method, c, dtype):
    """The first damping has a unit, that of H. Where it is so large beside H that a step promises less than J's
    rounding, the step says nothing of J: "no decrease beyond rounding" was said at the start, theta unmoved."""
    class Small:
        A = np.array([[2, 0.5], [0.5, 1]])

        def value_and_grad(self, theta):
            x = theta - 1.0
            return c * float(x @ self.A @ x) / 2, (c * (self.A @ x)).astype(theta.dtype)

        def value(self, theta):
            return self.value_and_grad(theta)[0]

        def hvp(self, theta, v):
            return (c * (self.A @ v)).astype(theta.dtype)

        ggnvp = hvp
    theta = np.array([3, -2], dtype)
    start = Small().value(theta)
    result = minimize(method(theta), Small(), 100)
    assert result.value <= 1e-9 * start, result
