"""What every file here needs: the number of threads as it was, after each test."""
import pytest

from minigrad import kernels


@pytest.fixture(autouse=True)
def threads():
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)
