"""Recurrent cells: one step in time. A sequence is a loop over steps; the gradient goes back through all of them."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad import init, ops
from minigrad.arguments import counts, flag
from minigrad.core import Tensor, default_dtype
from minigrad.nn.layers import a_layer, has_bias, initial
from minigrad.nn.module import Module
from minigrad.nn.parameters import Parameter
from minigrad.random import generator
from minigrad.typing import Array, ArrayLike, DType, Initializer, Layer, Random, TensorLike


class RNNCell(Module):
    """h' = tanh(x W + h U + b): x (m, inputs), h (m, units) -> h' (m, units). Called as cell(x, h).

    h may be left out: zeros. activation: any function. w (inputs, units), u (units, units), b (units,);
    weights, recurrent, biases: their initializers (u is orthogonal). Differs: PyTorch has two biases, which are added.
    """
    b: Parameter | None

    def __init__(self, inputs: int, units: int, activation: Layer = ops.tanh, bias: bool = True,
                 weights: Initializer = init.fan_in_uniform, recurrent: Initializer = init.orthogonal,
                 rng: Random = None, dtype: DType = default_dtype, biases: Initializer = init.zeros) -> None:
        inputs, units = counts("RNNCell", inputs=inputs, units=units)
        rng = generator(rng)
        self.activation: Layer = a_layer("RNNCell", "activation", activation)
        self.w: Parameter = initial("RNNCell", (inputs, units), rng, dtype, weights=weights)
        self.u: Parameter = initial("RNNCell", (units, units), rng, dtype, recurrent=recurrent)
        self.b = initial("RNNCell", (units,), rng, dtype, biases=biases) if has_bias("RNNCell", bias) else None

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        z = ops.linear(x, self.w, self.b)
        if h is not None:
            z = z + ops.linear(_state("RNNCell", "h", h, x, self.u.shape[0]), self.u)
        return self.activation(z)

    def describe(self) -> str:
        return f"RNNCell({self.w.shape[0]}, {self.w.shape[1]})"


def open_forget_gate(shape: tuple[int, ...], rng: Random = None, dtype: DType = default_dtype) -> Array:
    """The biases of an LSTM cell, (4 units,): 1 for the forget gate, their second quarter, 0 for the others."""
    b, units = init.zeros(shape, dtype=dtype), shape[0] // 4
    b[units:2 * units] = init.gate_bias((units,), dtype=dtype)
    return b


class LSTMCell(Module):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000).

        i, f, o = sigmoid(x W + h U + b)    input, forget and output gate, each its own columns
        a = tanh(x W + h U + b)             candidate
        c' = f c + i a
        h' = o tanh(c')

    x (m, inputs), state (h, c), each (m, units) -> (h', c'). Called as cell(x, (h, c)); the state may be left out:
    zeros. w (inputs, 4 units), u (units, 4 units), b (4 units,): columns in the order i, f, a, o, as in PyTorch.
    weights, recurrent, biases: initializers; that of u is asked four times for (units, units). By default the forget
    gate's bias is 1 at first (Jozefowicz et al. 2015), the others 0. Differs: PyTorch has two biases.
    """
    b: Parameter | None

    def __init__(self, inputs: int, units: int, weights: Initializer = init.fan_in_uniform,
                 recurrent: Initializer = init.orthogonal, rng: Random = None, dtype: DType = default_dtype,
                 bias: bool = True, biases: Initializer = open_forget_gate) -> None:
        inputs, units = counts("LSTMCell", inputs=inputs, units=units)
        rng = generator(rng)
        self.w: Parameter = initial("LSTMCell", (inputs, 4 * units), rng, dtype, weights=weights)
        gates = [initial("LSTMCell", (units, units), rng, dtype, recurrent=recurrent).data for _ in range(4)]
        self.u: Parameter = Parameter(ops.concatenate(gates, axis=1))
        self.b = initial("LSTMCell", (4 * units,), rng, dtype, biases=biases) if has_bias("LSTMCell", bias) else None

    def forward(self, x: Tensor, state: tuple[TensorLike, TensorLike] | None = None) -> tuple[Tensor, Tensor]:
        units = self.u.shape[0]
        if state is None:
            z, c = ops.linear(x, self.w, self.b), None
        else:
            if not isinstance(state, tuple | list) or len(state) != 2:
                raise ValueError(f"LSTMCell: state must be a pair (h, c), got {type(state).__name__}")
            h, c = (_state("LSTMCell", name, s, x, units) for name, s in zip("hc", state))
            z = ops.linear(x, self.w, self.b) + ops.linear(h, self.u)
        i, f, a, o = ops.split(z, 4, axis=-1)
        new = ops.sigmoid(i) * ops.tanh(a)
        if c is not None:
            new = ops.sigmoid(f) * c + new
        return ops.sigmoid(o) * ops.tanh(new), new

    def describe(self) -> str:
        return f"LSTMCell({self.w.shape[0]}, {self.u.shape[0]})"


class GRUCell(Module):
    """Gated recurrent unit (Cho et al. 2014), in the form of PyTorch's.

        r, z = sigmoid(x W + h U + b)       reset and update gate, each its own columns
        a = tanh(x W + b + r (h U + c))     candidate
        h' = (1 - z) a + z h

    x (m, inputs), h (m, units) -> h' (m, units). Called as cell(x, h); h may be left out: zeros. w (inputs, 3 units),
    u (units, 3 units), b (3 units,): columns in the order r, z, a; c (units,). weights, recurrent, biases: their
    initializers; that of u is asked three times for (units, units). Differs: the paper resets h before the product
    with U, not after it.
    """

    def __init__(self, inputs: int, units: int, weights: Initializer = init.fan_in_uniform,
                 recurrent: Initializer = init.orthogonal, rng: Random = None, dtype: DType = default_dtype,
                 bias: bool = True, biases: Initializer = init.zeros) -> None:
        inputs, units = counts("GRUCell", inputs=inputs, units=units)
        rng = generator(rng)
        self.w: Parameter = initial("GRUCell", (inputs, 3 * units), rng, dtype, weights=weights)
        gates = [initial("GRUCell", (units, units), rng, dtype, recurrent=recurrent).data for _ in range(3)]
        self.u: Parameter = Parameter(ops.concatenate(gates, axis=1))
        has = has_bias("GRUCell", bias)
        self.b: Parameter | None = initial("GRUCell", (3 * units,), rng, dtype, biases=biases) if has else None
        self.c: Parameter | None = initial("GRUCell", (units,), rng, dtype, biases=biases) if has else None

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        units = self.u.shape[0]
        h = Tensor(np.zeros((*x.shape[:-1], units), self.u.dtype)) if h is None else _state("GRUCell", "h", h, x, units)
        xr, xz, xa = ops.split(ops.linear(x, self.w, self.b), 3, axis=-1)
        hr, hz, ha = ops.split(ops.linear(h, self.u), 3, axis=-1)
        r, z = ops.sigmoid(xr + hr), ops.sigmoid(xz + hz)
        a = ops.tanh(xa + r * (ha if self.c is None else ha + self.c))
        return a + z * (h - a)

    def describe(self) -> str:
        return f"GRUCell({self.w.shape[0]}, {self.u.shape[0]})"


def _state(cell, name, s, x, units):
    """A state as a Tensor, refused if it is not (m, units): (1, units) would broadcast."""
    s = s if isinstance(s, Tensor) else Tensor(s)
    if s.shape != (*x.shape[:-1], units):
        raise ValueError(f"{cell}: {name} must have shape {(*x.shape[:-1], units)} for x {x.shape}, got {s.shape}")
    return s


class Recurrent(Module):
    """A cell along sequences: x (m, l, inputs) -> h (m, l, units), the cell's h after every step.

        state <- cell(x[:, t], state)   for t = 0 ... l - 1

    cell: an RNNCell, LSTMCell, GRUCell, or any module of (x, state) that returns the next state, h or (h, ...).
    reverse: a second cell that reads from the end (Schuster and Paliwal 1997); its h follows the first one's along the
    last axis: (m, l, units + units). last=True: only the h after the last step of each direction, (m, units).

    Called as net(x), or net(x, lengths=n), n (m,) integers from 1 to l: what follows the first n steps of a sequence is
    padding, which no state sees; h is 0 there. The loop is the definition; its cost is that of l calls of the cell.
    """

    def __init__(self, cell: Layer, reverse: Layer | None = None, last: bool = False) -> None:
        self.cell: Layer = a_layer("Recurrent", "cell", cell)
        self.reverse: Layer | None = None if reverse is None else a_layer("Recurrent", "reverse", reverse)
        self.last: bool = flag("Recurrent", "last", last)

    def forward(self, x: Tensor, lengths: ArrayLike | None = None) -> Tensor:
        if x.ndim != 3 or x.shape[1] == 0:
            raise ValueError(f"Recurrent: x must be sequences (m, l, inputs) of one step at least, got shape {x.shape}")
        lengths = None if lengths is None else _lengths(lengths, x.shape)
        found = [along(self.cell, x, range(x.shape[1]), lengths)]
        if self.reverse is not None:
            found.append(along(self.reverse, x, range(x.shape[1])[::-1], lengths))
        h = [last if self.last else ops.stack(every, axis=1) for every, last in found]
        return h[0] if len(h) == 1 else ops.concatenate(h, axis=-1)

    def describe(self) -> str:
        return f"Recurrent({'forward' if self.reverse is None else 'both ways'}{', last=True' if self.last else ''})"


def along(cell: Layer, x: Tensor, steps: Sequence[int], lengths: Array | None) -> tuple[list[Tensor], Tensor]:
    """h after each of the steps, in the order of time, and h at the end. Beyond its length a sequence keeps its state.

    After a step that a sequence does not have, its h is 0.
    """
    state, every = None, [None] * len(steps)
    for t in steps:
        new = cell(x[:, t]) if state is None else cell(x[:, t], state)
        every[t] = _h(new)
        if lengths is not None:
            reads = t < lengths                                                     # (m, 1)
            every[t] = ops.where(reads, every[t], 0.0)
            new = _kept(reads, new, state)
        state = new
    return every, _h(state)


def _h(state):
    """What a cell shows: h of (h, c)."""
    return state[0] if isinstance(state, tuple | list) else state


def _kept(reads, new, old):
    """The new state of the sequences that read this step, the old one of the others; None is zeros."""
    if isinstance(new, tuple | list):
        return tuple(_kept(reads, one, None if old is None else old[i]) for i, one in enumerate(new))
    return ops.where(reads, new, 0.0 if old is None else old)


def _lengths(lengths, shape):
    """(m, 1) integers; ValueError unless there is one for each sequence, from 1 to l."""
    n = np.asarray(lengths)
    if n.shape != shape[:1] or n.dtype.kind not in "iu" or (n.size and not (n.min() >= 1 and n.max() <= shape[1])):
        raise ValueError(f"Recurrent: lengths must be {shape[0]} integers from 1 to {shape[1]} for x {shape}, "
                         f"got {lengths!r:.60}")
    return n[:, None]
