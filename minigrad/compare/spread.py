"""Many runs on any concurrent.futures.Executor, each result kept in a file: what was broken off goes on."""
from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from minigrad import kernels
from minigrad.figures.page import positive


class Unreadable(ValueError):
    """A file in the place of a result that is none, or is another job's."""


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Processes with one thread each, started afresh ("spawn", as on Windows), deaf to Ctrl-C. The BLAS of NumPy, which
    some methods use, learns it from the environment that they inherit, unless that says otherwise."""
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), quiet_worker)


def quiet_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)      # the parent decides; the job at hand ends in order
    kernels.set_num_threads(1)


def spread(function: Callable[..., Any], jobs: list[dict[str, Any]], folder: Path,
           executor: Executor) -> list[dict[str, Any]]:
    """function(**job) for every job, wherever the executor runs it. Returns the results in the order of the jobs.

    jobs: dicts of plain values (what JSON can hold). function: importable, returns plain values too. executor: any
    concurrent.futures.Executor: a process pool, `dask.distributed.Client(...).get_executor()`,
    `mpi4py.futures.MPIPoolExecutor()`. Every result goes to a file of its own in `folder`, whole or not at all, as soon
    as it is there, so that a run that was broken off goes on where it was. What a job raises is raised here, the others
    are called off. Unreadable, a ValueError, for a file that is no result of its job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name_of(job)}.json" for job in jobs]
    results: list[Any] = [stored(path, job) for path, job in zip(paths, jobs)]
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


def name_of(job: dict[str, Any]) -> str:
    """A file name that says what the job is, and differs for jobs that differ in anything."""
    words = "-".join(re.sub(r"[^\w.-]+", "_", value)[-40:] for value in job.values() if isinstance(value, str))
    return f"{words}-{hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:10]}"


def stored(path: Path, job: dict[str, Any]) -> dict[str, Any] | None:
    """The result kept in `path`, None if there is none. Unreadable if it is not one of this job."""
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
    raise Unreadable(f"{path} is not a result kept by an earlier run ({problem}): delete it to make that run anew")


def store(path: Path, job: dict[str, Any], result: dict[str, Any]) -> None:
    """Write the file beside its place, then move it there: nobody ever sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"job": job, "result": result}, allow_nan=False), encoding="utf-8")
    os.replace(new, path)


def workers_option(parser: Any) -> None:
    """--workers, one per processor that this process may use by default."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--workers", type=positive(int), default=allowed, help="processes, with one thread each")
