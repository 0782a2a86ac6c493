# %% [markdown]
# # All first-order methods on the contours of a cost, and at a saddle (sections 8.3 and 8.5)
#
#     python examples/optimizers_on_surfaces.py [--quick] [--out DIR]
#
# **What it shows.** The two animations that every survey has: the methods race down a narrow valley, and they start
# beside a saddle from which the way down is a hundred times less steep than the walls. Rates are chosen by a rule, not
# by taste: of the half-decades 0.0001, 0.0003, ... 10 each method gets, on each surface, the one with which J is lowest
# in the mean over the steps. (AdaDelta's has no unit; vSGD has none to choose; delta-bar-delta's rates grow by a tenth
# of the first.)
#
# **What to look at.** The tables. At the saddle: the step at which each method was gone. A gradient that is a hundred
# times smaller makes SGD's steps a hundred times smaller: it has not left after 100 steps, nor has momentum;
# Nesterov's takes 66, delta-bar-delta 83. A method that divides by the size of past gradients, or looks at their sign
# only, hardly notices: nearly all are gone within ten steps (AdaDelta, whose steps start tiny, takes 45). But in
# Rosenbrock's valley momentum and Nesterov's come first, and AdaGrad, first at the saddle, is near the end: no method
# is best. vSGD, which trusts |curvature| at each point, runs away on both Beale's and Rosenbrock's functions. From
# exactly on the ridge (last line) none leaves: the gradient there has no component along the way down, and 0 divided
# by anything is 0. In optimizers_on_surfaces_trace.png, the book's v, s and r: Adam's r keeps the steep start's squares
# long after the gradient has become small.
#
# Not in the race: the notes' forms of momentum and Nesterov (the same paths), AdamW (Adam where nothing decays).
#
# **Try.** SADDLE_SLOPE = 1: who needs help then? Noise on the gradient: does SGD leave the ridge? RATES[::4]: which
# methods suffer most from a coarse grid?

# %%

import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page
from minigrad.testing import problems

METHODS = {
    "SGD": optim.SGD, "Momentum": optim.Momentum, "Nesterov": optim.Nesterov,
    "AdaGrad": optim.AdaGrad, "RMSProp": optim.RMSProp, "RMSProp + Nesterov": optim.RMSPropNesterov,
    "AdaDelta": optim.AdaDelta, "Adam": optim.Adam, "AdaMax": optim.AdaMax,
    "delta-bar-delta": optim.DeltaBarDelta, "Rprop": optim.Rprop, "Rprop-": optim.RpropMinus, "vSGD": optim.VSGD,
}
RATES = np.array([1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
SADDLE_SLOPE = 0.01                               # downhill curvature at the saddle, that of the walls being 1


# %% [markdown]
# The surfaces: a formula, a start, and the part of the plane to draw. vSGD asks for more than a gradient: for each
# example's (there is one) and for the diagonal of the Hessian.

# %%
class Surface(problems.Problem):
    """A problem in the plane with a window to draw; it also answers what vSGD asks."""

    def __init__(self, problem, start, window, steps):
        super().__init__(problem.name, problem.formula, start, problem.lowest, problem.minima)
        self.value, self.value_and_grad, self.hessian = problem.value, problem.value_and_grad, problem.hessian
        self.window, self.steps = window, steps

    def example_grads(self, theta):
        return self.grad(theta)[None]

    def hessian_diagonal(self, theta, samples=None, rng=None):
        return np.diag(self.hessian(theta))


def surfaces():
    def flat_saddle(x):
        return x[0] ** 2 / 2 + SADDLE_SLOPE * (x[1] ** 4 / 4 - x[1] ** 2 / 2)

    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    a, b = 1 * c * c + 30 * s * s, 1 * s * s + 30 * c * c

    def canyon(x):
        return (a * x[0] ** 2 + b * x[1] ** 2) / 2 - 29 * c * s * x[0] * x[1]

    return {
        "canyon": Surface(problems.Problem("canyon", canyon, [-3.1, -1.2], 0.0, [[0, 0]]),
                          [-3.1, -1.2], (-3.6, 1.6, -2.4, 1.4), 60),
        "beale": Surface(problems.beale(), [1, 1], (-0.5, 4.5, -1.5, 1.5), 120),
        "rosenbrock": Surface(problems.rosenbrock(), [-1.2, 1], (-2, 2, -1, 3), 200),
        "saddle": Surface(problems.Problem("saddle", flat_saddle, [1, 0.01], -SADDLE_SLOPE / 4, [[0, 1], [0, -1]]),
                          [1, 0.01], (-1.2, 1.2, -0.5, 1.5), 100),
    }


# %% [markdown]
# A run, and the rule for the rate.

# %%
def make(name, theta, lr):
    settings = {"vSGD": {"slow": 1}, "delta-bar-delta": {"lr": lr, "kappa": lr / 10}}
    return METHODS[name](theta, **settings.get(name, {"lr": lr}))


def path_of(name, J, lr, start=None):
    """The points visited, (steps + 1, 2); fewer if J overflows."""
    with np.errstate(over="ignore"):              # too large a rate is part of the search
        return optim.minimize(make(name, np.array(J.start if start is None else start), lr), J, J.steps, path=True).path


def best_runs(J, rates):
    """name -> (rate, path) with the lowest mean of J over the steps."""
    runs = {}
    for name in METHODS:
        tried = [(lr, path_of(name, J, lr)) for lr in (rates if name != "vSGD" else [np.nan])]
        means = [np.mean([J.value(theta) for theta in path]) if len(path) == J.steps + 1 else np.inf
                 for _, path in tried]
        runs[name] = tried[int(np.argmin(means))]
    return runs


def left_at(path):
    """"at step k" for the first k with |y| above 0.5, half-way to the minimum; "no" if there is none."""
    gone = np.flatnonzero(np.abs(path[:, 1]) > 0.5)
    return f"at step {gone[0]}" if len(gone) else "no"


def table(name, J, runs):
    print(f"\n{name}: from ({J.start[0]:g}, {J.start[1]:g}), J = {J.value(J.start):.4g}, lowest {J.lowest:g}; "
          f"after {J.steps} steps")
    saddle = name == "saddle"
    print(f"  {'method':20}{'lr':>8}  {'where':>19}  {'J - lowest':>10}  {'left the saddle' if saddle else 'distance'}")
    for method, (lr, path) in sorted(runs.items(), key=lambda run: J.value(run[1][1][-1])):
        end, rate = path[-1], "-" if np.isnan(lr) else f"{lr:g}"
        if not np.abs(end).max() < 1000:
            print(f"  {method:20}{rate:>8}  diverged")
            continue
        distance = min(np.linalg.norm(end - minimum) for minimum in J.minima)
        last = left_at(path) if saddle else f"{distance:.2e}"
        print(f"  {method:20}{rate:>8}  ({end[0]:8.4f}, {end[1]:8.4f})  "
              f"{J.value(end) - J.lowest:10.2e}  {last}")


def ridge(J, runs):
    """Who leaves when the start has y = 0 exactly?"""
    gone = [name for name, (lr, _) in runs.items() if np.any(path_of(name, J, lr, [1.0, 0.0])[:, 1] != 0)]
    print(f"\nstarted on the ridge, (1, 0), of {len(runs)} methods {len(gone)} left it")


# %% [markdown]
# The book's symbols over the steps: `with opt.trace() as history` records theta, g and every state array.

# %%
def traces(J, runs):
    """{method: history} for Momentum (v) and Adam (s, r), at their rates on this surface."""
    found = {}
    for name in ("Momentum", "Adam"):
        opt = make(name, J.start.copy(), runs[name][0])
        with opt.trace() as history:
            optim.minimize(opt, J, J.steps)
        found[name] = history
    return found


# %% [markdown]
# Small multiples: a family of methods in each row, a surface in each column.

# %%
FAMILIES = {
    "one rate for all": ("SGD", "Momentum", "Nesterov"),
    "a rate for each, from squared gradients": ("AdaGrad", "RMSProp", "RMSProp + Nesterov"),
    "the same, with units or moments": ("AdaDelta", "Adam", "AdaMax"),
    "from signs, or from curvature": ("delta-bar-delta", "Rprop", "Rprop-", "vSGD"),
}
DASHES = ("-", "--", "-.", ":")


def contours(ax, J, title):
    """The surface: levels by equal shares of the window, so that flat parts show as well. A triangle where the methods
    start, a star at each minimum."""
    left, right, low, high = J.window
    x, y = np.meshgrid(np.linspace(left, right, 100), np.linspace(low, high, 100))
    Z = np.array([J.value(point) for point in np.stack([x.ravel(), y.ravel()], axis=1)]).reshape(x.shape)
    ax.contour(x, y, Z, levels=np.unique(np.quantile(Z, np.linspace(0, 1, 26) ** 1.5)), colors="0.75", linewidths=0.7)
    for minimum in J.minima:
        ax.plot(*minimum, "k*", markersize=11, zorder=5)
    ax.plot(*J.start, "k^", markersize=8, zorder=5)
    ax.set(xlim=(left, right), ylim=(low, high), title=title, xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")


def outside(ax):
    """Name the axes at the left and at the bottom only; numbers stay wherever the windows differ."""
    place = ax.get_subplotspec()
    if not place.is_first_col():
        ax.set_ylabel("")
    if not place.is_last_row():
        ax.set_xlabel("")


def still(figure, all_surfaces, found):
    figure.suptitle("triangles: start, stars: minima, dots: where each method is after the last step")
    axes = figure.subplots(len(FAMILIES), len(all_surfaces), sharex="col", sharey="col")
    for row, (family, methods) in zip(axes, FAMILIES.items()):
        for ax, (name, J) in zip(row, all_surfaces.items()):
            contours(ax, J, f"{name}: {J.steps} steps" if family == next(iter(FAMILIES)) else "")
            for method, color, dash in zip(methods, COLORS, DASHES):
                points = found[name][method][1]
                ax.plot(*points.T, dash, color=color, linewidth=1.4, label=method)
                ax.plot(*points[-1], "o", color=color, markersize=5)
            outside(ax)
        row[0].set_ylabel(f"{family}\n" + r"$\theta_2$", fontsize=12)
        row[0].legend(loc="lower right", fontsize=8)


def courses(figure, histories):
    axes = figure.subplots(2, 2, sharex="col")
    for column, (name, shown) in enumerate({"Momentum": ["g", "v"], "Adam": ["g", "s", "r"]}.items()):
        history = histories[name]
        steps = np.arange(1, len(history) + 1)
        for row, ax in enumerate(axes[:, column]):
            for symbol in shown:
                ax.plot(steps, history[symbol][:, row], label=symbol)
            ax.set_yscale("symlog", linthresh=1e-2)
            ax.grid(color="0.9")
            ax.set_ylabel(rf"entries for $\theta_{row + 1}$ (linear within 0.01)")
        axes[0, column].set_title(f"{name}, lr = {history['lr'][0]:g}", loc="left")
        axes[0, column].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
        axes[1, column].set_xlabel("step")
    figure.suptitle("the gradient and the state on Beale's function")


def animate(all_surfaces, found, frames, path):
    """Beale's function and the saddle, a column for each family, as a GIF."""
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 7.2), layout="constrained")
    axes = figure.subplots(2, len(FAMILIES), sharex="row", sharey="row")
    moving = []
    for row, name in zip(axes, ("beale", "saddle")):
        J = all_surfaces[name]
        for ax, (family, methods) in zip(row, FAMILIES.items()):
            contours(ax, J, "")
            for method, color, dash in zip(methods, COLORS, DASHES):
                line, = ax.plot([], [], dash, color=color, linewidth=1.6, label=method)
                dot, = ax.plot([], [], "o", color=color, markersize=7)
                moving.append((row[0], name, found[name][method][1], line, dot))
            if name == "beale":
                ax.set_title(family)
                ax.legend(loc="lower right", fontsize=9)
            outside(ax)

    def show(frame):
        for first, name, points, line, dot in moving:
            k = round(frame / (frames - 1) * all_surfaces[name].steps)
            line.set_data(*points[:k + 1].T)
            dot.set_data(*points[min(k, len(points) - 1)][:, None])
            first.set_ylabel(f"{name}, step {k}\n" + r"$\theta_2$", fontsize=12)
        return []

    FuncAnimation(figure, show, frames=frames).save(path, writer=PillowWriter(fps=8), dpi=64)
    print(f"wrote {path}")


def main(argv=None):
    page = Page("All first-order methods on contours and at a saddle", argv)
    all_surfaces, found = surfaces(), {}
    for name, J in all_surfaces.items():
        if page.quick:
            J.steps //= 5
        found[name] = best_runs(J, RATES[4:9:2] if page.quick else RATES)
        table(name, J, found[name])
    ridge(all_surfaces["saddle"], found["saddle"])
    histories = traces(all_surfaces["beale"], found["beale"])
    if page.draw("optimizers_on_surfaces", still, all_surfaces, found, size=(16, 14.5)):
        page.draw("optimizers_on_surfaces_trace", courses, histories, size=(11, 6))
        animate(all_surfaces, found, 4 if page.quick else 50, page.out / "optimizers_on_surfaces.gif")


if __name__ == "__main__":
    main()
