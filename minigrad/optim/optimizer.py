"""What every optimizer shares: the vector theta, hyperparameters, state that can be saved, a step's record."""
import sys
from contextlib import contextmanager
from numbers import Real

import numpy as np

from minigrad.arguments import number
from minigrad.optim.arguments import refuse_stranger, refuse_unknown
from minigrad.optim.saving import Saved

# Where a hyperparameter may lie, by name; a class adds its own in `ranges`. Elsewhere: any finite number.
RANGES = {
    "lr": "[0, inf)", "momentum": "[0, 1)", "rho": "[0, 1)", "rho1": "[0, 1)", "rho2": "[0, 1)", "delta": "[0, inf)",
    "weight_decay": "[0, inf)", "damping": "[0, inf)",
}


class NonFiniteError(ValueError, ArithmeticError):
    """A gradient or a value of J is NaN or infinite; raised before anything was changed."""


class Step(float):
    """What `opt.step(J)` returns: the value of J where the step took its gradient, as a float, and

    grad_norm: |g| there (None if not computed); evaluations: how many values and gradients of J the step cost;
    reason: "" if the step was made, else why it was not ("line search failed: ..."): `minimize` then stops.
    """

    def __new__(cls, value, grad_norm=None, evaluations=1, reason=""):
        step = super().__new__(cls, value)
        step.grad_norm, step.evaluations, step.reason = grad_norm, evaluations, reason
        return step


class Array:
    """A plain (n,) array as optimizers see parameters: one slice, no gradient of its own (that comes from J)."""
    g = None
    unwritten = frozenset()

    def __init__(self, theta):
        self.theta = theta
        self.slices = {"theta": slice(0, len(theta))}

    def zero_grad(self):
        pass

    def changed(self):
        pass


def as_parameters(params, who):
    """`params` itself if it has theta, g and slices; a float array (n,) wrapped. ValueError for anything else."""
    if isinstance(params, np.ndarray):
        if params.dtype not in (np.float32, np.float64):
            raise ValueError(f"{who}: theta must be float32 or float64, got {params.dtype}: "
                             f"theta.astype(float) makes a copy that can move")
        if params.ndim != 1:
            raise ValueError(f"{who}: theta must have shape (n,), got {params.shape}: pass theta.reshape(-1), a view")
        if not params.flags.c_contiguous or not params.flags.writeable:
            raise ValueError(f"{who}: theta must be contiguous and writable: it is updated in place")
        params = Array(params)
    elif not all(hasattr(params, name) for name in ("theta", "g", "slices")):
        advice = ": pass model.parameters()" if hasattr(params, "parameters") else ""
        raise ValueError(f"{who}: the parameters must be a float array (n,) or model.parameters(), "
                         f"got {type(params).__name__}{advice}")
    if len(params.theta) == 0:
        raise ValueError(f"{who}: there are no parameters (n = 0): what is learned must be an nn.Parameter")
    if params.theta.dtype not in (np.float32, np.float64):
        raise ValueError(f"{who}: theta must be float32 or float64, got {params.theta.dtype}")
    at = 0
    for name, part in params.slices.items():
        if part.start != at:
            raise ValueError(f"{who}: {name} starts at {part.start}, wanted {at}: a parameter is repeated or missing")
        at = part.stop
    if at != len(params.theta):
        raise ValueError(f"{who}: the slices cover {at} elements of {len(params.theta)}")
    return params


class Optimizer(Saved):
    """The base of all optimizers.

    params: a float array (n,), updated in place, or an object with theta (n,), g (n,) and slices (name -> slice), such
    as `model.parameters()`. Keyword arguments are hyperparameters: each a number or a schedule k -> value (the first
    step has k = 1), kept as an attribute that may be assigned at any time. ValueError for a value outside its range.

    A subclass writes `step(self, J) -> Step`. In it: `self.theta` (the live vector; assigning copies into it),
    `self.evaluate(J, theta)`, `self.now("damping")` (a hyperparameter's value at this step),
    `self.declare(name, array)` (state to be saved; `self.name = new` copies into it), `self.k += 1` and
    `self.changed()` once theta has moved. Its methods may set attributes of their own; from outside, a name that is
    none is refused. A subclass with `abstract = True` is a base: what its `__init__` does not name is for others.
    """
    abstract = True
    ranges = {}

    def __new__(cls, *args, **arguments):
        """Refuse what no `__init__` names: `**options` would make it a hyperparameter that nothing reads."""
        if arguments:
            refuse_unknown(cls, arguments)
        return super().__new__(cls)

    def __init__(self, params, **hyper):
        who = type(self).__name__
        self.__dict__.update(_hyper={}, _state={}, _now=None, _trace=None, _range={})
        self.params = as_parameters(params, who)
        self.k = 0
        self.dtype, self.n = self.params.theta.dtype, len(self.params.theta)
        for cls in reversed(type(self).__mro__):
            self._range.update(vars(cls).get("ranges", {}))
        for name, value in hyper.items():
            self._hyper[name] = self.validated(name, value)

    # ---- attributes: hyperparameters and state arrays, as they hold now

    def __getattr__(self, name):
        attributes = self.__dict__
        for table in (attributes.get("_now"), attributes.get("_hyper"), attributes.get("_state")):
            if table is not None and name in table:
                return table[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name, value):
        """A hyperparameter is validated, a state array is copied into (so `self.v = ...` works on a view of it)."""
        if "_state" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__(params, ...) before setting {name}")
        now = self._now
        if now is not None and name in now and isinstance(now[name], np.ndarray):
            if value is not now[name]:
                now[name][...] = value
        elif name in self._state:
            if value is not self._state[name]:
                self._state[name][...] = value
            self.follow()
        elif name in self._hyper:
            self.set_hyper(name, value)
        else:
            if name not in self.__dict__ and not hasattr(type(self), name):
                refuse_stranger(self, name, sys._getframe(1))
            object.__setattr__(self, name, value)

    def set_hyper(self, name, value):
        """Assign a hyperparameter: `opt.lr = 0.01`."""
        self._hyper[name] = self.validated(name, value)
        if self._now is not None:
            self._now[name] = self._hyper[name]
        self.follow()

    def follow(self):
        """Called after a change of state or hyperparameters from outside: where the parameters depend on it, move."""

    def declare(self, name, array):
        """Make `array` part of the optimizer's state under `name`: an attribute that state_dict saves."""
        self._state[name] = array

    def validated(self, name, value):
        """A number as a Python float (so that float32 stays float32), or a schedule. ValueError out of range."""
        if callable(value):
            return value
        interval = self._range.get(name) or RANGES.get(name, "(-inf, inf)")
        try:
            return number(type(self).__name__, name, value, interval, hint="")
        except ValueError:
            what = f"in {interval}" if isinstance(value, Real) and not isinstance(value, bool) else \
                f"a number in {interval} or a schedule k -> number"
            raise ValueError(f"{type(self).__name__}: {name} must be {what}, got {value!r:.60}") from None

    def now(self, name, k=None):
        """The value of a hyperparameter at step k (default: the step being made, self.k + 1)."""
        value = self._hyper[name]
        return self.at_step(name, value, self.k + 1 if k is None else k) if callable(value) else value

    def at_step(self, name, schedule, k):
        """schedule(k), validated."""
        try:
            value = schedule(k)
            if callable(value):
                raise ValueError(f"it returned {value!r}")
            return self.validated(name, value)
        except ValueError as error:
            raise ValueError(f"{error} (schedule {schedule!r} at k = {k})") from None

    # ---- theta

    @property
    def theta(self):
        """The live parameter vector (n,); inside `update` of a group, the group's part of it."""
        now = self._now
        return self.params.theta if now is None else now["theta"]

    @theta.setter
    def theta(self, value):
        theta = self.theta
        if value is not theta:
            theta[...] = value
        if self._now is None:
            self.changed()

    def changed(self):
        """Say that theta was moved in place (graphs recorded before no longer hold)."""
        self.params.changed()

    def zero_grad(self):
        """Forget the gradient: the next backward stores instead of adding."""
        self.params.zero_grad()

    def check_theta(self):
        """ValueError if the parameters are no longer what the state was made for."""
        theta = self.params.theta
        if theta.dtype != self.dtype or len(theta) != self.n:
            raise ValueError(f"{type(self).__name__}: theta was ({self.n},) {self.dtype} when the optimizer was made "
                             f"and is {theta.shape} {theta.dtype} now: make a new one")
        return theta

    # ---- the objective

    def need(self, J, *names):
        """ValueError that names what J lacks."""
        missing = [name for name in names if not hasattr(J, name)]
        if missing and hasattr(J, "backward"):
            raise ValueError(f"{type(self).__name__}.step: got a {type(J).__name__}: after its backward() call step() "
                             f"without it; step(J) wants an objective with {', '.join(names)}")
        if missing:
            raise ValueError(f"{type(self).__name__}.step: J must have {', '.join(f'{name}(...)' for name in names)}; "
                             f"{type(J).__name__} has no {', '.join(missing)}")

    def evaluate(self, J, theta):
        """J(theta) and its gradient (n,) in theta's dtype. ValueError if J has neither form, or g the wrong shape."""
        if hasattr(J, "value_and_grad"):
            value, g = J.value_and_grad(theta)
        else:
            self.need(J, "value", "grad")
            value, g = J.value(theta), J.grad(theta)
        g = np.ascontiguousarray(g, dtype=self.dtype)
        if np.may_share_memory(g, self.params.theta):           # as when J is theta^2/2, whose gradient is theta
            g = g.copy()
        if g.shape != (self.n,):
            raise ValueError(f"{type(self).__name__}.step: J's gradient must have shape ({self.n},), got {g.shape}")
        return float(value), g

    def step(self, J):
        """One step of the method on objective J."""
        raise NotImplementedError

    @contextmanager
    def at_theta(self):
        """`with opt.at_theta():` the parameters are at theta. Only methods with an interim point are ever elsewhere."""
        yield self.theta

    # ---- watching

    @contextmanager
    def trace(self):
        """`with opt.trace() as history:` records the book's symbols after every step: history["theta"] is (steps, n),
        likewise "g" and every state array; hyperparameters are (steps,)."""
        before, self._trace = self._trace, Trace()
        try:
            yield self._trace
        finally:
            self._trace = before

    def record(self, **symbols):
        """Called by `step` when it is done: copies the symbols into the trace, if one is being taken."""
        if self._trace is not None:
            self._trace.append({name: np.array(value) for name, value in symbols.items()})

    def __repr__(self):
        hyper = ", ".join(f"{name}={value!r}" for name, value in self._hyper.items())
        return f"{type(self).__name__}({hyper}; n={self.n}, k={self.k})"


class Trace(list):
    """One dict of symbols per step; trace["v"] stacks one symbol over the steps, trace[3] is the fourth step."""

    def __getitem__(self, key):
        return np.array([step[key] for step in self]) if isinstance(key, str) else super().__getitem__(key)
