"""Weight space symmetry (8.2.2): minima that are far apart and the same, and what lies between them.

What it shows: a network with one hidden layer of relus learns digits until its cost is small. Its units change places,
or are put on another scale: the parameters are then as far away as those of another run, and the cost is the same to
rounding. None of these minima is worse than another, and yet J is far from convex: half way between two of them stands
a mountain. The scales make each minimum a valley that never ends: all (a, 1/a) for the incoming and outgoing weights.
What to look at: the last column of the table. Left, the mountain between a minimum and its own mirror images. Right,
the hyperbola a b = 1 at the bottom of the valley, and how unlike in steepness its two ends are: the function is the
same there, the gradient is not, so gradient descent does not find all of them equally easy.
Try: HIDDEN = 8 or 512: how high is the mountain? Exchange only the two units that are most alike (`order=`).

Run: python examples/weight_space_symmetry.py [--quick] [--out DIR]
"""
import copy

import numpy as np

from minigrad import Objective, data, diagnostics, init, losses, nn, optim
from minigrad.figures.page import Page

EXAMPLES, HIDDEN, STEPS, SCALE = 1000, 32, 100, 4.0


def trained(x, y, hidden, steps, seed):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(784, hidden, weights=init.he_normal, rng=rng, dtype=np.float64), nn.ReLU(),
                          nn.Linear(hidden, 10, rng=rng, dtype=np.float64))
    optim.minimize(optim.LBFGS(model.parameters()), Objective(model, losses.mean_squared_error, x, y), steps)
    return model


def relatives(model, x, y, steps):
    """name -> model: the same function twice over, and a run from another start."""
    permuted, rescaled = copy.deepcopy(model), copy.deepcopy(model)
    diagnostics.permute_units(permuted, "0", rng=0)
    diagnostics.rescale_units(rescaled, "0", alpha=SCALE)
    return {"units permuted": permuted, f"units times {SCALE:g}": rescaled,
            "another run": trained(x, y, model[0].w.shape[1], steps, seed=1)}


def valley(J, model, scales):
    """J with the incoming weights and biases times a, the outgoing weights times b; (len(scales), len(scales))."""
    theta, slices = model.parameters().theta, model.parameters().slices
    at = np.empty((len(scales), len(scales)))
    for i, a in enumerate(scales):
        for j, b in enumerate(scales):
            point = theta.copy()
            for name, factor in (("0.w", a), ("0.b", a), ("2.w", b)):
                point[slices[name]] *= factor
            at[j, i] = J.value(point)
    return at


def picture(figure, lines, scales, surface):
    left, right = figure.subplots(1, 2)
    for (name, (t, values)), color, style in zip(lines.items(), ("#0072B2", "#009E73", "#D55E00"), ("-", "--", "-.")):
        left.plot(t, values, style, color=color, linewidth=1.8, label=name)
    left.set(xlabel="from the minimum (0) to its relative (1)", ylabel="J", ylim=(0, None),
             title="on the straight line between them")
    left.legend()
    left.grid(alpha=0.3)
    contours = right.contourf(scales, scales, np.log10(surface), levels=14, cmap="cividis")
    figure.colorbar(contours, ax=right, label="log10 J")
    a = np.linspace(1 / scales[-1], scales[-1], 200)
    right.plot(a, 1 / a, "w--", linewidth=1.5)
    right.plot(1, 1, "o", color="white", markeredgecolor="black", markersize=8)
    right.plot(SCALE, 1 / SCALE, "s", color="white", markeredgecolor="black", markersize=8)
    right.annotate("found", (1, 1), (8, 6), textcoords="offset points", color="white")
    right.annotate(f"units times {SCALE:g}", (SCALE, 1 / SCALE), (0, 14), textcoords="offset points", color="white",
                   ha="center")
    right.set(xlabel="a: incoming weights times", ylabel="b: outgoing weights times",
              title="one function all along a b = 1 (dashed)", xlim=(scales[0], scales[-1]),
              ylim=(scales[0], scales[-1]))


def main(argv=None):
    page = Page(__doc__, argv)
    m, hidden, steps, grid = (300, 8, 30, 9) if page.quick else (EXAMPLES, HIDDEN, STEPS, 25)
    (x, y), _ = data.mnist(flat=True, dtype=np.float64)
    x, y = x[:m], np.eye(10)[y[:m]]                           # squared error: J has a minimum at finite weights
    model = trained(x, y, hidden, steps, seed=0)
    J, theta = Objective(model, losses.mean_squared_error, x, y), model.parameters().theta
    least = J.value()
    print(f"{m} digits, 784-{hidden}-10 relus, |theta| = {np.linalg.norm(theta):.1f}, J = {least:.3g}, "
          f"|g| = {np.linalg.norm(J.grad()):.2g}")
    print("relative            distance      half way: J      |g|     largest difference of its outputs")
    lines = {}
    for name, other in relatives(model, x, y, steps).items():
        there = other.parameters().theta
        lines[name] = diagnostics.loss_along(J, theta, there, np.linspace(-0.2, 1.2, 29))
        difference = np.abs(other(J.x).data - model(J.x).data).max()
        print(f"{name:18}{np.linalg.norm(there - theta):10.1f}{J.value((theta + there) / 2):17.3g}"
              f"{np.linalg.norm(J.grad(there)):10.2g}{difference:20.1e}")
    scales = np.linspace(0.1, 5, grid)
    page.draw("weight_space_symmetry", picture, lines, scales, valley(J, model, scales), size=(11, 4.6))


if __name__ == "__main__":
    main()
