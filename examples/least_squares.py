# %% [markdown]
# # Sums of squares: Levenberg-Marquardt and scaled conjugate gradients
#
#     python examples/least_squares.py [--quick] [--out DIR]
#
# **What it shows.** Where J is a sum of squares, the Gauss-Newton matrix 2 A'A, made of the Jacobian A of the
# residuals, is a positive approximation of the Hessian, and Levenberg-Marquardt (8.6.1; alpha of 8.28 adapted to how
# well the last step was predicted) solves with it: few steps, each as dear as all outputs' gradients and a system of
# n equations. Scaled conjugate gradients (Moller 1993, in the slides) need no matrix and no line search: the
# curvature along the direction comes from one product with H, and the same kind of damping keeps it positive. Beside
# them conjugate gradients and L-BFGS with their line searches, on two problems.
#
# First what Levenberg-Marquardt is made for: a curve fitted to measurements, 65 of them, by an exponential and three
# bells with 11 numbers of very unequal effect (Osborne's second problem; the published minimum is
# 0.0401377362935), from the usual start and from others around it. Then a net: 2,000 digits of 6 x 6 pixels, 36-8-10
# with tanh and squared errors: ten residuals each, 386 weights.
#
# **What to look at.** The curve: Levenberg-Marquardt is within a millionth of the published minimum after 10.5 +- 1.6
# steps of one evaluation each, from all six starts; L-BFGS takes 75 +- 4, conjugate gradients 172 +- 32 (of 2.3
# evaluations), scaled conjugate gradients 395 +- 120. The net: after 20 steps Levenberg-Marquardt is at 0.0373 +-
# 0.0039, the others at 0.048 to 0.050; but one of its steps takes as long as 360 to 530 of theirs (0.47 s), and by
# the clock it is behind all the time. In the end conjugate gradients (0.0331 +- 0.0031), scaled ones (0.0338 +-
# 0.0016) and L-BFGS (0.0341 +- 0.0034) arrive at about the same cost, below that of Levenberg-Marquardt after 30
# steps (0.0356 +- 0.0047).
#
# **Try.** 36-30-10, four times as many weights: which curve moves most? float32 for all of them.

# %%
import time

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page
from minigrad.testing import problems

METHODS = {"Levenberg-Marquardt": (optim.LevenbergMarquardt, 30),
           "scaled conjugate gradients": (optim.ScaledConjugateGradient, 600),
           "conjugate gradients": (optim.ConjugateGradient, 400), "L-BFGS": (optim.LBFGS, 400)}
CLOSE, LIMIT = 1e-6, 3000                # the relative error of J that counts as arrived; most steps of a fit


# %%
def fit(name, seed, limit=LIMIT):
    """((J - J*)/J* of Osborne's second problem before every step, evaluations). Seed 0 is the usual start, the others
    are up to 10 % away from it in every number."""
    J, rng = problems.osborne2(), np.random.default_rng(seed)
    start = J.start * (1 + 0.1 * rng.uniform(-1, 1, J.n) * (seed > 0))
    gaps = []

    def look(k, theta, value, g):
        gaps.append(value / J.lowest - 1)
        return gaps[-1] < CLOSE

    result = optim.minimize(METHODS[name][0](start), J, limit, callback=look)
    return np.array(gaps), result.evaluations


# %%
def problem(seed, m):
    """J of a 36-8-10 net with tanh on m digits, mean squared error against 0 and 1, in float64."""
    (x, y), _ = data.standardized(*data.coarse_mnist(m=m, dtype=np.float64))
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 8, weights=init.glorot_uniform, rng=rng, dtype=np.float64), nn.Tanh(),
                          nn.Linear(8, 10, weights=init.glorot_uniform, rng=rng, dtype=np.float64))
    return Objective(model, losses.mean_squared_error, x, np.eye(10)[y])


def learn(name, seed, m, share=1.0):
    """(J, seconds of the processor) after every step, from the start on."""
    J, (make, steps) = problem(seed, m), METHODS[name]
    opt, seconds, rows = make(J.parameters), 0.0, [(J.value(), 0.0)]
    for _ in range(max(2, int(share * steps))):
        began = time.process_time()
        opt.step(J)
        seconds += time.process_time() - began
        rows.append((J.value(), seconds))
    return np.array(rows)


def after(rows, seconds):
    """The lowest J within so many seconds."""
    return rows[rows[:, 1] <= seconds, 0].min()


# %%
def picture(figure, fits, found):
    curve, steps, clock = figure.subplots(1, 3)
    for runs, color in zip(fits.values(), COLORS):
        for gaps, _ in runs:
            curve.loglog(np.arange(1, len(gaps)), np.maximum(gaps[1:], 1e-9), color=color, linewidth=1.1)
    curve.axhline(CLOSE, color="0.5", linestyle=":", linewidth=1)
    curve.set(xlabel="step", ylabel="(J - J*) / J* (floor 1e-9)", title="a curve of 11 numbers (lines: starts)")
    for (name, runs), color in zip(found.items(), COLORS):
        for rows in runs:
            steps.loglog(np.arange(1, len(rows)), rows[1:, 0], color=color, linewidth=1.1,
                         label=name if rows is runs[0] else None)
            clock.loglog(rows[1:, 1], rows[1:, 0], color=color, linewidth=1.1)
    steps.set(xlabel="step", ylabel="J, mean squared error", title="digits, 386 weights, by steps (lines: seeds)")
    clock.set(xlabel="seconds of the processor", ylabel="J, mean squared error", title="the same by seconds")
    clock.sharey(steps)
    steps.legend()


def main(argv=None):
    page = Page("Sums of squares", argv)
    m, share, seeds, starts = (100, 0.05, 2, 2) if page.quick else (2000, 1.0, 3, 6)
    fits = {name: [fit(name, seed, 30 if page.quick else LIMIT) for seed in range(starts)] for name in METHODS}
    print(f"Osborne's second problem, {starts} starts: steps, evaluations until J is within {CLOSE:g} of J*; arrived")
    for name, runs in fits.items():
        table = np.array([(len(gaps) - 1, evaluations) for gaps, evaluations in runs])
        print(f"  {name:27}" + "   ".join(f"{mean:6.1f} +- {spread:<5.1f}"
              for mean, spread in zip(table.mean(0), table.std(0, ddof=1)))
              + f" {sum(gaps[-1] < CLOSE for gaps, *_ in runs)} of {starts}")
    found = {name: [learn(name, seed, m, share) for seed in range(seeds)] for name in METHODS}
    budget = min(rows[-1, 1] for runs in found.values() for rows in runs)
    print(f"{m} digits, {seeds} seeds: steps, J after 20 steps, J at the end; J after {budget:.2f} s, seconds a step")
    for name, runs in found.items():
        k = min(20, len(runs[0]) - 1)
        table = np.array([(rows[k, 0], rows[-1, 0], after(rows, budget), rows[-1, 1] / (len(rows) - 1))
                          for rows in runs])
        print(f"  {name:27}{len(runs[0]) - 1:4d}   " + "   ".join(
            f"{mean:.4f} +- {spread:.4f}" for mean, spread in zip(table.mean(0), table.std(0, ddof=1))))
    page.draw("least_squares", picture, fits, found, size=(15, 4.6))


if __name__ == "__main__":
    main()
