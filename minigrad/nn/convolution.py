"""Layers for images, channels last: (n, h, w, c)."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from minigrad import init, ops
from minigrad.arguments import counts, flag, number, pair
from minigrad.core import Tensor, default_dtype
from minigrad.nn.layers import has_bias, initial
from minigrad.nn.module import Module
from minigrad.nn.parameters import Parameter
from minigrad.nn.regularize import own_generator
from minigrad.ops.conv import Padding, sides
from minigrad.random import generator
from minigrad.typing import DType, Initializer, Layer, Pair, Random


def refuse_word(layer: str, padding: str, same: bool) -> None:
    """ValueError for a padding in words that is not "same", and for that one where it has no meaning."""
    if padding != "same" or not same:
        wanted = 'numbers or "same"' if same else "numbers"
        raise ValueError(f"{layer}: padding must be {wanted}, got {padding!r}")


def border(layer: str, padding: Any, same: bool = True) -> Any:
    """Refuse a padding that is no integer >= 0, no pair of them, no pair of such pairs, and not "same" either."""
    if isinstance(padding, str):
        refuse_word(layer, padding, same)
    elif isinstance(padding, tuple | list) and len(padding) == 2 and isinstance(padding[0], tuple | list):
        for side in padding:
            pair(layer, "padding", side, least=0)
    else:
        pair(layer, "padding", padding, least=0)
    return padding


PADDING_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")                    # NumPy's names
OF_PYTORCH = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}


def padding_of(layer: str, mode: str) -> str:
    """Refuse a padding_mode that `ops.pad` does not have."""
    if mode not in PADDING_MODES:
        hint = f'; write "{OF_PYTORCH[mode]}"' if mode in OF_PYTORCH else ""
        raise ValueError(f"{layer}: padding_mode must be one of {', '.join(PADDING_MODES)}, got {mode!r:.60}{hint}")
    return mode


class Conv2d(Module):
    """Convolution: (n, h, w, inputs) -> (n, oh, ow, outputs), oh = floor((h + 2 padding - size) / stride) + 1.

    W is (kh, kw, inputs / groups, outputs): flattened, the matrix of a Linear that sees one window. size, stride,
    dilation: an integer or a pair; padding: also "same" or ((top, bottom), (left, right)), see `ops.conv2d`. groups:
    output channels of a group see its input channels only. bias=False: leave b out (redundant before batch norm).
    padding_mode: "constant" (zeros), or what the padding repeats of the image, as in `ops.pad`: "edge", "reflect",
    "symmetric", "wrap". weights, biases: initializers; rng: int, Generator or None.
    """
    stride: Pair
    padding: Any
    padding_mode: str = "constant"
    dilation: Pair
    groups: int
    b: Parameter | None

    def __init__(self, inputs: int, outputs: int, size: Pair, stride: Pair = 1, padding: Padding = 0,
                 dilation: Pair = 1, groups: int = 1, bias: bool = True, weights: Initializer = init.fan_in_uniform,
                 rng: Random = None, dtype: DType = default_dtype, biases: Initializer = init.zeros,
                 padding_mode: str = "constant") -> None:
        layer = type(self).__name__
        inside, size = grouped(layer, inputs, outputs, groups), pair(layer, "size", size)
        pair(layer, "stride", stride)
        pair(layer, "dilation", dilation)
        self.stride, self.padding, self.dilation, self.groups = stride, border(layer, padding), dilation, groups
        self.padding_mode = padding_of(layer, padding_mode)
        rng = generator(rng)
        self.w: Parameter = initial(layer, (*size, inside, outputs), rng, dtype, weights=weights)
        self.b = initial(layer, (outputs,), rng, dtype, biases=biases) if has_bias(layer, bias) else None

    def forward(self, x: Tensor) -> Tensor:
        return self._convolved(x, self.w, self.groups, self.b)

    def _convolved(self, x: Tensor, w: Tensor, groups: int, b: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "constant":
            spans = [d * (n - 1) + 1 for d, n in zip(pair("Conv2d", "dilation", self.dilation), w.shape)]
            widths = sides("Conv2d", padding, x.shape[1:-1], spans, pair("Conv2d", "stride", self.stride))
            x, padding = padded("Conv2d", x, widths, self.padding_mode), 0
        return ops.conv2d(x, w, self.stride, padding, self.dilation, groups, b)

    @property
    def windows(self) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        """The function of x (n, h, w, c) that gives what w sees of it, (n, oh, ow, kh kw c), an array with the entries
        of a window in the order of w's; None with groups, where no output sees a whole window."""
        return self._windows if self.groups == 1 else None

    def _windows(self, x: NDArray[Any]) -> NDArray[Any]:
        shape = self.w.shape[:3]
        copies = np.eye(math.prod(shape), dtype=x.dtype).reshape(*shape, -1)         # each copies one entry
        return np.asarray(self._convolved(Tensor(x), Tensor(copies), 1, None).data)

    def describe(self) -> str:
        kh, kw, inside, outputs = self.w.shape
        return f"Conv2d({inside * self.groups}, {outputs}, {(kh, kw)}{options(self)})"



def padded(layer: str, x: Tensor, widths: Sequence[Sequence[int]], mode: str) -> Tensor:
    """x surrounded by itself, as `widths`, (before, after) for each axis between the first and the last, have it."""
    if x.ndim != len(widths) + 2:
        raise ValueError(f"{layer}: wanted {'images (n, h, w, c)' if len(widths) == 2 else 'sequences (n, l, c)'}, "
                         f"got shape {x.shape}")
    return ops.pad(x, ((0, 0), *widths, (0, 0)), mode=mode)


def options(layer: Any) -> str:
    """What differs from a plain convolution, for `describe`."""
    plain = (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1), ("groups", 1),
             ("padding_mode", "constant"))
    other = [f", {name}={value!r}" for name, default in plain if (value := getattr(layer, name, default)) != default]
    return "".join(other) + ("" if layer.b is not None else ", bias=False")


def grouped(layer: str, inputs: int, outputs: int, groups: int) -> int:
    """Channels that one group sees."""
    inputs, outputs, groups = counts(layer, inputs=inputs, outputs=outputs, groups=groups)
    if inputs % groups or outputs % groups:
        raise ValueError(f"{layer}: groups must divide inputs and outputs, got {groups} for {inputs} and {outputs}")
    return inputs // groups


class ConvTranspose2d(Conv2d):
    """Transposed convolution, the gradient of a Conv2d(outputs, inputs) as a layer: (n, h, w, inputs) ->
    (n, oh, ow, outputs), oh = (h - 1) stride - 2 padding + dilation (kh - 1) + 1 + output_padding.

    W is (kh, kw, outputs / groups, inputs), that of the convolution the other way; its initializer is asked for
    (kh, kw, inputs / groups, outputs), so that fan_in counts what comes in. Arguments as in Conv2d, padding not "same".
    """
    stride: Pair
    padding: Any
    output_padding: Pair
    dilation: Pair
    groups: int
    b: Parameter | None
    unit_axis = -2                      # and along the last axis, a unit of each group

    def __init__(self, inputs: int, outputs: int, size: Pair, stride: Pair = 1, padding: Padding = 0,
                 output_padding: Pair = 0, dilation: Pair = 1, groups: int = 1, bias: bool = True,
                 weights: Initializer = init.fan_in_uniform, rng: Random = None, dtype: DType = default_dtype,
                 biases: Initializer = init.zeros) -> None:
        layer = "ConvTranspose2d"
        shape = (*pair(layer, "size", size), grouped(layer, inputs, outputs, groups), outputs)
        steps = zip(pair(layer, "output_padding", output_padding, least=0), pair(layer, "stride", stride),
                    pair(layer, "dilation", dilation))
        if any(more >= max(s, d) for more, s, d in steps):
            raise ValueError(f"{layer}: output_padding must be smaller than stride or dilation, got {output_padding!r} "
                             f"for stride {stride!r} and dilation {dilation!r}")
        self.stride, self.padding, self.output_padding = stride, border(layer, padding, same=False), output_padding
        self.dilation, self.groups = dilation, groups
        rng = generator(rng)
        forward = initial(layer, shape, rng, dtype, weights=weights).data.reshape(*shape[:3], groups, -1)
        self.w: Parameter = Parameter(forward.transpose(0, 1, 4, 3, 2).reshape(*shape[:2], outputs // groups, inputs))
        self.b = initial(layer, (outputs,), rng, dtype, biases=biases) if has_bias(layer, bias) else None

    @property
    def windows(self) -> None:
        """None: an output is a sum over several places, and no one window is all it sees."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv_transpose2d(x, self.w, self.stride, self.padding, self.output_padding, self.dilation,
                                    self.groups, self.b)

    def describe(self) -> str:
        kh, kw, outside, inputs = self.w.shape
        return f"ConvTranspose2d({inputs}, {outside * self.groups}, {(kh, kw)}{options(self)})"


# -------------------------------------------------------------------------------------------------------------- pooling

class MaxPool2d(Module):
    """Largest number of each window: (n, h, w, c) -> (n, oh, ow, c). stride: default size. padding: also "same".

    ceil_mode: one window more where the last ones would leave pixels out. dilation: from one pixel of a window to the
    next. See `ops.max_pool2d`, which says also where the maxima lie.
    """
    size: tuple[int, int]
    stride: Pair | None
    padding: Pair | str
    dilation: Pair
    ceil_mode: bool

    def __init__(self, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
                 dilation: Pair = 1) -> None:
        self.window(size, stride, padding, ceil_mode, dilation)

    def window(self, size: Pair, stride: Pair | None, padding: Pair | str, ceil_mode: bool, dilation: Pair = 1) -> None:
        """Check and keep what all pools have."""
        layer = type(self).__name__
        self.ceil_mode = flag(layer, "ceil_mode", ceil_mode)
        self.size, self.stride, self.padding, self.dilation = pair(layer, "size", size), stride, padding, dilation
        if stride is not None:
            pair(layer, "stride", stride)
        spans = [d * (n - 1) + 1 for d, n in zip(pair(layer, "dilation", dilation), self.size)]
        if isinstance(padding, str):
            border(layer, padding)
        elif any(p >= span for p, span in zip(pair(layer, "padding", padding, least=0), spans)):
            raise ValueError(f"{layer}: padding must be smaller than the window, got padding {padding!r} "
                             f"and size {self.size}")

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.size, self.stride, self.padding, self.ceil_mode, self.dilation)

    def describe(self) -> str:
        return window_of(self)


def window_of(pool: Any) -> str:
    """What a pool of images or sequences is, for `describe`."""
    plain = (("stride", None), ("padding", 0), ("ceil_mode", False), ("dilation", 1), ("count_include_pad", True))
    other = [f", {name}={value!r}" for name, default in plain if (value := getattr(pool, name, default)) != default]
    return f"{type(pool).__name__}({pool.size}{''.join(other)})"


class AvgPool2d(MaxPool2d):
    """Mean over each window, zeros of the padding included: (n, h, w, c) -> (n, oh, ow, c). stride: default size.

    count_include_pad=False: the mean of the image's pixels alone. padding, ceil_mode: as in MaxPool2d.
    """

    def __init__(self, size: Pair, stride: Pair | None = None, padding: Pair | str = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        self.window(size, stride, padding, ceil_mode)
        self.count_include_pad: bool = flag("AvgPool2d", "count_include_pad", count_include_pad)

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AdaptiveMaxPool2d(Module):
    """Largest number of each of `output` windows that cover the image evenly: (n, h, w, c) -> (n, oh, ow, c).

    output: (oh, ow), or an integer for both.
    """
    pool: ClassVar[Layer] = staticmethod(ops.adaptive_max_pool2d)

    def __init__(self, output: Pair) -> None:
        self.output: tuple[int, int] = pair(type(self).__name__, "output", output)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x, self.output)

    def describe(self) -> str:
        return f"{type(self).__name__}({self.output})"


class AdaptiveAvgPool2d(AdaptiveMaxPool2d):
    """Mean over each of `output` windows that cover the image evenly: (n, h, w, c) -> (n, oh, ow, c)."""
    pool: ClassVar[Layer] = staticmethod(ops.adaptive_avg_pool2d)


class GlobalAvgPool(Module):
    """Mean over all pixels: (n, h, w, c) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4:
            raise ValueError(f"GlobalAvgPool: wanted images (n, h, w, c), got shape {x.shape}")
        return ops.mean(x, axis=(1, 2))


class FractionalMaxPool2d(Module):
    """Max pooling over random windows, by a factor that is no integer (Graham 2014): (n, h, w, c) -> (n, oh, ow, c).

    output: (oh, ow), an integer for both, or a ratio in (0, 1). size: of overlapping windows; disjoint ones tile the
    image. Learning: windows are drawn at each call, once for the batch, from the layer's own generator. Test: those of
    u = 1/2, the middle. Differs: the paper draws at test time too, and averages several passes.
    """
    output: Pair | float
    size: tuple[int, int]

    def __init__(self, output: Pair | float, size: Pair = 2, overlapping: bool = True, rng: Random = None) -> None:
        layer = "FractionalMaxPool2d"
        if isinstance(output, float | np.floating):
            number(layer, "output", output, "(0, 1)", hint=": a ratio, or sizes (oh, ow)")
        else:
            pair(layer, "output", output)
        self.output, self.size = output, pair(layer, "size", size)
        self.overlapping: bool = flag(layer, "overlapping", overlapping)
        self.rng: np.random.Generator = own_generator(rng)

    def forward(self, x: Tensor) -> Tensor:
        samples = self.rng.random(2) if self.training else (0.5, 0.5)
        return ops.fractional_max_pool2d(x, self.output, self.size, self.overlapping, samples)

    def describe(self) -> str:
        return f"FractionalMaxPool2d({self.output}, size={self.size}, overlapping={self.overlapping})"
