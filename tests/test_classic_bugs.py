"""Mistakes that published frameworks of this kind have made; the number in a name is the row of our list.

Rows on pooling, batch norm, dropout and resuming are in the tests of those rooms.
"""
import time
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, losses, nn, ops, optim
from minigrad.core import grad, no_grad, tensor
from minigrad.testing.gradients import GradientError, gradcheck, gradgradcheck


def leaf(values, dtype=np.float64):
    return tensor(np.array(values, dtype), requires_grad=True)


def data(n=12, inputs=4, classes=3, rng=0, dtype=np.float64):
    rng = np.random.default_rng(rng)
    return rng.standard_normal((n, inputs)).astype(dtype), rng.integers(0, classes, n)


def mlp(rng=0, dtype=np.float64):
    return nn.Sequential(nn.Linear(4, 5, rng=rng), nn.Tanh(), nn.Linear(5, 3, rng=rng + 1)).astype(dtype)


# ------------------------------------------------------------------------------------------------------------ the graph

def test_01_gradients_accumulate_where_a_tensor_is_used_twice():
    x, w1, w2 = leaf([[1.0, 2.0]]), leaf([[1.0, 0.0], [0.0, 1.0]]), leaf([[4.0, 6.0], [5.0, 5.0]])
    ((x @ w1) + (x @ w2)).sum().backward()
    assert x.grad.tolist() == [[11, 11]]
    w = leaf([[1.0, 2.0], [3.0, 4.0]])
    (w @ w).sum().backward()
    ones = np.ones((2, 2))
    assert np.array_equal(w.grad, ones @ w.data.T + w.data.T @ ones)


def test_02_shared_nodes_are_visited_in_order():
    a = leaf(3.0)
    b = a + a
    (b + b).backward()
    assert a.grad == 4
    a, b = leaf(2.0), leaf(3.0)
    c, d = a + b, a * b
    e = c + d
    f = c * d
    (e + f).backward()                       # a + b + ab + (a + b) ab
    assert a.grad == 1 + 3 + 2 * 2 * 3 + 9 and b.grad == 1 + 2 + 4 + 2 * 2 * 3


def test_03_thirty_doublings_take_no_time():
    x = y = leaf(1.0)
    start = time.process_time()
    for _ in range(30):
        y = y + y
    y.backward()
    assert x.grad == 2 ** 30 and time.process_time() - start < 0.01


def test_04_a_long_chain_forward_backward_and_deleted():
    x = y = leaf(1.0)
    for _ in range(100_000):
        y = y + 1
    y.backward(retain_graph=True)
    assert x.grad == 1
    del y


def test_05_a_second_backward_through_a_freed_graph_is_an_error():
    b = leaf(2.0)
    d = (b * b) ** 2
    d.backward()
    assert b.grad == 32
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        d.backward()
    b.grad = None
    d = (b * b) ** 2
    d.backward(retain_graph=True)
    d.backward()
    assert b.grad == 64                      # 32 twice: inner gradients are not kept


@pytest.mark.parametrize("a, b", [((), ()), ((), (3,)), ((1,), ()), ((1,), (3,)), ((3, 1), (1, 4)), ((2, 1, 4), (3, 1)),
                                  ((1, 1), (1, 1)), ((2, 3), (1, 3)), ((0, 3), (1, 3)), ((4,), (2, 3, 4)), ((1,), ())])
@pytest.mark.parametrize("op", [ops.add, ops.subtract, ops.multiply, ops.divide, ops.maximum, ops.power])
def test_06_broadcasting_is_undone(op, a, b):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.5, 1, a), rng.uniform(1.2, 2, b)
    gradcheck(op, np.asarray(x), np.asarray(y))
    gradgradcheck(op, np.asarray(x), np.asarray(y))


def test_07_a_saved_value_that_changed_is_an_error():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = x * w
    w.data = np.array([100.0, 4.0])
    with pytest.raises(RuntimeError, match="multiply saved the value of a leaf, which has changed since"):
        y.sum().backward()


def test_08_a_step_between_forward_and_backward_is_an_error():
    model, (x, y) = mlp(), data()
    opt = optim.SGD(model.parameters(), lr=0.1)
    losses.cross_entropy(model(Tensor(x)), y).backward()
    loss = losses.cross_entropy(model(Tensor(x)), y)
    opt.step()
    with pytest.raises(RuntimeError, match="linear saved the value of"):
        loss.backward()


def test_09_leaves_never_share_a_gradient():
    a, b, w = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([2.0, 3.0])
    ((a + b) * w).sum().backward()
    assert a.grad is not b.grad and not np.shares_memory(a.grad, b.grad)
    a.grad += 3 * a.data
    assert b.grad.tolist() == [2, 3]


def test_10_gradients_are_writable_arrays():
    a, b = leaf([1.0, 2.0]), leaf(1.0)
    (a + b).sum().backward()
    for x in (a, b):
        x.grad *= 0.5
        assert x.grad.flags.writeable
    assert a.grad.tolist() == [0.5, 0.5] and b.grad == 1


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, lr=0.1, weight_decay=0.1), lambda p: optim.Momentum(p, lr=0.1),
                                  lambda p: optim.Adam(p, weight_decay=0.1), lambda p: optim.RMSProp(p),
                                  lambda p: optim.AdaGrad(p), lambda p: optim.Nesterov(p, lr=0.1)])
def test_11_an_optimizer_neither_writes_nor_keeps_the_gradient(make):
    thetas = []
    for overwrite in (False, True):
        model, (x, y) = mlp(), data()
        params = model.parameters()
        opt = make(params)
        for _ in range(2):
            opt.zero_grad()
            losses.cross_entropy(model(Tensor(x)), y).backward()
            before = params.g.copy()
            opt.step()
            assert np.array_equal(params.g, before)
            if overwrite:
                params.g[...] = 1e9
        with opt.at_theta():
            thetas.append(params.theta.copy())
    assert np.array_equal(*thetas)


def test_12_float32_is_never_widened():
    """Every op and every kind of number: tests/core/test_primitive.py."""
    x = tensor([1.0, 2.0], requires_grad=True)
    y = ((2 * x + np.float64(1)) / np.array(3.0) - np.array([True, False])) ** np.float32(2)
    y.mean().backward()
    assert y.dtype == np.float32 and x.grad.dtype == np.float32


def test_13_integers_have_no_gradient_and_labels_never_get_one():
    with pytest.raises(ValueError, match=r"not int64; convert it first: tensor\(x, dtype=np.float32\)"):
        tensor([1, 2], requires_grad=True)
    labels, x = tensor([0, 1]), leaf([[1.0, 2.0], [3.0, 4.0]])
    losses.cross_entropy(x, labels).backward()
    assert labels.grad is None and not (labels * 2).requires_grad


def test_14_an_array_on_the_left_gives_one_tensor():
    x, a = leaf([1.0, 2.0]), np.array([3.0, 4.0])
    for y in (a + x, a - x, a * x, a / x, a ** x, a @ x, a.astype(np.float32) * x, np.float64(2) * x, np.eye(2) @ x):
        assert isinstance(y, Tensor) and y.requires_grad


def test_15_reflected_operators():
    x = leaf([2.0, 4.0])
    cases = [(1 - x, [-1, -3], [-1, -1]), (2 / x, [1, 0.5], [-0.5, -0.125]),
             (2 ** x, [4, 16], np.log(2) * np.r_[4, 16]), (np.float32(2) * x, [4, 8], [2, 2]),
             (np.ones((3, 2)) @ x, [6, 6, 6], [3, 3]), (3 + x, [5, 7], [1, 1])]
    for y, value, derivative in cases:
        np.testing.assert_allclose(y.data, value)
        np.testing.assert_allclose(grad(y.sum(), x).data, derivative)


def test_16_indexing():
    x = leaf([1.0, 2.0, 3.0])
    cases = [(x[[0, 0, 2]], [2, 0, 1]), (x[1:], [0, 1, 1]), (x[::-1][:1], [0, 0, 1]), (x[x.data > 1.5], [0, 1, 1]),
             (x[None, :, None], [1, 1, 1]), (x[-1], [0, 0, 1]), (x[...], [1, 1, 1]), (x[np.array([-1, 2])], [0, 0, 2]),
             (x[tensor([1, 1, 1])], [0, 3, 0]), (x[[]], [0, 0, 0]), (x[2:0:-1], [0, 1, 1]),
             (x[[True, False, True]], [1, 0, 1])]
    for y, wanted in cases:
        x.grad = None
        y.sum().backward()
        assert x.grad.tolist() == wanted


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (-1, 0), (1,), [0, 1, 2]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_17_mean_over_any_axes(axis, keepdims):
    x = leaf(np.ones((2, 3, 4)))
    y = x.mean(axis, keepdims)
    given = tuple(axis) if isinstance(axis, list) else axis
    assert (y.data == 1).all() and y.shape == x.data.mean(given, keepdims=keepdims).shape
    y.sum().backward()
    np.testing.assert_allclose(x.grad, y.size / 24)


def test_18_ties_share_the_gradient():
    x = leaf([1.0, 3.0, 3.0])
    for y, wanted in ((x.max(), [0, 0.5, 0.5]), (x.min(), [1, 0, 0]), (ops.maximum(x, 3.0).sum(), [0, 0.5, 0.5]),
                      (ops.minimum(x, np.array([1.0, 3, 4])).sum(), [0.5, 0.5, 1])):
        x.grad = None
        y.backward()
        assert x.grad.tolist() == wanted
    a, b = leaf(2.0), leaf(2.0)
    ops.maximum(a, b).backward()
    assert a.grad + b.grad == 1


# ------------------------------------------------------------------------------------------------------------- numerics

@pytest.mark.parametrize("name, function, at, wanted", [
    ("relu", ops.relu, 0.0, 0), ("abs", ops.abs, 0.0, 0), ("norm", ops.norm, [0.0, 0.0], 0), ("sign", ops.sign, 0.0, 0),
    ("x ** 0", lambda x: x ** 0, 0.0, 0), ("0 ** x", lambda x: 0 ** x, 2.0, 0), ("0 ** 0", lambda x: 0 ** x, 0.0, 0),
    ("x ** 0.0", lambda x: x ** 0.0, 0.0, 0), ("x ** array(0)", lambda x: x ** np.zeros(()), 0.0, 0),
    ("x ** 1", lambda x: x ** 1, 0.0, 1), ("x ** 2", lambda x: x ** 2, 0.0, 0), ("leaky", ops.leaky_relu, 0.0, 0.01),
    ("elu", ops.elu, 0.0, 1), ("clip low", lambda x: ops.clip(x, 0, 1), 0.0, 1),
    ("clip high", lambda x: ops.clip(x, 0, 1), 1.0, 1)])
def test_20_kinks_are_finite_and_without_warning(name, function, at, wanted):
    x = leaf(at)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = function(x)
        assert np.isfinite(y.data).all()
        d = grad(y.sum(), x, create_graph=True)
        assert (d.data == wanted).all()
        if d.requires_grad:
            assert np.isfinite(grad(d.sum(), x).data).all()


def test_20_the_root_at_zero_has_an_infinite_derivative():
    x = leaf(0.0)
    with np.errstate(divide="ignore"):
        x.sqrt().backward()
    assert x.grad == np.inf


@pytest.mark.parametrize("function", [ops.relu, ops.abs, ops.tanh, ops.sigmoid, ops.exp, ops.max, ops.min, ops.softplus,
                                      lambda x: ops.maximum(x, 0.0), lambda x: ops.clip(x, 0, 1), ops.logsumexp,
                                      ops.norm, ops.leaky_relu, ops.elu, ops.gelu, ops.softmax, ops.log_softmax])
def test_21_nan_is_not_swallowed(function):
    x = leaf([1.0, np.nan, 2.0])
    y = function(x)
    assert np.isnan(y.data).any()
    (y * y).sum().backward()
    assert np.isnan(x.grad[1])


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4, 1e8])
def test_22_equal_logits_of_any_size(scale):
    x = leaf(np.full((2, 2), scale), np.float32)
    np.testing.assert_allclose(ops.log_softmax(x).data, -np.log(2), rtol=1e-6)
    np.testing.assert_allclose(losses.cross_entropy(x, np.array([0, 1])).data, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(ops.logsumexp(x, 1).data, np.float32(scale) + np.float32(np.log(2)), rtol=1e-6)


def test_22_huge_logits_are_finite_both_ways():
    x = leaf([[1e3, -1e3], [-1e3, 1e3], [1e30, -1e30]], np.float32)
    for wrong in (np.array([0, 1, 0]), np.array([1, 0, 1])):
        x.grad = None
        loss = losses.cross_entropy(x, wrong)
        loss.backward()
        assert np.isfinite(loss.data) and np.isfinite(x.grad).all()
    assert np.isfinite(ops.softmax(x).data).all() and np.isfinite(ops.log_softmax(x).data).all()
    np.testing.assert_allclose(x.grad.sum(1), 0, atol=1e-6)


def test_22_rows_of_minus_infinity_alone():
    x = leaf([[-np.inf, -np.inf], [0.0, -np.inf]])
    assert np.isnan(ops.softmax(x).data[0]).all() and ops.softmax(x).data[1].tolist() == [1, 0]
    assert ops.log_softmax(x).data[1].tolist() == [0, -np.inf]
    y = ops.logsumexp(x, 1)
    assert y.data.tolist() == [-np.inf, 0]
    y.backward(np.ones(2))
    assert x.grad.tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_23_sigmoid_and_softplus_at_the_ends(dtype):
    x = leaf([-1e3, -40.0, 0.0, 40.0, 1e3], dtype)
    y = ops.sigmoid(x)
    y.sum().backward()
    np.testing.assert_allclose(y.data, [0, 0 if dtype is np.float32 else np.exp(-40.0), 0.5, 1, 1], atol=1e-16)
    assert np.isfinite(x.grad).all()
    z = ops.softplus(x)
    np.testing.assert_allclose(z.data, [0, np.exp(-40.0), np.log(2), 40, 1e3], rtol=1e-6, atol=1e-30)


def test_23_labels_and_targets_are_not_modified():
    labels, x = np.array([0, 1, 1]), leaf(np.eye(3)[:, :2])
    losses.cross_entropy(x, labels).backward()
    assert labels.tolist() == [0, 1, 1]
    target = np.array([0.0, 1.0, 0.0])
    losses.mean_squared_error(x[:, 0], target).backward()
    assert target.tolist() == [0, 1, 0]
    binary = getattr(losses, "binary_cross_entropy", None)
    if binary is not None:
        loss = binary(x[:, 0] * 1000, target)
        loss.backward()
        assert target.tolist() == [0, 1, 0] and np.isfinite(loss.data) and np.isfinite(x.grad).all()


def test_24_empty_arrays():
    x = leaf(np.zeros((0, 3)))
    assert x.sum().item() == 0 and x.sum(0).data.tolist() == [0, 0, 0] and x.mean(1).shape == (0,)
    for call, message in ((lambda: x.mean(), "mean: no elements"), (lambda: x.max(), "max: no elements"),
                          (lambda: x.min(0), "min: no elements"), (lambda: x.var(), "var: 0 elements"),
                          (lambda: ops.logsumexp(x), "logsumexp: no elements"),
                          (lambda: ops.softmax(leaf(np.zeros((2, 0)))), "softmax: axis"),
                          (lambda: losses.cross_entropy(x, np.zeros(0, int)), "no examples")):
        with pytest.raises(ValueError, match=message):
            call()
    assert x.max(1).shape == (0,)
    a, b = leaf(np.zeros((3, 0))), leaf(np.zeros((0, 2)))
    y = a @ b
    assert y.data.tolist() == [[0, 0]] * 3
    y.sum().backward()
    assert a.grad.shape == (3, 0) and b.grad.shape == (0, 2)
    model = mlp()
    y = model(Tensor(np.zeros((0, 4))))
    assert y.shape == (0, 3)
    y.sum().backward()
    assert (model.parameters().gradient() == 0).all()


def layouts(x):
    """The same values in every layout an array can have."""
    raw = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    wide = np.full((2 * x.shape[0], 2 * x.shape[1]), np.nan, x.dtype)
    wide[::2, ::2] = x
    readonly = x.copy()
    readonly.flags.writeable = False
    return {"F": np.asfortranarray(x), "transposed": x.T.copy().T, "negative": x[::-1, ::-1].copy()[::-1, ::-1],
            "step": wide[::2, ::2], "unaligned": unaligned, "swapped": x.astype(x.dtype.newbyteorder()),
            "readonly": readonly}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "relu", "sigmoid", "tanh", "softmax", "log_softmax", "sum", "mean", "norm",
                                  "max", "logsumexp", "transpose", "matmul", "linear", "cross_entropy", "x * x",
                                  "getitem"])
def test_25_the_layout_does_not_matter(name, dtype):
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(dtype)
    w, b = np.arange(12.0).reshape(4, 3).astype(dtype) / 7, np.arange(3.0).astype(dtype)
    function = {"matmul": lambda x: x @ w, "linear": lambda x: ops.linear(x, w, b), "x * x": lambda x: x * x,
                "cross_entropy": lambda x: losses.cross_entropy(x, np.array([0, 1, 2, 3, 0, 1])),
                "getitem": lambda x: x[1:, ::2]}.get(name) or getattr(ops, name)

    def both(array):
        leaf = Tensor(array, requires_grad=True)
        y = function(leaf)
        y.backward(np.arange(1.0, y.size + 1).reshape(y.shape))
        return y.data, leaf.grad

    value, derivative = both(x)
    exact = name not in ("sum", "mean", "norm", "logsumexp", "exp")    # NumPy adds, and vectorizes, in memory order
    for layout, array in layouts(x).items():
        for got, wanted in zip(both(array), (value, derivative)):
            assert got.dtype == dtype
            tolerance = 0 if exact else 1e-6
            np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance, err_msg=layout)


def test_25_constants_of_any_layout():
    x = leaf(np.random.default_rng(0).standard_normal((5, 6)), np.float32)
    constant = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    wanted = x.data @ constant
    bound = 2 * 8 * 2.0 ** -24 * (abs(x.data) @ abs(constant))        # sums of six in two orders: 2 (k + 2) u |A||B|
    for layout, array in layouts(constant).items():
        assert (abs((x @ array).data - wanted) <= bound).all(), layout
        if layout != "swapped":                           # linear wants one dtype, and says so
            y = ops.linear(x, array, constant[0])
            np.testing.assert_allclose(y.data, wanted + constant[0], rtol=1e-5, atol=1e-6, err_msg=layout)


def test_26_a_wrong_shape_never_reaches_a_kernel():
    x, w, b = leaf(np.ones((5, 4))), leaf(np.ones((4, 3))), leaf(np.ones(3))
    for call in (lambda: x @ leaf(np.ones((5, 3))), lambda: ops.linear(x, leaf(np.ones((5, 3))), b),
                 lambda: ops.linear(x, w, leaf(np.ones(4))), lambda: ops.linear(x, leaf(np.ones(4)), b),
                 lambda: losses.cross_entropy(x, np.zeros(4, int)), lambda: losses.cross_entropy(x, np.full(5, 4)),
                 lambda: losses.cross_entropy(x, np.full(5, -1)), lambda: (x @ w).backward(np.ones((3, 5)))):
        with pytest.raises(ValueError):
            call()


# --------------------------------------------------------------------------------------------------- memory and no_grad

# rows 31 and 32: tests/core/test_graph.py


class Tied(nn.Module):
    """Encoder and decoder share one matrix."""

    def __init__(self):
        self.encode = nn.Linear(4, 3, rng=0)
        self.decode = nn.Linear(3, 4, rng=1, bias=False)
        self.decode.w = self.encode.w

    def forward(self, x):
        return ops.tanh(self.encode(x)) @ self.decode.w.T


def test_33_a_shared_parameter_is_updated_once_gets_both_gradients_and_is_saved_once():
    model, x = Tied().astype(np.float64), data()[0]
    params = model.parameters()
    assert params.n == 15 and list(params.slices) == ["encode.w", "encode.b"] == list(model.state_dict())

    def J(w):
        return np.mean((np.tanh(x @ w + model.encode.b.data) @ w.T - x) ** 2)

    losses.mean_squared_error(model(Tensor(x)), x).backward()
    w, h = model.encode.w.data.copy(), 1e-6
    for index in np.ndindex(4, 3):
        e = np.zeros((4, 3))
        e[index] = h
        np.testing.assert_allclose(model.encode.w.grad[index], (J(w + e) - J(w - e)) / (2 * h), rtol=1e-6, atol=1e-9)
    optim.SGD(params, lr=0.5).step()
    np.testing.assert_array_equal(model.decode.w.data, w - 0.5 * model.encode.w.grad)


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.1), lambda p: optim.Adam(p, lr=0.1, weight_decay=0.1),
                                  lambda p: optim.Momentum(p, lr=0.1, weight_decay=0.1)])
def test_34_a_parameter_without_a_gradient_is_skipped_and_keeps_its_own_step_count(make):
    model, (x, y) = mlp(), data()
    params = model.parameters()
    opt = make(params)
    first = model[0](Tensor(x))
    before = params.theta[params.slices["2.w"]].copy()
    (first ** 2).mean().backward()
    opt.step()
    assert params.unwritten == {"2.w", "2.b"}
    assert np.array_equal(params.theta[params.slices["2.w"]], before)
    alone = mlp()                                         # the same model, its second layer stepping for the first time
    alone.load_state_dict(model.state_dict())
    fresh = make(alone.parameters())
    for net, stepper in ((model, opt), (alone, fresh)):
        stepper.zero_grad()
        losses.cross_entropy(net(Tensor(x)), y).backward()
        stepper.step()
    np.testing.assert_array_equal(model[2].w.data, alone[2].w.data)
    assert not np.array_equal(model[0].w.data, alone[0].w.data)      # the first layer had a past


def test_35_unequal_micro_batches_add_up_to_the_batch():
    model, (x, y) = mlp(), data(12)
    params = model.parameters()
    losses.cross_entropy(model(Tensor(x)), y).backward()
    whole = params.gradient()
    params.zero_grad()
    for part in (slice(0, 3), slice(3, 10), slice(10, 12)):
        (losses.cross_entropy(model(Tensor(x[part])), y[part]) * (len(y[part]) / 12)).backward()
    np.testing.assert_allclose(params.gradient(), whole, rtol=1e-12, atol=1e-15)


def test_37_the_checker_fails_on_one_per_cent():
    """Twenty more planted mistakes: tests/testing/test_gradients.py."""
    wrong = mg.core.primitive(lambda x: np.exp(x))
    wrong.vjps(lambda g, y, x: 1.01 * g * y)
    with pytest.raises(GradientError, match=r"argument 0, index \(0,\): the rule gives"):
        gradcheck(wrong, np.array([1.0]))
    gradcheck(ops.exp, np.array([1.0]))


def test_38_a_column_against_a_vector_is_refused():
    with pytest.raises(ValueError, match=r"\(5, 1\) and \(5,\)"):
        losses.mean_squared_error(leaf(np.zeros((5, 1))), np.zeros(5))


@pytest.mark.parametrize("make", [optim.SGD, optim.Momentum, optim.Nesterov, optim.AdaGrad, optim.RMSProp, optim.Adam])
def test_39_decay_matters_rate_zero_is_nothing_and_a_zero_gradient_moves_nothing(make):
    def after(lr, decay, zero=False):
        model, (x, y) = mlp(), data()
        params = model.parameters()
        opt = make(params, lr=lr, weight_decay=decay)
        start = params.theta.copy()
        for _ in range(3):
            opt.zero_grad()
            (losses.cross_entropy(model(Tensor(x)), y) * (0.0 if zero else 1.0)).backward()
            opt.step()
        with opt.at_theta():
            return start, params.theta.copy()

    assert not np.array_equal(after(0.1, 0.0)[1], after(0.1, 0.5)[1])
    start, end = after(0.0, 0.5)
    assert np.array_equal(start, end)
    start, end = after(0.1, 0.0, zero=True)
    assert np.array_equal(start, end)


def test_40_the_order_of_parameters_and_examples_does_not_matter():
    x, y = data()
    order = np.random.default_rng(5).permutation(len(y))
    results = []
    for reverse in (False, True):
        model = mlp()
        named = list(model.named_parameters())
        params = nn.Parameters(named[::-1] if reverse else named)
        opt = optim.Adam(params, lr=0.05)
        rows = order if reverse else slice(None)
        for _ in range(10):
            opt.zero_grad()
            losses.cross_entropy(model(Tensor(x[rows])), y[rows]).backward()
            opt.step()
        results.append(model.state_dict())
    for name in results[0]:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=0, atol=1e-12)


def test_no_grad_forward_equals_recorded_forward():
    model, (x, _) = mlp(), data()
    with no_grad():
        quiet = model(Tensor(x))
    assert np.array_equal(quiet.data, model(Tensor(x)).data)
