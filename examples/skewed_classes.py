# %% [markdown]
# # First biases for skewed classes
#
#     python examples/skewed_classes.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4: if the classes are skewed, the biases of the outputs should be such that softmax(b) is
# their distribution, else the first steps are spent on learning nothing but that. Digits with 0 to 9 in a geometric
# distribution, the most frequent class 500 times as frequent as the rarest, are learned with biases of 0 and with those
# of `init.bias_from_marginals`.
#
# **What to look at.** J before the first step: near log 10 without, near the entropy of the classes with. The steps
# saved until J is below that entropy; and that none are saved until it is half of it: the gain is one of the start, and
# at the end there is none.
#
# **Try.** RATIO = 1, all classes equally frequent: what is left? A rate ten times as large: who cares about biases
# then?

# %%
import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page

RATIO, EXAMPLES, BATCH, RATE = 500, 1000, 20, 0.1


# %%
def skewed_digits(seed):
    """(x (m, 36), y (m,)): class k has a share in proportion to RATIO^(-k/9)."""
    (x, y), _ = data.coarse_mnist(m=20000)
    share = float(RATIO) ** (-np.arange(10) / 9)
    counts = np.maximum(1, np.round(EXAMPLES * share / share.sum()).astype(int))
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.choice(np.flatnonzero(y == k), count, replace=False)
                           for k, count in enumerate(counts)])
    return x[rows] - x[rows].mean(0), y[rows]


def entropy(y):
    """Of the classes, in nats: the least J of a model that does not look at x."""
    p = np.bincount(y, minlength=10) / len(y)
    return -p @ np.log(p)


def learn(marginals, x, y, steps, seed):
    """J on all examples before every step and at the end, of a 36-20-10 net trained by SGD."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 20, rng=rng), nn.Tanh(), nn.Linear(20, 10, rng=rng))
    if marginals:
        model[2].b.data = init.bias_from_marginals(y, classes=10)
    J, opt, values = Objective(model, losses.cross_entropy, x, y), optim.SGD(model.parameters(), lr=RATE), []
    for _ in range(steps):
        values.append(J.value())
        rows = rng.integers(len(x), size=BATCH)
        opt.step(Objective(model, losses.cross_entropy, x[rows], y[rows]))
    return np.array([*values, J.value()])


def first_below(values, level):
    """The first step with J below the level; all of them if there is none."""
    below = np.flatnonzero(values < level)
    return int(below[0]) if len(below) else len(values)


# %%
def picture(figure, curves, level):
    early, whole = figure.subplots(1, 2)
    for panel, steps in ((early, 150), (whole, None)):
        for (marginals, runs), color in zip(curves.items(), COLORS):
            runs = np.array(runs)[:, :steps]
            panel.plot(runs.mean(0), color=color, label="bias_from_marginals" if marginals else "biases 0")
            panel.fill_between(range(runs.shape[1]), runs.min(0), runs.max(0), color=color, alpha=0.2, linewidth=0)
        panel.axhline(level, color="0.4", linestyle=":", linewidth=1, label="entropy of the classes")
        panel.set(xlabel="step", ylabel="J on all examples (band: all seeds)", ylim=(0, None))
        panel.legend()
    early.set_title("the first steps")
    whole.set_title("the whole run")


def main(argv=None):
    page = Page("First biases for skewed classes", argv)
    seeds, steps = (3, 200) if page.quick else (5, 1500)
    curves, saved = {False: [], True: []}, []
    for seed in range(seeds):
        x, y = skewed_digits(seed)
        for marginals in curves:
            curves[marginals].append(learn(marginals, x, y, steps, seed))
        saved.append([first_below(curves[False][-1], level) - first_below(curves[True][-1], level)
                      for level in (entropy(y), entropy(y) / 2)])
    print(f"{len(y)} digits, from {np.bincount(y).max()} to {np.bincount(y, minlength=10).min()} of a class, "
          f"36-20-10 net, SGD with rate {RATE}; {seeds} seeds")
    print(f"entropy of the classes {entropy(y):.4f}, log 10 = {np.log(10):.4f}")
    for marginals, name in ((False, "biases 0"), (True, "bias_from_marginals")):
        runs = np.array(curves[marginals])
        print(f"{name:20} J before the first step {runs[:, 0].mean():.4f} +- {runs[:, 0].std(ddof=1):.4f}, "
              f"after 50 steps {runs[:, 50].mean():.4f} +- {runs[:, 50].std(ddof=1):.4f}, "
              f"at the end {runs[:, -1].mean():.4f} +- {runs[:, -1].std(ddof=1):.4f}")
    for part, column in zip(("the entropy", "half of it"), np.array(saved).T):
        print(f"steps saved until J is below {part}: {column.mean():.0f} +- {column.std(ddof=1):.0f}")
    page.draw("skewed_classes", picture, curves, entropy(y), size=(12, 4.6))


if __name__ == "__main__":
    main()
