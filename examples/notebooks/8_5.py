# %% [markdown]
# # 8.5 Algorithms with adaptive learning rates
#
# AdaGrad, RMSProp and Adam give every parameter a rate of its own, from the size of its gradients so far. What a step
# is made of, then a race; and a box of your own, checked against the book's.

# %%
import numpy as np

from minigrad import data, losses, nn, optim, training
from minigrad.figures.page import Page
from minigrad.testing import boxes, check_optimizer, problems

page = Page("8.5 Algorithms with adaptive learning rates")

# %% [markdown]
# ## What a step is made of
#
# Two parameters, gradients of 100 and of 0.01, always the same. Gradient descent's steps differ by 10,000; an adaptive
# method's are equal, and of the size of `lr`: its units are those of theta. AdaGrad's fall as 1 / sqrt(t).

# %%
g = np.array([100.0, 0.01])
for make in (lambda t: optim.SGD(t, lr=0.1), lambda t: optim.AdaGrad(t, lr=0.1), lambda t: optim.RMSProp(t, lr=0.1),
             lambda t: optim.Adam(t, lr=0.1)):
    theta = np.zeros(2)
    opt = make(theta)
    steps = []
    for _ in range(100):
        before = theta.copy()
        opt.step(g=g)
        steps.append(before - theta)
    print(f"{type(opt).__name__:8} step 1: {steps[0][0]:8.3g} {steps[0][1]:8.3g}    step 100: "
          f"{steps[-1][0]:8.3g} {steps[-1][1]:8.3g}")

# %% [markdown]
# ## The same race for all
#
# Rosenbrock's valley: steep walls, a flat floor that bends. 300 steps each, every method at the best of eleven rates.

# %%
valley = problems.rosenbrock()
methods = {"SGD": optim.SGD, "Momentum": optim.Momentum, "AdaGrad": optim.AdaGrad, "RMSProp": optim.RMSProp,
           "Adam": optim.Adam}
steps = 60 if page.quick else 300
best = {}
for name, method in methods.items():
    tried = {}
    for lr in 10.0 ** np.arange(-4, 1.5, 0.5):
        options = {"momentum": 0.9} if name == "Momentum" else {}
        tried[lr] = optim.minimize(method(valley.start.copy(), lr=lr, **options), valley, steps=steps, path=True)
    lr = min(tried, key=lambda lr: np.nan_to_num(tried[lr].value, nan=np.inf))
    best[name] = lr, tried[lr]
    print(f"{name:8}  best rate {lr:7.2g}   J = {tried[lr].value:.2e}")


def race(figure):
    left, right = figure.subplots(1, 2)
    a, b = np.linspace(-1.8, 1.5, 90), np.linspace(-0.7, 1.7, 90)
    left.contour(a, b, np.log10([[valley.value(np.array([u, v])) + 1e-3 for u in a] for v in b]), 15,
                 colors="lightgrey", linewidths=1)
    for name, (lr, result) in best.items():
        left.plot(*result.path.T, linewidth=1.2)
        right.semilogy(result.values, label=f"{name}, lr {lr:.2g}")
    left.plot(*valley.start, "k*", markersize=11)
    left.plot(1, 1, "kx", markersize=8)
    left.set(xlabel="theta 1", ylabel="theta 2", title="from the star to the cross", xlim=(-1.8, 1.5), ylim=(-0.7, 1.7))
    right.set(xlabel="step", ylabel="J", title="each at its best rate", ylim=(1e-6, 1e3))
    right.legend(fontsize=8)


page.draw("8_5_race", race, size=(11, 4.2));

# %% [markdown]
# ## A box of your own
#
# A method is its box: a line for each piece of state, and one pass of the loop. `check_optimizer` runs it beside the
# book's and names the symbol that differs first. Here is RMSProp with a mistake: read what it says, and repair it.

# %%
from minigrad.optim import Array, Hyper, hyper, state


class RMSProp(optim.FirstOrder):
    """RMSProp (algorithm 8.5), as a student wrote it."""
    lr: Hyper
    rho: Hyper = hyper(0.9)
    delta: Hyper = hyper(1e-6)
    r: Array = state()

    def update(self, g):
        self.r = self.rho * self.r + (1 - self.rho) * g * g
        self.theta = self.theta - self.lr * g / (self.delta + np.sqrt(self.r))


try:
    check_optimizer(RMSProp, boxes.rmsprop)
except AssertionError as difference:
    print(difference)

# %% [markdown]
# (In 8.5 delta stands inside the root.)
#
# ## On a net
#
# Where the parameters' gradients are of one size already, as in a small net on MNIST-1D, the methods lie
# closer together.

# %%
(x, y), (x_test, y_test) = data.mnist1d(0)
for name, make in (("Momentum", lambda p: optim.Momentum(p, lr=0.05, momentum=0.9)),
                   ("AdaGrad", lambda p: optim.AdaGrad(p, lr=0.03)), ("RMSProp", lambda p: optim.RMSProp(p, lr=0.002)),
                   ("Adam", lambda p: optim.Adam(p, lr=0.005))):
    model = nn.Sequential(nn.Linear(40, 100, rng=1), nn.ReLU(), nn.Linear(100, 10, rng=2))
    training.fit(model, losses.cross_entropy, make(model.parameters()),
                 data.batches(x, y, batch_size=100, rng=0), epochs=2 if page.quick else 15, progress=False)
    found = training.evaluate(model, losses.cross_entropy, x_test, y_test)
    print(f"{name:8}  test loss {found.loss:.3f}, error {100 * found.error:.1f} %")

# %% [markdown]
# **Try.** `optim.AMSGrad`, `optim.Lion`, `optim.Muon` (after the book) in the last cell.
