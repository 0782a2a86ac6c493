"""The surrogate goes on teaching when there are no mistakes left to learn from (section 8.1.2), and early stopping.

What it shows: a network trained on few MNIST digits by the negative log-likelihood, in place of the 0-1 error that one
is after and that has no useful gradient. The training error reaches zero; the surrogate still falls, because it pushes
the classes further apart, and the error on 10,000 digits that the network never saw goes on falling with it.
What to look at: the two rows of the first table: a few tenths of a percent, but in every run. And the right panel: the
surrogate on the test digits rises from early on, while the error there still falls. So early stopping should watch the
true loss; the second table stops the same run by either.
Try: PATIENCE = 10: the error on 5,000 digits is uneven, and the first bump ends the run. EXAMPLES = 300. HIDDEN = 512.

Run: python examples/surrogate_loss.py [--quick] [--out DIR]
"""

import numpy as np

from minigrad import data, init, losses, nn, optim, training
from minigrad.figures.page import Page

EXAMPLES, HIDDEN, EPOCHS, SEEDS, PATIENCE = 3000, 64, 80, 3, 20


def parts(train_set, seed, hidden, lr=0.02, momentum=0.9):
    """What `fit` wants: model, loss, optimizer, batches."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(784, hidden, weights=init.he_normal, rng=rng), nn.ReLU(),
                          nn.Linear(hidden, 10, rng=rng))
    optimizer = optim.Momentum(model.parameters(), lr=lr, momentum=momentum)
    return model, losses.cross_entropy, optimizer, data.batches(*train_set, batch_size=50, rng=seed)


class Measure(training.Callback):
    """After each epoch: surrogate and 0-1 error on each of the sets. rows: (epochs, sets, 2)."""

    def __init__(self, *sets):
        self.sets, self.rows = sets, []

    def epoch(self, run):
        self.rows.append([training.evaluate(run.model, run.loss, *one)[:2] for one in self.sets])


def curves(train_set, test_set, epochs, seeds, hidden):
    """(seeds, epochs, 2 sets, 2 losses), the sets being training and test, the losses surrogate and 0-1 error."""
    found = []
    for seed in range(seeds):
        measure = Measure(train_set, test_set)
        training.fit(*parts(train_set, seed, hidden), epochs=epochs, callbacks=[measure], progress=False)
        found.append(measure.rows)
    return np.array(found, dtype=float)


def stopped(train_set, validation, test_set, metric, epochs, hidden, patience):
    """(epoch that early stopping went back to, its test error), with the validation set's `metric` watched."""
    model, *rest = parts(train_set, 0, hidden)
    stopping = training.EarlyStopping(patience=patience, metric=metric)
    training.fit(model, *rest, epochs=epochs, validation=validation, callbacks=[stopping], progress=False)
    return stopping.best_epoch, training.evaluate(model, losses.cross_entropy, *test_set).error


def picture(figure, rows, zero):
    left, right = figure.subplots(1, 2)
    mean, epochs = rows.mean(axis=0), np.arange(1, rows.shape[1] + 1)
    for i, (name, color) in enumerate((("training", "C0"), ("test", "C1"))):
        left.plot(epochs, 100 * rows[:, :, i, 1].T, color=color, alpha=0.3, linewidth=0.8)
        left.plot(epochs, 100 * mean[:, i, 1], color=color, label=name)
        right.plot(epochs, mean[:, i, 0], color=color, label=name)
    left.set(xlabel="epoch", ylabel="0-1 error, %", title="the true loss", ylim=(0, 100 * mean[3, 1, 1]))
    right.set(xlabel="epoch", ylabel="negative log-likelihood", title="the surrogate", yscale="log")
    for one in (left, right):
        one.axvline(zero, color="0.5", linestyle=":", label="no training error from here on")
        one.grid(alpha=0.3)
        one.legend()


def main(argv=None):
    page = Page(__doc__, argv)
    (x, y), test_set = data.mnist(flat=True)
    m, epochs, seeds, hidden = (500, 60, 1, 32) if page.quick else (EXAMPLES, EPOCHS, SEEDS, HIDDEN)
    test_set = (test_set[0][:2000], test_set[1][:2000]) if page.quick else test_set
    train_set, validation = (x[:m], y[:m]), (x[-5000:], y[-5000:])

    rows = curves(train_set, test_set, epochs, seeds, hidden)
    zero = [int(np.argmax(one[:, 0, 1] == 0)) if (one[:, 0, 1] == 0).any() else epochs - 1 for one in rows]
    first = np.array([one[at] for one, at in zip(rows, zero)])
    print(f"{m} training digits, {len(test_set[1])} test digits, mean of {seeds} runs")
    print("                       epoch   training error, surrogate   test error, surrogate")
    for name, at, row in (("first without mistakes", np.mean(zero) + 1, first.mean(axis=0)),
                          ("last", epochs, rows[:, -1].mean(axis=0))):
        print(f"{name:23}{at:5.0f}      {100 * row[0, 1]:10.2f} % {row[0, 0]:11.4f} {100 * row[1, 1]:11.2f} % "
              f"{row[1, 0]:11.4f}")
    fell = 100 * (first[:, 1, 1] - rows[:, -1, 1, 1])
    print(f"without a mistake to learn from, the test error fell by another {fell.mean():.2f} % "
          f"(run by run: {', '.join(f'{one:.2f}' for one in fell)})\n")
    print(f"early stopping, patience {PATIENCE}:   goes back to epoch   test error")
    for metric, name in (("validation_loss", "watching the surrogate"), ("validation_error", "watching the 0-1 error")):
        best, error = stopped(train_set, validation, test_set, metric, epochs, hidden, PATIENCE)
        print(f"{name:33}{best:13d} {100 * error:12.2f} %")
    page.draw("surrogate_loss", picture, rows, np.mean(zero) + 1, size=(11, 4.5))


if __name__ == "__main__":
    main()
