"""Transfer (8.7.4 and the course notes): the table of few or many examples against a similar or a different task.

What it shows: a small convolutional net that has learned the digits 0 to 4 is the start for another task: the digits 5
to 9 (similar), or the same with their pixels shuffled by one fixed permutation (different: strokes are no strokes any
more). With 50 examples or with 5,000, it is tried to train the last layer only, a linear classifier on the first layer,
all but the first layer, or everything; beside a random start, over three seeds.
What to look at: the four cells against the notes' advice. Few and similar: a linear classifier is right, though on the
first layer and not on the top, which knows too much of 0 to 4. Few and different: trouble; again the earlier stage does
least harm, and copied layers that learn on are no better than random ones. Many and similar: fine-tuning, of a few
layers or all, is better than a random start. Many and different: the copied layers are worth nothing, the frozen top
least of all.
Try: MANY = 25000. Freeze two layers of three. The source's first digits and the task's exchanged.

Run: python examples/strategies/transfer.py [--quick] [--out DIR]
"""
import numpy as np

from minigrad import data, init, losses, nn, optim, strategies, training
from minigrad.figures.page import Page

FEW, MANY, SEEDS, STEPS, TESTS = 50, 5000, 3, 200, 2000
PLANS = {                                                 # name: (layers copied, of them frozen, layers in all)
    "random start": (0, 0, 4), "last layer only": (3, 3, 4), "linear on 1st layer": (1, 1, 2),
    "all but 1st layer": (3, 1, 4), "all layers": (3, 0, 4),
}


def net(layers, rng):
    """The first `layers` - 1 of two convolutions and a dense layer, all of relus, and an output of five classes."""
    def block(layer):
        return nn.Sequential(layer, nn.ReLU())

    he = init.he_normal
    hidden = [block(nn.Conv2d(1, 8, 5, stride=2, weights=he, rng=rng)),              # (12, 12, 8)
              block(nn.Conv2d(8, 16, 5, stride=2, weights=he, rng=rng)),             # (4, 4, 16)
              nn.Sequential(nn.Flatten(), nn.Linear(256, 64, weights=he, rng=rng), nn.ReLU())][:layers - 1]
    width = {2: 12 * 12 * 8, 3: 256, 4: 64}[layers]
    return nn.Sequential(*hidden, nn.Flatten(), nn.Linear(width, 5, rng=rng))


def fit(model, x, y, seed, steps):
    batch = min(25, len(x))
    training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=1e-3),
                 data.batches(x, y, batch_size=batch, rng=seed), steps=steps, progress=False)
    return model


def five(x, y, first):
    """The digits first ... first + 4, as classes 0 ... 4."""
    chosen = (y >= first) & (y < first + 5)
    return x[chosen], y[chosen] - first


def shuffle(x, pixels):
    """Images whose pixel i is the one that was pixels[i]."""
    return x.reshape(len(x), -1)[:, pixels].reshape(x.shape)


def cells(seeds, few, many, steps):
    """(examples, task) -> plan -> (seeds,) test errors, and the source's own error."""
    (x, y), (x_test, y_test) = data.mnist()
    old, old_test = five(x, y, 0), five(x_test, y_test, 0)
    new, new_test = five(x, y, 5), five(x_test[:2 * TESTS], y_test[:2 * TESTS], 5)
    errors, own = {}, []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        source = fit(net(4, rng), *old, seed, 4 * steps)
        own.append(training.evaluate(source, losses.cross_entropy, *old_test).error)
        shuffled = rng.permutation(784)
        for task, pixels in (("similar", np.arange(784)), ("different", shuffled)):
            for m in (few, many):
                rows = np.random.default_rng(seed).choice(len(new[0]), m, replace=False)
                for plan, (copied, frozen, layers) in PLANS.items():
                    model = net(layers, np.random.default_rng(seed))
                    strategies.transfer(source, model, first=copied, frozen=frozen)
                    fit(model, shuffle(new[0][rows], pixels), new[1][rows], seed, steps if m == few else 2 * steps)
                    found = training.evaluate(model, losses.cross_entropy, shuffle(new_test[0], pixels),
                                              new_test[1]).error
                    errors.setdefault((m, task), {}).setdefault(plan, []).append(found)
    return {cell: {plan: 100 * np.array(e) for plan, e in plans.items()} for cell, plans in errors.items()}, own


def picture(figure, found):
    axes = figure.subplots(2, 2, sharex="row")
    colors = ("#666666", "#0072B2", "#56B4E9", "#E69F00", "#D55E00")
    rows = sorted({m for m, _ in found})
    for row, m in enumerate(rows):
        for column, task in enumerate(("similar", "different")):
            ax = axes[row, column]
            for i, ((_, errors), color) in enumerate(zip(found[m, task].items(), colors)):
                ax.barh(-i, errors.mean(), color=color, height=0.7)
                ax.plot(errors, np.full(len(errors), -i), "o", color="white", markeredgecolor="black", markersize=5)
                ax.annotate(f"{errors.mean():.1f}", (errors.max(), -i), (7, 0), textcoords="offset points", va="center")
            ax.set_yticks(-np.arange(len(PLANS)), PLANS if column == 0 else [""] * len(PLANS))
            ax.set(title=f"{m:,} examples, a {task} task", xlabel="test error, %")
            ax.grid(alpha=0.3, axis="x")
        axes[row, 0].set_xlim(0, 1.15 * max(e.max() for task in ("similar", "different")
                                            for e in found[m, task].values()))


def main(argv=None):
    page = Page(__doc__, argv)
    seeds, few, many, steps = (1, FEW, 300, 25) if page.quick else (SEEDS, FEW, MANY, STEPS)
    found, own = cells(seeds, few, many, steps)
    print(f"the source: {100 * np.mean(own):.1f} % errors on the digits 0 to 4. Test errors on 5 to 9, {seeds} seeds:")
    print(" " * 23 + "".join(f"{f'{m:,}, {task}':>20}" for m, task in found))
    for plan in PLANS:
        print(f"{plan:23}" + "".join(f"{errors[plan].mean():12.1f} +- {errors[plan].std():3.1f}"
                                     for errors in found.values()))
    page.draw("transfer", picture, found, size=(10.5, 7))


if __name__ == "__main__":
    main()
