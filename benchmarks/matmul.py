"""Products of matrices beside NumPy (OpenBLAS) and PyTorch (MKL), on 200 points drawn from a grid.

    python benchmarks/matmul.py                       (about five minutes; stopped, it goes on where it was)
    python benchmarks/matmul.py --points 60 --most 1e9 --fresh

The grid: m, n, k of 1, 10, 32, 64, 128, 784, 1000, 2000, 10000, below --most multiply-adds; NN, NT and TN, where T is a
transposed view; float32 and float64; 1 and 2 threads, one process each. Kernels are called into an array that is there,
in turn with their peers, round by round; times are the smallest of the rounds. The ratio is the better peer's time over
ours. A point under 0.85 is measured again, with three times the rounds, before it counts.

Writes out/matmul.jsonl (a line for each point, as it comes), out/matmul.md and, with matplotlib, out/matmul.png.
"""
import argparse
import itertools
import json
import math
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZES = (1, 10, 32, 64, 128, 784, 1000, 2000, 10000)
LAYOUTS = ("NN", "NT", "TN")
BAR = 0.85
KINDS = {"a product of or with a vector": lambda m, n, k: min(m, n, k) == 1,
         "a size of 10": lambda m, n, k: min(m, n, k) == 10,
         "sizes from 32": lambda m, n, k: min(m, n, k) in (32, 64),
         "sizes from 128": lambda m, n, k: min(m, n, k) >= 128}


def sample(points, most, seed):
    """[m, n, k, layout, dtype, threads] of `points` places of the grid, each as likely as any other."""
    grid = [[m, n, k, *rest] for m, n, k in itertools.product(SIZES, repeat=3) if m * n * k < most
            for rest in itertools.product(LAYOUTS, ("f4", "f8"), (1, 2))]
    chosen = np.random.default_rng(seed).choice(len(grid), min(points, len(grid)), replace=False)
    return [grid[i] for i in sorted(chosen)]


def operands(m, n, k, layout, dtype):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape, np.float32).astype(dtype)
    return draw(k, m).T if layout == "TN" else draw(m, k), draw(n, k).T if layout == "NT" else draw(k, n)


def seconds(run, calls):
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def measure(point, rounds):
    """Seconds of minigrad, NumPy and PyTorch, where installed: the smallest of the rounds, of 2 ms or one call each."""
    from minigrad.kernels.matmul import matmul
    m, n, k, layout, dtype, threads = point
    a, b = operands(m, n, k, layout, dtype)
    ours, out = np.empty((m, n), dtype), np.empty((m, n), dtype)
    runs = {"minigrad": lambda: matmul(a, b, ours), "NumPy": lambda: np.matmul(a, b, out=out)}
    try:
        import torch
        torch.set_num_threads(threads)
        a_, b_, out_ = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(np.empty((m, n), dtype))
        runs["PyTorch"] = lambda: torch.mm(a_, b_, out=out_)
    except ImportError:
        pass
    once = {name: min(seconds(run, 1) for _ in range(2)) for name, run in runs.items()}
    rounds = max(2, min(rounds, int(2 * rounds / 9 / min(once.values()))))           # nine rounds of 0.2 s are enough
    times = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            if threads > 1:                              # the threads of the peers spin some 30 ms after their work
                time.sleep(0.05)
            run()
            times[name] = min(times[name], seconds(run, max(1, int(2e-3 / max(once[name], 1e-7)))))
    np.testing.assert_allclose(ours, out, rtol=0, atol=4 * k * np.finfo(dtype).eps * max(1, abs(out).max()))
    return times


def ratio(row):
    return min(time for name, time in row["seconds"].items() if name != "minigrad") / row["seconds"]["minigrad"]


def machine():
    """The processor's name, and what it reached with one thread: products of 512 x 512 x 512, and sums in memory."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    best = {dtype: 2 * 512**3 / min(measure([512, 512, 512, "NN", dtype, 1], 9).values()) for dtype in ("f4", "f8")}
    a, b, c = (np.zeros(1 << 24) for _ in range(3))
    triad = 3 * a.nbytes / min(seconds(lambda: np.add(a, b, out=c), 1) for _ in range(9))
    from minigrad import kernels
    return {"machine": f"{name}, {kernels.isa}; one thread: at most {best['f4'] / 1e9:.0f} GF/s in float32 and "
                       f"{best['f8'] / 1e9:.0f} in float64 (512 x 512 x 512, the best of the three), "
                       f"{triad / 1e9:.0f} GB/s from and to memory (c = a + b)"}


def work_off(points, rounds, path):
    """Measures what is asked for and not yet in the file. The process has the points' number of threads."""
    import minigrad as mg
    with path.open("a") as file:
        for point in points:
            mg.set_num_threads(point[-1])
            row = {"point": point, "seconds": measure(point, rounds)}
            if ratio(row) < BAR:
                row["seconds"] = measure(point, 3 * rounds)
            file.write(json.dumps(row) + "\n")
            file.flush()
            m, n, k, layout, dtype, threads = point
            print(f"{m:6d} x {k:6d} x {n:6d} {layout} {dtype} {threads}  "
                  f"{2e-9 * m * n * k / row['seconds']['minigrad']:7.1f} GF/s  {ratio(row):6.2f}", flush=True)


def summary(rows, name):
    """A line of the table: how many, their geometric mean, the least, how many are under the bar."""
    ratios = [ratio(row) for row in rows]
    if not ratios:
        return f"| {name} | 0 | | | |"
    return (f"| {name} | {len(ratios)} | {math.exp(np.log(ratios).mean()):.2f} | {min(ratios):.2f} | "
            f"{sum(r < BAR for r in ratios)} |")


def markdown(rows, about):
    """The summary, then all points."""
    lines = [about, "", "| better peer's time / minigrad's | points | geometric mean | least | under 0.85 |",
             "|---|---|---|---|---|", summary(rows, "all")]
    for threads in (1, 2):
        lines.append(summary([row for row in rows if row["point"][-1] == threads], f"{threads} thread(s)"))
    for name, belongs in KINDS.items():
        lines.append(summary([row for row in rows if belongs(*row["point"][:3])], name))
    lines += ["", "| m x k x n | | | threads | us | GF/s | NumPy | PyTorch |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        m, n, k, layout, dtype, threads = row["point"]
        ours = row["seconds"]["minigrad"]
        times = row["seconds"]
        peers = [f"{times[peer] / ours:.2f}" if peer in times else "" for peer in ("NumPy", "PyTorch")]
        lines.append(f"| {m} x {k} x {n} | {layout} | {np.dtype(dtype).name} | {threads} | {1e6 * ours:.1f} | "
                     f"{2e-9 * m * n * k / ours:.1f} | {' | '.join(peers)} |")
    return "\n".join(lines) + "\n"


def plot(rows, path):
    """Ratio against size, a mark for each point; a panel for each number of threads."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    colours = dict(zip(KINDS, ("#E69F00", "#56B4E9", "#009E73", "#000000"), strict=True))     # Okabe and Ito
    markers = dict(zip(KINDS, "o^sD", strict=True))
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True, sharey=True, layout="constrained")
    for threads, axes in zip((1, 2), panels, strict=True):
        for name, belongs in KINDS.items():
            some = [row for row in rows if row["point"][-1] == threads and belongs(*row["point"][:3])]
            axes.scatter([math.prod(row["point"][:3]) for row in some], [ratio(row) for row in some], s=22, alpha=0.8,
                         color=colours[name], marker=markers[name], label=name, linewidths=0)
        axes.axhline(1, color="0.3", lw=0.9)
        axes.axhline(BAR, color="0.3", lw=0.9, ls="--")
        axes.text(0.99, 0.97 * BAR, BAR, color="0.3", size=8, ha="right", va="top",
                  transform=axes.get_yaxis_transform())
        axes.set(xscale="log", yscale="log", xlabel="multiply-adds", title=f"{threads} thread{'s' * (threads > 1)}")
        ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_ylim(0.8 * min(0.5, *map(ratio, rows)), 1.25 * max(10, *map(ratio, rows)))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("better of NumPy and PyTorch / minigrad (time)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"Matrix products: {len(rows)} points of the grid, above 1 minigrad is faster")
    figure.savefig(path, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--most", type=float, default=2e10, help="multiply-adds of the largest product, and one more")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)                # in the process that measures
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "matmul.jsonl"
    if args.fresh:
        path.unlink(missing_ok=True)
    points = sample(args.points, args.most, args.seed)
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    rows = [row for row in found if row.get("point") in points]
    missing = [point for point in points if point not in [row["point"] for row in rows]]
    if args.threads:
        if not any("machine" in row for row in found):
            with path.open("a") as file:
                file.write(json.dumps(machine()) + "\n")
        return work_off([point for point in missing if point[-1] == args.threads], args.rounds, path)
    for threads in {point[-1] for point in missing}:
        env = dict(os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                                "MINIGRAD_NUM_THREADS"), str(threads)))
        wishes = [word for word in sys.argv[1:] if word != "--fresh"]
        subprocess.run([sys.executable, __file__, *wishes, "--threads", str(threads)], env=env, check=True)
    if missing:
        found = [json.loads(line) for line in path.read_text().splitlines()]
    rows = sorted((row for row in found if row.get("point") in points), key=lambda row: points.index(row["point"]))
    text = markdown(rows, next(row["machine"] for row in found if "machine" in row))
    (args.out / "matmul.md").write_text(text)
    print(text.split("\n\n| m x k")[0])
    try:
        plot(rows, args.out / "matmul.png")
    except ImportError:
        print("no matplotlib, no picture")


if __name__ == "__main__":
    main()
