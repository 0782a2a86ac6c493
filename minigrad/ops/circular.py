"""Circular and hyperbolic functions and their inverses, elementwise, beside sin, cos and tanh of `elementwise`.

At the ends of its domain an inverse has an infinite derivative, as sqrt has at 0; outside of it the value is NaN.
"""
from __future__ import annotations

import numpy as np

from minigrad.core import primitive
from minigrad.ops.elementwise import sqrt
from minigrad.typing import Array


@primitive
def tan(x: Array) -> Array:
    """Tangent."""
    return np.tan(x)


tan.vjps(lambda g, y, x: g * (1 + y * y))


@primitive
def one_less_square(x: Array) -> Array:
    """1 - x^2 with all its digits, also where x is near 1 or -1."""
    return (1 - x) * (1 + x)


one_less_square.vjps(lambda g, y, x: g * (-2 * x))


@primitive
def arcsin(x: Array) -> Array:
    """The angle in [-pi/2, pi/2] whose sine is x."""
    return np.arcsin(x)


arcsin.vjps(lambda g, y, x: g / sqrt(one_less_square(x)))


@primitive
def arccos(x: Array) -> Array:
    """The angle in [0, pi] whose cosine is x."""
    return np.arccos(x)


arccos.vjps(lambda g, y, x: -g / sqrt(one_less_square(x)))


@primitive
def arctan(x: Array) -> Array:
    """The angle in (-pi/2, pi/2) whose tangent is x."""
    return np.arctan(x)


arctan.vjps(lambda g, y, x: g / (1 + x * x))


@primitive
def sinh(x: Array) -> Array:
    """Hyperbolic sine, (e^x - e^-x) / 2."""
    return np.sinh(x)


sinh.vjps(lambda g, y, x: g * cosh(x))


@primitive
def cosh(x: Array) -> Array:
    """Hyperbolic cosine, (e^x + e^-x) / 2."""
    return np.cosh(x)


cosh.vjps(lambda g, y, x: g * sinh(x))


@primitive
def arcsinh(x: Array) -> Array:
    """The inverse of sinh, log(x + sqrt(x^2 + 1))."""
    return np.arcsinh(x)


arcsinh.vjps(lambda g, y, x: g / sqrt(x * x + 1))


@primitive
def arccosh(x: Array) -> Array:
    """The inverse of cosh for x >= 1, not negative."""
    return np.arccosh(x)


arccosh.vjps(lambda g, y, x: g / sqrt(0.0 - one_less_square(x)))       # 0.0 -: no root of -0.0, at an end


@primitive
def arctanh(x: Array) -> Array:
    """The inverse of tanh for x in (-1, 1); -inf and inf at the ends."""
    return np.arctanh(x)


arctanh.vjps(lambda g, y, x: g / one_less_square(x))
