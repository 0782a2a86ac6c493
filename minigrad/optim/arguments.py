"""Names that an optimizer does not have are refused: arguments when it is made, attributes when they are assigned.

A foreign or misspelled name that passed would be a hyperparameter that nothing reads.
"""
from __future__ import annotations

from typing import Any

OTHER_NAMES: dict[str, tuple[str, ...]] = {                  # of other libraries and texts -> ours, the likelier first
    "learning_rate": ("lr",), "rate": ("lr",), "eta": ("lr",), "step_size": ("lr",), "epsilon": ("delta",),
    "eps": ("delta",), "alpha": ("momentum", "rho"), "mu": ("momentum",), "beta": ("momentum", "rho"),
    "beta1": ("rho1",), "beta2": ("rho2",), "decay": ("rho", "weight_decay"), "wd": ("weight_decay",),
    "l2": ("weight_decay",), "history": ("memory",), "history_size": ("memory",), "line_search": ("search",),
    "line_search_fn": ("search",), "lambda_": ("damping",), "lam": ("damping",),
}

OTHER_METHODS: dict[str, str] = {                            # names of minigrad.optim in other libraries
    "lr_scheduler": "a learning rate may be a schedule, lr=schedules.Cosine(0.1, 0.001, period=1000)",
    "RMSprop": "RMSProp", "Adagrad": "AdaGrad", "Adadelta": "AdaDelta", "Adamax": "AdaMax", "ASGD": "PolyakAverage",
    "swa_utils": "PolyakAverage",
}


def refuse_unknown(cls: Any, given: dict[str, Any]) -> None:
    """TypeError for an argument that the class does not have, with the classes of ours that do."""
    for name in given:
        if name not in cls.__signature__.parameters:
            owners = [c.__name__ for c in descendants(family(cls)) if c.__module__.startswith("minigrad.")
                      and "abstract" not in vars(c) and name in c.__signature__.parameters]
            if owners:
                hint = f". {', '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
            elif cls.__module__.startswith("minigrad."):
                hint = ": docs/optimizers.md translates other names"
            else:
                hint = f". A class declares what it has: {name}: Hyper = hyper(0.1)"
            known = ", ".join([*cls.__signature__.parameters][1:])
            raise TypeError(f"{cls.__name__}: no argument {name!r}; there are {known}{hint}")


def family(cls: Any) -> Any:
    """The first class below Optimizer that is a base of others: of all first-order methods, or of section 8.6."""
    *below, optimizer = [c for c in cls.__mro__ if vars(c).get("abstract")]
    return below[-1] if below else optimizer


def descendants(cls: Any) -> list[Any]:
    """All classes derived from one, in order of definition."""
    return [one for kind in cls.__subclasses__() for one in (kind, *descendants(kind))]


def refuse_attribute(opt: Any, name: str) -> None:
    """AttributeError for an attribute that an optimizer does not have."""
    from difflib import get_close_matches
    known = [*opt._hyper, *opt._state, *(key for key in vars(opt) if not key.startswith("_"))]
    close = [ours for ours in OTHER_NAMES.get(name, ()) if ours in known][:1] or get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]}? There" if close else "; there"
    raise AttributeError(f"{type(opt).__name__} has no attribute {name!r} to assign{hint} are {', '.join(known)}")
