"""Every optimizer of the chapter, on one vector theta. `base` and `first_order` first, then one file per idea."""
from minigrad.optim import linesearch, schedules
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
from minigrad.optim.averaging import PolyakAverage
from minigrad.optim.base import NonFiniteError, Optimizer, Step
from minigrad.optim.clipping import clip_grad_norm, clip_grad_value
from minigrad.optim.conjugate_gradient import (
    ConjugateGradient,
    ScaledConjugateGradient,
    fletcher_reeves,
    hestenes_stiefel,
    linear_cg,
    polak_ribiere,
)
from minigrad.optim.first_order import FirstOrder
from minigrad.optim.hessian_free import HessianFree
from minigrad.optim.minimize import Result, minimize
from minigrad.optim.natural import PRONG
from minigrad.optim.newton import DampedNewton, LevenbergMarquardt, Newton, SaddleFreeNewton
from minigrad.optim.newton_cg import KrylovSaddleFree, NewtonCG, TrustRegion
from minigrad.optim.quasi_newton import BFGS, LBFGS
from minigrad.optim.sgd import SGD, Momentum, MomentumNotes, Nesterov, NesterovNotes
from minigrad.optim.sign import DeltaBarDelta, Rprop, RpropMinus
from minigrad.optim.vsgd import VSGD

__all__ = [
    "AdaDelta", "AdaGrad", "Adam", "AdaMax", "AdamW", "BFGS", "ConjugateGradient", "DampedNewton", "DeltaBarDelta",
    "FirstOrder", "HessianFree", "KrylovSaddleFree", "LBFGS", "LevenbergMarquardt", "Momentum", "MomentumNotes",
    "Nesterov", "NesterovNotes", "Newton", "NewtonCG", "NonFiniteError", "Optimizer", "PolyakAverage", "PRONG",
    "Result", "RMSProp", "RMSPropNesterov", "Rprop", "RpropMinus", "SaddleFreeNewton", "ScaledConjugateGradient",
    "SGD", "Step", "TrustRegion", "VSGD", "clip_grad_norm", "clip_grad_value", "fletcher_reeves", "hestenes_stiefel",
    "linear_cg", "linesearch", "minimize", "normalized_decay", "polak_ribiere", "schedules",
]
