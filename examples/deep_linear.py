# %% [markdown]
# # Deep linear nets: nothing to represent, everything to optimize
#
#     python examples/deep_linear.py [--quick] [--out DIR]
#
# **What it shows.** A net without nonlinearities computes y = x W_1 ... W_l: it can represent no more than one matrix,
# but its cost is a polynomial of degree 2 l with saddles and no bad minima, and its learning already looks like that
# of deep nets: plateaus, then sudden drops (Saxe, McClelland and Ganguli 2014, whom section 8.2.3 cites). For whitened
# inputs, and a start in which the layers are balanced and small, the dynamics are known exactly: every singular value
# s of the map from x to y is learned by itself. With a the strength of its mode at the start,
#
#     u(t) = s / (1 + (s/a - 1) exp(-2 s t))            two layers, t = steps times lr
#
# a plateau of length log(s/a)/(2 s), then a rise that takes about 1/s. One layer alone learns u(t) = s - (s - a)
# exp(-t) instead: no plateau, the same time for every mode.
#
# **What to look at.** The printed largest difference between the trained modes and the closed form (it is the error of
# steps of size lr; a tenth of the rate gives a tenth of it). The plateaus in the cost, one for every mode, the
# strongest first. The eigenvalues of the Hessian at the start of the two layers: both signs, as large as the strongest
# mode. The start is beside a saddle, and gradient descent is repelled by it.
#
# **Try.** START = 1e-8: how much longer are the plateaus? Unbalanced layers (W_1 ten times W_2): what is left of the
# formula? optim.Newton(search="full") from there: which critical point does it find?

# %%
import numpy as np

from minigrad import Objective, losses, nn, optim
from minigrad.diagnostics import hessian_spectrum
from minigrad.figures.page import COLORS, Page

STRENGTHS = np.array([4.0, 2.0, 1.0])
START = 1e-3


# %% [markdown]
# Eight whitened inputs (the rows of an orthogonal matrix, scaled so that x'x/m is the identity), five outputs, and a
# map between them of rank 3 with the singular values STRENGTHS.

# %%
def problem(rng):
    """x (8, 8), y (8, 5), and the map's singular vectors U (8, 3), V (5, 3): y = x U diag(STRENGTHS) V'."""
    x = np.linalg.qr(rng.standard_normal((8, 8)))[0] * np.sqrt(8)
    U = np.linalg.qr(rng.standard_normal((8, 3)))[0]
    V = np.linalg.qr(rng.standard_normal((5, 3)))[0]
    return x, x @ U @ np.diag(STRENGTHS) @ V.T, U, V


def network(layers, U, V, rng):
    """x W_1 ... W_l with product U START V' exactly, every factor as strong as the others."""
    share = START ** (1 / layers)
    R = np.linalg.qr(rng.standard_normal((6, 3)))[0]
    factors = [share * U @ R.T, share * R @ V.T] if layers == 2 else [share * U @ V.T]
    model = nn.Sequential(*(nn.Linear(*W.shape, bias=False, rng=0, dtype=np.float64) for W in factors))
    for layer, W in zip(model, factors):
        layer.w.data = W
    return model


def train(layers, x, y, U, V, lr, steps, rng):
    """Strengths of the modes (steps + 1, 3), J (steps + 1,), half the squared error, and H's spectrum at the start."""
    model = network(layers, U, V, rng)
    J = Objective(model, lambda out, target: losses.mean_squared_error(out, target) * (target.shape[1] / 2), x, y)
    opt, modes, values = optim.SGD(model.parameters(), lr=lr), [], []
    spectrum = hessian_spectrum(J, rng=0)
    for k in range(steps + 1):
        product = model[0].w.data if layers == 1 else model[0].w.data @ model[1].w.data
        modes.append(np.diag(U.T @ product @ V))
        values.append(float(opt.step(J)) if k < steps else J.value())
    return np.array(modes), np.array(values), spectrum


def exact(layers, t):
    """The closed forms of the text: (len(t), 3)."""
    s, t = STRENGTHS, t[:, None]
    return s / (1 + (s / START - 1) * np.exp(-2 * s * t)) if layers == 2 else s - (s - START) * np.exp(-t)


# %%
def picture(figure, t, found):
    panels = figure.subplots(2, 2, sharex=True)
    for (layers, (modes, values, _)), (above, below) in zip(found.items(), panels.T):
        formula = exact(layers, t)
        for i, s in enumerate(STRENGTHS):
            above.plot(t, modes[:, i], color=COLORS[i], linewidth=3, alpha=0.5, label=f"s = {s:g}")
            above.plot(t, formula[:, i], "k--", linewidth=0.9, label="closed form" if i == 2 else None)
        above.set(ylabel="strength of a mode", title=f"{layers} layer{'s' * (layers > 1)}")
        above.legend(loc="upper right", bbox_to_anchor=(1, 0.9))
        below.semilogy(t, values, color=COLORS[3])
        below.set(xlabel="t = lr times steps", ylabel="J", ylim=(1e-4, None))


def main(argv=None):
    page = Page("Deep linear nets, and their exact dynamics", argv)
    x, y, U, V = problem(np.random.default_rng(0))
    time, lr = 8.0, 0.01 if page.quick else 0.001
    steps = round(time / lr)
    t = np.arange(steps + 1) * lr
    found = {layers: train(layers, x, y, U, V, lr, steps, np.random.default_rng(1)) for layers in (1, 2)}
    print(f"singular values {', '.join(f'{s:g}' for s in STRENGTHS)}; start {START:g}; lr {lr:g}, {steps} steps")
    for layers, (modes, _, spectrum) in found.items():
        difference = abs(modes - exact(layers, t)).max()
        half = [t[np.argmax(modes[:, i] > s / 2)] for i, s in enumerate(STRENGTHS)]
        print(f"{layers} layer{'s' * (layers > 1)}: largest difference from the closed form {difference:.4f}")
        print(f"    half learned at t = {', '.join(f'{moment:.2f}' for moment in half)}; eigenvalues of H at the start "
              f"{spectrum.lowest:.3f} to {spectrum.highest:.3f}")
    page.draw("deep_linear", picture, t, found, size=(12, 7))


if __name__ == "__main__":
    main()
