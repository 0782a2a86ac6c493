"""Default generators per thread, and states that survive JSON."""
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minigrad import random


def test_seed_repeats_and_generator_none_is_the_default():
    random.seed(7)
    first = random.generator(None).normal(size=5)
    random.seed(7)
    assert np.array_equal(random.generator().normal(size=5), first)
    assert random.generator() is random.generator(None)


def test_an_int_is_a_fresh_generator_and_a_generator_is_itself():
    rng = np.random.default_rng(3)
    assert random.generator(rng) is rng
    assert random.generator(3).random() == random.generator(np.int64(3)).random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("wrong", [1.5, "3", True, -1, [1], np.random.RandomState(0)])
def test_a_wrong_rng_is_refused(wrong):
    with pytest.raises(ValueError, match="rng"):
        random.generator(wrong)
    with pytest.raises(ValueError, match="seed"):
        random.seed(wrong)


def test_threads_have_their_own_default():
    random.seed(1)
    expected = np.random.default_rng(1).random(3)
    drawn = {}

    def work(n):
        random.seed(n)
        drawn[n] = [random.generator().random() for _ in range(100)]

    threads = [threading.Thread(target=work, args=(n,)) for n in (5, 6, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(random.generator().random(3), expected)
    for n in drawn:
        assert np.array_equal(drawn[n], np.random.default_rng(n).random(100))


FORKED = r"""
import os, sys
from minigrad import random
if sys.argv[1] == "seeded":
    random.seed(1)
random.generator()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os.write(1, b"%r\n" % random.generator().random())
        os._exit(0)
    os.waitpid(child, 0)
os.write(1, b"%r\n" % random.generator().random())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("how, distinct", [("seeded", 1), ("unseeded", 4)])
def test_a_forked_process_copies_a_seeded_default_only(how, distinct):
    drawn = subprocess.run([sys.executable, "-c", FORKED, how], capture_output=True, check=True, timeout=60,
                           cwd=os.path.dirname(os.path.dirname(random.__file__))).stdout.split()
    assert len(drawn) == 4 and len(set(drawn)) == distinct


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
def test_a_state_survives_json_and_goes_on_with_the_same_bits(kind):
    rng = np.random.Generator(getattr(np.random, kind)(11))
    rng.integers(0, 10, size=3, dtype=np.int32)              # leaves half a 64-bit word behind
    state = json.loads(json.dumps(random.capture(rng)))
    expected = [rng.integers(0, 1000, dtype=np.int32), *rng.normal(size=4)]
    other = np.random.Generator(getattr(np.random, kind)(0))
    assert random.restore(state, other) is other
    assert [other.integers(0, 1000, dtype=np.int32), *other.normal(size=4)] == expected


def test_restore_of_the_default():
    random.seed(4)
    state = random.capture()
    expected = random.generator().random(3)
    random.seed(5)
    random.restore(state)
    assert np.array_equal(random.generator().random(3), expected)


@pytest.mark.parametrize("kind, path, largest", [
    ("Philox", ("buffer_pos",), 4), ("MT19937", ("state", "pos"), 624), ("PCG64", ("has_uint32",), 1),
    ("PCG64", ("uinteger",), 2**32 - 1), ("Philox", ("has_uint32",), 1), ("SFC64", ("uinteger",), 2**32 - 1),
    ("PCG64", ("state", "state"), 2**128 - 1)])
def test_a_position_lies_inside_its_buffer(kind, path, largest):
    """The largest that NumPy itself reaches is taken, one more is not: it would be read behind the buffer's end."""
    rng = np.random.Generator(getattr(np.random, kind)(1))
    for value, good in ((largest, True), (largest + 1, False), (-1, False), (0, True)):
        state = random.capture(rng)
        inner = state
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        if good:
            random.restore(state, rng)
            rng.random(1000)
        else:
            before = random.capture(rng)
            with pytest.raises(ValueError, match="restore: not a state of"):
                random.restore(state, rng)
            assert random.capture(rng) == before


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
def test_a_state_changed_anywhere_is_refused_or_a_state(kind):
    """Short lists and positions outside the buffer would be read out of bounds by the bit generator itself."""
    good = random.capture(np.random.Generator(getattr(np.random, kind)(1)))

    def broken(value):
        if isinstance(value, dict):
            for name in value:
                yield {k: v for k, v in value.items() if k != name}
                for inner in broken(value[name]):
                    yield {**value, name: inner}
        elif isinstance(value, list):
            yield value[:-1]
            yield [*value, 1]
            yield [-1, *value[1:]]
        yield from ("x", None, 1.5, -1, 2**200, True)

    for state in broken(good):
        with pytest.raises(ValueError, match="restore"):
            random.restore(state)


@pytest.mark.parametrize("state", [None, {}, {"bit_generator": "os"}, {"bit_generator": "PCG64"},
                                   {"bit_generator": "PCG64", "state": {"state": -1, "inc": 1}, "has_uint32": 0,
                                    "uinteger": 0},
                                   {"bit_generator": "PCG64", "state": [1], "has_uint32": 0, "uinteger": 0}])
def test_a_broken_state_is_refused_and_nothing_changes(state):
    random.seed(8)
    before = random.capture()
    with pytest.raises(ValueError, match="restore"):
        random.restore(state)
    assert random.capture() == before


def test_restore_refuses_another_kind_of_generator():
    with pytest.raises(ValueError, match="PCG64.*SFC64"):
        random.restore(random.capture(np.random.default_rng(0)), np.random.Generator(np.random.SFC64(0)))
