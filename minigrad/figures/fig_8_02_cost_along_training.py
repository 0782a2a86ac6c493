# %% [markdown]
# # Figure 8.2: the cost along and across a training run
#
#     python -m minigrad figures 8.2 [--quick] [--out DIR]
#
# **What it shows.** The cost of a small net on real MNIST, seen from where it was trained (Goodfellow, Vinyals and Saxe
# 2015). Along: the straight line from the initial to the final parameters, 0 to 1. Across: the distance from that line,
# in the direction to which the path has turned at that place. The path lies on the surface drawn. All weights start
# close to zero, the biases at the classes' frequencies: beside the saddle of high cost that the book speaks of. There
# the cost is flat, and SGD leaves it readily.
#
# **What to look at.** The saddle in the picture (up on both sides across, down on both sides along), and what `doctor`
# says at the start: eigenvalues of both signs, equally large. The cost on the straight line falls without a barrier
# (the printed largest rise is 0), though the path did not take this line: it bends around a quarter as far as it is
# long. At the end the highest eigenvalue has grown, the lowest is near zero, and the last tenth of the cost takes half
# of the steps: a flat valley, as in the book's figure. (The fold at the far end is where "across" turns: there the path
# comes back to the line.)
#
# **Try.** SPREAD = 1 (an ordinary initialization): where has the saddle gone? A deeper net; relu for tanh; another seed
# for the order of the examples: the end is elsewhere, but does the picture look different?

# %%
from typing import Any

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.diagnostics import doctor, hessian_spectrum, loss_along, trajectory_surface
from minigrad.figures.page import COLORS, Page

UNITS, SPREAD, LR = 32, 0.002, 0.2


# %% [markdown]
# The net, on images shrunk to 14 x 14 (the mean of every 2 x 2 pixels) so that everything takes seconds; and the path:
# theta after every few steps of SGD.

# %%
def images(examples: int) -> tuple[np.ndarray, np.ndarray]:
    (x, y), _ = data.mnist()
    x = x[:examples].reshape(examples, 14, 2, 14, 2).mean(axis=(2, 4))
    return x.reshape(examples, 196), y[:examples]


def train(x: np.ndarray, y: np.ndarray, steps: int, every: int) -> Any:
    """SGD on minibatches of 50; the objective on all examples, and the path (k, n)."""
    model = nn.Sequential(nn.Linear(196, UNITS, rng=0), nn.Tanh(), nn.Linear(UNITS, 10, rng=1))
    J = Objective(model, losses.cross_entropy, x, y)
    J.parameters.theta[...] *= SPREAD
    J.parameters["2.b"].data = init.bias_from_marginals(y, 10)
    opt, rng, path = optim.SGD(model.parameters(), lr=LR), np.random.default_rng(2), []
    for k in range(steps + 1):
        if k % every == 0:
            path.append(J.parameters.theta.copy())
        batch = rng.integers(0, len(x), 50)
        opt.step(Objective(model, losses.cross_entropy, x[batch], y[batch]))
    return J, np.array(path)


def picture(figure: Any, surface: Any, line: Any) -> None:
    panel = figure.add_subplot(1, 3, (1, 2), projection="3d", computed_zorder=False)
    u, v = np.meshgrid(surface.along, surface.across, indexing="ij")
    heights = np.minimum(surface.surface, 1.5 * surface.path_value[0])
    panel.plot_surface(u, v, heights, cmap="viridis", rstride=1, cstride=1, linewidth=0.1, edgecolor="0.4", alpha=0.85)
    along, across, value = surface.path_along, surface.path_across, surface.path_value + 0.02
    panel.plot(along, across, value, ".-", color=COLORS[1], markersize=4, label="SGD")
    panel.plot(along[:1], across[:1], value[:1], "^", color="k", markersize=8, label="start, beside the saddle")
    panel.plot(along[-1:], across[-1:], value[-1:], "*", color="k", markersize=11, label="end, in a flat valley")
    panel.set(xlabel="along: start 0, end 1", ylabel="across", zlabel="J", title="around the mountain, down the valley")
    panel.view_init(elev=30, azim=-50)
    panel.legend(loc="upper right")
    flat = figure.add_subplot(1, 3, 3)
    flat.plot(*line, label="straight line from start to end")
    flat.plot(along, surface.path_value, ".-", color=COLORS[1], markersize=4, label="SGD, by its place along")
    flat.plot(along[0], surface.path_value[0], "k^", along[-1], surface.path_value[-1], "k*", markersize=9)
    flat.set(xlabel="along", ylabel="J", ylim=(0, None), title="no barrier on the straight line")
    flat.legend()


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.2, the cost along and across a training run", argv)
    examples, steps, grid = (200, 150, 8) if page.quick else (1000, 1500, 40)
    x, y = images(examples)
    J, path = train(x, y, steps, steps // 50)
    print(f"{J.parameters.n} parameters, {examples} digits, {steps} steps of SGD, lr {LR}")
    for name, theta in (("start", path[0]), ("end", path[-1])):
        report = doctor(J, theta)
        spectrum = hessian_spectrum(J, theta, steps=15 if page.quick else 60, probes=1, rng=0)
        print(f"{name:5}  J = {report.value:6.4f}   |g| = {report.gradient_norm:6.4f}   eigenvalues of H "
              f"{spectrum.lowest:8.4f} ... {spectrum.highest:7.4f}   doctor: {report.verdict}")
    first = trajectory_surface(J, path, [0.0], [0.0])
    far = first.path_across.max()
    surface = trajectory_surface(J, path, np.linspace(-0.15, 1.0, grid), np.linspace(-0.6, 1.6, grid) * far)
    line = loss_along(J, path[0], path[-1], np.linspace(-0.25, 1.25, 61))
    on_line = line[1][(line[0] >= 0) & (line[0] <= 1)]
    length = np.linalg.norm(path[-1] - path[0])
    gone = [int(np.argmax(np.append(surface.path_value, 0) < part * surface.path_value[0])) for part in (0.5, 0.1)]
    gone = [f"after {k * (steps // 50)} steps" if k < len(path) else "not in this run" for k in gone]
    print(f"straight line: {len(on_line)} values from {on_line[0]:.4f} to {on_line[-1]:.4f}; the largest rise between "
          f"neighbours is {max(np.diff(on_line).max(), 0):.2g}")
    print(f"path: largest distance from the line {far:.3f}, {far / length:.2f} of the way's length {length:.2f}")
    print(f"half of J is gone {gone[0]}, nine tenths {gone[1]}")
    page.draw("fig_8_02_cost_along_training", picture, surface, line, size=(13, 5))


if __name__ == "__main__":
    main()
