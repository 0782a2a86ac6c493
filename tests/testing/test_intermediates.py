"""compare_intermediates is itself checked: mistakes planted in a backward pass by hand are found where they are."""
import numpy as np
import pytest

from minigrad import losses, nn, ops
from minigrad.core import tensor
from minigrad.testing import GradientError, WrongIntermediate, compare_intermediates

X = np.random.default_rng(0).standard_normal((6, 4))
LABELS = np.array([0, 2, 1, 1, 0, 2])


def forward():
    """z = x w + b, h = tanh(z), logits = h v + h[:, :3] (used twice), mean cross-entropy. Tensors by name."""
    rng = np.random.default_rng(1)
    w, b, v = (tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((4, 3), (3,), (3, 3)))
    z = tensor(X) @ w + b
    h = ops.tanh(z)
    logits = h @ v + h
    loss = losses.cross_entropy(logits, LABELS)
    return loss, dict(w=w, b=b, v=v, z=z, h=h, logits=logits)


def by_hand(t, **wrong):
    """The backward pass in NumPy, with lines replaced."""
    n = {"np": np, "x": X, **{name: one.data for name, one in t.items()}}
    p = np.exp(n["logits"])
    n["p"] = p / p.sum(axis=1, keepdims=True)
    n["y"] = np.eye(3)[LABELS]
    lines = dict(logits="(p - y) / 6", v="h.T @ dlogits", h="dlogits @ v.T + dlogits", z="dh * (1 - h * h)",
                 b="dz.sum(axis=0)", w="x.T @ dz") | wrong
    for name, line in lines.items():
        n["d" + name] = eval(line, n)
    return {name: n["d" + name] for name in lines}


def test_a_right_backward_passes_and_the_report_is_in_its_order():
    loss, t = forward()
    found = compare_intermediates(by_hand(t), loss, t)
    assert list(found.differences) == ["logits", "h", "v", "z", "b", "w"] and found.skipped == ()
    assert max(found.differences.values()) < 1e-12
    assert all(x.grad is None for x in t.values())
    loss.backward()                                                     # the graph was kept


def test_some_of_them_will_do_and_a_function_may_give_them():
    loss, t = forward()
    found = compare_intermediates(lambda: {"w": by_hand(t)["w"]}, loss, t)
    assert list(found.differences) == ["w"] and set(found.skipped) == {"b", "v", "z", "h", "logits"}


@pytest.mark.parametrize(("wrong", "name", "hint"), [
    (dict(logits="p - y"), "logits", "a factor 6, axis 0 of (6, 3): the mean's division left out?"),
    (dict(logits="(y - p) / 6"), "logits", "sign"),
    (dict(logits="(p - y) / 36"), "logits", "a factor 1/6"),
    (dict(logits="(p - y) / 3.7"), "logits", "a factor 1.62162"),
    (dict(logits="p / 6"), "logits", ""),
    (dict(logits="0 * p"), "logits", "it is zero everywhere"),
    (dict(logits="p / 0"), "logits", "it is not finite"),
    (dict(v="dlogits.T @ h"), "v", "transposed"),
    (dict(h="dlogits @ v + dlogits"), "h", ""),
    (dict(h="dlogits @ v.T"), "h", "h is used 2 times, and the gradients of all ways are added: missing is the way "
                                   "through logits"),
    (dict(h="dlogits @ v.T - dlogits"), "h", "the sign of the way through logits"),
    (dict(z="dh"), "z", "it is the gradient of h unchanged: the derivative of tanh is missing"),
    (dict(z="1 - h * h"), "z", "the derivative of tanh alone: multiply it by the gradient of h that arrives"),
    (dict(z="dh * (1 - z * z)"), "z", ""),
    (dict(z="np.tile((dh * (1 - h * h)).mean(axis=0), (6, 1))"), "z", "averaged over axis 0 (the batch)"),
    (dict(b="dz"), "b", "missing sum over axis 0 (the batch), along which it was broadcast"),
    (dict(b="dz.mean(axis=0)"), "b", "a factor 1/6"),
    (dict(b="dz.sum()"), "b", "summed over axis 0 (the batch), which should have stayed"),
    (dict(b="dz.sum(axis=0)[:, None]"), "b", "the right numbers in another shape"),
    (dict(b="dz[0]"), "b", ""),
    (dict(w="dz.T @ x"), "w", "transposed"),
    (dict(w="x[:, :, None] * dz[:, None, :]"), "w", "missing sum over axis 0 (the batch)"),
    (dict(w="x"), "w", "a gradient has the shape of what it belongs to"),
], ids=str)
def test_a_planted_mistake_is_found_first_and_explained(wrong, name, hint):
    loss, t = forward()
    with np.errstate(all="ignore"):
        mine = by_hand(t, **wrong)
    with pytest.raises(WrongIntermediate) as caught:
        compare_intermediates(mine, loss, t)
    assert caught.value.name == name and hint in caught.value.hint and (hint != "") == (caught.value.hint != "")
    assert caught.value.hint in str(caught.value)
    assert isinstance(caught.value, GradientError)


def test_the_message_names_shape_index_numbers_and_what_agrees():
    loss, t = forward()
    with pytest.raises(WrongIntermediate) as caught:
        mine = by_hand(t)
        mine["z"][2, 1] += 1.0
        compare_intermediates(mine, loss, t)
    want = by_hand(t)["z"][2, 1]
    assert str(caught.value) == (
        f"dJ/dz, number 4 of 6 in the order of backward: shape (6, 3) is right, but at [2, 1] it is {want + 1:.6g}, "
        f"wanted {want:.6g} (1 of 18 entries differ). Those before it agree: logits, h, v. z is taken by h: reread the "
        "way back through it.")
    assert caught.value.index == (2, 1)


def test_parameters_and_ops_have_names_of_their_own():
    model = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Tanh(), nn.Linear(3, 2, rng=1))
    model.parameters()
    loss = losses.cross_entropy(model(tensor(X.astype(np.float32))), np.array([0, 1, 1, 0, 1, 0]))
    made = {}
    loss.backward(retain_graph=True)
    for name, p in model.named_parameters():
        made[name] = p.grad
    found = compare_intermediates({**made, "#4": np.float32(1.0)}, loss)
    assert list(found.differences) == ["#4", "2.w", "2.b", "0.w", "0.b"]
    with pytest.raises(WrongIntermediate, match=r"dJ/d#4, number 1 of 1 .* is right, but it is 2, wanted 1"):
        compare_intermediates({"#4": 2.0}, loss)


def test_float32_is_compared_as_float32():
    rng = np.random.default_rng(2)
    x = tensor(rng.standard_normal((300, 50)).astype(np.float32), requires_grad=True)
    w = tensor(rng.standard_normal((50, 4)).astype(np.float32), requires_grad=True)
    loss = ops.sum((x @ w) ** 2)
    y = x.data.astype(float) @ w.data.astype(float)
    assert compare_intermediates({"w": 2 * x.data.astype(float).T @ y}, loss, {"w": w}).differences["w"] < 1e-5
    with pytest.raises(WrongIntermediate, match="a factor 0.5"):
        compare_intermediates({"w": x.data.T @ y}, loss, {"w": w})


def test_a_result_with_axes_wants_its_gradient():
    x = tensor([1.0, 2.0], requires_grad=True)
    assert compare_intermediates({"x": [6.0, 3.0]}, x * 3, {"x": x}, g=np.array([2.0, 1.0])).differences["x"] == 0
    with pytest.raises(ValueError, match="pass g"):
        compare_intermediates({"x": [6.0, 3.0]}, x * 3, {"x": x})


def test_one_tensor_may_have_two_names_and_gradients_may_be_tensors():
    loss, t = forward()
    mine = by_hand(t)
    mine |= {"w too": tensor(mine["w"]), "#4": mine["logits"]}
    found = compare_intermediates(mine, loss, t | {"w too": t["w"]})
    assert set(found.differences) == set(mine) and found.skipped == ()
    with pytest.raises(WrongIntermediate, match="dJ/dw too, .* Hint: sign"):
        compare_intermediates(mine | {"w too": -mine["w"]}, loss, t | {"w too": t["w"]})


def test_an_engine_that_is_not_finite_itself_is_said():
    x = tensor([0.0, 1.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        loss = ops.sum(ops.log(x))
        assert compare_intermediates({"x": [np.inf, 1.0]}, loss, {"x": x}).differences["x"] == 0
        with pytest.raises(WrongIntermediate, match=r"at \[0\] it is 1, wanted inf .*minigrad.detect_anomaly"):
            compare_intermediates({"x": [1.0, 1.0]}, loss, {"x": x})
        with pytest.raises(WrongIntermediate, match=r"at \[1\] it is nan, wanted 1 "):
            compare_intermediates({"x": [np.inf, np.nan]}, loss, {"x": x})


@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan, "small"])
def test_the_tolerance_is_positive(tolerance):
    loss, t = forward()
    with pytest.raises(ValueError, match=r"compare_intermediates: tolerance must be .*\(0, inf\)"):
        compare_intermediates({}, loss, t, tolerance=tolerance)


def test_what_cannot_be_compared_is_said():
    loss, t = forward()
    with pytest.raises(ValueError, match=r"does not come from 'q'; it comes from .*h.*#1 \.\.\. #\d"):
        compare_intermediates({"q": 1.0}, loss, t)
    with pytest.raises(ValueError, match="does not come from 'other'"):
        compare_intermediates({"other": 1.0}, loss, {"other": tensor(1.0, requires_grad=True)})
    with pytest.raises(ValueError, match="wanted a dict"):
        compare_intermediates([1.0], loss, t)
    with pytest.raises(WrongIntermediate, match="wanted an array of numbers, got dtype object"):
        compare_intermediates({"h": None}, loss, t)
