# %% [markdown]
# # The chain y = x w1 w2 ... wl, with and without batch normalization (8.7.1, equation 8.34)
#
#     python examples/batch_norm_chain.py [--quick] [--out DIR]
#
# **What it shows.** A network with one unit per layer and no nonlinearity: y = x w1 ... wl. The gradient says how J
# changes if every w_i alone moves a little; a step moves all of them at once. The terms of second and higher order that
# 8.34 multiplies out are then anything but small, and they grow with depth: with one learning rate, a chain of 5 does
# what the gradient says, one of 20 less than a tenth of it, and in one of 40 the step makes J astronomically larger.
# With batch normalization before the last weight, y is linear in the only weight that still counts, and the same
# learning rate does what it promises at every depth.
#
# Then the book's own step, lr = 0.1 / g'g, which is to lower y by 0.1: the table multiplies (8.34) out by orders. The
# corner cases of normalization: a lower weight set to 0, and one with its sign flipped. The older alternatives: a
# penalty on the statistics of h, which normalizes imperfectly, and renormalizing after each step, which undoes again
# and again what the step proposed. And at last, digits: batch norm before the nonlinearity, after it, or not at all.
#
# **What to look at.** The ratio of actual to predicted change of J: 1 where the gradient tells the truth, negative
# where J rose although it was to fall. The size of the gradient with respect to the lower weights under batch norm:
# zero up to delta, because scaling them is undone. Of the orders, see 40 layers: with weights of 0.9, y is so small
# that to lower it by 0.1 is a large step, and the orders 2 to 8 are all larger than the first; with weights of 1.1,
# one learning rate for all chains makes them explode.
#
# **Try.** WEIGHT = 0.9: vanishing instead of exploding. LR = 0.001: how deep does the prediction hold then? delta = 1
# in batch_norm: what becomes of the lower weights' gradients?

# %%

import numpy as np

import minigrad as mg
from minigrad import data, init, losses, nn, ops, optim, training
from minigrad.figures.page import Page

WEIGHT = 1.1             # all weights at the start
LR = 0.01                # one learning rate for all depths
LOWEST = -0.5            # the picture ends here


# %%
def chain(w, x, normalize):
    """y = x w1 ... wl for a batch x (m, 1); w: l Tensors ()."""
    h = x
    for w_i in w[:-1]:
        h = h * w_i
    if normalize:
        h = ops.batch_norm(h, np.ones(1), np.zeros(1), 1e-8)
    return h * w[-1]


def one_step(depth, normalize, m=1000):
    """Actual over predicted change of J for one gradient step, and the largest gradient below the last layer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((m, 1))
    target = 0.5 * x

    def J(values):
        w = [mg.tensor(v, dtype=np.float64, requires_grad=True) for v in values]
        return ops.mean(ops.square(chain(w, x, normalize) - target)) / 2, w

    values = np.full(depth, WEIGHT)
    before, w = J(values)
    g = np.array([d.item() for d in mg.grad(before, w)])
    after, _ = J(values - LR * g)
    return (after.item() - before.item()) / -(LR * g @ g), np.abs(g[:-1]).max(initial=0.0)


# %% [markdown]
# With x = 1 the new value of y is (w1 - lr g1) ... (wl - lr gl). Multiplied out, the term of order k is (-lr)^k times
# the sum over all sets of k layers of their g_i and the other layers' w_i. That of order 1 is -lr g'g, the promise.

# %%
def orders(w, lr=None, wanted=0.1):
    """The terms of order 0, 1, ..., l of the new y (8.34), as coefficients of a polynomial; lr: default wanted/g'g."""
    w = np.asarray(w, float)
    g = np.prod(w) / w
    lr = wanted / (g @ g) if lr is None else lr
    terms = np.array([1.0])
    for w_i, g_i in zip(w, g):                            # times (w_i - t g_i), t counts the order
        terms = np.append(terms, 0.0) * w_i - np.append(0.0, terms) * g_i
    return terms * lr ** np.arange(len(terms))


def table_of_orders():
    print("\ny = w1 ... wl is to be lowered by 0.1. Terms of (8.34) by order:")
    print("   w_i layers          y         lr    order 1    order 2    order 3     higher     change of y")
    for weight in (0.9, 1.0, 1.1):
        for depth in (5, 20, 40):
            for lr in (None, LR):
                terms = orders(np.full(depth, weight), lr)
                rate, why = (0.1 / (depth * (terms[0] / weight)**2), "0.1/g'g") if lr is None else (lr, "one for all")
                print(f"{weight:6}{depth:7d}{terms[0]:11.4f}{rate:11.2e}"
                      + "".join(f"{term:11.2g}" for term in (*terms[1:4], terms[4:].sum()))
                      + f"{terms[1:].sum():16.2g}   {why}")


# %%
def corner_cases(depth=10):
    """What the normalized chain makes of a change to one lower weight: (name, std of y, correlation with y before)."""
    x = np.random.default_rng(0).standard_normal((1000, 1))
    before = chain([mg.tensor(WEIGHT, dtype=np.float64)] * depth, x, True).data
    rows = []
    for name, factor in (("times 1.5", 1.5), ("times 0.001", 0.001), ("sign flipped", -1.0), ("set to 0", 0.0)):
        w = [mg.tensor(WEIGHT * (factor if i == 2 else 1), dtype=np.float64) for i in range(depth)]
        y = chain(w, x, True).data
        rows.append((name, y.std(), np.corrcoef(y.ravel(), before.ravel())[0, 1] if y.std() > 0 else np.nan))
    return rows


# %% [markdown]
# The older alternatives, on a chain of 5 that learns y = x/2 by gradient descent: what the variance of h before the
# last weight becomes, and by how much a step would change it.

# %%
def alternatives(steps=200, depth=5, lr=0.02, strength=1.0):
    """name -> (variance of h at the end, mean |change of log std| that a step proposes, J at the end)."""
    x = np.random.default_rng(0).standard_normal((1000, 1))
    x /= x.std()
    rows = {}
    for name in ("no normalization", "penalty (var - 1)^2", "renormalized after steps", "batch norm"):
        values, proposed = np.full(depth, WEIGHT), []
        for _ in range(steps):
            w = [mg.tensor(v, dtype=np.float64, requires_grad=True) for v in values]
            y = chain(w, x, name == "batch norm")
            J = total = ops.mean(ops.square(y - 0.5 * x)) / 2
            if name.startswith("penalty"):
                h = chain([*w[:-1], 1.0], x, False)
                total = J + strength * ops.square(ops.mean(ops.square(h)) - 1)
            old = np.log(np.abs(np.prod(values[:-1])))
            values = values - lr * np.array([g.item() for g in mg.grad(total, w)])
            proposed.append(abs(np.log(np.abs(np.prod(values[:-1]))) - old))
            if name.startswith("renormalized"):
                values[:-1] /= np.abs(np.prod(values[:-1])) ** (1 / (depth - 1))
        variance = 1.0 if name == "batch norm" else float(np.prod(values[:-1])**2)
        rows[name] = variance, float(np.mean(proposed)), J.item()
    return rows


# %%
def digits(where, seed, m, epochs, layers=4, width=64):
    """Test error of an MLP with batch norm "before" or "after" the nonlinearity, or "none"."""
    (x, y), test = data.mnist(flat=True)
    rng, blocks = np.random.default_rng(seed), []
    for i in range(layers):
        blocks.append(nn.Linear(784 if i == 0 else width, width, bias=where != "before", weights=init.he_normal,
                                rng=rng))
        blocks += {"before": [nn.BatchNorm(width, relu=True)], "after": [nn.ReLU(), nn.BatchNorm(width)],
                   "none": [nn.ReLU()]}[where]
    model = nn.Sequential(*blocks, nn.Linear(width, 10, rng=rng))
    training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=0.05, momentum=0.9),
                 data.batches(x[:m], y[:m], batch_size=50, rng=seed), epochs=epochs, progress=False)
    return training.evaluate(model, losses.cross_entropy, *test).error


# %%
def picture(figure, depths, plain, normalized, errors):
    axes, terms, bars = figure.subplots(1, 3, width_ratios=(1.3, 1.1, 1))
    axes.axhline(1, color="0.6", linewidth=0.8)
    axes.axhline(0, color="0.6", linewidth=0.8, linestyle=":")
    axes.plot(depths, [ratio if ratio >= LOWEST else np.nan for ratio in plain], "o-", label="without normalization")
    axes.plot(depths, normalized, "s-", label="with batch normalization")
    for depth, ratio in zip(depths, plain):
        if ratio < LOWEST:                            # far below the picture: the number itself
            axes.plot(depth, LOWEST, "v", color="tab:blue", markersize=11, clip_on=False)
            axes.annotate(f"{ratio:.0e}", (depth, LOWEST), (0, 10), textcoords="offset points", ha="center")
    axes.set(xlabel="layers", ylabel="actual / predicted change of J", ylim=(LOWEST, 1.2),
             title="one gradient step (8.34); triangles: far below")
    axes.legend()
    for weight, color, marker in ((0.9, "#0072B2", "o"), (1.0, "#000000", "s"), (1.1, "#D55E00", "^")):
        size = np.abs(orders(np.full(40, weight)))[1:9]
        terms.semilogy(np.arange(1, 9), size, marker + "-", color=color, label=f"w = {weight}, y = {weight**40:.3g}")
    terms.axhline(0.1, color="0.6", linewidth=0.8)
    terms.set(xlabel="order", ylabel="size of the term in (8.34)", ylim=(1e-12, 10),
              title="40 layers, y to be lowered by 0.1")
    terms.legend()
    for i, found in enumerate(errors.values()):
        bars.bar(i, 100 * np.mean(found), color=("#0072B2", "#56B4E9", "#666666")[i], width=0.7)
        bars.plot(np.full(len(found), i), 100 * np.array(found), "o", color="white", markeredgecolor="black")
        bars.annotate(f"{100 * np.mean(found):.2f} %", (i, 100 * max(found)), (0, 7), textcoords="offset points",
                      ha="center")
    bars.set_xticks(range(len(errors)), ["before\nrelu", "after\nrelu", "no batch\nnorm"])
    bars.set(ylabel="test error, %", ylim=(0, 115 * max(map(max, errors.values()))), title="digits (points: seeds)")


def main(argv=None):
    page = Page("The actual against the predicted change of a chain of weights (8.34)", argv)
    depths = [1, 2, 5, 10, 20] if page.quick else [1, 2, 3, 5, 7, 10, 15, 20, 30, 40]
    print(f"w_i = {WEIGHT}, learning rate {LR}: actual / predicted change of J")
    print(f"{'layers':>6} {'without':>12} {'with batch norm':>16} {'largest |g_i|, i < l, with batch norm':>40}")
    rows = [(depth, one_step(depth, False)[0], *one_step(depth, True)) for depth in depths]
    for depth, plain, normalized, lower in rows:
        print(f"{depth:6d} {plain:12.3g} {normalized:16.3f} {lower:40.1e}")
    table_of_orders()
    print("\nnormalized chain of 10, one lower weight changed:   std of y    correlation with y before")
    for name, std, correlation in corner_cases():
        print(f"{name:50}{std:10.3f}{correlation:16.3f}")
    print("\na chain of 5 learns y = x/2:     variance of h    change of log std per step          J")
    for name, (variance, proposed, J) in alternatives(50 if page.quick else 200).items():
        print(f"{name:30}{variance:16.3f}{proposed:30.1e}{J:11.1e}")
    m, epochs, seeds = (500, 2, 1) if page.quick else (5000, 4, 3)
    errors = {where: [digits(where, seed, m, epochs) for seed in range(seeds)] for where in ("before", "after", "none")}
    print(f"\n{m} digits, 4 layers of relus, {seeds} seeds: batch norm and test error")
    for where, found in errors.items():
        print(f"{where:8}{100 * np.mean(found):8.2f} +- {100 * np.std(found):.2f} %")
    page.draw("batch_norm_chain", picture, depths, [row[1] for row in rows], [row[2] for row in rows], errors,
              size=(14, 4.5))


if __name__ == "__main__":
    main()
