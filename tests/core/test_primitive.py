"""How an op is made, and the dtype of every result and gradient: numbers of any kind never widen float32."""
from decimal import Decimal

import numpy as np
import pytest

from minigrad import nn, ops
from minigrad.core import OPS, Tensor, no_grad, primitive, tensor
from minigrad.testing.gradients import gradcheck

NUMBERS = {
    "int": 2, "float": 2.0, "bool": True, "np.float32": np.float32(2), "np.float64": np.float64(2),
    "np.int64": np.int64(2), "0-d float64": np.array(2.0), "0-d int": np.array(2), "int array": np.array([1, 2, 3]),
    "bool mask": np.array([True, False, True]), "float32 array": np.array([1, 2, 3], np.float32),
    "int Tensor": tensor([1, 2, 3]), "list": [1, 2, 3], "uint8 array": np.array([1, 2, 3], np.uint8),
}
BINARY = {
    "add": ops.add, "subtract": ops.subtract, "multiply": ops.multiply, "divide": ops.divide, "power": ops.power,
    "maximum": ops.maximum, "minimum": ops.minimum, "operator +": lambda a, b: a + b, "operator -": lambda a, b: a - b,
    "operator *": lambda a, b: a * b, "operator /": lambda a, b: a / b, "operator **": lambda a, b: a ** b,
    "where": lambda a, b: ops.where(np.array([True, False, True]), a, b),
}


def leaf(dtype=np.float32):
    return tensor(np.array([1.5, 0.7, 2.2], dtype), requires_grad=True)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.filterwarnings("ignore:divide by zero")            # 1 / False
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_never_widen_float32(name, number):
    function, other = BINARY[name], NUMBERS[number]
    for make in (lambda x: function(x, other), lambda x: function(other, x)):
        x = leaf()
        y = make(x)
        assert isinstance(y, Tensor) and y.dtype == np.float32 and y.shape == (3,)
        y.backward(np.ones(3))
        assert x.grad.dtype == np.float32 and x.grad.shape == (3,)
        x64 = tensor(x.data.astype(np.float64), requires_grad=True)
        y64 = make(x64)
        y64.backward(np.ones(3))
        np.testing.assert_allclose(y.data, y64.data, rtol=3e-7)
        np.testing.assert_allclose(x.grad, x64.grad, rtol=1e-6)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("other", [np.array([2.0, 1.0, 3.0]), Tensor(np.array([2.0, 1.0, 3.0]))])
def test_a_float64_array_widens_the_result_and_the_gradient_comes_back_as_float32(name, other):
    x = leaf()
    y = BINARY[name](x, other)
    assert y.dtype == np.float64
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_a_float64_array_widens_every_op_of_several_arguments():
    x, w = leaf(), np.ones((3, 2))
    for y in (x @ w, ops.concatenate([x, np.ones(3)]), ops.stack([x, np.ones(3)]), ops.einsum("i,i->", x, np.ones(3))):
        x.grad = None
        assert y.dtype == np.float64
        y.sum().backward()
        assert x.grad.dtype == np.float32


UNARY = {
    **{name: getattr(ops, name) for name in (
        "negative", "square", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "erf", "abs", "sign", "relu",
        "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softplus", "sum", "mean", "var", "std", "max", "min",
        "logsumexp", "norm", "softmax", "log_softmax", "flatten", "transpose", "squeeze")},
    "clip": lambda x: ops.clip(x, np.float64(0.8), np.array(1.9)),
    "clip by an array": lambda x: ops.clip(x, np.array([0.0, 0, 0]), np.array([1, 2, 3])),
    "leaky_relu np.float64": lambda x: ops.leaky_relu(x, np.float64(0.1)),
    "elu np.float64": lambda x: ops.elu(x, np.float64(0.5)),
    "pad": lambda x: ops.pad(x, (1, 1), np.float64(3)), "x[1:]": lambda x: x[1:], "x[[0, 0]]": lambda x: x[[0, 0]],
    "x[mask]": lambda x: x[np.array([True, False, True])], "flip": lambda x: ops.flip(x, 0),
    "broadcast_to": lambda x: ops.broadcast_to(x, (2, 3)), "reshape": lambda x: x.reshape(3, 1),
    "outer": lambda x: ops.outer(x, x), "dot": lambda x: ops.dot(x, x), "einsum": lambda x: ops.einsum("i,i->i", x, x),
    "matmul": lambda x: x @ x, "matmul by integers": lambda x: x @ np.arange(3), "ndarray @ x": lambda x: np.eye(
        3, dtype=np.float32) @ x, "mask * x": lambda x: (x > 1) * x, "x[0] ** 0.5": lambda x: x[0] ** 0.5,
    "0-d * np.float64": lambda x: x[0] * np.float64(3) + np.array(2.0), "2 ** 0-d": lambda x: 2 ** x[1],
    "maximum 0-d": lambda x: ops.maximum(x[0], 1.0), "max of 0-d": lambda x: ops.max(x[0]),
    "cross-entropy": lambda x: ops.softmax_cross_entropy(x.reshape(1, 3), np.array([1], np.int32)),
    "linear": lambda x: ops.linear(x.reshape(1, 3), x.reshape(3, 1), x[:1]),
}


@pytest.mark.parametrize("name", UNARY)
def test_float32_stays_float32_and_is_close_to_float64(name):
    x = leaf()
    x64 = tensor(x.data.astype(np.float64), requires_grad=True)
    y, y64 = UNARY[name](x), UNARY[name](x64) if name not in ("ndarray @ x", "linear") else None
    assert y.dtype == np.float32
    g = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(g)
    assert x.grad.dtype == np.float32
    if y64 is not None:
        assert y64.dtype == np.float64
        y64.backward(g)
        np.testing.assert_allclose(y.data, y64.data, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(x.grad, x64.grad, rtol=1e-5, atol=1e-6)


def test_integers_among_themselves_are_plain_numpy_and_have_no_gradient():
    x = tensor([3, 4])
    assert (x * 2).dtype == np.int64 and (x / 2).dtype == np.float64 and not (x + x).requires_grad
    assert ops.relu(tensor([1, -2])).data.tolist() == [1, 0]


def test_a_gradient_takes_the_dtype_of_its_argument_even_if_a_rule_forgets():
    @primitive
    def thirds(x):
        return x / 3

    thirds.vjps(lambda g, y, x: g * (np.float64(1) / 3))
    x = leaf()
    thirds(x).sum().backward()
    assert x.grad.dtype == np.float32


def test_arrays_in_array_out():
    for y in (ops.tanh(np.ones(2)), ops.sum(np.ones(2)), ops.matmul(np.eye(2), np.eye(2)),
              ops.concatenate([np.ones(1), np.ones(2)])):
        assert isinstance(y, np.ndarray | np.generic)


def test_an_op_of_your_own():
    @primitive
    def scaled(x, factor):
        return x * factor

    scaled.vjps(lambda g, y, x, factor: g * factor, None)
    gradcheck(lambda x: scaled(x, 3.0), np.array([1.0, -2.0]))
    assert OPS.pop("scaled") is scaled


def test_an_argument_without_a_rule_is_refused_when_it_wants_a_gradient():
    with pytest.raises(ValueError, match=r"where: argument 0 has no derivative; detach\(\) it"):
        ops.where(leaf(), 1.0, 2.0)
    with pytest.raises((ValueError, RuntimeError), match="argument 1 has no derivative"):
        OPS["relu_gate"](leaf(), leaf()).sum().backward()


def test_a_wrong_number_of_arguments_is_a_type_error():
    with pytest.raises(TypeError, match="where"):
        ops.where(np.array([True]), leaf())
    with pytest.raises(TypeError):
        ops.add(leaf())
    with pytest.raises(TypeError):
        ops.add(leaf(), 1, 2)


@pytest.mark.parametrize("bad, what", [("a", "str"), (None, "NoneType"), (1j, "complex"), (object(), "object"),
                                       (np.array(["a"]), "<U1"), (np.array([1j]), "complex128")])
def test_what_is_not_a_number_is_refused_by_name(bad, what):
    with pytest.raises(ValueError, match=f"add: argument 1 must .*{what}"):
        ops.add(leaf(), bad)


def test_nothing_is_recorded_of_constants_or_under_no_grad():
    assert (tensor([1.0]) * 2).node is None
    with no_grad():
        assert (leaf() * 2).node is None


# ------------------------------------------------------------------------------------- fused backwards equal the rules

def by_rules(op, function, arrays, g):
    """Gradients of function with the fused backward of `op` switched off."""
    fused, op.op.fused = op.op.fused, None
    try:
        return by_fused(function, arrays, g)
    finally:
        op.op.fused = fused


def by_fused(function, arrays, g):
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    function(*leaves).backward(g)
    return [x.grad for x in leaves]


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("m, i, o", [(5, 4, 3), (1, 1, 1), (0, 3, 2), (3, 0, 2), (3, 2, 0), (7, 33, 17)])
def test_fused_linear_equals_its_rules(m, i, o, dtype, rtol):
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(s).astype(dtype) for s in ((m, i), (i, o), (o,))]
    for g in (rng.standard_normal((m, o)), np.asfortranarray(rng.standard_normal((m, o))),
              rng.standard_normal((2 * m, 2 * o))[::2, ::2]):
        for a, b in zip(by_fused(ops.linear, arrays, g.astype(dtype)),
                        by_rules(OPS["linear"], ops.linear, arrays, g.astype(dtype))):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("a, b", [((5, 4), (4, 3)), ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((2, 5, 4), (2, 4, 3)),
                                  ((5, 4), (2, 4, 3)), ((2, 1, 5, 4), (3, 4, 3)), ((1, 5, 4), (2, 4, 3))])
def test_fused_matmul_equals_its_rules(a, b, dtype, rtol):
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(s).astype(dtype) for s in (a, b)]
    arrays[0] = np.asfortranarray(arrays[0])
    shape = ops.matmul(*arrays).shape
    for g in (rng.standard_normal(shape), np.asfortranarray(rng.standard_normal(shape))):
        for fused, ruled in zip(by_fused(ops.matmul, arrays, g.astype(dtype)),
                                by_rules(OPS["matmul"], ops.matmul, arrays, g.astype(dtype))):
            assert fused.dtype == dtype
            np.testing.assert_allclose(fused, ruled, rtol=rtol, atol=rtol)


def test_a_matrix_without_a_bias_is_differentiated_into_its_place_and_added_to_what_is_there():
    rng = np.random.default_rng(4)
    w = nn.Parameter(rng.standard_normal((4, 3)))
    g = nn.Parameters({"w": w}).g
    x = rng.standard_normal((5, 4))
    for _ in range(2):
        ops.linear(Tensor(x), w).sum().backward()
    np.testing.assert_allclose(g.reshape(4, 3), 2 * x.sum(axis=0)[:, None].repeat(3, axis=1), rtol=1e-12)


def test_every_fused_backward_is_compared_with_its_rules_somewhere():
    here = {"linear", "matmul"}
    elsewhere = {"minigrad.ops.conv", "minigrad.ops.pool", "minigrad.ops.norm"}       # their own files hold it
    for name, op in OPS.items():
        if op.op.fused is not None and op.op.forward.__module__.startswith("minigrad."):
            assert name in here or op.op.forward.__module__ in elsewhere, name


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("name", ["matmul", "multiply", "maximum"])
def test_an_unaligned_constant_is_as_good_as_its_copy(name, swap):
    """The short way of two arguments leaves it to the long one, which copies: kernels want aligned memory."""
    memory = np.zeros(4 * 9 + 1, np.uint8)
    constant = memory[1:].view(np.float32).reshape(3, 3)
    constant[...] = np.arange(9).reshape(3, 3)
    assert not constant.flags.aligned
    gradients = []
    for c in (constant, constant.copy()):
        x = tensor(np.eye(3, dtype=np.float32) + 1, requires_grad=True)
        y = getattr(ops, name)(c, x) if swap else getattr(ops, name)(x, c)
        (y * y).sum().backward()
        gradients.append(x.grad)
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize("argument, found", [({}, "dict"), (None, "NoneType"), (Decimal(1), "decimal.Decimal")])
def test_what_is_no_argument_is_named_with_its_module_if_it_has_one(argument, found):
    """Another library's Tensor is not to be taken for ours."""
    with pytest.raises(ValueError, match=f"add: argument 1 must be a Tensor, an array or a number, got {found}$"):
        ops.add(leaf(), argument)
