"""What an argument must be, said in one way: every room checks its numbers here before it touches anything."""
from __future__ import annotations

from math import nan
from numbers import Real
from operator import index
from typing import Any


def count(who: str, what: str, value: Any, least: int = 1, most: int | None = None, hint: str = "") -> int:
    """`value` as an int from `least` to `most`. Ints of NumPy's count, booleans and 3.0 do not. ValueError else."""
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        wanted = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
        raise ValueError(f"{who}: {what} must be {wanted}, got {value!r:.60}{hint}")
    return number


def counts(who: str, **sizes: Any) -> list[int]:
    """Several counts by name, as a list: `inputs, outputs = counts("Linear", inputs=inputs, outputs=outputs)`."""
    return [count(who, what, value) for what, value in sizes.items()]


def pair(who: str, what: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Two ints (height, width) from one that serves both, or from two. ValueError else."""
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    try:
        height, width = (count(who, what, n, least) for n in values)
    except ValueError:
        raise ValueError(f"{who}: {what} must be an integer >= {least} or a pair of them, got {value!r:.60}") from None
    return height, width


def number(who: str, what: str, value: Any, interval: str = "(-inf, inf)", hint: str = "", wanted: str = "") -> float:
    """`value` as a float in an interval written as in mathematics, "[0, 1)". ValueError else, and for NaN.

    A Python float widens no float32 array; one of NumPy's would. Numbers of NumPy's and 0-d arrays are accepted, a
    Tensor with a gradient is not: it would be lost. wanted: what the message asks for, "in [0, 1) or None", where
    something else than a number may stand.
    """
    value = "a Tensor with history" if getattr(value, "requires_grad", False) else value
    value = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    try:
        found = float(value) if isinstance(value, Real) and not isinstance(value, bool) else nan
    except OverflowError:                                   # an int above 1.8e308
        found = nan
    if not within(found, interval):
        raise ValueError(f"{who}: {what} must be {wanted or f'a number in {interval}'}, got {value!r:.60}{hint}")
    return found


def flag(who: str, what: str, value: Any, hint: str = "") -> bool:
    """True or False; ValueError for what merely counts as true: "no", a function that was meant for another place."""
    if not (isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")):          # NumPy's two names
        raise ValueError(f"{who}: {what} must be True or False, got {value!r:.60}{hint}")
    return bool(value)


def within(value: float, interval: str) -> bool:
    """Does a float lie in "[0, 1)"? NaN lies in none, and infinity only in "[0, inf]"."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    return above and below
