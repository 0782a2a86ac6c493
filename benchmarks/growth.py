"""How the time of a training step grows with width, depth, batch and the number of examples, minigrad beside PyTorch.

    python benchmarks/growth.py [--rounds 9]          half a minute; without PyTorch, minigrad alone

A multilayer perceptron with relu, Adam, one thread. Each size is measured in turn with the others (a median over the
rounds), and the exponent is the slope of log(time) against log(size), all sizes and the larger half of them: 1 is
linear, 2 quadratic; small sizes cost what a step costs at the least. Width: hidden layers as wide as said, so that 2 is
what the products ask for. Examples: one epoch, batches drawn and gathered.
"""
import argparse
import statistics
import time

import numpy as np

import minigrad as mg
from minigrad import losses, nn, optim

SIZES = {"width": (64, 128, 256, 512, 1024), "depth": (2, 4, 8, 16, 32), "batch": (1, 8, 64, 256, 1024),
         "examples": (1000, 2000, 4000, 8000, 16000)}


def shape_of(what, size):
    """width, hidden layers, batch, examples."""
    usual = {"width": 128, "depth": 2, "batch": 128, "examples": 1000} | {what: size}
    return usual["width"], usual["depth"], usual["batch"], usual["examples"]


def with_minigrad(width, depth, batch, examples):
    rng = np.random.default_rng(0)
    x, y = rng.random((max(examples, batch), 784), dtype=np.float32), rng.integers(0, 10, max(examples, batch))
    sizes = [784, *[width] * depth, 10]
    layers = [part for a, b in zip(sizes, sizes[1:]) for part in (nn.Linear(a, b, rng=0), nn.ReLU())][:-1]
    model = nn.Sequential(*layers)
    opt = optim.Adam(model.parameters())

    def step(rows):
        opt.zero_grad()
        losses.cross_entropy(model(mg.Tensor(x[rows])), y[rows]).backward()
        opt.step()
    return step


def with_pytorch(width, depth, batch, examples):
    import torch
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x, y = rng.random((max(examples, batch), 784), dtype=np.float32), rng.integers(0, 10, max(examples, batch))
    sizes = [784, *[width] * depth, 10]
    layers = [part for a, b in zip(sizes, sizes[1:]) for part in (torch.nn.Linear(a, b), torch.nn.ReLU())][:-1]
    model = torch.nn.Sequential(*layers)
    opt = torch.optim.Adam(model.parameters(), fused=True)

    def step(rows):
        opt.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.from_numpy(x[rows])), torch.from_numpy(y[rows])).backward()
        opt.step()
    return step


def timed(what, size, step):
    """Seconds of one step, or for "examples" of one epoch."""
    _, _, batch, examples = shape_of(what, size)
    order = np.random.default_rng(1).permutation(max(examples, batch))
    parts = [order[i:i + batch] for i in range(0, len(order), batch)] if what == "examples" else [order[:batch]]
    repeats = 1 if what == "examples" else max(1, int(20 / (size if what != "batch" else max(size / 16, 1))))
    began = time.perf_counter()
    for _ in range(repeats):
        for rows in parts:
            step(rows)
    return (time.perf_counter() - began) / repeats


def exponent(sizes, seconds):
    """The slope of log(seconds) against log(size)."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    mg.set_num_threads(1)
    makers = {"minigrad": with_minigrad}
    try:
        import torch  # noqa: F401
        makers["PyTorch"] = with_pytorch
    except ImportError:
        pass
    for what, sizes in SIZES.items():
        steps = {(name, size): make(*shape_of(what, size)) for size in sizes for name, make in makers.items()}
        found = {key: [] for key in steps}
        for i in range(rounds + 1):                         # the first warms up
            for (name, size), step in steps.items():
                seconds = timed(what, size, step)
                if i:
                    found[name, size].append(seconds)
        for name in makers:
            seconds = [statistics.median(found[name, size]) for size in sizes]
            half = len(sizes) // 2
            print(f"{what:9} {name:9} " + "  ".join(f"{size}: {1e3 * s:.3g} ms" for size, s in zip(sizes, seconds))
                  + f"   exponent {exponent(sizes, seconds):.2f}, of the larger sizes "
                  f"{exponent(sizes[half:], seconds[half:]):.2f}", flush=True)


if __name__ == "__main__":
    main()
