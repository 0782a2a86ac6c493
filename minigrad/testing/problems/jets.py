"""Derivatives of a formula by forward mode: first and second, in any dtype, independent of minigrad's own engine.

A jet carries a value and how it changes along two sets of directions at once:

    x  (...)        the value
    a  (..., p)     its derivative along each of p directions
    b  (..., q)     its derivative along each of q directions
    ab (..., p, q)  its second derivative along one direction of each set

A function f of one variable takes (x, a, b, ab) to (f, f'a, f'b, f''a b + f'ab), a product u w to the product rule.
With a = b = identity `ab` is the Hessian; with b one vector v it is the product with v. Formulas are ordinary NumPy:
np.exp(x) of a jet is a jet.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.typing import Array


def _power(x, k):
    first = k * x ** (k - 1)
    return x**k, first, (0 * x if k in (0, 1) else k * (k - 1) * x ** (k - 2))


# f(x) -> f, f', f''
ELEMENTARY: dict[np.ufunc, Callable[..., Any]] = {
    np.negative: lambda x: (-x, -np.ones_like(x), np.zeros_like(x)),
    np.absolute: lambda x: (abs(x), np.sign(x), np.zeros_like(x)),
    np.square: lambda x: _power(x, 2),
    np.sqrt: lambda x: _power(x, 0.5),
    np.reciprocal: lambda x: _power(x, -1.0),
    np.exp: lambda x: (np.exp(x), np.exp(x), np.exp(x)),
    np.log: lambda x: (np.log(x), 1 / x, -1 / x**2),
    np.sin: lambda x: (np.sin(x), np.cos(x), -np.sin(x)),
    np.cos: lambda x: (np.cos(x), -np.sin(x), -np.cos(x)),
    np.tanh: lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2, -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    np.arctan: lambda x: (np.arctan(x), 1 / (1 + x**2), -2 * x / (1 + x**2) ** 2),
}
COMPARISONS: Any = {np.less, np.greater, np.less_equal, np.greater_equal}


class Jet(np.lib.mixins.NDArrayOperatorsMixin):
    """Value and derivatives (module docstring). b and ab are None for first derivatives only."""
    x: Array
    a: Array
    b: Array
    ab: Array
    __slots__ = ("x", "a", "b", "ab")

    def __init__(self, x: Any, a: Any, b: Any = None, ab: Any = None) -> None:
        self.x, self.a, self.b, self.ab = np.asarray(x), a, b, ab
        shape = self.x.shape
        if a.shape[:-1] != shape:            # a constant of larger shape was added to or multiplied by this
            self.a = np.broadcast_to(a, shape + a.shape[-1:])
        if b is not None and b.shape[:-1] != shape:
            self.b = np.broadcast_to(b, shape + b.shape[-1:])
        if b is not None and ab.shape[:-2] != shape:
            self.ab = np.broadcast_to(ab, shape + ab.shape[-2:])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.x.shape

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Any) -> Jet:
        if self.b is None:
            return Jet(self.x[index], self.a[index])
        return Jet(self.x[index], self.a[index], self.b[index], self.ab[index])

    def _map(self, function):
        """Apply a linear map of the value axes to every component."""
        if self.b is None:
            return Jet(function(self.x), function(self.a))
        return Jet(function(self.x), function(self.a), function(self.b), function(self.ab))

    def sum(self, axis: Any = 0) -> Jet:
        """Sum over one of the leading axes (counted from the left)."""
        return self._map(lambda component: component.sum(axis))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            return NotImplemented
        if ufunc in ELEMENTARY:
            return _chain(self, *ELEMENTARY[ufunc](self.x))
        u, w = inputs
        if ufunc in COMPARISONS:
            return ufunc(getattr(u, "x", u), getattr(w, "x", w))
        if ufunc is np.power and not isinstance(w, Jet):
            return _chain(u, *_power(u.x, w))
        if ufunc is np.matmul and not isinstance(u, Jet):       # constant matrix (m, n) @ jet (n,)
            return w._map(lambda component: np.tensordot(u, component, axes=1))
        if ufunc is np.subtract:
            return u + (-w)
        if ufunc is np.divide:
            return u * (np.reciprocal(w) if isinstance(w, Jet) else 1 / np.asarray(w))
        if ufunc is np.add:
            return _add(u, w)
        if ufunc is np.multiply:
            return _multiply(u, w)
        return NotImplemented

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.sum:
            return args[0].sum(*args[1:], **kwargs)
        if function is np.stack:
            return _join([jet[None] if isinstance(jet, Jet) else np.asarray(jet)[None] for jet in args[0]])
        if function is np.concatenate:
            return _join(args[0])
        return NotImplemented


def _chain(u, f, df, ddf):
    """f(u): f' scales the first derivatives, f'' multiplies their outer product."""
    if u.b is None:
        return Jet(f, df[..., None] * u.a)
    outer = u.a[..., :, None] * u.b[..., None, :]
    return Jet(f, df[..., None] * u.a, df[..., None] * u.b, ddf[..., None, None] * outer + df[..., None, None] * u.ab)


def _add(u, w):
    if not isinstance(u, Jet):
        u, w = w, u
    if not isinstance(w, Jet):
        return Jet(u.x + w, u.a, u.b, u.ab)
    if u.b is None:
        return Jet(u.x + w.x, u.a + w.a)
    return Jet(u.x + w.x, u.a + w.a, u.b + w.b, u.ab + w.ab)


def _multiply(u, w):
    if not isinstance(u, Jet):
        u, w = w, u
    if not isinstance(w, Jet):
        c = np.asarray(w)
        if u.b is None:
            return Jet(u.x * c, u.a * c[..., None])
        return Jet(u.x * c, u.a * c[..., None], u.b * c[..., None], u.ab * c[..., None, None])
    x, z = u.x[..., None], w.x[..., None]
    if u.b is None:
        return Jet(u.x * w.x, z * u.a + x * w.a)
    cross = u.a[..., :, None] * w.b[..., None, :] + w.a[..., :, None] * u.b[..., None, :]
    return Jet(u.x * w.x, z * u.a + x * w.a, z * u.b + x * w.b,
               cross + z[..., None] * u.ab + x[..., None] * w.ab)


def _join(parts):
    """Concatenate jets and constants along their first axis."""
    like = next(part for part in parts if isinstance(part, Jet))

    def component(name, trailing):
        return np.concatenate([getattr(part, name) if isinstance(part, Jet)
                               else np.zeros(np.shape(part) + trailing, like.x.dtype) for part in parts])

    x = np.concatenate([part.x if isinstance(part, Jet) else part for part in parts])
    if like.b is None:
        return Jet(x, component("a", like.a.shape[-1:]))
    return Jet(x, component("a", like.a.shape[-1:]), component("b", like.b.shape[-1:]),
               component("ab", like.ab.shape[-2:]))
