"""The doctor on planted situations: analytic functions and nets whose answer is known."""
import numpy as np
import pytest

from minigrad import losses, nn, ops, optim
from minigrad.core import Tensor, grad, tensor
from minigrad.derivatives import hvp
from minigrad.diagnostics import doctor
from minigrad.objective import Objective
from minigrad.testing import problems


class Function:
    """An objective from a function of a Tensor."""

    def __init__(self, f):
        self.f = f

    def value(self, theta):
        return self.f(Tensor(theta)).item()

    def grad(self, theta):
        t = tensor(theta, requires_grad=True)
        return grad(self.f(t), t).data

    def hvp(self, theta, v):
        return hvp(self.f, theta, v).data


def wall(x):
    """Two levels, a wall of width 1/1000 between them, and a gentle bowl."""
    return ops.sigmoid(1000 * x[0]) + 0.05 * ops.sum(x * x)


def well(x):
    return 1 - ops.exp(-0.5 * ops.sum(x * x))


def data(m=60, n=6, k=3, dtype=np.float64):
    rng = np.random.default_rng(0)
    return rng.standard_normal((m, n)).astype(dtype), rng.integers(0, k, m)


def net(activation=nn.Tanh, units=20, dtype=np.float64, loss=losses.cross_entropy, scale=1.0):
    """More than 100 parameters, so that the eigenvalues come from Lanczos."""
    x, y = data(dtype=dtype)
    last = nn.Linear(units, 3, rng=1, dtype=dtype)
    model = nn.Sequential(nn.Linear(6, units, rng=0, dtype=dtype), activation(), last)
    target = y if loss is losses.cross_entropy else np.eye(3, dtype=dtype)[y]
    J = Objective(model, loss, scale * x, target)
    return J


def dead_net():
    J = net(nn.ReLU)
    J.model.layers[0].b.data = np.full(20, -100.0)
    J.model.layers[2].b.data = np.zeros(3)
    J.model.layers[2].freeze()
    return J, None


def net_at_zero():
    """All weights zero, the biases at the classes' frequencies: the saddle of section 8.2.3."""
    J = net()
    theta = np.zeros(J.parameters.n)
    theta[J.parameters.slices["2.b"]] = np.log(np.bincount(J.y, minlength=3) / len(J.y))
    return J, theta


def linear_net_at_its_minimum():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 40))
    model = nn.Linear(40, 4, rng=0, dtype=np.float64)
    y = x @ rng.standard_normal((40, 4)) + rng.standard_normal((300, 4))
    A = np.hstack([x, np.ones((300, 1))])
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    return Objective(model, losses.mean_squared_error, x, y), np.concatenate([best[:-1].ravel(), best[-1]]) + 1e-5


def badly_scaled_regression():
    """Inputs of standard deviations 1 to 100: condition 10,000; 164 parameters."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 40)) * np.geomspace(1, 100, 40)
    model = nn.Linear(40, 4, rng=0, dtype=np.float64)
    return Objective(model, losses.mean_squared_error, x, 0.3 * x[:, :4] + 20), np.zeros(164)


def trained_net():
    """After 300 steps: small gradient, high curvature along few directions; a ravine, not a cliff."""
    J = net(nn.Tanh)
    opt = optim.Momentum(J.parameters, lr=0.1, momentum=0.9)
    for _ in range(300):
        opt.step(J)
    return J


def exploding_product(x):
    """(w^60 b - 1)^2: the scalar recurrent net of section 8.2.5, on its steep side."""
    return (x[0] ** 60 * x[1] - 1) ** 2


PLANTED = [
    ("ill-conditioned", "quadratic, condition 10^4", problems.quadratic(20, 1e4), None),
    ("ill-conditioned", "floor of a ravine", Function(lambda x: 0.5 * (x[0] ** 2 + 1e4 * x[1] ** 2)), [1.0, 0.0]),
    ("ill-conditioned", "valley of Rosenbrock", problems.rosenbrock(2), [-0.5, 0.25]),
    ("ill-conditioned", "inputs of different scales", *badly_scaled_regression()),
    ("ill-conditioned", "trained net", trained_net(), None),
    ("plateau", "far outside a well", Function(well), [10.0, 3.0]),
    ("plateau", "dead units", *dead_net()),
    ("plateau", "saturated sigmoid", Function(lambda x: (ops.sigmoid(ops.sum(x)) - 1) ** 2), [-20.0, -15.0]),
    ("saddle", "at the saddle", problems.saddle(), np.zeros(6)),
    ("saddle", "beside the saddle", problems.saddle2(), [1e-3, 2e-3]),
    ("saddle", "net with zero weights", *net_at_zero()),
    ("cliff", "on the wall", Function(wall), [0.0, 0.5]),
    ("cliff", "product of sixty factors", Function(exploding_product), [1.2, 1.0]),
    ("cliff", "recurrent net of ten steps", problems.cliff(10), [3.0, -0.9507]),
    ("near a minimum", "Rosenbrock", problems.rosenbrock(2), [1.0001, 1.0002]),
    ("near a minimum", "least squares", *linear_net_at_its_minimum()),
    ("near a minimum", "quartic bottom", Function(lambda x: ops.sum(x**4)), [1e-3, -1e-3]),
    ("near a maximum", "top of a hill", Function(lambda x: -well(x) + 0 * ops.sum(x)), None),
    ("none of these", "round bowl", problems.quadratic(10, 5.0), None),
    ("none of these", "Himmelblau's start", problems.himmelblau(), None),
    ("none of these", "net at initialization", net(), None),
]


@pytest.mark.parametrize("verdict, name, J, theta", PLANTED, ids=[f"{v}: {n}" for v, n, _, _ in PLANTED])
def test_planted_situations(verdict, name, J, theta):
    if verdict == "near a maximum":
        J, theta = Function(lambda x: -ops.sum(x * x) + 0.1 * ops.sum(x**4)), [1e-3, 2e-3]
    if theta is None and not isinstance(J, Objective):
        theta = J.start
    report = doctor(J, None if theta is None else np.array(theta, float))
    assert report.verdict == verdict, str(report)
    assert report.reasons and str(report).startswith("verdict")


@pytest.mark.parametrize("J", [net(), net(nn.ReLU), problems.rosenbrock(2), problems.wood(), problems.quadratic()],
                         ids=["tanh", "relu", "rosenbrock", "wood", "quadratic"])
def test_the_prediction_of_a_small_step_is_right_within_one_percent(J):
    report = doctor(J, None if isinstance(J, Objective) else J.start)
    assert report.predicted < 0 and report.actual == pytest.approx(report.predicted, rel=0.01)


def test_the_figures_are_right():
    J = problems.quadratic(10, 100.0)
    H, g = J.hessian(J.start), J.grad(J.start)
    report, values = doctor(J, J.start), np.linalg.eigvalsh(J.hessian(J.start))
    assert report.gradient_norm == pytest.approx(np.linalg.norm(g))
    assert report.curvature == pytest.approx(g @ H @ g / (g @ g))
    assert (report.lowest, report.highest) == (pytest.approx(values[0]), pytest.approx(values[-1]))
    assert report.newton == pytest.approx(np.linalg.norm(np.linalg.solve(H, g)))
    assert report.products == 11


def test_lanczos_gives_the_same_figures_as_the_dense_hessian():
    J = net(units=12)
    assert J.parameters.n > 100
    values, report = np.linalg.eigvalsh(J.hessian()), doctor(J)
    assert report.lowest == pytest.approx(values[0], abs=1e-3 * values[-1])
    assert report.highest == pytest.approx(values[-1], rel=1e-3)
    assert report.products <= 121


def test_a_learning_rate_that_is_too_large_is_named():
    J = problems.quadratic(10, 5.0)
    g = J.grad(J.start)
    largest = 2 * (g @ g) / (g @ J.hvp(J.start, g))
    assert doctor(J, J.start, lr=0.9 * largest).verdict == "none of these"
    report = doctor(J, J.start, lr=1.5 * largest)
    assert report.verdict == "ill-conditioned" and "steps along -g increase J (8.10)" in report.reasons[0]


def test_what_is_not_finite():
    J = Function(lambda x: ops.sum(ops.log(x)))
    with np.errstate(all="ignore"):
        report = doctor(J, np.array([-1.0, 1.0]))
    assert report.verdict == "not finite" and "detect_anomaly" in report.reasons[0]


def test_nothing_is_touched_and_the_answer_repeats():
    J = net(dtype=np.float32)
    before = J.parameters.theta.copy()
    first, second = doctor(J), doctor(J)
    assert np.array_equal(J.parameters.theta, before) and str(first) == str(second)
