"""Misuse is loud: the right kind of error, both values in the message, and parameters that keep their bits."""
import re

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


# what is done, the error, and what its message must hold: both values where there are two
MISUSES = {
    # shapes
    "add": (lambda s: s.a + np.ones(2), ValueError, "(2,3) (2,)"),
    "matmul": (lambda s: s.a @ np.ones((2, 3)), ValueError, "(2, 3)"),
    "matmul of batches": (lambda s: ops.matmul(np.ones((2, 3, 4)), np.ones((5, 4, 1))),
                        ValueError, "(2, 3, 4) (5, 4, 1)"),
    "matmul of a number": (lambda s: s.a @ 2.0, ValueError, "(2, 3) ()"),
    "linear layer": (lambda s: s.model(Tensor(x[:, :3])), ValueError, "(6, 3) (4, 5)"),
    "linear bias": (lambda s: ops.linear(s.a, np.ones((3, 2)), np.ones(3)), ValueError, "(2,) (3,)"),
    "reshape": (lambda s: s.a.reshape(4, 2), ValueError, "6 (4,2)"),
    "transpose": (lambda s: s.a.transpose(0, 0), ValueError, "(0, 0) (2, 3)"),
    "swapaxes": (lambda s: s.a.swapaxes(0, 2), ValueError, "2 (2, 3)"),
    "squeeze": (lambda s: s.a.squeeze(0), ValueError, "0 (2, 3)"),
    "expand_dims": (lambda s: ops.expand_dims(s.a, 5), ValueError, "5 3"),
    "sum over an axis that is not there": (lambda s: s.a.sum(2), ValueError, "2 (2, 3)"),
    "sum twice over an axis": (lambda s: s.a.sum((0, -2)), ValueError, "(0, -2) (2, 3)"),
    "mean of nothing": (lambda s: s.a[:0].mean(), ValueError, "(0, 3)"),
    "max of nothing": (lambda s: s.a[:0].max(), ValueError, "(0, 3)"),
    "concatenate": (lambda s: ops.concatenate([s.a, np.ones((2, 2))]), ValueError, "(2, 3) (2, 2)"),
    "concatenate of nothing": (lambda s: ops.concatenate([]), ValueError, "nothing"),
    "stack": (lambda s: ops.stack([s.a, np.ones((2, 2))]), ValueError, "(2, 2) (2, 3)"),
    "split": (lambda s: ops.split(s.a, 2, axis=1), ValueError, "3 2"),
    "flip": (lambda s: ops.flip(s.a, 2), ValueError, "2 (2, 3)"),
    "pad": (lambda s: ops.pad(s.a, [(1, 1)] * 3), ValueError, "(2, 3) [[1, 1], [1, 1], [1, 1]]"),
    "pad by less than nothing": (lambda s: ops.pad(s.a, (-1, 0)), ValueError, "-1"),
    "einsum": (lambda s: ops.einsum("ij,ij->", s.a, np.ones((3, 2))), ValueError, "'i' 2 3"),
    "einsum operands": (lambda s: ops.einsum("ij->i", s.a, s.a), ValueError, "1 2|'ij->i' 2"),
    "einsum rank": (lambda s: ops.einsum("ijk->i", s.a), ValueError, "'ijk' (2, 3)"),
    "clip ends": (lambda s: ops.clip(s.a, 2, 1), ValueError, "2 1"),
    "index with floats": (lambda s: s.a[np.array([0.5])], ValueError, "float64"),
    "index out of range": (lambda s: s.a[7], IndexError, "7 2"),
    "softmax axis": (lambda s: ops.softmax(s.a, 3), ValueError, "3 (2, 3)"),
    "data": (lambda s: setattr(s.a, "data", np.ones(3)), ValueError, "(2, 3) (3,)"),
    "data of another dtype": (lambda s: setattr(s.a, "data", np.ones((2, 3), np.float32)),
                        ValueError, "float64 float32"),
    # gradients
    "backward of many numbers": (lambda s: (s.a * 2).backward(), ValueError, "(2, 3)"),
    "backward with a cotangent of the wrong shape": (lambda s: (s.a * 2).backward(np.ones(3)),
                        ValueError, "(2, 3) (3,)"),
    "backward twice": (lambda s: [y.backward() for y in [s.a.sum()] * 2], RuntimeError, "freed retain_graph"),
    "backward without a graph": (lambda s: tensor(1.0).backward(), RuntimeError, "no graph requires_grad"),
    "backward under no_grad": (lambda s: no_grad()(lambda: s.a.sum())().backward(), RuntimeError, "no_grad()"),
    "integers that require a gradient": (lambda s: tensor([1, 2], requires_grad=True), ValueError, "int64"),
    "a parameter of integers": (lambda s: nn.Parameter([1, 2]), ValueError, "int64"),
    "grad of a constant": (lambda s: grad(s.a.sum(), tensor([1.0])), ValueError, "requires_grad"),
    "gradient of a result assigned": (lambda s: setattr(s.a * 2, "grad", np.ones((2, 3))), RuntimeError, "leaf"),
    "a condition that wants a gradient": (lambda s: ops.where(s.a, s.a, 0.0), ValueError, "argument 0"),
    "a step between forward and backward": (Scene.step_inside, RuntimeError, "linear changed"),
    "an array of a Tensor with history": (lambda s: np.asarray(s.a * 2), ValueError, "history"),
    "truth of many": (lambda s: bool(s.a > 0), ValueError, "(2, 3)"),
    "item of many": (lambda s: s.a.item(), ValueError, "(2, 3)"),
    "float32 in gradcheck": (lambda s: gradcheck(ops.exp, x), ValueError, "argument 0 float32 float64"),
    # dtypes
    "text": (lambda s: tensor(["a"]), ValueError, "<U1"),
    "complex": (lambda s: s.a * np.array([1j]), ValueError, "complex128"),
    "float16": (lambda s: tensor(np.ones(2, np.float16)), ValueError, "float16"),
    "None in arithmetic": (lambda s: s.a + None, (TypeError, ValueError), "NoneType"),
    "float64 data in a float32 model": (lambda s: s.model(Tensor(x.astype(float))), ValueError, "float64 float32"),
    "astype of a model": (lambda s: s.model.astype(int), ValueError, "float32 int"),
    # losses
    "a column against a vector": (lambda s: losses.mean_squared_error(s.a[:, :1], np.ones(2)),
                        ValueError, "(2, 1) (2,)"),
    "labels out of range": (lambda s: s.loss(labels=labels + 1), ValueError, "[0, 3) 3"),
    "negative labels": (lambda s: s.loss(labels=labels - 1), ValueError, "[0, 3) -1"),
    "too few labels": (lambda s: s.loss(labels=labels[:5]), ValueError, "(6, 3) (5,)"),
    "labels of floats": (lambda s: s.loss(labels=labels * 1.0), ValueError, "float64"),
    "no examples": (lambda s: s.loss(x[:0], labels[:0]), ValueError, "(0, 3)"),
    # optimizers
    "a negative rate": (lambda s: optim.SGD(s.params, lr=-0.1), ValueError, "[0, inf) -0.1"),
    "a rate that is no number": (lambda s: optim.SGD(s.params, lr="fast"), ValueError, "lr 'fast'"),
    "a rate that is NaN": (lambda s: optim.SGD(s.params, lr=np.nan), ValueError, "lr nan"),
    "a rate assigned": (lambda s: setattr(s.opt, "lr", -1), ValueError, "[0, inf) -1"),
    "decay of one": (lambda s: optim.Adam(s.params, rho1=1.0), ValueError, "[0, 1) 1.0"),
    "negative decay": (lambda s: optim.RMSProp(s.params, rho=-0.1), ValueError, "[0, 1) -0.1"),
    "momentum of one": (lambda s: optim.Momentum(s.params, lr=0.1, momentum=1), ValueError, "[0, 1) 1"),
    "negative weight decay": (lambda s: optim.SGD(s.params, lr=0.1, weight_decay=-1), ValueError, "[0, inf) -1"),
    "a schedule that leaves its range": (lambda s: optim.SGD(s.params, lr=lambda k: -k).step(),
                        ValueError, "[0, inf) -1 k = 1"),
    "no parameters": (lambda s: optim.SGD(nn.ReLU().parameters(), lr=0.1), ValueError, "n = 0"),
    "a repeated parameter": (lambda s: nn.Parameters([("a", s.model[0].w), ("b", s.model[0].w)]), ValueError, "twice"),
    "parameters of two dtypes": (lambda s: nn.Parameters({"a": s.model[0].w, "b": nn.Parameter(np.ones(2))}),
                        ValueError, "float32 float64"),
    "a list of arrays": (lambda s: optim.SGD([np.ones(3)], lr=0.1), ValueError, "model.parameters() list ndarray"),
    "a list of Tensors and Parameters": (lambda s: optim.SGD([s.a, s.model[0].w], lr=0.1), ValueError,
                                         "Tensors nn.Parameters list Tensor, Parameter"),
    "a list of dicts": (lambda s: optim.SGD([{"params": s.params}], lr=0.1), ValueError, "groups model.parameters()"),
    "an empty list": (lambda s: optim.SGD([], lr=0.1), ValueError, "n = 0"),
    "a model": (lambda s: optim.SGD(s.model, lr=0.1), ValueError, "model.parameters() Sequential"),
    "a Tensor": (lambda s: optim.SGD(s.a, lr=0.1), ValueError, "model.parameters() Tensor"),
    "an array of two axes": (lambda s: optim.SGD(np.ones((2, 2)), lr=0.1), ValueError, "(n,) (2, 2)"),
    "an array of integers": (lambda s: optim.SGD(np.arange(3), lr=0.1), ValueError, "float32 int64"),
    "a group that matches nothing": (lambda s: optim.SGD(s.params, lr=0.1, groups={"7.*": {"lr": 1}}),
                        ValueError, "7.* 0.w"),
    "a step without a gradient": (lambda s: (s.opt.zero_grad(), s.opt.step()),
                        ValueError, "no parameter has a gradient"),
    "a step on an array without an objective": (lambda s: optim.SGD(np.ones(3), lr=0.1).step(),
                        ValueError, "objective"),
    "an objective without a gradient": (lambda s: s.opt.step(object()), ValueError, "value grad object"),
    "a NaN gradient, on request": (Scene.exploded, optim.NonFiniteError, "0.w step 1"),
    "a NaN loss, on request": (Scene.exploded_objective, optim.NonFiniteError, "nan step 1"),
    # objectives, models, threads
    "theta of the wrong length": (lambda s: s.J.value(np.zeros(3)), ValueError, "({n},) (3,)"),
    "v of the wrong length": (lambda s: s.J.hvp(None, np.zeros(3)), ValueError, "({n},) (3,)"),
    "a state that does not fit": (lambda s: s.model.load_state_dict({"0.w": np.ones((4, 4), np.float32)}), ValueError,
                                  "(4, 4) (4, 5) missing"),
    "a layer without outputs": (lambda s: nn.Linear(3, 0), ValueError, "outputs 0"),
    "a layer that is none": (lambda s: nn.Sequential(nn.Linear(2, 2), 3), ValueError, "1 int"),
    "a seed that is none": (lambda s: mg.seed("one"), ValueError, "'one'"),
    "no threads": (lambda s: mg.set_num_threads(0), ValueError, "0"),
}


def test_there_are_at_least_forty():
    assert len(MISUSES) >= 40


@pytest.mark.parametrize("name", MISUSES)
def test_misuse(name):
    scene = Scene()
    scene.before = scene.params.theta.copy()
    do, error, wanted = MISUSES[name]
    with pytest.raises(error) as caught:
        do(scene)
    message = str(caught.value)
    for part in re.findall(r"[\[(][^\])]*[\])]|\S+", wanted.split("|")[-1].replace("{n}", str(scene.n))):
        assert part in message, f"{part!r} is not in {message!r}"
    assert np.array_equal(scene.params.theta, scene.before)
    assert scene.opt.k == 0 or name.startswith("a step between")
