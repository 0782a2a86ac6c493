"""minigrad: automatic differentiation, layers and every optimizer of one textbook chapter, on compiled kernels.

    import minigrad as mg
    from minigrad import data, losses, nn, optim
"""
__version__ = "0.1.0"

from minigrad import core, kernels, ops
from minigrad.core import Tensor, default_dtype, grad, is_recording, no_grad, tensor
from minigrad.kernels import get_num_threads, set_num_threads
from minigrad.random import seed
from minigrad import init, losses, nn, optim

# What a training loop can do without is imported when it is first named: a module, or a name and the module it is in.
_LAZY = dict.fromkeys(("data", "derivatives", "diagnostics", "files", "graph", "pytorch", "strategies", "testing",
                      "training"))
_LAZY |= {"Objective": "objective", "detect_anomaly": "diagnostics", "FormatError": "files", "save": "files",
          "load": "files"}


def __getattr__(name):
    import importlib
    if name not in _LAZY:
        raise AttributeError(f"module 'minigrad' has no attribute {name!r}")
    return getattr(importlib.import_module(f"minigrad.{_LAZY[name]}"), name) if _LAZY[name] else \
        importlib.import_module(f"minigrad.{name}")


def __dir__():
    return sorted([*globals(), *_LAZY])
