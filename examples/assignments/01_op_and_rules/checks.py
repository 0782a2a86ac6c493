"""The checks of 01_op_and_rules. Oracles: the definitions and their derivatives in closed form, in float64."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="An op and its rules", sections="6.5.2, 6.5.6, 8.2.1", minutes=90, mutant_points=5,
    blocked=["minigrad.ops.elementwise.tanh", "minigrad.ops.elementwise.tanh_gate", "minigrad.ops.elementwise.softplus",
             "minigrad.ops.reduce.logsumexp", "minigrad.ops.reduce._logsumexp", "minigrad.ops.reduce._logsumexp_x"])

CHAIN = "dJ/dx = g dy/dx: reread the chain rule (6.5.2)"
OPS = "written in ops it is differentiated again: reread what a rule is handed, Tensors where it is recorded (6.5.6)"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axes):
    powers = np.exp(x - x.max(axis=axes, keepdims=True))
    return powers / powers.sum(axis=axes, keepdims=True)


# ----------------------------------------------------------------------------------------------------------- 1: tanh

@task("1.1", "tanh and its gradient", points=2, visibility="public")
def tanh_gradient(case):
    x, g = case.rng.standard_normal((2, 3, 4))
    got = case.ask("gradient", op="tanh", x=x, g=g)
    case.close(got["y"], np.tanh(x), "y = tanh(x): reread the definition of the op")
    case.close(got["dx"], g / np.cosh(x) ** 2, f"the derivative of tanh is 1 - y^2, times g. {CHAIN}")


@task("1.2", "the rule of tanh, differentiated", points=2, visibility="hidden")
def tanh_second(case):
    x, g, u = case.rng.standard_normal((3, 2, 5))
    y = np.tanh(x)
    got = case.ask("second", op="tanh", x=x, g=g, u=u)
    case.close(got["by_g"], u * (1 - y * y), f"dJ/dx is linear in g. {CHAIN}")
    case.close(got["by_x"], -2 * u * g * y * (1 - y * y), "the derivative of g (1 - y^2) by x is -2 g y (1 - y^2): y "
               f"depends on x, it is no constant; {OPS}")


# ------------------------------------------------------------------------------------------------------- 2: softplus

@task("2.1", "softplus and its gradient", points=2, visibility="public")
def softplus_gradient(case):
    x, g = case.rng.standard_normal((2, 3, 4))
    got = case.ask("gradient", op="softplus", x=x, g=g)
    case.close(got["y"], np.log(1 + np.exp(x)), "y = log(1 + e^x): reread the definition of the op")
    case.close(got["dx"], g * sigmoid(x), f"the derivative of log(1 + e^x) is e^x/(1 + e^x) = sigmoid(x). {CHAIN}")


@task("2.2", "softplus where e^x overflows and where it vanishes", points=2, visibility="hidden")
def softplus_extremes(case):
    x = case.rng.uniform(800, 900, 3)
    x = np.concatenate([x, -np.flip(x), [-40.0, 40.0, 0.0]])
    want = np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
    y = case.ask("forward", op="softplus", x=x)["y"]
    case.close(y[:3], want[:3], "e^x overflows for large x, softplus is then x: reread the words *without overflow*")
    case.close(y[3:], want[3:], "softplus is 0 far below 0, and x far above: reread the words *without overflow*")
    case.close(y[6] * np.exp(40), 1.0, "for x = -40 softplus is e^-40, not 0: 1 + e^-40 is 1 to a float, "
               "which is what log1p is for")
    g = np.ones_like(x)
    dx = case.ask("gradient", op="softplus", x=x, g=g)["dx"]
    case.close(dx, np.where(x > 0, 1.0, np.exp(np.minimum(x, 0))) / (1 + np.exp(-abs(x))),
               "the derivative is a sigmoid at both ends, 1 and 0, never NaN: e^x/(1 + e^x) is inf/inf")


@task("2.3", "the rule of softplus, differentiated", points=2, visibility="hidden")
def softplus_second(case):
    x, g, u = case.rng.standard_normal((3, 2, 5))
    p = sigmoid(x)
    got = case.ask("second", op="softplus", x=x, g=g, u=u)
    case.close(got["by_g"], u * p, f"dJ/dx is linear in g. {CHAIN}")
    case.close(got["by_x"], u * g * p * (1 - p), f"the derivative of g sigmoid(x) by x is g p (1 - p); {OPS}")


# ------------------------------------------------------------------------------------------------------ 3: logsumexp

@task("3.1", "logsumexp and its gradient", points=3, visibility="public")
def logsumexp_gradient(case):
    x, g = case.rng.standard_normal((4, 3)), case.rng.standard_normal(4)
    got = case.ask("gradient", op="logsumexp", x=x, g=g, axis=np.array([1]))
    case.close(got["y"], np.log(np.exp(x).sum(axis=1)), "y = log sum e^x over the axis: reread the op's "
               "definition")
    case.close(got["dx"], g[:, None] * softmax(x, (1,)), "dy/dx is softmax(x), and each row of it is multiplied by its "
               f"own g. {CHAIN}")


@task("3.2", "logsumexp over several axes, kept or not", points=2, visibility="hidden")
def logsumexp_axes(case):
    x = case.rng.standard_normal((2, 3, 4))
    for axes, keepdims in [((0, 2), True), ((0, 2), False), ((1,), True)]:
        y = np.log(np.exp(x).sum(axis=axes, keepdims=keepdims))
        g = case.rng.standard_normal(y.shape)
        got = case.ask("gradient", op="logsumexp", x=x, g=g, axis=np.array(axes), keepdims=keepdims)
        case.close(got["y"], y, f"y has the shape {y.shape} for x {x.shape}, axes {axes}, keepdims {keepdims}: reread "
                   "the line on the result's shape")
        case.close(got["dx"], np.reshape(g, np.sum(x, axis=axes, keepdims=True).shape) * softmax(x, axes),
                   f"g is copied back along the axes {axes}: what was summed over shares one g. {CHAIN}")


@task("3.3", "logsumexp of large numbers, and of none", points=2, visibility="hidden")
def logsumexp_extremes(case):
    x = case.rng.standard_normal((4, 3)) + np.array([[1000.0], [-1000.0], [0.0], [0.0]])
    x[2, 0], x[3] = -np.inf, -np.inf
    got = case.ask("gradient", op="logsumexp", x=x, g=np.ones(4), axis=np.array([1]))
    top = np.array([[1000.0], [-1000.0], [0.0]])
    case.close(got["y"][:3], np.log(np.exp(x[:3] - top).sum(axis=1)) + top[:, 0],
               "take the largest x of each row out before exp, and add it after log: reread *without overflow*")
    case.true(np.isneginf(got["y"][3]), "a row of -inf alone is a sum of nothing: log 0 = -inf, not NaN; reread what "
              "is taken out where the largest x is -inf")
    case.close(got["dx"][:3], softmax(x[:3], (1,)), "the gradient is softmax(x): exp(x) alone over- or underflows")
    case.close(got["dx"][3], np.zeros(3), "a row of -inf alone gets zeros: reread the rule's docstring")


@task("3.4", "the rule of logsumexp, differentiated", points=3, visibility="hidden")
def logsumexp_second(case):
    x, u, g = case.rng.standard_normal((4, 3)), case.rng.standard_normal((4, 3)), case.rng.standard_normal(4)
    p = softmax(x, (1,))
    got = case.ask("second", op="logsumexp", x=x, g=g, u=u, axis=np.array([1]))
    case.close(got["by_g"], (u * p).sum(axis=1), f"dJ/dx is linear in g. {CHAIN}")
    case.close(got["by_x"], g[:, None] * p * (u - (u * p).sum(axis=1, keepdims=True)),
               "the Hessian of logsumexp is diag(p) - p p': the sum below the line depends on x as well as the power "
               f"above it; {OPS}")
