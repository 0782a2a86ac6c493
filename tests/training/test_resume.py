"""2N steps = N steps + checkpoint + new process + N steps, bit for bit, whatever the run is made of (classic bug 36).

As a script, `python test_resume.py FOLDER`: go on with every run saved in FOLDER and print the digests, as JSON.
"""
import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad import losses, nn, ops, optim, training
from minigrad.data import batches
from minigrad.optim import schedules

ROOT = Path(__file__).parents[2]

# name -> the learning rate that serves here (small: no run may leave the finite numbers)
RATED = {"SGD": 0.1, "Momentum": 0.02, "MomentumNotes": 0.02, "Nesterov": 0.02, "NesterovNotes": 0.02, "AdaGrad": 0.05,
         "RMSProp": 0.01, "RMSPropNesterov": 0.003, "AdaDelta": 1.0, "Adam": 0.01, "AdaMax": 0.01, "AdamW": 0.01,
         "DeltaBarDelta": 0.02, "Rprop": 0.01, "RpropMinus": 0.01, "PRONG": 0.02,
         "AMSGrad": 0.01, "NAdam": 0.01, "RAdam": 0.01, "Lion": 0.003, "Muon": 0.01, "SAM": 0.02, "ScheduleFree": 0.05}
UNRATED = ["VSGD", "Newton", "DampedNewton", "SaddleFreeNewton", "LevenbergMarquardt", "BFGS", "LBFGS",
           "ConjugateGradient", "ScaledConjugateGradient", "HessianFree", "NewtonCG", "TrustRegion", "KrylovSaddleFree"]
SCHEDULES = {
    "number": lambda lr: lr,
    "Constant": schedules.Constant,
    "Linear": lambda lr: schedules.Linear(lr, 0.1 * lr, 12),
    "Inverse": lambda lr: schedules.Inverse(lr, 3),
    "Power": lambda lr: schedules.Power(lr, 0.6),
    "Stair": lambda lr: schedules.Stair(lr, 0.5, 4),
    "Exponential": lambda lr: schedules.Exponential(lr, 0.9),
    "Cosine": lambda lr: schedules.Cosine(lr, 0.0, 11),
    "CosineRestarts": lambda lr: schedules.CosineRestarts(lr, 0.1 * lr, 3, 2),
    "Warmup": lambda lr: schedules.Warmup(8, schedules.Cosine(lr, 0.1 * lr, 20)),
    "Chain": lambda lr: schedules.Chain([(3, lr), (6, schedules.Linear(lr, 0.1 * lr, 6)), 0.1 * lr]),
    "OneCycle": lambda lr: schedules.OneCycle(lr, 12),
    "PerEpoch": lambda lr: schedules.PerEpoch(schedules.Stair(lr, 0.5, 1), 5),
    "Scaled": lambda lr: schedules.Scaled(schedules.Stair(1.0, 0.5, 5), schedules.Inverse(lr, 2)),
}
OPTIONS = {"norm": [False, True], "dropout": [False, True], "shuffle": ["as stored", "each epoch"],
           "average": [None, "mean", 0.9]}
RATED_DIMENSIONS = {"optimizer": list(RATED), "schedule": list(SCHEDULES), **OPTIONS, "steps": [0, 5, 7]}
UNRATED_DIMENSIONS = {"optimizer": UNRATED, "schedule": ["number"], **OPTIONS, "steps": [0, 2, 3]}


def every(dimensions):
    """The full product, as a list of dicts."""
    return [dict(zip(dimensions, values)) for values in itertools.product(*dimensions.values())]


def pairwise(dimensions, seed=0):
    """Few cases in which every pair of values of two dimensions occurs: each is the best of 40 drawn at random."""
    rng = np.random.default_rng(seed)
    names = list(dimensions)
    open_pairs = {(a, i, b, j) for a, b in itertools.combinations(range(len(names)), 2)
                  for i in range(len(dimensions[names[a]])) for j in range(len(dimensions[names[b]]))}
    cases = []
    while open_pairs:
        a, i, b, j = min(open_pairs)
        best, most = None, -1
        for _ in range(40):
            drawn = [int(rng.integers(len(dimensions[name]))) for name in names]
            drawn[a], drawn[b] = i, j
            covers = {(p, drawn[p], q, drawn[q]) for p, q in itertools.combinations(range(len(names)), 2)} & open_pairs
            if len(covers) > most:
                best, most, covered = drawn, len(covers), covers
        open_pairs -= covered
        cases.append({name: dimensions[name][k] for name, k in zip(names, best)})
    return cases


class Case:
    """A small run, made from its description alone, so that a new process makes the same one."""

    def __init__(self, optimizer, schedule, norm, dropout, shuffle, average, steps):
        rng = np.random.default_rng(7)
        x = rng.normal(size=(24, 3)).astype(np.float32)
        y = rng.integers(0, 3, size=24)
        layers = [nn.Linear(3, 4, rng=rng)]
        layers += [nn.BatchNorm(4)] if norm else []
        layers += [ops.tanh]
        layers += [nn.Dropout(0.3, rng=11)] if dropout else []
        self.model, self.loss = nn.Sequential(*layers, nn.Linear(4, 3, rng=rng)), losses.cross_entropy
        if optimizer == "LevenbergMarquardt":
            self.loss, y = losses.mean_squared_error, np.eye(3, dtype=np.float32)[y]
        kind, parameters = getattr(optim, optimizer), self.model.parameters()
        if optimizer in RATED:
            self.optimizer = kind(parameters, lr=SCHEDULES[schedule](RATED[optimizer]))
        elif optimizer == "Newton":                       # full steps would leave the finite numbers
            self.optimizer = kind(parameters, search=optim.linesearch.strong_wolfe)
        else:
            self.optimizer = kind(parameters)
        self.data = batches(x, y, batch_size=5, rng=13, shuffle=shuffle)
        self.validation = x, y
        self.average = optim.PolyakAverage(self.optimizer, None if average == "mean" else average) if average else None
        self.steps = steps

    def run(self, steps, path=None, resume=None):
        callbacks = [training.Averaging(self.average, since=2)] if self.average else []
        if path:
            callbacks.append(training.Checkpoint(path, every_epochs=None))
        with np.errstate(over="ignore"):                  # trial points of line searches
            return training.fit(self.model, self.loss, self.optimizer, self.data, steps=steps, progress=False,
                                validation=self.validation, callbacks=callbacks, resume=resume)

    def total(self):
        """Steps of the whole run: twice `steps`, and some where that is none."""
        return 2 * self.steps or 6


def digest(case, run):
    """One hash of everything that a run is."""
    with case.optimizer.at_theta():
        parts = [case.model.state_dict(), case.optimizer.state_dict()]
    history = [{name: value for name, value in figures.items() if "second" not in name} for figures in run.history]
    at = [run.epoch, run.steps, run.examples, run.total]
    parts += [{"losses": np.array(run.losses), "history": history, "at": at, "order": case.data.state()},
              {name: rng.bit_generator.state for name, rng in case.model.generators()},
              case.average.state_dict() if case.average else {}]
    h = hashlib.sha256()
    for part in parts:
        for name, value in part.items():
            h.update(name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()))
    return h.hexdigest()


def resume_everything(folder):
    """What the new process does."""
    found = []
    for i, description in enumerate(json.loads((folder / "cases.json").read_text())):
        case = Case(**description)
        found.append(digest(case, case.run(case.total(), resume=folder / f"{i}.safetensors")))
    return found


def check(cases, folder):
    wanted = []
    for i, description in enumerate(cases):
        case = Case(**description)
        wanted.append(digest(case, case.run(case.total())))
        case = Case(**description)
        case.run(case.steps, path=folder / f"{i}.safetensors")
    (folder / "cases.json").write_text(json.dumps(cases))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "5"}
    done = subprocess.run([sys.executable, __file__, folder], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(set(wanted)) > 0.8 * len(wanted)                   # the cases do differ
    assert [case for case, a, b in zip(cases, wanted, found) if a != b] == []


def test_resumed_in_a_new_process_pairwise(tmp_path):
    check(pairwise(RATED_DIMENSIONS), tmp_path)


def test_methods_with_an_objective_resumed_in_a_new_process_pairwise(tmp_path):
    check(pairwise(UNRATED_DIMENSIONS), tmp_path)


@pytest.mark.long
def test_resumed_in_a_new_process_full_product(tmp_path):
    check(every(RATED_DIMENSIONS) + every(UNRATED_DIMENSIONS), tmp_path)


def test_every_optimizer_is_among_the_cases():
    public = {name for name in optim.__all__ if isinstance(getattr(optim, name), type)
              and issubclass(getattr(optim, name), optim.Optimizer)} - {"Optimizer", "FirstOrder"}
    assert public == {*RATED, *UNRATED}
    assert {*SCHEDULES} - {"number"} == {*schedules.KINDS}


if __name__ == "__main__":
    print(json.dumps(resume_everything(Path(sys.argv[1]))))
