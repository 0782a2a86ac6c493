"""Random numbers: one default generator per thread, and the state of any generator as plain data.

Everything random in minigrad takes `rng=`: a whole number (a seed), a `numpy.random.Generator` (used and advanced),
or None (the thread's default generator). `seed(n)` gives the calling thread a new default.

A thread that never called `seed` starts from fresh entropy, so two unseeded runs differ; an experiment that
should repeat says its seed. Threads never share a default: what one thread draws does not depend on the others.
A forked process goes on with a copy of a seeded default; an unseeded one it draws anew.
"""
from __future__ import annotations

import operator
import os
import threading
from typing import Any

import numpy as np

from minigrad.typing import Random

_local = threading.local()


def seed(n: int) -> np.random.Generator:
    """Give the calling thread a new default generator, started from n (a whole number >= 0). Returns it."""
    _local.default, _local.seeded = _seeded("seed", n), True
    return _local.default


def generator(rng: Random = None) -> np.random.Generator:
    """The generator that rng means: itself, a new one seeded with a whole number, or None: the thread's default.

    An int makes a *new* generator at each call, so two functions given the same seed draw the same numbers.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is not None:
        return _seeded("rng", rng)
    if not hasattr(_local, "default"):
        _local.default, _local.seeded = np.random.default_rng(), False
    return _local.default


def _forget_unseeded():
    if not getattr(_local, "seeded", True):
        del _local.default


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_unseeded)


def _seeded(name, n):
    try:
        if isinstance(n, bool | np.bool_):
            raise TypeError
        n = operator.index(n)
    except TypeError:
        raise ValueError(f"{name}: wanted a whole number or a numpy.random.Generator, got {n!r}") from None
    if n < 0:
        raise ValueError(f"{name}: a seed is a whole number >= 0, got {n}")
    return np.random.default_rng(n)


def capture(rng: Random = None) -> dict[str, Any]:
    """The state of a generator as plain data (dict, str, int, list) that survives JSON. The generator is not advanced.

    rng: a Generator, or None for the thread's default.
    """
    return _plain(_checked_generator("capture", rng).bit_generator.state)


def restore(state: dict[str, Any], rng: Random = None) -> np.random.Generator:
    """Put a state from `capture` back and return the generator: it goes on with the same bits.

    rng: the Generator to set; None: the thread's default, of whatever kind the state asks for.
    Raises ValueError for anything that is not such a state; the generator is then untouched.
    """
    kind = state.get("bit_generator") if isinstance(state, dict) else None
    if kind not in ("PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"):
        raise ValueError(f"restore: wanted a state from minigrad.random.capture, got {state!r:.80}")
    if rng is not None and type(_checked_generator("restore", rng).bit_generator).__name__ != kind:
        raise ValueError(f"restore: the state is of a {kind}, the generator a {type(rng.bit_generator).__name__}")
    fresh = np.random.Generator(getattr(np.random, kind)(0))
    if not _same_form(state, capture(fresh)):                # NumPy's setters trust lengths and positions
        raise ValueError(f"restore: not a state of {kind}: {state!r:.80}")
    try:
        fresh.bit_generator.state = _arrays(state)           # tried on a throw-away generator first
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"restore: not a state of {kind}: {error!r}") from None
    if rng is None:
        _local.default, _local.seeded = fresh, True
        return fresh
    rng.bit_generator.state = fresh.bit_generator.state
    return rng


def _checked_generator(function, rng):
    if rng is None or isinstance(rng, np.random.Generator):
        return generator(rng)
    raise ValueError(f"{function}: wanted a numpy.random.Generator or None, got {rng!r}")


def _same_form(value, model, name=""):
    """Has value the keys, list lengths and whole numbers that model has? A position must lie inside its buffer."""
    if isinstance(model, dict):
        return (isinstance(value, dict) and value.keys() == model.keys()
                and all(_same_form(value[name], model[name], name) for name in model))
    if isinstance(model, list):
        return isinstance(value, list) and len(value) == len(model) and all(map(_same_form, value, model))
    if isinstance(model, str):
        return value == model
    largest = {"pos": 624, "buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}.get(name, 2**128 - 1)
    return type(value) is int and 0 <= value <= largest


def _plain(value):
    """NumPy numbers and arrays inside a state -> int and list."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, str) else int(value)


def _arrays(state):
    """The lists inside a state -> uint64 (MT19937: uint32) arrays, as the bit generators want them."""
    words = np.uint32 if state["bit_generator"] == "MT19937" else np.uint64

    def back(value):
        if isinstance(value, dict):
            return {name: back(inner) for name, inner in value.items()}
        return np.array(value, dtype=words) if isinstance(value, list) else value

    return back(state)
