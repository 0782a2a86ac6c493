"""For type checkers and editors: what is made at run time, where they cannot see it.

Methods: the operators and methods that `minigrad.ops` attaches to Tensor (ops/operators.py); with the first paragraph
of each docstring, and held equal to the class by tests/test_types.py. The others: what `primitive` makes of a
function of arrays, by the number and kind of its arguments.
"""
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, Protocol, Self, overload

import numpy.typing as npt

from minigrad.core.primitive import Op
from minigrad.core.tensor import Tensor
from minigrad.typing import Array, Axes, DType, Shape, TensorLike

P = ParamSpec("P")
Rule = Callable[..., Any] | None

class Primitive(Protocol):
    __name__: str
    op: Op
    def vjps_each(self, *rules: Rule) -> None: ...
    def fused(self, backward: Callable[..., Any]) -> Callable[..., Any]: ...

class Unary(Primitive, Protocol):
    """A differentiable function of one array."""
    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: npt.ArrayLike) -> Array: ...
    def vjps(self, rule: Callable[[Any, Any, Any], Any]) -> None: ...

class Binary(Primitive, Protocol):
    """A differentiable function of two arrays."""
    @overload
    def __call__(self, a: Tensor, b: TensorLike) -> Tensor: ...
    @overload
    def __call__(self, a: npt.ArrayLike, b: Tensor) -> Tensor: ...
    @overload
    def __call__(self, a: npt.ArrayLike, b: npt.ArrayLike) -> Array: ...
    def vjps(self, rule_a: Callable[[Any, Any, Any, Any], Any] | None,
             rule_b: Callable[[Any, Any, Any, Any], Any] | None) -> None: ...

class WithConstants(Primitive, Protocol[P]):
    """A differentiable function of an array and of constants: a shape, an axis."""
    @overload
    def __call__(self, x: Tensor, *args: P.args, **kwargs: P.kwargs) -> Tensor: ...
    @overload
    def __call__(self, x: npt.ArrayLike, *args: P.args, **kwargs: P.kwargs) -> Array: ...
    def vjps(self, *rules: Rule) -> None: ...

class OfSeveral(Primitive, Protocol):
    """A differentiable function of several arrays."""
    def __call__(self, *args: Any) -> Tensor: ...
    def vjps(self, *rules: Rule) -> None: ...

class Methods:
    # ---- operators

    def __add__(self, other: TensorLike) -> Tensor: ...
    def __radd__(self, other: TensorLike) -> Tensor: ...
    def __sub__(self, other: TensorLike) -> Tensor: ...
    def __rsub__(self, other: TensorLike) -> Tensor: ...
    def __mul__(self, other: TensorLike) -> Tensor: ...
    def __rmul__(self, other: TensorLike) -> Tensor: ...
    def __truediv__(self, other: TensorLike) -> Tensor: ...
    def __rtruediv__(self, other: TensorLike) -> Tensor: ...
    def __mod__(self, other: TensorLike) -> Tensor: ...
    def __rmod__(self, other: TensorLike) -> Tensor: ...
    def __floordiv__(self, other: TensorLike) -> Tensor: ...
    def __rfloordiv__(self, other: TensorLike) -> Tensor: ...
    def __pow__(self, other: TensorLike) -> Tensor: ...
    def __rpow__(self, other: TensorLike) -> Tensor: ...
    def __matmul__(self, other: TensorLike) -> Tensor: ...
    def __rmatmul__(self, other: TensorLike) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __pos__(self) -> Self: ...
    def __abs__(self) -> Tensor: ...
    def __round__(self, decimals: int = 0) -> Tensor: ...

    def __lt__(self, other: TensorLike) -> Tensor: ...
    def __le__(self, other: TensorLike) -> Tensor: ...
    def __gt__(self, other: TensorLike) -> Tensor: ...
    def __ge__(self, other: TensorLike) -> Tensor: ...
    def __eq__(self, other: TensorLike) -> Tensor: ...                              # type: ignore[override]
    def __ne__(self, other: TensorLike) -> Tensor: ...                              # type: ignore[override]
    def __and__(self, other: TensorLike) -> Tensor: ...
    def __rand__(self, other: TensorLike) -> Tensor: ...
    def __or__(self, other: TensorLike) -> Tensor: ...
    def __ror__(self, other: TensorLike) -> Tensor: ...
    def __xor__(self, other: TensorLike) -> Tensor: ...
    def __rxor__(self, other: TensorLike) -> Tensor: ...
    def __invert__(self) -> Tensor: ...

    def __iadd__(self, other: TensorLike) -> Self: ...
    def __isub__(self, other: TensorLike) -> Self: ...
    def __imul__(self, other: TensorLike) -> Self: ...
    def __itruediv__(self, other: TensorLike) -> Self: ...
    def __ipow__(self, other: TensorLike) -> Self: ...
    def __imatmul__(self, other: TensorLike) -> Self: ...
    def __imod__(self, other: TensorLike) -> Self: ...
    def __ifloordiv__(self, other: TensorLike) -> Self: ...
    def __iand__(self, other: TensorLike) -> Self: ...
    def __ior__(self, other: TensorLike) -> Self: ...
    def __ixor__(self, other: TensorLike) -> Self: ...

    def __getitem__(self, index: Any) -> Tensor: ...
    def __iter__(self) -> Iterator[Tensor]: ...

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""

    # ---- functions of each element

    def exp(self) -> Tensor:
        """e ** x."""

    def exp2(self) -> Tensor:
        """2 ** x."""

    def expm1(self) -> Tensor:
        """e ** x - 1, accurate for small x."""

    def log(self) -> Tensor:
        """Natural logarithm."""

    def log2(self) -> Tensor:
        """Logarithm to base 2."""

    def log10(self) -> Tensor:
        """Logarithm to base 10."""

    def log1p(self) -> Tensor:
        """log(1 + x), accurate for small x."""

    def sqrt(self) -> Tensor:
        """Square root; the derivative at 0 is inf."""

    def square(self) -> Tensor:
        """x * x."""

    def sin(self) -> Tensor:
        """Sine."""

    def cos(self) -> Tensor:
        """Cosine."""

    def tan(self) -> Tensor:
        """Tangent."""

    def arcsin(self) -> Tensor:
        """The angle in [-pi/2, pi/2] whose sine is x."""

    def arccos(self) -> Tensor:
        """The angle in [0, pi] whose cosine is x."""

    def arctan(self) -> Tensor:
        """The angle in (-pi/2, pi/2) whose tangent is x."""

    def sinh(self) -> Tensor:
        """Hyperbolic sine, (e^x - e^-x) / 2."""

    def cosh(self) -> Tensor:
        """Hyperbolic cosine, (e^x + e^-x) / 2."""

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""

    def arcsinh(self) -> Tensor:
        """The inverse of sinh, log(x + sqrt(x^2 + 1))."""

    def arccosh(self) -> Tensor:
        """The inverse of cosh for x >= 1, not negative."""

    def arctanh(self) -> Tensor:
        """The inverse of tanh for x in (-1, 1); -inf and inf at the ends."""

    def sigmoid(self) -> Tensor:
        """1 / (1 + e^-x), without overflow at either end."""

    def softplus(self) -> Tensor:
        """log(1 + e^x), without overflow."""

    def relu(self) -> Tensor:
        """Rectified linear, max(x, 0); the derivative at 0 is 0, and NaN stays NaN both ways."""

    def abs(self) -> Tensor:
        """|x|; the derivative at 0 is 0."""

    def sign(self) -> Tensor:
        """-1, 0 or 1; the derivative is 0."""

    def floor(self) -> Tensor:
        """The largest integer <= x; the derivative is 0."""

    def ceil(self) -> Tensor:
        """The smallest integer >= x; the derivative is 0."""

    def round(self, decimals: int = 0) -> Tensor:
        """The nearest multiple of 10 ** -decimals, ties to the even one; the derivative is 0."""

    def logaddexp(self, b: TensorLike) -> Tensor:
        """log(e^a + e^b), without overflow."""

    def clip(self, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
        """x limited to [low, high] (numbers or arrays, not differentiated; None: none); the derivative is 1 at the
        ends."""

    # ---- reductions

    def sum(self, axis: Axes = None, keepdims: bool = False, *, dtype: DType | None = None) -> Tensor:
        """Sum over axes. The sum of nothing is 0. dtype: what x is converted to first."""

    def prod(self, axis: Axes = None, keepdims: bool = False, dtype: DType | None = None) -> Tensor:
        """Product over axes. The product of nothing is 1."""

    def mean(self, axis: Axes = None, keepdims: bool = False, dtype: DType | None = None) -> Tensor:
        """Arithmetic mean over axes. Raises ValueError for the mean of nothing."""

    def var(self, axis: Axes = None, keepdims: bool = False, ddof: float = 0, dtype: DType | None = None) -> Tensor:
        """Variance over axes: the mean squared deviation, times n/(n - ddof). Two passes: a large mean does no
        harm."""

    def std(self, axis: Axes = None, keepdims: bool = False, ddof: float = 0, dtype: DType | None = None) -> Tensor:
        """Standard deviation over axes, the root of `var`."""

    def max(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Largest element over axes; ties share the gradient. Raises ValueError if there is none."""

    def min(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Smallest element over axes; ties share the gradient. Raises ValueError if there is none."""

    def norm(self, axis: Axes = None, keepdims: bool = False, order: float = 2) -> Tensor:
        """Norm over axes, (sum |x|^order)^(1/order), by default the Euclidean; the derivative at 0 is 0."""

    def logsumexp(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """log(sum(exp(x))) over axes, without overflow."""

    def argmax(self, axis: int | None = None) -> Tensor:
        """Index of the (first) largest element over one axis, or of the flattened x; integers, no gradient."""

    def argmin(self, axis: int | None = None) -> Tensor:
        """Index of the (first) smallest element over one axis, or of the flattened x; integers, no gradient."""

    def all(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Whether all of the elements over axes is true; no gradient."""

    def any(self, axis: Axes = None, keepdims: bool = False) -> Tensor:
        """Whether any of the elements over axes is true; no gradient."""

    def softmax(self, axis: int = -1, dtype: DType | None = None) -> Tensor:
        """exp(x) / sum(exp(x)): positive, summing to 1 over `axis`."""

    def log_softmax(self, axis: int = -1, dtype: DType | None = None) -> Tensor:
        """log(softmax(x)), accurate where softmax underflows."""

    # ---- along an axis

    def cumsum(self, axis: int | None = None, dtype: DType | None = None) -> Tensor:
        """Running sums along an axis (None: of the flattened x): y_i = x_1 + ... + x_i. The same shape."""

    def cumprod(self, axis: int | None = None, dtype: DType | None = None) -> Tensor:
        """Running products along an axis (None: of the flattened x): y_i = x_1 ... x_i. The same shape."""

    def diff(self, n: int = 1, axis: int = -1) -> Tensor:
        """Differences of neighbours along an axis, x_{i+1} - x_i, n times over: one element fewer each time."""

    def argsort(self, axis: int | None = -1, descending: bool = False) -> Tensor:
        """Where the elements of a sorted x come from, along an axis (None: of the flattened x). Integers, no
        gradient."""

    def topk(self, k: int, axis: int | None = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
        """The k largest elements along an axis, in descending order, and where they are: (values, integers)."""

    # ---- shapes

    def reshape(self, *sizes: int | Shape) -> Tensor:
        """The same elements, in C order, in another shape: sizes, or one tuple of them (one may be -1)."""

    def transpose(self, *axes: int | Shape) -> Tensor:
        """Axes in the order given, a permutation, or one tuple; reversed by default."""

    def swapaxes(self, a: int, b: int) -> Tensor:
        """Axes a and b exchanged."""

    def flatten(self, start: int = 0) -> Tensor:
        """All axes from `start` on as one. (The function ops.flatten keeps the first, the examples, by default.)"""

    def ravel(self) -> Tensor:
        """All elements in one axis."""

    def squeeze(self, axis: Axes = None) -> Tensor:
        """Axes of size 1 removed: all, or those named (an int or a tuple)."""

    def repeat(self, repeats: npt.ArrayLike, axis: int | None = None) -> Tensor:
        """Each element `repeats` times, one after the other, along an axis (None: of the flattened x): a, a, b, b."""

    def trace(self, k: int = 0) -> Tensor:
        """Sum of the k-th diagonal of a matrix (m, n)."""

    # ---- the rest

    def dot(self, other: TensorLike) -> Tensor:
        """As ndarray.dot, the product @ of vectors and matrices."""

    def astype(self, dtype: DType) -> Tensor:
        """Converted values; between float32 and float64 gradients follow, integers end them."""

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; one number for a Tensor without axes."""

    def backward(self, g: TensorLike | None = None, retain_graph: bool = False) -> None:
        """Add dJ/dx to x.grad for every leaf x that this Tensor was computed from."""
