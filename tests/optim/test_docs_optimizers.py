"""docs/optimizers.md: every call in its tables is made, and agrees with its neighbours in the row as the page says."""
import re
from pathlib import Path

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules

PAGE = (Path(__file__).parents[2] / "docs" / "optimizers.md").read_text()
START = np.linspace(-1.5, 2.0, 6)
A, B = np.logspace(-1, 0.7, 6), np.linspace(-1, 1, 6)


def table(title):
    """The rows of the first table below a heading, as lists of cells."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


EQUAL = table("Equal to which call")
NAMES = {name: getattr(optim, name) for name in optim.__all__}


def call(cell, **names):
    return eval(re.match(r"`(.*?)`", cell)[1], {**names})


def grad(theta, k):
    return A * theta - B - 0.3 * np.sin(0.7 * k + np.arange(6))


def ours(cell, vector, steps):
    p = vector(START.copy())
    opt, points = call(cell, p=p, **NAMES), []
    for k in range(steps):
        p.backward(lambda theta, k=k: grad(theta, k))
        opt.step()
        points.append(p.theta.copy())
    return np.array(points)


@pytest.mark.parametrize("row", [row for row in EQUAL if row[1] != "-"], ids=lambda row: row[0])
def test_the_pytorch_call_is_equal(row, vector):
    torch = pytest.importorskip("torch")
    w = torch.nn.Parameter(torch.tensor(START))
    names = {name: getattr(torch.optim, name) for name in dir(torch.optim)}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        opt, points = call(row[1], w=[w], **names), []
        for k in range(100):
            w.grad = torch.tensor(grad(w.detach().numpy(), k))
            opt.step()
            points.append(w.detach().numpy().copy())
    finally:
        torch.set_default_dtype(before)
    np.testing.assert_allclose(ours(row[0], vector, 100), points, rtol=0, atol=1e-10)


@pytest.mark.parametrize("row", [row for row in EQUAL if row[2] != "-"], ids=lambda row: row[0])
def test_the_optax_call_is_equal(row, vector):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    with jax.enable_x64(True):
        rule, theta = call(row[2], **vars(optax)), jax.numpy.array(START)
        state, points = rule.init(theta), []
        for k in range(15):
            step, state = rule.update(jax.numpy.array(grad(np.array(theta), k)), state, theta)
            theta = theta + step
            points.append(np.array(theta))
    np.testing.assert_allclose(ours(row[0], vector, 15), points, rtol=0, atol=1e-10)


def test_the_page_covers_every_first_order_method():
    methods = {name for name, value in NAMES.items() if isinstance(value, type) and issubclass(value, optim.FirstOrder)}
    assert {name for name in methods - {"FirstOrder"} if name not in PAGE} == set()


@pytest.mark.parametrize("row", table("First steps"), ids=lambda row: row[0])
def test_first_steps(row):
    for g, wanted in zip((1.0, 1000.0), row[1:]):
        theta = np.zeros(1)
        call(row[0], p=theta, **NAMES).step(g=np.array([g]))
        assert -theta[0] == pytest.approx(float(wanted), rel=1e-3)


def test_the_ranges_are_those_of_the_page():
    wrong = {"[0, inf)": [-1, np.inf], "[0, 1)": [-0.1, 1], "(0, inf)": [0, -1, np.inf]}
    makers = dict(lr=optim.SGD, momentum=optim.Momentum, rho=optim.RMSProp, rho1=optim.Adam, rho2=optim.Adam,
                  delta=optim.Adam, weight_decay=optim.AdamW)
    for names, _, interval, _ in table("Hyperparameters"):
        for name in re.findall(r"`(\w+)`", names):
            for value in wrong[interval]:
                with pytest.raises(ValueError, match=re.escape(f"{name} must be in {interval}")):
                    makers[name](np.ones(2), **({"lr": 0.1} | {name: value}))


# ---- the rows for arguments of PyTorch's that are something else here

def both(ours, theirs, steps=60, sign=1):
    """Trajectories of an optimizer of ours and of one of PyTorch's from the same gradients, the latter with a sign."""
    torch = pytest.importorskip("torch")
    theta, w = START.copy(), torch.nn.Parameter(torch.tensor(START))
    opt, other, found = ours(theta), theirs(torch.optim, [w]), []
    for k in range(steps):
        opt.step(g=grad(theta, k))
        w.grad = torch.tensor(sign * grad(w.detach().numpy(), k))
        other.step()
        found.append((theta.copy(), w.detach().numpy().copy()))
    return (*map(np.array, zip(*found)), opt, other, w)


def test_dampening_is_a_smaller_rate_but_for_the_first_gradient():
    assert "`MomentumNotes(p, lr=lr * (1 - d), momentum=m)`" in PAGE
    ours, theirs, *_ = both(lambda p: optim.MomentumNotes(p, lr=0.05 * 0.7, momentum=0.6),
                            lambda torch, w: torch.SGD(w, lr=0.05, momentum=0.6, dampening=0.3), 1)
    np.testing.assert_allclose(ours[0] - theirs[0], 0.05 * 0.3 * grad(START, 0), rtol=1e-12)
    ours, theirs, *_ = both(lambda p: optim.MomentumNotes(p, lr=0.05 * 0.7, momentum=0.6),
                            lambda torch, w: torch.SGD(w, lr=0.05, momentum=0.6, dampening=0.3), 600)
    np.testing.assert_allclose(ours[-1], theirs[-1], atol=1e-3)


def test_the_initial_accumulator_is_an_assignment():
    assert "`opt.r = 0.1`" in PAGE

    def made(p):
        opt = optim.AdaGrad(p, lr=0.1, delta=1e-10)
        opt.r = 0.1
        return opt
    ours, theirs, *_ = both(made, lambda torch, w: torch.Adagrad(w, lr=0.1, initial_accumulator_value=0.1))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_asgd_is_sgd_with_polyaks_average():
    lr, c, a = 0.1, 0.01, 0.75
    assert "`SGD(p, lr=lambda k: lr / (1 + c * lr * (k - 1))**a, weight_decay=c)` with `PolyakAverage(opt)`" in PAGE
    torch = pytest.importorskip("torch")
    theta, w = START.copy(), torch.nn.Parameter(torch.tensor(START))
    opt = optim.SGD(theta, lr=lambda k: lr / (1 + c * lr * (k - 1))**a, weight_decay=c)
    average, other = optim.PolyakAverage(opt), torch.optim.ASGD([w], lr=lr, lambd=c, alpha=a, t0=0)
    for k in range(40):
        opt.step(g=grad(theta, k))
        if k >= 1:                                               # the second step: t0 + 2
            average.update()
        w.grad = torch.tensor(grad(w.detach().numpy(), k))
        other.step()
        np.testing.assert_allclose(theta, w.detach().numpy(), rtol=0, atol=1e-6)     # PyTorch's rate is a float32
    np.testing.assert_allclose(average.mean, other.state[w]["ax"].numpy(), rtol=0, atol=1e-6)


def test_to_maximize_is_to_minimize_the_negative():
    assert "`(-loss).backward()`" in PAGE
    ours, theirs, *_ = both(lambda p: optim.Adam(p, lr=0.05), lambda torch, w: torch.Adam(w, lr=0.05, maximize=True),
                            sign=-1)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_eps_hat_is_a_delta_that_shrinks():
    """Kingma and Ba's section 2: theta - lr sqrt(1 - rho2^t)/(1 - rho1^t) s/(sqrt(r) + e)."""
    assert "`Adam(p, lr=lr, delta=lambda k: e / sqrt(1 - 0.999**k))`" in PAGE
    e, lr, theta, other = 1e-3, 0.05, START.copy(), START.copy()
    opt = optim.Adam(theta, lr=lr, delta=lambda k: e / np.sqrt(1 - 0.999**k))
    s, r = np.zeros(6), np.zeros(6)
    for k in range(50):
        g = grad(other, k)
        s, r = 0.9 * s + 0.1 * g, 0.999 * r + 0.001 * g * g
        other = other - lr * np.sqrt(1 - 0.999**(k + 1)) / (1 - 0.9**(k + 1)) * s / (np.sqrt(r) + e)
        opt.step(g=grad(theta, k))
    np.testing.assert_allclose(theta, other, rtol=1e-10)


def test_the_constant_of_8_6_may_be_0():
    assert "`RMSPropNesterov` alone takes delta = 0" in PAGE
    optim.RMSPropNesterov(np.ones(2), delta=0)
    for kind in (optim.AdaGrad, optim.RMSProp, optim.AdaDelta, optim.Adam, optim.AdamW, optim.VSGD):
        with pytest.raises(ValueError, match=re.escape("delta must be in (0, inf), got 0")):
            kind(np.ones(2), delta=0)


def test_the_schedules_of_the_page_are_all_there_are():
    section = PAGE.split("## Hyperparameters\n")[1]
    assert all(re.search(rf"\b{name}\b", section) for name in schedules.KINDS)


def test_the_example_runs():
    exec(re.search(r"## Write your own\n\n```python\n(.*?)```", PAGE, re.S)[1], {})
