"""What runs beside the student's code: it draws weights and returns them. It knows no answer."""
import numpy as np


def fans(student, shape):
    """The two fans of a shape."""
    return {"fans": np.array(student.fans(tuple(int(n) for n in shape)), dtype=float)}


def draw(student, rule, shape, seeds, **settings):
    """Weights of a rule, one draw for each seed, stacked: (seeds, *shape)."""
    shape = tuple(int(n) for n in shape)
    return {"w": np.array([getattr(student, rule)(shape, rng=int(seed), **settings) for seed in seeds], dtype=float)}


def softmax_bias(student, labels, classes):
    """The bias for labels (m,)."""
    return {"b": np.asarray(student.softmax_bias(labels, int(classes)), dtype=float)}


def sigmoid_bias(student, targets):
    """The bias for targets (m, d)."""
    return {"b": np.asarray(student.sigmoid_bias(targets), dtype=float)}
