# %% [markdown]
# # 8.2 Challenges in neural network optimization
#
# Ill-conditioning, plateaus, saddle points, cliffs: each has a look that figures tell apart. `doctor` takes them at one
# point and says which it is.

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim
from minigrad.diagnostics import doctor, hessian_spectrum
from minigrad.figures.page import Page
from minigrad.testing import problems

page = Page("8.2 Challenges in neural network optimization")

# %% [markdown]
# ## 8.2.1 Ill-conditioning
#
# A bowl whose Hessian has eigenvalues from 1 to 1000: the steep direction bounds the rate, the flat one then takes a
# thousand steps. The doctor's table has both.

# %%
bowl = problems.quadratic(n=10, condition=1000.0)
doctor(bowl, bowl.start)

# %% [markdown]
# Gradient descent at the largest rate that does not diverge, beside one Newton step:

# %%
descent = optim.minimize(optim.SGD(bowl.start.copy(), lr=1 / 1000), bowl, steps=200)
newton = optim.minimize(optim.Newton(bowl.start.copy()), bowl, steps=1)
print(f"J at the start {bowl.value(bowl.start):.3g}, after 200 gradient steps {descent.value:.3g}, "
      f"after 1 Newton step {newton.value:.3g}")

# %% [markdown]
# ## 8.2.3 Saddle points
#
# At a saddle the gradient is zero and the Hessian has eigenvalues of both signs. Newton's method goes to it; gradient
# descent leaves it, slowly at first. Both start at the same point here.

# %%
saddle = problems.saddle2()
start = np.array([1.0, 0.1])


def ways(figure):
    axes = figure.subplots()
    u = np.linspace(-1.3, 1.3, 81)
    values = [[saddle.value(np.array([a, b])) for a in u] for b in u]
    axes.contour(u, u, values, 21, colors="lightgrey", linewidths=1)
    for name, opt, steps, mark in (("gradient descent", optim.SGD(start.copy(), lr=0.1), 60, "o-"),
                                   ("Newton", optim.Newton(start.copy()), 3, "s--")):
        path = optim.minimize(opt, saddle, steps=steps, path=True).path
        inside = np.abs(path).max(axis=1) < 1.3
        axes.plot(*path[inside].T, mark, markersize=4, label=name)
    axes.plot(*start, "k*", markersize=11, label="start")
    axes.set(xlabel="theta 1", ylabel="theta 2", title="One saddle, two methods", aspect="equal")
    axes.legend()


page.draw("8_2_saddle", ways, size=(5.5, 5));

# %%
doctor(saddle, np.array([1e-4, 1e-4]))

# %% [markdown]
# ## A net's own Hessian
#
# Not a picture from a book: the spectrum of a small net on MNIST-1D, at its start and after some training. Negative
# eigenvalues are many at first, and small; a few large positive ones stand out, about as many as classes.

# %%
(x, y), _ = data.mnist1d(0, m=500)
model = nn.Sequential(nn.Linear(40, 6, rng=1), nn.Tanh(), nn.Linear(6, 10, rng=2))
J = Objective(model, losses.cross_entropy, x, y)
print("at the start      ", hessian_spectrum(J, rng=0))
optim.minimize(optim.LBFGS(model.parameters()), J, steps=5 if page.quick else 60)
print("after 60 of L-BFGS", hessian_spectrum(J, rng=0))

# %% [markdown]
# ## 8.2.4 Cliffs
#
# A recurrent computation multiplies by the same number many times: J is flat, and then it is not. A step from the foot
# of the cliff throws theta far away, one with a clipped gradient does not.

# %%
cliff = problems.cliff()
foot = np.array([1.2, -0.06])
for name, most in (("plain", np.inf), ("clipped to norm 1", 1.0)):
    theta = foot.copy()
    for _ in range(20):
        g = cliff.grad(theta)
        theta = theta - 0.05 * g * min(1.0, most / np.linalg.norm(g))
    print(f"{name:18} J = {cliff.value(theta):.4f}, {np.linalg.norm(theta - foot):.2f} from where it began")

# %% [markdown]
# **Try.** `problems.monkey_saddle()`: what does the doctor call it? `problems.cliff(steps=100)`: how small must a
# rate be that needs no clipping?
