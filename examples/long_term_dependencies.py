# %% [markdown]
# # Long-term dependencies: the powers of W
#
#     python examples/long_term_dependencies.py [--quick] [--out DIR]
#
# **What it shows.** A recurrent net multiplies by one matrix at every step. W^t = V diag(lambda)^t V^-1 (8.11):
# whatever lies along an eigenvalue with |lambda| < 1 vanishes, along |lambda| > 1 it explodes, and the gradient that
# comes back through t steps does the same. A feedforward net of the same depth has other weights in every layer. Their
# product is as random as they are, and its scale is a choice: with the right variance it neither vanishes nor
# explodes. Last, what explosions do to learning, and what clipping (8.2.4) does about it: a net that must remember the
# sign of the first number of a sequence, started with weights a little too large.
#
# **What to look at.** First panel: the straight lines are the closed form |lambda|^t of the largest eigenvalue. Second:
# the printed norm of the gradient 100 steps or layers back. Only an orthogonal W of scale 1 keeps it (tanh then takes a
# little); with weights of its own in every layer, and the variance for it, so does a feedforward net. Third: at scale
# 0.8 nothing is learned, clipped or not: clipping is no help against gradients that vanish. At scale 2 the norms are
# astronomic and the net is thrown about, unless clipped: then some of the runs learn the task.
#
# **Try.** A scale of 1.05: after how many steps does tanh stop the growth of the states, and does the gradient stop
# growing too? nn.LSTMCell in place of nn.RNNCell: what does it do at 60 steps, and at 200?

# %%
import numpy as np

from minigrad import Tensor, grad, init, losses, nn, ops, optim
from minigrad.figures.page import COLORS, Page

UNITS = 64


# %% [markdown]
# The powers themselves: a symmetric W, scaled so that its largest |eigenvalue| is known.

# %%
def powers(radius, steps, rng):
    """|W^t x| for t = 0 .. steps, W symmetric with spectral radius `radius`, x its leading eigenvector plus noise."""
    A = rng.standard_normal((UNITS, UNITS))
    values, vectors = np.linalg.eigh(A + A.T)
    values *= radius / abs(values).max()
    W = vectors @ np.diag(values) @ vectors.T
    x, norms = vectors[:, abs(values).argmax()] + 0.1 * rng.standard_normal(UNITS) / np.sqrt(UNITS), []
    for _ in range(steps + 1):
        norms.append(np.linalg.norm(x))
        x = W @ x
    return np.array(norms)


# %% [markdown]
# The gradient of a random linear function of the last state by every earlier state. Recurrent: one orthogonal W times
# `scale`, tanh. Feedforward: a Gaussian W of its own for every layer, with the variance that keeps norms.

# %%
def gradient_norms(weights, nonlinearity, rng):
    """|dJ/dh_t| for t = 0 .. len(weights), J = u . h_last with |u| = 1; h_{t+1} = f(h_t W_t)."""
    states = [Tensor(0.1 * rng.standard_normal((1, UNITS)), requires_grad=True)]
    for W in weights:
        states.append(nonlinearity(states[-1] @ W))
    u = rng.standard_normal(UNITS)
    J = (states[-1] * (u / np.linalg.norm(u))).sum()
    return np.array([np.linalg.norm(g.data) for g in grad(J, states)])


def through_time(scale, steps, rng):
    Q = np.linalg.qr(rng.standard_normal((UNITS, UNITS)))[0]
    return gradient_norms([scale * Q] * steps, ops.tanh, rng)


def through_layers(steps, rng):
    weights = [rng.standard_normal((UNITS, UNITS)) / np.sqrt(UNITS) for _ in range(steps)]
    return gradient_norms(weights, lambda h: h, rng)


# %% [markdown]
# The task: the first number of a sequence is +1 or -1, the others are noise; the last state must tell its sign.

# %%
class Memory(nn.Module):
    """(m, steps, 1) -> (m, 2)."""

    def __init__(self, scale, rng):
        self.cell = nn.RNNCell(1, 32, recurrent=lambda shape, rng, dtype: init.orthogonal(shape, scale, rng=rng,
                                                                                          dtype=dtype), rng=rng)
        self.out = nn.Linear(32, 2, rng=rng)

    def forward(self, x):
        h = None
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.out(h)


def sequences(m, steps, rng):
    x = 0.3 * rng.standard_normal((m, steps, 1)).astype(np.float32)
    y = rng.integers(0, 2, m)
    x[:, 0, 0] = 2 * y - 1
    return x, y


def learn(scale, clip, length, steps, seed):
    """(largest |g| met, error at the end) of SGD on fresh sequences, the gradient's norm clipped to `clip`, if any."""
    rng = np.random.default_rng(seed)
    model = Memory(scale, rng)
    opt, norms = optim.SGD(model.parameters(), lr=0.1), []
    for _ in range(steps):
        x, y = sequences(32, length, rng)
        loss = losses.cross_entropy(model(Tensor(x)), y)
        opt.zero_grad()
        loss.backward()
        norms.append(optim.clip_grad_norm(opt.params, clip) if clip else float(np.linalg.norm(opt.params.g)))
        opt.step()
    x, y = sequences(1000, length, rng)
    return max(norms), losses.zero_one_error(model(Tensor(x)), y)


# %%
def picture(figure, norms, gradients, learned, runs):
    left, middle, right = figure.subplots(1, 3)
    for (radius, values), color in zip(norms.items(), COLORS):
        left.semilogy(values, color=color, label=rf"$|\lambda|$ = {radius:g}")
        left.semilogy(float(radius) ** np.arange(len(values)), "--", color="k", linewidth=0.7)
    left.set(xlabel="t", ylabel=r"$|W^t x|$", title=r"powers of one matrix (dashed: $|\lambda|^t$)")
    left.legend()
    for (name, values), color, line in zip(gradients.items(), [*COLORS[:3], COLORS[3]], ("-", "-", "-", "-.")):
        middle.semilogy(values[::-1], line, color=color, label=name)
    middle.set(xlabel="steps or layers back", ylabel="norm of the gradient", title="the way back")
    middle.legend()
    scales = list(dict.fromkeys(scale for scale, _ in learned))
    for i, (clip, name) in enumerate(((None, "not clipped"), (1.0, "norm clipped to 1"))):
        right.bar(np.arange(len(scales)) + 0.4 * i - 0.2, [sum(error < 0.05 for _, error in learned[scale, clip])
                                                           for scale in scales], 0.36, color=COLORS[i], label=name)
    right.set(xticks=range(len(scales)), xticklabels=[f"scale {scale:g}" for scale in scales], ylim=(0, runs + 1),
              ylabel=f"runs of {runs} with less than 5 % error", title="remembering one sign for 60 steps")
    right.legend()


def main(argv=None):
    page = Page("Long-term dependencies, the powers of W", argv)
    rng, runs, steps = np.random.default_rng(0), *((1, 30) if page.quick else (5, 300))
    norms = {radius: powers(radius, 100, rng) for radius in (0.8, 1.0, 1.2)}
    gradients = {f"recurrent, scale {scale:g}": through_time(scale, 100, rng) for scale in (0.8, 1.0, 1.2)}
    gradients["100 layers of their own"] = through_layers(100, rng)
    for radius, values in norms.items():
        print(f"|W^100 x| with |lambda| = {radius:g}: {values[-1]:.3g}; |lambda|^100 = {radius ** 100:.3g}")
    for name, values in gradients.items():
        print(f"gradient 100 back, {name:24}: {values[0]:.2g}")
    learned = {(scale, clip): [learn(scale, clip, 60, steps, seed) for seed in range(runs)]
               for scale in (0.8, 1.0, 2.0) for clip in (None, 1.0)}
    print(f"remember a sign for 60 steps: {steps} minibatches, {runs} runs each")
    for (scale, clip), found in learned.items():
        errors = " ".join(f"{100 * error:.0f}" for _, error in found)
        print(f"scale {scale:g}, {'not clipped' if clip is None else 'clipped to 1':12}: largest |g| "
              f"{max(norm for norm, _ in found):8.2g}; errors, % {errors}")
    page.draw("long_term_dependencies", picture, norms, gradients, learned, runs, size=(14, 4.6))


if __name__ == "__main__":
    main()
