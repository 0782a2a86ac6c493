"""vSGD: what it needs of J, and that its rates are right without any being given."""
import numpy as np
import pytest

from minigrad import optim
from minigrad.testing.optimizers import LeastSquares


class Noisy:
    """Examples theta_i = optimum + noise; J the mean of h_i (theta - x)^2 / 2, a new draw for each k."""

    def __init__(self, h, sigma, m=1):
        self.h, self.sigma, self.m, self.rng = np.asarray(h, dtype=float), sigma, m, np.random.default_rng(0)
        self.draw()

    def draw(self):
        self.x = self.sigma * self.rng.standard_normal((self.m, len(self.h)))

    def value(self, theta):
        return float(np.mean((theta - self.x) ** 2 @ self.h)) / 2

    def example_grads(self, theta):
        return self.h * (theta - self.x)

    def grad(self, theta):
        return self.example_grads(theta).mean(axis=0)

    def hessian_diagonal(self, theta):
        return self.h


class Expected:
    """A quadratic whose examples have the optima mean + noise: what vSGD is given, without the noise of sampling it."""

    def __init__(self, h, distance, sigma, m):
        self.h, self.distance, self.sigma, self.m = h, distance, sigma, m

    def value_and_grad(self, theta):
        return 0.5 * float(self.h * self.distance**2), np.array([self.h * self.distance])

    def example_grad_squares(self, theta):
        return np.array([self.h**2 * (self.distance**2 + self.sigma**2)])

    def hessian_diagonal(self, theta):
        return np.array([self.h])


@pytest.mark.parametrize("m", [1, 2, 10, 1000])
@pytest.mark.parametrize(("h", "distance", "sigma"), [(1.0, 1.0, 1.0), (0.1, 3.0, 5.0), (20, 0.2, 1.0), (1.0, 2.0, 0)])
def test_the_rate_is_the_best_one_for_the_noise_of_the_batch(h, distance, sigma, m):
    """What the paper derives its rule from. A step theta - rate g with a batch of m noisy examples ends, in the mean,
    at E (theta - rate g - optimum)^2 = (1 - rate h)^2 distance^2 + (rate h sigma)^2/m; the rate minimizes this."""
    from scipy.optimize import minimize_scalar
    best = minimize_scalar(lambda rate: (1 - rate * h)**2 * distance**2 + (rate * h * sigma)**2 / m,
                           bounds=(0, 2 / h), method="bounded", options={"xatol": 1e-12}).x
    theta = np.zeros(1)
    optim.VSGD(theta, slow=1, delta=1e-5).step(Expected(h, distance, sigma, m))
    assert -theta[0] / (h * distance) == pytest.approx(best, rel=1e-5)


def test_batches_of_any_size_end_at_the_same_noise_per_example_seen():
    """m examples at once are worth m steps where noise rules: the tenfold batch goes as far in a tenth of the steps."""
    def end(m, steps):
        theta, J = np.full(50, 3.0), Noisy(np.ones(50), sigma=1.0, m=m)
        opt = optim.VSGD(theta)
        for _ in range(steps):
            J.draw()
            opt.step(J)
        return float(np.mean(theta**2))
    assert end(10, 200) < 2 * end(1, 2000) and end(10, 200) < 0.01


def test_the_floor_of_the_curvature_bounds_the_rate():
    """h = 0 (a plateau): the rate is share / delta and no more; negative curvature counts by its size."""
    for h, wanted in ((0.0, 1 / 0.01), (0.001, 1 / 0.01), (-4.0, 1 / 4)):
        theta = np.zeros(1)
        J = Expected(1.0, 1.0, 0.0, 5)
        J.hessian_diagonal = lambda theta, h=h: np.array([h])
        opt = optim.VSGD(theta, slow=1, delta=0.01)
        opt.step(J)
        assert -theta[0] == pytest.approx(wanted) and opt.h_bar[0] >= 0.01


def test_an_objective_must_say_how_many_examples_it_has():
    J = Expected(1.0, 1.0, 1.0, 3)
    del J.m
    with pytest.raises(ValueError, match="VSGD.step: Expected must say of how many examples it is the mean: J.m"):
        optim.VSGD(np.zeros(1)).step(J)


def test_no_noise_is_newtons_rate_per_parameter():
    """All examples equal: v_bar = g_bar^2 in the end, so that the rate is 1/h whatever the curvature."""
    theta = np.array([1.0, 1.0, 1.0])
    J = Noisy([1e-3, 1.0, 1e3], sigma=0.0)
    opt = optim.VSGD(theta, slow=1, delta=1e-5)
    opt.step(J)
    np.testing.assert_allclose(theta, 0, atol=1e-12)


def test_rates_fall_where_noise_dominates_and_stay_where_it_does_not():
    theta = np.full(2, 100.0)
    J = Noisy([1.0, 1.0], sigma=np.array([1.0, 0.0]))
    opt = optim.VSGD(theta)
    for _ in range(500):
        J.draw()
        opt.step(J)
    rate = opt.g_bar ** 2 / np.maximum(opt.h_bar * opt.v_bar, 1e-300)
    assert rate[0] < 0.2 and abs(theta[0]) < 0.5 and abs(theta[1]) < 1e-2


def test_it_reaches_the_noise_floor_that_a_constant_rate_does_not():
    def end(make, steps=3000):
        theta, J = np.full(20, 10.0), Noisy(np.logspace(-1, 1, 20), sigma=1.0)
        opt, tail = make(theta), []
        for k in range(steps):
            J.draw()
            opt.step(J)
            if k > steps - 500:
                tail.append(theta.copy())
        return float(np.mean(np.square(tail) @ J.h))
    assert end(lambda theta: optim.VSGD(theta)) < 0.5 * end(lambda theta: optim.SGD(theta, lr=0.1))


def test_state_is_saved_and_loaded():
    theta, other = np.ones(5), np.ones(5)
    one, two, J = optim.VSGD(theta), optim.VSGD(other), LeastSquares()
    for _ in range(5):
        one.step(J)
    other[...] = theta
    two.load_state_dict(one.state_dict())
    for _ in range(5):
        one.step(J)
        two.step(J)
    assert np.array_equal(theta, other)


def test_groups_and_frozen_parameters():
    theta = np.ones(5)
    opt = optim.VSGD(theta, groups=[dict(params=slice(0, 2), frozen=True)])
    alone = np.ones(5)
    other = optim.VSGD(alone)
    J = LeastSquares()
    opt.step(J)
    other.step(J)
    assert np.array_equal(theta[:2], [1, 1]) and np.array_equal(theta[2:], alone[2:])


def test_wrong_shapes_are_named():
    class Wrong(LeastSquares):
        def example_grads(self, theta):
            return super().example_grads(theta).T
    with pytest.raises(ValueError, match=r"example_grads must have shape \(m, 5\), got \(5, 8\)"):
        optim.VSGD(np.ones(5)).step(Wrong())


def test_the_diagonal_is_not_the_gradient_of_the_sum():
    """H times ones is not diag(H): (3, 4) where the diagonal is (2, 3)."""
    H = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert list(H @ np.ones(2)) == [3, 4] and list(np.diag(H)) == [2, 3]


def test_a_model_trains_without_a_learning_rate_and_resumes_exactly():
    """example_grad_squares of an Objective stand for its example_grads; the samples depend on rng and step only."""
    import minigrad as mg
    from minigrad import losses, nn
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 5))
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)

    def made(**options):
        mg.seed(0)
        net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).astype(np.float64)
        J = mg.Objective(net, losses.cross_entropy, x, y)
        return J, optim.VSGD(net.parameters(), **options), net.parameters()

    class Rows:
        """The same objective without example_grad_squares."""
        def __init__(self, J):
            self.value_and_grad, self.example_grads, self.hessian_diagonal = \
                J.value_and_grad, J.example_grads, J.hessian_diagonal
    (J, one, p), (K, two, q) = made(), made()
    first = float(one.step(J))
    two.step(Rows(K))
    np.testing.assert_allclose(p.theta, q.theta, rtol=1e-10, atol=1e-12)
    for _ in range(30):
        last = float(one.step(J))
    assert last < 0.5 * first

    J, opt, p = made(samples=2, rng=5)
    for _ in range(4):
        opt.step(J)
    saved, at = opt.state_dict(), p.theta.copy()
    for _ in range(3):
        opt.step(J)
    K, again, q = made(samples=2, rng=6)                     # the saved run's draws count, not our own
    q.theta[...] = at
    q.changed()
    again.load_state_dict(saved)
    for _ in range(3):
        again.step(K)
    assert np.array_equal(p.theta, q.theta)


@pytest.mark.parametrize("samples", [0, -1, 1.5, True, "all"])
def test_samples_is_a_count(samples):
    with pytest.raises(ValueError, match="samples must be a count"):
        optim.VSGD(np.ones(2), samples=samples)


def test_the_samples_come_from_rng_or_the_threads_default():
    import minigrad as mg

    class Noisy:
        def value_and_grad(self, theta): return 0.5 * theta @ theta, theta.copy()
        def example_grads(self, theta): return np.array([theta, 2 * theta])
        def hessian_diagonal(self, theta, samples, rng): return 1 + rng.random(len(theta))

    def end(rng):
        theta = np.ones(3)
        opt = optim.VSGD(theta, samples=1, rng=rng)
        for _ in range(3):
            opt.step(Noisy())
        return theta.tobytes()

    assert end(1) == end(1) == end(np.random.default_rng(1)) != end(2)
    mg.seed(3)
    one, two = end(None), end(None)
    mg.seed(3)
    assert end(None) == one != two
    mg.seed(3)
    before = np.random.default_rng(3).random()
    optim.VSGD(np.ones(3))                                       # draws nothing where nothing is sampled
    assert mg.random.generator(None).random() == before or end(None) != one
    with pytest.raises(TypeError, match="VSGD: no argument 'seed'; there are slow, delta, samples, rng"):
        optim.VSGD(np.ones(3), seed=0)
