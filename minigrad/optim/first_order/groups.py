"""Parameter groups: hyperparameters of their own for some slices of theta, and frozen slices.

    optim.Adam(model.parameters(), lr=1e-3, groups={"0.*": dict(lr=1e-4), "1.bias": dict(frozen=True)})
    optim.SGD(theta, lr=0.1, groups=[dict(params=slice(0, 10), lr=0.01)])

A group's params: a pattern over the names of the slices (`*`, `?`, `[ab]`), a slice of theta, the parameters of a
sub-module, or a list of these. What no group names is the rest, with the optimizer's own hyperparameters; a group
uses those too, for what it does not state. A parameter belongs to one group at most.
"""
from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from minigrad.optim.parameters import shape_of
from minigrad.typing import Array


class Group:
    """One group: `group["lr"] = 0.01` assigns, validated; group["lr"] is its own value or else the optimizer's."""
    label: str
    opt: Any
    intervals: Any
    own: dict[str, Any]
    frozen: bool

    def __init__(self, opt: Any, label: str, intervals: Any = (), own: dict[str, Any] | None = None,
                 frozen: bool = False) -> None:
        self.opt, self.label, self.intervals, self.own, self.frozen = opt, label, intervals, {}, frozen
        for name, value in (own or {}).items():
            self[name] = value

    def __getitem__(self, name: str) -> Any:
        return self.frozen if name == "frozen" else self.own.get(name, self.opt._hyper[name])

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "frozen":
            self.frozen = bool(value)
        elif name not in self.opt._hyper:
            raise ValueError(f"{type(self.opt).__name__}: group {self.label} has no hyperparameter {name!r}; "
                             f"there are {', '.join(self.opt._hyper)}, frozen")
        elif not self.intervals:
            setattr(self.opt, name, value)
        else:
            self.own[name] = self.opt.validated(name, value)
            self.opt.follow()

    def __repr__(self) -> str:
        return f"Group({self.label}: {self.own}{', frozen' if self.frozen else ''})"


def make_groups(opt: Any, groups: Any) -> list[Group]:
    """The groups a user wrote, as Group objects. ValueError if one matches nothing or has an unknown hyperparameter."""
    if isinstance(groups, dict):
        groups = [dict(own, params=pattern) for pattern, own in groups.items()]
    made = []
    for group in groups or ():
        if not isinstance(group, dict) or "params" not in group:
            raise ValueError(f"{type(opt).__name__}: a group is dict(params=..., lr=...), got {group!r}")
        own = {name: value for name, value in group.items() if name not in ("params", "frozen")}
        label = _label(group["params"])
        made.append(Group(opt, label, find(opt, group["params"]), own, bool(group.get("frozen", False))))
    return made


def _label(params):
    return repr(params) if isinstance(params, (str, slice)) else \
        f"[{', '.join(map(_label, params))}]" if isinstance(params, (list, tuple)) else "of a sub-module"


def find(opt: Any, params: Any) -> list[tuple[int, int]]:
    """The intervals (start, stop) of theta that `params` names."""
    who, theta, slices = type(opt).__name__, opt.params.theta, opt.params.slices
    if isinstance(params, str):
        found = [(part.start, part.stop) for name, part in slices.items() if fnmatchcase(name, params)]
        if not found:
            raise ValueError(f"{who}: group {params!r} matches no parameter; there are {', '.join(slices)}")
        return found
    if isinstance(params, slice):
        start, stop = params.start or 0, len(theta) if params.stop is None else params.stop
        if params.step not in (None, 1) or not 0 <= start < stop <= len(theta):
            raise ValueError(f"{who}: a group's slice must lie in (0, {len(theta)}), not be empty and have step 1, "
                             f"got {params}")
        return [(start, stop)]
    if isinstance(params, (list, tuple)):
        return [interval for part in params for interval in find(opt, part)]
    part = getattr(params, "theta", params)
    if isinstance(part, np.ndarray) and part.ndim == 1 and len(part) and part.dtype == theta.dtype:
        return [place(who, part, theta)]
    raise ValueError(f"{who}: a group's params must be a name pattern, a slice, the parameters of a sub-module or a "
                     f"list of these, got {type(params).__name__}")


def place(who: str, part: Array, theta: Array) -> tuple[int, int]:
    """Where in theta the vector `part` lies, which shares its memory."""
    start, rest = divmod(part.ctypes.data - theta.ctypes.data, theta.itemsize)
    if rest == 0 and start >= 0 and start + len(part) <= len(theta) and np.shares_memory(part, theta):
        return start, start + len(part)
    raise ValueError(f"{who}: a group's parameters are not part of the optimizer's theta")


def cut(slices: dict[str, slice], groups: Any, who: str) -> list[tuple[int, int, str, int]]:
    """Cut theta at the borders of parameters and groups: [(start, stop, parameter's name, index of its group)]."""
    intervals = sorted((start, stop, i) for i, group in enumerate(groups) for start, stop in group.intervals)
    for (_, stop, i), (start, _, j) in zip(intervals, intervals[1:]):
        if start < stop:
            raise ValueError(f"{who}: element {start} of theta is in two groups, "
                             f"{groups[i].label} and {groups[j].label}")
    borders = sorted({at for start, stop, _ in intervals for at in (start, stop)})
    pieces = []
    for name, part in slices.items():
        ends = [part.start, *(at for at in borders if part.start < at < part.stop), part.stop]
        for start, stop in zip(ends, ends[1:]):
            group = next((i for a, b, i in intervals if a <= start < b), 0)
            pieces.append((start, stop, name, group))
    return pieces


def shapes_of(params: Any, pieces: Any, who: str) -> dict[int, tuple[int, ...]]:
    """start of a piece -> the shape of its parameter. ValueError if a group cuts a parameter that has a shape."""
    shapes = {}
    for start, stop, name, _ in pieces:
        part, shape = params.slices[name], shape_of(params, name)
        if len(shape) > 1 and (start, stop) != (part.start, part.stop):
            border = (stop if start == part.start else start) - part.start
            raise ValueError(f"{who}: a group cuts {name} {shape} at element {border}: this method moves a parameter "
                             "as a whole")
        shapes[start] = shape if len(shape) > 1 else (stop - start,)
    return shapes
