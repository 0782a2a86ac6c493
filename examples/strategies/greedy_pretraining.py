"""Greedy pretraining (8.7.4): a deep net from shallow ones, supervised or not, and then fine-tuned.

What it shows: what the method of figure 8.7 (`python -m minigrad figures 8.7`) is worth on digits. A net with eight
hidden layers of sigmoid units, which from random weights hardly learns, begins from layers trained one after the other:
each as the hidden layer of a shallow net that predicts the class (greedy supervised pretraining) or its own input
(autoencoders, 8.4). All get the same number of passes over the data; random weights spend them all on the whole net.
What to look at: the curves of the whole net's training. Random weights stay long on the plateau where every class is
equally likely; after greedy supervised pretraining they begin far below it. Autoencoders gain nothing there. Their case
is another: many digits, few labels. In the second table two layers see unlabelled digits first, and then 300 labels:
the gain is small, but there in every seed. The last row of the first table needs no pretraining at all: tanh and
normalized initialization do as well, and better (other techniques may solve the problem too, says the book).
Try: `joint=True`. HIDDEN = 2, where pretraining gains nothing. LABELS = 100.

Run: python examples/strategies/greedy_pretraining.py [--quick] [--out DIR]
"""

import numpy as np

from minigrad import data, init, losses, nn, optim, strategies, training
from minigrad.figures.page import Page

EXAMPLES, WIDTH, HIDDEN, SEEDS = 5000, 64, 8, 3
STAGE = 1                                                 # passes over the data for each layer, and as many afterwards
LABELS, UNLABELLED = 300, 20_000
KINDS = {"random start": "#000000", "greedy supervised": "#0072B2", "autoencoders": "#E69F00",
         "random start, tanh": "#009E73"}


def layers(kind, rng):
    unit, weights = (nn.Tanh, init.glorot_uniform) if kind.endswith("tanh") else (nn.Sigmoid, init.fan_in_uniform)
    return [nn.Sequential(nn.Linear(784 if i == 0 else WIDTH, WIDTH, weights=weights, rng=rng), unit())
            for i in range(HIDDEN)]


def trainer(loss, lr, seed):
    """train(model, x, y), as `strategies` wants it."""
    def train(model, x, y, epochs=STAGE, callbacks=()):
        training.fit(model, loss, optim.Adam(model.parameters(), lr=lr), data.batches(x, y, batch_size=50, rng=seed),
                     epochs=epochs, callbacks=callbacks, progress=False)
    return train


class Losses(training.Callback):
    """The training loss of every epoch."""

    def __init__(self):
        self.values = []

    def epoch(self, run):
        self.values.append(run.history[-1]["loss"])


def learn(kind, seed, train_set, test_set, epochs, stage, lr=3e-3):
    """Training losses of the whole net, epoch by epoch, and its test error at the end."""
    x, y = train_set
    rng = np.random.default_rng(seed)
    hidden, train = layers(kind, rng), trainer(losses.cross_entropy, lr, seed)
    if kind == "greedy supervised":
        model = strategies.greedy_pretrain(hidden, lambda i: nn.Linear(WIDTH, 10, rng=rng),
                                           lambda *a: train(*a, epochs=stage), x, y)
    elif kind == "autoencoders":
        encode = trainer(losses.mean_squared_error, lr, seed)
        decoder = (lambda i: nn.Linear(WIDTH, 784 if i == 0 else WIDTH, rng=rng))
        model = strategies.unsupervised_pretrain(hidden, decoder, lambda *a: encode(*a, epochs=stage), x)
        model.append(nn.Linear(WIDTH, 10, rng=rng))
    else:
        model, stage = nn.Sequential(*hidden, nn.Linear(WIDTH, 10, rng=rng)), 0
    curve = Losses()
    train(model, x, y, epochs=epochs - HIDDEN * stage, callbacks=[curve])
    return curve.values, training.evaluate(model, losses.cross_entropy, *test_set).error


def few_labels(pretrained, seed, x, y, test_set, unlabelled, epochs):
    """Test error of two hidden layers that learn LABELS digits, after denoising `unlabelled` others or not."""
    rng, units = np.random.default_rng(seed), 2 * WIDTH
    hidden = [nn.Sequential(nn.Linear(inputs, units, weights=init.he_normal, rng=rng), nn.Sigmoid())
              for inputs in (784, units)]
    if pretrained:
        def denoise(model, h, target):
            spoilt = h * (rng.random(h.shape) > 0.3).astype(h.dtype)
            trainer(losses.mean_squared_error, 1e-3, seed)(model, spoilt, target, epochs=2)

        decoder = (lambda i: nn.Linear(units, 784 if i == 0 else units, rng=rng))
        strategies.unsupervised_pretrain(hidden, decoder, denoise, x[-unlabelled:])
    model = nn.Sequential(*hidden, nn.Linear(units, 10, rng=rng))
    rows = np.random.default_rng(seed).choice(len(x) - unlabelled, LABELS, replace=False)
    trainer(losses.cross_entropy, 1e-3, seed)(model, x[rows], y[rows], epochs=epochs)
    return training.evaluate(model, losses.cross_entropy, *test_set).error


def picture(figure, found, epochs):
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    for kind, (curves, _) in found.items():
        for i, curve in enumerate(curves):
            left.plot(np.arange(epochs - len(curve) + 1, epochs + 1), curve, color=KINDS[kind], linewidth=1.5,
                      label=kind if i == 0 else None)
    left.axhline(np.log(10), color="0.6", linestyle=":")
    left.annotate("all classes equally likely", (1, np.log(10)), (0, 6), textcoords="offset points", color="0.4")
    left.set(xlabel="passes over the data, pretraining included", ylabel="training loss of the whole net",
             ylim=(0, 2.6), title=f"{HIDDEN} hidden layers, {len(curves)} seeds")
    left.legend(loc="center left", bbox_to_anchor=(0.02, 0.35))
    left.grid(alpha=0.3)
    for i, (kind, (_, errors)) in enumerate(found.items()):
        right.bar(i, 100 * errors.mean(), color=KINDS[kind], width=0.7)
        right.plot(np.full(len(errors), i), 100 * errors, "o", color="white", markeredgecolor="black", markersize=5)
        right.annotate(f"{100 * errors.mean():.1f} %", (i, 100 * errors.max()), (0, 7), textcoords="offset points",
                       ha="center")
    right.set_xticks(range(len(found)), [kind.replace(" ", "\n", 1) for kind in found])
    right.set(ylabel="test error, %", title="at the end (points: seeds)",
              ylim=(0, 115 * max(errors.max() for _, errors in found.values())))


def main(argv=None):
    page = Page(__doc__, argv)
    m, stage, seeds, unlabelled, passes = EXAMPLES, STAGE, SEEDS, UNLABELLED, 100
    if page.quick:
        m, stage, seeds, unlabelled, passes = 1500, 1, 1, 500, 5
    epochs = 2 * stage * HIDDEN
    (x, y), test = data.mnist(flat=True)
    found = {}
    print(f"{HIDDEN} hidden layers of {WIDTH} sigmoid units, {m} digits, {epochs} passes in all, {seeds} seeds")
    print("                        training loss          test error")
    for kind in KINDS:
        runs = [learn(kind, seed, (x[:m], y[:m]), test, epochs, stage) for seed in range(seeds)]
        last, errors = np.array([curve[-1] for curve, _ in runs]), np.array([error for _, error in runs])
        found[kind] = [curve for curve, _ in runs], errors
        print(f"{kind:22}{last.mean():10.3f} +- {last.std():.3f}{100 * errors.mean():11.1f} +- "
              f"{100 * errors.std():.1f} %")
    print(f"\n2 hidden layers, {LABELS} labels                     test error, seed by seed")
    for name, pretrained in (("random start", False), (f"after denoising {unlabelled:,} unlabelled digits", True)):
        errors = [100 * few_labels(pretrained, seed, x, y, test, unlabelled, passes) for seed in range(seeds)]
        print(f"{name:44}{np.mean(errors):6.1f} +- {np.std(errors):.1f} %  ({', '.join(f'{e:.1f}' for e in errors)})")
    page.draw("greedy_pretraining", picture, found, epochs, size=(12, 4.6))


if __name__ == "__main__":
    main()
