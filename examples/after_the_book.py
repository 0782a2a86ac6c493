# %% [markdown]
# # Methods that came after the book, on one small problem, at their own best rates
#
#     python examples/after_the_book.py [--quick] [--out DIR]
#
# **What it shows.** Every new optimizer was better than Adam in the paper that proposed it. Here seven of them and two
# of the book's learn the same net from the same starts on the same batches. Each has its own grid of five learning
# rates, with factors of about 3 between them, placed for this problem (the table says so if the best is at the edge).
# What is compared is that best, by the mean validation error of two random starts. All may take equally many gradients:
# SAM, which needs two a step, makes half the steps.
#
# **What to look at.** The table: the best rate, the error with its spread over the starts, and the training loss, which
# tells another story. Is a difference larger than the spread? The picture: how wide is the range of rates that serve?
# A method that is a little better at its best but needs the rate to a factor of 3 may cost more than it brings.
#
# **Try.** schedules.Cosine for the rates: which methods gain, which one was made to do without (ScheduleFree)? Other
# hyperparameters at other values than their defaults, all of them for all methods, and count the runs you would need.

# %%
import numpy as np

from minigrad import Tensor, data, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page

# name: (the optimizer, the rate in the middle of its grid)
METHODS = {
    "Momentum (8.2)": (optim.Momentum, 0.3), "Adam (8.7)": (optim.Adam, 0.01), "AMSGrad": (optim.AMSGrad, 0.01),
    "NAdam": (optim.NAdam, 0.03), "RAdam": (optim.RAdam, 0.03), "Lion": (optim.Lion, 1e-3), "Muon": (optim.Muon, 1e-2),
    "SAM on Momentum": (optim.SAM, 0.3), "ScheduleFree": (optim.ScheduleFree, 3.0),
}


def digits(learning, validation):
    """Two pairs (x (m, 196), y (m,)): digits of 14 x 14 pixels, each pixel with mean 0."""
    (x, y), _ = data.coarse_mnist(14, m=learning + validation)
    x -= x[:learning].mean(0)
    return (x[:learning], y[:learning]), (x[learning:], y[learning:])


def learn(kind, lr, seed, learning, validation, gradients):
    """(validation error, training loss) after so many gradients; nan if the run left the finite numbers."""
    model = nn.Sequential(nn.Linear(196, 64, rng=seed), nn.Tanh(), nn.Linear(64, 10, rng=seed + 100))
    opt = kind(model.parameters(), lr=lr)
    batches = data.batches(*learning, batch_size=100, rng=seed)
    steps = gradients // 2 if kind is optim.SAM else gradients
    try:
        training.fit(model, losses.cross_entropy, opt, batches, steps=steps, progress=False)
    except optim.NonFiniteError:
        return np.nan, np.nan
    with opt.at_theta():
        return (training.evaluate(model, losses.cross_entropy, *validation).error,
                losses.cross_entropy(model(Tensor(learning[0])), learning[1]).item())


def picture(figure, found):
    axes = figure.subplots()
    colors = [*COLORS, *COLORS]
    for i, (name, (rates, results)) in enumerate(found.items()):
        axes.plot(np.array(rates) / METHODS[name][1], 100 * results[:, :, 0].mean(1), marker="o", color=colors[i],
                  linestyle="-" if i < len(COLORS) else "--", label=name)
    axes.set(xscale="log", yscale="log", xlabel="learning rate, of the middle of its grid",
             ylabel="validation error, %")
    axes.legend(fontsize="small")


def main(argv=None):
    page = Page("After the book", argv)
    learning, validation = digits(2000, 2000)
    gradients, seeds, factors = (20, 1, (0.3, 1)) if page.quick else (300, 2, (0.1, 0.3, 1, 3, 10))
    found = {}
    print(f"196-64-10 tanh, 2000 digits, {gradients} gradients on batches of 100; mean of {seeds} starts, best of "
          f"{len(factors)} rates")
    print("method              rate   validation error        training loss")
    for name, (kind, middle) in METHODS.items():
        rates = [middle * factor for factor in factors]
        results = np.array([[learn(kind, lr, seed, learning, validation, gradients) for seed in range(seeds)]
                            for lr in rates])
        found[name] = rates, results
        best = int(np.nanargmin(results[:, :, 0].mean(1)))
        errors, values = 100 * results[best, :, 0], results[best, :, 1]
        edge = "  at the edge of its grid" if best in (0, len(rates) - 1) and not page.quick else ""
        print(f"{name:16s}{rates[best]:8.2g}   {errors.mean():6.2f} +- {errors.std():.2f} %{values.mean():18.4f}{edge}")
    page.draw("after_the_book", picture, found, size=(9, 6))


if __name__ == "__main__":
    main()
