"""The second-order methods on a small network through Objective: all descend, products come from one graph per step."""
import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, ops, optim

METHODS = [optim.BFGS, optim.LBFGS, optim.ConjugateGradient, optim.ScaledConjugateGradient, optim.NewtonCG,
           optim.TrustRegion, optim.HessianFree, optim.KrylovSaddleFree, optim.SaddleFreeNewton, optim.DampedNewton,
           lambda parameters: optim.PRONG(parameters, lr=0.2, delta=0.1)]
NAMES = ["BFGS", "LBFGS", "ConjugateGradient", "ScaledConjugateGradient", "NewtonCG", "TrustRegion", "HessianFree",
         "KrylovSaddleFree", "SaddleFreeNewton", "DampedNewton", "PRONG"]


def problem(dtype=np.float64, m=60, seed=0):
    """A 3-4-3 tanh net on three noisy classes: (model, Objective)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, m)
    x = (np.eye(3)[y] + 0.4 * rng.standard_normal((m, 3))).astype(dtype)
    model = nn.Sequential(nn.Linear(3, 4, rng=1, dtype=dtype), ops.tanh, nn.Linear(4, 3, rng=2, dtype=dtype))
    return model, mg.Objective(model, losses.cross_entropy, x, y)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_descends_on_a_network(method, dtype):
    model, J = problem(dtype)
    result = optim.minimize(method(model.parameters()), J, 25)
    assert result.theta.dtype == dtype
    assert result.value < 0.6 * result.values[0]
    np.testing.assert_array_equal(model.parameters().theta, result.theta)          # no trial point left behind
    if method is not METHODS[-1]:
        assert (np.diff(result.values) <= 1e-6).all()


def test_levenberg_marquardt_fits_a_network_to_its_data():
    """9 examples, 13 parameters: squared error goes to zero to rounding; residuals come from the model."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(1, 4, rng=1, dtype=np.float64), ops.tanh, nn.Linear(4, 1, rng=2, dtype=np.float64))
    x = np.linspace(-2, 2, 9)[:, None]
    J = mg.Objective(model, losses.mean_squared_error, x, np.sin(2 * x) + 0.1 * rng.standard_normal((9, 1)))
    result = optim.minimize(optim.LevenbergMarquardt(model.parameters()), J, 300)
    assert result.value < 1e-12


@pytest.mark.parametrize("method, kind", [(optim.NewtonCG, "hvp"), (optim.TrustRegion, "hvp"),
                                          (optim.HessianFree, "ggnvp"), (optim.KrylovSaddleFree, "hvp")])
def test_products_of_a_step_come_from_one_graph_and_are_counted(method, kind, monkeypatch):
    model, J = problem()
    graphs, linearize = [], J.linearize
    monkeypatch.setattr(J, "linearize", lambda theta: graphs.append(theta.copy()) or linearize(theta))
    monkeypatch.setattr(J, kind, lambda *_: pytest.fail("one graph per product"))
    result = optim.minimize(method(model.parameters()), J, 4)
    assert result.steps == 4 and len(graphs) == 4
    np.testing.assert_array_equal(graphs, result.path[:4])
    assert result.products >= 4


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_another_minibatch_each_step(method):
    model, J = problem(m=300)
    opt, start = method(model.parameters()), J.value()
    for k in range(30):
        part = slice(100 * (k % 3), 100 * (k % 3) + 100)
        step = opt.step(mg.Objective(model, losses.cross_entropy, J.x.data[part], J.y[part]))
        assert step.reason == ""
    assert J.value() < 0.7 * start


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_model_that_fails_is_left_where_it_was(method):
    """The loss raises at its third evaluation: theta is where the last accepted step left it."""
    model, _ = problem()
    rng = np.random.default_rng(0)
    left = [3]

    def loss(z, y):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return losses.cross_entropy(z, y)
    J = mg.Objective(model, loss, rng.standard_normal((20, 3)), rng.integers(0, 3, 20))
    opt = method(model.parameters())
    seen = [opt.theta.copy()]
    with pytest.raises(KeyboardInterrupt):
        for _ in range(5):
            opt.step(J)
            seen.append(opt.theta.copy())
    np.testing.assert_array_equal(opt.theta, seen[-1])
