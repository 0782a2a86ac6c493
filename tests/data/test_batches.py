"""Minibatches: every example once per epoch, the same order for the same seed, stop and go on with the same bits."""
import json

import numpy as np
import pytest

from minigrad import random
from minigrad.data import batches, stream

X = np.arange(60, dtype=np.float32).reshape(20, 3)
Y = np.arange(20)


def labels(loop):
    return [y.tolist() for _, y in loop]


def flat(lists):
    return [i for one in lists for i in one]


@pytest.mark.parametrize("shuffle", ["each epoch", "once", "as stored"])
@pytest.mark.parametrize("size", [1, 3, 7, 20, 50])
def test_every_example_once_per_epoch_and_rows_stay_together(shuffle, size):
    loop = batches(X, Y, batch_size=size, rng=0, shuffle=shuffle)
    for _ in range(3):
        sizes, seen = [], []
        for x, y in loop:
            assert np.array_equal(x, X[y]) and x.dtype == X.dtype
            sizes.append(len(y))
            seen += y.tolist()
        assert sorted(seen) == list(range(20))
        assert len(sizes) == len(loop) and set(sizes[:-1]) <= {size}


def test_the_three_orders():
    each = batches(X, Y, batch_size=6, rng=0)
    once = batches(X, Y, batch_size=6, rng=0, shuffle="once")
    stored = batches(X, Y, batch_size=6, rng=0, shuffle="as stored")
    assert len({tuple(flat(labels(each))) for _ in range(5)}) == 5
    assert len({tuple(flat(labels(once))) for _ in range(5)}) == 1 and flat(labels(once)) != list(range(20))
    assert flat(labels(stored)) == list(range(20))


def test_the_same_seed_gives_the_same_order_whatever_else_is_drawn():
    rng = np.random.default_rng(5)
    one, other = batches(X, Y, batch_size=6, rng=rng), batches(X, Y, batch_size=6, rng=5)
    for _ in range(3):
        expected = labels(other)
        rng.normal(size=7)
        assert labels(one) == expected
    random.seed(5)
    assert labels(batches(X, Y, batch_size=6)) == labels(batches(X, Y, batch_size=6, rng=5))
    assert labels(batches(X, Y, batch_size=6, rng=6)) != labels(batches(X, Y, batch_size=6, rng=5))


def test_the_order_does_not_depend_on_the_batch_size():
    assert len({tuple(flat(labels(batches(X, Y, batch_size=size, rng=1)))) for size in (1, 2, 7, 20)}) == 1


def test_drop_last():
    loop = batches(X, Y, batch_size=6, rng=0, drop_last=True)
    assert [len(y) for _, y in loop] == [6, 6, 6] and len(loop) == 3
    assert len({i for _ in range(20) for i in flat(labels(loop))}) == 20      # others are left out each time


def test_a_growing_batch():
    loop = batches(X, Y, batch_size=lambda k: 1 + k, rng=0)
    assert len(loop) == 5 and [len(y) for _, y in loop] == [2, 3, 4, 5, 6]
    assert len(loop) == 3 and [len(y) for _, y in loop] == [7, 8, 5]
    dropping = batches(X, Y, batch_size=lambda k: 6 + k, rng=0, drop_last=True)
    assert len(dropping) == 2 and [len(y) for _, y in dropping] == [7, 8]


def test_one_array_and_many_arrays():
    assert [x.shape for x in batches(X, batch_size=8, rng=0)] == [(8, 3), (8, 3), (4, 3)]
    for x, y, z in batches(X, Y, X[:, 0], batch_size=8, rng=0):
        assert np.array_equal(x[:, 0], z) and np.array_equal(z, 3 * y)
    assert [x.dtype.kind for x in batches(["a", "bc"], batch_size=1, rng=0)] == ["U", "U"]


def test_batches_do_not_alias_the_data_or_each_other():
    x = X.copy()
    for batch in batches(x, batch_size=1, rng=0):
        batch[:] = -1
    assert np.array_equal(x, X)
    kept = list(batches(x, batch_size=3, rng=0))
    assert sorted(np.concatenate(kept)[:, 0]) == sorted(X[:, 0])
    assert np.shares_memory(next(iter(batches(x, batch_size=3, shuffle="as stored"))), x)


@pytest.mark.parametrize("shuffle", ["each epoch", "once", "as stored"])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [3, 20, lambda k: 1 + k % 4])
def test_stop_anywhere_and_go_on_with_the_same_bits(shuffle, drop_last, size):
    def make(rng):
        return batches(X, Y, batch_size=size, rng=rng, shuffle=shuffle, drop_last=drop_last)

    def run(loop, until_epoch):
        log = []
        while loop.epoch < until_epoch or loop._going_on:
            for _, y in loop:
                log.append((y.tolist(), json.dumps(loop.state())))
        return log

    whole = run(make(0), 4)
    for stop, (_, state) in enumerate(whole):
        resumed = make(99)                              # another seed, another moment
        if stop % 2:
            next(iter(resumed))
        resumed.restore(json.loads(state))
        assert run(resumed, 4) == whole[stop + 1:]


def test_a_state_between_epochs_is_followed_by_a_whole_epoch():
    loop = batches(X, Y, batch_size=6, rng=0)
    for _ in loop:
        pass
    state = loop.state()
    expected = labels(loop)
    resumed = batches(X, Y, batch_size=6, rng=1)
    resumed.restore(state)
    assert labels(resumed) == expected and len(expected) == 4


def test_a_state_before_the_first_batch():
    loop = batches(X, Y, batch_size=6, rng=0)
    other = batches(X, Y, batch_size=6, rng=1)
    other.restore(loop.state())
    assert [labels(other), labels(other)] == [labels(loop), labels(loop)]


def test_a_loop_left_by_break_is_followed_by_a_new_epoch():
    loop = batches(X, Y, batch_size=6, rng=0)
    for _ in loop:
        break
    assert len(labels(loop)) == 4 and loop.epoch == 2


def test_a_transform_sees_the_same_noise_after_resuming():
    def noisy(x, rng):
        return x + rng.normal(size=x.shape).astype(x.dtype)

    def make(rng):
        return batches(X, Y, batch_size=6, rng=rng, transform=noisy)

    loop, log, states = make(0), [], []
    for _ in range(2):
        for x, y in loop:
            log.append(x)
            states.append(loop.state())
            assert not np.array_equal(x, X[y]) and x.dtype == X.dtype
    resumed = make(1)
    resumed.restore(states[2])
    rest = [x for x, _ in resumed] + [x for x, _ in resumed]
    assert len(rest) == len(log[3:]) and all(map(np.array_equal, rest, log[3:]))


def test_a_transforms_noise_is_new_for_every_batch_and_every_seed():
    """Of seed and k alone: as many different draws as there are batches, also where batches are equal."""
    drawn = {}
    for seed in (0, 1):
        drawn[seed] = []
        loop = batches(np.zeros((20, 1)), batch_size=4, rng=seed, shuffle="as stored",
                       transform=lambda x, rng, seed=seed: drawn[seed].append(rng.normal()) or x)
        for _ in range(3):
            list(loop)
    assert len(drawn[0]) == len(drawn[1]) == 15 and len({*drawn[0], *drawn[1]}) == 30


SIZES = [3, 4, 5, 20, 21, lambda k: 1 + k, lambda k: k, lambda k: 6 - min(k, 5), lambda k: 5, lambda k: 1 + k % 4]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("drop_last", [False, True])
def test_the_length_is_the_number_of_batches_to_come(size, drop_last):
    """Before each epoch, and after a restore in the middle of one; sizes that fill the epoch exactly among them."""
    if size == 21 and drop_last:
        return
    loop = batches(X, Y, batch_size=size, rng=0, drop_last=drop_last)
    for _ in range(4):
        expected, states = len(loop), []
        states = [loop.state() for _ in loop]
        assert len(states) == expected
        for i, state in enumerate(states):
            other = batches(X, Y, batch_size=size, rng=1, drop_last=drop_last)
            other.restore(state)
            length = len(other)
            found = len(list(other))
            assert length == found == expected - 1 - i or i == expected - 1      # after the last: that of a new epoch


@pytest.mark.parametrize("change", [
    {"examples": 21}, {"shuffle": "once"}, {"position": 21}, {"position": -1}, {"k": "1"}, {"epoch": None},
    {"seed": 1.5}, {"before": {}}, {"now": None}, {"extra": 1}])
def test_a_wrong_state_is_refused_and_nothing_changes(change):
    loop = batches(X, Y, batch_size=6, rng=0)
    next(iter(loop))
    before = loop.state()
    with pytest.raises(ValueError):
        loop.restore({**before, **change})
    assert loop.state() == before
    with pytest.raises(ValueError, match="not a state"):
        loop.restore(None)


def test_two_loops_at_once_are_refused():
    loop = batches(X, Y, batch_size=6, rng=0)
    with pytest.raises(RuntimeError, match="one object for each loop"):
        for _ in loop:
            next(iter(loop))


@pytest.mark.parametrize("arguments, options, words", [
    ((X, Y[:5]), {"batch_size": 2}, r"\[20, 5\]"), ((), {"batch_size": 2}, "one or more"),
    ((np.float32(1),), {"batch_size": 2}, "one or more"), ((X[:0],), {"batch_size": 2}, "no examples"),
    ((X,), {"batch_size": 0}, "integer >= 1, got 0"), ((X,), {"batch_size": 2.5}, "integer >= 1"),
    ((X,), {"batch_size": lambda k: -1}, "-1 at batch 1"), ((X,), {"batch_size": 2, "shuffle": True}, "'each epoch'"),
    ((X,), {"batch_size": 21, "drop_last": True}, "drop_last"), ((X,), {"batch_size": 2, "rng": 0.5}, "rng")])
def test_misuse(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        batches(*arguments, **options)


def test_a_stream_over_arrays_is_gone_through_once():
    source = stream(X, Y, batch_size=6, rng=0)
    first = [next(source)[1].tolist() for _ in range(2)]
    assert sorted(flat(first + labels(source))) == list(range(20))
    assert labels(source) == [] and source.seen == 20
    assert flat(labels(stream(X, Y, batch_size=lambda k: k, shuffle=False))) == list(range(20))


def fresh(m, rng):
    x = rng.normal(size=(m, 2))
    return x, x.sum(1) > 0


def test_an_endless_stream_repeats_nothing():
    source = stream(fresh, batch_size=50, rng=0)
    drawn = np.concatenate([next(source)[0] for _ in range(40)])
    assert len(np.unique(drawn, axis=0)) == 2000 == source.seen
    again = stream(fresh, batch_size=50, rng=0)
    assert np.array_equal(next(again)[0], drawn[:50])


@pytest.mark.parametrize("source", [(X, Y), (fresh,)])
def test_a_stream_goes_on_with_the_same_bits(source):
    whole = stream(*source, batch_size=3, rng=0)
    for _ in range(3):
        next(whole)
    state = json.loads(json.dumps(whole.state()))
    resumed = stream(*source, batch_size=3, rng=1)
    resumed.restore(state)
    for _ in range(3):
        assert all(map(np.array_equal, next(whole), next(resumed)))
    with pytest.raises(ValueError):
        resumed.restore({**state, "examples": 7})


def test_a_stream_of_nothing_is_refused():
    with pytest.raises(ValueError, match="stream"):
        stream(batch_size=3)
