"""The checks of 10_normalization. Oracles: loops over examples and groups with NumPy's mean; gradients from the forward
pass in complex numbers, which know no rule."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="Batch normalization against its alternatives", sections="8.7.1", minutes=75,
    blocked=["minigrad.ops.norm", "minigrad.kernels.norm", "minigrad_ext.norm", "minigrad.nn.normalization"],
    mutant_points=5)


def batch(case, *shape):
    """x with examples and features of unlike means and sizes, g like x, gamma and beta."""
    rng, c = case.rng, shape[-1]
    x = rng.standard_normal(shape) * rng.uniform(0.5, 4, c) + rng.uniform(-3, 3, c)
    x *= rng.uniform(0.5, 3, (shape[0],) + (1,) * (len(shape) - 1))
    return x, rng.standard_normal(shape), rng.uniform(0.5, 2, c), rng.standard_normal(c)


def over(values, delta):
    """All values of an array standardized together; complex ones too."""
    deviation = values - values.mean()
    return deviation / np.sqrt((deviation ** 2).mean() + delta)


def layered(x, delta):
    """Every example (and pixel) over its features, one after the other."""
    rows = x.reshape(-1, x.shape[-1])
    return np.array([over(row, delta) for row in rows]).reshape(x.shape)


def grouped(x, groups, delta):
    """Every example and group, one after the other."""
    y, size = np.empty_like(x), x.shape[-1] // groups
    for i in range(len(x)):
        for k in range(groups):
            part = np.s_[i, ..., k * size:(k + 1) * size]
            y[part] = over(x[part], delta)
    return y


def gradient(J, x, h=1e-30):
    """dJ/dx of a function that takes complex numbers, entry by entry."""
    d = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * h
        d[index] = J(moved).imag / h
    return d


# ------------------------------------------------------------------------------------------------------ 1: layer norm

@task("1.1", "layer norm of a batch of vectors", points=2, visibility="public")
def layer(case):
    x, _, gamma, beta = batch(case, 4, 5)
    got = case.ask("layer", x=x, gamma=gamma, beta=beta, delta=1e-5)
    case.close(got["y"], gamma * layered(x, 1e-5) + beta, "mu and var are those of each example, over its features: "
               "the other axis than in 8.36 and 8.37. gamma and beta are still one a feature")
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")


@task("1.2", "layer norm: images, one example, delta", points=2)
def layer_more(case):
    for shape, delta in (((2, 3, 3, 4), 1e-5), ((1, 6), 1e-5), ((3, 4), 0.8)):
        x, _, gamma, beta = batch(case, *shape)
        case.close(case.ask("layer", x=x, gamma=gamma, beta=beta, delta=delta)["y"], gamma * layered(x, delta) + beta,
                   "over the last axis only, however many there are before it; delta inside the root")


@task("1.3", "layer norm backward", points=2, visibility="public")
def layer_back(case):
    layer_gradients(case, (3, 4), 1e-3)


@task("1.4", "layer norm backward for images", points=1)
def layer_back_images(case):
    layer_gradients(case, (2, 2, 2, 3), 0.5)


def layer_gradients(case, shape, delta):
    x, g, gamma, beta = batch(case, *shape)
    got = case.ask("layer_backward", g=g, x=x, gamma=gamma, beta=beta, delta=delta)
    axes = tuple(range(x.ndim - 1))
    case.close(got["dx"], gradient(lambda x: (g * gamma * layered(x, delta)).sum(), x), "back through mu and sigma "
               "over the axis of the forward pass; g passes gamma first", tolerance=1e-8)
    case.close(got["dgamma"], (g * layered(x, delta)).sum(axis=axes), "gamma is shared by all examples and pixels: its "
               "gradient sums over them, not over the axis of mu")
    case.close(got["dbeta"], g.sum(axis=axes), "beta is shared by all examples and pixels: its gradient sums over them")
    case.equal(got["g"], g, "g belongs to the layer after: do not write into it")


# --------------------------------------------------------------------------------------------- 2: group and instance

@task("2.1", "group norm of images", points=2, visibility="public")
def group(case):
    x, _, gamma, beta = batch(case, 2, 2, 3, 6)
    got = case.ask("group", x=x, gamma=gamma, beta=beta, groups=3, delta=1e-5)
    case.close(got["y"], gamma * grouped(x, 3, 1e-5) + beta, "one mu and var for each example and each group of "
               "*neighbouring* features, over all its pixels: c // groups features are a group")
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")


@task("2.2", "group norm: vectors, other groups, delta", points=2)
def group_more(case):
    for shape, groups, delta in (((3, 8), 2, 1e-5), ((2, 3, 2, 4), 1, 1e-5), ((2, 5, 4), 2, 0.7)):
        x, _, gamma, beta = batch(case, *shape)
        got = case.ask("group", x=x, gamma=gamma, beta=beta, groups=groups, delta=delta)
        case.close(got["y"], gamma * grouped(x, groups, delta) + beta, "any number of axes between the examples and "
                   "the features, none too; one group is all features; delta inside the root")


@task("2.3", "instance norm", points=1)
def instance(case):
    x, _, gamma, beta = batch(case, 3, 2, 4, 3)
    case.close(case.ask("instance", x=x, gamma=gamma, beta=beta, delta=1e-5)["y"], gamma * grouped(x, 3, 1e-5) + beta,
               "every feature is a group of its own")


# -------------------------------------------------------------------------------------------------------------- 3: RMS

def by_rms(x, delta):
    return x / np.sqrt((x * x).sum(axis=-1, keepdims=True) / x.shape[-1] + delta)


@task("3.1", "RMS norm", points=1, visibility="public")
def rms(case):
    x, _, gamma, _ = batch(case, 4, 5)
    case.close(case.ask("rms", x=x, gamma=gamma, delta=1e-5)["y"], gamma * by_rms(x, 1e-5),
               "the root of the mean square over the features; no mean is taken out")


@task("3.2", "RMS norm: images and delta", points=1)
def rms_more(case):
    x, _, gamma, _ = batch(case, 2, 3, 2, 4)
    case.close(case.ask("rms", x=x, gamma=gamma, delta=2.0)["y"], gamma * by_rms(x, 2.0),
               "over the last axis only; delta inside the root")


@task("3.3", "RMS norm backward", points=2)
def rms_back(case):
    for shape, delta in (((3, 4), 1e-5), ((2, 2, 2, 3), 0.5)):
        x, g, gamma, _ = batch(case, *shape)
        got = case.ask("rms_backward", g=g, x=x, gamma=gamma, delta=delta)
        case.close(got["dx"], gradient(lambda x, u=g * gamma, delta=delta: (u * by_rms(x, delta)).sum(), x),
                   "two ways lead from x to y: directly and through the root; what remains has no part along xhat but "
                   "what delta leaves", tolerance=1e-8)
        case.close(got["dgamma"], (g * by_rms(x, delta)).sum(axis=tuple(range(x.ndim - 1))),
                   "gamma is shared by all examples and pixels")
        case.equal(got["g"], g, "g belongs to the layer after: do not write into it")


# ---------------------------------------------------------------------------------------- 4: what each does not notice

@task("4.1", "who depends on whom", points=2, visibility="public")
def depends(case):
    weights = (case.rng.random((4, 4)) < 0.5) * case.rng.uniform(1, 2, (4, 4))
    got = case.ask("influence", x=case.rng.standard_normal((4, 3)), weights=weights)
    case.equal(got["found"], weights != 0, "entry i, j: does example i of the result change when example j of x does?")


@task("4.2", "who depends on whom, of images", points=1)
def depends_images(case):
    weights = np.triu(case.rng.uniform(1, 2, (3, 3)))
    got = case.ask("influence", x=case.rng.standard_normal((3, 2, 2, 2)), weights=weights)
    case.equal(got["found"], weights != 0, "one change anywhere in example i is enough; row i is what changes, column "
               "j what was changed")


@task("4.3", "what a map ignores", points=2)
def what_is_ignored(case):
    x = case.rng.standard_normal((3, 4)) + 0.1
    for kind, factor, shift, want in (("sign", 3.0, 0.0, True), ("sign", -1.0, 0.0, False), ("centred", 1.0, 5.0, True),
                                      ("centred", 2.0, 0.0, False), ("broken", 1.0, 1000.0, False),
                                      ("same", 1.0, 0.0, True), ("same", 1.0, 1e-3, False)):
        got = case.ask("ignores", kind=kind, x=x, factor=factor, shift=shift)["found"]
        case.true(bool(got) == want, f"a map that {kind} stands for, under x -> {factor:g} x + {shift:g}: every value "
                  f"must stay, in either direction, and NaN does not stay")
