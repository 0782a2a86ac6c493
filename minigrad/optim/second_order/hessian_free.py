"""Hessian-free optimization (Martens 2010): Gauss-Newton steps by conjugate gradients, damped, from products alone."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from minigrad.arguments import count, number
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.second_order.base import Descent, dot, less_damping, rounding
from minigrad.optim.second_order.conjugate_gradient import linear_cg
from minigrad.optim.second_order.linesearch import backtracking
from minigrad.typing import Array


class HessianFree(Descent):
    """Hessian-free (Martens, "Deep learning via Hessian-free optimization", 2010).

        (G + lambda I) d = -g  by preconditioned CG;   theta <- theta + t d

    G: Gauss-Newton matrix, J.ggnvp. All of value, g and G are of the one J given to the step (one minibatch).
    CG starts from 0.95 times the last solution and stops at iteration i when k = max(10, i/10) iterations have gained
    less than a part k * progress of q, the quadratic. It is preconditioned by P = (mean_i g_i^2 + lambda)^0.75 where J
    has `example_grad_squares` (n,) or `example_grads` (m, n). Of the iterates i = 1, 1.3, 1.3^2, ... the last
    one from which going back makes J worse is taken (backtracking), then a line search.
    lambda (`damping` at first; unit of G) follows ratio = (J(theta + d) - J(theta)) / q(d), with
    q(d) = g.d + d.G d/2 *without* the damping term: below 1/4 times 3/2, above 3/4 times 2/3.
    Differs: Martens sums over examples, J is their mean, and so are the squared gradients in P.
    """
    needs: ClassVar[tuple[str, ...]] = ("ggnvp", "value")
    default_search: ClassVar[Callable[..., Any]] = staticmethod(backtracking)
    warm: Hyper = hyper(0.95, "[0, 1)")
    progress: Hyper = hyper(5e-4, "(0, 1)")
    lambda_: float = state(1.0)
    solution: Array = state()

    def __init__(self, params: Any, damping: float = 1.0, warm: float = 0.95, progress: float = 5e-4,
                 iterations: int = 250, precondition: bool = True, search: Any = None) -> None:
        super().__init__(params, warm=warm, progress=progress, search=search)
        self.lambda_ = number("HessianFree", "damping", damping, "(0, inf)")
        self.iterations: int = count("HessianFree", "iterations", iterations)
        self.precondition: bool = precondition
        self.ratio: float = math.nan               # of the last step
        self.pending: Any = None                   # what `learn` will keep, once the step is made

    def direction(self, J: Any, theta: Array, value: float, g: Array) -> Array | None:
        while True:
            solved, kept = self.solve(J, theta, g, -g, self.lambda_)
            self.note = f"CG: {solved.reason}"
            if not kept:
                self.lambda_ *= 1.5
                return None
            d, dGd, new_value = self.backtrack(J, theta, kept)
            predicted = dot(g, d) + dGd / 2
            if -predicted > rounding(value, self.dtype) or not (less := less_damping(self.lambda_, dGd, dot(d, d))):
                break
            self.lambda_ = less                          # J cannot show so short a step
        self.ratio = (new_value - value) / predicted if predicted < 0 else -math.inf
        poor, good = math.isnan(self.ratio) or self.ratio < 0.25, self.ratio > 0.75
        self.pending = (solved.x, 1.5 if poor else 2 / 3 if good else 1.0)
        return d

    def solve(self, J: Any, theta: Array, g: Array, b: Array, damping: float) -> Any:
        """CG on (G + lambda I) x = b. Returns its result and the iterates kept: [(x, x.G x), ...]."""
        ggnvp = self.products(J, theta, "ggnvp")

        def product(v):
            return ggnvp(v) + damping * v

        preconditioner = None
        if self.precondition and (squares := self.gradient_squares(J, theta)) is not None:
            P = (squares + damping) ** 0.75
            preconditioner = lambda r: r / P
        kept, model = [], []
        mark = 1.0

        def keep(x, r):
            kept.append((x, dot(x, b) - dot(x, r) - damping * dot(x, x)))

        def stop(x, r, i):
            nonlocal mark
            model.append(-dot(r + b, x) / 2)                        # q(x) + lambda |x|^2/2, by r = b - A x
            if i >= mark:
                keep(x, r)
                mark = max(mark * 1.3, i + 1)
            k = max(10, i // 10)
            if i > k and model[-1] < 0 and (model[-1] - model[-1 - k]) / model[-1] < k * self.now("progress"):
                return "progress"
            return ""

        start = self.free(self.now("warm") * self.solution) if self.solution.any() else None
        solved = linear_cg(product, b, start, preconditioner, tolerance=1e-12 * math.sqrt(dot(b, b)),
                           iterations=self.iterations, stop=stop)
        if np.isfinite(solved.x).all() and solved.x.any() and not (kept and kept[-1][0] is solved.x):
            keep(solved.x, solved.residual)
        return solved, kept

    def gradient_squares(self, J: Any, theta: Array) -> Array:
        """mean_i g_i^2 (n,) over the examples, or None where J cannot tell."""
        if hasattr(J, "example_grad_squares"):
            self.spent += 1
            return J.example_grad_squares(theta)
        if hasattr(J, "example_grads"):
            self.spent += 1
            return np.mean(np.square(J.example_grads(theta)), axis=0)
        return None

    def backtrack(self, J: Any, theta: Array, kept: Any) -> Any:
        """From the last kept iterate back as long as J falls: (d, d.G d, J(theta + d))."""
        best = None
        for d, dGd in reversed(kept):
            self.spent += 1
            with np.errstate(all="ignore"):
                value = float(J.value(theta + d))
            value = value if math.isfinite(value) else math.inf
            if best is not None and value >= best[2]:
                break
            best = (d, dGd, value)
        return best

    def learn(self, s: Array, y: Array, t: float, d: Array, g: Array, new_g: Array) -> None:
        if self.pending is not None:
            self.solution, factor = self.pending
            self.lambda_ *= factor
            self.pending = None

    def forget(self) -> None:
        """The CG step was refused: start the next one from zero, with more damping."""
        self.solution = np.zeros(self.n)
        self.lambda_ *= 1.5
        self.pending = None
