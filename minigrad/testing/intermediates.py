"""`compare_intermediates(student, loss)`: where does a backward pass written by hand go wrong first?

    z = x @ w + b                                            # the forward pass, in Tensors
    h = ops.tanh(z)
    loss = losses.cross_entropy(h @ v, labels)

    mine = {"h": dh, "z": dz, "w": dw, "b": db}              # gradients worked out by hand, in NumPy
    compare_intermediates(mine, loss, {"h": h, "z": z, "w": w, "b": b})
"""
from collections.abc import Callable, Mapping
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np

from minigrad.arguments import number as check
from minigrad.core import Tensor
from minigrad.core.sweep import one_step
from minigrad.graph import Step, steps
from minigrad.graph.reading import named
from minigrad.testing.gradients import GradientError

TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2}        # of the largest entry: rounding of another order
MOST_WAYS = 5                                                          # of a result, for which signs are tried


class WrongIntermediate(GradientError):
    """The first wrong gradient: name, index (None for a wrong shape), got, wanted, hint ("" if nothing explains it)."""

    def __init__(self, message: str, **found: Any) -> None:
        super().__init__(message)
        self.__dict__.update(found)


class Compared(NamedTuple):
    """What agreed: name -> largest difference, relative to the gradient's largest entry, in the order of backward; and
    the named results and parameters for which nothing was given."""
    differences: dict[str, float]
    skipped: tuple[str, ...]


def compare_intermediates(student: Mapping[str, Any] | Callable[[], Mapping[str, Any]], loss: Tensor,
                          names: dict[str, Tensor] | None = None, g: Any = None,
                          tolerance: float | None = None) -> Compared:
    """Compare gradients that were worked out by hand with the engine's, in the order in which backward meets them.

    student: {name: dJ/d(that array)}, or a function that returns it. A name is one of `names`, a parameter's own, or
    "#3", an op's number in `graph.draw(loss)`. loss: a Tensor with its graph, which is kept, and no leaf receives its
    gradient. names: {"h": Tensor, ...}, as in `graph.draw`. g: dJ/d(loss) where loss is not a single number.
    tolerance: of an entry, relative to the largest of its array; by default what the dtype allows.

    Returns a Compared. Raises WrongIntermediate at the first that is wrong (those before it are right, so the mistake
    is in its own line): its shape, the first entry that differs, and what would explain the difference, if a sum over
    the batch, a factor, a transpose, a sign, a missing way or a missing derivative does. ValueError for a name that
    the graph does not have.
    """
    given = student() if callable(student) else student
    if not isinstance(given, Mapping):
        raise ValueError(f"compare_intermediates: wanted a dict of name -> gradient, got {type(given).__name__}")
    if tolerance is not None:
        tolerance = check("compare_intermediates", "tolerance", tolerance, "(0, inf)")
    nodes, label = named(loss, names)
    number = {node: i for i, node in enumerate(nodes, 1)}
    graph = _Graph(steps(loss, g), {node: label.get(node, f"#{number.get(node)} {node.op and node.op.name}")
                                    for node in [*nodes, *label]})
    places = {f"#{i}": node for node, i in number.items()} | {name: node for node, name in label.items()}
    places |= {name: x.node for name, x in (names or {}).items()}         # one Tensor may have two names
    unknown = [name for name in given if name not in places or places[name] not in graph.totals]
    if unknown:
        known = [name for name, node in places.items() if node in graph.totals and not name.startswith("#")]
        raise ValueError(f"compare_intermediates: the loss does not come from {', '.join(map(repr, unknown))}; it "
                         f"comes from {', '.join(known)}, #1 ... #{len(nodes)} (see graph.draw); name others by names=")
    agreed: dict[str, float] = {}
    for node in graph.order():
        for name, gradient in given.items():
            if places[name] is node:
                got = gradient.data if isinstance(gradient, Tensor) else np.asarray(gradient)
                agreed[name] = _compare(name, node, got, graph, list(agreed), len(given), tolerance)
    compared = {places[name] for name in given}
    skipped = tuple(name for node, name in label.items() if node in graph.totals and node not in compared)
    return Compared(agreed, skipped)


class _Graph:
    """The engine's gradients: totals, and for each node the steps that give to it."""

    def __init__(self, made: list[Step], called: dict[Any, str]) -> None:
        self.made, self.called = made, called
        self.totals = {made[0].node: made[0].g} if made else {}
        self.ways: dict[Any, list[Step]] = {}
        for step in made:
            self.totals |= step.total
            for parent in step.share:
                self.ways.setdefault(parent, []).append(step)

    def order(self) -> list[Any]:
        """The nodes in the order in which their gradients are complete: none is before one that it depends on."""
        done = {self.made[0].node: -1} if self.made else {}
        for i, step in enumerate(self.made):
            done |= dict.fromkeys(step.share, i)
        return sorted(done, key=done.__getitem__)

    def sizes(self) -> dict[int, str]:
        """Lengths of axes, and the array that has one: what a mean divides by."""
        found: dict[int, str] = {}
        for step in reversed(self.made):
            for array in (step.node.data, *(v for v in step.node.values if isinstance(v, np.ndarray))):
                for axis, length in enumerate(array.shape):
                    found.setdefault(length, f"axis {axis} of {_shape(array.shape)}")
                found.setdefault(array.size, f"all of {_shape(array.shape)}")
        return found


def _compare(name, node, got, graph, before, count, tolerance):
    """The largest difference, relative. Raises WrongIntermediate."""
    wanted = graph.totals[node]
    tolerance = TOLERANCE.get(wanted.dtype.name, 1e-9) if tolerance is None else tolerance
    same = _Same(tolerance)
    position = f"dJ/d{name}, number {len(before) + 1} of {count} in the order of backward"
    agree = f" Those before it agree: {', '.join(before)}." if before else ""
    takes = " and ".join(dict.fromkeys(graph.called[step.node] for step in graph.ways.get(node, ())))
    takes = f" {name} is taken by {takes}: reread the way back through {'it' if ' and ' not in takes else 'them'}." \
        if takes else ""
    if got.dtype.kind not in "fiub":
        raise WrongIntermediate(f"{position}: wanted an array of numbers, got dtype {got.dtype}", name=name, index=None,
                                got=got, wanted=wanted, hint="")
    if got.shape != wanted.shape:
        hint = _shape_hint(got, wanted, same)
        raise WrongIntermediate(
            f"{position}: it has shape {_shape(got.shape)}, {name} has {_shape(wanted.shape)}.{agree}{takes}"
            f"{f' Hint: {hint}' if hint else ''}", name=name, index=None, got=got, wanted=wanted, hint=hint)
    with np.errstate(all="ignore"):                                    # infinities are equal to themselves
        difference = np.where(got == wanted, 0.0, np.abs(got - wanted) / same.scale(wanted))
    bad = ~(difference <= tolerance)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        hint = _hint(name, node, got, wanted, graph, same)
        at = f" at {list(index)}" if index else ""
        raise WrongIntermediate(
            f"{position}: shape {_shape(got.shape)} is right, but{at} it is {got[index]:.6g}, wanted "
            f"{wanted[index]:.6g} ({int(bad.sum())} of {bad.size} entries differ).{agree}{takes}"
            f"{f' Hint: {hint}' if hint else ''}", name=name, index=index, got=got, wanted=wanted, hint=hint)
    return float(difference.max(initial=0.0))


class _Same:
    """Whether two arrays are equal up to the tolerance, relative to the largest entry of the second."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance

    @staticmethod
    def scale(wanted):
        top = float(np.max(np.abs(wanted), initial=0.0))
        return top if 0 < top < np.inf else 1.0

    def __call__(self, a, b):
        with np.errstate(all="ignore"):
            return a.shape == b.shape and bool(np.all(np.abs(a - b) <= self.tolerance * self.scale(b)))


def _shape_hint(got, wanted, same):
    """What would turn a gradient of another shape into the right one."""
    if got.size == wanted.size:
        if same(got.T, wanted):
            return "transposed"
        if same(got.reshape(wanted.shape), wanted):
            return "the right numbers in another shape"
    for a in range(1, got.ndim + 1):
        for axes in combinations(range(got.ndim), a):
            for keep in (False, True):
                if same(got.sum(axes, keepdims=keep), wanted):
                    return f"missing sum over {_axes(axes)}, along which it was broadcast"
                if same(got.mean(axes, keepdims=keep), wanted):
                    return f"missing mean over {_axes(axes)}"
    for a in range(1, wanted.ndim + 1):
        for axes in combinations(range(wanted.ndim), a):
            for keep in (False, True):
                if same(got, wanted.sum(axes, keepdims=keep)) or same(got, wanted.mean(axes, keepdims=keep)):
                    return f"summed over {_axes(axes)}, which should have stayed"
    return "a gradient has the shape of what it belongs to"


def _hint(name, node, got, wanted, graph, same):
    """What explains the difference between two gradients of one shape; "" if nothing here does."""
    if not np.isfinite(wanted).all():
        return "the engine's own is not finite: minigrad.detect_anomaly names the op that made it so"
    if not np.isfinite(got).all():
        return "it is not finite: a division by 0, or log(0)?"
    if not wanted.any():
        return "nothing should arrive here"
    if not got.any():
        return "it is zero everywhere"
    factor = _factor(got, wanted, graph, same)
    if factor:
        return factor
    if got.ndim >= 2 and same(np.swapaxes(got, -1, -2), wanted):
        return "transposed"
    ways = graph.ways.get(node, [])
    shares = [step.share[node] for step in ways]
    if 1 < len(shares) <= MOST_WAYS:
        for signs in product((1, 0, -1), repeat=len(shares)):
            if same(np.sum([s * share for s, share in zip(signs, shares)], axis=0), got):
                missing = [graph.called[step.node] for s, step in zip(signs, ways) if s == 0]
                turned = [graph.called[step.node] for s, step in zip(signs, ways) if s == -1]
                return "; ".join([f"{name} is used {len(ways)} times, and the gradients of all ways are added: missing "
                                  f"is the way through {' and '.join(missing)}"] * bool(missing)
                                 + [f"the sign of the way through {' and '.join(turned)}"] * bool(turned))
    for step in ways:
        own = graph.called[step.node]
        if step.g.shape == got.shape and same(step.g, got):
            return f"it is the gradient of {own} unchanged: the derivative of {step.node.op.name} is missing"
        if same(one_step(step.node, np.ones_like(step.g))[node], got):
            return f"the derivative of {step.node.op.name} alone: multiply it by the gradient of {own} that arrives"
    for a in range(1, wanted.ndim + 1):
        for axes in combinations(range(wanted.ndim), a):
            for how, reduced in (("summed", wanted.sum(axes, keepdims=True)),
                                 ("averaged", wanted.mean(axes, keepdims=True))):
                if same(got, np.broadcast_to(reduced, wanted.shape)):
                    return f"{how} over {_axes(axes)}, which should have stayed"
    return ""


def _factor(got, wanted, graph, same):
    """A sign, a factor n or 1/n of the length of an axis, or any other."""
    factor = float(np.vdot(wanted, got) / np.vdot(wanted, wanted))
    if not factor or not same(got, factor * wanted):
        return ""
    if abs(factor + 1) < 1e-3:
        return "sign"
    sign, size = "-" if factor < 0 else "", abs(factor)
    for n, where in graph.sizes().items():
        for value, text in ((n, f"{n}"), (1 / n, f"1/{n}") if n else (0, "")):
            if n > 1 and abs(size / value - 1) < 1e-3:
                return f"a factor {sign}{text}, {where}: the mean's division {'twice' if value < 1 else 'left out'}?"
    return f"a factor {factor:.6g}" if got.size > 1 else ""


def _axes(axes):
    text = " and ".join(map(str, axes))
    return f"axis {text}{' (the batch)' if axes == (0,) else ''}" if len(axes) == 1 else f"axes {text}"


def _shape(shape):
    return "(" + ", ".join(map(str, shape)) + ")"
