"""What came after the book: what its boxes and the libraries' trajectories (test_boxes, test_oracles) do not say."""
import numpy as np
import pytest

from minigrad import Objective, losses, nn, optim, tensor, training
from minigrad.optim import schedules
from minigrad.testing import boxes

WIDTHS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Matrices:
    """Parameters with shapes, as model.parameters() has them."""

    def __init__(self, dtype=float, **shapes):
        self.shapes, self.slices, n = shapes, {}, 0
        for name, shape in shapes.items():
            self.slices[name] = slice(n, n := n + int(np.prod(shape)))
        self.theta = np.random.default_rng(0).standard_normal(n).astype(dtype)
        self.g, self.unwritten, self.frozen = np.zeros_like(self.theta), set(), set()

    def zero_grad(self):
        pass

    def changed(self):
        pass


def gradients(p, steps, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((steps, len(p.theta))).astype(p.theta.dtype)


# ---- AMSGrad, NAdam, RAdam

def test_amsgrad_reaches_the_minimum_that_adam_leaves():
    """The example of Reddi et al.: gradient 1010 once in 101 steps, -10 otherwise, theta in [-1, 1]; minimum -1."""
    ends = {}
    for kind in (optim.Adam, optim.AMSGrad):
        theta = np.zeros(1)
        opt = kind(theta, lr=lambda k: 0.5 / k**0.5, rho1=0.9, rho2=0.99)
        for k in range(20_000):
            opt.step(g=np.array([1010.0 if k % 101 == 0 else -10.0]))
            theta.clip(-1, 1, out=theta)
        ends[kind] = theta[0]
    assert ends[optim.Adam] > 0.9 and ends[optim.AMSGrad] < 0


def test_optax_takes_the_maximum_elsewhere():
    """As docs/optimizers.md says: of the corrected r. The same text with that line is optax' trajectory."""
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")

    class OfTheCorrected(optim.AMSGrad):
        def update(self, g):
            self.s = self.rho1 * self.s + (1 - self.rho1) * g
            self.r = self.rho2 * self.r + (1 - self.rho2) * g * g
            self.highest = np.maximum(self.highest, self.r / (1 - self.rho2 ** self.t))
            s_hat = self.s / (1 - self.rho1 ** self.t)
            self.theta = self.theta - self.lr * s_hat / (np.sqrt(self.highest) + self.delta)
    g = np.random.default_rng(0).standard_normal((30, 4))
    mine, other, ours = np.zeros(4), np.zeros(4), np.zeros(4)
    opt, text = optim.AMSGrad(ours, lr=0.05), OfTheCorrected(mine, lr=0.05)
    with jax.enable_x64(True):
        rule = optax.amsgrad(0.05)
        kept, other = rule.init(jax.numpy.array(other)), jax.numpy.array(other)
        for each in g:
            step, kept = rule.update(jax.numpy.array(each), kept, other)
            other = other + step
            text.step(g=each)
            opt.step(g=each)
    np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)
    assert np.abs(ours - mine).max() > 1e-2


def test_radam_begins_without_r():
    """With rho2 = 0.999 five steps of SGD with momentum, corrected; then the rates are Adam's, scaled up to them."""
    theta = np.zeros(2)
    opt, sizes = optim.RAdam(theta, lr=1.0), []
    for _ in range(5000):
        before = theta.copy()
        opt.step(g=np.array([1.0, 1000.0]))
        sizes.append(before - theta)
    np.testing.assert_allclose(sizes[:5], np.tile([1.0, 1000.0], (5, 1)), rtol=1e-12)
    assert 0 < sizes[5][0] < 0.05 and sizes[5][0] == pytest.approx(sizes[5][1], rel=1e-6)
    assert 0.9 < sizes[-1][0] < 1


# ---- Muon and the matrices of theta

@WIDTHS
@pytest.mark.parametrize("shape", [(4, 4), (30, 7), (7, 30), (1, 5), (5, 1)])
def test_orthogonal_keeps_the_singular_vectors_and_evens_the_values(shape, dtype):
    rng = np.random.default_rng(0)
    M = rng.standard_normal(shape).astype(dtype)
    M *= 10 / np.linalg.svd(M, compute_uv=False).max()
    found = optim.orthogonal(M)
    U, S, V = np.linalg.svd(M.astype(float), full_matrices=False)
    inside = U.T @ found @ V.T                                        # diagonal, if U and V are those of M
    assert found.dtype == dtype and found.shape == shape
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-5 if dtype == np.float32 else 1e-12)
    sure = np.diag(inside)[np.linalg.norm(S) * 0.01 < S]
    assert len(sure) >= 1 and sure.min() > 0.67 and sure.max() < 1.15
    np.testing.assert_allclose(found, optim.orthogonal(3 * M), atol=1e-5)


def test_the_bounds_of_orthogonal_are_those_of_its_text():
    """The quintic, five times over, for every singular value from 0.01 to 1; smaller ones grow."""
    values = np.linspace(0.01, 1, 2000)
    x = values.copy()
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    assert 0.68 < x.min() < 0.69 and 1.13 < x.max() < 1.14
    small = np.array([1e-12, 1e-6, 1e-4])
    grown = np.diag(optim.orthogonal(np.diag([1.0, *small])))[1:]
    np.testing.assert_allclose(grown[:2] / small[:2], 3.4445**5, rtol=1e-3)


def test_orthogonal_of_zero_is_zero():
    assert not optim.orthogonal(np.zeros((3, 2))).any()


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (2, 2, 3)])
def test_muon_equals_its_box_on_a_matrix(shape):
    """A conv weight, too: its last axis are the columns."""
    p = Matrices(w=shape)
    columns = shape[-1]
    g = gradients(p, 20)
    opt = optim.Muon(p, lr=schedules.Inverse(0.1, 5), weight_decay=0.3)
    given = iter(g)
    box = boxes.muon(p.theta.copy(), lambda theta: next(given), lr=schedules.Inverse(0.1, 5), weight_decay=0.3,
                     shape=(p.theta.size // columns, columns))
    for each, wanted in zip(g, box):
        opt.step(g=each)
        np.testing.assert_allclose(p.theta, wanted["theta"], rtol=0, atol=1e-12)
        np.testing.assert_allclose(opt.s, wanted["s"], rtol=0, atol=1e-12)


@WIDTHS
def test_muon_equals_pytorch_to_its_half_precision(dtype):
    """PyTorch iterates in bfloat16 (8 bits), and its matrices are (out, in)."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no Muon")
    p = Matrices(dtype, a=(6, 4), b=(3, 8))
    w = [torch.nn.Parameter(torch.tensor(p.theta[p.slices[name]].reshape(shape).T.copy()))
         for name, shape in p.shapes.items()]
    opt = optim.Muon(p, lr=0.05, weight_decay=0.1)
    other = torch.optim.Muon(w, lr=0.05, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    start, steps = p.theta.copy(), 10
    for g in gradients(p, steps):
        opt.step(g=g)
        for part, each in zip(w, p.shapes):
            part.grad = torch.tensor(g[p.slices[each]].reshape(p.shapes[each]).T.copy())
        other.step()
    wanted = np.concatenate([part.detach().numpy().T.reshape(-1) for part in w])
    far = np.abs(wanted - start).max()
    np.testing.assert_allclose(p.theta, wanted, rtol=0, atol=0.02 * far)


def test_muon_equals_optax_in_its_first_step_and_on_vectors():
    """Its Nesterov momentum is another (both parts corrected; that of vectors too): without, the first step is ours."""
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    p = Matrices(a=(6, 4), b=(4,), c=(3, 8))
    opt, g = optim.Muon(p, lr=0.05, weight_decay=0.1), gradients(p, 5)
    with jax.enable_x64(True):
        cut = lambda v: {name: jax.numpy.array(v[part].reshape(p.shapes[name])) for name, part in p.slices.items()}
        rule = optax.contrib.muon(0.05, weight_decay=0.1, consistent_rms=0.2, adam_weight_decay=0.1, nesterov=False)
        theta = cut(p.theta)
        kept = rule.init(theta)
        for k, each in enumerate(g):
            step, kept = rule.update(cut(each), kept, theta)
            theta = jax.tree.map(lambda a, b: a + b, theta, step)
            opt.step(g=each)
            for name in p.shapes if k == 0 else "b":
                wanted = np.asarray(theta[name]).reshape(-1)
                np.testing.assert_allclose(p.theta[p.slices[name]], wanted, rtol=0, atol=1e-8)


def test_muon_moves_a_matrix_whole_whatever_lies_beside_it():
    """Groups, a frozen matrix and a skipped one change nothing for the others; a group may not cut a matrix."""
    p, alone = Matrices(a=(3, 4), b=(4,), c=(4, 2), d=(2, 2)), Matrices(c=(4, 2))
    alone.theta[...] = p.theta[p.slices["c"]]
    frozen = p.theta[p.slices["d"]].copy()
    opt = optim.Muon(p, lr=0.05, groups={"c": dict(lr=0.02, momentum=0.8), "d": dict(frozen=True)})
    other = optim.Muon(alone, lr=0.02, momentum=0.8)
    for k, g in enumerate(gradients(p, 6)):
        p.frozen = {"c"} if k == 2 else set()
        opt.step(g=g)
        if k != 2:
            other.step(g=np.ascontiguousarray(g[p.slices["c"]]))
    assert np.array_equal(p.theta[p.slices["c"]], alone.theta)
    assert np.array_equal(p.theta[p.slices["d"]], frozen)
    with pytest.raises(ValueError, match=r"Muon: a group cuts a \(3, 4\) at element 5"):
        optim.Muon(p, groups=[dict(params=slice(5, 9), lr=0.1)])
    optim.Muon(p, groups=[dict(params=slice(13, 15), lr=0.1)])                           # a vector may be cut


def test_the_matrices_of_a_model_are_live_views():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.Linear(8, 5, rng=0))
    params = model.parameters()
    found = optim.matrices(params)
    assert {name: view.shape for name, view in found.items()} == {"0.w": (9, 2), "1.w": (8, 5)}
    found["1.w"][...] = 7
    params.changed()
    assert (model[1].w.data == 7).all()
    assert optim.matrices(np.zeros(3)) == {}


def test_a_method_of_your_own_may_ask_for_one_parameter_at_a_time():
    shapes = []

    class Shapes(optim.FirstOrder):
        by_parameter = True

        def update(self, g):
            shapes.append((self.shape, g.reshape(self.shape).shape))
    Shapes(Matrices(a=(3, 4), b=(4,), c=(2, 2, 3))).step(g=np.zeros(28))
    assert shapes == [((3, 4), (3, 4)), ((4,), (4,)), ((2, 2, 3), (2, 2, 3))]


def small_run(make):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 5)).astype(np.float32)
    y = x[:, :3].argmax(1)
    model = nn.Sequential(nn.Linear(5, 8, rng=1), nn.Tanh(), nn.Linear(8, 3, rng=2))
    J, batches = Objective(model, losses.cross_entropy, x, y), [(x[:20], y[:20]), (x[20:], y[20:])]
    return model, make(model.parameters()), J, batches


# ---- SAM

@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sam_equals_optax(momentum):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    A, b, theta = np.array([0.1, 1.0, 5.0]), np.array([1.0, -1.0, 0.5]), np.array([2.0, -1.0, 0.3])

    class J:
        value = staticmethod(lambda theta: float(theta @ (A * theta) / 2 + np.sin(theta).sum()))
        grad = staticmethod(lambda theta: A * theta + np.cos(theta) - b)
    opt = optim.SAM(theta, lr=0.05, momentum=momentum, radius=0.1)
    with jax.enable_x64(True):
        rule = optax.contrib.sam(optax.sgd(0.05, momentum=momentum),
                                 optax.chain(optax.contrib.normalize(), optax.sgd(0.1)), sync_period=2)
        other = jax.numpy.array(theta)
        kept = rule.init(other)
        for _ in range(30):
            for _ in range(2):
                step, kept = rule.update(jax.numpy.array(J.grad(np.array(other))), kept, other)
                other = other + step
            opt.step(J)
            np.testing.assert_allclose(theta, other, rtol=0, atol=1e-10)


def test_sam_with_no_radius_is_momentum_and_step_says_the_value_at_theta():
    class J:
        value = staticmethod(lambda theta: float(theta @ theta / 2))
        grad = staticmethod(lambda theta: theta.copy())
    one, two = np.array([3.0, -4.0]), np.array([3.0, -4.0])
    first, second = optim.SAM(one, lr=0.1, radius=0), optim.Momentum(two, lr=0.1)
    for _ in range(5):
        assert first.step(J) == second.step(J)
        assert np.array_equal(one, two)
    theta = np.array([3.0, -4.0])
    step = optim.SAM(theta, lr=0.1, radius=0.5).step(J)
    assert step == 12.5 and step.grad_norm == pytest.approx(5.5)                  # |theta + 0.5 theta / 5|
    np.testing.assert_allclose(theta, 0.89 * np.array([3.0, -4.0]))


def test_sam_does_not_climb_along_what_is_frozen():
    """|g| is that of what may move: with a frozen half it is SAM on the other half."""
    seen = []

    class J:
        value = staticmethod(lambda theta: 0.0)

        @staticmethod
        def grad(theta):
            seen.append(theta.copy())
            return np.array([3.0, 4.0, 100.0])
    opt = optim.SAM(np.zeros(3), lr=0.1, radius=1.0, groups=[dict(params=slice(2, 3), frozen=True),
                                                             dict(params=slice(1, 2), radius=0.5)])
    opt.step(J)
    np.testing.assert_allclose(seen[1], [0.6, 0.4, 0.0])
    np.testing.assert_allclose(opt.theta, [-0.3, -0.4, 0.0])


def test_sam_wants_an_objective_and_fit_gives_it_one():
    model, opt, J, batches = small_run(lambda p: optim.SAM(p, lr=0.5))
    with pytest.raises(ValueError, match=r"SAM.step: takes two gradients of an objective: step\(J\)"):
        opt.step()
    before = J.value()
    training.fit(model, losses.cross_entropy, opt, batches, epochs=20, progress=False)
    assert opt.k == 40 and J.value() < 0.7 * before


def test_sam_climbs_by_the_radius_of_the_step_and_counts_both_gradients():
    seen = []

    class J:
        value = staticmethod(lambda theta: 0.0)

        @staticmethod
        def grad(theta):
            seen.append(theta[0])
            return np.array([2.0])
    opt = optim.SAM(np.zeros(1), lr=0.0, radius=lambda k: k / 10)
    assert [opt.step(J).evaluations for _ in range(3)] == [2, 2, 2]
    assert seen == pytest.approx([0, 0.1, 0, 0.2, 0, 0.3])
    assert optim.SGD(np.zeros(1), lr=0.0).step(J).evaluations == 1


@WIDTHS
def test_sam_climbs_by_the_radius_whatever_the_size_of_the_gradient(dtype):
    for size in (1e-20, 1.0, 1e15):
        seen = []

        class J:
            value = staticmethod(lambda theta: 0.0)

            @staticmethod
            def grad(theta, seen=seen, size=size):
                seen.append(theta.copy())
                return np.array([3.0, 4.0], dtype) * dtype(size)
        optim.SAM(np.zeros(2, dtype), lr=0, radius=0.1).step(J)
        np.testing.assert_allclose(seen[1], [0.06, 0.08], rtol=1e-6)
        assert seen[1].dtype == dtype


# ---- schedule-free

def test_schedule_free_is_at_x_inside_at_theta_and_at_y_between_steps():
    model, opt, J, _ = small_run(lambda p: optim.ScheduleFree(p, lr=0.5))
    p, z, xs = opt.params, None, []
    x = p.theta.copy()
    z = x.copy()
    for _ in range(7):
        opt.zero_grad()
        np.testing.assert_allclose(p.theta, 0.1 * z + 0.9 * x, rtol=0, atol=1e-6)               # y
        losses.cross_entropy(model(J.x), J.y).backward()
        z = z - np.float32(0.5) * p.gradient()
        xs.append(z)
        x = np.mean(xs, axis=0)
        opt.step()
        with opt.at_theta() as theta:
            np.testing.assert_allclose(theta, x, rtol=0, atol=1e-6)


def test_schedule_free_takes_a_theta_that_was_loaded_after_it_was_made():
    class J:
        value = staticmethod(lambda theta: float(theta @ theta / 2))
        grad = staticmethod(lambda theta: theta.copy())
    theta, other = np.zeros(2), np.array([1.0, 2.0])
    opt = optim.ScheduleFree(theta, lr=0.1)
    theta[...] = other
    opt.step(J)
    optim.ScheduleFree(other, lr=0.1).step(J)
    assert np.array_equal(theta, other)


def test_schedule_free_with_a_rate_of_0_moves_nothing_and_counts_for_nothing():
    theta, other = np.ones(2), np.ones(2)
    opt, later = optim.ScheduleFree(theta, lr=lambda k: 0.1 * (k > 3)), optim.ScheduleFree(other, lr=0.1)
    for k in range(8):
        opt.step(g=np.array([1.0, -1.0 + k]))
        if k < 3:
            assert np.array_equal(theta, other) and not opt.v.any()
        else:
            later.step(g=np.array([1.0, -1.0 + k]))
            np.testing.assert_allclose(theta, other, rtol=0, atol=1e-15)


def test_schedule_free_beats_the_last_point_of_sgd_where_gradients_are_noisy():
    """|theta| after 2000 steps with noise: SGD's last point stays at the noise, x goes below it as an average does."""
    rng, ends = np.random.default_rng(0), {}
    noise = rng.standard_normal((2000, 20))
    for kind in (optim.SGD, optim.ScheduleFree):
        theta = np.ones(20)
        opt = kind(theta, lr=0.1)
        for each in noise:
            opt.step(g=opt.interim() + each)
        ends[kind] = np.linalg.norm(theta)
    assert ends[optim.ScheduleFree] < 0.5 * ends[optim.SGD]


# ---- all of them

METHODS = {"AMSGrad": dict(lr=0.02), "NAdam": dict(lr=0.02), "RAdam": dict(lr=0.1), "Lion": dict(lr=0.01),
           "Muon": dict(lr=0.02), "SAM": dict(lr=0.1), "ScheduleFree": dict(lr=0.5)}


@pytest.mark.parametrize("name", METHODS)
def test_learns_and_keeps_frozen_layers_to_the_bit(name):
    model, opt, J, batches = small_run(lambda p: getattr(optim, name)(p, **METHODS[name], weight_decay=1e-3))
    model[0].freeze()
    before, first = model[0].w.data.copy(), J.value()
    training.fit(model, losses.cross_entropy, opt, batches, epochs=30, progress=False)
    assert np.array_equal(model[0].w.data, before) and J.value() < 0.85 * first
    assert model[2].w.data.dtype == np.float32


@pytest.mark.parametrize("name", METHODS)
def test_the_second_positional_argument_is_the_rate(name):
    assert getattr(optim, name)(np.ones(2), 0.125).lr == 0.125


@pytest.mark.parametrize("name", ["Lion", "Muon"])
def test_decoupled_decay_is_multiplied_by_the_rate(name):
    theta = np.array([2.0, -4.0])
    getattr(optim, name)(theta, lr=0.1, weight_decay=0.5).step(g=np.zeros(2))
    np.testing.assert_allclose(theta, [1.9, -3.8])


@pytest.mark.parametrize("name", ["AMSGrad", "NAdam", "RAdam", "SAM", "ScheduleFree"])
def test_the_decay_of_the_others_is_part_of_the_gradient(name):
    class J:
        value = staticmethod(lambda theta: 0.0)
        grad = staticmethod(lambda theta, part=0.0: np.array([0.3, 0.1]) + part * theta)
    one, two = np.array([2.0, -4.0]), np.array([2.0, -4.0])
    kind, options = getattr(optim, name), dict(radius=0.0) if name == "SAM" else {}
    first, second = kind(one, lr=0.1, weight_decay=0.5, **options), kind(two, lr=0.1, **options)
    for _ in range(3):
        first.step(J)

        class Decayed(J):
            grad = staticmethod(lambda theta: J.grad(theta, 0.5))
        second.step(Decayed)
    np.testing.assert_allclose(one, two, rtol=1e-14)


def test_muon_sees_the_matrices_of_a_list_of_tensors():
    w, b = tensor(np.ones((3, 2)), requires_grad=True), tensor(np.ones(2), requires_grad=True)
    assert {name: view.shape for name, view in optim.matrices(optim.Muon([w, b]).params).items()} == {"0": (3, 2)}
