"""Modules: parameters laid out in one vector, and the layers made of them."""
from typing import TYPE_CHECKING

from minigrad.nn.parameters import Parameter, Parameters
from minigrad.nn.module import Module, fixed_statistics, observe
from minigrad.nn.layers import (
    ELU, Embedding, Flatten, GELU, Identity, LeakyReLU, Linear, LogSoftmax, Maxout, ReLU, Residual, Sequential, Sigmoid,
    Softmax, Softplus, Tanh,
)
from minigrad.nn.convolution import (
    AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, Conv2d, ConvTranspose2d, FractionalMaxPool2d, GlobalAvgPool,
    MaxPool2d,
)
from minigrad.nn.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, redundant_biases
from minigrad.nn.recurrent import GRUCell, LSTMCell, Recurrent, RNNCell
from minigrad.nn.regularize import DropConnect, Dropout, DropoutAtTest, StochasticDepth
from minigrad.nn.sequences import (
    AdaptiveAvgPool1d, AdaptiveMaxPool1d, AvgPool1d, Conv1d, ConvTranspose1d, MaxPool1d,
)
from minigrad.nn.shortcuts import AuxiliaryHead, Highway, auxiliary_loss, discard_heads
from minigrad.nn import other_names, regularize

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "auxiliary_loss",
    "AuxiliaryHead", "AvgPool1d", "AvgPool2d", "BatchNorm", "Conv1d", "Conv2d", "ConvTranspose1d",
    "ConvTranspose2d", "discard_heads", "DropConnect", "Dropout", "DropoutAtTest", "ELU", "Embedding",
    "fixed_statistics", "Flatten", "FractionalMaxPool2d", "GELU", "GlobalAvgPool", "GroupNorm", "GRUCell",
    "Highway", "Identity", "InstanceNorm", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "LSTMCell", "Maxout",
    "MaxPool1d", "MaxPool2d", "Module", "observe", "Parameter", "Parameters", "Recurrent", "redundant_biases",
    "regularize", "ReLU", "Residual", "RMSNorm", "RNNCell", "Sequential", "Sigmoid", "Softmax", "Softplus",
    "StochasticDepth", "Tanh",
]

if not TYPE_CHECKING:                    # checkers would take every name for a layer
    from minigrad.nn.other_names import missing_layer as __getattr__
