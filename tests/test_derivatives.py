"""Products and matrices of derivatives: closed forms, differences, PyTorch, and derivatives of the products."""
import numpy as np
import pytest

from minigrad import derivatives, ops
from minigrad.core import Tensor, grad, is_recording, no_grad, tensor
from minigrad.derivatives import ggnvp, hessian, hessian_diagonal, hvp, jacobian, jvp, vjp

A = np.array([[2.0, -1.0, 0.5], [-1.0, 3.0, 0.25], [0.5, 0.25, 1.0]])


def quadratic(x):
    return 0.5 * ops.sum(x * ops.matmul(A.astype(x.dtype), x))


def field(x):
    """R^3 -> R^2."""
    return ops.stack([ops.sin(x[0]) * x[1], ops.exp(x[2]) + x[0] * x[0] * x[1]])


def field_jacobian(x):
    return np.array([[np.cos(x[0]) * x[1], np.sin(x[0]), 0], [2 * x[0] * x[1], x[0] ** 2, np.exp(x[2])]])


def quartic(x):
    return ops.sum(x**4) + x[0] * x[1] * x[2]


def quartic_hessian(x):
    H = np.diag(12 * x**2)
    for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        H[i, j] = H[j, i] = x[k]
    return H


X = np.array([0.3, -1.2, 0.7])
V = np.array([1.0, 2.0, -0.5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_equal_closed_forms(dtype):
    x, v, u = X.astype(dtype), V.astype(dtype), np.array([0.5, -2.0], dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for got, expected in [
        (vjp(field, x, u), field_jacobian(X).T @ u), (jvp(field, x, v), field_jacobian(X) @ V),
        (hvp(quartic, x, v), quartic_hessian(X) @ V), (hvp(quadratic, x, v), A @ V),
        (jacobian(field, x), field_jacobian(X)), (hessian(quartic, x), quartic_hessian(X)),
        (hessian_diagonal(quartic, x), np.diag(quartic_hessian(X))),
    ]:
        assert got.dtype == dtype and not got.requires_grad
        np.testing.assert_allclose(got.data, expected, rtol=tolerance, atol=tolerance)


def test_jacobian_by_columns_when_there_are_more_outputs_than_inputs():
    def tall(x):
        return ops.concatenate([field(x), 2 * x, x * x])
    x = X.copy()
    expected = np.vstack([field_jacobian(X), 2 * np.eye(3), np.diag(2 * X)])
    np.testing.assert_allclose(jacobian(tall, x).data, expected, rtol=1e-13)


def test_shapes_of_matrices_of_arrays():
    x = np.arange(6.0).reshape(2, 3) / 7
    assert jacobian(lambda x: ops.matmul(x, np.ones((3, 4))), x).shape == (2, 4, 2, 3)
    H = hessian(lambda x: ops.sum(ops.exp(x)), x)
    assert H.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(H.data.reshape(6, 6), np.diag(np.exp(x.ravel())), rtol=1e-13)


def test_several_arguments_are_a_tuple():
    def f(a, b):
        return ops.sum(a * a * b)
    a, b = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    va, vb = np.array([0.5, 1.0]), np.array([-1.0, 2.0])
    Ha, Hb = hvp(f, (a, b), (va, vb))
    np.testing.assert_allclose(Ha.data, 2 * b * va + 2 * a * vb)
    np.testing.assert_allclose(Hb.data, 2 * a * va)
    blocks = hessian(f, (a, b))
    np.testing.assert_allclose(blocks[0][1].data, np.diag(2 * a))
    np.testing.assert_allclose(blocks[1][1].data, np.zeros((2, 2)))
    np.testing.assert_allclose(jacobian(lambda a, b: a * b, (a, b))[1].data, np.diag(a))
    np.testing.assert_allclose(jvp(lambda a, b: a * b, (a, b), (va, vb)).data, va * b + a * vb)


def test_products_nest_to_any_order():
    """d^3/dx^3 of x^5 by jvp of jvp of jvp; the gradient of v.Hv with respect to x and to v."""
    one = np.ones(1)

    def third(x):
        f = lambda x: x**5
        for _ in range(3):
            f = (lambda g: lambda x: jvp(g, x, one))(f)
        return f(x)
    np.testing.assert_allclose(third(np.array([1.5])).data, 60 * 1.5**2, rtol=1e-13)

    x, v = tensor(X, requires_grad=True), tensor(V, requires_grad=True)
    dx, dv = grad(ops.sum(v.detach() * hvp(quartic, x, v)), [x, v])
    third = 24 * X * V * V                              # d/dx_i of v.Hv, diagonal part
    third += 2 * np.array([V[1] * V[2], V[0] * V[2], V[0] * V[1]])
    np.testing.assert_allclose(dx.data, third, rtol=1e-12)
    np.testing.assert_allclose(dv.data, quartic_hessian(X) @ V, rtol=1e-12)


def test_jvp_differs_only_by_the_argument_not_by_what_the_function_closes_over():
    """No perturbation confusion: d/dx [x * d/dy (x + y)] = 1."""
    one = np.ones(())

    def outer(x):
        return x * jvp(lambda y: x + y, x, one)
    np.testing.assert_allclose(jvp(outer, np.array(3.0), one).data, 1.0)


def test_hvp_and_jvp_agree_with_differences():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((4, 5))

    def f(x):
        return ops.logsumexp(ops.tanh(ops.matmul(x, W)))
    x, v, h = rng.standard_normal(4), rng.standard_normal(4), 1e-5

    def g(a):
        t = tensor(a, requires_grad=True)
        return grad(f(t), t).data
    np.testing.assert_allclose(hvp(f, x, v).data, (g(x + h * v) - g(x - h * v)) / (2 * h), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_torch(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    W, x, v, u = (rng.standard_normal(s) for s in ((4, 3), (4,), (4,), (3,)))
    F = torch.autograd.functional
    tx, tv, tu, tW = (torch.tensor(a) for a in (x, v, u, W))
    tf = lambda a: torch.tanh(a @ tW) * torch.sin(a).sum()
    f = lambda a: ops.tanh(ops.matmul(a, W)) * ops.sum(ops.sin(a))
    loss, tloss = lambda z: ops.logsumexp(z) + ops.sum(z * z), lambda z: torch.logsumexp(z, 0) + (z * z).sum()
    pairs = [
        (jvp(f, x, v), F.jvp(tf, tx, tv)[1]), (vjp(f, x, u), F.vjp(tf, tx, tu)[1]),
        (jacobian(f, x), F.jacobian(tf, tx)),
        (hvp(lambda a: loss(f(a)), x, v), F.hvp(lambda a: tloss(tf(a)), tx, tv)[1]),
        (hessian(lambda a: loss(f(a)), x), F.hessian(lambda a: tloss(tf(a)), tx)),
        (ggnvp(f, loss, x, v), F.jacobian(tf, tx).T @ F.hessian(tloss, tf(tx)) @ F.jacobian(tf, tx) @ tv),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.data, theirs.numpy(), rtol=1e-11, atol=1e-12)


def test_hutchinson_is_unbiased_and_exact_for_diagonal_hessians():
    x = X.copy()
    np.testing.assert_allclose(hessian_diagonal(lambda x: ops.sum(x**4), x, samples=1, rng=0).data, 12 * X**2)
    estimate = hessian_diagonal(quadratic, x, samples=2000, rng=0).data
    spread = np.sqrt(2 * (A**2 - np.diag(np.diag(A) ** 2)).sum(axis=1) / 2000)
    assert (abs(estimate - np.diag(A)) < 4 * spread).all()
    again = hessian_diagonal(quadratic, x, samples=2000, rng=0).data
    assert np.array_equal(estimate, again)


def test_the_diagonal_is_not_the_gradient_of_the_sum_of_the_gradient():
    np.testing.assert_allclose(hessian_diagonal(quadratic, X.copy()).data, [2, 3, 1])
    np.testing.assert_allclose(hvp(quadratic, X.copy(), np.ones(3)).data, A.sum(axis=1))


def test_what_does_not_depend_gives_zeros():
    x = X.copy()
    constant = lambda x: tensor(np.ones(2))
    assert not jvp(constant, x, V).data.any() and jvp(constant, x, V).shape == (2,)
    assert not vjp(constant, x, np.ones(2)).data.any()
    assert not hvp(lambda x: ops.sum(x), x, V).data.any()
    assert not hessian(lambda x: ops.sum(x), x).data.any()
    assert not hessian_diagonal(lambda x: ops.sum(2 * x), x).data.any()


def test_no_side_effects_and_works_under_no_grad():
    x = tensor(X, requires_grad=True)
    with no_grad():
        out = hvp(quartic, x, V)
        assert not is_recording()
    assert x.grad is None
    np.testing.assert_allclose(out.data, quartic_hessian(X) @ V, rtol=1e-12)


def test_errors_say_what_was_wanted():
    with pytest.raises(ValueError, match="hvp: f must return a single number"):
        hvp(field, X.copy(), V)
    with pytest.raises(ValueError, match=r"jvp: v must have the shape of x, \(3,\), got \(2,\)"):
        jvp(field, X.copy(), np.ones(2))
    with pytest.raises(ValueError, match="floating-point"):
        jvp(field, np.arange(3), V)
    with pytest.raises(ValueError, match="must return a Tensor"):
        vjp(lambda x: 3.0, X.copy(), V)
    with pytest.raises(ValueError, match="samples"):
        hessian_diagonal(quartic, X.copy(), samples=0)
    with pytest.raises(ValueError, match="one v for each"):
        hvp(lambda a, b: ops.sum(a * b), (X.copy(), V), (V,))
    assert isinstance(derivatives.grad(quartic(t := Tensor(X.copy(), requires_grad=True)), t), Tensor)


# ---------------------------------------------------------------------------- what f closes over keeps its history (S2)

def test_a_gradient_penalty_reaches_what_f_closes_over():
    """J = sum w + sum (dg/dt)^2 at t = 1 of g = sum w t^2: dJ/dw = 1 + 8 w."""
    w = tensor([2.0, 3.0], dtype=np.float64, requires_grad=True)
    g = vjp(lambda t: ops.sum(w * t * t), np.ones(2), np.array(1.0))
    (ops.sum(w) + ops.sum(g * g)).backward()
    assert w.grad.tolist() == [17, 25]


def _closing(torch=None, W=None):
    """{name: the derivative as a function of w, which f closes over}, in minigrad or in PyTorch."""
    x, v, u = X, V, np.array([0.5, -2.0, 1.5])
    if torch is None:
        field = lambda w: lambda t: ops.tanh(ops.matmul(t * w, W)) * w
        number = lambda w: lambda t: ops.sum(ops.sin(t * w) * ops.exp(t)) * ops.sum(w * t)
        loss = lambda w: lambda z: ops.sum(z * z * z * w)
        return {
            "vjp": lambda w: vjp(field(w), x, u), "jvp": lambda w: jvp(field(w), x, v),
            "hvp": lambda w: hvp(number(w), x, v), "ggnvp, f": lambda w: ggnvp(field(w), lambda z: ops.sum(z**3), x, v),
            "ggnvp, loss": lambda w: ggnvp(lambda t: ops.tanh(ops.matmul(t, W)), loss(w), x, v),
            "jacobian by rows": lambda w: jacobian(lambda t: ops.sum(field(w)(t)), x),
            "jacobian by columns": lambda w: jacobian(lambda t: ops.concatenate([field(w)(t), t * w]), x),
            "hessian": lambda w: hessian(number(w), x), "hessian_diagonal": lambda w: hessian_diagonal(number(w), x),
            "estimated diagonal": lambda w: hessian_diagonal(        # exact: this Hessian is diagonal
                lambda t: ops.sum(ops.exp(t * w) * w), x, samples=2, rng=0),
            "of two": lambda w: hvp(lambda a, b: ops.sum(a * a * b * b * w), (x, v), (v, x))[1],
            "hessian of two": lambda w: hessian(lambda a, b: ops.sum(a * a * b * b * w), (x, v))[0][1],
        }
    F, W = torch.func, torch.tensor(W)
    x, v, u = map(torch.tensor, (x, v, u))
    field = lambda w: lambda t: torch.tanh((t * w) @ W) * w
    number = lambda w: lambda t: (torch.sin(t * w) * torch.exp(t)).sum() * (w * t).sum()
    ggn = lambda f, loss: F.jacfwd(f)(x).T @ F.hessian(loss)(f(x)) @ F.jacfwd(f)(x) @ v
    two = lambda w: lambda a, b: (a * a * b * b * w).sum()
    return {
        "vjp": lambda w: F.vjp(field(w), x)[1](u)[0], "jvp": lambda w: F.jvp(field(w), (x,), (v,))[1],
        "hvp": lambda w: F.jvp(F.grad(number(w)), (x,), (v,))[1],
        "ggnvp, f": lambda w: ggn(field(w), lambda z: (z**3).sum()),
        "ggnvp, loss": lambda w: ggn(lambda t: torch.tanh(t @ W), lambda z: (z * z * z * w).sum()),
        "jacobian by rows": lambda w: F.jacrev(lambda t: field(w)(t).sum())(x),
        "jacobian by columns": lambda w: F.jacrev(lambda t: torch.cat([field(w)(t), t * w]))(x),
        "hessian": lambda w: F.hessian(number(w))(x),
        "hessian_diagonal": lambda w: torch.diagonal(F.hessian(number(w))(x)),
        "estimated diagonal": lambda w: w**3 * torch.exp(x * w),
        "of two": lambda w: F.jvp(F.grad(two(w), (0, 1)), (x, v), (v, x))[1][1],
        "hessian of two": lambda w: F.hessian(two(w), (0, 1))(x, v)[0][1],
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")            # PyTorch's own
@pytest.mark.parametrize("name", _closing())
def test_every_derivative_is_differentiable_by_what_f_closes_over(name):
    """Value and gradient of a weighted sum of the derivative, against torch.func."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    W, w = rng.standard_normal((3, 3)), rng.standard_normal(3)
    ours, theirs = _closing(W=W)[name], _closing(torch, W)[name]
    leaf, tleaf = tensor(w, requires_grad=True), torch.tensor(w, requires_grad=True)
    d, t = ours(leaf), theirs(tleaf)
    weight = rng.standard_normal(d.shape)
    assert d.requires_grad and d.shape == t.shape
    ops.sum(d * weight).backward()
    (t * torch.tensor(weight)).sum().backward()
    np.testing.assert_allclose(d.data, t.detach().numpy(), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(leaf.grad, tleaf.grad.numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in _closing() if name != "ggnvp, loss"])
def test_and_has_no_history_where_nothing_is_tracked_or_recorded(name):
    W, w = np.random.default_rng(0).standard_normal((3, 3)), np.array([0.5, -1.0, 2.0])
    assert not _closing(W=W)[name](w).requires_grad
    leaf = tensor(w, requires_grad=True)
    with no_grad():
        d = _closing(W=W)[name](leaf)
    assert not d.requires_grad
    np.testing.assert_array_equal(d.data, _closing(W=W)[name](w).data)


@pytest.mark.parametrize("name, function", [
    ("ggnvp", lambda x: ggnvp(field, lambda z: ops.sum(z**3), x, V)), ("jacobian", lambda x: jacobian(field, x)),
    ("hessian", lambda x: hessian(quartic, x)), ("diagonal", lambda x: hessian_diagonal(quartic, x))])
def test_matrices_and_gauss_newton_products_are_differentiable_by_x(name, function):
    x, h, rng = tensor(X, requires_grad=True), 1e-6, np.random.default_rng(0)
    y = function(x)
    u, v = rng.standard_normal(y.shape), rng.standard_normal(3)
    g = grad(ops.sum(y * u), x).data
    difference = np.sum(u * (function(X + h * v).data - function(X - h * v).data)) / (2 * h)
    np.testing.assert_allclose(g @ v, difference, rtol=1e-7, atol=1e-8)


U = np.array([0.5, -2.0])


@pytest.mark.parametrize("name, function", [
    ("vjp, x", lambda x: vjp(field, x, U)), ("vjp, u", lambda u: vjp(field, X, u)),
    ("jvp, x", lambda x: jvp(field, x, V)), ("jvp, v", lambda v: jvp(field, X, v)),
    ("hvp, x", lambda x: hvp(quartic, x, V)), ("hvp, v", lambda v: hvp(quartic, X, v)),
    ("ggnvp, x", lambda x: ggnvp(field, lambda z: ops.sum(z**3), x, V)),
    ("ggnvp, v", lambda v: ggnvp(field, lambda z: ops.sum(z**3), X, v)),
    ("hvp of two, b", lambda b: hvp(lambda a, b: ops.sum(a * a * b * b), (X, b), (V, X))[0])])
def test_a_product_is_differentiable_by_each_argument_alone(name, function):
    at = U if name == "vjp, u" else X
    x, h, rng = tensor(at, requires_grad=True), 1e-6, np.random.default_rng(0)
    y = function(x)
    u, v = rng.standard_normal(y.shape), rng.standard_normal(at.shape)
    g = grad(ops.sum(y * u), x).data
    difference = np.sum(u * (function(at + h * v).data - function(at - h * v).data)) / (2 * h)
    np.testing.assert_allclose(g @ v, difference, rtol=1e-7, atol=1e-8)


def test_a_linearization_refuses_a_vector_with_history():
    theta = tensor(X, requires_grad=True)
    at = derivatives.Linearization([theta], quartic(theta))
    with pytest.raises(ValueError, match="results are arrays and have no history; detach"):
        at.hvp([tensor(V, requires_grad=True)])


def test_products_of_a_linearization_fill_arrays_that_are_given():
    w, b = tensor(np.ones((3, 2), "f"), requires_grad=True), tensor(np.zeros(2, "f"), requires_grad=True)
    h = ops.tanh(ops.linear(Tensor(np.eye(3, dtype="f")), w, b))
    at = derivatives.Linearization([w, b], ops.sum(h * h), h, lambda z: ops.sum(z * z))
    vs = [np.arange(6.0).reshape(3, 2), np.array([1, -1])]          # float64 and integers: taken in the leaves' dtype
    for product, args in ((at.grad, ()), (at.hvp, (vs,)), (at.ggnvp, (vs,)), (at.vjp, (np.ones((3, 2)),))):
        fresh, out = product(*args), [np.full((3, 2), np.nan, "f"), np.full(2, np.nan, "f")]
        given = product(*args, out=out)
        assert all(a is b and a.dtype == np.float32 for a, b in zip(given, out))
        for a, b in zip(fresh, out):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"Linearization: wanted vectors of shapes .*\(3, 2\).*got .*\(2, 3\)"):
        at.hvp([vs[0].T, vs[1]])
    with pytest.raises(ValueError, match=r"Linearization.vjp: u must have the shape of z, \(3, 2\), got \(2, 3\)"):
        at.vjp(np.ones((2, 3)))


def test_what_does_not_depend_on_x_is_zeros_whatever_it_closes_over():
    w = tensor(V, requires_grad=True)
    assert not vjp(lambda t: w * 2.0, X, np.ones(3)).data.any() and not jvp(lambda t: w, X, V).data.any()
    assert not hvp(lambda t: ops.sum(w), X, V).data.any() and jacobian(lambda t: w, X).shape == (3, 3)


def test_matrices_of_nothing():
    assert jacobian(lambda t: ops.exp(t), np.zeros((0,))).shape == (0, 0)
    assert hessian(lambda t: ops.sum(t * t), np.zeros((2, 0))).shape == (2, 0, 2, 0)
    assert hessian_diagonal(lambda t: ops.sum(t * t), np.zeros((0,))).shape == (0,)


def test_gradients_by_example_of_weights_with_an_axis_in_front():
    """w (1, i, o), used by every example: not the (i, o) of a layer, whose gradient is an outer product."""
    rng = np.random.default_rng(0)
    x, u, w = rng.standard_normal((5, 4)), rng.standard_normal((5, 3)), tensor(rng.standard_normal((1, 4, 3)),
                                                                               requires_grad=True)

    def f(x):
        return ops.reshape(ops.matmul(x[:, None, :], w), (-1, 3))
    (rows,) = derivatives.ByExample(f(x), [w], u, lambda i: f(x[i:i + 1])).rows(0, 5)
    np.testing.assert_allclose(rows, np.einsum("mi,mo->mio", x, u)[:, None], rtol=1e-13)
