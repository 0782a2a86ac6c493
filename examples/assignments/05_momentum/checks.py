"""The tests. What is right is worked out from closed forms where there are any, not by another momentum loop.

v after k steps is -lr sum_i alpha^(k-i) g_i, and theta is the start plus the sum of all v.
"""
import numpy as np

from minigrad.grade import Assignment, task

assignment = Assignment(
    title="Momentum and Nesterov momentum", sections="8.3.2, 8.3.3", minutes=90,
    blocked=["minigrad.optim", "minigrad.kernels.optim", "minigrad_ext.optim", "minigrad.testing.boxes",
             "minigrad.testing.optimizers"],
    seconds=5, mutant_points=6)


def velocities(gradients, lr, momentum):
    """v_k = -lr sum_(i <= k) momentum^(k-i) g_i, for every k: (steps, n)."""
    k = np.arange(len(gradients))
    weights = np.tril(momentum ** np.maximum(k[:, None] - k, 0.0))
    return -lr * weights @ gradients


def bowl(rng, n=2):
    """A quadratic with eigenvalues from 0.5 to 20, and a start: A (n, n), b (n,), theta (n,)."""
    q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return q @ np.diag(np.geomspace(0.5, 20, n)) @ q.T, rng.standard_normal(n), 3 * rng.standard_normal(n)


def paths(A, b, theta, steps, rates, momentum, nesterov):
    """The boxes on a quadratic: the path (steps + 1, n), and the points where the gradient is taken (steps, n)."""
    v, path, asked = np.zeros_like(theta), [theta], []
    for lr in rates[:steps]:
        at = theta + nesterov * momentum * v
        asked.append(at)
        v = momentum * v - lr * (A @ at - b)
        theta = theta + v
        path.append(theta)
    return np.array(path), np.array(asked)


@task("1.1", "the first step of algorithm 8.2", points=2, visibility="public")
def first_step(case):
    theta, g = case.rng.standard_normal((2, 5))
    got = case.ask("steps", theta=theta, gradients=g[None], lr=0.1, momentum=0.9)
    case.close(got["v"], -0.1 * g[None], "v <- alpha v - epsilon g: v starts at 0, so the first v is -epsilon g")
    case.close(got["theta"], (theta - 0.1 * g)[None], "theta <- theta + v: reread the last line of the box")


@task("1.2", "ten steps with other gradients, rates and momenta", points=3)
def ten_steps(case):
    for momentum in (0.5, 0.99):
        theta, gradients = case.rng.standard_normal(4), case.rng.standard_normal((10, 4))
        lr = float(case.rng.uniform(0.01, 0.2))
        got = case.ask("steps", theta=theta, gradients=gradients, lr=lr, momentum=momentum)
        v = velocities(gradients, lr, momentum)
        case.close(got["v"], v, "v <- alpha v - epsilon g: old gradients count alpha, alpha^2, ... (8.15)")
        case.close(got["theta"], theta + np.cumsum(v, axis=0), "theta <- theta + v (8.16), with the v just computed")


@task("1.3", "what it was given is left as it was", points=1)
def inputs_unchanged(case):
    theta, gradients = case.rng.standard_normal(3), case.rng.standard_normal((4, 3))
    got = case.ask("steps", theta=theta, gradients=gradients, lr=0.1, momentum=0.9)
    case.close(got["changed"], np.zeros((4, 3)), "step(g) must not write into g: its caller may need it again")
    case.close(got["start"], theta, "the starting point belongs to the caller: work on a copy")


@task("1.4", "without momentum it is gradient descent", points=1)
def no_momentum(case):
    theta, gradients = case.rng.standard_normal(3), case.rng.standard_normal((5, 3))
    got = case.ask("steps", theta=theta, gradients=gradients, lr=0.3, momentum=0.0)
    case.close(got["theta"], theta - 0.3 * np.cumsum(gradients, axis=0), "with alpha = 0 the box is algorithm 8.1")


@task("2.1", "Nesterov's interim point", points=2, visibility="public")
def interim_point(case):
    theta, v = case.rng.standard_normal((2, 4))
    got = case.ask("interim", theta=theta, v=v, momentum=0.8)
    case.close(got["point"], theta + 0.8 * v, "theta~ <- theta + alpha v: the first line of the loop of algorithm 8.3")


@task("2.2", "asking for the interim point changes nothing", points=1)
def interim_only_looks(case):
    theta, v = case.rng.standard_normal((2, 4))
    got = case.ask("interim", theta=theta, v=v, momentum=0.95)
    case.close(got["point"], theta + 0.95 * v, "theta~ <- theta + alpha v, with any alpha")
    case.close(got["theta"], theta, "theta~ is another point: theta itself moves only in the last line of the box")
    case.close(got["v"], v, "v is updated with the gradient, not before it is known")


@task("3.1", "momentum's path in a bowl", points=2, visibility="public")
def path_of_momentum(case):
    A, b, theta = bowl(case.rng)
    got = case.ask("bowl", method="Momentum", theta=theta, A=A, b=b, steps=30, lr=0.02, momentum=0.9)
    want, _ = paths(A, b, theta, 30, [0.02] * 30, 0.9, False)
    case.picture(got["path"], want)
    case.close(got["path"], want, "descend: the start, then theta after every step")


@task("3.2", "Nesterov's gradients are taken at the interim points", points=3)
def path_of_nesterov(case):
    A, b, theta = bowl(case.rng, 3)
    got = case.ask("bowl", method="Nesterov", theta=theta, A=A, b=b, steps=25, lr=0.03, momentum=0.85)
    want, asked = paths(A, b, theta, 25, [0.03] * 25, 0.85, True)
    case.close(got["asked"], asked, "algorithm 8.3 computes the gradient at theta~, once for each step")
    case.close(got["path"], want, "the path is theta's, not theta~'s")


@task("3.3", "a learning rate that falls", points=2)
def schedule(case):
    A, b, theta = bowl(case.rng, 3)
    for method in ("Momentum", "Nesterov"):
        got = case.ask("bowl", method=method, theta=theta, A=A, b=b, steps=12, lr=0.03, momentum=0.8, decay=0.1)
        rates = 0.03 / (1 + 0.1 * np.arange(1, 13))
        want, _ = paths(A, b, theta, 12, rates, 0.8, method == "Nesterov")
        case.close(got["path"], want, "lr may be a function of the step k = 1, 2, ...: ask it before each step")


@task("4.1", "the terminal velocity of a constant gradient", points=1, visibility="public")
def speed(case):
    got = case.ask("velocity", lr=0.1, g=np.array([3.0, 4.0]), momentum=0.9)
    case.close(got["speed"], 5.0, "equation 8.17: epsilon |g| / (1 - alpha)")


@task("4.2", "the terminal velocity, other numbers", points=1)
def other_speed(case):
    g, momentum = case.rng.standard_normal(6), float(case.rng.uniform(0.3, 0.97))
    got = case.ask("velocity", lr=0.02, g=g, momentum=momentum)
    v = -0.02 * g * np.sum(momentum ** np.arange(3000))
    case.close(got["speed"], np.linalg.norm(v), "equation 8.17 is what |v| tends to: run your own step to see it", 1e-8)
