"""backward and grad: what they fill, what they refuse, and that they refuse before anything is touched."""
import threading
import weakref

import numpy as np
import pytest

from minigrad import kernels, losses, nn, ops, optim
from minigrad.core import (
    OPS,
    Tensor,
    grad,
    no_grad,
    primitive,
    pullback,
    tensor,
    unbroadcast,
    watch,
    watchers,
)


def leaf(*values):
    return tensor(list(values), dtype=np.float64, requires_grad=True)


def test_gradients_add_up_over_backwards():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    (3 * x).sum().backward()
    assert x.grad.tolist() == [5, 7]


def test_backward_takes_a_cotangent_of_any_dtype():
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward([1, 10])
    assert x.grad.tolist() == [2, 40] and x.grad.dtype == np.float32
    (x * x).backward(Tensor(np.array([0.0, 1.0])))
    assert x.grad.tolist() == [2, 44] and x.grad.dtype == np.float32


@pytest.mark.parametrize("make, error, message", [
    (lambda x: (x * 2).backward(), ValueError, r"shape \(2,\), not a single number"),
    (lambda x: (x * 2).backward(np.ones(3)), ValueError, r"g must have the shape of the Tensor, \(2,\), got \(3,\)"),
    (lambda x: (x * 2).backward(np.ones((2, 1))), ValueError, r"\(2,\), got \(2, 1\)"),
    (lambda x: (x * 2).backward(np.array([1j, 2])), ValueError, "g must hold numbers, got dtype complex128"),
    (lambda x: tensor(1.0).backward(), RuntimeError, "no graph"),
    (lambda x: (x > 0).sum().backward(), RuntimeError, "no graph"),
    (lambda x: grad(x.sum(), tensor(1.0)), ValueError, "every x must be a Tensor with requires_grad=True"),
    (lambda x: grad(x.sum(), [x, 3]), ValueError, "every x must be a Tensor with requires_grad=True, got 3"),
    (lambda x: grad(3.0, x), ValueError, "y must be a Tensor, got float"),
    (lambda x: grad(x * 2, x), ValueError, r"grad: the Tensor has shape \(2,\)"),
])
def test_misuse_is_refused(make, error, message):
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=message):
        make(x)
    assert x.grad is None


def test_backward_of_a_leaf_is_its_cotangent():
    x = leaf(1.0, 2.0)
    x.backward([3, 4])
    assert x.grad.tolist() == [3, 4]


def test_a_freed_graph_is_refused_and_a_retained_one_is_not():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]
    with pytest.raises(RuntimeError, match="backward: the graph behind sum was freed"):
        y.backward()
    assert x.grad.tolist() == [4, 8]


def test_a_part_of_a_graph_that_was_freed_by_another_result_is_refused_before_anything_is_touched():
    x, z = leaf(1.0, 2.0), leaf(3.0, 4.0)
    shared = x * x
    shared.sum().backward()
    x.grad = None
    with pytest.raises(RuntimeError, match="the graph behind multiply was freed"):
        (shared * z).sum().backward()
    assert x.grad is None and z.grad is None


def test_grad_touches_no_grad_attribute_and_frees_the_graph_unless_told():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    assert grad(y, x, retain_graph=True).data.tolist() == [2, 4]
    assert [g.data.tolist() for g in grad(y, [x, x])] == [[2, 4]] * 2
    assert x.grad is None
    with pytest.raises(RuntimeError, match="freed"):
        grad(y, x)


def test_grad_with_respect_to_results_on_the_way_and_to_what_is_not():
    x, other = leaf(1.0, 2.0), leaf(1.0)
    a = x * 3
    y = (a * a).sum()
    da, dx, dy, none = grad(y, [a, x, y, other])
    assert da.data.tolist() == [6, 12] and dx.data.tolist() == [18, 36] and dy.data == 1 and none.data.tolist() == [0]


def test_only_the_paths_that_lead_to_x_are_walked():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    calls = []

    def watched(x):
        from minigrad.core import primitive
        op = primitive(lambda x: x * 2)
        op.vjps(lambda g, y, x: calls.append(1) or g * 2)
        return op(x)

    y = (watched(w) * x).sum()
    grad(y, x, retain_graph=True)
    assert not calls
    grad(y, w)
    assert calls == [1]


def test_results_of_grad_are_arrays_of_their_own():
    x = leaf(1.0, 2.0)
    a, b = grad((x + 0).sum(), [x, x])
    a.data[0] = 7
    assert b.data[0] == 1


def test_create_graph_gives_derivatives_of_every_order():
    x = leaf(0.7)
    d = y = x.sin()
    for order in range(1, 6):
        d = grad(d.sum(), x, create_graph=True)
        np.testing.assert_allclose(d.data, np.sin(0.7 + order * np.pi / 2), rtol=1e-14)
    assert y.requires_grad


def test_create_graph_differentiates_through_the_cotangent():
    x, g = leaf(1.0, 2.0), leaf(3.0, 4.0)
    d = grad(x * x, x, g, create_graph=True)                    # 2 g x
    assert grad(d.sum(), g).data.tolist() == [2, 4]


def test_create_graph_differentiates_through_a_cotangent_of_another_dtype():
    x, g = tensor([1.0, 2.0], requires_grad=True), leaf(3.0, 4.0)
    d = grad(x * x, x, g, create_graph=True)
    assert d.dtype == np.float32 and grad(d.sum(), g).data.tolist() == [2, 4]


def test_create_graph_works_under_no_grad():
    x = leaf(3.0)
    y = x * x * x
    with no_grad():
        g = grad(y, x, create_graph=True)
    assert grad(g, x).item() == 18


def test_a_plain_grad_is_not_recorded():
    x = leaf(3.0)
    assert not grad((x * x).sum(), x).requires_grad


def test_unbroadcast():
    d = np.arange(24.0).reshape(2, 3, 4)
    for shape in ((2, 3, 4), (3, 4), (1, 4), (4,), (1,), (), (2, 1, 4), (2, 3, 1), (1, 1, 1)):
        assert unbroadcast(d, shape).shape == shape and unbroadcast(d, shape).sum() == d.sum()
    assert unbroadcast(np.zeros((0, 3)), (1, 3)).tolist() == [[0, 0, 0]]
    with pytest.raises(ValueError, match=r"shape \(5,\) for an argument of shape \(3,\)"):
        unbroadcast(np.zeros(5), (3,))
    for given, shape in (((), (1,)), ((3,), (3, 1)), ((3, 2), (2, 3)), ((2, 1), (2, 2))):
        with pytest.raises(ValueError, match="a gradient of shape"):
            unbroadcast(np.zeros(given), shape)


# ------------------------------------------------------------------------------------- values changed since the forward

CHANGES = {
    "p.data = ...": lambda w: setattr(w, "data", w.data - 1),
    "p.data -= ...": lambda w: setattr(w, "data", w.data.__isub__(1)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name, function", [
    ("multiply", lambda w: w * w), ("exp", lambda w: w.exp()), ("getitem", lambda w: w[:1] * 2),
    ("add", lambda w: w + 1), ("reshape", lambda w: w.reshape(2, 1) * w),
    ("concatenate", lambda w: ops.concatenate([w, w]))])
def test_a_leaf_that_changed_is_refused_by_the_name_of_the_op(change, name, function):
    w = leaf(1.0, 2.0)
    y = function(w).sum()
    CHANGES[change](w)
    with pytest.raises(RuntimeError, match=f"{name}|multiply saved the value of a leaf, which has changed since"):
        y.backward()
    assert w.grad is None
    with pytest.raises(RuntimeError, match="has changed since"):
        grad(y, w)
    function(w).sum().backward()                        # computed again, it is fine
    assert w.grad is not None


def test_a_change_in_the_middle_of_the_forward_pass_is_refused():
    """Between the op that saved the value and the last one: the second is newer than the change, the first is not."""
    w = leaf(1.0, 2.0)
    y = w * w
    w.data = w.data + 1
    y = (y * 2).sum()
    with pytest.raises(RuntimeError, match="multiply saved the value of a leaf"):
        y.backward()


def test_a_constant_that_changed_in_place_through_its_tensor_is_refused():
    x, c = leaf(1.0, 2.0), Tensor(np.array([3.0, 4.0]))
    y = (x * c).sum()
    c.data -= 1
    with pytest.raises(RuntimeError, match="multiply saved the value of a constant"):
        y.backward()
    y = (x * c).sum()
    c.data = np.array([5.0, 6.0])                       # replaced, not written: the graph has the old one
    y.backward()
    assert x.grad.tolist() == [2, 3]


def a_model():
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1)).astype(np.float64)
    x, y = np.random.default_rng(2).standard_normal((5, 3)), np.array([0, 1, 1, 0, 1])
    return model, model.parameters(), lambda: losses.cross_entropy(model(Tensor(x)), y)


def stepped(model, params):
    opt = optim.SGD(params, lr=0.1)
    model[0].w.grad = np.ones((3, 4))
    opt.step()


@pytest.mark.parametrize("change, name", [
    (stepped, "[02]."), (lambda model, params: params.changed(), "[02]."),
    (lambda model, params: setattr(model[2].w, "data", model[2].w.data * 2), "2.w"),
    (lambda model, params: model.load_state_dict(model.state_dict()), "[02]."),
])
def test_a_step_between_forward_and_backward_is_refused_with_the_parameter_named(change, name):
    model, params, loss = a_model()
    J = loss()
    change(model, params)
    before = params.theta.copy()
    with pytest.raises(RuntimeError, match=rf"linear saved the value of {name}"):
        J.backward()
    assert np.array_equal(params.theta, before)


@pytest.mark.parametrize("hide", [
    lambda model: model[0].freeze() and model[0].w, lambda model: model[0].w.detach(), lambda m: hidden_view(m)])
def test_a_frozen_parameter_or_a_detached_view_that_changed_is_refused(hide):
    model, params, loss = a_model()
    w, x = hide(model), Tensor(np.ones((2, 3)), requires_grad=True)
    y = (x @ (w if w.shape == (3, 4) else w.T)).sum()
    params.theta[...] *= 2
    params.changed()
    with pytest.raises(RuntimeError, match="matmul saved the value of a constant"):
        y.backward()


def hidden_view(model):
    with no_grad():
        return model[0].w.T


def test_a_step_of_another_model_is_no_obstacle():
    model, params, loss = a_model()
    other, others, _ = a_model()
    J = loss()
    others.theta[...] += 1
    others.changed()
    J.backward()
    assert not params.unwritten


def test_a_step_of_other_layers_is_no_obstacle():
    model, params, loss = a_model()
    first, second = model[0].parameters(), model[2].parameters()
    J = (model[0](Tensor(np.ones((2, 3)))) ** 2).sum()
    second.theta[...] += 1
    second.changed()
    J.backward()
    assert not first.unwritten and second.unwritten == {"w", "b"}


def test_eight_threads_train_eight_models_as_one_thread_does():
    def train(i, out):
        model, params, loss = a_model()
        params.theta[...] += i
        params.changed()
        opt = optim.Adam(params, lr=0.01)
        for _ in range(20):
            opt.zero_grad()
            loss().backward()
            opt.step()
        out[i] = params.theta.copy()

    serial, parallel = {}, {}
    for i in range(8):
        train(i, serial)
    threads = [threading.Thread(target=train, args=(i, parallel)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(serial[i], parallel[i]) for i in range(8))


# ------------------------------------------------------------------------------------------------------------ pullback

def layered(rng, dtype):
    """(x, w, b, leaves, two results): w is read by two layers and by a product, b by one layer, x by one."""
    x, w, b = (tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True) for shape in ((5, 4), (4, 4), (4,)))
    h = ops.tanh(ops.linear(x, w, b))
    return [x, w, b], [ops.matmul(h, w) * 2, ops.sum(w * w) + ops.sum(h)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1], [1, 0]])
def test_pullback_equals_the_sum_of_gradients_of_the_results(dtype, order):
    rng = np.random.default_rng(0)
    leaves, ys = layered(rng, dtype)
    gs = [rng.standard_normal(y.shape).astype(dtype) for y in ys]
    xs = [leaves[i] for i in order]
    wanted = [sum(grad(y, x, g, retain_graph=True).data for y, g in zip(ys, gs)) for x in xs]
    out = [np.full(x.shape, np.nan, dtype) for x in xs]
    for _ in range(2):
        pullback(ys, gs, xs, out, retain_graph=True)
        for a, b in zip(out, wanted):
            np.testing.assert_allclose(a, b, rtol=30 * np.finfo(dtype).eps, atol=30 * np.finfo(dtype).eps)
    pullback(ys, gs, xs, out)
    with pytest.raises(RuntimeError, match="was freed by an earlier backward"):
        pullback(ys, gs, xs, out)
    assert all(x.grad is None for x in leaves)


def test_pullback_hands_the_places_of_weights_to_their_layer(monkeypatch):
    rng, handed = np.random.default_rng(1), []
    x, w = tensor(rng.random((6, 5)).astype("f")), tensor(rng.random((5, 3)).astype("f"), requires_grad=True)
    b = tensor(np.zeros(3, "f"), requires_grad=True)
    op = OPS["linear"].op
    fused = op.fused

    def noted(g, y, wanted, out, *args):
        handed.append(out)
        return fused(g, y, wanted, out, *args)
    monkeypatch.setattr(op, "fused", noted)
    vector = np.full(18, np.nan, np.float32)
    out = [vector[:15].reshape(5, 3), vector[15:]]
    pullback([ops.linear(x, w, b)], [np.ones((6, 3), "f")], [w, b], out)
    assert handed[0][0] is None and handed[0][1][0] is out[0] and handed[0][2][0] is out[1]
    np.testing.assert_allclose(vector[:15].reshape(5, 3), x.data.T @ np.ones((6, 3)), rtol=1e-6)
    assert vector[15:].tolist() == [6, 6, 6]


def test_pullback_writes_zeros_where_nothing_depends_and_never_hands_out_what_it_was_given():
    x, other = leaf(1.0, 2.0), leaf(3.0)
    g, out = np.array([5.0, 6.0]), [np.full(2, np.nan), np.full(1, np.nan)]
    pullback([x, x], [g, g], [x, other], out)                  # a result may be a leaf, and come twice
    assert out[0].tolist() == [10, 12] and out[1].tolist() == [0] and g.tolist() == [5, 6]
    pullback([x], [g], [x], out[:1])
    assert not np.shares_memory(out[0], g) and out[0].tolist() == [5, 6]
    pullback([], [], [x], out[:1])
    assert out[0].tolist() == [0, 0]


def test_pullback_reaches_results_on_the_way():
    x = leaf(1.0, 2.0)
    y = x * x
    out = [np.empty(2), np.empty(2)]
    pullback([y.sum(), y], [np.array(3.0), np.ones(2)], [y, x], out)
    assert out[0].tolist() == [4, 4] and out[1].tolist() == [8, 16]


# ------------------------------------------------------------------------------------------ whose array a gradient is

def with_rule(rule, size=4):
    """x and y = f(x) = x, an op whose rule is the given one."""
    identity = primitive(lambda x: np.array(x))
    identity.vjps(rule)
    x = tensor(np.arange(1.0, size + 1), requires_grad=True)
    return x, identity(x)


@pytest.mark.parametrize("through", ["backward", "grad"])
@pytest.mark.parametrize("make", [lambda n: np.full(n, 2.0), lambda n: kernels.empty((n,), np.dtype(float))])
@pytest.mark.parametrize("size", [4, 100_000])
def test_a_gradient_that_nobody_else_holds_is_not_copied(make, size, through):
    made = []

    def rule(g, y, x):
        d = make(size)
        d.fill(2)
        made.append(weakref.ref(d))
        return d
    x, y = with_rule(rule, size)
    if through == "grad":
        result = grad(y, x, np.ones(size)).data
    else:
        y.backward(np.ones(size))
        result = x.grad
    assert made[0]() is result and (result == 2).all()
    x, y = with_rule(rule, size)
    z = y + x                                             # a sum of two gradients is nobody's either
    z.backward(np.ones(size))
    assert (x.grad == 3).all()


HELD = {
    "a closure": lambda keep: lambda g, y, x: keep,
    "a part of it": lambda keep: lambda g, y, x: keep[:2],
    "what holds it": lambda keep: lambda g, y, x: keep.reshape(2, -1).reshape(-1),
    "its transpose": lambda keep: lambda g, y, x: keep.T,
    "its buffer": lambda keep: lambda g, y, x: np.frombuffer(keep.data, np.float64),
    "memory of Python": lambda keep: lambda g, y, x: np.frombuffer(bytearray(keep), np.float64),
}


@pytest.mark.parametrize("through", ["backward", "grad"])
@pytest.mark.parametrize("who", HELD)
@pytest.mark.parametrize("n", [4, 40_000])                # of the second size is a block from kernels.empty
def test_a_gradient_that_somebody_holds_is_copied(who, through, n):
    keep = kernels.empty((n,), np.dtype(float))
    keep.fill(3)
    size = 2 if who == "a part of it" else n
    for _ in range(2):
        x, y = with_rule(HELD[who](keep), size)
        if through == "grad":
            result = grad(y, x, np.ones(size)).data
        else:
            y.backward(np.ones(size))
            result = x.grad
        assert result.tolist() == [3] * size and not np.shares_memory(result, keep) and result.flags.owndata
        result += 1
        assert (keep == 3).all()


@pytest.mark.parametrize("n", [4, 40_000])
@pytest.mark.parametrize("keep", [lambda d: d[1:], memoryview, lambda d: d.ctypes, Tensor, lambda d: lambda: d,
                                  np.from_dlpack])
def test_whoever_kept_a_fresh_array_is_a_holder(keep, n):
    kept = []

    def rule(g, y, x):
        d = kernels.empty(x.shape, x.dtype)
        d.fill(2)
        kept.append(keep(d))
        return d
    x, y = with_rule(rule, n)
    y.backward(np.ones(n))
    assert x.grad.flags.owndata and (x.grad == 2).all()
    x, y = with_rule(lambda g, y, x: kernels.empty(x.shape, x.dtype), n)
    y.backward(np.ones(n))
    assert x.grad.flags.owndata == kernels.empty((n,), x.dtype).flags.owndata   # and nobody: the block itself


def test_leaves_graphs_and_cotangents_share_no_gradient():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    g = np.array([1.0, 10.0])
    (a + b).backward(g)                                    # add hands both the very same array
    a.grad += 5
    assert b.grad.tolist() == g.tolist() == [1, 10] and a.grad.tolist() == [6, 15]
    x, y = with_rule(lambda g, y, x: y)                    # the op's own result
    for times in (1, 2):
        y.backward(np.ones(4), retain_graph=True)
        assert x.grad.tolist() == [times, 2 * times, 3 * times, 4 * times] and y.data.tolist() == [1, 2, 3, 4]
    x, y = with_rule(lambda g, y, x: x)                    # its argument
    y.backward(np.ones(4))
    x.grad += 1
    assert x.data.tolist() == [1, 2, 3, 4]
    c = leaf(1.0)
    first, second = grad(c * 2, [c, c], np.ones(1))        # asked for twice
    first.data[...] = 9
    assert second.data.tolist() == [2]


def test_what_a_watcher_keeps_is_not_what_the_leaf_gets():
    kept, c = [], leaf(1.0)
    before = watch.get()
    watch.set(lambda op, node, gradients: kept.extend(gradients))
    watchers.append("the test")
    try:
        (c * 3).backward(np.ones(1))
    finally:
        watchers.remove("the test")
        watch.set(before)
    c.grad += 1
    assert kept[-1].tolist() == [3] and c.grad.tolist() == [4]
