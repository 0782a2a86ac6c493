"""Derivatives of functions: products with Jacobians and Hessians without the matrices, and the matrices themselves.

    hvp(f, x, v)                          H v for f: x -> a number
    jvp(f, x, v), vjp(f, x, u)            J v and J' u for f: x -> y
    ggnvp(f, loss, x, v)                  J' H_L J v, the Gauss-Newton product (section 8.6)

x is one array or Tensor, or a tuple of them (then f takes several arguments and results are lists). Results are
Tensors. Arrays are constants of any later derivative; if x or v requires a gradient, or anything that f closes over
(a model's parameters), so does the result: derivatives nest to any order, and a penalty on a gradient trains. Under
`no_grad` results have no history, and cost less. Read in this order: `products`, `matrices`, `linearization`,
`examples`.
"""
from minigrad.core import grad
from minigrad.derivatives.products import ggnvp, hvp, inner, jvp, vjp
from minigrad.derivatives.matrices import hessian, hessian_diagonal, jacobian
from minigrad.derivatives.linearization import Linearization
from minigrad.derivatives.examples import ByExample

__all__ = [
    "ByExample", "ggnvp", "grad", "hessian", "hessian_diagonal", "hvp", "inner", "jacobian", "jvp", "Linearization",
    "vjp",
]
