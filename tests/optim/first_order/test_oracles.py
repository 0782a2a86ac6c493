"""Every first-order method against the libraries that do the same thing: PyTorch and optax, over 200 steps.

Not every library does the same thing by default; which does, and with which arguments, is the table in
docs/optimizers.md, whose rows are these configurations. Float64 agrees to 1e-10, float32 (over 20 steps) to 1e-5.
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules

N, STEPS, TOLERANCE = 6, 200, 1e-10
A = np.logspace(-1, 0.7, N)
B = np.linspace(-1, 1, N)
START = np.linspace(-1.5, 2.0, N)
PARTS = {"a": 3, "b": 2, "c": 1}


def grad(theta, k):
    """The gradient of a quadratic whose minimum wanders with k, so that no method comes to rest."""
    return A * theta - B - 0.3 * np.sin(0.7 * k + np.arange(N))


def run(opt, p, steps, scale=1.0, but=None, change=None):
    """minigrad's loop; returns the points where the next gradient belongs."""
    points = []
    for k in range(steps):
        if change is not None and k == steps // 2:
            change(opt)
        opt.zero_grad()
        p.backward(lambda theta, k=k: (scale * grad(theta, k)).astype(theta.dtype), but=but(k) if but else ())
        opt.step()
        points.append(p.theta.copy())
    return np.array(points)


def run_torch(make, steps, dtype, scale=1.0, but=None, change=None, rate=None, groups=None):
    """PyTorch's loop on three parameters; rate(k), k from 1, sets lr before each step."""
    torch = pytest.importorskip("torch")
    cuts = np.cumsum([0, *PARTS.values()])
    dtype_of_scalars = torch.get_default_dtype()                # NAdam's product of momenta is kept in this
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        return torch_points(torch, make, steps, dtype, scale, but, change, rate, groups, cuts)
    finally:
        torch.set_default_dtype(dtype_of_scalars)


def torch_points(torch, make, steps, dtype, scale, but, change, rate, groups, cuts):
    parts = [torch.nn.Parameter(torch.tensor(START[i:j], dtype=getattr(torch, dtype))) for i, j in zip(cuts, cuts[1:])]
    opt = make(torch.optim, parts if groups is None else groups(parts))
    points = []
    for k in range(steps):
        if change is not None and k == steps // 2:
            change(opt)
        if rate is not None:
            for group in opt.param_groups:
                group["lr"] = rate(k + 1)
        theta = np.concatenate([part.detach().numpy() for part in parts])
        g = (scale * grad(theta, k)).astype(dtype)
        skipped = but(k) if but else ()
        for (i, j), part, name in zip(zip(cuts, cuts[1:]), parts, PARTS):
            part.grad = None if name in skipped else torch.tensor(g[i:j])
        opt.step()
        points.append(np.concatenate([part.detach().numpy() for part in parts]))
    return np.array(points)


LINEAR = schedules.Linear(0.05, 0.005, 150)
LATE = lambda k: ("b",) if k < 3 or k % 5 == 0 else ()
HALVE = (lambda opt: setattr(opt, "lr", 0.02), lambda opt: [group.update(lr=0.02) for group in opt.param_groups])

@dataclass(frozen=True)
class Twins:
    """minigrad's optimizer from p and PyTorch's from (torch.optim, parameters), and what happens in both runs."""
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    rate: Callable[[int], float] | None = None          # of PyTorch's, where ours has a schedule
    groups: Callable[..., Any] | None = None            # of PyTorch's parameters
    change: tuple[Any, Any] = (None, None)              # after half of the steps, for ours and for theirs
    but: Callable[[int], Any] | None = None             # names without a gradient at step k
    scale: float = 1.0                                  # of the gradient


TORCH = {
    "SGD": Twins(lambda p: optim.SGD(p, 0.05), lambda t, w: t.SGD(w, 0.05)),
    "SGD decay": Twins(lambda p: optim.SGD(p, 0.05, weight_decay=0.1), lambda t, w: t.SGD(w, 0.05, weight_decay=0.1)),
    "SGD linear 8.14": Twins(lambda p: optim.SGD(p, LINEAR), lambda t, w: t.SGD(w, 0.05), rate=LINEAR),
    "SGD late": Twins(lambda p: optim.SGD(p, 0.05, weight_decay=0.1), lambda t, w: t.SGD(w, 0.05, weight_decay=0.1),
                      but=LATE),
    "SGD changed": Twins(lambda p: optim.SGD(p, 0.05), lambda t, w: t.SGD(w, 0.05), change=HALVE),
    "SGD groups": Twins(lambda p: optim.SGD(p, 0.05, groups={"b": dict(lr=0.01), "c": dict(frozen=True)}),
                        lambda t, w: t.SGD(w, 0.05),
                        groups=lambda w: [dict(params=w[0]), dict(params=w[1], lr=0.01), dict(params=w[2], lr=0.0)]),
    "Momentum": Twins(lambda p: optim.Momentum(p, 0.05), lambda t, w: t.SGD(w, 0.05, momentum=0.9)),
    "Momentum 0.5": Twins(lambda p: optim.Momentum(p, 0.05, 0.5), lambda t, w: t.SGD(w, 0.05, momentum=0.5)),
    "Momentum decay": Twins(lambda p: optim.Momentum(p, 0.05, weight_decay=0.1),
                            lambda t, w: t.SGD(w, 0.05, momentum=0.9, weight_decay=0.1)),
    "Momentum late": Twins(lambda p: optim.Momentum(p, 0.05, weight_decay=0.1),
                           lambda t, w: t.SGD(w, 0.05, momentum=0.9, weight_decay=0.1), but=LATE),
    "MomentumNotes": Twins(lambda p: optim.MomentumNotes(p, 0.05), lambda t, w: t.SGD(w, 0.05, momentum=0.9)),
    "MomentumNotes linear": Twins(lambda p: optim.MomentumNotes(p, LINEAR), lambda t, w: t.SGD(w, 0.05, momentum=0.9),
                                  rate=LINEAR),
    "MomentumNotes changed": Twins(lambda p: optim.MomentumNotes(p, 0.05), lambda t, w: t.SGD(w, 0.05, momentum=0.9),
                                   change=HALVE),
    "Nesterov": Twins(lambda p: optim.Nesterov(p, 0.05), lambda t, w: t.SGD(w, 0.05, momentum=0.9, nesterov=True)),
    "Nesterov 0.5": Twins(lambda p: optim.Nesterov(p, 0.05, 0.5),
                          lambda t, w: t.SGD(w, 0.05, momentum=0.5, nesterov=True)),
    "Nesterov decay": Twins(lambda p: optim.Nesterov(p, 0.05, weight_decay=0.1),
                            lambda t, w: t.SGD(w, 0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "NesterovNotes": Twins(lambda p: optim.NesterovNotes(p, 0.05),
                           lambda t, w: t.SGD(w, 0.05, momentum=0.9, nesterov=True)),
    "NesterovNotes late": Twins(lambda p: optim.NesterovNotes(p, 0.05),
                                lambda t, w: t.SGD(w, 0.05, momentum=0.9, nesterov=True), but=LATE),
    "AdaGrad": Twins(lambda p: optim.AdaGrad(p), lambda t, w: t.Adagrad(w, 0.01, eps=1e-7)),
    "AdaGrad lr 0.5": Twins(lambda p: optim.AdaGrad(p, 0.5), lambda t, w: t.Adagrad(w, 0.5, eps=1e-7)),
    "AdaGrad delta": Twins(lambda p: optim.AdaGrad(p, 0.1, delta=0.1), lambda t, w: t.Adagrad(w, 0.1, eps=0.1)),
    "AdaGrad decay": Twins(lambda p: optim.AdaGrad(p, 0.1, weight_decay=0.1),
                           lambda t, w: t.Adagrad(w, 0.1, eps=1e-7, weight_decay=0.1)),
    "AdaGrad linear": Twins(lambda p: optim.AdaGrad(p, LINEAR), lambda t, w: t.Adagrad(w, 0.1, eps=1e-7), rate=LINEAR),
    "AdaGrad late": Twins(lambda p: optim.AdaGrad(p, 0.1), lambda t, w: t.Adagrad(w, 0.1, eps=1e-7), but=LATE),
    "AdaGrad tiny": Twins(lambda p: optim.AdaGrad(p, 0.1), lambda t, w: t.Adagrad(w, 0.1, eps=1e-7), scale=1e-8),
    "AdaDelta": Twins(lambda p: optim.AdaDelta(p), lambda t, w: t.Adadelta(w, 1.0)),
    "AdaDelta rho": Twins(lambda p: optim.AdaDelta(p, rho=0.5, delta=1e-3),
                          lambda t, w: t.Adadelta(w, 1.0, rho=0.5, eps=1e-3)),
    "AdaDelta decay": Twins(lambda p: optim.AdaDelta(p, weight_decay=0.1),
                            lambda t, w: t.Adadelta(w, 1.0, weight_decay=0.1)),
    "AdaDelta late": Twins(lambda p: optim.AdaDelta(p), lambda t, w: t.Adadelta(w, 1.0), but=LATE),
    "AdaDelta tiny": Twins(lambda p: optim.AdaDelta(p), lambda t, w: t.Adadelta(w, 1.0), scale=1e-8),
    "Adam": Twins(lambda p: optim.Adam(p), lambda t, w: t.Adam(w)),
    "Adam lr 0.1": Twins(lambda p: optim.Adam(p, 0.1), lambda t, w: t.Adam(w, 0.1)),
    "Adam rho": Twins(lambda p: optim.Adam(p, 0.05, 0.5, 0.9), lambda t, w: t.Adam(w, 0.05, betas=(0.5, 0.9))),
    "Adam delta": Twins(lambda p: optim.Adam(p, 0.05, delta=0.1), lambda t, w: t.Adam(w, 0.05, eps=0.1)),
    "Adam decay": Twins(lambda p: optim.Adam(p, 0.05, weight_decay=0.1),
                        lambda t, w: t.Adam(w, 0.05, weight_decay=0.1)),
    "Adam linear": Twins(lambda p: optim.Adam(p, LINEAR), lambda t, w: t.Adam(w, 0.05), rate=LINEAR),
    "Adam late": Twins(lambda p: optim.Adam(p, 0.05), lambda t, w: t.Adam(w, 0.05), but=LATE),
    "Adam tiny": Twins(lambda p: optim.Adam(p, 0.05), lambda t, w: t.Adam(w, 0.05), scale=1e-8),
    "Adam zero": Twins(lambda p: optim.Adam(p, 0.05), lambda t, w: t.Adam(w, 0.05), scale=0.0),
    "Adam changed": Twins(lambda p: optim.Adam(p, 0.05), lambda t, w: t.Adam(w, 0.05), change=HALVE),
    "Adam groups": Twins(
        lambda p: optim.Adam(p, 0.05, groups={"b": dict(lr=0.01, rho1=0.5), "[ac]": dict(weight_decay=0.1)}),
        lambda t, w: t.Adam(w, 0.05), groups=lambda w: [dict(params=[w[0], w[2]], weight_decay=0.1),
                                                        dict(params=[w[1]], lr=0.01, betas=(0.5, 0.999))]),
    "AdaMax": Twins(lambda p: optim.AdaMax(p), lambda t, w: t.Adamax(w, 0.002, eps=0)),
    "AdaMax lr 0.1": Twins(lambda p: optim.AdaMax(p, 0.1), lambda t, w: t.Adamax(w, 0.1, eps=0)),
    "AdaMax rho": Twins(lambda p: optim.AdaMax(p, 0.05, 0.5, 0.9),
                        lambda t, w: t.Adamax(w, 0.05, betas=(0.5, 0.9), eps=0)),
    "AdaMax decay": Twins(lambda p: optim.AdaMax(p, 0.05, weight_decay=0.1),
                          lambda t, w: t.Adamax(w, 0.05, eps=0, weight_decay=0.1)),
    "AdaMax late": Twins(lambda p: optim.AdaMax(p, 0.05), lambda t, w: t.Adamax(w, 0.05, eps=0), but=LATE),
    "AdamW": Twins(lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.01), lambda t, w: t.AdamW(w, 0.05)),
    "AdamW decay": Twins(lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.3),
                         lambda t, w: t.AdamW(w, 0.05, weight_decay=0.3)),
    "AdamW linear": Twins(lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.3, eta=schedules.Linear(1, 0.1, 150)),
                          lambda t, w: t.AdamW(w, 0.05, weight_decay=0.3), rate=LINEAR),
    "AdamW late": Twins(lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.3),
                        lambda t, w: t.AdamW(w, 0.05, weight_decay=0.3), but=LATE),
    "AdamW weights only": Twins(
        lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.3, groups={"b": dict(weight_decay=0)}),
        lambda t, w: t.AdamW(w, 0.05),
        groups=lambda w: [dict(params=[w[0], w[2]], weight_decay=0.3), dict(params=[w[1]], weight_decay=0.0)]),
    "RpropMinus": Twins(lambda p: optim.RpropMinus(p, 0.01), lambda t, w: t.Rprop(w)),
    "RpropMinus 0.1": Twins(lambda p: optim.RpropMinus(p), lambda t, w: t.Rprop(w, 0.1)),
    "RpropMinus factors": Twins(lambda p: optim.RpropMinus(p, 0.1, up=1.5, down=0.3, smallest=1e-3, largest=0.2),
                                lambda t, w: t.Rprop(w, 0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.2))),
    "RpropMinus late": Twins(lambda p: optim.RpropMinus(p), lambda t, w: t.Rprop(w, 0.1), but=LATE),
    "RpropMinus zero": Twins(lambda p: optim.RpropMinus(p), lambda t, w: t.Rprop(w, 0.1), scale=0.0),
    "AMSGrad": Twins(lambda p: optim.AMSGrad(p, 0.05), lambda t, w: t.Adam(w, 0.05, amsgrad=True)),
    "AMSGrad rho": Twins(lambda p: optim.AMSGrad(p, 0.05, rho1=0.5, rho2=0.7),
                         lambda t, w: t.Adam(w, 0.05, betas=(0.5, 0.7), amsgrad=True)),
    "AMSGrad linear": Twins(lambda p: optim.AMSGrad(p, LINEAR, weight_decay=0.1),
                            lambda t, w: t.Adam(w, 0.05, amsgrad=True, weight_decay=0.1), rate=LINEAR),
    "AMSGrad late": Twins(lambda p: optim.AMSGrad(p, 0.05), lambda t, w: t.Adam(w, 0.05, amsgrad=True), but=LATE),
    "NAdam": Twins(lambda p: optim.NAdam(p), lambda t, w: t.NAdam(w, 0.001)),
    "NAdam rho": Twins(lambda p: optim.NAdam(p, 0.05, rho1=0.5, rho2=0.9, warming=0.1),
                       lambda t, w: t.NAdam(w, 0.05, betas=(0.5, 0.9), momentum_decay=0.1)),
    "NAdam linear": Twins(lambda p: optim.NAdam(p, LINEAR, weight_decay=0.1),
                          lambda t, w: t.NAdam(w, 0.05, weight_decay=0.1), rate=LINEAR),
    "NAdam late": Twins(lambda p: optim.NAdam(p, 0.05), lambda t, w: t.NAdam(w, 0.05), but=LATE),
    "NAdam groups": Twins(
        lambda p: optim.NAdam(p, 0.05, groups={"b": dict(lr=0.01, rho1=0.5), "c": dict(frozen=True)}),
        lambda t, w: t.NAdam(w, 0.05),
        groups=lambda w: [dict(params=w[0]), dict(params=w[1], lr=0.01, betas=(0.5, 0.999)),
                          dict(params=w[2], lr=0.0)]),
    "RAdam": Twins(lambda p: optim.RAdam(p, 0.05, delta=lambda k: 1e-8 / (1 - 0.999**k)**0.5),
                   lambda t, w: t.RAdam(w, 0.05)),
    "RAdam rho": Twins(lambda p: optim.RAdam(p, 0.05, rho1=0.5, rho2=0.9, delta=1e-14),
                       lambda t, w: t.RAdam(w, 0.05, betas=(0.5, 0.9), eps=1e-14)),
    "RAdam linear": Twins(lambda p: optim.RAdam(p, LINEAR, weight_decay=0.1, delta=1e-14),
                          lambda t, w: t.RAdam(w, 0.05, weight_decay=0.1, eps=1e-14), rate=LINEAR),
    "RAdam late": Twins(lambda p: optim.RAdam(p, 0.05, delta=1e-14), lambda t, w: t.RAdam(w, 0.05, eps=1e-14),
                        but=LATE),
}


def both(name, vector, dtype, steps):
    pair, p = TORCH[name], vector(START.astype(dtype), PARTS)
    got = run(pair.ours(p), p, steps, scale=pair.scale, but=pair.but, change=pair.change[0])
    return got, run_torch(pair.theirs, steps, dtype, scale=pair.scale, but=pair.but, change=pair.change[1],
                          rate=pair.rate, groups=pair.groups)


@pytest.mark.parametrize("name", TORCH)
def test_equals_pytorch(name, vector):
    got, wanted = both(name, vector, "float64", STEPS)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", TORCH)
def test_equals_pytorch_in_float32(name, vector):
    got, wanted = both(name, vector, "float32", 20)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


# id: (minigrad's, optax', is ours at theta + alpha v?); optax' schedules count from 0
OPTAX = {
    "SGD": (lambda p: optim.SGD(p, 0.05), lambda o: o.sgd(0.05)),
    "SGD linear 8.14": (lambda p: optim.SGD(p, LINEAR), lambda o: o.sgd(linear_of(o))),
    "MomentumNotes": (lambda p: optim.MomentumNotes(p, 0.05), lambda o: o.sgd(0.05, momentum=0.9)),
    "NesterovNotes": (lambda p: optim.NesterovNotes(p, 0.05), lambda o: o.sgd(0.05, momentum=0.9, nesterov=True)),
    "Nesterov": (lambda p: optim.Nesterov(p, 0.05), lambda o: o.sgd(0.05, momentum=0.9, nesterov=True)),
    "RMSProp": (lambda p: optim.RMSProp(p, 0.01), lambda o: o.rmsprop(0.01, decay=0.9, eps=1e-6)),
    "RMSProp rho": (lambda p: optim.RMSProp(p, 0.01, 0.5, 1e-2), lambda o: o.rmsprop(0.01, decay=0.5, eps=1e-2)),
    "RMSProp linear": (lambda p: optim.RMSProp(p, LINEAR),
                       lambda o: o.rmsprop(linear_of(o), decay=0.9, eps=1e-6)),
    "RMSPropNesterov": (lambda p: optim.RMSPropNesterov(p, 0.002, delta=1e-3),
                        lambda o: o.rmsprop(0.002, decay=0.9, eps=1e-3, momentum=0.9, nesterov=True)),
    "RMSPropNesterov as printed": (lambda p: optim.RMSPropNesterov(p, 0.002, delta=0),
                                   lambda o: o.rmsprop(0.002, decay=0.9, eps=0, momentum=0.9, nesterov=True)),
    "Adam": (lambda p: optim.Adam(p, 0.05), lambda o: o.adam(0.05)),
    "Adam rho": (lambda p: optim.Adam(p, 0.05, 0.5, 0.9, 0.1), lambda o: o.adam(0.05, b1=0.5, b2=0.9, eps=0.1)),
    "AdaDelta": (lambda p: optim.AdaDelta(p), lambda o: o.adadelta(1.0, rho=0.9, eps=1e-6)),
    "AdaMax": (lambda p: optim.AdaMax(p, 0.05), lambda o: o.adamax(0.05, eps=0)),
    "AdamW": (lambda p: optim.AdamW(p, 0.05, weight_decay=0.05 * 0.3), lambda o: o.adamw(0.05, weight_decay=0.3)),
    "NAdam": (lambda p: optim.NAdam(p, 0.05, warming=1e9), lambda o: o.nadam(0.05)),
    "RAdam": (lambda p: optim.RAdam(p, 0.05), lambda o: o.radam(0.05)),
    "RAdam as printed": (lambda p: optim.RAdam(p, 0.05, rho2=0.9, enough=4),
                         lambda o: o.radam(0.05, b2=0.9, threshold=4)),
    "Lion": (lambda p: optim.Lion(p, 0.01), lambda o: o.lion(0.01, weight_decay=0)),
    "Lion decay": (lambda p: optim.Lion(p, 0.01, 0.5, 0.7, weight_decay=0.3),
                   lambda o: o.lion(0.01, b1=0.5, b2=0.7, weight_decay=0.3)),
    "Lion linear": (lambda p: optim.Lion(p, LINEAR), lambda o: o.lion(linear_of(o), weight_decay=0)),
    "ScheduleFree": (lambda p: optim.ScheduleFree(p, 0.05), lambda o: o.contrib.schedule_free(o.sgd(0.05), 0.05)),
    "ScheduleFree momentum": (lambda p: optim.ScheduleFree(p, 0.1, 0.6, weight_decay=0.1),
                              lambda o: o.contrib.schedule_free_sgd(0.1, b1=0.6, weight_decay=0.1)),
    "ScheduleFree warm-up": (lambda p: optim.ScheduleFree(p, schedules.Warmup(10, 0.05)),
                             lambda o: o.contrib.schedule_free(o.sgd(lambda k: warming(k + 1)), warming)),
}


def warming(k):
    """schedules.Warmup(10, 0.05) of a k that is JAX's, in float64."""
    return 0.05 * (k.astype(float) / 10).clip(max=1)


def linear_of(optax):
    """LINEAR as optax has it: counted from 0, and asked in float64."""
    return lambda k: optax.linear_schedule(0.05, 0.005, 150)(k.astype(float) + 1)


@pytest.mark.parametrize("name", OPTAX)
def test_equals_optax(name, vector):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    ours, theirs = OPTAX[name]
    steps = 30
    p = vector(START.copy(), PARTS)
    got = run(ours(p), p, steps)
    with jax.enable_x64(True):
        rule = theirs(optax)
        theta = jax.numpy.array(START)
        state, wanted = rule.init(theta), []
        for k in range(steps):
            g = jax.numpy.array(grad(np.array(theta), k))
            change, state = rule.update(g, state, theta)
            theta = theta + change
            wanted.append(np.array(theta))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE)


def test_momentum_with_any_rate_equals_scikit_learn(vector):
    networks = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    p, theta = vector(START.copy(), PARTS), START.copy()
    opt = optim.Momentum(p, LINEAR)
    theirs = networks.SGDOptimizer([theta], momentum=0.9, nesterov=False)
    for k in range(STEPS):
        p.backward(lambda at, k=k: grad(at, k))
        opt.step()
        theirs.learning_rate = LINEAR(k + 1)
        theirs.update_params([theta], [grad(theta, k)])
        np.testing.assert_allclose(p.theta, theta, rtol=0, atol=TOLERANCE)


def test_the_differences_of_convention_are_real(vector):
    """What docs/optimizers.md says does *not* agree: by how much, after 10 steps."""
    def far(ours, theirs, **options):
        p = vector(START.copy(), PARTS)
        rate = options.pop("rate", None)
        return np.abs(run(ours(p), p, 10, **options) - run_torch(theirs, 10, "float64", rate=rate, **options)).max()
    steep = schedules.Inverse(0.05)
    assert far(lambda p: optim.Momentum(p, steep), lambda t, w: t.SGD(w, 0.05, momentum=0.9), rate=steep) > 1e-2
    outside = lambda t, w: t.RMSprop(w, 1e-3, alpha=0.9, eps=1e-6)
    assert far(lambda p: optim.RMSProp(p, 1e-3), outside, scale=1e-4) > 1e-3
    assert far(lambda p: optim.AdamW(p, 0.05, weight_decay=0.3), lambda t, w: t.AdamW(w, 0.05, weight_decay=0.3)) > 1e-2
    assert far(lambda p: optim.Rprop(p), lambda t, w: t.Rprop(w, 0.1)) > 1e-2
    assert far(lambda p: optim.AdaMax(p, 0.1), lambda t, w: t.Adamax(w, 0.1, eps=0.5)) > 1e-2


def test_there_are_enough_configurations():
    assert len(TORCH) + len(OPTAX) >= 60
