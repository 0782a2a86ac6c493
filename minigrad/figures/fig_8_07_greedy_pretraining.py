# %% [markdown]
# # Figure 8.7: greedy supervised pretraining
#
#     python -m minigrad figures 8.7 [--quick] [--out DIR]
#
# **What it shows.** (a) and (b) are two drawings of one shallow net. It learns. (c) Its output layer is discarded, its
# hidden layer kept as it is (blue), and what that computes is the input of another shallow net, which learns the same
# task. (d) is (c) drawn as what it is, a net with two hidden layers, and all of it may now be fine-tuned. The method is
# `strategies.greedy_pretrain`; below each drawing stands what it is worth on digits.
#
# **What to look at.** The errors of the three stages, which are printed too. Two layers are easy without pretraining:
# the last line trains them from random weights for as many passes. Where it pays, in eight layers of sigmoid units, is
# measured in `examples/strategies/greedy_pretraining.py`.
#
# **Try.** WIDTH = 8. More passes for one stage than for another. A third layer.

# %%
from typing import Any

import numpy as np

from minigrad import data, losses, nn, optim, strategies, training
from minigrad.figures.page import Page

WIDTH, EXAMPLES, PASSES = 64, 5000, 3


# %%
def stages(m: int, tests: Any, passes: int) -> Any:
    """Test errors in percent: the first shallow net, the second, all fine-tuned; the same net from random weights."""
    (x, y), (x_test, y_test) = data.mnist(flat=True)
    x, y, x_test, y_test = x[:m], y[:m], x_test[:tests], y_test[:tests]
    errors = []

    def train(model, h, y, times=1):
        training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=0.1, momentum=0.9),
                     data.batches(h, y, batch_size=50, rng=0), epochs=times * passes, progress=False)
        below = training.predict(nn.Sequential(*layers[:len(errors)]), x_test) if len(model) == 2 else x_test
        errors.append(100 * training.evaluate(model, losses.cross_entropy, below, y_test).error)

    def head(i):
        return nn.Linear(WIDTH, 10, rng=10 + i)

    layers = hidden()
    train(strategies.greedy_pretrain(layers, head, train, x, y), x, y)
    train(nn.Sequential(*hidden(), head(1)), x, y, times=3)
    return errors


def hidden() -> Any:
    return [nn.Sequential(nn.Linear(784, WIDTH, rng=0), nn.Sigmoid()),
            nn.Sequential(nn.Linear(WIDTH, WIDTH, rng=1), nn.Sigmoid())]


# %%
def picture(figure: Any, errors: Any) -> None:
    def unit(ax, at, text, kept=False):
        ax.annotate(text, at, ha="center", va="center", fontsize=12, zorder=3,
                    bbox={"boxstyle": "circle,pad=0.35", "facecolor": "#A6CEE3" if kept else "white"})

    def arrow(ax, start, end, text, gone=False, side=1):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "shrinkA": 15, "shrinkB": 15, "linewidth": 1.4,
                                                "linestyle": ":" if gone else "-", "color": "0.6" if gone else "black"})
        middle = (np.array(start) + end) / 2
        low = 8 * np.sign(start[0] - end[0]) * side         # outside of where an arrow leans
        ax.annotate(text, middle, (9 * side, low), textcoords="offset points", ha="left" if side > 0 else "right",
                    va="center", fontsize=11, color="0.6" if gone else "black")

    x, h1, h2 = "$x$", r"$h^{(1)}$", r"$h^{(2)}$"
    W, V = (lambda i: rf"$W^{{({i})}}$"), (lambda i: rf"$U^{{({i})}}$")
    a, b, c, d = axes = figure.subplots(1, 4)
    for ax in (a, b):                                       # one net, drawn upright and as a chain
        places = [(1, 0), (1, 1), (1, 2)] if ax is a else [(0.4, 0.3), (1.6, 1), (0.4, 1.7)]
        arrow(ax, places[0], places[1], W(1))
        arrow(ax, places[1], places[2], V(1))
        for at, text in zip(places, (x, h1, "$y$")):
            unit(ax, at, text)
    arrow(c, (0.3, 0.2), (1, 0.9), W(1))
    arrow(c, (1, 0.9), (0.3, 1.6), V(1), gone=True, side=-1)
    arrow(c, (1, 0.9), (2.1, 1.25), W(2))
    arrow(c, (2.1, 1.25), (1.4, 2.05), V(2))
    for at, text, kept in (((0.3, 0.2), x, True), ((1, 0.9), h1, True), ((2.1, 1.25), h2, False),
                           ((1.4, 2.05), "$y$", False)):
        unit(c, at, text, kept)
    c.annotate("discarded", (0.3, 1.75), ha="center", fontsize=9, color="0.5")
    chain = ((x, W(1), True), (h1, W(2), True), (h2, V(2), False), ("$y$", "", False))
    for i, (text, weight, kept) in enumerate(chain):
        if weight:
            arrow(d, (1, 0.72 * i), (1, 0.72 * (i + 1)), weight)
        unit(d, (1, 0.72 * i), text, kept)
    titles = ("(a) a shallow net", "(b) the same", "(c) kept (blue), a layer on top", "(d) the same, one deep net")
    below = (f"learned: {errors[0]:.1f} % errors", "", f"second stage: {errors[1]:.1f} %",
             f"fine-tuned: {errors[2]:.1f} %")
    for ax, title, text in zip(axes, titles, below):
        ax.set(xlim=(-0.3, 2.4), ylim=(-0.6, 2.5), title=title)
        ax.annotate(text, (1, -0.55), ha="center", color="0.3")
        ax.axis("off")


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.7, greedy supervised pretraining", argv)
    m, tests, passes = (1000, 1000, 3) if page.quick else (EXAMPLES, 10_000, PASSES)
    errors = stages(m, tests, passes)
    print(f"{m} digits, two hidden layers of {WIDTH} sigmoid units, {passes} passes for each stage; test errors:")
    for name, error in zip(("(a) one hidden layer", "(c) a second one on the first, which is kept",
                            "(d) both fine-tuned", "both from random weights, as many passes in all"), errors):
        print(f"{name:50}{error:6.2f} %")
    page.draw("fig_8_07_greedy_pretraining", picture, errors, size=(13, 4))


if __name__ == "__main__":
    main()
