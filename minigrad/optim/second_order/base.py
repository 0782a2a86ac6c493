"""What the methods of section 8.6 share: a direction from the method, a length from its search, one guard.

    theta <- theta + t d,   t = search along d

`step(J)` may get a new J (another minibatch) each time: value and gradient are taken anew unless J and theta are the
ones the last step ended with. Within one step every value, gradient and product is of the same J, so that a curvature
pair never mixes two batches.
"""
import math

import numpy as np

from minigrad.optim.optimizer import Optimizer, Step
from minigrad.optim.second_order.linesearch import Line, full_step, named, strong_wolfe

STALLED = "no decrease beyond rounding"


def dot(u, w):
    """u . w as a float, summed in float64. By einsum, which is one thread's work in one order: a BLAS that starts its
    own threads for a vector of this size made a step ten times slower on busy cores, and owes no bits to anybody."""
    return float(np.einsum("i,i->", u, w, dtype=np.float64))


def rounding(value, dtype):
    """How much two equal values of J may differ by rounding: 10 machine epsilons of |value|."""
    return 10 * float(np.finfo(dtype).eps) * abs(value)


def norm(u):
    """|u| as a float."""
    return math.sqrt(dot(u, u))


class SecondOrder(Optimizer):
    """Base of all methods of section 8.6: one step made or refused as a whole.

    A subclass writes `advance(J, theta, value, g)`: it computes, moves by `self.move(...)` at the very end (or not at
    all) and returns the reason why it did not move ("" if it did). theta is written once per step, when the new point
    is accepted, so an objective that raises, returns NaN or is interrupted leaves theta where it was.
    `needs` are the methods of J it cannot do without.
    """
    abstract = True
    needs = ()

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        self._known = None          # (J, theta, value, g) as the last step left them
        self.spent = 0              # evaluations of the step being made
        self.note = ""              # what the step just made had to do, in words ("steepest descent: ...")

    def here(self, J, theta):
        """J and its gradient at theta, from memory if J and theta are those the last step ended with."""
        known = self._known
        if known is not None and known[0] is J and np.array_equal(known[1], theta):
            return known[2], known[3]
        self.spent += 1
        return self.evaluate(J, theta)

    def step(self, J=None):
        """One step. Returns the value of J before it, with |g| there, evaluations and, if theta did not move, why."""
        if J is None:
            raise ValueError(f"{type(self).__name__}.step: this method evaluates J at more than one point: "
                             "opt.step(J) with an objective")
        self.need(J, *self.needs)
        theta = self.check_theta()
        self.spent, self.note = 0, ""
        value, g = self.here(J, theta)
        theta = self.check_theta()                  # J may have laid the parameters out anew
        grad_norm = norm(g)
        if not (math.isfinite(value) and math.isfinite(grad_norm)):
            return Step(value, grad_norm, self.spent, "J or its gradient is not finite")
        self._known = (J, theta.copy(), value, g)
        reason = "the gradient is zero" if grad_norm == 0 else self.advance(J, theta, value, g)
        if not reason:
            self.k += 1
            if self._trace is not None:
                self.record(theta=self.theta, g=g, **self._state)
        return Step(value, grad_norm, self.spent, reason)

    def advance(self, J, theta, value, g):
        raise NotImplementedError

    def trial(self, J, theta):
        """J and its gradient at a trial point; (inf, g) where either is not finite."""
        self.spent += 1
        with np.errstate(all="ignore"):
            value, g = self.evaluate(J, theta)
            finite = math.isfinite(value) and math.isfinite(norm(g))
        return (value if finite else math.inf), g

    def products(self, J, theta, kind):
        """v -> H v ("hvp") or G v ("ggnvp") at theta: from one recorded graph where J has `linearize`, else one by one.

        All products of a step are of one J at one theta. They count as evaluations.
        """
        if hasattr(J, "linearize"):
            product = getattr(J.linearize(theta), kind)
        else:
            method = getattr(J, kind)
            product = lambda v: method(theta, v)

        def counted(v):
            self.spent += 1
            return product(v)
        return counted

    def gain_ratio(self, value, new_value, predicted):
        """(actual + r) / (predicted + r) fall of J; its rounding r keeps the ratio near 1 where both are noise."""
        r = rounding(value, self.dtype)
        return (value - new_value + r) / (predicted + r)

    def stalled(self, value, g, new_value, new_g):
        """Neither J nor |g| fell: what is left is rounding."""
        return new_value >= value and norm(new_g) >= norm(g)

    def move(self, J, new, value, g):
        """Accept the point `new` (n,), where J and its gradient are these."""
        theta = self.check_theta()
        theta[...] = new
        self.changed()
        self._known = (J, theta.copy(), value, g)
        return ""


class Descent(SecondOrder):
    """A method that is a direction: subclasses write

        direction(J, theta, value, g) -> d (n,)      where to go; None: steepest descent
        length(value, g, d) -> float                 the first step to try (1: a method that knows its scale)
        learn(s, y, t, d, g, new_g)                  what the step taught; s = t d, y = new_g - g, same J on both sides
        forget()                                     drop what was learned

    search: "wolfe", "backtracking", "exact", "full", or a function search(phi, step) of `linesearch`.
    The guard: if d is not a descent direction, or the search along it fails, the method forgets and takes -g, once.
    """
    abstract = True
    default_search = staticmethod(strong_wolfe)

    def __init__(self, params, search=None, **hyper):
        super().__init__(params, **hyper)
        self.search = self.default_search if search is None else named(search)

    def direction(self, J, theta, value, g):
        raise NotImplementedError

    def length(self, value, g, d):
        return 1.0

    def learn(self, s, y, t, d, g, new_g):
        pass

    def forget(self):
        pass

    def descends(self, g, d):
        """Is g . d clearly negative (and d finite)?"""
        slope = dot(g, d)
        return math.isfinite(slope) and slope < 0

    def advance(self, J, theta, value, g):
        d = self.direction(J, theta, value, g)
        if d is not None and self.descends(g, d):
            line, found = self.along(J, theta, value, g, d, self.length(value, g, d))
            if found.success:
                return self.accept(J, line, found)
            self.note = f"steepest descent: the search said {found.reason}"
            if found.reason == "unbounded":
                return "J is unbounded along the direction"
        elif d is not None:
            self.note = "steepest descent: not a descent direction"
        if d is not None:
            self.forget()
        d = -g
        line, found = self.along(J, theta, value, g, d, min(1.0, 1 / norm(g)))
        if found.success:
            return self.accept(J, line, found)
        return "J is unbounded along the direction" if found.reason == "unbounded" else f"line search: {found.reason}"

    def along(self, J, theta, value, g, d, step):
        line = Line(J, theta, d, value, g)
        found = self.search(line, step)
        self.spent += line.evaluations
        return line, found

    def accept(self, J, line, found):
        before = line.evaluations
        t, d, g = found.step, line.direction, line.g0
        new_g = line.gradient(t)
        self.spent += line.evaluations - before
        if self.search is not full_step and self.stalled(line.value0, g, found.value, new_g):
            return STALLED
        new = line.point(t)
        s, y = new - line.theta, new_g - g
        self.learn(s, y, t, d, g, new_g)
        return self.move(J, new, found.value, new_g)
