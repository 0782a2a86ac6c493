"""An optimizer's state as a flat dict, and back: exact continuation, or one error that lists every mismatch."""
import numpy as np

from minigrad.arguments import count
from minigrad.optim import schedules
from minigrad.optim.fields import assigned


class Saved:
    """Saving and loading, for Optimizer: hyperparameters (schedules by their text), the state and the step count."""

    def state_dict(self):
        """Everything the next step depends on but theta: a flat dict of arrays, numbers and strings (all copies)."""
        state = {"kind": type(self).__name__, "n": self.n, "k": self.k}
        state.update((f"hyper.{name}", schedules.describe(value)) for name, value in self._hyper.items())
        state.update((f"state.{name}", np.copy(value) if isinstance(value, np.ndarray) else value)
                     for name, value in self._state.items())
        return state

    def load_state_dict(self, state):
        """Continue where `state` was saved. One ValueError lists every mismatch, and then nothing has changed;
        NotASchedule, a ValueError too, if a text among them is no schedule's: then the file is at fault."""
        own, problems, found, kind = self.state_dict(), [], {}, ValueError
        problems += [f"{key} is missing" for key in own if key not in state]
        problems += [f"{key} is not known" for key in state if key not in own]
        for key in (key for key in own if key in state):
            try:
                found[key] = self.restored(key, own[key], state[key])
            except ValueError as error:
                problems.append(str(error))
                kind = type(error) if isinstance(error, schedules.NotASchedule) else kind
        problems += self.state_problems(state)
        if problems:
            raise kind(f"{type(self).__name__}.load_state_dict: " + "; ".join(problems))
        self.take_state(found)

    def restored(self, key, mine, theirs):
        """What is to be assigned for `key`, where state_dict says `mine` and the state to load says `theirs`."""
        if key.startswith(("hyper.", "group.")):
            return self.restored_hyper(key, theirs)
        if not isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray) and theirs.size == 1:
            theirs = theirs.item()                              # numbers were arrays of one in earlier versions
        if isinstance(mine, np.ndarray):
            theirs = np.asarray(theirs)
            if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                raise ValueError(f"{key} is {theirs.shape} {theirs.dtype}, wanted {mine.shape} {mine.dtype}")
        elif key in ("kind", "n"):
            if mine != theirs:
                raise ValueError(f"{key} is {theirs!r:.60}, wanted {mine!r}")
        elif isinstance(mine, float):
            if isinstance(theirs, bool) or not isinstance(theirs, float | int):
                raise ValueError(f"{key} is {theirs!r:.60}, wanted a number")
            return float(theirs)
        else:
            try:
                return count("", key, theirs, 0, 2**63 - 1)
            except ValueError:
                raise ValueError(f"{key} is {theirs!r:.60}, wanted a count") from None
        return theirs

    def restored_hyper(self, key, value):
        """A saved hyperparameter as it is assigned: the number, the schedule, or our own where it was a function."""
        if isinstance(value, str):
            if value.startswith("custom"):
                mine = self.own_hyper(key)
                if not callable(mine):
                    raise ValueError(f"{key} was {value:.60}: give the optimizer that function before loading")
                return mine
            value = schedules.restore(value)
        return self.validated(key.rpartition(".")[2], value)

    def own_hyper(self, key):
        """Our own value of what state_dict calls `key`."""
        return self._hyper[key.removeprefix("hyper.")]

    def state_problems(self, state):
        """More mismatches than shapes show; a subclass may add to the list."""
        return []

    def take_state(self, state):
        """Assign what load_state_dict found to be right."""
        self.k = state["k"]
        for name in self._hyper:
            self._hyper[name] = state[f"hyper.{name}"]
        for name, mine in self._state.items():
            if not assigned(mine, state[f"state.{name}"]):
                self._state[name] = state[f"state.{name}"]
