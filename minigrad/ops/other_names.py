"""What other libraries call it: an argument or attribute that does not exist names what does the work here."""
from inspect import getattr_static
from typing import Any, Never

ARGUMENTS = {                             # word -> what to write, with the value that was given
    "dim": "axis={}", "keepdim": "keepdims={}", "correction": "ddof={}", "unbiased": "ddof=1, or 0 for the biased one",
    "dtype": "x.astype({}) first", "out": "y = ..., the result is a new array",
    "ord": "order={}", "p": "order={}",
}

_MOVE = "there is one device, the processor"
_CAST = "convert with x.astype(np.float32), x.astype(np.int64), ..."
_COPY = "x * 1 with its history, mg.tensor(x.data) without"
_WRITE = "with no_grad(): x += ..., or x.data = ...; no method changes x in place"
ATTRIBUTES = {                            # of a Tensor
    "to": f"{_MOVE}; {_CAST}", "cuda": _MOVE, "cpu": _MOVE, "device": _MOVE, "float": _CAST, "double": _CAST,
    "long": _CAST, "int": _CAST, "view": "x.reshape(...)", "permute": "x.transpose(...)", "t": "x.T", "dim": "x.ndim",
    "numel": "x.size", "unsqueeze": "ops.expand_dims(x, axis)", "expand": "ops.broadcast_to(x, shape)",
    "clamp": "x.clip(low, high)", "pow": "x ** n", "matmul": "x @ y", "mm": "x @ y", "bmm": "x @ y", "clone": _COPY,
    "copy": _COPY, "gather": "ops.take_along_axis(x, index, axis)",
    "masked_fill": "ops.where(mask, value, x)", "add_": _WRITE, "sub_": _WRITE,
    "mul_": _WRITE, "copy_": _WRITE, "fill_": _WRITE, "zero_": "x.data = np.zeros_like(x.data)",
    "detach_": "x = x.detach()", "requires_grad_": "x.requires_grad = True", "grad_fn": "minigrad.graph.draw(x)",
    "asin": "x.arcsin()", "acos": "x.arccos()", "atan": "x.arctan()", "asinh": "x.arcsinh()", "acosh": "x.arccosh()",
    "atanh": "x.arctanh()", "sort": "ops.sort(x) and x.argsort()", "trunc": "x.sign() * x.abs().floor()",
    "retain_grad": "mg.grad(y, x), for any Tensor x on the way", "register_hook": "mg.grad(y, x), for any Tensor x",
}
FUNCTIONS = {                             # of minigrad.ops
    "cat": "concatenate", "view": "reshape",
    "mm": "matmul", "bmm": "matmul", "permute": "transpose", "clamp": "clip", "unsqueeze": "expand_dims",
    "pow": "power", "mul": "multiply", "sub": "subtract", "div": "divide", "amax": "max", "amin": "min",
    "expand": "broadcast_to", "take": "getitem, x[index]", "gather": "take_along_axis",
    "masked_fill": "where", "swish": "x * sigmoid(x)", "silu": "x * sigmoid(x)", "logistic": "sigmoid",
    "ravel": "reshape", "chunk": "split", "cross_entropy": "minigrad.losses.cross_entropy",
    "mse_loss": "minigrad.losses.mean_squared_error", "zeros": "np.zeros", "ones": "np.ones", "arange": "np.arange",
    "randn": "np.random.default_rng(seed).standard_normal", "fabs": "abs",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "mod": "remainder", "fmod": "remainder", "rint": "round", "movedim": "moveaxis", "row_stack": "vstack",
}


def unknown(function: str, other: dict[str, Any]) -> TypeError:
    """The TypeError for arguments that a function does not have."""
    word, value = next(iter(other.items()))
    instead = ARGUMENTS.get(word, "").format(f"{value!r:.40}")
    return TypeError(f"{function}: there is no argument {word!r:.60}" + (f"; write {instead}" if instead else ""))


class Missing:
    """An attribute of Tensor, or of another class, that is none: reading it raises the AttributeError that says what to
    write. An object may have an attribute of that name all the same.

    (A `__getattr__` would do without these, but every attribute of every Tensor would take twice the time.)
    """

    def __init__(self, owner: str, name: str, instead: str) -> None:
        self.owner, self.name, self.instead = owner, name, instead

    def __get__(self, instance: Any, cls: Any) -> Never:
        raise AttributeError(f"a {self.owner} has no attribute {self.name!r}: {self.instead}")


def attach(cls: type[Any], hints: dict[str, str] = ATTRIBUTES) -> None:
    """Give the class the hints; completion does not show them."""
    for name, instead in hints.items():
        setattr(cls, name, Missing(cls.__name__, name, instead))
    cls.__dir__ = lambda self: [name for name in object.__dir__(self) if not isinstance(
        getattr_static(type(self), name, None), Missing) or name in getattr(self, "__dict__", ())]


def missing_function(name: str) -> Never:
    """`__getattr__` of minigrad.ops."""
    instead = FUNCTIONS.get(name)
    raise AttributeError(f"minigrad.ops has no {name!r}" + (f": {instead}" if instead else ""))
