# %% [markdown]
# # Figure 8.6: steepest descent zigzags; conjugate directions do not
#
#     python -m minigrad figures 8.6 [--quick] [--out DIR]
#
# **What it shows.** Left: steepest descent on a quadratic bowl of condition 10, each step to the lowest point of its
# line. Every line is perpendicular to the one before, because at that lowest point the gradient has no part along the
# line. Right: algorithm 8.9 from the same start. Its second direction does not undo the first: it is conjugate to it,
# d2'H d1 = 0, and two line searches reach the minimum of a two-dimensional quadratic. The panel below has the cost
# after each search.
#
# **What to look at.** The printed cosines: between successive steps of steepest descent 0, between the two conjugate
# steps not 0, but their H-product is. The factor by which steepest descent lowers J per step, against the bound
# ((c - 1)/(c + 1))^2 for condition c: this start is nearly the worst one.
#
# **Try.** CONDITION = 1, 100, 1000: how many steps to 1e-6? A start on an axis of the ellipse (START = (0, 1)): why is
# one step enough? `beta=fletcher_reeves`: does anything change on a quadratic?

# %%
from typing import Any

import numpy as np

from minigrad.figures.page import COLORS, Page
from minigrad.optim import ConjugateGradient, minimize
from minigrad.testing.problems import Problem

CONDITION = 10.0
START = (CONDITION, 1.0)       # the worst case: gradient components of equal size


def bowl(condition: float) -> Any:
    """1/2 (x^2 + condition y^2), turned by 30 degrees."""
    turn = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    H = turn @ np.diag([1.0, condition]) @ turn.T
    J = Problem("bowl", lambda x: np.sum(x * (H @ x)) / 2, turn @ START, 0.0, [[0, 0]])
    J.H = H
    return J


# %% [markdown]
# Steepest descent is algorithm 8.9 with beta = 0: reset at every step. The exact step of a quadratic is one product:
# t = -g.d / d.H d.

# %%
def run(quick: bool = False) -> Any:
    """Both paths: {name: Result}."""
    J = bowl(CONDITION)
    steps = 12 if quick else 40
    return J, {
        "steepest descent": minimize(ConjugateGradient(J.start.copy(), search="exact", reset=1), J, steps,
                                     tolerance=1e-12),
        "conjugate gradients": minimize(ConjugateGradient(J.start.copy(), search="exact"), J, steps, tolerance=1e-12),
    }


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))


def report(J: Any, results: Any) -> None:
    print(f"quadratic bowl, condition {CONDITION:g}, J at the start {J.value(J.start):.4g}")
    for name, result in results.items():
        s = np.diff(result.path, axis=0)
        lengths = np.sqrt(np.einsum("kn,nm,km->k", s, J.H, s))          # in the metric of H
        print(f"{name:20} J after 1, 2, 10 searches: "
              + ", ".join(f"{result.values[min(k, result.steps)]:.3e}" for k in (1, 2, 10))
              + f"; stopped after {result.steps} ({result.reason})")
        if len(s) > 1:                  # one step is enough in a round bowl, and from an axis
            print(f"{'':20} step 1 and 2: cosine {cosine(s[0], s[1]):+.6f}, "
                  f"d1'H d2 / (|d1|_H |d2|_H) = {s[0] @ J.H @ s[1] / (lengths[0] * lengths[1]):+.6f}")
    values = results["steepest descent"].values
    bound = ((CONDITION - 1) / (CONDITION + 1)) ** 2
    print(f"steepest descent lowers J by {values[1] / values[0]:.4f} in the first search; the bound is {bound:.4f}")


# %%
def picture(figure: Any, J: Any, results: Any) -> None:
    axes = figure.subplot_mosaic([["a", "b"], ["c", "c"]], height_ratios=[3, 2])
    reach = 1.15 * np.abs(J.start).max()
    x = np.linspace(-reach, reach, 200)
    grid = np.array(np.meshgrid(x, x))
    Z = np.einsum("iab,ij,jab->ab", grid, J.H, grid) / 2
    levels = J.value(J.start) * np.geomspace(1e-3, 4, 14)
    for panel, (name, result), colour in zip("ab", results.items(), (COLORS[1], COLORS[0])):
        ax = axes[panel]
        ax.contour(x, x, Z, levels=levels, colors="0.75", linewidths=0.8)
        ax.plot(*result.path.T, "o-", color=colour, markersize=3.5, linewidth=1.6)
        ax.plot(*J.start, "k^", markersize=7)
        ax.plot(0, 0, "k+", markersize=9)
        ax.set(title=f"{name}, exact line searches", xlabel=r"$\theta_1$", ylabel=r"$\theta_2$", aspect="equal")
        axes["c"].semilogy(np.maximum(result.values, 1e-18), "o-", color=colour, markersize=3.5, label=name)
    axes["c"].set(xlabel="line searches", ylabel=r"$J(\theta)$, drawn down to $10^{-18}$")
    axes["c"].legend()


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.6, steepest descent and conjugate directions", argv)
    J, results = run(page.quick)
    report(J, results)
    page.draw("fig_8_06_steepest_descent", picture, J, results, size=(10, 8))


if __name__ == "__main__":
    main()
