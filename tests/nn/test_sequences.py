"""Layers for sequences, padding modes, and cells along sequences: against PyTorch, with lengths, both ways."""
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.pytorch import load_pytorch


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("mode, theirs", [("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular"),
                                          ("constant", "zeros")])
@pytest.mark.parametrize("padding", [2, (1, 2), "same"])
def test_padding_modes_are_pytorchs(mode, theirs, padding):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 7, 8, 3))
    layer = nn.Conv2d(3, 4, (3, 4), padding=padding, dilation=(1, 2), rng=0, dtype=np.float64, padding_mode=mode)
    other = torch.nn.Conv2d(3, 4, (3, 4), padding=padding, dilation=(1, 2), padding_mode=theirs).double()
    other.load_state_dict({"weight": torch.tensor(layer.w.data.transpose(3, 2, 0, 1).copy()),
                           "bias": torch.tensor(layer.b.data)})
    np.testing.assert_allclose(first(layer(mg.Tensor(x)).data), other(torch.tensor(first(x))).detach().numpy(),
                               rtol=1e-10, atol=1e-12)
    if not isinstance(padding, tuple):                          # (before, after) here, rows and columns there
        row = nn.Conv1d(3, 4, 4, padding=padding, dilation=2, rng=0, dtype=np.float64, padding_mode=mode)
        other = torch.nn.Conv1d(3, 4, 4, padding=padding, dilation=2, padding_mode=theirs).double()
        other.load_state_dict({"weight": torch.tensor(row.w.data.transpose(2, 1, 0).copy()),
                               "bias": torch.tensor(row.b.data)})
        np.testing.assert_allclose(first(row(mg.Tensor(x[:, 0])).data),
                                   other(torch.tensor(first(x[:, 0]))).detach().numpy(), rtol=1e-10, atol=1e-12)


def test_descriptions():
    model = nn.Sequential(nn.Conv1d(3, 4, 5, stride=2, padding="same", padding_mode="wrap", bias=False),
                          nn.MaxPool1d(3, 2, 1, dilation=2), nn.AvgPool1d(2, count_include_pad=False),
                          nn.ConvTranspose1d(4, 6, 3, groups=2), nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1),
                          nn.MaxPool2d(2, padding="same"), nn.Recurrent(nn.GRUCell(2, 3), nn.GRUCell(2, 3), last=True))
    text = repr(model)
    for part in ("Conv1d(3, 4, 5, stride=2, padding='same', padding_mode='wrap', bias=False)",
                 "MaxPool1d(3, stride=2, padding=1, dilation=2)", "AvgPool1d(2, count_include_pad=False)",
                 "ConvTranspose1d(4, 6, 3, groups=2)", "AdaptiveAvgPool1d(1)", "AdaptiveMaxPool1d(1)",
                 "MaxPool2d((2, 2), padding='same')", "Recurrent(both ways, last=True)"):
        assert part in text, part


def test_a_net_of_sequences_learns_where_a_peak_is():
    """Sequences with one peak in the left or the right half; convolution, batch norm and pooling, 40 steps."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, 32, 200)
    x = rng.normal(0, 0.3, (200, 32, 1)).astype(np.float32)
    x[np.arange(200), places] += 3
    model = nn.Sequential(nn.Conv1d(1, 8, 5, padding="same", rng=0), nn.BatchNorm(8), nn.ReLU(), nn.MaxPool1d(4),
                          nn.Conv1d(8, 8, 3, padding=1, rng=1), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(),
                          nn.Linear(32, 2, rng=2))
    opt = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        opt.zero_grad()
        loss = mg.losses.cross_entropy(model(x), (places >= 16).astype(int))
        loss.backward()
        opt.step()
    assert float(loss) < 0.05


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", [None, [5, 1, 3]])
@pytest.mark.parametrize("both", [False, True])
def test_cells_along_sequences_equal_pytorchs_to_the_gradient(kind, lengths, both):
    torch = pytest.importorskip("torch")
    rnn = torch.nn.utils.rnn
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(2, 4, batch_first=True, bidirectional=both).double()
    cells = []
    for end in ("l0", "l0_reverse")[:1 + both]:
        cell = getattr(nn, f"{kind}Cell")(2, 4, dtype=np.float64)
        state = {name: getattr(theirs, f"{name}_{end}").detach() for name in
                 ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        cells.append(load_pytorch(cell, state))
    x = np.random.default_rng(1).normal(size=(3, 5, 2))
    a, t = mg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    if lengths is None:
        yt, state = theirs(t)
    else:
        packed = rnn.pack_padded_sequence(t, torch.tensor(lengths), True, enforce_sorted=False)
        yt, state = theirs(packed)
        yt = rnn.pad_packed_sequence(yt, batch_first=True)[0]
    state = state[0] if kind == "LSTM" else state
    y = nn.Recurrent(*cells)(a, lengths=lengths)
    np.testing.assert_allclose(y.data, yt.detach().numpy(), rtol=1e-10, atol=1e-12)
    last = nn.Recurrent(*cells, last=True)(x, lengths=lengths)
    np.testing.assert_allclose(last.data, np.concatenate(list(state.detach().numpy()), axis=-1), rtol=1e-10, atol=1e-12)
    u = np.random.default_rng(2).normal(size=y.shape)
    name = "weight_hh_l0_reverse" if both else "weight_hh_l0"
    wanted = torch.autograd.grad(yt, [t, dict(theirs.named_parameters())[name]], torch.tensor(u))
    for mine, other in zip(mg.grad(y, [a, cells[-1].u], u), wanted):
        other = other.numpy() if mine.shape == x.shape else other.numpy().T
        np.testing.assert_allclose(mine.data, other, rtol=1e-9, atol=1e-12)

REFUSED = {
    "Conv1d: size must be an integer >= 1, got (3, 3)": lambda: nn.Conv1d(1, 2, (3, 3)),
    "Conv1d: padding must be an integer >= 0 or a pair of them, got -1": lambda: nn.Conv1d(1, 2, 3, padding=-1),
    "Conv1d: padding must be numbers or \"same\", got 'valid'": lambda: nn.Conv1d(1, 2, 3, padding="valid"),
    "Conv1d: padding_mode must be one of constant, edge, reflect, symmetric, wrap, got 'circular'; write \"wrap\"":
        lambda: nn.Conv1d(1, 2, 3, padding_mode="circular"),
    "Conv2d: padding_mode must be one of constant, edge, reflect, symmetric, wrap, got 'zeros'; write \"constant\"":
        lambda: nn.Conv2d(1, 2, 3, padding_mode="zeros"),
    "Conv2d: wanted images (n, h, w, c), got shape (2, 3, 1)":
        lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="wrap")(mg.Tensor(np.zeros((2, 3, 1), np.float32))),
    "ConvTranspose1d: padding must be numbers, got 'same'": lambda: nn.ConvTranspose1d(1, 2, 3, padding="same"),
    "ConvTranspose1d: output_padding must be smaller than stride or dilation, got 2":
        lambda: nn.ConvTranspose1d(1, 2, 3, output_padding=2),
    "MaxPool1d: padding must be smaller than the window, got padding 3 and size 3": lambda: nn.MaxPool1d(3, padding=3),
    "AdaptiveAvgPool1d: output must be an integer >= 1, got (2, 2)": lambda: nn.AdaptiveAvgPool1d((2, 2)),
    "Recurrent: x must be sequences (m, l, inputs) of one step at least, got shape (3, 0, 2)":
        lambda: nn.Recurrent(nn.RNNCell(2, 3))(mg.Tensor(np.zeros((3, 0, 2), np.float32))),
    "Recurrent: lengths must be 3 integers from 1 to 4 for x (3, 4, 2), got [0, 1, 2]":
        lambda: nn.Recurrent(nn.RNNCell(2, 3))(mg.Tensor(np.zeros((3, 4, 2), np.float32)), lengths=[0, 1, 2]),
    "Recurrent: last must be True or False, got 1": lambda: nn.Recurrent(nn.RNNCell(2, 3), last=1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        REFUSED[message]()
