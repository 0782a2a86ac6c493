# %% [markdown]
# # Figure 8.1: learning without arriving at a critical point
#
#     python -m minigrad figures 8.1 [--quick] [--out DIR]
#
# **What it shows.** The norm of the minibatch gradient during the training of a small convolutional network, and the
# error on examples it does not train on. As in the book's figure the norm grows while the error falls: training
# succeeds without coming near a critical point. Below it, what 8.2.1 says to watch: the squared norm g'g beside g'Hg,
# on the same 500 examples all along, and the change of J that (8.10) predicts for a step beside the one that came.
#
# **What to look at.** The printed means over the first and the last tenth of the steps: the norm of a minibatch's
# gradient has nearly doubled, the error is a thirteenth of what it was. g'g ends where it started, g'Hg is a hundred
# times larger: the largest rate that does not raise J, 2 g'g / g'Hg, falls from 100 to 1.5, so that the rate must
# shrink although the gradient is strong. In the last panel the points lie on the diagonal: gradient and curvature
# together tell what a step will do.
#
# **Try.** --lr 0.1: does the norm still grow? TRIAL = 3: which points leave the diagonal, and on which side? --batch 8:
# what part of the norm is noise?

# %%
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Objective, data, losses, nn, optim, training
from minigrad.diagnostics import CurvatureMonitor
from minigrad.figures.page import COLORS, Page

TRIAL = 0.5


# %%
def network() -> nn.Sequential:
    """(m, 28, 28, 1) -> (m, 10), two small convolutions."""
    return nn.Sequential(nn.Conv2d(1, 8, 5, stride=2, rng=0), nn.Tanh(),
                         nn.Conv2d(8, 16, 5, stride=2, rng=1), nn.Tanh(), nn.Flatten(),
                         nn.Linear(256, 32, rng=2), nn.Tanh(), nn.Linear(32, 10, rng=3))


# %% [markdown]
# The curvature is measured around a step of gradient descent on the fixed 500 examples, a hundred times as long as
# those of the training so that the curvature has a say, and then taken back: the training sees nothing of it.

# %%
def curvature(monitor: Any, J: Any) -> Any:
    """g'g, g'Hg, and the predicted and actual change of J of one step -TRIAL g; theta is as before afterwards."""
    theta = J.parameters.theta
    before = theta.copy()
    monitor.before(J)
    theta -= TRIAL * J.grad()
    J.parameters.changed()
    monitor.after(J)
    theta[...] = before
    J.parameters.changed()


def train(lr: float, batch: int, epochs: int, examples: int, records: int = 30) -> Any:
    """|g| of every step; (step, validation error); the steps at which curvature was measured, and its monitor."""
    (x, y), _ = data.mnist()
    validation, fixed = (x[-2000:], y[-2000:]), (x[:500], y[:500])
    x, y = x[:examples], y[:examples]
    model, monitor = network(), CurvatureMonitor()
    J, opt = Objective(model, losses.cross_entropy, *fixed), optim.SGD(model.parameters(), lr=lr)
    batches = data.batches(x, y, batch_size=batch, rng=0)
    norms, errors, measured = [], [], []
    every = max(1, epochs * len(batches) // records)

    def look():
        errors.append((len(norms), training.evaluate(model, losses.cross_entropy, *validation).error))
        curvature(monitor, J)
        measured.append(len(norms))

    for _ in range(epochs):
        for x_batch, y_batch in batches:
            if len(norms) % every == 0:
                look()
            loss = losses.cross_entropy(model(mg.Tensor(x_batch)), y_batch)
            opt.zero_grad()
            loss.backward()
            norms.append(float(np.linalg.norm(opt.params.g)))
            opt.step()
    look()
    return np.array(norms), np.array(errors), np.array(measured), monitor


def picture(figure: Any, norms: Any, errors: Any, measured: Any, monitor: Any) -> None:
    (norm, error), (curve, change) = figure.subplots(2, 2)
    width = max(1, len(norms) // 20)
    norm.plot(norms, ".", markersize=2, color=COLORS[5], alpha=0.5, label="single minibatches")
    norm.plot(np.arange(width, len(norms) + 1), np.convolve(norms, np.full(width, 1 / width), "valid"),
              color=COLORS[0], label=f"mean of {width} steps")
    norm.set(xlabel="step", ylabel="|g|", ylim=(0, np.quantile(norms, 0.995)), title="the norm grows ...")
    norm.legend(loc="upper left")
    error.plot(errors[:, 0], 100 * errors[:, 1], "o-", markersize=3, color=COLORS[1])
    error.set(xlabel="step", ylabel="validation error, %", ylim=(0, None), title="... while the error falls")
    curve.semilogy(measured, monitor["gg"], "o-", markersize=3, label="g'g")
    positive = monitor["gHg"] > 0
    curve.semilogy(measured[positive], monitor["gHg"][positive], "s-", markersize=3, label="g'Hg (where positive)")
    curve.set(xlabel="step", ylabel="on 500 fixed examples", title="curvature outgrows the gradient")
    curve.legend()
    reach = 1.1 * abs(np.concatenate([monitor["predicted"], monitor["actual"]])).max()
    change.plot([-reach, 0], [-reach, 0], color="0.7", linewidth=1)
    change.plot(monitor["predicted"], monitor["actual"], "o", markersize=4, color=COLORS[2])
    change.set(xlabel="change of J that (8.10) predicts", ylabel="change of J",
               title=f"one step of rate {TRIAL:g}: predicted and actual")


def main(argv: list[str] | None = None) -> None:
    def options(parser):
        parser.add_argument("--lr", type=float, default=0.005, help="learning rate (default 0.005)")
        parser.add_argument("--batch", type=int, default=16, help="examples per minibatch (default 16)")

    page = Page("Figure 8.1, the norm of the gradient during training", argv, options)
    lr, batch = page.options.lr, page.options.batch
    epochs, examples = (2, 1600) if page.quick else (8, 8000)
    norms, errors, measured, monitor = train(lr, batch, epochs, examples)
    tenth = len(norms) // 10
    first, last = norms[:tenth].mean(), norms[-tenth:].mean()
    largest = np.array([record.largest_lr for record in monitor.records])
    print(f"lr {lr:g}, minibatches of {batch}: {len(norms)} steps")
    print(f"|g|, mean of the first and the last tenth: {first:.3f}, {last:.3f} (times {last / first:.2f})")
    print(f"validation error: {100 * errors[0, 1]:.1f} % -> {100 * errors[-1, 1]:.1f} %")
    print(f"g'Hg / g'g at the start, at most, at the end: {monitor['gHg'][0] / monitor['gg'][0]:.2f}, "
          f"{(monitor['gHg'] / monitor['gg']).max():.2f}, {monitor['gHg'][-1] / monitor['gg'][-1]:.2f}")
    print(f"largest rate that does not raise J (8.10): {largest[0]:.2f} at the start, {largest.min():.2f} at the least")
    print(f"predicted against actual change: worst ratio "
          f"{abs(monitor['actual'] / monitor['predicted'] - 1).max():.3f} from 1")
    page.draw("fig_8_01_gradient_norm", picture, norms, errors, measured, monitor, size=(12, 8))


if __name__ == "__main__":
    main()
