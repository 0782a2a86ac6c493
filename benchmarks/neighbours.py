"""Does `import minigrad` slow down the other libraries of a program? Processes with it and without it, in turn.

    python benchmarks/neighbours.py [--rounds 15]           a minute or two

Each process times the same work of NumPy, PyTorch and scikit-learn (where installed), after a step of minigrad or of
nothing: the best of many runs of each piece. Printed: the median over the rounds of time with / time without, and an
interval of 95 % for it; 1 is no difference, and 1.02 the most that is allowed.
"""
import argparse
import json
import statistics
import subprocess
import sys

WORK = '''
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
if sys.argv[1] == "with":
    import minigrad as mg
    w = mg.tensor(np.ones((300, 300), np.float32), requires_grad=True)
    for _ in range(3):
        (w @ w).sum().backward()
rng, found = np.random.default_rng(0), {}
a, x = rng.random((600, 600)), rng.random(1_000_000)

def best(name, work, seconds=0.5):
    work()
    end, times = time.perf_counter() + seconds, []
    while time.perf_counter() < end or len(times) < 3:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    found[name] = min(times)

best("NumPy, product 600 x 600", lambda: a @ a)
best("NumPy, exp of a fresh array of 8 MB", lambda: np.exp(x))
best("NumPy, sum of a small array", lambda: [a[0].sum() for _ in range(1000)])
try:
    import torch
    t, u = torch.tensor(a, dtype=torch.float32), torch.tensor(x)
    best("PyTorch, product 600 x 600", lambda: t @ t)
    best("PyTorch, exp of 8 MB", lambda: u.exp())
    net = torch.nn.Sequential(torch.nn.Linear(600, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    best("PyTorch, forward and backward", lambda: net(t).sum().backward())
except ImportError:
    pass
try:
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    best("scikit-learn, logistic regression", lambda: LogisticRegression(max_iter=30).fit(a[:, :60], a[:, 60] > 0.5))
    best("scikit-learn, k-means", lambda: KMeans(8, n_init=1, random_state=0).fit(a))
except ImportError:
    pass
print(json.dumps(found))
'''


def times(which):
    done = subprocess.run([sys.executable, "-c", WORK, which], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds, ratios = parser.parse_args().rounds, {}
    for i in range(rounds):
        pair = {which: times(which) for which in (("with", "without") if i % 2 else ("without", "with"))}
        for name, seconds in pair["with"].items():
            ratios.setdefault(name, []).append(seconds / pair["without"][name])
    for name, values in ratios.items():
        values.sort()
        reach = int(0.98 * rounds**0.5 + 0.5)               # of ranks on either side of the median: 95 % (binomial)
        low, high = values[max(rounds // 2 - reach, 0)], values[min(rounds // 2 + reach, rounds - 1)]
        print(f"{name:40} {statistics.median(values):.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
