"""Batch and layer norm: gradients and Hessian-vector products through mean and deviation, against PyTorch, differences
and the composition of primitives; the fused backward against the rules."""
import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.ops.norm import _batch_norm, _layer_norm
from minigrad.testing import gradcheck, gradgradcheck


def draw(rng, shape):
    x = rng.standard_normal(shape) * rng.uniform(0.5, 2, shape[-1]) + rng.standard_normal(shape[-1])
    return x, rng.standard_normal(shape[-1]), rng.standard_normal(shape[-1])


def composed(x, gamma, beta, delta):
    """(8.35) to (8.37) written in primitives."""
    axes = tuple(range(x.ndim - 1))
    mu = ops.mean(x, axes, keepdims=True)
    sigma = ops.sqrt(delta + ops.mean((x - mu)**2, axes, keepdims=True))
    return (x - mu) / sigma * gamma + beta


def second_derivatives(y, leaves, g, vectors, grad):
    """Gradients, and Hessian-vector products of J = <g, y^3> with the vectors."""
    J = (g * y * y * y).sum()
    first = grad(J, leaves, True)
    return first, grad(sum((a * v).sum() for a, v in zip(first, vectors)), leaves, False)


def minigrad_side(f, arrays, g, vectors):
    leaves = [mg.Tensor(a, requires_grad=True) for a in arrays]
    first, second = second_derivatives(f(*leaves), leaves, mg.Tensor(g), [mg.Tensor(v) for v in vectors],
                                       lambda J, xs, again: mg.grad(J, xs, create_graph=again))
    return [a.data for a in first], [a.data for a in second]


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5, 3), (3, 1), (4, 3, 7)])
@pytest.mark.parametrize("delta", [1e-5, 1e-8, 0.5])
def test_hvp_of_batch_norm_equals_torch(shape, delta):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    arrays = draw(rng, shape)
    g, vectors = rng.standard_normal(shape), [rng.standard_normal(a.shape) for a in arrays]
    first, second = minigrad_side(lambda x, gamma, beta: ops.batch_norm(x, gamma, beta, delta), arrays, g, vectors)

    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = torch.nn.functional.batch_norm(leaves[0].reshape(-1, shape[-1]), None, None, leaves[1], leaves[2], True,
                                       0.1, delta)
    first_t, second_t = second_derivatives(
        y.reshape(shape), leaves, torch.tensor(g), [torch.tensor(v) for v in vectors],
        lambda J, xs, again: torch.autograd.grad(J, xs, create_graph=again))
    for a, b in zip((*first, *second), (*first_t, *second_t)):
        assert relative(a, b.detach().numpy()) < 1e-9


@pytest.mark.parametrize("relu", [False, True])
def test_hvp_equals_the_composition_of_primitives(relu):
    rng = np.random.default_rng(2)
    arrays = draw(rng, (5, 3, 3, 2))
    g, vectors = rng.standard_normal(arrays[0].shape), [rng.standard_normal(a.shape) for a in arrays]
    ours = minigrad_side(lambda x, gamma, beta: ops.batch_norm(x, gamma, beta, 1e-3, relu), arrays, g, vectors)
    theirs = minigrad_side(lambda *a: (ops.relu if relu else lambda y: y)(composed(*a, 1e-3)), arrays, g, vectors)
    for a, b in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1])):
        assert relative(a, b) < 1e-11


def test_hvp_equals_central_differences():
    rng = np.random.default_rng(3)
    arrays = draw(rng, (7, 3))
    g, vectors = rng.standard_normal((7, 3)), [rng.standard_normal(a.shape) for a in arrays]

    def gradient(step):
        return minigrad_side(lambda x, gamma, beta: ops.batch_norm(x, gamma, beta, 1e-2),
                             [a + step * v for a, v in zip(arrays, vectors)], g, vectors)[0]

    second = minigrad_side(lambda x, gamma, beta: ops.batch_norm(x, gamma, beta, 1e-2), arrays, g, vectors)[1]
    h = 1e-5
    for a, up, down in zip(second, gradient(h), gradient(-h)):
        assert relative(a, (up - down) / (2 * h)) < 1e-7


@pytest.mark.parametrize("f", [ops.batch_norm, lambda x, a, b: ops.batch_norm(x, a, b, relu=True), ops.layer_norm])
def test_gradcheck_and_gradgradcheck(f):
    rng = np.random.default_rng(4)
    for shape in ((6, 4), (3, 2, 3, 4)):
        arrays = draw(rng, shape)
        gradcheck(f, *arrays)
        gradgradcheck(f, *arrays)


@pytest.mark.parametrize("relu", [False, True])
def test_fused_equals_rules(relu):
    rng = np.random.default_rng(5)
    for shape in ((6, 4), (5, 3, 3, 17)):
        x, gamma, beta = draw(rng, shape)
        g, moments = rng.standard_normal(shape), np.empty((2, shape[-1]))
        args = (x, gamma, beta, 1e-5, relu, moments)
        y, op = _batch_norm(*args), _batch_norm.op
        into = [None, (np.ones_like(gamma), True), (np.full_like(beta, 7), False)]
        got = op.fused(g, y, [True, True, True], into + [None] * 3, *args)
        assert got[1] is into[1][0] and got[2] is into[2][0]
        for a, rule, extra in zip(got, op.rules, (0, 1, 0)):
            np.testing.assert_allclose(a, rule(g, y, *args) + extra, rtol=1e-10, atol=1e-12)


def test_fused_layer_norm_equals_rules():
    rng = np.random.default_rng(12)
    for shape in ((6, 4), (5, 3, 3, 17)):
        x, gamma, beta = draw(rng, shape)
        g, axes = rng.standard_normal(shape), tuple(range(len(shape) - 1))
        args = (x, gamma, beta, 1e-5)
        into = [None, (np.ones_like(gamma), True), (np.full_like(beta, 7), False)]
        got = _layer_norm.op.fused(g, None, [True, True, True], into + [None], *args)
        dx, dgamma, dbeta = (rule(g, None, *args) for rule in _layer_norm.op.rules[:3])
        for a, b in zip(got, (dx, dgamma.sum(axes) + 1, dbeta.sum(axes))):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_layer_norm_equals_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    arrays = draw(rng, (4, 3, 8))
    g, vectors = rng.standard_normal((4, 3, 8)), [rng.standard_normal(a.shape) for a in arrays]
    first, second = minigrad_side(ops.layer_norm, arrays, g, vectors)
    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = torch.nn.functional.layer_norm(leaves[0], (8,), leaves[1], leaves[2])
    first_t, second_t = second_derivatives(y, leaves, torch.tensor(g), [torch.tensor(v) for v in vectors],
                                           lambda J, xs, again: torch.autograd.grad(J, xs, create_graph=again))
    for a, b in zip((*first, *second), (*first_t, *second_t)):
        assert relative(a, b.detach().numpy()) < 1e-9


def test_moments_are_those_of_the_batch():
    x, gamma, beta = draw(np.random.default_rng(7), (50, 3, 2, 5))
    moments = np.empty((2, 5))
    for argument in (x, mg.Tensor(x, requires_grad=True)):
        moments[:] = 0
        ops.batch_norm(argument, gamma, beta, moments=moments)
        np.testing.assert_allclose(moments, [x.mean((0, 1, 2)), x.var((0, 1, 2))], rtol=1e-12)


def test_the_callers_moments_are_not_what_backward_reads():
    x, gamma, beta = draw(np.random.default_rng(8), (9, 3))
    grads = []
    for spoil in (False, True):
        moments, t = np.empty((2, 3)), mg.Tensor(x, requires_grad=True)
        y = ops.batch_norm(t, gamma, beta, moments=moments)
        if spoil:
            moments[:] = 1e9
        y.backward(np.arange(27.0).reshape(9, 3))
        grads.append(t.grad)
    assert (grads[0] == grads[1]).all()


def test_the_gradient_sums_to_zero_and_is_nearly_orthogonal_to_the_output():
    x, _, _ = draw(np.random.default_rng(9), (30, 4))
    g = np.random.default_rng(10).standard_normal((30, 4))
    t = mg.Tensor(x, requires_grad=True)
    y = ops.batch_norm(t, np.ones(4), np.zeros(4), 1e-5)
    y.backward(g)
    assert np.abs(t.grad.sum(0)).max() < 1e-12
    assert np.abs((t.grad * y.data).sum(0)).max() < 1e-3       # up to delta / var


def test_extremes_in_float32():
    rng = np.random.default_rng(11)
    one, zero = np.ones(4, "f"), np.zeros(4, "f")
    for x in (rng.standard_normal((100, 4)) + 1e4, np.full((100, 4), 0.1), np.zeros((5, 4)),
              rng.standard_normal((1, 4)), rng.standard_normal((64, 4)) * 1e-30, rng.standard_normal((64, 4)) * 1e15):
        t = mg.Tensor(x.astype("f"), requires_grad=True)
        y = ops.batch_norm(t, one, zero)
        y.backward(rng.standard_normal(x.shape).astype("f"))
        assert y.dtype == np.float32 and np.isfinite(y.data).all() and np.isfinite(t.grad).all()
        assert np.abs(y.data).max() < 11
    x = (rng.standard_normal((4096, 4)) + 1e4).astype("f")
    np.testing.assert_allclose(ops.batch_norm(x, one, zero).std(0), 1, rtol=1e-3)


def test_refused():
    x, one = np.ones((4, 3)), np.ones(3)
    for message, call in (
            (r"batch_norm: gamma and beta must be \(3,\), the last axis of x \(4, 3\), got \(2,\) and \(3,\)",
             lambda: ops.batch_norm(x, one[:2], one)),
            (r"batch_norm: nothing to take the mean of \(x \(0, 3\)\)", lambda: ops.batch_norm(x[:0], one, one)),
            (r"batch_norm: delta must be a number in \[0, inf\), got -1", lambda: ops.batch_norm(x, one, one, -1)),
            (r"batch_norm: x, gamma and beta must have one floating-point dtype",
             lambda: ops.batch_norm(x, one.astype("f"), one)),
            (r"batch_norm: x, gamma and beta must have one", lambda: ops.batch_norm(x.astype(int), one, one)),
            (r"layer_norm: gamma and beta must be", lambda: ops.layer_norm(x, one, np.ones((1, 3))))):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("op", [ops.batch_norm, ops.layer_norm])
def test_lists_are_arrays_and_delta_is_a_number(op):
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_array_equal(op(x, [1.0, 2.0], [0.0, 1.0]), op(x, np.array([1.0, 2.0]), np.array([0.0, 1.0])))
    assert op(x.tolist(), [1.0, 2.0], [0.0, 1.0]).dtype == np.float32
    for delta in (None, "small", -1.0, np.nan):
        with pytest.raises(ValueError, match=rf"{op.__name__}: delta must be a number in \[0, inf\), got {delta!r}"):
            op(x, np.ones(2), np.zeros(2), delta)


@pytest.mark.parametrize("moments", [np.empty((3, 2)), np.empty((2, 2), np.float32), [[0.0, 0.0], [0.0, 0.0]]])
def test_moments_must_fit(moments):
    with pytest.raises(ValueError, match=r"batch_norm: moments must be an array \(2, 2\) of float64"):
        ops.batch_norm(np.ones((3, 2)), np.ones(2), np.zeros(2), moments=moments)
