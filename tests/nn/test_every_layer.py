"""What holds for every layer: right first and second derivatives, PyTorch's values, its own dtype, fixed masks."""
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minigrad import init, nn, ops
from minigrad.core import Tensor, tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck


def images(function):
    """PyTorch's channels-first function as one of channels-last images."""
    return lambda x, *rest: function(x.permute(0, 3, 1, 2), *rest).permute(0, 2, 3, 1)


def as_linear(x, p):
    return x @ p["w"] + p["b"]


def layer_lstm(torch, x, p):
    zero = x.new_zeros(len(x), 4)
    return torch.lstm_cell(x, (zero, zero), p["w"].T, p["u"].T, p["b"], 0 * p["b"])[0]


def layer_gru(torch, x, h, p):
    other = torch.cat([0 * p["b"][:8], p["c"]])
    return torch.gru_cell(x, h, p["w"].T, p["u"].T, p["b"], other)


class Twice(nn.Module):
    """A cell whose state is half its input, so that both are differentiated."""

    def __init__(self, cell):
        self.cell = cell

    def forward(self, x):
        return self.cell(x, x * 0.5)


class First(nn.Module):
    """The first of several outputs, for checkers that want one."""

    def __init__(self, cell):
        self.cell = cell

    def forward(self, x):
        y = self.cell(x)
        return y[0] if isinstance(y, tuple) else y


def block(dtype):
    return nn.Sequential(nn.Linear(4, 4, rng=2, dtype=dtype), nn.Tanh(), nn.Linear(4, 4, rng=3, dtype=dtype))


def kernel(p):
    return p["w"].permute(3, 2, 0, 1)


def kernel1d(p):
    return p["w"].permute(2, 1, 0)


def sequences(function):
    """PyTorch's channels-first function as one of channels-last sequences."""
    return lambda x: function(x.permute(0, 2, 1)).permute(0, 2, 1)


@dataclass(frozen=True)
class Case:
    """make(dtype) -> a layer, the shape of its x, and PyTorch's twin f(torch, x, parameters), where it has one."""
    make: Callable[[Any], nn.Module]
    shape: tuple[int, ...]
    twin: Callable[..., Any] | None = None


LAYERS = {
    "Linear": Case(lambda d: nn.Linear(4, 3, rng=0, dtype=d), (5, 4), twin=lambda torch, x, p: as_linear(x, p)),
    "Linear without bias, on more axes": Case(lambda d: nn.Linear(4, 3, bias=False, rng=0, dtype=d), (2, 3, 4),
                                              twin=lambda torch, x, p: x @ p["w"]),
    "Maxout": Case(lambda d: nn.Maxout(4, 3, pieces=2, rng=0, dtype=d), (5, 4),
                   twin=lambda torch, x, p: as_linear(x, p).reshape(5, 3, 2).amax(-1)),
    "ReLU": Case(lambda d: nn.ReLU(), (5, 4), twin=lambda torch, x, p: torch.relu(x)),
    "Sigmoid": Case(lambda d: nn.Sigmoid(), (5, 4), twin=lambda torch, x, p: torch.sigmoid(x)),
    "Tanh": Case(lambda d: nn.Tanh(), (5, 4), twin=lambda torch, x, p: torch.tanh(x)),
    "Softplus": Case(lambda d: nn.Softplus(), (5, 4), twin=lambda torch, x, p: torch.nn.functional.softplus(x)),
    "GELU": Case(lambda d: nn.GELU(), (5, 4), twin=lambda torch, x, p: torch.nn.functional.gelu(x)),
    "LeakyReLU": Case(lambda d: nn.LeakyReLU(0.2), (5, 4),
                      twin=lambda torch, x, p: torch.nn.functional.leaky_relu(x, 0.2)),
    "ELU": Case(lambda d: nn.ELU(0.7), (5, 4), twin=lambda torch, x, p: torch.nn.functional.elu(x, 0.7)),
    "Softmax": Case(lambda d: nn.Softmax(), (5, 4), twin=lambda torch, x, p: torch.softmax(x, -1)),
    "LogSoftmax": Case(lambda d: nn.LogSoftmax(axis=0), (5, 4), twin=lambda torch, x, p: torch.log_softmax(x, 0)),
    "Identity": Case(lambda d: nn.Identity(), (2, 3, 4), twin=lambda torch, x, p: x),
    "Flatten": Case(lambda d: nn.Flatten(), (2, 3, 4), twin=lambda torch, x, p: x.flatten(1)),
    "Residual": Case(lambda d: nn.Residual(nn.Linear(4, 4, rng=0, dtype=d)), (5, 4),
                     twin=lambda torch, x, p: x + x @ p["f.w"] + p["f.b"]),
    "Residual with shortcut": Case(lambda d: nn.Residual(nn.Linear(4, 3, rng=0, dtype=d),
                                                         nn.Linear(4, 3, bias=False, rng=1, dtype=d)), (5, 4),
                                   twin=lambda torch, x, p: x @ p["shortcut.w"] + x @ p["f.w"] + p["f.b"]),
    "Highway": Case(lambda d: nn.Highway(ops.tanh, 4, rng=0, dtype=d), (5, 4),
                    twin=lambda torch, x, p: x + torch.sigmoid(
        x @ p["gate.w"] + p["gate.b"]) * (torch.tanh(x) - x)),
    "AuxiliaryHead": Case(lambda d: First(nn.AuxiliaryHead(nn.Linear(4, 3, rng=0, dtype=d), nn.Flatten())), (5, 4),
                          twin=lambda torch, x, p: x @ p["cell.above.w"] + p["cell.above.b"]),
    "Conv2d": Case(lambda d: nn.Conv2d(2, 3, 3, padding=1, rng=0, dtype=d), (2, 5, 4, 2),
                   twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.conv2d(z, kernel(p), p["b"], padding=1))(x)),
    "Conv2d with everything": Case(
        lambda d: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=((1, 1), (2, 2)), dilation=(1, 2), groups=2,
                            bias=False, rng=0, dtype=d), (2, 6, 5, 4),
        twin=lambda torch, x, p: images(lambda z: torch.nn.functional.conv2d(
            z, kernel(p), None, (2, 1), (1, 2), (1, 2), 2))(x)),
    "ConvTranspose2d": Case(
        lambda d: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, rng=0, dtype=d),
        (2, 3, 4, 4), twin=lambda torch, x, p: images(lambda z: torch.nn.functional.conv_transpose2d(
            z, kernel(p), p["b"], 2, 1, 1, 2))(x)),
    "MaxPool2d": Case(lambda d: nn.MaxPool2d(3, stride=2, padding=1), (2, 6, 5, 3), twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.max_pool2d(z, 3, 2, 1))(x)),
    "AvgPool2d": Case(lambda d: nn.AvgPool2d((2, 3)), (2, 6, 7, 3), twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.avg_pool2d(z, (2, 3)))(x)),
    "MaxPool2d, ceil": Case(lambda d: nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True), (2, 6, 7, 3),
                            twin=lambda torch, x, p: images(
                                lambda z: torch.nn.functional.max_pool2d(z, 2, 3, 1, ceil_mode=True))(x)),
    **{f"AvgPool2d, {options}": Case(
        lambda d, options=options: nn.AvgPool2d(**options), (2, 6, 7, 3),
        twin=lambda torch, x, p, options=options: images(
            lambda z: torch.nn.functional.avg_pool2d(z, *options.values()))(x))
       for options in [dict(size=3, stride=2, padding=1, ceil_mode=ceil, count_include_pad=count)
                       for ceil in (False, True) for count in (False, True)]},
    "AdaptiveMaxPool2d": Case(lambda d: nn.AdaptiveMaxPool2d((3, 4)), (2, 7, 6, 2), twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.adaptive_max_pool2d(z, (3, 4)))(x)),
    "AdaptiveAvgPool2d": Case(lambda d: nn.AdaptiveAvgPool2d((3, 8)), (2, 7, 6, 2), twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.adaptive_avg_pool2d(z, (3, 8)))(x)),
    "Conv2d of a torus": Case(lambda d: nn.Conv2d(2, 3, 3, padding=1, rng=0, dtype=d, padding_mode="wrap"),
                              (2, 5, 4, 2),
                              twin=lambda torch, x, p: images(lambda z: torch.nn.functional.conv2d(
                                  torch.nn.functional.pad(z, (1, 1, 1, 1), "circular"), kernel(p), p["b"]))(x)),
    "MaxPool2d, dilated": Case(lambda d: nn.MaxPool2d(2, stride=1, padding=1, dilation=(2, 3)), (2, 6, 5, 3),
                               twin=lambda torch, x, p: images(
                                   lambda z: torch.nn.functional.max_pool2d(z, 2, 1, 1, (2, 3)))(x)),
    "Conv1d": Case(lambda d: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, rng=0, dtype=d), (2, 9, 4),
                   twin=lambda torch, x, p: sequences(lambda z: torch.nn.functional.conv1d(
                       z, kernel1d(p), p["b"], 2, 2, 2, 2))(x)),
    "ConvTranspose1d": Case(
        lambda d: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, rng=0, dtype=d),
        (2, 5, 4), twin=lambda torch, x, p: sequences(lambda z: torch.nn.functional.conv_transpose1d(
            z, kernel1d(p), p["b"], 2, 1, 1, 2))(x)),
    "MaxPool1d": Case(lambda d: nn.MaxPool1d(3, stride=2, padding=1, dilation=2), (2, 9, 3),
                      twin=lambda torch, x, p: sequences(
        lambda z: torch.nn.functional.max_pool1d(z, 3, 2, 1, 2))(x)),
    "AvgPool1d": Case(lambda d: nn.AvgPool1d(3, stride=2, padding=1, count_include_pad=False), (2, 9, 3),
                      twin=lambda torch, x, p: sequences(lambda z: torch.nn.functional.avg_pool1d(
                          z, 3, 2, 1, count_include_pad=False))(x)),
    "AdaptiveMaxPool1d": Case(lambda d: nn.AdaptiveMaxPool1d(4), (2, 7, 3), twin=lambda torch, x, p: sequences(
        lambda z: torch.nn.functional.adaptive_max_pool1d(z, 4))(x)),
    "AdaptiveAvgPool1d": Case(lambda d: nn.AdaptiveAvgPool1d(4), (2, 7, 3), twin=lambda torch, x, p: sequences(
        lambda z: torch.nn.functional.adaptive_avg_pool1d(z, 4))(x)),
    "Recurrent": Case(lambda d: nn.Recurrent(nn.GRUCell(3, 4, rng=0, dtype=d), nn.LSTMCell(3, 2, rng=1, dtype=d)),
                      (2, 3, 3)),
    "GlobalAvgPool": Case(lambda d: nn.GlobalAvgPool(), (2, 4, 3, 5), twin=lambda torch, x, p: x.mean((1, 2))),
    "FractionalMaxPool2d": Case(lambda d: nn.FractionalMaxPool2d((4, 3), rng=0), (2, 7, 6, 2)),
    "FractionalMaxPool2d disjoint": Case(lambda d: nn.FractionalMaxPool2d(0.7, overlapping=False, rng=0), (2, 7, 6, 2)),
    "BatchNorm": Case(lambda d: nn.BatchNorm(4, delta=0.1, dtype=d), (5, 4), twin=lambda torch, x, p:
                  torch.nn.functional.batch_norm(x, None, None, p["gamma"], p["beta"], True, 0.1, 0.1)),
    "BatchNorm of images, with relu": Case(lambda d: nn.BatchNorm(3, relu=True, dtype=d), (3, 4, 2, 3),
                                           twin=lambda torch, x, p:
                                       images(lambda z: torch.relu(torch.nn.functional.batch_norm(
                                           z, None, None, p["gamma"], p["beta"], True)))(x)),
    "BatchNorm at test time": Case(lambda d: nn.BatchNorm(4, dtype=d).eval(), (1, 4), twin=lambda torch, x, p:
                               torch.nn.functional.batch_norm(x, torch.zeros(4, dtype=x.dtype),
                                                              torch.ones(4, dtype=x.dtype), p["gamma"], p["beta"])),
    "LayerNorm": Case(lambda d: nn.LayerNorm(5, dtype=d), (2, 3, 5), twin=lambda torch, x, p:
                  torch.nn.functional.layer_norm(x, (5,), p["gamma"], p["beta"])),
    "BatchNorm without gamma and beta": Case(lambda d: nn.BatchNorm(4, affine=False, dtype=d), (5, 4),
                                             twin=lambda torch, x, p:
                                         torch.nn.functional.batch_norm(x, None, None, None, None, True)),
    "BatchNorm without gamma and beta at test time": Case(lambda d: nn.BatchNorm(4, affine=False, dtype=d).eval(),
                                                          (1, 4), twin=lambda torch, x, p:
        torch.nn.functional.batch_norm(x, torch.zeros(4, dtype=x.dtype), torch.ones(4, dtype=x.dtype))),
    "BatchNorm without averages at test time": Case(
        lambda d: nn.BatchNorm(4, tracking=False, relu=True, dtype=d).eval(), (5, 4), twin=lambda torch, x, p:
        torch.relu(torch.nn.functional.batch_norm(x, None, None, p["gamma"], p["beta"], True))),
    "GroupNorm": Case(lambda d: nn.GroupNorm(2, 6, dtype=d), (2, 3, 2, 6), twin=lambda torch, x, p: images(
        lambda z: torch.nn.functional.group_norm(z, 2, p["gamma"], p["beta"]))(x)),
    "GroupNorm of vectors": Case(lambda d: nn.GroupNorm(2, 6, affine=False), (4, 6),
                                 twin=lambda torch, x, p: torch.nn.functional.group_norm(x, 2)),
    "InstanceNorm": Case(lambda d: nn.InstanceNorm(3), (2, 4, 3, 3), twin=lambda torch, x, p: images(
        torch.nn.functional.instance_norm)(x)),
    "InstanceNorm affine": Case(lambda d: nn.InstanceNorm(3, affine=True, dtype=d), (2, 4, 3, 3),
                                twin=lambda torch, x, p: images(lambda z:
        torch.nn.functional.instance_norm(z, None, None, p["gamma"], p["beta"]))(x)),
    "RMSNorm": Case(lambda d: nn.RMSNorm(5, dtype=d), (2, 3, 5), twin=lambda torch, x, p:
                torch.nn.functional.rms_norm(x, (5,), p["gamma"], 1e-5)),
    "GRUCell": Case(lambda d: nn.GRUCell(3, 4, rng=0, dtype=d, biases=init.normal), (5, 3), twin=lambda torch, x, p:
                layer_gru(torch, x, x.new_zeros(5, 4), p)),
    "GRUCell of its own output": Case(
        lambda d: Twice(nn.GRUCell(4, 4, rng=0, dtype=d, biases=init.normal)), (5, 4),
        twin=lambda torch, x, p: layer_gru(torch, x, x * 0.5, {k[5:]: v for k, v in p.items()})),
    "Dropout": Case(lambda d: nn.Dropout(0.3, rng=0), (5, 4)),
    "DropoutAtTest": Case(lambda d: nn.DropoutAtTest(0.3, rng=0), (5, 4)),
    "DropoutAtTest at test time": Case(lambda d: nn.DropoutAtTest(0.3, rng=0).eval(), (5, 4),
                                       twin=lambda torch, x, p: x * 0.7),
    "DropConnect": Case(lambda d: nn.DropConnect(4, 3, 0.3, rng=0, dtype=d), (5, 4)),
    "DropConnect per example": Case(lambda d: nn.DropConnect(4, 3, 0.3, per="example", rng=0, dtype=d), (5, 4)),
    "DropConnect at test time": Case(lambda d: nn.DropConnect(4, 3, 0.3, rng=0, dtype=d).eval(), (5, 4),
                                     twin=lambda torch, x, p: as_linear(x, p)),
    "StochasticDepth": Case(lambda d: nn.StochasticDepth(block(d), 0.4, rng=1), (5, 4)),
    "StochasticDepth per batch": Case(lambda d: nn.StochasticDepth(block(d), 0.4, per="batch", rng=1), (5, 4)),
    "RNNCell": Case(lambda d: nn.RNNCell(3, 4, rng=0, dtype=d), (5, 3), twin=lambda torch, x, p: torch.rnn_tanh_cell(
        x, x.new_zeros(5, 4), p["w"].T, p["u"].T, p["b"], 0 * p["b"])),
    "LSTMCell": Case(lambda d: First(nn.LSTMCell(3, 4, rng=0, dtype=d)), (5, 3),
                     twin=lambda torch, x, p: layer_lstm(torch, x, {k[5:]: v for k, v in p.items()})),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def made(name, dtype=np.float64):
    case = LAYERS[name]
    rng = np.random.default_rng(5)
    layer = case.make(dtype)
    for _, p in layer.named_parameters():                   # gamma 1 and beta 0 would hide mistakes
        p.data = (p.data + 0.3 * rng.standard_normal(p.shape)).astype(dtype)
    return layer, rng.standard_normal(case.shape).astype(dtype), case.twin


def as_function(layer):
    """f(x, *parameters) -> output with these parameters, and their values: so that a checker can differentiate all."""
    places = [(module, name) for _, module in layer.modules() for name, p in vars(module).items()
              if isinstance(p, nn.Parameter)]
    own = [getattr(*place) for place in places]

    def function(x, *parameters):
        for (module, name), p in zip(places, parameters):
            vars(module)[name] = p
        try:
            with nn.fixed_statistics(layer):
                return layer(x)
        finally:
            for (module, name), p in zip(places, own):
                vars(module)[name] = p

    return function, [p.data.copy() for p in own]


@every_layer
def test_first_derivatives_with_random_cotangents(name):
    layer, x, _ = made(name)
    function, parameters = as_function(layer)
    gradcheck(function, x, *parameters, name=name)


@every_layer
def test_second_derivatives_with_random_cotangents(name):
    layer, x, _ = made(name)
    function, parameters = as_function(layer)
    gradgradcheck(function, x, *parameters, name=name)


@every_layer
def test_equals_pytorch_forward_and_back(name):
    layer, x, twin = made(name)
    if twin is None:
        pytest.skip("random: see its own file")
    torch = pytest.importorskip("torch")
    ours = tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    p = {path: torch.tensor(q.data, requires_grad=True) for path, q in layer.named_parameters()}
    y, z = layer(ours), twin(torch, theirs, p)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=1e-11, atol=1e-12)
    u = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(u)
    z.backward(torch.tensor(u))
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-10, atol=1e-11)
    for path, q in layer.named_parameters():
        if p[path].grad is None:
            assert q.grad is None
        elif q.grad is None:                                # the recurrent weights, without a state
            assert np.abs(p[path].grad.numpy()).max() == 0
        else:
            np.testing.assert_allclose(q.grad, p[path].grad.numpy(), rtol=1e-10, atol=1e-11, err_msg=path)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays(name, dtype):
    layer, x, _ = made(name, dtype)
    for training in (True, False):
        if training and "at test time" in name:
            continue
        layer.train(training)
        a = tensor(x, requires_grad=True)
        y = layer(a)
        assert y.dtype == dtype and all(p.dtype == dtype for _, p in layer.named_parameters())
        y.backward(np.ones(y.shape, dtype))
        assert a.grad.dtype == dtype
        assert all(p.grad is None or p.grad.dtype == dtype for _, p in layer.named_parameters())
        state = layer.state_dict().values()
        assert all(value.dtype == dtype for value in state)


@every_layer
def test_astype_there_and_back(name):
    layer, x, _ = made(name)
    layer.eval()
    wanted = layer(Tensor(x)).data
    narrow = copy.deepcopy(layer).astype(np.float32)
    assert all(p.dtype == np.float32 for _, p in narrow.named_parameters())
    np.testing.assert_allclose(narrow(Tensor(x.astype(np.float32))).data, wanted, rtol=1e-4, atol=1e-5)


@every_layer
def test_fixed_statistics_make_it_a_function_and_leave_no_trace(name):
    layer, x, _ = made(name)
    before = copy.deepcopy(layer.state_dict())
    states = [rng.bit_generator.state for _, rng in layer.generators()]
    results = []
    for _ in range(2):
        with nn.fixed_statistics(layer):
            results.append(layer(Tensor(x)).data)
    np.testing.assert_array_equal(*results)
    assert states == [rng.bit_generator.state for _, rng in layer.generators()]
    for path, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


@every_layer
def test_what_it_draws_is_fixed_by_its_seed_and_drawn_anew(name):
    (one, x, _), (two, _, _) = made(name), made(name)
    calls = [one(Tensor(x)).data for _ in range(8)]
    for y in calls:
        np.testing.assert_array_equal(two(Tensor(x)).data, y)
    draws = next(one.generators(), None) is not None and one.training
    assert draws == any(not np.array_equal(y, calls[0]) for y in calls)


@every_layer
def test_test_mode_is_a_function_of_the_example_alone(name):
    """No layer looks at the rest of the batch at test time, nor draws."""
    layer, x, _ = made(name)
    if name in ("LogSoftmax", "BatchNorm without averages at test time"):
        pytest.skip("over the batch on purpose")
    layer.eval()
    whole = layer(Tensor(x)).data
    one = layer(Tensor(x[-1:])).data
    np.testing.assert_allclose(one[0], whole[-1], rtol=1e-12, atol=1e-13)


@every_layer
def test_layout_of_the_input_does_not_matter(name):
    layer, x, _ = made(name)
    strange = np.asfortranarray(np.repeat(x, 2, axis=-1))[..., ::2]
    with nn.fixed_statistics(layer):
        wanted = layer(Tensor(x)).data
    with nn.fixed_statistics(layer):
        np.testing.assert_allclose(layer(Tensor(strange)).data, wanted, rtol=1e-13, atol=1e-14)


@every_layer
def test_says_what_it_is(name):
    layer, _, _ = made(name)
    assert repr(layer).startswith(type(layer).__name__) and type(layer).__doc__


def test_all_layers_are_listed():
    """A new layer must come with an entry above."""
    layers = {name for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, nn.Module)}
    listed = {name.split()[0] for name in LAYERS}
    assert layers - listed == {"Module", "Sequential", "Embedding"}          # these have tests of their own


@pytest.mark.parametrize("make", [
    lambda **o: nn.Linear(50, 40, **o), lambda **o: nn.Maxout(50, 40, **o), lambda **o: nn.Embedding(50, 40, **o),
    lambda **o: nn.Conv2d(5, 8, 3, **o), lambda **o: nn.ConvTranspose2d(5, 8, 3, **o),
    lambda **o: nn.DropConnect(50, 40, **o), lambda **o: nn.RNNCell(50, 40, **o), lambda **o: nn.LSTMCell(50, 40, **o)])
def test_weights_come_from_rng_and_from_the_rule_that_is_passed(make):
    first = [p.data for _, p in make(rng=3).named_parameters()]
    for a, b in zip(first, [p.data for _, p in make(rng=3).named_parameters()]):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], next(p.data for _, p in make(rng=4).named_parameters()))
    ones = make(weights=lambda shape, rng, dtype: init.constant(shape, 1.0, dtype=dtype))
    assert (next(p.data for _, p in ones.named_parameters()) == 1).all()


WITH_BIASES = {
    "Linear": lambda **o: nn.Linear(5, 4, **o), "Maxout": lambda **o: nn.Maxout(5, 2, pieces=2, **o),
    "Conv2d": lambda **o: nn.Conv2d(5, 4, 3, **o), "ConvTranspose2d": lambda **o: nn.ConvTranspose2d(5, 4, 3, **o),
    "DropConnect": lambda **o: nn.DropConnect(5, 4, **o), "RNNCell": lambda **o: nn.RNNCell(5, 4, **o),
    "LSTMCell": lambda **o: nn.LSTMCell(5, 1, **o),
}


@pytest.mark.parametrize("name", WITH_BIASES)
def test_biases_come_from_the_rule_that_is_passed(name):
    make = WITH_BIASES[name]
    np.testing.assert_array_equal(make(biases=init.relu_bias).b.data, np.full(4, 0.1, np.float32))
    assert make(bias=False).b is None and "b" not in dict(make(bias=False).named_parameters())
    narrow = make(biases=lambda shape, rng, dtype: np.arange(4.0), dtype=np.float32)      # float64 is converted
    assert narrow.b.dtype == np.float32 and (narrow.b.data == np.arange(4)).all()
    one, same, other = (make(biases=init.normal, rng=seed) for seed in (0, 0, 1))         # the layer's own rng draws
    np.testing.assert_array_equal(one.b.data, same.b.data)
    np.testing.assert_array_equal(one.w.data, make(rng=0).w.data)                         # after the weights
    assert one.b.data.any() and not np.array_equal(one.b.data, other.b.data)


def test_a_cell_without_biases_is_one_whose_biases_are_zero():
    x = Tensor(np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32))
    for cell in (nn.RNNCell, nn.LSTMCell):
        bare, zero = cell(5, 4, bias=False, rng=0), cell(5, 4, biases=init.zeros, rng=0)
        for a, b in zip(bare(x), zero(x)):
            np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("argument", ["weights", "biases"])
@pytest.mark.parametrize("name", [*WITH_BIASES, "Embedding"])
def test_what_is_no_initializer_is_refused_by_name(name, argument):
    if (name, argument) == ("Embedding", "biases"):
        return
    make = (WITH_BIASES | {"Embedding": lambda **o: nn.Embedding(5, 4, **o)})[name]
    known = "init.he_normal, init.glorot_uniform or init.zeros" if argument == "weights" else \
        "init.zeros or init.relu_bias"
    wanted = f"{name}: {argument} must be an initializer, a function (shape, rng=..., dtype=...) -> array such as "
    for rule, message in (("he", ", got 'he'"), (None, ", got None"), (0.1, ", got 0.1"),
                          (np.ones((5, 4)), ", got ndarray; values are assigned afterwards: p.data = values"),
                          (init.constant, "; constant cannot be called like that (constant() missing 1 required "),
                          (lambda shape: np.ones(shape), "; <lambda> cannot be called like that ("),
                          (np.ones, " cannot be called like that (ones() got an unexpected keyword argument 'rng')")):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            make(**{argument: rule})
        assert str(caught.value).startswith(wanted + known)
    with pytest.raises(ValueError, match=rf"{name}: {argument} must give an array of shape \(.*\), got float64 \(3,\)"):
        make(**{argument: lambda shape, rng, dtype: np.ones(3)})
    with pytest.raises(TypeError, match="multiply sequence"):
        make(**{argument: lambda shape, rng, dtype: shape * None})            # an error of the rule's own stays


def test_recurrent_weights_that_are_no_initializer_are_refused():
    for cell in (nn.RNNCell, nn.LSTMCell):
        with pytest.raises(ValueError, match=f"{cell.__name__}: recurrent must be an initializer.*got 'orthogonal'"):
            cell(5, 4, recurrent="orthogonal")
    with pytest.raises(ValueError, match="RNNCell: activation must be a module or a function, got str"):
        nn.RNNCell(5, 4, activation="tanh")


def test_operators_work_as_layers():
    model = nn.Sequential(nn.Linear(3, 2, rng=0), ops.relu, lambda x: x * 2)
    assert model(Tensor(np.ones((4, 3), np.float32))).shape == (4, 2)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("training", [True, False])
def test_an_empty_batch_goes_through(name, dtype, training):
    """(0, ...) -> (0, ...), and the gradients of no examples are 0."""
    layer, x, _ = made(name, dtype)
    shape, before = layer(Tensor(x)).shape, layer.train(training).state_dict()
    x = tensor(x[:0], requires_grad=True)
    of_the_batch = "must be one non-empty axis" if name == "LogSoftmax" else \
        "nothing to take the mean of" if name.startswith("BatchNorm") and (training or "averages" in name) else None
    if of_the_batch:                                       # what looks across the examples needs some
        with pytest.raises(ValueError, match=of_the_batch):
            layer(x)
        return
    y = layer(x)
    assert y.shape == (0, *shape[1:]) and y.dtype == dtype
    ops.sum(y).backward()
    assert x.grad is None or x.grad.shape == x.shape
    for path, p in layer.named_parameters():
        assert p.grad is None or (p.grad == 0).all(), path
    assert all(np.array_equal(value, before[path]) for path, value in layer.state_dict().items())


def test_an_empty_batch_of_symbols_goes_through():
    layer = nn.Embedding(7, 3, rng=0)
    y = layer(np.zeros((0, 4), np.int64))
    assert y.shape == (0, 4, 3)
    ops.sum(y).backward()
    assert (layer.table.grad == 0).all()


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell])
def test_an_empty_batch_goes_through_a_cell_with_its_state(cell):
    layer = cell(3, 4, rng=0)
    x, h = Tensor(np.zeros((0, 3), np.float32)), Tensor(np.zeros((0, 4), np.float32))
    y = layer(x, h) if cell is nn.RNNCell else layer(x, (h, h))[0]
    assert y.shape == (0, 4)
