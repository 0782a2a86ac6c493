"""Threads that share a leaf or a model and call backward together: no gradient is lost, none is counted twice."""
import itertools
import os
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from minigrad import Objective, losses, nn
from minigrad.core import OPS, Leaf, Tensor, primitive, tensor

THREADS = 4


@pytest.fixture(autouse=True)
def threads_change_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(function, times=1):
    """function(i, k) in thread i, all threads starting each k at the same moment. Returns the errors."""
    barrier, errors = threading.Barrier(THREADS, timeout=30), []

    def run(i):
        for k in range(times):
            barrier.wait()
            try:
                function(i, k)
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


@pytest.mark.parametrize("n, times", [(3, 200), (100_000, 20)])
def test_a_leaf_receives_every_gradient(n, times):
    """Whole numbers: the sum is exact in any order."""
    w = tensor(np.ones(n), requires_grad=True)
    assert not together(lambda i, k: (w * float(i + 1)).sum().backward(), times)
    assert (w.grad == times * sum(range(1, THREADS + 1))).all()


@pytest.mark.parametrize("first", [True, False])
def test_the_first_gradients_of_all_threads_arrive(first):
    """`grad` is None when they come: one of them stores, the others add, whichever comes first."""
    for _ in range(50):
        leaves = [tensor(np.ones(5), requires_grad=True) for _ in range(4)]
        if not first:
            for leaf in leaves:
                leaf.grad = np.zeros(5)
        assert not together(lambda i, k, leaves=leaves: sum(leaf.sum() for leaf in leaves).backward())
        assert all((leaf.grad == THREADS).all() for leaf in leaves)


def test_a_leaf_waits_for_the_thread_that_is_writing():
    """Between looking at the gradient and storing it no other thread gets a word in: provoked, not left to chance."""
    class Slow(np.ndarray):
        def __iadd__(self, g):
            total = np.asarray(self) + np.asarray(g)
            pause.wait(0.2)                             # here another thread would overwrite what it adds
            self[...] = total
            return self

    pause = threading.Event()
    w = tensor(np.ones(2), requires_grad=True)
    w.node.grad = np.zeros(2).view(Slow)
    assert not together(lambda i, k: (w * 1.0).sum().backward())
    assert (np.asarray(w.grad) == THREADS).all()


@pytest.mark.parametrize("make", [
    lambda: nn.Sequential(nn.Linear(6, 5, rng=0), nn.Tanh(), nn.Linear(5, 3, rng=1)),
    lambda: nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.Flatten(), nn.Linear(2 * 4 * 4, 3, rng=1)),
    lambda: nn.Sequential(nn.Linear(6, 5, rng=0), nn.LayerNorm(5), nn.Linear(5, 3, rng=1))],
    ids=["linear", "conv2d", "layer norm"])
def test_a_model_receives_every_gradient(make):
    """Fused backwards write straight into the parameters' slices of g."""
    model = make().astype(np.float64)
    params, rng = model.parameters(), np.random.default_rng(0)
    shape = (16, 6, 6, 1) if isinstance(model[0], nn.Conv2d) else (16, 6)
    batches = [(rng.standard_normal(shape), rng.integers(0, 3, 16)) for _ in range(THREADS)]

    def backward(i, k=0):
        losses.cross_entropy(model(Tensor(batches[i][0])), batches[i][1]).backward()

    expected = 0
    for i in range(THREADS):
        params.zero_grad()
        backward(i)
        expected = expected + params.gradient()
    for _ in range(20):
        params.zero_grad()
        assert not together(backward)
        np.testing.assert_allclose(params.gradient(), expected, rtol=1e-12, atol=1e-14)


def test_a_shared_graph_is_right_or_one_clear_error():
    """A graph is freed by the first backward: of threads that go through the same one, all succeed that were in time,
    the others are told, and nothing is added by halves to the leaf at its end."""
    for _ in range(30):
        w = tensor(np.ones(3), requires_grad=True)
        y = w
        for _ in range(30):
            y = y * 1.0
        y = y.sum()
        errors = together(lambda i, k, y=y: y.backward())
        assert all(isinstance(e, RuntimeError) and "was freed by an earlier backward" in str(e) for e in errors)
        assert len(errors) < THREADS and (w.grad == THREADS - len(errors)).all()


def test_a_graph_that_is_freed_under_a_sweep_is_refused_by_the_name_of_the_op():
    """The other thread frees it while the first op's rule runs: provoked."""
    @primitive
    def victim(x):
        return x * 1

    def rule(g, y, x):
        below.node.parents = below.node.values = below.node.data = None
        return g

    victim.vjps(rule)
    w = tensor([1.0], requires_grad=True)
    below = w.exp()
    with pytest.raises(RuntimeError, match="the graph behind exp was freed by an earlier backward"):
        victim(below).sum().backward()
    assert w.grad is None


def test_threads_that_want_the_same_places_in_opposite_order_do_not_wait_for_each_other():
    """Each holds one leaf's place when it asks for the other's: what is not free is added afterwards."""
    @primitive
    def product(a, b):
        return a * b

    class Place(Leaf):
        def destination(self):
            if next(asked) < 2:
                both.wait()                             # until each thread has one
            return None

    del OPS["product"]
    product.vjps(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)
    product.fused(lambda g, y, wanted, out, a, b: [g * b, g * a])
    both, asked = threading.Barrier(2, timeout=20), itertools.count()
    a, b = tensor([2.0], requires_grad=True), tensor([3.0], requires_grad=True)
    a.node, b.node = Place(), Place()
    threads = [threading.Thread(target=lambda pair=pair: product(*pair).backward([1.0]), daemon=True)
               for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert a.grad.tolist() == [6] and b.grad.tolist() == [4]


def ends_in_a_child(function):
    """Does function() end in the child of a fork, without an error and within 5 s? A child that does not is ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                          # Python's and JAX's, of threads beside a fork
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function()
            status = 0
        finally:
            os._exit(status)
    until = time.monotonic() + 5
    while (finished := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < until:
        time.sleep(0.001)
    if finished[0] == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return finished[0] == pid and finished[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("shared", ["tensor", "parameter", "theta"])
def test_a_fork_leaves_the_locks_of_other_threads_behind(shared):
    """Whoever holds them does not exist in the child, which waited for ever (7 of 12 forks beside a backward)."""
    model = nn.Linear(3, 2, rng=0, dtype=np.float64)
    w, x, y = tensor(np.ones(3), requires_grad=True), np.ones((4, 3)), np.zeros(4, int)
    J = Objective(model, losses.cross_entropy, x, y)
    lock = {"tensor": w.node.lock, "parameter": model.b.slot.lock, "theta": model.parameters().lock}[shared]
    value, held, done = J.value(None), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait(30)

    def child():
        (w * 2).sum().backward()
        losses.cross_entropy(model(Tensor(x)), y).backward()
        assert (w.grad == 2).all() and (model.b.grad != 0).all() and J.value(None) == value
        other = threading.Thread(target=lambda: (x @ w * 2).sum().backward())        # the locks are free for it, too
        other.start()
        other.join()
        assert (w.grad == 10).all()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        assert ends_in_a_child(child)
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_lock_of_the_forking_thread_stays_its_own():
    w = tensor(np.ones(3), requires_grad=True)

    def child():
        w.node.lock.release()
        (w * 2).sum().backward()

    with w.node.lock:
        assert ends_in_a_child(child)
