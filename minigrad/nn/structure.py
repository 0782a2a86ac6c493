"""What a module is made of: the modules, parameters, buffers and generators in its attributes, each with its path."""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from minigrad.core import Leaf, Tensor
from minigrad.nn.parameters import Parameter, Parameters


class Structure:
    """The part of `Module` that looks into attributes: lists, tuples, dicts and dataclasses are searched at any depth.

    Paths are the names of attributes, places in lists and keys of dicts, joined by dots: "blocks.0.first.w". What is
    reached by several paths counts once, under the first.
    """

    def children(self) -> Iterator[tuple[str, Any]]:
        """(name, module) of the modules directly below this one."""
        return ((name, item) for name, item in members(vars(self)) if isinstance(item, Structure))

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """(path, module) of this module (path "") and all below it, each once, in order of definition.

        Raises ValueError if one contains itself.
        """
        pending, seen, above = [(prefix, self, 0)], set(), []
        while pending:
            path, module, depth = pending.pop()
            del above[depth:]
            if id(module) in seen:
                if id(module) in above:
                    raise ValueError(f"{type(self).__name__}: {path} is the module itself, or one that contains it; "
                                     "hold a reference to what is above as weakref.ref(module)")
                continue
            seen.add(id(module))
            above.append(id(module))
            yield path, module
            below = [(joined(path, name), child, depth + 1) for name, child in module.children()]
            pending.extend(reversed(below))

    def own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, Parameter) of those that are attributes of this very module, or in a list or dict that is one."""
        return ((name, item) for name, item in members(vars(self)) if isinstance(item, Parameter))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, Parameter) of all parameters; one that is shared (tied weights) appears once."""
        seen, taken = set(), set()
        for path, module in self.modules():
            for name, p in module.own_parameters():
                if id(p) not in seen:
                    seen.add(id(p))
                    yield new_path(self, joined(path, name), taken), p

    def named_buffers(self) -> Iterator[tuple[str, Any, str]]:
        """(path, module, name of its attribute) of all buffers. ValueError unless they are names of arrays."""
        taken = set()
        for path, module in self.modules():
            for name in checked_buffers(module):
                yield new_path(self, joined(path, name), taken), module, name

    def generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        """(path, numpy Generator) of the modules that draw random numbers."""
        taken = set()
        for path, module in self.modules():
            for name, value in members(vars(module)):
                if isinstance(value, np.random.Generator):
                    yield new_path(self, joined(path, name), taken), value

    def parameters(self) -> Parameters:
        """All parameters as one theta and one g, see `Parameters`.

        Raises ValueError for one in a place that is not searched (a set, a class attribute, what a function closes
        over), unless it is frozen or found elsewhere too; and for a Tensor with requires_grad that is no Parameter.
        """
        named = dict(self.named_parameters())
        known = {id(p) for p in named.values()}
        for path, module in self.modules():
            for name, how, p in overlooked(module):
                if p.requires_grad and id(p) not in known:
                    way_out = ("make it (or its module) an attribute of a module, or put it in a list, tuple, dict or "
                               "dataclass; or freeze it") if isinstance(p, Parameter) else \
                        "make it an nn.Parameter, or detach it"
                    raise ValueError(f"{type(self).__name__}.parameters: {joined(path, name)} {how} would not be "
                                     f"learned: {way_out}")
        return Parameters(named, [(module, name) for _, module, name in self.named_buffers()])


def held(module: Structure) -> list[Any]:
    """What is in a module and in those below it, without paths and order: a third of the time of a walk with them."""
    found, pending, seen = [], [module], {id(module)}
    for module in pending:                    # grows while it is read
        for _, item in members(vars(module)):
            found.append(item)
            if isinstance(item, Structure) and id(item) not in seen:
                seen.add(id(item))
                pending.append(item)
    return found


def joined(path: str, name: str) -> str:
    """The path of `name` below `path`; that of the whole is ""."""
    return f"{path}.{name}" if path else name


def new_path(owner: Any, path: str, taken: set[str]) -> str:
    """`path`, which is taken from now on; ValueError if it was before: one of the two would be lost."""
    if path in taken:
        raise ValueError(f"{type(owner).__name__}: there are two things of the path {path}: change a key of a dict, or "
                         "the name of an attribute")
    taken.add(path)
    return path


def checked_buffers(module: Structure) -> tuple[str, ...]:
    """The names of a module's buffers; ValueError if they are not names of attributes that are arrays."""
    kind, names = type(module).__name__, module.buffers
    named = isinstance(names, tuple | list) and all(isinstance(name, str) and hasattr(module, name) for name in names)
    if not named:
        known = [name for name, value in vars(module).items() if isinstance(value, np.ndarray)] or ["running_mean"]
        raise ValueError(f"{kind}.buffers: wanted names of attributes that are arrays, got {names!r:.60}: "
                         f"self.{known[0]} = array in __init__, and in the class buffers = (\"{known[0]}\",)")
    for name in names:
        value = getattr(module, name)
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{kind}.{name} is a buffer and must be an array, got {type(value).__name__}")
    return names


def members(attributes: Mapping[str, Any], above: tuple[int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """(path, value) of attributes; of a container what is in it, at any depth. ValueError if one contains itself."""
    for name, value in attributes.items():
        contents = opened(value.__class__)
        if contents is None:
            yield name, value
        elif id(value) in above:
            raise ValueError(f"Module: the {type(value).__name__} {name} contains itself")
        else:
            for path, item in members(contents(value), (*above, id(value))):
                yield f"{name}.{path}", item


@functools.lru_cache(maxsize=512)
def opened(kind: type) -> Callable[[Any], Any] | None:
    """For a class of containers that are searched, the function: container -> {place: item}. None for all others."""
    if issubclass(kind, dict):
        return lambda container: container
    if issubclass(kind, list | tuple):
        return lambda container: dict(enumerate(container))
    if hasattr(kind, "__dataclass_fields__") and not issubclass(kind, Structure):
        return lambda container: {name: getattr(container, name, None) for name in kind.__dataclass_fields__}
    return None


# ----------------------------------------------------------------------------------------------------------- overlooked

HARMLESS = (float, int, str, type(None))                    # hold nothing; named to be quick


def overlooked(module: Structure) -> Iterator[tuple[str, str, Tensor]]:
    """(attribute, how it holds it, Parameter or leaf Tensor) of what a module holds and `members` does not find."""
    for kind in type(module).__mro__:
        if not (kind is object or kind.__module__.startswith("minigrad.")):
            for name, value in vars(kind).items():
                if isinstance(value, Parameter | Structure):
                    yield from ((name, f"belongs to the class {kind.__name__} and", p) for p in all_of(value))
    for name, value in vars(module).items():
        if not isinstance(value, (Parameter, Structure, *HARMLESS)):
            yield from ((name, f"({type(value).__name__}) holds a {type(p).__name__} {p.shape} that", p)
                        for p in hidden([value], set()))


def hidden(values: Iterable[Any], seen: set[int], searched: bool = True) -> Iterator[Tensor]:
    """The parameters in values that a search does not find (searched=False: even if they lie open); leaf Tensors."""
    for value in values:
        if id(value) in seen or isinstance(value, HARMLESS):
            continue
        seen.add(id(value))
        contents = opened(type(value))
        if isinstance(value, Parameter | Structure):
            yield from () if searched else all_of(value)
        elif isinstance(value, Tensor):
            yield from [value] if isinstance(value.node, Leaf) else []
        elif contents is not None:
            yield from hidden(contents(value).values(), seen, searched)
            yield from hidden(contents(value), seen, searched=False)   # the keys of a dict
        else:
            yield from hidden(unsearched(value), seen, searched=False)


def all_of(value: Any) -> list[Parameter]:
    """The parameters of a module, or a Parameter itself."""
    return [value] if isinstance(value, Parameter) else [p for _, p in value.named_parameters()]


def unsearched(value: Any) -> Iterable[Any]:
    """What an object holds that is no container to be searched: the items of a set, what a function closes over, ..."""
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else ()
    if isinstance(value, FunctionType):
        ours = (value.__module__ or "").startswith("minigrad.")        # no op holds parameters
        return () if ours else [cell.cell_contents for cell in value.__closure__ or () if has_value(cell)]
    if isinstance(value, MethodType):
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, bytes | bytearray | range | memoryview):
        return ()
    if isinstance(value, Mapping):
        return [*value, *value.values()]
    return list(value) if isinstance(value, Set | Sequence | ValuesView) else ()


def has_value(cell: Any) -> bool:
    """Whether the variable of a closure has been assigned."""
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
