"""Modules: parameters laid out in one vector, and the layers made of them."""
from minigrad.nn.parameters import Parameter, Parameters
from minigrad.nn.module import Module, fixed_statistics, observe
from minigrad.nn.layers import Flatten, GELU, Linear, ReLU, Residual, Sequential, Sigmoid, Softplus, Tanh
