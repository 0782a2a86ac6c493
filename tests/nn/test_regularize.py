"""Dropped units, weights and blocks: masks and expectations; penalties and max-norm."""
import copy
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import Objective, core, losses, nn
from minigrad.core import Tensor, tensor
from minigrad.nn import regularize

X = np.random.default_rng(0).standard_normal((20, 6))


def mean_of(layer, x, draws):
    """Mean and its standard error over many calls in learning mode."""
    values = np.array([layer(Tensor(x)).data for _ in range(draws)])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(draws)


# ------------------------------------------------------------------------------------------------------------- dropout

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropped_elements_are_zero_and_the_others_scaled(dtype):
    layer = nn.Dropout(0.2, rng=0)
    x = np.ones((100, 100), dtype)
    y = layer(Tensor(x)).data
    assert set(np.unique(y)) == {dtype(0), dtype(1 / 0.8)}
    assert abs(np.mean(y == 0) - 0.2) < 4 * math.sqrt(0.2 * 0.8 / x.size)
    y = nn.DropoutAtTest(0.2, rng=0)(Tensor(x)).data
    assert set(np.unique(y)) == {0, 1}


def test_the_mask_is_the_same_in_backward_and_another_in_the_next_call():
    for layer in (nn.Dropout(0.5, rng=0), nn.DropoutAtTest(0.5, rng=0)):
        x = tensor(X, requires_grad=True)
        y = layer(x)
        g = core.grad(y, x, np.ones(y.shape))
        np.testing.assert_array_equal(g.data * X, y.data)
        assert not np.array_equal(layer(x).data, y.data)


def test_p_0_and_p_1():
    for kind in (nn.Dropout, nn.DropoutAtTest):
        x = tensor(X, requires_grad=True)
        np.testing.assert_array_equal(kind(0.0, rng=0)(x).data, X)
        y = kind(1.0, rng=0)(x)
        y.sum().backward()
        assert (y.data == 0).all() and (x.grad == 0).all()
    np.testing.assert_array_equal(nn.Dropout(1.0).eval()(Tensor(X)).data, X)
    assert (nn.DropoutAtTest(1.0).eval()(Tensor(X)).data == 0).all()


def test_test_mode_is_the_expectation_of_learning_mode():
    """Inverted: identity. At test time: times the probability of keeping, 1 - p (the notes print p)."""
    for layer, wanted in ((nn.Dropout(0.3, rng=0), X), (nn.DropoutAtTest(0.3, rng=0), 0.7 * X)):
        mean, error = mean_of(layer, X, 4000)
        assert (np.abs(mean - wanted) < 5 * error).all()
        np.testing.assert_allclose(layer.eval()(Tensor(X)).data, wanted, rtol=1e-15)


def test_layers_draw_from_generators_of_their_own():
    mg.seed(5)
    a, b = nn.Dropout(0.5), nn.Dropout(0.5)
    x = Tensor(X)
    first = a(x).data
    assert not np.array_equal(first, b(x).data)                    # two layers, two streams
    mg.seed(5)
    again = nn.Dropout(0.5)
    np.testing.assert_array_equal(again(x).data, first)            # the seed fixes both
    state = np.random.default_rng(5).bit_generator.state
    mg.random.generator().bit_generator.state = state
    a(x)
    assert mg.random.generator().bit_generator.state == state      # and calls leave the default alone
    shared = np.random.default_rng(1)
    assert nn.Dropout(0.5, rng=shared).rng is shared
    assert [path for path, _ in nn.Sequential(a, nn.ReLU(), b).generators()] == ["0.rng", "2.rng"]


def test_copies_go_on_with_the_same_stream():
    layer = nn.Dropout(0.5, rng=3)
    layer(Tensor(X))
    twin = copy.deepcopy(layer)
    np.testing.assert_array_equal(layer(Tensor(X)).data, twin(Tensor(X)).data)


# --------------------------------------------------------------------------------------------------------- dropconnect

@pytest.mark.parametrize("per", ["batch", "example"])
def test_dropconnect_drops_weights_and_keeps_the_expectation(per):
    layer = nn.DropConnect(6, 4, 0.4, per=per, rng=0, dtype=np.float64)
    layer.b.data = np.arange(4.0)
    wanted = X @ layer.w.data + layer.b.data
    mean, error = mean_of(layer, X, 3000)
    assert (np.abs(mean - wanted) < 5 * error).all()
    np.testing.assert_allclose(layer.eval()(Tensor(X)).data, wanted, rtol=1e-13)
    # one-hot inputs read single weights: each is 0 or 1/(1 - p) of itself
    y = layer.train()(Tensor(np.repeat(np.eye(6)[:1], 500, axis=0))).data - layer.b.data
    ratio = np.round(y / layer.w.data[0], 12)
    assert set(np.unique(ratio)) <= {0, round(1 / 0.6, 12)}
    assert len(np.unique(ratio[:, 0])) == (1 if per == "batch" else 2)


def test_dropconnect_gradient_reaches_kept_weights_only():
    layer = nn.DropConnect(6, 4, 0.5, rng=0, dtype=np.float64)
    with nn.fixed_statistics(layer):
        y = layer(Tensor(np.eye(6))).data
    layer(Tensor(np.eye(6))).sum().backward()
    np.testing.assert_array_equal(layer.w.grad == 0, y == 0)


def test_a_block_that_is_dropped_leaves_its_shortcut():
    f, shortcut = nn.Linear(6, 3, rng=0, dtype=np.float64), nn.Linear(6, 3, rng=1, dtype=np.float64)
    for per in ("example", "batch"):
        layer = nn.StochasticDepth(f, 1.0, per=per, shortcut=shortcut, rng=0)
        np.testing.assert_array_equal(layer(Tensor(X)).data, shortcut(Tensor(X)).data)


# ----------------------------------------------------------------------------------------------------- stochastic depth

@pytest.mark.parametrize("per", ["batch", "example"])
def test_stochastic_depth_drops_blocks_and_keeps_the_expectation(per):
    block = nn.Linear(6, 6, rng=0, dtype=np.float64)
    layer = nn.StochasticDepth(block, 0.4, per=per, rng=0)
    f = X @ block.w.data
    mean, error = mean_of(layer, X, 3000)
    assert (np.abs(mean - X - f) < 5 * error + 1e-12).all()
    np.testing.assert_allclose(layer.eval()(Tensor(X)).data, X + f, rtol=1e-13)
    layer.train()
    scale = np.array([((layer(Tensor(X)).data - X) / f).round(9) for _ in range(50)])
    assert set(np.unique(scale)) == {0, round(1 / 0.6, 9)}
    rows = scale.std(axis=2)
    assert np.abs(rows).max() < 1e-12                               # one number for each example
    assert (np.ptp(scale, axis=(1, 2)).max() == 0) == (per == "batch")


def test_survivors_are_divided_by_their_probability():
    """As torchvision's stochastic_depth has it; the paper multiplies at test time."""
    layer = nn.StochasticDepth(lambda x: x, 0.25, rng=0)
    y = layer(Tensor(np.ones((20000, 1)))).data - 1
    assert abs(np.mean(y == 0) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 20000)
    np.testing.assert_allclose(y[y != 0], 1 / 0.75)


def test_a_block_left_out_for_the_batch_is_not_computed():
    class Counting(nn.Linear):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    block = Counting(6, 6, rng=0, dtype=np.float64)
    layer = nn.StochasticDepth(block, 1.0, per="batch", rng=0)
    x = tensor(X, requires_grad=True)
    layer(x).sum().backward()
    assert block.calls == 0 and block.w.grad is None and (x.grad == 1).all()
    layer.eval()(x)
    assert block.calls == 1


def test_depth_rates_rise_linearly():
    assert regularize.depth_rates(4, 0.5) == [0.125, 0.25, 0.375, 0.5]


# ------------------------------------------------------------------------------------------------------------ penalties

def network():
    return nn.Sequential(nn.Linear(6, 4, rng=0, dtype=np.float64), nn.BatchNorm(4, dtype=np.float64), nn.ReLU(),
                         nn.Linear(4, 3, rng=1, dtype=np.float64))


def test_l2_and_l1_values_and_gradients():
    model = network()
    model[0].b.data = np.ones(4)
    parameters = model.parameters()
    for penalty, value, slope in ((regularize.l2, lambda p: 0.15 * np.sum(p * p), lambda p: 0.3 * p),
                                  (regularize.l1, lambda p: 0.3 * np.sum(np.abs(p)), lambda p: 0.3 * np.sign(p))):
        for on in ("weights", "all"):
            chosen = [p for p in parameters if on == "all" or p.ndim == 2]
            model.zero_grad()
            J = penalty(model, 0.3, on)
            J.backward()
            assert J.item() == pytest.approx(sum(value(p.data) for p in chosen), rel=1e-13)
            for p in parameters:
                if any(p is q for q in chosen):
                    np.testing.assert_allclose(p.grad, slope(p.data), rtol=1e-13)
                else:
                    assert p.grad is None


def test_l2_as_regularizer_of_an_objective_is_weight_decay():
    model = network()
    y = np.arange(20) % 3
    plain = Objective(model, losses.cross_entropy, X, y)
    decayed = Objective(model, losses.cross_entropy, X, y, regularizer=lambda m: regularize.l2(m, 0.1, "all"))
    theta = plain.parameters.theta.copy()
    np.testing.assert_allclose(decayed.grad(), plain.grad() + 0.1 * theta, rtol=1e-12, atol=1e-14)
    v = np.random.default_rng(0).standard_normal(theta.size)
    np.testing.assert_allclose(decayed.hvp(None, v), plain.hvp(None, v) + 0.1 * v, rtol=1e-9, atol=1e-12)


def test_penalty_dtype_is_the_models():
    model = nn.Linear(3, 2, rng=0)
    assert regularize.l2(model, 0.1).dtype == regularize.l1(model, 0.1).dtype == np.float32


def test_max_norm_scales_columns_beyond_the_limit_and_leaves_the_others_bit_for_bit():
    model = nn.Sequential(nn.Linear(5, 4, rng=0), nn.Conv2d(2, 3, 3, rng=1), nn.Embedding(6, 4, rng=2))
    parameters = model.parameters()
    model[0].w.data = (model[0].w.data * np.array([0.1, 10, 0.1, 10])).astype(np.float32)
    model[1].w.data = model[1].w.data * np.float32(10)
    model[2].table.data = model[2].table.data + np.float32(100)
    before = model.state_dict()
    graph = model[0](Tensor(np.ones((1, 5), np.float32))).sum()
    assert regularize.max_norm(model, 2.0) == 2 + 3
    w = model[0].w.data
    np.testing.assert_allclose(np.linalg.norm(w[:, [1, 3]], axis=0), 2, rtol=1e-6)
    np.testing.assert_array_equal(w[:, [0, 2]], before["0.w"][:, [0, 2]])
    np.testing.assert_allclose(np.sqrt((model[1].w.data ** 2).sum(axis=(0, 1, 2))), 2, rtol=1e-6)
    np.testing.assert_array_equal(model[2].table.data, before["2.table"])
    np.testing.assert_array_equal(parameters.theta[:20].reshape(5, 4), w)        # in place, in theta
    with pytest.raises(RuntimeError, match="changed since"):
        graph.backward()
    after = model.state_dict()
    assert regularize.max_norm(model, 2.0) == 0                                   # a projection: once is enough
    for path, value in model.state_dict().items():
        np.testing.assert_array_equal(value, after[path])


def test_max_norm_of_transposed_convolutions_and_frozen_layers():
    up = nn.ConvTranspose2d(2, 3, 3, rng=0, dtype=np.float64)
    up.w.data = up.w.data * 10                                                    # (kh, kw, outputs, inputs)
    assert regularize.max_norm(up, 1.0) == 3
    np.testing.assert_allclose(np.sqrt((up.w.data ** 2).sum(axis=(0, 1, 3))), 1, rtol=1e-14)
    frozen = nn.Linear(3, 2, rng=0).freeze()
    assert regularize.max_norm(frozen, 1e-3) == 0


def test_max_norm_counts_the_units_of_every_group_of_a_transposed_convolution():
    up = nn.ConvTranspose2d(4, 4, 1, groups=2, dtype=np.float64)                   # 4 units of 2 weights each
    up.w.data = np.ones(up.w.shape)
    assert regularize.max_norm(up, 1.5) == 0                                       # each has norm 1.414
    up.w.data[0, 0, 1, 2:] = 3.0                                                   # unit 1 of the second group
    assert regularize.max_norm(up, 1.5) == 1
    np.testing.assert_allclose(up.w.data[0, 0], [[1, 1, 1, 1], [1, 1, 1.5 / 2**0.5, 1.5 / 2**0.5]], rtol=1e-15)


@pytest.mark.parametrize("strength", [-1, np.nan, "1", None])
def test_a_penalty_has_a_strength(strength):
    for penalty in (regularize.l1, regularize.l2):
        wanted = rf"{penalty.__name__}: strength must be a number in \[0, inf\), got {strength!r}"
        with pytest.raises(ValueError, match=wanted):
            penalty(nn.Linear(3, 2, rng=0), strength)
    assert regularize.l2(nn.Linear(3, 2, rng=0), np.float64(0.1)).dtype == np.float32


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.Dropout(1.5), r"Dropout: p must be a number in \[0, 1\], got 1.5: it is the probability of dropping"),
    (lambda: nn.DropoutAtTest(-0.1), r"DropoutAtTest: p must be a number in \[0, 1\], got -0.1: it is the probability"),
    (lambda: nn.Dropout(float("nan")), "probability of dropping"),
    (lambda: nn.DropConnect(3, 2, 2), r"DropConnect: p must be a number in \[0, 1\], got 2: it is the probability"),
    (lambda: nn.DropConnect(3, 2, per="row"), 'DropConnect: per must be "example" or "batch", got \'row\''),
    (lambda: nn.StochasticDepth(nn.ReLU(), 0.5, per="row"), "StochasticDepth: per must be"),
    (lambda: nn.StochasticDepth(nn.Linear(6, 3, dtype=np.float64), 0.0)(Tensor(X)),
     r"StochasticDepth: f\(x\) has shape \(20, 3\), the skip \(20, 6\); pass shortcut="),
    (lambda: nn.Dropout(True), "Dropout: p must be a number"),
    (lambda: regularize.max_norm(network(), None), "max_norm: limit must be a number"),
    (lambda: regularize.depth_rates(0), "depth_rates: blocks must be an integer >= 1, got 0"),
    (lambda: regularize.depth_rates(3, 2.0), r"depth_rates: p must be a number in \[0, 1\], got 2.0"),
    (lambda: nn.Dropout(0.5, rng="seed"), "wanted a whole number or a numpy.random.Generator"),
    (lambda: regularize.l2(network(), 0.1, on="biases"), 'l2: on must be "weights"'),
    (lambda: regularize.max_norm(network(), 0), r"max_norm: limit must be a number in \(0, inf\], got 0"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
