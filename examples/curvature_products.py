# %% [markdown]
# # Products with curvature, without the matrices
#
#     python examples/curvature_products.py [--quick] [--out DIR]
#
# **What it shows.** What 8.6 needs of the Hessian is almost always its product with a vector, and that is the
# derivative of a derivative: two gradients' work, whatever the number of parameters n (Pearlmutter 1994).
# `derivatives.hvp` is that product, `ggnvp` the one with the Gauss-Newton matrix J'H_L J (Schraudolph 2002), `jvp` and
# `vjp` those with the Jacobian of the outputs, from right and left. First all are laid beside the dense matrices of a
# small net (`hessian`, `jacobian`), three draws of weights and directions. Then their price, in gradients, while the
# net grows, and beside it what n products, that is the whole matrix, would cost.
#
# **What to look at.** All products are those with the matrices to rounding, 4e-16. For a few hundred parameters as
# for 47,104, a product with H or with the Gauss-Newton matrix costs two to four gradients, one with the Jacobian one
# to two. All of H would take 414 seconds there, in place of 0.009 for what most methods ask of it, and 18 GB.
#
# **Try.** relu in place of tanh: what does H still say? A batch of 10: which product has become relatively dearer?

# %%
import time

import numpy as np

from minigrad import Tensor, derivatives, grad, losses, ops
from minigrad.figures.page import COLORS, Page

PIXELS, CLASSES, EXAMPLES = 36, 10, 200
WIDTHS = (4, 16, 64, 256, 1024)


# %%
def net(width, rng, examples=EXAMPLES):
    """(outputs(theta), loss(outputs), theta (n,)) of a net PIXELS-width-CLASSES of tanh on random inputs, float64."""
    x, y = rng.standard_normal((examples, PIXELS)), rng.integers(CLASSES, size=examples)
    cut = PIXELS * width

    def outputs(theta):
        W, V = theta[:cut].reshape(PIXELS, width), theta[cut:].reshape(width, CLASSES)
        return ops.tanh(x @ W) @ V

    return outputs, lambda z: losses.cross_entropy(z, y), rng.standard_normal(cut + width * CLASSES) / 6


def errors(seed, width=4, examples=20):
    """{product: its distance from that with the dense matrix, relative}, one draw of everything."""
    rng = np.random.default_rng(seed)
    outputs, loss, theta = net(width, rng, examples)
    v, u = rng.standard_normal(theta.size), rng.standard_normal((examples, CLASSES))

    def J(theta):
        return loss(outputs(theta))

    A = derivatives.jacobian(outputs, theta).data.reshape(-1, theta.size)
    H = derivatives.hessian(J, theta).data
    H_L = derivatives.hessian(loss, outputs(Tensor(theta)).data).data.reshape(2 * (len(A),))
    pairs = {"jvp": (derivatives.jvp(outputs, theta, v), A @ v), "vjp": (derivatives.vjp(outputs, theta, u),
                                                                         A.T @ u.ravel()),
             "hvp": (derivatives.hvp(J, theta, v), H @ v), "ggnvp": (derivatives.ggnvp(outputs, loss, theta, v),
                                                                     A.T @ (H_L @ (A @ v))),
             "hessian_diagonal": (derivatives.hessian_diagonal(J, theta), np.diag(H))}
    return {name: np.linalg.norm(found.data.ravel() - dense) / np.linalg.norm(dense)
            for name, (found, dense) in pairs.items()}


# %%
def prices(width, repeats):
    """({product: its time over that of one gradient}, seconds of a gradient, n); of the processor, the least of all."""
    outputs, loss, theta = net(width, np.random.default_rng(0))
    v, u = np.ones(theta.size), np.ones((EXAMPLES, CLASSES))

    def J(theta):
        return loss(outputs(theta))

    def gradient():
        leaf = Tensor(theta, requires_grad=True)
        return grad(J(leaf), [leaf])

    jobs = {"gradient": gradient, "jvp": lambda: derivatives.jvp(outputs, theta, v),
            "vjp": lambda: derivatives.vjp(outputs, theta, u), "hvp": lambda: derivatives.hvp(J, theta, v),
            "ggnvp": lambda: derivatives.ggnvp(outputs, loss, theta, v)}
    seconds = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            began = time.process_time()
            job()
            seconds[name].append(time.process_time() - began)
    least = {name: min(times) for name, times in seconds.items()}
    return {name: least[name] / least["gradient"] for name in jobs}, least["gradient"], theta.size


# %%
def picture(figure, found):
    ratio, whole = figure.subplots(1, 2)
    n = [size for *_, size in found]
    for name, color, style in zip(("jvp", "vjp", "hvp", "ggnvp"), COLORS, ("o-", "s-", "^-", "D-")):
        ratio.semilogx(n, [prices[name] for prices, *_ in found], style, color=color, label=name)
    ratio.axhline(1, color="0.5", linestyle=":", linewidth=1)
    ratio.set(xlabel="n, parameters", ylabel="time over that of a gradient (dotted: 1)", ylim=(0, None),
              title="one product")
    ratio.legend()
    seconds = np.array([one["hvp"] * second for one, second, _ in found])
    whole.loglog(n, seconds, "^-", color=COLORS[2], label="H v")
    whole.loglog(n, seconds * n, "^--", color=COLORS[6], label="all of H: n times that")
    whole.set(xlabel="n, parameters", ylabel="seconds", title="a product, and the matrix")
    whole.legend()


def main(argv=None):
    page = Page("Products with curvature, without the matrices", argv)
    seeds, widths, repeats = (2, (4, 16), 3) if page.quick else (3, WIDTHS, 15)
    found = [errors(seed) for seed in range(seeds)]
    print(f"{seeds} draws: largest relative distance from the product with the dense matrix")
    for name in found[0]:
        print(f"  {name:18}{max(one[name] for one in found):.1e}")
    table = [prices(width, repeats) for width in widths]
    print("time over that of a gradient; seconds of all n products with H")
    print("        n       jvp    vjp    hvp  ggnvp")
    for ratios, seconds, n in table:
        print(f"  {n:7,}  " + "".join(f"{ratios[name]:7.2f}" for name in ("jvp", "vjp", "hvp", "ggnvp"))
              + f"{ratios['hvp'] * seconds * n:12.3g}")
    page.draw("curvature_products", picture, table, size=(11, 4.6))


if __name__ == "__main__":
    main()
