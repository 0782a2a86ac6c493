"""examples/data_parallel.py: what its parts promise, without MPI (processes are threads that meet); with it, what it
shows."""
import importlib.util
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from minigrad import data, losses, nn, optim, training
from minigrad.core import Tensor

FILE = Path(__file__).parents[2] / "examples" / "data_parallel.py"
spec = importlib.util.spec_from_file_location("data_parallel", FILE)
page = importlib.util.module_from_spec(spec)
spec.loader.exec_module(page)


class Threads:
    """Communicators for so many threads, each with its rank: what all add up to, at a meeting of all."""

    def __init__(self, size):
        self.meeting, self.given = threading.Barrier(size, timeout=60), [None] * size
        self.comms = [Thread(self, rank, size) for rank in range(size)]

    def run(self, function):
        """function(comm) in every thread; the results by rank."""
        results = [None] * len(self.comms)

        def one(comm):
            results[comm.rank] = function(comm)

        threads = [threading.Thread(target=one, args=(comm,), daemon=True) for comm in self.comms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        return results


class Thread:
    def __init__(self, all_of_them, rank, size):
        self.all, self.rank, self.size = all_of_them, rank, size

    def allreduce(self, x):
        self.all.given[self.rank] = np.array(x)
        self.all.meeting.wait()
        total = sum(self.all.given)
        self.all.meeting.wait()
        return total


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_synchronized_batch_norm_is_batch_norm_of_the_whole_batch(processes):
    """Value, running averages and gradients, those of x too, from the mean of the processes' J."""
    rng = np.random.default_rng(0)
    x, u = rng.standard_normal((8, 3)) + 1, rng.standard_normal((8, 3))
    gamma, beta = rng.standard_normal(3), rng.standard_normal(3)

    def of(layer, x, u):
        layer.gamma.data, layer.beta.data = gamma, beta
        leaf = Tensor(x, requires_grad=True)
        J = (layer(leaf) * Tensor(u)).sum() / len(x)
        J.backward()
        return J.item(), leaf.grad, layer.gamma.grad, layer.beta.grad, layer.running_mean, layer.running_var

    whole = of(nn.BatchNorm(3, dtype=np.float64), x, u)
    parts = Threads(processes).run(lambda comm: of(
        page.SynchronizedBatchNorm(3, comm, dtype=np.float64),
        *(np.split(array, processes)[comm.rank] for array in (x, u))))
    J, dx, dgamma, dbeta, means, variances = zip(*parts)
    assert np.mean(J) == pytest.approx(whole[0], rel=1e-12)
    assert np.allclose(np.concatenate(dx) / processes, whole[1], rtol=1e-11, atol=1e-13)
    assert np.allclose(np.mean(dgamma, axis=0), whole[2], rtol=1e-12)
    assert np.allclose(np.mean(dbeta, axis=0), whole[3], rtol=1e-12)
    for k in range(processes):
        assert np.allclose(means[k], whole[4], rtol=1e-12) and np.allclose(variances[k], whole[5], rtol=1e-12)


def test_shares_are_the_parts_of_every_batch_and_the_same_ones_after_a_restore():
    x, y = np.arange(24.0)[:, None], np.arange(24)
    comms = [Thread(None, rank, 3) for rank in range(3)]

    def shares(comm):
        return page.Share(data.batches(x, y, batch_size=6, rng=5), comm)

    whole = [labels for _, labels in data.batches(x, y, batch_size=6, rng=5)]
    parts = [[labels for _, labels in shares(comm)] for comm in comms]
    assert all(np.array_equal(np.concatenate(together), batch) for together, batch in zip(zip(*parts), whole))
    one, again = shares(comms[1]), shares(comms[1])
    rest = iter(one)
    next(rest)
    again.restore(one.state())
    assert np.array_equal(next(iter(again))[1], next(rest)[1]) and len(one) == 4
    with pytest.raises(ValueError, match="no equal parts for 5 processes"):
        next(iter(page.Share(data.batches(x, y, batch_size=6, rng=0), Thread(None, 0, 5))))


def test_one_process_without_a_communicator_is_plain_fit():
    (x, y), _ = data.mnist(flat=True, dtype=np.float64)
    theta, error = page.learn("none", 3, 256, 1)
    model = page.network("none", 3)
    training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=page.RATE),
                 data.batches(x[:256], y[:256], batch_size=page.BATCH, rng=3), epochs=1, progress=False)
    assert np.array_equal(theta, model.parameters().theta) and 0 < error < 100


@pytest.mark.parametrize("tau", [0, 1, 3, 7, 20])
def test_the_limit_of_old_gradients_is_where_a_root_leaves_the_unit_circle(tau):
    def radius(lr):
        coefficients = np.zeros(tau + 2)                # z^(tau + 1) - z^tau + lr
        coefficients[0], coefficients[1] = 1, -1
        coefficients[-1] += lr
        return np.abs(np.roots(coefficients)).max()

    assert radius(page.limit(tau) * 0.999) < 1 < radius(page.limit(tau) * 1.001)
    if tau < 8:
        assert page.largest_rate(tau) == pytest.approx(page.limit(tau), abs=0.01)


def test_stale_descent_without_delay_is_gradient_descent_and_delay_costs_updates():
    h, lr = np.array([1.0, 5.0]), 0.1
    theta = np.array([(1 - lr * h) ** k for k in range(11)])
    assert np.allclose(page.stale_descent(h, lr, 0, 10), (h * theta ** 2).sum(1) / 2)
    needed = [page.updates_needed(tau, 1000)[0] for tau in (0, 1, 3)]
    assert needed[0] < needed[1] < needed[2]


def test_without_mpi_it_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(page, "launcher", lambda: None)
    with pytest.raises(SystemExit) as stop:
        page.main(["--quick"])
    heard = capsys.readouterr().err
    assert stop.value.code == 2 and "openmpi-bin" in heard and ".[mpi]" in heard and len(heard.splitlines()) == 1


@pytest.fixture
def mpirun(monkeypatch):
    pytest.importorskip("mpi4py")
    monkeypatch.setenv("PYTHONPATH", str(FILE.parents[1]))      # a checkout need not be installed
    return page.launcher() or pytest.skip("there is no mpirun")


def test_two_processes_of_mpi_make_the_steps_of_one(mpirun, tmp_path):
    whole, error = page.learn("whole", 0, 256, 1)
    done = page.start(mpirun, 2, job="learn", norm="synchronized", seeds=1, examples=256, epochs=1,
                      found=tmp_path / "found.npz")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "found.npz") as kept:
        assert np.abs(kept["synchronized 0"] - whole).max() < 1e-13 * np.abs(whole).max()
    assert f"synchronized 0: test error {error:.2f} %" in done.stdout


@pytest.mark.long
def test_what_the_page_shows_with_mpi(mpirun, tmp_path, capsys):
    """1, 2 and 4 processes, both accidents, real workers: some ten starts of mpirun."""
    page.main(["--quick", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    rows = {line.split()[0]: [float(text) for text in re.findall(r"(\d\.\de[-+]\d+),", line)]
            for line in said.splitlines() if re.match(r"  (none|synchronized|local) ", line)}
    assert max(rows["none"]) < 1e-13 and max(rows["synchronized"]) < 1e-13
    assert rows["local"][0] < 1e-13 and min(rows["local"][1:]) > 1e-3
    assert re.search(r"process 3 of 4 is killed after step 13: mpirun ends with [1-9]", said) and "signal 9" in said
    assert "RuntimeError: an accident after step 13" in said
    resumed = re.findall(r"with 2 processes to the end: theta differs by (\S+)", said)
    assert len(resumed) == 2 and all(float(difference) < 1e-13 for difference in resumed)
    assert re.search(r"lr h = 0\.2 asynchronous +150 updates in", said)
