"""The laboratory's Python: optimizers on surfaces, a net that learns MNIST-1D. In the browser lab.js calls `call`."""
import inspect
import json
import time

import numpy as np

from minigrad import Tensor, data, losses, nn, optim
from minigrad.testing import problems

SURFACES = {                                     # name: (problem, window x0, x1, y0, y1)
    "canyon": (problems.quadratic(n=2, condition=30.0, eigenvalues=[1.0, 30.0], rng=3), (-4, 4, -3, 3)),
    "Rosenbrock's valley": (problems.rosenbrock(), (-2, 2, -1, 3)),
    "Beale": (problems.beale(), (-1, 4.5, -1.5, 1.5)),
    "Himmelblau, four minima": (problems.himmelblau(), (-5, 5, -5, 5)),
    "saddle": (problems.saddle2(), (-1.5, 1.5, -1.5, 1.5)),
    "monkey saddle": (problems.monkey_saddle(), (-4, 4, -4, 4)),
}
METHODS = ("SGD", "Momentum", "Nesterov", "AdaGrad", "RMSProp", "RMSPropNesterov", "AdaDelta", "Adam", "AdaMax",
           "AdamW", "AMSGrad", "NAdam", "RAdam", "Lion", "DeltaBarDelta", "Rprop", "RpropMinus", "ConjugateGradient",
           "BFGS", "LBFGS", "Newton", "DampedNewton", "SaddleFreeNewton", "NewtonCG", "TrustRegion")
SLIDERS = {                                      # name: (least, most, on a logarithmic scale?)
    "lr": (1e-4, 10.0, True), "momentum": (0.0, 0.99, False), "rho": (0.0, 0.999, False), "rho1": (0.0, 0.99, False),
    "rho2": (0.0, 0.9999, False), "delta": (1e-10, 1.0, True), "weight_decay": (0.0, 0.5, False),
}
FIRST = {"lr": 0.01, "momentum": 0.9}            # where a method has no default
RATES = {"AdaGrad": 0.5, "RMSProp": 0.05, "RMSPropNesterov": 0.02, "Adam": 0.2, "AdaMax": 0.2, "AdamW": 0.2,
         "AMSGrad": 0.2, "NAdam": 0.2, "RAdam": 0.2, "Lion": 0.1}   # for ways of a few units; the defaults are for nets
SIDE = 60                                        # points of a surface's grid along each axis


def methods():
    """{method: {hyperparameter with a slider: its default}} of the chapter's optimizers."""
    found = {name: settings(getattr(optim, name)) for name in METHODS}
    for name, rate in RATES.items():
        found[name]["lr"] = rate
    return found


def settings(method):
    found = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name in SLIDERS:
            value = FIRST.get(name) if parameter.default is parameter.empty else parameter.default
            if isinstance(value, (int, float)):
                found[name] = float(value)
    return found


def surface(name):
    """A surface's window, its start, and log10(J - lowest) on a grid of SIDE x SIDE, rows from the top."""
    J, (x0, x1, y0, y1) = SURFACES[name]
    rows = [[J.value(np.array([x, y])) for x in np.linspace(x0, x1, SIDE)] for y in np.linspace(y1, y0, SIDE)]
    values = np.array(rows)
    lowest = min(J.lowest, values.min()) if np.isfinite(J.lowest) else values.min()
    return {"window": [x0, x1, y0, y1], "start": J.start.tolist(), "side": SIDE,
            "heights": np.log10(values - lowest + 1e-3).round(3).tolist()}


def path(surface, method, settings, start, steps, source=""):
    """The points of a run and J at each; a method of one's own is the last FirstOrder that `source` defines.

    What diverges ends where it is no longer finite. An error comes back as {"error": its words}.
    """
    J = SURFACES[surface][0]
    try:
        kind = own(source) if method == "mine" else getattr(optim, method)
        with np.errstate(all="ignore"):
            result = optim.minimize(kind(np.array(start, float), **settings), J, steps=steps, path=True)
    except Exception as error:                   # the student's own text may fail in any way: it is to be read
        return {"error": f"{type(error).__name__}: {error}"}
    fine = np.isfinite(result.path).all(axis=1) & np.isfinite(result.values)
    count = len(fine) if fine.all() else int(fine.argmin())
    return {"path": result.path[:count].tolist(), "values": result.values[:count].tolist(), "reason": result.reason}


def own(source):
    names = {}
    exec(source, names)
    found = [thing for thing in names.values() if inspect.isclass(thing) and issubclass(thing, optim.Optimizer)
             and thing.__module__ == "builtins"]
    if not found:
        raise ValueError("there is no class of an optimizer in this text: class Mine(optim.FirstOrder): ...")
    return found[-1]


class Training:
    """A net on MNIST-1D that learns in slices, so that the page can draw between them."""

    def __init__(self, method="Adam", settings=None, seed=0):
        (self.x, self.y), (self.x_test, self.y_test) = data.mnist1d(seed)
        self.model = nn.Sequential(nn.Linear(40, 100, rng=1), nn.ReLU(), nn.Linear(100, 10, rng=2))
        self.optimizer = getattr(optim, method)(self.model.parameters(), **(settings or {"lr": 0.01}))
        self.epochs, self.seconds = 0, 0.0

    def epoch(self):
        """One pass over 4,000 examples: what it cost and what it brought."""
        began, total = time.perf_counter(), 0.0
        for x, y in data.batches(self.x, self.y, batch_size=100, rng=self.epochs):
            loss = losses.cross_entropy(self.model(Tensor(x)), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() / 40
        self.epochs, self.seconds = self.epochs + 1, self.seconds + time.perf_counter() - began
        wrong = np.mean(self.model(Tensor(self.x_test)).data.argmax(axis=1) != self.y_test)
        return {"epoch": self.epochs, "loss": total, "error": float(wrong), "seconds": self.seconds}


running = None


def train(begin=False, **options):
    """One more epoch; begin: of a new net."""
    global running
    if begin or running is None:
        running = Training(**options)
    return running.epoch()


def call(name, arguments):
    """The page's way in: name of a function above, its arguments and its result in JSON."""
    known = {"methods": methods, "surface": surface, "path": path, "train": train}
    return json.dumps(known[name](**json.loads(arguments)))
