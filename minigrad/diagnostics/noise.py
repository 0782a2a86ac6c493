"""gradient_noise: how exact is the gradient of a minibatch? Its standard error falls as sigma / sqrt(n) (8.1.3)."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minigrad.diagnostics.operators import place
from minigrad.typing import Array


class GradientNoise(NamedTuple):
    """gradient_norm: |g| of all m examples. sigma: standard deviation of one example's gradient, the root of the trace
    of their covariance (both in the units of a gradient)."""
    m: int
    gradient_norm: float
    sigma: float

    def standard_error(self, n: int) -> float:
        """Expected distance of the mean over n examples, drawn independently, from the gradient: sigma / sqrt(n)."""
        return float(self.sigma / np.sqrt(n))

    @property
    def noise_scale(self) -> float:
        """The batch size at which the standard error is as large as the gradient itself: (sigma / |g|)^2 (McCandlish
        et al. 2018). Below it, twice the examples help nearly twice as much; far above it, hardly."""
        return (self.sigma / self.gradient_norm) ** 2 if self.gradient_norm > 0 else np.inf


def gradient_noise(J: Any = None, theta: Array | None = None, batches: Any = None,
                   size: int | None = None) -> GradientNoise:
    """The noise of gradients, a `GradientNoise`.

    J: an objective with example_grad_squares or example_grads, all of whose examples are used. Or, for models without
    gradients by example (batch norm): batches (k, n), gradients of k >= 2 independent batches of `size` examples each,
    at one theta; then sigma = sqrt(size) times their standard deviation.
    sigma is estimated without bias in its square: divided by m - 1 (or k - 1).
    """
    if batches is not None:
        batches = np.asarray(batches, np.float64)
        if batches.ndim != 2 or len(batches) < 2 or size is None or size < 1:
            raise ValueError(f"gradient_noise: batches must be (k, n) with k >= 2, and size= given, got "
                             f"{batches.shape} and size {size}")
        mean = batches.mean(axis=0)
        variance = float(np.square(batches - mean).sum()) / (len(batches) - 1)
        return GradientNoise(len(batches) * int(size), float(np.linalg.norm(mean)), float(np.sqrt(variance * size)))
    theta = place(J, theta, "gradient_noise")
    if hasattr(J, "example_grad_squares") and hasattr(J, "x"):
        m, g = len(J.x.data), J.grad(theta).astype(np.float64)
        total = float(J.example_grad_squares(theta).sum(dtype=np.float64))
    elif hasattr(J, "example_grads"):
        each = np.asarray(J.example_grads(theta), np.float64)
        m, g, total = len(each), each.mean(axis=0), float(np.square(each).sum()) / len(each)
    else:
        raise ValueError(f"gradient_noise: J must have example_grads; {type(J).__name__} has not: pass batches=, size=")
    if m < 2:
        raise ValueError(f"gradient_noise: wanted at least 2 examples, got {m}")
    variance = max(total - float(g @ g), 0.0) * m / (m - 1)
    return GradientNoise(m, float(np.linalg.norm(g)), float(np.sqrt(variance)))
