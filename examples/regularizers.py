# %% [markdown]
# # The regularizers of the course notes, side by side
#
#     python examples/regularizers.py [--quick] [--out DIR]
#
# **What it shows.** The notes list what narrows the gap between training and validation: penalties L1 and L2, dropout,
# dropped weights (DropConnect), dropped layers (stochastic depth), random pooling regions (fractional max pooling); and
# Srivastava et al. (2014), who brought dropout, bound the norm of every unit's weights beside it (max-norm). Nets learn
# 300 digits of 14 x 14 pixels by heart, 3 seeds, each with its own 300. Every regularizer gets three strengths; the one
# with the least error on 1,000 validation digits is then tested on 3,000 others. Three kinds of nets, since not every
# regularizer fits into each: dense, convolutional, and residual (12 blocks).
#
# **What to look at.** Nearly every net learns its 300 digits without a mistake, so all is a question of the gap.
# Dense nets, 22.7 +- 2.2 % wrong: dropout gains most, 1.6 +- 0.7 for the same digits, with max-norm beside it 1.4 +-
# 0.5, scaled at test time 0.7 +- 0.5; dropped weights 0.5 +- 1.2, which is nothing; L2, L1 and max-norm alone 0.1 to
# 0.3, and each of them is best where it does least. The seeds differ by more than the regularizers, hence the gains
# by seed. Convolutions are better by far, 13.9 +- 1.5 % with fixed windows, and windows that are drawn anew cost them
# 3.3 +- 0.7: 60 epochs are too few then, 2.1 % of the training digits are still wrong. Dropped layers gain 1.0 +- 1.2
# by example and 1.1 +- 2.0 by batch, of 25.2 +- 1.9, which may be nothing. (A * marks an end of the strengths tried.)
#
# **Try.** M = 3000: what is left of the gains? 300 epochs of convolutions with windows
# drawn. Dropout in the convolutional net. The same p for all blocks.

# %%
import time
from functools import partial

import numpy as np

from minigrad import data, init, losses, nn, ops, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.nn import regularize

M, EPOCHS, BATCH, BLOCKS = 300, 60, 30, 12


# %% [markdown]
# The nets. A regularizer of layers goes into the net, a penalty is added to the loss, and max-norm follows each step.

# %%
def dense(rng, linear=nn.Linear, behind=None):
    """196-200-200-10 of relus; behind() makes what stands behind each hidden layer."""
    def hidden(inputs):
        return [linear(inputs, 200, weights=init.he_normal, rng=rng), nn.ReLU(), *([behind()] if behind else [])]

    return nn.Sequential(*hidden(196), *hidden(200), nn.Linear(200, 10, rng=rng))


def with_dropout(p, rng, layer=nn.Dropout):
    return dense(rng, behind=partial(layer, p, rng=rng))


def with_dropped_weights(p, rng):
    return dense(rng, linear=partial(nn.DropConnect, p=p))


class FixedWindows(nn.FractionalMaxPool2d):
    """The windows of test mode, while learning too."""

    def forward(self, x):
        return ops.fractional_max_pool2d(x, self.output, self.size, self.overlapping, (0.5, 0.5))


def convolutional(size, rng, pool):
    """Three convolutions; each pooling to the side `size` times as long, over overlapping windows: 14, 9, 6, 4."""
    parts, side = [], 14
    for inputs, outputs in ((1, 8), (8, 16), (16, 16)):
        side = int(side * size)
        parts += [nn.Conv2d(inputs, outputs, 3, padding=1, weights=init.he_normal, rng=rng), nn.ReLU(),
                  pool(side, rng=rng)]
    return nn.Sequential(lambda x: x.reshape(-1, 14, 14, 1), *parts, nn.Flatten(),
                         nn.Linear(16 * side * side, 10, rng=rng))


def residual(last, rng, per="example"):
    """196-64, BLOCKS times x + relu(x W + b), dropped ever more often up to `last`, 64-10."""
    blocks = [nn.StochasticDepth(nn.Sequential(nn.Linear(64, 64, rng=rng), nn.ReLU()), p, per, rng=rng)
              for p in regularize.depth_rates(BLOCKS, last)]
    return nn.Sequential(nn.Linear(196, 64, rng=rng), *blocks, nn.Linear(64, 10, rng=rng))


def plain(strength, rng):
    return dense(rng)


# name: (strengths, net(strength, rng), penalty of the loss, constraint after a step)
DENSE = {
    "nothing": ((0,), plain, None, None),
    "L2": ((1e-3, 3e-3, 1e-2), plain, regularize.l2, None),
    "L1": ((1e-4, 3e-4, 1e-3), plain, regularize.l1, None),
    "max-norm": ((0.5, 1, 2), plain, None, regularize.max_norm),
    "dropout": ((0.2, 0.5, 0.7), with_dropout, None, None),
    "dropout, scaled at test": ((0.2, 0.5, 0.7), partial(with_dropout, layer=nn.DropoutAtTest), None, None),
    "dropout 0.5, max-norm": ((0.5, 1, 2), lambda limit, rng: with_dropout(0.5, rng), None, regularize.max_norm),
    "DropConnect": ((0.2, 0.5, 0.7), with_dropped_weights, None, None)}
CONVOLUTIONAL = {
    "windows fixed": ((0.5, 0.7, 0.8), partial(convolutional, pool=FixedWindows), None, None),
    "windows drawn": ((0.5, 0.7, 0.8), partial(convolutional, pool=nn.FractionalMaxPool2d), None, None)}
RESIDUAL = {
    "all layers": ((0,), residual, None, None),
    "dropped by example": ((0.1, 0.2, 0.4), residual, None, None),
    "dropped by batch": ((0.1, 0.2, 0.4), partial(residual, per="batch"), None, None)}
NETS = {"dense": DENSE, "convolutional": CONVOLUTIONAL, "residual": RESIDUAL}


# %%
def learn(kind, strength, seed, m, epochs, validation, test):
    """% wrong on (training, validation, test) digits, seconds of the processor."""
    _, net, penalty, constraint = kind
    (x, y), _ = data.coarse_mnist(14, (seed + 1) * m)
    train, began = (x[-m:] - x[-m:].mean(0), y[-m:]), time.process_time()
    model = net(strength, np.random.default_rng(seed))
    batches = data.batches(*train, batch_size=BATCH, rng=seed)
    opt = optim.Momentum(model.parameters(), lr=optim.schedules.Cosine(0.05, 0.0, epochs * len(batches)), momentum=0.9)
    for _ in range(epochs):
        for inputs, labels in batches:
            model.zero_grad()
            loss = losses.cross_entropy(model(inputs), labels)
            (loss if penalty is None else loss + penalty(model, strength)).backward()
            opt.step()
            if constraint is not None:
                constraint(model, strength)
    seconds, mean = time.process_time() - began, x[-m:].mean(0)
    return *(100 * losses.zero_one_error(training.predict(model, inputs - shift), labels)
             for inputs, labels, shift in ((*train, 0), (*validation, mean), (*test, mean))), seconds


def best(kind, seeds, *sizes):
    """(the strength with the least mean validation error, its results (seeds, 4))."""
    tried = {strength: np.array([learn(kind, strength, seed, *sizes) for seed in range(seeds)])
             for strength in kind[0]}
    strength = min(tried, key=lambda strength: tried[strength][:, 1].mean())
    return strength, tried[strength]


# %%
def picture(figure, found):
    for panel, (net, rows) in zip(figure.subplots(1, 3, sharex=True, width_ratios=(1, 1, 1)), found.items()):
        for i, (_, errors) in enumerate(rows.values()):
            panel.barh(i, errors[:, 2].mean(), color=COLORS[0] if i else "0.6", height=0.65)
            panel.plot(errors[:, 2], np.full(len(errors), i), "o", color="white", markeredgecolor="black", markersize=5)
        panel.set_yticks(range(len(rows)), [f"{name}\n({strength:g})" if strength else name
                                            for name, (strength, _) in rows.items()])
        panel.invert_yaxis()
        panel.set(xlabel="% wrong, test digits (points: seeds)", title=net)


def main(argv=None):
    page = Page("The regularizers of the course notes, side by side", argv)
    m, epochs, seeds = (100, 2, 2) if page.quick else (M, EPOCHS, 3)
    _, (x, y) = data.coarse_mnist(14)
    sizes = m, epochs, (x[:1000], y[:1000]), (x[1000:4000], y[1000:4000])
    print(f"{m} digits, {epochs} epochs, {seeds} seeds: strength, % wrong on training and test digits, gain by seed, "
          "seconds a run; *: an end of the strengths that were tried")
    found = {}
    for net, kinds in NETS.items():
        print(net)
        found[net] = {name: best(kind, seeds, *sizes) for name, kind in kinds.items()}
        first = next(iter(found[net].values()))[1][:, 2]
        for name, (strength, rows) in found[net].items():
            gain, mean, spread = first - rows[:, 2], rows.mean(0), rows.std(0, ddof=1)
            edge = "*" if len(kinds[name][0]) > 1 and strength in (kinds[name][0][0], kinds[name][0][-1]) else ""
            print(f"  {name:24}{f'{strength:g}{edge}':8}{mean[0]:5.1f}   {mean[2]:5.1f} +- {spread[2]:.1f}   "
                  f"{gain.mean():+.1f} +- {gain.std(ddof=1):.1f}   {mean[3]:.2f}")
    page.draw("regularizers", picture, found, size=(14, 4.8))


if __name__ == "__main__":
    main()
