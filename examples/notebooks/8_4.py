# %% [markdown]
# # 8.4 Parameter initialization
#
# Where a net starts decides whether signals and gradients reach its other end. Figures, layer by layer; then what a
# deep net makes of each start. Measured with spreads over seeds: `examples/deep_nets_start.py`, `init_search.py`.

# %%
from functools import partial

import numpy as np

from minigrad import Tensor, data, init, losses, nn, optim, training
from minigrad.figures.page import Page

page = Page("8.4 Parameter initialization")
(x, y), (x_test, y_test) = data.mnist1d(0)
DEPTH, WIDTH = 12, 64


def deep(weights):
    """Twelve layers of 64 relus, and a last one of 10."""
    sizes = [40] + [WIDTH] * DEPTH
    layers = []
    for k, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        layers += [nn.Linear(fan_in, fan_out, weights=weights, rng=k), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 10, weights=weights, rng=99))


# %% [markdown]
# ## What arrives at layer k
#
# The standard deviation of the activations, for one batch. He's rule multiplies the variance by the 2 that relus take
# away; Glorot's was made for units without that loss, and small random numbers are lost within a few layers.

# %%
starts = {"He": init.he_normal, "Glorot": init.glorot_uniform, "normal, 0.05": partial(init.normal, std=0.05),
          "orthogonal, gain sqrt(2)": partial(init.orthogonal, gain=2**0.5)}
spread = {}
for name, weights in starts.items():
    z, spread[name] = Tensor(x[:500]), []
    for layer in list(deep(weights).children()):
        z = layer[1](z)
        if isinstance(layer[1], nn.ReLU):
            spread[name].append(float(np.std(z.data)))


def arrives(figure):
    axes = figure.subplots()
    for (name, values), mark in zip(spread.items(), "os^d"):
        axes.semilogy(range(1, DEPTH + 1), values, mark + "-", label=name)
    axes.set(xlabel="layer", ylabel="standard deviation of its outputs", title="What arrives at layer k")
    axes.legend()


page.draw("8_4_layers", arrives, size=(7, 4));

# %% [markdown]
# ## What it makes of it
#
# The same optimizer and the same steps from each start.

# %%
for name, weights in starts.items():
    model = deep(weights)
    training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=0.001),
                 data.batches(x, y, batch_size=100, rng=0), steps=40 if page.quick else 400, progress=False)
    found = training.evaluate(model, losses.cross_entropy, x_test, y_test)
    print(f"{name:26} test loss {found.loss:.3f}   error {100 * found.error:.1f} %")

# %% [markdown]
# **Try.** `nn.Tanh()` in place of the relus: which rule wins now? 30 layers?
