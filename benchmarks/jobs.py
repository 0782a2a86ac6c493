"""The jobs of the speed table. Each builds its steps, one callable per framework, on the same arrays.

A step of training is forward, loss, backward, update. PyTorch runs eagerly with its best setting for the job: a plain
loop for SGD, fused=True for Adam, channels_last for images. JAX is jit-compiled as one function of the whole step.
"""
import numpy as np

import minigrad as mg
from minigrad import losses, nn, ops, optim

JOBS = {}


class Job:
    """A row: name, what it does, the ratio PyTorch/minigrad to reach with 1 and 2 threads, and how to make it."""

    def __init__(self, name, text, must, make, block=0.05):
        self.name, self.text, self.must, self.make, self.block = name, text, must, make, block


def job(name, text, must, block=0.05):
    """Decorator for a function peers -> {framework: step}."""
    def register(make):
        JOBS[name] = Job(name, text, must, make, block)
        return make
    return register


# ------------------------------------------------------------------------------------------------------ dense networks

def dense(sizes, batch, method, peers, batch_norm=False):
    """Steps of training a multilayer perceptron (no hidden layer: softmax regression)."""
    rng = np.random.default_rng(0)
    x = rng.random((batch, sizes[0]), dtype=np.float32)
    y = rng.integers(0, sizes[-1], batch)
    pairs = list(zip(sizes, sizes[1:]))

    layers = []
    for i, (m, n) in enumerate(pairs):
        layers.append(nn.Linear(m, n, rng=i, bias=not (batch_norm and i < len(pairs) - 1)))
        if i < len(pairs) - 1:
            layers += [nn.BatchNorm(n, relu=True)] if batch_norm else [nn.ReLU()]
    steps = {"minigrad": minigrad_step(nn.Sequential(*layers), method, x, y)}

    if "PyTorch" in peers:
        from torch import nn as tnn
        layers = []
        for i, (m, n) in enumerate(pairs):
            layers.append(tnn.Linear(m, n, bias=not (batch_norm and i < len(pairs) - 1)))
            if i < len(pairs) - 1:
                layers += [tnn.BatchNorm1d(n), tnn.ReLU()] if batch_norm else [tnn.ReLU()]
        steps["PyTorch"] = torch_step(tnn.Sequential(*layers), method, x, y)
    if "JAX" in peers and not batch_norm:
        steps["JAX"] = jax_dense(sizes, method, x, y)
    if "scikit-learn" in peers and len(sizes) == 3 and method == "adam":
        from sklearn.neural_network import MLPClassifier
        model = MLPClassifier((sizes[1],), solver="adam", batch_size=batch)
        model.partial_fit(x, y, classes=np.arange(sizes[-1]))
        steps["scikit-learn"] = lambda: model.partial_fit(x, y)
    return steps


def minigrad_step(model, method, x, y):
    """One training step of minigrad."""
    parameters = model.parameters()
    optimizer = {"sgd": lambda: optim.SGD(parameters, lr=0.01), "adam": lambda: optim.Adam(parameters, lr=0.001),
                 "momentum": lambda: optim.Momentum(parameters, lr=0.01)}[method]()

    def step():
        loss = losses.cross_entropy(model(mg.Tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return step


def torch_step(model, method, x, y, images=None):
    """One training step of PyTorch."""
    import torch
    x, y = torch.tensor(x), torch.tensor(y)
    if images == "channels_last":
        x, model = x.to(memory_format=torch.channels_last), model.to(memory_format=torch.channels_last)
    optimizer = {"sgd": lambda: torch.optim.SGD(model.parameters(), lr=0.01),
                 "adam": lambda: torch.optim.Adam(model.parameters(), lr=0.001, fused=True),
                 "momentum": lambda: torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)}[method]()

    def step():
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return step


def jax_dense(sizes, method, x, y):
    """One training step compiled by JAX, with the update written out."""
    import jax
    import jax.numpy as jnp
    rng = np.random.default_rng(0)
    theta = [(jnp.asarray(rng.standard_normal((m, n)).astype("f") / m ** 0.5), jnp.zeros(n, jnp.float32))
             for m, n in zip(sizes, sizes[1:])]
    zeros = jax.tree.map(jnp.zeros_like, theta)
    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(theta):
        h = x
        for w, b in theta[:-1]:
            h = jax.nn.relu(h @ w + b)
        logits = h @ theta[-1][0] + theta[-1][1]
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y])

    @jax.jit
    def update(theta, s, r, t):
        g = jax.grad(loss)(theta)
        if method == "sgd":
            return jax.tree.map(lambda p, d: p - 0.01 * d, theta, g), s, r, t
        t = t + 1
        s = jax.tree.map(lambda a, d: 0.9 * a + 0.1 * d, s, g)
        r = jax.tree.map(lambda a, d: 0.999 * a + 0.001 * d * d, r, g)
        theta = jax.tree.map(lambda p, a, b: p - 0.001 * (a / (1 - 0.9 ** t))
                             / (jnp.sqrt(b / (1 - 0.999 ** t)) + 1e-8), theta, s, r)
        return theta, s, r, t

    state = [theta, zeros, zeros, jnp.float32(0)]

    def step():
        state[:] = update(*state)
        jax.block_until_ready(state)
    return step


@job("a", "softmax regression 784-10, batch 128, SGD", (2.3, 2.3))
def _(peers):
    return dense([784, 10], 128, "sgd", peers)


for _batch, _sgd, _adam in ((1, (3.9, 4.0), (3.9, 4.0)), (32, (2.7, 2.0), (2.7, 2.5)), (128, (1.8, 1.7), (1.9, 1.7))):
    job(f"b{_batch} SGD", f"MLP 784-128-10, batch {_batch}, SGD", _sgd)(
        lambda peers, batch=_batch: dense([784, 128, 10], batch, "sgd", peers))
    job(f"b{_batch} Adam", f"MLP 784-128-10, batch {_batch}, Adam", _adam)(
        lambda peers, batch=_batch: dense([784, 128, 10], batch, "adam", peers))


@job("c", "MLP 784-1000-1000-10, batch 128, Adam", (1.0, 1.0), block=0.15)
def _(peers):
    return dense([784, 1000, 1000, 10], 128, "adam", peers)


@job("d", "MLP 784-256-256-10 with batch norm, batch 128, momentum", (1.4, 1.3))
def _(peers):
    return dense([784, 256, 256, 10], 128, "momentum", peers, batch_norm=True)


# ------------------------------------------------------------------------------------------------ convolution networks

def images(batch):
    """Random images (n, h, w, c) and labels."""
    rng = np.random.default_rng(0)
    return rng.random((batch, 28, 28, 1), dtype=np.float32), rng.integers(0, 10, batch)


def convolution(layers, torch_layers, peers):
    """Steps of training a convolutional network on 64 images, Adam."""
    x, y = images(64)
    steps = {"minigrad": minigrad_step(nn.Sequential(*layers()), "adam", x, y)}
    if "PyTorch" in peers:
        from torch import nn as tnn
        for layout in ("channels_last", "NCHW"):
            name = "PyTorch" if layout == "channels_last" else "PyTorch NCHW"
            model = tnn.Sequential(*torch_layers(tnn))
            steps[name] = torch_step(model, "adam", x.transpose(0, 3, 1, 2).copy(), y, layout)
    return steps


@job("e1", "conv 5x5 16, BN, relu, pool, conv 5x5 32, BN, relu, pool, linear; batch 64, Adam", (1.2, 1.0), block=0.2)
def _(peers):
    return convolution(
        lambda: [nn.Conv2d(1, 16, 5, padding=2, bias=False, rng=0), nn.BatchNorm(16, relu=True), nn.MaxPool2d(2),
                 nn.Conv2d(16, 32, 5, padding=2, bias=False, rng=1), nn.BatchNorm(32, relu=True), nn.MaxPool2d(2),
                 nn.Flatten(), nn.Linear(1568, 10, rng=2)],
        lambda t: [t.Conv2d(1, 16, 5, padding=2, bias=False), t.BatchNorm2d(16), t.ReLU(), t.MaxPool2d(2),
                   t.Conv2d(16, 32, 5, padding=2, bias=False), t.BatchNorm2d(32), t.ReLU(), t.MaxPool2d(2),
                   t.Flatten(), t.Linear(1568, 10)], peers)


@job("e2", "conv 3x3 32, relu, conv 3x3 64, relu, pool, linear 9216-128, relu, linear; batch 64, Adam", (1.0, 1.0), 0.3)
def _(peers):
    return convolution(
        lambda: [nn.Conv2d(1, 32, 3, rng=0), nn.ReLU(), nn.Conv2d(32, 64, 3, rng=1), nn.ReLU(), nn.MaxPool2d(2),
                 nn.Flatten(), nn.Linear(9216, 128, rng=2), nn.ReLU(), nn.Linear(128, 10, rng=3)],
        lambda t: [t.Conv2d(1, 32, 3), t.ReLU(), t.Conv2d(32, 64, 3), t.ReLU(), t.MaxPool2d(2), t.Flatten(),
                   t.Linear(9216, 128), t.ReLU(), t.Linear(128, 10)], peers)


# ----------------------------------------------------------------------------------------------------------- overhead

def small(function, peers):
    """Forward and backward of a function of three vectors of size 10 that sums to a number. function(x, w, b, tanh)."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(10).astype(np.float32) for _ in range(3))
    X, W, B = mg.Tensor(x), mg.tensor(w, requires_grad=True), mg.tensor(b, requires_grad=True)

    def minigrad():
        W.grad = B.grad = None
        function(X, W, B, ops.tanh).backward()
    steps = {"minigrad": minigrad}
    if "PyTorch" in peers:
        import torch
        tx, tw, tb = torch.tensor(x), torch.tensor(w, requires_grad=True), torch.tensor(b, requires_grad=True)

        def pytorch():
            tw.grad = tb.grad = None
            function(tx, tw, tb, torch.tanh).backward()
        steps["PyTorch"] = pytorch
    if "JAX" in peers:
        import jax
        import jax.numpy as jnp
        gradient = jax.jit(jax.grad(lambda w, b: function(x, w, b, jnp.tanh), argnums=(0, 1)))
        steps["JAX"] = lambda: jax.block_until_ready(gradient(w, b))
    if "autograd" in peers:
        import autograd.numpy as anp
        from autograd import grad
        both = grad(lambda wb: function(x, wb[0], wb[1], anp.tanh))
        steps["autograd"] = lambda: both((w, b))
    return steps


@job("f", "(x w + b).tanh().sum(), size 10, forward and backward", (2.5, 2.5))
def _(peers):
    return small(lambda x, w, b, tanh: tanh(x * w + b).sum(), peers)


@job("f100", "chain of 100 elementwise ops, size 10, forward and backward", (2.0, 2.0))
def _(peers):
    def chain(x, w, b, tanh):
        y = w
        for _ in range(25):
            y = tanh((y * x + b) * 0.5)
        return y.sum()
    return small(chain, peers)


# ------------------------------------------------------------------------------------------------ optimizers, products

def update_only(shapes, peers):
    """Adam alone, gradients given."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]

    class Tensors(nn.Module):
        def __init__(self):
            self.p = [nn.Parameter(a) for a in arrays]

        def named_parameters(self):
            return ((f"p{i}", p) for i, p in enumerate(self.p))

    parameters = Tensors().parameters()
    parameters.g[...] = 0.01
    for p in parameters:
        p.grad = p.slot.view
    steps = {"minigrad": optim.Adam(parameters, lr=0.001).step}
    if "PyTorch" in peers:
        import torch
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        for t in tensors:
            t.grad = torch.full_like(t, 0.01)
        steps["PyTorch"] = torch.optim.Adam(tensors, lr=0.001, fused=True).step
    return steps


@job("g large", "Adam alone, 1.8 million parameters in 6 tensors", (1.1, 1.1))
def _(peers):
    return update_only([(784, 1000), (1000,), (1000, 1000), (1000,), (1000, 10), (10,)], peers)


@job("g many", "Adam alone, 100 tensors of 1000 parameters", (6.0, 6.0))
def _(peers):
    return update_only([(1000,)] * 100, peers)


class Curvature:
    """Products with the Hessian and the Gauss-Newton matrix of one MLP, at a new point or again at the same one."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.x, self.y = rng.random((128, 784), dtype=np.float32), rng.integers(0, 10, 128)
        self.model = nn.Sequential(nn.Linear(784, 128, rng=0), nn.Tanh(), nn.Linear(128, 10, rng=1))
        self.J = mg.Objective(self.model, losses.cross_entropy, self.x, self.y)
        self.v = rng.standard_normal(self.J.parameters.n).astype(np.float32)

    def minigrad(self, product, again):
        v, at = self.v, getattr(self.J.linearize(), product)
        new = getattr(self.J, product)
        return (lambda: at(v)) if again else (lambda: new(None, v))

    def pytorch(self, product, again):
        import torch
        from torch.autograd import grad
        net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.Tanh(), torch.nn.Linear(128, 10))
        x, y, theta = torch.tensor(self.x), torch.tensor(self.y), list(net.parameters())
        v = [torch.tensor(part).reshape(p.shape) for part, p in
             zip(np.split(self.v, np.cumsum([p.numel() for p in theta])[:-1]), theta)]

        def hessian():
            g = grad(torch.nn.functional.cross_entropy(net(x), y), theta, create_graph=True)
            return lambda keep: grad(g, theta, v, retain_graph=keep)

        def gauss_newton():                       # J v as the derivative of J' u by u: faster than torch.func.jvp here
            z = net(x)
            u = torch.zeros_like(z, requires_grad=True)
            g = grad(z, theta, u, create_graph=True)
            top = z.detach().requires_grad_()
            dz, = grad(torch.nn.functional.cross_entropy(top, y), top, create_graph=True)

            def times(keep):
                zv, = grad(g, u, v, retain_graph=True)
                return grad(z, theta, grad(dz, top, zv, retain_graph=keep)[0], retain_graph=keep)
            return times
        record = {"hvp": hessian, "ggnvp": gauss_newton}[product]
        kept = record()
        return (lambda: kept(True)) if again else (lambda: record()(False))

    def jax(self, product, again):
        import jax
        import jax.numpy as jnp
        x, y, theta = jnp.asarray(self.x), jnp.asarray(self.y), [jnp.asarray(p.data) for p in self.model.parameters()]
        v = [jnp.asarray(part) for part in self.J.parts(self.v)]

        def output(theta):
            return jnp.tanh(x @ theta[0] + theta[1]) @ theta[2] + theta[3]

        def loss(z):
            return -jnp.mean(jax.nn.log_softmax(z)[jnp.arange(len(y)), y])
        dJ, dz = jax.grad(lambda theta: loss(output(theta))), jax.grad(loss)
        if again and product == "hvp":
            times = jax.jit(jax.linearize(dJ, theta)[1])
        elif again:
            z, forward = jax.linearize(output, theta)
            curve, back = jax.linearize(dz, z)[1], jax.vjp(output, theta)[1]
            times = jax.jit(lambda v: back(curve(forward(v)))[0])
        elif product == "hvp":
            new = jax.jit(lambda theta, v: jax.jvp(dJ, (theta,), (v,))[1])
        else:
            def gauss_newton(theta, v):
                z, zv = jax.jvp(output, (theta,), (v,))
                return jax.vjp(output, theta)[1](jax.jvp(dz, (z,), (zv,))[1])[0]
            new = jax.jit(gauss_newton)
        return lambda: jax.block_until_ready(times(v) if again else new(theta, v))


def curvature(product, again, peers):
    """Steps of one product: "hvp" or "ggnvp"; again: at a point whose graph is recorded."""
    work = Curvature()
    makers = {"minigrad": work.minigrad, "PyTorch": work.pytorch, "JAX": work.jax}
    return {name: make(product, again) for name, make in makers.items() if name in ("minigrad", *peers)}


for _name, _text, _must, _product, _again in (
        ("h", "Hessian-vector product", (1.5, 1.2), "hvp", False),
        ("h again", "the next one at the same point (linearize)", (1.2, 1.1), "hvp", True),
        ("h Gauss-Newton", "Gauss-Newton product", (1.5, 1.2), "ggnvp", False),
        ("h Gauss-Newton again", "the next one at the same point", (1.2, 1.1), "ggnvp", True)):
    job(_name, f"{_text}, MLP 784-128-10, batch 128", _must)(
        lambda peers, product=_product, again=_again: curvature(product, again, peers))


@job("i", "L-BFGS, 20 iterations, MLP 784-128-10, 10,000 examples, strong Wolfe", (1.05, 1.05), block=0.5)
def _(peers):
    (x, y), _ = mg.data.mnist(flat=True)
    x, y = np.ascontiguousarray(x[:10000]), y[:10000]
    model = nn.Sequential(nn.Linear(784, 128, rng=0), nn.Tanh(), nn.Linear(128, 10, rng=1))
    parameters = model.parameters()
    start = parameters.theta.copy()
    J = mg.Objective(model, losses.cross_entropy, x, y)
    reached = {}

    def minigrad():
        theta = start.copy()
        result = optim.minimize(optim.LBFGS(theta, memory=10), J, steps=20)
        reached["minigrad"] = result.value, result.evaluations
    steps = {"minigrad": minigrad}
    if "PyTorch" in peers:
        import torch
        net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.Tanh(), torch.nn.Linear(128, 10))
        tx, ty = torch.tensor(x), torch.tensor(y)

        def pytorch():
            with torch.no_grad():
                for layer, (w, b) in ((net[0], ("0.w", "0.b")), (net[2], ("2.w", "2.b"))):
                    layer.weight.copy_(torch.tensor(start[parameters.slices[w]].reshape(layer.weight.T.shape).T))
                    layer.bias.copy_(torch.tensor(start[parameters.slices[b]]))
            lbfgs = torch.optim.LBFGS(net.parameters(), max_iter=20, max_eval=100, history_size=10,
                                      line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0)
            count = [0, 0.0]

            def closure():
                lbfgs.zero_grad()
                loss = torch.nn.functional.cross_entropy(net(tx), ty)
                loss.backward()
                count[0] += 1
                count[1] = loss.item()
                return loss
            lbfgs.step(closure)
            reached["PyTorch"] = count[1], count[0]
        steps["PyTorch"] = pytorch
    steps["reached"] = reached                   # value of J and evaluations, printed beside the times
    return steps


# ------------------------------------------------------------------------------------------------------------- products

SHAPES = [("a forward", 128, 784, 10, "NN"), ("a weights", 784, 128, 10, "TN"), ("b forward", 128, 784, 128, "NN"),
          ("b weights", 784, 128, 128, "TN"), ("c forward", 128, 1000, 1000, "NN"), ("c input", 128, 1000, 1000, "NT"),
          ("c weights", 1000, 128, 1000, "TN")]


def product(m, k, n, kind, peers):
    """out = a b; kind says which of a and b are transposed views."""
    rng = np.random.default_rng(0)

    def operand(rows, columns, letter):
        a = rng.standard_normal((rows, columns) if letter == "N" else (columns, rows)).astype(np.float32)
        return a if letter == "N" else a.T
    a, b = operand(m, k, kind[0]), operand(k, n, kind[1])
    out = np.empty((m, n), np.float32)
    steps = {"minigrad": lambda: mg.kernels.matmul.matmul(a, b, out)}
    if mg.get_num_threads() == 1:            # OpenBLAS' threads go on spinning and would take a core from the others
        steps["NumPy"] = lambda: np.matmul(a, b, out=out)
    if "PyTorch" in peers:
        import torch
        ta, tb, tout = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(out)
        steps["PyTorch"] = lambda: torch.matmul(ta, tb, out=tout)
    return steps


for _name, _m, _k, _n, _kind in SHAPES:
    job(f"l {_name}", f"GEMM {_m} x {_k} x {_n} {_kind}", (0.85, 0.75))(
        lambda peers, s=(_m, _k, _n, _kind): product(*s, peers))
