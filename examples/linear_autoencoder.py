# %% [markdown]
# # Linear autoencoders: saddles everywhere, and gradient flow leaves them
#
#     python examples/linear_autoencoder.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.2.3 cites Baldi and Hornik (1989): an autoencoder without nonlinearities, x A B, has
# global minima and saddles but no bad minima. Its critical points are known: each is the projection on some of the
# principal components, at most p of them, and its cost is half the sum of the other eigenvalues of the data's
# covariance. Here all of them are written down (n = 5, p = 2: 16 critical points up to a change of the code's basis),
# and the Hessian is taken at each.
#
# Gradient flow is repelled by saddles (Goodfellow et al. 2015, in the same section): the distance from a saddle, in a
# direction of curvature -l, grows like exp(l t). Newton's method is attracted, whatever the curvature.
#
# **What to look at.** The table: only the projection on the leading components has no negative eigenvalue. The
# straight lines of the distance, and their slope. In the end every run of gradient descent stands at the global
# minimum: the printed largest distance from its cost. Newton's full steps from there: 13 of 15 runs end at a saddle,
# none at the minimum.
#
# **Try.** Two equal eigenvalues in EIGENVALUES: what is the set of minima now? p = 5: are there still saddles?

# %%
from itertools import combinations

import numpy as np

from minigrad import Objective, losses, nn, optim
from minigrad.figures.page import COLORS, Page

EIGENVALUES = np.array([5.0, 3.0, 2.0, 1.0, 0.5])
N, CODE = 5, 2


# %%
def problem():
    """x (50, 5) whose covariance has exactly EIGENVALUES, its principal components as columns."""
    rng = np.random.default_rng(0)
    x = np.linalg.qr(rng.standard_normal((50, N)))[0] * np.sqrt(50)                 # x'x/50 = I
    Q = np.linalg.qr(rng.standard_normal((N, N)))[0]
    return x @ np.diag(np.sqrt(EIGENVALUES)) @ Q.T, Q


def objective(x):
    """J = half the mean squared distance between x and x A B, and its parameters."""
    model = nn.Sequential(nn.Linear(N, CODE, bias=False, rng=0, dtype=np.float64),
                          nn.Linear(CODE, N, bias=False, rng=1, dtype=np.float64))

    def half_squared_distance(y, target):
        return losses.mean_squared_error(y, target) * (N / 2)

    return Objective(model, half_squared_distance, x, x)


def critical_points(Q):
    """{which components: theta} of every critical point with A = B' (up to the basis of the code)."""
    found = {}
    for size in range(CODE + 1):
        for chosen in combinations(range(N), size):
            A = np.zeros((N, CODE))
            A[:, :size] = Q[:, chosen]
            found[chosen] = np.concatenate([A.ravel(), A.T.ravel()])
    return found


def expected_cost(chosen):
    return (EIGENVALUES.sum() - EIGENVALUES[list(chosen)].sum()) / 2


def away(J, theta, steps, lr, seed):
    """Distance from the critical point theta and J after every step, from 1e-6 beside it."""
    rng = np.random.default_rng(seed)
    J.parameters.theta[:] = theta + 1e-6 * rng.standard_normal(len(theta)) / np.sqrt(len(theta))
    opt, rows = optim.SGD(J.parameters, lr=lr), []
    for _ in range(steps):
        value = float(opt.step(J))
        rows.append((np.linalg.norm(J.parameters.theta - theta), value))
    return np.array(rows)


def by_newton(J, theta, seed, steps=20):
    """J and |g| at the end of Newton's full steps from 0.01 beside the critical point."""
    rng = np.random.default_rng(seed)
    J.parameters.theta[:] = theta + 0.01 * rng.standard_normal(len(theta)) / np.sqrt(len(theta))
    optim.minimize(optim.Newton(J.parameters, search="full"), J, steps, path=False)
    return J.value(), np.linalg.norm(J.grad())


# %%
def picture(figure, points, signs, runs, lr):
    spectrum, repelled, cost = figure.subplots(1, 3)
    for J, negative in signs.values():
        spectrum.plot(negative, J, "*" if negative == 0 else "o", color=COLORS[1] if negative == 0 else COLORS[0],
                      markersize=13 if negative == 0 else 6)
    spectrum.set(xlabel="negative eigenvalues of H", ylabel="J", title="all critical points: the one minimum is a star")
    for (chosen, (rows, l)), color in zip(runs.items(), COLORS):
        name = "components " + (", ".join(str(i + 1) for i in chosen) or "none")
        k = lr * np.arange(1, len(rows) + 1)
        repelled.semilogy(k, rows[:, 0], color=color, label=name)
        straight = rows[0, 0] * np.exp(l * (k - k[0]))
        inside = straight < 0.3
        repelled.semilogy(k[inside], straight[inside], ":", color="black", linewidth=1)
        cost.plot(k, rows[:, 1], color=color, label=name)
    repelled.plot([], [], ":", color="black", label="growth exp(l t)")
    repelled.set(xlabel="t = steps times lr", ylabel="distance from the saddle", title="gradient descent is repelled")
    repelled.legend(loc="lower right")
    cost.axhline(expected_cost(range(CODE)), color="0.6", linestyle=":", linewidth=1)
    cost.set(xlabel="t = steps times lr", ylabel="J", title="and ends at the minimum (dotted)")
    cost.legend()


def main(argv=None):
    page = Page("Linear autoencoders: saddles everywhere, and gradient flow leaves them", argv)
    x, Q = problem()
    J, points, signs = objective(x), critical_points(Q), {}
    print("components   J, expected J        |g|      negative eigenvalues, smallest")
    for chosen, theta in points.items():
        l = np.linalg.eigvalsh(J.hessian(theta))
        value, g = J.value(theta), J.grad(theta)
        signs[chosen] = value, int(np.sum(l < -1e-9))
        print(f"  {', '.join(str(i + 1) for i in chosen):10} {value:.4f} {expected_cost(chosen):.4f}   "
              f"{np.linalg.norm(g):.1e}   {signs[chosen][1]:2d} {l[0]:8.4f}")
    steps, lr, runs, last = 100 if page.quick else 4000, 0.02, {}, []
    for chosen in ((), (2,), (1, 2), (0, 2), (3, 4)):
        l = -np.linalg.eigvalsh(J.hessian(points[chosen]))[0]
        for seed in range(3):
            rows = away(J, points[chosen], steps, lr, seed)
            runs.setdefault(chosen, (rows, l))
            last.append(rows[-1, 1] - expected_cost(range(CODE)))
    print(f"gradient descent from beside 5 saddles, 3 starts each: J at most {max(last):.1e} above the minimum")
    ends = [by_newton(J, points[chosen], seed) for chosen in runs for seed in range(3)]
    least = expected_cost(range(CODE))
    stuck = sum(g < 1e-6 and least + 0.1 < J for J, g in ends)
    print(f"Newton's full steps from there: {stuck} of {len(ends)} runs to a saddle (g = 0, J more than 0.1 above the "
          f"minimum); lowest J {min(J for J, _ in ends):.3f}, minimum {least:.3f}")
    page.draw("linear_autoencoder", picture, points, signs, runs, lr, size=(14, 4.4))


if __name__ == "__main__":
    main()
