"""Optimizers compared fairly: `python -m minigrad compare`.

What it shows: first- and second-order methods on the same tasks, each with the same budget of work and of tuning: six
values of the one number it is most sensitive to, on one seed; then other seeds, with the value found, as means with
their range. What an evaluation of one example costs, a value, a gradient or a product with a curvature matrix, counts
the same for all; seconds are those of one processor, without measuring.
What to look at: loss against steps, then the same loss against seconds: who changes places? The star behind a value
that is an end of its grid: the method may be better than it looks here. The range over the seeds beside the gap to the
next. Training loss is what is tuned and ranked; the validation error is watched while learning, the test error is
measured once, at the end.
Try: --optimizers sgd momentum adam; --class mine.py:Mine for a class of your own; --error 5; --decay root, as in
figure 1 of the Adam paper (Kingma and Ba 2015).

    python -m minigrad compare                      logistic regression and an MLP on 10,000 digits
    python -m minigrad compare --tasks all          dropout, convolution and sparse features too: long
    python -m minigrad compare --quick              seconds: untuned, a handful of steps

Every run is kept in OUT/compare: what was broken off, by Ctrl-C or otherwise, goes on from there, and what is asked for
twice is made once. Rooms: `methods` and `tasks` (what is compared on what), `run` (one run), `spread` (many, on any
Executor), `report` (the tables and the picture).
"""
from __future__ import annotations

from minigrad.compare.methods import Method
from typing import Any
from collections.abc import Sequence
import time
from concurrent.futures import Executor

from minigrad.compare.run import learn
from minigrad.compare.methods import METHODS, MORE, absolute, digest, method_of, own_class
from minigrad.compare.report import Row, chosen, picture, size_of, table
from minigrad.compare.spread import Unreadable, process_pool, spread, workers_option
from minigrad.compare.tasks import LARGEST, TASKS, USUAL
from minigrad.figures.page import Page, positive

DIGITS = 10_000                             # examples to learn from
MARKS = 24                                  # measurements on the way
LONGER = 2.5                                # times as long as Adam methods with batches of their own take for a pass


def options(parser: Any) -> None:
    parser.prog = "python -m minigrad compare"
    parser.add_argument("--tasks", nargs="+", choices=[*TASKS, "all"], default=list(USUAL), metavar="TASK",
                        help=f"some of {', '.join(TASKS)}, or all")
    parser.add_argument("--optimizers", nargs="+", choices=[*METHODS, *MORE, "all"], default=list(METHODS),
                        metavar="NAME", help=f"some of {', '.join([*METHODS, *MORE])}, or all")
    parser.add_argument("--class", nargs="+", dest="classes", default=[], metavar="FILE.PY:NAME",
                        help="optimizers of your own, beside the others; a constructor takes params and lr=")
    parser.add_argument("--class-lr", type=positive(float), default=0.01,
                        help="the usual rate of your own: its grid lies around it")
    parser.add_argument("--decay", choices=("constant", "root"), default="constant",
                        help="of the rates: root, as 1/sqrt(k), for what the Adam paper's figure 1 shows")
    parser.add_argument("--seeds", type=positive(int), default=3, help="beside the one for tuning")
    parser.add_argument("--digits", type=positive(int), default=DIGITS,
                        help=f"examples to learn from, at most {LARGEST}")
    parser.add_argument("--passes", type=positive(float), help="the budget of each run; if not given 10 or 20, by task")
    parser.add_argument("--error", type=positive(float), default=1.9,
                        help="validation error in percent, to which time is taken")
    workers_option(parser)


class Comparison:
    """What the options ask for, as jobs; their results; what is made of them."""
    page: Page
    executor: Executor

    def __init__(self, page: Page, executor: Executor) -> None:
        self.page, self.executor, arguments = page, executor, page.options
        self.tasks: list[str] = list(TASKS) if "all" in arguments.tasks else list(dict.fromkeys(arguments.tasks))
        everything = "all" in arguments.optimizers
        known = [*METHODS, *MORE] if everything else list(dict.fromkeys(arguments.optimizers))
        self.methods: dict[str, Method] = {name: method_of(name) for name in known}
        own = [absolute(name) for name in dict.fromkeys(arguments.classes)]
        self.own: dict[str, Method] = {name: method_of(name, arguments.class_lr) for name in own}
        self.methods |= self.own
        self.digits = 600 if page.quick else arguments.digits
        self.seeds: list[int] = list(range(1, 1 + (2 if page.quick else arguments.seeds)))

    def job(self, task: Any, name: Any, value: Any, seed: Any) -> dict[str, Any]:
        job = {"task": task, "method": name, "value": value, "seed": seed, "digits": self.digits,
               "passes": self.page.options.passes or (2 if self.page.quick else TASKS[task].passes),
               "marks": 8 if self.page.quick else MARKS}
        if self.page.options.decay != "constant" and self.methods[name].tuned == "lr":
            job |= {"decay": self.page.options.decay}
        if name in self.own:
            job |= {"lr": self.own[name].lr, "file": digest(name)}
        return job

    def grid(self, name: Any) -> Any:
        method = self.methods[name]
        return [method.usual(self.digits)] if self.page.quick else method.grid(self.digits)

    def run(self, jobs: Any) -> Any:
        return spread(learn, jobs, self.page.out / "compare", self.executor)

    def tune(self) -> dict[str, Any]:
        """{(task, method): (value, end of the grid?)}; what is tried is one seed of its own."""
        pairs = [(task, name) for task in self.tasks for name in self.methods]
        if self.page.quick:
            return {(task, name): (self.grid(name)[0], "") for task, name in pairs}
        jobs = [self.job(task, name, value, seed=0) for task, name in pairs for value in self.grid(name)]
        results = iter(self.run(jobs))
        return {(task, name): chosen(self.grid(name), [next(results) for _ in self.grid(name)], self.methods[name])
                for task, name in pairs}

    def rows(self, found: dict[str, Any]) -> dict[str, Any]:
        """{task: its rows}, from the runs with the values found."""
        jobs = [self.job(task, name, value, seed) for (task, name), (value, _) in found.items() for seed in self.seeds]
        results = iter(self.run(jobs))
        rows: dict[str, Any] = {task: [] for task in self.tasks}
        for (task, name), (value, end) in found.items():
            rows[task].append(Row(name, self.methods[name], value, end, [next(results) for _ in self.seeds]))
        return rows

    def say_how_long(self) -> None:
        """Print the number of runs and, from one short run of each task, about how long they take."""
        runs = len(self.methods) * ((0 if self.page.quick else len(self.grid(next(iter(self.methods)))))
                                    + len(self.seeds))
        print(f"{runs} runs on each of {', '.join(self.tasks)}")
        left_out = [name for name in (*METHODS, *MORE) if name not in self.methods]
        if left_out:
            print(f"not asked for: {', '.join(left_out)}")
        if self.page.quick:
            return
        share = sum(LONGER if method.tuned == "batch" else 1.0 for method in self.methods.values()) / len(self.methods)
        seconds = 0.0
        for task in self.tasks:
            job = self.job(task, "adam", METHODS["adam"].lr, 0)
            passes = job["passes"]
            job |= {"passes": 0.1, "marks": 2}
            learn(**job)                                    # reads the data
            short = learn(**job)
            of_learning = max(short["points"][-1][2], 1e-3)
            measuring = max(short["seconds"] - of_learning, 0) / 3
            seconds += runs * (of_learning / 0.1 * passes * share + measuring * (MARKS + 2))
        workers = self.page.options.workers
        minutes = seconds / workers / 60
        print(f"about {f'{minutes:.0f} minutes' if minutes >= 1.5 else 'a minute'} on {workers} "
              f"processor{'s' * (workers > 1)} if none was made before; Ctrl-C and the same command again: it goes on",
              flush=True)


def main(argv: Sequence[str] | None = None, executor: Executor | None = None) -> int:
    """The command. executor: any concurrent.futures.Executor; by default a process pool of --workers."""
    page = Page(__doc__, argv, options)
    arguments = page.options
    if not 100 <= arguments.digits <= LARGEST:
        page.parser.error(f"--digits: wanted 100 to {LARGEST}, got {arguments.digits}")
    for name in arguments.classes:
        try:
            own_class(name)
        except ValueError as error:
            page.parser.error(f"--class: {error}")
    began = time.perf_counter()
    try:
        with executor or process_pool(arguments.workers) as pool:
            comparison = Comparison(page, pool)
            comparison.say_how_long()
            rows = comparison.rows(comparison.tune())
    except Unreadable as error:
        page.parser.error(str(error))
    except KeyboardInterrupt:
        page.parser.exit(130, "interrupted: the same command goes on from here\n")
    print(f"done in {time.perf_counter() - began:.0f} s")
    for task, found in rows.items():
        name = next(iter(comparison.methods))
        job, tuned = comparison.job(task, name, 0, 0), len(comparison.grid(name))
        table(task, found, job, comparison.seeds, tuned, arguments.error, arguments.decay)
        words = ["compare", task, *[arguments.decay] * (arguments.decay != "constant"),
                 *[str(arguments.digits)] * (arguments.digits != DIGITS)]           # other runs are other files
        page.draw("_".join(words), picture, task, found, job, arguments.error,
                  size=size_of(found))
    return 0
