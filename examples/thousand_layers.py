# %% [markdown]
# # A thousand layers
#
#     python examples/thousand_layers.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4: with the right first weights a feedforward net of 1,000 layers can be trained, without
# shortcuts and without normalization. Norms must survive (Sussillo and Abbott 2014), and directions too (Saxe et al.
# 2013). Four nets are followed from the first layer to the last, and learn by momentum with the gradient clipped to
# norm 1 (8.2.4), from three seeds each:
#
# - 64 relus a layer, Gaussian weights with the gain of `init.random_walk`, for which the logarithm of an activation's
#   norm is a random walk without drift: digits 0 and 1;
# - 32 tanh a layer, Gaussian weights with the gain of the walk for straight units, first activations of 0.02, where
#   tanh is nearly straight: ten digits;
# - the same with random orthogonal weights (`init.orthogonal`), of the same variance 1/32 within 3 %: ten digits;
# - 32 pairs of relus a layer, h -> (relu(h), relu(-h)), and behind them the weights (Q, -Q), Q orthogonal: since
#   relu(h) - relu(-h) = h, the net starts as an orthogonal linear one (Balduzzi et al. 2017): ten digits.
#
# **What theory predicts.** The mean field says nothing against either of the last two: at gain 1 its depth scale is
# infinite (Schoenholz et al. 2017), and the variance of a unit falls no faster than q -> q - 2 q^2, from q_0 to
# q_0/(1 + 2 q_0 l) after l layers. But a product of l Gaussian matrices of n x n has singular values that part like
# exp(l lambda_i), 2 lambda_i = psi((n - i + 1)/2) + log(2/n) (Newman 1986): for n = 32 the second falls behind the
# first by a factor e in 61 layers, the tenth in 6. Ten classes need nine directions. With orthogonal weights all
# of them are equal, and what small tanh adds hardly parts them (dynamical isometry, Pennington et al. 2017).
#
# **What to look at.** Norms: those of Gaussian weights walk, by a factor of 10 or so; those of orthogonal ones fall
# by 0.10 powers of ten, and 0.13 were predicted. Directions: the tenth singular value of the Gaussian net falls with
# the line of theory to 1e-4, where the bend of tanh, a part h^2/3 of h, begins to show, and ends at 1e-7, which is
# rounding: all digits lie on one ray, for relus too. With orthogonal weights it is half the first in layer 1 and in
# layer 1,000.
#
# What is learned, on test digits in brackets: the relus of the walk tell two digits apart after 100 steps, 13.5 +-
# 3.2 % wrong (14.6 +- 1.3); for that one number, how far out on the ray, is enough. Of ten digits the Gaussian net
# learns nothing, 89.8 +- 1.4 % (89.0 +- 1.2), the orthogonal one gets to 10.3 +- 0.5 in 150 steps (14.1 +- 0.2) and
# pairs of relus to 13.9 +- 1.8 in 70 (17.2 +- 1.2). Depth costs no steps, as Saxe et al. say: after 150 of them
# orthogonal nets of 10 and of 100 layers are at 14.2 +- 0.3 and 13.2 +- 0.3 on test digits. Nor does it gain anything
# yet: a linear classifier ends at 13.0 +- 0.2.
#
# **Try.** SMALL = 1: how large are activations in the end, whatever they were at first? A gain of 1.05 for the
# orthogonal weights. `small_net(10, ...)`, ten layers: who is ahead now? DIGITS = range(10) for the relus of the
# walk: J gets from 2.3 down to 2.0 and stays there.

# %%
import math

import numpy as np

from minigrad import data, init, losses, nn, ops, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

LAYERS, EXAMPLES, DIGITS = 1000, 10_000, (0, 1)
RELUS, WIDTH, SMALL = 64, 32, 0.02                  # units of the walk, of the other nets; first activations of tanh
STEPS = {"relus, random walk": 100, "tanh, Gaussian": 50, "tanh, orthogonal": 150, "pairs of relus": 70}
BATCH, LR = 64, 3e-3


# %%
def digits(which=range(10), m=EXAMPLES, m_test=2000):
    """((x, y), (x, y)) of training and test, of these classes among the first m: x (m, 784), y from 0 on."""
    halves = []
    for (images, labels), most in zip(data.mnist(flat=True), (m, m_test)):
        rows = np.flatnonzero(np.isin(labels[:most], which))
        halves.append((images[rows], np.searchsorted(which, labels[rows])))
    return data.standardized(*halves)


def relu_net(layers, seed, gain=1.0):
    """784-RELUS-...-RELUS-2, random walk weights times `gain`; the last layer begins at zero."""
    rng = np.random.default_rng(seed)

    def weights(shape, rng, dtype):
        return gain * init.random_walk(shape, "relu", rng, dtype)

    parts = [part for i in range(layers - 1)
             for part in (nn.Linear(RELUS if i else 784, RELUS, weights=weights, rng=rng), nn.ReLU())]
    return nn.Sequential(*parts, nn.Linear(RELUS, len(DIGITS), weights=init.zeros))


def gaussian(shape, rng, dtype):
    """Variance 1/inputs, that of orthogonal weights, times 1.03, the gain of the walk for 32 straight units."""
    return init.normal(shape, init.random_walk_gain(WIDTH, "linear") / math.sqrt(shape[0]), rng, dtype)


def orthogonal(shape, rng, dtype):
    return init.orthogonal(shape, rng=rng, dtype=dtype)


def in_pairs(shape, rng, dtype):
    """(Q, -Q) behind pairs of relus, Q orthogonal."""
    Q = orthogonal((shape[0] // 2, shape[1]), rng, dtype)
    return np.concatenate([Q, -Q])


class Pairs(nn.Module):
    """(m, n) -> (m, 2n): relu(h) and relu(-h)."""

    def forward(self, h):
        return ops.relu(ops.concatenate([h, -h], axis=1))


def small_net(layers, seed, weights, unit=nn.Tanh, small=SMALL):
    """784-WIDTH-...-WIDTH-10: the first layer makes activations `small`, the last one large again."""
    rng, inputs = np.random.default_rng(seed), 2 * WIDTH if unit is Pairs else WIDTH

    def scaled(scale, weights):
        return lambda shape, rng, dtype: scale * weights(shape, rng, dtype)

    first = nn.Linear(784, WIDTH, weights=scaled(small, gaussian if weights is gaussian else orthogonal), rng=rng)
    parts = [part for _ in range(layers - 2) for part in (nn.Linear(inputs, WIDTH, weights=weights, rng=rng), unit())]
    return nn.Sequential(first, unit(), *parts, nn.Linear(inputs, 10, weights=scaled(1 / small, weights), rng=rng))


NETS = {"relus, random walk": relu_net,
        "tanh, Gaussian": lambda layers, seed: small_net(layers, seed, gaussian),
        "tanh, orthogonal": lambda layers, seed: small_net(layers, seed, orthogonal),
        "pairs of relus": lambda layers, seed: small_net(layers, seed, in_pairs, Pairs, small=0.1)}


# %%
def walk(model, x, looks=200):
    """A row for so many of the hidden layers: layer, log10 of the norm of the activations over that of layer 1, second
    and tenth singular value of the (centred) activations over the first."""
    rows, h, first = [], x, None
    hidden = list(zip(model.layers[:-1:2], model.layers[1:-1:2]))
    for i, (linear, unit) in enumerate(hidden):
        h = unit(linear(h))
        if i % max(1, len(hidden) // looks) == 0 or i == len(hidden) - 1:
            a = h.data.astype(np.float64)
            norm = np.linalg.norm(a)
            first = norm if first is None else first
            s = np.linalg.svd(a - a.mean(0), compute_uv=False)
            rows.append((i + 1, math.log10(max(norm, 1e-300) / first), *(s[[1, 9]] / max(s[0], 1e-300))))
    return np.array(rows)


def lag(n, i):
    """lambda_1 - lambda_i, by how much a layer lets the i-th singular value of a product of Gaussian n x n matrices
    fall behind the first: the expected logarithms of chi with n and with n - i + 1 degrees of freedom, subtracted."""
    def psi(k):                                            # psi(k/2), from psi(x + 1) = psi(x) + 1/x
        start = -np.euler_gamma - 2 * math.log(2) * (k % 2)
        return start + sum(2 / j for j in range(2 - k % 2, k, 2))
    return (psi(n) - psi(n - i + 1)) / 2


def shrinking(layers):
    """log10 of what is left of a norm after so many layers of tanh, q -> q - 2 q^2 from q = SMALL^2."""
    return -0.5 * np.log10(1 + 2 * SMALL**2 * layers)


def learn(model, steps, seed, train, test):
    """(losses of the minibatches, % wrong of the training digits, of test digits)."""
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
    return found, *(100 * losses.zero_one_error(training.predict(model, x[:2000]), y[:2000]) for x, y in (train, test))


# %%
def picture(figure, walks, curves):
    norms, directions, fall = figure.subplots(1, 3)
    for (name, rows), color in zip(walks.items(), COLORS):
        norms.plot(rows[:, 0], rows[:, 1], color=color, label=name)
        for column, style in ((2, "-"), (3, "--")):
            directions.loglog(rows[:, 0], np.maximum(rows[:, column], 1e-9), style, color=color)
    layers = rows[:, 0]
    norms.plot(layers, shrinking(layers), ":", color="black", label="q - 2 q^2")
    norms.set(xlabel="layer", ylabel="log10 of the norm, layer 1: 0", title="norms of activations")
    norms.legend()
    for i in (2, 10):
        theory = np.exp(-lag(WIDTH, i) * layers)
        directions.loglog(layers[theory > 1e-9], theory[theory > 1e-9], ":", color="black", linewidth=1)
    for style, label in (("-", "second over first"), ("--", "tenth over first"), (":", "Gaussian product, in theory")):
        directions.plot([], [], style, color="black", label=label)
    directions.set(xlabel="layer", ylabel="singular values of activations (floor 1e-9)", title="directions")
    directions.legend(loc="lower left")
    for (name, runs), color in zip(curves.items(), COLORS):
        for i, run in enumerate(runs):
            smooth = np.convolve(run, np.full(10, 0.1), "valid") if len(run) > 20 else np.array(run)
            fall.plot(np.arange(len(smooth)) + len(run) - len(smooth) + 1, smooth, color=color, linewidth=1.1,
                      label=f"{name}: {'two digits' if name.startswith('relu') else 'ten digits'}" if i == 0 else None)
    for classes in (2, 10):
        fall.axhline(math.log(classes), color="0.6", linewidth=0.8, linestyle=":")
    fall.set(xlabel="step", ylabel="J, mean of 10 minibatches (dotted: guessing)", ylim=(0, 3.5),
             title="what is learned (lines: seeds)")
    fall.legend(loc="upper right")


def main(argv=None):
    page = Page("A thousand layers", argv)
    layers, seeds, m = (100, 2, 1000) if page.quick else (LAYERS, 3, EXAMPLES)
    ten, two = digits(m=m), digits(DIGITS, m)
    walks = {name: walk(net(layers, 0), ten[0][0][:100]) for name, net in NETS.items()}
    print(f"after {layers} layers: log10 of the norm over that of layer 1; second, tenth singular value over the first")
    for name, rows in walks.items():
        print(f"  {name:20}{rows[-1, 1]:8.2f}     {rows[-1, 2]:.1e}   {rows[-1, 3]:.1e}")
    print(f"  theory for tanh     {shrinking(layers):8.2f}; Gaussian {math.exp(-lag(WIDTH, 2) * layers):.1e}   "
          f"{math.exp(-lag(WIDTH, 10) * layers):.1e}; a factor e in {1 / lag(WIDTH, 2):.0f}, {1 / lag(WIDTH, 10):.1f} "
          "layers")
    print("J of the first and of the last ten minibatches, % wrong (training, test)")
    curves = {}
    for name, net in NETS.items():
        curves[name], ends, steps = [], [], 10 if page.quick else STEPS[name]
        for seed in range(seeds):
            curve, *wrong = learn(net(layers, seed), steps, seed, *(two if net is relu_net else ten))
            curves[name].append(curve)
            ends.append((np.mean(curve[:10]), np.mean(curve[-10:]), *wrong))
        print(f"  {name:20}" + "   ".join(f"{mean:.3g} +- {spread:.2g}" for mean, spread in
                                          zip(np.mean(ends, axis=0), np.std(ends, axis=0, ddof=1))))
    page.draw("thousand_layers", picture, walks, curves, size=(14, 4.6))


if __name__ == "__main__":
    main()
