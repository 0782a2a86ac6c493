# %% [markdown]
# # Dropout: one net that stands for an ensemble, and takes longer to train
#
#     python examples/dropout_ensemble.py [--quick] [--out DIR]
#
# **What it shows.** The course notes say of dropout that it is an ensemble within one model, that at test time one
# multiplies by the probability, and that it takes more time to train. A net with 10 hidden units that are dropped
# with probability 1/2 is 1,024 nets; here all of them are evaluated. Their mean can be taken of the probabilities
# (arithmetic) or of their logarithms (geometric, normalized again). The weight scaling rule, one pass with everything
# halved (`nn.Dropout` in test mode), is exactly the geometric mean where only linear layers and a softmax follow;
# with a hidden layer of relus behind the dropped units it is an approximation.
#
# **What to look at.** The distance of the rule from the geometric mean: rounding for the softmax net, 0.11 +- 0.03
# (the largest difference of a probability) for the one with relus behind, where a single mask is 0.32 away. % wrong
# there: a single mask 48, all 1,024 together 20.3 +- 2.4, the rule, which costs one pass, 23.2 +- 2.3. Then the
# training loss (in test mode) with and without dropout of 64 units, 3 seeds: 1.5 times as many steps to 0.5, 2.1 +-
# 0.1 times to 0.2, 2.3 +- 0.2 times to 0.1.
#
# **Try.** p = 0.8: is the rule still good? `nn.DropConnect` in place of `nn.Dropout`. 300 digits instead of 1,000.

# %%
from itertools import product

import numpy as np

from minigrad import Objective, data, init, losses, nn, ops, optim, training
from minigrad.figures.page import COLORS, Page

HIDDEN, P = 10, 0.5


# %%
def digits(m=1000):
    """((x, y), (x, y)) of training and test: x (m, 36), 6 x 6 pixels, mean 0."""
    return data.standardized(*data.coarse_mnist(m=m, m_test=2000))


def network(deep, seed, p=P, hidden=HIDDEN):
    """36-hidden-10 with dropout of the hidden units; deep: a layer of 20 relus behind them."""
    rng = np.random.default_rng(seed)
    behind = [nn.Linear(hidden, 20, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Linear(20, 10, rng=rng)] if deep \
        else [nn.Linear(hidden, 10, rng=rng)]
    return nn.Sequential(nn.Linear(36, hidden, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Dropout(p, rng=seed),
                         *behind)


def every_mask(model, x, p=P):
    """(log probabilities by mask (2^n, m, 10), log of each mask's own probability (2^n,)).

    A mask keeps a unit with probability 1 - p and divides it by 1 - p, as nn.Dropout does while learning.
    """
    h = nn.Sequential(*model.layers[:2])(x).data
    behind = nn.Sequential(*model.layers[3:])
    masks = np.array(list(product((0, 1), repeat=h.shape[1])))
    log_p = np.array([ops.log_softmax(behind(h * (mask / (1 - p)).astype(h.dtype))).data for mask in masks], float)
    return log_p, masks.sum(1) * np.log(1 - p) + (1 - masks).sum(1) * np.log(p)


def ensemble(model, x, p=P):
    """Probabilities (m, 10): arithmetic mean over all masks, geometric mean, and the weight scaling rule."""
    log_p, weights = every_mask(model, x, p)
    share = np.exp(weights)
    arithmetic = np.tensordot(share, np.exp(log_p), 1)
    geometric = np.exp(np.tensordot(share, log_p, 1))
    geometric /= geometric.sum(axis=1, keepdims=True)
    with model.mode(training=False):
        rule = np.exp(ops.log_softmax(model(x)).data.astype(np.float64))
    return arithmetic, geometric, rule


def distance(p, q):
    """The mean over the examples of the largest difference of a probability."""
    return np.abs(p - q).max(axis=1).mean()


# %%
def learn(model, steps, seed, train, lr=0.02, looks=40):
    """Training loss in test mode at `looks` times."""
    opt, rng, curve = optim.Momentum(model.parameters(), lr=lr, momentum=0.9), np.random.default_rng(seed), []
    for k in range(steps):
        rows = rng.integers(len(train[0]), size=50)
        opt.step(Objective(model, losses.cross_entropy, train[0][rows], train[1][rows]))
        if (k + 1) % (steps // looks) == 0:
            curve.append(training.evaluate(model, losses.cross_entropy, *train).loss)
    return curve


def first_below(curve, level, every):
    """Steps until the curve is first below a level; infinity if never."""
    below = np.flatnonzero(np.array(curve) < level)
    return (below[0] + 1) * every if len(below) else np.inf


def times(some, others):
    """How many times as many steps some took, in words; nothing where a run did not get there."""
    if not np.isfinite([*some, *others]).all():
        return ""
    ratio = np.array(some) / np.array(others)
    return f": {ratio.mean():.1f} +- {ratio.std(ddof=1):.1f} times as many"


# %%
def picture(figure, scatter, bars, curves, every):
    points, wrong, fall = figure.subplots(1, 3)
    for (name, (rule, geometric)), color, marker in zip(scatter.items(), COLORS, "os"):
        points.plot(geometric.ravel(), rule.ravel(), marker, color=color, markersize=3, alpha=0.5, label=name)
    points.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    points.set(xlabel="geometric mean of all 1,024 nets", ylabel="weight scaling rule",
               title="probabilities of 200 digits")
    points.legend()
    names = list(bars)
    for i, name in enumerate(names):
        wrong.bar(i, np.mean(bars[name]), color=COLORS[i % len(COLORS)], width=0.7)
        wrong.plot(np.full(len(bars[name]), i), bars[name], "o", color="white", markeredgecolor="black")
    wrong.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    wrong.set(ylabel="% wrong, test digits", title="relus behind dropout (points: seeds)")
    for (name, runs), color in zip(curves.items(), COLORS):
        k = every * np.arange(1, len(runs[0]) + 1)
        for i, run in enumerate(runs):
            fall.semilogy(k, run, color=color, linewidth=1.2, label=name if i == 0 else None)
    fall.set(xlabel="step", ylabel="training loss, test mode", title="dropout takes longer (lines: seeds)")
    fall.legend()


def main(argv=None):
    page = Page("Dropout: one net that stands for an ensemble", argv)
    train, test = digits(200 if page.quick else 1000)
    steps, seeds, scatter = (40, 2, {}) if page.quick else (2000, 3, {})
    bars = {name: [] for name in ("single mask", "arithmetic mean", "geometric mean", "scaling rule")}
    print(f"{seeds} seeds, 200 digits: distance of the rule from the geometric and arithmetic mean, of single masks "
          "from the geometric mean")
    for deep, name in ((False, "softmax behind"), (True, "relus behind")):
        rows = []
        for seed in range(seeds):
            model = network(deep, seed)
            learn(model, steps, seed, train)
            arithmetic, geometric, rule = ensemble(model, test[0][:200])
            log_p, _ = every_mask(model, test[0][:200])
            chosen = np.random.default_rng(0).integers(len(log_p), size=50)
            rows.append((distance(rule, geometric), distance(rule, arithmetic),
                         np.mean([distance(np.exp(log_p[i]), geometric) for i in chosen])))
            scatter.setdefault(name, (rule, geometric))
            if deep:
                y = test[1][:200]
                single = [np.mean(log_p[i].argmax(1) != y) for i in chosen]
                for kind, value in zip(bars, (np.mean(single), *(np.mean(p.argmax(1) != y)
                                                                 for p in (arithmetic, geometric, rule)))):
                    bars[kind].append(100 * value)
        print(f"  {name:15}" + "   ".join(f"{mean:.2e} +- {spread:.1e}" for mean, spread
                                          in zip(np.mean(rows, 0), np.std(rows, 0, ddof=1))))
    print("% wrong, relus behind: " + ", ".join(f"{kind} {np.mean(found):.2f} +- {np.std(found, ddof=1):.2f}"
                                                for kind, found in bars.items()))
    curves, every = {}, steps // 40
    for p, name in ((0.0, "without"), (P, "dropout 1/2")):
        curves[name] = []
        for seed in range(seeds):
            model = network(True, seed, p, hidden=64)
            curves[name].append(learn(model, steps, seed, train, lr=0.03))
    for level in (0.5, 0.2, 0.1):
        found = {name: [first_below(run, level, every) for run in runs] for name, runs in curves.items()}
        print(f"64 units, steps to a training loss below {level}: "
              + ", ".join(f"{name} {', '.join(f'{k:.0f}' for k in values)}" for name, values in found.items())
              + times(found["dropout 1/2"], found["without"]))
    page.draw("dropout_ensemble", picture, scatter, bars, curves, every, size=(14, 4.4))


if __name__ == "__main__":
    main()
