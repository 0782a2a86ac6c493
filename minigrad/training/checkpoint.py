"""Checkpoints: everything a run needs to go on with the same bits, in one file, written so that a crash loses nothing.

The file has the safetensors layout (see `minigrad.files`): arrays for parameters, buffers and optimizer state, one JSON
text for the rest: hyperparameters and schedules, step counts, generators, the order of the data, the history.
"""
import json

import numpy as np

from minigrad import random
from minigrad.files import FormatError, load_tensors, save_tensors

VERSION = 1


def save_checkpoint(path, run, **extras):
    """Write the state of a Run to `path`, atomically: whenever the process dies, the old file or the new one is there.

    extras: further objects with state_dict and load_state_dict, by name (a PolyakAverage, say).
    """
    tensors, plain = {}, {"version": VERSION}
    with run.optimizer.at_theta():
        parts = {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}
    parts.update({f"extra.{name}": thing.state_dict() for name, thing in extras.items()})
    parts.update({f"callback.{i}": callback.state_dict() for i, callback in enumerate(run.callbacks)
                  if hasattr(callback, "state_dict")})
    for part, state in parts.items():
        plain[part] = {}
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                tensors[f"{part}/{name}"] = value
            else:
                plain[part][name] = value
    tensors["losses"] = np.array(run.losses, np.float64)
    plain["run"] = {name: getattr(run, name) for name in ("epoch", "steps", "examples", "total", "count", "clock")}
    plain["history"] = run.history
    plain["generators"] = {name: random.capture(rng) for name, rng in run.model.generators()}
    plain["default_generator"] = random.capture()
    plain["batches"] = run.batches.state() if hasattr(run.batches, "state") else None
    save_tensors(path, tensors, {"minigrad checkpoint": json.dumps(plain)})


def load_checkpoint(path, run, **extras):
    """Put a Run (of the same model, optimizer, data and callbacks) where the one that wrote `path` was. Returns it.

    Raises FormatError for a file that is not a checkpoint, ValueError (with every mismatch) for one of something else;
    then model and optimizer are untouched.
    """
    tensors, metadata = load_tensors(path)
    try:
        plain = json.loads(metadata["minigrad checkpoint"])
        version = plain["version"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(path, "metadata", "a minigrad checkpoint", repr(error)) from None
    if version != VERSION:
        raise FormatError(path, "version", VERSION, version)

    def state_of(part):
        if part not in plain:
            raise ValueError(f"load_checkpoint: {path} has no {part}; it was saved by another kind of run")
        arrays = {name[len(part) + 1:]: array for name, array in tensors.items() if name.startswith(part + "/")}
        return {**plain[part], **arrays}

    targets = {"model": run.model, "optimizer": run.optimizer}
    targets.update({f"extra.{name}": thing for name, thing in extras.items()})
    targets.update({f"callback.{i}": callback for i, callback in enumerate(run.callbacks)
                    if hasattr(callback, "load_state_dict")})
    states = {part: state_of(part) for part in targets}
    unknown = [part for part in plain if part.startswith(("extra.", "callback.")) and part not in targets]
    if unknown:
        raise ValueError(f"load_checkpoint: {path} also holds {', '.join(unknown)}: pass them too")
    generators = dict(run.model.generators())
    if set(generators) != set(plain["generators"]):
        raise ValueError(f"load_checkpoint: the model draws from {sorted(generators)}, the file has generators for "
                         f"{sorted(plain['generators'])}")
    if (plain["batches"] is None) == hasattr(run.batches, "state"):
        raise ValueError("load_checkpoint: the order of the data was saved for other batches than these")

    before = {part: target.state_dict() for part, target in targets.items()}
    done = []
    try:
        for part, target in targets.items():
            done.append(part)
            target.load_state_dict(states[part])
        if plain["batches"] is not None:
            run.batches.restore(plain["batches"])
    except ValueError:
        for part in done:                       # what was already taken over goes back
            targets[part].load_state_dict(before[part])
        raise
    for name, rng in generators.items():
        random.restore(plain["generators"][name], rng)
    random.restore(plain["default_generator"])
    for name, value in plain["run"].items():
        setattr(run, name, value)
    run.history, run.losses = plain["history"], tensors["losses"].tolist()
    return run
