# %% [markdown]
# # Newton's method and saddle points (sections 8.2.3 and 8.6.1)
#
#     python examples/newton_and_saddles.py [--quick] [--out DIR]
#
# **What it shows.** J = x^2 - y^2 + y^4/4 has a saddle at 0 and minima at (0, +-1.414). From (1, 0.1) Newton's method
# (algorithm 8.8) jumps straight to the saddle: it looks for a point where the gradient is zero, and a saddle is one.
# Adding alpha = 2.5 to the Hessian (8.28) turns the step round, because 2.5 exceeds the negative curvature of 2; with
# |H| for H (saddle-free Newton) every direction is turned the right way without choosing alpha. The second part
# repeats it on random saddles of 2 to 20 dimensions.
#
# **What to look at.** Where Newton ends: gradient 0 to machine precision, a *negative* eigenvalue, J = 0. In the
# figure: the basin of the saddle, the starts from which Newton's method lands on it, is an open set, not a line, and
# beside it lie strips from which it jumps over to the other minimum. The eigenvalues say what each method reached.
#
# **Try.** DampedNewton with damping=0.5: it still arrives, how does alpha grow? Start exactly on the ridge, (1, 0):
# which method can leave, and why none? Newton with search="wolfe": does it still land on the saddle?

# %%

import numpy as np

from minigrad.figures.page import Page
from minigrad.optim import (
    ConjugateGradient,
    DampedNewton,
    KrylovSaddleFree,
    Newton,
    SaddleFreeNewton,
    TrustRegion,
    minimize,
)
from minigrad.testing import problems

METHODS = {
    "Newton (8.8)": Newton,
    "damped (8.28)": lambda theta: DampedNewton(theta, damping=2.5),
    "saddle-free": SaddleFreeNewton,
    "saddle-free, Krylov": KrylovSaddleFree,
    "trust region": TrustRegion,
    "conjugate gradients": ConjugateGradient,
}


def kind(J, theta):
    """What a point with zero gradient is, by the signs of the eigenvalues there."""
    l = np.linalg.eigvalsh(J.hessian(theta))
    if l[0] > 1e-8:
        return f"minimum (lowest eigenvalue {l[0]:+.3f})"
    return f"{'maximum' if l[-1] < 0 else 'saddle'} (eigenvalues {l[0]:+.3f} to {l[-1]:+.3f})"


# %% [markdown]
# The book's remark in two dimensions, step by step.

# %%
def one_saddle():
    J = problems.saddle2()
    print("J = x^2 - y^2 + y^4/4 from (1, 0.1)")
    results = {}
    for name, make in METHODS.items():
        result = results[name] = minimize(make(J.start.copy()), J, 60, tolerance=1e-10)
        print(f"  {name:20} {result.steps:3} steps to ({result.theta[0]:+.4f}, {result.theta[1]:+.4f}), "
              f"J = {result.value:+.4f}, |g| = {result.grad_norm:.0e}: {kind(J, result.theta)}")
    return J, results


# %% [markdown]
# Random saddles: n dimensions, a random frame, some directions of negative curvature.

# %%
def many_saddles(quick):
    cases = [(n, negative, seed) for n, negative in ((2, 1), (5, 2), (20, 5)) for seed in range(2 if quick else 10)]
    print(f"{len(cases)} random saddles of 2 to 20 dimensions, started where Newton's method is attracted:")
    for name, make in METHODS.items():
        at_saddle = at_minimum = steps = 0
        for case in cases:
            J = problems.saddle(*case)
            result = minimize(make(J.start.copy()), J, 300, tolerance=1e-8)
            at_saddle += bool(np.linalg.eigvalsh(J.hessian(result.theta))[0] < 0)
            at_minimum += bool(abs(result.value - J.lowest) < 1e-8)
            steps += result.steps
        print(f"  {name:20} saddle {at_saddle:3}, minimum {at_minimum:3}, mean steps {steps / len(cases):5.1f}")


# %% [markdown]
# The basin of the saddle: for every start of a grid, where Newton's method and the saddle-free one end.

# %%
def basins(J, make, x, y):
    """|J - (-1)| small: a minimum (1); else the saddle (0)."""
    reached = np.empty((len(y), len(x)))
    for i, b in enumerate(y):
        for j, a in enumerate(x):
            end = minimize(make(np.array([a, b])), J, 40, tolerance=1e-8, path=False)
            reached[i, j] = np.sign(end.theta[1]) if end.value < -0.5 else 0
    return reached


# Where a run ends: the value in `basins`, its name, its colour (light, middle, dark: told apart in grey as well).
ENDS = ((-1, "the minimum below", "#BFE0F5"), (0, "the saddle", "#E69F00"), (1, "the minimum above", "#F5F5F5"))


def picture(figure, x, y, grids, paths):
    """The start (x, y) belongs to the basin grids[name][y, x] of a method; paths[name]: one run of it (steps, 2)."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch
    axes = figure.subplots(1, 2, sharey=True)
    a, b = np.linspace(-1.5, 1.5, 150), np.linspace(-2, 2, 150)
    X, Y = np.meshgrid(a, b)
    Z = X**2 - Y**2 + Y**4 / 4
    shades = ListedColormap([color for _, _, color in ENDS])
    for ax, (name, grid) in zip(axes, grids.items()):
        ax.pcolormesh(x, y, grid, cmap=shades, vmin=-1, vmax=1, shading="nearest")
        ax.contour(a, b, Z, levels=np.r_[-0.9:1.6:0.25], colors="0.45", linewidths=0.7)
        ax.plot(*paths[name].T, "ko-", markersize=4, linewidth=1.4, label="one run")
        ax.plot(*paths[name][0], "k^", markersize=10, label="its start, (1, 0.1)", linestyle="none")
        ax.plot([0, 0], [2**0.5, -(2**0.5)], "k*", markersize=11, label="minimum", linestyle="none")
        ax.plot(0, 0, "kx", markersize=10, markeredgewidth=2.5, label="saddle", linestyle="none")
        ax.set(title=f"{name}: {np.mean(grid == 0):.0%} of the starts end at the saddle", xlabel="x of the start",
               xlim=(-1.5, 1.5), ylim=(-2, 2))
    axes[0].set_ylabel("y of the start")
    patches = [Patch(facecolor=color, edgecolor="0.5", label=f"ends at {name}") for _, name, color in ENDS]
    handles, _ = axes[0].get_legend_handles_labels()
    figure.legend(handles=[*patches, *handles], loc="outside lower center", ncols=4, fontsize=9)


def main(argv=None):
    page = Page("Newton's method and saddle points", argv)
    J, results = one_saddle()
    many_saddles(page.quick)
    x, y = np.linspace(-1.5, 1.5, 4 if page.quick else 12), np.linspace(-2, 2, 20 if page.quick else 120)
    grids = {name: basins(J, METHODS[name], x, y) for name in ("Newton (8.8)", "saddle-free")}
    for name, grid in grids.items():
        print(f"{name}: {np.mean(grid == 0):.0%} of {grid.size} starts end at the saddle")
    page.draw("newton_and_saddles", picture, x, y, grids, {name: results[name].path for name in grids}, size=(11, 5.8))


if __name__ == "__main__":
    main()
