"""Hyperparameters, what may be optimized, saving and loading: every wrong use refused by name, nothing changed."""
import copy
import math

import numpy as np
import pytest

from minigrad import optim
from minigrad.arguments import within
from minigrad.optim import schedules


def sgd(theta=None, lr=0.1, **options):
    return optim.SGD(np.ones(3) if theta is None else theta, lr=lr, **options)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: sgd(lr=-0.1), r"SGD: lr must be in \[0, inf\), got -0.1"),
    (lambda: sgd(lr=math.inf), r"lr must be in \[0, inf\), got inf"),
    (lambda: sgd(lr=math.nan), r"lr must be in \[0, inf\), got nan"),
    (lambda: sgd(lr="0.1"), "lr must be a number in .* or a schedule k -> number, got '0.1'"),
    (lambda: sgd(lr=None), "lr must be a number"),
    (lambda: sgd(lr=True), "lr must be a number"),
    (lambda: sgd(lr=1j), "lr must be a number"),
    (lambda: sgd(lr=np.array([0.1, 0.2])), "lr must be a number"),
    (lambda: sgd(weight_decay=-1e-9), "weight_decay must be in"),
    (lambda: optim.Momentum(np.ones(3), lr=0.1, momentum=1), r"momentum must be in \[0, 1\), got 1"),
    (lambda: optim.Momentum(np.ones(3), lr=0.1, momentum=-0.1), "momentum must be in"),
    (lambda: optim.RMSProp(np.ones(3), rho=1.5), r"RMSProp: rho must be in \[0, 1\), got 1.5"),
    (lambda: optim.RMSProp(np.ones(3), delta=0), r"delta must be in \(0, inf\), got 0"),
    (lambda: optim.AdaGrad(np.ones(3), delta=-1e-7), "delta must be in"),
    (lambda: optim.Adam(np.ones(3), rho1=1), r"Adam: rho1 must be in \[0, 1\), got 1"),
    (lambda: optim.Adam(np.ones(3), rho2=1.0), "rho2 must be in"),
    (lambda: optim.Rprop(np.ones(3), up=0.9), r"up must be in \[1, inf\), got 0.9"),
    (lambda: optim.Rprop(np.ones(3), down=0), r"down must be in \(0, 1\], got 0"),
    (lambda: optim.DeltaBarDelta(np.ones(3), lr=0.1, phi=1), "phi must be in"),
    (lambda: optim.VSGD(np.ones(3), slow=0.5), "slow must be in"),
    (lambda: optim.AdamW(np.ones(3), eta=-1), "eta must be in"),
    (lambda: sgd(np.ones(3, dtype=int)), "theta must be float32 or float64, got int64"),
    (lambda: sgd(np.ones(3, dtype=np.float16)), "got float16"),
    (lambda: sgd(np.ones((2, 2))), r"theta must have shape \(n,\), got \(2, 2\)"),
    (lambda: sgd(np.float64(3.0)), "float array"),
    (lambda: sgd(np.ones(6)[::2]), "contiguous and writable"),
    (lambda: sgd(np.empty(0)), r"there are no parameters \(n = 0\)"),
    (lambda: sgd([1.0, 2.0]), r"float array \(n,\) or model.parameters\(\), got list"),
    (lambda: sgd(type("Model", (), {"parameters": None})()), r"got Model: pass model.parameters\(\)"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_misuse_is_named_when_the_optimizer_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_read_only_theta_is_refused():
    theta = np.ones(3)
    theta.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        sgd(theta)


def test_repeated_and_missing_parameters_are_refused(vector):
    p = vector()
    p.slices["again"] = slice(0, 3)
    with pytest.raises(ValueError, match="again starts at 0, wanted 6: a parameter is repeated or missing"):
        sgd(p)
    q = vector()
    del q.slices["1.w"]
    with pytest.raises(ValueError, match="the slices cover 5 elements of 6"):
        sgd(q)


@pytest.mark.parametrize(("attempt", "message"), [
    (lambda opt: opt.step(), r"plain array.*step\(J\).*step\(g=...\)"),
    (lambda opt: opt.step(lambda theta: 1.0), r"SGD.step: J must have value\(...\), grad\(...\); function has no"),
    (lambda opt: opt.step(g=np.ones(4)), r"g must be \(3,\) float64, got \(4,\) float64"),
    (lambda opt: opt.step(g=np.ones(3, dtype=np.float32)), r"got \(3,\) float32"),
    (lambda opt: opt.step(Shaped()), r"J's gradient must have shape \(3,\), got \(2,\)"),
    (lambda opt: setattr(opt, "lr", -1), r"lr must be in \[0, inf\), got -1"),
    (lambda opt: setattr(opt, "lr", lambda k: -1.0) or opt.step(g=np.ones(3)), r"got -1.0 \(schedule .*at k = 1"),
    (lambda opt: setattr(opt, "lr", lambda k: "x") or opt.step(g=np.ones(3)), "at k = 1"),
    (lambda opt: setattr(opt, "lr", lambda k: 1e200 ** (k + 1)) or opt.step(g=np.ones(3)),
     "lr is too large a number .schedule .*at k = 1"),
    (lambda opt: optim.VSGD(opt.theta).step(), "needs an objective with example_grads and hessian_diagonal"),
    (lambda opt: optim.VSGD(opt.theta).step(Bowl()), "Bowl has no example_grads, hessian_diagonal"),
    (lambda opt: optim.minimize(opt, Bowl(), -1), "steps must be an integer >= 0, got -1"),
    (lambda opt: optim.minimize(opt, Bowl(), 1.5), "steps must be an integer >= 0, got 1.5"),
    (lambda opt: optim.minimize(opt, Bowl(), 1, tolerance=math.nan), "tolerance must be a number in"),
    (lambda opt: optim.minimize(opt, 3.0, 1), "float has not"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_misuse_of_a_step_is_named_and_nothing_has_moved(attempt, message):
    theta = np.ones(3)
    opt = sgd(theta)
    with pytest.raises(ValueError, match=message):
        attempt(opt)
    assert np.array_equal(theta, np.ones(3)) and opt.k == 0


class Bowl:
    def value(self, theta):
        return float(theta @ theta) / 2

    def grad(self, theta):
        return theta.copy()


class Shaped(Bowl):
    def grad(self, theta):
        return np.ones(2)


def test_a_subclass_that_forgets_super_is_told():
    class Forgetful(optim.FirstOrder):
        def __init__(self, params):
            self.rate = 1.0
    with pytest.raises(AttributeError, match="call super"):
        Forgetful(np.ones(3))


def test_theta_of_another_length_or_dtype_is_refused(vector, quadratic):
    p = vector()
    opt = optim.Adam(p)
    p.backward(quadratic(6).grad)
    p.theta = p.theta.astype(np.float32)
    with pytest.raises(ValueError, match=r"theta was \(6,\) float64 .* is \(6,\) float32 now: make a new one"):
        opt.step()


def test_intervals():
    assert within(0, "[0, 1)") and not within(1, "[0, 1)") and within(1, "(0, 1]") and not within(0, "(0, 1]")
    assert within(-5, "(-inf, inf)")


def test_hyperparameters_are_attributes_numbers_or_schedules():
    theta = np.zeros(2)
    opt = optim.SGD(theta, lr=schedules.Linear(1.0, 0.5, 2))
    for wanted in (0.75, 0.5, 0.5):                                   # the first step has k = 1
        before = theta.copy()
        opt.step(g=np.ones(2))
        np.testing.assert_allclose(before - theta, wanted)
    opt.lr = 0.01
    assert opt.lr == 0.01
    before = theta.copy()
    opt.step(g=np.ones(2))
    np.testing.assert_allclose(before - theta, 0.01)
    opt.lr = np.float32(0.25)
    assert type(opt.lr) is float
    assert opt.now("lr") == 0.25 and "lr=0.25" in repr(opt) and "k=4" in repr(opt)


def test_now_is_the_value_at_the_step_to_come():
    opt = sgd(lr=schedules.Inverse(1.0))
    assert [opt.now("lr"), opt.now("lr", 4)] == [1.0, 0.25]
    opt.step(g=np.ones(3))
    assert opt.now("lr") == 0.5


def test_zero_grad_forgets_the_gradients_of_the_parameters(vector):
    p = vector()
    p.backward(np.ones_like)
    sgd(p).zero_grad()
    assert p.unwritten == set(p.slices)


@pytest.mark.parametrize("number", [np.float64(0.125), np.float32(0.125), np.array(0.125)], ids=repr)
def test_a_hyperparameter_of_numpys_is_a_number_wherever_it_is_given(number, vector):
    """When made, assigned, in a group, in a schedule: the state is plain, float32 stays, and it loads."""
    groups = {"0.b": dict(lr=number, momentum=schedules.Linear(number, number, 5)), "1.w": dict(lr=0.5)}
    made = [optim.Momentum(vector(dtype=np.float32), lr=number, momentum=schedules.Cosine(number, 0, 10),
                           weight_decay=number, groups=groups) for _ in range(2)]
    opt, other = made
    opt.lr, opt.groups[2]["lr"] = number, number
    opt.step(g=np.ones(6, np.float32))
    state = opt.state_dict()
    assert {type(value) for value in state.values()} <= {str, int, float, np.ndarray}
    assert state["hyper.momentum"] == "Cosine(0.125, 0, 10)" and state["group.1.momentum"] == "Linear(0.125, 0.125, 5)"
    other.load_state_dict(state)
    assert other.momentum == opt.momentum and other.groups[2]["lr"] == 0.125
    average = optim.PolyakAverage(opt, alpha=number)
    assert type(average.state_dict()["alpha"]) is float


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ValueError, match=r"SGD: lr must be in \[0, inf\), got 1000"):
        sgd(lr=10 ** 400)
    with pytest.raises(ValueError, match="k is 1000.*, wanted a count"):
        sgd().load_state_dict(sgd().state_dict() | {"k": 10 ** 400})


def test_a_numpy_number_from_a_schedule_does_not_widen_float32():
    theta = np.zeros(2, dtype=np.float32)

    class Text(optim.SGD):
        def update(self, g):
            step = self.lr * g
            assert step.dtype == np.float32
            self.theta = self.theta - step
    Text(theta, lr=lambda k: np.float64(0.1)).step(g=np.ones(2, dtype=np.float32))


# ---- saving and loading

METHODS = [
    lambda p: optim.SGD(p, lr=schedules.Stair(0.1, 0.5, 3)),
    lambda p: optim.Momentum(p, lr=schedules.Warmup(4, schedules.Cosine(0.1, 0.0, 9)), momentum=0.8),
    lambda p: optim.Nesterov(p, lr=0.05, momentum=schedules.Linear(0.1, 0.9, 10)),
    lambda p: optim.NesterovNotes(p, lr=0.05),
    lambda p: optim.Adam(p, lr=schedules.Chain([(3, 0.1), schedules.Inverse(0.1, 5)]), groups={"0.b": dict(lr=0.2)}),
    lambda p: optim.RMSPropNesterov(p, lr=0.01, weight_decay=0.1),
    lambda p: optim.AdamW(p, eta=schedules.Exponential(1.0, 0.9)),
    lambda p: optim.Rprop(p), lambda p: optim.DeltaBarDelta(p, lr=0.05),
    lambda p: optim.AMSGrad(p, lr=0.05), lambda p: optim.NAdam(p, lr=0.05, groups={"0.b": dict(warming=0.1)}),
    lambda p: optim.RAdam(p, lr=0.05), lambda p: optim.Lion(p, lr=0.01, weight_decay=0.1),
    lambda p: optim.Muon(p, lr=0.05, weight_decay=0.1),
    lambda p: optim.ScheduleFree(p, lr=schedules.Warmup(4, 0.1), groups={"0.b": dict(lr=0.02)}),
]


@pytest.mark.parametrize("make", METHODS)
def test_a_resumed_run_equals_the_unbroken_one(make, vector, quadratic):
    """Classic bug 36 for the optimizer: bits equal, schedules and step counts of single parameters included."""
    J = quadratic(6)

    def run(opt, p, start, stop):
        for k in range(start, stop):
            opt.zero_grad()
            p.backward(J.grad, but=("1.w",) if k in (2, 7) else ())
            opt.step()

    p = vector()
    opt = make(p)
    run(opt, p, 0, 6)
    with opt.at_theta():
        saved, theta = copy.deepcopy(opt.state_dict()), p.theta.copy()
    run(opt, p, 6, 12)

    q = vector()
    other = make(q)
    run(other, q, 0, 2)                                              # an optimizer already in use
    q.theta[...] = theta
    other.load_state_dict(saved)
    run(other, q, 6, 12)
    assert np.array_equal(p.theta, q.theta)
    assert other.k == 12


def test_the_state_is_flat_plain_and_copied(vector):
    opt = optim.Adam(vector(), lr=schedules.Linear(0.1, 0.01, 50), groups={"0.b": dict(lr=0.2)})
    opt.step(g=np.ones(6))
    state = opt.state_dict()
    assert {type(value) for value in state.values()} <= {str, int, float, np.ndarray}
    assert state["kind"] == "Adam" and state["k"] == 1 and state["hyper.lr"] == "Linear(0.1, 0.01, 50)"
    assert state["group.1.lr"] == 0.2
    state["state.s"][:] = 7
    assert not (opt.s == 7).any()


def test_loading_lists_every_mismatch_and_changes_nothing(vector):
    opt = optim.Adam(vector(), lr=0.1)
    opt.step(g=np.ones(6))
    before = opt.state_dict()
    wrong = opt.state_dict()
    del wrong["state.s"]
    wrong |= {"kind": "SGD", "k": -1, "state.r": np.zeros(5), "hyper.rho1": 2.0, "hyper.lr": "__import__('os')",
              "extra": 1}
    with pytest.raises(ValueError) as caught:
        opt.load_state_dict(wrong)
    for part in ("state.s is missing", "extra is not known", "kind is 'SGD', wanted 'Adam'", "k is -1, wanted a count",
                 "state.r is (5,) float64, wanted (6,) float64", "rho1 must be in [0, 1), got 2.0", "not a schedule"):
        assert part in str(caught.value)
    after = opt.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_a_state_of_another_dtype_or_other_groups_is_refused(vector):
    state = optim.Adam(vector(dtype=np.float32)).state_dict()
    with pytest.raises(ValueError, match=r"state.s is \(6,\) float32, wanted \(6,\) float64"):
        optim.Adam(vector()).load_state_dict(state)
    state = optim.SGD(vector(), lr=0.1).state_dict()
    with pytest.raises(ValueError, match="group.1.lr is missing"):
        optim.SGD(vector(), lr=0.1, groups={"0.w": dict(lr=1)}).load_state_dict(state)
    with pytest.raises(ValueError, match="cut differently|stops"):
        optim.SGD(vector(sizes={"a": 2, "b": 4}), lr=0.1).load_state_dict(state)


def test_a_schedule_of_ones_own_must_be_given_again(vector):
    mine = lambda k: 0.1 / k
    state = optim.SGD(vector(), lr=mine).state_dict()
    assert state["hyper.lr"] == "custom <lambda>"
    other = optim.SGD(vector(), lr=mine)
    other.load_state_dict(state)
    assert other.lr is mine
    with pytest.raises(ValueError, match="give the optimizer that function before loading"):
        optim.SGD(vector(), lr=0.1).load_state_dict(state)


def test_a_thawed_group_stays_thawed_and_wrong_counts_are_refused(vector):
    groups = {"0.w": dict(frozen=True)}
    opt, other = (optim.SGD(vector(), lr=0.1, groups=groups) for _ in range(2))
    opt.groups[1]["frozen"] = False
    other.load_state_dict(opt.state_dict())
    assert not other.groups[1]["frozen"]
    with pytest.raises(ValueError, match="counts are negative"):
        other.load_state_dict(opt.state_dict() | {"counts": np.array([-1, 0, 0])})
    with pytest.raises(ValueError, match="k is 'x', wanted a count; at_point is None, wanted a count"):
        other.load_state_dict(opt.state_dict() | {"k": "x", "at_point": None})


def test_an_optimizer_can_be_deep_copied(quadratic):
    theta = np.ones(4)
    opt = optim.Adam(theta, lr=0.1)
    opt.step(quadratic(4))
    twin = copy.deepcopy(opt)
    opt.step(quadratic(4))
    twin.step(quadratic(4))
    assert np.array_equal(twin.theta, theta) and twin.theta is not theta and twin.k == opt.k == 2
