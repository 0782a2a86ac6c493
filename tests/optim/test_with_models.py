"""Optimizers on real models: both loops, groups by name, frozen layers, a layout made anew, resuming."""
import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, optim
from minigrad.optim import schedules

METHODS = [optim.SGD, optim.Momentum, optim.Nesterov, optim.AdaGrad, optim.RMSProp, optim.RMSPropNesterov, optim.Adam,
           optim.AdaMax, optim.AdamW, optim.AdaDelta, optim.Rprop, optim.RpropMinus, optim.DeltaBarDelta,
           optim.AMSGrad, optim.NAdam, optim.RAdam, optim.Lion, optim.Muon, optim.ScheduleFree]
RATE = schedules.Inverse(0.05, 10)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((24, 5)).astype(np.float32), rng.integers(0, 3, 24)


def model():
    mg.seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def loop(net, opt, data, steps):
    for _ in range(steps):
        loss = losses.cross_entropy(net(data[0]), data[1])
        opt.zero_grad()
        loss.backward()
        opt.step()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_the_students_loop_and_the_books_loop_give_the_same_theta(method, data):
    one, two = model(), model()
    a, b = method(one.parameters(), lr=RATE, weight_decay=0.01), method(two.parameters(), lr=RATE, weight_decay=0.01)
    loop(one, a, data, 15)
    J = mg.Objective(two, losses.cross_entropy, *data)
    for _ in range(15):
        b.step(J)
    with a.at_theta() as theta:
        assert np.array_equal(theta, two.parameters().theta)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_what_a_step_reads_and_writes_begins_with_cache_lines(method):
    nets = [model() for _ in range(8)]
    for net in [*nets, copy.deepcopy(nets[0]), model().astype(np.float64)]:
        opt = method(net.parameters(), lr=0.1)
        vectors = [opt.params.theta, opt.params.g, *(getattr(opt, name) for name in opt.state)]
        assert [v.ctypes.data % 64 for v in vectors] == [0] * len(vectors)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_frozen_layer_keeps_its_bits_in_both_loops(method, data):
    for how in ("requires_grad", "group"):
        one, two, nets = model(), model(), []
        for net in (one, two):
            if how == "requires_grad":
                for p in net[0].parameters():
                    p.requires_grad = False
                nets.append(method(net.parameters(), lr=RATE, weight_decay=0.01))
            else:
                nets.append(method(net.parameters(), lr=RATE, weight_decay=0.01, groups={"0.*": dict(frozen=True)}))
        start = model().parameters().theta.copy()
        loop(one, nets[0], data, 8)
        J = mg.Objective(two, losses.cross_entropy, *data)
        for _ in range(8):
            nets[1].step(J)
        with nets[0].at_theta() as theta:
            frozen = slice(0, one.parameters().slices["0.b"].stop)
            assert np.array_equal(theta[frozen], start[frozen])
            assert np.array_equal(theta, two.parameters().theta)
            assert not np.array_equal(theta, start)


def test_decay_on_weights_only(data):
    net = model()
    opt = optim.SGD(net.parameters(), lr=0.1, groups={"*.w": dict(weight_decay=0.5)})
    loss = losses.cross_entropy(net(data[0]), data[1])
    loss.backward()
    p, before, g = net.parameters(), net.parameters().theta.copy(), net.parameters().g.copy()
    opt.step()
    for name, part in p.slices.items():
        decay = 0.5 if name.endswith(".w") else 0.0
        np.testing.assert_allclose(p.theta[part], before[part] - 0.1 * (g[part] + decay * before[part]), rtol=1e-5,
                                   atol=1e-7)


def test_a_sub_modules_parameters_are_a_group(data):
    net = model()
    named = optim.SGD(net.parameters(), lr=0.1, groups={"2.*": dict(lr=0.01)})
    by_module = optim.SGD(net.parameters(), lr=0.1, groups=[dict(params=net[2].parameters(), lr=0.01)])
    assert named.groups[1].intervals[0][0] == by_module.groups[1].intervals[0][0]
    assert named.groups[1].intervals[-1][1] == by_module.groups[1].intervals[-1][1]


def test_an_optimizer_made_before_a_larger_model_took_its_parameters_in(data):
    one, two = model(), model()
    stayed, moved = optim.Nesterov(one.parameters(), lr=RATE), optim.Nesterov(two.parameters(), lr=RATE)
    loop(one, stayed, data, 5)
    loop(two, moved, data, 5)
    larger = nn.Sequential(nn.Linear(2, 2), two)
    larger.parameters()
    loop(one, stayed, data, 5)
    loop(two, moved, data, 5)
    assert np.array_equal(one.parameters().theta, two.parameters().theta)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_resuming_equals_the_unbroken_run(method, data):
    net = model()
    opt = method(net.parameters(), lr=RATE)
    loop(net, opt, data, 6)
    with opt.at_theta() as theta:
        saved, at = opt.state_dict(), theta.copy()
    loop(net, opt, data, 6)
    other = model()
    again = method(other.parameters(), lr=0.3)
    other.parameters().theta[...] = at
    other.parameters().changed()
    again.load_state_dict(saved)
    loop(other, again, data, 6)
    assert np.array_equal(net.parameters().theta, other.parameters().theta)


def test_clipping_acts_on_what_the_step_uses(data):
    net = model()
    opt = optim.SGD(net.parameters(), lr=1.0)
    (losses.cross_entropy(net(data[0]), data[1]) * 1000).backward()
    assert optim.clip_grad_norm(net.parameters(), 0.5) > 0.5
    before = net.parameters().theta.copy()
    opt.step()
    assert np.linalg.norm(net.parameters().theta - before) == pytest.approx(0.5, rel=1e-4)


def test_a_graph_recorded_before_a_step_may_not_be_used_after_it(data):
    net = model()
    opt = optim.SGD(net.parameters(), lr=0.1)
    first, second = (losses.cross_entropy(net(data[0]), data[1]) for _ in range(2))
    first.backward()
    opt.step()
    with pytest.raises(RuntimeError, match="an optimizer's step"):
        second.backward()


def in_a_larger_model(net):
    """Lay the parameters out anew: theta of `net` is now a part of a larger vector."""
    return nn.Sequential(net, nn.Linear(3, 2, rng=0)).parameters()


class Anew:
    """An objective that lays the model out anew in the middle of every evaluation."""

    def __init__(self, net, data):
        def loss(y, labels):
            in_a_larger_model(net)
            return losses.cross_entropy(y, labels)

        self.J, self.net = mg.Objective(net, loss, *data), net

    def __getattr__(self, name):
        def anew(*args):
            result = getattr(self.J, name)(*args)
            in_a_larger_model(self.net)
            return result
        return anew


@pytest.mark.parametrize("make", [
    *(lambda p, method=method: method(p, lr=0.05, weight_decay=0.01) for method in METHODS),
    lambda p: optim.PRONG(p, lr=0.05, momentum=0.5), optim.LBFGS, optim.ConjugateGradient, optim.HessianFree,
    optim.ScaledConjugateGradient, optim.TrustRegion, optim.KrylovSaddleFree, optim.NewtonCG,
])
def test_a_step_is_made_where_the_parameters_are_after_the_evaluation(make, data):
    """If J lays the model out anew, the step must not go to the vector that theta was before."""
    plain, moved = model(), model()
    a, b = make(plain.parameters()), make(moved.parameters())
    J, K = mg.Objective(plain, losses.cross_entropy, *data), Anew(moved, data)
    before = moved.parameters().theta.copy()
    for _ in range(3):
        assert float(a.step(J)) == float(b.step(K))
        now = np.concatenate([p.data.ravel() for p in moved.parameters()])
        assert not np.array_equal(now, before)
        np.testing.assert_array_equal(now, plain.parameters().theta)
        before = now
