# %% [markdown]
# # Units and losses, side by side
#
#     python examples/units_and_losses.py [--quick] [--out DIR]
#
# **What it shows.** What a net is made of decides how hard it is to train (8.7.5), and what it is trained by is rarely
# what one is after (8.1.2). First eight layers of 30 units of each kind, each with the gain that keeps E phi(z)^2 = 1
# (`init.gain` of the function itself), learn digits, the rate the best of three, 3 seeds. Then surrogates of the 0-1
# loss on one and the same linear model: the negative log-likelihood, the hinge (a margin over every wrong class), ten
# logistic units, and squared error. Last, the constant that each loss of regression wants for 21 numbers of which one
# is an outlier: squared error the mean, absolute error the median, Huber's one between them.
#
# **What to look at.** Elu, straight above 0 and with outputs around 0, is best after 300 steps (16.4 +- 0.3 % wrong),
# then tanh (20.0 +- 1.2), gelu, relu and leaky relu (21.7 +- 2.6, 22.3 +- 1.0, 23.4 +- 1.9). Softplus and sigmoid
# learn nothing with the same care for their scale: their outputs are all positive and vary little, and after eight
# layers all digits look alike. Of the surrogates the hinge (19.0 +- 0.9) and the log-likelihood (19.4 +- 0.3) are
# level, ten separate logistic units (26.3 +- 0.3) and squared error (27.2 +- 0.7) behind. The outlier at 30 moves the
# mean to 1.25, the median and Huber's estimate stay at -0.13 and -0.08.
#
# **Try.** gain 1 for all units: which of them forgive it? 20 layers. An outlier ten times as far away.

# %%
from functools import partial

import numpy as np

from minigrad import Tensor, data, init, losses, nn, ops, optim, training
from minigrad.figures.page import COLORS, Page

LAYERS, WIDTH, RATES = 8, 30, (0.01, 0.03, 0.1)
UNITS = {"relu": ops.relu, "leaky relu": ops.leaky_relu, "elu": ops.elu, "gelu": ops.gelu, "softplus": ops.softplus,
         "tanh": ops.tanh, "sigmoid": ops.sigmoid}


# %%
def deep_net(unit, seed):
    """36-WIDTH-...-WIDTH-10 of LAYERS hidden layers, weights of variance gain^2 / inputs."""
    rng, gain = np.random.default_rng(seed), init.gain(lambda z: unit(np.asarray(z)))

    def weights(shape, rng, dtype):
        return init.normal(shape, gain / np.sqrt(shape[0]), rng, dtype)

    parts = [part for i in range(LAYERS)
             for part in (nn.Linear(WIDTH if i else 36, WIDTH, weights=weights, rng=rng), unit)]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 10, rng=rng))


def learn(model, loss, lr, steps, seed, train, test):
    """(training loss, % wrong on test digits) after steps of momentum in batches of 30; (inf, 100) if it ran away."""
    opt = optim.Momentum(model.parameters(), lr=optim.schedules.Cosine(lr, 0.0, steps), momentum=0.9)
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            rows = rng.integers(len(train[0]), size=30)
            model.zero_grad()
            loss(model(train[0][rows]), train[1][rows]).backward()
            optim.clip_grad_norm(model.parameters(), 5.0)
            opt.step()
        value = loss(Tensor(training.predict(model, train[0])), train[1]).item()
    wrong = 100 * losses.zero_one_error(training.predict(model, test[0]), test[1])
    return (value, wrong) if np.isfinite(value) else (np.inf, 100.0)


def best(make, loss, steps, seeds, *sets):
    """(rate of the least mean training loss, % wrong by seed)."""
    tried = {lr: np.array([learn(make(seed), loss, lr, steps, seed, *sets) for seed in range(seeds)]) for lr in RATES}
    lr = min(tried, key=lambda lr: tried[lr][:, 0].mean())
    return lr, tried[lr][:, 1]


# %%
def one_hot(y):
    return np.eye(10, dtype=np.float32)[y]


SURROGATES = {"log-likelihood": losses.cross_entropy,
              "hinge": losses.hinge,
              "ten logistic units": lambda z, y: losses.binary_cross_entropy(z, one_hot(y)),
              "squared error": lambda z, y: losses.mean_squared_error(z, one_hot(y))}


# %%
def ends(name, values, steps=4000):
    """Where gradient descent on a constant ends: the constant that the loss wants for these values."""
    loss = {"squared error": losses.mean_squared_error, "absolute error": losses.absolute_error,
            "Huber": partial(losses.huber, threshold=1.0)}[name]
    b = Tensor(np.zeros(1), requires_grad=True)
    for k in range(steps):
        loss(b + np.zeros(len(values)), values).backward()
        b.data = b.data - 2 / (k + 20) ** 0.7 * b.grad
        b.grad = None
    return b.data[0]


def wanted(name, values):
    """The same in closed form: mean, median, and the root of the sum of clipped distances (by bisection)."""
    if name != "Huber":
        return {"squared error": np.mean, "absolute error": np.median}[name](values)
    low, high = values.min(), values.max()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(values - middle, -1, 1).sum() > 0 else (low, middle)
    return middle


# %%
def picture(figure, units, surrogates, points, values):
    left, middle, right = figure.subplots(1, 3)
    for panel, found, title in ((left, units, f"{LAYERS} layers of each unit"), (middle, surrogates, "a linear model")):
        for i, (_, wrong) in enumerate(found.values()):
            panel.barh(i, wrong.mean(), color=COLORS[0], height=0.65)
            panel.plot(wrong, np.full(len(wrong), i), "o", color="white", markeredgecolor="black", markersize=5)
        panel.set_yticks(range(len(found)), list(found))
        panel.invert_yaxis()
        panel.set(xlabel="% wrong, test digits (points: seeds)", title=title)
    right.plot(values, np.zeros(len(values)), "|", color="black", markersize=14, label="the numbers")
    for i, (name, (found, _)) in enumerate(points.items()):
        right.plot(found, 1 + i, "osD"[i], color=COLORS[i], markersize=9, label=name)
    right.set_xscale("symlog", linthresh=3)
    right.set_xticks([-3, -2, -1, 0, 1, 2, 3, 10, 30], ["-3", "-2", "-1", "0", "1", "2", "3", "10", "30"])
    right.set(xlabel="value (linear within 3)", yticks=[], title="what each loss wants", ylim=(-1, 6))
    right.legend()


def main(argv=None):
    page = Page("Units and losses, side by side", argv)
    seeds, steps, m = (2, 10, 200) if page.quick else (3, 300, 2000)
    sets = data.standardized(*data.coarse_mnist(m=m, m_test=3000))
    units = {name: best(partial(deep_net, unit), losses.cross_entropy, steps, seeds, *sets)
             for name, unit in UNITS.items()}
    surrogates = {name: best(lambda seed: nn.Linear(36, 10, weights=init.zeros), loss, steps, seeds, *sets)
                  for name, loss in SURROGATES.items()}
    for title, found in ((f"{LAYERS} layers of {WIDTH} units", units), ("a linear model", surrogates)):
        print(f"{title}, {m} digits, {steps} steps, {seeds} seeds: best rate, % wrong on test digits")
        for name, (lr, wrong) in found.items():
            print(f"  {name:20}{lr:<6g}{wrong.mean():6.2f} +- {wrong.std(ddof=1):.2f}")
    values = np.append(np.random.default_rng(0).standard_normal(20), 30.0)
    points = {name: (ends(name, values), wanted(name, values)) for name in ("squared error", "absolute error", "Huber")}
    print("the constant that a loss wants, by gradient descent and in closed form")
    for name, (found, exact) in points.items():
        print(f"  {name:20}{found:8.4f}{exact:9.4f}")
    page.draw("units_and_losses", picture, units, surrogates, points, values, size=(14, 4.4))


if __name__ == "__main__":
    main()
