"""Checkpoints: everything a run needs to go on with the same bits, in one file, written so that a crash loses nothing.

The file has the safetensors layout (see `minigrad.files`): the arrays of each part as tensors "part/name", all other
values as one JSON text in the uint8 tensor "json". The parts: model, frozen, optimizer (with its schedules), generators
(those of the layers and the thread's default), batches (their order), run (counters, history, losses), and the state of
callbacks and extras. A part is any pair of `state_dict` and `load_state_dict`.
"""
from __future__ import annotations

import json
from typing import Any

import numpy as np

from minigrad import random
from minigrad.files import FormatError, load_tensors, save_tensors
from minigrad.optim.schedules import NotASchedule
from minigrad.training.run import Run
from minigrad.typing import FilePath

OF_THE_USER = ("model", "frozen", "optimizer", "generators", "batches")    # where a sound file may be of another run
KIND = {"minigrad.kind": "checkpoint", "minigrad.checkpoint": "1"}


def save_checkpoint(path: FilePath, run: Run, **extras: Any) -> None:
    """Write the state of a Run to `path`, atomically: whenever the process dies, the old file or the new one is there.

    extras: further objects with state_dict and load_state_dict, by name.
    """
    tensors, rest = {}, {}
    with run.at_theta():
        for part, (save, _) in _parts(run, extras).items():
            state = save()
            rest[part] = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
            tensors.update((f"{part}/{name}", value) for name, value in state.items() if isinstance(value, np.ndarray))
    tensors["json"] = np.frombuffer(json.dumps(rest, default=_number).encode(), np.uint8)
    save_tensors(path, tensors, KIND)


def load_checkpoint(path: FilePath, run: Run, **extras: Any) -> Run:
    """Put a Run (of the same model, optimizer, data and callbacks) where the one that wrote `path` was. Returns it.

    Callbacks are reset, then restored. Raises FormatError for a file that is damaged or no checkpoint, or where the
    state of the run or a callback cannot be one; ValueError (with every mismatch of the part at fault) for one of
    another run. Then everything that is saved in checkpoints is as it was before.
    """
    tensors, metadata = load_tensors(path, hashed=True)
    states = _states(path, tensors, metadata)
    parts = _parts(run, extras)
    problems = [f"{part} is not in the file" for part in parts if part not in states]
    problems += [f"the file holds {part}, the run does not" for part in states if part not in parts]
    if problems:
        raise ValueError(f"load_checkpoint: {path} was saved by another kind of run: {'; '.join(problems)}")
    with run.at_theta():
        before = {part: save() for part, (save, _) in parts.items()}
    part = None
    try:
        run.reset_callbacks()
        for part, (_, load) in parts.items():
            load(states[part])
    except BaseException as error:              # Ctrl-C too: what was already taken over goes back
        for name, (_, load) in parts.items():
            load(before[name])
        if part is None or not _is_of_the_file(error, part):
            raise
        raise FormatError(path, part, "its state", error if isinstance(error, ValueError) else repr(error)) from error
    return run


def _is_of_the_file(error, part):
    """Does an error in restoring a part mean that the file is damaged? Not where a sound one may be of another run."""
    if isinstance(error, FormatError | MemoryError) or not isinstance(error, Exception):
        return False
    of_the_user = part in OF_THE_USER or part.startswith("extra.")
    return isinstance(error, NotASchedule) or not (isinstance(error, ValueError) and of_the_user)


def _parts(run, extras):
    """name -> (state_dict, load_state_dict) of everything that is saved, in the order of loading."""
    def pair(thing):
        return thing.state_dict, thing.load_state_dict

    model = run.model
    parts = {"model": pair(model), "optimizer": pair(run.optimizer), "run": pair(run),
             "frozen": (lambda: {"names": [name for name, p in model.named_parameters() if not p.requires_grad]},
                        lambda state: _freeze(model, state)),
             "generators": (lambda: _captured(model), lambda state: _restore(model, state))}
    if hasattr(run.batches, "state"):
        parts["batches"] = run.batches.state, run.batches.restore
    for callback in run.callbacks:
        if hasattr(callback, "state_dict"):
            name, i = type(callback).__name__, 2
            while name in parts:                # a second one of the same kind
                name, i = f"{type(callback).__name__}.{i}", i + 1
            parts[name] = pair(callback)
    parts.update((f"extra.{name}", pair(thing)) for name, thing in extras.items())
    # what is frozen does not look ahead: the optimizer must know it
    return {name: parts[name] for name in ("model", "frozen", *(name for name in parts if name != "model"))}


def _states(path, tensors, metadata):
    """part -> its state, from the tensors and the JSON text."""
    if {name: metadata.get(name) for name in KIND} != KIND:
        raise FormatError(path, "metadata", KIND, metadata)
    try:
        states = json.loads(tensors.pop("json").tobytes())
        for name, array in tensors.items():
            part, _, name = name.partition("/")
            states[part][name] = array
        if not all(isinstance(state, dict) for state in states.values()):
            raise TypeError("a part is not an object")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FormatError(path, "json", "the parts of a checkpoint", repr(error)) from None
    return states


def _freeze(model, state):
    parameters = dict(model.named_parameters())
    if not (state.keys() == {"names"} and set(state["names"]) <= parameters.keys()):
        raise ValueError(f"load_checkpoint: frozen are {state!r:.200}, the model has {', '.join(parameters)}")
    for name, p in parameters.items():
        p.requires_grad = name not in state["names"]


def _captured(model):
    return {name: random.capture(rng) for name, rng in _generators(model).items()}


def _restore(model, state):
    generators = _generators(model)
    if generators.keys() != state.keys():
        raise ValueError(f"load_checkpoint: the run draws from {', '.join(generators)}, the file has generators for "
                         f"{', '.join(state)}")
    for name, rng in generators.items():
        random.restore(state[name], rng)


def _generators(model):
    """The generators of the model's layers by path, and the thread's own, which is None."""
    return {"(default)": None, **dict(model.generators())}


def _number(value):
    """A NumPy number as JSON knows it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"save_checkpoint: a state holds {value!r:.80}, wanted arrays, numbers, text, lists and dicts")
