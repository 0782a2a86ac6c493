"""Linear, Maxout, Embedding, Sequential, Residual: what is particular to each, tied weights, and what they refuse."""
import re

import numpy as np
import pytest

from minigrad import init, losses, nn, ops, optim
from minigrad.core import Tensor, tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck

X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


# ------------------------------------------------------------------------------------------------------------ embedding

def test_embedding_equals_pytorch_and_adds_the_gradients_of_repeated_symbols():
    torch = pytest.importorskip("torch")
    layer = nn.Embedding(7, 3, rng=0, dtype=np.float64)
    labels = np.array([[0, 6, 0], [2, 0, 6]])
    table = torch.tensor(layer.table.data, requires_grad=True)
    y, z = layer(labels), torch.nn.functional.embedding(torch.tensor(labels), table)
    np.testing.assert_array_equal(y.data, z.detach().numpy())
    u = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(u)
    z.backward(torch.tensor(u))
    np.testing.assert_allclose(layer.table.grad, table.grad.numpy(), rtol=1e-14)
    np.testing.assert_allclose(layer.table.grad[0], u[0, 0] + u[0, 2] + u[1, 1], rtol=1e-14)
    assert (layer.table.grad[1] == 0).all()


def test_embedding_is_differentiated_twice():
    layer = nn.Embedding(4, 3, rng=0, dtype=np.float64)

    def function(table):
        vars(layer)["table"] = table
        return ops.tanh(layer(np.array([1, 1, 3])))

    table = layer.table.data.copy()
    gradcheck(function, table)
    gradgradcheck(function, table)


def test_embedding_takes_tensors_of_integers_and_keeps_its_dtype():
    layer = nn.Embedding(4, 3, rng=0)
    y = layer(Tensor(np.array([3, 1])))
    assert y.shape == (2, 3) and y.dtype == np.float32 and layer(2).shape == (3,)
    assert nn.Embedding(4, 3, weights=init.glorot_uniform, rng=0).describe() == "Embedding(4, 3)"


# --------------------------------------------------------------------------------------------------------- tied weights

class Tied(nn.Module):
    """An encoder and a decoder with the same matrix, as two layers."""

    def __init__(self):
        self.encode, self.decode = nn.Linear(4, 4, rng=0, dtype=np.float64), nn.Linear(4, 4, rng=1, dtype=np.float64)
        self.decode.w = self.encode.w

    def forward(self, x):
        return self.decode(ops.tanh(self.encode(x)))


def test_tied_weights_are_listed_laid_out_and_saved_once():
    model = Tied()
    assert [path for path, _ in model.named_parameters()] == ["encode.w", "encode.b", "decode.b"]
    assert model.parameters().n == 16 + 4 + 4
    state = model.state_dict()
    assert set(state) == {"encode.w", "encode.b", "decode.b"}
    other = Tied()
    other.load_state_dict({name: value + 1 for name, value in state.items()})
    assert other.decode.w is other.encode.w
    np.testing.assert_array_equal(other.decode.w.data, state["encode.w"] + 1)
    assert model.summary().count(" 20") == 1                      # counted where it is first


def test_gradients_of_tied_weights_are_added_and_a_step_moves_them_once():
    model = Tied()
    x = X.astype(np.float64)
    parameters = model.parameters()
    w, b, c = (p.data.copy() for p in parameters)
    h = np.tanh(x @ w + b)
    g = 2 * (h @ w + c - x) / x.size
    wanted = h.T @ g + x.T @ ((g @ w.T) * (1 - h * h))
    losses.mean_squared_error(model(Tensor(x)), x).backward()
    np.testing.assert_allclose(model.encode.w.grad, wanted, rtol=1e-12, atol=1e-15)
    optim.SGD(parameters, lr=0.1).step()
    np.testing.assert_allclose(model.encode.w.data, w - 0.1 * wanted, rtol=1e-13)
    assert model.decode.w.data is model.encode.w.data


def test_one_layer_used_twice_adds_its_gradients():
    layer = nn.Linear(4, 4, rng=0, dtype=np.float64)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    assert len(model.parameters()) == 2
    once, x = Tied(), Tensor(X.astype(np.float64))
    once.encode.w.data, once.encode.b.data, once.decode.b.data = layer.w.data, layer.b.data, layer.b.data
    model(x).sum().backward()
    once(x).sum().backward()
    np.testing.assert_allclose(layer.w.grad, once.encode.w.grad, rtol=1e-13)
    np.testing.assert_allclose(layer.b.grad, once.encode.b.grad + once.decode.b.grad, rtol=1e-13)


# --------------------------------------------------------------------------------------------------------------- others

def test_maxout_shares_the_gradient_of_a_tie_and_can_be_relu_and_absolute_value():
    layer = nn.Maxout(1, 1, pieces=2, dtype=np.float64)
    x = tensor(np.array([[2.0], [-3.0]]), requires_grad=True)
    layer.w.data = np.array([[1.0, -1.0]])
    np.testing.assert_array_equal(layer(x).data, np.abs(x.data))
    layer.w.data = np.array([[1.0, 0.0]])
    np.testing.assert_array_equal(layer(x).data, np.maximum(x.data, 0))
    layer.w.data = np.array([[1.0, 1.0]])
    layer(x).sum().backward()
    np.testing.assert_array_equal(layer.w.grad, [[-0.5, -0.5]])
    assert nn.Maxout(3, 5, pieces=4).w.shape == (3, 20) and nn.Maxout(3, 5, 4).describe() == "Maxout(3, 5, pieces=4)"


def test_sequential_slices_share_layers():
    model = nn.Sequential(nn.Linear(4, 3, rng=0), ops.relu, nn.Linear(3, 2, rng=1))
    head = model[:2]
    assert head[0] is model[0] and len(model) == 3 and len(head) == 2
    assert [path for path, _ in model.named_parameters()] == ["0.w", "0.b", "2.w", "2.b"]
    assert model.append(nn.ReLU()) is model and len(model) == 4
    np.testing.assert_array_equal(model(Tensor(X)).data, ops.relu(model[2](ops.relu(model[0](Tensor(X))))).data)


def test_a_layer_of_a_sequential_is_replaced_by_assigning_another():
    model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Tanh(), nn.Linear(3, 2, rng=1))
    first, head = model[0], nn.Linear(3, 5, rng=2)
    model[-1] = head
    assert model[2] is head and model[0] is first and len(model) == 3
    assert {name: p.shape for name, p in model.named_parameters()} == {
        "0.w": (4, 3), "0.b": (3,), "2.w": (3, 5), "2.b": (5,)}
    np.testing.assert_array_equal(model(Tensor(X)).data, head(ops.tanh(first(Tensor(X)))).data)
    with pytest.raises(ValueError, match="Sequential: layer 1 is the class Tanh, wanted one of its objects"):
        model[1] = nn.Tanh
    with pytest.raises(IndexError):
        model[3] = nn.Tanh()
    with pytest.raises(TypeError):
        model[:2] = [nn.Tanh(), nn.Tanh()]


def test_a_skip_connection_adds_the_gradients_of_both_ways():
    x = tensor(X, requires_grad=True)
    nn.Residual(lambda h: h * 3.0)(x).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(X.shape, 4, np.float32))


def test_skip_connections_carry_the_gradient_to_the_first_layer():
    """8.7.5: through 30 small layers nothing arrives; with skips it does."""
    def net(wrap):
        return nn.Sequential(*[wrap(nn.Sequential(nn.Linear(4, 4, rng=i), nn.Tanh())) for i in range(30)])

    norms = []
    for wrap in (lambda f: f, nn.Residual):
        model = net(wrap)
        model(Tensor(X)).sum().backward()
        norms.append(np.linalg.norm(next(model.named_parameters())[1].grad))
    assert norms[0] < 1e-4 and norms[1] > 1


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.Linear(0, 3), "Linear: inputs must be an integer >= 1, got 0"),
    (lambda: nn.Linear(3, 2.0), "Linear: outputs must be an integer >= 1, got 2.0"),
    (lambda: nn.Linear(True, 3), "Linear: inputs must be an integer >= 1, got True"),
    (lambda: nn.Linear(3, 2)(Tensor(X)), r"w must be \(4, outputs\) for x \(5, 4\), got w \(3, 2\)"),
    (lambda: nn.Linear(4, 2)(Tensor(X.astype(np.float64))), "one dtype, got float64, float32"),
    (lambda: nn.Maxout(4, 2, pieces=0), "Maxout: pieces must be an integer >= 1"),
    (lambda: nn.Embedding(4, 0), "Embedding: size must be an integer >= 1"),
    (lambda: nn.Embedding(4, 3)([4]), r"labels must lie in \[0, 4\), got 4 to 4"),
    (lambda: nn.Embedding(4, 3)([0, -1]), r"labels must lie in \[0, 4\), got -1 to 0"),
    (lambda: nn.Embedding(4, 3)(X), "embedding: labels must be integers, got float32"),
    (lambda: nn.Sequential(nn.ReLU(), 3), "layer 1 must be a module or a function, got int"),
    (lambda: nn.Residual(nn.Linear(4, 3, rng=0))(Tensor(X)), r"f\(x\) has shape \(5, 3\), the skip \(5, 4\)"),
    (lambda: nn.Residual(nn.Linear(4, 3, rng=0), nn.Linear(4, 1, rng=0))(Tensor(X)), r"the skip \(5, 1\)"),
    (lambda: nn.Softmax(axis=2)(Tensor(X)), "axis 2 must be one non-empty axis"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.LeakyReLU("steep"), "LeakyReLU: slope must be a number in (-inf, inf), got 'steep'"),
    (lambda: nn.LeakyReLU(np.ones(3)), "LeakyReLU: slope must be a number in (-inf, inf), got array"),
    (lambda: nn.ELU(float("nan")), "ELU: alpha must be a number in (-inf, inf), got nan"),
    (lambda: nn.Softmax(None), "Softmax: axis must be an integer from -64 to 63, got None"),
    (lambda: nn.LogSoftmax(1.0), "LogSoftmax: axis must be an integer from -64 to 63, got 1.0"),
    (lambda: nn.Dropout("half"), "Dropout: p must be a number in [0, 1], got 'half': it is the probability"),
    (lambda: nn.Linear(3, 4, init.he_normal), "Linear: bias must be True or False, got <function he_normal"),
    (lambda: nn.Linear(3, 4, init.he_normal), "; initializers are passed as weights= and biases="),
    (lambda: nn.Conv2d(3, 4, 3, bias="no"), "Conv2d: bias must be True or False, got 'no'"),
    (lambda: nn.RNNCell(3, 4, bias=None), "RNNCell: bias must be True or False, got None"),
    (lambda: nn.Sequential([nn.ReLU()]),
     "Sequential: layer 0 must be a module or a function, got list, one by one: Sequential(*layers)"),
    (lambda: nn.Sequential(nn.ReLU()).append(nn.Tanh),
     "Sequential: layer 1 is the class Tanh, wanted one of its objects: Tanh(...)"),
    (lambda: nn.Residual(nn.ReLU), "Residual: f is the class ReLU, wanted one of its objects: ReLU(...)"),
    (lambda: nn.Residual(3), "Residual: f must be a module or a function, got int"),
    (lambda: nn.StochasticDepth(nn.ReLU(), shortcut=nn.ReLU), "StochasticDepth: shortcut is the class ReLU"),
])
def test_arguments_are_checked_when_the_layer_is_made(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_the_padding_symbol_is_zero_and_learns_nothing_as_in_pytorch():
    torch = pytest.importorskip("torch")
    labels, weights = np.array([[1, 3, 3], [0, 3, 1]]), np.random.default_rng(0).standard_normal((2, 3, 4))
    layer = nn.Embedding(5, 4, rng=0, dtype=np.float64, padding=3)
    assert not layer.table.data[3].any() and layer.describe() == "Embedding(5, 4, padding=3)"
    layer.table.data = np.random.default_rng(1).standard_normal((5, 4))              # a vector of its own, kept
    table = torch.tensor(layer.table.data.copy(), requires_grad=True)
    y, z = layer(labels), torch.nn.functional.embedding(torch.tensor(labels), table, padding_idx=3)
    np.testing.assert_array_equal(y.data, z.detach().numpy())
    (y * weights).sum().backward()
    (z * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(layer.table.grad, table.grad.numpy(), rtol=1e-14)
    assert layer([3]).data.shape == (1, 4) and layer(Tensor(labels)).shape == (2, 3, 4)
    for wrong in (5, -1, 0.5):
        with pytest.raises(ValueError, match="Embedding: padding must be an integer from 0 to 4"):
            nn.Embedding(5, 4, padding=wrong)
