"""Recurrent cells with a state: PyTorch's values over several steps, derivatives through time, initial gates."""
import numpy as np
import pytest

from minigrad import init, losses, nn, ops, optim
from minigrad.core import Tensor, tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck

rng = np.random.default_rng(0)
X = rng.standard_normal((4, 5, 3))                     # (steps, m, inputs)
H, C = rng.standard_normal((5, 2)), rng.standard_normal((5, 2))


def through_time(cell, xs, state=None):
    """The last output of a sequence."""
    for t in range(len(xs)):
        state = cell(xs[t], state)
    return state[0] if isinstance(state, tuple) else state


def test_rnn_equals_pytorch_through_time():
    torch = pytest.importorskip("torch")
    cell = nn.RNNCell(3, 2, rng=0, dtype=np.float64)
    cell.b.data = rng.standard_normal(2)
    p = [torch.tensor(q.data, requires_grad=True) for q in (cell.w, cell.u, cell.b)]
    x, h0 = torch.tensor(X, requires_grad=True), torch.tensor(H, requires_grad=True)
    h = h0
    for t in range(4):
        h = torch.rnn_tanh_cell(x[t], h, p[0].T, p[1].T, p[2], torch.zeros_like(p[2]))
    ours, start = tensor(X, requires_grad=True), tensor(H, requires_grad=True)
    y = through_time(cell, ours, start)
    np.testing.assert_allclose(y.data, h.detach().numpy(), rtol=1e-12)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    h.backward(torch.tensor(u))
    for a, b in zip((ours, start, cell.w, cell.u, cell.b), (x, h0, *p)):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_lstm_equals_pytorch_through_time():
    torch = pytest.importorskip("torch")
    cell = nn.LSTMCell(3, 2, rng=0, dtype=np.float64)
    cell.b.data = cell.b.data + rng.standard_normal(8)
    p = [torch.tensor(q.data, requires_grad=True) for q in (cell.w, cell.u, cell.b)]
    x, h0, c0 = (torch.tensor(a, requires_grad=True) for a in (X, H, C))
    h, c = h0, c0
    for t in range(4):
        h, c = torch.lstm_cell(x[t], (h, c), p[0].T, p[1].T, p[2], torch.zeros_like(p[2]))
    ours, h_start, c_start = (tensor(a, requires_grad=True) for a in (X, H, C))
    y = through_time(cell, ours, (h_start, c_start))
    np.testing.assert_allclose(y.data, h.detach().numpy(), rtol=1e-12)
    u = rng.standard_normal(y.shape)
    y.backward(u)
    h.backward(torch.tensor(u))
    for a, b in zip((ours, h_start, c_start, cell.w, cell.u, cell.b), (x, h0, c0, *p)):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell"])
def test_first_and_second_derivatives_through_time(kind):
    cell = getattr(nn, kind)(3, 2, rng=0, dtype=np.float64)
    names = ("w", "u", "b")

    def function(xs, h, c, w, u, b):
        for name, p in zip(names, (w, u, b)):
            vars(cell)[name] = p
        return through_time(cell, xs, (h, c) if kind == "LSTMCell" else h + c)

    values = [getattr(cell, name).data.copy() for name in names]
    gradcheck(function, X[:2], H, C, *values)
    gradgradcheck(function, X[:2], H, C, *values)


def test_no_state_is_a_state_of_zeros():
    zeros = np.zeros((5, 2))
    rnn, lstm = (kind(3, 2, rng=0, dtype=np.float64) for kind in (nn.RNNCell, nn.LSTMCell))
    x = Tensor(X[0])
    np.testing.assert_allclose(rnn(x).data, rnn(x, zeros).data, rtol=1e-14)
    for a, b in zip(lstm(x), lstm(x, (zeros, zeros))):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-14)


def test_the_forget_gate_is_open_at_first_and_the_recurrent_weights_are_orthogonal():
    cell = nn.LSTMCell(3, 4, rng=0, dtype=np.float64)
    np.testing.assert_array_equal(cell.b.data, [0] * 4 + [1] * 4 + [0] * 8)
    for part in np.split(cell.u.data, 4, axis=1):
        np.testing.assert_allclose(part.T @ part, np.eye(4), atol=1e-14)
    assert not np.allclose(cell.u.data[:, :4], cell.u.data[:, 4:8])
    kept = 1 / (1 + np.exp(-1))                       # sigmoid(1) of the memory is kept, 1/2 with a bias of 0
    quiet = nn.LSTMCell(3, 4, weights=init.zeros, recurrent=init.zeros, rng=0, dtype=np.float64)
    _, c = quiet(Tensor(np.zeros((1, 3))), (np.zeros((1, 4)), np.ones((1, 4))))
    np.testing.assert_allclose(c.data, kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_stays_with_a_state(dtype):
    for cell in (nn.RNNCell(3, 2, rng=0, dtype=dtype), nn.LSTMCell(3, 2, rng=0, dtype=dtype)):
        x = tensor(X.astype(dtype), requires_grad=True)
        y = through_time(cell, x)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == dtype and all(p.grad.dtype == dtype for p in cell.parameters())


def test_rnn_with_relu_and_without_bias():
    cell = nn.RNNCell(3, 2, activation=ops.relu, bias=False, rng=0, dtype=np.float64)
    np.testing.assert_allclose(cell(Tensor(X[0]), H).data, np.maximum(X[0] @ cell.w.data + H @ cell.u.data, 0))
    assert len(cell.parameters()) == 2


def test_an_lstm_learns_to_remember_its_first_input():
    """The sign of the first of ten inputs, at the end: what the open forget gate is for."""
    cell, head = nn.LSTMCell(1, 8, rng=0), nn.Linear(8, 2, rng=1)
    model = nn.Sequential(head, cell)                              # for its parameters
    x = np.random.default_rng(0).standard_normal((10, 64, 1)).astype(np.float32)
    labels = (x[0, :, 0] > 0).astype(int)
    opt = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        opt.zero_grad()
        loss = losses.cross_entropy(head(through_time(cell, Tensor(x))), labels)
        loss.backward()
        opt.step()
    assert loss.item() < 0.15


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.RNNCell(3, 0), "RNNCell: units must be an integer >= 1"),
    (lambda: nn.RNNCell(3, 2, dtype=np.float64)(Tensor(X[0]), H[:1]), r"h must have shape \(5, 2\) for x \(5, 3\), got "
                                                                      r"\(1, 2\)"),
    (lambda: nn.LSTMCell(3, 2, dtype=np.float64)(Tensor(X[0]), H), r"state must be a pair \(h, c\), got ndarray"),
    (lambda: nn.LSTMCell(3, 2, dtype=np.float64)(Tensor(X[0]), (H, C.T)), r"c must have shape \(5, 2\).*got \(2, 5\)"),
    (lambda: nn.LSTMCell(3, 2)(Tensor(X[0])), "one dtype, got float64, float32"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_gru_cell_over_time_is_pytorchs():
    torch = pytest.importorskip("torch")
    cell, theirs = nn.GRUCell(3, 4, rng=0, dtype=np.float64), torch.nn.GRUCell(3, 4, dtype=torch.float64)
    with torch.no_grad():
        bias, other = theirs.bias_ih.numpy(), theirs.bias_hh.numpy()
        cell.w.data, cell.u.data = theirs.weight_ih.numpy().T.copy(), theirs.weight_hh.numpy().T.copy()
        cell.b.data, cell.c.data = bias + np.r_[other[:8], np.zeros(4)], other[8:].copy()
    x, h, k = np.random.default_rng(0).standard_normal((5, 2, 3)), None, None
    for step in x:
        h, k = cell(Tensor(step), h), theirs(torch.tensor(step), k)
    np.testing.assert_allclose(h.data, k.detach().numpy(), rtol=1e-12)
    (h * h).sum().backward()
    (k * k).sum().backward()
    np.testing.assert_allclose(cell.u.grad, theirs.weight_hh.grad.numpy().T, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(cell.c.grad, theirs.bias_hh.grad.numpy()[8:], rtol=1e-10, atol=1e-14)
    with pytest.raises(ValueError, match=r"GRUCell: h must have shape \(2, 4\)"):
        cell(Tensor(x[0]), np.zeros((1, 4)))
    assert nn.GRUCell(3, 4, bias=False)(Tensor(np.zeros((2, 3), np.float32))).shape == (2, 4)
