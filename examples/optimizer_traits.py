# %% [markdown]
# # What the steps of an optimizer are made of
#
#     python examples/optimizer_traits.py [--quick] [--out DIR]
#
# **What it shows.** Five points of the optimizer slides, each small enough to be computed by hand.
#
# Units: if a parameter is measured in millimetres instead of metres, theta becomes c theta and g becomes g/c. A step
# with the right units becomes c times as long. SGD's is of the units of 1/theta and becomes 1/c times as long; Adam's,
# AdaGrad's and RMSProp's have none and do not change; Newton's is right. So is AdaDelta's, in principle: its steps grow
# out of sqrt(delta), and only if somebody gives delta in the units of theta^2 are they right, too.
#
# An outlier: one gradient, a hundred times as large and uphill, in a walk down a slope. Momentum softens the blow, and
# remembers it: in the end it is thrown as far as SGD of the same terminal velocity. Rprop's counter-example: nine
# gradients of 0.1 and one of -0.9 sum to nothing, SGD ends where it began, and the methods that see only signs do not.
# AdaDelta's start: its first step is sqrt(delta/(1 - rho)) long, whatever the gradient: it begins by crawling. And
# delta-bar-delta, with a rate for every parameter of a long valley, on full batches.
#
# **What to look at.** The power of c in the first table: 1 is right. In the second: how far one outlier throws a method
# from where it would be, one step later and in the end. DeltaBarDelta against SGD, both with the best of the same
# rates.
#
# **Try.** optim.RMSProp on the counter-example: where is it after ten gradients? rho = 0.999 for AdaDelta; delta =
# 1e-2.

# %%
import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page

STEPS = 20


# %%
class Scaled:
    """J = sum of log cosh(theta/c) over the parameters, theta given in units 1/c of the usual ones."""

    def __init__(self, c):
        self.c = c

    def value(self, theta):
        return np.log(np.cosh(theta / self.c)).sum()

    def grad(self, theta):
        return np.tanh(theta / self.c) / self.c

    def hessian(self, theta):
        return np.diag(1 / np.cosh(theta / self.c) ** 2 / self.c**2)


UNITS = {
    "SGD": lambda theta, c: optim.SGD(theta, lr=1e-3),
    "momentum": lambda theta, c: optim.Momentum(theta, lr=1e-3),
    "AdaGrad": lambda theta, c: optim.AdaGrad(theta, lr=1e-3, delta=1e-30),
    "RMSProp": lambda theta, c: optim.RMSProp(theta, lr=1e-3, delta=1e-30),
    "Adam": lambda theta, c: optim.Adam(theta, lr=1e-3, delta=1e-30),
    "AdaDelta": lambda theta, c: optim.AdaDelta(theta, delta=1e-10),
    "AdaDelta, delta c^2": lambda theta, c: optim.AdaDelta(theta, delta=1e-10 * c**2),
    "Newton": lambda theta, c: optim.Newton(theta, search="full"),
}


def length_of_steps(make, c):
    """|theta_20 - theta_0| of 20 steps from theta = 0.5 c; of one for Newton's method, which is then nearly there."""
    theta = np.array([0.5 * c])
    optim.minimize(make(theta, c), Scaled(c), 1 if make is UNITS["Newton"] else STEPS)
    return abs(theta[0] - 0.5 * c)


def power_of_units(make, c=10.0):
    """p, if the steps grow like c^p: 1 is what the units of theta ask for."""
    return np.log(length_of_steps(make, c) / length_of_steps(make, 1.0)) / np.log(c)


# %%
class Given:
    """Gradients from a list, one for each step, wherever theta is."""

    def __init__(self, gradients):
        self.gradients = iter(np.atleast_2d(np.asarray(gradients, float)).T)

    def value(self, theta):
        return 0.0

    def grad(self, theta):
        return next(self.gradients).copy()


def walk(make, gradients):
    """theta before every step and at the end, from 0."""
    theta = np.zeros(1)
    opt, J, places = make(theta), Given(gradients), [0.0]
    for _ in gradients:
        opt.step(J)
        places.append(float(theta[0]))
    return np.array(places)


OUTLIER = np.where(np.arange(80) == 30, -100.0, 1.0)
WALKERS = {
    "SGD": lambda theta: optim.SGD(theta, lr=0.01),
    "momentum 0.9": lambda theta: optim.Momentum(theta, lr=0.001, momentum=0.9),
    "Adam": lambda theta: optim.Adam(theta, lr=0.01),
}
TEN = np.array([0.1] * 9 + [-0.9])
COUNTER = {
    "SGD, rate 0.1": lambda theta: optim.SGD(theta, lr=0.1),
    "Manhattan rule": lambda theta: optim.RpropMinus(theta, lr=0.01, up=1, down=1),
    "Rprop": lambda theta: optim.Rprop(theta, lr=0.01),
}


# %%
class Valley:
    """J = sum of l theta^2/2."""
    l = np.geomspace(0.01, 1, 8)

    def value(self, theta):
        return self.l @ theta**2 / 2

    def grad(self, theta):
        return self.l * theta


def valley(method, steps, **options):
    """J before every step, from theta = 1."""
    return optim.minimize(method(np.ones(8), **options), Valley(), steps).values


def picture(figure, thrown, counter, starts, descents):
    panels = figure.subplots(2, 2).ravel()
    for (name, (clean, hit)), color in zip(thrown.items(), COLORS):
        panels[0].plot(hit - clean, color=color, label=name)
    panels[0].set(xlabel="step", ylabel=r"$\theta$ with the outlier - without it", title="one outlier at step 30")
    panels[0].legend(loc="upper left")
    for (name, places), color, marker in zip(counter.items(), COLORS, "os^"):
        panels[1].plot(places, color=color, marker=marker, markersize=4, label=name)
    panels[1].axhline(0, color="0.7", linewidth=0.8, zorder=0)
    panels[1].set(xlabel="step", ylabel=r"$\theta$", title="nine gradients of 0.1, one of -0.9")
    panels[1].legend(loc="lower left")
    for (delta, steps), color in zip(starts.items(), COLORS):
        panels[2].loglog(np.arange(1, len(steps) + 1), steps, color=color, label=f"AdaDelta, delta = {delta:g}")
        panels[2].axhline(np.sqrt(10 * delta), color=color, linestyle=":", linewidth=0.9)
    panels[2].set(xlabel="step", ylabel="length of the step",
                  title=r"constant gradient (dotted: $\sqrt{\delta/(1-\rho)}$)")
    panels[2].legend(loc="upper left")
    for (name, values), color in zip(descents.items(), COLORS):
        panels[3].semilogy(values, color=color, label=name)
    panels[3].set(xlabel="step", ylabel="J", title="a valley of condition 100, full batch", ylim=(1e-15, None))
    panels[3].legend(loc="lower left")


def main(argv=None):
    page = Page("What the steps of an optimizer are made of", argv)
    print("units: steps grow like c^p when theta is measured in units 1/c; right is p = 1")
    for name, make in UNITS.items():
        print(f"  {name:22} p = {power_of_units(make):+.3f}")
    thrown = {name: (walk(make, np.ones(80)), walk(make, OUTLIER)) for name, make in WALKERS.items()}
    print("outlier: theta with it minus theta without, one step later and after 50 steps")
    for name, (clean, hit) in thrown.items():
        apart = hit - clean
        print(f"  {name:13} {apart[31]:8.3f} {apart[-1]:8.3f}")
    counter = {name: walk(make, TEN) for name, make in COUNTER.items()}
    print("nine gradients of 0.1, one of -0.9; from the start to the end: "
          + "; ".join(f"{name} {abs(places[-1]):.4f}" for name, places in counter.items()))
    count = 300 if page.quick else 3000
    starts = {delta: abs(np.diff(walk(lambda theta, delta=delta: optim.AdaDelta(theta, delta=delta), np.ones(count))))
              for delta in (1e-8, 1e-6, 1e-4)}
    print("AdaDelta, gradient 1: " + "; ".join(f"delta {delta:g}: first step {steps[0]:.2g}, step {count}: "
                                              f"{steps[-1]:.2g}" for delta, steps in starts.items()))
    grid, steps = (0.1, 0.3, 1.0, 1.5, 1.9), 200
    runs = {"SGD": [valley(optim.SGD, steps, lr=lr) for lr in grid],
            "delta-bar-delta": [valley(optim.DeltaBarDelta, steps, lr=lr, kappa=0.05) for lr in grid]}
    descents = {}
    for name, tried in runs.items():
        best = int(np.argmin([values[-1] for values in tried]))
        descents[f"{name}, lr = {grid[best]:g}"] = tried[best]
        print(f"valley, {steps} steps: {name:16} best rate {grid[best]:g}, J = {tried[best][-1]:.2g}")
    page.draw("optimizer_traits", picture, thrown, counter, starts, descents, size=(12, 8))


if __name__ == "__main__":
    main()
