"""Shortcuts (8.7.5): highway gates, auxiliary heads, and the gradient that reaches layer 1."""
import copy

import numpy as np
import pytest

from minigrad import Objective, Tensor, losses, nn, ops, optim, training
from minigrad.core import grad
from minigrad.testing.gradients import gradcheck, gradgradcheck

rng = np.random.default_rng(0)
x, y = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])


def body(k, dtype=np.float64):
    return nn.Sequential(nn.Linear(4, 4, rng=k, dtype=dtype), nn.Tanh())


def headed(dtype=np.float64):
    """Two heads: below the second and below the third of three blocks."""
    top = nn.Sequential(body(2, dtype), nn.Linear(4, 3, rng=3, dtype=dtype))
    middle = nn.AuxiliaryHead(top, nn.Linear(4, 3, rng=4, dtype=dtype))
    return nn.Sequential(body(0, dtype), nn.AuxiliaryHead(nn.Sequential(body(1, dtype), middle),
                                                          nn.Linear(4, 3, rng=5, dtype=dtype)))


# -------------------------------------------------------------------------------------------------------------- highway

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_highway_is_a_mixture_by_its_gate(dtype):
    layer = nn.Highway(body(1, dtype), 4, rng=0, dtype=dtype)
    z = Tensor(x.astype(dtype))
    t = 1 / (1 + np.exp(-(z.data @ layer.gate.w.data + layer.gate.b.data)))
    wanted = t * layer.f(z).data + (1 - t) * z.data
    assert layer(z).dtype == dtype
    assert layer(z).data == pytest.approx(wanted, rel=1e-5 if dtype == np.float32 else 1e-12)
    assert (layer.gate.b.data == -2).all()


def test_a_closed_gate_passes_x_and_an_open_one_f():
    z = Tensor(x)
    closed, opened = (nn.Highway(body(1), 4, gate_bias=b, rng=0, dtype=np.float64) for b in (-50, 50))
    assert closed(z).data == pytest.approx(x, abs=1e-15)
    assert opened(z).data == pytest.approx(opened.f(z).data, abs=1e-15)


def test_derivatives_of_a_highway_to_second_order():
    layer = nn.Highway(ops.tanh, 4, rng=0, dtype=np.float64)
    gradcheck(lambda z: layer(z), x)
    gradgradcheck(lambda z: layer(z), x)


def test_a_highway_says_what_is_wrong():
    with pytest.raises(ValueError, match="keep the shape of x, .6, 4., got .6, 3."):
        nn.Highway(nn.Linear(4, 3, rng=0, dtype=np.float64), 4, rng=0, dtype=np.float64)(Tensor(x))
    with pytest.raises(ValueError, match="Highway: f is the class Tanh"):
        nn.Highway(nn.Tanh, 4)
    with pytest.raises(ValueError, match="gate_bias"):
        nn.Highway(ops.tanh, 4, gate_bias=np.nan)


# ---------------------------------------------------------------------------------------------------------------- heads

def test_learning_gives_all_outputs_and_test_mode_one():
    model = headed()
    output, low, high = model(Tensor(x))
    alone = model.eval()(Tensor(x))
    assert isinstance(alone, Tensor) and np.array_equal(alone.data, output.data)
    h = model[0](Tensor(x))
    assert np.array_equal(low.data, model[1].head(h).data)
    assert np.array_equal(high.data, model[1].above[1].head(model[1].above[0](h)).data)


def test_the_loss_is_the_outputs_and_a_share_of_the_heads():
    model = headed()
    output, low, high = model(Tensor(x))
    J = nn.auxiliary_loss(losses.cross_entropy, weight=0.25)
    wanted = losses.cross_entropy(output, y).item() + 0.25 * (losses.cross_entropy(low, y).item()
                                                              + losses.cross_entropy(high, y).item())
    assert J((output, low, high), y).item() == pytest.approx(wanted, rel=1e-14)
    assert J(output, y).item() == losses.cross_entropy(output, y).item()


def test_the_gradients_of_all_paths_add_up():
    """d/dW1 of the sum is the sum of the separate gradients: the lower layers are a shared expression."""
    model = headed()
    w, J = model[0][0].w, nn.auxiliary_loss(losses.cross_entropy, 0.25)
    parts = [grad(losses.cross_entropy(model(Tensor(x))[i], y), w).data for i in range(3)]
    together = grad(J(model(Tensor(x)), y), w).data
    assert together == pytest.approx(parts[0] + 0.25 * (parts[1] + parts[2]), rel=1e-12)


def test_objective_of_a_model_with_heads_is_right_by_differences():
    model = headed()
    J, theta = Objective(model, nn.auxiliary_loss(losses.cross_entropy), x, y), model.parameters().theta.copy()
    g, v = J.grad(theta), np.random.default_rng(1).standard_normal(len(theta))
    assert g @ v == pytest.approx((J.value(theta + 1e-6 * v) - J.value(theta - 1e-6 * v)) / 2e-6, rel=1e-7)


def test_discarded_heads_leave_the_output_and_nothing_of_themselves():
    model = headed()
    wanted, n = model.eval()(Tensor(x)).data, model.parameters().n
    plain = nn.discard_heads(copy.deepcopy(model))
    assert np.array_equal(plain.train()(Tensor(x)).data, wanted)
    assert plain.parameters().n == n - 2 * 15 and not any("head" in name for name, _ in plain.named_parameters())
    assert nn.discard_heads(nn.AuxiliaryHead(model[0], ops.tanh)) is model[0]


def test_fit_trains_and_evaluates_a_model_with_heads():
    model = headed(np.float32)
    z = x.astype(np.float32)
    run = training.fit(model, nn.auxiliary_loss(losses.cross_entropy), optim.Adam(model.parameters(), lr=0.05),
                       [(z, y)], epochs=60, validation=(z, y), progress=False)
    assert run.history[-1]["validation_error"] == 0
    assert run.history[-1]["validation_loss"] == pytest.approx(
        losses.cross_entropy(model.eval()(Tensor(z)), y).item(), rel=1e-6)


def test_heads_of_weight_0_leave_the_loss_of_the_output():
    outputs, y = (Tensor(np.eye(3)), Tensor(np.ones((3, 3)))), np.arange(3)
    assert nn.auxiliary_loss(losses.cross_entropy, 0)(outputs, y).item() == losses.cross_entropy(outputs[0], y).item()


def test_wrong_arguments_of_heads():
    with pytest.raises(ValueError, match="AuxiliaryHead: head must be a module or a function"):
        nn.AuxiliaryHead(body(0), 3)
    with pytest.raises(ValueError, match="weight >= 0, got .* and -1"):
        nn.auxiliary_loss(losses.cross_entropy, -1)
    with pytest.raises(ValueError, match="wanted a loss"):
        nn.auxiliary_loss(0.3)


# ------------------------------------------------------------------------------------------------- what reaches layer 1

def first_gradient(block, depth=30):
    """|dJ/dW1| of `depth` blocks between an input layer and an output."""
    model = nn.Sequential(nn.Linear(4, 4, rng=0, dtype=np.float64), *(block(k) for k in range(depth)),
                          nn.Linear(4, 3, rng=1, dtype=np.float64))
    return np.linalg.norm(grad(losses.cross_entropy(model(Tensor(x)), y), model[0].w).data)


def test_shortcuts_carry_the_gradient_to_layer_one():
    plain = first_gradient(body)
    assert plain < 1e-6
    assert first_gradient(lambda k: nn.Residual(body(k))) > 1e-3
    assert first_gradient(lambda k: nn.Highway(body(k), 4, rng=k, dtype=np.float64)) > 1e-3


def test_a_head_carries_it_too():
    deep = nn.Sequential(*(body(k) for k in range(30)), nn.Linear(4, 3, rng=1, dtype=np.float64))
    model = nn.Sequential(nn.Linear(4, 4, rng=0, dtype=np.float64),
                          nn.AuxiliaryHead(deep, nn.Linear(4, 3, rng=2, dtype=np.float64)))
    J = nn.auxiliary_loss(losses.cross_entropy)(model(Tensor(x)), y)
    assert np.linalg.norm(grad(J, model[0].w).data) > 1e-3
