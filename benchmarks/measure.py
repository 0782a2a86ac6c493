"""Measure jobs in this process: minigrad and its peers in turn, block by block. Prints JSON; `table.py` calls it.

Ratios come from neighbouring blocks, so a machine whose speed drifts does not spoil them.
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path


def block_time(step, calls):
    """Seconds per call over a block of calls, after two that bring caches and threads back."""
    step()
    step()
    began = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - began) / calls


def measure(job, peers, rounds, rest=0.0):
    """{framework: {"us": median microseconds, "ratio": median of its time / minigrad's, block by block}}; blocks are
    made in turn, each after `rest` seconds."""
    steps = job.make(peers)
    reached = steps.pop("reached", {})
    calls = {}
    for name, step in steps.items():
        step()
        calls[name] = max(1, int(job.block / max(block_time(step, 1), 1e-7)))
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            time.sleep(rest)
            times[name].append(block_time(step, calls[name]))
    ours = times["minigrad"]
    return {name: {"us": 1e6 * statistics.median(t), "min_us": 1e6 * min(t),
                   "ratio": statistics.median(theirs / own for theirs, own in zip(t, ours)),
                   "reached": reached.get(name)} for name, t in times.items()}


def installed(name):
    """Whether a peer can be imported."""
    import importlib.util
    return importlib.util.find_spec({"PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn"}.get(name, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--jobs", nargs="*", default=[])
    args = parser.parse_args()

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import minigrad as mg
    mg.set_num_threads(args.threads)
    peers = [name for name in ("PyTorch", "JAX", "autograd", "scikit-learn") if installed(name)]
    if "PyTorch" in peers:
        import torch
        torch.set_num_threads(args.threads)
    from jobs import JOBS
    results = {}
    for name, job in JOBS.items():
        if not args.jobs or any(name == wish or name.split()[0] == wish for wish in args.jobs):
            # with several threads each framework's own go on spinning for some time after its block, on the next one's
            # processors (after scikit-learn's Adam a step of b128 took 1,166 us in place of 519)
            results[name] = measure(job, peers, args.rounds, rest=0.15 if args.threads > 1 else 0.0)
            print(f"{name}: " + ", ".join(f"{peer} {r['us']:.0f} us" for peer, r in results[name].items()),
                  file=sys.stderr, flush=True)
    json.dump({"isa": mg.kernels.isa, "threads": args.threads, "cpus": os.cpu_count(), "results": results}, sys.stdout)


if __name__ == "__main__":
    main()
