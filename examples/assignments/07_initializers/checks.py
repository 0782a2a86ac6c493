"""The checks of 07_initializers. Oracles: the moments of the distributions, the identity matrix, counted labels.

What is drawn at random is held to bounds of six standard deviations, so that no honest solution ever fails.
"""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(title="Initial values", sections="8.4", minutes=90, blocked=["minigrad.init"], mutant_points=5)


def seeds(case, count=1):
    return case.rng.integers(2 ** 31, size=count)


def draw(case, rule, shape, count=1, **settings):
    """(count, *shape), and that it is."""
    w = case.ask("draw", rule=rule, shape=list(shape), seeds=seeds(case, count), **settings)["w"]
    case.equal(np.array(w.shape), np.array((count, *shape)), "weights have the shape asked for, a convolution's too: "
               "reread the first lines of the file on what shape is")
    case.true(bool(np.isfinite(w).all()), "weights are finite numbers")
    return w


# ----------------------------------------------------------------------------------- 1: fans, normalized initialization

@task("1.1", "fans of a dense layer and of a convolution", points=1, visibility="public")
def fans(case):
    message = ("m counts all that one unit adds up, n all that one input reaches, so the kernel multiplies both: "
               "reread where m and n are introduced, above equation 8.23")
    m, n, size = (int(value) for value in case.rng.integers(2, 20, 3))
    case.equal(case.ask("fans", shape=[m, n])["fans"], [m, n], message)
    case.equal(case.ask("fans", shape=[size, 3, m, n])["fans"], [3 * size * m, 3 * size * n], message)


def normalized(case, shape, m, n):
    w, limit = draw(case, "glorot_uniform", shape).ravel(), np.sqrt(6 / (m + n))
    case.true(bool(abs(w).max() <= limit),
              "no weight is larger than sqrt(6/(m + n)): reread the limit in equation 8.23")
    case.true(bool(abs(w).max() > 0.97 * limit), "the largest of many weights is nearly sqrt(6/(m + n)): reread the "
              "limit in equation 8.23")
    case.true(bool(abs(w.var() / (limit ** 2 / 3) - 1) < 6 * np.sqrt(0.8 / w.size)), "the variance is 2/(m + n): "
              "reread equation 8.23, U(-a, a) has the variance a^2/3")
    case.true(bool(abs(w.mean()) < 6 * w.std() / np.sqrt(w.size)),
              "the mean is 0: reread the two ends in equation 8.23")


@task("1.2", "normalized initialization of a dense layer", points=2, visibility="public")
def normalized_dense(case):
    m, n = (int(value) for value in case.rng.integers(40, 90, 2))
    normalized(case, (m, n), m, n)


@task("1.3", "normalized initialization of a convolution", points=2)
def normalized_convolution(case):
    m, n = (int(value) for value in case.rng.integers(5, 15, 2))
    normalized(case, (5, 5, m, n), 25 * m, 25 * n)


# ------------------------------------------------------------------------------------------------------ 2: orthogonal

def products(case, shape, gain, message):
    w = draw(case, "orthogonal", shape, gain=gain)[0].reshape(-1, shape[-1])
    product = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    case.close(product, gain ** 2 * np.eye(len(product)), message)


@task("2.1", "orthogonal columns", points=2, visibility="public")
def orthogonal_columns(case):
    for shape in ((6, 6), (9, 4)):
        products(case, shape, 1.0, "W'W = I: reread the words *random orthogonal matrices* (8.4)")


@task("2.2", "orthogonal rows, convolutions and the gain", points=2)
def orthogonal_shapes(case):
    gain = float(case.rng.uniform(1.5, 3))
    products(case, (7, 5), gain,
             "W'W = gain^2 I: reread the words on the *gain* factor g (8.4), which multiplies W once")
    products(case, (4, 9), gain, "with more outputs than inputs the rows are orthogonal, WW' = gain^2 I: reread the "
             "docstring's second paragraph")
    products(case, (3, 3, 2, 8), gain, "a convolution is orthogonal as the matrix (kh kw c_in, c_out): reread the "
             "first lines of the file on what a unit is")


@task("2.3", "uniform over all orthogonal matrices", points=3)
def orthogonal_haar(case):
    count = 500
    for shape in ((2, 2), (3, 2), (2, 3)):
        q = draw(case, "orthogonal", shape, count)
        bound = 6 / np.sqrt(min(shape) * count / 2)
        case.true(bool(abs(q.mean(axis=0)).max() < bound), "the mean of every entry over many draws is 0: QR chooses "
                  "signs of its own, which are always the same for q_00. Multiply each column of Q by the sign of "
                  "R's diagonal entry; reread the word *random* in *random orthogonal matrices* (8.4)")
        case.true(bool(abs((q ** 2).mean(axis=0) - 1 / max(shape)).max() < bound), "all entries are alike: start from "
                  "Gaussian numbers, whose distribution no rotation changes; reread *random orthogonal matrices* (8.4)")
        if shape == (2, 2):
            case.true(bool(abs(np.linalg.det(q).mean()) < 6 / np.sqrt(count)), "half of all orthogonal matrices "
                      "turn, half reflect: every column of Q has a sign of its own; reread *random orthogonal "
                      "matrices* (8.4)")


# ---------------------------------------------------------------------------------------------------------- 3: sparse

@task("3.1", "exactly k inputs for each unit", points=2, visibility="public")
def sparse_count(case):
    k = int(case.rng.integers(3, 9))
    w = draw(case, "sparse", (30, 50), k=k)[0]
    case.equal(np.count_nonzero(w, axis=0), np.full(50, k), "each unit, a column, has *exactly k nonzero weights*: "
               "reread the sentence on Martens (2010) in 8.4")


@task("3.2", "inputs of a unit's own choice, of a size that does not shrink", points=3)
def sparse_values(case):
    for shape in ((60, 200), (2, 3, 10, 200)):
        w = draw(case, "sparse", shape, k=6, std=2.0)[0].reshape(60, 200)
        case.equal(np.count_nonzero(w, axis=0), np.full(200, 6), "each unit, a column, has *exactly k nonzero "
                   "weights*: reread the sentence on Martens (2010) in 8.4")
        used = np.count_nonzero(w, axis=1)                        # 20 each on average, binomial
        case.true(bool(used.max() < 20 + 6 * np.sqrt(18) and used.min() > 0), "each unit chooses inputs of its own, "
                  "all equally likely: reread *more diversity among the units* (8.4)")
        values = w[w != 0]
        case.true(bool(abs(values.std() / 2 - 1) < 6 / np.sqrt(2 * values.size) and
                       abs(values.mean()) < 12 / np.sqrt(values.size)),
                  "the nonzero weights have mean 0 and standard deviation std, whatever the number of inputs: reread "
                  "*without making the magnitude of individual weight elements shrink with m* (8.4)")


# ---------------------------------------------------------------------------------------------------------- 4: biases

def softmax(b):
    powers = np.exp(b - b.max())
    return powers / powers.sum()


@task("4.1", "softmax(b) is the share of each class", points=2, visibility="public")
def bias_softmax(case):
    labels = np.concatenate([np.arange(4), case.rng.choice(4, 60, p=[0.6, 0.3, 0.05, 0.05])])
    b = case.ask("softmax_bias", labels=labels, classes=4)["b"]
    case.close(softmax(b), np.bincount(labels) / len(labels), "solve softmax(b) = c, c the shares of the classes: "
               "reread the first of the points on biases (8.4)")


@task("4.2", "a class that does not occur", points=1)
def bias_missing(case):
    labels = case.rng.choice(3, 40)
    b = case.ask("softmax_bias", labels=labels, classes=6)["b"]
    case.true(bool(b.shape == (6,) and np.isfinite(b).all()), "one finite bias for each of the 6 classes, also for "
              "those without a label, whose logarithm would be that of 0: reread the docstring of smoothing")
    case.close(softmax(b), (np.bincount(labels, minlength=6) + 1) / 46, "if some class does not occur, 1 is added to "
               "every count: reread the docstring of smoothing")


@task("4.3", "sigmoid(b) is the mean of each output", points=2)
def bias_sigmoid(case):
    targets = case.rng.uniform(size=(30, 4)) * np.array([0.1, 0.5, 0.9, 1.0])
    b = case.ask("sigmoid_bias", targets=targets)["b"]
    case.close(1 / (1 + np.exp(-b)), targets.mean(axis=0), "the bias is the inverse of the activation function at the "
               "marginal statistics, log(c/(1 - c)): reread the first of the points on biases (8.4)")
    targets = np.concatenate([np.zeros((10, 1)), np.ones((10, 1)), case.rng.integers(0, 2, (10, 1))], axis=1)
    b = case.ask("sigmoid_bias", targets=targets)["b"]
    case.close(1 / (1 + np.exp(-b)), (targets.sum(axis=0) + 1) / 12, "an output that is always on, or never, would "
               "have an infinite bias; then 1 is added to how often it is on and to how often off: reread the "
               "docstring of smoothing")
