"""Misuse is loud: the right kind of error, both values in the message, and parameters that keep their bits."""
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Objective, Tensor, losses, nn, ops, optim
from minigrad.core import grad, no_grad, tensor
from minigrad.testing.gradients import gradcheck

x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
labels = np.array([0, 1, 2, 0, 1, 2])


class Scene:
    """A model with a gradient, its optimizer, and what one may do wrong with them."""

    def __init__(self):
        self.model = nn.Sequential(nn.Linear(4, 5, rng=0), nn.ReLU(), nn.Linear(5, 3, rng=1))
        self.params = self.model.parameters()
        self.opt = optim.Adam(self.params, lr=0.1)
        self.loss().backward()
        self.J = Objective(self.model, losses.cross_entropy, x, labels)
        self.a = tensor(np.ones((2, 3)), requires_grad=True)
        self.n = self.params.n

    def loss(self, x=x, labels=labels):
        return losses.cross_entropy(self.model(Tensor(x)), labels)

    def exploded(self):
        self.params.g[3] = np.nan
        optim.Adam(self.params, lr=0.1, check_finite=True).step()

    def exploded_objective(self):
        J = Objective(self.model, losses.cross_entropy, np.full_like(x, np.nan), labels)
        optim.SGD(self.params, lr=0.1, check_finite=True).step(J)

    def step_inside(self):
        loss = self.loss()
        self.opt.step()
        self.params.theta[...] = self.before
        loss.backward()


@dataclass(frozen=True)
class Misuse:
    """What is done with a Scene, what the message must hold (both values where there are two), and the error."""
    do: Callable[[Scene], Any]
    says: str
    error: type[Exception] = ValueError


MISUSES = {
    # shapes
    "add": Misuse(lambda s: s.a + np.ones(2), "(2,3) (2,)"),
    "matmul": Misuse(lambda s: s.a @ np.ones((2, 3)), "(2, 3)"),
    "matmul of batches": Misuse(lambda s: ops.matmul(np.ones((2, 3, 4)), np.ones((5, 4, 1))), "(2, 3, 4) (5, 4, 1)"),
    "matmul of a number": Misuse(lambda s: s.a @ 2.0, "(2, 3) ()"),
    "linear layer": Misuse(lambda s: s.model(Tensor(x[:, :3])), "(6, 3) (4, 5)"),
    "linear bias": Misuse(lambda s: ops.linear(s.a, np.ones((3, 2)), np.ones(3)), "(2,) (3,)"),
    "reshape": Misuse(lambda s: s.a.reshape(4, 2), "6 (4,2)"),
    "transpose": Misuse(lambda s: s.a.transpose(0, 0), "(0, 0) (2, 3)"),
    "swapaxes": Misuse(lambda s: s.a.swapaxes(0, 2), "2 (2, 3)"),
    "squeeze": Misuse(lambda s: s.a.squeeze(0), "0 (2, 3)"),
    "expand_dims": Misuse(lambda s: ops.expand_dims(s.a, 5), "5 3"),
    "sum over an axis that is not there": Misuse(lambda s: s.a.sum(2), "2 (2, 3)"),
    "sum twice over an axis": Misuse(lambda s: s.a.sum((0, -2)), "(0, -2) (2, 3)"),
    "mean of nothing": Misuse(lambda s: s.a[:0].mean(), "(0, 3)"),
    "max of nothing": Misuse(lambda s: s.a[:0].max(), "(0, 3)"),
    "concatenate": Misuse(lambda s: ops.concatenate([s.a, np.ones((2, 2))]), "(2, 3) (2, 2)"),
    "concatenate of nothing": Misuse(lambda s: ops.concatenate([]), "nothing"),
    "stack": Misuse(lambda s: ops.stack([s.a, np.ones((2, 2))]), "(2, 2) (2, 3)"),
    "split": Misuse(lambda s: ops.split(s.a, 2, axis=1), "3 2"),
    "flip": Misuse(lambda s: ops.flip(s.a, 2), "2 (2, 3)"),
    "pad": Misuse(lambda s: ops.pad(s.a, [(1, 1)] * 3), "(2, 3) [[1, 1], [1, 1], [1, 1]]"),
    "pad by less than nothing": Misuse(lambda s: ops.pad(s.a, (-1, 0)), "-1"),
    "einsum": Misuse(lambda s: ops.einsum("ij,ij->", s.a, np.ones((3, 2))), "'i' 2 3"),
    "einsum operands": Misuse(lambda s: ops.einsum("ij->i", s.a, s.a), "1 2|'ij->i' 2"),
    "einsum rank": Misuse(lambda s: ops.einsum("ijk->i", s.a), "'ijk' (2, 3)"),
    "clip ends": Misuse(lambda s: ops.clip(s.a, 2, 1), "2 1"),
    "index with floats": Misuse(lambda s: s.a[np.array([0.5])], "float64"),
    "index out of range": Misuse(lambda s: s.a[7], "7 2", error=IndexError),
    "softmax axis": Misuse(lambda s: ops.softmax(s.a, 3), "3 (2, 3)"),
    "data": Misuse(lambda s: setattr(s.a, "data", np.ones(3)), "(2, 3) (3,)"),
    "data of another dtype": Misuse(lambda s: setattr(s.a, "data", np.ones((2, 3), np.float32)), "float64 float32"),
    # gradients
    "backward of many numbers": Misuse(lambda s: (s.a * 2).backward(), "(2, 3)"),
    "backward with a cotangent of the wrong shape": Misuse(lambda s: (s.a * 2).backward(np.ones(3)), "(2, 3) (3,)"),
    "backward twice": Misuse(lambda s: [y.backward() for y in [s.a.sum()] * 2], "freed retain_graph",
                             error=RuntimeError),
    "backward without a graph": Misuse(lambda s: tensor(1.0).backward(), "no graph requires_grad", error=RuntimeError),
    "backward under no_grad": Misuse(lambda s: no_grad()(lambda: s.a.sum())().backward(), "no_grad()",
                                     error=RuntimeError),
    "integers that require a gradient": Misuse(lambda s: tensor([1, 2], requires_grad=True), "int64"),
    "a parameter of integers": Misuse(lambda s: nn.Parameter([1, 2]), "int64"),
    "grad of a constant": Misuse(lambda s: grad(s.a.sum(), tensor([1.0])), "requires_grad"),
    "gradient of a result assigned": Misuse(lambda s: setattr(s.a * 2, "grad", np.ones((2, 3))), "leaf",
                                            error=RuntimeError),
    "a condition that wants a gradient": Misuse(lambda s: ops.where(s.a, s.a, 0.0), "argument 0"),
    "a step between forward and backward": Misuse(Scene.step_inside, "linear changed", error=RuntimeError),
    "an array of a Tensor with history": Misuse(lambda s: np.asarray(s.a * 2), "history"),
    "truth of many": Misuse(lambda s: bool(s.a > 0), "(2, 3)"),
    "item of many": Misuse(lambda s: s.a.item(), "(2, 3)"),
    "float32 in gradcheck": Misuse(lambda s: gradcheck(ops.exp, x), "argument 0 float32 float64"),
    # dtypes
    "text": Misuse(lambda s: tensor(["a"]), "<U1"),
    "complex": Misuse(lambda s: s.a * np.array([1j]), "complex128"),
    "float16": Misuse(lambda s: tensor(np.ones(2, np.float16)), "float16"),
    "None in arithmetic": Misuse(lambda s: s.a + None, "NoneType", error=(TypeError, ValueError)),
    "float64 data in a float32 model": Misuse(lambda s: s.model(Tensor(x.astype(float))), "float64 float32"),
    "astype of a model": Misuse(lambda s: s.model.astype(int), "float32 int"),
    # losses
    "a column against a vector": Misuse(lambda s: losses.mean_squared_error(s.a[:, :1], np.ones(2)), "(2, 1) (2,)"),
    "labels out of range": Misuse(lambda s: s.loss(labels=labels + 1), "[0, 3) 3"),
    "negative labels": Misuse(lambda s: s.loss(labels=labels - 1), "[0, 3) -1"),
    "too few labels": Misuse(lambda s: s.loss(labels=labels[:5]), "(6, 3) (5,)"),
    "labels of floats": Misuse(lambda s: s.loss(labels=labels * 1.0), "float64"),
    "no examples": Misuse(lambda s: s.loss(x[:0], labels[:0]), "(0, 3)"),
    # optimizers
    "a negative rate": Misuse(lambda s: optim.SGD(s.params, lr=-0.1), "[0, inf) -0.1"),
    "a rate that is no number": Misuse(lambda s: optim.SGD(s.params, lr="fast"), "lr 'fast'"),
    "a rate that is NaN": Misuse(lambda s: optim.SGD(s.params, lr=np.nan), "lr nan"),
    "a rate assigned": Misuse(lambda s: setattr(s.opt, "lr", -1), "[0, inf) -1"),
    "decay of one": Misuse(lambda s: optim.Adam(s.params, rho1=1.0), "[0, 1) 1.0"),
    "negative decay": Misuse(lambda s: optim.RMSProp(s.params, rho=-0.1), "[0, 1) -0.1"),
    "momentum of one": Misuse(lambda s: optim.Momentum(s.params, lr=0.1, momentum=1), "[0, 1) 1"),
    "negative weight decay": Misuse(lambda s: optim.SGD(s.params, lr=0.1, weight_decay=-1), "[0, inf) -1"),
    "a schedule that leaves its range": Misuse(lambda s: optim.SGD(s.params, lr=lambda k: -k).step(),
                                               "[0, inf) -1 k = 1"),
    "no parameters": Misuse(lambda s: optim.SGD(nn.ReLU().parameters(), lr=0.1), "n = 0"),
    "a repeated parameter": Misuse(lambda s: nn.Parameters([("a", s.model[0].w), ("b", s.model[0].w)]), "twice"),
    "parameters of two dtypes": Misuse(lambda s: nn.Parameters({"a": s.model[0].w, "b": nn.Parameter(np.ones(2))}),
                                       "float32 float64"),
    "a list of arrays": Misuse(lambda s: optim.SGD([np.ones(3)], lr=0.1), "model.parameters() list ndarray"),
    "a list of Tensors and Parameters": Misuse(lambda s: optim.SGD([s.a, s.model[0].w], lr=0.1),
                                               "Tensors nn.Parameters list Tensor, Parameter"),
    "a list of dicts": Misuse(lambda s: optim.SGD([{"params": s.params}], lr=0.1), "groups model.parameters()"),
    "an empty list": Misuse(lambda s: optim.SGD([], lr=0.1), "n = 0"),
    "a model": Misuse(lambda s: optim.SGD(s.model, lr=0.1), "model.parameters() Sequential"),
    "a Tensor": Misuse(lambda s: optim.SGD(s.a, lr=0.1), "model.parameters() Tensor"),
    "an array of two axes": Misuse(lambda s: optim.SGD(np.ones((2, 2)), lr=0.1), "(n,) (2, 2)"),
    "an array of integers": Misuse(lambda s: optim.SGD(np.arange(3), lr=0.1), "float32 int64"),
    "a group that matches nothing": Misuse(lambda s: optim.SGD(s.params, lr=0.1, groups={"7.*": {"lr": 1}}), "7.* 0.w"),
    "a step without a gradient": Misuse(lambda s: (s.opt.zero_grad(), s.opt.step()), "no parameter has a gradient"),
    "a step on an array without an objective": Misuse(lambda s: optim.SGD(np.ones(3), lr=0.1).step(), "objective"),
    "an objective without a gradient": Misuse(lambda s: s.opt.step(object()), "value grad object"),
    "a NaN gradient, on request": Misuse(Scene.exploded, "0.w step 1", error=optim.NonFiniteError),
    "a NaN loss, on request": Misuse(Scene.exploded_objective, "nan step 1", error=optim.NonFiniteError),
    # objectives, models, threads
    "theta of the wrong length": Misuse(lambda s: s.J.value(np.zeros(3)), "({n},) (3,)"),
    "v of the wrong length": Misuse(lambda s: s.J.hvp(None, np.zeros(3)), "({n},) (3,)"),
    "a state that does not fit": Misuse(lambda s: s.model.load_state_dict({"0.w": np.ones((4, 4), np.float32)}),
                                        "(4, 4) (4, 5) missing"),
    "a layer without outputs": Misuse(lambda s: nn.Linear(3, 0), "outputs 0"),
    "a layer that is none": Misuse(lambda s: nn.Sequential(nn.Linear(2, 2), 3), "1 int"),
    "a seed that is none": Misuse(lambda s: mg.seed("one"), "'one'"),
    "no threads": Misuse(lambda s: mg.set_num_threads(0), "0"),
}


def test_there_are_at_least_forty():
    assert len(MISUSES) >= 40


@pytest.mark.parametrize("name", MISUSES)
def test_misuse(name):
    scene = Scene()
    scene.before = scene.params.theta.copy()
    misuse = MISUSES[name]
    with pytest.raises(misuse.error) as caught:
        misuse.do(scene)
    message = str(caught.value)
    for part in re.findall(r"[\[(][^\])]*[\])]|\S+", misuse.says.split("|")[-1].replace("{n}", str(scene.n))):
        assert part in message, f"{part!r} is not in {message!r}"
    assert np.array_equal(scene.params.theta, scene.before)
    assert scene.opt.k == 0 or name.startswith("a step between")
