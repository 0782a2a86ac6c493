# %% [markdown]
# # Augmentation: more digits from few, and averages over views
#
#     python examples/augmentation.py [--quick] [--out DIR]
#
# **What it shows.** The course notes' list: translation, rotation, scaling, stretching, elastic distortion, and the
# recipe of the residual nets: short side resized to a random length and a random window while learning, five sizes
# and the windows in corners and middle when tested. A net learns 500 digits, with each of them on the way, 3 seeds.
# Mirrored ones are among them, though a mirrored 2 is none: what does that cost? And the recipe's last line, colour
# jitter or noise along the principal components of the colours: for this the digits are coloured, in a colour that
# tells the class of nine out of ten, and tested with colours that tell nothing.
#
# **What to look at.** What each does to one digit. The test errors, without and with augmentation, and for the recipe
# with one view and with the average over 25: without 19.0 +- 0.5 %, elastic 11.2 +- 0.1, shift 13.4 +- 0.5, the
# recipe 13.4 +- 0.8 with one view and 12.4 +- 0.2 with 25; rotation and stretching gain one percent, scaling alone
# nothing, and mirroring, which the notes name first, costs four: 23.2 +- 0.1. The coloured digits: 9.1 +- 0.5 % wrong
# where colours are those of training, 53.2 +- 2.2 where they tell nothing; colour jitter (49.7 +- 2.3) and PCA noise
# (49.6 +- 1.6) help little, since neither hides a hue for long.
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
         "elastic": augment.elastic, "mirror": augment.flip, "ResNet recipe": LEARN}
TOLD = 0.9                              # of the coloured training digits: the colour is that of the class
COLORING = {"nothing": lambda x, components, rng: x,
            "colour jitter": lambda x, components, rng: augment.color_jitter(x, 0.5, 0.5, 1.0, rng=rng),
            "PCA noise": lambda x, components, rng: augment.pca_noise(x, components, 6.0, rng=rng)}


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


def trained(x, y, transform, seed, epochs):
    """Probabilities (m, 10) of images, by a net of 100 relus that has seen each x, transformed anew, `epochs` times."""
    rng = np.random.default_rng(seed)
    batches = data.batches(x, y, batch_size=50, rng=seed, transform=transform)
    pixels = transform(x[:1], rng=np.random.default_rng(0)).size
    model = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 100, weights=init.he_normal, rng=rng), nn.ReLU(),
                          nn.Linear(100, 10, rng=rng))
    opt = optim.Momentum(model.parameters(), lr=optim.schedules.Cosine(0.05, 0.0, epochs * len(batches)), momentum=0.9)
    for _ in range(epochs):
        for images, labels in batches:
            model.zero_grad()
            losses.cross_entropy(model(images), labels).backward()
            opt.step()
    return lambda images: ops.softmax(model(images)).data


def learn(kind, seed, m, epochs, test):
    """% wrong on test digits: (one view, the average over the recipe's views or the same)."""
    (x, y), _ = data.mnist()
    probabilities = trained(x[:m], y[:m], partial(prepare, kind=kind), seed, epochs)
    one = probabilities(middle(test[0]))
    many = augment.average(probabilities, VIEWS(test[0])) if kind == "ResNet recipe" else one
    return tuple(100 * np.mean(p.argmax(1) != test[1]) for p in (one, many))


def prepare(x, rng=None, kind="nothing"):
    """`prepared` as a transform of `data.batches`."""
    return prepared(x, rng, kind)


# %%
def colored(x, y, told, rng):
    """Digits (m, 196) of 14 x 14 pixels in one colour each -> (m, 14, 14, 3): that of the class with probability
    `told`, else any."""
    hue = np.where(rng.random(len(y)) < told, y / 10, rng.random(len(y)))
    colors = 0.5 + 0.5 * np.cos(2 * np.pi * (hue[:, None] - np.arange(3) / 3))
    return (x.reshape(-1, 14, 14, 1) * colors[:, None, None, :]).astype(np.float32)


def learn_colored(kind, seed, m, epochs):
    """% wrong on 2,000 test digits, (coloured as in training, in colours that tell nothing)."""
    (x, y), (x_test, y_test) = data.coarse_mnist(14, m, 2000)
    rng = np.random.default_rng(seed)
    x = colored(x, y, TOLD, rng)
    components = augment.color_components(x)
    probabilities = trained(x, y, lambda x, rng=None: COLORING[kind](x, components, rng), seed, epochs)
    return tuple(100 * np.mean(probabilities(colored(x_test, y_test, told, rng)).argmax(1) != y_test)
                 for told in (TOLD, 0))


# %%
def picture(figure, errors, color_errors):
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    (x, _), _ = data.mnist()
    (small, labels), _ = data.coarse_mnist(14, 100)
    digits = colored(small, labels, 1, np.random.default_rng(0))
    panels = left.subplots(len(KINDS) + len(COLORING) - 1, 6)
    for kind, row in zip(KINDS, panels):
        for k, panel in enumerate(row):
            panel.imshow(prepared(x[:1], np.random.default_rng(k), kind)[0, :, :, 0], cmap="gray_r", vmin=0, vmax=1)
        row[0].set_ylabel(kind, rotation=0, ha="right", va="center")
    for kind, row in zip(list(COLORING)[1:], panels[len(KINDS):]):
        for k, panel in enumerate(row):
            panel.imshow(COLORING[kind](digits, augment.color_components(digits), np.random.default_rng(k))[0])
        row[0].set_ylabel(kind, rotation=0, ha="right", va="center")
    for panel in panels.flat:
        panel.set(xticks=[], yticks=[])
    bars, colors = right.subplots(2, 1, height_ratios=(len(errors), 2 * len(color_errors)))
    for i, values in enumerate(errors.values()):
        bars.barh(i, np.mean(values), color=COLORS[0] if i else "0.6", height=0.7)
        bars.plot(values, np.full(len(values), i), "o", color="white", markeredgecolor="black", markersize=5)
    bars.set_yticks(range(len(errors)), list(errors))
    bars.set(xlabel="% wrong, test digits (points: seeds)", title="a net learns 500 digits")
    for i, values in enumerate(color_errors.values()):
        for j, label in enumerate(("colours as in training", "colours that tell nothing")):
            colors.barh(i + 0.36 * j, values[:, j].mean(), height=0.34, color=COLORS[j],
                        label=label if i == 0 else None)
            colors.plot(values[:, j], np.full(len(values), i + 0.36 * j), "o", color="white", markeredgecolor="black",
                        markersize=5)
    colors.set_yticks(np.arange(len(color_errors)) + 0.18, list(color_errors))
    colors.set_xlabel("% wrong, test digits (points: seeds)")
    colors.set_title("coloured digits", loc="left")
    colors.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    for panel in (bars, colors):
        panel.invert_yaxis()


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
    color_errors = {kind: np.array([learn_colored(kind, seed, m, epochs) for seed in range(seeds)])
                    for kind in COLORING}
    print(f"in colours that tell the class of {TOLD:.0%}: % wrong in such colours, in colours that tell nothing")
    for kind, values in color_errors.items():
        print(f"  {kind:18}" + "   ".join(f"{mean:6.2f} +- {spread:.2f}"
                                          for mean, spread in zip(values.mean(0), values.std(0, ddof=1))))
    page.draw("augmentation", picture, errors, color_errors, size=(13, 7))


if __name__ == "__main__":
    main()
