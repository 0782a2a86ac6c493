"""Parameter groups: hyperparameters of their own for some slices of theta, and frozen slices.

    optim.Adam(model.parameters(), lr=1e-3, groups={"0.*": dict(lr=1e-4), "1.bias": dict(frozen=True)})
    optim.SGD(theta, lr=0.1, groups=[dict(params=slice(0, 10), lr=0.01)])

A group's params: a pattern over the names of the slices (`*`, `?`, `[ab]`), a slice of theta, the parameters of a
sub-module, or a list of these. What no group names is the rest, with the optimizer's own hyperparameters; a group
uses those too, for what it does not state. A parameter belongs to one group at most.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from minigrad.optim.parameters import shape_of

Piece = tuple[int, int, str, int, tuple[int, ...]]      # start and stop in theta, its parameter, group and shape
Run = tuple[int, int, int, int]                         # pieces of one `update`: start and stop, group, t


@dataclass(eq=False)
class Group:
    """One group: `group["lr"] = 0.01` assigns, validated; group["lr"] is its own value or else the optimizer's.

    intervals: [(start, stop)] of theta. own: its hyperparameters. The rest, `groups[0]`, has no intervals, and for its
    own those of the optimizer.
    """
    label: str
    opt: Any = field(repr=False)
    intervals: list[tuple[int, int]] = field(repr=False)
    own: dict[str, Any]
    frozen: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.frozen if name == "frozen" else self.own.get(name, self.opt._hyper[name])

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "frozen":
            self.frozen = bool(value)
        elif name in self.opt._hyper:
            self.own[name] = getattr(type(self.opt), name).checked(self.opt, value)
            self.opt.follow()
        else:
            raise ValueError(f"{type(self.opt).__name__}: group {self.label} has no hyperparameter {name!r}; "
                             f"there are {', '.join(self.opt._hyper)}, frozen")


def make_groups(opt: Any, groups: Any) -> list[Group]:
    """The groups a user wrote, as Group objects, behind one of the rest. ValueError if one matches nothing or has an
    unknown hyperparameter."""
    if isinstance(groups, dict):
        groups = [dict(own, params=pattern) for pattern, own in groups.items()]
    made = [Group("the rest", opt, [], opt._hyper)]
    for given in groups or ():
        if not isinstance(given, dict) or "params" not in given:
            raise ValueError(f"{type(opt).__name__}: a group is dict(params=..., lr=...), got {given!r}")
        group = Group(f"{given['params']!r:.60}", opt, find(opt, given["params"]), {})
        for name, value in given.items():
            if name != "params":
                group[name] = value
        made.append(group)
    return made


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
    if isinstance(params, (list, tuple)) and params:
        return [interval for part in params for interval in find(opt, part)]
    part = getattr(params, "theta", params)
    if isinstance(part, np.ndarray) and part.ndim == 1 and len(part) and part.dtype == theta.dtype:
        start, rest = divmod(part.ctypes.data - theta.ctypes.data, theta.itemsize)
        stop = start + len(part)
        if rest or start < 0 or stop > len(theta) or not (part.flags.c_contiguous and np.shares_memory(part, theta)):
            raise ValueError(f"{who}: a group's parameters are not part of the optimizer's theta")
        return [(start, stop)]
    raise ValueError(f"{who}: a group's params must be a name pattern, a slice, the parameters of a sub-module or a "
                     f"list of these, got {type(params).__name__}")


def cut(opt: Any) -> list[Piece]:
    """Cut theta at the borders of parameters and groups.

    ValueError if groups overlap, or if one cuts a parameter that an `update` by parameter wants whole.
    """
    who, groups = type(opt).__name__, opt.groups
    intervals = sorted((start, stop, i) for i, group in enumerate(groups) for start, stop in group.intervals)
    for (_, stop, i), (start, _, j) in zip(intervals, intervals[1:]):
        if start < stop:
            raise ValueError(f"{who}: element {start} of theta is in two groups, "
                             f"{groups[i].label} and {groups[j].label}")
    borders = sorted({at for start, stop, _ in intervals for at in (start, stop)})
    pieces = []
    for name, part in opt.params.slices.items():
        ends = [part.start, *(at for at in borders if part.start < at < part.stop), part.stop]
        shape = shape_of(opt.params, name)
        if opt.by_parameter and len(ends) > 2 and len(shape) > 1:
            raise ValueError(f"{who}: a group cuts {name} {shape} at element {ends[1] - part.start}: this method moves "
                             "a parameter as a whole")
        for start, stop in zip(ends, ends[1:]):
            group = next((i for a, b, i in intervals if a <= start < b), 0)
            pieces.append((start, stop, name, group, shape if len(shape) > 1 else (stop - start,)))
    return pieces
