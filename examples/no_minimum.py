# %% [markdown]
# # Costs without a minimum
#
#     python examples/no_minimum.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.2.7: a critical point need not exist. Two likelihoods that have none, each with its
# closed form. A classifier that is right on every example can be ever surer: for one example with logit w, gradient
# flow obeys w + exp(w) = 1 + t, so w grows like log t and the cost falls like 1/t, for ever. And a model of real
# values with a precision beta of its own (8.24): if it fits its targets exactly, log beta rises by lr/2 in every
# step, and J, which is -log(beta)/2, falls along a straight line without end. With noise in the targets that the
# model cannot fit, beta settles at one over its variance.
#
# **What to look at.** The printed largest differences from the closed forms. On digits 0 and 1, whose training error
# is soon zero: the cost still falls, the weights still grow like log t, the gradient's norm falls like 1/t and is
# never zero. Regression on more weights than examples: J passes every number; with fewer weights it stops at
# log(variance)/2 + 1/2.
#
# **Try.** Let the weights of the regression learn too: at which beta do steps of this length become unstable, and
# why? optim.Newton on the classifier: how fast does w grow now? weight_decay=1e-3: where does it stop?

# %%
import numpy as np

from minigrad import Objective, data, grad, losses, nn, ops, optim, tensor
from minigrad.figures.page import COLORS, Page


# %%
class OneExample:
    """J = log(1 + exp(-w)): one example of class 1 with logit w."""

    def value(self, w):
        return float(np.logaddexp(0, -w[0]))

    def grad(self, w):
        return -1 / (1 + np.exp(w))


def surer(steps, lr):
    """w after every step, from 0; and that of gradient flow at t = lr k, by Newton's method on w + exp(w) = 1 + t."""
    w, J = np.zeros(1), OneExample()
    found = optim.minimize(optim.SGD(w, lr=lr), J, steps, tolerance=0, path=True).path[:, 0]
    t = lr * np.arange(steps + 1)
    exact = np.log1p(t)
    for _ in range(50):
        exact = exact - (exact + np.exp(exact) - 1 - t) / (1 + np.exp(exact))
    return found, exact


# %%
def regression(weights, noise, steps, lr, seed=0, m=20):
    """(J, log beta) after every step of gradient descent on log beta, for a linear model of so many features whose
    weights stand at least squares, where their gradient is 0 for every beta; the mean square of its residuals."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, weights))
    y = x @ rng.standard_normal(weights) + noise * rng.standard_normal(m)
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    log_beta, rows = tensor(0.0, dtype=np.float64, requires_grad=True), []
    for _ in range(steps):
        J = losses.gaussian_nll(tensor(x @ w, dtype=np.float64), y, ops.exp(log_beta)) - np.log(2 * np.pi) / 2
        rows.append((J.item(), log_beta.item()))
        log_beta = tensor(log_beta.data - lr * grad(J, log_beta).data, dtype=np.float64, requires_grad=True)
    return np.array(rows), np.mean((x @ w - y) ** 2)


# %%
def classifier(steps):
    """Digits 0 against 1, 200 of them: (step, J, |w|, |gradient|, wrong) at steps spaced evenly in log k."""
    (x, y), _ = data.mnist(flat=True)
    rows = np.flatnonzero(y < 2)[:200]
    model = nn.Sequential(nn.Linear(784, 2, rng=0, dtype=np.float64))
    J = Objective(model, losses.cross_entropy, x[rows].astype(np.float64), y[rows])
    opt, found = optim.SGD(model.parameters(), lr=0.1), []
    looks = set(np.geomspace(1, steps, 40).astype(int))
    for k in range(1, steps + 1):
        opt.step(J)
        if k in looks:
            value, g = J.value_and_grad()
            wrong = losses.zero_one_error(model(J.x), J.y)
            found.append((k, value, np.linalg.norm(J.parameters.theta), np.linalg.norm(g), wrong))
    return np.array(found)


# %%
def picture(figure, one, exact, lr, learned, runs):
    flow, digits, precision = figure.subplots(1, 3)
    t = lr * np.arange(len(one))
    flow.semilogx(t[1:], one[1:], color=COLORS[0], label="w, gradient descent")
    flow.semilogx(t[1:], exact[1:], ":", color="black", label="w + exp(w) = 1 + t")
    flow.set(xlabel="t = steps times lr", ylabel="w", title="one example, ever surer")
    flow.legend()
    k, value, size, slope, wrong = learned.T
    for column, name, color, marker in ((value, "J", 0, "o"), (slope, "|gradient|", 1, "s"), (size, "|theta|", 2, "^")):
        digits.loglog(k, column, marker + "-", color=COLORS[color], markersize=3, label=name)
    if (wrong == 0).any():
        digits.axvline(k[np.argmax(wrong == 0)], color="0.5", linestyle="--", linewidth=1, label="no mistake from here")
    digits.set(xlabel="step", ylabel="J, norms", title="digits 0 and 1: nowhere to arrive")
    digits.legend()
    for (name, rows, bound), color, style in zip(runs, COLORS, ("-", "--", "-.")):
        precision.plot(rows[:, 0], style, color=color, label=name)
        if bound is not None:
            precision.axhline(bound, color=color, linestyle=":", linewidth=1)
    precision.set(xlabel="step", ylabel="J = - log p, less log(2 pi)/2",
                  title=r"$\beta$ is learned (dotted: the minimum)")
    precision.legend()


def main(argv=None):
    page = Page("Costs without a minimum", argv)
    lr, steps = 0.1, 500 if page.quick else 20000
    one, exact = surer(steps, lr)
    print(f"one example, {steps} steps of {lr}: w = {one[-1]:.4f}, gradient flow {exact[-1]:.4f}, largest difference "
          f"{abs(one - exact).max():.4f} (of order lr); J t = {np.log1p(np.exp(-one[-1])) * steps * lr:.3f}")
    learned = classifier(100 if page.quick else 5000)
    late = learned[len(learned) // 2:]
    slopes = [np.polyfit(np.log(late[:, 0]), np.log(late[:, i]), 1)[0] for i in (1, 3)]
    print(f"digits 0 and 1: {learned[-1, 4] * 200:.0f} of 200 wrong, J {learned[-1, 1]:.2e} like k^{slopes[0]:.2f}, "
          f"gradient {learned[-1, 3]:.2e} like k^{slopes[1]:.2f}, |theta| {learned[0, 2]:.2f} to {learned[-1, 2]:.2f}")
    runs = []
    for name, weights, noise in (("30 weights, 20 targets", 30, 0.5), ("5 weights, noise 0.5", 5, 0.5),
                                 ("5 weights, noise 0.1", 5, 0.1)):
        rows, variance = regression(weights, noise, 300 if page.quick else 1000, 0.05)
        bound = None if weights > 20 else np.log(variance) / 2 + 0.5
        runs.append((name, rows, bound))
        print(f"{name:24} J {rows[-1, 0]:.4f}" + (f" and falling by {rows[-2, 0] - rows[-1, 0]:.5f} a step"
              if bound is None else f", minimum {bound:.4f}") + f"; log beta {rows[-1, 1]:.3f}"
              + ("" if bound is None else f", -log variance {-np.log(variance):.3f}"))
    page.draw("no_minimum", picture, one, exact, lr, learned, runs, size=(14, 4.4))


if __name__ == "__main__":
    main()
