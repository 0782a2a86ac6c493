"""FitNets (8.7.4): a deep, thin student with hints from the middle layer of a wide, shallow teacher.

What it shows: a teacher of two wide hidden layers, and a student of eleven thin ones with an eighth of its parameters.
The student, with the usual first weights U(-1/sqrt(m), 1/sqrt(m)), learns digits alone; or its lower half first learns
to predict the teacher's first hidden layer (through a regressor that is thrown away), and then all of it the digits.
Both get the same number of passes over the data. Beside them the same pair with normalized initialization (8.23).
What to look at: the student alone is late and a matter of luck: on the training digits too it is a failure of
optimization. With hints every seed learns. The normalized student hardly needs them: hints are one of the tools, as the
book says. Parameters and errors beside the teacher's: what thin and deep saves and costs.
Try: DEPTH = 4, where hints gain nothing, or 15. HINT_SHARE = 0.5. Hints from the teacher's second layer: `teacher[:2]`.

Run: python examples/strategies/fitnets.py [--quick] [--out DIR]
"""
import numpy as np

from minigrad import data, init, losses, nn, optim, strategies, training
from minigrad.figures.page import Page

EXAMPLES, WIDE, THIN, DEPTH, EPOCHS, SEEDS, HINT_SHARE = 5000, 200, 24, 11, 12, 3, 0.25
COLORS = {"teacher": "#666666", "student alone": "#000000", "student with hints": "#0072B2",
          "student alone, normalized": "#009E73", "student with hints, normalized": "#E69F00"}


def layer(inputs, units, weights, rng):
    return nn.Sequential(nn.Linear(inputs, units, weights=weights, rng=rng), nn.Tanh())


def deep(weights, rng):
    return nn.Sequential(layer(784, THIN, weights, rng), *(layer(THIN, THIN, weights, rng) for _ in range(DEPTH - 1)),
                         nn.Linear(THIN, 10, rng=rng))


class Losses(training.Callback):
    """The training loss of every epoch."""

    def __init__(self):
        self.values = []

    def epoch(self, run):
        self.values.append(run.history[-1]["loss"])


def trainer(loss, epochs, seed, callbacks=()):
    """train(model, x, y), as `strategies` wants it."""
    def train(model, x, y):
        training.fit(model, loss, optim.Adam(model.parameters(), lr=3e-3), data.batches(x, y, batch_size=50, rng=seed),
                     epochs=epochs, callbacks=callbacks, progress=False)
    return train


def learn(kind, seed, train, test, epochs, teacher):
    """(model, training losses of the task, test error)."""
    rng, curve = np.random.default_rng(seed), Losses()
    student = deep(init.glorot_uniform if kind.endswith("normalized") else init.fan_in_uniform, rng)
    hint_epochs = 0
    if "with hints" in kind:
        hint_epochs = max(1, int(HINT_SHARE * epochs))
        regressor = nn.Linear(THIN, WIDE, rng=rng)
        strategies.fitnet(teacher[:1], student[:DEPTH // 2 + 1], regressor,
                          trainer(strategies.hint_loss, hint_epochs, seed), train[0])
    trainer(losses.cross_entropy, epochs - hint_epochs, seed, [curve])(student, *train)
    return student, curve.values, training.evaluate(student, losses.cross_entropy, *test).error


def make_teacher(seed, train, test, epochs):
    rng, curve = np.random.default_rng(seed), Losses()
    teacher = nn.Sequential(layer(784, WIDE, init.fan_in_uniform, rng), layer(WIDE, WIDE, init.fan_in_uniform, rng),
                            nn.Linear(WIDE, 10, rng=rng))
    trainer(losses.cross_entropy, epochs, seed, [curve])(teacher, *train)
    return teacher, curve.values, training.evaluate(teacher, losses.cross_entropy, *test).error


def picture(figure, found, epochs):
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for i, (kind, runs) in enumerate(found.items()):
        for j, (_, curve, _) in enumerate(runs):
            left.plot(np.arange(epochs - len(curve) + 1, epochs + 1), curve, color=COLORS[kind], linewidth=1.5,
                      label=kind if j == 0 else None)
        errors = np.array([100 * error for *_, error in runs])
        right.bar(i, errors.mean(), color=COLORS[kind], width=0.7)
        right.plot(np.full(len(errors), i), errors, "o", color="white", markeredgecolor="black", markersize=5)
        right.annotate(f"{errors.mean():.1f} %", (i, errors.max()), (0, 7), textcoords="offset points", ha="center")
    left.set(xlabel="passes over the data, those for the hints included", ylabel="training loss of the task",
             ylim=(0, 2.5), title=f"{len(runs)} seeds")
    left.legend(fontsize=9)
    left.grid(alpha=0.3)
    right.set_xticks(range(len(found)), [kind.replace("student ", "student\n").replace(", ", ",\n") for kind in found],
                     fontsize=8)
    right.set(ylabel="test error, %", ylim=(0, 105), title="at the end (points: seeds)")


def main(argv=None):
    page = Page(__doc__, argv)
    m, epochs, seeds = (1000, 4, 1) if page.quick else (EXAMPLES, EPOCHS, SEEDS)
    (x, y), test = data.mnist(flat=True)
    train, found = (x[:m], y[:m]), {}
    for seed in range(seeds):
        found.setdefault("teacher", []).append(make_teacher(seed, train, test, epochs))
        for kind in list(COLORS)[1:]:
            found.setdefault(kind, []).append(learn(kind, seed, train, test, epochs, found["teacher"][seed][0]))
    print(f"{m} digits, {epochs} passes in all; teacher 784-{WIDE}-{WIDE}-10, student {DEPTH} layers of {THIN}")
    print("                               parameters      training loss        test error")
    for kind, runs in found.items():
        last, errors = np.array([curve[-1] for _, curve, _ in runs]), 100 * np.array([error for *_, error in runs])
        print(f"{kind:31}{runs[0][0].parameters().n:10,}{last.mean():11.3f} +- {last.std():.3f}"
              f"{errors.mean():10.1f} +- {errors.std():.1f} %")
    page.draw("fitnets", picture, found, epochs, size=(11.5, 4.6))


if __name__ == "__main__":
    main()
