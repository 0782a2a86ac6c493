"""Every op has an entry here: its first and second derivatives against differences, in float64, on drawn cases.

A case is drawn anew from a seed: shapes of rank 0 to 5 with sizes 0, 1, 2, 3, 5, 7, operands that broadcast, layouts
that are not contiguous. Inputs are asymmetric and keep 0.05 away from kinks and ties. Ops of a room with a test file of
its own (convolution, pooling, normalization) are listed by that file.
"""
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from minigrad import derivatives, ops
from minigrad.core import OPS, Tensor
from minigrad.testing.gradients import gradcheck, gradgradcheck

SIZES = [0, 1, 2, 3, 5, 7]


# ------------------------------------------------------------------------------------------------------ drawing inputs

class Draw:
    """Shapes and arrays from one seed; `limit` is the largest number of elements of an array."""

    def __init__(self, seed, limit):
        self.rng, self.limit = np.random.default_rng(seed), limit

    def one(self, options):
        return options[self.rng.integers(len(options))]

    def chance(self):
        return bool(self.rng.integers(2))

    def shape(self, low=0, high=5, sizes=SIZES):
        """Rank low ... high; no more than `limit` elements."""
        sizes_left, shape = self.limit, []
        for _ in range(self.rng.integers(low, high + 1)):
            n = self.one([n for n in sizes if n <= max(sizes_left, 1)])
            sizes_left //= max(n, 1)
            shape.append(n)
        return tuple(shape[i] for i in self.rng.permutation(len(shape)))

    def layout(self, x):
        """The same values (but for broadcast ones) behind other strides."""
        x = np.asarray(x)
        kind = self.one(["C", "F", "transposed", "negative", "step", "broadcast", "readonly"])
        if kind == "F" and x.ndim:
            return np.asfortranarray(x)
        if kind == "transposed" and x.ndim:
            axes = self.rng.permutation(x.ndim)
            return np.ascontiguousarray(x.transpose(axes)).transpose(np.argsort(axes))
        if kind == "negative" and x.ndim:
            axis = self.rng.integers(x.ndim)
            return np.flip(np.flip(x, axis).copy(), axis)
        if kind == "step" and x.ndim:
            wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan)
            wide[..., ::2] = x
            return wide[..., ::2]
        if kind == "broadcast" and x.ndim and x.shape[0]:
            return np.broadcast_to(x[:1], x.shape)
        if kind == "readonly":
            x.flags.writeable = False
        return x

    def any(self, *shape):
        """Asymmetric, none near 0."""
        x = self.rng.uniform(0.2, 2, shape) * np.where(self.rng.random(shape) < 0.4, -1, 1)
        return self.layout(x + 0.03 * np.sign(x))

    def positive(self, *shape):
        return self.layout(self.rng.uniform(0.3, 2, shape))

    def distinct(self, *shape):
        """No two closer than 0.05."""
        n = int(np.prod(shape))
        values = (self.rng.permutation(n) - n / 3) * 0.1 + self.rng.uniform(0, 0.04, n)
        return values.reshape(shape)

    def grid(self, offset, *shape):
        """Values near multiples of 0.2, plus an offset: those of two offsets are never tied."""
        return self.layout(0.2 * self.rng.integers(-6, 7, shape) + offset + self.rng.uniform(0, 0.04, shape))

    def operands(self, count=2, low=0, high=4):
        """Shapes that broadcast against each other."""
        whole = self.shape(low, high)
        shapes = []
        for _ in range(count):
            kept = self.rng.integers(len(whole) + 1) if self.chance() else 0
            shapes.append(tuple(1 if self.rng.random() < 0.3 else n for n in whole[kept:]))
        return shapes

    def axis(self, ndim, shape=None):
        """None, an int or a tuple, positive or negative; the axes of `shape` that are reduced are not empty."""
        allowed = [i for i in range(ndim) if shape is None or shape[i]]
        if not allowed or self.chance():
            return None if shape is None or 0 not in shape else (allowed[0] if allowed else None)
        chosen = [int(i) - (ndim if self.chance() else 0) for i in
                  self.rng.permutation(allowed)[:self.rng.integers(1, len(allowed) + 1)]]
        return chosen[0] if len(chosen) == 1 else tuple(chosen)


# ------------------------------------------------------------------------------------- entries: Draw -> function, args

def unary(name, values="any", **fixed):
    function = getattr(ops, name, None) or OPS[name]
    return lambda d: ((lambda x: function(x, **fixed)), [getattr(d, values)(*d.shape())])


def binary(name, first="any", second="any"):
    def entry(d):
        a, b = d.operands()
        return getattr(ops, name), [getattr(d, first)(*a), getattr(d, second)(*b)]
    return entry


def power(d):
    if d.chance():
        return binary("power", "positive")(d)
    exponent = d.one([0, 1, 2, 3, -1, 0.5, 2.0, -1.5])
    if d.chance():
        return (lambda x: x ** exponent), [d.positive(*d.shape())]
    return (lambda x: (exponent or 2) ** x if (exponent or 2) > 0 else 1.7 ** x), [d.any(*d.shape())]


def extremes(name):
    def entry(d):
        a, b = d.operands()
        return getattr(ops, name), [d.grid(0.0, *a), d.grid(0.1, *b)]
    return entry


def remainder(d):
    """a no nearer than a tenth of b to the jumps, which are where b divides it."""
    a, b = d.operands()
    divisor = np.asarray(d.any(*b))
    whole = d.rng.integers(-3, 4, a) + d.rng.uniform(0.1, 0.9, a)
    if len(a) >= len(b) and np.broadcast_shapes(a, b) == a:
        return ops.remainder, [d.layout(whole * divisor), d.layout(divisor)]
    return (lambda x: ops.remainder(x, 0.7)), [d.layout(0.7 * whole)]


def inside(name):
    """An entry for a function of (-1, 1), away from the ends."""
    return lambda d: (getattr(ops, name), [d.layout(0.45 * np.asarray(d.any(*d.shape())))])


def steps(function):
    """An entry for a step function between its jumps, plus something that has a derivative."""
    return lambda d: ((lambda x: function(x) + 0.5 * x), [d.grid(0.04, *d.shape())])


def sort(d):
    shape = d.shape(1)
    axis = None if d.rng.random() < 0.3 else int(d.rng.integers(-len(shape), len(shape)))
    descending = d.chance()
    return (lambda x: ops.sort(x, axis, descending)), [d.layout(d.distinct(*shape))]


def cumprod(d):
    function, (x,) = along("cumprod")(d)
    x = np.array(x)
    x[d.rng.random(x.shape) < 0.2] = 0
    return function, [d.layout(x)]


def recurrence(d):
    shape = d.shape(1, 3)
    return OPS["recurrence"], [d.any(*shape), d.any(*shape)]


def topk(d):
    shape = d.shape(1, sizes=SIZES[1:])
    axis, largest = int(d.rng.integers(-len(shape), len(shape))), d.chance()
    k = int(d.rng.integers(0, shape[axis] + 1))
    return (lambda x: ops.topk(x, k, axis, largest)[0]), [d.distinct(*shape)]


def take_along_axis(d):
    shape = d.shape(1, sizes=SIZES[1:])
    axis = int(d.rng.integers(len(shape)))
    index = d.rng.integers(-shape[axis], shape[axis], (*shape[:axis], 4, *shape[axis + 1:]))
    return (lambda x: ops.take_along_axis(x, index, axis)), [d.any(*shape)]


def differences(d):
    shape = d.shape(1)
    axis, n = int(d.rng.integers(-len(shape), len(shape))), d.one([1, 2])
    return (lambda x: ops.diff(x, n, axis)), [d.any(*shape)]


def norm_of(d):
    function, (x,) = reduction("norm", empty=False)(d)
    axis, order = d.axis(x.ndim, x.shape), d.one([1, 1.5, 2, 3, 4.5, np.inf, -np.inf, -1, 0.5])
    return (lambda x: ops.norm(x, axis=axis, order=order)), [d.distinct(*x.shape) + 0.02]


def tensordot(d):
    j, k, m, n = (d.one(SIZES[:4]) for _ in range(4))
    a, b, axes = d.one([((m, k), (k, n), 1), ((m, k, j), (k, j), 2), ((m,), (n,), 0), ((m, k), (n, k), (-1, 1)),
                        ((k, m, j), (j, n, k), ([0, 2], [2, 0]))])
    return (lambda a, b: ops.tensordot(a, b, axes)), [d.any(*a), d.any(*b)]


def moveaxis(d):
    x = d.any(*d.shape(1))
    n = int(d.rng.integers(1, x.ndim + 1))
    source, destination = (tuple(int(i) for i in d.rng.permutation(x.ndim)[:n]) for _ in range(2))
    return (lambda x: ops.moveaxis(x, source, destination)), [x]


def joined(name):
    def entry(d):
        shape = d.shape(0, 3)
        return (lambda *xs: getattr(ops, name)(xs)), [d.any(*shape) for _ in range(d.rng.integers(1, 4))]
    return entry


def linspace(d):
    a, b = d.operands(high=3)
    n = d.one([0, 1, 2, 5])
    return (lambda a, b: ops.linspace(a, b, n)), [d.any(*a), d.any(*b)]


def where(d):
    shapes = d.operands(3)
    condition = d.rng.random(shapes[2]) < 0.5
    return (lambda a, b: ops.where(condition, a, b)), [d.any(*shapes[0]), d.any(*shapes[1])]


def clip(d):
    low, high = d.one([(-0.45, 0.65), (None, 0.65), (-0.45, None), (None, None)])
    return (lambda x: ops.clip(x, low, high)), [d.grid(0.0, *d.shape())]


def relu_gate(d):
    shape = d.shape()
    y = np.asarray(np.maximum(d.any(*shape), 0))
    return (lambda g: OPS["relu_gate"](g, y)), [d.any(*shape)]


def gate(name):
    def entry(d):
        shape = d.shape()
        return OPS[name], [d.any(*shape), d.any(*shape)]
    return entry


def reshape(d):
    x = d.any(*d.shape())
    shapes = [(x.size,), x.shape[::-1], (1, *x.shape), (*x.shape, 1)] + ([(-1,), (1, -1)] if x.size else [])
    shape = d.one(shapes)
    return (lambda x: ops.reshape(x, shape)), [x]


def transpose(d):
    x = d.any(*d.shape())
    axes = None if d.chance() else tuple(int(i) for i in d.rng.permutation(x.ndim))
    return (lambda x: ops.transpose(x, axes)), [x]


def broadcast_to(d):
    whole = d.shape()
    kept = d.rng.integers(len(whole) + 1)
    shape = tuple(1 if d.chance() else n for n in whole[kept:])
    return (lambda x: ops.broadcast_to(x, whole)), [d.any(*shape)]


def an_index(d, shape):
    n = shape[0]
    options = [None, Ellipsis, slice(None), slice(1, None, 2), slice(None, None, -1), (Ellipsis, slice(0, 2)),
               (None, slice(None, None, -2)), np.zeros(0, np.int64), d.rng.random(n) < 0.5]
    if n:
        rows = d.rng.integers(-n, n, 4)                 # repeated, and negative
        options += [int(rows[0]), rows, rows.reshape(2, 2), list(map(int, rows)), (rows, None), np.int64(rows[1])]
        if len(shape) > 1 and shape[1]:
            columns = d.rng.integers(0, shape[1], 4)
            options += [(rows, columns), (slice(None), columns), (rows[:, None], columns), (int(rows[0]), columns)]
    if len(shape) > 1:
        options += [d.rng.random(shape[:2]) < 0.5, (slice(None), slice(None, None, -1))]
    return d.one(options)


def getitem(d):
    x = d.any(*d.shape(1))
    index = an_index(d, x.shape)
    return (lambda x: x[index]), [x]


def scatter(d):
    shape = d.shape(1)
    index = an_index(d, shape)
    if isinstance(index, list):
        index = np.array(index)
    return (lambda g: ops.scatter(g, index, shape)), [d.any(*np.zeros(shape)[index].shape)]


def concatenate(d):
    shape = d.shape(1)
    axis = int(d.rng.integers(len(shape)))
    parts = [d.any(*shape[:axis], d.one([0, 1, 2, 3]), *shape[axis + 1:]) for _ in range(d.rng.integers(1, 5))]
    return (lambda *xs: ops.concatenate(xs, axis - len(shape) if d.limit % 2 else axis)), parts


def stack(d):
    shape = d.shape(0, 4)
    axis = int(d.rng.integers(-len(shape) - 1, len(shape) + 1))
    return (lambda *xs: ops.stack(xs, axis)), [d.any(*shape) for _ in range(d.rng.integers(1, 4))]


def split(d):
    shape = (6, *d.shape(0, 2))
    part = int(d.rng.integers(3))
    return (lambda x: ops.split(x, 3)[part]), [d.any(*shape)]


def pad(d):
    x = d.any(*d.shape(1))
    widths = [(int(a), int(b)) for a, b in d.rng.integers(0, 3, (x.ndim, 2))]
    return (lambda x: ops.pad(x, widths, 0.7)), [x]


def pad_with_itself(d):
    x = d.any(*d.shape(1, 3, SIZES[1:]))
    widths = [(int(a), int(b)) for a, b in d.rng.integers(0, 3, (x.ndim, 2))]
    mode = d.one(["edge", "reflect", "symmetric", "wrap"])
    return (lambda x: ops.pad(x, widths, mode=mode) * 1.0), [x]


def reduction(name, values="any", empty=True):
    def entry(d):
        shape = d.shape(sizes=SIZES if empty else SIZES[1:])
        axis, keepdims = d.axis(len(shape), None if empty else shape), d.chance()
        function = getattr(ops, name)
        return (lambda x: function(x, axis=axis, keepdims=keepdims)), [getattr(d, values)(*shape)]
    return entry


def prod(d):
    shape = d.shape()
    axis, keepdims = d.axis(len(shape)), d.chance()
    x = np.array(d.any(*shape))
    x[d.rng.random(shape) < 0.2] = 0                    # one zero, or several, among the factors
    return (lambda x: ops.prod(x, axis=axis, keepdims=keepdims)), [d.layout(x)]


def along(name, *options):
    """An entry for a function of an array, something drawn from the options, and an axis or None."""
    def entry(d):
        shape = d.shape(1)
        axis = None if d.rng.random() < 0.3 else int(d.rng.integers(-len(shape), len(shape)))
        chosen = [d.one(options)] if options else []
        return (lambda x: getattr(ops, name)(x, *chosen, axis=axis)), [d.any(*shape)]
    return entry


def tile(d):
    counts = d.one([2, (2, 1), [1, 3], (1, 2, 1), (0, 2), ()])
    return (lambda x: ops.tile(x, counts)), [d.any(*d.shape(0, 3))]


def offset(name, low, high):
    """An entry for a function of matrices and the number k of a diagonal."""
    def entry(d):
        k = int(d.rng.integers(-3, 4))
        return (lambda x: getattr(ops, name)(x, k)), [d.any(*d.shape(low, high))]
    return entry


def matmul(d):
    m, k, n = (d.one(SIZES) for _ in range(3))
    lead_a, lead_b = d.one([((), ()), ((), ()), ((2,), ()), ((), (2,)), ((2, 1), (3,)), ((1,), (2,)), ((0,), (1,))])
    a, b = (*lead_a, m, k), (*lead_b, k, n)
    if not lead_a and d.rng.random() < 0.2:
        a = (k,)
    if not lead_b and d.rng.random() < 0.2:
        b = (k,)
    return ops.matmul, [d.any(*a), d.any(*b)]


def linear(d):
    lead, i, o = d.one([(3,), (1,), (0,), (), (2, 2), (2, 0), (5,)]), d.one(SIZES), d.one(SIZES)
    return ops.linear, [d.any(*lead, i), d.any(i, o)] + ([d.any(o)] if d.chance() else [])


def einsum(d):
    text = d.one(["ij,jk->ik", "ij->", "ij->ji", "i,i->", "i,j->ij", "bij,bjk->bik", "ij,kj", "ijk,k->j", "ii->i", "ii",
                  "...j,jk->...k", "i...,...->i...", "b...,b...", "...ij->...ji", "...->...", "i...->...",
                  "iij->ij", "i,ij,j->", "ij,ij->i", "i->", ",i->i", "ij,j", "iji->j"])
    size = {index: d.one([0, 1, 2, 3]) for index in "bijk"}
    parts, more = text.split("->")[0].split(","), d.shape(0, 2, [0, 1, 2])
    shapes = []
    for part in parts:
        dots = more[d.rng.integers(len(more) + 1):]
        one = d.rng.random() < 0.3 and len({*part}) == len(part) > 1              # an index of size 1 is broadcast
        front, _, back = part.partition("...")
        front, back = [size[i] for i in front], [1 if one else size[i] for i in back]
        shapes.append(tuple([*front, *(1 if d.chance() else n for n in dots), *back] if "." in part else front))
    return (lambda *xs: ops.einsum(text, *xs)), [d.any(*shape) for shape in shapes]


def inner(d):
    shapes = [d.shape(0, 2) for _ in range(d.rng.integers(1, 4))]
    return OPS["inner"], [d.any(*shape) for shape in shapes for _ in range(2)]


def softmax(name):
    def entry(d):
        shape = d.shape(1, 4, SIZES[1:])
        axis = int(d.rng.integers(-len(shape), len(shape)))
        return (lambda x: getattr(ops, name)(x, axis)), [d.any(*shape)]
    return entry


def softmax_gate(d):
    shape = d.shape(1, 4, SIZES[1:])
    axis = int(d.rng.integers(-len(shape), len(shape)))
    return (lambda g, y: OPS["softmax_gate"](g, y, axis)), [d.any(*shape), d.any(*shape)]


def cross_entropy_gate(d):
    m, k = d.one(SIZES[1:]), d.one(SIZES[1:])
    labels = d.rng.integers(0, k, m)
    return (lambda g, x: OPS["cross_entropy_gate"](g, x, labels)), [d.any(), d.any(m, k)]


def cross_entropy(d):
    m, k = d.one(SIZES[1:]), d.one(SIZES[1:])
    labels = d.rng.integers(0, k, m)
    return (lambda x: ops.softmax_cross_entropy(x, labels)), [d.any(m, k)]


def moved(function, low=1, high=4, sizes=SIZES):
    """An entry for a function of one array and nothing else to draw."""
    return lambda d: (function, [d.any(*d.shape(low, high, sizes))])


ENTRIES = {
    "add": binary("add"), "subtract": binary("subtract"), "multiply": binary("multiply"), "divide": binary("divide"),
    "negative": unary("negative"), "power": power, "square": unary("square"),
    "floor_divide": lambda d: ((lambda x: ops.floor_divide(x, 0.7) + x), [d.layout(0.7 * (
        d.rng.integers(-3, 4, s) + d.rng.uniform(0.1, 0.9, s))) for s in [d.shape()]]), "remainder": remainder,
    "exp2": unary("exp2"), "log2": unary("log2", "positive"), "log10": unary("log10", "positive"),
    "logaddexp": binary("logaddexp"), "tan": inside("tan"), "arcsin": inside("arcsin"), "arccos": inside("arccos"),
    "arctan": unary("arctan"), "sinh": unary("sinh"), "cosh": unary("cosh"), "arcsinh": unary("arcsinh"),
    "arccosh": lambda d: (ops.arccosh, [d.layout(1.2 + np.asarray(d.positive(*d.shape())))]),
    "arctanh": inside("arctanh"), "floor": steps(ops.floor), "ceil": steps(ops.ceil),
    "round": steps(lambda x: ops.round(x, 1) + ops.round(x)),
    "cumprod": cumprod, "recurrence": recurrence,
    "exp": unary("exp"), "expm1": unary("expm1"), "log": unary("log", "positive"), "log1p": unary("log1p", "positive"),
    "sqrt": unary("sqrt", "positive"), "sin": unary("sin"), "cos": unary("cos"), "erf": unary("erf"),
    "abs": unary("abs"), "sign": unary("sign"),
    "maximum": extremes("maximum"), "minimum": extremes("minimum"), "where": where, "clip": clip,
    "relu": unary("relu"), "relu_gate": relu_gate, "leaky_relu": unary("leaky_relu", slope=0.2),
    "elu": unary("elu", alpha=0.7), "gelu": unary("gelu"), "normal_cdf": unary("normal_cdf"),
    "one_less_square": unary("one_less_square"), "sigmoid": unary("sigmoid"), "tanh": unary("tanh"),
    "sigmoid_gate": gate("sigmoid_gate"), "tanh_gate": gate("tanh_gate"), "softplus": unary("softplus"),
    "astype": lambda d: ((lambda x: ops.astype(x, np.float64)), [d.any(*d.shape())]),
    "reshape": reshape, "transpose": transpose, "broadcast_to": broadcast_to, "getitem": getitem, "scatter": scatter,
    "concatenate": concatenate, "pad": pad,
    "sum": reduction("sum"), "cumsum": along("cumsum"),
    "max": reduction("max", "distinct", False), "min": reduction("min", "distinct", False),
    "logsumexp": reduction("logsumexp", empty=False), "norm": reduction("norm"),
    "matmul": matmul, "linear": linear, "einsum": einsum, "inner": inner,
    "softmax": softmax("softmax"), "log_softmax": softmax("log_softmax"), "softmax_cross_entropy": cross_entropy,
    "softmax_gate": softmax_gate, "cross_entropy_gate": cross_entropy_gate,
}
COMPOSED = {       # functions of ops that are made of the above
    "sort": sort, "topk": topk, "diff": differences,
    "take_along_axis": take_along_axis, "norm of an order": norm_of, "tensordot": tensordot, "moveaxis": moveaxis,
    "pad with itself": pad_with_itself, "vstack": joined("vstack"), "hstack": joined("hstack"), "linspace": linspace,
    "prod": prod, "repeat": along("repeat", 0, 1, 2, [3]), "roll": along("roll", 0, 1, -2, 9), "tile": tile,
    "diag": offset("diag", 1, 2), "trace": offset("trace", 2, 2), "tril": offset("tril", 2, 4),
    "triu": offset("triu", 2, 4),
    "mean": reduction("mean", empty=False), "var": reduction("var", empty=False),
    "std": moved(lambda x: ops.std(x + np.arange(3.0), axis=-1), 1, 1, [3]),
    "stack": stack, "split": split, "flatten": moved(ops.flatten), "squeeze": moved(ops.squeeze, 0),
    "expand_dims": moved(lambda x: ops.expand_dims(x, (0, -1)), 0), "flip": moved(lambda x: ops.flip(x, -1)),
    "flip all": moved(ops.flip, 0), "split at": moved(lambda x: ops.split(x, [1, -1], axis=-1)[1]),
    "swapaxes": moved(lambda x: ops.swapaxes(x, 0, -1)),
    "outer": lambda d: (ops.outer, [d.any(d.one(SIZES)), d.any(d.one(SIZES))]),
    "dot": lambda d: (ops.dot, [d.any(4), d.any(4)]),
}
NO_GRADIENT = {"argmax", "argmin", "argsort", "one_hot"}
assert derivatives                         # imported for the op it defines
tally = []                                 # (entries, decided by the relative term) of every check made


def own_file(op):
    """tests/ops/test_conv.py for an op of minigrad/ops/conv.py."""
    *rooms, name = op.op.forward.__module__.split(".")[1:]
    return Path(__file__).parents[1].joinpath(*rooms, f"test_{name}.py")


def test_every_op_has_an_entry_or_a_file_of_its_own():
    missing = []
    for name, op in OPS.items():
        if op.op.forward.__module__.startswith("minigrad.") and name not in ENTRIES:
            file = own_file(op)
            if not file.exists() or "gradcheck" not in file.read_text():
                missing.append(f"{name} (no entry here, and {file.name} does not gradcheck)")
    assert not missing


def test_every_public_function_of_ops_has_an_entry_or_a_file_of_its_own():
    public = {name: f for name, f in vars(ops).items() if callable(f) and not name.startswith("_") and f is not Tensor}
    known = ENTRIES.keys() | COMPOSED.keys() | NO_GRADIENT
    for name, function in public.items():
        file = Path(__file__).parent / f"test_{function.__module__.rpartition('.')[2]}.py"
        assert name in known or (file.exists() and "gradcheck" in file.read_text()), f"{name} is checked nowhere"


def check(name, cases, seed):
    entry = (ENTRIES | COMPOSED)[name]
    start = zlib.crc32(name.encode()) + 10_000 * seed
    for case in range(cases):
        function, args = entry(Draw(start + case, limit=48))
        report = gradcheck(function, *args, rng=case, name=f"{name}, case {start + case}")
        tally.append(report[:2])
        function, args = entry(Draw(start + case, limit=8))
        report = gradgradcheck(function, *args, rng=case, name=f"{name}, case {start + case}")
        tally.append(report[:2])


@pytest.mark.parametrize("name", [*ENTRIES, *COMPOSED])
def test_derivatives_of(name):
    check(name, cases=12, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("name", [*ENTRIES, *COMPOSED])
def test_derivatives_of_200_cases(name):
    check(name, cases=200, seed=1)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "where"])
@settings(max_examples=12, derandomize=True, deadline=None, database=None)
@given(shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3), seed=st.integers(0, 99))
def test_broadcasting_is_undone(name, shapes, seed):
    d = Draw(seed, 48)
    a, b = (0.2 * d.rng.integers(3, 9, shape) + i / 10 + d.rng.uniform(0, 0.04, shape)
            for i, shape in enumerate(shapes.input_shapes))
    condition = d.rng.random(shapes.result_shape) < 0.5
    function = (lambda a, b: ops.where(condition, a, b)) if name == "where" else getattr(ops, name)
    tally.append(gradcheck(function, a, b, rng=seed, name=name)[:2])
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    function(x, y).sum().backward()
    assert x.grad.shape == a.shape and y.grad.shape == b.shape


@pytest.mark.parametrize("name", [*ENTRIES, *COMPOSED])
def test_a_changed_argument_is_refused_by(name):
    function, args = (ENTRIES | COMPOSED)[name](Draw(5, limit=48))
    for i in range(len(args)):
        leaves = [Tensor(np.array(a), requires_grad=True) for a in args]
        y = function(*leaves)
        leaves[i].data = leaves[i].data.copy()
        with pytest.raises(RuntimeError, match="saved the value of a leaf, which has changed since"):
            y.backward(np.ones(y.shape))
        assert all(x.grad is None for x in leaves)


@pytest.mark.parametrize("name", [*ENTRIES, *COMPOSED])
def test_float32_stays_float32_and_near_float64(name):
    if name in ("astype", "relu_gate", "std"):
        return                                  # those entries hold a float64 array or convert to it
    for seed in range(4):
        function, args = (ENTRIES | COMPOSED)[name](Draw(seed, limit=48))
        narrow = [Tensor(a.astype(np.float32), requires_grad=True) for a in args]
        wide = [Tensor(x.data.astype(np.float64), requires_grad=True) for x in narrow]
        y, z = function(*narrow), function(*wide)
        g = np.random.default_rng(seed).standard_normal(y.shape)
        y.backward(g)
        z.backward(g)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.data, z.data, rtol=1e-5, atol=1e-6)
        for a, b in zip(narrow, wide):
            assert a.grad.dtype == np.float32
            np.testing.assert_allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def test_nine_tenths_are_decided_by_the_relative_term():
    if not tally:
        pytest.skip("no check was run")
    entries, relative = np.sum(tally, axis=0)
    assert relative >= 0.9 * entries, f"{relative} of {entries}"
