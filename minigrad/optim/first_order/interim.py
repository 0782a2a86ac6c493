"""The interim point, where methods such as Nesterov's take the gradient: the way there, and back to theta to the bit.

In a loop with an objective, step(J), J is evaluated at `interim()` and the parameters stay at theta. In a loop with
backward the parameters themselves are at the interim point between two steps, and theta is kept in an array meanwhile.
The two loops may follow one another in any order: `zero_grad` puts the parameters where the next backward belongs.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import numpy as np

from minigrad.optim.fields import view
from minigrad.optim.optimizer import Optimizer
from minigrad.typing import Array


class InterimPoint(Optimizer):
    """What FirstOrder needs to know of `point()`; nothing happens for methods that do not have one.

    A frozen parameter stays where it is: whoever freezes it between two steps, with the parameters at the interim
    point, freezes it there (inside `with opt.at_theta():` at theta), and that is its theta from then on.
    """
    abstract = True
    has_point: ClassVar[bool]
    _kept_theta = None      # theta, while the parameters are at the interim point
    _ahead = ()             # (start, stop, group) of what is there; () while all parameters are at theta
    _sample = None          # indices of 64 elements
    _sampled = None         # their bytes at the interim point: if they differ later, somebody changed the parameters
    _paused = False         # inside `at_theta`: at theta, to go ahead again at its end

    def point(self) -> Array:
        """Where the gradient belongs, for methods that do not take it at theta."""
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.has_point = cls.point is not InterimPoint.point

    def interim(self) -> Array:
        """Where the next gradient belongs: theta itself, or a fresh array with `point()` of the next step."""
        theta = self.true_theta()
        return self.write_point(theta, theta.copy(), self.movable()) if self.has_point else theta

    def write_point(self, theta: Array, out: Array, pieces: list[tuple[int, int, int]]) -> Array:
        """out <- point() in the pieces given; out."""
        point, numbers = type(self).point, self.values(self.k + 1)
        kernel = getattr(point, "kernel", None)
        for start, stop, group in pieces:
            parts = self.parts(theta, start, stop, numbers[group])
            if kernel is None:
                out[start:stop] = view(self, parts).point()
            else:
                parts["out"] = out[start:stop]
                kernel(*[parts[name] for name in point.arguments])
        return out

    def movable(self) -> list[tuple[int, int, int]]:
        """(start, stop, group) for what is not frozen; one piece where that is everything and one group."""
        frozen = getattr(self.params, "frozen", ())
        if len(self.groups) == 1 and not frozen:
            return [(0, self.n, 0)]
        return [(start, stop, group) for start, stop, name, group in self._pieces
                if name not in frozen and not self.groups[group].frozen]

    def true_theta(self) -> Array:
        """theta, wherever the parameters are. What was frozen at the interim point has its theta there.

        ValueError if somebody (who loaded a model, say) changed the parameters there: the next step would undo it.
        """
        live = self.params.theta
        if not self._ahead:
            return live
        if live[self._sample].tobytes() != self._sampled:
            raise ValueError(f"{type(self).__name__}: the parameters were at the interim point, where the next "
                             f"backward belongs, and were changed there: change them inside `with opt.at_theta():`")
        pieces = self.movable()
        if pieces != self._ahead:
            theta = live.copy()
            for start, stop, _ in pieces:
                theta[start:stop] = self._kept_theta[start:stop]
            self._kept_theta = theta
        return self._kept_theta

    def theta_of_step(self, runs: list[tuple[int, int, int, int]]) -> Array:
        """theta for a step by backward. ValueError if its gradient was not taken at the interim point."""
        if not self._ahead or self._ahead != self.movable():
            there, live = self.interim(), self.params.theta
            if any(not np.array_equal(there[a:b], live[a:b], equal_nan=True) for a, b, *_ in runs):
                raise ValueError(f"{type(self).__name__}.step: the gradient was taken at theta, but it belongs at the "
                                 "interim point: opt.zero_grad() or opt.look_ahead() before the forward goes there")
        return self.true_theta()

    # ---- there and back

    def move_ahead(self, theta: Array) -> None:
        """Move the parameters to the interim point; an error (in a schedule, in a `point`) leaves them at theta."""
        live = self.params.theta
        if self._kept_theta is None:
            self._kept_theta = np.empty_like(theta)
            self._sample = np.linspace(0, self.n - 1, min(self.n, 64)).astype(int)
        if theta is not self._kept_theta:
            self._kept_theta[...] = theta
        try:
            pieces = self.movable()
            self.write_point(self._kept_theta, live, pieces)
        except BaseException:
            self.put_at_theta(self._kept_theta)
            raise
        self._ahead, self._sampled = pieces, live[self._sample].tobytes()
        self.changed()

    def put_at_theta(self, theta: Array) -> None:
        """The parameters are at theta from now on."""
        self._ahead = ()
        if theta is not self.params.theta:
            self.params.theta[...] = theta
        self.changed()

    def return_to_theta(self) -> None:
        """Put theta back, to the bit, if the parameters are at the interim point."""
        if self._ahead:
            self.put_at_theta(self.true_theta())

    def look_ahead(self) -> None:
        """Put the parameters at the interim point, for the next backward; the opposite of `return_to_theta`."""
        if self.has_point and not np.array_equal(self.interim(), self.params.theta, equal_nan=True):
            self.move_ahead(self.true_theta())

    def follow(self) -> None:
        """The interim point depends on hyperparameters and state: go where it is now."""
        if self._ahead:
            self.look_ahead()

    def zero_grad(self) -> None:
        """Forget the gradient: the next backward stores instead of adding.

        For a method with an interim point the parameters are there afterwards. After a step they are already; where
        they are not (after `opt.step(J)`, after `fit`), call it before the forward pass: they move.
        """
        super().zero_grad()
        if self.has_point and not self._paused and self._ahead != self.movable():
            self.look_ahead()

    @contextmanager
    def at_theta(self) -> Iterator[Array]:
        """`with opt.at_theta():` the parameters are at theta (to evaluate, save or change them), then back.

        If the block raises and the way back does too, the block's error is the one that counts, and theta stays.
        """
        was_ahead, paused = bool(self._ahead), self._paused
        self.return_to_theta()
        self._paused = paused or was_ahead
        try:
            yield self.params.theta
        except BaseException:
            with suppress(Exception):
                self.resume(was_ahead, paused)
            raise
        self.resume(was_ahead, paused)

    def resume(self, was_ahead: Any, paused: bool) -> None:
        """At the end of `at_theta`, or after loading a state: ahead again, if the parameters were ahead."""
        self._paused = paused
        if was_ahead and not paused and not self._ahead:
            self.move_ahead(self.params.theta)

    def restore_point(self, was_ahead: Any) -> None:
        """After loading a state: back to theta from where the old one had led, then ahead if the new one says so."""
        with suppress(ValueError):
            self.return_to_theta()
        self._ahead = ()
        self.resume(was_ahead, self._paused)
