"""J(theta) of a model on some examples: the one bridge from modules to optimizers that want a function of a vector.

Read in this order: `objective` (J and its gradient, the model at a point), `curvature` (products with the Hessian and
its relatives, each by its definition and then with the shortcut), `examples` (gradients example by example).
"""
from minigrad.objective.curvature import Linearized
from minigrad.objective.objective import Objective

__all__ = ["Linearized", "Objective"]
