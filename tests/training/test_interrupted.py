"""Ctrl-C from outside, a SIGINT at any moment: fit ends after the step at hand and loses nothing, a save is whole.

As a script, `python test_interrupted.py fit|save PATH`: a process to be interrupted. It says on standard output when it
is under way, and at the end what it was told.
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigrad import losses, nn, optim, training
from minigrad.data import batches
from minigrad.files import load_tensors, save_tensors

ROOT = Path(__file__).parents[2]
STEPS = 400
pytestmark = pytest.mark.skipif(not hasattr(os, "setsid"), reason="POSIX only: a session of its own")


def fit(path, steps, callbacks=()):
    """A run of `steps` steps that goes on from `path`, and saves there when it ends. Returns (run, hash)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 4)).astype(np.float32), rng.integers(0, 3, size=90)
    model = nn.Sequential(nn.Linear(4, 20, rng=rng), nn.BatchNorm(20), nn.ReLU(), nn.Dropout(0.3, rng=1),
                          nn.Linear(20, 3, rng=rng))
    run = training.fit(model, losses.cross_entropy, optim.Nesterov(model.parameters(), lr=0.01),
                       batches(x, y, batch_size=8, rng=2), steps=steps, resume=path, progress=False,
                       callbacks=[training.Checkpoint(path, every_epochs=None), *callbacks])
    state = b"".join(array.tobytes() for array in model.state_dict().values())
    return run, hashlib.sha256(state + np.array(run.losses).tobytes()).hexdigest()


class Slow(training.Callback):
    """Says that the run is under way, and takes its time."""

    def start(self, run):
        print("under way", flush=True)

    def step(self, run):
        time.sleep(0.002)


def tensors(i):
    """What the i-th save writes: every number says which it is."""
    return {"a": np.full(200_000, i, np.int64), "b": np.full((100, 100), i, np.float32)}


def save(path):
    """Save over and over until Ctrl-C; then say how many saves were done."""
    i = 0
    try:
        while True:
            save_tensors(path, tensors(i + 1))
            i += 1
            if i == 1:
                print("under way", flush=True)
    except KeyboardInterrupt:
        print(i, flush=True)


def interrupted(what, path, wait):
    """Start this file, send one SIGINT `wait` seconds after it is under way, return what it said."""
    with subprocess.Popen([sys.executable, __file__, what, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, start_new_session=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "MINIGRAD_NUM_THREADS": "1"}) as child:
        try:
            assert child.stdout.readline() == "under way\n", child.stderr.read()
            time.sleep(wait)
            child.send_signal(signal.SIGINT)
            said, errors = child.communicate(timeout=120)
        except BaseException:
            child.kill()
            raise
    assert child.returncode == 0, errors
    return said


def test_a_fit_that_is_interrupted_at_any_moment_loses_nothing(tmp_path):
    _, straight = fit(tmp_path / "straight", STEPS)
    rng, reached = np.random.default_rng(0), 0
    for _ in range(3):
        said = interrupted("fit", tmp_path / "run", rng.uniform(0, 0.1))
        reason, steps = re.fullmatch(r"(\w+) at step (\d+)\n", said).groups()
        saved = len(load_tensors(tmp_path / "run", hashed=True)[0]["run/losses"])
        assert reason == "interrupted" and saved == int(steps) >= reached      # the very step it stopped after
        reached = saved
    run, resumed = fit(tmp_path / "run", STEPS)
    assert run.steps == STEPS and resumed == straight
    assert sorted(os.listdir(tmp_path)) == ["run", "straight"]                  # and no temporary file is left


def test_a_save_that_is_interrupted_at_any_moment_leaves_the_old_file_or_the_new(tmp_path):
    rng = np.random.default_rng(1)
    for _ in range(4):
        done = int(interrupted("save", tmp_path / "file", rng.uniform(0, 0.05)))
        found = load_tensors(tmp_path / "file", hashed=True)[0]
        i = int(found["a"][0])
        assert i in (done, done + 1)                    # interrupted before the new name, or after it
        assert all(np.array_equal(found[name], array) for name, array in tensors(i).items())
        assert os.listdir(tmp_path) == ["file"]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)    # a shell may have had it ignored
    signal.alarm(100)                                           # nothing outlives the test
    if sys.argv[1] == "fit":
        stopped, _ = fit(sys.argv[2], 10**6, [Slow()])
        print(f"{stopped.reason} at step {stopped.steps}")
    else:
        save(sys.argv[2])
