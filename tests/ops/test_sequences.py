"""1-D convolution and pooling, and what images got with them (dilated, unpooled, "same" pools), against PyTorch."""
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.testing import gradcheck, gradgradcheck


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def first(x):
    """(n, ..., c) -> (n, c, ...), as PyTorch has it."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def same_as_torch(torch, ours, theirs, *arrays):
    """Values and gradients of every array. arrays: (ours, how PyTorch has it: a function of the array)."""
    mine = [mg.Tensor(a, requires_grad=True) for a, _ in arrays]
    other = [torch.tensor(np.ascontiguousarray(turn(a)), requires_grad=True) for a, turn in arrays]
    y, yt = ours(*mine), theirs(*other)
    close(first(y.data), yt.detach().numpy())
    u = np.random.default_rng(5).normal(size=y.shape)
    for g, gt, (_, turn) in zip(mg.grad(y, mine, u), torch.autograd.grad(yt, other, torch.tensor(first(u))), arrays):
        close(turn(g.data), gt.numpy())


@pytest.mark.parametrize("seed", range(25))
def test_conv1d_and_its_transpose_equal_pytorchs(seed):
    torch = pytest.importorskip("torch")
    f, rng = torch.nn.functional, np.random.default_rng(seed)
    groups, n, k = (int(v) for v in (rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 5)))
    c, o = (int(groups * v) for v in rng.integers(1, 4, 2))
    stride, dilation, padding = (int(v) for v in (rng.integers(1, 4), rng.integers(1, 4), rng.integers(0, 4)))
    l = dilation * (k - 1) + 1 + int(rng.integers(0, 9))
    x, w, b = rng.normal(size=(n, l, c)), rng.normal(size=(k, c // groups, o)), rng.normal(size=o)
    same_as_torch(torch, lambda x, w, b: ops.conv1d(x, w, stride, padding, dilation, groups, b),
                  lambda x, w, b: f.conv1d(x, w, b, stride, padding, dilation, groups),
                  (x, first), (w, lambda w: w.transpose(2, 1, 0)), (b, lambda b: b))
    more = int(rng.integers(0, max(stride, dilation)))
    if (l - 1) * stride - 2 * padding + dilation * (k - 1) + 1 + more < 1:
        padding = 0
    same_as_torch(torch, lambda x, w, b: ops.conv_transpose1d(x, w, stride, padding, more, dilation, groups, b),
                  lambda x, w, b: f.conv_transpose1d(x, w, b, stride, padding, more, groups, dilation),
                  (rng.normal(size=(n, l, o)), first), (w, lambda w: w.transpose(2, 1, 0)),
                  (rng.normal(size=c), lambda b: b))


def test_same_padding_and_a_border_of_two_sides():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 9, 3)), rng.normal(size=(4, 3, 5))
    theirs = torch.nn.functional.conv1d(torch.tensor(first(x)), torch.tensor(w.transpose(2, 1, 0).copy()),
                                        padding="same", dilation=2)
    close(first(ops.conv1d(x, w, padding="same", dilation=2)), theirs.numpy())
    close(ops.conv1d(x, w, padding=(2, 1)), ops.conv1d(np.pad(x, ((0, 0), (2, 1), (0, 0))), w))
    assert ops.conv1d(x, w, stride=4, padding="same").shape == (2, 3, 5)


def pools(rng, axes):
    """Drawn arguments that PyTorch takes too: size, stride, padding, ceil_mode, dilation; and a shape they fit."""
    size, stride, dilation = (tuple(int(v) for v in rng.integers(1, 4, axes)) for _ in range(3))
    padding = tuple(int(rng.integers(0, s // 2 + 1)) for s in size)
    spans = [d * (s - 1) + 1 for s, d in zip(size, dilation)]
    shape = (2, *(span + int(rng.integers(0, 6)) for span in spans), 3)
    return size, stride, padding, bool(rng.integers(2)), dilation, shape


@pytest.mark.parametrize("seed", range(40))
def test_dilated_pools_their_places_and_unpooling_equal_pytorchs(seed):
    torch = pytest.importorskip("torch")
    f, rng = torch.nn.functional, np.random.default_rng(seed)
    axes = 1 + seed % 2
    size, stride, padding, ceil_mode, dilation, shape = pools(rng, axes)
    x = rng.normal(size=shape)
    ours, theirs, back = (ops.max_pool1d, f.max_pool1d, ops.max_unpool1d) if axes == 1 else \
        (ops.max_pool2d, f.max_pool2d, ops.max_unpool2d)
    own = [v[0] if axes == 1 else v for v in (size, stride, padding)]
    holes = dilation[0] if axes == 1 else dilation
    same_as_torch(torch, lambda x: ours(x, *own, ceil_mode, holes),
                  lambda x: theirs(x, size, stride, padding, dilation, ceil_mode), (x, first))
    y, places = ours(x, *own, ceil_mode, holes, return_indices=True)
    yt, at = theirs(torch.tensor(first(x)), size, stride, padding, dilation, ceil_mode, return_indices=True)
    close(first(y), yt.numpy())
    assert places.dtype == np.int64 and (first(places) == at.numpy()).all()
    filled = back(y, places, shape[1] if axes == 1 else shape[1:3])
    flat = np.zeros((2, int(np.prod(shape[1:-1])), 3))
    for n, p, c in np.ndindex(2, int(np.prod(y.shape[1:-1])), 3):
        flat[n, places.reshape(2, -1, 3)[n, p, c], c] += y.reshape(2, -1, 3)[n, p, c]
    close(filled, flat.reshape(shape))
    average, theirs = (ops.avg_pool1d, f.avg_pool1d) if axes == 1 else (ops.avg_pool2d, f.avg_pool2d)
    counted = bool(rng.integers(2))
    same_as_torch(torch, lambda x: average(x, *own, ceil_mode, counted),
                  lambda x: theirs(x, size, stride, padding, ceil_mode, counted), (x, first))


def test_unpooling_undoes_disjoint_pooling():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).normal(size=(2, 6, 8, 3))
    y, places = ops.max_pool2d(x, 2, return_indices=True)
    theirs = torch.nn.functional.max_unpool2d(torch.tensor(first(y)), torch.tensor(first(places)), 2)
    close(first(ops.max_unpool2d(y, places, (6, 8))), theirs.numpy())


@pytest.mark.parametrize("output", [1, 2, 5, 7])
def test_adaptive_pools_of_sequences_equal_pytorchs(output):
    torch = pytest.importorskip("torch")
    f, x = torch.nn.functional, np.random.default_rng(output).normal(size=(3, 7, 2))
    same_as_torch(torch, lambda x: ops.adaptive_max_pool1d(x, output), lambda x: f.adaptive_max_pool1d(x, output),
                  (x, first))
    same_as_torch(torch, lambda x: ops.adaptive_avg_pool1d(x, output), lambda x: f.adaptive_avg_pool1d(x, output),
                  (x, first))


@pytest.mark.parametrize("length, size, stride", [(7, 3, 2), (8, 3, 2), (8, 2, 2), (5, 4, 1), (9, 2, 4)])
def test_same_pools_have_as_many_windows_as_strides_and_the_odd_pixel_behind(length, size, stride):
    x = np.random.default_rng(0).normal(size=(2, length, 3))
    missing = max((-(-length // stride) - 1) * stride + size - length, 0)
    wide = np.pad(x, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)), constant_values=-np.inf)
    close(ops.max_pool1d(x, size, stride, "same"), ops.max_pool1d(wide, size, stride))
    wide = np.where(np.isinf(wide), 0, wide)
    close(ops.avg_pool1d(x, size, stride, "same"), ops.avg_pool1d(wide, size, stride))
    assert ops.max_pool1d(x, size, stride, "same").shape[1] == -(-length // stride)
    image = ops.avg_pool2d(x[:, :, None], (size, 1), (stride, 1), "same", count_include_pad=False)
    close(image[:, :, 0], ops.avg_pool1d(x, size, stride, "same", count_include_pad=False))


FAMILY = {
    "conv1d": (lambda x, w: ops.conv1d(x, w, 2, 1, 2), [(2, 9, 3), (3, 3, 2)]),
    "conv_transpose1d": (lambda x, w: ops.conv_transpose1d(x, w, 2, 1, 1), [(2, 4, 2), (3, 3, 2)]),
    "max_pool1d": (lambda x: ops.max_pool1d(x, 3, 2, 1, dilation=2), [(2, 9, 3)]),
    "max_pool2d": (lambda x: ops.max_pool2d(x, (2, 3), 1, "same", dilation=(3, 1)), [(2, 5, 4, 3)]),
    "avg_pool1d": (lambda x: ops.avg_pool1d(x, 3, 2, "same"), [(2, 8, 3)]),
    "max_unpool1d": (lambda y: ops.max_unpool1d(y, np.array([[[1], [4], [4]]]), 5), [(1, 3, 1)]),
}


@pytest.mark.parametrize("name", FAMILY)
def test_derivatives_to_second_order(name):
    function, shapes = FAMILY[name]
    rng = np.random.default_rng(3)
    arrays = [rng.permutation(np.arange(float(np.prod(s)))).reshape(s) / 10 if "pool" in name else rng.normal(size=s)
              for s in shapes]
    assert gradcheck(function, *arrays) and gradgradcheck(function, *arrays)
    assert function(*(a.astype(np.float32) for a in arrays)).dtype == np.float32


X, W = np.zeros((2, 9, 3)), np.zeros((4, 3, 5))
REFUSED = {
    "max_pool2d: x must be floating-point images (n, h, w, c), got int64 (2, 1, 9, 3)":
        lambda: ops.max_pool1d(X.astype(np.int64), 2),
    "conv2d: x and w must both be float32 or both float64, got int64 and float64": lambda: ops.conv1d(X.astype(int), W),
    "conv1d: x must be sequences (n, l, c), got shape (9, 3)": lambda: ops.conv1d(X[0], W),
    "conv1d: w must be (k, c, o), got shape (4, 3)": lambda: ops.conv1d(X, W[..., 0]),
    "conv1d: w is for 3 channels but x has 9 (x (2, 3, 9), w (4, 3, 5)); sequences are channels last: "
    "x.transpose(0, 2, 1)": lambda: ops.conv1d(X.transpose(0, 2, 1), W),
    "conv1d: stride must be an integer >= 1, got (1, 2)": lambda: ops.conv1d(X, W, (1, 2)),
    "conv_transpose1d: padding must be numbers, got 'same'": lambda: ops.conv_transpose1d(X, W, padding="same"),
    "max_pool1d: size must be an integer >= 1, got 0": lambda: ops.max_pool1d(X, 0),
    "max_pool2d: return_indices must be True or False, got 1":
        lambda: ops.max_pool2d(X[..., None], 2, return_indices=1),
    "max_pool2d: with padding 5 and dilation 3 a window of 3 sees none of 1 pixels":
        lambda: ops.max_pool2d(np.zeros((1, 1, 1, 1)), 3, 1, 5, dilation=3),
    "max_unpool1d: indices must have the shape of y, (2, 9, 3), got (2,)": lambda: ops.max_unpool1d(X, [0, 1], 20),
    "max_unpool2d: indices must lie in [0, 9) for images of 1 x 9, got 9 ... 9":
        lambda: ops.max_unpool1d(X, np.full(X.shape, 9), 9),
    "max_unpool2d: indices must be integers (2, 1, 9, 3) like y, got float64 (2, 1, 9, 3)":
        lambda: ops.max_unpool1d(X, np.zeros(X.shape), 9),
    "avg_pool2d: padding must be numbers or \"same\", got 'full'": lambda: ops.avg_pool1d(X, 2, padding="full"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        REFUSED[message]()
