"""Peak memory of training e2 (see jobs.py) in minigrad and in PyTorch: one process each, ten steps.

    python benchmarks/memory.py
Prints the peak resident size of each process, what of it was there before the first step (the imports), and the ratio.
"""
import resource
import subprocess
import sys


def measure(framework):
    """Run ten steps in this process; print resident MB before the first and at the peak."""
    from jobs import JOBS
    if framework == "minigrad":
        step = JOBS["e2"].make([])["minigrad"]
    else:
        import torch
        torch.set_num_threads(1)
        step = JOBS["e2"].make(["PyTorch"])["PyTorch"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for _ in range(10):
        step()
    print(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main():
    peaks = {}
    for framework in ("minigrad", "PyTorch"):
        done = subprocess.run([sys.executable, __file__, framework], capture_output=True, text=True, check=True)
        before, peak = map(float, done.stdout.split())
        peaks[framework] = peak, peak - before
        print(f"{framework:9} peak {peak:7.1f} MB, of it {peak - before:7.1f} MB above what was there before training")
    print(f"ratio minigrad / PyTorch: whole process {peaks['minigrad'][0] / peaks['PyTorch'][0]:.2f}, "
          f"training alone {peaks['minigrad'][1] / peaks['PyTorch'][1]:.2f}")


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
