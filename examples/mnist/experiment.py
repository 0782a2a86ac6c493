"""What the examples share: options, optimizers and schedules by name, the run itself, the learning curve."""
import sys
import time

import minigrad as mg
from minigrad import losses, optim, training
from minigrad.figures.page import natural, positive
from minigrad.optim import schedules

# name -> (how it is made, the learning rate that serves here as a start)
OPTIMIZERS = {
    "sgd": (optim.SGD, 0.2),
    "momentum": (optim.Momentum, 0.05),
    "nesterov": (optim.Nesterov, 0.05),
    "nesterov-notes": (optim.NesterovNotes, 0.05),
    "adagrad": (optim.AdaGrad, 0.02),
    "rmsprop": (optim.RMSProp, 1e-3),
    "rmsprop-nesterov": (optim.RMSPropNesterov, 3e-4),
    "adadelta": (optim.AdaDelta, 1.0),
    "adam": (optim.Adam, 2e-3),
    "adamax": (optim.AdaMax, 4e-3),
    "adamw": (optim.AdamW, 2e-3),
}
SCHEDULES = ("linear", "constant", "cosine")


def options(parser, epochs, batch):
    """Give a parser the options that all MNIST examples understand."""
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", metavar="NAME",
                        help="one of " + ", ".join(OPTIMIZERS))
    parser.add_argument("--lr", type=positive(float), help="learning rate (by default one that suits the optimizer)")
    parser.add_argument("--schedule", choices=SCHEDULES, default="linear",
                        help="of the learning rate: linear decay to 1 %% over the whole run (8.14), constant or cosine")
    parser.add_argument("--epochs", type=positive(int), default=epochs, help="passes over the training set")
    parser.add_argument("--batch", type=positive(int), default=batch, help="examples per step")
    parser.add_argument("--seed", type=natural, default=0, help="of weights and order; the same seed, the same bits")
    parser.add_argument("--threads", type=positive(int), help="of the compiled kernels (default: all cores)")


def schedule(name, lr, steps):
    """A learning rate over a run of so many steps."""
    return {"constant": schedules.Constant(lr), "linear": schedules.Linear(lr, 0.01 * lr, steps),
            "cosine": schedules.Cosine(lr, 0.0, steps)}[name]


def train(model, page, train_set, test_set, transform=None, callbacks=()):
    """Run the experiment that the options ask for (quick: one epoch of 2,000 examples). Returns the training Run;
    prints a line per epoch."""
    args = page.options
    if page.quick:
        args.epochs, train_set = 1, tuple(part[:2000] for part in train_set)
    if args.threads:
        mg.set_num_threads(args.threads)
    batches = mg.data.batches(*train_set, batch_size=args.batch, rng=args.seed, transform=transform)
    kind, usual = OPTIMIZERS[args.optimizer]
    lr = args.lr or usual
    optimizer = kind(model.parameters(), lr=schedule(args.schedule, lr, args.epochs * len(batches)))
    print(model.summary(train_set[0][:1]))
    print(f"{args.optimizer}, lr {lr:g} ({args.schedule}), batch {args.batch}, seed {args.seed}, "
          f"{mg.get_num_threads()} threads, kernels: {mg.kernels.isa}")
    began = time.perf_counter()
    run = training.fit(model, losses.cross_entropy, optimizer, batches, epochs=args.epochs, validation=test_set,
                       callbacks=callbacks)
    seconds = time.perf_counter() - began
    if run.history:
        print(f"test error {100 * run.history[-1]['validation_error']:.2f} % after {seconds:.1f} s ({run.reason})")
    return run


def learning_curve(run, page, name):
    """Draw loss and error over the epochs, if matplotlib is installed, into a file that tells the run by its name."""
    path = page.out / f"{name_of(name, page)}.{page.options.format}"
    lr = page.options.lr or OPTIMIZERS[page.options.optimizer][1]
    try:
        training.draw_learning_curve(run.history, path, f"{name}: {page.options.optimizer}, lr {lr:g}", watched="test")
    except ImportError:
        print("no picture: matplotlib is not installed (pip install matplotlib)", file=sys.stderr)
        return
    print(f"learning curve: {path}")


def name_of(name, page):
    """mlp_adam_lr0.002, then whatever else is not as by default: other runs are other files."""
    given, words = vars(page.options), []
    for option in given.keys() - {"quick", "out", "format", "threads", "optimizer", "lr"}:
        value = given[option]
        if value != page.parser.get_default(option):
            words.append(option if value is True else
                         option + ("x".join(map(str, value)) if isinstance(value, list) else str(value)))
    lr = page.options.lr or OPTIMIZERS[page.options.optimizer][1]
    return "_".join([name, page.options.optimizer, f"lr{lr:g}", *sorted(words)])
