# %% [markdown]
# # Damped Newton: alpha from 0 to infinity
#
#     python examples/damping.py [--quick] [--out DIR]
#
# **What it shows.** Equation 8.28 adds alpha to every eigenvalue of the Hessian. With alpha = 0 the step is Newton's,
# which beside a saddle leads to the saddle; just below minus the lowest eigenvalue the matrix is singular and the step
# without bound; above it the step goes down; and as alpha grows it turns into the direction of -g while its length
# shrinks like |g|/alpha: gradient descent with a tiny rate. The function has two parameters: a tanh(b x) is fitted to
# points, so that a and b may change their signs together: two minima, with a saddle at 0 between them.
#
# Then alpha is held constant for a whole run from many starts: what it buys in safety it costs in speed, which is why
# methods that move alpha exist: DampedNewton itself (adaptive), and Levenberg-Marquardt, which for sums of squares
# damps the Gauss-Newton matrix. That is never indefinite, so a little damping suffices (one of its 50 runs comes to
# rest at the saddle all the same).
#
# **What to look at.** The first table: the angle to -g goes to 0, alpha |d| to |g|. The second: with alpha = 0 the runs
# end where g = 0, in most cases at the saddle; with a large alpha all that end are minima, but many steps later.
#
# **Try.** START = (0.05, 0.3): how far does the step go just above and just below minus the lowest eigenvalue?
# optim.SaddleFreeNewton, which needs no alpha at all.

# %%
import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page

START = np.array([0.15, 0.3])
X = np.linspace(-2, 2, 21)
Y = np.tanh(1.2 * X) + 0.1 * np.sin(7 * X)


# %%
class Fit:
    """J(a, b) = mean of (a tanh(b x) - y)^2, theta = (a, b)."""

    def residuals(self, theta):
        return theta[0] * np.tanh(theta[1] * X) - Y

    def jacobian(self, theta):
        t = np.tanh(theta[1] * X)
        return np.stack([t, theta[0] * X * (1 - t * t)], axis=1)

    def value(self, theta):
        return np.square(self.residuals(theta)).mean()

    def grad(self, theta):
        return 2 * self.residuals(theta) @ self.jacobian(theta) / len(X)

    def hessian(self, theta):
        """2/m (A'A + sum of r times the Hessian of r)."""
        A, r, t = self.jacobian(theta), self.residuals(theta), np.tanh(theta[1] * X)
        mixed = r @ (X * (1 - t * t))
        bent = r @ (-2 * theta[0] * X * X * t * (1 - t * t))
        return 2 * (A.T @ A + [[0, mixed], [mixed, bent]]) / len(X)


def step_from(start, alpha):
    """The step d (2,) of 8.28 with this alpha; of Newton's method for alpha = 0."""
    theta = start.copy()
    method(alpha)(theta).step(Fit())
    return theta - start


def method(alpha):
    if alpha == 0:
        return lambda theta: optim.Newton(theta, search="full")
    return lambda theta: optim.DampedNewton(theta, damping=alpha, adaptive=False)


def run(opt, steps):
    """(steps made, outcome): "minimum", "saddle" or "neither"."""
    end = optim.minimize(opt, Fit(), steps, tolerance=1e-4)
    if end.reason != "tolerance" or abs(end.theta).max() > 10:         # the plateau far out is flat, not a minimum
        return end.steps, "neither"
    return end.steps, "minimum" if np.linalg.eigvalsh(Fit().hessian(end.theta))[0] > 0 else "saddle"


# %%
def picture(figure, steps, runs, alphas):
    surface, speed = figure.subplots(1, 2)
    a, b = np.meshgrid(np.linspace(-0.4, 1.3, 120), np.linspace(-0.4, 2.1, 120))
    J = np.array([[Fit().value((p, q)) for p, q in zip(*rows)] for rows in zip(a, b)])
    surface.contour(a, b, J, levels=np.geomspace(J.min() * 1.1, J.max(), 18), colors="0.75", linewidths=0.8)
    ends = START + steps
    inside = (abs(steps) < 3).all(1)
    surface.plot(*ends[inside].T, "o-", color=COLORS[0], markersize=3, linewidth=0.8,
                 label=r"ends of steps, $\alpha > -\lambda_{min}$")
    surface.plot(*(START + step_from(START, 0)), "s", color=COLORS[1], label=r"Newton's step, $\alpha = 0$")
    surface.plot(*START, "k*", markersize=11, label="start")
    surface.plot(0, 0, "kx", markersize=8, label="saddle")
    low = optim.minimize(optim.DampedNewton(START.copy()), Fit(), 100, tolerance=1e-10).theta
    surface.plot(*low, "k^", label="minimum")
    surface.set(xlabel="a", ylabel="b", xlim=(-0.4, 1.3), ylim=(-0.4, 2.1), title="one step, by alpha")
    surface.legend(loc="upper left")
    share = [np.mean([outcome == "minimum" for _, outcome in runs[alpha]]) for alpha in alphas]
    counts = [np.median([count for count, outcome in runs[alpha] if outcome == "minimum"] or [np.nan])
              for alpha in alphas]
    places = range(len(alphas))
    speed.bar(places, np.array(share) * 100, color=COLORS[5], width=0.6)
    speed.set(xticks=places, xticklabels=[f"{alpha:g}" for alpha in alphas], xlabel=r"$\alpha$, constant",
              ylabel="% of the runs that end in a minimum (bars)", ylim=(0, 109), title="whole runs")
    right = speed.twinx()
    right.semilogy(places, counts, "o-", color=COLORS[1])
    right.set_ylabel("steps until there, median (points)", color=COLORS[1])


def main(argv=None):
    page = Page("Damped Newton: alpha from 0 to infinity", argv)
    J, g = Fit(), Fit().grad(START)
    lowest = np.linalg.eigvalsh(J.hessian(START))[0]
    print(f"one step from a, b = {START[0]:g}, {START[1]:g}; lowest eigenvalue of H {lowest:.3f}, |g| = "
          f"{np.linalg.norm(g):.4f}, J = {J.value(START):.4f}")
    print("  alpha   |d|         alpha |d|   angle to -g   J after the step")
    for alpha in (0, 0.3, 0.9, 1.1, 1.5, 3, 10, 100, 1000):
        d = step_from(START, alpha)
        angle = np.degrees(np.arccos(np.clip(-d @ g / np.linalg.norm(d) / np.linalg.norm(g), -1, 1)))
        print(f"{alpha:7g}   {np.linalg.norm(d):<10.4g}  {alpha * np.linalg.norm(d):<9.4f}  {angle:8.2f}      "
              f"{J.value(START + d):.4f}")
    rng = np.random.default_rng(0)
    starts = rng.uniform(-1.5, 1.5, (10 if page.quick else 50, 2))
    limit = 100 if page.quick else 300
    alphas = (0, 0.1, 0.3, 1, 3)
    named = {f"alpha = {alpha:g}": method(alpha) for alpha in alphas}
    named |= {"alpha adaptive": optim.DampedNewton, "Levenberg-Marquardt": optim.LevenbergMarquardt}
    print(f"\n{len(starts)} starts in [-1.5, 1.5]^2, at most {limit} steps")
    print("                        minimum   saddle   neither   steps to the minimum: median, worst")
    runs = {}
    for name, make in named.items():
        ends = [run(make(start.copy()), limit) for start in starts]
        counts = [count for count, outcome in ends if outcome == "minimum"]
        shares = [sum(outcome == kind for _, outcome in ends) for kind in ("minimum", "saddle", "neither")]
        print(f"{name:20}" + "".join(f"{share:10d}" for share in shares)
              + (f"{np.median(counts):14.0f} {max(counts):8d}" if counts else ""))
        runs[name] = ends
    curve = np.array([step_from(START, alpha) for alpha in -lowest + np.geomspace(0.05, 1000, 60)])
    page.draw("damping", picture, curve, {alpha: runs[f"alpha = {alpha:g}"] for alpha in alphas}, alphas,
              size=(12, 5))


if __name__ == "__main__":
    main()
