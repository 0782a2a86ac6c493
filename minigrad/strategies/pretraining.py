"""Pretraining (8.7.4): train simpler models, or the model on a simpler task, and begin the real training from there.

In all of it the caller says how one training is done, as a function train(model, x, y) that learns y from x in place,
with the loss, the optimizer and the number of steps of his choice:

    def train(model, x, y):
        training.fit(model, losses.cross_entropy, optim.Adam(model.parameters()), data.batches(x, y, batch_size=100),
                     epochs=2)
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import nn
from minigrad.arguments import count
from minigrad.nn import Module
from minigrad.training import predict


def greedy_pretrain(layers: Sequence[Any], head: Any, train: Callable[..., Any], x: Any, y: Any,
                    joint: bool = False) -> nn.Sequential:
    """Greedy supervised pretraining (Bengio et al. 2007; figure 8.7): one hidden layer after the other, each as that of
    a shallow net on top of what the layers below compute.

        h <- x
        for each layer:   train the net  layer, new head  to predict y from h
                          h <- layer(h), discard the head

    layers: the hidden layers of the final model, modules, from the bottom up; trained in place. head(i): makes the
    output layer on top of layer i. x (m, ...), y (m, ...): arrays. joint: train all layers so far together as well, at
    the end of each stage; else that is left to the fine-tuning afterwards: train(model, x, y).
    Layers below are done: they have no gradient and no place in an optimizer, and compute in test mode (batch norm uses
    its running averages). Returns the model, Sequential(*layers, the last head).
    """
    layers = _checked("greedy_pretrain", layers, head, train, x, y)
    h = x
    for i, layer in enumerate(layers):
        output = head(i)
        train(nn.Sequential(layer, output), h, y)
        if joint and i > 0:
            train(nn.Sequential(*layers[:i + 1], output), x, y)
            h = predict(nn.Sequential(*layers[:i + 1]), x)
        else:
            h = predict(layer, h)
    return nn.Sequential(*layers, output)


def unsupervised_pretrain(layers: Sequence[Any], decoder: Any, train: Callable[..., Any], x: Any) -> nn.Sequential:
    """Initial weights from an unsupervised task (8.4): each layer learns to encode what the layers below compute, so
    that a decoder can give it back (a stack of autoencoders).

        h <- x
        for each layer:   train the net  layer, new decoder  to predict h from h
                          h <- layer(h), discard the decoder

    layers: modules, trained in place, as in `greedy_pretrain`. decoder(i): makes a module from the output of layer i
    back to its input. x (m, ...): no labels are needed. A denoising autoencoder is a `train` that spoils its x.
    Returns Sequential(*layers), to which the caller adds the output layer.
    """
    layers = _checked("unsupervised_pretrain", layers, decoder, train, x, x)
    h = x
    for i, layer in enumerate(layers):
        train(nn.Sequential(layer, decoder(i)), h, h)
        h = predict(layer, h)
    return nn.Sequential(*layers)


def _checked(who, layers, head, train, x, y):
    """The layers as a list; ValueError before any training."""
    layers = list(layers)
    if not layers or not all(isinstance(layer, nn.Module) for layer in layers):
        raise ValueError(f"{who}: layers must be one or more modules, got {[type(layer).__name__ for layer in layers]}")
    if not callable(head) or not callable(train):
        raise ValueError(f"{who}: wanted functions, i -> the module on top of layer i and train(model, x, y), got "
                         f"{type(head).__name__} and {type(train).__name__}")
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"{who}: wanted as many x as y, and some, got {len(x)} and {len(y)}")
    return layers


def transfer(source: Module, target: Module, first: int, last: int = 0, frozen: int = 0) -> Module:
    """Begin with layers of a net that has learned another task (Yosinski et al. 2014), or the task with fewer layers
    (Simonyan and Zisserman 2015: its first four and last three).

    source, target: Sequentials. first, last: how many layers are copied, from the bottom and from the top; a layer is
    an item with weights (two axes or more, a block of several is one) together with what follows it up to the next.
    Parameters and running averages are copied, not shared. frozen: the first so many of them learn no more: no
    gradient, no step, in test mode also while the rest learns in `fit`. Undone by `target[i].unfreeze().train()`.

    The target is changed in place and returned. ValueError with every mismatch, before anything has changed.
    Which layers to freeze (the notes): with few examples all but the last; with many, none; where the tasks are
    unlike, few are worth copying.
    """
    who = "transfer"
    for name, model in (("source", source), ("target", target)):
        if not isinstance(model, nn.Sequential):
            raise ValueError(f"{who}: {name} must be a Sequential, got {type(model).__name__}")
    ours, theirs = _starts(target), _starts(source)
    most = min(len(ours), len(theirs)) - 1
    first = count(who, "first", first, 0, most, f"; source and target have {len(theirs) - 1} and {len(ours) - 1}")
    last = count(who, "last", last, 0, most - first, f" with first={first}")
    frozen = count(who, "frozen", frozen, 0, first, f": only copied layers, first={first}, are frozen")
    ends = [nn.Sequential(model[:starts[first]], model[starts[len(starts) - 1 - last]:])
            for model, starts in ((source, theirs), (target, ours))]
    try:
        ends[1].load_state_dict(ends[0].state_dict())
    except ValueError as error:
        raise ValueError(f"{who}: the layers do not fit ({str(error).partition(': ')[2]}), counted from the first "
                         "(0.) and from the last copied (1.)") from None
    for layer in target.layers[:ours[frozen]]:
        if isinstance(layer, nn.Module):
            layer.freeze().eval()
    return target


def _starts(model):
    """Where in a Sequential its layers with weights begin, and the end: layer i is model[starts[i]:starts[i + 1]].

    What stands before the first layer (Flatten) belongs to it.
    """
    weights = [i for i, layer in enumerate(model.layers)
               if isinstance(layer, nn.Module) and any(p.ndim >= 2 for _, p in layer.named_parameters())]
    return [0, *weights[1:], len(model)] if weights else [0]
