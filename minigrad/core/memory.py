"""Large arrays that NumPy makes in an op or a rule lie where others have died.

Fresh from the system every 4 KiB of them cost a page fault when they are first written: a step of
(Z * 2 + 1).sum().backward() with 300,000 float32 took 1.5 ms, most of it that; on the memory of the step before 0.19.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import kernels

LARGE = kernels.large                     # bytes of an argument from which on that is worth the switch
met: list[bool] = []                      # not empty once a large argument was met: then sweeps have them too


def on_kept_memory(function: Callable[..., Any], *args: Any) -> Any:
    """function(*args). Arrays that NumPy makes meanwhile, in this thread, are made by minigrad's allocator."""
    if not met:
        met.append(True)
    before = kernels.reuse()
    try:
        return function(*args)
    finally:
        kernels.reuse(before)
