# %% [markdown]
# # When it goes wrong: five faults, and what finds each
#
#     python examples/when_it_goes_wrong.py [--quick] [--out DIR]
#
# **What it shows.** Five ordinary mistakes are planted in a small net that learns digits, each three times with other
# numbers, and beside each stands the tool that finds it: `detect_anomaly` names the op that first made a NaN or an
# infinity, and the line that called it; `testing.gradcheck` finds a wrong derivative; `testing.compare_intermediates`
# finds the first wrong gradient of a backward pass by hand, and what would explain it; `graph.draw` shows the shapes of
# a loss whose targets were broadcast by mistake; `diagnostics.doctor` says of a training that does not move what kind
# of place it is in. Every tool is also tried on the same program without the mistake, where it has to be silent.
#
# **What to look at.** What each tool says: all five find their fault in all three draws, and accuse no right program.
# And the picture, which is why they are needed: with one wrong derivative the net learns all the same, only worse
# (21.1 +- 0.8 % wrong in place of 16.0 +- 0.4); with the broadcast targets it still learns something, for a target
# that belongs to another digit is right half of the time (35.4 +- 5.6 % in place of 13.3 +- 0.3). An error that falls
# proves nothing.
#
# **Try.** Another wrong rule in `squash`, as small as you like: when does gradcheck miss it? A fault of your own.

# %%
import numpy as np

from minigrad import Objective, Tensor, data, detect_anomaly, graph, init, losses, nn, ops, optim, testing
from minigrad.core import primitive
from minigrad.diagnostics import doctor
from minigrad.figures.page import COLORS, Page

STEPS, BATCH = 200, 20


# %% [markdown]
# A softmax by hand: exp overflows where logits are large. And a derivative by hand: that of tanh with its square
# forgotten.

# %%
def probabilities(z):
    e = ops.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def squash_with(rule):
    """tanh with that derivative: rule(g, y, x)."""
    @primitive
    def squash(x):
        return np.tanh(x)

    squash.vjps(rule)
    return squash


squash = squash_with(lambda g, y, x: g * (1 - y))
right_squash = squash_with(lambda g, y, x: g * (1 - y * y))


# %%
def overflow(seed, wrong):
    """The words of detect_anomaly, or None."""
    z = Tensor((200 if wrong else 1) * np.random.default_rng(seed).standard_normal((5, 10)).astype(np.float32),
               requires_grad=True)
    try:
        with detect_anomaly():
            (-ops.log(probabilities(z)[:, 0]).mean()).backward()
    except optim.NonFiniteError as error:
        return str(error)


def wrong_rule(seed, wrong):
    """The first line that gradcheck has to say, or None."""
    x = np.random.default_rng(seed).standard_normal((3, 4))
    try:
        testing.gradcheck(squash if wrong else right_squash, x)
    except testing.GradientError as error:
        return str(error).splitlines()[0]


def by_hand(seed, wrong):
    """What compare_intermediates says of a backward pass in which the mean over the batch was forgotten, or None."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((6, 4)), rng.integers(3, size=6)
    W = Tensor(rng.standard_normal((4, 3)), requires_grad=True)
    z = ops.matmul(x, W)
    loss = losses.cross_entropy(z, y)
    dz = (ops.softmax(z).data - np.eye(3)[y]) / (1 if wrong else len(x))
    try:
        testing.compare_intermediates({"z": dz, "W": x.T @ dz}, loss, names={"z": z, "W": W})
    except testing.WrongIntermediate as error:
        return str(error).splitlines()[0]


def broadcast(seed, wrong):
    """The line of the graph with a square in the batch, or None: predictions (m, 1) less targets (m,) are (m, m)."""
    rng = np.random.default_rng(seed)
    model, y = nn.Linear(4, 1, rng=rng), rng.standard_normal(6).astype(np.float32)
    z = model(Tensor(rng.standard_normal((6, 4)).astype(np.float32)))
    J = ops.square(z - (y if wrong else y[:, None])).mean()
    return next((line for line in str(graph.draw(J)).splitlines() if "(6, 6)" in line), None)


def stuck(seed, wrong):
    """The doctor's verdict on a net with weights of zero (a saddle), or None if it has another."""
    (x, y), _ = data.standardized(*data.coarse_mnist(m=50 * (seed + 1), dtype=np.float64))
    weights = init.zeros if wrong else init.glorot_normal
    model = nn.Sequential(nn.Linear(36, 2, weights=weights, rng=seed, dtype=np.float64), nn.Tanh(),
                          nn.Linear(2, 2, weights=weights, rng=seed, dtype=np.float64))
    # equally many of both classes, so that the biases are right at zero
    even = np.concatenate([np.flatnonzero(y % 2 == k)[:15] for k in (0, 1)])
    report = doctor(Objective(model, losses.cross_entropy, x[even], y[even] % 2))
    return str(report).splitlines()[0] if report.verdict == "saddle" else None


FAULTS = {"an overflow: detect_anomaly": overflow, "a wrong derivative: gradcheck": wrong_rule,
          "a backward pass by hand: compare_intermediates": by_hand, "broadcast targets: graph.draw": broadcast,
          "nothing moves: doctor": stuck}


# %% [markdown]
# What the faults do to learning, if nobody looks: the net of tanh with the wrong derivative; and least squares (is the
# digit even?) whose targets are broadcast.

# %%
def curves(kind, wrong, seed, steps):
    """% wrong on the training digits after every tenth step."""
    (x, y), _ = data.standardized(*data.coarse_mnist(m=1000))
    rng, found = np.random.default_rng(seed), []
    first, last = nn.Linear(36, 20, rng=rng), nn.Linear(20, 10 if kind == "derivative" else 1, rng=rng)
    model = nn.Sequential(first, (squash if wrong and kind == "derivative" else right_squash), last)
    opt = optim.SGD(model.parameters(), lr=0.1)
    for k in range(steps + 1):
        if k % 10 == 0:
            z = model(x).data
            guess, truth = (z.argmax(1), y) if kind == "derivative" else (z[:, 0] > 0.5, y % 2 == 0)
            found.append(100 * np.mean(guess != truth))
        rows = rng.integers(len(x), size=BATCH)
        z = model(x[rows])
        model.zero_grad()
        if kind == "derivative":
            loss = losses.cross_entropy(z, y[rows])
        else:
            even = (y[rows] % 2 == 0).astype(np.float32)
            loss = ops.square(z - (even if wrong else even[:, None])).mean()
        loss.backward()
        opt.step()
    return found


# %%
def picture(figure, learned, steps):
    for panel, kind, title in zip(figure.subplots(1, 2), ("derivative", "targets"), (
            "ten digits: the derivative of tanh", "even or odd: targets (m,) against (m, 1)")):
        for wrong, color, style in ((False, COLORS[0], "-"), (True, COLORS[1], "--")):
            for i, run in enumerate(learned[kind, wrong]):
                panel.plot(np.arange(0, steps + 1, 10), run, style, color=color, linewidth=1.1,
                           label=("wrong" if wrong else "right") if i == 0 else None)
        panel.set(xlabel="step", ylabel="% wrong, training digits (lines: seeds)", ylim=(0, 100), title=title)
        panel.legend()


def main(argv=None):
    page = Page("When it goes wrong", argv)
    seeds, steps = (2, 20) if page.quick else (3, STEPS)
    for name, fault in FAULTS.items():
        said, silent = [fault(seed, True) for seed in range(seeds)], [fault(seed, False) for seed in range(seeds)]
        print(f"{name}: found {sum(one is not None for one in said)} of {seeds}, "
              f"{sum(one is not None for one in silent)} false alarms")
        print(f"    {said[0]}")
    learned = {(kind, wrong): [curves(kind, wrong, seed, steps) for seed in range(seeds)]
               for kind in ("derivative", "targets") for wrong in (False, True)}
    print(f"% wrong after {steps} steps, {seeds} seeds")
    for (kind, wrong), runs in learned.items():
        ends = np.array(runs)[:, -1]
        print(f"  {kind:12}{'wrong' if wrong else 'right':8}{ends.mean():5.1f} +- {ends.std(ddof=1):.1f}")
    page.draw("when_it_goes_wrong", picture, learned, steps, size=(11, 4.4))


if __name__ == "__main__":
    main()
