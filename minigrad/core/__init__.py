"""The engine: a Tensor is an array that remembers how it was computed; `backward` reads that memory in reverse.

It knows no op and no layer. Read in this order: `graph` (nodes and leaves), `context` (no_grad), `tensor`, `primitive`
(how an op is made), `sweep` (backward and grad).
"""
from minigrad.core.context import is_recording, no_grad, watch, watchers
from minigrad.core.graph import Leaf, Node, behind, changes
from minigrad.core.tensor import (
    Number, Tensor, as_array, contiguous, data_of, default_dtype, shape_of, summed, tensor, wrap,
)
from minigrad.core.primitive import OPS, Op, gradient_array, primitive
from minigrad.core.sweep import backward, grad, pullback, unbroadcast

__all__ = [
    "as_array", "backward", "behind", "changes", "contiguous", "data_of", "default_dtype", "grad", "gradient_array",
    "is_recording", "Leaf", "no_grad", "Node", "Number", "Op", "OPS", "primitive", "pullback", "shape_of", "summed",
    "Tensor", "tensor", "unbroadcast", "watch", "watchers", "wrap",
]
