"""Every optimizer of the chapter, on one vector theta. `base` and `first_order` first, then one file per idea."""
from minigrad.optim import schedules
from minigrad.optim.adaptive import (
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    RMSProp,
    RMSPropNesterov,
    normalized_decay,
)
from minigrad.optim.base import NonFiniteError, Optimizer, Step
from minigrad.optim.first_order import FirstOrder
from minigrad.optim.minimize import Result, minimize
from minigrad.optim.sgd import SGD, Momentum, MomentumNotes, Nesterov, NesterovNotes
from minigrad.optim.sign import DeltaBarDelta, Rprop, RpropMinus
from minigrad.optim.vsgd import VSGD

__all__ = [
    "AdaDelta", "AdaGrad", "AdaMax", "Adam", "AdamW", "DeltaBarDelta", "FirstOrder", "Momentum", "MomentumNotes",
    "Nesterov", "NesterovNotes", "NonFiniteError", "Optimizer", "RMSProp", "RMSPropNesterov", "Result", "Rprop",
    "RpropMinus", "SGD", "Step", "VSGD", "minimize", "normalized_decay", "schedules",
]
