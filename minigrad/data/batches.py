"""Minibatches: a new order each epoch, one order for ever, or as stored; and a stream that never repeats an example.

Section 8.1.3. A batch must be drawn at random for its gradient to be an unbiased estimate; in the first epoch each
example is new, so that the estimate is one of the generalization error; from the second on it is biased.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from minigrad import random
from minigrad.arguments import count
from minigrad.typing import Array, ArrayLike, Random

ORDERS = ("each epoch", "once", "as stored")
RUN_BYTES = 1 << 18                                     # rows are gathered for several small batches at once


def batches(*arrays: ArrayLike, batch_size: int | Callable[[int], int], rng: Random = None, shuffle: str = "each epoch",
            drop_last: bool = False, transform: Callable[..., Any] | None = None) -> Batches:
    """Minibatches of equally long arrays: `for x_batch, y_batch in batches(x, y, batch_size=128, rng=0)` is one epoch.

    The object can be looped over again: each loop is an epoch that yields every example once (a last, smaller batch
    included unless drop_last). One array yields arrays, several yield tuples. Batches are copies, but views of the
    arrays when shuffle="as stored".
    batch_size: a number, or a function k -> integer; as for the optimizers' schedules the first batch has k = 1.
        lambda k: round(schedules.Stair(32, 2, 1000)(k)) doubles it every 1000 batches (8.1.3).
    rng: int, Generator or None. One seed is drawn from it here; from then on nothing else disturbs the order.
    shuffle: "each epoch" (a new order in each), "once" (one random order, kept), "as stored".
    transform: f(x_batch, rng=...) -> x_batch, applied to the first array, e.g. from `data.augment`.
        Its rng depends only on the seed and k, so a resumed run sees the same noise.
    `state()` and `restore(state)` stop and go on anywhere, with the same bits. Raises ValueError.
    """
    return Batches(arrays, batch_size, rng, shuffle, drop_last, transform)


class Batches:
    """What `batches` returns. epoch: loops begun; k: batches yielded; position: examples yielded of this epoch.

    A loop left by `break` is over: the next one is a new epoch. Only `restore` makes the next loop finish a broken one.
    """
    batch_size: Any
    drop_last: bool
    transform: Callable[..., Any] | None
    epoch: int
    k: int
    position: int

    def __init__(self, arrays: Sequence[Any], batch_size: int | Callable[[int], int], rng: Random, shuffle: str,
                 drop_last: bool, transform: Callable[..., Any] | None) -> None:
        self.arrays: list[Array] = _equally_long("batches", arrays)
        self.examples: int = len(self.arrays[0])
        self.batch_size, self.drop_last, self.transform = batch_size, drop_last, transform
        if shuffle not in ORDERS:
            raise ValueError(f"batches: shuffle is one of {', '.join(map(repr, ORDERS))}, got {shuffle!r}")
        first = _size("batches", batch_size, 1)
        if drop_last and not callable(batch_size) and first > self.examples:
            raise ValueError(f"batches: no batch of {batch_size} can be made of {self.examples} examples (drop_last)")
        self.shuffle = shuffle
        self.seed: int = int(random.generator(rng).integers(2**63))
        self.rng: np.random.Generator = np.random.default_rng(self.seed)
        self.epoch = self.k = self.position = 0
        self._going_on = False                          # the next loop finishes a restored epoch
        self._loop = None                               # identity of the newest loop
        self._before = random.capture(self.rng)         # the generator before it drew the current order
        self._order = self._draw() if shuffle == "once" else None

    def _draw(self):
        self._before = random.capture(self.rng)
        return self.rng.permutation(self.examples)

    def __iter__(self) -> Iterator[Any]:
        """One epoch: a new one, or after `restore` the rest of the one that was broken off."""
        self._loop = loop = object()
        if self._going_on:
            self._going_on = False
        else:
            self.epoch += 1
            self.position = 0
            if self.shuffle == "each epoch":
                self._order = self._draw()
        return self._run(loop)

    def _run(self, loop):
        arrays, order, transform, several = self.arrays, self._order, self.transform, len(self.arrays) > 1
        row_bytes = max(1, sum(array[:1].nbytes for array in arrays))
        fixed = None if callable(self.batch_size) else _size("batches", self.batch_size, 1)
        begin = end = 0                                 # rows begin..end of this epoch's order are gathered
        gathered = arrays                               # (as stored: all of them are)
        start = self.position
        while start < self.examples:
            size = fixed or _size("batches", self.batch_size, self.k + 1)
            stop = start + size
            if stop > self.examples:
                if self.drop_last:
                    break
                stop = self.examples
            if order is not None and stop > end:
                begin, end = start, min(max(stop, start + RUN_BYTES // row_bytes), self.examples)
                gathered = [array.take(order[begin:end], axis=0) for array in arrays]
            rows = slice(start - begin, stop - begin)
            if transform is not None:
                first = transform(gathered[0][rows], rng=np.random.default_rng([self.seed, self.k]))
                batch = (first, *[array[rows] for array in gathered[1:]])
            elif len(gathered) == 2:                    # the usual case without a loop: at batch size 1 it counts
                batch = gathered[0][rows], gathered[1][rows]
            else:
                batch = tuple([array[rows] for array in gathered])
            self.position = start = stop
            self.k += 1
            yield batch if several else batch[0]
            if self._loop is not loop:
                raise RuntimeError("batches: another loop over the same batches began; make one object for each loop")
        self.position = 0

    def __len__(self) -> int:
        """How many batches the next loop yields."""
        left, k, length = self.examples - (self.position if self._going_on else 0), self.k, 0
        if not callable(self.batch_size):
            return left // self.batch_size if self.drop_last else -(-left // self.batch_size)
        while left > 0:
            size = _size("batches", self.batch_size, k + length + 1)
            if self.drop_last and left < size:
                break
            left -= size
            length += 1
        return length

    def state(self) -> dict[str, Any]:
        """Where we are, as plain data (survives JSON): after the batch last yielded. The arrays are not in it."""
        return {"examples": self.examples, "shuffle": self.shuffle, "seed": self.seed, "epoch": self.epoch, "k": self.k,
                "position": self.position, "before": self._before, "now": random.capture(self.rng)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state of batches over the same arrays. The next loop yields what the broken one had left.

        A state taken between two loops is followed by a new epoch. Raises ValueError; then nothing has changed.
        """
        wanted = {"examples": self.examples, "shuffle": self.shuffle}
        _check_state("batches", state, self.state(), wanted)
        if not state["position"] <= self.examples:
            raise ValueError(f"batches: position {state['position']} is beyond the {self.examples} examples")
        rng = random.restore(state["before"], np.random.default_rng(0))
        order = rng.permutation(self.examples) if state["position"] or self.shuffle == "once" else None
        random.restore(state["now"], self.rng)
        self._order = None if self.shuffle == "as stored" else order
        self.seed, self.epoch, self.k = state["seed"], state["epoch"], state["k"]
        self.position, self._before = state["position"], state["before"]
        self._going_on, self._loop = self.position > 0, None


def stream(*source: Any, batch_size: int | Callable[[int], int], rng: Random = None, shuffle: bool = True) -> Stream:
    """A stream that never repeats an example: `for x_batch, y_batch in stream(x, y, batch_size=32, rng=0)`.

    source: arrays of equal length, gone through once in random order (shuffle=False: as stored); or one function
    draw(m, rng=...) -> tuple of arrays with m fresh examples (all of `data.toy`), which never ends.
    batch_size: a number or a function of k as in `batches`. A second loop goes on where the first stopped.
    The gradient of such a batch (8.9) is an unbiased estimate of that of the generalization error (8.8).
    """
    return Stream(source, batch_size, rng, shuffle)


class Stream:
    """What `stream` returns: an iterator. k: batches yielded so far; seen: examples yielded so far."""
    batch_size: Any
    k: int
    seen: int

    def __init__(self, source: Any, batch_size: int | Callable[[int], int], rng: Random, shuffle: bool) -> None:
        self.draw: Any = source[0] if len(source) == 1 and callable(source[0]) else None
        self.arrays: list[Array] | None = None if self.draw else _equally_long("stream", source)
        self.batch_size, self.k, self.seen = batch_size, 0, 0
        _size("stream", batch_size, 1)
        self.seed: int = int(random.generator(rng).integers(2**63))
        self.rng: np.random.Generator = np.random.default_rng(self.seed)
        self.shuffle: bool = bool(shuffle)
        self._set_order()

    def _set_order(self):
        self._order = None
        if self.arrays and self.shuffle:
            self._order = np.random.default_rng(self.seed).permutation(len(self.arrays[0]))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        m = _size("stream", self.batch_size, self.k + 1)
        if self.draw:
            batch = self.draw(m, rng=self.rng)
        else:
            rows = slice(self.seen, min(self.seen + m, len(self.arrays[0])))
            m = rows.stop - rows.start
            if m == 0:
                raise StopIteration
            batch = tuple(array[rows] if self._order is None else array.take(self._order[rows], axis=0)
                          for array in self.arrays)
            batch = batch if len(batch) > 1 else batch[0]
        self.k += 1
        self.seen += m
        return batch

    def state(self) -> dict[str, Any]:
        """Where we are, as plain data (survives JSON)."""
        return {"examples": len(self.arrays[0]) if self.arrays else None, "shuffle": self.shuffle, "seed": self.seed,
                "k": self.k, "seen": self.seen, "now": random.capture(self.rng)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state of a stream over the same source. Raises ValueError; then nothing has changed."""
        ours = self.state()
        _check_state("stream", state, ours, {name: ours[name] for name in ("examples", "shuffle")})
        random.restore(state["now"], self.rng)
        self.seed, self.k, self.seen = state["seed"], state["k"], state["seen"]
        self._set_order()


def _equally_long(function, arrays):
    arrays = [np.asarray(array) for array in arrays]
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise ValueError(f"{function}: wanted one or more arrays of examples, got {[array.shape for array in arrays]}")
    if len({len(array) for array in arrays}) > 1:
        raise ValueError(f"{function}: wanted arrays of equal length, got {[len(array) for array in arrays]} examples")
    if len(arrays[0]) == 0:
        raise ValueError(f"{function}: there are no examples, shapes {[array.shape for array in arrays]}")
    return arrays


def _size(function, batch_size, k):
    size = batch_size(k) if callable(batch_size) else batch_size
    return count(function, "batch_size", size, hint=f" at batch {k}")


def _check_state(function, state, model, wanted):
    if not (isinstance(state, dict) and state.keys() == model.keys()):
        raise ValueError(f"{function}: not a state of {function}: {state!r:.80}")
    for name, value in wanted.items():
        if state[name] != value:
            raise ValueError(f"{function}: the state is of {name}={state[name]!r}, this object has {name}={value!r}")
    for name in ("seed", "epoch", "k", "position", "seen"):
        if name in state and not (type(state[name]) is int and 0 <= state[name] < 2**63):
            raise ValueError(f"{function}: {name} in the state is {state[name]!r}")
    for name in ("before", "now"):                      # refused here, before anything is changed
        if name in state:
            random.restore(state[name], np.random.default_rng(0))
