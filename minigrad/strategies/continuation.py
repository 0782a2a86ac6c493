"""Continuation (8.7.6): a series of cost functions, each harder than the last; the solution of one starts the next.

The series made by blurring J with ever less noise (8.40) has easier functions first: local minima narrower than the
noise are gone. It fails where J does not become convex however much it is blurred (-theta'theta stays as it is, but for
a constant), where the minimum of the blurred function leads to another than the lowest, and where the series must be so
fine that nothing is gained. A curriculum (`curriculum.py`) is a series too; simulated annealing is a relative, in which
the noise is not averaged over but lived through.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigrad import random
from minigrad.arguments import count, number
from minigrad.optim import minimize
from minigrad.optim.minimize import Result
from minigrad.optim.parameters import as_parameters, frozen_slices
from minigrad.typing import Array, Random


class Continuation(NamedTuple):
    """What `continuation` found. theta (n,), a copy of the last minimum; value: the last J there; stages: a `Result`
    of `optim.minimize` for each J of the series."""
    theta: np.ndarray
    value: float
    stages: list[Result]


def continuation(series: Sequence[Any], theta: Array, optimizer: Any, steps: int | Sequence[int],
                 tolerance: float = 0.0) -> Continuation:
    """Minimize a series of objectives (8.7.6), each from where the one before ended.

        for J(0), ..., J(n):   theta <- a local minimum of J(i), found from theta

    series: objectives over the same theta, from easy to J itself: `blurred(J, sigmas)`, or of your own. theta: (n,)
    float array or model.parameters(), updated in place. optimizer: a function of the parameters such as `optim.LBFGS`;
    it makes a new optimizer for each J, since what one remembers (velocity, curvature) is of another function.
    steps, tolerance: for each, see `optim.minimize`. Returns a `Continuation`. Raises ValueError.
    """
    who = "continuation"
    params, series = as_parameters(theta, who), list(series)
    steps = count(who, "steps", steps, 0)
    if not series or not callable(optimizer):
        raise ValueError(f"{who}: wanted at least one objective and a function that makes an optimizer, such as "
                         f"optim.LBFGS, got {len(series)} and {type(optimizer).__name__}")
    stages = [minimize(optimizer(theta), J, steps, tolerance) for J in series]
    return Continuation(params.theta.copy(), stages[-1].value, stages)


def blurred(J: Any, sigmas: Sequence[float], samples: int = 100, rng: Random = None) -> list[Any]:
    """The series of (8.40): J blurred by noise of these standard deviations, one after the other, and then J itself.

    sigmas: positive and falling, in units of theta. The noise is drawn once for the whole series (common random
    numbers), so that its functions differ by sigma alone. Returns a list of objectives.
    """
    sigmas = [number("blurred", "sigmas", sigma, "(0, inf)") for sigma in sigmas]
    if any(a <= b for a, b in zip(sigmas, sigmas[1:])):
        raise ValueError(f"blurred: sigmas must fall, got {sigmas}")
    seed = int(random.generator(rng).integers(2**63))
    return [*(Blurred(J, sigma, samples, seed) for sigma in sigmas), J]


class Blurred:
    """J blurred by Gaussian noise (8.40): an objective with value, grad and (if J has it) hvp.

        J_sigma(theta) = E J(theta'),  theta' ~ N(theta, sigma^2 I)      here: the mean over theta + sigma z_1, ...

    samples: an even number; the noise z (samples, n) comes in pairs z, -z, so that what is odd in it cancels exactly:
    the gradient of a quadratic is that without noise, to rounding. It is drawn when first needed, and once: J_sigma is
    a deterministic function, which a line search may compare with itself. One evaluation is `samples` of J.
    Differs: (8.40) is the expectation; this estimate of it keeps ripples of order 1/sqrt(samples) of J's own, which
    are local minima again where they are steeper than what the blurring left.
    """
    sigma: float

    def __init__(self, J: Any, sigma: float, samples: int = 100, rng: Random = None) -> None:
        self.J, self.sigma = J, number("Blurred", "sigma", sigma, "[0, inf)")
        self.samples: int = count("Blurred", "samples", samples, 2)
        if self.samples % 2:
            raise ValueError(f"Blurred: samples must be even (pairs z, -z), got {samples}")
        self._seed = int(random.generator(rng).integers(2**63))
        self.z: Array | None = None

    def points(self, theta: Array) -> Iterator[Array]:
        """The points theta + sigma z, one after the other; (n,) each, in the dtype of theta."""
        theta = np.asarray(theta)
        if self.z is None:
            half = np.random.default_rng(self._seed).standard_normal((self.samples // 2, theta.size))
            self.z = np.concatenate([half, -half])
        if theta.shape != self.z.shape[1:]:
            raise ValueError(f"Blurred: theta must be {self.z.shape[1:]}, as at first, got {theta.shape}")
        return ((theta + self.sigma * z).astype(theta.dtype) for z in self.z)

    def value(self, theta: Array) -> float:
        """J_sigma(theta), a float."""
        return sum(float(self.J.value(point)) for point in self.points(theta)) / self.samples

    def grad(self, theta: Array) -> Array:
        """Its gradient (n,), the mean of those of J."""
        return sum(self.J.grad(point) for point in self.points(theta)) / self.samples

    def value_and_grad(self, theta: Array) -> tuple[float, Array]:
        """Both, one pass each."""
        if not hasattr(self.J, "value_and_grad"):
            return self.value(theta), self.grad(theta)
        values, grads = zip(*(self.J.value_and_grad(point) for point in self.points(theta)))
        return sum(map(float, values)) / self.samples, sum(grads) / self.samples

    @property
    def hvp(self) -> Any:
        """hvp(theta, v) -> (n,): the mean of the products with the Hessians of J. AttributeError if J has none."""
        product = self.J.hvp
        return lambda theta, v: sum(product(point, v) for point in self.points(theta)) / self.samples


class Annealing(NamedTuple):
    """What `simulated_annealing` found. theta (n,): the best point, a copy; value: J there; values (steps + 1,): J
    along the walk; accepted: the share of proposals that were."""
    theta: np.ndarray
    value: float
    values: np.ndarray
    accepted: float


def simulated_annealing(J: Any, theta: Array, temperatures: Any, step: float, rng: Random = None) -> Annealing:
    """A random walk that cools down (Kirkpatrick et al. 1983): a relative of continuation.

        theta' = theta + step z,  z ~ N(0, I)
        accept with probability min(1, exp(-(J(theta') - J(theta)) / T_k))

    J: an objective with value. theta: (n,) float array or model.parameters(), moved in place to the best point seen;
    what is frozen stays.
    temperatures: T_1, T_2, ..., one for each step, >= 0, in units of J; at 0 only what is no worse is accepted. Held at
    T, the walk visits theta as often as exp(-J/T) says. step: in units of theta. Returns an `Annealing`. A value that
    is NaN or infinite is never accepted; ValueError if J is so at the start.
    """
    who = "simulated_annealing"
    params, step = as_parameters(theta, who), number(who, "step", step, "(0, inf)")
    temperatures = [number(who, "temperatures", T, "[0, inf)") for T in temperatures]
    rng, theta = random.generator(rng), params.theta
    value = float(J.value(theta))
    if not np.isfinite(value):
        raise ValueError(f"{who}: J is {value} at the start")
    here, best, lowest, values, accepted = theta.copy(), theta.copy(), value, [value], 0
    for T in temperatures:
        z = rng.standard_normal(here.shape)
        for part in frozen_slices(params):
            z[part] = 0
        proposal = (here + step * z).astype(here.dtype)
        new = float(J.value(proposal))
        if np.isfinite(new) and (new <= value or (T > 0 and rng.random() < np.exp((value - new) / T))):
            here, value, accepted = proposal, new, accepted + 1
            if value < lowest:
                best, lowest = here, value
        values.append(value)
    theta[...] = best
    params.changed()
    return Annealing(best.copy(), lowest, np.array(values), accepted / max(len(temperatures), 1))
