# %% [markdown]
# # How exact must a line search be?
#
#     python examples/line_search_accuracy.py [--quick] [--out DIR]
#
# **What it shows.** Three statements of section 8.6. First: BFGS does not depend heavily on a search that comes close
# to the minimum along the line, conjugate gradients do. Logistic regression of digits (one minimum, so that all end in
# the same place) is trained with the strong Wolfe search; c2 says how much of the slope may be left: 0.9 accepts nearly
# any point, 0.01 only the bottom. What counts is evaluations of J, and an exact search spends more of them per step.
#
# Second: the same on a quadratic, where the exact step is known, and is missed on purpose by a fixed factor. With the
# exact step both need about as many steps as there are dimensions. BFGS tolerates, but it is not immune.
#
# Third: conjugate gradients on a small network, after 0, 20 and 100 steps of SGD on minibatches of 30 out of 600, which
# cost as much as 0, 1 and 5 evaluations of J and are counted. The first weights are large (10 times the usual), so that
# the start is far from anything quadratic; scaled conjugate gradients (no line search at all) beside it.
#
# **What to look at.** The first table: Fletcher-Reeves at c2 = 0.9 against 0.1, three times the evaluations, and so
# erratic that digits changed by 1e-9 gave 161 of them in place of 301; Polak-Ribiere, which does not suffer
# but gains nothing either; and BFGS, whose *best* c2 is 0.9. The second: how much a miss by 10 % costs everybody, and
# that a step too long by half hurts Polak-Ribiere most. The last one: the gain by SGD first, its spread, and that most
# of it is early: on the right the curves come together again.
#
# **Try.** optim.LBFGS in BFGS's place. optim.ConjugateGradient(reset=5), the book's occasional resets: what do they
# cost with an exact search, and what do they save with a sloppy one?

# %%
from functools import partial

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page
from minigrad.optim import linesearch

# Powell's restarts (orthogonality) are off: they are a remedy for sloppy searches, and the patient is to be seen.
METHODS = {
    "CG, Fletcher-Reeves": partial(optim.ConjugateGradient, beta=optim.fletcher_reeves, orthogonality=np.inf),
    "CG, Polak-Ribiere": partial(optim.ConjugateGradient, beta=optim.polak_ribiere, orthogonality=np.inf),
    "BFGS": optim.BFGS,
}
C2 = (0.9, 0.5, 0.1, 0.01)
FACTORS = (1, 0.9, 1.1, 0.7, 1.3, 0.5, 1.5)
SGD_STEPS = (0, 20, 100)
BATCH, EXAMPLES = 30, 600


# %%
def digits():
    """(x (m, 36), y (m,)): 6 x 6 pixels, each with mean 0."""
    (x, y), _ = data.coarse_mnist(m=2000, dtype=np.float64)
    return x - x.mean(0), y


def regression(method, c2, x, y):
    """The Result of logistic regression with a little weight decay, down to |g| = 1e-5."""
    model = nn.Linear(36, 10, weights=init.zeros, dtype=np.float64)
    J = Objective(model, losses.cross_entropy, x, y, regularizer=partial(nn.regularize.l2, strength=3e-3, on="all"))
    search = partial(linesearch.strong_wolfe, c2=c2)
    return optim.minimize(method(model.parameters(), search=search), J, 2000, tolerance=1e-5)


# %%
class Bowl:
    """J = theta.H theta/2, eigenvalues of H from 1 to `condition` in equal ratios, random axes."""

    def __init__(self, n, condition, rng):
        Q = init.orthogonal((n, n), rng=rng, dtype=np.float64)
        self.H = (Q * np.geomspace(1, condition, n)) @ Q.T

    def value(self, theta):
        return theta @ self.H @ theta / 2

    def grad(self, theta):
        return self.H @ theta

    def hvp(self, theta, v):
        return self.H @ v


def missed(phi, step=1.0, factor=1.0):
    """A line search that goes `factor` times as far as the minimum of the quadratic is."""
    t = factor * linesearch.exact(phi).step
    return linesearch.Found(t, *phi.value_and_slope(t), 1, "exact", True)


def quadratic_steps(method, factor, seed, n=20):
    """Steps until the gradient is 1e-6 of the first."""
    rng = np.random.default_rng(seed)
    J, theta = Bowl(n, 100, rng), rng.standard_normal(n)
    opt = method(theta, search=partial(missed, factor=factor))
    return optim.minimize(opt, J, 5000, tolerance=1e-6 * np.linalg.norm(J.grad(theta))).steps


# %%
def after_sgd(method, sgd_steps, scale, seed, x, y, budget):
    """(evaluations spent, J) of a 36-10-10 net: SGD first, then the method, for so many evaluations of J in all."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 10, rng=rng, dtype=np.float64), nn.Tanh(),
                          nn.Linear(10, 10, rng=rng, dtype=np.float64))
    parameters = model.parameters()
    parameters.theta[...] *= scale
    J, sgd = Objective(model, losses.cross_entropy, x, y), optim.SGD(parameters, lr=0.3)
    spent, path = 0.0, [(0.0, J.value())]
    for _ in range(sgd_steps):
        rows = rng.integers(EXAMPLES, size=BATCH)
        sgd.step(Objective(model, losses.cross_entropy, x[rows], y[rows]))
        spent += BATCH / EXAMPLES
    opt = method(parameters)
    while spent < budget:
        step = opt.step(J)
        path.append((spent, float(step)))
        spent += step.evaluations
    return np.array([*path, (spent, J.value())])


# %%
def picture(figure, evaluations, steps, paths):
    wolfe, bowl, net = figure.subplots(1, 3)
    for (name, color), marker in zip(zip(METHODS, COLORS), "os^"):
        counts = np.array([evaluations[name, c2] for c2 in C2])
        wolfe.errorbar(range(len(C2)), counts.mean(1), counts.std(1), fmt=marker + "-", capsize=3, color=color,
                       label=name)
        counts = np.array([steps[name, factor] for factor in sorted(FACTORS)])
        bowl.plot(sorted(FACTORS), counts.mean(1), marker + "-", color=color, label=name)
    wolfe.set(xticks=range(len(C2)), xticklabels=[f"{c2:g}" for c2 in C2], ylim=(0, None),
              xlabel="c2 of the search (sloppy to exact)", ylabel="evaluations of J", title="logistic regression")
    wolfe.legend()
    bowl.set(yscale="log", xlabel="step / exact step", ylabel="steps", title="quadratic, 20 dimensions")
    bowl.set_yticks([20, 50, 100, 200], ["20", "50", "100", "200"])
    bowl.set_yticks([], minor=True)
    for sgd_steps, color in zip(SGD_STEPS, COLORS[3:]):
        for path in paths[sgd_steps]:
            net.semilogy(*path.T, color=color, linewidth=1,
                         label=f"{sgd_steps} SGD steps, then CG" if path is paths[sgd_steps][0] else None)
    net.set(xlabel="evaluations of J (SGD's included)", ylabel="J", title="network from large weights, 5 starts")
    net.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    net.set_yticks([], minor=True)
    net.legend()


def main(argv=None):
    page = Page("How exact must a line search be?", argv)
    x, y = digits()
    evaluations, steps, paths = {}, {}, {}
    print("evaluations of J until |g| = 1e-5, logistic regression of 200 digits, 5 samples")
    print("c2                   " + "".join(f"{c2:>14g}" for c2 in C2))
    for name, method in METHODS.items():
        for c2 in C2:
            samples = [slice(200 * i, 200 * (i + 1)) for i in range(5)]
            evaluations[name, c2] = [regression(method, c2, x[rows], y[rows]).evaluations for rows in samples]
        print(f"{name:21}" + "".join(f"{np.mean(evaluations[name, c2]):7.0f} +- {np.std(evaluations[name, c2]):3.0f}"
                                     for c2 in C2))
    print("steps on a quadratic of 20 dimensions, condition 100, 3 draws; length of the step over the exact one")
    print("step/exact           " + "".join(f"{factor:>7g}" for factor in FACTORS))
    for name, method in METHODS.items():
        for factor in FACTORS:
            steps[name, factor] = [quadratic_steps(method, factor, seed) for seed in range(3)]
        print(f"{name:21}" + "".join(f"{np.mean(steps[name, factor]):7.0f}" for factor in FACTORS))
    seeds, budget = (3, 10) if page.quick else (5, 60)
    print(f"J of a network after {budget} evaluations in all, SGD's included, {seeds} starts")
    print("weights, then                " + "".join(f"{f'{k} SGD steps':>17}" for k in SGD_STEPS) + "    gain by 100")
    for scale in (1, 10):
        for name, method in (("CG", optim.ConjugateGradient), ("scaled CG", optim.ScaledConjugateGradient)):
            for k in SGD_STEPS:
                paths[name, scale, k] = [after_sgd(method, k, scale, seed, x[:EXAMPLES], y[:EXAMPLES], budget)
                                         for seed in range(seeds)]
            ends = np.array([[path[-1, 1] for path in paths[name, scale, k]] for k in SGD_STEPS])
            gain = ends[0] - ends[-1]
            print(f"{scale:2d} x the usual, {name:10}    "
                  + "".join(f"{end.mean():8.3f} +- {end.std(ddof=1):.3f}" for end in ends)
                  + f"   {gain.mean():+.3f} +- {gain.std(ddof=1):.3f}")
    page.draw("line_search_accuracy", picture, evaluations, steps, {k: paths["CG", 10, k] for k in SGD_STEPS},
              size=(14, 4.6))


if __name__ == "__main__":
    main()
