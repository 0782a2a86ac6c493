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

from minigrad.optim.first_order.groups import Run
from minigrad.optim.optimizer import Optimizer
from minigrad.typing import Array


class InterimPoint(Optimizer):
    """What FirstOrder needs to know of `point()`; nothing happens for methods that do not have one.

    A frozen parameter stays where it is: whoever freezes it between two steps, with the parameters at the interim
    point, freezes it there (inside `with opt.at_theta():` at theta), and that is its theta from then on.
    """
    abstract = True
    has_point: ClassVar[bool]
    _ahead = ()             # the runs that are at the interim point; () while all are at theta, None inside `at_theta`
    _theta = None           # theta, while the parameters are ahead
    _sampled = None         # some elements there, as bytes: if they differ later, somebody changed the parameters

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

    def write_point(self, theta: Array, out: Array, runs: list[Run]) -> Array:
        """out <- point() of the next step in the runs given; out."""
        self.advance(type(self).point, runs, self.values(self.k + 1), {"theta": theta, "out": out})
        return out

    def movable(self) -> list[Run]:
        """The runs of all that is not frozen."""
        return self.runs(getattr(self.params, "frozen", ()))[0]

    def true_theta(self) -> Array:
        """theta, wherever the parameters are. What was frozen at the interim point has its theta there.

        ValueError if somebody (who loaded a model, say) changed the parameters there: the next step would undo it.
        """
        live = self.params.theta
        if not self._ahead:
            return live
        if sample(live) != self._sampled:
            raise ValueError(f"{type(self).__name__}: the parameters were at the interim point, where the next "
                             f"backward belongs, and were changed there: change them inside `with opt.at_theta():`")
        runs = self.movable()
        if runs != self._ahead:
            theta, self._theta = self._theta, live.copy()
            for start, stop, *_ in runs:
                self._theta[start:stop] = theta[start:stop]
        return self._theta

    def theta_of_step(self, runs: list[Run]) -> Array:
        """theta for a step by backward. ValueError if its gradient was not taken at the interim point."""
        if self._ahead != self.movable():
            there, live = self.interim(), self.params.theta
            if any(not np.array_equal(there[a:b], live[a:b], equal_nan=True) for a, b, *_ in runs):
                raise ValueError(f"{type(self).__name__}.step: the gradient was taken at theta, but it belongs at the "
                                 "interim point: opt.zero_grad() or opt.look_ahead() before the forward goes there")
        return self.true_theta()

    # ---- there and back

    def move_ahead(self, theta: Array) -> None:
        """Move the parameters to the interim point; an error (in a schedule, in a `point`) leaves them at theta."""
        live, ahead = self.params.theta, self.movable()
        theta = theta.copy() if theta is live else theta
        try:
            self.write_point(theta, live, ahead)
        except BaseException:
            live[...] = theta
            ahead = ()
            raise
        finally:
            vars(self).update(_theta=theta, _ahead=ahead, _sampled=sample(live))        # faster than __setattr__
            self.changed()

    def look_ahead(self) -> None:
        """Put the parameters at the interim point, for the next backward; the opposite of `return_to_theta`."""
        if self.has_point and not np.array_equal(self.interim(), self.params.theta, equal_nan=True):
            self.move_ahead(self.true_theta())

    def return_to_theta(self) -> None:
        """Put theta back, to the bit, if the parameters are at the interim point."""
        if self._ahead:
            self.params.theta[...] = self.true_theta()
            self._ahead = ()
            self.changed()

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
        if self.has_point and self._ahead is not None and self._ahead != self.movable():
            self.look_ahead()

    @contextmanager
    def at_theta(self) -> Iterator[Array]:
        """`with opt.at_theta():` the parameters are at theta (to evaluate, save or change them), then back.

        If the block raises and the way back does too, the block's error is the one that counts, and theta stays.
        """
        if not self._ahead:
            yield self.params.theta
            return
        self.return_to_theta()
        self._ahead = None
        try:
            yield self.params.theta
        except BaseException:
            with suppress(Exception):
                self.resume()
            raise
        self.resume()

    def resume(self) -> None:
        """At the end of `at_theta`: ahead again, if nobody went there meanwhile."""
        if self._ahead is None:
            self.move_ahead(self.params.theta)

    def restore_point(self, was_ahead: Any) -> None:
        """After loading a state: back to theta from where the old one had led, then ahead if the new one says so; at
        the end of `at_theta`, inside one."""
        if self._ahead is not None:
            with suppress(ValueError):
                self.return_to_theta()
            self._ahead = None if was_ahead else ()
            self.resume()


def sample(theta: Array) -> bytes:
    """64 to 127 of its numbers at equal distances, or all of fewer, as bytes."""
    return theta[::max(1, len(theta) // 64)].tobytes()
