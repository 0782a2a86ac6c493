"""Threads, fork, and the environment variables, each in a process of its own where it concerns one."""
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

runtime = pytest.importorskip("minigrad_ext.runtime")


def run(code, **environment):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_kernel_fork_kernel_50_of_50():
    """libgomp's threads do not survive a fork: a child that used them would hang. It is killed by its pid then."""
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
                runtime.set_num_threads(4)
                matmul.matmul(a, a, out)
                os._exit(0 if (out == 300).all() and runtime.get_num_threads() == 1 else 1)
            until = time.monotonic() + 5
            while True:
                finished, status = os.waitpid(pid, os.WNOHANG)
                if finished:
                    good += status == 0
                    break
                if time.monotonic() > until:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    break
                time.sleep(0.0005)
            matmul.matmul(a, a, out)
        print(good)
    """)
    assert done.stdout.strip() == "50", done.stdout + done.stderr


def test_number_of_threads():
    before = runtime.get_num_threads()
    try:
        runtime.set_num_threads(3)
        assert runtime.get_num_threads() == (3 if runtime.openmp() else 1)
        for wrong in (0, -1, 1.5, "2", True, None):
            with pytest.raises(ValueError, match="set_num_threads: n must be an int >= 1"):
                runtime.set_num_threads(wrong)
        assert runtime.get_num_threads() == (3 if runtime.openmp() else 1)
    finally:
        runtime.set_num_threads(before)


def test_environment_sets_the_number_of_threads():
    code = "import minigrad_ext.runtime as r; print(r.get_num_threads())"
    assert run(code, MINIGRAD_NUM_THREADS="1").stdout.strip() == "1"
    if runtime.openmp():
        assert run(code, MINIGRAD_NUM_THREADS="3").stdout.strip() == "3"
    wrong = run(code, MINIGRAD_NUM_THREADS="many")
    assert wrong.returncode != 0 and "MINIGRAD_NUM_THREADS=many" in wrong.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_default_is_the_processors_this_process_may_use():
    code = ("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
            "import minigrad_ext.runtime as r; print(r.get_num_threads())")
    done = run(code, MINIGRAD_NUM_THREADS="", OMP_PROC_BIND="false")
    assert done.stdout.strip() == "1", done.stderr


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
