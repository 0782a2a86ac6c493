"""Second-order methods beside Adam on an MNIST network: loss against evaluations and against seconds (section 8.6).

What it shows: first 10,000 digits as one batch, where L-BFGS, conjugate gradients, Hessian-free and Newton-CG are at
home, and Adam beside them, with that batch and with minibatches of 100. Then all 60,000 digits and a new minibatch for
every step: of 100, 1,000 and 10,000 examples, the book's number in 8.1.3 for methods that use H^-1 g.
What to look at: the loss against evaluations (a value, a gradient or a product with a curvature matrix counts one;
10,000 examples are one pass) and against seconds of the processor. One thread, full size:
Full batch: L-BFGS is the only one that leaves Adam with minibatches behind, after 70 of its 200 passes, and it goes
down to where float32 ends (7e-10). Before that Adam with minibatches is ahead of everything. Conjugate gradients
(6e-4), Adam on the full batch (6e-3), Newton-CG (1e-2) and Hessian-free (0.16) follow: 7 Hessian-free steps cost 205
passes. The lowest loss is not the lowest test error: L-BFGS 6.5 %, Adam with minibatches 4.8 %.
Minibatches: Adam wins (0.010). The smaller the batch, the more jagged the curve of either curvature method. L-BFGS with
100 examples is noisy and yet the lowest of its three per pass (0.042; 0.096 with 1,000, 0.099 with 10,000), but not per
second, since its own work no longer hides behind the examples'. Hessian-free with 100 stands still at 0.4 to 0.5 after
a fast start; 1,000 is best within this budget, of which 10,000 allows 4 steps, still descending. So large batches do
make curvature reliable, but on this network reliable steps are dear.
Try: --hidden 16 (where is Newton-CG now?), --passes 1000: how low does the full batch go, and does the test error
follow? optim.LBFGS with memory=50; HessianFree with damping=10 on batches of 100.

Run: python examples/mnist/second_order.py [--help]
"""
import time
from functools import partial
from itertools import pairwise

import numpy as np
from experiment import natural, positive

import minigrad as mg
from minigrad import Objective, Tensor, data, init, losses, nn, optim, training
from minigrad.figures.page import Page

METHODS = {"L-BFGS": optim.LBFGS, "conjugate gradients": optim.ConjugateGradient,
           "Hessian-free": partial(optim.HessianFree, damping=0.1), "Newton-CG": optim.NewtonCG}
RATES = {"Adam": (0.003, 0.01, 0.03), "Adam, batch 100": (0.0003, 0.001, 0.003)}     # each run; the best is shown
PASS = 10_000                           # examples: the unit of work


def network(sizes, seed):
    """Linear layers with tanh between them, Glorot's weights."""
    rng, layers = np.random.default_rng(seed), []
    for shape in pairwise(sizes):
        layers += [nn.Linear(*shape, weights=init.glorot_uniform, rng=rng), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Run:
    """A method at work: points of (passes, seconds, training loss). Seconds of the processors, which other programs do
    not lengthen, and without those spent on measuring."""

    def __init__(self, sizes, seed, make, measured):
        self.model = network(sizes, seed)
        self.opt, self.measured = make(self.model.parameters()), measured
        self.work = self.seconds = 0.0
        self.steps, self.refused, self.reason, self.points = 0, 0, "", []
        self.note()

    def note(self):
        loss = training.evaluate(self.model, losses.cross_entropy, *self.measured).loss
        self.points.append((self.work, self.seconds, loss))

    def step(self, x, y):
        """One step on one batch: with an objective, or for Adam the usual backward."""
        began = time.process_time()
        if isinstance(self.opt, optim.FirstOrder):
            self.opt.zero_grad()
            losses.cross_entropy(self.model(Tensor(x)), y).backward()
            self.opt.step()
            evaluations, reason = 1, ""
        else:
            step = self.opt.step(self.objective(x, y))
            evaluations, reason = step.evaluations, step.reason
        self.seconds += time.process_time() - began
        self.work += evaluations * len(x) / PASS
        self.steps += 1
        self.refused += bool(reason)
        return reason

    def objective(self, x, y):
        """The same object for the same batch: the method then knows where it is."""
        if getattr(self, "batch", None) is not x:
            self.batch, self.J = x, Objective(self.model, losses.cross_entropy, x, y)
        return self.J

    def until(self, passes, batches, marks=50):
        """Steps until so many passes are spent; a full batch is left when a step fails."""
        while True:
            for x, y in batches:
                reason = self.step(x, y)
                if self.work >= len(self.points) * passes / marks:
                    self.note()
                if self.work >= passes or (reason and len(batches) == 1):
                    self.reason = reason
                    if self.points[-1][0] < self.work:
                        self.note()
                    return self

    def loss_at(self, seconds=np.inf):
        """The last measured loss up to then."""
        return [loss for _, clock, loss in self.points if clock <= seconds][-1]


def row(name, run, test_set, seconds):
    error = 100 * training.evaluate(run.model, losses.cross_entropy, *test_set).error
    print(f"  {name:24}{run.steps:7}{run.work:8.0f}{run.seconds:9.1f}{run.loss_at():11.2e}{run.loss_at(seconds):11.2e}"
          f"{error:10.2f} %" + (f"  stopped: {run.reason}" if run.reason else "")
          + (f"  {run.refused} steps refused" if run.refused and not run.reason else ""), flush=True)


def table(title, runs, test_set):
    seconds = min(run.seconds for run in runs.values())
    print(f"\n{title}\n  {'':24}{'steps':>7}{'passes':>8}{'seconds':>9}{'loss':>11}{f'at {seconds:.1f} s':>11}"
          f"{'test error':>12}")
    for name, run in runs.items():
        row(name, run, test_set, seconds)


def full_batch(sizes, args, train_set, test_set):
    """Every method on the same PASS examples."""
    x, y = (part[:args.examples] for part in train_set)
    runs = {name: Run(sizes, args.seed, make, (x, y)).until(args.passes, [(x, y)]) for name, make in METHODS.items()}
    for name, rates in RATES.items():
        def tried(lr, name=name):
            run = Run(sizes, args.seed, lambda parameters: optim.Adam(parameters, lr=lr), (x, y))
            small = data.batches(x, y, batch_size=100, rng=args.seed)
            return run.until(args.passes, small if "batch" in name else [(x, y)])

        lr, run = min(((lr, tried(lr)) for lr in (rates[1:2] if args.quick else rates)),
                      key=lambda r: np.nan_to_num(r[1].loss_at(), nan=np.inf))           # NaN is no lowest loss
        runs[f"{name}, lr {lr:g}"] = run
    table(f"{len(x)} examples, full batch but for the last row; {args.passes:g} passes each; Adam's "
          "rates the best of three", runs, test_set)
    return runs


def minibatches(sizes, args, train_set, test_set):
    """L-BFGS and Hessian-free on minibatches of three sizes, a new one for every step."""
    runs, measured = {}, tuple(part[:PASS] for part in train_set)
    for name in ("L-BFGS", "Hessian-free"):
        for size in (100, 1000, 10000):
            run = Run(sizes, args.seed, METHODS[name], measured)
            batches = data.batches(*train_set, batch_size=size, rng=args.seed, drop_last=True)
            runs[f"{name}, batch {size}"] = run.until(args.passes / 2, batches)
    adam = Run(sizes, args.seed, lambda parameters: optim.Adam(parameters, lr=0.001), measured)
    batches = data.batches(*train_set, batch_size=100, rng=args.seed)
    runs["Adam, batch 100, lr 0.001"] = adam.until(args.passes / 2, batches)
    table(f"{len(train_set[0])} examples, a new minibatch for every step; {args.passes / 2:g} passes of {PASS} each "
          f"(loss on {PASS})", runs, test_set)
    return runs


def picture(figure, parts):
    axes = figure.subplots(2, 2, sharey="row")
    for pair, (title, runs) in zip(axes, parts.items()):
        for column, (ax, label) in enumerate(zip(pair, ("passes over 10,000 examples", "processor seconds"))):
            for i, (name, run) in enumerate(runs.items()):
                points = np.array(run.points)
                ax.plot(points[:, column], points[:, 2], color=f"C{i}", label=name, linewidth=1.4)
            ax.set(yscale="log", xlabel=label, title=title)
            ax.grid(which="both", color="0.93")
        pair[0].set_ylabel("training loss")
        pair[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))


def options(parser):
    parser.add_argument("--hidden", type=positive(int), nargs="*", default=[64, 32], help="sizes of the hidden layers")
    parser.add_argument("--passes", type=positive(float), default=200, help="work of each run, in 10,000 examples")
    parser.add_argument("--seed", type=natural, default=0, help="of weights and order")
    parser.add_argument("--threads", type=positive(int), help="of the compiled kernels (default: all cores)")


def main(argv=None):
    page = Page(__doc__, argv, options)             # --quick: 1000 examples, 3 passes, no grid of rates
    args = page.options
    if args.threads:
        mg.set_num_threads(args.threads)
    args.examples = PASS
    if args.quick:
        args.examples, args.passes = 1000, 3
    train_set, test_set = data.mnist(flat=True)
    sizes = [784, *args.hidden, 10]
    print(f"network {'-'.join(map(str, sizes))}, tanh, {network(sizes, 0).parameters().n} parameters, "
          f"{mg.get_num_threads()} threads")
    parts = {"full batch": full_batch(sizes, args, train_set, test_set),
             "minibatches": minibatches(sizes, args, train_set, test_set)}
    page.draw("second_order", picture, parts, size=(13, 9))


if __name__ == "__main__":
    main()
