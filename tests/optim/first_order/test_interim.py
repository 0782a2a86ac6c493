"""The interim point of Nesterov's methods: the two loops hand over to each other, and nothing else moves by it."""
import numpy as np
import pytest

from minigrad import losses, nn, optim, tensor, training
from minigrad.optim import schedules
from minigrad.testing import boxes

METHODS = {
    "Nesterov": (lambda p: optim.Nesterov(p, lr=0.05), lambda theta, grad: boxes.nesterov(theta, grad, lr=0.05)),
    "RMSPropNesterov": (lambda p: optim.RMSPropNesterov(p, lr=0.05),
                        lambda theta, grad: boxes.rmsprop_nesterov(theta, grad, lr=0.05)),
}
EVERY = pytest.mark.parametrize(("make", "box"), METHODS.values(), ids=METHODS)


def by_hand(opt, p, J):
    """One pass of the loop that every student knows, as `fit` writes it: zero_grad, forward and backward, step."""
    opt.zero_grad()
    p.backward(J.grad)
    opt.step()


@EVERY
@pytest.mark.parametrize("order", ["JJhh", "hhJJ", "JhJh", "hJhJ", "gJhg", "JaJhah", "hahhaJ"])
def test_the_loops_hand_over_in_any_order(make, box, order, vector, quadratic):
    """Oracle: the box, which knows one loop only."""
    p, J = vector(), quadratic(6)
    opt, wanted = make(p), box(p.theta.copy(), J.grad)
    for loop in order:
        if loop == "J":
            opt.step(J)
        elif loop == "g":
            opt.step(g=J.grad(opt.interim()))
        elif loop == "h":
            by_hand(opt, p, J)
        else:
            with opt.at_theta():                                 # a look at theta in between changes nothing
                continue
        with opt.at_theta() as theta:
            np.testing.assert_allclose(theta, next(wanted)["theta"], rtol=1e-14, atol=1e-15)


@EVERY
@pytest.mark.parametrize("how", ["assigned", "in place", "loaded"])
def test_a_velocity_of_ones_own_before_the_first_step_counts(make, box, how, vector, quadratic):
    """theta~ = theta + alpha v for the first step, too. Oracle: the loop with the objective."""
    J, p, q = quadratic(6), vector(), vector()
    opt, boxed = make(p), make(q.theta)
    v = np.linspace(-0.2, 0.3, 6)
    if how == "assigned":
        opt.v = boxed.v = v
    elif how == "in place":
        opt.v[...] = boxed.v[...] = v
    else:
        opt.load_state_dict(opt.state_dict() | {"state.v": v})
        boxed.v = v
    for _ in range(3):
        by_hand(opt, p, J)
        boxed.step(J)
    with opt.at_theta() as theta:
        np.testing.assert_allclose(theta, q.theta, rtol=1e-14)


@EVERY
def test_a_velocity_assigned_between_two_steps_moves_the_interim_point(make, box, vector, quadratic):
    J, p, q = quadratic(6), vector(), vector()
    opt, boxed = make(p), make(q.theta)
    for k in range(4):
        if k == 2:
            opt.v = boxed.v = np.linspace(-0.2, 0.3, 6)
        if k == 3:
            opt.v *= 0.5
            boxed.v *= 0.5
        by_hand(opt, p, J)
        boxed.step(J)
    with opt.at_theta() as theta:
        np.testing.assert_allclose(theta, q.theta, rtol=1e-14)


@EVERY
def test_a_gradient_that_was_taken_at_theta_is_refused(make, box, vector, quadratic):
    """Without zero_grad the optimizer cannot know that a loop by hand begins: one error, and nothing has changed."""
    p, J = vector(), quadratic(6)
    opt = make(p)
    opt.step(J)
    opt.step(J)
    theta, v = p.theta.copy(), opt.v.copy()
    p.backward(J.grad)
    with pytest.raises(ValueError, match=r"the gradient was taken at theta.*look_ahead\(\)"):
        opt.step()
    assert np.array_equal(p.theta, theta) and np.array_equal(opt.v, v) and opt.k == 2
    opt.look_ahead()
    p.backward(J.grad)
    opt.step()
    assert opt.k == 3


def test_after_fit_the_loop_by_hand_goes_on_at_the_interim_point():
    """S18 with a model: three steps of fit and three by hand are six by hand, to the bit."""
    def run(fitted):
        model = nn.Sequential(nn.Linear(3, 4, rng=1), nn.Tanh(), nn.Linear(4, 2, rng=2)).astype(np.float64)
        x, y = np.random.default_rng(0).standard_normal((8, 3)), np.arange(8) % 2
        opt = optim.Nesterov(model.parameters(), lr=0.3)
        if fitted:
            training.fit(model, losses.cross_entropy, opt, [(x, y)], steps=fitted, epochs=fitted, progress=False)
        for _ in range(6 - fitted):
            opt.zero_grad()
            losses.cross_entropy(model(x), y).backward()
            opt.step()
        with opt.at_theta() as theta:
            return theta.copy()
    assert np.array_equal(run(0), run(3)) and not np.array_equal(run(0), run(0) * 2)


def test_a_first_step_by_hand_does_not_move_the_parameters_before_the_backward():
    """v is 0: theta~ is theta. The graph may have been recorded before zero_grad, as many loops do."""
    model = nn.Linear(2, 1, rng=0)
    opt = optim.Nesterov(model.parameters(), lr=0.1)
    for _ in range(3):
        loss = losses.mean_squared_error(model(np.ones((4, 2), np.float32)), np.zeros((4, 1), np.float32))
        opt.zero_grad()
        loss.backward()
        opt.step()
    assert opt.k == 3


# ---- frozen parameters

@EVERY
@pytest.mark.parametrize("frozen", ["before", "between", "group"])
def test_what_is_frozen_keeps_its_bits_through_every_step(make, box, frozen):
    """Frozen before the first step, or between two when the parameters are at the interim point: no step moves it,
    neither where it is seen between the steps nor at theta."""
    model = nn.Sequential(nn.Linear(3, 3, rng=1), nn.Tanh(), nn.Linear(3, 1, rng=2)).astype(np.float64)
    x, y = np.random.default_rng(0).standard_normal((8, 3)), np.ones((8, 1))
    opt = make(model.parameters())

    def step():
        opt.zero_grad()
        losses.mean_squared_error(model(x), y).backward()
        opt.step()

    def bits():
        return model[0].w.data.tobytes()
    if frozen == "before":
        model[0].freeze()
    if frozen == "group":
        opt = optim.Nesterov(model.parameters(), lr=0.05, groups={"0.*": dict(lr=0.1)})
    for _ in range(3):
        step()
    if frozen == "between":
        model[0].freeze()
    if frozen == "group":
        opt.groups[1]["frozen"] = True
    kept, other = bits(), model[2].w.data.copy()
    for _ in range(3):
        step()
        assert bits() == kept
        with opt.at_theta():
            assert bits() == kept
        assert bits() == kept
    assert not np.array_equal(model[2].w.data, other)


@EVERY
def test_what_is_frozen_at_the_interim_point_has_its_theta_there_at_once(make, box):
    """Also if what comes next is no step: a look at theta, as before a model is saved."""
    a, b = (tensor(np.ones(2), requires_grad=True) for _ in range(2))
    opt = make([a, b])
    for _ in range(3):
        opt.zero_grad()
        (a @ a + b @ b).backward()
        opt.step()
    a.requires_grad = False
    there, free = a.data.copy(), b.data.copy()
    with opt.at_theta():
        assert np.array_equal(a.data, there) and not np.array_equal(b.data, free)
    assert np.array_equal(a.data, there) and np.array_equal(b.data, free)


@EVERY
def test_what_is_thawed_looks_ahead_again(make, box):
    """Frozen for two steps, then free: its next gradient is taken at theta + alpha v. Oracle: the loop on J."""
    from minigrad import Objective

    def run(hand):
        model = nn.Sequential(nn.Linear(3, 3, rng=1), nn.Tanh(), nn.Linear(3, 1, rng=2)).astype(np.float64)
        x, y = np.random.default_rng(0).standard_normal((8, 3)), np.ones((8, 1))
        J = Objective(model, losses.mean_squared_error, x, y)
        opt = make(model.parameters())
        for k in range(8):
            if k in (3, 5):
                with opt.at_theta():
                    model[0].freeze(k == 3)
            if hand:
                opt.zero_grad()
                losses.mean_squared_error(model(x), y).backward()
                opt.step()
            else:
                opt.step(J)
        with opt.at_theta() as theta:
            return theta.copy()
    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


# ---- errors

class Fails(optim.Nesterov):
    """Its third update raises when half of it is done."""
    def update(self, g):
        super().update(g)
        if self.k == 3:
            raise RuntimeError("half way")


@pytest.mark.parametrize("fault", ["update", "schedule", "inside at_theta"])
def test_a_step_that_raises_on_the_way_leaves_the_parameters_at_theta(fault, vector, quadratic):
    """Not at the interim point, nor at the one of another velocity: what is saved now is theta."""
    J, p = quadratic(6), vector()
    momentum = schedules.Constant(0.8) if fault != "schedule" else lambda k: 0.8 if k < 4 else 1 / 0
    opt = (Fails if fault == "update" else optim.Nesterov)(p, lr=0.05, momentum=momentum)
    by_hand(opt, p, J)
    by_hand(opt, p, J)
    if fault == "inside at_theta":
        with pytest.raises(KeyError), opt.at_theta():            # the first error, not that of the way back
            opt.momentum = lambda k: 1 / 0
            raise KeyError
    else:
        with pytest.raises((RuntimeError, ZeroDivisionError)):
            by_hand(opt, p, J)
    home, opt.momentum = p.theta.copy(), 0.8
    with opt.at_theta() as theta:
        assert np.array_equal(theta, home)
    assert opt.k == (3 if fault == "schedule" else 2)
    opt.look_ahead()
    np.testing.assert_array_equal(p.theta, home + 0.8 * opt.v)


def test_a_point_of_ones_own_runs_as_written(vector, quadratic):
    class Mine(optim.Nesterov):
        def point(self):
            assert len(self.theta) == len(self.v)
            return self.theta + self.momentum * self.v
    J, p, q = quadratic(6), vector(), vector()
    mine, ours = Mine(p, lr=0.05, groups={"0.b": dict(momentum=0.5)}), \
        optim.Nesterov(q, lr=0.05, groups={"0.b": dict(momentum=0.5)})
    for _ in range(5):
        by_hand(mine, p, J)
        by_hand(ours, q, J)
    assert np.array_equal(p.theta, q.theta)


@pytest.mark.parametrize("i", [0, 3, 5])
def test_one_element_changed_at_the_interim_point_is_seen(i, vector, quadratic):
    p, J = vector(), quadratic(6)
    opt = optim.Nesterov(p, lr=0.05)
    by_hand(opt, p, J)
    p.theta[i] += 1
    with pytest.raises(ValueError, match="were changed there"):
        opt.step()


def test_whoever_watches_theta_is_told_of_every_way_there_and_back(vector, quadratic):
    """changed() invalidates graphs that were recorded before: home, ahead again, and a new momentum."""
    p, J = vector(), quadratic(6)
    opt = optim.Nesterov(p, lr=0.05)
    by_hand(opt, p, J)
    seen = [p.changes]
    for move in (opt.return_to_theta, opt.look_ahead, lambda: setattr(opt, "momentum", 0.5)):
        move()
        seen.append(p.changes)
    assert seen == sorted(set(seen))
    opt.return_to_theta()
    opt.return_to_theta()
    assert p.changes == seen[-1] + 1
