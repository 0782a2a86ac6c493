"""Every op on integers and truth values: the values and the dtype that NumPy (or SciPy) gives, nothing rounded."""
import numpy as np
import pytest

from minigrad import Tensor, ops

special = pytest.importorskip("scipy.special")
B = 2**53 + 1                                           # no float64 holds it
ARRAYS = {
    "int64": np.array([[B, -3, 1], [2, B - 1, 0]]), "bool": np.array([[True, False, True], [False, True, True]]),
    "uint8": np.array([[200, 100, 3], [2, 250, 1]], np.uint8),
    "int32": np.array([[2**30, 3, 1], [2**30, 9, 7]], np.int32),
}
INDEX = np.array([0, 3])
REAL = {"subtract", "negative", "sign", "diff"}                 # NumPy has them for no truth values


def added(x):
    y = np.zeros((4, 3), x.dtype)
    np.add.at(y, INDEX, x)
    return y


def both(name, **options):
    """An op and NumPy's function of that name, of one argument."""
    return lambda x: getattr(ops, name)(x, **options), lambda x: getattr(np, name)(x, **options)


def pairwise(name):
    return lambda x: getattr(ops, name)(x, x[::-1]), lambda x: getattr(np, name)(x, x[::-1])


def floats(name, reference):
    """An op without a namesake in NumPy: the reference, of float64."""
    return getattr(ops, name), lambda x: reference(x.astype(np.float64))


CASES = {                       # name: (function of a Tensor, function of an array)
    **{name: both(name) for name in (
        "negative", "square", "abs", "sign", "exp", "expm1", "log1p", "sin", "cos", "tanh", "sum", "prod", "mean",
        "max", "min", "var", "std", "cumsum", "argmax", "argmin", "transpose", "flip", "tril", "triu", "trace", "diag",
        "squeeze", "tan", "sinh", "cosh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "log2",
        "log10", "exp2", "floor", "ceil", "round", "sort", "argsort", "cumprod", "diff", "vstack", "hstack")},
    **{name: pairwise(name) for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum",
                                             "floor_divide", "remainder", "logaddexp")},
    **{f"{name}, axis": both(name, axis=0)
       for name in ("sum", "prod", "mean", "max", "min", "var", "std", "cumsum", "argmax", "argmin")},
    "topk": (lambda x: ops.topk(x, 1)[0], lambda x: x.max(-1, keepdims=True)),
    "take_along_axis": (lambda x: ops.take_along_axis(x, INDEX[:1, None], 1), lambda x: x[:, :1]),
    "moveaxis": (lambda x: ops.moveaxis(x, 0, 1), np.transpose),
    "tensordot": (lambda x: ops.tensordot(x, x, (1, 1)), lambda x: x @ x.T),
    "einsum with ones": (lambda x: ops.einsum("...j,kj", x, x[:, :1]), lambda x: np.einsum("...j,kj", x, x[:, :1])),
    "linspace": (lambda x: ops.linspace(x, 2, 3)[0], lambda x: x.astype(float)),
    "one_hot": (lambda x: ops.one_hot(Tensor([1, 0]), 2, x.dtype), lambda x: np.eye(2, dtype=x.dtype)[[1, 0]]),
    "power": (lambda x: ops.power(x, x * 0 + x.dtype.type(1)), lambda x: np.power(x, x * 0 + x.dtype.type(1))),
    "x + 1": (lambda x: x + 1,) * 2, "2 * x": (lambda x: 2 * x,) * 2, "x / 2": (lambda x: x / 2,) * 2,
    "1 - x": (lambda x: 1 - x,) * 2, "x + 1.5": (lambda x: x + 1.5,) * 2, "x[[1, 0]]": (lambda x: x[[1, 0]],) * 2,
    "x.T": (lambda x: x.T,) * 2, "x @ x.T": (lambda x: x @ x.T,) * 2, "x @ x[0]": (lambda x: x @ x[0],) * 2,
    "sqrt": (lambda x: ops.sqrt(x * x), lambda x: np.sqrt(x * x)),
    "where": (lambda x: ops.where(x > 1, x, x[::-1]), lambda x: np.where(x > 1, x, x[::-1])),
    "where, number": (lambda x: ops.where(x > 1, x, 0), lambda x: np.where(x > 1, x, 0)),
    "clip": (lambda x: ops.clip(x, 0, 5), lambda x: np.clip(x, 0, 5)),
    "relu": (ops.relu, lambda x: np.maximum(x, x.dtype.type(0))),
    "leaky_relu": (ops.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": floats("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))), "erf": floats("erf", special.erf),
    "gelu": floats("gelu", lambda x: x * special.ndtr(x)), "sigmoid": floats("sigmoid", special.expit),
    "softplus": floats("softplus", lambda x: np.logaddexp(0, x)), "logsumexp": floats("logsumexp", special.logsumexp),
    "softmax": floats("softmax", lambda x: special.softmax(x, -1)), "norm": floats("norm", np.linalg.norm),
    "log_softmax": floats("log_softmax", lambda x: special.log_softmax(x, -1)),
    "reshape": (lambda x: ops.reshape(x, (3, 2)), lambda x: x.reshape(3, 2)),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (2, 2, 3)), lambda x: np.broadcast_to(x, (2, 2, 3))),
    "scatter": (lambda x: ops.scatter(x, INDEX, (4, 3)), added),
    "concatenate": (lambda x: ops.concatenate([x, x]), lambda x: np.concatenate([x, x])),
    "stack": (lambda x: ops.stack([x, x]), lambda x: np.stack([x, x])),
    "split": (lambda x: ops.split(x, 2)[1], lambda x: x[1:]),
    "pad": (lambda x: ops.pad(x, 1), lambda x: np.pad(x, 1)),
    "expand_dims": (lambda x: ops.expand_dims(x, 0), lambda x: x[None]),
    "swapaxes": (lambda x: ops.swapaxes(x, 0, 1), np.transpose), "flatten": (lambda x: ops.flatten(x, 0), np.ravel),
    "diag of a vector": (lambda x: ops.diag(x[0]), lambda x: np.diag(x[0])),
    "tril, k": (lambda x: ops.tril(x, 1), lambda x: np.tril(x, 1)),
    "repeat": (lambda x: ops.repeat(x, 2), lambda x: np.repeat(x, 2)),
    "tile": (lambda x: ops.tile(x, 2), lambda x: np.tile(x, 2)),
    "roll": (lambda x: ops.roll(x, 1), lambda x: np.roll(x, 1)),
    "dot": (lambda x: ops.dot(x[0], x[1]), lambda x: np.dot(x[0], x[1])),
    "outer": (lambda x: ops.outer(x[0], x[1]), lambda x: np.outer(x[0], x[1])),
    "einsum": (lambda x: ops.einsum("ij,kj->ik", x, x), lambda x: np.einsum("ij,kj->ik", x, x)),
    "einsum of a diagonal": (lambda x: ops.einsum("ii", x[:, :2]), lambda x: np.einsum("ii", x[:, :2])),
    "linear": (lambda x: ops.linear(x, x.T, x[:, 0]), lambda x: x @ x.T + x[:, 0]),
    "maxout": (lambda x: ops.maxout(x, 3), lambda x: x.reshape(2, 1, 3).max(-1)),
    "embedding": (lambda x: ops.embedding(x, [1, 0]), lambda x: x[[1, 0]]),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")              # NumPy's: division by zero, exp of 2 ** 53
@pytest.mark.parametrize("dtype", ARRAYS)
@pytest.mark.parametrize("name", CASES)
def test_integers_and_truth_values_are_as_numpys(name, dtype):
    x, (ours, reference) = ARRAYS[dtype], CASES[name]
    if dtype == "bool" and name in (*REAL, "1 - x"):
        if name != "1 - x":
            with pytest.raises(TypeError, match="bool|sign"):
                ours(Tensor(x))
        return
    y, wanted = ours(Tensor(x)), np.asarray(reference(x))
    assert isinstance(y, Tensor) and not y.requires_grad
    assert (y.dtype, y.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(y.data, wanted, rtol=1e-14 if wanted.dtype == np.float64 else 1e-3)
    else:
        np.testing.assert_array_equal(y.data, wanted)


def test_the_mean_of_integers_whose_sum_is_too_large_for_one():
    assert ops.mean(Tensor(np.full(4, 2**62))).item() == 2.0**62 == np.mean(np.full(4, 2**62))


def test_every_op_of_the_library_is_here_or_takes_floats_only():
    floats_only = {"astype", "conv2d", "conv2d_x", "conv2d_w", "conv_transpose2d", "batch_norm", "layer_norm", "log",
                   "group_norm", "rms_norm", "adaptive_max_pool2d", "adaptive_avg_pool2d",
                   "max_pool2d", "avg_pool2d", "fractional_max_pool2d", "dropout", "drop_mask", "softmax_cross_entropy",
                   "max_unpool2d", "conv1d", "conv_transpose1d", "max_pool1d", "max_unpool1d", "avg_pool1d",
                   "adaptive_max_pool1d", "adaptive_avg_pool1d"}
    public = {name for name, f in vars(ops).items() if callable(f) and not name.startswith("_") and f is not Tensor}
    tested = {name.split(",")[0].split(" ")[0] for name in CASES} | {"matmul", "getitem"}
    assert public - tested - floats_only == set()
