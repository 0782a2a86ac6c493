"""What all second-order methods promise: theta is never left at a trial point, reasons are right, state resumes."""
import numpy as np
import pytest

from minigrad.optim import (
    BFGS,
    LBFGS,
    PRONG,
    ConjugateGradient,
    DampedNewton,
    HessianFree,
    KrylovSaddleFree,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    SaddleFreeNewton,
    ScaledConjugateGradient,
    TrustRegion,
    minimize,
)
from minigrad.optim.second_order.newton import damping_for
from minigrad.testing import problems

METHODS = [Newton, DampedNewton, SaddleFreeNewton, KrylovSaddleFree, LevenbergMarquardt, NewtonCG, TrustRegion,
           ConjugateGradient, ScaledConjugateGradient, BFGS, LBFGS, HessianFree]
every = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
KINDS = ("value", "grad", "value_and_grad", "hvp", "ggnvp", "hessian", "residuals", "jacobian")


class Faulty:
    """Rosenbrock whose `when`-th evaluation raises, or returns NaN."""

    def __init__(self, when, fault):
        self.problem, self.left, self.fault = problems.rosenbrock(4), when, fault

    def __getattr__(self, name):
        method = getattr(self.problem, name)
        if name not in KINDS:
            return method

        def call(*args):
            self.left -= 1
            result = method(*args)
            if self.left != 0:
                return result
            if self.fault != "nan":
                raise self.fault("planted")
            return tuple(part * np.nan for part in result) if isinstance(result, tuple) else result * np.nan
        return call


def accepted(method, steps=4):
    """The points a method goes through, and how many evaluations that takes."""
    J = Faulty(10**9, ValueError)
    opt = method(J.problem.start.copy())
    points = [opt.theta.copy()]
    for _ in range(steps):
        opt.step(J)
        points.append(opt.theta.copy())
    return points, 10**9 - J.left


@every
@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_an_exception_at_any_evaluation_leaves_theta_at_an_accepted_point(method, fault):
    points, evaluations = accepted(method)
    for when in range(1, evaluations + 1):
        J = Faulty(when, fault)
        opt = method(J.problem.start.copy())
        with pytest.raises(fault, match="planted"):
            for _ in range(5):
                opt.step(J)
        np.testing.assert_array_equal(opt.theta, points[opt.k], err_msg=f"evaluation {when}")
        assert opt.step(J).reason == "" and np.isfinite(opt.theta).all()             # and it can go on from there


@every
def test_nan_at_any_evaluation_never_ends_in_theta(method):
    """NaN at one evaluation: theta stays finite, J there is finite and, but for plain Newton, not above the start."""
    _, evaluations = accepted(method)
    start = problems.rosenbrock(4).value(problems.rosenbrock(4).start)
    for when in range(1, evaluations + 1):
        J = Faulty(when, "nan")
        opt = method(J.problem.start.copy())
        for _ in range(5):
            opt.step(J)
        value = J.problem.value(opt.theta)
        assert np.isfinite(opt.theta).all() and np.isfinite(value)
        assert value <= start or method is Newton, f"evaluation {when}"


@every
def test_nan_everywhere_is_a_reason(method):
    class Broken:
        def __getattr__(self, name):
            if name not in KINDS:
                raise AttributeError(name)
            if name == "value_and_grad":
                return lambda theta: (np.nan, theta * np.nan)
            return lambda theta, *rest: theta * np.nan
    theta = np.ones(3)
    step = method(theta).step(Broken())
    assert "not finite" in step.reason and np.isnan(step)
    np.testing.assert_array_equal(theta, 1)


class Bowl:
    """1/2 |theta|^2 with everything a method may ask for."""
    sign = 1.0

    def value(self, theta):
        return self.sign * float(theta @ theta) / 2

    def value_and_grad(self, theta):
        return self.value(theta), self.sign * theta

    def hvp(self, theta, v):
        return self.sign * v

    def ggnvp(self, theta, v):
        return v.copy()

    def residuals(self, theta):
        return theta.copy()

    def jacobian(self, theta):
        return np.eye(len(theta))


@every
def test_reasons_zero_gradient_tolerance_and_steps(method):
    opt = method(np.zeros(3))
    assert opt.step(Bowl()).reason == "the gradient is zero" and opt.k == 0
    assert minimize(method(np.ones(3)), Bowl(), 200, tolerance=1e-6).reason == "tolerance"
    assert minimize(method(np.ones(3)), Bowl(), 0).reason == "steps"


@pytest.mark.parametrize("method", [SaddleFreeNewton, KrylovSaddleFree, NewtonCG, ConjugateGradient, BFGS, LBFGS],
                         ids=lambda method: method.__name__)
def test_unbounded_objectives_are_said_to_be(method):
    class Slope(Bowl):
        def value(self, theta):
            return float(theta.sum())

        def value_and_grad(self, theta):
            return self.value(theta), np.ones_like(theta)

        def hvp(self, theta, v):
            return 0 * v
    opt = method(np.ones(3))
    assert opt.step(Slope()).reason == "J is unbounded along the direction"
    np.testing.assert_array_equal(opt.theta, 1)


@pytest.mark.parametrize("method", [DampedNewton, SaddleFreeNewton, KrylovSaddleFree, NewtonCG, TrustRegion, BFGS,
                                    LBFGS, ConjugateGradient, ScaledConjugateGradient, HessianFree],
                         ids=lambda method: method.__name__)
def test_a_wrong_gradient_is_no_decrease(method):
    """The gradient's sign is wrong (a mistake students make): no step is made, and the reason says what was seen."""
    class Wrong(Bowl):
        def value_and_grad(self, theta):
            return self.value(theta), -theta
    theta = np.ones(3)
    step = method(theta).step(Wrong())
    assert "no decrease" in step.reason, step.reason
    np.testing.assert_array_equal(theta, 1)


@every
def test_running_to_the_limit_of_rounding_stops_by_itself(method):
    """tolerance 0: every method says that nothing more can be gained (the plain box 8.8 has no such test)."""
    if method is Newton:
        pytest.skip("algorithm 8.8 as printed steps on")
    J = problems.Counting(problems.log_cosh(5))
    if method in (LevenbergMarquardt, HessianFree):
        J = problems.Counting(problems.bard())
    result = minimize(method(J.start.copy()), J, 3000)
    assert result.reason != "steps" and result.reason, result
    assert result.grad_norm < 1e-6


@every
def test_float32_stays_float32_and_arrives(method):
    J = problems.beale()
    opt = method(J.start.astype(np.float32))
    result = minimize(opt, J, 500, tolerance=1e-3)
    assert opt.theta.dtype == np.float32 and result.theta.dtype == np.float32
    assert result.value < 1e-5 or method is Newton, result
    arrays = [np.asarray(part) for part in opt._state.values()]
    assert all(array.dtype != np.float64 or array.size <= 10 for array in arrays)


@every
def test_saved_and_loaded_goes_on_bit_by_bit(method):
    J = problems.rosenbrock(4)
    theta = J.start.copy()
    through = method(theta)
    for _ in range(3):
        through.step(J)
    state, middle = through.state_dict(), theta.copy()
    for _ in range(4):
        through.step(J)
    resumed = method(middle)
    resumed.load_state_dict(state)
    for _ in range(4):
        resumed.step(J)
    np.testing.assert_array_equal(middle, theta)
    assert resumed.k == through.k


def as_saved_before(state):
    """The same state as version 0.2 wrote it: numbers as arrays of one, nothing of how a run ends, CG's `since`."""
    later = {"noise", "lowest_value", "lowest_norm", "begun", "idle_steps", "unscaled"}
    kept = {key: value for key, value in state.items() if key.removeprefix("state.") not in later}
    old = {key: np.array([value]) if key.startswith("state.") and not isinstance(value, np.ndarray) else value
           for key, value in kept.items()}
    return old | ({"state.since": np.zeros(1, np.int64)} if state["kind"] == "ConjugateGradient" else {})


@every
def test_files_saved_before_numbers_were_numbers_still_load(method):
    J = problems.rosenbrock(4)
    through = method(J.start.copy())
    for _ in range(3):
        through.step(J)
    resumed = method(through.theta.copy())
    resumed.load_state_dict(as_saved_before(through.state_dict()))
    for _ in range(4):
        through.step(J), resumed.step(J)
    np.testing.assert_array_equal(resumed.theta, through.theta)
    assert all(isinstance(value, float | int | np.ndarray) for value in resumed._state.values())


@every
def test_state_of_another_shape_or_without_a_part_is_refused(method):
    opt = method(np.ones(4))
    state = opt.state_dict()
    for name in opt._state:
        with pytest.raises(ValueError, match=f"state.{name} is missing"):
            opt.load_state_dict({key: value for key, value in state.items() if key != f"state.{name}"})
        with pytest.raises(ValueError, match=f"state.{name} is "):
            opt.load_state_dict(state | {f"state.{name}": np.zeros((2, 7))})


@every
def test_a_new_objective_is_looked_at_anew(method):
    """step(J) with another J each time: the value returned and the point reached are those of that J."""
    opt = method(np.array([-0.5, 0.5]))
    for J in (problems.rosenbrock(), problems.beale(), problems.rosenbrock(), problems.himmelblau()):
        before = opt.theta.copy()
        step = opt.step(J)
        assert step == J.value(before) and step.grad_norm == pytest.approx(np.linalg.norm(J.grad(before)))
        if method is not Newton and not step.reason:
            assert J.value(opt.theta) <= J.value(before)


class Regression:
    """|A theta - b|^2 of a minibatch (A, b), which whoever holds the objective may exchange."""

    def __init__(self, *batch):
        self.A, self.b = batch

    def residuals(self, theta):
        return self.A @ theta - self.b

    def jacobian(self, theta):
        return self.A

    def value(self, theta):
        return float(np.sum(self.residuals(theta) ** 2))

    def value_and_grad(self, theta):
        return self.value(theta), 2 * self.A.T @ self.residuals(theta)

    def hvp(self, theta, v):
        return 2 * self.A.T @ (self.A @ v)

    ggnvp = hvp


def batches():
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((9, 4)), rng.standard_normal(9)) for _ in range(6)]


@every
@pytest.mark.parametrize("how", ["other arrays", "written into", "other rows"])
def test_other_data_in_the_same_objective_are_seen(method, how):
    """J.A, J.b = next_batch between steps, or the batch written into, or its rows in another order (J is the same
    then, but not the residuals): step by step as with a new objective for each batch."""
    data = batches()
    if how == "other rows":
        orders = [np.random.default_rng(k).permutation(9) for k in range(6)]
        data = [tuple(part[order] for part in data[0]) for order in orders]
    one, anew = method(np.ones(4)), method(np.ones(4))
    J = Regression(*(part.copy() for part in data[0]))
    for A, b in data:
        if how == "written into":
            J.A[...], J.b[...] = A, b
        else:
            J.A, J.b = A, b
        step, other = one.step(J), anew.step(Regression(A, b))
        assert step == other and step.reason == other.reason
        np.testing.assert_array_equal(one.theta, anew.theta)


@every
def test_a_version_saves_the_evaluation_at_the_start_of_a_step(method):
    """J says by `version` that it is the same function: one evaluation fewer a step, the same path; a new version is
    another function."""
    class Versioned(Regression):
        version = 0

    def run(kind):
        J, opt, path = problems.Counting(kind(*batches()[0])), method(np.ones(4)), []
        for _ in range(4):
            opt.step(J)
            path.append(opt.theta.copy())
        return J, opt, np.array(path)
    (plain, _, path), (J, opt, same) = run(Regression), run(Versioned)
    np.testing.assert_array_equal(path, same)
    assert J.evaluations < plain.evaluations
    J.objective.A, J.objective.b = batches()[1]
    J.objective.version += 1
    assert opt.step(J) == J.value(same[-1])


@every
def test_one_objective_is_not_evaluated_twice_at_one_point(method):
    class Noting(problems.Counting):
        seen = ()

        def __getattr__(self, name):
            method = super().__getattr__(name)
            if name != "value_and_grad":
                return method

            def noted(theta):
                assert not any(np.array_equal(theta, old) for old in self.seen), "evaluated again"
                self.seen = (*self.seen, theta.copy())
                return method(theta)
            return noted
    J = Noting(problems.rosenbrock(4))
    opt = method(J.start.copy())
    for _ in range(6):
        opt.step(J)


def test_theta_moved_by_others_is_noticed():
    J = problems.rosenbrock()
    opt = LBFGS(J.start.copy())
    opt.step(J)
    opt.theta[...] = 3.0
    assert opt.step(J) == J.value(np.full(2, 3.0))


def test_step_counts_its_evaluations_and_is_traced():
    J = problems.Counting(problems.rosenbrock())
    opt = LBFGS(J.start.copy())
    with opt.trace() as history:
        spent = sum(opt.step(J).evaluations for _ in range(8))
    assert spent == J.counts["value_and_grad"]
    assert history["theta"].shape == (8, 2) and history["s"].shape == (8, 10, 2)


def test_missing_objective_or_method_is_named():
    with pytest.raises(ValueError, match=r"opt.step\(J\)"):
        BFGS(np.zeros(2)).step()
    with pytest.raises(ValueError, match="NewtonCG.step: J must have hvp"):
        class Plain:
            value_and_grad = staticmethod(lambda theta: (0.0, theta))
        NewtonCG(np.zeros(2)).step(Plain())
    with pytest.raises(ValueError, match="layer_inputs"):
        PRONG(np.zeros(2)).step(problems.rosenbrock())


# ---- frozen parameters

class Fit:
    """J = |r|^2 / 2, r_i = a_i . theta + tanh(b_i . theta) / 2 - c_i (9,): every derivative in closed form.

    Of theta (6,), or of its numbers `free` alone, the others being those of `fixed`.
    """
    rng = np.random.default_rng(5)
    A, B, c = rng.standard_normal((9, 6)), rng.standard_normal((9, 6)), rng.standard_normal(9)
    fixed, free = np.zeros(6), np.arange(6)

    def __init__(self, fixed=fixed, free=free):
        self.fixed, self.free, self.seen = fixed, free, []

    def parts(self, theta):
        """r (9,), its Jacobian (9, n), its second derivatives along b_i (9,) and b_i (9, n)."""
        full = self.fixed.copy()
        full[self.free] = theta
        self.seen.append(full)
        t = np.tanh(self.B @ full)
        B = self.B[:, self.free]
        return self.A @ full + t / 2 - self.c, self.A[:, self.free] + (1 - t * t)[:, None] / 2 * B, t * (t * t - 1), B

    def value_and_grad(self, theta):
        r, jacobian, *_ = self.parts(theta)
        return r @ r / 2, r @ jacobian

    def value(self, theta):
        return self.value_and_grad(theta)[0]

    def hvp(self, theta, v):
        r, jacobian, second, B = self.parts(theta)
        return jacobian.T @ (jacobian @ v) + B.T @ (r * second * (B @ v))

    def ggnvp(self, theta, v):
        jacobian = self.parts(theta)[1]
        return jacobian.T @ (jacobian @ v)

    def residuals(self, theta):
        return self.parts(theta)[0]

    def jacobian(self, theta):
        return self.parts(theta)[1]


class Cut:
    """theta (6,) as parameters a, b, c of two numbers each, some of them frozen."""

    def __init__(self, theta):
        self.theta, self.g, self.frozen = theta, np.zeros_like(theta), set()
        self.slices = {"a": slice(0, 2), "b": slice(2, 4), "c": slice(4, 6)}

    def changed(self):
        pass


START = np.array([1.0, -2.0, 0.5, 1.5, -1.0, 0.3])
FREE = np.array([0, 1, 4, 5])                                   # where b is frozen


def test_the_derivatives_of_fit_are_right():
    J, rng = Fit(START, FREE), np.random.default_rng(0)
    theta, v, h = START[FREE], rng.standard_normal(4), 1e-6
    difference = lambda f: (f(theta + h * v) - f(theta - h * v)) / (2 * h)
    assert difference(J.value) == pytest.approx(J.value_and_grad(theta)[1] @ v, rel=1e-7)
    np.testing.assert_allclose(difference(lambda at: J.value_and_grad(at)[1]), J.hvp(theta, v), rtol=1e-6)
    np.testing.assert_allclose(difference(J.residuals), J.jacobian(theta) @ v, rtol=1e-6)


@every
def test_with_a_frozen_parameter_a_method_is_itself_on_the_others(method):
    """Also where J gives derivatives along what is frozen, and the plain Newton step, whose H must stay regular."""
    params, J = Cut(START.copy()), Fit()
    params.frozen = {"b"}
    opt, alone = method(params), method(START[FREE])
    for k in range(3):
        mine, theirs = opt.step(J), alone.step(Fit(START, FREE))
        assert mine.reason == theirs.reason == "" and mine == pytest.approx(theirs, rel=1e-9)
        assert mine.grad_norm == pytest.approx(theirs.grad_norm, rel=1e-7)
        np.testing.assert_allclose(params.theta[FREE], alone.theta, rtol=1e-6, err_msg=f"step {k}")
    assert all(np.array_equal(seen[2:4], START[2:4]) for seen in J.seen)


@every
def test_what_is_frozen_on_the_way_stays_to_the_bit_and_the_others_arrive(method):
    """What a method has learned leads to where the frozen ones would go, too. Later they go on."""
    params, J = Cut(START.copy()), Fit()
    opt = method(params)
    for _ in range(2):
        opt.step(J)
    params.frozen, J.seen = {"b"}, []
    held = params.theta.copy()
    minimize(opt, J, 60)
    assert all(np.array_equal(seen[2:4], held[2:4]) for seen in J.seen), "not even a trial point"
    assert np.linalg.norm(Fit(held, FREE).value_and_grad(params.theta[FREE])[1]) < 1e-4
    params.frozen = set()
    minimize(opt, J, 100)
    assert not np.array_equal(params.theta[2:4], held[2:4]) and np.linalg.norm(J.value_and_grad(opt.theta)[1]) < 1e-4


@every
def test_freezing_between_two_steps_of_minimize_is_seen(method):
    """minimize knows J where the last step ended, with the gradient of then."""
    params, J, held = Cut(START.copy()), Fit(), []

    def callback(k, theta, value, g):
        if k == 2:
            params.frozen = {"a", "c"}
        if k >= 2:
            held.append(theta[FREE].copy())
    J.version = 0                                               # as if nothing had changed
    minimize(method(params), J, 6, callback=callback)
    assert len(held) > 1 and all(np.array_equal(each, held[0]) for each in held)


class Scaled:
    """unit f(theta / scale) of a bowl, or of corners: sum of |x - 0.3|, as if f and theta had other units."""
    A = np.array([[2, 0.5], [0.5, 1]])

    def __init__(self, kind, unit, scale):
        self.corners, self.unit, self.scale = kind == "corners", unit, scale

    def value(self, theta):
        x = theta / self.scale
        return self.unit * float(abs(x - 0.3).sum() if self.corners else x @ self.A @ x / 2)

    def grad(self, theta):
        x = theta / self.scale
        return (self.unit / self.scale * (np.sign(x - 0.3) if self.corners else self.A @ x)).astype(theta.dtype)

    def hessian(self, theta):
        return self.unit / self.scale / self.scale * self.A * (not self.corners)

    def hvp(self, theta, v):
        return self.hessian(theta) @ v

    ggnvp = hvp

    def residuals(self, theta):
        return self.unit**0.5 * (np.linalg.cholesky(self.A).T @ (theta / self.scale))

    def jacobian(self, theta):
        return self.unit**0.5 / self.scale * np.linalg.cholesky(self.A).T


UNITS = {"f8": [(1e-40, 1e-120), (1e-200, 1e-60), (1e-120, 1e-10), (1e-120, 1), (1e-40, 1e-60), (1e-40, 1),
                (1e-8, 1e-10), (1, 1e-10), (1, 1), (1, 1e120), (1e20, 1e-60), (1e20, 1e-10), (1e20, 1), (1e100, 1),
                (1e200, 1e120)],
         "f4": [(1e-30, 1e-15), (1e-30, 1), (1e-8, 1e4), (1, 1e-15), (1, 1), (1, 1e15), (1e20, 1e-4), (1e30, 1)]}


@every
@pytest.mark.parametrize("kind, dtype", [("bowl", "f8"), ("bowl", "f4"), ("corners", "f8"), ("corners", "f4")])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_unit_of_J_or_of_theta_is_an_exception(method, kind, dtype):
    """Squares and products of what is left at the end become 0 before it does, those of what is large infinite."""
    if method is LevenbergMarquardt and kind == "corners":
        pytest.skip("no sum of squares")
    for unit, scale in UNITS[dtype]:
        J, theta = Scaled(kind, unit, scale), (np.array([-1.2, 1]) * scale).astype(dtype)
        start = J.value(theta)
        result = minimize(method(theta), J, 40)
        assert np.isfinite(theta).all(), (unit, scale, result.reason)
        assert method is Newton or J.value(theta) <= start, (unit, scale, result.reason)


def test_falls_too_small_for_a_number_are_no_division_by_zero():
    opt = TrustRegion(np.ones(2))
    assert opt.gain_ratio(0.0, 0.0, 0.0) == 1 and opt.gain_ratio(0.0, 1e-300, 0.0) == -np.inf
    assert opt.gain_ratio(0.0, -1e-300, 1e-300) == 1
    assert damping_for(np.array([1e30]), np.array([1e-120]), 1e-160) == 0
