"""Pooling: against PyTorch in float64 to second order, overlap, ties, and fractional pooling."""
import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.ops.pool import fractional_bounds
from minigrad.testing import gradcheck, gradgradcheck


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def layouts(rng, shape):
    a = rng.standard_normal(shape)
    kind = rng.integers(3)
    if kind == 0:
        return np.asfortranarray(a)
    if kind == 1:
        return np.ascontiguousarray(a[:, :, ::-1])[:, :, ::-1]
    return a


def pools_against_torch(torch, seed, cases):
    rng = np.random.default_rng(seed)
    f = torch.nn.functional
    done = 0
    while done < cases:
        n, h, w, c = (int(v) for v in (rng.integers(0, 4), *rng.integers(1, 12, 2), rng.integers(1, 20)))
        size, stride = (tuple(rng.integers(1, 5, 2).tolist()) for _ in range(2))
        padding = tuple(int(rng.integers(0, s // 2 + 1)) for s in size)
        if n == 0 or h + 2 * padding[0] < size[0] or w + 2 * padding[1] < size[1]:
            continue
        done += 1
        x = layouts(rng, (n, h, w, c))
        for ours, theirs in ((ops.max_pool2d, f.max_pool2d), (ops.avg_pool2d, f.avg_pool2d)):
            a = mg.Tensor(x, requires_grad=True)
            t = torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), requires_grad=True)
            y, yt = ours(a, size, stride, padding), theirs(t, size, stride, padding)
            close(y.data, yt.detach().numpy().transpose(0, 2, 3, 1))
            g = rng.standard_normal(y.shape)
            gt = torch.tensor(np.ascontiguousarray(g.transpose(0, 3, 1, 2)), requires_grad=True)
            g = mg.Tensor(g, requires_grad=True)
            dx, dxt = mg.grad(y, a, g, create_graph=True), torch.autograd.grad(yt, t, gt, create_graph=True)[0]
            close(dx.data, dxt.detach().numpy().transpose(0, 2, 3, 1))
            u = rng.standard_normal(x.shape)
            ut = torch.tensor(np.ascontiguousarray(u.transpose(0, 3, 1, 2)))
            close(mg.grad((dx * u).sum(), g).data,
                  torch.autograd.grad((dxt * ut).sum(), gt)[0].numpy().transpose(0, 2, 3, 1))


def test_pools_equal_torch_to_second_order():
    pools_against_torch(pytest.importorskip("torch"), 1, 200)


@pytest.mark.long
def test_pools_equal_torch_to_second_order_2000():
    pools_against_torch(pytest.importorskip("torch"), 2, 2000)


def test_gradients():
    rng = np.random.default_rng(3)
    x = rng.permutation(np.arange(2 * 7 * 6 * 3) / 50.0).reshape(2, 7, 6, 3)       # no two numbers nearer than 0.02
    for f in (lambda x: ops.max_pool2d(x, 2), lambda x: ops.max_pool2d(x, (3, 2), (2, 1), 1),
              lambda x: ops.avg_pool2d(x, 3, 2, 1), lambda x: ops.avg_pool2d(x, (1, 2)),
              lambda x: ops.fractional_max_pool2d(x, (4, 4), samples=(0.3, 0.6)),
              lambda x: ops.fractional_max_pool2d(x, 0.7, overlapping=False, samples=(0.9, 0.1))):
        gradcheck(f, x)
        gradgradcheck(f, x)
        gradgradcheck(lambda x, f=f: f(x * x * x), x)       # something to differentiate twice


def test_overlapping_windows_add():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1, 0] = 1                                       # the maximum of all four windows
    t = mg.Tensor(x, requires_grad=True)
    ops.max_pool2d(t, 2, 1).backward(np.array([1.0, 2, 4, 8]).reshape(1, 2, 2, 1))
    assert t.grad[0, 1, 1, 0] == 15 and np.abs(t.grad).sum() == 15


def test_ties_go_to_the_first_and_nan_is_kept():
    t = mg.Tensor(np.full((1, 2, 2, 1), 3.0), requires_grad=True)
    y = ops.max_pool2d(t, 2)
    y.backward(np.full((1, 1, 1, 1), 5.0))
    assert t.grad.ravel().tolist() == [5, 0, 0, 0]
    x = np.array([1.0, np.nan, 9, np.nan]).reshape(1, 2, 2, 1)
    t = mg.Tensor(x, requires_grad=True)
    y = ops.max_pool2d(t, 2)
    y.backward(np.ones((1, 1, 1, 1)))
    assert np.isnan(y.data).all() and t.grad.ravel().tolist() == [0, 1, 0, 0]


def test_padding_is_never_the_maximum_but_counts_in_the_mean():
    x = -np.ones((1, 2, 2, 1))
    assert (ops.max_pool2d(x, 2, 1, 1) == -1).all()
    assert ops.avg_pool2d(x, 2, 2, 1).ravel().tolist() == [-0.25] * 4


def test_global_average_is_the_mean():
    x = np.random.default_rng(4).standard_normal((3, 5, 4, 2))
    close(ops.avg_pool2d(x, (5, 4))[:, 0, 0], x.mean((1, 2)))


def test_fractional_equals_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    for _ in range(200):
        h, w, c = (int(v) for v in (*rng.integers(4, 20, 2), rng.integers(1, 4)))
        size = tuple(rng.integers(1, 4, 2).tolist())
        output = tuple(int(rng.integers(1, n - k + 1)) for n, k in zip((h, w), size))
        x, u = rng.standard_normal((2, h, w, c)), rng.random(2)
        samples = torch.tensor(u[::-1].copy()).expand(2, c, 2)          # columns first
        a, t = mg.Tensor(x, requires_grad=True), torch.tensor(x.transpose(0, 3, 1, 2).copy(), requires_grad=True)
        y = ops.fractional_max_pool2d(a, output, size, samples=u)
        yt = torch.nn.FractionalMaxPool2d(size, output, _random_samples=samples)(t)
        close(y.data, yt.detach().numpy().transpose(0, 2, 3, 1))
        g = rng.standard_normal(y.shape)
        y.backward(g)
        yt.backward(torch.tensor(g.transpose(0, 3, 1, 2).copy()))
        close(a.grad, t.grad.numpy().transpose(0, 2, 3, 1))


def test_fractional_windows():
    rng = np.random.default_rng(6)
    for _ in range(500):
        length = int(rng.integers(3, 60))
        count = int(rng.integers(length // 2 + 1, length))               # 1 < alpha < 2
        u = rng.random()
        tiles = fractional_bounds(length, count, 2, u, False)
        assert tiles[0, 0] == 0 and tiles[-1, 1] == length and (tiles[1:, 0] == tiles[:-1, 1]).all()
        assert set(np.diff(tiles, axis=1).ravel()) <= {1, 2}             # disjoint: widths 1 and 2, nothing left out
        over = fractional_bounds(length, count, 2, u, True)
        assert over[0, 0] == 0 and over[-1, 1] == length and (np.diff(over, axis=1) == 2).all()
        assert set(np.diff(over[:, 0])) <= {1, 2}


def test_fractional_draws_once_per_call_and_repeats_with_a_seed():
    x = np.random.default_rng(7).standard_normal((2, 20, 20, 3))
    a, b = (ops.fractional_max_pool2d(x, 0.7, rng=3) for _ in range(2))
    rng = np.random.default_rng(3)
    c, d = (ops.fractional_max_pool2d(x, 0.7, rng=rng) for _ in range(2))
    assert (a == b).all() and (a == c).all() and (c != d).any() and a.shape == (2, 14, 14, 3)


def test_float32_stays_and_an_empty_batch_works():
    t = mg.Tensor(np.ones((0, 4, 4, 2), "f"), requires_grad=True)
    for f in (ops.max_pool2d, ops.avg_pool2d):
        y = f(t, 2)
        y.sum().backward()
        assert y.shape == (0, 2, 2, 2) and y.dtype == np.float32 and t.grad.dtype == np.float32


@pytest.mark.parametrize("message, call", [
    (r"max_pool2d: size must be an integer >= 1 or a pair of them, got 0", lambda x: ops.max_pool2d(x, 0)),
    (r"max_pool2d: stride must be", lambda x: ops.max_pool2d(x, 2, -1)),
    (r"max_pool2d: padding must be smaller than the window, got padding 2 and size 2",
     lambda x: ops.max_pool2d(x, 2, 1, 2)),
    (r"max_pool2d: a window of 7 does not fit into 5 pixels with padding 0", lambda x: ops.max_pool2d(x, 7)),
    (r"avg_pool2d: x must be floating-point images \(n, h, w, c\), got int64",
     lambda x: ops.avg_pool2d(x.astype(int), 2)),
    (r"avg_pool2d: x must be floating-point images .* \(5, 5, 2\)", lambda x: ops.avg_pool2d(x[0], 2)),
    (r"fractional_max_pool2d: 5 windows of 2 do not fit into 5 pixels", lambda x: ops.fractional_max_pool2d(x, 5)),
    (r"fractional_max_pool2d: a ratio must lie in \(0, 1\), got 1.5", lambda x: ops.fractional_max_pool2d(x, 1.5)),
    (r"fractional_max_pool2d: a ratio must lie in \(0, 1\), got 0.0", lambda x: ops.fractional_max_pool2d(x, 0.0)),
    (r"fractional_max_pool2d: a ratio must lie in \(0, 1\), got 1.0", lambda x: ops.fractional_max_pool2d(x, 1.0)),
    (r"fractional_max_pool2d: samples must be two numbers",
     lambda x: ops.fractional_max_pool2d(x, 3, samples=(0.5, 1))),
    (r"fractional_max_pool2d: output must be", lambda x: ops.fractional_max_pool2d(x, 0)),
])
def test_refused(message, call):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((1, 5, 5, 2)))


@pytest.mark.parametrize("u", [0.0, 0.5, np.nextafter(1, 0)])
@pytest.mark.parametrize("length, count", [(6, 6), (7, 6), (10, 7), (3, 1)])
def test_disjoint_fractional_windows_tile_the_axis_and_none_is_empty(length, count, u):
    bounds = fractional_bounds(length, count, 1, u, overlapping=False)
    assert bounds[0, 0] == 0 and bounds[-1, 1] == length
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
    assert (bounds[:, 1] > bounds[:, 0]).all()


@pytest.mark.parametrize("call", [
    lambda x: ops.max_pool2d(x, 2, stride=2**70), lambda x: ops.avg_pool2d(x, 2**62),
    lambda x: ops.conv2d(x, np.ones((1, 1, 1, 1)), dilation=2**70)])
def test_sizes_that_no_image_has_are_refused(call):
    with pytest.raises(ValueError, match="larger than any memory"):
        call(np.ones((1, 4, 4, 1)))


@pytest.mark.parametrize("length", range(1, 12))
def test_windows_of_every_size_are_pytorchs(length):
    torch = pytest.importorskip("torch")
    pool, x = torch.nn.functional, np.random.default_rng(length).standard_normal((2, length, length + 1, 2))
    z = torch.tensor(x).permute(0, 3, 1, 2)
    for size in range(1, length + 1):
        for stride in (1, 2, 3, 5):
            for padding in range(size // 2 + 1):
                for ceil in (False, True):
                    wanted = pool.max_pool2d(z, size, stride, padding, ceil_mode=ceil).permute(0, 2, 3, 1).numpy()
                    np.testing.assert_array_equal(ops.max_pool2d(x, size, stride, padding, ceil), wanted)
                    for include in (False, True):
                        wanted = pool.avg_pool2d(z, size, stride, padding, ceil, include).permute(0, 2, 3, 1).numpy()
                        np.testing.assert_allclose(ops.avg_pool2d(x, size, stride, padding, ceil, include), wanted,
                                                   rtol=1e-10, atol=1e-14)
    for output in range(1, 14):
        for ours, theirs in ((ops.adaptive_max_pool2d, pool.adaptive_max_pool2d),
                             (ops.adaptive_avg_pool2d, pool.adaptive_avg_pool2d)):
            wanted = theirs(z, (output, 3)).permute(0, 2, 3, 1).numpy()
            np.testing.assert_allclose(ours(x, (output, 3)), wanted, rtol=1e-10, atol=1e-14)
