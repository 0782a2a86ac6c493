# %% [markdown]
# # More than one process: data-parallel SGD, and what updates that do not wait cost (section 8.1.3)
#
#     python examples/data_parallel.py [--quick] [--out DIR]
#
# **What it shows.** "Minibatches can be computed in parallel": each of P processes takes its share of every batch, and
# before each step the gradients are averaged. Here theta and g are one vector each, so that is one all-reduce of MPI
# (`AllReduce` below, three lines), and every process makes the same step. The result is compared with plain `fit` in
# one process: to rounding the same theta, for 1, 2 and 4 processes. Batch norm breaks this, since every process
# normalizes by the statistics of its own share; with statistics of all processes (`SynchronizedBatchNorm`, the
# derivative of whose sums are sums over all processes too) it holds again. Then a process is killed: the run ends with
# an error that names it, and goes on from the last checkpoint, with fewer processes if need be.
#
# The last part is the alternative: a server holds theta, each worker sends its gradient when it has one, and nobody
# waits. The gradient is then of a theta that others have moved on from: it is *stale*. On a quadratic with the largest
# curvature h, a delay of tau updates lowers the largest rate that converges from 2/h to 2 sin(pi/(4 tau + 2))/h, about
# pi/(2 tau h): what is won by not waiting is paid in smaller steps.
#
# **What to look at.** The first table: 1e-15 is rounding (float64), 0.3 is another run. The test errors beside it:
# local statistics are another method, 8.1 % with two processes and 8.3 % with four where those of the whole batch give
# 8.0 %; their ranges over three seeds overlap. The delays: limits predicted and found, and the updates that each delay
# needs at its best rate: 22, 45, 104 and 222. The last lines, real workers of which one is slow: those that do not wait
# make the same number of gradients about seven times as fast, and at a small rate that is all gain; at a rate that
# synchronous steps bear (1.5/h) they diverge.
#
# **Try.** A batch of 8 for 4 processes: local statistics of two digits. `AllReduce` without the division: which rate
# does that correspond to? Momentum on the server: does it make staleness better or worse?
#
# It needs MPI and mpi4py: `apt-get install openmpi-bin libopenmpi-dev` (or your system's), `pip install -e '.[mpi]'`.
# Its parts run by themselves too, on several machines with mpirun's --host:
#
#     mpirun -n 4 python -m mpi4py examples/data_parallel.py --job learn --norm synchronized

# %%
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from minigrad import data, init, kernels, losses, nn, ops, optim, training
from minigrad.core import no_grad, primitive
from minigrad.figures.page import COLORS, Page, natural, positive

NORMS = ("none", "synchronized", "local")
PROCESSES = (1, 2, 4)
BATCH, HIDDEN, RATE = 64, 32, 0.1
CURVATURES = np.geomspace(1, 30, 20)                  # of the quadratic for asynchronous updates
SERVED = (0.2, 1.5)                                   # lr times the largest curvature, with real workers
DELAYS = (0, 1, 3, 7)                                 # updates by others, with 1, 2, 4 and 8 workers that take turns


# %% [markdown]
# Synchronous: the gradient of the whole batch is the mean of those of its parts, if these are equally large.

# %%
class AllReduce(training.Callback):
    """g <- the mean of all processes' g: one call on one vector."""

    def __init__(self, comm):
        self.comm = comm

    def gradient(self, run):
        from mpi4py import MPI
        g = run.optimizer.params.g
        self.comm.Allreduce(MPI.IN_PLACE, g)
        g /= self.comm.size


class Share:
    """Of every batch the part of one process. Order and place in the epoch are those of the batches, which all
    processes draw alike."""

    def __init__(self, batches, comm):
        self.batches, self.comm = batches, comm
        self.state, self.restore = batches.state, batches.restore

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for x, y in self.batches:
            part, rest = divmod(len(x), self.comm.size)
            if rest:
                raise ValueError(f"Share: {len(x)} examples are no equal parts for {self.comm.size} processes")
            mine = slice(self.comm.rank * part, (self.comm.rank + 1) * part)
            yield x[mine], y[mine]


# %% [markdown]
# Batch norm over all processes. J is the mean of the processes' J; what process p adds to the sum goes into the J of
# every process, so its derivative is the sum of theirs: the rule of a sum over processes is a sum over processes.

# %%
def sum_over(comm):
    """A differentiable op: the sum of x over all processes, for x of one shape everywhere."""
    @primitive
    def over_all(x):
        return comm.allreduce(x)

    over_all.vjps(lambda g, y, x: over_all(g))
    return over_all


class SynchronizedBatchNorm(nn.BatchNorm):
    """Batch norm with mu and var of the whole batch, whose parts lie in the processes of comm."""

    def __init__(self, features, comm, **options):
        super().__init__(features, **options)
        self.sum, self.processes = sum_over(comm), comm.size

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        mu = self.sum(ops.mean(x, axis=0)) / self.processes
        var = self.sum(ops.mean((x - mu) ** 2, axis=0)) / self.processes
        with no_grad():
            m = len(x) * self.processes
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mu.data
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var.data * m / (m - 1)
        return self.gamma * (x - mu) / ops.sqrt(var + self.delta) + self.beta


# %% [markdown]
# One run, by whoever calls it: with comm=None plain `fit` in one process, the whole batch at once.

# %%
def network(norm, seed, comm=None):
    rng, options = np.random.default_rng(seed), {"dtype": np.float64}
    layers = [nn.Linear(784, HIDDEN, weights=init.he_normal, rng=rng, **options)]
    if norm == "synchronized" and comm is not None:
        layers.append(SynchronizedBatchNorm(HIDDEN, comm, **options))
    elif norm != "none":
        layers.append(nn.BatchNorm(HIDDEN, **options))
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(HIDDEN, 10, rng=rng, **options))


class Accident(training.Callback):
    """After step `at` a process is gone, by a signal from outside or an error of its own."""

    def __init__(self, at, by):
        self.at, self.by = at, by

    def step(self, run):
        if run.steps == self.at:
            if self.by == "error":
                raise RuntimeError(f"an accident after step {self.at}")
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def learn(norm, seed, examples, epochs, comm=None, checkpoint=None, accident=None):
    """(theta (n,), test error in percent) after so many epochs. All processes end with the same theta."""
    (x, y), (x_test, y_test) = data.mnist(flat=True, dtype=np.float64)
    model = network(norm, seed, comm)
    batches, callbacks = data.batches(x[:examples], y[:examples], batch_size=BATCH, rng=seed), []
    if comm is not None:
        batches, callbacks = Share(batches, comm), [AllReduce(comm)]
        if checkpoint and comm.rank == 0:               # one process writes, all read
            callbacks.append(training.Checkpoint(checkpoint, every_steps=10))
        if accident and comm.rank == comm.size - 1:
            callbacks.append(Accident(*accident))
    training.fit(model, losses.cross_entropy, optim.Momentum(model.parameters(), lr=RATE), batches, epochs=epochs,
                 callbacks=callbacks, progress=False, resume=checkpoint)
    error = training.evaluate(model, losses.cross_entropy, x_test, y_test).error
    return model.parameters().theta.copy(), 100 * error


# %% [markdown]
# Asynchronous, as a formula: gradient descent whose gradient is tau updates old. In the direction of curvature h,
# theta' = theta - lr h theta_old, and at lr h = 2 sin(pi/(4 tau + 2)) a root of z^(tau + 1) - z^tau + lr h reaches the
# unit circle.

# %%
def limit(tau):
    """The largest lr h at which descent with gradients tau updates old does not grow."""
    return 2 * np.sin(np.pi / (4 * tau + 2))


def stale_descent(h, lr, tau, updates):
    """J = sum of h theta^2/2 at the start and after every update, from theta = 1 in each direction. h (n,)."""
    path = [np.ones_like(h)] * (tau + 1)                          # the last tau + 1 thetas, oldest first
    J = [np.sum(h * path[-1] ** 2) / 2]
    for _ in range(updates):
        path = [*path[1:], path[-1] - lr * h * path[0]]
        J.append(np.sum(h * path[-1] ** 2) / 2)
    return np.array(J)


def largest_rate(tau, updates=3000):
    """lr h where descent in one direction begins to grow, by bisection."""
    low, high = 0.0, 3.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            J = stale_descent(np.ones(1), middle, tau, updates)
        late = J[-updates // 3:].max()                            # it swings: its envelope counts
        low, high = (middle, high) if late <= J[:updates // 3].max() else (low, middle)
    return low


def updates_needed(tau, updates, part=1e-3):
    """(updates until J has fallen to `part` for good, the rate in units of 1/h_max), at the best of twenty rates."""
    best = (np.inf, np.nan)
    for fraction in np.linspace(0.05, 1, 20):
        J = stale_descent(CURVATURES, fraction * limit(tau) / CURVATURES[-1], tau, updates)
        above = np.flatnonzero(J / J[0] > part)
        if above[-1] < updates:
            best = min(best, (int(above[-1]) + 1, fraction * limit(tau)))
    return best


# %% [markdown]
# Asynchronous, with real workers: process 0 is the server, the others send a gradient with noise as soon as they have
# one; the last worker is slow. Beside it the synchronous way, where all wait for the slow one.

# %%
def quadratic(theta):
    """J = sum of h theta^2/2"""
    return np.sum(CURVATURES * theta ** 2) / 2


def noisy_gradient(theta, rng, slow):
    time.sleep(slow)
    return CURVATURES * theta + rng.standard_normal(len(theta))


def serve(comm, lr, updates):
    """The server: ((J at the end, seconds), delays (updates,)). A worker that is sent NaN goes home."""
    from mpi4py import MPI
    theta, g = np.ones(len(CURVATURES)), np.empty(len(CURVATURES))
    status, seen, delays = MPI.Status(), {}, []
    began = time.perf_counter()
    for worker in range(1, comm.size):
        comm.Send(theta, dest=worker)
        seen[worker] = 0
    for k in range(updates):
        comm.Recv(g, source=MPI.ANY_SOURCE, status=status)
        delays.append(k - seen[status.source])
        theta -= lr * g
        comm.Send(theta, dest=status.source)
        seen[status.source] = k + 1
    seconds = time.perf_counter() - began
    for worker in range(1, comm.size):
        comm.Recv(g, source=worker)
        comm.Send(np.full_like(theta, np.nan), dest=worker)
    return (quadratic(theta), seconds), np.array(delays)


def work(comm, rng, slow):
    """A worker: receive theta, send a gradient, until theta is NaN."""
    theta = np.empty(len(CURVATURES))
    while True:
        comm.Recv(theta, source=0)
        if np.isnan(theta[0]):
            return
        comm.Send(noisy_gradient(theta, rng, slow), dest=0)


def wait_for_all(comm, lr, updates, rng, slow):
    """The same workers, synchronous: every update waits for a gradient of each. (J at the end, seconds)"""
    from mpi4py import MPI
    theta, began = np.ones(len(CURVATURES)), time.perf_counter()
    for _ in range(updates):
        g = noisy_gradient(theta, rng, slow) if comm.rank else np.zeros(len(CURVATURES))
        comm.Allreduce(MPI.IN_PLACE, g)
        theta -= lr * g / (comm.size - 1)
    return quadratic(theta), time.perf_counter() - began


# %% [markdown]
# What mpirun starts: one of the parts, in each of its processes; process 0 writes what was found.

# %%
def job(arguments):
    from mpi4py import MPI
    comm, kept = MPI.COMM_WORLD, {}
    kernels.set_num_threads(1)
    if arguments.job == "learn":
        accident = (arguments.accident, arguments.by) if arguments.accident else None
        for norm in arguments.norm:
            for seed in range(arguments.seeds):
                checkpoint = arguments.checkpoint and Path(f"{arguments.checkpoint}-{norm}-{seed}")
                kept[f"{norm} {seed}"], kept[f"{norm} {seed} error"] = learn(
                    norm, seed, arguments.examples, arguments.epochs, comm, checkpoint, accident)
    else:
        rng, slow = np.random.default_rng(comm.rank), 0.005 * (comm.rank == comm.size - 1)
        updates, workers = arguments.updates, comm.size - 1
        for rate in SERVED:
            lr = rate / CURVATURES[-1]
            kept[f"synchronous {rate}"] = wait_for_all(comm, lr, updates // workers, rng, slow)
            if comm.rank == 0:
                kept[f"asynchronous {rate}"], kept["delays"] = serve(comm, lr, updates)
            else:
                work(comm, rng, slow)
    if comm.rank == 0:
        for name, value in kept.items():
            if name.endswith(" error"):
                print(f"{name[:-6]}: test error {value:.2f} %")
        if arguments.found:
            np.savez(arguments.found, **kept)


def launcher():
    """mpirun and the options that it needs here; None where MPI or mpi4py is missing."""
    import importlib.util
    mpirun = shutil.which("mpirun") or shutil.which("mpiexec")
    if mpirun is None or importlib.util.find_spec("mpi4py") is None:
        return None
    version = subprocess.run([mpirun, "--version"], capture_output=True, text=True).stdout
    options = ["--oversubscribe"] if "Open MPI" in version else []        # more processes than processors
    if options and hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-run-as-root")
    return [mpirun, *options]


def start(mpirun, processes, **options):
    """Run `job` in so many processes. Returns what mpirun left: its exit status, what was said and what was found.

    `-m mpi4py` sees to it that an error in one process ends all of them, instead of leaving the others to wait.
    """
    words = [word for name, value in options.items()
             for word in (f"--{name}", *map(str, value if isinstance(value, tuple) else (value,)))]
    return subprocess.run([*mpirun, "-n", str(processes), sys.executable, "-m", "mpi4py", str(Path(__file__).resolve()),
                           *words], capture_output=True, text=True, timeout=600)


# %%
def synchronous(mpirun, folder, size):
    """{(norm, processes): [(difference of theta, test error)] for each seed}; prints the table."""
    truth = {}
    for norm in ("none", "whole"):
        for seed in range(size["seeds"]):
            truth[norm, seed] = learn(norm, seed, size["examples"], size["epochs"])
    found = {}
    for processes in PROCESSES:
        done = start(mpirun, processes, job="learn", found=folder / "found.npz", norm=NORMS, **size)
        if done.returncode:
            sys.exit(f"mpirun ended with {done.returncode}:\n{done.stderr}")
        with np.load(folder / "found.npz") as kept:
            for norm in NORMS:
                for seed in range(size["seeds"]):
                    theta, whole = kept[f"{norm} {seed}"], truth["none" if norm == "none" else "whole", seed][0]
                    found.setdefault((norm, processes), []).append(
                        (np.abs(theta - whole).max() / np.abs(whole).max(), float(kept[f"{norm} {seed} error"])))
    steps = size["epochs"] * size["examples"] // BATCH
    print(f"{size['examples']} digits, {steps} steps of momentum, batches of {BATCH} in equal parts, {size['seeds']} "
          "seeds: largest difference of theta\nfrom one process without MPI, relative to the largest theta; "
          "test error, mean (lowest to highest)")
    print(f"  {'batch norm':14}" + "".join(f"{f'{processes} process' + 'es' * (processes > 1):>34}"
                                           for processes in PROCESSES))
    for norm in NORMS:
        cells = []
        for processes in PROCESSES:
            differences, errors = zip(*found[norm, processes])
            cells.append(f"{max(differences):.1e}, {np.mean(errors):.2f} % ({min(errors):.2f} to {max(errors):.2f})")
        print(f"  {norm:14}" + "".join(f"{cell:>34}" for cell in cells))
    return found


def accidents(mpirun, folder, size):
    """A process dies; what is said; the run goes on from the checkpoint with two processes."""
    whole, _ = learn("none", 0, size["examples"], size["epochs"])
    at = size["epochs"] * size["examples"] // BATCH * 2 // 3
    options = {"job": "learn", "norm": ("none",), **size, "seeds": 1}
    for by, words in (("signal", "killed"), ("error", "stopped by an error")):
        checkpoint = folder / f"checkpoint-{by}"
        done = start(mpirun, 4, **options, checkpoint=checkpoint, accident=at, by=by)
        said = [line.strip() for line in done.stderr.splitlines()
                if ("accident" in line if by == "error" else "signal" in line)]
        print(f"\nprocess 3 of 4 is {words} after step {at}: mpirun ends with {done.returncode} and says\n"
              f"  {said[-1] if said else done.stderr.strip()}")
        done = start(mpirun, 2, **options, checkpoint=checkpoint, found=folder / "resumed.npz")
        if done.returncode:
            sys.exit(f"the run did not go on, mpirun ended with {done.returncode}:\n{done.stderr}")
        with np.load(folder / "resumed.npz") as kept:
            difference = np.abs(kept["none 0"] - whole).max() / np.abs(whole).max()
        print(f"  from its last checkpoint with 2 processes to the end: theta differs by {difference:.1e}")


def delayed(updates):
    print(f"\nupdates with old gradients, J = sum h theta^2/2, h from {CURVATURES[0]:g} to {CURVATURES[-1]:g}")
    print("  delay   largest lr h: predicted, found   updates to J/1000, at the best rate, lr h")
    for tau in DELAYS:
        needed, rate = updates_needed(tau, updates)
        print(f"  {tau:5}{limit(tau):23.3f}{largest_rate(tau):8.3f}{needed:24}{rate:19.3f}")


def workers(mpirun, folder, updates):
    done = start(mpirun, 4, job="asynchronous", updates=updates, found=folder / "asynchronous.npz")
    if done.returncode:
        sys.exit(f"mpirun ended with {done.returncode}:\n{done.stderr}")
    with np.load(folder / "asynchronous.npz") as kept:
        print(f"\nthree workers, one slow (5 ms a gradient), {updates} gradients with noise")
        for rate in SERVED:
            for name in ("synchronous", "asynchronous"):
                steps, (J, seconds) = updates // 3 if name == "synchronous" else updates, kept[f"{name} {rate}"]
                print(f"  lr h = {rate:3} {name:13} {steps:5} updates in {seconds:5.2f} s, J from "
                      f"{quadratic(np.ones(len(CURVATURES))):.0f} to {J:.3g}")
        delays = kept["delays"]
        print(f"  delays of the asynchronous ones: median {np.median(delays):.0f}, largest {delays.max()}")


# %%
def picture(figure, found, updates):
    same, stale = figure.subplots(1, 2)
    for norm, color, marker in zip(NORMS, COLORS, "os^"):
        at = [PROCESSES.index(processes) for processes in PROCESSES for _ in found[norm, processes]]
        differences = [max(difference, 1e-17) for processes in PROCESSES for difference, _ in found[norm, processes]]
        same.plot(np.array(at) + 0.08 * (NORMS.index(norm) - 1), differences, marker, color=color, markersize=7,
                  alpha=0.8, label={"none": "no batch norm", "synchronized": "statistics of all processes",
                                    "local": "statistics of each process"}[norm])
    same.set(yscale="log", xticks=range(len(PROCESSES)), xticklabels=PROCESSES, xlabel="processes", ylim=(4e-18, 10),
             ylabel="difference of theta from one process (0: at 1e-17)", title="one all-reduce of g before each step")
    same.legend(loc="center left", bbox_to_anchor=(0, 0.68))
    rates = np.geomspace(0.02, 2.2, 60)
    for tau, color, dash in zip(DELAYS, COLORS, ("-", "--", "-.", ":")):
        with np.errstate(over="ignore", invalid="ignore"):
            J = [stale_descent(CURVATURES, rate / CURVATURES[-1], tau, updates)[-1] / (np.sum(CURVATURES) / 2)
                 for rate in rates]
        shown = np.array([np.nan if not value < 1e3 else max(value, 1e-12) for value in J])
        stale.plot(rates, shown, dash, color=color, label=f"{tau}")
        stale.plot(limit(tau), 1, "v", color=color, markersize=8)
    stale.axhline(1, color="0.6", linewidth=0.8)
    stale.annotate("at the start", (0.021, 1.3), fontsize=9, color="0.4")
    stale.set(xscale="log", yscale="log", ylim=(1e-12, 1e3), xlabel="lr times the largest curvature",
              ylabel=f"J after {updates} updates / J at the start (floor: 1e-12)",
              title="gradients that are old (triangles: the predicted limit)")
    stale.legend(title="delay, updates", loc="lower left")


def options(parser):
    parser.add_argument("--job", choices=("learn", "asynchronous"), help="one part, under mpirun")
    parser.add_argument("--norm", nargs="+", choices=NORMS, default=["none"], help="of the job learn")
    parser.add_argument("--seeds", type=positive(int), default=3)
    parser.add_argument("--examples", type=positive(int), default=6400)
    parser.add_argument("--epochs", type=positive(int), default=3)
    parser.add_argument("--updates", type=positive(int), default=600, help="of the job asynchronous")
    parser.add_argument("--checkpoint", help="of the job learn: written every 10 steps, and gone on from")
    parser.add_argument("--accident", type=natural, default=0, metavar="STEP", help="the last process ends after it")
    parser.add_argument("--by", choices=("signal", "error"), default="signal", help="the accident")
    parser.add_argument("--found", help="file for what the job found")


def main(argv=None):
    import tempfile

    page = Page("Data-parallel SGD by one all-reduce, and asynchronous updates", argv, options)
    arguments = page.options
    if arguments.job:
        return job(arguments)
    mpirun = launcher()
    if mpirun is None:
        page.parser.error("needs MPI (apt-get install openmpi-bin libopenmpi-dev) and mpi4py (pip install -e '.[mpi]')")
    size = {"seeds": arguments.seeds, "examples": arguments.examples, "epochs": arguments.epochs}
    updates = arguments.updates
    if page.quick:
        size, updates = {"seeds": 1, "examples": 1280, "epochs": 1}, 150
    kernels.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = synchronous(mpirun, Path(folder), size)
        accidents(mpirun, Path(folder), size)
        delayed(400 if page.quick else 2000)
        workers(mpirun, Path(folder), updates)
    page.draw("data_parallel", picture, found, 200, size=(12, 5))


if __name__ == "__main__":
    main()
