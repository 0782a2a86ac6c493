"""Ensembles (course notes): independent models, and snapshots of one run, against one model that learns as long.

What it shows: five networks from different starts, each trained briefly, answer together by the mean of their
probabilities. Snapshots are cheaper: one run whose learning rate falls to almost 0 and starts high again, five times,
with a copy kept at the end of each cycle. Both are set beside a single member, and beside one network that gets all
five trainings' passes, over three seeds.
What to look at: the independent models' error together against their mean alone, about 0.7 percentage points less (the
notes promise up to two), and their loss, which can never be above their mean's. The snapshots gain little, since they
are alike: the last column says how often two members disagree. One network that learns as long as all five comes close
in error, and not in loss. Averaging logits instead of probabilities changes little here.
Try: EXAMPLES = 1000 or 60000. MEMBERS = 10. A higher LR, so that snapshots differ more.

Run: python examples/strategies/ensemble.py [--quick] [--out DIR]
"""
from itertools import combinations

import numpy as np

from minigrad import data, init, losses, nn, optim, strategies, training
from minigrad.figures.page import Page
from minigrad.optim import schedules

EXAMPLES, HIDDEN, MEMBERS, EPOCHS, LR, SEEDS = 5000, 64, 5, 8, 0.1, 3


def make(seed):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(784, HIDDEN, weights=init.he_normal, rng=rng), nn.ReLU(),
                         nn.Linear(HIDDEN, 10, rng=rng))


def fit(model, train_set, seed, epochs, cycles=1, callbacks=()):
    """Momentum whose rate goes from LR to almost 0 along a cosine, `cycles` times. Returns the model."""
    batches = data.batches(*train_set, batch_size=50, rng=seed)
    lr = schedules.CosineRestarts(LR, 1e-4, period=epochs * len(batches) / cycles)
    training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=lr, momentum=0.9), batches,
                 epochs=epochs, callbacks=callbacks, progress=False)
    return model


def one_seed(seed, train_set, epochs):
    """name -> the models whose probabilities are averaged."""
    cycle = epochs * -(-len(train_set[0]) // 50)
    independent = strategies.ensemble(lambda i: make(100 * seed + i),
                                      lambda model, i: fit(model, train_set, 100 * seed + i, epochs), MEMBERS)
    snapshots = strategies.Snapshots(every=cycle)
    fit(make(100 * seed), train_set, 100 * seed, MEMBERS * epochs, MEMBERS, [snapshots])
    longer = fit(make(100 * seed), train_set, 100 * seed, MEMBERS * epochs)
    return {"one model": independent.members[:1], f"one model, {MEMBERS} times as long": [longer],
            f"{MEMBERS} snapshots of one run": snapshots.models, f"{MEMBERS} independent models": independent.members}


def figures(members, test_set):
    """(error and loss of the ensemble, of its members on average, share of digits on which two disagree; the errors of
    the first 1, 2, ... together; the error if logits are averaged)."""
    x, y = test_set
    each = [training.evaluate(member, losses.cross_entropy, x, y) for member in members]
    together = [training.evaluate(strategies.Ensemble(members[:k]), losses.cross_entropy, x, y)
                for k in range(1, len(members) + 1)]
    z = [training.predict(member, x) for member in members]
    answers = [one.argmax(axis=1) for one in z]
    differ = np.mean([np.mean(a != b) for a, b in combinations(answers, 2)]) if len(z) > 1 else 0.0
    return (np.array([together[-1].error, np.mean([one.error for one in each]), differ,
                      losses.zero_one_error(np.mean(z, axis=0), y)]) * 100,
            np.array([together[-1].loss, np.mean([one.loss for one in each])]), [100 * one.error for one in together])


def picture(figure, found):
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    colors = dict(zip(found, ("#666666", "#000000", "#56B4E9", "#0072B2")))
    for i, (name, runs) in enumerate(found.items()):
        errors = np.array([run[0][0] for run in runs])
        left.bar(i, errors.mean(), color=colors[name], width=0.7)
        left.plot(np.full(len(errors), i), errors, "o", color="white", markeredgecolor="black", markersize=5)
        left.annotate(f"{errors.mean():.2f} %", (i, errors.max()), (0, 7), textcoords="offset points", ha="center")
        if len(runs[0][2]) > 1:
            k, curves = np.arange(1, len(runs[0][2]) + 1), np.array([run[2] for run in runs])
            right.plot(k, curves.T, color=colors[name], alpha=0.35, linewidth=1)
            right.plot(k, curves.mean(axis=0), "o-", color=colors[name], linewidth=2, label=name.split(" ", 1)[1])
    left.set_xticks(range(len(found)), [name.replace(", ", ",\n").replace(" of", "\nof").replace("t m", "t\nm")
                                        for name in found])
    left.set(ylabel="test error, %", title="points: seeds",
             ylim=(0, 1.15 * max(run[0][0] for runs in found.values() for run in runs)))
    right.set(xlabel="members that answer together (snapshots: oldest first)", ylabel="test error, %", xticks=k,
              title="how many it takes")
    right.grid(alpha=0.3)
    right.legend()


def main(argv=None):
    page = Page(__doc__, argv)
    m, epochs, seeds, tests = (1000, 4, 1, 2000) if page.quick else (EXAMPLES, EPOCHS, SEEDS, 10_000)
    (x, y), (x_test, y_test) = data.mnist(flat=True)
    found = {}
    for seed in range(seeds):
        for name, members in one_seed(seed, (x[:m], y[:m]), epochs).items():
            found.setdefault(name, []).append(figures(members, (x_test[:tests], y_test[:tests])))
    print(f"{m} digits, 784-{HIDDEN}-10, {epochs} passes for one member, {seeds} seeds; errors on {tests} test digits")
    print(" " * 29 + "error together     its members     by logits      loss   its members   two disagree")
    for name, runs in found.items():
        errors, loss = np.array([run[0] for run in runs]), np.mean([run[1] for run in runs], axis=0)
        print(f"{name:29}{errors[:, 0].mean():6.2f} +- {errors[:, 0].std():.2f} %{errors[:, 1].mean():14.2f} %"
              f"{errors[:, 3].mean():12.2f} %{loss[0]:11.3f}{loss[1]:12.3f}{errors[:, 2].mean():14.2f} %")
    page.draw("ensemble", picture, found, size=(11, 4.6))


if __name__ == "__main__":
    main()
