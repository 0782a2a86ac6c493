"""What the code at hand does: whether ops are recorded, and who watches them.

Each thread has its own answer, and each task of asyncio: what one enters before an `await` does not hold for another.
"""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Self, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# (whether ops are recorded, the `no_grad` that says so, what holds outside of it)
mode: ContextVar[tuple[bool, Any, Any]] = ContextVar("mode", default=(True, None, None))
# a function to call with every op (see `anomaly`), or None
watch: ContextVar[Callable[..., Any] | None] = ContextVar("watch", default=None)
watchers: list[Any] = []                              # those that watch: usually none, and then nobody asks


def is_recording() -> bool:
    """Whether ops are being recorded, in this thread or task."""
    return mode.get()[0]


class no_grad:
    """Record nothing: `with no_grad(): ...`, or a decorator of functions and generators, of `async` ones too.

    Holds for the thread, or the task of asyncio, that entered it; nestable, restored after exceptions. One object may
    be entered again and by several threads. `enabled=True` records again inside a block that does not.
    """

    def __init__(self, enabled: bool = False) -> None:
        if not isinstance(enabled, bool):
            hint = "; a decorator is written with parentheses, @no_grad()" if callable(enabled) else ""
            raise ValueError(f"no_grad: enabled must be True or False, got {enabled!r:.60}{hint}")
        self.enabled = enabled

    def __enter__(self) -> Self:
        mode.set((self.enabled, self, mode.get()))
        return self

    def __exit__(self, *error: object) -> None:
        mode.set(_without(self, mode.get()))

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            raise ValueError(f"no_grad: decorate the methods of {function.__name__}, not the class")
        if inspect.isgeneratorfunction(function):
            return _generator(function, self.enabled)
        if inspect.isasyncgenfunction(function):
            return _async_generator(function, self.enabled)
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def call(*args, **kwargs):
                with no_grad(self.enabled):
                    return await function(*args, **kwargs)
        else:
            @functools.wraps(function)
            def call(*args, **kwargs):
                with no_grad(self.enabled):
                    return function(*args, **kwargs)
        return call


def _without(block, inner):
    """The mode without one block: usually the innermost; a generator may leave its own after others began."""
    enabled, owner, outer = inner
    if owner is block:
        return outer
    return inner if outer is None else (enabled, owner, _without(block, outer))


def _generator(function, enabled):
    """A generator function whose steps run inside a `no_grad`; what its caller does between them does not."""
    @functools.wraps(function)
    def generate(*args, **kwargs):
        steps = function(*args, **kwargs)
        resume, value = steps.send, None
        while True:
            with no_grad(enabled):
                try:
                    item = resume(value)
                except StopIteration as stop:
                    return stop.value
            try:
                resume, value = steps.send, (yield item)
            except GeneratorExit:
                with no_grad(enabled):
                    steps.close()
                raise
            except BaseException as error:
                resume, value = steps.throw, error
    return generate


def _async_generator(function, enabled):
    """The same for `async def` with a `yield`."""
    @functools.wraps(function)
    async def generate(*args, **kwargs):
        steps = function(*args, **kwargs)
        resume, value = steps.asend, None
        while True:
            with no_grad(enabled):
                try:
                    item = await resume(value)
                except StopAsyncIteration:
                    return
            try:
                resume, value = steps.asend, (yield item)
            except GeneratorExit:
                with no_grad(enabled):
                    await steps.aclose()
                raise
            except BaseException as error:
                resume, value = steps.athrow, error
    return generate
