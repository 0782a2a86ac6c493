# %% [markdown]
# # Which examples go into a minibatch?
#
#     python examples/minibatches.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.1.3 in one table. The same small network learns from the same number of gradients of
# single examples, which differ in where they come from: a set that is never shuffled (here it is sorted by class, as
# data often are), shuffled once, or in every epoch; a set that consists of copies; batches that grow, and batches of
# one; and a stream that never repeats an example, whose gradients are those of the generalization error. Each row has
# its best of three rates, chosen on validation digits; errors are of test digits.
#
# Then the claim that second-order steps want larger batches: for linear regression with inputs of variances from 1 down
# to 1/condition, the error of g and of H^-1 g estimated from n examples is known in closed form. Multiplying by the
# inverse amplifies just those directions in which the data say least, even where H is exact.
#
# **What to look at.** "Never" against "once" against "each epoch": the first is ruined, between the others there is
# hardly a difference, nor do batches of one generalize better here. The stream: its error on what it has learned from
# and on test digits is the same. One pass through ten copies is ten passes through one. The second table: at condition
# 1 the error of H^-1 g is that of g, at condition 1,000 the same error takes a hundred times the examples. Where H is
# estimated from the same examples, few of them make it worse still (at n = 4, below the number of parameters, it has no
# inverse). Many make it slightly better: the step then leads to the minimum for those examples, and the errors of H and
# of g cancel in part.
#
# **Try.** PASSES = 1: what does the stream win now? Sorted digits in batches of 200: why does that repair a part?

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

EXAMPLES, PASSES, BATCH = 1000, 5, 10
RATES = (0.03, 0.1, 0.3)


# %%
def digits():
    """((x, y), (x, y)) of training and test: x (m, 36), 6 x 6 pixels, each with mean 0."""
    (x, y), (x_test, y_test) = data.coarse_mnist()
    return (x - x.mean(0), y), (x_test - x.mean(0), y_test)


def ways(x, y, seed):
    """{name: (the examples learned from, batches that yield EXAMPLES * PASSES of them in all)}."""
    first = EXAMPLES * (seed % 10)
    mine = slice(first, first + EXAMPLES)
    fresh = slice(10_000 + PASSES * first, 10_000 + PASSES * (first + EXAMPLES))
    sort = np.argsort(y[mine], kind="stable")
    few = slice(first, first + EXAMPLES // 10)
    one = x[mine], y[mine]
    ordered = x[mine][sort], y[mine][sort]
    copies = np.repeat(x[few], 10, axis=0), np.repeat(y[few], 10)

    def passes(examples, times=PASSES, size=BATCH, **how):
        batches = data.batches(*examples, batch_size=size, rng=seed, **how)
        return examples, (batch for _ in range(times) for batch in batches)

    growing = schedules.Stair(4, 2, 300)
    return {
        "never shuffled, by class": passes(ordered, shuffle="as stored"),
        "shuffled once": passes(ordered, shuffle="once"),
        "shuffled each epoch": passes(ordered),
        "batches of 1": passes(one, size=1),
        "batches that grow from 4": passes(one, size=lambda k: round(growing(k))),
        "a tenth, ten times as often": passes((x[few], y[few]), 10 * PASSES),
        "a tenth, ten copies of each": passes(copies),
        "a stream, never repeated": ((x[fresh], y[fresh]), data.stream(x[fresh], y[fresh], batch_size=BATCH, rng=seed)),
    }


def learn(batches, lr, seed):
    """A 36-20-10 net after SGD on the batches."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 20, rng=rng), nn.Tanh(), nn.Linear(20, 10, rng=rng))
    opt = optim.SGD(model.parameters(), lr=lr)
    for x, y in batches:
        opt.step(Objective(model, losses.cross_entropy, x, y))
    return model


def wrong(model, x, y):
    """Percent of mistakes."""
    return 100 * losses.zero_one_error(training.predict(model, x), y)


def table(x, y, x_test, y_test, seeds, rates=RATES):
    """{name: [(best rate, error where it learned, test error), for each seed]}."""
    found = {}
    for seed in range(seeds):
        for name in ways(x, y, seed):
            models = []
            for lr in rates:
                examples, batches = ways(x, y, seed)[name]
                models.append(learn(batches, lr, seed))
            errors = [wrong(model, x[-3000:], y[-3000:]) for model in models]
            best = int(np.argmin(errors))
            found.setdefault(name, []).append((rates[best], wrong(models[best], *examples),
                                               wrong(models[best], x_test, y_test)))
    return found


# %% [markdown]
# Linear regression, J = E (x.theta - y)^2/2, x Gaussian with covariance H = diag(l), theta wrong by e, noise of
# variance 1 in y. Then g = H e, and n examples give it with the covariance (H (1 + e.He) + He (He)')/n.

# %%
def relative_errors(l, e, n):
    """Expected (root of the mean square) errors of g and of H^-1 g from n examples, H exact, divided by their sizes."""
    s = 1 + e @ (l * e)
    g = np.sqrt((l.sum() * s + np.sum((l * e) ** 2)) / n) / np.linalg.norm(l * e)
    newton = np.sqrt(((1 / l).sum() * s + e @ e) / n) / np.linalg.norm(e)
    return g, newton


def measured_errors(l, e, n, draws, rng):
    """The same by drawing examples; third the one with H from the same examples (NaN where that has no inverse)."""
    squares = np.zeros(3)
    for _ in range(draws):
        x = rng.standard_normal((n, len(l))) * np.sqrt(l)
        g = x.T @ (x @ e - rng.standard_normal(n)) / n
        H = x.T @ x / n
        both = np.linalg.solve(H, g) if n > len(l) + 1 else np.full(len(l), np.nan)
        squares += [np.sum((g - l * e) ** 2), np.sum((g / l - e) ** 2), np.sum((both - e) ** 2)]
    sizes = np.array([np.linalg.norm(l * e), np.linalg.norm(e), np.linalg.norm(e)])
    return np.sqrt(squares / draws) / sizes


def picture(figure, found, sizes, curves):
    errors, newton = figure.subplots(1, 2, width_ratios=(5, 4))
    for i, rows in enumerate(found.values()):
        rows = np.array(rows)
        errors.plot(rows[:, 1], np.full(len(rows), i) + 0.13, "o", color=COLORS[5], markersize=5,
                    label="where it learned" if i == 0 else None)
        errors.plot(rows[:, 2], np.full(len(rows), i) - 0.13, "o", color=COLORS[1], markersize=5,
                    label="test" if i == 0 else None)
    errors.set(yticks=range(len(found)), yticklabels=list(found), xlabel="% wrong, one point for each seed",
               title=f"{EXAMPLES * PASSES} gradients of single digits", ylim=(len(found) - 0.5, -0.5))
    errors.set_xlim(0, None)
    errors.legend(loc="center right")
    for (condition, (l, e, measured)), color in zip(curves.items(), COLORS):
        newton.loglog(sizes, [relative_errors(l, e, n)[1] for n in sizes], color=color,
                      label=f"$H^{{-1}}g$, condition {condition:g}")
        newton.loglog(sizes, [row[1] for row in measured], "o", color=color)
        newton.loglog(sizes, [row[2] for row in measured], "x", color=color)
    l, e, _ = curves[max(curves)]
    newton.loglog(sizes, [relative_errors(l, e, n)[0] for n in sizes], "--", color="0.4", label="g, any condition")
    newton.axhline(1, color="0.7", linewidth=0.8, zorder=0)
    newton.set(xlabel="examples n", ylabel="error / size of the step", title="lines: closed form, x: H estimated too")
    newton.legend(loc="lower left")


def main(argv=None):
    page = Page("Which examples go into a minibatch?", argv)
    (x, y), (x_test, y_test) = digits()
    seeds, rates = (1, RATES[1:2]) if page.quick else (5, RATES)
    print(f"% wrong after {EXAMPLES * PASSES} gradients of single digits, 36-20-10 net, {seeds} seeds, "
          f"best of the rates {rates}")
    print("                              where it learned     test           rates")
    found = table(x, y, x_test, y_test, seeds, rates)
    for name, rows in found.items():
        rows = np.array(rows)
        spread = rows.std(0, ddof=1) if seeds > 1 else np.zeros(3)
        print(f"{name:30}{rows[:, 1].mean():6.1f} +- {spread[1]:4.1f}      {rows[:, 2].mean():6.1f} +- {spread[2]:4.1f}"
              f"   {', '.join(f'{lr:g}' for lr in sorted(set(rows[:, 0])))}")
    rng = np.random.default_rng(0)
    sizes, curves = (4, 16, 64, 256, 1024, 4096), {}
    print("\nrelative error of g and of H^-1 g from n examples: closed form, measured; with H from the examples too")
    print("condition     n    g: exact, measured   H^-1 g: exact, measured   H estimated")
    for condition in (1, 30, 1000):
        l, e = np.geomspace(1, 1 / condition, 10), np.ones(10) / np.sqrt(10)
        measured = [measured_errors(l, e, n, 30 if page.quick else 200, rng) for n in sizes]
        curves[condition] = l, e, measured
        for n, row in zip(sizes, measured):
            exact = relative_errors(l, e, n)
            print(f"{condition:9d} {n:5d} {exact[0]:11.3f} {row[0]:9.3f} {exact[1]:15.3f} {row[1]:9.3f}"
                  f" {row[2]:13.3f}")
    page.draw("minibatches", picture, found, sizes, curves, size=(13, 5))


if __name__ == "__main__":
    main()
