# %% [markdown]
# # In many dimensions critical points are saddles
#
#     python examples/random_saddles.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.2.3 says of random functions: the expected number of saddles over the number of minima
# grows exponentially with the dimension n, because a minimum needs n eigenvalues that all turned out positive; and the
# eigenvalues are more likely positive where the cost is low. Here both are counted. The function is a sum of waves
# with random directions and phases (a stationary Gaussian field when there are many); its critical points are found by
# Newton's method, which solves g = 0 and does not care whether it climbs.
#
# **What to look at.** The column "saddles per minimum": it grows by about the same factor with every dimension. The
# right panel: the fraction of negative eigenvalues against the cost of the point, and the printed correlation. Minima
# are at the bottom, maxima at the top, in between there is nearly nothing else but saddles.
#
# **Try.** WAVES = 3, few and coarse: does the law hold for n > 3, and why not? optim.SaddleFreeNewton in place of
# optim.Newton: what does it find?

# %%
import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page

WAVES = 100


# %%
class Waves:
    """J = sqrt(2/WAVES) sum of cos(w . theta + phase), w from a unit Gaussian: variance 1, correlation length 1."""

    def __init__(self, n, rng):
        self.w = rng.standard_normal((WAVES, n))
        self.phase = rng.uniform(0, 2 * np.pi, WAVES)
        self.a = np.sqrt(2 / WAVES)

    def value(self, theta):
        return self.a * np.cos(self.w @ theta + self.phase).sum()

    def grad(self, theta):
        return -self.a * np.sin(self.w @ theta + self.phase) @ self.w

    def hessian(self, theta):
        return -self.a * (self.w.T * np.cos(self.w @ theta + self.phase)) @ self.w


def critical_points(n, wanted, rng):
    """(costs, fractions of negative eigenvalues) of so many critical points, each of a random function of its own."""
    costs, negative = [], []
    while len(costs) < wanted:
        J = Waves(n, rng)
        theta = rng.standard_normal(n)
        end = optim.minimize(optim.Newton(theta, search="full"), J, 60, tolerance=1e-10, path=False)
        if end.grad_norm < 1e-9 and np.linalg.norm(theta) < 20:            # it converged, and not at infinity
            costs.append(end.value)
            negative.append((np.linalg.eigvalsh(J.hessian(theta)) < 0).mean())
    return np.array(costs), np.array(negative)


def picture(figure, found):
    left, right = figure.subplots(1, 2)
    sizes = np.array(list(found))
    minima = np.array([(negative == 0).mean() for _, negative in found.values()])
    shown = minima > 0
    counted = minima[shown] * len(found[sizes[0]][0])
    left.errorbar(sizes[shown], 1 / minima[shown] - 1, (1 / minima[shown]) / np.sqrt(counted), fmt="o-", capsize=3)
    left.set_yscale("log")
    left.set(xlabel="dimension n", ylabel="critical points that are no minimum, per minimum",
             title="minima become exponentially rare")
    for n, color, marker in zip((2, 4, sizes[-1]), COLORS, "o^s"):
        costs, negative = found[n]
        right.plot(costs, negative + 0.01 * np.sin(np.arange(len(costs))), marker, color=color, markersize=3, alpha=0.6,
                   label=f"n = {n}")
    right.set(xlabel="cost J of the critical point", ylabel="fraction of negative eigenvalues",
              title="high cost: many negative eigenvalues")
    right.legend(loc="lower right")


def main(argv=None):
    page = Page("In many dimensions critical points are saddles", argv)
    rng = np.random.default_rng(0)
    wanted, sizes = (60, (1, 2, 4)) if page.quick else (600, range(1, 7))
    found = {n: critical_points(n, wanted, rng) for n in sizes}
    print(f"{wanted} critical points for each n, found by Newton's method on random functions of {WAVES} waves")
    print("  n   minima   maxima   others per minimum   correlation of cost and negative eigenvalues")
    for n, (costs, negative) in found.items():
        minima = (negative == 0).sum()
        ratio = f"{wanted / minima - 1:18.2f}" if minima else f"{'none found':>18}"
        print(f"{n:3d} {minima:8d} {(negative == 1).sum():8d} {ratio} {np.corrcoef(costs, negative)[0, 1]:22.3f}")
    page.draw("random_saddles", picture, found)


if __name__ == "__main__":
    main()
