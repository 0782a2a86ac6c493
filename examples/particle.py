# %% [markdown]
# # Momentum is a particle in syrup
#
#     python examples/particle.py [--quick] [--out DIR]
#
# **What it shows.** Section 8.3.2 reads momentum as Newton's dynamics (8.18-8.20) in small steps of time: the negative
# gradient is one force on a particle of unit mass, friction the other. Three frictions are tried in a valley J =
# theta^2/2: viscous (proportional to the speed, as in syrup), turbulent (to its square, as in air) and dry (constant,
# as on the ground). Only the viscous one stops where the minimum is: turbulent drag grows too weak as the particle
# slows, dry friction holds it on the slope as soon as the gradient is smaller than the friction.
#
# **What to look at.** The printed largest difference between the viscous particle and optim.Momentum with
# alpha = 1 - c h and lr = h^2: they are the same numbers. The amplitudes after a long time. Without any gradient, a
# viscous particle coasts v0/c and stops, under turbulent drag it has gone log(1 + c v0 t)/c and goes on for ever. Where
# dry friction holds a particle: anywhere with |theta| below the friction.
#
# **Try.** A larger time step h: when does Euler's method leave the exact curve, and when does it diverge? Critical
# damping, c = 2: why does nothing swing, and which alpha is that?

# %%
import numpy as np

from minigrad import optim
from minigrad.figures.page import COLORS, Page

START = 1.06

# %% [markdown]
# Forces as functions of the velocity. Dry friction never pushes: at rest it is as large as the pull, up to its limit.

# %%
def viscous(v, pull, c):
    return -c * v


def turbulent(v, pull, c):
    return -c * v * abs(v)


def dry(v, pull, c):
    return -np.clip(pull, -c, c) if v == 0 else -c * np.sign(v)


def none(v, pull, c):
    return 0.0


def slide(friction, c, theta, v, time, h, slope=lambda theta: theta):
    """The particle's positions at 0, h, 2 h, ...: v <- v + h (force + friction), then theta <- theta + h v."""
    places = [theta]
    for _ in range(round(time / h)):
        pull = -slope(theta)
        new = v + h * (pull + friction(v, pull, c))
        if friction is dry and v * new < 0 and abs(pull) <= c:      # it came to rest within this step
            new = 0.0
        v = new
        theta = theta + h * v
        places.append(theta)
    return np.array(places)


def exact(c, theta, time):
    """theta(t) of theta'' = -theta - c theta', from rest, for c < 2."""
    w = np.sqrt(1 - c * c / 4)
    return theta * np.exp(-c * time / 2) * (np.cos(w * time) + c / (2 * w) * np.sin(w * time))


class Valley:
    value = staticmethod(lambda theta: float(theta @ theta) / 2)
    grad = staticmethod(lambda theta: theta.copy())


def momentum(c, theta, time, h):
    """The same motion by optim.Momentum: its v is h times the particle's, so lr = h^2 and alpha = 1 - c h."""
    place = np.array([theta])
    steps = round(time / h)
    return optim.minimize(optim.Momentum(place, lr=h * h, momentum=1 - c * h), Valley(), steps, tolerance=0,
                          path=True).path[:, 0]


# %%
def picture(figure, time, paths, coasting, coast_time, stuck):
    valley, coast, held = figure.subplots(1, 3, width_ratios=(5, 4, 4))
    for (name, path), color in zip(paths.items(), COLORS):
        valley.plot(time, path, color=color, label=name, linewidth=1.1 if name == "no friction" else 1.7)
    valley.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    valley.set(xlabel="t", ylabel=r"$\theta$", title=r"in the valley $J = \theta^2/2$, from rest")
    valley.legend(loc="lower right", ncols=2)
    shown = np.unique(np.geomspace(1, len(coast_time) - 1, 300).astype(int))
    for (name, path), color in zip(coasting.items(), COLORS):
        coast.semilogx(coast_time[shown], path[shown], color=color, label=name)
    coast.set(xlabel="t (logarithmic)", ylabel="distance", title="no gradient: how far it coasts")
    coast.legend(loc="upper left")
    for (name, ends), color, marker in zip(stuck.items(), COLORS, "os^"):
        held.plot(*ends.T, marker, color=color, markersize=4, label=name)
    held.set(xlabel="start", ylabel="end", ylim=(-0.13, 0.15), title="where it stays")
    held.legend(loc="upper center", ncols=2)


def main(argv=None):
    page = Page("Momentum is a particle in syrup", argv)
    h, c, long = 0.01, 0.4, 40 if page.quick else 200
    time = np.arange(round(long / h) + 1) * h
    kinds = {"viscous": (viscous, c), "turbulent": (turbulent, c), "dry": (dry, 0.1), "no friction": (none, 0)}
    paths = {name: slide(friction, k, START, 0.0, long, h) for name, (friction, k) in kinds.items()}
    print(f"J = theta^2/2 from rest at {START}, Euler's method with h = {h:g}; friction {c:g}, dry 0.1")
    print(f"viscous and optim.Momentum(lr={h * h:g}, momentum={1 - c * h:g}): largest difference "
          f"{abs(paths['viscous'] - momentum(c, START, long, h)).max():.1e}")
    print(f"viscous and the exact solution: largest difference "
          f"{abs(paths['viscous'] - exact(c, START, time)).max():.4f}")
    last = time > long - 2 * np.pi
    for name, path in paths.items():
        print(f"amplitude of the last swing, {name:12}: {abs(path[last]).max():.2g}")
    flat = {name: slide(friction, 1.0, 0.0, 1.0, 10 * long, h, slope=lambda theta: 0.0)
            for name, (friction, _) in list(kinds.items())[:2]}
    t = np.arange(len(flat["viscous"])) * h
    print(f"no gradient, speed 1, c = 1, t = {t[-1]:g}: viscous coasted {flat['viscous'][-1]:.3f} (v0/c = 1), "
          f"turbulent {flat['turbulent'][-1]:.3f} (log(1 + t) = {np.log1p(t[-1]):.3f})")
    starts = np.linspace(-1.3, 1.3, 28)
    stuck = {name: np.array([(start, slide(*kinds[name], start, 0.0, long, h)[-1]) for start in starts])
             for name in ("viscous", "dry")}
    print(f"furthest from the minimum at the end: viscous {abs(stuck['viscous'][:, 1]).max():.2g}, "
          f"dry {abs(stuck['dry'][:, 1]).max():.2g}")
    shown = time <= 40
    page.draw("particle", picture, time[shown], {name: path[shown] for name, path in paths.items()}, flat, t, stuck,
              size=(14, 4.6))


if __name__ == "__main__":
    main()
