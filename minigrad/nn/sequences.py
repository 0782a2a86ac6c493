"""Layers for sequences, channels last: (n, l, c). Convolution and pooling are those of images one pixel high.

Batch norm needs no layer of its own: `nn.BatchNorm` takes (n, l, c) as it takes images.
"""
from __future__ import annotations

from typing import Any, ClassVar

from minigrad import init, ops
from minigrad.arguments import count, flag, pair
from minigrad.core import Tensor, default_dtype
from minigrad.nn.convolution import grouped, options, padded, padding_of, refuse_word, window_of
from minigrad.nn.layers import has_bias, initial
from minigrad.nn.module import Module
from minigrad.nn.parameters import Parameter
from minigrad.ops.conv import sides
from minigrad.random import generator
from minigrad.typing import DType, Initializer, Layer, Pair, Random


def ends(layer: str, padding: Any, same: bool = True) -> Any:
    """Refuse a padding that is no integer >= 0, no (before, after), and not "same" either."""
    if isinstance(padding, str):
        refuse_word(layer, padding, same)
    else:
        pair(layer, "padding", padding, least=0)
    return padding


class Conv1d(Module):
    """Convolution of sequences: (n, l, inputs) -> (n, ol, outputs), ol = floor((l + 2 padding - size) / stride) + 1.

    W is (size, inputs / groups, outputs). size, stride, dilation: integers; padding: an integer, (before, after) or
    "same", see `ops.conv1d`. groups, bias, weights, biases, padding_mode, rng: as in Conv2d.
    """
    stride: int
    dilation: int
    padding: Any
    groups: int

    b: Parameter | None

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, padding: Pair | str = 0,
                 dilation: int = 1, groups: int = 1, bias: bool = True, weights: Initializer = init.fan_in_uniform,
                 rng: Random = None, dtype: DType = default_dtype, biases: Initializer = init.zeros,
                 padding_mode: str = "constant") -> None:
        inside, size = grouped("Conv1d", inputs, outputs, groups), count("Conv1d", "size", size)
        self.stride, self.dilation = count("Conv1d", "stride", stride), count("Conv1d", "dilation", dilation)
        self.padding, self.groups = ends("Conv1d", padding), groups
        self.padding_mode: str = padding_of("Conv1d", padding_mode)
        rng = generator(rng)
        self.w: Parameter = initial("Conv1d", (size, inside, outputs), rng, dtype, weights=weights)
        self.b = initial("Conv1d", (outputs,), rng, dtype, biases=biases) if has_bias("Conv1d", bias) else None

    def forward(self, x: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "constant":
            span = self.dilation * (len(self.w) - 1) + 1
            widths = sides("Conv1d", padding, x.shape[1:-1], [span], [self.stride]) if padding == "same" else \
                [pair("Conv1d", "padding", padding, least=0)]
            x, padding = padded("Conv1d", x, widths, self.padding_mode), 0
        return ops.conv1d(x, self.w, self.stride, padding, self.dilation, self.groups, self.b)

    def describe(self) -> str:
        size, inside, outputs = self.w.shape
        return f"Conv1d({inside * self.groups}, {outputs}, {size}{options(self)})"


class ConvTranspose1d(Module):
    """Transposed convolution, the gradient of a Conv1d(outputs, inputs) as a layer: (n, l, inputs) -> (n, ol, outputs),
    ol = (l - 1) stride - 2 padding + dilation (size - 1) + 1 + output_padding.

    W is (size, outputs / groups, inputs), that of the convolution the other way; its initializer is asked for
    (size, inputs / groups, outputs), so that fan_in counts what comes in. Arguments as in Conv1d, padding not "same".
    """
    stride: int
    dilation: int
    padding: Any
    output_padding: int
    groups: int
    b: Parameter | None
    unit_axis = -2                      # and along the last axis, a unit of each group

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, padding: Pair = 0,
                 output_padding: int = 0, dilation: int = 1, groups: int = 1, bias: bool = True,
                 weights: Initializer = init.fan_in_uniform, rng: Random = None, dtype: DType = default_dtype,
                 biases: Initializer = init.zeros) -> None:
        layer = "ConvTranspose1d"
        shape = (count(layer, "size", size), grouped(layer, inputs, outputs, groups), outputs)
        self.stride, self.dilation = count(layer, "stride", stride), count(layer, "dilation", dilation)
        if count(layer, "output_padding", output_padding, least=0) >= max(stride, dilation):
            raise ValueError(f"{layer}: output_padding must be smaller than stride or dilation, got {output_padding!r} "
                             f"for stride {stride!r} and dilation {dilation!r}")
        self.padding, self.output_padding, self.groups = ends(layer, padding, same=False), output_padding, groups
        rng = generator(rng)
        forward = initial(layer, shape, rng, dtype, weights=weights).data.reshape(*shape[:2], groups, -1)
        self.w: Parameter = Parameter(forward.transpose(0, 3, 2, 1).reshape(size, outputs // groups, inputs))
        self.b = initial(layer, (outputs,), rng, dtype, biases=biases) if has_bias(layer, bias) else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv_transpose1d(x, self.w, self.stride, self.padding, self.output_padding, self.dilation,
                                    self.groups, self.b)

    def describe(self) -> str:
        size, outside, inputs = self.w.shape
        return f"ConvTranspose1d({inputs}, {outside * self.groups}, {size}{options(self)})"


class MaxPool1d(Module):
    """Largest number of each window: (n, l, c) -> (n, ol, c). Arguments as in MaxPool2d, each an integer."""
    size: int
    dilation: int
    stride: int | None
    ceil_mode: bool
    padding: Any

    def __init__(self, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
                 dilation: int = 1) -> None:
        self.window(size, stride, padding, ceil_mode, dilation)

    def window(self, size: int, stride: int | None, padding: int | str, ceil_mode: bool, dilation: int = 1) -> None:
        """Check and keep what both pools have."""
        layer = type(self).__name__
        self.size, self.dilation = count(layer, "size", size), count(layer, "dilation", dilation)
        self.stride = None if stride is None else count(layer, "stride", stride)
        self.ceil_mode = flag(layer, "ceil_mode", ceil_mode)
        self.padding = ends(layer, padding) if isinstance(padding, str) else count(layer, "padding", padding, least=0)
        if not isinstance(padding, str) and padding >= dilation * (size - 1) + 1:
            raise ValueError(f"{layer}: padding must be smaller than the window, got padding {padding} and size {size}")

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool1d(x, self.size, self.stride, self.padding, self.ceil_mode, self.dilation)

    def describe(self) -> str:
        return window_of(self)


class AvgPool1d(MaxPool1d):
    """Mean over each window: (n, l, c) -> (n, ol, c). Arguments as in AvgPool2d, each an integer."""

    def __init__(self, size: int, stride: int | None = None, padding: int | str = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        self.window(size, stride, padding, ceil_mode)
        self.count_include_pad: bool = flag("AvgPool1d", "count_include_pad", count_include_pad)

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool1d(x, self.size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AdaptiveMaxPool1d(Module):
    """Largest number of each of `output` windows that cover the sequence evenly: (n, l, c) -> (n, output, c)."""
    pool: ClassVar[Layer] = staticmethod(ops.adaptive_max_pool1d)

    def __init__(self, output: int) -> None:
        self.output: int = count(type(self).__name__, "output", output)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x, self.output)

    def describe(self) -> str:
        return f"{type(self).__name__}({self.output})"


class AdaptiveAvgPool1d(AdaptiveMaxPool1d):
    """Mean over each of `output` windows that cover the sequence evenly: (n, l, c) -> (n, output, c)."""
    pool: ClassVar[Layer] = staticmethod(ops.adaptive_avg_pool1d)
