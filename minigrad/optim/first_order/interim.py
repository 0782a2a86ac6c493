"""The interim point: methods such as Nesterov's take the gradient away from theta, and theta must come back to the bit.

A loop with an objective evaluates J at `interim()` and leaves the parameters at theta. A loop with backward has the
parameters themselves at the interim point between two steps, theta being kept in `_home` meanwhile.
"""
from contextlib import contextmanager

import numpy as np

from minigrad.optim.optimizer import Optimizer


class InterimPoint(Optimizer):
    """What FirstOrder needs to know of `point()`; nothing happens for methods that do not have one."""
    abstract = True

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        self._home = self._left = None              # theta while the parameters are elsewhere; some of what is there
        self._at_point = self._paused = False       # _paused: home for the time of `at_theta`
        self._has_point = type(self).point is not InterimPoint.point

    def point(self):
        """Where the gradient belongs, for methods that do not take it at theta."""
        raise NotImplementedError

    def interim(self):
        """Where the next gradient belongs: theta itself, or a fresh array with `point()` of the next step."""
        if not self._has_point:
            return self.params.theta
        theta = self._home if self._at_point else self.params.theta
        out = theta.copy()
        self.write_point(theta, out, self.movable())
        return out

    def write_point(self, theta, out, pieces):
        """out <- point() in the pieces given."""
        point, values = type(self).point, self.values(self.k + 1)
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

    def leave_at_point(self, theta):
        """Keep theta in _home and move the parameters to the interim point.

        64 of their elements are remembered, to tell later whether somebody else (who loaded a model, say) moved them.
        """
        if self._home is None:
            self._home = np.empty_like(theta)
            self._some = np.linspace(0, self.n - 1, min(self.n, 64)).astype(int)
        if theta is not self._home:
            self._home[...] = theta
        live, pieces = self.params.theta, self.movable()
        if len(pieces) != 1 or pieces[0][:2] != (0, self.n):
            live[...] = self._home                                      # what is frozen stays at theta
        self.write_point(self._home, live, pieces)
        self._at_point, self._left = True, live[self._some].tobytes()

    def untouched(self):
        return self.params.theta[self._some].tobytes() == self._left

    def check_untouched(self):
        """ValueError if somebody changed the parameters at the interim point: the next step would undo it."""
        if not self.untouched():
            raise ValueError(f"{type(self).__name__}: the parameters were at the interim point, where the next "
                             f"backward belongs, and were changed there: change them inside `with opt.at_theta():`")

    def go_home(self):
        """Put theta back, to the bit, if the parameters are at the interim point."""
        if self._at_point:
            self.check_untouched()
            self.params.theta[...] = self._home
            self._at_point = False
            self.changed()

    def look_ahead(self):
        """Put the parameters from theta to the interim point, for the next backward; the opposite of `go_home`."""
        if self._has_point and not self._at_point:
            self.leave_at_point(self.params.theta)
            self.changed()

    @contextmanager
    def at_theta(self):
        """`with opt.at_theta():` the parameters are at theta (to evaluate, save or change them), then back."""
        was_at_point = self._at_point
        self.go_home()
        self._paused = self._paused or was_at_point
        try:
            yield self.params.theta
        finally:
            if was_at_point:
                self._paused = False
            if was_at_point and not self._at_point:
                self.leave_at_point(self.params.theta)
                self.changed()

    def set_hyper(self, name, value):
        super().set_hyper(name, value)
        self.moved_hyper()

    def moved_hyper(self):
        """The interim point depends on the hyperparameters: follow a change between two steps."""
        if self.__dict__.get("_at_point") and self._now is None:
            self.check_untouched()
            self.leave_at_point(self._home)
            self.changed()
