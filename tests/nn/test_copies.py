"""Copies of a model, pickled or deep: memory that was shared is shared again, training goes on with the same bits."""
import copy
import inspect
import pickle

import numpy as np
import pytest

from minigrad import Objective, losses, nn, ops, optim
from minigrad.core import Tensor, tensor

rng = np.random.default_rng(0)
x, y = rng.standard_normal((8, 4)), rng.integers(0, 3, 8)


def pickled(protocol):
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


COPIES = {f"pickle {protocol}": pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)}
COPIES["deepcopy"] = copy.deepcopy
EVERY_COPY = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)

METHODS = {name: method for name, method in vars(optim).items()
           if inspect.isclass(method) and issubclass(method, optim.Optimizer) and "abstract" not in vars(method)}
FIRST_ORDER = [name for name, method in METHODS.items()
               if issubclass(method, optim.FirstOrder) and not method.needs_objective]


def mlp():
    return nn.Sequential(nn.Linear(4, 5, rng=0), ops.tanh, nn.Dropout(0.2, rng=1), nn.Linear(5, 3, rng=2)).astype(float)


def make(name, model):
    """An optimizer on the model's parameters; the first-order ones with a rate large enough to move it."""
    rate = {} if "lr" not in inspect.signature(METHODS[name]).parameters else {"lr": 0.05}
    return METHODS[name](model.parameters(), **rate | ({"rng": 0} if name == "VSGD" else {}))


def with_objective(model, optimizer, steps):
    squares = isinstance(optimizer, optim.LevenbergMarquardt)           # it wants residuals
    J = Objective(model, losses.mean_squared_error, x, np.eye(3)[y]) if squares else \
        Objective(model, losses.cross_entropy, x, y)
    for _ in range(steps):
        optimizer.step(J)


def with_backward(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        losses.cross_entropy(model(Tensor(x)), y).backward()
        optimizer.step()


def assert_same_bits(model, other):
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in model.named_parameters()]
    for (name, p), (_, q) in zip(model.named_parameters(), other.named_parameters()):
        assert p.data.tobytes() == q.data.tobytes(), name
        assert (p.grad is None) == (q.grad is None) and (p.grad is None or p.grad.tobytes() == q.grad.tobytes()), name


# ----------------------------------------------------------------------------------------------------- training goes on

LOOPS = [(name, with_objective) for name in METHODS] + [(name, with_backward) for name in FIRST_ORDER]


@pytest.mark.parametrize(("name", "train"), LOOPS, ids=[f"{name} {train.__name__}" for name, train in LOOPS])
def test_a_copy_of_model_and_optimizer_goes_on_with_the_same_bits(name, train):
    model = mlp()
    optimizer = make(name, model)
    train(model, optimizer, 3)
    pairs = [copied((model, optimizer)) for copied in COPIES.values()]
    before = model[0].w.data.copy()
    train(model, optimizer, 3)
    for other, its in pairs:
        assert np.array_equal(other[0].w.data, before)                  # apart
        train(other, its, 3)
        assert_same_bits(model, other)
        assert np.shares_memory(its.params.theta, other[0].w.data)


@pytest.mark.parametrize("name", METHODS)
def test_a_copy_of_a_model_that_was_laid_out_trains_as_the_model_does(name):
    model = mlp()
    model.parameters()
    models = [model, *(copied(model) for copied in COPIES.values())]
    for each in models:
        with_objective(each, make(name, each), 3)
        assert_same_bits(model, each)
    assert not np.array_equal(mlp()[0].w.data, model[0].w.data)


@EVERY_COPY
def test_a_step_of_an_optimizer_moves_the_copy(copied):
    model = nn.Linear(1, 1, rng=0)
    model.parameters()
    other = copied(model)
    before, parameters = other.w.data.copy(), other.parameters()
    optimizer = optim.SGD(parameters, lr=0.5)
    ops.sum(other(Tensor(np.ones((1, 1), np.float32)))).backward()
    assert parameters.g.tolist() == [1, 1] == [other.w.grad.item(), other.b.grad.item()]
    optimizer.step()
    assert other.w.data == before - np.float32(0.5)


# ------------------------------------------------------------------------------------------------------- what is copied

@EVERY_COPY
def test_everything_a_model_holds_is_copied_once(copied):
    model = nn.Sequential(nn.Linear(4, 4, rng=0), nn.BatchNorm(4), nn.Linear(4, 4, bias=False), nn.Dropout(rng=3))
    model[2].w = model[0].w
    model[3].twin = nn.Dropout(rng=model[3].rng)                # two layers that draw from one generator
    model[0].b.requires_grad = False
    model[1].eval()
    parameters = model.parameters()
    ops.sum(ops.square(model(Tensor(x.astype(np.float32))))).backward()
    model[1].running_mean += 3
    other, its = copied((model, parameters))
    assert_same_bits(model, other)
    assert other[2].w is other[0].w is its["0.w"] and other[0].w is not model[0].w
    assert its.slices == parameters.slices and its.frozen == {"0.b"} and its.unwritten == parameters.unwritten
    assert np.shares_memory(its.theta, other[0].w.data) and np.shares_memory(its.g, other[0].w.grad)
    assert np.array_equal(its.theta, parameters.theta) and np.array_equal(its.gradient(), parameters.gradient())
    assert np.array_equal(other[1].running_mean, model[1].running_mean) and not other[1].training
    assert other[3].rng is other[3].twin.rng is not model[3].rng
    assert other[3].rng.bit_generator.state == model[3].rng.bit_generator.state
    its.theta[...] = 0
    other[1].running_mean[...] = 0
    assert parameters.theta.any() and model[1].running_mean.all()


@EVERY_COPY
def test_a_copy_knows_the_names_of_its_parameters(copied):
    model = mlp()
    parameters = model.parameters()
    other, its = copied((model, parameters))
    loss = losses.cross_entropy(other(Tensor(x)), y)
    other[3].w.data = np.zeros((5, 3))
    with pytest.raises(RuntimeError, match=r"saved the value of 3\.w, which has changed"):
        loss.backward()


@EVERY_COPY
def test_a_copied_objective_has_the_same_values_and_its_own_model(copied):
    model = mlp()
    J = Objective(model, losses.cross_entropy, x, y)
    theta = J.parameters.theta.copy()
    again = copied(J)
    for point in (None, theta, 2 * theta):
        assert again.value(point) == J.value(point) and again.grad(point).tobytes() == J.grad(point).tobytes()
    assert again.value(2 * theta) != again.value(theta)
    again.parameters.theta[...] = 0
    again.parameters.changed()
    assert again.value() == pytest.approx(np.log(3)) and J.value() != again.value()


@EVERY_COPY
def test_a_part_of_a_model_is_copied_alone(copied):
    model = nn.Sequential(nn.Linear(1000, 100, rng=0), nn.Linear(100, 2, rng=1))
    model.parameters()
    part = copied(model[1])
    assert np.array_equal(part.w.data, model[1].w.data) and part.parameters().theta.base.nbytes <= 202 * 4 + 64
    assert len(pickle.dumps(model[1])) < 202 * 4 + 2000


def test_shallow_copies_are_on_the_same_parameters():
    model = mlp()
    parameters = model.parameters()
    other, its = copy.copy(model), copy.copy(parameters)
    assert other[0].w is model[0].w and its["0.w"] is model[0].w and np.shares_memory(its.theta, parameters.theta)
    single = copy.copy(model[0].w)
    single.data = 0 * single.data
    assert model[0].w.data.all()                                # a parameter lies in one theta: its copy in none


@EVERY_COPY
def test_tensors_keep_their_gradients(copied):
    w = tensor([2.0, 3.0], requires_grad=True)
    ops.sum(w * w).backward()
    other, same, labels = copied((w, w, Tensor(y)))
    assert other is same is not w and other.requires_grad and np.array_equal(other.grad, [4, 6])
    ops.sum(other).backward()
    assert np.array_equal(other.grad, [5, 7]) and np.array_equal(w.grad, [4, 6])
    assert not labels.requires_grad and np.array_equal(labels.data, y)
    with pytest.raises(ValueError, match="result of multiply; detach"):
        copied(w * 2)
    with pytest.raises(ValueError, match="detach"):
        copied({"J": ops.sum(w)})
