"""Curriculum learning (8.7.6): easy digits first, by sampling or by weights, plain or stochastic. Does it help?

What it shows: digits of which some are clean and some drowned in noise, from none to much; how difficult each one is is
its noise, which a teacher would know. A network learns them in random order, or by a curriculum whose share of
admitted digits grows from a tenth to all over the first half of the training: plain (difficult ones are held back),
stochastic (a third of every batch comes from everywhere), by weights (all are seen, the difficult ones count a tenth),
and backwards, the difficult first. A second table does the same with ordinary digits, whose difficulty is their loss
under a small network that was trained on others.
What to look at: the test loss after a quarter of the training and at the end, over three seeds. With noise, easy first
is much quicker at first: the clean digits teach what the noisy ones hide. The lead melts when the difficult ones come
in, and at the end there is none, as the book reports of plain curricula. With ordinary digits a curriculum only delays:
those that the small network finds easy have little to teach, and the difficult first end lowest.
Try: NOISE = 3. HALF = 0.9, a curriculum for nearly all of the training. `mix=0.05`.

Run: python examples/strategies/curriculum.py [--quick] [--out DIR]
"""
import numpy as np

from minigrad import data, init, losses, nn, optim, strategies, training
from minigrad.core import Tensor
from minigrad.figures.page import Page
from minigrad.optim import schedules

EXAMPLES, HIDDEN, STEPS, BATCH, SEEDS, NOISE, HALF, LR = 5000, 64, 400, 50, 3, 2.0, 0.5, 0.05
KINDS = {"random order": "#000000", "plain curriculum": "#0072B2", "stochastic curriculum": "#009E73",
         "by weights": "#E69F00", "difficult first": "#D55E00"}


def net(seed, hidden):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(784, hidden, weights=init.he_normal, rng=rng), nn.ReLU(),
                         nn.Linear(hidden, 10, rng=rng))


def batches(kind, x, y, difficulty, steps, seed):
    pace = schedules.Linear(0.1, 1.0, HALF * steps)
    if kind == "random order":
        return strategies.curriculum(x, y, difficulty, BATCH, 1.0, rng=seed)
    if kind == "by weights":
        return strategies.weighted_curriculum(x, y, difficulty, BATCH, pace, least=0.1, rng=seed)
    difficulty = -difficulty if kind == "difficult first" else difficulty
    return strategies.curriculum(x, y, difficulty, BATCH, pace, mix=1 / 3 if kind.startswith("sto") else 0.0, rng=seed)


class Watch(training.Callback):
    """Loss and error on the test digits, every `every` steps. rows: (step, loss, error)."""

    def __init__(self, x, y, every):
        self.x, self.y, self.every, self.rows = x, y, every, []

    def step(self, run):
        if run.steps % self.every == 0:
            found = training.evaluate(run.model, losses.cross_entropy, self.x, self.y)
            self.rows.append((run.steps, found.loss, found.error))


def learn(kind, seed, train, difficulty, test, steps):
    """(number of looks, 3): step, test loss, test error."""
    watch, model = Watch(*test, steps // 20), net(seed, HIDDEN)
    optimizer = optim.Momentum(model.parameters(), lr=LR, momentum=0.9)
    training.fit(model, strategies.weighted(losses.cross_entropy), optimizer,
                 batches(kind, *train, difficulty, steps, seed), steps=steps, callbacks=[watch], progress=False)
    return watch.rows


def noisy(m, seed):
    """m digits, noise of standard deviation 0 to NOISE added to each; the noise is the difficulty."""
    (x, y), _ = data.mnist(flat=True)
    rng = np.random.default_rng(seed)
    rows, level = rng.choice(len(x), m, replace=False), rng.uniform(0, NOISE, m)
    return (x[rows] + (level[:, None] * rng.standard_normal((m, 784))).astype(x.dtype), y[rows]), level


def ordinary(m, seed):
    """m digits; difficulty is the loss of each under a small net that has learned 1,000 others."""
    (x, y), _ = data.mnist(flat=True)
    rows = np.random.default_rng(seed).choice(len(x), m + 1000, replace=False)
    judge = net(1000 + seed, 16)
    training.fit(judge, losses.cross_entropy, optim.Adam(judge.parameters(), lr=3e-3),
                 data.batches(x[rows[m:]], y[rows[m:]], batch_size=50, rng=seed), epochs=5, progress=False)
    chosen = x[rows[:m]], y[rows[:m]]
    each = losses.cross_entropy(Tensor(training.predict(judge, chosen[0])), chosen[1], reduction="none")
    return chosen, each.data


def table(name, make, m, steps, seeds, test):
    """Print early and last figures of every kind. Returns kind -> (seeds, looks, 3)."""
    found = {kind: [] for kind in KINDS}
    for seed in range(seeds):
        train, difficulty = make(m, seed)
        for kind in KINDS:
            found[kind].append(learn(kind, seed, train, difficulty, test, steps))
    print(f"{name:28}test loss after {steps // 4}        after {steps}      error after {steps}")
    for kind, runs in found.items():
        runs = found[kind] = np.array(runs)
        early, last, error = runs[:, 4, 1], runs[:, -1, 1], 100 * runs[:, -1, 2]
        print(f"{kind:28}{early.mean():8.3f} +- {early.std():.3f}{last.mean():10.3f} +- {last.std():.3f}"
              f"{error.mean():10.2f} +- {error.std():.2f} %")
    return found


def picture(figure, tables):
    for axes, (name, found) in zip(figure.subplots(1, 2), tables.items()):
        for kind, runs in found.items():
            steps, curves = runs[0, :, 0], runs[:, :, 1]
            axes.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=KINDS[kind], alpha=0.15, linewidth=0)
            axes.plot(steps, curves.mean(axis=0), color=KINDS[kind], linewidth=1.8, label=kind)
        axes.axvline(HALF * steps[-1], color="0.6", linestyle=":")
        axes.annotate("all admitted", (HALF * steps[-1], 0.97), (4, 0), xycoords=("data", "axes fraction"),
                      textcoords="offset points", color="0.4", va="top")
        axes.set(xlabel="step", ylabel="test loss", title=f"{name} (bands: all seeds)", yscale="log")
        axes.set_yticks([0.3, 0.4, 0.6, 1, 2], ["0.3", "0.4", "0.6", "1", "2"])
        axes.minorticks_off()
        axes.set_ylim(0.28, 2.6)
        axes.grid(alpha=0.3)
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.9))


def main(argv=None):
    page = Page(__doc__, argv)
    m, steps, seeds, tests = (1000, 60, 1, 1000) if page.quick else (EXAMPLES, STEPS, SEEDS, 5000)
    x, y = data.mnist(flat=True)[1]
    test = x[:tests], y[:tests]
    print(f"{m} digits, 784-{HIDDEN}-10, {seeds} seeds; tested on clean digits")
    tables = {"noisy digits": table("noisy digits", noisy, m, steps, seeds, test)}
    print()
    tables["ordinary digits"] = table("ordinary digits", ordinary, m, steps, seeds, test)
    page.draw("curriculum", picture, tables, size=(11.5, 4.6))


if __name__ == "__main__":
    main()
