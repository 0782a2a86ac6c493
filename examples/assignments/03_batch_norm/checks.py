"""The checks of 03_batch_norm. Oracle of the gradients: the forward pass in complex numbers, Im J(x + ih e_i)/h, has
no rounding to speak of and knows no rule."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="Batch normalization, back through mu and sigma", sections="8.7.1 (equations 8.35 to 8.37)", minutes=90,
    blocked=["minigrad.ops.norm", "minigrad.kernels.norm", "minigrad_ext.norm", "minigrad.nn.normalization"],
    mutant_points=5)


def xhat(x, delta):
    axes = tuple(range(x.ndim - 1))
    deviation = x - x.mean(axis=axes)
    return deviation / np.sqrt((deviation ** 2).mean(axis=axes) + delta)


def gradient(J, x, h=1e-30):
    """dJ/dx of a function that takes complex numbers, entry by entry."""
    d = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += 1j * h
        d[index] = J(moved).imag / h
    return d


def batch(case, *shape):
    """x with features of unlike means and sizes, g, gamma and beta."""
    c = shape[-1]
    x = case.rng.standard_normal(shape) * case.rng.uniform(0.5, 4, c) + case.rng.uniform(-3, 3, c)
    return x, case.rng.standard_normal(shape), case.rng.uniform(0.5, 2, c), case.rng.standard_normal(c)


# --------------------------------------------------------------------------------------------------------- 1: forward

@task("1.1", "the forward pass on a batch of vectors", points=2, visibility="public")
def forward(case):
    x, _, gamma, beta = batch(case, 6, 3)
    got = case.ask("forward", x=x, gamma=gamma, beta=beta, delta=1e-5)
    case.close(got["y"], gamma * xhat(x, 1e-5) + beta, "mu and sigma are those of each column, over the examples: "
               "reread 8.36 and 8.37, and the lines after 8.35 on broadcasting")
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")


@task("1.2", "delta, a constant feature, and images", points=2)
def forward_details(case):
    x, _, gamma, beta = batch(case, 5, 4)
    case.close(case.ask("forward", x=x, gamma=gamma, beta=beta, delta=0.7)["y"], gamma * xhat(x, 0.7) + beta,
               "delta stands inside the root: reread 8.37")
    x[:, 1] = 2.0
    case.close(case.ask("forward", x=x, gamma=gamma, beta=beta, delta=1e-5)["y"], gamma * xhat(x, 1e-5) + beta,
               "a feature that does not vary gives beta, not NaN: reread what delta is for, below 8.37")
    x, _, gamma, beta = batch(case, 2, 3, 4, 2)
    case.close(case.ask("forward", x=x, gamma=gamma, beta=beta, delta=1e-5)["y"], gamma * xhat(x, 1e-5) + beta,
               "images (n, h, w, c) have one mu and one sigma for each feature, *at every spatial location*: reread "
               "the last paragraph of 8.7.1")


# ------------------------------------------------------------------------------------- 2: backward through mu and sigma

@task("2.1", "backward through mu and sigma", points=3, visibility="public")
def through(case):
    x, g, _, _ = batch(case, 5, 3)
    got = case.ask("backward_of_standardize", g=g, x=x, delta=1e-3)
    case.close(got["dx"], gradient(lambda x: (g * xhat(x, 1e-3)).sum(), x), "three ways lead from x to xhat: directly, "
               "through mu and through sigma; reread the sentence below 8.37 that begins *Crucially*")
    case.equal(got["g"], g, "g belongs to the layer after: do not write into it")
    case.equal(got["x"], x, "x belongs to the layer before: do not write into it")


@task("2.2", "what the gradient never proposes", points=2)
def never(case):
    x, g, _, _ = batch(case, 7, 4)
    dx = case.ask("backward_of_standardize", g=g, x=x, delta=0.0)["dx"]
    case.equal(np.array(dx.shape), np.array(x.shape), "dx has the shape of x")
    case.close(dx.sum(axis=0), np.zeros(4), "the gradient never acts *simply to increase the mean*: its own is 0; "
               "reread that sentence below 8.37, and the way through mu")
    case.close((dx * xhat(x, 0.0)).sum(axis=0), np.zeros(4), "nor does it act simply to increase *the standard "
               "deviation*: it has no part along xhat; reread that sentence below 8.37, and the way through sigma")
    case.close(dx, gradient(lambda x: (g * xhat(x, 0.0)).sum(), x),
               "what is left of g is divided by sigma: reread 8.35")


@task("2.3", "backward with a large delta, and for images", points=2)
def through_images(case):
    for shape, delta in (((4, 3), 2.0), ((2, 3, 2, 2), 1e-5)):
        x, g, _, _ = batch(case, *shape)
        dx = case.ask("backward_of_standardize", g=g, x=x, delta=delta)["dx"]
        case.close(dx, gradient(lambda x, g=g, delta=delta: (g * xhat(x, delta)).sum(), x), "mu and sigma of 8.36 and "
                   "8.37 are means over all axes but the last, and delta is in sigma: the same scale forward and back",
                   tolerance=1e-8)


# ------------------------------------------------------------------------------------------------ 3: the whole backward

def whole(case, shape, delta):
    x, g, gamma, beta = batch(case, *shape)
    got = case.ask("backward", g=g, x=x, gamma=gamma, beta=beta, delta=delta)
    axes = tuple(range(x.ndim - 1))
    case.close(got["dbeta"], g.sum(axis=axes), "beta is added to every example: its gradient is the sum of g; reread "
               "the paragraph on gamma H' + beta in 8.7.1")
    case.close(got["dgamma"], (g * xhat(x, delta)).sum(axis=axes), "gamma multiplies xhat, not x: its gradient is "
               "the sum of g xhat; reread the paragraph on gamma H' + beta in 8.7.1")
    case.close(got["dx"], gradient(lambda x: (g * gamma * xhat(x, delta)).sum(), x), "g passes gamma before it reaches "
               "xhat, once: reread the paragraph on gamma H' + beta in 8.7.1", tolerance=1e-8)
    case.equal(got["g"], g, "g belongs to the layer after: do not write into it")


@task("3.1", "all three gradients", points=2, visibility="public")
def vectors(case):
    whole(case, (5, 3), 1e-3)


@task("3.2", "all three gradients for images", points=2)
def images(case):
    whole(case, (2, 2, 3, 2), 1e-5)
    whole(case, (6, 1), 0.5)


# -------------------------------------------------------------------------------------------------------- 4: test time

@task("4.1", "running averages", points=2, visibility="public")
def averages(case):
    batches = case.rng.standard_normal((3, 5, 2)) + 4
    got = case.ask("averages", batches=batches, momentum=0.1)
    mean, var, means, variances = np.zeros(2), np.ones(2), [], []
    for x in batches:
        mean, var = 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * var + 0.1 * x.var(axis=0, ddof=1)
        means.append(mean)
        variances.append(var)
    case.close(got["mean"], means, "momentum is the weight of the new batch, 1 - momentum that of the old average: "
               "reread the first line of RunningAverages' docstring")
    case.close(got["var"], variances, "the variance of a batch is made unbiased, times m/(m - 1): reread the second "
               "line of RunningAverages' docstring")


@task("4.2", "running averages of images, other weights", points=1)
def averages_of_images(case):
    batches, momentum = case.rng.standard_normal((2, 2, 3, 4, 2)) * 3, float(case.rng.uniform(0.3, 0.7))
    got = case.ask("averages", batches=batches, momentum=momentum)
    mean, var = np.zeros(2), np.ones(2)
    for x in batches.reshape(2, -1, 2):
        mean = (1 - momentum) * mean + momentum * x.mean(axis=0)
        var = (1 - momentum) * var + momentum * x.var(axis=0, ddof=1)
    case.close(got["mean"][-1], mean, "reread the first line of RunningAverages' docstring, with images in mind")
    case.close(got["var"][-1], var, "m counts the pixels too: reread the second line of RunningAverages' docstring")


@task("4.3", "a single example at test time", points=2)
def single(case):
    x, _, gamma, beta = batch(case, 1, 3)
    mean, var = case.rng.standard_normal(3), case.rng.uniform(0.5, 4, 3)
    got = case.ask("test_time", x=x, gamma=gamma, beta=beta, delta=0.3, mean=mean, var=var)
    case.close(got["y"], gamma * (x - mean) / np.sqrt(var + 0.3) + beta, "at test time the running averages take the "
               "place of mu and sigma, *on a single example* too: reread the paragraph that begins *At test time*")
