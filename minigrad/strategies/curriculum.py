"""Curriculum learning (8.7.6): easy examples first, or more of them at first: a continuation, J(0) being the easy part.

The influence of easy examples is increased either by sampling them more often (`curriculum`) or by giving their terms
larger coefficients (`weighted_curriculum`). In expectation both follow the same gradient, sum p_i g_i, if p_i is the
probability of the one and the (normalized) weight of the other; their noise differs. In a plain curriculum difficult
examples are held back; in a stochastic one (Zaremba and Sutskever 2014) some are always there, and their share grows.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import ops, random
from minigrad.arguments import count, number
from minigrad.typing import Array, ArrayLike, Loss, Random


def curriculum(x: Any, y: Any, difficulty: ArrayLike, batch_size: int, pace: Any, mix: float = 0.0,
               rng: Random = None) -> Curriculum:
    """Batches for `fit`, drawn by difficulty: each example of the k-th batch comes from the easiest pace(k) of all, or,
    with probability `mix`, from all.

    x (m, ...), y (m, ...): arrays. difficulty: (m,) numbers, the smallest easiest, such as the loss of each example
    under a small model. pace: a share in (0, 1], or a schedule k -> share, k = 1 first: `schedules.Linear(0.2, 1, 500)`
    lets everything in after 500 batches; never fewer than a batch. mix: 0, a plain curriculum (a batch then repeats no
    example); above 0, a stochastic one. Yields ceil(m / batch_size) batches in each epoch; every one is drawn anew, so
    an epoch may leave out an example and show another twice. Saved and restored by checkpoints. Raises ValueError.
    """
    return Curriculum("curriculum", x, y, difficulty, batch_size, pace, number("curriculum", "mix", mix, "[0, 1]"), rng)


def weighted_curriculum(x: Any, y: Any, difficulty: ArrayLike, batch_size: int, pace: Any, least: float = 0.1,
                        rng: Random = None) -> WeightedCurriculum:
    """Batches for `fit` drawn from all examples alike, with weights by difficulty: (x, (y, w)), to be trained with
    `weighted(loss)`. w (batch,): 1 for the easiest pace(k) of all examples, `least` for the others, in (0, 1].

    Else as `curriculum`.
    """
    return WeightedCurriculum("weighted_curriculum", x, y, difficulty, batch_size, pace,
                              number("weighted_curriculum", "least", least, "(0, 1]"), rng)


def weighted(loss: Loss) -> Loss:
    """The loss of weighted examples: f(z, (y, w)) = sum w_i loss_i / sum w_i; f(z, y) is the loss itself.

    loss: one of `losses` with one value per example and a reduction, such as `losses.cross_entropy`.
    """
    def f(z, target):
        if not isinstance(target, tuple):
            return loss(z, target)
        y, w = target
        values = loss(z, y, reduction="none")
        if values.shape != w.shape:
            raise ValueError(f"weighted: the loss must have one value per example, {w.shape}, got {values.shape}")
        return ops.sum(values * w) / float(np.sum(w, dtype=np.float64))

    f.denominator = lambda target: float(np.sum(target[1])) if isinstance(target, tuple) else len(target)
    return f


class Curriculum:
    """What `curriculum` returns. k: batches yielded so far; position: of them in this epoch."""
    who: str
    x: Any
    y: Any
    pace: Any
    share: float
    k: int
    position: int

    def __init__(self, who: str, x: Any, y: Any, difficulty: ArrayLike, batch_size: int, pace: Any, share: float,
                 rng: Random) -> None:
        x, y, difficulty = (np.asarray(array) for array in (x, y, difficulty))
        if len({array.shape[:1] for array in (x, y, difficulty)}) > 1 or difficulty.ndim != 1 or len(difficulty) == 0:
            raise ValueError(f"{who}: wanted as many x as y and one difficulty for each, got shapes {x.shape}, "
                             f"{y.shape} and {difficulty.shape}")
        if difficulty.dtype.kind not in "fiu" or np.isnan(difficulty).any():
            raise ValueError(f"{who}: difficulty must be numbers and not NaN, got {difficulty.dtype}")
        self.who, self.x, self.y, self.pace, self.share = who, x, y, pace, share
        self.batch_size: int = count(who, "batch_size", batch_size, 1, len(x))
        self.order: Array = np.argsort(difficulty, kind="stable")               # the easiest first
        self.rng: np.random.Generator = np.random.default_rng(random.generator(rng).integers(2**63))
        self.k = self.position = 0
        self._going_on = False
        self.easiest(1)

    def easiest(self, k: int) -> int:
        """How many examples count as easy at the k-th batch: ceil(pace(k) m)."""
        pace = number(self.who, f"pace at batch {k}", self.pace(k) if callable(self.pace) else self.pace, "(0, 1]")
        return math.ceil(pace * len(self.x) - 1e-9)            # 0.3 * 10 is 3

    def batch(self) -> tuple[Any, ...]:
        """The k-th batch."""
        drawn = self.rng.choice(max(self.easiest(self.k), self.batch_size), self.batch_size, replace=False)
        if self.share > 0:
            from_all = self.rng.random(self.batch_size) < self.share
            drawn = np.where(from_all, self.rng.integers(len(self.x), size=self.batch_size), drawn)
        rows = self.order[drawn]
        return self.x[rows], self.y[rows]

    def __len__(self) -> int:
        """How many batches the next loop yields."""
        return -(-len(self.x) // self.batch_size) - (self.position if self._going_on else 0)

    def __iter__(self) -> Iterator[Any]:
        start = self.position if self._going_on else 0
        self._going_on = False
        for position in range(start + 1, -(-len(self.x) // self.batch_size) + 1):
            self.k, self.position = self.k + 1, position
            yield self.batch()
        self.position = 0

    def state(self) -> dict[str, Any]:
        """Where we are, as plain data: for checkpoints."""
        return {"examples": len(self.x), "batch_size": self.batch_size, "k": self.k, "position": self.position,
                "now": random.capture(self.rng)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state over the same examples; the next loop yields what the broken one had left. ValueError,
        and then nothing has changed, for anything that is no such state."""
        own = self.state()
        if not isinstance(state, dict) or state.keys() != own.keys() \
                or any(state[name] != own[name] for name in ("examples", "batch_size")):
            raise ValueError(f"{self.who}: not a state of these batches: {state!r:.80}")
        k = count(self.who, "k in the state", state["k"], 0)
        position = count(self.who, "position in the state", state["position"], 0, -(-len(self.x) // self.batch_size))
        random.restore(state["now"], self.rng)
        self.k, self.position, self._going_on = k, position, position > 0


class WeightedCurriculum(Curriculum):
    """What `weighted_curriculum` returns."""

    def batch(self) -> tuple[Any, ...]:
        drawn = self.rng.choice(len(self.x), self.batch_size, replace=False)
        w = np.where(drawn < self.easiest(self.k), 1.0, self.share).astype(np.float32)
        rows = self.order[drawn]
        return self.x[rows], (self.y[rows], w)
