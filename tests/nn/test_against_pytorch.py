"""A whole net, learned side by side with PyTorch: layers, loss, running averages and optimizer together.

No bias stands before a batch norm: its gradient would be rounding alone, which Adam scales up to steps of size lr.
"""
import numpy as np
import pytest

from minigrad import losses, nn, optim
from minigrad.core import Tensor

torch = pytest.importorskip("torch")


def nets(dtype):
    ours = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2, bias=False, rng=0, dtype=dtype),
                         nn.BatchNorm(6, relu=True, dtype=dtype), nn.MaxPool2d(2),
                         nn.Conv2d(6, 8, 3, stride=2, bias=False, rng=1, dtype=dtype), nn.BatchNorm(8, dtype=dtype),
                         nn.Tanh(), nn.AvgPool2d(2, stride=1), nn.Flatten(), nn.Linear(32, 12, rng=2, dtype=dtype),
                         nn.ELU(), nn.LayerNorm(12, dtype=dtype), nn.Linear(12, 4, rng=3, dtype=dtype))
    kind = torch.float64 if dtype == np.float64 else torch.float32
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2, bias=False, dtype=kind), torch.nn.BatchNorm2d(6, dtype=kind),
        torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(6, 8, 3, stride=2, bias=False, dtype=kind),
        torch.nn.BatchNorm2d(8, dtype=kind), torch.nn.Tanh(), torch.nn.AvgPool2d(2, stride=1), ChannelsLast(),
        torch.nn.Linear(32, 12, dtype=kind), torch.nn.ELU(), torch.nn.LayerNorm(12, dtype=kind),
        torch.nn.Linear(12, 4, dtype=kind))
    with torch.no_grad():
        for (_, p), q in zip(ours.named_parameters(), theirs.parameters()):
            q.copy_(torch.tensor(to_torch(p.data)))
    return ours, theirs


class ChannelsLast(torch.nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def to_torch(values):
    """Our layout of weights -> PyTorch's."""
    return {1: values, 2: values.T, 4: values.transpose(3, 2, 0, 1) if values.ndim == 4 else None}[values.ndim].copy()


@pytest.mark.parametrize("steps", [(optim.Adam, torch.optim.Adam, {"lr": 0.01}),
                                   (optim.Momentum, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9})],
                         ids=["Adam", "Momentum"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-8), (np.float32, 2e-2)])
def test_twenty_steps_give_the_same_net(steps, dtype, tolerance):
    """float32: rounding grows along the way, so only roughly."""
    rng = np.random.default_rng(0)
    ours, theirs = nets(dtype)
    make, make_theirs, options = steps
    opt, other = make(ours.parameters(), **options), make_theirs(theirs.parameters(), **options)
    for step in range(20):
        x, y = rng.standard_normal((16, 14, 14, 1)).astype(dtype), rng.integers(0, 4, 16)
        smoothing = 0.1 * (step % 2)
        loss = losses.cross_entropy(ours(Tensor(x)), y, smoothing)
        opt.zero_grad()
        loss.backward()
        opt.step()
        their_loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x).permute(0, 3, 1, 2)), torch.tensor(y),
                                                       label_smoothing=smoothing)
        other.zero_grad()
        their_loss.backward()
        other.step()
        assert loss.item() == pytest.approx(their_loss.item(), rel=tolerance)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        np.testing.assert_allclose(to_torch(p.data), q.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(ours[1].running_var, theirs[1].running_var.numpy(), rtol=tolerance)
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(Tensor(x)).data, theirs(torch.tensor(x).permute(0, 3, 1, 2)).detach().numpy(),
                               rtol=10 * tolerance, atol=10 * tolerance)
