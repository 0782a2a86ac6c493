"""Initializers: moments, bounds, counts, Haar measure; what LSUV and the report say of models."""
import math
from functools import partial

import numpy as np
import pytest

from minigrad import init, losses, nn
from minigrad.core import default_dtype

SCALED = {                                    # rule -> variance, bound as a multiple of the standard deviation
    init.fan_in_uniform: (lambda m, n: 1 / (3 * m), math.sqrt(3)),
    init.glorot_uniform: (lambda m, n: 2 / (m + n), math.sqrt(3)),
    init.glorot_normal: (lambda m, n: 2 / (m + n), None),
    init.he_uniform: (lambda m, n: 2 / m, math.sqrt(3)),
    init.he_normal: (lambda m, n: 2 / m, None),
}
RULES = [*SCALED, init.orthogonal, init.random_walk, partial(init.sparse, k=3), init.normal,
         partial(init.uniform, limit=0.5), init.zeros, partial(init.constant, value=2.0)]


def name_of(rule):
    return getattr(rule, "func", rule).__name__


@pytest.mark.parametrize("shape", [(300, 200), (5, 5, 12, 100)])
@pytest.mark.parametrize("rule", SCALED, ids=name_of)
def test_moments_and_bounds(rule, shape):
    w = rule(shape, rng=1, dtype=np.float64)
    kernel = math.prod(shape[:-2])
    variance, bound = SCALED[rule]
    wanted = variance(kernel * shape[-2], kernel * shape[-1])                # fans count the kernel
    standard_error = math.sqrt(wanted / w.size)
    assert abs(w.mean()) < 4 * standard_error
    assert abs(w.var() / wanted - 1) < 4 * math.sqrt(2 / w.size)
    if bound:
        assert 0.99 * bound < np.abs(w).max() / math.sqrt(wanted) <= bound
    else:
        assert np.abs(w).max() > 3.5 * math.sqrt(wanted)                     # Gaussian tails


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_shape_dtype_seed(rule):
    for shape in ((6, 4), (4, 6), (2, 3, 4, 5)):
        for dtype in (np.float32, np.float64):
            w = rule(shape, rng=7, dtype=dtype)
            assert w.shape == shape and w.dtype == dtype and w.flags.c_contiguous and w.flags.writeable
            np.testing.assert_array_equal(w, rule(shape, rng=7, dtype=dtype))
        assert rule(shape).dtype == default_dtype
    generator = np.random.default_rng(3)
    first = rule((6, 4), rng=generator)
    if name_of(rule) not in ("zeros", "constant"):
        assert not np.array_equal(first, rule((6, 4), rng=generator))        # a generator is used and advanced


def test_default_linear_equals_pytorchs_in_distribution():
    torch = pytest.importorskip("torch")
    stats = pytest.importorskip("scipy.stats")
    torch.manual_seed(0)
    ours, theirs = nn.Linear(64, 200, rng=0).w.data, torch.nn.Linear(64, 200).weight.detach().numpy()
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.01


# ---------------------------------------------------------------------------------------------------------- orthogonal

@pytest.mark.parametrize("shape", [(8, 8), (20, 7), (7, 20), (3, 3, 4, 10), (1, 1, 4, 10)])
def test_orthogonal_rows_or_columns_with_gain(shape):
    g = 1.7
    w = init.orthogonal(shape, g, rng=2, dtype=np.float64).reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(product, g * g * np.eye(len(product)), atol=1e-13)


def test_orthogonal_is_haar():
    rng = np.random.default_rng(0)
    q = np.array([init.orthogonal((4, 4), rng=rng, dtype=np.float64) for _ in range(4000)])
    # E q_ij = 0 and E q_ij^2 = 1/n for every entry; qr's own signs would give E q_00 = -0.4
    assert np.abs(q.mean(axis=0)).max() < 4.5 * math.sqrt(1 / 4 / 4000)
    assert np.abs((q ** 2).mean(axis=0) - 1 / 4).max() < 4.5 * math.sqrt(2 * 3 / 16 / 6 / 4000)
    # trace of a Haar matrix: mean 0, variance 1; both signs of the determinant are as likely
    trace = np.trace(q, axis1=1, axis2=2)
    assert abs(trace.mean()) < 4 / math.sqrt(4000) and abs(trace.var() - 1) < 4 * math.sqrt(2 / 4000)
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < 4 * 0.5 / math.sqrt(4000)
    # invariance: turned by a fixed rotation, the first entry keeps its distribution
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    stats = pytest.importorskip("scipy.stats")
    assert stats.ks_2samp(q[:2000, 0, 0], (turn @ q[2000:])[:, 0, 0]).pvalue > 0.01
    scipy_q = stats.ortho_group.rvs(4, size=2000, random_state=1)
    assert stats.ks_2samp(q[:2000, 1, 0], scipy_q[:, 1, 0]).pvalue > 0.01


def test_gain_table_and_functions():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.calculate_gain
    for name in ("linear", "sigmoid", "tanh", "relu"):
        assert init.gain(name) == pytest.approx(theirs(name), rel=1e-15)
    assert init.gain("leaky_relu", slope=0.2) == pytest.approx(theirs("leaky_relu", 0.2), rel=1e-15)
    assert init.gain("tanh", critical=True) == 1 and init.gain("relu", critical=True) == math.sqrt(2)
    # of a function, by quadrature: the Gaussian keeps its second moment
    assert init.gain(lambda z: np.maximum(z, 0)) == pytest.approx(math.sqrt(2), rel=1e-12)
    assert init.gain(lambda z: 3 * z) == pytest.approx(1 / 3, rel=1e-12)
    z = np.random.default_rng(0).standard_normal(400_000)
    assert init.gain(np.tanh) == pytest.approx(1 / np.sqrt(np.mean(np.tanh(z) ** 2)), rel=0.005)


# -------------------------------------------------------------------------------------------------- sparse, random walk

@pytest.mark.parametrize(("shape", "k"), [((500, 300), 15), ((5, 5, 8, 40), 15), ((6, 4), 6), ((6, 4), 1)])
def test_sparse_has_exactly_k_incoming_weights_per_unit(shape, k):
    w = init.sparse(shape, k, std=2.0, rng=0, dtype=np.float64).reshape(-1, shape[-1])
    assert (np.count_nonzero(w, axis=0) == k).all()
    values = w[w != 0]
    if values.size > 300:
        assert abs(values.std() / 2 - 1) < 4 / math.sqrt(2 * values.size)
        assert abs(values.mean()) < 8 / math.sqrt(values.size)
        used = np.count_nonzero(w, axis=1)                 # inputs are chosen at random, so their counts vary
        assert used.std() > 0 and abs(used.mean() - k * w.shape[1] / w.shape[0]) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 7, 50, 51])
def test_random_walk_gain_is_the_exact_expectation(n):
    special = pytest.importorskip("scipy.special")
    stats = pytest.importorskip("scipy.stats")
    linear = math.exp(-0.5 * (special.digamma(n / 2) - math.log(n / 2)))
    assert init.random_walk_gain(n, "linear") == pytest.approx(linear, rel=1e-12)
    k = np.arange(1, n + 1)
    p = stats.binom.pmf(k, n, 0.5) / (1 - 0.5 ** n)
    relu = math.exp(-0.5 * (p @ (special.digamma(k / 2) + math.log(2)) - math.log(n)))
    assert init.random_walk_gain(n, "relu") == pytest.approx(relu, rel=1e-12)


def test_random_walk_gain_agrees_with_the_papers_fit():
    for n in (20, 50, 100, 500, 2000):
        assert init.random_walk_gain(n) == pytest.approx(math.sqrt(2) * math.exp(1.2 / (max(n, 6) - 2.4)), rel=1e-3)
        assert init.random_walk_gain(n, "linear") == pytest.approx(math.exp(1 / (2 * n)), rel=1e-3)


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("shape", [(784, 100), (100, 784), (30, 30), (5, 3), (3, 5), (1, 4)])
def test_random_walk_keeps_norms_on_average_in_layers_of_any_shape(shape, activation):
    """E log(|phi(h W)|^2 / |h|^2) = 0: by sampling, and from the weights' variance and E log chi^2_k in closed form."""
    special = pytest.importorskip("scipy.special")
    stats = pytest.importorskip("scipy.stats")
    rng, (m, n) = np.random.default_rng(0), shape
    logs = []
    for _ in range(60 if m * n > 10**4 else 2000):
        h = rng.standard_normal(m)
        z = h @ init.random_walk(shape, activation, rng=rng, dtype=np.float64)
        z = np.maximum(z, 0) if activation == "relu" else z
        if z.any():                                           # dead layers are left out
            logs.append(math.log(z @ z / (h @ h)))
    assert abs(np.mean(logs)) < 5 * np.std(logs) / math.sqrt(len(logs))
    k = np.arange(1, n + 1)
    p = stats.binom.pmf(k, n, 0.5) / (1 - 0.5 ** n) if activation == "relu" else (k == n)
    drift = p @ (special.digamma(k / 2) + math.log(2))
    variance = np.mean([np.square(init.random_walk((400, n), activation, rng=i, dtype=np.float64)) for i in range(20)])
    assert math.log(variance) + drift == pytest.approx(0, abs=6 * math.sqrt(2 / (20 * 400 * n)))


def test_random_walk_changes_gradients_by_inputs_over_outputs_of_the_whole_net():
    special = pytest.importorskip("scipy.special")
    rng, widths = np.random.default_rng(0), [40, 90, 30, 60, 20]
    logs = []
    for _ in range(300):
        g = rng.standard_normal(widths[-1])
        norm = g @ g
        for shape in reversed(list(zip(widths, widths[1:]))):
            g = init.random_walk(shape, "linear", rng=rng, dtype=np.float64) @ g
        logs.append(math.log(g @ g / norm))
    wanted = special.digamma(widths[0] / 2) - special.digamma(widths[-1] / 2)
    assert abs(wanted - math.log(2)) < 0.05                      # log(40/20)
    assert np.mean(logs) == pytest.approx(wanted, abs=5 * np.std(logs) / math.sqrt(300))


def test_random_walk_of_a_convolution_counts_the_kernel():
    """An input pixel is seen by kh kw windows, so |z|^2 is kept with the variance g^2 / (kh kw outputs)."""
    w = init.random_walk((3, 3, 4, 50), rng=0, dtype=np.float64)
    assert np.square(w).mean() == pytest.approx(init.random_walk_gain(450) ** 2 / 450, rel=6 * math.sqrt(2 / w.size))


# --------------------------------------------------------------------------------------------------------------- biases

def test_bias_from_labels_is_the_log_of_their_frequencies():
    labels = np.array([0, 0, 0, 1, 2, 2])
    b = init.bias_from_marginals(labels, dtype=np.float64)
    np.testing.assert_allclose(np.exp(b), [0.5, 1 / 6, 1 / 3], rtol=1e-14)
    assert init.bias_from_marginals(labels).dtype == np.float32
    np.testing.assert_allclose(init.bias_from_marginals(np.array([0.5, 1 / 6, 1 / 3]), dtype=np.float64), b)


def test_classes_that_never_occur_are_smoothed():
    b = init.bias_from_marginals([0, 0, 2], classes=4, dtype=np.float64)
    np.testing.assert_allclose(np.exp(b), np.array([3, 1, 2, 1]) / 7, rtol=1e-14)
    b = init.bias_from_marginals([0, 0, 2], classes=4, smoothing=0.5, dtype=np.float64)
    np.testing.assert_allclose(np.exp(b), np.array([2.5, 0.5, 1.5, 0.5]) / 5, rtol=1e-14)


def test_sigmoid_and_linear_biases_reproduce_the_mean():
    x = (np.random.default_rng(0).random((50, 3)) < [0.2, 0.5, 0.9]).astype(float)
    b = init.bias_from_marginals(x, activation="sigmoid", dtype=np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-b)), x.mean(axis=0), rtol=1e-12)
    b = init.bias_from_marginals(np.zeros((8, 1)), activation="sigmoid", dtype=np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-b)), 0.1)                    # (0 + 1)/(8 + 2)
    np.testing.assert_allclose(init.bias_from_marginals(x + 7, activation="linear", dtype=np.float64), x.mean(0) + 7)


def test_precision_is_the_inverse_of_the_marginal_variance():
    y = np.random.default_rng(0).standard_normal((100, 2)) * [1, 5]
    beta = init.precision_from_marginals(y, dtype=np.float64)
    np.testing.assert_allclose(beta, 1 / y.var(axis=0), rtol=1e-13)
    mean = np.broadcast_to(y.mean(axis=0), y.shape)
    best = losses.gaussian_nll(mean, y, beta)
    assert all(losses.gaussian_nll(mean, y, beta * factor) > best for factor in (0.9, 1.1))


def test_constants_as_biases_of_a_layer():
    assert (nn.Linear(3, 4, biases=init.relu_bias).b.data == np.float32(0.1)).all()
    assert (nn.Linear(3, 4, biases=init.gate_bias).b.data == 1).all()
    assert (nn.Linear(3, 4).b.data == 0).all()


# ----------------------------------------------------------------------------------------------------------------- LSUV

def deep(widths, activation=nn.ReLU, dtype=np.float64):
    layers = []
    for m, n in zip(widths, widths[1:]):
        layers += [nn.Linear(m, n, weights=partial(init.normal, std=0.3), rng=len(layers), dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


def outputs(model, x, kind=nn.Linear):
    found = []
    with nn.observe(lambda module, _, y: found.append(y.data) if isinstance(module, kind) else None):
        model(x)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_lsuv_brings_every_layer_to_unit_variance(activation, dtype):
    x = np.random.default_rng(0).standard_normal((128, 20)).astype(dtype)
    model = deep([20, 30, 25, 40, 10], activation, dtype)
    table = init.lsuv(model, x, rng=0)
    assert [row.outcome for row in table] == ["converged"] * 4
    for row, y in zip(table, outputs(model, x)):
        assert abs(y.var() - 1) < 0.02 and row.after == pytest.approx(y.var(), rel=1e-4)
    w = model[0].w.data
    product = w @ w.T                                      # still orthogonal, 20 -> 30
    np.testing.assert_allclose(product, product[0, 0] * np.eye(20), atol=1e-4)
    assert "converged" in str(table) and "path" in str(table)


def test_lsuv_walks_in_order_of_execution_not_of_definition():
    class Backwards(nn.Module):
        def __init__(self):
            self.last, self.first = nn.Linear(15, 5, rng=0), nn.Linear(10, 15, rng=1)

        def forward(self, x):
            return self.last(self.first(x) * 10.0)

    x = np.random.default_rng(0).standard_normal((64, 10)).astype(np.float32)
    model = Backwards()
    table = init.lsuv(model, x, rng=0)
    assert [row.path for row in table] == ["first", "last"]
    assert all(abs(y.var() - 1) < 0.02 for y in outputs(model, x))


def test_lsuv_reports_dead_constant_frozen_and_shared_layers_and_goes_on():
    x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    dead = nn.Sequential(nn.Linear(8, 8, rng=0), lambda h: h * 0.0, nn.Linear(8, 6, rng=1), nn.Linear(6, 6, rng=2))
    outcomes = [row.outcome for row in init.lsuv(dead, x, rng=0)]
    assert outcomes == ["converged", "dead", "dead"]
    assert np.isfinite(dead[2].w.data).all()
    constant = nn.Sequential(nn.Linear(8, 8, rng=0))
    assert init.lsuv(constant, np.zeros((5, 8), np.float32))[0].outcome == "dead"
    broken = nn.Sequential(nn.Linear(8, 8, rng=0))
    assert init.lsuv(broken, np.full((5, 8), np.nan, np.float32))[0].outcome == "not finite"

    frozen = nn.Sequential(nn.Linear(8, 8, rng=0), nn.Linear(8, 8, rng=1))
    frozen[0].freeze()
    before = frozen[0].w.data.copy()
    assert [row.outcome for row in init.lsuv(frozen, x)] == ["frozen", "converged"]
    np.testing.assert_array_equal(frozen[0].w.data, before)

    tied = nn.Sequential(nn.Linear(8, 8, rng=0), nn.Linear(8, 8, rng=1))
    tied[1].w = tied[0].w
    assert [row.outcome for row in init.lsuv(tied, x)] == ["converged", "shared"]


def test_lsuv_stops_after_the_iterations_it_may_make():
    class Moving(nn.Linear):
        """Its output does not depend on the scale of its weights, so no scaling converges."""

        def forward(self, x):
            y = super().forward(x)
            return y * (3 / y.data.std())

    x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    row = init.lsuv(nn.Sequential(Moving(8, 8, rng=0)), x, iterations=4)[0]
    assert (row.outcome, row.iterations) == ("not converged", 4)


def test_lsuv_of_a_convolutional_net_with_batch_norm_and_residual_blocks():
    x = np.random.default_rng(0).standard_normal((16, 10, 10, 2)).astype(np.float32)
    model = nn.Sequential(nn.Conv2d(2, 6, 3, rng=0), nn.BatchNorm(6, relu=True), nn.MaxPool2d(2),
                          nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding="same", rng=1), nn.ReLU())),
                          nn.ConvTranspose2d(6, 3, 2, rng=2), nn.Flatten(), nn.Maxout(75, 4, rng=3))
    table = init.lsuv(model, x, rng=0)
    assert [row.path for row in table] == ["0", "3.f.0", "4", "6"]
    assert all(row.outcome == "converged" for row in table)
    assert (model[1].running_mean == 0).all()
    layers = (nn.Conv2d, nn.Linear)                              # ConvTranspose2d and Maxout are kinds of these
    assert all(abs(y.var() - 1) < 0.02 for y in outputs(model, x, layers))


def test_lsuv_and_report_of_recurrent_cells():
    class Net(nn.Module):
        def __init__(self):
            self.embed, self.cell = nn.Embedding(5, 4, rng=0), nn.LSTMCell(4, 6, rng=0)
            self.head = nn.Linear(6, 3, rng=0)

        def forward(self, x):
            h, c = self.cell(self.embed(x))
            return self.head(self.cell(self.embed(x), (h, c))[0])

    model, x = Net(), np.random.default_rng(0).integers(0, 5, 20)
    before = model.cell.w.data.copy()
    assert [(row.path, row.outcome) for row in init.lsuv(model, x)] == [("head", "converged")]
    np.testing.assert_array_equal(model.cell.w.data, before)
    rows = init.report(model, x, x % 3, losses.cross_entropy)
    assert [row.path for row in rows] == ["embed", "cell", "embed", "cell", "head"]
    assert all(row.g_std is not None and row.g_w_std is not None for row in rows)


def test_lsuv_changes_nothing_but_weights():
    x = np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)
    model = nn.Sequential(nn.Linear(8, 8, biases=init.relu_bias, rng=0), nn.Dropout(0.3, rng=0), nn.Linear(8, 3, rng=1))
    states = [rng.bit_generator.state for _, rng in model.generators()]
    table = init.lsuv(model, x, rng=0)
    assert [row.outcome for row in table] == ["converged"] * 2
    assert (model[0].b.data == np.float32(0.1)).all()
    assert states == [rng.bit_generator.state for _, rng in model.generators()]
    assert all(p.grad is None for _, p in model.named_parameters()) and model.training


# --------------------------------------------------------------------------------------------------------------- report

def test_report_says_what_numpy_says():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    model = nn.Sequential(nn.Linear(6, 9, rng=0, dtype=np.float64), nn.ReLU(), nn.Linear(9, 3, rng=1, dtype=np.float64))
    rows = init.report(model, x, y, losses.cross_entropy)
    assert [row.path for row in rows] == ["0", "1", "2"]
    z = x @ model[0].w.data + model[0].b.data
    h = np.maximum(z, 0)
    logits = h @ model[2].w.data + model[2].b.data
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    g = (p - np.eye(3)[y]) / 40
    for row, values in zip(rows, (z, h, logits)):
        assert row.shape == values.shape and row.std == pytest.approx(values.std())
        assert (row.least, row.largest) == pytest.approx((values.min(), values.max()), rel=1e-12)
        assert row.mean == pytest.approx(values.mean())
        assert row.zeros == np.mean(values == 0)
    assert rows[2].g_std == pytest.approx(g.std()) and rows[2].g_largest == pytest.approx(np.abs(g).max())
    g_h = g @ model[2].w.data.T
    assert rows[1].g_std == pytest.approx(g_h.std()) and rows[0].g_std == pytest.approx((g_h * (z > 0)).std())
    g_w = np.concatenate([(h.T @ g).ravel(), g.sum(axis=0)])
    assert rows[2].g_w_std == pytest.approx(g_w.std()) and rows[1].g_w_std is None
    assert all(p.grad is None for _, p in model.named_parameters())
    text = str(rows)
    assert "g_std" in text and "Linear(6, 9)" in text and text.count("\n") == 3


def test_report_finds_the_first_layer_that_is_too_small():
    x = np.random.default_rng(0).standard_normal((32, 20)).astype(np.float32)
    model = deep([20, 20, 20, 20], dtype=np.float32)
    model[2].w.data = model[2].w.data * np.float32(0.001)
    rows = init.report(model, x)
    assert rows.first_small().path == "2" and rows[0].g_std is None
    init.lsuv(model, x)
    assert init.report(model, x).first_small() is None


# -------------------------------------------------------------------------------------------------------------- refused

@pytest.mark.parametrize(("call", "message"), [
    (lambda: init.glorot_uniform((5,)), r"weights must be \(..., inputs, outputs\).*\(5,\)"),
    (lambda: init.orthogonal((0, 5)), "all sizes positive"),
    (lambda: init.sparse((5, 4), k=6), "k must be an integer from 1 to 5, got 6: a unit has 5 inputs"),
    (lambda: init.sparse((5, 4), k=0), "k must be an integer"),
    (lambda: init.gain("swish"), "no gain is tabled for 'swish'; known are linear"),
    (lambda: init.gain("sigmoid", critical=True), "no critical gain"),
    (lambda: init.random_walk_gain(10, "tanh"), "activation must be 'relu' or 'linear', got 'tanh'"),
    (lambda: init.random_walk_gain(0), "n must be an integer >= 1, got 0"),
    (lambda: init.normal((2, 2), -1), r"normal: std must be a number in \[0, inf\), got -1"),
    (lambda: init.uniform((2, 2), "wide"), "uniform: limit must be a number"),
    (lambda: init.orthogonal((2, 2), gain=None), "orthogonal: gain must be a number"),
    (lambda: init.gain("leaky_relu", slope="0.1"), "gain: slope must be a number"),
    (lambda: init.bias_from_marginals([0, 1], classes=2.0), "classes must be an integer >= 1, got 2.0"),
    (lambda: init.lsuv(nn.Linear(2, 2), np.ones((3, 2)), tolerance=0), r"must be a number in \(0, inf\), got 0"),
    (lambda: init.lsuv(nn.Linear(2, 2), np.ones((3, 2)), iterations=-1), "iterations must be an integer >= 0, got -1"),
    (lambda: init.bias_from_marginals([]), "no targets"),
    (lambda: init.bias_from_marginals([0, 3], classes=3), r"labels must lie in \[0, 3\), got 0 to 3"),
    (lambda: init.bias_from_marginals([0, -1]), "labels must lie"),
    (lambda: init.bias_from_marginals([0, 2], smoothing=0), r"in \(0, inf\), got 0: some class never occurs"),
    (lambda: init.bias_from_marginals([0.5, 0.6]), "probabilities must be positive and sum to 1.*1.1"),
    (lambda: init.bias_from_marginals([0.0, 1.0]), "probabilities must be positive"),
    (lambda: init.bias_from_marginals(np.ones((3, 2), int)), r"got shape \(3, 2\)"),
    (lambda: init.bias_from_marginals([[1.5]], activation="sigmoid"), r"must lie in \[0, 1\]"),
    (lambda: init.bias_from_marginals([1], activation="relu"), "activation must be softmax, sigmoid or linear"),
    (lambda: init.precision_from_marginals(np.ones(5)), "does not vary"),
    (lambda: init.precision_from_marginals([1, np.nan, 2]), "1 of 3 targets are not finite"),
    (lambda: init.bias_from_marginals([[1, np.inf], [np.nan, 2]], activation="linear"), "2 of 4 targets"),
    (lambda: init.precision_from_marginals(np.ones(1)), "at least two targets"),
    (lambda: init.lsuv(nn.Sequential(nn.ReLU()), np.ones((2, 2))), "no layer of the model has weights"),
    (lambda: init.report(nn.ReLU(), np.ones((2, 2)), np.ones(2)), "gradients need both y and loss"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
