# %% [markdown]
# # How a learning rate may fall
#
#     python examples/falling_rates.py [--quick] [--out DIR]
#
# **What it shows.** The schedules of `optim.schedules`: linear to tau (8.14), exponential, one over k, halved every few
# epochs as the course notes have it, a cosine (with a warm-up before it, too), one cycle, and a rate that is halved
# whenever the validation loss has stopped falling. Schedules count steps; `PerEpoch` lets any of them count epochs.
# (8.12) and (8.13) are conditions on the tail of a rate under which SGD converges: `robbins_monro` says of each whether
# it satisfies both. Few of those in use do.
#
# Then a small net learns 1,000 digits by SGD in 60 epochs with each, its first rate the one of three with the least
# training loss, 3 seeds; the plateau is that of 500 validation digits.
#
# **What to look at.** The rates, and the training loss below them: where the rate falls the noise of the minibatches
# goes. But at the end of this task no noise is left that a falling rate could calm: the digits are learned by heart,
# the gradient of every one of them tends to zero, and the constant rate ends lowest (0.0016 +- 0.0003, 16.8 +- 0.4 %
# wrong). On test digits only the rate that listens to the validation set is a little better (16.5 +- 0.03), and it
# ends with the highest training loss; linear and one cycle are level (17.1 +- 0.3, 17.2 +- 0.5); those that ended
# best at twice the first rate generalize worse (18 to 19 %), and a warm-up does not change that. The notes say it:
# try first whether you need it at all.
#
# **Try.** Momentum in place of SGD. 10 epochs: which order now? A first rate of 4, with and without the warm-up.

# %%
import numpy as np

from minigrad import data, init, losses, nn, optim, training
from minigrad.figures.page import COLORS, Page
from minigrad.optim import schedules

EPOCHS, BATCH = 60, 25


def digits(m=1000):
    """(x, y) of training, of 500 validation and of 3,000 test digits: x (m, 36), 6 x 6 pixels, mean 0."""
    (x, y), test = data.coarse_mnist(m=m + 500, m_test=3000)
    return data.standardized((x[:m], y[:m]), (x[m:], y[m:]), test)


# %%
def falling(lr, steps, epochs):
    """{name: schedule} of a run of so many steps in so many epochs that begins (or peaks) at lr."""
    epoch = steps / epochs
    return {"constant": schedules.Constant(lr),
            "linear to tau (8.14)": schedules.Linear(lr, 0.01 * lr, 0.8 * steps),
            "exponential, to 1 %": schedules.Exponential(lr, 0.01 ** (1 / steps)),
            "1/k": schedules.Inverse(lr, steps / 10),
            "halved every 10 epochs": schedules.PerEpoch(schedules.Stair(lr, 0.5, 10), epoch),
            "cosine": schedules.Cosine(lr, 0.0, steps),
            "warm-up, then cosine": schedules.Warmup(0.1 * steps, schedules.Cosine(lr, 0.0, steps)),
            "one cycle": schedules.OneCycle(lr, steps),
            "halved on a plateau": lr}


def learn(name, lr, epochs, seed, train, validation, test):
    """(training loss after each epoch, rate after each epoch, % wrong on test digits)."""
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(36, 30, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Linear(30, 10, rng=rng))
    batches = data.batches(*train, batch_size=BATCH, rng=seed)
    opt = optim.SGD(model.parameters(), lr=falling(lr, epochs * len(batches), epochs)[name])
    plateau, curve, rates = training.ReduceOnPlateau(0.5, patience=3), [], []
    for _ in range(epochs):
        training.fit(model, losses.cross_entropy, opt, batches, epochs=1, progress=False)
        curve.append(training.evaluate(model, losses.cross_entropy, *train).loss)
        rates.append(opt.now("lr"))
        if name == "halved on a plateau":
            plateau.hear(opt, training.evaluate(model, losses.cross_entropy, *validation).loss)
    return curve, rates, 100 * losses.zero_one_error(training.predict(model, test[0]), test[1])


# %%
def picture(figure, found, epochs):
    rates, loss = figure.subplots(1, 2)
    styles = ("-", "--", "-.", ":", "-", "--", "-.", ":", "-")
    for (name, runs), color, style in zip(found.items(), (*COLORS, *COLORS), styles):
        k = np.arange(1, epochs + 1)
        rates.semilogy(k, np.maximum(runs[0][1], 1e-4), style, color=color, label=name)
        loss.semilogy(k, np.mean([curve for curve, *_ in runs], axis=0), style, color=color, label=name)
    rates.set(xlabel="epoch", ylabel="rate (floor 1e-4)", title="the rates, seed 0")
    loss.set(xlabel="epoch", ylabel="training loss, mean of seeds", title="1,000 digits")
    loss.legend(loc="upper right")


def main(argv=None):
    page = Page("How a learning rate may fall", argv)
    sets = digits(200 if page.quick else 1000)
    epochs, seeds, lrs = (3, 2, (0.3,)) if page.quick else (EPOCHS, 3, (0.3, 1.0, 2.0))
    found = {}
    print(f"{len(sets[0][0])} digits, {epochs} epochs, {seeds} seeds: (8.12) and (8.13) hold, first rate, training "
          "loss, % wrong on test digits")
    for name, schedule in falling(1.0, epochs * 40, epochs).items():
        runs = {lr: [learn(name, lr, epochs, seed, *sets) for seed in range(seeds)] for lr in lrs}
        best = min(runs, key=lambda lr: np.mean([curve[-1] for curve, *_ in runs[lr]]))
        found[name] = runs[best]
        ends, wrong = np.array([(curve[-1], error) for curve, _, error in runs[best]]).T
        holds = "-" if isinstance(schedule, float) else "yes" if schedules.robbins_monro(schedule) else "no"
        print(f"  {name:24}{holds:5}{best:<6g}{ends.mean():.4f} +- {ends.std(ddof=1):.4f}   {wrong.mean():.2f} +- "
              f"{wrong.std(ddof=1):.2f}")
    page.draw("falling_rates", picture, found, epochs, size=(12, 4.6))


if __name__ == "__main__":
    main()
