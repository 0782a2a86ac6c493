"""Networks of PyTorch loaded into ours give the same outputs; what does not fit is listed, and nothing is unpickled."""
import numpy as np
import pytest

from minigrad import Tensor, nn, ops, training
from minigrad.files import FormatError
from minigrad.pytorch import load_pytorch

torch = pytest.importorskip("torch")
rng = np.random.default_rng(0)


def settled(net, *shape):
    """A PyTorch network whose running averages have seen some data, in test mode."""
    torch.manual_seed(1)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    for _ in range(3):
        net(torch.randn(8, *shape) * 2 + 1)
    return net.eval()


def last(x):
    """(n, c, h, w) -> (n, h, w, c)."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def agree(ours, theirs, **tolerance):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4, atol=1e-5, **tolerance)


def test_mlp():
    t = torch.nn
    theirs = settled(t.Sequential(t.Linear(7, 5), t.BatchNorm1d(5), t.ReLU(), t.Linear(5, 4, bias=False),
                                  t.LayerNorm(4), t.Linear(4, 3)), 7)
    ours = nn.Sequential(nn.Linear(7, 5), nn.BatchNorm(5), nn.ReLU(), nn.Linear(5, 4, bias=False), nn.LayerNorm(4),
                         nn.Linear(4, 3))
    assert load_pytorch(ours, theirs.state_dict()) is ours
    x = rng.normal(size=(6, 7)).astype(np.float32)
    agree(training.predict(ours, x), theirs(torch.tensor(x)))


def convnets(function=False):
    t = torch.nn
    theirs = t.Sequential(t.Conv2d(2, 6, 3, padding=1), t.BatchNorm2d(6), t.ReLU(), t.MaxPool2d(2),
                          t.Conv2d(6, 4, (3, 2), groups=2), t.Flatten(), t.BatchNorm1d(4 * 2 * 4), t.Dropout(0.3),
                          t.Linear(4 * 2 * 4, 5), t.ReLU(), t.Linear(5, 3))
    ours = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm(6), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 4, (3, 2), groups=2), ops.flatten if function else nn.Flatten(),
                         nn.BatchNorm(2 * 4 * 4), nn.Dropout(0.3), nn.Linear(2 * 4 * 4, 5), nn.ReLU(), nn.Linear(5, 3))
    return settled(theirs, 2, 8, 10), ours


@pytest.mark.parametrize("function", [False, True])
@pytest.mark.parametrize("by", ["x", "flattened"])
def test_convnet_with_batch_norm_and_flatten(function, by):
    theirs, ours = convnets(function)
    x = rng.normal(size=(5, 2, 8, 10)).astype(np.float32)
    ours[7].eval()
    how = {"x": last(x)} if by == "x" else {"flattened": {"6": (2, 4, 4), "8": (2, 4, 4)}}
    load_pytorch(ours, theirs.state_dict(), **how)
    assert ours.training and not ours[7].training                   # modes are as they were
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))


def test_it_matters():
    """Without the order of the rows after Flatten the outputs are others: the test above sees it."""
    theirs, ours = convnets()
    load_pytorch(ours, theirs.state_dict(), flattened={})
    x = rng.normal(size=(5, 2, 8, 10)).astype(np.float32)
    assert np.abs(training.predict(ours, last(x)) - theirs(torch.tensor(x)).detach().numpy()).max() > 0.01
    with pytest.raises(ValueError, match="pass an example input x, or flattened="):
        load_pytorch(ours, theirs.state_dict())


def test_flattened_input_and_pooled_images():
    t = torch.nn
    theirs = settled(t.Sequential(t.Flatten(), t.Linear(3 * 4 * 5, 2)), 3, 4, 5)
    ours, x = nn.Sequential(nn.Flatten(), nn.Linear(60, 2)), rng.normal(size=(3, 3, 4, 5)).astype(np.float32)
    load_pytorch(ours, theirs.state_dict(), x=last(x))
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))
    theirs = settled(t.Sequential(t.Conv2d(3, 6, 2), t.AdaptiveAvgPool2d(1), t.Flatten(), t.Linear(6, 2)), 3, 4, 5)
    ours = nn.Sequential(nn.Conv2d(3, 6, 2), nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(6, 2))
    load_pytorch(ours, theirs.state_dict(), x=last(x))
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))


def test_a_pooling_it_cannot_see_is_asked_about():
    ours = nn.Sequential(nn.Conv2d(1, 2, 1), lambda x: ops.max_pool2d(x, 2), ops.flatten, nn.Linear(8, 3))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
                                 torch.nn.Linear(8, 3))
    x = rng.normal(size=(2, 1, 4, 4)).astype(np.float32)
    with pytest.raises(ValueError, match=r"layer 3 has 8 inputs after images \(4, 4, 2\).*flattened=\{'3': "):
        load_pytorch(ours, theirs.state_dict(), x=last(x))
    load_pytorch(ours, theirs.state_dict(), flattened={"3": (2, 2, 2)})
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))


def test_transposed_convolution():
    theirs = settled(torch.nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), 4, 5, 6)
    ours = load_pytorch(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), theirs.state_dict())
    x = rng.normal(size=(2, 4, 5, 6)).astype(np.float32)
    agree(last(training.predict(ours, last(x)).transpose(0, 3, 1, 2)), theirs(torch.tensor(x)).permute(0, 2, 3, 1))


def test_recurrent_cells():
    torch.manual_seed(0)
    x, h, c = (rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (4, 5), (4, 5)))
    theirs = torch.nn.LSTMCell(3, 5)
    ours = load_pytorch(nn.LSTMCell(3, 5), theirs.state_dict())
    for mine, other in zip(ours(Tensor(x), (h, c)), theirs(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))):
        agree(mine.data, other)
    theirs = torch.nn.RNNCell(3, 5)
    ours = load_pytorch(nn.RNNCell(3, 5), theirs.state_dict())
    agree(ours(Tensor(x), h).data, theirs(torch.tensor(x), torch.tensor(h)))


def test_gated_recurrent_unit():
    torch.manual_seed(0)
    x, h = (rng.normal(size=shape).astype(np.float32) for shape in ((4, 3), (4, 5)))
    for bias in (True, False):
        theirs = torch.nn.GRUCell(3, 5, bias=bias)
        ours = load_pytorch(nn.GRUCell(3, 5, bias=bias), theirs.state_dict())
        agree(ours(Tensor(x), h).data, theirs(torch.tensor(x), torch.tensor(h)))
    state = torch.nn.GRUCell(3, 5).state_dict()
    del state["bias_hh"]
    with pytest.raises(ValueError, match="bias_hh is missing"):
        load_pytorch(nn.GRUCell(3, 5), state)


@pytest.mark.parametrize("ours, theirs, shape", [
    (lambda: nn.Conv1d(4, 6, 3, 2, 1, groups=2), lambda t: t.Conv1d(4, 6, 3, 2, 1, groups=2), (2, 4, 9)),
    (lambda: nn.ConvTranspose1d(4, 6, 3, 2, groups=2), lambda t: t.ConvTranspose1d(4, 6, 3, 2, groups=2), (2, 4, 5)),
    (lambda: nn.GroupNorm(2, 4), lambda t: t.GroupNorm(2, 4), (3, 4, 5, 6)),
    (lambda: nn.InstanceNorm(4, affine=True), lambda t: t.InstanceNorm2d(4, affine=True), (3, 4, 5, 6)),
    (lambda: nn.InstanceNorm(4), lambda t: t.InstanceNorm1d(4), (3, 4, 7)),
    (lambda: nn.RMSNorm(4), lambda t: Last(t.RMSNorm(4, eps=1e-5)), (3, 4, 5)),
], ids=["Conv1d", "ConvTranspose1d", "GroupNorm", "InstanceNorm", "InstanceNorm1d", "RMSNorm"])
def test_layers_of_sequences_and_norms(ours, theirs, shape):
    torch.manual_seed(0)
    other = theirs(torch.nn)
    with torch.no_grad():
        for p in other.parameters():
            p.normal_()
    mine = load_pytorch(ours(), getattr(other, "norm", other).state_dict())
    x = rng.normal(size=shape).astype(np.float32)
    agree(np.moveaxis(mine(Tensor(np.moveaxis(x, 1, -1))).data, -1, 1), other(torch.tensor(x)))


class Last(torch.nn.Module):
    """A norm over the last axis, for arrays that have the features on axis 1."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, x):
        return self.norm(x.movedim(1, -1)).movedim(-1, 1)


class Ours(nn.Module):
    def __init__(self):
        self.table, self.cell, self.head = nn.Embedding(9, 3), nn.LSTMCell(3, 5), nn.Linear(5, 2)

    def forward(self, labels):
        h, _ = self.cell(self.table(labels))
        return self.head(h)


class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.cell, self.head = torch.nn.Embedding(9, 3), torch.nn.LSTMCell(3, 5), torch.nn.Linear(5, 2)

    def forward(self, labels):
        return self.head(self.cell(self.embedding(labels))[0])


def test_embedding_and_names_that_differ():
    torch.manual_seed(0)
    ours, theirs, labels = Ours(), Theirs(), np.array([3, 0, 8, 3])
    with pytest.raises(ValueError, match=r"table\.weight is missing; embedding\.weight is left over"):
        load_pytorch(ours, theirs.state_dict())
    load_pytorch(ours, theirs.state_dict(), names={"table": "embedding"})
    agree(ours(labels).data, theirs(torch.tensor(labels)))


def test_from_a_safetensors_file(tmp_path):
    st = pytest.importorskip("safetensors.torch")
    theirs, ours = convnets()
    st.save_file(theirs.state_dict(), tmp_path / "net.safetensors")
    x = rng.normal(size=(5, 2, 8, 10)).astype(np.float32)
    load_pytorch(ours, tmp_path / "net.safetensors", x=last(x))
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))
    st.save_file({name: value.half() for name, value in theirs.state_dict().items()}, tmp_path / "half")
    with pytest.raises(FormatError, match="F16"):
        load_pytorch(ours, tmp_path / "half", x=last(x))


def test_a_pickle_is_never_opened(tmp_path):
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "net.pt")
    with pytest.raises(FormatError):
        load_pytorch(nn.Linear(2, 3), tmp_path / "net.pt")


def test_one_error_lists_all_and_the_model_is_untouched():
    ours = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm(5), nn.Linear(5, 3), nn.Maxout(3, 2))
    before = {name: array.tobytes() for name, array in ours.state_dict().items()}
    state = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3)).state_dict()
    state["0.weight"] = state["0.weight"][0]
    del state["1.running_var"]
    state["9.weight"] = torch.zeros(2)
    with pytest.raises(ValueError, match=r"0\.weight is \(4,\), wanted 2 axes; 1\.running_var is missing; 3 is "
                                         r"a Maxout, which is no layer of PyTorch's; 9\.weight is left over"):
        load_pytorch(ours, state)
    ours.layers.pop()
    other = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 3)).double()
    with pytest.raises(ValueError, match=r"0\.w is float64 \(4, 6\), wanted float32 \(4, 5\).*2\.w"):
        load_pytorch(ours, other.state_dict())
    ours.append(nn.Maxout(3, 2))
    assert all(ours.state_dict()[name].tobytes() == bits for name, bits in before.items() if name[0] != "3")


# ------------------------------------------------------------------------------------------------- what is there twice

def tied(tie=True):
    """Two layers on one weight, and a whole layer that runs twice: theirs and ours."""
    t = torch.nn
    theirs = t.Sequential(t.Linear(4, 4), t.Tanh(), t.Linear(4, 4), t.BatchNorm1d(4))
    theirs.append(theirs[0]).append(theirs[3])
    ours = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.BatchNorm(4))
    ours.append(ours[0]).append(ours[3])
    if tie:
        theirs[2].weight, ours[2].w = theirs[0].weight, ours[0].w
    return settled(theirs, 4), ours


@pytest.mark.parametrize("listed", ["all", "first", "last"])
def test_tied_weights_and_shared_layers(listed):
    """state_dict() of PyTorch lists what is shared under every name, safetensors.torch.save_model under one of them."""
    theirs, ours = tied()
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}
    assert {"0.weight", "2.weight", "4.weight", "3.running_mean", "5.running_mean"} <= set(state)
    drop = {"all": (), "first": ("2.weight", "4.", "5."), "last": ("0.", "2.weight", "3.")}[listed]
    load_pytorch(ours, {name: value for name, value in state.items() if not name.startswith(drop)})
    x = rng.normal(size=(6, 4)).astype(np.float32)
    agree(training.predict(ours, x), theirs(torch.tensor(x)))
    assert ours[2].w is ours[0].w


def test_a_tied_weight_may_hold_what_is_no_number():
    theirs, ours = tied()
    with torch.no_grad():
        theirs[0].weight[0, 0] = torch.nan
    load_pytorch(ours, theirs.state_dict())
    assert np.isnan(ours[2].w.data[0, 0]) and np.isfinite(ours[2].w.data.ravel()[1:]).all()


class Twice(nn.Module):
    """One layer under two names, each of which sees flattened images."""

    def __init__(self, layer):
        self.left = self.right = layer

    def forward(self, x):
        return self.left(ops.flatten(x)) + self.right(ops.flatten(x * x))


class TheirTwice(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.left = self.right = layer

    def forward(self, x):
        return self.left(x.flatten(1)) + self.right((x * x).flatten(1))


@pytest.mark.parametrize("by", ["x", "flattened"])
def test_a_shared_layer_that_sees_flattened_images(by):
    theirs, ours = settled(TheirTwice(torch.nn.Linear(12, 5)), 2, 3, 2), Twice(nn.Linear(12, 5))
    x = rng.normal(size=(3, 2, 3, 2)).astype(np.float32)
    assert "right.weight" in theirs.state_dict()
    load_pytorch(ours, theirs.state_dict(), **({"x": last(x)} if by == "x" else {"flattened": {"left": (3, 2, 2)}}))
    agree(training.predict(ours, last(x)), theirs(torch.tensor(x)))


def test_what_is_one_here_and_two_there_is_refused():
    (theirs, _), (_, ours) = tied(tie=False), tied()
    before = ours.state_dict()
    with pytest.raises(ValueError, match=r"2\.weight is not equal to what 0\.w was given, with which 2\.w is tied"):
        load_pytorch(ours, theirs.state_dict())
    state = {name: value for name, value in tied()[0].state_dict().items() if not name.endswith(".weight")}
    with pytest.raises(ValueError, match=r"0\.weight is missing; 2\.weight is missing"):
        load_pytorch(ours, state)
    assert all(np.array_equal(value, before[name]) for name, value in ours.state_dict().items())
