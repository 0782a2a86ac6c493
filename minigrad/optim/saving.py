"""An optimizer's state as a flat dict, and back: exact continuation, or one error that lists every mismatch."""
import numpy as np

from minigrad.arguments import count
from minigrad.optim import schedules


class Saved:
    """Saving and loading, for Optimizer: hyperparameters (schedules by their text), state arrays and the step count."""

    def state_dict(self):
        """Everything the next step depends on but theta: a flat dict of arrays, numbers and strings (all copies)."""
        state = {"kind": type(self).__name__, "n": self.n, "k": self.k}
        state.update((f"hyper.{name}", self.described(value)) for name, value in self._hyper.items())
        state.update((f"state.{name}", array.copy()) for name, array in self._state.items())
        return state

    def load_state_dict(self, state):
        """Continue where `state` was saved. One ValueError lists every mismatch, and then nothing has changed;
        NotASchedule, a ValueError too, if a text among them is no schedule's: then the file is at fault."""
        own, problems, hyper, kind = self.state_dict(), [], {}, ValueError
        problems += [f"{key} is missing" for key in own if key not in state]
        problems += [f"{key} is not known" for key in state if key not in own]
        for key in (key for key in own if key in state):
            mine, theirs = own[key], state[key]
            if isinstance(mine, np.ndarray):
                theirs = np.asarray(theirs)
                if theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                    problems.append(f"{key} is {theirs.shape} {theirs.dtype}, wanted {mine.shape} {mine.dtype}")
            elif key in ("kind", "n"):
                if mine != theirs:
                    problems.append(f"{key} is {theirs!r:.60}, wanted {mine!r}")
            elif key.startswith(("hyper.", "group.")):
                try:
                    hyper[key] = self.restored(key, theirs)
                except ValueError as error:
                    problems.append(str(error))
                    kind = type(error) if isinstance(error, schedules.NotASchedule) else kind
            else:
                try:
                    count("load_state_dict", key, theirs, 0, 2**63 - 1)
                except ValueError:
                    problems.append(f"{key} is {theirs!r:.60}, wanted a count")
        problems += self.state_problems(state)
        if problems:
            raise kind(f"{type(self).__name__}.load_state_dict: " + "; ".join(problems))
        self.take_state(state, hyper)

    def described(self, value):
        """A hyperparameter as state_dict holds it: a number or a text."""
        return schedules.describe(value)

    def restored(self, key, value):
        """A saved hyperparameter as it is assigned: the number, the schedule, or our own where it was a function."""
        name = key.rpartition(".")[2]
        mine = self.own_hyper(key)
        if isinstance(value, str):
            if value.startswith("custom"):
                if not callable(mine):
                    raise ValueError(f"{key} was {value:.60}: give the optimizer that function before loading")
                return mine
            value = schedules.restore(value)
        return self.validated(name, value)

    def own_hyper(self, key):
        """Our own value of what state_dict calls `key`."""
        return self._hyper[key.removeprefix("hyper.")]

    def state_problems(self, state):
        """More mismatches than shapes show; a subclass may add to the list."""
        return []

    def take_state(self, state, hyper):
        """Assign what load_state_dict found to be right."""
        self.k = int(state["k"])
        for name in self._hyper:
            self._hyper[name] = hyper[f"hyper.{name}"]
        for name, array in self._state.items():
            array[...] = state[f"state.{name}"]
