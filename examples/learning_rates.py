# %% [markdown]
# # Learning rates: the first one, how it falls, and what noise does to Nesterov
#
#     python examples/learning_rates.py [--quick] [--out DIR]
#
# **What it shows.** Four statements of 8.3.1 and 8.3.3.
#
# The first rate: with (8.14), linear decay until step tau to 1 % of it, the book expects the best eps_0 for the end
# of training to be higher than the one that looks best after the first 100 steps. A small network learns 300 digits
# in 300 passes; every eps_0 with three tau. Here the rule hardly shows: the two are the same on the mean, higher in
# two of five seeds, never lower. What does show is the book's other advice, a tau of a few hundred passes: J at the
# end, at the best eps_0, is 0.20 if the rate has fallen after 10 passes, 0.015 after 100 and 0.0035 after 300.
#
# Without noise Nesterov's momentum (8.3) improves the excess error of convex functions from O(1/k) to O(1/k^2). Here
# the function is a quadratic whose eigenvalues lie ever closer to 0, and the momentum rises as (k - 1)/(k + 2). With
# noise in the gradient it does not improve on plain SGD, the best of the same rates for each and decaying as in
# (8.14).
#
# SGD's excess error falls like O(1/sqrt(k)) where J is convex (J = |theta|, noise in the gradient, rate 1/sqrt(k)),
# like O(1/k) where it is strongly convex (theta^2/2, rate 1/k: theta is then exactly minus the mean of all noise so
# far, and the expected excess is variance/(2k)). With a constant rate it does not fall for ever.
#
# **What to look at.** The best eps_0 after 100 steps and at the end, for each tau and each seed. The slopes in the
# double logarithmic pictures: -1, -2; -1/2, -1, 0. The table of the noisy quadratic: the differences are far smaller
# than their spread, with a tenth of SGD's rate, as 8.17 says of a momentum of 0.9.
#
# **Try.** NOISE = 0.001: from which k on does the noise catch up with Nesterov? A tau of 10 passes only: which eps_0
# now?

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

EPS_0 = (0.3, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
TAUS = (10, 100, 300)                             # in passes
BATCH, EXAMPLES = 30, 300
NOISE = 0.1


# %%
def learn(eps_0, tau, passes, seed, x, y):
    """J on all examples (after 100 steps, at the end) of a 36-10-10 net; infinite where it diverged."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 10, rng=rng), nn.Tanh(), nn.Linear(10, 10, rng=rng))
    J = Objective(model, losses.cross_entropy, x, y)
    opt = optim.SGD(model.parameters(), lr=schedules.Linear(eps_0, 0.01 * eps_0, tau * EXAMPLES // BATCH))
    batches = data.batches(x, y, batch_size=BATCH, rng=seed)
    early = np.inf
    for _ in range(passes):
        for batch in batches:
            opt.step(Objective(model, losses.cross_entropy, *batch))
            if opt.k == 100:
                early = J.value()
    return early, J.value()


# %%
class Bowl:
    """J = sum of l theta^2/2, its gradient with or without noise; a new draw of it at every call."""

    def __init__(self, l, noise=0.0, rng=None):
        self.l, self.noise, self.rng = l, noise, rng

    def value(self, theta):
        return self.l @ theta**2 / 2

    def grad(self, theta):
        noise = self.noise * self.rng.standard_normal(len(theta)) if self.noise else 0.0
        return self.l * theta + noise


def exact_descent(steps):
    """{name: excess error before every step}: gradient descent and Nesterov momentum, rate 1/(largest eigenvalue)."""
    l = np.geomspace(1e-8, 1, 60)
    rising = {"gradient descent": 0.0, "Nesterov": lambda k: (k - 1) / (k + 2)}
    return {name: optim.minimize(optim.Nesterov(np.ones(60), lr=1.0, momentum=momentum), Bowl(l), steps).values
            for name, momentum in rising.items()}


def noisy_descent(method, lr, steps, seed):
    """Excess error at the end, the mean over the last tenth of the steps."""
    J = Bowl(np.geomspace(0.01, 1, 10), NOISE, np.random.default_rng(seed))
    opt = method(np.ones(10), lr=schedules.Linear(lr, 0.01 * lr, steps))
    late = []
    for k in range(steps):
        opt.step(J)
        if k >= 0.9 * steps:
            with opt.at_theta() as theta:
                late.append(J.value(theta))
    return np.mean(late)


METHODS = {
    "SGD": optim.SGD,
    "momentum 0.9": optim.Momentum,
    "Nesterov 0.9": optim.Nesterov,
}


# %%
class Corner:
    """J = |theta| summed over independent runs (m,), a convex function without curvature; noise of variance 1."""

    def __init__(self, rng):
        self.rng = rng

    def value(self, theta):
        return abs(theta).mean()

    def grad(self, theta):
        return np.sign(theta) + self.rng.standard_normal(len(theta))


def excess(J, rate, start, steps, runs=400):
    """Mean excess error of so many runs, before every step: one step moves them all."""
    theta, values = np.full(runs, start), []
    opt = optim.SGD(theta, lr=rate)
    for _ in range(steps):
        values.append(J.value(theta))
        opt.step(J)
    return np.array(values)


def convex(steps):
    """{name: (excess error, the law it follows)}."""
    rng = np.random.default_rng(0)
    k = np.arange(1, steps + 1)
    bowl = Bowl(np.ones(400), 1.0, rng)
    bowl.value = lambda theta: (theta**2).mean() / 2
    return {
        r"$|\theta|$, rate $1/\sqrt{k}$": (excess(Corner(rng), schedules.Power(1.0, 0.5), 1.0, steps), 1 / np.sqrt(k)),
        r"$\theta^2/2$, rate $1/k$": (excess(bowl, schedules.Inverse(1.0), 1.0, steps), 0.5 / np.maximum(k - 1, 1)),
        r"$\theta^2/2$, rate 0.1": (excess(bowl, 0.1, 1.0, steps), np.full(steps, 0.1 / (2 * (2 - 0.1)))),
    }


def slope(values, first=0.1):
    """Of log(values) over log(k), from a tenth of the steps on."""
    k = np.arange(1, len(values) + 1)
    late = k > first * len(k)
    return np.polyfit(np.log(k[late]), np.log(values[late]), 1)[0]


# %%
def picture(figure, first, exact, laws):
    rates, descent, stochastic = figure.subplots(1, 3)
    early, late = (np.array([[first[eps_0, TAUS[-1]][..., i] for eps_0 in EPS_0]])[0] for i in (0, 1))
    for values, label, color in ((early, "after 100 steps", COLORS[0]), (late, "at the end", COLORS[1])):
        rates.loglog(EPS_0, values.mean(1), "o-", color=color, label=label)
        rates.fill_between(EPS_0, values.min(1), values.max(1), color=color, alpha=0.2, linewidth=0)
        best = int(np.argmin(values.mean(1)))
        rates.plot(EPS_0[best], values.mean(1)[best], "*", color=color, markersize=14)
    rates.set(xlabel=r"$\epsilon_0$", ylabel="J (band: all seeds)", title="the first rate (star: the best)")
    rates.set_xticks(EPS_0, [f"{eps_0:g}" for eps_0 in EPS_0])
    rates.minorticks_off()
    rates.legend()
    k = np.arange(1, len(exact["Nesterov"]) + 1)
    for (name, values), color, power in zip(exact.items(), COLORS, (1, 2)):
        descent.loglog(k, values, color=color, label=name)
        guide = values[-1] * (k[-1] / k) ** power
        descent.loglog(k[len(k) // 50:], guide[len(k) // 50:], ":", color=color, label=f"$1/k^{power}$")
    descent.set(xlabel="step k", ylabel="excess error", title="without noise")
    descent.legend()
    for (name, (values, law)), color in zip(laws.items(), COLORS):
        stochastic.loglog(np.arange(1, len(values) + 1), values, color=color, label=name)
        stochastic.loglog(np.arange(1, len(values) + 1), law, ":", color=color)
    stochastic.set(xlabel="step k", ylabel="excess error, mean of 400 runs", title="SGD with noise (dotted: the law)")
    stochastic.legend()


def main(argv=None):
    page = Page("Learning rates: the first one, how it falls, and what noise does to Nesterov", argv)
    (x, y), _ = data.coarse_mnist(m=EXAMPLES)
    x -= x.mean(0)
    seeds, passes = (1, 20) if page.quick else (5, 300)
    taus = (passes,) if page.quick else TAUS
    print(f"J of a 36-10-10 net on {EXAMPLES} digits in batches of {BATCH}, {seeds} seeds; {passes} passes")
    print("tau (passes)             eps_0 = " + "".join(f"{eps_0:>9g}" for eps_0 in EPS_0) + "   best")
    first = {}
    for tau in taus:
        for eps_0 in EPS_0:
            first[eps_0, tau] = np.array([learn(eps_0, tau, passes, seed, x, y) for seed in range(seeds)])
        for i, when in enumerate(("after 100 steps", "at the end")):
            means = [first[eps_0, tau][:, i].mean() for eps_0 in EPS_0]
            each = [EPS_0[int(np.argmin([first[eps_0, tau][seed, i] for eps_0 in EPS_0]))] for seed in range(seeds)]
            print(f"{tau:6d}       {when:20}" + "".join(f"{mean:9.4f}" for mean in means)
                  + f"   {EPS_0[int(np.argmin(means))]:g} (each seed: {', '.join(f'{eps_0:g}' for eps_0 in each)})")
    if page.quick:
        first |= {(eps_0, TAUS[-1]): first[eps_0, passes] for eps_0 in EPS_0}
    exact = exact_descent(500 if page.quick else 5000)
    print("\nno noise: " + "; ".join(f"{name} falls like k^{slope(values):.2f}" for name, values in exact.items()))
    laws = convex(500 if page.quick else 5000)
    print("SGD with noise: " + "; ".join(f"{name.replace('$', '')}: k^{slope(values):.2f}"
                                         for name, (values, _) in laws.items()))
    steps, seeds, grid = (300, 3, (0.03, 0.3)) if page.quick else (2000, 10, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0))
    print(f"noisy quadratic, {steps} steps, noise {NOISE}, {seeds} seeds, best of the rates {grid}")
    for name, method in METHODS.items():
        ends = np.array([[noisy_descent(method, lr, steps, seed) for seed in range(seeds)] for lr in grid])
        best = int(np.argmin(ends.mean(1)))
        print(f"  {name:13} excess {ends[best].mean():.5f} +- {ends[best].std(ddof=1):.5f}   rate {grid[best]:g}")
    page.draw("learning_rates", picture, first, exact, laws, size=(14, 4.4))


if __name__ == "__main__":
    main()
