# %% [markdown]
# # Weight decay: inside Adam's gradient, or beside it
#
#     python examples/weight_decay.py [--quick] [--out DIR]
#
# **What it shows.** Weight decay and an L2 penalty are the same for SGD. For Adam (8.5.3) they are not (Loshchilov
# and Hutter 2019, whom the survey cites): a penalty's gradient lambda theta is divided by sqrt(r) like all the rest,
# so weights whose gradients are large and noisy shrink least. AdamW shrinks all of them alike.
#
# First a closed form. Weights that do nothing have gradients of pure noise, of standard deviation s. In k steps Adam
# with a penalty takes them to exp(-k lr lambda/s) of where they were, AdamW to (1 - lambda)^k whatever s is.
#
# Then a network that learns 300 digits, a tenth of them with a wrong label, by momentum, Adam and AdamW, for rates
# and decays on a grid. Last, AdamW in runs of 20, 80 and 320 epochs. The paper proposes lambda = lambda_norm
# sqrt(b/(B T)) (`optim.normalized_decay`; b examples in a batch, B in all, T epochs), so that one lambda_norm fits
# any length.
#
# **What to look at.** The first panel: a fan for Adam, one line for AdamW. Then the printed gains by decay, each
# method at the best of its rates with and without: momentum 2.1 +- 0.6 %, AdamW 1.7 +- 1.3, Adam with L2 0.5 +- 1.0
# (3 seeds). With decay AdamW ends lowest, 28.6 % wrong, momentum at 29.5, Adam at 29.8. That Adam needs more
# regularization than SGD, as the survey says, does not show. The valleys in the maps: the paper finds that the best
# decay depends on the rate for Adam and not for AdamW. Here it rises with the rate for all three: AdamW's decay is
# not multiplied by lr, so where the steps grow it must grow too. Last, the promise of the normalized decay, which
# this task does not keep: from 20 to 320 epochs the best lambda moves by a factor of 2, upwards, and so the best
# lambda_norm by 8. These runs have all converged, and where decay and steps are in balance the best lambda does not
# depend on the length.
#
# **Try.** WRONG = 0: is there still a gain? Runs of 2, 4 and 8 epochs: does the best lambda fall with the length now?
# AdamW with weight_decay = lr times a number, as PyTorch has it: which way does its valley run?

# %%
from functools import partial

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

EXAMPLES, BATCH, WRONG = 300, 30, 0.1
RATES = {"momentum, L2": (0.01, 0.03, 0.1, 0.3, 1.0), "Adam, L2": (0.001, 0.003, 0.01, 0.03, 0.1),
         "AdamW": (0.001, 0.003, 0.01, 0.03, 0.1)}
DECAYS = (0, 0.003, 0.01, 0.03, 0.1)


# %% [markdown]
# Weights that do nothing: 200 of each noise, all 1 at first.

# %%
SCALES, PENALTY, LR = np.array([1.0, 3.0, 10.0, 30.0]), 0.5, 1e-3


class Noise:
    """Gradients that are noise alone, 200 coordinates of each scale; penalty: of an L2 term with this lambda."""

    def __init__(self, seed, penalty):
        self.rng, self.penalty = np.random.default_rng(seed), penalty

    def value(self, theta):
        return self.penalty * float(theta @ theta) / 2

    def grad(self, theta):
        noise = self.rng.standard_normal((len(SCALES), 200)) * SCALES[:, None]
        return noise.ravel() + self.penalty * theta


def shrinking(decoupled, steps, seed=0):
    """The mean weight of each noise after every step, (steps, 4); the decoupled lambda is lr PENALTY."""
    theta = np.ones(200 * len(SCALES))
    J = Noise(seed, 0.0 if decoupled else PENALTY)
    opt = optim.AdamW(theta, lr=LR, weight_decay=LR * PENALTY) if decoupled else optim.Adam(theta, lr=LR)
    means = np.empty((steps, len(SCALES)))
    for k in range(steps):
        opt.step(J)
        means[k] = theta.reshape(len(SCALES), 200).mean(axis=1)
    return means


def shrinking_in_theory(decoupled, steps):
    """The closed form of the same, (steps, 4)."""
    k = np.arange(1, steps + 1)[:, None]
    return (1 - LR * PENALTY) ** k + 0 * SCALES if decoupled else np.exp(-k * LR * PENALTY / SCALES)


# %%
def digits():
    """((x, y), (x, y)) of training and test: x (m, 36), 6 x 6 pixels. WRONG of the training labels are drawn anew."""
    (x, y), test = data.standardized(*data.coarse_mnist(m=EXAMPLES, m_test=5000))
    rng = np.random.default_rng(5)
    wrong = rng.random(EXAMPLES) < WRONG
    y[wrong] = rng.integers(0, 10, wrong.sum())
    return (x, y), test


def optimizer(method, parameters, rate, decay, steps):
    """Every rate, and AdamW's decay with it, falls to 0 along a cosine."""
    falling = schedules.Cosine(rate, 0.0, steps)
    if method == "AdamW":
        return optim.AdamW(parameters, lr=rate, weight_decay=decay, eta=schedules.Cosine(1.0, 0.0, steps))
    make = optim.Adam if method == "Adam, L2" else partial(optim.Momentum, momentum=0.9)
    return make(parameters, lr=falling, weight_decay=decay)


def test_error(method, rate, decay, epochs, seed, train, test):
    """% wrong on test digits after so many epochs."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 64, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Linear(64, 10, rng=rng))
    opt = optimizer(method, model.parameters(), rate, decay, epochs * EXAMPLES // BATCH)
    batches = data.batches(*train, batch_size=BATCH, rng=seed)
    for _ in range(epochs):
        for x, y in batches:
            opt.step(Objective(model, losses.cross_entropy, x, y))
    return 100 * losses.zero_one_error(training.predict(model, test[0]), test[1])


def lowest(decays, errors):
    """The decay of the lowest mean error of errors (decays, seeds)."""
    return decays[int(np.argmin(errors.mean(axis=1)))]


# %%
def heat(panel, name, errors):
    mean = errors.mean(axis=-1)
    shown = panel.imshow(mean, cmap="cividis", origin="lower", aspect="auto", vmin=28, vmax=36)
    for i, j in np.ndindex(mean.shape):
        panel.annotate(f"{mean[i, j]:.1f}", (j, i), ha="center", va="center", fontsize=9,
                       color="white" if mean[i, j] < 32 else "black",
                       fontweight="bold" if mean[i, j] == mean.min() else "normal")
    panel.set_xticks(range(len(DECAYS)), [f"{decay:g}" for decay in DECAYS])
    panel.set_yticks(range(len(RATES[name])), [f"{rate:g}" for rate in RATES[name]])
    panel.set(xlabel=r"weight decay $\lambda$", ylabel="first learning rate", title=name)
    return shown


def picture(figure, shrunk, tables, lengths, decays, batch_share):
    panels = figure.subplots(2, 3)
    for (name, errors), panel in zip(tables.items(), panels[0]):
        shown = heat(panel, name, errors)
    figure.colorbar(shown, ax=panels[0], label="% wrong, test digits", extend="max")
    weights, raw, normalized = panels[1]
    k = np.arange(1, len(shrunk[False]) + 1)
    for decoupled, style in ((False, "-"), (True, "--")):
        for i, scale in enumerate(SCALES):
            weights.plot(k, shrunk[decoupled][:, i], style, color=COLORS[i], linewidth=1.3,
                         label=f"s = {scale:g}" if not decoupled else None)
        weights.plot(k, shrinking_in_theory(decoupled, len(k)), ":", color="black", linewidth=1)
    weights.plot([], [], "--", color="0.4", label="AdamW, each s")
    weights.plot([], [], ":", color="black", label="closed form")
    weights.set(xlabel="step", ylabel="mean weight", ylim=(0, 1.03),
                title="weights that do nothing, gradients of noise s:\nAdam with L2 (lines) and AdamW (dashes)")
    weights.legend(loc="lower left", ncols=2)
    for (epochs, errors), color, marker in zip(lengths.items(), COLORS, "os^"):
        for panel, x in ((raw, decays), (normalized, decays / np.sqrt(batch_share / epochs))):
            mean, spread = errors.mean(axis=1), errors.std(axis=1, ddof=1)
            panel.fill_between(x, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
            panel.semilogx(x, mean, marker + "-", color=color, label=f"{epochs} epochs", markersize=4)
            panel.plot(x[mean.argmin()], mean.min(), marker, color=color, markersize=10, markeredgecolor="black")
    for panel, name, title in ((raw, r"$\lambda$", "AdamW, runs of three lengths"),
                               (normalized, r"$\lambda_{norm}$", "the same by the normalized decay")):
        panel.set(xlabel=name, ylabel="% wrong, test digits (band: seeds)", ylim=(26, 40), title=title)
    raw.legend()


def main(argv=None):
    page = Page("Weight decay: inside Adam's gradient, or beside it", argv)
    steps = 300 if page.quick else 3000
    shrunk = {decoupled: shrinking(decoupled, steps) for decoupled in (False, True)}
    print(f"useless weights after {steps} steps, noise s of their gradients: {', '.join(f'{s:g}' for s in SCALES)}")
    for decoupled, name in ((False, "Adam with L2"), (True, "AdamW")):
        print(f"  {name:13}" + " ".join(f"{w:.3f}" for w in shrunk[decoupled][-1]) + "   closed form "
              + " ".join(f"{w:.3f}" for w in shrinking_in_theory(decoupled, steps)[-1]))
    train, test = digits()
    epochs, seeds = (1, 2) if page.quick else (40, 3)
    print(f"\n{epochs} epochs, {seeds} seeds, lowest % wrong on test digits; gain by decay, seed by seed")
    tables = {}
    for name in RATES:
        tables[name] = errors = np.array([[[test_error(name, rate, decay, epochs, seed, train, test)
                                            for seed in range(seeds)] for decay in DECAYS]
                                          for rate in RATES[name]])
        mean = errors.mean(axis=2)
        i, j = np.unravel_index(mean.argmin(), mean.shape)
        without = int(mean[:, 0].argmin())
        gain = errors[without, 0] - errors[i, j]
        print(f"  {name:13} without {mean[without, 0]:.2f} (lr {RATES[name][without]:g}), with {mean[i, j]:.2f} "
              f"(lr {RATES[name][i]:g}, decay {DECAYS[j]:g}): gain {gain.mean():.2f} +- {gain.std(ddof=1):.2f}; "
              "best decay by rate " + ", ".join(f"{lowest(DECAYS, row):g}" for row in errors))
    decays = 0.001 * 2.0 ** np.arange(0, 7, 2 if page.quick else 1)
    lengths = {T: np.array([[test_error("AdamW", 0.01, decay, T, seed, train, test) for seed in range(seeds)]
                            for decay in decays]) for T in ((1, 2) if page.quick else (20, 80, 320))}
    print("\nAdamW, lr 0.01: best lambda and lambda_norm by the length of the run")
    for T, errors in lengths.items():
        best, unit = lowest(decays, errors), optim.normalized_decay(1.0, BATCH, EXAMPLES, T)
        each = ", ".join(f"{decays[k]:g}" for k in errors.argmin(axis=0))
        print(f"  {T:4d} epochs: {best:.4f} (by seed {each}), {best / unit:.3f}   "
              f"{errors.mean(axis=1).min():.2f} % wrong")
    page.draw("weight_decay", picture, shrunk, tables, lengths, decays, BATCH / EXAMPLES, size=(14, 8))


if __name__ == "__main__":
    main()
