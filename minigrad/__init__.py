"""minigrad: automatic differentiation, layers and every optimizer of one textbook chapter, on compiled kernels.

    import minigrad as mg
    from minigrad import data, losses, nn, optim
"""
__version__ = "0.1.0"

from typing import TYPE_CHECKING

from minigrad import texts              # first: it sees to it that edits of the modules below take effect
from minigrad import core, kernels, ops
from minigrad.core import Tensor, default_dtype, grad, is_recording, no_grad, tensor
from minigrad.kernels import get_num_threads, set_num_threads
from minigrad.random import seed
from minigrad import init, losses, nn, optim

__all__ = [
    "core", "data", "default_dtype", "derivatives", "detect_anomaly", "diagnostics", "files", "FormatError",
    "get_num_threads", "grad", "graph", "init", "is_recording", "kernels", "load", "losses", "nn", "no_grad",
    "Objective", "ops", "optim", "pytorch", "save", "seed", "set_num_threads", "strategies", "Tensor", "tensor",
    "testing", "training",
]

if TYPE_CHECKING:
    from minigrad import data, derivatives, diagnostics, files, graph, pytorch, strategies, testing, training
    from minigrad.diagnostics import detect_anomaly
    from minigrad.files import FormatError, load, save
    from minigrad.objective import Objective

# What a training loop can do without is imported when it is first named: a module, or a name and the module it is in.
_LAZY = dict.fromkeys(("data", "derivatives", "diagnostics", "files", "graph", "pytorch", "strategies", "testing",
                      "training"))
_LAZY |= {"Objective": "objective", "detect_anomaly": "diagnostics", "FormatError": "files", "save": "files",
          "load": "files"}


if not TYPE_CHECKING:                                    # they would take every name for one of ours
    def __getattr__(name):
        import importlib
        if name not in _LAZY:
            raise AttributeError(f"module 'minigrad' has no attribute {name!r}")
        return getattr(importlib.import_module(f"minigrad.{_LAZY[name]}"), name) if _LAZY[name] else \
            importlib.import_module(f"minigrad.{name}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
