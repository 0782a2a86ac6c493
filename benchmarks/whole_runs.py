"""Whole runs, as a user waits for them: from the start of the process to a test error on MNIST, the same script in each
framework: same digits, initial weights and batches, Adam, errors counted on the 10,000 test digits after each epoch.

    python benchmarks/whole_runs.py                          mlp and convnet, minigrad beside PyTorch and JAX
    python benchmarks/whole_runs.py --jobs mlp --rounds 5 --threads 1
    python benchmarks/whole_runs.py --minutes 20             begin no run after 20 minutes; what is done is kept
    python benchmarks/whole_runs.py --resume --minutes 20    go on there

    mlp        784-256-128-10, relu, batches of 128, to 1.9 % error
    convnet    two convolutions 5 x 5 with batch norm, relu and pooling, a hidden layer; batches of 64, each digit moved
               at random by up to two pixels, to 0.7 % error

Every run is a process of its own, the frameworks in turn. Printed: seconds from its start to the result, of which the
imports, seconds per epoch, epochs, the peak of resident memory; medians over the rounds. Every run is in
out/whole_runs.json as soon as it ends. Rounding differs between frameworks, so after some epochs do the weights: epochs
to an error may differ by one or two, seconds per epoch are the fairer figure. The learning rate falls linearly to 0
over 12 epochs (mlp) or 8 (convnet); a run that does not get there ends after them and says so.
"""
import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

JOBS = {"mlp": {"sizes": (784, 256, 128, 10), "batch": 128, "error": 0.019, "epochs": 12, "lr": 1e-3},
        "convnet": {"sizes": (32 * 7 * 7, 128, 10), "batch": 64, "error": 0.007, "epochs": 8, "lr": 1e-3}}
PEERS = {"minigrad": "minigrad", "PyTorch": "torch", "JAX": "jax"}


# ------------------------------------------------------------------------------------- the same for every framework

def digits(folder, flat):
    """MNIST as float32 arrays in [0, 1], images channels last, and labels, int64."""
    def read(name, header):
        raw = gzip.decompress(Path(folder, name).read_bytes())
        return np.frombuffer(raw, np.uint8, offset=header)
    parts = []
    for part in ("train", "t10k"):
        x = read(f"{part}-images-idx3-ubyte.gz", 16).astype(np.float32) / 255
        parts.append((x.reshape((-1, 784) if flat else (-1, 28, 28, 1)),
                      read(f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64)))
    return parts


def initial(name, seed):
    """He's weights, in minigrad's layout: (kh, kw, in, out) of convolutions, (in, out) of linear layers."""
    rng, shapes = np.random.default_rng(seed), []
    if name == "convnet":
        shapes += [(5, 5, 1, 16), (5, 5, 16, 32)]
    sizes = JOBS[name]["sizes"]
    shapes += list(zip(sizes, sizes[1:]))
    return [(rng.standard_normal(s) * np.sqrt(2 / np.prod(s[:-1]))).astype(np.float32) for s in shapes]


def shifted(x, rng):
    """Images (m, 28, 28, 1), each moved by up to two pixels, zeros where they were: without it, 0.7 % is luck."""
    wide = np.zeros((len(x), 32, 32, 1), x.dtype)
    wide[:, 2:30, 2:30] = x
    windows = np.lib.stride_tricks.sliding_window_view(wide, (28, 28), axis=(1, 2))           # (m, 5, 5, 1, 28, 28)
    down, right = rng.integers(0, 5, (2, len(x)))
    return windows[np.arange(len(x)), down, right].transpose(0, 2, 3, 1)


def run(name, seed, x, y, step, errors):
    """The loop: step(images, labels, rate) is one step, errors() how many test digits are wrong."""
    job, wrong, began = JOBS[name], [], time.perf_counter()
    steps, epochs = len(x) // job["batch"], job["epochs"]
    for epoch in range(epochs):
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(x))
        for i in range(steps):
            rows = order[i * job["batch"]:(i + 1) * job["batch"]]
            batch = np.ascontiguousarray(shifted(x[rows], rng)) if name == "convnet" else x[rows]
            step(batch, y[rows], job["lr"] * (1 - (epoch * steps + i) / (epochs * steps)))
        wrong.append(errors())
        if wrong[-1] <= job["error"] * 10000:
            break
    return {"errors": wrong, "reached": wrong[-1] <= job["error"] * 10000,
            "epoch": (time.perf_counter() - began) / len(wrong)}


# ----------------------------------------------------------------------------------------------------- one script each

def with_minigrad(name, seed, folder, threads):
    import minigrad as mg
    from minigrad import losses, nn, optim, training
    imported = time.time()
    mg.set_num_threads(threads)
    w = initial(name, seed)
    linear = [nn.Linear(*m.shape) for m in w if m.ndim == 2]
    if name == "mlp":
        layers = [linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2]]
    else:
        convolutions = [nn.Conv2d(*m.shape[2:], 5, padding=2, bias=False) for m in w[:2]]
        layers = []
        for layer in convolutions:
            layers += [layer, nn.BatchNorm(layer.w.shape[3], relu=True), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), linear[0], nn.ReLU(), linear[1]]
        linear = convolutions + linear
    model = nn.Sequential(*layers)
    for layer, values in zip(linear, w):
        layer.w.data[...] = values
        if layer.b is not None:
            layer.b.data[...] = 0
    (x, y), (x_test, y_test) = digits(folder, name == "mlp")
    opt = optim.Adam(model.parameters())

    def step(x, y, lr):
        opt.lr = lr
        opt.zero_grad()
        losses.cross_entropy(model(mg.Tensor(x)), y).backward()
        opt.step()

    def errors():
        return int((training.predict(model, x_test).argmax(axis=1) != y_test).sum())
    return imported, run(name, seed, x, y, step, errors)


def with_pytorch(name, seed, folder, threads):
    import torch
    from torch import nn
    imported = time.time()
    torch.set_num_threads(threads)
    w = initial(name, seed)
    linear = [nn.Linear(*m.shape) for m in w if m.ndim == 2]
    if name == "mlp":
        layers = [linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2]]
    else:
        convolutions = [nn.Conv2d(*m.shape[2:], 5, padding=2, bias=False) for m in w[:2]]
        layers = []
        for layer in convolutions:
            layers += [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), linear[0], nn.ReLU(), linear[1]]
        linear = convolutions + linear
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for layer, values in zip(linear, w):
            if values.ndim == 4:
                values = values.transpose(3, 2, 0, 1)
            elif name == "convnet" and len(values) == 32 * 7 * 7:       # PyTorch flattens channels first
                values = values.reshape(7, 7, 32, -1).transpose(3, 2, 0, 1).reshape(128, -1)
            else:
                values = values.T
            layer.weight.copy_(torch.tensor(np.ascontiguousarray(values)))
            if layer.bias is not None:
                layer.bias.zero_()
    (x, y), (x_test, y_test) = digits(folder, name == "mlp")
    if name == "convnet":
        model = model.to(memory_format=torch.channels_last)

    def images(x):                                      # channels last in memory, channels first in name: no copy
        return torch.from_numpy(x).permute(0, 3, 1, 2) if x.ndim == 4 else torch.from_numpy(x)

    opt = torch.optim.Adam(model.parameters(), fused=True)
    loss = nn.CrossEntropyLoss()

    def step(x, y, lr):
        opt.param_groups[0]["lr"] = lr
        opt.zero_grad()
        loss(model(images(x)), torch.from_numpy(y)).backward()
        opt.step()

    def errors():
        model.eval()
        with torch.no_grad():
            answers = [model(images(x_test[i:i + 1000])).argmax(1).numpy() for i in range(0, len(x_test), 1000)]
        model.train()
        return int((np.concatenate(answers) != y_test).sum())
    return imported, run(name, seed, x, y, step, errors)


def with_jax(name, seed, folder, threads):
    import jax
    import jax.numpy as jnp
    imported = time.time()
    w = [jnp.asarray(m) for m in initial(name, seed)]
    theta = {"w": w, "b": [jnp.zeros(m.shape[-1]) for m in w if m.ndim == 2],
             "norm": [(jnp.ones(m.shape[-1]), jnp.zeros(m.shape[-1])) for m in w if m.ndim == 4]}
    averages = [(jnp.zeros(m.shape[-1]), jnp.ones(m.shape[-1])) for m in w if m.ndim == 4]
    (x, y), (x_test, y_test) = digits(folder, name == "mlp")

    def network(theta, averages, x, learning):
        h, moving = x, []
        convolutions = [m for m in theta["w"] if m.ndim == 4]
        for m, (gamma, beta), (mean, var) in zip(convolutions, theta["norm"], averages):
            h = jax.lax.conv_general_dilated(h, m, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            if learning:
                mu, v, n = h.mean((0, 1, 2)), h.var((0, 1, 2)), h.size // h.shape[-1]
                moving.append((0.9 * mean + 0.1 * mu, 0.9 * var + 0.1 * v * n / (n - 1)))
            else:
                mu, v = mean, var
            h = jax.nn.relu(gamma * (h - mu) / jnp.sqrt(v + 1e-5) + beta)
            h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        h = h.reshape(len(h), -1)
        matrices = [m for m in theta["w"] if m.ndim == 2]
        for m, b in zip(matrices[:-1], theta["b"]):
            h = jax.nn.relu(h @ m + b)
        return h @ matrices[-1] + theta["b"][-1], moving

    def loss(theta, averages, x, y):
        logits, moving = network(theta, averages, x, True)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y]), moving

    @jax.jit
    def update(theta, averages, s, r, k, x, y, lr):
        g, moving = jax.grad(loss, has_aux=True)(theta, averages, x, y)
        s = jax.tree.map(lambda s, g: 0.9 * s + 0.1 * g, s, g)
        r = jax.tree.map(lambda r, g: 0.999 * r + 0.001 * g * g, r, g)
        theta = jax.tree.map(lambda p, s, r: p - lr * (s / (1 - 0.9**k)) / (jnp.sqrt(r / (1 - 0.999**k)) + 1e-8),
                             theta, s, r)
        return theta, moving, s, r

    answers = jax.jit(lambda theta, averages, x: network(theta, averages, x, False)[0].argmax(1))
    zeros = jax.tree.map(jnp.zeros_like, theta)
    state = [theta, averages, zeros, zeros, 0]

    def step(x, y, lr):
        state[4] += 1
        state[:4] = update(*state[:4], float(state[4]), x, y, lr)

    def errors():
        found = [np.asarray(answers(*state[:2], x_test[i:i + 1000])) for i in range(0, len(x_test), 1000)]
        return int((np.concatenate(found) != y_test).sum())
    return imported, run(name, seed, x, y, step, errors)


SCRIPTS = {"minigrad": with_minigrad, "PyTorch": with_pytorch, "JAX": with_jax}


# ------------------------------------------------------------------------------------------------------- the processes

def child(framework, name, seed, folder, threads):
    began = float(os.environ["BEGAN"])
    imported, found = SCRIPTS[framework](name, int(seed), folder, int(threads))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found | {"seconds": time.time() - began, "imports": imported - began, "peak_mb": peak}))


def measured(framework, name, seed, folder, threads):
    """One run in a process of its own."""
    number = str(threads)
    env = dict(os.environ, BEGAN=str(time.time()), OMP_NUM_THREADS=number, MKL_NUM_THREADS=number,
               OPENBLAS_NUM_THREADS=number, MINIGRAD_NUM_THREADS=number,
               XLA_FLAGS=f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}")
    pinned = {}
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        pinned["preexec_fn"] = lambda: os.sched_setaffinity(0, cores)
    done = subprocess.run([sys.executable, __file__, "--child", framework, name, str(seed), folder, number], env=env,
                          stdout=subprocess.PIPE, text=True, check=True, **pinned)
    return json.loads(done.stdout)


def installed(peer):
    """Can its package be imported?"""
    return subprocess.run([sys.executable, "-c", f"import {PEERS[peer]}"], capture_output=True).returncode == 0


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=3, help="runs of each framework, with seeds 0, 1, ...")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--resume", action="store_true", help="keep the runs that out/whole_runs.json has")
    options = parser.parse_args()
    from minigrad.data.mnist import FOLDER
    out = Path("out", "whole_runs.json")
    out.parent.mkdir(exist_ok=True)
    runs = json.loads(out.read_text()) if options.resume and out.exists() else []
    peers, end = [peer for peer in options.peers if installed(peer)], time.time() + 60 * options.minutes
    for name in options.jobs:
        for seed in range(options.rounds):
            for peer in peers if seed % 2 == 0 else peers[::-1]:
                which = {"job": name, "framework": peer, "threads": options.threads, "seed": seed}
                if time.time() < end and not any(one.items() >= which.items() for one in runs):
                    runs.append(which | measured(peer, name, seed, FOLDER, options.threads))
                    out.write_text(json.dumps(runs, indent=1) + "\n")
                    print(f"{name} {peer}, seed {seed}: {runs[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    print("job      framework  seconds  imports  an epoch  epochs  error %  peak MB")
    for name in options.jobs:
        for peer in peers:
            line(name, peer, [one for one in runs if (one["job"], one["framework"], one["threads"])
                              == (name, peer, options.threads)], options.rounds)


def line(name, peer, found, rounds):
    """One line of the table: medians over the runs that were made."""
    if not found:
        print(f"{name:8} {peer:9} not run: --resume")
        return
    middle = {key: statistics.median(one[key] for one in found) for key in ("seconds", "imports", "epoch", "peak_mb")}
    missed = sum(not one["reached"] for one in found)
    print(f"{name:8} {peer:9} {middle['seconds']:8.1f} {middle['imports']:8.2f} {middle['epoch']:9.2f} "
          f"{' '.join(str(len(one['errors'])) for one in found):>7} "
          f"{' '.join(format(one['errors'][-1] / 100, '.2f') for one in found):>8} {middle['peak_mb']:8.0f}"
          + (f"  ({missed} of {len(found)} did not get there)" if missed else "")
          + (f"  (of {len(found)} of {rounds} runs)" if len(found) < rounds else ""))


if __name__ == "__main__":
    main()
