"""What runs beside the student's code: it calls an op by name and returns plain arrays. It knows no answer."""
import numpy as np

from minigrad.core import Tensor, grad


def _op(student, op, axis, keepdims):
    function = getattr(student, op)
    if axis is None:
        return function
    axis = tuple(int(a) for a in np.ravel(axis))
    return lambda x: function(x, axis=axis[0] if len(axis) == 1 else axis, keepdims=bool(keepdims))


def forward(student, op, x, axis=None, keepdims=False):
    """y = op(x), arrays in and out."""
    return {"y": np.asarray(_op(student, op, axis, keepdims)(x))}


def gradient(student, op, x, g, axis=None, keepdims=False):
    """y = op(x), and dx = dJ/dx for dJ/dy = g, by a backward pass."""
    leaf = Tensor(x, requires_grad=True)
    y = _op(student, op, axis, keepdims)(leaf)
    dx, = grad(y, [leaf], Tensor(g))
    return {"y": y.data, "dx": dx.data}


def second(student, op, x, g, u, axis=None, keepdims=False):
    """The derivatives of sum(u dx) with respect to x and to g, where dx = dJ/dx for dJ/dy = g."""
    leaf, cotangent = Tensor(x, requires_grad=True), Tensor(g, requires_grad=True)
    y = _op(student, op, axis, keepdims)(leaf)
    dx, = grad(y, [leaf], cotangent, create_graph=True)
    by_x, by_g = grad((dx * Tensor(u)).sum(), [leaf, cotangent])
    return {"by_x": by_x.data, "by_g": by_g.data}
