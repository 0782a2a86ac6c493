"""Random graphs of shared nodes against PyTorch: values, gradients, and Hessian-vector products, in float64."""
import numpy as np
import pytest

from minigrad import ops
from minigrad.core import grad, tensor

torch = pytest.importorskip("torch")
F = torch.nn.functional

UNARY = [                                     # (ours, theirs), each (m, n) -> (m', n')
    (ops.tanh, torch.tanh), (ops.sigmoid, torch.sigmoid), (ops.sin, torch.sin), (ops.softplus, F.softplus),
    (ops.gelu, F.gelu), (ops.relu, torch.relu), (ops.erf, torch.erf), (ops.elu, F.elu), (lambda x: x ** 2,) * 2,
    (lambda x: x.T,) * 2, (lambda x: x[[0, -1, 0]],) * 2, (lambda x: x[-1:, :1],) * 2,
    (lambda x: ops.softmax(x, -1), lambda x: torch.softmax(x, -1)),
    (lambda x: ops.log_softmax(x, 0), lambda x: torch.log_softmax(x, 0)),
    (lambda x: x.sum(0, True), lambda x: x.sum(0, keepdim=True)),
    (lambda x: x.mean(1, True), lambda x: x.mean(1, keepdim=True)),
    (lambda x: x.max(1, True), lambda x: x.max(1, keepdim=True)[0]),
    (lambda x: x.var(1, True), lambda x: x.var(1, keepdim=True, unbiased=False)),
    (lambda x: ops.logsumexp(x, 1, True), lambda x: torch.logsumexp(x, 1, keepdim=True)),
    (lambda x: ops.norm(x + 3, 1, True), lambda x: torch.linalg.norm(x + 3, dim=1, keepdim=True)),
    (lambda x: ops.flip(x, 0), lambda x: torch.flip(x, [0])),
    (lambda x: ops.exp(x * 0.1), lambda x: torch.exp(x * 0.1)),
    (lambda x: ops.clip(x, -0.5, 0.8), lambda x: torch.clamp(x, -0.5, 0.8)),
    (lambda x: ops.pad(x, (1, 0), 0.3), lambda x: F.pad(x, (1, 0, 1, 0), value=0.3)),
]
BINARY = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a / (b * b + 1)]


def random_graph(rng):
    """Leaves and one number computed from them, twice: ours and theirs."""
    leaves = [rng.standard_normal(rng.integers(1, 4, 2)) for _ in range(3)]
    pool = [(tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)) for a in leaves]
    ours, theirs = zip(*pool)
    for _ in range(rng.integers(3, 14)):
        (a, p), (b, q) = (pool[i] for i in rng.integers(len(pool), size=2))
        kind = rng.random()
        if kind < 0.5:
            f, g = UNARY[rng.integers(len(UNARY))]
            pool.append((f(a), g(p)))
        elif kind < 0.65:
            pool.append((a @ a.T @ (a + 0.1) * 0.1, p @ p.T @ (p + 0.1) * 0.1))
        elif all(m == n or 1 in (m, n) for m, n in zip(a.shape, b.shape)):
            f = BINARY[rng.integers(len(BINARY))]
            pool.append((f(a, b), f(p, q)))
    y = sum((a * a).sum() * 0.1 + a.sum() for a, _ in pool[2::2])
    z = sum((p * p).sum() * 0.1 + p.sum() for _, p in pool[2::2])
    return list(ours), list(theirs), y, z


def same(got, wanted, seed):
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, 0 if b is None else b.detach().numpy(), rtol=1e-8, atol=1e-8, err_msg=str(seed))


@pytest.mark.parametrize("first, count", [(0, 150), pytest.param(1000, 3000, marks=pytest.mark.long)])
def test_random_graphs(first, count):
    compared = 0
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        xs, ps, y, z = random_graph(rng)
        if not abs(y.item()) < 1e4:
            continue                                   # a square of squares: nothing left to compare
        same([y.data], [z], seed)
        gs = grad(y, xs, create_graph=True)
        hs = torch.autograd.grad(z, ps, create_graph=True, materialize_grads=True)
        same([g.data for g in gs], hs, seed)
        vs = [rng.standard_normal(x.shape) for x in xs]
        inner = sum((g * v).sum() for g, v in zip(gs, vs))
        outer = sum((h * torch.tensor(v)).sum() for h, v in zip(hs, vs))
        if inner.requires_grad and outer.requires_grad:
            same([d.data for d in grad(inner, xs, retain_graph=True)],
                 torch.autograd.grad(outer, ps, allow_unused=True, retain_graph=True), seed)
            compared += 1
        y.backward()
        z.backward()
        same([0 if x.grad is None else x.grad for x in xs], [p.grad for p in ps], seed)
    assert compared > 0.7 * count
