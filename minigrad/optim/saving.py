"""An optimizer's state as a flat dict, and back: exact continuation, or one error that lists every mismatch."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minigrad.optim.fields import Declared

# key, what there is now, the function that puts back another; None: it has to be the same
Entry = tuple[str, Any, Callable[[Any], Any] | None]


def table(kind: str, values: dict[str, Any]) -> Iterator[Entry]:
    """The entries of a table: an array is copied into, a number becomes another one."""
    for name, value in values.items():
        put = partial(np.copyto, value) if isinstance(value, np.ndarray) else partial(values.__setitem__, name)
        yield f"{kind}.{name}", value, put


class Saved(Declared):
    """Saving and loading, for Optimizer: hyperparameters (schedules by their text), the state and the step count."""

    def entries(self) -> Iterator[Entry]:
        """All that the next step depends on."""
        yield "kind", type(self).__name__, None
        yield "n", self.n, None
        yield "k", self.k, partial(setattr, self, "k")
        yield from table("hyper", self._hyper)
        yield from table("state", self._state)

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on but theta: a flat dict of arrays, numbers and strings (all copies).

        Save theta itself inside `with opt.at_theta():`; load theta before the optimizer.
        """
        from minigrad.optim import schedules  # so late, since a start need not wait for them
        return {key: value.copy() if isinstance(value, np.ndarray) else schedules.describe(value)
                for key, value, _ in self.entries()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state` was saved. One ValueError lists every mismatch, and then nothing has changed;
        NotASchedule, a ValueError too, if a text among them is no schedule's: then the file is at fault."""
        from minigrad.optim import schedules
        own = {key: (value, put) for key, value, put in self.entries()}
        problems, found, kind = [f"{key} is missing" for key in own if key not in state], {}, ValueError
        problems += [f"{key} is not known" for key in state if key not in own]
        for key in (key for key in own if key in state):
            try:
                found[key] = self.restored(key, own[key][0], state[key])
            except ValueError as error:
                problems.append(str(error))
                kind = type(error) if isinstance(error, schedules.NotASchedule) else kind
        if problems:
            raise kind(f"{type(self).__name__}.load_state_dict: " + "; ".join(problems))
        for key, value in found.items():
            if (put := own[key][1]) is not None:
                put(value)

    def restored(self, key: str, mine: Any, theirs: Any) -> Any:
        """What is to be put back for `key`, where there is `mine` now and `theirs` was saved. ValueError if not."""
        from minigrad.optim import schedules
        if key.startswith(("hyper.", "group.")):
            if isinstance(theirs, str) and theirs.startswith("custom"):
                if not callable(mine):
                    raise ValueError(f"{key} was {theirs:.60}: give the optimizer that function before loading")
                return mine
            theirs = schedules.restore(theirs) if isinstance(theirs, str) else theirs
            return getattr(type(self), key.rpartition(".")[2]).checked(self, theirs)
        if isinstance(mine, np.ndarray):
            theirs = np.asarray(theirs)
            if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                raise ValueError(f"{key} is {theirs.shape} {theirs.dtype}, wanted {mine.shape} {mine.dtype}")
            return theirs
        if isinstance(theirs, np.ndarray) and theirs.size == 1:         # numbers were arrays of one in earlier versions
            theirs = theirs.item()
        if key in ("kind", "n"):
            wanted, right = repr(mine), mine == theirs
        elif isinstance(mine, float):
            wanted, right = "a number", isinstance(theirs, float | int) and not isinstance(theirs, bool)
        else:
            wanted, right = "a count", isinstance(theirs, int | np.integer) and not isinstance(theirs, bool) \
                and 0 <= theirs < 2**63
        if not right:
            raise ValueError(f"{key} is {theirs!r:.60}, wanted {wanted}")
        return type(mine)(theirs)
