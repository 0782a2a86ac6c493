# %% [markdown]
# # A thousand layers of relus
#
#     python examples/thousand_layers.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4: with the right gain a feedforward net of 1,000 layers can be trained (Sussillo and
# Abbott 2014). The logarithm of an activation's norm makes a random walk through the layers; `init.random_walk`
# chooses the gain for which it has no drift. Here 1,000 layers of 64 relus, without shortcuts and without
# normalization, learn to tell two digits apart, by momentum with the gradient clipped to norm 1 (8.2.4), from three
# seeds; and beside them the same net with gains of 5 % less and more.
#
# **What to look at.** The norms, layer by layer: drifts of 1000 log(0.95) and 1000 log(1.05), 22 powers of ten each
# way, around one and the same walk, which stays within a few. The printed J: from log 2 = 0.69 to 0.40 +- 0.03 in 160
# steps, 6.6 +- 0.6 % of the digits wrong. With 5 % less J stays at 0.69, with 5 % more it begins at 10^18 and is no
# use.
#
# Why two digits and not ten: the norm survives, the directions do not. The second singular value of the (centred)
# activations falls to a millionth of the first: all digits lie on one ray, and all that is left to tell them apart is
# how far out they are (the correlation of two inputs tends to 1 through relus, the sooner the narrower the layers).
# One number is enough for two digits; ten of them get from 2.3 down to 2.0 and stay there.
#
# **Try.** DIGITS = range(10). 300 layers of 128: how far do ten digits get now? Residual connections (8.7.5) in place
# of the random walk.

# %%
import math

import numpy as np

from minigrad import data, init, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

DIGITS, EXAMPLES, WIDTH, BATCH, LR = (0, 1), 500, 64, 50, 3e-3
GAINS = {"random walk": 1.0, "5 % less": 0.95, "5 % more": 1.05}


# %%
def digits():
    """((x, y), (x, y)) of training and test, EXAMPLES each: x (m, 784) with mean 0 in each pixel, y from 0 on."""
    (x, y), (x_test, y_test) = (
        (images[rows], np.searchsorted(DIGITS, labels[rows])) for images, labels in data.mnist(flat=True)
        for rows in [np.flatnonzero(np.isin(labels, DIGITS))[:EXAMPLES]])
    mean, std = x.mean(0), x.std()
    return ((x - mean) / std, y), ((x_test - mean) / std, y_test)


def network(layers, gain, seed):
    """784-WIDTH-...-WIDTH-2 of relus, random walk weights times `gain`; the last layer begins at zero."""
    rng = np.random.default_rng(seed)

    def weights(shape, rng, dtype):
        return gain * init.random_walk(shape, "relu", rng, dtype)

    parts = [part for i in range(layers - 1)
             for part in (nn.Linear(784 if i == 0 else WIDTH, WIDTH, weights=weights, rng=rng), nn.ReLU())]
    return nn.Sequential(*parts, nn.Linear(WIDTH, len(DIGITS), weights=init.zeros))


def walk(model, x, looks=200):
    """(layer, log10 of the norm of the activations over that of layer 1, second over first singular value), at so many
    layers."""
    rows, h, first = [], x, None
    relus = [layer for layer in model.layers]
    every = max(1, (len(relus) // 2) // looks)
    for i, layer in enumerate(relus[:-1]):
        h = layer(h)
        if i % 2 and (i // 2) % every == 0:
            a = h.data.astype(np.float64)
            norm = np.linalg.norm(a)
            first = norm if first is None else first
            s = np.linalg.svd(a - a.mean(0), compute_uv=False)
            rows.append((i // 2 + 1, math.log10(max(norm, 1e-300) / first), s[1] / max(s[0], 1e-300)))
    return np.array(rows)


def learn(layers, gain, steps, seed, train, test):
    """(losses of the minibatches, % wrong of the training digits, of test digits)."""
    model = network(layers, gain, seed)
    opt = optim.Momentum(model.parameters(), lr=schedules.Cosine(LR, 0.0, steps), momentum=0.9)
    rng, found = np.random.default_rng(seed), []
    for _ in range(steps):
        rows = rng.integers(len(train[0]), size=BATCH)
        model.zero_grad()
        loss = losses.cross_entropy(model(train[0][rows]), train[1][rows])
        loss.backward()
        optim.clip_grad_norm(model.parameters(), 1.0)
        opt.step()
        found.append(loss.item())
    return found, *(100 * losses.zero_one_error(training.predict(model, x), y) for x, y in (train, test))


# %%
def picture(figure, walks, curves):
    norms, rays, fall = figure.subplots(1, 3)
    for (name, rows), color in zip(walks.items(), COLORS):
        norms.plot(rows[:, 0], rows[:, 1], color=color, label=name)
        norms.plot(rows[:, 0], rows[:, 0] * math.log10(GAINS[name]), ":", color="black", linewidth=1)
    norms.plot([], [], ":", color="black", linewidth=1, label="layers times log gain")
    norms.set(xlabel="layer", ylabel="log10 of the norm, layer 1: 0", title="norms of activations")
    norms.legend()
    rays.loglog(walks["random walk"][:, 0], np.maximum(walks["random walk"][:, 2], 1e-8), color=COLORS[0])
    rays.set(xlabel="layer", ylabel="second / first singular value (floor 1e-8)", title="all inputs on one ray")
    for name, runs in curves.items():
        color = COLORS[list(GAINS).index(name)]
        for i, run in enumerate(runs):
            smooth = np.convolve(run, np.full(10, 0.1), "valid") if len(run) > 20 else np.array(run)
            seen = name if min(smooth) < 1 else f"{name}, off the scale"
            fall.plot(np.arange(len(smooth)) + len(run) - len(smooth) + 1, smooth, color=color,
                      label=seen if i == 0 else None, linestyle="-" if name == "random walk" else "--")
    fall.axhline(math.log(len(DIGITS)), color="0.6", linewidth=0.8)
    fall.set(xlabel="step", ylabel="J, mean of 10 minibatches", ylim=(0, 0.8), title="1,000 layers learn (3 seeds)")
    fall.legend(loc="lower left")


def main(argv=None):
    page = Page("A thousand layers of relus", argv)
    layers, steps, seeds = (100, 30, 2) if page.quick else (1000, 160, 3)
    train, test = digits()
    walks = {name: walk(network(layers, gain, 0), train[0][:100]) for name, gain in GAINS.items()}
    print(f"{layers} layers of {WIDTH} relus; after the last, log10 of the norm over that of layer 1, and "
          "second singular value over the first")
    for name, rows in walks.items():
        print(f"  {name:12} {rows[-1, 1]:8.2f}   {rows[-1, 2]:.1e}")
    curves = {name: [] for name in GAINS}
    print(f"{steps} steps on digits {', '.join(map(str, DIGITS))}: J of the first and of the last ten minibatches, % "
          "wrong (training, test)")
    for name, gain in GAINS.items():
        ends = []
        for seed in range(seeds if name == "random walk" else 1):
            with np.errstate(all="ignore"):
                curve, *wrong = learn(layers, gain, steps, seed, train, test)
            curves[name].append(curve)
            ends.append((np.mean(curve[:10]), np.mean(curve[-10:]), *wrong))
        spread = np.std(ends, axis=0, ddof=1) if len(ends) > 1 else np.zeros(4)
        print(f"  {name:12} " + "   ".join(f"{mean:.3g} +- {dev:.2g}" if len(ends) > 1 else f"{mean:.3g}"
                                           for mean, dev in zip(np.mean(ends, axis=0), spread)))
    page.draw("thousand_layers", picture, walks, curves, size=(14, 4.4))


if __name__ == "__main__":
    main()
