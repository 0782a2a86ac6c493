# %% [markdown]
# # Figure 8.3: a cliff, and gradient clipping
#
#     python examples/figures/fig_8_03_cliff.py [--quick] [--out DIR]
#
# **What it shows.** The cost of a recurrent net of one unit, y_t = tanh(w y_{t-1} + b), trained to end at 0.7 after
# 100 steps (Pascanu et al. 2013). The product of a hundred equal factors makes a wall in (w, b). Gradient descent that
# comes to the wall meets a gradient hundreds of times larger than the median one, and is thrown over the valley onto
# a plateau, where it stays: what it had learned is lost. With the norm of the gradient clipped (8.2.4) it takes a step
# of ordinary length in the same direction, and goes on to the minimum.
#
# **What to look at.** The printed largest gradient norm on the way, against the median one; where each path ends; the
# longest step. Clipping by value does the same here, but turns the direction.
#
# **Try.** LIMIT = 20 and 0.1. A smaller learning rate without clipping: how small must it be before nothing is thrown,
# and how long does the flat part then take? problems.cliff(10): where has the wall gone?

# %%
import argparse
from pathlib import Path

import numpy as np

from minigrad import optim
from minigrad.testing import problems

LIMIT, LR, START = 2.0, 0.05, np.array([1.5, -0.6])


# %% [markdown]
# Clipping belongs between the gradient and the step, so it is an objective around the objective.

# %%
class Clipped:
    """J whose gradient is clipped before anybody sees it."""

    def __init__(self, J, clip):
        self.J, self.clip, self.norms = J, clip, []

    def value(self, theta):
        return self.J.value(theta)

    def grad(self, theta):
        g = np.array(self.J.grad(theta))
        self.norms.append(self.clip(g, LIMIT) if self.clip else float(np.linalg.norm(g)))
        return g


def descend(clip, steps):
    """Gradient descent on the cliff with one way of clipping: the path, and |g| before clipping at each step."""
    J = Clipped(problems.cliff(100), clip)
    return optim.minimize(optim.SGD(START.copy(), lr=LR), J, steps, path=True), J.norms


def draw(found, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    J = problems.cliff(100)
    figure, panels = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    w, b = np.linspace(0.2, 2.0, 220), np.linspace(-1.0, 3.6, 220)
    heights = np.array([[J.value(np.array([x, y])) for x in w] for y in b])
    for panel, names in zip(panels, (["not clipped"], ["norm clipped", "values clipped"])):
        shown = panel.pcolormesh(w, b, np.maximum(heights, 1e-4), norm=LogNorm(1e-4, 3), cmap="Greys", shading="auto")
        for name, color in zip(names, ("tab:red", "tab:blue")):
            route = found[name][0].path
            panel.plot(*route.T, "o-", markersize=3, linewidth=1, color=color, label=name)
            panel.plot(*route[0], "k^")
        panel.set(xlim=(w[0], w[-1]), ylim=(b[0], b[-1]), xlabel="w", ylabel="b")
        panel.legend(loc="lower left")
    figure.colorbar(shown, ax=panels, label="J")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description="Figure 8.3, a cliff with and without gradient clipping")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    steps = 60 if arguments.quick else 400
    ways = {"not clipped": None, "norm clipped": optim.clip_grad_norm, "values clipped": optim.clip_grad_value}
    found = {name: descend(clip, steps) for name, clip in ways.items()}
    print(f"gradient descent, lr {LR}, at most {steps} steps, limit {LIMIT}")
    for name, (result, norms) in found.items():
        longest = np.linalg.norm(np.diff(result.path, axis=0), axis=1).max()
        print(f"{name:15} |g|: median {np.median(norms):8.2g}, largest {max(norms):8.2g}; longest step {longest:8.3f}; "
              f"ends at ({result.theta[0]:7.2f}, {result.theta[1]:7.2f}) with J = {result.value:.2g}")
    path = arguments.out / "fig_8_03_cliff.png"
    draw(found, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
