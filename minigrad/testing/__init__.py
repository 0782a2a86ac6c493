"""Tools to prove that a derivative or an optimizer is right: our tests use them, and so do yours."""
from minigrad.testing.gradients import GradientError, Report, gradcheck, gradgradcheck
from minigrad.testing.intermediates import WrongIntermediate, compare_intermediates
from minigrad.testing.optimizers import Disagreement, check_optimizer
from minigrad.testing import boxes, problems

__all__ = [
    "boxes", "check_optimizer", "compare_intermediates", "Disagreement", "gradcheck", "gradgradcheck", "GradientError",
    "problems", "Report", "WrongIntermediate",
]
