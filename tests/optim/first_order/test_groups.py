"""Groups: rates of their own, decay on weights only, frozen slices; by name, by slice, by sub-module."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules

METHODS = [optim.SGD, optim.Nesterov, optim.Adam, optim.RMSPropNesterov, optim.Rprop, optim.AdamW]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_groups_equal_one_optimizer_per_group(method, vector, quadratic):
    J, p = quadratic(6), vector()
    opt = method(p, lr=0.05, groups={"0.*": dict(lr=0.02, weight_decay=0.1)})
    first, second = vector(p.theta[:5].copy(), {"a": 5}), vector(p.theta[5:].copy(), {"b": 1})
    options = dict(weight_decay=opt.weight_decay)
    one, two = method(first, lr=0.02, weight_decay=0.1), method(second, lr=0.05, **options)
    for _ in range(15):
        p.backward(J.grad)
        first.g[:], second.g[:] = p.g[:5], p.g[5:]
        first.unwritten.clear()
        second.unwritten.clear()
        opt.step()
        one.step()
        two.step()
        assert np.array_equal(p.theta, np.concatenate([first.theta, second.theta]))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_frozen_slice_keeps_its_bits_in_both_loops(method, vector, quadratic):
    J, p, theta = quadratic(6), vector(), vector().theta
    start = p.theta.copy()
    groups = [dict(params=["0.b", "1.w"], frozen=True)]
    looped = method(p, lr=0.05, weight_decay=0.1, groups=groups)
    boxed = method(theta, lr=0.05, weight_decay=0.1, groups=[dict(params=slice(3, 6), frozen=True)])
    for _ in range(10):
        p.backward(J.grad)
        looped.step()
        boxed.step(J)
        assert np.array_equal(p.theta[3:], start[3:]) and np.array_equal(theta[3:], start[3:])
    with looped.at_theta():
        assert np.array_equal(p.theta, theta)
    assert not np.array_equal(p.theta[:3], start[:3])


def test_thawing_and_changing_a_group_mid_run(vector, quadratic):
    J, p = quadratic(6), vector()
    opt = optim.SGD(p, lr=0.1, groups={"1.w": dict(frozen=True, lr=0.01)})
    p.backward(J.grad)
    opt.step()
    assert opt.groups[1]["frozen"] and opt.groups[1]["lr"] == 0.01
    opt.groups[1]["frozen"] = False
    opt.groups[1]["lr"] = 0.2
    p.backward(J.grad)
    wanted = p.theta[5] - 0.2 * p.g[5]
    opt.step()
    assert p.theta[5] == wanted


def test_a_new_rate_of_the_optimizer_leaves_the_groups_own(vector):
    p = vector()
    opt = optim.SGD(p, lr=0.1, groups={"0.w": dict(lr=0.01), "0.b": dict(weight_decay=0)})
    opt.lr = 1.0
    before = p.theta.copy()
    opt.step(g=np.ones(6))
    np.testing.assert_allclose(before - p.theta, [0.01] * 3 + [1.0] * 3)


def test_a_group_may_have_a_schedule(vector):
    p = vector()
    opt = optim.SGD(p, lr=0.1, groups={"0.w": dict(lr=schedules.Inverse(1.0))})
    for k in (1, 2, 3):
        before = p.theta.copy()
        opt.step(g=np.ones(6))
        np.testing.assert_allclose(before - p.theta, [1 / k] * 3 + [0.1] * 3)


def test_a_sub_modules_parameters_are_a_group(vector):
    p = vector()
    part = vector(p.theta[3:5], {"b": 2})
    opt = optim.SGD(p, lr=0.1, groups=[dict(params=part, lr=1.0)])
    before = p.theta.copy()
    opt.step(g=np.ones(6))
    np.testing.assert_allclose(before - p.theta, [0.1] * 3 + [1.0] * 2 + [0.1])


def test_a_slice_may_cut_a_parameter(vector, quadratic):
    J, p = quadratic(6), vector()
    opt = optim.Adam(p, lr=0.1, groups=[dict(params=slice(1, 4), lr=0.0)])
    start = p.theta.copy()
    p.backward(J.grad, but=("0.b",))
    opt.step()
    assert np.array_equal(p.theta != start, [True, False, False, False, False, True])


@pytest.mark.parametrize(("groups", "message"), [
    ({"2.*": dict(lr=1)}, r"group '2.\*' matches no parameter; there are 0.w, 0.b, 1.w"),
    ({"0.*": dict(lr=1), "*.w": dict(lr=2)}, "element 0 of theta is in two groups, '0.*' and '*.w'"),
    ({"0.*": dict(rate=1)}, "no hyperparameter 'rate'; there are lr, weight_decay, frozen"),
    ({"0.*": dict(lr=-1)}, r"lr must be in \[0, inf\), got -1"),
    ([dict(params=slice(4, 9), lr=1)], r"must lie in \(0, 6\).*slice\(4, 9, None\)"),
    ([dict(params=slice(2, 2), lr=1)], "not be empty"),
    ([dict(params=slice(0, 6, 2), lr=1)], "have step 1"),
    ([dict(params=np.ones(3), lr=1)], "not part of the optimizer's theta"),
    ([dict(params=7, lr=1)], "name pattern, a slice.*got int"),
    ([dict(params=[], lr=1)], "name pattern, a slice.*got list"),
    ([dict(lr=1)], r"a group is dict\(params=..., lr=...\)"),
    ([dict(params=["0.w", slice(2, 4)], lr=1)], "element 2 of theta is in two groups"),
], ids=str)
def test_a_wrong_group_is_refused(groups, message, vector):
    with pytest.raises(ValueError, match=message.replace("'*.w'", r"'\*.w'").replace("'0.*'", r"'0.\*'")
                       if "two groups, " in message else message):
        optim.SGD(vector(), lr=0.1, groups=groups)


@pytest.mark.parametrize("method", [optim.Adam, optim.Nesterov, optim.AdaMax], ids=lambda method: method.__name__)
@pytest.mark.parametrize("seed", range(8))
def test_any_cut_equals_separate_optimizers(method, seed, vector):
    """Random slices, random groups over them, random parameters without a gradient: as if each element were alone."""
    rng = np.random.default_rng(seed)
    sizes = {f"p{i}": int(rng.integers(1, 5)) for i in range(int(rng.integers(2, 9)))}
    n = sum(sizes.values())
    theta = rng.standard_normal(n)
    cuts = np.sort(rng.choice(np.arange(n + 1), size=min(4, n + 1), replace=False))
    groups = [dict(params=slice(int(a), int(b)), lr=float(rng.uniform(0.01, 0.2)), frozen=bool(rng.random() < 0.3))
              for a, b in zip(cuts[::2], cuts[1::2]) if a < b]
    p = vector(theta.copy(), sizes)
    opt = method(p, lr=0.05, groups=groups)
    rates, frozen = np.full(n, 0.05), np.zeros(n, dtype=bool)
    for group in groups:
        rates[group["params"]], frozen[group["params"]] = group["lr"], group["frozen"]
    alone = [vector(theta[i:i + 1].copy(), {"x": 1}) for i in range(n)]
    opts = [method(one, lr=rate) for one, rate in zip(alone, rates)]
    for _ in range(12):
        but = tuple(name for name in sizes if rng.random() < 0.3)
        if len(but) == len(sizes):
            continue
        g = rng.standard_normal(n)
        p.zero_grad()
        p.backward(lambda at, g=g: g, but)
        skipped = np.concatenate([np.full(size, name in but) for name, size in sizes.items()]) | frozen
        if skipped.all():
            continue
        opt.step()
        for i in np.flatnonzero(~skipped):
            alone[i].g[:] = g[i]
            alone[i].unwritten.clear()
            opts[i].step()
        with opt.at_theta():
            for i, one in enumerate(alone):
                with opts[i].at_theta():
                    assert p.theta[i] == one.theta[0]


def test_group_0_is_the_rest_and_assigns_the_optimizers_own(vector):
    opt = optim.SGD(vector(), lr=0.1, groups={"0.b": dict(lr=0.5)})
    opt.groups[0]["lr"] = 0.2
    assert (opt.lr, opt.groups[0]["lr"], opt.groups[1]["lr"]) == (0.2, 0.2, 0.5)
    with pytest.raises(ValueError, match="lr must be in"):
        opt.groups[0]["lr"] = -1


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (4, 6), (0, 6), (3, 4)])
def test_a_part_of_theta_names_itself_also_at_either_end(start, stop):
    theta = np.zeros(6)
    optim.SGD(theta, lr=1.0, groups=[dict(params=theta[start:stop], lr=2.0)]).step(g=np.ones(6))
    assert list(np.flatnonzero(theta == -2)) == list(range(start, stop))


@pytest.mark.parametrize("part", [lambda whole: whole[1:4], lambda whole: whole[6:9], lambda whole: whole[:2],
                                  lambda whole: whole[8:],
                                  lambda whole: whole.view(np.uint8)[28:44].view(np.float64)],
                         ids=["begins before", "ends behind", "before", "behind", "between two elements"])
def test_what_reaches_beyond_theta_is_no_part(part):
    """theta lies inside of a larger array, of which the group is a part, too."""
    whole = np.zeros(10)
    with pytest.raises(ValueError, match="not part of the optimizer's theta"):
        optim.SGD(whole[2:8], lr=1.0, groups=[dict(params=part(whole), lr=2.0)])


def test_every_second_element_is_no_part():
    """It shares theta's memory, but a group is intervals: these would be the first three elements."""
    theta = np.zeros(6)
    with pytest.raises(ValueError, match="not part of the optimizer's theta"):
        optim.SGD(theta, lr=1.0, groups=[dict(params=theta[::2], lr=2.0)])


def test_a_group_says_what_it_is(vector):
    opt = optim.SGD(vector(), lr=0.1, groups={"0.b": dict(lr=0.5, frozen=True)})
    assert repr(opt.groups[1]) == "Group(label=\"'0.b'\", own={'lr': 0.5}, frozen=True)"


@pytest.mark.parametrize("groups", [None, {"1.w": dict(lr=0.5)}])
def test_the_rest_may_be_frozen_and_that_is_saved(groups, vector):
    p = vector()
    opt, before = optim.Momentum(p, lr=0.1, groups=groups), p.theta.copy()
    opt.groups[0]["frozen"] = True
    if groups:
        opt.step(g=np.ones_like(before))
        moved = p.slices["1.w"]
        assert (p.theta[moved] != before[moved]).all()
        before[moved] = p.theta[moved]
    else:
        with pytest.raises(ValueError, match="no parameter has a gradient"):
            opt.step(g=np.ones_like(before))
    np.testing.assert_array_equal(p.theta, before)
    saved, other = opt.state_dict(), optim.Momentum(vector(), lr=0.1, groups=groups)
    other.load_state_dict(saved)
    assert other.groups[0]["frozen"]
    with pytest.raises(ValueError, match="k is missing"):
        other.load_state_dict({"frozen.0": 1})
    del saved["frozen.0"]                                       # as of one that is not frozen
    with pytest.raises(ValueError, match="k is missing"):
        other.load_state_dict({})
    assert other.groups[0]["frozen"]
    other.load_state_dict(saved)
    assert not other.groups[0]["frozen"]
