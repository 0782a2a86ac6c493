"""Whether ops are recorded, and who watches them: of each thread and of each task of asyncio its own."""
import asyncio
import inspect
import threading

import numpy as np
import pytest

from minigrad import detect_anomaly
from minigrad.core import is_recording, no_grad, tensor, watch
from minigrad.optim import NonFiniteError


def leaf():
    return tensor([1.0, 2.0], requires_grad=True)


def taking_turns(*functions):
    """Run generator functions in threads of their own, one step of each at a time, in turn. Errors are raised."""
    turns = [threading.Semaphore(0) for _ in functions]
    errors = []

    def run(i):
        steps = functions[i]()
        try:
            while True:
                turns[i].acquire(timeout=20)
                try:
                    next(steps)
                finally:
                    turns[(i + 1) % len(functions)].release()
        except StopIteration:
            pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    turns[0].release()
    for thread in threads:
        thread.join(20)
    if errors:
        raise errors[0]


def test_one_object_entered_by_two_threads_in_turn_is_each_ones_own():
    """The first enters, the second enters, the first leaves, the second leaves: both record afterwards."""
    shared, seen = no_grad(), []

    def thread():
        with shared:
            yield
            seen.append(is_recording())
            yield
        seen.append(is_recording())
        yield
        seen.append(is_recording())
    taking_turns(thread, thread)
    assert seen == [False, False, True, True, True, True]


def test_each_task_of_asyncio_has_its_own():
    """Two tasks whose `with no_grad()` overlap around an await, and one that records all the time."""
    seen = {}

    async def quiet(name, enters, leaves):
        for _ in range(enters):
            await asyncio.sleep(0)
        with no_grad():
            for _ in range(leaves):
                await asyncio.sleep(0)
                assert not is_recording()
        seen[name] = is_recording()

    async def recording():
        for _ in range(10):
            await asyncio.sleep(0)
            assert is_recording() and (leaf() * 2).requires_grad
        seen["recording"] = True

    async def main():
        await asyncio.gather(quiet("first", 0, 4), quiet("second", 2, 5), recording())
        assert is_recording()
    asyncio.run(main())
    assert seen == {"first": True, "second": True, "recording": True} and is_recording()


def test_a_decorated_coroutine_does_not_record_and_others_do_meanwhile():
    @no_grad()
    async def value(x):
        """Twice x."""
        await asyncio.sleep(0)
        return x * 2

    async def main():
        async def meanwhile():
            await asyncio.sleep(0)
            return is_recording()
        y, other = await asyncio.gather(value(leaf()), meanwhile())
        return y.requires_grad, other, is_recording()
    assert inspect.iscoroutinefunction(value) and value.__doc__ == "Twice x."
    assert asyncio.run(main()) == (False, True, True)


def test_a_decorated_async_generator_does_not_record_and_its_caller_does_between_the_steps():
    seen = []

    @no_grad()
    async def numbers():
        try:
            received = yield is_recording()
            await asyncio.sleep(0)
            try:
                yield received, is_recording()
            except KeyError:
                yield "caught", is_recording()
        finally:
            seen.append(is_recording())

    async def main():
        steps = numbers()
        assert await anext(steps) is False and is_recording()
        assert await steps.asend("a") == ("a", False) and is_recording()
        assert await steps.athrow(KeyError) == ("caught", False) and is_recording()
        with pytest.raises(StopAsyncIteration):
            await anext(steps)
        steps = numbers()
        await anext(steps)
        await steps.aclose()                            # its finally runs without recording too
        assert is_recording()
        return [item async for item in numbers()]
    assert asyncio.run(main()) == [False, (None, False)] and seen == [False, False, False] and is_recording()


def test_blocks_that_a_generator_leaves_late_end_each_on_its_own():
    def steps(enabled):
        with no_grad(enabled):
            yield

    outer, inner = steps(False), steps(True)
    next(outer)
    next(inner)
    assert is_recording()
    outer.close()                                       # the outer one first
    assert is_recording()
    with no_grad():
        inner.close()
        assert not is_recording()
    assert is_recording()
    outer, inner = steps(False), steps(True)
    next(outer)
    next(inner)
    outer.close()
    inner.close()                                       # and not back to the outer one
    assert is_recording()


@pytest.mark.parametrize("wrong, message", [
    (lambda: no_grad(lambda x: x), r"must be True or False, got <function .*written with parentheses, @no_grad\(\)"),
    (lambda: no_grad(enabled=0), "enabled must be True or False, got 0"),
    (lambda: no_grad()(type("Model", (), {})), "decorate the methods of Model, not the class")])
def test_misuse_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_one_detect_anomaly_entered_by_two_threads_in_turn_watches_both_and_ends_in_both():
    shared, caught = detect_anomaly(), []

    def thread():
        with shared:
            yield
            with pytest.raises(NonFiniteError):
                leaf() / np.zeros(2, np.float32)
            yield
        caught.append(watch.get())
        yield
        leaf() / np.zeros(2, np.float32)
    taking_turns(thread, thread)
    assert caught == [None, None]


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_detect_anomaly_watches_its_task_only():
    async def watched():
        with detect_anomaly():
            await asyncio.sleep(0)
            with pytest.raises(NonFiniteError):
                leaf() / np.zeros(2, np.float32)

    async def free():
        for _ in range(3):
            await asyncio.sleep(0)
            leaf() / np.zeros(2, np.float32)

    async def main():
        await asyncio.gather(watched(), free())
    asyncio.run(main())
