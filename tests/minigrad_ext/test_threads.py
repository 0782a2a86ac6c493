"""Every kernel has the bits of one thread, whatever team it gets: smaller than asked, none, busy, or made after a fork.

As a script, `python test_threads.py bits` prints {kernel: hash of all it wrote}, `python test_threads.py adam` the loss
before the fifth step of Adam on the net 784-1000-1000-10, and `python test_threads.py limit` what is left of the team
under a limit on the address space.
"""
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

runtime = pytest.importorskip("minigrad_ext.runtime")
from minigrad import kernels  # noqa: E402
from minigrad_ext import conv, elementwise, matmul, norm, optim, pool, softmax  # noqa: E402

pytestmark = pytest.mark.skipif(not runtime.threaded(), reason="a build without threads")

ROOT = Path(__file__).parents[2]
FAMILIES = (matmul, softmax, elementwise, optim, conv, pool, norm)
NAMES = sorted(name for family in FAMILIES for name, value in vars(family).items()
               if not name.startswith("_") and callable(value) and value.__module__ == family.__name__)
SPLIT = 60_000                              # elements: enough for four threads with the grain of the tests


def arguments(name, dtype):
    """Arguments of a kernel for a case large enough that four threads share it; outputs are 0."""
    rng = np.random.default_rng(11)
    make = lambda *shape: rng.standard_normal(shape).astype(dtype)
    zeros = lambda *shape: np.zeros(shape, dtype)
    positive = lambda *shape: np.abs(make(*shape)) + dtype(0.1)
    labels = rng.integers(0, 40, 1500)
    windows, n = (1, 1, 1, 1, 1, 1, 1), SPLIT + 7
    halves = np.array([[2 * i, 2 * i + 2] for i in range(6)])
    index = (np.arange(9 * 6 * 6 * 20) * 7 % (12 * 12 * 20)).astype("i4").reshape(9, 6, 6, 20)
    channels = lambda: (positive(33), make(33))
    return {
        "matmul": lambda: (make(150, 210), make(210, 130), zeros(150, 130), False, make(130)),
        "linear_backward": lambda: (make(150, 130), make(150, 210), make(210, 130), zeros(150, 210), make(210, 130),
                                    zeros(130), True, False),
        "softmax": lambda: (make(1500, 40), zeros(1500, 40)),
        "log_softmax": lambda: (make(1500, 40), zeros(1500, 40)),
        "cross_entropy": lambda: (make(1500, 40), labels, zeros()),
        "cross_entropy_backward": lambda: (make(1500, 40), labels, 0.7, zeros(1500, 40)),
        "relu": lambda: (make(n), zeros(n)),
        "sigmoid": lambda: (make(n), zeros(n)),
        "conv2d": lambda: (make(9, 12, 12, 8), make(3, 3, 8, 20), make(20), zeros(9, 12, 12, 20), windows),
        "conv2d_x": lambda: (make(9, 12, 12, 20), make(3, 3, 8, 20), zeros(9, 12, 12, 8), windows),
        "conv2d_w": lambda: (make(9, 12, 12, 8), make(9, 12, 12, 20), zeros(3, 3, 8, 20), zeros(20), windows),
        "max_pool2d": lambda: (make(9, 12, 12, 20), halves, halves, zeros(9, 6, 6, 20), np.zeros((9, 6, 6, 20), "i4")),
        "max_pool2d_x": lambda: (make(9, 6, 6, 20), index, halves + [0, 1], halves, zeros(9, 13, 12, 20)),
        "max_pool2d_take": lambda: (make(9, 12, 12, 20), index, halves, halves, zeros(9, 6, 6, 20)),
        "avg_pool2d": lambda: (make(9, 12, 12, 20), halves, halves, 0.25, zeros(9, 6, 6, 20)),
        "avg_pool2d_x": lambda: (make(9, 6, 6, 20), halves, halves, 0.25, zeros(9, 12, 12, 20)),
        "batch_norm": lambda: (make(2000, 33), *channels(), 1e-5, True, zeros(2000, 33), zeros(33), zeros(33)),
        "batch_norm_backward": lambda: (make(2000, 33), make(2000, 33), *channels(), make(33), positive(33), 1e-5, True,
                                        zeros(2000, 33), zeros(33), zeros(33)),
        "layer_norm": lambda: (make(2000, 33), *channels(), 1e-5, zeros(2000, 33)),
        "layer_norm_backward": lambda: (make(2000, 33), make(2000, 33), positive(33), 1e-5, zeros(2000, 33), zeros(33),
                                        zeros(33)),
    }.get(name, lambda: (make(n), make(n), zeros(n)) if name.endswith("_gate") else update(name, make, positive, n))()


NUMBERS = {"lr": 0.1, "momentum": 0.9, "next_momentum": 0.8, "rho": 0.9, "rho1": 0.9, "rho2": 0.999, "delta": 1e-6,
           "t": 3, "eta": 1, "weight_decay": 0.01, "kappa": 0.01, "phi": 0.1, "up": 1.2, "down": 0.5, "smallest": 1e-6,
           "largest": 50, "m": 7}


def update(name, make, positive, n):
    """Arguments of an optimizer's kernel, as its signature names them; state is positive, as roots want it."""
    return tuple(NUMBERS[argument] if argument in NUMBERS else
                 make(n) if argument in ("theta", "g", "out") else positive(n)
                 for argument in getattr(optim, name).arguments)


def bits(names=NAMES):
    """{kernel and dtype: hash of its arrays after one call}."""
    found = {}
    for name in names:
        for dtype in (np.float32, np.float64):
            called = arguments(name, dtype)
            next(getattr(family, name) for family in FAMILIES if hasattr(family, name))(*called)
            arrays = b"".join(array.tobytes() for array in called if isinstance(array, np.ndarray))
            found[f"{name} {np.dtype(dtype)}"] = hashlib.sha256(arrays).hexdigest()
    return found


def of_one_thread():
    before, streamed = runtime.get_num_threads(), runtime.stream(0)
    runtime.set_num_threads(1)
    try:
        return bits()
    finally:
        runtime.set_num_threads(before)
        runtime.stream(streamed)


@pytest.fixture(scope="module")
def alone():
    return of_one_thread()


@pytest.fixture
def four():
    """Kernels ask for four threads, and get them unless the test says otherwise."""
    before = runtime.get_num_threads()
    runtime.set_num_threads(4)
    yield
    runtime.allow_helpers(255)
    runtime.set_num_threads(before)


def begin(*arguments, **environment):
    """This file as a script, in a session of its own."""
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True,
                            env={**os.environ, "PYTHONPATH": str(ROOT), **environment})


def script(*arguments, timeout=120, **environment):
    """What this file prints as a script. If it takes too long, its session ends, with all it started."""
    child = begin(*arguments, **environment)
    try:
        out, error = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    assert child.returncode == 0, error
    return out.strip()


def test_all_kernels_are_here():
    assert set(NAMES) == set(kernels.TWINS)


@pytest.mark.parametrize("most", [0, 1, 2, 255])
def test_a_team_smaller_than_asked_for_gives_the_same_bits(four, alone, most):
    """As if the system refused to make more threads than `most`."""
    runtime.allow_helpers(most)
    assert bits() == alone


@pytest.mark.parametrize("threads", [1, 4])
def test_results_that_are_streamed_have_the_same_bits(four, alone, threads):
    runtime.set_num_threads(threads)
    before = runtime.stream(1)
    try:
        assert bits() == alone
    finally:
        assert runtime.stream(before) == 1


@pytest.mark.parametrize("environment", [{"OMP_THREAD_LIMIT": "1"}, {"OMP_DYNAMIC": "true"}, {"OMP_THREAD_LIMIT": "2"}])
def test_what_openmp_is_told_does_not_change_bits(alone, environment):
    assert json.loads(script("bits", MINIGRAD_NUM_THREADS="4", **environment)) == alone


def test_adam_under_a_thread_limit_takes_the_steps_of_one_thread():
    """A kernel that counted on the two threads asked for left half of theta where it was: 1.4107."""
    assert script("adam", MINIGRAD_NUM_THREADS="1") == "0.4959"
    assert script("adam", MINIGRAD_NUM_THREADS="2", OMP_THREAD_LIMIT="1") == "0.4959"
    assert script("adam", MINIGRAD_NUM_THREADS="2", OMP_DYNAMIC="true") == "0.4959"


def test_eight_python_threads_at_once(four, alone):
    """One of them has the helpers, the others work alone."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(bits(NAMES[::3]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{name: alone[name] for name in found[0]}] * 8


def _kernels_in_child(queue):
    runtime.set_num_threads(4)
    queue.put(bits(NAMES[::5]))


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_makes_its_own_helpers(method):
    assert script("child", method) == "equal"


def child(method):
    """Kernels here, then in a child made by `method`: are the bits those of one thread?"""
    runtime.set_num_threads(4)
    bits(["adam", "matmul"])
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_kernels_in_child, args=(queue,))
    process.start()
    found = queue.get(timeout=60)
    process.join(60)
    wanted = of_one_thread()
    return "equal" if found == {name: wanted[name] for name in found} and runtime.helpers() == 3 else "different"


def limit():
    """Helpers that could be made when no memory is left for a thread's stack, and whether the bits were right."""
    import resource
    wanted, names = of_one_thread(), ["adam", "matmul", "relu"]
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 19), resource.getrlimit(resource.RLIMIT_AS)[1]))
    runtime.set_num_threads(4)
    out = np.ones(SPLIT, "f4")
    for _ in range(3):
        elementwise.relu(out, out.copy())
    helpers = runtime.helpers()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    return f"{helpers} {bits(names) == {name: wanted[name] for name in wanted if name.split()[0] in names}}"


@pytest.mark.no_asan                       # limits the address space, all of which the sanitizer maps
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_where_no_thread_can_be_made_one_thread_works():
    """The run-time library of OpenMP ended the interpreter here."""
    assert script("limit", MINIGRAD_NUM_THREADS="1") == "0 True"


def processors():
    """A helper that was roused may use the processors that its caller may use, and follows when those change."""
    def helper_may_use(wanted):
        time.sleep(0.05)                            # the helper is asleep, and is roused
        elementwise.relu(np.ones(SPLIT, "f4"), np.zeros(SPLIT, "f4"))
        helper, = [int(task) for task in os.listdir("/proc/self/task") if int(task) not in others]
        until = time.monotonic() + 10
        while os.sched_getaffinity(helper) != wanted and time.monotonic() < until:
            time.sleep(0.01)                        # it may not have begun yet
        return os.sched_getaffinity(helper) == wanted
    others = {int(task) for task in os.listdir("/proc/self/task")}
    allowed = os.sched_getaffinity(0)
    runtime.set_num_threads(2)
    helper_may_use(allowed)                         # made, not roused
    for wanted in (allowed, *({one} for one in sorted(allowed)[:2]), allowed):
        os.sched_setaffinity(0, wanted)
        if not helper_may_use(wanted):
            return f"not {wanted}"
    return "follows"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_helper_may_use_the_processors_of_its_caller():
    """It is woken on another one (on the caller's it came to work 4 ms late), but not kept there."""
    assert script("processors", OPENBLAS_NUM_THREADS="1", MINIGRAD_THREAD_GRAIN="20000") == "follows"


def bound():
    """A library has bound the calling thread: may the helper still use all processors that the process had?"""
    others = {int(task) for task in os.listdir("/proc/self/task")}
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    runtime.set_num_threads(2)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        elementwise.relu(np.ones(SPLIT, "f4"), np.zeros(SPLIT, "f4"))
        time.sleep(0.02)
        helper, = [int(task) for task in os.listdir("/proc/self/task") if int(task) not in others]
        if os.sched_getaffinity(helper) == allowed:
            return "all"
    return f"{os.sched_getaffinity(helper)} of {allowed}"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_openmp_binds_its_own_threads_only():
    """Told to, its library binds whoever loads it; the helper shared that processor, and two threads took twice as long
    as one."""
    settings = {"OPENBLAS_NUM_THREADS": "1", "MINIGRAD_THREAD_GRAIN": "20000"}
    assert script("bound", OMP_PROC_BIND="true", **settings) == "all"
    if len(os.sched_getaffinity(0)) > 1:                          # else its processors are those of the caller
        assert script("processors", OMP_PROC_BIND="false", OMP_PLACES="{0},{1}", **settings) == "follows"


def again():
    """Helpers after five products of 12,000 multiply-adds 10 ms apart, and after some right behind each other."""
    runtime.set_num_threads(2)
    a, b, out = np.ones((24, 20), "f4"), np.ones((20, 25), "f4"), np.empty((24, 25), "f4")
    for _ in range(5):
        matmul.matmul(a, b, out)
        time.sleep(0.01)
    alone = runtime.helpers()
    for _ in range(10_000):                         # a busy machine may take more than 200 us from one to the next
        matmul.matmul(a, b, out)
        if runtime.helpers():
            break
    return f"{alone} {runtime.helpers()}"


def test_the_second_of_two_products_makes_a_helper():
    """A thread is not worth waking for one product of 20 us, but for many of them."""
    assert script("again", MINIGRAD_THREAD_GRAIN="30000") == "0 1"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_in_a_kernel_is_heard_when_it_returns():
    child = begin("endless", MINIGRAD_NUM_THREADS="4")
    try:
        assert child.stdout.readline() == "begun\n"
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, error = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
    assert out == "heard, and kernels work: True\n" and child.returncode == 0, error


def endless():
    """Large products until Ctrl-C; then one whose result is known."""
    signal.signal(signal.SIGINT, signal.default_int_handler)        # a shell may have had it ignored
    a, out = np.ones((700, 700), "f4"), np.empty((700, 700), "f4")
    print("begun", flush=True)
    try:
        while True:
            matmul.matmul(a, a, out)
    except KeyboardInterrupt:
        matmul.matmul(a, a, out)
        print("heard, and kernels work:", bool((out == 700).all()))


def adam():
    """Adam on the net 784-1000-1000-10 and 128 examples of noise: the loss before the fifth step, to four places."""
    from minigrad import Tensor, losses, nn
    from minigrad import optim as optimizers
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((128, 784)).astype("f4"), rng.integers(0, 10, 128)
    model = nn.Sequential(nn.Linear(784, 1000, rng=1), nn.ReLU(), nn.Linear(1000, 1000, rng=2), nn.ReLU(),
                          nn.Linear(1000, 10, rng=3))
    optimizer = optimizers.Adam(model.parameters(), lr=0.001)
    for _ in range(5):
        loss = losses.cross_entropy(model(Tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return f"{loss.item():.4f}"


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    answer = {"bits": lambda: json.dumps(bits()), "adam": adam, "child": child, "limit": limit, "endless": endless,
              "processors": processors, "again": again, "bound": bound}
    result = answer[what](*more)
    if result is not None:
        print(result)
