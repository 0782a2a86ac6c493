"""Products of matrices: matmul, linear (the layer's x W + b), outer, dot, tensordot, einsum."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.arguments import count
from minigrad.core import Tensor, contiguous, gradient_array, primitive, shape_of, unbroadcast
from minigrad.ops.elementwise import multiply
from minigrad.ops.reduce import sum
from minigrad.ops.shape import getitem, one_axis, reshape, swapaxes, transpose
from minigrad.typing import TensorLike

# --------------------------------------------------------------------------------------------------------------- matmul


@primitive
def _matmul(a, b):
    """(..., m, k) @ (..., k, n) -> (..., m, n), leading axes broadcast."""
    if a.dtype != b.dtype or a.dtype.kind != "f":
        return np.matmul(a, b)
    out = kernels.empty((*_lead(a, b), a.shape[-2], b.shape[-1]), a.dtype)
    kernels.matmul.matmul(a, b, out)
    return out


def _lead(a, b):
    """Broadcast shape of the leading axes of a and b."""
    if a.ndim == 2 and b.ndim == 2:
        return ()
    return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])


_matmul.vjps(lambda g, y, a, b: _matmul(g, swapaxes(b, -1, -2)),
             lambda g, y, a, b: _matmul(swapaxes(a, -1, -2), g))


@_matmul.fused
def _matmul_backward(g, y, wanted, out, a, b):
    """Each gradient in one kernel call, straight into its slice of g where it may."""
    return [_gradient(out[0], a, g, b.swapaxes(-1, -2)) if wanted[0] else None,
            _gradient(out[1], b, a.swapaxes(-1, -2), g) if wanted[1] else None]


def _gradient(place, like, left, right):
    """left @ right, summed over the axes along which the argument `like` was broadcast."""
    if (*_lead(left, right), left.shape[-2], right.shape[-1]) != like.shape:
        return unbroadcast(_matmul(left, right), like.shape)
    d, add = gradient_array(True, place, like)
    kernels.matmul.matmul(left, right, d, add)
    return d


def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """a @ b as in NumPy: matrices (..., m, k) @ (..., k, n), a vector on the left is a row, on the right a column."""
    if isinstance(a, list | tuple) or isinstance(b, list | tuple):
        a, b = (np.asarray(x) if isinstance(x, list | tuple) else x for x in (a, b))
    sa, sb = shape_of(a), shape_of(b)
    if not sa or not sb:
        raise ValueError(f"matmul: wanted matrices or vectors, got shapes {sa} and {sb}; use * for numbers")
    if sa[-1] != (sb[-2] if len(sb) > 1 else sb[0]):
        raise ValueError(f"matmul: the last axis of the first, {sa}, must equal "
                         f"{'the last but one' if len(sb) > 1 else 'the axis'} of the second, {sb}")
    if len(sa) > 1 and len(sb) > 1:
        if len(sa) > 2 or len(sb) > 2:
            try:
                np.broadcast_shapes(sa[:-2], sb[:-2])
            except ValueError:
                raise ValueError(f"matmul: the leading axes of {sa} and {sb} do not broadcast") from None
        return _matmul(a, b)
    y = _matmul(reshape(a, (1, *sa)) if len(sa) == 1 else a,
                reshape(b, (*sb, 1)) if len(sb) == 1 else b)
    shape = y.shape[:-2] + (y.shape[-2:-1] if len(sa) > 1 else ()) + (y.shape[-1:] if len(sb) > 1 else ())
    return reshape(y, shape)


# --------------------------------------------------------------------------------------------------------------- linear

@primitive
def _linear(x, w, b):
    """x (m, i) W (i, o) + b (o,) -> (m, o)."""
    if x.dtype.kind != "f":
        return np.matmul(x, w) + b
    out = kernels.empty((x.shape[0], w.shape[1]), x.dtype)
    kernels.matmul.matmul(x, w, out, False, contiguous(b))
    return out


_linear.vjps(lambda g, y, x, w, b: _matmul(g, transpose(w)),
             lambda g, y, x, w, b: _matmul(transpose(x), g),
             lambda g, y, x, w, b: g)


@_linear.fused
def _linear_backward(g, y, wanted, out, x, w, b):
    """All three gradients in one kernel call, those of W and b straight into their slices of g where they may."""
    dx = kernels.empty(x.shape, x.dtype) if wanted[0] else None
    dw, add_w = gradient_array(wanted[1], out[1], w)
    db, add_b = gradient_array(wanted[2], out[2], b)
    kernels.matmul.linear_backward(g, x, w, dx, dw, db, add_w, add_b)
    return [dx, dw, db]


def _check_layer_shapes(sx, sw, b):
    """ValueError if x, w and b of these shapes are not those of one layer."""
    if len(sw) != 2 or not sx or sx[-1] != sw[0]:
        images = len(sw) == 2 and len(sx) > 2 and math.prod(sx[1:]) == sw[0]
        raise ValueError(f"linear: w must be ({sx[-1] if sx else 'inputs'}, outputs) for x {sx}, got w {sw}"
                         f"{'; flatten the examples first (nn.Flatten, x.flatten(1))' if images else ''}")
    if b is not None and shape_of(b) != sw[1:]:
        raise ValueError(f"linear: b must have shape {sw[1:]} for w {sw}, got {shape_of(b)}")


def linear(x: TensorLike, w: TensorLike, b: TensorLike | None = None) -> Tensor:
    """x W + b, the affine map of a layer. x (..., i), w (i, o), b (o,) or None -> (..., o)."""
    if isinstance(x, Tensor) and isinstance(w, Tensor) and isinstance(b, Tensor):
        m, n, k = x._data, w._data, b._data
        if m.ndim == n.ndim == 2 and m.shape[1] == n.shape[0] and n.shape[1:] == k.shape and (
                m.dtype is n.dtype is k.dtype):
            return _linear(x, w, b)           # as a layer calls it: 0.4 us sooner than through the checks below
    sx, sw = shape_of(x), shape_of(w)
    _check_layer_shapes(sx, sw, b)
    if isinstance(x, list | tuple):
        x = np.asarray(x, w.dtype)
    if x.dtype != w.dtype or b is not None and x.dtype != b.dtype:
        raise ValueError(f"linear: x, w and b must have one dtype, got {x.dtype}, {w.dtype}"
                         f"{'' if b is None else f' and {b.dtype}'}; "
                         "convert the model with model.astype(...) or the data with x.astype(...)")
    if b is None:
        return matmul(x, w)
    if len(sx) == 2:
        return _linear(x, w, b)
    return reshape(_linear(reshape(x, (math.prod(sx[:-1]), sx[-1])), w, b), (*sx[:-1], sw[1]))


# --------------------------------------------------------------------------------------------------- outer, dot, einsum

def outer(a: TensorLike, b: TensorLike) -> Tensor:
    """a (m,), b (n,) -> the matrix a_i b_j (m, n)."""
    if len(shape_of(a)) != 1 or len(shape_of(b)) != 1:
        raise ValueError(f"outer: wanted two vectors, got shapes {shape_of(a)} and {shape_of(b)}")
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))


def dot(a: TensorLike, b: TensorLike) -> Tensor:
    """a (n,), b (n,) -> the number sum_i a_i b_i."""
    if len(shape_of(a)) != 1 or shape_of(a) != shape_of(b):
        raise ValueError(f"dot: wanted two vectors of one length, got shapes {shape_of(a)} and {shape_of(b)}")
    if all(isinstance(x, Tensor | np.ndarray) and x.dtype.kind != "f" for x in (a, b)):
        return matmul(a, b)                   # of integers, as NumPy's
    return sum(multiply(a, b))


def tensordot(a: TensorLike, b: TensorLike, axes: int | tuple[Any, Any] = 2) -> Tensor:
    """Sum over pairs of axes: the axes of a that are left, then those of b.

    axes: how many, the last of a with the first of b in order; or (axes of a, axes of b), ints or as many of each.
    """
    if isinstance(axes, int | np.integer):
        n = count("tensordot", "axes", axes, 0, min(len(shape_of(a)), len(shape_of(b))))
        ours, theirs = range(len(shape_of(a)) - n, len(shape_of(a))), range(n)
    else:
        ours, theirs = ([one_axis("tensordot", x, i) for i in (part if isinstance(part, tuple | list) else (part,))]
                        for x, part in zip((a, b), axes))
    sizes = [[shape_of(x)[i] for i in summed] for x, summed in ((a, ours), (b, theirs))]
    if sizes[0] != sizes[1] or len({*ours}) != len(ours) or len({*theirs}) != len(theirs):
        raise ValueError(f"tensordot: the axes {[*ours]} of shape {shape_of(a)} and {[*theirs]} of shape {shape_of(b)} "
                         "must be distinct and of equal sizes")
    left, right = ([i for i in range(len(shape_of(x))) if i not in summed] for x, summed in ((a, ours), (b, theirs)))
    rows, columns = ([shape_of(x)[i] for i in kept] for x, kept in ((a, left), (b, right)))
    y = matmul(reshape(transpose(a, (*left, *ours)), (math.prod(rows), math.prod(sizes[0]))),
               reshape(transpose(b, (*theirs, *right)), (math.prod(sizes[0]), math.prod(columns))))
    return reshape(y, (*rows, *columns))


@primitive
def _einsum(terms, *xs):
    """terms: (one string of indices per operand, the result's); no index is repeated within an operand."""
    inputs, output = terms
    return np.einsum(",".join(inputs) + "->" + output, *xs)


def _einsum_part(i, g, y, terms, *xs):
    inputs, output = terms
    others = inputs[:i] + inputs[i + 1:]
    known = set(output).union(*others)
    kept = "".join(index for index in inputs[i] if index in known)   # an index of operand i alone was summed away
    d = _einsum(((output, *others), kept), g, *xs[:i], *xs[i + 1:])
    if kept != inputs[i]:
        d = reshape(d, tuple(n if index in known else 1 for index, n in zip(inputs[i], xs[i].shape)))
        d = d + np.zeros(xs[i].shape, xs[i].dtype)
    return d


_einsum.vjps_each(None, _einsum_part)


def einsum(subscripts: str, *xs: TensorLike) -> Tensor:
    """Einstein summation, einsum("ij,jk->ik", a, b). One letter an index; without -> the result's are sorted.

    An index repeated within one operand takes its diagonal. "..." stands for axes that broadcast, counted from the
    last; an index of size 1 in one operand and n in another is broadcast too.
    """
    if not isinstance(subscripts, str):
        hint = f': einsum("{xs[0]:.40}", x)' if xs and isinstance(xs[0], str) else ""
        raise ValueError(f"einsum: the subscripts come first, a string{hint}; got {type(subscripts).__name__}")
    inputs, arrow, output = _spelled_out(subscripts, xs)
    if not all(part.isalpha() or part == "" for part in [*inputs, output]):
        raise ValueError(f'einsum: wanted letters, commas, "..." and one ->, got {subscripts!r}')
    if len(set(output)) != len(output) or set(output) - set("".join(inputs)):
        raise ValueError(f"einsum: the result's indices {output!r} must be distinct and among {','.join(inputs)!r}")
    sizes = {}
    for part, x in zip(inputs, xs):
        if len(part) != len(shape_of(x)):
            raise ValueError(f"einsum: {part!r} names {len(part)} axes, its operand has shape {shape_of(x)}")
        for index, n in zip(part, shape_of(x)):
            if sizes.get(index, 1) == 1 and part.count(index) == 1:
                sizes[index] = n
            elif n != sizes.setdefault(index, n) and (n != 1 or part.count(index) > 1):
                raise ValueError(f"einsum: index {index!r} has sizes {sizes[index]} and {n} in {subscripts!r}")
    pairs = [_without_ones(sizes, *_diagonal(part, x)) for part, x in zip(inputs, xs)]
    return _einsum((tuple(part for part, _ in pairs), output), *[x for _, x in pairs])


def _spelled_out(subscripts, xs):
    """The operands' indices, the arrow if there is one, and the result's indices; letters in the place of "..."."""
    from string import ascii_letters
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    if len(inputs) != len(xs):
        raise ValueError(f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(xs)}")
    more = [max(len(shape_of(x)) - len(part) + 3, 0) if part.count("...") == 1 else 0 for part, x in zip(inputs, xs)]
    free = [letter for letter in ascii_letters if letter not in subscripts][:max(more)]
    every = "".join(free)
    inputs = [part.replace("...", every[len(every) - n:], 1) for part, n in zip(inputs, more)]
    if not arrow:
        letters = "".join(inputs)
        output = every + "".join(sorted(i for i in set(letters) if letters.count(i) == 1 and i not in free))
    elif every and "..." not in output:
        raise ValueError(f'einsum: the result of {subscripts!r} has no "...", over which only ops.sum sums')
    return inputs, arrow, output.replace("...", every, 1)


def _without_ones(sizes, part, x):
    """Operand and its indices without those of size 1 that are larger elsewhere: it is the same for all of them."""
    kept = [i for i, index in enumerate(part) if shape_of(x)[i] == sizes[index]]
    if len(kept) == len(part):
        return part, x
    return "".join(part[i] for i in kept), reshape(x, tuple(shape_of(x)[i] for i in kept))


def _diagonal(part, x):
    """Operand and its indices such that none is repeated: a repeated one is replaced by its diagonal, in front."""
    for index in dict.fromkeys(part):
        if part.count(index) > 1:
            every = np.arange(shape_of(x)[part.index(index)])
            axes = [i for i, other in enumerate(part) if other == index]
            rest = [i for i in range(len(part)) if i not in axes]
            x = getitem(x.transpose((*axes, *rest)), (every,) * len(axes))
            part = index + "".join(part[i] for i in rest)
    return part, x
