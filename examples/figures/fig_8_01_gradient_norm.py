# %% [markdown]
# # Figure 8.1: learning without arriving at a critical point
#
#     python examples/figures/fig_8_01_gradient_norm.py [--quick] [--out DIR]
#
# **What it shows.** The norm of the minibatch gradient during the training of a small convolutional network, and the
# error on examples it does not train on. In the book's figure (a network for object detection) the norm grows all the
# way while the validation error falls. On MNIST it does not quite: within some hundred steps, while the error falls
# fastest, it grows to several times what it was (0.35 to 2.8 with the smaller rate, to 1.6 with the larger), and then
# sinks slowly. What changes it is the rate: the smaller one keeps twice the norm of the larger, eight times as large.
# Both end above the gradient they started with (3.5 and 1.8 times), though the loss is a twentieth of what it was:
# this training, too, works without coming near a critical point.
#
# **What to look at.** The printed norm of the first step, and of the first, the middle and the last part of training,
# beside the loss there. Nine in ten of the single gradients (dots) lie between half their running mean (line) and 1.6
# times it; with the larger rate some are a tenth of it.
#
# **Try.** --lr 0.02: does the norm grow all the way? --batch 8: what part of the norm is noise? A schedule
# (optim.schedules.Linear) in place of the constant rate.

# %%
import argparse
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, losses, nn, optim, training


# %%
def network():
    """(m, 28, 28, 1) -> (m, 10), two small convolutions."""
    return nn.Sequential(nn.Conv2d(1, 8, 5, stride=2, rng=0), nn.ReLU(),
                         nn.Conv2d(8, 16, 5, stride=2, rng=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10, rng=2))


def train(lr, batch, epochs, examples):
    """Norm and loss of every step; (step, validation error) five times per epoch."""
    (x, y), (x_test, y_test) = data.mnist()
    x, y, x_test, y_test = x[:examples], y[:examples], x_test[:2000], y_test[:2000]
    model = network()
    opt = optim.SGD(model.parameters(), lr=lr)
    batches = data.batches(x, y, batch_size=batch, rng=0)
    norms, values, errors = [], [], []
    every = max(1, len(batches) // 5)
    for _ in range(epochs):
        for x_batch, y_batch in batches:
            if len(norms) % every == 0:
                errors.append((len(norms), training.evaluate(model, losses.cross_entropy, x_test, y_test).error))
            loss = losses.cross_entropy(model(mg.Tensor(x_batch)), y_batch)
            opt.zero_grad()
            loss.backward()
            norms.append(float(np.linalg.norm(opt.params.g)))
            values.append(loss.item())
            opt.step()
    errors.append((len(norms), training.evaluate(model, losses.cross_entropy, x_test, y_test).error))
    return np.array(norms), np.array(values), np.array(errors)


def running_mean(values, width):
    """Mean over the last `width` values, from the width-th on."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    return (sums[width:] - sums[:-width]) / width


def draw(runs, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for color, (lr, (norms, _, errors)) in zip(("tab:blue", "tab:red"), runs.items()):
        width = max(1, len(norms) // 30)
        left.plot(norms, ".", markersize=1.5, alpha=0.25, color=color)
        left.plot(np.arange(width - 1, len(norms)), running_mean(norms, width), color=color, label=f"lr {lr:g}")
        right.plot(errors[:, 0], 100 * errors[:, 1], "o-", markersize=3, color=color, label=f"lr {lr:g}")
    left.set(xlabel="step", ylabel="|g| of a minibatch", yscale="log", title="gradient norm (dots: single steps)")
    right.set(xlabel="step", ylabel="error on held-out digits, %", yscale="log", title="error meanwhile")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description="Figure 8.1, the gradient norm during training")
    parser.add_argument("--lr", type=float, nargs="*", default=[0.05, 0.4])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    epochs, examples = (1, 4000) if arguments.quick else (6, 20000)
    runs = {lr: train(lr, arguments.batch, epochs, examples) for lr in arguments.lr}
    for lr, (norms, values, errors) in runs.items():
        n = max(1, len(norms) // 20)
        print(f"lr {lr:g}: {len(norms)} steps; mean over the first, the middle and the last {n} steps")
        parts = [slice(0, n), slice(len(norms) // 2 - n // 2, len(norms) // 2 + n - n // 2), slice(-n, None)]
        print(f"  |g| of the first step {norms[0]:.3f}, loss {values[0]:.3f}")
        print("  |g|   " + "  ".join(f"{norms[part].mean():8.3f}" for part in parts)
              + f"   last/first {norms[parts[2]].mean() / norms[parts[0]].mean():.2f}")
        print("  loss  " + "  ".join(f"{values[part].mean():8.4f}" for part in parts)
              + f"   last/first {values[parts[2]].mean() / values[parts[0]].mean():.3f}")
        print(f"  largest mean |g| over {n} steps: {running_mean(norms, n).max():.3f}; held-out error "
              f"{100 * errors[0, 1]:.1f} % -> {100 * errors[-1, 1]:.2f} %")
    path = arguments.out / "fig_8_01_gradient_norm.png"
    draw(runs, path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
