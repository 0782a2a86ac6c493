"""Ops that move elements, against NumPy."""
import numpy as np
import pytest

from minigrad import ops
from minigrad.core import tensor

x = np.arange(24.0).reshape(2, 3, 4)
t = tensor(x)


@pytest.mark.parametrize("got, wanted", [
    (lambda: ops.reshape(t, (4, -1)), x.reshape(4, -1)), (lambda: t.reshape(6, 4), x.reshape(6, 4)),
    (lambda: t.reshape((24,)), x.ravel()), (lambda: ops.flatten(t), x.reshape(2, 12)), (lambda: t.flatten(), x.ravel()),
    (lambda: ops.flatten(tensor(np.zeros((0, 3, 4)))), np.zeros((0, 12))),
    (lambda: t.transpose(), x.T), (lambda: t.T, x.T), (lambda: t.transpose(1, -1, 0), x.transpose(1, 2, 0)),
    (lambda: t.transpose((2, 0, 1)), x.transpose(2, 0, 1)), (lambda: t.swapaxes(0, -1), x.swapaxes(0, -1)),
    (lambda: ops.broadcast_to(t[:1], (5, 2, 3, 4)), np.broadcast_to(x[:1], (5, 2, 3, 4))),
    (lambda: ops.expand_dims(t, 0), x[None]), (lambda: ops.expand_dims(t, (0, -1)), x[None, ..., None]),
    (lambda: ops.squeeze(t[:1]), x[0]), (lambda: t[:1, :1].squeeze((0, -2)), x[:1, :1].squeeze((0, 1))),
    (lambda: ops.concatenate([t, t[:, :1]], 1), np.concatenate([x, x[:, :1]], 1)),
    (lambda: ops.concatenate([t, x], -1), np.concatenate([x, x], -1)),
    (lambda: ops.stack([t, t], -1), np.stack([x, x], -1)),
    (lambda: ops.pad(t, [(1, 0), (0, 2), (0, 0)], 7.0), np.pad(x, [(1, 0), (0, 2), (0, 0)], constant_values=7)),
    (lambda: ops.pad(t, (1, 2)), np.pad(x, (1, 2))), (lambda: ops.flip(t, 1), x[:, ::-1]),
    (lambda: ops.flip(t, -1), x[..., ::-1]),
    (lambda: ops.scatter(tensor([1.0, 2.0, 3.0]), np.array([0, 2, 0]), (4,)), np.array([4.0, 0, 2, 0])),
])
def test_values(got, wanted):
    y = got()
    assert y.shape == wanted.shape and np.array_equal(y.data, wanted)


@pytest.mark.parametrize("index", [
    0, -1, slice(1), slice(None, None, -2), (0, 1), (slice(None), 1), (..., 0), None, (None, 0, None), ([0, 1, 1],),
    (slice(None), [2, 0, 2]), ([[0], [1]], [0, 2]), np.array([1, 0, 1]), x > 7,
    (slice(None), np.array([True, False, True])),
    (0, [1, 1], None), np.int64(1), (Ellipsis, np.array(2)), [], (np.array([0, 1]), slice(None), np.array([1, 2])),
    True],
    ids=str)
def test_indexing_as_numpy_does_and_back(index):
    leaf = tensor(x, requires_grad=True)
    y = leaf[index]
    wanted = x[index]
    assert y.shape == wanted.shape and np.array_equal(y.data, wanted)
    g = np.arange(1.0, y.size + 1).reshape(y.shape)
    y.backward(g)
    back = np.zeros_like(x)
    np.add.at(back, index, g)
    assert np.array_equal(leaf.grad, back)


def test_splitting_is_the_inverse_of_joining():
    parts = ops.split(t, 2, -1)
    assert [p.shape for p in parts] == [(2, 3, 2)] * 2 and np.array_equal(ops.concatenate(parts, -1).data, x)
    assert [p.shape for p in ops.split(tensor(np.zeros((0, 2))), 3)] == [(0, 2)] * 3


def test_a_lists_of_indices_may_change_afterwards():
    rows = [0, 1]
    leaf = tensor(x, requires_grad=True)
    y = leaf[rows]
    rows[0] = 1
    y.sum().backward()
    assert (leaf.grad == 1).all()


def test_broadcast_to_is_a_copy():
    y = ops.broadcast_to(x[:1], (2, 3, 4))
    y[0] = 0
    assert (y[1] == x[0]).all()


@pytest.mark.parametrize("mode, theirs", [("edge", "replicate"), ("reflect", "reflect"), ("wrap", "circular"),
                                          ("symmetric", None)])
def test_an_array_is_padded_with_itself_as_by_numpy_and_pytorch(mode, theirs):
    x, widths = np.random.default_rng(0).standard_normal((2, 4, 3, 2)), [(0, 0), (2, 1), (1, 2), (0, 0)]
    leaf = tensor(x, requires_grad=True)
    y = ops.pad(leaf, widths, mode=mode)
    np.testing.assert_array_equal(y.data, np.pad(x, widths, mode=mode))
    if theirs:
        torch = pytest.importorskip("torch")
        z = torch.tensor(x, requires_grad=True)
        w = torch.nn.functional.pad(z.permute(0, 3, 1, 2), (1, 2, 2, 1), mode=theirs).permute(0, 2, 3, 1)
        g = np.random.default_rng(1).standard_normal(y.shape)
        y.backward(g)
        w.backward(torch.tensor(g))
        np.testing.assert_array_equal(y.data, w.detach().numpy())
        np.testing.assert_allclose(leaf.grad, z.grad.numpy(), rtol=1e-13)
    with pytest.raises(ValueError, match="pad: mode must be"):
        ops.pad(x, 1, mode="mean")
    with pytest.raises(ValueError, match="pad: axis 0 .* is empty"):
        ops.pad(np.zeros((0, 2)), 1, mode=mode)
