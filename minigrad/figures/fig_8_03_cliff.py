# %% [markdown]
# # Figure 8.3: a cliff, and gradient clipping
#
#     python -m minigrad figures 8.3 [--quick] [--out DIR]
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
from typing import Any

import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page
from minigrad.testing import problems

LIMIT, LR, START = 2.0, 0.05, np.array([1.5, -0.6])


# %% [markdown]
# Clipping belongs between the gradient and the step, so it is an objective around the objective.

# %%
class Clipped:
    """J whose gradient is clipped before anybody sees it."""

    def __init__(self, J: Any, clip: Any) -> None:
        self.J, self.clip, self.norms = J, clip, []

    def value(self, theta: np.ndarray) -> float:
        return self.J.value(theta)

    def grad(self, theta: np.ndarray) -> np.ndarray:
        g = np.array(self.J.grad(theta))
        self.norms.append(self.clip(g, LIMIT) if self.clip else float(np.linalg.norm(g)))
        return g


def descend(clip: Any, steps: int) -> Any:
    """Gradient descent on the cliff with one way of clipping: the path, and |g| before clipping at each step."""
    J = Clipped(problems.cliff(100), clip)
    return optim.minimize(optim.SGD(START.copy(), lr=LR), J, steps, path=True), J.norms


def picture(figure: Any, found: Any) -> None:
    from matplotlib.colors import LogNorm

    J = problems.cliff(100)
    surface = figure.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
    plane = figure.add_subplot(1, 2, 2)
    w, b = np.linspace(0.6, 1.8, 180), np.linspace(-0.8, 0.8, 180)
    heights = np.array([[J.value(np.array([x, y])) for x in w] for y in b])
    surface.plot_surface(*np.meshgrid(w, b), heights, cmap="viridis", rstride=3, cstride=3, linewidth=0.1,
                         edgecolor="0.4", alpha=0.9)
    route = found["not clipped"][0].path
    route = route[:1 + int(np.argmax(np.abs(np.diff(route, axis=0)).max(axis=1)))]         # as far as the wall
    level = np.array([J.value(theta) for theta in route]) + 0.04
    surface.plot(*route.T, level, "o-", color=COLORS[1], markersize=3)
    surface.plot(*route[:1].T, level[:1], "k^", markersize=8)
    length = 0.35 / np.linalg.norm(J.grad(route[-1]))
    surface.quiver(*route[-1], level[-1], *(-length * J.grad(route[-1])), 0.4, color=COLORS[1], linewidth=2.5)
    surface.set(xlabel="w", ylabel="b", zlabel="J", title="the wall, and the step at its edge")
    surface.view_init(elev=35, azim=-155)

    w, b = np.linspace(0.2, 2.0, 220), np.linspace(-1.0, 3.6, 220)
    heights = np.array([[J.value(np.array([x, y])) for x in w] for y in b])
    shown = plane.pcolormesh(w, b, np.maximum(heights, 1e-4), norm=LogNorm(1e-4, 3), cmap="Greys", shading="auto")
    figure.colorbar(shown, ax=plane, label="J (values below 1e-4 drawn as that)")
    for (name, (result, _)), color, marker in zip(found.items(), (COLORS[1], COLORS[0], COLORS[4]), "osD"):
        plane.plot(*result.path.T, marker + "-", markersize=3.5, linewidth=1, color=color, label=name)
        plane.plot(*result.path[-1], "*", markersize=11, color=color, markeredgecolor="k")
    plane.plot(*START, "k^", markersize=8, label="start")
    plane.set(xlim=(w[0], w[-1]), ylim=(b[0], b[-1]), xlabel="w", ylabel="b", title="where each ends (stars)")
    plane.legend(loc="upper right")


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.3, a cliff with and without gradient clipping", argv)
    steps = 60 if page.quick else 400
    ways = {"not clipped": None, "norm clipped": optim.clip_grad_norm, "values clipped": optim.clip_grad_value}
    found = {name: descend(clip, steps) for name, clip in ways.items()}
    print(f"gradient descent, lr {LR}, at most {steps} steps, limit {LIMIT}")
    for name, (result, norms) in found.items():
        longest = np.linalg.norm(np.diff(result.path, axis=0), axis=1).max()
        print(f"{name:15} |g|: median {np.median(norms):8.2g}, largest {max(norms):8.2g}; longest step {longest:8.3f}; "
              f"ends at ({result.theta[0]:7.2f}, {result.theta[1]:7.2f}) with J = {result.value:.2g}")
    page.draw("fig_8_03_cliff", picture, found, size=(13, 5.5))


if __name__ == "__main__":
    main()
