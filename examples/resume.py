"""An interrupted run goes on with the same bits.

What it shows: a network with batch norm and dropout learns three spirals, three times with one seed: in one go; stopped
by Ctrl-C in the middle of an epoch and resumed from its checkpoint by a new process; killed outright (SIGKILL) and
resumed.
What to look at: the three hashes of all parameters are one. The checkpoint's list: parameters and running averages are
not enough, the optimizer's moments, its schedule, the order of the data, the generators of the masks and the step
count belong to it too. The file opens in the safetensors package.
Try: leave out resume= in `train`; give the dropout layer's generator a new seed after the resume: when do the losses
part?

Run: python examples/resume.py [--quick] [--out DIR]
"""
import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from minigrad import data, losses, nn, optim, training
from minigrad.figures.page import Page
from minigrad.files import load_tensors

EXAMPLES, EPOCHS = 4000, 8


class Accident(training.Callback):
    """Ctrl-C, or the end of the process without a word, after a given step."""

    def __init__(self, what, step):
        self.what, self.at = what, step

    def step(self, run):
        if run.steps == self.at:
            if self.what == "ctrl-c":
                signal.raise_signal(signal.SIGINT)
            else:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def train(checkpoint, examples, accident=None, step=0):
    """Train, or go on where the checkpoint was written. Prints the hash of all parameters and buffers."""
    x, y = data.toy.spirals(examples, classes=3, rng=0)
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 64, bias=False, rng=rng), nn.BatchNorm(64, relu=True), nn.Dropout(0.1, rng=1),
                          nn.Linear(64, 64, bias=False, rng=rng), nn.BatchNorm(64, relu=True),
                          nn.Linear(64, 3, rng=rng))
    batches = data.batches(x, y, batch_size=50, rng=2)
    optimizer = optim.Adam(model.parameters(), lr=optim.schedules.Cosine(0.01, 0.0, EPOCHS * len(batches)))
    callbacks = [training.Checkpoint(checkpoint, every_steps=7)]
    callbacks += [Accident(accident, step)] if accident else []
    run = training.fit(model, losses.cross_entropy, optimizer, batches, epochs=EPOCHS, callbacks=callbacks,
                       progress=False, resume=checkpoint)
    h = hashlib.sha256()
    for name, array in model.state_dict().items():
        h.update(name.encode() + array.tobytes())
    print(f"{run.reason} at epoch {run.epoch}, step {run.steps}, parameters {h.hexdigest()[:16]}", flush=True)
    return run


def in_a_new_process(*arguments):
    """Run this file with these arguments. Returns what it printed, or how it ended.

    Ctrl-C means there what it means to Python, also where a shell that runs us in its background has it ignored.
    """
    done = subprocess.run([sys.executable, __file__, "--child", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode > 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip() or f"killed by signal {-done.returncode}"


def picture(figure, checkpoints):
    """The losses of the runs, step by step, out of their checkpoints: they lie on each other."""
    axes = figure.subplots()
    for (name, (file, stop)), width in zip(checkpoints.items(), (6, 3, 1)):
        axes.plot(load_tensors(file)[0]["run/losses"], linewidth=width, alpha=0.7, label=name)
        if stop:
            axes.axvline(stop, color="0.5", linestyle=":")
    axes.set(xlabel="step", ylabel="loss of the minibatch", title="three runs, one line")
    axes.legend()
    axes.grid(alpha=0.3)


def main(argv=None):
    page = Page(__doc__, argv, lambda parser: parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS))
    if page.options.child:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        checkpoint, examples, *accident = page.options.child
        train(checkpoint, int(examples), *accident[:1], *map(int, accident[1:]))
        return
    examples = 500 if page.quick else EXAMPLES
    stops = {"ctrl-c": examples // 50 * 5 // 2 + 2, "kill": examples // 50 * 11 // 2 + 1}     # in the midst of an epoch
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.safetensors" for name in ("straight", *stops)}
        straight = in_a_new_process(files["straight"], examples)
        print(f"in one go      {straight}")
        ends = [straight]
        for what, step in stops.items():
            accident = in_a_new_process(files[what], examples, what, step)
            print(f"{what:<14} {accident}")
            if accident.startswith("finished"):
                raise RuntimeError(f"the run with {what} was not interrupted: what follows would prove nothing")
            ends.append(in_a_new_process(files[what], examples))
            print(f"  resumed      {ends[-1]}")
        print("the same bits" if len(set(ends)) == 1 else "NOT the same bits")
        tensors, _ = load_tensors(files["straight"])
        parts = dict.fromkeys(name.split("/")[0] for name in tensors if name != "json")
        print(f"the checkpoint has {files['straight'].stat().st_size:,} bytes: arrays of {', '.join(parts)}")
        print("and as JSON: " + ", ".join(json.loads(tensors["json"].tobytes())))
        page.draw("resume", picture, {name: (file, stops.get(name)) for name, file in files.items()}, size=(8, 4.5))


if __name__ == "__main__":
    main()
