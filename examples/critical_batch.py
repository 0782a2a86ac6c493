# %% [markdown]
# # The critical batch size
#
#     python examples/critical_batch.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.1.3 says that larger batches give "less than linear returns". How much less, McCandlish
# et al. (2018, after the book) read off one number: the noise scale B = (sigma/|g|)^2, the batch size at which the
# standard error of the gradient is as large as the gradient. If the curvature were the same in all directions, one step
# with its best rate would lower J by the fraction 1/(1 + B/n) of what the exact gradient could do: below B twice the
# examples are worth nearly twice as much, far above it nothing. With a curvature that is not the same the formula holds
# with B = tr(H S)/(g.H g), S the covariance of one example's gradient.
#
# A small network learns digits. At three moments the progress of one step is measured for many batches of each size,
# and laid beside both formulas. On the right the noise scale while the net learns, for three seeds.
#
# **What to look at.** The printed noise scale: it grows while the net learns, since |g| falls and sigma does not. So
# batches should grow with time (or, which is nearly the same, rates should fall). The formula with H fits the measured
# points; the simple one is off by up to a factor of two, but costs two numbers only. (In the first steps g.H g is small
# or negative: there is no parabola whose minimum a rate could reach, and the formula with H says nothing.)
#
# **Try.** sigma and |g| separately: which of them moves? Labels of which a tenth are wrong: what becomes of B at the
# end?

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim
from minigrad.diagnostics import gradient_noise
from minigrad.figures.page import COLORS, Page

SIZES = (1, 4, 16, 64, 256, 1024)
RATES = np.geomspace(0.01, 20, 24)


# %%
def digits(m):
    """(x (m, 36), y (m,)): 6 x 6 pixels, each with mean 0."""
    (x, y), _ = data.coarse_mnist(m=m, dtype=np.float64)
    return x - x.mean(0), y


def network(seed):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(36, 10, rng=rng, dtype=np.float64), nn.Tanh(),
                         nn.Linear(10, 10, rng=rng, dtype=np.float64))


def curved_noise_scale(J):
    """tr(H S)/(g.H g): the expectation of u.H u over g.H g, u the noise of one example's gradient."""
    each, H = J.example_grads().astype(float), J.hessian().astype(float)
    g = each.mean(0)
    noise = each - g
    return np.einsum("mi,ij,mj->", noise, H, noise) / (len(each) - 1) / (g @ H @ g)


def progress(J, draws, rng):
    """{n: fall of J by one step of the best rate, mean over batches, over that by the exact gradient}."""
    theta, value = J.parameters.theta.copy(), J.value()

    def best(gradients):
        return max(np.mean([value - J.value(theta - lr * g) for g in gradients]) for lr in RATES)

    each = J.example_grads()
    exact = best([each.mean(0)])
    return {n: best([each[rng.integers(len(each), size=n)].mean(0) for _ in range(draws)]) / exact for n in SIZES}


def train(seed, x, y, steps, moments, look):
    """[(step, GradientNoise)] while SGD learns in batches of 32; look(step, J) at the given moments."""
    model, rng = network(seed), np.random.default_rng(seed)
    J, opt, found = Objective(model, losses.cross_entropy, x, y), optim.SGD(model.parameters(), lr=0.2), []
    for k in range(steps + 1):
        if k in moments:
            look(k, J)
        if k % max(1, steps // 25) == 0:
            found.append((k, gradient_noise(J)))
        rows = rng.integers(len(x), size=32)
        opt.step(Objective(model, losses.cross_entropy, x[rows], y[rows]))
    return found


# %%
def picture(figure, moments, runs):
    panels = figure.subplots(1, 3, width_ratios=(4, 4, 4))
    n = np.geomspace(1, 1024, 100)
    for panel, (step, (simple, curved, measured)) in zip(panels, (moments[0], moments[-1])):
        panel.semilogx(n, 1 / (1 + simple / n), "--", color="0.5", label=f"noise scale, B = {simple:.0f}")
        panel.semilogx(n, 1 / (1 + curved / n), color=COLORS[0], label=f"with curvature, B = {curved:.0f}")
        panel.semilogx(list(measured), list(measured.values()), "o", color=COLORS[1], label="measured")
        panel.set(xlabel="batch size n", ylabel="progress of a step / of the exact gradient's", ylim=(-0.02, 1.05),
                  title=f"after {step} steps")
        panel.legend(loc="upper left")
    for (seed, run), color in zip(runs.items(), COLORS):
        steps, scales = zip(*[(k, noise.noise_scale) for k, noise in run])
        panels[2].semilogy(steps, scales, color=color, label=f"seed {seed}")
    panels[2].set(xlabel="step of SGD", ylabel=r"noise scale $(\sigma/|g|)^2$, examples", title="while the net learns")
    panels[2].legend()


def main(argv=None):
    page = Page("The critical batch size", argv)
    m, steps, draws = (300, 600, 5) if page.quick else (1000, 2000, 60)
    x, y = digits(m)
    moments, rng = [], np.random.default_rng(0)

    def look(step, J):
        moments.append((step, (gradient_noise(J).noise_scale, curved_noise_scale(J), progress(J, draws, rng))))

    runs = {seed: train(seed, x, y, steps, (steps // 5, steps // 2, steps) if seed == 0 else (), look)
            for seed in range(3)}
    print(f"{m} digits, 36-10-10 net; progress of one step of the best rate, over that of the exact gradient")
    print("step   noise scale   with curvature           n =" + "".join(f"{n:>7d}" for n in SIZES))
    for step, (simple, curved, measured) in moments:
        print(f"{step:4d} {simple:13.0f} {curved:16.0f}      measured" + "".join(f"{measured[n]:7.3f}" for n in SIZES))
        for name, B in (("noise scale", simple), ("with curvature", curved)):
            print(f"{name:>48}" + "".join(f"{1 / (1 + B / n):7.3f}" for n in SIZES))
    for seed, run in runs.items():
        print(f"seed {seed}: noise scale {run[1][1].noise_scale:.0f} at step {run[1][0]}, "
              f"{run[-1][1].noise_scale:.0f} at step {run[-1][0]}; sigma {run[1][1].sigma:.2f}, "
              f"{run[-1][1].sigma:.2f}; |g| {run[1][1].gradient_norm:.3f}, {run[-1][1].gradient_norm:.3f}")
    page.draw("critical_batch", picture, moments, runs, size=(14, 4.4))


if __name__ == "__main__":
    main()
