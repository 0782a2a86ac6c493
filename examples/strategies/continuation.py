"""Continuation by blurring (8.7.6, equation 8.40): a series of ever sharper functions, and the three ways it fails.

What it shows: a function of 10 variables with waves of three lengths on a wide bowl, whose lowest minimum is known.
Local descent stops in the first trough. Descent on the function blurred by Gaussian noise, then on less and less
blurred ones, ends far lower, since each is a good start for the next. Blurring is done in closed form here (a cosine of
frequency a loses the factor exp(-a^2 sigma^2 / 2)) and by sampling, as for a function of which nothing is known.
Simulated annealing, which lives through the noise instead of averaging over it, gets as many evaluations as sampling,
and the best of four schedules.
What to look at: J above the lowest minimum, against the number of functions in the series: few lose the track, many
cost more (the first failure). Sampling keeps ripples of its own, unless it has very many samples; beside it, annealing.
Above, J(t) is drawn for falling sigma, the dots follow the minimum: left it leads home; in the middle the function
stays concave (the second failure); right it leads into the wide well and not into the deep one (the third).
Try: SAMPLES = 20, WAVES of more lengths, or a largest sigma of 1 in `sigmas`.

Run: python examples/strategies/continuation.py [--quick] [--out DIR]
"""

import numpy as np

from minigrad import optim, strategies
from minigrad.figures.page import Page

N, STARTS, SEEDS, STAGES, SAMPLES = 10, 10, 3, (1, 2, 4, 8, 16), 100
WAVES = ((0.5, 6.0), (2.0, 1.5), (7.0, 0.45))             # frequency a and height h of h (1 - cos(a t - phase))
BOWL = 0.02
SCHEDULES = ((2, 0.3), (2, 1), (10, 0.3), (10, 1))         # of annealing: first temperature and step; the best counts


class Waves:
    """sum over the coordinates of BOWL t^2 + h (1 - cos(a t - phase)) for each wave, blurred by sigma in closed form.

    E cos(a t' - phase) = exp(-a^2 sigma^2 / 2) cos(a t - phase), and E t'^2 = t^2 + sigma^2.
    """

    def __init__(self, phases, sigma=0.0):
        self.phases, self.sigma = phases, sigma
        a, h = np.array(WAVES).T
        self.a, self.h = a[:, None], (h * np.exp(-(a * sigma)**2 / 2))[:, None]
        self.floor = phases.shape[1] * (BOWL * sigma**2 + np.sum(h) - np.sum(self.h))

    def each(self, t):
        return BOWL * t * t + np.sum(self.h * (1 - np.cos(self.a * t - self.phases)), axis=0)

    def value(self, theta):
        return float(np.sum(self.each(theta)) + self.floor)

    def grad(self, theta):
        return 2 * BOWL * theta + np.sum(self.h * self.a * np.sin(self.a * theta - self.phases), axis=0)

    def lowest(self):
        """The least value, coordinate by coordinate on a fine grid."""
        grid = np.linspace(-15, 15, 60_001)
        return sum(Waves(self.phases[:, i:i + 1]).each(grid).min() for i in range(self.phases.shape[1]))


class Concave:
    """-theta'theta, the book's example of what no blurring helps."""

    def value(self, theta):
        return float(-theta @ theta)

    def grad(self, theta):
        return -2 * theta


def sigmas(stages):
    """From 6 down to 0.15, evenly by ratio."""
    return np.geomspace(6.0, 0.15, stages) if stages > 1 else np.array([1.0])


def lbfgs(theta):
    return optim.LBFGS(theta)


def measure(seeds, starts, stages, samples):
    """name -> (seeds, starts) of J above the lowest, and name -> evaluations of J per start."""
    above, work = {}, {}

    def note(name, seed, J, value, evaluations):
        above.setdefault(name, [[] for _ in range(seeds)])[seed].append(value - J.least)
        work.setdefault(name, []).append(evaluations)

    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        J = Waves(rng.uniform(0, 2 * np.pi, (len(WAVES), N)))
        J.least = J.lowest()
        for _ in range(starts):
            start = rng.uniform(-12, 12, N)
            alone = optim.minimize(lbfgs(start.copy()), J, 200, tolerance=1e-6)
            note("descent alone", seed, J, alone.value, alone.evaluations)
            for k in stages:
                series = [*(Waves(J.phases, sigma) for sigma in sigmas(k)), J]
                found = strategies.continuation(series, start.copy(), lbfgs, 200, 1e-6)
                spent = sum(one.evaluations for one in found.stages)
                note(f"{k} blurred function{'s' * (k > 1)}", seed, J, found.value, spent)
        for _ in range(max(2, starts // 5)):              # sampling is dearer: fewer starts
            start = rng.uniform(-12, 12, N)
            series = strategies.blurred(J, sigmas(8), samples, rng=seed)
            found = strategies.continuation(series, start.copy(), lbfgs, 30, 1e-2)
            spent = samples * sum(one.evaluations for one in found.stages[:-1]) + found.stages[-1].evaluations
            note(f"8, by {samples} samples", seed, J, found.value, spent)
            for hottest, step in SCHEDULES:
                cooling = np.geomspace(hottest, 0.02, spent)
                walk = strategies.simulated_annealing(J, start.copy(), cooling, step, rng=seed)
                end = optim.minimize(lbfgs(walk.theta), J, 200, tolerance=1e-6)
                note((hottest, step), seed, J, end.value, spent)
    best = min(SCHEDULES, key=lambda schedule: np.mean(above[schedule]))
    for results in (above, work):
        results["simulated annealing"] = results[best]
        for schedule in SCHEDULES:
            del results[schedule]
    return {name: np.array(value) for name, value in above.items()}, {name: np.mean(n) for name, n in work.items()}


# ------------------------------------------------------------------------------------------- pictures in one variable

def waves(t, sigma):
    phases = np.array([[0.4], [2.0], [1.0]])
    return Waves(phases, sigma).each(t)


def hill(t, sigma):
    return -t * t - sigma**2


def two_wells(t, sigma):
    """A wide well at -2 and a deeper, narrow one at 2: a well of width w and depth d becomes one of s and d w/s."""
    J = np.zeros_like(t)
    for depth, centre, w in ((1.0, -2.0, 1.0), (1.5, 2.0, 0.2)):
        s = np.hypot(w, sigma)
        J -= depth * w / s * np.exp(-(t - centre)**2 / (2 * s * s))
    return J


def follow(J, levels, t):
    """The local minimum of J on the grid t, from the lowest point of the most blurred one, sigma by sigma."""
    at, path = int(np.argmin(J(t, levels[0]))), []
    for sigma in levels:
        values = J(t, sigma)
        while 0 < at < len(t) - 1 and min(values[at - 1], values[at + 1]) < values[at]:
            at += -1 if values[at - 1] < values[at + 1] else 1
        path.append(at)
    return path


def picture(figure, above, work, stages):
    from matplotlib import colormaps
    panels = figure.subplot_mosaic([["good", "hill", "wells"], ["bars"] * 3], height_ratios=[1.25, 1])
    panels = [panels[name] for name in ("good", "hill", "wells", "bars")]
    for axes, title, J, reach, levels in zip(
            panels, ("it works: the track leads to the lowest minimum", "2nd failure: concave for every blur",
                     "3rd failure: the track leads to another minimum"),
            (waves, hill, two_wells), (14, 4, 6), ((6, 3, 1.5, 0.8, 0.4, 0), (3, 2, 1, 0), (3, 2, 1, 0.6, 0.3, 0))):
        t = np.linspace(-reach, reach, 4001)
        height = np.ptp(J(t, levels[-1]))
        track = follow(J, levels, t) if J is not hill else [None] * len(levels)
        for i, (sigma, at) in enumerate(zip(levels, track)):
            up = 0.45 * height * (len(levels) - 1 - i)
            values = J(t, sigma) - J(t, sigma).max() + up
            axes.plot(t, values, color=colormaps["cividis"](0.85 - 0.85 * i / (len(levels) - 1)), linewidth=1.5)
            axes.annotate(rf"$\sigma$ = {sigma:g}", (t[-1], values[-1]), (4, 0), textcoords="offset points",
                          va="center", fontsize=9, annotation_clip=False)
            if at is not None:
                axes.plot(t[at], values[at], "o", color="#D55E00", markersize=7, zorder=3)
        axes.set(title=title, xlabel="t", yticks=[])
        axes.title.set_fontsize(11)
    panels[0].set_ylabel("J blurred, shifted up")
    axes = panels[3]
    names = list(above)
    colors = ["#666666"] + ["#0072B2"] * len(stages) + ["#56B4E9", "#E69F00"]
    for i, (name, color) in enumerate(zip(names, colors)):
        means = above[name].mean(axis=1)
        axes.bar(i, means.mean(), color=color, width=0.7)
        axes.plot(np.full(len(means), i), means, "k.", markersize=6)
        axes.annotate(f"{work[name]:,.0f}", (i, means.max()), (0, 6), textcoords="offset points", ha="center",
                      fontsize=9)
    axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    axes.set(ylabel="J above the lowest minimum", ylim=(0, 1.15 * max(a.mean(axis=1).max() for a in above.values())),
             title=f"{N} variables: mean over starts (dots: one function each); above, evaluations of J for one start")


def main(argv=None):
    page = Page(__doc__, argv)
    seeds, starts, stages, samples = (2, 3, (1, 4), 10) if page.quick else (SEEDS, STARTS, STAGES, SAMPLES)
    above, work = measure(seeds, starts, stages, samples)
    print(f"{N} variables, waves of {len(WAVES)} lengths, {seeds} functions   J above the lowest   evaluations of J")
    for name, values in above.items():
        means = values.mean(axis=1)
        print(f"{name:48}{means.mean():8.2f} +- {means.std():.2f}{work[name]:17,.0f}")
    theta, sigma = np.array([0.3, -1.0]), 10.0
    hill_blurred = strategies.Blurred(Concave(), sigma, 100, rng=0)
    print(f"\n-theta'theta blurred by sigma = {sigma:g}: its gradient {hill_blurred.grad(theta)}, without: "
          f"{Concave().grad(theta)}: concave as before")
    page.draw("continuation", picture, above, work, stages, size=(12, 8))


if __name__ == "__main__":
    main()
