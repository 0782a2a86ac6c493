# %% [markdown]
# # First biases: relus, gates, and a precision
#
#     python examples/first_biases.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4 has a few cases in which a bias should not begin at 0. Of relus: 0.1, so that they are
# active at first for most examples (`init.relu_bias`). Of units that multiply others, as a forget gate does: 1, so that
# the gate is open and what lies behind it can learn (`init.gate_bias`). And what is no bias but begins in the same way:
# a precision (8.24) at 1, or at one over the variance of the targets (`init.precision_from_marginals`). (Biases of the
# outputs, from the distribution of the classes: skewed_classes.py.)
#
# **What to look at.** Gates: of what a forget gate at 0 lets through, 1e-9 is left after 30 steps, and no run learns
# the task in 300 minibatches; at 1, where 1e-4 is left, 34 +- 4 of them are enough, at 3 28 +- 4 (one of these runs
# loses it again for a hundred steps). The precision: from the variance J is below 0.1 after 131 +- 3 steps whatever
# the targets' scale; from 1 that is so for targets of scale 1 only, and the first J is 5036 where they are a hundred
# times as large. Relus: 0.1 switches a few more of them on (52.8 in place of 48.3 %), but after 500 steps nothing is
# gained: J 0.527 +- 0.023 against 0.575 +- 0.097, 35.5 +- 0.5 % wrong against 34.8 +- 1.2. With inputs around 0 and
# He's weights, half of the relus are on in any case.
#
# **Try.** 20 layers of relus, or inputs that are all positive. A forget gate that begins at 5: can it still forget?
# Momentum in place of Adam for the precision, and targets 100 times as large.

# %%
from functools import partial

import numpy as np

from minigrad import Tensor, data, init, losses, nn, ops, optim
from minigrad.figures.page import COLORS, Page

LAYERS, LENGTH, UNITS = 8, 30, 16
RELU_BIASES = {"0": init.zeros, "0.1": init.relu_bias, "1": partial(init.relu_bias, value=1.0)}
FORGET_BIASES = (0, 1, 3)
SCALES = (0.01, 1, 100)


# %% [markdown]
# Relus: eight layers of 20, He's weights, digits of 6 x 6 pixels.

# %%
def relu_net(biases, seed):
    rng = np.random.default_rng(seed)
    layers = [part for i in range(LAYERS) for part in (
        nn.Linear(20 if i else 36, 20, weights=init.he_normal, biases=biases, rng=rng), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(20, 10, rng=rng))


def activity(model, x):
    """(share of (unit, example) pairs in which a relu is on, share of units that are off for every example), in %."""
    on, h = [], x
    for layer in model.layers[:-1]:
        h = layer(h)
        if isinstance(layer, nn.ReLU):
            on.append(h.data > 0)
    return 100 * np.mean(on), 100 * np.mean(~np.any(on, axis=1))


def relus(biases, seed, steps, train, test):
    """(% on, % never on) before learning, J after so many steps of SGD, % wrong on test digits."""
    model, rng = relu_net(biases, seed), np.random.default_rng(seed)
    opt, before = optim.SGD(model.parameters(), lr=0.05), activity(model, train[0])
    for _ in range(steps):
        rows = rng.integers(len(train[0]), size=20)
        model.zero_grad()
        losses.cross_entropy(model(train[0][rows]), train[1][rows]).backward()
        opt.step()
    J = losses.cross_entropy(model(train[0]), train[1]).item()
    return *before, J, 100 * losses.zero_one_error(model(test[0]), test[1])


# %% [markdown]
# Gates: the first number of a sequence is +1 or -1, the others are noise, and the last state must tell its sign.

# %%
def forgetting(value):
    """Biases of an LSTM cell: `value` for the forget gate, 0 for the others."""
    def biases(shape, rng=None, dtype=np.float32):
        b, units = init.zeros(shape, dtype=dtype), shape[0] // 4
        b[units:2 * units] = init.gate_bias((units,), value, dtype=dtype)
        return b
    return biases


class Memory(nn.Module):
    """(m, length, 1) -> (m, 2)."""

    def __init__(self, bias, rng):
        self.cell = nn.LSTMCell(1, UNITS, biases=forgetting(bias), rng=rng)
        self.out = nn.Linear(UNITS, 2, rng=rng)

    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.out(state[0])


def sequences(m, length, rng):
    x = 0.3 * rng.standard_normal((m, length, 1)).astype(np.float32)
    y = rng.integers(0, 2, m)
    x[:, 0, 0] = 2 * y - 1
    return x, y


def memory(bias, seed, steps, length):
    """Losses of the minibatches."""
    rng = np.random.default_rng(seed)
    model, found = Memory(bias, rng), []
    opt = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        x, y = sequences(20, length, rng)
        model.zero_grad()
        loss = losses.cross_entropy(model(Tensor(x)), y)
        loss.backward()
        optim.clip_grad_norm(model.parameters(), 1.0)
        opt.step()
        found.append(loss.item())
    return np.array(found)


def learned(curve, level=0.1, width=20):
    """Steps until the mean of `width` minibatches is below the level; all of them if it never is."""
    below = np.flatnonzero(np.convolve(curve, np.full(width, 1 / width), "valid") < level)
    return int(below[0]) + width if len(below) else len(curve)


# %% [markdown]
# Precision: linear regression, five inputs, noise a tenth of the targets' spread; beta = exp(log_beta) is learned too.

# %%
class Line(nn.Module):
    """x (m, 5) -> (m, 1), and the logarithm of a precision."""

    def __init__(self, y, marginals):
        self.mean = nn.Linear(5, 1, weights=init.zeros, dtype=np.float64)
        self.mean.b.data = init.bias_from_marginals(y, activation="linear", dtype=np.float64)
        first = init.precision_from_marginals(y, dtype=np.float64) if marginals else np.ones(1)
        self.log_beta = nn.Parameter(np.log(first))

    def forward(self, x):
        return self.mean(x)


def precision(scale, marginals, seed, steps):
    """J before every step of Adam, less the expected J of the weights and the precision that made the targets."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((200, 5))
    y = scale * (x @ np.full((5, 1), 5**-0.5) + 0.1 * rng.standard_normal((200, 1)))
    model, found = Line(y, marginals), []
    opt = optim.Adam(model.parameters(), lr=0.03 * scale, groups={"log_beta": {"lr": 0.03}})
    for _ in range(steps):
        model.zero_grad()
        J = losses.gaussian_nll(model(x), y, ops.exp(model.log_beta))
        J.backward()
        opt.step()
        found.append(J.item())
    return np.array(found) - (np.log(2 * np.pi * (0.1 * scale) ** 2) + 1) / 2


# %%
def picture(figure, gates, precisions, active):
    relu, memory_, nll = figure.subplots(1, 3)
    for i, rows in enumerate(active.values()):
        relu.bar(i, rows[:, 0].mean(), color=COLORS[i], width=0.6)
        relu.plot(np.full(len(rows), i), rows[:, 0], "o", color="white", markeredgecolor="black", markersize=5)
    relu.set_xticks(range(len(active)), list(active))
    relu.set(xlabel="first bias", ylabel="% on (points: seeds)", ylim=(0, 100),
             title=f"relus of {LAYERS} layers, before learning")
    for (bias, runs), color in zip(gates.items(), COLORS):
        for i, run in enumerate(runs):
            smooth = np.convolve(run, np.full(20, 0.05), "valid") if len(run) > 20 else run
            memory_.plot(np.arange(len(smooth)) + len(run) - len(smooth), smooth, color=color, linewidth=1.1,
                         label=f"forget gate at {bias:g}" if i == 0 else None)
    memory_.axhline(np.log(2), color="0.5", linestyle=":", linewidth=1)
    memory_.set(xlabel="step", ylabel="J, mean of 20 minibatches (dotted: guessing)", ylim=(0, None),
                title=f"an LSTM remembers a sign for {LENGTH} steps")
    memory_.legend()
    for i, ((scale, marginals), runs) in enumerate(precisions.items()):
        nll.semilogy(np.maximum(np.mean(runs, axis=0), 1e-3), "-" if marginals else "--", color=COLORS[i // 2],
                     label=f"scale {scale:g}, beta from {'1/variance' if marginals else '1'}")
    nll.set(xlabel="step", ylabel="J above that of the truth (floor 0.001)",
            title="a precision's first value (solid lines coincide)")
    nll.legend()


def main(argv=None):
    page = Page("First biases: relus, gates, and a precision", argv)
    seeds, steps, most, length = (2, 30, 30, 10) if page.quick else (3, 500, 300, LENGTH)
    train, test = data.standardized(*data.coarse_mnist(m=1000, m_test=2000))
    active = {name: np.array([relus(biases, seed, steps, train, test) for seed in range(seeds)])
              for name, biases in RELU_BIASES.items()}
    print(f"{LAYERS} layers of 20 relus, {seeds} seeds: % on, % never on; after {steps} steps J, % wrong (test)")
    for name, rows in active.items():
        print(f"  bias {name:6}" + "".join(f"   {mean:.3g} +- {spread:.2g}"
                                           for mean, spread in zip(rows.mean(0), rows.std(0, ddof=1))))
    gates = {bias: [memory(bias, seed, most, length) for seed in range(seeds)] for bias in FORGET_BIASES}
    print(f"a sign for {length} steps: what the gate keeps of it at first, sigmoid(b)^{length}; steps until J is 0.1, "
          f"at most {most}, by seed")
    for bias, runs in gates.items():
        print(f"  bias {bias:<6g}   {(1 + np.exp(-bias)) ** -float(length):.1e}   {[learned(run) for run in runs]}")
    precisions = {(scale, marginals): [precision(scale, marginals, seed, most) for seed in range(seeds)]
                  for scale in SCALES for marginals in (False, True)}
    print("a precision: scale of the targets, first value; J above that of the truth before learning, steps until 0.1")
    for (scale, marginals), runs in precisions.items():
        steps_ = np.array([np.argmax(run < 0.1) if (run < 0.1).any() else most for run in runs])
        first = np.array([run[0] for run in runs])
        print(f"  {scale:<6g}{'1/variance' if marginals else '1':12}{first.mean():9.2f} +- {first.std(ddof=1):.2f}   "
              f"{steps_.mean():.0f} +- {steps_.std(ddof=1):.0f}")
    page.draw("first_biases", picture, gates, precisions, active, size=(14, 4.6))


if __name__ == "__main__":
    main()
