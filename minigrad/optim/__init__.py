"""Every optimizer of the chapter, on one vector theta: a hall that all share, and two wings, first and second order."""
from typing import TYPE_CHECKING

# the hall: what all of them share
from minigrad.optim.arguments import OTHER_METHODS
from minigrad.optim.averaging import PolyakAverage
from minigrad.typing import Array
from minigrad.optim.fields import Hyper, hyper, state
from minigrad.optim.minimize import Result, minimize
from minigrad.optim.optimizer import NonFiniteError, Optimizer, Step
from minigrad.optim.parameters import matrices

# sections 8.3 and 8.5
from minigrad.optim.first_order.base import FirstOrder
from minigrad.optim.first_order.clipping import clip_grad_norm, clip_grad_value
from minigrad.optim.first_order.sgd import SGD, Momentum, MomentumNotes, Nesterov, NesterovNotes
from minigrad.optim.first_order.adaptive import (
    AdaDelta,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    RMSProp,
    RMSPropNesterov,
    normalized_decay,
)
from minigrad.optim.first_order.sign import DeltaBarDelta, Rprop, RpropMinus
from minigrad.optim.first_order.vsgd import VSGD

# after the book
from minigrad.optim.first_order.after_the_book import (
    AMSGrad,
    Lion,
    Muon,
    NAdam,
    RAdam,
    SAM,
    ScheduleFree,
    orthogonal,
)

# section 8.6
from minigrad.optim.second_order import linesearch
from minigrad.optim.second_order.newton import DampedNewton, LevenbergMarquardt, Newton, SaddleFreeNewton
from minigrad.optim.second_order.newton_cg import KrylovSaddleFree, NewtonCG, TrustRegion
from minigrad.optim.second_order.conjugate_gradient import (
    ConjugateGradient,
    ScaledConjugateGradient,
    fletcher_reeves,
    hestenes_stiefel,
    linear_cg,
    polak_ribiere,
)
from minigrad.optim.second_order.quasi_newton import BFGS, LBFGS
from minigrad.optim.second_order.hessian_free import HessianFree
from minigrad.optim.second_order.natural import PRONG

__all__ = [
    "AMSGrad", "AdaDelta", "AdaGrad", "Adam", "AdaMax", "AdamW", "Array", "BFGS", "ConjugateGradient",
    "DampedNewton", "DeltaBarDelta", "FirstOrder", "HessianFree", "Hyper", "KrylovSaddleFree", "LBFGS",
    "LevenbergMarquardt", "Lion", "Momentum", "MomentumNotes", "Muon", "NAdam", "Nesterov", "NesterovNotes",
    "Newton", "NewtonCG", "NonFiniteError", "Optimizer", "PolyakAverage", "PRONG", "RAdam", "Result", "RMSProp",
    "RMSPropNesterov", "Rprop", "RpropMinus", "SAM", "SaddleFreeNewton", "ScaledConjugateGradient", "ScheduleFree",
    "SGD", "Step", "TrustRegion", "VSGD", "clip_grad_norm", "clip_grad_value", "fletcher_reeves",
    "hestenes_stiefel", "hyper", "linear_cg", "linesearch", "matrices", "minimize", "normalized_decay",
    "orthogonal", "polak_ribiere", "schedules", "state",
]

# Thirteen dataclasses, a twentieth of the time that `import minigrad` takes: imported when they are first named.
if TYPE_CHECKING:
    from minigrad.optim import schedules
else:
    def __getattr__(name):
        if name != "schedules":
            instead = OTHER_METHODS.get(name)
            hint = f": {instead}" if instead else ""
            raise AttributeError(f"module 'minigrad.optim' has no attribute {name!r}{hint}")
        from importlib import import_module
        return import_module("minigrad.optim.schedules")


def __dir__() -> list[str]:
    return sorted({*globals(), "schedules"})
