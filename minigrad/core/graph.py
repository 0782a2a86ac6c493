"""What is remembered of a computation: nodes and leaves, and whether the thread at hand records them.

The graph lives between nodes. A node knows its op, its arguments and its output array, never the output Tensor, so
there are no reference cycles; its creation number is its place in topological order, so nothing is recursive.
"""
import functools
import inspect
import itertools
import threading
import weakref

import numpy as np

clock = itertools.count(1)                # creation numbers of nodes, and the times at which leaves change


class Node:
    """One call of an op: `data` is the array it returned, `values` what it was called with (arrays and constants),
    `parents` the node behind each argument (None for a constant). `backward` empties the node."""
    __slots__ = ("op", "parents", "values", "data", "number")


class Leaf:
    """Where the graph begins: a Tensor that wants a gradient. `changed` is the time its values were last replaced."""
    __slots__ = ("grad", "number", "changed", "name")
    op = None
    parents = ()

    def __init__(self, name=None):
        self.grad = None
        self.number = next(clock)
        self.changed = 0
        self.name = name

    def receive(self, g):
        """Add g to the gradient (the first one is copied: a leaf never shares its gradient with anything)."""
        if self.grad is None:
            self.grad = np.array(g)
        else:
            self.grad += g

    def destination(self):
        """(array, accumulate) if a fused backward may write the gradient there itself, else None."""
        return None

    def touch(self):
        """Values have changed: graphs recorded before may no longer be used."""
        self.changed = changes.latest = next(clock)


class _Changes:
    """Which values were replaced after they might have been saved. `latest` is the time of the last change at all;
    `arrays` are those written in place, of which a constant of a graph (a frozen parameter, a view) may be a part."""

    def __init__(self):
        self.latest = 0
        self.arrays = {}                  # id -> [weak reference, time of the last change]

    def wrote(self, array):
        """`array` was written in place."""
        self.latest = now = next(clock)
        entry, key = self.arrays.get(id(array)), id(array)
        if entry is None:
            self.arrays[key] = [weakref.ref(array, lambda _: self.arrays.pop(key, None)), now]
        else:
            entry[1] = now


changes = _Changes()


class _Mode(threading.local):
    """What this thread does: record ops or not, and a function to call with each of them (see `anomaly`) or None."""
    recording = True
    watch = None


mode = _Mode()
watchers = []                             # the threads that have a `watch`: usually none, and then nobody asks


class no_grad:
    """Record nothing: `with no_grad(): ...`, or a decorator (of functions and of generator functions).

    Per thread, nestable, restored after exceptions. `enabled=True` records again inside a block that does not.
    """

    def __init__(self, enabled=False):
        self.enabled = enabled
        self.before = []

    def __enter__(self):
        self.before.append(mode.recording)
        mode.recording = self.enabled
        return self

    def __exit__(self, *error):
        mode.recording = self.before.pop()

    def __call__(self, function):
        if inspect.isgeneratorfunction(function):
            @functools.wraps(function)
            def generate(*args, **kwargs):
                steps = function(*args, **kwargs)       # recording is off only while the generator runs
                resume, value = steps.send, None
                while True:
                    with no_grad(self.enabled):
                        try:
                            item = resume(value)
                        except StopIteration as stop:
                            return stop.value
                    try:
                        resume, value = steps.send, (yield item)
                    except GeneratorExit:
                        with no_grad(self.enabled):
                            steps.close()
                        raise
                    except BaseException as error:
                        resume, value = steps.throw, error
            return generate

        @functools.wraps(function)
        def call(*args, **kwargs):
            with no_grad(self.enabled):
                return function(*args, **kwargs)
        return call


def is_recording():
    """Whether ops are being recorded in this thread."""
    return mode.recording
