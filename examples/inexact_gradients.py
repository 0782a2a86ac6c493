# %% [markdown]
# # Inexact gradients: noise averages out, bias stays
#
#     python examples/inexact_gradients.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.2.6: a gradient may be only an estimate, noisy or even biased. The likelihood of a
# restricted Boltzmann machine is intractable because of its sum over all states; contrastive divergence replaces the
# model's states by those that k steps of a Markov chain reach from the data. This machine is so small (6 visible
# units, 3 hidden) that all 64 states can be listed. So everything is known: the exact gradient, the exact mean of the
# CD-k gradient (the chain's transition matrix, k times), and the estimates from samples. The bias of CD-k falls with
# k like the k-th power of the second eigenvalue of the chain.
#
# The other gradient that is biased by design: backpropagation through time that is cut off after k steps. In a linear
# recurrent unit h_t = w h_(t-1) + x_t with white inputs, a fraction w^(2k) of the squared gradient lies beyond the
# cut.
#
# **What to look at.** Where the exact gradient has ended, every kind goes on, its rate falling to 0: which one stays?
# Noise alone (50 samples for each gradient) costs 0.0004 +- 0.0004 nats. The mean of CD-1, without any noise, leaves
# for the point where its own gradient is zero: 0.16 +- 0.31 nats above, from 0.0001 to 0.71 in five machines, and
# CD-5 0.02 +- 0.04. The more slowly the chain mixes, the worse. The two kinds of straight line: the bias by k, and
# what lies beyond the cut.
#
# **Try.** SHARP = 4: larger weights, slower chains: what does CD-1 do now? Begin with CD-1 and end with CD-10: is the
# bias of the beginning forgotten?

# %%
import numpy as np

from minigrad import Tensor, grad, ops, optim
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

VISIBLE, HIDDEN, SHARP = 6, 3, 2.0
KS = (1, 2, 3, 5, 8, 12, 16, 20)


def states(n):
    """All vectors of n bits, (2^n, n)."""
    return np.array(np.meshgrid(*[[0.0, 1.0]] * n, indexing="ij")).reshape(n, -1).T


V, H = states(VISIBLE), states(HIDDEN)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# %% [markdown]
# p(v, h) is proportional to exp(v W h + b v + c h). theta holds W (6, 3), b (6,) and c (3,).

# %%
def parts(theta):
    w = VISIBLE * HIDDEN
    return theta[:w].reshape(VISIBLE, HIDDEN), theta[w:w + VISIBLE], theta[w + VISIBLE:]


def probabilities(theta):
    """p(v) of all 64 visible states."""
    W, b, c = parts(theta)
    log_p = V @ b + np.logaddexp(0, V @ W + c).sum(axis=1)
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


def transitions(theta):
    """The matrix (64, 64) of one step of the chain v -> h -> v: rows sum to 1."""
    W, b, c = parts(theta)

    def chances(given, outcomes):
        return np.exp(np.log(given)[:, None, :] * outcomes + np.log1p(-given)[:, None, :] * (1 - outcomes)).prod(-1)

    return chances(sigmoid(V @ W + c), H) @ chances(sigmoid(H @ W.T + b), V)


def statistics(theta, p):
    """Means of v h', v and h over p(v) p(h | v), flat."""
    W, _, c = parts(theta)
    h = sigmoid(V @ W + c)
    return np.concatenate([(V * p[:, None]).T @ h, p[None] @ V, p[None] @ h], axis=None)


class Machine:
    """KL(data, model) and its gradient: exact, or with the model's states taken from k steps of the chain.

    k: None for the exact gradient. samples: None for means over all states, else states drawn for each gradient.
    """

    def __init__(self, data, k=None, samples=None, seed=0):
        self.data, self.k, self.samples, self.rng = data, k, samples, np.random.default_rng(seed)

    def value(self, theta):
        shown = self.data > 0
        return float(self.data[shown] @ np.log(self.data[shown] / probabilities(theta)[shown]))

    def grad(self, theta):
        p, q = self.data, probabilities(theta)
        if self.k is not None:
            q = p @ np.linalg.matrix_power(transitions(theta), self.k)
        if self.samples is not None:
            p, q = (self.rng.multinomial(self.samples, one / one.sum()) / self.samples for one in (p, q))
        return statistics(theta, q) - statistics(theta, p)


def data_of(seed):
    """What a machine with weights of standard deviation SHARP gives, mixed with three states of its own."""
    rng = np.random.default_rng(seed)
    p = 0.5 * probabilities(SHARP * rng.standard_normal(VISIBLE * HIDDEN + VISIBLE + HIDDEN))
    p[rng.choice(len(p), 3, replace=False)] += 0.5 / 3
    return p


KINDS = {"exact": {}, "exact, 50 samples": {"samples": 50}, "CD-1, its mean": {"k": 1}, "CD-5, its mean": {"k": 5}}


def learn(kind, theta, data, seed, steps, lr=0.2):
    """Divergence after every tenth step from theta, which is left at the end; the rate falls to 0 along a cosine."""
    J, curve = Machine(data, **KINDS[kind], seed=seed), []
    opt = optim.Momentum(theta, lr=schedules.Cosine(lr, 0.0, steps), momentum=0.9)
    for k in range(steps):
        if k % 10 == 0:
            curve.append(J.value(theta))
        opt.step(J)
    return curve


def bias(theta, data, ks):
    """(|CD-k's mean gradient - exact gradient| for each k, second eigenvalue of the chain)."""
    exact = Machine(data).grad(theta)
    l = np.sort(abs(np.linalg.eigvals(transitions(theta))))
    return np.array([np.linalg.norm(Machine(data, k).grad(theta) - exact) for k in ks]), l[-2]


# %% [markdown]
# Backpropagation through time, cut off after k steps: the state is detached there.

# %%
def cut_off(w, k, x):
    """d h_T/d w of h_t = w h_(t-1) + x_t for sequences x (m, T), with the chain cut before the last k steps: (m,)."""
    w, m = Tensor(w, requires_grad=True), len(x)
    each = w * np.ones(m)                      # a weight for each sequence: all their derivatives in one sweep
    h = Tensor(np.zeros(m))
    for t in range(x.shape[1]):
        if t == x.shape[1] - k:
            h = h.detach()
        h = each * h + x[:, t]
    return grad(ops.sum(h), each).data


def beyond_the_cut(w, k, length=400, m=400, seed=0):
    """The mean square of what the cut leaves out, over that of the whole derivative: w^(2k), for D = dh/dw obeys
    D_T = w D_(T-1) + h_(T-1): the cut leaves out w^k D_(T-k), and for large T the variance of D is always the same."""
    x = np.random.default_rng(seed).standard_normal((m, length))
    whole = cut_off(w, length, x)
    return np.mean((whole - cut_off(w, k, x)) ** 2) / np.mean(whole**2)


# %%
def picture(figure, curves, ks, biases, second, cuts):
    fall, cd, bptt = figure.subplots(1, 3)
    for (name, runs), color in zip(curves.items(), COLORS):
        k = 10 * np.arange(len(runs[0]))
        mean = np.mean(runs, axis=0)
        fall.semilogy(k, mean, color=color, label=name, linewidth=1.2 if "samples" in name else 1.8)
    fall.set(xlabel="step", ylabel="KL(data, model), mean of the seeds", title="going on from the exact gradient's end")
    fall.legend(loc="lower left")
    cd.semilogy(ks, biases, "o", color=COLORS[2], label="bias of CD-k")
    cd.semilogy(ks, biases[-1] * second ** (np.array(ks) - ks[-1]), ":", color="black",
                label=rf"$\lambda_2^k$, $\lambda_2$ = {second:.2f}")
    cd.set(xlabel="k", ylabel="|mean of CD-k - exact gradient|", title="at the end of the exact run")
    cd.legend()
    for (w, (steps, found)), color, marker in zip(cuts.items(), COLORS, "os^"):
        bptt.semilogy(steps, found, marker, color=color, label=f"w = {w:g}")
        bptt.semilogy(steps, [w ** (2 * k) for k in steps], ":", color="black", linewidth=1)
    bptt.plot([], [], ":", color="black", label="expected")
    bptt.set(xlabel="steps before the cut", ylabel="squared gradient beyond the cut, share",
             title="truncated backpropagation through time")
    bptt.legend()


def main(argv=None):
    page = Page("Inexact gradients: noise averages out, bias stays", argv)
    steps, seeds = (200, 2) if page.quick else (3000, 5)
    curves, slopes, biases, ks = {name: [] for name in KINDS}, {name: [] for name in KINDS}, None, list(KS)
    for seed in range(seeds):
        data, start = data_of(seed), 0.1 * np.random.default_rng(seed).standard_normal(27)
        learn("exact", start, data, seed, steps)
        if biases is None:
            biases, second = bias(start, data, ks)
        for name in KINDS:
            theta = start.copy()
            curves[name].append(learn(name, theta, data, seed, steps))
            slopes[name].append(np.linalg.norm(Machine(data).grad(theta)))
    print(f"from the end of {steps} steps along the exact gradient, {steps} more, {seeds} seeds: KL(data, model), more "
          "than with the exact gradient, |exact gradient| there")
    last = {name: np.array(found)[:, -1] for name, found in curves.items()}
    for name, ends in last.items():
        more = ends - last["exact"]
        print(f"  {name:18} {ends.mean():.4f}   {more.mean():.4f} +- {more.std(ddof=1):.4f} ({more.min():.4f} to "
              f"{more.max():.4f})   {np.mean(slopes[name]):.1e}")
    print("bias of CD-k by k: " + ", ".join(f"{k}: {b:.1e}" for k, b in zip(ks, biases))
          + f"; from 16 to 20 by {(biases[-1] / biases[-2]) ** 0.25:.4f} a step, second eigenvalue {second:.4f}")
    cuts = {w: ((1, 2, 5, 10, 20), [beyond_the_cut(w, k) for k in (1, 2, 5, 10, 20)]) for w in (0.5, 0.8, 0.95)}
    for w, (steps, found) in cuts.items():
        print(f"cut off, w = {w:g}: " + ", ".join(f"{k} steps {share:.1e} (expected {w ** (2 * k):.1e})"
                                                  for k, share in zip(steps, found)))
    page.draw("inexact_gradients", picture, curves, ks, biases, second, cuts, size=(14, 4.4))


if __name__ == "__main__":
    main()
