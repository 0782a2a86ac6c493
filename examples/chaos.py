# %% [markdown]
# # Chaos in recurrent nets with large weights
#
#     python examples/chaos.py [--quick] [--out DIR]
#
# **What it shows.** Large initial weights can make a recurrent net chaotic, says section 8.4: the smallest change of
# its state grows until the two runs have nothing to do with each other, although nothing in the net is random. The
# Lyapunov exponent, the mean logarithm of what a step does to a small difference, tells the two regimes apart. h <-
# tanh(h W), W Gaussian of variance g^2/n: below g = 1 every state dies out, at the rate log g, since the spectral
# radius of W is about g (the circular law); above it the exponent is positive.
#
# **What to look at.** Where the curves cross zero (between 1.0 and 1.3; the sharp border at 1 belongs to infinitely
# many units), and the dotted line log g that the small gains follow: 0.147 +- 0.003 at g = 2, 0.305 +- 0.007 at g =
# 3. Two runs that begin 10^-9 apart at g = 1.5 and at g = 0.9. With tanh the explosion is bounded: the difference
# stops growing when it is as large as the states. What chaos does to learning: the norm of the gradient back through
# 100 steps, which grows by about the same exponent.
#
# **Try.** n = 10: at which g does chaos begin there, and is it always chaos? orthogonal W: which g now? A constant
# input to every unit: does it quiet the net?

# %%
import numpy as np

from minigrad import Tensor, grad, nn, no_grad, ops
from minigrad.figures.page import COLORS, Page

UNITS = 200


# %%
def cell(gain, seed, n=UNITS):
    """An RNNCell of n units without input weights or biases, W of variance gain^2/n; and a first state (1, n)."""
    rng = np.random.default_rng(seed)
    net = nn.RNNCell(1, n, rng=rng, dtype=np.float64)
    for _, p in net.own_parameters():
        square = p.shape == (n, n)
        p.data = rng.standard_normal(p.shape) * gain / np.sqrt(n) if square else np.zeros(p.shape)
    return net, rng.standard_normal((1, n))


def run(net, h, steps):
    """The states after every step, (steps, n)."""
    nothing, states = np.zeros((1, 1)), []
    with no_grad():
        for _ in range(steps):
            h = net(Tensor(nothing), Tensor(h)).data
            states.append(h[0])
    return np.array(states)


def lyapunov(gain, seed, steps=400, first=100, small=1e-8):
    """The mean logarithm of the growth of a small difference, after `first` steps to forget the start.

    The difference is taken back to size `small` after every step, in its own direction (Benettin's method). Where the
    state dies out the net is linear, and any size will do.
    """
    net, h = cell(gain, seed)
    d = np.random.default_rng(seed + 1).standard_normal(h.shape)
    d *= small / np.linalg.norm(d)
    logs, nothing = [], np.zeros((2, 1))
    with no_grad():
        for k in range(first + steps):
            h, moved = net(Tensor(nothing), Tensor(np.concatenate([h, h + d]))).data[:, None]
            d = moved - h
            size = np.linalg.norm(d)
            d *= small / size
            if k >= first:
                logs.append(np.log(size / small))
    return np.mean(logs)


def gradient_back(gain, seed, steps=100, first=100):
    """log |d (u . h_T)/d h_0|/steps, u a random unit vector: the gradient `steps` back in a net past its start."""
    net, h = cell(gain, seed)
    start = Tensor(run(net, h, first)[-1:], requires_grad=True)
    h = start
    for _ in range(steps):
        h = net(Tensor(np.zeros((1, 1))), h)
    u = np.random.default_rng(seed + 2).standard_normal(h.shape)
    g = grad(ops.sum(h * (u / np.linalg.norm(u))), start).data
    return np.log(np.linalg.norm(g)) / steps


# %%
def picture(figure, gains, exponents, back, pairs):
    curve, apart = figure.subplots(1, 2)
    for values, color, marker, name in ((exponents, COLORS[0], "o", "Lyapunov exponent"),
                                        (back, COLORS[1], "s", "gradient, 100 steps back, by step")):
        mean, spread = values.mean(axis=1), values.std(axis=1, ddof=1)
        curve.errorbar(gains, mean, spread, fmt=marker + "-", color=color, capsize=3, markersize=4, label=name)
    curve.plot(gains, np.log(gains), ":", color="black", label="log g")
    curve.axhline(0, color="0.6", linewidth=0.8)
    curve.axvline(1, color="0.6", linewidth=0.8)
    curve.set(xlabel="gain g of the weights", ylabel="logarithm of the growth, by step (bar: seeds)",
              title=f"{UNITS} units: order below g = 1, chaos above")
    curve.legend()
    for (gain, distance), color in zip(pairs.items(), COLORS):
        apart.semilogy(np.maximum(distance, 1e-17), color=color, label=f"g = {gain:g}")
    apart.set(xlabel="step", ylabel="distance of two runs (floor 1e-17)", title="two runs that begin 1e-9 apart")
    apart.legend()


def main(argv=None):
    page = Page("Chaos in recurrent nets with large weights", argv)
    gains = np.array([0.5, 1.0, 2.0] if page.quick else [0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 3.0])
    steps, seeds = (30, 2) if page.quick else (400, 3)
    exponents = np.array([[lyapunov(g, seed, steps) for seed in range(seeds)] for g in gains])
    back = np.array([[gradient_back(g, seed) for seed in range(seeds)] for g in gains])
    print(f"{UNITS} units, {seeds} seeds: gain, log g, Lyapunov exponent, the same from gradients")
    for g, found, backwards in zip(gains, exponents, back):
        print(f"  {g:3.1f} {np.log(g):7.3f} {found.mean():7.3f} +- {found.std(ddof=1):.3f} {backwards.mean():7.3f} +- "
              f"{backwards.std(ddof=1):.3f}")
    pairs = {}
    for g in (0.9, 1.5, 3.0):
        net, h = cell(g, 0)
        d = np.random.default_rng(9).standard_normal(h.shape)
        d *= 1e-9 / np.linalg.norm(d)
        pairs[g] = np.linalg.norm(run(net, h, 200) - run(net, h + d, 200), axis=1)
    print("200 steps after a change of 1e-9: " + ", ".join(f"g = {g:g}: {distance[-1]:.1e}"
                                                           for g, distance in pairs.items()))
    page.draw("chaos", picture, gains, exponents, back, pairs, size=(12, 4.6))


if __name__ == "__main__":
    main()
