# %% [markdown]
# # Small nets have bad minima, larger ones are easier
#
#     python examples/larger_nets.py [--quick] [--out DIR]
#
# **What it shows.** Small networks can have local minima of high cost (8.2.2), even one without hidden units: a
# single sigmoid unit, squared error and two kinds of examples, whose cost over its one weight has two valleys (in the
# spirit of Sontag and Sussmann, Brady and others, whom the section cites). And finding the solution in a net of a
# given size may be intractable, while a larger one finds it easily (8.2.8): nets of relus of ever more units learn
# exclusive or, and the outputs of a teacher with 3 units, by L-BFGS from many starts. Whether a start ends at zero
# cost is counted.
#
# **What to look at.** The two valleys, and where gradient descent goes from each start. Then the fraction of starts
# that reach zero cost, by width: 2 units can represent exclusive or, but only 34 of 100 starts find out; with 4 it is
# 82, from 8 on all. Parity of three bits: 10 of 100 with 3 units, 43 with 4, all from 12 on. The last panel shows
# where the others end: at half the cost of a constant, or at all of it.
#
# **Try.** nn.Tanh in place of nn.ReLU. SGD in place of L-BFGS: does noise help the small nets? m=1000 for the
# teacher.

# %%
from itertools import product

import numpy as np

from minigrad import Objective, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page

SOLVED = 1e-4
WIDTHS = {"exclusive or": (2, 3, 4, 6, 8, 12, 16, 24), "parity of 3": (3, 4, 6, 8, 12, 16, 24, 32)}


# %% [markdown]
# One unit y = sigmoid(10 w x), one example with a large x that wants y = 1, two with a small x that want y = 0.1.

# %%
X = np.array([1.0, 0.1, 0.1])
Y = np.array([1.0, 0.1, 0.1])


class OneUnit:
    """The mean squared error of one sigmoid unit, a function of its one weight."""

    def value(self, w):
        return float(np.mean((1 / (1 + np.exp(-10 * w[0] * X)) - Y) ** 2))

    def grad(self, w):
        y = 1 / (1 + np.exp(-10 * w[0] * X))
        return np.array([np.mean(2 * (y - Y) * y * (1 - y) * 10 * X)])


def ends(starts, steps=20000, lr=0.5):
    """Where gradient descent ends from each start."""
    found = []
    for start in starts:
        w = np.array([start])
        optim.minimize(optim.SGD(w, lr=lr), OneUnit(), steps, tolerance=1e-12)
        found.append(w[0])
    return np.array(found)


# %%
def task(name):
    """The corners of a square or a cube, x (4, 2) or (8, 3), and whether the number of ones is odd, y (m, 1)."""
    n = 2 if name == "exclusive or" else 3
    x = np.array(list(product((-0.5, 0.5), repeat=n)))
    return x, ((x > 0).sum(axis=1, keepdims=True) % 2).astype(float)


def network(inputs, width, seed):
    """inputs-width-1, relus, biases drawn too."""
    rng = np.random.default_rng(seed)

    def biases(shape, rng=rng, dtype=np.float64):
        return rng.standard_normal(shape).astype(dtype) * 0.5

    return nn.Sequential(nn.Linear(inputs, width, weights=init.he_normal, biases=biases, rng=rng, dtype=np.float64),
                         nn.ReLU(), nn.Linear(width, 1, weights=init.fan_in_uniform, rng=rng, dtype=np.float64))


def costs(name, width, starts, steps=300):
    """The cost over that of the best constant, at the end of L-BFGS from each of so many starts."""
    x, y = task(name)
    found = []
    for seed in range(starts):
        model = network(x.shape[1], width, 100 + seed)
        J = Objective(model, losses.mean_squared_error, x, y)
        found.append(optim.minimize(optim.LBFGS(J.parameters), J, steps, tolerance=1e-9, path=False).value)
    return np.array(found) / y.var()


# %%
def picture(figure, starts, arrived, found):
    valleys, fraction, high = figure.subplots(1, 3)
    w = np.linspace(-1.6, 1.6, 400)
    J = OneUnit()
    valleys.plot(w, [J.value(np.array([one])) for one in w], color="0.5")
    bottoms = np.round(arrived, 3)
    for bottom, color in zip(np.unique(bottoms), COLORS):
        group = starts[bottoms == bottom]
        valleys.plot(group, [J.value(np.array([one])) for one in group], "o", color=color, markersize=5,
                     label=f"starts that end at w = {bottom:.2f}")
        valleys.plot(bottom, J.value(np.array([bottom])), "*", color=color, markersize=14, markeredgecolor="black")
    valleys.set(xlabel="w", ylabel="J", title="one sigmoid unit, no hidden ones")
    valleys.legend()
    for (name, by_width), color, marker in zip(found.items(), COLORS, "os"):
        n = [len(values) for values in by_width.values()][0]
        p = np.array([np.mean(values < SOLVED) for values in by_width.values()])
        fraction.errorbar(list(by_width), p, np.sqrt(p * (1 - p) / n), fmt=marker + "-", color=color, capsize=3,
                          label=name)
        for i, (width, values) in enumerate(by_width.items()):
            x = width * np.exp(np.random.default_rng(i).uniform(-0.06, 0.06, len(values)))
            high.loglog(x, np.maximum(values, 1e-12), marker, color=color, markersize=3, alpha=0.5,
                        label=name if i == 0 else None)
    fraction.set(xscale="log", xlabel="hidden units", ylabel="starts that end at zero cost (bar: standard error)",
                 title="larger is easier", ylim=(-0.03, 1.05))
    high.axhline(SOLVED, color="0.6", linestyle=":", linewidth=1)
    high.set(xlabel="hidden units", ylabel="J over that of a constant (floor 1e-12)", title="where all starts end")
    for panel in (fraction, high):
        panel.set_xticks([2, 4, 8, 16, 32], ["2", "4", "8", "16", "32"])
        panel.minorticks_off()
        panel.legend(loc="lower right" if panel is fraction else "lower left")


def main(argv=None):
    page = Page("Small nets have bad minima, larger ones are easier", argv)
    starts = np.linspace(-1.5, 1.5, 7 if page.quick else 25)
    arrived, J = ends(starts, 500 if page.quick else 20000), OneUnit()
    for bottom in np.unique(np.round(arrived, 3)):
        print(f"one sigmoid unit: {np.sum(np.round(arrived, 3) == bottom)} of {len(starts)} starts end at "
              f"w = {bottom:.3f}, J = {J.value(np.array([bottom])):.4f}")
    tries = 10 if page.quick else 100
    found = {name: {width: costs(name, width, tries, 40 if page.quick else 300)
                    for width in (widths[:3] if page.quick else widths)} for name, widths in WIDTHS.items()}
    for name, by_width in found.items():
        print(f"{name}: of {tries} starts, at zero cost by width: "
              + ", ".join(f"{width}: {np.sum(values < SOLVED)}" for width, values in by_width.items()))
        worst = next(iter(by_width.values()))
        print(f"  the smallest net's median cost: {np.median(worst):.3f} of a constant's")
    page.draw("larger_nets", picture, starts, arrived, found, size=(14, 4.4))


if __name__ == "__main__":
    main()
