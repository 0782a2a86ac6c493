"""Batch and layer normalization (8.7.1): statistics, running averages, second order, and the degenerate batches."""
import copy

import numpy as np
import pytest

from minigrad import Objective, losses, nn, ops
from minigrad.core import Tensor, no_grad, tensor
from minigrad.testing.gradients import gradcheck


def data(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ----------------------------------------------------------------------------------------------------- running averages

@pytest.mark.parametrize("shape", [(7, 3), (4, 5, 6, 3)])
def test_running_averages_equal_pytorchs(shape):
    torch = pytest.importorskip("torch")
    ours = nn.BatchNorm(3, momentum=0.2, dtype=np.float64)
    theirs = (torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d)(3, momentum=0.2, dtype=torch.float64)
    last = [0, *range(2, len(shape)), 1] if len(shape) > 2 else [0, 1]
    first = [0, len(shape) - 1, *range(1, len(shape) - 1)] if len(shape) > 2 else [0, 1]
    for step in range(4):
        x = 3 * data(shape, step) + step
        y, z = ours(Tensor(x)), theirs(torch.tensor(x).permute(first)).permute(last)
        np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-13)
        np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-13)
    ours.eval(), theirs.eval()
    x = data(shape, 9)
    np.testing.assert_allclose(ours(Tensor(x)).data, theirs(torch.tensor(x).permute(first)).permute(last).detach(),
                               rtol=1e-12, atol=1e-12)


def test_momentum_is_the_weight_of_the_new_batch_and_1_over_k_gives_means():
    layer, batches = nn.BatchNorm(2, dtype=np.float64), [data((10, 2), seed) + seed for seed in range(5)]
    for k, x in enumerate(batches, 1):
        layer.momentum = 1 / k
        layer(Tensor(x))
    np.testing.assert_allclose(layer.running_mean, np.mean([x.mean(axis=0) for x in batches], axis=0), rtol=1e-13)
    np.testing.assert_allclose(layer.running_var, np.mean([x.var(axis=0, ddof=1) for x in batches], axis=0), rtol=1e-13)


def test_test_mode_before_any_learning_step_is_gamma_x_plus_beta():
    layer = nn.BatchNorm(3, delta=0.0).eval()
    x = data((1, 3), dtype=np.float32)
    np.testing.assert_allclose(layer(Tensor(x)).data, x, rtol=1e-6)
    assert np.isfinite(nn.BatchNorm(3).eval()(Tensor(np.zeros((1, 3), np.float32))).data).all()


def test_running_averages_are_saved_loaded_and_copied():
    layer = nn.BatchNorm(3)
    layer(Tensor(data((8, 3), dtype=np.float32) + 2))
    state = layer.state_dict()
    assert set(state) == {"gamma", "beta", "running_mean", "running_var"}
    other = nn.BatchNorm(3)
    other.load_state_dict(state)
    x = Tensor(data((4, 3), 1, np.float32))
    np.testing.assert_array_equal(other.eval()(x).data, copy.deepcopy(layer).eval()(x).data)
    layer.train()(Tensor(data((8, 3), dtype=np.float32)))
    np.testing.assert_array_equal(other.running_mean, state["running_mean"])        # no shared memory


def test_no_grad_alone_still_learns_the_averages_and_test_mode_does_not():
    layer = nn.BatchNorm(3)
    with no_grad():
        layer(Tensor(data((8, 3), dtype=np.float32) + 1))
    mean = layer.running_mean.copy()
    assert (mean > 0).all()
    layer.eval()(Tensor(data((8, 3), 1, np.float32)))
    np.testing.assert_array_equal(layer.running_mean, mean)


# --------------------------------------------------------------------------------------------------- degenerate batches

@pytest.mark.parametrize("shape", [(1, 3), (1, 1, 1, 3)])
def test_one_value_per_feature_in_learning_mode_is_refused(shape):
    layer = nn.BatchNorm(3)
    with pytest.raises(ValueError, match=r"more than one value per feature, got x \(1,.*larger batch.*eval\(\)"):
        layer(Tensor(np.ones(shape, np.float32)))
    assert (layer.running_mean == 0).all() and (layer.running_var == 1).all()
    layer(Tensor(np.ones((1, 2, 1, 3), np.float32)))                       # one image of two pixels is enough
    with pytest.raises(ValueError, match="nothing to take the mean of"):
        layer(Tensor(np.ones((0, 3), np.float32)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_feature_is_finite_and_gives_beta(dtype):
    layer = nn.BatchNorm(2, dtype=dtype)
    layer.beta.data = np.array([0.5, -1.0], dtype)
    x = tensor(np.stack([np.full(6, 7.25), np.arange(6.0)], axis=1).astype(dtype), requires_grad=True)
    y = layer(x)
    np.testing.assert_allclose(y.data[:, 0], 0.5)
    y.backward(data(y.shape, dtype=dtype))
    assert np.isfinite(x.grad).all() and np.isfinite(layer.gamma.grad).all()


def test_float32_survives_a_mean_of_10000():
    x = data((200, 4))
    near, far = nn.BatchNorm(4), nn.BatchNorm(4)
    shifted = (x + 1e4).astype(np.float32)
    wanted = near(Tensor((shifted - np.float32(1e4)).astype(np.float32))).data     # the same values, exactly
    np.testing.assert_allclose(far(Tensor(shifted)).data, wanted, atol=2e-3)
    assert (far.running_var > 0.8).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_mean_beta_and_deviation_gamma(dtype):
    layer = nn.BatchNorm(3, dtype=dtype)
    layer.gamma.data, layer.beta.data = np.array([1, 2, 3], dtype), np.array([-1, 0, 1], dtype)
    y = layer(Tensor(data((50, 4, 4, 3), dtype=dtype) * 5 + 3)).data
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), [-1, 0, 1], atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), [1, 2, 3], rtol=1e-5)


def test_the_gradient_never_proposes_to_change_mean_or_deviation():
    """The book: the component along them is zero (up to delta/var for the deviation)."""
    layer = nn.BatchNorm(3, delta=1e-10, dtype=np.float64)
    x = tensor(data((40, 3)), requires_grad=True)
    y = layer(x)
    y.backward(data(y.shape, 1))
    assert np.abs(x.grad.sum(axis=0)).max() < 1e-12
    assert np.abs((x.grad * y.data).sum(axis=0)).max() < 1e-8


# --------------------------------------------------------------------------------------------------------- second order

def convnet(dtype=np.float64):
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False, rng=0, dtype=dtype), nn.BatchNorm(4, relu=True, dtype=dtype),
                         nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, rng=1, dtype=dtype), nn.BatchNorm(5, dtype=dtype),
                         nn.Tanh(), nn.Dropout(0.2, rng=0), nn.Flatten(), nn.LayerNorm(45, dtype=dtype),
                         nn.Linear(45, 3, rng=2, dtype=dtype))


def test_hessian_vector_product_through_mean_and_deviation_equals_pytorchs():
    torch = pytest.importorskip("torch")
    model = convnet()
    model.layers = [layer for layer in model.layers if not isinstance(layer, nn.Dropout)]
    x, y = data((6, 12, 12, 1)), np.array([0, 1, 2, 0, 1, 2])
    J = Objective(model, losses.cross_entropy, x, y)
    F = torch.nn.functional

    def theirs(w0, gamma1, beta1, w3, b3, gamma4, beta4, gamma7, beta7, w8, b8):
        z = F.conv2d(torch.tensor(x).permute(0, 3, 1, 2), w0.permute(3, 2, 0, 1))
        z = F.max_pool2d(torch.relu(F.batch_norm(z, None, None, gamma1, beta1, True)), 2)
        z = F.batch_norm(F.conv2d(z, w3.permute(3, 2, 0, 1), b3), None, None, gamma4, beta4, True)
        z = F.layer_norm(torch.tanh(z).permute(0, 2, 3, 1).flatten(1), (45,), gamma7, beta7)
        return F.cross_entropy(z @ w8 + b8, torch.tensor(y))

    p = [torch.tensor(q.data, requires_grad=True) for q in J.parameters]
    v = data(J.parameters.n, 3)
    gs = torch.autograd.grad(theirs(*p), p, create_graph=True)
    inner = sum((g * torch.tensor(part)).sum() for g, part in zip(gs, J.parts(v)))
    wanted = np.concatenate([h.numpy().ravel() for h in torch.autograd.grad(inner, p)])
    np.testing.assert_allclose(J.grad(), np.concatenate([g.detach().numpy().ravel() for g in gs]), atol=1e-13)
    got = J.hvp(None, v)
    assert np.linalg.norm(got - wanted) < 1e-9 * np.linalg.norm(wanted)


def test_hessian_vector_product_equals_difference_of_gradients():
    J = Objective(convnet(), losses.cross_entropy, data((6, 12, 12, 1)), np.array([0, 1, 2, 0, 1, 2]))
    theta, v, h = J.parameters.theta.copy(), data(J.parameters.n, 3), 1e-6
    wanted = (J.grad(theta + h * v) - J.grad(theta - h * v)) / (2 * h)
    np.testing.assert_allclose(J.hvp(theta, v), wanted, rtol=1e-4, atol=1e-6)


def test_objectives_leave_no_trace_in_a_model_with_everything_in_it():
    """Running averages, generators, gradients and theta are as before: after values, gradients and products."""
    model = convnet()
    J = Objective(model, losses.cross_entropy, data((6, 12, 12, 1)), np.array([0, 1, 2, 0, 1, 2]))
    model(Tensor(data((6, 12, 12, 1), 1)))                                   # averages that are not 0 and 1
    before = model.state_dict()
    states = [rng.bit_generator.state for _, rng in model.generators()]
    theta = J.parameters.theta + 0.1
    values = [(J.value(theta), J.grad(theta), J.hvp(theta, np.ones(J.parameters.n))) for _ in range(2)]
    for a, b in zip(*values):
        np.testing.assert_array_equal(a, b)                                  # the same masks each time
    for path, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
    assert states == [rng.bit_generator.state for _, rng in model.generators()]
    assert all(p.grad is None for p in J.parameters)
    first = model(Tensor(data((6, 12, 12, 1)))).data
    assert not np.array_equal(first, model(Tensor(data((6, 12, 12, 1)))).data)       # learning draws anew
    assert not np.array_equal(model.state_dict()["1.running_mean"], before["1.running_mean"])


def test_a_probe_that_raises_leaves_no_trace_either():
    model = convnet()

    def broken(y, labels):
        raise ZeroDivisionError

    J = Objective(model, broken, data((6, 12, 12, 1)), np.zeros(6, int))
    before = model.state_dict()
    with pytest.raises(ZeroDivisionError):
        J.value(J.parameters.theta + 1)
    for path, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[path])
    model(Tensor(data((6, 12, 12, 1))))
    assert (model[1].running_mean != 0).any()                                # learning again


# ---------------------------------------------------------------------------------------------------- redundant biases

def test_a_bias_before_batch_norm_does_nothing_and_is_named():
    model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.BatchNorm(5), nn.Sequential(nn.Linear(5, 5, rng=1), nn.ReLU()),
                          nn.Sequential(nn.Linear(5, 3, bias=False, rng=2), nn.BatchNorm(3), nn.Linear(3, 2, rng=3)))
    x = data((8, 4), dtype=np.float32)
    assert nn.redundant_biases(model) == nn.redundant_biases(model, x) == ["0"]
    y = model(Tensor(x)).data
    model[0].b.data = model[0].b.data + np.float32(3)
    np.testing.assert_allclose(model(Tensor(x)).data, y, atol=1e-5)
    assert (model[1].running_mean != 0).any()


def test_redundant_biases_of_a_model_that_is_no_sequence():
    class Net(nn.Module):
        def __init__(self):
            self.norm, self.conv, self.other = nn.BatchNorm(3), nn.Conv2d(1, 3, 3, rng=0), nn.Conv2d(3, 3, 1, rng=1)

        def forward(self, x):
            return self.norm(self.conv(x)) + ops.relu(self.other(self.norm(self.conv(x))))

    model = Net()
    before = model.state_dict()
    assert nn.redundant_biases(model) == []
    assert nn.redundant_biases(model, data((2, 5, 5, 1), dtype=np.float32)) == ["conv"]
    np.testing.assert_array_equal(model.norm.running_mean, before["norm.running_mean"])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.BatchNorm(0), "BatchNorm: features must be an integer >= 1, got 0"),
    (lambda: nn.BatchNorm(3, momentum=1.5), r"momentum must be a number in \[0, 1\], got 1.5: .* weight of the new"),
    (lambda: nn.BatchNorm(3, momentum=None), r"momentum must be a number in \[0, 1\], got None"),
    (lambda: nn.BatchNorm(3, relu="yes"), "BatchNorm: relu must be True or False, got 'yes'"),
    (lambda: nn.LayerNorm(3, "small"), r"LayerNorm: delta must be a number in \[0, inf\), got 'small'"),
    (lambda: nn.BatchNorm(3)(Tensor(np.ones((4, 2), np.float32))), r"gamma and beta must be \(2,\).*\(4, 2\)"),
    (lambda: nn.BatchNorm(3).eval()(Tensor(np.ones((4, 2), np.float32))), r"the last axis of x must be 3.*\(4, 2\)"),
    (lambda: nn.BatchNorm(3)(Tensor(np.ones((4, 3)))), "one floating-point dtype, got float64, float32"),
    (lambda: nn.BatchNorm(3).eval()(Tensor(np.ones((4, 3)))), "float32, got x float64"),
    (lambda: nn.BatchNorm(3, delta=-1)(Tensor(np.ones((4, 3), np.float32))), r"delta must be a number in \[0, inf\)"),
    (lambda: nn.LayerNorm(2.5), "LayerNorm: features must be an integer >= 1, got 2.5"),
    (lambda: nn.LayerNorm(3)(Tensor(np.ones((4, 2), np.float32))), r"gamma and beta must be \(2,\)"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_layer_norm_does_not_depend_on_the_batch():
    layer = nn.LayerNorm(6, dtype=np.float64)
    x = data((5, 6))
    np.testing.assert_allclose(layer(Tensor(x)).data[2:3], layer(Tensor(x[2:3])).data, rtol=1e-14)
    assert layer.state_dict().keys() == {"gamma", "beta"}
    gradcheck(lambda z: layer(z), data((1, 6)))


@pytest.mark.parametrize("number", [np.float64(0.1), np.float32(0.1), 1 / np.arange(1, 11)[-1]])
def test_numbers_of_numpy_do_not_widen_the_averages(number):
    layer = nn.BatchNorm(3, delta=np.float64(1e-5))
    layer.momentum = number
    layer(tensor(np.arange(12.0).reshape(4, 3).astype(np.float32)))
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float32
    assert layer.eval()(tensor(np.ones((1, 3), np.float32))).dtype == np.float32


def test_a_momentum_set_later_is_checked_when_it_is_used():
    layer = nn.BatchNorm(3)
    layer.momentum = 7
    with pytest.raises(ValueError, match=r"BatchNorm: momentum .* in \[0, 1\], got 7"):
        layer(tensor(np.ones((4, 3), np.float32)))


def test_batch_norm_without_averages_uses_the_batch_at_test_time_and_saves_none():
    layer, x = nn.BatchNorm(3, affine=False, tracking=False), np.random.default_rng(0).standard_normal((6, 3))
    assert not layer.state_dict() and layer.describe() == "BatchNorm(3, affine=False, tracking=False)"
    x = Tensor(x.astype(np.float32))
    y = layer(x).data
    np.testing.assert_array_equal(layer.eval()(x).data, y)
    np.testing.assert_allclose(y, (x.data - x.data.mean(0)) / np.sqrt(x.data.var(0) + 1e-5), rtol=1e-4, atol=1e-6)
    assert nn.BatchNorm(3, affine=False).state_dict().keys() == {"running_mean", "running_var"}


@pytest.mark.parametrize("call, message", [
    (lambda: nn.GroupNorm(2, 5), "GroupNorm: groups must divide features, got 2 for 5"),
    (lambda: nn.GroupNorm(2, 4)(Tensor(np.ones((3, 6), np.float32))), "GroupNorm: the last axis of x must be 4"),
    (lambda: nn.InstanceNorm(4)(Tensor(np.ones((3, 4), np.float32))), "each of 4 groups has one value per example"),
    (lambda: nn.RMSNorm(3, delta=-1.0), r"RMSNorm: delta must be a number in \[0, inf\)"),
    (lambda: nn.BatchNorm(3, affine=None), "BatchNorm: affine must be True or False")])
def test_what_norms_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
