# %% [markdown]
# # Augmentation: more digits from few, and averages over views
#
#     python examples/augmentation.py [--quick] [--out DIR]
#
# **What it shows.** The course notes' list: translation, rotation, scaling, stretching, elastic distortion, and the
# recipe of the residual nets: short side resized to a random length and a random window while learning, five sizes
# and the windows in corners and middle when tested. A net learns 500 digits, with each of them on the way, 3 seeds.
# Digits are not mirrored: a mirrored 2 is none.
#
# **What to look at.** What each does to one digit. The test errors, without and with augmentation, and for the recipe
# with one view and with the average over 25: without 19.0 +- 0.5 %, elastic 11.2 +- 0.1, shift 13.4 +- 0.5, the
# recipe 13.4 +- 0.8 with one view and 12.4 +- 0.2 with 25; rotation and stretching gain one percent, scaling alone
# nothing.
#
# **Try.** Stronger ones: at which angle does rotation begin to harm? 5,000 digits: how much of the gain is left?

# %%
from functools import partial

import numpy as np

from minigrad import data, init, losses, nn, ops, optim
from minigrad.data import augment
from minigrad.figures.page import COLORS, Page

SIZE = 24
LEARN, VIEWS = augment.resnet(size=SIZE, learning=(24, 30), testing=(24, 26, 28, 30, 32), flips=False)
KINDS = {"nothing": None, "shift": partial(augment.shift, pixels=2), "rotate": partial(augment.rotate, degrees=15),
         "scale": partial(augment.scale, factor=1.15), "stretch": partial(augment.stretch, factor=1.3),
         "elastic": augment.elastic, "ResNet recipe": LEARN}


# %%
def middle(x):
    """The middle SIZE x SIZE pixels."""
    edge = (x.shape[1] - SIZE) // 2
    return augment.crop_at(x, edge, edge, SIZE)


def prepared(x, rng, kind):
    """The images after `kind`, all of SIZE x SIZE pixels."""
    if kind == "ResNet recipe":
        return LEARN(x, rng)
    return middle(x if KINDS[kind] is None else KINDS[kind](x, rng=rng))


def learn(kind, seed, m, epochs, test):
    """% wrong on test digits: (one view, the average over the recipe's views or the same)."""
    (x, y), _ = data.mnist()
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 100, weights=init.he_normal, rng=rng), nn.ReLU(),
                          nn.Linear(100, 10, rng=rng))
    opt = optim.Momentum(model.parameters(), lr=optim.schedules.Cosine(0.05, 0.0, epochs * m // 50), momentum=0.9)
    batches = data.batches(x[:m], y[:m], batch_size=50, rng=seed, transform=partial(prepare, kind=kind))
    for _ in range(epochs):
        for images, labels in batches:
            model.zero_grad()
            losses.cross_entropy(model(images), labels).backward()
            opt.step()

    def probabilities(images):
        return ops.softmax(model(images)).data

    one = probabilities(middle(test[0]))
    many = augment.average(probabilities, VIEWS(test[0])) if kind == "ResNet recipe" else one
    return tuple(100 * np.mean(p.argmax(1) != test[1]) for p in (one, many))


def prepare(x, rng=None, kind="nothing"):
    """`prepared` as a transform of `data.batches`."""
    return prepared(x, rng, kind)


# %%
def picture(figure, errors):
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    (x, _), _ = data.mnist()
    panels = left.subplots(len(KINDS), 6)
    for kind, row in zip(KINDS, panels):
        for k, panel in enumerate(row):
            panel.imshow(prepared(x[:1], np.random.default_rng(k), kind)[0, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
        row[0].set_ylabel(kind, rotation=0, ha="right", va="center")
    bars = right.subplots()
    for i, values in enumerate(errors.values()):
        bars.barh(i, np.mean(values), color=COLORS[0] if i else "0.6", height=0.7)
        bars.plot(values, np.full(len(values), i), "o", color="white", markeredgecolor="black", markersize=5)
    bars.set_yticks(range(len(errors)), list(errors))
    bars.invert_yaxis()
    bars.set(xlabel="% wrong, test digits (points: seeds)", title="a net learns 500 digits")


def main(argv=None):
    page = Page("Augmentation: more digits from few", argv)
    m, epochs, seeds = (100, 2, 2) if page.quick else (500, 60, 3)
    _, (x, y) = data.mnist()
    test = x[:2000], y[:2000]
    errors = {}
    for kind in KINDS:
        found = np.array([learn(kind, seed, m, epochs, test) for seed in range(seeds)])
        errors[kind] = found[:, 0]
        if kind == "ResNet recipe":
            errors["recipe, 25 views"] = found[:, 1]
    print(f"{m} digits, {epochs} epochs, {seeds} seeds: % wrong on 2000 test digits, gain by seed")
    for name, values in errors.items():
        gain = errors["nothing"] - values
        print(f"  {name:18}{values.mean():6.2f} +- {values.std(ddof=1):.2f}   "
              f"{gain.mean():6.2f} +- {gain.std(ddof=1):.2f}")
    page.draw("augmentation", picture, errors, size=(13, 6))


if __name__ == "__main__":
    main()
