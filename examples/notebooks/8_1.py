# %% [markdown]
# # 8.1 How learning differs from pure optimization
#
# Learning wants a low error on examples that nobody has seen; an optimizer lowers a sum over examples that everybody
# has. This page trains on MNIST-1D, digits drawn as curves of 40 numbers, so every cell takes a second or two. The
# section measured in full is in `examples/surrogate_loss.py`, `batch_size.py` and `minibatches.py`.

# %%
import numpy as np

from minigrad import Objective, data, losses, nn, optim, training
from minigrad.figures.page import Page

page = Page("8.1 How learning differs from pure optimization")
(x, y), (x_test, y_test) = data.mnist1d(0)
x.shape, x_test.shape


# %% [markdown]
# One example of each digit: a stroke, somewhere, among noise.

# %%
def digits(figure):
    for digit, axes in enumerate(figure.subplots(2, 5, sharex=True, sharey=True).flat):
        axes.plot(x[y == digit][0])
        axes.set_title(f"a {digit}")
    figure.supxlabel("place")


page.draw("8_1_digits", digits, size=(9, 3.4));

# %% [markdown]
# ## 8.1.2 A surrogate loss, and early stopping
#
# The error that matters, the share of wrong answers, has no useful gradient; cross-entropy stands in for it. Watch the
# table: the training loss falls to the end, the validation loss has its lowest point long before, and the callback goes
# back to it.

# %%
epochs = 5 if page.quick else 40
model = nn.Sequential(nn.Linear(40, 100, rng=1), nn.ReLU(), nn.Linear(100, 10, rng=2))
stop = training.EarlyStopping(patience=6)
run = training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=0.01),
                   data.batches(x[:3000], y[:3000], batch_size=50, rng=0), epochs=epochs,
                   validation=(x[3000:], y[3000:]), callbacks=[stop])
print(f"{run.reason}: test error {100 * training.evaluate(model, losses.cross_entropy, x_test, y_test).error:.1f} %")

# %%
training.draw_learning_curve(run, page.out / "8_1_curve.png")

# %% [markdown]
# ## 8.1.3 Batches: the standard error falls only with the square root
#
# The gradient of a batch is a mean of m gradients. Ten times the examples, ten times the work, and the noise is divided
# by 3.2. The table shows |g of a batch - g| / |g| over 20 batches of each size, and what sigma / sqrt(m) promises.

# %%
J = Objective(model, losses.cross_entropy, x, y)
theta = model.parameters().theta.copy()
g = J.grad(theta)
rng = np.random.default_rng(0)


def noise(m):
    errors = []
    for _ in range(20):
        chosen = rng.integers(len(x), size=m)
        errors.append(np.linalg.norm(Objective(model, losses.cross_entropy, x[chosen], y[chosen]).grad(theta) - g))
    return np.sqrt(np.mean(np.square(errors))) / np.linalg.norm(g)


first = noise(10)
for m in (10, 100, 1000):
    print(f"m = {m:5d}   measured {noise(m):6.2f}   promised {first * np.sqrt(10 / m):6.2f}")

# %% [markdown]
# **Try.** `shuffle="never"` in `data.batches` after sorting the examples by class: what does the loss of each step look
# like (`run.losses`)? A batch of 3000 with the same rate, and the same number of epochs: how far does it come?
