"""What an optimizer takes besides `model.parameters()`: lists of Tensors and of several models' parameters."""
import copy
import itertools

import numpy as np
import pytest

from minigrad import losses, nn, optim, tensor

X = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
Y = X @ np.array([1.0, -2, 0.5], np.float32) + 0.3


def leaves():
    return tensor(np.zeros(3, np.float32), requires_grad=True), tensor(np.zeros((), np.float32), requires_grad=True)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, lr=0.1), lambda p: optim.Nesterov(p, lr=0.05, momentum=0.9),
                                  lambda p: optim.Adam(p, lr=0.1), lambda p: optim.Momentum(p, lr=0.05, momentum=0.5)])
def test_a_list_of_tensors_learns_as_pytorchs(make):
    torch = pytest.importorskip("torch")
    w, b = leaves()
    opt = make([w, b])
    v, c = (torch.zeros(shape, requires_grad=True) for shape in ((3,), ()))
    theirs = {"SGD": lambda: torch.optim.SGD([v, c], lr=0.1), "Adam": lambda: torch.optim.Adam([v, c], lr=0.1),
              "Momentum": lambda: torch.optim.SGD([v, c], lr=0.05, momentum=0.5), "Nesterov": lambda: None}
    other = theirs[type(opt).__name__]()
    first = None
    for _ in range(20):
        opt.zero_grad()
        assert w.grad is None and b.grad is None
        loss = losses.mean_squared_error(X @ w + b, Y)
        loss.backward()
        opt.step()
        first = first or loss.item()
        if other:
            other.zero_grad()
            ((torch.tensor(X) @ v + c - torch.tensor(Y)) ** 2).mean().backward()
            other.step()
    assert loss.item() < 0.6 * first
    if other:
        np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=2e-3, atol=1e-4)
        np.testing.assert_allclose(b.data, c.detach().numpy(), rtol=2e-3, atol=1e-4)


def test_tensors_of_a_list_are_parts_of_theta():
    w, b = leaves()
    opt = optim.SGD((w, b), lr=0.5)
    assert opt.theta.shape == (4,) and np.shares_memory(w.data, opt.theta) and np.shares_memory(b.data, opt.theta)
    w.data = np.array([1, 2, 3], np.float32)                        # out of theta, and taken back
    (w.sum() * 2).backward()
    opt.step()                                                      # b has no gradient: it stays
    assert w.data.tolist() == [0, 1, 2] and opt.theta.tolist() == [0, 1, 2, 0] and np.shares_memory(w.data, opt.theta)
    y = (w * w).sum()
    opt.zero_grad()
    w.sum().backward()
    opt.step()
    with pytest.raises(RuntimeError, match="saved the value of a leaf, which has changed since"):
        y.backward()


def test_a_copy_has_a_theta_of_its_own():
    w, b = leaves()
    opt = optim.SGD([w, b], lr=1.0)
    other = copy.deepcopy(opt)
    copied = other.params.tensors[0]
    copied.sum().backward()
    other.step()
    assert copied.data.tolist() == [-1, -1, -1] and other.theta.tolist() == [-1, -1, -1, 0] and not w.data.any()


def test_a_group_and_saved_state_of_a_list():
    w, b = leaves()
    opt = optim.Momentum([w, b], lr=0.1, momentum=0.9, groups={"1": dict(lr=0.0)})
    for _ in range(3):
        opt.zero_grad()
        losses.mean_squared_error(X @ w + b, Y).backward()
        opt.step()
    assert b.item() == 0 and w.data.any()


MOVERS = {"decay": lambda p, **more: optim.SGD(p, lr=0.1, weight_decay=0.5, **more),
          "momentum": lambda p, **more: optim.Momentum(p, lr=0.1, momentum=0.9, **more),
          "Nesterov": lambda p, **more: optim.Nesterov(p, lr=0.1, momentum=0.9, weight_decay=0.1, **more),
          "Adam": lambda p, **more: optim.Adam(p, lr=0.1, **more),
          "AdamW": lambda p, **more: optim.AdamW(p, lr=0.1, weight_decay=0.5, **more)}


@pytest.mark.parametrize("how", ["tensor", "group", "rest"])
@pytest.mark.parametrize("zeroed", [True, False], ids=["zeroed", "its old gradient stays"])
@pytest.mark.parametrize("method", MOVERS)
def test_a_tensor_of_a_list_that_is_frozen_while_it_holds_a_gradient_stays(method, zeroed, how):
    """To the bit, whatever its velocity and its decay would do, while the other moves as if it were alone. Later it
    goes on like one that had no gradient meanwhile: nothing of the past moves it."""
    w, b = leaves()
    v, c = leaves()
    groups = {"tensor": None, "group": {"1": {}}, "rest": {"0": {}}}[how]
    opt, twin = MOVERS[method]([w, b], groups=groups), MOVERS[method]([v, c])
    for k in range(9):
        held = 3 <= k < 6                                  # (frozen at theta: Nesterov's method is elsewhere else)
        with opt.at_theta():
            if how == "tensor":
                b.requires_grad = not held
            else:
                opt.groups[1 if how == "group" else 0]["frozen"] = held
        for one, other, it in ((w, b, opt), (v, c, twin)):
            if zeroed:
                it.zero_grad()
            one.grad = None
            if it is twin or not held:
                other.grad = None
            loss = (one * X[0] + one * one).sum()
            (loss if held else loss + (other - 3) * (other - 3)).backward()
        before = b.data.copy()
        opt.step()
        twin.step()
        assert (b.data == before) == held
        with opt.at_theta() as mine, twin.at_theta() as wanted:
            np.testing.assert_array_equal(mine, wanted, err_msg=f"step {k}")
    assert opt.state_dict()["counts"].tolist() == [9, 6]


@pytest.mark.parametrize("listed", [lambda a, b: [*a.parameters(), *b.parameters()],
                                    lambda a, b: [a.parameters(), b.parameters()],
                                    lambda a, b: itertools.chain(a.parameters(), b.parameters())])
def test_parameters_of_several_models_lie_in_one_theta(listed):
    a, b = nn.Linear(3, 4, rng=0), nn.Linear(4, 1, rng=1)
    mine, both = a.parameters(), nn.Sequential(nn.Linear(3, 4, rng=0), nn.Linear(4, 1, rng=1))
    opt, reference = optim.Adam(listed(a, b), lr=0.01), optim.Adam(both.parameters(), lr=0.01)
    assert opt.n == 21 and np.shares_memory(opt.theta, mine.theta) and np.shares_memory(opt.theta, b.w.data)
    for _ in range(3):
        for model, one in ((lambda x: b(a(x)), opt), (both, reference)):
            one.zero_grad()
            losses.mean_squared_error(model(X), Y[:, None]).backward()
            one.step()
    np.testing.assert_array_equal(opt.theta, reference.theta)
    np.testing.assert_array_equal(mine.theta, reference.theta[:16])


def test_names_of_a_list_are_those_of_the_models_where_they_differ():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    names = list(model.parameters().slices)
    assert list(optim.SGD(list(model.parameters()), lr=0.1).params.slices) == names
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    one.parameters(), two.parameters()
    assert list(optim.SGD([*one.parameters(), *two.parameters()], lr=0.1).params.slices) == ["0.w", "1.b", "2.w", "3.b"]
    assert list(optim.SGD([nn.Parameter([1.0]), nn.Parameter([2.0])], lr=0.1).params.slices) == ["0", "1"]


@pytest.mark.parametrize("make, message", [
    (lambda w, b: [w * 2], "parameter 0 of the list is the result of multiply"),
    (lambda w, b: [w, b.detach()], "parameter 1 of the list has requires_grad=False"),
    (lambda w, b: [w, w], "distinct"), (lambda w, b: [w, tensor(np.ones(2), requires_grad=True)], "one dtype.*float64"),
    (lambda w, b: [w, nn.Parameter([1.0])], "list of Tensor, Parameter"), (lambda w, b: [3.0], "list of float")])
def test_what_a_list_may_not_hold(make, message):
    with pytest.raises(ValueError, match="SGD: .*" + message):
        optim.SGD(make(*leaves()), lr=0.1)
