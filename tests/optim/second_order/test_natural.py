"""PRONG: the function is unchanged by whitening, whitened inputs are white, the step is the stated one; a NumPy net."""
import numpy as np
import pytest

from minigrad import Objective, Tensor, grad, losses, nn, ops
from minigrad.optim.minimize import minimize
from minigrad.optim.second_order.natural import PRONG, unwhiten, whiten, whitened_step, whitening


class Net:
    """tanh(x W1 + b1) W2 + b2, half the mean squared error; theta = (first.w, first.b, second.w, second.b)."""

    def __init__(self, seed=0, m=200, shape=(4, 5, 2)):
        rng = np.random.default_rng(seed)
        a, h, o = shape
        self.x = rng.standard_normal((m, a)) @ rng.standard_normal((a, a)) + 3 * rng.standard_normal(a)   # correlated
        self.t = np.sin(self.x[:, :o])
        self.shapes = {"first.w": (a, h), "first.b": (h,), "second.w": (h, o), "second.b": (o,)}
        self.slices, n = {}, 0
        for name, s in self.shapes.items():
            self.slices[name] = slice(n, n + int(np.prod(s)))
            n += int(np.prod(s))
        self.theta, self.g = 0.3 * rng.standard_normal(n), np.zeros(n)

    def parts(self, theta):
        return [theta[part].reshape(self.shapes[name]) for name, part in self.slices.items()]

    def forward(self, theta):
        W1, b1, W2, b2 = self.parts(theta)
        h = np.tanh(self.x @ W1 + b1)
        return h, h @ W2 + b2

    def layer_inputs(self, theta):
        return {"first": self.x, "second": self.forward(theta)[0]}

    def value_and_grad(self, theta):
        W2 = self.parts(theta)[2]
        h, y = self.forward(theta)
        u = (y - self.t) / len(self.x)
        a = (u @ W2.T) * (1 - h * h)
        return 0.5 * float(((y - self.t) ** 2).sum()) / len(self.x), np.concatenate(
            [(self.x.T @ a).ravel(), a.sum(0), (h.T @ u).ravel(), u.sum(0)])

    def changed(self):
        pass

    zero_grad = changed
    unwritten = frozenset()


@pytest.mark.parametrize("frozen", ["first.w", "first.b", "second.b"])
def test_what_is_frozen_on_the_way_stays_and_its_layer_takes_plain_steps(frozen):
    """Neither the velocity moves it, nor what its layer's other half asks of it. Unfrozen, it starts at rest."""
    J, lr, alpha = Net(), 0.05, 0.9
    theta, J.frozen = J.theta, set()
    opt, part = PRONG(J, lr=lr, momentum=alpha, interval=2), J.slices[frozen]
    for _ in range(3):
        opt.step(J)
    J.frozen, held, v = {frozen}, theta[part].copy(), opt.v.copy()
    layer, _, half = frozen.partition(".")
    other = J.slices[f"{layer}.{'b' if half == 'w' else 'w'}"]
    for _ in range(3):
        before, g = theta.copy(), J.value_and_grad(theta)[1]
        opt.step(J)
        v = alpha * v - lr * g
        assert np.array_equal(theta[part], held)
        np.testing.assert_allclose(theta[other] - before[other], v[other], rtol=1e-9, atol=1e-14)
    J.frozen = set()
    assert not opt.v[part].any()
    opt.step(J)
    np.testing.assert_allclose(theta[part] - held, opt.v[part], rtol=1e-12, atol=1e-16)


def inputs(seed, m=300, n=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)) @ rng.standard_normal((n, n)) * np.geomspace(1, 30, n) + rng.standard_normal(n)


@pytest.mark.parametrize("seed", range(3))
def test_the_function_is_unchanged_by_whitening(seed):
    """First identity, to 1e-10."""
    rng, h = np.random.default_rng(seed), inputs(seed)
    W, b = rng.standard_normal((6, 3)), rng.standard_normal(3)
    c, U = whitening(h, 1e-2)
    V, d = whiten(W, b, c, U)
    np.testing.assert_allclose((h - c) @ U @ V + d, h @ W + b, atol=1e-10, rtol=1e-10)
    for back, original in zip(unwhiten(V, d, c, U), (W, b)):
        np.testing.assert_allclose(back, original, atol=1e-10)


@pytest.mark.parametrize("delta", [1e-6, 1e-2, 1.0])
def test_whitened_inputs_have_eigenvalues_l_over_l_plus_delta(delta):
    """Second identity: 1 only where l >> delta."""
    h = inputs(1)
    c, U = whitening(h, delta)
    l = np.linalg.eigvalsh(np.cov(h.T, bias=True))
    z = (h - c) @ U
    np.testing.assert_allclose(np.linalg.eigvalsh(z.T @ z / len(h)), l / (l + delta), rtol=1e-8)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-10)


def test_the_step_on_v_and_d_is_the_stated_step_on_w():
    """Third identity: dW = -lr (S + delta I)^-1 (gW - c' gb), db = -lr gb - c dW; and it is the step in V, d."""
    rng, h, delta, lr = np.random.default_rng(2), inputs(2), 0.1, 0.05
    W, b = rng.standard_normal((6, 3)), rng.standard_normal(3)
    u = rng.standard_normal((len(h), 3))                             # gradient of some J with respect to the outputs
    gW, gb = h.T @ u, u.sum(axis=0)
    c, U = whitening(h, delta)
    V, d = whiten(W, b, c, U)
    gV, gd = ((h - c) @ U).T @ u, gb                                 # chain rule through (h - c) U V + d
    stepped = unwhiten(V - lr * gV, d - lr * gd, c, U)
    dW, db = whitened_step(gW, gb, c, U)
    np.testing.assert_allclose(W + lr * dW, stepped[0], atol=1e-9)
    np.testing.assert_allclose(b + lr * db, stepped[1], atol=1e-9)
    S = np.cov(h.T, bias=True)
    np.testing.assert_allclose(dW, -np.linalg.solve(S + delta * np.eye(6), gW - np.outer(c, gb)), rtol=1e-7, atol=1e-9)


def test_the_optimizer_is_gradient_descent_with_momentum_on_the_whitened_net():
    """Against a transcription that really keeps V, d and their velocities, and converts them at a new whitening."""
    J, lr, alpha, delta, interval = Net(), 0.05, 0.8, 0.1, 3
    theta = J.theta.copy()
    opt = PRONG(J, lr=lr, momentum=alpha, delta=delta, interval=interval)
    v = [np.zeros(shape) for shape in J.shapes.values()]              # velocity in W, b coordinates
    for k in range(8):
        if k % interval == 0:
            frames = [whitening(h, delta) for h in J.layer_inputs(theta).values()]
        g = J.parts(J.value_and_grad(theta)[1])
        W = J.parts(theta)
        new = []
        for i, (c, U) in enumerate(frames):
            V, d = whiten(W[2 * i], W[2 * i + 1], c, U)
            vV, vd = np.linalg.solve(U, v[2 * i]), v[2 * i + 1] + c @ v[2 * i]
            vV = alpha * vV - lr * U @ (g[2 * i] - np.outer(c, g[2 * i + 1]))
            vd = alpha * vd - lr * g[2 * i + 1]
            new += unwhiten(V + vV, d + vd, c, U)
            v[2 * i] = U @ vV
            v[2 * i + 1] = vd - c @ v[2 * i]
        theta = np.concatenate([part.ravel() for part in new])
        opt.step(J)
        np.testing.assert_allclose(opt.theta, theta, atol=1e-9)


def test_whitening_helps_where_inputs_are_correlated():
    """Same number of steps, each method with the better of a range of learning rates."""
    best = {}
    for interval in (10, None):
        for lr in (0.03, 0.1, 0.3, 1.0):
            J = Net(3)
            opt = PRONG(J, lr=lr, delta=0.1, interval=interval or 10)
            if interval is None:
                object.__setattr__(opt, "refresh", lambda *_: "")     # c = 0, U = I: plain gradient descent
            with np.errstate(all="ignore"):
                result = minimize(opt, J, 60)
            value = result.value if np.isfinite(result.value) else np.inf
            best[interval] = min(best.get(interval, np.inf), value)
    assert best[10] < 0.8 * best[None]


def test_slices_without_inputs_take_plain_steps_and_wrong_inputs_are_named():
    J = Net()
    J.layer_inputs = lambda theta: {"first": J.x}
    opt = PRONG(J, lr=0.1)
    before, g = J.theta.copy(), J.value_and_grad(J.theta)[1]
    opt.step(J)
    second = J.slices["second.w"]
    np.testing.assert_allclose(opt.theta[second], before[second] - 0.1 * g[second])
    J.layer_inputs = lambda theta: {"third": J.x}
    with pytest.raises(ValueError, match="third"):
        PRONG(J).step(J)
    J.layer_inputs = lambda theta: {"first": J.x[:, :2]}
    with pytest.raises(ValueError, match="2 features, its weights 4"):
        PRONG(J).step(J)


def test_a_step_without_an_objective_says_what_for():
    with pytest.raises(ValueError, match=r"opt.step\(J\) with an objective: it asks J for the inputs of its layers"):
        PRONG(Net()).step()


# ------------------------------------------------------------------------------------------------------- convolutions

OPTIONS = [{}, {"stride": 2}, {"padding": "same"}, {"padding": ((1, 0), (2, 1)), "dilation": (1, 2), "stride": (2, 1)}]


def convolution(options, seed=0):
    """J of one convolution with a squared error, its layer, and the windows by direct loops (rows, kh kw c)."""
    rng = np.random.default_rng(seed)
    layer = nn.Conv2d(2, 4, 3, rng=rng, dtype=np.float64, **options)
    layer.b.data = rng.standard_normal(4)
    x = rng.standard_normal((5, 7, 8, 2)) @ rng.standard_normal((2, 2)) + rng.standard_normal(2)
    y = layer(x)
    J = Objective(layer, losses.mean_squared_error, x, rng.standard_normal(y.shape))
    pair = {"same": ((1, 1), (1, 1)), 0: ((0, 0), (0, 0))}.get(options.get("padding", 0), options.get("padding")) \
        if not isinstance(options.get("padding", 0), tuple) else options["padding"]
    (sh, sw), (dh, dw) = (options.get(name, (1, 1)) if isinstance(options.get(name, (1, 1)), tuple)
                          else (options[name],) * 2 for name in ("stride", "dilation"))
    framed = np.pad(x, ((0, 0), *pair, (0, 0)))
    rows = [framed[n, i * sh:i * sh + 2 * dh + 1:dh, j * sw:j * sw + 2 * dw + 1:dw].ravel()
            for n in range(5) for i in range(y.shape[1]) for j in range(y.shape[2])]
    return J, layer, np.array(rows)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_inputs_of_a_convolution_are_its_windows(options):
    J, layer, rows = convolution(options)
    found = J.layer_inputs()[""]
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_allclose(found @ layer.w.data.reshape(-1, 4) + layer.b.data, layer(J.x).data.reshape(-1, 4),
                               atol=1e-12)


def test_windows_at_a_reflected_border_are_those_of_the_padded_image():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 2))
    layer = nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect", rng=0, dtype=np.float64)
    plain = nn.Conv2d(2, 3, 3, rng=0, dtype=np.float64)
    framed = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(layer.windows(x), plain.windows(framed))


@pytest.mark.parametrize("options", OPTIONS)
def test_the_three_identities_hold_for_a_convolution(options):
    """The net (windows - c) U V + d is the same function; its windows are white; a gradient step on its V and d,
    differentiated through the convolution, is PRONG's step on w and b."""
    delta, lr = 0.05, 0.1
    J, layer, rows = convolution(options, seed=1)
    W, b = layer.w.data.reshape(-1, 4), layer.b.data
    c, U = whitening(J.layer_inputs()[""], delta)
    V, d = whiten(W, b, c, U)
    l = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
    z = (rows - c) @ U
    np.testing.assert_allclose(np.linalg.eigvalsh(z.T @ z / len(z)), l / (l + delta), rtol=1e-8, atol=1e-10)
    V, d = Tensor(V, requires_grad=True), Tensor(d, requires_grad=True)
    kernel = ops.matmul(U, V)
    y = ops.conv2d(J.x, ops.reshape(kernel, layer.w.shape), layer.stride, layer.padding, layer.dilation,
                   1, d - ops.matmul(c, kernel))
    np.testing.assert_allclose(y.data, layer(J.x).data, atol=1e-10)
    gV, gd = grad(losses.mean_squared_error(y, J.y), [V, d])
    stepped = unwhiten(V.data - lr * gV.data, d.data - lr * gd.data, c, U)
    PRONG(J.parameters, lr=lr, delta=delta).step(J)
    np.testing.assert_allclose(layer.w.data.reshape(-1, 4), stepped[0], atol=1e-9)
    np.testing.assert_allclose(layer.b.data, stepped[1], atol=1e-9)


def test_convolutions_in_groups_and_transposed_ones_take_plain_steps():
    for layer in (nn.Conv2d(4, 4, 3, groups=2, rng=0, dtype=np.float64),
                  nn.ConvTranspose2d(4, 4, 3, rng=0, dtype=np.float64)):
        x = np.random.default_rng(0).standard_normal((3, 5, 5, 4))
        J = Objective(layer, losses.mean_squared_error, x, 0 * layer(x).data)
        assert J.layer_inputs() == {}
        before, g = J.parameters.theta.copy(), J.grad()
        PRONG(J.parameters, lr=0.1).step(J)
        np.testing.assert_allclose(J.parameters.theta, before - 0.1 * g, atol=1e-12)


def test_whitening_helps_a_convolutional_net():
    """Images with a mean and smooth pixels, whose windows are far from white: the better of some rates each."""
    best = {}
    for interval in (10, None):
        for lr in (0.003, 0.01, 0.03, 0.1):
            rng = np.random.default_rng(0)
            x = np.cumsum(np.cumsum(rng.standard_normal((60, 8, 8, 1)), 1), 2) / 8 + 2
            y = (x[:, :, :4].mean((1, 2, 3)) > x[:, :, 4:].mean((1, 2, 3))).astype(int)
            model = nn.Sequential(nn.Conv2d(1, 4, 3, rng=rng, dtype=np.float64), nn.Tanh(), nn.AvgPool2d(2),
                                  nn.Flatten(), nn.Linear(36, 2, rng=rng, dtype=np.float64))
            J = Objective(model, losses.cross_entropy, x, y)
            opt = PRONG(J.parameters, lr=lr, delta=0.1, interval=interval or 10)
            if interval is None:
                object.__setattr__(opt, "refresh", lambda *_: "")
            with np.errstate(all="ignore"):
                value = minimize(opt, J, 40).value
            best[interval] = min(best.get(interval, np.inf), value if np.isfinite(value) else np.inf)
    assert best[10] < 0.8 * best[None]
