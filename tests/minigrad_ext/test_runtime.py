"""Threads, fork, and the environment variables, each in a process of its own where it concerns one."""
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

runtime = pytest.importorskip("minigrad_ext.runtime")


def run(code, **environment):
    """The code in a session of its own, which is ended with all it started if it takes too long."""
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, **environment},
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, error = child.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    return subprocess.CompletedProcess(code, child.returncode, out, error)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_kernel_fork_kernel_50_of_50():
    """No thread survives a fork: a child that waited for its parent's helpers would hang. One that does is ended."""
    done = run("""
        import os, signal, time, warnings
        import numpy as np
        from minigrad_ext import matmul, runtime
        warnings.simplefilter("ignore", DeprecationWarning)      # Python 3.12: fork in a process with threads
        runtime.set_num_threads(2)
        a, out = np.ones((300, 300), "f4"), np.empty((300, 300), "f4")
        matmul.matmul(a, a, out)
        good = 0
        for _ in range(50):
            pid = os.fork()
            if pid == 0:
                out[...] = 0
                none = runtime.helpers() == 0
                matmul.matmul(a, a, out)
                os._exit(0 if none and (out == 300).all() and runtime.helpers() == runtime.threaded() else 1)
            until = time.monotonic() + 5
            while (finished := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < until:
                time.sleep(0.0005)
            if finished[0] == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            good += finished[1] == 0
            matmul.matmul(a, a, out)
        print(good)
    """)
    assert done.stdout.strip() == "50", done.stdout + done.stderr


def test_number_of_threads():
    before = runtime.get_num_threads()
    try:
        runtime.set_num_threads(3)
        assert runtime.get_num_threads() == (3 if runtime.threaded() else 1)
        for wrong in (0, -1, 1.5, "2", True, None):
            with pytest.raises(ValueError, match="set_num_threads: n must be an int >= 1"):
                runtime.set_num_threads(wrong)
        assert runtime.get_num_threads() == (3 if runtime.threaded() else 1)
    finally:
        runtime.set_num_threads(before)


SHOW = "import minigrad_ext.runtime as r; print(r.get_num_threads())"
NONE = {"MINIGRAD_NUM_THREADS": "", "OMP_NUM_THREADS": "", "OMP_THREAD_LIMIT": ""}


@pytest.mark.skipif(not runtime.threaded(), reason="a build without threads")
@pytest.mark.parametrize("environment, wanted", [
    ({"MINIGRAD_NUM_THREADS": "1"}, 1),
    ({"MINIGRAD_NUM_THREADS": "3"}, 3),
    ({"OMP_NUM_THREADS": "5"}, 5),
    ({"OMP_NUM_THREADS": " 5, 2"}, 5),                                          # a list: one for each level of nesting
    ({"OMP_NUM_THREADS": "5", "MINIGRAD_NUM_THREADS": "3"}, 3),
    ({"OMP_NUM_THREADS": "5", "OMP_THREAD_LIMIT": "2"}, 2),
    ({"OMP_THREAD_LIMIT": "2", "MINIGRAD_NUM_THREADS": "3"}, 2),
    ({"OMP_NUM_THREADS": "many", "OMP_THREAD_LIMIT": "-1", "MINIGRAD_NUM_THREADS": "3"}, 3),    # not ours to refuse
])
def test_environment_sets_the_number_of_threads(environment, wanted):
    done = run(SHOW, **NONE | environment)
    assert done.stdout.strip() == str(wanted), done.stderr


def test_a_number_of_threads_that_is_none_is_refused():
    wrong = run(SHOW, MINIGRAD_NUM_THREADS="many")
    assert wrong.returncode != 0 and "MINIGRAD_NUM_THREADS=many" in wrong.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_default_is_the_processors_this_process_may_use():
    done = run("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + SHOW, **NONE)
    assert done.stdout.strip() == "1", done.stderr


def test_loading_the_kernels_leaves_the_environment_alone():
    """What a process has in its environment, its children and the other libraries in it have too."""
    done = run("import os; before = dict(os.environ); import minigrad; print(dict(os.environ) == before)")
    assert done.stdout.strip() == "True", done.stderr


def test_isa_is_one_of_those_available():
    assert runtime.isa() in runtime.available() and runtime.available()[0] == "baseline"


def test_importing_the_kernels_does_not_import_numpy():
    """minigrad_ext speaks the buffer protocol only."""
    done = run("import sys, minigrad_ext.matmul, minigrad_ext.softmax; print('numpy' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_array_module_works_too():
    import array

    from minigrad_ext import elementwise
    x, y = array.array("f", [-1, 2]), array.array("f", [9, 9])
    elementwise.relu(x, y)
    assert list(y) == [0, 2]
    assert np.frombuffer(y, "f4").tolist() == [0, 2]
