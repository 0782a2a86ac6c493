"""Names that an optimizer does not have are refused: arguments when it is made, attributes when they are assigned.

A foreign or misspelled name that passed would be a hyperparameter that nothing reads.
"""
import inspect
from difflib import get_close_matches

OTHER_NAMES = {                                              # of other libraries and texts -> ours, the likelier first
    "learning_rate": ("lr",), "rate": ("lr",), "eta": ("lr",), "step_size": ("lr",), "epsilon": ("delta",),
    "eps": ("delta",), "alpha": ("momentum", "rho"), "mu": ("momentum",), "beta": ("momentum", "rho"),
    "beta1": ("rho1",), "beta2": ("rho2",), "decay": ("rho", "weight_decay"), "wd": ("weight_decay",),
    "l2": ("weight_decay",), "history": ("memory",), "history_size": ("memory",), "line_search": ("search",),
    "line_search_fn": ("search",), "lambda_": ("damping",), "lam": ("damping",),
}


def refuse_unknown(cls, arguments):
    """TypeError for an argument that no `__init__` of the class names. One whose own `__init__`s name none is open."""
    base, *above = bases(cls)
    own, closed = named_arguments(cls, base)
    if not own:
        return
    known = own if closed else own + [name for name in named_arguments(base)[0] if name not in own]
    for name in arguments:
        if name not in ("params", *known):
            family = [base, *above][-2:][0]                # FirstOrder and below, or all of section 8.6
            owners = [c.__name__ for c in descendants(family) if c.__module__.startswith("minigrad.")
                      and "abstract" not in vars(c) and name in named_arguments(c, bases(c)[0])[0]]
            if owners:
                hint = f". {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
            else:
                hint = ": docs/optimizers.md translates other names"
            raise TypeError(f"{cls.__name__}: no argument {name!r}; there are {', '.join(known)}{hint}")


def bases(cls):
    """The classes among a class's ancestors that are meant to be derived from, the nearest first."""
    return [c for c in cls.__mro__ if vars(c).get("abstract")]


def named_arguments(cls, below=None):
    """The arguments but self and params that the `__init__`s of a class name, its own first, those below a base; and
    whether one of them takes no others."""
    names, closed = {}, False
    for base in cls.__mro__:
        if base is below or closed:
            break
        if "__init__" in vars(base) and base is not object:
            parameters = list(inspect.signature(base.__init__).parameters.values())[2:]
            names.update((p.name, None) for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
            closed = not any(p.kind is p.VAR_KEYWORD for p in parameters)
    return list(names), closed


def descendants(cls):
    """All classes derived from one, in order of definition."""
    for kind in cls.__subclasses__():
        yield kind
        yield from descendants(kind)


def refuse_stranger(opt, name, frame):
    """AttributeError for a new attribute assigned from outside. The optimizer's own methods (`frame` runs one of them,
    or has the optimizer as its self) may set what they like."""
    if frame.f_locals.get("self") is opt:
        return
    own = (getattr(vars(c).get(frame.f_code.co_name), "__code__", None) for c in type(opt).__mro__)
    if any(code is frame.f_code for code in own):
        return
    known = [*opt._hyper, *opt._state, *(key for key in vars(opt) if not key.startswith("_"))]
    close = [ours for ours in OTHER_NAMES.get(name, ()) if ours in known][:1] or get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]}? There" if close else "; there"
    raise AttributeError(f"{type(opt).__name__} has no attribute {name!r} to assign{hint} are {', '.join(known)}")
