# %% [markdown]
# # 8.3 Basic algorithms: stochastic gradient descent, momentum, Nesterov
#
# Three lines of algorithm each; what sets them apart is seen in a canyon, and what they have in common on a noisy
# gradient: the learning rate must fall, or they never arrive.

# %%
import numpy as np

from minigrad import optim
from minigrad.figures.page import Page
from minigrad.optim import schedules
from minigrad.testing import problems

page = Page("8.3 Basic algorithms")

# %% [markdown]
# ## 8.3.2 Momentum in a canyon
#
# Figure 8.5 of the book is `python -m minigrad figures 8.5`; here is its quadratic with condition 50, 40 steps each.

# %%
canyon = problems.quadratic(n=2, condition=50.0, rng=3)
start = np.array([-3.0, 2.0])
methods = {
    "gradient descent": optim.SGD(start.copy(), lr=0.03),
    "momentum": optim.Momentum(start.copy(), lr=0.02, momentum=0.8),
    "Nesterov": optim.Nesterov(start.copy(), lr=0.02, momentum=0.8),
}
results = {name: optim.minimize(opt, canyon, steps=40, path=True) for name, opt in methods.items()}


def canyons(figure):
    for axes, (name, result) in zip(figure.subplots(1, 3, sharex=True, sharey=True), results.items()):
        low, high = np.min([r.path.min(axis=0) for r in results.values()], axis=0) - 0.3, \
            np.max([r.path.max(axis=0) for r in results.values()], axis=0) + 0.3
        a, b = np.linspace(low[0], high[0], 90), np.linspace(low[1], high[1], 90)
        values = np.array([[canyon.value(np.array([u, v])) for u in a] for v in b])
        axes.contour(a, b, np.log(values - canyon.lowest + 1e-3), 15, colors="lightgrey", linewidths=1)
        axes.plot(*result.path.T, "o-", markersize=3)
        axes.plot(*start, "k*", markersize=11)
        axes.set(title=f"{name}: J = {result.value - canyon.lowest:.2g}", xlabel="theta 1")
    figure.axes[0].set_ylabel("theta 2")
    figure.suptitle("40 steps in a canyon; the star is the start")


page.draw("8_3_canyon", canyons, size=(11, 3.8));

# %% [markdown]
# ## 8.3.1 A noisy gradient wants a falling rate
#
# J = theta^2 / 2 and a gradient with normal noise of deviation 1. A constant rate comes close quickly and then stays at
# a distance; a rate that falls as 1/k goes on. A schedule goes wherever a number goes. Means over 200 runs: 200
# parameters, of which each has a gradient of its own.

# %%
steps = 50 if page.quick else 5000
for name, lr in (("0.1", 0.1), ("0.01", 0.01), ("1 / (1 + k/10)", schedules.Inverse(1.0, 10))):
    rng = np.random.default_rng(0)
    theta = np.full(200, 5.0)
    opt = optim.SGD(theta, lr=lr)
    for _ in range(steps):
        opt.step(g=theta + rng.standard_normal(200))
    print(f"lr {name:15} mean of theta^2 after {steps} steps: {np.mean(theta**2):.4f}")

# %% [markdown]
# **Try.** Momentum 0.95 in the canyon. `training.rate_test(...)` to find the first rate; `schedules.Cosine` in place of
# `Linear`.
