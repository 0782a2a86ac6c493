# %% [markdown]
# # The initial point is a prior
#
#     python examples/initial_point.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.4: small steps and early stopping end near where they began, so the initial point
# theta_0 acts like the mean of a Gaussian prior. On a quadratic the two can be compared: k steps of gradient descent
# leave a fraction (1 - lr l)^k of the way from the optimum to theta_0 in the direction of curvature l, a penalty
# alpha |theta - theta_0|^2/2 leaves alpha/(l + alpha). With alpha = 1/(lr k) they are the same for small and for
# large l, and never further apart than the printed number.
#
# On 300 digits, first weights of ever larger scale: training ends at zero mistakes from all of them, and the larger
# the prior's mean, the more of it is still there at the end.
#
# Sparse initialization (Martens 2010) gives each unit k large weights: a very strong prior. Maxout units need several
# filters that are coordinated, and gradient descent takes long to shrink large weights that are wrong: the book
# expects harm. Relu and maxout nets start dense, sparse with the same variance of activations, and sparse with the
# paper's weights of standard deviation 1.
#
# **What to look at.** The two curves of the first panel. The test error by scale, and the share of the first weights
# in the last ones (the cosine between them). Up to He's scale there is no harm (23 to 24 % wrong), twice as large
# 25.5 +- 0.1, five times 28.9 +- 1.4, and then the last weights are the first ones (cosine 1.000). Sparse weights of
# the same variance harm neither unit (relu 25.8 dense, 24.1 sparse; maxout 29.5 and 28.0). Large ones do, and not
# maxout in particular: relu 33.6 +- 0.5, maxout 36.7 +- 1.6, though both learn their 300 digits faster.
#
# **Try.** K = 3, sparser still. Twice as many epochs: does the harm melt? Start every unit of a maxout with the same
# places of its large weights in all its filters.

# %%
from functools import partial

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page

SCALES = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0)                  # times He's standard deviation
K = 15                                                    # non-zero weights of a filter, as in the paper
STARTS = {"dense": init.he_normal, "sparse": partial(init.sparse, k=K, std=np.sqrt(2 / K)),
          "sparse and large": partial(init.sparse, k=K)}


# %%
def stopped(l, lr, k):
    """The share of theta_0 - optimum that k steps leave, by optim.SGD on J = l theta^2/2 from theta_0 = 1."""
    theta = np.ones(len(l))

    class J:
        value = staticmethod(lambda theta: float(l @ theta**2) / 2)
        grad = staticmethod(lambda theta: l * theta)

    optim.minimize(optim.SGD(theta, lr=lr), J(), k, tolerance=0)
    return theta


def penalized(l, alpha):
    """The same share at the minimum of l theta^2/2 + alpha (theta - 1)^2/2."""
    return alpha / (l + alpha)


# %%
def digits(m=300):
    """((x, y), (x, y)) of training and test: x (m, 196), 14 x 14 pixels, mean 0."""
    return data.standardized(*data.coarse_mnist(14, m, m_test=3000))


def train_net(model, train, epochs, seed, lr=0.05):
    """J after each epoch of momentum in batches of 30."""
    opt, curve = optim.Momentum(model.parameters(), lr=lr, momentum=0.9), []
    batches = data.batches(*train, batch_size=30, rng=seed)
    for _ in range(epochs):
        for x, y in batches:
            opt.step(Objective(model, losses.cross_entropy, x, y))
        curve.append(training.evaluate(model, losses.cross_entropy, *train).loss)
    return curve


def by_scale(scale, seed, epochs, train, test):
    """(% wrong on training digits, on test digits, cosine between first and last weights of layer 1)."""
    rng = np.random.default_rng(seed)

    def weights(shape, rng, dtype):
        return scale * init.he_normal(shape, rng=rng, dtype=dtype)

    model = nn.Sequential(nn.Linear(196, 100, weights=weights, rng=rng), nn.ReLU(), nn.Linear(100, 10, rng=rng))
    first = model.layers[0].w.data.copy()
    train_net(model, train, epochs, seed, lr=0.02)
    last = model.layers[0].w.data
    wrong = [100 * losses.zero_one_error(training.predict(model, x), y) for x, y in (train, test)]
    return *wrong, float(np.sum(first * last) / (np.linalg.norm(first) * np.linalg.norm(last)))


def by_unit(unit, start, seed, epochs, train, test):
    """(J after each epoch, % wrong on test digits) of a net of 60 relus, or of 20 maxout units of 3 filters, in each of
    two layers, whose first weights are those of STARTS[start]."""
    rng, layers, inputs, weights = np.random.default_rng(seed), [], 196, STARTS[start]
    for _ in range(2):
        layers += [nn.Linear(inputs, 60, weights=weights, rng=rng), nn.ReLU()] if unit == "relu" \
            else [nn.Maxout(inputs, 20, 3, weights=weights, rng=rng)]
        inputs = 60 if unit == "relu" else 20
    model = nn.Sequential(*layers, nn.Linear(inputs, 10, rng=rng))
    curve = train_net(model, train, epochs, seed, lr=0.01)
    return curve, 100 * losses.zero_one_error(training.predict(model, test[0]), test[1])


# %%
def picture(figure, l, shares, scales, curves):
    prior, error, kept, sparse = figure.subplots(1, 4)
    for (k, (steps, penalty)), color in zip(shares.items(), COLORS):
        prior.semilogx(l, steps, color=color, label=f"{k} steps")
        prior.semilogx(l, penalty, "--", color=color)
    prior.plot([], [], "--", color="0.4", label=r"penalty, $\alpha$ = 1/(lr k)")
    prior.set(xlabel="curvature l", ylabel=r"share of $\theta_0$ that is left", title="early stopping as a prior")
    prior.legend()
    x = list(scales)
    for panel, i, name in ((error, 1, "% wrong, test digits"), (kept, 2, "cosine between first and last weights")):
        values = np.array([[row[i] for row in rows] for rows in scales.values()])
        panel.errorbar(x, values.mean(1), values.std(1, ddof=1), fmt="o-", color=COLORS[0], capsize=3)
        panel.set(xscale="log", xlabel="scale of the first weights (He: 1)", ylabel=name)
    error.set_title("300 digits, all learned")
    kept.set_title("how much of the start is left")
    for (unit, start), runs in curves.items():
        found = np.array([curve for curve, _ in runs])
        style = ("-", "--", ":")[list(STARTS).index(start)]
        sparse.semilogy(np.arange(1, found.shape[1] + 1), found.mean(axis=0), style,
                        color=COLORS[unit == "maxout"], label=f"{unit}, {start}")
    sparse.set(xlabel="epoch", ylabel="training loss, mean of seeds", title=f"sparse: {K} weights for each filter")
    sparse.legend()


def main(argv=None):
    page = Page("The initial point is a prior", argv)
    l, lr, shares = np.geomspace(1e-3, 10, 60), 0.1, {}
    for k in (10, 100, 1000):
        shares[k] = stopped(l, lr, k), penalized(l, 1 / (lr * k))
        print(f"{k:5d} steps of {lr}, alpha {1 / (lr * k):.3g}: largest difference of what is left of theta_0 "
              f"{abs(shares[k][0] - shares[k][1]).max():.3f}")
    train, test = digits(100 if page.quick else 300)
    epochs, seeds = (2, 2) if page.quick else (30, 3)
    scales = {scale: [by_scale(scale, seed, epochs, train, test) for seed in range(seeds)] for scale in SCALES}
    print(f"{len(train[0])} digits, {epochs} epochs, {seeds} seeds: % wrong, training and test; cosine between first "
          "and last weights of layer 1")
    for scale, rows in scales.items():
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
        print(f"  scale {scale:<5g}{mean[0]:6.2f}   {mean[1]:6.2f} +- {spread[1]:.2f}   "
              f"{mean[2]:.3f} +- {spread[2]:.3f}")
    curves = {(unit, start): [by_unit(unit, start, seed, epochs, train, test) for seed in range(seeds)]
              for unit in ("relu", "maxout") for start in STARTS}
    print("training loss after a third of the epochs and at the end, % wrong on test digits")
    for (unit, start), rows in curves.items():
        found = np.array([(curve[len(curve) // 3], curve[-1], wrong) for curve, wrong in rows])
        print(f"  {unit:7}{start:17}" + "   ".join(
            f"{mean:.3g} +- {spread:.2g}" for mean, spread in zip(found.mean(0), found.std(0, ddof=1))))
    page.draw("initial_point", picture, l, shares, scales, curves, size=(16, 4.2))


if __name__ == "__main__":
    main()
