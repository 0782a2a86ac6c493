# %% [markdown]
# # Sparse features: where a rate for every parameter wins
#
#     python examples/sparse_features.py [--quick] [--out DIR]
#
# **What it shows.** Words of a text are very unequal: a few occur in every document, most hardly ever (Zipf's law). The
# weight of a rare word gets a gradient only where the word occurs, so one rate for all is too large for the frequent
# words or too small for the rare ones. AdaGrad and Adam (8.5.1, 8.5.3) divide every parameter's gradient by what it has
# been: a rare word's steps are long. The task is generated: documents of twenty words, a label drawn with the logistic
# of the sum of the words' true weights, logistic regression learns the weights. Every method has the same budget, the
# same nine rates, chosen on validation documents and judged on others.
#
# The second half is the counter-proof. The same documents are turned by a random rotation: no feature is sparse any
# more, while every linear function of the words is one of the features too. SGD and momentum, whose steps are linear in
# the gradients, do not notice (their theta is rotated, nothing else); most of what AdaGrad and Adam gained is gone.
#
# **What to look at.** The printed table: test loss, mean and standard deviation over the seeds, and the difference to
# SGD seed by seed. The rows of SGD and momentum are the same for both. Right: the error of the learned weights by how
# often a word occurred in training: the methods agree on the frequent words, the rare ones make the difference.
#
# **Try.** EXPONENT = 0, all words equally frequent: what is left of the gain? PASSES = 20: does SGD catch up?

# %%
import numpy as np

from minigrad import data, init, optim
from minigrad.figures.page import COLORS, Page

WORDS, LENGTH, EXPONENT, STOP_WORDS, PASSES = 300, 20, 1.3, 10, 2
METHODS = {
    "SGD": optim.SGD,
    "momentum": optim.Momentum,
    "AdaGrad": optim.AdaGrad,
    "Adam": optim.Adam,
}
RATES = 10.0 ** np.linspace(-2.5, 1.5, 9)             # the same grid for all


# %%
class Logistic:
    """J(theta) = mean of log(1 + exp(-s x . theta)), s = 1 or -1: x (m, n), s (m,)."""

    def __init__(self, x, s):
        self.x, self.s = x, s

    def value(self, theta):
        return np.logaddexp(0, -self.s * (self.x @ theta)).mean()

    def grad(self, theta):
        p = 0.5 - 0.5 * np.tanh(self.s * (self.x @ theta) / 2)          # the probability of the wrong label
        return -(self.s * p) @ self.x / len(self.x)


def documents(m, weights, rng):
    """(x (m, WORDS), s (m,)): how often each word occurs in each document, and its label, 1 or -1."""
    x, y = data.toy.documents(m, weights, LENGTH, EXPONENT, rng, dtype=np.float64)
    return x, 2.0 * y - 1


def learn(method, lr, x, s, rng):
    """theta (n,) of logistic regression from zero, after PASSES epochs in batches of 10."""
    theta = np.zeros(x.shape[1])
    opt = method(theta, lr=lr)
    batches = data.batches(x, s, batch_size=10, rng=rng)
    for _ in range(PASSES):
        for batch in batches:
            opt.step(Logistic(*batch))
    return theta


def compare(seed, m):
    """({(features, method): (test loss, best rate, validation losses, weights (WORDS,))}, the true weights, counts).

    features: "words" or "rotated"; the weights found are given as those of the words for both.
    """
    rng = np.random.default_rng(seed)
    weights = 2 * rng.standard_normal(WORDS)
    weights[:STOP_WORDS] = 0                                   # the most frequent words say nothing
    train, validation, test = (documents(size, weights, rng) for size in (m, m, 4000))
    rotation = init.orthogonal((WORDS, WORDS), rng=rng, dtype=np.float64)
    found = {}
    for features, turn in (("words", np.eye(WORDS)), ("rotated", rotation)):
        x = train[0] @ turn
        for name, method in METHODS.items():
            ends = [turn @ learn(method, lr, x, train[1], seed) for lr in RATES]
            tried = [Logistic(*validation).value(end) for end in ends]
            best = int(np.argmin(tried))
            found[features, name] = Logistic(*test).value(ends[best]), RATES[best], tried, ends[best]
    return found, weights, train[0].sum(0)


# %%
def picture(figure, runs):
    rates, words = figure.subplots(1, 2)
    for name, color in zip(METHODS, COLORS):
        for features, style in (("words", "-"), ("rotated", ":")):
            tried = np.array([found[features, name][2] for found, _, _ in runs])
            rates.semilogx(RATES, tried.mean(0), style, marker="o" if style == "-" else None, markersize=4,
                           color=color, label=name if style == "-" else None)
        errors, counts = [], []
        for found, weights, count in runs:
            errors.extend((found["words", name][3] - weights) ** 2)
            counts.extend(count)
        errors, counts = np.array(errors), np.array(counts)
        edges = [0.5, 4, 16, 64, 256, 1e9]
        chosen = [errors[(counts >= low) & (counts < high)] for low, high in zip(edges, edges[1:])]
        words.plot([i for i, some in enumerate(chosen) if len(some)], [some.mean() for some in chosen if len(some)],
                   "o-", color=color, label=name)
    rates.set(xlabel="lr", ylabel="validation loss (mean over seeds)", ylim=(0.3, 0.75),
              title="one grid of rates for all (dotted: rotated features)")
    rates.axhline(np.log(2), color="0.6", linewidth=0.8, zorder=0)
    rates.annotate("knowing nothing: log 2", (RATES[-1], np.log(2)), ha="right", va="bottom", color="0.4", fontsize=9)
    rates.legend(loc="lower right")
    words.set(xticks=range(5), xticklabels=["1-3", "4-15", "16-63", "64-255", "256+"], ylim=(0, None),
              xlabel="how often the word occurred in training", ylabel="squared error of its weight",
              title="who learns the rare words")
    words.legend()


def main(argv=None):
    page = Page("Sparse features: where a rate for every parameter wins", argv)
    seeds, m = (3, 200) if page.quick else (5, 2000)
    runs = [compare(seed, m) for seed in range(seeds)]
    print(f"{WORDS} words, {m} documents of {LENGTH}, {PASSES} passes in batches of 10, {len(RATES)} rates each, "
          f"{seeds} seeds; knowing nothing: {np.log(2):.4f}")
    print("features   method     test loss           less than SGD       best rates")
    for features in ("words", "rotated"):
        base = np.array([found[features, "SGD"][0] for found, _, _ in runs])
        for name in METHODS:
            losses_ = np.array([found[features, name][0] for found, _, _ in runs])
            best = sorted({found[features, name][1] for found, _, _ in runs})
            edge = "  (an end of the grid)" if {best[0], best[-1]} & {RATES[0], RATES[-1]} else ""
            gain = base - losses_
            print(f"{features:10} {name:9} {losses_.mean():.4f} +- {losses_.std(ddof=1):.4f}   "
                  f"{gain.mean():+.4f} +- {gain.std(ddof=1):.4f}   {', '.join(f'{lr:.2g}' for lr in best)}{edge}")
    page.draw("sparse_features", picture, runs, size=(12, 4.8))


if __name__ == "__main__":
    main()
