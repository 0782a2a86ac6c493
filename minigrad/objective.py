"""J(theta) of a model on some examples: the one bridge from modules to optimizers that want a function of a vector."""
import functools
import math
from contextlib import contextmanager

import numpy as np

from minigrad.core import Leaf, Tensor, grad, no_grad, wrap
from minigrad.derivatives import ByExample, Linearization
from minigrad.derivatives.matrices import diagonal
from minigrad.nn.module import fixed_statistics, observe

# Losses that are the negative log-likelihood of what the model's output parametrizes: there Fisher = Gauss-Newton.
LIKELIHOODS = ("cross_entropy", "softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "gaussian_nll")
LARGEST = 2**28                           # entries of a matrix that is formed without being asked twice


class Objective:
    """J(theta) = loss(model(x), y), with its derivatives, on flat vectors (n,).

        J = Objective(model, losses.cross_entropy, x, y)
        J.value(theta), J.grad(theta), J.hvp(theta, v)

    theta: (n,), the layout of model.parameters(); None: where the model is. Results are fresh arrays (n,), J a float.
    J is deterministic: batch norm uses the batch but leaves its running averages alone, dropout draws the same masks at
    every evaluation (from generators that are attributes of the model's modules; what a forward draws from the thread's
    default is new each time). The model's theta, gradients and mode are untouched, also if the model raises.
    regularizer: a function of the model, added to J (weight decay, see `nn.regularize`).

    Many products at one theta: `at_theta = J.linearize(theta)`, then at_theta.hvp(v), at_theta.ggnvp(v), ...
    Batch norm in training couples the examples: all products are of the batch as one function.
    """

    def __init__(self, model, loss, x, y, regularizer=None):
        self.model, self.loss, self.regularizer = model, loss, regularizer
        self.x = x if isinstance(x, Tensor) else Tensor(x)
        self.y = y
        self.parameters = model.parameters()

    def __call__(self, theta=None):
        return self.value(theta)

    # ---- J and its gradient

    def value(self, theta=None):
        """J(theta), a float."""
        with self.at(theta), no_grad():
            return self.tensor().item()

    def grad(self, theta=None):
        """The gradient of J at theta, (n,)."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta=None):
        """(J(theta), gradient (n,)), from one pass forward and back."""
        with self.at(theta), no_grad(enabled=True):
            J = self.tensor()
            return J.item(), self.flat(d.data for d in grad(J, self.free()))

    def tensor(self):
        """J as a Tensor, with its graph, at the model's present parameters."""
        J = self.loss(self.model(self.x), self.y)
        return J if self.regularizer is None else J + self.regularizer(self.model)

    # ---- curvature

    def linearize(self, theta=None):
        """J at theta with its graph recorded, for many products: `.value`, `.grad()`, `.hvp(v)`, `.ggnvp(v)`, ...

        It stays valid whatever happens to the model afterwards. Memory: the activations of a few passes.
        """
        return Linearized(self, theta)

    def hvp(self, theta, v):
        """H v, H the Hessian of J at theta, v (n,)."""
        return self.linearize(theta).hvp(v)

    def ggnvp(self, theta, v):
        """G v, the Gauss-Newton product: G = J' H_L J, J the Jacobian of the model's output z, H_L the Hessian of the
        loss with respect to z; plus the Hessian of the regularizer. Softmax and its cross-entropy are one loss."""
        return self.linearize(theta).ggnvp(v)

    def fishervp(self, theta, v):
        """F v, F the model's Fisher matrix: the mean over x of E[s s'], s the gradient of log p(y | x), y drawn from
        the *model*. For the likelihoods of `losses` it is the Gauss-Newton matrix (without regularizer); other losses
        are refused. Squared error: p is the normal distribution for which J is the likelihood."""
        return self.linearize(theta).fishervp(v)

    def empirical_fishervp(self, theta, v):
        """The mean of g_i g_i' v over the examples, with the *given* labels: not the Fisher matrix, and no curvature
        (Martens 2014, Kunstner et al. 2019)."""
        E = self.example_grads(theta)
        return E.T @ (E @ self.vector(v)) / self.dtype.type(len(E))

    def hessian(self, theta=None, largest=LARGEST):
        """The Hessian (n, n), one product per row; zeros where frozen. ValueError above `largest` entries."""
        return self._matrix("hessian", theta, largest)

    def ggn(self, theta=None, largest=LARGEST):
        """The Gauss-Newton matrix (n, n), see `ggnvp`."""
        return self._matrix("ggn", theta, largest)

    def fisher(self, theta=None, largest=LARGEST):
        """The model's Fisher matrix (n, n), see `fishervp`."""
        return self._matrix("fisher", theta, largest)

    def empirical_fisher(self, theta=None, largest=LARGEST):
        """The mean of g_i g_i', (n, n), see `empirical_fishervp`."""
        self._fits("empirical_fisher", self.parameters.n, self.parameters.n, largest)
        E = self.example_grads(theta, largest)
        return E.T @ E / self.dtype.type(len(E))

    def hessian_diagonal(self, theta=None, samples=None, rng=None):
        """The diagonal of the Hessian, (n,): exact from n products, or Hutchinson's estimate from `samples` of them."""
        at = self.linearize(theta)
        leaves = at.of.leaves

        def product(vs, k=None):
            return at.of.hvp(vs if k is None else [vs[0] if i == k else None for i in range(len(leaves))], k)

        return self.flat(diagonal([p.shape for p in leaves], [p.dtype for p in leaves], product, samples, rng))

    def _matrix(self, which, theta, largest):
        n = self.parameters.n
        self._fits(which, n, n, largest)
        at = self.linearize(theta)
        product = {"hessian": at.hvp, "ggn": at.ggnvp, "fisher": at.fishervp}[which]
        out, e = np.zeros((n, n), self.dtype), np.zeros(n, self.dtype)
        for p, part in zip(self.parameters, self.parameters.slices.values()):
            for i in range(part.start, part.stop) if p.requires_grad else ():
                e[i] = 1
                out[i] = product(e)
                e[i] = 0
        return out

    def _fits(self, which, rows, columns, largest):
        if rows * columns > largest:
            size = rows * columns * self.dtype.itemsize / 2**30
            raise ValueError(f"Objective.{which}: {rows} x {columns} entries take {size:.1f} GiB; use products "
                             "(hvp, ggnvp), diagnostics.hessian_spectrum or example_grad_squares, fewer examples, or "
                             f"largest={rows * columns}")

    # ---- example by example

    def example_grads(self, theta=None, largest=LARGEST):
        """The gradient of each example, (m, n); their mean is the gradient of J (the regularizer is in each).

        From one pass where the layers are Linear, Conv2d and the like, else from one pass per example. Where the model
        couples the examples or draws random numbers, row i is what reaches theta through the outputs of example i.
        """
        m = len(self.x.data)
        self._fits("example_grads", m, self.parameters.n, largest)
        with self._apart(theta) as leaves:
            each, penalty = self._each(leaves)
            rows = [row.reshape(m, -1) for row in each.rows(0, m)]
        out = np.zeros((m, self.parameters.n), self.dtype)
        for part, row in zip(self._free_slices(), rows):
            out[:, part] = row
        return out + penalty

    def example_grad_squares(self, theta=None):
        """The mean over the examples of the squares of their gradients, (n,), without forming the (m, n) gradients."""
        with self._apart(theta) as leaves:
            each, penalty = self._each(leaves)
            squares, total = each.squares(), grad(each.z, leaves, each.u)
        m = self.dtype.type(each.m)
        return self.flat(squares) / m + penalty * (2 * self.flat(g.data for g in total) / m + penalty)

    def _each(self, leaves):
        """Gradients by example of the loss, times m; and the gradient of the regularizer (n,)."""
        z = self._output("example_grads")
        if z.ndim == 0 or len(z.data) != len(self.x.data) or len(z.data) == 0:
            raise ValueError(f"Objective.example_grads: the model must return one row per example, got {z.shape} for x "
                             f"{self.x.shape}")
        top = Tensor(z.data, requires_grad=True)
        u = grad(self.loss(top, self.y), top).data * self.dtype.type(len(z.data))
        penalty = self._penalty()
        penalty = self.flat([] if penalty is None else [g.data for g in grad(penalty, leaves)], penalty is None)
        return ByExample(z, leaves, u, self._alone), penalty

    def _alone(self, i):
        i %= len(self.x.data)
        return self.model(Tensor(self.x.data[i:i + 1]))

    def residuals(self, theta=None):
        """r with J = r . r, for mean_squared_error without a regularizer: (z - y) / sqrt(their number), flattened (the
        difference itself with reduction="sum")."""
        scale = self._residual_scale()
        with self.at(theta), no_grad():
            z = self._output("residuals").data
        return ((z - np.asarray(getattr(self.y, "data", self.y), z.dtype)) * scale(z.size)).ravel()

    def jacobian(self, theta=None, largest=LARGEST):
        """dr/dtheta of `residuals`, (number of outputs, n): gradient of J = 2 jacobian' r. One pass per output of an
        example where `example_grads` needs one in all."""
        scale = self._residual_scale()
        with self._apart(theta) as leaves:
            z = self._output("jacobian")
            m = len(z.data)
            self._fits("jacobian", z.size, self.parameters.n, largest)
            out = np.zeros((m, z.size // m, self.parameters.n), z.dtype)
            for j in range(z.size // m):
                u = np.zeros_like(z.data)
                u.reshape(m, -1)[:, j] = 1
                rows = ByExample(z, leaves, u, self._alone).rows(0, m)
                for part, row in zip(self._free_slices(), rows):
                    out[:, j, part] = row.reshape(m, -1)
        return out.reshape(z.size, -1) * scale(z.size)

    def _residual_scale(self):
        name, options = self._loss()
        reduction = options.get("reduction", "mean")
        if name != "mean_squared_error" or self.regularizer is not None or reduction not in ("mean", "sum"):
            raise ValueError("Objective: residuals and jacobian exist for losses.mean_squared_error (or "
                             f"functools.partial of it) without a regularizer, got {name}"
                             + ("" if self.regularizer is None else " with a regularizer"))
        return lambda count: self.dtype.type(1 if reduction == "sum" else 1 / math.sqrt(count))

    def _loss(self):
        """(name, keyword arguments) of a loss of `losses` or `ops`, looking into functools.partial."""
        loss, options = self.loss, {}
        while isinstance(loss, functools.partial):
            loss, options = loss.func, {**loss.keywords, **options}
        known = getattr(loss, "__module__", "").startswith("minigrad.")
        return (loss.__name__ if known else "a function of your own"), options

    # ---- layers

    def layer_inputs(self, theta=None):
        """The inputs h (rows, n_in) of every layer h w + b whose w and b are slices "<layer>.w", "<layer>.b" of theta
        and not frozen: {layer: h}. A layer that is called several times has the rows of all calls."""
        names = {id(p): name for name, p in self.parameters.named.items()}
        rows = {}

        def note(module, inputs, y):
            own = dict(module.own_parameters())
            if set(own) != {"w", "b"} or own["w"].ndim != 2 or len(inputs) != 1 \
                    or not all(p.requires_grad for p in own.values()):
                return
            stem = names[id(own["w"])].removesuffix("w")
            if names[id(own["b"])] == stem + "b":
                h = inputs[0].data if isinstance(inputs[0], Tensor) else np.asarray(inputs[0])
                rows.setdefault(stem.removesuffix("."), []).append(h.reshape(-1, h.shape[-1]).copy())

        with self.at(theta), no_grad(), observe(note):
            self.model(self.x)
        return {layer: np.concatenate(parts) for layer, parts in rows.items()}

    # ---- the model at a point

    @contextmanager
    def at(self, theta):
        """Inside, the model's parameters are theta."""
        own = self.parameters.theta
        theta = own if theta is None else np.asarray(theta)
        if theta.shape != own.shape:
            raise ValueError(f"Objective: theta must have shape {own.shape}, got {theta.shape}")
        if theta is own or theta.__array_interface__["data"] == own.__array_interface__["data"] \
                and theta.strides == own.strides:      # the very same numbers
            with fixed_statistics(self.model):
                yield
            return
        before = own.copy()
        try:
            own[...] = theta
            with fixed_statistics(self.model):
                yield
        finally:
            own[...] = before                           # not theta any more if the model was laid out anew inside
            self.parameters.theta[...] = before
            self.parameters.changed()

    @contextmanager
    def _apart(self, theta):
        """Inside, the parameters are copies of theta and new leaves, which are handed out (the free ones): a graph that
        is recorded here outlives the block, and no step of the model invalidates it."""
        own = self.parameters.theta
        values = np.array(own if theta is None else theta, self.dtype)
        if values.shape != own.shape:
            raise ValueError(f"Objective: theta must have shape {own.shape}, got {values.shape}")
        before = [(p, p._data, p.node) for p in self.parameters]
        leaves = []
        try:
            for p, part in zip(self.parameters, self.parameters.slices.values()):
                p._data = values[part].reshape(p.shape)
                if p.node is not None:
                    p.node = Leaf(p.slot.name)
                    leaves.append(wrap(p._data, p.node))
            with fixed_statistics(self.model), no_grad(enabled=True):
                yield leaves
        finally:
            for p, data, node in before:
                p._data, p.node = data, node

    def _output(self, name):
        z = self.model(self.x)
        if not isinstance(z, Tensor):
            raise ValueError(f"Objective.{name}: the model must return one Tensor, got {type(z).__name__}")
        return z

    def _penalty(self):
        """The regularizer's value as a Tensor with history, or None."""
        penalty = None if self.regularizer is None else self.regularizer(self.model)
        return penalty if isinstance(penalty, Tensor) and penalty.node is not None else None

    # ---- between vectors and parameters

    @property
    def dtype(self):
        """float32 or float64, that of theta."""
        return self.parameters.dtype

    def free(self):
        """The parameters that are not frozen."""
        return [p for p in self.parameters if p.requires_grad]

    def _free_slices(self):
        return [part for p, part in zip(self.parameters, self.parameters.slices.values()) if p.requires_grad]

    def flat(self, parts, zeros=False):
        """One array per free parameter -> (n,), zeros where frozen (or everywhere)."""
        out = np.zeros(self.parameters.n, self.dtype)
        for part, values in zip(self._free_slices(), () if zeros else parts):
            out[part] = values.ravel()
        return out

    def vector(self, v):
        """v as an array (n,) in theta's dtype."""
        v = np.asarray(v, dtype=self.dtype)
        if v.shape != (self.parameters.n,):
            raise ValueError(f"Objective: v must have shape ({self.parameters.n},), got {v.shape}")
        return v

    def parts(self, v):
        """(n,) -> one array per free parameter."""
        v = self.vector(v)
        return [v[part].reshape(p.shape) for p, part in zip(self.parameters, self.parameters.slices.values())
                if p.requires_grad]


class Linearized:
    """An objective at one theta: any number of products from one recorded graph, all on vectors (n,).

    value: J, a float. z: the model's output, an ndarray. `of`: the `Linearization` on lists of arrays. A product is
    about two gradients; the first of each kind records a graph, about as much again.
    """

    def __init__(self, objective, theta=None):
        self.objective = objective
        with objective._apart(theta) as leaves:
            z = objective._output("linearize")
            J = objective.loss(z, objective.y)
            penalty = objective._penalty()
            loss = functools.partial(_swapped, objective.loss, objective.y)
            self.of = Linearization(leaves, J if penalty is None else J + penalty, z, loss, penalty)
        self.value, self.z = self.of.J.item(), z.data

    def grad(self):
        """The gradient, (n,)."""
        return self.objective.flat(self.of.grad())

    def hvp(self, v):
        """H v."""
        return self.objective.flat(self.of.hvp(self.objective.parts(v)))

    def ggnvp(self, v):
        """G v, see `Objective.ggnvp`."""
        return self.objective.flat(self.of.ggnvp(self.objective.parts(v)))

    def fishervp(self, v):
        """F v, see `Objective.fishervp`."""
        name, options = self.objective._loss()
        if name not in LIKELIHOODS or options.get("weights") is not None:
            raise ValueError("Objective.fishervp: the loss must be a negative log-likelihood "
                             f"({', '.join(LIKELIHOODS)}), got {name}; ggnvp takes any loss")
        vs = self.objective.parts(v)
        return self.objective.flat(self.of.vjp(self.of.loss_hvp(self.of.jvp(vs))))

    def jvp(self, v):
        """(dz/dtheta) v, an array of the shape of z."""
        return self.of.jvp(self.objective.parts(v))

    def vjp(self, u):
        """(dz/dtheta)' u, (n,), for u of the shape of z."""
        return self.objective.flat(self.of.vjp(u))


def _swapped(loss, y, z):
    return loss(z, y)
