# %% [markdown]
# # Squared errors of a net: Levenberg-Marquardt and scaled conjugate gradients
#
#     python examples/least_squares.py [--quick] [--out DIR]
#
# **What it shows.** Where J is a sum of squares, the Gauss-Newton matrix 2 A'A, made of the Jacobian A of the
# residuals, is a positive approximation of the Hessian, and Levenberg-Marquardt (8.6.1; alpha of 8.28 adapted to how
# well the last step was predicted) solves with it: few steps, each as dear as all outputs' gradients and a system of
# n equations. Scaled conjugate gradients (Moller 1993, in the slides) need no matrix and no line search: the
# curvature along the direction comes from one product with H, and the same kind of damping keeps it positive. Both on
# 300 digits of 6 x 6 pixels, 36-8-10 with tanh: 3,000 residuals, 386 weights, beside conjugate gradients and L-BFGS
# with their line searches.
#
# **What to look at.** J against steps and against seconds. After 20 steps Levenberg-Marquardt is at 0.0233 +- 0.0023,
# all others at 0.039 to 0.040; but one of its steps takes as long as 180 to 290 of theirs (0.15 s), and by the clock
# it is behind all the time. In the end scaled conjugate gradients (0.0192 +- 0.0014), conjugate gradients (0.0189)
# and L-BFGS (0.0196) arrive at about the same cost, below that of Levenberg-Marquardt after 30 steps (0.0224).
#
# **Try.** 36-30-10, four times as many weights: which curve moves most? float32 for all of them.

# %%
import time

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim
from minigrad.figures.page import COLORS, Page

METHODS = {"Levenberg-Marquardt": (optim.LevenbergMarquardt, 30),
           "scaled conjugate gradients": (optim.ScaledConjugateGradient, 600),
           "conjugate gradients": (optim.ConjugateGradient, 400), "L-BFGS": (optim.LBFGS, 400)}


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
def picture(figure, found):
    steps, clock = figure.subplots(1, 2, sharey=True)
    for (name, runs), color in zip(found.items(), COLORS):
        for i, rows in enumerate(runs):
            steps.loglog(np.arange(1, len(rows)), rows[1:, 0], color=color, linewidth=1.1,
                         label=name if i == 0 else None)
            clock.loglog(rows[1:, 1], rows[1:, 0], color=color, linewidth=1.1)
    steps.set(xlabel="step", ylabel="J, mean squared error", title="by steps (lines: seeds)")
    clock.set(xlabel="seconds of the processor", title="by seconds")
    steps.legend()


def main(argv=None):
    page = Page("Squared errors of a net", argv)
    m, share, seeds = (100, 0.05, 2) if page.quick else (300, 1.0, 3)
    found = {name: [learn(name, seed, m, share) for seed in range(seeds)] for name in METHODS}
    budget = min(rows[-1, 1] for runs in found.values() for rows in runs)
    print(f"{m} digits, {seeds} seeds: steps, J after 20 steps, J at the end; J after {budget:.2f} s, seconds a step")
    for name, runs in found.items():
        k = min(20, len(runs[0]) - 1)
        table = np.array([(rows[k, 0], rows[-1, 0], after(rows, budget), rows[-1, 1] / (len(rows) - 1))
                          for rows in runs])
        print(f"  {name:27}{len(runs[0]) - 1:4d}   " + "   ".join(
            f"{mean:.4f} +- {spread:.4f}" for mean, spread in zip(table.mean(0), table.std(0, ddof=1))))
    page.draw("least_squares", picture, found, size=(12, 4.6))


if __name__ == "__main__":
    main()
