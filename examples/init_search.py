# %% [markdown]
# # The scale of the first weights as a hyperparameter: random search (section 8.4)
#
#     python examples/init_search.py [--quick] [--trials N] [--workers N] [--out DIR]
#
# **What it shows.** The initial scale of each layer's weights can be searched like any other hyperparameter (8.4). Here
# the scales are drawn at random, log-uniformly between 1/1000 and 1 as standard deviations, a few steps of SGD are made
# on a part of MNIST, and the loss then is what counts. First one scale for all layers, which can be drawn as a curve;
# then one for each layer. The rules of thumb run beside them: Glorot's (8.23) and He's.
#
# **What to look at.** The curve: below, a plain on which nothing is learned (the signal dies on its way), above, a wall
# (it explodes; runs that diverge are drawn at the top), and between them a valley, for one scale from 0.1 to 0.3, that
# the rules hit without a search. The printed table: He's rule (0.25) is better than the best of 60 single scales (0.33)
# and Glorot's (0.54), which halves the variance that relus need; the best of 60 draws of six scales (0.18) is better
# still, but more than half of those draws, and nearly four in five of the single ones, learned nothing. The book's
# cheaper advice, to look at the range of activations and gradients on one minibatch, is in the middle columns and in
# the right panel: the spread of the output before the first step.
#
# **Try.** LAYERS = 12: how wide is the valley? nn.Tanh for nn.ReLU: whose rule wins? Search by steps of a tenth from
# the best trial instead of at random: what does it cost in trials?
#
# Every trial is a job for any concurrent.futures.Executor and its result is kept; see
# `minigrad.compare.spread`: dask.distributed's `client.get_executor()` serves as well as the pool of processes here.

# %%
import math
import time
from functools import partial

import numpy as np

import minigrad as mg
from minigrad import Tensor, data, init, losses, nn, optim, training
from minigrad.compare.spread import Unreadable, process_pool, spread, workers_option
from minigrad.figures.page import COLORS, Page, positive

WIDTH, LAYERS, LR, BATCH = 64, 6, 0.05, 100
RULES = {"Glorot": init.glorot_normal, "He": init.he_normal}


# %% [markdown]
# One trial. `scales`: a standard deviation per layer, or the name of a rule.

# %%
def network(scales, rng):
    layers, sizes = [], [784] + [WIDTH] * (LAYERS - 1) + [10]
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        weights = RULES[scales] if isinstance(scales, str) else partial(init.normal, std=scales[i])
        layers += [nn.Linear(inputs, outputs, weights=weights, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def trial(scales, steps, seed):
    """Loss on 2,000 other examples after so many steps of SGD (None: diverged); at the start the standard deviation of
    the last layer's output and the norm of the first layer's gradient; the standard deviations of the weights."""
    mg.set_num_threads(1)
    (x, y), _ = data.mnist(flat=True)
    model = network(scales, np.random.default_rng(seed))
    stds = [float(layer.w.data.std()) for layer in model if isinstance(layer, nn.Linear)]
    with np.errstate(all="ignore"):                        # the largest scales overflow: that is an answer, too
        z = model(Tensor(x[:BATCH]))
        losses.cross_entropy(z, y[:BATCH]).backward()
        signs = {"output": float(z.data.std()), "gradient": float(np.linalg.norm(model[0].w.grad))}
        batches = data.batches(x[:20000], y[:20000], batch_size=BATCH, rng=seed)
        try:
            training.fit(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=LR), batches, steps=steps,
                         progress=False)
            loss = training.evaluate(model, losses.cross_entropy, x[-2000:], y[-2000:]).loss
        except optim.NonFiniteError:
            loss = math.inf
    finite = {name: value if math.isfinite(value) else None for name, value in signs.items()}
    return {"loss": loss if math.isfinite(loss) else None, "stds": stds, **finite}


# %% [markdown]
# The search: one scale for all layers, one for each, and the rules with three seeds.

# %%
def jobs_for(trials, steps):
    rng = np.random.default_rng(0)

    def log_uniform(n):
        return [float(f"{scale:.4g}") for scale in 10 ** rng.uniform(-3, 0, n)]

    def job(kind, scales, seed=0):
        return {"kind": kind, "scales": scales, "steps": steps, "seed": seed}

    return ([job("one scale", log_uniform(1) * LAYERS) for _ in range(trials)]
            + [job("a scale for each layer", log_uniform(LAYERS)) for _ in range(trials)]
            + [job("rule", rule, seed) for rule in RULES for seed in range(3)])


def run(kind, **job):
    return trial(**job)


def value(result):
    return math.inf if result["loss"] is None else result["loss"]


def median_of(rule, jobs, results):
    """The run of the middle loss of the rule's three."""
    return sorted((result for job, result in zip(jobs, results) if job["scales"] == rule), key=value)[1]


def number(x):
    return f"{x:10.2e}" if x is not None else "  overflow"


def table(jobs, results, steps):
    print(f"{LAYERS} layers of {WIDTH} relus, loss after {steps} steps of SGD (lr {LR}, batches of {BATCH})")
    print(f"  {'':26}{'loss':>8}{'output std':>12}{'gradient':>11}   standard deviation of each layer's weights")
    rows = []
    for kind in ("one scale", "a scale for each layer"):
        found = [result for job, result in zip(jobs, results) if job["kind"] == kind]
        rows += [(f"{kind}, best", min(found, key=value)),
                 (f"{kind}, median", sorted(found, key=value)[len(found) // 2])]
    for rule in RULES:
        rows.append((f"{rule}, median of 3", median_of(rule, jobs, results)))
    for name, result in rows:
        loss = "diverged" if result["loss"] is None else f"{result['loss']:.3f}"
        print(f"  {name:30}{loss:>8}{number(result['output'])}{number(result['gradient'])}   "
              + " ".join(f"{std:.3f}" for std in result["stds"]))
    for kind in ("one scale", "a scale for each layer"):
        found = [value(result) for job, result in zip(jobs, results) if job["kind"] == kind]
        print(f"  {kind}: {sum(loss < 2.2 for loss in found)} of {len(found)} trials below 2.2 "
              f"(guessing: {math.log(10):.2f}), {sum(loss == math.inf for loss in found)} diverged")


def picture(figure, jobs, results):
    left, right = figure.subplots(1, 2)
    top = 3.0
    for kind, color, marker in (("one scale", COLORS[0], "o"), ("a scale for each layer", COLORS[1], "^")):
        found = [result for job, result in zip(jobs, results) if job["kind"] == kind]
        scale = [np.exp(np.mean(np.log(result["stds"]))) for result in found]
        left.plot(scale, [min(value(result), top) for result in found], marker, color=color, markersize=5, alpha=0.7,
                  label=kind if kind == "one scale" else kind + " (geometric mean)")
        sound = [result for result in found if result["output"] and result["gradient"] is not None]
        right.plot([result["output"] for result in sound], [min(value(result), top) for result in sound], marker,
                   color=color, markersize=5, alpha=0.7, label=kind)
    for rule, color in zip(RULES, (COLORS[2], COLORS[6])):
        result = median_of(rule, jobs, results)
        for ax, at in ((left, np.exp(np.mean(np.log(result["stds"])))), (right, result["output"])):
            ax.plot(at, min(value(result), top), "*", color=color, markersize=15, label=rule)
    for ax in (left, right):
        ax.axhline(math.log(10), color="0.6", linestyle=":", label="guessing: log 10")
        ax.set(xscale="log", ylim=(0, top + 0.1))
        ax.grid(color="0.93")
    left.set(xlabel="standard deviation of the first weights", ylabel="loss after the steps (3: or more, or diverged)")
    right.set(xlabel="standard deviation of the output before the first step")
    left.legend(loc="center left")


def options(parser):
    parser.add_argument("--trials", type=positive(int), default=60, help="of each kind")
    parser.add_argument("--steps", type=positive(int), default=200, help="of SGD in each trial")
    workers_option(parser)


def main(argv=None, executor=None):
    page = Page("Random search for the scale of the initial weights", argv, options)
    arguments = page.options
    if arguments.quick:
        arguments.trials, arguments.steps = 8, 20
    jobs, began = jobs_for(arguments.trials, arguments.steps), time.perf_counter()
    try:
        with executor or process_pool(arguments.workers) as pool:
            results = spread(run, jobs, arguments.out / "init_search", pool)
    except Unreadable as error:
        page.parser.error(str(error))
    except KeyboardInterrupt:
        page.parser.exit(130, "interrupted: the same command goes on from here\n")
    print(f"{len(jobs)} trials in {time.perf_counter() - began:.1f} s")
    table(jobs, results, arguments.steps)
    page.draw("init_search", picture, jobs, results, size=(12, 5))


if __name__ == "__main__":
    main()
