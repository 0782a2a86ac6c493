# %% [markdown]
# # 8.7 Optimization strategies and meta-algorithms
#
# Not one more way to step, but ways to change what is optimized, in which order, or which point is kept.

# %%

from minigrad import data, losses, nn, optim, training
from minigrad.figures.page import Page

page = Page("8.7 Optimization strategies and meta-algorithms")
(x, y), (x_test, y_test) = data.mnist1d(0)

# %% [markdown]
# ## 8.7.1 Batch normalization
#
# A deep net of sigmoids, which hardly learns as it is; with its layers normalized over the batch it does.

# %%
def sigmoids(normalized):
    layers = []
    for k, (n, m) in enumerate([(40, 64)] + 5 * [(64, 64)]):
        layers += [nn.Linear(n, m, rng=k)] + [nn.BatchNorm(m)] * normalized + [nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(64, 10, rng=9))


runs = {}
for name, normalized in (("plain", False), ("batch norm", True)):
    model = sigmoids(normalized)
    runs[name] = training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=0.1, momentum=0.9),
                              data.batches(x, y, batch_size=100, rng=0), epochs=3 if page.quick else 12, progress=False)
    error = training.evaluate(model, losses.cross_entropy, x_test, y_test).error
    print(f"{name:12} test error {100 * error:.1f} %")


def normed(figure):
    axes = figure.subplots()
    for (name, run), style in zip(runs.items(), ("-", "--")):
        axes.plot(run.losses, style, linewidth=1, label=name)
    axes.set(xlabel="step", ylabel="training loss of the batch", title="Six layers of sigmoids")
    axes.legend()


page.draw("8_7_norm", normed, size=(7, 4));

# %% [markdown]
# ## 8.7.3 Polyak averaging
#
# A constant rate leaves theta dancing around the valley's floor; the mean of the points lies closer to it. One line per
# step keeps the mean, and `applied` puts it in for a look.

# %%
model = nn.Sequential(nn.Linear(40, 100, rng=1), nn.ReLU(), nn.Linear(100, 10, rng=2))
opt = optim.SGD(model.parameters(), lr=0.5)
average = optim.PolyakAverage(opt, alpha=0.99)


class Average(training.Callback):
    def step(self, run):
        average.update()


training.fit(model, losses.cross_entropy, opt, data.batches(x, y, batch_size=20, rng=0), epochs=2 if page.quick else 10,
             progress=False, callbacks=[Average()])
last = training.evaluate(model, losses.cross_entropy, x_test, y_test)
with average.applied():
    mean = training.evaluate(model, losses.cross_entropy, x_test, y_test)
print(f"last point: test loss {last.loss:.3f}, error {100 * last.error:.1f} %")
print(f"their mean: test loss {mean.loss:.3f}, error {100 * mean.error:.1f} %")

# %% [markdown]
# ## 8.7.5 Designing models to aid optimization
#
# A convolution knows that a stroke may stand anywhere: the same digits, and no trick of the optimizer comes near what
# this change of model does.

# %%
convolutional = nn.Sequential(
    nn.Conv1d(1, 25, 5, stride=2, padding="same", rng=1), nn.ReLU(),
    nn.Conv1d(25, 25, 3, stride=2, padding="same", rng=2), nn.ReLU(),
    nn.Conv1d(25, 25, 3, stride=2, padding="same", rng=3), nn.ReLU(), nn.Flatten(), nn.Linear(125, 10, rng=4))
convolutional

# %%
training.fit(convolutional, losses.cross_entropy, optim.Adam(convolutional.parameters(), lr=0.01),
             data.batches(x[:, :, None], y, batch_size=100, rng=0), epochs=2 if page.quick else 20,
             validation=(x_test[:, :, None], y_test));

# %% [markdown]
# **Try.** `minigrad.strategies.curriculum` on the digits, easy ones (little shear) first. An average over all points,
# `alpha=None`: from when on does it help?
