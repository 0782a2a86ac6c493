"""Products with Jacobians and Hessians, each for the price of a few gradients (Pearlmutter 1994)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.core import Tensor, behind, grad, is_recording, no_grad, primitive
from minigrad.ops import reshape


@primitive
def _inner(*pairs):
    total = np.vdot(pairs[0], pairs[1])
    for a, b in zip(pairs[2::2], pairs[3::2]):
        total = total + np.vdot(a, b)
    return np.asarray(total, pairs[0].dtype)


_inner.vjps_each(lambda i, u, y, *pairs: u * pairs[i ^ 1])


def inner(vs: Sequence[Any], gs: Sequence[Any]) -> Tensor:
    """sum_i <v_i, g_i>: two lists of arrays or Tensors of equal shapes -> ()."""
    return _inner(*[a for pair in zip(vs, gs) for a in pair])


# ---- arguments

def as_inputs(name: str, f: Callable[..., Any], x: Any) -> tuple[list[Tensor], bool, bool]:
    """(list of Tensors to differentiate by, whether x was a single one, whether one of them has a history)."""
    if not callable(f):
        raise ValueError(f"{name}: f must be a function of x, and comes first; got {type(f).__name__}")
    single = not isinstance(x, tuple)
    xs, tracked = [], False
    for a in (x,) if single else x:
        if isinstance(a, Tensor) and a.requires_grad:
            tracked = is_recording()
            with no_grad(enabled=True):
                xs.append(reshape(a, a.shape))    # a node of its own: what else f does with `a` is not its argument
            continue
        a = Tensor(a.data if isinstance(a, Tensor) else a)
        if a.dtype.kind != "f":
            raise ValueError(f"{name}: x must be floating-point, got {a.dtype}")
        xs.append(Tensor(a.data, requires_grad=True))
    return xs, single, tracked


def as_directions(name: str, v: Any, xs: Sequence[Any], single: bool) -> tuple[list[Any], bool]:
    """(list of arrays or Tensors of the shapes of xs, whether one of them has a history)."""
    vs = [v] if single else list(v)
    if len(vs) != len(xs):
        raise ValueError(f"{name}: wanted one v for each of the {len(xs)} x, got {len(vs)}")
    out = []
    for a, x in zip(vs, xs):
        a = a if isinstance(a, Tensor) and a.requires_grad else \
            np.asarray(a.data if isinstance(a, Tensor) else a, dtype=x.dtype)
        if a.shape != x.shape:
            raise ValueError(f"{name}: v must have the shape of x, {x.shape}, got {a.shape}")
        out.append(a)
    return out, is_recording() and any(isinstance(a, Tensor) for a in out)


def call(name: str, f: Callable[..., Any], xs: Sequence[Any], scalar: bool = False) -> Any:
    """(f(*xs), whether its derivatives keep their history because f closes over something that wants a gradient).

    f(*xs) must be a Tensor; a single number, if `scalar`.
    """
    with no_grad(enabled=True):
        y = f(*xs)
    if not isinstance(y, Tensor):
        raise ValueError(f"{name}: f must return a Tensor, got {type(y).__name__}")
    if scalar and y.size != 1:
        raise ValueError(f"{name}: f must return a single number, got shape {y.shape}")
    return y, y.node is not None and is_recording() and _closes_over(y, xs)


def _closes_over(y, xs):
    """Whether a leaf other than xs lies behind y."""
    own = [None, *[x.node for x in xs]]
    for node in behind([y.node], "derivatives"):
        for parent in node.parents:
            if parent not in own and parent.op is None:
                return True
    return False


# ---- products

def vjp(f: Callable[..., Any], x: Any, u: Any) -> Any:
    """J' u, where J = df/dx: u of the shape of f(x) -> the shape of x. One gradient."""
    xs, single, tracked = as_inputs("vjp", f, x)
    y, closes = call("vjp", f, xs)
    again = tracked or closes or (is_recording() and isinstance(u, Tensor) and u.requires_grad)
    results = grad(y, xs, u, create_graph=again)
    return results[0] if single else results


def jvp(f: Callable[..., Any], x: Any, v: Any) -> Tensor:
    """J v, where J = df/dx: v of the shape of x -> the shape of f(x). About three gradients."""
    xs, single, tracked = as_inputs("jvp", f, x)
    vs, moving = as_directions("jvp", v, xs, single)
    y, closes = call("jvp", f, xs)
    return _forward(y, xs, vs, tracked or moving or closes)


def _forward(y, xs, vs, again):
    """(dy/dxs) vs from the graph of y, which is kept; with its history if `again`.

    J' u is linear in u, whatever u is; so the derivative of <J' u, v> with respect to u is J v, exactly.
    """
    with no_grad(enabled=True):
        u = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
        gu = inner(vs, grad(y, xs, u, create_graph=True))
    return grad(gu, u, create_graph=again)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """H v, where H is the Hessian of f: x -> a number: the gradient of g . v (Pearlmutter 1994, there by forward mode).

    v, result: the shape of x.
    """
    xs, single, tracked = as_inputs("hvp", f, x)
    vs, moving = as_directions("hvp", v, xs, single)
    y, closes = call("hvp", f, xs, scalar=True)
    gs = grad(y, xs, create_graph=True)
    with no_grad(enabled=True):
        gv = inner(vs, gs)
    results = grad(gv, xs, create_graph=tracked or moving or closes)
    return results[0] if single else results


def ggnvp(f: Callable[..., Any], loss: Callable[..., Any], x: Any, v: Any) -> Any:
    """G v, the Gauss-Newton product for loss(f(x)): G = J' H_L J, J = df/dx, H_L the Hessian of the loss at z = f(x).

    The Hessian of loss(f(x)) without the part that comes from f's own curvature (Schraudolph 2002). G is positive
    semidefinite wherever the loss is convex in z: squared error of outputs, cross-entropy of logits (softmax and
    logarithm belong to the loss, not to f). About four gradients.
    """
    xs, single, tracked = as_inputs("ggnvp", f, x)
    vs, moving = as_directions("ggnvp", v, xs, single)
    z, closes = call("ggnvp", f, xs)
    again = tracked or moving or closes
    Jv = _forward(z, xs, vs, again)
    HJv = hvp(loss, z if again else z.data, Jv)
    results = grad(z, xs, HJv, create_graph=again or HJv.requires_grad)
    return results[0] if single else results
