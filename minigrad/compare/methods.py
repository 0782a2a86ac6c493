"""The methods that are compared: how each is made, and the one number that is tuned, from the same number of values.

For most it is the learning rate. Methods that find their step length themselves have none; what they are sensitive to
is how many examples they see in a step (8.1.3), so that is their number.
"""
from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from minigrad import optim

FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)              # of the usual rate
SHARES = (0.01, 0.025, 0.06, 0.16, 0.4, 1.0)            # of all examples in a batch
ONE_RATE, RATES, SIGNS, SECOND = ("one rate for all (8.3)", "a rate for each parameter (8.5)",
                                  "signs and schedules of rates (notes)", "second order (8.6)")
AFTER, YOURS = "after the book", "your own"


@dataclass(frozen=True)
class Method:
    """make(parameters) or, where a rate is tuned, make(parameters, lr=...) -> an optimizer. lr: the usual rate; None:
    the size of the batch is tuned. family: the panel it is drawn in."""
    make: Callable[..., optim.Optimizer]
    family: str
    lr: float | None = None

    @property
    def tuned(self) -> str:
        return "batch" if self.lr is None else "lr"

    def grid(self, examples: int) -> list[Any]:
        """The values that are tried, in ascending order."""
        if self.lr is None:
            return [max(1, round(examples * share)) for share in SHARES]
        return [float(f"{self.lr * factor:.2g}") for factor in FACTORS]

    def usual(self, examples: int) -> Any:
        """The value that is taken untuned, the third."""
        return self.grid(examples)[2]


def delta_bar_delta(parameters: Any, lr: Any) -> optim.DeltaBarDelta:
    """Its rates grow by a tenth of the first one a step."""
    return optim.DeltaBarDelta(parameters, lr=lr, kappa=lr / 10)


METHODS = {
    "sgd": Method(optim.SGD, ONE_RATE, 0.2),
    "momentum": Method(optim.Momentum, ONE_RATE, 0.05),
    "nesterov": Method(optim.Nesterov, ONE_RATE, 0.05),
    "adagrad": Method(optim.AdaGrad, RATES, 0.02),
    "rmsprop": Method(optim.RMSProp, RATES, 1e-3),
    "rmsprop-nesterov": Method(optim.RMSPropNesterov, RATES, 3e-4),
    "adadelta": Method(optim.AdaDelta, RATES, 1.0),
    "adam": Method(optim.Adam, RATES, 2e-3),
    "adamax": Method(optim.AdaMax, RATES, 4e-3),
    "conjugate-gradient": Method(optim.ConjugateGradient, SECOND),
    "lbfgs": Method(optim.LBFGS, SECOND),
    "newton-cg": Method(optim.NewtonCG, SECOND),
    "hessian-free": Method(partial(optim.HessianFree, damping=0.1), SECOND),
}
# By name or with `--optimizers all` only, so that the rest fits a coffee break.
MORE = {
    "delta-bar-delta": Method(delta_bar_delta, SIGNS, 0.02),
    "rprop": Method(partial(optim.Rprop, lr=1e-3), SIGNS),
    "adamw": Method(optim.AdamW, AFTER, 2e-3),
    "amsgrad": Method(optim.AMSGrad, AFTER, 2e-3),
    "nadam": Method(optim.NAdam, AFTER, 2e-3),
    "radam": Method(optim.RAdam, AFTER, 2e-3),
    "lion": Method(optim.Lion, AFTER, 3e-4),
    "muon": Method(optim.Muon, AFTER, 3e-3),
    "sam": Method(optim.SAM, AFTER, 0.05),
    "schedule-free": Method(optim.ScheduleFree, AFTER, 1.0),
}


def method_of(name: str, lr: float | None = None) -> Method:
    """The method of that name; "file.py:Name" is a class of your own, its usual rate lr."""
    known = METHODS | MORE
    return known[name] if name in known else Method(own_class(name), YOURS, lr)


def own_class(name: str) -> type[optim.Optimizer]:
    """The optimizer Name that file.py defines, for "file.py:Name". ValueError that says what is missing."""
    path, _, cls = name.rpartition(":")
    file = Path(path)
    if not (path and cls):
        raise ValueError(f"wanted file.py:Name, got {name!r}")
    if not file.is_file():
        raise ValueError(f"there is no file {path}")
    module = f"minigrad_compare_{digest(name)}"          # a worker meets the file anew; one process reads it once
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} is no file of Python")
        sys.modules[module] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[module])
        except BaseException:
            del sys.modules[module]
            raise
    found = getattr(sys.modules[module], cls, None)
    if not (isinstance(found, type) and issubclass(found, optim.Optimizer)):
        raise ValueError(f"{path} defines no optimizer {cls} (a subclass of optim.FirstOrder, say)")
    return found


def absolute(name: str) -> str:
    """"file.py:Name" that means the same to a worker in another folder."""
    path, _, cls = name.rpartition(":")
    return f"{Path(path).resolve()}:{cls}"


def digest(name: str) -> str:
    """A short hash of the file of "file.py:Name": after a change its runs are made anew."""
    return hashlib.sha256(Path(name.rpartition(":")[0]).read_bytes()).hexdigest()[:12]
