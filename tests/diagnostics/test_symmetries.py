"""Weight space symmetry (8.2.2): other parameters, the same function to 1e-12, in learning and in test mode."""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from minigrad import Objective, Tensor, losses, nn, ops
from minigrad.diagnostics import permute_units, rescale_units
from minigrad.nn import fixed_statistics


def dense(*between, dtype=np.float64):
    """4 -> 6 -> 3 with these between the layers."""
    return nn.Sequential(nn.Linear(4, 6, rng=0, dtype=dtype), *between, nn.Linear(6, 3, rng=1, dtype=dtype))


def norm(features=6, **options):
    """A BatchNorm that has learned and seen something."""
    rng, layer = np.random.default_rng(2), nn.BatchNorm(features, dtype=np.float64, **options)
    layer.gamma.data, layer.beta.data = rng.uniform(0.5, 2, features), rng.standard_normal(features)
    layer.running_mean, layer.running_var = rng.standard_normal(features), rng.uniform(0.5, 2, features)
    return layer


def images(*between):
    """(n, 6, 6, 2) -> 5 channels -> between -> 3 classes; the last layer is made for what comes out."""
    body = nn.Sequential(nn.Conv2d(2, 5, 3, rng=0, dtype=np.float64), *between)
    width = body(Tensor(np.zeros((2, 6, 6, 2)))).shape[-1]
    last = nn.Linear(width, 3, rng=1, dtype=np.float64)
    return nn.Sequential(*body.layers, last)


def layer_norm():
    layer = nn.LayerNorm(6, dtype=np.float64)
    layer.gamma.data = np.random.default_rng(2).uniform(0.5, 2, 6)
    return layer


@dataclass(frozen=True)
class Case:
    """A model, the path of the layer whose units change places, and whether they can be rescaled."""
    make: Callable[[], nn.Module]
    path: str = "0"
    scalable: bool = True


MODELS = {
    "relu": Case(lambda: dense(nn.ReLU())),
    "relu as a function": Case(lambda: dense(ops.relu)),
    "nothing between": Case(lambda: dense()),
    "leaky relu, dropout at test time": Case(lambda: dense(nn.LeakyReLU(0.3), nn.Dropout(0.0))),
    "tanh": Case(lambda: dense(nn.Tanh()), scalable=False),
    "sigmoid as a function": Case(lambda: dense(ops.sigmoid), scalable=False),
    "batch norm, relu": Case(lambda: dense(norm(), nn.ReLU())),
    "batch norm with its relu": Case(lambda: dense(norm(relu=True))),
    "tanh, batch norm": Case(lambda: dense(nn.Tanh(), norm())),
    "batch norm, tanh": Case(lambda: dense(norm(), nn.Tanh()), scalable=False),
    "batch norm before and after": Case(lambda: dense(norm(), nn.ReLU(), norm())),
    "layer norm": Case(lambda: dense(layer_norm(), nn.ReLU())),
    "maxout": Case(lambda: nn.Sequential(nn.Maxout(4, 6, pieces=3, rng=0, dtype=np.float64),
                                         nn.Maxout(6, 3, pieces=2, rng=1, dtype=np.float64))),
    "without biases": Case(lambda: nn.Sequential(nn.Linear(4, 6, bias=False, rng=0, dtype=np.float64), nn.ReLU(),
                                                 nn.Linear(6, 3, bias=False, rng=1, dtype=np.float64))),
    "in a nested Sequential": Case(
        lambda: nn.Sequential(nn.Sequential(nn.Linear(4, 6, rng=0, dtype=np.float64), nn.ReLU()),
                              nn.Linear(6, 3, rng=1, dtype=np.float64)), path="0.0"),
    "in a residual block": Case(lambda: nn.Sequential(nn.Residual(nn.Sequential(
        nn.Linear(4, 7, rng=0, dtype=np.float64), nn.ReLU(), nn.Linear(7, 4, rng=1, dtype=np.float64)))), path="0.f.0"),
    "convolution, convolution": Case(lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3, rng=0, dtype=np.float64), norm(5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(5, 4, 2, rng=1, dtype=np.float64), nn.Flatten())),
    "convolution, flatten, linear": Case(lambda: images(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())),
    "convolution, average, linear": Case(lambda: images(norm(5, relu=True), nn.GlobalAvgPool())),
}


def case(name):
    shape = (10, 6, 6, 2) if "convolution" in name else (10, 4)
    return MODELS[name].make(), MODELS[name].path, Tensor(np.random.default_rng(3).standard_normal(shape))


def outputs(model, x):
    """In learning mode and in test mode."""
    with fixed_statistics(model):
        return model.train()(x).data, model.eval()(x).data


@pytest.mark.parametrize("name", MODELS)
def test_units_that_changed_places_compute_the_same(name):
    model, path, x = case(name)
    before, weights = outputs(model, x), model.parameters().theta.copy()
    order = permute_units(model, path, rng=1)
    assert not np.array_equal(order, np.arange(len(order)))
    for y, wanted in zip(outputs(model, x), before):
        assert np.abs(y - wanted).max() < 1e-12
    assert not np.array_equal(weights, model.parameters().theta)
    permute_units(model, path, order=np.argsort(order))
    assert np.array_equal(weights, model.parameters().theta)


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name].scalable])
def test_units_on_another_scale_compute_the_same(name):
    model, path, x = case(name)
    before, weights = outputs(model, x), model.parameters().theta.copy()
    alpha = rescale_units(model, path, rng=1)
    assert 0.5 <= alpha.min() < 1 < alpha.max() <= 2
    for y, wanted in zip(outputs(model, x), before):
        assert np.abs(y - wanted).max() < 1e-12
    assert np.abs(weights - model.parameters().theta).max() > 0.1
    rescale_units(model, path, alpha=1 / alpha)
    assert model.parameters().theta == pytest.approx(weights, rel=1e-14)


@pytest.mark.parametrize("name", [name for name in MODELS if not MODELS[name].scalable])
def test_what_is_not_homogeneous_is_refused(name):
    model, path, _ = case(name)
    weights = model.parameters().theta.copy()
    with pytest.raises(ValueError, match=r"rescale_units: between '0' and '\d' stands a function f"):
        rescale_units(model, path)
    assert np.array_equal(weights, model.parameters().theta)


def test_a_permuted_unit_is_the_one_it_was():
    model = dense(nn.ReLU())
    w, b, after = (model[0].w.data.copy(), model[0].b.data.copy(), model[2].w.data.copy())
    order = permute_units(model, "0", order=[5, 0, 1, 2, 3, 4])
    assert np.array_equal(model[0].w.data, w[:, order]) and np.array_equal(model[0].b.data, b[order])
    assert np.array_equal(model[2].w.data, after[order])


def test_powers_of_two_change_no_bit_of_the_function():
    model = dense(nn.ReLU(), dtype=np.float32)
    x = Tensor(np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32))
    before = model(x).data
    rescale_units(model, "0", alpha=4)
    assert np.array_equal(model(x).data, before) and model[0].w.dtype == np.float32


def test_the_cost_is_the_same_its_gradient_is_not_and_weight_decay_sees_the_difference():
    model = dense(nn.ReLU())
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    plain = Objective(model, losses.cross_entropy, x, y)
    decayed = Objective(model, losses.cross_entropy, x, y, regularizer=lambda m: nn.regularize.l2(m, 0.1))
    before = plain.value(), decayed.value(), np.linalg.norm(plain.grad())
    rescale_units(model, "0", alpha=10.0)
    assert plain.value() == pytest.approx(before[0], rel=1e-13)
    assert decayed.value() > 2 * before[1] and np.linalg.norm(plain.grad()) > 2 * before[2]


def test_the_model_still_has_one_theta():
    model = dense(nn.ReLU())
    params = model.parameters()
    permute_units(model, "0", rng=0)
    rescale_units(model, "0", rng=0)
    assert np.shares_memory(params.theta, model[0].w.data) and np.shares_memory(params.theta, model[2].w.data)


def grouped():
    return nn.Sequential(nn.Conv2d(4, 4, 3, groups=2, rng=0), nn.ReLU(), nn.Conv2d(4, 2, 3, rng=0))


def tied():
    layer = nn.Linear(4, 4, rng=0)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize("make, path, words", [
    (lambda: dense(nn.ReLU()), "2", "its units are the outputs"), (lambda: dense(nn.ReLU()), "1", "'1' must be a Lin"),
    (lambda: dense(nn.ReLU()), "7", "no layer '7' .*layers are '0', '2'"), (lambda: dense(nn.ReLU()), 0, "no layer 0"),
    (lambda: dense(nn.Softmax()), "0", "Softmax .'1'., which is not known"), (grouped, "0", "in one group"),
    (lambda: dense(lambda h: h), "0", "not known"), (lambda: dense(nn.Residual(nn.Tanh())), "0", "Residual"),
    (tied, "0", "tied"), (lambda: nn.Linear(4, 6), "", "no layer ''"),
])
def test_where_the_symmetry_is_not_known_it_is_refused(make, path, words):
    model = make()
    weights = model.parameters().theta.copy()
    for change in (permute_units, rescale_units):
        with pytest.raises(ValueError, match=f"{change.__name__}: .*{words}"):
            change(model, path)
    assert np.array_equal(weights, model.parameters().theta)


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6]])
def test_an_order_that_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match="permutation of the 6 units"):
        permute_units(dense(nn.ReLU()), "0", order=order)


@pytest.mark.parametrize("alpha", [0, -1, np.nan, np.inf, [1, 2], np.zeros(6), "2"])
def test_a_scale_that_is_not_positive_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be positive"):
        rescale_units(dense(nn.ReLU()), "0", alpha=alpha)


def test_a_scale_that_would_overflow_is_refused():
    model = dense(nn.ReLU(), dtype=np.float32)
    with np.errstate(over="raise", invalid="raise"), pytest.raises(ValueError, match="would overflow float32"):
        rescale_units(model, "0", alpha=1e39)
