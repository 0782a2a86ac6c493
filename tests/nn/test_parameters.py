"""One theta and one g: views, slices, laying out anew, freezing, and what an optimizer sees of it."""
import copy

import numpy as np
import pytest

from minigrad import losses, nn, optim
from minigrad.core import Tensor, primitive, tensor

x = np.random.default_rng(0).standard_normal((6, 4))
labels = np.array([0, 1, 2, 0, 1, 2])


def mlp(seed=0, dtype=np.float64):
    return nn.Sequential(nn.Linear(4, 5, rng=seed), nn.Tanh(), nn.Linear(5, 3, rng=seed + 1)).astype(dtype)


def loss_of(model):
    return losses.cross_entropy(model(Tensor(x.astype(next(iter(model.parameters())).dtype))), labels)


def test_data_and_gradients_are_views_into_theta_and_g():
    model = mlp()
    values = [p.data.copy() for _, p in model.named_parameters()]
    params = model.parameters()
    assert params.theta.shape == (43,) == params.g.shape and len(params) == 4 and params.n == 43
    at = 0
    for (name, part), p, value in zip(params.slices.items(), params, values):
        assert part == slice(at, at + p.size) and params[name] is p and np.array_equal(p.data, value)
        assert np.shares_memory(p.data, params.theta) and np.array_equal(params.theta[part].reshape(p.shape), p.data)
        at = part.stop
    loss_of(model).backward()
    for part, p in zip(params.slices.values(), params):
        assert np.shares_memory(p.grad, params.g) and np.array_equal(params.g[part].reshape(p.shape), p.grad)
    params.theta[...] = 7
    assert (model[2].b.data == 7).all()


def test_writing_a_parameter_changes_theta_and_writing_theta_changes_the_model():
    model = mlp()
    params = model.parameters()
    model[2].b.data = np.arange(3.0)
    assert np.array_equal(params.theta[-3:], [0, 1, 2])
    params.theta[...] = 0
    params.changed()
    assert (model(Tensor(x)).data == 0).all()


def test_a_module_is_a_contiguous_slice_of_its_model():
    model = mlp()
    params = model.parameters()
    second = model[2].parameters()
    assert np.shares_memory(second.theta, params.theta)
    part = slice(params.slices["2.w"].start, params.slices["2.b"].stop)
    second.theta[...] = np.arange(18)
    assert np.array_equal(params.theta[part], np.arange(18)) and list(second.slices) == ["w", "b"]
    assert model.parameters().theta.ctypes.data == params.theta.ctypes.data          # asking again moves nothing


def test_the_first_gradient_is_stored_and_later_ones_are_added():
    model = mlp()
    params = model.parameters()
    assert params.unwritten == set(params.slices) and model[0].w.grad is None
    params.g[...] = np.nan                                  # nothing of what was there is read
    loss_of(model).backward()
    once = params.g.copy()
    assert not params.unwritten and np.isfinite(once).all()
    loss_of(model).backward()
    np.testing.assert_allclose(params.g, 2 * once, rtol=1e-14)
    params.zero_grad()
    assert model[0].w.grad is None and params.unwritten == set(params.slices) and (params.gradient() == 0).all()
    loss_of(model).backward()
    np.testing.assert_array_equal(params.g, once)


def test_a_parameter_used_by_several_ops_gets_the_sum_whatever_writes_first():
    layer = nn.Linear(4, 4, rng=0).astype(np.float64)
    w, b = layer.w.data.copy(), layer.b.data.copy()
    plain = [tensor(w, requires_grad=True), tensor(b, requires_grad=True)]

    def J(w, b):
        from minigrad import ops
        h = ops.linear(Tensor(x), w, b) @ w
        return (ops.linear(h, w, b) * 0.5).sum() + (w * w).sum() + b.sum()

    J(*plain).backward()
    for _ in range(2):                                      # a fused backward among rules
        layer.zero_grad()
        J(layer.w, layer.b).backward()
        np.testing.assert_allclose(layer.w.grad, plain[0].grad, rtol=1e-13)
        np.testing.assert_allclose(layer.b.grad, plain[1].grad, rtol=1e-13)
        layer.parameters()


def test_a_fused_backward_that_writes_in_place_may_be_handed_one_parameter_twice():
    product = primitive(lambda a, b: a * b)
    product.vjps(lambda g, y, a, b: g * b, lambda g, y, a, b: g * a)

    @product.fused
    def backward(g, y, wanted, out, a, b):
        parts = [g * b, g * a]
        for i, place in enumerate(out):
            if place is not None:
                array, accumulate = place
                array[...] = array + parts[i] if accumulate else parts[i]
                parts[i] = array
        return parts

    p, q = nn.Parameter(np.array([2.0, 3.0])), nn.Parameter(np.array([5.0, 7.0]))
    params = nn.Parameters({"p": p, "q": q})
    (product(p, q) + product(p, p)).sum().backward()          # the newest is swept first
    assert p.grad.tolist() == [9, 13] and q.grad.tolist() == [2, 3] and not params.unwritten


def test_gradients_can_be_assigned_and_removed():
    model = mlp()
    params = model.parameters()
    model[0].b.grad = np.arange(5)
    assert params.unwritten == set(params.slices) - {"0.b"}
    assert np.array_equal(params.gradient()[params.slices["0.b"]], np.arange(5))
    model[0].b.grad = None
    assert model[0].b.grad is None
    with pytest.raises(ValueError, match=r"expected shape \(5,\), got \(4,\)"):
        model[0].b.grad = np.zeros(4)


def test_parameters_and_layers_in_lists_and_dicts_at_any_depth_are_found():
    class Nested(nn.Module):
        def __init__(self):
            self.scales = [nn.Parameter(np.ones(2)), nn.Parameter(np.ones(3))]
            self.heads = {"left": nn.Linear(2, 2, rng=0), "right": [nn.Linear(2, 1, bias=False, rng=1)]}
            self.rngs = (np.random.default_rng(0),)

    model = Nested()
    assert [name for name, _ in model.named_parameters()] == ["scales.0", "scales.1", "heads.left.w", "heads.left.b",
                                                              "heads.right.0.w"]
    assert [name for name, _ in model.generators()] == ["rngs.0"]
    assert model.eval() is model and not model.heads["right"][0].training


# ------------------------------------------------------------------------------------------------------ laid out anew

def trained(model, opt, steps=3):
    for _ in range(steps):
        opt.zero_grad()
        loss_of(model).backward()
        opt.step()
    return model.state_dict()


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.1), lambda p: optim.Momentum(p, lr=0.1),
                                  lambda p: optim.Nesterov(p, lr=0.1)])
@pytest.mark.parametrize("disturb", [
    lambda model: nn.Sequential(nn.Linear(2, 2, rng=9).astype(np.float64), model).parameters(),   # into a larger one
    lambda model: model[2].parameters().theta,
    lambda model: nn.Parameters({"a": model[0].w, "b": model[2].w}).theta,                        # not side by side
    lambda model: nn.Parameters(reversed(list(model.named_parameters()))).theta,
])
def test_an_optimizer_made_before_the_model_was_laid_out_anew_keeps_working(make, disturb):
    undisturbed = mlp()
    opt = make(undisturbed.parameters())
    trained(undisturbed, opt)
    wanted = trained(undisturbed, opt)
    model = mlp()
    opt = make(model.parameters())
    trained(model, opt)
    kept = disturb(model)
    got = trained(model, opt)
    assert kept is not None and all(np.array_equal(got[name], wanted[name]) for name in wanted)


def test_laying_out_keeps_values_gradients_and_what_is_unwritten():
    model = mlp()
    first = model[0].parameters()
    (model[0](Tensor(x)) ** 2).sum().backward()
    g, theta = first.g.copy(), first.theta.copy()
    params = model.parameters()
    assert params.unwritten == {"2.w", "2.b"} and np.array_equal(params.gradient()[:25], g)
    assert np.array_equal(first.g, g) and np.array_equal(first.theta, theta)
    assert np.shares_memory(first.theta, params.theta)


def test_a_graph_recorded_before_the_layout_can_still_be_swept():
    model = mlp()
    wanted = mlp()
    loss_of(wanted).backward()
    loss = loss_of(model)
    params = nn.Sequential(nn.Linear(2, 2, rng=9).astype(np.float64), model).parameters()
    loss.backward()
    np.testing.assert_array_equal(params.gradient()[6:], wanted.parameters().gradient())


def test_two_sets_that_overlap_without_being_slices_share_values_all_the_same():
    model = mlp()
    odd, whole = nn.Parameters({"a": model[0].w, "b": model[2].w}), model.parameters()
    for _ in range(3):
        odd.theta[...] += 1
        whole.theta[...] *= 2
        assert np.array_equal(odd.theta, np.concatenate([model[0].w.data.ravel(), model[2].w.data.ravel()]))
        assert np.array_equal(whole.theta, np.concatenate([p.data.ravel() for p in whole]))


# ------------------------------------------------------------------------------------------------- freezing, converting

def test_a_frozen_parameter_gets_no_gradient_and_no_step():
    model = mlp()
    params = model.parameters()
    opt = optim.Adam(params, lr=0.1, weight_decay=0.1)
    model[0].freeze()
    before = params.theta.copy()
    trained(model, opt)
    assert np.array_equal(params.theta[:25], before[:25]) and not np.array_equal(params.theta[25:], before[25:])
    assert model[0].w.grad is None and {"0.w", "0.b"} <= params.unwritten and not model[0].w.requires_grad
    model[0].freeze(False)
    trained(model, opt, 1)
    assert not np.array_equal(params.theta[:25], before[:25])


def test_freezing_between_forward_and_backward_or_after_it_stops_the_step_too():
    for when in ("before", "after"):
        model = mlp()
        params = model.parameters()
        opt = optim.SGD(params, lr=0.1)
        loss = loss_of(model)
        if when == "before":
            model[0].freeze()
        loss.backward()
        model[0].freeze()
        before = params.theta.copy()
        assert {"0.w", "0.b"} == params.unwritten and model[0].w.grad is None
        opt.step()
        assert np.array_equal(params.theta[:25], before[:25]) and not np.array_equal(params.theta[25:], before[25:])
        model[0].freeze(False)
        assert model[0].w.grad is None                     # nothing of the past comes back


def test_astype_converts_and_an_old_optimizer_says_so():
    model = mlp(dtype=np.float32)
    params = model.parameters()
    opt = optim.SGD(params, lr=0.1)
    loss_of(model).backward()
    gradient = params.gradient()
    model.astype(np.float64)
    assert params.theta.dtype == np.float64 and np.array_equal(params.gradient(), gradient)
    with pytest.raises(ValueError, match="float32 when the optimizer was made and is .* float64 now"):
        opt.step()
    assert loss_of(model).dtype == np.float64
    model.astype(np.float32).astype(np.float64)
    with pytest.raises(ValueError, match="wanted float32 or float64, got int64"):
        model.astype(int)


def test_converting_a_part_is_refused_where_the_whole_is_used_and_not_undone():
    model = mlp(dtype=np.float32)
    params = model.parameters()
    model[2].astype(np.float64)
    with pytest.raises(ValueError, match=r"all must have one dtype, got \['float32', 'float64'\]"):
        _ = params.theta
    with pytest.raises(ValueError, match="one dtype"):
        model.parameters()
    assert model[2].w.dtype == np.float64


def test_astype_between_forward_and_backward_is_refused():
    model = mlp()
    loss = loss_of(model)
    model.astype(np.float32)
    with pytest.raises(RuntimeError, match="has changed since"):
        loss.backward()


def test_a_graph_older_than_a_change_of_theta_is_refused_by_the_name_of_a_parameter():
    model = mlp()
    params, loss = model.parameters(), loss_of(model)
    params.theta[...] *= 2
    params.changed()
    with pytest.raises(RuntimeError, match=r"saved the value of [02]\.[wb], which has changed since"):
        loss.backward()
    loss_of(model).backward()


@pytest.mark.parametrize("laid_out", [False, True])
@pytest.mark.parametrize("constant", ["frozen", "detached"])
def test_assigning_a_parameter_that_a_graph_saved_as_a_constant_is_noticed(constant, laid_out):
    layer, w = nn.Linear(3, 3, rng=0).astype(np.float64), tensor(np.ones((3, 3)), requires_grad=True)
    if laid_out:
        layer.parameters()
    layer.w.requires_grad = constant != "frozen"
    saved = layer.w if constant == "frozen" else layer.w.detach()
    loss = (saved * w).sum()
    layer.b.data = np.ones(3)                                  # another one: nothing to complain of
    again = (saved * w).sum()
    layer.w.data = np.zeros((3, 3))
    with pytest.raises(RuntimeError, match="saved the value of a constant .* has changed since"):
        loss.backward()
    with pytest.raises(RuntimeError, match="has changed since"):
        again.backward()
    assert w.grad is None
    (saved * w).sum().backward()
    assert (w.grad == 0).all()


# -------------------------------------------------------------------------------------------------------------- copying

def test_a_copied_model_is_independent_and_keeps_ties_and_frozen_layers():
    model = nn.Sequential(nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=1, bias=False))
    model[1].w = model[0].w
    model[0].b.requires_grad = False
    params = model.parameters()
    other = copy.deepcopy(model)
    assert other[1].w is other[0].w and other[0].w is not model[0].w and not other[0].b.requires_grad
    other.parameters().theta[...] = 0
    assert params.theta.any() and all(np.array_equal(a, b) for a, b in zip(model.state_dict().values(), [
        p.data for p in params]))


def test_a_model_copied_together_with_its_optimizer_stays_together_with_it():
    model = mlp()
    opt = optim.Momentum(model.parameters(), lr=0.1)
    trained(model, opt)
    other, its = copy.deepcopy((model, opt))
    wanted = trained(model, opt)
    got = trained(other, its)
    assert all(np.array_equal(got[name], wanted[name]) for name in wanted)
    assert its.params.theta.ctypes.data == other.parameters().theta.ctypes.data


# -------------------------------------------------------------------------------------------------------------- misuse

def test_what_is_refused():
    w = nn.Parameter(np.ones(2))
    for make, message in ((lambda: nn.Parameters({"w": np.ones(2)}), "w must be a Parameter, got ndarray"),
                          (lambda: nn.Parameters({"a": w, "b": w}), "occurs twice"),
                          (lambda: nn.Parameters({"a": w, "b": nn.Parameter(np.ones(2, np.float32))}), "one dtype"),
                          (lambda: nn.Parameter([1, 2]), "floating-point values, got int64")):
        with pytest.raises(ValueError, match=message):
            make()


def test_no_parameters_at_all():
    params = nn.Parameters({})
    assert params.n == 0 and params.theta.shape == (0,) and len(params) == 0


def test_a_parameter_shows_itself_and_is_a_copy_of_what_it_was_made_from():
    values = np.ones((2, 2), order="F")
    p = nn.Parameter(values)
    values[0] = 5
    assert (p.data == 1).all() and p.data.flags.c_contiguous and repr(p).startswith("Parameter([[1., 1.],")
    assert repr(nn.Parameters({"w": p})) == "Parameters(n=4: w (2, 2))"
