# %% [markdown]
# # Deep nets must start well
#
#     python examples/deep_nets_start.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4 on scales of first weights. First: in a linear net, random orthogonal matrices make the
# number of steps to learn independent of the depth (Saxe et al. 2013). Nets of 2 to 1,000 layers start as orthogonal or
# as Gaussian matrices, whose product keeps the norm only on average: its singular values drift apart with every layer.
# The target has the singular vectors of the start and singular values between 0.5 and 2.
#
# Second: a net of relus with weights far too small, whose activations die out layer by layer, is repaired by the book's
# loop: look at one minibatch, enlarge the weights of the first layer whose activations are too small, look again; and
# by `init.lsuv`, which does the same for all layers from orthogonal matrices.
#
# **What to look at.** The steps in the first table: they do not grow with the depth. In the second, the standard
# deviation of the activations of the last layer before and after, and what the repaired nets learn.
#
# **Try.** init.orthogonal with gain 1.05: how deep may the net be now? A tanh in place of relu, with gain 1.
# `init.random_walk` for the relus: how far from 1 is the last activation, from one seed to the next?

# %%
from functools import partial

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page

N = 10
LIMIT = 400


def gaussian(shape, rng, dtype):
    """Variance 1/n: the norm is kept on average."""
    return init.normal(shape, 1 / np.sqrt(shape[0]), rng, dtype)


WEIGHTS = {"orthogonal": init.orthogonal, "Gaussian": gaussian}


# %%
def linear_net(depth, weights, seed):
    """A linear net (m, N) -> (m, N) of so many layers, and the product of its weights."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(*[nn.Linear(N, N, bias=False, weights=weights, rng=rng, dtype=np.float64)
                            for _ in range(depth)])
    return model, model(np.eye(N)).data


def steps_to_learn(depth, weights, seed, rate=0.02, limit=LIMIT):
    """Steps of gradient descent until J is 1 % of the first; limit if it is not by then.

    All depths get the same rate for the product: a step of every layer changes the product `depth` times, so lr is
    rate N/depth (N: the mean of squared errors is over N outputs).
    """
    model, product = linear_net(depth, weights, seed)
    U, _, Vt = np.linalg.svd(product)
    x = np.sqrt(N) * np.eye(N)                                          # white inputs, as E x x' = I
    J = Objective(model, losses.mean_squared_error, x, x @ (U * np.linspace(0.5, 2, N)) @ Vt)
    opt, first = optim.SGD(model.parameters(), lr=rate * N / depth), None
    for k in range(limit):
        value = float(opt.step(J))
        first = value if first is None else first
        if not value < 1e6:
            return limit
        if value < 0.01 * first:
            return k
    return limit


# %%
def relu_net(layers, seed):
    """36-20-...-20-10 with weights of standard deviation 0.1: each layer shrinks what it gets to about a third."""
    rng = np.random.default_rng(seed)
    weights = partial(init.normal, std=0.1)
    sizes = [36] + [20] * layers
    parts = [part for m, n in zip(sizes, sizes[1:]) for part in (nn.Linear(m, n, weights=weights, rng=rng), nn.ReLU())]
    return nn.Sequential(*parts, nn.Linear(20, 10, weights=weights, rng=rng))


def repair(model, x, std=0.5, looks=100):
    """The book's loop: enlarge the weights of the first layer whose outputs are too small, and look again.

    Returns how often it did. A layer whose outputs do not vary at all is dead: nothing to enlarge.
    """
    layers = dict(model.modules())
    for look in range(looks):
        small = init.report(model, x).first_small(std)
        if small is None or small.std == 0:
            return look
        layer = layers[small.path]
        layer.w.data = layer.w.data * (1 / small.std)
    return looks


def stds(model, x):
    """Standard deviations of the outputs of the layers that have weights."""
    return [row.std for row in init.report(model, x) if row.weights]


def learn(model, x, y, steps, seed):
    """J on x, y before and after so many steps of SGD in batches of 20."""
    J, opt = Objective(model, losses.cross_entropy, x, y), optim.SGD(model.parameters(), lr=0.03)
    rng = np.random.default_rng(seed)
    before = J.value()
    for _ in range(steps):
        rows = rng.integers(len(x), size=20)
        opt.step(Objective(model, losses.cross_entropy, x[rows], y[rows]))
    return before, J.value()


# %%
def picture(figure, counts, spectra, scales):
    depth, singular, layers = figure.subplots(1, 3)
    for (name, found), color, marker in zip(counts.items(), COLORS, "os"):
        for d, values in found.items():
            depth.plot([d] * len(values), values, marker, color=color, markersize=5)
        depth.plot(list(found), [np.mean(values) for values in found.values()], color=color, label=name)
    depth.axhline(LIMIT, color="0.6", linestyle=":", linewidth=1, label="not learned")
    depth.set(xscale="log", yscale="log", xlabel="layers", ylabel="steps until J is 1 %",
              title="linear nets, one point for each seed")
    depth.set_yticks([50, 100, 200, 400], ["50", "100", "200", "400"])
    depth.legend(loc="center right")
    for (name, found), color, marker in zip(spectra.items(), COLORS, "os"):
        for d, values in found.items():
            singular.plot([d] * N, np.maximum(values, 1e-16), marker, color=color, markersize=4,
                          label=name if d == min(found) else None)
    singular.set(xscale="log", yscale="log", xlabel="layers", ylabel="singular values of the product (floor 1e-16)",
                 title="what the start does to x")
    singular.legend(loc="lower left")
    for panel in (depth, singular):
        ticks = [d for d in (2, 5, 10, 50, 200, 1000) if d <= max(counts["orthogonal"])]
        panel.set_xticks(ticks, [str(d) for d in ticks])
        panel.minorticks_off()
    for (name, values), color, style in zip(scales.items(), COLORS, ("o-", "s-", "^:")):
        layers.semilogy(range(1, len(values) + 1), values, style, color=color, markersize=4, label=name)
    layers.set(xlabel="layer", ylabel="standard deviation of its outputs", title="relus, weights too small")
    layers.legend(loc="lower left")


def main(argv=None):
    page = Page("Deep nets must start well", argv)
    depths = {"orthogonal": (2, 10, 30) if page.quick else (2, 10, 50, 200, 1000),
              "Gaussian": (2, 5) if page.quick else (2, 3, 5, 10)}
    counts, spectra = {}, {}
    print(f"linear nets, {N} units, 3 seeds (1 above 100 layers): steps until J is 1 % of the first, at most {LIMIT}; "
          "singular values of the product")
    for name, weights in WEIGHTS.items():
        counts[name], spectra[name] = {}, {}
        for d in depths[name]:
            counts[name][d] = [steps_to_learn(d, weights, seed) for seed in range(1 if d > 100 else 3)]
        for d in depths["orthogonal"]:
            spectra[name][d] = np.linalg.svd(linear_net(d, weights, 0)[1], compute_uv=False)
        for d, found in counts[name].items():
            s = np.linalg.svd(linear_net(d, weights, 0)[1], compute_uv=False)
            print(f"  {name:10} {d:5d} layers: {', '.join(map(str, found)):15}   {s[-1]:.2g} to {s[0]:.2g}")
    (x, y), _ = data.standardized(*data.coarse_mnist(m=1000))
    steps, scales = 100 if page.quick else 1500, {}
    print(f"ten layers of relus on 1000 digits, {steps} steps, 3 seeds: last standard deviation, J before, J after")
    for name, prepare in (("too small", lambda model, seed: None),
                          ("the book's loop", lambda model, seed: repair(model, x[:100])),
                          ("LSUV", lambda model, seed: init.lsuv(model, x[:100], rng=seed))):
        rows = []
        for seed in range(3):
            model = relu_net(10, seed)
            prepare(model, seed)
            scales.setdefault(name, stds(model, x[:100]))
            rows.append((stds(model, x[:100])[-1], *learn(model, x, y, steps, seed)))
        rows = np.array(rows)
        print(f"  {name:16}" + "".join(f"   {mean:.3g} +- {spread:.2g}" for mean, spread
                                      in zip(rows.mean(0), rows.std(0, ddof=1))))
    page.draw("deep_nets_start", picture, counts, spectra, scales, size=(14, 4.6))


if __name__ == "__main__":
    main()
