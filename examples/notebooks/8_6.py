# %% [markdown]
# # 8.6 Approximate second-order methods
#
# They ask J for more than one gradient: values along a line, products of the Hessian with a vector. In return a step
# knows how far to go. All of them take the same `Objective`.

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim
from minigrad.figures.page import Page
from minigrad.testing import problems

page = Page("8.6 Approximate second-order methods")

# %% [markdown]
# ## 8.6.1 Newton's method
#
# On a quadratic one step is the whole way. On any other function it doubles the number of right digits, once near.

# %%
valley = problems.rosenbrock()
result = optim.minimize(optim.Newton(np.array([1.2, 1.2])), valley, steps=6)
for k, value in enumerate(result.grad_norms):
    print(f"step {k}   |g| = {value:.1e}")

# %% [markdown]
# ## 8.6.2 Conjugate directions
#
# Steepest descent with an exact line search turns by 90 degrees at each step and undoes part of what it did; conjugate
# gradients need n steps on a quadratic with n parameters.

# %%
canyon = problems.quadratic(n=2, condition=10.0, rng=1)
values, directions = np.linalg.eigh(canyon.H)
start = canyon.minima[0] + directions @ (3 / values)              # where steepest descent turns the most
descent = [start]
for _ in range(12):
    g = canyon.grad(descent[-1])
    descent.append(descent[-1] - (g @ g) / (g @ canyon.hvp(descent[-1], g)) * g)
conjugate = optim.minimize(optim.ConjugateGradient(start.copy()), canyon, steps=2, path=True).path


def zigzag(figure):
    axes = figure.subplots()
    points = np.concatenate([descent, conjugate])
    low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    a, b = np.linspace(low[0], high[0], 90), np.linspace(low[1], high[1], 90)
    values = np.array([[canyon.value(np.array([u, v])) for u in a] for v in b]) - canyon.lowest
    axes.contour(a, b, np.sqrt(np.maximum(values, 0)), 15, colors="lightgrey", linewidths=1)
    axes.plot(*np.transpose(descent), "o-", markersize=4, label="steepest descent, 12 steps")
    axes.plot(*conjugate.T, "s--", markersize=5, label="conjugate gradients, 2 steps")
    axes.plot(*start, "k*", markersize=11, label="start")
    axes.set(xlabel="theta 1", ylabel="theta 2", title="One line search after another", aspect="equal")
    axes.legend()


page.draw("8_6_zigzag", zigzag, size=(7, 4.5));

# %% [markdown]
# ## On a net, with all examples at once
#
# 2,000 digits of MNIST-1D, a net of 1,700 parameters, no minibatches. Count evaluations: one of J and its gradient
# costs the same for all; products with the Hessian cost about twice that.

# %%
(x, y), (x_test, y_test) = data.mnist1d(0, m=500 if page.quick else 2000)
budget = 15 if page.quick else 60


def net():
    return nn.Sequential(nn.Linear(40, 32, rng=1), nn.Tanh(), nn.Linear(32, 10, rng=2))


made = {"Adam, lr 0.01": lambda p: optim.Adam(p, lr=0.01), "conjugate gradients": optim.ConjugateGradient,
        "L-BFGS": optim.LBFGS, "Newton-CG": optim.NewtonCG}
results = {}
for name, make in made.items():
    model = net()
    J = Objective(model, losses.cross_entropy, x, y)
    results[name] = optim.minimize(make(model.parameters()), J, steps=budget)
    print(f"{name:20} J = {results[name].value:.4f} after {results[name].steps} steps, "
          f"{results[name].evaluations} evaluations, {results[name].products} products")

# %%
results["L-BFGS"]


# %%
def curves(figure):
    axes = figure.subplots()
    for (name, result), style in zip(results.items(), ("-", "--", "-.", ":")):
        axes.semilogy(result.values, style, label=name)
    axes.set(xlabel="step (their costs differ: see the numbers)", ylabel="J", title="All examples at once")
    axes.legend()


page.draw("8_6_curves", curves, size=(7, 4));

# %% [markdown]
# **Try.** Batches of 100 in place of all examples for L-BFGS: why does it fail (8.1.3)? `optim.HessianFree`.
