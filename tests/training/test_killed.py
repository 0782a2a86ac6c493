"""A training run killed with SIGKILL at random moments: every file it leaves can be read, at most one is lost.

As a script, `python test_killed.py FOLDER KILLS`: a run that saves after every step is forked, killed after a random
time, and gone on with by the next child, over and over; prints what was found, as JSON.
"""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def run(path, steps, report=None):
    """Go on with the run at `path` up to `steps` steps, saving after each; report(step) once it is saved."""
    from minigrad import losses, nn, optim, training
    from minigrad.data import batches

    class Report(training.Callback):
        last = True

        def step(self, run):
            report(run.steps)

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype(np.float32), rng.integers(0, 3, size=30)
    model = nn.Sequential(nn.Linear(4, 50, rng=rng), nn.BatchNorm(50), nn.ReLU(), nn.Dropout(0.3, rng=1),
                          nn.Linear(50, 3, rng=rng))
    callbacks = [training.Checkpoint(path, every_steps=1, keep=1)] + ([Report()] if report else [])
    run = training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=0.01),
                       batches(x, y, batch_size=8, rng=2), steps=steps, callbacks=callbacks, resume=path,
                       progress=False)
    return hashlib.sha256(model.parameters().theta.tobytes() + np.array(run.losses).tobytes()).hexdigest()


def kill_over_and_over(folder, kills, seed=0):
    """{unreadable, lost, steps, equal}: files that could not be read, most steps lost by one kill, final step, and
    whether the run that was killed so often has the bits of one that was not."""
    import minigrad.training  # here, so that the children need not
    from minigrad.files import load_tensors

    assert minigrad.training
    rng, path = np.random.default_rng(seed), folder / "run"
    unreadable, lost, reached = [], 0, 0
    (folder / "straight").mkdir()
    for _ in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read)
                run(path, 10**6, lambda step, pipe=write: os.write(pipe, step.to_bytes(4, "little")))
            finally:
                os._exit(1)
        os.close(write)
        first = os.read(read, 4)                         # it is under way
        time.sleep(rng.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = first
        while more := os.read(read, 65536):
            told += more
        os.close(read)
        reached = int.from_bytes(told[-4:], "little")    # the last step that was saved for certain
        for name in ("run", "run.1"):
            try:
                found = json.loads(load_tensors(folder / name, hashed=True)[0]["json"].tobytes())["run"]["steps"]
            except FileNotFoundError:
                if name == "run":
                    unreadable.append("no file")
            except ValueError as error:
                unreadable.append(str(error))
            else:
                if name == "run":
                    lost = max(lost, reached - found)
    temporaries = len(list(folder.glob(".*.tmp")))
    last = reached + 5
    killed = run(path, last)
    stale = len(list(folder.glob(".*.tmp")))
    return {"unreadable": unreadable, "lost": lost, "steps": reached, "temporaries": temporaries, "stale": stale,
            "equal": killed == run(folder / "straight" / "run", last)}


def check(folder, kills):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MINIGRAD_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, folder, str(kills)], capture_output=True, text=True,
                          env=environment, timeout=1200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert found["unreadable"] == []
    assert found["lost"] <= 0                            # what was reported as saved is there
    assert found["stale"] == 0                           # what the killed left behind is gone after the next save
    assert found["steps"] >= kills and found["equal"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork, no SIGKILL")
@pytest.mark.parametrize("kills", [40, pytest.param(500, marks=pytest.mark.long)])
def test_a_killed_run_leaves_only_whole_files_and_goes_on_with_the_same_bits(tmp_path, kills):
    check(tmp_path, kills)


if __name__ == "__main__":
    print(json.dumps(kill_over_and_over(Path(sys.argv[1]), int(sys.argv[2]))))
