"""Coordinate descent (8.7.2): where it is slow, the valley; and where it is good, sparse coding of digits (8.38).

What it shows: on (x1 - x2)^2 + alpha (x1^2 + x2^2), minimizing over x1 and x2 in turn multiplies x2 by (1 + alpha)^-2
per sweep: six digits take 11 sweeps for alpha = 1 and 670 for alpha = 0.01, where Newton's method takes one step. In
sparse coding each of the two blocks is convex, and quickly solved. So block coordinate descent on codes and dictionary
is set beside Adam on both at once; work is counted in products of the size examples x atoms x pixels.
What to look at: the first table's two columns, which agree to every digit shown. The staircase, which can never cut the
corner. The cost after each half round, which never rises, and that of Adam with five times the work. And the codes:
Adam makes none of them 0.
Try: ATOMS = 16 or 256. ALPHAS with 0.001. `limit=10` in sparse_coding: what becomes of the codes?

Run: python examples/strategies/coordinate_descent.py [--quick] [--out DIR]
"""

import numpy as np

from minigrad import data, ops, optim, strategies, tensor
from minigrad.core import grad
from minigrad.figures.page import Page

ALPHAS, START = (1.0, 0.1, 0.01), (1.0, -0.6)
EXAMPLES, ATOMS, ROUNDS, SEEDS = 1000, 64, 20, 3
RATES, LONGER = (0.03, 0.1, 0.3), 5


class Valley:
    """(x1 - x2)^2 + alpha (x1^2 + x2^2)."""

    def __init__(self, alpha):
        self.H = 2 * np.array([[1 + alpha, -1], [-1, 1 + alpha]])

    def value(self, theta):
        return float(theta @ self.H @ theta) / 2

    def grad(self, theta):
        return self.H @ theta

    def hvp(self, theta, v):
        return self.H @ v


def valley(sweeps=8000):
    """alpha -> the path of coordinate descent, until no variable is larger than 1e-6 of the start."""
    paths = {}
    print("alpha   x2 per sweep   (1 + alpha)^-2   sweeps to 1e-6   Newton's steps")
    for alpha in ALPHAS:
        path = strategies.coordinate_descent(Valley(alpha), np.array(START), sweeps).path
        newton = optim.minimize(optim.Newton(np.array(START)), Valley(alpha), 10, tolerance=1e-12)
        size = np.abs(path).max(axis=1)
        there = np.flatnonzero(size < 1e-6 * size[0])
        print(f"{alpha:5}   {path[2, 1] / path[1, 1]:12.8f}   {(1 + alpha)**-2:14.8f}   "
              f"{there[0] if len(there) else f'> {sweeps}':>14}   {newton.steps:14d}")
        paths[alpha] = path[:40]
    return paths


class Together:
    """(8.38) as a function of one vector, codes and dictionary: for optimizers that move both at once."""

    def __init__(self, X, k):
        self.X, self.k, self.products = X, k, 0

    def parts(self, theta):
        m, d = self.X.shape
        return theta[:m * self.k].reshape(m, self.k), theta[m * self.k:].reshape(self.k, d)

    def value_and_grad(self, theta):
        H, W = (tensor(part, requires_grad=True) for part in self.parts(theta))
        J = ops.sum(ops.abs(H)) + ops.sum(ops.square(self.X - H @ W))
        self.products += 3                                # H W, and its derivative with respect to H and to W
        return J.item(), np.concatenate([g.data.ravel() for g in grad(J, [H, W])])


def adam(X, W, products, lr):
    """Adam on codes and dictionary at once, atoms scaled back to norm 1 after each step: [(products, J)] and H."""
    J = Together(X, len(W))
    theta = np.concatenate([np.zeros(len(X) * len(W), X.dtype), W.ravel()])
    optimizer, curve = optim.Adam(theta, lr=lr), []
    while J.products < products:
        step = optimizer.step(J)
        curve.append((J.products - 3, float(step)))
        W = J.parts(theta)[1]
        W /= np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 1)
    H, W = J.parts(theta)
    return np.array([*curve, (J.products, strategies.sparse_coding_cost(X, H, W))]), H


def digits(m, k, rounds, seeds, sweeps=10):
    """For each seed: what block coordinate descent found, and the curve and codes of Adam at each rate."""
    (x, _), _ = data.mnist(flat=True)
    d, runs = x.shape[1], []
    work = 2 + (1 + sweeps) * (k / m + k / d)             # a round: X W' and H'X; W W', H'H and the sweeps
    for seed in range(seeds):
        X = x[np.random.default_rng(seed).choice(len(x), m, replace=False)]
        start = X[:k] / np.linalg.norm(X[:k], axis=1, keepdims=True)
        found = strategies.sparse_coding(X, k, rounds, W=start, sweeps=sweeps)
        runs.append((found, {lr: adam(X, start, LONGER * work * rounds, lr) for lr in RATES}))

    print(f"\nsparse coding of {m} digits, {k} atoms                work   J per digit      codes that are 0")
    row(f"block coordinate descent, {rounds} rounds", work * rounds, [found.values[-1] / m for found, _ in runs],
        [found.H for found, _ in runs])
    for times in (1, LONGER):
        best = [min((interpolate(curve, times * work * rounds), lr) for lr, (curve, _) in rated.items())
                for _, rated in runs]
        codes = [rated[lr][1] for (_, lr), (_, rated) in zip(best, runs)] if times == LONGER else None
        row(f"Adam, lr {', '.join(f'{lr:g}' for lr in sorted({lr for _, lr in best}))} (best of {len(RATES)})",
            times * work * rounds, [J / m for J, _ in best], codes)
    rise = max(np.diff(found.values).max() for found, _ in runs)
    print("block coordinate descent never climbed" if rise <= 0 else f"the largest rise in half a round: {rise:.1e}")
    return work, runs


def row(name, work, J, codes):
    zero = "" if codes is None else f"{np.mean([100 * np.mean(H == 0) for H in codes]):19.1f} %"
    print(f"{name:44}{work:9.0f} {np.mean(J):8.2f} +- {np.std(J):.2f}{zero}")


def interpolate(curve, work):
    return float(np.interp(work, *curve.T))


def picture(figure, paths, work, runs, m):
    panels = figure.subplot_mosaic([["a0", "a1", "a2"], ["cost", "cost", "atoms"]], height_ratios=[1, 1.15])
    grid = np.linspace(-1.1, 1.1, 160)
    for panel, (alpha, points) in zip(("a0", "a1", "a2"), paths.items()):
        axes = panels[panel]
        J = Valley(alpha)
        Z = [[J.value(np.array([a, b])) for a in grid] for b in grid]
        axes.contour(grid, grid, np.sqrt(Z), levels=14, colors="0.75", linewidths=0.8)
        stairs = [points[0]]
        for a, b in zip(points, points[1:]):              # x1 moves first, then x2
            stairs += [(b[0], a[1]), b]
        axes.plot(*np.array(stairs).T, color="#0072B2", linewidth=1.5, marker=".", markersize=4)
        axes.plot(*points[0], "s", color="black", markersize=6)
        axes.annotate("start", points[0], (-8, -14), textcoords="offset points", ha="right")
        axes.plot(0, 0, "*", color="#D55E00", markersize=13, zorder=3)
        axes.set(title=rf"$\alpha$ = {alpha:g}: {(1 + alpha)**-2:.2f} per sweep", xlabel="$x_1$", aspect="equal")
    panels["a0"].set_ylabel("$x_2$")
    for i, (found, rated) in enumerate(runs):
        panels["cost"].plot(work / 2 * np.arange(len(found.values)), found.values / m, color="#0072B2", linewidth=1.6,
                            label="block coordinate descent, half rounds" if i == 0 else None)
        for (lr, (curve, _)), style in zip(rated.items(), (":", "--", "-.")):
            panels["cost"].plot(curve[:, 0], curve[:, 1] / m, style, color="#D55E00", linewidth=1.2,
                                label=f"Adam on both at once, lr {lr:g}" if i == 0 else None)
    panels["cost"].set(xlabel="products of the size examples x atoms x pixels", ylabel="J per digit (8.38)",
                       yscale="log", ylim=(None, 2 * runs[0][0].values[0] / m), yticks=(30, 50, 100),
                       title=f"sparse coding of digits, {len(runs)} seeds")
    panels["cost"].yaxis.set_major_formatter("{x:g}")
    panels["cost"].yaxis.set_minor_formatter("")
    panels["cost"].grid(alpha=0.3, which="both")
    panels["cost"].legend()
    found = runs[0][0]
    use = np.argsort(-np.abs(found.H).sum(axis=0))[:36]
    side = int(np.sqrt(len(use)))
    tiles = found.W[use[:side * side]].reshape(side, side, 28, 28)
    reach = np.abs(tiles).max()
    sheet = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    panels["atoms"].imshow(sheet.transpose(0, 2, 1, 3).reshape(side * 30, side * 30), cmap="PuOr", vmin=-reach,
                           vmax=reach)
    panels["atoms"].set(xticks=[], yticks=[], title="most used atoms\n(violet > 0, orange < 0)")


def main(argv=None):
    page = Page(__doc__, argv)
    paths = valley()
    m, k, rounds, seeds = (200, 16, 8, 2) if page.quick else (EXAMPLES, ATOMS, ROUNDS, SEEDS)
    work, runs = digits(m, k, rounds, seeds)
    page.draw("coordinate_descent", picture, paths, work, runs, m, size=(12, 8.2))


if __name__ == "__main__":
    main()
