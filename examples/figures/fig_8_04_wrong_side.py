# %% [markdown]
# # Figure 8.4: started on the wrong side of the mountain
#
#     python examples/figures/fig_8_04_wrong_side.py [--quick] [--out DIR]
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
import argparse
from pathlib import Path

import numpy as np

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
def one_dimension(quick):
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
def two_dimensions(quick):
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
def draw(one, two, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
    J, results = one
    x = np.linspace(-12, 12, 500)
    left.plot(x, [J.value(np.array([t])) for t in x], "k", linewidth=1.5)
    for offset, (name, ends) in zip((0.03, 0.055, 0.08, 0.105), results.items()):
        for end, marker in zip(ends, "o^"):
            inside = np.abs(end.path[:, 0]) < 12
            values = np.array([J.value(theta) for theta in end.path[inside]])
            drawn = left.plot(end.path[inside, 0], values + offset, "-" + marker, markersize=3, linewidth=0.8,
                              color=f"C{list(results).index(name)}", label=name if marker == "o" else None)
            drawn[0].set_markevery(max(1, int(inside.sum() / 25)))
    for height in (0.3, 0.0):
        left.axhline(height, color="0.8", linestyle=":", zorder=0)
    left.set(xlabel=r"$\theta$", ylabel=r"$J(\theta)$ (paths raised a little)",
             title="wrong side (circles, from -1), right side (triangles)")
    left.legend(loc="upper right", fontsize=8)
    J, paths = two
    x, y = np.linspace(-10, 8, 240), np.linspace(-2, 9, 160)
    Z = np.array([[J.value(np.array([a, b])) for a in x] for b in y])
    levels = right.contourf(x, y, Z, levels=30, cmap="Greys")
    figure.colorbar(levels, ax=right, label=r"$J(\theta)$")
    for result in paths:
        right.plot(*result.path.T, color="tab:blue" if result.theta[0] > 0 else "tab:red", linewidth=1.4)
        right.plot(*result.path[0], "o", color="k", markersize=4)
    right.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel=r"$\theta_1$", ylabel=r"$\theta_2$",
              title="in the plane: round the mountain (blue) or lost (red)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description="Figure 8.4, the wrong side of the mountain")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    one, two = one_dimension(arguments.quick), two_dimensions(arguments.quick)
    path = arguments.out / "fig_8_04_wrong_side.png"
    draw(one, two, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
