# %% [markdown]
# # Figure 8.5: momentum runs along the canyon, gradient descent across it
#
#     python -m minigrad figures 8.5 [--quick] [--out DIR]
#
# **What it shows.** A quadratic cost whose Hessian has eigenvalues 1 and CONDITION: a long canyon with steep walls. The
# red path is momentum (algorithm 8.2); the black arrow at each of its points is the step that gradient descent would
# take there. The arrows point across the canyon, the path runs along it: across, successive gradients have opposite
# signs and cancel in the velocity, along it they agree and add up.
#
# **What to look at.** The table: after the same number of steps, how far each method still is from the minimum, for the
# learning rate printed. And the second panel: under a constant force the speed grows to lr |g| / (1 - alpha), equation
# 8.17 - for alpha = 0.5, 0.9 and 0.99 that is 2, 10 and 100 times gradient descent's step.
#
# **Try.** CONDITION = 100. momentum = 0.99: the path overshoots and swings, why? optim.Nesterov in place of Momentum:
# where do the two paths part?

# %%
from typing import Any

import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page

CONDITION = 30.0
START = np.array([-31.0, -12.0])


# %% [markdown]
# The canyon, turned by 30 degrees so that neither axis is an eigenvector.

# %%
def canyon() -> Any:
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    Q = np.array([[c, -s], [s, c]])
    H = Q @ np.diag([1.0, CONDITION]) @ Q.T
    return Quadratic(H)


class Quadratic:
    """J = theta'H theta / 2."""

    def __init__(self, H: np.ndarray) -> None:
        self.H = H

    def value(self, theta: np.ndarray) -> float:
        return 0.5 * theta @ self.H @ theta

    def grad(self, theta: np.ndarray) -> np.ndarray:
        return self.H @ theta


def paths(J: Any, steps: int, lr: float) -> dict[str, Any]:
    """The points visited by gradient descent and by momentum, with one learning rate."""
    return {"gradient descent": optim.minimize(optim.SGD(START.copy(), lr=lr), J, steps, path=True).path,
            "momentum": optim.minimize(optim.Momentum(START.copy(), lr=lr, momentum=0.7), J, steps, path=True).path}


def terminal_velocity(steps: int) -> Any:
    """Speed over the step of gradient descent, under a constant gradient, for three alphas (8.17)."""
    g, lr, speeds = np.ones(1), 0.1, {}
    for alpha in (0.5, 0.9, 0.99):
        opt = optim.Momentum(np.zeros(1), lr=lr, momentum=alpha)
        speed = []
        for _ in range(steps):
            opt.step(g=g)
            speed.append(abs(opt.v[0]) / lr)
        speeds[alpha] = speed
    return speeds


def picture(figure: Any, J: Any, found: Any, speeds: Any, lr: float) -> None:
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    x, y = np.meshgrid(np.linspace(-36, 16, 200), np.linspace(-24, 14, 200))
    heights = 0.5 * (J.H[0, 0] * x * x + 2 * J.H[0, 1] * x * y + J.H[1, 1] * y * y)
    left.contour(x, y, heights, levels=np.geomspace(5, 8000, 14), colors="0.7", linewidths=0.8)
    route = found["momentum"]
    left.plot(*route.T, "o-", color=COLORS[1], markersize=3, label="momentum")
    for theta in route[:-1]:
        step = -lr * J.grad(theta)
        if np.linalg.norm(step) > 0.5:            # near the minimum they would only blot
            left.annotate("", theta + step, theta, arrowprops={"arrowstyle": "->", "color": "k", "lw": 0.9})
    left.plot(*found["gradient descent"].T, "-", color=COLORS[0], linewidth=1, label="gradient descent")
    left.plot(*START, "k^", markersize=7, label="start")
    left.plot(0, 0, "k*", markersize=10, label="minimum")
    left.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$", aspect="equal", xlim=(-36, 16), ylim=(-24, 14),
             title="momentum, and the gradient step it did not take")
    left.legend(loc="lower right")
    for alpha, speed in speeds.items():
        line, = right.plot(range(1, len(speed) + 1), speed, label=rf"$\alpha$ = {alpha}")
        right.axhline(1 / (1 - alpha), color=line.get_color(), linestyle=":", linewidth=0.8)
    right.set(xlabel="step", ylabel=r"speed / ($\epsilon$ |g|)", yscale="log", title="terminal velocity (8.17)")
    right.legend(loc="center right")


def main(argv: list[str] | None = None) -> None:
    page = Page("Figure 8.5, momentum in a canyon", argv)
    J, lr, steps = canyon(), 1.5 / CONDITION, 40
    found = paths(J, steps, lr)
    print(f"condition {CONDITION:g}, lr {lr:g}, alpha 0.7, {steps} steps from J = {J.value(START):.0f}")
    for name, route in found.items():
        print(f"{name:18} J = {J.value(route[-1]):10.4f}   distance to the minimum {np.linalg.norm(route[-1]):8.4f}")
    speeds = terminal_velocity(100 if page.quick else 600)
    for alpha, speed in speeds.items():
        print(f"alpha {alpha:<5} speed after {len(speed)} steps {speed[-1]:7.2f} lr |g|, "
              f"1/(1 - alpha) = {1 / (1 - alpha):g}")
    page.draw("fig_8_05_momentum", picture, J, found, speeds, lr)


if __name__ == "__main__":
    main()
