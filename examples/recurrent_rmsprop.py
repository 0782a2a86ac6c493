# %% [markdown]
# # RMSProp on a recurrent net
#
#     python examples/recurrent_rmsprop.py [--quick] [--out DIR]
#
# **What it shows.** The slides say of RMSProp (algorithm 8.5) that it has shown success with recurrent models, and
# that momentum does not improve it much. A small recurrent net reads a row of numbers, two of them marked, and is to
# give the marked ones' sum at the end (the adding problem): its gradients come through as many steps as the row is
# long, and their size changes by powers of ten while it learns. SGD, momentum, RMSProp, RMSProp with Nesterov
# momentum (algorithm 8.6) and Adam, each at the best of its own rates, 3 seeds, gradients clipped to norm 1 for all.
#
# **What to look at.** The squared error against steps; the dashed line is what the mean of the answers gets, 1/6.
# After 1,500 steps SGD is at 0.030 +- 0.006, RMSProp at 0.026 +- 0.004, momentum at 0.0077 +- 0.0025, RMSProp with
# Nesterov momentum at 0.0071 +- 0.0006 (at the largest of its rates), Adam at 0.0043 +- 0.0005. So adapting the rates
# helps SGD a little, and momentum helps much more, with and without them: what the slides say of RMSProp and momentum
# does not show here. In the last panel the norm of the gradients.
#
# **Try.** LENGTH = 40. nn.LSTMCell in place of nn.RNNCell. No clipping: who suffers?

# %%
from functools import partial

import numpy as np

from minigrad import Tensor, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page

LENGTH, UNITS, BATCH, GUESS = 12, 24, 50, 1 / 6
METHODS = {"SGD": (optim.SGD, (0.03, 0.1, 0.3)),
           "momentum": (partial(optim.Momentum, momentum=0.9), (0.01, 0.03, 0.1)),
           "RMSProp": (optim.RMSProp, (0.001, 0.003, 0.01)),
           "RMSProp, Nesterov": (partial(optim.RMSPropNesterov, momentum=0.9), (0.0001, 0.0003, 0.001)),
           "Adam": (optim.Adam, (0.003, 0.01, 0.03))}


# %%
def rows(rng, m=BATCH, length=LENGTH):
    """x (length, m, 2): numbers in [0, 1] and marks; y (m, 1): the sum of the two that are marked, one in each half."""
    x = np.zeros((length, m, 2))
    x[:, :, 0] = rng.random((length, m))
    first, second = rng.integers(0, length // 2, m), rng.integers(length // 2, length, m)
    x[first, np.arange(m), 1] = x[second, np.arange(m), 1] = 1
    return x.astype(np.float32), (x[:, :, 0] * x[:, :, 1]).sum(axis=0)[:, None].astype(np.float32)


class Adder(nn.Module):
    """Reads x (length, m, 2), answers (m, 1)."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.cell = nn.RNNCell(2, UNITS, weights=init.orthogonal, rng=rng)
        self.out = nn.Linear(UNITS, 1, rng=rng)

    def forward(self, x):
        h = Tensor(np.zeros((x.shape[1], UNITS), np.float32))
        for t in range(x.shape[0]):
            h = self.cell(x[t], h)
        return self.out(h)


def learn(method, rate, steps, seed):
    """(squared error of each minibatch, norm of its gradient before clipping)."""
    model, rng, make = Adder(seed), np.random.default_rng(seed), METHODS[method][0]
    opt, found = make(model.parameters(), lr=rate), []
    for _ in range(steps):
        x, y = rows(rng)
        model.zero_grad()
        J = losses.mean_squared_error(model(Tensor(x)), y)
        J.backward()
        norm = optim.clip_grad_norm(model.parameters(), 1.0)
        opt.step()
        found.append((J.item(), norm))
    return np.array(found)


# %%
def smooth(curve, width=25):
    return np.convolve(curve, np.full(width, 1 / width), "valid") if len(curve) > width else curve


def picture(figure, found):
    error, norm = figure.subplots(1, 2)
    for (name, runs), color in zip(found.items(), COLORS):
        for i, run in enumerate(runs):
            error.semilogy(smooth(run[:, 0]), color=color, linewidth=1.1, label=name if i == 0 else None)
        norm.semilogy(smooth(runs[0][:, 1]), color=color, linewidth=1.1, label=name)
    error.axhline(GUESS, color="0.4", linestyle="--", linewidth=1)
    error.set(xlabel="step", ylabel="squared error, mean of 25 steps", title="the adding problem (lines: seeds)")
    error.legend(loc="lower left")
    norm.axhline(1, color="0.4", linestyle="--", linewidth=1)
    norm.set(xlabel="step", ylabel="|g| before clipping, mean of 25 steps",
             title="gradients, one seed (dashed: clipped from here)")


def main(argv=None):
    page = Page("RMSProp on a recurrent net", argv)
    steps, seeds, found = (30, 2, {}) if page.quick else (1500, 3, {})
    print(f"{LENGTH} numbers, {UNITS} units, {steps} steps, {seeds} seeds: squared error of the last tenth at the best "
          f"of three rates; steps to a tenth of {GUESS:.3f}")
    for name, (_, rates) in METHODS.items():
        runs = {rate: [learn(name, rate, steps, seed) for seed in range(seeds)] for rate in rates}
        ends = {rate: np.array([run[-steps // 10:, 0].mean() for run in some]) for rate, some in runs.items()}
        best = min(ends, key=lambda rate: ends[rate].mean())
        found[name] = runs[best]
        below = [next((k for k, J in enumerate(smooth(run[:, 0])) if J < GUESS / 10), None) for run in runs[best]]
        print(f"  {name:18} lr {best:<8g}{ends[best].mean():.4f} +- {ends[best].std(ddof=1):.4f}   "
              + ", ".join("never" if k is None else str(k) for k in below)
              + ("" if best in rates[1:-1] else "   (the best rate is the grid's first or last)"))
    page.draw("recurrent_rmsprop", picture, found, size=(12, 4.6))


if __name__ == "__main__":
    main()
