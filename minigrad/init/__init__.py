"""Initial values of parameters (8.4). `weights`: rules for matrices; `biases`: constants, and what the training set
says; `measured`: scales found by looking at one minibatch.

A rule is a function (shape, rng=..., dtype=...) -> array. Layers take it as `weights=`; one with settings of its own is
bound first: functools.partial(init.orthogonal, gain=init.gain("relu")).
"""
from minigrad.init.weights import (
    constant, fan_in_uniform, fans, gain, glorot_normal, glorot_uniform, he_normal, he_uniform, normal, orthogonal,
    random_walk, random_walk_gain, sparse, uniform, zeros,
)
from minigrad.init.biases import bias_from_marginals, gate_bias, precision_from_marginals, relu_bias
from minigrad.init.measured import lsuv, report

__all__ = [
    "bias_from_marginals", "constant", "fan_in_uniform", "fans", "gain", "gate_bias", "glorot_normal",
    "glorot_uniform", "he_normal", "he_uniform", "lsuv", "normal", "orthogonal", "precision_from_marginals",
    "random_walk", "random_walk_gain", "relu_bias", "report", "sparse", "uniform", "zeros",
]
