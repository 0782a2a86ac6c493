# %% [markdown]
# # Figure 8.4: started on the wrong side of the mountain
#
#     python -m minigrad figures 8.4 [--quick] [--out DIR]
#
# **What it shows.** A cost with no minimum and no saddle, only asymptotes: towards 0.3 on the left, towards 0 on the
# right, with a mountain between. Whoever starts left of the top and goes down goes left, for ever, and never sees the
# lower side. No critical point is to blame, and every local method does it: gradient descent, momentum, BFGS, even
# saddle-free Newton. In two dimensions (right panel) the mountain can be walked around, if the start is far enough to
# its side; the walk is long.
#
# **What to look at.** The table: where each method is after its steps, from the left start and from the right one. The
# cost falls at every step of every method, and those from the left end above 0.3. In the plane: the boundary between
# the starts that end low and those that do not within these steps, and how much longer the detour is than the straight
# line.
#
# **Try.** Momentum with a start nearer the top and a large lr: can it roll over? SGD with noise added to g: how much
# does it take to cross? Newton without a search from theta = -0.3: where does it go, and why (look at the curvature)?

# %%
from typing import Any

import numpy as np

from minigrad.figures.page import COLORS, Page
from minigrad.optim import BFGS, SGD, Momentum, SaddleFreeNewton, minimize
from minigrad.testing import problems

METHODS = {
    "gradient descent": lambda theta: SGD(theta, lr=0.5),
    "momentum": lambda theta: Momentum(theta, lr=0.1, momentum=0.9),
    "BFGS": lambda theta: BFGS(theta),
    "saddle-free Newton": lambda theta: SaddleFreeNewton(theta),
}


# %% [markdown]
# One dimension: the start one unit to the left of the mountain's top, and one unit to the right.

# %%
def one_dimension(quick: bool) -> Any:
    J, steps = problems.mountain(1), 30 if quick else 200
    print(f"J = 1/(1 + theta^2) + 0.3/(1 + exp(theta)); {steps} steps at most")
    print(f"{'method':20} {'from -1 to':>12} {'J':>9}   {'from +1 to':>12} {'J':>9}")
    results = {}
    for name, make in METHODS.items():
        ends = [minimize(make(start.copy()), J, steps, tolerance=1e-8) for start in (J.start, J.far)]
        results[name] = ends
        print(f"{name:20} " + "   ".join(f"{end.theta[0]:12.4g} {end.value:9.5f}" for end in ends))
    return J, results


# %% [markdown]
# Two dimensions: gradient descent of small steps from starts left of the mountain, ever further to its side. A path
# that gets round ends low; one that does not drifts away to the left, to J = 0.3. The nearer to the axis, the further
# it is driven back before the slope to the right takes over.

# %%
def two_dimensions(quick: bool) -> Any:
    J, steps = problems.mountain(2), 400 if quick else 4000
    paths = []
    for side in (0, 0.05, 0.2, 0.5, 1, 2):
        start = np.array([-1.5, side])
        result = minimize(SGD(start, lr=0.3), J, steps, path=True)
        paths.append(result)
        length = np.linalg.norm(np.diff(result.path, axis=0), axis=1).sum()
        where = "right" if result.theta[0] > 0 else "left"
        print(f"start (-1.5, {side:4.2f}): ends {where:5} at ({result.theta[0]:7.2f}, {result.theta[1]:6.2f}), "
              f"J = {result.value:.4f}, path {length:6.2f}, "
              f"straight {np.linalg.norm(result.theta - result.path[0]):6.2f}")
    return J, paths


# %%
def picture(figure: Any, one: Any, two: Any) -> None:
    left, right = figure.subplots(1, 2)
    J, results = one
    x = np.linspace(-12, 12, 500)
    left.plot(x, [J.value(np.array([t])) for t in x], "k", linewidth=1.5)
    for i, (name, ends) in enumerate(results.items()):
        for end, marker in zip(ends, "o^"):
            inside = end.path[np.abs(end.path[:, 0]) < 12]
            shown = inside[np.unique(np.geomspace(1, len(inside), 12).astype(int)) - 1]      # the first steps are long
            left.plot(shown[:, 0], [J.value(theta) for theta in shown], marker, markersize=8 - 1.5 * i, alpha=0.8,
                      color=COLORS[i], label=name if marker == "o" else None)
    for height in (0.3, 0.0):
        left.axhline(height, color="0.8", linestyle=":", zorder=0)
    left.set(xlabel=r"$\theta$", ylabel=r"$J(\theta)$", title="started at -1 (circles): lost. At +1 (triangles): not")
    left.legend(loc="upper right")
    J, paths = two
    x, y = np.linspace(-10, 8, 240), np.linspace(-2, 9, 160)
    Z = np.array([[J.value(np.array([a, b])) for a in x] for b in y])
    levels = right.contourf(x, y, Z, levels=30, cmap="Greys")
    figure.colorbar(levels, ax=right, label=r"$J(\theta)$")
    for result in paths:
        right.plot(*result.path.T, color=COLORS[0] if result.theta[0] > 0 else COLORS[1],
                   linestyle="-" if result.theta[0] > 0 else "--")
        right.plot(*result.path[0], "^", color="k", markersize=5)
    right.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel=r"$\theta_1$", ylabel=r"$\theta_2$",
              title="in the plane: around the mountain (blue), or lost (dashed)")


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.4, the wrong side of the mountain", argv)
    one, two = one_dimension(page.quick), two_dimensions(page.quick)
    page.draw("fig_8_04_wrong_side", picture, one, two, size=(12, 4.6))


if __name__ == "__main__":
    main()
