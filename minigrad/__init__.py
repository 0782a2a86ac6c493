"""minigrad: automatic differentiation, layers and every optimizer of one textbook chapter, on compiled kernels."""
__version__ = "0.1.0"

from minigrad import core, kernels, ops
from minigrad.core import Tensor, default_dtype, grad, is_recording, no_grad, tensor
from minigrad.kernels import get_num_threads, set_num_threads
from minigrad.random import seed
from minigrad import init, losses, nn, optim
from minigrad.objective import Objective

_lazy = ("data", "derivatives", "diagnostics", "files", "graph", "strategies", "testing", "training")


def __getattr__(name):
    """Rooms that a training loop does not need are imported when they are first named."""
    import importlib
    if name in _lazy:
        return importlib.import_module(f"minigrad.{name}")
    raise AttributeError(f"module 'minigrad' has no attribute {name!r}")
