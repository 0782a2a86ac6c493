"""Same seed, same bits: whatever the threads, the hash seed, the process, and how the process was made; no leaks.

As a script, `python test_determinism.py WHAT [ARGUMENT]` prints the hash of a training run, or of several.
"""
import gc
import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import losses, nn, optim, training
from minigrad.data import batches

ROOT = Path(__file__).parents[1]


def convnet(seed=0, steps=24):
    """Train a convnet with batch norm and dropout on images of noise, large enough for several threads.

    Returns one hash of all parameters and buffers."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(128, 16, 16, 1)).astype(np.float32), rng.integers(0, 10, size=128)
    mg.seed(seed)                                          # weights and masks come from the thread's default
    model = nn.Sequential(nn.Conv2d(1, 16, 5, bias=False), nn.BatchNorm(16, relu=True), nn.MaxPool2d(2),
                          nn.Conv2d(16, 32, 3, bias=False), nn.BatchNorm(32, relu=True), nn.Flatten(), nn.Dropout(0.3),
                          nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10))
    training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=0.003), batches(x, y, batch_size=64),
                 steps=steps, progress=False)
    h = hashlib.sha256()
    for name, array in model.state_dict().items():
        h.update(name.encode() + array.tobytes())
    return h.hexdigest()


def script(*arguments, **environment):
    """The last line that this file prints as a script."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_one_hash_for_threads_hash_seeds_and_processes():
    here = convnet()
    for threads, hash_seed in ((1, "0"), (2, "1"), (3, "random"), (4, "0")):
        assert script("convnet", MINIGRAD_NUM_THREADS=str(threads), PYTHONHASHSEED=hash_seed) == here, threads
    assert convnet(seed=1) != here


@pytest.mark.long
def test_one_hash_of_twenty_runs_of_500_steps():
    found = {script("convnet", 500, MINIGRAD_NUM_THREADS=str(repeat % 4 + 1),
                    PYTHONHASHSEED=("0", "1", "random")[repeat % 3]) for repeat in range(20)}
    assert len(found) == 1


def test_one_hash_for_thread_counts_within_a_process():
    before = mg.get_num_threads()
    try:
        found = set()
        for threads in (1, 2, 3, 4, 2):
            mg.set_num_threads(threads)
            found.add(convnet(steps=10))
    finally:
        mg.set_num_threads(before)
    assert len(found) == 1


def test_eight_threads_training_eight_models_equal_serial_runs():
    serial, found = [convnet(seed, steps=8) for seed in range(8)], {}
    threads = [threading.Thread(target=lambda seed=seed: found.update({seed: convnet(seed, steps=8)}))
               for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(8)] == serial and len(set(serial)) == 8


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_trains_alike_after_the_parent_used_its_kernels(method):
    assert script("child", method, MINIGRAD_NUM_THREADS="2") == "equal"


def child(method):
    """Train here, then in three children; each is ended by its pid if it hangs."""
    here = convnet(steps=6)
    context = multiprocessing.get_context(method)
    for _ in range(3):
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=answer, args=(send,))
        process.start()
        found = receive.recv() if receive.poll(60) else "no answer"
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
        if found != here:
            return found.replace(" ", "-")
    return "equal"


def answer(send):
    send.send(convnet(steps=6))


# ---- memory

def growth(steps, warm_up):
    """Bytes by which the resident memory grew between step `warm_up` and the last of a run of a tiny net."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 6)).astype(np.float32), rng.integers(0, 3, size=4000)
    model = nn.Sequential(nn.Linear(6, 8, rng=1), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2, rng=2),
                          nn.Linear(8, 3, rng=3))
    sizes = []

    class Watch(training.Callback):
        def step(self, run):
            if run.steps in (warm_up, steps):
                gc.collect()
                sizes.append((resident(), len(gc.get_objects())))

    training.fit(model, losses.cross_entropy, optim.Adam(model.parameters(), lr=1e-3),
                 batches(x, y, batch_size=4, rng=4), steps=steps, callbacks=[Watch()], progress=False)
    (bytes_before, objects_before), (bytes_after, objects_after) = sizes
    return bytes_after - bytes_before, objects_after - objects_before


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.no_asan                       # resident memory, and the sanitizer holds back what is freed
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
@pytest.mark.parametrize("steps, warm_up", [(3_000, 1_000), pytest.param(100_000, 10_000, marks=pytest.mark.long)])
def test_memory_does_not_grow(steps, warm_up):
    found, objects = map(int, script("growth", steps, warm_up).split(","))
    print(f"{steps} steps: {found / 2**20:.2f} MiB, {objects} objects")
    assert found <= 2**20 and abs(objects) <= 200


if __name__ == "__main__":
    if sys.argv[1] == "convnet":
        print(convnet(0, *map(int, sys.argv[2:])))
    elif sys.argv[1] == "child":
        print(child(sys.argv[2]))
    else:
        print(*growth(int(sys.argv[2]), int(sys.argv[3])), sep=",")
