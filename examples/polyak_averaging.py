# %% [markdown]
# # Polyak averaging: in the valley, and on a network
#
#     python examples/polyak_averaging.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.7.3: an algorithm that leaps back and forth across a valley passes over its bottom, so
# the mean of the places it visited is nearer to the bottom than any of them. On a quadratic with noisy gradients and a
# constant rate lr the variance of theta stays at lr noise^2/(l (2 - lr l)) in the direction of eigenvalue l, that of
# the mean of k points falls like noise^2/(l^2 k): both are in the picture. In nonconvex problems old points should be
# forgotten, so the mean is an exponential one (8.39).
#
# The network has batch normalization, whose running averages belong to the last theta and not to the mean. They must be
# computed anew (`training.refresh_batch_norm`) before the averaged network can be judged.
#
# **What to look at.** The factor by which the mean's J is lower in the valley. The test errors of the network: last
# point, average with the wrong statistics, average with refreshed ones, and the gain by seed with its spread.
#
# **Try.** A rate of a tenth: what is left of the gain, and why? alpha=0.999: is the start forgotten in time?

# %%
import numpy as np

from minigrad import data, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page

CURVATURES = np.array([1.0, 0.05])
NOISE, RATE = 0.5, 1.0


# %%
class Valley:
    """J = sum of l theta^2/2, its gradient with noise."""

    def __init__(self, rng):
        self.rng = rng

    def value(self, theta):
        return CURVATURES @ theta**2 / 2

    def grad(self, theta):
        return CURVATURES * theta + NOISE * self.rng.standard_normal(2)


def valley(steps, seed):
    """(theta, mean) after every step, from the bottom: (steps, 2) each."""
    J, theta = Valley(np.random.default_rng(seed)), np.zeros(2)
    opt = optim.SGD(theta, lr=RATE)
    average, places, means = optim.PolyakAverage(opt), [], []
    for _ in range(steps):
        opt.step(J)
        average.update()
        places.append(theta.copy())
        means.append(average.mean.copy())
    return np.array(places), np.array(means)


def stationary(steps):
    """Expected J of a point after many steps, and of the mean of `steps` points (for many steps)."""
    point = RATE * NOISE**2 / (CURVATURES * (2 - RATE * CURVATURES))
    mean = NOISE**2 / (CURVATURES**2 * steps)
    return CURVATURES @ point / 2, CURVATURES @ mean / 2


# %%
def network(seed, steps, train, test):
    """% wrong on test digits: (last point, average with its statistics, average with refreshed statistics)."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 30, bias=False, rng=rng), nn.BatchNorm(30), nn.ReLU(),
                          nn.Linear(30, 10, rng=rng))
    opt = optim.SGD(model.parameters(), lr=1.0)
    average = optim.PolyakAverage(opt, alpha=0.99)
    batches = data.batches(*train, batch_size=16, rng=seed)
    while opt.k < steps:
        for x, y in batches:
            model.zero_grad()
            losses.cross_entropy(model(x), y).backward()
            opt.step()
            average.update()

    def wrong():
        return 100 * losses.zero_one_error(training.predict(model, test[0]), test[1])

    errors = [wrong()]
    with average.applied():
        errors.append(wrong())
        training.refresh_batch_norm(model, data.batches(*train, batch_size=500, rng=0))
        errors.append(wrong())
    return errors


# %%
def picture(figure, places, means, curves, errors):
    path, fall, net = figure.subplots(1, 3)
    path.plot(*places[:150].T, "-", color=COLORS[5], linewidth=0.7, label="SGD")
    path.plot(*means[:150].T, "-", color=COLORS[1], linewidth=2, label="mean so far")
    path.plot(0, 0, "kx", markersize=8, label="minimum")
    path.set(xlabel=r"$\theta_1$ (steep)", ylabel=r"$\theta_2$ (flat)", title="150 steps in the valley")
    path.legend()
    k = np.arange(1, len(curves[0]) + 1)
    fall.loglog(k, curves[0], color=COLORS[5], label="SGD")
    fall.loglog(k, curves[1], color=COLORS[1], label="mean so far")
    fall.loglog(k, np.full(len(k), stationary(1)[0]), "k:", linewidth=1, label="expected")
    fall.loglog(k[30:], [stationary(steps)[1] for steps in k[30:]], "k:", linewidth=1)
    fall.set(xlabel="step", ylabel="J, mean of the runs", title="in the valley")
    fall.legend()
    for row in errors:
        net.plot(range(3), row, "o-", color="0.6", linewidth=0.8)
    net.plot(range(3), np.mean(errors, axis=0), "s-", color=COLORS[1], label="mean")
    net.set(xticks=range(3), xticklabels=["last point", "average", "average,\nrefreshed"], xlim=(-0.3, 2.3),
            ylabel="% wrong, test digits", title="network with batch norm")
    net.legend()


def main(argv=None):
    page = Page("Polyak averaging: in the valley, and on a network", argv)
    runs, steps = (20, 300) if page.quick else (100, 2000)
    found = [valley(steps, seed) for seed in range(runs)]
    curves = [np.mean([one[i] ** 2 @ CURVATURES / 2 for one in found], axis=0) for i in (0, 1)]
    print(f"valley, {runs} runs of {steps} steps: J of the last points {curves[0][-50:].mean():.4f} "
          f"(expected {stationary(1)[0]:.4f}), of the mean {curves[1][-1]:.5f} (expected {stationary(steps)[1]:.5f})")
    train, test = data.coarse_mnist(m=3000)
    seeds, steps = (2, 100) if page.quick else (5, 1500)
    errors = np.array([network(seed, steps, train, test) for seed in range(seeds)])
    print(f"network, {steps} steps, {seeds} seeds, % wrong on test digits")
    for name, column in zip(("last point", "average, statistics of the last point", "average, refreshed"), errors.T):
        print(f"  {name:38} {column.mean():6.2f} +- {column.std(ddof=1):.2f}")
    gain = errors[:, 0] - errors[:, 2]
    print(f"gain of the refreshed average, seed by seed: {gain.mean():.2f} +- {gain.std(ddof=1):.2f}")
    page.draw("polyak_averaging", picture, *found[0], curves, errors, size=(14, 4.4))


if __name__ == "__main__":
    main()
