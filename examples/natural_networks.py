# %% [markdown]
# # Natural neural networks: whitened layers, linear and convolutional
#
#     python examples/natural_networks.py [--quick] [--out DIR]
#
# **What it shows.** Batch normalization (8.7.1) gives every unit mean 0 and variance 1. PRONG (Desjardins et al.
# 2015, in the slides) goes further: the inputs of a layer are whitened, the correlations between units go too. The
# function is unchanged, only gradient steps are taken on another form of it, and the whitening is refreshed every few
# steps. For a convolution the inputs are the windows it sees, at all places of all images. The paper's curve, loss
# against steps: plain SGD, SGD with batch norm, and PRONG on the net without batch norm, for a net of dense layers
# and for one with convolutions, each at the best of its rates, 3 seeds.
#
# **What to look at.** The spectra of the layers' inputs before and after: whitened, the eigenvalues l become l/(l +
# delta), the dotted line. The loss after 200 steps: the dense net 0.24 with SGD, 0.062 +- 0.006 with batch norm,
# 0.041 +- 0.007 with PRONG; the convolutional one 0.36, 0.11 +- 0.01 and 0.18 +- 0.005: there batch norm stays ahead,
# in the loss and in test error. Both are far ahead of SGD; a step of theirs takes about a third longer with
# convolutions and up to twice as long with small dense layers.
#
# **Try.** `interval=1000`: how long does a whitening stay good? delta = 1e-3: whiter, and noisier. PRONG on the net
# that has batch norm: do the two add up?

# %%
import time

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page

BATCH, DELTA, INTERVAL = 100, 0.1, 20
METHODS = ("SGD", "batch norm", "PRONG")
RATES = {("dense", "SGD"): (0.1, 0.3, 1.0), ("dense", "batch norm"): (0.3, 1.0, 3.0),
         ("dense", "PRONG"): (0.1, 0.3, 1.0), ("convolutional", "SGD"): (0.3, 1.0, 3.0),
         ("convolutional", "batch norm"): (0.3, 1.0, 3.0), ("convolutional", "PRONG"): (0.1, 0.3, 1.0)}


# %%
def digits(m=3000):
    """((x, y), (x, y)) of training and test: x (m, 14, 14, 1)."""
    return tuple((x.reshape(-1, 14, 14, 1), y) for x, y in data.coarse_mnist(14, m, m_test=m))


def network(kind, normalized, seed):
    """Three dense layers, or two convolutions and a dense layer; with or without batch norm before each relu."""
    rng = np.random.default_rng(seed)

    def with_relu(layer, units):
        return [layer, *([nn.BatchNorm(units)] if normalized else []), nn.ReLU()]

    if kind == "dense":
        layers = [nn.Flatten()]
        for m, n in ((196, 40), (40, 40), (40, 40)):
            layers += with_relu(nn.Linear(m, n, weights=init.he_normal, rng=rng), n)
        return nn.Sequential(*layers, nn.Linear(40, 10, rng=rng))
    return nn.Sequential(*with_relu(nn.Conv2d(1, 6, 3, weights=init.he_normal, rng=rng), 6), nn.AvgPool2d(2),
                         *with_relu(nn.Conv2d(6, 12, 3, weights=init.he_normal, rng=rng), 12), nn.AvgPool2d(2),
                         nn.Flatten(), nn.Linear(48, 10, rng=rng))


def learn(kind, method, rate, steps, seed, train, test):
    """(training loss after every tenth of the steps, seconds, % wrong on test digits)."""
    model = network(kind, method == "batch norm", seed)
    opt = optim.PRONG(model.parameters(), lr=rate, delta=DELTA, interval=INTERVAL) if method == "PRONG" \
        else optim.SGD(model.parameters(), lr=rate)
    rng, curve, seconds = np.random.default_rng(seed), [], 0.0
    whole = data.batches(*train, batch_size=500, rng=0)
    for k in range(steps):
        rows = rng.integers(len(train[0]), size=BATCH)
        began = time.process_time()
        opt.step(Objective(model, losses.cross_entropy, train[0][rows], train[1][rows]))
        seconds += time.process_time() - began
        if (k + 1) % (steps // 10) == 0:
            if method == "batch norm":
                training.refresh_batch_norm(model, whole)       # its averages lag behind after so few steps
            curve.append(training.evaluate(model, losses.cross_entropy, *train).loss)
    return np.nan_to_num(curve, nan=np.inf), seconds, 100 * losses.zero_one_error(training.predict(model, test[0]),
                                                                                  test[1])


def spectra(model, x):
    """{layer: eigenvalues of the covariance of its inputs}, largest first, and of the whitened ones."""
    J = Objective(model, losses.cross_entropy, x, np.zeros(len(x), int))
    found = {}
    for layer, h in J.layer_inputs().items():
        l, Q = np.linalg.eigh(np.cov(h.T.astype(np.float64), bias=True))
        l = np.maximum(l, 0)
        z = (h - h.mean(0)) @ (Q / np.sqrt(l + DELTA)) @ Q.T
        found[layer] = l[::-1], np.linalg.eigvalsh(np.cov(z.T, bias=True))[::-1]
    return found


# %%
def picture(figure, curves, steps, found):
    panels = figure.subplots(1, 3)
    for (kind, results), panel in zip(curves.items(), panels):
        k = np.arange(1, 11) * (steps // 10)
        for (method, runs), color, marker in zip(results.items(), COLORS, "os^"):
            runs = np.log(runs)
            mean, spread = runs.mean(axis=0), runs.std(axis=0, ddof=1)
            panel.fill_between(k, np.exp(mean - spread), np.exp(mean + spread), color=color, alpha=0.2, linewidth=0)
            panel.semilogy(k, np.exp(mean), marker + "-", color=color, markersize=4, label=method)
        panel.set(xlabel="step", ylabel="training loss (band: seeds)", title=f"{kind} net, best rate of each")
        panel.legend()
    for (layer, (before, after)), color in zip(found.items(), COLORS):
        rank = np.arange(1, len(before) + 1)
        panels[2].loglog(rank, np.maximum(before, 1e-6), color=color, label=f"layer {layer}")
        panels[2].loglog(rank, np.maximum(after, 1e-6), "--", color=color)
        panels[2].loglog(rank, np.maximum(before / (before + DELTA), 1e-6), ":", color="black", linewidth=1)
    panels[2].plot([], [], "--", color="0.4", label="whitened")
    panels[2].plot([], [], ":", color="black", label="l/(l + delta)")
    panels[2].set(xlabel="rank", ylabel="eigenvalue (floor 1e-6)", title="inputs of the convolutional net's layers")
    panels[2].legend(loc="lower left")


def main(argv=None):
    page = Page("Natural neural networks: whitened layers", argv)
    train, test = digits(300 if page.quick else 3000)
    steps, seeds, curves = (10, 2, {}) if page.quick else (200, 3, {})
    print(f"{len(train[0])} digits of 14 x 14, {steps} steps of {BATCH}, {seeds} seeds: training loss halfway and at "
          "the end, % wrong on test digits, ms a step, at the best rate of three")
    for kind in ("dense", "convolutional"):
        curves[kind] = {}
        for method in METHODS:
            runs = {rate: [learn(kind, method, rate, steps, seed, train, test) for seed in range(seeds)]
                    for rate in RATES[kind, method]}
            best = min(runs, key=lambda rate: np.mean([curve[-1] for curve, *_ in runs[rate]]))
            curve, seconds, errors = (np.array(column) for column in zip(*runs[best]))
            curves[kind][method] = curve
            print(f"  {kind:14}{method:11} lr {best:<6g}{curve[:, 4].mean():.3f} +- {curve[:, 4].std(ddof=1):.3f}   "
                  f"{curve[:, -1].mean():.4f} +- {curve[:, -1].std(ddof=1):.4f}   {errors.mean():.2f} +- "
                  f"{errors.std(ddof=1):.2f} %   {1e3 * seconds.mean() / steps:.1f}")
        gain = np.log(curves[kind]["batch norm"][:, -1] / curves[kind]["PRONG"][:, -1])
        print(f"  {kind:14}loss of batch norm over that of PRONG at the end: {np.exp(gain.mean()):.2f}, by seed "
              + ", ".join(f"{ratio:.2f}" for ratio in np.exp(gain)))
    found = spectra(network("convolutional", False, 0), train[0][:300])
    page.draw("natural_networks", picture, curves, steps, found, size=(14, 4.5))


if __name__ == "__main__":
    main()
