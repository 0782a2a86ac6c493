"""What the book claims of initial parameters (section 8.4), measured."""
import math
from functools import partial

import numpy as np
import pytest

from minigrad import Objective, core, init, losses, nn, ops
from minigrad.core import Tensor


@pytest.mark.parametrize(("m", "n"), [(400, 400), (300, 500)])
def test_glorot_keeps_variance_forward_and_backward(m, n):
    """(8.23) compromises between n_in and n_out: the factor is 2m/(m + n) forward, 2n/(m + n) backward."""
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((200, m)), rng.standard_normal((200, n))
    for rule in (init.glorot_uniform, init.glorot_normal):
        forward, backward = [], []
        for _ in range(10):
            w = rule((m, n), rng=rng, dtype=np.float64)
            forward.append((x @ w).var() / x.var())
            backward.append((g @ w.T).var() / g.var())
        assert np.mean(forward) == pytest.approx(2 * m / (m + n), rel=0.01)
        assert np.mean(backward) == pytest.approx(2 * n / (m + n), rel=0.01)


def test_glorot_keeps_variance_through_a_deep_linear_net_and_fan_in_uniform_does_not():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 300)).astype(np.float32)
    for rule, wanted in ((init.glorot_uniform, 1.0), (init.fan_in_uniform, 3.0 ** -10)):
        model = nn.Sequential(*[nn.Linear(300, 300, weights=rule, rng=rng) for _ in range(10)])
        start = Tensor(x, requires_grad=True)
        y = model(start)
        u = rng.standard_normal(y.shape).astype(np.float32)
        g = core.grad(y, start, u)
        assert y.data.var() == pytest.approx(wanted, rel=0.25)
        assert g.data.var() == pytest.approx(wanted, rel=0.25)


def log_norm_ratio(rule, depth, width, activation, rng):
    """log |h_depth| / |h_0| of a net of `depth` layers; the norm is taken out at every layer, so nothing underflows."""
    h = rng.standard_normal(width)
    h /= np.linalg.norm(h)
    total = 0.0
    for _ in range(depth):
        h = activation(h @ rule((width, width), rng=rng, dtype=np.float64))
        norm = np.linalg.norm(h)
        total += math.log(norm)
        h /= norm
    return total


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_random_walk_keeps_norms_through_1000_layers(activation):
    """Mean of log |h_1000|/|h_0| over 20 draws within three standard errors of 0 (Sussillo and Abbott 2014)."""
    rng = np.random.default_rng(1)
    phi = {"linear": lambda z: z, "relu": lambda z: np.maximum(z, 0)}[activation]
    ratios = [log_norm_ratio(partial(init.random_walk, activation=activation), 1000, 50, phi, rng) for _ in range(20)]
    standard_error = np.std(ratios, ddof=1) / math.sqrt(20)
    assert abs(np.mean(ratios)) < 3 * standard_error
    assert 0.3 < standard_error < 3                     # the walk itself: sqrt(1000 * about 0.01 to 0.03 / 20)


def test_gain_1_and_relu_lose_hundreds_of_nats_in_1000_layers():
    rng = np.random.default_rng(1)
    rule = lambda shape, rng, dtype: init.normal(shape, 1 / math.sqrt(shape[0]), rng, dtype)
    lost = log_norm_ratio(rule, 1000, 50, lambda z: np.maximum(z, 0), rng)
    assert lost < -300
    assert lost == pytest.approx(-1000 * math.log(init.random_walk_gain(50)), abs=25)


def test_gradients_reach_the_first_of_1000_layers():
    """Backward as forward: with the right gain, float32 neither under- nor overflows."""
    rng = np.random.default_rng(3)
    model = nn.Sequential(*[f for _ in range(1000)
                            for f in (nn.Linear(50, 50, bias=False, weights=init.random_walk, rng=rng), ops.relu)])
    x = Tensor(rng.standard_normal((4, 50)).astype(np.float32), requires_grad=True)
    y = model(x)
    g = core.grad(y, x, np.ones(y.shape, np.float32))
    for values, start in ((y.data, 1), (g.data, 1)):
        assert 1e-9 < values.std() / start < 1e9


def test_two_units_that_start_equal_stay_equal():
    """Initial parameters must break the symmetry between units: nothing deterministic does it later."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 5)), rng.integers(0, 3, 30)
    model = nn.Sequential(nn.Linear(5, 8, rng=0, dtype=np.float64), nn.Tanh(), nn.Linear(8, 3, rng=1, dtype=np.float64))
    first, last = model[0], model[2]
    first.w.data[:, 1], first.b.data[1], last.w.data[1] = first.w.data[:, 0], first.b.data[0], last.w.data[0]
    parameters = model.parameters()
    J = Objective(model, losses.cross_entropy, x, y)
    start = J.value()
    for _ in range(50):
        parameters.theta[...] -= 0.5 * J.grad()
        parameters.changed()
    assert J.value() < 0.85 * start
    np.testing.assert_allclose(first.w.data[:, 1], first.w.data[:, 0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(last.w.data[1], last.w.data[0], rtol=0, atol=1e-14)
    assert np.abs(first.w.data[:, 2] - first.w.data[:, 0]).max() > 0.1


def test_orthogonal_matrices_keep_every_norm_at_any_depth():
    rng = np.random.default_rng(0)
    h = x = rng.standard_normal((10, 30))
    for _ in range(200):
        h = h @ init.orthogonal((30, 30), rng=rng, dtype=np.float64)
    np.testing.assert_allclose(np.linalg.norm(h, axis=1), np.linalg.norm(x, axis=1), rtol=1e-11)


def test_lsuv_gives_every_layer_unit_variance():
    rng = np.random.default_rng(0)
    x = rng.random((200, 50)).astype(np.float32)
    model = nn.Sequential(*[f for i in range(20) for f in (nn.Linear(50, 50, rng=i), nn.ReLU())][:-1])
    init.lsuv(model, x, rng=0)
    rows = [row for row in init.report(model, x) if row.weights]
    assert len(rows) == 20 and all(abs(row.std ** 2 - 1) < 0.02 for row in rows)


def test_initial_loss_is_the_entropy_of_the_classes():
    """softmax(b) = c with zero output weights: before any learning J = -sum c log c, less than log k if c is skewed."""
    rng = np.random.default_rng(0)
    labels = rng.choice(5, 1000, p=[0.7, 0.1, 0.1, 0.06, 0.04])
    x = rng.standard_normal((1000, 20))
    model = nn.Sequential(nn.Linear(20, 30, rng=0, dtype=np.float64), nn.ReLU(),
                          nn.Linear(30, 5, weights=init.zeros, dtype=np.float64))
    c = np.bincount(labels) / 1000
    entropy = -(c * np.log(c)).sum()
    assert losses.cross_entropy(model(x), labels).item() == pytest.approx(math.log(5), rel=1e-12)
    model[2].b.data = init.bias_from_marginals(labels, dtype=np.float64)
    assert losses.cross_entropy(model(x), labels).item() == pytest.approx(entropy, rel=1e-12)
    assert entropy < 0.7 * math.log(5)
    gradient = Objective(model, losses.cross_entropy, x, labels)
    assert np.abs(gradient.grad()[gradient.parameters.slices["2.b"]]).max() < 1e-15    # the bias is already right


def test_weights_of_one_standard_deviation_shrink_with_the_layer_and_sparse_ones_do_not():
    """Why Martens made them sparse: 1/sqrt(m) is tiny in a wide layer; k weights of size 1 are not."""
    for m in (100, 10_000):
        dense, sparse = init.fan_in_uniform((m, 20), rng=0), init.sparse((m, 20), k=15, rng=0)
        assert np.abs(dense).max() <= 1 / math.sqrt(m)
        assert 0.8 < np.std(sparse[sparse != 0]) < 1.2
        inputs = np.random.default_rng(0).standard_normal((500, m)).astype(np.float32)
        assert (inputs @ sparse).var() == pytest.approx(15, rel=0.25)         # whatever m is
