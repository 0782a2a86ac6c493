"""What was tested (the header), and shared fixtures: damaged files, the memory a piece of code asks for."""
import contextlib
import os
import tracemalloc
import types

import pytest

os.environ.setdefault("MINIGRAD_THREAD_GRAIN", "100000")     # small cases are split over threads too
import minigrad


def pytest_report_header(config):
    """A silent fallback to NumPy would hide a broken build: the header says what runs."""
    kernels = minigrad.kernels
    missing = f", not built: {', '.join(kernels.missing)}" if kernels.missing else ""
    return f"minigrad {minigrad.__version__}: kernels compiled: {kernels.compiled}{missing}, isa: {kernels.isa}, " \
           f"threads: {minigrad.get_num_threads()}"


@pytest.fixture
def mutate():
    """f(data, rng) -> data with one to four random wounds: bytes changed, added, lost or doubled, bits flipped."""
    def wounded(data, rng):
        data = bytearray(data)
        for _ in range(rng.integers(1, 5)):
            at, kind = int(rng.integers(len(data) + 1)), rng.integers(7)
            if kind == 0:
                data[at:at + 1] = bytes([rng.integers(256)])
            elif kind == 1 and at < len(data):
                data[at] ^= 1 << rng.integers(8)
            elif kind == 2:
                del data[at:at + int(rng.integers(1, 9))]
            elif kind == 3:
                data[at:at] = rng.bytes(int(rng.integers(1, 9)))
            elif kind == 4:
                length = int(rng.integers(1, 33))
                data[at:at] = data[at:at + length]
            elif kind == 5:
                data[at:at + 8] = [b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"9" * 8][rng.integers(4)]
            else:
                del data[at:]
        return bytes(data)

    return wounded


@pytest.fixture
def memory_peak():
    """`with memory_peak() as peak: ...` then peak.bytes: the most that Python and NumPy had allocated at once."""
    @contextlib.contextmanager
    def measured():
        peak = types.SimpleNamespace(bytes=None)
        tracemalloc.start()
        try:
            yield peak
        finally:
            peak.bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    return measured
