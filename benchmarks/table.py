"""The speed table: every job, minigrad and its peers side by side, with 1 and 2 threads.

    python benchmarks/table.py                       all jobs (about four minutes)
    python benchmarks/table.py --jobs b128 f --rounds 5

Each thread count is one process with the frameworks interleaved; a ratio is the median of peer / minigrad over the
rounds, above 1 where minigrad is faster. Writes out/benchmarks.json and out/benchmarks.md.
Peers: PyTorch (pip install -e '.[bench]' in the checkout), JAX, HIPS autograd and scikit-learn where installed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def run(threads, rounds, jobs):
    """Measure in a fresh process with `threads` threads for everybody."""
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), MINIGRAD_NUM_THREADS=str(threads),
               OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    env["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    command = [sys.executable, str(HERE / "measure.py"), "--threads", str(threads), "--rounds", str(rounds)]
    pinned = {}
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        pinned["preexec_fn"] = lambda: os.sched_setaffinity(0, cores)
    done = subprocess.run([*command, "--jobs", *jobs], env=env, stdout=subprocess.PIPE, text=True, check=True, **pinned)
    return json.loads(done.stdout)


def import_time(rounds=7):
    """Whole processes `import X`, in turn: {framework: median seconds}, all from bytecode, as pip installs it."""
    seconds = {name: [] for name in ("minigrad", "torch", "jax", "nothing")}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for i in range(rounds + 1):                          # the first one compiles, and is not counted
        for name, times in seconds.items():
            code = "pass" if name == "nothing" else f"import {name}"
            began = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env)
            if done.returncode == 0 and i > 0:
                times.append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in seconds.items() if times}


def wheel_size():
    """Bytes of the installed code of minigrad without its data: what the wheel unpacks to is larger than the wheel."""
    import minigrad
    import minigrad_ext
    files = [f for package in (minigrad, minigrad_ext) for f in Path(package.__file__).parent.rglob("*")
             if f.is_file() and "files" not in f.parts and f.suffix in (".py", ".pyi", ".so", ".pyd", ".typed")]
    return sum(f.stat().st_size for f in files)


def markdown(tables, imports, size):
    """The table as Markdown."""
    sys.path.insert(0, str(HERE))
    from jobs import JOBS
    peers = ["PyTorch", "PyTorch NCHW", "JAX", "autograd", "scikit-learn", "NumPy"]
    first = next(iter(tables.values()))["results"]
    rows = ["| job | | threads | minigrad, us | PyTorch, us | ratio | must | others (ratio) |",
            "|---|---|---|---|---|---|---|---|"]
    for name in first:
        for threads, table in tables.items():
            result = table["results"][name]
            torch = result.get("PyTorch")
            must = JOBS[name].must[0 if threads == 1 else 1]
            ratio = f"{torch['ratio']:.2f}" if torch else "-"
            if torch and torch["ratio"] < must:
                ratio = f"**{ratio}**"
            others = ", ".join(f"{peer} {result[peer]['ratio']:.2f}" for peer in peers[1:] if peer in result)
            rows.append(f"| {name} | {JOBS[name].text} | {threads} | {result['minigrad']['us']:.0f} | "
                        f"{torch['us'] if torch else float('nan'):.0f} | {ratio} | {must:g} | {others} |")
    if imports:
        ratio = imports.get("torch", float("nan")) / imports["minigrad"]
        others = f"JAX {imports['jax'] / imports['minigrad']:.2f}" if "jax" in imports else ""
        rows.append(f"| j | whole process `import minigrad` | | {1e6 * imports['minigrad']:.0f} | "
                    f"{1e6 * imports.get('torch', float('nan')):.0f} | {ratio:.2f} | 10 | {others} |")
        rows.append(f"| k | installed code without the data, MB | | {size / 1e6:.2f} | | | | |")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--jobs", nargs="*", default=[], help="names of jobs, e.g. b128 e1; all by default")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args()
    tables = {threads: run(threads, args.rounds, args.jobs) for threads in args.threads}
    imports = import_time() if not args.jobs or "j" in args.jobs else {}
    text = markdown(tables, imports, wheel_size())
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "benchmarks.json").write_text(json.dumps({"tables": tables, "import": imports, "bytes": wheel_size()},
                                                         indent=1))
    (args.out / "benchmarks.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
