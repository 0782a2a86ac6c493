"""Products of matrices beside NumPy (OpenBLAS) and PyTorch (MKL), on a sample of shapes drawn from a grid.

    python benchmarks/matmul.py                       60 shapes, one thread, both types
    python benchmarks/matmul.py --points 200 --threads 2 --plot matmul.svg

The grid: m, n, k of 1, 10, 32, 64, 128, 784, 1000, 2000, 10000, below --most multiply-adds; NN, NT and TN, where T is a
transposed view. Kernels are called into an array that is there, each in turn with its peers, round by round; times are
the smallest of the rounds. Printed: our rate, and the better peer's time over ours. A point under --bar is measured
once more before it counts.
"""
import argparse
import itertools
import math
import time

import numpy as np

import minigrad as mg
from minigrad.kernels.matmul import matmul

SIZES = (1, 10, 32, 64, 128, 784, 1000, 2000, 10000)
LAYOUTS = ("NN", "NT", "TN")


def sample(points, most, seed):
    """(m, n, k, layout, dtype) of `points` places of the grid, smaller products as likely as larger ones."""
    grid = [(m, n, k, layout, dtype) for m, n, k in itertools.product(SIZES, repeat=3) if m * n * k <= most
            for layout in LAYOUTS for dtype in ("f4", "f8")]
    chosen = np.random.default_rng(seed).choice(len(grid), min(points, len(grid)), replace=False)
    return [grid[i] for i in sorted(chosen)]


def operands(m, n, k, layout, dtype):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)
    return draw(k, m).T if layout == "TN" else draw(m, k), draw(n, k).T if layout == "NT" else draw(k, n)


def seconds(run, calls):
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def measure(point, rounds, torch):
    """Seconds of minigrad, and of each peer: the smallest of the rounds."""
    m, n, k, _, dtype = point
    a, b = operands(*point)
    ours, out = np.empty((m, n), dtype), np.empty((m, n), dtype)
    runs = {"minigrad": lambda: matmul(a, b, ours), "NumPy": lambda: np.matmul(a, b, out=out)}
    if torch is not None:
        a_, b_, out_ = torch.from_numpy(a), torch.from_numpy(b), torch.empty((m, n), dtype=torch.from_numpy(out).dtype)
        runs["PyTorch"] = lambda: torch.mm(a_, b_, out=out_)
    times = dict.fromkeys(runs, math.inf)
    calls = {name: max(1, int(2e-3 / max(min(seconds(run, 1) for _ in range(3)), 1e-7))) for name, run in runs.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            times[name] = min(times[name], seconds(run, calls[name]))
    np.testing.assert_allclose(ours, out, rtol=0, atol=4 * k * np.finfo(dtype).eps * max(1, abs(out).max()))
    return times


def plot(rows, path):
    """Ratio against size, a mark for each point."""
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(7, 4))
    for dtype, colour in (("f4", "tab:blue"), ("f8", "tab:orange")):
        for layout, marker in zip(LAYOUTS, "o^s", strict=True):
            some = [(m * n * k, ratio) for (m, n, k, at, kind), ratio in rows if at == layout and kind == dtype]
            if some:
                axes.scatter(*zip(*some), marker=marker, s=18, color=colour, label=f"{layout} {np.dtype(dtype).name}")
    axes.axhline(1, color="grey", lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="multiply-adds", ylabel="better peer's time / minigrad's")
    axes.legend(fontsize=7, ncols=2)
    figure.savefig(path, bbox_inches="tight")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--most", type=float, default=2e10, help="multiply-adds of the largest product")
    parser.add_argument("--bar", type=float, default=0.85)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", help="a file for the picture")
    args = parser.parse_args()
    mg.set_num_threads(args.threads)
    try:
        import torch
        torch.set_num_threads(args.threads)
    except ImportError:
        torch = None
    rows = []
    print(f"{mg.kernels.isa}, {args.threads} thread(s). For NumPy set OPENBLAS_NUM_THREADS={args.threads}.")
    for point in sample(args.points, args.most, args.seed):
        for _ in range(2):
            times = measure(point, args.rounds, torch)
            ours = times.pop("minigrad")
            peer = min(times, key=times.get)
            ratio = times[peer] / ours
            if ratio >= args.bar:
                break
        rows.append((point, ratio))
        m, n, k, layout, dtype = point
        print(f"{m:6d} x {k:6d} x {n:6d} {layout} {dtype}  {2e-9 * m * n * k / ours:7.1f} GF/s  {ratio:5.2f} of {peer}",
              flush=True)
    ratios = [ratio for _, ratio in rows]
    print(f"geometric mean {math.exp(np.log(ratios).mean()):.3f}, least {min(ratios):.2f}, "
          f"{sum(ratio < args.bar for ratio in ratios)} of {len(ratios)} under {args.bar}")
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
