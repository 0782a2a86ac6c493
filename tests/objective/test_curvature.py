"""Curvature of J on flat vectors: equal to PyTorch, to differences and to dense matrices; nothing else is touched."""
import functools

import numpy as np
import pytest

from minigrad import losses, nn, ops
from minigrad.nn import regularize
from minigrad.objective import Objective, curvature

F64 = {"dtype": np.float64}


def mlp(dtype=np.float64, activation=nn.Tanh, sizes=(6, 8, 5, 3)):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.Linear(a, b, rng=i, dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


def convnet(dtype=np.float64):
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, rng=0, dtype=dtype), nn.BatchNorm(3, dtype=dtype), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 3, rng=1, dtype=dtype), nn.BatchNorm(4, dtype=dtype), nn.ReLU(), nn.Flatten(),
        nn.Linear(4, 3, rng=2, dtype=dtype))


def strided(dtype=np.float64):
    """Convolutions without a bias, whose stride, padding and groups are arguments of their own."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False, rng=0, dtype=dtype), nn.Tanh(),
        nn.Conv2d(4, 4, 2, groups=2, bias=False, rng=1, dtype=dtype), nn.Tanh(), nn.Flatten(),
        nn.Linear(16, 3, bias=False, rng=2, dtype=dtype))


class Reader(nn.Module):
    """An LSTM over a sequence (m, t, inputs), its last state read out."""

    def __init__(self, dtype=np.float64):
        self.cell, self.out = nn.LSTMCell(4, 5, rng=0, dtype=dtype), nn.Linear(5, 3, rng=1, dtype=dtype)

    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.out(state[0])


def objective(kind, dtype=np.float64, m=12):
    rng = np.random.default_rng(3)
    relu = functools.partial(mlp, activation=nn.ReLU)
    model = {"mlp": mlp, "relu": relu, "convnet": convnet, "strided": strided, "lstm": Reader}[kind](dtype)
    shape = {"convnet": (6, 6, 2), "strided": (6, 6, 2), "lstm": (4, 4)}.get(kind, (6,))
    J = Objective(model, losses.cross_entropy, rng.standard_normal((m, *shape)).astype(dtype), rng.integers(0, 3, m))
    theta = J.parameters.theta + 0.1 * rng.standard_normal(J.parameters.n).astype(dtype)
    return J, theta, rng.standard_normal(J.parameters.n).astype(dtype)


KINDS = ["mlp", "relu", "convnet", "strided", "lstm"]


@pytest.mark.parametrize("kind", KINDS)
def test_hvp_equals_differences_of_the_gradient(kind):
    J, theta, v = objective(kind)
    h = 1e-6
    numeric = (J.grad(theta + h * v) - J.grad(theta - h * v)) / (2 * h)
    np.testing.assert_allclose(J.hvp(theta, v), numeric, rtol=1e-5, atol=1e-6 * abs(numeric).max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_definitions_give_what_the_shortcut_gives(kind):
    J, theta, v = objective(kind)
    J.regularizer = functools.partial(regularize.l2, strength=0.3)
    at = J.linearize(theta)
    np.testing.assert_allclose(curvature.hvp(J, theta, v), at.hvp(v), rtol=1e-10, atol=1e-13)
    J.regularizer = None
    np.testing.assert_allclose(curvature.ggnvp(J, theta, v), J.ggnvp(theta, v), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(curvature.ggnvp(J, theta, v), at.fishervp(v), rtol=1e-10, atol=1e-13)
    next(iter(J.parameters)).requires_grad = False
    np.testing.assert_allclose(curvature.hvp(J, theta, v), J.hvp(theta, v), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_ggnvp_equals_the_matrices_by_differences(kind):
    """J' H_L J with J by differences of the outputs and H_L = (diag p - p p') / m in closed form."""
    J, theta, v = objective(kind)

    def outputs(theta):
        return J.linearize(theta).z
    h, z = 1e-6, outputs(theta)
    Jv = (outputs(theta + h * v) - outputs(theta - h * v)) / (2 * h)
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    w = (p * Jv - p * (p * Jv).sum(1, keepdims=True)) / len(z)
    expected = v @ J.ggnvp(theta, v)
    assert (w * Jv).sum() == pytest.approx(expected, rel=1e-6)
    Gv = J.ggnvp(theta, v)
    for k in np.random.default_rng(0).integers(0, len(v), 12):
        e = np.zeros_like(v)
        e[k] = 1
        Je = (outputs(theta + h * e) - outputs(theta - h * e)) / (2 * h)
        assert Gv[k] == pytest.approx((Je * w).sum(), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_products_are_symmetric_and_linear(kind, dtype):
    J, theta, v = objective(kind, dtype)
    u = np.random.default_rng(9).standard_normal(len(v)).astype(dtype)
    at = J.linearize(theta)
    tolerance = 2e-5 if dtype == np.float32 else 1e-13
    for product in (at.hvp, at.ggnvp):
        a, b = product(v), product(u)
        assert a.dtype == dtype and a.shape == v.shape
        scale = np.linalg.norm(a) * np.linalg.norm(u)
        assert abs(u @ a - v @ b) <= tolerance * scale
        np.testing.assert_allclose(product(2 * v - u), 2 * a - b, atol=tolerance * scale, rtol=0)
        assert np.array_equal(product(v), a)                   # the same again, from the same graph
    assert np.array_equal(at.hvp(v), J.hvp(theta, v))
    assert np.array_equal(at.ggnvp(v), J.ggnvp(theta, v))
    np.testing.assert_allclose(at.grad(), J.grad(theta), rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-7)
    assert at.value == J.value(theta)
    w = np.random.default_rng(4).standard_normal(at.z.shape).astype(dtype)
    assert (at.jvp(v) * w).sum() == pytest.approx(v @ at.vjp(w), rel=1e-3 if dtype == np.float32 else 1e-11)


def torch_pair(kind):
    """The objective and the same J in PyTorch, as a function of theta in our layout and of z."""
    torch = pytest.importorskip("torch")
    J, theta, v = objective(kind)
    x, y = torch.tensor(J.x.data), torch.tensor(J.y)
    slices, shapes = J.parameters.slices, {name: p.shape for name, p in J.parameters.named.items()}

    def outputs(theta):
        p = {name: theta[part].reshape(shapes[name]) for name, part in slices.items()}
        f = torch.nn.functional
        if kind in ("mlp", "relu"):
            act = torch.tanh if kind == "mlp" else torch.relu
            h = act(x @ p["0.w"] + p["0.b"])
            h = act(h @ p["2.w"] + p["2.b"])
            return h @ p["4.w"] + p["4.b"]
        if kind == "convnet":
            h = x.permute(0, 3, 1, 2)
            h = f.conv2d(h, p["0.w"].permute(3, 2, 0, 1), p["0.b"], padding=1)
            h = torch.tanh(f.batch_norm(h, None, None, p["1.gamma"], p["1.beta"], True, 0, 1e-5))
            h = f.conv2d(f.avg_pool2d(h, 2), p["4.w"].permute(3, 2, 0, 1), p["4.b"])
            h = torch.relu(f.batch_norm(h, None, None, p["5.gamma"], p["5.beta"], True, 0, 1e-5))
            return h.permute(0, 2, 3, 1).flatten(1) @ p["8.w"] + p["8.b"]
        if kind == "strided":
            h = torch.tanh(f.conv2d(x.permute(0, 3, 1, 2), p["0.w"].permute(3, 2, 0, 1), stride=2, padding=1))
            h = torch.tanh(f.conv2d(h, p["2.w"].permute(3, 2, 0, 1), groups=2))
            return h.permute(0, 2, 3, 1).flatten(1) @ p["5.w"]
        h = c = torch.zeros(len(x), 5, dtype=x.dtype)
        for t in range(x.shape[1]):
            i, forget, a, o = (x[:, t] @ p["cell.w"] + h @ p["cell.u"] + p["cell.b"]).split(5, dim=1)
            c = torch.sigmoid(forget) * c + torch.sigmoid(i) * torch.tanh(a)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h @ p["out.w"] + p["out.b"]
    return J, theta, v, outputs, lambda z: torch.nn.functional.cross_entropy(z, y)


@pytest.mark.parametrize("kind", KINDS)
def test_hvp_and_ggnvp_equal_torch(kind):
    torch = pytest.importorskip("torch")
    J, theta, v, outputs, loss = torch_pair(kind)
    t, tv = torch.tensor(theta, requires_grad=True), torch.tensor(v)
    value = loss(outputs(t))
    assert J.value(theta) == pytest.approx(value.item(), rel=1e-12)
    g, = torch.autograd.grad(value, t, create_graph=True)
    Hv, = torch.autograd.grad(g, t, tv)
    np.testing.assert_allclose(J.hvp(theta, v), Hv.numpy(), rtol=1e-9, atol=1e-12 * Hv.abs().max().item())
    Jac = torch.autograd.functional.jacobian(outputs, torch.tensor(theta)).reshape(-1, len(theta))
    z = outputs(torch.tensor(theta))
    H_L = torch.autograd.functional.hessian(loss, z).reshape(z.numel(), z.numel())
    Gv = Jac.T @ (H_L @ (Jac @ tv))
    np.testing.assert_allclose(J.ggnvp(theta, v), Gv.numpy(), rtol=1e-9, atol=1e-12 * Gv.abs().max().item())


@pytest.mark.parametrize("kind", KINDS)
def test_dense_matrices_equal_the_products(kind):
    J, theta, v = objective(kind)
    H, G = J.hessian(theta), J.ggn(theta)
    for matrix, product in ((H, J.hvp), (G, J.ggnvp)):
        assert abs(matrix - matrix.T).max() <= 1e-13 * abs(matrix).max()
        np.testing.assert_allclose(matrix @ v, product(theta, v), rtol=1e-9, atol=1e-12 * abs(matrix).max())
    np.testing.assert_allclose(J.hessian_diagonal(theta), np.diag(H), rtol=0, atol=1e-14 * abs(H).max())
    estimate = J.hessian_diagonal(theta, samples=200, rng=1)
    spread = np.sqrt(2 * ((H**2).sum(1) - np.diag(H) ** 2) / 200)
    assert (abs(estimate - np.diag(H)) <= 6 * spread + 1e-12).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gauss_newton_is_positive_semidefinite_where_the_hessian_is_not(kind):
    """On one net: lowest eigenvalue of G >= -1e-9 lambda_max, of H clearly negative."""
    J, theta, _ = objective(kind)
    G, H = np.linalg.eigvalsh(J.ggn(theta)), np.linalg.eigvalsh(J.hessian(theta))
    assert G[0] >= -1e-9 * G[-1]
    assert H[0] < -1e-3 * H[-1]


@pytest.mark.parametrize("kind", ["mlp", "convnet", "lstm"])
def test_fisher_equals_the_expectation_over_the_models_own_labels(kind):
    """F = mean_i sum_c p_ic s_ic s_ic', s_ic the gradient of example i with the label c; batch norm in test mode."""
    J, theta, v = objective(kind, m=5)
    J.model.eval()
    z = J.linearize(theta).z
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    Fv = np.zeros_like(v)
    for c in range(3):
        S = Objective(J.model, losses.cross_entropy, J.x, np.full(len(z), c)).example_grads(theta)
        Fv += S.T @ (p[:, c] * (S @ v)) / len(z)
    np.testing.assert_allclose(J.fishervp(theta, v), Fv, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(J.fisher(theta) @ v, Fv, rtol=1e-8, atol=1e-11)


def test_empirical_fisher_is_another_matrix():
    J, theta, v = objective("mlp")
    E = J.example_grads(theta)
    np.testing.assert_allclose(J.empirical_fisher(theta), E.T @ E / len(E))
    np.testing.assert_allclose(J.empirical_fishervp(theta, v), E.T @ (E @ v) / len(E))
    assert abs(J.empirical_fisher(theta) - J.fisher(theta)).max() > 1e-2 * abs(J.fisher(theta)).max()


def test_fisher_refuses_what_is_no_likelihood():
    J, theta, v = objective("mlp")
    with pytest.raises(ValueError, match="negative log-likelihood.*hinge"):
        Objective(J.model, losses.hinge, J.x, J.y).fishervp(theta, v)
    weighted = functools.partial(losses.cross_entropy, weights=[1.0, 2.0, 0.5])
    with pytest.raises(ValueError, match="negative log-likelihood.*got cross_entropy with weights"):
        Objective(J.model, weighted, J.x, J.y).fishervp(theta, v)
    with pytest.raises(ValueError, match="a function of your own"):
        Objective(J.model, lambda z, y: ops.sum(z * z), J.x, J.y).fishervp(theta, v)
    smooth = Objective(J.model, functools.partial(losses.cross_entropy, label_smoothing=0.1), J.x, J.y)
    np.testing.assert_allclose(smooth.fishervp(theta, v), J.fishervp(theta, v), rtol=1e-9)


# ------------------------------------------------------------------------------------------------- example by example

def one_by_one(J, theta):
    return np.array([Objective(J.model, J.loss, J.x.data[i:i + 1], J.y[i:i + 1], J.regularizer).grad(theta)
                     for i in range(len(J.x.data))])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_example_grads_equal_one_gradient_at_a_time(kind, dtype):
    J, theta, _ = objective(kind, dtype)
    J.model.eval()
    J.regularizer = functools.partial(regularize.l2, strength=0.3)
    expected, got = one_by_one(J, theta), J.example_grads(theta)
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    assert got.shape == (12, J.parameters.n) and got.dtype == dtype
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * abs(expected).max())
    np.testing.assert_allclose(got.mean(axis=0), J.grad(theta), atol=tolerance * abs(expected).max())
    np.testing.assert_allclose(J.example_grad_squares(theta), np.square(expected).mean(axis=0),
                               atol=tolerance * np.square(expected).max())


@pytest.mark.parametrize("kind", ["mlp", "relu", "convnet", "lstm"])
def test_example_grads_of_these_layers_come_from_one_pass(kind):
    J, theta, _ = objective(kind)
    J.model.eval()                                         # batch norm in training couples the examples
    calls = []
    forward = J.model.forward
    J.model.forward = lambda x: calls.append(len(x)) or forward(x)
    J.example_grads(theta)
    assert calls == [12, 1]                                # all, and the last one alone to check


def test_example_grads_of_normalized_layers_come_from_one_pass_and_are_right():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 6, rng=0, **F64), nn.LayerNorm(6, **F64), nn.Tanh(),
                          nn.Linear(6, 4, rng=1, **F64), nn.BatchNorm(4, **F64)).eval()
    for p in model.parameters():
        p.data[...] += rng.normal(0, 0.3, p.shape)
    J = Objective(model, losses.cross_entropy, rng.standard_normal((7, 6)), rng.integers(0, 4, 7))
    calls, forward = [], model.forward
    model.forward = lambda x: calls.append(len(x)) or forward(x)
    found = J.example_grads()
    assert calls == [7, 1]
    np.testing.assert_allclose(found, one_by_one(J, J.parameters.theta), atol=1e-13)


class Summed(nn.Module):
    """Uses a parameter in a way whose shares are not read off the graph."""

    def __init__(self):
        self.layer, self.scale = nn.Linear(6, 6, rng=0, **F64), nn.Parameter(np.linspace(0.5, 1.5, 4))

    def forward(self, x):
        return self.layer(x) * ops.sum(self.scale * self.scale)


class Scaled(nn.Module):
    """Uses a parameter behind another op, and one layer twice."""

    def __init__(self):
        self.layer, self.scale = nn.Linear(6, 6, rng=0, **F64), nn.Parameter(np.linspace(0.5, 1.5, 6))

    def forward(self, x):
        return ops.tanh(self.layer(ops.tanh(self.layer(x)))) * ops.exp(self.scale)


class Twice(nn.Module):
    """Tied weights: W and W', and the same W again."""

    def __init__(self):
        self.w, self.b = nn.Parameter(np.linspace(-1, 1, 24).reshape(6, 4)), nn.Parameter(np.linspace(0, 1, 6))

    def forward(self, x):
        return ops.linear(ops.tanh(ops.matmul(x, self.w)), self.w.transpose(), self.b)


@pytest.mark.parametrize("model", [Scaled, Summed, Twice])
def test_ops_that_are_not_understood_and_tied_weights(model):
    rng = np.random.default_rng(0)
    J = Objective(model(), losses.cross_entropy, rng.standard_normal((7, 6)), rng.integers(0, 6, 7))
    theta = J.parameters.theta.copy()
    np.testing.assert_allclose(J.example_grads(theta), one_by_one(J, theta), atol=1e-13)
    np.testing.assert_allclose(J.example_grad_squares(theta), np.square(one_by_one(J, theta)).mean(0), atol=1e-13)
    v, h = rng.standard_normal(J.parameters.n), 1e-6
    np.testing.assert_allclose(J.hvp(theta, v), (J.grad(theta + h * v) - J.grad(theta - h * v)) / (2 * h), atol=1e-7)
    assert np.linalg.eigvalsh(J.ggn(theta))[0] > -1e-12


class Sequence(nn.Module):
    """One Linear on (m, t, 6), another on (t, m, 6): rows that are, and are not, in the order of the examples."""

    def __init__(self):
        self.a, self.b = nn.Linear(6, 6, rng=0, **F64), nn.Linear(6, 3, rng=1, **F64)

    def forward(self, x):
        h = ops.tanh(self.a(x))
        return ops.mean(self.b(h.transpose((1, 0, 2))), axis=0)


def test_rows_in_another_order_than_the_examples():
    rng = np.random.default_rng(0)
    J = Objective(Sequence(), losses.cross_entropy, rng.standard_normal((5, 4, 6)), rng.integers(0, 3, 5))
    theta = J.parameters.theta.copy()
    np.testing.assert_allclose(J.example_grads(theta), one_by_one(J, theta), atol=1e-13)


def test_batch_norm_in_training_goes_through_the_whole_batch():
    J, theta, _ = objective("convnet")
    E = J.example_grads(theta)
    np.testing.assert_allclose(E.mean(axis=0), J.grad(theta), rtol=1e-9, atol=1e-13)
    i = 4                                                  # only example 4 counts, but it is normalized with the others

    def one(z, y):
        return losses.cross_entropy(z[i:i + 1], y[i:i + 1])
    np.testing.assert_allclose(E[i], Objective(J.model, one, J.x, J.y).grad(theta), rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(J.example_grad_squares(theta), np.square(E).mean(0), rtol=1e-9, atol=1e-15)


def test_dropout_keeps_its_masks():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 20, rng=0, **F64), nn.Dropout(0.5, rng=1), nn.Linear(20, 3, rng=2, **F64))
    J = Objective(model, losses.cross_entropy, rng.standard_normal((9, 6)), rng.integers(0, 3, 9))
    theta, v, h = J.parameters.theta.copy(), rng.standard_normal(J.parameters.n), 1e-6
    np.testing.assert_allclose(J.example_grads(theta).mean(0), J.grad(theta), atol=1e-13)
    np.testing.assert_allclose(J.hvp(theta, v), (J.grad(theta + h * v) - J.grad(theta - h * v)) / (2 * h), atol=1e-7)


def test_a_loss_that_is_a_sum_or_weighted_still_has_the_gradient_as_its_mean():
    J, theta, _ = objective("mlp")
    for loss in (functools.partial(losses.cross_entropy, reduction="sum"),
                 functools.partial(losses.cross_entropy, weights=[1.0, 2.0, 0.5])):
        K = Objective(J.model, loss, J.x, J.y)
        np.testing.assert_allclose(K.example_grads(theta).mean(axis=0), K.grad(theta), atol=1e-12)


# -------------------------------------------------------------------------------------------- residuals, layer inputs

@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kind", KINDS)
def test_residuals_and_jacobian(kind, reduction):
    J, theta, v = objective(kind)
    y = np.random.default_rng(5).standard_normal((12, 3))
    J = Objective(J.model, functools.partial(losses.mean_squared_error, reduction=reduction), J.x, y)
    r, A = J.residuals(theta), J.jacobian(theta)
    assert r.shape == (36,) and A.shape == (36, J.parameters.n)
    assert r @ r == pytest.approx(J.value(theta), rel=1e-12)
    np.testing.assert_allclose(2 * A.T @ r, J.grad(theta), atol=1e-11 * abs(J.grad(theta)).max())
    np.testing.assert_allclose(2 * A.T @ (A @ v), J.ggnvp(theta, v), rtol=1e-8, atol=1e-11)
    h = 1e-6
    np.testing.assert_allclose(A @ v, (J.residuals(theta + h * v) - J.residuals(theta - h * v)) / (2 * h),
                               atol=1e-7 * abs(A @ v).max())


def test_residuals_are_refused_where_there_are_none():
    J, theta, _ = objective("mlp")
    with pytest.raises(ValueError, match="mean_squared_error.*got cross_entropy"):
        J.residuals(theta)
    decay = functools.partial(regularize.l2, strength=1)
    K = Objective(J.model, losses.mean_squared_error, J.x, np.zeros((12, 3)), decay)
    with pytest.raises(ValueError, match="with a regularizer"):
        K.jacobian(theta)


def test_layer_inputs_are_those_of_the_slices():
    J, theta, _ = objective("mlp")
    inputs = J.layer_inputs(theta)
    assert list(inputs) == ["0", "2", "4"]
    np.testing.assert_array_equal(inputs["0"], J.x.data)
    w, b = (theta[J.parameters.slices[name]] for name in ("0.w", "0.b"))
    np.testing.assert_allclose(inputs["2"], np.tanh(J.x.data @ w.reshape(6, 8) + b))
    J.model.layers[2].freeze()
    assert list(J.layer_inputs(theta)) == ["0", "4"]
    assert list(objective("lstm")[0].layer_inputs()) == ["out"]
    rng = np.random.default_rng(0)
    twice = Objective(Scaled(), losses.cross_entropy, rng.standard_normal((7, 6)), rng.integers(0, 6, 7))
    assert twice.layer_inputs()["layer"].shape == (14, 6)


# --------------------------------------------------------------------------------------------------- nothing is touched

def everything(J, theta, v):
    at = J.linearize(theta)
    return [J.value(theta), J.grad(theta), J.hvp(theta, v), J.ggnvp(theta, v), at.hvp(v), at.ggnvp(v), at.jvp(v),
            J.hessian_diagonal(theta, samples=1, rng=0), J.example_grads(theta), J.example_grad_squares(theta),
            J.fishervp(theta, v), J.empirical_fishervp(theta, v), J.layer_inputs(theta)]


def test_no_side_effects():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(6, 8, rng=0), nn.BatchNorm(8), nn.Dropout(0.3, rng=1), nn.Linear(8, 3, rng=2))
    x, y = rng.standard_normal((10, 6)).astype(np.float32), rng.integers(0, 3, 10)
    J = Objective(model, losses.cross_entropy, x, y)
    losses.cross_entropy(model(J.x), y).backward()
    before, g = model.state_dict(), J.parameters.g.copy()
    draws = model.layers[2].rng.bit_generator.state
    nodes, training = [p.node for p in J.parameters], [m.training for _, m in model.modules()]
    theta = J.parameters.theta + np.float32(0.1)
    everything(J, theta, rng.standard_normal(J.parameters.n))
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.array_equal(J.parameters.g, g) and not J.parameters.unwritten
    assert model.layers[2].rng.bit_generator.state == draws
    assert [p.node for p in J.parameters] == nodes and [m.training for _, m in model.modules()] == training
    assert all(np.shares_memory(p.data, J.parameters.theta) for p in J.parameters)


def test_theta_is_restored_when_the_model_raises():
    class Fails(nn.Module):
        fail = False

        def __init__(self):
            self.inner = mlp()

        def forward(self, x):
            y = self.inner(x)
            if self.fail:
                raise KeyboardInterrupt
            return y
    rng = np.random.default_rng(0)
    J = Objective(Fails(), losses.cross_entropy, rng.standard_normal((5, 6)), rng.integers(0, 3, 5))
    before, nodes = J.parameters.theta.copy(), [p.node for p in J.parameters]
    theta, v = before + 1, np.ones(J.parameters.n)
    J.model.fail = True
    for call in (lambda: J.value(theta), lambda: J.grad(theta), lambda: J.hvp(theta, v), lambda: J.ggnvp(theta, v),
                 lambda: J.example_grads(theta), lambda: J.layer_inputs(theta), lambda: J.linearize(theta)):
        with pytest.raises(KeyboardInterrupt):
            call()
        assert np.array_equal(J.parameters.theta, before) and [p.node for p in J.parameters] == nodes
        assert all(np.shares_memory(p.data, J.parameters.theta) for p in J.parameters)


def test_a_linearization_outlives_steps_of_the_model():
    J, theta, v = objective("convnet")
    at = J.linearize(theta)
    expected = at.hvp(v), at.ggnvp(v)
    J.parameters.theta[...] += 1.0
    J.parameters.changed()
    assert np.array_equal(at.hvp(v), expected[0]) and np.array_equal(at.ggnvp(v), expected[1])
    theta += 1
    assert np.array_equal(at.hvp(v), expected[0])


def test_an_open_graph_of_the_model_survives_products():
    J, _, v = objective("mlp")
    loss = losses.cross_entropy(J.model(J.x), J.y)
    J.hvp(J.parameters.theta + 1, v)
    J.example_grads(None)
    loss.backward()
    np.testing.assert_allclose(J.parameters.g, J.grad(), rtol=1e-12)


def test_frozen_parameters_have_zero_rows():
    J, theta, v = objective("mlp")
    H, G = J.hessian(theta), J.ggn(theta)
    part = J.parameters.slices["2.w"]
    J.model.layers[2].w.requires_grad = False
    for full, now, product in ((H, J.hessian(theta), J.hvp), (G, J.ggn(theta), J.ggnvp)):
        expected = full.copy()
        expected[part] = 0
        expected[:, part] = 0
        np.testing.assert_allclose(now, expected, atol=1e-14)
        np.testing.assert_allclose(product(theta, v), expected @ v, atol=1e-12)
    assert not J.example_grads(theta)[:, part].any() and not J.hessian_diagonal(theta)[part].any()
    for layer in J.model.layers[::2]:
        layer.freeze()
    assert not J.hvp(theta, v).any() and not J.ggnvp(theta, v).any() and not J.grad(theta).any()
    J.model.layers[0].b.requires_grad = True               # a bias alone
    b = J.parameters.slices["0.b"]
    np.testing.assert_allclose(J.hvp(theta, v)[b], H[b, b] @ v[b], atol=1e-13)
    np.testing.assert_allclose(J.ggnvp(theta, v)[b], G[b, b] @ v[b], atol=1e-13)


def test_the_regularizer_is_part_of_every_matrix_but_the_fisher():
    J, theta, v = objective("mlp")
    K = Objective(J.model, J.loss, J.x, J.y, regularizer=functools.partial(regularize.l2, strength=0.7, on="all"))
    np.testing.assert_allclose(K.hvp(theta, v), J.hvp(theta, v) + 0.7 * v, atol=1e-12)
    np.testing.assert_allclose(K.ggnvp(theta, v), J.ggnvp(theta, v) + 0.7 * v, atol=1e-12)
    np.testing.assert_allclose(K.fishervp(theta, v), J.fishervp(theta, v))
    np.testing.assert_allclose(K.hessian_diagonal(theta), J.hessian_diagonal(theta) + 0.7, atol=1e-12)


def test_errors_name_what_is_wrong():
    J, theta, v = objective("mlp")
    with pytest.raises(ValueError, match=r"v must have shape \(119,\), got \(3,\)"):
        J.hvp(theta, np.ones(3))
    with pytest.raises(ValueError, match=r"theta must have shape \(119,\), got \(118,\)"):
        J.hvp(theta[1:], v)
    with pytest.raises(ValueError, match=r"hessian: 119 x 119 entries take .* GiB; use products"):
        J.hessian(theta, largest=100)
    with pytest.raises(ValueError, match="example_grads: 12 x 119"):
        J.example_grads(theta, largest=100)

    class Pair(nn.Module):
        def __init__(self):
            self.cell = nn.LSTMCell(6, 3, **F64)

        def forward(self, x):
            return self.cell(x)
    K = Objective(Pair(), lambda z, y: losses.cross_entropy(z[0], y), J.x, J.y)
    assert K.grad().shape == (K.parameters.n,)             # J alone may be of any kind
    with pytest.raises(ValueError, match="must return one Tensor, got tuple"):
        K.ggnvp(None, np.zeros(K.parameters.n))


@pytest.mark.parametrize("output", [lambda z: ops.sum(z), lambda z: z[:5]], ids=["a number", "five rows"])
def test_a_model_without_a_row_for_each_example_has_no_example_grads(output):
    rng = np.random.default_rng(0)
    layer = nn.Linear(6, 4, rng=0, **F64)
    J = Objective(nn.Sequential(layer, output), lambda z, y: ops.sum(z * z), rng.standard_normal((7, 6)),
                  np.zeros(7, int))
    with pytest.raises(ValueError, match="example_grads: the model must return one row per example"):
        J.example_grads()
