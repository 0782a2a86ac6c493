"""Words of NumPy and PyTorch: what is no argument, attribute or function here says what does the work, truly."""
import math
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, losses, nn, ops, optim
from minigrad.core import tensor
from minigrad.ops import from_numpy, other_names

x = tensor(np.arange(1.0, 7.0).reshape(2, 3), requires_grad=True)
v = tensor(np.array([0.5, 1.0, 2.0]), requires_grad=True)


@pytest.mark.parametrize("call, message", [
    (lambda: x.sum(dim=1), "sum: there is no argument 'dim'; write axis=1"),
    (lambda: x.mean(dim=(0, 1)), r"mean: there is no argument 'dim'; write axis=\(0, 1\)"),
    (lambda: x.sum(1, keepdim=True), "sum: .* 'keepdim'; write keepdims=True"),
    (lambda: x.std(unbiased=False), "std: .* 'unbiased'; write ddof=1, or 0"),
    (lambda: x.var(correction=1), "var: .* 'correction'; write ddof=1"),
    (lambda: x.norm(p=1), "norm: .* 'p'; write order=1"), (lambda: x.sum(nonsense=1), "'nonsense'$"),
    *[(lambda name=name: getattr(ops, name)(x, dim=0), f"{name}: there is no argument 'dim'; write axis=0")
      for name in ("prod", "max", "min", "logsumexp", "cumsum", "argmax", "argmin", "softmax", "log_softmax")]])
def test_an_argument_that_does_not_exist(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name, way", [
    ("to", "one device.*astype"), ("cuda", "one device"), ("view", "x.reshape"), ("unsqueeze", "ops.expand_dims"),
    ("add_", "no_grad"), ("requires_grad_", "x.requires_grad = True"), ("numel", "x.size")])
def test_an_attribute_that_does_not_exist(name, way):
    with pytest.raises(AttributeError, match=f"a Tensor has no attribute '{name}': .*{way}"):
        getattr(x, name)
    assert not hasattr(x, name) and not hasattr(x, "nonsense")


def test_no_hint_hides_an_attribute_that_exists():
    for name in other_names.ATTRIBUTES:
        assert isinstance(vars(Tensor)[name], other_names.Missing) and not hasattr(Tensor, name)
    assert not set(other_names.ATTRIBUTES) & set(dir(x)) and "reshape" in dir(x)
    assert not set(other_names.FUNCTIONS) & set(dir(ops))
    assert not set(losses.OTHER_NAMES) & set(losses.__all__)


@pytest.mark.parametrize("name", other_names.ATTRIBUTES)
def test_every_hint_for_a_tensor_names_what_exists(name):
    for module, member in re.findall(r"\b(ops|np|mg|math|x)\.([a-z_0-9]+)", other_names.ATTRIBUTES[name]):
        assert hasattr({"ops": ops, "np": np, "mg": mg, "math": math, "x": x}[module], member)


@pytest.mark.parametrize("name", other_names.FUNCTIONS)
def test_every_hint_for_ops_names_what_exists(name):
    with pytest.raises(AttributeError, match=f"minigrad.ops has no '{name}': "):
        getattr(ops, name)
    hint = other_names.FUNCTIONS[name]
    first = re.split(r"[ ,(]", hint)[0] if "*" not in hint else "sigmoid"
    found = eval(first, {"np": np, "minigrad": mg, "mg": mg}) if "." in first and "seed" not in hint else True
    assert found and ("." in first or hasattr(ops, first) or hint.startswith("np."))


@pytest.mark.parametrize("name", nn.other_names.ATTRIBUTES)
def test_every_hint_for_a_module_names_what_exists(name):
    model, hint = nn.Sequential(nn.Linear(2, 2)), nn.other_names.ATTRIBUTES[name]
    with pytest.raises(AttributeError, match=f"a Module has no attribute '{name}': {re.escape(hint)}"):
        getattr(model, name)
    assert not hasattr(model[0], name) and name not in dir(model)
    for owner, member in re.findall(r"\b(nn|model)\.([A-Za-z_]+)", hint):
        assert hasattr({"nn": nn, "model": model}[owner], member)


def test_a_module_of_ones_own_may_have_those_names():
    class Scale(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.full(2, 3.0))

        def double(self):
            return 2

        def forward(self, x):
            return x * self.weight
    scale = Scale()
    assert scale.double() == 2 and {"weight", "double"} <= set(dir(scale)) and "bias" not in dir(scale)
    assert list(scale.state_dict()) == ["weight"] and scale(Tensor(np.ones(2))).data.tolist() == [3, 3]


@pytest.mark.parametrize("name", nn.other_names.LAYERS)
def test_every_hint_for_nn_names_what_exists(name):
    hint = nn.other_names.LAYERS[name]
    with pytest.raises(AttributeError, match=f"minigrad.nn has no '{name}': {re.escape(hint)}"):
        getattr(nn, name)
    for path in re.findall(r"minigrad\.[a-z_.]+", hint):
        assert eval(path.replace("minigrad", "mg", 1), {"mg": mg})
    assert "minigrad" in hint or hint.startswith("a list") or hasattr(nn, re.split(r"[(,]", hint)[0])


def test_hints_for_optim():
    for name, hint in optim.arguments.OTHER_METHODS.items():
        with pytest.raises(AttributeError, match=f"'minigrad.optim' has no attribute '{name}': {re.escape(hint)}"):
            getattr(optim, name)
        assert hasattr(optim, hint) or "schedules" in hint
    assert optim.schedules.Cosine(0.1, 0.001, period=1000)(1) > 0
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'$"):
        optim.nonsense  # noqa: B018


class Foreign:
    """An array of another library, as far as anybody asks."""
    shape, dtype, ndim = (4, 3), "its own", 2

    def __dlpack__(self):
        raise NotImplementedError


@pytest.mark.parametrize("layer", [nn.Linear(3, 2), nn.BatchNorm(3), nn.LayerNorm(3), nn.Conv2d(3, 2, 1),
                                   nn.MaxPool2d(2), nn.Sequential(nn.Linear(3, 2), nn.ReLU()), nn.LSTMCell(3, 2)],
                         ids=lambda layer: layer.describe())
def test_an_array_of_another_library_is_named(layer):
    with pytest.raises(ValueError, match=f"^{type(layer).__name__}: wanted a Tensor, got a .*test_other_names.Foreign; "
                                         r"Tensor\(x\) makes one of it"):
        layer(Foreign())
    with pytest.raises(ValueError, match="^add: argument 1 must be a Tensor, .*, got .*Foreign; Tensor.x. makes one"):
        x + Foreign()


@pytest.mark.parametrize("params, message", [
    (lambda p: p, "got Parameter: pass a list of it"), (lambda p: {"a": p}, "got dict: pass a list of its values"),
    (lambda p: [("a", p)], "got list of tuple; a list is one of Tensors or one of nn.Parameters, without their names")])
def test_what_optimizers_are_given_in_place_of_a_list(params, message):
    with pytest.raises(ValueError, match=f"SGD: .*{message}"):
        optim.SGD(params(nn.Parameter(np.ones(3))), lr=0.1)


def test_losses_complete_to_losses_only():
    assert dir(losses) == losses.__all__ == sorted(losses.__all__)
    assert all(callable(getattr(losses, name)) for name in dir(losses))
    for name, way in losses.OTHER_NAMES.items():
        with pytest.raises(AttributeError, match=f"minigrad.losses has no '{name}': {re.escape(way)}"):
            getattr(losses, name)
        assert any(loss in way for loss in losses.__all__)
    with pytest.raises(AttributeError, match="has no 'nonsense'$"):
        losses.nonsense  # noqa: B018


# ---- the hints of NumPy's functions, followed

FOLLOWED = {            # name in INSTEAD: (NumPy's call, what the hint says)
    "add.reduce": (np.add.reduce, x), "multiply.reduce": (np.multiply.reduce, x),
    "maximum.reduce": (np.maximum.reduce, x), "minimum.reduce": (np.minimum.reduce, x),
    "add.accumulate": (np.add.accumulate, x), "multiply.accumulate": (np.multiply.accumulate, x),
    "reciprocal": (np.reciprocal, x), "ptp": (np.ptp, x),
    "average": (np.average, x), "atleast_2d": (np.atleast_2d, v),
    "multiply.outer": (np.multiply.outer, v, v * 2), "float_power": (np.float_power, v, v * 2),
    "fmax": (np.fmax, v, 1 / v), "fmin": (np.fmin, v, 1 / v),
    "inner": (np.inner, x, x * 2), "vdot": (np.vdot, x, x * 2),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_hint_that_is_followed_gives_what_numpy_gives(name):
    function, *args = FOLLOWED[name]
    hint = from_numpy.INSTEAD[name]
    with pytest.raises(TypeError, match="is not differentiable; use .data for the values, or " + re.escape(hint)):
        function(*args)
    text = re.split(r" of | without |, where", hint)[0]
    names = {"ops": ops, "math": math} | dict(zip("ab" if len(args) == 2 else "x", args))
    result = eval(text, names)
    assert isinstance(result, Tensor) and result.requires_grad
    np.testing.assert_allclose(result.data, function(*[a.data for a in args]), rtol=1e-14)


@pytest.mark.parametrize("function", [np.column_stack])
@pytest.mark.parametrize("make", [lambda: [v, 2 * v]], ids=["vectors"])
def test_hints_for_joining(function, make):
    xs = make()
    with pytest.raises(TypeError) as error:
        function(xs)
    hints = re.findall(r"(ops\.\w+\(xs.*?\)) of (\w+)", str(error.value))
    for hint, kind in hints:
        if kind == ("vectors" if xs[0].ndim == 1 else "matrices"):
            np.testing.assert_array_equal(eval(hint, {"ops": ops, "xs": xs}).data, function([a.data for a in xs]))
    assert hints


def test_take_and_the_ufuncs_of_scipy():
    with pytest.raises(TypeError, match=r"np.take .* or x.ravel\(\)\[index\]"):
        np.take(x, [4, 0])
    assert x.ravel()[[4, 0]].data.tolist() == np.take(x.data, [4, 0]).tolist()
    special = pytest.importorskip("scipy.special")
    for ufunc, op in ((special.erf, ops.erf), (special.expit, ops.sigmoid)):
        y = ufunc(x)
        assert y.requires_grad and y.node.op is op.op
        np.testing.assert_allclose(y.data, ufunc(x.data), rtol=1e-14)
    with pytest.raises(TypeError, match="^gammaln of a Tensor is not differentiable"):
        special.gammaln(x)
    with pytest.raises(TypeError, match="^np.linalg.norm of a Tensor: a matrix has ord 1, -1, inf, -inf and 'fro'"):
        np.linalg.norm(x, ord="nuc")


# ---- messages that name the op, the argument and the way out

@pytest.mark.parametrize("call, error, message", [
    (lambda: x + np.ones(4), ValueError, r"^add: operands could not be broadcast together with shapes \(2,3\) \(4,\)"),
    (lambda: np.ones(4) * x, ValueError, "^multiply: operands could not be broadcast"),
    (lambda: ops.add(np.ones(3), np.ones(4)), ValueError, "^add: operands could not"),
    (lambda: ops.where(np.ones(4, bool), x, 0.0), ValueError, "^where: operands could not be broadcast"),
    (lambda: x.reshape(4, 4), ValueError, r"^reshape: cannot reshape array of size 6 into shape \(4,4\)"),
    (lambda: x.reshape(-1, -1), ValueError, "^reshape: can only specify one unknown dimension"),
    (lambda: ops.broadcast_to(x, (3, 3)), ValueError, "^broadcast_to: could not broadcast"),
    (lambda: ops.pad(x, 1, "edge"), ValueError, "^pad: value must be a number, got 'edge'; write mode='edge'$"),
    (lambda: ops.relu("a"), TypeError, "^relu: "), (lambda: -(x > 1), TypeError, "^negative: .*boolean negative"),
    (lambda: tensor([1, 2]) ** -1, ValueError, "^power: Integers to negative integer powers"),
    (lambda: x.sum(axis="x"), ValueError, r"^sum: an axis is an integer, got 'x' \(shape \(2, 3\)\)"),
    (lambda: x.sum(axis=0.0), ValueError, "^sum: an axis is an integer, got 0.0"),
    (lambda: x.sum(axis=(0, "x")), ValueError, "^sum: an axis is an integer, got 'x'"),
    (lambda: x.mean(axis=True), ValueError, "^mean: axis True is out of range"),
    (lambda: x.sum(0, 1), ValueError, r"^sum: keepdims must be True or False, got 1; several axes are a tuple"),
    (lambda: x.max(axis=(1, -1)), ValueError, r"^max: axis \(1, -1\) is repeated"),
    (lambda: ops.flip(x, (1, -1)), ValueError, r"^flip: axis \(1, -1\) is repeated"),
    (lambda: ops.flatten(x, 5), ValueError, "^flatten: axis 5 is out of range"),
    (lambda: x.flatten(-5), ValueError, "^flatten: axis -5 is out of range"),
    (lambda: x.argmax(3), ValueError, "^argmax: axis 3 is out of range"),
    (lambda: x.argmin((0, 1)), ValueError, r"^argmin: an axis is an integer, got \(0, 1\)"),
    (lambda: tensor(np.zeros((0, 3))).argmax(), ValueError, r"^argmax: no elements \(shape \(0, 3\)\)"),
    (lambda: x.any(axis=3), ValueError, "^any: axis 3 is out of range"),
    (lambda: ops.softmax(x, "a"), ValueError, "^softmax: axis 'a' must be one non-empty axis"),
    (lambda: ops.einsum(x, "ij->ji"), ValueError, r'^einsum: the subscripts come first.*einsum\("ij->ji", x\)'),
    (lambda: ops.concatenate([]), ValueError, "^concatenate: nothing to join"),
    (lambda: ops.stack(iter(())), ValueError, "^stack: nothing to join"),
    (lambda: ops.concatenate(3), ValueError, "^concatenate: wanted a list of Tensors or arrays, got int"),
    (lambda: ops.concatenate([x, x], axis="rows"), ValueError, "^concatenate: an axis is an integer, got 'rows'"),
    (lambda: tensor([[1, 2], [3]]), ValueError, "^tensor: wanted numbers in rows of one length"),
    (lambda: tensor([v, v]), ValueError, "^tensor: .*ops.stack for a list of Tensors"),
    (lambda: mg.grad(lambda t: t, v), ValueError, r"^grad: y must be a Tensor, got function; call it first"),
    (lambda: mg.derivatives.hessian(v, lambda t: t), ValueError, "^hessian: f must be a function.* comes first"),
])
def test_messages_name_the_op_and_what_was_wanted(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.hinge, losses.zero_one_error,
                                  lambda z, y: losses.cross_entropy(z, y, label_smoothing=0.1)])
@pytest.mark.parametrize("labels, way", [
    (np.eye(3, dtype=int)[[0, 1]],
     r"of one-hot rows take labels.argmax\(axis=1\), for probabilities use losses.kl_divergence"),
    (np.array([[0], [1]]), r"write labels.ravel\(\)"), (np.array([0.0, 1.0]), r"labels.astype\(int\)")])
def test_labels_of_another_form_are_told_the_way(loss, labels, way):
    with pytest.raises(ValueError, match=way):
        loss(x, labels)


def test_labels_first_are_told_the_order():
    with pytest.raises(ValueError, match="the logits come first"):
        losses.cross_entropy(np.array([0, 1]), x)


def test_what_was_refused_without_reason_is_right():
    np.testing.assert_array_equal(ops.softmax(x, np.int64(1)).data, ops.softmax(x, 1).data)
    assert x.sum(axis=np.array([0, 1])).data == x.data.sum() and x.mean(axis=[1]).shape == (2,)
    assert ops.stack(v for _ in range(2)).shape == (2, 3) and ops.concatenate(v for _ in range(2)).shape == (6,)
    flat = np.concatenate([x, v], axis=None)
    assert flat.requires_grad and flat.data.tolist() == np.concatenate([x.data, v.data], axis=None).tolist()
    assert ops.flatten(x, -1).shape == (2, 3) and ops.flatten(tensor(3.0), 0).shape == (1,)


def test_an_error_of_ones_own_op_keeps_its_class_and_its_place():
    from minigrad.core import OPS, primitive

    class Mine(ValueError):
        pass

    @primitive
    def strict(x):
        if x.ndim == 2:
            raise Mine("no matrices")
        raise ValueError("no vectors")
    del OPS["strict"]
    with pytest.raises(Mine, match="^no matrices"):
        strict(x)
    with pytest.raises(ValueError, match="^strict: no vectors") as error:
        strict(v)
    assert error.traceback[-1].name == "strict"
