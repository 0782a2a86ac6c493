"""The step of a first-order method: both loops, the interim point, skipped parameters, groups, kernels, subclasses."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import Array, Hyper, hyper, schedules, state

RATES = {"constant": 0.05, "decaying": schedules.Inverse(0.05, 20)}
ALL = [optim.SGD, optim.Momentum, optim.Nesterov, optim.NesterovNotes, optim.MomentumNotes, optim.AdaGrad,
       optim.RMSProp, optim.RMSPropNesterov, optim.AdaDelta, optim.Adam, optim.AdaMax, optim.AdamW, optim.DeltaBarDelta,
       optim.Rprop, optim.RpropMinus, optim.AMSGrad, optim.NAdam, optim.RAdam, optim.Lion, optim.Muon,
       optim.ScheduleFree]


class TenLines(optim.FirstOrder):
    """What a student writes: state is rebound, not updated in place."""
    lr: Hyper
    momentum: Hyper = hyper(0.9)
    v: Array = state()

    def update(self, g):
        self.v = self.momentum * self.v - self.lr * g
        self.theta = self.theta + self.v


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("method", ALL, ids=lambda method: method.__name__)
@pytest.mark.parametrize("weight_decay", [0, 0.1])
def test_both_loops_give_the_same_theta_to_the_bit(method, rate, weight_decay, vector, quadratic):
    J = quadratic(6)
    p, theta = vector(), vector().theta
    looped, boxed = method(p, lr=rate, weight_decay=weight_decay), method(theta, lr=rate, weight_decay=weight_decay)
    for _ in range(30):
        looped.zero_grad()
        p.backward(J.grad)
        looped.step()
        boxed.step(J)
        with looped.at_theta():
            assert np.array_equal(p.theta, theta)
    assert looped.k == boxed.k == 30


def test_step_leaves_nesterov_where_the_next_backward_belongs(vector, quadratic):
    p, J = vector(), quadratic(6)
    opt = optim.Nesterov(p, lr=0.1, momentum=0.8)
    p.backward(J.grad)
    opt.step()
    looking = p.theta.copy()
    with opt.at_theta() as theta:
        np.testing.assert_array_equal(looking, theta + 0.8 * opt.v)
        home = theta.copy()
    assert np.array_equal(p.theta, looking)
    with pytest.raises(KeyError), opt.at_theta():
        assert np.array_equal(p.theta, home)
        raise KeyError
    assert np.array_equal(p.theta, looking)


def test_theta_changed_at_the_interim_point_is_an_error_and_inside_at_theta_is_not(vector, quadratic):
    p, J = vector(), quadratic(6)
    opt = optim.Nesterov(p, lr=0.1)
    p.backward(J.grad)
    opt.step()
    with opt.at_theta() as theta:
        theta[...] = 1
    np.testing.assert_array_equal(p.theta, 1 + 0.9 * opt.v)
    p.theta[...] = 3
    p.backward(J.grad)
    with pytest.raises(ValueError, match="inside `with opt.at_theta"):
        opt.step()


def test_a_momentum_changed_between_steps_moves_the_interim_point(vector, quadratic):
    J = quadratic(6)
    p, theta = vector(), vector().theta
    looped, boxed = optim.Nesterov(p, lr=0.05), optim.Nesterov(theta, lr=0.05)
    for k in range(20):
        if k == 10:
            looped.momentum = boxed.momentum = 0.5
        p.backward(J.grad)
        looped.step()
        boxed.step(J)
    with looped.at_theta():
        assert np.array_equal(p.theta, theta)


def test_an_objective_that_raises_leaves_theta_where_it_was(quadratic):
    class Breaking(quadratic):
        def grad(self, theta):
            raise RuntimeError("no")
    theta = np.ones(6)
    opt = optim.Nesterov(theta, lr=0.1)
    opt.step(quadratic(6))
    before, v = theta.copy(), opt.v.copy()
    with pytest.raises(RuntimeError):
        opt.step(Breaking(6))
    assert np.array_equal(theta, before) and np.array_equal(opt.v, v) and opt.k == 1


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.__name__)
def test_a_slice_without_a_gradient_keeps_its_bits_state_and_step_count(method, vector, quadratic):
    """Classic bug 34: no decay, no state change, no t; afterwards it continues as if it had never been there."""
    J = quadratic(6)
    p = vector()
    opt = method(p, lr=0.05, weight_decay=0.1)
    alone = vector(p.theta[:3].copy(), {"0.w": 3})
    other = method(alone, lr=0.05, weight_decay=0.1)
    for k in range(12):
        but = ("0.b",) if k % 3 == 1 else ()
        opt.zero_grad()
        p.backward(J.grad, but)
        with opt.at_theta():
            before = p.theta[3:5].copy()
        kept = {name: getattr(opt, name)[3:5].copy() for name in opt.state}
        opt.step()
        if but:
            with opt.at_theta():
                assert np.array_equal(p.theta[3:5], before)
            assert all(np.array_equal(getattr(opt, name)[3:5], kept[name]) for name in opt.state)
        alone.g[...] = p.g[:3]
        alone.unwritten.clear()
        other.step()
        assert np.array_equal(alone.theta, p.theta[:3])
    assert list(opt.state_dict()["counts"]) == [12, 8, 12]


def test_adams_t_is_that_of_the_parameter(vector):
    """A parameter whose first gradient comes late makes a first step of lr, as if t were 1."""
    p = vector()
    opt = optim.Adam(p, lr=0.1)
    for k in range(5):
        opt.zero_grad()
        p.backward(np.ones_like, but=("1.w",) if k < 4 else ())
        before = p.theta[5]
        opt.step()
    assert before - p.theta[5] == pytest.approx(0.1)


def test_a_step_before_any_backward_is_an_error(vector):
    opt = optim.SGD(vector(), lr=0.1)
    with pytest.raises(ValueError, match="call backward"):
        opt.step()


@pytest.mark.parametrize("method", [*ALL, TenLines], ids=lambda method: method.__name__)
def test_the_gradient_is_neither_written_nor_kept(method):
    """Classic bug 11: equal before and after; overwriting the buffer between two steps changes nothing."""
    theta, copy = np.ones(4), np.ones(4)
    one, two = method(theta, lr=0.1, weight_decay=0.3), method(copy, lr=0.1, weight_decay=0.3)
    buffer = np.empty(4)
    for k in range(4):
        g = np.sin(np.arange(4) + k)
        buffer[:] = g
        one.step(g=buffer)
        assert np.array_equal(buffer, g)
        buffer[:] = np.nan
        two.step(g=g.copy())
    assert np.array_equal(theta, copy)


def test_a_gradient_that_is_theta_itself_is_copied():
    class Half:
        value = staticmethod(lambda theta: theta @ theta / 2)
        grad = staticmethod(lambda theta: theta)
    theta = np.ones(3)
    optim.SGD(theta, lr=0.5).step(Half)
    assert np.array_equal(theta, [0.5] * 3)


def test_ten_lines_that_rebind_equal_momentum(vector, quadratic):
    J, p, theta = quadratic(6), vector(), vector().theta
    groups = {"0.b": dict(lr=0.02)}
    mine, ours = TenLines(p, lr=0.05, groups=groups), optim.Momentum(theta, lr=0.05, groups=[
        dict(params=slice(3, 5), lr=0.02)])
    for _ in range(20):
        p.backward(J.grad)
        mine.step()
        ours.step(J)
    assert np.array_equal(p.theta, theta)
    assert np.array_equal(mine.v, ours.v)


def test_a_subclass_that_overrides_update_runs_as_written():
    class Shy(optim.Adam):
        def update(self, g):
            self.theta = self.theta - 1
    theta = np.zeros(3)
    Shy(theta).step(g=np.ones(3))
    assert np.array_equal(theta, [-1] * 3)


def test_a_subclass_that_keeps_update_runs_the_kernel(monkeypatch):
    calls = []
    monkeypatch.setattr(optim.Adam.update, "kernel", lambda *arguments: calls.append(arguments))
    type("Named", (optim.Adam,), {})(np.zeros(3)).step(g=np.ones(3))
    assert len(calls) == 1 and calls[0][-1] == 1


def test_one_run_one_pass(vector, quadratic, monkeypatch):
    """Parameters of one group are updated by one call; neighbouring slices of a group too."""
    sizes = []
    monkeypatch.setattr(optim.SGD.update, "kernel", lambda theta, g, lr: sizes.append(len(theta)))
    p = vector()
    p.backward(quadratic(6).grad)
    optim.SGD(p, lr=0.1).step()
    assert sizes == [6]
    optim.SGD(p, lr=0.1, groups={"1.*": dict(lr=1)}).step()
    assert sizes == [6, 5, 1]


def test_weight_decay_is_the_gradient_of_the_penalty(quadratic):
    """Coupled L2: equal to the objective J + c theta^2/2; and decay 0 is not decay 0.1 (classic bug 39)."""
    class Penalized(quadratic):
        def grad(self, theta):
            return super().grad(theta) + 0.1 * theta
    for method in (optim.SGD, optim.Nesterov, optim.Adam, optim.RMSPropNesterov):
        decayed, wanted, plain = np.ones(6), np.ones(6), np.ones(6)
        one, two, three = method(decayed, lr=0.05, weight_decay=0.1), method(wanted, lr=0.05), method(plain, lr=0.05)
        for _ in range(20):
            one.step(quadratic(6))
            two.step(Penalized(6))
            three.step(quadratic(6))
        np.testing.assert_allclose(decayed, wanted, rtol=0, atol=1e-12)
        assert np.abs(decayed - plain).max() > 1e-3


def test_a_repeated_gradient_accumulates_once(vector, quadratic):
    """Classic bug 33: tied weights are one slice, updated once by the sum of their gradients."""
    p = vector(np.array([2.0]), {"tied": 1})
    opt = optim.SGD(p, lr=0.1)
    p.backward(lambda theta: np.array([3.0]) + np.array([4.0]))
    opt.step()
    assert p.theta[0] == pytest.approx(2 - 0.7)


@pytest.mark.parametrize("method", [optim.Adam, optim.Nesterov], ids=lambda method: method.__name__)
def test_a_non_finite_gradient_is_refused_before_anything_changes(method, vector, quadratic):
    p, J = vector(), quadratic(6)
    opt = method(p, lr=0.1, check_finite=True)
    p.backward(J.grad)
    opt.step()
    before, state = p.theta.copy(), opt.state_dict()
    p.g[4] = np.inf
    with pytest.raises(optim.NonFiniteError, match="gradient of 0.b is not finite at step 2") as caught:
        opt.step()
    assert isinstance(caught.value, ArithmeticError) and isinstance(caught.value, ValueError)
    after = opt.state_dict()
    assert np.array_equal(p.theta, before) and all(np.array_equal(state[key], after[key]) for key in state)
    p.unwritten.add("0.b")                             # what has no gradient is not looked at
    opt.step()


def test_only_parameters_with_a_gradient_are_named(vector):
    """What has none holds anything: here NaN, right behind the one at fault."""
    p = vector()
    opt = optim.SGD(p, lr=0.1, check_finite=True)
    p.backward(lambda theta: np.array([1, np.inf, 1, 1, 1, 1.0]), but=("0.b",))
    assert np.isnan(p.g[3:5]).all()
    with pytest.raises(optim.NonFiniteError, match="the gradient of 0.w is not finite at step 1"):
        opt.step()


def test_a_non_finite_objective_is_refused(quadratic):
    class Overflowing(quadratic):
        def value(self, theta):
            return float("inf")
    theta = np.ones(6)
    with pytest.raises(optim.NonFiniteError, match="J is inf at step 1"):
        optim.SGD(theta, lr=0.1, check_finite=True).step(Overflowing(6))
    assert np.array_equal(theta, np.ones(6))


def test_changed_is_called_when_theta_moved(vector, quadratic):
    p = vector()
    opt = optim.SGD(p, lr=0.1)
    p.backward(quadratic(6).grad)
    opt.step()
    assert p.changes == 1
    opt.theta = np.zeros(6)
    assert p.changes == 2 and not p.theta.any()


def test_an_optimizer_keeps_working_when_the_parameters_are_laid_out_anew(vector, quadratic):
    p, q, J = vector(), vector(), quadratic(6)
    moved, stayed = optim.Nesterov(p, lr=0.05), optim.Nesterov(q, lr=0.05)
    for k in range(10):
        if k == 5:
            p.theta, p.g = p.theta.copy(), p.g.copy()
        p.backward(J.grad)
        q.backward(J.grad)
        moved.step()
        stayed.step()
    assert np.array_equal(p.theta, q.theta)


def test_step_returns_the_value_of_j_as_a_float(quadratic):
    J, theta = quadratic(6), np.ones(6)
    step = optim.SGD(theta.copy(), lr=0.1).step(J)
    assert step == J.value(theta) and isinstance(step, float)
    assert step.grad_norm == pytest.approx(np.linalg.norm(J.grad(theta))) and step.reason == ""
    assert f"{step:.3f}" == f"{J.value(theta):.3f}"


def test_trace_records_the_symbols_of_every_step(quadratic):
    theta = np.ones(6)
    opt = optim.Momentum(theta, lr=schedules.Inverse(0.1))
    with opt.trace() as history:
        for _ in range(4):
            opt.step(quadratic(6))
    opt.step(quadratic(6))
    assert history["theta"].shape == history["v"].shape == history["g"].shape == (4, 6)
    np.testing.assert_allclose(history["lr"], [0.1, 0.05, 0.1 / 3, 0.025])
    np.testing.assert_allclose(history["theta"][1] + history["v"][2], history["theta"][2], rtol=1e-15)


def test_trace_of_nesterov_holds_theta_and_not_the_interim_point(vector, quadratic):
    p, theta, J = vector(), vector().theta, quadratic(6)
    looped, boxed = optim.Nesterov(p, lr=0.05), optim.Nesterov(theta, lr=0.05)
    with looped.trace() as first, boxed.trace() as second:
        for _ in range(5):
            p.backward(J.grad)
            looped.step()
            boxed.step(J)
    assert np.array_equal(first["theta"], second["theta"])
