"""conv2d and its family: against PyTorch in float64 to second order, and what must be refused."""
import numpy as np
import pytest

import minigrad as mg
from minigrad import kernels, ops
from minigrad.ops import conv
from minigrad.testing import gradcheck, gradgradcheck


def draw(rng):
    """Shapes and arguments of a convolution whose window fits."""
    while True:
        groups = int(rng.choice([1, 1, 2, 3]))
        c, o = groups * int(rng.integers(1, 6)), groups * int(rng.integers(1, 6))
        n, h, w = int(rng.integers(0, 4)), int(rng.integers(1, 12)), int(rng.integers(1, 12))
        k = rng.integers(1, 5, 2).tolist()
        stride, dilation = rng.integers(1, 4, 2).tolist(), rng.choice([1, 1, 2, 3], 2).tolist()
        border = rng.integers(0, 4, (2, 2)).tolist()
        if rng.integers(2):
            border = [[border[0][0]] * 2, [border[1][0]] * 2]
        spans = [d * (s - 1) + 1 for d, s in zip(dilation, k)]
        if h + sum(border[0]) >= spans[0] and w + sum(border[1]) >= spans[1]:
            return (n, h, w, c), (*k, c // groups, o), dict(
                stride=tuple(stride), dilation=tuple(dilation), groups=groups, padding=tuple(map(tuple, border)))


def scattered(rng, shape):
    """The same numbers in another layout: Fortran order, every second one, reversed, transposed, or contiguous."""
    a = rng.standard_normal(shape)
    kind = rng.integers(5)
    if kind == 0:
        return np.asfortranarray(a)
    if kind == 1:
        wide = np.zeros((*shape[:-1], 2 * shape[-1]))
        wide[..., ::2] = a
        return wide[..., ::2]
    if kind == 2:
        return np.ascontiguousarray(a[:, ::-1])[:, ::-1]
    if kind == 3:
        return np.ascontiguousarray(a.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    return a


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * (1 + np.abs(b).max(initial=0)))


def torch_conv(torch, x, w, b, stride, padding, dilation, groups):
    (top, bottom), (left, right) = padding
    x = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    w = w.permute(3, 2, 0, 1).contiguous()            # slow_conv2d insists
    return torch.nn.functional.conv2d(x.contiguous(), w, b, stride, 0, dilation, groups).permute(0, 2, 3, 1)


def against_torch(seed, cases):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    for case in range(cases):
        sx, sw, how = draw(rng)
        x, w, b = scattered(rng, sx), scattered(rng, sw), rng.standard_normal(sw[3])
        ours = [mg.Tensor(a, requires_grad=True) for a in (x, w, b)]
        theirs = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in (x, w, b)]
        y = ops.conv2d(ours[0], ours[1], b=ours[2] if case % 2 else None, **how)
        t = torch_conv(torch, theirs[0], theirs[1], theirs[2] if case % 2 else None, **how)
        close(y.data, t.detach().numpy())

        used = slice(0, 3 if case % 2 else 2)
        g = scattered(rng, y.shape)
        ours.append(mg.Tensor(g, requires_grad=True))
        theirs.append(torch.tensor(np.ascontiguousarray(g), requires_grad=True))
        first = mg.grad(y, ours[used], ours[3], create_graph=True)
        first_t = torch.autograd.grad(t, theirs[used], theirs[3], create_graph=True)
        for a, b_ in zip(first, first_t):
            close(a.data, b_.detach().numpy())
        plain = mg.grad(y, ours[used], g)                  # the fused backward
        for a, b_ in zip(plain, first_t):
            close(a.data, b_.detach().numpy())

        u = [rng.standard_normal(a.shape) for a in first]
        total = sum((a * u_).sum() for a, u_ in zip(first, u))
        total_t = sum((a * torch.tensor(u_)).sum() for a, u_ in zip(first_t, u))
        second = mg.grad(total, [ours[0], ours[1], ours[3]])
        second_t = torch.autograd.grad(total_t, [theirs[0], theirs[1], theirs[3]], allow_unused=True)
        for a, b_ in zip(second, second_t):
            close(a.data, np.zeros(a.shape) if b_ is None else b_.numpy())     # None: no images


def test_conv2d_equals_torch_to_second_order():
    against_torch(1, 200)


@pytest.mark.long
def test_conv2d_equals_torch_to_second_order_2000():
    against_torch(2, 2000)


def test_conv_transpose2d_equals_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    for case in range(100):
        groups = int(rng.choice([1, 2]))
        c, o = groups * int(rng.integers(1, 5)), groups * int(rng.integers(1, 5))
        k, stride, dilation = (tuple(rng.integers(1, 4, 2).tolist()) for _ in range(3))
        padding = tuple(rng.integers(0, 2, 2).tolist())
        more = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation))
        x, w, b = rng.standard_normal((2, *rng.integers(3, 7, 2), c)), rng.standard_normal((*k, o // groups, c)), None
        if case % 2:
            b = rng.standard_normal(o)
        t = torch.nn.functional.conv_transpose2d(
            torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(w).permute(3, 2, 0, 1),
            None if b is None else torch.tensor(b), stride, padding, more, groups, dilation).permute(0, 2, 3, 1).numpy()
        close(ops.conv_transpose2d(x, w, stride, padding, more, dilation, groups, b), t)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_padding():
    rng = np.random.default_rng(4)
    for h, k, stride, dilation in ((7, 3, 1, 1), (7, 4, 1, 1), (8, 5, 2, 1), (9, 2, 3, 2), (5, 1, 4, 1)):
        x, w = rng.standard_normal((1, h, h, 2)), rng.standard_normal((k, k, 2, 3))
        y = ops.conv2d(x, w, stride, "same", dilation)
        assert y.shape == (1, -(-h // stride), -(-h // stride), 3)
    torch = pytest.importorskip("torch")
    x, w = rng.standard_normal((2, 7, 6, 2)), rng.standard_normal((4, 3, 2, 3))
    t = torch.nn.functional.conv2d(torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(w).permute(3, 2, 0, 1),
                                   padding="same")
    close(ops.conv2d(x, w, padding="same"), t.permute(0, 2, 3, 1).numpy())


def test_gradients_of_the_whole_family():
    rng = np.random.default_rng(5)
    x, w, b, g = (rng.standard_normal(s) for s in ((2, 5, 4, 2), (3, 2, 1, 4), (4,), (2, 3, 4, 4)))
    how = dict(stride=(2, 1), padding=((1, 0), (0, 1)), groups=2)
    g = rng.standard_normal(ops.conv2d(x, w, **how).shape)
    for f, args in ((lambda x, w, b: ops.conv2d(x, w, b=b, **how), (x, w, b)),
                    (lambda g, w: ops.conv2d_x(g, w, (5, 4), **how), (g, w)),
                    (lambda x, g: ops.conv2d_w(x, g, (3, 2), **how), (x, g)),
                    (lambda x, w, b: ops.conv_transpose2d(x, w, (2, 1), 1, (1, 0), 1, 2, b),
                     (rng.standard_normal((2, 3, 3, 4)), w, rng.standard_normal(2)))):
        gradcheck(f, *args)
        gradgradcheck(f, *args)


def test_convolution_with_a_window_of_one_pixel_is_a_linear_layer():
    rng = np.random.default_rng(6)
    x, w, b = rng.standard_normal((3, 4, 5, 6)), rng.standard_normal((1, 1, 6, 7)), rng.standard_normal(7)
    close(ops.conv2d(x, w, b=b), x @ w[0, 0] + b)


def test_arrays_give_arrays_and_float32_stays():
    x, w, b = np.ones((1, 4, 4, 1), "f"), np.ones((3, 3, 1, 2), "f"), np.ones(2, "f")
    y = ops.conv2d(x, w, b=b)
    assert type(y) is np.ndarray and y.dtype == np.float32 and (y == 10).all()
    ours = [mg.Tensor(a, requires_grad=True) for a in (x, w, b)]
    y = ops.conv2d(ours[0], ours[1], b=ours[2])
    assert y.dtype == np.float32
    y.backward(np.ones(y.shape, "f"))
    assert all(t.grad.dtype == np.float32 for t in ours)


def test_no_gradient_is_computed_that_nobody_asked_for(monkeypatch):
    called = []
    for name in ("conv2d_x", "conv2d_w"):
        real = getattr(kernels.conv, name)
        monkeypatch.setattr(kernels.conv, name, lambda *a, real=real, name=name: (called.append(name), real(*a)))
    x, w, b = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 2)), np.ones(2)
    for wanted, calls in (((0, 1, 1), ["conv2d_w"]), ((1, 0, 0), ["conv2d_x"]), ((0, 0, 1), ["conv2d_w"])):
        called.clear()
        tensors = [mg.Tensor(a, requires_grad=bool(r)) for a, r in zip((x, w, b), wanted)]
        ops.conv2d(tensors[0], tensors[1], b=tensors[2]).sum().backward()
        assert called == calls


def test_fused_backward_adds_into_places():
    rng = np.random.default_rng(7)
    x, w, b, g = (rng.standard_normal(s) for s in ((2, 5, 5, 3), (2, 2, 3, 4), (4,), (2, 4, 4, 4)))
    args = (x, w, b, (1, 1, 0, 0, 1, 1, 1), (4, 4))
    op = conv._conv2d_bias.op
    fresh = op.fused(g, None, [True, True, True], [None] * 3, *args)
    into = [None, (np.ones_like(w), True), (np.full_like(b, 7), False)]
    _, dw, db, *_ = op.fused(g, None, [False, True, True], into, *args)
    assert dw is into[1][0] and db is into[2][0]
    close(dw, fresh[1] + 1)
    close(db, fresh[2])
    for a, rule, value in zip(fresh, op.rules, args[:3]):
        want = rule(g, None, *args)
        close(a, want if want.shape == value.shape else want.sum((0, 1, 2)))


def test_an_empty_batch():
    x, w = mg.Tensor(np.zeros((0, 5, 5, 2)), requires_grad=True), mg.Tensor(np.ones((3, 3, 2, 4)), requires_grad=True)
    y = ops.conv2d(x, w)
    y.sum().backward()
    assert y.shape == (0, 3, 3, 4) and x.grad.shape == x.shape and (w.grad == 0).all()


@pytest.mark.parametrize("message, call", [
    (r"w has 3 input channels but x has 1 \(x \(64, 28, 28, 1\), w \(5, 5, 3, 8\)\)",
     ((64, 28, 28, 1), (5, 5, 3, 8), {})),
    (r"w has 2 input channels in each of 2 groups but x has 2", ((1, 4, 4, 2), (3, 3, 2, 4), dict(groups=2))),
    (r"stride must be an integer >= 1 or a pair of them, got 0", ((1, 4, 4, 1), (3, 3, 1, 1), dict(stride=0))),
    (r"stride must be .* got -1", ((1, 4, 4, 1), (3, 3, 1, 1), dict(stride=-1))),
    (r"stride must be .* got 1.5", ((1, 4, 4, 1), (3, 3, 1, 1), dict(stride=1.5))),
    (r"dilation must be", ((1, 4, 4, 1), (3, 3, 1, 1), dict(dilation=(1, 0)))),
    (r"padding must be", ((1, 4, 4, 1), (3, 3, 1, 1), dict(padding=-1))),
    (r"padding must be", ((1, 4, 4, 1), (3, 3, 1, 1), dict(padding=((1, 1), (0, -1))))),
    (r'padding must be numbers or "same"', ((1, 4, 4, 1), (3, 3, 1, 1), dict(padding="valid"))),
    (r"groups must be", ((1, 4, 4, 3), (3, 3, 1, 4), dict(groups=3))),
    (r"groups must be", ((1, 4, 4, 3), (3, 3, 1, 4), dict(groups=0))),
    (r"the window, 5 x 5, is larger than the image with its padding, 4 x 4", ((1, 4, 4, 1), (5, 5, 1, 1), {})),
    (r"x must be \(n, h, w, c\)", ((4, 4, 1), (3, 3, 1, 1), {})),
    (r"x must be \(n, h, w, c\)", ((1, 4, 4, 1), (3, 3, 1), {})),
    (r"only the number of images may be 0", ((1, 4, 4, 0), (3, 3, 0, 1), {})),
    (r"larger than any memory", ((1, 4, 4, 1), (3, 3, 1, 1), dict(padding=1 << 40))),
    (r"larger than any memory", ((1, 4, 4, 1), (3, 3, 1, 1), dict(padding=1 << 80))),
])
def test_refused(message, call):
    x, w, how = call
    with pytest.raises(ValueError, match=f"conv2d: .*{message}"):
        ops.conv2d(np.zeros(x), np.zeros(w), **how)


def test_a_bias_of_another_shape_or_dtype_is_refused_by_both():
    """A bias (1,) or () would broadcast, one in float64 would widen a result in float32."""
    x, w = np.ones((1, 4, 4, 2), "f"), np.ones((3, 3, 2, 2), "f")
    for name in ("conv2d", "conv_transpose2d"):
        f = getattr(ops, name)
        for b in (np.zeros(1, "f"), np.float32(0), np.zeros(3, "f"), np.zeros((1, 2), "f")):
            with pytest.raises(ValueError, match=rf"{name}: b must have shape \(2,\) for w \(3, 3, 2, 2\), got"):
                f(x, w, b=b)
        with pytest.raises(ValueError, match=f"{name}: b must be float32 like w, got float64"):
            f(x, w, b=mg.Tensor(np.zeros(2)))
        assert f(x, w, b=[1.0, 2.0]).dtype == np.float32


@pytest.mark.parametrize("message, how", [
    (r"output_padding must be smaller than stride or dilation, got \(2, 2\) for stride \(2, 2\)",
     dict(stride=2, output_padding=2)),
    (r"output_padding must be smaller .* got \(0, 1\) for stride \(2, 1\)", dict(stride=(2, 1), output_padding=(0, 1))),
    (r"output_padding must be smaller .* got \(3, 3\) .* dilation \(3, 3\)", dict(dilation=3, output_padding=3)),
    (r"output_padding must be an integer >= 0", dict(output_padding=-1)),
    (r"padding must be numbers, got 'same'", dict(padding="same")),
    (r"nothing is left of the result, 0 x 0, with padding .* \(x \(1, 4, 4, 2\), w \(3, 3, 3, 2\)\)", dict(padding=3)),
    (r"groups must be an integer >= 1 that divides", dict(groups=0)),
    (r"larger than any memory", dict(stride=1 << 40)),
    (r"larger than any memory", dict(stride=1 << 80)),
])
def test_refused_by_the_transposed_convolution(message, how):
    with pytest.raises(ValueError, match=f"conv_transpose2d: .*{message}"):
        ops.conv_transpose2d(np.zeros((1, 4, 4, 2)), np.zeros((3, 3, 3, 2)), **how)


def test_windows_that_meet_no_pixel_and_strides_that_share_a_factor_with_the_dilation():
    """Where the compiled kernels leave out rows of the border and the gaps of a strided gradient."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(8)
    blind = 0
    for _ in range(120):
        n, h, w, c = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2, 5])), int(rng.choice([1, 2, 3, 7])), 2
        groups = int(rng.choice([1, 2]))
        k = rng.integers(1, 5, 2).tolist()
        stride, dilation = rng.choice([1, 2, 3, 4, 6], 2).tolist(), rng.choice([1, 2, 3, 4, 6], 2).tolist()
        border = rng.integers(0, 12, (2, 2)).tolist()                         # more than the image
        if h + sum(border[0]) <= dilation[0] * (k[0] - 1) or w + sum(border[1]) <= dilation[1] * (k[1] - 1):
            continue
        how = dict(stride=tuple(stride), dilation=tuple(dilation), groups=groups, padding=tuple(map(tuple, border)))
        arrays = rng.standard_normal((n, h, w, c)), rng.standard_normal((*k, c // groups, 4)), rng.standard_normal(4)
        ours = [mg.Tensor(a, requires_grad=True) for a in arrays]
        theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
        y, t = ops.conv2d(ours[0], ours[1], b=ours[2], **how), torch_conv(torch, *theirs, **how)
        close(y.data, t.detach().numpy())
        g = rng.standard_normal(y.shape)
        for a, b in zip(mg.grad(y, ours, g), torch.autograd.grad(t, theirs, torch.tensor(g))):
            close(a.data, b.numpy())
        blind += bool((y.data == arrays[2]).all(axis=(2, 3)).any())           # a row that is the bias alone
    assert blind > 40


def test_unaligned_read_only_and_repeated_arrays():
    rng = np.random.default_rng(9)
    for dtype in (np.float32, np.float64):
        x, w = rng.standard_normal((2, 5, 6, 3)).astype(dtype), rng.standard_normal((3, 2, 3, 4)).astype(dtype)
        raw = np.empty(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(x.shape)
        raw[...] = x
        frozen = x.copy()
        frozen.flags.writeable = False
        for f in (lambda x, w=w: ops.conv2d(x, w, 2, 1), lambda x, w=w: ops.conv_transpose2d(x, w.swapaxes(2, 3), 2),
                  lambda x: ops.max_pool2d(x, 3, 1, 1), lambda x: ops.avg_pool2d(x, 2),
                  lambda x: ops.fractional_max_pool2d(x, 3, samples=(0.2, 0.7)),
                  lambda x: ops.batch_norm(x, *np.ones((2, 3), x.dtype)),
                  lambda x: ops.layer_norm(x, *np.ones((2, 3), x.dtype))):
            np.testing.assert_array_equal(f(raw), f(x))
            np.testing.assert_array_equal(f(frozen), f(x))
            np.testing.assert_array_equal(f(np.broadcast_to(x[:1], x.shape)), f(np.repeat(x[:1], 2, axis=0)))


def test_a_border_or_dilation_beyond_all_memory_is_an_error_not_a_crash():
    x, w = np.ones((1, 4, 4, 1)), np.ones((2, 2, 1, 1))
    for how in (dict(padding=1 << 30, stride=1 << 31), dict(padding=1 << 60, stride=1 << 61),
                dict(padding=1 << 29, dilation=1 << 30), dict(padding=1 << 61, dilation=1 << 62)):
        with pytest.raises((ValueError, MemoryError)):
            ops.conv2d(x, w, **how)


def test_dtypes_must_agree():
    x, w = np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 1), "f")
    for bad in ((x, w), (x.astype(int), w), (x, w.astype(int))):
        with pytest.raises(ValueError, match="conv2d: x and w must both be float32 or both float64"):
            ops.conv2d(*bad)
    with pytest.raises(ValueError, match="b must be float64"):
        ops.conv2d(x, w.astype(float), b=np.ones(1, "f"))
    with pytest.raises(ValueError, match="b must have shape"):
        ops.conv2d(x, w.astype(float), b=np.ones(2))
