"""The tasks on which methods are compared: logistic regression, networks on digits, a sparse problem."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minigrad import data, init, nn
from minigrad.typing import Random


class Examples(NamedTuple):
    """Three sets of (x, y): to train on, to watch while learning, and to judge at the very end."""
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """model(rng) -> a model; examples(m) -> what it learns from. passes: the budget, in passes over the m examples;
    batch: of the methods whose rate is tuned."""
    what: str
    model: Callable[[np.random.Generator], nn.Module]
    examples: Callable[[int], Examples]
    passes: int
    batch: int = 100


def logistic(rng: Random) -> nn.Module:
    return nn.Linear(784, 10, weights=init.zeros)


def mlp(rng: Random) -> nn.Module:
    return nn.Sequential(nn.Linear(784, 128, weights=init.he_normal, rng=rng), nn.ReLU(),
                         nn.Linear(128, 10, rng=rng))


def mlp_with_dropout(rng: Random) -> nn.Module:
    return nn.Sequential(nn.Dropout(0.2, rng=rng),
                         nn.Linear(784, 256, weights=init.he_normal, rng=rng), nn.ReLU(), nn.Dropout(0.5, rng=rng),
                         nn.Linear(256, 10, rng=rng))


def convnet(rng: Random) -> nn.Module:
    he = {"weights": init.he_normal, "rng": rng}
    return nn.Sequential(nn.Conv2d(1, 8, 5, padding=2, **he), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 5, padding=2, **he), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(784, 10, rng=rng))


def words_classifier(rng: Random) -> nn.Module:
    return nn.Linear(WORDS, 2, weights=init.zeros)


LARGEST, HELD_OUT = 55_000, 5000            # digits to learn from at most, and those kept for validation


def digits(m: int, flat: bool = True) -> Examples:
    (x, y), test = data.mnist(flat=flat)
    return Examples((x[:m], y[:m]), (x[-HELD_OUT:], y[-HELD_OUT:]), test)


def images(m: int) -> Any:
    return digits(m, flat=False)


WORDS, STOP_WORDS = 1000, 10


def documents(m: int) -> Examples:
    """Bags of words from a generator of its own, always the same ones; the most frequent words say nothing."""
    rng = np.random.default_rng(8)
    weights = 2 * rng.standard_normal(WORDS)
    weights[:STOP_WORDS] = 0
    return Examples(*(data.toy.documents(size, weights, rng=rng) for size in (m, HELD_OUT, 10_000)))


TASKS = {
    "logistic": Task("logistic regression, 784-10", logistic, digits, passes=20),
    "mlp": Task("784-128-10, relu", mlp, digits, passes=20),
    "mlp-dropout": Task("784-256-10, relu, dropout 0.2 of the inputs and 0.5 of the hidden units", mlp_with_dropout,
                        digits, passes=20),
    "convnet": Task("two 5 x 5 convolutions of 8 and 16 channels with pooling, linear", convnet, images, passes=10),
    "sparse": Task(f"logistic regression on bags of words, {WORDS}-2, frequencies by Zipf's law", words_classifier,
                   documents, passes=20),
}
USUAL = ("logistic", "mlp")                 # what runs if nothing is said
