# %% [markdown]
# # The edge of stability: gradient descent drives its own curvature to 2/lr
#
#     python examples/edge_of_stability.py [--quick] [--out DIR]
#
# **What it shows.** On a quadratic, gradient descent diverges along every eigenvector of the Hessian whose eigenvalue
# is above 2/lr (8.10 says so: the second term outgrows the first). So a rate ought to be chosen for the curvature.
# Networks turn this around (Cohen et al. 2021, after the book): trained on all examples with a constant rate, the
# largest eigenvalue of the Hessian, the sharpness, climbs until it reaches 2/lr, and then hovers there while the loss
# goes on falling, no longer at every step. Left: squared error, three rates, each at its own edge. Right:
# cross-entropy. There the sharpness climbs to the edge too, but once every example is classified with confidence the
# curvature of the loss itself fades, and it falls again.
#
# **What to look at.** The printed mean of the sharpness over the last third of the steps against 2/lr, and its spread;
# how many of those steps raised the loss. With cross-entropy: the highest sharpness, and the one at the end.
#
# **Try.** lr = 8 for the squared error: what happens in the first steps? optim.Momentum(momentum=0.9): its edge is at
# 2 (1 + 0.9)/lr. Minibatches of 30 in place of all examples: does the sharpness still reach 2/lr?

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim
from minigrad.diagnostics import sharpness
from minigrad.figures.page import COLORS, Page

# %% [markdown]
# 300 digits of 6 x 6 pixels (the middle of the image, averaged), and a net of one hidden layer: small enough for
# thousands of full gradients and a Lanczos run every few of them.

# %%
def digits(examples):
    """(x (m, 36), y (m,)), each pixel with mean 0."""
    (x, y), _ = data.coarse_mnist(m=examples)
    return x - x.mean(0), y


def descend(x, target, loss, lr, steps, every):
    """Full-batch gradient descent: J after every step, and (step, sharpness) every so many."""
    model = nn.Sequential(nn.Linear(36, 20, rng=0), nn.Tanh(), nn.Linear(20, 10, rng=1))
    J, values, sharp, vector = Objective(model, loss, x, target), [], [], None
    opt = optim.SGD(model.parameters(), lr=lr)
    for k in range(steps):
        if k % every == 0:
            found = sharpness(J, relative=1e-2, start=vector, rng=0)
            vector = found.vector                                   # the start of the next run
            sharp.append((k, found.value))
        values.append(float(opt.step(J)))
    return np.array(values), np.array(sharp)


def picture(figure, squared, crossed):
    panels = figure.subplots(2, 2, sharex="col")
    for column, (runs, title) in enumerate(((squared, "squared error"), (crossed, "cross-entropy"))):
        above, below = panels[:, column]
        for (lr, (values, sharp)), color in zip(runs.items(), COLORS):
            above.plot(*sharp.T, color=color, label=f"lr = {lr:g}")
            above.axhline(2 / lr, color=color, linestyle="--", linewidth=0.9)
            below.semilogy(values, color=color, linewidth=0.9)
        above.set(ylabel="sharpness (dashed: 2/lr)", ylim=(0, 1.35 * max(2 / lr for lr in runs)), title=title)
        above.legend(loc="lower right" if column == 0 else "upper right")
        below.set(xlabel="step", ylabel="J on all examples")


def main(argv=None):
    page = Page("The edge of stability", argv)
    x, y = digits(300)
    steps, every = (1500, 100) if page.quick else (6000, 50)
    one_hot = np.eye(10, dtype=np.float32)[y]
    squared = {lr: descend(x, one_hot, losses.mean_squared_error, lr, steps, every) for lr in (2.0, 3.0, 4.0)}
    crossed = {lr: descend(x, y, losses.cross_entropy, lr, steps // 4, every // 5) for lr in (3.0, 4.0)}
    print(f"300 digits, 36-20-10 tanh; the last third of {steps} steps; cross-entropy: {steps // 4} steps")
    print("loss             lr    2/lr   sharpness         ratio   steps that raised J")
    for lr, (values, sharp) in squared.items():
        late = sharp[2 * len(sharp) // 3:, 1]
        rises = np.diff(values[2 * steps // 3:]) > 0
        print(f"squared error {lr:5g} {2 / lr:7.3f}   {late.mean():.3f} +- {late.std():.3f} {late.mean() * lr / 2:8.3f}"
              f"{100 * rises.mean():16.0f} %")
    for lr, (values, sharp) in crossed.items():
        highest = sharp[:, 1].max()
        print(f"cross-entropy {lr:5g} {2 / lr:7.3f}   highest {highest:.3f}, {highest * lr / 2:.2f} of the edge; "
              f"at the end {sharp[-1, 1]:.3f}, J = {values[-1]:.2g}")
    page.draw("edge_of_stability", picture, squared, crossed, size=(12, 7))


if __name__ == "__main__":
    main()
