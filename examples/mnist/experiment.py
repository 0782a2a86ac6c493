"""What the examples share: options, optimizers and schedules by name, the run itself, the learning curve; and `spread`,
which runs many jobs on any concurrent.futures.Executor and keeps what is done."""
import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

import minigrad as mg
from minigrad import losses, optim, training
from minigrad.optim import schedules

# name -> (how it is made, the learning rate that serves here as a start)
OPTIMIZERS = {
    "sgd": (optim.SGD, 0.2),
    "momentum": (optim.Momentum, 0.05),
    "nesterov": (optim.Nesterov, 0.05),
    "nesterov-notes": (optim.NesterovNotes, 0.05),
    "adagrad": (optim.AdaGrad, 0.02),
    "rmsprop": (optim.RMSProp, 1e-3),
    "rmsprop-nesterov": (optim.RMSPropNesterov, 3e-4),
    "adadelta": (optim.AdaDelta, 1.0),
    "adam": (optim.Adam, 2e-3),
    "adamax": (optim.AdaMax, 4e-3),
    "adamw": (optim.AdamW, 2e-3),
}
SCHEDULES = ("linear", "constant", "cosine")


def options(parser, epochs, batch):
    """Give a parser the options that all MNIST examples understand."""
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", metavar="NAME",
                        help="one of " + ", ".join(OPTIMIZERS))
    parser.add_argument("--lr", type=positive(float), help="learning rate (by default one that suits the optimizer)")
    parser.add_argument("--schedule", choices=SCHEDULES, default="linear",
                        help="of the learning rate: linear decay to 1 %% over the whole run (8.14), constant or cosine")
    parser.add_argument("--epochs", type=positive(int), default=epochs, help="passes over the training set")
    parser.add_argument("--batch", type=positive(int), default=batch, help="examples per step")
    parser.add_argument("--seed", type=natural, default=0, help="of weights and order; the same seed, the same bits")
    parser.add_argument("--threads", type=positive(int), help="of the compiled kernels (default: all cores)")


def positive(kind):
    """An argparse type: a positive int or float."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"wanted a positive {'whole ' if kind is int else ''}number, got {text!r}")
        return value
    return parse


def natural(text):
    """An argparse type: a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wanted a whole number from 0, got {text!r}")
    return int(text)


def schedule(name, lr, steps):
    """A learning rate over a run of so many steps."""
    return {"constant": schedules.Constant(lr), "linear": schedules.Linear(lr, 0.01 * lr, steps),
            "cosine": schedules.Cosine(lr, 0.0, steps)}[name]


def train(model, page, train_set, test_set, transform=None, callbacks=()):
    """Run the experiment that the options ask for (quick: one epoch of 2,000 examples). Returns the training Run;
    prints a line per epoch."""
    args = page.options
    if page.quick:
        args.epochs, train_set = 1, tuple(part[:2000] for part in train_set)
    if args.threads:
        mg.set_num_threads(args.threads)
    batches = mg.data.batches(*train_set, batch_size=args.batch, rng=args.seed, transform=transform)
    kind, usual = OPTIMIZERS[args.optimizer]
    lr = args.lr or usual
    optimizer = kind(model.parameters(), lr=schedule(args.schedule, lr, args.epochs * len(batches)))
    print(model.summary(train_set[0][:1]))
    print(f"{args.optimizer}, lr {lr:g} ({args.schedule}), batch {args.batch}, seed {args.seed}, "
          f"{mg.get_num_threads()} threads, kernels: {mg.kernels.isa}")
    began = time.perf_counter()
    run = training.fit(model, losses.cross_entropy, optimizer, batches, epochs=args.epochs, validation=test_set,
                       callbacks=callbacks)
    seconds = time.perf_counter() - began
    if run.history:
        print(f"test error {100 * run.history[-1]['validation_error']:.2f} % after {seconds:.1f} s ({run.reason})")
    return run


def learning_curve(run, page, name):
    """Draw loss and error over the epochs, if matplotlib is installed."""
    path = page.out / f"{name}.{page.options.format}"
    try:
        training.draw_learning_curve(run.history, path)
    except ImportError:
        print("no picture: matplotlib is not installed (pip install matplotlib)", file=sys.stderr)
        return
    print(f"learning curve: {path}")


# ---- many runs


def process_pool(workers):
    """Processes with one thread of kernels each, started afresh ("spawn", as on Windows), deaf to Ctrl-C."""
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), quiet_worker)


def quiet_worker():
    signal.signal(signal.SIGINT, signal.SIG_IGN)      # the parent decides; the job at hand ends in order
    mg.set_num_threads(1)


def spread(function, jobs, folder, executor):
    """function(**job) for every job, wherever the executor runs it. Returns the results in the order of the jobs.

    jobs: dicts of plain values (what JSON can hold). function: importable, returns plain values too. executor: any
    concurrent.futures.Executor: a process pool, `dask.distributed.Client(...).get_executor()`,
    `mpi4py.futures.MPIPoolExecutor()`. Every result goes to a file of its own in `folder`, whole or not at all, as soon
    as it is there, so that a run that was broken off goes on where it was. ValueError for a file that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name_of(job)}.json" for job in jobs]
    results = [stored(path, job) for path, job in zip(paths, jobs)]
    waiting = {executor.submit(function, **job): i for i, job in enumerate(jobs) if results[i] is None}
    if len(waiting) < len(jobs):
        print(f"{len(jobs) - len(waiting)} of {len(jobs)} runs were done before (in {folder})")
    try:
        for done, future in enumerate(as_completed(waiting), 1):
            i = waiting[future]
            results[i] = future.result()
            store(paths[i], jobs[i], results[i])
            if sys.stderr.isatty():
                print(f"\r{done} of {len(waiting)} runs", end="" if done < len(waiting) else "\n", file=sys.stderr)
    except BaseException:
        for future in waiting:
            future.cancel()
        raise
    return results


def name_of(job):
    """A file name that says what the job is, and differs for jobs that differ in anything."""
    words = "-".join(value.replace(" ", "_") for value in job.values() if isinstance(value, str))
    return f"{words}-{hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:10]}"


def stored(path, job):
    """The result kept in `path`, None if there is none. ValueError if it is not one of this job."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        kept = json.loads(text)
        if kept["job"] == job:
            return kept["result"]
        problem = "it is the result of another job"
    except (ValueError, TypeError, KeyError) as error:
        problem = f"{type(error).__name__}: {error}"
    raise ValueError(f"{path} is not a result kept by an earlier run ({problem}): delete it to make that run anew")


def store(path, job, result):
    """Write the file beside its place, then move it there: nobody ever sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"job": job, "result": result}, allow_nan=False), encoding="utf-8")
    os.replace(new, path)


def workers_option(parser):
    """--workers, one per processor that this process may use by default."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--workers", type=positive(int), default=allowed, help="processes, with one thread each")
