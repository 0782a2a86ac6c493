"""What runs beside the student's code: batches in, activations, gradients and observations out. It knows no answer."""
import numpy as np


def layer(student, x, gamma, beta, delta):
    """y, and x as it was left."""
    return {"y": np.asarray(student.layer_norm(x, gamma, beta, delta)), "x": x}


def layer_backward(student, g, x, gamma, beta, delta):
    """The three gradients; g as it was left."""
    dx, dgamma, dbeta = student.layer_norm_backward(g, x, gamma, beta, delta)
    return {"dx": np.asarray(dx), "dgamma": np.asarray(dgamma), "dbeta": np.asarray(dbeta), "g": g}


def group(student, x, gamma, beta, groups, delta):
    return {"y": np.asarray(student.group_norm(x, gamma, beta, int(groups), delta)), "x": x}


def instance(student, x, gamma, beta, delta):
    return {"y": np.asarray(student.instance_norm(x, gamma, beta, delta))}


def rms(student, x, gamma, delta):
    return {"y": np.asarray(student.rms_norm(x, gamma, delta))}


def rms_backward(student, g, x, gamma, delta):
    dx, dgamma = student.rms_norm_backward(g, x, gamma, delta)
    return {"dx": np.asarray(dx), "dgamma": np.asarray(dgamma), "g": g}


def mixing(x, weights):
    """A map under which example i depends on example j where weights[i, j] is not 0."""
    return np.tensordot(weights, np.tanh(x), axes=1)


def influence(student, x, weights):
    """What the experiment finds for a map whose answer is known to the grader."""
    return {"found": np.asarray(student.influence(lambda batch: mixing(batch, weights), x.copy()), dtype=bool)}


def sign(x):
    return np.sign(x)


def broken(x):
    """Right for the first batch it sees, NaN where anything is larger than 100."""
    return np.where(np.abs(x).max() > 100, np.nan, x)


def ignores(student, kind, x, factor, shift):
    """Whether a map ignores x -> factor x + shift."""
    maps = {"sign": sign, "centred": lambda x: x - x.mean(), "broken": broken, "same": lambda x: x}
    return {"found": np.array(bool(student.ignores(maps[kind], x.copy(), lambda x: factor * x + shift)))}
