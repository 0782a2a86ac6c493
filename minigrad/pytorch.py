"""Taking over what a network of PyTorch has learned, for a model of the same layers.

From arrays by name, or a file in the safetensors layout; never from a .pt file: that is a pickle, and reading one runs
whatever program it holds. In PyTorch, `safetensors.torch.save_file(net.state_dict(), path)` writes what is read here.

What differs, layer by layer (PyTorch -> minigrad):

    Linear          weight (out, in) -> w (in, out); bias -> b
      after Flatten rows: PyTorch flattens (c, h, w), minigrad (h, w, c)
    Conv2d          weight (out, in/groups, kh, kw) -> w (kh, kw, in/groups, out); bias -> b
    ConvTranspose2d weight (in, out/groups, kh, kw) -> w (kh, kw, out/groups, in); bias -> b
    BatchNorm       weight -> gamma; bias -> beta; running_mean and running_var keep their names
    LayerNorm       weight -> gamma; bias -> beta
    Embedding       weight -> table
    RNNCell         weight_ih -> w, weight_hh -> u, both transposed; bias_ih + bias_hh -> b
    LSTMCell        the same; the order of the gates, i f g o, is ours too
    GRUCell         the same, gates r z n; the candidate's bias_hh, which the reset gate multiplies -> c
    Conv1d, ConvTranspose1d     as Conv2d: weight (out, in/groups, k) -> w (k, in/groups, out)
    GroupNorm, InstanceNorm, RMSNorm    weight -> gamma; bias -> beta
"""
from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core import Tensor, no_grad
from minigrad.files import load_tensors
from minigrad.nn.module import fixed_statistics, observe
from minigrad.nn.structure import joined
from minigrad.typing import TensorLike


def load_pytorch(model: Any, state: Any, x: TensorLike | None = None, flattened: Any = None, names: Any = None) -> Any:
    """Give `model` the parameters and running averages of a PyTorch network of the same layers. Returns the model.

    state: {name: array}, such as net.state_dict() on the CPU, or the path of a safetensors file.
    x: an example input (a batch, channels last), needed where images are flattened before a Linear or a BatchNorm: it
    shows their height, width and channels. flattened={"4": (h, w, c)} says so for layer "4" by hand.
    Weights that are tied, and layers that are used twice, may be given under one of their names or under all.
    names: {path of our layer: name of theirs} for those that differ; nn.Sequential counts layers as PyTorch does, and
    where attributes have equal names ("encoder.first"), nothing is needed.
    Raises ValueError that lists every name that is missing or left over and every shape that does not fit; FormatError
    for a damaged file. Then the model is untouched.
    """
    given = dict(state) if hasattr(state, "keys") else load_tensors(state)[0]
    given = {name: np.asarray(array) for name, array in given.items()}
    images = flattened if flattened is not None else _flattened(model, x)
    first = {id(p): path for path, p in model.named_parameters()}      # of what is tied, the path that state_dict has
    first.update((id(module), path) for path, module in model.modules())
    ours, problems = {}, []                                # problems: what is at fault, unless this path gets a value
    for path, layer in _every_path(model):
        if next(layer.own_parameters(), None) is not None:
            prefix = (names or {}).get(path, path)
            image = images.get(path, images.get(first[id(layer)]))
            problems += _take_layer(path, layer, prefix + "." if prefix else "", given, image, first, ours)
    problems = [text for target, text in problems if target not in ours]
    problems += [f"{name} is left over" for name in given if not name.endswith("num_batches_tracked")]
    if problems:
        raise ValueError("load_pytorch: " + "; ".join(problems))
    model.load_state_dict(ours)
    return model


# our name -> (their names, which are added; the order of their axes)
_AFFINE = {"gamma": (["weight"], (0,)), "beta": (["bias"], (0,))}
_CELL = {"w": (["weight_ih"], (1, 0)), "u": (["weight_hh"], (1, 0)), "b": (["bias_ih", "bias_hh"], (0,))}
LAYERS = {
    nn.Linear: {"w": (["weight"], (1, 0)), "b": (["bias"], (0,))},
    nn.Conv2d: {"w": (["weight"], (2, 3, 1, 0)), "b": (["bias"], (0,))},
    nn.ConvTranspose2d: {"w": (["weight"], (2, 3, 1, 0)), "b": (["bias"], (0,))},
    nn.BatchNorm: {**_AFFINE, "running_mean": (["running_mean"], (0,)), "running_var": (["running_var"], (0,))},
    nn.Conv1d: {"w": (["weight"], (2, 1, 0)), "b": (["bias"], (0,))},
    nn.ConvTranspose1d: {"w": (["weight"], (2, 1, 0)), "b": (["bias"], (0,))},
    nn.LayerNorm: _AFFINE,
    nn.GroupNorm: _AFFINE,
    nn.InstanceNorm: _AFFINE,
    nn.RMSNorm: {"gamma": (["weight"], (0,))},
    nn.Embedding: {"table": (["weight"], (0, 1))},
    nn.RNNCell: _CELL,
    nn.LSTMCell: _CELL,
    nn.GRUCell: _CELL | {"b": (["bias_ih"], (0,)), "c": (["bias_hh"], (0,))},          # after `_regroup`
}


def _regroup(prefix, given):
    """A GRU's biases, in `given`, as ours: bias_hh keeps what the reset gate multiplies, bias_ih has the rest."""
    both = [given.get(prefix + name) for name in ("bias_ih", "bias_hh")]
    if all(np.ndim(b) == 1 for b in both) and np.shape(both[0]) == np.shape(both[1]):
        ours, theirs = both
        gates = len(ours) // 3 * 2
        given[prefix + "bias_ih"] = np.concatenate([ours[:gates] + theirs[:gates], ours[gates:]])
        given[prefix + "bias_hh"] = theirs[gates:]


def _every_path(module, path=""):
    """(path, module) like `modules`, but what is shared occurs under all its paths, as in PyTorch's state_dict."""
    yield path, module
    for name, child in module.children():
        yield from _every_path(child, joined(path, name))


def _take_layer(path, layer, prefix, given, image, first, ours):
    """Move one layer's arrays from `given` to `ours`, in our order.

    Returns what is missing or does not fit: (path that may get its value from somebody else, or None; text)."""
    problems = []
    if type(layer) not in LAYERS:
        return [(None, f"{path or 'the model'} is a {type(layer).__name__}, which is no layer of PyTorch's")]
    if type(layer) is nn.GRUCell:
        _regroup(prefix, given)
    for own, (theirs, axes) in LAYERS[type(layer)].items():
        value = getattr(layer, own)
        if value is None:                                # bias=False
            continue
        target = first[id(value)] if id(value) in first else joined(first[id(layer)], own)
        parts = [given.pop(prefix + name, None) for name in theirs]
        wrong = [f"{prefix}{name} " + ("is missing" if part is None else f"is {part.shape}, wanted {len(axes)} axes")
                 for name, part in zip(theirs, parts) if np.ndim(part) != len(axes)]
        if wrong:
            nothing = all(part is None for part in parts)
            problems += [(target if nothing else None, text) for text in wrong]
            continue
        array = sum(parts[1:], parts[0]).transpose(axes)
        if image is not None and (own == "w" or type(layer) is nn.BatchNorm):
            h, w, c = image
            if len(array) != h * w * c:
                problems.append((None, f"{prefix}{theirs[0]} is for {len(array)} inputs, not for flattened images "
                                       f"{image}"))
                continue
            array = np.moveaxis(array.reshape(c, h, w, -1), 0, 2).reshape(array.shape)
        if not np.array_equal(array, ours.setdefault(target, np.ascontiguousarray(array)), equal_nan=True):
            problems.append((None, f"{prefix}{theirs[0]} is not equal to what {target} was given, with which "
                                   f"{joined(path, own)} is tied"))
    return problems


def _flattened(model, x):
    """{path of a layer that sees flattened images: their (h, w, c)}, found by running x through the model."""
    kinds = [type(module) for _, module in model.modules()]
    if x is None:
        if nn.Linear in kinds and (nn.Conv2d in kinds or nn.Flatten in kinds):
            raise ValueError("load_pytorch: pass an example input x, or flattened=: the rows of a Linear that sees "
                             "flattened images come in another order")
        return {}
    paths = {id(module): path for path, module in model.modules()}
    x = x if isinstance(x, Tensor) else Tensor(x)
    image, found = x.shape[1:] if x.ndim == 4 else None, {}

    def note(module, inputs, y):
        nonlocal image
        if next(module.children(), None) is not None:
            return
        if image is not None and inputs[0].ndim == 2 and type(module) in (nn.Linear, nn.BatchNorm):
            path, width, (h, w, c) = paths[id(module)], inputs[0].shape[1], image
            if width == h * w * c:
                found[path] = image
            elif width != c:                             # not the mean over all pixels either
                raise ValueError(f"load_pytorch: layer {path} has {width} inputs after images {image}; say which "
                                 f"images were flattened: flattened={{{path!r}: (h, w, c)}}")
            image = None if type(module) is nn.Linear else image
        image = y.shape[1:] if getattr(y, "ndim", 0) == 4 else image

    with no_grad(), model.mode(training=False), fixed_statistics(model), observe(note):
        model(x)
    return found
