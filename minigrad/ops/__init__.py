"""All differentiable functions. Called with arrays only, each is a NumPy function; with a Tensor, it is recorded."""
from minigrad.core import Tensor
from minigrad.ops.arrange import diag, repeat, roll, tile, trace, tril, triu
from minigrad.ops.conv import conv2d, conv2d_w, conv2d_x, conv_transpose2d
from minigrad.ops.elementwise import (
    abs, add, astype, clip, cos, divide, elu, erf, exp, expm1, gelu, leaky_relu, log, log1p, maximum, minimum, multiply,
    negative, power, relu, sigmoid, sign, sin, softplus, sqrt, square, subtract, tanh, where,
)
from minigrad.ops.linalg import dot, einsum, linear, matmul, outer
from minigrad.ops.norm import batch_norm, layer_norm
from minigrad.ops.pool import avg_pool2d, fractional_max_pool2d, max_pool2d
from minigrad.ops.reduce import argmax, argmin, cumsum, logsumexp, max, mean, min, norm, prod, std, sum, var
from minigrad.ops.shape import (
    broadcast_to, concatenate, expand_dims, flatten, flip, getitem, pad, reshape, scatter, split, squeeze, stack,
    swapaxes, transpose,
)
from minigrad.ops.softmax import log_softmax, softmax, softmax_cross_entropy
from minigrad.ops.units import drop_mask, dropout, embedding, maxout
from minigrad.ops import from_numpy, operators, other_names
from minigrad.ops.other_names import missing_function as __getattr__

operators.attach(Tensor)
from_numpy.attach(Tensor)
other_names.attach(Tensor)
