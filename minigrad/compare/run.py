"""One run: a method learns a task within a budget of work, and is measured on its way."""
from __future__ import annotations

import functools
import math
import time
from typing import Any

import numpy as np

from minigrad import data, kernels, losses, optim, training
from minigrad.compare.methods import Method, method_of
from minigrad.compare.tasks import TASKS, Examples, Task
from minigrad.core import Tensor, no_grad
from minigrad.objective import Objective
from minigrad.optim import schedules
from minigrad.typing import Array

MEASURED = 5000             # training examples, at most, on which the training loss is measured


def learn(task: str, method: str, value: float, seed: int, digits: int, passes: float, marks: int,
          decay: str = "constant", lr: float | None = None, file: str | None = None) -> dict[str, Any]:
    """One run on one thread, as plain values: {"points": [...], "end": "", "test_error": percent, "seconds": all}.

    value: what is tuned, the rate or the size of the batch. decay: "root" for rates that fall as 1/sqrt(k), value being
    the one at step 100. lr, file: usual rate and hash of a class of one's own.
    A point: steps made, passes over the examples that they cost, seconds of the processor that they took, training loss
    (test mode, the first 5,000 examples), validation error in percent. Points lie densely at first: point j of `marks`
    is the last state that had cost no more than passes (j/marks)^2. A step that would end beyond the budget does not
    count. end: "" or why the run ended early ("diverged", or what a full batch's step said); a diverged run has
    no point from there on and no test error. Measuring is not on the clock.
    """
    kernels.set_num_threads(1)
    began = time.perf_counter()
    run = Run(task, method_of(method, lr), value, seed, digits, decay)
    run.until(passes, marks)
    error = None if run.end == "diverged" else run.error(run.examples.test)
    return {"points": run.points, "end": run.end, "test_error": error, "seconds": time.perf_counter() - began}


@functools.lru_cache(1)
def examples_of(task: str, digits: Any) -> Any:
    """Drawn once for all runs of a worker that follow one another."""
    return TASKS[task].examples(digits)


class Run:
    """A model that learns, and another of the same form to look at what it was before a step: the first one, with its
    masks and interim points, never notices. work: passes over the examples that were spent."""
    task: Task
    examples: Examples
    model: Any
    seen: Any
    steps: int
    work: float
    clock: float
    points: list[Any]
    end: str

    def __init__(self, task: str, method: Method, value: float, seed: int, digits: int,
                 decay: str = "constant") -> None:
        self.task, self.examples = TASKS[task], examples_of(task, digits)
        self.model, self.seen = (self.task.model(np.random.default_rng(seed)) for _ in range(2))
        self.before: Array = self.seen.parameters().theta
        self.m: int = len(self.examples.train[0])
        lr = {}
        if method.tuned == "lr":
            lr["lr"] = schedules.Power(10 * value, 0.5) if decay == "root" else value
        self.opt: optim.Optimizer = method.make(self.model.parameters(), **lr)
        self.batches: Any = data.batches(*self.examples.train, batch_size=self.task.batch if lr else int(value),
                                    rng=seed)
        self.draws: bool = any(True for _ in self.model.generators())
        self.steps, self.work, self.clock = 0, 0.0, 0.0
        self.points, self.end = [], ""
        self.whole: Any = None  # J on all examples: the same object, so that a method knows where it is

    def until(self, passes: float, marks: int) -> None:
        """Steps until the budget is spent, a loss is not finite, or a step on all examples leads nowhere."""
        self.model.train()
        self.remember()
        self.note()
        mark = 1
        while not self.end:
            for x, y in self.batches:
                self.remember()
                began = time.thread_time()
                evaluations, reason = self.step(x, y)
                took = time.thread_time() - began
                work = self.work + evaluations * len(x) / self.m
                if reason == "diverged" or (reason and len(x) == self.m):
                    self.end = reason
                    if reason != "diverged":
                        self.note()
                    return
                if work > passes * (mark / marks) ** 2 * (1 + 1e-9) and not self.note():
                    return
                while mark <= marks and work > passes * (mark / marks) ** 2 * (1 + 1e-9):
                    mark += 1
                if mark > marks:
                    return
                self.steps, self.work, self.clock = self.steps + 1, work, self.clock + took

    def remember(self) -> None:
        """theta as it is now, into the model that is looked at."""
        theta = self.opt.true_theta() if isinstance(self.opt, optim.FirstOrder) else self.opt.theta
        self.before[...] = theta

    def step(self, x: Any, y: Any) -> tuple[int, str]:
        """One step; what it cost in evaluations of these examples (a value, a gradient or a product), and "" or why it
        was not made."""
        if isinstance(self.opt, optim.FirstOrder) and not self.opt.needs_objective:
            self.opt.zero_grad()
            J = losses.cross_entropy(self.model(Tensor(x)), y)
            if not math.isfinite(J.item()):
                return 1, "diverged"
            J.backward()
            with np.errstate(all="ignore"):                 # too large a rate is part of the search
                self.opt.step()
            return 1, ""
        J = self.objective(x, y)
        before = J.evaluations
        step = self.opt.step(J)
        assert step is not None                             # what a step on an objective returns
        if not math.isfinite(step):
            return 1, "diverged"
        if self.draws:                                      # the masks of the next step, see `training.fit`
            with no_grad():
                self.model(J.x)
        spent = J.evaluations - before if isinstance(self.opt, optim.FirstOrder) else step.evaluations
        return spent + self.draws, getattr(step, "reason", "")

    def objective(self, x: Any, y: Any) -> Any:
        """J on a batch; on all examples always the same one, unless its masks are drawn anew."""
        if len(x) < self.m or self.draws:
            return Counted(self.model, losses.cross_entropy, x, y)
        if self.whole is None:
            self.whole = Counted(self.model, losses.cross_entropy, *self.examples.train)
        return self.whole

    def note(self) -> bool:
        """Measure what was remembered. False if it is no longer finite: the run has diverged."""
        if self.points and self.points[-1][:2] == [self.steps, self.work]:
            return True
        x, y = self.examples.train
        with np.errstate(all="ignore"):
            loss = training.evaluate(self.seen, losses.cross_entropy, x[:MEASURED], y[:MEASURED]).loss
        if not math.isfinite(loss):
            self.end = "diverged"
            return False
        self.points.append([self.steps, self.work, self.clock, loss, self.error(self.examples.validation)])
        return True

    def error(self, examples: Any) -> float:
        wrong = training.evaluate(self.seen, losses.cross_entropy, *examples).error
        assert wrong is not None                            # the labels are classes
        return 100 * wrong


class Counted(Objective):
    """J that counts its gradients, for first-order methods that take several a step."""
    evaluations: int = 0

    def value_and_grad(self, theta: Array | None = None) -> tuple[float, Array]:
        self.evaluations += 1
        return super().value_and_grad(theta)
