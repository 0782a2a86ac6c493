"""A multilayer perceptron on real MNIST, by any optimizer of the chapter.

What it shows: a network of two hidden layers learns 60,000 digits in seconds, to less than 2 % error on 10,000 others.
What to look at: the test loss stops falling before the test error does; compare --optimizer sgd, momentum, adam.
Try: --layers 1000 1000, --schedule constant, --lr ten times larger, --batch 1 --epochs 1.

Run: python examples/mnist/mlp.py [--help]
"""
import sys

from experiment import learning_curve, options, positive, train

from minigrad import data, init, nn
from minigrad.figures.page import Page


def mlp(sizes, rng):
    """Linear layers with relu between them; weights by He's rule. sizes: inputs, hidden layers, outputs."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs, weights=init.he_normal, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def more(parser):
    options(parser, epochs=10, batch=128)
    parser.add_argument("--layers", type=positive(int), nargs="*", default=[256, 128], help="hidden layers")


def main(argv=None):
    page = Page(__doc__, argv, more)
    args = page.options

    import numpy as np
    train_set, test_set = data.mnist(flat=True)
    model = mlp([784, *args.layers, 10], np.random.default_rng(args.seed))
    run = train(model, page, train_set, test_set)
    if run.history:
        learning_curve(run, page, "mlp")
    return run


if __name__ == "__main__":
    sys.exit(0 if main().reason in ("finished", "interrupted") else 1)
