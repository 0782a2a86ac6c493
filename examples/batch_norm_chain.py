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
# **What to look at.** The ratio of actual to predicted change of J: 1 where the gradient tells the truth, negative
# where J rose although it was to fall. And the size of the gradient with respect to the lower weights under batch norm:
# zero up to delta, because scaling them is undone.
#
# **Try.** WEIGHT = 0.9: vanishing instead of exploding. LR = 0.001: how deep does the prediction hold then? delta = 1
# in batch_norm: what becomes of the lower weights' gradients?

# %%

import numpy as np

import minigrad as mg
from minigrad import ops
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


def picture(figure, depths, plain, normalized):
    axes = figure.subplots()
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


def main(argv=None):
    page = Page("The actual against the predicted change of a chain of weights (8.34)", argv)
    depths = [1, 2, 5, 10, 20] if page.quick else [1, 2, 3, 5, 7, 10, 15, 20, 30, 40]
    print(f"w_i = {WEIGHT}, learning rate {LR}: actual / predicted change of J")
    print(f"{'layers':>6} {'without':>12} {'with batch norm':>16} {'largest |g_i|, i < l, with batch norm':>40}")
    rows = [(depth, one_step(depth, False)[0], *one_step(depth, True)) for depth in depths]
    for depth, plain, normalized, lower in rows:
        print(f"{depth:6d} {plain:12.3g} {normalized:16.3f} {lower:40.1e}")
    page.draw("batch_norm_chain", picture, depths, [row[1] for row in rows], [row[2] for row in rows], size=(7, 4.5))


if __name__ == "__main__":
    main()
