"""Every first-order optimizer on MNIST: logistic regression, an MLP with dropout, a small convolutional network.

What it shows: for each optimizer the best rate of six, the training loss after equal epochs, the test error, the time;
and, for logistic regression, the comparison of the Adam paper (Kingma and Ba 2015, figure 1) with three seeds.
What to look at: there, Adam and Nesterov's momentum are about equal and AdaGrad is behind. With rates that decay as
1/sqrt(k), as in the paper, the order found here is Adam (0.233), Nesterov (0.261), SGD (0.274), AdaGrad (0.307). So
AdaGrad is last as there, but Adam well ahead of Nesterov. With constant rates it is AdaGrad (0.238), Adam (0.241),
Nesterov (0.257), SGD (0.266): AdaGrad brings a decay of its own, and a second one is what put it last. Of all the
optimizers, ten end within ten percent on this convex problem. On both networks RMSProp with Nesterov's momentum is
first (one seed!), Adam and AdamW are near, and plain SGD is last but for vSGD and the methods for full batches. Of
those, Rprop ends far above its start on two of the three models: the slides say why.
A star behind a rate: the largest or smallest of its six, so that the best may lie beyond.
Try: --quick (seconds instead of minutes), --epochs 20, --workers 1; break it off with Ctrl-C and start it again.

Results are kept in OUT/compare_optimizers, one JSON file per run; a second call makes only the runs that are missing.

Run: python examples/mnist/compare_optimizers.py [--help]
"""
import math
import time

import numpy as np
from experiment import OPTIMIZERS, positive, process_pool, spread, workers_option

import minigrad as mg
from minigrad import Objective, data, init, losses, nn, optim, training
from minigrad.figures.page import Page
from minigrad.optim import schedules

# Beside those of the other examples: methods meant for full batches, and one without a rate. (The notes' forms of
# momentum and Nesterov are left out: the same methods.)
METHODS = {name: pair for name, pair in OPTIMIZERS.items() if name != "nesterov-notes"} | {
    "delta-bar-delta": (optim.DeltaBarDelta, 0.02), "rprop": (optim.Rprop, 1e-4),
    "rprop-minus": (optim.RpropMinus, 1e-4), "vsgd": (optim.VSGD, None),
}
GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)       # times the usual rate of the optimizer
TASKS = {"logistic": (60000, 128), "mlp": (20000, 128), "convnet": (6000, 64)}     # examples, batch
SLOW = {("mlp", "vsgd")}                       # with dropout its squared gradients take a pass per example
PAPER = {"sgd": "SGD", "nesterov": "Nesterov", "adagrad": "AdaGrad", "adam": "Adam"}


def model_for(task, rng):
    """logistic: 784-10. mlp: 784-256-10, relu, dropout 0.5. convnet: two 5 x 5 convolutions with pooling, linear."""
    weights = {"weights": init.he_normal, "rng": rng}
    if task == "logistic":
        return nn.Linear(784, 10, weights=init.zeros)
    if task == "mlp":
        return nn.Sequential(nn.Linear(784, 256, **weights), nn.ReLU(), nn.Dropout(0.5, rng=rng),
                             nn.Linear(256, 10, rng=rng))
    return nn.Sequential(nn.Conv2d(1, 8, 5, padding=2, **weights), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 5, padding=2, **weights), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(784, 10, rng=rng))


def learn(task, optimizer, decay, lr, seed, epochs, examples):
    """One run, on one thread. Plain values: training loss (test mode, all its examples) at the start and after every
    epoch, test error in percent, seconds of the processor spent on learning. After divergence: None."""
    mg.set_num_threads(1)
    (x, y), test_set = data.mnist(flat=task != "convnet")
    x, y = x[:examples], y[:examples]
    model = model_for(task, np.random.default_rng(seed))
    batches = data.batches(x, y, batch_size=TASKS[task][1], rng=seed)
    method, _ = METHODS[optimizer]
    if optimizer == "vsgd":
        opt = method(model.parameters(), samples=1, rng=seed)
    else:
        opt = method(model.parameters(), lr=schedules.Power(lr, 0.5) if decay == "root" else lr)
    curve, seconds = [training.evaluate(model, losses.cross_entropy, x, y).loss], 0.0
    try:
        for _ in range(epochs):
            began = time.thread_time()
            if optimizer == "vsgd":
                model.train()
                for batch in batches:
                    opt.step(Objective(model, losses.cross_entropy, *batch))
            else:
                training.fit(model, losses.cross_entropy, opt, batches, epochs=1, progress=False)
            seconds += time.thread_time() - began
            with opt.at_theta(), np.errstate(all="ignore"):
                loss = training.evaluate(model, losses.cross_entropy, x, y).loss
            if not math.isfinite(loss):
                raise optim.NonFiniteError(f"the training loss is {loss}")
            curve.append(loss)
    except optim.NonFiniteError:
        return {"losses": curve + [None] * (epochs + 1 - len(curve)), "error": None, "seconds": seconds}
    with opt.at_theta():
        error = training.evaluate(model, losses.cross_entropy, *test_set).error
    return {"losses": curve, "error": 100 * error, "seconds": seconds}


def grid(optimizer):
    usual = METHODS[optimizer][1]
    return [None] if usual is None else [float(f"{usual * factor:.2g}") for factor in GRID]


def jobs_for(arguments):
    """Every optimizer and rate of its grid on every task, then the paper's four with more seeds and with the decay."""
    def job(task, optimizer, lr, decay="constant", seed=0):
        return {"task": task, "optimizer": optimizer, "decay": decay, "lr": lr, "seed": seed,
                "epochs": arguments.epochs or (1 if arguments.quick else 10 if task == "logistic" else 3),
                "examples": 600 if arguments.quick else TASKS[task][0]}

    def rates(optimizer):
        return grid(optimizer)[2:3] if arguments.quick and optimizer != "vsgd" else grid(optimizer)

    jobs = [job(task, name, lr) for task in arguments.tasks for name in METHODS if (task, name) not in SLOW
            for lr in rates(name)]
    if "logistic" in arguments.tasks:
        jobs += [job("logistic", name, round(lr * factor, 6), decay, seed) for name in PAPER for lr in rates(name)
                 for decay, factor in (("constant", 1), ("root", 10)) for seed in range(arguments.seeds)]
    return [job for i, job in enumerate(jobs) if job not in jobs[:i]]


def final(result):
    """The last training loss; a run that diverged is worse than any."""
    return math.inf if result["losses"][-1] is None else result["losses"][-1]


def best(runs, **wanted):
    """The (job, result) of lowest final loss among those that agree with `wanted`."""
    return min(((job, result) for job, result in runs if wanted.items() <= job.items()), key=lambda run: final(run[1]))


def table(task, runs):
    """Print a row per optimizer, best first; return {optimizer: losses of its best run}."""
    rows = [best(runs, task=task, optimizer=name, decay="constant", seed=0) for name in METHODS
            if (task, name) not in SLOW]
    job = rows[0][0]
    print(f"\n{task}: {job['examples']} examples, batches of {TASKS[task][1]}, {job['epochs']} epochs, "
          f"loss {rows[0][1]['losses'][0]:.3f} at the start, seed 0")
    print(f"  {'optimizer':18}{'best lr':>9}{'train loss':>12}{'test error':>12}{'seconds':>9}")
    for job, result in sorted(rows, key=lambda row: final(row[1])):
        lr = job["lr"]
        rate = "none" if lr is None else f"{lr:g}" + ("*" if lr in grid(job["optimizer"])[::len(GRID) - 1] else " ")
        shown = "   diverged" if result["error"] is None else f"{final(result):12.4f}{result['error']:10.2f} %"
        print(f"  {job['optimizer']:18}{rate:>9}{shown}{result['seconds']:9.1f}")
    return {job["optimizer"]: result["losses"] for job, result in rows}


def paper(runs, seeds):
    """The Adam paper's comparison: mean final loss over the seeds, at the rate where that mean is lowest."""
    print("\nlogistic regression as in the Adam paper, figure 1 left: training loss, mean over "
          f"{seeds} seed{'s' * (seeds > 1)} (lowest to highest), at the best rate")
    print("  there: Adam and Nesterov about equal, both faster than AdaGrad; rates decay as 1/sqrt(k); no plain SGD")
    for decay, words in (("root", "rates decaying as 1/sqrt(k)"), ("constant", "constant rates")):
        rows = []
        for name in PAPER:
            by_rate = {}
            for job, result in runs:
                if (job["task"], job["optimizer"], job["decay"]) == ("logistic", name, decay):
                    by_rate.setdefault(job["lr"], []).append(final(result))
            lr, ends = min(by_rate.items(), key=lambda item: sum(item[1]))
            edge = "*" if lr in (min(by_rate), max(by_rate)) and len(by_rate) > 1 else ""
            rows.append((sum(ends) / len(ends), min(ends), max(ends), f"{PAPER[name]} (lr {lr:g}{edge})"))
        print(f"  here, {words}:")
        for mean, low, high, name in sorted(rows):
            print(f"    {name:24}{mean:.4f}  ({low:.4f} to {high:.4f})")


def picture(figure, curves):
    axes = figure.subplots(1, len(curves), squeeze=False)
    for ax, (task, lines) in zip(axes.flat, curves.items()):
        for i, (name, values) in enumerate(lines.items()):
            values = [np.nan if value is None else value for value in values]
            ax.plot(values, color=f"C{i % 10}", linestyle="-" if i < 10 else "--", marker=".", label=name)
        start = values[0]                       # top of the panel: the slowest of those that learned at all
        top = max([values[1] for values in lines.values() if None not in values and values[-1] < start / 2] + [0])
        ax.set(yscale="log", xlabel="epoch", title=task, ylim=(None, 1.15 * top or None))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(which="both", color="0.93")
    axes[0, 0].set_ylabel("training loss (test mode), each at its best rate")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=7)


def options(parser):
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK",
                        help="some of " + ", ".join(TASKS))
    parser.add_argument("--epochs", type=positive(int), help="of every run (default: 10 for logistic, 3 for the nets)")
    parser.add_argument("--seeds", type=positive(int), default=3, help="of the Adam paper's comparison")
    workers_option(parser)


def main(argv=None, executor=None):
    """executor: any concurrent.futures.Executor; by default a process pool of --workers."""
    page = Page(__doc__, argv, options)             # --quick: 600 examples, one epoch, one rate, one seed
    arguments = page.options
    if arguments.quick:
        arguments.seeds = 1
    jobs, began = jobs_for(arguments), time.perf_counter()
    print(f"{len(jobs)} runs")
    try:
        with executor or process_pool(arguments.workers) as pool:
            results = spread(learn, jobs, arguments.out / "compare_optimizers", pool)
    except ValueError as error:
        page.parser.error(str(error))
    except KeyboardInterrupt:
        page.parser.exit(130, "interrupted: the same command goes on from here\n")
    print(f"{sum(result['seconds'] for result in results):.0f} s of learning in {time.perf_counter() - began:.0f} s")
    runs = list(zip(jobs, results))
    curves = {task: table(task, runs) for task in arguments.tasks}
    if "logistic" in arguments.tasks:
        paper(runs, arguments.seeds)
    page.draw("compare_optimizers", picture, curves, size=(5.2 * len(curves), 5.6))


if __name__ == "__main__":
    main()
