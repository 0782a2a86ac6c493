"""Every optimizer of the chapter, on one vector theta. `base` first, then one file per idea."""
from minigrad.optim.base import NonFiniteError, Optimizer, Step
from minigrad.optim.first_order import FirstOrder
from minigrad.optim.minimize import Result, minimize

__all__ = ["FirstOrder", "NonFiniteError", "Optimizer", "Result", "Step", "minimize"]
