"""Parameters: one theta and one g, of which every parameter's data and grad are views."""
import numpy as np
import pytest

from minigrad import losses, nn, optim
from minigrad.core import Tensor

X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.arange(6) % 3


def net(dtype=np.float64):
    return nn.Sequential(nn.Linear(4, 5, rng=0, dtype=dtype), nn.Tanh(), nn.Linear(5, 3, rng=1, dtype=dtype))


def test_theta_is_the_parameters_side_by_side():
    model = net()
    values = [p.data.copy() for _, p in model.named_parameters()]
    parameters = model.parameters()
    assert parameters.n == 43 and len(parameters) == 4 and parameters.dtype == np.float64
    np.testing.assert_array_equal(parameters.theta, np.concatenate([v.ravel() for v in values]))
    ends = [part.stop for part in parameters.slices.values()]
    assert [part.start for part in parameters.slices.values()] == [0, *ends[:-1]] and ends[-1] == 43
    for p in parameters:
        assert np.may_share_memory(p.data, parameters.theta) and p.data.flags.c_contiguous


def test_writing_theta_changes_the_model_and_writing_a_parameter_changes_theta():
    model = net()
    parameters = model.parameters()
    parameters.theta[...] = 0
    parameters.changed()
    assert (model(Tensor(X)).data == 0).all()
    model[2].b.data = np.arange(3.0)
    np.testing.assert_array_equal(parameters.theta[-3:], [0, 1, 2])


def test_gradients_arrive_in_g_and_unwritten_ones_are_none():
    model = net()
    parameters = model.parameters()
    assert parameters.unwritten == set(parameters.slices) and model[0].w.grad is None
    losses.cross_entropy(model(Tensor(X)), Y).backward()
    assert not parameters.unwritten
    for name, p in parameters.named.items():
        np.testing.assert_array_equal(parameters.g[parameters.slices[name]], p.grad.ravel())
    once = parameters.gradient()
    losses.cross_entropy(model(Tensor(X)), Y).backward()
    np.testing.assert_allclose(parameters.g, 2 * once, rtol=1e-15)               # added
    parameters.zero_grad()
    assert (parameters.gradient() == 0).all() and len(parameters.unwritten) == 4
    losses.cross_entropy(model(Tensor(X)), Y).backward()
    np.testing.assert_array_equal(parameters.gradient(), once)                   # stored, not added to what was left
    model[2](Tensor(np.ones((1, 5)))).sum().backward()
    parameters.zero_grad()
    model[2](Tensor(np.ones((1, 5)))).sum().backward()
    assert parameters.unwritten == {"0.w", "0.b"}


def test_a_step_between_forward_and_backward_is_an_error():
    model = net()
    parameters = model.parameters()
    loss = losses.cross_entropy(model(Tensor(X)), Y)
    parameters.theta[...] *= 0.9
    parameters.changed()
    with pytest.raises(RuntimeError, match="changed since"):
        loss.backward()


def test_an_optimizer_made_before_the_model_grew_goes_on():
    """The larger model lays everything out anew; the older theta and g follow."""
    small = net()
    own = small.parameters()
    opt = optim.Momentum(own, lr=0.1, momentum=0.9)
    twin = net()
    reference = optim.Momentum(twin.parameters(), lr=0.1, momentum=0.9)
    for step in range(6):
        if step == 3:
            large = nn.Sequential(small, nn.Linear(3, 2, rng=5, dtype=np.float64))
            everything = large.parameters()
        for model, o in ((small, opt), (twin, reference)):
            o.zero_grad()
            losses.cross_entropy(model(Tensor(X)), Y).backward()
            o.step()
    np.testing.assert_array_equal(own.theta, twin.parameters().theta)
    np.testing.assert_array_equal(everything.theta[:own.n], own.theta)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.Parameters({"a": Tensor(np.ones(2))}), "a must be a Parameter, got Tensor"),
    (lambda: (lambda p: nn.Parameters({"a": p, "b": p}))(nn.Parameter([1.0])), "occurs twice under different names"),
    (lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=np.float64)).parameters().theta, "one dtype"),
])
def test_misuse_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_model_without_parameters():
    parameters = nn.ReLU().parameters()
    assert parameters.n == 0 and len(parameters) == 0 and parameters.theta.shape == (0,)
