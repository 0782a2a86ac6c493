"""The kernels: every one a NumPy function, replaced by its compiled namesake from `minigrad_ext` where that is built.

The NumPy function is the definition: it is what the tests compare the compiled one with, and what runs where no
compiler was found. `MINIGRAD_KERNELS=numpy` switches the compiled ones off (whoever edits an optimizer's `update`
wants that); `MINIGRAD_REQUIRE_EXT=1` turns a missing extension into an error.
"""
import importlib
import os
from typing import NamedTuple

FAMILIES = ("matmul", "softmax", "elementwise", "optim", "conv", "pool", "norm")


class Twin(NamedTuple):
    """One kernel: its family (file), its NumPy definition and its compiled form (None where it is not built)."""
    family: str
    numpy: object
    compiled: object


TWINS = {}


def _load(family):
    try:
        return importlib.import_module(f"minigrad_ext.{family}")
    except ImportError as error:
        if os.environ.get("MINIGRAD_REQUIRE_EXT") == "1":
            raise ImportError(f"MINIGRAD_REQUIRE_EXT=1, but minigrad_ext.{family} cannot be imported: {error}") from error
        return None


_switched_off = os.environ.get("MINIGRAD_KERNELS") == "numpy"
_modules = {} if _switched_off else {family: _load(family) for family in FAMILIES}

compiled = any(module is not None for module in _modules.values())


def kernel(family):
    """Decorator: register a NumPy kernel and return its compiled namesake from `minigrad_ext.<family>`, if built."""
    def choose(function):
        fast = getattr(_modules.get(family), function.__name__, None)
        TWINS[function.__name__] = Twin(family, function, fast)
        return fast or function
    return choose
