"""The checks of 06_adaptive. Oracle: the sums that r and s are, over all gradients so far; no loop over steps."""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="The adaptive family", sections="8.5.1, 8.5.2, 8.5.3", minutes=75, mutant_points=5,
    blocked=["minigrad.optim", "minigrad.kernels.optim", "minigrad.testing.boxes", "minigrad.testing.optimizers"])

DEFAULTS = {"adagrad": dict(delta=1e-7), "rmsprop": dict(rho=0.9, delta=1e-6),
            "adam": dict(rho1=0.9, rho2=0.999, delta=1e-8)}


def remembered(values, rho):
    """sum_(i <= k) rho^(k-i) values_i for every step k (steps, n), and the sum of those weights (steps, 1)."""
    k = np.arange(len(values))
    weights = np.tril(rho ** np.maximum(k[:, None] - k, 0.0))
    return weights @ values, weights.sum(axis=1, keepdims=True)


def wanted(method, theta, gradients, rates, delta, rho=1.0, rho1=0.0, rho2=0.0):
    """theta after each step (steps, n). No loop: r and s are sums over all gradients so far."""
    squares = gradients * gradients
    if method == "adam":                                         # corrected, both are means with weights that sum to 1
        (s, of_s), (r, of_r) = remembered(gradients, rho1), remembered(squares, rho2)
        direction = (s / of_s) / (np.sqrt(r / of_r) + delta)
    elif method == "rmsprop":
        direction = gradients / np.sqrt(delta + (1 - rho) * remembered(squares, rho)[0])
    else:
        direction = gradients / (delta + np.sqrt(remembered(squares, 1.0)[0]))
    return theta - np.cumsum(np.reshape(rates, (-1, 1)) * direction, axis=0)


def compare(case, method, gradients, rates, message, **hyper):
    theta, hyper = case.rng.standard_normal(gradients.shape[1]), DEFAULTS[method] | hyper
    got = case.ask("steps", method=method, theta=theta, gradients=gradients, rates=np.asarray(rates, dtype=float),
                   names=list(hyper), values=np.array(list(hyper.values())))
    case.close(got["path"], wanted(method, theta, gradients, rates, **hyper), message)
    case.equal(got["gradients"], gradients, "g is not to be written into: the loop that computed it may still need it. "
               "Reread the box: no line assigns g after `Compute gradient`")


def gradients_of(case, k, n=5):
    """Of sizes from 0.01 to 100, as parameters of a net have them; positive and negative."""
    return case.rng.standard_normal((k, n)) * np.logspace(-2, 2, n)


def pictured(case, method, lr, steps, message):
    """The path down a canyon, for the reports that show images, and compared."""
    theta, curvatures = case.rng.uniform(1, 2, 2), np.array([1.0, 50.0])
    path, optimizer = [theta], DEFAULTS[method]
    got = case.ask("descend", method=method, theta=theta, curvatures=curvatures, lr=lr, count=steps)["path"]
    gradients = []
    for _ in range(steps):
        gradients.append(curvatures * path[-1])
        path.append(wanted(method, theta, np.array(gradients), [lr] * len(gradients), **optimizer)[-1])
    if got.shape == (steps + 1, 2):
        case.picture(got, path)
    case.close(got, path, message)


# --------------------------------------------------------------------------------------------------------- 1: AdaGrad

@task("1.1", "one step of algorithm 8.4", points=1, visibility="public")
def adagrad_step(case):
    compare(case, "adagrad", gradients_of(case, 1), [0.1], "the first step is lr g/(delta + |g|): reread the lines "
            "`Compute update` and `Apply update` of algorithm 8.4")


@task("1.2", "many steps of algorithm 8.4", points=2)
def adagrad_path(case):
    compare(case, "adagrad", gradients_of(case, 12), [0.1] * 12, "r is the sum of all squared gradients so far, the "
            "present one included: reread the line `Accumulate squared gradient` of algorithm 8.4")


@task("1.3", "delta and a rate that changes, in algorithm 8.4", points=2)
def adagrad_delta(case):
    compare(case, "adagrad", gradients_of(case, 8), 0.1 / np.arange(1, 9), "delta stands outside the root, beside "
            "sqrt(r), and lr is that of this step: reread the line `Compute update` of algorithm 8.4", delta=0.5)
    compare(case, "adagrad", np.zeros((3, 4)), [0.1] * 3, "where g has always been 0 the step is 0, not 0/0: reread "
            "what delta is for in the line `Require: Small constant` of algorithm 8.4")


@task("1.4", "a path down a canyon with AdaGrad", points=1, visibility="public")
def adagrad_canyon(case):
    pictured(case, "adagrad", 0.5, 25, "both coordinates come down equally fast, whatever their curvature: reread "
             "`Apply update` of algorithm 8.4 (each parameter divides by its own sqrt(r))")


# --------------------------------------------------------------------------------------------------------- 2: RMSProp

@task("2.1", "one step of algorithm 8.5", points=1, visibility="public")
def rmsprop_step(case):
    compare(case, "rmsprop", gradients_of(case, 1), [0.1], "after one step r = (1 - rho) g*g: reread the line "
            "`Accumulate squared gradient` of algorithm 8.5")


@task("2.2", "many steps of algorithm 8.5", points=2)
def rmsprop_path(case):
    compare(case, "rmsprop", gradients_of(case, 12), [0.1] * 12, "rho weighs the old r, 1 - rho the new square: reread "
            "the line `Accumulate squared gradient` of algorithm 8.5", rho=0.7)


@task("2.3", "delta and a rate that changes, in algorithm 8.5", points=2)
def rmsprop_delta(case):
    compare(case, "rmsprop", gradients_of(case, 8), 0.1 / np.arange(1, 9), "delta stands inside the root, "
            "not as in algorithm 8.4: reread the line `Compute parameter update` of algorithm 8.5", delta=0.5)
    compare(case, "rmsprop", np.zeros((3, 4)), [0.1] * 3, "where g has always been 0 the step is 0, not 0/0: reread "
            "what delta is for in the line `Require: Small constant` of algorithm 8.5")


@task("2.4", "a path down a canyon with RMSProp", points=1, visibility="public")
def rmsprop_canyon(case):
    pictured(case, "rmsprop", 0.1, 25, "r forgets: reread the line `Accumulate squared gradient` of algorithm 8.5, and "
             "the sign in `Apply update`")


# ------------------------------------------------------------------------------------------------------------ 3: Adam

@task("3.1", "one step of algorithm 8.7", points=1, visibility="public")
def adam_step(case):
    compare(case, "adam", gradients_of(case, 1), [0.1], "the first step is lr in every coordinate, since s^ = g and "
            "r^ = g*g: reread the two lines `Correct bias` of algorithm 8.7, and from where t counts")


@task("3.2", "many steps of algorithm 8.7", points=2)
def adam_path(case):
    compare(case, "adam", gradients_of(case, 12), [0.1] * 12, "s with rho1 and g, r with rho2 and g*g; corrected with "
            "the t of this step: reread the lines from `Update biased first moment` on in algorithm 8.7",
            rho1=0.6, rho2=0.8)


@task("3.3", "delta and a rate that changes, in algorithm 8.7", points=2)
def adam_delta(case):
    compare(case, "adam", gradients_of(case, 8), 0.1 / np.arange(1, 9), "delta stands outside the root of the "
            "corrected r^: reread the line `Compute update` of algorithm 8.7", delta=0.5)
    compare(case, "adam", np.zeros((3, 4)), [0.1] * 3, "where g has always been 0 the step is 0, not 0/0: reread "
            "what delta is for in the line `Require: Small constant` of algorithm 8.7")


@task("3.4", "a path down a canyon with Adam", points=2, visibility="public")
def adam_canyon(case):
    pictured(case, "adam", 0.1, 40, "s goes on in its direction for some steps after g has turned: reread `Update "
             "biased first moment estimate` of algorithm 8.7")
