"""`x += y` and its kin: a leaf changes in place under no_grad, or says how; any other Tensor changes as in NumPy."""
import operator

import numpy as np
import pytest

from minigrad import Tensor, losses, nn, ops
from minigrad.core import grad, no_grad, tensor

SYMBOLS = {"+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
           "**=": operator.ipow}


def leaf(*values, dtype=np.float64):
    return tensor(np.array(values or (2.0, 3.0), dtype), requires_grad=True)


def applied(symbol, x, y):
    return SYMBOLS[symbol](x, y)


def a_model():
    return nn.Sequential(nn.Linear(3, 4, rng=0), nn.Tanh(), nn.Linear(4, 2, rng=1)).astype(np.float64)


# ---- gradient descent

def test_the_loop_of_every_course_descends():
    """for p in parameters: p -= lr * p.grad, under no_grad: the steps of p.data -= lr * p.grad, bit for bit."""
    x, y = np.random.default_rng(2).standard_normal((20, 3)), np.arange(20) % 2
    models = a_model(), a_model()
    params = [m.parameters() for m in models]
    for _ in range(10):
        for model, ps in zip(models, params):
            ps.zero_grad()
            losses.cross_entropy(model(Tensor(x)), y).backward()
        with no_grad():
            for p in models[0].parameters():
                p -= 0.1 * p.grad
        for p in models[1].parameters():
            p.data -= 0.1 * p.grad
    assert np.array_equal(params[0].theta, params[1].theta)
    assert losses.cross_entropy(models[0](Tensor(x)), y).item() < losses.cross_entropy(a_model()(Tensor(x)), y).item()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_parameter_stays_where_it_is_in_theta(symbol):
    model = a_model()
    params = model.parameters()
    w, start = model[0].w, params.slices["0.w"]
    expected, before, address = SYMBOLS[symbol](w.data.copy(), 2.0), w, w.data.ctypes.data
    with no_grad():
        w = applied(symbol, w, 2.0)
    assert w is before is model[0].w and w.data.ctypes.data == address and w.requires_grad
    np.testing.assert_array_equal(params.theta[start], expected.ravel())


@pytest.mark.parametrize("other", [0.5, 2, np.float64(0.5), np.array(0.5), np.array([1.0, 2.0]), [1.0, 2.0],
                                   tensor([1.0, 2.0]), leaf(1.0, 2.0), leaf(1.0, 2.0) * 1, np.array([[1.0, 2.0]])[0]])
def test_a_leaf_changes_in_its_own_array(other):
    array = np.array([2.0, 3.0])
    w = alias = Tensor(array, requires_grad=True)
    with no_grad():
        w -= other
    assert w is alias and w.data is array and w.requires_grad and w.node.op is None
    np.testing.assert_array_equal(array, [2.0, 3.0] - np.asarray(other.data if isinstance(other, Tensor) else other))


def test_float32_stays_float32_whatever_comes():
    w = leaf(1.0, 2.0, dtype=np.float32)
    with no_grad():
        w -= np.float64(0.1) * np.array([1.0, 2.0])
        w *= leaf(1.0, 2.0)
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.data, [0.9, 3.6], rtol=1e-6)


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("make", [leaf, lambda: a_model()[0].w], ids=["leaf", "Parameter"])
def test_outside_no_grad_a_leaf_says_what_to_write(symbol, make):
    w = make()
    before = w.data.copy()
    with pytest.raises(RuntimeError, match=r".=: this Tensor is a leaf .*with no_grad\(\):` .* or x.data"):
        applied(symbol, w, 1.0)
    with no_grad(), no_grad(enabled=True), pytest.raises(RuntimeError, match="no_grad"):
        applied(symbol, w, 1.0)
    assert np.array_equal(w.data, before)


def test_a_parameter_is_called_by_its_name():
    model = a_model()
    model.parameters()
    with pytest.raises(RuntimeError, match=r"-=: 2.w is a leaf"):
        for p in [model[2].w]:
            p -= 0.1


# ---- the graph

@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("make", [leaf, lambda: a_model()[0].w], ids=["leaf", "Parameter"])
def test_a_graph_that_saved_the_old_values_is_refused(symbol, make):
    w = make()
    y = (w * w).sum()
    with no_grad():
        applied(symbol, w, 2.0)
    with pytest.raises(RuntimeError, match="multiply saved the value of a leaf, which has changed since"):
        y.backward()
    assert w.grad is None
    (w * w).sum().backward()
    np.testing.assert_array_equal(w.grad, 2 * w.data)


def test_a_graph_that_saved_a_view_or_a_frozen_parameter_is_refused():
    w, x = leaf(), leaf(1.0, 1.0)
    y = (w.detach() * x).sum()
    with no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="saved the value of a constant"):
        y.backward()
    frozen = a_model()[0].w
    frozen.requires_grad = False
    y = (frozen * leaf(*np.ones(4))).sum()
    frozen *= 2.0                                       # no history is at stake: allowed while recording
    with pytest.raises(RuntimeError, match="saved the value of a constant"):
        y.backward()


def test_a_frozen_parameter_changes_in_theta_and_takes_on_no_history():
    model = a_model()
    params, w = model.parameters(), model[0].w
    w.requires_grad = False
    before = params.theta[params.slices["0.w"]].copy()
    w *= 2.0
    np.testing.assert_array_equal(params.theta[params.slices["0.w"]], 2 * before)
    with pytest.raises(RuntimeError, match=r"\+=: a frozen Parameter cannot take on a history"):
        w += leaf(*np.ones(4))


# ---- other Tensors

@pytest.mark.parametrize("symbol, slope", [("+=", 1), ("-=", 1), ("*=", 3), ("/=", 1 / 3), ("**=", None)])
def test_a_result_is_recorded_and_its_gradient_is_right(symbol, slope):
    x = leaf(1.0, 2.0)
    y = alias = x * 2
    saved = (y * y).sum()                               # holds the values before
    y = applied(symbol, y, 3.0)
    assert y is alias and y.requires_grad
    np.testing.assert_allclose(y.data, SYMBOLS[symbol](np.array([2.0, 4.0]), 3.0))
    (g,) = grad(y.sum(), [x], retain_graph=True)
    np.testing.assert_allclose(g.data, 2 * slope * np.ones(2) if slope else 2 * 3 * (2 * x.data) ** 2)
    (g,) = grad(saved, [x])
    np.testing.assert_allclose(g.data, 8 * x.data)


def test_a_sum_of_losses():
    x, total = leaf(1.0, 2.0), tensor(0.0, dtype=np.float64)
    for k in range(3):
        total += (k * x * x).sum()
    total.backward()
    assert x.grad.tolist() == [6, 12]


@pytest.mark.parametrize("recording", [True, False])
def test_momentum_by_hand_in_a_list(recording):
    """v *= 0.9; v -= lr g: the list's Tensors change, not only a name in the loop."""
    velocities = [tensor(np.zeros(2)), tensor(np.zeros(3))]
    with no_grad(enabled=recording):
        for _ in range(2):
            for v in velocities:
                v *= 0.5
                v -= 1.0
    assert [v.data.tolist() for v in velocities] == [[-1.5, -1.5], [-1.5, -1.5, -1.5]]


def test_the_array_that_a_tensor_was_made_of_is_left_alone():
    data = np.ones(3)
    x = Tensor(data)
    x += 1.0
    with no_grad():
        x *= 2.0
    assert x.data.tolist() == [4, 4, 4] and data.tolist() == [1, 1, 1]


def test_matrices_truth_values_and_integers():
    a, m, n = tensor(np.eye(2) * 2), tensor([1, 2, 3]) > 1, tensor([1, 2])
    a @= np.array([[0.0, 1.0], [1.0, 0.0]])
    m &= np.array([True, True, False])
    m |= np.array([False, False, True])
    m ^= np.array([True, True, True])
    n += 1
    n -= np.array([True, False])
    assert a.data.tolist() == [[0, 2], [2, 0]] and m.data.tolist() == [True, False, False]
    assert n.data.tolist() == [1, 3] and n.dtype == np.int64


@pytest.mark.parametrize("wrong, error, message", [
    (lambda: applied("+=", tensor([1.0, 2.0]), np.ones((3, 2))), ValueError,
     r"\+=: the result has shape \(3, 2\), the Tensor \(2,\); x = x \+ y makes a new Tensor"),
    (lambda: applied("/=", tensor([1, 2]), 2), ValueError, r"/=: a Tensor of int64 cannot hold float64; x = x / y"),
    (lambda: applied("+=", tensor([1.0]), "a"), ValueError, "argument 1 must be a Tensor, an array or a number"),
    (lambda: applied("-=", tensor([1.0]), None), ValueError, "got NoneType"),
    (lambda: lost(), RuntimeError, r"\*=: this Tensor is the result of multiply, whose history would be lost"),
])
def test_misuse_says_what_to_write(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def lost():
    y = leaf() * 2
    with no_grad():
        y *= 2.0


def test_a_leaf_in_read_only_memory_says_so_and_is_left_alone():
    w = Tensor(np.broadcast_to(1.0, (3,)), requires_grad=True)
    with no_grad(), pytest.raises(ValueError, match=r"\+=: the values lie in read-only memory; write x.data = x.data"):
        w += 1.0


def test_a_leaf_of_the_wrong_shape_is_left_alone():
    w = leaf()
    with no_grad(), pytest.raises(ValueError, match=r"\*=: the result has shape \(2, 2\)"):
        w *= np.ones((2, 2))
    assert w.data.tolist() == [2, 3]
    y = ops.sum(w * w)
    y.backward()
