"""How large should a minibatch be? (section 8.1.3)

What it shows: the standard error of a gradient estimated from n examples falls as sigma/sqrt(n), so that 100 times the
work makes it 10 times better; and what that means for learning: how far the training loss falls within the same time,
by batches of different sizes (the learning rate grows with the batch, up to what the cost bears).
What to look at: the slope of the straight line (-1/2) and the ratio in the first table, 1 at every n. In the second,
examples per second: small batches leave the processor idle. And the loss at the end: tiny batches pay for every step,
huge ones make too few of them; the best are in between.
Try: another seed. More threads, which favour large batches: MINIGRAD_NUM_THREADS=4 (or 1). One learning rate for all. A
network that has learned a while: how do sigma and the gradient change?

Run: python examples/batch_size.py [--quick] [--out DIR]
"""
import time

import numpy as np

from minigrad import Objective, data, init, losses, nn, optim, training
from minigrad.figures.page import Page


def network(seed=0):
    """784-64-10, weights by He's rule."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(784, 64, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Linear(64, 10, rng=rng))


def standard_errors(x, y, sizes, draws, rng):
    """(sigma, {n: root of the mean of |g_n - g|^2}): g over all examples, g_n over n of them drawn with replacement.

    sigma^2: the mean over single examples of |g_1 - g|^2, summed over all parameters, as in sigma/sqrt(n).
    """
    model = network()
    J = Objective(model, losses.cross_entropy, x, y)
    each = J.example_grad_squares().astype(float).sum()            # the mean of |g_1|^2
    g = J.grad().astype(float)
    sigma = np.sqrt(each - g @ g)
    found = {}
    for n in sizes:
        squares = []
        for _ in range(draws):
            chosen = rng.integers(len(x), size=n)
            g_n = Objective(model, losses.cross_entropy, x[chosen], y[chosen]).grad()
            squares.append(np.sum((g_n - g) ** 2))
        found[n] = np.sqrt(np.mean(squares))
    return sigma, found


class Watch(training.Callback):
    """The loss on some training examples against seconds of training (the time for measuring is not counted)."""

    def __init__(self, x, y, seconds, points=8):
        self.x, self.y, self.times = x, y, np.linspace(0, seconds, points + 1)
        self.rows, self.examples = [], 0

    def start(self, run):
        self.measure(run, 0.0)
        self.spent, self.since = 0.0, time.perf_counter()

    def step(self, run):
        spent = self.spent + time.perf_counter() - self.since
        if spent >= self.times[len(self.rows)]:
            self.measure(run, spent)
            self.spent, self.since = spent, time.perf_counter()
            if len(self.rows) == len(self.times):
                run.stop("time is up")

    def measure(self, run, spent):
        self.rows.append((spent, training.evaluate(run.model, run.loss, self.x, self.y).loss))


def progress(x, y, sizes, seconds):
    """{n: (steps, examples, [(seconds, loss)])} of gradient descent with batches of n for so many seconds."""
    found = {}
    for n in sizes:
        model = network()
        lr = min(0.01 * n, 0.3)                        # larger batches bear larger steps, up to what the cost bears
        watch = Watch(x[:2000], y[:2000], seconds)
        run = training.fit(model, losses.cross_entropy, optim.SGD(model.parameters(), lr=lr),
                           data.batches(x, y, batch_size=n, rng=0), epochs=10**6, callbacks=[watch], progress=False)
        found[n] = run.steps, run.examples, lr, watch.rows
    return found


def picture(figure, sigma, errors, found):
    left, right = figure.subplots(1, 2)
    sizes = np.array(list(errors))
    left.loglog(sizes, list(errors.values()), "o", label="measured")
    left.loglog(sizes, sigma / np.sqrt(sizes), "-", color="0.4", label=r"$\sigma / \sqrt{n}$")
    left.set(xlabel="batch size n", ylabel="standard error of the gradient", title="the estimate")
    for i, (n, (_, _, _, rows)) in enumerate(found.items()):
        right.plot(*np.array(rows).T, "o-", markersize=3, color=f"C{i}", label=f"n = {n}")
    right.set(xlabel="seconds of training", ylabel="training loss", yscale="log", title="what it is good for")
    for one in (left, right):
        one.grid(alpha=0.3)
        one.legend()


def main(argv=None):
    page = Page(__doc__, argv)
    (x, y), _ = data.mnist(flat=True)
    x, y = (x[:2000], y[:2000]) if page.quick else (x[:20_000], y[:20_000])
    draws, seconds = (30, 0.1) if page.quick else (200, 1.0)

    sigma, errors = standard_errors(x, y, (1, 4, 16, 64, 256, 1024), draws, np.random.default_rng(0))
    print(f"sigma = {sigma:.3f} (all parameters together), {draws} draws for each n")
    print("    n   standard error   sigma/sqrt(n)   ratio")
    for n, error in errors.items():
        print(f"{n:5d} {error:16.4f} {sigma / np.sqrt(n):15.4f} {error * np.sqrt(n) / sigma:7.3f}")
    slope = np.polyfit(np.log(list(errors)), np.log(list(errors.values())), 1)[0]
    print(f"slope in the double logarithmic picture: {slope:.3f}\n")

    sizes = (1, 16, 128, 1024) if page.quick else (1, 4, 16, 64, 256, 1024, 4096)
    found = progress(x, y, sizes, seconds)
    print(f"{seconds:g} s of gradient descent for each n")
    print("    n      lr   steps/s   examples/s   training loss at the end")
    for n, (steps, examples, lr, rows) in found.items():
        spent, loss = rows[-1]
        print(f"{n:5d} {lr:7.2f} {steps / spent:9,.0f} {examples / spent:12,.0f} {loss:12.4f}")
    best = min(found, key=lambda n: found[n][-1][-1][1])
    print(f"the lowest loss for the time: n = {best}")
    page.draw("batch_size", picture, sigma, errors, found, size=(11, 4.5))


if __name__ == "__main__":
    main()
