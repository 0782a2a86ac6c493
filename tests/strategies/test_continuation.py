"""Continuation (8.7.6): blurring in closed form, its three failures, and simulated annealing beside it."""
import copy

import numpy as np
import pytest

from minigrad import Objective, losses, nn, optim
from minigrad.strategies import Blurred, blurred, continuation, simulated_annealing
from minigrad.testing import problems


class Function:
    """An objective from formulas of its value, gradient and curvature, coordinate by coordinate."""

    def __init__(self, f, slope, curvature=None):
        self.f, self.slope, self.evaluations = f, slope, 0
        if curvature is not None:
            self.hvp = lambda theta, v: curvature(theta) * v

    def value(self, theta):
        self.evaluations += 1
        return float(np.sum(self.f(theta)))

    def grad(self, theta):
        return self.slope(theta)


def waves(a):
    return Function(lambda t: np.cos(a * t), lambda t: -a * np.sin(a * t), lambda t: -a * a * np.cos(a * t))


# ------------------------------------------------------------------------------------------------------------- blurring

@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_a_blurred_cosine_is_a_smaller_cosine(sigma):
    """E cos(a theta') = exp(-a^2 sigma^2 / 2) cos(a theta), within 5 standard errors."""
    a, samples = 2.0, 4000
    J, factor = Blurred(waves(a), sigma, samples, rng=0), np.exp(-(a * sigma)**2 / 2)
    for theta in np.linspace(-2, 2, 5)[:, None]:
        assert J.value(theta) == pytest.approx(factor * np.cos(a * theta[0]), abs=5 * samples**-0.5)
        assert J.grad(theta) == pytest.approx(-a * factor * np.sin(a * theta), abs=5 * a * samples**-0.5)
        assert J.hvp(theta, np.ones(1)) == pytest.approx(-a * a * factor * np.cos(a * theta),
                                                         abs=5 * a * a * samples**-0.5)


@pytest.mark.parametrize("samples", [2, 100])
def test_a_blurred_quadratic_keeps_its_gradient_exactly_and_rises_by_its_trace(samples):
    """E theta'H theta'/2 = theta'H theta/2 + sigma^2 tr(H)/2; pairs z, -z leave the gradient without noise."""
    J = problems.quadratic(n=5, condition=30, rng=1)
    sharp, blunt = J, Blurred(J, 0.7, samples, rng=0)
    H = J.hessian(J.start)
    assert blunt.grad(J.start) == pytest.approx(sharp.grad(J.start), abs=1e-12)
    noise = np.mean(np.einsum("ki,ij,kj->k", blunt.z, H, blunt.z)) / 2
    assert blunt.value(J.start) == pytest.approx(sharp.value(J.start) + 0.49 * noise, rel=1e-12)
    if samples == 100:
        assert noise == pytest.approx(np.trace(H) / 2, rel=0.3)
    assert blunt.hvp(J.start, np.ones(5)) == pytest.approx(H.sum(axis=1), rel=1e-10)


def test_a_blurred_well_is_wider_and_less_deep():
    """-d exp(-t^2/2w^2) -> -d w/s exp(-t^2/2s^2), s^2 = w^2 + sigma^2: narrow wells vanish first."""
    w, sigma = 0.5, 1.2
    well = Function(lambda t: -np.exp(-t * t / (2 * w * w)), lambda t: t / w**2 * np.exp(-t * t / (2 * w * w)))
    s = np.hypot(w, sigma)
    for theta in (0.0, 1.0, 2.5):
        wanted = -w / s * np.exp(-theta**2 / (2 * s * s))
        assert Blurred(well, sigma, 8000, rng=0).value(np.array([theta])) == pytest.approx(wanted, abs=0.02)


def test_the_noise_is_drawn_once_and_shared_along_the_series():
    J = waves(3.0)
    first, second, last = blurred(J, [1.0, 0.5], samples=10, rng=0)
    theta = np.array([0.3, -0.2])
    assert first.value(theta) == first.value(theta) and last is J
    second.value(theta)
    assert np.array_equal(first.z, second.z) and np.array_equal(first.z[:5], -first.z[5:])
    again = blurred(J, [1.0, 0.5], samples=10, rng=0)[0]
    assert again.value(theta) == first.value(theta)
    assert Blurred(J, 1.0, 10, rng=1).value(theta) != first.value(theta)


def test_value_and_gradient_belong_together():
    J = Blurred(waves(2.0), 0.5, 10, rng=0)
    theta, h = np.array([0.4, 1.0]), 1e-6
    for i, e in enumerate(np.eye(2)):
        assert J.grad(theta)[i] == pytest.approx((J.value(theta + h * e) - J.value(theta - h * e)) / (2 * h), rel=1e-7)
    one = Blurred(problems.himmelblau(), 0.5, 10, rng=0)
    assert one.value_and_grad(theta)[0] == pytest.approx(one.value(theta))
    assert one.value_and_grad(theta)[1] == pytest.approx(one.grad(theta))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_can_be_blurred_and_keeps_its_parameters(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)).astype(dtype), rng.integers(0, 2, 20)
    model = nn.Sequential(nn.Linear(3, 4, rng=0, dtype=dtype), nn.Tanh(), nn.Linear(4, 2, rng=1, dtype=dtype))
    J, theta = Objective(model, losses.cross_entropy, x, y), model.parameters().theta
    before = theta.copy()
    blunt = Blurred(J, 0.1, 10, rng=0)
    value, g = blunt.value_and_grad(theta)
    assert value > 0 and g.shape == theta.shape and g.dtype == dtype and np.array_equal(theta, before)
    found = continuation(blurred(J, [0.3, 0.1], 10, rng=0), model.parameters(), optim.LBFGS, steps=10)
    assert found.value < J.value(before) and np.array_equal(found.theta, model.parameters().theta)


# -------------------------------------------------------------------------------------------------------- continuation

class Rugged(Function):
    """sum t^2/2 + height (1 - cos 5 t): local minima, the lowest at 0. blur(sigma) is its closed form, but for a
    constant."""

    def __init__(self, height=3.0, factor=1.0):
        self.height = height
        super().__init__(lambda t: t * t / 2 + height * (1 - factor * np.cos(5 * t)),
                         lambda t: t + 5 * height * factor * np.sin(5 * t))

    def blur(self, sigma):
        return Rugged(self.height, np.exp(-(5 * sigma)**2 / 2))


@pytest.mark.parametrize("start", np.random.default_rng(0).uniform(-4, 4, (5, 6)), ids=range(5))
def test_continuation_finds_the_lowest_minimum_where_descent_stays_in_the_next_one(start):
    J, theta = Rugged(), start.copy()
    found = continuation([J.blur(1.0), J.blur(0.3), J], theta, optim.LBFGS, 100, 1e-8)
    assert found.value < 1e-12 and np.array_equal(theta, found.theta) and len(found.stages) == 3
    assert found.stages[1].path[0] == pytest.approx(found.stages[0].theta)
    assert optim.minimize(optim.LBFGS(start.copy()), J, 100, tolerance=1e-8).value > 1


@pytest.mark.parametrize("start", np.random.default_rng(0).uniform(-4, 4, (3, 6)), ids=range(3))
def test_so_does_blurring_by_sampling_where_samples_are_enough(start):
    J = Rugged(height=0.3)
    found = continuation(blurred(J, [1.0, 0.5, 0.25], 400, rng=0), start.copy(), optim.LBFGS, 100, 1e-6)
    assert found.value < 1e-9
    assert optim.minimize(optim.LBFGS(start.copy()), J, 100, tolerance=1e-8).value > 0.1


def test_first_failure_too_coarse_a_series_loses_the_track():
    """A long valley floor of wells that lead on only if sigma shrinks slowly."""
    def drifting(sigma):                        # its minimum moves from 8 to 0 while it becomes narrow
        centre, w = 8 * sigma, 0.3 + sigma
        return Function(lambda t: -np.exp(-(t - centre)**2 / (2 * w * w)),
                        lambda t: (t - centre) / w**2 * np.exp(-(t - centre)**2 / (2 * w * w)))
    found = {}
    for stages in (1, 20):
        series = [drifting(sigma) for sigma in np.linspace(1, 0, stages + 1)]
        found[stages] = continuation(series, np.array([7.0]), optim.LBFGS, 200, 1e-10)
    assert found[20].value == pytest.approx(-1, abs=1e-9) and found[1].value > -0.01


def test_second_failure_minus_theta_theta_stays_concave_for_every_sigma():
    J = Function(lambda t: -t * t, lambda t: -2 * t, lambda t: np.full_like(t, -2.0))
    theta = np.array([0.3, -1.0])
    for sigma in (0.1, 1.0, 1e3):
        blunt = Blurred(J, sigma, 50, rng=0)
        assert blunt.hvp(theta, np.eye(2)[0]) == pytest.approx([-2, 0], rel=1e-12)
        assert blunt.grad(theta) == pytest.approx(-2 * theta, abs=1e-11 * sigma)
        assert blunt.value(theta) == pytest.approx(-theta @ theta - sigma**2 * np.mean(np.sum(blunt.z**2, 1)), rel=1e-9)


def two_wells(sigma):
    """A wide well at -2 and a deeper, narrow one at 2, blurred in closed form."""
    parts = []
    for depth, centre, w in ((1.0, -2.0, 1.0), (1.5, 2.0, 0.2)):
        s = np.hypot(w, sigma)
        parts.append((depth * w / s, centre, s))
    return Function(lambda t: sum(-d * np.exp(-(t - c)**2 / (2 * s * s)) for d, c, s in parts),
                    lambda t: sum(d * (t - c) / s**2 * np.exp(-(t - c)**2 / (2 * s * s)) for d, c, s in parts))


def test_third_failure_the_track_ends_in_a_minimum_that_is_not_the_lowest():
    series = [two_wells(sigma) for sigma in (3, 2, 1, 0.5, 0.2, 0)]
    found = continuation(series, np.array([2.0]), optim.LBFGS, 200, 1e-10)
    assert found.theta == pytest.approx([-2], abs=0.01) and found.value == pytest.approx(-1, abs=0.01)
    assert optim.minimize(optim.LBFGS(np.array([2.0])), two_wells(0), 100).value < -1.49


# ----------------------------------------------------------------------------------------------------------- annealing

def test_held_at_one_temperature_the_walk_has_the_equilibrium_energy():
    """exp(-J/T) for J = |theta|^2/2 is normal with variance T: the mean of J is n T/2."""
    J = Function(lambda t: t * t / 2, lambda t: t)
    found = simulated_annealing(J, np.zeros(2), np.full(30_000, 0.3), step=0.8, rng=0)
    assert np.mean(found.values[500:]) == pytest.approx(0.3, rel=0.1) and 0.2 < found.accepted < 0.8


def test_it_crosses_barriers_and_leaves_theta_at_the_best_point():
    theta = np.array([3.8])
    found = simulated_annealing(Rugged(), theta, np.geomspace(10, 1e-3, 4000), step=0.5, rng=0)
    assert found.value < 0.01 and np.array_equal(theta, found.theta)
    assert found.value == Rugged().value(theta) == found.values.min() and len(found.values) == 4001
    again = simulated_annealing(Rugged(), np.array([3.8]), np.geomspace(10, 1e-3, 4000), step=0.5, rng=0)
    assert np.array_equal(again.values, found.values)


def test_at_temperature_zero_it_never_climbs():
    found = simulated_annealing(Rugged(), np.array([3.8, 1.0]), np.zeros(500), step=0.2, rng=0)
    assert (np.diff(found.values) <= 0).all()


def test_what_is_not_finite_is_never_accepted():
    J = Function(lambda t: np.where(t > 0, t, np.nan), np.ones_like)
    found = simulated_annealing(J, np.array([1.0]), np.full(200, 1.0), step=1.0, rng=0)
    assert np.isfinite(found.values).all()
    with pytest.raises(ValueError, match="nan at the start"):
        simulated_annealing(J, np.array([-1.0]), [1.0], step=1.0)


# -------------------------------------------------------------------------------------------------------------- misuse

def test_annealing_leaves_what_is_frozen_where_it_is():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.Linear(2, 1, rng=1)).astype(np.float64)
    J = Objective(model, losses.mean_squared_error, np.random.default_rng(0).standard_normal((9, 2)), np.ones((9, 1)))
    params, start = model.parameters(), J.value()
    model[0].freeze()
    held, before = params.theta[:6].copy(), params.theta[6:].copy()
    assert simulated_annealing(J, params, np.zeros(50), step=0.1, rng=0).value < start
    assert np.array_equal(params.theta[:6], held) and (params.theta[6:] != before).all()


@pytest.mark.parametrize("call, words", [
    (lambda theta: Blurred(waves(1), -1), "Blurred: sigma"), (lambda theta: Blurred(waves(1), 1, 3), "even"),
    (lambda theta: Blurred(waves(1), 1, 0), "samples"), (lambda theta: blurred(waves(1), [0.5, 1.0]), "must fall"),
    (lambda theta: blurred(waves(1), [1, 0]), "sigmas"),
    (lambda theta: continuation([], theta, optim.LBFGS, 5), "got 0"),
    (lambda theta: continuation([waves(1)], theta, optim.LBFGS(theta), 5), "got 1 and LBFGS"),
    (lambda theta: continuation([waves(1)], theta, optim.LBFGS, -1), "steps"),
    (lambda theta: continuation([waves(1)], [1.0], optim.LBFGS, 1), "continuation: the parameters"),
    (lambda theta: simulated_annealing(waves(1), theta, [1, -1], 1), "temperatures"),
    (lambda theta: simulated_annealing(waves(1), theta, [1], 0), "step"),
])
def test_wrong_arguments_are_refused_before_anything_moves(call, words):
    theta = np.array([0.5])
    with pytest.raises(ValueError, match=words):
        call(theta)
    assert theta[0] == 0.5


def test_blurred_says_what_its_objective_lacks_and_can_be_copied():
    J = Blurred(Rugged(), 1.0, 10, rng=0)
    assert not hasattr(J, "hvp")
    with pytest.raises(AttributeError, match="Rugged.* has no attribute 'hvp'"):
        J.hvp(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"theta must be \(2,\), as at first, got \(3,\)"):
        J.value(np.ones(2)), J.value(np.ones(3))
    other = copy.deepcopy(Blurred(problems.himmelblau(), 1.0, 10, rng=0))
    assert np.isfinite(other.value(np.ones(2)))
