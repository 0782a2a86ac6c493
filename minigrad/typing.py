"""The types that annotations name, for editors and type checkers. Shapes are in the docstrings: no checker knows them.

A function of one array, `def f(x: X) -> X`, gives back what it was given, a Tensor or an array. A function of several
is written `def f(a: TensorLike, b: TensorLike) -> Tensor`: of arrays alone it makes an array, which is not said.
"""
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from minigrad.core.tensor import Tensor

__all__ = ["Array", "ArrayLike", "Axes", "DType", "FilePath", "Halves", "Initializer", "Layer", "Loss", "Pair",
           "Random", "Reduction", "Shape", "TensorLike", "X"]

Array: TypeAlias = npt.NDArray[Any]
ArrayLike: TypeAlias = npt.ArrayLike                        # what np.asarray takes: an array, a number, nested lists
TensorLike: TypeAlias = "Tensor | npt.ArrayLike"
X = TypeVar("X", "Tensor", Array)

Shape: TypeAlias = Sequence[int]
FilePath: TypeAlias = str | os.PathLike[str]
Halves: TypeAlias = tuple[tuple[Array, Array], tuple[Array, Array]]         # (x, y), (x_test, y_test)
Axes: TypeAlias = int | Sequence[int] | None                # None: all of them
Pair: TypeAlias = int | Sequence[int]                       # for rows and columns: one number for both, or two
DType: TypeAlias = str | type[Any] | np.dtype[Any]
Initializer: TypeAlias = Callable[..., Any]                 # f(shape, rng=..., dtype=...) -> array
Layer: TypeAlias = Callable[[Any], Any]                     # a module, or a function such as ops.relu
Loss: TypeAlias = Callable[..., Any]                        # f(outputs, targets) -> Tensor (), such as cross_entropy
Reduction: TypeAlias = Literal["mean", "sum", "none"]
Random: TypeAlias = "int | np.random.Generator | None"      # a seed, a generator, or the thread's default
