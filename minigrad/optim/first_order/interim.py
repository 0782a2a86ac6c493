"""The interim point: methods such as Nesterov's take the gradient away from theta, and theta must come back to the bit.

A loop with an objective evaluates J at `interim()` and leaves the parameters at theta. A loop with backward has the
parameters themselves at the interim point between two steps, theta being kept in `_home` meanwhile. The loops may
follow one another in any order: `zero_grad` puts the parameters where the next backward belongs.
"""
from contextlib import contextmanager, suppress

import numpy as np

from minigrad.optim.optimizer import Optimizer


class InterimPoint(Optimizer):
    """What FirstOrder needs to know of `point()`; nothing happens for methods that do not have one.

    A frozen parameter stays where it is: whoever freezes it between two steps, with the parameters at the interim
    point, freezes it there (inside `with opt.at_theta():` at theta), and that is its theta from then on.
    """
    abstract = True

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        self._home = self._left = None              # theta while the parameters are elsewhere; some of what is there
        self._ahead = []                            # (start, stop, group) of what is at the interim point
        self._paused = False                        # home for the time of `at_theta`
        self._has_point = type(self).point is not InterimPoint.point

    def point(self):
        """Where the gradient belongs, for methods that do not take it at theta."""
        raise NotImplementedError

    def interim(self):
        """Where the next gradient belongs: theta itself, or a fresh array with `point()` of the next step."""
        if not self._has_point:
            return self.params.theta
        pieces = self.movable()
        theta = self.home() if self._ahead else self.params.theta
        out = theta.copy()
        self.write_point(theta, out, pieces, self.values(self.k + 1))
        return out

    def write_point(self, theta, out, pieces, values):
        """out <- point() in the pieces given."""
        point = type(self).point
        kernel = getattr(point, "kernel", None)
        for start, stop, group in pieces:
            self._now = now = self.view(start, stop, theta, values[group])
            now["out"] = out[start:stop]
            try:
                if kernel is None:
                    now["out"][...] = self.point()
                else:
                    kernel(*[now[name] for name in point.arguments])
            finally:
                self._now = None

    def movable(self):
        """(start, stop, group) for what is not frozen; one piece where that is everything and one group."""
        frozen = getattr(self.params, "frozen", ())
        if len(self.groups) == 1 and not frozen:
            return [(0, self.n, 0)]
        return [(start, stop, group) for start, stop, name, group in self._pieces
                if name not in frozen and not self.groups[group].frozen]

    def home(self):
        """theta while the parameters are at the interim point; what has been frozen there stays there."""
        pieces = self.movable()
        if pieces != self._ahead:
            home = self.params.theta.copy()
            for start, stop, _ in pieces:
                home[start:stop] = self._home[start:stop]
            self._home = home
        return self._home

    def leave(self, theta):
        """Move the parameters from theta, which is kept in _home, to the interim point.

        64 of their elements are remembered, to tell later whether somebody else (who loaded a model, say) moved them.
        An error (in a schedule, in a `point` of one's own) leaves them at theta.
        """
        live = self.params.theta
        if self._home is None:
            self._home = np.empty_like(theta)
            self._some = np.linspace(0, self.n - 1, min(self.n, 64)).astype(int)
        if theta is not self._home:
            self._home[...] = theta
        try:
            pieces = self.movable()
            self.write_point(self._home, live, pieces, self.values(self.k + 1))
        except BaseException:
            self.put_home(self._home)
            raise
        self._ahead, self._left = pieces, live[self._some].tobytes()

    def put_home(self, theta):
        """The parameters are at theta from now on."""
        self._ahead = []
        self.params.theta[...] = theta
        self.changed()

    def untouched(self):
        return self.params.theta[self._some].tobytes() == self._left

    def check_untouched(self):
        """ValueError if somebody changed the parameters at the interim point: the next step would undo it."""
        if not self.untouched():
            raise ValueError(f"{type(self).__name__}: the parameters were at the interim point, where the next "
                             f"backward belongs, and were changed there: change them inside `with opt.at_theta():`")

    def check_ahead(self, runs):
        """ValueError if the gradient that backward left was taken at theta, though the interim point is elsewhere."""
        if self._ahead == self.movable() and self._ahead:
            return
        there, live = self.interim(), self.params.theta
        if any(not np.array_equal(there[start:stop], live[start:stop], equal_nan=True) for start, stop, *_ in runs):
            raise ValueError(f"{type(self).__name__}.step: the gradient was taken at theta, but it belongs at the "
                             f"interim point: opt.zero_grad() or opt.look_ahead(), before the forward pass, goes there")

    def go_home(self):
        """Put theta back, to the bit, if the parameters are at the interim point."""
        if self._ahead:
            self.check_untouched()
            self.put_home(self.home())

    def look_ahead(self):
        """Put the parameters from theta to the interim point, for the next backward; the opposite of `go_home`."""
        if not self._has_point:
            return
        if self._ahead:
            self.follow()
        elif not np.array_equal(self.interim(), self.params.theta, equal_nan=True):
            self.leave(self.params.theta)
            self.changed()

    def zero_grad(self):
        """Forget the gradient: the next backward stores instead of adding.

        For a method with an interim point the parameters are there afterwards. After a step they are already; where
        they are not (after `opt.step(J)`, after `fit`), call it before the forward pass: they move.
        """
        super().zero_grad()
        if self._has_point and not self._paused and self._ahead != self.movable():
            self.look_ahead()

    @contextmanager
    def at_theta(self):
        """`with opt.at_theta():` the parameters are at theta (to evaluate, save or change them), then back.

        If the block raises and the way back does too, the block's error is the one that counts, and theta stays.
        """
        was_ahead = bool(self._ahead)
        self.go_home()
        self._paused = self._paused or was_ahead
        try:
            yield self.params.theta
        except BaseException:
            with suppress(Exception):
                self.resume(was_ahead)
            raise
        else:
            self.resume(was_ahead)

    def resume(self, was_ahead):
        """The end of `at_theta`: to the interim point again, if the parameters were there before."""
        if was_ahead:
            self._paused = False
            if not self._ahead:
                self.leave(self.params.theta)
                self.changed()

    def follow(self):
        """The interim point depends on the hyperparameters and the state: follow a change between two steps."""
        if self.__dict__.get("_ahead") and self._now is None:
            self.check_untouched()
            self.leave(self.home())
            self.changed()
